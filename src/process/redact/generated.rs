//! Tests that the rows of the tables generate: every form that a row allows, plain, behind other programs, in scripts, in a
//! container, and cut anywhere.

use std::collections::BTreeSet;

use memchr::memmem;

use super::programs::{Form, PROGRAMS, Program, Takes};
use super::tokens::{Alphabet, TOKENS};
use super::words::{WORDS, Weight};
use super::{Quick, Redactor};
use crate::process::command::{close_gap, mark_gap};

/// What must not be shown.
const SECRET: &str = "Xk7qPz4wLm";

/// The words of a value of this form.
fn value(form: Form) -> Option<Vec<String>> {
    let words = match form {
        Form::Plain | Form::Skip => return None,
        Form::Secret | Form::Password | Form::Token => SECRET.to_owned(),
        Form::AfterColon => format!("user:{SECRET}"),
        Form::AfterLastColon => format!("hmac-sha256:name:{SECRET}"),
        Form::AfterPercent => format!("user%{SECRET}"),
        Form::AfterSlash => format!("user/{SECRET}@database"),
        Form::AfterComma => format!("user,{SECRET}"),
        Form::AfterEquals => format!("name={SECRET}"),
        Form::Key => return Some(vec!["password".to_owned(), SECRET.to_owned()]),
    };
    Some(vec![words])
}

/// The command lines that a row stands for.
fn lines(program: &Program) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let name = |rest: Vec<String>, name: &str| [vec![name.to_owned()], rest].concat();
    let mut add = |words: Vec<String>| {
        lines.extend(program.names.split_whitespace().map(|program| name(words.clone(), program)));
    };
    for rule in program.rules {
        let Some(value) = value(rule.form) else { continue };
        let after = |rest: Vec<String>| {
            let after: Vec<String> = rule.after.split_whitespace().map(str::to_owned).collect();
            [after, rest].concat()
        };
        for flag in rule.flags.split_whitespace() {
            let flag = flag.to_owned();
            if rule.takes != Takes::Attached {
                add(after([vec![flag.clone()], value.clone()].concat()));
            }
            let is_short = flag.len() <= 3 || flag.ends_with(':') || flag.ends_with('=');
            if rule.takes != Takes::Next && rule.form != Form::Key {
                let joint = if is_short && !flag.starts_with("--") { "" } else { "=" };
                add(after(vec![format!("{flag}{joint}{}", value[0])]));
            }
        }
    }
    for row in program.operands {
        let Some(value) = value(row.form) else { continue };
        let letters: Vec<String> = row.letters.chars().map(|letter| format!("-{letter}")).collect();
        let before: Vec<String> = row.after.split_whitespace().map(str::to_owned).collect();
        for at in row.first..=row.last.min(row.first + 1) {
            let others = vec!["x".to_owned(); usize::from(at) - 1];
            add([before.clone(), letters.clone(), others, value.clone()].concat());
        }
    }
    lines
}

/// The same command line where it may be.
fn places(line: &[String]) -> Vec<Vec<u8>> {
    let joined = |words: &[&str]| -> Vec<u8> { words.iter().flat_map(|word| word.bytes().chain([0])).collect() };
    let words: Vec<&str> = line.iter().map(String::as_str).collect();
    let script = line.join(" ");
    let with = |before: &[&'static str]| joined(&[before, &words[..]].concat());
    let mut path = words.clone();
    let program = format!("/usr/bin/{}", words[0]);
    path[0] = &program;
    vec![
        joined(&words),
        joined(&path),
        with(&["sudo", "-u", "root"]),
        with(&["env", "A=b"]),
        with(&["timeout", "5"]),
        with(&["docker", "exec", "-i", "web"]),
        with(&["kubectl", "exec", "pod", "--"]),
        joined(&["sh", "-c", &script]),
        joined(&["bash", "-lc", &format!("cd /x\n{script}\nls")]),
        joined(&["sh", "-c", &format!("cd /x;{script};ls")]),
        joined(&["sh", "-c", &format!("cd /x && {script} | cat")]),
        joined(&["docker", "exec", "web", "sh", "-c", &script]),
        joined(&["sh", "-c", &format!("bash -c \"{script}\"")]),
    ]
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace('\0', " ␀ ")
}

/// Checks that no line shows the secret. Returns those that do.
fn leaks(lines: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
    let mut redactor = Redactor::new(&[]);
    let leak = |line: Vec<u8>| {
        let masked = redactor.mask(&line);
        memmem::find(&masked, SECRET.as_bytes()).map(|_| format!("{}\n      -> {}", shown(&line), shown(&masked)))
    };
    lines.filter_map(leak).collect()
}

#[test]
fn every_form_of_every_program_everywhere() {
    let lines = PROGRAMS.iter().flat_map(lines).flat_map(|line| places(&line));
    let leaks = leaks(lines);
    assert!(leaks.is_empty(), "{}: {}", leaks.len(), leaks.join("\n"));
}

#[test]
fn every_word_in_every_form() {
    let mut keys = Vec::new();
    for row in WORDS {
        let value = if row.weight == Weight::Weak { format!("user:{SECRET}") } else { SECRET.to_owned() };
        let mut names = vec![row.word.to_owned(), format!("db-{}", row.word), format!("db_{}", row.word)];
        if row.glued {
            names.push(format!("mydb{}", row.word));
        }
        if row.weight == Weight::Anywhere {
            names.push(format!("{}-prod", row.word));
        }
        for name in names {
            keys.push(vec!["x".to_owned(), format!("--{name}={value}")]);
            keys.push(vec!["x".to_owned(), format!("--{name}"), value.clone()]);
            keys.push(vec!["x".to_owned(), format!("{}={value}", name.to_uppercase())]);
            keys.push(vec!["x".to_owned(), format!("-Dapp.{name}={value}")]);
        }
    }
    let leaks = leaks(keys.iter().flat_map(|line| places(line)));
    assert!(leaks.is_empty(), "{}: {}", leaks.len(), leaks.join("\n"));
}

/// A token of the least length.
fn token(prefix: &str, alphabet: Alphabet, length: usize) -> String {
    let letters = match alphabet {
        Alphabet::Capitals | Alphabet::Groups => "Q7WX2K",
        Alphabet::Hex => "a7f03c",
        _ => "aK7pQ2z",
    };
    prefix.chars().chain(letters.chars().cycle().take(length)).collect()
}

#[test]
fn every_token_by_itself() {
    let mut redactor = Redactor::new(&[]);
    for row in TOKENS {
        for prefix in row.prefixes.split_whitespace() {
            let token = token(prefix, row.alphabet, row.least);
            for line in [
                token.clone(),
                format!("x\0{token}\0"),
                format!("x\0--id={token}\0y\0"),
                format!("sh\0-c\0x '{token}'; y\0"),
            ] {
                let masked = redactor.mask(line.as_bytes());
                assert!(memmem::find(&masked, token.as_bytes()).is_none(), "{}", shown(&masked));
            }
        }
    }
}

/// Wherever reading stops in a line, no useful part of the secret is shown.
#[test]
fn every_form_of_every_program_cut_anywhere() {
    let mut redactor = Redactor::new(&[]);
    let all = PROGRAMS.iter().filter_map(|program| lines(program).into_iter().next());
    for line in all.flat_map(|line| [places(&line).swap_remove(0), places(&line).swap_remove(7)]) {
        let Some(secret) = memmem::find(&line, SECRET.as_bytes()) else { continue };
        for cut in secret..secret + SECRET.len() {
            // What follows the gap is anything.
            let mut text = [&line[..cut], b"rest\0second\0third\0"].concat();
            let before = mark_gap(&mut text, cut);
            let mut masked = redactor.mask(&text).into_owned();
            close_gap(&mut masked, before);
            let part = &SECRET.as_bytes()[..4.min(cut - secret)];
            let is_shown = part.len() == 4 && memmem::find(&masked, part).is_some();
            assert!(!is_shown, "{} cut at {cut}: {}", shown(&line), shown(&masked));
        }
        // The flag is the second argument after the gap, which is dropped.
        let mut text = [b"x\0to", line.as_slice()].concat();
        let before = mark_gap(&mut text, 4);
        let mut masked = redactor.mask(&text).into_owned();
        close_gap(&mut masked, before);
        assert!(memmem::find(&masked, SECRET.as_bytes()).is_none(), "{}", shown(&masked));
    }
}

#[test]
fn every_row_has_a_source_and_every_name_one_row() {
    let mut names = BTreeSet::new();
    for program in PROGRAMS {
        assert!(!program.source.is_empty(), "{}", program.names);
        for name in program.names.split_whitespace() {
            assert!(names.insert(name), "{name} is in two rows");
        }
    }
    assert!(WORDS.iter().all(|row| !row.source.is_empty() && row.word == row.word.to_lowercase()));
    assert!(TOKENS.iter().all(|row| !row.source.is_empty()));
}

#[test]
fn the_quick_search_misses_no_row() {
    let quick = Redactor::new(&[]);
    let mut always = Redactor { quick: Quick::always(), ..Redactor::new(&[]) };
    let mut folded = Vec::new();
    let mut missed = Vec::new();
    for line in PROGRAMS.iter().flat_map(lines).flat_map(|line| places(&line)) {
        let is_secret = memmem::find(&always.mask(&line), SECRET.as_bytes()).is_none();
        if is_secret && !quick.quick.has_trigger(&line, &quick.rules, &mut folded) {
            missed.push(shown(&line));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
