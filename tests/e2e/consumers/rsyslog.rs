//! rsyslog with contrib/rsyslog.conf: it follows a file, and this test is the collector.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use super::{Agent, Event, PATIENCE, Shipped, assert_carried, consumer, hard_tree, printed};
use crate::support::quiet;

#[test]
fn rsyslog_follows_a_file_and_forwards_its_lines() {
    let Some(program) = consumer("rsyslog_follows_a_file_and_forwards_its_lines", "RSYSLOGD", "rsyslogd") else {
        return;
    };
    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = collector.local_addr().unwrap().port().to_string();
    Shipped::read("contrib/rsyslog.conf")
        .with("/var/log/procline/", &path(""))
        .with("\"logs.example.com\"", "\"127.0.0.1\"")
        .with("\"514\"", &format!("{port:?}"))
        .write(path("procline.conf").as_ref());
    // The main config of an installation sets a folder for the state, and includes the others.
    let main = format!("global(workDirectory={:?})\ninclude(file={:?})\n", path(""), path("procline.conf"));
    fs::write(path("main.conf"), main).unwrap();

    // The file has one snapshot at the start. A line that a kill has torn follows, and then a second snapshot.
    const TORN: &str = "{\"user\":\"root\",\"pid\":1,\"comm";
    let lines = path("today.jsonl");
    let append = || assert!(quiet(&mut tree.procline(&["--output", &lines])).is_empty());
    append();
    let (config, pid) = (path("main.conf"), path("pid"));
    let arguments = ["-n", "-f", &config, "-i", &pid].map(AsRef::as_ref);
    let agent = Agent::start(&program, &arguments, &folder, &tree);

    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(collector.accept().unwrap().0).split(b'\n') {
            if sender.send(line.unwrap()).is_err() {
                break;
            }
        }
    });
    let next = || receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nothing came; its log:\n{}", agent.log()));
    let mut received: Vec<_> = printed.iter().map(|_| next()).collect();
    OpenOptions::new().append(true).open(&lines).unwrap().write_all(TORN.as_bytes()).unwrap();
    append();
    received.extend(printed.iter().map(|_| next()));

    let given = fs::read_to_string(&lines).unwrap().replace(&format!("{TORN}\n"), "");
    let mut untouched = Vec::new();
    let mut events = Vec::new();
    for message in received {
        let message = String::from_utf8(message).unwrap();
        let [priority, time, computer, tag, rest] = message.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            panic!("{message}")
        };
        let line = rest.strip_prefix("- - - ").unwrap();
        let record: super::Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!((priority, tag, computer), ("<134>1", "procline", record["Computer"].as_str().unwrap()));
        events.push(Event { time: time.to_owned(), record });
        untouched.push(line.to_owned() + "\n");
    }
    // No byte is changed.
    assert_eq!(untouched.concat(), given);
    assert_carried(events, &printed, str::to_owned);
}
