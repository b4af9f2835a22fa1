//! The service records. `fields` is the table of the record.

pub mod fields;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::source::Source;

/// One service.
#[derive(Debug, Default)]
pub struct Service {
    /// Its name.
    pub name: Vec<u8>,
}

/// What the records are asked for, in addition to what every record is.
pub struct Services;

impl Source for Services {
    type Subject = Service;
    type Carry = ();

    const DOING: &'static str = "asking systemd";

    fn records(
        &self,
        _view: &View,
        _host: &Host,
        _needs: u32,
        _earlier: &(),
        _put: &mut dyn FnMut(&Service) -> bool,
    ) -> Result<(), Outcome> {
        Ok(())
    }
}
