//! The kernel's process connector: a socket that gets a message for every program that starts. It subscribes, receives, and
//! counts what the socket's queue had no room for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use rustix::time::{ClockId, clock_gettime};

use super::decode::{self, Event, Message};
use super::share::Share;
use crate::sys;

/// How long the kernel may take to answer a subscription. It answers at once, or never.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than any message has.
const MESSAGE_MAX: usize = 512;

/// A subscription to a share of the kernel's events.
pub struct Connector {
    socket: OwnedFd,
    /// What it has counted so far of messages without room.
    dropped: u32,
    /// Whether the queue was full and has not been empty since.
    is_congested: bool,
    /// Until when events are received, in nanoseconds of `CLOCK_MONOTONIC`.
    until: Option<u64>,
}

/// What the connector has next.
pub enum Next {
    /// Something happened to a process.
    Event(Event),
    /// So many events were lost, because the queue was full.
    Lost(u64),
    /// The reader was asked to stop, and has all events until then.
    End,
}

/// Asks the reader of a connector to stop.
pub struct Stop(OwnedFd);

impl Stop {
    /// A request that was not made yet.
    ///
    /// # Errors
    /// If there are too many descriptors.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Stop(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).context("cannot wait for events")?))
    }

    /// Makes the request.
    pub fn stop(&self) {
        // This cannot fail: the counter is far from its maximum.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Connector {
    /// Subscribes to a share of the events. The kernel queues them in `buffer` bytes, and those of processes that end only if
    /// `exits`.
    ///
    /// # Errors
    /// A sentence that says what is missing, and how to grant it.
    pub fn subscribe(share: &Share, buffer: usize, exits: bool) -> anyhow::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let family = AddressFamily::NETLINK;
        let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, Some(netlink::CONNECTOR))
            .context("this kernel has no process events: it lacks CONFIG_PROC_EVENTS")?;
        let filter = |answers| {
            let mut program = decode::filter(exits, answers, share);
            sys::attach_filter(&socket, &mut program).context("cannot filter the kernel's events")
        };
        filter(true)?;
        // Without the right to exceed net.core.rmem_max, that is the limit.
        sockopt::set_socket_recv_buffer_size_force(&socket, buffer)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, buffer))
            .context("cannot set the size of --buffer")?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, decode::CONNECTOR)).map_err(refused)?;
        listen(&socket)?;
        filter(false)?;
        let dropped = sys::dropped_messages(&socket).context("cannot count lost events")?;
        Ok(Connector { socket, dropped, is_congested: false, until: None })
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// Those of recvfrom(2) and poll(2).
    pub fn next(&mut self, stop: &Stop) -> io::Result<Next> {
        loop {
            match receive(&self.socket) {
                Ok(Some(Message::Event(event))) => {
                    // A busy machine never has an empty queue.
                    return Ok(if self.until.is_some_and(|until| event.at > until) {
                        Next::End
                    } else {
                        Next::Event(event)
                    });
                }
                Ok(_) => {}
                Err(Errno::NOBUFS) => self.is_congested = true,
                Err(Errno::AGAIN) => {
                    // The kernel reports a full queue once, until the queue is empty again.
                    if std::mem::take(&mut self.is_congested) {
                        let dropped = sys::dropped_messages(&self.socket)?;
                        let lost = dropped.wrapping_sub(std::mem::replace(&mut self.dropped, dropped));
                        if lost > 0 {
                            return Ok(Next::Lost(lost.into()));
                        }
                    }
                    if self.until.is_some() {
                        return Ok(Next::End);
                    }
                    let mut descriptors = [&self.socket, &stop.0].map(|of| PollFd::new(of, PollFlags::IN));
                    retry_on_intr(|| poll(&mut descriptors, None))?;
                    if !descriptors[1].revents().is_empty() {
                        self.until = Some(monotonic());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Asks for events, and waits for the answer.
fn listen(socket: &OwnedFd) -> anyhow::Result<()> {
    // The kernel sends its answer to everyone. The number tells whose it is.
    let number = std::process::id();
    let begin = Instant::now();
    match rustix::net::send(socket, &decode::subscription(true, number), SendFlags::empty()) {
        Err(Errno::CONNREFUSED) => bail!(silent()),
        Err(error) => return Err(refused(error)),
        Ok(_) => {}
    }
    loop {
        match receive(socket) {
            Ok(Some(Message::Answer { number: answered, error })) if answered == number.wrapping_add(1) => {
                return match error {
                    0 => Ok(()),
                    error => Err(refused(Errno::from_raw_os_error(error.cast_signed()))),
                };
            }
            Ok(_) | Err(Errno::NOBUFS) => continue,
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error).context("cannot receive the kernel's events"),
        }
        let left = PATIENCE.saturating_sub(begin.elapsed());
        if left.is_zero() {
            bail!(silent());
        }
        let left = Timespec::try_from(left).map_err(|_| anyhow!(silent()))?;
        let mut descriptors = [PollFd::new(socket, PollFlags::IN)];
        retry_on_intr(|| poll(&mut descriptors, Some(&left))).context("cannot wait for events")?;
    }
}

/// A message of the kernel. None if it is of another kind, or from somebody else.
fn receive(socket: &OwnedFd) -> Result<Option<Message>, Errno> {
    let mut text = [0; MESSAGE_MAX];
    let (_, length, from) = retry_on_intr(|| rustix::net::recvfrom(socket, &mut text[..], RecvFlags::DONTWAIT))?;
    let is_of_kernel = from.is_some_and(|from| SocketAddrNetlink::try_from(from).is_ok_and(|from| from.pid() == 0));
    Ok(decode::message(&text[..length.min(MESSAGE_MAX)]).filter(|_| is_of_kernel))
}

impl Drop for Connector {
    fn drop(&mut self) {
        // Older kernels count subscribers, and do not notice that one is gone.
        let _ = rustix::net::send(&self.socket, &decode::subscription(false, 0), SendFlags::DONTWAIT);
    }
}

/// The time of events.
pub fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

fn refused(error: Errno) -> anyhow::Error {
    match error {
        Errno::PERM | Errno::ACCESS => anyhow!(
            "the kernel's process events need the capability CAP_NET_ADMIN: run this as root, start procline-exec.service \
             instead, or run `setcap cap_net_admin,cap_sys_ptrace,cap_sys_nice+ep` on the program"
        ),
        error => anyhow!(error).context("cannot subscribe to the kernel's process events"),
    }
}

fn silent() -> &'static str {
    "the kernel sends no process events here: run this in the machine's own network, PID and user namespaces (in a \
     container: hostNetwork and hostPID), on a kernel with CONFIG_PROC_EVENTS"
}
