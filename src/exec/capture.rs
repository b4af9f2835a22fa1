//! Reads the process of an event, at once: a program may live for less than a millisecond. It decides only what must be decided
//! before the rest is read, which is whose program it is.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};

use super::connector::monotonic;
use super::decode::{Event, What};
use super::fields::{ENVIRONMENT, PARENT};
use super::request::Request;
use super::{Action, Lost, Place};
use crate::parse::{self, Stat};
use crate::process::glimpse::{Glimpse, has_ended};
use crate::process::needs::{COMMAND, NAME};
use crate::procfs::Procfs;

/// More than any `stat`.
const STAT_MAX: usize = 4096;
/// More than a kernel with its default limits gives to arguments and environment together.
const ENVIRONMENT_MAX: usize = 4 << 20;
/// `PF_KTHREAD` of the kernel's include/linux/sched.h.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What an event and its process say.
pub struct Capture {
    /// When it happened, in nanoseconds since 1970.
    pub at: i64,
    /// When it happened, in nanoseconds of `CLOCK_MONOTONIC`.
    pub monotonic: u64,
    /// What was read.
    pub content: Content,
}

/// What was read for an event.
pub enum Content {
    /// A program that starts, or runs already.
    Program {
        /// Which of the two.
        action: Action,
        /// The process.
        glimpse: Box<Glimpse>,
        /// The parent's name. Empty if unknown.
        parent: Vec<u8>,
        /// The variables that were asked for: the places of their names, and `NAME=value`.
        environment: Vec<(usize, Vec<u8>)>,
    },
    /// A program that ended.
    Exit {
        /// The process.
        pid: u32,
        /// The wait status.
        status: u32,
        /// None if the process's parent was faster.
        stat: Option<Stat>,
    },
    /// Events that are missing.
    Lost(Lost),
}

impl Capture {
    fn new(monotonic: u64, content: Content) -> Self {
        Capture { at: realtime(monotonic), monotonic, content }
    }

    /// Events that the kernel's queue had no room for.
    pub fn lost(count: u64) -> Self {
        Self::new(monotonic(), Content::Lost(Lost { count, place: Place::Kernel }))
    }

    /// Events that the queue had no room for.
    pub fn dropped(count: u64) -> Self {
        Self::new(monotonic(), Content::Lost(Lost { count, place: Place::Queue }))
    }

    /// An event whose process nothing could be read of.
    pub fn nothing(event: Event) -> Self {
        let content = match event.what {
            What::Exit(status) => Content::Exit { pid: event.pid, status, stat: None },
            _ => Content::Program {
                action: action(event.what),
                glimpse: Box::new(Glimpse::nothing(event.pid)),
                parent: Vec::new(),
                environment: Vec::new(),
            },
        };
        Self::new(event.at, content)
    }

    /// How many events it stands for.
    pub fn count(&self) -> u64 {
        if let Content::Lost(lost) = &self.content { lost.count } else { 1 }
    }

    /// About how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        let texts = match &self.content {
            Content::Program { glimpse, parent, environment, .. } => {
                glimpse.size() + parent.len() + environment.iter().map(|(_, text)| text.len()).sum::<usize>()
            }
            Content::Exit { .. } | Content::Lost(_) => 0,
        };
        size_of::<Self>() + texts
    }
}

fn action(what: What) -> Action {
    if what == What::Running { Action::Running } else { Action::Exec }
}

/// A time of `CLOCK_MONOTONIC` in nanoseconds since 1970. Somebody may set the clock at any time.
fn realtime(at: u64) -> i64 {
    /// Reading a clock takes far less. Otherwise another thread ran between two of them.
    const CLOSE: u64 = 2_000;
    let mut offset = 0;
    for _ in 0..5 {
        let before = monotonic();
        let now = clock_gettime(ClockId::Realtime);
        let took = monotonic().saturating_sub(before);
        let now = now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec);
        offset = now.saturating_sub_unsigned(before + took / 2);
        if took < CLOSE {
            break;
        }
    }
    offset.saturating_add_unsigned(at)
}

/// Reads processes, one at a time.
pub struct Capturer {
    procfs: Arc<Procfs>,
    request: Arc<Request>,
    needs: u32,
    own: u32,
    scratch: Vec<u8>,
}

impl Capturer {
    /// Reads what the request needs.
    pub fn new(procfs: Arc<Procfs>, request: Arc<Request>) -> Self {
        let layout = request.plan.layout.needs();
        let filter = &request.filter;
        let by_name = !filter.names.is_empty() || !filter.excludes.is_empty();
        let needs = if by_name { layout | COMMAND } else { layout };
        let needs = if request.no_args { needs & !(COMMAND | NAME) } else { needs };
        Capturer { procfs, request, needs, own: std::process::id(), scratch: Vec::new() }
    }

    /// Reads the process of an event. None if the event is left out.
    pub fn capture(&mut self, event: Event) -> Option<Capture> {
        let content = match event.what {
            What::Exit(status) => self.exit(event.pid, status),
            _ => self.program(event)?,
        };
        Some(Capture::new(event.at, content))
    }

    fn program(&mut self, event: Event) -> Option<Content> {
        let Event { what, pid, .. } = event;
        let filter = &self.request.filter;
        let scratch = &mut self.scratch;
        let mut files = self.procfs.process(pid);
        let mut glimpse = Glimpse::command(pid, &mut files, self.needs, scratch);
        glimpse.owner(&mut files, scratch);
        let uid = glimpse.status.and_then(|status| status.ruid);
        if !filter.allows_uid(uid) {
            return None;
        }
        glimpse.stat(&mut files, scratch);
        let parent_id = glimpse.stat.map(|stat| stat.ppid);
        // Its own descendants are of no interest. It has none, unless a library starts some.
        if pid == self.own || parent_id == Some(self.own.into()) {
            return None;
        }
        if what == What::Running && glimpse.stat.is_none_or(|stat| is_of_kernel(&stat) || has_ended(&stat)) {
            return None;
        }
        let mut parent = Vec::new();
        if let Some(id) = parent_id.and_then(|id| u32::try_from(id).ok())
            && (self.needs & PARENT != 0 || filter.needs_parent(uid))
        {
            match self.procfs.process(id).read("stat", scratch, STAT_MAX) {
                Ok(()) => {
                    if let Some((comm, stat)) = parse::stat(scratch) {
                        if filter.needs_parent(uid) && is_of_kernel(&stat) {
                            return None;
                        }
                        parent = comm.to_vec();
                    }
                }
                // The first process has no parent.
                Err(_) => glimpse.is_incomplete |= id > 0,
            }
        }
        glimpse.files(&mut files, self.needs, scratch);
        let environment = if self.needs & ENVIRONMENT != 0 && !self.request.environment.is_empty() {
            match files.read("environ", scratch, ENVIRONMENT_MAX) {
                Ok(()) => variables(scratch, &self.request.environment),
                Err(_) => Vec::new(),
            }
        } else {
            Vec::new()
        };
        // One long text must not be kept for ever.
        scratch.clear();
        scratch.shrink_to(64 * 1024);
        Some(Content::Program { action: action(what), glimpse: Box::new(glimpse), parent, environment })
    }

    fn exit(&mut self, pid: u32, status: u32) -> Content {
        let read = self.procfs.process(pid).read("stat", &mut self.scratch, STAT_MAX);
        // Its id may belong to another process by now.
        let stat = read.ok().and_then(|()| Some(parse::stat(&self.scratch)?.1));
        let stat = stat.filter(|stat| has_ended(stat) && !stat.is_removed());
        Content::Exit { pid, status, stat }
    }
}

fn is_of_kernel(stat: &Stat) -> bool {
    stat.flags & KERNEL_THREAD != 0
}

/// The variables with these names: the places of the names, and `NAME=value`.
fn variables(environment: &[u8], names: &[Arc<str>]) -> Vec<(usize, Vec<u8>)> {
    let place = |text: &[u8]| {
        let end = text.iter().position(|byte| *byte == b'=')?;
        names.iter().position(|name| name.as_bytes() == &text[..end])
    };
    let mut found: Vec<(usize, Vec<u8>)> = Vec::new();
    for text in environment.split(|byte| *byte == 0) {
        // getenv(3) takes the first.
        if let Some(place) = place(text).filter(|place| found.iter().all(|(other, _)| other != place)) {
            found.push((place, text.to_vec()));
        }
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_by_their_whole_names() {
        let names: Vec<Arc<str>> = ["B", "A"].map(Arc::from).into();
        let found = variables(b"AB=1\0A=x=y\0A=z\0\0B=\0B", &names);
        assert_eq!(found, [(0, b"B=".to_vec()), (1, b"A=x=y".to_vec())]);
    }
}
