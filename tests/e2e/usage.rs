//! Wrong options: one sentence on standard error says what to write, and the exit code is 2. Also options that may be
//! repeated.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::support::{Tree, complaint, lines, procline, quiet};

/// The exit code and the one line of a command that fails. The line must have no control characters.
fn failure(command: &mut Command) -> (i32, String) {
    let (code, errors) = complaint(&command.output().unwrap());
    assert!(!errors.trim_end_matches('\n').contains(char::is_control), "{errors:?}");
    (code, errors)
}

fn assert_reported(mistakes: &[(&[&str], &str)]) {
    for (arguments, sentence) in mistakes {
        let (code, errors) = failure(&mut procline(arguments));
        assert_eq!((code, errors.trim_end()), (2, format!("procline: {sentence}").as_str()), "{arguments:?}");
    }
}

#[test]
fn an_unknown_option() {
    assert_reported(&[
        (&["inventory"], "procline inventory needs one of services, software, files"),
        (&["--field", "pid"], "unexpected argument '--field'; did you mean '--fields'?"),
        (&["--sort", "rss"], "there is no --sort: write --top N --by FIELD"),
        (&["--sort=-rss"], "there is no --sort: write --top N --by FIELD"),
        (&["aux"], "unexpected argument 'aux'; `procline --help` lists what there is"),
        (&["-p", "1"], "there is no -p: write --pid PID"),
        (&["-z"], "unexpected argument '-z'; `procline --help` lists what there is"),
        (&["--children", "yes"], "unexpected argument 'yes'; `procline --help` lists what there is"),
        (&["--children=yes"], "--children takes no value; remove =yes"),
        (&["field"], "unexpected argument 'field'; did you mean 'fields'?"),
        (&["fields", "--pid", "1"], "unexpected argument '--pid'; `procline fields --help` lists what there is"),
        (&["--top", "5", "fields"], "the command fields cannot be used with --top <N>"),
        (&["--interval", "-5s"], "unexpected argument '-5': no option takes a negative value"),
    ]);
}

#[test]
fn an_option_without_its_value_or_its_companion() {
    assert_reported(&[
        (&["--top"], "--top <N> needs a value"),
        (&["--by", "--top", "3"], "--by <FIELD> needs a value"),
        (&["--user", "root,"], "--user <USER> needs a value"),
        (&["--computer", ""], "--computer <NAME> needs a value"),
        (&["--procfs="], "--procfs <PATH> needs a value"),
        (&["--fields", "--top"], "--fields '--top': expected a list of fields, such as pid,user,command"),
        (&["--fields", ""], "--fields has an empty name in its list; `procline fields process` lists all names"),
        (&["--count", "2"], "--count needs --interval <DURATION>"),
        (&["--by", "rss"], "--by needs --top <N>"),
        (&["--keep", "7d"], "--keep needs --output <PATTERN>"),
        (&["--keep-size", "2GB"], "--keep-size needs --output <PATTERN>"),
        (&["--keep", "7d", "--file-mode", "0600"], "--keep and --file-mode need --output <PATTERN>"),
        (&["--no-redact", "--redact-word", "pin"], "--no-redact cannot be used with --redact-word <WORD>"),
    ]);
}

#[test]
fn an_invalid_value() {
    let duration = "expected a number with a unit (ms, s, m, h, d or w), such as 500ms, 10s or 5m";
    let units = "(units are ms, s, m, h, d and w)";
    let months = "M means months: write m for minutes, d for days or w for weeks, such as 5m or 30d";
    let bytes = "expected a number of bytes, at least 1024, or 0 for no limit";
    let keep = "expected at least 2d, so that readers have time to read the files, such as 7d or 4w";
    let pids = "expected process ids in digits, such as 1 or 42,43";
    let pattern = "expected a pattern with * ? [a-z] [!a-z], such as nginx*; write [[] for a bracket";
    let percent = "expected a percentage without %, 0 or more, such as 5 or 0.5";
    for (arguments, reason) in [
        (["--top", "-1"], "expected a whole number, 0 or more, such as 10"),
        (["--top", "many"], "expected a whole number, 0 or more, such as 10"),
        (["--count", "0"], "expected a whole number, 1 or more"),
        (["--count", "-1"], "expected a whole number, 1 or more"),
        (["--schema", "ECS"], "expected one of procline, oms, ecs, otel, procmon"),
        (["--format", "jsn"], "expected one of json, array, csv; did you mean 'json'?"),
        (["--pid", "self"], pids),
        (["--pid", "-1"], pids),
        (["--pid", ""], pids),
        (["--name", "a**b"], "a name has no directories: write * instead of **"),
        (["--name", "["], pattern),
        (["--exclude", "a[b"], pattern),
        (["--min-cpu", "much"], percent),
        (["--min-cpu", "-1"], percent),
        (["--min-cpu", "NaN"], percent),
        (["--interval", "60"], &format!("the unit is missing: write 60s for seconds {units}")),
        (["--sample", "1.5"], &format!("the unit is missing: write 1.5s for seconds {units}")),
        (["--keep", "7"], &format!("the unit is missing: write 7d for days {units}")),
        (["--interval", "5M"], months),
        (["--timeout", "5M"], months),
        (["--keep", "5M"], months),
        (["--timeout", "1y"], &months.replace("M means months", "y means years")),
        (["--interval", "soon"], duration),
        (["--timeout", ""], duration),
        (["--interval", "0"], "expected a duration longer than 0, such as 500ms, 10s or 5m"),
        (["--timeout", "1000000000w"], "expected at most 36500d"),
        (["--keep", "soon"], keep),
        (["--keep", "47h"], keep),
        (["--keep-size", "2"], "expected at least 1MB, such as 500MB, 2GB or 10GiB"),
        (["--keep-size", "2G"], "write 2GB, or 2GiB for multiples of 1024"),
        (["--max-record-bytes", "1023"], bytes),
        (["--max-record-bytes", "-1"], bytes),
        (["--max-record-bytes", "32k"], bytes),
        (["--label", "1a=x"], "expected KEY=VALUE; a key is a letter, then letters, digits, '_', '.' or '-'"),
        (["--redact-word", "a"], "expected 3 or more letters, digits, '_', '-' or '.'"),
        (
            ["--file-mode", "rw-"],
            "expected octal permissions that let the owner read and write, 0600 to 0777, such as 0640",
        ),
    ] {
        let [option, value] = arguments;
        assert_reported(&[(&arguments, &format!("{option} '{value}': {reason}"))]);
    }
}

#[test]
fn one_line_whatever_is_quoted() {
    for (arguments, code, words) in [
        (["--procfs", "a\nb"], 1, r"cannot open a\nb as"),
        (["--procfs", "a\r\tb\u{9b}31m\x7f"], 1, r"a\r\tb\u{9b}31m\u{7f}"),
        (["--rootfs", "a\nb"], 1, r"a\nb"),
        (["--name", "\x1b[31m["], 2, r"--name '\u{1b}[31m['"),
        (["--label", "a\n=b"], 2, r"--label 'a\n=b'"),
        (["--fields", "pid,a\nb"], 2, r"a\nb"),
        (["--schema", "a\nb"], 2, r"--schema 'a\nb'"),
        (["--a\nb", "c"], 2, r"'--a\nb'"),
        (["--output", "/nowhere/\x01/%Y"], 1, r"/nowhere/\u{1}"),
    ] {
        let (found, errors) = failure(&mut procline(&arguments));
        assert!(found == code && errors.contains(words), "{arguments:?}: {errors}");
    }
    let long = "x".repeat(100_000);
    let (code, errors) = failure(&mut procline(&["--procfs", &long]));
    assert!(code == 1 && errors.len() <= 4096 && errors.contains("cannot open xxx"), "{errors}");
    let broken = OsStr::from_bytes(b"caf\xe9");
    let (code, errors) = failure(procline(&["--name"]).arg(broken));
    assert_eq!((code, errors.as_str()), (2, "procline: the argument 'caf\u{fffd}' is not valid UTF-8\n"));
    // A path may contain such bytes.
    let (code, errors) = failure(procline(&["--procfs"]).arg(broken));
    assert!(code == 1 && errors.contains("cannot open caf\u{fffd}"), "{errors}");
}

#[test]
fn the_last_of_a_repeated_option_counts_and_lists_collect() {
    let tree = Tree::copy();
    let pids = |arguments: &[&str]| {
        let output = quiet(tree.procline(arguments).args(["--fields", "user", "--fields", "pid"]));
        let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap();
        lines(&output).into_iter().map(value).collect::<Vec<_>>()
    };
    for (arguments, expected) in [
        ("--pid 1,1300", &[1, 1300][..]),
        ("--pid 1,2 --pid 1300", &[1, 2, 1300]),
        ("--user www-data,4242", &[1300, 1500]),
        ("--user www-data --user 1000,4242", &[1200, 1201, 1202, 1300, 1500]),
        ("--name vim --name nginx", &[1201, 1300]),
        ("--user 1000 --exclude vim --exclude bash", &[1202]),
        ("--top 5 --top 1 --by rss --by cpu", &[1500]),
        ("--min-cpu 1000 --min-cpu 91.5 --children --children", &[1500]),
        ("--no-args --no-args --top 1 --timeout 1ms --timeout 10s", &[1500]),
        ("--schema ecs --schema procline --format csv --format json --max-record-bytes 0 --pid 1", &[1]),
    ] {
        let words: Vec<_> = arguments.split(' ').collect();
        assert_eq!(pids(&words), expected, "{arguments}");
    }
    let output = quiet(&mut tree.procline(&[
        "--pid=1",
        "--fields=Computer",
        "--computer=a",
        "--computer=b",
        "--label=x=1",
        "--label=y=2",
        "--interval=1h",
        "--count=9",
        "--interval=1ms",
        "--count=1",
    ]));
    assert_eq!(output, b"{\"Computer\":\"b\",\"x\":\"1\",\"y\":\"2\"}\n");
    let fields = quiet(&mut procline(&["fields", "--format", "text", "--format", "json"]));
    assert!(lines(&fields).len() > 1);
}

/// Help and the version are normal output: standard output, exit code 0, and no message if the reader is gone.
#[test]
fn help_and_version_are_output() {
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["fields", "--help"], &["help"]] {
        assert!(!quiet(&mut procline(arguments)).is_empty());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        quiet(procline(arguments).stdout(writer));
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, errors) = failure(procline(arguments).stdout(full).stderr(Stdio::piped()));
        assert!(code == 1 && errors.contains("No space left"), "{errors}");
    }
}
