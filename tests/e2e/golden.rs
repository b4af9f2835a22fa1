//! The real binary over a small tree that is written down, against lines that are written down.
//! `UPDATE_GOLDEN=1 cargo test golden` writes the lines anew.

use std::fs;

use crate::support::{fixture, lines, procline, quiet};

/// What is of the machine that runs the test, and of the moment, is given a name instead.
fn settled(output: &[u8]) -> String {
    let settle = |line: &&str| {
        let (head, _) = line.split_once("\"Computer\":").expect("a name");
        format!("{head}\"Computer\":\"COMPUTER\",\"timestamp\":\"TIMESTAMP\"}}\n")
    };
    lines(output).iter().map(settle).collect()
}

/// What procline prints of the fixture tree, held to a file.
fn assert_golden(fields: &str, name: &str) {
    let mut command = procline(&["--fields", fields, "--sample", "1ms", "--procfs"]);
    let output = quiet(command.arg(fixture("proc")).arg("--rootfs").arg(fixture("root")));
    let found = settled(&output);
    let golden = fixture(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(golden).unwrap());
}

#[test]
fn the_fixture_tree_as_lines() {
    assert_golden("default", "golden.jsonl");
}

#[test]
fn the_fixture_tree_with_every_field() {
    assert_golden("all,-Computer,-timestamp,+Computer,+timestamp", "golden-all.jsonl");
}

#[test]
fn the_environment_names_the_roots_and_an_option_beats_it() {
    let [proc, root] = ["proc", "root"].map(fixture);
    let golden = fs::read_to_string(fixture("golden.jsonl")).unwrap();
    let by_environment = quiet(procline(&[]).env("HOST_PROC", &proc).env("HOST_ROOT", &root));
    assert_eq!(settled(&by_environment), golden);
    let by_option = quiet(
        procline(&[])
            .env("HOST_PROC", "/nonexistent")
            .env("HOST_ROOT", "/nonexistent")
            .arg("--procfs")
            .arg(&proc)
            .arg("--rootfs")
            .arg(&root),
    );
    assert_eq!(settled(&by_option), golden);
    let empty = quiet(procline(&["--fields", "pid"]).env("HOST_PROC", "").env("HOST_ROOT", ""));
    assert!(lines(&empty).contains(&"{\"pid\":1}"));
}
