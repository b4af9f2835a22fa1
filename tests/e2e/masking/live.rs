//! What a snapshot shows of processes whose command lines have secrets: in every schema and format, and in the fields beside
//! `command`.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use serde_json::Value;

use crate::limit::wait_for;
use crate::support::{Running, Tree, command, lacks, lines, procline, quiet};

/// A secret of each kind. The first argument is the program's name.
const COMMANDS: &[&[&str]] = &[
    &["mysql", "-", "-u", "root", "-pLive-S3c01", "shop"],
    &["redis-cli", "-", "-h", "cache", "-a", "Live-S3c02", "ping"],
    &["curl", "-", "-u", "joe:Live-S3c03", "h"],
    &["smbclient", "-", "-U", "joe%Live-S3c04", "//h/s"],
    &["app", "-", "--api-token", "Live-S3c05", "--port=80"],
    &["app", "-", "DB_PASSWORD=Live-S3c06;x&y", "z"],
    &["app", "-", "https://joe:Live-S3c07@h/p?q=1"],
    &["app", "-", "-H", "Authorization: Bearer Live-S3c08"],
    &["app", "-", "{\"a\":1,\"password\":\"Live-S3c09\",\"token\":\"Live-S3c10\"}"],
    &["app", "-", "Server=s;Password=Live-S3c11;Encrypt=true"],
    &["sudo", "-", "timeout", "5", "mysqldump", "-pLive-S3c12", "shop"],
    &["sh", "-", "-c", "cd /srv && redis-cli -a 'Live-S3c13 x' ping\ntrue"],
    &["app", "-", "--password", "/Live-S3c14"],
    &["app --password Live-S3c15 idle", "-"],
];

const SECRET: &str = "Live-S3c";

/// cat, with any name and arguments: with POSIXLY_CORRECT it does not look for options after its first operand, which is
/// its standard input, and waits there.
fn start(arguments: &[&str]) -> Running {
    let mut command = command("cat", &arguments[1..]);
    command.arg0(arguments[0]).env("POSIXLY_CORRECT", "1").stdin(Stdio::piped()).stdout(Stdio::null());
    let running = Running::start(&mut command);
    let path = format!("/proc/{}/cmdline", running.0.id());
    // Until it executes cat, the child has the arguments of the test.
    wait_for("cat", || std::fs::read(&path).is_ok_and(|text| text.starts_with(arguments[0].as_bytes())).then_some(()));
    running
}

/// The record of one process.
fn record(pid: u32, options: &[&str]) -> Value {
    let output = quiet(procline(&["--pid", &pid.to_string()]).args(options));
    let [line] = lines(&output)[..] else { panic!("one record of {pid}") };
    serde_json::from_str(line).unwrap()
}

#[test]
fn no_snapshot_of_a_real_process_shows_its_secret() {
    if lacks("no_snapshot_of_a_real_process_shows_its_secret", false, &["cat"]) {
        return;
    }
    for arguments in COMMANDS {
        let running = start(arguments);
        let fields = ["--fields", "pid,name,command,args"];
        let masked = record(running.0.id(), &fields);
        assert!(!masked.to_string().contains(SECRET), "{masked}");
        assert!(masked["command"].as_str().unwrap().contains("********"), "{masked}");
        // The process has the secret, and the other arguments stay.
        let shown = record(running.0.id(), &["--fields", "pid,name,command,args", "--no-redact"]);
        assert!(shown["command"].as_str().unwrap().contains(SECRET), "{shown}");
        let (masked, shown) = (masked["args"].as_array().unwrap(), shown["args"].as_array().unwrap());
        assert_eq!(masked.len(), arguments.len());
        for (masked, shown) in masked.iter().zip(shown) {
            assert!(masked == shown || shown.as_str().unwrap().contains(SECRET), "{masked} {shown}");
        }
    }
}

/// Every text in a JSON value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn every_schema_and_format_shows_the_same_masked_text() {
    let tree = Tree::copy();
    for arguments in COMMANDS {
        tree.write("proc/1200/cmdline", format!("{}\0", arguments.join("\0")).as_bytes());
        let snapshot = |options: &[&str]| {
            let output = quiet(tree.procline(&["--pid", "1200"]).args(options));
            String::from_utf8(output).unwrap()
        };
        let masked: Value = serde_json::from_str(&snapshot(&[])).unwrap();
        let masked = masked["command"].as_str().unwrap();
        assert!(masked.contains("********") && !masked.contains(SECRET), "{masked}");
        for schema in ["procline", "oms", "ecs", "otel"] {
            for fields in [&[][..], &["--fields", "+args"]] {
                if schema == "oms" && !fields.is_empty() {
                    continue;
                }
                let options = [&["--schema", schema], fields].concat();
                let mut found = Vec::new();
                texts(&serde_json::from_str(&snapshot(&options)).unwrap(), &mut found);
                assert!(found.iter().any(|text| text == masked), "{schema}: {found:?}");
                assert!(!found.iter().any(|text| text.contains(SECRET)), "{schema}: {found:?}");
                let array = snapshot(&[&options[..], &["--format", "array"]].concat());
                let mut same = Vec::new();
                texts(&serde_json::from_str(&array).unwrap(), &mut same);
                assert!(same.iter().any(|text| text == masked), "{schema}: {same:?}");
                assert!(!same.iter().any(|text| text.contains(SECRET)), "{schema}: {same:?}");
                let csv = snapshot(&[&options[..], &["--format", "csv"]].concat());
                let cell = masked.replace('\n', "\\n").replace('"', "\"\"");
                assert!(csv.contains(&cell) && !csv.contains(SECRET), "{schema}: {csv}");
            }
        }
        // The limit cuts the masked text.
        for limit in ["1024", "1100"] {
            let long = format!("{}\0{}\0", arguments.join("\0"), "x".repeat(3000));
            tree.write("proc/1200/cmdline", long.as_bytes());
            assert!(!snapshot(&["--max-record-bytes", limit, "--fields", "+args"]).contains(SECRET));
        }
    }
}

/// A directory, a unit or a name may repeat the secret of the command line.
#[test]
fn no_other_field_shows_what_the_command_line_hides() {
    let tree = Tree::copy();
    let all = |options: &[&str]| {
        let fields = ["--pid", "1200", "--sample", "1ms", "--fields", "all"];
        String::from_utf8(quiet(tree.procline(&fields).args(options))).unwrap()
    };
    let stat = std::fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    let (_, numbers) = stat.rsplit_once(')').unwrap();
    let path = "/srv/app/Live-S3c1/run";
    for link in ["exe", "cwd"] {
        let place = tree.path(&format!("proc/1200/{link}"));
        let _ = std::fs::remove_file(&place);
        symlink(path, place).unwrap();
    }
    tree.write("proc/1200/cgroup", b"0::/system.slice/app@Live-S3c2.service\n");
    tree.write("proc/1200/cmdline", b"app\0--password=Live-S3c1\0app --token Live-S3c2 --password=Live-S3c3 x\0");
    for options in [&[][..], &["--schema", "ecs"], &["--schema", "otel"], &["--format", "csv"]] {
        let shown = all(options);
        assert!(!shown.contains("Live-S3"), "{options:?}: {shown}");
    }
    assert!(all(&["--no-redact"]).contains(path));
    assert!(all(&["--no-redact"]).contains("app@Live-S3c2.service"));
    for link in ["exe", "cwd"] {
        std::fs::remove_file(tree.path(&format!("proc/1200/{link}"))).unwrap();
    }
    tree.write("proc/1200/cgroup", b"0::/system.slice/app@token=Live-S3c2.service\n");
    for (comm, arguments) in [
        // Programs that write their own title often make it their name, too. The kernel cuts that after 15 bytes.
        ("--token=Live-S3", "--token=Live-S3c3 running\0"),
        ("token=Live-S3c3", "token=Live-S3c3 app\0"),
        ("mysql -pLive-S3", "mysql -pLive-S3c4 shop\0\0\0"),
        ("a-long-program-", "a-long-program- --token Live-S3c5 idle\0"),
        ("a-long-program-", "/opt/a-long-program- --password=Live-S3c5\0"),
        // A name without arguments.
        ("token=Live-S3c3", ""),
    ] {
        tree.write("proc/1200/cmdline", arguments.as_bytes());
        tree.write("proc/1200/comm", format!("{comm}\n").as_bytes());
        tree.write("proc/1200/stat", format!("1200 ({comm}){numbers}").as_bytes());
        for options in [&[][..], &["--schema", "ecs"], &["--schema", "otel"], &["--format", "csv"]] {
            let shown = all(options);
            assert!(!shown.contains("Live-S3"), "{comm}, {options:?}: {shown}");
        }
    }
}

/// procline's own command line is in its snapshot, too.
#[test]
fn the_own_command_line_is_masked() {
    let label = ["--label", "api_token=Live-S3c9", "--label", "site=Berlin 3=b"];
    let output = quiet(procline(&["--name", "procline", "--fields", "command"]).args(label));
    let records: Vec<Value> = lines(&output).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut commands = records.iter().filter_map(|record| record["command"].as_str());
    assert!(commands.any(|command| command.contains("--label api_token=********")));
    for record in &records {
        assert_eq!((&record["api_token"], &record["site"]), (&"********".into(), &"Berlin 3=b".into()));
    }
    for options in [&["host", "--fields", "os"][..], &["--no-redact", "--pid", "1", "--fields", "pid"]] {
        let shown = String::from_utf8(quiet(procline(options).args(label))).unwrap();
        assert_eq!(shown.contains("Live-S3c9"), options.contains(&"--no-redact"), "{shown}");
    }
}
