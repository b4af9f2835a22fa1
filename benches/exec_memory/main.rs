//! How much memory `procline exec` takes, with and without `--exits`, while 100,000 programs start and end.
//! `cargo bench --bench exec_memory -- 1000000` starts a million. It needs root, and fails over 6 MB. No test depends on it.
//!
//! Both runs see the same programs, and write to files, as the service does. Ten times, their largest resident memory (`VmHWM`) is
//! printed, so that growth would show, and the files are counted and removed. Other programs that start meanwhile count, too: keep the
//! machine quiet.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PROGRAMS: usize = 100_000;
const STEPS: usize = 10;
/// In kB, as /proc has it.
const MAX: u64 = 6_000;
/// What starts programs: so many shells.
const STARTERS: usize = 2;

fn main() {
    let programs = env::args().find_map(|word| word.parse().ok()).unwrap_or(PROGRAMS);
    let mut streams = [Stream::start(&[]), Stream::start(&["--exits"])];
    println!("\n{programs} programs, started by {STARTERS} threads\n");
    println!("| programs | seconds | peak RSS, kB | with `--exits` |\n|---:|---:|---:|---:|");
    let begin = Instant::now();
    for step in 0..=STEPS {
        if step > 0 {
            start(programs / STEPS);
        }
        let [one, other] = [0, 1].map(|place| memory(streams[place].process.id(), "VmHWM:"));
        println!("| {} | {} | {one} | {other} |", programs / STEPS * step, begin.elapsed().as_secs());
        // No more is written to the files of earlier seconds.
        thread::sleep(Duration::from_secs(2));
        streams.iter_mut().for_each(|stream| stream.count(Some(Duration::from_secs(1))));
    }
    let mut is_low = true;
    for stream in &mut streams {
        let [peak, now] = ["VmHWM:", "VmRSS:"].map(|key| memory(stream.process.id(), key));
        is_low &= peak <= MAX;
        stream.end();
        println!("\n{}: {:?}, at most {peak} kB, {now} kB at the end", stream.name, stream.counts);
        let expected = (programs / STEPS * STEPS) as u64;
        assert!(stream.counts.starts + stream.counts.lost >= expected, "programs are missing");
    }
    assert!(is_low, "more than {MAX} kB");
}

/// Starts so many programs, and waits for each.
fn start(programs: usize) {
    let one = || assert!(Command::new("/bin/true").status().expect("/bin/true").success());
    thread::scope(|scope| {
        for starter in 0..STARTERS {
            scope.spawn(move || (starter..programs).step_by(STARTERS).for_each(|_| one()));
        }
    });
}

fn memory(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("procline exec runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

/// What a stream has written. Other programs of the machine start, too.
#[derive(Debug, Default)]
struct Counts {
    starts: u64,
    incomplete: u64,
    lost: u64,
}

/// A running `procline exec`.
struct Stream {
    name: String,
    process: Child,
    /// Where it writes, to a file for each second.
    folder: TempDir,
    counts: Counts,
}

impl Stream {
    /// Starts it, and waits until it is ready.
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let socket = tempfile::tempdir().expect("a folder");
        let notices = UnixDatagram::bind(socket.path().join("notices")).expect("a socket");
        notices.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let process = Command::new(env!("CARGO_BIN_EXE_procline"))
            .args(["exec", "--root", "--output"])
            .arg(folder.path().join("%s.jsonl"))
            .args(arguments)
            .env("NOTIFY_SOCKET", socket.path().join("notices"))
            .stdin(Stdio::null())
            .spawn()
            .expect("procline");
        notices.recv(&mut [0; 100]).expect("process events: they need root, and the machine's own namespaces");
        let name = format!("procline exec --root {}", arguments.join(" "));
        Stream { name, process, folder, counts: Counts::default() }
    }

    /// Counts the records of its files, or of those that were last written so long ago, and removes them.
    fn count(&mut self, age: Option<Duration>) {
        for entry in fs::read_dir(self.folder.path()).expect("its files") {
            let path = entry.expect("a file").path();
            let written = path.metadata().and_then(|data| data.modified()).expect("its time");
            if age.is_some_and(|age| written.elapsed().unwrap_or_default() < age) {
                continue;
            }
            for line in fs::read_to_string(&path).expect("its records").lines() {
                self.counts.add(line);
            }
            fs::remove_file(path).expect("its end");
        }
    }

    fn end(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it runs");
        assert!(self.process.wait().expect("its end").success());
        self.count(None);
    }
}

impl Counts {
    fn add(&mut self, line: &str) {
        if line.contains(r#""event":"lost""#) {
            let (_, rest) = line.split_once(r#""lost":"#).expect("the number of lost events");
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
            self.lost += digits.and_then(|digits| digits.parse::<u64>().ok()).expect("a number");
        }
        self.starts += u64::from(line.contains(r#""event":"exec""#));
        self.incomplete += u64::from(line.contains(r#""incomplete":true"#));
    }
}
