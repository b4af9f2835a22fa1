//! The thread that writes: it takes from the queue what the readers put there, makes records of it, and writes them in
//! batches. What cannot be written now waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use chrono::{DateTime, Utc};

use super::Happening;
use super::capture::Capture;
use super::present::Presenter;
use super::queue::Queue;
use super::request::Request;
use crate::exit::{self, Outcome, Transient};
use crate::host::{Host, View};
use crate::output::Writer;
use crate::sink::Destination;
use crate::text::records;

/// About how long a batch may become.
const BATCH: usize = 64 * 1024;
/// How long to wait after a failure before the next attempt.
const PAUSE: Duration = Duration::from_millis(200);
/// How long to wait before the next attempt to get a lock. Another run holds it for less than that.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// How long a run that ends may wait for a lock.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How often old files are removed, and the machine's name is looked up.
const RENEWAL: Duration = Duration::from_secs(60);
/// Old files are also removed when this part of what they may take has been written.
const KEEP_PART: u64 = 16;

/// What the writer and the main thread tell each other about the end.
#[derive(Default)]
pub struct Ending {
    /// Whether the run ends as soon as possible.
    pub is_stopped: AtomicBool,
    /// Grows with each record.
    pub progress: AtomicUsize,
}

/// Writes the records of a run.
pub struct Recorder<'a> {
    view: &'a View,
    request: Arc<Request>,
    ending: &'a Ending,
    host: Host,
    renewed: Option<Instant>,
    cleaned: Option<Instant>,
    /// About how many bytes were written since then.
    written: u64,
    batch: VecDeque<(Happening, bool)>,
    is_first: bool,
    /// The kinds of failures that were reported.
    reported: Vec<Transient>,
    /// Since when nothing could be written.
    failing_since: Option<Instant>,
}

impl<'a> Recorder<'a> {
    /// Writes what the request wants.
    pub fn new(view: &'a View, request: Arc<Request>, ending: &'a Ending) -> Self {
        let (host, batch, reported) = (Host::default(), VecDeque::new(), Vec::new());
        Recorder {
            view,
            request,
            ending,
            host,
            renewed: None,
            cleaned: None,
            written: 0,
            batch,
            is_first: true,
            reported,
            failing_since: None,
        }
    }

    /// Writes until the queue ends.
    ///
    /// # Errors
    /// If standard output cannot be written to. If a file could not be written to, which was reported then.
    pub fn run(mut self, queue: &Queue) -> Result<(), Outcome> {
        let mut presenter = Presenter::new(self.view, Arc::clone(&self.request));
        self.renew()?;
        // A file that cannot be appended to is reported at once, and not only when a program starts.
        match self.open(SystemTime::now().into()) {
            Ok(_) => self.remove_old(),
            Err(outcome) => {
                self.fail(outcome)?;
            }
        }
        loop {
            let taken = queue.take();
            self.renew()?;
            presenter.begin();
            let dropped = (taken.dropped > 0).then(|| Capture::dropped(taken.dropped));
            for capture in taken.captures.into_iter().chain(dropped) {
                let records = presenter.records(capture);
                self.ending.progress.fetch_add(1, Ordering::Relaxed);
                let is_cut = |record: &Happening| record.program.as_ref().is_some_and(|it| it.process.command_is_cut());
                self.batch.extend(records.into_iter().flatten().map(|record| {
                    let is_cut = is_cut(&record);
                    (record, is_cut)
                }));
            }
            if !self.write_all()? {
                return Ok(());
            }
            if taken.is_last {
                return if self.reported.is_empty() { Ok(()) } else { Err(Outcome::Reported) };
            }
        }
    }

    /// Looks up what may have changed.
    fn renew(&mut self) -> Result<(), Outcome> {
        if self.renewed.is_some_and(|renewed| renewed.elapsed() < RENEWAL) {
            return Ok(());
        }
        self.renewed = Some(Instant::now());
        let (plan, now) = (&self.request.plan, SystemTime::now().into());
        self.host = Host::observe(self.view, plan.computer.as_deref(), now, plan.layout.needs())?;
        Ok(())
    }

    /// Removes old files, from time to time. A file was opened before, so the directory exists.
    fn remove_old(&mut self) {
        let destination = &self.request.plan.output.destination;
        let is_recent = self.cleaned.is_some_and(|cleaned| cleaned.elapsed() < RENEWAL);
        let is_much = destination.keep().size.is_some_and(|size| self.written >= size / KEEP_PART);
        if is_recent && !is_much {
            return;
        }
        (self.cleaned, self.written) = (Some(Instant::now()), 0);
        if let Err(error) = destination.remove_old(SystemTime::now().into()) {
            self.report(Transient::Retention, &error);
        }
    }

    /// Writes the batch. False if the reader of standard output is gone.
    fn write_all(&mut self) -> Result<bool, Outcome> {
        while !self.batch.is_empty() {
            match self.write() {
                Ok(true) => {
                    self.failing_since = None;
                    self.remove_old();
                }
                Ok(false) => return Ok(false),
                Err(outcome) => {
                    // Old files may be what fills the disk.
                    if matches!(outcome, Outcome::Transient(Transient::NoSpace, _)) {
                        self.remove_old();
                    }
                    thread::sleep(self.fail(outcome)?);
                }
            }
        }
        Ok(true)
    }

    /// Writes the first records: those of one file, and not too many. False if the reader of standard output is gone.
    fn write(&mut self) -> Result<bool, Outcome> {
        let Some((first, _)) = self.batch.front() else { return Ok(true) };
        let request = Arc::clone(&self.request);
        let plan = &request.plan;
        let file = |record: &Happening| match &plan.output.destination {
            Destination::File(files) => Some(files.pattern.path(DateTime::from_timestamp_nanos(record.at))),
            Destination::Stdout | Destination::Forward(_) => None,
        };
        let first_file = file(first);
        let mut writer = self.open(DateTime::from_timestamp_nanos(first.at))?;
        let mut written = 0;
        let mut unwritten = None;
        for (record, is_cut) in &self.batch {
            if writer.held() >= BATCH || written > 0 && file(record) != first_file {
                break;
            }
            unwritten = plan.layout.record(record, &self.host, |record| writer.write(record, *is_cut)).err();
            written += 1;
            self.ending.progress.fetch_add(1, Ordering::Relaxed);
        }
        let bytes = writer.held() as u64;
        if let Some(error) = unwritten.or_else(|| writer.finish(true).err()) {
            return writer.unwritten::<()>(error).map(|end| !end.reader_gone);
        }
        self.is_first = false;
        self.written += bytes;
        self.batch.drain(..written);
        Ok(true)
    }

    fn open(&self, time: DateTime<Utc>) -> Result<Writer, Outcome> {
        Writer::open_at(&self.request.plan.output, time, self.is_first)
    }

    /// Reports a failure that may pass, once, and what is lost if the run ends. Returns how long to wait before the next
    /// attempt.
    ///
    /// # Errors
    /// A failure that does not pass, and any when the run ends.
    fn fail(&mut self, outcome: Outcome) -> Result<Duration, Outcome> {
        let Outcome::Transient(kind, error) = outcome else { return Err(outcome) };
        let is_stopped = self.ending.is_stopped.load(Ordering::Relaxed);
        let (patience, pause) = match kind {
            Transient::Lock => (if is_stopped { LAST_WAIT } else { self.request.timeout }, LOCK_PAUSE),
            _ => (Duration::ZERO, PAUSE),
        };
        let since = self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() < patience {
            return Ok(pause);
        }
        self.report(kind, &error);
        if !is_stopped {
            return Ok(PAUSE);
        }
        // The readers may have more.
        self.report(Transient::Dropped, &anyhow!("at least {} lost at the end", records(self.batch.len())));
        Err(Outcome::Reported)
    }

    fn report(&mut self, kind: Transient, error: &anyhow::Error) {
        if !self.reported.contains(&kind) {
            exit::report(error);
            self.reported.push(kind);
        }
    }
}
