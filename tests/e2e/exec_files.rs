//! The files of `procline exec`: which old ones are removed, and that logrotate with the shipped config loses no event.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::exec_stream::{Record, Stream, hold, hold_long, parse, variable, word};
use crate::limit::wait_for;
use crate::support::{Running, command, lacks, quiet};

const WAIT: [&str; 2] = ["-c", "read x"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A shell of another name than those of the machine and of other tests: its folder, its name, its path.
fn program() -> (TempDir, String, String) {
    let (folder, name) = (tempfile::tempdir().unwrap(), word("sh"));
    let path = folder.path().join(&name).to_str().unwrap().to_owned();
    quiet(&mut command("cp", &["--", "/bin/sh", &path]));
    (folder, name, path)
}

/// Nothing tails these files for the Azure Monitor Agent, so they may be kept for an hour.
#[test]
fn old_files_are_removed_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let [old, young, other] =
        ["2020-01-01T00.jsonl", "2020-01-01T01.jsonl", "2020-01-01T00.jsonl.gz"].map(|name| folder.path().join(name));
    for (path, minutes) in [(&old, 61), (&young, 30), (&other, 61)] {
        let time = SystemTime::now() - Duration::from_secs(minutes * 60);
        File::create(path).unwrap().set_modified(time).unwrap();
    }
    let pattern = folder.path().join("%Y-%m-%dT%H.jsonl");
    let arguments = ["--output", pattern.to_str().unwrap(), "--keep", "1h"];
    let Some(mut stream) = Stream::start("old_files_are_removed_at_the_start", &arguments) else { return };
    wait_for("the old file to go", || (!old.exists()).then_some(()));
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    assert!(young.exists() && other.exists());
}

/// The records of a file that logrotate may have compressed.
fn records(path: &Path) -> Vec<Record> {
    match path.extension().and_then(|it| it.to_str()) {
        Some("gz") => parse(&quiet(command("gzip", &["-dc"]).arg(path))),
        _ => parse(&fs::read(path).unwrap()),
    }
}

/// logrotate renames the file while programs start. Each has one record, in one of the files, and long ones are whole.
#[test]
fn logrotate_loses_no_event() {
    const TEST: &str = "logrotate_loses_no_event";
    const ROTATIONS: usize = 6;
    if lacks(TEST, true, &["logrotate", "gzip", "sh"]) {
        return;
    }
    let [folder, place] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [file, state, config] =
        [folder.path().join("exec.jsonl"), place.path().join("state"), place.path().join("logrotate.conf")];
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/exec/logrotate.conf")).unwrap();
    assert!(shipped.contains("/var/log/procline-exec/exec.jsonl {"), "{shipped}");
    // Debian's own config has this line before it includes others.
    fs::write(
        &config,
        format!("create\n{}", shipped.replace("/var/log/procline-exec", folder.path().to_str().unwrap())),
    )
    .unwrap();
    let (_place, name, program) = program();
    let arguments = ["--root", "--name", &name, "--output", file.to_str().unwrap()];
    let Some(mut stream) = Stream::start(TEST, &arguments) else { return };
    let long = "x".repeat(33_000);
    let start = || -> Vec<(String, Running)> {
        let one = |place: usize| {
            let word = word("rotated");
            // A long command line loses its middle.
            let argument = if place.is_multiple_of(8) { long.as_str() } else { "short" };
            let held = hold(&program, &[WAIT[0], WAIT[1], argument, &word]);
            (word, held)
        };
        (0..40).map(one).collect()
    };
    let programs: Vec<_> = thread::scope(|scope| {
        let mut programs = Vec::new();
        for _ in 0..ROTATIONS {
            // In a thread of its own, so that programs start while logrotate runs.
            let starting = scope.spawn(start);
            wait_for("a file to rotate", || fs::metadata(&file).is_ok_and(|file| file.len() > 0).then_some(()));
            quiet(command("logrotate", &["--force", "--state"]).arg(&state).arg(&config));
            programs.extend(starting.join().unwrap());
        }
        programs
    });
    // A record of a program that starts now comes after all of theirs.
    let last = word("last");
    let held = hold(&program, &[WAIT[0], WAIT[1], &last]);
    wait_for("the last record", || {
        String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).contains(&last).then_some(())
    });
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    drop(held);
    let files = files(folder.path());
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let mut expected = vec!["exec.jsonl".to_owned(), "exec.jsonl.1".to_owned()];
    expected.extend((2..=ROTATIONS).map(|number| format!("exec.jsonl.{number}.gz")));
    assert_eq!(names, expected);
    let found: Vec<Record> = files.iter().flat_map(|path| records(path)).collect();
    let mut missing = 0;
    for (place, (word, program)) in programs.iter().enumerate() {
        let of_it = |record: &&Record| record.is_of("exec", program.0.id()) && record.has(word);
        let own: Vec<_> = found.iter().filter(of_it).collect();
        assert!(own.len() <= 1, "{word}: {} records", own.len());
        missing += u64::from(own.is_empty());
        let is_cut = own.iter().all(|record| record.truncated == (place % 40).is_multiple_of(8).then_some(true));
        assert!(is_cut, "{own:?}");
    }
    // On a busy machine, an event may be lost before it is written. It is counted.
    let lost: u64 = found.iter().filter_map(|record| record.lost).sum();
    assert!(missing <= lost, "{missing} missing, {lost} lost");
}

/// A stream can write much within a minute, so it does not only look at the start, and each minute, at what its files take.
#[test]
fn files_that_take_too_much_are_removed_soon() {
    const TEST: &str = "files_that_take_too_much_are_removed_soon";
    const MAX: u64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    // A file may go meanwhile.
    let sizes = |files: Vec<PathBuf>| -> u64 {
        files.iter().filter_map(|path| fs::metadata(path).ok()).map(|it| it.len()).sum()
    };
    // Two of them fit beside what the stream writes, and the others do not.
    let old = || (1..=9).map(|day| folder.path().join(format!("2020-01-0{day}.jsonl")));
    let left = || old().filter(|path| path.exists()).collect::<Vec<_>>();
    let fit = || (sizes(left()) <= MAX).then_some(());
    let fill = || {
        for (path, day) in old().zip(1..) {
            fs::write(&path, "x".repeat(300_000)).unwrap();
            File::open(&path)
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400))
                .unwrap();
        }
    };
    fill();
    let (_place, name, program) = program();
    let long = variable();
    let pattern = folder.path().join("%Y-%m-%d.jsonl");
    let arguments =
        ["--root", "--env", &long, "--name", &name, "--output", pattern.to_str().unwrap(), "--keep-size", "1MB"];
    let Some(mut stream) = Stream::start(TEST, &arguments) else { return };
    wait_for("old files to go at the start", fit);
    fill();
    // Each record has 32,000 bytes. The next program starts after the record of the last one, or if its event is lost.
    let written = || {
        let is_new = |path: &PathBuf| old().all(|old| old != *path);
        sizes(files(folder.path()).into_iter().filter(is_new).collect())
    };
    let (mut held, mut seen, mut started) = (Vec::new(), None, Instant::now());
    wait_for("old files to go", || {
        let written = written();
        if seen != Some(written) || started.elapsed() > Duration::from_secs(1) {
            (seen, started) = (Some(written), Instant::now());
            held.push(hold_long(&long, &program, &WAIT));
        }
        fit()
    });
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    // A sixteenth and one batch would do, but programs whose records are late have started, too.
    let written = written();
    assert!((1..MAX).contains(&written), "{written}");
    assert!(old().collect::<Vec<_>>().ends_with(&left()), "{:?}", left());
}
