//! What a snapshot of the processes is asked for.

use std::time::Duration;

use super::filter::Filter;
use super::{Process, needs};
use crate::plan::Plan;

/// What a snapshot is to tell, and of which machine.
pub struct Request {
    /// What every kind of record is asked for.
    pub plan: Plan<Process>,
    /// Which processes have a record.
    pub filter: Filter,
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
        self.plan.layout.needs() | self.survey_needs()
    }

    /// What has to be read of every process before it is known which have a record.
    pub fn survey_needs(&self) -> u32 {
        let measured = (self.plan.layout.needs() | self.filter.needs(false)) & needs::SAMPLE != 0;
        self.filter.needs(measured)
    }

    /// Whether it waits for `cpu_now`.
    pub fn samples(&self) -> bool {
        self.needs() & needs::SAMPLE != 0
    }
}
