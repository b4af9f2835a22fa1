//! The programs that the shipped configs are for, run with those files: what they emit is what procline printed. Each
//! module starts one of them; this one has the processes that are hard to carry, and the comparison.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::{PROCLINE, Tree, fixture, lines, quiet, skip};

mod fluent_bit;
mod fluentd;
mod jq;
mod rsyslog;
mod syslog_ng;

/// An object as read by somebody else's JSON parser, or by ours.
type Record = Map<String, Value>;

/// How long nothing may come before a test gives up: no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the consumers are: not in UTC, so that no time is right by chance. This form needs no files of zones.
const ZONE: &str = "JST-9";

/// The fixture tree with processes whose command lines are hard to carry.
fn hard_tree() -> Tree {
    let tree = Tree::copy();
    let long = format!("java\0-cp\0{}\0com.example.Main\0", "/opt/lib/some.jar:".repeat(1710));
    let longer = format!("java\0-cp\0{}\0com.example.Main\0", "/opt/lib/some.jar:".repeat(4000));
    let controls: Vec<u8> = (1..0x20).chain([0x7f]).chain("\u{80}\u{85}\u{9f}".bytes()).collect();
    let commands: [(&str, &[u8]); 7] = [
        ("long", long.as_bytes()),
        ("over the cap", longer.as_bytes()),
        ("non-ASCII", "café\0naïve — „Straße“\0日本語\0😀👩‍💻\0\u{feff}\u{2028}\u{2029}\u{fffd}\u{10ffff}".as_bytes()),
        ("controls", &[b"printf\0a\tb\r\nc", controls.as_slice()].concat()),
        ("not UTF-8", b"cat\0\xff\xfe\0\xc3(\0\xed\xa0\x80\0\xf4\x90\x80\x80\0end"),
        ("quotes", br#"sh -c "a 'b' \" \\ \u0041 \n / </script> {"pid":1}" #{1+1} ${HOME} %s $(id) `id` \"#),
        // What is almost the start of another record.
        ("a record", b"x\0\"}\n{\"pid\":1}\n"),
    ];
    let status = fs::read_to_string(fixture("proc/1200/status")).unwrap();
    let stat = fs::read_to_string(fixture("proc/1200/stat")).unwrap();
    for (pid, (name, command)) in (2001..).zip(commands) {
        tree.write(&format!("proc/{pid}/stat"), stat.replace("1200 (bash)", &format!("{pid} ({name})")).as_bytes());
        tree.write(&format!("proc/{pid}/status"), status.replace("\t1200\n", &format!("\t{pid}\n")).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), command);
    }
    tree
}

/// What procline itself prints of the tree, without the time, which is another at each run.
fn printed(tree: &Tree, arguments: &[&str]) -> Vec<Record> {
    let output = quiet(tree.procline(arguments).env("TZ", ZONE));
    let mut records: Vec<Record> = lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let command = |record: &Record| record["command"].as_str().unwrap().to_owned();
    assert!(
        records.iter().any(|record| command(record).len() >= 30 * 1024 && !record.contains_key("command_truncated"))
    );
    assert!(lines(&output).iter().any(|line| line.len() + 1 == 32_000), "none is cut");
    for text in ["日本語 😀", "\u{1}\u{2}", "\u{fffd}\u{fffd}", "\\u0041"] {
        assert!(records.iter().any(|record| command(record).contains(text)), "{text:?}");
    }
    for record in &mut records {
        record.remove("timestamp").expect("a timestamp");
    }
    records
}

/// What a consumer made of one line.
#[derive(Debug)]
struct Event {
    /// The time that it gave the event, as it wrote it.
    time: String,
    record: Record,
}

/// Two snapshots, one after the other, each record equal in keys, values and types to what procline printed, in its
/// order; `time_of` is the event's time that belongs to the record's `timestamp`.
fn assert_carried(events: Vec<Event>, printed: &[Record], time_of: impl Fn(&str) -> String) {
    let mut times = Vec::new();
    let count = printed.len();
    assert!(events.len() >= 2 * count, "{} events of twice {count}", events.len());
    for (place, event) in events.into_iter().enumerate().take(2 * count) {
        let mut record = event.record;
        let Some(Value::String(timestamp)) = record.remove("timestamp") else { panic!("no timestamp: {record:?}") };
        assert_eq!(record, printed[place % count], "event {place}");
        assert_eq!(event.time, time_of(&timestamp), "event {place}");
        times.push(timestamp);
    }
    let (first, second) = times.split_at(count);
    assert!(first.iter().all(|time| *time == first[0]) && second.iter().all(|time| *time == second[0]), "{times:?}");
    assert!(first[0] < second[0], "{times:?}");
}

/// A consumer's program: the variable's, which then has to work, or one found on PATH under the name; or it is skipped.
fn consumer(test: &str, variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(program) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        skip(test, &format!("{name} is not on PATH, and {variable} is not set"));
    }
    found
}

/// A shipped file, with what must differ in a test put in place of what stands there.
struct Shipped(String);

impl Shipped {
    fn read(name: &str) -> Self {
        Shipped(fs::read_to_string(shipped(name)).unwrap())
    }

    /// Each has to be there: what a test says that it runs is what is shipped.
    fn with(mut self, there: &str, here: &str) -> Self {
        assert!(self.0.contains(there), "{there:?} is not in\n{}", self.0);
        self.0 = self.0.replace(there, here);
        self
    }

    /// With the program under test.
    fn with_procline(self) -> Self {
        self.with("/usr/bin/procline", PROCLINE)
    }

    fn write(self, path: &Path) {
        fs::write(path, self.0).unwrap();
    }
}

/// The path of a shipped file.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A consumer at work in a folder of its own, over a tree. It is ended with the test, as a service manager would.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// `HOST_PROC` and `HOST_ROOT` are how the shipped command, unchanged, looks at the tree.
    fn start(program: &Path, arguments: &[&OsStr], folder: &TempDir, tree: &Tree) -> Self {
        let log = folder.path().join(format!("{}.log", program.file_name().unwrap().display()));
        let output = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        command.env("HOST_PROC", tree.path("proc")).env("HOST_ROOT", tree.path("root")).env_remove("PROCLINE_COMPUTER");
        // As a service manager starts them, without a locale.
        command.env("TZ", ZONE).env("LC_ALL", "C");
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Agent { child, log }
    }

    fn log(&self) -> String {
        text(&self.log)
    }

    /// Waits for so many of what `read` finds.
    fn wait_for<T>(&mut self, count: usize, read: impl Fn() -> Vec<T>) -> Vec<T> {
        let (mut came, mut last) = (0, Instant::now());
        loop {
            let found = read();
            if found.len() >= count {
                return found;
            }
            if found.len() > came {
                (came, last) = (found.len(), Instant::now());
            }
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || last.elapsed() > PATIENCE {
                panic!("{} of {count} came; {ended:?}; its log:\n{}", found.len(), self.log());
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file's whole lines so far; none if it is not there yet.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        file.read_to_end(&mut bytes).unwrap();
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    bytes.truncate(end);
    String::from_utf8(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
