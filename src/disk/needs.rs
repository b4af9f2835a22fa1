//! What has to be asked for a field: the bits of [`Field::needs`](crate::record::Field::needs).

use crate::host::needs::FIRST_OWN;

/// When each file was last written.
pub const DATED: u32 = FIRST_OWN;
/// Where the filesystem is mounted.
pub const MOUNT: u32 = FIRST_OWN << 1;
