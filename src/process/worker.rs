//! The thread that makes a snapshot: process after process, gathered, encoded, written. Several may do so one after
//! the other, as `watch` abandons those that are stuck; what they share is here, and only one of them has its say.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;
use std::{io, mem};

use anyhow::anyhow;

use super::collect::{Collector, is_thread};
use super::procfs::{Pids, Procfs};
use super::sample::Sample;
use super::select::{Filter, Seen};
use super::skip::SkipList;
use super::{Process, Request, View};
use crate::encode::Encoding;
use crate::exit::{MayPass, Stop};
use crate::host::Host;
use crate::record::truncate;
use crate::sink::{Lines, Target};

/// What a worker is doing, as far as those who wait for it tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Anything that does not block.
    Working = 0,
    /// Reading a command line.
    Command = 1,
    /// Reading the other files that may block.
    Files = 2,
    /// Asking for a user's or a group's name.
    Naming = 3,
    /// Opening where records go, and writing them.
    Writing = 4,
    /// Waiting until nobody else writes there.
    Locking = 5,
}

/// The steps of one worker, for others to see.
#[derive(Debug, Default)]
pub struct Steps {
    /// How many were entered, times eight, and which one the last was.
    entered: AtomicU64,
    /// When the process in hand started.
    starttime: AtomicU64,
    thread: AtomicI32,
}

impl Steps {
    /// Says what is done from here on. Only the worker itself says so.
    pub fn enter(&self, step: Step) {
        let entered = self.entered.load(Ordering::Relaxed) | 7;
        self.entered.store((entered + 1) | step as u64, Ordering::Release);
    }

    /// Says which process is read in the steps that follow, by its start ticks.
    pub fn read(&self, starttime: u64) {
        self.starttime.store(starttime, Ordering::Relaxed);
    }

    /// When the process that is read started, in clock ticks since boot.
    pub fn starttime(&self) -> u64 {
        self.starttime.load(Ordering::Relaxed)
    }

    /// The step, and a number that no other step of this worker has.
    pub fn now(&self) -> (Step, u64) {
        let entered = self.entered.load(Ordering::Acquire);
        let step = match entered & 7 {
            0 => Step::Working,
            1 => Step::Command,
            2 => Step::Files,
            3 => Step::Naming,
            5 => Step::Locking,
            _ => Step::Writing,
        };
        (step, entered)
    }

    /// The worker's thread id.
    pub fn thread(&self) -> i32 {
        self.thread.load(Ordering::Relaxed)
    }
}

/// What all workers of a run, and the thread that watches them, share.
pub struct Run {
    request: Request,
    /// Asks the worker to write the lines that it has, and to end. One that has no lines yet writes nothing.
    pub stop: AtomicBool,
    /// Where the records go, in words.
    place: Mutex<String>,
    snapshot: OnceLock<Snapshot>,
}

/// What is there once the first worker has opened /proc.
struct Snapshot {
    view: View,
    progress: Mutex<Progress>,
}

/// Where the snapshot is.
pub struct Progress {
    /// The number of the worker that may go on; what another one still brings is not used.
    pub worker: usize,
    /// The process that is being gathered.
    pub in_hand: Option<u32>,
    pids: Pids,
    /// What was seen of every process, while that has to be known before the first record.
    survey: Option<Vec<Seen>>,
    /// Whether `pids` is what a survey chose.
    surveyed: bool,
    /// Whether there is any process: there is one in every proc filesystem.
    any: bool,
    out: Lines,
    encoding: Encoding,
    line: Vec<u8>,
    /// What the encoding has around records.
    frame: Vec<u8>,
    none_written: bool,
    sample: Option<Sample>,
    unread: Unread,
    /// Why old files are still there.
    unremoved: Option<anyhow::Error>,
}

/// How a snapshot ended.
#[derive(Default)]
pub struct End {
    /// Whether nobody reads what is written any more.
    pub reader_gone: bool,
    /// The signal that ended it, every line that it had written.
    pub signal: Option<usize>,
    /// What failed beside the lines that were written.
    pub failures: Vec<(MayPass, anyhow::Error)>,
    /// What `cpu_now` of the next snapshot is measured against.
    pub sample: Option<Sample>,
}

/// Processes that are there but could not be read: how many, and what happened to the first.
#[derive(Default)]
struct Unread {
    count: usize,
    first: Option<(u32, io::Error)>,
}

impl Run {
    /// A run that has not begun.
    pub fn new(request: Request) -> Self {
        let place = match &request.target {
            Target::Stdout => "standard output: does its reader still read?".into(),
            Target::File(files) => files.pattern.path(SystemTime::now().into()).display().to_string(),
        };
        Run { request, stop: AtomicBool::new(false), place: Mutex::new(place), snapshot: OnceLock::new() }
    }

    /// Where the records go, in words.
    pub fn place(&self) -> String {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_to(&self, path: &Path) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = path.display().to_string();
    }

    /// Where the snapshot is, unless a worker is about to change it or none has begun.
    pub fn progress(&self) -> Option<MutexGuard<'_, Progress>> {
        self.snapshot.get()?.progress.try_lock().ok()
    }

    /// Goes through the processes, from the one in hand to the last, as worker number `me`. None says that another
    /// worker took over.
    pub fn work(&self, steps: &Steps, me: usize, skip: &SkipList) -> Option<Result<End, Stop>> {
        steps.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
        let snapshot = match self.snapshot(steps) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Some(Ok(End::default())),
            Err(stop) => return Some(Err(stop)),
        };
        let (survey_needs, needs) = (self.request.survey_needs(), self.request.needs());
        let mut collector = Collector::new(&snapshot.view, &self.request, steps, skip);
        let mut progress = snapshot.lock();
        loop {
            if progress.worker != me {
                return None;
            }
            let pid = match progress.advance(&self.request.filter) {
                Ok(Some(pid)) if !self.stop.load(Ordering::Relaxed) => pid,
                Ok(_) => {
                    steps.enter(Step::Writing);
                    return Some(match progress.finish() {
                        Ok(()) => progress.end(&snapshot.view.procfs),
                        Err(error) => self.unwritten(error),
                    });
                }
                Err(error) => {
                    // What was read before is not lost for that; that the list broke off is worth more than its result.
                    let _ = progress.out.flush();
                    return Some(Err(anyhow!(error).context("cannot list the processes").into()));
                }
            };
            let needs = if progress.survey.is_some() { survey_needs } else { needs };
            // Not held while a process is read: who takes over needs it.
            drop(progress);
            steps.enter(Step::Working);
            let found = collector.collect(pid, needs);
            progress = snapshot.lock();
            if progress.worker != me {
                return None;
            }
            steps.enter(Step::Writing);
            progress.in_hand = None;
            match found {
                Ok(true) => {
                    if let Err(error) = progress.take(collector.process(), &snapshot.view.host, &self.request) {
                        return Some(self.unwritten(error));
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

    /// What it means that lines could not be written. A reader that has seen enough is no failure. A file may be written
    /// to again; standard output may have a part of a line.
    fn unwritten(&self, error: anyhow::Error) -> Result<End, Stop> {
        match (error.downcast_ref::<io::Error>().map(io::Error::kind), &self.request.target) {
            (Some(io::ErrorKind::BrokenPipe), _) => Ok(End { reader_gone: true, ..End::default() }),
            (_, Target::Stdout) => Err(Stop::Failure(error)),
            (_, Target::File(_)) => Err(Stop::MayPass(MayPass::of_file(&error), error)),
        }
    }

    /// Opens /proc and where records go, and looks at the machine; only the first worker does. None says that it was
    /// asked to stop before there was a line.
    fn snapshot(&self, steps: &Steps) -> Result<Option<&Snapshot>, Stop> {
        if let Some(snapshot) = self.snapshot.get() {
            return Ok(Some(snapshot));
        }
        let mut view = View::open(&self.request)?;
        // Opened first, as a lock may be waited for: what the records then tell is of their time, and so is the file.
        steps.enter(Step::Writing);
        let waits = |path: &Path| {
            self.goes_to(path);
            steps.enter(Step::Locking);
        };
        let mut encoding = self.request.encoding.clone();
        let opened = self.request.target.open(encoding.line_format(), || SystemTime::now().into(), waits);
        let (now, out) = opened.map_err(|error| Stop::MayPass(MayPass::of_file(&error), error))?;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        steps.enter(Step::Writing);
        if let Some(file) = out.file() {
            self.goes_to(file.path());
            if !file.is_new() {
                encoding = encoding.continued();
            }
        }
        let unremoved = self.request.target.remove_old(now).err();
        steps.enter(Step::Working);
        let sample = view.look(&self.request, now)?;
        let (pids, any) = self.pids(&view.procfs)?;
        let progress = Progress {
            worker: 0,
            in_hand: None,
            pids,
            survey: self.request.filter.surveys().then(Vec::new),
            surveyed: false,
            any,
            out,
            encoding,
            line: Vec::new(),
            frame: Vec::new(),
            none_written: true,
            sample,
            unread: Unread::default(),
            unremoved,
        };
        let progress = Mutex::new(progress);
        Ok(Some(self.snapshot.get_or_init(|| Snapshot { view, progress })))
    }

    /// The processes to visit first, and whether there are any.
    fn pids(&self, procfs: &Procfs) -> anyhow::Result<(Pids, bool)> {
        let mut pids = procfs.pids()?;
        let filter = &self.request.filter;
        if filter.pids.is_empty() || filter.children || !procfs.has_processes()? {
            return Ok((pids, false));
        }
        let mut asked = filter.pids.clone();
        asked.sort_unstable();
        asked.dedup();
        // A thread has the files of a process, though no list of processes has its id.
        asked.retain(|pid| !is_thread(procfs, *pid));
        pids.only(asked);
        Ok((pids, true))
    }
}

impl Snapshot {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// The process to gather: the one that an abandoned worker left in hand, or the next. After the last of a survey
    /// comes the first of what it chose.
    fn advance(&mut self, filter: &Filter) -> io::Result<Option<u32>> {
        if self.in_hand.is_none() {
            self.in_hand = self.pids.next()?;
            self.any |= self.in_hand.is_some();
        }
        if self.in_hand.is_none()
            && let Some(seen) = self.survey.take()
        {
            self.surveyed = true;
            self.pids.only(filter.choose(&seen));
            self.in_hand = self.pids.next()?;
        }
        Ok(self.in_hand)
    }

    /// Takes a process that was gathered: into the survey, or to the records if it is one of those asked for.
    fn take(&mut self, process: &Process, host: &Host, request: &Request) -> anyhow::Result<()> {
        if let Some(seen) = &mut self.survey {
            seen.push(request.filter.see(process, host));
            return Ok(());
        }
        // A survey has judged it; but it may have become another program since.
        let filter = &request.filter;
        let has_record = if self.surveyed { !filter.excludes(process) } else { filter.matches(process, host) };
        if !has_record {
            return Ok(());
        }
        let mut record = request.shape.record(process, host);
        let (line, encoding) = (&mut self.line, &self.encoding);
        truncate::line(line, &mut record, process.command_cut, request.max_record_bytes, |line, record| {
            encoding.line(line, record);
        });
        self.frame.clear();
        self.encoding.before(mem::replace(&mut self.none_written, false), &mut self.frame);
        self.out.push(&self.frame)?;
        self.out.push(&self.line)
    }

    /// Writes what is left to write.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.frame.clear();
        if self.any {
            self.encoding.end(self.none_written, &mut self.frame);
        }
        self.out.push(&self.frame)?;
        self.out.finish()
    }

    /// How it ended, once everything is written.
    fn end(&mut self, procfs: &Procfs) -> Result<End, Stop> {
        let path = procfs.path().display();
        let mut failures = Vec::new();
        if let Some((pid, error)) = self.unread.first.take() {
            let count = self.unread.count;
            let words = format!("{count} of the processes left out; cannot read {path}/{pid}/stat");
            failures.push((MayPass::Process, anyhow!(error).context(words)));
        } else if !self.any {
            return Err(anyhow!("no process in {path}: is that a proc filesystem, and mounted?").into());
        }
        failures.extend(self.unremoved.take().map(|error| (MayPass::Retention, error)));
        Ok(End { sample: self.sample.take(), failures, ..End::default() })
    }
}
