//! The process records, the default kind. `fields` is their table, and `conversions` has what other schemas need.
//! `request` is what a run is asked for. `snapshot` collects the processes, `cursor` finds the next one, `collect` reads
//! one, and `report` says what becomes of it. `needs` lists what is read for which fields. `command`, `tty` and `redact`
//! interpret what was read, and `masker` masks it. `glimpse` reads a process that may end at any moment. `filter` selects processes by `names` and more, `watch` notices those that end, `cpu_sample`
//! keeps CPU times, and `steps` lists what may block.

mod collect;
pub mod command;
pub mod conversions;
pub mod cpu_sample;
mod cursor;
pub mod fields;
pub mod filter;
pub mod glimpse;
pub mod masker;
pub mod names;
pub mod needs;
pub mod redact;
pub mod report;
pub mod request;
pub mod snapshot;
mod steps;
pub mod tty;
mod watch;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::host::Host;
use crate::parse;
use crate::run::stuck::Subject;

/// One process, as far as the requested fields need it. What is unknown is `None`.
#[derive(Debug, Default)]
pub struct Process {
    pid: u32,
    comm: Vec<u8>,
    stat: parse::Stat,
    /// The text of `stat`, for numbers that are only printed.
    stat_text: Vec<u8>,
    uid: Option<u32>,
    user: Option<Rc<str>>,
    status: Option<parse::Status>,
    /// The text of `status`. Empty if unknown.
    status_text: Vec<u8>,
    group: Option<Rc<str>>,
    /// KiB.
    rss: Option<u64>,
    locked: Option<bool>,
    /// KiB.
    shared: Option<u64>,
    /// The content of each of [`needs::FILES`]. Empty if unknown.
    files: [Vec<u8>; needs::FILES.len()],
    /// CPU time over the sample's time, in percent of one CPU.
    cpu_now: Option<f64>,
    tty: Cow<'static, str>,
    /// The content of `cmdline`. Empty if unknown.
    arguments: Vec<u8>,
    /// Empty only if unknown.
    command: Vec<u8>,
    /// Whether the command line was so long that its middle was not read.
    command_cut: bool,
    /// The `--name` that it belongs to.
    named: Option<Arc<Named>>,
}

/// A `--name`, and the name that it matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The pattern of `--name`.
    pub pattern: String,
    /// The name of the process that matched.
    pub name: String,
    /// Whether it is the process's own, not that of an ancestor.
    pub is_own: bool,
}

impl Process {
    fn subject(&self) -> Subject {
        Subject { id: self.pid.into(), generation: self.stat.starttime }
    }

    /// Whether the command line was so long that its middle was not read.
    pub fn command_is_cut(&self) -> bool {
        self.command_cut
    }

    /// The `--name` that it belongs to: its own, or that of its nearest ancestor that matches.
    pub fn named(&self) -> Option<&Named> {
        self.named.as_deref()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The program's name.
    pub fn name(&self) -> &[u8] {
        command::name(&self.comm, &self.arguments)
    }

    /// What its `stat` said.
    pub fn stat(&self) -> &parse::Stat {
        &self.stat
    }

    /// The name of its controlling terminal.
    pub fn tty(&self) -> Cow<'static, str> {
        self.tty.clone()
    }

    /// The name of the program in its first argument. Empty if it has none.
    pub fn program_name(&self) -> &[u8] {
        let first = memchr::memchr(0, &self.arguments).map_or(&self.arguments[..], |end| &self.arguments[..end]);
        memchr::memrchr(b'/', first).map_or(first, |slash| &first[slash + 1..])
    }

    /// The content of one of [`needs::FILES`]. Empty if unknown.
    pub fn file(&self, name: &str) -> &[u8] {
        needs::FILES.iter().position(|file| file.name == name).map_or(&[], |place| &self.files[place])
    }

    /// `PF_KTHREAD` of the kernel's include/linux/sched.h. An empty command line alone does not make a kernel thread.
    fn is_kernel_thread(&self) -> bool {
        self.stat.flags & 0x0020_0000 != 0
    }

    fn is_zombie(&self) -> bool {
        self.stat.state == b'Z'
    }

    /// Whether nothing of it runs any more: a zombie without other threads.
    fn has_ended(&self) -> bool {
        self.is_zombie() && self.stat.num_threads <= 1
    }

    /// Time since start, in clock ticks.
    fn age(&self, host: &Host) -> u64 {
        host.uptime_ticks.saturating_sub(self.stat.starttime)
    }

    /// CPU time / time since start in percent, like ps: 0 for a process that has no age yet.
    fn cpu(&self, host: &Host) -> f64 {
        tenths_of_percent(self.stat.cpu_ticks(), self.age(host)).unwrap_or(0.0)
    }

    /// Whether it has memory. Kernel threads and zombies have none, so their `status` and `cmdline` are not read.
    fn has_memory(&self) -> bool {
        !self.is_kernel_thread() && !self.is_zombie()
    }
}

/// `part` of `whole` in percent, truncated to one decimal. None if `whole` is 0.
fn tenths_of_percent(part: u64, whole: u64) -> Option<f64> {
    let tenths = part.saturating_mul(1000).checked_div(whole)?;
    Some(tenths as f64 / 10.0)
}
