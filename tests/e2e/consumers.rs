//! The consumers, each with the config that ships for it: they must emit what procline printed. Each module starts one
//! consumer. This module has the processes whose records are hard to carry, and the comparison.

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

mod exec;
mod fluent_bit;
mod fluentd;
mod forward;
mod inventory;
mod jq;
mod rsyslog;
mod syslog_ng;
mod telegraf;
mod vector;

/// A record as parsed by the consumer or by serde_json.
pub type Record = Map<String, Value>;

/// A test gives up if nothing arrives for this long. It does not measure speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The consumers' time zone. It is not UTC, so that no time is right by chance. This form needs no zone files.
const ZONE: &str = "JST-9";

/// The fixture tree with processes whose command lines are hard to carry.
pub fn hard_tree() -> Tree {
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
        // This looks almost like the start of another record.
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

/// What procline itself prints of the tree, without the timestamp, which differs in each run.
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

/// The fixture tree with an operating system whose name is hard to carry.
fn host_tree() -> Tree {
    let tree = Tree::copy();
    tree.write("root/etc/os-release", "NAME='„Straße“ 日本語 😀 \" / { } #{1+1} %s'\nVERSION_ID=12\n".as_bytes());
    tree
}

/// The record that procline itself prints about the tree's machine, without the time, which differs at each run.
fn printed_host(tree: &Tree) -> Vec<Record> {
    let output = quiet(tree.procline(&["host"]).env("TZ", ZONE));
    let mut records: Vec<Record> = lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 1);
    let record = &mut records[0];
    record.remove("timestamp").expect("a timestamp");
    assert!(record["os"].as_str().unwrap().contains("日本語 😀 \" / {"), "{record:?}");
    for (key, is_integer) in [("cpus", true), ("mem_total", true), ("uptime", false), ("load1", false)] {
        assert!(record[key].is_number() && record[key].is_u64() == is_integer, "{key}: {record:?}");
    }
    records
}

/// A kind of record besides the processes: the name of its config, what its command is there, and how often it runs.
struct Kind {
    name: &'static str,
    command: &'static str,
    seconds: u32,
    /// A field that no other kind has.
    own: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { name: "host", command: "host", seconds: 60, own: "boot_time" },
    Kind { name: "groups", command: "groups", seconds: 60, own: "states" },
    Kind { name: "disk", command: "disk /var/log --depth 1 --timeout 30m", seconds: 3600, own: "allocated" },
];

impl Kind {
    /// The tree of the test, and what procline prints of it.
    fn tree(&self) -> (Tree, Vec<Record>) {
        let tree = if self.name == "groups" { hard_tree() } else { host_tree() };
        for name in ["a b/c \" d", "日本語 😀/x"] {
            tree.write(&format!("root/var/log/{name}"), b"some text");
        }
        let stat = fs::read_to_string(fixture("proc/1200/stat")).unwrap();
        tree.write("proc/2100/stat", stat.replace("1200 (bash)", "2100 (日本語 \"\\)").as_bytes());
        if self.name == "host" {
            let printed = printed_host(&tree);
            return (tree, printed);
        }
        let arguments: Vec<_> = self.command.split(' ').collect();
        let output = quiet(tree.procline(&arguments).env("TZ", ZONE));
        let mut records: Vec<Record> =
            lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(records.len() >= 3 && records.iter().all(|record| record.contains_key(self.own)), "{records:?}");
        for record in &mut records {
            record.remove("timestamp").expect("a timestamp");
            self.steady(record);
        }
        (tree, records)
    }

    /// Without what changes between two runs.
    fn steady(&self, record: &mut Record) {
        if self.name == "disk" {
            for key in ["fs_free", "fs_available", "fs_inodes_free"] {
                assert!(record.remove(key).is_some_and(|value| value.is_u64()), "{key}");
            }
            assert!(record.remove("accessed").is_some_and(|value| value.is_string()));
        }
    }

    fn steady_events(&self, mut events: Vec<Event>) -> Vec<Event> {
        events.iter_mut().for_each(|event| self.steady(&mut event.record));
        events
    }
}

/// What a consumer made of one line.
#[derive(Debug)]
struct Event {
    /// The time of the event, as the consumer wrote it.
    time: String,
    record: Record,
}

/// Two snapshots in sequence. Each record has the keys, values, types and order that procline printed. `time_of`
/// converts the record's `timestamp` to the time that the event must have.
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

/// The consumer's program. It is the value of the variable, which must then work, or the program of this name on PATH.
/// Without either the test is skipped.
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

/// A shipped file. A test replaces only what must differ in it.
struct Shipped(String);

impl Shipped {
    fn read(name: &str) -> Self {
        Shipped(fs::read_to_string(shipped(name)).unwrap())
    }

    /// Replaces a text that must occur: a test must run what is shipped.
    fn with(mut self, there: &str, here: &str) -> Self {
        assert!(self.0.contains(there), "{there:?} is not in\n{}", self.0);
        self.0 = self.0.replace(there, here);
        self
    }

    /// Starts the program under test.
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

/// Every option of a config must be on this list: the names on the way to it, joined by dots.
fn assert_known(config: &Value, options: &[&str]) {
    fn walk(value: &Value, name: &str, options: &[&str]) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                walk(value, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, options);
            }),
            _ => assert!(options.contains(&name), "unknown: {name}"),
        }
    }
    walk(config, "", options);
}

/// A consumer that runs over a tree, in a folder of its own. At the end of the test it is stopped as a service manager
/// would.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// `HOST_PROC` and `HOST_ROOT` direct the shipped command, unchanged, to the tree.
    fn start(program: &Path, arguments: &[&OsStr], folder: &TempDir, tree: &Tree) -> Self {
        let log = folder.path().join(format!("{}.log", program.file_name().unwrap().display()));
        let output = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        command.env("HOST_PROC", tree.path("proc")).env("HOST_ROOT", tree.path("root")).env_remove("PROCLINE_COMPUTER");
        // A service manager starts programs without a locale.
        command.env("TZ", ZONE).env("LC_ALL", "C");
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Agent { child, log }
    }

    fn log(&self) -> String {
        text(&self.log)
    }

    /// Waits until `read` finds this many.
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

/// The whole lines of a file so far; empty if the file is missing.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        file.read_to_end(&mut bytes).unwrap();
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    bytes.truncate(end);
    String::from_utf8(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
