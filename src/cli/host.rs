//! The options of `procline host`.

use clap::Args;

use super::help;
use super::shared::{KindOptions, SampleOption};

/// The options of the host record.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_HOST, after_long_help = help::long_host())]
pub struct HostOptions {
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
    /// What `cpu_now` is measured over.
    #[command(flatten)]
    pub sample: SampleOption,
}
