//! An end to every wait. Code that polls does it with `wait_for`. Code that reads from a program, or waits for it,
//! continues when that program ends. So the programs of a thread are killed if it has started none for too long.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::gettid;

/// How long a test waits for something to happen. It does not measure speed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Asks repeatedly until there is an answer, and panics if there is none for too long.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited for {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The threads that have started programs, by id: their names, and the deadlines of their programs.
static STARTERS: Mutex<BTreeMap<i32, (String, Instant)>> = Mutex::new(BTreeMap::new());

/// Takes the thread off the list when the thread ends.
struct Listed(i32);

impl Drop for Listed {
    fn drop(&mut self) {
        starters().remove(&self.0);
    }
}

thread_local! {
    static LISTED: Listed = Listed(gettid().as_raw_nonzero().get());
    static LIMIT: Cell<Duration> = const { Cell::new(PATIENCE) };
}

fn starters() -> MutexGuard<'static, BTreeMap<i32, (String, Instant)>> {
    // A failed test has poisoned the lock, but the list is intact.
    STARTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Call this before a thread starts a program: this program and the thread's earlier ones have the full time again.
pub fn limit() {
    static WATCH: Once = Once::new();
    let name = thread::current().name().unwrap_or("a thread of a test").to_owned();
    LISTED.with(|listed| starters().insert(listed.0, (name, Instant::now() + LIMIT.get())));
    WATCH.call_once(|| drop(thread::spawn(watch)));
}

/// Kills what the threads past their deadline have started, and repeats this: they may start more.
fn watch() {
    loop {
        thread::sleep(Duration::from_millis(500));
        for (thread, (name, _)) in starters().iter().filter(|(_, (_, end))| *end < Instant::now()) {
            let mut programs = Vec::new();
            descendants(&format!("/proc/self/task/{thread}/children"), &mut programs);
            for (pid, program) in programs {
                eprintln!("{name} waits for too long: {program} ({pid}) is ended");
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The processes that a thread has started, and all their descendants. An ended process has no children.
fn descendants(children: &str, found: &mut Vec<(Pid, String)>) {
    for pid in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        found
            .push((Pid::from_raw(pid.parse().unwrap()).unwrap(), String::from_utf8_lossy(&name).trim_end().to_owned()));
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            descendants(&task.path().join("children").display().to_string(), found);
        }
    }
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
    use std::os::unix::process::ExitStatusExt;

    let run = || {
        LIMIT.set(Duration::from_millis(100));
        crate::support::command("sh", &["-c", "sleep 1000 & echo $!; wait"]).output().unwrap()
    };
    let output = thread::spawn(run).join().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()));
    // `output` returned, so `sleep` has closed its end of the pipe.
    let sleep: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let state = || crate::support::state(sleep);
    wait_for("the end of sleep", || state().is_none_or(|state| state == 'Z').then_some(()));
}
