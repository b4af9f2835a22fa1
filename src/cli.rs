//! What the user typed, and nothing else. `shared` has the options that every kind of record has, `process`, `groups`, `host`,
//! `disk`, `exec` and `inventory` those of one kind, `value` knows what an option's value may be, `usage` says what is wrong with a command line,
//! and `help` has what `--help` says beyond the options.

pub mod disk;
pub mod exec;
pub mod groups;
pub mod help;
pub mod host;
pub mod inventory;
pub mod late;
pub mod process;
pub mod shared;
pub mod usage;
pub mod value;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};

use crate::record::schema::Schema;
use disk::DiskOptions;
use exec::ExecOptions;
use groups::GroupOptions;
use host::HostOptions;
use inventory::Inventory;
use late::Late;
use process::ProcessOptions;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    version = env!("PROCLINE_VERSION"),
    about = "Print one JSON line per process, for log pipelines",
    long_about = help::ABOUT,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    max_term_width = 100,
    after_help = help::SHORT,
    after_long_help = help::long()
)]
pub struct Cli {
    /// What to print instead of processes.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of the process records.
    #[command(flatten)]
    pub process: ProcessOptions,
}

/// The other things that procline prints.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print one record per program: how many run, and what they use
    Groups(Late<GroupOptions>),
    /// Print one record about the machine: a heartbeat
    Host(Late<HostOptions>),
    /// Print one record per path: what it takes of its filesystem
    Disk(Late<DiskOptions>),
    /// Print one record for every program that starts, until stopped
    Exec(Late<ExecOptions>),
    /// Print what the machine has: services, packages or files
    #[command(arg_required_else_help = false, disable_help_subcommand = true)]
    Inventory {
        /// Which of them.
        #[command(subcommand)]
        of: Inventory,
    },
    /// Print the fields of the records: name, type, unit, meaning
    Fields {
        /// Kind of record; all kinds if omitted
        ///
        /// process, groups, host, disk, exec, services, software or files.
        #[arg(value_name = "KIND")]
        kind: Option<String>,
        /// Output: text, markdown or json
        #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
        format: FieldsFormat,
        /// Schema: procline, oms, ecs, otel or procmon
        ///
        /// Prints the names, types, units and meanings in that schema, and procline's name of each field. Fields
        /// without an equivalent are omitted. The default is `procline`.
        #[arg(long, value_name = "SCHEMA", default_value = "procline", hide_default_value = true)]
        #[arg(hide_possible_values = true)]
        schema: Schema,
    },
    /// Print a command line with its secrets masked
    ///
    /// Without a command line, reads one per line from standard input, written as for a shell: with quotes and
    /// backslashes, and without variables. Prints each on one line.
    #[command(after_help = help::SHORT_REDACT, after_long_help = help::long_redact())]
    Redact {
        /// Also mask the values of keys with this word
        ///
        /// Can be repeated for more words.
        #[arg(long, value_name = "WORD", value_parser = value::redact_word, value_hint = ValueHint::Other)]
        redact_word: Vec<String>,
        /// Program and its arguments, after `--`
        #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
}

/// How `procline fields` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FieldsFormat {
    /// Columns
    Text,
    /// The table of the README
    Markdown,
    /// One object per line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
