//! The machine's own systemd, booted by `boot.sh` in new namespaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::path;
use crate::support::{PROCLINE, command, lacks, quiet, skip};

/// A machine that runs nothing but systemd and its journal.
pub(crate) struct Machine {
    boot: Child,
    folder: TempDir,
}

impl Machine {
    /// Boots a machine whose /srv looks like a checkout after a release build; `None` if the test must be skipped.
    pub(crate) fn boot(test: &str) -> Option<Self> {
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
        // What .ci/packages has built, if it has.
        let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/target/packages");
        if Path::new(packages).exists() {
            quiet(command("cp", &["-r", packages]).arg(at("packages")));
        }
        // The tests run as root, and sudo may not be installed.
        fs::write(at("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
        fs::set_permissions(at("bin/sudo"), fs::Permissions::from_mode(0o755)).unwrap();

        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/boot.sh");
        let complaints = fs::File::create(at("complaints")).unwrap();
        let mut boot = command("unshare", &["--mount", "sh", script]);
        let boot = boot.arg(folder.path()).stdout(Stdio::null()).stderr(complaints).spawn().unwrap();
        let mut machine = Machine { boot, folder };
        let until = Instant::now() + Duration::from_secs(60);
        while !machine.succeeds("systemctl is-system-running") {
            let complaints = fs::read_to_string(machine.folder.path().join("complaints")).unwrap();
            if let Some(status) = machine.boot.try_wait().unwrap() {
                assert_eq!(status.code(), Some(77), "{complaints}");
                skip(test, &format!("systemd cannot be booted here: {}", complaints.trim()));
                return None;
            }
            if Instant::now() > until {
                // So far the machine has nothing of ours that could be the cause.
                skip(test, &format!("systemd does not come up here: {}", machine.journal()));
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(machine)
    }

    /// The first process in the machine. The started program is boot.sh. Its child is unshare, whose child becomes
    /// systemd.
    pub(crate) fn systemd(&self) -> Option<i32> {
        child(self.boot.id().cast_signed()).and_then(child)
    }

    /// Copies a file or directory into a directory of the machine.
    pub(crate) fn put(&self, from: &Path, to: &str) {
        // The kernel resolves this path in the machine's mount namespace.
        let to = format!("/proc/{}/root{to}", self.systemd().expect("systemd"));
        // Python compiles a module anew if its time has changed.
        quiet(command("cp", &["-a", "--"]).arg(from).arg(to));
    }

    fn enter(&self, script: &str) -> Option<Output> {
        Some(enter(self.systemd()?, script))
    }

    /// Runs a script in /srv of the machine, which must succeed, and returns what it prints.
    pub(crate) fn run(&self, script: &str) -> String {
        let output = self.enter(script).expect("systemd");
        assert!(output.status.success(), "{script}\n{output:?}\n{}", self.journal());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a script in /srv of the machine, which may fail.
    pub(crate) fn output(&self, script: &str) -> Output {
        self.enter(script).expect("systemd")
    }

    /// Whether a script succeeds in the machine.
    pub(crate) fn succeeds(&self, script: &str) -> bool {
        self.enter(script).is_some_and(|output| output.status.success())
    }

    pub(crate) fn journal(&self) -> String {
        let output = self.enter("journalctl --no-pager --lines 20");
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The records of the latest snapshot in today's file.
    pub(crate) fn rows(&self) -> Vec<Map<String, Value>> {
        let rows = rows(&self.run("cat /var/log/procline/*.jsonl"));
        let latest = rows.iter().map(|row| row["timestamp"].as_str().unwrap().to_owned()).max().unwrap();
        rows.into_iter().filter(|row| row["timestamp"] == latest).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The whole namespace ends with systemd. boot.sh then removes the control group and ends.
        if let Some(systemd) = self.systemd().and_then(Pid::from_raw) {
            let _ = kill_process(systemd, Signal::KILL);
        }
        let _ = self.boot.wait();
    }
}

/// The first child of a process.
fn child(pid: i32) -> Option<i32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split(' ').next()?.parse().ok()
}

/// Runs a shell in the namespaces of this process.
fn enter(pid: i32, script: &str) -> Output {
    let pid = pid.to_string();
    let within = ["--target", &pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
    // Until boot.sh is ready, / is still the machine's own root, which no script may touch.
    let script = format!(
        "test -e /run/procline-test || exit 1
        cd /srv
        export PATH=/srv/bin:/usr/sbin:/usr/bin:/sbin:/bin
        {script}"
    );
    Command::new("nsenter").args(within).args(["sh", "-ec", &script]).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn rows(text: &str) -> Vec<Map<String, Value>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
