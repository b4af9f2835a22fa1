//! Watching a few daemons: `selected`, `matched`, `--max-misses`, what is reported of a process that ends, and every column
//! of `resources` against psutil.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{
    Running, Tree, command, complaint, lacks, lacks_psutil, lines, procline, quiet, with_default_signals,
};

/// A Python daemon with a name that nobody else has.
pub struct Daemon {
    folder: TempDir,
}

/// A running one. It starts a child for each line of its standard input, and ends with it. So do its children.
pub struct Started {
    pub process: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Started {
    /// The pid of one more child, which waits.
    pub fn child(&mut self) -> u32 {
        writeln!(self.input, "child").unwrap();
        let mut pid = String::new();
        self.output.read_line(&mut pid).unwrap();
        pid.trim().parse().unwrap()
    }
}

impl Daemon {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("watched").tempdir().unwrap();
        let daemon = Daemon { folder };
        let script = "import subprocess, sys\n\
                      children = []\n\
                      for line in sys.stdin:\n\
                      \x20 children.append(subprocess.Popen(['cat'], stdin=subprocess.PIPE))\n\
                      \x20 print(children[-1].pid, flush=True)\n";
        fs::write(daemon.folder.path().join(daemon.name()), script).unwrap();
        daemon
    }

    pub fn name(&self) -> String {
        format!("{}.py", self.folder.path().file_name().unwrap().to_str().unwrap())
    }

    pub fn start(&self) -> Started {
        let mut command = command("python3", &["-IS"]);
        command.arg(self.folder.path().join(self.name())).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running::start(&mut command);
        let input = process.0.stdin.take().unwrap();
        let output = BufReader::new(process.0.stdout.take().unwrap());
        Started { process, input, output }
    }
}

/// procline that watches at an interval.
struct Watching {
    process: Running,
    rows: std::io::Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Watching {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let errors = File::create(folder.path().join("errors")).unwrap();
        let mut command = with_default_signals(&procline(&[&["--interval", "50ms"], arguments].concat()));
        let mut process = Running::start(command.stdout(Stdio::piped()).stderr(errors));
        let rows = BufReader::new(process.0.stdout.take().unwrap()).lines();
        Watching { process, rows, folder }
    }

    /// Reads records until one is as expected.
    fn read_until(&mut self, is_expected: impl Fn(&Map<String, Value>) -> bool) -> Map<String, Value> {
        let records = self.rows.by_ref().map(|line| serde_json::from_str::<Map<_, _>>(&line.unwrap()).unwrap());
        let mut records = records.inspect(|record| {
            // The row of a process that ended would lack these.
            for name in ["matched", "selected", "rss", "uss", "pss", "swap", "fds", "read_ops", "write_bytes"] {
                assert!(record.contains_key(name), "{name} in {record:?}");
            }
        });
        records.find(is_expected).expect("such a record")
    }

    fn errors(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("errors")).unwrap();
        text.split_terminator('\n').map(str::to_owned).collect()
    }
}

const RESOURCES: [&str; 2] = ["--fields", "resources,ppid"];

#[test]
fn descendants_and_a_restarted_daemon_are_found_and_ends_are_reported_once() {
    if lacks("descendants_and_a_restarted_daemon_are_found_and_ends_are_reported_once", true, &["python3"]) {
        return;
    }
    let daemon = Daemon::new();
    let name = daemon.name();
    let pattern = name.replace(".py", "*");
    // Its first process starts while procline already watches.
    let mut watching = Watching::start(&[&RESOURCES[..], &["--name", &pattern, "--children"]].concat());
    let mut first = daemon.start();
    let pid = first.process.0.id();
    let record = watching.read_until(|record| record["pid"] == pid);
    assert_eq!((&record["selected"], &record["matched"]), (&json!(pattern), &json!(name)));
    let pid_of_child = first.child();
    let child = watching.read_until(|record| record["pid"] == pid_of_child && record["name"] == "cat");
    assert_eq!(child["ppid"], pid);
    assert_eq!((&child["selected"], &child["matched"]), (&json!(pattern), &json!(name)));
    drop(first);
    let second = daemon.start();
    let pid_of_second = second.process.0.id();
    watching.read_until(|record| record["pid"] == pid_of_second);
    let both = [
        format!("procline: process {pid} ({name}) ended"),
        format!("procline: process {} (cat, started by {name}) ended", child["pid"]),
    ];
    // Go on reading: procline waits for a reader that does not.
    while !both.iter().all(|sentence| watching.errors().contains(sentence)) {
        watching.read_until(|record| record["pid"] == pid_of_second);
    }
    // Two more snapshots.
    for _ in 0..2 {
        watching.read_until(|record| record["pid"] == pid_of_second);
    }
    kill_process(Pid::from_child(&watching.process.0), Signal::TERM).unwrap();
    assert_eq!(watching.process.0.wait().unwrap().code(), Some(0));
    let errors = watching.errors();
    for sentence in both {
        assert_eq!(errors.iter().filter(|line| **line == sentence).count(), 1, "{errors:?}");
    }
}

#[test]
fn a_daemon_that_stays_away_ends_the_run() {
    if lacks("a_daemon_that_stays_away_ends_the_run", true, &["python3"]) {
        return;
    }
    let (stays, goes) = (Daemon::new(), Daemon::new());
    let _stays = stays.start();
    let first = goes.start();
    let names = ["--name", &stays.name(), "--name", &goes.name(), "--max-misses", "40"];
    let mut watching = Watching::start(&[&RESOURCES[..], &names].concat());
    watching.read_until(|record| record["pid"] == first.process.0.id());
    drop(first);
    assert_eq!(watching.process.0.wait().unwrap().code(), Some(1));
    let last = watching.errors().pop().unwrap();
    let expected = format!("no process matched --name {} in 40 snapshots in a row (--max-misses 40)", goes.name());
    assert_eq!(last, format!("procline: {expected}"));
}

#[test]
fn misses_are_counted_on_the_fixture_tree() {
    let tree = Tree::copy();
    let base = ["--fields", "pid,selected,matched", "--interval", "1ms"];
    let output = tree
        .procline(&[&base[..], &["--name", "systemd", "--name", "nosuch", "--max-misses", "3"]].concat())
        .output()
        .unwrap();
    let records = lines(&output.stdout);
    assert_eq!(records, [r#"{"pid":1,"selected":"systemd","matched":"systemd"}"#; 3]);
    let (code, errors) = complaint(&output);
    assert!(code == 1 && errors.contains("no process matched --name nosuch in 3 snapshots"), "{errors}");
    // Whether a process is among the highest does not matter, and other filters do.
    let top = ["--name", "systemd", "--top", "0", "--count", "3", "--max-misses", "2"];
    quiet(&mut tree.procline(&[&base[..], &top].concat()));
    let user = ["--name", "systemd", "--user", "4711", "--count", "3", "--max-misses", "2"];
    let (code, errors) = complaint(&tree.procline(&[&base[..], &user].concat()).output().unwrap());
    assert!(code == 1 && errors.contains("--name systemd in 2 snapshots"), "{errors}");
    for (arguments, words) in [
        (&["--max-misses", "1"][..], "--interval"),
        (&["--max-misses", "1", "--interval", "1s"], "--name"),
        (&["--max-misses", "0", "--interval", "1s", "--name", "a"], "1 or more"),
    ] {
        let (code, errors) = complaint(&procline(arguments).output().unwrap());
        assert!(code == 2 && errors.contains(words), "{errors}");
    }
}

#[test]
fn a_descendant_belongs_to_its_nearest_ancestor_that_matches() {
    let tree = Tree::copy();
    let arguments = ["--children", "--fields", "pid,ppid,selected,matched", "--name", "systemd", "--name", "ngin[x]"];
    let output = quiet(&mut tree.procline(&arguments));
    let records: Vec<Value> = lines(&output).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let by_pid: BTreeMap<i64, &Value> =
        records.iter().map(|record| (record["pid"].as_i64().unwrap(), record)).collect();
    let own = |record: &Value| record["selected"] == "ngin[x]" && record["matched"] == "nginx";
    assert!(records.iter().any(own), "{records:?}");
    for record in &records {
        let parent = by_pid.get(&record["ppid"].as_i64().unwrap());
        let is_same =
            |parent: &&Value| parent["matched"] == record["matched"] && parent["selected"] == record["selected"];
        assert!(parent.is_some_and(is_same) || own(record) || record["pid"] == 1, "{record} of {parent:?}");
    }
    // Without --name there is none.
    let all = quiet(&mut tree.procline(&["--children", "--fields", "pid,selected,matched"]));
    assert!(lines(&all).iter().all(|line| !line.contains("matched")));
}

/// What seed 3's monitor asks psutil for, with our names. Waits for a line of its input before each sample.
const PSUTIL: &str = "import json, sys, time, psutil\n\
                      p = psutil.Process(int(sys.argv[1]))\n\
                      for line in sys.stdin:\n\
                      \x20 m = p.memory_full_info(); i = p.io_counters(); t = p.cpu_times()\n\
                      \x20 print(json.dumps({'pid': p.pid, 'vsz': m.vms // 1024, 'rss': m.rss // 1024, 'uss': m.uss // 1024,\n\
                      \x20 'pss': m.pss // 1024, 'swap': m.swap // 1024, 'fds': p.num_fds(), 'read_ops': i.read_count,\n\
                      \x20 'write_ops': i.write_count, 'read_bytes': i.read_bytes, 'write_bytes': i.write_bytes,\n\
                      \x20 'name': p.name(), 'cpu': t.user + t.system, 'at': time.time()}), flush=True)\n";

struct Psutil {
    _process: Running,
    input: ChildStdin,
    output: std::io::Lines<BufReader<ChildStdout>>,
}

impl Psutil {
    fn of(pid: u32) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", PSUTIL, &pid.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running::start(&mut command);
        let input = process.0.stdin.take().unwrap();
        let output = BufReader::new(process.0.stdout.take().unwrap()).lines();
        Psutil { _process: process, input, output }
    }

    fn sample(&mut self) -> Map<String, Value> {
        writeln!(self.input, "now").unwrap();
        serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap()
    }
}

/// Every column, of a process that sleeps and of one that reads, writes and computes all the time. psutil samples before
/// and after procline. What only grows is between its values. Anything else must be equal where psutil says the same
/// twice. Other processes change pss, and a tick of the clock is 10 ms, so that not every attempt succeeds.
#[test]
fn every_column_is_that_of_psutil() {
    const TEST: &str = "every_column_is_that_of_psutil";
    if lacks(TEST, true, &["python3"]) || lacks_psutil(TEST) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let busy = "import sys\n\
                file = open(sys.argv[1], 'r+b', buffering=0)\n\
                while True:\n\
                \x20 file.seek(0); file.write(b'x' * 65536); file.seek(0); file.read(65536)\n\
                \x20 for _ in range(20000): pass\n";
    let idle = "import sys, time\nprint(sys.argv[1]); time.sleep(100000)\n";
    fs::write(folder.path().join("file"), b"").unwrap();
    for (kind, script) in [("busy", busy), ("idle", idle)] {
        let mut command = command("python3", &["-IS", "-c", script]);
        command.arg(folder.path().join("file")).stdout(Stdio::null());
        let process = Running::start(&mut command);
        let pid = process.0.id();
        let mut psutil = Psutil::of(pid);
        let attempt = || {
            // The second snapshot measures over the interval. procline goes on then: it shares libraries with the
            // process, and so counts in its pss.
            let mut ours = procline(&["--fields", "resources", "--interval", "1s", "--sample", "1ms"]);
            ours.args(["--format", "csv", "--label", "version=4.9.0", "--pid", &pid.to_string()]);
            let mut ours = Running::start(ours.stdout(Stdio::piped()));
            let mut rows = BufReader::new(ours.0.stdout.take().unwrap()).lines();
            let head = rows.next().unwrap().unwrap();
            rows.next().unwrap().unwrap();
            let before = psutil.sample();
            let row = rows.next().unwrap().unwrap();
            let after = psutil.sample();
            drop(ours);
            let row: BTreeMap<&str, &str> = head.split(',').zip(row.split(',')).collect();
            assert_eq!(row["version"], "4.9.0");
            let near = |name: &str| {
                let number = |value: &Value| value.as_f64().unwrap();
                let found: f64 = row[name].parse().unwrap();
                let framed = (number(&before[name])..=number(&after[name])).contains(&found);
                framed || before[name] != after[name] && !GROWING.contains(&name)
            };
            const GROWING: [&str; 4] = ["read_ops", "write_ops", "read_bytes", "write_bytes"];
            const SIZES: [&str; 7] = ["pid", "vsz", "rss", "uss", "pss", "swap", "fds"];
            let mut wrong: Vec<_> = GROWING.iter().chain(&SIZES).filter(|name| !near(name)).copied().collect();
            if before["name"] != row["name"] {
                wrong.push("name");
            }
            let time = chrono::DateTime::parse_from_rfc3339(row["timestamp"]).unwrap().timestamp_millis();
            let milliseconds = |sample: &Map<String, Value>| (sample["at"].as_f64().unwrap() * 1000.0) as i64;
            if !(milliseconds(&before)..=milliseconds(&after)).contains(&time) {
                wrong.push("timestamp");
            }
            let seconds = |name: &str| after[name].as_f64().unwrap() - before[name].as_f64().unwrap();
            let rate = seconds("cpu") / seconds("at") * 100.0;
            let cpu: f64 = row["cpu_now"].parse().unwrap();
            if (cpu - rate).abs() > 5.0 {
                wrong.push("cpu_now");
            }
            if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?}: {row:?}, psutil {before:?}, {after:?}")) }
        };
        let errors: Vec<_> = std::iter::repeat_with(attempt).take(40).map_while(Result::err).collect();
        assert!(errors.len() < 40, "{kind}: {errors:#?}");
    }
}
