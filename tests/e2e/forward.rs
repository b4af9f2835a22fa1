//! `--forward`, to a receiver that decodes with another library, and has the faults that receivers have.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::consumers::{Record, hard_tree, printed};
use crate::exec_stream::{Stream, hold};
use crate::support::{Running, Tree, complaint, procline, quiet, skip};

/// The receiver, and what it has printed.
struct Receiver {
    running: Running,
    lines: BufReader<ChildStdout>,
    port: String,
}

/// What the receiver got in one message.
#[derive(Debug, Deserialize)]
struct Batch {
    tag: String,
    size: usize,
    chunk: String,
    entries: Vec<((i64, u32), Record)>,
}

impl Receiver {
    /// Starts it. None if it cannot run here, which is reported.
    fn start(test: &str, arguments: &[&str]) -> Option<Self> {
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python");
        if !packages.join("msgpack").is_dir() {
            skip(test, "msgpack is not in target/tools/python; .ci/run installs it");
            return None;
        }
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/forward/receiver.py")).args(arguments);
        let mut running = Running::start(python.stdout(Stdio::piped()));
        let mut lines = BufReader::new(running.0.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("ready ").expect("the port").to_owned();
        Some(Receiver { running, lines, port })
    }

    fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The next batch.
    fn batch(&mut self) -> Batch {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let batch: Batch = serde_json::from_str(&line).unwrap();
        assert_eq!(batch.size, batch.entries.len());
        batch
    }

    /// All batches until now.
    fn batches(mut self) -> Vec<Batch> {
        self.running.0.kill().unwrap();
        self.lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    fn records(self) -> Vec<Record> {
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
        let mut lines = match schema {
            "procline" => printed(&tree, &options),
            _ => crate::support::lines(&quiet(&mut tree.procline(&options)))
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        };
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
    let name = format!("unix:@{}", crate::exec_stream::word("forward"));
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

/// More than one batch, and each of them is acknowledged.
#[test]
fn many_records_are_several_batches() {
    const TEST: &str = "many_records_are_several_batches";
    let tree = hard_tree();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    for pid in 3000..4000 {
        tree.write(&format!("proc/{pid}/stat"), stat.replace("1200 (", &format!("{pid} (")).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), &[b'x'; 1000]);
    }
    let Some(receiver) = Receiver::start(TEST, &["0", "slow"]) else { return };
    quiet(tree.procline(&["--forward", &receiver.address(), "--timeout", "60s"]).env("TZ", "UTC"));
    let batches = receiver.batches();
    let count: usize = batches.iter().map(|batch| batch.size).sum();
    let lines = crate::support::lines(&quiet(&mut tree.procline(&[]))).len();
    let chunks: std::collections::BTreeSet<_> = batches.iter().map(|batch| &batch.chunk).collect();
    assert!(count == lines && batches.len() > 3 && chunks.len() == batches.len(), "{count} {}", batches.len());
}

/// A batch that was not acknowledged comes again, as the same chunk.
#[test]
fn a_receiver_that_fails_gets_all_records_in_the_end() {
    const TEST: &str = "a_receiver_that_fails_gets_all_records_in_the_end";
    let tree = Tree::copy();
    let lines = crate::support::lines(&quiet(&mut tree.procline(&[]))).len();
    for (faults, copies) in [("close,cut,garbage,http,ack", 1), ("forget,other,ack", 3)] {
        let Some(receiver) = Receiver::start(TEST, &["0", faults]) else { return };
        quiet(&mut tree.procline(&["--forward", &receiver.address(), "--timeout", "60s"]));
        let batches = receiver.batches();
        assert_eq!(batches.len(), copies, "{faults}");
        assert!(batches.iter().all(|batch| batch.size == lines && batch.chunk == batches[0].chunk));
    }
}

#[test]
fn what_is_not_acknowledged_is_reported() {
    const TEST: &str = "what_is_not_acknowledged_is_reported";
    for (behaviour, expected) in [
        ("silent", "it does not acknowledge: does it speak the Fluent Forward protocol?"),
        ("garbage", "it is no receiver of the Fluent Forward protocol"),
        ("other", "it acknowledges what was not sent"),
        ("close", ""),
    ] {
        let Some(receiver) = Receiver::start(TEST, &["0", behaviour]) else { return };
        let address = receiver.address();
        let output = procline(&["host", "--forward", &address, "--timeout", "2s"]).output().unwrap();
        let (code, error) = complaint(&output);
        let begin = format!("procline: cannot forward 1 record to {address}: ");
        assert!(code == 1 && error.starts_with(&begin) && error.contains(expected), "{behaviour}: {error}");
        assert!(output.stdout.is_empty());
        // Without acknowledgements, nothing is known of a receiver that only listens.
        if behaviour == "silent" {
            quiet(&mut procline(&["host", "--forward", &address, "--no-ack"]));
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
    for (path, expected) in [(empty.as_str(), "its first line is empty"), ("/nonexistent", "No such file or directory")]
    {
        let (code, error) = complaint(&send(&liar, &["--shared-key-file", path]));
        assert!(code == 2 && error.contains(expected) && !error.contains("-key\n"), "{error}");
    }
}

/// A stream goes on when its receiver comes back.
#[test]
fn exec_goes_on_when_its_receiver_comes_back() {
    const TEST: &str = "exec_goes_on_when_its_receiver_comes_back";
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let address = format!("unix:{}", socket.display());
    let word = crate::exec_stream::word("forwarded");
    let Some(mut receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    let arguments = ["--root", "--name", "sh", "--forward", &address, "--timeout", "1s"];
    let Some(mut stream) = Stream::start(TEST, &arguments) else { return };
    let find = |receiver: &mut Receiver, number: &str| {
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
    find(&mut receiver, "1");
    drop(receiver);
    fs::remove_file(&socket).unwrap();
    // This one waits in memory.
    let _two = hold("sh", &["-c", "read x", &word, "2"]);
    let failure = || stream.errors().contains("cannot forward").then_some(());
    crate::limit::wait_for("the failure", failure);
    let Some(mut receiver) = Receiver::start(TEST, &[&address, "ack"]) else { return };
    find(&mut receiver, "2");
    let _three = hold("sh", &["-c", "read x", &word, "3"]);
    find(&mut receiver, "3");
    let (code, errors) = stream.end(rustix::process::Signal::TERM);
    assert!(code == Some(1) && errors.lines().count() == 1, "{errors}");
}

/// Snapshots go on, too. What could not be sent is gone, and its failure is reported once.
#[test]
fn an_interval_goes_on_when_its_receiver_comes_back() {
    const TEST: &str = "an_interval_goes_on_when_its_receiver_comes_back";
    let Some(mut receiver) = Receiver::start(TEST, &["0", "ack,silent,ack"]) else { return };
    let arguments = ["host", "--interval", "100ms", "--timeout", "500ms", "--forward", &receiver.address()];
    let mut command = procline(&arguments);
    let mut running = Running::start(command.stderr(Stdio::piped()));
    let times: Vec<_> = (0..3).map(|_| receiver.batch().entries[0].0).collect();
    assert!(times.is_sorted());
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.0), rustix::process::Signal::TERM).unwrap();
    let errors = std::io::read_to_string(running.0.stderr.take().unwrap()).unwrap();
    assert_eq!((running.0.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
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
    ] {
        let output = procline(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(expected), "{arguments:?}: {error}");
    }
}
