//! What is wrong with a scenario file, with the place and what to do about it.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::located::Span;

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    message: String,
    label: String,
    help: Option<String>,
    span: Span,
    /// Written before the message where the file is known: `path:line:column`.
    position: String,
    source: Arc<NamedSource<String>>,
}

impl Problem {
    /// What is wrong, one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The place, `path:line:column`.
    pub fn position(&self) -> &str {
        &self.position
    }

    /// The place in the file.
    pub fn span(&self) -> Span {
        self.span
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new(Some(self.label.clone()), self.span.offset, self.span.len);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong with a file: the first mistake of its syntax, or all mistakes of its meaning.
/// As a [`Diagnostic`] it shows each with its piece of the file.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    path: String,
    problems: Vec<Problem>,
}

impl Diagnostics {
    /// The problems in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// One line for each problem: `path:line:column: message (help)`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let break_before = if i == 0 { "" } else { "\n" };
            write!(f, "{break_before}{}: {}", problem.position, problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// A heading without a source, so that each problem shows its own piece of the file.
#[derive(Debug)]
struct Heading<'a>(&'a Diagnostics);

impl fmt::Display for Heading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.problems.len();
        write!(
            f,
            "{} has {n} {}",
            self.0.path,
            if n == 1 { "mistake" } else { "mistakes" }
        )
    }
}

impl Diagnostic for Diagnostics {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|p| p as &dyn Diagnostic)))
    }
}

impl Diagnostics {
    /// The text for a person, with pieces of the file. `colour` adds ANSI colours, `width` is the width of
    /// the terminal in columns.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour {
            miette::GraphicalTheme::unicode()
        } else {
            miette::GraphicalTheme::unicode_nocolor()
        };
        let handler = miette::GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_context_lines(1);
        let mut out = format!("{}\n", Heading(self));
        for problem in &self.problems {
            // A String as a sink does not fail.
            let _ = handler.render_report(&mut out, problem);
        }
        out
    }
}

/// The file that is read: its name, its text, and where parameters were put into it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) original: Arc<NamedSource<String>>,
    /// `(offset in the substituted text, bytes that the original is longer by from here on)`, ascending.
    pub(crate) shifts: Vec<Shift>,
}

/// A parameter was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Where the value begins in the substituted text.
    pub(crate) at: usize,
    /// Bytes of the value.
    pub(crate) value_len: usize,
    /// Where `${name}` begins in the original.
    pub(crate) original_at: usize,
    /// Bytes of `${name}`.
    pub(crate) original_len: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let original = Arc::new(NamedSource::new(path, text.to_owned()).with_language("yaml"));
        Source {
            path: path.to_owned(),
            original,
            shifts: Vec::new(),
        }
    }

    fn original_offset(&self, offset: usize, end: bool) -> usize {
        match self
            .shifts
            .iter()
            .rev()
            .find(|s| s.at < offset || (!end && s.at == offset))
        {
            None => offset,
            // Inside a value: its whole `${name}`.
            Some(s) if offset < s.at + s.value_len => s.original_at + if end { s.original_len } else { 0 },
            Some(s) => offset - (s.at + s.value_len) + s.original_at + s.original_len,
        }
    }

    /// The place in the original text.
    pub(crate) fn original_span(&self, span: Span) -> Span {
        let text = self.original.inner();
        let offset = self.original_offset(span.offset, false).min(text.len());
        let end = self
            .original_offset(span.offset + span.len, true)
            .clamp(offset, text.len());
        let line_start = text
            .get(..offset)
            .map_or(0, |head| head.rfind('\n').map_or(0, |n| n + 1));
        let column = text.get(line_start..offset).map_or(0, |s| s.chars().count()) + 1;
        let line = text
            .get(..line_start)
            .map_or(0, |s| s.bytes().filter(|b| *b == b'\n').count())
            + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            offset,
            len: end - offset,
            line: small(line),
            column: small(column),
        }
    }

    /// `path:line:column`.
    pub(crate) fn position(&self, span: Span) -> String {
        let place = self.original_span(span);
        format!("{}:{}:{}", self.path, place.line, place.column)
    }
}

/// Collects problems.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(source: &'a Source) -> Collector<'a> {
        Collector {
            source,
            problems: Vec::new(),
        }
    }

    /// Notes a problem: `message` as a sentence without a full stop, `label` at the place.
    pub(crate) fn add(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        let help: String = help.into();
        self.problems.push(Problem {
            message: message.into(),
            label: label.to_owned(),
            help: (!help.is_empty()).then_some(help),
            position: self.source.position(span),
            span: self.source.original_span(span),
            source: Arc::clone(&self.source.original),
        });
    }

    /// What was collected, when there is something for certain.
    pub(crate) fn failed(mut self) -> Diagnostics {
        self.problems.sort_by_key(|p| p.span.offset);
        Diagnostics {
            path: self.source.path.clone(),
            problems: self.problems,
        }
    }

    /// The value, or what was collected.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(self.failed())
        }
    }
}
