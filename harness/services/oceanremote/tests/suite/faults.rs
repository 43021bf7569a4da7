//! Each directive at each phase, and what the device's side sees of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http_service::{
    ActiveExchange, Connection, Cut, Directive, Ending, Interposer, Pace, Phase, Reply, Service, Shared,
};
use oceanremote::*;
use sim::Instant;

use crate::fixture::*;

/// Strikes the nth renewal at one phase.
struct Strike {
    phase: Phase,
    nth: u64,
    directives: Vec<Directive>,
}

impl Interposer for Strike {
    fn at(
        &mut self,
        _: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        _: &mut dyn Service,
    ) -> Vec<Directive> {
        let hit = exchange.endpoint == Some("renew-session") && exchange.nth == self.nth;
        if hit && phase == self.phase {
            self.directives.clone()
        } else {
            Vec::new()
        }
    }

    fn broke_off(&mut self, _: Instant, _: u64, _: &str) {}
}

/// A device on one connection whose first renewal is struck.
struct Struck {
    origin: Shared,
    conn: Connection,
    first: String,
}

impl Struck {
    fn new(phase: Phase, directives: &[Directive]) -> Struck {
        let origin = origin(Strike {
            phase,
            nth: 1,
            directives: directives.to_vec(),
        });
        let mut conn = Connection::new(&origin, at(0), 1, PEER, false);
        conn.receive(at(0), http_register().as_bytes());
        conn.poll(at(0));
        assert!(conn.take_output().starts_with(b"HTTP/1.1 200 OK\r\n"));
        let first = session(&origin);
        origin.borrow_mut().get_mut::<Cloud>().take_journal();
        Struck { origin, conn, first }
    }

    fn renew(&mut self, now: Instant) -> String {
        let header = format!("X-Device-Token: {}\r\n", self.first);
        let text = http_post("/api/device/oc-1/renew-session/", &header, RENEWAL);
        self.conn.receive(now, text.as_bytes());
        self.poll(now)
    }

    fn poll(&mut self, now: Instant) -> String {
        self.conn.poll(now);
        String::from_utf8(self.conn.take_output()).expect("replies are text")
    }

    /// When the session was rotated, since the last time.
    fn renewed_at(&self) -> Option<Instant> {
        let journal = self.origin.borrow_mut().get_mut::<Cloud>().take_journal();
        let renewed = journal
            .iter()
            .find(|e| matches!(e.fact, Fact::SessionIssued { .. }));
        renewed.map(|e| e.at)
    }

    /// Whether the session was rotated.
    fn renewed(&self) -> bool {
        session(&self.origin) != self.first
    }
}

fn teapot() -> Reply {
    Reply::new(418)
        .with_header("x-fault", "yes")
        .with_body("short and stout")
}

/// What the reply to the renewal at second 60 is without a fault.
fn healthy() -> String {
    let mut struck = Struck::new(Phase::FirstByte, &[]);
    let reply = struck.renew(at(60));
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && struck.renewed());
    reply
}

#[test]
fn a_reply_instead_of_the_effect_or_after_it() {
    let want = "HTTP/1.1 418 I'm a teapot\r\nx-fault: yes\r\ndate: Thu, 01 Jan 2026 00:01:00 GMT\r\n\
                content-length: 15\r\n\r\nshort and stout";
    for (phase, takes_effect) in [
        (Phase::FirstByte, false),
        (Phase::BeforeEffect, false),
        (Phase::AfterEffect, true),
    ] {
        let mut struck = Struck::new(phase, &[Directive::Respond(teapot())]);
        assert_eq!(struck.renew(at(60)), want, "{phase:?}");
        assert_eq!(struck.renewed(), takes_effect, "{phase:?}");
        let next = struck.renew(at(61));
        assert_eq!(
            &next[9..12],
            if takes_effect { "401" } else { "200" },
            "only the first is struck"
        );
    }
}

#[test]
fn no_reply_before_the_effect_or_after_it() {
    for (directive, ending) in [
        (Directive::Silence, None),
        (Directive::Close, Some(Ending::Close)),
        (Directive::Abort, Some(Ending::Abort)),
    ] {
        for (phase, takes_effect) in [
            (Phase::FirstByte, false),
            (Phase::BeforeEffect, false),
            (Phase::AfterEffect, true),
        ] {
            let what = format!("{directive:?} at {phase:?}");
            let mut struck = Struck::new(phase, std::slice::from_ref(&directive));
            assert_eq!(struck.renew(at(60)), "", "{what}");
            assert_eq!(struck.renewed(), takes_effect, "{what}");
            assert_eq!(struck.conn.ending(), ending, "{what}");
            assert_eq!(struck.poll(at(100_000)), "", "{what}: for ever");
            assert_eq!(struck.conn.ending(), ending, "{what}: for ever");
            struck.conn.eof(at(100_001));
            struck.poll(at(100_001));
            assert!(struck.conn.is_closed(), "{what}: until the device gives up");
        }
    }
}

#[test]
fn a_delay_at_each_phase_holds_the_effect_or_the_reply() {
    let delay = Directive::Delay(Duration::from_secs(7));
    for (phase, effect_at) in [
        (Phase::FirstByte, 67),
        (Phase::BeforeEffect, 67),
        (Phase::AfterEffect, 60),
    ] {
        let mut struck = Struck::new(phase, std::slice::from_ref(&delay));
        assert_eq!(struck.renew(at(60)), "", "{phase:?}");
        assert_eq!(struck.renewed(), effect_at == 60, "{phase:?}");
        assert_eq!(struck.conn.next_due(), Some(at(67)), "{phase:?}");
        assert_eq!(struck.poll(Instant::from_nanos(66_999_999_999)), "", "{phase:?}");
        let reply = struck.poll(at(67));
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{phase:?}: {reply}");
        assert_eq!(struck.renewed_at(), Some(at(effect_at)), "{phase:?}");
    }
}

#[test]
fn a_request_takes_effect_even_if_the_device_leaves_meanwhile() {
    for leave in [Connection::eof, Connection::reset] {
        let mut struck = Struck::new(Phase::BeforeEffect, &[Directive::Delay(Duration::from_secs(7))]);
        struck.renew(at(60));
        leave(&mut struck.conn, at(62));
        assert_eq!(struck.poll(at(62)), "");
        assert!(!struck.conn.is_closed(), "there is work left");
        assert!(!struck.renewed());
        struck.poll(at(67));
        assert!(struck.renewed());
        assert!(struck.conn.is_closed());
    }
}

#[test]
fn a_reply_breaks_off_at_any_byte() {
    let whole = healthy();
    for then in [Some(Ending::Close), Some(Ending::Abort), None] {
        for after in 0..=whole.len() {
            let cut = Directive::Cut(Cut { after, then });
            let mut struck = Struck::new(Phase::AfterEffect, &[cut]);
            assert_eq!(struck.renew(at(60)), whole[..after], "cut after {after}");
            assert!(struck.renewed());
            assert_eq!(struck.conn.ending(), then);
            assert_eq!(struck.renew(at(61)), "", "nothing follows");
        }
    }
}

#[test]
fn a_reply_trickles() {
    let whole = healthy();
    let pace = Pace {
        chunk: 100,
        every: Duration::from_millis(500),
        head_at_once: false,
    };
    let mut struck = Struck::new(Phase::BeforeEffect, &[Directive::Dribble(pace)]);
    let mut got = struck.renew(at(60));
    assert_eq!(got, whole[..100]);
    let mut now = at(60);
    while got.len() < whole.len() {
        let due = struck.conn.next_due().expect("there is more to come");
        assert_eq!(due, now + pace.every);
        assert_eq!(struck.poll(due - Duration::from_nanos(1)), "");
        now = due;
        got += &struck.poll(now);
    }
    assert_eq!(got, whole);
}

#[test]
fn other_bytes_leave_and_the_same_leave_twice() {
    let whole = healthy();
    let mut struck = Struck::new(Phase::AfterEffect, &[Directive::Duplicate]);
    assert_eq!(struck.renew(at(60)), whole.repeat(2));
    let lie = Reply::new(200)
        .with_header("content-length", "999")
        .with_body("{}")
        .to_wire();
    let mut struck = Struck::new(Phase::FirstByte, &[Directive::Raw(lie)]);
    assert_eq!(
        struck.renew(at(60)),
        "HTTP/1.1 200 \r\ncontent-length: 999\r\n\r\n{}"
    );
    assert!(struck.renewed());
    let all = [
        Directive::Raw(b"abc".to_vec()),
        Directive::Duplicate,
        Directive::Cut(Cut {
            after: 5,
            then: Some(Ending::Abort),
        }),
        Directive::Dribble(Pace {
            chunk: 0,
            every: Duration::from_secs(1),
            head_at_once: false,
        }),
    ];
    let mut struck = Struck::new(Phase::AfterEffect, &all);
    let got: Vec<String> = std::iter::once(struck.renew(at(60)))
        .chain((61..65).map(|s| struck.poll(at(s))))
        .collect();
    assert_eq!(got, ["a", "b", "c", "a", "b"], "together");
    assert_eq!(struck.conn.ending(), Some(Ending::Abort));
}

#[test]
fn a_connection_may_end_after_a_reply() {
    for (directive, ending) in [
        (Directive::Close, Ending::Close),
        (Directive::Abort, Ending::Abort),
    ] {
        let mut struck = Struck::new(Phase::AfterReply, &[directive]);
        let reply = struck.renew(at(60));
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "the reply has left");
        assert_eq!(struck.conn.ending(), Some(ending));
    }
}

#[test]
fn what_http_cannot_say_is_a_500() {
    for reply in [
        Reply::new(99),
        Reply::new(100),
        Reply::new(1000),
        Reply::new(200).with_header("a b", ""),
        Reply::new(200).with_header("a", "b\nc"),
    ] {
        let mut struck = Struck::new(Phase::BeforeEffect, &[Directive::Respond(reply.clone())]);
        let got = struck.renew(at(60));
        assert!(
            got.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
            "{reply:?}: {got}"
        );
    }
}

/// The phase, endpoint and count it was asked about, and whether request and reply were known.
type Asked = (Phase, Option<&'static str>, u64, bool, bool);

/// Revokes the token when the first renewal is about to take effect, and writes down what it is asked.
struct Operator {
    seen: Rc<RefCell<Vec<Asked>>>,
}

impl Interposer for Operator {
    fn at(
        &mut self,
        now: Instant,
        phase: Phase,
        exchange: &ActiveExchange,
        cloud: &mut dyn Service,
    ) -> Vec<Directive> {
        let ActiveExchange {
            endpoint,
            nth,
            request,
            reply,
            ..
        } = exchange;
        self.seen
            .borrow_mut()
            .push((phase, *endpoint, *nth, request.is_some(), reply.is_some()));
        if phase == Phase::BeforeEffect && *endpoint == Some("renew-session") {
            let cloud = cloud.downcast_mut::<Cloud>().expect("it is one");
            cloud.revoke_permanent(now, "oc-1").expect("it has registered");
        }
        Vec::new()
    }

    fn broke_off(&mut self, _: Instant, _: u64, _: &str) {}
}

#[test]
fn a_plan_may_act_as_the_operator_and_is_asked_at_every_phase() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let origin = origin(Operator { seen: seen.clone() });
    let conn = Connection::new(&origin, at(0), 1, PEER, false);
    let mut struck = Struck {
        origin,
        conn,
        first: String::new(),
    };
    struck.conn.receive(at(0), http_register().as_bytes());
    struck.poll(at(0));
    struck.first = session(&struck.origin);
    let reply = struck.renew(at(1));
    assert!(
        reply.starts_with("HTTP/1.1 401 ") && reply.ends_with(r#""error":"Session expired"}"#),
        "{reply}"
    );
    let phases = [
        (Phase::FirstByte, false, false),
        (Phase::BeforeEffect, true, false),
        (Phase::AfterEffect, true, true),
        (Phase::AfterReply, true, true),
    ];
    let want: Vec<_> = [Some("register"), Some("renew-session")]
        .into_iter()
        .flat_map(|e| phases.map(|(phase, request, reply)| (phase, e, 1, request, reply)))
        .collect();
    assert_eq!(*seen.borrow(), want);
}

#[test]
fn a_request_is_cut_on_its_way_in_and_has_no_effect() {
    for (then, ending) in [
        (Some(Ending::Abort), Some(Ending::Abort)),
        (Some(Ending::Close), Some(Ending::Close)),
        (None, None),
    ] {
        // The last one is longer than the request: it is cut before its last byte at the latest.
        for after in [1, 40, 150, 100_000] {
            let mut struck = Struck::new(Phase::FirstByte, &[Directive::CutRequest(Cut { after, then })]);
            assert_eq!(struck.renew(at(60)), "", "after {after} bytes");
            assert_eq!(struck.conn.ending(), ending, "after {after} bytes");
            assert!(!struck.renewed(), "after {after} bytes");
        }
    }
}

#[test]
fn a_request_is_cut_at_the_byte_named_and_not_before() {
    let cut = Cut {
        after: 100,
        then: Some(Ending::Abort),
    };
    let mut struck = Struck::new(Phase::FirstByte, &[Directive::CutRequest(cut)]);
    let header = format!("X-Device-Token: {}\r\n", struck.first);
    let text = http_post("/api/device/oc-1/renew-session/", &header, RENEWAL);
    struck.conn.receive(at(60), &text.as_bytes()[..99]);
    struck.poll(at(60));
    assert_eq!(struck.conn.ending(), None);
    struck.conn.receive(at(61), &text.as_bytes()[99..100]);
    struck.poll(at(61));
    assert_eq!(struck.conn.ending(), Some(Ending::Abort));
    assert!(!struck.renewed());
}

#[test]
fn a_request_without_a_body_is_cut_before_its_end() {
    /// Cuts every poll.
    struct Polls;
    impl Interposer for Polls {
        fn at(
            &mut self,
            _: Instant,
            phase: Phase,
            exchange: &ActiveExchange,
            _: &mut dyn Service,
        ) -> Vec<Directive> {
            let strikes = phase == Phase::FirstByte && exchange.endpoint == Some("commands");
            let cut = Cut {
                after: 100_000,
                then: Some(Ending::Close),
            };
            strikes
                .then_some(Directive::CutRequest(cut))
                .into_iter()
                .collect()
        }

        fn broke_off(&mut self, _: Instant, _: u64, _: &str) {}
    }
    let origin = origin(Polls);
    let mut conn = Connection::new(&origin, at(0), 1, PEER, false);
    let head = "GET /api/device/oc-1/commands/ HTTP/1.1\r\nHost: cloud\r\n";
    conn.receive(at(0), head.as_bytes());
    conn.poll(at(0));
    assert_eq!(conn.ending(), None);
    conn.receive(at(1), b"\r\n");
    conn.poll(at(1));
    assert_eq!(
        (conn.take_output(), conn.ending()),
        (Vec::new(), Some(Ending::Close))
    );
}
