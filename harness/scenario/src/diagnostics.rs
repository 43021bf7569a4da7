//! What is wrong with a scenario file, with the place and what to do about it.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode, SourceSpan, SpanContents,
};

use crate::located::Span;

/// Mistakes of a file that are shown; of more, their number.
const MOST_SHOWN: usize = 20;
/// Longest message and longest help, characters.
const MOST_TEXT: usize = 600;
/// Characters of a line before a place, and from it on, that are shown.
const WINDOW: (usize, usize) = (40, 48);

/// One thing that is wrong, or may be.
#[derive(Clone, Debug)]
pub struct Problem {
    message: String,
    label: String,
    help: Option<String>,
    span: Span,
    /// Written before the message where the file is known: `path:line:column`.
    position: String,
    severity: Severity,
    excerpt: Arc<Excerpt>,
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

    /// Whether the file is right all the same.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }

    /// The text for a person, with its piece of the file. `colour` adds ANSI colours, `width` is the width of the
    /// terminal in columns.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let mut out = String::new();
        // A String as a sink does not fail.
        let _ = handler(colour, width).render_report(&mut out, self);
        out
    }
}

impl Problem {
    /// One line: `path:line:column: message (help)`.
    pub fn line(&self) -> String {
        let help = self
            .help
            .as_ref()
            .map_or_else(String::new, |help| format!(" ({help})"));
        format!("{}: {}{help}", self.position, self.message)
    }
}

fn handler(colour: bool, width: usize) -> miette::GraphicalReportHandler {
    let theme = if colour {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    miette::GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_context_lines(1)
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

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, len) = self.excerpt.label;
        let label = LabeledSpan::new(Some(self.label.clone()), offset, len);
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
        for (i, problem) in self.problems.iter().take(MOST_SHOWN).enumerate() {
            let break_before = if i == 0 { "" } else { "\n" };
            write!(f, "{break_before}{}", problem.line())?;
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
        let mut out = format!("{}\n", Heading(self));
        for problem in self.problems.iter().take(MOST_SHOWN) {
            out.push_str(&problem.render(colour, width));
        }
        if self.problems.len() > MOST_SHOWN {
            out.push_str(&format!("… and {} more\n", self.problems.len() - MOST_SHOWN));
        }
        out
    }
}

/// The file that is read: its name, its text, and where parameters were put into it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) original: Arc<str>,
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
        Source {
            path: path.to_owned(),
            original: text.into(),
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
        let text: &str = &self.original;
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

/// A piece of a file around a place: the line, its neighbours, and of long lines a window.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    /// Where the place begins in the piece, and its length, bytes.
    label: (usize, usize),
    /// The first line of the piece, from 0.
    first_line: usize,
    /// The line and the column of the place in the file, from 0.
    place: (usize, usize),
}

impl Excerpt {
    fn new(path: &str, text: &str, span: Span) -> Excerpt {
        let offset = span.offset.min(text.len());
        let line_start = text[..offset].rfind('\n').map_or(0, |n| n + 1);
        let before = text[..line_start].strip_suffix('\n').map(|head| {
            let head = head.strip_suffix('\r').unwrap_or(head);
            let start = head.rfind('\n').map_or(0, |n| n + 1);
            &head[start..]
        });
        let rest = &text[line_start..];
        let line_len = rest.find('\n').unwrap_or(rest.len());
        let line = rest[..line_len].trim_end_matches('\r');
        let after = rest.get(line_len + 1..).and_then(|rest| rest.lines().next());
        let inside = (offset - line_start).min(line.len());
        let (shown, inside) = window(line, inside);
        let mut excerpt = String::new();
        if let Some(before) = before {
            excerpt.push_str(&window(before, 0).0);
            excerpt.push('\n');
        }
        let start = excerpt.len() + inside;
        excerpt.push_str(&shown);
        let end = excerpt.len();
        if let Some(after) = after {
            excerpt.push('\n');
            excerpt.push_str(&window(after, 0).0);
        }
        let line_number = usize::try_from(span.line.max(1) - 1).unwrap_or(0);
        Excerpt {
            name: path.to_owned(),
            text: excerpt,
            label: (start, span.len.min(end - start)),
            first_line: line_number.saturating_sub(usize::from(before.is_some())),
            place: (line_number, usize::try_from(span.column.max(1) - 1).unwrap_or(0)),
        }
    }
}

/// The part of a long line around a byte of it, and where that byte is in the part.
fn window(line: &str, at: usize) -> (String, usize) {
    let at = (0..=at).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let start = line[..at]
        .char_indices()
        .rev()
        .nth(WINDOW.0)
        .map_or(0, |(n, _)| n);
    let end = line[at..]
        .char_indices()
        .nth(WINDOW.1)
        .map_or(line.len(), |(n, _)| at + n);
    let head = if start > 0 { "…" } else { "" };
    let tail = if end < line.len() { "…" } else { "" };
    (
        format!("{head}{}{tail}", &line[start..end]),
        head.len() + at - start,
    )
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        // The library asks for the place alone to name it, and for the lines around it to show them.
        let (line, column) = if before == 0 && after == 0 {
            self.place
        } else {
            (self.first_line + inner.line(), inner.column())
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            line,
            column,
            inner.line_count(),
        )))
    }
}

/// Collects problems.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(source: &'a Source) -> Collector<'a> {
        Collector {
            source,
            problems: Vec::new(),
            warnings: Vec::new(),
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
        let problem = self.problem(span, message.into(), label, &help.into(), Severity::Error);
        self.problems.push(problem);
    }

    /// Notes a warning.
    pub(crate) fn warn(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        let problem = self.warning(span, message.into(), label, &help.into());
        self.warnings.push(problem);
    }

    /// A warning by itself.
    pub(crate) fn warning(&self, span: Span, message: String, label: &str, help: &str) -> Problem {
        self.problem(span, message, label, help, Severity::Warning)
    }

    fn problem(&self, span: Span, message: String, label: &str, help: &str, severity: Severity) -> Problem {
        let span = self.source.original_span(span);
        let path = &self.source.path;
        Problem {
            message: shortened(&message),
            label: label.to_owned(),
            help: (!help.is_empty()).then(|| shortened(help)),
            position: format!("{path}:{}:{}", span.line, span.column),
            span,
            severity,
            excerpt: Arc::new(Excerpt::new(path, &self.source.original, span)),
        }
    }

    /// What was collected, when there is something for certain.
    pub(crate) fn failed(mut self) -> Diagnostics {
        self.problems.sort_by_key(|p| p.span.offset);
        Diagnostics {
            path: self.source.path.clone(),
            problems: self.problems,
        }
    }

    /// The warnings, or the mistakes.
    pub(crate) fn finish(mut self) -> Result<Vec<Problem>, Diagnostics> {
        if self.problems.is_empty() {
            self.warnings.sort_by_key(|p| p.span.offset);
            Ok(self.warnings)
        } else {
            Err(self.failed())
        }
    }
}

/// A text that may hold some of the file, not longer than a person reads.
fn shortened(text: &str) -> String {
    let cut = text.char_indices().nth(MOST_TEXT).map(|(n, _)| n);
    let shown = cut.map_or(text, |cut| &text[..cut]);
    let mut out: String = shown
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if cut.is_some() {
        out.push('…');
    }
    out
}
