//! The snapshot of the processes. It collects one process after the other, and a report makes records of them. Several
//! workers may do so in turn, because the watchdog replaces stuck ones.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use anyhow::anyhow;

use super::Process;
use super::collect::{Collector, Context};
use super::cpu_sample::CpuSample;
use super::cursor::Cursor;
use super::report::Report;
use super::request::Request;
use super::steps::{STEPS, WORKING};
use super::watch::Watch;
use crate::exit::{Outcome, Transient};
use crate::host::Host;
use crate::output::Writer;
use crate::plan::Plan;
use crate::run::steps::{Step, WRITING};
use crate::run::{self, End, Job, Schedule, Shared, Turn, Worker};

/// Writes the records that `report` makes of the processes, once or at an interval.
///
/// # Errors
/// Those of [`run::run`].
pub fn run<R: Report>(report: R, request: Request, plan: Plan<R::Subject>, schedule: Schedule) -> Result<(), Outcome> {
    let asked = Arc::new(Asked { report, request, plan });
    run::run(schedule, &asked.plan.output, |turn, earlier: &Carry| Snapshot {
        asked: Arc::clone(&asked),
        turn,
        earlier: earlier.clone(),
        begun: OnceLock::new(),
    })
}

/// What all snapshots of a run are asked for.
struct Asked<R: Report> {
    report: R,
    request: Request,
    plan: Plan<R::Subject>,
}

/// One snapshot.
struct Snapshot<R: Report> {
    asked: Arc<Asked<R>>,
    turn: Turn,
    earlier: Carry,
    begun: OnceLock<Begun<R>>,
}

/// What a snapshot leaves for the next one.
#[derive(Clone, Default)]
struct Carry {
    /// What `cpu_now` is compared with.
    sample: Option<Arc<CpuSample>>,
    /// The processes whose end is to be reported.
    watch: Arc<Watch>,
}

/// What exists once the first worker has opened /proc and the destination.
struct Begun<R: Report> {
    context: Context,
    progress: Shared<Progress<R>>,
}

/// The progress of the snapshot.
struct Progress<R: Report> {
    cursor: Cursor,
    writer: Writer,
    /// What the report knows of the processes.
    state: R::State,
    /// What `cpu_now` of the next snapshot is compared with, if one follows.
    sample: Option<CpuSample>,
    /// The processes whose end is to be reported, if that is asked for.
    watch: Option<Watch>,
    unread: Unread,
}

/// Processes that exist but could not be read: how many, and the error of the first.
#[derive(Default)]
struct Unread {
    count: usize,
    first: Option<(u32, io::Error)>,
}

impl<R: Report> Job for Snapshot<R> {
    type Carry = Carry;

    const STEPS: &'static [Step] = STEPS;

    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Carry>, Outcome>> {
        let begun = match self.begin(worker) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Some(Ok(End::default())),
            Err(outcome) => return Some(Err(outcome)),
        };
        let Begun { context, progress: shared } = begun;
        let Asked { request, .. } = &*self.asked;
        let filter = &request.filter;
        let (survey_needs, needs) = (request.survey_needs(), request.needs());
        let mut collector = Collector::new(context, request, worker.steps, worker.skip);
        let mut progress = shared.lock(worker.number)?;
        loop {
            let pid = match progress.cursor.advance(filter) {
                Ok(Some(pid)) if !worker.control.is_stopped() => pid,
                Ok(more) => {
                    worker.steps.enter(WRITING);
                    // What is known of some of the processes must not pass for what is true of all.
                    return Some(progress.end(&self.asked, context, more.is_none()));
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
                    let read_at = collector.read_at();
                    if let Err(error) = progress.take(&self.asked, &context.host, collector.process_mut(), read_at) {
                        return Some(progress.writer.unwritten(error));
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    if let Some(watch) = &mut progress.watch {
                        watch.unread(pid);
                    }
                    progress.unread.count += 1;
                    progress.unread.first.get_or_insert((pid, error));
                }
            }
        }
    }

    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64> {
        let in_hand = |progress: &Progress<R>| progress.cursor.in_hand().filter(|_| is_stuck()).map(u64::from);
        self.begun.get()?.progress.take_over(next, in_hand)
    }
}

impl<R: Report> Snapshot<R> {
    /// Opens /proc and the destination, and observes the machine. Only the first worker does so. None if the worker was
    /// asked to stop before there was a line.
    fn begin(&self, worker: &Worker<'_>) -> Result<Option<&Begun<R>>, Outcome> {
        if let Some(begun) = self.begun.get() {
            return Ok(Some(begun));
        }
        let Asked { report, request, plan } = &*self.asked;
        let view = plan.roots.open()?;
        let samples = request.samples();
        let mut earlier = self.earlier.sample.clone();
        if samples && earlier.is_none() {
            earlier = Some(Arc::new(CpuSample::take(&view.procfs)?));
            thread::sleep(request.sample);
        }
        let Some((host, writer)) = plan.begin(&view, request.needs(), self.turn, worker)? else {
            return Ok(None);
        };
        let cursor = Cursor::begin(&request.filter, &view.procfs)?;
        let sample = (samples && self.turn.repeats).then(CpuSample::default);
        let watches = request.reports_ends && self.turn.repeats;
        let watch = watches.then(|| self.earlier.watch.next(&request.filter.names));
        let state = report.begin();
        let progress = Shared::new(Progress { cursor, writer, state, sample, watch, unread: Unread::default() });
        let context = Context { view, host, earlier: earlier.unwrap_or_default() };
        Ok(Some(self.begun.get_or_init(|| Begun { context, progress })))
    }
}

impl<R: Report> Progress<R> {
    /// Takes a process that was read, at `read_at` if CPU times are sampled.
    fn take(
        &mut self,
        asked: &Asked<R>,
        host: &Host,
        process: &mut Process,
        read_at: Option<Instant>,
    ) -> anyhow::Result<()> {
        let Asked { report, request, plan } = asked;
        if let (Some(sample), Some(at)) = (&mut self.sample, read_at) {
            sample.add(process.pid, &process.stat, at);
        }
        let has_record = self.cursor.judge(&request.filter, process, host);
        if let Some(watch) = &mut self.watch {
            watch.found(&request.filter.names, process);
            // The end of the process is reported. Its record would be almost empty.
            if process.has_ended() {
                return Ok(());
            }
            if has_record {
                watch.recorded(process);
            }
        }
        if !has_record {
            return Ok(());
        }
        let writer = &mut self.writer;
        report.process(&mut self.state, process, host, |subject, is_cut| {
            plan.layout.record(subject, host, |record| writer.write(record, is_cut))
        })
    }

    /// Writes what is left, and returns how the snapshot ended. `is_whole` tells whether it has every process.
    fn end(&mut self, asked: &Asked<R>, context: &Context, is_whole: bool) -> Result<End<Carry>, Outcome> {
        let Asked { report, request, plan } = asked;
        let (writer, host) = (&mut self.writer, &context.host);
        let is_proc = self.cursor.any();
        let reported = if is_whole && is_proc {
            report.end(&mut self.state, host, |subject, is_cut| {
                plan.layout.record(subject, host, |record| writer.write(record, is_cut))
            })
        } else {
            Ok(())
        };
        if let Err(error) = reported.and_then(|()| writer.finish(is_proc)) {
            return writer.unwritten(error);
        }
        let path = context.view.procfs.path().display();
        let mut failures = Vec::new();
        if let Some((pid, error)) = self.unread.first.take() {
            let count = self.unread.count;
            let words = format!("{count} of the processes omitted; cannot read {path}/{pid}/stat");
            failures.push((Transient::Process, anyhow!(error).context(words)));
        } else if !is_proc {
            return Err(anyhow!("no process in {path}: it is not a mounted proc filesystem").into());
        }
        failures.extend(writer.failures());
        let mut end = End::<Carry> { failures, ..End::default() };
        if let Some(mut watch) = self.watch.take().filter(|_| is_whole) {
            end.notices = watch.end();
            end.last = request.max_misses.and_then(|max| watch.missing(&request.filter.names, max));
            end.carry.watch = Arc::new(watch);
        }
        end.carry.sample = self.sample.take().map(Arc::new);
        Ok(end)
    }
}
