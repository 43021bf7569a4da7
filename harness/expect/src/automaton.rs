//! Automata that find a pattern in one line, fed byte by byte.

use std::fmt;

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::look::Look;
use regex_automata::util::start;
use scenario::{Pattern, Regex};

/// Why a step of an automaton cannot fail: it has no minimum of bytes for each state, so a full cache is no error, and
/// no bytes at which it quits.
const NEVER_GIVES_UP: &str = "the automaton never gives up";

/// Finds a pattern in a line; after the first hit it ignores the rest of the line.
#[derive(Debug)]
pub(crate) enum Automaton {
    Literal(Literal),
    Regex(Box<Expression>),
}

impl Automaton {
    /// An automaton for a pattern of a checked scenario; an expression that cannot be compiled never matches.
    pub(crate) fn new(pattern: Pattern<'_>) -> Automaton {
        match pattern {
            Pattern::Text(text) => Automaton::Literal(Literal::new(text.as_bytes())),
            Pattern::Regex(regex) => Automaton::Regex(Box::new(Expression::new(regex))),
        }
    }

    /// Takes bytes of a line, without a line end; `line` is the text of the line before them. Returns the
    /// index of the byte that completes the pattern.
    pub(crate) fn feed(&mut self, line: &[u8], bytes: &[u8]) -> Option<usize> {
        match self {
            Automaton::Literal(a) => a.feed(bytes),
            Automaton::Regex(a) => a.feed(line, bytes),
        }
    }

    /// Ends the line. Returns true if its end completes the pattern.
    pub(crate) fn end_line(&mut self) -> bool {
        match self {
            Automaton::Literal(a) => {
                (a.matched, a.hit) = (0, false);
                false
            }
            Automaton::Regex(a) => a.end_line(),
        }
    }
}

/// A text, searched by the algorithm of Knuth, Morris and Pratt ("Fast Pattern Matching in Strings", 1977).
#[derive(Debug)]
pub(crate) struct Literal {
    needle: Vec<u8>,
    /// Length of the longest border for each length of a match.
    borders: Vec<usize>,
    matched: usize,
    hit: bool,
}

impl Literal {
    pub(crate) fn new(needle: &[u8]) -> Literal {
        let mut borders = vec![0; needle.len() + 1];
        let mut border = 0;
        for i in 1..needle.len() {
            while border > 0 && needle[i] != needle[border] {
                border = borders[border];
            }
            if needle[i] == needle[border] {
                border += 1;
            }
            borders[i + 1] = border;
        }
        Literal {
            needle: needle.to_vec(),
            borders,
            matched: 0,
            hit: false,
        }
    }

    /// Drops a hit, so that the next one is found right after it.
    pub(crate) fn restart(&mut self) {
        (self.matched, self.hit) = (0, false);
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let first = self.needle.first().filter(|_| !self.hit)?;
        let mut i = 0;
        while i < bytes.len() {
            if self.matched == 0 {
                i += bytes[i..].iter().position(|b| b == first)?;
            }
            while self.matched > 0 && bytes[i] != self.needle[self.matched] {
                self.matched = self.borders[self.matched];
            }
            if bytes[i] == self.needle[self.matched] {
                self.matched += 1;
            }
            if self.matched == self.needle.len() {
                (self.matched, self.hit) = (0, true);
                return Some(i);
            }
            i += 1;
        }
        None
    }
}

/// A regular expression as a lazy deterministic automaton.
pub(crate) struct Expression {
    dfa: DFA,
    cache: Cache,
    /// State of the automaton; `None` before the first byte of a line.
    state: Option<LazyStateID>,
    /// True if it looks ahead (`$`, `\b`): then a match is known one byte later, or when the line ends.
    /// Otherwise it is known at once, so that a prompt without a line end is found.
    looks_ahead: bool,
    hit: bool,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("hit", &self.hit)
            .finish_non_exhaustive()
    }
}

impl Expression {
    fn new(regex: &Regex) -> Expression {
        let dfa = regex.automaton().clone();
        let looks_ahead = dfa
            .get_nfa()
            .look_set_any()
            .iter()
            .any(|look| look != Look::Start);
        let cache = dfa.create_cache();
        Expression {
            dfa,
            cache,
            state: None,
            looks_ahead,
            hit: false,
        }
    }

    fn start(&mut self) -> LazyStateID {
        let config = start::Config::new().anchored(Anchored::No);
        let state = self.dfa.start_state(&mut self.cache, &config);
        state.expect(NEVER_GIVES_UP)
    }

    fn next(&mut self, state: LazyStateID, byte: u8) -> LazyStateID {
        let state = self.dfa.next_state(&mut self.cache, state, byte);
        state.expect(NEVER_GIVES_UP)
    }

    fn end(&mut self, state: LazyStateID) -> LazyStateID {
        let state = self.dfa.next_eoi_state(&mut self.cache, state);
        state.expect(NEVER_GIVES_UP)
    }

    fn feed(&mut self, line: &[u8], bytes: &[u8]) -> Option<usize> {
        if self.hit {
            return None;
        }
        let mut state = match self.state {
            Some(state) => state,
            None => self.start(),
        };
        for (i, byte) in bytes.iter().enumerate() {
            state = self.next(state, *byte);
            if state.is_match() {
                // The automaton reports a match one byte late. It is reported here in any case, so that the
                // division of the bytes into pieces has no effect.
                self.hit = true;
                return Some(i);
            }
            if self.looks_ahead {
                continue;
            }
            let clears = self.cache.clear_count();
            let ended = self.end(state);
            if ended.is_match() {
                self.hit = true;
                return Some(i);
            }
            if self.cache.clear_count() != clears {
                state = self.replay(line, &bytes[..=i]);
            }
        }
        self.state = Some(state);
        None
    }

    /// The state after `line` and `bytes`, when the cache has dropped it.
    fn replay(&mut self, line: &[u8], bytes: &[u8]) -> LazyStateID {
        let mut state = self.start();
        for byte in line.iter().chain(bytes) {
            state = self.next(state, *byte);
        }
        state
    }

    fn end_line(&mut self) -> bool {
        let state = self.state.take();
        if std::mem::take(&mut self.hit) {
            return false;
        }
        // An empty line has an end too.
        let state = match state {
            Some(state) => state,
            None => self.start(),
        };
        self.end(state).is_match()
    }
}
