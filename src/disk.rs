//! The disk records: what files and directories take of their filesystem. `fields` is the table of the record, `snapshot` walks
//! the paths of one snapshot and writes the records. `walk` measures one path with two `walker`s, which add what they find to a
//! `tree`. `stat` is what the kernel says of one file, and `filesystem` what it says of the filesystem around it.
//! `progress` shows a walk that takes long.

pub mod fields;
pub mod filesystem;
mod needs;
mod progress;
pub mod request;
pub mod snapshot;
mod stat;
mod tree;
mod walk;
mod walker;

use std::sync::Arc;

use filesystem::Filesystem;
use stat::{FileKind, Times};
use tree::Sums;

/// A file or directory that has a record.
#[derive(Debug, Default)]
pub struct Entry {
    /// Its path, beginning with the PATH on the command line.
    path: Vec<u8>,
    kind: FileKind,
    times: Times,
    /// The sums over all that is in it.
    sums: Sums,
    filesystem: Arc<Filesystem>,
}
