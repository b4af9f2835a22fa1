//! What a snapshot of the processes is asked for.

use std::time::Duration;

use super::filter::Filter;
use super::{Process, needs};
use crate::host::Roots;
use crate::output::Output;
use crate::record::layout::Layout;

/// What a snapshot is to tell, and of which machine.
pub struct Request {
    /// What each record looks like.
    pub layout: Layout<Process>,
    /// Which processes have one.
    pub filter: Filter,
    /// Where they go.
    pub output: Output,
    /// Which machine.
    pub roots: Roots,
    /// The machine's name, where it is not its hostname.
    pub computer: Option<String>,
    /// Whether command lines are left unread.
    pub no_args: bool,
    /// Whether secrets in command lines are masked, and by which words beside the built-in ones.
    pub redact: Option<Vec<String>>,
    /// The time over which `cpu_now` is measured, unless there is an earlier snapshot.
    pub sample: Duration,
}

impl Request {
    /// What has to be read of a process that may have a record.
    pub fn needs(&self) -> u32 {
        self.layout.needs() | self.survey_needs()
    }

    /// What has to be read of every process before it is known which have a record.
    pub fn survey_needs(&self) -> u32 {
        let measured = (self.layout.needs() | self.filter.needs(false)) & needs::SAMPLE != 0;
        self.filter.needs(measured)
    }

    /// Whether it waits for `cpu_now`.
    pub fn samples(&self) -> bool {
        self.needs() & needs::SAMPLE != 0
    }
}
