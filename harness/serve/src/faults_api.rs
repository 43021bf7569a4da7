//! `/v1/faults`

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::json;

use crate::answer::{Answer, Refusal, json_answer, ok};
use crate::desk::Desk;
use crate::planned;

pub(crate) fn add(desk: &Desk, text: &str) -> Result<Answer, Refusal> {
    let names = desk.fault_names();
    let taken: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut fault, written) = planned::read(text, &taken)?;
    planned::from_now(&mut fault, desk.now());
    let name = fault.name.value.clone();
    desk.add_fault(&fault, written).map_err(|why| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            .at("body")
            .expected("a trigger and an action of the cloud's side (docs/serve.md lists them)")
    })?;
    let mut answer = json_answer(StatusCode::CREATED, &desk.fault(&name).unwrap_or_default());
    if let Ok(location) = format!("/v1/faults/{}", encoded(&name)).parse() {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

pub(crate) fn show(desk: &Desk, name: &str) -> Result<Answer, Refusal> {
    desk.fault(name)
        .map(|fault| ok(&fault))
        .ok_or_else(|| unknown(desk, name))
}

pub(crate) fn remove(desk: &Desk, name: &str) -> Result<Answer, Refusal> {
    if desk.remove_fault(name) {
        Ok(ok(&json!({"removed": [name]})))
    } else {
        Err(unknown(desk, name))
    }
}

pub(crate) fn remove_all(desk: &Desk) -> Answer {
    let names = desk.fault_names();
    for name in &names {
        desk.remove_fault(name);
    }
    ok(&json!({ "removed": names }))
}

fn unknown(desk: &Desk, name: &str) -> Refusal {
    let expected = match desk.fault_names() {
        names if names.is_empty() => "there is none now".to_owned(),
        names => format!("one of {}", names.join(", ")),
    };
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no fault `{name}`"))
        .at("path")
        .expected(expected)
}

/// Percent-encodes what may not stand in a segment of a path.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_survive_a_path() {
        let name = "a b/ü%";
        assert_eq!(super::encoded(name), "a%20b%2F%C3%BC%25");
        assert_eq!(crate::ask::decoded(&super::encoded(name)).as_deref(), Some(name));
    }
}
