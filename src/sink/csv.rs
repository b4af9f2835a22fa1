//! CSV, RFC 4180: by the csv crate, which quotes what must be quoted.

use csv::WriterBuilder;

/// Appends one row and its newline.
pub fn row<C: AsRef<[u8]>>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = C>) {
    let start = out.len();
    let mut writer = WriterBuilder::new().from_writer(&mut *out);
    let written = writer.write_record(cells).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    if written.is_err() {
        // Writing to memory does not fail; were it to, half a row must not stay.
        out.truncate(start);
    }
}

/// How many bytes a character takes within a cell.
pub fn cost(c: char) -> usize {
    if c == '"' { 2 } else { c.len_utf8() }
}
