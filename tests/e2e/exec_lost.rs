//! `procline exec` never drops an event silently: whatever is missing is counted in a record of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::exec_stream::{Record, Stream, hold, hold_long, parse, ready, variable, word};
use crate::limit::wait_for;
use crate::support::{PROCLINE, command, lacks, procline, quiet, skip, state, with_default_signals};

const WAIT: [&str; 2] = ["-c", "read x"];

fn lost<'a>(records: impl IntoIterator<Item = &'a Record>) -> u64 {
    records.into_iter().filter_map(|record| record.lost).sum()
}

/// A second procline with enough room sees all events.
#[test]
fn a_tiny_buffer_loses_events_and_says_how_many() {
    const TEST: &str = "a_tiny_buffer_loses_events_and_says_how_many";
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let all = ["--root", "--kernel-helpers", "--no-args", "--fields", "timestamp,Computer,event,pid,lost,lost_in"];
    let Some(mut reference) = Stream::start(TEST, &all) else { return };
    let Some(mut tiny) = Stream::start(TEST, &[&all[..], &["--buffer", "4096"]].concat()) else { return };
    kill_process(tiny.pid(), Signal::STOP).unwrap();
    wait_for("the stop", || (state(tiny.running.0.id()) == Some('T')).then_some(()));
    let script = "i=0; while [ $i -lt 300 ]; do /bin/true & echo $!; wait; i=$((i+1)); done";
    let output = quiet(&mut command("sh", &["-c", script]));
    let own: Vec<u32> = String::from_utf8(output).unwrap().lines().map(|pid| pid.parse().unwrap()).collect();
    kill_process(tiny.pid(), Signal::CONT).unwrap();
    let record = tiny.wait_for(|record| record.event == "lost");
    assert_eq!(record.lost_in.as_deref(), Some("kernel"));
    assert!(record.pid.is_none() && record.command.is_none(), "{record:?}");
    // The stream goes on. On a busy machine, the next program may be lost, too.
    wait_for("a record after the loss", || {
        let held = hold("sh", &WAIT);
        let lost = lost(&tiny.records);
        wait_for("the record, or another loss", || {
            tiny.parse();
            let found = tiny.records.iter().any(|record| record.is_of("exec", held.0.id()));
            (found || self::lost(&tiny.records) > lost).then_some(found)
        })
        .then_some(())
    });
    tiny.finish();
    // One more, so that the reference has seen all that the other one has.
    let last = hold("sh", &WAIT);
    reference.wait_for(|record| record.is_of("exec", last.0.id()));
    reference.finish();
    let seen: BTreeSet<_> = tiny.records.iter().filter_map(|record| record.pid).collect();
    let missing = own.iter().filter(|pid| !seen.contains(*pid)).count() as u64;
    let [received, happened] = [&tiny, &reference].map(|stream| stream.records.len() as u64);
    let losses = tiny.records.iter().filter(|record| record.event == "lost").count() as u64;
    let counted = lost(&tiny.records);
    assert!(missing > 0 && counted >= missing, "{counted} counted, {missing} missing");
    // Other programs start meanwhile, and the reference has seen them.
    let at_most = happened + lost(&reference.records) + losses;
    assert!(counted + received <= at_most, "{counted} counted, {received} records, at most {at_most}");
}

/// How many bytes of events the kernel has queued for a process: `Rmem` of /proc/net/netlink, for each of its sockets.
fn waiting(pid: u32) -> u64 {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let sockets: BTreeSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let text = fs::read_to_string("/proc/net/netlink").unwrap();
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let sizes = rows.filter(|row| sockets.contains(&format!("socket:[{}]", row[9]))).map(|row| row[4].parse::<u64>());
    sizes.map(Result::unwrap).reduce(|one, other| one + other).expect("the sockets of the connector")
}

/// Each CPU that procline may use has a reader, which reads its events at once. The other CPUs share one.
#[test]
fn the_programs_of_each_cpu_have_their_records_once() {
    const TEST: &str = "the_programs_of_each_cpu_have_their_records_once";
    if lacks(TEST, true, &["sh", "taskset"]) {
        return;
    }
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpus: Vec<String> = (0..1024).filter(|cpu| allowed.is_set(*cpu)).map(|cpu| cpu.to_string()).collect();
    for own in [cpus.clone(), cpus[..1].to_vec()] {
        let words = ["-c", &own.join(","), PROCLINE, "exec", "--root"];
        let Some(mut stream) = Stream::with(TEST, &mut command("taskset", &words)) else { return };
        let pid = stream.running.0.id();
        let tasks = || fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
        let status = |task: PathBuf| fs::read_to_string(task.join("status")).unwrap_or_default();
        let cpus_of =
            |task| status(task).lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:\t")?.to_owned()));
        wait_for("a reader on each CPU", || {
            let readers: Vec<_> = tasks().filter_map(cpus_of).collect();
            own.iter().all(|cpu| readers.contains(cpu)).then_some(())
        });
        let mut held = Vec::new();
        for cpu in cpus.iter().take(8) {
            let word = word("cpu");
            held.push(hold("taskset", &["-c", cpu, "sh", "-c", "read x", &word]));
            let (pid, sh) = (held.last().unwrap().0.id(), format!("sh -c read x {word}"));
            stream.wait_for(|record| record.is_of("exec", pid) && record.command.as_ref() == Some(&sh));
        }
        stream.finish();
        // One is that of taskset. It may be shown with the command line of sh.
        for pid in held.iter().map(|held| held.0.id()) {
            assert_eq!(stream.records.iter().filter(|record| record.is_of("exec", pid)).count(), 2);
        }
    }
}

/// Nobody reads the pipe. Events wait in memory that is bounded, and then they are counted.
#[test]
fn a_stopped_reader_loses_events_and_learns_how_many() {
    const TEST: &str = "a_stopped_reader_loses_events_and_learns_how_many";
    const PROGRAMS: usize = 150;
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let word = word("stopped");
    let long = variable();
    let mut exec = with_default_signals(&procline(&["exec", "--root", "--env", &long]));
    exec.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let Some((mut running, _notices)) = ready(TEST, &mut exec, &errors) else { return };
    let held: Vec<_> = (0..PROGRAMS).map(|_| hold_long(&long, "sh", &[WAIT[0], WAIT[1], &word])).collect();
    let pids: BTreeSet<_> = held.iter().map(|held| held.0.id()).collect();
    // Each waits for its input, so the kernel has told of it. It reads what it is told, whether or not it can write.
    wait_for("all to run", || pids.iter().all(|pid| state(*pid) == Some('S')).then_some(()));
    wait_for("all to be read", || (waiting(running.0.id()) == 0).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let memory: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(memory < 64 << 10, "{memory} KiB");
    // The reader reads again. After the loss, there is a record of a program that starts now.
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = String::new();
    for line in &mut lines {
        let is_lost = line.contains("\"event\":\"lost\"");
        text += &(line + "\n");
        if is_lost {
            break;
        }
    }
    let last = hold("sh", &[WAIT[0], WAIT[1], &word, "last"]);
    for line in &mut lines {
        let is_last = line.contains(&format!("\"pid\":{},", last.0.id()));
        text += &(line + "\n");
        if is_last {
            break;
        }
    }
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    lines.for_each(|line| text += &(line + "\n"));
    let records = parse(text.as_bytes());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let found = records.iter().filter(|record| record.event == "exec" && pids.contains(&record.pid.unwrap())).count();
    let places: BTreeSet<_> = records.iter().filter_map(|record| record.lost_in.as_deref()).collect();
    assert_eq!(places, BTreeSet::from(["queue"]));
    let lost = lost(&records);
    assert!(found < PROGRAMS && found as u64 + lost >= PROGRAMS as u64, "{found} found, {lost} lost");
    drop(held);
}

/// A disk that is full, and then has free space again.
#[test]
fn a_full_disk_loses_events_and_the_file_says_how_many() {
    const TEST: &str = "a_full_disk_loses_events_and_the_file_says_how_many";
    const PROGRAMS: usize = 150;
    if lacks(TEST, true, &["sh", "unshare", "nsenter", "mount"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let script = "mount -t tmpfs -o size=16m none \"$0\" && echo > \"$0/ready\" && read x";
    let mut namespace = hold("unshare", &["--mount", "sh", "-c", script, path]);
    let holder = namespace.0.id().to_string();
    let seen = PathBuf::from(format!("/proc/{holder}/root{path}"));
    let is_mounted = wait_for("the disk", || {
        let ended = namespace.0.try_wait().unwrap().map(|_| false);
        ended.or_else(|| seen.join("ready").exists().then_some(true))
    });
    if !is_mounted {
        return skip(TEST, "cannot mount a tmpfs");
    }
    let inside = format!("--mount=/proc/{holder}/ns/mnt");
    let output = format!("{path}/exec.jsonl");
    let long = variable();
    let mut exec = command("nsenter", &[&inside, PROCLINE, "exec", "--root", "--env", &long, "--output", &output]);
    let Some(stream) = Stream::with(TEST, &mut exec) else { return };
    let fill = |name: &str| {
        let mut file = File::create(seen.join(name)).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    };
    fill("filler");
    let word = word("full");
    let mut held: Vec<_> = Vec::new();
    for place in 0..PROGRAMS {
        held.push(hold_long(&long, "sh", &[WAIT[0], WAIT[1], &word]));
        if place == 0 {
            wait_for("the report", || stream.errors().ends_with('\n').then_some(()));
        }
    }
    let pids: BTreeSet<_> = held.iter().map(|held| held.0.id()).collect();
    wait_for("all to run", || pids.iter().all(|pid| state(*pid) == Some('S')).then_some(()));
    wait_for("all to be read", || (waiting(stream.running.0.id()) == 0).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", stream.running.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let memory: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(memory < 64 << 10, "{memory} KiB");
    // No line was torn.
    let text = fs::read(seen.join("exec.jsonl")).unwrap();
    assert!(parse(&text).iter().all(|record| !record.has(&word)));
    fs::remove_file(seen.join("filler")).unwrap();
    let mut stream = stream.reads(&seen.join("exec.jsonl"));
    stream.wait_for(|record| record.event == "lost");
    let last = hold("sh", &[WAIT[0], WAIT[1], "last"]);
    stream.program(last.0.id(), "last");
    let (code, errors) = stream.end(Signal::TERM);
    assert!(code == Some(1) && errors.lines().count() == 1, "{code:?}: {errors}");
    assert!(errors.contains("no space for more lines in") && errors.contains("exec.jsonl"), "{errors}");
    let found = stream.records.iter().filter(|record| record.event == "exec" && pids.contains(&record.pid.unwrap()));
    let found = found.map(|record| record.pid).collect::<Vec<_>>();
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "a record twice");
    let places: BTreeSet<_> = stream.records.iter().filter_map(|record| record.lost_in.as_deref()).collect();
    assert_eq!(places, BTreeSet::from(["queue"]));
    let (found, lost) = (found.len(), lost(&stream.records));
    assert!(0 < found && found < PROGRAMS && found as u64 + lost >= PROGRAMS as u64, "{found} found, {lost} lost");
}

/// 25,000 programs that start and end: 50,000 events. Each has its record, or is counted.
#[test]
fn fifty_thousand_events() {
    const TEST: &str = "fifty_thousand_events";
    const PROGRAMS: usize = 25_000;
    if lacks(TEST, true, &["python3"]) {
        return;
    }
    let Some(mut stream) =
        Stream::start(TEST, &["--root", "--exits", "--fields", "event,pid,lost,incomplete,Computer,timestamp"])
    else {
        return;
    };
    let code = "import os, sys
for _ in range(int(sys.argv[1])):
    pid = os.posix_spawn('/bin/true', ['true'], {})
    os.waitpid(pid, 0)
    print(pid)";
    let mut started: BTreeMap<u32, usize> = BTreeMap::new();
    // In parts, because a program may take as long as the test has patience.
    for _ in 0..10 {
        let output = quiet(&mut command("python3", &["-ISc", code, &(PROGRAMS / 10).to_string()]));
        for pid in String::from_utf8(output).unwrap().lines() {
            *started.entry(pid.parse().unwrap()).or_default() += 1;
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", stream.running.0.id())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let memory: u64 = memory.trim().trim_end_matches(" kB").parse().unwrap();
    stream.finish();
    for event in ["exec", "exit"] {
        let mut found: BTreeMap<u32, usize> = BTreeMap::new();
        for record in stream.records.iter().filter(|record| record.event == event) {
            *found.entry(record.pid.unwrap()).or_default() += 1;
        }
        let missing: usize =
            started.iter().map(|(pid, count)| count.saturating_sub(found.get(pid).copied().unwrap_or(0))).sum();
        assert!(missing as u64 <= lost(&stream.records), "{missing} of {event}, {} lost", lost(&stream.records));
    }
    assert_eq!(started.values().sum::<usize>(), PROGRAMS);
    assert!(memory < 32 << 10, "{memory} KiB");
}
