//! The disk records: what files and directories take of their filesystem. `fields` is the table of the record, `snapshot` walks
//! the paths of one snapshot and writes the records. `walk` measures one path with two `walker`s. What they share is in `common`. A
//! `counter` puts what they find into a `tree`. `filesystem` is what the kernel says of the filesystem around a file.

mod common;
mod counter;
pub mod fields;
mod filesystem;
mod needs;
pub mod request;
pub mod snapshot;
mod tree;
mod walk;
mod walker;
