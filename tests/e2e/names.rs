//! Names of users: /etc/passwd first, then NSS, and one lookup per uid. The extra source is Debian's libnss-extrausers,
//! which reads a passwd file of its own. It is enabled only in a mount namespace, in which ps runs, too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{PROCLINE, TestProcess, command, lacks, quiet, records, skip};

/// The uid of the test processes, and its name in the sources that know it.
const UID: u32 = 54321;
const NAME: &str = "a-user-whose-name-has-32-letters";

/// A machine with the extra source of names, and two processes of a user that only this source knows.
pub struct Extra {
    folder: TempDir,
    pub processes: [TestProcess; 2],
}

impl Extra {
    /// `None` if the source is not installed and the test must be skipped.
    pub fn new(test: &str) -> Option<Self> {
        if TestProcess::lacks(test) || lacks(test, true, &["unshare", "mount", "sh"]) {
            return None;
        }
        let library = ["/usr/lib", "/lib"].map(|folder| PathBuf::from(folder).join("libnss_extrausers.so.2"));
        if !library.iter().any(|path| path.is_file()) || !PathBuf::from("/var/lib/extrausers").is_dir() {
            skip(test, "libnss-extrausers is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("extrausers")).unwrap();
        fs::write(folder.path().join("nsswitch.conf"), "passwd: files extrausers\ngroup: files\n").unwrap();
        let extra = Extra {
            folder,
            processes: [TestProcess::start("uid_of_long_name"), TestProcess::start("uid_of_long_name")],
        };
        fs::write(extra.passwd(), format!("{NAME}:x:{UID}:{UID}::/:/bin/sh\n")).unwrap();
        Some(extra)
    }

    /// The passwd file of the extra source.
    pub fn passwd(&self) -> PathBuf {
        self.folder.path().join("extrausers/passwd")
    }

    /// A command on that machine.
    pub fn command(&self, program: &[&str]) -> Command {
        let script = "mount --bind \"$0/nsswitch.conf\" /etc/nsswitch.conf \
                      && mount --bind \"$0/extrausers\" /var/lib/extrausers && exec \"$@\"";
        let mut command = command("unshare", &["--mount", "sh", "-c", script]);
        command.arg(self.folder.path()).args(program);
        command
    }

    pub fn procline(&self, arguments: &[&str]) -> Command {
        self.command(&[&[PROCLINE], arguments].concat())
    }

    /// The user of the first test process, as procline and ps print it.
    fn user(&self) -> [String; 2] {
        let pid = self.processes[0].pid;
        let found = records(&quiet(&mut self.procline(&[])));
        let ours = found.into_iter().find(|record| record.pid == pid).unwrap().user.unwrap();
        let ps = quiet(&mut self.command(&["ps", "-o", "user:70=", "-p", &pid.to_string()]));
        [ours, String::from_utf8(ps).unwrap().trim().to_owned()]
    }
}

#[test]
fn a_user_that_only_nss_knows() {
    let Some(extra) = Extra::new("a_user_that_only_nss_knows") else {
        return;
    };
    assert_eq!(extra.user(), [NAME, NAME]);
}

#[test]
fn one_lookup_per_uid() {
    const TEST: &str = "one_lookup_per_uid";
    if lacks(TEST, true, &["strace"]) {
        return;
    }
    let Some(extra) = Extra::new(TEST) else {
        return;
    };
    let trace = extra.folder.path().join("trace");
    let file = trace.to_str().unwrap();
    // Requests these two only: another test may have a process in its own namespaces, whose uid is unknown here.
    let pids = extra.processes.each_ref().map(|process| format!("--pid={}", process.pid));
    quiet(&mut extra.command(&[
        "strace",
        "-f",
        "-q",
        "-e",
        "trace=openat,open",
        "-o",
        file,
        PROCLINE,
        "--fields",
        "pid,user",
        &pids[0],
        &pids[1],
    ]));
    let trace = fs::read_to_string(trace).unwrap();
    let opened = |path: &str| trace.lines().filter(|line| line.contains(&format!("\"{path}\""))).count();
    // Both processes have this uid.
    assert_eq!(opened("/var/lib/extrausers/passwd"), 1, "{trace}");
}

/// The same name in /etc/passwd, where ps looks first, too. `ps aux` would shorten its 32 letters.
#[test]
fn a_user_name_of_32_letters() {
    const TEST: &str = "a_user_name_of_32_letters";
    if TestProcess::lacks(TEST) || lacks(TEST, true, &["unshare", "mount", "sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let passwd = folder.path().join("passwd");
    let text = fs::read_to_string("/etc/passwd").unwrap();
    fs::write(&passwd, format!("{}\n{NAME}:x:{UID}:{UID}::/:/bin/sh\n", text.trim_end())).unwrap();
    let process = TestProcess::start("uid_of_long_name");
    let run = |program: &[&str]| {
        let script = "mount --bind \"$0\" /etc/passwd && exec \"$@\"";
        quiet(command("unshare", &["--mount", "sh", "-c", script]).arg(&passwd).args(program))
    };
    let found = records(&run(&[PROCLINE]));
    let ours = found.into_iter().find(|record| record.pid == process.pid).unwrap();
    let ps = run(&["ps", "-o", "user:70=", "-p", &process.pid.to_string()]);
    assert_eq!((ours.user.as_deref(), String::from_utf8(ps).unwrap().trim()), (Some(NAME), NAME));
}
