//! A scenario: one case of a file, checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::bench::Bench;
use crate::diagnostics::{Diagnostics, Source};
use crate::expectation::{Expectation, RawExpectation};
use crate::fault::Fault;
use crate::located::{Located, Span};
use crate::log::{Redact, SnapshotSettings};
use crate::matrix::Matrix;
use crate::parse;
use crate::quantity::TimeSpan;
use crate::step::{RawStep, Step};

/// A scenario file. The keys `name`, `version`, `author` and `steps` are those of Wokwi's automation scenarios
/// and mean the same; Wokwi's runner ignores the others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Scenario")]
pub(crate) struct File {
    /// The scenario's name, for reports and for `-k`.
    #[schemars(example = &"Three hours of healthy life")]
    pub(crate) name: Located<String>,
    /// Version of the format: 1.
    #[schemars(example = 1)]
    pub(crate) version: Located<u32>,
    /// Who wrote it.
    #[schemars(example = &"The pump house team")]
    pub(crate) author: Option<String>,
    /// What it shows.
    #[schemars(example = &"The session is renewed four times in three hours.")]
    pub(crate) description: Option<String>,
    /// What the catalogue of failures says about it.
    pub(crate) catalogue: Option<Catalogue>,
    /// Parameters: each combination of their values is a case of its own, `${parameter}` anywhere in the file
    /// stands for the case's value. A case is called `name[parameter=value]`.
    #[serde(default, rename = "matrix")]
    #[schemars(example = serde_json::json!({"skew": ["-301s", "-299s", "299s", "301s"]}))]
    pub(crate) _matrix: Matrix,
    /// What the scenario runs on.
    #[serde(default)]
    pub(crate) bench: Bench,
    /// What is done, one after the other, from power-on.
    #[serde(default)]
    pub(crate) steps: Vec<Located<RawStep>>,
    /// What goes wrong.
    #[serde(default)]
    pub(crate) faults: Vec<Located<Fault>>,
    /// What must be true of the run.
    #[serde(default)]
    pub(crate) expect: Vec<Located<RawExpectation>>,
    /// What the verdict must be: `pass`, or `fail` with the name of the expectation that must fail. The second
    /// is for firmware with a known defect: it shows that the expectation catches it.
    #[serde(default)]
    #[schemars(example = serde_json::json!({"fail": "renews on time"}))]
    pub(crate) expect_verdict: ExpectVerdict,
    /// How the serial log is compared with its snapshot.
    #[serde(default)]
    pub(crate) snapshot: SnapshotSettings,
    /// Values that are replaced by named placeholders.
    #[serde(default)]
    #[schemars(example = serde_json::json!([{"name": "build", "pattern": r"build (?P<value>\w+)"}]))]
    pub(crate) redact: Vec<Located<Redact>>,
}

/// What the catalogue of failures says about a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Catalogue {
    /// What a person sees.
    #[schemars(example = &"The device goes offline every 60 minutes.")]
    pub symptom: Option<String>,
    /// Why.
    #[schemars(example = &"WiFi drops at the moment of the renewal.")]
    pub cause: Option<String>,
    /// What good firmware does.
    #[schemars(example = &"It tries the renewal again as soon as the network is back.")]
    pub good_firmware: Option<String>,
    /// The section of the guide.
    #[schemars(example = &"https://example.org/troubleshooting/session-expired-too-fast")]
    pub guide: Option<String>,
    /// The defect that the scenario catches.
    #[schemars(example = &"no-renewal-retry")]
    pub defect: Option<Located<String>>,
}

/// What the verdict must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectVerdict {
    /// Every expectation holds.
    #[default]
    Pass,
    /// The expectation with this name fails.
    #[schemars(example = &"renews on time")]
    Fail(Located<String>),
}

/// A scenario: one case of a file, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name as written.
    pub name: String,
    /// The values of its parameters in the order of the matrix; empty without a matrix.
    pub parameters: Vec<(String, String)>,
    /// Who wrote it.
    pub author: Option<String>,
    /// What it shows.
    pub description: Option<String>,
    /// What the catalogue of failures says about it.
    pub catalogue: Option<Catalogue>,
    /// What it runs on.
    pub bench: Bench,
    /// What is done.
    pub steps: Vec<Step>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What must be true.
    pub expect: Vec<Expectation>,
    /// What the verdict must be.
    pub expect_verdict: ExpectVerdict,
    /// How the serial log is compared with its snapshot.
    pub snapshot: SnapshotSettings,
    /// Values that are replaced by named placeholders.
    pub redact: Vec<Redact>,
    pub(crate) source: Source,
}

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is run and judged: it must expect something.
    Judged,
    /// Its cloud is served and its faults are carried out; nothing is judged.
    Served,
}

impl Scenario {
    /// Reads a file that holds one scenario. `path` is the name for messages; `text` is the content.
    ///
    /// # Errors
    /// What is wrong with the file; a file with a matrix of several cases, too.
    pub fn parse(path: &str, text: &str) -> Result<Scenario, Diagnostics> {
        parse::one(path, text)
    }

    /// Reads a file: one scenario, or one for each case of its matrix.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse_all(path: &str, text: &str) -> Result<Vec<Scenario>, Diagnostics> {
        parse::all(path, text, Purpose::Judged)
    }

    /// As [`Scenario::parse_all`], for a file that is read for `purpose`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse_all_for(purpose: Purpose, path: &str, text: &str) -> Result<Vec<Scenario>, Diagnostics> {
        parse::all(path, text, purpose)
    }

    /// The name of the case: `name`, or `name[parameter=value,…]`.
    pub fn case_name(&self) -> String {
        crate::matrix::case_name(&self.name, &self.parameters)
    }

    /// The file's name as given to [`Scenario::parse`].
    pub fn path(&self) -> &str {
        &self.source.path
    }

    /// A place in the file, `path:line:column`.
    pub fn position(&self, span: Span) -> String {
        self.source.position(span)
    }

    /// The first fault that only a server with TLS can bring about, if there is one: no device on a bench meets it.
    pub fn needs_tls(&self) -> Option<&Fault> {
        self.faults
            .iter()
            .find(|fault| matches!(fault.action.value, Action::Tls(_)))
    }

    /// How long the run lasts at most.
    pub fn duration(&self) -> TimeSpan {
        self.bench.duration.value
    }

    /// Whether the run ends with its last step: a plain Wokwi file, with steps and neither a duration nor
    /// expectations.
    pub fn ends_with_steps(&self) -> bool {
        !self.steps.is_empty() && self.expect.is_empty() && !self.bench.duration.span.is_known()
    }
}

impl Expectation {
    /// Its name, or a description made from what it demands.
    pub fn title(&self) -> String {
        self.name.as_ref().map_or_else(
            || self.kind.describe(),
            |name| vocabulary::text::one_line(&name.value).into_owned(),
        )
    }
}
