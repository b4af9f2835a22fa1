//! The snapshot: one record per process. This file tells what is read for which fields; its modules do the rest:
//! `procfs` opens /proc, `parse`, `command` and `tty` understand it, `names` names owners, `rootfs` reads another
//! machine's files, `sample` keeps CPU times, `redact` masks secrets, `collect` gathers one process, `select` says which
//! have a record, `fields` is the table of it and `forms` what other schemas make of that, `worker` makes the snapshot,
//! `watch` sees to it that nothing hangs, `skip` lists what it hung in, `beat` says when the next one is due.

mod beat;
mod collect;
pub mod command;
pub mod fields;
mod forms;
pub mod names;
pub mod parse;
mod procfs;
pub mod redact;
mod rootfs;
pub mod sample;
pub mod select;
mod skip;
pub mod tty;
mod watch;
mod worker;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::encode::Encoding;
use crate::host::Host;
use crate::record::shape::Shape;
use crate::sink::Target;
use procfs::Procfs;
use rootfs::Rootfs;
use sample::Sample;
use select::Filter;
use skip::ProcessId;

pub use beat::{Repeat, run};

/// What has to be read for a field: the bits of [`Field::needs`](crate::record::Field::needs).
pub mod needs {
    /// The effective user's id.
    pub const UID: u32 = 1;
    /// The effective user's name.
    pub const USER: u32 = 1 << 1;
    /// `status`, for what it alone tells of every process: real user, group, context switches.
    pub const STATUS: u32 = 1 << 2;
    /// The effective group's name, beside `status`.
    pub const GROUP: u32 = 1 << 3;
    /// Resident memory.
    pub const RSS: u32 = 1 << 4;
    /// Whether memory is locked.
    pub const LOCKED: u32 = 1 << 5;
    /// `statm`.
    pub const STATM: u32 = 1 << 6;
    /// `smaps_rollup`, for which the kernel walks the process's page tables.
    pub const SMAPS_ROLLUP: u32 = 1 << 7;
    /// `io`.
    pub const IO: u32 = 1 << 8;
    /// `fd`.
    pub const FD: u32 = 1 << 9;
    /// `exe`.
    pub const EXE: u32 = 1 << 10;
    /// `cwd`.
    pub const CWD: u32 = 1 << 11;
    /// `cgroup`.
    pub const CGROUP: u32 = 1 << 12;
    /// `oom_score`.
    pub const OOM_SCORE: u32 = 1 << 13;
    /// The command line.
    pub const COMMAND: u32 = 1 << 14;
    /// The command line, where the kernel cut the name.
    pub const NAME: u32 = 1 << 15;
    /// The terminal's name.
    pub const TTY: u32 = 1 << 16;
    /// CPU time some time before.
    pub const SAMPLE: u32 = 1 << 17;
    /// The machine's time since boot.
    pub const UPTIME: u32 = 1 << 18;
    /// When the machine booted.
    pub const BOOT_TIME: u32 = 1 << 19;
    /// The id of this boot.
    pub const BOOT_ID: u32 = 1 << 20;
    /// The machine's memory.
    pub const MEM_TOTAL: u32 = 1 << 21;
    /// How many CPUs the machine has.
    pub const CPUS: u32 = 1 << 22;
}

/// What a snapshot is to tell, and of which machine.
#[derive(Clone)]
pub struct Request {
    /// What each record looks like.
    pub shape: Arc<Shape<Process>>,
    /// Which processes have one.
    pub filter: Filter,
    /// How they are written.
    pub encoding: Encoding,
    /// Where they go.
    pub target: Target,
    /// The longest line, its newline included, in bytes; 0 for no limit.
    pub max_record_bytes: usize,
    /// Another machine's /proc.
    pub procfs: Option<PathBuf>,
    /// Another machine's root directory.
    pub rootfs: Option<PathBuf>,
    /// The machine's name, where it is not its hostname.
    pub computer: Option<String>,
    /// Whether command lines are left unread.
    pub no_args: bool,
    /// Whether secrets in command lines are masked, and by which words beside the built-in ones.
    pub redact: Option<Vec<String>>,
    /// The time over which `cpu_now` is measured, unless there is an earlier snapshot.
    pub sample: Duration,
    /// Whether another snapshot follows.
    pub repeats: bool,
    /// What was seen at the earlier snapshot.
    pub earlier: Option<Arc<Sample>>,
}

impl Request {
    fn needs(&self) -> u32 {
        self.shape.needs() | self.survey_needs()
    }

    /// What has to be read of every process before it is known which have a record.
    fn survey_needs(&self) -> u32 {
        let measured = (self.shape.needs() | self.filter.needs(false)) & needs::SAMPLE != 0;
        self.filter.needs(measured)
    }

    /// Whether it waits for `cpu_now`.
    pub fn samples(&self) -> bool {
        self.needs() & needs::SAMPLE != 0
    }

    /// Whether it is about a machine other than the one it runs on: then nothing is asked of this one.
    fn is_of_another_root(&self) -> bool {
        self.procfs.is_some() || self.rootfs.is_some()
    }
}

/// One process, as far as the fields asked for need it. What could not be known is none.
#[derive(Debug, Default)]
pub struct Process {
    pid: u32,
    comm: Vec<u8>,
    stat: parse::Stat,
    uid: Option<u32>,
    user: Option<Rc<str>>,
    status: Option<parse::Status>,
    group: Option<Rc<str>>,
    /// Voluntary and involuntary.
    context_switches: [Option<u64>; 2],
    /// KiB.
    rss: Option<u64>,
    locked: Option<bool>,
    /// KiB.
    shared: Option<u64>,
    smaps_rollup: Option<parse::SmapsRollup>,
    io: Option<parse::Io>,
    fds: Option<u64>,
    exe: Option<Vec<u8>>,
    cwd: Option<Vec<u8>>,
    cgroup: Option<Vec<u8>>,
    oom_score: Option<i64>,
    /// CPU time over the sample's time, in hundredths of one CPU.
    cpu_now: Option<f64>,
    tty: Cow<'static, str>,
    /// The command line as the kernel has it; empty where it is not known.
    arguments: Vec<u8>,
    /// Never empty where it is known.
    command: Vec<u8>,
    /// Whether the middle of the command line was too long to be read.
    command_cut: bool,
}

impl Process {
    fn id(&self) -> ProcessId {
        ProcessId { pid: self.pid, starttime: self.stat.starttime }
    }

    /// `PF_KTHREAD` of the kernel's include/linux/sched.h. An empty command line alone does not make a kernel thread.
    fn is_kernel_thread(&self) -> bool {
        self.stat.flags & 0x0020_0000 != 0
    }

    fn is_zombie(&self) -> bool {
        self.stat.state == b'Z'
    }

    /// Time since start, in clock ticks.
    fn age(&self, host: &Host) -> u64 {
        host.uptime_ticks.saturating_sub(self.stat.starttime)
    }

    /// CPU time / time since start in percent, as ps has it: 0 for a process as old as the clock.
    fn cpu(&self, host: &Host) -> f64 {
        tenths_of_percent(self.stat.cpu_ticks(), self.age(host)).unwrap_or(0.0)
    }

    /// Kernel threads and zombies have none: neither `status` nor `cmdline` would tell anything.
    fn has_memory(&self) -> bool {
        !self.is_kernel_thread() && !self.is_zombie()
    }
}

/// `part` of `whole` in percent, truncated to a tenth; none of nothing.
fn tenths_of_percent(part: u64, whole: u64) -> Option<f64> {
    let tenths = part.saturating_mul(1000).checked_div(whole)?;
    Some(tenths as f64 / 10.0)
}

/// What every process of a snapshot is read from and measured against.
struct View {
    procfs: Procfs,
    /// Whose users are named, where that is not this machine.
    rootfs: Option<Rootfs>,
    host: Host,
    sample: Arc<Sample>,
}

impl View {
    /// Opens /proc and, where that is asked for, looks at what every process has used so far. The machine is looked at
    /// later, by [`look`](Self::look): where records go has to be open first, and that may take its time.
    fn open(request: &Request) -> anyhow::Result<Self> {
        let rootfs = request.rootfs.as_deref().map(Rootfs::open).transpose()?;
        let procfs = Procfs::open(request.procfs.as_deref().unwrap_or(Path::new("/proc")))?;
        let mut earlier = request.earlier.clone();
        if request.samples() && earlier.is_none() {
            earlier = Some(Arc::new(Sample::take(&procfs)?));
            thread::sleep(request.sample);
        }
        Ok(View { procfs, rootfs, host: Host::default(), sample: earlier.unwrap_or_default() })
    }

    /// Looks at the machine `now`; and at what the next snapshot is measured against, if one follows.
    fn look(&mut self, request: &Request, now: DateTime<Utc>) -> anyhow::Result<Option<Sample>> {
        let next = if request.samples() && request.repeats { Some(Sample::take(&self.procfs)?) } else { None };
        self.host = observe(&self.procfs, request, now)?;
        Ok(next)
    }
}

/// The machine at this moment, as far as `needs` asks for it.
fn observe(procfs: &Procfs, request: &Request, now: DateTime<Utc>) -> anyhow::Result<Host> {
    let needs = request.needs();
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let mut host = Host {
        now,
        computer: request.computer.clone().unwrap_or_else(hostname),
        timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        ticks_per_second,
        page_size: rustix::param::page_size() as u64,
        ..Host::default()
    };
    if needs & needs::UPTIME != 0 {
        host.uptime_ticks = if request.is_of_another_root() {
            let hundredths = figure(procfs, "uptime", parse::uptime_centiseconds)?;
            hundredths.saturating_mul(ticks_per_second) / 100
        } else {
            // In a container /proc/uptime may be the container's, and starttime never is.
            let uptime = clock_gettime(ClockId::Boottime);
            uptime.tv_sec.cast_unsigned() * ticks_per_second
                + uptime.tv_nsec.cast_unsigned() * ticks_per_second / 1_000_000_000
        };
    }
    if needs & needs::BOOT_TIME != 0 {
        host.boot_time = figure(procfs, "stat", |text| parse::keyed(text, "btime")?.try_into().ok())?;
    }
    if needs & needs::CPUS != 0 {
        host.cpus = figure(procfs, "stat", parse::cpus)?;
    }
    if needs & needs::BOOT_ID != 0 {
        let text = procfs.read_host("sys/kernel/random/boot_id")?;
        host.boot_id = String::from_utf8_lossy(text.trim_ascii()).into_owned();
    }
    if needs & needs::MEM_TOTAL != 0 {
        host.mem_total = figure(procfs, "meminfo", |text| parse::keyed(text, "MemTotal:"))?;
    }
    Ok(host)
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn figure<T>(procfs: &Procfs, name: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> anyhow::Result<T> {
    let text = procfs.read_host(name)?;
    parse(&text).with_context(|| format!("{} is not what a kernel writes there", procfs.path().join(name).display()))
}
