//! JSON, one object per line. A line holds no control character but its newline, so that neither a log pipeline nor a
//! terminal meets one: serde_json escapes what RFC 8259 demands, this adds DEL and the C1 controls.

use std::io::{self, Write};

use memchr::memchr2;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::text::lossy;

/// Appends `record` and a newline to `out`. Bytes are text, see [`lossy`].
pub fn line<T: Serialize>(out: &mut Vec<u8>, record: &T) {
    let start = out.len();
    let mut written = record.serialize(&mut Serializer::with_formatter(&mut *out, Line { controls: false }));
    // Rare, so looked for once in a line: DEL, or the first byte of a C1 control (U+0080 to U+009F) in UTF-8.
    if memchr2(0x7f, 0xc2, &out[start..]).is_some() {
        out.truncate(start);
        written = record.serialize(&mut Serializer::with_formatter(&mut *out, Line { controls: true }));
    }
    match written {
        Ok(()) => out.push(b'\n'),
        // Writing to memory does not fail and keys are strings; were it to, half a line must not stay.
        Err(_) => out.truncate(start),
    }
}

/// How a line is written.
#[derive(Clone, Copy)]
struct Line {
    /// Whether to escape the control characters that serde_json leaves as they are.
    controls: bool,
}

impl Formatter for Line {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if !self.controls {
            return writer.write_all(fragment.as_bytes());
        }
        for piece in fragment.split_inclusive(char::is_control) {
            let plain = piece.trim_end_matches(char::is_control);
            writer.write_all(plain.as_bytes())?;
            for control in piece[plain.len()..].chars() {
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
        }
        Ok(())
    }

    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        let text = lossy(value);
        // serde_json looks at a string byte by byte, which of a long command line costs more than all else.
        if !self.controls && is_plain(text.as_bytes()) {
            writer.write_all(b"\"")?;
            writer.write_all(text.as_bytes())?;
            return writer.write_all(b"\"");
        }
        text.serialize(&mut Serializer::with_formatter(writer, *self)).map_err(io::Error::from)
    }
}

/// Whether nothing in a string is to be escaped.
fn is_plain(text: &[u8]) -> bool {
    // Without an early end within a chunk, so that the compiler takes many bytes at a time.
    text.chunks(64).all(|chunk| {
        let odd = |odd, byte: &u8| odd | u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        chunk.iter().fold(0, odd) == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes<'a>(&'a [u8]);

    impl Serialize for Bytes<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    #[test]
    fn every_character_reads_back_and_takes_no_fewer_bytes_than_it_has() {
        let all = ('\0'..='\u{2fff}').chain('\u{fff0}'..='\u{10010}');
        for c in all {
            let mut out = Vec::new();
            line(&mut out, &c);
            assert!(out.len() >= c.len_utf8() + "\"\"\n".len(), "{c:?}");
            assert_eq!(serde_json::from_slice::<char>(&out).unwrap(), c);
            assert!(out[..out.len() - 1].iter().all(|b| *b >= 0x20 && *b != 0x7f), "{c:?}");
            // The same as bytes, at both ends of a longer text.
            let long = format!("{c}{}{c}", "x".repeat(100));
            let [mut as_text, mut as_bytes] = [Vec::new(), Vec::new()];
            line(&mut as_text, &long);
            line(&mut as_bytes, &Bytes(long.as_bytes()));
            assert_eq!(as_text, as_bytes, "{c:?}");
        }
    }

    #[test]
    fn controls_between_other_text() {
        let mut out = Vec::new();
        line(&mut out, &"é\u{9b}31m\x7f\x7fâ\x1b");
        assert_eq!(out, "\"é\\u009b31m\\u007f\\u007fâ\\u001b\"\n".as_bytes());
    }

    #[test]
    fn bytes_that_are_not_utf8_become_replacement_characters() {
        let mut out = Vec::new();
        line(&mut out, &Bytes(b"a\xff\xfeb\n"));
        assert_eq!(out, "\"a\u{fffd}\u{fffd}b\\n\"\n".as_bytes());
    }
}
