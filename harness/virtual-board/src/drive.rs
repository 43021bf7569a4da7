//! The board's main loop: it runs the chip up to the present, then polls all descriptors until the next
//! deadline.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sim::Instant;

use crate::board::Board;
use crate::error::{BoardError, when};

/// Chip time that a turn of the loop covers while the chip executes instructions without pause.
const SLICE: Duration = Duration::from_millis(1);
/// Greatest time that the chip runs between two polls of the descriptors.
const TURN: Duration = Duration::from_millis(10);
/// Interval of polls for a client on the port: a terminal does not report that it was opened.
const LOOK: Duration = Duration::from_millis(25);
/// Longest timeout of a poll; its value has no effect on behaviour.
const LONGEST: Duration = Duration::from_secs(60);
/// Delay of the chip's time that causes a warning.
const BEHIND: Duration = Duration::from_millis(500);
/// Delay of the chip's time that is not caught up any more: it is added to the board's slip.
const HOPELESS: Duration = Duration::from_secs(2);

impl Board {
    /// Runs until `stop` is readable (or closed), or until the control socket receives `stop`.
    ///
    /// # Errors
    /// If the poll fails, or the flash cannot be saved at the end.
    pub fn run(&mut self, stop: BorrowedFd<'_>, mut tell: impl FnMut(&str)) -> Result<(), BoardError> {
        let mut told_behind = false;
        while !self.stopping {
            let began = self.clock.now();
            let clock = self.clock;
            self.advance(self.now(), || clock.now().since(began) < TURN);
            self.keep_up(&mut told_behind, &mut tell);
            for news in std::mem::take(&mut self.news) {
                tell(&news);
            }
            let now = self.clock.now();
            if let Some(file) = &mut self.flash
                && let Some(news) = file.look(self.chip.flash(), now)
            {
                tell(&news);
            }
            // Requests apply to the chip's state at the present moment, not to that before the poll.
            self.attend();
            if !self.stopping && self.wait(stop)? {
                break;
            }
        }
        self.end()
    }

    /// Saves the flash, removes the board's files and sockets, and answers the clients that requested the
    /// end.
    fn end(&mut self) -> Result<(), BoardError> {
        let saved = match self.flash.take() {
            Some(mut file) => file.finish(self.chip.flash()),
            None => Ok(()),
        };
        (self.pty, self.hostapd) = (None, None);
        let answer = saved
            .as_ref()
            .map(|()| String::new())
            .map_err(ToString::to_string);
        self.control.end(&self.stopped_by, &answer);
        saved
    }

    /// Serves every descriptor; without input this is cheap.
    fn attend(&mut self) {
        for (client, line) in self.control.take_lines() {
            match self.command(&line) {
                Ok(_) if self.stopping => self.stopped_by.push(client),
                answer => self.control.answer(client, &answer),
            }
        }
        if self.stopping {
            // The indices of clients must stay valid until the end.
            return;
        }
        self.control.flush();
        self.listen_to_hostapd();
        let now = self.chip.now();
        self.servers.turn(now, &mut self.net);
        if let Some(pty) = &mut self.pty {
            pty.client();
            pty.flush();
        }
        self.listen_to_the_port();
    }

    /// Warns once that the host is too slow, and lets the board's clock slip if the delay is too great.
    fn keep_up(&mut self, told: &mut bool, tell: &mut impl FnMut(&str)) {
        let behind = self.now().since(self.chip.now());
        if behind > BEHIND && !*told {
            *told = true;
            tell(
                "this machine is too slow for the firmware: the chip's time falls behind (see `behind_ms` and \
                  `slipped_ms` of the status)",
            );
        }
        if behind > HOPELESS {
            self.slipped += behind - BEHIND;
        }
    }

    /// The moment of the next action that no descriptor reports.
    fn next_due(&self) -> Instant {
        let far = Instant::FAR_FUTURE;
        let chip = self.chip.next_due();
        let net = self.net.next_due().unwrap_or(far);
        let world = if chip <= self.chip.now() {
            self.chip.now() + SLICE
        } else {
            chip.min(net)
        };
        let pty = match &self.pty {
            Some(pty) if pty.had_client() => self.line_takes_more_at().max(self.chip.now()),
            Some(_) => self.now() + LOOK,
            None => far,
        };
        let pty = if pty <= self.chip.now() { far } else { pty };
        let flash = self
            .flash
            .as_ref()
            .and_then(|f| f.next_due())
            .map_or(far, |due| due - self.slipped);
        world.min(pty).min(flash)
    }

    /// Polls the descriptors until input or the next deadline. Returns true if `stop` is readable.
    fn wait(&mut self, stop: BorrowedFd<'_>) -> Result<bool, BoardError> {
        let sleep = self.next_due().since(self.now()).min(LONGEST);
        let timeout = Timespec {
            tv_sec: sleep.as_secs().try_into().unwrap_or(0),
            tv_nsec: sleep.subsec_nanos().into(),
        };
        let takes_more = self.line_takes_more_at() <= self.chip.now();
        let mut fds = vec![PollFd::from_borrowed_fd(stop, PollFlags::IN)];
        let mut add = |fd, flags| fds.push(PollFd::from_borrowed_fd(fd, flags));
        let (listener, clients) = self.control.sockets();
        if let Some(listener) = listener {
            add(listener.as_fd(), PollFlags::IN);
        }
        for (client, answers) in clients {
            let out = if answers {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            add(client.as_fd(), PollFlags::IN | out);
        }
        if let Some(hostapd) = &self.hostapd {
            add(hostapd.socket.as_fd(), PollFlags::IN);
        }
        if let Some(pty) = &self.pty
            && pty.had_client()
        {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, takes_more);
            flags.set(PollFlags::OUT, pty.is_blocked());
            add(pty.as_fd(), flags);
        }
        self.servers.wait(&self.net, add);
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => Ok(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(e) => Err(when("wait for descriptors")(e)),
        }
    }
}
