//! The messages of the Fluent Forward protocol, version 1: values to bytes, and bytes of a receiver to values. Pure: no bytes make
//! it panic.

use std::io::ErrorKind;

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize};

use crate::encode::msgpack::Binary;

/// A batch of entries, in PackedForward mode. With a `chunk`, the receiver acknowledges it.
pub fn batch(tag: &str, entries: &[u8], count: usize, chunk: Option<&str>) -> anyhow::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Options<'a> {
        size: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        chunk: Option<&'a str>,
    }
    let mut out = Vec::with_capacity(entries.len() + tag.len() + 100);
    let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    (tag, Binary(entries), Options { size: count, chunk }).serialize(&mut serializer)?;
    Ok(out)
}

/// The answer to a greeting: who asks, and a proof that it knows the key.
pub fn ping(hostname: &str, salt: &str, digest: &str) -> anyhow::Result<Vec<u8>> {
    Ok(rmp_serde::to_vec(&("PING", hostname, salt, digest, "", ""))?)
}

/// What a receiver sends.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// The batch with this chunk has been received.
    Acknowledgement {
        /// The chunk's id.
        ack: String,
    },
    /// A greeting, from a receiver that wants a shared key.
    Greeting(String, Greeting),
    /// The result of the handshake: whether the key is right, the reason if not, the receiver's name and its proof.
    Result(String, bool, String, String, String),
}

/// What a greeting says.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Greeting {
    /// Random bytes for the proof.
    pub nonce: Text,
}

/// Bytes, which some receivers send as text.
#[derive(Debug, PartialEq)]
pub struct Text(pub Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes or text")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(bytes.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// More than any reply nests. Without a limit, a reply could use up the stack.
const DEPTH_MAX: usize = 8;

/// The reply at the beginning of `bytes`. None if more bytes must come.
///
/// # Errors
/// If no reply begins so.
pub fn reply(bytes: &[u8]) -> Result<Option<Reply>, Error> {
    let mut deserializer = Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    match Reply::deserialize(&mut deserializer) {
        Ok(reply) => Ok(Some(reply)),
        Err(Error::InvalidMarkerRead(error) | Error::InvalidDataRead(error))
            if error.kind() == ErrorKind::UnexpectedEof =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        let whole = b"\x81\xa3ack\xa2id";
        assert_eq!(reply(whole).unwrap(), Some(Reply::Acknowledgement { ack: "id".into() }));
        for end in 0..whole.len() {
            assert_eq!(reply(&whole[..end]).unwrap(), None, "{end}");
        }
        let greeting = b"\x92\xa4HELO\x83\xa5nonce\xc4\x02\xff\x00\xa4auth\xc4\x00\xa9keepalive\xc3";
        let expected = Greeting { nonce: Text(vec![0xff, 0]) };
        assert_eq!(reply(greeting).unwrap(), Some(Reply::Greeting("HELO".into(), expected)));
        let result = b"\x95\xa4PONG\xc3\xa0\xa1h\xa1d";
        assert_eq!(reply(result).unwrap(), Some(Reply::Result("PONG".into(), true, "".into(), "h".into(), "d".into())));
        for garbage in [&b"HTTP/1.1 400"[..], b"\xc1", b"\x81\xa3nak\xa2id", b"\x07"] {
            assert!(reply(garbage).is_err(), "{garbage:?}");
        }
        // More than the stack holds.
        for nested in [&b"\x91"[..], b"\x81\xa1a", b"\xdd\xff\xff\xff\xff"] {
            assert!(reply(&nested.repeat(3000)).is_err(), "{nested:?}");
        }
        // A length that no memory has.
        assert_eq!(reply(b"\xdd\xff\xff\xff\xff").unwrap_or(None), None);
    }
}
