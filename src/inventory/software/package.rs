//! One package: what a record can say of it, and how the databases' texts and numbers become that.

/// One package. What is unknown is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    /// Its name.
    pub name: Vec<u8>,
    /// Its version with the epoch.
    pub version: Vec<u8>,
    /// Its architecture.
    pub architecture: Vec<u8>,
    /// Who made it.
    pub publisher: Vec<u8>,
    /// What its files take.
    pub size_kib: Option<u64>,
    /// What it is, in a few words.
    pub summary: Vec<u8>,
    /// The text after the summary.
    pub description: Vec<u8>,
    /// What somebody selected.
    pub want: Vec<u8>,
    /// What is installed of it.
    pub status: Vec<u8>,
    /// What is wrong with it.
    pub error: Vec<u8>,
    /// When this version was installed, in seconds since 1970.
    pub installed_at: Option<i64>,
    /// The database that has it.
    pub source: &'static str,
    /// The group that it is in.
    pub section: Vec<u8>,
    /// Its project's address.
    pub homepage: Vec<u8>,
    /// The source that it was built from.
    pub source_package: Vec<u8>,
}

impl Package {
    /// Begins another package, in the same buffers.
    pub fn clear(&mut self) {
        let Package { name, version, architecture, publisher, summary, description, want, status, error, .. } = self;
        let texts = [name, version, architecture, publisher, summary, description, want, status, error];
        texts.into_iter().chain([&mut self.section, &mut self.homepage, &mut self.source_package]).for_each(Vec::clear);
        (self.size_kib, self.installed_at) = (None, None);
    }
}

/// Takes a package, and returns whether it takes another one.
pub type Put<'a> = dyn FnMut(&Package) -> bool + 'a;

/// Appends a line to a text that is to be one line. Whole lines become sentences that follow each other.
pub fn append_line(text: &mut Vec<u8>, line: &[u8]) {
    let words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    for word in words {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
}

/// A whole number in decimal digits.
pub fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Bytes as KiB, rounded up, as dpkg counts.
pub fn kib(bytes: u64) -> u64 {
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
