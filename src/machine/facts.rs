//! What is known of the machine without its processes. sysinfo knows this machine only, so the facts about another one
//! come from its files. Both must be the same: `tests/e2e/host.rs` compares them.

use sysinfo::{MemoryRefreshKind, System};

use super::needs::{KERNEL, LOAD, MEMORY, OS};
use crate::host::View;
use crate::parse;
use crate::text::lossy;

/// What is known of a machine.
#[derive(Debug, Default)]
pub struct Facts {
    /// `NAME` of os-release(5).
    pub os: Option<String>,
    /// `VERSION_ID` of os-release(5).
    pub os_version: Option<String>,
    /// `release` of uname(2).
    pub kernel: Option<String>,
    /// `machine` of uname(2).
    pub architecture: Option<String>,
    /// Over 1, 5 and 15 minutes; proc_loadavg(5).
    pub load: Option<[f64; 3]>,
    /// proc_meminfo(5).
    pub memory: Memory,
}

/// Memory and swap, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// `MemTotal`.
    pub total: Option<u64>,
    /// `MemAvailable`.
    pub available: Option<u64>,
    /// `SwapTotal`.
    pub swap_total: Option<u64>,
    /// `SwapFree`.
    pub swap_free: Option<u64>,
}

impl Facts {
    /// What is known of the machine, as far as `needs` asks for it.
    pub fn gather(view: &View, needs: u32) -> Self {
        if view.roots.are_elsewhere() { elsewhere(view, needs) } else { here(view, needs) }
    }
}

fn here(view: &View, needs: u32) -> Facts {
    let wants = |bit| needs & bit != 0;
    let mut facts = Facts::default();
    if wants(OS) {
        facts.os = System::name();
        facts.os_version = System::os_version();
    }
    if wants(KERNEL) {
        facts.kernel = System::kernel_version();
        facts.architecture = Some(System::cpu_arch()).filter(|name| !name.is_empty());
    }
    // sysinfo returns 0 for a load that it cannot read.
    if wants(LOAD) && view.procfs.read_host("loadavg").is_ok() {
        let load = System::load_average();
        facts.load = Some([load.one, load.five, load.fifteen]);
    }
    if wants(MEMORY) {
        let mut system = System::new();
        system.refresh_memory_specifics(MemoryRefreshKind::everything());
        // sysinfo returns 0 for everything if it cannot read /proc/meminfo.
        let kib = |bytes: u64| Some(bytes / 1024).filter(|_| system.total_memory() > 0);
        facts.memory = Memory {
            total: kib(system.total_memory()),
            available: kib(system.available_memory()),
            swap_total: kib(system.total_swap()),
            swap_free: kib(system.free_swap()),
        };
    }
    facts
}

fn elsewhere(view: &View, needs: u32) -> Facts {
    let wants = |bit| needs & bit != 0;
    let read = |name| view.procfs.read_host(name).ok();
    let line = |name| read(name).map(|text| lossy(text.trim_ascii()).into_owned()).filter(|line| !line.is_empty());
    let mut facts = Facts::default();
    if wants(OS)
        && let Some(text) = view.rootfs.as_ref().and_then(|root| root.read("etc/os-release").ok())
    {
        let value = |key| parse::machine::os_release(&text, key).map(|value| lossy(value).into_owned());
        facts.os = value("NAME");
        facts.os_version = value("VERSION_ID");
    }
    if wants(KERNEL) {
        facts.kernel = line("sys/kernel/osrelease");
        // Since Linux 6.1.
        facts.architecture = line("sys/kernel/arch");
    }
    if wants(LOAD) {
        facts.load = read("loadavg").and_then(|text| parse::machine::load(&text));
    }
    if wants(MEMORY) {
        let text = read("meminfo").unwrap_or_default();
        let kib = |key| parse::keyed(&text, key);
        facts.memory = Memory {
            total: kib("MemTotal:"),
            available: kib("MemAvailable:"),
            swap_total: kib("SwapTotal:"),
            swap_free: kib("SwapFree:"),
        };
    }
    facts
}
