//! What the user typed, and nothing else. `value` knows what an option's value may be, `usage` says what is wrong with
//! a command line, `help` has what `--help` says beyond the options.

pub mod help;
pub mod usage;
mod value;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use glob::Pattern;

use crate::record::schema::Schema;
use crate::run::Interval;
use crate::sink::Target;
use crate::sink::file::Files;
use crate::sink::pattern;

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
    pub snapshot: SnapshotOptions,
}

/// The other things that procline prints.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the fields of the records: name, type, unit, meaning
    Fields {
        /// As text, markdown or json
        #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
        format: FieldsFormat,
        /// In which schema: procline, oms, ecs or otel
        ///
        /// Prints the names, types, units and meanings in that schema, and which of procline's fields each one is. A
        /// field without an equivalent is omitted. The default is `procline`.
        #[arg(long, value_name = "SCHEMA", default_value = "procline", hide_default_value = true)]
        #[arg(hide_possible_values = true)]
        schema: Schema,
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

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One object per line
    Json,
    /// One array of objects
    Array,
    /// A header, then a row per record
    Csv,
}

/// The options of the process records.
#[derive(Args, Debug)]
pub struct SnapshotOptions {
    /// What each has.
    #[command(flatten)]
    pub record: RecordOptions,
    /// Which there are.
    #[command(flatten)]
    pub filter: FilterOptions,
    /// Where they go.
    #[command(flatten)]
    output: OutputOptions,
    /// When they are taken.
    #[command(flatten)]
    pub time: TimeOptions,
    /// Of which machine.
    #[command(flatten)]
    roots: RootOptions,
}

// The first paragraph of each option is its line in `-h`, which fits 80 columns; `--help` has all of them.

/// What is printed of a process.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct RecordOptions {
    /// Fields to print, in this order
    ///
    /// Names of fields and lists of fields, separated by commas. The lists are `default`, `resources` (what to watch
    /// of a service) and `all`. A list of changes starts from the default: +NAME appends a field, -NAME removes one.
    ///
    /// `procline fields` explains every field. `cpu_now` waits for --sample; `uss`, `pss` and `swap` are slow for
    /// processes with much memory.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = value::fields)]
    pub fields: Option<String>,
    /// Names and units: procline, oms, ecs or otel
    ///
    /// `ecs` is the Elastic Common Schema with Metricbeat's names, `otel` OpenTelemetry's semantic conventions, and
    /// `oms` the record of the OMS agent's script over `ps aux`. The default is `procline`. --fields takes procline's
    /// names in every schema; `procline fields --schema SCHEMA` lists which fields have an equivalent.
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub schema: Schema,
    /// Encoding: json, array or csv
    ///
    /// `json` prints one object per line, `array` one array of all objects, `csv` a header and a row per record. The
    /// default is `json`.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub format: Format,
    /// Add a constant to every record
    ///
    /// The constant is a string and comes after all fields. Can be repeated for more constants.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::label, value_hint = ValueHint::Other)]
    pub label: Vec<(String, String)>,
    /// Value of Computer, instead of the hostname
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), value_hint = ValueHint::Hostname)]
    computer: Option<String>,
    /// Do not read command lines
    ///
    /// `command` is then `[name]`, `args` is absent, and --name finds no scripts. This is the only guarantee that no
    /// secret of a command line is printed.
    #[arg(long)]
    pub no_args: bool,
    /// Do not mask secrets in command lines
    ///
    /// Without this option, the values of passwords, tokens and keys become `********`, as far as they are recognised.
    #[arg(long, conflicts_with = "redact_word")]
    no_redact: bool,
    /// Mask the values of keys with this word, too
    ///
    /// The built-in words are `password`, `token` and the like. Can be repeated for more words.
    #[arg(long, value_name = "WORD", value_parser = value::redact_word, value_hint = ValueHint::Other)]
    redact_word: Vec<String>,
    /// Longest line, in bytes
    ///
    /// The newline counts. At least 1024, or 0 for no limit. A longer record loses the middle of its command, then of
    /// its longest texts, and has `command_truncated`.
    #[arg(long, value_name = "N", default_value = "32000", allow_negative_numbers = true)]
    #[arg(value_parser = value::max_record_bytes, value_hint = ValueHint::Other)]
    pub max_record_bytes: usize,
}

/// Which processes have a record.
#[derive(Args, Debug)]
#[command(next_help_heading = "Processes")]
pub struct FilterOptions {
    /// Print processes whose name matches this pattern
    ///
    /// A pattern has * ? [a-z] [!a-z] and must match a whole name: the process's own, its program's, or the script's if
    /// the program is an interpreter. Can be repeated: a process then matches any of the patterns. Different filters
    /// must all match.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub name: Vec<Pattern>,
    /// Print no processes whose name matches
    ///
    /// Takes the same patterns as --name. Can be repeated.
    #[arg(long, value_name = "GLOB", value_parser = value::glob, value_hint = ValueHint::CommandName)]
    pub exclude: Vec<Pattern>,
    /// Print processes of this user, a name or a uid
    ///
    /// Takes several users separated by commas, and can be repeated: a process then matches any of them.
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    #[arg(value_parser = NonEmptyStringValueParser::new(), value_hint = ValueHint::Username)]
    pub user: Vec<String>,
    /// Print the process with this id
    ///
    /// Takes several ids separated by commas, and can be repeated: a process then matches any of them.
    #[arg(long, value_name = "PID", value_delimiter = ',', allow_negative_numbers = true)]
    #[arg(value_parser = value::pid, value_hint = ValueHint::Other)]
    pub pid: Vec<u32>,
    /// Print processes that use at least this much CPU
    ///
    /// In percent of one CPU: of `cpu_now` if that is measured, else of `cpu`, the average since the process started.
    #[arg(long, value_name = "PCT", allow_negative_numbers = true)]
    #[arg(value_parser = value::percent, value_hint = ValueHint::Other)]
    pub min_cpu: Option<f64>,
    /// Print no kernel threads
    #[arg(long)]
    pub no_kernel_threads: bool,
    /// Add the descendants of matching processes
    #[arg(long)]
    pub children: bool,
    /// Print only the N highest, highest first
    ///
    /// Applies after all filters and after --children. --by says which field counts.
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

/// Where records go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Destination")]
struct OutputOptions {
    /// Append to this file, not to standard output (-)
    ///
    /// The file's name, but not its directory's, may contain strftime fields, in UTC:
    /// /var/log/procline/%Y-%m-%d.jsonl
    #[arg(long, value_name = "PATTERN", value_parser = destination, value_hint = ValueHint::FilePath)]
    output: Option<Destination>,
    /// Remove the pattern's files that are older
    ///
    /// A file's age counts from its last change. At least 2d, so that whatever reads the files has time to: 7d, 4w.
    /// Their names must contain a full date or %s
    #[arg(long, value_name = "DURATION", requires = "output", value_parser = value::keep)]
    #[arg(value_hint = ValueHint::Other)]
    keep: Option<Duration>,
    /// Permissions of a new file [default: 0640]
    ///
    /// In octal, whatever the umask. A missing directory is created too, and who may read its files may enter it.
    #[arg(long, value_name = "MODE", requires = "output", value_parser = value::file_mode)]
    #[arg(value_hint = ValueHint::Other)]
    file_mode: Option<u32>,
}

/// What `--output` names.
#[derive(Clone, Debug)]
enum Destination {
    Stdout,
    Files(pattern::Pattern),
}

/// When snapshots are taken, and how long they may take.
#[derive(Args, Debug)]
#[command(next_help_heading = "Time")]
pub struct TimeOptions {
    /// Take a snapshot at every interval until stopped
    ///
    /// Intervals do not drift. An interval that ends while a snapshot is still being taken is skipped. --timeout does
    /// not end the repetition.
    #[arg(long, value_name = "DURATION", value_parser = value::duration, value_hint = ValueHint::Other)]
    interval: Option<Duration>,
    /// Stop after this many snapshots
    #[arg(long, value_name = "N", requires = "interval", allow_negative_numbers = true)]
    #[arg(value_parser = value::count, value_hint = ValueHint::Other)]
    count: Option<u64>,
    /// Time over which to measure cpu_now
    ///
    /// A run waits this long if it needs `cpu_now`. With --interval only the first snapshot waits; later ones measure
    /// over the interval before them.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = value::duration)]
    #[arg(value_hint = ValueHint::Other)]
    pub sample: Duration,
    /// End a run that takes longer
    ///
    /// Even a run that is blocked in a read or a write ends, with exit code 124.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    #[arg(value_hint = ValueHint::Other)]
    pub timeout: Duration,
}

/// Which machine is looked at.
#[derive(Args, Debug)]
#[command(next_help_heading = "Another machine")]
struct RootOptions {
    /// Another machine's /proc, mounted here
    ///
    /// Uptime, boot time and memory are then read there, too.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    procfs: Option<PathBuf>,
    /// Another machine's root directory, mounted here
    ///
    /// Users are then named by its etc/passwd.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    rootfs: Option<PathBuf>,
}

impl SnapshotOptions {
    /// The interval asked for.
    pub fn interval(&self) -> Option<Interval> {
        self.time.interval.map(|length| Interval { length, count: self.time.count })
    }

    /// Where records are to go.
    ///
    /// # Errors
    /// A sentence that says what does not go together.
    pub fn target(&self) -> Result<Target, String> {
        let asked = &self.output;
        let Some(Destination::Files(pattern)) = asked.output.clone() else {
            if asked.keep.is_some() || asked.file_mode.is_some() {
                return Err("--keep and --file-mode are for files, and --output - is standard output".into());
            }
            return Ok(Target::Stdout);
        };
        if self.record.format == Format::Array {
            return Err("--format array is one document, and --output appends: take --format json or csv".into());
        }
        if asked.keep.is_some() && !pattern.is_dated() {
            return Err(format!(
                "--keep knows its files by the date in their names: --output needs a full date, such as %Y-%m-%d, or %s, \
                 and has {pattern}"
            ));
        }
        Ok(Target::File(Files { pattern, mode: asked.file_mode.unwrap_or(FILE_MODE), keep: asked.keep }))
    }

    /// The /proc asked for: the option beats the environment.
    pub fn procfs(&self) -> Option<PathBuf> {
        self.roots.procfs.clone().or_else(|| path_in("HOST_PROC"))
    }

    /// The root directory asked for, likewise.
    pub fn rootfs(&self) -> Option<PathBuf> {
        self.roots.rootfs.clone().or_else(|| path_in("HOST_ROOT"))
    }

    /// The machine's name asked for, likewise.
    pub fn computer(&self) -> Option<String> {
        let variable = || env::var("PROCLINE_COMPUTER").ok().filter(|value| !value.is_empty());
        self.record.computer.clone().or_else(variable)
    }

    /// The secret words beside the built-in ones, unless secrets are to be shown.
    pub fn redact(&self) -> Option<Vec<String>> {
        (!self.record.no_redact).then(|| self.record.redact_word.clone())
    }
}

/// An empty variable is none: a manifest may well leave it so.
fn path_in(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The permissions of a new file: command lines are sensitive.
const FILE_MODE: u32 = 0o640;

fn destination(text: &str) -> Result<Destination, String> {
    if text == "-" { Ok(Destination::Stdout) } else { pattern::Pattern::parse(text).map(Destination::Files) }
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
