//! A running `procline exec`, and the records that it has written so far. The record is declared here a second time: a key or a
//! type that changes in the program then fails a test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

use crate::limit::wait_for;
use crate::support::{Running, command, lacks, procline, skip, with_default_signals};

/// A user without a name, and without programs outside these tests.
pub const USER: u32 = 4_242_421;

/// An exec record, as its reader would declare it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub timestamp: String,
    #[serde(rename = "Computer")]
    pub computer: String,
    pub event: String,
    pub pid: Option<u32>,
    pub name: Option<String>,
    pub ppid: Option<u32>,
    pub parent: Option<String>,
    pub uid: Option<u32>,
    pub user: Option<String>,
    pub effective_user: Option<String>,
    pub tty: Option<String>,
    pub session: Option<i64>,
    pub exe: Option<String>,
    pub cwd: Option<String>,
    pub command: Option<String>,
    pub env: Option<BTreeMap<String, String>>,
    pub cgroup: Option<String>,
    pub container: Option<String>,
    pub job: Option<String>,
    pub entity_id: Option<String>,
    pub exit_code: Option<u32>,
    pub exit_signal: Option<u32>,
    pub duration: Option<f64>,
    pub time: Option<f64>,
    pub lost: Option<u64>,
    pub lost_in: Option<String>,
    pub incomplete: Option<bool>,
    pub truncated: Option<bool>,
    pub args: Option<Vec<String>>,
    pub euid: Option<u32>,
    pub pgrp: Option<i64>,
    pub unit: Option<String>,
}

impl Record {
    pub fn has(&self, word: &str) -> bool {
        self.command.as_ref().is_some_and(|command| command.contains(word))
    }

    pub fn is_of(&self, event: &str, pid: u32) -> bool {
        self.event == event && self.pid == Some(pid)
    }
}

/// Tells when procline is ready, as a service manager would learn it.
pub struct Notices {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Notices {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Notices { socket, folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    pub fn next(&self) -> Option<String> {
        let mut text = [0; 4096];
        match self.socket.recv(&mut text) {
            Ok(length) => Some(String::from_utf8(text[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A running `procline exec`.
pub struct Stream {
    pub running: Running,
    _notices: Notices,
    folder: TempDir,
    output: PathBuf,
    /// How much of the output was parsed.
    parsed: usize,
    pub records: Vec<Record>,
}

impl Stream {
    /// Starts it, and waits until it has subscribed. None if it cannot run here, which is reported.
    pub fn start(test: &str, arguments: &[&str]) -> Option<Self> {
        Self::with(test, procline(&["exec"]).args(arguments))
    }

    /// The same for a command that may have more.
    pub fn with(test: &str, command: &mut Command) -> Option<Self> {
        if lacks(test, true, &["sh", "setpriv", "env"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let [output, errors] = ["output", "errors"].map(|name| folder.path().join(name));
        let mut with_signals = with_default_signals(command);
        with_signals
            .stdin(Stdio::piped())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&errors).unwrap());
        let (running, notices) = ready(test, &mut with_signals, &errors)?;
        Some(Stream { running, _notices: notices, folder, output, parsed: 0, records: Vec::new() })
    }

    /// Reads the output from this file instead.
    pub fn reads(mut self, output: &Path) -> Self {
        output.clone_into(&mut self.output);
        self
    }

    pub fn output(&self) -> &Path {
        &self.output
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.running.0)
    }

    /// Parses what is new. An unfinished line waits.
    pub fn parse(&mut self) {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(&self.output) {
            file.read_to_end(&mut text).unwrap();
        }
        // The file may be another one by now.
        let new = text.get(self.parsed..).unwrap_or_default();
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.parsed += whole;
        self.records.extend(parse(&new[..whole]));
    }

    /// The first record that matches.
    pub fn wait_for(&mut self, matches: impl Fn(&Record) -> bool) -> Record {
        let mut seen = 0;
        wait_for("a record", || {
            self.parse();
            let found = self.records[seen..].iter().find(|record| matches(record)).cloned();
            seen = self.records.len();
            found
        })
    }

    /// The record of the program that this process executes, with these words in its command.
    pub fn program(&mut self, pid: u32, words: &str) -> Record {
        self.wait_for(|record| record.is_of("exec", pid) && record.has(words))
    }

    pub fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).unwrap()
    }

    /// Ends it by a signal, which must leave no line unwritten. Returns its exit code and what it reported.
    pub fn end(&mut self, signal: Signal) -> (Option<i32>, String) {
        let _ = kill_process(self.pid(), signal);
        let code = self.running.0.wait().unwrap().code();
        self.parse();
        let text = fs::read(&self.output).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with(b"\n"), "the last line is open");
        (code, self.errors())
    }

    /// Ends it, whatever fields its records have.
    pub fn finish_unread(&mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        assert_eq!(self.running.0.wait().unwrap().code(), Some(0), "{}", self.errors());
    }

    /// Ends it, without anything to report.
    pub fn finish(&mut self) {
        assert_eq!(self.end(Signal::TERM), (Some(0), String::new()));
    }
}

/// Starts a command and waits until it is ready. None if the kernel sends no events here.
pub fn ready(test: &str, command: &mut Command, errors: &Path) -> Option<(Running, Notices)> {
    let notices = Notices::new();
    let mut running = Running::start(command.env("NOTIFY_SOCKET", notices.path()));
    let end = wait_for("procline exec to subscribe", || match notices.next() {
        Some(text) => {
            assert_eq!(text.trim_end(), "READY=1");
            Some(None)
        }
        None => running.0.try_wait().unwrap().map(Some),
    });
    if let Some(status) = end {
        let errors = fs::read_to_string(errors).unwrap_or_default();
        assert!(errors.contains("no process events"), "{status}: {errors}");
        skip(test, "the kernel sends no process events here");
        return None;
    }
    Some((running, notices))
}

/// The records of whole lines. Each must be valid.
pub fn parse(output: &[u8]) -> Vec<Record> {
    let lines = crate::support::lines(output);
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A word that no other program has.
pub fn word(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A program that runs until this is dropped, or until its input ends.
pub fn hold(program: &str, arguments: &[&str]) -> Running {
    Running::start(command(program, arguments).stdin(Stdio::piped()).stdout(Stdio::null()))
}

/// The name of a variable that no other test has: what it reads of other tests' programs would fill its queue.
pub fn variable() -> String {
    word("LONG").replace('-', "_")
}

/// The same with a long variable. A long command line would use up what a snapshot of another test may mask.
pub fn hold_long(variable: &str, program: &str, arguments: &[&str]) -> Running {
    let mut command = command(program, arguments);
    Running::start(command.env(variable, "x".repeat(120_000)).stdin(Stdio::piped()).stdout(Stdio::null()))
}

/// The same as [`USER`]. No other program does that: a record of one that is read late would have this user, too.
pub fn hold_as_user(arguments: &[&str]) -> Running {
    let mut command = command(arguments[0], &arguments[1..]);
    Running::start(command.uid(USER).gid(USER).stdin(Stdio::piped()).stdout(Stdio::null()))
}
