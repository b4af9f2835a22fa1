//! The options of `procline exec`.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, Args, ValueHint};
use glob::Pattern;

use super::help;
use super::process::CommandOptions;
use super::shared::{LineOptions, OutputOptions, RootOptions};
use super::value;
use crate::record::schema::Schema;

/// The options of the exec records.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_EXEC, after_long_help = help::long_exec(), mut_arg("keep", keep))]
pub struct ExecOptions {
    /// What a record has.
    #[command(flatten)]
    pub record: ExecRecordOptions,
    /// What command lines show.
    #[command(flatten)]
    pub command: CommandOptions,
    /// Which programs have one.
    #[command(flatten)]
    pub filter: ExecFilterOptions,
    /// Which events, and how they are read.
    #[command(flatten)]
    pub events: EventOptions,
    /// How records are written.
    #[command(flatten)]
    pub line: LineOptions,
    /// Where they go.
    #[command(flatten)]
    pub output: OutputOptions,
    /// Report a locked file after this time
    ///
    /// Records wait in memory while another process holds the lock of the file. With --forward, the time for each batch.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    #[arg(help_heading = "Time", value_hint = ValueHint::Other)]
    pub timeout: Duration,
    /// Which machine they are about.
    #[command(flatten)]
    pub roots: RootOptions,
}

/// The files of a stream may be large, and so may be kept for a shorter time than those of snapshots.
fn keep(arg: Arg) -> Arg {
    arg.value_parser(value::keep_stream).long_help(
        "Remove files of the pattern older than this\n\nA file's age counts from its last change. At least 1h. The Azure \
         Monitor Agent needs 2d to read a file. PATTERN must contain %s or a full date, such as %Y-%m-%d.",
    )
}

/// What a record contains.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct ExecRecordOptions {
    /// Fields to print, in this order
    ///
    /// Names of fields, separated by commas. A list of changes starts from the default: +NAME appends a field, -NAME
    /// removes one. `all` is the list of all fields; `procline fields exec` explains every field.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = value::fields)]
    pub fields: Option<String>,
    /// Names and units: procline, ecs, otel or procmon
    ///
    /// `ecs` is the Elastic Common Schema with Metricbeat's names, `otel` is OpenTelemetry's semantic conventions, and
    /// `procmon` has the seven keys of the program procmon. The default is `procline`. --fields takes procline's names
    /// in every schema; `procline fields exec --schema SCHEMA` lists the fields with an equivalent.
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub schema: Schema,
}

/// Which programs have a record.
#[derive(Args, Debug)]
#[command(next_help_heading = "Programs")]
pub struct ExecFilterOptions {
    /// Include the programs of root
    ///
    /// By default they have no record. The real user counts, so a setuid program that a user runs has one.
    #[arg(long)]
    pub root: bool,
    /// Select programs of this real user, a name or a uid
    ///
    /// Takes several users separated by commas, and can be repeated: a program must match one of them. A program whose
    /// user could not be read in time has a record, too.
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    #[arg(value_parser = NonEmptyStringValueParser::new(), value_hint = ValueHint::Username)]
    pub user: Vec<String>,
    /// Select programs whose name matches this pattern
    ///
    /// A pattern may contain * ? [a-z] [!a-z]. It must match a whole name: the process's own, its program's, or the
    /// script's if the program is an interpreter. Can be repeated: a program must match one of the patterns. Different
    /// filters must all match.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub name: Vec<Pattern>,
    /// Exclude programs whose name matches
    ///
    /// Takes the same patterns as --name. Can be repeated.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub exclude: Vec<Pattern>,
    /// With --root, include what the kernel starts
    ///
    /// Such as modprobe, and the handler of core dumps.
    #[arg(long)]
    pub kernel_helpers: bool,
}

/// Which events have records, and how they are read.
#[derive(Args, Debug)]
#[command(next_help_heading = "Events")]
pub struct EventOptions {
    /// Also print a record when such a program ends
    ///
    /// With its exit code or signal, its duration and, if it could still be read, its CPU time.
    #[arg(long)]
    pub exits: bool,
    /// First print the programs that run already
    ///
    /// Their `event` is `running`.
    #[arg(long)]
    pub start_snapshot: bool,
    /// Show these variables of each program's environment
    ///
    /// Takes several names separated by commas, and can be repeated. Secrets are masked.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = value::variable)]
    #[arg(value_hint = ValueHint::Other)]
    pub env: Vec<String>,
    /// Size of the kernel's queue, in bytes
    ///
    /// Each CPU's reader has such a queue. An event takes about 800. If the queue is full, events are lost, and a record says how many.
    #[arg(long, value_name = "BYTES", default_value = "16777216", allow_negative_numbers = true)]
    #[arg(value_parser = value::buffer, value_hint = ValueHint::Other)]
    pub buffer: usize,
    /// Read with ordinary priority
    ///
    /// By default procline reads processes with realtime priority (SCHED_FIFO), if the rights allow that: otherwise a
    /// program may end before its command line is read. With this option it takes the highest ordinary priority.
    #[arg(long)]
    pub no_realtime: bool,
}
