//! The process record: the one table from which its encodings, `procline fields` and the README's table come.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};

use super::needs::{
    BOOT_ID, BOOT_TIME, COMMAND, GROUP, LOCKED, MEM_TOTAL, NAME, RSS, SAMPLE, STATM, STATUS, TTY, UID, UPTIME, USER,
    file, is_same,
};
use super::{Process, command, conversions, tenths_of_percent};
use crate::host::Host;
use crate::parse;
use crate::record::Type::{Bool, Float, Int, List, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};
use crate::text::lossy;

/// The process records.
pub static KIND: Kind<Process> = Kind {
    name: "process",
    fields: FIELDS,
    lists: &[("default", DEFAULT), ("resources", RESOURCES)],
    schemas: &[Schema::Procline, Schema::Oms, Schema::Ecs, Schema::Otel],
    // Command lines are what makes a record long.
    truncation: Truncation {
        first: &["command", "args"],
        mark: "command_truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes` or because its command line is over 144 KiB; \
              absent otherwise",
    },
};

const DEFAULT: &[&str] =
    &["user", "pid", "cpu", "mem", "vsz", "rss", "tty", "stat", "start", "time", "command", "Computer", "timestamp"];

/// For sampling a few daemons.
const RESOURCES: &[&str] = &[
    "name",
    "selected",
    "matched",
    "pid",
    "cpu_now",
    "vsz",
    "rss",
    "uss",
    "pss",
    "swap",
    "fds",
    "read_ops",
    "write_ops",
    "read_bytes",
    "write_bytes",
    "Computer",
    "timestamp",
];

type Row = Field<Process>;

const SAME: Conversion<Process> = Conversion::SAME;
const TEXT: Conversion<Process> = Conversion::TEXT;
const BYTES: Conversion<Process> = Conversion::BYTES;

/// Every field: those of the default list first, then those on request.
const FIELDS: &[Field<Process>] = &[
    Row::new(
        "user",
        Text,
        "",
        USER,
        "effective user name, never shortened; the numeric uid if it has no name",
        |process, _| text(process.user.as_deref()),
    )
    .oms("user", SAME)
    .ecs("user.name", SAME)
    .otel("process.user.name", SAME),
    Row::new("pid", Int, "", 0, "process id", |process, _| Value::Int(process.pid.into()))
        .oms("pid", TEXT)
        .ecs("process.pid", SAME)
        .otel("process.pid", SAME),
    Row::new(
        "cpu",
        Float,
        "%",
        UPTIME,
        "CPU time used / time since start, of one CPU, as `ps` %CPU: a lifetime average, truncated to 0.1, not clamped",
        |process, host| Value::Float(process.cpu(host)),
    )
    .oms("cpuUtilization", conversions::CPU_OF_PS),
    Row::new(
        "mem",
        Float,
        "%",
        RSS | MEM_TOTAL,
        "resident memory / the machine's memory, as `ps` %MEM: truncated to 0.1",
        |process, host| {
            let share = process.rss.and_then(|rss| tenths_of_percent(rss, host.mem_total));
            // ps prints no more.
            share.map_or(Value::Absent, |share| Value::Float(share.min(99.9)))
        },
    )
    .oms("memoryUtilization", conversions::MEM_OF_PS)
    .ecs("system.process.memory.rss.pct", conversions::MEM_RATIO)
    .otel("process.memory.utilization", conversions::MEM_RATIO),
    Row::new("vsz", Int, "KiB", 0, "virtual memory; 0 for kernel threads and zombies", |process, _| {
        Value::count(process.stat.vsize / 1024)
    })
    .oms("vsz", TEXT)
    .ecs("system.process.memory.size", BYTES)
    .otel("process.memory.virtual", BYTES),
    Row::new("rss", Int, "KiB", RSS, "resident memory; 0 for kernel threads and zombies", |process, _| {
        count(process.rss)
    })
    .oms("rss", TEXT)
    .ecs("system.process.memory.rss.bytes", BYTES)
    .otel("process.memory.usage", BYTES),
    Row::new("tty", Token, "", TTY, "controlling terminal (`pts/0`, `tty1`, `ttyS0`); `?` for none", |process, _| {
        text(Some(&process.tty))
    })
    .oms("tty", SAME),
    Row::new(
        "stat",
        Token,
        "",
        LOCKED,
        "state as `ps` STAT: a letter, then `<` or `N` for nice, `L` locked memory, `s` session leader, `l` threads, \
         `+` foreground",
        |process, _| owned(process.locked.map(|locked| state(process, locked))),
    )
    .oms("stat", SAME)
    .ecs("process.state", conversions::STATE_OF_ECS)
    .otel("process.state", conversions::STATE_OF_OTEL),
    Row::new(
        "start",
        Token,
        "",
        BOOT_TIME,
        "when the process started, RFC 3339 UTC, whole seconds, as `ps` lstart",
        |process, host| owned(start(process, host)),
    )
    .oms("start", conversions::START_OF_PS)
    .ecs("process.start", SAME)
    .otel("process.creation.time", SAME),
    Row::new("time", Float, "s", 0, "CPU time used, user and system", |process, host| {
        seconds(process.stat.cpu_ticks(), host)
    })
    .oms("cpuTime", conversions::TIME_OF_PS)
    .ecs("system.process.cpu.total.ticks", Conversion::MILLISECONDS)
    .otel("process.cpu.time", SAME),
    Row::new(
        "command",
        Text,
        "",
        COMMAND,
        "arguments joined by spaces, secrets masked; `[comm]` for none; `[comm] <defunct>` for a zombie",
        |process, _| bytes(&process.command),
    )
    .oms("command", SAME)
    .ecs("process.command_line", conversions::ARGUMENTS)
    .otel("process.command_line", conversions::ARGUMENTS),
    computer().oms("Computer", SAME),
    timestamp().oms("timestamp", conversions::TIMESTAMP_OF_SCRIPT),
    Row::new(
        "name",
        Text,
        "",
        NAME,
        "the program's name: comm, lengthened where the kernel cut it at 15 bytes",
        |process, _| Value::Bytes(command::name(&process.comm, &process.arguments)),
    )
    .ecs("process.name", SAME)
    .otel("process.executable.name", conversions::EXE_NAME),
    Row::new("ppid", Int, "", 0, "parent's process id", |process, _| Value::Int(process.stat.ppid))
        .ecs("process.parent.pid", SAME)
        .otel("process.parent_pid", SAME),
    Row::new("uid", Int, "", UID, "effective user id", |process, _| count(process.uid.map(u64::from)))
        .ecs("user.id", TEXT)
        .otel("process.user.id", SAME),
    Row::new("gid", Int, "", STATUS, "effective group id", |process, _| {
        count(process.status.and_then(|status| status.egid).map(u64::from))
    })
    .ecs("process.group.id", TEXT),
    Row::new("ruid", Int, "", STATUS, "real user id", |process, _| {
        count(process.status.and_then(|status| status.ruid).map(u64::from))
    })
    .ecs("process.real_user.id", TEXT)
    .otel("process.real_user.id", SAME),
    Row::new(
        "group",
        Text,
        "",
        STATUS | GROUP,
        "effective group's name; the numeric gid if it has no name",
        |process, _| text(process.group.as_deref()),
    )
    .ecs("process.group.name", SAME),
    Row::new(
        "exe",
        Text,
        "",
        file("exe"),
        "path of the executable; with ` (deleted)` where it was replaced",
        |process, _| bytes(process.file("exe")),
    )
    .ecs("process.executable", SAME)
    .otel("process.executable.path", SAME),
    Row::new("cwd", Text, "", file("cwd"), "working directory", |process, _| bytes(process.file("cwd")))
        .ecs("process.working_directory", SAME)
        .otel("process.working_directory", SAME),
    Row::new(
        "args",
        List,
        "",
        COMMAND,
        "the arguments one by one; absent for none and for a rewritten title",
        |process, _| command::list(&process.arguments).map_or(Value::Absent, Value::List),
    )
    .ecs("process.args", SAME)
    .otel("process.command_args", SAME),
    Row::new(
        "state",
        Token,
        "",
        0,
        "state letter: R running, S sleeping, D in disk sleep, T stopped, t traced, Z zombie, I idle",
        |process, _| owned(Some(char::from(process.stat.state).to_string())),
    ),
    Row::new("nice", Int, "", 0, "nice value, -20 to 19", |process, _| Value::Int(process.stat.nice)),
    Row::new("priority", Int, "", 0, "the kernel's priority, as in /proc/PID/stat", |process, _| stat(process, 18)),
    Row::new("threads", Int, "", 0, "number of threads", |process, _| Value::Int(process.stat.num_threads))
        .ecs("system.process.num_threads", SAME)
        .otel("process.thread.count", SAME),
    Row::new("session", Int, "", 0, "session id", |process, _| Value::Int(process.stat.session))
        .ecs("process.session_leader.pid", SAME)
        .otel("process.session_leader.pid", SAME),
    Row::new("pgrp", Int, "", 0, "process group id", |process, _| Value::Int(process.stat.pgrp))
        .ecs("process.group_leader.pid", SAME)
        .otel("process.group_leader.pid", SAME),
    Row::new("elapsed", Float, "s", UPTIME, "time since start", |process, host| seconds(process.age(host), host))
        .ecs("process.uptime", conversions::WHOLE_SECONDS)
        .otel("process.uptime", SAME),
    Row::new(
        "entity_id",
        Token,
        "",
        BOOT_ID,
        "boot id, pid and start ticks: identifies the process even if its pid is used again",
        |process, host| owned(Some(format!("{}-{}-{}", host.boot_id, process.pid, process.stat.starttime))),
    )
    .ecs("process.entity_id", SAME),
    Row::new("kernel_thread", Bool, "", 0, "whether it is a thread of the kernel", |process, _| {
        Value::Bool(process.is_kernel_thread())
    }),
    Row::new(
        "cpu_now",
        Float,
        "%",
        SAMPLE | UPTIME,
        "CPU time used / time, of one CPU, over the sample or the last interval, or over its life if that is shorter: \
         rounded to 0.1",
        |process, _| process.cpu_now.map_or(Value::Absent, Value::Float),
    )
    .ecs("system.process.cpu.total.pct", conversions::CPU_NOW_RATIO)
    .otel("process.cpu.utilization", conversions::part_of_all_cpus()),
    Row::new(
        "uss",
        Int,
        "KiB",
        file("smaps_rollup"),
        "private memory: freed when the process exits (USS)",
        |process, _| count(parse::private_memory(process.file("smaps_rollup"))),
    ),
    Row::new(
        "pss",
        Int,
        "KiB",
        file("smaps_rollup"),
        "resident memory with shared pages divided among their users (PSS)",
        |process, _| memory(process, "Pss:"),
    ),
    Row::new("swap", Int, "KiB", file("smaps_rollup"), "memory swapped out", |process, _| memory(process, "Swap:"))
        .ecs("system.process.memory.swap", BYTES),
    Row::new("shared", Int, "KiB", STATM, "resident memory that is mapped from files or shared", |process, _| {
        count(process.shared)
    })
    .ecs("system.process.memory.share", BYTES),
    Row::new("fds", Int, "", file("fd"), "open file descriptors", |process, _| number(process, "fd"))
        .ecs("system.process.fd.open", SAME)
        .otel("process.unix.file_descriptor.count", SAME),
    Row::new("read_ops", Int, "", file("io"), "reading system calls", |process, _| io(process, "syscr:"))
        .ecs("system.process.io.read_ops", SAME),
    Row::new("write_ops", Int, "", file("io"), "writing system calls", |process, _| io(process, "syscw:"))
        .ecs("system.process.io.write_ops", SAME),
    Row::new("read_bytes", Int, "bytes", file("io"), "fetched from storage", |process, _| io(process, "read_bytes:"))
        .ecs("system.process.io.read_bytes", SAME),
    Row::new("write_bytes", Int, "bytes", file("io"), "sent to storage", |process, _| io(process, "write_bytes:"))
        .ecs("system.process.io.write_bytes", SAME),
    Row::new("rchar", Int, "bytes", file("io"), "read by system calls, cached or not", |process, _| {
        io(process, "rchar:")
    })
    .ecs("system.process.io.read_char", SAME),
    Row::new("wchar", Int, "bytes", file("io"), "written by system calls, cached or not", |process, _| {
        io(process, "wchar:")
    })
    .ecs("system.process.io.write_char", SAME),
    Row::new("minflt", Int, "", 0, "page faults that needed nothing from disk", |process, _| stat(process, 10)),
    Row::new("majflt", Int, "", 0, "page faults that needed the disk", |process, _| stat(process, 12)),
    Row::new("ctx_voluntary", Int, "", STATUS, "times it gave up the CPU by itself (its main thread)", |process, _| {
        status(process, "voluntary_ctxt_switches:")
    }),
    Row::new("ctx_involuntary", Int, "", STATUS, "times the CPU was taken from it (its main thread)", |process, _| {
        status(process, "nonvoluntary_ctxt_switches:")
    }),
    Row::new(
        "cgroup",
        Text,
        "",
        file("cgroup"),
        "path of its control group: version 2's, else systemd's, else the first",
        |process, _| parse::cgroup(process.file("cgroup")).map_or(Value::Absent, Value::Bytes),
    )
    .ecs("system.process.cgroup.path", SAME),
    Row::new(
        "container",
        Token,
        "",
        file("cgroup"),
        "container id: the 64 hexadecimal digits in that path",
        |process, _| text(parse::cgroup(process.file("cgroup")).and_then(parse::container)),
    )
    .ecs("container.id", SAME)
    .otel("container.id", SAME),
    Row::new(
        "unit",
        Text,
        "",
        file("cgroup"),
        "systemd's unit: the first part of that path that is not a slice",
        |process, _| parse::cgroup(process.file("cgroup")).and_then(parse::unit).map_or(Value::Absent, Value::Bytes),
    ),
    Row::new("oom_score", Int, "", file("oom_score"), "how soon the kernel would kill it for memory", |process, _| {
        number(process, "oom_score")
    }),
    Row::new(
        "selected",
        Text,
        "",
        0,
        "the `--name` that it belongs to: its own, or that of its nearest ancestor that matches",
        |process, _| text(process.named().map(|named| named.pattern.as_str())),
    ),
    Row::new(
        "matched",
        Text,
        "",
        0,
        "the name that `selected` matched: tells daemons apart that one pattern selects",
        |process, _| text(process.named().map(|named| named.name.as_str())),
    ),
];

/// The field with this name.
pub fn named(name: &str) -> Option<&'static Field<Process>> {
    FIELDS.iter().find(|field| field.name == name)
}

/// What must be read for the field with this name. In a constant, an unknown name does not compile.
pub const fn needs(name: &str) -> u32 {
    row(name).needs
}

/// The field with this name. In a constant, an unknown name does not compile.
pub const fn row(name: &str) -> &'static Field<Process> {
    let mut index = 0;
    while !is_same(FIELDS[index].name.as_bytes(), name.as_bytes()) {
        index += 1;
    }
    &FIELDS[index]
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Str(Cow::Borrowed(text)))
}

fn owned<'a>(text: Option<String>) -> Value<'a> {
    text.map_or(Value::Absent, |text| Value::Str(Cow::Owned(text)))
}

/// An unknown path or command is empty. No known one is.
fn bytes(bytes: &[u8]) -> Value<'_> {
    if bytes.is_empty() { Value::Absent } else { Value::Bytes(bytes) }
}

fn int<'a>(number: Option<i64>) -> Value<'a> {
    number.map_or(Value::Absent, Value::Int)
}

fn count<'a>(number: Option<u64>) -> Value<'a> {
    number.map_or(Value::Absent, Value::count)
}

/// The number at this position of proc_pid_stat(5).
fn stat(process: &Process, place: usize) -> Value<'_> {
    int(parse::stat_number(&process.stat_text, place))
}

/// The number in this file.
fn number<'a>(process: &'a Process, file: &str) -> Value<'a> {
    int(parse::only_number(process.file(file)))
}

/// The number after this key of `status`.
fn status<'a>(process: &'a Process, key: &str) -> Value<'a> {
    count(parse::keyed(&process.status_text, key))
}

/// The number after this key of `smaps_rollup`.
fn memory<'a>(process: &'a Process, key: &str) -> Value<'a> {
    count(parse::keyed(process.file("smaps_rollup"), key))
}

/// The number after this key of `io`.
fn io<'a>(process: &'a Process, key: &str) -> Value<'a> {
    count(parse::keyed(process.file("io"), key))
}

/// Clock ticks in seconds.
fn seconds<'a>(ticks: u64, host: &Host) -> Value<'a> {
    Value::Float(ticks as f64 / host.ticks_per_second as f64)
}

/// The letters of ps(1), "PROCESS STATE CODES", in the order of ps.
fn state(process: &Process, locked: bool) -> String {
    let stat = &process.stat;
    let mut code = String::with_capacity(8);
    code.push(char::from(stat.state));
    for (applies, letter) in [
        (stat.nice < 0, '<'),
        (stat.nice > 0, 'N'),
        (locked, 'L'),
        (stat.session == i64::from(process.pid), 's'),
        (stat.num_threads > 1, 'l'),
        (stat.pgrp == stat.tpgid, '+'),
    ] {
        if applies {
            code.push(letter);
        }
    }
    code
}

/// ps adds the seconds since boot, floored, to the boot time.
fn start(process: &Process, host: &Host) -> Option<String> {
    let after_boot = process.stat.starttime.checked_div(host.ticks_per_second)?;
    let seconds = host.boot_time.checked_add_unsigned(after_boot)?;
    DateTime::from_timestamp(seconds, 0).map(rfc3339)
}

/// A time as RFC 3339, UTC, in whole seconds. It is written digit by digit, because chrono takes as long for it as
/// parsing a whole `stat`.
fn rfc3339(time: DateTime<Utc>) -> String {
    let Ok(year @ 0..=9999) = u32::try_from(time.year()) else {
        return time.to_rfc3339_opts(SecondsFormat::Secs, true);
    };
    let pairs = [year / 100, year % 100, time.month(), time.day(), time.hour(), time.minute(), time.second()];
    let mut text = *b"0000-00-00T00:00:00Z";
    for (pair, place) in pairs.into_iter().zip([0, 2, 5, 8, 11, 14, 17]) {
        text[place] += (pair / 10) as u8;
        text[place + 1] += (pair % 10) as u8;
    }
    lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Stat;

    fn process(stat: Stat) -> Process {
        Process { pid: 7, stat, ..Process::default() }
    }

    fn value(name: &str, process: &Process, host: &Host) -> String {
        let field = FIELDS.iter().find(|field| field.name == name).unwrap();
        serde_json::to_string(&(field.get)(process, host)).unwrap()
    }

    #[test]
    fn cpu_and_mem_are_truncated_not_rounded() {
        let host = Host { uptime_ticks: 1100, mem_total: 1000, ticks_per_second: 100, ..Host::default() };
        for (utime, starttime, expected) in [
            (0, 100, "0.0"),
            (1, 100, "0.1"),
            (999, 100, "99.9"),
            (1999, 100, "199.9"),
            (29, 1000, "29.0"),
            (5, 1100, "0.0"),
            (5, 2000, "0.0"),
            (u64::MAX, 100, "1844674407370955.2"),
        ] {
            let busy = process(Stat { utime, starttime, ..Stat::default() });
            assert_eq!(value("cpu", &busy, &host), expected, "{utime} ticks since {starttime}");
        }
        for (rss, expected) in [(Some(0), "0.0"), (Some(999), "99.9"), (Some(2000), "99.9"), (None, "null")] {
            let mut large = process(Stat::default());
            large.rss = rss;
            assert_eq!(value("mem", &large, &host), expected, "{rss:?}");
        }
        let mut large = process(Stat::default());
        large.rss = Some(1);
        assert_eq!(value("mem", &large, &Host::default()), "null");
    }

    #[test]
    fn state_letters_in_the_order_of_ps() {
        let plain = Stat { state: b'S', tpgid: -1, num_threads: 1, ..Stat::default() };
        for (stat, locked, expected) in [
            (plain, false, "S"),
            (Stat { nice: -1, ..plain }, true, "S<L"),
            (Stat { nice: 1, session: 7, num_threads: 2, pgrp: 9, tpgid: 9, ..plain }, true, "SNLsl+"),
            (Stat { state: b'Z', num_threads: 2, ..plain }, false, "Zl"),
        ] {
            assert_eq!(state(&process(stat), locked), expected);
        }
    }

    #[test]
    fn start_is_the_boot_time_and_whole_seconds() {
        let host = Host { boot_time: 1_700_000_000, ticks_per_second: 100, ..Host::default() };
        let at = |starttime| value("start", &process(Stat { starttime, ..Stat::default() }), &host);
        assert_eq!(at(0), "\"2023-11-14T22:13:20Z\"");
        assert_eq!(at(199), "\"2023-11-14T22:13:21Z\"");
        assert_eq!(at(u64::MAX), "null");
        for seconds in [0, 951_782_399, 951_782_400, 1_709_210_096, 253_402_300_799, 253_402_300_800, -62_167_219_201] {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(rfc3339(time), time.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
    }

    #[test]
    fn time_is_in_seconds() {
        let host = Host { ticks_per_second: 100, ..Host::default() };
        let busy = process(Stat { utime: 3, stime: 4, ..Stat::default() });
        assert_eq!(value("time", &busy, &host), "0.07");
    }
}
