//! The package records. `fields` is the table of the record.

pub mod fields;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::source::Source;

/// One package.
#[derive(Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: Vec<u8>,
}

/// What the records are asked for, in addition to what every record is.
pub struct Software;

impl Source for Software {
    type Subject = Package;
    type Carry = ();

    const DOING: &'static str = "reading the packages";

    fn records(
        &self,
        _view: &View,
        _host: &Host,
        _needs: u32,
        _earlier: &(),
        _put: &mut dyn FnMut(&Package) -> bool,
    ) -> Result<(), Outcome> {
        Ok(())
    }
}
