//! The last snapshot: reads FILE, and finds the earlier record of a key. Memory has only two hashes and a position for each
//! record. The records stay in FILE.

use std::cmp::Ordering;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, bail};
use memchr::memchr;
use serde_json::{Map, Value as Json, json};

use crate::encode::json;
use crate::record::Value;

/// The first line of FILE.
pub struct Header {
    /// The kind of its records.
    pub kind: &'static str,
    /// The fields that tell which record is which.
    pub key: Vec<&'static str>,
    /// The fields that are compared.
    pub compared: Vec<&'static str>,
    /// The options that select records.
    pub selection: Map<String, Json>,
}

/// The version of the format.
const VERSION: u64 = 1;

impl Header {
    /// How each FILE begins, of any kind and version.
    pub const BEGIN: &[u8] = b"{\"procline\":\"changes\",";

    /// The line, for this number of records. It has the same length for every number.
    pub fn line(&self, records: u64) -> Vec<u8> {
        let Header { kind, key, compared, selection } = self;
        let (key, compared) = (json::text(key), json::text(compared));
        let mut line = Self::BEGIN.to_vec();
        line.extend_from_slice(format!("\"version\":{VERSION},\"kind\":\"{kind}\",\"key\":").as_bytes());
        for part in [&key[..], b",\"compared\":", &compared, b",\"selection\":", &json::text(selection)] {
            line.extend_from_slice(part);
        }
        line.extend_from_slice(format!(",\"records\":{records:>20}}}\n").as_bytes());
        line
    }

    /// Checks the first line of a FILE. Returns how many records it has.
    fn check(&self, line: &[u8], path: &Path) -> anyhow::Result<u64> {
        let shown = path.display();
        const REMEDY: &str = "name another file, or remove it: the next run then reports everything as added, or with --baseline nothing";
        let found: Map<String, Json> = serde_json::from_slice(line).unwrap_or_default();
        let records = found.get("records").and_then(Json::as_u64);
        let (Some("changes"), Some(records)) = (found.get("procline").and_then(Json::as_str), records) else {
            bail!("{shown} is not a file that --changes wrote: {REMEDY}");
        };
        if found.get("version") != Some(&json!(VERSION)) {
            bail!("{shown} is from another version of procline: {REMEDY}");
        }
        let kind = found.get("kind").and_then(Json::as_str).unwrap_or_default();
        if kind != self.kind {
            bail!("{shown} has {kind} records, and these are {} records: {REMEDY}", self.kind);
        }
        if found.get("key") != Some(&json!(self.key)) || found.get("compared") != Some(&json!(self.compared)) {
            bail!("{shown} was written with other --fields: use the same again, {REMEDY}");
        }
        let before = found.get("selection").and_then(Json::as_object);
        if before != Some(&self.selection) {
            let differs = |name: &&String| before.is_none_or(|before| before.get(*name) != self.selection.get(*name));
            let names: Vec<_> = self.selection.keys().filter(differs).map(String::as_str).collect();
            bail!("{shown} was written with other values of {}: use the same again, {REMEDY}", names.join(", "));
        }
        Ok(records)
    }
}

/// How much of FILE is read at once.
const WINDOW: usize = 64 * 1024;

/// What the last snapshot has for a record.
pub enum Earlier {
    /// Nothing.
    None,
    /// The same.
    Same,
    /// Other values.
    Other(Map<String, Json>),
}

/// What memory has of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The hash of its key.
    key: u64,
    /// The hash of its line.
    line: u64,
    /// The position of its line.
    position: u64,
}

/// The records of the last snapshot.
pub struct Stored {
    file: File,
    /// In order.
    index: Vec<Entry>,
    /// Which of them have a record now.
    is_taken: Vec<bool>,
    /// A part of the file, and its position.
    window: (u64, Vec<u8>),
    key: Vec<&'static str>,
    path: String,
}

impl Stored {
    /// Reads all of FILE.
    ///
    /// # Errors
    /// If that fails, or if it is not what a run with the same options wrote.
    pub fn open(file: File, path: &Path, header: &Header) -> anyhow::Result<Self> {
        let shown = path.display().to_string();
        let mut reader = BufReader::with_capacity(WINDOW, &file);
        let mut line = Vec::new();
        let mut read = |line: &mut Vec<u8>| -> anyhow::Result<bool> {
            line.clear();
            let length = reader.read_until(b'\n', line).with_context(|| format!("cannot read {shown}"))?;
            Ok(length > 0)
        };
        read(&mut line)?;
        let records = header.check(&line, path)?;
        let (mut position, mut index) = (line.len() as u64, Vec::new());
        while read(&mut line)? {
            let number = index.len() + 2;
            match serde_json::from_slice::<Map<String, Json>>(&line) {
                Ok(values) if line.ends_with(b"\n") => {
                    index.push(Entry { key: hash(&key_of(&values, &header.key)), line: hash(&line), position });
                }
                _ => bail!("{}", corrupt(&shown, &format!("its line {number} is not what procline wrote"))),
            }
            position += line.len() as u64;
        }
        if index.len() as u64 != records {
            bail!("{}", corrupt(&shown, &format!("it has {} of its {records} records", index.len())));
        }
        index.sort_unstable();
        let is_taken = vec![false; index.len()];
        Ok(Stored { file, index, is_taken, window: (0, Vec::new()), key: header.key.clone(), path: shown })
    }

    /// Takes the earlier record with this key. Of several it takes only one with the same `line`: nobody knows which of them became
    /// another, so a kernel that replaces one of two is new, and the one that it replaces is gone.
    ///
    /// # Errors
    /// If FILE cannot be read.
    pub fn take(&mut self, key: &[u8], line: &[u8]) -> anyhow::Result<Earlier> {
        // Many files may have one key: their names differ only in bytes that no record can show. So the others are not read.
        let (key_hash, line_hash) = (hash(key), hash(line));
        let same = self.places(|entry| (entry.key, entry.line).cmp(&(key_hash, line_hash)));
        // Those with the same line are taken one after the other.
        let place = same.start + self.is_taken[same.clone()].partition_point(|is_taken| *is_taken);
        if place < same.end && self.line(self.index[place].position)? == line {
            self.is_taken[place] = true;
            return Ok(Earlier::Same);
        }
        let of_key = self.places(|entry| entry.key.cmp(&key_hash));
        let place = of_key.start;
        if of_key.len() != 1 || self.is_taken[place] {
            return Ok(Earlier::None);
        }
        let (_, values) = self.at(place)?;
        if key_of(&values, &self.key) != key {
            return Ok(Earlier::None);
        }
        self.is_taken[place] = true;
        Ok(Earlier::Other(values))
    }

    /// The places of the entries that are equal to what they are compared with.
    fn places(&self, compare: impl Fn(&Entry) -> Ordering) -> Range<usize> {
        let start = self.index.partition_point(|entry| compare(entry).is_lt());
        start..start + self.index[start..].partition_point(|entry| compare(entry).is_eq())
    }

    /// The places of the records that were not taken, in the order of FILE.
    pub fn left(&self) -> Vec<usize> {
        let mut left: Vec<_> = (0..self.index.len()).filter(|place| !self.is_taken[*place]).collect();
        left.sort_unstable_by_key(|place| self.index[*place].position);
        left
    }

    /// The record at a place of the index: its line and its values.
    ///
    /// # Errors
    /// If FILE cannot be read.
    pub fn at(&mut self, place: usize) -> anyhow::Result<(Vec<u8>, Map<String, Json>)> {
        let line = self.line(self.index[place].position)?;
        let values = self.values(&line)?;
        Ok((line, values))
    }

    /// The line at a position. Most are in the part of the file that was read for the one before.
    fn line(&mut self, position: u64) -> anyhow::Result<Vec<u8>> {
        let mut size = WINDOW;
        loop {
            if let Some(line) = self.in_window(position) {
                return Ok(line);
            }
            let mut part = vec![0; size];
            let length =
                read_at(&self.file, &mut part, position).with_context(|| format!("cannot read {}", self.path))?;
            part.truncate(length);
            self.window = (position, part);
            if length < size {
                return self.in_window(position).with_context(|| corrupt(&self.path, "it changes meanwhile"));
            }
            size *= 2;
        }
    }

    fn in_window(&self, position: u64) -> Option<Vec<u8>> {
        let (start, part) = &self.window;
        let rest = part.get(usize::try_from(position.checked_sub(*start)?).ok()?..)?;
        Some(rest[..=memchr(b'\n', rest)?].to_vec())
    }

    fn values(&self, line: &[u8]) -> anyhow::Result<Map<String, Json>> {
        serde_json::from_slice(line).with_context(|| corrupt(&self.path, "it changes meanwhile"))
    }
}

fn read_at(file: &File, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], position + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

fn corrupt(path: &str, why: &str) -> String {
    format!(
        "{path} is corrupt: {why}; remove it: the next run then reports everything as added, or with --baseline nothing"
    )
}

/// A key as text, from its values.
pub fn key<'a>(values: impl Iterator<Item = Value<'a>>) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        key.extend(json::text(&value));
        key.push(b',');
    }
    key
}

/// The same from a record of FILE.
fn key_of(values: &Map<String, Json>, names: &[&str]) -> Vec<u8> {
    let mut key = Vec::new();
    for name in names {
        key.extend(json::text(values.get(*name).unwrap_or(&Json::Null)));
        key.push(b',');
    }
    key
}

/// A record for FILE, from its values.
pub fn line(header: &Header, values: &Map<String, Json>) -> Vec<u8> {
    let names = header.key.iter().chain(&header.compared);
    let known: Vec<_> = names.filter_map(|name| Some((*name, values.get(*name)?))).collect();
    let mut line = b"{".to_vec();
    for (place, (name, value)) in known.into_iter().enumerate() {
        if place > 0 {
            line.push(b',');
        }
        line.extend_from_slice(format!("\"{name}\":").as_bytes());
        line.extend(json::text(value));
    }
    line.extend_from_slice(b"}\n");
    line
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The line of a record with this name and size, and its key.
    fn record(name: &str, size: u32) -> (Vec<u8>, Vec<u8>) {
        (key([Value::Str(name.into())].into_iter()), format!("{{\"name\":\"{name}\",\"size\":{size}}}\n").into_bytes())
    }

    fn stored(records: &[(&str, u32)]) -> (Stored, File) {
        let header = Header { kind: "files", key: vec!["name"], compared: vec!["size"], selection: Map::new() };
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&header.line(records.len() as u64)).unwrap();
        for (name, size) in records {
            file.write_all(&record(name, *size).1).unwrap();
        }
        let read = file.try_clone().unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        (Stored::open(read, Path::new("state"), &header).unwrap(), file)
    }

    /// What it takes for each of these: `=` the same, a size the one that it was, and `+` nothing.
    fn taken(stored: &mut Stored, records: &[(&str, u32)]) -> String {
        let take = |(name, size): &(&str, u32)| {
            let (key, line) = record(name, *size);
            match stored.take(&key, &line).unwrap() {
                Earlier::Same => "=".to_owned(),
                Earlier::Other(values) => values["size"].to_string(),
                Earlier::None => "+".to_owned(),
            }
        };
        records.iter().map(take).collect()
    }

    #[test]
    fn each_record_is_taken_once() {
        let (mut stored, _) = stored(&[("a", 1), ("b", 2), ("b", 3), ("b", 3), ("c", 4), ("d", 5)]);
        assert_eq!(taken(&mut stored, &[("b", 3), ("b", 6), ("a", 1), ("a", 1), ("b", 3), ("b", 3)]), "=+=+=+");
        assert_eq!(taken(&mut stored, &[("c", 7), ("c", 4), ("e", 5), ("b", 2)]), "4++=");
        let left: Vec<_> = stored.left().into_iter().map(|place| stored.at(place).unwrap().1["name"].clone()).collect();
        assert_eq!(left, ["d"]);
    }

    /// Otherwise a few thousand names that are the same to a reader would take more time than a run has.
    #[test]
    fn records_of_one_key_are_not_all_read() {
        let records: Vec<_> = (0..50).map(|size| ("a", size)).collect();
        let (mut stored, file) = stored(&records);
        assert_eq!(taken(&mut stored, &records[..20]), "=".repeat(20));
        // From now on, to read a line fails.
        (stored.window, ()) = ((0, Vec::new()), file.set_len(0).unwrap());
        let others: Vec<_> = (0..20).chain(100..120).map(|size| ("a", size)).collect();
        assert_eq!(taken(&mut stored, &others), "+".repeat(40));
        assert!(stored.take(&record("a", 30).0, &record("a", 30).1).is_err());
    }
}
