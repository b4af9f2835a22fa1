//! What a run over the processes is asked for.

use std::time::Duration;

use super::filter::Filter;
use super::needs;

/// What must be read, and of which processes.
pub struct Request {
    /// What must be read for the records: bits of [`needs`].
    pub fields: u32,
    /// Which processes are selected.
    pub filter: Filter,
    /// Whether command lines are not read.
    pub no_args: bool,
    /// The secret words in addition to the built-in ones. None if secrets are not masked.
    pub redact: Option<Vec<String>>,
    /// The window of `cpu_now`, unless there is an earlier snapshot.
    pub sample: Duration,
    /// Whether a run that repeats reports the end of processes that `--name` selected.
    pub reports_ends: bool,
    /// After how many snapshots in a row a `--name` without a process ends the run.
    pub max_misses: Option<u64>,
}

impl Request {
    /// What must be read of a process that is selected.
    pub fn needs(&self) -> u32 {
        self.fields | self.survey_needs()
    }

    /// What must be read of every process before the filter can select.
    pub fn survey_needs(&self) -> u32 {
        let measured = (self.fields | self.filter.needs(false)) & needs::SAMPLE != 0;
        self.filter.needs(measured)
    }

    /// Whether it waits for `cpu_now`.
    pub fn samples(&self) -> bool {
        self.needs() & needs::SAMPLE != 0
    }
}
