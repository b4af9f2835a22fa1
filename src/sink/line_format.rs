//! What a file must know of the lines in it, whatever they are about: the header that the file begins with, and what
//! closes a line that a killed run left open. It reads the file's two ends, and writes nothing.

use std::os::fd::AsFd;

use memchr::{memchr_iter, memrchr};
use rustix::io::{Errno, pread, retry_on_intr};

/// How the lines of a file are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFormat {
    /// The line that a file begins with, its newline included; empty for none.
    pub header: Vec<u8>,
    /// The character of which a whole line has an even number. A line with an odd number would take in the next one.
    pub quote: Option<u8>,
}

impl LineFormat {
    /// Whether a file that is not empty begins with the header.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn begins(&self, file: impl AsFd) -> Result<bool, Errno> {
        let mut start = vec![0; self.header.len()];
        let length = read_at(&file, &mut start, 0)?;
        Ok(start[..length] == self.header)
    }

    /// What closes the last line of a file of this size; nothing if it has its newline.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn closing(&self, file: impl AsFd, size: u64) -> Result<Vec<u8>, Errno> {
        let mut last = [b'\n'];
        read_at(&file, &mut last, size.saturating_sub(1))?;
        if last == [b'\n'] {
            return Ok(Vec::new());
        }
        let mut closing = Vec::new();
        if let Some(quote) = self.quote
            && quotes_in_last_line(&file, size, quote)? % 2 == 1
        {
            closing.push(quote);
        }
        closing.push(b'\n');
        Ok(closing)
    }
}

/// How often a quote is in what comes after the last newline. It reads backwards, as a line may be long and a file
/// longer.
fn quotes_in_last_line(file: impl AsFd, size: u64, quote: u8) -> Result<usize, Errno> {
    const CHUNK: u64 = 64 * 1024;
    let mut chunk = Vec::new();
    let (mut count, mut end) = (0, size);
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        chunk.resize(usize::try_from(end - start).unwrap_or(0), 0);
        read_at(&file, &mut chunk, start)?;
        let newline = memrchr(b'\n', &chunk);
        count += memchr_iter(quote, &chunk[newline.map_or(0, |place| place + 1)..]).count();
        end = if newline.is_some() { 0 } else { start };
    }
    Ok(count)
}

/// Fills the buffer from this offset on, as far as the file goes, and says how far that was.
fn read_at(file: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        match retry_on_intr(|| pread(&file, &mut buffer[filled..], offset + filled as u64))? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_last_line_is_closed_with_its_quote() {
        const CHUNK: usize = 64 * 1024;
        let [csv, json] = [Some(b'"'), None].map(|quote| LineFormat { header: Vec::new(), quote });
        let long = |prefix: &str, length: usize| format!("{prefix}{}", "x".repeat(length)).into_bytes();
        for (content, of_csv, of_json) in [
            (b"".to_vec(), "", ""),
            (b"a\n".to_vec(), "", ""),
            (b"a,\"b\n".to_vec(), "", ""),
            (b"a".to_vec(), "\n", "\n"),
            (b"\"".to_vec(), "\"\n", "\n"),
            (b"\"\n\"\"".to_vec(), "\n", "\n"),
            (b"\"\"\n\"a\"\"".to_vec(), "\"\n", "\n"),
            (long("\"", 10 * CHUNK), "\"\n", "\n"),
            (long("\"\n", 10 * CHUNK), "\n", "\n"),
            (long("\n\"", 10 * CHUNK), "\"\n", "\n"),
            // The quote, the newline, and both at the edges of a chunk.
            (long("\"", CHUNK - 1), "\"\n", "\n"),
            (long("\"", CHUNK), "\"\n", "\n"),
            (long("\"\n", CHUNK), "\n", "\n"),
            (long("\"\n", CHUNK - 1), "\n", "\n"),
            (long("\n\"", CHUNK - 1), "\"\n", "\n"),
            (long("\n\"\"", CHUNK - 1), "\n", "\n"),
        ] {
            let (file, size) = (file(&content), content.len() as u64);
            assert_eq!(csv.closing(&file, size).unwrap(), of_csv.as_bytes(), "{} bytes", size);
            assert_eq!(json.closing(&file, size).unwrap(), of_json.as_bytes(), "{} bytes", size);
        }
    }

    #[test]
    fn a_header_is_the_whole_first_line() {
        let format = LineFormat { header: b"a,b\n".to_vec(), quote: None };
        for (content, is_ours) in [
            (&b"a,b\n"[..], true),
            (b"a,b\n1,2\n", true),
            (b"a,b", false),
            (b"a,b,c\n", false),
            (b"a\n", false),
            (b"\na,b\n", false),
            (b"", false),
        ] {
            assert_eq!(format.begins(file(content)).unwrap(), is_ours, "{content:?}");
        }
        assert!(LineFormat::default().begins(file(b"anything")).unwrap());
    }
}
