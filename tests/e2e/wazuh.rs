//! contrib/wazuh: what the converter makes of procline's records, compared with psutil by the formulas of wazuh-metrics.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Running, command, lacks, lacks_psutil, procline};
use crate::watching::Daemon;

const CONVERTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/wazuh/wazuh_csv.py");
const HEADER: &str = "Daemon,Version,Timestamp,PID,CPU(%),VMS(KB),RSS(KB),USS(KB),PSS(KB),SWAP(KB),FD,Read_Ops,Write_Ops,\
                      Disk_Read(KB),Disk_Written(KB),Disk_Read_Speed(KB/s),Disk_Write_Speed(KB/s)";

/// The converter, which writes into a folder.
fn converter(folder: &Path, arguments: &[&str]) -> Command {
    let mut converter = command("python3", &["-S", CONVERTER, "--store-process"]);
    converter.arg(folder).args(arguments);
    converter
}

/// Runs it on this input. Its exit code, and what it says.
fn feed(converter: &mut Command, input: &str) -> (i32, String) {
    let mut child = converter.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The files of a folder: their names and their text.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())).collect()
}

/// A record, without what procline did not know.
fn record(second: u32, daemon: &str, pid: u32, ppid: u32, written: u64) -> Value {
    json!({"name": "python3", "selected": "wazuh[-_]*", "matched": daemon, "pid": pid, "cpu_now": 2.5, "vsz": 16804,
           "rss": 14136, "uss": 1000, "pss": 1001, "swap": 0, "fds": 6, "read_ops": 686, "write_ops": 66, "read_bytes": 512,
           "write_bytes": written, "Computer": "web-1", "timestamp": format!("2026-01-02T03:04:{second:02}.250Z"),
           "ppid": ppid, "version": "4.9.0"})
}

fn text(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

#[test]
fn one_file_per_daemon_and_child() {
    if lacks("one_file_per_daemon_and_child", false, &["python3"]) {
        return;
    }
    let (apid, db) = ("wazuh_apid.py", "wazuh-db");
    let mut unknown = record(3, db, 80, 1, 0);
    for name in ["uss", "pss", "swap", "fds", "read_ops", "write_ops", "read_bytes", "write_bytes"] {
        unknown.as_object_mut().unwrap().remove(name);
    }
    let records = [
        // A child comes before its parent, because pids begin anew.
        record(1, apid, 70, 99, 0),
        record(1, apid, 99, 1, 2048),
        record(2, apid, 70, 99, 0),
        record(2, apid, 71, 99, 0),
        record(2, apid, 99, 1, 3072),
        // The daemon was restarted, and so was the first child.
        record(4, apid, 71, 1, 0),
        record(4, apid, 101, 1, 10),
        record(4, apid, 102, 101, 0),
        unknown,
    ];
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(feed(&mut converter(folder.path(), &[]), &text(&records)), (0, String::new()));
    let row = |name: &str, second: u32, pid: u32, written: &str, speed: &str| {
        let memory = "16804.0,14136.0,1000.0,1001.0,0.0,6,686,66,0.5";
        format!("{name},4.9.0,2026/01/02 03:04:{second:02},{pid},2.5,{memory},{written},0.0,{speed}\r\n")
    };
    let file = |rows: &[String]| format!("{HEADER}\r\n{}", rows.concat());
    let [first, second] = [1, 2].map(|number| format!("{apid}_child_{number}"));
    let daemon = [row(apid, 1, 99, "2.0", "0.0"), row(apid, 2, 99, "3.0", "1.0"), row(apid, 4, 101, "0.01", "0.0")];
    let children =
        [row(&first, 1, 70, "0.0", "0.0"), row(&first, 2, 70, "0.0", "0.0"), row(&first, 4, 102, "0.0", "0.0")];
    let expected = [
        ("wazuh-db.csv", file(&["wazuh-db,4.9.0,2026/01/02 03:04:03,80,2.5,16804.0,14136.0,,,,,,,,,,\r\n".to_owned()])),
        ("wazuh_apid.csv", file(&daemon)),
        ("wazuh_apid_child_1.csv", file(&children)),
        ("wazuh_apid_child_2.csv", file(&[row(&second, 2, 71, "0.0", "0.0"), row(&second, 4, 71, "0.0", "0.0")])),
    ];
    assert_eq!(files(folder.path()), expected.map(|(name, text)| (name.to_owned(), text)).into());

    // CSV has the same rows. So have files that are appended to.
    let again = tempfile::tempdir().unwrap();
    let keys: Vec<_> = records[0].as_object().unwrap().keys().cloned().collect();
    let cell = |record: &Value, key: &String| match &record[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    };
    let csv = |records: &[Value]| {
        let row = |record| keys.iter().map(|key| cell(record, key)).collect::<Vec<_>>().join(",");
        let rows: Vec<_> = records.iter().map(row).collect();
        format!("{}\n{}\n", keys.join(","), rows.join("\n"))
    };
    for part in [&records[..5], &records[5..]] {
        assert_eq!(feed(&mut converter(again.path(), &["--append", "-"]), &csv(part)), (0, String::new()));
    }
    let (mut once, mut twice) = (files(folder.path()), files(again.path()));
    // The second run does not know which of the children was the second.
    for name in ["wazuh_apid_child_1.csv", "wazuh_apid_child_2.csv"] {
        assert!(once.remove(name).is_some() && twice.remove(name).is_some());
    }
    assert_eq!(once.get("wazuh-db.csv"), twice.get("wazuh-db.csv"));
    assert_eq!(once["wazuh_apid.csv"].lines().count(), twice["wazuh_apid.csv"].lines().count());
}

#[test]
fn units_local_time_and_columns_on_request() {
    if lacks("units_local_time_and_columns_on_request", false, &["python3"]) {
        return;
    }
    let input = text(&[record(1, "wazuh-db", 80, 1, 4096), record(3, "wazuh-db", 80, 1, 3_149_824)]);
    let print = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        // A zone that needs no files: 5 hours and 45 minutes ahead.
        let said = feed(converter(folder.path(), arguments).env("TZ", "XST-5:45"), &input);
        assert_eq!(said, (0, String::new()));
        let text = files(folder.path()).remove("wazuh-db.csv").unwrap();
        text.replace("\r\n", "\n")
    };
    assert!(print(&["--local"]).contains("\nwazuh-db,4.9.0,2026/01/02 08:49:01,80,"), "{}", print(&["--local"]));
    let expected = "\
        Daemon,Version,Timestamp,PID,CPU(%),VMS(MB),RSS(MB),USS(MB),PSS(MB),SWAP(MB),FD,Read_Ops,Write_Ops,Disk_Read(MB),\
        Disk_Written(MB),Disk_Read_Speed(MB/s),Disk_Write_Speed(MB/s)\n\
        wazuh-db,x,2026/01/02 03:04:01,80,2.5,16.41,13.8,0.98,0.98,0.0,6,686,66,0.0,0.0,0.0,0.0\n\
        wazuh-db,x,2026/01/02 03:04:03,80,2.5,16.41,13.8,0.98,0.98,0.0,6,686,66,0.0,3.0,0.0,1.5\n";
    assert_eq!(print(&["-u", "MB", "-v", "x"]), expected);
    let bytes = print(&["--units", "B", "--no-speeds"]);
    let head = "Daemon,Version,Timestamp,PID,CPU(%),VMS(B),RSS(B),USS(B),PSS(B),SWAP(B),FD,Read_Ops,Write_Ops,Disk_Read(B),Disk_Written(B)\n";
    let row = "wazuh-db,4.9.0,2026/01/02 03:04:01,80,2.5,17207296.0,14475264.0,1024000.0,1025024.0,0.0,6,686,66,512.0,4096.0\n";
    assert!(bytes.starts_with(&format!("{head}{row}")), "{bytes}");
}

#[test]
fn bad_input_is_told() {
    if lacks("bad_input_is_told", false, &["python3"]) {
        return;
    }
    let good = record(1, "wazuh-db", 80, 1, 0);
    let with = |name: &str, value: Value| {
        let mut record = good.clone();
        record[name] = value;
        record
    };
    let mut unnamed = good.clone();
    unnamed.as_object_mut().unwrap().remove("matched");
    let folder = tempfile::tempdir().unwrap();
    for (input, words) in [
        (String::new(), "there are no records; run procline with"),
        ("[\n".into(), "standard input:1: this is an array; run procline with --format json"),
        ("pid,timestamp,matched\n".into(), "the header has no column vsz; run procline with"),
        (text(&[unnamed]), "standard input:1: the record has no field matched; run procline with"),
        (text(&[good.clone(), with("Computer", json!("web-2"))]), "records of web-1 and of web-2"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (code, said) = feed(&mut converter(place.path(), &[]), &input);
        assert!(code == 1 && said.lines().count() == 1 && said.contains(words), "{input}: {said}");
        assert!(said.starts_with("wazuh_csv.py: "), "{said}");
    }
    // What a kill leaves of a line costs that line only.
    for line in
        [r#"{"pid": 8"#, "7", &with("pid", json!("x")).to_string(), &with("timestamp", json!("now")).to_string()]
    {
        let place = tempfile::tempdir().unwrap();
        let input = format!("{good}\n{line}\n{}\n", record(2, "wazuh-db", 80, 1, 0));
        let (code, said) = feed(&mut converter(place.path(), &[]), &input);
        assert!(code == 1 && said.starts_with("standard input:2: skipped, because the line is no record"), "{said}");
        assert_eq!(files(place.path())["wazuh-db.csv"].lines().count(), 3);
    }
    let run = folder.path().join("run.jsonl");
    fs::write(&run, text(&[good])).unwrap();
    let run = run.to_str().unwrap();
    for (arguments, code, words) in [
        (&[run][..], 0, ""),
        (&[run], 1, "wazuh-db.csv exists; name another directory with --store-process, or use --append"),
        (&["--append", run], 0, ""),
        (&["--append", "-u", "MB", run], 1, "wazuh-db.csv has another header"),
        (&["/nonexistent.csv"], 1, "cannot read /nonexistent.csv: No such file"),
        (&["--units", "TB", run], 2, "TB"),
    ] {
        let said = feed(&mut converter(&folder.path().join("metrics"), arguments), "");
        assert!(said.0 == code && said.1.contains(words), "{arguments:?}: {said:?}");
        assert!(words.is_empty() == said.1.is_empty(), "{arguments:?}: {said:?}");
    }
    // A process may have any name.
    let place = tempfile::tempdir().unwrap();
    let said = feed(&mut converter(place.path(), &[]), &text(&[record(1, "../../x\n", 7, 1, 0)]));
    assert_eq!((said, files(place.path()).len()), ((0, String::new()), 1));
}

/// What wazuh-metrics writes of a process, by its formulas. Waits for a line before each sample.
const PSUTIL: &str = "import json, sys, psutil\n\
                      processes = [psutil.Process(int(pid)) for pid in sys.argv[2:]]\n\
                      for p in processes: p.cpu_percent()\n\
                      for line in sys.stdin:\n\
                      \x20 rows = []\n\
                      \x20 for p in processes:\n\
                      \x20   m = p.memory_full_info(); i = p.io_counters()\n\
                      \x20   size = lambda number: round(number / 1024 ** int(sys.argv[1]), 2)\n\
                      \x20   rows.append([p.pid, p.cpu_percent(), *map(size, (m.vms, m.rss, m.uss, m.pss, m.swap)), p.num_fds(),\n\
                      \x20     i.read_count, i.write_count, size(i.read_bytes), size(i.write_bytes)])\n\
                      \x20 print(json.dumps(rows), flush=True)\n";

/// The columns from PID to Disk_Written of an idle daemon and its child, in each unit, are psutil's where psutil says the same
/// before and after. Other processes change uss and pss, so that not every attempt succeeds.
#[test]
fn every_column_is_that_of_psutil() {
    const TEST: &str = "wazuh, every_column_is_that_of_psutil";
    if lacks(TEST, true, &["python3"]) || lacks_psutil(TEST) {
        return;
    }
    let daemon = Daemon::new();
    let mut started = daemon.start();
    let pid = started.process.0.id();
    let child = started.child();
    for (power, unit) in [("0", "B"), ("1", "KB"), ("2", "MB")] {
        let mut psutil = Command::new("python3");
        psutil.args(["-c", PSUTIL, power, &pid.to_string(), &child.to_string()]);
        let mut psutil = Running::start(psutil.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut input = psutil.0.stdin.take().unwrap();
        let mut output = BufReader::new(psutil.0.stdout.take().unwrap()).lines();
        let mut sample = || -> Vec<Vec<f64>> {
            writeln!(input, "now").unwrap();
            serde_json::from_str(&output.next().unwrap().unwrap()).unwrap()
        };
        let attempt = || {
            let mut snapshots = Snapshots::of(&daemon.name());
            let mut run = snapshots.next(3);
            // procline runs during both samples: it shares libraries with the daemon, and so counts in its pss.
            let before = sample();
            run.push_str(&snapshots.next(4));
            let after = sample();
            drop(snapshots);
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(feed(&mut converter(folder.path(), &["-u", unit]), &run), (0, String::new()));
            let name = daemon.name().replace(".py", "");
            for (place, file) in [format!("{name}.csv"), format!("{name}_child_1.csv")].iter().enumerate() {
                let files = files(folder.path());
                let rows: Vec<_> = files[file].lines().skip(1).collect();
                assert_eq!(rows.len(), 3, "{files:?}");
                let cells: Vec<f64> = rows[2].split(',').skip(3).take(12).map(|cell| cell.parse().unwrap()).collect();
                let steady = |column: &usize| before[place][*column] == after[place][*column];
                let wrong: Vec<_> = (0..12).filter(steady).filter(|c| cells[*c] != before[place][*c]).collect();
                if !wrong.is_empty() {
                    return Err(format!("{file}, columns {wrong:?}: {cells:?}, psutil {:?}", before[place]));
                }
            }
            Ok(())
        };
        let errors: Vec<_> = std::iter::repeat_with(attempt).take(40).map_while(Result::err).collect();
        assert!(errors.len() < 40, "{unit}: {errors:#?}");
    }
}

/// procline that watches a daemon and its child.
struct Snapshots {
    _process: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Snapshots {
    fn of(name: &str) -> Self {
        let mut ours = procline(&["--children", "--fields", "resources,ppid", "--interval", "50ms", "--sample", "1ms"]);
        let mut process = Running::start(ours.args(["--format", "csv", "--name", name]).stdout(Stdio::piped()));
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        Snapshots { _process: process, lines }
    }

    /// The next lines. The first one of all is the header.
    fn next(&mut self, count: usize) -> String {
        let lines = self.lines.by_ref().take(count);
        lines.map(|line| line.unwrap() + "\n").collect()
    }
}
