//! Which process is next. The cursor visits the processes of `--pid`, or all. It visits them twice if all must be read
//! to know which have a record: the first pass is the survey.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::filter::{Candidate, Filter};
use super::{Named, Process, names};
use crate::host::Host;
use crate::procfs::{Pids, Procfs};

/// A position in the list of processes.
pub struct Cursor {
    /// The process that is being read.
    in_hand: Option<u32>,
    pids: Pids,
    /// The candidates found so far, during a survey.
    survey: Option<Vec<Candidate>>,
    /// The `--name` of each process that a survey selected, if `pids` is that selection.
    selected: Option<HashMap<u32, Arc<Named>>>,
    /// Whether a process was found: every proc filesystem has one.
    any: bool,
}

impl Cursor {
    /// Begins before the first process.
    ///
    /// # Errors
    /// If the processes cannot be listed.
    pub fn begin(filter: &Filter, procfs: &Procfs) -> anyhow::Result<Self> {
        let mut pids = procfs.pids()?;
        let by_pid = !filter.pids.is_empty() && !filter.children && procfs.has_processes()?;
        if by_pid {
            let mut asked = filter.pids.clone();
            asked.sort_unstable();
            asked.dedup();
            pids.only(asked);
        }
        let survey = filter.surveys().then(Vec::new);
        Ok(Cursor { in_hand: None, pids, survey, selected: None, any: by_pid })
    }

    /// The process to read: the one that an abandoned worker had in hand, or the next one. After a survey, the first
    /// process of its selection follows.
    ///
    /// # Errors
    /// Those of getdents64(2).
    pub fn advance(&mut self, filter: &Filter) -> io::Result<Option<u32>> {
        if self.in_hand.is_none() {
            self.in_hand = self.pids.next()?;
            self.any |= self.in_hand.is_some();
        }
        if self.in_hand.is_none()
            && let Some(candidates) = self.survey.take()
        {
            let selected = filter.select(&candidates);
            self.pids.only(selected.iter().map(|(pid, _)| *pid).collect());
            self.selected = Some(selected.into_iter().filter_map(|(pid, named)| Some((pid, named?))).collect());
            self.in_hand = self.pids.next()?;
        }
        Ok(self.in_hand)
    }

    /// The process that is being read.
    pub fn in_hand(&self) -> Option<u32> {
        self.in_hand
    }

    /// Marks the process in hand as done.
    pub fn done(&mut self) {
        self.in_hand = None;
    }

    /// Whether this is a survey: it is not yet known which processes have a record.
    pub fn is_survey(&self) -> bool {
        self.survey.is_some()
    }

    /// Whether a process was found.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Whether a process has a record. During a survey none has, and the process may become a candidate. Sets the
    /// `--name` that the process belongs to, as far as it is known.
    pub fn judge(&mut self, filter: &Filter, process: &mut Process, host: &Host) -> bool {
        process.named = None;
        if let Some(candidates) = &mut self.survey {
            let candidate = filter.candidate(process, host);
            process.named = candidate.as_ref().and_then(Candidate::named);
            candidates.extend(candidate);
            return false;
        }
        // The survey selected this process, but it may have started another program since.
        if let Some(selected) = &self.selected {
            process.named = selected.get(&process.pid).cloned();
            return !filter.excludes(process);
        }
        let matches = filter.matches(process, host);
        if matches {
            process.named = names::find(&filter.names, process).map(Arc::new);
        }
        matches
    }
}
