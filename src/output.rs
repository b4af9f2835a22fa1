//! The writer: the only way from a record to a sink. Only this file decides about headers, about what else is around
//! the records, and about the longest line. It does not know what a record is about.

use std::path::Path;
use std::time::SystemTime;
use std::{io, mem};

use chrono::{DateTime, Utc};

use crate::encode::{Encoding, msgpack};
use crate::exit::{Outcome, Transient};
use crate::record::{Record, truncate};
use crate::run::steps::{LOCKING, WRITING};
use crate::run::{self, End, Turn, Worker};
use crate::sink::forward::Unsent;
use crate::sink::{Destination, Lines};

/// Where records go, and in which encoding.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where they go.
    pub destination: Destination,
    /// How they are written.
    pub encoding: Encoding,
    /// The longest line in bytes, including its newline. 0 means no limit.
    pub max_record_bytes: usize,
}

impl run::Destination for Output {
    fn name(&self) -> String {
        match &self.destination {
            Destination::Stdout => "standard output: does its reader still read?".into(),
            Destination::File(files) => files.pattern.path(SystemTime::now().into()).display().to_string(),
            Destination::Forward(receiver) => receiver.address.to_string(),
        }
    }

    fn lost(&self) -> Option<anyhow::Error> {
        self.destination.lost()
    }
}

/// Writes the records of one snapshot.
pub struct Writer {
    lines: Lines,
    encoding: Encoding,
    max_record_bytes: usize,
    /// The kind of its failures. None if none of them passes.
    failure: Option<fn(&anyhow::Error) -> Transient>,
    /// The time of entries that have none of their own.
    time: DateTime<Utc>,
    line: Vec<u8>,
    /// What the encoding writes around records.
    frame: Vec<u8>,
    none_written: bool,
    /// Why old files could not be removed.
    unremoved: Option<anyhow::Error>,
}

impl Writer {
    /// Opens the destination, and returns the time of the snapshot. It may have to wait for the lock. None if the
    /// worker was asked to stop meanwhile.
    ///
    /// # Errors
    /// A file that cannot be appended to.
    pub fn open(output: &Output, turn: Turn, worker: &Worker<'_>) -> Result<Option<(DateTime<Utc>, Self)>, Outcome> {
        worker.steps.enter(WRITING);
        let waits = |path: &Path| {
            worker.control.set_destination(path.display().to_string());
            worker.steps.enter(LOCKING);
            true
        };
        let opened = output.destination.open(output.encoding.line_format(), || SystemTime::now().into(), waits);
        let (now, lines) = opened.map_err(of_file)?;
        if worker.control.is_stopped() {
            return Ok(None);
        }
        worker.steps.enter(WRITING);
        if let Some(file) = lines.file() {
            worker.control.set_destination(file.path().display().to_string());
        }
        let unremoved = output.destination.remove_old(now).err();
        Ok(Some((now, Writer { unremoved, ..Writer::new(output, now, lines, turn.is_first) })))
    }

    /// Opens the destination for records of this time, whose lines are all written by [`finish`](Self::finish), or none of
    /// them. Does not wait for a lock. `is_first` tells whether standard output has no header yet.
    ///
    /// # Errors
    /// A file that cannot be appended to. Another process may have its lock.
    pub fn open_at(output: &Output, time: DateTime<Utc>, is_first: bool) -> Result<Self, Outcome> {
        let opened = output.destination.open(output.encoding.line_format(), || time, |_| false);
        let (_, mut lines) = opened.map_err(of_file)?;
        lines.hold();
        Ok(Writer::new(output, time, lines, is_first))
    }

    fn new(output: &Output, time: DateTime<Utc>, lines: Lines, is_first: bool) -> Self {
        // A file has a header if it is not empty. Standard output has one after the first snapshot.
        let has_header = lines.file().map_or(!is_first, |file| !file.is_new());
        let encoding = output.encoding.clone();
        Writer {
            failure: match &output.destination {
                Destination::Stdout => None,
                Destination::File(_) => Some(Transient::of_file),
                Destination::Forward(_) => Some(|_| Transient::Forward),
            },
            time,
            lines,
            encoding: if has_header { encoding.continued() } else { encoding },
            max_record_bytes: output.max_record_bytes,
            line: Vec::new(),
            frame: Vec::new(),
            none_written: true,
            unremoved: None,
        }
    }

    /// How many bytes are not yet written.
    pub fn held(&self) -> usize {
        self.lines.held()
    }

    /// Writes a record. `is_cut` tells whether part of it was already truncated when it was read.
    ///
    /// # Errors
    /// If a batch of lines cannot be written.
    pub fn write(&mut self, record: &mut Record<'_>, is_cut: bool) -> anyhow::Result<()> {
        let encode = |line: &mut Vec<u8>, record: &Record<'_>| self.encoding.line(line, record);
        truncate::line(&mut self.line, record, is_cut, self.max_record_bytes, encode);
        if self.lines.are_entries() {
            // A receiver gets what a file would have.
            self.line.clear();
            msgpack::entry(&mut self.line, record, self.time);
        }
        self.frame.clear();
        self.encoding.before(mem::replace(&mut self.none_written, false), &mut self.frame);
        if !self.frame.is_empty() {
            self.lines.push(&self.frame)?;
        }
        self.lines.push(&self.line)
    }

    /// Makes [`finish`](Self::finish) wait until the destination has the lines for good: a file, until they are on the disk.
    pub fn secure(&mut self) {
        self.lines.secure();
    }

    /// Writes the lines that are not yet written. The snapshot failed, so nothing comes after them.
    ///
    /// # Errors
    /// If that fails.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.lines.flush()
    }

    /// Writes what is left, and releases the lock. If `is_whole` is false, the machine could not be read: then an empty
    /// snapshot has no frame.
    ///
    /// # Errors
    /// If that fails.
    pub fn finish(&mut self, is_whole: bool) -> anyhow::Result<()> {
        self.frame.clear();
        if is_whole {
            self.encoding.end(self.none_written, &mut self.frame);
        }
        self.lines.push(&self.frame)?;
        self.lines.finish()
    }

    /// Failures that did not prevent writing: old files that could not be removed, records that wait for their receiver, or
    /// that were dropped.
    pub fn failures(&mut self) -> Vec<(Transient, anyhow::Error)> {
        let unsent = self.lines.unsent().map(|unsent| match unsent {
            Unsent::Waiting(error) => (Transient::Forward, error),
            Unsent::Dropped(error) => (Transient::Dropped, error),
        });
        self.unremoved.take().map(|error| (Transient::Retention, error)).into_iter().chain(unsent).collect()
    }

    /// What follows from an `error` of writing. A reader that closed the pipe is no failure. A file can be appended to
    /// later, and a receiver may come back. Standard output may have an incomplete line.
    ///
    /// # Errors
    /// Every other error.
    pub fn unwritten<C: Default>(&self, error: anyhow::Error) -> Result<End<C>, Outcome> {
        match (self.failure, error.downcast_ref::<io::Error>().map(io::Error::kind)) {
            (Some(kind), _) => Err(Outcome::Transient(kind(&error), error)),
            (None, Some(io::ErrorKind::BrokenPipe)) => Ok(End { reader_gone: true, ..End::default() }),
            (None, _) => Err(Outcome::Failure(error)),
        }
    }
}

fn of_file(error: anyhow::Error) -> Outcome {
    Outcome::Transient(Transient::of_file(&error), error)
}
