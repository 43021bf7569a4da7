//! A TCP connection of the device, joined to a connection of this host.
//!
//! Each side sees the actions of the other: bytes, a half-close, a reset, and a peer that does not read,
//! which fills the window. Buffers hold no more than is needed to keep both sides busy.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netsim::{Netsim, StreamId};
use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketType, sockopt};
use sim::Instant;

/// Greatest number of unacknowledged bytes towards the device, before the server's socket is not read any
/// more.
const MOST_UNDER_WAY: usize = 16 * 1024;

/// Starts a non-blocking connect; it is complete when the socket is writable.
pub(crate) fn connect(to: SocketAddr) -> io::Result<OwnedFd> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        Err(e) => Err(e.into()),
    }
}

/// Result of a non-blocking connect; `None` while it is in progress.
pub(crate) fn connected(socket: &OwnedFd) -> Option<io::Result<()>> {
    let mut fds = [rustix::event::PollFd::new(socket, PollFlags::OUT)];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut fds, Some(&now)) {
        Ok(0) => None,
        Ok(_) => Some(match sockopt::socket_error(socket) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) | Err(e) => Err(e.into()),
        }),
        Err(e) => Some(Err(e.into())),
    }
}

/// Two joined connections: a stream of the device and a socket of this host.
#[derive(Debug)]
pub(crate) struct Joint {
    socket: TcpStream,
    to_host: VecDeque<u8>,
    paused: bool,
    /// The device has half-closed its side.
    device_done: bool,
    /// The half-close has been passed to the server.
    told: bool,
    /// The server has half-closed its side.
    host_done: bool,
    /// The device's connection has ended; its last bytes still wait for the server.
    over: bool,
}

/// State of a joint after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Goes,
    Ended,
}

impl Joint {
    pub(crate) fn new(socket: OwnedFd) -> Joint {
        let socket = TcpStream::from(socket);
        // The device's packets determine when bytes are sent: Nagle's algorithm must not delay them.
        let _ = socket.set_nodelay(true);
        Joint {
            socket,
            to_host: VecDeque::new(),
            paused: false,
            device_done: false,
            told: false,
            host_done: false,
            over: false,
        }
    }

    /// The socket and the events to poll for; `None` if there is nothing to wait for.
    pub(crate) fn wait(&self, net: &Netsim, id: StreamId) -> Option<(&TcpStream, PollFlags)> {
        let mut flags = PollFlags::empty();
        if !self.to_host.is_empty() {
            flags |= PollFlags::OUT;
        }
        if !self.host_done && net.stream_backlog(id) < MOST_UNDER_WAY {
            flags |= PollFlags::IN;
        }
        // Poll reports errors without being asked. When both sides are half-closed it reports a hang-up all
        // the time, so the socket is polled only if bytes are left to transfer.
        (!flags.is_empty() || !(self.host_done || self.told)).then_some((&self.socket, flags))
    }

    /// Takes bytes from the device.
    pub(crate) fn data(&mut self, net: &mut Netsim, id: StreamId, bytes: &[u8]) -> Life {
        self.to_host.extend(bytes);
        self.write(net, id)
    }

    /// Takes the half-close of the device.
    pub(crate) fn half_closed(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        self.device_done = true;
        self.write(net, id)
    }

    /// Both halves of the device's connection have been closed.
    pub(crate) fn closed(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        (self.device_done, self.over) = (true, true);
        self.write(net, id)
    }

    /// The device has reset its connection: resets the server's connection too.
    pub(crate) fn reset(self) {
        // The call fails only if the socket is gone already.
        let _ = sockopt::set_socket_linger(self.socket.as_fd(), Some(Duration::ZERO));
    }

    /// Transfers bytes in both directions, as many as possible without blocking.
    pub(crate) fn turn(&mut self, now: Instant, net: &mut Netsim, id: StreamId) -> Life {
        let mut buffer = [0; 4096];
        while !self.host_done && net.stream_backlog(id) < MOST_UNDER_WAY {
            match self.socket.read(&mut buffer) {
                Ok(0) => {
                    self.host_done = true;
                    net.stream_close(id);
                }
                Ok(len) => net.stream_send(id, &buffer[..len]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    // Bytes received before the reset must reach the device before it.
                    net.poll(now);
                    return self.broken(net, id);
                }
            }
        }
        // With a full window the socket is not read, so a reset must be checked for.
        if !self.host_done && !matches!(self.socket.take_error(), Ok(None)) {
            return self.broken(net, id);
        }
        self.write(net, id)
    }

    fn write(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        while !self.to_host.is_empty() {
            let (front, _) = self.to_host.as_slices();
            match self.socket.write(front) {
                Ok(len) => drop(self.to_host.drain(..len)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return self.broken(net, id),
            }
        }
        let blocked = !self.to_host.is_empty();
        if blocked != self.paused {
            self.paused = blocked;
            net.stream_pause(id, blocked);
        }
        if !blocked && self.device_done && !self.told {
            self.told = true;
            // The call fails on a socket that was reset; the next read reports that.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        if self.over && !blocked {
            Life::Ended
        } else {
            Life::Goes
        }
    }

    /// The server has reset the connection: resets the device's stream.
    fn broken(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        net.stream_abort(id);
        Life::Ended
    }
}
