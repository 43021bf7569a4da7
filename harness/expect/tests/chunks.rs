//! Tests that the division of the bytes into pieces does not change the results.

use expect::{Checker, Hit, LineAssembler, SerialMatcher};
use proptest::prelude::*;
use scenario::{Format, Pattern, Regex};
use sim::Instant;
use vocabulary::{Event, Kind, SerialPort};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

const PORT: SerialPort = SerialPort::Uart0;

const TEXTS: [&str; 3] = ["ab", "aab", "b\ra"];
const EXPRESSIONS: [&str; 6] = ["^a+b", "ab$", "a.*b", r"(?-u:\b)a(?-u:\b)", "a|bb", "^$"];

fn regex(expression: &str) -> Regex {
    Regex::new(expression).unwrap()
}

/// The hits with their offsets in the whole stream.
fn hits(pieces: &[&[u8]]) -> Vec<Hit> {
    let mut matcher = SerialMatcher::new();
    for text in TEXTS {
        matcher.add(Pattern::Text(text));
    }
    for expression in EXPRESSIONS {
        matcher.add(Pattern::Regex(&regex(expression)));
    }
    let mut all = Vec::new();
    let mut base = 0;
    for piece in pieces {
        all.extend(matcher.feed(PORT, piece).into_iter().map(|h| Hit {
            offset: h.offset + base,
            ..h
        }));
        base += piece.len();
    }
    all.extend(matcher.end_lines().into_iter().map(|h| Hit { offset: base, ..h }));
    all
}

/// The same counts by another method: complete lines and plain search, without offsets.
fn counts_by_lines(bytes: &[u8]) -> Vec<usize> {
    let mut assembler = LineAssembler::default();
    let mut lines = assembler.push(PORT, bytes);
    lines.extend(assembler.flush());
    let holding = |found: &dyn Fn(&str) -> bool| lines.iter().filter(|(_, line)| found(line)).count();
    let texts = TEXTS.iter().map(|text| holding(&|line| line.contains(text)));
    let expressions = EXPRESSIONS.iter().map(|expression| {
        let regex = regex_automata::meta::Regex::new(expression).unwrap();
        holding(&|line| regex.is_match(line))
    });
    texts.chain(expressions).collect()
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for to in cuts {
        pieces.push(&bytes[from..to]);
        from = to;
    }
    pieces.push(&bytes[from..]);
    pieces
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(
        prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n'), Just(b'\r'), Just(b' ')],
        0..60,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(bytes in stream(), cuts in proptest::collection::vec(0usize..100, 0..10)) {
        prop_assert_eq!(hits(&cut(&bytes, &cuts)), hits(&[&bytes]));
    }

    #[test]
    fn hits_are_the_lines_that_match(bytes in stream()) {
        let hits = hits(&[&bytes]);
        let counts: Vec<usize> =
            (0..TEXTS.len() + EXPRESSIONS.len()).map(|p| hits.iter().filter(|h| h.pattern == p).count()).collect();
        prop_assert_eq!(counts, counts_by_lines(&bytes));
    }

    #[test]
    fn results_are_the_same(bytes in stream(), cuts in proptest::collection::vec(0usize..100, 0..10)) {
        let text = "name: t\nversion: 1\nexpect:\n  - serial: {text: ab, count: 2}\n  - serial-order: [a, b, ' ', ab]\n  \
                    - no-serial: {regex: 'b$', after: {serial: ab}}\n  - serial: {text: a, after: {serial: b}}\n  \
                    - interval: {from: {serial: a}, to: {serial: b}, max: 1s}\n";
        let scenario = FORMAT.parse("t", text).unwrap();
        let run = |pieces: &[&[u8]]| {
            let mut checker = Checker::new(&scenario);
            for piece in pieces {
                let kind = Kind::SerialChunk { port: PORT, bytes: piece.to_vec() };
                checker.observe(&Event { at: Instant::from_secs(1), kind });
            }
            checker.finish(Instant::from_secs(30))
        };
        prop_assert_eq!(run(&cut(&bytes, &cuts)), run(&[&bytes]));
    }
}

#[test]
fn a_hit_comes_with_the_byte_that_completes_it() {
    let mut matcher = SerialMatcher::new();
    let login = matcher.add(Pattern::Regex(&regex("login: ")));
    let end = matcher.add(Pattern::Regex(&regex("in:$")));
    assert_eq!(matcher.add(Pattern::Regex(&regex("login: "))), login);
    assert_eq!(matcher.feed(PORT, b"\nlogi"), []);
    assert_eq!(matcher.feed(SerialPort::UsbSerialJtag, b"n: "), []);
    assert_eq!(
        matcher.feed(PORT, b"n: x"),
        [Hit {
            offset: 2,
            pattern: login
        }]
    );
    assert_eq!(matcher.feed(PORT, b"\nlogin:"), []);
    assert_eq!(matcher.feed(PORT, b"\r"), []);
    assert_eq!(
        matcher.feed(PORT, b"\n"),
        [Hit {
            offset: 0,
            pattern: end
        }]
    );
}

#[test]
fn lines_without_an_end_stay_bounded_and_linear() {
    let mut matcher = SerialMatcher::new();
    matcher.add(Pattern::Regex(&regex("(a|b|ab)*c")));
    matcher.add(Pattern::Text("aaaaaaaaaaaaaaaaaaaaaaaaab"));
    let mut hits = 0;
    for _ in 0..256 {
        hits += matcher.feed(PORT, &[b'a'; 4096]).len();
    }
    assert_eq!(hits, 0);
}
