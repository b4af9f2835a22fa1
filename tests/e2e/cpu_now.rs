//! `cpu_now` against what a process measures itself. The process logs its own getrusage(2) continuously. So any window
//! of its life has a known CPU usage, however fast the machine is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use chrono::DateTime;
use serde_json::Value;
use tempfile::TempDir;

use crate::limit::wait_for;
use crate::support::{Running, lacks, lines, procline, quiet};

/// A process that is busy for this many of every five seconds.
struct Worker {
    process: Running,
    folder: TempDir,
}

/// The time since 1970 and the CPU time used until then, in seconds.
type Log = Vec<(f64, f64)>;

impl Worker {
    fn start(seconds_of_five: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = "import sys, time, resource\n\
                      log = open(sys.argv[1], 'w')\n\
                      while True:\n\
                      \x20   u = resource.getrusage(resource.RUSAGE_SELF)\n\
                      \x20   print(time.time(), u.ru_utime + u.ru_stime, file=log, flush=True)\n\
                      \x20   end = time.time() + 0.01\n\
                      \x20   if end % 5 > int(sys.argv[2]): time.sleep(0.01)\n\
                      \x20   while time.time() < end: pass\n";
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(log(&folder)).arg(seconds_of_five.to_string());
        let worker = Worker { process: Running::start(&mut command), folder };
        wait_for("the worker's log", || (worker.log().len() >= 5).then_some(()));
        worker
    }

    fn log(&self) -> Log {
        let text = fs::read_to_string(log(&self.folder)).unwrap_or_default();
        // The last line may be incomplete.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let number = |word: &str| word.parse::<f64>().ok();
        let pairs = lines.filter_map(|line| line.split_once(' '));
        pairs.filter_map(|(at, cpu)| Some((number(at)?, number(cpu)?))).collect()
    }

    /// The log, once it has an entry after that time.
    fn log_beyond(&self, time: f64) -> Log {
        wait_for("an entry of the worker's log", || {
            Some(self.log()).filter(|log| log.last().is_some_and(|(at, _)| *at > time))
        })
    }

    /// What procline prints for the process.
    fn records(&self, arguments: &[&str]) -> Vec<Value> {
        let pid = self.process.0.id().to_string();
        let mut command = procline(&["--fields", "cpu_now,timestamp", "--timeout", "1m", "--pid", &pid]);
        let output = quiet(command.args(arguments));
        lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn cpu_now(record: &Value) -> f64 {
    record["cpu_now"].as_f64().unwrap()
}

/// The kernel reports CPU time in ticks of 10 ms: two ticks in 2 s are 1 %. Its clock and the worker's differ a little.
const NEAR: f64 = 3.0;

/// If one of the two programs waits for a CPU between reading the process and reading the clock, it measures another
/// window. This does not happen every time.
fn agree_once(attempt: impl Fn() -> Result<(), String>) {
    let errors: Vec<_> = (0..30).map_while(|_| attempt().err()).collect();
    assert!(errors.len() < 30, "{errors:#?}");
}

#[test]
fn in_one_run_it_is_of_the_window() {
    if lacks("in_one_run_it_is_of_the_window", false, &["python3"]) {
        return;
    }
    let worker = Worker::start(5);
    agree_once(|| {
        let first = worker.log().len() - 1;
        let ours = cpu_now(&worker.records(&["--sample", "2s"])[0]);
        let during = worker.log().split_off(first);
        // Every window of about this length while procline ran.
        let rate = |(place, (at, cpu)): (usize, &(f64, f64))| {
            let (later, more) = during[place..].iter().find(|(later, _)| later - at >= 2.0)?;
            Some((more - cpu) / (later - at) * 100.0)
        };
        let rates: Vec<_> = during.iter().enumerate().filter_map(rate).collect();
        let near = |rate: &f64| (rate - ours).abs() <= NEAR;
        if ours > 0.0 && rates.iter().any(near) { Ok(()) } else { Err(format!("{ours}, by itself {rates:?}")) }
    });
}

/// The worker's pauses make each interval different.
#[test]
fn with_an_interval_it_is_of_the_interval_just_past() {
    if lacks("with_an_interval_it_is_of_the_interval_just_past", false, &["python3"]) {
        return;
    }
    let worker = Worker::start(2);
    agree_once(|| {
        let records = worker.records(&["--interval", "2s", "--count", "3", "--sample", "10ms"]);
        let times = records.iter().map(|record| record["timestamp"].as_str().unwrap());
        let times = times.map(|time| DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis() as f64 / 1000.0);
        let times: Vec<_> = times.collect();
        let log = worker.log_beyond(times[times.len() - 1]);
        // Between two log entries the worker was busy evenly, or not at all.
        let used = |time: f64| {
            let after = log.iter().position(|(at, _)| *at > time).expect("an entry after it");
            let [(from, least), (to, most)] = [log[after - 1], log[after]];
            least + (most - least) * (time - from) / (to - from)
        };
        for (window, record) in times.windows(2).zip(&records[1..]) {
            let rate = (used(window[1]) - used(window[0])) / (window[1] - window[0]) * 100.0;
            if (cpu_now(record) - rate).abs() > NEAR {
                return Err(format!("{}, by itself {rate}", cpu_now(record)));
            }
        }
        Ok(())
    });
}
