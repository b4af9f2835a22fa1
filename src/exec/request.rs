//! What a run of `procline exec` is asked for.

use std::sync::Arc;
use std::time::Duration;

use super::Happening;
use super::filter::Filter;
use crate::plan::Plan;

/// What is read, of which programs, and how.
pub struct Request {
    /// What every run is asked for.
    pub plan: Plan<Happening>,
    /// Which programs have records.
    pub filter: Filter,
    /// The names of variables of the environment.
    pub environment: Vec<Arc<str>>,
    /// Whether command lines are not read.
    pub no_args: bool,
    /// The secret words in addition to the built-in ones. None if secrets are not masked.
    pub redact: Option<Vec<String>>,
    /// Whether programs that end have records, too.
    pub exits: bool,
    /// Whether programs that run already have records, too.
    pub start_snapshot: bool,
    /// Whether the reader runs before other programs.
    pub realtime: bool,
    /// The size of the kernel's queue, in bytes.
    pub buffer: usize,
    /// How long a file may be locked before that is reported.
    pub timeout: Duration,
}
