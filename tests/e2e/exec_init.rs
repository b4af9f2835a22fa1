//! packaging/sysv and packaging/openrc: the scripts for machines without systemd, run for real by start-stop-daemon and by OpenRC.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::ama::{arguments, tool};
use crate::exec_service::overlay::{Overlay, assert_has_the_rights};
use crate::limit::wait_for;
use crate::support::{command, lacks, lines, quiet, skip};

const SYSV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/sysv/procline-exec");
const OPENRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/openrc/procline-exec");
const SERVICE: &str = "/etc/init.d/procline-exec";

/// A view in which the script is installed. `None` if the test must be skipped.
fn installed(test: &str, script: &str) -> Option<Overlay> {
    let overlay = Overlay::make(test, &[script], &[])?;
    overlay.run(&format!("mkdir -p /etc/init.d /etc/conf.d; cp procline-exec {SERVICE}"));
    Some(overlay)
}

/// The exit code of the script with this word.
fn code(overlay: &Overlay, word: &str) -> Option<i32> {
    overlay.output(&format!("{SERVICE} {word} >/run/said 2>&1")).status.code()
}

fn said(overlay: &Overlay) -> String {
    overlay.run("cat /run/said /var/log/procline-exec/procline-exec.err 2>/dev/null || true")
}

/// Whether the service starts. False if the kernel sends no events, which is reported.
fn starts(test: &str, overlay: &Overlay) -> bool {
    if code(overlay, "start") == Some(0) {
        return true;
    }
    let said = said(overlay);
    assert!(said.contains("no process events"), "{said}");
    skip(test, "the kernel sends no process events here");
    false
}

/// The process that runs procline as the service's user, if there is one.
fn pid(overlay: &Overlay) -> Option<u32> {
    let own = overlay.run("cat $group/cgroup.procs");
    let user = overlay.run("id -u procline");
    let is_it = |pid: &u32| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        read("comm") == "procline\n" && read("status").contains(&format!("\nUid:\t{}\t", user.trim()))
    };
    own.lines().filter_map(|line| line.parse().ok()).find(is_it)
}

#[test]
fn shellcheck_finds_nothing() {
    let test = "shellcheck_finds_nothing";
    for script in [SYSV, OPENRC] {
        quiet(&mut command("sh", &["-n", script]));
    }
    if !lacks(test, false, &["shellcheck"]) {
        quiet(&mut command("shellcheck", &[SYSV, OPENRC]));
    }
}

/// The scripts run the command of the unit.
#[test]
fn the_scripts_run_the_units_command() {
    for (script, variables) in [
        (SYSV, ["$OPTIONS", "\"$DIRECTORY/%Y-%m-%dT%H.jsonl\"", "$KEEP", "KEEP='"]),
        (OPENRC, ["$options", "$records/%Y-%m-%dT%H.jsonl", "$keep", "keep:="]),
    ] {
        let text = std::fs::read_to_string(script).unwrap();
        let [options, file, keep, set] = variables;
        let (_, kept) = text.split_once(set).unwrap();
        let kept = kept.split(['\'', '}']).next().unwrap();
        let line = text.lines().find(|line| line.contains(" exec --exits ")).unwrap();
        let (_, words) = line.split_once(" exec ").unwrap();
        let words = words.split([';', '&']).next().unwrap().trim_end().trim_end_matches('"').to_owned();
        let words = words.replace(&format!("{options} "), "").replace(keep, kept);
        let words = words.replace(file, "/var/log/procline-exec/%Y-%m-%dT%H.jsonl");
        let ours: BTreeSet<_> = words.split(' ').collect();
        let unit = arguments("procline-exec.service");
        assert_eq!(ours, unit[1..].iter().map(String::as_str).collect(), "{script}");
    }
}

#[test]
fn the_sysv_script_starts_restarts_and_stops() {
    const TEST: &str = "the_sysv_script_starts_restarts_and_stops";
    if lacks(TEST, true, &["start-stop-daemon"]) {
        return;
    }
    let Some(overlay) = installed(TEST, SYSV) else { return };
    assert_eq!(code(&overlay, "status"), Some(3));
    // `start` returns when procline has subscribed.
    if !starts(TEST, &overlay) {
        return;
    }
    assert_eq!(code(&overlay, "status"), Some(0));
    let first = pid(&overlay).expect("the process");
    assert_eq!(overlay.run("cat /run/procline-exec.pid").trim(), first.to_string());
    assert_has_the_rights(&overlay, first);
    let record = overlay.record_of_new_program();
    assert!(record.exe.is_some() && record.cwd.is_some(), "{record:?}");

    assert_eq!(code(&overlay, "start"), Some(0));
    assert_eq!(pid(&overlay), Some(first), "it runs already");
    assert_eq!(code(&overlay, "restart"), Some(0));
    let second = pid(&overlay).expect("the process");
    assert_ne!(second, first);
    overlay.record_of_new_program();

    // `stop` returns when procline has ended.
    assert_eq!(code(&overlay, "stop"), Some(0));
    assert_eq!((pid(&overlay), code(&overlay, "status")), (None, Some(3)));
    assert!(!overlay.output("test -e /run/procline-exec.pid").status.success());
    lines(&overlay.written());
    assert_eq!(code(&overlay, "stop"), Some(0));
    assert_eq!(code(&overlay, "try-restart"), Some(0));
    assert_eq!(pid(&overlay), None);

    // A failure has a reason, and leaves nothing.
    overlay.run("echo OPTIONS=--no-such-option >>/etc/default/procline-exec");
    assert_eq!(code(&overlay, "start"), Some(1));
    let said = said(&overlay);
    assert!(said.contains("procline-exec did not start:\nprocline: unexpected argument"), "{said}");
    assert_eq!((pid(&overlay), code(&overlay, "status")), (None, Some(3)));
}

#[test]
fn openrc_starts_supervises_and_stops() {
    const TEST: &str = "openrc_starts_supervises_and_stops";
    let Some(openrc) = tool(TEST, "openrc") else { return };
    let openrc = openrc.to_str().unwrap();
    if lacks(TEST, true, &["cp"]) || !Path::new(openrc).join("sbin/openrc-run").exists() {
        return;
    }
    let Some(overlay) = Overlay::make(TEST, &[OPENRC, openrc], &[]) else { return };
    // The package's files, no service of the machine, the directories that OpenRC makes when it boots, and a service of its own.
    overlay.run(&format!(
        "for folder in bin sbin lib etc usr; do cp -a openrc/$folder/. /$folder/; done
        rm -rf /etc/init.d; mkdir -p /etc/init.d /etc/conf.d
        touch /etc/insserv.conf
        cd /run; mkdir openrc; cd openrc; touch softlevel
        mkdir starting started stopping inactive wasinactive failed hotplugged daemons options exclusive scheduled tmp
        cd /srv
        printf '#!/sbin/openrc-run\\nstart() {{ :; }}\\n' >/etc/init.d/localmount
        chmod 755 /etc/init.d/localmount
        cp procline-exec {SERVICE}"
    ));
    if !starts(TEST, &overlay) {
        return;
    }
    // OpenRC does not wait for procline.
    let running = || wait_for("procline", || pid(&overlay).filter(|_| !overlay.written().is_empty()));
    let program = || drop(crate::exec_stream::hold_as_user(&["true"]));
    program();
    let first = wait_for("procline", || pid(&overlay));
    wait_for("the file", || {
        program();
        (!overlay.written().is_empty()).then_some(())
    });
    assert_has_the_rights(&overlay, first);
    assert_eq!(code(&overlay, "status"), Some(0));
    overlay.record_of_new_program();

    kill_process(Pid::from_raw(first.cast_signed()).unwrap(), Signal::KILL).unwrap();
    wait_for("the restart", || pid(&overlay).filter(|pid| *pid != first));
    running();
    assert_eq!(code(&overlay, "restart"), Some(0), "{}", said(&overlay));
    assert_eq!(code(&overlay, "stop"), Some(0), "{}", said(&overlay));
    assert_eq!((pid(&overlay), code(&overlay, "status")), (None, Some(3)));
    lines(&overlay.written());
}
