//! The paths of a snapshot, one after the other, for the kinds whose records are about paths. A path that does not answer delays no
//! other: it is waited for when the others are written. What is looked for in a path, and what becomes of it, is the kind's.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use crate::exit;
use crate::fs::progress::Progress;
use crate::run::steps::{FIRST, WRITING};
use crate::run::{Control, Turn, Worker};

/// How long a path may answer nothing while others wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A search of one path, in threads of its own: any of its reads may block forever.
pub trait Search: Send + Sync {
    /// Asks it to end soon.
    fn cancel(&self);

    /// Whether its threads are gone.
    fn has_ended(&self) -> bool;
}

/// How a search went, for now.
pub enum Wait<T> {
    /// It has ended, with this.
    Ended(T),
    /// It has found nothing for some time.
    Stuck,
    /// The caller wants to stop.
    Stopped,
}

/// What a kind of record does with each path. Paths are known by their places on the command line.
pub trait Visitor {
    /// The search of a path.
    type Search: Search + 'static;
    /// What the search ends with.
    type End;

    /// Starts to search a path.
    ///
    /// # Errors
    /// If there can be no more threads.
    fn start(&self, place: usize) -> anyhow::Result<Arc<Self::Search>>;

    /// Waits until the search has ended, or has found nothing for `watch.patience`, or the watch stops it. May write records
    /// meanwhile.
    ///
    /// # Errors
    /// If these cannot be written.
    fn wait(&mut self, search: &Self::Search, watch: &mut Watch<'_>) -> anyhow::Result<Wait<Self::End>>;

    /// Writes the records of a path whose search has ended, and reports what could not be read.
    ///
    /// # Errors
    /// If they cannot be written.
    fn finish(&mut self, place: usize, end: Self::End, reports: &mut Reports<'_>) -> anyhow::Result<()>;

    /// Notes that a path did not answer.
    fn lose(&mut self, _place: usize) {}

    /// Writes what it holds back.
    ///
    /// # Errors
    /// If that fails.
    fn flush(&mut self) -> anyhow::Result<()>;
}

/// What a snapshot leaves for the next one.
#[derive(Clone, Default)]
pub struct Carry {
    /// The paths of which a failure was reported. It is reported again only after a snapshot without one.
    reported: Vec<usize>,
    /// The searches that do not answer. Their paths are not searched again meanwhile, so threads do not pile up.
    stuck: Vec<(usize, Arc<dyn Search>)>,
}

impl Carry {
    /// Whether a path has failed.
    pub fn has_failures(&self) -> bool {
        !self.reported.is_empty()
    }
}

/// The failures of a snapshot's paths.
pub struct Reports<'a> {
    earlier: &'a [usize],
    reported: Vec<usize>,
}

impl Reports<'_> {
    /// Reports a failure of a path, unless the last snapshot did.
    pub fn report(&mut self, place: usize, sentence: String) {
        if !self.earlier.contains(&place) {
            exit::report(&anyhow!(sentence));
        }
        self.note(place);
    }

    /// Notes that an earlier failure of a path goes on.
    fn note(&mut self, place: usize) {
        if !self.reported.contains(&place) {
            self.reported.push(place);
        }
    }
}

/// Why a snapshot ends before its last path.
pub enum Failure {
    /// A record could not be written.
    Write(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

/// A wait for the search of one path, with its line on a terminal.
pub struct Watch<'a> {
    /// How long the search may find nothing.
    pub patience: Duration,
    path: &'a Path,
    progress: Progress,
    control: &'a Control,
}

impl Watch<'_> {
    /// Shows how many files were seen. Returns whether the caller wants to stop.
    pub fn stops(&mut self, seen: u64) -> bool {
        self.progress.show(self.path, seen);
        self.control.is_stopped()
    }
}

/// A snapshot of all paths.
pub struct Visit<'a> {
    /// The paths.
    pub paths: &'a [PathBuf],
    /// When the snapshot is taken.
    pub turn: Turn,
    /// How long a path may answer nothing at all.
    pub timeout: Duration,
    /// What the last snapshot left.
    pub earlier: &'a Carry,
    /// Who takes it.
    pub worker: &'a Worker<'a>,
}

impl Visit<'_> {
    /// Searches all paths. Returns what it leaves, and whether it was not stopped before its end.
    ///
    /// # Errors
    /// If it must end before its last path.
    pub fn run<V: Visitor>(&self, visitor: &mut V) -> Result<(Carry, bool), Failure> {
        let mut reports = Reports { earlier: &self.earlier.reported, reported: Vec::new() };
        let (mut stuck, mut late, mut is_whole) = (Vec::new(), Vec::new(), true);
        for place in 0..self.paths.len() {
            if let Some(search) = self.still_stuck(place) {
                visitor.lose(place);
                reports.note(place);
                stuck.push((place, search));
                continue;
            }
            let search = visitor.start(place).map_err(Failure::Other)?;
            match self.wait(place, visitor, &search, PATIENCE, &mut reports)? {
                Wait::Ended(()) => {}
                Wait::Stuck => late.push((place, search)),
                Wait::Stopped => {
                    is_whole = false;
                    break;
                }
            }
        }
        if !late.is_empty() {
            self.worker.steps.enter(WRITING);
            visitor.flush().map_err(Failure::Write)?;
            self.worker.steps.enter(FIRST);
        }
        for (place, search) in late {
            // The watchdog ends a run that does not repeat.
            let patience = if self.turn.repeats { self.timeout } else { Duration::MAX };
            match self.wait(place, visitor, &search, patience, &mut reports)? {
                Wait::Ended(()) => {}
                Wait::Stuck => {
                    search.cancel();
                    visitor.lose(place);
                    reports.report(place, self.no_answer(place));
                    stuck.push((place, search));
                }
                Wait::Stopped => is_whole = false,
            }
        }
        Ok((Carry { reported: reports.reported, stuck }, is_whole))
    }

    /// Waits for a search, and finishes its path if it has ended.
    fn wait<V: Visitor>(
        &self,
        place: usize,
        visitor: &mut V,
        search: &V::Search,
        patience: Duration,
        reports: &mut Reports<'_>,
    ) -> Result<Wait<()>, Failure> {
        let mut watch = self.watch(place, patience);
        let wait = visitor.wait(search, &mut watch);
        watch.progress.clear();
        if matches!(wait, Err(_) | Ok(Wait::Stopped)) {
            search.cancel();
        }
        match wait.map_err(Failure::Write)? {
            Wait::Ended(end) => visitor.finish(place, end, reports).map(Wait::Ended).map_err(Failure::Write),
            Wait::Stuck => Ok(Wait::Stuck),
            Wait::Stopped => Ok(Wait::Stopped),
        }
    }

    fn watch(&self, place: usize, patience: Duration) -> Watch<'_> {
        let (path, control) = (&self.paths[place], self.worker.control);
        control.set_subject(path.display().to_string());
        Watch { patience, path, progress: Progress::new(!self.turn.repeats && stderr().is_terminal()), control }
    }

    /// The search of a path that has not ended since an earlier snapshot.
    fn still_stuck(&self, place: usize) -> Option<Arc<dyn Search>> {
        let mut stuck = self.earlier.stuck.iter().filter(|(other, _)| *other == place);
        stuck.find(|(_, search)| !search.has_ended()).map(|(_, search)| Arc::clone(search))
    }

    fn no_answer(&self, place: usize) -> String {
        let time = humantime::format_duration(self.timeout);
        format!("{} does not answer within --timeout {time}", self.paths[place].display())
    }
}
