//! The sockets that lead to a receiver. No call on them takes longer than a deadline.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::sys;

/// A connected socket.
pub struct Socket {
    stream: Stream,
    deadline: Instant,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What bytes go through: a socket, or what encrypts them for one.
pub trait Channel: Read + Write + Send {
    /// Makes each later call fail if it is not over at this time.
    fn set_deadline(&mut self, deadline: Instant);
}

impl Channel for Socket {
    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }
}

impl Socket {
    /// Connects to the first of the host's addresses that accepts.
    ///
    /// # Errors
    /// If the host is not found, or if nobody listens there, or does not answer until the deadline.
    pub fn tcp(host: &str, port: u16, deadline: Instant) -> anyhow::Result<Self> {
        let stream = first_of(&addresses(host, port)?, deadline)?;
        // Each write is a whole batch.
        stream.set_nodelay(true)?;
        Ok(Socket { stream: Stream::Tcp(stream), deadline })
    }

    /// Connects to a socket in the file system.
    ///
    /// # Errors
    /// If nobody listens there, or accepts until the deadline.
    pub fn unix(path: &Path, deadline: Instant) -> anyhow::Result<Self> {
        Self::local(&SocketAddrUnix::new(path)?, deadline)
    }

    /// Connects to an abstract socket.
    ///
    /// # Errors
    /// Likewise.
    pub fn abstract_unix(name: &str, deadline: Instant) -> anyhow::Result<Self> {
        Self::local(&SocketAddrUnix::new_abstract_name(name.as_bytes())?, deadline)
    }

    fn local(address: &SocketAddrUnix, deadline: Instant) -> anyhow::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // While too many others wait to be accepted, connect(2) waits, as long as a write may: socket(7).
        set_socket_timeout(&socket, Timeout::Send, Some(left(deadline)?))?;
        match retry_on_intr(|| connect(&socket, address)) {
            Err(Errno::AGAIN) => bail!("it accepts no connection: is it stopped?"),
            connected => connected?,
        }
        Ok(Socket { stream: Stream::Unix(UnixStream::from(socket)), deadline })
    }
}

/// Connects to the first of these addresses that accepts. Each has its share of the time, because one may never answer.
fn first_of(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::NotFound.into());
    for (address, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = left(deadline)? / u32::try_from(untried).unwrap_or(u32::MAX);
        result = TcpStream::connect_timeout(address, share);
        if result.is_ok() {
            break;
        }
    }
    result
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = Some(left(self.deadline)?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(bytes)),
            Stream::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(bytes)),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = Some(left(self.deadline)?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(bytes)),
            Stream::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write(bytes)),
        }
    }

    /// A socket has no buffer of its own.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time that is left, or an error if there is none.
///
/// # Errors
/// If the deadline is over.
pub fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // The system takes zero for no limit.
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Whether the next attempt may succeed. The one after the deadline is not made.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
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
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let full = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let [silent, good] =
            [full, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()].map(|it| (it.local_addr().unwrap(), it));
        let connect = || TcpStream::connect_timeout(&silent.0, Duration::from_millis(100)).ok();
        let _waiting: Vec<_> = std::iter::from_fn(connect).collect();
        let stream = first_of(&[silent.0, good.0], Instant::now() + Duration::from_secs(6)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good.0);
    }

    #[test]
    fn hosts_by_any_of_their_names() {
        let text = "127.0.0.1 localhost # log\n\n::1 Localhost ip6\n10.0.0.7\tlog.example log\nno.address log\n";
        let of = |host| in_hosts(text, host).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!((of("log"), of("lo")), (vec!["10.0.0.7".to_owned()], vec![]));
    }
}
