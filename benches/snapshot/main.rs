//! What a snapshot costs, against a bare loop over the same files and against its peers, with an exact number of idle
//! processes in a PID namespace of their own. `cargo bench --bench snapshot` runs it, as root. No test depends on it.
//!
//! Each competitor is a program of its own, run in turn, round after round; figures are medians of CPU time (user and
//! system, `getrusage`) and the largest peak RSS. By its first argument this program is also the launcher, an idle process
//! or one of the two peers in Rust.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

mod peers;

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// Idle processes, and bytes of arguments that each has.
const SCENARIOS: [(usize, usize); 5] = [(100, 0), (2_000, 0), (10_000, 0), (20_000, 0), (2_000, 1_500)];
const ROUNDS: usize = 25;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["scenario", processes, bytes, rounds] => scenario(number(processes), number(bytes), number(rounds)),
        ["measure", command @ ..] => measure(command),
        ["idle", ..] => idle(),
        ["bare"] => peers::bare(),
        ["sysinfo"] => peers::sysinfo(),
        rest => all(rest.iter().filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS)),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

fn myself() -> PathBuf {
    env::current_exe().expect("the path of this program")
}

/// Every scenario; `cargo bench --bench snapshot -- 3` has three rounds each.
fn all(rounds: usize) {
    for (processes, bytes) in SCENARIOS {
        println!("\n{processes} idle processes, {bytes} bytes of arguments each, {rounds} rounds");
        let status = Command::new("unshare")
            .args(["--fork", "--pid", "--mount-proc", "--kill-child"])
            .arg(myself())
            .args(["scenario", &processes.to_string(), &bytes.to_string(), &rounds.to_string()])
            .status()
            .expect("unshare, of util-linux");
        assert!(status.success(), "a PID namespace needs root");
    }
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_procline"));
    let size = binary.metadata().expect("the program").len();
    println!("\nprogram: {size} bytes");
}

struct Competitor {
    name: &'static str,
    command: Vec<String>,
    cpu: Vec<f64>,
    rss: u64,
}

fn competitors() -> Vec<Competitor> {
    let own = myself().to_string_lossy().into_owned();
    let procline = env!("CARGO_BIN_EXE_procline").to_owned();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let shell = |script: &str| vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    let script = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/snapshot");
        vec!["python3".to_owned(), format!("{path}/{name}")]
    };
    let mut all = vec![
        ("bare loop", vec![own.clone(), "bare".to_owned()]),
        ("procline", vec![procline.clone()]),
        ("procline --fields pid,cpu,command", vec![procline, "--fields".into(), "pid,cpu,command".into()]),
        ("ps aux", words("ps aux")),
        ("sysinfo emitter", vec![own, "sysinfo".to_owned()]),
    ];
    for (name, needs, command) in [
        ("ps aux | jc --ps", "jc --version", shell("ps aux | jc --ps")),
        ("psutil", "python3 -c 'import psutil'", script("peer_psutil.py")),
        ("ps aux in Python (seed 1)", "python3 --version", script("peer_ps.py")),
    ] {
        let there = Command::new("sh").args(["-c", needs]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_ok_and(|status| status.success()) {
            all.push((name, command));
        } else {
            println!("not installed: {name}");
        }
    }
    let begin = |(name, command)| Competitor { name, command, cpu: Vec::new(), rss: 0 };
    all.into_iter().map(begin).collect()
}

/// Within the namespace: makes the processes, runs the rounds, prints the table.
fn scenario(processes: usize, bytes: usize, rounds: usize) {
    let mut competitors = competitors();
    let _idle: Vec<Child> = (0..processes).map(|_| start_idle(bytes)).collect();
    for round in 0..=rounds {
        for competitor in &mut competitors {
            let (cpu, rss) = run(&competitor.command);
            // The first round warms up.
            if round > 0 {
                competitor.cpu.push(cpu);
                competitor.rss = competitor.rss.max(rss);
            }
        }
    }
    let times = |name: &str| competitors.iter().find(|competitor| competitor.name == name).expect("a row").cpu.clone();
    let (bare, ps) = (times("bare loop"), times("ps aux"));
    println!("| program | CPU ms | / bare loop | / ps aux | peak RSS KiB |\n|---|---:|---:|---:|---:|");
    for Competitor { name, cpu, rss, .. } in &competitors {
        // Ratios are those of each round: what disturbs a round disturbs both.
        let ratio = |to: &[f64]| median(cpu.iter().zip(to).map(|(cpu, to)| cpu / to).collect());
        let milliseconds = median(cpu.clone()) / 1000.0;
        println!("| {name} | {milliseconds:.2} | {:.2} | {:.2} | {rss} |", ratio(&bare), ratio(&ps));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// An idle process, once it is the program that it is to be.
fn start_idle(bytes: usize) -> Child {
    let mut child = Command::new(myself())
        .arg("idle")
        // Arguments as a service has them, of 50 bytes each.
        .args((0..bytes / 50).map(|place| format!("--option-{place:04}=/usr/lib/service/some/path/{place:06}")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("one more process");
    // Its end of the pipe closes when it goes idle: descriptors do not last for 20,000.
    let mut ready = String::new();
    let _ = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut ready);
    child
}

fn idle() {
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// CPU time in microseconds and peak RSS in KiB of a program, by way of a small launcher: a child inherits the peak RSS
/// of its parent.
fn run(command: &[String]) -> (f64, u64) {
    let mut launcher =
        Command::new(myself()).arg("measure").args(command).stdout(Stdio::piped()).spawn().expect("the launcher");
    let mut text = String::new();
    launcher.stdout.take().expect("its output").read_to_string(&mut text).expect("its words");
    assert!(launcher.wait().expect("its end").success(), "{command:?}");
    let (cpu, rss) = text.trim().split_once(' ').expect("two numbers");
    (cpu.parse().expect("microseconds"), rss.parse().expect("KiB"))
}

fn measure(command: &[&str]) {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .status()
        .expect("the program that is measured");
    assert!(status.success(), "{command:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let (user, system) = (usage.user_time(), usage.system_time());
    let cpu = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    println!("{cpu} {}", usage.max_rss());
}
