//! What the documents promise.

use std::fs;

use crate::support::{PROCLINE, command, complaint, lacks, lines, procline, quiet};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let text = readme();
    let first = text.split("```").nth(1).expect("a block of commands");
    let commands: Vec<_> = first.lines().filter(|line| line.starts_with("cargo ")).collect();
    assert_eq!(commands.len(), 2, "{first}");
    assert!(commands[0].starts_with("cargo run --release") && commands[1].starts_with("cargo test"), "{first}");
}

#[test]
fn the_readmes_table_is_that_of_the_program() {
    let table = String::from_utf8(quiet(&mut procline(&["fields", "--format", "markdown"]))).unwrap();
    assert!(readme().contains(&table), "put this into README.md:\n{table}");
}

/// Each example, as it stands in the README and in `--help`, runs and prints something valid.
#[test]
fn every_example_runs() {
    if lacks("every_example_runs", false, &["sh", "jq"]) {
        return;
    }
    let help = String::from_utf8(quiet(&mut procline(&["--help"]))).unwrap();
    let (_, of_help) = help.split_once("Examples:").expect("examples");
    let text = readme();
    let marked = text.lines().filter_map(|line| line.strip_prefix("$ ")).chain(of_help.lines().map(str::trim));
    // Those with /host are run over the fixture tree by `golden`.
    let examples: Vec<_> = marked.filter(|line| line.starts_with("procline ") && !line.contains("/host")).collect();
    assert!(examples.len() >= 5, "{examples:?}");
    let folder = std::path::Path::new(PROCLINE).parent().unwrap().display();
    for example in examples {
        // What goes to a file goes to one that is the test's own.
        let logs = tempfile::tempdir().unwrap();
        let here = example.replace("/var/log/", &format!("{}/", logs.path().display()));
        let script = format!("PATH={folder}:$PATH; {here}");
        let output = quiet(&mut command("sh", &["-c", &script]));
        let may_match_nothing = example.contains("select") || example.contains("--name");
        if example.contains("--output") {
            let place = fs::read_dir(logs.path()).unwrap().next().expect(example).unwrap();
            let file = fs::read_dir(place.path()).unwrap().next().expect(example).unwrap();
            assert!(output.is_empty() && file.metadata().unwrap().len() > 0, "{example}");
        } else {
            assert!(may_match_nothing || !output.is_empty(), "{example}");
        }
    }
}

/// The manual page and the completions come from the definition that `--help` comes from, and their readers take them.
#[test]
fn the_manual_and_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let task = ["run", "--quiet", "--manifest-path", manifest, "--example", "manuals", "--"];
    quiet(command(env!("CARGO"), &task).arg(folder.path()));
    let written = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let help = String::from_utf8(quiet(&mut procline(&["--help"]))).unwrap();
    let options: Vec<_> = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 4).collect();
    for option in options.iter().filter(|word| word.chars().skip(2).all(|c| c == '-' || c.is_ascii_lowercase())) {
        assert!(written("procline.1").replace('\\', "").contains(option), "{option} in the manual");
        for name in ["procline.bash", "_procline", "procline.fish"] {
            assert!(written(name).contains(option.trim_start_matches('-')), "{option} in {name}");
        }
    }
    assert!(written("procline-fields.1").contains("Markdown") || written("procline-fields.1").contains("markdown"));
    if !lacks("the_manual_and_the_completions, man", false, &["groff"]) {
        let page = folder.path().join("procline.1");
        quiet(&mut command("groff", &["-man", "-Tascii", "-ww", "-z", page.to_str().unwrap()]));
    }
    if !lacks("the_manual_and_the_completions, bash", false, &["bash"]) {
        quiet(&mut command("bash", &["-n", folder.path().join("procline.bash").to_str().unwrap()]));
    }
}

#[test]
fn help_names_defaults_and_units() {
    let help = String::from_utf8(quiet(&mut procline(&["--help"]))).unwrap();
    for word in ["32000", "bytes", "[default: 10s]", "HOST_PROC", "HOST_ROOT", "124"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn a_wrong_option_is_told_with_a_near_one() {
    let output = procline(&["--field", "pid"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--fields"));
    for (arguments, word) in [
        (["--timeout", "soon"], "10s"),
        (["--timeout", "0s"], "longer than 0"),
        (["--max-record-bytes", "1023"], "at least 1024"),
        (["--max-record-bytes", "-1"], "at least 1024"),
    ] {
        let output = procline(&[&arguments.join("=")]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(word), "{arguments:?}: {errors}");
    }
}

#[test]
fn fields_cannot_be_written_to_a_full_disk_in_silence() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, errors) = complaint(&procline(&["fields"]).stdout(full).output().unwrap());
    assert!(code == 1 && errors.contains("No space left"), "{errors}");
    assert!(!lines(&quiet(&mut procline(&["--fields", "pid"]))).is_empty());
}
