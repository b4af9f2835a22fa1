//! A process that blocks, or ends while it is read, affects no other record.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Running, Tree, lacks, make_fifo, procline, quiet, records};

/// Replaces the command lines of these processes with FIFOs. If `written`, returns their writers.
fn block(tree: &Tree, pids: &[u32], written: bool) -> Vec<File> {
    let make = |pid: &u32| {
        let path = tree.path(&format!("proc/{pid}/cmdline"));
        fs::remove_file(&path).unwrap();
        make_fifo(&path);
        written.then(|| OpenOptions::new().read(true).write(true).open(path).unwrap())
    };
    pids.iter().filter_map(make).collect()
}

#[test]
fn a_command_line_that_blocks_affects_no_other_record() {
    for written in [false, true] {
        let tree = Tree::copy();
        let mut expected = records(&quiet(&mut tree.procline(&[])));
        let _writers = block(&tree, &[1200, 1300], written);
        let found = records(&quiet(&mut tree.procline(&["--timeout", "5m"])));
        for record in &mut expected {
            record.timestamp.clone_from(&found[0].timestamp);
            match record.pid {
                1200 => record.command = Some("[bash]".into()),
                1300 => record.command = Some("[nginx]".into()),
                _ => {}
            }
        }
        assert_eq!(found, expected, "with a writer: {written}");
    }
}

/// After a second of stuck command lines, procline reads no more command lines of processes in uninterruptible sleep.
/// So 200 of them end long before 200 times the limit for one.
#[test]
fn many_command_lines_that_block_are_given_up_together() {
    let tree = Tree::copy();
    for pid in 5000..5200_u32 {
        for name in ["stat", "status"] {
            let text = fs::read_to_string(tree.path(&format!("proc/1200/{name}"))).unwrap();
            let text = text.replace("(bash) S", "(bash) D").replacen("1200", &pid.to_string(), 1);
            tree.write(&format!("proc/{pid}/{name}"), text.as_bytes());
        }
        make_fifo(&tree.path(&format!("proc/{pid}/cmdline")));
    }
    let found = records(&quiet(&mut tree.procline(&["--timeout", "5m"])));
    let bracketed = found.iter().filter(|record| (5000..5200).contains(&record.pid));
    assert!(bracketed.clone().all(|record| record.command.as_deref() == Some("[bash]")));
    assert_eq!(bracketed.count(), 200);
    // The processes before and after them have their usual records. One of them is also in uninterruptible sleep, but
    // was read before.
    let golden = records(&quiet(&mut Tree::copy().procline(&[])));
    let command = |pid| found.iter().find(|record| record.pid == pid).unwrap().command.clone();
    for record in golden {
        assert_eq!(command(record.pid), record.command, "{}", record.pid);
    }
}

/// The threads, descriptors and KiB of resident memory of a process.
fn usage(pid: u32) -> [u64; 3] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
    [number("Threads:"), descriptors, number("VmRSS:")]
}

/// A stuck process is tried once, and again only after it is no longer stuck. So 20 of them cost 20 threads and 20
/// descriptors, for any number of snapshots.
#[test]
fn a_thousand_snapshots_with_stuck_processes_cost_no_more_than_a_hundred() {
    const STUCK: u32 = 20;
    const SNAPSHOTS: usize = 1000;
    let tree = Tree::copy();
    let pids: Vec<u32> = (5000..5000 + STUCK).collect();
    for pid in &pids {
        let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
        tree.write(&format!("proc/{pid}/stat"), stat.replacen("1200", &pid.to_string(), 1).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), b"");
    }
    let _writers = block(&tree, &pids, true);
    let arguments = ["--interval=1ms", "--count=1000", "--fields=pid,command", "--name=bash", "--timeout=5m"];
    let mut child = Running::start(tree.procline(&arguments).stdout(Stdio::piped()));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut usages = Vec::new();
    for snapshot in 1..=SNAPSHOTS {
        for expected in [1200].iter().chain(&pids) {
            let line = lines.next().unwrap().unwrap();
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["pid"], *expected, "snapshot {snapshot}");
            assert_eq!(record["command"] == "[bash]", *expected != 1200, "{line}");
        }
        // A pipe holds several snapshots, so procline has taken more of them than are read here.
        if [100, SNAPSHOTS * 9 / 10].contains(&snapshot) {
            usages.push(usage(child.0.id()));
        }
    }
    assert!(lines.next().is_none());
    assert!(child.0.wait().unwrap().success());
    let [first, last] = usages.try_into().unwrap();
    for [threads, descriptors, _] in [first, last] {
        // In addition to the stuck threads: the main thread, a worker, and those that are about to end, which on a busy
        // machine are many. If they piled up, there would be thousands.
        assert!((21..=400).contains(&threads), "{first:?} {last:?}");
        // In addition to the stuck descriptors: the standard streams, /proc and its list for each worker, the file that
        // is being read, and inherited ones.
        assert!((25..=800).contains(&descriptors), "{first:?} {last:?}");
    }
    // KiB. The heaps of threads that end and begin grow a little at first. 16,000 stuck threads would have taken 100 MB.
    assert!(last[2] <= first[2] + 8192, "{first:?} {last:?}");
}

/// A process that is no longer stuck has its command line again.
#[test]
fn what_is_no_longer_stuck_is_read_again() {
    let tree = Tree::copy();
    let fifo = tree.path("proc/1200/cmdline");
    let content = fs::read(&fifo).unwrap();
    let writers = block(&tree, &[1200], true);
    let arguments = ["--interval=1ms", "--fields=command", "--pid=1200", "--timeout=5m"];
    let mut child = Running::start(tree.procline(&arguments).stdout(Stdio::piped()));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().take(10).all(|line| line == r#"{"command":"[bash]"}"#));
    tree.write("proc/1200/new", &content);
    fs::rename(tree.path("proc/1200/new"), &fifo).unwrap();
    // The worker reads the end of the FIFO and returns.
    drop(writers);
    let found = lines.take(1_000_000).find(|line| line != r#"{"command":"[bash]"}"#);
    assert!(found.is_some_and(|line| line.starts_with(r#"{"command":"-bash"#)));
}

/// Processes start and end while procline reads them. Each run succeeds, reports nothing, and prints valid lines.
#[test]
fn runs_under_churn() {
    if lacks("runs_under_churn", false, &["sh", "true"]) {
        return;
    }
    let churn = "while :; do /bin/true & /bin/true; (/bin/true); done";
    let _churns: Vec<_> =
        (0..3).map(|_| Running::start(Command::new("sh").args(["-c", churn]).stdout(Stdio::null()))).collect();
    for _ in 0..50 {
        assert!(!records(&quiet(&mut procline(&[]))).is_empty());
    }
}

/// A name service does not answer. Users that only it knows are printed as numbers, and all records are there.
#[test]
fn a_name_service_that_blocks_affects_only_its_names() {
    let Some(extra) = crate::names::Extra::new("a_name_service_that_blocks_affects_only_its_names") else {
        return;
    };
    fs::remove_file(extra.passwd()).unwrap();
    make_fifo(&extra.passwd());
    let found = records(&quiet(&mut extra.procline(&["--timeout", "5m"])));
    let processes: Vec<_> = found.iter().filter(|record| record.user.as_deref() == Some("54321")).collect();
    assert!(
        processes.len() >= 2
            && processes.iter().all(|record| record.command.as_deref().unwrap().contains("test_process.py"))
    );
    assert!(found.iter().any(|record| record.user.as_deref() == Some("root") && record.pid > processes[0].pid));
}
