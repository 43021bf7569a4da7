//! The crate against a chip made of software, on a pseudo terminal.

#![expect(
    clippy::disallowed_methods,
    reason = "hardware is played by threads, in wall time"
)]

mod access_point;
mod config;
mod console;
mod fake_rom;
mod flashing;

/// Pseudo terminals have numbers that are given again: a test that pulls a cable must not meet the port of another.
static TERMINALS: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// While this is held nobody pulls a cable.
fn together() -> impl Drop {
    TERMINALS
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// While this is held nobody else has a port.
fn alone() -> impl Drop {
    TERMINALS
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
