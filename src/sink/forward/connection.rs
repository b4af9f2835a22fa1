//! A connection to a receiver: bytes out, replies in, neither after a deadline.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::address::Address;
use super::message::{self, Reply};
use crate::sys;

/// More than any reply has.
const REPLY_MAX: usize = 16 * 1024;

/// A connection.
pub struct Connection {
    stream: Stream,
    /// What was received and is no reply yet.
    received: Vec<u8>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there, or does not answer until the deadline.
    pub fn open(address: &Address, deadline: Instant) -> anyhow::Result<Self> {
        let stream = match address {
            Address::Tcp(host, port) => Stream::Tcp(connect(host, *port, deadline)?),
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Address::Abstract(name) => {
                Stream::Unix(UnixStream::connect_addr(&net::SocketAddr::from_abstract_name(name)?)?)
            }
        };
        Ok(Connection { stream, received: Vec::new() })
    }

    /// Sends all of these bytes.
    ///
    /// # Errors
    /// If the receiver closed the connection, or does not take them until the deadline.
    pub fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            let left = left(deadline).context("it does not read")?;
            let sent = match &mut self.stream {
                Stream::Tcp(stream) => stream.set_write_timeout(Some(left)).and_then(|()| stream.write(bytes)),
                Stream::Unix(stream) => stream.set_write_timeout(Some(left)).and_then(|()| stream.write(bytes)),
            };
            match sent {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// If there is none until the deadline, or if it is none of the protocol.
    pub fn reply(&mut self, deadline: Instant) -> anyhow::Result<Reply> {
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
            let left = left(deadline).context("it does not acknowledge: does it speak the Fluent Forward protocol?")?;
            let read = match &mut self.stream {
                Stream::Tcp(stream) => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut part)),
                Stream::Unix(stream) => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut part)),
            };
            match read {
                Ok(0) => bail!("it closed the connection"),
                Ok(length) => self.received.extend_from_slice(&part[..length]),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
    }
}

/// The time that is left, or an error if there is none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // The system takes zero for no limit.
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Whether the next attempt may succeed. The one after the deadline is not made.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Connects to the first of the host's addresses that accepts.
fn connect(host: &str, port: u16, deadline: Instant) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for address in addresses(host, port)? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                // Each write is a whole batch.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()).into())
}

/// The addresses of a host. The static program cannot ask the system's name services, and knows only the file hosts(5).
fn addresses(host: &str, port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if sys::HAS_NAME_SERVICES {
        return Ok((host, port).to_socket_addrs().context("cannot find the host")?.collect());
    }
    let found = in_hosts(&fs::read_to_string("/etc/hosts").unwrap_or_default(), host);
    if found.is_empty() {
        bail!("/etc/hosts does not have the host, and this static program asks no name services: use its IP address");
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// The addresses of a host in the text of hosts(5).
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_by_any_of_their_names() {
        let text = "127.0.0.1 localhost # log\n\n::1 Localhost ip6\n10.0.0.7\tlog.example log\nno.address log\n";
        let of = |host| in_hosts(text, host).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!((of("log"), of("lo")), (vec!["10.0.0.7".to_owned()], vec![]));
    }
}
