//! What every run is asked for, whatever its kind of record, and how each snapshot begins. For the kinds that can print only
//! changes, `Records` is how it goes on.

use serde_json::{Map, Value as Json};

use crate::changes::{Changes, Comparison};
use crate::exit::{Outcome, Transient};
use crate::host::{Host, Roots, View};
use crate::output::{Output, Writer};
use crate::record::layout::Layout;
use crate::run::steps::FIRST;
use crate::run::{End, Turn, Worker};

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
    /// What the records are compared with, if only changes are wanted.
    pub changes: Option<Changes<R>>,
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

    /// What must be read for a record, and to compare it.
    pub fn needs(&self) -> u32 {
        self.layout.needs() | self.changes.as_ref().map_or(0, Changes::needs)
    }

    /// The same as [`begin`](Self::begin) for records that may have to be compared.
    ///
    /// # Errors
    /// Likewise, and if what the records are compared with cannot be read.
    pub fn begin_records(
        &self,
        view: &View,
        turn: Turn,
        worker: &Worker<'_>,
    ) -> Result<Option<(Host, Records<'_, R>)>, Outcome> {
        let comparison = match &self.changes {
            Some(changes) => match changes.begin(worker)? {
                None => return Ok(None),
                comparison => comparison,
            },
            None => None,
        };
        let begun = self.begin(view, self.needs(), turn, worker)?;
        Ok(begun.map(|(host, writer)| (host, Records { layout: &self.layout, writer, comparison, is_whole: true })))
    }
}

/// The records of one snapshot: all of them, or only what has changed.
pub struct Records<'a, R: 'static> {
    layout: &'a Layout<R>,
    /// Where they go.
    pub writer: Writer,
    comparison: Option<Comparison<'a, R>>,
    is_whole: bool,
}

impl<R> Records<'_, R> {
    /// Whether there is nothing to compare with.
    pub fn is_first(&self) -> bool {
        self.comparison.as_ref().is_none_or(Comparison::is_first)
    }

    /// Writes the record of a subject, unless only changes are wanted and it has none.
    ///
    /// # Errors
    /// If it cannot be written, or not be compared.
    pub fn write(&mut self, subject: &R, host: &Host) -> anyhow::Result<()> {
        let writer = &mut self.writer;
        match &mut self.comparison {
            Some(comparison) => comparison.write(subject, host, self.layout, writer),
            None => self.layout.record(subject, host, |record| writer.write(record, false)),
        }
    }

    /// Writes what is left. If the snapshot is whole, what has no record now is gone, unless it `is_unknown`.
    ///
    /// # Errors
    /// If that fails.
    pub fn finish(
        &mut self,
        host: &Host,
        is_whole: bool,
        is_unknown: &dyn Fn(&Map<String, Json>) -> bool,
    ) -> anyhow::Result<()> {
        self.is_whole = is_whole;
        if let Some(comparison) = &mut self.comparison {
            if is_whole {
                comparison.finish(host, self.layout, &mut self.writer, is_unknown)?;
            }
            self.writer.secure();
        }
        self.writer.finish(true)
    }

    /// Notes that the changes of a whole snapshot were written. Returns failures that did not prevent writing.
    ///
    /// # Errors
    /// If the next run would report these changes again.
    pub fn end(mut self) -> Result<Vec<(Transient, anyhow::Error)>, Outcome> {
        if let Some(comparison) = self.comparison.take().filter(|_| self.is_whole) {
            comparison.commit()?;
        }
        Ok(self.writer.failures())
    }

    /// Writes what the snapshot has before it fails. Its failure matters more than one of this write.
    pub fn flush(&mut self) {
        let _ = self.writer.flush();
    }

    /// What follows from an error of writing.
    ///
    /// # Errors
    /// Those of [`Writer::unwritten`].
    pub fn unwritten<C: Default>(&self, error: anyhow::Error) -> Result<End<C>, Outcome> {
        self.writer.unwritten(error)
    }
}
