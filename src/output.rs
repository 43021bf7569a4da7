//! What the terminal shows while scenarios run: bars on stderr, results on stdout.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use netsim::CapturedFrame;
use report::ReportError;
use report::around::printable;
use report::files::ScenarioFiles;
use report::redact::Redactor;
use sim::Instant;
use vocabulary::{Event, Kind};

/// The wall clock, for durations that are shown to people and never decide anything.
#[expect(clippy::disallowed_methods, reason = "people want to know how long it took")]
pub(crate) fn wall_clock() -> std::time::Instant {
    std::time::Instant::now()
}

/// Milliseconds since 1970 by this machine's clock, for what is kept about a run.
#[expect(
    clippy::disallowed_methods,
    reason = "stored results say when they came about"
)]
pub(crate) fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Writes a line to stderr. Where nobody reads it, it is lost, and the work goes on.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The terminal.
pub(crate) struct Screen {
    bars: MultiProgress,
    all: ProgressBar,
    verbose: bool,
    several: bool,
}

impl Screen {
    /// A screen for `scenarios` scenarios. Without a terminal there are no bars.
    pub(crate) fn new(scenarios: usize, verbose: bool) -> Screen {
        let bars = MultiProgress::new();
        let style =
            ProgressStyle::with_template("{pos}/{len} scenarios  {elapsed}").expect("the template is valid");
        let all = bars.add(ProgressBar::new(scenarios as u64).with_style(style));
        Screen {
            bars,
            all,
            verbose,
            several: scenarios > 1,
        }
    }

    /// A scenario has ended.
    pub(crate) fn count(&self) {
        self.all.inc(1);
    }

    /// Writes a result to stdout, above the bars.
    ///
    /// # Errors
    /// Those of stdout.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.bars.suspend(|| {
            let mut out = anstream::stdout();
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        self.all.finish_and_clear();
    }

    /// Watches one scenario; `stop` ends it early.
    pub(crate) fn watch<'a>(
        &'a self,
        id: &'a str,
        duration: Duration,
        files: Option<ScenarioFiles>,
        redactor: Redactor,
        stop: &'a AtomicBool,
    ) -> Watcher<'a> {
        let style = ProgressStyle::with_template("  {wide_bar:.dim} {msg}").expect("the template is valid");
        let bar = self.bars.insert_before(
            &self.all,
            ProgressBar::new(duration.as_secs().max(1)).with_style(style),
        );
        Watcher {
            screen: self,
            id,
            bar,
            files,
            redactor,
            failed: None,
            stop,
            events: Vec::new(),
            frames: Vec::new(),
        }
    }
}

/// Watches one run: moves its bar, writes its files.
pub(crate) struct Watcher<'a> {
    screen: &'a Screen,
    id: &'a str,
    bar: ProgressBar,
    files: Option<ScenarioFiles>,
    /// For what is shown while the scenario runs, where no files are written: those have their own.
    redactor: Redactor,
    failed: Option<ReportError>,
    stop: &'a AtomicBool,
    events: Vec<Event>,
    frames: Vec<CapturedFrame>,
}

/// What a watcher has of a run that ended.
pub(crate) struct Watched {
    pub(crate) files: Option<ScenarioFiles>,
    pub(crate) redactor: Redactor,
    pub(crate) events: Vec<Event>,
    pub(crate) frames: Vec<CapturedFrame>,
}

impl Watcher<'_> {
    /// The files, to be finished, and the redactor that knows what was shown where there are none.
    ///
    /// # Errors
    /// When a file could not be written while the run went on.
    pub(crate) fn into_parts(mut self) -> Result<Watched, ReportError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(Watched {
                files: self.files.take(),
                redactor: self.redactor.clone(),
                events: std::mem::take(&mut self.events),
                frames: std::mem::take(&mut self.frames),
            }),
        }
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.screen.bars.remove(&self.bar);
    }
}

impl Progress for Watcher<'_> {
    fn at(&mut self, now: Instant) -> bool {
        if self.bar.position() != now.as_secs() {
            self.bar.set_position(now.as_secs());
            self.bar.set_message(format!("{} {now}", self.id));
        }
        self.failed.is_none() && !self.stop.load(Ordering::Relaxed)
    }

    fn preparing(&mut self, what: &str, percent: u8) -> bool {
        self.bar.set_message(format!("{} {what} {percent} %", self.id));
        !self.stop.load(Ordering::Relaxed)
    }

    fn remark(&mut self, text: &str) {
        self.screen.bars.suspend(|| note(text));
    }

    fn frame(&mut self, frame: CapturedFrame) {
        self.frames.push(frame);
    }

    fn event(&mut self, event: Event) {
        self.show(&event);
        self.events.push(event);
    }
}

impl Watcher<'_> {
    fn show(&mut self, event: &Event) {
        if let Some(files) = &mut self.files
            && let Err(error) = files.event(event)
        {
            self.failed.get_or_insert(error);
        }
        if !self.screen.verbose {
            return;
        }
        // The numbers of placeholders are those of the files, and of the story of a failure: by what was seen first.
        if self.files.is_none() && !matches!(event.kind, Kind::SerialLine { .. }) {
            self.redactor.event(event);
        }
        if let Kind::SerialLine { text, .. } = &event.kind {
            let text = match &mut self.files {
                Some(files) => files.text(text),
                None => self.redactor.text(text).into_owned(),
            };
            let text = printable(&text);
            let name = if self.screen.several {
                format!("{} ", self.id)
            } else {
                String::new()
            };
            self.screen
                .bars
                .suspend(|| note(&format!("\x1b[2m{name}{} |\x1b[0m {text}", event.at)));
        }
    }
}
