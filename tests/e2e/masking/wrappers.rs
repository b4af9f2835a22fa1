//! The lines of the tables behind programs that start others, and in scripts: nothing more is shown, and nothing else
//! changes.

use super::redact;
use super::table::{cases, split};

/// A word as a shell needs it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,:/@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// The same command line in other command lines. Each is a list of words, which the test quotes.
fn wrapped(words: &[String]) -> Vec<Vec<String>> {
    let script = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let behind = |wrapper: &str| wrapper.split(' ').map(str::to_owned).chain(words.to_vec()).collect::<Vec<_>>();
    let within = |wrapper: &str, before: &str, after: &str| {
        let words = wrapper.split(' ').map(str::to_owned);
        words.chain([format!("{before}{script}{after}")]).collect::<Vec<_>>()
    };
    vec![
        behind("sudo -u app"),
        behind("env -i HOME=/srv"),
        behind("timeout --signal KILL 10"),
        behind("nice -n 5 ionice -c 3"),
        behind("docker exec -it c1"),
        behind("kubectl exec pod -c x --"),
        behind("ssh -p 2222 joe@h"),
        within("sh -c", "", ""),
        within("bash -lc", "cd /srv && ", "; echo done"),
        within("sh -c", "true|", " 2>/dev/null"),
        within("sh -c", "if ! ", "; then exit 1; fi"),
        within("docker exec c1 sh -c", "", ""),
        within("ssh joe@h", "", ""),
    ]
}

/// The words of a line that can be wrapped. A word with a single quote would need other quotes inside a script, a title
/// is no command, and a script is one already.
fn command(line: &str) -> Option<Vec<String>> {
    let words = split(line)?;
    let odd = words.iter().any(|word| word.contains(['\'', '\n', '\\'])) || words[0].contains(' ');
    (!odd && !["sh", "bash"].contains(&words[0].as_str())).then_some(words)
}

#[test]
fn no_secret_is_shown_behind_a_wrapper() {
    let (mut secrets, mut input) = (Vec::new(), Vec::new());
    for case in cases("secret.txt") {
        let Some(words) = command(&case.line) else { continue };
        for words in wrapped(&words) {
            let script = words.last().filter(|word| word.contains('\''));
            // The outer quotes of a script with quotes: '\'' is how a shell writes one.
            let line = match script {
                Some(script) => {
                    let before = words[..words.len() - 1].iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                    format!("{before} '{}'", script.replace('\'', "'\\''"))
                }
                None => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
            };
            secrets.push((case.number, case.secrets.clone()));
            input.push(line);
        }
    }
    assert!(input.len() > 6000);
    let shown = secrets.iter().zip(redact(&[], &input)).filter_map(|((number, secrets), masked)| {
        let shown = secrets.iter().any(|secret| masked.contains(secret.as_str()));
        shown.then(|| format!("line {number}: {masked}"))
    });
    let shown: Vec<String> = shown.collect();
    assert!(shown.is_empty(), "{} of {}\n{}", shown.len(), input.len(), shown.join("\n"));
}

#[test]
fn no_harmless_line_changes_behind_a_wrapper() {
    let (mut expected, mut input) = (Vec::new(), Vec::new());
    for case in cases("harmless.txt") {
        let Some(words) = command(&case.line) else { continue };
        for words in wrapped(&words) {
            if words.iter().all(|word| !word.contains('\'')) {
                input.push(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
                expected.push((case.number, words.join(" ")));
            }
        }
    }
    assert!(input.len() > 3000);
    let changed = expected.iter().zip(redact(&[], &input)).filter(|((_, line), masked)| line != masked);
    let changed: Vec<String> = changed.map(|((number, _), masked)| format!("line {number}: {masked}")).collect();
    assert!(changed.is_empty(), "{} of {}\n{}", changed.len(), input.len(), changed.join("\n"));
}
