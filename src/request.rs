//! What was typed, made into what a run needs: a function for each kind. The checks that go across options, or need a kind's table,
//! are here. `asked` has what every kind is asked for, and `destination` where records go.

mod asked;
mod destination;

use std::path::PathBuf;

use serde_json::json;

use crate::cli::disk::DiskOptions;
use crate::cli::exec::{ExecFilterOptions, ExecOptions};
use crate::cli::groups::{ByOption, GroupOptions};
use crate::cli::host::HostOptions;
use crate::cli::inventory::{BelowOptions, FilesOptions, ServicesOptions, SoftwareOptions};
use crate::cli::process::{CommandOptions, FilterOptions, ProcessOptions};
use crate::cli::shared::{Format, KindOptions, SampleOption, TimeOptions};
use crate::groups::{self, Group, Groups};
use crate::inventory::services::service::Service;
use crate::inventory::software::package::Package;
use crate::inventory::{files, services, software};
use crate::machine::{self, Heartbeat, Machine};
use crate::plan::Plan;
use crate::process::filter::{Filter, Top};
use crate::process::request::Request;
use crate::process::{self, Process};
use crate::record::Kind;
use crate::record::schema::Schema;
use crate::record::selection::by;
use crate::run::{Interval, Schedule};
use crate::sink::forward::Patience;
use crate::{disk, exec};
use asked::Asked;

/// What a run over the processes needs.
///
/// # Errors
/// A sentence for the user: what cannot be, or does not go together.
pub fn processes(options: ProcessOptions) -> Result<(Request, Plan<Process>, Schedule), String> {
    let ProcessOptions { record, command, filter, top, watch, shared, sample } = options;
    let asked = Asked::snapshots(record.fields.as_deref(), record.schema, &shared);
    let plan = asked.masks(!command.no_redact).plan(&process::fields::KIND)?;
    let top = match top.top {
        Some(max) => Some(Top { max, by: by(&process::fields::KIND, &top.by)? }),
        None => None,
    };
    let request = Request {
        reports_ends: !filter.name.is_empty(),
        max_misses: watch.max_misses,
        ..request(plan.layout.needs(), Filter { top, ..self::filter(filter) }, command, &sample)
    };
    let schedule = schedule(&shared.time);
    if request.samples() {
        check_sample(&sample, &schedule)?;
    }
    Ok((request, plan, schedule))
}

/// What a run of `procline groups` needs.
///
/// # Errors
/// Likewise.
pub fn groups(options: GroupOptions) -> Result<(Groups, Request, Plan<Group>, Schedule), String> {
    let GroupOptions { kind: KindOptions { fields, shared }, command, filter, by: ByOption { by }, sample } = options;
    let asked = Asked::snapshots(fields.fields.as_deref(), fields.schema, &shared);
    let plan = asked.masks(!command.no_redact).plan(&groups::fields::KIND)?;
    let schedule = schedule(&shared.time);
    let fields = plan.layout.needs();
    let groups = Groups::new(by, filter.name.clone(), fields);
    let request = request(fields | by.needs(), self::filter(filter), command, &sample);
    if request.samples() {
        check_sample(&sample, &schedule)?;
    }
    Ok((groups, request, plan, schedule))
}

/// What must be read, and of which processes.
fn request(fields: u32, filter: Filter, command: CommandOptions, sample: &SampleOption) -> Request {
    Request {
        fields,
        filter,
        no_args: command.no_args,
        redact: (!command.no_redact).then_some(command.redact_word),
        sample: sample.sample,
        reports_ends: false,
        max_misses: None,
    }
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
    let request = disk::request::Request {
        plan,
        paths: distinct(paths),
        depth: extent.depth,
        all: extent.all,
        cross_filesystems: extent.cross_filesystems,
    };
    Ok((request, schedule))
}

/// What a run of `procline exec` needs.
///
/// # Errors
/// Likewise.
pub fn exec(options: ExecOptions) -> Result<exec::request::Request, String> {
    let ExecOptions { record, command, filter, events, line, output, timeout, roots } = options;
    if line.format == Format::Array {
        return Err("--format array cannot be used with exec, which has no end; use --format json or csv".into());
    }
    if record.schema == Schema::Procmon && events.exits {
        return Err("--exits cannot be used with --schema procmon, which has no key for it; use another schema".into());
    }
    let asked = Asked {
        fields: record.fields.as_deref(),
        schema: record.schema,
        masks: !command.no_redact,
        line: &line,
        output: &output,
        roots: &roots,
        // It has no end.
        patience: Patience::Each(timeout),
    };
    let plan = asked.plan(&exec::fields::KIND)?;
    let ExecFilterOptions { root, user, name, exclude, kernel_helpers } = filter;
    Ok(exec::request::Request {
        plan,
        filter: exec::filter::Filter { root, kernel_helpers, users: user, names: name, excludes: exclude },
        environment: events.env.into_iter().map(Into::into).collect(),
        no_args: command.no_args,
        redact: (!command.no_redact).then_some(command.redact_word),
        exits: events.exits,
        start_snapshot: events.start_snapshot,
        realtime: !events.no_realtime,
        buffer: events.buffer,
        timeout,
    })
}

/// What a run of `procline inventory services` needs.
///
/// # Errors
/// Likewise.
pub fn services(options: ServicesOptions) -> Result<(services::Request, Plan<Service>, Schedule), String> {
    let ServicesOptions { kind: KindOptions { fields, shared }, changes, redact } = options;
    let selection = [("--no-redact", json!(redact.no_redact)), ("--redact-word", json!(redact.redact_word))];
    let asked = Asked::snapshots(fields.fields.as_deref(), fields.schema, &shared).masks(!redact.no_redact);
    let plan = asked.compared(&services::fields::KIND, changes, &selection)?;
    let schedule = schedule(&shared.time);
    let words = (!redact.no_redact).then_some(redact.redact_word);
    Ok((services::Request { words, timeout: schedule.timeout }, plan, schedule))
}

/// What a run of `procline inventory software` needs.
///
/// # Errors
/// Likewise.
pub fn software(options: SoftwareOptions) -> Result<(software::Request, Plan<Package>, Schedule), String> {
    let SoftwareOptions { kind: KindOptions { fields, shared }, changes } = options;
    let asked = Asked::snapshots(fields.fields.as_deref(), fields.schema, &shared);
    let plan = asked.compared(&software::fields::KIND, changes, &[])?;
    let schedule = schedule(&shared.time);
    Ok((software::Request { timeout: schedule.timeout }, plan, schedule))
}

/// What a run of `procline inventory files` needs.
///
/// # Errors
/// Likewise.
pub fn files(options: FilesOptions) -> Result<(files::request::Request, Schedule), String> {
    let FilesOptions { paths, below, changes, kind: KindOptions { fields, shared } } = options;
    let BelowOptions { recursive, depth, cross_filesystems, max_hash_size } = below;
    let paths = distinct(paths);
    let selection = [
        ("PATH", paths.iter().map(|path| path.to_string_lossy()).collect()),
        ("--recursive", json!(recursive)),
        ("--depth", json!(if recursive { 0 } else { depth })),
        ("--cross-filesystems", json!(cross_filesystems)),
        ("--max-hash-size", json!(max_hash_size)),
    ];
    let asked = Asked::snapshots(fields.fields.as_deref(), fields.schema, &shared);
    let plan = asked.compared(&files::fields::KIND, changes, &selection)?;
    let schedule = schedule(&shared.time);
    let depth = if recursive { usize::MAX } else { depth };
    let extent = files::request::Extent { depth, crosses: cross_filesystems };
    Ok((files::request::Request { plan, paths, extent, max_hash_size }, schedule))
}

/// The paths, each once. Paths compare by their parts: one that ends in `/` is another file than a link.
fn distinct(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut distinct: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        if distinct.iter().all(|other| other.as_os_str() != path.as_os_str()) {
            distinct.push(path);
        }
    }
    distinct
}

/// What a run of a kind without options of its own needs.
///
/// # Errors
/// Likewise.
pub fn kind<R>(kind: &'static Kind<R>, options: &KindOptions) -> Result<(Plan<R>, Schedule), String> {
    let KindOptions { fields, shared } = options;
    let plan = Asked::snapshots(fields.fields.as_deref(), fields.schema, shared).plan(kind)?;
    Ok((plan, schedule(&shared.time)))
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

fn filter(asked: FilterOptions) -> Filter {
    Filter {
        names: asked.name,
        excludes: asked.exclude,
        users: asked.user,
        pids: asked.pid,
        min_cpu: asked.min_cpu,
        no_kernel_threads: asked.no_kernel_threads,
        children: asked.children,
        top: None,
    }
}
