//! Sends batches of entries over the Fluent Forward protocol, version 1, to Fluentd, Fluent Bit and others. A batch counts as
//! written when the receiver has acknowledged it. Until then it is sent again, so a receiver may get it twice.
//!
//! `address` is where the receiver listens, `connection` gets bytes there and back over a `socket`, `tls` encrypts them,
//! `handshake` proves who knows the shared key, `message` knows the bytes of the protocol, and `backlog` is what waits.

mod address;
mod backlog;
mod connection;
mod handshake;
mod message;
mod refused;
mod socket;
#[cfg_attr(not(feature = "tls"), path = "forward/without_tls.rs")]
mod tls;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use crate::text::records;
pub use address::Address;
use backlog::{Backlog, Batch};
use connection::Connection;
pub use handshake::SharedKey;
use message::Reply;
use refused::Refused;
pub use tls::Tls;

/// The largest batch in bytes, unless one entry is longer.
pub const BATCH: usize = 256 * 1024;
/// How long to wait before the second attempt. Each further wait is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one attempt may take, so that a receiver that hangs does not use up the time for others.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);

/// A receiver, and what is known of it.
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
    /// What the sender calls itself. It must be another name than the receiver's.
    pub hostname: String,
    /// Whether it acknowledges batches.
    pub acknowledges: bool,
    /// How long attempts may go on.
    pub patience: Patience,
    /// What all snapshots share.
    pub shared: Shared,
}

/// How long attempts may go on.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Until this time, for all batches together.
    Until(Instant),
    /// So long for each batch.
    Each(Duration),
    /// So long for each batch. One that is not acknowledged by then, and all later ones, wait for the next snapshot.
    Kept(Duration),
}

/// What all snapshots of a run share: the connection, and the batches that wait.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<(Option<Connection>, Backlog)>>);

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shared")
    }
}

impl Shared {
    /// Nobody waits long for this: it is not held while bytes are sent.
    fn lock(&self) -> MutexGuard<'_, (Option<Connection>, Backlog)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the batches of one snapshot.
pub struct Sender {
    receiver: Box<Receiver>,
    /// Why batches wait for the next snapshot.
    failure: Option<anyhow::Error>,
}

impl Sender {
    /// Sends to this receiver.
    pub fn new(receiver: Box<Receiver>) -> Self {
        Sender { receiver, failure: None }
    }

    /// Sends a batch of so many entries, and waits until the receiver has acknowledged it. With [`Patience::Kept`] it may
    /// wait for the next snapshot instead.
    ///
    /// # Errors
    /// If the receiver has not done so in time, or refuses the sender.
    pub fn send(&mut self, entries: &[u8], count: usize) -> anyhow::Result<()> {
        let receiver = &self.receiver;
        let chunk = handshake::digits(&handshake::random()?);
        // An acknowledgement that nobody reads would fill the socket.
        let asked = receiver.acknowledges.then_some(&*chunk);
        let message = message::batch(&receiver.tag, entries, count, asked)?;
        let batch = Batch { message, chunk, count };
        match receiver.patience {
            Patience::Until(deadline) => receiver.deliver(&batch, deadline, count),
            Patience::Each(time) => receiver.deliver(&batch, Instant::now() + time, count),
            Patience::Kept(_) => {
                receiver.shared.lock().1.push(batch);
                self.deliver_waiting();
                Ok(())
            }
        }
    }

    /// Sends what waits, unless that failed before in this snapshot.
    fn deliver_waiting(&mut self) {
        let Patience::Kept(time) = self.receiver.patience else { return };
        let shared = &self.receiver.shared;
        while self.failure.is_none() {
            let (first, waiting) = {
                let (_, backlog) = &*shared.lock();
                (backlog.first(), backlog.waiting())
            };
            let Some(batch) = first else { return };
            self.failure = self.receiver.deliver(&batch, Instant::now() + time, waiting).err();
            if self.failure.is_none() {
                shared.lock().1.pop();
            }
        }
    }

    /// Sends what waits from earlier snapshots. Returns why it waits still, or how many records were dropped meanwhile.
    pub fn finish(&mut self) -> Option<Unsent> {
        self.deliver_waiting();
        if let Some(error) = self.failure.take() {
            return Some(Unsent::Waiting(error));
        }
        let dropped = self.receiver.shared.lock().1.take_dropped();
        (dropped > 0).then(|| {
            let all = backlog::MAX / (1024 * 1024);
            let dropped = records(dropped);
            let address = &self.receiver.address;
            Unsent::Dropped(anyhow!("{dropped} dropped before {address} was back: at most {all} MiB wait"))
        })
    }
}

/// What a snapshot could not send.
pub enum Unsent {
    /// It waits in memory for the next snapshot, because of this failure.
    Waiting(anyhow::Error),
    /// It is lost.
    Dropped(anyhow::Error),
}

impl Receiver {
    /// What the end of the run loses: what still waits, and what was dropped.
    pub fn lost(&self) -> Option<anyhow::Error> {
        let (_, backlog) = &mut *self.shared.lock();
        let lost = backlog.waiting() + backlog.take_dropped();
        (lost > 0).then(|| anyhow!("{} lost at the end: {} did not acknowledge", records(lost), self.address))
    }

    /// Sends a batch, again and again until the receiver has acknowledged it. `waiting` is the number of records that wait for
    /// that.
    fn deliver(&self, batch: &Batch, deadline: Instant, waiting: usize) -> anyhow::Result<()> {
        let mut open = self.shared.lock().0.take();
        let mut pause = PAUSE;
        loop {
            let attempt = deadline.min(Instant::now() + ATTEMPT_MAX);
            let Err(error) = self.attempt(&mut open, batch, attempt) else {
                self.shared.lock().0 = open;
                return Ok(());
            };
            open = None;
            if error.is::<Refused>() || Instant::now() + pause >= deadline {
                return Err(error.context(anyhow!("cannot forward {} to {}", records(waiting), self.address)));
            }
            thread::sleep(pause);
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    fn attempt(&self, open: &mut Option<Connection>, batch: &Batch, deadline: Instant) -> anyhow::Result<()> {
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
        connection.send(&batch.message, deadline)?;
        if !self.acknowledges {
            return Ok(());
        }
        match connection.reply(deadline)? {
            Reply::Acknowledgement { ack } if ack == batch.chunk => Ok(()),
            Reply::Greeting(..) => bail!(Refused("it wants a shared key: add --shared-key-file".into())),
            Reply::Acknowledgement { .. } | Reply::Result(..) => bail!("it acknowledges what was not sent"),
        }
    }
}
