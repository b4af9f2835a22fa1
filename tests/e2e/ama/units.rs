//! The units and cloud-init, checked by systemd and by the schema of cloud-init.

use std::collections::BTreeSet;
use std::fs;

use super::{KINDS, Start, all_units, arguments, file, parse, path, python, tool};
use crate::support::{PROCLINE, command, lacks};

/// What systemd reports about the units after this change. They start the program under test.
fn verify(change: (&str, &str)) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let names = all_units();
    let units = names.iter().map(|name| {
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

/// The exposure level is at most 2.0, or 2.5 for a service with capabilities. A service without any protection has 10.
#[test]
fn the_service_is_hardened() {
    if lacks("the_service_is_hardened", false, &["systemd-analyze"]) {
        return;
    }
    for unit in all_units().iter().filter(|unit| unit.ends_with(".service")) {
        let most = if file(unit).contains("\nAmbientCapabilities=") { "--threshold=25" } else { "--threshold=20" };
        for (threshold, good) in [(most, true), ("--threshold=5", false)] {
            let mut analyze = command("systemd-analyze", &["security", "--no-pager", "--offline=true", threshold]);
            assert_eq!(analyze.arg(path(unit)).output().unwrap().status.success(), good, "{unit} {threshold}");
        }
    }
}

/// The units of all kinds differ in what they write, where and when, and in what is listed here.
#[test]
fn the_kinds_have_the_same_units() {
    let own = ["Description=", "ExecStart=", "LogsDirectory=", "Environment=", "OnCalendar=", "AccuracySec="];
    let lines = |name: &str| -> BTreeSet<String> {
        let text = file(name);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.filter(|line| !own.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
    };
    let capabilities = |names: &str| [format!("CapabilityBoundingSet={names}"), format!("AmbientCapabilities={names}")];
    let state_directory = ["StateDirectory=procline", "StateDirectoryMode=0750"].map(str::to_owned);
    for kind in &KINDS {
        let (mut lacks, mut has) = (Vec::new(), Vec::new());
        match kind.list {
            // Its unit is of another kind: it is told of events, and says when it is ready.
            "exec" => continue,
            "groups" => has.extend(capabilities("CAP_DAC_READ_SEARCH")),
            "disk" | "files" => {
                // procline would skip what these settings mount.
                lacks.extend(["ProtectSystem=strict", "ProtectHome=yes", "ProtectKernelModules=yes"]);
                lacks.push("TimeoutStartSec=30s");
                has.extend(capabilities("CAP_DAC_READ_SEARCH"));
                let timeout = if kind.list == "disk" { "TimeoutStartSec=31min" } else { "TimeoutStartSec=11min" };
                let other = [timeout, "Nice=19", "IOSchedulingClass=idle", "ReadOnlyPaths=/"];
                has.extend(other.map(str::to_owned));
            }
            "services" | "software" => {
                lacks.push("TimeoutStartSec=30s");
                has.push("TimeoutStartSec=90s".to_owned());
            }
            "resources" => {
                lacks.extend(["Type=oneshot", "TimeoutStartSec=30s"]);
                has.extend(capabilities("CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"));
                let runs_on =
                    ["Type=simple", "Restart=on-failure", "RestartSec=60s", "[Install]", "WantedBy=multi-user.target"];
                has.extend(runs_on.map(str::to_owned));
            }
            _ => (),
        }
        if has.iter().any(|line| line.starts_with("AmbientCapabilities=")) {
            lacks.push("CapabilityBoundingSet=");
        }
        if kind.is_inventory() {
            has.extend(state_directory.clone());
        }
        let mut expected = lines("procline.service");
        for line in lacks {
            assert!(expected.remove(line), "{line}");
        }
        expected.extend(has);
        assert_eq!(lines(&kind.service()), expected, "{}", kind.name);
        if matches!(kind.start, Start::Timer { .. }) {
            assert_eq!(lines(&kind.unit()), lines("procline.timer"), "{}", kind.name);
        }
        if kind.is_inventory() {
            // The full state comes after the changes, and has no snapshot to compare with.
            let service = kind.service();
            expected.retain(|line| !state_directory.contains(line));
            expected.extend([format!("Wants={service}"), format!("After={service}")]);
            assert_eq!(lines(&kind.state_service()), expected, "{}", kind.name);
            let mut expected = lines("procline.timer");
            expected.extend(["OnActiveSec=2min", "OnUnitActiveSec=10h"].map(str::to_owned));
            assert_eq!(lines(&format!("{}-state.timer", kind.name)), expected, "{}", kind.name);
        }
    }
}

/// The full state has the same records as the changes, in the same files.
#[test]
fn states_are_of_what_changes_are_of() {
    for kind in KINDS.iter().filter(|kind| kind.is_inventory()) {
        let mut changes = arguments(&kind.service());
        let at = changes.iter().position(|word| word == "--changes").unwrap();
        let removed: Vec<_> = changes.drain(at..at + 3).collect();
        assert_eq!(removed, ["--changes", &format!("/var/lib/procline/{}.jsonl", kind.record), "--baseline"]);
        assert_eq!(changes, arguments(&kind.state_service()));
    }
}

/// procline's own timeout ends a run before systemd does, and before the timer starts the next one.
#[test]
fn the_limits_of_a_run_fit_each_other() {
    for kind in &KINDS {
        let Start::Timer { .. } = kind.start else { continue };
        let (service, timer) = (file(&kind.service()), file(&kind.unit()));
        let value = |text: &str, key: &str| text.lines().find_map(|line| line.strip_prefix(key)).expect(key).to_owned();
        let arguments = arguments(&kind.service());
        let timeout = arguments.iter().position(|word| word == "--timeout").map_or("10s", |at| &arguments[at + 1]);
        let seconds = |text: &str| humantime::parse_duration(text).unwrap().as_secs();
        let between = match value(&timer, "OnCalendar=").as_str() {
            "minutely" => 60,
            "hourly" => 3600,
            "*:0/5" => 300,
            "*:0/15" => 900,
            other => panic!("{other}"),
        };
        let [own, systemd] = [timeout, &value(&service, "TimeoutStartSec=")].map(seconds);
        assert!(own < systemd && systemd + seconds(&value(&timer, "AccuracySec=")) <= between, "{}", kind.name);
    }
}

/// The service that compresses files may write to the directories of all kinds whose files it compresses.
#[test]
fn files_of_all_kinds_are_compressed() {
    let names: Vec<_> = KINDS.iter().filter(|kind| kind.is_compressed()).map(|kind| kind.name).collect();
    let line = format!("\nLogsDirectory={}\n", names.join(" "));
    assert!(file("procline-compress.service").contains(&line), "{line}");
}

/// No unit has a setting that hides processes from procline, or its files from the agent.
#[test]
fn no_unit_hides_processes() {
    let texts: Vec<_> = all_units().iter().map(|name| file(name)).collect();
    for line in texts.join("\n").lines().filter(|line| !line.starts_with('#')) {
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
