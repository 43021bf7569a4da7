//! Replies of the control interface: JSON, and refusals that say what, where and what was expected.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// A reply.
pub(crate) type Answer = Response<Full<Bytes>>;

/// A request that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What is wrong.
    pub(crate) what: String,
    /// Where in the request.
    pub(crate) place: String,
    /// What would have been right.
    pub(crate) expected: String,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Refusal {
        Refusal {
            status,
            what: what.into(),
            place: String::new(),
            expected: String::new(),
            headers: Vec::new(),
        }
    }

    /// 400.
    pub(crate) fn bad(what: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, what)
    }

    pub(crate) fn at(mut self, place: impl Into<String>) -> Refusal {
        self.place = place.into();
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Refusal {
        self.expected = expected.into();
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn answer(self) -> Answer {
        let mut error = json!({ "what": self.what });
        for (key, text) in [("where", self.place), ("expected", self.expected)] {
            if !text.is_empty() {
                error[key] = Value::String(text);
            }
        }
        let mut answer = json_answer(self.status, &json!({ "error": error }));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer
    }
}

/// A reply with a JSON body, ended by a line end for the sake of terminals.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    // The alternate form is indented: a person reads it in a terminal.
    text_answer(status, "application/json", format!("{body:#}\n"))
}

/// 200 with JSON.
pub(crate) fn ok(body: &Value) -> Answer {
    json_answer(StatusCode::OK, body)
}

/// A reply with any body.
pub(crate) fn text_answer(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}
