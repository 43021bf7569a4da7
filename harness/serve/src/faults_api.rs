//! `/v1/faults`

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::json;

use crate::answer::{Answer, Refusal, json_answer, ok};
use crate::planned;
use crate::shared::SharedState;

pub(crate) fn add(shared: &SharedState, text: &str) -> Result<Answer, Refusal> {
    let names = shared.fault_names();
    let taken: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut fault, written) = planned::read(text, &taken)?;
    planned::from_now(&mut fault, shared.now());
    let name = fault.name.value.clone();
    shared.add_fault(&fault, written).map_err(|why| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            .at("body")
            .expected("a trigger and an action of the cloud's side (docs/serve.md lists them)")
    })?;
    let mut answer = json_answer(StatusCode::CREATED, &shared.fault(&name).unwrap_or_default());
    if let Ok(location) = format!("/v1/faults/{}", encoded(&name)).parse() {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

pub(crate) fn show(shared: &SharedState, name: &str) -> Result<Answer, Refusal> {
    shared
        .fault(name)
        .map(|fault| ok(&fault))
        .ok_or_else(|| unknown(shared, name))
}

pub(crate) fn remove(shared: &SharedState, name: &str) -> Result<Answer, Refusal> {
    if shared.remove_fault(name) {
        Ok(ok(&json!({"removed": [name]})))
    } else {
        Err(unknown(shared, name))
    }
}

pub(crate) fn remove_all(shared: &SharedState) -> Answer {
    let names = shared.fault_names();
    for name in &names {
        shared.remove_fault(name);
    }
    ok(&json!({ "removed": names }))
}

fn unknown(shared: &SharedState, name: &str) -> Refusal {
    let expected = match shared.fault_names() {
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
