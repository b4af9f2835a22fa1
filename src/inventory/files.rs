//! The file records: what the kernel says of each file, and the checksum of its content. `fields` is the table of the record,
//! `needs` what is read for which fields, and `request` what is requested. `snapshot` writes the records. It waits for one `scan`
//! per path, whose threads `find` files in an order that does not change, and `read` them. `pattern` is a path with `*`, pure.

pub mod fields;
mod find;
mod names;
mod needs;
mod pattern;
mod read;
pub mod request;
mod scan;
pub mod snapshot;

use std::rc::Rc;

use read::Found;

/// One file.
pub struct File {
    found: Found,
    owner: Rc<str>,
    group: Rc<str>,
}
