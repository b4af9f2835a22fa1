//! The programs that had a record and have not ended: the records of their ends need what their starts said.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use super::capture::Content;
use super::{Action, Ended, Happening, Program};
use crate::parse::{self, Stat};
use crate::process::glimpse;
use crate::procfs::Procfs;

/// The programs, by process id.
#[derive(Default)]
pub struct Started(HashMap<u32, Entry>);

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
    /// Notes a program that has a record.
    pub fn add(&mut self, action: Action, since: u64, program: &Program) {
        let process = &program.process;
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
        self.0.insert(process.pid(), entry);
    }

    /// The record of an end. None if the program had no record.
    pub fn end(&mut self, at: i64, exit: &Content) -> Option<Happening> {
        let Content::Exit { pid, at: ended_at, status, stat } = *exit else { return None };
        let entry = self.0.remove(&pid)?;
        let is_same = |stat: &Stat| entry.stat.is_none_or(|start| start.starttime == stat.starttime);
        let at_end = stat.filter(is_same);
        let end = Ended {
            status,
            duration: entry.since.map(|since| ended_at.saturating_sub(since)),
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
            at,
            is_incomplete: known.is_none(),
            program: Some(program),
            end: Some(end),
            lost: None,
        })
    }

    /// Forgets programs that have ended without an event: some were lost. Few take no memory worth that.
    pub fn forget_ended(&mut self, procfs: &Procfs) {
        const FEW: usize = 10_000;
        if self.0.len() < FEW {
            return;
        }
        let mut text = Vec::new();
        self.0.retain(|pid, entry| {
            let read = procfs.process(*pid).read("stat", &mut text, 4096);
            let stat = read.ok().and_then(|()| Some(parse::stat(&text)?.1));
            stat.is_some_and(|stat| entry.stat.is_none_or(|start| start.starttime == stat.starttime))
        });
    }
}
