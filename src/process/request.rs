//! What a run over the processes is asked for.

use std::time::Duration;

use super::filter::Filter;
use super::{Process, needs};
use crate::plan::Plan;

/// What the records contain, and of which processes and which machine.
pub struct Request {
    /// What every run is asked for.
    pub plan: Plan<Process>,
    /// Which processes have a record.
    pub filter: Filter,
    /// Whether command lines are not read.
    pub no_args: bool,
    /// The secret words in addition to the built-in ones. None if secrets are not masked.
    pub redact: Option<Vec<String>>,
    /// The window of `cpu_now`, unless there is an earlier snapshot.
    pub sample: Duration,
}

impl Request {
    /// What must be read of a process that may have a record.
    pub fn needs(&self) -> u32 {
        self.plan.layout.needs() | self.survey_needs()
    }

    /// What must be read of every process before the filter can select.
    pub fn survey_needs(&self) -> u32 {
        let measured = (self.plan.layout.needs() | self.filter.needs(false)) & needs::SAMPLE != 0;
        self.filter.needs(measured)
    }

    /// Whether it waits for `cpu_now`.
    pub fn samples(&self) -> bool {
        self.needs() & needs::SAMPLE != 0
    }
}
