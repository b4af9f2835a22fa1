//! Arrays and CSV, read by other programs: jq, and Python's csv module.

use std::fs;
use std::path::PathBuf;

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

/// Files as read by Python's csv module: rows of cells, the same in strict mode and without.
fn rows(paths: &[PathBuf]) -> Vec<Vec<Vec<String>>> {
    let script = "import csv, json, sys\n\
                  def read(path, strict):\n    \
                      return list(csv.reader(open(path, encoding='utf-8', newline=''), strict=strict))\n\
                  assert all(read(path, True) == read(path, False) for path in sys.argv[1:])\n\
                  print(json.dumps([read(path, True) for path in sys.argv[1:]]))";
    serde_json::from_slice(&quiet(command("python3", &["-c", script]).args(paths))).unwrap()
}

/// A text as it appears in a cell: on one line.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[test]
fn csv_has_a_cell_for_every_column() {
    if lacks("csv_has_a_cell_for_every_column", false, &["python3"]) {
        return;
    }
    let tree = Tree::copy();
    let controls: String = ('\x01'..'\u{a0}').filter(|c| c.is_control()).collect();
    let words = ["a,b", "\"q\"", "new\nline", "é", "C:\\new", "\r", "\n\"", &controls, "end\n"];
    tree.write("proc/1200/cmdline", format!("{}\0", words.join("\0")).as_bytes());
    let fields = "pid,user,cpu,kernel_thread,container,args,command";
    let csv = quiet(&mut tree.procline(&["--format", "csv", "--label", "env=x,\ny", "--fields", fields]));
    // A row is one line, also for readers that ignore quotes.
    let text = std::str::from_utf8(&csv).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let file = tree.path("rows.csv");
    fs::write(&file, &csv).unwrap();
    let [rows] = rows(&[file]).try_into().unwrap();
    assert_eq!(rows.len(), text.lines().count());
    let head: Vec<_> = fields.split(',').chain(["env", "command_truncated"]).collect();
    assert_eq!(rows[0], head);
    let json = quiet(&mut tree.procline(&["--fields", fields]));
    for (row, line) in rows[1..].iter().zip(lines(&json)) {
        let record: Value = serde_json::from_str(line).unwrap();
        for (column, cell) in head.iter().zip(row) {
            let expected = match &record[column] {
                Value::Null if *column == "env" => escaped("x,\ny"),
                Value::Null => String::new(),
                Value::String(text) => escaped(text),
                value => escaped(&value.to_string()),
            };
            assert_eq!(*cell, expected, "{column} of {line}");
        }
    }
    assert_eq!(rows.len() - 1, records(&quiet(&mut tree.procline(&[]))).len());
    assert_eq!(quiet(&mut tree.procline(&["--format", "csv", "--top=0", "--fields", "pid"])), b"pid\n");
}

/// A run may be killed after any byte of a row. The next run closes the row and its quote, and all other rows are
/// unchanged.
#[test]
fn a_torn_row_takes_no_other_along() {
    if lacks("a_torn_row_takes_no_other_along", false, &["python3"]) {
        return;
    }
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", "say\0\"a, b\"\0\"\"\0c,\nd\0\"\0".as_bytes());
    let arguments = ["--format=csv", "--fields=pid,command,args,name", "--label=last=\"x,\"\"", "--no-redact"];
    let whole = quiet(tree.procline(&arguments).args(["--pid=1", "--pid=1200"]));
    let next = quiet(tree.procline(&arguments).arg("--pid=1300"));
    let next = &next[next.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
    let start = whole.len() - 1 - whole.split(|byte| *byte == b'\n').nth(2).unwrap().len();
    assert_eq!(whole.iter().filter(|byte| **byte == b'\n').count(), 3);
    assert!(whole[start..].iter().filter(|byte| **byte == b'"').count() > 20);

    let paths: Vec<_> = (start..=whole.len()).map(|cut| tree.path(&format!("{cut}.csv"))).collect();
    for (cut, path) in (start..).zip(&paths) {
        fs::write(path, &whole[..cut]).unwrap();
        quiet(tree.procline(&arguments).arg("--pid=1300").arg("--output").arg(path));
        let content = fs::read(path).unwrap();
        assert!(content.starts_with(&whole[..cut]) && content.ends_with(next), "{cut}");
    }
    let mut found = rows(&paths);
    let [head, first, last, added] = found.pop().unwrap().try_into().unwrap();
    for (cut, mut found) in (start..).zip(found) {
        assert_eq!(found.pop().unwrap(), added, "{cut}");
        let torn = found.split_off(2);
        assert_eq!(found, [head.clone(), first.clone()], "{cut}");
        // The torn row is a part of the whole one. At most its last cell differs.
        match &torn[..] {
            [] => assert_eq!(cut, start),
            [row] => {
                let cells = row.len() - 1;
                assert_eq!(row[..cells], last[..cells], "{cut}");
                assert!(last[cells].starts_with(row[cells].trim_end_matches('"')), "{cut}: {row:?}");
            }
            more => panic!("{cut}: {more:?}"),
        }
    }
}
