//! procline: what a host is doing, as JSON lines.

use std::process::ExitCode;

use clap::Parser;
use procline::cli::{Cli, Command, Format, SnapshotOptions};
use procline::exit::{Stop, code};
use procline::process::{self, Repeat, Request};
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
    let fields = choose(&table::FIELDS, table::LISTS, options.fields.as_deref()).map_err(Stop::Usage)?;
    let keys: Vec<_> = fields.iter().map(|field| field.name).collect();
    check_labels(&options.label, &keys).map_err(Stop::Usage)?;
    let columns = || keys.iter().copied().chain(options.label.iter().map(|(key, _)| key.as_str()));
    let encoding = match options.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => {
            let columns = columns().chain(["command_truncated"]).map(String::from).collect();
            Encoding::Csv { columns, head: true }
        }
    };
    let request = Request {
        encoding,
        fields,
        filter: options.filter(),
        max_record_bytes: options.max_record_bytes,
        procfs: options.procfs(),
        rootfs: options.rootfs(),
        computer: options.computer(),
        labels: options.label.clone(),
        no_args: options.no_args,
        redact: options.redact(),
        sample: options.sample,
        repeats: false,
        earlier: None,
    };
    let repeat = options.interval.map(|interval| Repeat { interval, count: options.count });
    process::run(request, options.timeout, repeat)
}
