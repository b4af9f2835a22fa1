//! The software records: the installed packages. `fields` is the table of the record. `dpkg` and `apk` read databases, which
//! are text: `stanzas` has the lines of both. `rpm` asks the program of that name.
//! `package` is what all of them fill in.

mod apk;
mod dpkg;
pub mod fields;
mod needs;
pub mod package;
mod rpm;
pub mod stanzas;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::rootfs::Rootfs;
use crate::source::Source;
use package::Package;

/// What the records are asked for, in addition to what every record is.
pub struct Request {
    /// How long rpm may take.
    pub timeout: Duration,
}

/// What the watchdog leaves to this file: it ends a single run after `--timeout`, but none that repeats.
const GRACE: Duration = Duration::from_secs(1);

impl Source for Request {
    type Subject = Package;
    type Carry = ();

    const DOING: &'static str = "reading the databases of packages";

    fn records(
        &self,
        view: &View,
        _host: &Host,
        needs: u32,
        _earlier: &(),
        put: &mut dyn FnMut(&Package) -> bool,
    ) -> Result<(), Outcome> {
        let own;
        let (root, is_here) = match &view.rootfs {
            Some(root) => (root, false),
            None if view.roots.are_elsewhere() => {
                Err(anyhow!("--procfs has no packages: add --rootfs, and procline reads the databases there"))?
            }
            None => {
                own = Rootfs::open(Path::new("/"))?;
                (&own, true)
            }
        };
        let mut goes_on = true;
        let mut put = |package: &Package| {
            goes_on = goes_on && put(package);
            goes_on
        };
        let mut found = dpkg::read(root, needs, &mut put)?;
        found |= apk::read(root, &mut put)?;
        found |= rpm::read(root, is_here, Instant::now() + self.timeout + GRACE, &mut put)?;
        if !found {
            Err(anyhow!("there is no database of packages: of dpkg, rpm or apk"))?;
        }
        Ok(())
    }
}
