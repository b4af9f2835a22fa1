//! The process records, the default kind. `fields` is the table of them and `conversions` what other schemas make of it;
//! `request` is what is asked for, `snapshot` gathers and writes them, `cursor` says which process is next, `needs` tells
//! what is read for which fields, `collect` reads one process, `command`, `tty` and `redact` understand what was read,
//! `filter` says which have a record, `cpu_sample` keeps CPU times, and `steps` lists what may block.

mod collect;
pub mod command;
mod conversions;
pub mod cpu_sample;
mod cursor;
pub mod fields;
pub mod filter;
pub mod needs;
pub mod redact;
pub mod request;
pub mod snapshot;
mod steps;
pub mod tty;

use std::borrow::Cow;
use std::rc::Rc;

use crate::host::Host;
use crate::parse;
use crate::run::stuck::Subject;

/// One process, as far as the fields asked for need it. What could not be known is none.
#[derive(Debug, Default)]
pub struct Process {
    pid: u32,
    comm: Vec<u8>,
    stat: parse::Stat,
    /// `stat` as the kernel wrote it, for the numbers that are only told.
    stat_text: Vec<u8>,
    uid: Option<u32>,
    user: Option<Rc<str>>,
    status: Option<parse::Status>,
    /// `status` as the kernel wrote it, likewise; empty where it is not known.
    status_text: Vec<u8>,
    group: Option<Rc<str>>,
    /// KiB.
    rss: Option<u64>,
    locked: Option<bool>,
    /// KiB.
    shared: Option<u64>,
    /// What each of [`needs::FILES`] holds; empty where that is not known.
    files: [Vec<u8>; needs::FILES.len()],
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

    /// What one of [`needs::FILES`] holds; empty where that is not known.
    fn file(&self, name: &str) -> &[u8] {
        needs::FILES.iter().position(|file| file.name == name).map_or(&[], |place| &self.files[place])
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
