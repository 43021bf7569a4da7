//! Faults from a scenario file and from JSON.
//!
//! JSON is a part of YAML: a fault that is posted is put into a scenario of its own and read by the same reader,
//! with the same checks and messages as in a file.

use hyper::StatusCode;
use scenario::{Fault, TimeSpan, Trigger};
use serde_json::{Value, json};
use sim::Instant;

use crate::answer::Refusal;
use crate::ask;

/// What a fault looks like, for messages.
const EXPECTED: &str = r#"a fault as in a scenario file, such as {"name":"busy","when":{"request":{"endpoint":"renew-session"}},"do":{"respond":{"status":429,"retry-after":"120"}}}"#;

/// A fault of a scenario file, and where it stands there.
#[derive(Clone, Debug)]
pub struct ScenarioFault {
    /// The fault.
    pub fault: Fault,
    /// `path:line:column`.
    pub position: String,
}

/// Reads a fault from JSON. `taken` are the names of the faults that there are; its triggers may name them.
///
/// # Errors
/// 400 for what is not JSON, 422 for what is no fault.
pub(crate) fn read(text: &str, taken: &[&str]) -> Result<(Fault, Value), Refusal> {
    let value: Value = ask::json(text, EXPECTED)?;
    if !value.is_object() {
        return Err(Refusal::bad("the body is no JSON object")
            .at("body")
            .expected(EXPECTED));
    }
    // What is legal JSON but not legal YAML is written anew; its places are then those of the new text.
    let rewritten = text.contains(['\t', '\\']).then(|| value.to_string());
    let written = rewritten.as_deref().unwrap_or(text);
    // The others are there by name only: this one may not take their names and may wait for them.
    let relay = json!({"command-relay": {"relay": 1, "on": true}});
    let mut others = String::new();
    for name in taken {
        others += &format!("{},", json!({"name": name, "when": "1s", "do": relay}));
    }
    let head = r#"{"name":"control","version":1,"bench":{"duration":"36500d"},"steps":[{"delay":"1ms"}]"#;
    let document = format!("{head},\"faults\":[{others}\n{written}\n]}}\n");
    match faults::FORMAT.parse("fault", &document) {
        Ok(mut scenario) => match scenario.faults.pop() {
            Some(fault) if scenario.faults.len() == taken.len() => Ok((fault, value)),
            _ => Err(Refusal::bad("the body holds more than one fault")
                .at("body")
                .expected(EXPECTED)),
        },
        Err(diagnostics) => {
            let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "this is no fault");
            let Some(problem) = diagnostics.problems().first() else {
                return Err(refusal.at("body").expected(EXPECTED));
            };
            let place = match problem.span() {
                span if rewritten.is_some() || span.line < 2 => format!("body, column {}", span.column),
                span => format!("body, line {}, column {}", span.line - 1, span.column),
            };
            let refusal = Refusal {
                what: problem.message().to_owned(),
                ..refusal
            };
            Err(refusal
                .at(place)
                .expected(problem.help_text().unwrap_or(EXPECTED)))
        }
    }
}

/// Makes the times of a fault count from `now`: who posts `"when": "10s"` means in ten seconds.
pub(crate) fn from_now(fault: &mut Fault, now: Instant) {
    fn shift(trigger: &mut Trigger, now: Instant) {
        match trigger {
            Trigger::Time(time) => *time = TimeSpan(time.0.saturating_add(now.as_nanos())),
            Trigger::After(after) => shift(&mut after.trigger, now),
            Trigger::Serial(_)
            | Trigger::Request(_)
            | Trigger::Wifi(_)
            | Trigger::Dhcp(_)
            | Trigger::Dns(_)
            | Trigger::Sntp(_)
            | Trigger::Pin(_)
            | Trigger::Reset(_)
            | Trigger::Fact(_)
            | Trigger::Fault(_) => {}
        }
    }
    shift(&mut fault.when.value, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"name":"late","when":{"after":{"trigger":"10s","delay":"1s"}},"do":"expire-session"}"#;

    #[test]
    fn a_fault_is_read_as_in_a_file() {
        let (mut fault, value) = read(GOOD, &["other"]).expect("a good fault");
        assert_eq!(
            (fault.name.value.as_str(), fault.action.name()),
            ("late", "expire-session")
        );
        assert_eq!(value["do"], "expire-session");
        from_now(&mut fault, Instant::from_secs(5));
        let Trigger::After(after) = &fault.when.value else {
            panic!("it was an `after`")
        };
        assert_eq!(after.trigger, Trigger::Time(TimeSpan::from_secs(15)));
        assert_eq!(after.delay, TimeSpan::from_secs(1), "a delay is no moment");
        let tabbed = GOOD.replace(':', ":\t").replace("late", "l\\u0061te");
        assert_eq!(read(&tabbed, &[]).expect("legal JSON").0.name.value, "late");
        let chained = r#"{"name":"b","when":{"fault":{"name":"a","state":"fired"}},"do":"expire-session"}"#;
        assert!(read(chained, &["a"]).is_ok());
        assert_eq!(read(chained, &[]).expect_err("there is no `a`").status, 422);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, status, what, place) in [
            (
                "{\"name\": \"x\",\n oops}",
                400,
                "the body is not JSON: key must be a string",
                "body, line 2, column 2",
            ),
            (
                "",
                400,
                "the body is not JSON: EOF while parsing a value",
                "body, line 1, column 0",
            ),
            ("[1]", 400, "the body is no JSON object", "body"),
            (
                "{\"name\":\"x\",\n\"when\":\"1s\",\n\"do\":\"expire-sesion\"}",
                422,
                "`expire-sesion` is not known here",
                "body, line 3, column 6",
            ),
            (
                "{\"name\":\"x\",\"do\":\"expire-session\"}",
                422,
                "the key `when` is missing",
                "body, line 1, column 1",
            ),
            (
                "{\"name\":\"x\",\"when\":\"1s\",\"do\":\"reset\",\"wen\":1}",
                422,
                "unknown key `wen`",
                "body, line 1, column 38",
            ),
            (
                "{\"name\":\"other\",\"when\":\"1s\",\"do\":\"expire-session\"}",
                422,
                "two faults are called `other`",
                "body, line 1, column 9",
            ),
        ] {
            let refusal = read(text, &["other"]).expect_err(text);
            assert_eq!(
                (
                    refusal.status.as_u16(),
                    refusal.what.as_str(),
                    refusal.place.as_str()
                ),
                (status, what, place)
            );
            assert!(!refusal.expected.is_empty(), "{text}");
            if text.contains("sesion") {
                assert!(
                    refusal.expected.contains("did you mean `expire-session`?"),
                    "{}",
                    refusal.expected
                );
            }
        }
    }
}
