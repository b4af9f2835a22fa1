//! The machine at one moment: what every record of a snapshot shares, and what processes are measured against. It is
//! told what it needs to know and opens nothing itself.

use chrono::{DateTime, Utc};

/// The machine, as one snapshot sees it. What the chosen fields do not need stays at its default.
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
