//! The loop: the chip runs until now, then everybody waits for the next thing to happen.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sim::Instant;

use crate::board::Board;
use crate::error::{BoardError, when};

/// While the chip executes instructions without end it gets them in slices of this length.
const SLICE: Duration = Duration::from_millis(1);
/// For so long the chip may run before descriptors are looked at again.
const TURN: Duration = Duration::from_millis(10);
/// How often the port is looked at while no program has it open: a terminal does not tell that it was opened.
const LOOK: Duration = Duration::from_millis(25);
/// The longest sleep; nothing depends on it.
const LONGEST: Duration = Duration::from_secs(60);
/// A chip that is this far behind is told of,
const BEHIND: Duration = Duration::from_millis(500);
/// and one that is this far behind does not catch up: its time slips.
const HOPELESS: Duration = Duration::from_secs(2);

impl Board {
    /// Runs until something can be read from `stop` (or it is closed), or until the control socket says so.
    ///
    /// # Errors
    /// When the system refuses to wait, or the flash cannot be saved at the end.
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
            // Hands reach the chip as it is now, and not as it was when it went to sleep.
            self.attend();
            if !self.stopping && self.wait(stop)? {
                break;
            }
        }
        self.end()
    }

    /// Saves the flash, takes everything away that the board has put somewhere, and tells who asked for it.
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

    /// Looks at every descriptor; a look that finds nothing is cheap.
    fn attend(&mut self) {
        for (client, line) in self.control.take_lines() {
            match self.command(&line) {
                Ok(_) if self.stopping => self.stopped_by.push(client),
                answer => self.control.answer(client, &answer),
            }
        }
        if self.stopping {
            // Clients keep their numbers until the end.
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

    /// Says once that the host is too slow, and gives up what cannot be caught up.
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

    /// When something is due that no descriptor tells of.
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

    /// Waits for the next thing; whether it was the end.
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
