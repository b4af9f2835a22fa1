//! The conversions of process fields for other schemas, where a change of unit is not enough. They get the process
//! itself, because our own value may contain more or less than the other schema wants.

use chrono::{DateTime, Datelike, Local, Utc};

use super::Process;
use super::needs::{CPUS, SAMPLE, UPTIME, file};
use crate::record::schema::{Conversion, ratio};
use crate::record::{Type, Value};

/// %CPU of `ps aux`, which omits the fraction from 100 on.
pub const CPU_OF_PS: Conversion<Process> = Conversion {
    doc: Some("%CPU of `ps aux`: from 100 on without a fraction"),
    convert: |value, _, _| match value {
        Value::Float(cpu) if cpu < 100.0 => Value::Str(format!("{cpu:.1}").into()),
        Value::Float(cpu) => Value::Str((cpu as u64).to_string().into()),
        value => value,
    },
    ..Conversion::TEXT
};

/// %MEM of `ps aux`.
pub const MEM_OF_PS: Conversion<Process> = Conversion { doc: Some("%MEM of `ps aux`"), ..Conversion::TEXT };

/// Memory as a ratio of the machine's memory.
pub const MEM_RATIO: Conversion<Process> =
    Conversion { doc: Some("resident memory / the machine's memory: truncated to 0.001"), ..Conversion::RATIO };

/// CPU time as a ratio of one CPU.
pub const CPU_NOW_RATIO: Conversion<Process> = Conversion {
    doc: Some(
        "CPU time used / time, of one CPU, over the sample or the last interval, or over its life if that is shorter: rounded to 0.001",
    ),
    ..Conversion::RATIO
};

/// The process's age.
pub const WHOLE_SECONDS: Conversion<Process> =
    Conversion { doc: Some("time since start, truncated to whole seconds"), ..Conversion::SECONDS };

/// TIME of `ps aux`: minutes without a limit, and seconds.
pub const TIME_OF_PS: Conversion<Process> = Conversion {
    unit: Some(""),
    doc: Some("TIME of `ps aux`: minutes and seconds, truncated"),
    convert: |_, process, host| {
        let seconds = process.stat.cpu_ticks().checked_div(host.ticks_per_second).unwrap_or(0);
        Value::Str(format!("{}:{:02}", seconds / 60, seconds % 60).into())
    },
    ..Conversion::TEXT
};

/// START of `ps aux` in local time: the time if it was today, the day if it was this year, else the year.
pub const START_OF_PS: Conversion<Process> = Conversion {
    doc: Some("START of `ps aux`, in local time: hour and minute, else day, else year"),
    convert: |value, _, host| {
        let Value::Str(start) = &value else { return value };
        let Ok(start) = start.parse::<DateTime<Utc>>() else { return Value::Absent };
        let (start, now) = (start.with_timezone(&Local), host.now.with_timezone(&Local));
        let form = if start.year() != now.year() {
            "%Y"
        } else if start.ordinal() != now.ordinal() {
            "%b%d"
        } else {
            "%H:%M"
        };
        Value::Str(start.format(form).to_string().into())
    },
    ..Conversion::SAME
};

/// `timestamp` as the OMS agent's script printed it: without a zone.
pub const TIMESTAMP_OF_SCRIPT: Conversion<Process> = Conversion {
    doc: Some("when the snapshot was taken, UTC without a zone, with microseconds: one value for the whole snapshot"),
    convert: |_, _, host| Value::Str(host.now.format("%Y-%m-%dT%H:%M:%S%.6f").to_string().into()),
    ..Conversion::SAME
};

/// `process.state` of Metricbeat.
pub const STATE_OF_ECS: Conversion<Process> = Conversion {
    needs: Some(0),
    doc: Some("running, sleeping, disk_sleep, idle, stopped, zombie, dead or parked"),
    convert: |_, process, _| {
        word(match process.stat.state {
            b'R' => "running",
            b'S' => "sleeping",
            b'D' => "disk_sleep",
            b'I' => "idle",
            b'T' | b't' => "stopped",
            b'Z' => "zombie",
            b'X' | b'x' => "dead",
            b'P' => "parked",
            _ => "",
        })
    },
    ..Conversion::SAME
};

/// `process.state` of the semantic conventions, which have four words.
pub const STATE_OF_OTEL: Conversion<Process> = Conversion {
    needs: Some(0),
    doc: Some("running, sleeping, stopped or defunct"),
    convert: |_, process, _| {
        word(match process.stat.state {
            b'R' => "running",
            b'S' | b'D' | b'I' => "sleeping",
            b'T' | b't' => "stopped",
            b'Z' => "defunct",
            _ => "",
        })
    },
    ..Conversion::SAME
};

/// The command if it consists of arguments. A name in brackets is no command line.
pub const ARGUMENTS: Conversion<Process> = Conversion {
    doc: Some("arguments joined by spaces, secrets masked; absent for none"),
    convert: |value, process, _| if process.arguments.iter().all(|byte| *byte == 0) { Value::Absent } else { value },
    ..Conversion::SAME
};

/// The last part of the executable's path. comm would be wrong: it is the thread's name, and a process can change it.
pub const EXE_NAME: Conversion<Process> = Conversion {
    needs: Some(file("exe")),
    doc: Some("last part of the executable's path; with ` (deleted)` where it was replaced"),
    convert: |_, process, _| {
        let name = process.file("exe").rsplit(|byte| *byte == b'/').next();
        name.filter(|name| !name.is_empty()).map_or(Value::Absent, Value::Bytes)
    },
    ..Conversion::SAME
};

/// CPU time as a ratio of all the machine's CPUs.
pub const fn part_of_all_cpus<R>() -> Conversion<R> {
    Conversion {
        kind: Some(Type::Float),
        unit: Some("1"),
        needs: Some(SAMPLE | UPTIME | CPUS),
        doc: Some(
            "CPU time used / time, of all the machine's CPUs, over the sample or the last interval, or over its life if that is shorter",
        ),
        convert: |value, _, host| match value {
            Value::Float(percent) if host.cpus > 0 => Value::Float(ratio(percent) / host.cpus as f64),
            _ => Value::Absent,
        },
    }
}

fn word<'a>(word: &'static str) -> Value<'a> {
    if word.is_empty() { Value::Absent } else { Value::Str(word.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::parse::Stat;

    #[test]
    fn a_part_of_all_cpus() {
        let process = Process::default();
        for (percent, cpus, expected) in [(100.0, 4, 0.25), (12.5, 1, 0.125), (380.0, 4, 0.95), (0.0, 2, 0.0)] {
            let host = Host { cpus, ..Host::default() };
            let part = (part_of_all_cpus().convert)(Value::Float(percent), &process, &host);
            assert_eq!(part, Value::Float(expected));
        }
        let host = Host { cpus: 2, ..Host::default() };
        assert_eq!((part_of_all_cpus().convert)(Value::Absent, &process, &host), Value::Absent);
    }

    #[test]
    fn every_state_letter_has_its_word_or_none() {
        let host = Host::default();
        for (letter, ecs, otel) in [
            (b'R', "running", "running"),
            (b'S', "sleeping", "sleeping"),
            (b'D', "disk_sleep", "sleeping"),
            (b'I', "idle", "sleeping"),
            (b'T', "stopped", "stopped"),
            (b't', "stopped", "stopped"),
            (b'Z', "zombie", "defunct"),
            (b'X', "dead", ""),
            (b'P', "parked", ""),
            (b'?', "", ""),
        ] {
            let process = Process { stat: Stat { state: letter, ..Stat::default() }, ..Process::default() };
            for (conversion, expected) in [(STATE_OF_ECS, ecs), (STATE_OF_OTEL, otel)] {
                assert_eq!(
                    (conversion.convert)(Value::Absent, &process, &host),
                    word(expected),
                    "{}",
                    char::from(letter)
                );
            }
        }
    }
}
