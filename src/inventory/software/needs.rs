//! What has to be read for a field: the bits of [`Field::needs`](crate::record::Field::needs).

use crate::host::needs::FIRST_OWN;

/// The long description.
pub const DESCRIPTION: u32 = FIRST_OWN;
/// The time of a file for each package.
pub const INSTALLED_AT: u32 = FIRST_OWN << 1;
