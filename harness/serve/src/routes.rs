//! What there is.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::ALLOW;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, ok, text_answer};
use crate::ask::{self, Query};
use crate::guard::Guard;
use crate::shared::SharedState;
use crate::{faults_api, journal_api, state_api};

/// The description of the interface, as `GET /v1/openapi.json` gives it.
pub const OPENAPI: &str = include_str!("../../../docs/control-openapi.json");

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path; `{…}` stands for one segment.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    job: Job,
}

#[derive(Clone, Copy, Debug)]
enum Job {
    Contents,
    OpenApi,
    ListFaults,
    AddFault,
    RemoveFaults,
    ShowFault,
    RemoveFault,
    ShowClock,
    SetClock,
    Journal,
    Wait,
    ListDevices,
    ShowDevice,
    CommandRelay,
    Operate(state_api::Operation),
    ShowTls,
    SetTls,
    Authority,
}

const fn route(method: &'static str, path: &'static str, job: Job, summary: &'static str) -> Route {
    Route {
        method,
        path,
        summary,
        job,
    }
}

/// Everything there is, in the order of the documentation.
pub const ROUTES: [Route; 22] = [
    route("GET", "/v1/", Job::Contents, "What there is"),
    route(
        "GET",
        "/v1/openapi.json",
        Job::OpenApi,
        "The description of this interface",
    ),
    route(
        "GET",
        "/v1/faults",
        Job::ListFaults,
        "All faults and where they stand",
    ),
    route(
        "POST",
        "/v1/faults",
        Job::AddFault,
        "Adds a fault, in the form of scenario files",
    ),
    route("DELETE", "/v1/faults", Job::RemoveFaults, "Removes all faults"),
    route("GET", "/v1/faults/{name}", Job::ShowFault, "One fault"),
    route(
        "DELETE",
        "/v1/faults/{name}",
        Job::RemoveFault,
        "Removes a fault; what lasts of it ends",
    ),
    route("GET", "/v1/clock", Job::ShowClock, "The server's clock"),
    route(
        "PUT",
        "/v1/clock",
        Job::SetClock,
        "Sets the server's clock off, or moves it",
    ),
    route(
        "GET",
        "/v1/journal",
        Job::Journal,
        "What happened, one JSON object a line",
    ),
    route("GET", "/v1/wait", Job::Wait, "Waits for a request of a device"),
    route("GET", "/v1/devices", Job::ListDevices, "All devices"),
    route("GET", "/v1/devices/{id}", Job::ShowDevice, "One device"),
    route(
        "POST",
        "/v1/devices/{id}/command-relay",
        Job::CommandRelay,
        "Switches a relay",
    ),
    route(
        "POST",
        "/v1/devices/{id}/revoke",
        Job::Operate(state_api::Operation::Revoke),
        "Revokes the permanent token",
    ),
    route(
        "POST",
        "/v1/devices/{id}/expire-session",
        Job::Operate(state_api::Operation::ExpireSession),
        "Ends the session as if its time were over",
    ),
    route(
        "POST",
        "/v1/devices/{id}/renew-session",
        Job::Operate(state_api::Operation::RenewSession),
        "The dashboard's \"Renew Session\"",
    ),
    route(
        "POST",
        "/v1/devices/{id}/delete",
        Job::Operate(state_api::Operation::Delete),
        "Deletes the device",
    ),
    route(
        "POST",
        "/v1/devices/{id}/invalidate-session",
        Job::Operate(state_api::Operation::InvalidateSession),
        "Makes the server forget the session",
    ),
    route("GET", "/v1/tls", Job::ShowTls, "What is wrong with TLS"),
    route(
        "PUT",
        "/v1/tls",
        Job::SetTls,
        "Makes something wrong with TLS, or right again",
    ),
    route(
        "GET",
        "/v1/tls/ca.pem",
        Job::Authority,
        "The certificate that clients have to trust",
    ),
];

/// The parameters in `path` when it fits `template`.
fn fits(template: &str, path: &str) -> Option<Option<String>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut parameter = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameter),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                parameter = Some(ask::decoded(given)?);
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

/// Answers a request.
pub(crate) async fn answer(shared: &Rc<SharedState>, guard: &Guard, request: Request<Incoming>) -> Answer {
    let done = match guard.check(request.headers()) {
        Ok(()) => respond(shared, request).await,
        Err(refusal) => Err(refusal),
    };
    done.unwrap_or_else(Refusal::answer)
}

async fn respond(shared: &Rc<SharedState>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let path = match request.uri().path() {
        "/" | "/v1" => "/v1/",
        path => path,
    };
    let fitting: Vec<(&Route, String)> = ROUTES
        .iter()
        .filter_map(|r| Some((r, fits(r.path, path)?.unwrap_or_default())))
        .collect();
    if fitting.is_empty() {
        return Err(
            Refusal::new(StatusCode::NOT_FOUND, format!("there is no `{path}`"))
                .at("path")
                .expected("one of those that GET /v1/ lists"),
        );
    }
    let method = request.method().clone();
    let Some((route, name)) = fitting.iter().find(|(r, _)| r.method == method.as_str()) else {
        let allowed: Vec<&str> = fitting.iter().map(|(r, _)| r.method).collect();
        let allowed = allowed.join(", ");
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("`{path}` cannot be asked with {method}"),
        )
        .at("method")
        .expected(allowed.clone())
        .header(ALLOW, allowed));
    };
    let (parts, body) = request.into_parts();
    let query = |known: &[&str]| Query::read(parts.uri.query(), known);
    if !matches!(route.job, Job::Journal | Job::Wait) {
        query(&[])?;
    }
    let text = if method == Method::POST || method == Method::PUT {
        ask::body(body).await?
    } else {
        String::new()
    };
    match route.job {
        Job::Contents => Ok(contents()),
        Job::OpenApi => Ok(text_answer(StatusCode::OK, "application/json", OPENAPI)),
        Job::ListFaults => Ok(ok(&json!({ "faults": shared.all_faults() }))),
        Job::AddFault => faults_api::add(shared, &text),
        Job::RemoveFaults => Ok(faults_api::remove_all(shared)),
        Job::ShowFault => faults_api::show(shared, name),
        Job::RemoveFault => faults_api::remove(shared, name),
        Job::ShowClock => Ok(state_api::clock(shared)),
        Job::SetClock => state_api::set_clock(shared, &text),
        Job::Journal => journal_api::read(shared, &query(&["after", "limit"])?),
        Job::Wait => journal_api::wait(shared, &query(&journal_api::WAIT_PARAMETERS)?).await,
        Job::ListDevices => Ok(state_api::devices(shared)),
        Job::ShowDevice => state_api::device(shared, name),
        Job::CommandRelay => state_api::command_relay(shared, name, &text),
        Job::Operate(operation) => state_api::operate(shared, name, operation, &text),
        Job::ShowTls => state_api::tls(shared),
        Job::SetTls => state_api::set_tls(shared, &text),
        Job::Authority => state_api::authority(shared),
    }
}

fn contents() -> Answer {
    let routes: Vec<Value> = ROUTES
        .iter()
        .map(|r| json!({"method": r.method, "path": r.path, "summary": r.summary}))
        .collect();
    ok(
        &json!({"service": "oceanrig control", "version": 1, "description": "/v1/openapi.json", "routes": routes}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn paths_fit_their_templates_only() {
        assert_eq!(fits("/v1/faults", "/v1/faults"), Some(None));
        assert_eq!(
            fits("/v1/faults/{name}", "/v1/faults/a%20b"),
            Some(Some("a b".to_owned()))
        );
        for path in [
            "/v1/faults/",
            "/v1/faults",
            "/v1/faults/a/b",
            "/v1/faults/%zz",
            "/v2/faults/a",
        ] {
            assert_eq!(fits("/v1/faults/{name}", path), None, "{path}");
        }
    }

    /// The document and the table say the same: methods, paths, summaries, parameters in paths.
    #[test]
    fn the_document_describes_exactly_the_routes() {
        let document: Value = serde_json::from_str(OPENAPI).expect("the document is JSON");
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            let in_path: BTreeSet<&str> = path
                .split('/')
                .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
            let declared: BTreeSet<&str> = parameters.iter().filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(in_path, declared, "{path}");
            for (method, operation) in item
                .as_object()
                .expect("an item")
                .iter()
                .filter(|(key, _)| *key != "parameters")
            {
                let summary = operation["summary"].as_str().expect("a summary");
                described.insert((method.to_uppercase(), path.clone(), summary.to_owned()));
            }
        }
        let table: BTreeSet<_> = ROUTES
            .iter()
            .map(|r| (r.method.to_owned(), r.path.to_owned(), r.summary.to_owned()))
            .collect();
        assert_eq!(table.len(), ROUTES.len(), "no route is there twice");
        assert_eq!(table, described);
        let query: BTreeSet<&str> = document["paths"]["/v1/wait"]["get"]["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .filter_map(|p| p["name"].as_str())
            .collect();
        assert_eq!(query, journal_api::WAIT_PARAMETERS.into_iter().collect());
    }
}
