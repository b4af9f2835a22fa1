//! The options of `procline host`.

use clap::Args;

use super::shared::{SampleOption, SharedOptions};
use super::value;
use crate::record::schema::Schema;

/// The options of the host record.
#[derive(Args, Debug)]
pub struct HostOptions {
    /// What the record has.
    #[command(flatten)]
    pub record: RecordOptions,
    /// What every kind of record shares.
    #[command(flatten)]
    pub shared: SharedOptions,
    /// What `cpu_now` is measured over.
    #[command(flatten)]
    pub sample: SampleOption,
}

/// What is printed of the machine.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct RecordOptions {
    /// Fields to print, in this order
    ///
    /// Names of fields, separated by commas. A list of changes starts from all fields: -NAME removes one, such as
    /// `-cpu_now`, which waits for --sample.
    ///
    /// `procline fields host` explains every field.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = value::fields)]
    pub fields: Option<String>,
    /// Names and units: procline, ecs or otel
    ///
    /// `ecs` is the Elastic Common Schema with Metricbeat's names, `otel` OpenTelemetry's semantic conventions. The
    /// default is `procline`. --fields takes procline's names in every schema; `procline fields host --schema SCHEMA`
    /// lists which fields have an equivalent.
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub schema: Schema,
}
