//! `procline exec` runs for months: signals, readers that are gone, full disks, files that are moved away, restarts.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Signal, kill_process};

use crate::exec_stream::{Notices, Stream, hold, parse, ready, word};
use crate::limit::wait_for;
use crate::support::{Lock, Running, command, lacks, procline, quiet, with_default_signals};

const WAIT: [&str; 2] = ["-c", "read x"];

#[test]
fn a_signal_ends_it_after_the_line_in_hand() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let Some(mut stream) = Stream::start("a_signal_ends_it_after_the_line_in_hand", &["--root"]) else { return };
        let word = word("last");
        // The kernel has told of this program before it runs, and so before the signal.
        let held = hold("sh", &["-c", "echo; read x", &word]);
        wait_for("the program", || {
            let text = fs::read(format!("/proc/{}/cmdline", held.0.id())).unwrap();
            String::from_utf8_lossy(&text).contains(&word).then_some(())
        });
        assert_eq!(stream.end(signal), (Some(0), String::new()));
        assert!(stream.records.iter().any(|record| record.is_of("exec", held.0.id())), "{signal:?}");
    }
}

#[test]
fn a_reader_that_closes_the_pipe_ends_it_even_without_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    // No program has this name.
    let mut exec = procline(&["exec", "--name", &word("none")]);
    exec.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    if lacks("a_reader_that_closes_the_pipe_ends_it_even_without_an_event", true, &[]) {
        return;
    }
    let ready = ready("a_reader_that_closes_the_pipe_ends_it_even_without_an_event", &mut exec, &errors);
    let Some((mut running, _notices)) = ready else { return };
    drop(running.0.stdout.take());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_to_string(&errors).unwrap(), "");
}

#[test]
fn a_full_standard_output_ends_it() {
    const TEST: &str = "a_full_standard_output_ends_it";
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut exec = procline(&["exec", "--root"]);
    exec.stdout(full).stderr(File::create(&errors).unwrap());
    let Some((mut running, _notices)) = ready(TEST, &mut exec, &errors) else { return };
    quiet(&mut command("true", &[]));
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(fs::read_to_string(&errors).unwrap().contains("No space left"));
}

/// A blocked write, too, ends with the signal.
#[test]
fn a_signal_ends_a_blocked_write() {
    use std::os::unix::process::ExitStatusExt;
    const TEST: &str = "a_signal_ends_a_blocked_write";
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let mut exec = with_default_signals(&procline(&["exec", "--root"]));
    exec.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let Some((mut running, _notices)) = ready(TEST, &mut exec, &errors) else { return };
    let long = "x".repeat(60_000);
    let held: Vec<_> = (0..8).map(|_| hold("sh", &[WAIT[0], WAIT[1], &long, &long])).collect();
    let output = running.0.stdout.take().unwrap();
    // The pipe is full when it has less than a page free.
    wait_for("a full pipe", || (rustix::io::ioctl_fionread(&output).unwrap() > 60_000).then_some(()));
    kill_process(rustix::process::Pid::from_child(&running.0), Signal::TERM).unwrap();
    let status = running.0.wait().unwrap();
    assert!(status.signal() == Some(Signal::TERM.as_raw()) || status.code() == Some(128 + 15), "{status}");
    drop((output, held));
}

#[test]
fn a_file_that_is_moved_away_or_removed_is_made_anew() {
    const TEST: &str = "a_file_that_is_moved_away_or_removed_is_made_anew";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exec.jsonl");
    let Some(mut stream) = Stream::start(TEST, &["--root", "--output", file.to_str().unwrap()]) else { return };
    let words = ["one", "two", "three"].map(word);
    let mut held = Vec::new();
    for (place, word) in words.iter().enumerate() {
        held.push(hold("sh", &[WAIT[0], WAIT[1], word]));
        let text = wait_for("the record in the file", || {
            let text = fs::read(&file).unwrap_or_default();
            (text.ends_with(b"\n") && parse(&text).iter().any(|record| record.has(word))).then_some(text)
        });
        let earlier = words[..place].iter().any(|word| parse(&text).iter().any(|record| record.has(word)));
        assert!(!earlier, "{word}");
        if place == 0 {
            fs::rename(&file, folder.path().join("exec.jsonl.1")).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
    }
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
}

/// While nothing can be written, records wait. It is reported once.
#[test]
fn a_file_that_cannot_be_written_to_is_tried_again() {
    const TEST: &str = "a_file_that_cannot_be_written_to_is_tried_again";
    if lacks(TEST, true, &["prlimit"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing/exec.jsonl");
    fs::create_dir(folder.path().join("missing")).unwrap();
    fs::write(&file, vec![b'\n'; 2000]).unwrap();
    let arguments = ["--fsize=2000:unlimited", crate::support::PROCLINE, "exec", "--root", "--output"];
    let mut limited = command("prlimit", &arguments);
    let Some(stream) = Stream::with(TEST, limited.arg(&file)) else { return };
    let mut stream = stream.reads(&file);
    let words = ["one", "two"].map(word);
    let held = words.each_ref().map(|word| hold("sh", &[WAIT[0], WAIT[1], word]));
    wait_for("the report", || stream.errors().ends_with('\n').then_some(()));
    assert!(stream.errors().contains("files may not exceed 2000 bytes"), "{}", stream.errors());
    let pid = stream.running.0.id().to_string();
    quiet(&mut command("prlimit", &["--fsize=unlimited:unlimited", "--pid", &pid]));
    let whole = wait_for("both records", || {
        let text = fs::read_to_string(&file).unwrap();
        words.iter().all(|word| text.contains(word.as_str())).then_some(text)
    });
    let lines: Vec<_> = whole.trim_start().lines().collect();
    for word in &words {
        assert_eq!(lines.iter().filter(|line| line.contains(word.as_str())).count(), 1, "{word}");
    }
    drop(held);
    kill_process(stream.pid(), Signal::TERM).unwrap();
    assert_eq!(stream.running.0.wait().unwrap().code(), Some(1));
    assert_eq!(stream.errors().lines().count(), 1, "{}", stream.errors());
}

#[test]
fn a_file_that_another_process_has_locked_is_waited_for() {
    const TEST: &str = "a_file_that_another_process_has_locked_is_waited_for";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exec.jsonl");
    let lock = Lock::take(&file);
    let arguments = ["--root", "--timeout", "1ms", "--output", file.to_str().unwrap()];
    let Some(stream) = Stream::start(TEST, &arguments) else { return };
    let word = word("locked");
    let held = hold("sh", &[WAIT[0], WAIT[1], &word]);
    wait_for("the report", || stream.errors().ends_with('\n').then_some(()));
    assert!(stream.errors().contains("cannot lock") && stream.errors().lines().count() == 1, "{}", stream.errors());
    assert_eq!(fs::read(&file).unwrap(), b"");
    drop(lock);
    let mut stream = stream.reads(&file);
    stream.program(held.0.id(), &word);
}

/// Two runs write to one file, and one of them is killed and started again.
#[test]
fn two_at_once_and_one_that_is_killed() {
    const TEST: &str = "two_at_once_and_one_that_is_killed";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exec.jsonl");
    let start = |label: &str| {
        Stream::start(TEST, &["--root", "--output", file.to_str().unwrap(), "--label", &format!("by={label}")])
    };
    let Some(mut one) = start("one") else { return };
    let Some(mut two) = start("two") else { return };
    let has = |word: &str, label: &str| {
        let (word, by) = (format!("read x {word}"), format!("\"by\":\"{label}\""));
        wait_for("the record of both", || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            text.lines().any(|line| line.contains(&word) && line.contains(&by)).then_some(())
        });
    };
    let words = ["first", "second"].map(word);
    let _first = hold("sh", &[WAIT[0], WAIT[1], &words[0]]);
    has(&words[0], "one");
    has(&words[0], "two");
    kill_process(one.pid(), Signal::KILL).unwrap();
    one.running.0.wait().unwrap();
    let Some(mut three) = start("three") else { return };
    let _second = hold("sh", &[WAIT[0], WAIT[1], &words[1]]);
    has(&words[1], "two");
    has(&words[1], "three");
    for stream in [&mut two, &mut three] {
        assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    }
    // The killed run may have left one line unfinished, which the next one has closed.
    let text = fs::read_to_string(&file).unwrap();
    let invalid = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
    assert!(text.ends_with('\n') && invalid.count() <= 1);
    for (word, count) in [(&words[0], 2), (&words[1], 2)] {
        assert_eq!(text.matches(&format!("read x {word}")).count(), count, "{word}");
    }
}

/// Records are written together, but none is held back.
#[test]
fn many_programs_take_few_writes() {
    let Some(mut stream) = Stream::start("many_programs_take_few_writes", &["--root", "--exits"]) else { return };
    let word = word("many");
    let writes = |stream: &Stream| {
        let text = fs::read_to_string(format!("/proc/{}/io", stream.running.0.id())).unwrap();
        text.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse::<u64>().unwrap()
    };
    let (before, begin) = (writes(&stream), Instant::now());
    quiet(&mut command("sh", &["-c", "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"]));
    let held = hold("sh", &[WAIT[0], WAIT[1], &word]);
    stream.program(held.0.id(), &word);
    let count = writes(&stream) - before;
    // A batch waits for 100 ms, unless it has 48 KiB before.
    let bytes = fs::metadata(stream.output()).unwrap().len();
    let most = begin.elapsed().as_millis() as u64 / 100 + bytes / 10_000 + 3;
    assert!(count <= most, "{count} writes, expected at most {most}");
    stream.finish();
}

/// A service manager learns that it is ready, that it is alive, and that it stops.
#[test]
fn a_service_manager_is_told() {
    const TEST: &str = "a_service_manager_is_told";
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let mut exec = with_default_signals(&procline(&["exec"]));
    exec.env("WATCHDOG_USEC", "100000").stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
    let Some((mut running, notices)) = ready(TEST, &mut exec, &errors) else { return };
    let next = |notices: &Notices| wait_for("a notice", || notices.next());
    for _ in 0..3 {
        assert_eq!(next(&notices).trim_end(), "WATCHDOG=1");
    }
    kill_process(rustix::process::Pid::from_child(&running.0), Signal::TERM).unwrap();
    wait_for("the end", || (next(&notices).trim_end() == "STOPPING=1").then_some(()));
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

/// Standard output is a pipe, and each record arrives while the program that it is about still runs.
#[test]
fn a_record_arrives_without_others() {
    const TEST: &str = "a_record_arrives_without_others";
    if lacks(TEST, true, &["sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("errors");
    let word = word("alone");
    let mut exec = with_default_signals(&procline(&["exec", "--root", "--name", "sh"]));
    exec.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let Some((mut running, _notices)) = ready(TEST, &mut exec, &errors) else { return };
    let held = hold("sh", &[WAIT[0], WAIT[1], &word]);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let found = lines.find(|line| line.as_ref().unwrap().contains(&word));
    assert!(found.is_some());
    drop(held);
    kill_process(rustix::process::Pid::from_child(&running.0), Signal::TERM).unwrap();
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().all(|line| line.ends_with('}')));
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut text = String::new();
    File::open(&errors).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
    let _: &Running = &running;
}
