//! What the terminal shows while scenarios run: bars on stderr, results on stdout.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use netsim::CapturedFrame;
use report::ReportError;
use report::files::ScenarioFiles;
use report::redact::Redactor;
use report::reporter::Output;
use sim::Instant;
use vocabulary::text::{one_line, printable};
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

    /// Watches one scenario; `stop` ends it early. `keep` is whether its events are wanted with placeholders anyway.
    pub(crate) fn watch<'a>(
        &'a self,
        id: &'a str,
        duration: Duration,
        files: Option<ScenarioFiles>,
        redactor: Redactor,
        snapshots: bool,
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
            redacted: self.verbose || files.is_some(),
            files,
            redactor,
            events: Vec::new(),
            lines: snapshots.then(Vec::new),
            failed: None,
            stop,
            frames: Vec::new(),
        }
    }
}

impl Output for &Screen {
    fn print(&mut self, text: &str) -> io::Result<()> {
        Screen::print(self, text)
    }

    fn note(&mut self, text: &str) {
        note(text);
    }
}

/// Watches one run: moves its bar, writes its files.
pub(crate) struct Watcher<'a> {
    screen: &'a Screen,
    id: &'a str,
    bar: ProgressBar,
    files: Option<ScenarioFiles>,
    redactor: Redactor,
    /// Whether events are redacted as they come. Otherwise that waits until something of them is shown.
    redacted: bool,
    /// What happened, without the console's raw bytes.
    events: Vec<Event>,
    /// The console's lines as they came, for a snapshot.
    lines: Option<Vec<Event>>,
    failed: Option<ReportError>,
    stop: &'a AtomicBool,
    /// The frames of a capture.
    frames: Vec<CapturedFrame>,
}

/// What a watcher has seen.
pub(crate) struct Watched {
    /// The files, to be finished.
    pub(crate) files: Option<ScenarioFiles>,
    /// Knows every placeholder.
    pub(crate) redactor: Redactor,
    /// Whether the events have their placeholders already.
    pub(crate) redacted: bool,
    /// What happened, without the console's raw bytes.
    pub(crate) events: Vec<Event>,
    /// The console's lines as they came, where a snapshot wants them.
    pub(crate) lines: Vec<Event>,
    /// The frames of a capture.
    pub(crate) frames: Vec<CapturedFrame>,
    /// Why the files could not be written any more.
    pub(crate) failed: Option<ReportError>,
}

impl Watcher<'_> {
    /// The run is over.
    pub(crate) fn into_watched(mut self) -> Watched {
        Watched {
            files: self.files.take(),
            redactor: self.redactor.clone(),
            redacted: self.redacted,
            events: std::mem::take(&mut self.events),
            lines: self.lines.take().unwrap_or_default(),
            frames: std::mem::take(&mut self.frames),
            failed: self.failed.take(),
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
            self.bar.set_message(format!("{} {now}", one_line(self.id)));
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn preparing(&mut self, what: &str, percent: u8) -> bool {
        self.bar
            .set_message(format!("{} {what} {percent} %", one_line(self.id)));
        !self.stop.load(Ordering::Relaxed)
    }

    fn remark(&mut self, text: &str) {
        self.screen.bars.suspend(|| note(text));
    }

    fn frame(&mut self, frame: CapturedFrame) {
        self.frames.push(frame);
    }

    fn event(&mut self, event: Event) {
        let is_chunk = matches!(event.kind, Kind::SerialChunk { .. });
        if let Some(lines) = &mut self.lines
            && let Kind::SerialLine { .. } = event.kind
        {
            lines.push(event.clone());
        }
        let seen = if self.redacted && !is_chunk {
            self.redactor.event(&event)
        } else {
            event.clone()
        };
        // A file that cannot be written ends the files, and not the run: its verdict counts.
        if let Some(files) = &mut self.files
            && let Err(error) = files.event(&event, &seen, &mut self.redactor)
        {
            self.failed = Some(error);
            self.files = None;
        }
        if is_chunk {
            return;
        }
        if self.screen.verbose
            && let Kind::SerialLine { text, .. } = &seen.kind
        {
            let name = if self.screen.several {
                format!("{} ", one_line(self.id))
            } else {
                String::new()
            };
            let text = printable(text);
            self.screen
                .bars
                .suspend(|| note(&format!("\x1b[2m{name}{} |\x1b[0m {text}", event.at)));
        }
        self.events.push(seen);
    }
}
