//! One process that may end at any moment: read at once, and in the order in which it matters. What was read is kept as it
//! is, and becomes a process later, in another thread.

use std::borrow::Cow;

use super::collect::{FILE_MAX, STAT_MAX};
use super::masker::{COMMAND_HEAD, COMMAND_TAIL, Masker};
use super::needs::{COMMAND, Content, FILES, NAME, of_place};
use super::{Process, tty};
use crate::parse::{self, Stat, Status};
use crate::procfs::{ProcessFiles, is_gone};

/// What was read of a process.
#[derive(Debug, Default)]
pub struct Glimpse {
    pid: u32,
    /// None if it was not read in time.
    arguments: Option<Vec<u8>>,
    arguments_are_whole: bool,
    comm: Vec<u8>,
    /// None if it was not read in time.
    pub stat: Option<Stat>,
    /// None if it was not read in time.
    pub status: Option<Status>,
    files: [Vec<u8>; FILES.len()],
    /// Whether anything was gone before it was read.
    pub is_incomplete: bool,
}

impl Glimpse {
    /// Reads the command line of a process, before anything else is known of it.
    pub fn command(pid: u32, files: &mut ProcessFiles<'_>, needs: u32, scratch: &mut Vec<u8>) -> Self {
        let mut glimpse = Glimpse { pid, arguments_are_whole: true, ..Glimpse::default() };
        if needs & (COMMAND | NAME) != 0 {
            match files.read_ends("cmdline", scratch, COMMAND_HEAD, COMMAND_HEAD + COMMAND_TAIL) {
                Ok(is_whole) => {
                    glimpse.arguments = Some(scratch.as_slice().into());
                    glimpse.arguments_are_whole = is_whole;
                }
                Err(error) => glimpse.is_incomplete |= is_gone(&error),
            }
        }
        glimpse
    }

    /// A process of which nothing could be read.
    pub fn nothing(pid: u32) -> Self {
        Glimpse { pid, is_incomplete: true, ..Glimpse::default() }
    }

    /// Reads its owner.
    pub fn owner(&mut self, files: &mut ProcessFiles<'_>, scratch: &mut Vec<u8>) {
        match files.read("status", scratch, FILE_MAX) {
            Ok(()) => self.status = Some(parse::status(scratch)),
            Err(error) => self.is_incomplete |= is_gone(&error),
        }
    }

    /// Reads its name, its parent, and the like.
    pub fn stat(&mut self, files: &mut ProcessFiles<'_>, scratch: &mut Vec<u8>) {
        match files.read("stat", scratch, STAT_MAX) {
            Ok(()) => {
                if let Some((comm, stat)) = parse::stat(scratch) {
                    self.comm = comm.into();
                    self.stat = Some(stat).filter(|stat| !stat.is_removed());
                    self.is_incomplete |= stat.is_removed();
                }
            }
            Err(error) => self.is_incomplete |= is_gone(&error),
        }
        // A process that has ended has an empty command line, but no program begins with one.
        if self.arguments.as_ref().is_some_and(Vec::is_empty) && self.stat.is_none_or(|stat| has_ended(&stat)) {
            self.arguments = None;
            self.is_incomplete = true;
        }
    }

    /// Reads the other files that `needs` names.
    pub fn files(&mut self, files: &mut ProcessFiles<'_>, needs: u32, scratch: &mut Vec<u8>) {
        for (place, (file, content)) in FILES.iter().zip(&mut self.files).enumerate() {
            if needs & of_place(place) == 0 {
                continue;
            }
            let read = match file.content {
                Content::Link => files.link(file.name).map(|path| *content = path),
                Content::Text => {
                    files.read(file.name, scratch, FILE_MAX).map(|()| *content = scratch.as_slice().into())
                }
                Content::Entries => Ok(()),
            };
            self.is_incomplete |= read.is_err_and(|error| is_gone(&error));
        }
    }

    /// About how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        let texts = self.files.iter().chain(&self.arguments).map(Vec::len).sum::<usize>();
        size_of::<Self>() + self.comm.len() + texts
    }

    /// The process, with its secrets masked. `tty_drivers` is the text of /proc/tty/drivers.
    pub fn show(self, masker: &mut Masker, tty_drivers: &[u8]) -> Process {
        let Glimpse { pid, arguments, arguments_are_whole, comm, stat, status, files, .. } = self;
        let tty = stat.map_or(Cow::Borrowed("?"), |stat| tty::name(stat.tty_nr, || tty_drivers));
        let is_known = arguments.is_some();
        let mut process = Process {
            pid,
            comm,
            stat: stat.unwrap_or_default(),
            status,
            files,
            tty,
            arguments: arguments.unwrap_or_default(),
            ..Process::default()
        };
        masker.begin();
        masker.text(&mut process.comm);
        if is_known {
            masker.command(&mut process, arguments_are_whole);
        }
        for (_, text) in FILES.iter().zip(&mut process.files).filter(|(file, _)| file.is_path()) {
            if !text.is_empty() {
                masker.path(text);
            }
        }
        process
    }
}

/// A process at its end: its name, and what its `stat` says or said.
pub fn ended(pid: u32, name: Vec<u8>, stat: Stat, tty: Cow<'static, str>) -> Process {
    Process { pid, comm: name, stat, tty, ..Process::default() }
}

/// Whether nothing of a process is left but its entry.
pub fn has_ended(stat: &Stat) -> bool {
    matches!(stat.state, b'Z' | b'X' | b'x')
}
