//! ama/procline-exec.service: under the machine's own systemd, where the kernel sends process events, and under a booted one in a
//! PID namespace, where it sends none.

mod manager;
pub mod overlay;

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal, kill_process};

use crate::ama::file;
use crate::ama::machine::Machine;
use crate::limit::wait_for;
use crate::support::lines;
use manager::Manager;
use overlay::{assert_has_the_rights, is_realtime, status};

/// The unit.
const UNIT: &str = "procline-exec.service";

/// The lines of a unit that say something.
fn settings(unit: &str) -> BTreeSet<String> {
    let text = file(unit);
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// The unit differs from the other one that runs all the time in what is listed here.
#[test]
fn the_unit_is_as_the_others() {
    let (ours, theirs) = (settings(UNIT), settings("procline-resources.service"));
    let own =
        ["Description=", "ExecStart=", "LogsDirectory=", "Environment=", "Restart", "Start", "Timeout", "Watchdog"];
    let other = |line: &&String| !own.iter().any(|key| line.starts_with(key));
    let more: Vec<_> = ours.difference(&theirs).filter(other).collect();
    let expected = [
        "AmbientCapabilities=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_SYS_NICE",
        "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_SYS_NICE",
        "LimitCORE=0",
        "MemoryMax=128M",
        "RestrictAddressFamilies=AF_UNIX AF_NETLINK",
        "TasksMax=288",
        "Type=notify",
    ];
    assert_eq!(more, expected);
    let less: Vec<_> = theirs.difference(&ours).filter(other).collect();
    let expected = [
        "AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
        "CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
        "RestrictAddressFamilies=AF_UNIX",
        "RestrictRealtime=yes",
        "Type=simple",
    ];
    assert_eq!(less, expected);
    assert!(!ours.iter().any(|line| line.starts_with("PrivateNetwork=")));
}

/// The size of the kernel's queues, from the service's own sockets: one for each CPU, all of one size.
fn buffer(manager: &Manager, pid: u32) -> u64 {
    let script = format!(
        "python3 -ISc 'import ctypes, os, socket
call = ctypes.CDLL(None).syscall
pidfd = os.pidfd_open({pid})
for name in os.listdir(\"/proc/{pid}/fd\"):
    copy = call(438, pidfd, int(name), 0)
    if copy >= 0 and os.readlink(f\"/proc/self/fd/{{copy}}\").startswith(\"socket:\"):
        it = socket.socket(fileno=copy)
        if it.family == socket.AF_NETLINK:
            print(it.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))'"
    );
    manager.run(&script).lines().map(|size| size.parse().unwrap()).min().unwrap()
}

#[test]
fn the_service_runs_restarts_and_stops() {
    const TEST: &str = "the_service_runs_restarts_and_stops";
    let Some(manager) = Manager::start(TEST) else { return };
    // systemd forgets how a service ended that was stopped.
    manager.edit("ExecStopPost=+/bin/sh -c 'echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS >>/run/end'");
    // `start` returns when procline has said that it is ready.
    if !manager.begin(TEST) {
        return;
    }
    assert_eq!([manager.property("ActiveState"), manager.property("SubState")], ["active", "running"]);
    let pid = manager.pid();
    assert_eq!(status(pid, "Seccomp:"), "2");
    let record = manager.record_of_new_program();
    assert!(record.exe.is_some() && record.cwd.is_some() && record.incomplete.is_none(), "{record:?}");
    assert_has_the_rights(&manager, pid);

    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    wait_for("the restart", || (manager.property("NRestarts") == "1").then_some(()));
    wait_for("the new process", || (manager.property("SubState") == "running").then_some(()));
    assert_ne!(manager.pid(), pid);
    manager.record_of_new_program();

    manager.run(&format!("systemctl --user stop {UNIT}"));
    assert_eq!(manager.run("tail -n 1 /run/end"), "success exited 0\n");
    assert_eq!(manager.property("ActiveState"), "inactive");
    lines(&manager.written());
    assert_eq!(manager.errors(), "");

    // A wrong option is no reason to try again.
    manager.edit("Environment=OPTIONS=--no-such-option");
    assert!(!manager.output(&format!("systemctl --user start {UNIT}")).status.success());
    assert_eq!(manager.property("ExecMainStatus"), "2");
    assert_eq!([manager.property("ActiveState"), manager.property("NRestarts")], ["failed", "0"]);
}

#[test]
fn the_watchdog_is_served_and_ends_what_hangs() {
    const TEST: &str = "the_watchdog_is_served_and_ends_what_hangs";
    let Some(manager) = Manager::start(TEST) else { return };
    manager.edit("WatchdogSec=2s");
    if !manager.begin(TEST) {
        return;
    }
    let pid = manager.pid();
    let last = || manager.property("WatchdogTimestampMonotonic").parse::<u64>().unwrap();
    let first = last();
    wait_for("a sign of life", || (last() > first).then_some(()));
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
    wait_for("the end of what hangs", || (manager.property("NRestarts") != "0").then_some(()));
    wait_for("the new process", || (manager.property("SubState") == "running").then_some(()));
    manager.record_of_new_program();
}

/// What is lost without each right, as the unit's comment says, and what another brings.
#[test]
fn each_right_is_needed() {
    const TEST: &str = "each_right_is_needed";
    let Some(manager) = Manager::start(TEST) else { return };
    if !manager.begin(TEST) {
        return;
    }
    let with = |capabilities: &str| {
        let keys = ["CapabilityBoundingSet", "AmbientCapabilities"];
        let lines = keys.map(|key| format!("{key}=\n{key}={capabilities}\n")).concat();
        format!("{lines}Environment=\"OPTIONS=--env PWD\"")
    };
    for (capabilities, expected) in [
        ("CAP_NET_ADMIN CAP_SYS_PTRACE CAP_SYS_NICE", (true, true, false, true)),
        ("CAP_NET_ADMIN CAP_SYS_PTRACE", (true, true, false, false)),
        ("CAP_NET_ADMIN CAP_SYS_NICE", (true, false, false, true)),
        ("CAP_SYS_PTRACE CAP_SYS_NICE", (false, true, false, true)),
        ("CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SYS_NICE", (true, true, true, true)),
    ] {
        let edit = with(capabilities);
        manager.edit(&edit);
        let start = manager.output(&format!("systemctl --user reset-failed {UNIT}; systemctl --user restart {UNIT}"));
        if !start.status.success() {
            // Before Linux 6.6.
            assert!(!expected.0 && manager.errors().contains("CAP_NET_ADMIN"), "{edit}: {}", manager.errors());
            continue;
        }
        let record = manager.record_of_new_program();
        assert_eq!(record.exe.is_some(), record.cwd.is_some());
        let pid = manager.pid();
        let has_buffer = buffer(&manager, pid) >= 16 << 20;
        assert_eq!((has_buffer, record.exe.is_some(), record.env.is_some(), is_realtime(pid)), expected, "{edit}");
    }
}

/// In a PID namespace the kernel sends no events. The journal says so in few lines, and systemd stops trying.
#[test]
fn a_machine_without_events_learns_why() {
    let Some(machine) = Machine::boot("a_machine_without_events_learns_why") else { return };
    machine.run(&format!(
        "cp target/release/procline /usr/bin/; systemd-sysusers /srv/ama/procline.sysusers
        cat >/usr/lib/systemd/system/{UNIT} <<'END'\n{}\nEND\nsystemctl daemon-reload",
        file(UNIT)
    ));
    assert!(!machine.succeeds(&format!("systemctl enable --now {UNIT}")));
    let show = |name: &str| machine.run(&format!("systemctl show --value -p {name} {UNIT}")).trim().to_owned();
    wait_for("systemd to stop trying", || (show("ActiveState") == "failed").then_some(()));
    assert_eq!(show("NRestarts"), "5");
    let journal = machine.run(&format!("journalctl --sync; journalctl --quiet --unit {UNIT} --output cat"));
    let said =
        journal.lines().filter(|line| line.starts_with("procline: the kernel sends no process events here: run"));
    assert_eq!(said.count(), 5, "{journal}");
    assert!(journal.lines().count() <= 25, "{journal}");
}
