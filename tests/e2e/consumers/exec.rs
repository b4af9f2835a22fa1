//! The files that `procline exec` writes, and an agent that follows them with the shipped config. A file is a second long here, not
//! an hour.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Agent, Event, Record};
use crate::exec_stream::{Stream, USER, hold_as_user, word};
use crate::limit::wait_for;
use crate::support::{Tree, command, lines, quiet};

/// An agent that can follow files.
pub struct Follower<'a> {
    pub program: &'a Path,
    /// Writes the shipped config into the folder of a test, and returns its path. The config follows `*.jsonl` in the other folder.
    pub config: fn(&TempDir, &Path) -> PathBuf,
    pub events: fn(&Path) -> Vec<Event>,
    /// Whether the time of an event is the `timestamp` of its record.
    pub is_at: fn(&str, &str) -> bool,
    pub without_complaint: fn(&Agent),
}

impl Follower<'_> {
    /// Every record arrives once: while the agent runs, and after it was stopped.
    pub fn follows(&self, test: &str) {
        let (own, files, tree) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Tree::copy());
        let pattern = files.path().join("%Y-%m-%dT%H-%M-%S.jsonl");
        let user = USER.to_string();
        let arguments = ["--exits", "--user", &user, "--output", pattern.to_str().unwrap(), "--keep", "2d"];
        let config = (self.config)(&own, files.path());
        let start = || Agent::start(self.program, &["-c".as_ref(), config.as_ref()], &own, &tree);
        let Some(mut service) = Stream::start(test, &arguments) else { return };

        let mut agent = start();
        let log = agent.log.clone();
        run_programs(files.path(), 3);
        // The agent reads the first file to its end. It does not grow any more: a later one exists.
        let (first, bytes) = contents(files.path()).pop_first().unwrap();
        let mut expected = records(&bytes);
        agent.wait_for(expected.len(), || {
            let events = (self.events)(&log).into_iter();
            events.filter(|event| expected.contains(&event.record)).collect()
        });
        (self.without_complaint)(&agent);
        drop(agent);

        // While the agent is stopped, the service goes on. An old file is removed, and its inode belongs to a new one.
        run_programs(files.path(), 3);
        reuse_inode(&files.path().join(&first), &files.path().join("2020-01-01T00-00-00.jsonl"));

        let mut agent = start();
        run_programs(files.path(), 3);
        service.finish();
        let found = contents(files.path());
        assert!(found.len() >= 8, "{:?}", found.keys());
        expected.extend(found.values().flat_map(|bytes| records(bytes)));
        agent.wait_for(expected.len(), || (self.events)(&log));
        (self.without_complaint)(&agent);
        // What it still has, it writes now.
        drop(agent);
        let events = (self.events)(&log);
        for event in &events {
            let timestamp = event.record["timestamp"].as_str().unwrap();
            assert!((self.is_at)(&event.time, timestamp), "{}: {timestamp}", event.time);
        }
        let texts = |records: &mut dyn Iterator<Item = &Record>| {
            let mut texts: Vec<_> = records.map(|record| serde_json::to_string(record).unwrap()).collect();
            texts.sort_unstable();
            texts
        };
        let (arrived, expected) = (texts(&mut events.iter().map(|event| &event.record)), texts(&mut expected.iter()));
        let missing: Vec<_> = expected.iter().filter(|text| !arrived.contains(text)).collect();
        assert_eq!((arrived.len(), missing.len()), (expected.len(), 0), "{missing:?}");
        assert_eq!(arrived, expected);
        for text in ["\"truncated\":true", "日本語 😀", "\\u0001", "\"exit_signal\":9"] {
            assert!(arrived.iter().any(|record| record.contains(text)), "{text}");
        }
    }
}

/// The files of a folder, by name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn records(text: &[u8]) -> Vec<Record> {
    lines(text).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs programs whose command lines are hard to carry, until the service has written to this many further files. Each has a record
/// for its start and one for its end.
fn run_programs(folder: &Path, files: usize) {
    let end = contents(folder).len() + files;
    // The middle of the second is cut: a line has at most 32,000 bytes.
    let options = ["a", &"x".repeat(40_000), "'\"\\{}日本語 😀 #{1+1} %s", "two\nlines\u{1}"];
    wait_for("more files", || {
        let word = word("followed");
        let held = options.map(|option| hold_as_user(&["sh", "-c", "read x", &word, option]));
        wait_for("their records", || {
            let written: Vec<_> = contents(folder).into_values().flatten().collect();
            (String::from_utf8_lossy(&written).matches(&format!("read x {word}")).count() >= held.len()).then_some(())
        });
        (contents(folder).len() >= end).then_some(())
    });
}

/// Gives the inode of a file to another file, with other records, and more of them. A program that knows the file by its inode would
/// go on in the middle.
fn reuse_inode(old: &Path, new: &Path) {
    let text = String::from_utf8(fs::read(old).unwrap()).unwrap();
    let other = |by: &str| text.replace("\"Computer\":\"", &format!("\"Computer\":\"{by}-"));
    fs::write(old, other("one") + &other("two")).unwrap();
    quiet(command("mv", &["--"]).arg(old).arg(new));
}
