//! The service records: the services of systemd, loaded or only installed. `fields` is the table of the record. `systemctl`
//! asks the manager that runs, and `show` parses what it says. What unit files alone say comes from `unit_files`, which
//! `unit_file` parses: of another machine, and of templates, which systemctl does not show. `names` takes names of units
//! apart. `service` is what all of them fill in.

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

/// A command line whose arguments are separated by blanks, masked. None if it has no secret.
fn masked(redactor: &mut Redactor, text: &str) -> Option<String> {
    let arguments: Vec<u8> = text.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).collect();
    let mut shown = Vec::new();
    match redactor.mask_in_budget(&arguments) {
        Some(Cow::Borrowed(_)) => return None,
        Some(Cow::Owned(masked)) => command::join(&masked, &mut shown),
        None => shown.extend_from_slice(command::NOT_SHOWN.trim_ascii()),
    }
    Some(lossy(&shown).into_owned())
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
}
