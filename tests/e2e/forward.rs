//! `--forward`, to a receiver that decodes with another library, and has the faults that receivers have.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::consumers::{Record, hard_tree};
use crate::exec_stream::{Stream, hold, word};
use crate::limit::wait_for;
use crate::support::{Running, Tree, complaint, lines, procline, quiet, skip};

/// Nothing takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The receiver, and what it has printed.
pub struct Receiver {
    running: Running,
    /// Its lines. A thread reads them, because a receiver that cannot print does not acknowledge.
    lines: mpsc::Receiver<String>,
    pub port: String,
}

/// What the receiver got in one message.
#[derive(Debug, Deserialize)]
pub struct Batch {
    tag: String,
    size: usize,
    /// None without acknowledgements.
    chunk: Option<String>,
    pub entries: Vec<((i64, u32), Record)>,
}

impl Receiver {
    /// Starts it. None if it cannot run here, which is reported.
    pub fn start(test: &str, arguments: &[&str]) -> Option<Self> {
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python");
        if !packages.join("msgpack").is_dir() {
            skip(test, "msgpack is not in target/tools/python; .ci/run installs it");
            return None;
        }
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/forward/receiver.py")).args(arguments);
        let mut running = Running::start(python.stdout(Stdio::piped()));
        let output = BufReader::new(running.0.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let line = lines.recv_timeout(PATIENCE).unwrap();
        let port = line.strip_prefix("ready ").expect("the port").to_owned();
        Some(Receiver { running, lines, port })
    }

    fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The next batch.
    pub fn batch(&self) -> Batch {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        let batch: Batch = serde_json::from_str(&line).unwrap();
        assert_eq!(batch.size, batch.entries.len());
        batch
    }

    /// All batches until now.
    pub fn batches(mut self) -> Vec<Batch> {
        self.running.0.kill().unwrap();
        self.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    pub fn records(self) -> Vec<Record> {
        self.batches().into_iter().flat_map(|batch| batch.entries).map(|(_, record)| record).collect()
    }
}

/// The records, each with the entry's time as its own.
fn assert_times(batches: &[Batch], key: &str) {
    for ((seconds, nanoseconds), record) in batches.iter().flat_map(|batch| &batch.entries) {
        let time = chrono::DateTime::parse_from_rfc3339(record[key].as_str().unwrap()).unwrap();
        assert_eq!((time.timestamp(), time.timestamp_subsec_nanos()), (*seconds, *nanoseconds));
    }
}

#[test]
fn each_value_is_that_of_the_line() {
    const TEST: &str = "each_value_is_that_of_the_line";
    let tree = hard_tree();
    for (schema, time) in [("procline", "timestamp"), ("ecs", "@timestamp"), ("otel", "timestamp")] {
        let Some(receiver) = Receiver::start(TEST, &["0", "ack"]) else { return };
        let options = ["--schema", schema, "--fields", "+args,+ppid", "--label", "site=北"];
        let output = quiet(&mut tree.procline(&options));
        let mut lines: Vec<Record> =
            lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(quiet(tree.procline(&options).args(["--forward", &receiver.address(), "--tag", "a.b"])).is_empty());
        let batches = receiver.batches();
        assert!(batches.iter().all(|batch| batch.tag == "a.b"));
        if schema != "otel" {
            assert_times(&batches, time);
        }
        let mut records: Vec<Record> = batches.into_iter().flat_map(|batch| batch.entries).map(|it| it.1).collect();
        for record in lines.iter_mut().chain(&mut records) {
            record.remove(time);
        }
        assert_eq!(records, lines);
    }
}

#[test]
fn by_unix_sockets_with_the_kinds_tag() {
    const TEST: &str = "by_unix_sockets_with_the_kinds_tag";
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("socket").display());
    let name = format!("unix:@{}", word("forward"));
    for address in [&path, &name] {
        for (arguments, tag) in [(&[][..], "procline.process"), (&["host"][..], "procline.host")] {
            let _ = fs::remove_file(folder.path().join("socket"));
            let Some(receiver) = Receiver::start(TEST, &[address, "ack"]) else { return };
            quiet(procline(arguments).args(["--forward", address]));
            let batches = receiver.batches();
            assert!(!batches.is_empty() && batches.iter().all(|batch| batch.tag == tag), "{batches:?}");
            assert_times(&batches, "timestamp");
        }
    }
}

/// A tree with many processes, whose records are more than one batch.
fn large_tree() -> Tree {
    let tree = hard_tree();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    for pid in 3000..4000 {
        tree.write(&format!("proc/{pid}/stat"), stat.replace("1200 (", &format!("{pid} (")).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), &[b'x'; 1000]);
    }
    tree
}

/// More than one batch, and each of them is acknowledged.
#[test]
fn many_records_are_several_batches() {
    const TEST: &str = "many_records_are_several_batches";
    let tree = large_tree();
    let Some(receiver) = Receiver::start(TEST, &["0", "slow"]) else { return };
    quiet(tree.procline(&["--forward", &receiver.address(), "--timeout", "60s"]).env("TZ", "UTC"));
    let batches = receiver.batches();
    let count: usize = batches.iter().map(|batch| batch.size).sum();
    let expected = lines(&quiet(&mut tree.procline(&[]))).len();
    let chunks: std::collections::BTreeSet<_> = batches.iter().map(|batch| &batch.chunk).collect();
    assert!(count == expected && batches.len() > 3 && chunks.len() == batches.len(), "{count} {}", batches.len());
}

/// A batch that was not acknowledged comes again, as the same chunk.
#[test]
fn a_receiver_that_fails_gets_all_records_in_the_end() {
    const TEST: &str = "a_receiver_that_fails_gets_all_records_in_the_end";
    let tree = Tree::copy();
    let expected = lines(&quiet(&mut tree.procline(&[]))).len();
    for (faults, copies) in [("close,cut,garbage,http,ack", 1), ("forget,other,ack", 3)] {
        let Some(receiver) = Receiver::start(TEST, &["0", faults]) else { return };
        quiet(&mut tree.procline(&["--forward", &receiver.address(), "--timeout", "60s"]));
        let batches = receiver.batches();
        assert_eq!(batches.len(), copies, "{faults}");
        assert!(batches.iter().all(|batch| batch.size == expected && batch.chunk == batches[0].chunk));
    }
}

#[test]
fn what_is_not_acknowledged_is_reported() {
    const TEST: &str = "what_is_not_acknowledged_is_reported";
    for (behaviour, expected) in [
        ("silent", "it does not acknowledge: does it speak the Fluent Forward protocol?"),
        ("garbage", "it is no receiver of the Fluent Forward protocol"),
        ("nested", "it is no receiver of the Fluent Forward protocol"),
        ("other", "it acknowledges what was not sent"),
        ("close", ""),
    ] {
        let Some(receiver) = Receiver::start(TEST, &["0", behaviour]) else { return };
        let address = receiver.address();
        let output = procline(&["host", "--forward", &address, "--timeout", "5s"]).output().unwrap();
        let (code, error) = complaint(&output);
        let begin = format!("procline: cannot forward 1 record to {address}: ");
        assert!(code == 1 && error.starts_with(&begin) && error.contains(expected), "{behaviour}: {error}");
        assert!(output.stdout.is_empty());
        // Without acknowledgements, nothing is known of a receiver that only listens.
        if behaviour == "silent" {
            quiet(&mut procline(&["host", "--forward", &address, "--no-ack"]));
            while receiver.batch().chunk.is_some() {}
        }
    }
    let output = procline(&["host", "--forward", "unix:/nonexistent/socket", "--timeout", "1s"]).output().unwrap();
    let (code, error) = complaint(&output);
    assert!(code == 1 && error.contains("to unix:/nonexistent/socket: No such file or directory"), "{error}");
}

#[test]
fn a_shared_key_is_proved_by_both() {
    const TEST: &str = "a_shared_key_is_proved_by_both";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let [right, wrong, empty] =
        [("right", "example-key\n"), ("wrong", "another-key\n"), ("empty", "\n")].map(|(name, text)| file(name, text));
    let send = |receiver: &Receiver, options: &[&str]| {
        procline(&["host", "--timeout", "5s", "--forward", &receiver.address()]).args(options).output().unwrap()
    };
    let Some(receiver) = Receiver::start(TEST, &["0", "ack", "example-key"]) else { return };
    let output = send(&receiver, &["--shared-key-file", &right]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for (options, expected) in [
        (&["--shared-key-file", &wrong][..], "it refuses the shared key: shared_key mismatch"),
        (&[][..], "it wants a shared key: add --shared-key-file"),
    ] {
        let (code, error) = complaint(&send(&receiver, options));
        assert!(code == 1 && error.contains(expected), "{error}");
    }
    assert_eq!(receiver.records().len(), 1);
    let Some(liar) = Receiver::start(TEST, &["0", "liar", "example-key"]) else { return };
    let (code, error) = complaint(&send(&liar, &["--shared-key-file", &right]));
    assert!(code == 1 && error.contains("it does not know the shared key"), "{error}");
    let Some(mirror) = Receiver::start(TEST, &["0", "mirror", "example-key"]) else { return };
    let (code, error) = complaint(&send(&mirror, &["--shared-key-file", &right]));
    assert!(code == 1 && error.contains("like this sender, so it proves no shared key"), "{error}");
    for (path, expected) in [(empty.as_str(), "its first line is empty"), ("/nonexistent", "No such file or directory")]
    {
        let (code, error) = complaint(&send(&liar, &["--shared-key-file", path]));
        assert!(code == 2 && error.contains(expected) && !error.contains("-key\n"), "{error}");
    }
}

/// A receiver that is stopped accepts no connection, once enough of them wait. connect(2) itself has no limit.
#[test]
fn a_receiver_that_accepts_nothing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    let address = format!("unix:{}", path.display());
    for (interval, lost) in [(&[][..], ""), (&["--interval", "1s", "--count", "2"], "2 records lost at the end")] {
        let output = procline(&["host", "--forward", &address, "--timeout", "1s", "--fields", "cpus"])
            .args(interval)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("it accepts no connection: is it stopped?") && errors.contains(lost), "{errors}");
    }
}

/// A stream goes on when its receiver comes back.
#[test]
fn exec_goes_on_when_its_receiver_comes_back() {
    const TEST: &str = "exec_goes_on_when_its_receiver_comes_back";
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let address = format!("unix:{}", socket.display());
    let word = word("forwarded");
    let Some(receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    let arguments = ["--root", "--name", "sh", "--forward", &address, "--timeout", "1s"];
    let Some(mut stream) = Stream::start(TEST, &arguments) else { return };
    let find = |receiver: &Receiver, number: &str| {
        let has = |entry: &((i64, u32), Record)| {
            entry
                .1
                .get("command")
                .and_then(Value::as_str)
                .is_some_and(|text| text.ends_with(&format!("{word} {number}")))
        };
        while !receiver.batch().entries.iter().any(has) {}
    };
    let _one = hold("sh", &["-c", "read x", &word, "1"]);
    find(&receiver, "1");
    drop(receiver);
    fs::remove_file(&socket).unwrap();
    // This one waits in memory.
    let _two = hold("sh", &["-c", "read x", &word, "2"]);
    let failure = || stream.errors().contains("cannot forward").then_some(());
    wait_for("the failure", failure);
    let Some(receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    find(&receiver, "2");
    let _three = hold("sh", &["-c", "read x", &word, "3"]);
    find(&receiver, "3");
    let (code, errors) = stream.end(Signal::TERM);
    assert!(code == Some(1) && errors.lines().count() == 1, "{errors}");
}

/// What a stream could not send at its end is lost, and it says so.
#[test]
fn what_exec_loses_is_counted() {
    let word = word("lost");
    let arguments = ["--root", "--name", "sh", "--forward", "unix:/nonexistent/socket", "--timeout", "1s"];
    let Some(mut stream) = Stream::start("what_exec_loses_is_counted", &arguments) else { return };
    let _held = hold("sh", &["-c", "read x", &word]);
    wait_for("the failure", || stream.errors().contains("cannot forward").then_some(()));
    let (code, errors) = stream.end(Signal::TERM);
    let last = errors.lines().last().unwrap();
    assert!(
        code == Some(1) && last.starts_with("procline: at least ") && last.ends_with(" lost at the end"),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 2, "{errors}");
}

/// Snapshots go on, too. The failure is reported once, and what was taken meanwhile comes later.
#[test]
fn an_interval_goes_on_when_its_receiver_comes_back() {
    const TEST: &str = "an_interval_goes_on_when_its_receiver_comes_back";
    let folder = tempfile::tempdir().unwrap();
    let [socket, errors] = ["socket", "errors"].map(|name| folder.path().join(name));
    let address = format!("unix:{}", socket.display());
    let Some(receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    let arguments = ["host", "--interval", "100ms", "--timeout", "1s", "--forward", &address];
    let mut running = Running::start(procline(&arguments).stderr(File::create(&errors).unwrap()));
    receiver.batch();
    receiver.batch();
    drop(receiver);
    fs::remove_file(&socket).unwrap();
    let said = || fs::read_to_string(&errors).unwrap();
    wait_for("the failure", || said().contains("cannot forward 1 record to unix:").then_some(()));
    let back = chrono::Utc::now();
    let Some(receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    let (seconds, nanoseconds) = receiver.batch().entries[0].0;
    assert!(chrono::DateTime::from_timestamp(seconds, nanoseconds).unwrap() < back);
    receiver.batch();
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    // The last record may have been underway.
    assert!(said().lines().skip(1).all(|line| line.contains("1 record lost at the end")), "{}", said());
}

/// Nothing is lost without being counted: what the receiver never got, and what was too much to wait.
#[test]
fn what_an_interval_loses_is_counted() {
    const TEST: &str = "what_an_interval_loses_is_counted";
    let tree = large_tree();
    let each = lines(&quiet(&mut tree.procline(&[]))).len();
    let interval = ["--interval", "100ms"];
    let output = tree
        .procline(&interval)
        .args(["--forward", "unix:/nonexistent/socket", "--timeout", "50ms", "--count", "9"])
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let [first, last] = errors.lines().collect::<Vec<_>>()[..] else { panic!("{errors}") };
    assert!(
        first.starts_with("procline: cannot forward ") && first.contains("unix:/nonexistent/socket: No such"),
        "{first}"
    );
    assert_eq!(
        last,
        format!("procline: {} records lost at the end: unix:/nonexistent/socket did not acknowledge", 9 * each)
    );

    let folder = tempfile::tempdir().unwrap();
    let [key, errors] = ["key", "errors"].map(|name| folder.path().join(name));
    fs::write(&key, "example-key").unwrap();
    let behaviours = format!("{}ack", "liar,".repeat(12));
    let Some(receiver) = Receiver::start(TEST, &["0", &behaviours, "example-key"]) else { return };
    let mut command = tree.procline(&interval);
    command.arg("--forward").arg(receiver.address()).arg("--shared-key-file").arg(&key).args(["--timeout", "60s"]);
    let mut running = Running::start(command.stderr(File::create(&errors).unwrap()));
    let said = || fs::read_to_string(&errors).unwrap();
    wait_for("what was dropped", || said().contains(" dropped before ").then_some(()));
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    let count = |line: &str| line.split(' ').nth(1)?.parse::<usize>().ok();
    let said = said();
    let lost: usize = said.lines().skip(1).map(|line| count(line).expect(line)).sum();
    let received = receiver.records().len();
    assert!(
        lost > each && received > each && (lost + received).is_multiple_of(each),
        "{lost} {received} {each}: {said}"
    );
}

/// What was not acknowledged is a change again in the next run.
#[test]
fn changes_are_kept_until_they_are_acknowledged() {
    const TEST: &str = "changes_are_kept_until_they_are_acknowledged";
    let folder = tempfile::tempdir().unwrap();
    let [state, seen, key] = ["state", "seen", "key"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    fs::write(&key, "example-key").unwrap();
    let Some(receiver) = Receiver::start(TEST, &["0", "ack", "example-key"]) else { return };
    let run = |options: &[&str]| {
        let mut command = procline(&["inventory", "files", &seen, "--fields", "path,size", "--changes", &state]);
        command.args(["--timeout", "60s", "--forward", &receiver.address()]).args(options).output().unwrap()
    };
    for (size, change) in [(1, "added"), (2, "modified")] {
        fs::write(&seen, vec![b'x'; size]).unwrap();
        let before = fs::read(&state).ok();
        let (code, error) = complaint(&run(&[]));
        assert!(code == 1 && error.contains("cannot forward 1 record to"), "{error}");
        assert_eq!(fs::read(&state).ok(), before);
        assert!(run(&["--shared-key-file", &key]).status.success());
        let Batch { entries, .. } = receiver.batch();
        assert_eq!((entries.len(), &entries[0].1["change"]), (1, &change.into()));
        assert_ne!(fs::read(&state).ok(), before);
    }
    assert!(run(&["--shared-key-file", &key]).status.success() && receiver.batches().is_empty());
}

#[test]
fn bad_input_gets_a_sentence() {
    for (arguments, expected) in [
        (&["--forward", "localhost:24224", "--output", "x.jsonl"][..], "cannot be used with"),
        (&["--forward", "localhost:24224", "--format", "csv"], "cannot be used with"),
        (&["--forward", "unix:socket"], "expected an absolute path after unix:"),
        (&["--forward", "localhost:0"], "expected a port from 1 to 65535"),
        (&["--forward", "::1"], "brackets"),
        (&["--tag", "x"], "--forward"),
        (&["--no-ack"], "--forward"),
        (&["--ca-file", "x"], "--forward"),
        (&["--forward", "localhost:1", "--ca-file", "x"], "are for TLS: use --forward tls:HOST:PORT, not localhost:1"),
        (&["--forward", "unix:/x", "--cert-file", "x"], "are for TLS"),
        (&["--forward", "tls:localhost:1"], "built without TLS"),
        (
            &["inventory", "files", "/", "--changes", "x", "--forward", "localhost:1", "--no-ack"],
            "--changes cannot be used with --no-ack",
        ),
    ] {
        let output = procline(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(expected), "{arguments:?}: {error}");
    }
}
