//! The options of `procline inventory`, which has a subcommand for each of its kinds of records.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::late::Late;
use super::shared::KindOptions;
use super::{help, value};

/// What a machine has.
#[derive(Debug, Subcommand)]
pub enum Inventory {
    /// Print one record per service of systemd
    Services(Late<ServicesOptions>),
    /// Print one record per installed package
    Software(Late<SoftwareOptions>),
    /// Print one record per file, with its checksum
    Files(Late<FilesOptions>),
}

/// The options of the service records.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_SERVICES, after_long_help = help::long_services())]
pub struct ServicesOptions {
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
    /// What is shown of command lines.
    #[command(flatten)]
    pub redact: RedactOptions,
    /// How they are compared.
    #[command(flatten)]
    pub changes: ChangesOptions,
}

/// The options of the package records.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_SOFTWARE, after_long_help = help::long_software())]
pub struct SoftwareOptions {
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
    /// How they are compared.
    #[command(flatten)]
    pub changes: ChangesOptions,
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
#[command(after_help = help::SHORT_FILES, after_long_help = help::long_files())]
pub struct FilesOptions {
    /// Files, directories, or patterns such as '/etc/*.conf'
    ///
    /// A pattern has * ? [a-z] or [!a-z], as in a shell, and ** for any number of directories. Quote it, so that
    /// procline and not the shell looks for the files, at every snapshot. A path that is a link is the link itself, unless
    /// it ends in /.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Which files below the paths.
    #[command(flatten)]
    pub below: BelowOptions,
    /// How they are compared.
    #[command(flatten)]
    pub changes: ChangesOptions,
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
}

/// Which files have records, and what is read of them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub struct BelowOptions {
    /// Also print all files in the directories
    #[arg(long, conflicts_with = "depth")]
    pub recursive: bool,
    /// Also print what is in directories, N levels down
    ///
    /// The default is 0: one record for each PATH.
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    #[arg(allow_negative_numbers = true, value_parser = value::top, value_hint = ValueHint::Other)]
    pub depth: usize,
    /// Also print other filesystems below the paths
    ///
    /// By default procline skips what is mounted in a directory, bind mounts included. A path or a pattern may name
    /// such a file.
    #[arg(long)]
    pub cross_filesystems: bool,
    /// Largest file with a checksum
    ///
    /// A number of bytes, such as 500MB, 2GB or 10GiB. A larger file is not read: it has no sha256, and sha256_missing is too_large.
    #[arg(long, value_name = "BYTES", default_value = "100MB", value_parser = value::size)]
    #[arg(value_hint = ValueHint::Other)]
    pub max_hash_size: u64,
}

/// Which records are printed, when there was an earlier snapshot.
#[derive(Args, Debug)]
#[command(next_help_heading = "Changes")]
pub struct ChangesOptions {
    /// Print only what differs from the snapshot in this file
    ///
    /// Then replace the file by the new snapshot. Records tell the change: added, removed or modified. If the file does
    /// not exist, all records are added. Use one file for each kind of record and each selection. A new file has the
    /// permissions 0600; chmod(1) changes them for good. While procline writes it, FILE.new is there, too.
    #[arg(long, value_name = "FILE", value_parser = value::file, value_hint = ValueHint::FilePath)]
    pub changes: Option<PathBuf>,
    /// With --changes, print nothing if the file does not exist
    #[arg(long, requires = "changes")]
    pub baseline: bool,
}
