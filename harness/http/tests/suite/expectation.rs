//! A service's own operation, fact and expectation, from its description to the verdict.

use http_service::{NoFaults, Operated, Operation, OperationError, Turn};
use sim::Instant;
use vocabulary::judge::WindowText;
use vocabulary::spec::{Arg, Args};
use vocabulary::{Event, Kind};

use crate::echo::{Echo, SPEC, open, talk};

const HELLO: &[u8] = b"POST /echo HTTP/1.1\r\nHost: echo\r\nContent-Length: 5\r\n\r\nhello";

/// The failure message of `echoed: {text: hello}` after one request, with the operation in force or not.
fn verdict(garble: bool) -> Option<String> {
    let (origin, mut conn) = open(NoFaults);
    let mut origin_mut = origin.borrow_mut();
    if garble {
        let operation = Operation {
            name: "garble",
            args: &Args::default(),
            subject: "",
            turn: Turn::Begin,
            lasts: None,
        };
        origin_mut
            .service
            .operate(Instant::ZERO, &operation)
            .expect("it is known");
    }
    drop(origin_mut);
    let reply = talk(&mut conn, Instant::from_secs(1), HELLO);
    assert!(reply.ends_with(if garble { "olleh" } else { "hello" }), "{reply}");
    let mut args = Args::default();
    args.0.insert("text".to_owned(), Arg::Text("hello".to_owned()));
    let mut judge = (SPEC.expectations[0].judge)(&args, &WindowText::default());
    judge.opened(Instant::ZERO);
    for (at, fact) in origin.borrow_mut().service.take_facts() {
        let kind = Kind::from(fact);
        judge.observe(&Event { at, kind });
    }
    judge.finish(Instant::from_secs(2)).map(|failure| failure.message)
}

#[test]
fn a_service_brings_its_own_words() {
    assert_eq!(verdict(false), None);
    assert_eq!(
        verdict(true).as_deref(),
        Some("`hello` was not said again until 0:00:02.000")
    );
}

#[test]
fn an_operation_ends_and_an_unknown_one_is_refused() {
    let (origin, _) = open(NoFaults);
    let args = Args::default();
    let act = |name, turn| {
        let operation = Operation {
            name,
            args: &args,
            subject: "",
            turn,
            lasts: None,
        };
        let mut origin = origin.borrow_mut();
        let done = origin.service.operate(Instant::ZERO, &operation);
        (done, origin.get::<Echo>().garbled)
    };
    assert_eq!(act("garble", Turn::Begin), (Ok(Operated::Changed), true));
    assert_eq!(act("garble", Turn::End), (Ok(Operated::Changed), false));
    assert_eq!(
        act("whisper", Turn::Begin).0,
        Err(OperationError::Unknown("whisper".to_owned()))
    );
}
