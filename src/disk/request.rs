//! What a run over paths is asked for.

use std::path::PathBuf;

use super::common::Extent;
use super::needs::DATED;
use super::tree::Entry;
use crate::plan::Plan;

/// Which paths have records, and what the records contain.
pub struct Request {
    /// What every run is asked for.
    pub plan: Plan<Entry>,
    /// The paths, each once.
    pub paths: Vec<PathBuf>,
    /// How many levels below a path have records.
    pub depth: usize,
    /// Whether files below a path have records, too.
    pub all: bool,
    /// Whether other filesystems below a path are walked.
    pub cross_filesystems: bool,
}

impl Request {
    /// What is walked, and what has a record.
    pub(super) fn extent(&self) -> Extent {
        Extent {
            depth: self.depth,
            all: self.all,
            crosses: self.cross_filesystems,
            is_dated: self.plan.layout.needs() & DATED != 0,
        }
    }
}
