//! The host record: one heartbeat about the machine. `fields` is its table. `facts` has what sysinfo knows of this machine, or
//! what the files of another one say; `virtualization`, `processes` and `logins`
//! have what sysinfo does not know.

mod facts;
pub mod fields;
mod logins;
mod needs;
mod processes;
mod virtualization;

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::parse::machine::{CpuTimes, cpu_times};
use crate::rootfs::Rootfs;
use crate::source::Source;
use facts::Facts;
use processes::Processes;

/// The machine, as far as the requested fields need it. What is unknown is `None` or empty.
#[derive(Debug, Default)]
pub struct Machine {
    facts: Facts,
    virtualization: Option<&'static str>,
    /// The text of /proc/stat.
    stat: Vec<u8>,
    processes: Option<Processes>,
    users: Option<u64>,
    /// Busy time over the sample's time, in percent of all CPUs.
    cpu_now: Option<f64>,
}

/// What a host record is asked for, in addition to what every record is.
pub struct Heartbeat {
    /// The window of `cpu_now`, unless there is an earlier snapshot.
    pub sample: Duration,
}

impl Heartbeat {
    /// Whether fields with these needs wait for `cpu_now`.
    pub fn samples(needs: u32) -> bool {
        needs & needs::SAMPLE != 0
    }
}

impl Source for Heartbeat {
    type Subject = Machine;
    type Carry = Option<CpuTimes>;

    const DOING: &'static str = "reading about the machine";

    fn prepare(&self, view: &View, needs: u32) -> anyhow::Result<Self::Carry> {
        if !Self::samples(needs) {
            return Ok(None);
        }
        let times = cpu_times(&view.procfs.read_host("stat").unwrap_or_default());
        thread::sleep(self.sample);
        Ok(times)
    }

    fn records(
        &self,
        view: &View,
        _host: &Host,
        needs: u32,
        earlier: &Self::Carry,
        put: &mut dyn FnMut(&Machine) -> bool,
    ) -> Result<Self::Carry, Outcome> {
        let wants = |bits| needs & bits != 0;
        let mut machine = Machine { facts: Facts::gather(view, needs), ..Machine::default() };
        if wants(needs::STAT | needs::SAMPLE) {
            machine.stat = view.procfs.read_host("stat").unwrap_or_default();
        }
        let times = cpu_times(&machine.stat).filter(|_| wants(needs::SAMPLE));
        if let (Some(earlier), Some(times)) = (earlier, times) {
            machine.cpu_now = times.busy_since(earlier);
        }
        if wants(needs::PROCESSES) {
            machine.processes = processes::count(&view.procfs).ok();
        }
        let is_here = !view.roots.are_elsewhere();
        let own_root = if is_here { Rootfs::open(Path::new("/")).ok() } else { None };
        // With --procfs alone there is none.
        if let Some(root) = view.rootfs.as_ref().or(own_root.as_ref()) {
            if wants(needs::VIRTUALIZATION) {
                machine.virtualization = virtualization::detect(root, &view.procfs, is_here);
            }
            if wants(needs::USERS) {
                machine.users = root.read("run/utmp").ok().and_then(|text| logins::count(&text));
            }
        }
        put(&machine);
        Ok(times)
    }
}
