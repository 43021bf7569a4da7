//! Expectations that a service judges: the window is kept here, the judgement is the service's.

use scenario::expectation::ServiceExpectation;
use sim::Instant;
use vocabulary::FaultState;
use vocabulary::judge::{Judge as OfService, WindowText};
use vocabulary::spec::WindowKeys;

use crate::happening::{Happening, Subject, What};
use crate::judge::{Failure, Judge};
use crate::moment::Moment;
use crate::nearest::Log;
use crate::serial::SerialMatcher;
use crate::window::Window;

/// Shows the events of a window to the judge of a service.
#[derive(Debug)]
pub(crate) struct Service {
    judge: Box<dyn OfService>,
    window: Window,
    /// The opening of the window that the judge was told of.
    opened: Option<Instant>,
    now: Instant,
}

impl Service {
    pub(crate) fn new(e: &ServiceExpectation, serial: &mut SerialMatcher) -> Service {
        let window = match (e.spec.window, &e.after) {
            (WindowKeys::After, None) => {
                let ended = Subject::Fault {
                    name: None,
                    state: FaultState::Ended,
                };
                Window::from(Moment::last("the end of the last fault", ended))
            }
            (WindowKeys::None | WindowKeys::After | WindowKeys::All, _) => Window::new(e.window(), serial),
        };
        let text = WindowText {
            moment: window.opening().to_owned(),
            whole: window.describe().to_owned(),
        };
        Service {
            judge: (e.spec.judge)(&e.args, &text),
            window,
            opened: None,
            now: Instant::ZERO,
        }
    }

    /// Tells the judge when the window has opened, or has opened again at a later moment.
    fn open(&mut self) {
        let start = self.window.start();
        if let Some(at) = start.filter(|_| start != self.opened) {
            self.judge.opened(at);
            self.opened = start;
        }
    }
}

fn of_service(failure: vocabulary::judge::Failure) -> Failure {
    Failure::new(failure.message).near(failure.nearest)
}

impl Judge for Service {
    fn observe(&mut self, h: &Happening<'_>) {
        self.window.advance(h.at);
        self.open();
        let inside = self.window.takes(h);
        if let What::Event(event) = h.what
            && inside
        {
            self.judge.observe(event);
        }
        self.open();
    }

    fn advance(&mut self, now: Instant) {
        self.window.advance(now);
        self.open();
        self.now = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let deadline = self.judge.deadline().filter(|_| !self.window.moves())?;
        Some(deadline).filter(|at| *at > self.now)
    }

    fn decided(&self) -> Option<Failure> {
        // While a later event can move the window, the result is open.
        if self.window.moves() {
            return None;
        }
        self.judge.decided(self.now).map(of_service)
    }

    fn finish(&mut self, end: Instant, _log: &Log) -> Option<Failure> {
        self.advance(end);
        let failure = self.judge.finish(end).map(of_service);
        match (self.window.never_opened(), failure) {
            (None, failure) => failure,
            (Some(why), None) => Some(Failure::new(why)),
            // It says so itself; what came nearest to the moment is known here.
            (Some(_), Some(failure)) => Some(Failure {
                message: failure.message + &self.window.near(),
                ..failure
            }),
        }
    }
}
