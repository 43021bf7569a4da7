//! The reference of the format, for people.

/// The text of `docs/scenario-reference.md`.
pub fn reference() -> String {
    String::new()
}
