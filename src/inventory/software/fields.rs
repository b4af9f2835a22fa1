//! The software record: the one table from which its encodings, `procline fields` and the README's table come.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};

use super::needs::{DESCRIPTION, INSTALLED_AT};
use super::package::Package;
use crate::record::Type::{Int, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The software records.
pub static KIND: Kind<Package> = Kind {
    name: "software",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline, Schema::Ecs],
    truncation: Truncation {
        first: &["description"],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes`; absent otherwise",
    },
};

const DEFAULT: &[&str] = &[
    "name",
    "version",
    "architecture",
    "publisher",
    "size",
    "summary",
    "description",
    "want",
    "status",
    "error",
    "installed_at",
    "source",
    "Computer",
    "timestamp",
];

type Row = Field<Package>;

const SAME: Conversion<Package> = Conversion::SAME;

/// Every field of the software record.
const FIELDS: &[Field<Package>] = &[
    Row::new("name", Text, "", 0, "the package's name", |package, _| text(&package.name))
    .key().ecs("package.name", SAME),
    Row::new(
        "version",
        Text,
        "",
        0,
        "its version with the epoch, if it has one: `2:1.0-1`; of rpm with the release",
        |package, _| text(&package.version),
    )
    .compared()
    .ecs("package.version", SAME),
    Row::new("architecture", Token, "", 0, "such as amd64, all, x86_64 or noarch", |package, _| {
        text(&package.architecture)
    })
    .key()
    .ecs("package.architecture", SAME),
    Row::new(
        "publisher",
        Text,
        "",
        0,
        "who made the package: Maintainer of dpkg and apk, Packager of rpm, else its Vendor",
        |package, _| text(&package.publisher),
    )
    .compared(),
    Row::new("size", Int, "KiB", 0, "what its files take when installed; of rpm and apk rounded up", |package, _| {
        package.size_kib.map_or(Value::Absent, Value::count)
    })
    .compared()
    .ecs("package.size", Conversion::BYTES),
    Row::new("summary", Text, "", 0, "what it is, in a few words", |package, _| text(&package.summary))
        .ecs("package.description", SAME),
    Row::new(
        "description",
        Text,
        "",
        DESCRIPTION,
        "the text after the summary, on one line; absent for apk, which has none",
        |package, _| text(&package.description),
    ),
    Row::new(
        "want",
        Token,
        "",
        0,
        "what somebody selected: install, hold, deinstall or purge; only of dpkg",
        |package, _| text(&package.want),
    )
    .compared(),
    Row::new(
        "status",
        Token,
        "",
        0,
        "installed; of dpkg also config-files, half-installed, unpacked, half-configured, triggers-awaited or triggers-pending",
        |package, _| text(&package.status),
    )
    .compared(),
    Row::new(
        "error",
        Token,
        "",
        0,
        "what is wrong with it: reinstreq of dpkg, broken of apk; absent for nothing",
        |package, _| text(&package.error),
    )
    .compared(),
    Row::new(
        "installed_at",
        Token,
        "",
        INSTALLED_AT,
        "when this version was installed, RFC 3339 UTC, whole seconds; absent for apk, and for what is removed",
        |package, _| time(package.installed_at),
    )
    .compared()
    .ecs("package.installed", SAME),
    Row::new("source", Token, "", 0, "the database that has it: dpkg, rpm or apk", |package, _| {
        Value::Str(package.source.into())
    })
    .key()
    .ecs("package.type", SAME),
    computer(),
    timestamp(),
    Row::new("section", Text, "", 0, "Section of dpkg, Group of rpm", |package, _| text(&package.section)),
    Row::new("homepage", Text, "", 0, "its project's address", |package, _| text(&package.homepage))
        .ecs("package.reference", SAME),
    Row::new(
        "source_package",
        Text,
        "",
        0,
        "the source that it was built from, if its name or version is another one",
        |package, _| text(&package.source_package),
    ),
];

fn text(text: &[u8]) -> Value<'_> {
    if text.is_empty() { Value::Absent } else { Value::Bytes(text) }
}

fn time<'a>(seconds: Option<i64>) -> Value<'a> {
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or(Value::Absent, |time| Value::Str(Cow::Owned(time.to_rfc3339_opts(SecondsFormat::Secs, true))))
}
