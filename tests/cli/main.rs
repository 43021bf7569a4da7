//! The command line through its binary, as people and CI use it.

mod actions;
mod bad_input;
mod beyond;
#[cfg(target_os = "linux")]
mod boards;
#[cfg(target_os = "linux")]
mod conformance;
#[cfg(target_os = "linux")]
mod desk;
mod determinism;
mod firmware_images;
mod flaky;
mod formats;
mod interruption;
#[cfg(target_os = "linux")]
mod on_a_board;
mod output;
mod places;
#[cfg(target_os = "linux")]
mod process;
mod rig;
mod snapshots;
mod troubles;
mod verdicts;
