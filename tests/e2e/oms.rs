//! `--schema oms` against `ps aux` itself, field by field, for every process.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Map, Value};

use crate::support::{PROCLINE, TestProcess, Tree, command, lacks, lines, quiet};

/// The keys of the script that procline replaces, in the script's order.
const KEYS: &[&str] = &[
    "user",
    "pid",
    "cpuUtilization",
    "memoryUtilization",
    "vsz",
    "rss",
    "tty",
    "stat",
    "start",
    "cpuTime",
    "command",
    "Computer",
    "timestamp",
];

/// A program in a time zone, with a clock that is this much later unless `later` is empty.
fn at(zone: &str, later: &str, program: &[&str]) -> Command {
    let faked = if later.is_empty() { program.to_vec() } else { [&["faketime", "-f", later], program].concat() };
    let mut command = command(faked[0], &faked[1..]);
    command.env("TZ", zone);
    command
}

/// The columns of `ps aux` by pid. USER and COMMAND are omitted: ps shortens the one and replaces bytes in the other.
fn ps_aux(zone: &str, later: &str) -> BTreeMap<String, Vec<String>> {
    let output = quiet(&mut at(zone, later, &["ps", "aux", "--no-headers"]));
    let text = String::from_utf8_lossy(&output).into_owned();
    let row = |line: &str| line.split_whitespace().map(str::to_owned).take(10).collect::<Vec<_>>();
    text.lines().map(row).map(|mut row| (row.remove(1), row.split_off(1))).collect()
}

fn ours(zone: &str, later: &str) -> BTreeMap<String, Vec<String>> {
    let output = quiet(&mut at(zone, later, &[PROCLINE, "--schema", "oms"]));
    let row = |line: &str| {
        let record: Map<String, Value> = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is no string: {line}")).to_owned();
        // A process that ended during the read lacks some keys.
        let columns: Option<Vec<_>> = KEYS[2..10].iter().map(|key| record.get(*key).map(text)).collect();
        Some((text(&record["pid"]), columns?))
    };
    lines(&output).into_iter().filter_map(row).collect()
}

#[test]
fn the_keys_of_the_script_in_its_order_with_string_values() {
    let output = quiet(&mut Tree::copy().procline(&["--schema", "oms"]));
    for line in lines(&output) {
        let places: Vec<_> = KEYS.iter().map(|key| line.find(&format!("\"{key}\":\"")).expect(key)).collect();
        assert!(places.is_sorted(), "{line}");
        let record: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert_eq!(record.len(), KEYS.len(), "{line}");
        let timestamp = record["timestamp"].as_str().unwrap();
        assert!(
            timestamp.len() == 26 && chrono::NaiveDateTime::parse_from_str(timestamp, "%Y-%m-%dT%H:%M:%S%.6f").is_ok()
        );
    }
    assert!(
        output.starts_with(
            br#"{"user":"root","pid":"1","cpuUtilization":"0.0","memoryUtilization":"0.1","vsz":"168000""#
        )
    );
    let few = quiet(&mut Tree::copy().procline(&["--schema", "oms", "--fields", "cpu,pid", "--pid", "1"]));
    assert_eq!(few, b"{\"cpuUtilization\":\"0.0\",\"pid\":\"1\"}\n");
}

/// Compared between two runs of ps as in `parity`, in two time zones, on a later day and in a later year. A real
/// difference comes up every time.
#[test]
fn equal_to_ps_aux() {
    if lacks("equal_to_ps_aux", false, &["ps"]) {
        return;
    }
    let _processes = (!TestProcess::lacks("equal_to_ps_aux, test processes"))
        .then(|| ["zombie_leader", "nice", "mlock"].map(TestProcess::start));
    for (zone, later) in [("UTC", ""), ("Asia/Tokyo", ""), ("UTC", "+73h"), ("UTC", "+400d")] {
        if !later.is_empty() && lacks("equal_to_ps_aux, later", false, &["faketime"]) {
            continue;
        }
        let differences = || {
            let (before, ours, after) = (ps_aux(zone, later), ours(zone, later), ps_aux(zone, later));
            let mut found = BTreeMap::new();
            for (pid, row) in before.iter().filter(|(pid, _)| after.contains_key(*pid)) {
                for (place, value) in row.iter().enumerate() {
                    let mine = ours.get(pid).map_or("missing", |row| row[place].as_str());
                    let between = || {
                        let [mine, low, high] = [mine, value, &after[pid][place]].map(|text| text.parse::<f64>());
                        matches!((mine, low, high), (Ok(mine), Ok(a), Ok(b)) if a.min(b) <= mine && mine <= a.max(b))
                    };
                    if mine != value && mine != after[pid][place] && !between() {
                        found.insert((pid.clone(), place), format!("{mine}, ps has {row:?}"));
                    }
                }
            }
            found
        };
        let mut found = differences();
        for _ in 0..30 {
            if found.is_empty() {
                break;
            }
            let again = differences();
            found.retain(|place, _| again.contains_key(place));
        }
        assert!(found.is_empty(), "{zone} {later}: {found:#?}");
    }
}
