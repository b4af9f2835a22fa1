//! How many programs that start get a record, and what a record costs: `procline exec` against `procmon.c`, which works as
//! procmon does. `cargo bench --bench exec` runs it, as root, with a C compiler. No test depends on it.
//!
//! Shells start `/bin/true` again and again, as a user who is not root. One program at a time reads the events. The connector
//! reports every program of the machine, so that the figures of a machine that does something else are worse.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// `nobody`.
const USER: u32 = 65534;
const PROGRAM: &str = "/bin/true";
/// How long the rates are kept up.
const SECONDS: u32 = 10;

fn main() {
    let numbers: Vec<u32> = env::args().filter_map(|word| word.parse().ok()).collect();
    let starts = if numbers.is_empty() { vec![3_000, 30_000] } else { numbers };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let procmon = compiled(folder.path());
    let procline = |options: &[&str]| [&[env!("CARGO_BIN_EXE_procline"), "exec"], options].concat().join(" ");
    let readers = [
        ("procmon's way, in C", procmon.to_string_lossy().into_owned()),
        ("procline exec", procline(&[])),
        ("procline exec --no-realtime", procline(&["--no-realtime"])),
    ];
    println!("| program | starts | shells | events | lost | full command lines | CPU µs per event |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for starts in starts {
        for shells in [1, 2] {
            for (name, command) in &readers {
                let found = observe(command, folder.path(), || storm(starts, shells));
                let per_event = found.cpu / 1_000.0 / f64::from(starts);
                println!(
                    "| {name} | {starts} | {shells} | {} | {} | {} | {per_event:.0} |",
                    percent(found.events + found.lost, starts),
                    found.lost,
                    percent(found.full, starts)
                );
            }
        }
    }
    println!("\n| program, % of a core at starts per second | 10 | 100 | 1,000 |\n|---|---:|---:|---:|");
    for (name, command) in &readers {
        let share = |rate| {
            let found = observe(command, folder.path(), || steady(rate));
            found.cpu / found.took.as_nanos() as f64 * 100.0
        };
        println!("| {name} | {:.2} | {:.2} | {:.2} |", share(10), share(100), share(1_000));
    }
}

fn percent(part: u32, whole: u32) -> String {
    format!("{:.2} %", f64::from(part) / f64::from(whole) * 100.0)
}

fn compiled(folder: &Path) -> PathBuf {
    let (source, program) = (concat!(env!("CARGO_MANIFEST_DIR"), "/benches/exec/procmon.c"), folder.join("procmon"));
    let status = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().expect("cc, a C compiler");
    assert!(status.success(), "cc failed");
    program
}

/// Starts programs from so many shells at once. The ids of the shells.
fn storm(starts: u32, shells: u32) -> Vec<u32> {
    let script = format!("i=0; while [ $i -lt {} ]; do {PROGRAM}; i=$((i+1)); done", starts / shells);
    let shell = || Command::new("sh").args(["-c", &script]).uid(USER).gid(USER).spawn().expect("a shell");
    let shells: Vec<Child> = (0..shells).map(|_| shell()).collect();
    let end = |mut shell: Child| {
        assert!(shell.wait().expect("its end").success());
        shell.id()
    };
    shells.into_iter().map(end).collect()
}

/// Starts programs at this rate. Their parent is this one.
fn steady(rate: u32) -> Vec<u32> {
    let begun = Instant::now();
    for number in 0..rate * SECONDS {
        thread::sleep((Duration::from_secs(1) * number / rate).saturating_sub(begun.elapsed()));
        run_one();
    }
    vec![std::process::id()]
}

/// What a program reports of the programs with these parents.
#[derive(Default)]
struct Found {
    events: u32,
    lost: u32,
    full: u32,
    /// Nanoseconds of CPU time.
    cpu: f64,
    /// How long programs were started.
    took: Duration,
}

/// Runs a program while others start.
fn observe(command: &str, folder: &Path, start: impl FnOnce() -> Vec<u32>) -> Found {
    let output = folder.join("output");
    let mut words = command.split(' ');
    let mut reader = Command::new(words.next().expect("a program"));
    let reader = reader.args(words).stdout(File::create(&output).expect("a file")).stdin(Stdio::null()).spawn();
    let mut reader = reader.expect("the program that reads the events");
    // It is ready when it reports.
    while length(&output) == 0 {
        assert!(reader.try_wait().expect("its state").is_none(), "{command} ended: this needs root and the connector");
        run_one();
        thread::sleep(Duration::from_millis(200));
    }
    settle(&output);
    let (before, begun, seen) = (cpu(reader.id()), Instant::now(), length(&output));
    let parents = start();
    let took = begun.elapsed();
    settle(&output);
    let cpu = cpu(reader.id()) - before;
    kill_process(Pid::from_child(&reader), Signal::TERM).expect("the signal");
    reader.wait().expect("its end");
    let mut found = Found { cpu, took, ..Found::default() };
    let text = fs::read_to_string(&output).expect("its records");
    for record in text[seen as usize..].lines().map(|line| serde_json::from_str::<Value>(line).expect("a record")) {
        let number = |name: &str| record[name].as_u64().map(|number| number as u32);
        found.lost += number("lost").unwrap_or(0);
        // Whose program it was may not be known. A shell is no program that it starts.
        let is_own = number("ppid").is_none_or(|parent| parents.contains(&parent));
        if record["event"] == "exec" && is_own && number("pid").is_some_and(|pid| !parents.contains(&pid)) {
            found.events += 1;
            found.full += u32::from(record["command"] == PROGRAM);
        }
    }
    found
}

fn run_one() {
    Command::new(PROGRAM).uid(USER).gid(USER).status().expect("one more program");
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Waits until nothing is added to a file.
fn settle(path: &Path) {
    let mut seen = 0;
    while length(path) != seen {
        seen = length(path);
        thread::sleep(Duration::from_millis(500));
    }
}

/// The CPU time of a process's threads, in nanoseconds: the first number of `schedstat`.
fn cpu(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let of_task = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    tasks.filter_map(of_task).sum()
}
