//! Failures that may pass: with `--interval` each kind of failure is reported once, and the run goes on. Its exit code
//! is 1 at the end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Lock, PROCLINE, Tree, command, complaint, lacks, lines, skip};

/// procline over the tree into `output`, at a short interval. It ends by itself after about a minute, even if the test
/// waits for something else.
fn often(tree: &Tree, output: &Path, arguments: &[&str]) -> Command {
    times(6000, tree, output, arguments)
}

fn times(count: u32, tree: &Tree, output: &Path, arguments: &[&str]) -> Command {
    let mut command = tree.procline(&["--fields", "pid", "--pid", "1", "--interval", "10ms"]);
    command.arg(format!("--count={count}")).args(arguments).arg("--output").arg(output);
    command
}

/// Waits for the report, repairs the cause, waits for records, and ends the run. Returns the whole standard error.
fn report(command: &mut Command, output: &Path, mend: impl FnOnce()) -> String {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut errors = String::new();
    stderr.read_line(&mut errors).unwrap();
    mend();
    let size = || fs::metadata(output).map_or(0, |file| file.len());
    let before = size();
    while size() <= before {
        assert!(child.try_wait().unwrap().is_none(), "ended: {errors}");
        sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{errors}");
    assert!(!lines(&fs::read(output).unwrap()).is_empty());
    errors
}

#[track_caller]
fn is_one_line(errors: &str, words: &str) {
    assert!(errors.starts_with("procline: ") && errors.contains(words), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn a_missing_directory() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/missing/out");
    let errors = report(&mut often(&tree, &path, &[]), &path, || {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    });
    is_one_line(&errors, "cannot create the directory");
}

#[test]
fn a_directory_in_place_of_the_file() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::create_dir(&path).unwrap();
    let errors = report(&mut often(&tree, &path, &[]), &path, || fs::remove_dir(&path).unwrap());
    is_one_line(&errors, "is a directory");
}

/// The lock stays taken for many intervals. One thread waits for it, and it is reported once.
#[test]
fn a_lock() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut lock = Some(Lock::take(&path));
    let mut child = often(&tree, &path, &["--timeout", "100ms"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut errors = String::new();
    stderr.read_line(&mut errors).unwrap();
    is_one_line(&errors, "out is locked by another process, and did not come free within --timeout 100ms");
    let threads = || fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().count();
    for _ in 0..50 {
        sleep(Duration::from_millis(10));
        // The main thread, the thread that waits, and a worker that may be taking a snapshot.
        assert!(threads() <= 3);
    }
    lock.take();
    while fs::metadata(&path).unwrap().len() == 0 {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    is_one_line(&errors, "is locked");
    lines(&fs::read(&path).unwrap());
}

/// The records are written although an old file stays.
#[test]
fn an_old_file_that_cannot_be_removed() {
    if lacks("an_old_file_that_cannot_be_removed", true, &["unshare", "mount", "sh"]) {
        return;
    }
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let old = File::create(folder.path().join("2020-01-02")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    // A mount point cannot be removed.
    let script = "cd \"$1\" && mount --bind 2020-01-02 2020-01-02 || exit 77; shift; exec \"$0\" \"$@\"";
    let inner = times(20, &tree, &folder.path().join("%Y-%m-%d"), &["--keep", "2d"]);
    let mut command = command("unshare", &["--mount", "sh", "-c", script, PROCLINE]);
    let (code, errors) = complaint(&command.arg(folder.path()).args(inner.get_args()).output().unwrap());
    assert_eq!(code, 1);
    is_one_line(&errors, "cannot remove the old file");
    let written: usize =
        fs::read_dir(folder.path()).unwrap().map(|entry| lines(&fs::read(entry.unwrap().path()).unwrap()).len()).sum();
    assert_eq!(written, 20);
}

/// A disk is full, and has space again later.
#[test]
fn no_space() {
    if lacks("no_space", true, &["unshare", "mount", "sh", "dd"]) {
        return;
    }
    let script = "cd \"$1\" && mount -t tmpfs -o size=64k none disk || exit 77; shift
        dd if=/dev/zero of=disk/room 2> /dev/null
        \"$0\" \"$@\" 2> errors & program=$!
        tries=0; until [ -s errors ] || [ $tries = 6000 ]; do sleep 0.01; tries=$((tries + 1)); done
        rm disk/room
        tries=0; until [ -s disk/out ] || [ $tries = 6000 ]; do sleep 0.01; tries=$((tries + 1)); done
        kill $program; wait $program; code=$?
        cat errors >&2; cat disk/out; exit $code";
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    let inner = often(&tree, Path::new("disk/out"), &[]);
    let mut command = command("unshare", &["--mount", "sh", "-c", script, PROCLINE]);
    let output = command.arg(folder.path()).args(inner.get_args()).output().unwrap();
    if output.status.code() == Some(77) {
        return skip("no_space", String::from_utf8_lossy(&output.stderr).trim());
    }
    let (code, errors) = complaint(&output);
    assert_eq!(code, 1);
    is_one_line(&errors, "no space for more lines in");
    assert!(!lines(&output.stdout).is_empty());
}

/// A failure that cannot pass ends the run: a wrong option, or an invalid procfs.
#[test]
fn a_failure_that_cannot_pass_ends_the_run() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let mut command = often(&tree, &folder.path().join("out"), &["--label", "pid=1"]);
    assert_eq!(complaint(&command.output().unwrap()).0, 2);
    fs::remove_file(tree.path("proc/uptime")).unwrap();
    let mut command = often(&tree, &folder.path().join("out"), &["--min-cpu", "1"]);
    let (code, errors) = complaint(&command.output().unwrap());
    assert!(code == 1 && errors.contains("proc/uptime"), "{errors}");
}

/// A process that cannot be read is reported once, and the records of the others go on.
#[test]
fn a_process_that_cannot_be_read() {
    let tree = Tree::copy();
    fs::remove_file(tree.path("proc/1200/stat")).unwrap();
    fs::create_dir(tree.path("proc/1200/stat")).unwrap();
    let output = tree.procline(&["--fields", "pid", "--interval", "1ms", "--count", "20"]).output().unwrap();
    let (code, errors) = complaint(&output);
    assert_eq!(code, 1);
    is_one_line(&errors, "1200/stat");
    assert_eq!(lines(&output.stdout).iter().filter(|line| **line == "{\"pid\":1}").count(), 20);
}
