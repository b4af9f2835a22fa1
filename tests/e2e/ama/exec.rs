//! Rows of programs as they start, made of what `procline exec` really writes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Signal, kill_process};
use serde_json::{Map, Value};

use super::layouts::rows_of;
use super::machine::rows;
use super::queries::{ask_with_source, foreign};
use super::{columns, file, selection};
use crate::exec_stream::{Stream, USER, hold_as_user, word};
use crate::limit::wait_for;
use crate::support::{command, lacks, quiet, state};

type Rows = Vec<Map<String, Value>>;

/// A stream with the unit's options, of this user's programs only. None if it cannot run here, which is reported.
fn stream(test: &str, options: &[&str]) -> Option<Stream> {
    let (unit, user) = (selection("procline-exec.service"), USER.to_string());
    assert_eq!(unit[0], "exec");
    let unit: Vec<_> = unit[1..].iter().map(String::as_str).collect();
    Stream::start(test, &[&unit[..], &["--user", &user], options].concat())
}

fn written(path: &Path) -> Rows {
    rows(&fs::read_to_string(path).unwrap())
}

/// What a stream says of three programs, and their process ids: one fails, one is killed, and one has the rights of another user, if
/// this filesystem allows it.
fn lines_of_programs(test: &str) -> Option<(Rows, [u32; 3])> {
    let mut stream = stream(test, &["--env", "LC_ALL,TZ"])?;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let setuid = folder.path().join("setuid");
    quiet(command("cp", &["--", "/bin/cat"]).arg(&setuid));
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o4755)).unwrap();
    let word = word("row");
    let mut held = hold_as_user(&["sh", "-c", "read x; exit 3", &word, "日本語 \"\\ 😀"]);
    stream.program(held.0.id(), &word);
    let killed = hold_as_user(&["sh", "-c", "read x", &word]);
    stream.program(killed.0.id(), &word);
    let with_rights = hold_as_user(&[setuid.to_str().unwrap()]);
    stream.program(with_rights.0.id(), "setuid");
    let pids = [&held, &killed, &with_rights].map(|program| program.0.id());
    drop((held.0.stdin.take(), killed, with_rights));
    for pid in pids {
        stream.wait_for(|record| record.is_of("exit", pid));
    }
    stream.finish();
    Some((written(stream.output()), pids))
}

/// What a stream says of events that it could not receive.
fn lines_of_a_loss(test: &str) -> Option<Rows> {
    let mut tiny = stream(test, &["--buffer", "4096"])?;
    kill_process(tiny.pid(), Signal::STOP).unwrap();
    wait_for("the stop", || (state(tiny.running.0.id()) == Some('T')).then_some(()));
    quiet(&mut command("sh", &["-c", "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"]));
    kill_process(tiny.pid(), Signal::CONT).unwrap();
    tiny.wait_for(|record| record.event == "lost");
    tiny.finish();
    Some(written(tiny.output()))
}

/// All keys and values but `timestamp`, which is the row's TimeGenerated, to the microsecond.
#[test]
fn every_event_becomes_a_row() {
    const TEST: &str = "every_event_becomes_a_row";
    let Some((mut lines, pids)) = lines_of_programs(TEST) else { return };
    let Some(of_a_loss) = lines_of_a_loss(TEST) else { return };
    lines.extend(of_a_loss);
    let Some(table) = rows_of(TEST, "Custom-ProclineExec", "transform-exec.kql", &lines) else { return };
    assert_eq!(table.len(), lines.len());
    let (stream, own) = (columns("Custom-ProclineExec"), columns("exec"));
    for (line, row) in lines.iter().zip(&table) {
        for (key, value) in line {
            let column = stream.iter().find(|column| column.name == *key).expect(key);
            let fits = match column.r#type.as_str() {
                "string" => value.is_string(),
                "long" => value.is_i64() || value.is_u64(),
                "real" => value.is_number(),
                "boolean" => value.is_boolean(),
                "dynamic" => value.is_object(),
                other => panic!("{other}"),
            };
            assert!(fits, "{key} is a {}: {value}", column.r#type);
            let of_row = &row[if key == "timestamp" { "TimeGenerated" } else { key }];
            assert!(of_row == value || of_row.as_f64() == value.as_f64() && value.is_f64(), "{key}: {value}, {of_row}");
        }
        let columns: Vec<_> = own.iter().map(|column| &column.name).collect();
        assert!(row.len() == columns.len() && columns.iter().all(|name| row.contains_key(*name)), "{row:?}");
    }
    // The queries look for these, and connect the row of an end with that of the start.
    let [failed, killed, with_rights] = pids.map(|pid| {
        let of = |event: &str| {
            let found = table.iter().find(|row| row["event"] == event && row["pid"] == pid);
            found.unwrap_or_else(|| panic!("no {event} of {pid}: {table:?}"))
        };
        let (start, end) = (of("exec"), of("exit"));
        assert!(
            start["entity_id"] == end["entity_id"] && start["entity_id"].is_string() && end["command"].is_null(),
            "{end:?}"
        );
        assert!(end["duration"].as_f64() > Some(0.0), "{end:?}");
        (start, end)
    });
    assert!(failed.0["command"].as_str().unwrap().contains("日本語 \"\\ 😀"), "{failed:?}");
    assert_eq!((&failed.1["exit_code"], &failed.1["exit_signal"]), (&3.into(), &Value::Null));
    assert_eq!((&killed.1["exit_code"], &killed.1["exit_signal"]), (&Value::Null, &9.into()));
    assert_eq!(failed.0["env"], serde_json::json!({"LC_ALL": "C", "TZ": "UTC"}));
    assert_eq!((&failed.0["effective_user"], &with_rights.0["user"]), (&Value::Null, &USER.to_string().into()));
    assert!([Value::Null, "root".into()].contains(&with_rights.0["effective_user"]), "{with_rights:?}");
    let loss = table.iter().find(|row| row["event"] == "lost").unwrap();
    assert!(loss["lost"].as_u64() > Some(0) && loss["lost_in"] == "kernel", "{loss:?}");
}

/// What the README adds to the transform to pay less makes a transform that Azure accepts.
#[test]
fn the_cheaper_transforms_are_accepted() {
    let readme = file("README.md");
    let additions =
        readme.split('`').filter(|span| ["| where ", "| project-away "].iter().any(|word| span.starts_with(word)));
    let queries: BTreeMap<_, _> =
        additions.map(|span| (span.to_owned(), format!("{}{span}", file("transform-exec.kql")))).collect();
    assert_eq!(queries.len(), 2, "{queries:?}");
    let test = "the_cheaper_transforms_are_accepted";
    let Some(answers) = ask_with_source(test, "Custom-ProclineExec", &queries) else { return };
    for (addition, answer) in &answers {
        assert!(answer.problems.is_empty() && foreign(answer).is_empty(), "{addition}: {answer:?}");
        let dropped = columns("exec").len() - answer.columns.len();
        assert_eq!(dropped, if addition.contains("away") { 2 } else { 0 }, "{addition}");
    }
}

/// The command that estimates the rows of a machine counts them, and the bytes of their values.
#[test]
fn the_command_about_the_cost_of_programs_works() {
    const TEST: &str = "the_command_about_the_cost_of_programs_works";
    if lacks(TEST, true, &["awk"]) {
        return;
    }
    let readme = file("README.md");
    let line = readme.lines().find_map(|line| line.strip_prefix("$ sudo timeout 10m procline ")).unwrap();
    let (arguments, script) = line.split_once(" | ").unwrap();
    let unit = selection("procline-exec.service").join(" ");
    assert_eq!(arguments, format!("{unit} --format csv"), "the unit's options");
    let Some(mut stream) = stream(TEST, &["--format", "csv"]) else { return };
    let word = word("cost");
    let held = hold_as_user(&["sh", "-c", "read x", &word]);
    let text = || fs::read_to_string(stream.output()).unwrap();
    wait_for("the start", || text().contains(&word).then_some(()));
    let pid = format!("exit,{},", held.0.id());
    drop(held);
    wait_for("the end", || text().contains(&pid).then_some(()));
    stream.finish_unread();
    let text = fs::read_to_string(stream.output()).unwrap();

    let script = script.replace("1e6", "1");
    let mut awk = command("sh", &["-c", &format!("{script} <\"$0\"")]);
    let printed = String::from_utf8(quiet(awk.arg(stream.output()))).unwrap();
    let words: Vec<_> = printed.split_whitespace().collect();
    assert_eq!([words[1], words[3]], ["rows,", "MB"], "{printed}");
    let [rows, bytes] = [words[0], words[2]].map(|number| number.parse::<f64>().unwrap());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let values: Vec<usize> = reader.records().map(|row| row.unwrap().iter().map(str::len).sum()).collect();
    // Ten minutes are one of 144 parts of a day. TimeGenerated has the text of `timestamp`.
    let share = bytes / (144.0 * values.iter().sum::<usize>() as f64);
    assert!(rows == 144.0 * values.len() as f64 && (0.97..1.03).contains(&share), "{printed} of {values:?}");
}
