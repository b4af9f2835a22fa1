//! `procline host`: equal to the system's own tools, to what is written down of the fixture, and the same by sysinfo as by
//! the files that another machine is read from.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::{PROCLINE, Running, Tree, command, complaint, fixture, lacks, lines, procline, quiet};

/// The record, as a reader of it would declare it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that each is there and of its type is what is tested")]
struct Host {
    os: Option<String>,
    os_version: Option<String>,
    kernel: String,
    architecture: String,
    virtualization: Option<String>,
    boot_time: String,
    uptime: f64,
    cpus: u64,
    cpu_now: Option<f64>,
    load1: f64,
    load5: f64,
    load15: f64,
    mem_total: u64,
    mem_available: u64,
    mem_used: u64,
    swap_total: u64,
    swap_free: u64,
    swap_used: u64,
    processes: u64,
    processes_running: u64,
    processes_sleeping: u64,
    processes_disk_sleep: u64,
    processes_idle: u64,
    processes_stopped: u64,
    processes_zombie: u64,
    threads: u64,
    users: Option<u64>,
    #[serde(rename = "Computer")]
    computer: String,
    timestamp: String,
}

/// The one record that these arguments print.
fn host(arguments: &[&str]) -> Map<String, Value> {
    let output = quiet(procline(&["host"]).args(arguments));
    let [line] = lines(&output)[..] else { panic!("one line: {}", String::from_utf8_lossy(&output)) };
    serde_json::from_str(line).unwrap()
}

/// What a shell's command prints, without the newline at its end.
fn shell(script: &str) -> String {
    let output = command("sh", &["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn one_record_of_these_fields() {
    let output = quiet(&mut procline(&["host", "--sample", "1ms"]));
    let [line] = lines(&output)[..] else { panic!("one line") };
    let host: Host = serde_json::from_str(line).unwrap();
    assert!(host.processes > 0 && host.threads >= host.processes, "{line}");
    assert!(host.timestamp.ends_with('Z') && host.boot_time < host.timestamp, "{line}");
    assert!(line.ends_with(&format!(r#""Computer":"{}","timestamp":"{}"}}"#, host.computer, host.timestamp)));
}

/// What does not change while it is looked at.
#[test]
fn equal_to_uname_nproc_free_and_the_files_of_the_system() {
    const TEST: &str = "equal_to_uname_nproc_free_and_the_files_of_the_system";
    if lacks(TEST, false, &["sh", "uname", "getconf", "free", "date", "awk"]) {
        return;
    }
    let found = host(&["--fields", "-cpu_now"]);
    for (field, script) in [
        ("os", ". /etc/os-release; echo \"$NAME\""),
        ("os_version", ". /etc/os-release; echo \"$VERSION_ID\""),
        ("kernel", "uname -r"),
        ("architecture", "uname -m"),
        ("boot_time", "date -u -d @$(awk '/^btime/ { print $2 }' /proc/stat) +%Y-%m-%dT%H:%M:%SZ"),
        ("cpus", "getconf _NPROCESSORS_ONLN"),
        ("mem_total", "free -k | awk '/^Mem/ { print $2 }'"),
        ("swap_total", "free -k | awk '/^Swap/ { print $2 }'"),
        ("Computer", "uname -n"),
    ] {
        let value = found.get(field).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        assert_eq!(value.unwrap_or_default(), shell(script), "{field}: {script}");
    }
}

#[test]
fn equal_to_systemd_detect_virt() {
    if lacks("equal_to_systemd_detect_virt", false, &["systemd-detect-virt"]) {
        return;
    }
    let expected = match shell("systemd-detect-virt") {
        none if none == "none" => None,
        name => Some(json!(name)),
    };
    assert_eq!(host(&["--fields", "+virtualization,-cpu_now"]).get("virtualization"), expected.as_ref());
}

/// What changes all the time: between two looks of the system's own tool, one of several times.
#[test]
fn equal_to_what_changes() {
    if lacks("equal_to_what_changes", false, &["sh", "free", "awk"]) {
        return;
    }
    for (fields, script) in [
        ("load1,load5,load15", "awk '{ print $1, $2, $3 }' /proc/loadavg"),
        ("mem_available,mem_used", "free -k | awk '/^Mem/ { print $7, $2 - $7 }'"),
        ("swap_free,swap_used", "free -k | awk '/^Swap/ { print $4, $2 - $4 }'"),
        ("uptime", "awk '{ print $1 }' /proc/uptime"),
    ] {
        let look = || -> Vec<f64> { shell(script).split(' ').map(|number| number.parse().unwrap()).collect() };
        let is_between = || {
            let before = look();
            let record = host(&["--fields", fields]);
            let found: Vec<_> = fields.split(',').map(|field| record[field].as_f64().unwrap()).collect();
            let after = look();
            let within = |place: usize| {
                let (low, high) = (before[place].min(after[place]), before[place].max(after[place]));
                // awk has rounded what it printed.
                (low - 0.01..=high + 0.01).contains(&found[place])
            };
            (0..found.len()).all(within)
        };
        assert!((0..100).any(|_| is_between()), "{fields} is never what {script} says");
    }
}

/// In a PID namespace of its own, so that nothing else starts or ends: as ps counts them.
#[test]
fn processes_and_threads_as_ps_counts_them() {
    const TEST: &str = "processes_and_threads_as_ps_counts_them";
    if lacks(TEST, true, &["unshare", "ps", "sh", "sleep", "kill"]) {
        return;
    }
    // A zombie is the child of a program that does not wait for it.
    let script = r#"
        for i in 1 2 3; do sleep 1000 & done
        kill -STOP $!
        sh -c 'sleep 0 & exec sleep 1000' &
        for i in $(seq 600); do
            case $(ps -e -o stat= | cut -c1 | sort | tr -d '\n') in *SSSTZ) break ;; esac
            sleep 0.1
        done
        ps -e -o stat=,nlwp=,comm=
        "$1" host --fields -cpu_now
    "#;
    let arguments = ["--fork", "--pid", "--mount-proc", "--kill-child", "sh", "-c", script, "sh", PROCLINE];
    let output = String::from_utf8(quiet(&mut command("unshare", &arguments))).unwrap();
    let (record, table) = output.trim_end().rsplit_once('\n').unwrap();
    let (table, record) = (record, table);
    let found: Map<String, Value> = serde_json::from_str(record).unwrap();
    let rows: Vec<_> = table.lines().filter(|line| !line.ends_with(" ps")).collect();
    let of = |letter: char| rows.iter().filter(|row| row.starts_with(letter)).count() as u64;
    let threads: u64 = rows.iter().map(|row| row.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum();
    // Where ps was, procline is: its main thread sleeps, its worker reads.
    assert_eq!(found["processes"], rows.len() as u64 + 1, "{output}");
    assert_eq!([&found["processes_stopped"], &found["processes_zombie"]], [&json!(1), &json!(1)], "{output}");
    assert_eq!((of('T'), of('Z')), (1, 1), "{output}");
    assert_eq!(found["threads"], threads + 2, "{output}");
}

/// By sysinfo without options, by files with them: the same.
#[test]
fn the_same_from_the_files_of_another_machine() {
    let here = host(&["--fields", "-cpu_now"]);
    let mounted = host(&["--fields", "-cpu_now", "--procfs", "/proc", "--rootfs", "/"]);
    let mut fixed = vec!["os", "os_version", "kernel", "boot_time", "cpus", "mem_total", "swap_total", "Computer"];
    // Linux 6.1 and newer.
    if fs::exists("/proc/sys/kernel/arch").unwrap() {
        fixed.push("architecture");
    }
    for field in fixed {
        assert_eq!(here.get(field), mounted.get(field), "{field}");
    }
    for field in ["load1", "load5", "load15", "mem_available", "mem_used", "swap_free", "swap_used", "uptime"] {
        assert!(here[field].is_number() && mounted[field].is_number(), "{field}");
    }
}

/// What procline prints of the fixture tree, held to a file.
#[test]
fn the_fixture_tree_as_golden_records() {
    for schema in ["procline", "ecs", "otel"] {
        let mut command = procline(&["host", "--schema", schema, "--computer", "web-1", "--sample", "1ms", "--procfs"]);
        let output = quiet(command.arg(fixture("proc")).arg("--rootfs").arg(fixture("root")));
        let mut found: Value = serde_json::from_slice(&output).unwrap();
        let timestamp = if schema == "ecs" { "@timestamp" } else { "timestamp" };
        assert!(found[timestamp].as_str().unwrap().ends_with('Z'));
        found[timestamp] = json!("TIMESTAMP");
        let golden = fixture(&format!("golden-host-{schema}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        }
        let expected: Value = serde_json::from_str(&fs::read_to_string(golden).unwrap()).unwrap();
        assert_eq!(found, expected, "{schema}");
    }
}

/// The order, too, is that of the table.
#[test]
fn the_fields_stand_in_the_order_of_the_table() {
    let table = quiet(&mut procline(&["fields", "host", "--format", "json"]));
    let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned();
    let names: Vec<_> = lines(&table).into_iter().map(name).collect();
    let table = String::from_utf8(quiet(&mut procline(&["host", "--format", "csv", "--sample", "1ms"]))).unwrap();
    assert_eq!(table.lines().next().unwrap().split(',').collect::<Vec<_>>(), names);
}

#[test]
fn what_cannot_be_known_is_omitted() {
    let tree = Tree::copy();
    for (file, fields) in [
        ("proc/loadavg", "load1,load5,load15"),
        ("proc/meminfo", "mem_total,mem_available,mem_used,swap_total,swap_free,swap_used"),
        ("proc/stat", "boot_time,cpus,cpu_now"),
        ("proc/sys/kernel/osrelease", "kernel"),
        ("root/etc/os-release", "os,os_version"),
        ("root/sys/class/dmi/id/sys_vendor", "virtualization"),
        ("root/run/utmp", "users"),
    ] {
        let _ = fs::remove_file(tree.path(file));
        let list = format!("{fields},Computer");
        let output = quiet(&mut tree.procline(&["host", "--fields", &list, "--computer", "c", "--sample", "1ms"]));
        assert_eq!(String::from_utf8(output).unwrap(), "{\"Computer\":\"c\"}\n", "{file}");
    }
    // A tree without processes has none.
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    assert_eq!(
        host(&["--procfs", empty, "--fields", "os,load1,processes"]),
        json!({"processes":0}).as_object().unwrap().clone()
    );
    let (code, errors) = complaint(&procline(&["host", "--procfs", "/nonexistent"]).output().unwrap());
    assert!(code == 1 && errors.contains("/nonexistent"), "{errors}");
}

/// The figure of the time between two snapshots: the files are exchanged between them.
#[test]
fn cpu_now_is_of_the_interval_just_past() {
    let tree = Tree::copy();
    let stat = |user: u64, idle: u64| {
        format!("cpu  {user} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\nbtime 1767225600\n")
    };
    tree.write("proc/stat", stat(100, 1000).as_bytes());
    let arguments = ["host", "--fields", "cpu_now,cpus", "--sample", "1ms", "--interval", "50ms"];
    let mut running = Running::start(tree.procline(&arguments).stdout(Stdio::piped()));
    let mut output = BufReader::new(running.0.stdout.take().unwrap()).lines();
    // No time has passed between two looks at the same file.
    assert_eq!(output.next().unwrap().unwrap(), r#"{"cpus":1}"#);
    for (user, idle, expected) in [(150, 1150, "25.0"), (150, 1250, "0.0"), (550, 1250, "100.0"), (551, 1252, "33.3")] {
        tree.write("proc/next", stat(user, idle).as_bytes());
        fs::rename(tree.path("proc/next"), tree.path("proc/stat")).unwrap();
        let found = output.by_ref().map(Result::unwrap).find(|line| line.contains("cpu_now")).unwrap();
        assert_eq!(found, format!(r#"{{"cpu_now":{expected},"cpus":1}}"#));
    }
}

/// Logins as who(1) counts them, in a file of this architecture that utmpdump(1) has made.
#[test]
fn users_as_who_counts_them() {
    if lacks("users_as_who_counts_them", false, &["utmpdump", "who"]) {
        return;
    }
    let tree = Tree::copy();
    let line = |kind: u32, pid: u32, user: &str, tty: &str| {
        format!(
            "[{kind}] [{pid:05}] [ts/0] [{user:<8}] [{tty:<12}] [{:<20}] [0.0.0.0        ] [2026-01-01T00:00:00,000000+00:00]\n",
            ""
        )
    };
    let text = [
        line(2, 0, "reboot", "~"),
        line(7, 1, "alice", "pts/0"),
        line(8, 1, "bob", "pts/1"),
        line(7, 1, "bob", "pts/2"),
    ];
    tree.write("utmp.txt", text.concat().as_bytes());
    let [source, target] = ["utmp.txt", "root/run/utmp"].map(|name| tree.path(name).to_str().unwrap().to_owned());
    fs::create_dir_all(tree.path("root/run")).unwrap();
    shell(&format!("utmpdump -r <{source} >{target} 2>/dev/null"));
    let expected = shell(&format!("who {target} | wc -l"));
    assert_eq!(expected, "2");
    let output = quiet(&mut tree.procline(&["host", "--fields", "users"]));
    assert_eq!(String::from_utf8(output).unwrap(), format!("{{\"users\":{expected}}}\n"));
}

/// The options that every kind of record shares.
#[test]
fn the_shared_options() {
    let tree = Tree::copy();
    let run = |arguments: &[&str]| String::from_utf8(quiet(tree.procline(&["host"]).args(arguments))).unwrap();
    for (arguments, expected) in [
        (&["--fields", "cpus,load1"][..], "{\"cpus\":1,\"load1\":0.5}\n"),
        (&["--fields", "cpus", "--format", "array"], "[{\"cpus\":1}\n]\n"),
        (&["--fields", "cpus,users,os", "--format", "csv"], "cpus,users,os,truncated\n1,,Debian GNU/Linux,\n"),
        (&["--fields", "cpus", "--label", "env=prod"], "{\"cpus\":1,\"env\":\"prod\"}\n"),
        (&["--fields", "cpus,Computer", "--computer", "c"], "{\"cpus\":1,\"Computer\":\"c\"}\n"),
        (&["--fields", "cpus", "--interval", "1ms", "--count", "3"], "{\"cpus\":1}\n{\"cpus\":1}\n{\"cpus\":1}\n"),
    ] {
        assert_eq!(run(arguments), expected, "{arguments:?}");
    }
    let file = tree.path("logs/%Y.jsonl");
    let file = file.to_str().unwrap();
    for _ in 0..2 {
        assert_eq!(run(&["--fields", "cpus", "--output", file]), "");
    }
    let written = fs::read_dir(tree.path("logs")).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_to_string(written.path()).unwrap(), "{\"cpus\":1}\n{\"cpus\":1}\n");
    // A record that is too long is cut, and says so.
    let label = format!("long={}", "x".repeat(3000));
    let line = run(&["--fields", "cpus", "--label", &label, "--max-record-bytes", "1024"]);
    assert!(line.len() <= 1024 && line.contains('…') && line.ends_with(",\"truncated\":true}\n"), "{line}");
}

#[test]
fn bad_input_gets_a_sentence() {
    for (arguments, sentence) in [
        (&["host", "--schema", "oms"][..], "--schema oms: not for host records; expected one of procline, ecs, otel"),
        (&["host", "--fields", "kernl"], "unknown field 'kernl' in --fields; did you mean 'kernel'?"),
        (&["host", "--schema", "otel", "--fields", "load1"], "--fields load1: no equivalent in schema otel"),
        (&["host", "--pid", "1"], "unexpected argument '--pid'"),
        (&["host", "now"], "unexpected argument 'now'; `procline host --help` lists what there is"),
        (&["host", "--sample", "20s"], "--sample 20s leaves no time within --timeout 10s"),
        (&["host", "--count", "2"], "--count needs --interval"),
        (&["hots"], "unexpected argument 'hots'; did you mean 'host'?"),
        (
            &["--interval", "1s", "host"],
            "the command host cannot be used with --interval <DURATION>: write procline host --interval",
        ),
        (&["--user", "root", "host"], "the command host cannot be used with --user <USER>"),
        (&["fields", "hosts"], "unknown kind of record 'hosts'; expected one of process, groups, host, disk, exec"),
        (
            &["fields", "host", "--schema", "oms"],
            "--schema oms: not for host records; expected one of procline, ecs, otel",
        ),
    ] {
        let (code, errors) = complaint(&procline(arguments).output().unwrap());
        assert!(code == 2 && errors.starts_with(&format!("procline: {sentence}")), "{arguments:?}: {errors}");
    }
}

/// Every kind of record in one table after the other, or one of them.
#[test]
fn the_tables_of_all_kinds() {
    let print = |arguments: &[&str]| String::from_utf8(quiet(procline(&["fields"]).args(arguments))).unwrap();
    for format in ["text", "markdown"] {
        let of_kind = |kind: &[&str]| print(&[kind, &["--format", format]].concat());
        let each =
            ["process", "groups", "host", "disk", "exec", "services", "software", "files"].map(|kind| of_kind(&[kind]));
        assert_eq!(of_kind(&[]), each.join("\n"), "{format}");
    }
    let rows = print(&["--format", "json"]);
    let mut kinds = BTreeMap::new();
    for row in lines(rows.as_bytes()) {
        let row: Value = serde_json::from_str(row).unwrap();
        *kinds.entry(row["record"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(
        kinds.keys().collect::<Vec<_>>(),
        ["disk", "exec", "files", "groups", "host", "process", "services", "software"]
    );
    // The OMS agent's script knew processes only.
    assert_eq!(print(&["--schema", "oms"]), print(&["process", "--schema", "oms"]));
}

/// Only what the requested fields need is read.
#[test]
fn only_the_files_that_the_fields_need_are_opened() {
    const TEST: &str = "host::only_the_files_that_the_fields_need_are_opened";
    if lacks(TEST, false, &["strace"]) {
        return;
    }
    let tree = Tree::copy();
    for (fields, opened) in [
        ("Computer,timestamp", &[][..]),
        ("load1", &["loadavg"]),
        ("cpus,boot_time", &["stat"]),
        ("mem_used", &["meminfo"]),
        ("os", &["os-release"]),
        ("kernel", &["osrelease", "arch"]),
        ("uptime", &["uptime"]),
        ("users", &["utmp"]),
    ] {
        let inner = tree.procline(&["host", "--fields", fields]);
        let mut strace = command("strace", &["-f", "-qq", "-e", "trace=openat,openat2", PROCLINE]);
        strace.args(inner.get_args());
        let output = strace.output().unwrap();
        let calls = String::from_utf8(output.stderr).unwrap();
        let root = tree.path("");
        let root = root.to_str().unwrap();
        // What is opened below one of the two roots, which are opened themselves by their whole path.
        let names: Vec<_> = calls
            .lines()
            .filter(|line| !line.contains("AT_FDCWD"))
            .filter_map(|line| line.split('"').nth(1))
            .map(|path| path.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, opened, "{fields} of {root}: {calls}");
    }
}

/// A read that blocks does not outlive the timeout, which says what was done.
#[test]
fn a_read_that_blocks_ends_with_the_timeout() {
    if lacks("a_read_that_blocks_ends_with_the_timeout", false, &["mkfifo"]) {
        return;
    }
    let tree = Tree::copy();
    let file = tree.path("proc/loadavg");
    fs::remove_file(&file).unwrap();
    quiet(&mut command("mkfifo", &[file.to_str().unwrap()]));
    let (code, errors) =
        complaint(&tree.procline(&["host", "--fields", "load1", "--timeout", "300ms"]).output().unwrap());
    assert_eq!((code, &*errors), (124, "procline: timed out after 300ms while reading about the machine\n"));
}
