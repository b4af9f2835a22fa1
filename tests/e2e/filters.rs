//! Which processes have a record: rows of arguments, and the pids that remain of the fixture tree.

use crate::support::{TestProcess, Tree, command, complaint, lacks, lines, procline, quiet, records};

fn pids(tree: &Tree, arguments: &str) -> Vec<u64> {
    let words: Vec<_> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
    let output = quiet(tree.procline(&words).args(["--fields", "pid"]));
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap();
    lines(&output).into_iter().map(value).collect()
}

#[test]
fn alone_and_combined() {
    let tree = Tree::copy();
    for (arguments, expected) in [
        ("", &[1, 2, 17, 1200, 1201, 1202, 1300, 1400, 1500][..]),
        ("--no-kernel-threads", &[1, 1200, 1201, 1202, 1300, 1400, 1500]),
        ("--user alice", &[1200, 1201, 1202]),
        ("--user 1000", &[1200, 1201, 1202]),
        ("--user 4242 --user www-data", &[1300, 1500]),
        ("--user nobody-has-this-name", &[]),
        ("--pid 1300 --pid 1 --pid 999 --pid 1", &[1, 1300]),
        ("--name nginx", &[1300]),
        ("--name n*x --name vim", &[1201, 1300]),
        ("--name NGINX", &[]),
        ("--name ngin", &[]),
        ("--name kworker*", &[17]),
        ("--name agetty", &[1400]),
        ("--name init", &[1]),
        ("--name bash", &[1200]),
        ("--exclude *", &[]),
        ("--exclude k* --exclude bash --no-kernel-threads", &[1, 1201, 1202, 1300, 1400, 1500]),
        ("--user alice --name vim", &[1201]),
        ("--user alice --name vim --exclude v*", &[]),
        ("--min-cpu 50", &[1300, 1500]),
        ("--min-cpu 91.4", &[1300, 1500]),
        ("--min-cpu 91.5", &[1500]),
        ("--name bash --children", &[1200, 1201, 1202]),
        ("--pid 1 --children --no-kernel-threads", &[1, 1200, 1201, 1202, 1300, 1400, 1500]),
        ("--pid 2 --children", &[2, 17]),
        ("--top 2", &[1500, 1300]),
        ("--top 3 --by rss", &[1500, 1300, 1]),
        ("--top 2 --by mem", &[1500, 1300]),
        ("--top 2 --by time --user alice", &[1201, 1200]),
        ("--top 0", &[]),
        ("--name bash --children --top 1 --by rss", &[1201]),
        // An excluded process has no record, even if its parent is selected. Its children have one.
        ("--pid 1 --children --exclude bash --no-kernel-threads", &[1, 1201, 1202, 1300, 1400, 1500]),
        ("--pid 1200 --children --exclude vim --top 5", &[1200, 1202]),
        ("--pid 2 --children --exclude kworker*", &[2]),
        // The lower pid comes first among equal values.
        ("--top 2 --by cpu_now --sample 1ms", &[1, 2]),
        ("--top 100 --by rss --no-kernel-threads", &[1500, 1300, 1, 1201, 1200, 1400, 1202]),
        ("--top 3 --by minflt", &[1, 2, 17]),
        // Any numeric field. A negative number comes after 0, and an absent one comes last.
        ("--top 2 --by threads", &[1300, 1]),
        ("--top 9 --by nice", &[1500, 1, 2, 1200, 1201, 1202, 1300, 1400, 17]),
        ("--top 4 --by fds", &[1300, 1200, 1, 2]),
        ("--top 9 --by uss", &[1500, 1300, 1, 1200, 2, 17, 1201, 1202, 1400]),
        ("--top 2 --by uss --user alice", &[1200, 1201]),
        ("--top 3 --by elapsed --no-kernel-threads", &[1, 1400, 1200]),
        ("--name bash --children --top 2 --by pid", &[1202, 1201]),
    ] {
        assert_eq!(pids(&tree, arguments), expected, "{arguments}");
    }
}

/// `--min-cpu` compares `cpu_now` if that is requested, whatever the other options are.
#[test]
fn the_least_cpu_is_of_now_if_that_is_requested() {
    let tree = Tree::copy();
    // Nothing runs in a copied tree: `cpu_now` is 0 for all, and `cpu` is not.
    for arguments in ["--sample 1ms --by cpu_now --top 5", "--sample 1ms --children", "--sample 1ms"] {
        let words: Vec<_> = arguments.split(' ').collect();
        let mut command = tree.procline(&words);
        command.args(["--min-cpu", "50", "--fields", "pid,cpu_now"]);
        assert_eq!(quiet(&mut command), b"", "{arguments}");
    }
    assert_eq!(pids(&tree, "--min-cpu 50 --top 5"), [1500, 1300]);
}

/// The id of a thread selects nothing, as in `ps -p`.
#[test]
fn a_thread_is_no_process() {
    if TestProcess::lacks("a_thread_is_no_process") {
        return;
    }
    let process = TestProcess::start("threads");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid)).unwrap();
    let ids: Vec<String> = tasks.map(|task| task.unwrap().file_name().into_string().unwrap()).collect();
    assert!(ids.len() > 1);
    for id in ids {
        for more in [&[][..], &["--children"], &["--top", "1"]] {
            let found = records(&quiet(procline(&["--pid", &id]).args(more)));
            let is_process = id == process.pid.to_string();
            assert_eq!(found.len(), usize::from(is_process), "{id} {more:?}");
        }
    }
}

/// A directory that is no proc filesystem is reported, whichever processes are requested.
#[test]
fn a_wrong_root_is_told_with_a_pid_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for arguments in
        [&["--pid", "1"][..], &["--pid", "1", "--children"], &["--pid", "1", "--top", "1", "--by", "rss"], &[]]
    {
        let mut command = procline(&["--fields", "pid", "--procfs", path]);
        let (code, errors) = complaint(&command.args(arguments).output().unwrap());
        assert_eq!(code, 1);
        assert!(errors.contains(&format!("no process in {path}")), "{arguments:?}: {errors}");
    }
    // A process that does not exist is no error if there are others.
    assert_eq!(quiet(&mut Tree::copy().procline(&["--pid", "999"])), b"");
}

#[test]
fn a_script_by_its_own_name_and_comm_cut_at_15_bytes() {
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", b"/usr/bin/bash\0-x\0/opt/jobs/nightly.sh\0--all\0");
    let stat = std::fs::read_to_string(tree.path("proc/1300/stat")).unwrap();
    tree.write("proc/1300/stat", stat.replace("(nginx)", "(a-long-program-)").as_bytes());
    tree.write("proc/1300/cmdline", b"/opt/a-long-program-name\0");
    for (pattern, expected) in
        [("nightly.sh", &[1200][..]), ("bash", &[1200]), ("a-long-program-name", &[1300]), ("a-long-program", &[])]
    {
        assert_eq!(pids(&tree, &format!("--name {pattern}")), expected, "{pattern}");
    }
}

#[test]
fn what_is_malformed_is_told() {
    for (argument, words) in [
        ("--name=[", "a pattern with"),
        ("--exclude=a[b", "a pattern with"),
        ("--min-cpu=much", "a percentage"),
        ("--min-cpu=-1", "a percentage"),
        ("--min-cpu=NaN", "a percentage"),
        ("--pid=self", "process ids in digits"),
        ("--top=-1", "a whole number"),
        ("--sample=0", "a duration"),
    ] {
        let output = procline(&[argument]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(words), "{argument}: {errors}");
    }
}

#[test]
fn a_field_that_is_not_numeric_is_reported() {
    for (field, error) in [
        ("user", "--by user: expected a numeric field, such as cpu, mem or vsz; `procline fields process` lists them"),
        (
            "timestamp",
            "--by timestamp: expected a numeric field, such as cpu, mem or vsz; `procline fields process` lists them",
        ),
        (
            "cpunow",
            "unknown field 'cpunow' in --by; did you mean 'cpu_now' or 'cpu'? `procline fields process` lists them all",
        ),
        ("0", "unknown field '0' in --by; `procline fields process` lists them all"),
        ("thread", "unknown field 'thread' in --by; did you mean 'threads'"),
        ("all", "unknown field 'all' in --by; "),
    ] {
        let (code, errors) = complaint(&procline(&["--top", "1", "--by", field]).output().unwrap());
        assert!(code == 2 && errors.starts_with(&format!("procline: {error}")), "{field}: {errors}");
    }
}

/// Every numeric field can be compared, whichever fields and schema are printed.
#[test]
fn by_each_numeric_field() {
    let tree = Tree::copy();
    let table = quiet(&mut procline(&["fields", "process", "--format", "json"]));
    let mut count = 0;
    for row in lines(&table).into_iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        let (name, kind) = (row["name"].as_str().unwrap(), row["type"].as_str().unwrap());
        let by = ["--top", "100", "--by", name, "--sample", "1ms"];
        if !["int", "float"].contains(&kind) {
            assert_eq!(tree.procline(&by).output().unwrap().status.code(), Some(2), "{name}");
            continue;
        }
        let output = quiet(tree.procline(&by).args(["--fields", &format!("{name},Computer")]));
        let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()[name].as_f64();
        let values: Vec<_> = lines(&output).into_iter().map(value).collect();
        assert!(values.len() == 9 && values.windows(2).all(|pair| pair[0] >= pair[1]), "{name}: {values:?}");
        for schema in ["oms", "ecs", "otel"] {
            let output = quiet(tree.procline(&by).args(["--schema", schema]));
            assert_eq!(lines(&output).len(), 9, "{name} {schema}");
        }
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// On the live machine: if ps prints the same order before and after, procline prints it, too.
#[test]
fn as_ps_sorts() {
    if lacks("as_ps_sorts", false, &["ps"]) {
        return;
    }
    for (by, sort) in [
        ("threads", "-nlwp"),
        ("nice", "-ni"),
        ("priority", "-priority"),
        ("vsz", "-vsz"),
        ("minflt", "-min_flt"),
        ("elapsed", "start_time"),
    ] {
        let ps = || {
            let output = quiet(&mut command("ps", &["-e", "-o", "pid=,comm=", "--sort", &format!("{sort},pid")]));
            let text = String::from_utf8_lossy(&output).into_owned();
            let rows = text.lines().filter_map(|line| line.trim_start().split_once(' '));
            // These come and go with this and other tests.
            let rows = rows.filter(|(_, name)| !["ps", "procline"].contains(&name.trim()));
            rows.take(4).map(|(pid, _)| pid.parse::<u64>().unwrap()).collect::<Vec<_>>()
        };
        let procline = || {
            let exclude = ["--exclude", "ps", "--exclude", "procline", "--fields", "pid"];
            let output = quiet(procline(&["--top", "4", "--by", by]).args(exclude));
            let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap();
            lines(&output).into_iter().map(value).collect::<Vec<_>>()
        };
        // Processes of other programs start, grow and end. But such a difference does not come up every time.
        let framed: Vec<_> =
            (0..100).map_while(|_| Some((ps(), procline(), ps())).filter(|(a, b, c)| a != b || b != c)).collect();
        assert!(framed.len() < 100, "--by {by}: {:?}", framed.last());
    }
}

#[test]
fn a_sample_that_leaves_no_time_is_reported() {
    let (code, errors) = complaint(&procline(&["--top", "1", "--by", "cpu_now", "--sample", "20s"]).output().unwrap());
    assert!(code == 2 && errors.contains("--sample 20s") && errors.contains("--timeout 10s"), "{errors}");
    // Without `cpu_now` there is no wait.
    quiet(&mut procline(&["--sample", "20s"]));
}

/// On the live machine: one process by its id, and a parent with its child.
#[test]
fn processes_of_this_machine() {
    let me = std::process::id().to_string();
    let found = records(&quiet(&mut procline(&["--pid", &me])));
    assert_eq!(found.iter().map(|record| record.pid).collect::<Vec<_>>(), [std::process::id()]);
    if TestProcess::lacks("processes_of_this_machine, with children") {
        return;
    }
    let process = TestProcess::start("plain");
    let output = quiet(&mut procline(&["--pid", &me, "--children", "--name", "e2e*", "--name", "python3*"]));
    let found = records(&output);
    assert!(
        found.iter().any(|record| record.pid == process.pid)
            && found.iter().any(|record| record.pid == std::process::id())
    );
    // Processes of other programs may grow between the sort and the output. This does not happen every time.
    let is_sorted = |_| {
        let top = records(&quiet(&mut procline(&["--top", "3", "--by", "rss"])));
        top.len() == 3 && top.windows(2).all(|pair| pair[0].rss >= pair[1].rss)
    };
    assert!((0..100).any(is_sorted));
}
