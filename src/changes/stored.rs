//! The last snapshot: reads FILE, and finds the earlier record of a key. Memory has only a hash and a position for each record.
//! The records stay in FILE.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
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

/// The records of the last snapshot.
pub struct Stored {
    file: File,
    /// The hash of each key and the position of its line, in the order of both.
    index: Vec<(u64, u64)>,
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
                Ok(values) if line.ends_with(b"\n") => index.push((hash(&key_of(&values, &header.key)), position)),
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
        let hash = hash(key);
        let start = self.index.partition_point(|(other, _)| *other < hash);
        let mut others = Vec::new();
        for place in start..self.index.len() {
            if self.index[place].0 != hash {
                break;
            }
            let found = self.line(self.index[place].1)?;
            if !self.is_taken[place] && found == line {
                self.is_taken[place] = true;
                return Ok(Earlier::Same);
            }
            let values = self.values(&found)?;
            if key_of(&values, &self.key) == key {
                others.push((place, values));
            }
        }
        let last = others.pop();
        match last {
            Some((place, values)) if others.is_empty() && !self.is_taken[place] => {
                self.is_taken[place] = true;
                Ok(Earlier::Other(values))
            }
            _ => Ok(Earlier::None),
        }
    }

    /// The places of the records that were not taken, in the order of FILE.
    pub fn left(&self) -> Vec<usize> {
        let mut left: Vec<_> = (0..self.index.len()).filter(|place| !self.is_taken[*place]).collect();
        left.sort_unstable_by_key(|place| self.index[*place].1);
        left
    }

    /// The record at a place of the index: its line and its values.
    ///
    /// # Errors
    /// If FILE cannot be read.
    pub fn at(&mut self, place: usize) -> anyhow::Result<(Vec<u8>, Map<String, Json>)> {
        let line = self.line(self.index[place].1)?;
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
