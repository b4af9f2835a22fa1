//! What an inventory costs: installed packages against `dpkg-query --show` with the same fields, on this machine's database, and
//! files against `sha256sum` of the same files, warm. `cargo bench --bench inventory` runs it. No test depends on it.
//!
//! The programs run in turn, round after round. Figures are medians of one run: CPU time (user and system), and wall time.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};

const PROCLINE: &str = env!("CARGO_BIN_EXE_procline");
const ROUNDS: usize = 25;
/// Runs of a short program in a round: the kernel counts in steps that are coarse beside one run.
const RUNS: u32 = 20;

/// The fields of a record, as dpkg-query names them.
const FIELDS: &str = "${Package} ${Version} ${Architecture} ${Maintainer} ${Installed-Size} ${Description} ${db:Status-Want} \
                      ${db:Status-Eflag} ${db:Status-Status} ${db-fsys:Last-Modified}\n";

fn main() {
    // `cargo bench --bench inventory -- 3` has three rounds.
    let rounds = env::args().skip(1).filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS);
    let software: [(&str, &[&str]); 3] = [
        ("dpkg-query --show", &["dpkg-query", "--show", "--showformat", FIELDS]),
        ("procline", &[PROCLINE, "inventory", "software"]),
        ("procline, three fields", &[PROCLINE, "inventory", "software", "--fields", "name,version,status"]),
    ];
    table("installed packages", &software, rounds, RUNS);

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for (count, size, rounds) in [(1, 256 << 20, 5), (20_000, 4096, 9)] {
        let directory = folder.path().join(count.to_string());
        fs::create_dir(&directory).expect("a directory");
        let paths: Vec<PathBuf> = (0..count).map(|number| directory.join(format!("file-{number:05}"))).collect();
        paths.iter().for_each(|path| fs::write(path, vec![b'x'; size]).expect("a file"));
        let text = |path: &Path| path.to_str().expect("a path").to_owned();
        let (directory, names) = (text(&directory), paths.iter().map(|path| text(path)).collect::<Vec<_>>());
        let sha256sum: Vec<&str> = ["sha256sum", "--"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let all = "--max-hash-size=1GB";
        let commands: [(&str, &[&str]); 2] = [
            ("sha256sum", &sha256sum),
            ("procline", &[PROCLINE, "inventory", "files", all, "--timeout=5m", "--recursive", &directory]),
        ];
        table(&format!("{count} files of {size} bytes"), &commands, rounds, 1);
    }
}

/// Measures the commands, and prints each with its ratio to the first.
fn table(what: &str, commands: &[(&str, &[&str])], rounds: usize, runs: u32) {
    let mut figures: Vec<[Vec<f64>; 2]> = commands.iter().map(|_| Default::default()).collect();
    for round in 0..=rounds {
        for ((_, command), figures) in commands.iter().zip(&mut figures) {
            let measured = milliseconds(command, runs);
            // The first round warms up.
            if round > 0 {
                measured.into_iter().zip(figures).for_each(|(time, times)| times.push(time));
            }
        }
    }
    let medians: Vec<_> = figures.into_iter().map(|figures| figures.map(median)).collect();
    println!("\n{what}, {rounds} rounds of {runs} runs\n{:<24}{:>19}{:>21}", "", "CPU", "wall");
    for ((name, _), [cpu, wall]) in commands.iter().zip(&medians) {
        let [first_cpu, first_wall] = medians[0];
        println!("{name:<24}{cpu:>9.2} ms {:>6.2}{wall:>12.2} ms {:>6.2}", cpu / first_cpu, wall / first_wall);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The CPU time and the wall time of one run.
fn milliseconds(command: &[&str], runs: u32) -> [f64; 2] {
    let (before, start) = (children(), Instant::now());
    for _ in 0..runs {
        let status = Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).status();
        assert!(status.expect("a program").success(), "{command:?}");
    }
    [children() - before, start.elapsed().as_secs_f64() * 1e3].map(|time| time / f64::from(runs))
}

fn children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3)
        .sum()
}
