//! What is wrong with a scenario although its file is right: a firmware that is not there, a defect that no firmware
//! has, a pin that the chip does not have.

use std::path::Path;

use scenario::{Diagnostics, Finding, Problem, Scenario};

/// The defects of the shipped firmware, as the guide lists them.
const DEFECTS: &str = include_str!("../docs/defects.md");

/// The chip of the built-in emulator, and its last pin (ESP32-C3 datasheet, pin overview).
const CHIP: (&str, u8) = ("ESP32-C3", 21);

/// Names of the defects of the shipped firmware.
fn known_defects() -> impl Iterator<Item = &'static str> {
    DEFECTS
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
}

/// Mistakes in what a scenario says of pins, for a device that is the emulator's chip.
///
/// # Errors
/// Pins that it does not have.
pub(crate) fn pins(scenario: &Scenario) -> Result<(), Diagnostics> {
    scenario.refuse(scenario.pins_beyond(CHIP.0, CHIP.1))
}

/// Mistakes in the defects that a scenario switches on. Another firmware than the shipped one (`is_foreign`) may have
/// others, so that they are warned of.
///
/// # Errors
/// Defects that the shipped firmware does not have.
pub(crate) fn defects(scenario: &Scenario, is_foreign: bool) -> Result<Vec<Problem>, Diagnostics> {
    let unknown = scenario
        .bench
        .provisioning
        .defects
        .iter()
        .filter(|defect| !known_defects().any(|known| known == defect.value));
    let findings: Vec<Finding> = unknown
        .map(|defect| Finding {
            span: defect.span,
            message: format!("the shipped firmware has no defect `{}`", defect.value),
            help: match scenario::closest(&defect.value, known_defects()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "docs/defects.md lists them".to_owned(),
            },
        })
        .collect();
    if is_foreign {
        return Ok(findings.into_iter().map(|f| scenario.warning(f)).collect());
    }
    scenario.refuse(findings).map(|()| Vec::new())
}

/// Whether the firmware that a scenario names is there.
///
/// # Errors
/// If it is not.
pub(crate) fn firmware(scenario: &Scenario) -> Result<(), Diagnostics> {
    let Some(named) = &scenario.bench.firmware else {
        return Ok(());
    };
    let path = Path::new(scenario.path())
        .parent()
        .map_or_else(|| named.value.clone().into(), |dir| dir.join(&named.value));
    if path.is_file() {
        return Ok(());
    }
    let finding = Finding {
        span: named.span,
        message: format!("there is no firmware {}", path.display()),
        help: "it is looked for relative to the scenario file".to_owned(),
    };
    scenario.refuse(vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_the_defects() {
        let known: Vec<&str> = known_defects().collect();
        assert!(known.len() > 25, "{known:?}");
        assert!(known.contains(&"no-auto-renewal") && known.contains(&"dhcp-storm"));
    }
}
