//! The record: names, order, types; `--fields` and `procline fields`; and that only needed files are opened.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Tree, complaint, has_kernel_threads, lacks, lines, procline, quiet, records};

const DEFAULT: &str = "user pid cpu mem vsz rss tty stat start time command Computer timestamp";

/// The keys of a line, in its order.
fn keys(line: &str) -> String {
    // With the feature `preserve_order` off, serde_json sorts; the order is that of the text.
    let map: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
    let mut keys: Vec<_> = map.keys().map(|key| (line.find(&format!("\"{key}\":")).unwrap(), key.as_str())).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>().join(" ")
}

fn keys_with(list: &str) -> String {
    let output = quiet(&mut Tree::copy().procline(&["--fields", list]));
    keys(lines(&output)[0])
}

#[test]
fn the_default_record() {
    let output = quiet(&mut procline(&[]));
    for line in lines(&output) {
        // A process of another test may have a command line that is too long for a record, and one that ends while it is
        // read lacks what was not read by then. The first process does neither.
        let keys = keys(line);
        let known: Vec<_> = DEFAULT.split(' ').filter(|key| keys.split(' ').any(|word| word == *key)).collect();
        assert_eq!(keys.strip_suffix(" command_truncated").unwrap_or(&keys), known.join(" "), "{line}");
        assert!(keys == DEFAULT || !line.contains("\"pid\":1,"), "{line}");
    }
    let all = records(&output);
    assert!(all.iter().any(|record| record.pid == 1));
    assert!(all.windows(2).all(|pair| pair[0].pid < pair[1].pid), "by ascending pid");
    let first = &all[0];
    assert!(all.iter().all(|record| record.timestamp == first.timestamp && record.computer == first.computer));
    let timestamp = chrono::NaiveDateTime::parse_from_str(&first.timestamp, "%Y-%m-%dT%H:%M:%S%.3fZ");
    assert!(timestamp.is_ok() && first.timestamp.len() == "2026-01-02T03:04:05.678Z".len(), "{}", first.timestamp);
}

#[test]
fn the_fields_asked_for_in_the_order_asked() {
    assert_eq!(keys_with("command,pid"), "command pid");
    assert_eq!(keys_with("-vsz,-tty"), DEFAULT.replace("vsz ", "").replace("tty ", ""));
    assert_eq!(keys_with("-pid,+pid"), format!("{} pid", DEFAULT.replace("pid ", "")));
    assert_eq!(keys_with("default"), DEFAULT);
    assert!(keys_with("all").starts_with(DEFAULT));
    assert_eq!(
        keys_with("resources,-uss,-pss,-swap,-fds"),
        "name pid cpu_now vsz rss read_ops write_ops read_bytes write_bytes Computer timestamp"
    );
    let output = quiet(&mut Tree::copy().procline(&["--fields=-user"]));
    assert_eq!(keys(lines(&output)[0]), DEFAULT.replace("user ", ""));
}

#[test]
fn an_unknown_field_is_a_wrong_usage_and_near_ones_are_named() {
    for (list, near) in
        [("pid,comand", "'command'"), ("-cpus", "'cpu'"), ("+timestmap", "'timestamp'"), ("computer", "'Computer'")]
    {
        let (code, errors) = complaint(&procline(&["--fields", list]).output().unwrap());
        assert_eq!(code, 2, "{list}");
        assert!(errors.contains(near), "{list}: {errors}");
    }
    let (code, errors) = complaint(&procline(&["--fields", "pid,-pid"]).output().unwrap());
    assert!(code == 2 && errors.contains("no field"), "{errors}");
}

/// What cannot be known is omitted, and nothing else changes.
#[test]
fn unknown_is_absent() {
    let tree = Tree::copy();
    let whole = records(&quiet(&mut tree.procline(&[])));
    fs::remove_file(tree.path("proc/1200/status")).unwrap();
    fs::remove_file(tree.path("proc/1200/cmdline")).unwrap();
    let parts = records(&quiet(&mut tree.procline(&[])));
    let place = whole.iter().position(|record| record.pid == 1200).unwrap();
    let mut expected = whole;
    let shell = &mut expected[place];
    (shell.user, shell.mem, shell.rss, shell.stat, shell.command) = (None, None, None, None, None);
    for (record, now) in expected.iter_mut().zip(&parts) {
        record.timestamp.clone_from(&now.timestamp);
    }
    assert_eq!(parts, expected);
}

#[test]
fn labels_the_machines_name_and_no_arguments() {
    let tree = Tree::copy();
    let one = |arguments: &[&str]| {
        let output = quiet(tree.procline(&["--pid", "1201"]).arg("--fields").args(arguments));
        lines(&output)[0].to_owned()
    };
    assert_eq!(one(&["pid", "--label", "env=a=b", "--label", "k8s.pod="]), r#"{"pid":1201,"env":"a=b","k8s.pod":""}"#);
    assert_eq!(one(&["pid,Computer", "--computer", "web-1"]), r#"{"pid":1201,"Computer":"web-1"}"#);
    let mut command = tree.procline(&["--pid", "1201", "--fields", "Computer"]);
    assert_eq!(lines(&quiet(command.env("PROCLINE_COMPUTER", "web-2")))[0], r#"{"Computer":"web-2"}"#);
    assert_eq!(lines(&quiet(command.args(["--computer", "web-3"])))[0], r#"{"Computer":"web-3"}"#);
    assert_eq!(one(&["name,command,args", "--no-args"]), r#"{"name":"vim","command":"[vim]"}"#);
    // A long label gives way as any other string does.
    let long = format!("note={}", "x".repeat(5000));
    let line = one(&["pid", "--max-record-bytes", "1024", "--label", &long]);
    assert!(line.len() < 1024 && line.ends_with("x\",\"command_truncated\":true}"), "{line}");
    for (label, words) in [("pid=1", "field of that name"), ("command_truncated=1", "field of that name")] {
        let (code, errors) = complaint(&tree.procline(&["--label", label]).output().unwrap());
        assert!(code == 2 && errors.contains(words), "{errors}");
    }
    let (code, errors) = complaint(&tree.procline(&["--label", "a=1", "--label", "a=2"]).output().unwrap());
    assert!(code == 2 && errors.contains("twice"), "{errors}");
    for label in ["novalue", "=x", "1a=x", "a b=x"] {
        let (code, errors) = complaint(&tree.procline(&["--label", label]).output().unwrap());
        assert!(code == 2 && errors.contains("KEY=VALUE"), "{label}: {errors}");
    }
}

#[test]
fn the_table_of_fields() {
    let text = String::from_utf8(quiet(&mut procline(&["fields", "process"]))).unwrap();
    let names: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names.join(" ").starts_with(DEFAULT), "{names:?}");
    let json = quiet(&mut procline(&["fields", "process", "--format", "json"]));
    let first: Value = serde_json::from_str(lines(&json)[2]).unwrap();
    assert_eq!((&first["record"], &first["name"]), (&"process".into(), &"cpu".into()));
    assert_eq!((&first["type"], &first["unit"], &first["default"]), (&"float".into(), &"%".into(), &true.into()));
    assert!(first["meaning"].as_str().unwrap().contains("CPU time"));
    // The mark of a cut record is no field to ask for, but a column to make.
    for schema in ["procline", "oms", "ecs", "otel"] {
        let json = quiet(&mut procline(&["fields", "process", "--schema", schema, "--format", "json"]));
        let last: Value = serde_json::from_str(lines(&json).last().unwrap()).unwrap();
        assert_eq!((&last["name"], &last["type"]), (&"command_truncated".into(), &"bool".into()));
        assert_eq!(last["default"], true);
    }
    let (code, errors) = complaint(&procline(&["--fields", "pid,command_truncated"]).output().unwrap());
    assert!(code == 2 && errors.contains("added to every record that was cut"), "{errors}");
}

/// CSV has a column for the mark where a record may be cut, and no record has the mark where none is.
#[test]
fn the_mark_of_a_cut_record_is_where_one_may_be_cut() {
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", "word\0".repeat(40_000).as_bytes());
    let head = |fields: &str, more: &[&str]| {
        let output = quiet(tree.procline(&["--format", "csv", "--name", "*", "--fields", fields]).args(more));
        String::from_utf8(output).unwrap().lines().next().unwrap().to_owned()
    };
    let numbers = "pid,cpu,tty,stat,start,state,entity_id,container,kernel_thread,timestamp";
    for (fields, more, has_mark) in [
        (numbers, &[][..], false),
        ("pid,user", &[], true),
        ("pid,user", &["--max-record-bytes", "0"], false),
        ("pid,command", &["--max-record-bytes", "0"], true),
        ("pid,args", &["--max-record-bytes", "0"], true),
        ("pid", &["--label", "a=b"], true),
        ("pid", &["--label", "a=b", "--max-record-bytes", "0"], false),
        ("uid,pid", &["--schema", "ecs"], false),
        ("default,-user,-command,-Computer", &["--schema", "oms"], false),
        ("name", &["--schema", "otel"], true),
    ] {
        assert_eq!(head(fields, more).ends_with(",command_truncated"), has_mark, "{fields} {more:?}");
    }
    // That command line is read for the filter alone.
    for (fields, is_marked) in [("pid", false), ("pid,command", true)] {
        for max in ["0", "32000"] {
            let arguments = ["--name", "*", "--pid", "1200", "--fields", fields, "--max-record-bytes", max];
            let output = quiet(&mut tree.procline(&arguments));
            let record: Value = serde_json::from_slice(&output).unwrap();
            assert_eq!(record.get("command_truncated").is_some(), is_marked, "{fields} {max}");
        }
    }
}

/// The table says which type a field has, in every schema: every record agrees, absent ones aside.
#[test]
fn types_are_those_of_the_table() {
    for schema in ["procline", "oms", "ecs", "otel"] {
        let table = quiet(&mut procline(&["fields", "process", "--schema", schema, "--format", "json"]));
        let table = lines(&table).into_iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut types: BTreeMap<String, String> =
            table.map(|row| (row["name"].as_str().unwrap().into(), row["type"].as_str().unwrap().into())).collect();
        types.insert("ecs.version".into(), "string".into());
        let output = quiet(&mut procline(&["--schema", schema, "--fields", "all", "--sample", "1ms"]));
        for line in lines(&output) {
            agrees(serde_json::from_str(line).unwrap(), "", &types, line);
        }
    }
}

fn agrees(value: Value, name: &str, types: &BTreeMap<String, String>, line: &str) {
    let found = match value {
        Value::Object(inner) => {
            let before = if name.is_empty() { String::new() } else { format!("{name}.") };
            inner.into_iter().for_each(|(key, value)| agrees(value, &format!("{before}{key}"), types, line));
            return;
        }
        Value::String(_) => "string",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::Bool(_) => "bool",
        Value::Array(texts) if texts.iter().all(Value::is_string) => "list",
        _ => "none of them",
    };
    assert_eq!(types.get(name).map(String::as_str), Some(found), "{name} in {line}");
}

/// What was opened of process 1, of process 2 (a kernel thread, where there are any), and of the machine, in order.
fn opened(list: &str) -> [String; 3] {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut command = crate::support::command("strace", &["-f", "-q", "-e", "trace=openat,statx", "-o"]);
    // Of these two alone: a process of another test may have a user for whom the name services open files.
    command.arg(&trace).args([crate::support::PROCLINE, "--pid=1", "--pid=2", "--fields", list]);
    quiet(&mut command);
    let trace = fs::read_to_string(trace).unwrap();
    let paths = || trace.lines().filter_map(|line| line.split('"').nth(1));
    let of = |prefix: &str| {
        let names = paths().filter_map(|path| path.strip_prefix(prefix));
        names.map(|name| if name.is_empty() { "(owner)" } else { name }).collect::<Vec<_>>().join(" ")
    };
    let mut machine: Vec<_> =
        paths().filter(|path| ["/etc/passwd", "uptime", "stat", "meminfo"].contains(path)).collect();
    // The name services read it again where a process of another test has a uid without a name.
    machine.dedup();
    [of("1/"), of("2/"), machine.join(" ")]
}

#[test]
fn only_the_files_that_the_fields_need_are_opened() {
    const TEST: &str = "only_the_files_that_the_fields_need_are_opened";
    if lacks(TEST, false, &["strace"]) {
        return;
    }
    let has_kernel_threads = has_kernel_threads(TEST);
    for (list, process, kernel_thread, machine) in [
        ("pid", "stat", "stat", ""),
        ("pid,vsz,time,Computer,timestamp", "stat", "stat", ""),
        ("pid,cpu", "stat", "stat", ""),
        ("pid,start", "stat", "stat", "stat"),
        ("pid,rss", "stat statm", "stat", ""),
        ("pid,mem", "stat statm", "stat", "meminfo"),
        ("pid,user", "stat (owner)", "stat (owner)", "/etc/passwd"),
        ("pid,stat", "stat status", "stat", ""),
        ("pid,rss,stat,user", "stat status", "stat (owner)", "/etc/passwd"),
        ("pid,cpu,command", "stat cmdline", "stat", ""),
        ("pid,args", "stat cmdline", "stat", ""),
        ("pid,name", "stat", "stat", ""),
        ("pid,uid", "stat (owner)", "stat (owner)", ""),
        ("pid,gid,ctx_voluntary", "stat status", "stat status", ""),
        ("pid,gid,rss,uid", "stat status", "stat status", ""),
        ("pid,shared,rss", "stat statm", "stat", ""),
        ("pid,rss,shared,stat", "stat status statm", "stat", ""),
        ("pid,pss,uss", "stat smaps_rollup", "stat", ""),
        ("pid,read_ops,wchar", "stat io", "stat io", ""),
        ("pid,fds", "stat fd", "stat fd", ""),
        ("pid,cgroup,container", "stat cgroup", "stat cgroup", ""),
        ("pid,oom_score", "stat oom_score", "stat oom_score", ""),
        ("pid,ppid,state,nice,priority,threads,session,pgrp,minflt,majflt,kernel_thread", "stat", "stat", ""),
        ("pid,elapsed", "stat", "stat", ""),
        ("default", "stat status cmdline", "stat (owner)", "stat meminfo /etc/passwd"),
    ] {
        let [one, two, whole] = opened(list);
        assert_eq!((one.as_str(), whole.as_str()), (process, machine), "{list}");
        assert!(!has_kernel_threads || two == kernel_thread, "{list}: {two}");
    }
}
