//! procline: what a host is doing, as JSON lines.

use std::process::ExitCode;

use clap::Parser;
use clap::error::KindFormatter;
use procline::cli::{Cli, Command, Format, SnapshotOptions, usage};
use procline::encode::Encoding;
use procline::exit::{Outcome, code};
use procline::host::Roots;
use procline::output::Output;
use procline::process::request::Request;
use procline::process::snapshot;
use procline::record::layout::Layout;
use procline::record::selection::select;
use procline::run::Schedule;
use procline::{fields, process::fields as table, request, sink};

fn main() -> ExitCode {
    code(run())
}

fn run() -> Result<(), Outcome> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Outcome::Usage(usage::sentence(&error))),
        // --help and --version, which clap has formatted: its formatter of errors would be 8 KB of the program.
        Err(asked) => return Ok(sink::print(&asked.apply::<KindFormatter>().render().to_string())?),
    };
    match cli.command {
        Some(Command::Fields { format, schema }) => Ok(fields::print(format, schema)?),
        None => processes(&cli.snapshot),
    }
}

fn processes(options: &SnapshotOptions) -> Result<(), Outcome> {
    let asked = &options.record;
    let schema = asked.schema;
    let columns = select(table::FIELDS, schema, table::LISTS, &table::TRUNCATION, asked.fields.as_deref())
        .map_err(Outcome::Usage)?;
    let layout = Layout::new(&columns, schema, &asked.label, &table::TRUNCATION).map_err(Outcome::Usage)?;
    let encoding = match asked.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => Encoding::csv(layout.columns(asked.max_record_bytes > 0)),
    };
    let request = Request {
        layout,
        filter: request::filter(&options.filter).map_err(Outcome::Usage)?,
        output: Output {
            destination: options.target().map_err(Outcome::Usage)?,
            encoding,
            max_record_bytes: asked.max_record_bytes,
        },
        roots: Roots { procfs: options.procfs(), rootfs: options.rootfs() },
        computer: options.computer(),
        no_args: asked.no_args,
        redact: options.redact(),
        sample: options.time.sample,
    };
    let schedule = Schedule { interval: options.interval(), timeout: options.time.timeout };
    if schedule.interval.is_none() && request.samples() && request.sample >= schedule.timeout {
        let [sample, timeout] = [request.sample, schedule.timeout].map(humantime::format_duration);
        return Err(Outcome::Usage(format!(
            "--sample {sample} leaves no time within --timeout {timeout}: make that longer"
        )));
    }
    snapshot::run(request, schedule)
}
