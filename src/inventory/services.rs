//! The service records: the services of systemd, loaded or only installed. `fields` is the table of the record. `systemctl`
//! asks the manager that runs, and `show` parses what it says. What unit files alone say comes from `unit_files`, which
//! `unit_file` parses: of another machine, and of templates, which systemctl does not show. `exec` splits command lines, and
//! `names` takes names of units apart. `service` is what all of them fill in.

mod exec;
pub mod fields;
mod names;
mod needs;
pub mod service;
pub mod show;
mod systemctl;
pub mod unit_file;
mod unit_files;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::process::command;
use crate::process::redact::Redactor;
use crate::source::Source;
use crate::text::lossy;
use service::Service;
use unit_files::UnitFiles;

/// What the records are asked for, in addition to what every record is.
pub struct Request {
    /// How long systemd may take to answer.
    pub timeout: Duration,
    /// Further words that make a value secret. None if nothing is masked.
    pub words: Option<Vec<String>>,
}

/// What stands for a secret.
const MASK: &str = "********";

/// What the watchdog leaves to this file: it ends a single run after `--timeout`, but none that repeats.
const GRACE: Duration = Duration::from_secs(1);

impl Source for Request {
    type Subject = Service;
    type Carry = ();

    const DOING: &'static str = "asking systemd for its services";

    fn records(
        &self,
        view: &View,
        _host: &Host,
        needs: u32,
        _earlier: &(),
        put: &mut dyn FnMut(&Service) -> bool,
    ) -> Result<(), Outcome> {
        let services = match &view.rootfs {
            Some(root) => UnitFiles::read(root, unit_files::SEARCH_PATH).services(),
            None if view.roots.are_elsewhere() => {
                Err(anyhow!("--procfs has no services: add --rootfs, and procline reads the unit files there"))?
            }
            None => systemctl::services(needs & needs::COMMANDS != 0, Instant::now() + self.timeout + GRACE)?,
        };
        let mut redactor = self.words.as_deref().map(Redactor::new);
        for mut service in services {
            if let Some(redactor) = &mut redactor {
                mask(redactor, &mut service);
            }
            join(&mut service);
            if !put(&service) {
                break;
            }
        }
        Ok(())
    }
}

/// Masks the texts of a service that may hold a secret. `systemd-run` makes a description of a command line.
fn mask(redactor: &mut Redactor, service: &mut Service) {
    let description = Some(&mut service.description).filter(|text| !is_prose(text));
    for text in service.commands.iter_mut().chain(description) {
        if let Some(masked) = masked(redactor, text) {
            *text = masked;
        }
    }
}

/// Whether a text has none of the signs of a command line, nor a word that is long enough to be a token. Otherwise the
/// `Authorization Manager` would be taken for a header and its secret.
fn is_prose(text: &str) -> bool {
    const TOKEN_MIN: usize = 16;
    !text.contains(['=', ':', '/']) && !text.split(' ').any(|word| word.starts_with('-') || word.len() >= TOKEN_MIN)
}

/// A command line, masked. None if it has no secret.
///
/// A text of systemctl has blanks between arguments and in them. There a secret may go on after a blank, so all words up to
/// the next option go with it.
fn masked(redactor: &mut Redactor, text: &str) -> Option<String> {
    if text.ends_with(exec::END) {
        return match redactor.mask_in_budget(text.as_bytes()) {
            Some(Cow::Borrowed(_)) => None,
            Some(Cow::Owned(masked)) => Some(lossy(&masked).into_owned()),
            None => Some(not_shown()),
        };
    }
    let arguments = text.replace(' ', "\0");
    let masked = match redactor.mask_in_budget(arguments.as_bytes()) {
        Some(Cow::Borrowed(_)) => return None,
        Some(Cow::Owned(masked)) => lossy(&masked).into_owned(),
        None => return Some(not_shown()),
    };
    let mut shown: Vec<&str> = Vec::new();
    for word in masked.split('\0') {
        let goes_on = shown.last().is_some_and(|last| last.ends_with(MASK));
        if !goes_on || word.starts_with('-') {
            shown.push(word);
        }
    }
    Some(shown.join(" "))
}

/// What replaces a command line that was not searched for secrets.
fn not_shown() -> String {
    lossy(command::NOT_SHOWN.trim_ascii()).into_owned()
}

/// Joins the arguments of each command with blanks, as systemctl does.
fn join(service: &mut Service) {
    for command in &mut service.commands {
        if let Some(arguments) = command.strip_suffix(exec::END) {
            *command = arguments.replace(exec::END, " ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_descriptions_are_masked_and_nothing_else_changes() {
        let mut redactor = Redactor::new(&[]);
        for (description, expected) in [
            ("Authorization Manager", None),
            ("Forward Password Requests to Wall Directory Watch", None),
            ("A  \"quoted\" text with ü and  blanks ", None),
            ("/usr/bin/tool --password=example1 --verbose", Some("/usr/bin/tool --password=******** --verbose")),
            ("/usr/bin/tool --password example1 --verbose", Some("/usr/bin/tool --password ******** --verbose")),
            ("pushes to https://user:example1@host/", Some("pushes to https://user:********@host/")),
            ("", None),
        ] {
            let commands = vec![description.to_owned(), "/bin/true --token example1".to_owned()];
            let mut service = Service { description: description.into(), commands, ..Service::default() };
            mask(&mut redactor, &mut service);
            assert_eq!(service.description, expected.unwrap_or(description));
            assert_eq!(service.commands[1], "/bin/true --token ********");
        }
    }

    #[test]
    fn a_secret_with_blanks_is_masked_as_a_whole() {
        let mut redactor = Redactor::new(&[]);
        let mut shown = |command: &str| {
            let mut service = Service { commands: vec![command.to_owned()], ..Service::default() };
            mask(&mut redactor, &mut service);
            join(&mut service);
            service.commands.remove(0)
        };
        for (command, expected) in [
            (
                "/usr/bin/app\0--password\0my secret phrase\0--port\0http\0",
                "/usr/bin/app --password ******** --port http",
            ),
            ("/usr/bin/app\0--password\0my\0file\0", "/usr/bin/app --password ******** file"),
            ("/bin/echo\0two words\0\0", "/bin/echo two words "),
            // Of systemctl.
            ("/usr/bin/app --password my secret phrase --port 1", "/usr/bin/app --password ******** --port 1"),
            ("/usr/bin/app --password=my secret phrase --port 1", "/usr/bin/app --password=******** --port 1"),
            ("/bin/push https://user:example1@host/ a b", "/bin/push https://user:********@host/ a b"),
        ] {
            assert_eq!(shown(command), expected, "{command:?}");
        }
    }
}
