//! Live parity with the machine's own ps. Each comparison runs ps, procline, and ps again. Where both runs of ps agree,
//! procline must print the same. Otherwise it must print what one of them printed, or a number between.

use std::collections::BTreeMap;
use std::process::Command;

use chrono::DateTime;

use crate::support::{
    PROCLINE, Record, TestProcess, command, has_kernel_threads, lacks, lines, procline, quiet, records,
};

/// The columns requested from ps, and those that are numbers.
const COLUMNS: [&str; 9] = ["user:70", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "lstart", "cputimes"];
const NUMBERS: [&str; 5] = ["pcpu", "pmem", "vsz", "rss", "cputimes"];

/// One process as ps prints it: its columns and its arguments.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    columns: BTreeMap<&'static str, String>,
    arguments: String,
}

/// How ps and procline are started: with the machine's clock, or with another one.
pub struct View {
    pub ps: fn(&[&str]) -> Command,
    pub procline: fn(&[&str]) -> Command,
}

pub const HERE: View = View { ps: |arguments| command("ps", arguments), procline };

fn ps(view: &View, which: &[&str]) -> BTreeMap<u32, Row> {
    let mut arguments = vec!["-ww", "-o", "pid="];
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("{column}=")).collect();
    for column in &columns {
        arguments.extend(["-o", column]);
    }
    arguments.extend(["-o", "args="]);
    arguments.extend(which);
    let output = (view.ps)(&arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(row).collect()
}

fn row(line: &str) -> (u32, Row) {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        rest = after;
        word.to_owned()
    };
    let pid = word().parse().unwrap_or_else(|_| panic!("a line of ps: {line:?}"));
    let columns = COLUMNS.map(|column| match column {
        "lstart" => (column, [word(), word(), word(), word(), word()].join(" ")),
        _ => (column.split(':').next().unwrap(), word()),
    });
    (pid, Row { columns: BTreeMap::from(columns), arguments: rest.to_owned() })
}

/// The record as ps would print it.
fn in_words_of_ps(record: &Record) -> Row {
    // ps omits the fraction from 100 on.
    let cpu = if record.cpu < 100.0 { format!("{:.1}", record.cpu) } else { format!("{}", record.cpu as u64) };
    let start = DateTime::parse_from_rfc3339(&record.start).unwrap();
    let known = |number: Option<u64>| number.expect("a figure").to_string();
    let columns = [
        ("user", record.user.clone().expect("a user")),
        ("pcpu", cpu),
        ("pmem", format!("{:.1}", record.mem.expect("a share"))),
        ("vsz", record.vsz.to_string()),
        ("rss", known(record.rss)),
        ("tty", record.tty.clone()),
        ("stat", record.stat.clone().expect("a state")),
        ("lstart", start.format("%a %b %-d %H:%M:%S %Y").to_string()),
        ("cputimes", (record.time as u64).to_string()),
    ];
    Row { columns: BTreeMap::from(columns), arguments: record.command.clone().expect("a command") }
}

/// What one comparison found wrong, by process and column. Only processes that both runs of ps printed are compared.
fn differences(view: &View, which: &[&str]) -> BTreeMap<(u32, &'static str), String> {
    let before = ps(view, which);
    let output = quiet(&mut (view.procline)(&["--max-record-bytes", "0"]));
    let after = ps(view, which);
    assert!(before.keys().any(|pid| after.contains_key(pid)), "ps saw nothing to compare with");
    let ours: BTreeMap<u32, Record> = records(&output).into_iter().map(|record| (record.pid, record)).collect();
    let mut found = BTreeMap::new();
    for (pid, before) in &before {
        let Some(after) = after.get(pid).filter(|after| after.columns["lstart"] == before.columns["lstart"]) else {
            continue;
        };
        let Some(ours) = ours.get(pid).map(in_words_of_ps) else {
            found.insert((*pid, "pid"), format!("missing, ps has {before:?}"));
            continue;
        };
        for (column, value) in &ours.columns {
            let (low, high) = (&before.columns[column], &after.columns[column]);
            if value != low && value != high && !(NUMBERS.contains(column) && between(value, low, high)) {
                found.insert((*pid, *column), format!("{value}, ps has {low} and {high}: {before:?}"));
            }
        }
        if ![before, after].iter().any(|ps| is_same_text(&ours.arguments, &ps.arguments)) {
            found.insert((*pid, "args"), format!("{:?}, ps has {:?}", ours.arguments, after.arguments));
        }
    }
    found
}

fn between(value: &str, one: &str, other: &str) -> bool {
    let [value, one, other] = [value, one, other].map(|text| text.parse::<f64>().unwrap());
    (one.min(other)..=one.max(other)).contains(&value)
}

/// Whether ps would print our text as it did. In the C locale ps prints `?` for each byte that is not ASCII, and `.`
/// for a control character, but a blank for a newline between arguments. It cuts lines after 128 KiB, where procline drops
/// the last word, too. It prints `?` if there is no text.
fn is_same_text(ours: &str, ps: &str) -> bool {
    const LONG: usize = 120 * 1024;
    let (ours, ps) = match ours.split_once('…') {
        Some((head, _)) if ps.len() >= LONG && head.len() >= LONG / 2 => (head, ps.get(..head.len()).unwrap_or(ps)),
        _ => (ours, ps),
    };
    let length = if ps.len() < LONG { usize::MAX } else { ps.len() };
    let squeeze = |text: &str| {
        let mut words: Vec<char> = text.chars().collect();
        // The number of bytes that were not UTF-8 is unknown.
        words.dedup_by(|a, b| *a == '?' && *b == '?');
        words.into_iter().collect::<String>()
    };
    let as_ps = |newline: char| {
        let word = |c: char| match c {
            '\n' => newline,
            c if c.is_ascii_control() => '.',
            c if !c.is_ascii() => '?',
            c => c,
        };
        squeeze(&ours.chars().take(length).map(word).collect::<String>())
    };
    let ps_text = squeeze(ps);
    let is_bracketed = ours.starts_with('[') && ours.ends_with(']');
    as_ps(' ') == ps_text || as_ps('.') == ps_text || (ps == "?" && is_bracketed)
}

/// What a kind of test process must show in STAT or in the command. It is not enough that ps and procline agree.
fn shows(kind: &str) -> (Option<&'static str>, Option<&'static str>) {
    let (stat, command) = match kind {
        "plain" => ("T", ""),
        "zombie" => ("Z", "[python3] <defunct>"),
        "zombie_leader" => ("Zl", ""),
        "traced" => ("t", ""),
        "nice" => ("TN", ""),
        "negative_nice" => ("T<", ""),
        "session_leader" => ("Ts", ""),
        "threads" => ("Tl", ""),
        "mlock" | "mlock_onfault" => ("TL", ""),
        "foreground" => ("T+", ""),
        "empty_argv" => ("", "[cat]"),
        "no_arguments" => ("", "[python3]"),
        "empty_comm_and_argv" => ("", "[]"),
        "title" => ("", "nginx: worker process (idle)"),
        "name_like_stat" => ("", "[a) R 1 1 (b]"),
        "name_with_blanks" => ("", "[ two  words ]"),
        "name_with_newline" => ("", "[a\nb\tc]"),
        "name_not_utf8" => ("", "[a\u{fffd}\u{fffd}(\u{fffd}]"),
        "arguments_of_all_kinds" => ("", "cat -  a b n\nl t\tb\u{1}\u{7f} é€😀 \u{fffd}\u{fffd}\u{fffd}( q\"\\"),
        _ => ("", ""),
    };
    (Some(stat).filter(|text| !text.is_empty()), Some(command).filter(|text| !text.is_empty()))
}

/// A stopped process does not change, so it is compared exactly.
fn assert_same(kind: &str) {
    if TestProcess::lacks(kind) {
        return;
    }
    let process = TestProcess::start(kind);
    // In a process's first clock ticks its CPU share changes with each tick. But such a difference does not come up
    // every time.
    let compared: Vec<_> = (0..20)
        .map(|_| differences(&HERE, &["-p", &process.pid.to_string()]))
        .take_while(|found| !found.is_empty())
        .collect();
    assert!(compared.len() < 20, "{kind}: {:#?}", compared.last());
    let record = process.record(&[]);
    let (stat, command) = shows(kind);
    assert!(stat.is_none() || record.stat.as_deref() == stat, "{record:?}");
    assert!(command.is_none() || record.command.as_deref() == command, "{record:?}");
    assert!(kind != "foreground" || record.tty.starts_with("pts/"), "{record:?}");
    assert!(kind != "uid_without_name" || record.user.as_deref() == Some("4242424"), "{record:?}");
}

macro_rules! same_as_ps {
    ($($kind:ident)*) => { $(
        #[test]
        fn $kind() {
            assert_same(stringify!($kind));
        }
    )* };
}

same_as_ps! {
    plain zombie zombie_leader traced nice negative_nice session_leader threads mlock mlock_onfault foreground
    empty_argv no_arguments empty_comm empty_comm_and_argv title name_like_stat name_with_blanks name_with_newline
    name_not_utf8 arguments_of_all_kinds uid_without_name groups_1000 groups_65000 command_of_5_mb
}

/// Every process of the machine, kernel threads included. A state may change and change back between the two runs of
/// ps, but a real difference comes up every time.
#[test]
fn every_process_of_this_machine() {
    if lacks("every_process_of_this_machine", false, &["ps"]) {
        return;
    }
    has_kernel_threads("every_process_of_this_machine");
    let mut found = differences(&HERE, &["-e"]);
    for _ in 0..30 {
        if found.is_empty() {
            return;
        }
        let again = differences(&HERE, &["-e"]);
        found.retain(|place, _| again.contains_key(place));
    }
    panic!("{found:#?}");
}

/// Without `stat` among the fields, rss and user come from files that are cheaper to read. The values must be the same.
#[test]
fn the_cheaper_files_have_the_same_values() {
    if TestProcess::lacks("the_cheaper_files_have_the_same_values") {
        return;
    }
    for kind in ["plain", "mlock", "zombie", "zombie_leader", "uid_without_name"] {
        let process = TestProcess::start(kind);
        let whole = process.record(&[]);
        let output = quiet(&mut procline(&["--fields", "pid,user,rss,mem"]));
        let line =
            lines(&output).into_iter().find(|line| line.starts_with(&format!("{{\"pid\":{},", process.pid))).unwrap();
        let expected = format!(
            "{{\"pid\":{},\"user\":\"{}\",\"rss\":{},\"mem\":{:?}}}",
            process.pid,
            whole.user.unwrap(),
            whole.rss.unwrap(),
            whole.mem.unwrap()
        );
        assert_eq!(line, expected, "{kind}");
    }
}

/// With a clock that is three days and an hour ahead, every process has started on another day.
#[test]
fn processes_from_another_day() {
    if lacks("processes_from_another_day", false, &["ps", "faketime", "python3"]) {
        return;
    }
    const LATER: &[&str] = &["-f", "+73h"];
    let faked = View {
        ps: |arguments| command("faketime", &[LATER, &["ps"], arguments].concat()),
        procline: |arguments| command("faketime", &[LATER, &[PROCLINE], arguments].concat()),
    };
    let process = TestProcess::start("plain");
    let found = differences(&faked, &["-p", &process.pid.to_string()]);
    assert!(found.is_empty(), "{found:#?}");
    let there = records(&quiet(&mut (faked.procline)(&[])));
    let there = there.into_iter().find(|record| record.pid == process.pid).unwrap();
    let here = process.record(&[]);
    assert_eq!(there.start, here.start);
    let days = |record: &Record| {
        let of = |text: &str| DateTime::parse_from_rfc3339(text).unwrap();
        (of(&record.timestamp) - of(&record.start)).num_days()
    };
    assert_eq!((days(&here), days(&there)), (0, 3));
}
