//! What must hold for any bytes. The property tests here and the fuzz targets in `fuzz/` share it.

use std::borrow::Cow;
use std::cell::RefCell;

use procline::encode::Encoding;
use procline::exec::decode;
use procline::host::Host;
use procline::inventory::services::{show, unit_file::UnitFile};
use procline::parse::machine::CpuTimes;
use procline::parse::{self, machine};
use procline::process::redact::Redactor;
use procline::process::{command, tty};
use procline::record::layout::Layout;
use procline::record::schema::{Column, Schema};
use procline::record::{Field, Kind, Truncation, Type, Value, truncate};
use procline::users;

thread_local! {
    /// Preparing its tables takes longer than to parse a text.
    static REDACTOR: RefCell<Redactor> = RefCell::new(Redactor::new(&[]));
}

/// The subject of a record with fields that no kind of record has.
#[derive(Debug)]
pub struct Anything {
    pub name: String,
    pub command: Vec<u8>,
    pub whole: u64,
    pub part: f64,
}

const fn field(
    name: &'static str,
    kind: Type,
    get: for<'a> fn(&'a Anything, &'a Host) -> Value<'a>,
) -> Field<Anything> {
    Field::new(name, kind, "", 0, "", get)
}

static FIELDS: [Field<Anything>; 4] = [
    field("name", Type::String, |anything, _| Value::Str(Cow::Borrowed(&anything.name))),
    field("command", Type::String, |anything, _| Value::Bytes(&anything.command)),
    field("whole", Type::Int, |anything, _| Value::count(anything.whole)),
    field("part", Type::Float, |anything, _| Value::Float(anything.part)),
];

const KIND: Kind<Anything> = Kind {
    name: "anything",
    fields: &FIELDS,
    lists: &[],
    schemas: &[Schema::Procline],
    truncation: Truncation { first: &["command"], mark: "command_truncated", doc: "" },
};

/// No bytes make a parser panic.
pub fn parse_all(text: &[u8]) {
    show::services(&String::from_utf8_lossy(text));
    UnitFile::default().apply(&String::from_utf8_lossy(text));
    parse::stat(text);
    parse::is_thread(text);
    parse::status(text);
    parse::statm(text);
    parse::stat_number(text, 10);
    parse::private_memory(text);
    parse::cgroup(text).map(parse::container);
    parse::job(text);
    decode::message(text);
    parse::only_number(text);
    command::list(text);
    command::name(text, text);
    machine::uptime_centiseconds(text);
    parse::keyed(text, "btime");
    machine::cpus(text);
    parse::keyed(text, "MemTotal:");
    machine::cpu_times(text).map(|times| times.busy_since(&CpuTimes::default()));
    machine::load(text);
    machine::os_release(text, "NAME");
    users::name_in(text, 0);
    let number = text.iter().fold(0_u32, |number, byte| number.wrapping_mul(257) ^ u32::from(*byte));
    tty::name(number, || text);
    let mut out = Vec::new();
    let mut cut = text.to_vec();
    let before = command::mark_gap(&mut cut, text.len() / 2);
    command::close_gap(&mut cut, before);
    command::join(&cut, &mut out);
    command::join(text, &mut out);
    command::bracket(b"", false, &mut out);
    assert!(!out.contains(&0));
    let nuls = |text: &[u8]| text.iter().filter(|byte| **byte == 0).count();
    assert_eq!(REDACTOR.with_borrow_mut(|redactor| nuls(&redactor.mask(text))), nuls(text));
}

/// A record's line is one line of strict JSON, within its limit, and a cut command keeps head and tail.
pub fn check_line(anything: &Anything, cut: bool, max: usize) {
    let host = Host::default();
    let columns: Vec<_> = FIELDS.iter().filter_map(|field| Column::of(field, Schema::Procline)).collect();
    let layout = Layout::new(&KIND, columns, Schema::Procline, &[]).expect("a layout");
    let mut line = Vec::new();
    layout.record(anything, &host, |record| {
        truncate::line(&mut line, record, cut, max, |line, record| Encoding::Json.line(line, record));
    });
    assert!(max == 0 || line.len() <= max, "{} bytes, at most {max}", line.len());
    let line = std::str::from_utf8(&line).expect("UTF-8").strip_suffix('\n').expect("a newline at its end");
    assert!(!line.contains(char::is_control), "{line:?}");

    let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let text = String::from_utf8_lossy(&anything.command);
    let written = value["command"].as_str().expect("a command");
    if value.get("command_truncated").is_none() {
        assert!(!cut);
        assert_eq!((written, value["name"].as_str()), (&*text, Some(anything.name.as_str())));
    } else if written != text {
        // The mark may also occur in the text itself.
        let mut marks = written.match_indices('…');
        let splits = |(place, mark): (usize, &str)| {
            text.starts_with(&written[..place]) && text.ends_with(&written[place + mark.len()..])
        };
        assert!(marks.any(splits), "{written:?}");
    }
}
