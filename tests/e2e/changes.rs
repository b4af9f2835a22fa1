//! `--changes FILE`: what a run prints after an earlier one, what it keeps in FILE, and what becomes of FILE if something fails.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{
    Lock, PROCLINE, Running, command, complaint, lacks, lines, make_fifo, procline, program_for_all, quiet,
};

/// A folder of files, and a FILE beside it.
struct Watched(TempDir);

/// The fields that do not depend on when the test runs.
const FIELDS: &str = "--fields=path,kind,size,mode,sha256";

impl Watched {
    fn new() -> Self {
        let watched = Watched(tempfile::tempdir().unwrap());
        fs::create_dir(watched.path("files")).unwrap();
        for name in ["kept", "edited", "doomed"] {
            watched.write(name, name);
        }
        watched
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path("files").join(name), content).unwrap();
    }

    /// Changes one file, removes one, and adds one.
    fn change(&self) {
        self.write("edited", "other");
        fs::remove_file(self.path("files/doomed")).unwrap();
        self.write("new", "");
    }

    fn arguments(&self) -> Vec<String> {
        let [files, state] = ["files/*", "state"].map(|name| self.path(name).to_str().unwrap().to_owned());
        ["inventory", "files", "--timeout=5m", &files, "--changes", &state].map(str::to_owned).to_vec()
    }

    /// procline over its files, with FILE.
    fn procline(&self, arguments: &[&str]) -> Command {
        let mut command = procline(&[]);
        command.args(self.arguments()).args(arguments);
        if !arguments.iter().any(|argument| argument.starts_with("--fields")) {
            command.arg(FIELDS);
        }
        command
    }

    fn changes(&self, arguments: &[&str]) -> Vec<Map<String, Value>> {
        objects(&quiet(&mut self.procline(arguments)))
    }

    /// The names of its files and what became of each.
    fn brief(&self, arguments: &[&str]) -> Vec<(String, String)> {
        self.changes(arguments).iter().map(brief).collect()
    }

    fn state(&self) -> Option<Vec<u8>> {
        fs::read(self.path("state")).ok()
    }

    /// The files beside the folder: nothing but FILE stays there.
    fn has_only_its_file(&self) -> bool {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != "files" && name != "out").eq(["state"])
    }
}

fn objects(output: &[u8]) -> Vec<Map<String, Value>> {
    lines(output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn brief(record: &Map<String, Value>) -> (String, String) {
    let path = record["path"].as_str().unwrap();
    (path.rsplit('/').next().unwrap().to_owned(), record["change"].as_str().unwrap().to_owned())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, change)| ((*name).to_owned(), (*change).to_owned())).collect()
}

const AFTER_CHANGE: [(&str, &str); 3] = [("edited", "modified"), ("new", "added"), ("doomed", "removed")];

#[test]
fn added_modified_removed_or_nothing() {
    let watched = Watched::new();
    let first = watched.changes(&[]);
    assert_eq!(
        first.iter().map(brief).collect::<Vec<_>>(),
        pairs(&[("doomed", "added"), ("edited", "added"), ("kept", "added")])
    );
    // What is added is a whole record, which has no fields that changed.
    let without: Vec<_> = quiet(procline(&[]).args(&watched.arguments()[..4]).arg(FIELDS));
    for (mut record, plain) in first.into_iter().zip(objects(&without)) {
        record.remove("change");
        assert_eq!(record, plain);
    }
    for _ in 0..2 {
        assert_eq!(watched.brief(&[]), []);
    }
    watched.change();
    let changes = watched.changes(&[]);
    assert_eq!(changes.iter().map(brief).collect::<Vec<_>>(), pairs(&AFTER_CHANGE));
    let before = |content: &str| {
        let path = watched.path("sum");
        fs::write(&path, content).unwrap();
        let sum = String::from_utf8(quiet(&mut command("sha256sum", &[path.to_str().unwrap()]))).unwrap();
        fs::remove_file(path).unwrap();
        sum.split(' ').next().unwrap().to_owned()
    };
    let [edited, new, doomed] = <[_; 3]>::try_from(changes).unwrap();
    assert_eq!(edited["fields_changed"], json!(["size", "sha256"]));
    assert_eq!(edited["previous"], json!({"size": 6, "sha256": before("edited")}));
    assert_eq!((&edited["size"], &edited["sha256"]), (&json!(5), &json!(before("other"))));
    assert!(!new.contains_key("previous") && !new.contains_key("fields_changed"));
    let path = watched.path("files/doomed");
    let previous = json!({"kind": "file", "size": 6, "mode": "644", "sha256": before("doomed")});
    let removed = json!({"path": path, "change": "removed", "previous": previous});
    assert_eq!(Value::Object(doomed), removed);
    assert_eq!(watched.brief(&[]), []);
    // A link in the place of a file, and back.
    let edited = watched.path("files/edited");
    fs::remove_file(&edited).unwrap();
    symlink("kept", &edited).unwrap();
    let change = watched.changes(&[]).remove(0);
    assert_eq!(change["fields_changed"], json!(["kind", "size", "mode", "sha256"]));
    assert!(watched.has_only_its_file());
}

/// Every record says which machine and when, in the order of the fields, and labels come last.
#[test]
fn the_fields_of_a_change() {
    let watched = Watched::new();
    let arguments = ["--fields=default", "--label", "site=a", "--computer", "machine"];
    watched.changes(&arguments);
    watched.change();
    let output = quiet(&mut watched.procline(&arguments));
    let doomed = lines(&output).into_iter().find(|line| line.contains("removed")).unwrap();
    let timestamp = serde_json::from_str::<Value>(doomed).unwrap()["timestamp"].as_str().unwrap().to_owned();
    let path = watched.path("files/doomed").display().to_string();
    let start = format!(
        "{{\"path\":\"{path}\",\"Computer\":\"machine\",\"timestamp\":\"{timestamp}\",\"change\":\"removed\",\"previous\":{{\"kind\":\"file\","
    );
    assert!(doomed.starts_with(&start) && doomed.ends_with("},\"site\":\"a\"}"), "{doomed}");
    // Another label, name or format is no other selection.
    watched.write("new", "newer");
    let output = quiet(&mut watched.procline(&["--fields=default", "--format", "csv", "--computer", "other"]));
    let output = String::from_utf8(output).unwrap();
    let (header, row) = output.trim_end().split_once('\n').unwrap();
    assert!(header.ends_with(",Computer,timestamp,change,fields_changed,previous,truncated"), "{header}");
    assert!(row.contains(",other,") && row.contains(",modified,\"[\"\"size\"\",\"\"modified\"\","), "{row}");
    assert_eq!(quiet(&mut watched.procline(&["--fields=default", "--format", "array"])), b"[]\n");
    // A long one stays within the limit.
    let long = watched.path("files").join("x".repeat(250));
    fs::write(&long, "").unwrap();
    symlink("y".repeat(4000), watched.path("files/link")).unwrap();
    watched.changes(&["--fields=default"]);
    fs::remove_file(watched.path("files/link")).unwrap();
    let output = quiet(&mut watched.procline(&["--fields=default", "--max-record-bytes", "1024"]));
    let removed = lines(&output).into_iter().find(|line| line.contains("removed")).unwrap();
    assert!(removed.len() < 1024 && removed.ends_with("\"truncated\":true}"), "{removed}");
}

#[test]
fn a_baseline_prints_nothing() {
    let watched = Watched::new();
    assert_eq!(watched.brief(&["--baseline"]), []);
    watched.change();
    // It is for the first run only.
    assert_eq!(watched.brief(&["--baseline"]), pairs(&AFTER_CHANGE));
}

/// FILE can be read without procline: a line about the file, then the key and the compared fields of each record.
#[test]
fn what_the_file_holds() {
    let watched = Watched::new();
    watched.write("new\nline\u{1}", "");
    watched.changes(&["--fields=size,timestamp,kind", "--label", "a=b"]);
    let state = objects(&watched.state().unwrap());
    let files = watched.path("files/*");
    let selection = json!({
        "PATH": [files], "--recursive": false, "--depth": 0, "--cross-filesystems": false, "--max-hash-size": 100_000_000,
        "--rootfs": null,
    });
    let header = json!({
        "procline": "changes", "version": 1, "kind": "files", "key": ["path"], "compared": ["kind", "size"],
        "selection": selection, "records": 4,
    });
    assert_eq!(Value::Object(state[0].clone()), header);
    let record = |name: &str, size| json!({"path": watched.path("files").join(name), "kind": "file", "size": size});
    let expected = [record("doomed", 6), record("edited", 6), record("kept", 4), record("new\nline\u{1}", 0)];
    assert_eq!(state[1..].iter().cloned().map(Value::Object).collect::<Vec<_>>(), expected);
    assert_eq!(watched.path("state").metadata().unwrap().mode() & 0o7777, 0o600);
    // Only what is requested is compared.
    watched.write("kept", "TPEK");
    let arguments = ["--fields=size,timestamp,kind"];
    assert_eq!(watched.changes(&arguments), []);
    watched.write("kept", "longer");
    let change = watched.changes(&arguments).remove(0);
    assert_eq!((&change["fields_changed"], &change["previous"]), (&json!(["size"]), &json!({"size": 4})));
}

/// A FILE keeps its permissions and its owner.
#[test]
fn permissions_and_owner_stay() {
    let watched = Watched::new();
    watched.changes(&[]);
    fs::set_permissions(watched.path("state"), Permissions::from_mode(0o640)).unwrap();
    let is_root = !lacks("permissions_and_owner_stay, the owner", true, &["chown"]);
    if is_root {
        quiet(command("chown", &["4242420:4242421"]).arg(watched.path("state")));
    }
    let of = || watched.path("state").metadata().map(|stat| (stat.mode(), stat.uid(), stat.gid())).unwrap();
    let before = of();
    watched.change();
    let state = watched.state();
    watched.changes(&[]);
    assert!(watched.state() != state && of() == before);
    assert!(!is_root || (before.1, before.2) == (4_242_420, 4_242_421));
}

/// A file that cannot be found or read this time is not known to be gone, nor to have changed.
#[test]
fn unknown_is_not_removed() {
    if lacks("unknown_is_not_removed", true, &["setpriv", "chown"]) {
        return;
    }
    let watched = Watched::new();
    fs::set_permissions(watched.0.path(), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(watched.path("files/inner/deep")).unwrap();
    watched.write("inner/deep/file", "");
    fs::create_dir(watched.path("own")).unwrap();
    quiet(command("chown", &["4242420"]).arg(watched.path("own")));
    let (_folder, program) = program_for_all();
    let state = watched.path("own/state");
    let run = |path: &str| {
        let user = ["--reuid=4242420", "--regid=4242420", "--clear-groups"];
        let mut setpriv = command("setpriv", &user);
        setpriv.arg(&program).args(["inventory", "files", "--recursive", "--timeout=5m", FIELDS, "--changes"]);
        setpriv.arg(&state).arg(watched.path(path)).output().unwrap()
    };
    let changes = |output: &Output| objects(&output.stdout).iter().map(brief).collect::<Vec<_>>();
    let close = |name: &str, mode| fs::set_permissions(watched.path(name), Permissions::from_mode(mode)).unwrap();
    assert_eq!(changes(&run("files")).len(), 7);
    for closed in ["files", "files/inner", "files/inner/deep"] {
        close(closed, 0o700);
        let output = run("files");
        let (code, sentence) = complaint(&output);
        assert!(code == 1 && sentence.contains("Permission denied"), "{sentence}");
        let name = closed.rsplit('/').next().unwrap();
        assert_eq!(changes(&output), pairs(&[(name, "modified")]));
        close(closed, 0o755);
        // What was unknown is there again, unchanged.
        assert_eq!(changes(&run("files")), pairs(&[(name, "modified")]));
    }
    // The folder above cannot be entered, so nothing is known of the path.
    close("", 0o600);
    fs::set_permissions(watched.0.path(), Permissions::from_mode(0o755)).unwrap();
    // The content of a file cannot be read: its checksum counts as unchanged, and the other fields are compared.
    close("files/kept", 0o600);
    let output = run("files");
    let change = objects(&output.stdout).remove(0);
    assert!(output.status.success());
    assert_eq!((&change["fields_changed"], &change["previous"]), (&json!(["mode"]), &json!({"mode": "644"})));
    close("files/kept", 0o644);
    let change = objects(&run("files").stdout).remove(0);
    assert_eq!(change["fields_changed"], json!(["mode"]));
    assert_eq!(changes(&run("files")), []);
}

/// Where there are too few descriptors to search, nothing is known of the files. They are not removed.
#[test]
fn too_few_descriptors() {
    let watched = Watched::new();
    let (root, state) = (watched.0.path(), watched.path("state"));
    let run = |limit: u32| {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let mut shell = command("sh", &["-c", &script, "sh", PROCLINE, "inventory", "files", "/files", "--recursive"]);
        shell.args(["--timeout=5m", "--fields=path", "--rootfs"]).arg(root).arg("--changes").arg(&state);
        shell.output().unwrap()
    };
    assert_eq!(objects(&run(1000).stdout).len(), 4);
    let before = watched.state();
    let mut failures = String::new();
    let fails = |limit: &u32| {
        let output = run(*limit);
        assert!(output.stdout.is_empty() && watched.state() == before, "{limit}: {output:?}");
        assert_eq!(output.status.success(), output.stderr.is_empty(), "{limit}: {output:?}");
        failures.push_str(&String::from_utf8_lossy(&output.stderr));
        !output.status.success()
    };
    assert!((4..100).take_while(fails).count() < 96, "{failures}");
    assert!(failures.contains("procline: cannot read /files: Too many open files (os error 24)\n"), "{failures}");
}

/// A file that several paths lead to is one file.
#[test]
fn paths_that_overlap() {
    let watched = Watched::new();
    fs::create_dir(watched.path("files/inner")).unwrap();
    watched.write("inner/file", "");
    let inner = watched.path("files/inner").to_str().unwrap().to_owned();
    let run = || watched.brief(&[&inner, &format!("{inner}/*"), "--recursive"]);
    assert_eq!(run().len(), 5);
    watched.write("inner/file", "other");
    assert_eq!(run(), pairs(&[("file", "modified")]));
    assert_eq!(run(), []);
    fs::remove_file(watched.path("files/inner/file")).unwrap();
    assert!(run().contains(&("file".to_owned(), "removed".to_owned())));
    assert_eq!(run(), []);
}

/// A path that is missing is a failure in the first run, and a change later.
#[test]
fn a_missing_path() {
    let watched = Watched::new();
    let [kept, state] = ["files/kept", "state"].map(|name| watched.path(name).to_str().unwrap().to_owned());
    let run = || procline(&["inventory", "files", FIELDS, &kept, "--changes", &state]).output().unwrap();
    fs::remove_file(&kept).unwrap();
    assert!(complaint(&run()).1.contains("No such file or directory"));
    let rest = |change| {
        let output = run();
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(objects(&output.stdout).iter().map(brief).collect::<Vec<_>>(), change);
    };
    rest(vec![]);
    watched.write("kept", "");
    rest(pairs(&[("kept", "added")]));
    fs::remove_file(&kept).unwrap();
    rest(pairs(&[("kept", "removed")]));
    rest(vec![]);
}

/// With --interval, every snapshot is compared with the one before.
#[test]
fn at_an_interval() {
    let watched = Watched::new();
    let mut command = watched.procline(&["--interval=50ms"]);
    let mut running = Running::start(command.stdout(Stdio::piped()));
    let mut output = std::io::BufReader::new(running.0.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        brief(&serde_json::from_str(&line).unwrap())
    };
    let [one, two, three] = [next(), next(), next()];
    assert_eq!([one, two, three].to_vec(), pairs(&[("doomed", "added"), ("edited", "added"), ("kept", "added")]));
    fs::remove_file(watched.path("files/doomed")).unwrap();
    assert_eq!(next(), ("doomed".to_owned(), "removed".to_owned()));
    watched.write("doomed", "");
    let (name, _) = next();
    assert_eq!(name, "doomed");
}

/// A FILE that is not what an earlier run with the same options wrote stays as it is, and nothing is printed.
#[test]
fn a_foreign_or_corrupt_file_is_left_alone() {
    let watched = Watched::new();
    watched.changes(&[]);
    let good = String::from_utf8(watched.state().unwrap()).unwrap();
    let remove = "or remove it: the next run then reports everything as added, or with --baseline nothing";
    let half = &good[..good.len() - 20];
    let fewer = &good[..good.trim_end().rfind('\n').unwrap() + 1];
    let swapped = good.replace("\"size\"", "size");
    for (content, words) in [
        ("", "is not a file that --changes wrote"),
        ("root:x:0:0\n", "is not a file that --changes wrote"),
        ("{\"path\":\"/\"}\n", "is not a file that --changes wrote"),
        ("\0\0\0\0", "is not a file that --changes wrote"),
        (half, "is corrupt: its line 4 is not what procline wrote"),
        (fewer, "is corrupt: it has 2 of its 3 records"),
        (&format!("{good}{{}}\n"), "is corrupt: it has 4 of its 3 records"),
        (&format!("{good}[]\n"), "is corrupt: its line 5"),
        (&swapped, "is not a file that --changes wrote"),
        (&good.replace("\"version\":1", "\"version\":2"), "is from another version of procline"),
        (
            &good.replace("\"kind\":\"files\"", "\"kind\":\"software\""),
            "has software records, and these are files records",
        ),
        (&good.replace("100000000", "5"), "was written with other values of --max-hash-size: use the same again"),
        (&good.replace("files/*", "others/*"), "was written with other values of PATH: use the same again"),
        (&good.replacen("\"mode\",", "", 1), "was written with other --fields: use the same again"),
    ] {
        fs::write(watched.path("state"), content).unwrap();
        let output = watched.procline(&[]).output().unwrap();
        let (code, sentence) = complaint(&output);
        assert!(code == 1 && sentence.contains(words) && sentence.contains("remove it"), "{words}: {sentence}");
        assert!(words.contains("corrupt") || sentence.contains(remove), "{sentence}");
        assert!(output.stdout.is_empty() && watched.state().unwrap() == content.as_bytes(), "{words}");
        assert!(watched.has_only_its_file(), "{words}");
    }
    fs::write(watched.path("state"), &good).unwrap();
    assert_eq!(watched.brief(&[]), []);
}

/// The new FILE is written beside the old one. What is there already and is not procline's stays as it is.
#[test]
fn a_foreign_new_file_is_left_alone() {
    let watched = Watched::new();
    for content in ["a user's own file\n", "short"] {
        fs::write(watched.path("state.new"), content).unwrap();
        let output = watched.procline(&[]).output().unwrap();
        let (code, sentence) = complaint(&output);
        assert!(code == 1 && sentence.contains("it is not a file that --changes wrote; move it away"), "{sentence}");
        assert!(output.stdout.is_empty() && fs::read_to_string(watched.path("state.new")).unwrap() == content);
    }
    fs::write(watched.path("state.new"), "{\"procline\":\"changes\",\"version\":1,\"ki").unwrap();
    assert_eq!(watched.brief(&[]).len(), 3);
    assert!(watched.has_only_its_file());
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let watched = Watched::new();
    make_fifo(&watched.path("fifo"));
    fs::create_dir(watched.path("folder")).unwrap();
    fs::write(watched.path("target"), "").unwrap();
    symlink("target", watched.path("link")).unwrap();
    for (name, words) in [
        ("fifo", "is not a regular file"),
        ("folder", "is not a regular file"),
        ("link", "is a symbolic link: name the file that it points to"),
        ("missing/state", "cannot open the directory"),
        ("target/state", "cannot open the directory"),
    ] {
        let state = watched.path(name).to_str().unwrap().to_owned();
        let output = procline(&["inventory", "files", "/", "--changes", &state]).output().unwrap();
        let (code, sentence) = complaint(&output);
        assert!(code == 1 && sentence.contains(words) && output.stdout.is_empty(), "{name}: {sentence}");
    }
    // The records' own file cannot be it, too.
    let both = watched.path("both").to_str().unwrap().to_owned();
    let output = procline(&["inventory", "files", "/", "--changes", &both, "--output", &both]).output().unwrap();
    let (code, sentence) = complaint(&output);
    assert!(code == 1 && sentence.contains("another program has replaced it"), "{sentence}");
    assert_eq!(lines(&fs::read(&both).unwrap()).len(), 1);
}

/// A failure to write leaves FILE as it is, so the next run reports the same changes.
#[test]
fn a_failure_to_write_repeats_the_changes() {
    let watched = Watched::new();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = watched.procline(&[]).stdout(full()).output().unwrap();
    assert!(complaint(&output).1.contains("No space left") && watched.state().is_none());
    assert_eq!(watched.brief(&[]).len(), 3);
    watched.change();
    let state = watched.state();
    let output = watched.procline(&[]).stdout(full()).output().unwrap();
    assert!(complaint(&output).1.contains("No space left") && watched.state() == state);
    // The reader closes the pipe.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = watched.procline(&[]).stdout(writer).output().unwrap();
    assert!(output.status.success() && watched.state() == state);
    // FILE itself cannot be written: the records are, and the run fails.
    let script = "ulimit -f 0; trap '' XFSZ; exec \"$@\"";
    let mut limited = command("sh", &["-c", script, "sh", PROCLINE]);
    let output = limited.args(watched.arguments()).arg(FIELDS).output().unwrap();
    let (code, sentence) = complaint(&output);
    assert!(code == 1 && sentence.contains("so the next run reports these changes again"), "{sentence}");
    assert_eq!(objects(&output.stdout).iter().map(brief).collect::<Vec<_>>(), pairs(&AFTER_CHANGE));
    assert!(watched.state() == state && watched.has_only_its_file());
    assert_eq!(watched.brief(&[]), pairs(&AFTER_CHANGE));
}

#[test]
fn runs_at_once_take_turns() {
    let watched = Watched::new();
    let runs: Vec<_> = (0..8).map(|_| watched.procline(&[]).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let outputs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()));
    let mut counts: Vec<_> = outputs.iter().map(|output| objects(&output.stdout).len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 3]);
    assert!(watched.has_only_its_file());
    // A run that never ends is not waited for.
    let lock = Lock::take(&watched.path("state.new"));
    let output = watched.procline(&["--timeout=100ms"]).output().unwrap();
    let (code, sentence) = complaint(&output);
    let words = "state.new is locked by another process, and did not come free within --timeout 100ms";
    assert!(code == 1 && sentence.contains(words), "{sentence}");
    let output = watched.procline(&["--timeout=100ms", "--interval=10ms", "--count=3"]).output().unwrap();
    assert!(complaint(&output).1.contains(words));
    drop(lock);
    // What a run that was killed left is overwritten.
    assert_eq!(watched.brief(&[]), []);
    assert!(watched.has_only_its_file());
}

/// Killed at any system call that writes, a run leaves the old FILE or the new one. Each change is printed by it or by the next
/// run.
#[test]
fn killed_at_any_step_no_change_is_lost() {
    const TEST: &str = "killed_at_any_step_no_change_is_lost";
    if lacks(TEST, false, &["strace"]) {
        return;
    }
    let watched = Watched::new();
    let out = watched.path("out");
    let to_file = ["--output", out.to_str().unwrap()];
    watched.changes(&to_file);
    let (old_state, old_out) = (watched.state().unwrap(), fs::read(&out).unwrap());
    watched.change();
    watched.changes(&to_file);
    let new_state = watched.state().unwrap();
    let expected: BTreeSet<_> = pairs(&AFTER_CHANGE).into_iter().collect();
    let (mut kills, mut states, mut repeated) = (0, BTreeSet::new(), 0);
    // strace counts the calls of each thread, and these are calls of the one that writes.
    for call in ["ftruncate", "fchmod", "flock", "write", "pwrite64", "fallocate", "fsync", "/^rename", "unlinkat"] {
        for step in 1.. {
            fs::write(watched.path("state"), &old_state).unwrap();
            fs::write(&out, &old_out).unwrap();
            let inject = format!("inject={call}:signal=KILL:when={step}");
            let mut strace = command("strace", &["-f", "-qq", "-o", "/dev/null", "-e", &inject, PROCLINE]);
            let status = strace.args(watched.arguments()).arg(FIELDS).args(to_file).status().unwrap();
            let state = watched.state().unwrap();
            assert!(state == old_state || state == new_state, "{call} {step}: {}", String::from_utf8_lossy(&state));
            let is_killed = status.signal() == Some(9);
            assert!(is_killed || status.success(), "{call} {step}: {status}");
            kills += usize::from(is_killed);
            states.insert((is_killed, state == new_state));
            watched.changes(&to_file);
            assert!(watched.state().unwrap() == new_state && watched.has_only_its_file(), "{call} {step}");
            // A line that the kill left open is closed.
            let written = fs::read(&out).unwrap();
            let more = written.strip_prefix(&old_out[..]).unwrap();
            let records = more.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
            let found: Vec<_> = records.map(|record| brief(&record)).collect();
            assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected, "{call} {step}");
            repeated += usize::from(found.len() > expected.len());
            if !is_killed {
                break;
            }
        }
    }
    assert!(kills >= 8 && repeated > 0, "{kills} kills, {repeated} repeated");
    assert_eq!(states, BTreeSet::from([(false, true), (true, false), (true, true)]));
}

/// What the README says is compared is what the program compares.
#[test]
fn the_readme_names_keys_and_compared_fields() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    for kind in ["services", "software", "files"] {
        let rows = objects(&quiet(&mut procline(&["fields", kind, "--format", "json"])));
        let names = |role: &str| {
            let rows = rows.iter().filter(|row| row.get("changes").is_some_and(|changes| changes == role));
            rows.map(|row| format!("`{}`", row["name"].as_str().unwrap())).collect::<Vec<_>>().join(", ")
        };
        let sentence = format!("- {kind}: the key is {}. Compared are {}.", names("key"), names("compared"));
        assert!(readme.contains(&sentence), "put this into README.md: {sentence}");
    }
}

/// The other kinds of the inventory know what is the same and what has changed, too.
#[test]
fn packages_change() {
    let folder = tempfile::tempdir().unwrap();
    let dpkg = folder.path().join("root/var/lib/dpkg");
    fs::create_dir_all(&dpkg).unwrap();
    let package = |name: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\nDescription: a package\n\n"
        )
    };
    let [root, state] = ["root", "state"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let run = |packages: &[String]| {
        fs::write(dpkg.join("status"), packages.concat()).unwrap();
        let fields = "--fields=name,version,architecture,source";
        let arguments = ["inventory", "software", "--rootfs", &root, "--changes", &state, fields];
        objects(&quiet(&mut procline(&arguments)))
    };
    assert_eq!(run(&[package("one", "1"), package("two", "1")]).len(), 2);
    assert_eq!(run(&[package("two", "1"), package("one", "1")]), []);
    let base =
        |name: &str, change: &str| json!({"name": name, "architecture": "all", "source": "dpkg", "change": change});
    let [mut one, mut two] = [base("one", "modified"), base("two", "removed")];
    one["version"] = "2".into();
    one["fields_changed"] = json!(["version"]);
    one["previous"] = json!({"version": "1"});
    two["previous"] = json!({"version": "1"});
    let found: Vec<_> = run(&[package("one", "2")]).into_iter().map(Value::Object).collect();
    assert_eq!(found, [one, two]);
}
