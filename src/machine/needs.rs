//! What has to be read for a field: the bits of [`Field::needs`](crate::record::Field::needs).

pub use crate::host::needs::UPTIME;

use crate::host::needs::FIRST_OWN;

/// The operating system's name and version.
pub const OS: u32 = FIRST_OWN;
/// The kernel's release and the architecture.
pub const KERNEL: u32 = FIRST_OWN << 1;
/// The load averages.
pub const LOAD: u32 = FIRST_OWN << 2;
/// Memory and swap.
pub const MEMORY: u32 = FIRST_OWN << 3;
/// /proc/stat: boot time, CPUs.
pub const STAT: u32 = FIRST_OWN << 4;
/// CPU time some time before.
pub const SAMPLE: u32 = FIRST_OWN << 5;
/// The `stat` of every process.
pub const PROCESSES: u32 = FIRST_OWN << 6;
/// The hypervisor or container.
pub const VIRTUALIZATION: u32 = FIRST_OWN << 7;
/// Who is logged in.
pub const USERS: u32 = FIRST_OWN << 8;
