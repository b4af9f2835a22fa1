//! An end to every wait. Whoever polls does so with `wait_for`. Whoever reads from a program, or waits for it, is freed by
//! its end: what a thread has started is ended when that thread has started nothing more for too long.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::gettid;

/// How long a test waits for something to come: no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Asks again and again until there is an answer, and panics when there has been none for too long.
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

/// The threads that have started programs, by id: their names, and when their patience is over.
static STARTERS: Mutex<BTreeMap<i32, (String, Instant)>> = Mutex::new(BTreeMap::new());

/// Takes the thread off the list when it ends.
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
    // A test that failed has left it as it was.
    STARTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be called before a thread starts a program: it, and those before it, have so much time from now.
pub fn limit() {
    static WATCH: Once = Once::new();
    let name = thread::current().name().unwrap_or("a thread of a test").to_owned();
    LISTED.with(|listed| starters().insert(listed.0, (name, Instant::now() + LIMIT.get())));
    WATCH.call_once(|| drop(thread::spawn(watch)));
}

/// Ends what was started by those whose time is over, again and again: it may just have started more.
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

/// The processes that a thread has started, and all that those have. Who has ended has no children.
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
    // The other end of its pipe was the last to be closed.
    let sleep: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let state = || crate::support::state(sleep);
    wait_for("the end of sleep", || state().is_none_or(|state| state == 'Z').then_some(()));
}
