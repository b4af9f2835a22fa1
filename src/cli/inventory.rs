//! The options of `procline inventory`, which has a subcommand for each of its kinds of records.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::shared::KindOptions;
use super::{help, value};

/// What a machine has.
#[derive(Debug, Subcommand)]
pub enum Inventory {
    /// Print one record per service of systemd
    #[command(after_help = help::SHORT_SERVICES, after_long_help = help::long_services())]
    Services(Box<ServicesOptions>),
    /// Print one record per installed package
    #[command(after_help = help::SHORT_SOFTWARE, after_long_help = help::long_software())]
    Software(Box<KindOptions>),
    /// Print one record per file, with its checksum
    #[command(after_help = help::SHORT_FILES, after_long_help = help::long_files())]
    Files(Box<FilesOptions>),
}

/// The options of the service records.
#[derive(Args, Debug)]
pub struct ServicesOptions {
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
    /// What is shown of command lines.
    #[command(flatten)]
    pub redact: RedactOptions,
}

/// What is shown of command lines.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct RedactOptions {
    /// Do not mask secrets in descriptions and commands
    ///
    /// Without this option, passwords, tokens and keys become `********` where procline recognises them.
    #[arg(long, conflicts_with = "redact_word")]
    pub no_redact: bool,
    /// Also mask the values of keys with this word
    ///
    /// Words such as `password` and `token` are built in. Can be repeated for more words.
    #[arg(long, value_name = "WORD", value_parser = value::redact_word, value_hint = ValueHint::Other)]
    pub redact_word: Vec<String>,
}

/// The options of the file records.
#[derive(Args, Debug)]
pub struct FilesOptions {
    /// Files and directories to list
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
}
