//! contrib/splunk: Splunk's own checker accepts the app, and its settings fit what procline prints of every kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::ama::{all_units, arguments, feed, file, tool};
use crate::exec_stream::{Stream, hold, word};
use crate::limit::wait_for;
use crate::support::{Running, command, lacks, lines, procline, quiet};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/splunk");
const APP: &str = "TA-procline";
const PROPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/splunk/TA-procline/default/props.conf");

/// The settings of each stanza of a file.
fn stanzas(name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = fs::read_to_string(Path::new(FOLDER).join(APP).join("default").join(name)).unwrap();
    let mut stanzas: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut stanza = None;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            assert!(!stanzas.contains_key(name), "{name} twice");
            stanza = Some(stanzas.entry(name.to_owned()).or_default());
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let before = stanza.as_mut().expect("a stanza").insert(key.to_owned(), value.to_owned());
        assert_eq!(before, None, "{key} twice");
    }
    stanzas
}

/// How many checks of AppInspect say what of an app, and the names of those that warn.
fn inspect(test: &str, app: &Path) -> Option<(BTreeMap<String, u64>, Vec<String>)> {
    let packages = tool(test, "splunk")?;
    let report = tempfile::tempdir().unwrap();
    let path = report.path().join("report.json");
    let mut checker = command("python3", &[packages.join("bin/splunk-appinspect").to_str().unwrap(), "inspect"]);
    checker.arg(app).args(["--mode", "test", "--skip-trusted-libraries-update", "--data-format", "json"]);
    checker.arg("--output-file").arg(&path).current_dir(report.path()).env("HOME", report.path());
    checker.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    // Its exit code says nothing of the app.
    let output = checker.output().unwrap();
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{output:?}"));
    let report: Value = serde_json::from_str(&text).unwrap();
    let checks = report["reports"][0]["groups"].as_array().unwrap().iter();
    let checks = checks.flat_map(|group| group["checks"].as_array().unwrap());
    let warnings = checks.filter(|check| check["result"] == "warning");
    let names = warnings.map(|check| check["name"].as_str().unwrap().to_owned()).collect();
    Some((serde_json::from_value(report["summary"].clone()).unwrap(), names))
}

/// The app in a folder of its own, with the modes that a package has.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    quiet(command("cp", &["-r", "--", &format!("{FOLDER}/{APP}")]).arg(folder.path()));
    let app = folder.path().join(APP);
    quiet(command("chmod", &["-R", "u=rwX,go=rX", "--"]).arg(&app));
    (folder, app)
}

#[test]
fn the_vendors_checker_accepts_the_app() {
    let test = "the_vendors_checker_accepts_the_app";
    if lacks(test, false, &["python3"]) {
        return;
    }
    let (_folder, app) = copy();
    let Some((summary, warnings)) = inspect(test, &app) else { return };
    assert_eq!((summary["error"], summary["failure"], summary["future_failure"]), (0, 0, 0), "{summary:?}");
    assert!(summary["success"] > 50, "{summary:?}");
    // Splunk's cloud does not give inputs to indexers. They are for forwarders.
    assert_eq!(warnings, ["check_for_indexer_synced_configs"]);
    // It does find faults.
    let props = app.join("default/props.conf");
    let text = fs::read_to_string(&props).unwrap();
    fs::write(&props, format!("{text}\n[procline:exec]\nTZ = UTC\n")).unwrap();
    let (twice, _) = inspect(test, &app).unwrap();
    assert!(twice["failure"] + twice["warning"] > 1, "{twice:?}");
}

/// The events that Splunk would make of lines: their times and texts. None if the test must be skipped.
fn events(source_type: &str, output: &[u8]) -> Vec<(DateTime<Utc>, String)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/splunk/events.py");
    let input = std::str::from_utf8(output).unwrap();
    let (success, output, errors) = feed(&mut command("python3", &["-IS", script, PROPS, source_type]), input);
    assert!(success, "{errors}");
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["time"].as_str().unwrap().parse().unwrap(), event["event"].as_str().unwrap().to_owned())
    };
    output.lines().map(event).collect()
}

/// Each line is one event, unchanged, with the time of its record.
#[track_caller]
fn fits(source_type: &str, key: &str, output: &[u8]) {
    let lines = lines(output);
    let events = events(source_type, output);
    assert_eq!(events.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), lines);
    assert!(!events.is_empty());
    for (time, text) in events {
        let record: Value = serde_json::from_str(&text).unwrap();
        let expected: DateTime<Utc> = record[key].as_str().unwrap().parse().unwrap();
        assert_eq!(time, expected, "{source_type}");
    }
}

/// A command line that is cut, with what looks like a time in it.
fn long(word: &str) -> Running {
    let times = r#"","timestamp":"1999-01-01T00:00:00.000Z","@timestamp":"1999-01-01T00:00:00.000Z"#;
    hold("sh", &["-c", "read x", word, times, &"long\n".repeat(20_000)])
}

/// Whether there is a line that was cut to the limit.
fn has_cut(output: &[u8]) -> bool {
    output.split(|byte| *byte == b'\n').any(|line| (31_900..32_000).contains(&line.len()))
}

#[test]
fn each_line_is_an_event_with_its_time() {
    let test = "each_line_is_an_event_with_its_time";
    if lacks(test, false, &["python3", "sh"]) {
        return;
    }
    let held = long("snapshot");
    let pid = held.0.id().to_string();
    let own = std::process::id().to_string();
    let run = |arguments: &[&str]| quiet(procline(arguments).args(["--timeout", "5m"]));
    for (schema, key) in [("procline", "timestamp"), ("ecs", "@timestamp"), ("otel", "timestamp")] {
        let output = run(&["--pid", &pid, "--pid", &own, "--schema", schema, "--label", "a=b"]);
        assert!(has_cut(&output), "{schema}");
        fits("procline:process", key, &output);
    }
    fits("procline:groups", "timestamp", &run(&["groups", "--pid", &pid, "--fields", "+command"]));
    fits("procline:host", "timestamp", &run(&["host"]));
    fits("procline:disk", "timestamp", &run(&["disk", FOLDER]));
}

#[test]
fn each_line_of_exec_is_an_event_with_its_time() {
    let test = "each_line_of_exec_is_an_event_with_its_time";
    if lacks(test, true, &["python3", "sh"]) {
        return;
    }
    let word = word("splunk");
    let kinds = [
        ("procline:exec", "timestamp", &["--root", "--exits"][..]),
        ("procline:exec", "@timestamp", &["--root", "--exits", "--schema", "ecs"]),
        ("procmon", "timestamp", &["--root", "--schema", "procmon"]),
    ];
    for (source_type, key, arguments) in kinds {
        let Some(mut stream) = Stream::start(test, arguments) else { return };
        let held = long(&word);
        wait_for("the record", || {
            let text = fs::read_to_string(stream.output()).unwrap();
            text.lines().any(|line| line.contains(&word) && line.ends_with('}')).then_some(())
        });
        drop(held);
        stream.finish_unread();
        let output = fs::read(stream.output()).unwrap();
        assert!(has_cut(&output), "{arguments:?}");
        fits(source_type, key, &output);
    }
}

/// Every kind of record has a source type. They differ only in how exact the time is.
#[test]
fn every_kind_has_a_source_type() {
    let fields = String::from_utf8(quiet(&mut procline(&["fields", "--format", "json"]))).unwrap();
    let kinds: BTreeSet<_> = fields
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].as_str().unwrap().to_owned())
        .map(|kind| format!("procline:{kind}"))
        .chain(["procmon".to_owned()])
        .collect();
    let mut props = stanzas("props.conf");
    assert_eq!(props.keys().cloned().collect::<BTreeSet<_>>(), kinds);
    for settings in props.values_mut() {
        settings.remove("description").expect("a description");
        let is_milli = settings.remove("TIME_FORMAT").unwrap().ends_with("%3NZ");
        assert_eq!(settings.remove("MAX_TIMESTAMP_LOOKAHEAD").unwrap(), if is_milli { "24" } else { "27" });
    }
    let common: BTreeSet<_> = props.values().collect();
    assert_eq!(common.len(), 1);
    let settings = common.first().unwrap();
    assert!(settings["TRUNCATE"].parse::<u32>().unwrap() > 32_000);
    // Only one of the two.
    assert!(settings["KV_MODE"] == "json" && !settings.contains_key("INDEXED_EXTRACTIONS"));
}

/// The inputs read the files that the services write, each as its kind, and none is enabled.
#[test]
fn the_inputs_are_the_files_of_the_services() {
    let inputs = stanzas("inputs.conf");
    let mut expected = BTreeMap::from([("/var/log/procline-exec/*.jsonl".to_owned(), "procline:exec".to_owned())]);
    let runs_procline = |unit: &&String| file(unit).contains("\nExecStart=/usr/bin/procline ");
    for unit in all_units().iter().filter(|unit| unit.ends_with(".service")).filter(runs_procline) {
        let arguments = arguments(unit);
        let Some(output) = arguments.iter().position(|word| word == "--output") else { continue };
        let (folder, _) = arguments[output + 1].rsplit_once('/').unwrap();
        let kinds = ["groups", "host", "disk", "exec", "services", "software", "files"];
        let kind = kinds.into_iter().find(|kind| arguments.iter().any(|word| word == kind)).unwrap_or("process");
        expected.insert(format!("{folder}/*.jsonl"), format!("procline:{kind}"));
    }
    assert!(expected.len() > 4, "{expected:?}");
    let found: BTreeMap<_, _> = inputs
        .iter()
        .map(|(stanza, settings)| {
            assert_eq!((settings["disabled"].as_str(), settings["crcSalt"].as_str()), ("true", "<SOURCE>"));
            (stanza.strip_prefix("monitor://").unwrap().to_owned(), settings["sourcetype"].clone())
        })
        .collect();
    assert_eq!(found, expected);
}

/// The searches of the README name fields and source types that there are.
#[test]
fn the_searches_name_known_fields() {
    let readme = fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap();
    let props = stanzas("props.conf");
    let searches: Vec<_> = readme.split("```spl\n").skip(1).map(|part| part.split("```").next().unwrap()).collect();
    assert!(searches.len() > 5);
    for search in searches {
        let mut words = search.split(|letter: char| !(letter.is_alphanumeric() || "_.:".contains(letter)));
        assert_eq!(words.next(), Some("sourcetype"));
        let source_type = words.find(|word| !word.is_empty()).unwrap();
        assert!(props.contains_key(source_type), "{source_type}");
        let (kind, schema) = match source_type.strip_prefix("procline:") {
            Some(kind) => (kind, "procline"),
            None => ("exec", "procmon"),
        };
        let known = quiet(&mut procline(&["fields", kind, "--schema", schema, "--format", "json"]));
        let known = String::from_utf8(known).unwrap();
        let mut known: BTreeSet<String> = known
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
            .chain(["_time", "count", "env.LOADEDMODULES"].map(str::to_owned))
            .collect();
        for command in search.split('|').map(str::trim) {
            let (name, rest) = command.split_once([' ', '=']).unwrap();
            let words = |text: &str| -> Vec<String> {
                let words = text.split([',', ' ', '(', ')', '"', '\'']).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            };
            // Fields that a command reads, before those that it makes.
            let read: Vec<String> = match name {
                "stats" => {
                    let (functions, by) = rest.split_once(" by ").unwrap();
                    let inside = functions.split('(').skip(1).map(|part| part.split(')').next().unwrap().to_owned());
                    inside.chain(words(by)).collect()
                }
                "table" | "mvexpand" => words(rest),
                "sourcetype" => {
                    words(rest).iter().filter_map(|word| word.split_once('=')).map(|it| it.0.into()).collect()
                }
                _ => Vec::new(),
            };
            for field in read.iter().filter(|field| !field.is_empty() && *field != "earliest") {
                let field = field.trim_end_matches(['>', '<']);
                assert!(known.contains(field), "{field}: {search}");
            }
            let made = command.split(" as ").skip(1).map(|part| words(part)[0].clone());
            known.extend(made.chain(rest.split_once('=').filter(|_| name == "eval").map(|it| it.0.to_owned())));
        }
    }
}

/// What dates the events is strict.
#[test]
fn a_fault_in_the_settings_is_found() {
    let test = "a_fault_in_the_settings_is_found";
    if lacks(test, false, &["python3"]) {
        return;
    }
    let line = r#"{"timestamp":"2026-01-02T10:15:00.123Z"}"#;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/splunk/events.py");
    // The time of a snapshot is no time of exec.
    let (success, _, errors) = feed(&mut command("python3", &["-IS", script, PROPS, "procline:exec"]), line);
    assert!(!success && errors.contains("NoneType"), "{errors}");
    assert_eq!(events("procline:host", line.as_bytes())[0].0.to_rfc3339(), "2026-01-02T10:15:00.123+00:00");
}
