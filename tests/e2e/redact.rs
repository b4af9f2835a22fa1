//! `procline redact`: one command line as arguments, many on standard input, and what is wrong with either.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::support::{Tree, lines, procline, quiet};

/// What the command prints for this standard input.
fn fed(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = procline(&[&["redact"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_command_line_is_printed_as_a_record_would_show_it() {
    let line = ["mysql", "-u", "root", "-phunter2", "a\nb"];
    let output = quiet(&mut procline(&[&["redact", "--"], &line[..]].concat()));
    assert_eq!(String::from_utf8_lossy(&output), "mysql -u root -p******** a\\nb\n");
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", (line.join("\0") + "\0").as_bytes());
    let record = quiet(&mut tree.procline(&["--pid", "1200", "--fields", "command"]));
    assert_eq!(lines(&record), [r#"{"command":"mysql -u root -p******** a\nb"}"#]);
    let output = quiet(&mut procline(&["redact", "--redact-word", "vault", "--", "x", "--vault-code", "1"]));
    assert_eq!(String::from_utf8_lossy(&output), "x --vault-code ********\n");
}

#[test]
fn each_line_of_standard_input_is_a_command_line() {
    let output = fed(&[], b"mysql -phunter2\n\nsh -c 'curl -u \"joe:hunter2\" h'  # a comment\nls -l");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "mysql -p********\n\nsh -c curl -u \"joe:********\" h\nls -l\n"
    );
    assert!(output.status.success() && output.stderr.is_empty());
    let output = fed(&["--redact-word=vault"], b"x --vault-code 1\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "x --vault-code ********\n");
}

#[test]
fn what_is_no_command_line_is_reported() {
    let output = fed(&[], b"ls\nls 'a\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "procline: standard input, line 2: a quote is not closed\n");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"ls\n"[..]));
    for (arguments, words) in [
        (&["mysql", "-pX"][..], "write -- before the command line"),
        (&["-pX"], "write -- before the command line"),
        (&["--redact-word=a"], "3 or more letters"),
    ] {
        let output = fed(arguments, b"");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && errors.contains(words), "{arguments:?}: {errors}");
    }
}
