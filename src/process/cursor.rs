//! Which process is next: those asked for, or all of them; twice, if every process must be looked at before it is known
//! which have a record.

use std::io;

use super::Process;
use super::filter::{Candidate, Filter};
use crate::host::Host;
use crate::procfs::{Pids, Procfs};

/// Goes through the processes.
pub struct Cursor {
    /// The process that is being gathered.
    in_hand: Option<u32>,
    pids: Pids,
    /// The candidates, while they have to be known before the first record.
    survey: Option<Vec<Candidate>>,
    /// Whether `pids` is what a survey selected.
    surveyed: bool,
    /// Whether there is any process: there is one in every proc filesystem.
    any: bool,
}

impl Cursor {
    /// Begins with the first process.
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
        Ok(Cursor { in_hand: None, pids, survey, surveyed: false, any: by_pid })
    }

    /// The process to gather: the one that an abandoned worker left in hand, or the next. After the last of a survey
    /// comes the first of what it selected.
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
            self.surveyed = true;
            self.pids.only(filter.select(&candidates));
            self.in_hand = self.pids.next()?;
        }
        Ok(self.in_hand)
    }

    /// The process that is being gathered.
    pub fn in_hand(&self) -> Option<u32> {
        self.in_hand
    }

    /// Nothing more is to be done with the process in hand.
    pub fn done(&mut self) {
        self.in_hand = None;
    }

    /// Whether it is not yet known which processes have a record.
    pub fn is_survey(&self) -> bool {
        self.survey.is_some()
    }

    /// Whether there is any process.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Whether a process that was gathered has a record; a survey remembers it.
    pub fn judge(&mut self, filter: &Filter, process: &Process, host: &Host) -> bool {
        if let Some(candidates) = &mut self.survey {
            candidates.extend(filter.candidate(process, host));
            return false;
        }
        // A survey has judged it; but it may have become another program since.
        if self.surveyed { !filter.excludes(process) } else { filter.matches(process, host) }
    }
}
