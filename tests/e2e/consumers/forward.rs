//! `--forward` to real receivers, with the configs that ship for it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::fluentd::{self, dry_run, zoned};
use super::{Agent, Event, Record, Shipped, ZONE, assert_carried, consumer, fluent_bit, free_port, hard_tree, printed};
use super::{shipped, text};
use crate::support::{Tree, complaint, procline, quiet};

/// A key that a test shares with its receiver.
const KEY: &str = "example-key";

/// Enough records for several batches.
fn tree() -> Tree {
    let tree = hard_tree();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    for pid in 3000..3200 {
        tree.write(&format!("proc/{pid}/stat"), stat.replace("1200 (", &format!("{pid} (")).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), &[b'x'; 3000]);
    }
    tree
}

/// A receiver's folder, with the key, its socket and what it logs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("forward.key"), format!("{KEY}\n")).unwrap();
        fs::write(folder.path().join("another.key"), "another-key\n").unwrap();
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A receiver that runs.
struct Receiver<'a> {
    agent: Agent,
    folder: &'a Folder,
    port: u16,
    /// The events with the tag of a kind of record.
    events: fn(&str, &Path) -> Vec<Event>,
    time_of: fn(&str) -> String,
}

impl Receiver<'_> {
    fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Waits until it is ready, so that it is no fault of its that it did not answer yet.
    fn is_ready(&mut self, listeners: usize) {
        let log = self.agent.log.clone();
        self.agent.wait_for(listeners, || {
            let ready = |line: &&str| line.contains("listening");
            text(&log).lines().filter(ready).map(str::to_owned).collect()
        });
    }

    /// The events of a kind that it has emitted, when there are so many.
    fn wait_for(&mut self, count: usize, kind: &str) -> Vec<Event> {
        let (log, events) = (self.agent.log.clone(), self.events);
        self.agent.wait_for(count, || events(kind, &log))
    }

    /// All records of two snapshots arrive once, value by value, with the tag and the time.
    fn gets_every_record(&mut self, options: &[&str]) {
        let tree = tree();
        let printed = printed(&tree, &[]);
        let before = self.wait_for(0, "process").len();
        for _ in 0..2 {
            quiet(tree.procline(&["--timeout", "5m"]).arg("--forward").args(options).env("TZ", ZONE));
        }
        // A record with another tag comes last, so nothing else is on its way.
        let hosts = self.wait_for(0, "host").len();
        quiet(tree.procline(&["host", "--timeout", "5m"]).arg("--forward").args(options));
        self.wait_for(hosts + 1, "host");
        let found = self.wait_for(before + 2 * printed.len(), "process").split_off(before);
        assert_eq!(found.len(), 2 * printed.len());
        assert_carried(found, &printed, self.time_of);
    }

    /// A sender with another key is refused, and so is one without a key.
    fn refuses_other_keys(&mut self) {
        let before = self.wait_for(0, "host").len();
        let wrong = self.folder.path("another.key");
        for (options, expected) in
            [(&["--shared-key-file", &wrong][..], ""), (&[], "it wants a shared key: add --shared-key-file")]
        {
            let address = self.tcp();
            let mut command = procline(&["host", "--timeout", "5s", "--forward", &address]);
            let (code, error) = complaint(&command.args(options).output().unwrap());
            assert!(code == 1 && error.contains("cannot forward 1 record") && error.contains(expected), "{error}");
        }
        assert_eq!(self.wait_for(before, "host").len(), before);
    }

    /// Changes are new until the receiver has acknowledged them.
    fn acknowledges_changes(&mut self, options: &[&str]) {
        let (state, seen) = (self.folder.path("state"), self.folder.path("seen"));
        let _ = fs::remove_file(&state);
        let before = self.wait_for(0, "files").len();
        let forward = |options: &[&str], timeout: &str| {
            let mut command =
                procline(&["inventory", "files", &seen, "--fields", "path,size,timestamp", "--changes", &state]);
            command.args(["--timeout", timeout, "--forward"]).args(options).output().unwrap()
        };
        let nobody = format!("unix:{}", self.folder.path("nobody"));
        for (count, change) in [(1, "added"), (2, "modified")] {
            fs::write(&seen, vec![b'x'; count]).unwrap();
            let earlier = fs::read(&state).ok();
            let (code, error) = complaint(&forward(&[&nobody], "1s"));
            assert!(code == 1 && error.contains("cannot forward 1 record"), "{error}");
            assert_eq!(fs::read(&state).ok(), earlier);
            for _ in 0..2 {
                // The second of the two runs has nothing to send.
                let output = forward(options, "5m");
                assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            }
            assert_ne!(fs::read(&state).ok(), earlier);
            let found = self.wait_for(before + count, "files").split_off(before);
            assert_eq!(found.len(), count);
            let Event { time, record } = found.into_iter().next_back().unwrap();
            assert_eq!(record["change"], change);
            assert_eq!(record["size"], count);
            assert_eq!(time, (self.time_of)(record["timestamp"].as_str().unwrap()));
        }
    }
}

/// Fluentd with the shipped config.
fn fluentd<'a>(program: &Path, folder: &'a Folder, tree: &Tree, has_key: bool) -> Receiver<'a> {
    let port = free_port();
    let mut shipped = Shipped::read("fluentd/forward.conf")
        .with("port 24224", &format!("port {port}"))
        .with("/etc/procline/", &folder.path(""))
        .with("/run/fluent/", &folder.path(""));
    if !has_key {
        let (_, after) = shipped.0.split_once("  <security>\n").expect("a key");
        let (section, _) = after.split_once("  </security>\n").unwrap();
        let section = format!("  <security>\n{section}  </security>\n");
        shipped = shipped.with(&section, "");
    }
    let config = folder.0.path().join("forward.conf");
    shipped.write(&config);
    dry_run(program, &[], &config);
    let agent = Agent::start(program, &["-c".as_ref(), config.as_ref()], &folder.0, tree);
    let events = |kind: &str, log: &Path| fluentd::events(log, &format!("procline.{kind}"));
    let mut receiver = Receiver { agent, folder, port, events, time_of: zoned };
    receiver.is_ready(2);
    receiver
}

#[test]
fn fluentd_receives_what_is_forwarded() {
    let Some(program) = consumer("fluentd_receives_what_is_forwarded", "FLUENTD", "fluentd") else {
        return;
    };
    let (folder, tree) = (Folder::new(), Tree::copy());
    let key = folder.path("forward.key");
    let mut receiver = fluentd(&program, &folder, &tree, true);
    let tcp = receiver.tcp();
    receiver.gets_every_record(&[&tcp, "--shared-key-file", &key]);
    receiver.acknowledges_changes(&[&tcp, "--shared-key-file", &key]);
    fluentd::assert_without_complaint(&receiver.agent);
    receiver.refuses_other_keys();

    let folder = Folder::new();
    let mut receiver = fluentd(&program, &folder, &tree, false);
    let tcp = receiver.tcp();
    receiver.gets_every_record(&[&tcp]);
    receiver.acknowledges_changes(&[&tcp]);
    fluentd::assert_without_complaint(&receiver.agent);
}

/// A socket of Fluentd never acknowledges.
#[test]
fn fluentd_receives_by_a_socket() {
    let Some(program) = consumer("fluentd_receives_by_a_socket", "FLUENTD", "fluentd") else {
        return;
    };
    let (folder, tree) = (Folder::new(), Tree::copy());
    let mut receiver = fluentd(&program, &folder, &tree, true);
    let socket = format!("unix:{}", folder.path("procline.sock"));
    receiver.gets_every_record(&[&socket, "--no-ack"]);
    let output = procline(&["host", "--timeout", "2s", "--forward", &socket]).output().unwrap();
    let (code, error) = complaint(&output);
    assert!(code == 1 && error.contains("it does not acknowledge"), "{error}");
    fluentd::assert_without_complaint(&receiver.agent);
}

/// Fluent Bit with the shipped config, which then prints the records with these tags.
fn fluent_bit<'a>(program: &Path, folder: &'a Folder, tree: &Tree, has_key: bool, tags: &str) -> Receiver<'a> {
    let port = free_port();
    let config: PathBuf = fluent_bit::prepare(&folder.0, "forward.yaml", |shipped| {
        let shipped = shipped
            .with("port: 24224", &format!("port: {port}"))
            .with("/run/fluent-bit.sock", &folder.path("procline.sock"))
            .with("match: procline.*", &format!("match: {tags}"));
        if has_key {
            shipped.with("shared_key: EXAMPLE", &format!("shared_key: {KEY}"))
        } else {
            shipped.with("      shared_key: EXAMPLE\n      self_hostname: fluent-bit\n", "")
        }
    });
    let agent = Agent::start(program, &["-c".as_ref(), config.as_ref()], &folder.0, tree);
    // A field that no other kind has.
    let events = |kind: &str, log: &Path| {
        let own = [("process", "vsz"), ("host", "boot_time"), ("files", "path")];
        let own = own.iter().find(|(name, _)| *name == kind).expect("a kind").1;
        let of_kind = |record: &Record| record.contains_key(own);
        fluent_bit::events(log).into_iter().filter(|event| of_kind(&event.record)).collect()
    };
    let mut receiver = Receiver { agent, folder, port, events, time_of: fluent_bit::microseconds };
    receiver.is_ready(2);
    receiver
}

#[test]
fn fluent_bit_receives_what_is_forwarded() {
    const TEST: &str = "fluent_bit_receives_what_is_forwarded";
    // The images of containers have this input, too.
    let Some(program) = consumer(TEST, "FLUENT_BIT", "fluent-bit") else {
        return;
    };
    let (folder, tree) = (Folder::new(), Tree::copy());
    let (key, socket) = (folder.path("forward.key"), format!("unix:{}", folder.path("procline.sock")));
    let mut receiver = fluent_bit(&program, &folder, &tree, true, "procline.*");
    let tcp = receiver.tcp();
    for options in [&[tcp.as_str(), "--shared-key-file", &key][..], &[&socket]] {
        receiver.gets_every_record(options);
        receiver.acknowledges_changes(options);
    }
    fluent_bit::assert_without_complaint(&receiver.agent);
    receiver.refuses_other_keys();

    let folder = Folder::new();
    let mut receiver = fluent_bit(&program, &folder, &tree, false, "procline.*");
    let tcp = receiver.tcp();
    receiver.gets_every_record(&[&tcp]);
    receiver.acknowledges_changes(&[&tcp]);
    fluent_bit::assert_without_complaint(&receiver.agent);

    // Its output prints no tag, and no record with another tag.
    let folder = Folder::new();
    let mut receiver = fluent_bit(&program, &folder, &tree, false, "procline.host");
    let tcp = receiver.tcp();
    quiet(&mut tree.procline(&["--timeout", "5m", "--forward", &tcp]));
    quiet(&mut tree.procline(&["host", "--timeout", "5m", "--forward", &tcp, "--tag", "other.host"]));
    quiet(&mut tree.procline(&["host", "--timeout", "5m", "--forward", &tcp]));
    assert_eq!(receiver.wait_for(1, "host").len(), 1);
    assert_eq!(receiver.wait_for(0, "process").len(), 0);
}

/// The commands of the documentation work with these configs. This test needs no agent.
#[test]
fn the_receivers_listen_where_the_documentation_sends() {
    for (folder, config, addresses) in [
        ("fluentd", "forward.conf", ["port 24224", "path /run/fluent/procline.sock"]),
        ("fluent-bit", "forward.yaml", ["port: 24224", "unix_path: /run/fluent-bit.sock"]),
    ] {
        let read = |name: &str| fs::read_to_string(shipped(folder).join(name)).unwrap();
        let (config, documentation) = (read(config), read("README.md"));
        for address in addresses {
            assert!(config.contains(address), "{address}");
        }
        let socket = addresses[1].split(' ').next_back().unwrap();
        for words in ["--forward 127.0.0.1:24224", &format!("--forward unix:{socket}")] {
            assert!(documentation.contains(words), "{folder}: {words}");
        }
    }
}
