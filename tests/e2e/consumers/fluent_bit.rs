//! Fluent Bit with every file of fluent-bit/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::exec::Follower;
use super::{Agent, Event, KINDS, Shipped, assert_carried, consumer, free_port, hard_tree, printed, shipped, text};
use crate::support::{Tree, skip};

const FOLDER: &str = "fluent-bit";

/// The program, `None` if it cannot run commands.
pub fn fluent_bit(test: &str) -> Option<PathBuf> {
    let program = consumer(test, "FLUENT_BIT", "fluent-bit")?;
    let help = Command::new(&program).arg("--help").output().unwrap();
    if !String::from_utf8_lossy(&help.stdout).contains("Exec Input") {
        skip(test, "this fluent-bit is built without the exec input, as those of its container images are");
        return None;
    }
    Some(program)
}

/// Writes a shipped config to the folder of a test, beside the parsers that it names.
pub fn prepare(folder: &TempDir, name: &str, change: impl Fn(Shipped) -> Shipped) -> PathBuf {
    let parsers = "procline-parsers.conf";
    fs::copy(shipped(FOLDER).join(parsers), folder.path().join(parsers)).unwrap();
    let config = folder.path().join(name);
    change(Shipped::read(&format!("{FOLDER}/{name}"))).write(&config);
    config
}

/// What the stdout output printed.
pub fn events(log: &Path) -> Vec<Event> {
    let parse = |line: &str| {
        let mut record: super::Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = record.remove("date").expect("a date").as_str().unwrap().to_owned();
        Event { time, record }
    };
    text(log).lines().filter(|line| line.starts_with('{')).map(parse).collect()
}

/// The stdout output prints microseconds.
pub fn microseconds(timestamp: &str) -> String {
    timestamp.replace('Z', "000Z")
}

pub fn assert_without_complaint(agent: &Agent) {
    // An earlier agent of the test may have warned of its own stop.
    let log = agent.log().replace("[ warn] [engine] service will shutdown", "");
    assert!(!log.contains("[ warn]") && !log.contains("[error]"), "{log}");
}

/// Runs a shipped config by itself, and as an include of another config.
fn runs(test: &str, name: &str, [interval, often]: [&str; 2], own: &str) {
    let Some(program) = fluent_bit(test) else {
        return;
    };
    let tree = hard_tree();
    let printed = printed(&tree, &[]);
    for included in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = prepare(&folder, name, |config| config.with_procline().with(interval, often));
        if included {
            config.set_file_name(format!("main-{name}"));
            fs::write(&config, own).unwrap();
            fs::write(folder.path().join("parsers.conf"), "[PARSER]\n    Name mine\n    Format json\n").unwrap();
        }
        let mut agent = Agent::start(&program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
        let log = agent.log.clone();
        let found = agent.wait_for(2 * printed.len(), || events(&log));
        assert_carried(found, &printed, microseconds);
        assert_without_complaint(&agent);
    }
}

#[test]
fn fluent_bit_emits_every_record() {
    let own = "service:\n  flush: 1\nparsers:\n  - name: mine\n    format: json\nincludes:\n  - procline.yaml\n";
    let often = ["interval_sec: 60", "interval_sec: 1"];
    runs("fluent_bit_emits_every_record", "procline.yaml", often, own);
}

#[test]
fn fluent_bit_in_the_classic_form() {
    let own = "[SERVICE]\n    Flush 1\n    Parsers_File parsers.conf\n@INCLUDE procline.conf\n";
    let often = ["Interval_Sec 60", "Interval_Sec 1"];
    runs("fluent_bit_in_the_classic_form", "procline.conf", often, own);
}

/// Each other kind by itself, and beside procline.yaml, both included by another config.
#[test]
fn fluent_bit_emits_the_other_records() {
    let Some(program) = fluent_bit("fluent_bit_emits_the_other_records") else {
        return;
    };
    for kind in &KINDS {
        let name = format!("{}.yaml", kind.name);
        let (tree, printed) = kind.tree();
        let own = format!("service:\n  flush: 1\nincludes:\n  - procline.yaml\n  - {name}\n");
        for included in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let change = |seconds: u32| {
                move |config: Shipped| {
                    config.with_procline().with(&format!("interval_sec: {seconds}"), "interval_sec: 1")
                }
            };
            let mut config = prepare(&folder, &name, change(kind.seconds));
            if included {
                prepare(&folder, "procline.yaml", change(60));
                config.set_file_name("main.yaml");
                fs::write(&config, &own).unwrap();
            }
            let mut agent = Agent::start(&program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
            let log = agent.log.clone();
            let of_kind = |is_own: bool| -> Vec<Event> {
                let found = events(&log).into_iter();
                found.filter(|event| event.record.contains_key(kind.own) == is_own).collect()
            };
            let found = agent.wait_for(2 * printed.len(), || of_kind(true));
            assert_carried(kind.steady_events(found), &printed, microseconds);
            if included {
                agent.wait_for(1, || of_kind(false));
            } else {
                assert!(of_kind(false).is_empty());
            }
            assert_without_complaint(&agent);
        }
    }
}

/// The files of `procline exec`, of which a new one appears each hour.
#[test]
fn fluent_bit_emits_every_program() {
    const TEST: &str = "fluent_bit_emits_every_program";
    let Some(program) = consumer(TEST, "FLUENT_BIT", "fluent-bit") else {
        return;
    };
    let follower = Follower {
        program: &program,
        config: |own, files| {
            prepare(own, "exec.yaml", |config| {
                config
                    .with("/var/log/procline-exec/", &format!("{}/", files.display()))
                    .with("/var/lib/fluent-bit/", &format!("{}/", own.path().display()))
                    .with("refresh_interval: 5", "refresh_interval: 1")
            })
        },
        events,
        // The agent computes with binary fractions, and cuts them: it may be a microsecond off.
        is_at: |time, timestamp| {
            let [time, timestamp] = [time, timestamp].map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap());
            (timestamp - time).abs() <= chrono::TimeDelta::microseconds(1)
        },
        without_complaint: assert_without_complaint,
    };
    follower.follows(TEST);
}

#[test]
fn fluent_bit_from_the_edge_to_the_aggregator() {
    let Some(program) = fluent_bit("fluent_bit_from_the_edge_to_the_aggregator") else {
        return;
    };
    // Each process has its own folder, and so its own log.
    let (far, near, tree) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);
    let port = format!("port: {}", free_port());
    let aggregator = prepare(&far, "aggregator.yaml", |config| {
        config.with("listen: 0.0.0.0", "listen: 127.0.0.1").with("port: 24224", &port)
    });
    let edge = prepare(&near, "edge.yaml", |config| {
        config
            .with_procline()
            .with("interval_sec: 60", "interval_sec: 1")
            .with("host: aggregator.example.com", "host: 127.0.0.1")
            .with("port: 24224", &port)
    });
    // The aggregator needs no procline.
    let nothing = Tree::copy();
    let mut receiving = Agent::start(&program, &["-c".as_ref(), aggregator.as_ref()], &far, &nothing);
    let log = receiving.log.clone();
    receiving.wait_for(1, || text(&log).lines().filter(|line| line.contains("listening on")).map(|_| ()).collect());
    let sending = Agent::start(&program, &["-c".as_ref(), edge.as_ref()], &near, &tree);
    let found = receiving.wait_for(2 * printed.len(), || events(&log));
    assert_carried(found, &printed, microseconds);
    assert_without_complaint(&receiving);
    assert_without_complaint(&sending);
}

/// Fluent Bit's own check accepts the files as they ship. It knows the properties of each plugin.
#[test]
fn fluent_bit_accepts_every_config() {
    let Some(program) = fluent_bit("fluent_bit_accepts_every_config") else {
        return;
    };
    for entry in fs::read_dir(shipped(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "README.md" || name == "procline-parsers.conf" {
            continue;
        }
        let mut check = Command::new(&program);
        check.arg("--dry-run").arg("-c").arg(&path).current_dir(shipped(FOLDER)).env("PROCLINE_CLIENT_SECRET", "x");
        let output = check.output().unwrap();
        let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && report.contains("test is successful"), "{name}: {report}");
        assert!(!report.contains("[ warn]") && !report.contains("[error]"), "{name}: {report}");
    }
}

/// What the values in the shipped files must be. This test does not need Fluent Bit.
#[test]
fn the_longest_line_fits_and_the_two_forms_are_the_same() {
    let help = String::from_utf8(crate::support::quiet(&mut crate::support::procline(&["--help"]))).unwrap();
    let (_, after) = help.split_once("--max-record-bytes <N>").unwrap();
    let (_, after) = after.split_once("[default: ").unwrap();
    let longest: usize = after.split(']').next().unwrap().parse().unwrap();
    let read = |name: &str| fs::read_to_string(shipped(FOLDER).join(name)).unwrap();
    // The words of a text without comments, in lower case: `name: value` and `Name value` are equal.
    let words = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        lines
            .flat_map(str::split_whitespace)
            .map(|word| word.trim_matches(|c| c == ':' || c == '"').to_lowercase())
            .collect()
    };
    // Everything but the comments and the name.
    let parser = |name: &str| -> Vec<String> {
        let text = read(name);
        let section = text.split_once("parsers:").unwrap().1.split_once("pipeline:").unwrap().0;
        words(section).into_iter().filter(|word| !word.starts_with("procline")).collect()
    };
    let kinds = KINDS.map(|kind| (format!("{}.yaml", kind.name), format!("procline_{}", kind.name)));
    for kind in &KINDS {
        let text = read(&format!("{}.yaml", kind.name));
        assert!(text.contains(&format!("command: /usr/bin/procline {}\n", kind.command)), "{text}");
        assert!(text.contains(&format!("interval_sec: {}\n", kind.seconds)), "{text}");
        assert_eq!(text.matches(&format!(": procline.{}\n", kind.name)).count(), 2, "the tag and the match");
    }
    let processes = ["procline.yaml", "procline.conf", "edge.yaml", "azure-logs-ingestion.yaml"];
    let processes = processes.map(|name| (name.to_owned(), "procline".to_owned()));
    for (name, its_parser) in kinds.iter().chain(&processes) {
        let words = words(&read(name));
        let value =
            |key: &str| &words[words.iter().position(|word| word == key).unwrap_or_else(|| panic!("{key}")) + 1];
        let size: usize = value("buf_size").strip_suffix('k').unwrap().parse().unwrap();
        assert!(size * 1000 >= longest + 2, "{name}");
        assert_eq!(value("threaded"), "on", "{name}");
        assert_eq!(value("parser"), its_parser, "{name}");
        assert!(name.ends_with(".conf") || parser(name) == parser("procline.yaml"), "{name}");
    }
    let mut conversions =
        [read("procline.yaml"), read("procline-parsers.conf") + &read("procline.conf")].map(|text| words(&text));
    for form in &mut conversions {
        let structure =
            ["-", "parsers", "pipeline", "inputs", "outputs", "[parser]", "[service]", "[input]", "[output]"];
        form.retain(|word| !structure.contains(&word.as_str()) && !word.starts_with("parsers_file"));
        form.retain(|word| word != "procline-parsers.conf");
        form.sort();
    }
    assert_eq!(conversions[0], conversions[1]);
}

/// The two files of packaging/kubernetes/fluent-bit.yaml: one reads what procline appended to a file, and the other a log as
/// containerd writes it, with the long lines split at 16 KiB.
#[test]
fn fluent_bit_reads_the_files_of_a_node() {
    const TEST: &str = "fluent_bit_reads_the_files_of_a_node";
    let Some(program) = consumer(TEST, "FLUENT_BIT", "fluent-bit") else {
        return;
    };
    // The files are blocks in the ConfigMap. In the agent's container is no parser of YAML.
    let map = fs::read_to_string(shipped("packaging/kubernetes/fluent-bit.yaml")).unwrap();
    let file = |name: &str| -> String {
        let (_, after) = map.split_once(&format!("\n  {name}: |\n")).expect("a block");
        let block = after.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
        block.map(|line| line.strip_prefix("    ").unwrap_or_default().to_owned() + "\n").collect()
    };
    for (name, logs) in
        [("procline-files.yaml", "/var/log/procline/"), ("procline-stdout.yaml", "/var/log/containers/")]
    {
        let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
        let node = folder.path().join("node");
        fs::create_dir(&node).unwrap();
        let printed = printed(&tree, &[]);
        let mut lines = Vec::new();
        for _ in 0..2 {
            lines.extend(crate::support::quiet(tree.procline(&[]).env("TZ", super::ZONE)));
        }
        let log_name = if name == "procline-stdout.yaml" {
            lines = as_containerd(&lines);
            "procline-x7k2p_procline_procline-0123456789abcdef.log"
        } else {
            "2026-01-02.jsonl"
        };
        fs::write(node.join(log_name), lines).unwrap();
        let config = folder.path().join(name);
        let own = "  outputs:\n    - name: stdout\n      match: '*'\n      format: json_lines\n      \
                   json_date_key: date\n      json_date_format: iso8601\n";
        let shipped = Shipped(file(name) + own);
        let here = |path: &Path| format!("{}/", path.display());
        shipped.with(logs, &here(&node)).with("/var/lib/fluent-bit/", &here(folder.path())).write(&config);
        let mut agent = Agent::start(&program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
        let log = agent.log.clone();
        let found = agent.wait_for(2 * printed.len(), || events(&log));
        assert_carried(found, &printed, microseconds);
        assert_without_complaint(&agent);
    }
}

/// Lines as containerd writes them to a container's log: a time, the stream, and whether the line goes on.
fn as_containerd(lines: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let parts: Vec<_> = line.chunks(16 * 1024).collect();
        for (place, part) in parts.iter().enumerate() {
            let goes_on = if place + 1 < parts.len() { "P" } else { "F" };
            log.extend(format!("2026-01-02T03:04:05.678901234Z stdout {goes_on} ").bytes());
            log.extend(*part);
            log.push(b'\n');
        }
    }
    log
}
