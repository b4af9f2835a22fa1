//! contrib/duckdb.sql: each query runs, over files that procline wrote about known processes of several machines.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::ama::{feed, python};
use crate::support::{PROCLINE, Tree, command, fixture, lacks, quiet};

/// What a kill leaves of a line.
pub const TORN: &str = r#"{"user":"root","pid":1,"name":"systemd","comm"#;

/// A process of the tree: its pid, its name, which is also its command, when it started and how much CPU time it used.
pub fn process(tree: &Tree, (pid, name, start, seconds): (u32, &str, u32, f64)) {
    let status = fs::read_to_string(tree.path("proc/1/status")).unwrap();
    // Times are in ticks of a hundredth of a second. The tree's machine booted at 2026-01-01T00:00:00Z.
    let (used, start) = ((seconds * 100.0).round(), start * 100);
    let rest = "18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
    let stat = format!(
        "{pid} ({name}) S 1 {pid} {pid} 0 -1 4194560 0 0 0 0 {used} 0 0 0 20 0 1 0 {start} 172032000 3300 {rest}\n"
    );
    tree.write(&format!("proc/{pid}/stat"), stat.as_bytes());
    tree.write(&format!("proc/{pid}/status"), status.as_bytes());
    tree.write(&format!("proc/{pid}/cmdline"), format!("/usr/bin/{name}\0--café\0").as_bytes());
}

/// Writes a snapshot of these processes, taken at this time, to the machine's files.
fn snapshot(folder: &Path, machine: &str, time: &str, arguments: &[&str], processes: &[(u32, &str, u32, f64)]) {
    let tree = Tree::copy();
    for entry in fs::read_dir(tree.path("proc")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "1" && name.parse::<u32>().is_ok() {
            fs::remove_dir_all(tree.path(&format!("proc/{name}"))).unwrap();
        }
    }
    for known in processes {
        process(&tree, *known);
    }
    let place = folder.join(machine);
    fs::create_dir_all(&place).unwrap();
    let mut command = command("faketime", &["-f", &format!("@{time}"), PROCLINE, "--timeout=5m"]);
    command.args(arguments).arg("--computer").arg(machine).arg("--output").arg(place.join("%Y-%m-%d.jsonl"));
    command.arg("--procfs").arg(tree.path("proc")).arg("--rootfs").arg(tree.path("root"));
    assert!(quiet(&mut command).is_empty());
}

/// Appends what a kill leaves behind.
fn tear(file: &Path) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(TORN.as_bytes()).unwrap();
}

/// The results of the queries by name: the first words of the comment before each.
pub fn ask(test: &str, sql: &str) -> Option<BTreeMap<String, Vec<Vec<Value>>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/duckdb/run.py");
    let mut python = python(test, &[script])?;
    let names = sql.split("\n\n").skip(3).map(|query| {
        let comment = query.strip_prefix("-- ").expect("a comment");
        comment.split_inclusive([':', '?']).next().unwrap().trim_end_matches(':').to_owned()
    });
    let (success, output, errors) = feed(&mut python, sql);
    assert!(success && errors.is_empty(), "{errors}");
    let results: Vec<_> = output.lines().map(|line| minutes(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(names.clone().count(), results.len());
    Some(names.zip(results).collect())
}

/// Rows with their times to the minute.
fn minutes(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    for value in rows.iter_mut().flatten() {
        if let Some(time) = value.as_str().filter(|text| text.starts_with("2026-")) {
            *value = json!(time.get(..16).unwrap_or(time));
        }
    }
    rows
}

#[test]
fn every_query_says_what_is_known() {
    let test = "every_query_says_what_is_known";
    if lacks(test, false, &["faketime"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let day = 86_400;
    let units = &["--fields", "+name,+ppid,+uid"][..];
    let web_1 = |time: &str, processes: &[_]| snapshot(folder.path(), "web-1", time, units, processes);
    // nginx uses a minute of CPU time, then ten. batch ends. backup starts. vim ends, and sshd gets its pid.
    web_1("2026-01-01 23:30:00", &[(7, "nginx", 60, 15_000.0), (8, "batch", 70, 31_000.0), (9, "vim", 80, 1.5)]);
    web_1("2026-01-01 23:50:00", &[(7, "nginx", 60, 15_060.0), (8, "batch", 70, 31_000.5), (9, "vim", 80, 1.5)]);
    tear(&folder.path().join("web-1/2026-01-01.jsonl"));
    web_1("2026-01-02 00:10:00", &[(7, "nginx", 60, 15_660.0), (9, "vim", 80, 1.5), (30, "backup", day + 60, 12.5)]);
    tear(&folder.path().join("web-1/2026-01-02.jsonl"));
    web_1(
        "2026-01-02 00:40:00",
        &[(7, "nginx", 60, 15_660.0), (9, "sshd", day + 2000, 0.25), (30, "backup", day + 60, 20.0)],
    );
    // This machine's files tell processes apart by their id. Its newest file ends with a torn line.
    let web_2 = |time: &str, processes: &[_]| {
        snapshot(folder.path(), "web-2", time, &["--fields", "+name,+entity_id"], processes);
    };
    web_2("2026-01-02 00:10:00", &[(7, "nginx", 60, 5.0), (9, "sshd", 90, 1.0)]);
    web_2("2026-01-02 00:40:00", &[(9, "sshd", 90, 1.0)]);
    tear(&folder.path().join("web-2/2026-01-02.jsonl"));
    // This machine's files have the default fields only.
    snapshot(folder.path(), "web-3", "2026-01-02 00:20:00", &[], &[(7, "nginx", 60, 5.0)]);

    let files = format!("{}/*/*.jsonl", folder.path().display());
    let mut sql = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/duckdb.sql")).unwrap();
    for (there, here) in [("'/var/log/procline/*.jsonl'", format!("'{files}'")), ("= 'sshd'", "= 'nginx'".to_owned())] {
        assert_eq!(sql.matches(there).count(), 1, "{there}");
        sql = sql.replace(there, &here);
    }
    let Some(results) = ask(test, &sql) else { return };
    assert_eq!(
        results.keys().collect::<Vec<_>>(),
        ["Bytes per program", "Is it running?", "Top CPU by hour", "What started"]
    );

    let (eleven, midnight) = ("2026-01-01 23:00", "2026-01-02 00:00");
    assert_eq!(
        results["Top CPU by hour"],
        [
            [json!(eleven), json!("web-1"), json!("nginx"), json!(60.0)],
            [json!(eleven), json!("web-1"), json!("batch"), json!(0.5)],
            [json!(midnight), json!("web-1"), json!("nginx"), json!(600.0)],
            [json!(midnight), json!("web-1"), json!("backup"), json!(20.0)],
            [json!(midnight), json!("web-1"), json!("sshd"), json!(0.25)],
        ]
    );
    let (ten, forty) = ("2026-01-02 00:10", "2026-01-02 00:40");
    assert_eq!(
        results["Is it running?"],
        [
            [json!("web-1"), json!(forty), json!(1), json!(forty)],
            [json!("web-2"), json!(forty), json!(0), json!(ten)],
            // The program's name is not in these files.
            [json!("web-3"), json!("2026-01-02 00:20"), json!(0), json!(null)],
        ]
    );
    let started = |first: &str, start: &str, pid: u32, name: &str| {
        let command = format!("/usr/bin/{name} --café");
        [json!(first), json!("web-1"), json!(start), json!(pid), json!("root"), json!(name), json!(command)]
    };
    assert_eq!(
        results["What started"],
        [started(forty, "2026-01-02 00:33", 9, "sshd"), started(ten, "2026-01-02 00:01", 30, "backup")]
    );

    // The sums are those of the files' lines, but for the torn ones.
    let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut torn = 0;
    for machine in fs::read_dir(folder.path()).unwrap() {
        for file in fs::read_dir(machine.unwrap().path()).unwrap() {
            for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
                let Ok(record) = serde_json::from_str::<Value>(line) else {
                    assert_eq!(line, TORN);
                    torn += 1;
                    continue;
                };
                let command = record["command"].as_str().unwrap();
                let name = record["name"].as_str().unwrap_or(command.split(' ').next().unwrap());
                let sum = expected.entry(name.to_owned()).or_default();
                *sum = (sum.0 + 1, sum.1 + line.len() as u64 + 1);
            }
        }
    }
    assert_eq!((torn, expected["nginx"].0, expected["/usr/bin/nginx"].0), (3, 5, 1));
    let mut expected: Vec<_> = expected.into_iter().collect();
    expected.sort_by_key(|(_, (_, bytes))| Reverse(*bytes));
    let expected: Vec<_> =
        expected.iter().map(|(name, (lines, bytes))| [json!(name), json!(lines), json!(bytes)]).collect();
    assert_eq!(results["Bytes per program"], expected);
}

/// The view's columns are fields of the record, with types that hold their values.
#[test]
fn the_view_has_the_types_of_the_fields() {
    let columns = columns("duckdb.sql");
    // It has all default fields.
    let golden = fs::read_to_string(fixture("golden.jsonl")).unwrap();
    let record: BTreeMap<String, Value> = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
    assert!(record.keys().all(|key| columns.contains_key(key)), "{columns:?}");
    have_the_types_of_the_fields(columns, "process");
}

/// The columns of a script's view, and their types.
pub fn columns(script: &str) -> BTreeMap<String, String> {
    let sql = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(script)).unwrap();
    let (_, columns) = sql.split_once("columns = {\n").unwrap();
    let (columns, _) = columns.split_once("\n    }").unwrap();
    let column = |line: &str| {
        let (name, kind) = line.split_once(": ").unwrap();
        (name.trim().trim_matches('"').to_owned(), kind.trim_matches([',', '\'']).to_owned())
    };
    columns.lines().map(column).collect()
}

/// Each column is a field of the kind, with a type that holds its values.
pub fn have_the_types_of_the_fields(mut columns: BTreeMap<String, String>, kind: &str) {
    let fields = String::from_utf8(quiet(&mut command(PROCLINE, &["fields", kind, "--format", "json"]))).unwrap();
    for field in fields.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let name = field["name"].as_str().unwrap();
        let Some(kind) = columns.remove(name) else { continue };
        let expected = match field["type"].as_str().unwrap() {
            _ if ["start", "timestamp"].contains(&name) => "TIMESTAMP",
            "string" => "VARCHAR",
            "int" => "BIGINT",
            "float" => "DOUBLE",
            "bool" => "BOOLEAN",
            "object" => "JSON",
            other => panic!("{name}: {other}"),
        };
        assert_eq!(kind, expected, "{name}");
    }
    assert!(columns.is_empty(), "no fields: {columns:?}");
}
