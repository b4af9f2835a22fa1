//! Arrays and CSV, read back by programs that know them: jq, and Python's csv.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Tree, command, lacks, lines, quiet, records};

#[test]
fn an_array_is_one_document_with_the_same_records() {
    let tree = Tree::copy();
    let fields = ["--fields", "default,args,-timestamp"];
    let json = quiet(&mut tree.procline(&fields));
    let json: Vec<Value> = lines(&json).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let array: Vec<Value> = serde_json::from_slice(&quiet(tree.procline(&fields).args(["--format", "array"]))).unwrap();
    assert_eq!(array, json);
    for (filter, expected) in [("--top=1", 1), ("--top=0", 0), ("--name=nothing-has-it", 0)] {
        let array = quiet(&mut tree.procline(&["--format", "array", filter]));
        assert_eq!(serde_json::from_slice::<Vec<Value>>(&array).unwrap().len(), expected, "{filter}");
    }
    assert_eq!(quiet(&mut tree.procline(&["--format", "array", "--top=0"])), b"[]\n");
}

/// What Python's csv makes of CSV: rows of cells.
fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    let script = "import csv, json, sys, io\n\
                  text = sys.stdin.buffer.read().decode('utf-8')\n\
                  print(json.dumps(list(csv.reader(io.StringIO(text, newline=''), strict=True))))";
    let mut child = command("python3", &["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(csv).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn csv_has_a_cell_for_every_column() {
    if lacks("csv_has_a_cell_for_every_column", false, &["python3"]) {
        return;
    }
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", "a,b\0\"q\"\0new\nline\0é\0".as_bytes());
    let fields = "pid,user,cpu,kernel_thread,container,args,command";
    let csv = quiet(&mut tree.procline(&["--format", "csv", "--label", "env=x,y", "--fields", fields]));
    let rows = rows(&csv);
    let head: Vec<_> = fields.split(',').chain(["env", "command_truncated"]).collect();
    assert_eq!(rows[0], head);
    let json = quiet(&mut tree.procline(&["--fields", fields]));
    for (row, line) in rows[1..].iter().zip(lines(&json)) {
        let record: Value = serde_json::from_str(line).unwrap();
        for (column, cell) in head.iter().zip(row) {
            let expected = match &record[column] {
                Value::Null if *column == "env" => "x,y".to_owned(),
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            assert_eq!(*cell, expected, "{column} of {line}");
        }
    }
    assert_eq!(rows.len() - 1, records(&quiet(&mut tree.procline(&[]))).len());
    assert_eq!(
        quiet(&mut tree.procline(&["--format", "csv", "--top=0", "--fields", "pid"])),
        b"pid,command_truncated\n"
    );
}
