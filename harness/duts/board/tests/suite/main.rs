//! Tests of the crate with a simulated chip on a pseudo-terminal.

#![expect(
    clippy::disallowed_methods,
    reason = "hardware is played by threads, in wall time"
)]

mod access_point;
mod config;
mod console;
mod fake_rom;
mod flashing;

/// The system reuses the numbers of pseudo-terminals: a test that disconnects a port must not meet that of
/// another test.
static TERMINALS: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// While this is held, no other test disconnects a port.
fn together() -> impl Drop {
    TERMINALS
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// While this is held, no other test uses a port.
fn alone() -> impl Drop {
    TERMINALS
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
