//! What was typed, made into what a run needs. The checks that go across options, or need a kind's table, are here.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::disk::DiskOptions;
use crate::cli::host::HostOptions;
use crate::cli::process::{FilterOptions, ProcessOptions};
use crate::cli::shared::{Format, KindOptions, OutputOptions, SampleOption, SharedOptions, TimeOptions};
use crate::cli::value::OutputValue;
use crate::disk;
use crate::encode::Encoding;
use crate::host::Roots;
use crate::machine::{self, Heartbeat, Machine};
use crate::output::Output;
use crate::plan::Plan;
use crate::process;
use crate::process::filter::{Filter, Top};
use crate::process::request::Request;
use crate::record::Kind;
use crate::record::layout::Layout;
use crate::record::schema::Schema;
use crate::record::selection::{by, select};
use crate::run::{Interval, Schedule};
use crate::sink::Destination;
use crate::sink::file::Files;

/// The permissions of a new file: command lines are sensitive.
const FILE_MODE: u32 = 0o640;

/// What a run over the processes needs.
///
/// # Errors
/// A sentence for the user: what cannot be, or does not go together.
pub fn processes(options: ProcessOptions) -> Result<(Request, Schedule), String> {
    let ProcessOptions { record, filter, shared, sample } = options;
    let request = Request {
        plan: plan(&process::fields::KIND, record.schema, record.fields.as_deref(), &shared)?,
        filter: self::filter(filter)?,
        no_args: record.no_args,
        redact: (!record.no_redact).then_some(record.redact_word),
        sample: sample.sample,
    };
    let schedule = schedule(&shared.time);
    if request.samples() {
        check_sample(&sample, &schedule)?;
    }
    Ok((request, schedule))
}

/// What a run of `procline host` needs.
///
/// # Errors
/// Likewise.
pub fn host(options: HostOptions) -> Result<(Heartbeat, Plan<Machine>, Schedule), String> {
    let (plan, schedule) = kind(&machine::fields::KIND, &options.kind)?;
    let heartbeat = Heartbeat { sample: options.sample.sample };
    if Heartbeat::samples(plan.layout.needs()) {
        check_sample(&options.sample, &schedule)?;
    }
    Ok((heartbeat, plan, schedule))
}

/// What a run of `procline disk` needs.
///
/// # Errors
/// Likewise.
pub fn disk(options: DiskOptions) -> Result<(disk::request::Request, Schedule), String> {
    let DiskOptions { paths, extent, kind } = options;
    let (plan, schedule) = self::kind(&disk::fields::KIND, &kind)?;
    let mut request = disk::request::Request {
        plan,
        paths: Vec::with_capacity(paths.len()),
        depth: extent.depth,
        all: extent.all,
        cross_filesystems: extent.cross_filesystems,
    };
    for path in paths {
        // Paths compare by their parts: one that ends in `/` is another file than a link.
        if request.paths.iter().all(|other| other.as_os_str() != path.as_os_str()) {
            request.paths.push(path);
        }
    }
    Ok((request, schedule))
}

/// What a run of a kind without options of its own needs.
///
/// # Errors
/// Likewise.
pub fn kind<R>(kind: &'static Kind<R>, options: &KindOptions) -> Result<(Plan<R>, Schedule), String> {
    let KindOptions { fields, shared } = options;
    Ok((plan(kind, fields.schema, fields.fields.as_deref(), shared)?, schedule(&shared.time)))
}

/// What every kind of record is asked for.
fn plan<R>(
    kind: &'static Kind<R>,
    schema: Schema,
    fields: Option<&str>,
    shared: &SharedOptions,
) -> Result<Plan<R>, String> {
    let columns = select(kind, schema, fields)?;
    let line = &shared.line;
    let layout = Layout::new(kind, &columns, schema, &line.label)?;
    let encoding = match line.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => Encoding::csv(layout.columns(line.max_record_bytes > 0)),
    };
    let destination = destination(&shared.output, line.format)?;
    let roots = Roots {
        procfs: shared.roots.procfs.clone().or_else(|| variable("HOST_PROC").map(PathBuf::from)),
        rootfs: shared.roots.rootfs.clone().or_else(|| variable("HOST_ROOT").map(PathBuf::from)),
    };
    let named = || env::var("PROCLINE_COMPUTER").ok().filter(|value| !value.is_empty());
    Ok(Plan {
        layout,
        output: Output { destination, encoding, max_record_bytes: line.max_record_bytes },
        roots,
        computer: line.computer.clone().or_else(named),
    })
}

/// An empty variable is none: a manifest may well leave it so.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn destination(asked: &OutputOptions, format: Format) -> Result<Destination, String> {
    let Some(OutputValue::Files(pattern)) = asked.output.clone() else {
        if asked.keep.is_some() || asked.file_mode.is_some() {
            return Err("--keep and --file-mode are for files, and --output - is standard output".into());
        }
        return Ok(Destination::Stdout);
    };
    if format == Format::Array {
        return Err("--format array cannot be used with --output, which appends; use --format json or csv".into());
    }
    if asked.keep.is_some() && !pattern.is_dated() {
        return Err(format!(
            "--keep finds files by the date in their names; {pattern} has no full date, such as %Y-%m-%d, or %s"
        ));
    }
    Ok(Destination::File(Files { pattern, mode: asked.file_mode.unwrap_or(FILE_MODE), keep: asked.keep }))
}

fn schedule(time: &TimeOptions) -> Schedule {
    let interval = time.interval.map(|length| Interval { length, count: time.count });
    Schedule { interval, timeout: time.timeout }
}

/// A run that waits for its sample must have time for the rest.
fn check_sample(SampleOption { sample }: &SampleOption, schedule: &Schedule) -> Result<(), String> {
    if schedule.interval.is_none() && *sample >= schedule.timeout {
        let [sample, timeout] = [*sample, schedule.timeout].map(humantime::format_duration);
        return Err(format!("--sample {sample} leaves no time within --timeout {timeout}; use a longer --timeout"));
    }
    Ok(())
}

fn filter(asked: FilterOptions) -> Result<Filter, String> {
    let top = match asked.top {
        Some(max) => Some(Top { max, by: by(&process::fields::KIND, &asked.by)? }),
        None => None,
    };
    Ok(Filter {
        names: asked.name,
        excludes: asked.exclude,
        users: asked.user,
        pids: asked.pid,
        min_cpu: asked.min_cpu,
        no_kernel_threads: asked.no_kernel_threads,
        children: asked.children,
        top,
    })
}
