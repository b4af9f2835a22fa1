//! A copy-on-write view of the machine, made by `overlay.sh`, with procline installed in it. What services do there leaves nothing
//! behind.

use std::fs;
use std::process::{Child, Output, Stdio};

use tempfile::TempDir;

use crate::ama::file;
use crate::exec_stream::{Record, hold_as_user, parse, word};
use crate::limit::wait_for;
use crate::support::{PROCLINE, command, lacks, quiet, skip};

/// The view.
pub struct Overlay {
    process: Child,
    folder: TempDir,
}

impl Overlay {
    /// Makes it, with these files in /srv, and the user that services run as. `None` if the test must be skipped.
    pub fn make(test: &str, files: &[&str], arguments: &[&str]) -> Option<Self> {
        if lacks(test, true, &["unshare", "nsenter", "mount", "setpriv", "systemd-sysusers"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("files")).unwrap();
        fs::write(at("files/sysusers"), file("procline.sysusers")).unwrap();
        quiet(command("cp", &["-r", "--", PROCLINE]).args(files).arg(at("files")));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/exec_service/overlay.sh");
        let complaints = fs::File::create(at("complaints")).unwrap();
        let mut process = command("unshare", &["--mount", "sh", script]);
        let process = process.arg(folder.path()).args(arguments);
        let process = process.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(complaints).spawn().unwrap();
        let mut overlay = Overlay { process, folder };
        let end = wait_for("the copy-on-write view", || match overlay.process.try_wait().unwrap() {
            Some(status) => Some(Some(status)),
            None => overlay.output("true").status.success().then_some(None),
        });
        if let Some(status) = end {
            let complaints = fs::read_to_string(overlay.folder.path().join("complaints")).unwrap();
            assert_eq!(status.code(), Some(77), "{complaints}");
            skip(test, &format!("no copy-on-write view can be made here: {}", complaints.trim()));
            return None;
        }
        overlay.run("cp procline /usr/bin/procline; systemd-sysusers /srv/sysusers");
        Some(overlay)
    }

    /// Runs a script in /srv, which may fail.
    pub fn output(&self, script: &str) -> Output {
        // The program that the test has started becomes the shell of overlay.sh.
        let pid = self.process.id().to_string();
        // Until overlay.sh is ready, / is still the machine's own root, which no script may touch.
        let script = format!(
            "group=$(cat /run/group 2>/dev/null) && [ -d \"$group\" ] && echo $$ >\"$group/cgroup.procs\" || exit 1
            cd /srv
            export PATH=/usr/sbin:/usr/bin:/sbin:/bin XDG_RUNTIME_DIR=/run/manager
            {script}"
        );
        command("nsenter", &["--target", &pid, "--mount", "--root", "--wd", "sh", "-ec", &script]).output().unwrap()
    }

    /// Runs a script that must succeed, and returns what it prints.
    pub fn run(&self, script: &str) -> String {
        let output = self.output(script);
        assert!(output.status.success(), "{script}\n{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What procline has written.
    pub fn written(&self) -> Vec<u8> {
        self.output("cat /var/log/procline-exec/*.jsonl").stdout
    }

    /// The records that procline has written so far. The last line may not be finished yet.
    fn records(&self) -> Vec<Record> {
        let text = self.written();
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        parse(&text[..end])
    }

    /// The record of a program that a user starts now.
    pub fn record_of_new_program(&self) -> Record {
        let word = word("service");
        let held = hold_as_user(&["sh", "-c", "read x", &word]);
        let is_it = |record: &Record| record.is_of("exec", held.0.id()) && record.has(&word);
        wait_for("a record", || self.records().into_iter().find(is_it))
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A line of a process's status.
pub fn status(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(key)).expect(key).trim().to_owned()
}

/// Whether a thread has realtime priority: `policy` of proc_pid_stat(5) is 1 for SCHED_FIFO.
pub fn is_realtime(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stat = |thread: std::io::Result<fs::DirEntry>| fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
    threads.map(stat).any(|stat| stat.rsplit_once(") ").unwrap().1.split(' ').nth(38) == Some("1"))
}

/// The process has the user procline and just the capabilities of the shipped unit, and runs before others.
pub fn assert_has_the_rights(overlay: &Overlay, pid: u32) {
    let user = overlay.run("id -u procline");
    assert!(status(pid, "Uid:").split('\t').all(|id| id == user.trim()));
    // CAP_NET_ADMIN is 12, CAP_SYS_PTRACE 19 and CAP_SYS_NICE 23.
    for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(&status(pid, set), 16).unwrap(), 1 << 12 | 1 << 19 | 1 << 23, "{set}");
    }
    assert_eq!(status(pid, "NoNewPrivs:"), "1");
    wait_for("realtime priority", || is_realtime(pid).then_some(()));
    let modes = overlay.run("stat -c '%a %U %G' /var/log/procline-exec /var/log/procline-exec/*.jsonl | uniq");
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
}
