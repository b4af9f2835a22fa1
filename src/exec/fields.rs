//! The exec record: the one table from which its encodings, `procline fields` and the README's table come. What a process record
//! has too comes from its table, so that both have equal values.

use std::borrow::Cow;
use std::rc::Rc;

use chrono::{DateTime, SecondsFormat};

use super::{Action, Happening, Place, Program};
use crate::host::Host;
use crate::parse;
use crate::process::fields::{needs, row};
use crate::process::{Process, conversions};
use crate::record::Type::{Bool, Float, Int, List, Object, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Type, Value, computer};

/// The exec records.
pub static KIND: Kind<Happening> = Kind {
    name: "exec",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline, Schema::Ecs, Schema::Otel, Schema::Procmon],
    truncation: Truncation {
        first: &["command", "args", "env"],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes` or because its command line is over 144 KiB; \
              absent otherwise",
    },
};

const DEFAULT: &[&str] = &[
    "timestamp",
    "Computer",
    "event",
    "pid",
    "name",
    "ppid",
    "parent",
    "uid",
    "user",
    "effective_user",
    "tty",
    "session",
    "exe",
    "cwd",
    "command",
    "env",
    "cgroup",
    "container",
    "job",
    "entity_id",
    "exit_code",
    "exit_signal",
    "duration",
    "time",
    "lost",
    "lost_in",
    "incomplete",
];

/// The parent's `stat`. This and the next bit are above those of process records.
pub const PARENT: u32 = 1 << 30;
/// The variables of the environment.
pub const ENVIRONMENT: u32 = 1 << 31;

type Row = Field<Happening>;
type Get = for<'a> fn(&'a Happening, &'a Host) -> Value<'a>;

/// A field that a process record has, too.
const fn shared(name: &'static str, kind: Type, doc: &'static str, get: Get) -> Field<Happening> {
    Row::new(name, kind, "", needs(name), doc, get)
}

const SAME: Conversion<Happening> = Conversion::SAME;
const TEXT: Conversion<Happening> = Conversion::TEXT;

/// Every field: those of the default list first, then those on request.
const FIELDS: &[Field<Happening>] = &[
    Row::new("timestamp", Token, "", 0, "when it happened, RFC 3339 UTC with microseconds", |of, _| {
        let time = DateTime::from_timestamp_nanos(of.at);
        Value::Str(time.to_rfc3339_opts(SecondsFormat::Micros, true).into())
    })
    .ecs("@timestamp", SAME)
    .otel("timestamp", SAME)
    .procmon("timestamp"),
    computer().procmon("node"),
    Row::new(
        "event",
        Token,
        "",
        0,
        "`exec`: a program starts; `exit`: it ends; `running`: it ran already; `lost`: events are missing",
        |of, _| {
            Value::Str(Cow::Borrowed(match of.action {
                Action::Exec => "exec",
                Action::Exit => "exit",
                Action::Running => "running",
                Action::Lost => "lost",
            }))
        },
    )
    .ecs("event.action", SAME)
    .otel("event.name", SAME),
    shared("pid", Int, "process id", |of, host| value(of, const { row("pid") }, host))
        .ecs("process.pid", SAME)
        .otel("process.pid", SAME)
        .procmon("pid"),
    shared("name", Text, "the program's name: comm, lengthened where the kernel cut it at 15 bytes", |of, host| {
        of.program.as_ref().map_or(Value::Absent, |program| match program.has_stat {
            true => (const { row("name") }.get)(&program.process, host),
            false => bytes(program.process.program_name()),
        })
    })
    .ecs("process.name", SAME)
    .procmon("name"),
    shared("ppid", Int, "parent's process id", |of, host| of_stat(of, const { row("ppid") }, host))
        .ecs("process.parent.pid", SAME)
        .otel("process.parent_pid", SAME)
        .procmon("ppid"),
    Row::new("parent", Text, "", PARENT, "the parent's name: comm, which the kernel cuts at 15 bytes", |of, _| {
        of.program.as_ref().map_or(Value::Absent, |program| bytes(&program.parent))
    })
    .ecs("process.parent.name", SAME),
    Row::new("uid", Int, "", 0, "real user id", |of, _| int(of, |program| program.uid))
        .ecs("user.id", TEXT)
        .otel("process.real_user.id", SAME)
        .procmon("uid"),
    Row::new(
        "user",
        Text,
        "",
        needs("user"),
        "real user name, never shortened; the numeric uid if it has no name",
        |of, _| text(of, |program| program.user.as_ref()),
    )
    .ecs("user.name", SAME)
    .otel("process.real_user.name", SAME),
    Row::new(
        "effective_user",
        Text,
        "",
        needs("user"),
        "effective user name, if it is not the real user: a setuid program",
        |of, _| text(of, |program| program.effective_user.as_ref()),
    )
    .ecs("user.effective.name", SAME)
    .otel("process.user.name", SAME),
    shared("tty", Token, "controlling terminal (`pts/0`, `tty1`, `ttyS0`); `?` for none", |of, host| {
        of_stat(of, const { row("tty") }, host)
    }),
    shared("session", Int, "session id", |of, host| of_stat(of, const { row("session") }, host))
        .ecs("process.session_leader.pid", SAME)
        .otel("process.session_leader.pid", SAME),
    shared("exe", Text, "path of the executable; of a script, its interpreter", |of, host| {
        value(of, const { row("exe") }, host)
    })
    .ecs("process.executable", SAME)
    .otel("process.executable.path", SAME),
    shared("cwd", Text, "working directory", |of, host| value(of, const { row("cwd") }, host))
        .ecs("process.working_directory", SAME)
        .otel("process.working_directory", SAME),
    shared("command", Text, "arguments joined by spaces, secrets masked; `[comm]` for none", |of, host| {
        value(of, const { row("command") }, host)
    })
    .ecs("process.command_line", ARGUMENTS)
    .otel("process.command_line", ARGUMENTS)
    .procmon("cmdline"),
    Row::new(
        "env",
        Object,
        "",
        ENVIRONMENT,
        "the variables that `--env` names, as far as they are set, secrets masked",
        |of, _| environment(of),
    )
    .ecs("process.env_vars", VARIABLES)
    .otel("process.environment_variable", SAME),
    shared("cgroup", Text, "path of its control group: version 2's, else systemd's, else the first", |of, host| {
        value(of, const { row("cgroup") }, host)
    })
    .ecs("system.process.cgroup.path", SAME),
    shared("container", Token, "container id: the 64 hexadecimal digits in that path", |of, host| {
        value(of, const { row("container") }, host)
    })
    .ecs("container.id", SAME)
    .otel("container.id", SAME),
    Row::new(
        "job",
        Text,
        "",
        needs("cgroup"),
        "id of the Slurm or PBS job, from the control groups' paths",
        |of, _| {
            let job = of.program.as_ref().and_then(|program| parse::job(program.process.file("cgroup")));
            job.map_or(Value::Absent, |job| Value::Str(Cow::Borrowed(job)))
        },
    )
    .ecs("procline.job", SAME)
    .otel("procline.job", SAME),
    shared(
        "entity_id",
        Token,
        "boot id, pid and start ticks: identifies the process, in all its records and those of `procline`",
        |of, host| of_stat(of, const { row("entity_id") }, host),
    )
    .ecs("process.entity_id", SAME),
    Row::new("exit_code", Int, "", 0, "`exit`: its exit code; absent if a signal ended it", |of, _| {
        ended(of, |end| (end.status & 0x7f == 0).then_some(u64::from(end.status >> 8 & 0xff)))
    })
    .ecs("process.exit_code", SAME)
    .otel("process.exit.code", SAME),
    Row::new("exit_signal", Int, "", 0, "`exit`: the signal that ended it", |of, _| {
        ended(of, |end| Some(u64::from(end.status & 0x7f)).filter(|signal| *signal > 0))
    })
    .ecs("procline.exit_signal", SAME)
    .otel("procline.exit_signal", SAME),
    Row::new("duration", Float, "s", 0, "`exit`: time since its program started", |of, _| {
        let micros = of.end.and_then(|end| Some(end.duration? / 1000));
        micros.map_or(Value::Absent, |micros| Value::Float(micros as f64 / 1e6))
    })
    .ecs("event.duration", NANOSECONDS)
    .otel("procline.duration", SAME),
    Row::new(
        "time",
        Float,
        "s",
        needs("time"),
        "`exit`: CPU time used, user and system, if it could be read",
        |of, host| {
            let is_known = of.end.is_some_and(|end| end.has_time);
            if is_known { of_stat(of, const { row("time") }, host) } else { Value::Absent }
        },
    )
    .ecs("system.process.cpu.total.ticks", Conversion::MILLISECONDS)
    .otel("process.cpu.time", SAME),
    Row::new("lost", Int, "", 0, "`lost`: how many events are missing", |of, _| {
        of.lost.map_or(Value::Absent, |lost| Value::count(lost.count))
    })
    .ecs("procline.lost", SAME)
    .otel("procline.lost", SAME)
    .procmon("lost"),
    Row::new(
        "lost_in",
        Token,
        "",
        0,
        "`lost`: `kernel` if `--buffer` was full, `queue` if lines could not be written fast enough",
        |of, _| {
            of.lost.map_or(Value::Absent, |lost| {
                Value::Str(Cow::Borrowed(match lost.place {
                    Place::Kernel => "kernel",
                    Place::Queue => "queue",
                }))
            })
        },
    )
    .ecs("procline.lost_in", SAME)
    .otel("procline.lost_in", SAME),
    Row::new("incomplete", Bool, "", 0, "true if the program ended before all was read; absent otherwise", |of, _| {
        if of.is_incomplete { Value::Bool(true) } else { Value::Absent }
    })
    .ecs("procline.incomplete", SAME)
    .otel("procline.incomplete", SAME),
    shared("args", List, "the arguments one by one; absent for none", |of, host| {
        value(of, const { row("args") }, host)
    })
    .ecs("process.args", SAME)
    .otel("process.command_args", SAME),
    Row::new("euid", Int, "", 0, "effective user id, if it is not the real one", |of, _| {
        int(of, |program| program.effective_uid)
    })
    .ecs("user.effective.id", TEXT)
    .otel("process.user.id", SAME),
    shared("pgrp", Int, "process group id", |of, host| of_stat(of, const { row("pgrp") }, host))
        .ecs("process.group_leader.pid", SAME)
        .otel("process.group_leader.pid", SAME),
    shared(
        "unit",
        Text,
        "systemd's unit: the first part of the control group's path that is not a slice",
        |of, host| value(of, const { row("unit") }, host),
    ),
];

/// The command if it consists of arguments. A name in brackets is no command line.
const ARGUMENTS: Conversion<Happening> = Conversion {
    doc: Some("arguments joined by spaces, secrets masked; absent for none"),
    convert: |value, of, host| match &of.program {
        Some(program) => (conversions::ARGUMENTS.convert)(value, &program.process, host),
        None => value,
    },
    ..Conversion::SAME
};

/// The variables as a list of `NAME=value`.
const VARIABLES: Conversion<Happening> = Conversion {
    kind: Some(List),
    convert: |value, of, _| match (&value, &of.program) {
        (Value::Absent, _) | (_, None) => Value::Absent,
        (_, Some(program)) => Value::List(program.environment.iter().map(|(_, text)| text.as_slice()).collect()),
    },
    ..Conversion::SAME
};

const NANOSECONDS: Conversion<Happening> = Conversion {
    kind: Some(Int),
    unit: Some("ns"),
    convert: |_, of, _| of.end.and_then(|end| end.duration).map_or(Value::Absent, Value::count),
    ..Conversion::SAME
};

/// The process's own value. It is absent by itself if it could not be read.
fn value<'a>(of: &'a Happening, field: &'static Field<Process>, host: &'a Host) -> Value<'a> {
    of.program.as_ref().map_or(Value::Absent, |program| (field.get)(&program.process, host))
}

/// A value that comes from the process's `stat`.
fn of_stat<'a>(of: &'a Happening, field: &'static Field<Process>, host: &'a Host) -> Value<'a> {
    let program = of.program.as_ref().filter(|program| program.has_stat);
    program.map_or(Value::Absent, |program| (field.get)(&program.process, host))
}

fn bytes(bytes: &[u8]) -> Value<'_> {
    if bytes.is_empty() { Value::Absent } else { Value::Bytes(bytes) }
}

fn int(of: &Happening, get: impl Fn(&Program) -> Option<u32>) -> Value<'_> {
    of.program.as_ref().and_then(get).map_or(Value::Absent, |number| Value::Int(number.into()))
}

fn text<'a>(of: &'a Happening, get: impl Fn(&'a Program) -> Option<&'a Rc<str>>) -> Value<'a> {
    of.program.as_ref().and_then(get).map_or(Value::Absent, |text| Value::Str(Cow::Borrowed(text)))
}

fn ended(of: &Happening, get: impl Fn(super::Ended) -> Option<u64>) -> Value<'_> {
    of.end.and_then(get).map_or(Value::Absent, Value::count)
}

fn environment(of: &Happening) -> Value<'_> {
    let variables = of.program.as_ref().map_or(&[][..], |program| &program.environment);
    if variables.is_empty() {
        return Value::Absent;
    }
    // The text of each is `NAME=value`.
    let value = |name: &str, text| Value::Bytes(<[u8]>::get(text, name.len() + 1..).unwrap_or_default());
    Value::Object(variables.iter().map(|(name, text)| (Cow::Borrowed(&**name), value(name, text))).collect())
}
