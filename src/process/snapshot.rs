//! The snapshot of the processes. It collects one process after the other and writes its record. Several workers may do
//! so in turn, because the watchdog replaces stuck ones.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::anyhow;

use super::collect::{Collector, Context};
use super::cpu_sample::CpuSample;
use super::cursor::Cursor;
use super::request::Request;
use super::steps::{STEPS, WORKING};
use crate::exit::{Outcome, Transient};
use crate::output::Writer;
use crate::run::steps::{Step, WRITING};
use crate::run::{self, End, Job, Schedule, Shared, Turn, Worker};

/// Writes one record per process, once or at an interval.
///
/// # Errors
/// Those of [`run::run`].
pub fn run(request: Request, schedule: Schedule) -> Result<(), Outcome> {
    let request = Arc::new(request);
    let destination = || request.plan.output.destination();
    run::run(schedule, destination, |turn, earlier: &Option<Arc<CpuSample>>| Snapshot {
        request: Arc::clone(&request),
        turn,
        earlier: earlier.clone(),
        begun: OnceLock::new(),
    })
}

/// One snapshot.
struct Snapshot {
    request: Arc<Request>,
    turn: Turn,
    /// What `cpu_now` is compared with, if there was an earlier snapshot.
    earlier: Option<Arc<CpuSample>>,
    begun: OnceLock<Begun>,
}

/// What exists once the first worker has opened /proc and the destination.
struct Begun {
    context: Context,
    progress: Shared<Progress>,
}

/// The progress of the snapshot.
struct Progress {
    cursor: Cursor,
    writer: Writer,
    /// What `cpu_now` of the next snapshot is compared with, if one follows.
    sample: Option<CpuSample>,
    unread: Unread,
}

/// Processes that exist but could not be read: how many, and the error of the first.
#[derive(Default)]
struct Unread {
    count: usize,
    first: Option<(u32, io::Error)>,
}

impl Job for Snapshot {
    type Carry = Option<Arc<CpuSample>>;

    const STEPS: &'static [Step] = STEPS;

    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Self::Carry>, Outcome>> {
        let begun = match self.begin(worker) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Some(Ok(End::default())),
            Err(outcome) => return Some(Err(outcome)),
        };
        let Begun { context, progress: shared } = begun;
        let Request { plan, filter, .. } = &*self.request;
        let (survey_needs, needs) = (self.request.survey_needs(), self.request.needs());
        let mut collector = Collector::new(context, &self.request, worker.steps, worker.skip);
        let mut progress = shared.lock(worker.number)?;
        loop {
            let pid = match progress.cursor.advance(filter) {
                Ok(Some(pid)) if !worker.control.is_stopped() => pid,
                Ok(_) => {
                    worker.steps.enter(WRITING);
                    return Some(progress.end(context));
                }
                Err(error) => {
                    // Write what was read before. The error of the list matters more than an error of this write.
                    let _ = progress.writer.flush();
                    return Some(Err(anyhow!(error).context("cannot list the processes").into()));
                }
            };
            let needs = if progress.cursor.is_survey() { survey_needs } else { needs };
            // Release the lock while a process is read, so that another worker can take over.
            drop(progress);
            worker.steps.enter(WORKING);
            let found = collector.collect(pid, needs);
            progress = shared.lock(worker.number)?;
            worker.steps.enter(WRITING);
            progress.cursor.done();
            match found {
                Ok(true) => {
                    let process = collector.process();
                    if let (Some(sample), Some(at)) = (&mut progress.sample, collector.read_at()) {
                        sample.add(pid, process.stat(), at);
                    }
                    if progress.cursor.judge(filter, process, &context.host) {
                        let mut record = plan.layout.record(process, &context.host);
                        if let Err(error) = progress.writer.write(&mut record, process.command_is_cut()) {
                            return Some(progress.writer.unwritten(error));
                        }
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    progress.unread.count += 1;
                    progress.unread.first.get_or_insert((pid, error));
                }
            }
        }
    }

    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64> {
        let in_hand = |progress: &Progress| progress.cursor.in_hand().filter(|_| is_stuck()).map(u64::from);
        self.begun.get()?.progress.take_over(next, in_hand)
    }
}

impl Snapshot {
    /// Opens /proc and the destination, and observes the machine. Only the first worker does so. None if the worker was
    /// asked to stop before there was a line.
    fn begin(&self, worker: &Worker<'_>) -> Result<Option<&Begun>, Outcome> {
        if let Some(begun) = self.begun.get() {
            return Ok(Some(begun));
        }
        let Request { plan, filter, sample, .. } = &*self.request;
        let view = plan.roots.open()?;
        let samples = self.request.samples();
        let mut earlier = self.earlier.clone();
        if samples && earlier.is_none() {
            earlier = Some(Arc::new(CpuSample::take(&view.procfs)?));
            thread::sleep(*sample);
        }
        let Some((host, writer)) = plan.begin(&view, self.request.needs(), self.turn, worker)? else {
            return Ok(None);
        };
        let cursor = Cursor::begin(filter, &view.procfs)?;
        let sample = (samples && self.turn.repeats).then(CpuSample::default);
        let progress = Shared::new(Progress { cursor, writer, sample, unread: Unread::default() });
        let context = Context { view, host, earlier: earlier.unwrap_or_default() };
        Ok(Some(self.begun.get_or_init(|| Begun { context, progress })))
    }
}

impl Progress {
    /// Writes what is left, and returns how the snapshot ended.
    fn end(&mut self, context: &Context) -> Result<End<Option<Arc<CpuSample>>>, Outcome> {
        if let Err(error) = self.writer.finish(self.cursor.any()) {
            return self.writer.unwritten(error);
        }
        let path = context.view.procfs.path().display();
        let mut failures = Vec::new();
        if let Some((pid, error)) = self.unread.first.take() {
            let count = self.unread.count;
            let words = format!("{count} of the processes omitted; cannot read {path}/{pid}/stat");
            failures.push((Transient::Process, anyhow!(error).context(words)));
        } else if !self.cursor.any() {
            return Err(anyhow!("no process in {path}: it is not a mounted proc filesystem").into());
        }
        failures.extend(self.writer.retention_failure());
        Ok(End { failures, carry: self.sample.take().map(Arc::new), ..End::default() })
    }
}
