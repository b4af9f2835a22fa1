//! What measuring a directory costs, against `du -s` and a bare loop of getdents64(2) and statx(2), on 200,000 files in 400
//! directories. `cargo bench --bench disk` runs it, as root. No test depends on it.
//!
//! Each competitor is a program of its own, run in turn, round after round. Figures are medians of CPU time (user and system)
//! and wall time, and the largest peak RSS. Cold rounds drop the kernel's caches first, of the whole machine.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, StatxFlags, openat, statx};

const DIRECTORIES: usize = 400;
const FILES: usize = 500;
const WARM: usize = 25;
const COLD: usize = 5;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["measure", command @ ..] => measure(command),
        ["bare", path] => bare(path),
        rest => all(rest.iter().filter_map(|word| word.parse().ok()).next().unwrap_or(WARM)),
    }
}

/// Makes the tree, and prints both tables; `cargo bench --bench disk -- 3` has three warm rounds.
fn all(rounds: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for directory in 0..DIRECTORIES {
        let directory = folder.path().join(format!("directory-{directory:03}"));
        fs::create_dir(&directory).expect("a directory");
        for file in 0..FILES {
            fs::write(directory.join(format!("some-file-{file:03}.txt")), "x").expect("a file");
        }
    }
    rustix::fs::sync();
    for (what, rounds, is_cold) in [("warm", rounds, false), ("cold", COLD.min(rounds), true)] {
        println!("\n{} files in {DIRECTORIES} directories, {what}, {rounds} rounds", DIRECTORIES * FILES);
        table(folder.path(), rounds, is_cold);
    }
}

struct Competitor {
    name: &'static str,
    command: Vec<String>,
    cpu: Vec<f64>,
    wall: Vec<f64>,
    rss: u64,
}

fn table(path: &Path, rounds: usize, is_cold: bool) {
    let own = myself().to_string_lossy().into_owned();
    let path = path.to_string_lossy().into_owned();
    let procline = env!("CARGO_BIN_EXE_procline").to_owned();
    let mut competitors = [
        ("bare loop", vec![own, "bare".to_owned(), path.clone()]),
        ("du -s", vec!["du".to_owned(), "-s".to_owned(), path.clone()]),
        ("procline disk", vec![procline, "disk".to_owned(), "--timeout=10m".to_owned(), path]),
    ]
    .map(|(name, command)| Competitor { name, command, cpu: Vec::new(), wall: Vec::new(), rss: 0 });
    for round in 0..=rounds {
        for competitor in &mut competitors {
            if is_cold {
                rustix::fs::sync();
                fs::write("/proc/sys/vm/drop_caches", "3").expect("only root can drop the caches");
            }
            let [cpu, wall, rss] = run(&competitor.command);
            // The first round warms up.
            if round > 0 {
                competitor.cpu.push(cpu);
                competitor.wall.push(wall);
                competitor.rss = competitor.rss.max(rss as u64);
            }
        }
    }
    println!("| program | CPU ms | / du | wall ms | / du | peak RSS KiB |\n|---|---:|---:|---:|---:|---:|");
    let [_, du, _] = &competitors;
    for Competitor { name, cpu, wall, rss, .. } in &competitors {
        // Ratios are those of each round: what disturbs a round disturbs all.
        let ratio =
            |own: &[f64], other: &[f64]| median(own.iter().zip(other).map(|(own, other)| own / other).collect());
        let [cpu_ms, wall_ms] = [cpu, wall].map(|times| median(times.clone()) / 1000.0);
        let (cpu, wall) = (ratio(cpu, &du.cpu), ratio(wall, &du.wall));
        println!("| {name} | {cpu_ms:.0} | {cpu:.2} | {wall_ms:.0} | {wall:.2} | {rss} |");
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn myself() -> PathBuf {
    env::current_exe().expect("the path of this program")
}

/// CPU and wall time in microseconds, and peak RSS in KiB, by way of a small launcher: a child inherits the peak RSS of its
/// parent.
fn run(command: &[String]) -> [f64; 3] {
    let output = Command::new(myself()).arg("measure").args(command).output().expect("the launcher");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let figures: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    figures.try_into().expect("three numbers")
}

fn measure(command: &[&str]) {
    let start = Instant::now();
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .status()
        .expect("the program that is measured");
    let wall = start.elapsed().as_micros();
    assert!(status.success(), "{command:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let (user, system) = (usage.user_time(), usage.system_time());
    let cpu = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    println!("{cpu} {wall} {}", usage.max_rss());
}

/// Lists the directories and asks about each file. Nothing else.
fn bare(path: &str) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mask = StatxFlags::BLOCKS | StatxFlags::NLINK | StatxFlags::INO | StatxFlags::SIZE;
    let mut buffer = vec![MaybeUninit::uninit(); 64 * 1024];
    let mut pending: Vec<OwnedFd> = vec![openat(CWD, path, flags, Mode::empty()).expect("the tree")];
    let mut blocks = 0;
    while let Some(directory) = pending.pop() {
        let mut list = RawDir::new(&directory, &mut buffer);
        while let Some(entry) = list.next() {
            let entry = entry.expect("an entry");
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let stat = statx(&directory, name, AtFlags::SYMLINK_NOFOLLOW, mask).expect("a file");
            blocks += stat.stx_blocks;
            if entry.file_type() == FileType::Directory {
                pending.push(openat(&directory, name, flags, Mode::empty()).expect("a directory"));
            }
        }
    }
    assert!(blocks > 0);
}
