//! procline: what a host is doing, as JSON lines.

use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use clap::Parser;
use clap::error::KindFormatter;
use procline::cli::inventory::Inventory;
use procline::cli::{Cli, Command, usage};
use procline::exit::{Outcome, code};
use procline::inventory::files;
use procline::process::report::EachProcess;
use procline::process::snapshot;
use procline::{disk, exec, fields, redaction, request, sink, source};

fn main() -> ExitCode {
    code(run())
}

fn run() -> Result<(), Outcome> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Outcome::Usage(usage::sentence(&error))),
        // --help and --version, which clap has formatted: its formatter of errors would be 8 KB of the program.
        Err(asked) => return Ok(sink::print(&asked.apply::<KindFormatter>().render().to_string())?),
    };
    match cli.command {
        None => {
            let (request, plan, schedule) = request::processes(cli.process).map_err(Outcome::Usage)?;
            snapshot::run(EachProcess, request, plan, schedule)
        }
        Some(Command::Groups(options)) => {
            let (groups, request, plan, schedule) = request::groups(*options.0).map_err(Outcome::Usage)?;
            snapshot::run(groups, request, plan, schedule)
        }
        Some(Command::Host(options)) => {
            let (heartbeat, plan, schedule) = request::host(*options.0).map_err(Outcome::Usage)?;
            source::run(heartbeat, plan, schedule)
        }
        Some(Command::Disk(options)) => {
            let (request, schedule) = request::disk(*options.0).map_err(Outcome::Usage)?;
            disk::snapshot::run(request, schedule)
        }
        Some(Command::Exec(options)) => exec::stream::run(request::exec(*options.0).map_err(Outcome::Usage)?),
        Some(Command::Inventory { of: Inventory::Services(options) }) => {
            let (services, plan, schedule) = request::services(*options.0).map_err(Outcome::Usage)?;
            source::run(services, plan, schedule)
        }
        Some(Command::Inventory { of: Inventory::Software(options) }) => {
            let (software, plan, schedule) = request::software(*options.0).map_err(Outcome::Usage)?;
            source::run(software, plan, schedule)
        }
        Some(Command::Inventory { of: Inventory::Files(options) }) => {
            let (request, schedule) = request::files(*options.0).map_err(Outcome::Usage)?;
            files::snapshot::run(request, schedule)
        }
        Some(Command::Redact { redact_word, command }) => {
            let command: Vec<_> = command.into_iter().map(OsStringExt::into_vec).collect();
            redaction::print(&command, &redact_word)
        }
        Some(Command::Fields { kind, format, schema }) => fields::print(kind.as_deref(), format, schema),
    }
}
