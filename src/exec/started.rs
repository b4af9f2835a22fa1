//! The programs that had a record and have not ended: the records of their ends need what their starts said. A program that is
//! read on one CPU may end on another one, and its end be read first.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::capture::{Capture, Content};
use super::{Action, Ended, Happening, Program};
use crate::parse::{self, Stat};
use crate::process::glimpse;
use crate::procfs::Procfs;

/// How many ends of processes without a record are kept. Most of them never had one.
const UNKNOWN_MAX: usize = 1024;

/// The programs.
#[derive(Default)]
pub struct Started {
    /// By process id.
    programs: HashMap<u32, Entry>,
    /// The last ends of processes without a record.
    unknown: VecDeque<Capture>,
}

/// What the record of the end needs.
struct Entry {
    name: Vec<u8>,
    stat: Option<Stat>,
    tty: Cow<'static, str>,
    uid: Option<u32>,
    user: Option<Rc<str>>,
    effective_uid: Option<u32>,
    effective_user: Option<Rc<str>>,
    parent: Vec<u8>,
    /// When its program started, in nanoseconds of `CLOCK_MONOTONIC`. None if it ran already.
    since: Option<u64>,
}

impl Started {
    /// Notes a program that has a record. Returns the record of its end, if that was read before.
    pub fn add(&mut self, action: Action, since: u64, program: &Program) -> Option<Happening> {
        let process = &program.process;
        let pid = process.pid();
        let entry = Entry {
            name: process.name().to_vec(),
            stat: program.has_stat.then(|| *process.stat()),
            tty: process.tty(),
            uid: program.uid,
            user: program.user.clone(),
            effective_uid: program.effective_uid,
            effective_user: program.effective_user.clone(),
            parent: program.parent.clone(),
            since: (action == Action::Exec).then_some(since),
        };
        self.programs.insert(pid, entry);
        let is_its = |end: &Capture| {
            end.monotonic > since && matches!(end.content, Content::Exit { pid: ended, .. } if ended == pid)
        };
        let end = self.unknown.iter().position(is_its).and_then(|place| self.unknown.remove(place))?;
        self.end(end)
    }

    /// The record of an end. None if the program had no record.
    pub fn end(&mut self, capture: Capture) -> Option<Happening> {
        let Content::Exit { pid, status, stat } = capture.content else { return None };
        let Some(entry) = self.programs.remove(&pid) else {
            if self.unknown.len() == UNKNOWN_MAX {
                self.unknown.pop_front();
            }
            self.unknown.push_back(capture);
            return None;
        };
        let is_same = |stat: &Stat| entry.stat.is_none_or(|start| start.starttime == stat.starttime);
        let at_end = stat.filter(is_same);
        let end = Ended {
            status,
            duration: entry.since.map(|since| capture.monotonic.saturating_sub(since)),
            has_time: at_end.is_some(),
        };
        // At its end, a process may have another parent.
        let known =
            at_end.map(|end| Stat { ppid: entry.stat.map_or(end.ppid, |start| start.ppid), ..end }).or(entry.stat);
        let program = Program {
            process: glimpse::ended(pid, entry.name, known.unwrap_or_default(), entry.tty),
            has_stat: known.is_some(),
            uid: entry.uid,
            user: entry.user,
            effective_uid: entry.effective_uid,
            effective_user: entry.effective_user,
            parent: entry.parent,
            environment: Vec::new(),
        };
        Some(Happening {
            action: Action::Exit,
            at: capture.at,
            is_incomplete: known.is_none(),
            program: Some(program),
            end: Some(end),
            lost: None,
        })
    }

    /// Forgets programs that have ended without an event: some were lost. Few take no memory worth that.
    pub fn forget_ended(&mut self, procfs: &Procfs) {
        const FEW: usize = 10_000;
        if self.programs.len() < FEW {
            return;
        }
        let mut text = Vec::new();
        self.programs.retain(|pid, entry| {
            let read = procfs.process(*pid).read("stat", &mut text, 4096);
            let stat = read.ok().and_then(|()| Some(parse::stat(&text)?.1));
            stat.is_some_and(|stat| entry.stat.is_none_or(|start| start.starttime == stat.starttime))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only an end after the start is that program's.
    #[test]
    fn an_end_that_is_read_before_its_start() {
        let mut started = Started::default();
        let end =
            |monotonic, status| Capture { at: 0, monotonic, content: Content::Exit { pid: 0, status, stat: None } };
        for capture in [end(10, 1), end(30, 2)] {
            assert!(started.end(capture).is_none());
        }
        let found = started.add(Action::Exec, 20, &Program::default()).and_then(|happening| happening.end);
        assert_eq!(found.map(|end| (end.status, end.duration)), Some((2, Some(10))));
        assert!(started.add(Action::Exec, 25, &Program::default()).is_none());
    }
}
