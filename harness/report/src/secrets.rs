//! The secrets that are known by value, and finding them in whatever form a text carries them.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::forms::{self, Source, View};

/// A run of this many characters of a secret is hidden; fewer tell little of it.
pub(crate) const RUN: usize = 8;
/// A shorter secret is left alone: hiding it would hide half the log.
pub(crate) const SHORTEST: usize = 4;
/// What the service writes before the secret part of a token. It stands in documents and messages.
const PUBLIC: [&str; 2] = ["oc_perm_", "oc_reg_"];
/// A run shows at least this many characters that are not public.
const PRIVATE_IN_RUN: usize = 4;
/// A beginning of a secret of this length at the end of a line is hidden, and an end at the beginning: a wrapped
/// secret is cut anywhere.
const AT_AN_EDGE: usize = 6;

/// A secret.
#[derive(Clone, Debug)]
struct Secret {
    /// What it is: the placeholder's name.
    name: String,
    /// As it was given.
    value: String,
    /// For comparing: upper and lower case are the same.
    folded: Vec<u8>,
    /// Letters and digits alone.
    letters: Vec<u8>,
}

/// The windows of all secrets in one way to write them, for a search that takes time by the text alone.
#[derive(Clone, Debug, Default)]
struct Windows {
    /// Eight bytes, secret and offset.
    list: BTreeSet<(u64, u32, u32)>,
    /// Whole secrets that are shorter: the first four bytes, and the secret.
    short: BTreeSet<(u32, u32)>,
    /// A bit for the hash of each window: most windows of a text are not looked up at all.
    bits: Vec<u64>,
}

/// Bits of the hash of a window.
const BITS: u32 = 18;

fn hash(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS)) as usize
}

impl Windows {
    fn mark(&mut self, key: u64) {
        if self.bits.is_empty() {
            self.bits = vec![0; 1 << (BITS - 6)];
        }
        let bit = hash(key);
        self.bits[bit / 64] |= 1 << (bit % 64);
    }

    fn may_hold(&self, key: u64) -> bool {
        let bit = hash(key);
        self.bits[bit / 64] & 1 << (bit % 64) != 0
    }

    fn add(&mut self, secret: usize, text: &[u8], public: usize) {
        if text.len() < RUN
            && let Some(start) = text.first_chunk::<SHORTEST>()
        {
            let key = u32::from_be_bytes(*start);
            self.mark(u64::from(key));
            self.short.insert((key, secret as u32));
        }
        for (offset, window) in text.windows(RUN).enumerate() {
            let private = (offset + RUN).saturating_sub(public.max(offset));
            let even = window.iter().all(|b| *b == window[0]);
            if private < PRIVATE_IN_RUN || even {
                continue;
            }
            let key = u64::from_be_bytes(window.try_into().expect("eight bytes"));
            self.mark(key);
            self.list.insert((key, secret as u32, offset as u32));
        }
    }
}

/// Part of a text that shows a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The bytes that show it.
    pub(crate) range: Range<usize>,
    /// Which secret.
    pub(crate) secret: usize,
}

/// All secrets that are known by value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    all: Vec<Secret>,
    /// The secrets by value.
    known: BTreeSet<String>,
    text: Windows,
    letters: Windows,
    /// The last six bytes of a beginning, the secret, and the length of the beginning.
    begins: BTreeSet<(u64, u32, u32)>,
    /// The first six bytes of an end, the secret, and the length of the end.
    ends: BTreeSet<(u64, u32, u32)>,
}

/// Six bytes as a number.
fn six(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(AT_AN_EDGE)
        .fold(0, |key, b| key << 8 | u64::from(b.to_ascii_lowercase()))
}

/// Secret and number of the entries of `set` with this key.
fn with_key(set: &BTreeSet<(u64, u32, u32)>, key: u64) -> impl Iterator<Item = (usize, usize)> {
    set.range((key, 0, 0)..=(key, u32::MAX, u32::MAX))
        .map(|(_, secret, n)| (*secret as usize, *n as usize))
}

impl Secrets {
    /// Adds a secret. True: it was not known.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> bool {
        if value.len() < SHORTEST || !self.known.insert(value.to_owned()) {
            return false;
        }
        let folded = value.to_ascii_lowercase().into_bytes();
        let is_letter = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80;
        let letters: Vec<u8> = folded.iter().copied().filter(is_letter).collect();
        let public = PUBLIC
            .iter()
            .find(|p| value.starts_with(**p))
            .map_or(0, |p| p.len());
        let index = self.all.len();
        self.text.add(index, &folded, public);
        // Spaced out, a short text is not told from others.
        if letters.len() >= RUN {
            let public_letters = folded[..public].iter().filter(|b| is_letter(b)).count();
            self.letters.add(index, &letters, public_letters);
        }
        // Longer ones are runs.
        let whole = folded.len();
        for len in (AT_AN_EDGE..RUN).filter(|len| public + len < whole) {
            let begin = public + len;
            let key = six(&folded[begin - AT_AN_EDGE..begin]);
            self.begins.insert((key, index as u32, begin as u32));
            let key = six(&folded[whole - len..]);
            self.ends.insert((key, index as u32, len as u32));
        }
        self.all.push(Secret {
            name: name.to_owned(),
            value: value.to_owned(),
            folded,
            letters,
        });
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What a secret is, and its value.
    pub(crate) fn get(&self, index: usize) -> (&str, &str) {
        let secret = &self.all[index];
        (&secret.name, &secret.value)
    }

    /// Name and value of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|s| (s.name.as_str(), s.value.as_str()))
    }

    /// Everything of `bytes` that shows a secret, in no order; parts may overlap.
    pub(crate) fn find(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        if self.all.is_empty() || bytes.len() < SHORTEST {
            return found;
        }
        let visible = forms::visible(bytes);
        let source = Source {
            bytes,
            view: visible.as_ref(),
        };
        self.find_in(source, &mut found);
        // Escapes may be escaped again, by percent in a backslash for instance.
        let mut inner = forms::unescaped(bytes, visible.as_ref());
        for _ in 0..2 {
            let Some(view) = inner else { break };
            let source = Source {
                bytes,
                view: Some(&view),
            };
            self.find_in(source, &mut found);
            inner = forms::unescaped(bytes, Some(&view)).filter(|next| next.bytes.len() < view.bytes.len());
        }
        found
    }

    fn find_in(&self, source: Source<'_>, found: &mut Vec<Found>) {
        let text = source.text();
        self.search(
            text,
            &self.text,
            |s| &s.folded,
            |range| source.origin(range),
            found,
        );
        self.at_the_edges(source, found);
        let letters = forms::letters(source);
        if letters.bytes.len() < text.len() {
            self.search(
                &letters.bytes,
                &self.letters,
                |s| &s.letters,
                |r| letters.original(r),
                found,
            );
        }
        let reversed = forms::reversed(source);
        self.search(
            &reversed.bytes,
            &self.text,
            |s| &s.folded,
            |r| reversed.original(r),
            found,
        );
        let mut view = |view: &View| {
            self.search(
                &view.bytes,
                &self.text,
                |s| &s.folded,
                |range| view.original(range),
                found,
            );
        };
        forms::hexadecimal(source, &mut view);
        forms::numbers(source, &mut view);
        forms::base64(source, &mut view);
    }

    /// Looks for windows of secrets in `text`, and makes each hit as long as it goes.
    fn search<'s>(
        &'s self,
        text: &[u8],
        windows: &Windows,
        of: impl Fn(&'s Secret) -> &'s [u8],
        origin: impl Fn(Range<usize>) -> Range<usize>,
        found: &mut Vec<Found>,
    ) {
        if text.len() < SHORTEST || windows.bits.is_empty() {
            return;
        }
        let at = |i: usize| text[i].to_ascii_lowercase();
        let mut key = 0_u64;
        let mut done = 0;
        for end in 1..=text.len() {
            key = key << 8 | u64::from(at(end - 1));
            if end >= SHORTEST && !windows.short.is_empty() && windows.may_hold(key & 0xffff_ffff) {
                let start = end - SHORTEST;
                let first = (key & 0xffff_ffff) as u32;
                for (_, secret) in windows.short.range((first, 0)..=(first, u32::MAX)) {
                    let wanted = of(&self.all[*secret as usize]);
                    let fits = text.len() - start >= wanted.len()
                        && wanted.iter().enumerate().all(|(i, b)| at(start + i) == *b);
                    if fits {
                        found.push(Found {
                            range: origin(start..start + wanted.len()),
                            secret: *secret as usize,
                        });
                    }
                }
            }
            if end < RUN || end <= done || !windows.may_hold(key) {
                continue;
            }
            let start = end - RUN;
            // The one that goes furthest.
            let mut best: Option<(Range<usize>, usize)> = None;
            for (secret, offset) in with_key(&windows.list, key) {
                let wanted = of(&self.all[secret]);
                let (mut from, mut o) = (start, offset);
                while from > 0 && o > 0 && at(from - 1) == wanted[o - 1] {
                    (from, o) = (from - 1, o - 1);
                }
                let (mut to, mut o) = (end, offset + RUN);
                while to < text.len() && o < wanted.len() && at(to) == wanted[o] {
                    (to, o) = (to + 1, o + 1);
                }
                if best.as_ref().is_none_or(|(b, _)| to - from > b.len()) {
                    best = Some((from..to, secret));
                }
            }
            if let Some((range, secret)) = best {
                done = range.end;
                found.push(Found {
                    range: origin(range),
                    secret,
                });
            }
        }
    }

    /// The beginning of a secret at the end of a line, and its end at the beginning of one: the rest stands on the
    /// next line, or on the one before.
    fn at_the_edges(&self, source: Source<'_>, found: &mut Vec<Found>) {
        let text = source.text();
        if text.len() < AT_AN_EDGE {
            return;
        }
        for (secret, len) in with_key(&self.begins, six(&text[text.len() - AT_AN_EDGE..])) {
            let begin = &self.all[secret].folded[..len];
            let start = text.len().saturating_sub(len);
            if text[start..].eq_ignore_ascii_case(begin) {
                let range = source.origin(start..text.len());
                found.push(Found { range, secret });
            }
        }
        for (secret, len) in with_key(&self.ends, six(text)) {
            let whole = &self.all[secret].folded;
            if text.len() >= len && text[..len].eq_ignore_ascii_case(&whole[whole.len() - len..]) {
                let range = source.origin(0..len);
                found.push(Found { range, secret });
            }
        }
    }

    /// The parts of `bytes` that show a secret just as it is, in any case.
    pub(crate) fn find_plain(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        self.search(bytes, &self.text, |s| &s.folded, |range| range, &mut found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        let mut secrets = Secrets::default();
        secrets.add("session", "0123456789abcdef0123456789abcdef");
        secrets.add("permanent-token", "oc_perm_fedcba98765432100123456789abcdef");
        secrets.add("wifi-password", "pa55 w0rd");
        secrets.add("pin", "x7Kq");
        let mut found = secrets.find(text.as_bytes());
        found.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
        // Views show the same again, or a part of it.
        let mut end = 0;
        found.retain(|f| {
            let is_more = f.range.end > end;
            end = end.max(f.range.end);
            is_more
        });
        found.into_iter().map(|f| &text[f.range]).collect()
    }

    #[test]
    fn runs_are_found_as_long_as_they_go_and_public_text_is_left() {
        assert_eq!(parts("x 6789ABCDEF01 y"), ["6789ABCDEF01"]);
        assert_eq!(parts("token oc_perm_ and oc_perm_abc"), [""; 0]);
        assert_eq!(parts("token oc_perm_fedc!"), ["oc_perm_fedc"]);
        assert_eq!(parts("pin x7kq."), ["x7kq"]);
        assert_eq!(parts("0123456 89abcde"), [""; 0], "seven characters are no run");
        assert_eq!(parts("00000000 11111111"), [""; 0]);
    }

    #[test]
    fn edges_of_a_wrapped_secret_are_found() {
        assert_eq!(parts("the session is 012345"), ["012345"]);
        assert_eq!(parts("abcdef is its end"), ["abcdef"]);
        assert_eq!(parts("in 012345 the middle"), [""; 0]);
    }
}
