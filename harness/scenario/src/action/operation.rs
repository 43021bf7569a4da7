//! Operations of a service and its operator, by the service's own table.

use std::time::Duration;

use vocabulary::spec::{Args, Nature, OperationSpec};

use crate::args;
use crate::read::{Cx, Tagged};

/// An operation of a service: its name in files, and what was said about it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The service.
    pub service: &'static str,
    /// What the service says of the operation.
    pub spec: &'static OperationSpec,
    /// The parameters, checked against the spec.
    pub args: Args,
}

impl PartialEq for Operation {
    fn eq(&self, other: &Operation) -> bool {
        (self.service, self.name(), &self.args) == (other.service, other.name(), &other.args)
    }
}

impl Eq for Operation {}

impl Operation {
    /// Its name in files.
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }

    /// How long it acts.
    pub fn nature(&self) -> Nature {
        if self
            .spec
            .once_with
            .iter()
            .any(|key| self.args.0.contains_key(*key))
        {
            Nature::Once
        } else {
            self.spec.nature
        }
    }

    /// See [`super::Action::sets`].
    pub(super) fn sets(&self) -> Option<&'static str> {
        let set = |key: &str| key.is_empty() || self.args.0.contains_key(key);
        let found = self.spec.sets.iter().find(|(key, _)| set(key));
        found.map(|(_, setting)| *setting)
    }

    /// See [`super::Action::usual_length`].
    pub(super) const fn usual_length(&self) -> Option<Duration> {
        self.spec.lasts
    }

    /// The operation of a name, with its value.
    pub(super) fn read(
        service: &'static str,
        spec: &'static OperationSpec,
        named: &Tagged<'_>,
        cx: &mut Cx<'_>,
    ) -> Option<Operation> {
        let args = args::behind(&spec.params, named, cx)?;
        Some(Operation { service, spec, args })
    }
}
