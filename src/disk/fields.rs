//! The disk record: the one table from which its encodings, `procline fields` and the README's table come.

use super::filesystem::{Mount, Space};
use super::needs::{DATED, MOUNT};
use super::tree::{Dated, Entry};
use crate::fs::stat::{FileKind, Time, Times};
use crate::record::Type::{Float, Int, String as Text, Token};
use crate::record::schema::{Conversion, Schema};
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The disk records.
pub static KIND: Kind<Entry> = Kind {
    name: "disk",
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
    "allocated",
    "apparent",
    "share",
    "files",
    "directories",
    "errors",
    "modified",
    "accessed",
    "changed",
    "born",
    "newest",
    "newest_modified",
    "oldest",
    "oldest_modified",
    "device",
    "fs_type",
    "mount",
    "fs_size",
    "fs_free",
    "fs_available",
    "fs_inodes",
    "fs_inodes_free",
    "Computer",
    "timestamp",
];

type Row = Field<Entry>;

const SAME: Conversion<Entry> = Conversion::SAME;

/// Every field of the disk record.
const FIELDS: &[Field<Entry>] = &[
    Row::new("path", Text, "", 0, "the path, beginning as on the command line", |entry, _| Value::Bytes(&entry.path))
        .ecs("file.path", SAME)
        .otel("file.path", SAME),
    Row::new(
        "kind",
        Token,
        "",
        0,
        "file, directory, symlink, fifo, socket, block_device or char_device",
        |entry, _| Value::Str(entry.kind.name().into()),
    )
    .ecs("file.type", TYPE_OF_ECS),
    Row::new(
        "allocated",
        Int,
        "bytes",
        0,
        "space that it takes on the disk, with all that is in it, as `du`",
        |entry, _| Value::Int(entry.sums.allocated),
    ),
    Row::new(
        "apparent",
        Int,
        "bytes",
        0,
        "length of its content: all files and links in it, as `du --apparent-size` since coreutils 9.2",
        |entry, _| Value::Int(entry.sums.apparent),
    )
    .ecs("file.size", OF_A_FILE)
    .otel("file.size", OF_A_FILE),
    Row::new("share", Float, "%", 0, "allocated / fs_size; rounded to 0.000001", |entry, _| {
        share(entry, entry.sums.allocated)
    }),
    Row::new("files", Int, "", 0, "files in it that are no directories; 1 for a file itself", |entry, _| {
        Value::Int(entry.sums.files)
    }),
    Row::new("directories", Int, "", 0, "directories in it, itself included; 0 for a file", |entry, _| {
        Value::Int(entry.sums.directories)
    }),
    Row::new(
        "errors",
        Int,
        "",
        0,
        "files and directories in it that could not be read; the sums lack them",
        |entry, _| Value::Int(entry.sums.errors),
    ),
    Row::new(
        "modified",
        Token,
        "",
        0,
        "when its content was last written, RFC 3339 UTC with milliseconds",
        |entry, _| time(entry, |times| times.modified),
    )
    .ecs("file.mtime", SAME)
    .otel("file.modified", SAME),
    Row::new(
        "accessed",
        Token,
        "",
        0,
        "when it was last read, as far as the mount options let the kernel note it",
        |entry, _| time(entry, |times| times.accessed),
    )
    .ecs("file.accessed", SAME)
    .otel("file.accessed", SAME),
    Row::new("changed", Token, "", 0, "when its content, owner, permissions or links last changed", |entry, _| {
        time(entry, |times| times.changed)
    })
    .ecs("file.ctime", SAME)
    .otel("file.changed", SAME),
    Row::new("born", Token, "", 0, "when it was created; absent if the filesystem does not note it", |entry, _| {
        time(entry, |times| times.born)
    })
    .ecs("file.created", SAME)
    .otel("file.created", SAME),
    Row::new("newest", Text, "", DATED, "the regular file in it that was written last; absent for none", |entry, _| {
        path(&entry.sums.newest)
    }),
    Row::new("newest_modified", Token, "", DATED, "when that was", |entry, _| dated(&entry.sums.newest)),
    Row::new(
        "oldest",
        Text,
        "",
        DATED,
        "the regular file in it that was not written for longest; absent for none",
        |entry, _| path(&entry.sums.oldest),
    ),
    Row::new("oldest_modified", Token, "", DATED, "when it was last written", |entry, _| dated(&entry.sums.oldest)),
    Row::new("device", Text, "", MOUNT, "the device of its filesystem, or what stands for one, as `df`", |entry, _| {
        mount(entry, |mount| &mount.source)
    })
    .ecs("system.filesystem.device_name", SAME)
    .otel("system.device", SAME),
    Row::new("fs_type", Text, "", MOUNT, "the type of its filesystem, as `df -T`", |entry, _| {
        mount(entry, |mount| &mount.kind)
    })
    .ecs("system.filesystem.type", SAME)
    .otel("system.filesystem.type", SAME),
    Row::new("mount", Text, "", MOUNT, "where that is mounted; for a bind mount, where the path is", |entry, _| {
        mount(entry, |mount| &mount.point)
    })
    .ecs("system.filesystem.mount_point", SAME)
    .otel("system.filesystem.mountpoint", SAME),
    Row::new("fs_size", Int, "bytes", 0, "size of its filesystem, as `df`", |entry, _| {
        space(entry, |space| space.size)
    })
    .ecs("system.filesystem.total", SAME)
    .otel("system.filesystem.limit", SAME),
    Row::new("fs_free", Int, "bytes", 0, "what is free there, with the part that only root may use", |entry, _| {
        space(entry, |space| space.free)
    })
    .ecs("system.filesystem.free", SAME),
    Row::new("fs_available", Int, "bytes", 0, "what is free there for every user, as `df`", |entry, _| {
        space(entry, |space| space.available)
    })
    .ecs("system.filesystem.available", SAME),
    Row::new(
        "fs_inodes",
        Int,
        "",
        0,
        "how many files that filesystem can have, as `df -i`; 0 for no limit",
        |entry, _| space(entry, |space| space.inodes),
    )
    .ecs("system.filesystem.files", SAME),
    Row::new("fs_inodes_free", Int, "", 0, "how many more it can have", |entry, _| {
        space(entry, |space| space.inodes_free)
    })
    .ecs("system.filesystem.free_files", SAME),
    computer(),
    timestamp(),
    Row::new("share_apparent", Float, "%", 0, "apparent / fs_size; rounded to 0.000001", |entry, _| {
        share(entry, entry.sums.apparent)
    }),
];

/// The types of a file in ECS, which has three.
const TYPE_OF_ECS: Conversion<Entry> = Conversion {
    doc: Some("file, dir or symlink; absent for others"),
    convert: |_, entry, _| match entry.kind {
        FileKind::File => Value::Str("file".into()),
        FileKind::Directory => Value::Str("dir".into()),
        FileKind::Link => Value::Str("symlink".into()),
        _ => Value::Absent,
    },
    ..SAME
};

/// A size that only a file has.
const OF_A_FILE: Conversion<Entry> = Conversion {
    doc: Some("length of a regular file; absent for others"),
    convert: |value, entry, _| if entry.kind == FileKind::File { value } else { Value::Absent },
    ..SAME
};

fn share<'a>(entry: &Entry, bytes: i64) -> Value<'a> {
    match entry.filesystem.space {
        Some(Space { size, .. }) if size > 0 => Value::Float((bytes as f64 / size as f64 * 1e8).round() / 1e6),
        _ => Value::Absent,
    }
}

fn time<'a>(entry: &Entry, get: fn(&Times) -> Option<Time>) -> Value<'a> {
    get(&entry.times).map_or(Value::Absent, moment)
}

fn dated<'a>(dated: &Option<Dated>) -> Value<'a> {
    dated.as_ref().map_or(Value::Absent, |dated| moment(dated.time))
}

fn moment<'a>((seconds, nanoseconds): Time) -> Value<'a> {
    Value::time(seconds, nanoseconds)
}

fn path(dated: &Option<Dated>) -> Value<'_> {
    dated.as_ref().map_or(Value::Absent, |dated| Value::Bytes(&dated.path))
}

fn mount(entry: &Entry, get: fn(&Mount) -> &Vec<u8>) -> Value<'_> {
    entry.filesystem.mount.as_ref().map_or(Value::Absent, |mount| Value::Bytes(get(mount)))
}

fn space<'a>(entry: &Entry, get: fn(&Space) -> u64) -> Value<'a> {
    entry.filesystem.space.as_ref().map_or(Value::Absent, |space| Value::count(get(space)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::filesystem::Filesystem;
    use super::*;

    #[test]
    fn a_small_share_of_a_large_filesystem_is_not_0() {
        let of = |size| {
            let space = Space { size, free: 0, available: 0, inodes: 0, inodes_free: 0 };
            let filesystem = Arc::new(Filesystem { space: Some(space), ..Filesystem::default() });
            share(&Entry { filesystem, ..Entry::default() }, 1_000_000)
        };
        assert_eq!(of(2_000_000_000_000), Value::Float(0.00005));
        assert_eq!(of(3_000_000), Value::Float(33.333333));
        // Filesystems such as /proc have no size.
        assert_eq!(of(0), Value::Absent);
    }
}
