//! A connection to a receiver: bytes out, replies in, neither after a deadline.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, bail};

use super::address::Address;
use super::message::{self, Reply};
use super::socket::{Channel, Socket, is_passing, left};
use super::tls::Tls;

/// More than any reply has.
const REPLY_MAX: usize = 16 * 1024;

/// A connection.
pub struct Connection {
    channel: Box<dyn Channel>,
    /// What was received and is no reply yet.
    received: Vec<u8>,
}

impl Connection {
    /// Connects. `tls` is for an address that wants it.
    ///
    /// # Errors
    /// If nobody listens there, or does not answer until the deadline.
    pub fn open(address: &Address, tls: Option<&Tls>, deadline: Instant) -> anyhow::Result<Self> {
        let socket = match address {
            Address::Tcp(host, port) | Address::Tls(host, port) => Socket::tcp(host, *port, deadline)?,
            Address::Unix(path) => Socket::unix(path, deadline)?,
            Address::Abstract(name) => Socket::abstract_unix(name, deadline)?,
        };
        let channel = match (address, tls) {
            (Address::Tls(host, _), Some(tls)) => tls.encrypt(socket, host, deadline)?,
            _ => Box::new(socket),
        };
        Ok(Connection { channel, received: Vec::new() })
    }

    /// Sends all of these bytes.
    ///
    /// # Errors
    /// If the receiver closed the connection, or does not take them until the deadline.
    pub fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> anyhow::Result<()> {
        self.channel.set_deadline(deadline);
        loop {
            left(deadline).context("it does not read")?;
            // What encrypts the bytes may still have some of them when it has taken all.
            let sent = if bytes.is_empty() { self.channel.flush().map(|()| 0) } else { self.channel.write(bytes) };
            match sent {
                Ok(_) if bytes.is_empty() => return Ok(()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// If there is none until the deadline, or if it is none of the protocol.
    pub fn reply(&mut self, deadline: Instant) -> anyhow::Result<Reply> {
        self.channel.set_deadline(deadline);
        loop {
            if let Some(reply) =
                message::reply(&self.received).context("it is no receiver of the Fluent Forward protocol")?
            {
                // A receiver sends one reply at a time.
                self.received.clear();
                return Ok(reply);
            }
            if self.received.len() >= REPLY_MAX {
                bail!("it is no receiver of the Fluent Forward protocol: its reply is too long");
            }
            let mut part = [0; 1024];
            left(deadline).context("it does not acknowledge: does it speak the Fluent Forward protocol?")?;
            match self.channel.read(&mut part) {
                Ok(0) => bail!("it closed the connection"),
                Ok(length) => self.received.extend_from_slice(&part[..length]),
                Err(error) if is_passing(&error) => {}
                // TLS has a message for the end, and many receivers do not send it.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("it closed the connection"),
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
    }
}
