//! What the running systemd says of its services, through systemctl: a crate for D-Bus would double the program. Every
//! systemctl since version 230 prints what is read here.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::anyhow;

use super::names::{is_service, is_template};
use super::service::Service;
use super::show;
use super::unit_files::UnitFiles;
use crate::exit::{Outcome, Transient};
use crate::inventory::command::{Output, run};
use crate::rootfs::Rootfs;
use crate::text::lossy;

/// How many bytes of names one systemctl gets: little beside what the kernel allows for arguments.
const BATCH: usize = 64 * 1024;

/// All services: those with a unit file, and those that are loaded.
///
/// # Errors
/// If systemd does not run here or does not answer.
pub fn services(with_commands: bool, deadline: Instant) -> Result<Vec<Service>, Outcome> {
    // As sd_booted(3) does. Otherwise systemctl could ask a systemd that is not this machine's, or say much that is not
    // the reason.
    if !Path::new("/run/systemd/system").is_dir() {
        Err(anyhow!(
            "systemd does not run here: there is no /run/systemd/system; with --rootfs / procline reads the unit files alone"
        ))?;
    }
    let systemctl = Systemctl { deadline };
    let installed = States::of(&systemctl.ask(&["list-unit-files"])?);
    let loaded = States::of(&systemctl.ask(&["list-units", "--all"])?);
    let mut services = Vec::new();
    // Several names may be names of one service.
    let names = installed.0.iter().chain(&loaded.0).map(|(name, _)| name.as_str());
    let mut names: Vec<_> = names.filter(|name| !is_template(name)).collect();
    names.sort_unstable();
    names.dedup();
    for batch in batches(&names, BATCH) {
        for mut service in systemctl.show(batch)? {
            let state = installed.get(&service.name).unwrap_or_default();
            // systemd describes every name, and so also a service that is gone by now.
            let is_known = state == "bad" || loaded.get(&service.name) == Some("not-found");
            if service.load_state == "not-found" && service.active_state == "inactive" && !is_known {
                continue;
            }
            if service.unit_file_state.is_empty() {
                state.clone_into(&mut service.unit_file_state);
            }
            services.push(service);
        }
    }
    if with_commands {
        systemctl.commands(&mut services)?;
    }
    let templates: Vec<_> = installed.0.iter().filter(|(name, state)| is_template(name) && state != "alias").collect();
    if !templates.is_empty() {
        let path = systemctl.ask(&["show", "--property=UnitPath"])?;
        let path: Vec<_> = path.trim().trim_start_matches("UnitPath=").split(' ').collect();
        let root = Rootfs::open(Path::new("/"))?;
        let files = UnitFiles::read(&root, &path);
        services.extend(
            templates
                .into_iter()
                .map(|(name, state)| Service { unit_file_state: state.clone(), ..files.service(name) }),
        );
    }
    services.sort_by(|one, other| one.name.cmp(&other.name));
    services.dedup_by(|one, other| one.name == other.name);
    Ok(services)
}

/// The services' names in a list, in order, and the word after each: the state of the unit file, or the load state.
#[derive(Debug, PartialEq)]
struct States(Vec<(String, String)>);

impl States {
    fn of(list: &str) -> Self {
        let service = |line: &str| {
            // Before the name, some versions print a bullet.
            let mut words = line.split_ascii_whitespace().skip_while(|word| !word.contains('.'));
            let (name, state) = (words.next()?, words.next()?);
            is_service(name).then(|| (name.to_owned(), state.to_owned()))
        };
        let mut states: Vec<_> = list.lines().filter_map(service).collect();
        states.sort_unstable();
        States(states)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        Some(&self.0[place].1)
    }
}

/// The names in lists whose bytes, each with its NUL, are at most `max`.
fn batches<'a, 'b>(mut names: &'a [&'b str], max: usize) -> Vec<&'a [&'b str]> {
    let mut batches = Vec::new();
    while !names.is_empty() {
        let mut bytes = 0;
        let count = names.iter().take_while(|name| {
            bytes += name.len() + 1;
            bytes <= max
        });
        let (batch, rest) = names.split_at(count.count().max(1));
        batches.push(batch);
        names = rest;
    }
    batches
}

/// The program, and until when it must have answered.
struct Systemctl {
    deadline: Instant,
}

impl Systemctl {
    /// What a command prints about services. It must succeed.
    fn ask(&self, arguments: &[&str]) -> Result<String, Outcome> {
        let output = self.run(arguments)?;
        if !output.status.success() {
            return Err(failure(&output));
        }
        Ok(lossy(&output.text).into_owned())
    }

    /// The services of these names, all that can be shown.
    fn show(&self, mut names: &[&str]) -> Result<Vec<Service>, Outcome> {
        let property = format!("--property={}", show::PROPERTIES);
        let mut services = Vec::new();
        while !names.is_empty() {
            let output = self.run(&[&["show", &property, "--"], names].concat())?;
            let shown = show::services(&lossy(&output.text));
            let count = shown.len();
            services.extend(shown);
            if output.status.success() || count >= names.len() {
                break;
            }
            // It stops at the first unit that it cannot show. If it shows none of several, it is not for a unit.
            if count == 0 && names.len() > 1 && services.is_empty() {
                self.ask(&["show", "--property=Version"])?;
            }
            names = &names[count + 1..];
        }
        Ok(services)
    }

    /// Adds the commands to services that were shown.
    fn commands(&self, services: &mut [Service]) -> Result<(), Outcome> {
        let property = format!("--property={}", show::COMMANDS);
        let names: Vec<_> = services.iter().map(|service| service.name.clone()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut services = services.iter_mut();
        let mut batches = batches(&names, BATCH);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            let output = self.run(&[&["show", &property, "--"], batch].concat())?;
            let shown = output.status.success().then(|| show::commands(&lossy(&output.text), batch.len())).flatten();
            if let Some(shown) = shown {
                let both = shown.into_iter().zip(services.by_ref());
                both.for_each(|(commands, service)| service.commands = commands);
            } else if batch.len() > 1 {
                // The fewer units one output has, the more of it is clear.
                let (first, second) = batch.split_at(batch.len() / 2);
                batches.extend([second, first]);
            } else {
                services.next();
            }
        }
        Ok(())
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, Outcome> {
        let mut command = Command::new("systemctl");
        let common =
            ["--system", "--no-pager", "--no-ask-password", "--full", "--plain", "--no-legend", "--type=service"];
        // `show` of a name allows no type.
        let common = if arguments[0] == "show" { &common[..3] } else { &common };
        command.args(common).args(arguments);
        // Times are then in UTC, in words that do not depend on the language.
        command.env("LC_ALL", "C").env("TZ", "UTC").env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "");
        command.env_remove("SYSTEMD_LOG_LEVEL");
        run(&mut command, self.deadline).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                anyhow!("systemctl is not installed, which procline asks for the services").into()
            }
            io::ErrorKind::TimedOut => {
                Outcome::Transient(Transient::Program, anyhow!("systemd does not answer systemctl within --timeout"))
            }
            _ => Outcome::Transient(Transient::Program, anyhow!(error).context("cannot ask systemctl")),
        })
    }
}

fn failure(output: &Output) -> Outcome {
    Outcome::Transient(Transient::Program, anyhow!("systemctl failed: {}", output.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_and_without_bullets() {
        let list = "a.service                enabled   enabled\n● b\\x2dc.service not-found inactive dead b.service\n\n\
                    c@.service static -\nx.socket enabled enabled\nd.service\n";
        let expected = [("a.service", "enabled"), ("b\\x2dc.service", "not-found"), ("c@.service", "static")];
        let states = States::of(list);
        assert_eq!(states.0, expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
        assert_eq!((states.get("c@.service"), states.get("d.service")), (Some("static"), None));
    }

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let names = ["aaa", "bb", "c", "dddddddddd", "e"];
        assert_eq!(batches(&names, 7), [&["aaa", "bb"][..], &["c"], &["dddddddddd"], &["e"]]);
        assert_eq!(batches(&names, 1000), [&names[..]]);
        assert!(batches(&[], 7).is_empty());
    }
}
