//! `serial`, `no-serial`, `event`, `requests`: number of occurrences in a window.

use scenario::Count;
use sim::Instant;

use crate::happening::{Happening, Nearly, Subject};
use crate::judge::{Failure, Judge};
use crate::nearest::{Log, Near};
use crate::times::Times;
use crate::window::Window;

/// Counts the occurrences of a subject in a window.
#[derive(Debug)]
pub(crate) struct Occurrence {
    /// Description of the subject in messages.
    pub(crate) name: String,
    pub(crate) subject: Subject,
    nearly: Option<Nearly>,
    pub(crate) near: Near,
    pub(crate) count: Count,
    pub(crate) window: Window,
    inside: Times,
    outside: Times,
    over: bool,
}

impl Occurrence {
    pub(crate) fn new(name: String, subject: Subject, count: Count, window: Window) -> Occurrence {
        Occurrence {
            name,
            nearly: Nearly::to(&subject),
            subject,
            near: Near::Nothing,
            count,
            window,
            inside: Times::default(),
            outside: Times::default(),
            over: false,
        }
    }

    fn verdict(&self) -> Option<Failure> {
        if self.count.holds(self.inside.count) && self.window.never_opened().is_none() {
            return None;
        }
        let awaited = format!(
            "awaited {} {} times{}",
            self.name,
            self.count,
            self.window.describe()
        );
        if let Some(why) = self.window.never_opened() {
            return Some(Failure::new(format!("{awaited}; {why}")));
        }
        let got = match self.inside.count {
            0 => "; it never came".to_owned(),
            n => format!("; it came {n} times{}", self.inside.list()),
        };
        // If there are too many occurrences, near misses are of no interest.
        let nearly = self
            .nearly
            .as_ref()
            .filter(|_| !self.count.exceeded_by(self.inside.count));
        let nearly = nearly.map_or_else(String::new, Nearly::told);
        Some(Failure::new(awaited + &got + &nearly))
    }

    fn nearest(&self, log: &Log) -> Option<String> {
        if self.count.exceeded_by(self.inside.count) {
            return self.inside.first().and_then(|at| self.near.line_at(log, at));
        }
        if self.outside.count > 0 {
            return Some(format!(
                "outside the window it came {} times{}",
                self.outside.count,
                self.outside.list()
            ));
        }
        self.near.similar(log)
    }
}

impl Judge for Occurrence {
    fn observe(&mut self, h: &Happening<'_>) {
        let inside = self.window.takes(h);
        if let Some(at) = self.subject.occurs(h) {
            if inside {
                self.inside.push(at)
            } else {
                self.outside.push(at)
            }
        } else if let Some(nearly) = self.nearly.as_mut().filter(|_| inside) {
            nearly.observe(&self.subject, h);
        }
    }

    fn advance(&mut self, now: Instant) {
        self.window.advance(now);
        self.over |= self.window.over_at().is_some_and(|at| now >= at);
    }

    fn deadline(&self) -> Option<Instant> {
        let short = self.count.min.is_some_and(|min| self.inside.count < min);
        self.window.over_at().filter(|_| short && !self.over)
    }

    fn decided(&self) -> Option<Failure> {
        let too_many = self.count.exceeded_by(self.inside.count);
        let too_few = self.over && !self.count.holds(self.inside.count);
        (too_many || too_few).then(|| self.verdict()).flatten()
    }

    fn finish(&mut self, end: Instant, log: &Log) -> Option<Failure> {
        self.advance(end);
        self.verdict().map(|failure| failure.near(self.nearest(log)))
    }
}
