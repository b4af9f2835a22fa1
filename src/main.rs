//! procline: what a host is doing, as JSON lines.

use std::process::ExitCode;

use clap::Parser;
use procline::cli::{Cli, Command, Format, Schema, SnapshotOptions};
use procline::exit::{Stop, code};
use procline::process::oms::OMS;
use procline::process::{self, Request};
use procline::record::choose::{check_labels, choose};
use procline::record::encoding::Encoding;
use procline::{fields, process::fields as table};

fn main() -> ExitCode {
    code(run(Cli::parse()))
}

fn run(cli: Cli) -> Result<(), Stop> {
    match cli.command {
        Some(Command::Fields { format }) => Ok(fields::print(format)?),
        None => snapshot(&cli.snapshot),
    }
}

fn snapshot(options: &SnapshotOptions) -> Result<(), Stop> {
    let asked = &options.record;
    let fields = match asked.schema {
        Schema::Procline => choose(&table::FIELDS, table::LISTS, asked.fields.as_deref()).map_err(Stop::Usage)?,
        Schema::Oms => OMS.iter().collect(),
    };
    let keys: Vec<_> = fields.iter().map(|field| field.name).collect();
    check_labels(&asked.label, &keys).map_err(Stop::Usage)?;
    let labels = asked.label.iter().map(|(key, _)| key.as_str());
    let encoding = match asked.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => Encoding::csv(keys.into_iter().chain(labels)),
    };
    let request = Request {
        fields,
        filter: options.filter(),
        encoding,
        max_record_bytes: asked.max_record_bytes,
        procfs: options.procfs(),
        rootfs: options.rootfs(),
        computer: options.computer(),
        labels: asked.label.clone(),
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
