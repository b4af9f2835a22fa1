//! Starts programs and checks what they print. The record is declared here a second time: a key or a type that changes
//! in the program then fails a test.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::fs::{CWD, FlockOperation, Mode, flock, mkfifoat};
use serde::Deserialize;
use tempfile::TempDir;

use crate::limit::limit;

/// The program under test.
pub const PROCLINE: &str = env!("CARGO_BIN_EXE_procline");

/// A process record, as its reader would declare it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub user: Option<String>,
    pub pid: u32,
    pub cpu: f64,
    pub mem: Option<f64>,
    pub vsz: u64,
    pub rss: Option<u64>,
    pub tty: String,
    pub stat: Option<String>,
    pub start: String,
    pub time: f64,
    pub command: Option<String>,
    #[serde(rename = "Computer")]
    pub computer: String,
    pub timestamp: String,
    pub command_truncated: Option<bool>,
}

/// The program in an environment without its own variables.
pub fn procline(arguments: &[&str]) -> Command {
    command(PROCLINE, arguments)
}

/// A program in UTC and the C locale, without procline's variables.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    limit();
    let mut command = Command::new(program);
    command.args(arguments).env_remove("HOST_PROC").env_remove("HOST_ROOT").env_remove("PROCLINE_COMPUTER");
    command.env("TZ", "UTC").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// The same command with no signal ignored. nohup, or a shell's `&`, may start the tests with ignored signals, and
/// procline keeps those ignored.
pub fn with_default_signals(inner: &Command) -> Command {
    let mut command = command("env", &["--default-signal=HUP,INT,TERM"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command
}

/// Runs a program, which must succeed and print nothing on standard error, and returns its output.
pub fn quiet(command: &mut Command) -> Vec<u8> {
    // On a busy machine a snapshot of all processes takes longer than the default timeout of 10 s.
    let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
    let has_timeout = words.iter().any(|word| word.starts_with("--timeout"));
    let has_subcommand = words.first().is_some_and(|word| !word.starts_with('-'));
    if command.get_program() == PROCLINE && !has_timeout && !has_subcommand {
        command.arg("--timeout=5m");
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {}\n{errors}", output.status);
    output.stdout
}

/// The records of the output. Each line must be valid.
pub fn records(output: &[u8]) -> Vec<Record> {
    lines(output)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The lines of the output. Each must have the form that every line has.
pub fn lines(output: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(output).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is open");
    let lines: Vec<_> = text.split_terminator('\n').collect();
    for line in &lines {
        assert!(!line.contains(char::is_control), "a raw control character: {line:?}");
        assert!(line.starts_with('{') && line.ends_with('}'), "no object: {line:?}");
    }
    lines
}

/// The exit code of a failed run, and its one line on standard error.
pub fn complaint(output: &Output) -> (i32, String) {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors:?}");
    assert!(errors.starts_with("procline: "), "{errors:?}");
    (output.status.code().expect("an exit code"), errors)
}

/// Reports that a test cannot run here. The line also goes to the file that `.ci/run` names. The test harness does not
/// capture it.
pub fn skip(test: &str, why: &str) {
    // One write per line: the harness and other tests write there at the same time.
    let line = format!("SKIPPED {test}: {}\n", why.split_whitespace().collect::<Vec<_>>().join(" "));
    // The harness shows the output of macros only for tests that fail.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PROCLINE_SKIPPED") {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// Whether this machine shows kernel threads. Otherwise reports that this part of the test is skipped.
pub fn has_kernel_threads(test: &str) -> bool {
    let there = fs::read("/proc/2/comm").is_ok_and(|name| name == b"kthreadd\n");
    if !there {
        skip(&format!("{test}, kernel threads"), "there are none in this PID namespace");
    }
    there
}

/// Whether the test must be skipped, because psutil is not installed. Reports it.
pub fn lacks_psutil(test: &str) -> bool {
    let import = Command::new("python3").args(["-c", "import psutil"]).stderr(Stdio::null()).status();
    let lacks = !import.is_ok_and(|status| status.success());
    if lacks {
        skip(test, "psutil (PyPI) is not installed");
    }
    lacks
}

/// Whether the test must be skipped, because it needs root or a program that is not installed. Reports it.
pub fn lacks(test: &str, root: bool, programs: &[&str]) -> bool {
    if root && !rustix::process::geteuid().is_root() {
        skip(test, "needs root");
        return true;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            skip(test, &format!("{program} is not installed"));
            return true;
        }
    }
    false
}

/// A program that is killed when the test drops it.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        limit();
        Running(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that `test_process.py` makes.
pub struct TestProcess {
    pub pid: u32,
    /// The script, which keeps the process until its standard input ends.
    pub supervisor: Child,
}

impl TestProcess {
    /// Whether the test must be skipped, because test processes cannot be made here.
    pub fn lacks(test: &str) -> bool {
        lacks(test, true, &["python3", "ps"])
    }

    pub fn start(kind: &str) -> Self {
        Self::try_start(kind).unwrap_or_else(|line| panic!("test process {kind}: {line}"))
    }

    /// The error is the line that `test_process.py` printed, and how it ended.
    pub fn try_start(kind: &str) -> Result<Self, String> {
        limit();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/test_process.py");
        let mut supervisor = Command::new("python3")
            .args(["-IS", script, kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().parse() {
            Ok(pid) => Ok(TestProcess { pid, supervisor }),
            Err(_) => Err(format!("{line:?}, {}", supervisor.wait().unwrap())),
        }
    }

    /// Its record in the output of procline with these arguments.
    pub fn record(&self, arguments: &[&str]) -> Record {
        let found = records(&quiet(&mut procline(arguments)));
        found.into_iter().find(|record| record.pid == self.pid).expect("the record of the test process")
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The letter of a process's state, `None` if the process is gone.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(end + 2).map(|letter| char::from(*letter))
}

/// A file that is locked until this is dropped.
pub struct Lock(File);

impl Lock {
    pub fn take(path: &Path) -> Self {
        let file = File::options().append(true).create(true).open(path).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        Lock(file)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another test is starting has it open, too, until it executes a
        // program.
        flock(&self.0, FlockOperation::Unlock).unwrap();
    }
}

pub fn make_fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RWXU).unwrap();
}

/// A copy of the fixture tree that a test may change.
pub struct Tree(TempDir);

impl Tree {
    pub fn copy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture(""), folder.path());
        Tree(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// procline over this tree.
    pub fn procline(&self, arguments: &[&str]) -> Command {
        let mut command = procline(arguments);
        command.arg("--procfs").arg(self.path("proc")).arg("--rootfs").arg(self.path("root"));
        command
    }
}

/// A file of the fixture tree.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if let Ok(link) = fs::read_link(entry.path()) {
            symlink(link, target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of the program that every user may run.
pub fn program_for_all() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("procline");
    // This process must not write the copy: a child that another test starts meanwhile would keep it open for writing,
    // and such a file cannot be executed (ETXTBSY).
    quiet(command("cp", &["--", PROCLINE]).arg(&program));
    (folder, program)
}
