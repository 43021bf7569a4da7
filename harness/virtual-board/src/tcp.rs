//! A TCP connection of the device joined to one of this host.
//!
//! What one side does the other side sees: bytes, the end of a half, a reset, and a peer that does not read, which
//! fills the window. Nothing is buffered beyond what keeps both sides busy.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netsim::{Netsim, StreamId};
use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketType, sockopt};
use sim::Instant;

/// Unacknowledged bytes towards the device from which on the server has to wait.
const MOST_UNDER_WAY: usize = 16 * 1024;

/// Starts a connection; it is ready when the socket can be written.
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

/// Whether a connection that was started stands by now: `None` while it is under way.
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

/// Two connections, joined.
#[derive(Debug)]
pub(crate) struct Joint {
    socket: TcpStream,
    to_host: VecDeque<u8>,
    paused: bool,
    /// The device says no more.
    device_done: bool,
    /// The server has been told so.
    told: bool,
    /// The server says no more.
    host_done: bool,
    /// The device's side is gone; what it said still has to arrive.
    over: bool,
}

/// Whether a joint goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Goes,
    Ended,
}

impl Joint {
    pub(crate) fn new(socket: OwnedFd) -> Joint {
        let socket = TcpStream::from(socket);
        // Only what was written together waits to be sent together: the device's packets decide.
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

    /// The socket and what to wait for, if anything.
    pub(crate) fn wait(&self, net: &Netsim, id: StreamId) -> Option<(&TcpStream, PollFlags)> {
        let mut flags = PollFlags::empty();
        if !self.to_host.is_empty() {
            flags |= PollFlags::OUT;
        }
        if !self.host_done && net.stream_backlog(id) < MOST_UNDER_WAY {
            flags |= PollFlags::IN;
        }
        // An error wakes us in any case. When both sides have said all, the system reports a hang-up without end; then
        // only what is left to do counts.
        (!flags.is_empty() || !(self.host_done || self.told)).then_some((&self.socket, flags))
    }

    /// Bytes from the device.
    pub(crate) fn data(&mut self, net: &mut Netsim, id: StreamId, bytes: &[u8]) -> Life {
        self.to_host.extend(bytes);
        self.write(net, id)
    }

    /// The device says no more.
    pub(crate) fn half_closed(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        self.device_done = true;
        self.write(net, id)
    }

    /// Both sides of the device's connection have ended well.
    pub(crate) fn closed(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        (self.device_done, self.over) = (true, true);
        self.write(net, id)
    }

    /// The device's side was reset: the server gets a reset too.
    pub(crate) fn reset(self) {
        // The only failure is that the socket is gone, which is as good.
        let _ = sockopt::set_socket_linger(self.socket.as_fd(), Some(Duration::ZERO));
    }

    /// Reads and writes what is possible.
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
                    // What came before the reset goes before it.
                    net.poll(now);
                    return self.broken(net, id);
                }
            }
        }
        // With a full window nothing is read, and a reset would wait behind it.
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
            // It fails on a socket that is reset, which the next read tells.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        if self.over && !blocked {
            Life::Ended
        } else {
            Life::Goes
        }
    }

    /// The server reset the connection.
    fn broken(&mut self, net: &mut Netsim, id: StreamId) -> Life {
        net.stream_abort(id);
        Life::Ended
    }
}
