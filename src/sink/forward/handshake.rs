//! The handshake with a receiver that wants a shared key. Both sides prove that they know it, and nobody sends it.

use std::fmt::{self, Write};
use std::time::Instant;

use anyhow::{Context, bail};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha512};

use super::connection::Connection;
use super::message::{self, Reply};
use super::refused::Refused;

/// A key that the receiver knows, too. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey(pub Vec<u8>);

impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("********")
    }
}

/// Proves to the receiver that the sender knows the key, and lets the receiver prove the same.
///
/// # Errors
/// If one of them does not know it, or if the receiver wants something else.
pub fn shake_hands(
    connection: &mut Connection,
    key: &SharedKey,
    hostname: &str,
    deadline: Instant,
) -> anyhow::Result<()> {
    let Reply::Greeting(_, greeting) = connection.reply(deadline).context("it does not ask for a shared key")? else {
        bail!("it does not ask for a shared key");
    };
    // Fluent Bit takes text only.
    let salt = digits(&random()?);
    let proof = |name: &str| hex(&[salt.as_bytes(), name.as_bytes(), &greeting.nonce.0, &key.0]);
    connection.send(&message::ping(hostname, &salt, &proof(hostname))?, deadline)?;
    match connection.reply(deadline)? {
        // It may only repeat what it was sent.
        Reply::Result(_, true, _, name, _) if name == hostname => {
            bail!(Refused(format!("it calls itself {name}, like this sender, so it proves no shared key")))
        }
        Reply::Result(_, true, _, name, digest) if digest == proof(&name) => Ok(()),
        Reply::Result(_, true, ..) => {
            bail!(Refused("it does not know the shared key: it may be another receiver".into()))
        }
        Reply::Result(_, false, reason, ..) => bail!(Refused(format!("it refuses the shared key: {reason}"))),
        Reply::Acknowledgement { .. } | Reply::Greeting(..) => bail!("it does not answer the handshake"),
    }
}

/// 16 bytes that nobody can guess.
///
/// # Errors
/// If the kernel has none.
pub fn random() -> anyhow::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty()).context("the kernel gives no random bytes")?;
    Ok(bytes)
}

/// The digest of these bytes in digits.
fn hex(parts: &[&[u8]]) -> String {
    let mut digest = Sha512::new();
    parts.iter().for_each(|part| digest.update(part));
    digits(&digest.finalize())
}

/// Bytes in hexadecimal digits.
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
