//! Vector with contrib/vector.yaml.

use std::process::Command;

use serde_json::json;

use super::{Agent, Event, Record, Shipped, assert_carried, assert_known, consumer, hard_tree, printed, shipped, text};
use crate::ama::parse;

#[test]
fn vector_emits_every_record() {
    let Some(program) = consumer("vector_emits_every_record", "VECTOR", "vector") else {
        return;
    };
    // Vector's own check, which also compiles the transform.
    let check =
        Command::new(&program).args(["validate", "--no-environment"]).arg(shipped("contrib/vector.yaml")).output();
    let check = check.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&[check.stdout, check.stderr].concat()));

    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);
    let config = folder.path().join("vector.yaml");
    Shipped::read("contrib/vector.yaml")
        .with_procline()
        .with("exec_interval_secs: 60", "exec_interval_secs: 2")
        .write(&config);
    let mut agent = Agent::start(&program, &["--config".as_ref(), config.as_ref()], &folder, &tree);
    let log = agent.log.clone();
    let events = || text(&log).lines().filter(|line| line.starts_with('{')).map(event).collect();
    let found = agent.wait_for(2 * printed.len(), events);
    assert_carried(found, &printed, str::to_owned);
    let log = agent.log();
    assert!(!log.contains(" ERROR "), "{log}");
}

/// What the console sink printed: the record with the name of the machine once more, and without anything of Vector's.
fn event(line: &str) -> Event {
    let mut record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(record.remove("host"), Some(record["Computer"].clone()), "{line}");
    // Vector prints no fraction if the time is a whole second.
    let time = chrono::DateTime::parse_from_rfc3339(record["timestamp"].as_str().unwrap()).unwrap();
    let time = time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    record.insert("timestamp".into(), time.clone().into());
    Event { time, record }
}

/// The options of Vector 0.34 and later that the config may have, from its reference.
const OPTIONS: &[&str] = &[
    "sources.*.type",
    "sources.*.mode",
    "sources.*.scheduled.exec_interval_secs",
    "sources.*.command",
    "sources.*.include_stderr",
    "sources.*.decoding.codec",
    "transforms.*.type",
    "transforms.*.inputs",
    "transforms.*.source",
    "sinks.*.type",
    "sinks.*.inputs",
    "sinks.*.encoding.codec",
];

/// What can be checked without Vector: its options exist, and each component reads from another one.
#[test]
fn the_config_for_vector_has_known_options() {
    let yaml = std::fs::read_to_string(shipped("contrib/vector.yaml")).unwrap();
    let Some(config) = parse("the_config_for_vector_has_known_options", "yaml", &yaml) else { return };
    let config = config.unwrap();
    for (kind, components) in config.as_object().unwrap() {
        for component in components.as_object().unwrap().values() {
            assert_known(&json!({kind: {"*": component}}), OPTIONS);
        }
    }
    for (component, input) in [("transforms", "sources"), ("sinks", "transforms")] {
        for component in config[component].as_object().unwrap().values() {
            assert!(config[input].get(component["inputs"][0].as_str().unwrap()).is_some(), "{component}");
        }
    }
    // Vector would kill a command that runs longer, and take messages for records.
    let source = &config["sources"]["procline_lines"];
    assert!(source["scheduled"]["exec_interval_secs"].as_u64() > Some(10));
    assert_eq!((&source["type"], &source["include_stderr"]), (&"exec".into(), &false.into()));
}
