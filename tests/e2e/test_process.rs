//! `test_process.py` itself: it reports at once what goes wrong, and leaves nothing behind.

use rustix::process::{Pid, Signal, kill_process};

use crate::limit::wait_for;
use crate::support::{TestProcess, state};

#[test]
fn a_test_process_that_ends_is_reported_at_once() {
    if TestProcess::lacks("a_test_process_that_ends_is_reported_at_once") {
        return;
    }
    let error = TestProcess::try_start("ends").err().expect("an error");
    assert!(error.contains("the test process ended: -11") && error.contains("exit status: 1"), "{error}");
}

/// After the drop the process is gone: it was not only told to end.
#[test]
fn a_test_process_that_is_dropped_leaves_nothing() {
    if TestProcess::lacks("a_test_process_that_is_dropped_leaves_nothing") {
        return;
    }
    for kind in ["plain", "zombie_leader", "traced", "foreground", "uid_without_name", "no_arguments", "empty_argv"] {
        let process = TestProcess::start(kind);
        let pid = process.pid;
        assert!(state(pid).is_some(), "{kind}");
        drop(process);
        assert_eq!(state(pid), None, "{kind}");
    }
}

/// This holds if nobody is left to end it: a killed test closes the pipe, but the supervisor may be killed, too.
#[test]
fn a_test_process_ends_with_its_supervisor() {
    if TestProcess::lacks("a_test_process_ends_with_its_supervisor") {
        return;
    }
    for kind in ["plain", "foreground", "uid_without_name", "no_arguments", "command_of_5_mb"] {
        let process = TestProcess::start(kind);
        kill_process(Pid::from_child(&process.supervisor), Signal::KILL).unwrap();
        // The new parent may take some time to reap it.
        wait_for(kind, || state(process.pid).is_none_or(|state| state == 'Z').then_some(()));
    }
}
