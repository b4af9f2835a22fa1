//! The options of `procline host`.

use clap::Args;

use super::shared::{FieldOptions, SampleOption, SharedOptions};

/// The options of the host record.
#[derive(Args, Debug)]
pub struct HostOptions {
    /// What the record has.
    #[command(flatten)]
    pub fields: FieldOptions,
    /// What every kind of record shares.
    #[command(flatten)]
    pub shared: SharedOptions,
    /// What `cpu_now` is measured over.
    #[command(flatten)]
    pub sample: SampleOption,
}
