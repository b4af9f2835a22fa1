//! `procline disk`: equal to du, df and stat on trees that the tests build. `mounts` has the tests with filesystems of their own.

mod mounts;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{
    PROCLINE, Running, command, complaint, lacks, lines, make_fifo, procline, program_for_all, quiet,
};

/// The record, as a reader of it would declare it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that each is there and of its type is what is tested")]
struct Disk {
    path: String,
    kind: String,
    allocated: u64,
    apparent: u64,
    share: f64,
    files: u64,
    directories: u64,
    errors: u64,
    modified: String,
    accessed: String,
    changed: String,
    born: Option<String>,
    newest: Option<String>,
    newest_modified: Option<String>,
    oldest: Option<String>,
    oldest_modified: Option<String>,
    device: String,
    fs_type: String,
    mount: String,
    fs_size: u64,
    fs_free: u64,
    fs_available: u64,
    fs_inodes: u64,
    fs_inodes_free: u64,
    #[serde(rename = "Computer")]
    computer: String,
    timestamp: String,
}

/// The records that these arguments print.
fn disk(arguments: &[&str]) -> Vec<Map<String, Value>> {
    let output = quiet(procline(&["disk", "--timeout=5m"]).args(arguments));
    lines(&output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one record that these arguments print.
fn one(arguments: &[&str]) -> Map<String, Value> {
    let mut found = disk(arguments);
    assert_eq!(found.len(), 1, "{arguments:?}");
    found.remove(0)
}

/// What a shell's command prints, without the newline at its end.
fn shell(script: &str, arguments: &[&str]) -> String {
    let output = quiet(&mut command("sh", &[&["-c", script, "sh"], arguments].concat()));
    String::from_utf8(output).unwrap().trim_end().to_owned()
}

fn number(script: &str, path: &str) -> u64 {
    shell(script, &[path]).split_whitespace().next().unwrap().parse().unwrap()
}

/// A tree with all that is special about files.
struct Special(TempDir);

impl Special {
    fn new() -> Self {
        let tree = Special(tempfile::tempdir().unwrap());
        for folder in ["a/b/c", "a/empty", "z"] {
            fs::create_dir_all(tree.file(folder)).unwrap();
        }
        for (name, length) in [("a/one", 1), ("a/b/page", 4096), ("a/b/c/many", 1_000_001), ("z/none", 0)] {
            let mut file = File::create(tree.file(name)).unwrap();
            file.write_all(&vec![b'x'; length]).unwrap();
            // The number of blocks may change when they are written.
            file.sync_all().unwrap();
        }
        // More of them than one request of getdents64 returns.
        fs::create_dir(tree.file("many")).unwrap();
        for place in 0..3000 {
            File::create(tree.file(&format!("many/{place:040}"))).unwrap();
        }
        File::create(tree.file("z/sparse")).unwrap().set_len(1 << 30).unwrap();
        for (from, to) in [("a/b/c/many", "a/other"), ("a/b/c/many", "z/another"), ("a/one", "a/b/one")] {
            fs::hard_link(tree.file(from), tree.file(to)).unwrap();
        }
        symlink("..", tree.file("a/up")).unwrap();
        symlink("nothing", tree.file("a/dangling")).unwrap();
        symlink("self", tree.file("self")).unwrap();
        symlink(format!("/{}", "long/".repeat(100)), tree.file("a/long")).unwrap();
        make_fifo(&tree.file("z/fifo"));
        for name in [&b"caf\xe9"[..], b"new\nline", b"blank and \"quote\"", b"\xff\xfe"] {
            let folder = tree.0.path().join(OsStr::from_bytes(name));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), name).unwrap();
            File::open(folder.join("file")).unwrap().sync_all().unwrap();
        }
        tree
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// The bytes of files and links as du adds them. Before coreutils 9.2 it also added what directories have as their size.
fn apparent_by_du(path: &str) -> u64 {
    let empty = tempfile::tempdir().unwrap();
    let du = "du -s --block-size=1 --apparent-size -- \"$1\"";
    let directories = match number(du, empty.path().to_str().unwrap()) {
        0 => 0,
        _ => number("find \"$1\" -type d -printf '%s\\n' | awk '{ sum += $1 } END { print sum + 0 }'", path),
    };
    number(du, path) - directories
}

#[test]
fn one_record_of_these_fields_for_each_path() {
    let tree = Special::new();
    let output = quiet(&mut procline(&["disk", tree.path(), tree.file("a/one").to_str().unwrap()]));
    let [first, second] = lines(&output)[..] else { panic!("two lines") };
    for (line, path, kind) in
        [(first, tree.path(), "directory"), (second, tree.file("a/one").to_str().unwrap(), "file")]
    {
        let found: Disk = serde_json::from_str(line).unwrap();
        assert_eq!((found.path.as_str(), found.kind.as_str(), found.errors), (path, kind, 0), "{line}");
        assert!(found.timestamp.ends_with('Z') && found.modified <= found.timestamp, "{line}");
        assert!(line.ends_with(&format!(r#""Computer":"{}","timestamp":"{}"}}"#, found.computer, found.timestamp)));
    }
}

#[test]
fn equal_to_du() {
    if lacks("equal_to_du", false, &["du", "find", "awk", "sh"]) {
        return;
    }
    let tree = Special::new();
    for path in [tree.path().to_owned(), format!("{}/a", tree.path()), format!("{}/z/", tree.path())] {
        let found = one(&[&path]);
        assert_eq!(found["allocated"], number("du -s --block-size=1 -- \"$1\"", &path), "{path}");
        assert_eq!(found["apparent"], apparent_by_du(&path), "{path}");
        let inodes = found["files"].as_u64().unwrap() + found["directories"].as_u64().unwrap();
        assert_eq!(inodes, number("du -s --inodes -- \"$1\"", &path), "{path}");
        assert_eq!(found["directories"], number("find \"$1\" -type d -printf '\\n' | wc -l", &path), "{path}");
    }
    // A hard link counts once, and a hole counts nothing.
    let found = one(&[tree.file("z").to_str().unwrap()]);
    assert!(found["allocated"].as_u64().unwrap() < 1 << 29 && found["apparent"].as_u64().unwrap() > 1 << 30);
}

/// Each directory as du shows it if it is asked for that one alone, so that no order matters.
#[test]
fn equal_to_du_at_every_depth() {
    if lacks("equal_to_du_at_every_depth", false, &["du", "find", "sh"]) {
        return;
    }
    let tree = Special::new();
    for depth in ["0", "1", "2", "9"] {
        let found = disk(&[tree.path(), "--depth", depth]);
        let paths = shell("find \"$1\" -maxdepth $2 -type d | wc -l", &[tree.path(), depth]);
        // One of the names has a newline.
        let extra = usize::from(depth != "0");
        assert_eq!((found.len() + extra).to_string(), paths, "{depth}");
        assert_eq!(found[0]["path"], tree.path());
        for record in found.iter().filter(|record| !record["path"].as_str().unwrap().contains(['\u{fffd}', '\n'])) {
            let path = record["path"].as_str().unwrap();
            assert_eq!(record["allocated"], number("du -s --block-size=1 -- \"$1\"", path), "{path} at {depth}");
            assert_eq!(record["kind"], "directory");
        }
    }
    let sorted = |found: &[Map<String, Value>]| -> Vec<_> {
        found.iter().map(|record| record["path"].as_str().unwrap()[tree.path().len()..].to_owned()).collect()
    };
    let found = disk(&[tree.file("a").to_str().unwrap(), "--depth", "2", "--all"]);
    assert_eq!(
        sorted(&found),
        ["", "/b", "/b/c", "/b/one", "/b/page", "/dangling", "/empty", "/long", "/one", "/other", "/up"]
            .map(|name| format!("/a{name}"))
    );
    for record in &found {
        let path = record["path"].as_str().unwrap();
        assert_eq!(record["allocated"], number("du -s --block-size=1 -- \"$1\"", path), "{path}");
        assert_eq!(record["apparent"], apparent_by_du(path), "{path}");
    }
    // There is nothing in a file.
    assert_eq!(disk(&[tree.file("a/one").to_str().unwrap(), "--depth", "5", "--all"]).len(), 1);
}

#[test]
fn equal_to_df() {
    if lacks("equal_to_df", false, &["df", "sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    // Others write to the same filesystem all the time: what is free must be as df says before or after.
    let df = || -> Vec<Value> {
        let fields = "source,fstype,target,size,itotal,avail,iavail";
        let text = shell("df --block-size=1 --output=$2 -- \"$1\" | tail -n 1", &[path, fields]);
        let value = |word: &str| word.parse::<u64>().map_or_else(|_| json!(word), |number| json!(number));
        text.split_whitespace().map(value).collect()
    };
    let is_equal = || {
        let before = df();
        let found = one(&[path]);
        let after = df();
        let names = ["device", "fs_type", "mount", "fs_size", "fs_inodes", "fs_available", "fs_inodes_free"];
        for (name, expected) in names.iter().zip(&before).take(5) {
            assert_eq!(found[*name], *expected, "{name}");
        }
        let is_between = |place: usize| {
            let [low, high, value] =
                [&before[place], &after[place], &found[names[place]]].map(|it| it.as_u64().unwrap());
            (low.min(high)..=low.max(high)).contains(&value)
        };
        is_between(5) && is_between(6)
    };
    assert!((0..100).any(|_| is_equal()));
    let found = one(&[path, "--fields", "all"]);
    let share = |bytes: &str| {
        let [bytes, size] = [bytes, "fs_size"].map(|name| found[name].as_u64().unwrap() as f64);
        (bytes / size * 1e8).round() / 1e6
    };
    assert_eq!(found["share"].as_f64(), Some(share("allocated")));
    assert_eq!(found["share_apparent"].as_f64(), Some(share("apparent")));
}

#[test]
fn equal_to_stat() {
    if lacks("equal_to_stat", false, &["stat", "sh", "date"]) {
        return;
    }
    let tree = Special::new();
    for (name, kind) in
        [("a/one", "file"), ("a", "directory"), ("a/up", "symlink"), ("self", "symlink"), ("z/fifo", "fifo")]
    {
        let path = tree.file(name);
        let path = path.to_str().unwrap();
        let found = one(&[path]);
        assert_eq!(found["kind"], kind, "{name}");
        let stat = |format: &str| shell("stat -c \"$2\" -- \"$1\"", &[path, format]);
        for (field, format) in [("modified", "%.3Y"), ("accessed", "%.3X"), ("changed", "%.3Z"), ("born", "%.3W")] {
            let time = |text: &str| shell("date -u -d \"@$1\" +%Y-%m-%dT%H:%M:%S.%3NZ", &[text]);
            let expected = stat(format);
            let unknown = field == "born" && expected.starts_with("0.");
            let expected = (!unknown).then(|| json!(time(&expected)));
            assert_eq!(found.get(field), expected.as_ref(), "{field} of {name}");
        }
        let blocks: u64 = stat("%b").parse().unwrap();
        if kind != "directory" {
            assert_eq!(found["allocated"], blocks * 512, "{name}");
            assert_eq!((&found["files"], &found["directories"]), (&json!(1), &json!(0)), "{name}");
        }
    }
    assert_eq!(one(&["/dev/null", "--fields", "kind"])["kind"], "char_device");
}

/// Of regular files only; of several with one time, the first by name.
#[test]
fn the_newest_and_the_oldest_file() {
    if lacks("the_newest_and_the_oldest_file", false, &["touch"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::create_dir_all(folder.path().join("b/c")).unwrap();
    let fields = ["--fields", "newest,newest_modified,oldest,oldest_modified"];
    assert_eq!(one(&[&[path], &fields[..]].concat()), Map::new());
    for (name, time) in [
        ("b/c/x", "2001-01-01T00:00:00.0009Z"),
        ("b/x", "1969-12-31T23:59:59.5Z"),
        ("a", "2038-01-19T03:14:08Z"),
        ("b/c/z", "2038-01-19T03:14:08Z"),
    ] {
        quiet(&mut command("touch", &["-d", time, folder.path().join(name).to_str().unwrap()]));
    }
    symlink("a", folder.path().join("link")).unwrap();
    quiet(&mut command("touch", &["-h", "-d", "2050-01-01T00:00:00Z", folder.path().join("link").to_str().unwrap()]));
    let [expected, inside] = [("a", ""), ("b/c/z", "/b")].map(|(newest, below)| {
        let found = one(&[&[format!("{path}{below}").as_str()], &fields[..]].concat());
        let expected = json!({
            "newest": format!("{path}/{newest}"), "newest_modified": "2038-01-19T03:14:08.000Z",
            "oldest": format!("{path}/b/x"), "oldest_modified": "1969-12-31T23:59:59.500Z",
        });
        (Value::Object(found), expected)
    });
    assert_eq!(expected.0, expected.1);
    assert_eq!(inside.0, inside.1);
}

#[test]
fn a_link_is_a_link_unless_it_ends_in_a_slash() {
    let tree = Special::new();
    symlink("b", tree.file("a/to_b")).unwrap();
    let link = tree.file("a/to_b").to_str().unwrap().to_owned();
    let found = one(&[&link]);
    assert_eq!((&found["kind"], &found["apparent"], &found["files"]), (&json!("symlink"), &json!(1), &json!(1)));
    let found = one(&[&format!("{link}/")]);
    assert_eq!((&found["kind"], &found["path"]), (&json!("directory"), &json!(format!("{link}/"))));
    assert_eq!(found["allocated"], one(&[tree.file("a/b").to_str().unwrap()])["allocated"]);
    let (code, errors) =
        complaint(&procline(&["disk", &format!("{}/", tree.file("a/one").display())]).output().unwrap());
    assert!(code == 1 && errors.contains("Not a directory"), "{errors}");
}

#[test]
fn a_path_given_twice_and_one_in_another() {
    let tree = Special::new();
    let [outer, inner] = [tree.file("a"), tree.file("a/b")].map(|path| path.to_str().unwrap().to_owned());
    let pick = |found: Vec<Map<String, Value>>| -> BTreeMap<String, u64> {
        found.iter().map(|it| (it["path"].as_str().unwrap().to_owned(), it["allocated"].as_u64().unwrap())).collect()
    };
    let alone = pick([disk(&[&outer]), disk(&[&inner])].concat());
    for paths in [&[&*outer, &*inner][..], &[&inner, &outer], &[&outer, &inner, &outer]] {
        let found = disk(paths);
        assert_eq!((found.len(), pick(found)), (2, alone.clone()), "{paths:?}");
    }
}

/// The records of the other paths are written, then the exit code is 1.
#[test]
fn a_path_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let [there, missing] = ["there", "mis\nsing"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    fs::write(&there, "x").unwrap();
    let output = procline(&["disk", "--fields", "apparent", &missing, &there]).output().unwrap();
    assert_eq!(output.stdout, b"{\"apparent\":1}\n");
    let (code, errors) = complaint(&output);
    let shown = missing.replace('\n', "\\n");
    assert_eq!((code, errors), (1, format!("procline: cannot read {shown}: No such file or directory (os error 2)\n")));
    // With --interval it is reported once, and may appear later.
    let arguments = ["disk", "--fields", "path", "--interval", "10ms", &missing, &there];
    let mut running = Running::start(procline(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut output = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(output.by_ref().take(10).all(|line| line.contains("there")));
    fs::write(&missing, "x").unwrap();
    assert!(output.by_ref().take(1_000_000).any(|line| line.contains("sing")));
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.0), rustix::process::Signal::TERM).unwrap();
    output.for_each(drop);
    let errors = std::io::read_to_string(running.0.stderr.take().unwrap()).unwrap();
    assert_eq!((errors.lines().count(), running.0.wait().unwrap().code()), (1, Some(1)), "{errors}");
}

/// What another user may not read is counted, and named on standard error.
#[test]
fn directories_that_cannot_be_read() {
    const USER: &str = "4242422";
    if lacks("directories_that_cannot_be_read", true, &["setpriv", "du", "sh"]) {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().to_str().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    for place in 0..8 {
        fs::create_dir_all(tree.path().join(format!("open/{place}/closed/inside"))).unwrap();
        fs::set_permissions(tree.path().join(format!("open/{place}/closed")), fs::Permissions::from_mode(0o700))
            .unwrap();
    }
    let (_folder, program) = program_for_all();
    let user = [&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"].map(|word| word.to_owned());
    let run = |arguments: &[&str]| {
        let user: Vec<_> = user.iter().map(String::as_str).collect();
        command("setpriv", &[&user[..], arguments].concat()).output().unwrap()
    };
    let program = program.to_str().unwrap();
    let output = run(&[program, "disk", path, "--fields", "allocated,errors,directories"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 5), "{errors}");
    assert!(errors.lines().all(|line| line.starts_with(&format!("procline: cannot read {path}/open/"))), "{errors}");
    assert!(errors.lines().all(|line| line.ends_with("/closed: Permission denied (os error 13)")), "{errors}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The directories themselves count, as in du.
    let du = String::from_utf8(run(&["du", "-s", "--block-size=1", path]).stdout).unwrap();
    assert_eq!(found["allocated"].to_string(), du.split_whitespace().next().unwrap());
    assert_eq!((&found["errors"], &found["directories"]), (&json!(8), &json!(18)));
    // Of one directory alone.
    let closed = format!("{path}/open/3/closed");
    let (code, errors) = complaint(&run(&[program, "disk", &closed]));
    assert!(code == 1 && errors.contains("Permission denied"), "{errors}");
}

/// It is no error that files and directories come and go.
#[test]
fn a_tree_that_changes_while_it_is_walked() {
    if lacks("a_tree_that_changes_while_it_is_walked", false, &["sh", "mkdir", "rm"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let churn = "cd \"$1\" || exit
        while [ -d . ] && [ ! -e stop ]; do
            mkdir -p a/b/c/d e/f/g && : >a/b/c/x && : >e/f/y && rm -rf a && : >a && rm -rf e a
        done 2>/dev/null";
    let mut churns: Vec<_> = (0..2)
        .map(|place| {
            let own = folder.path().join(place.to_string());
            fs::create_dir(&own).unwrap();
            Running::start(&mut command("sh", &["-c", churn, "sh", own.to_str().unwrap()]))
        })
        .collect();
    for _ in 0..100 {
        let found = one(&[folder.path().to_str().unwrap()]);
        assert_eq!((&found["errors"], &found["kind"]), (&json!(0), &json!("directory")));
    }
    for (place, churn) in churns.iter_mut().enumerate() {
        fs::write(folder.path().join(format!("{place}/stop")), "").unwrap();
        churn.0.wait().unwrap();
    }
}

/// Deeper than a path may be long, and with fewer descriptors than levels.
#[test]
fn a_deep_tree() {
    if lacks("a_deep_tree", false, &["sh", "du", "rm"]) {
        return;
    }
    const LEVELS: u64 = 1200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = openat(CWD, path, flags, Mode::empty()).unwrap();
    for _ in 0..LEVELS {
        // Two of each, so that the walk comes back.
        for name in ["a directory", "z sibling"] {
            mkdirat(&directory, name, Mode::RWXU).unwrap();
        }
        directory = openat(&directory, "a directory", flags, Mode::empty()).unwrap();
    }
    drop(directory);
    let script = "ulimit -n 200 && exec \"$0\" disk --timeout=5m \"$1\" --fields allocated,directories,errors";
    let output = quiet(&mut command("sh", &["-c", script, PROCLINE, path]));
    let found: Value = serde_json::from_slice(&output).unwrap();
    let allocated = number("du -s --block-size=1 -- \"$1\"", path);
    // It would take a descriptor for each level to remove it in this process.
    quiet(&mut command("rm", &["-rf", "--", &format!("{path}/a directory")]));
    assert_eq!(found, json!({"allocated": allocated, "directories": 2 * LEVELS + 1, "errors": 0}));
}

/// Paths are those of the other machine, and so are their mounts.
#[test]
fn another_machines_root() {
    let tree = Special::new();
    symlink("/a", tree.file("absolute")).unwrap();
    let run = |path: &str, more: &[&str]| one(&[&["--rootfs", tree.path(), path], more].concat());
    let here = one(&[tree.file("a/b").to_str().unwrap()]);
    for path in ["/a/b", "/absolute/b", "/../a/b", "a/b"] {
        let found = run(path, &[]);
        assert_eq!((&found["path"], &found["allocated"]), (&json!(path), &here["allocated"]));
    }
    assert_eq!(run("/absolute", &["--fields", "kind"])["kind"], "symlink");
    assert_eq!(run("/absolute/", &["--fields", "kind"])["kind"], "directory");
}

/// The options that every kind of record shares.
#[test]
fn the_shared_options() {
    let tree = Special::new();
    let path = tree.file("a/one").to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        String::from_utf8(quiet(procline(&["disk", "--timeout=5m", &path]).args(arguments))).unwrap()
    };
    for (arguments, expected) in [
        (&["--fields", "apparent,kind"][..], "{\"apparent\":1,\"kind\":\"file\"}\n"),
        (&["--fields", "kind", "--format", "array"], "[{\"kind\":\"file\"}\n]\n"),
        (&["--fields", "files,kind", "--format", "csv"], "files,kind\n1,file\n"),
        (&["--fields", "kind", "--label", "env=prod"], "{\"kind\":\"file\",\"env\":\"prod\"}\n"),
        (&["--fields", "Computer", "--computer", "c"], "{\"Computer\":\"c\"}\n"),
        (&["--fields", "files", "--interval", "1ms", "--count", "2"], "{\"files\":1}\n{\"files\":1}\n"),
    ] {
        assert_eq!(run(arguments), expected, "{arguments:?}");
    }
    let logs = tempfile::tempdir().unwrap();
    let pattern = logs.path().join("%Y.jsonl");
    for _ in 0..2 {
        assert_eq!(run(&["--fields", "files", "--output", pattern.to_str().unwrap()]), "");
    }
    let written = fs::read_dir(logs.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_to_string(written.path()).unwrap(), "{\"files\":1}\n{\"files\":1}\n");
    // The order of the fields is that of the table.
    let table = quiet(&mut procline(&["fields", "disk", "--format", "json"]));
    let row = |line: &str| serde_json::from_str::<Map<String, Value>>(line).unwrap();
    let names: Vec<_> = lines(&table).into_iter().map(|line| row(line)["name"].as_str().unwrap().to_owned()).collect();
    let head = run(&["--format", "csv", "--fields", "all"]);
    let head: Vec<_> = head.lines().next().unwrap().split(',').collect();
    assert_eq!(head, names);
}

/// Every name of the other schemas, and its value.
#[test]
fn names_of_other_conventions() {
    let tree = Special::new();
    let run = |path: &str, schema: &str| {
        let path = tree.file(path);
        one(&[path.to_str().unwrap(), "--fields", "all", "--schema", schema])
    };
    type Names = &'static [(&'static str, &'static str)];
    const ECS: Names = &[
        ("path", "/file/path"),
        ("apparent", "/file/size"),
        ("modified", "/file/mtime"),
        ("accessed", "/file/accessed"),
        ("changed", "/file/ctime"),
        ("born", "/file/created"),
        ("device", "/system/filesystem/device_name"),
        ("fs_type", "/system/filesystem/type"),
        ("mount", "/system/filesystem/mount_point"),
        ("fs_size", "/system/filesystem/total"),
        ("fs_inodes", "/system/filesystem/files"),
        ("Computer", "/host/name"),
    ];
    const OTEL: Names = &[
        ("path", "/file/path"),
        ("apparent", "/file/size"),
        ("modified", "/file/modified"),
        ("accessed", "/file/accessed"),
        ("changed", "/file/changed"),
        ("born", "/file/created"),
        ("device", "/system/device"),
        ("fs_type", "/system/filesystem/type"),
        ("mount", "/system/filesystem/mountpoint"),
        ("fs_size", "/system/filesystem/limit"),
        ("Computer", "/host/name"),
    ];
    let leaves = |record: &Map<String, Value>| {
        fn count(value: &Value) -> usize {
            value.as_object().map_or(1, |inner| inner.values().map(count).sum())
        }
        record.values().map(count).sum::<usize>()
    };
    let ours = run("a/one", "procline");
    // Those that change meanwhile, the file's type, the timestamp and the version are not in the lists.
    for (schema, names, others) in [("ecs", ECS, 6), ("otel", OTEL, 1)] {
        let theirs = run("a/one", schema);
        assert_eq!(leaves(&theirs), ours.get("born").map_or(names.len() - 1, |_| names.len()) + others, "{theirs:?}");
        for (name, pointer) in names {
            assert_eq!(Value::Object(theirs.clone()).pointer(pointer), ours.get(*name), "{schema} {name}");
        }
        assert_eq!(Value::Object(run("a", schema)).pointer("/file/size"), None);
    }
    for (path, kind) in [("a", Some("dir")), ("a/one", Some("file")), ("a/up", Some("symlink")), ("z/fifo", None)] {
        assert_eq!(Value::Object(run(path, "ecs")).pointer("/file/type"), kind.map(Value::from).as_ref(), "{path}");
    }
}

#[test]
fn bad_input_gets_a_sentence() {
    for (arguments, sentence) in [
        (&["disk"][..], "<PATH>... is missing"),
        (&["disk", ""], "<PATH>... is missing"),
        (&["disk", "/", "--depth", "-1"], "--depth '-1': expected a whole number, 0 or more, such as 10"),
        (&["disk", "/", "--depth"], "--depth <N> needs a value"),
        (&["disk", "/", "-x"], "there is no -x: it is the default; --cross-filesystems is the opposite"),
        (&["disk", "/", "--max-depth", "1"], "there is no --max-depth: write --depth N"),
        (&["disk", "/", "--all"], "--all needs --depth <N>"),
        (&["disk", "/", "--fields", "size"], "unknown field 'size' in --fields; "),
        (&["disk", "/", "--schema", "oms"], "--schema oms: not for disk records; expected one of procline, ecs, otel"),
        (&["disk", "/", "--pid", "1"], "unexpected argument '--pid'"),
    ] {
        let (code, errors) = complaint(&procline(arguments).output().unwrap());
        assert!(code == 2 && errors.starts_with(&format!("procline: {sentence}")), "{arguments:?}: {errors}");
    }
}
