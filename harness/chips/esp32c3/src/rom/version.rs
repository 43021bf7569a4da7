//! Versions of the boot ROM, and the words by which tools tell them apart.

use crate::peripherals::efuse::Revision;

/// `_rom_eco_version` of the ROM in a chip of this revision: 0.0 to 0.2, 0.3 and 0.4, 1.x.
pub(crate) fn eco_version(revision: Revision) -> u32 {
    match (revision.major, revision.minor) {
        (0, 0..3) => 0,
        (0, _) => 3,
        _ => 7,
    }
}

/// The word at 0x4000_1000, by which tools distinguish chips.
pub(crate) fn detect_magic(eco_version: u32) -> u32 {
    match eco_version {
        0 => 0x6921_506F,
        3 => 0x1B31_506F,
        _ => 0x4361_606F,
    }
}
