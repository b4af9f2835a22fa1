//! What was typed, made into what a run needs. The checks that go across options, or need a kind's table, are here.
//! `destination` has those about where records go.

mod destination;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use crate::changes::Changes;
use crate::cli::disk::DiskOptions;
use crate::cli::exec::{ExecFilterOptions, ExecOptions};
use crate::cli::groups::{ByOption, GroupOptions};
use crate::cli::host::HostOptions;
use crate::cli::inventory::{BelowOptions, ChangesOptions, FilesOptions, ServicesOptions, SoftwareOptions};
use crate::cli::process::{CommandOptions, FilterOptions, ProcessOptions};
use crate::cli::shared::{FieldOptions, Format, KindOptions, LineOptions, SampleOption, SharedOptions, TimeOptions};
use crate::encode::Encoding;
use crate::groups::{self, Group, Groups};
use crate::host::Roots;
use crate::inventory::services::service::Service;
use crate::inventory::software::package::Package;
use crate::inventory::{files, services, software};
use crate::machine::{self, Heartbeat, Machine};
use crate::output::Output;
use crate::plan::Plan;
use crate::process::filter::{Filter, Top};
use crate::process::redact::Redactor;
use crate::process::request::Request;
use crate::process::{self, Process};
use crate::record::Kind;
use crate::record::layout::Layout;
use crate::record::schema::Schema;
use crate::record::selection::{by, select};
use crate::run::{Interval, Schedule};
use crate::sink::Destination;
use crate::sink::forward::Patience;
use crate::text::lossy;
use crate::{disk, exec};

/// What a run over the processes needs.
///
/// # Errors
/// A sentence for the user: what cannot be, or does not go together.
pub fn processes(options: ProcessOptions) -> Result<(Request, Plan<Process>, Schedule), String> {
    let ProcessOptions { record, command, filter, top, watch, shared, sample } = options;
    let labels = labels(command.no_redact, &shared);
    let plan = plan(&process::fields::KIND, record.schema, record.fields.as_deref(), &labels, &shared)?;
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
    let labels = labels(command.no_redact, &shared);
    let plan = plan(&groups::fields::KIND, fields.schema, fields.fields.as_deref(), &labels, &shared)?;
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
    let time = TimeOptions { interval: None, count: None, timeout };
    let shared = SharedOptions { line, output, time, roots };
    let labels = labels(command.no_redact, &shared);
    let mut plan = plan(&exec::fields::KIND, record.schema, record.fields.as_deref(), &labels, &shared)?;
    if let Destination::Forward(receiver) = &mut plan.output.destination {
        // It has no end.
        receiver.patience = Patience::Each(timeout);
    }
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
    let kind = &services::fields::KIND;
    let labels = labels(redact.no_redact, &shared);
    let plan = plan(kind, fields.schema, fields.fields.as_deref(), &labels, &shared)?;
    let selection = json!({"--no-redact": redact.no_redact, "--redact-word": redact.redact_word});
    let plan = compared(plan, kind, &fields, &shared, changes, selection, &labels)?;
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
    let kind = &software::fields::KIND;
    let labels = masked(&shared.line.label);
    let plan = plan(kind, fields.schema, fields.fields.as_deref(), &labels, &shared)?;
    let plan = compared(plan, kind, &fields, &shared, changes, json!({}), &labels)?;
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
    let selection = json!({
        "PATH": paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "--recursive": recursive,
        "--depth": if recursive { 0 } else { depth },
        "--cross-filesystems": cross_filesystems,
        "--max-hash-size": max_hash_size,
    });
    let kind = &files::fields::KIND;
    let labels = masked(&shared.line.label);
    let plan = plan(kind, fields.schema, fields.fields.as_deref(), &labels, &shared)?;
    let plan = compared(plan, kind, &fields, &shared, changes, selection, &labels)?;
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

/// A plan for records that may have to be compared with earlier ones. `selection` has the kind's own options that select records,
/// or change their values.
fn compared<R>(
    plan: Plan<R>,
    kind: &'static Kind<R>,
    fields: &FieldOptions,
    shared: &SharedOptions,
    changes: ChangesOptions,
    selection: Json,
    labels: &[(String, String)],
) -> Result<Plan<R>, String> {
    let Some(path) = changes.changes else { return Ok(plan) };
    if shared.output.forward.no_ack {
        return Err("--changes cannot be used with --no-ack: records that are lost would not be sent again".into());
    }
    if fields.schema != Schema::Procline {
        let schema = fields.schema.name();
        return Err(format!("--changes cannot be used with --schema {schema}, which has no names for it"));
    }
    let columns = select(kind, fields.schema, fields.fields.as_deref())?;
    let mut selection = match selection {
        Json::Object(selection) => selection,
        _ => Map::new(),
    };
    selection.insert("--rootfs".into(), json!(plan.roots.rootfs));
    let changes = Some(Changes::new(kind, &columns, path, changes.baseline, selection)?);
    let layout = Layout::of_changes(kind, columns, labels)?;
    let mut output = Output { encoding: encoding(&layout, &shared.line), ..plan.output };
    if let (Destination::Forward(receiver), Some(_)) = (&mut output.destination, shared.time.interval) {
        // The next snapshot finds again what was not acknowledged, so it need not wait in memory.
        receiver.patience = Patience::Each(shared.time.timeout);
    }
    Ok(Plan { layout, output, changes, ..plan })
}

/// What a run of a kind without options of its own needs.
///
/// # Errors
/// Likewise.
pub fn kind<R>(kind: &'static Kind<R>, options: &KindOptions) -> Result<(Plan<R>, Schedule), String> {
    let KindOptions { fields, shared } = options;
    let labels = masked(&shared.line.label);
    Ok((plan(kind, fields.schema, fields.fields.as_deref(), &labels, shared)?, schedule(&shared.time)))
}

/// What every kind of record is asked for.
fn plan<R>(
    kind: &'static Kind<R>,
    schema: Schema,
    fields: Option<&str>,
    labels: &[(String, String)],
    shared: &SharedOptions,
) -> Result<Plan<R>, String> {
    let columns = select(kind, schema, fields)?;
    let line = &shared.line;
    let layout = Layout::new(kind, columns, schema, labels)?;
    let encoding = encoding(&layout, line);
    let destination = destination::of(&shared.output, line.format, kind.name, &shared.time)?;
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
        changes: None,
    })
}

fn encoding<R>(layout: &Layout<R>, line: &LineOptions) -> Encoding {
    match line.format {
        Format::Json => Encoding::Json,
        Format::Array => Encoding::Array,
        Format::Csv => Encoding::csv(layout.columns(line.max_record_bytes > 0)),
    }
}

/// The labels, masked unless command lines are not.
fn labels(no_redact: bool, shared: &SharedOptions) -> Vec<(String, String)> {
    if no_redact { shared.line.label.clone() } else { masked(&shared.line.label) }
}

/// The labels, masked as `--label` is in the record of procline itself.
fn masked(labels: &[(String, String)]) -> Vec<(String, String)> {
    // Preparing the tables takes longer than all the rest.
    if labels.is_empty() {
        return Vec::new();
    }
    let mut redactor = Redactor::new(&[]);
    let mut mask = |(key, value): &(String, String)| {
        let option = format!("--label\0{key}={value}");
        let masked = lossy(&redactor.mask(option.as_bytes())).into_owned();
        let value = masked.split_once('=').map_or("", |(_, value)| value);
        (key.clone(), value.to_owned())
    };
    labels.iter().map(&mut mask).collect()
}

/// An empty variable is none: a manifest may well leave it so.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
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
