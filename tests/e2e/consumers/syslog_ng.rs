//! syslog-ng with contrib/syslog-ng.conf: it runs procline, and writes one file per day.

use std::fs;

use super::{Agent, Event, Shipped, assert_carried, consumer, hard_tree, printed, text};

#[test]
fn syslog_ng_runs_it_and_writes_its_lines() {
    let Some(program) = consumer("syslog_ng_runs_it_and_writes_its_lines", "SYSLOG_NG", "syslog-ng") else {
        return;
    };
    let (folder, tree) = (tempfile::tempdir().unwrap(), hard_tree());
    let printed = printed(&tree, &[]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    Shipped::read("contrib/syslog-ng.conf")
        .with_procline()
        .with("--interval 60s", "--interval 1s")
        .with("/var/log/procline/", &path("lines/"))
        .write(path("procline.conf").as_ref());
    // Beside the include this config has a second destination for the same source and parser. It shows how they
    // understood each line.
    let main = format!(
        "@version: 3.38\n@include {:?}\n\
         destination d_seen {{ file({:?} template(\"${{S_ISODATE}} ${{.procline.pid}} ${{PROGRAM}} ${{MESSAGE}}\\n\") \
         time-zone(\"UTC\") frac-digits(3)); }};\n\
         log {{ source(s_procline); parser(p_procline); destination(d_seen); }};\n",
        path("procline.conf"),
        path("seen")
    );
    fs::write(path("main.conf"), main).unwrap();
    let [config, persist, pid, control] =
        [("cfgfile", "main.conf"), ("persist-file", "persist"), ("pidfile", "pid"), ("control", "control")]
            .map(|(option, name)| format!("--{option}={}", path(name)));
    let arguments = ["-F", "--no-caps", "--stderr", &config, &persist, &pid, &control].map(AsRef::as_ref);
    let mut agent = Agent::start(&program, &arguments, &folder, &tree);

    let read = || text(path("seen").as_ref()).lines().map(str::to_owned).collect();
    let seen: Vec<String> = agent.wait_for(2 * printed.len(), read);
    let written = || {
        let files = fs::read_dir(path("lines")).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files.iter().flat_map(|file| text(file).lines().map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let written = agent.wait_for(2 * printed.len(), written);
    let mut events = Vec::new();
    for (line, written) in seen.iter().zip(&written).take(2 * printed.len()) {
        let [time, pid, name, message] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(message, written, "the two destinations differ");
        let record: super::Record = serde_json::from_str(message).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!((name, pid), ("procline", record["pid"].to_string().as_str()));
        // The day in a file's name is the event's day in UTC.
        let day = record["timestamp"].as_str().unwrap().split('T').next().unwrap();
        assert!(text(path(&format!("lines/{day}.jsonl")).as_ref()).contains(message));
        events.push(Event { time: time.to_owned(), record });
    }
    assert_carried(events, &printed, |timestamp| timestamp.replace('Z', "+00:00"));
}
