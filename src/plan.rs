//! What every run is asked for, whatever its kind of record, and how each snapshot begins.

use crate::exit::Outcome;
use crate::host::{Host, Roots, View};
use crate::output::{Output, Writer};
use crate::record::layout::Layout;
use crate::run::steps::FIRST;
use crate::run::{Turn, Worker};

/// What the snapshots of a run have in common.
pub struct Plan<R: 'static> {
    /// What each record looks like.
    pub layout: Layout<R>,
    /// Where records go.
    pub output: Output,
    /// Which machine they are about.
    pub roots: Roots,
    /// The machine's name, where it is not its hostname.
    pub computer: Option<String>,
}

impl<R> Plan<R> {
    /// Opens the destination, and observes the machine as far as `needs` requires. None if the worker was asked to stop
    /// before there was a line.
    ///
    /// # Errors
    /// Those of [`Writer::open`] and [`Host::observe`].
    pub fn begin(
        &self,
        view: &View,
        needs: u32,
        turn: Turn,
        worker: &Worker<'_>,
    ) -> Result<Option<(Host, Writer)>, Outcome> {
        // Open the destination first, because it may have to wait for a lock. The records and the file's name are then
        // of the same time.
        let Some((now, writer)) = Writer::open(&self.output, turn, worker)? else {
            return Ok(None);
        };
        worker.steps.enter(FIRST);
        let host = Host::observe(view, self.computer.as_deref(), now, needs)?;
        Ok(Some((host, writer)))
    }
}
