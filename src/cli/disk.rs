//! The options of `procline disk`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::help;
use super::shared::KindOptions;
use super::value;

/// The options of the disk records.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_DISK, after_long_help = help::long_disk())]
pub struct DiskOptions {
    /// Files and directories to measure
    ///
    /// A directory is measured with all that is in it. A path that is a link is the link itself, unless it ends in /.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Which parts of the paths.
    #[command(flatten)]
    pub extent: ExtentOptions,
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
}

/// Which parts of the paths are measured, and which have records.
#[derive(Args, Debug)]
#[command(next_help_heading = "Paths")]
pub struct ExtentOptions {
    /// Also print the directories in PATH, N levels down
    ///
    /// Each has a record like that of a PATH. The default is 0: one record for each PATH.
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    #[arg(allow_negative_numbers = true, value_parser = value::top, value_hint = ValueHint::Other)]
    pub depth: usize,
    /// With --depth, also print the files
    #[arg(long, requires = "depth")]
    pub all: bool,
    /// Also measure other filesystems in PATH
    ///
    /// By default procline measures only the filesystem that PATH is in. It skips what is mounted in PATH, bind mounts
    /// included.
    #[arg(long)]
    pub cross_filesystems: bool,
}
