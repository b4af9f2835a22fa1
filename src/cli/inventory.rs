//! The options of `procline inventory`, which has a subcommand for each of its kinds of records.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::help;
use super::shared::KindOptions;

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
