//! `procline groups`: its sums against sums over procline's own records, names that nothing matches, and what blocks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Map, Value, json};

use crate::support::{Running, TestProcess, Tree, complaint, lacks, lines, make_fifo, procline, quiet};

type Record = Map<String, Value>;

fn parsed(output: &[u8]) -> Vec<Record> {
    lines(output).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The groups that the records of processes make, declared here a second time.
fn groups_of(processes: &[Record], by: &str) -> BTreeMap<Option<String>, Record> {
    const SUMS: [&str; 16] = [
        "cpu",
        "mem",
        "rss",
        "vsz",
        "threads",
        "fds",
        "cpu_now",
        "uss",
        "pss",
        "swap",
        "read_ops",
        "write_ops",
        "read_bytes",
        "write_bytes",
        "rchar",
        "wchar",
    ];
    let mut members: BTreeMap<Option<String>, Vec<&Record>> = BTreeMap::new();
    for process in processes {
        let key = process.get(by).map(|key| key.as_str().unwrap().to_owned());
        members.entry(key).or_default().push(process);
    }
    let group = |(key, members): (Option<String>, Vec<&Record>)| {
        let mut group = Record::new();
        if let Some(key) = &key {
            group.insert(by.into(), json!(key));
        }
        group.insert("count".into(), json!(members.len()));
        for name in SUMS {
            let values: Vec<_> = members.iter().filter_map(|member| member.get(name)).collect();
            if values.is_empty() {
                continue;
            }
            let whole: Option<i64> = values.iter().map(|value| value.as_i64()).sum();
            let tenths = || values.iter().map(|value| (value.as_f64().unwrap() * 10.0).round() as i64).sum::<i64>();
            group.insert(name.into(), whole.map_or_else(|| json!(tenths() as f64 / 10.0), |sum| json!(sum)));
        }
        let mut states: BTreeMap<&str, i64> = BTreeMap::new();
        let mut starts: Vec<&str> = members.iter().map(|member| member["start"].as_str().unwrap()).collect();
        starts.sort_unstable();
        for member in &members {
            *states.entry(member["state"].as_str().unwrap()).or_default() += 1;
        }
        group.insert("states".into(), json!(states));
        group.insert("oldest_start".into(), json!(starts[0]));
        group.insert("newest_start".into(), json!(starts[starts.len() - 1]));
        // Of equals, the first counts.
        let largest = members.iter().rev().max_by_key(|member| member["rss"].as_i64().unwrap()).unwrap();
        group.insert("command".into(), largest["command"].clone());
        (key, group)
    };
    members.into_iter().map(group).collect()
}

/// The same from the records of groups.
fn by_key(groups: Vec<Record>, by: &str) -> BTreeMap<Option<String>, Record> {
    let key = |mut group: Record| {
        group.remove("Computer");
        group.remove("timestamp");
        (group.get(by).map(|key| key.as_str().unwrap().to_owned()), group)
    };
    groups.into_iter().map(key).collect()
}

const KEYS: [&str; 6] = ["name", "exe", "user", "container", "unit", "cgroup"];
const ALL: [&str; 4] = ["--fields", "all", "--sample", "1ms"];

#[test]
fn sums_are_those_over_the_records_of_the_fixture_tree() {
    let tree = Tree::copy();
    // A second process of a name, larger than the first, and with a secret.
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap().replacen("1200", "1199", 1);
    let status = fs::read_to_string(tree.path("proc/1200/status")).unwrap().replace("5100 kB", "6100 kB");
    tree.write("proc/1199/stat", stat.as_bytes());
    tree.write("proc/1199/status", status.as_bytes());
    tree.write("proc/1199/statm", b"9999 1525 100 1 0 1 0\n");
    tree.write("proc/1199/cmdline", b"bash\0--password=verysecret\0");
    let processes = parsed(&quiet(&mut tree.procline(&ALL)));
    for by in KEYS {
        let ours = parsed(&quiet(&mut tree.procline(&[&["groups", "--by", by][..], &ALL].concat())));
        assert_eq!(by_key(ours, by), groups_of(&processes, by), "{by}");
    }
    let bash = parsed(&quiet(&mut tree.procline(&["groups", "--name", "bash", "--fields", "count,command"])));
    assert_eq!(json!(bash), json!([{"count": 2, "command": "bash --password=********"}]));
}

/// Secrets are masked as in the records of processes: in the command of the largest, and in labels.
#[test]
fn secrets_are_masked() {
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", b"bash\0--password=verysecret\0--kennwort\0other\0");
    let print = |arguments: &[&str]| {
        let base = ["--name=bash", "--fields=command", "--label", "api_token=labelled", "--label", "env=test"];
        let groups = parsed(&quiet(&mut tree.procline(&[&["groups"][..], &base, arguments].concat())));
        // The record of the one process has the same command and labels.
        assert_eq!(groups, parsed(&quiet(&mut tree.procline(&[&base[..], arguments].concat()))), "{arguments:?}");
        json!(groups)
    };
    let record = |command: &str, token: &str| json!([{"command": command, "api_token": token, "env": "test"}]);
    let masked = "********";
    let of_key = "bash --password=******** --kennwort other";
    assert_eq!(print(&[]), record(of_key, masked));
    let of_word = "bash --password=******** --kennwort ********";
    assert_eq!(print(&["--redact-word=kennwort"]), record(of_word, masked));
    assert_eq!(print(&["--no-redact"]), record("bash --password=verysecret --kennwort other", "labelled"));
    assert_eq!(print(&["--no-args"]), record("[bash]", masked));
}

/// Stopped processes, so that what they use does not change. The average of their CPU still does, and so does memory that
/// others share. So procline prints processes, groups and processes again, until each sum was right once: where it is the
/// same before and after.
#[test]
fn sums_are_those_over_live_records() {
    if TestProcess::lacks("sums_are_those_over_live_records") {
        return;
    }
    let kinds = ["plain", "plain", "threads", "nice", "uid_without_name", "zombie", "mlock", "title"];
    let processes = kinds.map(TestProcess::start);
    let pids: Vec<_> = processes.iter().map(|process| process.pid.to_string()).collect();
    let pids = ["--timeout", "5m", "--pid", &pids.join(",")];
    let print = |arguments: &[&str]| {
        let records = parsed(&quiet(&mut procline(&[arguments, &ALL, &pids].concat())));
        let changing = ["timestamp", "elapsed", "oom_score"];
        let keep = |record: Record| record.into_iter().filter(|(name, _)| !changing.contains(&&**name)).collect();
        records.into_iter().map(keep).collect::<Vec<Record>>()
    };
    for by in KEYS {
        let mut unproven = None;
        for _ in 0..100 {
            let [before, ours, after] = [&[][..], &["groups", "--by", by], &[]].map(print);
            let (before, ours, after) = (groups_of(&before, by), by_key(ours, by), groups_of(&after, by));
            assert!(before.keys().eq(ours.keys()) && after.keys().eq(ours.keys()), "{by}: {ours:?}");
            assert!(ours.iter().all(|(key, group)| group.len() == before[key].len()), "{by}: {ours:?}, {before:?}");
            let is_right = |key: &Option<String>, name: &String| {
                let [before, ours, after] = [&before, &ours, &after].map(|groups| groups[key].get(name));
                // Each run shares other pages of the C library with these processes.
                let near = |one: f64, other: f64| (one - other).abs() <= other * 0.05;
                let is_near = name == "pss"
                    && ours
                        .zip(before)
                        .is_some_and(|(one, other)| near(one.as_f64().unwrap(), other.as_f64().unwrap()));
                before == after && (ours == before || is_near)
            };
            let all = || before.iter().flat_map(|(key, group)| group.keys().map(|name| (key.clone(), name.clone())));
            let left: Vec<_> = unproven.take().unwrap_or_else(|| all().collect());
            unproven = Some(left.into_iter().filter(|(key, name)| !is_right(key, name)).collect());
            if unproven.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        assert_eq!(unproven, Some(Vec::new()), "{by}");
    }
}

#[test]
fn a_name_that_matches_nothing_has_a_record() {
    let tree = Tree::copy();
    let groups = |arguments: &[&str]| {
        let fields = ["--fields", "name,user,count,rss,cpu,states,oldest_start,command"];
        parsed(&quiet(&mut tree.procline(&[&["groups"][..], arguments, &fields].concat())))
    };
    let absent = json!({"name": "nosuch", "count": 0, "rss": 0, "cpu": 0.0, "states": {}});
    assert_eq!(json!(groups(&["--name", "nosuch"])), json!([absent]));
    let found = groups(&["--name", "nosuch", "--name", "no*", "--name", "nosuch", "--name", "nginx"]);
    assert_eq!((found.len(), &found[0]["name"], json!(found[1])), (2, &json!("nginx"), absent.clone()));
    // Another filter may leave none of them.
    let of_user = groups(&["--name", "nginx", "--user", "root"]);
    assert_eq!((of_user.len(), &of_user[0]["count"]), (1, &json!(0)));
    assert_eq!(json!(groups(&["--name", "nosuch", "--by", "user"])), json!([absent]));
    assert!(groups(&["--name", "no*"]).is_empty() && groups(&["--pid", "99999"]).is_empty());
    // Each snapshot has it, in CSV too.
    let arguments = ["groups", "--name=nosuch", "--fields=name,count", "--format=csv", "--interval=1ms", "--count=2"];
    assert_eq!(
        quiet(tree.procline(&arguments).args(["--label", "a=b"])),
        b"name,count,a,truncated\nnosuch,0,b,\nnosuch,0,b,\n"
    );
}

/// A script has its own name, and a descendant the name of its program.
#[test]
fn the_name_is_the_one_that_matched() {
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", b"bash\0/srv/job.sh\0");
    let groups = |arguments: &[&str]| {
        let groups =
            parsed(&quiet(&mut tree.procline(&[&["groups", "--fields", "name,count"][..], arguments].concat())));
        groups
            .iter()
            .map(|group| (group["name"].as_str().unwrap().to_owned(), group["count"].as_i64().unwrap()))
            .collect::<Vec<_>>()
    };
    let named =
        |names: &[(&str, i64)]| names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(groups(&["--name", "job.sh"]), named(&[("job.sh", 1)]));
    assert_eq!(groups(&["--name", "job*"]), named(&[("job.sh", 1)]));
    assert_eq!(groups(&["--name", "bash"]), named(&[("bash", 1)]));
    assert_eq!(groups(&["--name", "job.sh", "--children"]), named(&[("job.sh", 1), ("make", 1), ("vim", 1)]));
    assert_eq!(groups(&["--name", "job.sh", "--children", "--exclude", "vim"]), named(&[("job.sh", 1), ("make", 1)]));
}

/// A command line and a file that block cost their process its command and these values, and no group.
#[test]
fn what_blocks_is_left_out() {
    let tree = Tree::copy();
    let arguments = ["groups", "--fields", "name,count,rss,uss,command", "--timeout", "5m"];
    let mut expected = parsed(&quiet(&mut tree.procline(&arguments)));
    for name in ["proc/1200/cmdline", "proc/1300/smaps_rollup"] {
        fs::remove_file(tree.path(name)).unwrap();
        make_fifo(&tree.path(name));
    }
    let found = parsed(&quiet(&mut tree.procline(&arguments)));
    for group in &mut expected {
        match group["name"].as_str().unwrap() {
            "bash" => drop(group.insert("command".into(), json!("[bash]"))),
            "nginx" => drop(group.remove("uss")),
            _ => {}
        }
    }
    assert_eq!(found, expected);
}

/// The largest group of a tree, and the peak of resident memory after all were written, in KiB. Nothing is read that the
/// watchdog would replace a worker for, because each worker has its own buffers.
fn largest_and_peak(tree: &Tree) -> (u64, u64) {
    let fields = ["--fields", "name,count,rss,states,oldest_start"];
    let mut command = tree.procline(&[&["groups", "--interval", "1h"][..], &fields].concat());
    let mut child = Running::start(command.stdout(Stdio::piped()));
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let groups = lines.map(|line| serde_json::from_str::<Record>(&line).unwrap());
    // The last of the names.
    let mut counts = Vec::new();
    for group in groups {
        counts.push(group["count"].as_u64().unwrap());
        if group["name"] == "vim" {
            break;
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.0.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    (counts.into_iter().max().unwrap(), peak.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn memory_does_not_grow_with_the_processes() {
    let tree = Tree::copy();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    let add = |pids: std::ops::Range<u32>| {
        for pid in pids {
            tree.write(&format!("proc/{pid}/stat"), stat.replacen("1200", &pid.to_string(), 1).as_bytes());
        }
    };
    add(10_000..10_100);
    let (_, few) = largest_and_peak(&tree);
    add(10_100..30_000);
    let (largest, many) = largest_and_peak(&tree);
    assert_eq!(largest, 20_001);
    // 40 bytes for each process would be 777 KiB. A busy machine makes the peak vary by half of that.
    assert!(many <= few + 600, "{few} KiB, then {many} KiB");
}

#[test]
fn schemas_name_what_they_have() {
    let tree = Tree::copy();
    let print = |arguments: &[&str]| {
        let base = ["groups", "--name", "nginx", "--computer", "web-1", "--label", "env=test"];
        let mut records = parsed(&quiet(&mut tree.procline(&[&base[..], &ALL, arguments].concat())));
        let mut record = records.remove(0);
        assert!(record.remove("timestamp").or(record.remove("@timestamp")).is_some());
        json!(record)
    };
    let io = json!({"read_ops": 632_687, "write_ops": 632_675, "read_bytes": 20480, "write_bytes": 323_932_160,
                    "read_char": 323_934_931, "write_char": 323_929_600});
    let memory = json!({"rss": {"pct": 0.002, "bytes": 20480 * 1024}, "size": 55000 * 1024, "swap": 512 * 1024});
    let of_process =
        json!({"memory": memory, "num_threads": 4, "fd": {"open": 9}, "cpu": {"total": {"pct": 0.0}}, "io": io});
    let ecs = json!({"process": {"name": "nginx"}, "system": {"process": of_process}, "host": {"name": "web-1"},
                     "ecs": {"version": "8.17.0"}, "labels": {"env": "test"}});
    assert_eq!(print(&["--schema", "ecs"]), ecs);
    let of_process = json!({"executable": {"name": "nginx"}, "thread": {"count": 4}, "cpu": {"utilization": 0.0},
                            "memory": {"utilization": 0.002, "usage": 20480 * 1024, "virtual": 55000 * 1024},
                            "unix": {"file_descriptor": {"count": 9}}});
    let otel = json!({"process": of_process, "host": {"name": "web-1"}, "labels": {"env": "test"}});
    assert_eq!(print(&["--schema", "otel"]), otel);
    for (by, path, value) in [
        ("user", "/user/name", "www-data"),
        ("exe", "/process/executable", "/usr/sbin/nginx"),
        ("container", "/container/id", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ] {
        assert_eq!(print(&["--schema", "ecs", "--by", by]).pointer(path), Some(&json!(value)), "{by}");
    }
}

/// The window of `cpu_now`, and an interval: a busy process uses CPU in both.
#[test]
fn cpu_now_is_measured() {
    if lacks("cpu_now_is_measured", false, &["sh"]) {
        return;
    }
    let busy = Running::start(&mut crate::support::command("sh", &["-c", "while :; do :; done"]));
    let pid = busy.0.id().to_string();
    let arguments =
        ["groups", "--fields=count,cpu_now", "--sample=300ms", "--interval=300ms", "--count=3", "--pid", &pid];
    let found = parsed(&quiet(&mut procline(&arguments)));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|group| group["count"] == 1 && group["cpu_now"].is_f64()), "{found:?}");
    assert!(found.iter().any(|group| group["cpu_now"].as_f64() > Some(0.0)), "{found:?}");
}

#[test]
fn what_makes_no_sense_is_told() {
    for (arguments, words) in [
        (&["--by", "pid"][..], "name, exe, user, container, unit, cgroup"),
        (&["--fields", "pid"], "procline fields groups"),
        (&["--schema", "oms"], "not for groups records"),
        (&["--top", "3"], "--top"),
        (&["--fields", "cpu_now", "--sample", "1m"], "--timeout"),
        (&["--label", "count=1"], "count"),
    ] {
        let (code, errors) = complaint(&procline(&[&["groups"][..], arguments].concat()).output().unwrap());
        assert!(code == 2 && errors.contains(words), "{arguments:?}: {errors}");
    }
}
