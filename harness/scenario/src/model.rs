//! A scenario: one case of a file, checked.

use crate::action::Action;
use crate::bench::Bench;
use crate::diagnostics::{Collector, Diagnostics, Problem, Source};
use crate::expectation::{AnyExpectation, Expectation};
use crate::fault::Fault;
use crate::located::{Located, Span};
use crate::log::{Redact, SnapshotSettings};
use crate::matrix::Matrix;
use crate::quantity::TimeSpan;
use crate::read::{Good, choice, mapping};
use crate::step::{RawStep, Step};
use crate::wokwi::{Author, Version};

mapping! {
    /// A scenario file. The keys `name`, `version`, `author` and `steps` are those of Wokwi's automation scenarios
    /// and mean the same; Wokwi's runner ignores the others.
    #[derive(Clone, Debug)]
    pub(crate) struct File = "Scenario" {
        /// The scenario's name, for reports and for `-k`.
        pub(crate) name: Located<String> = "name" eg["Three hours of healthy life"];
        /// Version of the format: 1.
        pub(crate) _version: Version = "version" eg["1"];
        /// Who wrote it. Wokwi's runner takes anything here, so this one does too.
        pub(crate) author: Author = "author" eg["The pump house team"];
        /// What it shows.
        pub(crate) description: Option<String> = "description" eg["The session is renewed four times in three hours."];
        /// What the catalogue of failures says about it.
        pub(crate) catalogue: Option<Catalogue> = "catalogue";
        /// Parameters: each combination of their values is a case of its own, `${parameter}` anywhere in the file
        /// stands for the case's value. A case is called `name[parameter=value]`.
        pub(crate) _matrix: Matrix = "matrix" eg["{skew: ['-301s', '-299s', 299s, 301s]}"] or["{}"];
        /// What the scenario runs on.
        pub(crate) bench: Bench = "bench" or["{}"];
        /// What is done, one after the other, from power-on.
        pub(crate) steps: Good<Located<RawStep>> = "steps" or["[]"];
        /// What goes wrong.
        pub(crate) faults: Good<Located<Fault>> = "faults" or["[]"];
        /// What must be true of the run.
        pub(crate) expect: Good<Located<AnyExpectation>> = "expect" or["[]"];
        /// What the verdict must be: `pass`, or `fail` with the name of the expectation that must fail. The second
        /// is for firmware with a known defect: it shows that the expectation catches it.
        pub(crate) expect_verdict: ExpectVerdict = "expect-verdict" eg["{fail: renews on time}"] or["pass"];
        /// How the serial log is compared with its snapshot.
        pub(crate) snapshot: SnapshotSettings = "snapshot" or["{}"];
        /// Values that are replaced by named placeholders.
        pub(crate) redact: Good<Located<Redact>> = "redact" eg[r"[{name: build, pattern: 'build (?P<value>\w+)'}]"] or["[]"];
    }
    lenient yes;
    unknown crate::wokwi::top_level_key;
}

mapping! {
    /// What the catalogue of failures says about a scenario.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Catalogue = "Catalogue" {
        /// What a person sees.
        pub symptom: Option<String> = "symptom" eg["The device goes offline every 60 minutes."];
        /// Why.
        pub cause: Option<String> = "cause" eg["WiFi drops at the moment of the renewal."];
        /// What good firmware does.
        pub good_firmware: Option<String> = "good-firmware" eg["It tries the renewal again as soon as the network is back."];
        /// The section of the guide.
        pub guide: Option<String> = "guide" eg["'https://example.org/troubleshooting/session-expired-too-fast'"];
        /// The defect that the scenario catches.
        pub defect: Option<Located<String>> = "defect" eg["no-renewal-retry"];
    }
    lenient yes;
}

choice! {
    /// What the verdict must be.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum ExpectVerdict = "ExpectVerdict" {
        /// Every expectation holds.
        "pass" => Pass;
        /// The expectation with this name fails.
        "fail" => Fail(Located<String>) eg["renews on time"];
    }
    default Pass;
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
    /// What is right and may not be what was meant.
    pub(crate) warnings: Vec<Problem>,
    /// The pins that the file names.
    pub(crate) pins: Vec<Located<u8>>,
    pub(crate) source: Source,
}

/// Something about a scenario that reading alone does not find, such as a firmware that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its place in the file.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty if that is clear.
    pub help: String,
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
    /// The name of the case: `name`, or `name[parameter=value,…]`.
    pub fn case_name(&self) -> String {
        crate::matrix::case_name(&self.name, &self.parameters)
    }

    /// The file's name as given to [`Format::parse`](crate::Format::parse).
    pub fn path(&self) -> &str {
        &self.source.path
    }

    /// What is right and may not be what was meant, in the order of the file.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The pins that the file names beyond GPIO`most`, which is the last one of the device's chip, as mistakes.
    pub fn pins_beyond(&self, chip: &str, most: u8) -> Vec<Finding> {
        let beyond = self.pins.iter().filter(|pin| pin.value > most);
        beyond
            .map(|pin| Finding {
                span: pin.span,
                message: format!(
                    "GPIO{} does not exist: the {chip} has GPIO0 to GPIO{most}",
                    pin.value
                ),
                help: String::new(),
            })
            .collect()
    }

    /// That the steps of a file without a duration take longer than its run, if they do.
    pub fn too_short(&self) -> Option<Finding> {
        let (total, end) = (crate::step::least_time(&self.steps), self.bench.duration);
        let first = self.steps.first()?;
        (!end.span.is_known() && total > end.value).then(|| Finding {
            span: first.span,
            message: format!(
                "the steps take at least {total}, the run ends after {}",
                end.value
            ),
            help: "add `bench: {duration: 2m}`, or run it with `--timeout`".to_owned(),
        })
    }

    /// Mistakes that somebody else has found, in the form of those that reading finds.
    ///
    /// # Errors
    /// When there are any.
    pub fn refuse(&self, findings: Vec<Finding>) -> Result<(), Diagnostics> {
        let mut problems = Collector::new(&self.source);
        for finding in findings {
            problems.add(finding.span, finding.message, "here", finding.help);
        }
        problems.finish().map(|_| ())
    }

    /// The same as a warning.
    pub fn warning(&self, finding: Finding) -> Problem {
        Collector::new(&self.source).warning(finding.span, finding.message, "here", &finding.help)
    }

    /// The same for a run of this length, if the file names none: for files of Wokwi's, which have their time from the
    /// command line.
    pub fn with_timeout(&self, timeout: TimeSpan) -> Scenario {
        let mut scenario = self.clone();
        if !scenario.bench.duration.span.is_known() {
            scenario.bench.duration.value = timeout;
        }
        scenario
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
