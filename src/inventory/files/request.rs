//! What a run over files is asked for.

use std::path::PathBuf;

use super::File;
use crate::plan::Plan;

/// Which files have records, and what the records contain.
pub struct Request {
    /// What every run is asked for.
    pub plan: Plan<File>,
    /// The paths and patterns, each once.
    pub paths: Vec<PathBuf>,
    /// Which files below them have records, too.
    pub extent: Extent,
    /// The largest file that is read for its checksum, in bytes.
    pub max_hash_size: u64,
}

/// Which files below a path have records.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How many levels.
    pub depth: usize,
    /// Whether other filesystems below a path are included.
    pub crosses: bool,
}
