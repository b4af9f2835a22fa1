//! The files of `procline exec`: which old ones are removed, and that logrotate with the shipped config loses no event.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

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

/// A stream can write much within a minute, and never takes much more than it may.
#[test]
fn files_that_take_too_much_are_removed_soon() {
    const TEST: &str = "files_that_take_too_much_are_removed_soon";
    /// The record of each has 32,000 bytes.
    const PROGRAMS: usize = 80;
    const MAX: u64 = 1_000_000;
    /// A sixteenth and one batch would do, but files change while the test adds up their sizes.
    const MORE: u64 = MAX;
    let folder = tempfile::tempdir().unwrap();
    let (_place, name, program) = program();
    let long = variable();
    let pattern = folder.path().join("%Y-%m-%dT%H%M%S.jsonl");
    let pattern = pattern.to_str().unwrap();
    let arguments = ["--root", "--env", &long, "--name", &name, "--output", pattern, "--keep-size", "1MB"];
    let Some(mut stream) = Stream::start(TEST, &arguments) else { return };
    let (mut all, mut pids) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..PROGRAMS {
        let held = hold_long(&long, &program, &WAIT);
        let record = format!("\"pid\":{},", held.0.id());
        pids.insert(held.0.id());
        wait_for("the record", || {
            let found = files(folder.path());
            all.extend(found.iter().cloned());
            let mut texts = found.iter().rev().map(|path| fs::read(path).unwrap_or_default());
            texts.any(|text| String::from_utf8_lossy(&text).contains(&record)).then_some(())
        });
        let sizes = files(folder.path()).into_iter().filter_map(|path| fs::metadata(path).ok());
        let taken: u64 = sizes.map(|metadata| metadata.blocks() * 512).sum();
        assert!(taken <= MAX + MORE, "{taken}");
    }
    assert_eq!(stream.end(Signal::TERM), (Some(0), String::new()));
    // The first ones are gone. No other is.
    let left = files(folder.path());
    all.extend(left.iter().cloned());
    assert!(left.len() < all.len() && all.iter().rev().zip(left.iter().rev()).all(|(one, other)| one == other));
    let records: Vec<Record> = left.iter().flat_map(|path| parse(&fs::read(path).unwrap())).collect();
    let whole = records.iter().filter(|record| pids.iter().any(|pid| record.is_of("exec", *pid))).count();
    assert!((10..PROGRAMS).contains(&whole), "{whole}");
}
