//! Telegraf with contrib/telegraf.conf and contrib/telegraf-execd.conf.

use std::fs;

use serde_json::{Value, json};

use super::jq::one_kind_of_number;
use super::{Agent, Event, Record, Shipped, assert_carried, assert_known, consumer, hard_tree, printed, shipped, text};
use crate::support::{command, fixture, lacks, quiet};

const CONFIGS: [(&str, &str); 2] = [("telegraf.conf", "exec"), ("telegraf-execd.conf", "execd")];

#[test]
fn telegraf_emits_every_record() {
    let Some(program) = consumer("telegraf_emits_every_record", "TELEGRAF", "telegraf") else {
        return;
    };
    let tree = hard_tree();
    // Telegraf's JSON has one type of number.
    let printed: Vec<Record> = printed(&tree, &["--fields", "+name"])
        .into_iter()
        .map(|record| one_kind_of_number(&Value::Object(record)).as_object().unwrap().clone())
        .collect();
    for (name, input) in CONFIGS {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let [interval, often] = match input {
            "exec" => ["interval = \"60s\"", "interval = \"1s\""],
            _ => ["\"--interval\", \"60s\"", "\"--interval\", \"1s\""],
        };
        Shipped::read(&format!("contrib/{name}")).with_procline().with(interval, often).write(path(name).as_ref());
        // The user's own config has the outputs. The second one shows the types.
        let own = format!(
            "[agent]\nflush_interval = \"1s\"\nomit_hostname = true\n\
             [[outputs.file]]\nfiles = [{:?}]\ndata_format = \"json\"\njson_timestamp_units = \"1ms\"\n\
             [[outputs.file]]\nfiles = [{:?}]\ndata_format = \"influx\"\n",
            path("json"),
            path("influx")
        );
        fs::write(path("own.conf"), own).unwrap();
        let (own, config) = (path("own.conf"), path(name));
        let arguments = ["--config", &own, "--config", &config].map(AsRef::as_ref);
        let mut agent = Agent::start(&program, &arguments, &folder, &tree);
        let events = || text(path("json").as_ref()).lines().map(event).collect();
        let mut found: Vec<Event> = agent.wait_for(2 * printed.len(), events);
        found.sort_by_key(|event| (event.time.clone(), event.record["pid"].as_f64().map(|pid| pid as u32)));
        assert_carried(found, &printed, str::to_owned);
        let typed = agent.wait_for(1, || {
            let text = text(path("influx").as_ref());
            text.lines().filter(|line| line.contains(",pid=1,")).map(str::to_owned).collect()
        });
        for field in ["vsz=168000i", "rss=13200i", "time=7.5", "tty=\"?\""] {
            assert!(typed[0].contains(field), "{field} in {}", typed[0]);
        }
        let log = agent.log();
        assert!(!log.contains(" W! ") && !log.contains(" E! "), "{log}");
    }
}

/// What the file output wrote: the fields, and the tags, which are text.
fn event(line: &str) -> Event {
    let metric: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(metric["name"], "procline");
    let mut record = metric["fields"].as_object().unwrap().clone();
    for (name, value) in metric["tags"].as_object().unwrap() {
        let number = value.as_str().unwrap().parse::<u32>().ok().filter(|_| name == "pid");
        assert_eq!(record.insert(name.clone(), number.map_or(value.clone(), |pid| json!(pid))), None);
    }
    let Value::Object(mut record) = one_kind_of_number(&Value::Object(record)) else { unreachable!() };
    let time = chrono::DateTime::from_timestamp_millis(metric["timestamp"].as_i64().unwrap()).unwrap();
    let time = time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    // The field became the metric's time.
    assert_eq!(record.insert("timestamp".into(), time.clone().into()), None);
    Event { time, record }
}

/// The options of Telegraf 1.25 and later that the configs may have, from its source.
const OPTIONS: &[&str] = &[
    "inputs.exec.commands",
    "inputs.exec.interval",
    "inputs.exec.timeout",
    "inputs.exec.precision",
    "inputs.exec.data_format",
    "inputs.execd.command",
    "inputs.execd.signal",
    "inputs.execd.restart_delay",
    "inputs.execd.data_format",
];
const PARSER: &[&str] = &[
    "measurement_name",
    "object.path",
    "object.timestamp_key",
    "object.timestamp_format",
    "object.tags",
    "object.fields.vsz",
    "object.fields.rss",
];

/// What can be checked without Telegraf: its options exist, and both inputs make the same metrics.
#[test]
fn the_configs_for_telegraf_have_known_options() {
    if lacks("the_configs_for_telegraf_have_known_options", false, &["python3"]) {
        return;
    }
    let parsers = CONFIGS.map(|(name, input)| {
        let script = "import json, sys, tomllib; json.dump(tomllib.load(open(sys.argv[1], 'rb')), sys.stdout)";
        let mut python = command("python3", &["-c", script]);
        let config: Value = serde_json::from_slice(&quiet(python.arg(shipped("contrib").join(name)))).unwrap();
        let mut plugin = config["inputs"][input][0].clone();
        let parser = plugin.as_object_mut().unwrap().remove("json_v2").unwrap()[0].clone();
        assert_eq!(plugin["data_format"], "json_v2");
        assert_known(&json!({"inputs": {input: plugin}}), OPTIONS);
        let mut objects = parser.clone();
        objects["object"] = parser["object"][0].clone();
        assert_known(&objects, PARSER);
        parser
    });
    assert_eq!(parsers[0], parsers[1]);
    // Telegraf makes floats of numbers unless it is told otherwise. pid is a tag.
    let golden = fs::read_to_string(fixture("golden.jsonl")).unwrap();
    let record: Record = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
    let integers = record.iter().filter(|(name, value)| value.is_u64() && *name != "pid");
    let typed: Record = integers.map(|(name, _)| (name.clone(), json!("int"))).collect();
    assert_eq!(parsers[0]["object"][0]["fields"], Value::Object(typed));
}
