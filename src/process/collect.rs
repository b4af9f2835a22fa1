//! Reads one process: which of its files, in which order, and what an error of each means.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use super::cpu_sample::CpuSample;
use super::masker::{COMMAND_HEAD, COMMAND_TAIL, Masker};
use super::needs::{
    ANY_FILE, COMMAND, Content, FILES, GROUP, LOCKED, NAME, RSS, SAMPLE, STATM, STATUS, TTY, UID, USER, of_place,
};
use super::request::Request;
use super::{Process, command, steps, tty};
use crate::host::{Host, View};
use crate::procfs::{ProcessFiles, Procfs, is_gone, is_out_of_sight};
use crate::run::steps::Steps;
use crate::run::stuck::SkipList;
use crate::users::{Names, Service, Source};
use crate::{parse, sys};

/// Far more than the longest `stat`: 52 numbers and a name.
pub const STAT_MAX: usize = 4096;
/// More than the longest `status`, which has 65,536 supplementary groups, and more than any other file here.
pub const FILE_MAX: usize = 1 << 20;

/// What every process of a snapshot is read from and compared with.
pub struct Context {
    /// The machine's files.
    pub view: View,
    /// The machine at the time of the snapshot.
    pub host: Host,
    /// The CPU times of an earlier moment.
    pub earlier: Arc<CpuSample>,
}

/// Collects processes, one at a time, into buffers that it reuses.
pub struct Collector<'a> {
    procfs: &'a Procfs,
    host: &'a Host,
    steps: &'a Steps,
    skip: &'a SkipList,
    /// Whether stuck command lines took so long in all that no command line of a process in uninterruptible sleep is
    /// read.
    skips_disk_sleep: bool,
    needs: u32,
    /// Whether the user named process ids.
    by_pid: bool,
    no_args: bool,
    masker: Masker,
    users: Names<'a>,
    groups: Names<'a>,
    earlier: &'a CpuSample,
    read_at: Option<Instant>,
    tty_drivers: Option<Vec<u8>>,
    text: Vec<u8>,
    /// Whether a file of the process in hand was missing, so that it may have ended.
    may_be_gone: bool,
    process: Process,
}

impl<'a> Collector<'a> {
    /// A collector of what `request` asks for.
    pub fn new(context: &'a Context, request: &Request, steps: &'a Steps, skip: &'a SkipList) -> Self {
        let source = |file: &'static str, service: Service| match &context.view.rootfs {
            // A worker is stuck in reading that file, and there is no other source.
            Some(_) if skip.has_step(steps::NAMING) => Source::Nowhere,
            Some(rootfs) => Source::Root(rootfs, file),
            None if context.view.roots.procfs.is_some() => Source::Nowhere,
            None => Source::Here(file, (!skip.has_step(steps::NAMING)).then_some(service)),
        };
        let arguments = Vec::with_capacity(COMMAND_HEAD + COMMAND_TAIL);
        Collector {
            procfs: &context.view.procfs,
            host: &context.host,
            earlier: &context.earlier,
            read_at: None,
            steps,
            skip,
            skips_disk_sleep: skip.waited(steps::COMMAND) >= steps::COMMANDS_PATIENCE,
            needs: 0,
            by_pid: !request.filter.pids.is_empty(),
            no_args: request.no_args,
            masker: Masker::new(
                request.redact.as_deref().filter(|_| request.needs() & (COMMAND | NAME | ANY_FILE) != 0),
            ),
            users: Names::new(source("etc/passwd", sys::user_name)),
            groups: Names::new(source("etc/group", sys::group_name)),
            tty_drivers: None,
            text: Vec::with_capacity(8 * 1024),
            may_be_gone: false,
            process: Process { arguments, ..Process::default() },
        }
    }

    /// The process that was collected last.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// When its CPU time was read, if CPU times are sampled.
    pub fn read_at(&self) -> Option<Instant> {
        self.read_at
    }

    /// Collects process `pid`, as far as `needs` requires. False if it has no record.
    ///
    /// # Errors
    /// If its `stat` could not be read although the process exists and is visible, or if its `stat` is invalid.
    pub fn collect(&mut self, pid: u32, needs: u32) -> io::Result<bool> {
        self.needs = needs;
        let mut files = self.procfs.process(pid);
        let process = &mut self.process;
        match files.read("stat", &mut process.stat_text, STAT_MAX) {
            Err(error) if is_out_of_sight(&error) => return Ok(false),
            read => read?,
        };
        // A thread has the same files as a process, but the list of processes does not have its id.
        if self.by_pid && parse::is_thread(&process.stat_text) {
            return Ok(false);
        }
        let Some((comm, stat)) = parse::stat(&process.stat_text) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not of the kernel's form"));
        };
        if stat.is_removed() {
            return Ok(false);
        }
        process.pid = pid;
        self.may_be_gone = false;
        process.comm.clear();
        process.comm.extend_from_slice(comm);
        process.stat = stat;
        self.masker.begin();
        // A program can give itself any name.
        if !process.is_kernel_thread() {
            self.masker.text(&mut process.comm);
        }
        self.steps.set_generation(stat.starttime);
        self.memory(&mut files);
        self.owners(&mut files);
        self.process.cpu_now = None;
        self.read_at = self.wants(SAMPLE).then(Instant::now);
        if self.wants(SAMPLE) {
            self.process.cpu_now = self.earlier.cpu_since(pid, &stat, self.host);
        }
        if self.wants(TTY) {
            self.process.tty = tty::name(stat.tty_nr, || {
                // Without that list, a terminal of an uncommon kind has no name.
                self.tty_drivers.get_or_insert_with(|| self.procfs.read_host("tty/drivers").unwrap_or_default())
            });
        }
        self.command(&mut files);
        self.on_request(&mut files);
        Ok(!self.may_be_gone || self.is_as_before(&mut files))
    }

    /// Whether the process is still there, and has not become a zombie meanwhile: it would have an almost empty record.
    fn is_as_before(&mut self, files: &mut ProcessFiles<'_>) -> bool {
        let read = files.read("stat", &mut self.text, STAT_MAX).ok();
        let now = read.and_then(|()| parse::stat(&self.text)).map(|(_, stat)| stat.state);
        now.is_some_and(|state| self.process.is_zombie() || !matches!(state, b'Z' | b'X'))
    }

    fn wants(&self, need: u32) -> bool {
        self.needs & need != 0
    }

    /// Reads `status` and `statm`, each only if it is needed.
    fn memory(&mut self, files: &mut ProcessFiles<'_>) {
        let process = &mut self.process;
        let has_memory = process.has_memory();
        process.status = None;
        process.status_text.clear();
        (process.rss, process.shared, process.locked) = (Some(0), Some(0), Some(false));
        if self.needs & STATUS != 0 || has_memory && self.needs & LOCKED != 0 {
            process.status = read_status(files, &mut process.status_text);
            process.rss = process.status.map(|status| status.vm_rss);
            process.locked = process.status.map(|status| status.vm_lck > 0);
        }
        let rss_is_open = self.needs & RSS != 0 && process.status.is_none() && self.needs & (LOCKED | STATUS) == 0;
        if has_memory && (rss_is_open || self.needs & STATM != 0) {
            let read = files.read("statm", &mut self.text, STAT_MAX);
            self.may_be_gone |= read.as_ref().is_err_and(is_gone);
            let pages = read.ok().and_then(|()| parse::statm(&self.text));
            let kib = |pages: u64| pages.saturating_mul(self.host.page_size / 1024);
            process.shared = pages.map(|(_, shared)| kib(shared));
            // Do not use the rss of `stat`: newer kernels keep it per CPU, and it is not exact.
            if rss_is_open {
                process.rss = pages.map(|(resident, _)| kib(resident));
            }
        }
    }

    /// Finds the owner: the effective user from the cheapest source, and the names.
    fn owners(&mut self, files: &mut ProcessFiles<'_>) {
        if self.wants(UID | USER) {
            let known = self.process.status.and_then(|status| status.euid).or_else(|| files.effective_uid());
            self.process.uid = known.or_else(|| read_status(files, &mut self.text)?.euid);
        }
        if self.wants(USER | GROUP) {
            self.steps.enter(steps::NAMING);
            let process = &mut self.process;
            process.user = process.uid.filter(|_| self.needs & USER != 0).map(|uid| self.users.name(uid));
            let gid = process.status.and_then(|status| status.egid).filter(|_| self.needs & GROUP != 0);
            process.group = gid.map(|gid| self.groups.name(gid));
            self.steps.enter(steps::WORKING);
        }
    }

    fn command(&mut self, files: &mut ProcessFiles<'_>) {
        let process = &mut self.process;
        process.arguments.clear();
        process.command.clear();
        process.command_cut = false;
        let for_name = self.needs & NAME != 0 && process.comm.len() == command::COMM_MAX;
        if self.needs & COMMAND == 0 && !for_name {
            return;
        }
        let in_disk_sleep = process.stat.state == b'D';
        let skipped = self.skips_disk_sleep && in_disk_sleep || self.skip.has(steps::COMMAND, process.subject());
        let mut whole = true;
        if process.has_memory() && !skipped && !self.no_args {
            // This can block for ever, because the kernel takes the lock of the process's memory.
            self.steps.enter(steps::COMMAND);
            let max = COMMAND_HEAD + COMMAND_TAIL;
            let read = files.read_ends("cmdline", &mut process.arguments, COMMAND_HEAD, max);
            self.steps.enter(steps::WORKING);
            let Ok(read_whole) = read else {
                process.arguments.clear();
                return;
            };
            whole = read_whole;
        }
        self.masker.command(process, whole);
    }

    /// Reads the files that only requested fields need. The user may lack the rights for each of them, and some may
    /// block like `cmdline`.
    fn on_request(&mut self, files: &mut ProcessFiles<'_>) {
        let process = &mut self.process;
        process.files.iter_mut().for_each(Vec::clear);
        if self.needs & ANY_FILE == 0 || self.skip.has(steps::FILES, process.subject()) {
            return;
        }
        self.steps.enter(steps::FILES);
        let has_memory = process.has_memory();
        for (place, (file, text)) in FILES.iter().zip(&mut process.files).enumerate() {
            if self.needs & of_place(place) == 0 || file.needs_memory && !has_memory {
                continue;
            }
            let read = match file.content {
                Content::Text => files.read(file.name, text, FILE_MAX),
                Content::Link => files.link(file.name).map(|path| *text = path),
                Content::Entries => files.count(file.name).and_then(|count| write!(text, "{count}")),
            };
            if let Err(error) = read {
                self.may_be_gone |= is_gone(&error);
                text.clear();
            } else if file.is_path() {
                self.masker.path(text);
            }
        }
        self.steps.enter(steps::WORKING);
    }
}

fn read_status(files: &mut ProcessFiles<'_>, text: &mut Vec<u8>) -> Option<parse::Status> {
    match files.read("status", text, FILE_MAX) {
        Ok(()) => Some(parse::status(text)),
        Err(_) => {
            text.clear();
            None
        }
    }
}
