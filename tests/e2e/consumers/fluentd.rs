//! Fluentd 1.x with the configs of fluentd/, and Fluentd 0.12 with the config of the legacy agent.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::exec::Follower;
use super::{Agent, Event, KINDS, Shipped, assert_carried, consumer, hard_tree, printed, shipped, text};
use crate::support::{PROCLINE, command};

/// Fluentd's own check of a config.
pub fn dry_run(program: &Path, arguments: &[&str], config: &Path) {
    let mut check = command(program.to_str().unwrap(), arguments);
    let output = check.arg("--dry-run").arg("-c").arg(config).output().unwrap();
    let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && !report.contains("[warn]") && !report.contains("[error]"), "{report}");
}

#[test]
fn fluentd_emits_every_record() {
    let Some(program) = consumer("fluentd_emits_every_record", "FLUENTD", "fluentd") else {
        return;
    };
    dry_run(&program, &[], &shipped("fluentd/process.conf"));
    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);
    let config = folder.path().join("process.conf");
    Shipped::read("fluentd/process.conf").with_procline().with("run_interval 60s", "run_interval 1s").write(&config);
    let mut agent = Agent::start(&program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
    let log = agent.log.clone();
    let found = agent.wait_for(2 * printed.len(), || events(&log, "procline.process"));
    assert_carried(found, &printed, zoned);
    assert_without_complaint(&agent);
}

/// Each other kind by itself, and beside process.conf in a directory that the agent includes.
#[test]
fn fluentd_emits_the_other_records() {
    let Some(program) = consumer("fluentd_emits_the_other_records", "FLUENTD", "fluentd") else {
        return;
    };
    for kind in &KINDS {
        let own = format!("{}.conf", kind.name);
        dry_run(&program, &[], &shipped("fluentd").join(&own));
        let (tree, printed) = kind.tree();
        for names in [vec![own.as_str()], vec![&own, "process.conf"]] {
            let folder = tempfile::tempdir().unwrap();
            for name in &names {
                let seconds = if *name == own { kind.seconds } else { 60 };
                Shipped::read(&format!("fluentd/{name}"))
                    .with_procline()
                    .with(&format!("run_interval {seconds}s"), "run_interval 1s")
                    .write(&folder.path().join(name));
            }
            let config = folder.path().join("fluent");
            fs::write(&config, "@include *.conf\n").unwrap();
            let mut agent = Agent::start(&program, &["-c".as_ref(), config.as_ref()], &folder, &tree);
            let log = agent.log.clone();
            let tag = format!("procline.{}", kind.name);
            let found = agent.wait_for(2 * printed.len(), || events(&log, &tag));
            assert_carried(kind.steady_events(found), &printed, zoned);
            if names.len() > 1 {
                agent.wait_for(1, || events(&log, "procline.process"));
            }
            assert_without_complaint(&agent);
        }
    }
}

/// The files of `procline exec`, of which a new one appears each hour.
#[test]
fn fluentd_emits_every_program() {
    const TEST: &str = "fluentd_emits_every_program";
    let Some(program) = consumer(TEST, "FLUENTD", "fluentd") else {
        return;
    };
    dry_run(&program, &[], &shipped("fluentd/exec.conf"));
    let follower = Follower {
        program: &program,
        config: |own, files| {
            let config = own.path().join("exec.conf");
            Shipped::read("fluentd/exec.conf")
                .with("/var/log/procline-exec/", &format!("{}/", files.display()))
                .with("/var/log/fluent/", &format!("{}/", own.path().display()))
                .with("refresh_interval 5s", "refresh_interval 1s")
                .write(&config);
            config
        },
        events: |log| events(log, "procline.exec"),
        is_at: |time, timestamp| time == zoned(timestamp),
        without_complaint: assert_without_complaint,
    };
    follower.follows(TEST);
}

/// The configs of the other kinds differ in the tag, the command and the interval. This test does not need Fluentd.
#[test]
fn the_configs_of_fluentd_are_alike() {
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(shipped("fluentd").join(format!("{name}.conf"))).unwrap();
        text.lines().filter(|line| !line.starts_with("# Fluentd")).map(str::to_owned).collect()
    };
    for kind in &KINDS {
        let (tag, command) = (format!("procline.{}", kind.name), format!("/usr/bin/procline {}", kind.command));
        let expected = lines("host").into_iter().map(|line| {
            let line = line.replace("procline.host", &tag).replace("/usr/bin/procline host", &command);
            line.replace("run_interval 60s", &format!("run_interval {}s", kind.seconds))
        });
        assert_eq!(lines(kind.name), expected.collect::<Vec<_>>(), "{}", kind.name);
        // The command works, and the records are hard to carry.
        let (_, printed) = kind.tree();
        assert!(serde_json::to_string(&printed).unwrap().contains("日本語"), "{printed:?}");
    }
}

/// What the stdout output printed with this tag: a time with zone, the tag, and the record.
pub fn events(log: &Path, tag: &str) -> Vec<Event> {
    let parse = |line: &str| {
        let (time, record) = line.split_once(&format!(" {tag}: "))?;
        Some(Event { time: time.to_owned(), record: serde_json::from_str(record).unwrap() })
    };
    text(log).lines().filter_map(parse).collect()
}

/// A time as the stdout output prints it.
pub fn zoned(timestamp: &str) -> String {
    let time = chrono::DateTime::parse_from_rfc3339(timestamp).unwrap();
    // The offset of `ZONE`.
    let zone = chrono::FixedOffset::east_opt(9 * 3600).unwrap();
    time.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S.%9f %z").to_string()
}

pub fn assert_without_complaint(agent: &Agent) {
    let log = agent.log();
    assert!(!log.contains("[warn]") && !log.contains("[error]"), "{log}");
}

/// The agent's own output plugin is not available. `out_oms_api.rb` replaces it, and writes what the plugin would send.
#[test]
fn fluentd_0_12_sends_what_the_script_sent() {
    let Some(program) = consumer("fluentd_0_12_sends_what_the_script_sent", "FLUENTD_0_12", "fluentd-0.12") else {
        return;
    };
    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &["--schema", "oms"]);
    let path = |name: &str| folder.path().join(name);
    let plugins = path("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::copy(shipped("tests/e2e/consumers/out_oms_api.rb"), plugins.join("out_oms_api.rb")).unwrap();
    dry_run(&program, &["-p", plugins.to_str().unwrap()], &shipped("fluentd/omsagent/process.conf"));
    let config = path("process.conf");
    Shipped::read("fluentd/omsagent/process.conf")
        .with("/usr/bin/procline", PROCLINE)
        .with("run_interval 1m", "run_interval 1s")
        .with("flush_interval 10s", "flush_interval 1s")
        .with("/var/opt/microsoft/omsagent/state/", &format!("{}/", path("state").display()))
        .write(&config);
    let begin = chrono::Utc::now().timestamp();
    let arguments = ["-p".as_ref(), plugins.as_ref(), "-c".as_ref(), config.as_ref()];
    let mut agent = Agent::start(&program, &arguments, &folder, &tree);
    let sent = path("sent.jsonl");
    let posts: Vec<Value> = agent
        .wait_for(2 * printed.len(), || text(&sent).lines().map(|line| serde_json::from_str(line).unwrap()).collect());
    let mut events = Vec::new();
    for post in &posts {
        assert_eq!((&post["log_type"], &post["time_generated_field"]), (&"process".into(), &"timestamp".into()));
        // The event's time is the time of arrival, in whole seconds, in any zone.
        let (time, now) = (post["event_time"].as_i64().unwrap(), chrono::Utc::now().timestamp());
        assert!(begin <= time && time <= now, "{begin} {time} {now}");
        let record = post["record"].as_object().unwrap().clone();
        // The service takes TimeGenerated from the record. That time is in the same second, or earlier.
        let timestamp = record["timestamp"].as_str().unwrap().to_owned();
        let taken = chrono::NaiveDateTime::parse_from_str(&timestamp, "%Y-%m-%dT%H:%M:%S%.6f").unwrap();
        assert!((begin..=time).contains(&taken.and_utc().timestamp()), "{taken} {time}");
        events.push(Event { time: timestamp, record });
    }
    assert!(events.iter().any(|event| event.record["pid"] == "1"), "the first process");
    assert_carried(events, &printed, str::to_owned);
    // The buffers have their own name, in the directory that the config names.
    let buffers: Vec<_> = fs::read_dir(path("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let own = |name: &std::ffi::OsString| name.to_str().unwrap().starts_with("out_oms_api_process");
    assert!(buffers.iter().all(own), "{buffers:?}");
    let log = agent.log();
    assert!(!log.contains("[warn]") && !log.contains("[error]"), "{log}");
}
