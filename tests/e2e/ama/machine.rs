//! The machine's side: units, user, crontab and cloud-init, checked by their tools and then run under a systemd of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{blocks, file, parse, path, python, tool};
use crate::support::{PROCLINE, command, lacks, skip};

const UNITS: [&str; 2] = ["procline.service", "procline.timer"];

/// What systemd says of the units, changed so; the program is the one under test.
fn verify(change: (&str, &str)) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let units = UNITS.map(|name| {
        let text = file(name).replace("/usr/bin/procline", PROCLINE).replace(change.0, change.1);
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    });
    let output = command("systemd-analyze", &["verify", "--man=no"]).args(units).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    if lacks("systemd_finds_no_fault_with_the_units", false, &["systemd-analyze"]) {
        return;
    }
    assert_eq!(verify(("", "")), (true, String::new()));
    // It succeeds on keys that it does not know: the check is known to bite all the same.
    for (right, wrong) in [("User=", "Usr="), ("OnCalendar=minutely", "OnCalendar=minutly"), (PROCLINE, "/nowhere")] {
        assert!(!verify((right, wrong)).1.is_empty(), "{wrong}");
    }
}

/// What would blind a process lister, or hide its files from the agent, is in no unit.
#[test]
fn no_unit_hides_processes() {
    for line in UNITS.map(file).join("\n").lines().filter(|line| !line.starts_with('#')) {
        for key in ["ProtectProc=", "ProcSubset=", "PrivateUsers=", "DynamicUser="] {
            assert!(!line.starts_with(key), "{line}");
        }
    }
}

#[test]
fn cloud_init_is_of_its_schema() {
    let test = "cloud_init_is_of_its_schema";
    let Some(schema) =
        tool(test, "cloud-init/usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json")
    else {
        return;
    };
    let text = file("cloud-init.yml");
    assert!(text.starts_with("#cloud-config\n"));
    let folder = tempfile::tempdir().unwrap();
    for (content, good) in [(text.clone(), true), (text.replace("runcmd:\n  - |", "runcmd: |"), false)] {
        let config = folder.path().join("config.yml");
        fs::write(&config, content).unwrap();
        let Some(mut check) = python(test, &["-m", "check_jsonschema", "--schemafile"]) else { return };
        let output = check.arg(&schema).arg(config).output().unwrap();
        assert_eq!(output.status.success(), good, "{output:?}");
    }
    // This schema lets keys pass that it does not know.
    let Some(config) = parse(test, "yaml", &text) else { return };
    let keys: Vec<_> = config.unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["runcmd"]);
}

/// The machine's own systemd, booted in namespaces; see `boot.sh`.
struct Machine {
    boot: Child,
    systemd: i32,
    _folder: TempDir,
}

impl Machine {
    /// Boots one whose /srv looks like a checkout after a release build, unless the test must be skipped.
    fn boot(test: &str) -> Option<Self> {
        let programs = ["unshare", "nsenter", "mount", "systemctl", "setpriv", "runuser"];
        if lacks(test, true, &programs) {
            return None;
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            skip(test, "systemd is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["ama", "bin", "target/release"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for entry in fs::read_dir(path("")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), at("ama").join(entry.file_name())).unwrap();
        }
        fs::copy(PROCLINE, at("target/release/procline")).unwrap();
        // The tests run as root, and the machine may not have it.
        fs::write(at("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
        fs::set_permissions(at("bin/sudo"), fs::Permissions::from_mode(0o755)).unwrap();

        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/boot.sh");
        let complaints = fs::File::create(at("complaints")).unwrap();
        let mut boot = command("unshare", &["--mount", "sh", script]);
        let mut boot = boot.arg(folder.path()).stdout(Stdio::null()).stderr(complaints).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let complaints = || fs::read_to_string(at("complaints")).unwrap();
            if let Some(status) = boot.try_wait().unwrap() {
                assert_eq!(status.code(), Some(77), "{}", complaints());
                skip(test, &format!("systemd cannot be booted here: {}", complaints().trim()));
                return None;
            }
            // boot.sh, then unshare, then what becomes systemd.
            let systemd = child(boot.id() as i32).and_then(child);
            if let Some(systemd) = systemd.filter(|pid| enter(*pid, "systemctl is-system-running").status.success()) {
                return Some(Machine { boot, systemd, _folder: folder });
            }
            assert!(Instant::now() < until, "systemd does not come up: {}", complaints());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a script in it, run in /srv, prints; it must succeed.
    fn run(&self, script: &str) -> String {
        let output = enter(self.systemd, script);
        assert!(output.status.success(), "{script}\n{output:?}\n{}", self.journal());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether a script in it succeeds.
    fn succeeds(&self, script: &str) -> bool {
        enter(self.systemd, script).status.success()
    }

    fn journal(&self) -> String {
        String::from_utf8(enter(self.systemd, "journalctl --no-pager --lines 20").stdout).unwrap()
    }

    /// The records of one snapshot in today's file: the latest.
    fn rows(&self) -> Vec<Map<String, Value>> {
        let rows = rows(&self.run("cat /var/log/procline/*.jsonl"));
        let latest = rows.iter().map(|row| row["timestamp"].as_str().unwrap().to_owned()).max().unwrap();
        rows.into_iter().filter(|row| row["timestamp"] == latest).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its whole namespace ends with it, and then boot.sh, which removes the control group.
        let _ = kill(Pid::from_raw(self.systemd), Signal::SIGKILL);
        let _ = self.boot.wait();
    }
}

/// The first child of a process.
fn child(pid: i32) -> Option<i32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split(' ').next()?.parse().ok()
}

/// A shell in the namespaces of this process.
fn enter(pid: i32, script: &str) -> Output {
    let pid = pid.to_string();
    let within = ["--target", &pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
    let script = format!("cd /srv && export PATH=/srv/bin:/usr/sbin:/usr/bin:/sbin:/bin && {script}");
    Command::new("nsenter").args(within).args(["sh", "-ec", &script]).stdin(Stdio::null()).output().unwrap()
}

fn rows(text: &str) -> Vec<Map<String, Value>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What of a record is the same as long as the process does not change.
fn lasting(row: &Map<String, Value>) -> Vec<Value> {
    ["pid", "start", "user", "uid", "ppid", "name", "command", "tty", "Computer"].map(|key| row[key].clone()).into()
}

/// The README's steps, as they stand there, on a machine that has never heard of procline.
#[test]
fn the_readmes_steps_bring_lines() {
    let Some(machine) = Machine::boot("the_readmes_steps_bring_lines") else { return };
    let steps = &blocks("README.md", "sh")[0];
    let (install, enable) = steps.trim_end().rsplit_once('\n').unwrap();
    machine.run(install);
    assert_eq!(enter(machine.systemd, "systemctl is-enabled procline.timer").stdout, b"disabled\n");
    machine.run(enable);

    // Of every user's processes.
    machine.run("setpriv --reuid=65534 --regid=65534 --clear-groups sleep 1000 >/dev/null 2>&1 &");
    let plain = || rows(&machine.run("procline --fields +name,+ppid,+uid"));
    let before: Vec<_> = plain().iter().map(lasting).collect();
    machine.run("systemctl start procline.service");
    let after: Vec<_> = plain().iter().map(lasting).collect();
    let written: Vec<_> = machine.rows().iter().map(lasting).collect();
    let stayed: Vec<_> = before.iter().filter(|row| after.contains(row)).collect();
    assert!(stayed.len() >= 3 && stayed.iter().any(|row| row[2] != "root"), "{stayed:?}");
    for row in stayed {
        assert!(written.contains(row), "{row:?}");
    }

    // As adm the agent gets in; nobody else does, and nothing but the lines is written anywhere.
    let modes = machine.run("stat -c '%a %U %G' /var/log/procline /var/log/procline/*");
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
    machine.run("useradd --system --groups adm agent");
    machine.run("runuser -u agent -- sh -c 'head -n 1 /var/log/procline/*.jsonl' | grep -q '^{'");
    assert!(!machine.succeeds("runuser -u nobody -- ls /var/log/procline"));
    assert_eq!(machine.run("journalctl --quiet --unit procline.service --output cat"), "");

    // Old files of this name go, and no others.
    machine.run("cd /var/log/procline && touch -d '10 days ago' 2020-01-01.jsonl other.jsonl");
    machine.run("systemctl start procline.service");
    assert!(machine.succeeds("cd /var/log/procline && test ! -e 2020-01-01.jsonl && test -e other.jsonl"));
    machine.run("rm /var/log/procline/other.jsonl");

    // The page for those who have no rows: its commands are right, too.
    for step in blocks("NO-ROWS.md", "sh").iter().flat_map(|block| block.lines()) {
        machine.run(step);
    }
}

/// The timer starts the service, again and again.
#[test]
fn the_timer_ticks() {
    let Some(machine) = Machine::boot("the_timer_ticks") else { return };
    machine.run(&blocks("README.md", "sh")[0]);
    let next = machine.run("systemctl show --value -p NextElapseUSecRealtime procline.timer");
    assert!(next.contains(":00 ") || next.contains(":0"), "{next}");
    // A minute is long: the same timer, each second.
    let quick = "[Timer]\\nOnCalendar=\\nOnCalendar=*:*:*\\nAccuracySec=1ms\\n";
    machine.run("systemctl stop procline.timer; mkdir -p /etc/systemd/system/procline.timer.d");
    machine.run(&format!("printf '{quick}' >/etc/systemd/system/procline.timer.d/quick.conf; systemctl daemon-reload"));
    machine.run("systemctl start procline.timer");
    let until = Instant::now() + Duration::from_secs(60);
    let count = "cat /var/log/procline/*.jsonl | grep -c '\"pid\":1,' | grep -q '^[3-9]'";
    while !machine.succeeds(count) {
        assert!(Instant::now() < until, "{}", machine.journal());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// When it fails, the unit fails, and the journal says why, once.
#[test]
fn a_failure_is_in_the_journal() {
    let Some(machine) = Machine::boot("a_failure_is_in_the_journal") else { return };
    machine.run(&blocks("README.md", "sh")[0]);
    machine.run("systemctl start procline.service");
    machine.run("systemctl stop procline.timer; cd /var/log/procline; for file in *; do rm $file; mkdir $file; done");
    assert!(!machine.succeeds("systemctl start procline.service"));
    let result = machine.run("systemctl show --value -p Result -p ExecMainStatus procline.service");
    assert!(result.contains("exit-code") && result.contains('1'), "{result}");
    let journal = machine.run("journalctl --quiet --unit procline.service --output cat");
    assert_eq!(journal.lines().filter(|line| line.starts_with("procline: ")).count(), 1, "{journal}");
}

/// The crontab's command, as cron would run it, in the directory that the README makes for it.
#[test]
fn cron_writes_the_same_file() {
    let Some(machine) = Machine::boot("cron_writes_the_same_file") else { return };
    let steps = blocks("README.md", "sh");
    let install: Vec<_> = steps[0].lines().take(3).collect();
    machine.run(&install.join("\n"));
    machine.run(&steps[1]);
    let cron = file("procline.cron");
    let line = cron.lines().find(|line| !line.starts_with('#')).unwrap();
    let words: Vec<_> = line.splitn(7, ' ').collect();
    assert_eq!(words[..6], ["*", "*", "*", "*", "*", "procline"]);
    // cron takes \% as %, and cuts the command at a bare one.
    let command = words[6].replace("\\%", "%");
    assert_eq!(words[6].matches('%').count(), words[6].matches("\\%").count());
    machine.run(&format!("cat >command <<'END'\n{command}\nEND\nrunuser -u procline -- sh command"));
    let modes = machine.run("stat -c '%a %U %G' /var/log/procline /var/log/procline/*");
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
    assert!(machine.rows().iter().any(|row| row["pid"] == 1));
    assert!(machine.succeeds("test $(stat -c '%a %U' /etc/cron.d/procline | tr -d ' ') = 644root"));
}

/// What cloud-init would run at a first start, with a package that has what ours has.
#[test]
fn cloud_init_installs_and_enables() {
    let test = "cloud_init_installs_and_enables";
    if lacks(test, true, &["apt-get", "dpkg-deb", "curl", "sha256sum"]) {
        return;
    }
    let Some(config) = parse(test, "yaml", &file("cloud-init.yml")) else { return };
    let Some(machine) = Machine::boot(test) else { return };
    let architecture = machine.run("dpkg --print-architecture");
    let control = format!(
        "Package: procline\\nVersion: 0.1\\nArchitecture: {}\\nMaintainer: none\\nDescription: test\\n",
        architecture.trim()
    );
    machine.run(&format!(
        "mkdir -p deb/DEBIAN; printf '{control}' >deb/DEBIAN/control
        install -D target/release/procline deb/usr/bin/procline
        install -D -m 0644 -t deb/usr/lib/systemd/system ama/procline.service ama/procline.timer
        install -D -m 0644 ama/procline.sysusers deb/usr/lib/sysusers.d/procline.conf
        dpkg-deb --root-owner-group -Znone --build deb procline.deb"
    ));
    let sum = machine.run("sha256sum procline.deb");
    let (sum, _) = sum.split_once(' ').unwrap();
    let script = config.unwrap()["runcmd"][0].as_str().unwrap().replace("PACKAGE_URL", "file:///srv/procline.deb");
    // cloud-init writes the commands into a file for sh.
    let first_start =
        |sum: &str| format!("cat >runcmd <<'END'\n{}\nEND\nsh runcmd", script.replace("PACKAGE_SHA256", sum));

    assert!(!machine.succeeds(&first_start(&"0".repeat(64))), "a wrong checksum");
    assert!(!machine.succeeds("test -e /usr/bin/procline || systemctl cat procline.timer"));
    machine.run(&first_start(sum));
    assert_eq!(
        machine.run("systemctl is-enabled procline.timer; systemctl is-active procline.timer"),
        "enabled\nactive\n"
    );
    machine.run("systemctl start procline.service");
    assert!(machine.rows().iter().any(|row| row["pid"] == 1));
    assert_eq!(machine.run("stat -c '%a %U %G' /var/log/procline"), "2750 procline adm\n");
}
