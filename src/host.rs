//! The machine at the time of a snapshot: what all its records share, and what processes are compared with.

use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::parse;
use crate::procfs::Procfs;
use crate::rootfs::Rootfs;

/// What must be read of the machine for a field: the low bits of [`Field::needs`](crate::record::Field::needs). Each
/// kind of record defines the others.
pub mod needs {
    /// The machine's time since boot.
    pub const UPTIME: u32 = 1;
    /// When the machine booted.
    pub const BOOT_TIME: u32 = 1 << 1;
    /// The id of this boot.
    pub const BOOT_ID: u32 = 1 << 2;
    /// The machine's memory.
    pub const MEM_TOTAL: u32 = 1 << 3;
    /// How many CPUs the machine has.
    pub const CPUS: u32 = 1 << 4;
    /// The first bit that a kind defines.
    pub const FIRST_OWN: u32 = 1 << 5;
}

/// Where the machine's files are: here, unless another machine's are mounted somewhere.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// Another machine's /proc.
    pub procfs: Option<PathBuf>,
    /// Another machine's root directory.
    pub rootfs: Option<PathBuf>,
}

impl Roots {
    /// Whether the records are about another machine. Then procline asks this one for nothing.
    pub fn are_elsewhere(&self) -> bool {
        self.procfs.is_some() || self.rootfs.is_some()
    }

    /// Opens the directories.
    ///
    /// # Errors
    /// If one of them is no directory that can be opened.
    pub fn open(&self) -> anyhow::Result<View> {
        let rootfs = self.rootfs.as_deref().map(Rootfs::open).transpose()?;
        Ok(View { procfs: Procfs::open(self.procfs.as_deref())?, rootfs, roots: self.clone() })
    }
}

/// The machine's files, opened.
pub struct View {
    /// Its /proc.
    pub procfs: Procfs,
    /// Its root directory, if it is another machine's.
    pub rootfs: Option<Rootfs>,
    /// Where they are.
    pub roots: Roots,
}

/// The machine in one snapshot. What the selected fields do not need keeps its default.
#[derive(Debug, Default)]
pub struct Host {
    /// The machine's name.
    pub computer: String,
    /// When the snapshot was taken.
    pub now: DateTime<Utc>,
    /// The same as text: RFC 3339, UTC, milliseconds.
    pub timestamp: String,
    /// Clock ticks per second, the unit of times in /proc/PID/stat; sysconf(3), `_SC_CLK_TCK`.
    pub ticks_per_second: u64,
    /// Clock ticks since boot, suspension included; `CLOCK_BOOTTIME` of clock_gettime(2), or proc_uptime(5).
    pub uptime_ticks: u64,
    /// When the machine booted, in seconds since 1970; `btime` of proc_stat(5).
    pub boot_time: i64,
    /// The id of this boot; `/proc/sys/kernel/random/boot_id`, random(4).
    pub boot_id: String,
    /// `MemTotal` of proc_meminfo(5), in KiB.
    pub mem_total: u64,
    /// CPUs online; the lines `cpu0`, `cpu1`, … of proc_stat(5).
    pub cpus: u64,
    /// Bytes per page; sysconf(3), `_SC_PAGESIZE`.
    pub page_size: u64,
}

impl Host {
    /// Observes the machine, as far as `needs` requires. `computer` is its name, if that is not the hostname.
    ///
    /// # Errors
    /// If its /proc is not what a kernel writes.
    pub fn observe(view: &View, computer: Option<&str>, now: DateTime<Utc>, needs: u32) -> anyhow::Result<Self> {
        let procfs = &view.procfs;
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let mut host = Host {
            now,
            computer: computer.map_or_else(hostname, str::to_owned),
            timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            ticks_per_second,
            page_size: rustix::param::page_size() as u64,
            ..Host::default()
        };
        if needs & needs::UPTIME != 0 {
            host.uptime_ticks = if view.roots.are_elsewhere() {
                let hundredths = figure(procfs, "uptime", parse::machine::uptime_centiseconds)?;
                hundredths.saturating_mul(ticks_per_second) / 100
            } else {
                // In a container, /proc/uptime may be that of the container. The start times of processes never are.
                let uptime = clock_gettime(ClockId::Boottime);
                uptime.tv_sec.cast_unsigned() * ticks_per_second
                    + uptime.tv_nsec.cast_unsigned() * ticks_per_second / 1_000_000_000
            };
        }
        if needs & needs::BOOT_TIME != 0 {
            host.boot_time = figure(procfs, "stat", |text| parse::keyed(text, "btime")?.try_into().ok())?;
        }
        if needs & needs::CPUS != 0 {
            host.cpus = figure(procfs, "stat", parse::machine::cpus)?;
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
}

/// gethostname(2). Empty if that fails, because every record has the field.
pub fn hostname() -> String {
    hostname::get().unwrap_or_default().to_string_lossy().into_owned()
}

fn figure<T>(procfs: &Procfs, name: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> anyhow::Result<T> {
    let text = procfs.read_host(name)?;
    parse(&text).with_context(|| format!("{} is not what a kernel writes there", procfs.path().join(name).display()))
}
