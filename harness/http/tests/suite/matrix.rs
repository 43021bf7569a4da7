//! Every directive at every phase, through a connection: it has its effect, or [`able`] says that it cannot.

use std::time::Duration;

use http_service::{
    ActiveExchange, Chunking, ConnId, Connection, Cut, Directive, Ending, Interposer, Pace, Phase, Reply,
    Service, able,
};
use sim::Instant;

use crate::echo::{Echo, open, talk};

const PHASES: [Phase; 4] = [
    Phase::FirstByte,
    Phase::BeforeEffect,
    Phase::AfterEffect,
    Phase::AfterReply,
];

const HELLO: &str = "POST /echo HTTP/1.1\r\nHost: echo\r\nContent-Length: 5\r\n\r\nhello";
const WHOLE: &str =
    "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 5\r\n\r\nhello";

/// The index of a directive in [`directives`]; a new one does not compile without a place there.
fn index(directive: &Directive) -> usize {
    match directive {
        Directive::Respond(_) => 0,
        Directive::Delay(_) => 1,
        Directive::Silence => 2,
        Directive::Close => 3,
        Directive::Abort => 4,
        Directive::Cut(_) => 5,
        Directive::CutRequest(_) => 6,
        Directive::Dribble(_) => 7,
        Directive::Raw(_) => 8,
        Directive::Duplicate => 9,
        Directive::Interim(_) => 10,
        Directive::Chunked(_) => 11,
    }
}

fn directives() -> [Directive; 12] {
    [
        Directive::Respond(Reply::new(418)),
        Directive::Delay(Duration::from_secs(7)),
        Directive::Silence,
        Directive::Close,
        Directive::Abort,
        Directive::Cut(Cut {
            after: 10,
            then: Some(Ending::Close),
        }),
        Directive::CutRequest(Cut {
            after: 25,
            then: Some(Ending::Abort),
        }),
        Directive::Dribble(Pace {
            chunk: 1,
            every: Duration::from_secs(1),
            head_at_once: false,
        }),
        Directive::Raw(b"\xff\x00raw".to_vec()),
        Directive::Duplicate,
        Directive::Interim(Reply::new(103).with_header("link", "</a>")),
        Directive::Chunked(Chunking {
            size: 2,
            trailer: vec![("x-sum".to_owned(), "1".to_owned())],
        }),
    ]
}

/// Strikes at one phase: requests whose endpoint is known, or any.
struct Strike {
    phase: Phase,
    directive: Directive,
    named: bool,
    left: u32,
}

impl Interposer for Strike {
    fn at(
        &mut self,
        _: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        _: &mut dyn Service,
    ) -> Vec<Directive> {
        if phase != self.phase || (self.named && exchange.endpoint.is_none()) || self.left == 0 {
            return Vec::new();
        }
        self.left -= 1;
        vec![self.directive.clone()]
    }

    fn broke_off(&mut self, _: Instant, _: ConnId, _: &str) {}
}

fn strike(phase: Phase, directive: &Directive, named: bool) -> Strike {
    Strike {
        phase,
        directive: directive.clone(),
        named,
        left: 1,
    }
}

fn take(conn: &mut Connection, now: Instant) -> Vec<u8> {
    conn.poll(now);
    conn.take_output()
}

/// What the device's side sees of the strike, and how often the service was reached.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    first: Vec<u8>,
    after_7_s: Vec<u8>,
    ending: Option<Ending>,
    /// The reply to a second request, after the first has been seen to its end.
    second: Vec<u8>,
    served: u32,
}

fn see(phase: Phase, directive: &Directive) -> Seen {
    let (origin, mut conn) = open(strike(phase, directive, true));
    conn.receive(Instant::ZERO, HELLO.as_bytes());
    let first = take(&mut conn, Instant::ZERO);
    let after_7_s = take(&mut conn, Instant::from_secs(7));
    let ending = conn.ending();
    let served = origin.borrow().get::<Echo>().served;
    conn.receive(Instant::from_secs(70), HELLO.as_bytes());
    let second = take(&mut conn, Instant::from_secs(70));
    Seen {
        first,
        after_7_s,
        ending,
        second,
        served,
    }
}

#[test]
fn every_cell_has_its_effect_or_is_refused() {
    for (n, directive) in directives().iter().enumerate() {
        assert_eq!(index(directive), n);
        for phase in PHASES {
            let what = format!("{directive:?} at {phase:?}");
            let seen = see(phase, directive);
            if !able(phase, directive) {
                let untouched = (seen.first.as_slice(), seen.ending, seen.served);
                assert_eq!(untouched, (WHOLE.as_bytes(), None, 1), "{what}");
                assert!(seen.second.starts_with(b"HTTP/1.1 200"), "{what}");
                continue;
            }
            let replied = phase == Phase::AfterReply;
            let no_reply: &[u8] = if replied { WHOLE.as_bytes() } else { b"" };
            let has_effect = phase >= Phase::AfterEffect;
            let served = match directive {
                Directive::Silence | Directive::Close | Directive::Abort | Directive::Respond(_) => {
                    u32::from(has_effect)
                }
                Directive::CutRequest(_) => 0,
                Directive::Delay(_)
                | Directive::Cut(_)
                | Directive::Dribble(_)
                | Directive::Raw(_)
                | Directive::Duplicate
                | Directive::Interim(_)
                | Directive::Chunked(_) => u32::from(has_effect || seen.served == 1),
            };
            assert_eq!(seen.served, served, "{what}");
            match directive {
                Directive::Respond(_) => assert!(seen.first.starts_with(b"HTTP/1.1 418"), "{what}"),
                Directive::Delay(_) => {
                    assert_eq!(seen.first, b"", "{what}");
                    assert!(seen.after_7_s.starts_with(b"HTTP/1.1 200"), "{what}");
                }
                Directive::Silence => {
                    assert_eq!((seen.first.as_slice(), seen.ending), (no_reply, None), "{what}");
                    assert_eq!(seen.second, b"", "{what}: nothing is answered any more");
                }
                Directive::Close | Directive::Abort => {
                    let ending = if *directive == Directive::Close {
                        Ending::Close
                    } else {
                        Ending::Abort
                    };
                    assert_eq!(
                        (seen.first.as_slice(), seen.ending),
                        (no_reply, Some(ending)),
                        "{what}"
                    );
                }
                Directive::Cut(_) => {
                    let want = (&WHOLE.as_bytes()[..10], Some(Ending::Close));
                    assert_eq!((seen.first.as_slice(), seen.ending), want, "{what}");
                }
                Directive::CutRequest(_) => {
                    assert_eq!(
                        (seen.first.as_slice(), seen.ending),
                        (&b""[..], Some(Ending::Abort)),
                        "{what}"
                    );
                }
                Directive::Dribble(_) => assert_eq!(seen.first, b"H", "{what}"),
                Directive::Raw(bytes) => assert_eq!(&seen.first, bytes, "{what}"),
                Directive::Duplicate => assert_eq!(seen.first, WHOLE.repeat(2).as_bytes(), "{what}"),
                Directive::Interim(_) => {
                    let want = format!("HTTP/1.1 103 \r\nlink: </a>\r\n\r\n{WHOLE}");
                    assert_eq!(seen.first, want.as_bytes(), "{what}");
                }
                Directive::Chunked(_) => {
                    let want = "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
                                transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nhe\r\n2\r\nll\r\n1\r\no\r\n0\r\n\
                                x-sum: 1\r\n\r\n";
                    assert_eq!(String::from_utf8_lossy(&seen.first), want, "{what}");
                    assert!(
                        seen.second.starts_with(b"HTTP/1.1 200"),
                        "{what}: the connection goes on"
                    );
                }
            }
        }
    }
}

#[test]
fn a_named_request_is_struck_as_soon_as_its_line_is_there() {
    let line = HELLO.find("Host").expect("it is there");
    for (directive, ending) in [
        (Directive::Close, Some(Ending::Close)),
        (Directive::Abort, Some(Ending::Abort)),
        (Directive::Silence, None),
        (
            Directive::CutRequest(Cut {
                after: line,
                then: Some(Ending::Abort),
            }),
            Some(Ending::Abort),
        ),
    ] {
        let (origin, mut conn) = open(strike(Phase::FirstByte, &directive, true));
        let now = Instant::from_secs(1);
        talk(&mut conn, now, &HELLO.as_bytes()[..line - 1]);
        assert!(
            conn.next_due().is_some() && conn.ending().is_none(),
            "{directive:?}: not yet"
        );
        talk(&mut conn, now, &HELLO.as_bytes()[line - 1..line]);
        assert_eq!(conn.ending(), ending, "{directive:?}");
        assert_eq!(
            talk(&mut conn, now, &HELLO.as_bytes()[line..]),
            "",
            "{directive:?}"
        );
        assert_eq!(origin.borrow().get::<Echo>().served, 0, "{directive:?}");
    }
}

#[test]
fn an_unnamed_request_is_struck_at_its_very_first_byte() {
    for (directive, ending) in [
        (Directive::Close, Some(Ending::Close)),
        (Directive::Abort, Some(Ending::Abort)),
        (
            Directive::CutRequest(Cut {
                after: 1,
                then: Some(Ending::Abort),
            }),
            Some(Ending::Abort),
        ),
    ] {
        let (_, mut conn) = open(strike(Phase::FirstByte, &directive, false));
        talk(&mut conn, Instant::ZERO, b"P");
        assert_eq!(conn.ending(), ending, "{directive:?}");
    }
    // What concerns the reply is kept for it.
    let reply = Directive::Respond(Reply::new(418));
    let (_, mut conn) = open(strike(Phase::FirstByte, &reply, false));
    talk(&mut conn, Instant::ZERO, b"P");
    let got = talk(&mut conn, Instant::from_secs(1), &HELLO.as_bytes()[1..]);
    assert!(got.starts_with("HTTP/1.1 418"), "{got}");
}

/// The plan is asked once where the line comes with the first byte, twice where it comes later, with a mark.
#[test]
fn the_first_byte_is_told_once_without_a_name_at_most() {
    type Told = std::rc::Rc<std::cell::RefCell<Vec<(Option<&'static str>, bool)>>>;
    struct Record(Told);
    impl Interposer for Record {
        fn at(
            &mut self,
            _: Instant,
            phase: Phase,
            exchange: &ActiveExchange,
            _: &mut dyn Service,
        ) -> Vec<Directive> {
            if phase == Phase::FirstByte {
                self.0.borrow_mut().push((exchange.endpoint, exchange.named_late));
            }
            Vec::new()
        }

        fn broke_off(&mut self, _: Instant, _: ConnId, _: &str) {}
    }
    let told = Told::default();
    let (_, mut conn) = open(Record(told.clone()));
    talk(&mut conn, Instant::ZERO, HELLO.as_bytes());
    for byte in HELLO.bytes() {
        talk(&mut conn, Instant::from_secs(1), &[byte]);
    }
    let want = [(Some("echo"), false), (None, false), (Some("echo"), true)];
    assert_eq!(*told.borrow(), want);
}

#[test]
fn an_interim_reply_leaves_before_a_delayed_one() {
    struct Both;
    impl Interposer for Both {
        fn at(
            &mut self,
            _: Instant,
            phase: Phase,
            _: &ActiveExchange,
            _: &mut dyn Service,
        ) -> Vec<Directive> {
            if phase != Phase::BeforeEffect {
                return Vec::new();
            }
            vec![
                Directive::Interim(Reply::new(102)),
                Directive::Delay(Duration::from_secs(5)),
            ]
        }

        fn broke_off(&mut self, _: Instant, _: ConnId, _: &str) {}
    }
    let (_, mut conn) = open(Both);
    assert_eq!(
        talk(&mut conn, Instant::ZERO, HELLO.as_bytes()),
        "HTTP/1.1 102 \r\n\r\n"
    );
    assert_eq!(conn.next_due(), Some(Instant::from_secs(5)));
    let reply = talk(&mut conn, Instant::from_secs(5), b"");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
}
