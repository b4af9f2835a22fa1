//! The values that the transforms make of procline's lines. `rows.js` evaluates the syntax tree that Kusto's own parser
//! makes of a transform or a query. Nothing here runs Kusto itself.

use serde_json::{Map, Value, json};

use super::machine::rows;
use super::{KINDS, Kind, arguments, columns, feed, file, selection, tool};
use crate::support::{Tree, command, lacks, quiet};

/// The rows that a transform of process records makes of these lines, `None` if the test must be skipped.
fn transformed(test: &str, transform: &str, lines: &[Map<String, Value>]) -> Option<Vec<Map<String, Value>>> {
    rows_of(test, "Custom-ProcessMonitor", transform, lines)
}

/// The same for any stream.
pub(super) fn rows_of(
    test: &str,
    stream: &str,
    transform: &str,
    lines: &[Map<String, Value>],
) -> Option<Vec<Map<String, Value>>> {
    let tables = json!({"source": {"columns": columns(stream), "rows": lines}});
    evaluate(test, &tables, &[&file(transform)])?.pop()
}

/// The rows of each query on tables. A table has columns and rows.
pub(super) fn evaluate(test: &str, tables: &Value, queries: &[&str]) -> Option<Vec<Vec<Map<String, Value>>>> {
    if lacks(test, false, &["node"]) {
        return None;
    }
    let package = tool(test, "node_modules/@kusto/language-service-next")?;
    let input = json!({"tables": tables, "queries": queries}).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/rows.js");
    let (success, output, errors) = feed(command("node", &[script]).arg(package), &input);
    assert!(success && errors.is_empty(), "{queries:?}: {errors}");
    Some(serde_json::from_str(&output).unwrap())
}

/// The lines of the fixture tree, with the unit's fields, or in another schema, in UTC.
fn lines_of_the_tree(options: &[&str]) -> Vec<Map<String, Value>> {
    let output = quiet(Tree::copy().procline(options).env("TZ", "UTC"));
    rows(std::str::from_utf8(&output).unwrap())
}

fn lines_of_the_unit() -> Vec<Map<String, Value>> {
    let arguments = arguments("procline.service");
    assert_eq!(arguments[0], "--fields");
    lines_of_the_tree(&["--fields", &arguments[1]])
}

/// A line with nothing but these keys.
fn line(keys: Value) -> Map<String, Value> {
    let Value::Object(mut line) = keys else { panic!("no object") };
    line.entry("timestamp").or_insert("2026-03-04T05:06:07.890Z".into());
    line
}

/// Each kind's own columns: all keys and values of its lines, and times as datetimes.
#[test]
fn times_are_datetimes_and_nothing_is_lost() {
    for kind in &KINDS {
        let arguments = selection(&kind.service());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let lines = match kind.list {
            "disk" => lines_of_the_tree(&["disk", "/", "/etc", "--depth", "1"]),
            // None of the unit's programs runs in the tree.
            "resources" => lines_of_the_tree(&["--fields", arguments[arguments.len() - 3]]),
            // There is no tree of programs that start: exec.rs starts some.
            "exec" => continue,
            // inventory.rs makes what these find.
            "services" | "software" | "files" => continue,
            _ => lines_of_the_tree(&arguments),
        };
        let test = "times_are_datetimes_and_nothing_is_lost";
        if check(test, kind, &lines).is_none() {
            return;
        }
    }
}

/// The rows that a kind's own transform makes of its lines have all keys and values, and times as datetimes. None if the test must
/// be skipped.
pub(super) fn check(test: &str, kind: &Kind, lines: &[Map<String, Value>]) -> Option<Vec<Map<String, Value>>> {
    let table = rows_of(test, &kind.stream(), &kind.transform(), lines)?;
    assert!(!lines.is_empty() && table.len() == lines.len(), "{}", kind.name);
    for (line, row) in lines.iter().zip(&table) {
        assert_eq!(row["TimeGenerated"], line["timestamp"]);
        for (key, value) in line {
            let plain = row[key].as_str().map(|text| text.replace(".000Z", "Z"));
            let text = value.as_str().map(|text| text.replace(".000Z", "Z"));
            let same = row[key] == *value || plain == text && text.is_some() || row[key].as_f64() == value.as_f64();
            assert!(same && row[key].is_null() == value.is_null(), "{key}: {value} became {}", row[key]);
        }
        for time in kind.times.iter().filter(|time| line.contains_key(**time)) {
            assert!(!row[*time].is_null(), "{time}: {line:?}");
        }
    }
    Some(table)
}

/// The columns of `ps -ef` as ps prints them: C has at most two digits, TIME is `[DD-]HH:MM:SS`.
#[test]
fn the_columns_of_ps() {
    let time = |seconds: u64| {
        let days = if seconds < 86400 { String::new() } else { format!("{}-", seconds / 86400) };
        format!("{days}{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
    };
    let known = [(0, "00:00:00"), (148, "00:02:28"), (86399, "23:59:59"), (86400, "1-00:00:00")];
    for (seconds, expected) in known {
        assert_eq!(time(seconds), expected);
    }
    let seconds = [0, 1, 59, 60, 61, 3599, 3600, 36000, 86399, 86400, 90061, 864_000, 8_640_000, 123_456_789];
    let percents = [(0.0, 0), (0.9, 0), (1.0, 1), (42.7, 42), (99.0, 99), (99.9, 99), (100.0, 99), (1234.5, 99)];
    let mut lines: Vec<_> = seconds.iter().map(|seconds| line(json!({"time": *seconds as f64 + 0.99}))).collect();
    lines.extend(percents.iter().map(|(cpu, _)| line(json!({"cpu": cpu}))));
    let test = "the_columns_of_ps";
    let Some(table) = transformed(test, "transform-ps.kql", &lines) else { return };
    for (seconds, row) in seconds.iter().zip(&table) {
        assert_eq!(row["CpuTime"], time(*seconds));
        assert_eq!(row["CpuUtilization"], Value::Null, "a process that ended during the read");
    }
    for ((cpu, expected), row) in percents.iter().zip(&table[seconds.len()..]) {
        assert_eq!(row["CpuUtilization"], *expected, "{cpu}");
        assert_eq!(row["CpuTime"], "");
    }

    let lines = lines_of_the_unit();
    let table = transformed(test, "transform-ps.kql", &lines).unwrap();
    let names = [("ProcessId", "pid"), ("UserId", "uid"), ("ParentProcessId", "ppid"), ("StartTime", "start")];
    for (line, row) in lines.iter().zip(&table) {
        for (column, key) in names.into_iter().chain([("Tty", "tty"), ("Cmd", "command")]) {
            assert_eq!(row[column], line[key]);
        }
    }
}

/// The layout `oms` has the columns that the OMS agent made of the script's record, which `--schema oms` prints: all values
/// are strings, so the Data Collector API appended `_s` to each key but Computer. in_exec had deleted `timestamp`.
#[test]
fn the_columns_of_the_oms_agent() {
    let old = lines_of_the_tree(&["--schema", "oms"]);
    let mut expected = vec![("TimeGenerated".to_owned(), "datetime"), ("Computer".to_owned(), "string")];
    let keys = old[0].keys().filter(|key| !["Computer", "timestamp"].contains(&key.as_str()));
    expected.extend(keys.map(|key| (format!("{key}_s"), "string")));
    expected.sort();
    let mut names: Vec<_> = columns("oms").into_iter().map(|column| (column.name, column.r#type)).collect();
    names.sort();
    let names: Vec<_> = names.iter().map(|(name, kind)| (name.clone(), kind.as_str())).collect();
    assert_eq!(names, expected);

    let lines = lines_of_the_unit();
    let test = "the_columns_of_the_oms_agent";
    let Some(table) = transformed(test, "transform-oms.kql", &lines) else { return };
    assert_eq!(table.len(), old.len());
    for (old, row) in old.iter().zip(&table) {
        assert_eq!(row["Computer"], old["Computer"]);
        for (key, value) in old.iter().filter(|(key, _)| !["Computer", "timestamp"].contains(&key.as_str())) {
            assert_eq!(row[&format!("{key}_s")], *value, "{key} of {old:?}");
        }
    }
}

/// The forms of START, TIME, %CPU and %MEM in `ps aux`.
#[test]
fn the_forms_of_ps_aux() {
    let cases = [
        (json!({"start": "2026-03-04T00:00:00Z"}), "start_s", "00:00"),
        (json!({"start": "2026-03-04T05:06:07Z"}), "start_s", "05:06"),
        (json!({"start": "2026-03-03T23:59:59Z"}), "start_s", "Mar03"),
        (json!({"start": "2026-01-31T23:59:59Z"}), "start_s", "Jan31"),
        (json!({"start": "2025-12-31T23:59:59Z"}), "start_s", "2025"),
        (json!({"start": "2025-03-04T05:06:07Z"}), "start_s", "2025"),
        (json!({}), "start_s", ""),
        (json!({"start": "2026-12-01T00:00:00Z", "timestamp": "2026-12-31T00:00:00.000Z"}), "start_s", "Dec01"),
        (json!({"time": 0.99}), "cpuTime_s", "0:00"),
        (json!({"time": 59.99}), "cpuTime_s", "0:59"),
        (json!({"time": 60}), "cpuTime_s", "1:00"),
        (json!({"time": 86400}), "cpuTime_s", "1440:00"),
        (json!({}), "cpuTime_s", ""),
        (json!({"cpu": 0}), "cpuUtilization_s", "0.0"),
        (json!({"cpu": 0.3}), "cpuUtilization_s", "0.3"),
        (json!({"cpu": 99.9}), "cpuUtilization_s", "99.9"),
        (json!({"cpu": 100.0}), "cpuUtilization_s", "100"),
        (json!({"cpu": 399.9}), "cpuUtilization_s", "399"),
        (json!({}), "cpuUtilization_s", ""),
        (json!({"mem": 12.3}), "memoryUtilization_s", "12.3"),
        (json!({"mem": 100.0}), "memoryUtilization_s", "100.0"),
        (json!({}), "memoryUtilization_s", ""),
        (json!({"vsz": 0}), "vsz_s", "0"),
        (json!({}), "vsz_s", ""),
    ];
    let lines: Vec<_> = cases.iter().map(|(keys, ..)| line(keys.clone())).collect();
    let Some(table) = transformed("the_forms_of_ps_aux", "transform-oms.kql", &lines) else { return };
    for ((keys, column, expected), row) in cases.iter().zip(&table) {
        assert_eq!(row[*column], *expected, "{keys}");
    }
}
