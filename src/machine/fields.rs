//! The host record: the one table from which its encodings, `procline fields` and the README's table come.

use chrono::{DateTime, SecondsFormat};

use super::Machine;
use super::facts::{Facts, Memory};
use super::needs::{KERNEL, LOAD, MEMORY, OS, PROCESSES, SAMPLE, STAT, UPTIME, USERS, VIRTUALIZATION};
use super::processes::Processes;
use crate::parse;
use crate::record::Type::{Float, Int, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The host record.
pub static KIND: Kind<Machine> = Kind {
    name: "host",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline, Schema::Ecs, Schema::Otel],
    truncation: Truncation {
        first: &[],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes`; absent otherwise",
    },
};

const DEFAULT: &[&str] = &[
    "os",
    "os_version",
    "kernel",
    "architecture",
    "virtualization",
    "boot_time",
    "uptime",
    "cpus",
    "cpu_now",
    "load1",
    "load5",
    "load15",
    "mem_total",
    "mem_available",
    "mem_used",
    "swap_total",
    "swap_free",
    "swap_used",
    "processes",
    "processes_running",
    "processes_sleeping",
    "processes_disk_sleep",
    "processes_idle",
    "processes_stopped",
    "processes_zombie",
    "threads",
    "users",
    "Computer",
    "timestamp",
];

type Row = Field<Machine>;

const SAME: Conversion<Machine> = Conversion::SAME;
const BYTES: Conversion<Machine> = Conversion::BYTES;

/// Every field of the host record.
const FIELDS: &[Field<Machine>] = &[
    Row::new("os", Text, "", OS, "the operating system's name, as NAME in os-release", |machine, _| {
        text(&machine.facts.os)
    })
    .ecs("host.os.name", SAME)
    .otel("os.name", SAME),
    Row::new("os_version", Text, "", OS, "its version, as VERSION_ID in os-release", |machine, _| {
        text(&machine.facts.os_version)
    })
    .ecs("host.os.version", SAME)
    .otel("os.version", SAME),
    Row::new("kernel", Text, "", KERNEL, "the kernel's release, as `uname -r`", |machine, _| {
        text(&machine.facts.kernel)
    })
    .ecs("host.os.kernel", SAME),
    Row::new("architecture", Text, "", KERNEL, "the CPU architecture, as `uname -m`", |machine, _| {
        text(&machine.facts.architecture)
    })
    .ecs("host.architecture", SAME)
    .otel("host.arch", ARCHITECTURE_OF_OTEL),
    Row::new(
        "virtualization",
        Token,
        "",
        VIRTUALIZATION,
        "container or virtual machine, as `systemd-detect-virt`; absent if none is found",
        |machine, _| machine.virtualization.map_or(Value::Absent, |name| Value::Str(name.into())),
    ),
    Row::new("boot_time", Token, "", STAT, "when the machine booted, RFC 3339 UTC, whole seconds", |machine, _| {
        boot_time(&machine.stat).map_or(Value::Absent, |time| Value::Str(time.into()))
    }),
    Row::new("uptime", Float, "s", UPTIME, "time since boot", |_, host| {
        Value::Float(host.uptime_ticks as f64 / host.ticks_per_second as f64)
    })
    .ecs("host.uptime", WHOLE_SECONDS)
    .otel("system.uptime", SAME),
    Row::new("cpus", Int, "", STAT, "CPUs online", |machine, _| count(parse::machine::cpus(&machine.stat)))
        .ecs("system.cpu.cores", SAME)
        .otel("system.cpu.logical.count", SAME),
    Row::new(
        "cpu_now",
        Float,
        "%",
        SAMPLE,
        "busy part of all CPUs' time, over the sample or the last interval: 100 if every CPU is busy; rounded to 0.1",
        |machine, _| machine.cpu_now.map_or(Value::Absent, Value::Float),
    )
    .ecs("host.cpu.usage", CPU_RATIO),
    Row::new("load1", Float, "", LOAD, "load average over 1 minute", |machine, _| load(&machine.facts, 0))
        .ecs("system.load.1", SAME),
    Row::new("load5", Float, "", LOAD, "load average over 5 minutes", |machine, _| load(&machine.facts, 1))
        .ecs("system.load.5", SAME),
    Row::new("load15", Float, "", LOAD, "load average over 15 minutes", |machine, _| load(&machine.facts, 2))
        .ecs("system.load.15", SAME),
    Row::new("mem_total", Int, "KiB", MEMORY, "memory, as `free`", |machine, _| memory(machine, |memory| memory.total))
        .ecs("system.memory.total", BYTES)
        .otel("system.memory.limit", BYTES),
    Row::new(
        "mem_available",
        Int,
        "KiB",
        MEMORY,
        "memory that new programs can have without swapping",
        |machine, _| memory(machine, |memory| memory.available),
    )
    .ecs("system.memory.actual.free", BYTES)
    .otel("system.memory.linux.available", BYTES),
    Row::new("mem_used", Int, "KiB", MEMORY, "memory that is not available", |machine, _| {
        memory(machine, |memory| memory.total?.checked_sub(memory.available?))
    })
    .ecs("system.memory.actual.used.bytes", BYTES),
    Row::new("swap_total", Int, "KiB", MEMORY, "swap space, as `free`", |machine, _| {
        memory(machine, |memory| memory.swap_total)
    })
    .ecs("system.memory.swap.total", BYTES),
    Row::new("swap_free", Int, "KiB", MEMORY, "swap space that is free", |machine, _| {
        memory(machine, |memory| memory.swap_free)
    })
    .ecs("system.memory.swap.free", BYTES),
    Row::new("swap_used", Int, "KiB", MEMORY, "swap space that is used", |machine, _| {
        memory(machine, |memory| memory.swap_total?.checked_sub(memory.swap_free?))
    })
    .ecs("system.memory.swap.used.bytes", BYTES),
    Row::new("processes", Int, "", PROCESSES, "processes, threads of the kernel included", |machine, _| {
        processes(machine, |processes| processes.total)
    })
    .ecs("system.process.summary.total", SAME),
    Row::new("processes_running", Int, "", PROCESSES, "those that run or wait for a CPU (R)", |machine, _| {
        processes(machine, |processes| processes.running)
    })
    .ecs("system.process.summary.running", SAME),
    Row::new("processes_sleeping", Int, "", PROCESSES, "those that sleep (S)", |machine, _| {
        processes(machine, |processes| processes.sleeping)
    })
    .ecs("system.process.summary.sleeping", SAME),
    Row::new(
        "processes_disk_sleep",
        Int,
        "",
        PROCESSES,
        "those that sleep and cannot be woken, mostly for a disk (D)",
        |machine, _| processes(machine, |processes| processes.disk_sleep),
    ),
    Row::new("processes_idle", Int, "", PROCESSES, "threads of the kernel that wait for work (I)", |machine, _| {
        processes(machine, |processes| processes.idle)
    })
    .ecs("system.process.summary.idle", SAME),
    Row::new("processes_stopped", Int, "", PROCESSES, "those that are stopped or traced (T, t)", |machine, _| {
        processes(machine, |processes| processes.stopped)
    })
    .ecs("system.process.summary.stopped", SAME),
    Row::new(
        "processes_zombie",
        Int,
        "",
        PROCESSES,
        "those whose parent has not noticed their end (Z)",
        |machine, _| processes(machine, |processes| processes.zombie),
    )
    .ecs("system.process.summary.zombie", SAME),
    Row::new("threads", Int, "", PROCESSES, "threads of all processes", |machine, _| {
        processes(machine, |processes| processes.threads)
    }),
    Row::new("users", Int, "", USERS, "logins in utmp, as `who` counts them; absent without utmp", |machine, _| {
        count(machine.users)
    }),
    computer(),
    timestamp(),
];

/// The machine's uptime as ECS has it.
const WHOLE_SECONDS: Conversion<Machine> =
    Conversion { doc: Some("time since boot, truncated to whole seconds"), ..Conversion::SECONDS };

/// CPU time as a part of what all CPUs had.
const CPU_RATIO: Conversion<Machine> = Conversion {
    doc: Some(
        "busy part of all CPUs' time, over the sample or the last interval: 1 if every CPU is busy; rounded to 0.001",
    ),
    ..Conversion::RATIO
};

/// `host.arch` of the semantic conventions, which have words of their own.
const ARCHITECTURE_OF_OTEL: Conversion<Machine> = Conversion {
    doc: Some("amd64, arm64, arm32, x86, ppc64, ppc32, s390x or ia64; others as `uname -m`"),
    convert: |value, machine, _| match machine.facts.architecture.as_deref() {
        Some("x86_64") => Value::Str("amd64".into()),
        Some("aarch64") => Value::Str("arm64".into()),
        Some("armv6l" | "armv7l" | "armv8l") => Value::Str("arm32".into()),
        Some("i386" | "i486" | "i586" | "i686") => Value::Str("x86".into()),
        Some("ppc64le") => Value::Str("ppc64".into()),
        Some("ppc") => Value::Str("ppc32".into()),
        _ => value,
    },
    ..Conversion::SAME
};

fn text(text: &Option<String>) -> Value<'_> {
    text.as_deref().map_or(Value::Absent, |text| Value::Str(text.into()))
}

fn count<'a>(number: Option<u64>) -> Value<'a> {
    number.map_or(Value::Absent, Value::count)
}

fn load<'a>(facts: &Facts, place: usize) -> Value<'a> {
    facts.load.map_or(Value::Absent, |load| Value::Float(load[place]))
}

fn memory<'a>(machine: &Machine, get: fn(Memory) -> Option<u64>) -> Value<'a> {
    count(get(machine.facts.memory))
}

fn processes<'a>(machine: &Machine, get: fn(Processes) -> u64) -> Value<'a> {
    count(machine.processes.map(get))
}

/// `btime` of proc_stat(5).
fn boot_time(stat: &[u8]) -> Option<String> {
    let seconds = parse::keyed(stat, "btime")?.try_into().ok()?;
    Some(DateTime::from_timestamp(seconds, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}
