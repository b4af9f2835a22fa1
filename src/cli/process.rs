//! The options of the process records.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};
use glob::Pattern;

use super::shared::{SampleOption, SharedOptions};
use super::value;
use crate::record::schema::Schema;

/// The options of the process records.
#[derive(Args, Debug)]
pub struct ProcessOptions {
    /// What a record has.
    #[command(flatten)]
    pub record: RecordOptions,
    /// What command lines show.
    #[command(flatten)]
    pub command: CommandOptions,
    /// Which processes have one.
    #[command(flatten)]
    pub filter: FilterOptions,
    /// Only the highest of them.
    #[command(flatten)]
    pub top: TopOptions,
    /// When processes that are missing end the run.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// What every kind of record shares.
    #[command(flatten)]
    pub shared: SharedOptions,
    /// What `cpu_now` is measured over.
    #[command(flatten)]
    pub sample: SampleOption,
}

/// What a record contains.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct RecordOptions {
    /// Fields to print, in this order
    ///
    /// Names of fields and lists of fields, separated by commas. The lists are `default`, `resources` (for watching a
    /// service) and `all`. A list of changes starts from the default: +NAME appends a field, -NAME removes one.
    ///
    /// `procline fields` explains every field. `cpu_now` waits for --sample; `uss`, `pss` and `swap` are slow for
    /// processes with much memory.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = value::fields)]
    pub fields: Option<String>,
    /// Names and units: procline, oms, ecs or otel
    ///
    /// `ecs` is the Elastic Common Schema with Metricbeat's names, `otel` is OpenTelemetry's semantic conventions, and
    /// `oms` is the record that the OMS agent's script makes from `ps aux`. The default is `procline`. --fields takes
    /// procline's names in every schema; `procline fields --schema SCHEMA` lists the fields with an equivalent.
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub schema: Schema,
}

/// What is shown of command lines.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct CommandOptions {
    /// Do not read command lines
    ///
    /// `command` is then `[name]`, `args` is absent, and --name finds no scripts. Only this option guarantees that no
    /// secret in a command line is printed.
    #[arg(long)]
    pub no_args: bool,
    /// Do not mask secrets in command lines
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

/// Which processes have a record.
#[derive(Args, Debug)]
#[command(next_help_heading = "Processes")]
pub struct FilterOptions {
    /// Select processes whose name matches this pattern
    ///
    /// A pattern may contain * ? [a-z] [!a-z]. It must match a whole name: the process's own, its program's, or the
    /// script's if the program is an interpreter. Can be repeated: a process must match one of the patterns. Different
    /// filters must all match.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub name: Vec<Pattern>,
    /// Exclude processes whose name matches
    ///
    /// Takes the same patterns as --name. Can be repeated.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub exclude: Vec<Pattern>,
    /// Select processes of this user, a name or a uid
    ///
    /// Takes several users separated by commas, and can be repeated: a process must match one of them.
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    #[arg(value_parser = NonEmptyStringValueParser::new(), value_hint = ValueHint::Username)]
    pub user: Vec<String>,
    /// Select the process with this id
    ///
    /// Takes several ids separated by commas, and can be repeated: a process must match one of them.
    #[arg(long, value_name = "PID", value_delimiter = ',', allow_negative_numbers = true)]
    #[arg(value_parser = value::pid, value_hint = ValueHint::Other)]
    pub pid: Vec<u32>,
    /// Select processes that use at least this much CPU
    ///
    /// In percent of one CPU. Compares `cpu_now` if that is measured, else `cpu`, the average since the process
    /// started.
    #[arg(long, value_name = "PCT", allow_negative_numbers = true)]
    #[arg(value_parser = value::percent, value_hint = ValueHint::Other)]
    pub min_cpu: Option<f64>,
    /// Exclude kernel threads
    #[arg(long)]
    pub no_kernel_threads: bool,
    /// Add the descendants of matching processes
    #[arg(long)]
    pub children: bool,
}

/// Only the highest processes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Processes")]
pub struct TopOptions {
    /// Print only the N highest, highest first
    ///
    /// Applies after all filters and after --children. --by names the field to compare.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = value::top, value_hint = ValueHint::Other)]
    pub top: Option<usize>,
    /// Field that --top compares
    ///
    /// Any numeric field, such as cpu, rss or threads; `procline fields` lists them all. A process whose value cannot
    /// be known comes last. Of equals, the lower pid comes first.
    #[arg(long, value_name = "FIELD", default_value = "cpu", requires = "top", hide_possible_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub by: String,
}

/// When processes that are missing end the run.
#[derive(Args, Debug)]
#[command(next_help_heading = "Processes")]
pub struct WatchOptions {
    /// End if a --name is missing in N snapshots in a row
    ///
    /// Counts for each --name apart, and needs --interval. The exit code is 1, and a line on standard error names what
    /// is missing. A zombie counts as missing.
    #[arg(long, value_name = "N", requires_all = ["interval", "name"], allow_negative_numbers = true)]
    #[arg(value_parser = value::count, value_hint = ValueHint::Other)]
    pub max_misses: Option<u64>,
}
