//! `--procfs` and `--rootfs`: users get the names of the other machine, and no link leads out of its root.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{PROCLINE, Tree, command, complaint, fixture, lacks, lines, procline, quiet};

/// The user of process 1, whose uid is 0.
fn user(command: &mut Command) -> String {
    let output = quiet(command.args(["--fields", "user", "--pid", "1"]));
    let record: serde_json::Value = serde_json::from_str(lines(&output)[0]).unwrap();
    record["user"].as_str().unwrap().to_owned()
}

#[test]
fn another_machine_has_its_own_users() {
    let proc = fixture("proc");
    // The names of this machine are not used: uid 0 may have another name there.
    assert_eq!(user(procline(&[]).arg("--procfs").arg(&proc)), "0");
    assert_eq!(user(procline(&[]).env("HOST_PROC", &proc)), "0");
    assert_eq!(user(procline(&[]).arg("--procfs").arg(&proc).arg("--rootfs").arg(fixture("root"))), "root");
    // A root without etc/passwd, as a minimal container has.
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(user(procline(&[]).arg("--procfs").arg(&proc).arg("--rootfs").arg(empty.path())), "0");
    let mut command = procline(&["--fields", "user,pid", "--rootfs", "/nonexistent"]);
    let (code, errors) = complaint(&command.arg("--procfs").arg(&proc).output().unwrap());
    assert!(code == 1 && errors.contains("/nonexistent"), "{errors}");
}

/// A tree whose etc/passwd is a link, with a file outside its root.
fn linked(target: &str) -> Tree {
    let tree = Tree::copy();
    tree.write("outside", b"outside:x:0:0::/:/bin/sh\n");
    tree.write("root/run/passwd", b"inside:x:0:0::/:/bin/sh\n");
    fs::remove_file(tree.path("root/etc/passwd")).unwrap();
    symlink(target.replace("TREE", tree.path("").to_str().unwrap()), tree.path("root/etc/passwd")).unwrap();
    tree
}

#[test]
fn links_stay_in_the_root_of_the_other_machine() {
    for (target, expected) in [
        ("/run/passwd", "inside"),
        ("../run/passwd", "inside"),
        ("../../../../../run/passwd", "inside"),
        ("TREE/outside", "0"),
        ("../../outside", "0"),
        ("/proc/self/root/etc/passwd", "0"),
    ] {
        assert_eq!(user(&mut linked(target).procline(&[])), expected, "{target}");
    }
}

/// A kernel or a sandbox may lack openat2(2). Then plain files are read, and links are refused.
#[test]
fn without_openat2_no_link_is_followed() {
    if lacks("without_openat2_no_link_is_followed", false, &["strace"]) {
        return;
    }
    let without = |tree: &Tree, error: &str| {
        let inject = format!("inject=openat2:error={error}");
        let trace = tree.path("trace");
        let inner = tree.procline(&[]);
        let mut traced = command("strace", &["-f", "-qq", "-e", "trace=openat2", "-e", &inject, "-o"]);
        let user = user(traced.arg(&trace).arg(PROCLINE).args(inner.get_args()));
        assert!(fs::read_to_string(trace).unwrap().contains("INJECTED"));
        user
    };
    for error in ["ENOSYS", "EPERM"] {
        assert_eq!(without(&Tree::copy(), error), "root");
        assert_eq!(without(&linked("/run/passwd"), error), "0");
    }
}
