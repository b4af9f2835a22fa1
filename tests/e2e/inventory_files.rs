//! `procline inventory files`: equal to stat, sha256sum, find and a shell's patterns on trees that the tests build. `mounts` has
//! the tests with filesystems of their own.

mod mounts;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{PROCLINE, command, complaint, lacks, lines, make_fifo, procline, program_for_all, quiet};

/// The record, as a reader of it would declare it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that each is there and of its type is what is tested")]
struct Record {
    path: String,
    kind: String,
    size: u64,
    mode: String,
    owner: String,
    group: String,
    modified: String,
    changed: String,
    born: Option<String>,
    target: Option<String>,
    sha256: Option<String>,
    sha256_missing: Option<String>,
    #[serde(rename = "Computer")]
    computer: String,
    timestamp: String,
}

/// The records that these arguments print.
fn files(arguments: &[&str]) -> Vec<Map<String, Value>> {
    let output = quiet(procline(&["inventory", "files", "--timeout=5m"]).args(arguments));
    lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The paths of the records that these arguments print.
fn paths(arguments: &[&str]) -> Vec<String> {
    let records = files(&[&["--fields", "path"], arguments].concat());
    records.into_iter().map(|record| record["path"].as_str().unwrap().to_owned()).collect()
}

/// What a shell's command prints, without the newline at its end.
fn shell(program: &str, script: &str, arguments: &[&OsStr]) -> String {
    let output = quiet(command(program, &["-c", script, "sh"]).args(arguments));
    String::from_utf8_lossy(&output).trim_end().to_owned()
}

/// A tree with all that is special about files.
struct Special(TempDir);

impl Special {
    fn new() -> Self {
        let tree = Special(tempfile::tempdir().unwrap());
        for folder in ["a/b/c", "a/.hidden", "empty", "sticky", "new\nfolder"] {
            fs::create_dir_all(tree.file(folder)).unwrap();
        }
        for (name, length) in [("a/one", 1), ("a/b/page.conf", 4096), ("a/b/c/many", 1_000_001), ("none.conf", 0)] {
            fs::write(tree.file(name), vec![b'x'; length]).unwrap();
        }
        for name in
            ["a/.hidden/inside.conf", "a/.rc", "a/x[1].conf", "x[y]", "a/b/é.conf", "new\nfolder/new\nline\t\"quoted\""]
        {
            fs::write(tree.file(name), name).unwrap();
        }
        fs::write(tree.0.path().join(OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
        fs::hard_link(tree.file("a/one"), tree.file("a/other")).unwrap();
        File::create(tree.file("sparse")).unwrap().set_len(5_000_000).unwrap();
        for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2711), ("secret", 0o000)] {
            fs::write(tree.file(name), name).unwrap();
            fs::set_permissions(tree.file(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(tree.file("sticky"), Permissions::from_mode(0o1777)).unwrap();
        for (target, name) in
            [("a/one", "link"), ("nothing", "dangling"), ("loop", "loop"), ("a", "folder"), ("..", "a/up")]
        {
            symlink(target, tree.file(name)).unwrap();
        }
        make_fifo(&tree.file("fifo"));
        // Its file stays when it is closed.
        drop(UnixListener::bind(tree.file("socket")).unwrap());
        tree
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// All paths in the tree, as find lists them.
    fn found(&self) -> Vec<Vec<u8>> {
        let output = quiet(&mut command("find", &[self.path(), "-print0"]));
        output.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
    }
}

/// The record of a file as stat and sha256sum have it. `max` is the size up to which there is a checksum.
fn expected(path: &[u8], max: u64) -> Value {
    let path = OsStr::from_bytes(path);
    let format = "%F|%s|%a|%U|%G|%.3Y|%.3Z|%.3W|%w|%u|%g|%i|%h|%Hd:%Ld|%.3X";
    let output = shell("sh", "stat -c \"$1\" -- \"$2\"", &[OsStr::new(format), path]);
    let words: Vec<_> = output.split('|').collect();
    let number = |place: usize| words[place].parse::<u64>().unwrap();
    let name = |place: usize, id: usize| if words[place] == "UNKNOWN" { words[id] } else { words[place] };
    let time = |place: usize| {
        let (seconds, milliseconds) = words[place].split_once('.').unwrap();
        let seconds = chrono::DateTime::from_timestamp(seconds.parse().unwrap(), 0).unwrap();
        format!("{}.{milliseconds}Z", seconds.format("%Y-%m-%dT%H:%M:%S"))
    };
    let kind = match words[0] {
        "regular file" | "regular empty file" => "file",
        "symbolic link" => "symlink",
        "character special file" => "char_device",
        "block special file" => "block_device",
        other => other,
    };
    let mut record = json!({
        "path": path.to_string_lossy(), "kind": kind, "size": number(1), "mode": words[2], "owner": name(3, 9),
        "group": name(4, 10), "modified": time(5), "changed": time(6), "uid": number(9), "gid": number(10),
        "inode": number(11), "links": number(12), "device": words[13],
    });
    if words[8] != "-" {
        record["born"] = time(7).into();
    }
    if kind == "symlink" {
        record["target"] = shell("sh", "readlink -- \"$1\"", &[path]).into();
    }
    if kind == "file" && number(1) <= max {
        record["sha256"] = shell("sh", "sha256sum <\"$1\"", &[path]).split(' ').next().unwrap().into();
    } else if kind == "file" {
        record["sha256_missing"] = "too_large".into();
    }
    record
}

/// The fields that [`expected`] has.
const ALL: &str = "--fields=-Computer,-timestamp,+uid,+gid,+inode,+links,+device";

#[test]
fn one_record_of_these_fields_for_each_path() {
    let tree = Special::new();
    let output = quiet(&mut procline(&["inventory", "files", tree.path(), "--recursive"]));
    let records: Vec<Record> = lines(&output).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), tree.found().len());
    assert_eq!(files(&[tree.path()]).len(), 1);
    // A path that is given twice counts once, in the place of the first.
    let [one, link] = ["a/one", "link"].map(|name| tree.file(name).to_str().unwrap().to_owned());
    assert_eq!(paths(&[&link, &one, &link]), [link.clone(), one.clone()]);
    // So does a file that several paths lead to, or one pattern in several ways.
    let [a, deep] = ["a", "a/**/c/**/many"].map(|name| tree.file(name).to_str().unwrap().to_owned());
    let once = paths(&["--recursive", tree.path()]);
    for others in [&[&a, &one][..], &[&format!("{a}/*")], &[&format!("{a}/**"), &deep]] {
        let mut arguments = vec!["--recursive", tree.path()];
        arguments.extend(others.iter().map(|path| path.as_str()));
        assert_eq!(paths(&arguments), once);
    }
    fs::create_dir_all(tree.file("a/b/c/c")).unwrap();
    fs::write(tree.file("a/b/c/c/many"), "").unwrap();
    let found = paths(&[&deep]);
    assert_eq!((found.len(), found.iter().collect::<BTreeSet<_>>().len()), (2, 2), "{found:?}");
    // A link is the link itself, unless its path ends in a slash.
    let folder = tree.file("folder").to_str().unwrap().to_owned();
    let kinds = files(&["--fields=kind", &folder, &format!("{folder}/"), &format!("{folder}/.")]);
    assert_eq!(kinds.iter().map(|record| &record["kind"]).collect::<Vec<_>>(), ["symlink", "directory", "directory"]);
}

#[test]
fn every_value_is_that_of_stat_and_sha256sum() {
    const TEST: &str = "every_value_is_that_of_stat_and_sha256sum";
    if lacks(TEST, false, &["stat", "find", "sha256sum", "readlink", "sh"]) {
        return;
    }
    let tree = Special::new();
    if !lacks(&format!("{TEST}, devices and owners"), true, &["mknod", "chown"]) {
        for (name, kind) in [("char", "c"), ("block", "b")] {
            // No device has these numbers.
            quiet(command("mknod", &["--"]).arg(tree.file(name)).args([kind, "4000", "5"]));
        }
        quiet(command("chown", &["4242420:4242421"]).arg(tree.file("none.conf")));
    }
    for (max, option) in [(100_000_000, "100MB"), (1_000_000, "1MB"), (0, "0")] {
        let records = files(&[ALL, "--recursive", "--max-hash-size", option, tree.path()]);
        let ours: BTreeMap<_, _> = records.iter().map(|record| (record["inode"].clone().to_string(), record)).collect();
        let found = tree.found();
        assert_eq!(records.len(), found.len());
        for path in &found {
            let expected = expected(path, max);
            let same_path = records.iter().find(|record| record["path"] == expected["path"]);
            let record = same_path.unwrap_or_else(|| ours[&expected["inode"].to_string()]);
            assert_eq!(&Value::Object(record.clone()), &expected, "{}", String::from_utf8_lossy(path));
        }
    }
}

/// Each directory comes before what is in it, and names in the order of their bytes. `--depth` counts levels.
#[test]
fn the_order_is_always_the_same() {
    let tree = Special::new();
    // More than the threads may be ahead.
    fs::create_dir(tree.file("many")).unwrap();
    for place in 0..2000 {
        fs::write(tree.file(&format!("many/{place:04}")), vec![b'x'; place % 7 * 10_000]).unwrap();
    }
    // In which order a walk finds what find lists: a name's end sorts before any byte that a name may have.
    let mut expected = tree.found();
    expected.sort_by_key(|path| path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect::<Vec<_>>());
    let text =
        |paths: &[Vec<u8>]| paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect::<Vec<_>>();
    for _ in 0..3 {
        assert_eq!(paths(&["--fields=path,sha256", "--recursive", tree.path()]), text(&expected));
    }
    let base = tree.path().matches('/').count();
    for depth in 0..4 {
        let mut near = expected.clone();
        near.retain(|path| path.iter().filter(|byte| **byte == b'/').count() <= base + depth);
        assert_eq!(paths(&["--depth", &depth.to_string(), tree.path()]), text(&near));
    }
}

#[test]
fn patterns_match_as_in_a_shell() {
    if lacks("patterns_match_as_in_a_shell", false, &["bash"]) {
        return;
    }
    let tree = Special::new();
    for pattern in [
        "*",
        "*.conf",
        "a/*",
        "a/.*",
        "*/b",
        "*/*.conf",
        "**/*.conf",
        "a/**/many",
        "folder/*",
        "*/",
        "a/b/c/../?.conf",
        "a/b/[!a-z]*",
        "[a-m]*",
        "caf?",
        "./a/*e",
        "a/x[1].conf",
        "a/x[[]1[]].conf",
        "[^a-m]*",
        "a/b/[^a-z]*",
        "x[y*",
        "x[*",
        "[^]x]*",
        "*[]y]",
        "new*/*",
    ] {
        let script = "shopt -s nullglob globstar; cd \"$1\"; for file in $2; do printf '%s\\0' \"$file\"; done";
        let script = format!("IFS=; {script}");
        let mut bash = command("bash", &["-c", &script, "bash", tree.path(), pattern]);
        let output = quiet(bash.env("LC_ALL", "C.UTF-8"));
        let output = String::from_utf8_lossy(&output).into_owned();
        let mut expected: Vec<_> = output.split_terminator('\0').collect();
        // A file of this name is that file, and a shell does not list what is `.` or `..`.
        if pattern == "a/x[1].conf" {
            expected = vec![pattern];
        }
        expected.retain(|path| !path.ends_with("/.") && !path.ends_with("/.."));
        expected.sort_unstable();
        let mut ours = procline(&["inventory", "files", "--fields=path", "--timeout=5m", pattern]);
        let output = ours.current_dir(tree.0.path()).output().unwrap();
        let records = lines(&output.stdout).into_iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found: Vec<_> = records.map(|record| record["path"].as_str().unwrap().to_owned()).collect();
        found.sort_unstable();
        assert!(!expected.is_empty(), "{pattern}");
        assert_eq!(found, expected, "{pattern}");
    }
    // What a pattern finds may have more below it.
    let found = paths(&["--depth=1", &format!("{}/[a]", tree.path())]);
    let names: Vec<_> = found.iter().map(|path| path.strip_prefix(tree.path()).unwrap()).collect();
    assert_eq!(names, ["/a", "/a/.hidden", "/a/.rc", "/a/b", "/a/one", "/a/other", "/a/up", "/a/x[1].conf"]);
}

#[test]
fn what_is_missing_is_reported_and_the_others_are_printed() {
    let tree = Special::new();
    let [one, none] = ["a/one", "nothing"].map(|name| tree.file(name).to_str().unwrap().to_owned());
    for (missing, sentence) in [
        (none.clone(), format!("procline: cannot read {none}: No such file or directory (os error 2)\n")),
        (format!("{one}/"), format!("procline: cannot read {one}/: No such file or directory (os error 2)\n")),
        (format!("{none}/*"), format!("procline: no file matches {none}/*\n")),
    ] {
        let output = procline(&["inventory", "files", "--fields=path", &missing, &one]).output().unwrap();
        assert_eq!(complaint(&output), (1, sentence));
        assert_eq!(lines(&output.stdout).len(), 1);
    }
}

#[test]
fn what_another_user_cannot_read() {
    const TEST: &str = "what_another_user_cannot_read";
    if lacks(TEST, true, &["setpriv"]) {
        return;
    }
    let tree = Special::new();
    fs::set_permissions(tree.0.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(tree.file("a/b"), Permissions::from_mode(0o700)).unwrap();
    let (_folder, program) = program_for_all();
    let user = ["--reuid=4242420", "--regid=4242420", "--clear-groups"];
    let run = |arguments: &[&str]| {
        let mut setpriv = command("setpriv", &user);
        setpriv.arg(&program).args(["inventory", "files", "--timeout=5m"]).args(arguments).output().unwrap()
    };
    // The kernel says what a file is, but not what is in it. That is no failure.
    let secret = tree.file("secret");
    let output = run(&["--fields=kind,size,mode,sha256,sha256_missing", secret.to_str().unwrap()]);
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record, json!({"kind": "file", "size": 6, "mode": "0", "sha256_missing": "unreadable"}));
    assert!(output.status.success() && output.stderr.is_empty());
    // A directory that cannot be read is one, and the others are there.
    let output = run(&["--fields=path", "--recursive", tree.path()]);
    let closed = tree.file("a/b").to_str().unwrap().to_owned();
    let sentence = format!("procline: cannot read {closed}: Permission denied (os error 13)\n");
    assert_eq!(complaint(&output), (1, sentence));
    let inside = quiet(&mut command("find", &[&closed])).split(|byte| *byte == b'\n').count() - 2;
    assert_eq!(lines(&output.stdout).len(), tree.found().len() - inside);
}

/// A file that is written to while it is read says so, instead of a checksum of what it never was.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    file.set_len(20_000_000).unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                file.write_all(b"one more line\n").unwrap();
                thread::sleep(std::time::Duration::from_micros(200));
            }
        });
        let found = (0..100).find_map(|_| {
            let record = files(&["--fields=size,sha256,sha256_missing", path.to_str().unwrap()]).remove(0);
            assert_eq!(record.contains_key("sha256"), !record.contains_key("sha256_missing"), "{record:?}");
            record.get("sha256_missing").cloned()
        });
        ends.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert_eq!(found, Some("changed_while_read".into()));
    });
}

/// No FIFO, socket, device or link is opened, and no regular file that is not to be read.
#[test]
fn special_files_are_never_opened() {
    const TEST: &str = "special_files_are_never_opened";
    if lacks(TEST, true, &["strace", "mknod"]) {
        return;
    }
    let tree = Special::new();
    quiet(command("mknod", &["--"]).arg(tree.file("char")).args(["c", "1", "3"]));
    let log = tree.0.path().with_extension("log");
    let opened = |fields: &str| {
        let mut strace = command("strace", &["-f", "-qq", "-e", "trace=openat,open,openat2", "-o"]);
        strace.arg(&log).args([PROCLINE, "inventory", "files", "--recursive", "--timeout=5m", fields, tree.path()]);
        quiet(&mut strace);
        fs::read_to_string(&log).unwrap()
    };
    let with = opened("--fields=path,sha256");
    for name in ["one", "sparse", "setuid", "secret"] {
        assert!(with.contains(&format!("\"{name}\"")), "{name}: {with}");
    }
    for name in ["fifo", "socket", "char", "link", "dangling", "folder"] {
        assert!(!with.contains(&format!("\"{name}\"")), "{name}: {with}");
    }
    for name in ["one", "sparse", "setuid"] {
        assert!(!opened("--fields=default,-sha256,-sha256_missing").contains(&format!("\"{name}\"")), "{name}");
    }
    fs::remove_file(&log).unwrap();
}

/// Another machine's files, with its names of users, and no way out of its root.
#[test]
fn another_machines_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("etc/real")).unwrap();
    let owner = rustix::process::getuid().as_raw();
    fs::write(root.join("etc/passwd"), format!("somebody:x:{owner}:1:::\n")).unwrap();
    fs::write(root.join("etc/real/file"), "inside").unwrap();
    fs::write(folder.path().join("outside"), "outside").unwrap();
    symlink("/etc/real", root.join("etc/linked")).unwrap();
    symlink("../../..", root.join("etc/out")).unwrap();
    let run = |arguments: &[&str]| {
        let root = ["--rootfs", root.to_str().unwrap(), "--fields=path,kind,owner,target"];
        files(&[&root[..], arguments].concat())
    };
    let file = |path: &str| json!({"path": path, "kind": "file", "owner": "somebody"}).as_object().unwrap().clone();
    assert_eq!(run(&["/etc/linked/*", "etc/real/file"]), [file("/etc/linked/file"), file("etc/real/file")]);
    let link = run(&["/etc/linked"]);
    assert_eq!((&link[0]["kind"], &link[0]["target"]), (&"symlink".into(), &"/etc/real".into()));
    // Above its root there is its root.
    let found: Vec<_> = run(&["/etc/out/*"]).iter().map(|record| record["path"].clone()).collect();
    assert_eq!(found, ["/etc/out/etc"]);
}

#[test]
fn wrong_usage() {
    for (arguments, words) in [
        (&["inventory", "files"][..], "PATH"),
        (&["inventory", "files", "/", "--recursive", "--depth", "1"], "--depth"),
        (&["inventory", "files", "/", "--max-hash-size", "1M"], "write 1MB, or 1MiB"),
        (&["inventory", "files", "/", "--max-hash-size", "many"], "expected a number of bytes"),
        (&["inventory", "files", "/", "--baseline"], "--changes"),
        (&["inventory", "files", "/", "--changes", "/tmp/"], "expected a file"),
        (
            &["inventory", "files", "/", "--changes", "x", "--schema", "ecs"],
            "--changes cannot be used with --schema ecs",
        ),
        (&["inventory", "files", "/", "--schema", "oms"], "not for files records"),
    ] {
        let (code, sentence) = complaint(&procline(arguments).output().unwrap());
        assert!(code == 2 && sentence.contains(words), "{sentence}");
    }
}
