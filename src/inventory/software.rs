//! The software records: the installed packages. `fields` is the table of the record. `dpkg` and `apk` read databases, which
//! are text: `stanzas` has the lines of both. `rpm` asks the program of that name.

mod apk;
mod dpkg;
pub mod fields;
mod needs;
mod rpm;
pub mod stanzas;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::rootfs::Rootfs;
use crate::source::Source;

/// One package. What is unknown is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    name: Vec<u8>,
    version: Vec<u8>,
    architecture: Vec<u8>,
    publisher: Vec<u8>,
    size_kib: Option<u64>,
    summary: Vec<u8>,
    description: Vec<u8>,
    want: Vec<u8>,
    status: Vec<u8>,
    error: Vec<u8>,
    /// Seconds since 1970.
    installed_at: Option<i64>,
    source: &'static str,
    section: Vec<u8>,
    homepage: Vec<u8>,
    source_package: Vec<u8>,
}

impl Package {
    /// Begins another package, in the same buffers.
    fn clear(&mut self) {
        let Package { name, version, architecture, publisher, summary, description, want, status, error, .. } = self;
        let texts = [name, version, architecture, publisher, summary, description, want, status, error];
        texts.into_iter().chain([&mut self.section, &mut self.homepage, &mut self.source_package]).for_each(Vec::clear);
        (self.size_kib, self.installed_at) = (None, None);
    }
}

/// Takes a package, and returns whether it takes another one.
type Put<'a> = dyn FnMut(&Package) -> bool + 'a;

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

/// Appends a line to a text that is to be one line. Whole lines become sentences that follow each other.
fn append_line(text: &mut Vec<u8>, line: &[u8]) {
    let words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    for word in words {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
}

/// A whole number in decimal digits.
fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Bytes as KiB, rounded up, as dpkg counts.
fn kib(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_line() {
        let mut text = Vec::new();
        for line in [&b" First  line"[..], b"", b"\t second\r", b"  * item "] {
            append_line(&mut text, line);
        }
        assert_eq!(text, b"First line second * item");
    }

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!([0, 1, 1024, 1025, u64::MAX].map(kib), [0, 1, 1, 2, 1 << 54]);
        assert_eq!((number(b"12"), number(b""), number(b"-1"), number(b"12x")), (Some(12), None, None, None));
    }
}
