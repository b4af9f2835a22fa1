//! `procline exec`: the records of programs as they start and end. The tests look only at programs that they start: this
//! machine starts others meanwhile. A program whose record must be complete runs until the test ends it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::exec_stream::{Stream, USER, hold, hold_as_user, word};
use crate::support::{Running, Tree, command, complaint, lacks, make_fifo, procline, quiet};

/// Waits for its input, whatever its arguments.
const WAIT: [&str; 2] = ["-c", "read x"];

#[test]
fn a_program_that_starts_has_a_record() {
    let Some(mut stream) = Stream::start("a_program_that_starts_has_a_record", &["--root"]) else { return };
    let word = word("first");
    let program = Running::start(
        command("sh", &[WAIT[0], WAIT[1], "a b", &word, "--password", "hunter2"])
            .current_dir("/usr")
            .stdin(Stdio::piped()),
    );
    let pid = program.0.id();
    let record = stream.program(pid, &word);
    assert_eq!(record.command, Some(format!("sh -c read x a b {word} --password ********")));
    assert_eq!(record.cwd.as_deref(), Some("/usr"));
    assert_eq!((record.uid, record.user.as_deref(), record.effective_user.as_deref()), (Some(0), Some("root"), None));
    assert_eq!(record.ppid, Some(std::process::id()));
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(record.exe.as_deref(), exe.to_str());
    assert!(record.incomplete.is_none() && record.truncated.is_none() && record.exit_code.is_none(), "{record:?}");
    let time: chrono::DateTime<chrono::Utc> = record.timestamp.parse().unwrap();
    assert_eq!(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), record.timestamp);
    // What a snapshot says of the same process is the same.
    let fields = "pid,name,ppid,tty,session,exe,cwd,command,cgroup,container,entity_id";
    let snapshot = quiet(&mut procline(&["--fields", fields, "--timeout=5m", "--pid", &pid.to_string()]));
    let snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
    let line = fs::read_to_string(stream.output()).unwrap();
    let line = line.lines().find(|line| line.contains(&word)).unwrap();
    let ours: Value = serde_json::from_str(line).unwrap();
    for field in fields.split(',') {
        assert_eq!(ours.get(field), snapshot.get(field), "{field}");
    }
    stream.finish();
}

#[test]
fn names_and_arguments_may_have_any_bytes() {
    let Some(mut stream) = Stream::start("names_and_arguments_may_have_any_bytes", &["--root", "--fields", "+args"])
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for name in [&b"a \"q\"\\ \n)"[..], b"a\xff\xfe(", "é\u{9b}".as_bytes(), b"a Uid: 0"] {
        let program = folder.path().join(OsStr::from_bytes(name));
        quiet(command("cp", &["--", "/bin/sh"]).arg(&program));
        let mut held = command(program.to_str().unwrap_or_default(), &[]);
        if program.to_str().is_none() {
            held = command("env", &[]);
            held.arg(&program);
        }
        let arguments: [&[u8]; 6] = [b"-c", b"read x", b"\"'`$\\", b"two\nlines\t", b"\xff\xf0\x9f", b""];
        held.args(arguments.map(OsStr::from_bytes)).stdin(Stdio::piped());
        let held = Running::start(&mut held);
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = lossy(name);
        let record =
            stream.wait_for(|record| record.is_of("exec", held.0.id()) && record.name.as_deref() == Some(&name));
        let mut expected = vec![lossy(program.as_os_str().as_bytes())];
        expected.extend(arguments.map(lossy));
        assert_eq!(record.args.as_ref(), Some(&expected), "{record:?}");
        assert_eq!(record.command.as_deref(), Some(expected.join(" ").trim_end()), "{record:?}");
    }
    stream.finish();
}

/// A monitor that searches the text of `status` for `Uid: 0` takes a program of this name for root's.
#[test]
fn the_real_user_decides_and_no_name_hides_a_program() {
    let Some(mut stream) = Stream::start("the_real_user_decides_and_no_name_hides_a_program", &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("a Uid: 0");
    quiet(command("cp", &["--", "/bin/cat"]).arg(&program));
    let of_root = word("root");
    let root = hold("sh", &[WAIT[0], WAIT[1], &of_root]);
    let held = hold_as_user(&[program.to_str().unwrap()]);
    let record = stream.program(held.0.id(), "a Uid: 0");
    assert_eq!((record.uid, record.user.as_deref()), (Some(USER), Some(USER.to_string().as_str())));
    assert_eq!(record.name.as_deref(), Some("a Uid: 0"));

    // A setuid program: the real user has started it. A filesystem may not allow that.
    let setuid = folder.path().join("setuid");
    quiet(command("cp", &["--", "/bin/cat"]).arg(&setuid));
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o4755)).unwrap();
    let held = hold_as_user(&[setuid.to_str().unwrap()]);
    let record = stream.program(held.0.id(), "setuid");
    let status = fs::read_to_string(format!("/proc/{}/status", held.0.id())).unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    let is_setuid = ids.split_whitespace().nth(1) == Some("0");
    assert_eq!((record.uid, record.effective_user.as_deref()), (Some(USER), is_setuid.then_some("root")));
    stream.finish();
    assert!(stream.records.iter().all(|record| !record.has(&of_root)));
    assert!(stream.records.iter().all(|record| record.uid != Some(0)));
    drop(root);
}

#[test]
fn filters() {
    const TEST: &str = "filters";
    let user = USER.to_string();
    let Some(mut by_user) = Stream::start(TEST, &["--user", &format!("daemon,{user}")]) else { return };
    let Some(mut by_name) = Stream::start(TEST, &["--root", "--name", "job-*.sh", "--exclude", "job-2*"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let scripts = ["job-1.sh", "job-2.sh", "job-3.sh", "other.sh"].map(|name| {
        let path = folder.path().join(name);
        fs::write(&path, "#!/bin/sh -e\nread x\n").unwrap();
        path.to_str().unwrap().to_owned()
    });
    let held: Vec<_> = scripts.iter().map(|script| hold("sh", &[script.as_str(), "x"])).collect();
    let of_user = word("user");
    let of_another = hold("setpriv", &["--reuid=4242420", "--clear-groups", "sh", WAIT[0], WAIT[1], &of_user]);
    let of_this = hold_as_user(&["sh", WAIT[0], WAIT[1], &of_user]);
    by_name.program(held[0].0.id(), "job-1.sh");
    by_name.program(held[2].0.id(), "job-3.sh");
    by_user.program(of_this.0.id(), &of_user);
    by_name.finish();
    by_user.finish();
    for pid in [held[1].0.id(), held[3].0.id()] {
        assert!(!by_name.records.iter().any(|record| record.pid == Some(pid) && record.name.is_some()));
    }
    let others = by_user.records.iter().filter(|record| record.pid == Some(of_another.0.id()));
    assert!(others.clone().all(|record| record.uid.is_none()), "{:?}", others.collect::<Vec<_>>());
}

#[test]
fn scripts_and_programs_that_execute_others() {
    const TEST: &str = "scripts_and_programs_that_execute_others";
    if lacks(TEST, true, &["python3"]) {
        return;
    }
    let Some(mut stream) = Stream::start(TEST, &["--root"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("a-script-with-a-long-name.sh");
    let source = folder.path().join("source");
    fs::write(&source, "#!/bin/sh\nread x\n").unwrap();
    // A file that this process has written may still be open in a child, and cannot be executed.
    quiet(command("cp", &["--"]).arg(source).arg(&script));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let held = hold(script.to_str().unwrap(), &["an argument"]);
    let record = stream.program(held.0.id(), "an argument");
    assert_eq!(record.command, Some(format!("/bin/sh {} an argument", script.display())));
    assert_eq!(record.exe, fs::read_link(format!("/proc/{}/exe", held.0.id())).unwrap().to_str().map(str::to_owned));
    assert_eq!(record.name.as_deref(), Some("a-script-with-a"));

    // The same process, and the same entity.
    let (one, two) = (word("one"), word("two"));
    let exec = format!("exec sh -c 'read x' {two}");
    let held = hold("sh", &["-c", &format!("read x; {exec}"), &one]);
    let first = stream.wait_for(|record| record.is_of("exec", held.0.id()) && record.has(&one));
    writeln(&held);
    let second = stream.wait_for(|record| {
        record.is_of("exec", held.0.id()) && record.command.as_ref().is_some_and(|it| it.starts_with("sh -c read x"))
    });
    assert!(second.has(&two) && first.entity_id == second.entity_id && first.entity_id.is_some());

    // From a thread that is not the first.
    let word = word("thread");
    let code = "import os, sys, threading
threading.Thread(target=lambda: os.execv('/bin/sh', ['sh', '-c', 'read x', sys.argv[1]])).start()
threading.Event().wait()";
    let held = hold("python3", &["-ISc", code, &word]);
    let record = stream.wait_for(|record| {
        record.is_of("exec", held.0.id()) && record.command.as_ref().is_some_and(|it| it.starts_with("sh -c read x"))
    });
    assert!(record.has(&word) && record.name.as_deref() == Some("sh"), "{record:?}");
    stream.finish();
}

/// Lets a held program go on.
fn writeln(held: &Running) {
    use std::io::Write;
    held.0.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
}

#[test]
fn ten_thousand_arguments() {
    const TEST: &str = "ten_thousand_arguments";
    let Some(mut whole) = Stream::start(TEST, &["--root", "--max-record-bytes", "0", "--fields", "+args"]) else {
        return;
    };
    let Some(mut cut) = Stream::start(TEST, &["--root"]) else { return };
    let word = word("many");
    let many: Vec<String> = (0..10_000).map(|place| format!("argument-{place}")).collect();
    let mut program = command("sh", &[WAIT[0], WAIT[1], &word]);
    let held = Running::start(program.args(&many).stdin(Stdio::piped()));
    let record = whole.program(held.0.id(), &word);
    // 144 KiB are read.
    let expected = format!("sh -c read x {word} {}", many.join(" "));
    let (head, tail) = record.command.as_ref().unwrap().split_once('…').unwrap_or((&expected, ""));
    assert!(expected.starts_with(head) && expected.ends_with(tail), "{head} … {tail}");
    assert_eq!(record.truncated.is_some(), expected.len() > 144 * 1024);
    let record = cut.program(held.0.id(), &word);
    assert_eq!(record.truncated, Some(true));
    assert!(record.command.unwrap().ends_with("argument-9999"));
    whole.finish();
    cut.finish();
}

#[test]
fn ends_have_a_code_or_a_signal() {
    let Some(mut stream) = Stream::start("ends_have_a_code_or_a_signal", &["--root", "--exits"]) else { return };
    let word = word("end");
    for (script, signal, expected) in [
        ("read x", None, (Some(0), None)),
        ("read x; exit 7", None, (Some(7), None)),
        ("read x", Some(9), (None, Some(9))),
    ] {
        let held = hold("sh", &["-c", script, &word]);
        let pid = held.0.id();
        let start = stream.program(pid, &word);
        match signal {
            Some(_) => kill_process(Pid::from_child(&held.0), Signal::KILL).unwrap(),
            None => writeln(&held),
        }
        // The process stays a zombie until the test waits for it, so its CPU time can be read.
        let end = stream.wait_for(|record| record.is_of("exit", pid));
        assert_eq!((end.exit_code, end.exit_signal), expected, "{end:?}");
        assert_eq!(
            (&end.entity_id, &end.name, end.uid, end.ppid),
            (&start.entity_id, &start.name, Some(0), start.ppid)
        );
        assert!(end.duration.is_some_and(|duration| duration > 0.0) && end.time.is_some(), "{end:?}");
        assert!(end.timestamp > start.timestamp && end.command.is_none() && end.incomplete.is_none(), "{end:?}");
    }
    stream.finish();
}

#[test]
fn variables_that_were_asked_for() {
    const TEST: &str = "variables_that_were_asked_for";
    let asked = ["--root", "--env", "LOADEDMODULES,API_TOKEN", "--env=UNSET_VARIABLE"];
    let Some(mut stream) = Stream::start(TEST, &asked) else { return };
    let ecs: Vec<_> = asked.iter().copied().chain(["--schema", "ecs"]).collect();
    let Some(ecs) = Stream::start(TEST, &ecs) else { return };
    let word = word("variables");
    let mut program = command("sh", &[WAIT[0], WAIT[1], &word]);
    program.env("LOADEDMODULES", "gcc/13:openmpi/5").env("API_TOKEN", "made-up-value-1").env("OTHER", "x");
    let held = Running::start(program.stdin(Stdio::piped()));
    let record = stream.program(held.0.id(), &word);
    let expected = json!({ "LOADEDMODULES": "gcc/13:openmpi/5", "API_TOKEN": "********" });
    assert_eq!(json!(record.env), expected);
    let line = crate::limit::wait_for("the record", || {
        let text = fs::read_to_string(ecs.output()).unwrap();
        text.lines().find(|line| line.contains(&word) && line.ends_with('}')).map(str::to_owned)
    });
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["process"]["env_vars"], json!(["LOADEDMODULES=gcc/13:openmpi/5", "API_TOKEN=********"]));
    stream.finish();
}

#[test]
fn what_runs_already_comes_first() {
    const TEST: &str = "what_runs_already_comes_first";
    let held = hold("sh", &WAIT);
    // Without command lines, what other tests start takes no room in the queue.
    let options = ["--root", "--start-snapshot", "--exits", "--no-args"];
    let Some(mut stream) = Stream::start(TEST, &options) else { return };
    let later = hold("sh", &WAIT);
    stream.wait_for(|record| record.is_of("exec", later.0.id()));
    let record = stream.wait_for(|record| record.is_of("running", held.0.id()));
    assert_eq!((record.name.as_deref(), record.incomplete), (Some("sh"), None), "{record:?}");
    let place = |pid| stream.records.iter().position(|record| record.pid == Some(pid)).unwrap();
    assert!(place(held.0.id()) < place(later.0.id()));
    let last = stream.records.iter().rposition(|record| record.event == "running").unwrap();
    assert!(stream.records[..last].iter().all(|record| record.event == "running"));
    writeln(&held);
    let end = stream.wait_for(|record| record.is_of("exit", held.0.id()));
    assert_eq!((end.exit_code, end.duration, end.entity_id), (Some(0), None, record.entity_id));
    let own = stream.running.0.id();
    stream.finish();
    assert!(stream.records.iter().all(|record| record.pid != Some(own) && record.name.as_deref() != Some("kthreadd")));
}

/// A read that blocks delays no other record for ever.
#[test]
fn a_command_line_that_blocks_is_given_up() {
    let tree = Tree::copy();
    let path = tree.path("proc/1200/cmdline");
    fs::remove_file(&path).unwrap();
    make_fifo(&path);
    let mut command = tree.procline(&[]);
    let arguments: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
    command = procline(&["exec", "--root", "--start-snapshot"]);
    let Some(mut stream) = Stream::with("a_command_line_that_blocks_is_given_up", command.args(arguments)) else {
        return;
    };
    let stuck = stream.wait_for(|record| record.is_of("running", 1200));
    assert_eq!((stuck.incomplete, stuck.command), (Some(true), None));
    let next = stream.wait_for(|record| record.is_of("running", 1300));
    assert_eq!((next.incomplete, next.command.as_deref()), (None, Some("nginx: worker process")));
    stream.finish();
}

/// The keys of each schema, and the values that differ from ours.
#[test]
fn schemas() {
    const TEST: &str = "schemas of exec";
    let word = word("schema");
    let mut streams = Vec::new();
    for schema in ["procmon", "ecs", "otel"] {
        let Some(stream) = Stream::start(TEST, &["--schema", schema]) else { return };
        streams.push(stream);
    }
    let Some(mut ours) = Stream::start(TEST, &["--fields", "all"]) else { return };
    let held = hold_as_user(&["sh", WAIT[0], WAIT[1], &word]);
    let pid = held.0.id();
    let record = ours.program(pid, &word);
    let [procmon, ecs, otel] = [0, 1, 2].map(|place| {
        let line = crate::limit::wait_for("the record", || {
            let text = fs::read_to_string(streams[place].output()).unwrap();
            text.lines().find(|line| line.contains(&word) && line.ends_with('}')).map(str::to_owned)
        });
        serde_json::from_str::<Value>(&line).unwrap()
    });
    // Each run compares the kernel's clock with the machine's by itself.
    let is_close = |time: &Value| {
        let [one, other] = [time.as_str().unwrap(), &record.timestamp]
            .map(|time| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
        (one - other).abs() < chrono::TimeDelta::seconds(60)
    };
    assert!([&procmon["timestamp"], &ecs["@timestamp"], &otel["timestamp"]].into_iter().all(is_close));
    let expected = json!({
        "timestamp": procmon["timestamp"], "node": record.computer, "pid": pid, "name": "sh", "ppid": std::process::id(),
        "uid": USER, "cmdline": format!("sh -c read x {word}"),
    });
    assert_eq!(procmon, expected);
    let process = json!({
        "pid": pid, "name": "sh", "parent": { "pid": record.ppid, "name": record.parent },
        "session_leader": { "pid": record.session }, "executable": record.exe, "working_directory": record.cwd,
        "command_line": record.command, "entity_id": record.entity_id,
    });
    assert_eq!(ecs["process"], process);
    assert_eq!(ecs["event"], json!({ "action": "exec" }));
    assert_eq!(ecs["user"], json!({ "id": USER.to_string(), "name": USER.to_string() }));
    assert_eq!(ecs["host"]["name"], json!(record.computer));
    let process = json!({
        "pid": pid, "parent_pid": record.ppid, "real_user": { "id": USER, "name": USER.to_string() },
        "session_leader": { "pid": record.session }, "executable": { "path": record.exe },
        "working_directory": record.cwd, "command_line": record.command,
    });
    assert_eq!(otel["process"], process);
    assert_eq!(otel["event"]["name"], "exec");
}

#[test]
fn csv_has_one_header() {
    let arguments = ["--root", "--format", "csv", "--fields", "event,pid,command"];
    let Some(stream) = Stream::start("csv_has_one_header", &arguments) else { return };
    for name in ["csv1", "csv2"] {
        let word = word(name);
        let held = hold("sh", &[WAIT[0], WAIT[1], &word]);
        crate::limit::wait_for("the row", || {
            let text = fs::read_to_string(stream.output()).unwrap();
            let row = format!("\nexec,{},sh -c read x {word},\n", held.0.id());
            text.contains(&row).then_some(())
        });
    }
    let text = fs::read_to_string(stream.output()).unwrap();
    let head = "event,pid,command,truncated";
    assert!(text.starts_with(head) && text.lines().filter(|line| *line == head).count() == 1, "{text}");
}

/// Where the kernel sends no events, or not to this user, one sentence says so.
#[test]
fn without_events_it_says_why() {
    const TEST: &str = "without_events_it_says_why";
    if lacks(TEST, true, &["unshare", "setpriv"]) {
        return;
    }
    let (_folder, program) = crate::support::program_for_all();
    let program = program.to_str().unwrap();
    for namespace in [&["--net"][..], &["--pid", "--fork", "--kill-child"]] {
        let output = command("unshare", namespace).args([program, "exec"]).output().unwrap();
        let (code, errors) = complaint(&output);
        assert!(code == 1 && errors.contains("sends no process events here"), "{namespace:?}: {errors}");
    }
    // Newer kernels send the events to every user. In a network namespace, nobody has them.
    let without = ["--net", "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=4242421", "--clear-groups"];
    let (code, errors) = complaint(&command("unshare", &without).args([program, "exec"]).output().unwrap());
    let says_why =
        errors.contains("CAP_NET_ADMIN") && errors.contains("setcap") || errors.contains("no process events");
    assert!(code == 1 && says_why, "{errors}");
}

#[test]
fn wrong_usage() {
    for (arguments, words) in [
        (&["--format", "array"][..], "--format array cannot be used with exec"),
        (&["--schema", "procmon", "--exits"], "--exits cannot be used with --schema procmon"),
        (&["--schema", "oms"], "--schema oms: not for exec records; expected one of procline, ecs, otel, procmon"),
        (&["--env", "A=1"], "expected names of variables"),
        (&["--buffer", "0"], "expected a number of bytes"),
        (&["--fields", "cpu"], "unknown field 'cpu'"),
        (&["--interval", "1s"], "unexpected argument '--interval'"),
        (&["--keep", "7d"], "--keep needs --output"),
        (&["--output", "%F", "--keep", "59m"], "--keep '59m': expected at least 1h, such as 12h, 2d or 4w"),
        (&["--output", "%F", "--keep", "2"], "write 2h for hours"),
        (&["--output", "exec.jsonl", "--keep", "1h"], "exec.jsonl has no full date"),
        (&["--output", "%F", "--keep-size", "2"], "at least 1MB"),
    ] {
        let (code, errors) = complaint(&procline(&["exec"]).args(arguments).output().unwrap());
        assert!(code == 2 && errors.contains(words), "{arguments:?}: {errors}");
    }
    let (code, errors) = complaint(&procline(&["--schema", "procmon"]).output().unwrap());
    assert!(code == 2 && errors.contains("not for process records"), "{errors}");
}

/// A script that starts procline also starts what is to be seen.
#[test]
fn the_group_that_started_it_is_seen() {
    let word = word("group");
    let script = format!("\"$0\" \"$@\" & read x; sh -c 'read x' {word}; kill $!; wait $!");
    let mut shell = command("sh", &["-c", &script, crate::support::PROCLINE, "exec", "--root"]);
    let Some(mut stream) = Stream::with("the_group_that_started_it_is_seen", &mut shell) else { return };
    writeln(&stream.running);
    stream.wait_for(|record| record.event == "exec" && record.has(&word));
    writeln(&stream.running);
    assert!(stream.running.0.wait().unwrap().success());
}

/// The options of each example subscribe. What follows a pipe is a filter of records like any other.
#[test]
fn every_example_subscribes() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let help = String::from_utf8(quiet(&mut procline(&["exec", "--help"]))).unwrap();
    let marked = readme.lines().filter_map(|line| line.strip_prefix("$ ")).chain(help.lines().map(str::trim));
    let examples: Vec<_> = marked.filter_map(|line| line.strip_prefix("procline exec")).collect();
    assert!(examples.len() >= 5, "{examples:?}");
    for example in examples {
        let logs = tempfile::tempdir().unwrap();
        // procline makes only the last directory of a path.
        fs::create_dir(logs.path().join("procline")).unwrap();
        let options = example.split('|').next().unwrap().replace("/var/log/", &format!("{}/", logs.path().display()));
        let words = quiet(&mut command("sh", &["-c", &format!("for word in {options}; do echo \"$word\"; done")]));
        let words = String::from_utf8(words).unwrap();
        let words: Vec<_> = words.lines().collect();
        let Some(mut stream) = Stream::start("every_example_subscribes", &words) else { return };
        stream.finish_unread();
        assert_eq!(stream.errors(), "", "{example}");
    }
}
