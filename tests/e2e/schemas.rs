//! `--schema ecs` and `otel`: every name, type and unit against our own record of the same process. What those names
//! mean is in the Elastic Common Schema 8.17, Metricbeat's `system.process` and OpenTelemetry's semantic conventions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Map, Value, json};

use crate::support::{Tree, complaint, lines, procline, quiet};

/// What another schema makes of a value of ours; none where it says nothing of such a process.
type Conversion = fn(&Map<String, Value>, &str) -> Option<Value>;

fn same(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    ours.get(field).cloned()
}

fn text(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some(ours.get(field)?.to_string().into())
}

fn bytes(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some((ours.get(field)?.as_i64().unwrap() * 1024).into())
}

/// As the decimal that it is, not as one double divided by another.
fn ratio(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    let percent = ours.get(field)?.to_string();
    Some(format!("{percent}e-2").parse::<f64>().unwrap().into())
}

fn milliseconds(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    let seconds = ours.get(field)?.to_string();
    Some((format!("{seconds}e3").parse::<f64>().unwrap() as i64).into())
}

fn whole(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some((ours.get(field)?.as_f64().unwrap().floor() as i64).into())
}

fn state_of_ecs(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some(match ours.get(field)?.as_str().unwrap().as_bytes()[0] {
        b'R' => json!("running"),
        b'S' => json!("sleeping"),
        b'I' => json!("idle"),
        b'Z' => json!("zombie"),
        letter => panic!("no such process in the fixture: {letter}"),
    })
}

fn state_of_otel(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some(match state_of_ecs(ours, field)?.as_str().unwrap() {
        "idle" => json!("sleeping"),
        "zombie" => json!("defunct"),
        word => json!(word),
    })
}

fn arguments(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    ours.get(field).filter(|command| !command.as_str().unwrap().starts_with('[')).cloned()
}

fn file_name(ours: &Map<String, Value>, _: &str) -> Option<Value> {
    Some(ours.get("exe")?.as_str().unwrap().rsplit('/').next().unwrap().into())
}

const ECS: &[(&str, &str, Conversion)] = &[
    ("user", "user.name", same),
    ("pid", "process.pid", same),
    ("mem", "system.process.memory.rss.pct", ratio),
    ("vsz", "system.process.memory.size", bytes),
    ("rss", "system.process.memory.rss.bytes", bytes),
    ("stat", "process.state", state_of_ecs),
    ("start", "process.start", same),
    ("time", "system.process.cpu.total.ticks", milliseconds),
    ("command", "process.command_line", arguments),
    ("Computer", "host.name", same),
    ("timestamp", "@timestamp", same),
    ("name", "process.name", same),
    ("ppid", "process.parent.pid", same),
    ("uid", "user.id", text),
    ("gid", "process.group.id", text),
    ("ruid", "process.real_user.id", text),
    ("group", "process.group.name", same),
    ("exe", "process.executable", same),
    ("cwd", "process.working_directory", same),
    ("args", "process.args", same),
    ("threads", "system.process.num_threads", same),
    ("session", "process.session_leader.pid", same),
    ("pgrp", "process.group_leader.pid", same),
    ("elapsed", "process.uptime", whole),
    ("entity_id", "process.entity_id", same),
    ("cpu_now", "system.process.cpu.total.pct", ratio),
    ("swap", "system.process.memory.swap", bytes),
    ("shared", "system.process.memory.share", bytes),
    ("fds", "system.process.fd.open", same),
    ("read_ops", "system.process.io.read_ops", same),
    ("write_ops", "system.process.io.write_ops", same),
    ("read_bytes", "system.process.io.read_bytes", same),
    ("write_bytes", "system.process.io.write_bytes", same),
    ("rchar", "system.process.io.read_char", same),
    ("wchar", "system.process.io.write_char", same),
    ("cgroup", "system.process.cgroup.path", same),
];

const OTEL: &[(&str, &str, Conversion)] = &[
    ("user", "process.user.name", same),
    ("pid", "process.pid", same),
    ("mem", "process.memory.utilization", ratio),
    ("vsz", "process.memory.virtual", bytes),
    ("rss", "process.memory.usage", bytes),
    ("stat", "process.state", state_of_otel),
    ("start", "process.creation.time", same),
    ("time", "process.cpu.time", same),
    ("command", "process.command_line", arguments),
    ("Computer", "host.name", same),
    ("timestamp", "timestamp", same),
    ("name", "process.executable.name", file_name),
    ("ppid", "process.parent_pid", same),
    ("uid", "process.user.id", same),
    ("ruid", "process.real_user.id", same),
    ("exe", "process.executable.path", same),
    ("cwd", "process.working_directory", same),
    ("args", "process.command_args", same),
    ("threads", "process.thread.count", same),
    ("session", "process.session_leader.pid", same),
    ("pgrp", "process.group_leader.pid", same),
    ("elapsed", "process.uptime", same),
    // Nobody works in the fixture; `process::conversions` has a unit test of one who does.
    ("cpu_now", "process.cpu.utilization", ratio),
    ("fds", "process.unix.file_descriptor.count", same),
    ("container", "container.id", same),
];

/// The values of a record by dotted name, and whether each name was one of its objects' keys: a name with a dot in it
/// would be no nesting.
fn flat(record: &Map<String, Value>, before: &str, into: &mut BTreeMap<String, Value>) {
    for (key, value) in record {
        assert!(!key.contains('.') || before == "labels.", "{key} is not nested");
        let name = format!("{before}{key}");
        match value {
            Value::Object(inner) => {
                assert!(!inner.is_empty(), "{name} is empty");
                flat(inner, &format!("{name}."), into);
            }
            value => assert!(into.insert(name, value.clone()).is_none(), "{key} stands twice"),
        }
    }
}

fn parsed(output: &[u8]) -> Vec<Map<String, Value>> {
    lines(output).into_iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Each of their records has what each of ours has, by their name, and nothing else. `kind` is known by its table and the mark of a
/// record that was cut.
fn compare(
    schema: &str,
    (kind, mark): (&str, &str),
    table: &[(&str, &str, Conversion)],
    ours: &[Map<String, Value>],
    theirs: &[Map<String, Value>],
) {
    assert_eq!(theirs.len(), ours.len());
    let mut seen = BTreeSet::new();
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut found = BTreeMap::new();
        flat(theirs, "", &mut found);
        assert_eq!(found.remove("labels.k8s.pod"), Some(json!("web-1")));
        assert_eq!(found.remove("ecs.version"), (schema == "ecs").then(|| json!("8.17.0")));
        for (field, name, form) in table {
            let (mut expected, mut value) = (form(ours, field), found.remove(*name));
            if ["timestamp", "accessed"].contains(field) {
                // Each run has its own, and reads the file.
                (expected, value) = (expected.map(|_| json!(0)), value.map(|_| json!(0)));
            }
            assert_eq!(value, expected, "{schema} {field} as {name} of {ours:?}");
            seen.extend(value.map(|_| *name));
        }
        assert!(found.is_empty(), "{schema}: {found:?}");
    }
    // Each of them was in some record.
    let never: Vec<_> = table.iter().filter(|(_, name, _)| !seen.contains(name)).map(|(field, ..)| field).collect();
    assert!(never.is_empty(), "{schema}: {never:?}");
    // And the program knows of no more.
    let listed = quiet(&mut procline(&["fields", kind, "--schema", schema, "--format", "json"]));
    let row = |row: &Map<String, Value>| [row["field"].clone(), row["name"].clone()].map(|text| text.to_string());
    let listed: BTreeSet<_> = parsed(&listed).iter().map(row).collect();
    let expected = table.iter().map(|(field, name, _)| [*field, *name]).chain([[mark; 2]]);
    assert_eq!(listed, expected.map(|names| names.map(|text| json!(text).to_string())).collect());
}

#[test]
fn every_field_by_name_nesting_and_unit() {
    let tree = Tree::copy();
    let all = ["--fields", "all", "--sample", "1ms"];
    let run = |more: &[&str]| parsed(&quiet(&mut tree.procline(&[&all, more].concat())));
    let ours = run(&[]);
    for (schema, table) in [("ecs", [ECS, &[("container", "container.id", same)]].concat()), ("otel", OTEL.to_vec())] {
        let theirs = run(&["--schema", schema, "--label", "k8s.pod=web-1"]);
        compare(schema, ("process", "command_truncated"), &table, &ours, &theirs);
    }
}

fn kind_of_ecs(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some(match ours.get(field)?.as_str().unwrap() {
        "directory" => json!("dir"),
        word => json!(word),
    })
}

/// Of regular files only.
fn size(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    ours.get(field).filter(|_| ours["kind"] == "file").cloned()
}

/// Four digits.
fn mode(ours: &Map<String, Value>, field: &str) -> Option<Value> {
    Some(format!("{:0>4}", ours.get(field)?.as_str().unwrap()).into())
}

const FILES_IN_ECS: &[(&str, &str, Conversion)] = &[
    ("path", "file.path", same),
    ("kind", "file.type", kind_of_ecs),
    ("size", "file.size", size),
    ("mode", "file.mode", mode),
    ("owner", "file.owner", same),
    ("group", "file.group", same),
    ("modified", "file.mtime", same),
    ("changed", "file.ctime", same),
    ("born", "file.created", same),
    ("target", "file.target_path", same),
    ("sha256", "file.hash.sha256", same),
    ("Computer", "host.name", same),
    ("timestamp", "@timestamp", same),
    ("uid", "file.uid", text),
    ("gid", "file.gid", text),
    ("accessed", "file.accessed", same),
    ("inode", "file.inode", text),
];

const FILES_IN_OTEL: &[(&str, &str, Conversion)] = &[
    ("path", "file.path", same),
    ("size", "file.size", size),
    ("mode", "file.mode", mode),
    ("owner", "file.owner.name", same),
    ("group", "file.group.name", same),
    ("modified", "file.modified", same),
    ("changed", "file.changed", same),
    ("born", "file.created", same),
    ("target", "file.symbolic_link.target_path", same),
    ("Computer", "host.name", same),
    ("timestamp", "timestamp", same),
    ("uid", "file.owner.id", text),
    ("gid", "file.group.id", text),
    ("accessed", "file.accessed", same),
    ("inode", "file.inode", text),
];

const SOFTWARE_IN_ECS: &[(&str, &str, Conversion)] = &[
    ("name", "package.name", same),
    ("version", "package.version", same),
    ("architecture", "package.architecture", same),
    ("size", "package.size", bytes),
    ("summary", "package.description", same),
    ("installed_at", "package.installed", same),
    ("source", "package.type", same),
    ("Computer", "host.name", same),
    ("timestamp", "@timestamp", same),
    ("homepage", "package.reference", same),
];

#[test]
fn files_and_packages_by_name_nesting_and_unit() {
    let folder = tempfile::tempdir().unwrap();
    let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
    fs::write(&file, "text").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o4750)).unwrap();
    symlink("file", &link).unwrap();
    let paths = [folder.path(), &file, &link].map(|path| path.to_str().unwrap());
    let files = |more: &[&str]| {
        parsed(&quiet(&mut procline(&[&["inventory", "files", "--fields", "all"], &paths[..], more].concat())))
    };
    let ours = files(&[]);
    for (schema, table) in [("ecs", FILES_IN_ECS), ("otel", FILES_IN_OTEL)] {
        let theirs = files(&["--schema", schema, "--label", "k8s.pod=web-1"]);
        compare(schema, ("files", "truncated"), table, &ours, &theirs);
    }

    let dpkg = folder.path().join("root/var/lib/dpkg");
    fs::create_dir_all(dpkg.join("info")).unwrap();
    fs::write(dpkg.join("info/one.list"), "").unwrap();
    let status = "Package: one\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2-3\nInstalled-Size: 5\n\
                  Homepage: https://example.com/\nDescription: a package\n";
    fs::write(dpkg.join("status"), status).unwrap();
    let root = folder.path().join("root");
    let software = |more: &[&str]| {
        let arguments = ["inventory", "software", "--fields", "all", "--rootfs", root.to_str().unwrap()];
        parsed(&quiet(&mut procline(&[&arguments, more].concat())))
    };
    let theirs = software(&["--schema", "ecs", "--label", "k8s.pod=web-1"]);
    compare("ecs", ("software", "truncated"), SOFTWARE_IN_ECS, &software(&[]), &theirs);
}

#[test]
fn the_default_fields_that_each_has() {
    let tree = Tree::copy();
    for (schema, table) in [("ecs", ECS), ("otel", OTEL)] {
        // The last of them by our order.
        let last = table.iter().position(|(field, ..)| *field == "timestamp").unwrap();
        let mut names: BTreeSet<_> = table[..=last].iter().map(|(_, name, _)| (*name).to_owned()).collect();
        names.extend((schema == "ecs").then(|| "ecs.version".to_owned()));
        let mut found = BTreeMap::new();
        flat(&parsed(&quiet(&mut tree.procline(&["--schema", schema, "--pid", "1"])))[0], "", &mut found);
        assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), names);
        let chosen = quiet(&mut tree.procline(&["--schema", schema, "--fields", "ppid,pid", "--pid", "1"]));
        assert!(parsed(&chosen)[0]["process"].as_object().unwrap().len() == 2);
    }
}

/// A list omits what has no equivalent; naming it is an error that names all of it.
#[test]
fn a_named_field_without_an_equivalent_is_an_error() {
    let tree = Tree::copy();
    for schema in ["oms", "ecs", "otel"] {
        for (list, names) in
            [("nice", "nice"), ("pid,nice,majflt,user,nice", "nice,majflt"), ("+state,-priority", "state,priority")]
        {
            let arguments = ["--schema", schema, "--fields", list];
            let (code, errors) = complaint(&tree.procline(&arguments).output().unwrap());
            let sentence = format!(
                "procline: --fields {names}: no equivalent in schema {schema}; \
                 `procline fields process --schema {schema}` lists what it has\n"
            );
            assert_eq!((code, errors), (2, sentence), "{list}");
        }
        for list in ["default", "resources,-pid", "all,-user"] {
            quiet(&mut tree.procline(&["--schema", schema, "--fields", list, "--sample", "1ms"]));
        }
    }
}

/// The unit and the precision of every number, as the records of that schema have them.
#[test]
fn the_table_tells_units_and_precision_of_its_schema() {
    let table = |schema: &str| {
        let rows = parsed(&quiet(&mut procline(&["fields", "process", "--schema", schema, "--format", "json"])));
        let row = |row: Map<String, Value>| {
            let field = row.get("field").unwrap_or(&row["name"]).as_str().unwrap().to_owned();
            (field, [&row["type"], &row["unit"], &row["meaning"]].map(|text| text.as_str().unwrap().to_owned()))
        };
        rows.into_iter().map(row).collect::<BTreeMap<_, _>>()
    };
    let ours = table("procline");
    for (schema, memory, percent, cpu_time) in
        [("oms", "KiB", "%", ""), ("ecs", "bytes", "1", "ms"), ("otel", "bytes", "1", "s")]
    {
        for (field, [_, unit, meaning]) in table(schema) {
            let [_, our_unit, our_meaning] = &ours[&field];
            let expected = match (field.as_str(), our_unit.as_str()) {
                ("time", _) => cpu_time,
                (_, "KiB") => memory,
                (_, "%") => percent,
                (_, same) => same,
            };
            assert_eq!(unit, expected, "{schema}: {field}");
            assert!(our_unit != "%" || meaning != *our_meaning, "{schema}: {field} is no percentage: {meaning}");
        }
    }
    let meaning = |schema: &str, field: &str| table(schema)[field][2].clone();
    for (schema, field, words) in [
        ("oms", "time", "minutes and seconds"),
        ("oms", "timestamp", "UTC without a zone, with microseconds"),
        ("oms", "mem", "%MEM"),
        ("ecs", "mem", "truncated to 0.001"),
        ("otel", "mem", "truncated to 0.001"),
        ("ecs", "cpu_now", "rounded to 0.001"),
        ("ecs", "elapsed", "whole seconds"),
        ("otel", "cpu_now", "all the machine's CPUs"),
    ] {
        assert!(meaning(schema, field).contains(words), "{schema}: {}", meaning(schema, field));
    }
}

#[test]
fn a_cell_of_csv_has_a_dotted_name() {
    let tree = Tree::copy();
    let arguments = ["--schema", "otel", "--fields", "pid,user,container", "--label", "a.b=c", "--format", "csv"];
    let output = String::from_utf8(quiet(&mut tree.procline(&arguments))).unwrap();
    let head = "process.pid,process.user.name,container.id,labels.a.b,command_truncated";
    assert_eq!(output.lines().next(), Some(head));
    assert!(output.lines().skip(1).all(|line| line.split(',').count() == 5), "{output}");
    assert!(output.contains("\n1,root,,c,\n"), "{output}");
}

/// Under whatever name, the command is what is cut first, then the arguments.
#[test]
fn what_is_cut_first() {
    let tree = Tree::copy();
    tree.write("proc/1/cmdline", format!("/bin/cat\0{}\0end\0", "x".repeat(30_000)).as_bytes());
    for (schema, command, args) in [
        ("ecs", "/process/command_line", "/process/args"),
        ("otel", "/process/command_line", "/process/command_args"),
        ("oms", "/command", ""),
    ] {
        for (most, cuts_args) in [("32000", true), ("4000", true), ("0", false)] {
            let fields = if schema == "oms" { "pid,command,user" } else { "pid,command,args,user" };
            let arguments = ["--schema", schema, "--fields", fields, "--pid", "1", "--max-record-bytes", most];
            let output = quiet(&mut tree.procline(&arguments));
            let record: Value = serde_json::from_slice(&output).unwrap();
            if most == "0" || schema == "oms" && most == "32000" {
                assert_eq!(record.get("command_truncated"), None);
                continue;
            }
            assert!(output.len() <= most.parse().unwrap() && record["command_truncated"] == true);
            let text = record.pointer(command).unwrap().as_str().unwrap();
            assert!(text.contains('…'), "{schema}");
            if !args.is_empty() {
                let marks = record.pointer(args).unwrap().to_string().contains('…');
                assert_eq!(marks, cuts_args && most == "4000", "{schema} {most}");
            }
        }
    }
}
