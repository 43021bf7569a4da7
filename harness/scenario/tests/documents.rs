//! The generated documents are those of the types, and what they show is right.

use std::fs;
use std::path::PathBuf;

use scenario::Format;
use serde_json::{Value, json};

/// The format with the service of these tests.
const FORMAT: Format = Format::new(&[&oceanremote::SPEC]);

/// Compares a file in `docs/` with what it should be. With `UPDATE=1` it is written.
fn check(name: &str, wanted: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/{name} is not what the code says; run `UPDATE=1 cargo test -p oceanrig-scenario` and look at the difference"
    );
}

#[test]
fn the_schema_is_up_to_date() {
    check(
        "scenario.schema.json",
        &format!("{}\n", serde_json::to_string_pretty(&FORMAT.schema()).unwrap()),
    );
}

#[test]
fn the_reference_is_up_to_date() {
    check("scenario-reference.md", &FORMAT.reference());
}

#[test]
fn the_fault_reference_is_up_to_date() {
    check("fault-reference.md", &FORMAT.fault_reference());
}

#[test]
fn the_example_of_the_fault_reference_is_valid() {
    let text = FORMAT.fault_reference();
    let example = text
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let file = format!("name: a\nversion: 1\nbench: {{duration: 2h}}\nexpect: [{{serial: x}}]\n{example}");
    let scenario = FORMAT
        .parse("example.yaml", &file)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(scenario.faults.len(), 3);
}

#[test]
fn the_example_of_the_reference_is_valid() {
    let text = FORMAT.reference();
    let example = text
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let scenario = FORMAT
        .parse("example.yaml", example)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((scenario.expect.len(), scenario.faults.len()), (4, 1));
}

/// A file in which `part` stands among everything that it may refer to.
fn file(key: &str, part: Value) -> Value {
    let mut file = json!({
        "name": "example", "version": 1,
        "bench": {"duration": "5h", "wiring": {"btn1": {"gpio": 9}}, "device": {"claimed": true}},
        "faults": [
            {"name": "wifi-drop", "when": "1m", "do": "access-point-gone", "for": "30s"},
            {"name": "server-down", "when": "2m", "do": "access-point-gone", "for": "30s"}
        ],
        "expect": [{"name": "renews on time", "serial": "x"}]
    });
    match key {
        "bench" => part
            .as_object()
            .unwrap()
            .iter()
            .for_each(|(k, v)| file["bench"][k] = v.clone()),
        "faults" | "expect" => file[key].as_array_mut().unwrap().push(part),
        _ => file[key] = part,
    }
    file
}

fn must_parse(file: &Value) {
    let text = serde_json::to_string_pretty(file).unwrap();
    if let Err(e) = FORMAT.parse_all("example.yaml", &text) {
        panic!("{e}\n{text}");
    }
}

/// Examples of the keys of a definition, `(key, example)`; `null` for a bare name.
fn examples(definition: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut add = |key: &str, about: &Value| {
        for example in about["examples"].as_array().into_iter().flatten() {
            found.push((key.to_owned(), example.clone()));
        }
    };
    let long = definition["anyOf"]
        .as_array()
        .and_then(|any| any.iter().find(|v| v["oneOf"].is_array()));
    for variant in long.unwrap_or(definition)["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if let Some((key, _)) = variant["properties"].as_object().and_then(|p| p.iter().next()) {
            add(key, variant);
        }
    }
    for (key, about) in definition["properties"].as_object().into_iter().flatten() {
        add(key, about);
    }
    found
}

#[test]
fn every_example_is_valid() {
    let schema = FORMAT.schema();
    let examples = |name: &str| {
        let found = examples(&schema["$defs"][name]);
        assert!(!found.is_empty(), "{name}");
        found
    };
    for (key, example) in examples("Bench") {
        must_parse(&file("bench", json!({ key: example })));
    }
    for part in ["Device", "Cloud", "Network"] {
        for (key, example) in examples(part) {
            let mut whole = file("bench", json!({}));
            whole["bench"][part.to_lowercase()][key] = example;
            must_parse(&whole);
        }
    }
    for (part, at) in [
        ("Wifi", "wifi"),
        ("Server", "server"),
        ("Identity", "device"),
        ("Ntp", "ntp"),
        ("Interval", "interval"),
    ] {
        for (key, example) in examples(part) {
            must_parse(&file("bench", json!({"provisioning": {at: {key: example}}})));
        }
    }
    for (key, example) in examples("Step").into_iter().filter(|(key, _)| key != "name") {
        must_parse(&file("steps", json!([{ key: example, "name": "a step" }])));
    }
    for (key, example) in examples("Expectation")
        .into_iter()
        .filter(|(key, _)| key != "name")
    {
        must_parse(&file("expect", json!({ key: example })));
    }
    for (key, example) in examples("Trigger") {
        must_parse(&file(
            "faults",
            json!({"name": "f", "when": {key: example}, "do": "reset"}),
        ));
    }
    for (key, example) in examples("Action") {
        must_parse(&file(
            "faults",
            json!({"name": "f", "when": {"request": {"endpoint": "update"}}, "do": {key: example}}),
        ));
    }
    must_parse(&file("expect-verdict", json!({"fail": "renews on time"})));
    must_parse(&file("matrix", json!({"skew": ["-301s", "301s"]})));
}
