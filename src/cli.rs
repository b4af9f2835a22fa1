//! What the user typed, and nothing else.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glob::Pattern;

use crate::process::Repeat;
use crate::process::select::{By, Filter};
use crate::record::schema;
use crate::sink::Target;
use crate::sink::file::Files;
use crate::sink::pattern;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "One JSON line per process, for log pipelines: what `ps aux` is to people.",
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Cli {
    /// What to print instead of processes.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of the process records.
    #[command(flatten)]
    pub snapshot: SnapshotOptions,
}

const EXAMPLES: &str = "\
Examples:
  procline | jq 'select(.cpu > 50)'
  procline --fields pid,user,command
  procline --fields -vsz,-tty
  procline --top 10 --by rss
  procline --name 'nginx*' --children --fields resources
  procline --procfs /host/proc --rootfs /host
  procline --output /var/log/procline/%Y-%m-%d.jsonl --keep 7d

Exit codes: 0 done, 1 failed, 2 wrong usage, 124 timed out.";

/// The other things that procline prints.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the fields of the records: name, type, unit, meaning
    Fields {
        /// How to print them
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: FieldsFormat,
        /// Their names, types and units in another schema
        #[arg(long, value_name = "SCHEMA", default_value = "procline")]
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

/// Whose names a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// Our own
    Procline,
    /// Those of a script over `ps aux` that the OMS agent ran: all text, as ps prints it
    Oms,
    /// Those of the Elastic Common Schema and Metricbeat: nested, bytes, parts of one
    Ecs,
    /// Those of OpenTelemetry's semantic conventions: nested, bytes, parts of one
    Otel,
}

impl From<Schema> for schema::Schema {
    fn from(asked: Schema) -> Self {
        match asked {
            Schema::Procline => schema::Schema::Procline,
            Schema::Oms => schema::Schema::Oms,
            Schema::Ecs => schema::Schema::Ecs,
            Schema::Otel => schema::Schema::Otel,
        }
    }
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One object per line
    Json,
    /// One array of objects
    Array,
    /// A header and a row per record
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
    filter: FilterOptions,
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

/// What is printed of a process.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is printed")]
pub struct RecordOptions {
    /// Fields, in this order: names, `default`, `resources`, `all` (with what is
    /// slow: smaps_rollup and the wait of --sample); +NAME appends, -NAME
    /// removes (default: default; `procline fields` lists them)
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub fields: Option<String>,
    /// Names, units and nesting of another convention; --fields takes our names still,
    /// and `procline fields --schema SCHEMA` lists what it has
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    pub schema: Schema,
    /// How records are written
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub format: Format,
    /// A constant on every record, after all fields; repeat it for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// The value of Computer [default: the hostname] [env: PROCLINE_COMPUTER]
    #[arg(long, value_name = "NAME")]
    computer: Option<String>,
    /// Leave command lines unread: command is `[comm]`, args are absent, and --name
    /// knows no scripts
    #[arg(long)]
    pub no_args: bool,
    /// Show secrets in command lines: passwords, tokens, keys are masked otherwise
    #[arg(long, conflicts_with = "redact_word")]
    no_redact: bool,
    /// One more word that makes a key's value secret, beside password, token and
    /// so on
    #[arg(long, value_name = "WORD", value_parser = redact_word)]
    redact_word: Vec<String>,
    /// Longest line, its newline included, in bytes: at least 1024, or 0 for no
    /// limit; a longer one has its command cut in the middle
    #[arg(long, value_name = "N", default_value = "32000", value_parser = max_record_bytes)]
    pub max_record_bytes: usize,
}

/// Which processes have a record.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which processes")]
struct FilterOptions {
    /// Only processes of this name: a pattern (* ? [a-z]) for the whole name, the
    /// program's or, of an interpreter, the script's; repeat it for alternatives
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    name: Vec<Pattern>,
    /// No processes of this name
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    exclude: Vec<Pattern>,
    /// Only processes of this user, by name or uid; repeat it for alternatives
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// Only this process; repeat it for alternatives
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// Only processes with at least this much CPU, in percent: of cpu_now if that
    /// is asked for, else of cpu
    #[arg(long, value_name = "PCT", value_parser = percent)]
    min_cpu: Option<f64>,
    /// No threads of the kernel
    #[arg(long)]
    no_kernel_threads: bool,
    /// Also the descendants of those
    #[arg(long)]
    children: bool,
    /// Only the N that have most, and these first
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// What --top goes by: cpu, cpu_now, mem, rss or time
    #[arg(long, value_name = "FIELD", default_value = "cpu", value_parser = by)]
    by: By,
}

/// Where records go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Where it goes")]
struct OutputOptions {
    /// Append to this file instead of standard output (`-`); its name, not its
    /// directory's, may have fields of strftime, in UTC:
    /// /var/log/procline/%Y-%m-%d.jsonl
    #[arg(long, value_name = "PATTERN", value_parser = destination)]
    output: Option<Destination>,
    /// Remove the files of that pattern that were last written longer ago, at
    /// least 2d: 7d, 4weeks; their names must hold a full date or %s
    #[arg(long, value_name = "DURATION", requires = "output", value_parser = keep)]
    keep: Option<Duration>,
    /// The permissions of a file that is made, in octal; its directory is made
    /// too if only that is missing, and who may read may enter it [default: 0640]
    #[arg(long, value_name = "MODE", requires = "output", value_parser = file_mode)]
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
#[command(next_help_heading = "When, and how long")]
pub struct TimeOptions {
    /// Repeat until stopped, at this beat: 60s, 500ms, 5m; --timeout does not end
    /// that, and beats that cannot be kept are left out
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    interval: Option<Duration>,
    /// Stop after so many snapshots
    #[arg(long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The time over which cpu_now is measured; waits only if that is asked for;
    /// with --interval only the first time, then the beat just past counts
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub sample: Duration,
    /// End a run that takes longer, even one blocked in a read or a write: 10s,
    /// 500ms, 2m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

/// Which machine is looked at.
#[derive(Args, Debug)]
#[command(next_help_heading = "Another machine")]
struct RootOptions {
    /// Another machine's /proc, mounted here [env: HOST_PROC]
    #[arg(long, value_name = "PATH")]
    procfs: Option<PathBuf>,
    /// Another machine's root directory, mounted here; users are named by its
    /// etc/passwd [env: HOST_ROOT]
    #[arg(long, value_name = "PATH")]
    rootfs: Option<PathBuf>,
}

impl SnapshotOptions {
    /// Which processes are asked for.
    pub fn filter(&self) -> Filter {
        let asked = &self.filter;
        Filter {
            names: asked.name.clone(),
            excludes: asked.exclude.clone(),
            users: asked.user.clone(),
            pids: asked.pid.clone(),
            min_cpu: asked.min_cpu,
            no_kernel_threads: asked.no_kernel_threads,
            children: asked.children,
            top: asked.top.map(|most| (most, asked.by)),
        }
    }

    /// The beat asked for.
    pub fn repeat(&self) -> Option<Repeat> {
        self.time.interval.map(|interval| Repeat { interval, count: self.time.count })
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

fn glob(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("{error}; a pattern has * ? [a-z] [!a-z]"))
}

fn label(text: &str) -> Result<(String, String), String> {
    let legal = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    match text.split_once('=') {
        Some((key, value)) if legal(key) => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE, whose key is a letter, then letters, digits, '_', '.' or '-'".into()),
    }
}

fn redact_word(text: &str) -> Result<String, String> {
    let legal = text.len() >= 3 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    legal.then(|| text.to_owned()).ok_or_else(|| "3 or more letters, digits, '_', '-' or '.'".into())
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("a number of percent, 0 or more".into()),
    }
}

fn by(text: &str) -> Result<By, String> {
    let found = By::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, by)| by);
    found.ok_or_else(|| format!("one of {}", By::ALL.map(|(name, _)| name).join(", ")))
}

fn max_record_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number == 0 || number >= 1024 => Ok(number),
        _ => Err("a number of bytes, at least 1024, or 0 for no limit".into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a duration longer than 0, such as 10s, 500ms or 2m".into()),
    }
}

/// Azure Monitor Agent wants that much time to read a file.
const KEEP_LEAST: Duration = Duration::from_secs(2 * 24 * 60 * 60);

fn keep(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= KEEP_LEAST => Ok(duration),
        _ => {
            Err("a duration of at least 2d, as what reads the files must have the time to, such as 7d or 4weeks".into())
        }
    }
}

fn destination(text: &str) -> Result<Destination, String> {
    if text == "-" { Ok(Destination::Stdout) } else { pattern::Pattern::parse(text).map(Destination::Files) }
}

const FILE_MODE: u32 = 0o640;

fn file_mode(text: &str) -> Result<u32, String> {
    let is_octal = text.len() <= 4 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        _ => Err("octal, 0600 to 0777, of which the owner may read and write: 0640, 0644".into()),
    }
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
