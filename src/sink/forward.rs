//! Sends batches of entries over the Fluent Forward protocol, version 1, to Fluentd, Fluent Bit and others. A batch counts as
//! written when the receiver has acknowledged it. Until then it is sent again, so a receiver may get it twice.
//!
//! `address` is where the receiver listens, `connection` gets bytes there and back over a `socket`, `tls` encrypts them,
//! `handshake` proves who knows the shared key, and `message` knows the bytes of the protocol.

mod address;
mod connection;
mod handshake;
mod message;
mod socket;
#[cfg_attr(not(feature = "tls"), path = "forward/without_tls.rs")]
mod tls;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

pub use address::Address;
use connection::Connection;
use handshake::Refused;
pub use handshake::SharedKey;
use message::Reply;
pub use tls::Tls;

/// The largest batch in bytes, unless one entry is longer.
pub const BATCH: usize = 256 * 1024;
/// How long to wait before the second attempt. Each further wait is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one attempt may take, so that a receiver that hangs does not use up the time for others.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);

/// A receiver, and the connection to it.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: Address,
    /// The tag of the records.
    pub tag: String,
    /// How to encrypt, if its address wants that.
    pub tls: Option<Tls>,
    /// The key that it shares with this program, if it wants one.
    pub key: Option<SharedKey>,
    /// What the sender calls itself.
    pub hostname: String,
    /// Whether it acknowledges batches.
    pub acknowledges: bool,
    /// How long attempts may go on.
    pub patience: Patience,
    /// What is open from the last batch.
    pub connection: Open,
}

/// How long attempts may go on.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Until this time, for all batches together.
    Until(Instant),
    /// So long for each batch.
    Each(Duration),
}

/// A connection that may be open.
#[derive(Clone, Default)]
pub struct Open(Arc<Mutex<Option<Connection>>>);

impl fmt::Debug for Open {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Open")
    }
}

impl Receiver {
    /// Sends a batch of so many entries, and waits until the receiver has acknowledged it.
    ///
    /// # Errors
    /// If the receiver has not done so in time, or refuses the sender.
    pub fn send(&self, entries: &[u8], count: usize) -> anyhow::Result<()> {
        let deadline = match self.patience {
            Patience::Until(deadline) => deadline,
            Patience::Each(time) => Instant::now() + time,
        };
        let chunk = handshake::digits(&handshake::random()?);
        let batch = message::batch(&self.tag, entries, count, &chunk)?;
        let mut open = self.connection.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pause = PAUSE;
        loop {
            let attempt = deadline.min(Instant::now() + ATTEMPT_MAX);
            let Err(error) = self.attempt(&mut open, &batch, &chunk, attempt) else { return Ok(()) };
            *open = None;
            if error.is::<Refused>() || Instant::now() + pause >= deadline {
                let plural = if count == 1 { "" } else { "s" };
                return Err(error.context(anyhow!("cannot forward {count} record{plural} to {}", self.address)));
            }
            thread::sleep(pause);
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    fn attempt(
        &self,
        open: &mut Option<Connection>,
        batch: &[u8],
        chunk: &str,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let connection = match open {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open(&self.address, self.tls.as_ref(), deadline)?;
                if let Some(key) = &self.key {
                    handshake::shake_hands(&mut connection, key, &self.hostname, deadline)?;
                }
                open.insert(connection)
            }
        };
        connection.send(batch, deadline)?;
        if !self.acknowledges {
            return Ok(());
        }
        match connection.reply(deadline)? {
            Reply::Acknowledgement { ack } if ack == chunk => Ok(()),
            Reply::Greeting(..) => bail!(Refused("it wants a shared key: add --shared-key-file".into())),
            Reply::Acknowledgement { .. } | Reply::Result(..) => bail!("it acknowledges what was not sent"),
        }
    }
}
