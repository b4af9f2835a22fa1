//! The snapshot: one record per process. This file tells what is read for which fields; its rooms do the rest:
//! `procfs` opens /proc, `parse`, `command` and `tty` understand it, `users` names its owners, `fields` is the table,
//! `collect` gathers one process, and `watch` sees to it that nothing hangs.

mod collect;
pub mod command;
pub mod fields;
pub mod parse;
mod procfs;
pub mod redact;
pub mod tty;
pub mod users;
mod watch;
mod worker;

use std::borrow::Cow;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::SystemTime;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::host::Host;
use crate::record::Field;
use procfs::Procfs;

pub use watch::run;

/// What has to be read for a field: the bits of [`Field::needs`].
pub mod needs {
    /// The effective user's name.
    pub const USER: u32 = 1;
    /// Resident memory.
    pub const RSS: u32 = 1 << 1;
    /// Whether memory is locked.
    pub const LOCKED: u32 = 1 << 2;
    /// The command line.
    pub const COMMAND: u32 = 1 << 3;
    /// The terminal's name.
    pub const TTY: u32 = 1 << 4;
    /// The machine's time since boot.
    pub const UPTIME: u32 = 1 << 5;
    /// When the machine booted.
    pub const BOOT_TIME: u32 = 1 << 6;
    /// The machine's memory.
    pub const MEM_TOTAL: u32 = 1 << 7;
}

/// What a snapshot is to tell, and of which machine.
#[derive(Clone)]
pub struct Request {
    /// The fields of each record, in order.
    pub fields: Vec<&'static Field<Process>>,
    /// The longest line, its newline included, in bytes; 0 for no limit.
    pub max_record_bytes: usize,
    /// Another machine's /proc.
    pub procfs: Option<PathBuf>,
    /// Another machine's root directory.
    pub rootfs: Option<PathBuf>,
}

impl Request {
    fn needs(&self) -> u32 {
        self.fields.iter().fold(0, |all, field| all | field.needs)
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
    user: Option<Rc<str>>,
    /// KiB.
    rss: Option<u64>,
    locked: Option<bool>,
    tty: Cow<'static, str>,
    /// Never empty where it is known.
    command: Vec<u8>,
    /// Whether the middle of the command line was too long to be read.
    command_cut: bool,
}

impl Process {
    /// `PF_KTHREAD` of the kernel's include/linux/sched.h. An empty command line alone does not make a kernel thread.
    fn is_kernel_thread(&self) -> bool {
        self.stat.flags & 0x0020_0000 != 0
    }

    fn is_zombie(&self) -> bool {
        self.stat.state == b'Z'
    }

    /// Kernel threads and zombies have none: neither `status` nor `cmdline` would tell anything.
    fn has_memory(&self) -> bool {
        !self.is_kernel_thread() && !self.is_zombie()
    }

    fn cpu_ticks(&self) -> u64 {
        self.stat.utime.saturating_add(self.stat.stime)
    }
}

/// The machine at this moment, as far as `needs` asks for it.
fn observe(procfs: &Procfs, request: &Request) -> anyhow::Result<Host> {
    let needs = request.needs();
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let mut host = Host {
        computer: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        timestamp: DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Millis, true),
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
    if needs & needs::MEM_TOTAL != 0 {
        host.mem_total = figure(procfs, "meminfo", |text| parse::keyed(text, "MemTotal:"))?;
    }
    Ok(host)
}

fn figure<T>(procfs: &Procfs, name: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> anyhow::Result<T> {
    let text = procfs.read_host(name)?;
    parse(&text).with_context(|| format!("{} is not what a kernel writes there", procfs.path().join(name).display()))
}
