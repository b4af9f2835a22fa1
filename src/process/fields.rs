//! The process record: the one table from which its encodings, `procline fields` and the README's table come.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};

use super::Process;
use super::needs::{BOOT_TIME, COMMAND, LOCKED, MEM_TOTAL, RSS, TTY, UPTIME, USER};
use crate::host::Host;
use crate::record::{Field, Type, Value, computer, timestamp};

/// The fields of a process record without `--fields`, in the order of the table.
pub const DEFAULT: [&str; 13] =
    ["user", "pid", "cpu", "mem", "vsz", "rss", "tty", "stat", "start", "time", "command", "Computer", "timestamp"];

/// Every field of a process record.
pub static FIELDS: [Field<Process>; 13] = [
    Field {
        name: "user",
        kind: Type::String,
        unit: "",
        doc: "effective user name, whole; the uid in digits where it has no name",
        needs: USER,
        get: |process, _| process.user.as_deref().map_or(Value::Absent, |name| Value::Str(Cow::Borrowed(name))),
    },
    Field {
        name: "pid",
        kind: Type::Int,
        unit: "",
        doc: "process id",
        needs: 0,
        get: |process, _| Value::Int(process.pid.into()),
    },
    Field {
        name: "cpu",
        kind: Type::Float,
        unit: "%",
        doc: "CPU time used / time since start, of one CPU, as `ps` %CPU: a lifetime average, truncated to 0.1, not clamped",
        needs: UPTIME,
        get: |process, host| {
            let elapsed = host.uptime_ticks.saturating_sub(process.stat.starttime);
            // ps has 0 for a process as old as the clock.
            tenths_of_percent(process.cpu_ticks(), elapsed).map_or(Value::Float(0.0), Value::Float)
        },
    },
    Field {
        name: "mem",
        kind: Type::Float,
        unit: "%",
        doc: "resident memory / the machine's memory, as `ps` %MEM: truncated to 0.1",
        needs: RSS | MEM_TOTAL,
        get: |process, host| {
            let share = process.rss.and_then(|rss| tenths_of_percent(rss, host.mem_total));
            // ps never says more.
            share.map_or(Value::Absent, |share| Value::Float(share.min(99.9)))
        },
    },
    Field {
        name: "vsz",
        kind: Type::Int,
        unit: "KiB",
        doc: "virtual memory; 0 for kernel threads and zombies",
        needs: 0,
        get: |process, _| Value::count(process.stat.vsize / 1024),
    },
    Field {
        name: "rss",
        kind: Type::Int,
        unit: "KiB",
        doc: "resident memory; 0 for kernel threads and zombies",
        needs: RSS,
        get: |process, _| process.rss.map_or(Value::Absent, Value::count),
    },
    Field {
        name: "tty",
        kind: Type::String,
        unit: "",
        doc: "controlling terminal (`pts/0`, `tty1`, `ttyS0`); `?` for none",
        needs: TTY,
        get: |process, _| Value::Str(Cow::Borrowed(&process.tty)),
    },
    Field {
        name: "stat",
        kind: Type::String,
        unit: "",
        doc: "state as `ps` STAT: a letter, then `<` or `N` for nice, `L` locked memory, `s` session leader, `l` threads, \
              `+` foreground",
        needs: LOCKED,
        get: |process, _| process.locked.map_or(Value::Absent, |locked| Value::Str(state(process, locked).into())),
    },
    Field {
        name: "start",
        kind: Type::String,
        unit: "",
        doc: "when the process started, RFC 3339 UTC, whole seconds, as `ps` lstart",
        needs: BOOT_TIME,
        get: |process, host| start(process, host).map_or(Value::Absent, |text| Value::Str(text.into())),
    },
    Field {
        name: "time",
        kind: Type::Float,
        unit: "s",
        doc: "CPU time used, user and system",
        needs: 0,
        get: |process, host| Value::Float(process.cpu_ticks() as f64 / host.ticks_per_second as f64),
    },
    Field {
        name: "command",
        kind: Type::String,
        unit: "",
        doc: "arguments joined by spaces; `[comm]` for none; `[comm] <defunct>` for a zombie",
        needs: COMMAND,
        get: |process, _| match process.command.as_slice() {
            [] => Value::Absent,
            command => Value::Bytes(command),
        },
    },
    computer(),
    timestamp(),
];

/// `part` of `whole` in percent, truncated to a tenth; none of nothing.
fn tenths_of_percent(part: u64, whole: u64) -> Option<f64> {
    let tenths = part.saturating_mul(1000).checked_div(whole)?;
    Some(tenths as f64 / 10.0)
}

/// The letters of ps(1), "PROCESS STATE CODES", in its order.
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
    let time = DateTime::from_timestamp(seconds, 0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::super::parse::Stat;
    use super::*;

    fn process(stat: Stat) -> Process {
        Process { pid: 7, stat, ..Process::default() }
    }

    fn value(name: &str, process: &Process, host: &Host) -> String {
        let field = FIELDS.iter().find(|field| field.name == name).unwrap();
        serde_json::to_string(&(field.get)(process, host)).unwrap()
    }

    /// Log Analytics: custom tables' column names.
    #[test]
    fn every_name_is_a_legal_column_and_stands_once() {
        const RESERVED: [&str; 13] = [
            "id",
            "BilledSize",
            "IsBillable",
            "InvalidTimeGenerated",
            "TenantId",
            "Title",
            "Type",
            "UniqueId",
            "_ItemId",
            "_ResourceGroup",
            "_ResourceId",
            "_SubscriptionId",
            "_TimeReceived",
        ];
        for (place, field) in FIELDS.iter().enumerate() {
            let name = field.name;
            assert!((2..=45).contains(&name.len()), "{name}");
            assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            assert!(!RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)), "{name}");
            assert!(FIELDS[..place].iter().all(|other| other.name != name), "{name} stands twice");
        }
    }

    #[test]
    fn every_default_is_a_field_and_every_field_is_told_of() {
        for name in DEFAULT {
            assert!(FIELDS.iter().any(|field| field.name == name), "{name}");
        }
        for field in &FIELDS {
            assert!(!field.doc.is_empty() && !field.doc.contains('|') && !field.doc.contains("  "), "{}", field.name);
        }
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
    }

    #[test]
    fn time_is_in_seconds() {
        let host = Host { ticks_per_second: 100, ..Host::default() };
        let busy = process(Stat { utime: 3, stime: 4, ..Stat::default() });
        assert_eq!(value("time", &busy, &host), "0.07");
    }
}
