//! One process: which of its files are read, in which order, and what an error on each means.

use std::io;
use std::path::Path;

use super::needs::{COMMAND, LOCKED, RSS, TTY, USER};
use super::procfs::{ProcessFiles, Procfs, is_out_of_sight};
use super::users::Users;
use super::worker::{Step, Steps};
use super::{Process, Request, command, parse, tty};
use crate::host::Host;

/// Far more than the kernel's longest: 52 numbers and a name.
const STAT_MOST: usize = 4096;
/// More than the kernel's longest, with 65,536 supplementary groups.
const STATUS_MOST: usize = 1 << 20;
const COMMAND_HEAD: usize = 128 * 1024;
const COMMAND_TAIL: usize = 16 * 1024;

/// What a worker is told not to wait for any more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Avoid {
    /// The command line of this process.
    pub command_of: Option<u32>,
    /// The command line of every process in uninterruptible sleep.
    pub commands_in_disk_sleep: bool,
    /// The system's name services.
    pub name_services: bool,
}

/// Gathers processes, one at a time, into buffers that it uses again.
pub struct Collector<'a> {
    procfs: &'a Procfs,
    host: &'a Host,
    steps: &'a Steps,
    avoid: Avoid,
    needs: u32,
    users: Users,
    tty_drivers: Option<Vec<u8>>,
    text: Vec<u8>,
    arguments: Vec<u8>,
    process: Process,
}

impl<'a> Collector<'a> {
    /// A collector of what `request` asks for.
    pub fn new(procfs: &'a Procfs, host: &'a Host, request: &Request, steps: &'a Steps, avoid: Avoid) -> Self {
        let rootfs = request.rootfs.as_deref().unwrap_or(Path::new("/"));
        let nss = !request.is_of_another_root() && !avoid.name_services;
        Collector {
            procfs,
            host,
            steps,
            avoid,
            needs: request.needs(),
            users: Users::new(rootfs, nss),
            tty_drivers: None,
            text: Vec::with_capacity(8 * 1024),
            arguments: Vec::with_capacity(COMMAND_HEAD + COMMAND_TAIL),
            process: Process::default(),
        }
    }

    /// The process that was gathered last.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Gathers process `pid`; false if there is nothing to tell of it.
    ///
    /// # Errors
    /// If its `stat` could not be read for a reason that is not the process's own, or makes no sense.
    pub fn collect(&mut self, pid: u32) -> io::Result<bool> {
        let mut files = self.procfs.process(pid);
        match files.read("stat", &mut self.text, STAT_MOST) {
            Err(error) if is_out_of_sight(&error) => return Ok(false),
            read => read?,
        };
        let Some((comm, stat)) = parse::stat(&self.text) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not of the kernel's form"));
        };
        let process = &mut self.process;
        process.pid = pid;
        process.comm.clear();
        process.comm.extend_from_slice(comm);
        process.stat = stat;
        let euid = self.memory(&mut files);
        if self.wants(USER) {
            self.process.user = euid.or_else(|| self.owner(&mut files)).map(|uid| {
                self.steps.enter(Step::Naming);
                let name = self.users.name(uid);
                self.steps.enter(Step::Working);
                name
            });
        }
        if self.wants(TTY) {
            self.process.tty = tty::name(stat.tty_nr, || {
                // Without that list a terminal of an uncommon kind has no name.
                self.tty_drivers.get_or_insert_with(|| self.procfs.read_host("tty/drivers").unwrap_or_default())
            });
        }
        if self.wants(COMMAND) {
            self.command(&mut files);
        }
        Ok(true)
    }

    fn wants(&self, need: u32) -> bool {
        self.needs & need != 0
    }

    /// Reads memory figures, from the cheapest file that tells them, and returns the effective user if it told that too.
    fn memory(&mut self, files: &mut ProcessFiles<'_>) -> Option<u32> {
        let process = &mut self.process;
        (process.rss, process.locked) = (Some(0), Some(false));
        if !process.has_memory() || self.needs & (LOCKED | RSS) == 0 {
            return None;
        }
        if self.needs & LOCKED == 0 {
            let read = files.read("statm", &mut self.text, STAT_MOST);
            let pages = read.ok().and_then(|_| parse::statm_resident(&self.text));
            process.rss = pages.map(|pages| pages.saturating_mul(self.host.page_size / 1024));
            return None;
        }
        // Not from `stat`: newer kernels keep its rss only roughly, per CPU.
        let status = self.status(files);
        self.process.rss = status.map(|status| status.vm_rss);
        self.process.locked = status.map(|status| status.vm_lck > 0);
        status.and_then(|status| status.euid)
    }

    fn owner(&mut self, files: &mut ProcessFiles<'_>) -> Option<u32> {
        files.effective_uid().or_else(|| self.status(files)?.euid)
    }

    fn status(&mut self, files: &mut ProcessFiles<'_>) -> Option<parse::Status> {
        let read = files.read("status", &mut self.text, STATUS_MOST);
        read.ok().map(|_| parse::status(&self.text))
    }

    fn command(&mut self, files: &mut ProcessFiles<'_>) {
        let process = &mut self.process;
        process.command.clear();
        process.command_cut = false;
        let in_disk_sleep = process.stat.state == b'D';
        let avoided = self.avoid.command_of == Some(process.pid) || self.avoid.commands_in_disk_sleep && in_disk_sleep;
        if process.has_memory() && !avoided {
            // The one file that can block for ever: it takes the lock of the process's memory.
            self.steps.enter(Step::Command);
            let (arguments, most) = (&mut self.arguments, COMMAND_HEAD + COMMAND_TAIL);
            let read = files.read_ends("cmdline", arguments, COMMAND_HEAD, most);
            self.steps.enter(Step::Working);
            let Ok(whole) = read else {
                return;
            };
            if whole {
                command::join(arguments, &mut process.command);
            } else {
                let (head, tail) = arguments.split_at(COMMAND_HEAD);
                command::join(head, &mut process.command);
                process.command.extend_from_slice(command::GAP.as_bytes());
                command::join(command::after_gap(tail), &mut process.command);
                process.command_cut = true;
            }
        }
        if process.command.is_empty() {
            command::bracket(&process.comm, process.is_zombie(), &mut process.command);
        }
    }
}
