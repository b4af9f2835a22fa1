//! The process records, the default kind. `fields` is the table of them and `forms` what other schemas make of it;
//! `request` is what is asked for, `snapshot` gathers and writes them, `cursor` says which process is next, `collect`
//! reads one, `command`, `tty` and `redact` understand what was read, `select` says which have a record, `cpu_sample`
//! keeps CPU times, and `steps` lists what may block.

mod collect;
pub mod command;
pub mod cpu_sample;
mod cursor;
pub mod fields;
mod forms;
pub mod redact;
pub mod request;
pub mod select;
pub mod snapshot;
mod steps;
pub mod tty;

use std::borrow::Cow;
use std::rc::Rc;

use crate::host::Host;
use crate::parse;
use crate::run::stuck::Subject;

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

    pub use crate::host::needs::*;
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
    fn subject(&self) -> Subject {
        Subject { id: self.pid.into(), generation: self.stat.starttime }
    }

    fn stat(&self) -> &parse::Stat {
        &self.stat
    }

    fn command_is_cut(&self) -> bool {
        self.command_cut
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
