//! `--output` under failures: killed runs, full disks, locked files, and files that are moved away. What was in the
//! file stays, and only whole lines are added.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Lock, PROCLINE, Tree, command, complaint, lacks, lines, make_fifo, quiet, records, skip};

/// A tree with more than one batch of records. Command lines are short, several pages long, or longer than a record may
/// be.
fn long() -> Tree {
    let tree = Tree::copy();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    for (pid, bytes) in (5000..5018).zip([300, 9_000, 32_000, 120_000].into_iter().cycle()) {
        tree.write(&format!("proc/{pid}/stat"), stat.replacen("1200", &pid.to_string(), 1).as_bytes());
        let words: String = (0..bytes / 10).map(|n| format!("{pid}-{n:04}\0")).collect();
        tree.write(&format!("proc/{pid}/cmdline"), words.as_bytes());
    }
    tree
}

/// procline over the tree. Every byte of its lines is known.
fn writes(tree: &Tree, writer: &str, run: &str) -> Command {
    let mut command = tree.procline(&["--fields", "pid,command", "--no-redact", "--max-record-bytes", "0"]);
    command.args(["--timeout", "5m", "--label", &format!("writer={writer}"), "--label", &format!("run={run}")]);
    command
}

/// A random number below `end`.
fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end.max(1)
}

/// The lines of a file. Killed runs may have left some that are not JSON.
fn split(content: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(content).unwrap();
    assert!(text.ends_with('\n'));
    text.split_terminator('\n').collect()
}

/// Whether a process has locked a file, by proc_locks(5). Lines of processes that wait have an arrow.
fn holds_a_lock(pid: &str) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|lock| !lock.contains("->") && lock.split_whitespace().nth(4) == Some(pid))
}

/// Sets its flag when it is dropped, even if the test fails: another thread runs until then.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two processes write one file. One of them is killed repeatedly, at any moment and during its writes, while the other
/// continues. Every byte of the file is accounted for.
#[test]
fn a_writer_that_is_killed_costs_at_most_the_line_in_hand() {
    const KILLS: usize = 40;
    let tree = long();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let output = quiet(&mut writes(&tree, "WRITER", "RUN"));
    let expected = |writer: &str, run: &str| -> Vec<String> {
        let own = format!("\"writer\":\"{writer}\",\"run\":\"{run}\"");
        lines(&output).iter().map(|line| line.replace("\"writer\":\"WRITER\",\"run\":\"RUN\"", &own)).collect()
    };
    let start = |writer: &str, run: usize| {
        let mut command = writes(&tree, writer, &run.to_string());
        command.arg("--output").arg(&path);
        command
    };
    let begun = Instant::now();
    quiet(&mut start("victim", KILLS));
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();

    let stop = AtomicBool::new(false);
    let mut killed = BTreeSet::new();
    let survived = thread::scope(|scope| {
        let survivor = scope.spawn(|| {
            let mut runs = 0;
            while !stop.load(Ordering::Relaxed) {
                quiet(&mut start("survivor", runs));
                runs += 1;
            }
            runs
        });
        let raise = Raise(&stop);
        for run in 0..KILLS {
            let mut child = start("victim", run).spawn().unwrap();
            if run % 2 == 0 {
                thread::sleep(Duration::from_micros(random(2 * usual)));
            } else {
                // Wait until the file grows while this process holds the lock.
                let pid = child.id().to_string();
                let mut ends = || child.try_wait().unwrap().is_some();
                while !holds_a_lock(&pid) && !ends() {}
                let size = || fs::metadata(&path).unwrap().len();
                for _ in 0..=random(3) {
                    let before = size();
                    while size() == before && !ends() {}
                }
            }
            child.kill().unwrap();
            let status = child.wait().unwrap();
            if status.signal() == Some(Signal::KILL.as_raw()) {
                killed.insert(run);
            } else {
                assert_eq!(status.code(), Some(0));
            }
        }
        drop(raise);
        survivor.join().unwrap()
    });
    // This run closes the line that the last killed run left open.
    quiet(&mut start("survivor", survived));

    let content = fs::read(&path).unwrap();
    let mut runs: BTreeMap<(String, usize), Vec<&str>> = BTreeMap::new();
    let mut torn = Vec::new();
    let mut last = None;
    for line in split(&content) {
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(record) => {
                let run = (record["writer"].as_str().unwrap(), record["run"].as_str().unwrap().parse().unwrap());
                let run = (run.0.to_owned(), run.1);
                // The lines of one run are contiguous.
                assert!(last.as_ref() == Some(&run) || !runs.contains_key(&run), "{run:?}");
                runs.entry(run.clone()).or_default().push(line);
                last = Some(run);
            }
            Err(_) => torn.push((last.take(), line)),
        }
    }
    for run in 0..=survived {
        assert_eq!(runs[&("survivor".into(), run)], expected("survivor", &run.to_string()), "survivor {run}");
    }
    for run in 0..=KILLS {
        let all = expected("victim", &run.to_string());
        let found = runs.remove(&("victim".into(), run)).unwrap_or_default();
        let most = if killed.contains(&run) { found.len().min(all.len()) } else { all.len() };
        assert_eq!(found, all[..most], "victim {run}");
        // A torn line is the beginning of the line that comes next in the run, or of the run's first line.
        let next = all.get(found.len());
        let is_next = |(last, line): &(Option<(String, usize)>, &str)| {
            (found.is_empty() || *last == Some(("victim".into(), run)))
                && next.is_some_and(|next| next.starts_with(line) && next.len() > line.len())
        };
        if killed.contains(&run)
            && let Some(its) = torn.iter().position(is_next)
        {
            torn.remove(its);
        }
    }
    assert!(torn.is_empty(), "{} lines are of no killed run: {:?}", torn.len(), torn[0]);
    assert_eq!(runs.len(), survived + 1, "runs that nobody started");
}

/// Runs a shell script in a new mount namespace, and returns the folder for its findings. The script exits with 77 if
/// the machine cannot mount what it needs.
fn mounted(test: &str, programs: &[&str], script: &str) -> Option<tempfile::TempDir> {
    const BEGIN: &str = r#"
        set -u; program=$0 procfs=$1 rootfs=$2 mounted=$3 found=$4
        run() {
            "$program" --procfs "$procfs" --rootfs "$rootfs" --no-redact --fields pid,command --label run="$2" \
                --output "$mounted/$1" 2>> "$found/errors"
        }
        ext4() {
            truncate -s 8M "$found/image" && mkfs.ext4 -q -F "$found/image" && mount -o loop "$found/image" "$mounted"
        }
    "#;
    if lacks(test, true, &[&["unshare", "mount", "sh"], programs].concat()) {
        return None;
    }
    let (tree, mounted, found) = (long(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = command("unshare", &["--mount", "sh", "-c", &format!("{BEGIN}{script}"), PROCLINE]);
    command.args(["proc", "root"].map(|name| tree.path(name))).arg(mounted.path()).arg(found.path());
    let output = command.output().unwrap();
    if output.status.code() == Some(77) {
        skip(test, String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Some(found)
}

fn found(folder: &tempfile::TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

/// The file has whole lines when the disk is full, and after there is space again.
#[test]
fn a_full_disk_has_whole_lines() {
    for (mount, programs) in
        [("mount -t tmpfs -o size=4m none \"$mounted\"", &[][..]), ("ext4", &["mkfs.ext4", "truncate"])]
    {
        let script = format!(
            r#"
            {mount} || exit 77
            head -c 1000000 /dev/zero > "$mounted/room"
            runs=0; while run out $runs; do runs=$((runs + 1)); [ $runs -lt 100 ] || exit 1; done
            run out again; echo $? > "$found/code"
            cp "$mounted/out" "$found/full"
            rm "$mounted/room"
            run out after || exit 1
            cp "$mounted/out" "$found/after"
            "#
        );
        let Some(folder) = mounted(&format!("a_full_disk_has_whole_lines, {mount}"), programs, &script) else {
            continue;
        };
        let (full, after, errors) = (found(&folder, "full"), found(&folder, "after"), found(&folder, "errors"));
        assert_eq!(found(&folder, "code"), "1\n");
        assert_eq!(errors.lines().count(), 2, "{errors}");
        for line in errors.lines() {
            let sentence = line.starts_with("procline: no space for more lines in") && line.contains("/out, ");
            assert!(sentence && line.contains("No space left on device"), "{line}");
        }
        let whole = |text: &str| -> Vec<(String, u64)> {
            let record = |line: &&str| serde_json::from_str::<serde_json::Value>(line).unwrap();
            let records = lines(text.as_bytes()).iter().map(record).collect::<Vec<_>>();
            records.iter().map(|it| (it["run"].as_str().unwrap().into(), it["pid"].as_u64().unwrap())).collect()
        };
        let (full, added) = (whole(&full), whole(after.strip_prefix(&full).expect("what was there")));
        let first: Vec<_> = full.iter().filter(|(run, _)| run == "0").map(|(_, pid)| *pid).collect();
        assert_eq!(added.iter().map(|(_, pid)| *pid).collect::<Vec<_>>(), first, "{mount}");
        assert!(added.iter().all(|(run, _)| run == "after"));
        // A run without enough space wrote its first lines.
        let runs: BTreeSet<_> = full.iter().map(|(run, _)| run).collect();
        for run in runs {
            let pids: Vec<_> = full.iter().filter(|(it, _)| it == run).map(|(_, pid)| *pid).collect();
            assert!(first.starts_with(&pids), "{run}");
        }
    }
}

#[test]
fn a_filesystem_without_fallocate_and_one_that_is_read_only() {
    const TEST: &str = "a_filesystem_without_fallocate_and_one_that_is_read_only";
    let script = r#"
        mount -t ramfs none "$mounted" || exit 77
        run out 0 || exit 1
        cp "$mounted/out" "$found/out"
        mount -o remount,bind,ro "$mounted" || exit 77
        run out 1; echo $? > "$found/code"
        run new 1; echo $? >> "$found/code"
        run new/new 1; echo $? >> "$found/code"
        cmp "$mounted/out" "$found/out"
    "#;
    let Some(folder) = mounted(TEST, &["cmp"], script) else { return };
    assert!(lines(found(&folder, "out").as_bytes()).len() > 20);
    assert_eq!(found(&folder, "code"), "1\n1\n1\n");
    let errors = found(&folder, "errors");
    let sentences: Vec<_> = errors.lines().collect();
    assert!(sentences.len() == 3 && sentences.iter().all(|line| line.contains("Read-only file system")), "{errors}");
}

/// Nothing can write to a frozen filesystem. The run reports what it waits for, and ends.
#[test]
fn the_timeout_ends_a_write_that_blocks() {
    let script = r#"
        ext4 && run out 0 || exit 77
        cp "$mounted/out" "$found/before"
        fsfreeze --freeze "$mounted" || exit 77
        "$program" --procfs "$procfs" --rootfs "$rootfs" --timeout 3s --output "$mounted/out" 2> "$found/report" &
        for _ in $(seq 600); do [ -s "$found/report" ] && break; sleep 0.1; done
        fsfreeze --unfreeze "$mounted"
        wait $!; echo $? > "$found/code"
        run out 2 || exit 1
        cp "$mounted/out" "$found/after"
    "#;
    let programs = ["mkfs.ext4", "truncate", "fsfreeze"];
    let Some(folder) = mounted("the_timeout_ends_a_write_that_blocks", &programs, script) else { return };
    assert_eq!(found(&folder, "code"), "124\n");
    let report = found(&folder, "report");
    assert!(report.contains("timed out after 3s while writing to /") && report.ends_with("/out\n"), "{report}");
    assert!(found(&folder, "after").starts_with(&found(&folder, "before")));
}

/// A run over the tree that appends to this file.
fn appending(tree: &Tree, path: &Path) -> Command {
    let mut command = writes(tree, "one", "1");
    command.arg("--output").arg(path);
    command
}

#[test]
fn a_file_size_limit_ends_it_between_lines() {
    if lacks("a_file_size_limit_ends_it_between_lines", false, &["prlimit"]) {
        return;
    }
    let tree = long();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let whole = quiet(&mut writes(&tree, "one", "1"));
    // The limits: less than the first batch, more than it, all but one byte, and everything.
    for limit in [1, 1000, 300_000, whole.len() - 1, whole.len()] {
        let inner = appending(&tree, &path);
        let mut limited = command("prlimit", &[&format!("--fsize={limit}")]);
        limited.arg(inner.get_program()).args(inner.get_args());
        let output = limited.output().unwrap();
        let written = fs::read(&path).unwrap();
        if limit == whole.len() {
            assert_eq!((output.status.code(), &written), (Some(0), &whole));
            continue;
        }
        let (code, errors) = complaint(&output);
        assert!(code == 1 && errors.contains("out: files may not exceed"), "{errors}");
        assert!(written.len() <= limit && whole.starts_with(&written), "{limit}");
        lines(&written);
        fs::remove_file(&path).unwrap();
    }
}

/// Space is allocated before each batch is written. A batch has whole lines and at most 256 KiB, unless it is one long
/// line.
#[test]
fn batches_have_their_room_first() {
    if lacks("batches_have_their_room_first", false, &["strace"]) {
        return;
    }
    let tree = long();
    let folder = tempfile::tempdir().unwrap();
    let [path, trace] = ["out", "trace"].map(|name| folder.path().join(name));
    fs::write(&path, "{\"pid\":1").unwrap();
    let inner = appending(&tree, &path);
    let mut traced = command("strace", &["-f", "-y", "-e", "trace=fallocate,write,ftruncate,pwrite64", "-o"]);
    quiet(traced.arg(&trace).arg(inner.get_program()).args(inner.get_args()));
    let (trace, written) = (fs::read_to_string(trace).unwrap(), fs::read(&path).unwrap());
    let of_the_file: Vec<_> = trace.lines().filter(|line| line.contains(path.to_str().unwrap())).collect();
    let number = |line: &str, place| {
        let (_, arguments) = line.rsplit_once(", ").map(|_| line.split_once('>').unwrap()).unwrap();
        arguments.split([',', ')']).nth(place).unwrap().trim().parse::<usize>().unwrap()
    };
    let mut size = "{\"pid\":1".len();
    for (i, pair) in of_the_file.chunks(2).enumerate() {
        let [room, write] = pair else { panic!("{of_the_file:#?}") };
        let length = number(room, 3);
        assert!(room.contains("fallocate") && room.contains("FALLOC_FL_KEEP_SIZE"), "{room}");
        assert_eq!((number(room, 2), format!("= {length}")), (size, write[write.rfind('=').unwrap()..].to_owned()));
        let batch = &written[size..size + length];
        let is_one_line = batch.split_inclusive(|byte| *byte == b'\n').count() == 1;
        assert!(batch.ends_with(b"\n") && (length <= 256 * 1024 || is_one_line), "{length}");
        // Only the first batch closes the line that was open.
        assert_eq!(batch.starts_with(b"\n"), i == 0);
        size += length;
    }
    assert_eq!(size, written.len());
    assert!(of_the_file.len() >= 4, "{of_the_file:#?}");
}

#[test]
fn a_line_left_open_is_closed_when_there_is_another() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let run = |arguments: &[&str]| {
        quiet(tree.procline(&["--fields", "pid"]).args(arguments).arg("--output").arg(&path));
        fs::read_to_string(&path).unwrap()
    };
    fs::write(&path, "{\"pid\":1}\n{\"pi").unwrap();
    assert_eq!(run(&["--top=0"]), "{\"pid\":1}\n{\"pi");
    assert_eq!(run(&["--pid=2"]), "{\"pid\":1}\n{\"pi\n{\"pid\":2}\n");
    assert_eq!(run(&["--pid=2"]), "{\"pid\":1}\n{\"pi\n{\"pid\":2}\n{\"pid\":2}\n");
}

/// A program that reads the file as it grows sees each line once.
#[test]
fn a_reader_loses_and_repeats_nothing() {
    const RUNS: usize = 30;
    let tree = long();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    File::create(&path).unwrap();
    let done = AtomicBool::new(false);
    let read = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut file = File::open(&path).unwrap();
            let (mut rest, mut found) = (Vec::new(), Vec::new());
            loop {
                let is_last = done.load(Ordering::Relaxed);
                file.read_to_end(&mut rest).unwrap();
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<_> = rest.drain(..=end).collect();
                    found.push(String::from_utf8(line).unwrap());
                }
                if is_last {
                    assert!(rest.is_empty());
                    return found;
                }
            }
        });
        let raise = Raise(&done);
        for run in 0..RUNS {
            quiet(writes(&tree, "one", &run.to_string()).arg("--output").arg(&path));
        }
        drop(raise);
        reader.join().unwrap()
    });
    let expected = |run: usize| quiet(&mut writes(&tree, "one", &run.to_string()));
    let expected: Vec<u8> = (0..RUNS).flat_map(expected).collect();
    assert!(read.concat().as_bytes() == expected);
}

/// The lines in hand are written, whenever the signal arrives.
#[test]
fn a_signal_leaves_whole_lines() {
    let tree = long();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let begun = Instant::now();
    quiet(&mut appending(&tree, &path));
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
    for run in 0..20 {
        fs::write(&path, "").unwrap();
        let mut child = appending(&tree, &path).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_micros(random(usual)));
        let signal = if run % 2 == 0 { Signal::TERM } else { Signal::INT };
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert!(status.code() == Some(0) || status.signal() == Some(signal.as_raw()), "{status}");
        lines(&fs::read(&path).unwrap());
    }
}

#[test]
fn a_run_waits_for_a_lock_until_the_timeout() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let run = |arguments: &[&str]| -> Output {
        tree.procline(&["--fields", "pid", "--pid", "1"]).args(arguments).arg("--output").arg(&path).output().unwrap()
    };
    let lock = Lock::take(&path);
    for arguments in [&["--timeout", "300ms"][..], &["--timeout", "300ms", "--interval", "1ms", "--count", "2"]] {
        let (code, errors) = complaint(&run(arguments));
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains(path.to_str().unwrap()) && errors.contains("--timeout 300ms: end"), "{errors}");
    }
    // A signal ends the wait.
    for (arguments, code) in [(&[][..], None), (&["--interval", "1h"], Some(0))] {
        let mut command = tree.procline(&["--timeout", "10m"]);
        let child = command.args(arguments).arg("--output").arg(&path).stderr(Stdio::piped()).spawn();
        let child = waiting(child.unwrap());
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.code() == code && output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"");
    drop(lock);
    assert!(run(&["--timeout", "10s"]).status.success());
    assert_eq!(fs::read(&path).unwrap(), b"{\"pid\":1}\n");
}

/// Returns once the program waits for a lock, by proc_locks(5).
fn waiting(mut child: std::process::Child) -> std::process::Child {
    let pid = child.id().to_string();
    let is_waiting = |lock: &str| lock.contains("->") && lock.split_whitespace().any(|word| word == pid);
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(is_waiting) {
        assert!(child.try_wait().unwrap().is_none());
    }
    child
}

/// A file that was moved away or removed during the wait for its lock is not written to.
#[test]
fn a_file_that_goes_during_the_wait_for_its_lock_is_made_again() {
    let tree = Tree::copy();
    for is_moved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let [path, elsewhere] = ["out", "elsewhere"].map(|name| folder.path().join(name));
        let lock = Lock::take(&path);
        let mut command = tree.procline(&["--fields", "pid", "--pid", "1", "--timeout", "10m"]);
        let mut child = waiting(command.arg("--output").arg(&path).spawn().unwrap());
        if is_moved {
            fs::rename(&path, &elsewhere).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        drop(lock);
        assert!(child.wait().unwrap().success());
        assert_eq!(fs::read(&path).unwrap(), b"{\"pid\":1}\n");
        assert_eq!(fs::metadata(&elsewhere).map(|it| it.size()).ok(), is_moved.then_some(0));
    }
}

/// A worker that is stuck in the kernel still has the file of its snapshot open. It does not block the next snapshot.
#[test]
fn a_stuck_command_line_does_not_hold_the_lock() {
    let tree = Tree::copy();
    let cmdline = tree.path("proc/1200/cmdline");
    fs::remove_file(&cmdline).unwrap();
    make_fifo(&cmdline);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    quiet(tree.procline(&["--interval", "10ms", "--count", "3", "--timeout", "30s"]).arg("--output").arg(&path));
    let found = records(&fs::read(&path).unwrap());
    assert_eq!(found.iter().filter(|it| it.command.as_deref() == Some("[bash]")).count(), 3);
    assert_eq!(found.len() % 3, 0);
}
