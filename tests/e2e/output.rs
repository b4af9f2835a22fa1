//! `--output` and `--file-mode`: which file is written, with which permissions, and what is refused.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Tree, command, complaint, lacks, lines, make_fifo, procline, program_for_all, quiet};

pub fn output(tree: &Tree, path: &Path, arguments: &[&str]) -> Command {
    let mut command = tree.procline(&["--fields", "pid", "--pid", "1"]);
    command.args(arguments).arg("--output").arg(path);
    command
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

/// A new file has exactly the requested permissions. An existing file keeps its own.
#[test]
fn a_file_and_its_directory_are_made_once() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    for (arguments, umask, file, directory) in [
        (&[][..], "022", 0o640, 0o750),
        (&[], "000", 0o640, 0o750),
        (&["--file-mode", "0644"], "077", 0o644, 0o755),
        (&["--file-mode=600"], "000", 0o600, 0o700),
        (&["--file-mode=0666"], "0777", 0o666, 0o777),
    ] {
        let place = folder.path().join("place");
        let path = place.join("out");
        let inner = output(&tree, &path, arguments);
        let mut command = command("sh", &["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
        assert_eq!(quiet(command.arg(inner.get_program()).args(inner.get_args())), b"");
        assert_eq!((mode(&path), mode(&place)), (file, directory), "{arguments:?}, umask {umask}");
        for path in [&path, &place] {
            fs::set_permissions(path, Permissions::from_mode(0o711)).unwrap();
        }
        quiet(&mut output(&tree, &path, arguments));
        assert_eq!((mode(&path), mode(&place)), (0o711, 0o711));
        assert_eq!(fs::read(&path).unwrap(), b"{\"pid\":1}\n{\"pid\":1}\n");
        fs::remove_dir_all(place).unwrap();
    }
    // A name without a directory is in the working directory.
    quiet(output(&tree, Path::new("here %%"), &[]).current_dir(folder.path()));
    assert_eq!(names(folder.path()), ["here %"]);
}

/// The time in the file's name is the time of the records, in UTC on any machine.
#[test]
fn the_file_name_has_the_time_of_the_records() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let mut command = tree.procline(&["--label", "a=b", "--fields", "pid,timestamp"]);
    quiet(command.env("TZ", "Pacific/Kiritimati").arg("--output").arg(folder.path().join("p-%Y-%m-%dT%H:%M:%S%Z")));
    let [name] = names(folder.path()).try_into().unwrap();
    let content = fs::read(folder.path().join(&name)).unwrap();
    assert!(lines(&content).len() > 5);
    for line in lines(&content) {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let (second, _) = record["timestamp"].as_str().unwrap().split_once('.').unwrap();
        assert_eq!(name, format!("p-{second}UTC"));
    }
}

/// Snapshots before and after midnight. The program starts shortly before midnight by a faked clock.
#[test]
fn at_midnight_another_file_begins() {
    if lacks("at_midnight_another_file_begins", false, &["faketime"]) {
        return;
    }
    let tree = Tree::copy();
    // A slow machine may take its first snapshot after midnight. Then try again with more time before it.
    for seconds in [58, 50, 0] {
        let folder = tempfile::tempdir().unwrap();
        let inner =
            tree.procline(&["--interval", "100ms", "--count", "1200", "--format", "csv", "--fields", "timestamp,pid"]);
        let clock = format!("@2025-12-31 23:59:{seconds:02}");
        // faketime waits for its child, so the child prints its pid.
        let mut command = command("faketime", &["-f", &clock, "sh", "-c", "echo $$; exec \"$0\" \"$@\""]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.arg("--output").arg(folder.path().join("%Y-%m-%d.csv"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let [old, new] = ["2025-12-31.csv", "2026-01-01.csv"].map(|name| folder.path().join(name));
        while fs::read_to_string(&new).map_or(0, |text| text.lines().count()) < 2 {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(50));
        }
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let is_late = !old.exists();
        for (path, day) in [(old, "2025-12-31"), (new, "2026-01-01")].into_iter().skip(usize::from(is_late)) {
            let content = fs::read_to_string(path).unwrap();
            let (head, rows) = content.split_once('\n').unwrap();
            assert_eq!(head, "timestamp,pid");
            assert!(rows.lines().all(|row| row.starts_with(day)), "{content}");
            assert!(rows.ends_with('\n'), "{content}");
        }
        assert_eq!(names(folder.path()).len(), 2 - usize::from(is_late));
        if !is_late {
            return;
        }
    }
    panic!("no snapshot before midnight in a minute");
}

#[test]
fn csv_has_one_header_in_a_file() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    for expected in ["pid\n1\n1\n", "pid\n1\n1\n1\n1\n"] {
        quiet(&mut output(&tree, &path, &["--format", "csv", "--interval", "10ms", "--count", "2"]));
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
    fs::write(&path, "").unwrap();
    quiet(&mut output(&tree, &path, &["--format", "csv", "--top", "0"]));
    quiet(&mut output(&tree, &path, &["--format", "csv"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), "pid\n1\n");
}

/// Rows below another header would belong to other columns, or to none.
#[test]
fn csv_with_another_header_is_not_appended() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let run = |path: &Path, arguments: &[&str]| {
        let mut command = tree.procline(&["--format=csv", "--pid=1"]);
        command.args(arguments).arg("--output").arg(path);
        command
    };
    quiet(&mut run(&path, &["--fields=pid"]));
    let content = fs::read(&path).unwrap();
    for arguments in [
        &["--fields=pid,user"][..],
        &["--fields=user"],
        &["--fields=pid", "--label=a=b"],
        &["--fields=pid", "--schema=ecs"],
        &["--top=0", "--fields=ppid"],
        &["--fields=ppid", "--interval=10ms", "--count=3"],
    ] {
        let (code, errors) = complaint(&run(&path, arguments).output().unwrap());
        assert_eq!(code, 1);
        for words in [path.to_str().unwrap(), "request the fields that it has", "another --output", "move the file"] {
            assert!(errors.contains(words), "{words}: {errors}");
        }
        assert_eq!(fs::read(&path).unwrap(), content, "{arguments:?}");
    }
    // A file without a header, or with part of one, is refused like a file with another header.
    for content in ["{\"pid\":1}\n", "pid,command_truncated", "pid", "\n"] {
        fs::write(&path, content).unwrap();
        assert_eq!(complaint(&run(&path, &["--fields=pid"]).output().unwrap()).0, 1, "{content}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    // Retention removes nothing in this case.
    let dated = folder.path().join("%Y-%m-%d");
    File::create(folder.path().join("2020-01-01")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for name in ["2025-12-31", "2026-01-01"] {
        fs::write(folder.path().join(name), "a,b\n").unwrap();
    }
    if lacks("csv_with_another_header_is_not_appended, each day", false, &["faketime"]) {
        return;
    }
    for day in ["2025-12-31", "2026-01-01"] {
        let inner = run(&dated, &["--keep=2d", "--interval=1h", "--count=1"]);
        let mut command = command("faketime", &["-f", &format!("@{day} 12:00:00")]);
        let (code, errors) = complaint(&command.arg(inner.get_program()).args(inner.get_args()).output().unwrap());
        assert!(code == 1 && errors.contains(&format!("/{day}: its first line is not")), "{errors}");
    }
    assert_eq!(names(folder.path()), ["2020-01-01", "2025-12-31", "2026-01-01", "out.csv"]);
}

/// A file that is not regular is reported and not changed. No run waits for the other end of a FIFO.
#[test]
fn only_regular_files_are_written() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "whole\n").unwrap();
    fs::create_dir(path("directory")).unwrap();
    symlink("file", path("link")).unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    make_fifo(&path("fifo"));
    let _socket = UnixListener::bind(path("socket")).unwrap();
    // For a directory that cannot be made, the message names the directory.
    let shown = |name: &str| name.strip_suffix("/out").unwrap_or(name).to_owned();
    for (name, words) in [
        ("directory", "is a directory: name a file in it"),
        ("link", "is a symbolic link"),
        ("dangling", "is a symbolic link"),
        ("fifo", "is not a regular file"),
        ("socket", "is not a regular file"),
        ("/dev/null", "is not a regular file"),
        ("/proc/out", "cannot open /proc/out"),
        ("file/out", "Not a directory"),
        ("missing/missing/out", "cannot create the directory"),
        ("dangling/out", "cannot create the directory"),
        (&"x".repeat(256), "File name too long"),
    ] {
        let (code, errors) = complaint(&output(&tree, &path(name), &[]).output().unwrap());
        assert!(code == 1 && errors.contains(words) && errors.contains(&shown(name)), "{name}: {errors}");
    }
    assert_eq!(names(folder.path()), ["dangling", "directory", "fifo", "file", "link", "socket"]);
    assert_eq!(fs::read(path("file")).unwrap(), b"whole\n");
    // A symbolic link as the directory is the administrator's decision.
    symlink("directory", path("elsewhere")).unwrap();
    quiet(&mut output(&tree, &path("elsewhere/out"), &[]));
    assert_eq!(names(&path("directory")), ["out"]);
}

#[test]
fn missing_rights_are_reported() {
    if lacks("missing_rights_are_reported", true, &["setpriv"]) {
        return;
    }
    let (_folder, program) = program_for_all();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("file"), "whole\n").unwrap();
    for (name, shown) in [("new", "/new to append"), ("file", "/file to append"), ("new/new", "directory")] {
        let mut command =
            command("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", program.to_str().unwrap()]);
        let (code, errors) = complaint(&command.arg("--output").arg(folder.path().join(name)).output().unwrap());
        assert!(code == 1 && errors.contains("Permission denied") && errors.contains(shown), "{errors}");
    }
    assert_eq!(names(folder.path()), ["file"]);
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"whole\n");
}

#[test]
fn what_makes_no_sense_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["--output", "%Y/out"][..], "only in the file's name"),
        (&["--output", "%%/out"], "only in the file's name"),
        (&["--output", "out/"], "a file's name is missing"),
        (&["--output", ""], "a file's name is missing"),
        (&["--output", ".."], "a file's name is missing"),
        (&["--output", "%Y-%Q"], "field"),
        (&["--output", "100%"], "%% for a percent sign"),
        (&["--output", "%D"], "'/'"),
        (&["--output", "x", "--format", "array"], "json or csv"),
        (&["--output", "x", "--file-mode", "0888"], "octal"),
        (&["--output", "x", "--file-mode", "01777"], "octal"),
        (&["--output", "x", "--file-mode", "+644"], "octal"),
        (&["--output", "x", "--file-mode", "0440"], "owner"),
        (&["--output", "%F", "--keep", "47h"], "at least 2d"),
        (&["--output", "%F", "--keep", "soon"], "at least 2d"),
        (&["--output", "x", "--keep", "2d"], "--keep finds files by the date in their names; x has no full date"),
        (&["--output", "x", "--keep-size", "1MB"], "--keep-size finds files by the date in their names; x has no"),
        (&["--output", "x", "--keep-size", "1MB", "--keep", "2d"], "--keep finds files"),
        (&["--output", "%F", "--keep-size", "1kB"], "at least 1MB"),
        (&["--output", "100%%", "--keep", "2d"], "no full date"),
        (&["--output", "%m", "--keep", "2d"], "no full date"),
        (&["--output", "%H.jsonl", "--keep", "2d"], "no full date"),
        (&["--output", "%Y-%m", "--keep", "2d"], "no full date"),
        (&["--output", "%Y%-m%-d%H", "--keep", "2d"], "no full date"),
        (&["--output", "-", "--keep", "2d"], "--output - is standard output"),
        (&["--output", "-", "--keep-size", "2GB"], "--output - is standard output"),
        (&["--output", "-", "--file-mode", "0640"], "--output - is standard output"),
        (&["--output", "/dev/stdout"], "use `-`, or omit --output"),
        (&["--output", "/dev/stderr"], "use `-`, or omit --output"),
        (&["--output", "/dev/fd/1"], "use `-`, or omit --output"),
        (&["--output", "/proc/self/fd/1"], "use `-`, or omit --output"),
        (&["--keep", "2d"], "--output"),
        (&["--keep-size", "2GB"], "--output"),
        (&["--file-mode", "0644"], "--output"),
    ] {
        let output: Output = procline(arguments).current_dir(folder.path()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(words), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert!(names(folder.path()).is_empty());
}

/// As in other programs, `-` is standard output. A file of that name needs a directory before it.
#[test]
fn a_hyphen_is_standard_output() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    for format in ["json", "array", "csv"] {
        let run = |arguments: &[&str]| {
            let mut command = tree.procline(&["--fields=pid", "--format", format]);
            quiet(command.args(arguments).current_dir(folder.path()))
        };
        assert_eq!(run(&["--output", "-"]), run(&[]));
        assert_eq!(run(&["--output=-", "--interval=10ms", "--count=2"]), run(&["--interval=10ms", "--count=2"]));
    }
    assert!(names(folder.path()).is_empty());
    quiet(output(&tree, Path::new("./-"), &[]).current_dir(folder.path()));
    assert_eq!(names(folder.path()), ["-"]);
}
