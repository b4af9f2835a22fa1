//! procline: what a host is doing, as JSON lines.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::KindFormatter;
use procline::cli::{Cli, Command, Format, SnapshotOptions, usage};
use procline::encode::Encoding;
use procline::exit::{Stop, code};
use procline::process::{self, Request};
use procline::record::choose::choose;
use procline::record::shape::Shape;
use procline::{fields, process::fields as table, sink};

fn main() -> ExitCode {
    code(run())
}

fn run() -> Result<(), Stop> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Stop::Usage(usage::sentence(&error))),
        // --help and --version, which clap has formatted: its formatter of errors would be 8 KB of the program.
        Err(asked) => return Ok(sink::print(&asked.apply::<KindFormatter>().render().to_string())?),
    };
    match cli.command {
        Some(Command::Fields { format, schema }) => Ok(fields::print(format, schema)?),
        None => snapshot(&cli.snapshot),
    }
}

fn snapshot(options: &SnapshotOptions) -> Result<(), Stop> {
    let asked = &options.record;
    let schema = asked.schema;
    let columns = choose(&table::FIELDS, schema, table::LISTS, &table::TRUNCATION, asked.fields.as_deref())
        .map_err(Stop::Usage)?;
    let shape = Shape::new(&columns, schema, &asked.label, &table::TRUNCATION).map_err(Stop::Usage)?;
    let encoding = match asked.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => Encoding::csv(shape.columns(asked.max_record_bytes > 0)),
    };
    let request = Request {
        shape: Arc::new(shape),
        filter: options.filter(),
        encoding,
        target: options.target().map_err(Stop::Usage)?,
        max_record_bytes: asked.max_record_bytes,
        procfs: options.procfs(),
        rootfs: options.rootfs(),
        computer: options.computer(),
        no_args: asked.no_args,
        redact: options.redact(),
        sample: options.time.sample,
        repeats: false,
        earlier: None,
    };
    let (repeat, sample, timeout) = (options.repeat(), options.time.sample, options.time.timeout);
    if repeat.is_none() && request.samples() && sample >= timeout {
        let [sample, timeout] = [sample, timeout].map(humantime::format_duration);
        return Err(Stop::Usage(format!(
            "--sample {sample} leaves no time within --timeout {timeout}: make that longer"
        )));
    }
    process::run(request, timeout, repeat)
}
