//! `cast.py` itself: what goes wrong in it is told at once, and it leaves nothing behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::limit::wait_for;
use crate::support::{Actor, state};

#[test]
fn a_process_that_ends_is_told_at_once() {
    if Actor::lacks("a_process_that_ends_is_told_at_once") {
        return;
    }
    let told = Actor::try_to_play("ends").err().expect("a word about it");
    assert!(told.contains("its process ended: -11") && told.contains("exit status: 1"), "{told}");
}

/// When the test drops it, its process is gone, and not only told to go.
#[test]
fn a_role_that_is_over_leaves_nothing() {
    if Actor::lacks("a_role_that_is_over_leaves_nothing") {
        return;
    }
    for role in ["plain", "zombie_leader", "traced", "foreground", "uid_without_name", "no_arguments", "empty_argv"] {
        let actor = Actor::play(role);
        let pid = actor.pid;
        assert!(state(pid).is_some(), "{role}");
        drop(actor);
        assert_eq!(state(pid), None, "{role}");
    }
}

/// Also where nobody is left to end it: a test's process that is killed closes the pipe, and a director may be killed, too.
#[test]
fn a_process_ends_with_its_director() {
    if Actor::lacks("a_process_ends_with_its_director") {
        return;
    }
    for role in ["plain", "foreground", "uid_without_name", "no_arguments", "command_of_5_mb"] {
        let actor = Actor::play(role);
        kill(Pid::from_raw(actor.director().cast_signed()), Signal::SIGKILL).unwrap();
        // Whoever becomes its parent may take its time.
        wait_for(role, || state(actor.pid).is_none_or(|state| state == 'Z').then_some(()));
    }
}
