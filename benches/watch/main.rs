//! What one sample of a few daemons costs, with every column of `--fields resources`, against psutil loops that take the same
//! columns, and a bare loop over the files. `cargo bench --bench watch` runs it, as root. No test depends on it.
//!
//! The processes run in a PID namespace of their own: daemons with a child each, among idle processes. Each competitor runs
//! twice in a round, with one sample and with many. The difference is what the samples cost, without the start.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, thread};

use nix::sys::resource::{UsageWho, getrusage};

const DAEMONS: usize = 16;
const IDLE: usize = 200;
/// What a daemon and its child keep in memory.
const BYTES: usize = 8 * 1024 * 1024;
const SAMPLES: usize = 50;
const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["scenario", rounds] => scenario(rounds.parse().expect("a number")),
        ["measure", command @ ..] => measure(command),
        ["daemon"] => daemon(true),
        ["child"] => daemon(false),
        ["idle"] => ready(),
        ["bare", samples] => bare(samples.parse().expect("a number")),
        rest => all(rest.iter().filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS)),
    }
}

fn myself() -> PathBuf {
    env::current_exe().expect("the path of this program")
}

/// `cargo bench --bench watch -- 3` has three rounds.
fn all(rounds: usize) {
    println!("\n{DAEMONS} daemons with a child each, {IDLE} idle processes, {rounds} rounds of {SAMPLES} samples");
    let status = Command::new("unshare")
        .args(["--fork", "--pid", "--mount-proc", "--kill-child"])
        .arg(myself())
        .args(["scenario", &rounds.to_string()])
        .status()
        .expect("unshare, of util-linux");
    assert!(status.success(), "a PID namespace needs root, and the peers need psutil");
}

/// Within the namespace: makes the processes, runs the rounds, prints the table.
fn scenario(rounds: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let start = |program: &Path, what: &str| {
        let mut child = Command::new(program).arg(what).stdout(Stdio::piped()).spawn().expect("one more process");
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line);
        child
    };
    let mut processes: Vec<Child> = (0..IDLE).map(|_| start(&myself(), "idle")).collect();
    for number in 0..DAEMONS {
        let program = folder.path().join(format!("watched-{number:02}"));
        fs::copy(myself(), &program).expect("a copy of this program");
        processes.push(start(&program, "daemon"));
    }
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/watch/peer_psutil.py");
    let psutil = |how: &str| ["python3", peer, how].map(str::to_owned).to_vec();
    let procline = [env!("CARGO_BIN_EXE_procline"), "--name=watched-*", "--children", "--fields=resources"];
    let procline = [&procline[..], &["--format=csv", "--sample=1ms", "--interval=20ms", "--count"]].concat();
    let mut competitors = [
        ("bare loop, processes known", vec![myself().to_string_lossy().into_owned(), "bare".to_owned()]),
        ("procline", procline.into_iter().map(str::to_owned).collect()),
        ("psutil, children() of each daemon", psutil("children")),
        ("psutil, one pass over all processes", psutil("pass")),
        ("psutil, processes found once", psutil("once")),
    ]
    .map(|(name, command)| (name, command, Vec::new()));
    for round in 0..=rounds {
        for (_, command, times) in &mut competitors {
            let [one, many] = [1, SAMPLES + 1].map(|samples| run(command, samples));
            // The first round warms up.
            if round > 0 {
                times.push((many - one) / SAMPLES as f64);
            }
        }
    }
    for mut process in processes {
        let _ = process.kill();
    }
    let procline = competitors[1].2.clone();
    println!("| program | CPU ms per sample | procline / it |\n|---|---:|---:|");
    for (name, _, times) in competitors {
        // Ratios are those of each round: what disturbs a round disturbs all.
        let ratio = median(procline.iter().zip(&times).map(|(own, other)| own / other).collect());
        println!("| {name} | {:.2} | {ratio:.2} |", median(times) / 1000.0);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU time in microseconds of a program with this number of samples, by way of a small launcher.
fn run(command: &[String], samples: usize) -> f64 {
    let mut launcher = Command::new(myself());
    let launcher = launcher.arg("measure").args(command).arg(samples.to_string()).stdout(Stdio::piped());
    let mut launcher = launcher.spawn().expect("the launcher");
    let mut text = String::new();
    launcher.stdout.take().expect("its output").read_to_string(&mut text).expect("its words");
    assert!(launcher.wait().expect("its end").success(), "{command:?}");
    text.trim().parse().expect("microseconds")
}

fn measure(command: &[&str]) {
    let output = Command::new(command[0]).args(&command[1..]).output().expect("the program that is measured");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let samples: usize = command.last().and_then(|word| word.parse().ok()).expect("a number");
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    // One more is the header of CSV. The bare loop prints nothing.
    assert!(lines == 0 || lines.abs_diff(samples * DAEMONS * 2) <= 1, "{command:?}: {lines} lines");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let (user, system) = (usage.user_time(), usage.system_time());
    println!("{}", (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec());
}

/// A daemon that starts a child, or the child.
fn daemon(has_child: bool) {
    let memory = vec![1_u8; BYTES];
    let _child = has_child.then(|| {
        let mut child = Command::new(myself()).arg("child").stdout(Stdio::piped()).spawn().expect("the child");
        let _ = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut String::new());
        child
    });
    ready();
    drop(memory);
}

fn ready() {
    println!("ready");
    loop {
        thread::park();
    }
}

/// Reads the files that the columns need, of the daemons and their children. Nothing else.
fn bare(samples: usize) {
    let numbers = fs::read_dir("/proc").expect("/proc").map(|entry| entry.expect("an entry").path());
    let is_watched = |path: &PathBuf| {
        fs::read_link(path.join("exe")).is_ok_and(|program| program.to_string_lossy().contains("/watched-"))
    };
    let watched: Vec<PathBuf> = numbers.filter(is_watched).collect();
    assert_eq!(watched.len(), DAEMONS * 2, "the daemons and their children");
    let mut text = vec![0; 64 * 1024];
    for _ in 0..samples {
        for process in &watched {
            for name in ["stat", "cmdline", "status", "smaps_rollup", "io"] {
                let mut file = fs::File::open(process.join(name)).expect("a file of the process");
                let _ = file.read(&mut text).expect("its text");
            }
            assert!(fs::read_dir(process.join("fd")).expect("its files").count() > 0);
        }
    }
}
