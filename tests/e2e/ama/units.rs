//! The units and cloud-init, checked by systemd and by the schema of cloud-init.

use std::fs;

use super::{file, parse, path, python, tool};
use crate::support::{PROCLINE, command, lacks};

const UNITS: [&str; 6] = [
    "procline.service",
    "procline.timer",
    "procline-host.service",
    "procline-host.timer",
    "procline-compress.service",
    "procline-compress.timer",
];

/// What systemd reports about the units after this change. They start the program under test.
fn verify(change: (&str, &str)) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let units = UNITS.map(|name| {
        let text = file(name).replace("/usr/bin/procline", PROCLINE).replace(change.0, change.1);
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    });
    let output = command("systemd-analyze", &["verify", "--man=no"]).args(units).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    if lacks("systemd_finds_no_fault_with_the_units", false, &["systemd-analyze"]) {
        return;
    }
    assert_eq!(verify(("", "")), (true, String::new()));
    // systemd succeeds on keys that it does not know, but prints a line. So the check finds mistakes.
    for (right, wrong) in [("User=", "Usr="), ("OnCalendar=minutely", "OnCalendar=minutly"), (PROCLINE, "/nowhere")] {
        assert!(!verify((right, wrong)).1.is_empty(), "{wrong}");
    }
}

/// The exposure level is at most 2.0. A service without any protection has 10.
#[test]
fn the_service_is_hardened() {
    if lacks("the_service_is_hardened", false, &["systemd-analyze"]) {
        return;
    }
    for unit in UNITS.iter().filter(|unit| unit.ends_with(".service")) {
        for (threshold, good) in [("--threshold=20", true), ("--threshold=5", false)] {
            let mut analyze = command("systemd-analyze", &["security", "--no-pager", "--offline=true", threshold]);
            assert_eq!(analyze.arg(path(unit)).output().unwrap().status.success(), good, "{unit} {threshold}");
        }
    }
}

/// The units of the two kinds differ in what they write and where, and in nothing else.
#[test]
fn the_kinds_have_the_same_units() {
    let own = ["Description=", "ExecStart=", "LogsDirectory="];
    let common = |name: &str| -> Vec<String> {
        let text = file(name);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.filter(|line| !own.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
    };
    for unit in ["service", "timer"] {
        assert_eq!(common(&format!("procline.{unit}")), common(&format!("procline-host.{unit}")));
    }
}

/// No unit has a setting that hides processes from procline, or its files from the agent.
#[test]
fn no_unit_hides_processes() {
    for line in UNITS.map(file).join("\n").lines().filter(|line| !line.starts_with('#')) {
        for key in ["ProtectProc=", "ProcSubset=", "PrivateUsers=", "DynamicUser="] {
            assert!(!line.starts_with(key), "{line}");
        }
    }
}

#[test]
fn cloud_init_fits_its_schema() {
    let test = "cloud_init_fits_its_schema";
    let Some(schema) =
        tool(test, "cloud-init/usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json")
    else {
        return;
    };
    let text = file("cloud-init.yml");
    assert!(text.starts_with("#cloud-config\n"));
    let folder = tempfile::tempdir().unwrap();
    for (content, good) in [(text.clone(), true), (text.replace("runcmd:\n  - |", "runcmd: |"), false)] {
        let config = folder.path().join("config.yml");
        fs::write(&config, content).unwrap();
        let Some(mut check) = python(test, &["-m", "check_jsonschema", "--schemafile"]) else { return };
        let output = check.arg(&schema).arg(config).output().unwrap();
        assert_eq!(output.status.success(), good, "{output:?}");
    }
    // This schema accepts keys that it does not know.
    let Some(config) = parse(test, "yaml", &text) else { return };
    let keys: Vec<_> = config.unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["runcmd"]);
}

/// New and existing machines install the package with the same commands.
#[test]
fn cloud_init_and_the_run_command_install_alike() {
    let Some(config) = parse("cloud_init_and_the_run_command_install_alike", "yaml", &file("cloud-init.yml")) else {
        return;
    };
    let script = file("install.sh");
    let commands: String = script.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    assert_eq!(config.unwrap()["runcmd"][0], commands);
}
