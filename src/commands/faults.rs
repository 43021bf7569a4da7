//! `oceanrig faults`

use std::io::Write as _;

use scenario::FaultEntry;

use crate::cli::FaultsArgs;
use crate::error::{CliError, stdout_failed};
use crate::exit::Exit;

/// Lists what a fault plan can wait for and do, each with an example.
///
/// # Errors
/// When stdout cannot be written, or nothing is called as asked.
pub(crate) fn faults(args: &FaultsArgs) -> Result<Exit, CliError> {
    let entries = faults::FORMAT.fault_entries();
    let text = match &args.name {
        None => list(&entries),
        Some(name) => {
            let found: Vec<&FaultEntry> = entries.iter().filter(|e| e.name == *name).collect();
            if found.is_empty() {
                return Err(CliError::NoSuchFault(name.clone()));
            }
            found.into_iter().map(details).collect()
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(stdout_failed)?;
    Ok(Exit::Passed)
}

fn list(entries: &[FaultEntry]) -> String {
    let mut out = String::new();
    let mut layer = "";
    for e in entries {
        if e.layer != layer {
            layer = e.layer;
            let key = key(e);
            let title = if e.is_trigger() {
                "Moments".to_owned()
            } else {
                format!("Actions: {layer}")
            };
            out.push_str(&format!(
                "{}{title} (`{key}:`)\n",
                if out.is_empty() { "" } else { "\n" }
            ));
        }
        out.push_str(&format!("  {:<30}{}\n", e.name, first_sentence(&e.meaning)));
        out.push_str(&format!("  {:<30}{}: {}\n", "", key(e), e.example));
    }
    out
}

fn details(e: &FaultEntry) -> String {
    let mut out = format!("{}\n  {}\n\n  {}: {}\n", e.name, e.meaning, key(e), e.example);
    for (name, meaning) in &e.values {
        out.push_str(&format!("\n  {name:<20}{meaning}"));
    }
    out.push_str(if e.values.is_empty() { "\n" } else { "\n\n" });
    out
}

fn key(e: &FaultEntry) -> &'static str {
    if e.is_trigger() { "when" } else { "do" }
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_its_example_below_it() {
        let text = list(&faults::FORMAT.fault_entries());
        assert!(text.contains("Actions: TCP (`do:`)\n"));
        assert!(text.contains("\n  access-point-gone             The access point stops: beacons are missed, and no network is found.\n                                do: access-point-gone\n"), "{text}");
    }

    #[test]
    fn a_name_shows_its_values() {
        let dhcp = faults::FORMAT
            .fault_entries()
            .into_iter()
            .find(|e| e.name == "dhcp" && !e.is_trigger())
            .unwrap();
        let text = details(&dhcp);
        assert!(
            text.contains("  do: {dhcp: {lease: 60s}}\n\n  silent              No answer."),
            "{text}"
        );
    }
}
