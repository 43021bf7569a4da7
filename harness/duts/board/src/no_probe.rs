//! Replaces `probe.rs` in a build without probe-rs: every function returns an error.

use image::SymbolTable;

use crate::config::{BoardConfig, ProbeSelector};
use crate::console::OpenAgain;
use crate::error::BoardError;
use crate::flash::{ChipInfo, Flashed, Progress};
use crate::flash_plan::Part;
use crate::line::Lines;
use crate::ports::Port;

fn unsupported<T>(probe: String) -> Result<T, BoardError> {
    Err(BoardError::NoProbeSupport { probe })
}

pub(crate) fn flash(
    _: &BoardConfig,
    selector: &ProbeSelector,
    _: &[Part],
    _: &mut dyn Progress,
) -> Result<Flashed, BoardError> {
    unsupported(selector.to_string())
}

pub(crate) fn identify(_: &BoardConfig, selector: &ProbeSelector) -> Result<ChipInfo, BoardError> {
    unsupported(selector.to_string())
}

pub(crate) fn lines(
    _: &BoardConfig,
    port: &Port,
    _: Option<&SymbolTable>,
) -> Result<(Lines, OpenAgain), BoardError> {
    unsupported(port.name.clone())
}
