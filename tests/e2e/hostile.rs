//! Arbitrary bytes in place of the kernel's: every line stays valid and within its limit.

use procline::parse;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::anything::{Anything, check_line, parse_all};
use crate::support::{Tree, complaint, lines, quiet, records};

/// The kinds of bytes that matter: arbitrary bytes, text, and what JSON escapes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..6000),
        vec(0_u8..0x20, 0..3000),
        "[ -~\u{7f}-\u{2ff}€😀\"\\\\]{0,3000}".prop_map(String::into_bytes),
        // A valid line with one wrong byte.
        (any::<u8>(), 0_usize..120).prop_map(|(byte, place)| {
            let mut line =
                b"7 (cat) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 9000 1048576 99 18446744073709551615 1"
                    .to_vec();
            let place = place % line.len();
            line[place] = byte;
            line
        }),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(text in bytes()) {
        parse_all(&text);
    }

    #[test]
    fn every_line_is_valid_and_within_its_limit(
        name in any::<String>(), command in bytes(), whole: u64, part in prop::num::f64::ANY,
        max in prop_oneof![Just(0_usize), 1024_usize..9000], cut: bool,
    ) {
        check_line(&Anything { name, command, whole, part }, cut, max);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The real binary with arbitrary bytes in the files of one process: the other records are unchanged.
    #[test]
    fn files_of_any_bytes(stat in bytes(), status in bytes(), cmdline in bytes(), comm in vec(any::<u8>(), 0..20)) {
        let tree = Tree::copy();
        let before = records(&quiet(&mut tree.procline(&[])));
        tree.write("proc/1200/status", &status);
        tree.write("proc/1200/cmdline", &cmdline);
        let right = [b"1200 (", comm.as_slice(), b") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 1 1 1 1"].concat();
        tree.write("proc/1200/stat", &right);
        let after = records(&quiet(&mut tree.procline(&["--max-record-bytes", "1024"])));
        prop_assert_eq!(after.len(), before.len());
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before.pid == 1200 || before.command == after.command && before.user == after.user);
        }
        // An invalid `stat` gives no record: it is reported, and the other records are there.
        tree.write("proc/1200/stat", &stat);
        let output = tree.procline(&[]).output().unwrap();
        let there = records(&output.stdout);
        if parse::stat(&stat).is_some() {
            prop_assert!(output.status.success() && there.len() == before.len());
        } else {
            let (code, errors) = complaint(&output);
            prop_assert!(code == 1 && errors.contains("1200/stat") && there.len() == before.len() - 1, "{}", errors);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A secret is never shown, wherever it is in the command line and wherever reading or truncation cuts that. Even a
    /// useful part of it is not shown.
    #[test]
    fn a_secret_never_survives_a_cut(
        secret in "[A-Za-z0-9]{12,40}", flag in prop_oneof![Just("--password\0"), Just("--password="), Just("API_TOKEN=")],
        total in prop_oneof![1_usize..400, 9_000_usize..20_000], share in 0.0_f64..1.0,
        edge in prop_oneof![Just(None), (0_usize..200).prop_map(Some)], from_end: bool, max in 1024_usize..40_000,
    ) {
        let tree = Tree::copy();
        let mut words: Vec<String> = (0..total).map(|place| format!("argument{place:05}")).collect();
        // The secret is anywhere, or near a limit of what is read: the first 128 KiB and the last 16.
        let place = match edge {
            None => (share * total as f64) as usize,
            Some(near) if from_end => total.saturating_sub(16 * 1024 / 14).saturating_sub(100) + near,
            Some(near) => (128 * 1024 / 14_usize).saturating_sub(100) + near,
        };
        words.insert(place.min(total), format!("{flag}{secret}"));
        tree.write("proc/1200/cmdline", (words.join("\0") + "\0").as_bytes());
        for max in [max.to_string(), "0".to_owned()] {
            let arguments = ["--pid", "1200", "--fields", "command,args", "--max-record-bytes", &max];
            let output = quiet(&mut tree.procline(&arguments));
            let text = String::from_utf8(output).unwrap();
            prop_assert_eq!(lines(text.as_bytes()).len(), 1);
            for part in [&secret[..8], &secret[secret.len() - 8..]] {
                prop_assert!(!text.contains(part), "{part} of {secret}");
            }
        }
        // Without masking the secret is visible.
        let shown = quiet(&mut tree.procline(&["--pid", "1200", "--no-redact", "--max-record-bytes", "0"]));
        prop_assert!(total > 9_000 || String::from_utf8(shown).unwrap().contains(&secret));
    }
}

/// The kernel prints -1 as the group of a process that it is removing, and 0 as its parent: such a process is gone.
#[test]
fn a_process_that_is_removed_has_no_record() {
    let tree = Tree::copy();
    let before = records(&quiet(&mut tree.procline(&[])));
    tree.write("proc/1200/stat", b"1200 (sh) X 0 -1 -1 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 0 0 9000 0 0 0");
    let after = records(&quiet(&mut tree.procline(&[])));
    assert_eq!(after.len(), before.len() - 1);
    assert!(after.iter().all(|record| record.pid != 1200));
}

#[test]
fn secrets_are_masked_in_command_and_args_alike() {
    let tree = Tree::copy();
    tree.write("proc/1200/cmdline", b"mysql\0-psecret1\0--vault-code\0secret2\0-h\0db\0");
    let one = |arguments: &[&str]| {
        let output = quiet(tree.procline(&["--pid", "1200"]).arg("--fields=command,args").args(arguments));
        lines(&output)[0].to_owned()
    };
    assert_eq!(
        one(&[]),
        r#"{"command":"mysql -p******** --vault-code secret2 -h db","args":["mysql","-p********","--vault-code","secret2","-h","db"]}"#
    );
    assert!(one(&["--redact-word", "vault"]).contains(r#""--vault-code","********""#));
    assert!(one(&["--no-redact"]).contains("-psecret1 --vault-code secret2"));
    for (arguments, words) in
        [(&["--redact-word=a"][..], "3 or more"), (&["--no-redact", "--redact-word=abc"], "cannot be used")]
    {
        let output = tree.procline(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(words), "{arguments:?}: {errors}");
    }
}

/// Many processes with arguments that are slow to search: past the budget of a snapshot, a command line is replaced. It is
/// never shown unmasked.
#[test]
fn command_lines_past_the_budget_are_replaced() {
    let tree = Tree::copy();
    let line = "\"secret\": \\\"hunter2\0\\\"".repeat(128 * 1024 / 22);
    let pids: Vec<String> = (50_000..50_200).map(|pid| pid.to_string()).collect();
    for pid in &pids {
        for file in ["stat", "status"] {
            let text = String::from_utf8(std::fs::read(tree.path(&format!("proc/1200/{file}"))).unwrap()).unwrap();
            tree.write(&format!("proc/{pid}/{file}"), text.replacen("1200", pid, 1).as_bytes());
        }
        tree.write(&format!("proc/{pid}/cmdline"), line.as_bytes());
    }
    let text = quiet(&mut tree.procline(&["--pid", &pids.join(","), "--fields", "pid,command,args"]));
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("hunter2"));
    let replaced = text.lines().filter(|line| line.contains("] ********\",\"command_truncated\":true}")).count();
    assert!(replaced > 0 && replaced < pids.len() && text.lines().count() == pids.len(), "{replaced}");
    // What is ordinary is masked after that, too.
    tree.write("proc/50199/cmdline", b"mysql\0-phunter2\0-h\0db\0");
    let text = String::from_utf8(quiet(&mut tree.procline(&["--fields", "command"]))).unwrap();
    assert!(text.contains("mysql -p******** -h db"));
}

/// The main class of a Java program comes after its class path.
#[test]
fn a_cut_command_keeps_head_and_tail() {
    let tree = Tree::copy();
    let line = format!("java\0-cp\0{}\0com.example.Main\0--serve\0", "/opt/lib/some.jar:".repeat(4000));
    tree.write("proc/1200/cmdline", line.as_bytes());
    for max in [1024, 4096, 32000] {
        let output = quiet(&mut tree.procline(&["--max-record-bytes", &max.to_string()]));
        let longest = lines(&output).iter().map(|line| line.len() + 1).max().unwrap();
        assert_eq!(longest, max);
        let cut = records(&output).into_iter().find(|record| record.pid == 1200).unwrap();
        let text = cut.command.unwrap();
        assert!(text.starts_with("java -cp /opt/lib") && text.ends_with(" com.example.Main --serve"), "{text}");
        assert!(text.contains('…') && cut.command_truncated == Some(true));
    }
}

/// The middle of a command line over 144 KiB is not read. Its head loses the torn word, which may be a part of a secret. Its
/// tail loses two arguments: one is torn, and the next may be that one's value.
#[test]
fn a_very_long_command_line_is_read_at_both_ends() {
    let tree = Tree::copy();
    let words: Vec<String> = (0..40_000).map(|place| format!("word{place:05}")).collect();
    let read = |count: usize| {
        tree.write("proc/1200/cmdline", (words[..count].join("\0") + "\0").as_bytes());
        let output = quiet(&mut tree.procline(&["--max-record-bytes", "0"]));
        records(&output).into_iter().find(|record| record.pid == 1200).unwrap()
    };
    // With 10 bytes per word all of it is read …
    let whole = read(14_700);
    assert_eq!((whole.command.unwrap(), whole.command_truncated), (words[..14_700].join(" "), None));
    // … and here the first 128 KiB and the last 16 KiB are.
    for count in [14_800, 20_000, 40_000] {
        let cut = read(count);
        let text = cut.command.unwrap();
        let (head, tail) = text.split_once("… ").unwrap();
        assert_eq!(head, words[..128 * 1024 / 10].join(" ") + " ", "{count}");
        let first = count - 16 * 1024 / 10 + 1;
        assert_eq!(tail, words[first..count].join(" "), "{count}");
        assert_eq!(cut.command_truncated, Some(true));
    }
}
