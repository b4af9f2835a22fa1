//! What the list of installed packages costs, against `dpkg-query --show` with the same fields, on this machine's database.
//! `cargo bench --bench inventory` runs it. No test depends on it.
//!
//! Both programs run in turn, round after round, several times each. Figures are medians of CPU time (user and system) of one
//! run.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::env;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

const ROUNDS: usize = 25;
/// Runs in a round: the kernel counts in steps that are coarse beside one run.
const RUNS: u32 = 20;

/// The fields of a record, as dpkg-query names them.
const FIELDS: &str = "${Package} ${Version} ${Architecture} ${Maintainer} ${Installed-Size} ${Description} ${db:Status-Want} \
                      ${db:Status-Eflag} ${db:Status-Status} ${db-fsys:Last-Modified}\n";

fn main() {
    // `cargo bench --bench inventory -- 3` has three rounds.
    let rounds = env::args().skip(1).filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS);
    let commands: [&[&str]; 3] = [
        &["dpkg-query", "--show", "--showformat", FIELDS],
        &[env!("CARGO_BIN_EXE_procline"), "inventory", "software"],
        &[env!("CARGO_BIN_EXE_procline"), "inventory", "software", "--fields", "name,version,status"],
    ];
    let mut times = commands.map(|_| Vec::new());
    for round in 0..=rounds {
        for (command, times) in commands.iter().zip(&mut times) {
            let time = milliseconds(command);
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("{rounds} rounds of {RUNS} runs");
    for (name, time) in ["dpkg-query --show", "procline", "procline, three fields"].iter().zip(medians) {
        println!("{name:<24}{time:>8.2} ms  {:>5.2}", time / medians[0]);
    }
}

/// The CPU time of one run.
fn milliseconds(command: &[&str]) -> f64 {
    let before = children();
    for _ in 0..RUNS {
        let status = Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).status();
        assert!(status.expect("a program").success(), "{command:?}");
    }
    (children() - before) / f64::from(RUNS)
}

fn children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3)
        .sum()
}
