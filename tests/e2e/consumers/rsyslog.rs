//! rsyslog with contrib/rsyslog.conf: it follows files, and this test is the collector.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Agent, Event, PATIENCE, Shipped, assert_carried, consumer, hard_tree, printed};
use crate::exec_stream::{Stream, hold_as_user, word};
use crate::limit::wait_for;
use crate::support::{Tree, lines, quiet};

/// A running rsyslog, and the messages that it sends.
struct Rsyslog {
    agent: Agent,
    messages: Receiver<Vec<u8>>,
}

impl Rsyslog {
    /// It follows the files in `folder`, as if that were /var/log/procline, and in its folder `exec`.
    fn start(program: &Path, folder: &TempDir, tree: &Tree) -> Self {
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = collector.local_addr().unwrap().port().to_string();
        Shipped::read("contrib/rsyslog.conf")
            .with("/var/log/procline/", &path(""))
            .with("/var/log/procline-exec/", &path("exec/"))
            .with("\"logs.example.com\"", "\"127.0.0.1\"")
            .with("\"514\"", &format!("{port:?}"))
            .write(path("procline.conf").as_ref());
        // The main config of an installation sets a folder for the state, and includes the others.
        let main = format!("global(workDirectory={:?})\ninclude(file={:?})\n", path(""), path("procline.conf"));
        fs::write(path("main.conf"), main).unwrap();
        let (config, pid) = (path("main.conf"), path("pid"));
        let arguments = ["-n", "-f", &config, "-i", &pid].map(AsRef::as_ref);
        let agent = Agent::start(program, &arguments, folder, tree);
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(collector.accept().unwrap().0).split(b'\n') {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Rsyslog { agent, messages }
    }

    /// The next message: its line, unchanged, and the event.
    fn next(&self, expected_tag: &str) -> (String, Event) {
        let message = self.messages.recv_timeout(PATIENCE);
        let message = message.unwrap_or_else(|_| panic!("nothing came; its log:\n{}", self.agent.log()));
        let message = String::from_utf8(message).unwrap();
        let [priority, time, computer, tag, rest] = message.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            panic!("{message}")
        };
        let line = rest.strip_prefix("- - - ").unwrap();
        let record: super::Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!((priority, tag, computer), ("<134>1", expected_tag, record["Computer"].as_str().unwrap()));
        (line.to_owned(), Event { time: time.to_owned(), record })
    }
}

#[test]
fn rsyslog_follows_a_file_and_forwards_its_lines() {
    let Some(program) = consumer("rsyslog_follows_a_file_and_forwards_its_lines", "RSYSLOGD", "rsyslogd") else {
        return;
    };
    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);

    // The file has one snapshot at the start. A line that a kill has torn follows, and then a second snapshot.
    const TORN: &str = "{\"user\":\"root\",\"pid\":1,\"comm";
    let file = folder.path().join("today.jsonl").to_str().unwrap().to_owned();
    let append = || assert!(quiet(&mut tree.procline(&["--output", &file])).is_empty());
    append();
    let rsyslog = Rsyslog::start(&program, &folder, &tree);
    let mut received: Vec<_> = printed.iter().map(|_| rsyslog.next("procline")).collect();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(TORN.as_bytes()).unwrap();
    append();
    received.extend(printed.iter().map(|_| rsyslog.next("procline")));

    let given = fs::read_to_string(&file).unwrap().replace(&format!("{TORN}\n"), "");
    let (untouched, events): (Vec<_>, Vec<_>) = received.into_iter().unzip();
    // No byte is changed.
    assert_eq!(untouched.join("\n") + "\n", given);
    assert_carried(events, &printed, str::to_owned);
}

/// procline begins a file each second, and the directory is missing at first. Every line arrives, long ones too.
#[test]
fn rsyslog_follows_the_files_of_exec() {
    const TEST: &str = "rsyslog_follows_the_files_of_exec";
    let Some(program) = consumer(TEST, "RSYSLOGD", "rsyslogd") else { return };
    let (folder, tree) = (tempfile::tempdir().unwrap(), Tree::copy());
    let rsyslog = Rsyslog::start(&program, &folder, &tree);
    let place = folder.path().join("exec");
    let pattern = place.join("%Y-%m-%dT%H%M%S.jsonl");
    let Some(mut stream) = Stream::start(TEST, &["--exits", "--output", pattern.to_str().unwrap()]) else { return };
    let files = || {
        let entries = fs::read_dir(&place).into_iter().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let long = "x".repeat(60_000);
    let mut words = Vec::new();
    wait_for("three files", || {
        for argument in [long.as_str(), "日本語 \"\\ \u{1}"] {
            let word = word("rsyslog");
            let held = hold_as_user(&["sh", "-c", "read x", argument, &word]);
            // `setpriv` has a record first, with the same words.
            let program = format!("\"pid\":{},\"name\":\"sh\"", held.0.id());
            wait_for("the record", || {
                let texts = files().into_iter().map(|path| fs::read_to_string(path).unwrap_or_default());
                texts.into_iter().any(|text| text.contains(&program)).then_some(())
            });
            words.push(word);
        }
        (files().len() >= 3).then_some(())
    });
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    let texts: Vec<_> = files().iter().map(|path| fs::read(path).unwrap()).collect();
    let mut given: Vec<_> = texts.iter().flat_map(|text| lines(text)).map(str::to_owned).collect();
    assert!(given.iter().any(|line| line.len() + 1 == 32_000), "none is long");
    for word in &words {
        let is_of_it = |line: &&String| line.contains("\"event\":\"exec\"") && line.contains(word.as_str());
        assert!(given.iter().any(|line| is_of_it(&line)), "{word}");
    }
    let mut received = Vec::new();
    for _ in &given {
        let (line, event) = rsyslog.next("procline-exec");
        assert_eq!(event.time, event.record["timestamp"].as_str().unwrap());
        received.push(line);
    }
    // rsyslog reads several files at once.
    given.sort();
    received.sort();
    assert!(received == given);
}
