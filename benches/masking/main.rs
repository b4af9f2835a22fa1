//! What the masker costs with the worst command lines that are known: 300 processes with 128 KiB of arguments each, against
//! the same snapshot with `--no-redact`. `cargo bench --bench masking` runs it, as root. No test depends on it.
//!
//! Each kind of command line runs in a PID namespace of its own. Figures are medians of CPU time (user and system,
//! `getrusage`) over rounds in which both take turns. By its first argument this program is also an idle process.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// Kinds of command lines, and the argument that they repeat.
const KINDS: [(&str, &str); 14] = [
    ("flags of one letter", "-a x"),
    ("users with passwords", "-u a:b"),
    ("pairs", "a:1"),
    ("JSON in quotes", "\"secret\": \\\"a\\"),
    ("URLs", "https://a/b"),
    ("almost a trigger", "pasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasxpasx"),
    ("tokens", "ghp_a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"),
    ("almost a token", "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("beginnings of tokens", "sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1sk1"),
    ("the same in capitals", "AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1AK1"),
    ("marks between tokens", "sk-1sk-1sk-1sk-1sk-1sk-1sk-1sk-1sk-1sk-1sk-1"),
    ("base64", "A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2"),
    ("base64 with dots", "s1kIpA1eX.s1kIpA1eX.s1kIpA1eX.s1kIpA1eX.s1kIpA1eX."),
    ("paths", "/usr/lib/service/some/path"),
];
const PROCESSES: usize = 300;
const BYTES: usize = 128 * 1024;
const ROUNDS: usize = 9;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("idle") => idle(),
        Some("kind") => kind(arguments[1].parse().expect("a number")),
        _ => all(),
    }
}

fn all() {
    println!("| {PROCESSES} × {} KiB of | CPU ms | / --no-redact |\n|---|---:|---:|", BYTES / 1024);
    for place in 0..KINDS.len() {
        let status = Command::new("unshare")
            .args(["--fork", "--pid", "--mount-proc", "--kill-child"])
            .arg(env::current_exe().expect("the path of this program"))
            .args(["kind", &place.to_string()])
            .status()
            .expect("unshare, of util-linux");
        assert!(status.success(), "a PID namespace needs root");
    }
}

/// Within the namespace: makes the processes, runs the rounds, prints the row.
fn kind(place: usize) {
    let (name, argument) = KINDS[place];
    let words: Vec<&str> = argument.split(' ').collect();
    let repeated = BYTES / (argument.len() + 1);
    let arguments = words.iter().copied().cycle().take(repeated * words.len());
    let _idle: Vec<Child> = (0..PROCESSES).map(|_| start_idle(arguments.clone())).collect();
    let mut times: Vec<(f64, f64)> = (0..=ROUNDS).map(|_| (cpu(&[]), cpu(&["--no-redact"]))).collect();
    // The first round warms up.
    times.remove(0);
    let masked = median(times.iter().map(|(masked, _)| masked / 1000.0).collect());
    let ratio = median(times.iter().map(|(masked, plain)| masked / plain).collect());
    println!("| {name} | {masked:.0} | {ratio:.2} |");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// An idle process, once it is the program that it is to be.
fn start_idle<'a>(arguments: impl Iterator<Item = &'a str>) -> Child {
    let mut child = Command::new(env::current_exe().expect("the path of this program"))
        .arg("idle")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("one more process");
    let _ = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut String::new());
    child
}

fn idle() {
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// CPU time of a snapshot in microseconds.
fn cpu(options: &[&str]) -> f64 {
    let spent = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
        let (user, system) = (usage.user_time(), usage.system_time());
        ((user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec()) as f64
    };
    let before = spent();
    let program = env!("CARGO_BIN_EXE_procline");
    let status = Command::new(program).args(options).stdout(Stdio::null()).status().expect("the program");
    assert!(status.success(), "{program}: {status}");
    spent() - before
}
