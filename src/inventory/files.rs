//! The file records. `fields` is the table of the record.

pub mod fields;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::source::Source;

/// One file.
#[derive(Debug, Default)]
pub struct File {
    /// Its path.
    pub path: Vec<u8>,
}

/// What the records are asked for, in addition to what every record is.
pub struct Files;

impl Source for Files {
    type Subject = File;
    type Carry = ();

    const DOING: &'static str = "reading files";

    fn records(
        &self,
        _view: &View,
        _host: &Host,
        _needs: u32,
        _earlier: &(),
        _put: &mut dyn FnMut(&File) -> bool,
    ) -> Result<(), Outcome> {
        Ok(())
    }
}
