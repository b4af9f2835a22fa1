//! What has to be read for a field: the bits of [`Field::needs`](crate::record::Field::needs).

use crate::host::needs::FIRST_OWN;

/// The content of each file.
pub const CONTENT: u32 = FIRST_OWN;
/// The name of the owner.
pub const OWNER: u32 = FIRST_OWN << 1;
/// The name of the group.
pub const GROUP: u32 = FIRST_OWN << 2;
