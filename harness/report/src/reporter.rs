//! What every format of results has in common: it hears of each run that has ended, and of the end of all.
//!
//! A format is one file with a type that implements [`Reporter`], and a row in the list of the caller. The formats of
//! one run alone (console logs, events, pins, capture) are written while it goes on: [`crate::files::ScenarioFiles`].

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::summary::summary;
use crate::{ReportError, Run};

/// All runs of a session, once they have ended.
#[derive(Debug)]
pub struct Session<'a> {
    /// The runs in the order of the selection. Of their events only the first and the last are left.
    pub runs: &'a [Run],
    /// The names of the scenarios that did not run to their end.
    pub not_run: &'a [String],
    /// How long it took.
    pub wall: Duration,
}

impl Session<'_> {
    /// The summary, one line with styles.
    pub fn summary(&self) -> String {
        let runs: Vec<&Run> = self.runs.iter().collect();
        summary(&runs, self.not_run.len(), self.wall)
    }
}

/// A format that results are written in.
pub trait Reporter: Send {
    /// A run has ended. Runs end in any order; `place` is the one of this run in the selection. Its secrets are
    /// replaced.
    ///
    /// # Errors
    /// [`ReportError`] when it cannot be written. The reporter can be told of the next run all the same.
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError>;

    /// The run at `place` did not come to its end.
    ///
    /// # Errors
    /// As [`Reporter::run_done`].
    fn run_lost(&mut self, place: usize) -> Result<(), ReportError>;

    /// All runs have ended.
    ///
    /// # Errors
    /// As [`Reporter::run_done`].
    fn session_done(&mut self, session: &Session<'_>) -> Result<(), ReportError>;
}

/// Where texts go: results to one place, remarks to another.
pub trait Output: Send {
    /// Prints results.
    ///
    /// # Errors
    /// Those of the place.
    fn print(&mut self, text: &str) -> io::Result<()>;

    /// Tells a remark, one line. Where nobody reads it, it is lost.
    fn note(&mut self, text: &str);
}

/// Prints one text for each run, in the order of the selection, each as soon as those before it are there.
#[derive(Debug)]
pub struct InOrder<O> {
    /// Where they go.
    pub out: O,
    due: usize,
    waiting: BTreeMap<usize, String>,
}

impl<O: Output> InOrder<O> {
    /// Prints to `out`.
    pub fn to(out: O) -> InOrder<O> {
        InOrder {
            out,
            due: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes the text of the run at `place`, and prints what is due.
    ///
    /// # Errors
    /// [`ReportError::Output`].
    pub fn put(&mut self, place: usize, text: String) -> Result<(), ReportError> {
        self.waiting.insert(place, text);
        let mut printed = Ok(());
        while let Some(text) = self.waiting.remove(&self.due) {
            self.due += 1;
            if !text.is_empty() {
                printed = printed.and(self.print(&text));
            }
        }
        printed
    }

    /// Prints a text at once.
    ///
    /// # Errors
    /// [`ReportError::Output`].
    pub fn print(&mut self, text: &str) -> Result<(), ReportError> {
        self.out.print(text).map_err(ReportError::Output)
    }

    /// Prints the summary, or tells it where it cannot be printed; and tells what did not run.
    ///
    /// # Errors
    /// [`ReportError::Output`].
    pub fn summary(&mut self, session: &Session<'_>) -> Result<(), ReportError> {
        let summary = session.summary();
        let printed = self.print(&format!("{summary}\n"));
        // A reader that has gone wants nothing more.
        let is_lost =
            |e: &ReportError| !matches!(e, ReportError::Output(e) if e.kind() == io::ErrorKind::BrokenPipe);
        if printed.as_ref().is_err_and(is_lost) {
            self.out.note(&summary);
        }
        self.not_run(session);
        printed
    }

    /// Tells what did not run.
    pub fn not_run(&mut self, session: &Session<'_>) {
        if !session.not_run.is_empty() {
            self.out.note("interrupted; these did not run to their end:");
            for name in session.not_run {
                self.out.note(&format!("  {}", vocabulary::text::one_line(name)));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::synthetic::{self, Shape};

    /// An output that keeps everything.
    #[derive(Debug, Default)]
    pub(crate) struct Kept {
        pub(crate) printed: String,
        pub(crate) noted: String,
        pub(crate) is_full: bool,
    }

    impl Output for &mut Kept {
        fn print(&mut self, text: &str) -> io::Result<()> {
            if self.is_full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.printed.push_str(text);
            Ok(())
        }

        fn note(&mut self, text: &str) {
            self.noted.push_str(text);
            self.noted.push('\n');
        }
    }

    #[test]
    fn texts_come_in_the_order_of_the_selection() {
        let mut kept = Kept::default();
        let mut order = InOrder::to(&mut kept);
        for place in [2, 0, 3, 1] {
            order.put(place, format!("{place} ")).unwrap();
        }
        assert_eq!(kept.printed, "0 1 2 3 ");
    }

    #[test]
    fn a_summary_that_cannot_be_printed_is_told() {
        let mut kept = Kept {
            is_full: true,
            ..Kept::default()
        };
        let runs = [synthetic::run(&Shape::short())];
        let session = Session {
            runs: &runs,
            not_run: &["lost\n".to_owned()],
            wall: Duration::ZERO,
        };
        assert!(InOrder::to(&mut kept).summary(&session).is_err());
        assert!(
            kept.noted.contains("1 passed") && kept.noted.contains("lost\\n"),
            "{}",
            kept.noted
        );
    }
}
