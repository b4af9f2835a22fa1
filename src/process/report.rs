//! What becomes of the processes that a snapshot selects. The snapshot reads them; a report makes records of them, one for
//! each process or one for several. It reads nothing itself.

use super::Process;
use crate::host::Host;

/// Makes records of processes.
pub trait Report: Send + Sync + 'static {
    /// What one record is about.
    type Subject: 'static;
    /// What it knows of the processes so far.
    type State: Send + 'static;

    /// Begins a snapshot.
    fn begin(&self) -> Self::State;

    /// Takes one process. `put` writes a record, and whether part of it was already truncated when it was read.
    ///
    /// # Errors
    /// Those of `put`.
    fn process(
        &self,
        state: &mut Self::State,
        process: &Process,
        host: &Host,
        put: impl FnMut(&Self::Subject, bool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// Ends a snapshot after its last process. A snapshot that a signal stops does not get here.
    ///
    /// # Errors
    /// Likewise.
    fn end(
        &self,
        _state: &mut Self::State,
        _host: &Host,
        _put: impl FnMut(&Self::Subject, bool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        Ok(())
    }
}

/// One record per process.
pub struct EachProcess;

impl Report for EachProcess {
    type Subject = Process;
    type State = ();

    fn begin(&self) {}

    fn process(
        &self,
        (): &mut (),
        process: &Process,
        _: &Host,
        mut put: impl FnMut(&Process, bool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        put(process, process.command_is_cut())
    }
}
