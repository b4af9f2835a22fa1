//! `--interval` and `--count`: how many snapshots there are, in which format, and how a run ends. A unit test of
//! `run::interval` shows that intervals do not drift.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{
    PROCLINE, Running, Tree, command, complaint, lacks, lines, procline, quiet, records, with_default_signals,
};

#[test]
fn count_snapshots_each_with_its_own_time() {
    let tree = Tree::copy();
    let output = quiet(&mut tree.procline(&["--interval", "20ms", "--count", "3", "--pid", "1", "--pid", "2"]));
    let found = records(&output);
    assert_eq!(found.iter().map(|record| record.pid).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2]);
    assert_eq!(found.iter().map(|record| &record.timestamp).collect::<BTreeSet<_>>().len(), 3);
    let output =
        quiet(&mut tree.procline(&["--interval=20ms", "--count=2", "--top=1", "--fields=pid", "--format=csv"]));
    assert_eq!(output, b"pid\n1500\n1500\n");
    let output =
        quiet(&mut tree.procline(&["--interval=20ms", "--count=2", "--top=1", "--fields=pid", "--format=array"]));
    let documents: Vec<Value> =
        serde_json::Deserializer::from_slice(&output).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(documents, [serde_json::json!([{"pid": 1500}]), serde_json::json!([{"pid": 1500}])]);
}

/// A signal between snapshots ends the run at once, with whole lines and exit code 0.
#[test]
fn a_signal_between_snapshots_ends_it() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut command = with_default_signals(&procline(&["--interval", "1h", "--fields", "pid"]));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut output = String::new();
        stdout.read_line(&mut output).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        stdout.read_to_string(&mut output).unwrap();
        assert!(!lines(output.as_bytes()).is_empty());
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
    }
}

/// A signal that a shell or nohup made the program ignore stays ignored.
#[test]
fn an_ignored_signal_does_not_end_it() {
    if lacks("an_ignored_signal_does_not_end_it", false, &["sh"]) {
        return;
    }
    let tree = Tree::copy();
    let inner = tree.procline(&["--interval", "1ms", "--count", "60000", "--fields", "timestamp", "--pid", "1"]);
    let mut command = command("sh", &["-c", "trap '' INT HUP; exec \"$0\" \"$@\"", PROCLINE]);
    let mut child = Running::start(command.args(inner.get_args()).stdout(Stdio::piped()));
    let pid = Pid::from_child(&child.0);
    let mut found = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    found.next().unwrap();
    for signal in [Signal::INT, Signal::HUP] {
        kill_process(pid, signal).unwrap();
        let sent = DateTime::<Utc>::from(SystemTime::now());
        let is_later = |line: String| {
            let record: Value = serde_json::from_str(&line).unwrap();
            let time = DateTime::parse_from_rfc3339(record["timestamp"].as_str().unwrap()).unwrap();
            time.to_utc() > sent + Duration::from_millis(100)
        };
        assert!(found.any(is_later), "{signal:?} ended it");
    }
    kill_process(pid, Signal::TERM).unwrap();
    found.for_each(drop);
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

/// Nobody reads, so the line in hand cannot be written. The run is not successful.
#[test]
fn a_signal_that_leaves_lines_unwritten_ends_it_as_a_signal_does() {
    let tree = Tree::copy();
    tree.write("proc/1/cmdline", &b"word\0".repeat(25_000));
    for signal in [Signal::TERM, Signal::HUP] {
        let arguments = ["--interval=1h", "--pid=1", "--max-record-bytes=0"];
        let mut child = Running::start(with_default_signals(&tree.procline(&arguments)).stdout(Stdio::piped()));
        child.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        kill_process(Pid::from_child(&child.0), signal).unwrap();
        let status = child.0.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(signal.as_raw())));
    }
}

#[test]
fn a_closed_pipe_ends_it_and_a_full_disk_is_reported() {
    let mut child = procline(&["--interval", "10ms"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, errors) = complaint(&procline(&["--interval", "10ms"]).stdout(full).output().unwrap());
    assert!(code == 1 && errors.contains("No space left"), "{errors}");
}

/// A snapshot that waits for its reader lasts several intervals. These are skipped, and the next snapshots are at least
/// one interval apart. A loaded machine only delays them.
#[test]
fn missed_intervals_are_skipped() {
    const INTERVAL: Duration = Duration::from_millis(200);
    let tree = Tree::copy();
    // This is more than a pipe holds.
    tree.write("proc/1/cmdline", &b"word\0".repeat(25_000));
    let arguments = ["--interval=200ms", "--count=5", "--pid=1", "--fields=timestamp,command", "--max-record-bytes=0"];
    let mut child = tree.procline(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut output = vec![0];
    stdout.read_exact(&mut output).unwrap();
    sleep(INTERVAL * 7 / 2);
    let read = DateTime::<Utc>::from(SystemTime::now());
    stdout.read_to_end(&mut output).unwrap();
    let found: Vec<Value> = lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(child.wait().unwrap().success() && found.len() == 5);
    for (intervals, record) in (0..).zip(&found[1..]) {
        let time = DateTime::parse_from_rfc3339(record["timestamp"].as_str().unwrap()).unwrap();
        // The second snapshot starts after the first has been read. Timestamps are truncated to milliseconds.
        let after = time.to_utc() + Duration::from_millis(1) - read;
        assert!(after.to_std().is_ok_and(|after| after >= INTERVAL * intervals), "{intervals} intervals, {after}");
    }
}

#[test]
fn what_makes_no_sense_is_told() {
    for (arguments, words) in [
        (&["--count", "2"][..], "--interval"),
        (&["--interval", "0s"], "longer than 0"),
        (&["--interval", "1s", "--count", "0"], "1 or more"),
    ] {
        let output = procline(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(words), "{arguments:?}: {errors}");
    }
}
