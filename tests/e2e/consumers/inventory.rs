//! The inventory's configs of fluentd/ and fluent-bit/. Each has two sources: what has changed, and everything at a slower pace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::fluentd::{self, dry_run, zoned};
use super::{Agent, Event, Record, Shipped, ZONE, assert_carried, consumer, fluent_bit, shipped};
use crate::support::{Tree, lines, quiet};

/// What differs between the configs of the kinds.
struct Kind {
    name: &'static str,
    /// What follows `procline inventory`.
    command: &'static str,
    /// How often changes are looked for.
    seconds: u32,
    /// A file that the records are about, before and after a change. Its text is hard to carry.
    file: &'static str,
    texts: [&'static str; 2],
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "services",
        command: "services",
        seconds: 300,
        file: "root/etc/systemd/system/one.service",
        texts: [
            "[Unit]\nDescription=„Straße“ 日本語 😀 \" { } #{1+1} %%s\n[Service]\nExecStart=/bin/true\n",
            "[Unit]\nDescription=日本語 \\\\ ' \"\n[Service]\nUser=daemon\nExecStart=/bin/true\n",
        ],
    },
    Kind {
        name: "software",
        command: "software",
        seconds: 300,
        file: "root/var/lib/dpkg/status",
        texts: [
            "Package: one\nStatus: install ok installed\nMaintainer: 日本語 😀 \"q\" <a@example.com>\nArchitecture: all\n\
             Version: 1.0\nDescription: {\"pid\":1} #{1+1} \\u0041\n\nPackage: two\nStatus: install ok installed\n\
             Architecture: amd64\nVersion: 1\n",
            "Package: one\nStatus: install ok installed\nMaintainer: 日本語 😀 \"q\" <a@example.com>\nArchitecture: all\n\
             Version: 1.1\nDescription: changed\n\nPackage: three\nStatus: hold ok installed\nArchitecture: amd64\n\
             Version: 2:1-„1“\n",
        ],
    },
    Kind {
        name: "files",
        command: "files /etc --recursive --timeout 5m",
        seconds: 900,
        file: "root/etc/日本語 😀 \" d",
        texts: ["some text", "other text, which is never in a record"],
    },
];

impl Kind {
    fn tree(&self) -> Tree {
        let tree = Tree::copy();
        tree.write("root/etc/systemd/system/two.service", b"[Service]\nExecStart=/bin/true\n");
        tree.write(self.file, self.texts[0].as_bytes());
        tree
    }

    /// Changes the file at once: no run sees a half of it.
    fn change(&self, tree: &Tree) {
        tree.write("changed", self.texts[1].as_bytes());
        fs::rename(tree.path("changed"), tree.path(self.file)).unwrap();
    }

    /// What procline itself prints, without the time, which differs in each run.
    fn printed(&self, tree: &Tree, options: &[&str]) -> Vec<Record> {
        let arguments: Vec<_> = ["inventory"].into_iter().chain(self.command.split(' ')).collect();
        let output = quiet(tree.procline(&arguments).args(options).env("TZ", ZONE));
        let mut records: Vec<Record> =
            lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        records.iter_mut().for_each(|record| drop(record.remove("timestamp").expect("a timestamp")));
        records
    }

    /// The shipped command lines, of changes and of everything.
    fn commands(&self) -> [String; 2] {
        let everything = format!("/usr/bin/procline inventory {}", self.command);
        [format!("{everything} --changes /var/lib/procline/{}.jsonl", self.name), everything]
    }
}

/// How an agent is started with a config, and what it then emits.
struct Emitter<'a> {
    program: &'a Path,
    /// Writes the config of a kind into a folder, with short intervals and with `/var/lib/procline` there.
    config: fn(&Kind, &TempDir) -> std::path::PathBuf,
    events: fn(&Kind, &Path) -> Vec<Event>,
    time_of: fn(&str) -> String,
    without_complaint: fn(&Agent),
}

impl Emitter<'_> {
    /// The first run of a source emits all that is there, and a later one what has changed. The other source emits everything.
    fn emits(&self, kind: &Kind) {
        let (folder, tree, own) = (tempfile::tempdir().unwrap(), kind.tree(), tempfile::tempdir().unwrap());
        let state = own.path().join("state");
        let changes = || kind.printed(&tree, &["--changes", state.to_str().unwrap()]);
        let (everything, mut expected) = (kind.printed(&tree, &[]), changes());
        assert!(serde_json::to_string(&everything).unwrap().contains("日本語"), "{everything:?}");
        assert!(everything.len() >= 2 && expected.len() == everything.len());

        let config = (self.config)(kind, &folder);
        let mut agent = Agent::start(self.program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
        let log = agent.log.clone();
        let emitted = |is_change: bool| -> Vec<Event> {
            let events = (self.events)(kind, &log).into_iter();
            events.filter(|event| event.record.contains_key("change") == is_change).collect()
        };
        let found = agent.wait_for(2 * everything.len(), || emitted(false));
        assert_carried(found, &everything, self.time_of);
        agent.wait_for(expected.len(), || emitted(true));

        let before = emitted(false).len();
        kind.change(&tree);
        let changed = changes();
        assert!(changed.iter().any(|record| record["change"] == "modified"), "{changed:?}");
        expected.extend(changed);
        agent.wait_for(expected.len(), || emitted(true));
        // Later runs find nothing new.
        agent.wait_for(before + 3 * everything.len(), || emitted(false));
        let mut found = Vec::new();
        for Event { time, mut record } in emitted(true) {
            let timestamp = record.remove("timestamp").expect("a timestamp");
            assert_eq!(time, (self.time_of)(timestamp.as_str().unwrap()));
            found.push(record);
        }
        assert_eq!(sorted(found), sorted(expected));
        (self.without_complaint)(&agent);
        assert!(folder.path().join(format!("{}.jsonl", kind.name)).is_file());
    }
}

/// A file and its directory may be found changed in two runs.
fn sorted(records: Vec<Record>) -> BTreeMap<String, Record> {
    let count = records.len();
    let sorted: BTreeMap<_, _> =
        records.into_iter().map(|record| (serde_json::to_string(&record).unwrap(), record)).collect();
    assert_eq!(sorted.len(), count, "one came twice");
    sorted
}

/// The config with short intervals, and with another directory.
fn here(kind: &Kind, config: Shipped, interval: impl Fn(&str) -> String, folder: &TempDir) -> Shipped {
    config
        .with_procline()
        .with("/var/lib/procline/", &format!("{}/", folder.path().display()))
        .with(&interval(&kind.seconds.to_string()), &interval("1"))
        .with(&interval("36000"), &interval("1"))
}

#[test]
fn fluentd_emits_the_inventory() {
    let Some(program) = consumer("fluentd_emits_the_inventory", "FLUENTD", "fluentd") else {
        return;
    };
    let emitter = Emitter {
        program: &program,
        config: |kind, folder| {
            let config = folder.path().join("fluent.conf");
            let shipped = Shipped::read(&format!("fluentd/{}.conf", kind.name));
            here(kind, shipped, |seconds| format!("run_interval {seconds}s\n"), folder).write(&config);
            config
        },
        events: |kind, log| fluentd::events(log, &format!("procline.{}", kind.name)),
        time_of: zoned,
        without_complaint: fluentd::assert_without_complaint,
    };
    for kind in &KINDS {
        dry_run(&program, &[], &shipped(&format!("fluentd/{}.conf", kind.name)));
        emitter.emits(kind);
    }
}

#[test]
fn fluent_bit_emits_the_inventory() {
    let Some(program) = fluent_bit::fluent_bit("fluent_bit_emits_the_inventory") else {
        return;
    };
    let emitter = Emitter {
        program: &program,
        config: |kind, folder| {
            fluent_bit::prepare(folder, &format!("{}.yaml", kind.name), |shipped| {
                here(kind, shipped, |seconds| format!("interval_sec: {seconds}\n"), folder)
            })
        },
        events: |_, log| fluent_bit::events(log),
        time_of: fluent_bit::microseconds,
        without_complaint: fluent_bit::assert_without_complaint,
    };
    KINDS.iter().for_each(|kind| emitter.emits(kind));
}

/// Both sources of a config are like those of `host`. This test needs no agent.
#[test]
fn the_configs_of_the_inventory_are_alike() {
    let read = |name: &str| fs::read_to_string(shipped(name)).unwrap();
    // The lines of a text that are no comments.
    let code = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
    };
    for kind in &KINDS {
        let [changes, everything] = kind.commands();
        let sources = [(changes, kind.seconds), (everything, 36_000)];
        let named = |line: &str| line.replace("procline.host", &format!("procline.{}", kind.name));

        let host = code(&read("fluentd/host.conf"));
        let end = host.iter().position(|line| line == "</source>").unwrap() + 1;
        let (source, output) = host.split_at(end);
        let mut expected = Vec::new();
        for (command, seconds) in &sources {
            let line = |line: &String| {
                let line = named(line).replace("/usr/bin/procline host", command);
                line.replace("run_interval 60s", &format!("run_interval {seconds}s"))
            };
            expected.extend(source.iter().map(line));
            expected.push(String::new());
        }
        expected.extend(output[1..].iter().map(|line| named(line)));
        assert_eq!(code(&read(&format!("fluentd/{}.conf", kind.name))), expected);

        let host = code(&read("fluent-bit/host.yaml"));
        let begin = host.iter().position(|line| line.ends_with("- name: exec")).unwrap();
        let end = begin + host[begin..].iter().position(String::is_empty).unwrap() + 1;
        let named = |line: &String| named(line).replace("procline_host", &format!("procline_{}", kind.name));
        let mut expected: Vec<_> = host[..begin].iter().map(named).collect();
        for (command, seconds) in &sources {
            let line = |line: &String| {
                let line = named(line).replace("/usr/bin/procline host", command);
                line.replace("interval_sec: 60", &format!("interval_sec: {seconds}"))
            };
            expected.extend(host[begin..end].iter().map(line));
        }
        expected.extend(host[end..].iter().map(named));
        assert_eq!(code(&read(&format!("fluent-bit/{}.yaml", kind.name))), expected);
    }
}
