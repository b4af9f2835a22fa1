//! How a run ends: closed and full pipes, full disks, signals, the timeout, and an invalid procfs.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Tree, command, complaint, lacks, make_fifo, procline, records, with_default_signals};

/// Starts procline with more output than a pipe holds. Nobody reads the pipe.
fn blocked(arguments: &[&str], both: bool) -> (Tree, Child) {
    let tree = Tree::copy();
    let line = "argument\0".repeat(14_000);
    tree.write("proc/1200/cmdline", line.as_bytes());
    let mut command = tree.procline(&["--max-record-bytes", "0"]);
    command.args(arguments);
    let mut command = with_default_signals(&command);
    let child = if both {
        // Standard error is the same full pipe: the report must not block either.
        Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 2>&1"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdout(Stdio::piped())
            .spawn()
    } else {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    (tree, child.unwrap())
}

/// Waits for the end without reading standard output. Standard error fits into its pipe.
fn end(child: &mut Child) -> (Option<i32>, Option<i32>, String) {
    let status = child.wait().unwrap();
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut errors).unwrap();
    }
    (status.code(), status.signal(), errors)
}

#[test]
fn the_timeout_ends_a_blocked_write() {
    let (_tree, mut child) = blocked(&["--timeout", "300ms"], false);
    let (code, _, errors) = end(&mut child);
    assert_eq!(code, Some(124));
    assert!(errors.contains("timed out after 300ms") && errors.contains("writing"), "{errors}");
}

#[test]
fn the_timeout_ends_a_run_that_cannot_report_it() {
    let (_tree, mut child) = blocked(&["--timeout", "300ms"], true);
    assert_eq!(end(&mut child).0, Some(124));
}

/// Standard output may be non-blocking, because its reader or a parent made it so. procline waits until it can write.
#[test]
fn a_standard_output_that_does_not_block_has_whole_lines() {
    let (tree, mut first) = blocked(&[], false);
    let mut expected = Vec::new();
    first.stdout.take().unwrap().read_to_end(&mut expected).unwrap();
    assert_eq!(end(&mut first), (Some(0), None, String::new()));
    let start = |timeout: &str| {
        let (ours, theirs) = io::pipe().unwrap();
        fcntl_setfl(&theirs, OFlags::NONBLOCK).unwrap();
        let mut command = tree.procline(&["--max-record-bytes", "0", "--timeout", timeout]);
        (ours, command.stdout(theirs).stderr(Stdio::piped()).spawn().unwrap())
    };
    let (mut ours, mut child) = start("10m");
    let mut output = vec![0; 1];
    ours.read_exact(&mut output).unwrap();
    // procline has more output than a pipe holds, and waits for this read.
    std::thread::sleep(std::time::Duration::from_millis(50));
    ours.read_to_end(&mut output).unwrap();
    assert_eq!(end(&mut child), (Some(0), None, String::new()));
    assert_eq!(records(&output).len(), records(&expected).len());
    // The timeout also ends this wait. A reader that closes the pipe ends it without an error.
    let (_ours, mut child) = start("300ms");
    assert_eq!(end(&mut child).0, Some(124));
    let (ours, mut child) = start("10m");
    drop(ours);
    assert_eq!(end(&mut child), (Some(0), None, String::new()));
}

#[test]
fn the_timeout_ends_a_read_that_blocks() {
    let tree = Tree::copy();
    for name in ["proc/uptime", "proc/1200/stat"] {
        fs::remove_file(tree.path(name)).unwrap();
        make_fifo(&tree.path(name));
        let (code, errors) = complaint(&tree.procline(&["--timeout", "200ms"]).output().unwrap());
        assert!(code == 124 && errors.contains("reading"), "{name}: {errors}");
        fs::remove_file(tree.path(name)).unwrap();
        fs::copy(crate::support::fixture(name), tree.path(name)).unwrap();
    }
}

#[test]
fn sigterm_sigint_and_sighup_end_a_blocked_write() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (_tree, mut child) = blocked(&["--timeout", "10m"], false);
        // procline handles signals by the time it writes.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let (_, by, errors) = end(&mut child);
        assert_eq!((by, errors.as_str()), (Some(signal.as_raw()), ""));
    }
}

/// The lines in hand are written: after a signal the output has no open line if the reader reads. The run may also have
/// finished before it saw the signal.
#[test]
fn a_signal_leaves_no_open_line() {
    let (_tree, mut child) = blocked(&["--timeout", "10m"], false);
    let mut output = vec![0];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut output).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    stdout.read_to_end(&mut output).unwrap();
    assert!(!records(&output).is_empty());
    let (code, by, errors) = end(&mut child);
    assert!(code == Some(0) || by == Some(Signal::TERM.as_raw()), "{code:?} {by:?}");
    assert_eq!(errors, "");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let (_tree, mut child) = blocked(&[], false);
    drop(child.stdout.take());
    assert_eq!(end(&mut child), (Some(0), None, String::new()));
    if lacks("a_closed_pipe_is_quiet, with head", false, &["sh", "head"]) {
        return;
    }
    let script = format!(
        "{} --help | head -n 1; {} | head -n 1; {} fields | head -n 0",
        crate::support::PROCLINE,
        crate::support::PROCLINE,
        crate::support::PROCLINE
    );
    let output = command("sh", &["-c", &script]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn a_full_disk_is_one_line() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, errors) = complaint(&procline(&[]).stdout(full).output().unwrap());
    assert!(code == 1 && errors.contains("standard output: No space left"), "{errors}");
}

#[test]
fn an_invalid_procfs_is_reported() {
    let tree = Tree::copy();
    let empty = tempfile::tempdir().unwrap();
    for (path, reason) in [
        (tree.path("nonexistent"), "No such file"),
        (tree.path("proc/uptime"), "Not a directory"),
        (empty.path().to_owned(), "proc filesystem"),
    ] {
        for fields in ["default", "pid"] {
            let mut command = procline(&["--fields", fields, "--procfs"]);
            let (code, errors) = complaint(&command.arg(&path).output().unwrap());
            assert_eq!(code, 1, "{errors}");
            assert!(errors.contains(reason) && errors.contains(path.to_str().unwrap()), "{errors}");
        }
    }
    for (name, content) in [("uptime", "up"), ("stat", "cpu 1\n"), ("meminfo", "MemFree: 1 kB\n")] {
        let tree = Tree::copy();
        tree.write(&format!("proc/{name}"), content.as_bytes());
        let (code, errors) = complaint(&tree.procline(&[]).output().unwrap());
        assert!(code == 1 && errors.contains(&format!("proc/{name} is not what")), "{errors}");
        fs::remove_file(tree.path(&format!("proc/{name}"))).unwrap();
        let (code, errors) = complaint(&tree.procline(&[]).output().unwrap());
        assert!(code == 1 && errors.contains(&format!("cannot read {}", tree.path("proc").display())), "{errors}");
    }
}

#[test]
fn a_missing_proc_is_reported() {
    if lacks("a_missing_proc_is_reported", true, &["unshare", "mount"]) {
        return;
    }
    let script = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    for fields in ["default", "pid"] {
        let mut command =
            command("unshare", &["--mount", "sh", "-c", script, crate::support::PROCLINE, "--fields", fields]);
        let (code, errors) = complaint(&command.output().unwrap());
        assert!(code == 1 && errors.contains("/proc") && errors.contains("proc filesystem"), "{errors}");
    }
}

/// procline reports a process that it cannot read, and prints all others.
#[test]
fn a_process_that_cannot_be_read_is_reported_and_the_others_are_there() {
    let tree = Tree::copy();
    let before = records(&tree.procline(&[]).output().unwrap().stdout).len();
    fs::remove_file(tree.path("proc/1200/stat")).unwrap();
    fs::create_dir(tree.path("proc/1200/stat")).unwrap();
    let output = tree.procline(&[]).output().unwrap();
    let (code, errors) = complaint(&output);
    assert!(code == 1 && errors.contains("1200/stat") && errors.contains("Is a directory"), "{errors}");
    assert_eq!(records(&output.stdout).len(), before - 1);
}
