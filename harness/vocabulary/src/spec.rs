//! The description of a mock service as data: the names that a scenario file may use for it, with their parameters.
//!
//! A service publishes one [`ServiceSpec`]. The scenario format, its JSON Schema and its reference are made from
//! it, so that a new service, operation or fact adds names to the format without a change of the format's code.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::{Judge, WindowText};

/// Everything that scenario files can say about one service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSpec {
    /// Its name in files, such as `oceanremote`.
    pub name: &'static str,
    /// One line for the reference.
    pub about: &'static str,
    /// Its endpoints, in the order of its contract. The last one stands for every other path.
    pub endpoints: &'static [EndpointSpec],
    /// The operations that a fault or an operator can carry out.
    pub operations: &'static [OperationSpec],
    /// The facts that it reports, which triggers can name.
    pub facts: &'static [FactSpec],
    /// The expectations that it judges itself.
    pub expectations: &'static [ExpectationSpec],
}

/// One endpoint.
#[derive(Clone, Copy, Debug)]
pub struct EndpointSpec {
    /// Its name in files, such as `renew-session`.
    pub name: &'static str,
    /// Method and path for the reference.
    pub about: &'static str,
}

/// How long an operation or another action acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It happens once.
    Once,
    /// It begins and, after `for`, ends.
    Lasting,
    /// It strikes requests: the one that triggered it, or with `for` every one while it lasts.
    OnRequests,
}

/// An operation of a service, such as revoking a token.
#[derive(Clone, Copy, Debug)]
pub struct OperationSpec {
    /// Its name in files.
    pub name: &'static str,
    /// One or two sentences for the reference.
    pub about: &'static str,
    /// The value behind the name in an example, as YAML in flow style; empty for an operation without parameters.
    pub example: &'static str,
    /// How long it acts.
    pub nature: Nature,
    /// Keys with which it happens once although [`OperationSpec::nature`] says that it lasts.
    pub once_with: &'static [&'static str],
    /// How long it lasts when a scenario does not say; `None` is until the end of the run.
    pub lasts: Option<Duration>,
    /// What it sets: two faults that set the same at the same time contradict each other. Each entry is a key
    /// and the name of the setting; the key `""` stands for the operation as a whole.
    pub sets: &'static [(&'static str, &'static str)],
    /// What may be said about it.
    pub params: Params,
}

/// A kind of fact, such as a change of a session.
#[derive(Clone, Copy, Debug)]
pub struct FactSpec {
    /// Its name in files, which is the key of its trigger.
    pub name: &'static str,
    /// One line for the reference.
    pub about: &'static str,
    /// An example of the trigger's value, as YAML in flow style.
    pub example: &'static str,
    /// The fields that a trigger can filter by. A bare value is a filter by the first one.
    pub fields: &'static [ParamSpec],
    /// Whether the first field is a state that holds until the next fact of this kind, so that an expectation
    /// of the same name can ask for it at a moment or over time.
    pub is_state: bool,
}

/// An expectation that the service judges.
#[derive(Clone, Copy, Debug)]
pub struct ExpectationSpec {
    /// Its key in files.
    pub name: &'static str,
    /// One or two sentences for the reference.
    pub about: &'static str,
    /// How it is called where it has no name of its own, with parameters in braces: `alive within {within}`.
    pub title: &'static str,
    /// An example of its value, as YAML in flow style.
    pub example: &'static str,
    /// Its own parameters.
    pub params: &'static [ParamSpec],
    /// Which of the keys `after`, `before`, `within` it takes.
    pub window: WindowKeys,
    /// Makes its judge from checked parameters and the window's names.
    pub judge: fn(&Args, &WindowText) -> Box<dyn Judge>,
}

/// The window keys that an expectation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKeys {
    /// None.
    None,
    /// `after` only.
    After,
    /// `after`, `before` and `within`.
    All,
}

/// The value behind a name.
#[derive(Clone, Copy, Debug)]
pub enum Params {
    /// The bare name.
    None,
    /// One value.
    One(ParamType),
    /// A mapping.
    Keys(&'static [ParamSpec]),
    /// A mapping with at least one of these keys.
    AtLeastOne(&'static [ParamSpec]),
    /// A mapping with exactly one of these keys.
    ExactlyOne(&'static [ParamSpec]),
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Its key.
    pub name: &'static str,
    /// One line for the reference.
    pub about: &'static str,
    /// An example, as YAML in flow style.
    pub example: &'static str,
    /// What may be written.
    pub ty: ParamType,
    /// Whether it must be written.
    pub required: bool,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number in this range, both ends included.
    Integer(i64, i64),
    /// A length of time, such as `30s`.
    Duration,
    /// A length of time with a sign, such as `-301s`.
    Offset,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A value that was checked against a [`ParamType`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arg {
    /// Of [`ParamType::Text`] or [`ParamType::Choice`].
    Text(String),
    /// Of [`ParamType::Bool`].
    Bool(bool),
    /// Of [`ParamType::Integer`].
    Integer(i64),
    /// Of [`ParamType::Duration`].
    Duration(Duration),
    /// Of [`ParamType::Offset`], nanoseconds.
    Offset(i64),
}

/// The checked values of [`Params`] by key. The value of [`Params::One`] has the key `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Args(pub BTreeMap<String, Arg>);

impl Args {
    /// The text behind `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Arg::Text(text) => Some(text),
            Arg::Bool(_) | Arg::Integer(_) | Arg::Duration(_) | Arg::Offset(_) => None,
        }
    }

    /// The truth value behind `key`.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Arg::Bool(value) => Some(*value),
            Arg::Text(_) | Arg::Integer(_) | Arg::Duration(_) | Arg::Offset(_) => None,
        }
    }

    /// The number behind `key`.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Arg::Integer(value) => Some(*value),
            Arg::Text(_) | Arg::Bool(_) | Arg::Duration(_) | Arg::Offset(_) => None,
        }
    }

    /// The length of time behind `key`.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.0.get(key)? {
            Arg::Duration(value) => Some(*value),
            Arg::Text(_) | Arg::Bool(_) | Arg::Integer(_) | Arg::Offset(_) => None,
        }
    }

    /// The signed length of time behind `key`, nanoseconds.
    pub fn offset_ns(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Arg::Offset(value) => Some(*value),
            Arg::Text(_) | Arg::Bool(_) | Arg::Integer(_) | Arg::Duration(_) => None,
        }
    }
}
