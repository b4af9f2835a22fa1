//! What has to be asked for a field: the bits of [`Field::needs`](crate::record::Field::needs).

use crate::host::needs::FIRST_OWN;

/// The command lines of the service.
pub const COMMANDS: u32 = FIRST_OWN;
