//! The parts on the machine, run for real under a booted systemd: the README's steps, the timer, the crontab and
//! cloud-init.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::machine::{Machine, rows};
use super::{KINDS, Kind, Start, blocks, file, parse};
use crate::limit::wait_for;
use crate::packages::package;
use crate::support::lacks;

/// The values of a record that stay the same as long as the process does not change.
fn lasting(row: &Map<String, Value>) -> Vec<Option<Value>> {
    ["pid", "start", "user", "uid", "ppid", "name", "command", "tty", "Computer"]
        .map(|key| row.get(key).cloned())
        .into()
}

/// The README's blocks of commands, in its order.
const PACKAGE: usize = 0;
pub(super) const CHECKOUT: usize = 1;
const CRON: usize = 2;
pub(super) const KINDS_CHECKOUT: usize = 3;
const KINDS_CRON: usize = 4;
const INVENTORY_CRON: usize = 5;
const COMPRESS: usize = 6;

/// A block of the README: its commands that install, and the last, which enables.
pub(super) fn steps(block: usize) -> [String; 2] {
    let steps = blocks("README.md", "sh").swap_remove(block);
    let (install, enable) = steps.trim_end().rsplit_once('\n').unwrap();
    [install, enable].map(str::to_owned)
}

/// The command of the README's table that enables a kind.
pub(super) fn enabling(kind: &Kind) -> String {
    let command = format!("systemctl enable --now {}", kind.unit());
    let (row, table) = (format!("| `{}` |", kind.unit()), format!("| `{}` |", kind.table));
    assert!(file("README.md").lines().any(|line| line.starts_with(&row) && line.ends_with(&table)), "{}", kind.name);
    command
}

/// The kinds of records besides the processes.
pub(super) fn others() -> &'static [Kind] {
    &KINDS[1..]
}

/// The README's steps, exactly as they are printed there, on a machine without procline.
#[test]
fn the_readmes_steps_bring_lines() {
    let Some(machine) = Machine::boot("the_readmes_steps_bring_lines") else { return };
    bring_lines(&machine, CHECKOUT);
}

#[test]
fn the_package_brings_lines() {
    let test = "the_package_brings_lines";
    if lacks(test, true, &["apt-get"]) || package(test, "deb").is_none() {
        return;
    }
    let Some(machine) = Machine::boot(test) else { return };
    machine.run("mv packages/procline_*.deb .");
    bring_lines(&machine, PACKAGE);
}

/// Runs the steps of a block of the README. Then the file has what procline prints, and the agent may read it.
fn bring_lines(machine: &Machine, block: usize) {
    let [install, enable] = &steps(block);
    machine.run(install);
    assert_eq!(machine.run("systemctl is-enabled procline.timer || true"), "disabled\n");
    machine.run(enable);

    // There must also be a process of another user.
    machine.run(
        "setpriv --reuid=65534 --regid=65534 --clear-groups sleep 1000 >/dev/null 2>&1 &
        until grep -q sleep /proc/$!/comm; do sleep 0.01; done",
    );
    let plain = || rows(&machine.run("procline --fields +name,+ppid,+uid"));
    let before: Vec<_> = plain().iter().map(lasting).collect();
    machine.run("systemctl start procline.service");
    let after: Vec<_> = plain().iter().map(lasting).collect();
    let written: Vec<_> = machine.rows().iter().map(lasting).collect();
    let stayed: Vec<_> = before.iter().filter(|row| after.contains(row)).collect();
    assert!(stayed.len() >= 3 && stayed.iter().any(|row| row[2] != Some("root".into())), "{stayed:?}");
    for row in stayed {
        assert!(written.contains(row), "{row:?}");
    }

    // The agent reads the files as a member of adm. No other user can, and nothing but the records is written.
    let modes = machine.run("stat -c '%a %U %G' /var/log/procline /var/log/procline/*");
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
    machine.run("useradd --system --groups adm agent");
    machine.run("runuser -u agent -- sh -c 'head -n 1 /var/log/procline/*.jsonl' | grep -q '^{'");
    assert!(!machine.succeeds("runuser -u nobody -- ls /var/log/procline"));
    assert_eq!(machine.run("journalctl --sync; journalctl --quiet --unit procline.service --output cat"), "");

    // Retention removes old files of this name, and no others.
    machine.run("cd /var/log/procline && touch -d '10 days ago' 2020-01-01.jsonl other.jsonl");
    machine.run("systemctl start procline.service");
    assert!(machine.succeeds("cd /var/log/procline && test ! -e 2020-01-01.jsonl && test -e other.jsonl"));
    machine.run("rm /var/log/procline/other.jsonl");

    // The commands on the page for missing rows work, too. Some are about heartbeats.
    let [install, enable] = &steps(KINDS_CHECKOUT);
    if block == CHECKOUT {
        machine.run(install);
    }
    machine.run(enable);
    for step in blocks("NO-ROWS.md", "sh").iter().flat_map(|block| block.lines()) {
        machine.run(step);
    }
}

/// The README's steps for heartbeats bring records about the machine. The two kinds of record do not affect each other.
#[test]
fn the_readmes_steps_bring_heartbeats() {
    let Some(machine) = Machine::boot("the_readmes_steps_bring_heartbeats") else { return };
    machine.run(&steps(CHECKOUT).join("\n"));
    machine.run(&steps(KINDS_CHECKOUT)[0]);
    assert_eq!(machine.run("systemctl is-enabled procline-host.timer || true"), "disabled\n");
    machine.run(&enabling(&KINDS[1]));
    assert_eq!(machine.run("systemctl is-enabled procline-host.timer"), "enabled\n");
    machine.run(
        "systemctl stop procline.timer procline-host.timer; systemctl start procline.service procline-host.service",
    );

    // The unit's protection hides nothing that root sees.
    let steady = |row: &Map<String, Value>| {
        ["os", "os_version", "kernel", "architecture", "virtualization", "boot_time", "cpus", "mem_total", "users"]
            .map(|key| row.get(key).cloned())
    };
    let heartbeats = || rows(&machine.run("cat /var/log/procline-host/*.jsonl"));
    let plain = &rows(&machine.run("procline host"))[0];
    let heartbeat = heartbeats().pop().unwrap();
    assert_eq!(steady(&heartbeat), steady(plain));
    assert_eq!(heartbeat.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    let count = |row: &Map<String, Value>| row["processes"].as_u64().unwrap();
    assert!(count(&heartbeat) >= 3 && count(&heartbeat).abs_diff(count(plain)) < 5, "{heartbeat:?} {plain:?}");

    // The agent may read the file, and no other user. Each kind has its own files.
    let modes = machine.run("stat -c '%a %U %G' /var/log/procline-host /var/log/procline-host/*");
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
    assert!(!machine.succeeds("runuser -u nobody -- ls /var/log/procline-host"));
    assert_eq!(machine.run("journalctl --sync; journalctl --quiet --unit procline-host.service --output cat"), "");
    assert!(machine.rows().iter().all(|row| row.contains_key("pid")));
    assert!(heartbeats().iter().all(|row| !row.contains_key("pid")));

    // Retention of one kind leaves the other's files alone.
    let old = ["/var/log/procline/2020-01-01.jsonl", "/var/log/procline-host/2020-01-01.jsonl"];
    for (service, place) in [("procline.service", 0), ("procline-host.service", 1)] {
        machine.run(&format!("touch -d '10 days ago' {}; systemctl start {service}", old.join(" ")));
        assert!(machine.succeeds(&format!("test ! -e {} && test -e {}", old[place], old[1 - place])), "{service}");
    }
    machine.run(&format!("rm -f {}", old.join(" ")));

    // A machine whose process records fail is not silent.
    let before = heartbeats().len();
    machine.run("cd /var/log/procline; for file in *; do rm $file; mkdir $file; done");
    assert!(!machine.succeeds("systemctl start procline.service"));
    machine.run("systemctl start procline-host.service");
    assert_eq!(heartbeats().len(), before + 1);
}

/// The timer starts the service repeatedly.
#[test]
fn the_timer_starts_the_service_repeatedly() {
    let Some(machine) = Machine::boot("the_timer_starts_the_service_repeatedly") else { return };
    machine.run(&steps(CHECKOUT).join("\n"));
    let next = machine.run("systemctl show --value -p NextElapseUSecRealtime procline.timer");
    assert!(next.contains(":00 "), "{next}");
    // A minute is too long for a test: the same timer runs every second.
    let quick = "[Timer]\\nOnCalendar=\\nOnCalendar=*:*:*\\nAccuracySec=1ms\\n";
    machine.run("systemctl stop procline.timer procline.service; mkdir -p /etc/systemd/system/procline.timer.d");
    machine.run(&format!("printf '{quick}' >/etc/systemd/system/procline.timer.d/quick.conf; systemctl daemon-reload"));
    machine.run("systemctl start procline.timer");
    let until = Instant::now() + Duration::from_secs(60);
    let count = "cat /var/log/procline/*.jsonl | grep -c '\"pid\":1,' | grep -q '^[3-9]'";
    while !machine.succeeds(count) {
        assert!(Instant::now() < until, "{}", machine.journal());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A run that fails makes the unit fail, and the journal gives the reason once.
#[test]
fn a_failure_is_in_the_journal() {
    let Some(machine) = Machine::boot("a_failure_is_in_the_journal") else { return };
    machine.run(&steps(CHECKOUT).join("\n"));
    machine.run("systemctl start procline.service");
    machine.run("systemctl stop procline.timer procline.service; cd /var/log/procline; for file in *; do rm $file; mkdir $file; done");
    assert!(!machine.succeeds("systemctl start procline.service"));
    let result = machine.run("systemctl show --value -p Result -p ExecMainStatus procline.service");
    assert!(result.contains("exit-code") && result.contains('1'), "{result}");
    let journal = machine.run("journalctl --sync; journalctl --quiet --unit procline.service --output cat");
    assert_eq!(journal.lines().filter(|line| line.starts_with("procline: ")).count(), 1, "{journal}");
}

/// What the unit's comments advise: capabilities to read other users' processes, and a group if /proc is hidden.
#[test]
fn the_units_advice_is_right() {
    let Some(machine) = Machine::boot("the_units_advice_is_right") else { return };
    machine.run(&steps(CHECKOUT).join("\n"));
    machine.run("systemctl stop procline.timer procline.service; mkdir /etc/systemd/system/procline.service.d");
    let run = |dropin: &str| {
        let fields = "pid,fds,exe,cwd,uss,swap,read_bytes";
        let file = "/etc/systemd/system/procline.service.d/test.conf";
        let start = format!(
            "ExecStart=\nExecStart=/usr/bin/procline --fields {fields} --output /var/log/procline/latest.jsonl"
        );
        machine.run(&format!("cat >{file} <<'END'\n[Service]\n{start}\n{dropin}\nEND\nsystemctl daemon-reload"));
        machine.run("rm -f /var/log/procline/latest.jsonl; systemctl start procline.service");
        rows(&machine.run("cat /var/log/procline/latest.jsonl"))
    };
    let systemd = |rows: &[Map<String, Value>]| rows.iter().find(|row| row["pid"] == 1).map(Map::len);
    assert_eq!(systemd(&run("")), Some(1));
    let unit = file("procline.service");
    let advised = unit.lines().filter_map(|line| line.strip_prefix("#   ")).collect::<Vec<_>>().join("\n");
    assert!(advised.starts_with("[Service]\n"), "{advised}");
    assert_eq!(systemd(&run(&advised)), Some(7), "{advised}");

    machine.run("groupadd --system --gid 987 seers; mount -o remount,hidepid=2,gid=987 /proc");
    assert_eq!(systemd(&run("SupplementaryGroups=seers")), Some(1));
    // cron starts it without the unit's groups.
    let as_the_user = || rows(&machine.run("runuser -u procline -- procline --fields pid"));
    assert_eq!(systemd(&as_the_user()), None);
    machine.run("usermod --append --groups seers procline");
    assert_eq!(systemd(&as_the_user()), Some(1));
}

/// The crontab's command, run as cron would run it, in the directory that the README's steps create.
#[test]
fn cron_writes_the_same_file() {
    // systemctl needs a bus if it is not root's.
    if lacks("cron_writes_the_same_file", true, &["dbus-daemon"]) {
        return;
    }
    let Some(machine) = Machine::boot("cron_writes_the_same_file") else { return };
    machine.run("systemctl start dbus.socket");
    let install = steps(CHECKOUT).join("\n");
    machine.run(&install.lines().take(3).collect::<Vec<_>>().join("\n"));
    for kind in &KINDS {
        let (name, Start::Timer { cron: user }) = (kind.name, &kind.start) else { continue };
        let block = if name == "procline" { CRON } else { KINDS_CRON };
        // The README shows the commands for heartbeats.
        machine.run(&blocks("README.md", "sh")[block].replace("procline-host", name));
        if kind.is_inventory() {
            machine.run(&blocks("README.md", "sh")[INVENTORY_CRON]);
        }
        let schedules = match kind.list {
            "disk" => &["7 * * * *"][..],
            "services" | "software" => &["*/5 * * * *", "3 */10 * * *"],
            "files" => &["*/15 * * * *", "13 */10 * * *"],
            _ => &["* * * * *"],
        };
        let cron = file(&format!("{name}.cron"));
        let lines: Vec<_> = cron.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), schedules.len());
        for (line, schedule) in lines.iter().zip(schedules) {
            let words: Vec<_> = line.splitn(7, ' ').collect();
            assert_eq!((words[..5].join(" ").as_str(), &words[5]), (*schedule, user));
            // cron replaces \% with %, and ends the command at a bare %.
            let command = words[6].replace("\\%", "%");
            assert_eq!(words[6].matches('%').count(), words[6].matches("\\%").count());
            // The whole machine takes too long.
            let command = command.replace("disk / /var/lib /var/log ", "disk /etc ");
            machine.run(&format!("cat >command <<'END'\n{command}\nEND\nrunuser -u {user} -- sh command"));
        }
        let modes = machine.run(&format!("stat -c '%a %U %G' /var/log/{name} /var/log/{name}/*"));
        assert_eq!(modes, format!("2750 procline adm\n640 {user} adm\n"));
        assert!(machine.succeeds(&format!("test $(stat -c '%a %U' /etc/cron.d/{name} | tr -d ' ') = 644root")));
    }
    assert!(machine.rows().iter().any(|row| row["pid"] == 1));
    let heartbeats = rows(&machine.run("cat /var/log/procline-host/*.jsonl"));
    assert!(heartbeats.len() == 1 && heartbeats[0].contains_key("boot_time"), "{heartbeats:?}");
}

/// What cloud-init would run at the first boot, and a run command later, with the package from an address on this machine.
#[test]
fn cloud_init_installs_and_enables() {
    let test = "cloud_init_installs_and_enables";
    if lacks(test, true, &["apt-get", "curl", "python3", "sha256sum"]) {
        return;
    }
    let Some(package) = package(test, "deb") else { return };
    let Some(config) = parse(test, "yaml", &file("cloud-init.yml")) else { return };
    let Some(machine) = Machine::boot(test) else { return };
    let name = package.file_name().unwrap().to_str().unwrap();
    machine.run("systemd-run --quiet --working-directory=/srv/packages python3 -m http.server --bind 127.0.0.1 8000");
    let address = format!("http://127.0.0.1:8000/{name}");
    wait_for("the server", || machine.succeeds(&format!("curl --silent --fail --head {address}")).then_some(()));
    let sum = machine.run(&format!("sha256sum packages/{name}"));
    let (sum, _) = sum.split_once(' ').unwrap();
    let script = config.unwrap()["runcmd"][0].as_str().unwrap().replace("PACKAGE_URL", &address);
    // cloud-init writes the commands to a file and runs it with sh.
    let first_start =
        |sum: &str| format!("cat >runcmd <<'END'\n{}\nEND\nsh runcmd", script.replace("PACKAGE_SHA256", sum));

    assert!(!machine.succeeds(&first_start(&"0".repeat(64))), "a wrong checksum");
    assert!(!machine.succeeds("test -e /usr/bin/procline || systemctl cat procline.timer"));
    // A run command mends the installation, and repeats it.
    let install = file("install.sh").replace("PACKAGE_URL", &address).replace("PACKAGE_SHA256", sum);
    machine.run(&format!("cat >install.sh <<'END'\n{install}\nEND\nsh install.sh && sh install.sh"));
    let timers = "procline.timer procline-host.timer";
    let state = format!("systemctl is-enabled {timers}; systemctl is-active {timers}");
    assert_eq!(machine.run(&state), "enabled\nenabled\nactive\nactive\n");
    machine.run("DEBIAN_FRONTEND=noninteractive apt-get purge --yes procline");
    assert!(!machine.succeeds("test -e /usr/bin/procline"));
    machine.run(&first_start(sum));
    assert_eq!(machine.run(&state), "enabled\nenabled\nactive\nactive\n");
    machine.run("systemctl start procline.service procline-host.service; test -s /var/log/procline-host/*.jsonl");
    assert!(machine.rows().iter().any(|row| row["pid"] == 1));
    assert_eq!(machine.run("stat -c '%a %U %G' /var/log/procline"), "2750 procline adm\n");
}

/// The timer compresses what the agent no longer reads, and removes what is old. It touches nothing else.
#[test]
fn finished_files_are_compressed() {
    let Some(machine) = Machine::boot("finished_files_are_compressed") else { return };
    machine.run(&steps(CHECKOUT).join("\n"));
    let [install, enable] = &steps(COMPRESS);
    machine.run(install);
    assert_eq!(machine.run("systemctl is-enabled procline-compress.timer || true"), "disabled\n");
    machine.run(enable);
    let timer =
        machine.run("systemctl is-enabled procline-compress.timer; systemctl is-active procline-compress.timer");
    assert_eq!(timer, "enabled\nactive\n");
    machine.run("systemctl stop procline.timer procline-compress.timer; systemctl start procline.service");
    // There is no directory of the other kinds yet.
    machine.run("systemctl start procline-compress.service");
    for kind in others().iter().filter(|kind| kind.is_compressed()) {
        let modes = machine.run(&format!("stat -c '%a %U %G' /var/log/{}", kind.name));
        assert_eq!(modes, "2750 procline adm\n");
    }

    // The files, how many hours ago each was last written, and what becomes of it.
    machine.run("systemctl stop procline-compress.service; rm /var/log/procline/*");
    let today = machine.run("date -u +%Y-%m-%d.jsonl");
    let cases = [
        (today.trim(), 100, ""),
        ("2020-01-02.jsonl", 0, ""),
        ("2020-01-03.jsonl", 47, ""),
        ("2020-01-04.jsonl", 49, "2020-01-04.jsonl.gz"),
        ("2020-01-05.jsonl", 29 * 24, "2020-01-05.jsonl.gz"),
        ("2020-01-06.jsonl", 40 * 24, "2020-01-06.jsonl.gz"),
        ("2020-01-07.jsonl.gz", 29 * 24, ""),
        ("2020-01-08.jsonl.gz", 32 * 24, "gone"),
        // What an interrupted run left.
        ("2020-01-09.jsonl", 60, "2020-01-09.jsonl.gz"),
        ("other.jsonl", 400, ""),
        ("other.jsonl.gz", 4000, ""),
    ];
    for folder in ["/var/log/procline", "/var/log/procline-disk"] {
        for (name, hours, _) in cases {
            machine.run(&format!(
                "cd {folder}; echo '{{\"name\":\"{name}\"}}' >{name}; chown procline:adm {name}; chmod 640 {name}
                touch -d '{hours} hours ago' {name}"
            ));
        }
        machine.run(&format!("cd {folder}; printf half >2020-01-09.jsonl.gz; ln -s 2020-01-04.jsonl 2020-01-01.jsonl"));
        machine.run(&format!("cd {folder}; touch --no-dereference -d '9 days ago' 2020-01-01.jsonl"));
        machine.run(&format!("cd {folder}; mkdir sub; touch -d '9 days ago' sub/2020-01-01.jsonl"));
    }
    machine.run("systemctl start procline-compress.service");
    let mut expected: Vec<_> =
        cases.iter().map(|(name, _, after)| if after.is_empty() { name } else { after }).collect();
    expected.retain(|name| **name != "gone");
    expected.extend([&"2020-01-01.jsonl", &"sub"]);
    expected.sort();
    for folder in ["/var/log/procline", "/var/log/procline-disk"] {
        let found = machine.run(&format!("cd {folder}; LC_ALL=C ls"));
        assert_eq!(found.lines().collect::<Vec<_>>(), expected.iter().map(|name| **name).collect::<Vec<_>>());
        assert_eq!(machine.run(&format!("ls {folder}/sub")), "2020-01-01.jsonl\n");
        // The line, the time of the file, and who may read it stay.
        for (name, hours) in [("2020-01-04.jsonl", 49), ("2020-01-09.jsonl", 60)] {
            let unpacked = machine.run(&format!("gzip --decompress --stdout {folder}/{name}.gz"));
            assert_eq!(unpacked, format!("{{\"name\":\"{name}\"}}\n"));
            let after = machine.run(&format!("stat -c '%a %U %G' {folder}/{name}.gz"));
            assert_eq!(after, "640 procline adm\n");
            machine.run(&format!("test $(( ($(date +%s) - $(stat -c %Y {folder}/{name}.gz)) / 3600 )) -ge {hours}"));
        }
        assert!(!machine.succeeds(&format!("runuser -u nobody -- ls {folder}")));
    }
    // The next day, and an administrator who keeps less.
    let dropin = "/etc/systemd/system/procline-compress.service.d";
    for (days, removed) in [("30", "2020-01-06.jsonl.gz"), ("20", "2020-01-07.jsonl.gz")] {
        machine.run(&format!("test -e /var/log/procline/{removed} -a -e /var/log/procline-disk/{removed}"));
        machine.run(&format!("mkdir -p {dropin}; printf '[Service]\\nEnvironment=DAYS={days}\\n' >{dropin}/days.conf"));
        machine.run("systemctl daemon-reload; systemctl start procline-compress.service");
        assert!(!machine.succeeds(&format!("ls /var/log/procline*/{removed}")), "{removed}");
    }
    assert!(machine.succeeds("test -e /var/log/procline/2020-01-04.jsonl.gz"));
    let journal = machine.run("journalctl --sync; journalctl --quiet --unit procline-compress.service --output cat");
    assert_eq!(journal, "");
}
