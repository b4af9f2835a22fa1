//! Masking, judged from outside: tables of real programs' command lines, what others test and publish, and what a
//! snapshot shows of real processes. The tables are in tests/masking/; `table` reads them.

mod cuts;
mod formats;
mod live;
mod others;
mod table;
mod wrappers;

use std::io::Write;
use std::process::Stdio;

use crate::support::{procline, quiet};
use table::{Case, cases};

/// What `procline redact` prints for command lines in a shell's syntax: one line for each.
fn redact(options: &[&str], lines: &[String]) -> Vec<String> {
    let mut command = procline(&["redact"]);
    let mut child = command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    // It writes while it reads: both pipes would fill up.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let masked: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(masked.len(), lines.len());
    masked
}

/// The output for the arguments as they are.
fn redact_arguments(arguments: &[&str]) -> String {
    String::from_utf8(quiet(procline(&["redact", "--"]).args(arguments))).unwrap()
}

/// What is wrong with the output for a case, if anything.
fn fault(case: &Case, masked: &str) -> Option<String> {
    let shown: Vec<_> = case.secrets.iter().filter(|secret| masked.contains(secret.as_str())).collect();
    if !shown.is_empty() {
        return Some(format!("line {}: shows {shown:?}: {masked}", case.number));
    }
    let changed = !case.matches(masked);
    changed.then(|| format!("line {}: changes what is no secret: {masked}\n    {}", case.number, case.line))
}

fn judge(name: &str, at_least: usize) {
    let cases = cases(name);
    assert!(cases.len() >= at_least, "{name}: {}", cases.len());
    let lines: Vec<String> = cases.iter().map(|case| case.line.clone()).collect();
    let masked = redact(&[], &lines);
    let wrong: Vec<String> = cases.iter().zip(&masked).filter_map(|(case, masked)| fault(case, masked)).collect();
    assert!(wrong.is_empty(), "{name}: {} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn no_secret_of_the_table_is_shown() {
    judge("secret.txt", 300);
}

#[test]
fn no_harmless_line_of_the_table_changes() {
    let cases = cases("harmless.txt");
    assert!(cases.iter().all(|case| case.secrets.is_empty()));
    judge("harmless.txt", 200);
}

/// The arguments after `--` need no shell's syntax, and give the same.
#[test]
fn a_command_line_and_a_line_of_input_give_the_same() {
    for line in [
        "mysql -u root -pS3cret1 shop",
        "psql \"host=h password='two words'\"",
        "sh -c 'curl -u \"joe:S3 cret\" h'",
        "echo 'nothing here'",
    ] {
        let arguments = table::split(line).unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let masked = redact_arguments(&arguments);
        assert_eq!(masked, format!("{}\n", redact(&[], &[line.to_owned()])[0]));
        assert!(!masked.contains("S3") && !masked.contains("two"), "{masked}");
    }
}

/// Each example of docs/masking.md, with what it prints.
#[test]
fn the_examples_of_the_documentation() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/masking.md")).unwrap();
    let mut examples = 0;
    for block in page.split("```console\n").skip(1) {
        let mut lines = block.lines().take_while(|line| *line != "```");
        while let Some(line) = lines.next() {
            let arguments = table::split(line.strip_prefix("$ procline ").unwrap()).unwrap();
            let output = quiet(procline(&[]).args(arguments));
            assert_eq!(String::from_utf8(output).unwrap(), format!("{}\n", lines.next().unwrap()), "{line}");
            examples += 1;
        }
    }
    assert_eq!(examples, 6);
}
