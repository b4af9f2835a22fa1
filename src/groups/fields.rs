//! The group record: the one table from which its encodings, `procline fields` and the README's table come.

use super::{By, Group};
use crate::host::Host;
use crate::process::conversions::part_of_all_cpus;
use crate::process::fields::needs;
use crate::record::Type::{Float, Int, Object, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Type, Value, computer, timestamp};

/// The group records.
pub static KIND: Kind<Group> = Kind {
    name: "groups",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline, Schema::Ecs, Schema::Otel],
    truncation: Truncation {
        first: &["command"],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes` or because its command line is over 144 KiB; \
              absent otherwise",
    },
};

const DEFAULT: &[&str] = &[
    "name",
    "exe",
    "user",
    "container",
    "unit",
    "cgroup",
    "count",
    "cpu",
    "mem",
    "rss",
    "vsz",
    "threads",
    "fds",
    "states",
    "oldest_start",
    "newest_start",
    "Computer",
    "timestamp",
];

type Get = for<'a> fn(&'a Group, &'a Host) -> Value<'a>;
type Row = Field<Group>;

/// What the processes have in common. `--by` says which of these a record has, and what must be read.
const fn key(name: &'static str, doc: &'static str, get: Get) -> Field<Group> {
    Row::new(name, Text, "", 0, doc, get)
}

/// A sum of a field of the processes. It has the same name.
const fn sum(name: &'static str, kind: Type, unit: &'static str, doc: &'static str, get: Get) -> Field<Group> {
    Row::new(name, kind, unit, needs(name), doc, get)
}

const SAME: Conversion<Group> = Conversion::SAME;
const BYTES: Conversion<Group> = Conversion::BYTES;
const RATIO: Conversion<Group> = Conversion::RATIO;

/// Every field: those of the default list first, then those on request.
const FIELDS: &[Field<Group>] = &[
    key("name", "the program's name: the one that `--name` matched, else the process's", |group, _| {
        of(group, By::Name)
    })
    .ecs("process.name", SAME)
    .otel("process.executable.name", SAME),
    key("exe", "path of the executable, with `--by exe`", |group, _| of(group, By::Exe))
        .ecs("process.executable", SAME)
        .otel("process.executable.path", SAME),
    key("user", "effective user name, with `--by user`", |group, _| of(group, By::User))
        .ecs("user.name", SAME)
        .otel("process.user.name", SAME),
    key("container", "container id, with `--by container`; absent for what is in none", |group, _| {
        of(group, By::Container)
    })
    .ecs("container.id", SAME)
    .otel("container.id", SAME),
    key("unit", "systemd's unit, with `--by unit`; absent for what is in none", |group, _| of(group, By::Unit)),
    key("cgroup", "path of the control group, with `--by cgroup`", |group, _| of(group, By::Cgroup))
        .ecs("system.process.cgroup.path", SAME),
    Row::new(
        "count",
        Int,
        "",
        0,
        "number of processes; 0 for a `--name` without wildcards that none matches",
        |group, _| Value::count(group.count()),
    ),
    sum("cpu", Float, "%", "sum of the processes' `cpu`: lifetime averages, of one CPU", |group, _| group.sum("cpu")),
    sum("mem", Float, "%", "sum of the processes' `mem`: each is truncated to 0.1", |group, _| group.sum("mem"))
        .ecs("system.process.memory.rss.pct", RATIO)
        .otel("process.memory.utilization", RATIO),
    sum("rss", Int, "KiB", "resident memory; pages that processes share count for each", |group, _| group.sum("rss"))
        .ecs("system.process.memory.rss.bytes", BYTES)
        .otel("process.memory.usage", BYTES),
    sum("vsz", Int, "KiB", "virtual memory", |group, _| group.sum("vsz"))
        .ecs("system.process.memory.size", BYTES)
        .otel("process.memory.virtual", BYTES),
    sum("threads", Int, "", "number of threads", |group, _| group.sum("threads"))
        .ecs("system.process.num_threads", SAME)
        .otel("process.thread.count", SAME),
    sum("fds", Int, "", "open file descriptors", |group, _| group.sum("fds"))
        .ecs("system.process.fd.open", SAME)
        .otel("process.unix.file_descriptor.count", SAME),
    Row::new(
        "states",
        Object,
        "",
        needs("state"),
        "number of processes by `state`, such as `{\"S\":7,\"R\":1}`",
        |group, _| group.states(),
    ),
    Row::new(
        "oldest_start",
        Token,
        "",
        needs("start"),
        "when the oldest process started; absent for none",
        |group, _| text(group.oldest()),
    ),
    Row::new(
        "newest_start",
        Token,
        "",
        needs("start"),
        "when the newest process started; absent for none",
        |group, _| text(group.newest()),
    ),
    computer(),
    timestamp(),
    sum("cpu_now", Float, "%", "CPU time used / time, of one CPU, over the sample or the last interval", |group, _| {
        group.sum("cpu_now")
    })
    .ecs("system.process.cpu.total.pct", RATIO)
    .otel("process.cpu.utilization", part_of_all_cpus()),
    sum("uss", Int, "KiB", "private memory: freed when the processes exit (USS)", |group, _| group.sum("uss")),
    sum("pss", Int, "KiB", "resident memory with shared pages divided among their users (PSS)", |group, _| {
        group.sum("pss")
    }),
    sum("swap", Int, "KiB", "memory swapped out", |group, _| group.sum("swap"))
        .ecs("system.process.memory.swap", BYTES),
    sum("read_ops", Int, "", "reading system calls, of the processes that run now", |group, _| group.sum("read_ops"))
        .ecs("system.process.io.read_ops", SAME),
    sum("write_ops", Int, "", "writing system calls, of the processes that run now", |group, _| group.sum("write_ops"))
        .ecs("system.process.io.write_ops", SAME),
    sum("read_bytes", Int, "bytes", "fetched from storage", |group, _| group.sum("read_bytes"))
        .ecs("system.process.io.read_bytes", SAME),
    sum("write_bytes", Int, "bytes", "sent to storage", |group, _| group.sum("write_bytes"))
        .ecs("system.process.io.write_bytes", SAME),
    sum("rchar", Int, "bytes", "read by system calls, cached or not", |group, _| group.sum("rchar"))
        .ecs("system.process.io.read_char", SAME),
    sum("wchar", Int, "bytes", "written by system calls, cached or not", |group, _| group.sum("wchar"))
        .ecs("system.process.io.write_char", SAME),
    Row::new(
        "command",
        Text,
        "",
        needs("command") | needs("rss"),
        "command of the process with most resident memory, secrets masked",
        |group, _| text(group.command()),
    ),
];

fn of(group: &Group, by: By) -> Value<'_> {
    text(group.key(by))
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Str(text.into()))
}
