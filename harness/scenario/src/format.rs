//! The format: what every file may hold, and the names of the services that it knows.

use serde_json::Value;
use vocabulary::spec::{ExpectationSpec, FactSpec, OperationSpec, ServiceSpec};

use crate::diagnostics::Diagnostics;
use crate::fault_reference::{self, FaultEntry};
use crate::model::{Purpose, Scenario};
use crate::{parse, reference, schema};

/// The format of scenario files with the services whose endpoints, operations, facts and expectations it knows.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    services: &'static [&'static ServiceSpec],
}

impl Format {
    /// The format with these services. Where two of them use one name, the first one is meant.
    pub const fn new(services: &'static [&'static ServiceSpec]) -> Format {
        Format { services }
    }

    /// Reads a file that holds one scenario. `path` is the name for messages; `text` is the content.
    ///
    /// # Errors
    /// What is wrong with the file; a file with a matrix of several cases, too.
    pub fn parse(self, path: &str, text: &str) -> Result<Scenario, Diagnostics> {
        parse::one(self, path, text)
    }

    /// Reads a file: one scenario, or one for each case of its matrix.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse_all(self, path: &str, text: &str) -> Result<Vec<Scenario>, Diagnostics> {
        self.parse_all_for(Purpose::Judged, path, text)
    }

    /// As [`Format::parse_all`], for a file that is read for `purpose`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse_all_for(
        self,
        purpose: Purpose,
        path: &str,
        text: &str,
    ) -> Result<Vec<Scenario>, Diagnostics> {
        parse::all(self, path, text, purpose)
    }

    /// The JSON Schema (draft 2020-12), for editors: it knows keys, names and forms.
    pub fn schema(self) -> Value {
        schema::schema(self)
    }

    /// The text of `docs/scenario-reference.md`.
    pub fn reference(self) -> String {
        reference::reference(self)
    }

    /// Every trigger, then every action by layer.
    pub fn fault_entries(self) -> Vec<FaultEntry> {
        fault_reference::fault_entries(self)
    }

    /// The text of `docs/fault-reference.md`.
    pub fn fault_reference(self) -> String {
        fault_reference::fault_reference(self)
    }

    pub(crate) fn services(self) -> impl Iterator<Item = &'static ServiceSpec> {
        self.services.iter().copied()
    }

    /// The names of all endpoints, each once.
    pub(crate) fn endpoints(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for endpoint in self.services.iter().flat_map(|service| service.endpoints) {
            if !names.contains(&endpoint.name) {
                names.push(endpoint.name);
            }
        }
        names
    }

    /// The operations with the services that carry them out.
    pub(crate) fn operations(self) -> impl Iterator<Item = (&'static str, &'static OperationSpec)> {
        self.services()
            .flat_map(|service| service.operations.iter().map(|spec| (service.name, spec)))
    }

    /// The facts with the services that tell them.
    pub(crate) fn facts(self) -> impl Iterator<Item = (&'static str, &'static FactSpec)> {
        self.services()
            .flat_map(|service| service.facts.iter().map(|spec| (service.name, spec)))
    }

    /// The facts that are a state, which an expectation of the same name asks for.
    pub(crate) fn states(self) -> impl Iterator<Item = (&'static str, &'static FactSpec)> {
        self.facts().filter(|(_, spec)| spec.is_state)
    }

    /// The expectations with the services that judge them.
    pub(crate) fn expectations(self) -> impl Iterator<Item = (&'static str, &'static ExpectationSpec)> {
        self.services()
            .flat_map(|service| service.expectations.iter().map(|spec| (service.name, spec)))
    }
}
