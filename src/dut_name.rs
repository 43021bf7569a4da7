//! The names of devices, as `--dut` takes them, and the factories that they lead to.

use std::fmt;
use std::str::FromStr;

use board::BoardFactory;
use dut::DutFactory;
use emulator::EmulatorFactory;
use process::ProcessFactory;

/// The backends, one row each.
const FACTORIES: [&dyn DutFactory; 3] = [&EmulatorFactory, &BoardFactory, &ProcessFactory];

/// The device that `--dut` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DutName(String);

impl fmt::Display for DutName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DutName {
    /// Whether it is the one that is meant when no other is named.
    pub(crate) fn is_default(&self) -> bool {
        self.0 == EmulatorFactory.scheme()
    }

    /// The factory of the name's scheme, and the rest of the name.
    pub(crate) fn factory(&self) -> Option<(&'static dyn DutFactory, Option<&str>)> {
        factory(&self.0)
    }
}

/// The factory of a name's scheme, and the rest of the name.
fn factory(name: &str) -> Option<(&'static dyn DutFactory, Option<&str>)> {
    let (scheme, rest) = match name.split_once(':') {
        Some((scheme, rest)) => (scheme, Some(rest)),
        None => (name, None),
    };
    let factory = FACTORIES.into_iter().find(|factory| factory.scheme() == scheme)?;
    Some((factory, rest))
}

impl FromStr for DutName {
    type Err = String;

    fn from_str(text: &str) -> Result<DutName, String> {
        if factory(text).is_none() {
            let forms: Vec<&str> = FACTORIES.iter().map(|factory| factory.form()).collect();
            return Err(format!("expected {}", forms.join(", or ")));
        }
        Ok(DutName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duts_have_names() {
        for right in ["emulator", "board:desk", "process:./client --fast"] {
            assert_eq!(
                right.parse::<DutName>().map(|name| name.to_string()),
                Ok(right.to_owned())
            );
        }
        for wrong in ["qemu", "", "boards:x"] {
            let error = wrong.parse::<DutName>().unwrap_err();
            assert!(
                error.contains("board:NAME") && error.contains("process:COMMAND"),
                "{wrong}: {error}"
            );
        }
    }
}
