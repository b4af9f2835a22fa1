//! The file record: the one table from which its encodings, `procline fields` and the README's table come.

use std::fmt::Write;

use super::File;
use super::needs::{CONTENT, GROUP, OWNER};
use super::read::Missing;
use crate::fs::stat::{FileKind, Time, Times};
use crate::record::Type::{Int, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The file records.
pub static KIND: Kind<File> = Kind {
    name: "files",
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
    "path",
    "kind",
    "size",
    "mode",
    "owner",
    "group",
    "modified",
    "changed",
    "born",
    "target",
    "sha256",
    "sha256_missing",
    "Computer",
    "timestamp",
];

type Row = Field<File>;

const SAME: Conversion<File> = Conversion::SAME;

/// Every field of the file record.
const FIELDS: &[Field<File>] = &[
    Row::new("path", Text, "", 0, "the path, beginning as on the command line", |file, _| {
        Value::Bytes(&file.found.path)
    })
    .key()
    .ecs("file.path", SAME)
    .otel("file.path", SAME),
    Row::new("kind", Token, "", 0, "file, directory, symlink, fifo, socket, block_device or char_device", |file, _| {
        Value::Str(file.found.stat.kind().name().into())
    })
    .compared()
    .ecs("file.type", TYPE_OF_ECS),
    Row::new("size", Int, "bytes", 0, "size, as `stat`: of a link, the length of its target", |file, _| {
        Value::count(file.found.stat.size())
    })
    .compared()
    .ecs("file.size", OF_A_FILE)
    .otel("file.size", OF_A_FILE),
    Row::new(
        "mode",
        Token,
        "",
        0,
        "permissions in octal, as `stat -c %a`: 644, or 4755 with the set-user-ID bit",
        |file, _| Value::Str(format!("{:o}", file.found.stat.permissions()).into()),
    )
    .compared()
    .ecs("file.mode", FOUR_DIGITS)
    .otel("file.mode", FOUR_DIGITS),
    Row::new("owner", Text, "", OWNER, "the owner's name; the numeric uid if it has no name", |file, _| {
        Value::Str((&*file.owner).into())
    })
    .compared()
    .ecs("file.owner", SAME)
    .otel("file.owner.name", SAME),
    Row::new("group", Text, "", GROUP, "the group's name; the numeric gid if it has no name", |file, _| {
        Value::Str((&*file.group).into())
    })
    .compared()
    .ecs("file.group", SAME)
    .otel("file.group.name", SAME),
    Row::new(
        "modified",
        Token,
        "",
        0,
        "when its content was last written, RFC 3339 UTC with milliseconds",
        |file, _| time(file, |times| times.modified),
    )
    .compared()
    .ecs("file.mtime", SAME)
    .otel("file.modified", SAME),
    Row::new("changed", Token, "", 0, "when its content, owner, permissions or links last changed", |file, _| {
        time(file, |times| times.changed)
    })
    .compared()
    .ecs("file.ctime", SAME)
    .otel("file.changed", SAME),
    Row::new("born", Token, "", 0, "when it was created; absent if the filesystem does not note it", |file, _| {
        time(file, |times| times.born)
    })
    .compared()
    .ecs("file.created", SAME)
    .otel("file.created", SAME),
    Row::new("target", Text, "", 0, "where a link leads; absent for other files", |file, _| match &file.found.target {
        Some(target) => Value::Bytes(target),
        None => Value::Absent,
    })
    .compared()
    .ecs("file.target_path", SAME)
    .otel("file.symbolic_link.target_path", SAME),
    Row::new(
        "sha256",
        Token,
        "",
        CONTENT,
        "SHA-256 of a regular file's content, as `sha256sum`",
        |file, _| match &file.found.checksum {
            Some(Ok(checksum)) => Value::Str(hex(checksum).into()),
            _ => Value::Absent,
        },
    )
    .compared_unless(has_unread_content)
    .ecs("file.hash.sha256", SAME),
    Row::new(
        "sha256_missing",
        Token,
        "",
        CONTENT,
        "why a regular file has no sha256: too_large, unreadable or changed_while_read; absent otherwise",
        |file, _| match &file.found.checksum {
            Some(Err(missing)) => Value::Str(missing.name().into()),
            _ => Value::Absent,
        },
    ),
    computer(),
    timestamp(),
    Row::new("uid", Int, "", 0, "user id of the owner", |file, _| Value::Int(file.found.stat.owners().0.into()))
        .ecs("file.uid", Conversion::TEXT)
        .otel("file.owner.id", Conversion::TEXT),
    Row::new("gid", Int, "", 0, "group id of the group", |file, _| Value::Int(file.found.stat.owners().1.into()))
        .ecs("file.gid", Conversion::TEXT)
        .otel("file.group.id", Conversion::TEXT),
    Row::new(
        "accessed",
        Token,
        "",
        0,
        "when it was last read, as far as the mount options let the kernel note it",
        |file, _| time(file, |times| times.accessed),
    )
    .ecs("file.accessed", SAME)
    .otel("file.accessed", SAME),
    Row::new("inode", Int, "", 0, "number of its inode", |file, _| Value::count(file.found.stat.inode()))
        .ecs("file.inode", Conversion::TEXT)
        .otel("file.inode", Conversion::TEXT),
    Row::new("links", Int, "", 0, "number of its hard links", |file, _| Value::Int(file.found.stat.links().into())),
    Row::new("device", Token, "", 0, "number of the device that it is on, as major:minor", |file, _| {
        let (major, minor) = file.found.stat.device();
        Value::Str(format!("{major}:{minor}").into())
    }),
];

/// The types of a file in ECS, which has three.
const TYPE_OF_ECS: Conversion<File> = Conversion {
    doc: Some("file, dir or symlink; absent for others"),
    convert: |_, file, _| match file.found.stat.kind() {
        FileKind::File => Value::Str("file".into()),
        FileKind::Directory => Value::Str("dir".into()),
        FileKind::Link => Value::Str("symlink".into()),
        _ => Value::Absent,
    },
    ..SAME
};

/// A size that only a file has.
const OF_A_FILE: Conversion<File> = Conversion {
    doc: Some("length of a regular file; absent for others"),
    convert: |value, file, _| if file.found.stat.kind() == FileKind::File { value } else { Value::Absent },
    ..SAME
};

/// Permissions as both schemas show them.
const FOUR_DIGITS: Conversion<File> = Conversion {
    doc: Some("permissions in octal, with four digits"),
    convert: |_, file, _| Value::Str(format!("{:04o}", file.found.stat.permissions()).into()),
    ..SAME
};

/// Whether a file has content that could not be read this time.
fn has_unread_content(file: &File) -> bool {
    matches!(file.found.checksum, Some(Err(Missing::Unreadable | Missing::Changed)))
}

fn time<'a>(file: &File, get: fn(&Times) -> Option<Time>) -> Value<'a> {
    get(&file.found.stat.times()).map_or(Value::Absent, |(seconds, nanoseconds)| Value::time(seconds, nanoseconds))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
