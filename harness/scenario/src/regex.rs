//! Regular expressions for the serial console: compiled when the file is read, so that none of a checked scenario can
//! fail to compile later, and small enough to be matched in bounded memory and time.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::hir::Hir;

use crate::located::{Located, Span};
use crate::read::{Cx, Read, Type};
use crate::tree::Node;

/// Most bytes of a compiled expression. A byte of the console costs a step through it at most.
const MAX_COMPILED: usize = 256 << 10;
/// Memory of the automaton while it is matched: what it has worked out is forgotten when this is full, bytes.
const CACHE: usize = 4 << 20;

/// A regular expression (syntax of the crate `regex`) that is searched in single lines.
#[derive(Clone)]
pub struct Regex {
    source: String,
    automaton: Arc<DFA>,
}

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it: the message, and the bytes of the expression that it is about.
    pub fn new(source: &str) -> Result<Regex, RegexError> {
        let hir = parse(source, false)?;
        if hir.properties().look_set().contains_word_unicode() {
            // A streaming automaton knows words of ASCII only.
            let message = r"`\b` of Unicode is not supported";
            return Err(RegexError::whole(message, r"write `(?-u:\b)` instead of `\b`"));
        }
        let nfa = compile(&hir)?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE)
            .skip_cache_capacity_check(true);
        let automaton = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa)
            .map_err(|why| RegexError::whole(format!("not a regular expression: {why}"), ""))?;
        Ok(Regex {
            source: source.to_owned(),
            automaton: Arc::new(automaton),
        })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The automaton that finds it; it has no captures and reports the earliest match.
    pub fn automaton(&self) -> &DFA {
        &self.automaton
    }
}

impl Deref for Regex {
    type Target = str;

    fn deref(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.source == other.source
    }
}

impl Eq for Regex {}

impl PartialOrd for Regex {
    fn partial_cmp(&self, other: &Regex) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Regex {
    fn cmp(&self, other: &Regex) -> std::cmp::Ordering {
        self.source.cmp(&other.source)
    }
}

/// What is wrong with a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegexError {
    message: String,
    help: &'static str,
    /// The bytes of the expression that are meant; `None`: all of it.
    part: Option<(usize, usize)>,
}

impl RegexError {
    fn whole(message: impl Into<String>, help: &'static str) -> RegexError {
        RegexError {
            message: message.into(),
            help,
            part: None,
        }
    }
}

/// The expression as a tree. `utf8`: it is matched with text and not with bytes.
fn parse(source: &str, utf8: bool) -> Result<Hir, RegexError> {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(utf8).build();
    let (inside, kind) = match parser.parse(source) {
        Ok(hir) if hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty() => {
            return Err(RegexError::whole(
                "the expression matches an empty text, so every line",
                "",
            ));
        }
        Ok(hir) => return Ok(hir),
        Err(regex_syntax::Error::Parse(e)) => (*e.span(), e.kind().to_string()),
        Err(regex_syntax::Error::Translate(e)) => (*e.span(), e.kind().to_string()),
        // No other kind is known to this version of the library.
        Err(e) => return Err(RegexError::whole(format!("not a regular expression: {e}"), "")),
    };
    Err(RegexError {
        message: format!(
            "not a regular expression: {kind}, at character {}",
            inside.start.column
        ),
        help: "",
        part: Some((inside.start.offset, inside.end.offset)),
    })
}

fn compile(hir: &Hir) -> Result<NFA, RegexError> {
    let config = thompson::Config::new()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_COMPILED));
    let compiled = thompson::Compiler::new().configure(config).build_from_hir(hir);
    compiled.map_err(|why| match why.size_limit() {
        Some(_) => RegexError::whole(
            format!(
                "the expression takes more than {} KiB when it is compiled",
                MAX_COMPILED >> 10
            ),
            r"repeat less: `[0-9A-Za-z_]` is much smaller than `\w`, and `x+` than `x{1,1000}`",
        ),
        None => RegexError::whole(format!("not a regular expression: {why}"), ""),
    })
}

/// Checks an expression that is matched with whole lines after the run, by the crate `regex`.
pub(crate) fn check_for_lines(expression: &Located<String>, whole: Span, cx: &mut Cx<'_>) {
    let checked = parse(expression, true).and_then(|hir| compile(&hir).map(|_| ()));
    if let Err(why) = checked {
        tell(&why, &expression.value, expression.span.or(whole), cx);
    }
}

impl Read for Regex {
    const TYPE: Type = Type::Text;

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Regex> {
        let text = crate::scalar::text(node, "a regular expression", cx)?;
        match Regex::new(&text.text) {
            Ok(regex) => Some(regex),
            Err(why) => {
                tell(&why, &text.text, node.span, cx);
                None
            }
        }
    }
}

/// Notes what is wrong, at the character that is wrong where the text stands in the file as it is, without escapes of
/// YAML.
fn tell(why: &RegexError, source: &str, span: Span, cx: &mut Cx<'_>) {
    let exact = span.len == source.len() || span.len == source.len() + 2;
    let Some((start, end)) = why.part.filter(|_| exact) else {
        cx.problem(span, &why.message, "this expression", why.help);
        return;
    };
    let quote = (span.len - source.len()) / 2;
    let place = Span {
        offset: span.offset + quote + start,
        len: end.saturating_sub(start).max(1),
        ..span
    };
    cx.problem(place, &why.message, "here", why.help);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_bounded() {
        for bomb in [
            "(((((a{100}){100}){100}){100}){100})",
            r"(\w{100}){100}",
            "a{100000}",
            r"\pL{1000}",
        ] {
            let error = Regex::new(bomb).unwrap_err();
            assert!(error.to_string().contains("more than 256 KiB"), "{error}");
        }
        for fine in [
            r"^\[UPDATE\] [0-9a-f]{32}$",
            r"\w+: \d{1,5} \S+",
            "panicked|Guru Meditation",
            "(ab){1,100}c",
        ] {
            assert_eq!(Regex::new(fine).unwrap().as_str(), fine);
        }
    }
}
