//! The options that every kind of record has.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, ValueHint};

use super::value::{self, OutputValue};
use crate::record::schema::Schema;
use crate::sink::forward::Address;

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

/// The options that every kind of record shares.
#[derive(Args, Debug)]
pub struct SharedOptions {
    /// How records are written.
    #[command(flatten)]
    pub line: LineOptions,
    /// Where they go.
    #[command(flatten)]
    pub output: OutputOptions,
    /// When snapshots are taken.
    #[command(flatten)]
    pub time: TimeOptions,
    /// Which machine they are about.
    #[command(flatten)]
    pub roots: RootOptions,
}

// The first paragraph of each option is its line in `-h`, which fits 80 columns; `--help` has all of them.

/// How a record is written.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct LineOptions {
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
    pub computer: Option<String>,
    /// Longest line, in bytes
    ///
    /// Including the newline. At least 1024, or 0 for no limit. A longer record loses the middle of its longest texts,
    /// starting with a process's command. `command_truncated` (`truncated` in other kinds) is then true.
    #[arg(long, value_name = "N", default_value = "32000", allow_negative_numbers = true)]
    #[arg(value_parser = value::max_record_bytes, value_hint = ValueHint::Other)]
    pub max_record_bytes: usize,
}

/// Where records go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Destination")]
pub struct OutputOptions {
    /// Append to this file instead of standard output
    ///
    /// `-` is standard output. The file's name, but not its directory's, may contain strftime fields, in UTC:
    /// /var/log/procline/%Y-%m-%d.jsonl
    #[arg(long, value_name = "PATTERN", value_parser = value::output, value_hint = ValueHint::FilePath)]
    pub output: Option<OutputValue>,
    /// Remove files of the pattern older than this
    ///
    /// A file's age counts from its last change. At least 2d, so that readers have time to read the files. PATTERN must
    /// contain %s or a full date, such as %Y-%m-%d.
    #[arg(long, value_name = "DURATION", requires = "output", value_parser = value::keep)]
    #[arg(value_hint = ValueHint::Other)]
    pub keep: Option<Duration>,
    /// Remove the oldest files if they take more
    ///
    /// A number of bytes, at least 1MB, such as 500MB, 2GB or 10GiB. What the files of the pattern take of the disk
    /// counts, as with `du`. PATTERN must contain %s or a full date. The file that procline writes to is never
    /// removed, so a file should take much less: %Y-%m-%dT%H%M begins one each minute.
    #[arg(long, value_name = "BYTES", requires = "output", value_parser = value::keep_size)]
    #[arg(value_hint = ValueHint::Other)]
    pub keep_size: Option<u64>,
    /// Permissions of a new file [default: 0640]
    ///
    /// In octal, whatever the umask. If the directory is missing, procline creates it with the same mode and an x
    /// for each r.
    #[arg(long, value_name = "MODE", requires = "output", value_parser = value::file_mode)]
    #[arg(value_hint = ValueHint::Other)]
    pub file_mode: Option<u32>,
    /// Where records are sent instead.
    #[command(flatten)]
    pub forward: ForwardOptions,
}

/// Which receiver of the Fluent Forward protocol gets the records.
#[derive(Args, Debug)]
pub struct ForwardOptions {
    /// Send to Fluentd or Fluent Bit instead
    ///
    /// Over the Fluent Forward protocol, to HOST:PORT (24224 if there is none), tls:HOST:PORT, unix:/path or unix:@name. A
    /// batch that is not acknowledged is sent again until --timeout.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["output", "format"], value_parser = Address::parse)]
    #[arg(value_hint = ValueHint::Other)]
    pub forward: Option<Address>,
    /// Tag of the records that are sent
    ///
    /// The default is procline. and the kind of the records, such as procline.process.
    #[arg(long, value_name = "TAG", requires = "forward", value_parser = NonEmptyStringValueParser::new())]
    #[arg(value_hint = ValueHint::Other)]
    pub tag: Option<String>,
    /// File with the key that the receiver shares
    ///
    /// Its first line is the key. The key is not sent: both sides prove that they know it. What they send later is encrypted
    /// with tls: only.
    #[arg(long, value_name = "FILE", requires = "forward", value_hint = ValueHint::FilePath)]
    pub shared_key_file: Option<PathBuf>,
    /// Authorities that may certify the receiver
    ///
    /// For tls:. A file with certificates in PEM format. The default is those that the machine trusts.
    #[arg(long, value_name = "FILE", requires = "forward", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of this machine
    ///
    /// For tls: and a receiver that asks who sends. A file with both in PEM format, and with the certificates of those between it and the
    /// authority.
    #[arg(long, value_name = "FILE", requires = "forward", value_hint = ValueHint::FilePath)]
    pub cert_file: Option<PathBuf>,
    /// Do not wait for acknowledgements
    ///
    /// For a receiver that sends none, such as Fluentd's in_unix. Records that it does not read are lost without a message.
    #[arg(long, requires = "forward")]
    pub no_ack: bool,
}

/// When snapshots are taken, and how long they may take.
#[derive(Args, Debug)]
#[command(next_help_heading = "Time")]
pub struct TimeOptions {
    /// Take a snapshot at every interval until stopped
    ///
    /// Intervals do not drift. An interval that ends while a snapshot is still being taken is skipped. --timeout does
    /// not limit the time from the first snapshot to the last.
    #[arg(long, value_name = "DURATION", value_parser = value::duration, value_hint = ValueHint::Other)]
    pub interval: Option<Duration>,
    /// Stop after this many snapshots
    #[arg(long, value_name = "N", requires = "interval", allow_negative_numbers = true)]
    #[arg(value_parser = value::count, value_hint = ValueHint::Other)]
    pub count: Option<u64>,
    /// End a run that takes longer
    ///
    /// Even a run that is blocked in a read or a write ends, with exit code 124.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    #[arg(value_hint = ValueHint::Other)]
    pub timeout: Duration,
}

/// Which machine to read.
#[derive(Args, Debug)]
#[command(next_help_heading = "Another machine")]
pub struct RootOptions {
    /// Another machine's /proc, mounted here
    ///
    /// The machine's uptime, boot time, memory and load are then read there, too.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub procfs: Option<PathBuf>,
    /// Another machine's root directory, mounted here
    ///
    /// User names then come from its etc/passwd, and the operating system's name from its etc/os-release.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub rootfs: Option<PathBuf>,
}

/// The options that `groups`, `host` and `disk` share.
#[derive(Args, Debug)]
pub struct KindOptions {
    /// What a record has.
    #[command(flatten)]
    pub fields: FieldOptions,
    /// What every kind of record shares.
    #[command(flatten)]
    pub shared: SharedOptions,
}

/// What a record has, for the kinds that have no lists of fields of their own.
#[derive(Args, Debug)]
#[command(next_help_heading = "Records")]
pub struct FieldOptions {
    /// Fields to print, in this order
    ///
    /// Names of fields, separated by commas. A list of changes starts from the default: +NAME appends a field, -NAME
    /// removes one. `all` is the list of all fields; `procline fields` explains every field.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = value::fields)]
    pub fields: Option<String>,
    /// Names and units: procline, ecs or otel
    ///
    /// `ecs` is the Elastic Common Schema with Metricbeat's names, `otel` is OpenTelemetry's semantic conventions. The
    /// default is `procline`. --fields takes procline's names in every schema; `procline fields --schema SCHEMA` lists
    /// the fields with an equivalent.
    #[arg(long, value_name = "SCHEMA", default_value = "procline")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub schema: Schema,
}

/// What `cpu_now` is measured over, for the kinds that have it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Time")]
pub struct SampleOption {
    /// Time over which to measure cpu_now
    ///
    /// A run waits this long if it needs `cpu_now`. With --interval only the first snapshot waits; later ones measure
    /// over the interval before them.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = value::duration)]
    #[arg(value_hint = ValueHint::Other)]
    pub sample: Duration,
}
