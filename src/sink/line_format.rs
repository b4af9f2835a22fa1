//! The format of the lines in a file, whatever their content: the header at its beginning, and how to close a line that
//! a killed run left open. This reads both ends of a file, and writes nothing.

use std::os::fd::AsFd;

use memchr::{memchr_iter, memrchr};
use rustix::io::{Errno, pread, retry_on_intr};

/// The format of the lines in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFormat {
    /// The first line of a file, with its newline. Empty if there is no header.
    pub header: Vec<u8>,
    /// The quote character. A complete line has an even number of quotes. After an odd number, a reader would take the
    /// next line for a part of this one.
    pub quote: Option<u8>,
}

impl LineFormat {
    /// Whether a file begins with the header. The file must not be empty.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn has_header(&self, file: impl AsFd) -> Result<bool, Errno> {
        let mut start = vec![0; self.header.len()];
        let length = read_at(&file, &mut start, 0)?;
        Ok(start[..length] == self.header)
    }

    /// The bytes that close the last line of a file of this size. Empty if the line has its newline.
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

/// The number of quotes after the last newline. It reads the file backwards, because the file may be much longer than
/// its last line.
fn quotes_in_last_line(file: impl AsFd, size: u64, quote: u8) -> Result<usize, Errno> {
    const CHUNK: u64 = 64 * 1024;
    let mut chunk = Vec::new();
    let (mut count, mut end) = (0, size);
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        chunk.resize(usize::try_from(end - start).unwrap_or(0), 0);
        read_at(&file, &mut chunk, start)?;
        let newline = memrchr(b'\n', &chunk);
        count += memchr_iter(quote, &chunk[newline.map_or(0, |position| position + 1)..]).count();
        end = if newline.is_some() { 0 } else { start };
    }
    Ok(count)
}

/// Fills the buffer from this offset until the end of the file. Returns the number of bytes read.
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
            // The quote, the newline, or both are at the edge of a chunk.
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
            assert_eq!(format.has_header(file(content)).unwrap(), is_ours, "{content:?}");
        }
        assert!(LineFormat::default().has_header(file(b"anything")).unwrap());
    }
}
