//! MessagePack: the entries of the Fluent Forward protocol. An entry is an array of a time and the record's map. The values are
//! those of the record as JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::record::layout::Key;
use crate::record::{Record, Value};

/// The names of a record's own time, in the order of preference: the schemas call it differently.
const TIMES: [&str; 2] = ["timestamp", "@timestamp"];

/// Appends the record's entry. Its time is the record's own, or else `now`.
pub fn entry(out: &mut Vec<u8>, record: &Record<'_>, now: DateTime<Utc>) {
    let rows: Vec<_> = record.rows().collect();
    let own = rows.iter().find(|(key, _)| TIMES.contains(&key.column.as_str())).and_then(|(_, value)| value.text());
    let time = own.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map_or(now, |time| time.to_utc());
    let start = out.len();
    // Writing to memory does not fail. If it did fail, half an entry must not stay.
    if rmp_serde::encode::write(out, &(EventTime(time), Object { rows: &rows, depth: 0 })).is_err() {
        out.truncate(start);
    }
}

/// The protocol's time: seconds and nanoseconds, as the extension type 0.
struct EventTime(DateTime<Utc>);

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const TYPE: i8 = 0;
        // The protocol has 32 bits, which end in 2106.
        let seconds = u32::try_from(self.0.timestamp()).unwrap_or_default();
        // A leap second has more than a second of nanoseconds.
        let nanoseconds = self.0.timestamp_subsec_nanos().min(999_999_999);
        let bytes = [seconds.to_be_bytes(), nanoseconds.to_be_bytes()].concat();
        serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &(TYPE, Binary(&bytes)))
    }
}

/// Bytes that are no text.
pub struct Binary<'a>(pub &'a [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The rows of one object. Those of an object in it come together.
struct Object<'a> {
    rows: &'a [(&'a Key, Value<'a>)],
    /// How many objects are around it.
    depth: usize,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Object { rows, depth } = *self;
        let groups =
            || rows.chunk_by(|(one, _), (other, _)| depth < one.objects.len() && one.common(&other.objects) > depth);
        let mut map = serializer.serialize_map(Some(groups().count()))?;
        for group in groups() {
            let [(key, value), ..] = group else { continue };
            match key.objects.get(depth) {
                Some(name) => map.serialize_entry(name.text(), &Object { rows: group, depth: depth + 1 })?,
                None => map.serialize_entry(key.name.text(), value)?,
            }
        }
        map.end()
    }
}
