//! The disk records: what files and directories take of their filesystem. `fields` is the table of the record, `snapshot` walks
//! the paths of one snapshot and writes the records. `walk` measures one path with two `walker`s, which read the `list` of each
//! directory. What they share is in `common`. A `counter` puts what they find into a `tree`. `stat` is what the kernel says of one file,
//! and `filesystem` what it says of the filesystem around it. `progress` shows a walk that takes long.

mod common;
mod counter;
pub mod fields;
mod filesystem;
mod list;
mod needs;
mod progress;
pub mod request;
pub mod snapshot;
mod stat;
mod tree;
mod walk;
mod walker;
