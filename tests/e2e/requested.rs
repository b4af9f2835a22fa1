//! The fields on request, compared with the system's own tools: ps, ls, readlink and psutil.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Map, Value};

use crate::support::{
    TestProcess, command, has_kernel_threads, lacks, lacks_psutil, lines, procline, program_for_all, quiet,
};

type Fields = Map<String, Value>;

/// All fields of one process, as this program prints them.
fn fields_of(command: &mut Command, pid: u32) -> Fields {
    let output = quiet(command.args(["--fields", "all", "--sample", "1ms", "--timeout", "5m"]));
    let mut all = lines(&output).into_iter().map(|line| serde_json::from_str::<Fields>(line).unwrap());
    all.find(|fields| fields["pid"] == pid).expect("the process")
}

/// A number or a string as text.
fn text(fields: &Fields, name: &str) -> String {
    match fields.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => panic!("{name} is absent"),
    }
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(quiet(&mut command(program, arguments))).unwrap().trim().to_owned()
}

/// Each field with the equivalent format of ps.
const AS_PS: &[(&str, &str)] = &[
    ("ppid", "ppid"),
    ("uid", "uid"),
    ("ruid", "ruid"),
    ("gid", "gid"),
    ("group", "group:70"),
    ("state", "s"),
    ("nice", "ni"),
    ("priority", "priority"),
    ("threads", "nlwp"),
    ("session", "sess"),
    ("pgrp", "pgrp"),
    ("minflt", "min_flt"),
    ("majflt", "maj_flt"),
    ("name", "comm"),
];

#[test]
fn equal_to_ps() {
    if TestProcess::lacks("equal_to_ps") {
        return;
    }
    for kind in
        ["plain", "nice", "negative_nice", "session_leader", "threads", "foreground", "uid_without_name", "zombie"]
    {
        let process = TestProcess::start(kind);
        let fields = fields_of(&mut procline(&[]), process.pid);
        let columns: Vec<_> = AS_PS.iter().flat_map(|(_, theirs)| ["-o".to_owned(), format!("{theirs}=")]).collect();
        let columns: Vec<_> = columns.iter().map(String::as_str).collect();
        let ps = output_of("ps", &[&["-p", &process.pid.to_string()], &columns[..]].concat());
        // ps prints a second word after a zombie's name.
        let ps: Vec<_> = ps.trim_end_matches(" <defunct>").split_whitespace().collect();
        assert_eq!(ps.len(), AS_PS.len(), "{ps:?}");
        for ((ours, _), theirs) in AS_PS.iter().zip(ps) {
            assert_eq!(text(&fields, ours), theirs, "{kind}: {ours}");
        }
        let seconds = |text: String| text.parse::<u64>().unwrap();
        let etimes = || seconds(output_of("ps", &["-o", "etimes=", "-p", &process.pid.to_string()]));
        let before = etimes();
        let elapsed = fields_of(&mut procline(&[]), process.pid)["elapsed"].as_f64().unwrap();
        assert!((before..=etimes()).contains(&(elapsed as u64)), "{kind}: {elapsed}");
    }
}

#[test]
fn equal_to_the_files_of_proc() {
    if TestProcess::lacks("equal_to_the_files_of_proc") {
        return;
    }
    for kind in ["plain", "threads", "mlock"] {
        let process = TestProcess::start(kind);
        let proc = |name: &str| format!("/proc/{}/{name}", process.pid);
        let fields = fields_of(&mut procline(&[]), process.pid);
        assert_eq!(text(&fields, "exe"), output_of("readlink", &[&proc("exe")]));
        assert_eq!(text(&fields, "cwd"), output_of("readlink", &[&proc("cwd")]));
        assert_eq!(text(&fields, "fds"), output_of("ls", &[&proc("fd")]).lines().count().to_string());
        assert_eq!(text(&fields, "oom_score"), output_of("cat", &[&proc("oom_score")]));
        let cgroup = fs::read_to_string(proc("cgroup")).unwrap();
        assert!(cgroup.lines().any(|line| line.ends_with(&format!(":{}", text(&fields, "cgroup")))), "{cgroup}");
        let status = fs::read_to_string(proc("status")).unwrap();
        for (ours, key) in
            [("ctx_voluntary", "voluntary_ctxt_switches"), ("ctx_involuntary", "nonvoluntary_ctxt_switches")]
        {
            assert!(status.lines().any(|line| line == format!("{key}:\t{}", text(&fields, ours))), "{ours}: {status}");
        }
        let arguments: Vec<_> =
            fs::read_to_string(proc("cmdline")).unwrap().trim_end_matches('\0').split('\0').map(Value::from).collect();
        assert_eq!(fields["args"], Value::Array(arguments));
        let boot_id = output_of("cat", &["/proc/sys/kernel/random/boot_id"]);
        let start = fs::read_to_string(proc("stat")).unwrap().split(' ').nth(21).unwrap().to_owned();
        assert_eq!(text(&fields, "entity_id"), format!("{boot_id}-{}-{start}", process.pid));
        assert_eq!(fields["kernel_thread"], false);
    }
    let zombie = TestProcess::start("zombie");
    let fields = fields_of(&mut procline(&[]), zombie.pid);
    for name in ["exe", "args", "uss", "pss", "swap"] {
        assert!(!fields.contains_key(name), "{name} of a zombie: {fields:?}");
    }
    if has_kernel_threads("equal_to_the_files_of_proc") {
        assert_eq!(fields_of(&mut procline(&[]), 2)["kernel_thread"], true);
    }
}

#[test]
fn equal_to_psutil() {
    const TEST: &str = "equal_to_psutil";
    if TestProcess::lacks(TEST) {
        return;
    }
    let script = "import json, sys, psutil\n\
                  p = psutil.Process(int(sys.argv[1])); m = p.memory_full_info(); i = p.io_counters()\n\
                  print(json.dumps({'uss': m.uss // 1024, 'swap': m.swap // 1024,\n\
                  'shared': m.shared // 1024, 'rss': m.rss // 1024, 'vsz': m.vms // 1024, 'fds': p.num_fds(),\n\
                  'read_ops': i.read_count, 'write_ops': i.write_count, 'read_bytes': i.read_bytes,\n\
                  'write_bytes': i.write_bytes, 'rchar': i.read_chars, 'wchar': i.write_chars}))";
    if lacks_psutil(TEST) {
        return;
    }
    for kind in ["plain", "mlock", "threads"] {
        let process = TestProcess::start(kind);
        let psutil = || {
            let text = output_of("python3", &["-c", script, &process.pid.to_string()]);
            serde_json::from_str::<BTreeMap<String, u64>>(&text).unwrap()
        };
        let ours = fields_of(&mut procline(&[]), process.pid);
        for (name, value) in psutil() {
            assert_eq!(ours[&name], value, "{kind}: {name}");
        }
    }
}

/// PSS divides shared memory among its users, and each program that reads it shares at least the C library. So pss is
/// compared with awk, a reader as small as procline, and may differ by 1 %.
#[test]
fn pss_is_near_the_value_of_another_reader() {
    if TestProcess::lacks("pss_is_near_the_value_of_another_reader")
        || lacks("pss_is_near_the_value_of_another_reader", true, &["awk"])
    {
        return;
    }
    let process = TestProcess::start("mlock");
    let path = format!("/proc/{}/smaps_rollup", process.pid);
    let pss = || output_of("awk", &["/^Pss:/ { print $2 }", &path]).parse::<f64>().unwrap();
    let framed = || {
        let (before, ours, after) = (pss(), fields_of(&mut procline(&[]), process.pid)["pss"].as_f64().unwrap(), pss());
        (before.min(after) * 0.99..=before.max(after) * 1.01).contains(&ours)
    };
    // Other processes that share the memory start and end.
    assert!((0..50).any(|_| framed()));
}

/// Without rights, a field that the user may not read is omitted, and nothing else changes.
#[test]
fn without_rights_each_is_left_out() {
    if TestProcess::lacks("without_rights_each_is_left_out")
        || lacks("without_rights_each_is_left_out", true, &["setpriv"])
    {
        return;
    }
    let (_folder, program) = program_for_all();
    let process = TestProcess::start("plain");
    let mut whole = fields_of(&mut procline(&[]), process.pid);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", program.to_str().unwrap()];
    let mut part = fields_of(&mut command("setpriv", &nobody), process.pid);
    for name in [
        "exe",
        "cwd",
        "uss",
        "pss",
        "swap",
        "fds",
        "read_ops",
        "write_ops",
        "read_bytes",
        "write_bytes",
        "rchar",
        "wchar",
    ] {
        assert!(whole.remove(name).is_some(), "{name} with rights");
        assert!(!part.contains_key(name), "{name} without rights");
    }
    // These change between the two runs.
    for name in ["timestamp", "elapsed", "cpu"] {
        part[name] = whole[name].clone();
    }
    assert_eq!(part, whole);
}
