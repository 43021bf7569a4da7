//! Clock, devices, and what there is.

use serde_json::json;

use crate::bench::*;

#[test]
fn the_contents_and_the_description_are_there() {
    let server = plain();
    let (status, contents) = server.get("/v1/");
    assert_eq!(
        (status, contents["routes"].as_array().map(Vec::len)),
        (200, Some(serve::ROUTES.len()))
    );
    assert_eq!(server.get("/").1, contents);
    let (status, description) = server.get("/v1/openapi.json");
    assert_eq!((status, &description["openapi"]), (200, &json!("3.1.0")));
    let (status, nothing) = server.get("/v1/nothing");
    assert_eq!(
        (status, &nothing["error"]["what"]),
        (404, &json!("there is no `/v1/nothing`"))
    );
    let reply = server.control_text("PATCH", "/v1/faults", "");
    assert!(
        reply.starts_with("HTTP/1.1 405 ") && reply.contains("\r\nallow: GET, POST, DELETE\r\n"),
        "{reply}"
    );
}

#[test]
fn the_clock_is_set_and_stepped() {
    let server = plain();
    let session = server.register();
    let (status, clock) = server.control("PUT", "/v1/clock", r#"{"offset": "301s"}"#);
    assert_eq!((status, &clock["offset_ns"]), (200, &json!(301_000_000_000_i64)));
    let (status, clock) = server.control("PUT", "/v1/clock", r#"{"step": "-302s"}"#);
    assert_eq!((status, &clock["offset"]), (200, &json!("-1s")));
    assert_eq!(server.poll(&session).0, 200);
    // The server believes that two hours have passed: the session is over.
    assert_eq!(server.control("PUT", "/v1/clock", r#"{"step": "2h"}"#).0, 200);
    assert_eq!(server.poll(&session).0, 401);
    for (body, status, place) in [
        (r#"{"offset": "301"}"#, 422, "body, `offset`"),
        (r#"{"offset": "1s", "step": "1s"}"#, 422, "body"),
        ("{}", 422, "body"),
        (r#"{"offset": 301}"#, 400, "body, line 1, column 14"),
        (
            r#"{"offset": "1s", "step": null}"#,
            400,
            "body, line 1, column 29",
        ),
        (r#"{"of": "1s"}"#, 400, "body, line 1, column 5"),
        ("{", 400, "body, line 1, column 1"),
    ] {
        let (found, refused) = server.control("PUT", "/v1/clock", body);
        assert_eq!(
            (found, refused["error"]["where"].as_str()),
            (status, Some(place)),
            "{body}: {refused}"
        );
        assert!(refused["error"]["expected"].is_string(), "{refused}");
    }
}

#[test]
fn an_operator_acts_on_a_device() {
    let server = plain();
    let path = |action: &str| format!("/v1/devices/{DEVICE}{action}");
    let (_, device) = server.get(&path(""));
    assert_eq!(
        (&device["claimed"], &device["status"]),
        (&json!(false), &json!("OFFLINE"))
    );
    for action in [
        "/revoke",
        "/expire-session",
        "/invalidate-session",
        "/renew-session",
    ] {
        assert_eq!(
            server.control("POST", &path(action), "").0,
            409,
            "{action} before there is anything"
        );
    }
    let session = server.register();
    let (_, devices) = server.get("/v1/devices");
    let device = &devices["devices"][0];
    assert_eq!(
        (&device["claimed"], &device["status"]),
        (&json!(true), &json!("ONLINE"))
    );
    assert_eq!(
        (&device["mac"], &device["session"]),
        (&json!("02:00:00:00:00:01"), &json!(session))
    );

    let relay = r#"{"relay": 2, "on": true}"#;
    assert_eq!(
        server.control("POST", &path("/command-relay"), relay),
        (200, json!({"command": 1, "relay": 2, "on": true}))
    );
    let (status, polled) = server.poll(&session);
    assert_eq!(
        (status, &polled["commands"][0]["relay"]),
        (200, &json!(2)),
        "{polled}"
    );
    assert_eq!(
        server
            .control("POST", &path("/command-relay"), r#"{"relay": 17, "on": true}"#)
            .0,
        422
    );
    assert_eq!(
        server
            .control("POST", &path("/command-relay"), r#"{"relay": 1}"#)
            .0,
        400
    );

    assert_eq!(server.control("POST", &path("/expire-session"), "").0, 200);
    assert_eq!(server.poll(&session).1["error"], "Session expired");
    assert_eq!(server.control("POST", &path("/renew-session"), "{}").0, 200);
    assert_eq!(server.poll(&session).0, 200, "the dashboard has extended it");
    assert_eq!(
        server.control("POST", &path("/renew-session"), "{\"a\":1}").0,
        422
    );
    assert_eq!(server.control("POST", &path("/invalidate-session"), "").0, 200);
    assert_eq!(server.poll(&session).1["error"], "Invalid token");
    assert_eq!(server.control("POST", &path("/revoke"), "").0, 200);
    assert_eq!(
        server.control("POST", &path("/revoke"), "").0,
        200,
        "once more changes nothing"
    );
    assert_eq!(
        server.control("POST", &path("/delete"), ""),
        (200, json!({"deleted": DEVICE}))
    );
    let (status, gone) = server.control("POST", &path("/delete"), "");
    assert_eq!(
        (status, &gone["error"]["what"]),
        (404, &json!("no device `oc-1`"))
    );
    assert_eq!(server.get(&path("")).0, 404);
}
