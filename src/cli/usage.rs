//! What is wrong with a command line, as one sentence: clap says it over several lines.

use std::env;
use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use super::Cli;

/// Options that other programs have, and what to write here.
const ELSEWHERE: [(&str, &str); 14] = [
    ("--sort", "there is no --sort: write --top N --by FIELD"),
    ("--sort-by", "there is no --sort-by: write --top N --by FIELD"),
    ("--limit", "there is no --limit: write --top N"),
    ("--head", "there is no --head: write --top N"),
    ("--json", "there is no --json: it is the default"),
    ("--csv", "there is no --csv: write --format csv"),
    ("--watch", "there is no --watch: write --interval DURATION"),
    ("--hostname", "there is no --hostname: write --computer NAME"),
    ("--uid", "there is no --uid: write --user UID"),
    ("-p", "there is no -p: write --pid PID"),
    ("--max-depth", "there is no --max-depth: write --depth N"),
    ("-x", "there is no -x: it is the default; --cross-filesystems is the opposite"),
    ("--one-file-system", "there is no --one-file-system: it is the default; --cross-filesystems is the opposite"),
    ("-u", "there is no -u: write --user USER"),
];

/// Options that others need, which clap does not name.
const NEEDED: [(&str, &[&str]); 4] = [
    ("--interval", &["--count"]),
    ("--output", &["--keep", "--keep-size", "--file-mode"]),
    ("--top", &["--by"]),
    ("--depth", &["--all"]),
];

/// The sentence for an error of the command line, its remedy included.
pub fn sentence(error: &Error) -> String {
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    // `--interval <DURATION>` has the name first.
    let name = argument.split(' ').next().unwrap_or_default();
    match error.kind() {
        ErrorKind::ValueValidation => {
            let reason = error.source().map(ToString::to_string).unwrap_or_default();
            format!("{name} '{value}': {reason}")
        }
        // Of the words that have no option, there is none.
        ErrorKind::InvalidValue if value.is_empty() && argument.starts_with('<') => format!("{argument} is missing"),
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value"),
        ErrorKind::InvalidValue => {
            let valid = text(error, ContextKind::ValidValue);
            format!("{name} '{value}': expected one of {valid}{}", did_you_mean(error, ContextKind::SuggestedValue))
        }
        ErrorKind::UnknownArgument => match ELSEWHERE.iter().find(|(theirs, _)| *theirs == name) {
            _ if usage(error).contains("procline redact") => {
                format!(
                    "unexpected argument '{argument}'; write -- before the command line, such as procline redact -- mysql -pX"
                )
            }
            Some((_, remedy)) => (*remedy).to_owned(),
            None if is_negative(name) => format!("unexpected argument '{name}': no option takes a negative value"),
            None => format!("unexpected argument '{argument}'{}", remedy(error, ContextKind::SuggestedArg)),
        },
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand);
            format!("unexpected argument '{word}'{}", remedy(error, ContextKind::SuggestedSubcommand))
        }
        ErrorKind::MissingSubcommand => {
            let command = text(error, ContextKind::InvalidSubcommand);
            format!("{command} needs one of {}", text(error, ContextKind::ValidSubcommand))
        }
        ErrorKind::TooManyValues => format!("{name} takes no value; remove ={value}"),
        ErrorKind::ArgumentConflict => {
            let (word, prior) = (text(error, ContextKind::InvalidSubcommand), text(error, ContextKind::PriorArg));
            let mut cli = Cli::command();
            // Subcommands have no options before that.
            cli.build();
            if word.is_empty() {
                format!("{argument} cannot be used with {prior}")
            } else if let Some(command) = cli.find_subcommand(&word) {
                let name = prior.split(' ').next().unwrap_or_default();
                let is_its_own = command.get_arguments().any(|own| own.get_long() == name.strip_prefix("--"));
                let remedy = if is_its_own { format!(": write procline {word} {name}") } else { String::new() };
                format!("the command {word} cannot be used with {prior}{remedy}")
            } else {
                // To clap any word after an option may be a command.
                format!("unexpected argument '{word}'{}", remedy(error, ContextKind::SuggestedSubcommand))
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let usage = usage(error);
            let needs_it = NEEDED.iter().filter(|(needed, _)| *needed == name).flat_map(|(_, others)| *others);
            let given: Vec<_> =
                needs_it.filter(|other| usage.split_whitespace().any(|word| word == **other)).copied().collect();
            match given[..] {
                [] => format!("{argument} is missing"),
                [one] => format!("{one} needs {argument}"),
                _ => format!("{} need {argument}", given.join(" and ")),
            }
        }
        ErrorKind::InvalidUtf8 => {
            let broken = env::args_os().find(|argument| argument.to_str().is_none()).unwrap_or_default();
            format!("the argument '{}' is not valid UTF-8", broken.display())
        }
        kind => format!("{}; `procline --help` lists the options", kind.as_str().unwrap_or("wrong usage")),
    }
}

/// What clap knows about this aspect of the error. Several values become a list.
fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

fn did_you_mean(error: &Error, kind: ContextKind) -> String {
    match text(error, kind) {
        near if near.is_empty() => String::new(),
        near => format!("; did you mean '{}'?", near.replace(", ", "' or '")),
    }
}

/// A near name, or the command whose help lists all names: the one that was typed.
fn remedy(error: &Error, kind: ContextKind) -> String {
    let near = did_you_mean(error, kind);
    if !near.is_empty() {
        return near;
    }
    let usage = usage(error);
    let words = usage.lines().next().unwrap_or_default().split(' ').filter(|word| *word != "Usage:");
    let command: Vec<_> = words.take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    let command = if command.is_empty() { "procline".to_owned() } else { command.join(" ") };
    format!("; `{command} --help` lists what there is")
}

/// The usage of the command that was typed, with the options that were given.
fn usage(error: &Error) -> String {
    error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default()
}

fn is_negative(argument: &str) -> bool {
    argument.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
