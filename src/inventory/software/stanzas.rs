//! The lines of a database of packages, one after the other, in one buffer: a database may be much larger than what a
//! record needs of it.

use std::io::{self, Read};

use memchr::memchr;

/// The first size of the buffer. It grows to the longest line.
const START: usize = 64 * 1024;
/// No line is longer in a database that works.
const MAX: usize = 16 << 20;

/// Reads lines.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What is read and not yet returned.
    start: usize,
    end: usize,
}

impl<R: Read> Lines<R> {
    /// The lines of this text.
    pub fn new(reader: R) -> Self {
        Lines { reader, buffer: vec![0; START], start: 0, end: 0 }
    }

    /// The next line, without its newline. None at the end of the text, which may lack the last newline.
    ///
    /// # Errors
    /// If the text cannot be read, or has a line that is far too long.
    pub fn line(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start..self.end];
            if let Some(found) = memchr(b'\n', &rest[searched..]) {
                let line = self.start..self.start + searched + found;
                self.start = line.end + 1;
                return Ok(Some(&self.buffer[line]));
            }
            searched = rest.len();
            if self.fill()? == 0 {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok((!line.is_empty()).then(|| &self.buffer[line]));
            }
        }
    }

    /// Reads more after what is left. Returns how many bytes.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
            }
            self.buffer.resize(2 * self.end, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(mut lines: Lines<Slow>) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(line) = lines.line().unwrap() {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn a_long_line_fits_and_an_endless_one_is_an_error() {
        let text = [&vec![b'a'; 3 * START][..], b"\nb"].concat();
        assert_eq!(all(Lines::new(Slow(&text, 1000))), [vec![b'a'; 3 * START], b"b".to_vec()]);
        assert!(Lines::new(io::repeat(b'a')).line().is_err());
    }

    proptest! {
        #[test]
        fn the_lines_of_any_text(text in "([a-c]{0,9}\n?){0,20}", count in 1..9_usize) {
            let expected: Vec<_> = text.split_terminator('\n').map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(all(Lines::new(Slow(text.as_bytes(), count))), expected);
        }
    }
}
