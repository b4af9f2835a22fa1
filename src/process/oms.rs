//! `--schema oms`: the record of a script over `ps aux` that the OMS agent ran. Its 13 keys, each value a string as
//! `ps aux` prints it, so that tables and queries made for it go on; but the user's name whole.

use chrono::{DateTime, Datelike, Local, Utc};

use super::Process;
use super::fields::{FIELDS, state};
use super::needs::{BOOT_TIME, COMMAND, LOCKED, MEM_TOTAL, RSS, TTY, UPTIME, USER};
use crate::host::Host;
use crate::record::{Field, Type, Value, computer};

const fn text(
    name: &'static str,
    needs: u32,
    doc: &'static str,
    get: for<'a> fn(&'a Process, &'a Host) -> Value<'a>,
) -> Field<Process> {
    Field { name, kind: Type::String, unit: "", doc, needs, get }
}

/// The record's fields, in its order.
pub static OMS: [Field<Process>; 13] = [
    text("user", USER, "USER, whole", |process, host| same("user", process, host)),
    text("pid", 0, "PID", |process, host| same("pid", process, host)),
    text("cpuUtilization", UPTIME, "%CPU", |process, host| {
        let cpu = process.cpu(host);
        // ps leaves the fraction out from 100 on.
        Value::Str(if cpu < 100.0 { format!("{cpu:.1}") } else { format!("{}", cpu as u64) }.into())
    }),
    text("memoryUtilization", RSS | MEM_TOTAL, "%MEM", |process, host| same("mem", process, host)),
    text("vsz", 0, "VSZ", |process, host| same("vsz", process, host)),
    text("rss", RSS, "RSS", |process, host| same("rss", process, host)),
    text("tty", TTY, "TTY", |process, host| same("tty", process, host)),
    text("stat", LOCKED, "STAT", |process, _| {
        process.locked.map_or(Value::Absent, |locked| Value::Str(state(process, locked).into()))
    }),
    text("start", BOOT_TIME, "START", |process, host| {
        start(process, host).map_or(Value::Absent, |text| Value::Str(text.into()))
    }),
    text("cpuTime", 0, "TIME", |process, host| {
        let seconds = process.stat.cpu_ticks().checked_div(host.ticks_per_second).unwrap_or(0);
        Value::Str(format!("{}:{:02}", seconds / 60, seconds % 60).into())
    }),
    text("command", COMMAND, "COMMAND", |process, host| same("command", process, host)),
    computer(),
    text("timestamp", 0, "UTC, microseconds, without a zone", |_, host| {
        Value::Str(host.now.format("%Y-%m-%dT%H:%M:%S%.6f").to_string().into())
    }),
];

/// Our own field of that name, its number as text.
fn same<'a>(name: &str, process: &'a Process, host: &'a Host) -> Value<'a> {
    let field = FIELDS.iter().find(|field| field.name == name);
    match field.map_or(Value::Absent, |field| (field.get)(process, host)) {
        Value::Int(number) => Value::Str(number.to_string().into()),
        Value::Float(number) => Value::Str(format!("{number:.1}").into()),
        value => value,
    }
}

/// START of `ps aux`, in local time: the hour today, the day this year, else the year.
fn start(process: &Process, host: &Host) -> Option<String> {
    let after_boot = process.stat.starttime.checked_div(host.ticks_per_second)?;
    let start = DateTime::<Utc>::from_timestamp(host.boot_time.checked_add_unsigned(after_boot)?, 0)?;
    let (start, now) = (start.with_timezone(&Local), host.now.with_timezone(&Local));
    let form = if start.year() != now.year() {
        "%Y"
    } else if start.ordinal() != now.ordinal() {
        "%b%d"
    } else {
        "%H:%M"
    };
    Some(start.format(form).to_string())
}
