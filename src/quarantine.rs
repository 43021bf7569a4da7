//! Failures that are known: which scenarios the project file names, and until when.

use report::Quarantine;
use report::project::QuarantineEntry;
use sim::UnixTime;
use wildmatch::WildMatch;

use crate::select::Selected;

/// The entry for `scenario` on the day of `now_unix_ms`; where several match, the first that holds, or else the
/// first.
pub(crate) fn of(entries: &[QuarantineEntry], scenario: &Selected, now_unix_ms: u64) -> Option<Quarantine> {
    let today = day(now_unix_ms);
    let found: Vec<Quarantine> = entries
        .iter()
        .filter(|entry| matches(entry, scenario))
        .map(|entry| Quarantine {
            reason: entry.reason.clone(),
            until: entry.until.clone(),
            // Days are compared as texts: year, month and day have fixed widths.
            expired: entry.until.as_ref().is_some_and(|until| *until < today),
        })
        .collect();
    let holds = found.iter().find(|q| !q.expired);
    holds.or(found.first()).cloned()
}

/// The entries that match none of `scenarios`.
pub(crate) fn unmatched<'a>(
    entries: &'a [QuarantineEntry],
    scenarios: &[Selected],
) -> Vec<&'a QuarantineEntry> {
    let none = |entry: &&QuarantineEntry| !scenarios.iter().any(|s| matches(entry, s));
    entries.iter().filter(none).collect()
}

fn matches(entry: &QuarantineEntry, scenario: &Selected) -> bool {
    scenario.is_called(&WildMatch::new(&entry.scenario))
}

/// `YYYY-MM-DD` in UTC.
fn day(unix_ms: u64) -> String {
    let mut text = UnixTime::from_nanos(i128::from(unix_ms) * 1_000_000).to_string();
    text.truncate(10);
    text
}

#[cfg(test)]
mod tests {

    use super::*;

    const NOON_2026_11_21: u64 = 1_795_262_400_000;

    fn entry(glob: &str, until: Option<&str>) -> QuarantineEntry {
        QuarantineEntry {
            scenario: glob.into(),
            reason: format!("because of {glob}"),
            until: until.map(str::to_owned),
        }
    }

    fn selected() -> Selected {
        let text = "name: One\nversion: 1\nexpect:\n  - serial: x\n";
        Selected {
            id: "one".into(),
            scenario: faults::FORMAT.parse("a/one.yaml", text).unwrap(),
        }
    }

    #[test]
    fn the_last_day_still_counts_and_the_next_one_does_not() {
        for (until, expired) in [("2026-11-20", true), ("2026-11-21", false), ("2027-01-01", false)] {
            let found = of(&[entry("o*", Some(until))], &selected(), NOON_2026_11_21).unwrap();
            assert_eq!(found.expired, expired, "{until}");
        }
        assert!(
            !of(&[entry("one", None)], &selected(), NOON_2026_11_21)
                .unwrap()
                .expired
        );
    }

    #[test]
    fn an_entry_that_holds_comes_before_one_that_is_over_and_others_do_not_match() {
        let entries = [
            entry("two", None),
            entry("a/*", Some("2020-01-01")),
            entry("One", Some("2030-01-01")),
        ];
        let found = of(&entries, &selected(), NOON_2026_11_21).unwrap();
        assert_eq!((found.reason.as_str(), found.expired), ("because of One", false));
        assert!(of(&entries[..1], &selected(), NOON_2026_11_21).is_none());
        assert_eq!(unmatched(&entries, &[selected()]), [&entries[0]]);
    }
}
