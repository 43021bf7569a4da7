//! Files that are no firmware for the chip: exit code 2 and a message that says what the file is.

use crate::rig::{PASSES, Rig, fixture};

/// Where code lies that runs without the flash.
const IRAM: u32 = 0x4038_0000;
/// `EM_RISCV`.
const RISCV: u16 = 243;

/// A firmware of one segment with this code: an ELF as the linker would make it, with one symbol.
pub(crate) fn firmware(code: &[u32]) -> Vec<u8> {
    elf(code, RISCV, IRAM)
}

fn elf(code: &[u32], machine: u16, addr: u32) -> Vec<u8> {
    let code: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
    let len = u32::try_from(code.len()).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let (header, segment, section, symbol) = (52_u32, 32_u32, 40_u32, 16_u32);
    let code_at = header + segment;
    let symbols_at = code_at + len;
    let strings_at = symbols_at + 2 * symbol;
    let strings = b"\0_start\0";
    let sections_at = strings_at + 8;
    let mut out = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend(2_u16.to_le_bytes()); // ET_EXEC
    out.extend(machine.to_le_bytes());
    out.extend(words(&[1, addr, header, sections_at, 0]));
    for half in [header, segment, 1, section, 3, 2] {
        out.extend(u16::try_from(half).unwrap().to_le_bytes());
    }
    out.extend(words(&[1, code_at, addr, addr, len, len, 5, 4]));
    out.extend(code);
    out.extend([0; 16]);
    out.extend(words(&[1, addr, len, 0x0001_0012])); // `_start`, a global function in section 1
    out.extend(strings);
    out.extend([0; 40]);
    out.extend(words(&[0, 2, 0, 0, symbols_at, 2 * symbol, 2, 1, 4, symbol])); // SHT_SYMTAB
    out.extend(words(&[0, 3, 0, 0, strings_at, 8, 0, 0, 1, 0])); // SHT_STRTAB
    out
}

/// Runs a scenario with this file as its firmware, and checks that it is refused with `why`.
#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let rig = Rig::with(&[
        ("a.yaml", PASSES),
        (
            "named.yaml",
            "name: X\nversion: 1\nbench:\n  firmware: fw.elf\nexpect: [{serial: x}]\n",
        ),
    ]);
    rig.write("fw.elf", bytes);
    let ended = rig.oceanrig(&["run", "a.yaml", "--firmware", "fw.elf"]).exits(2);
    assert_eq!(
        ended.stderr,
        format!("error: cannot use the firmware image fw.elf: {why}\n")
    );
    assert_eq!(ended.stdout, "", "nothing ran");
    rig.oceanrig(&["run", "named.yaml"]).exits(2).tells(&[
        "named.yaml:4:13",
        "cannot use the firmware image fw.elf",
        why,
    ]);
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_place_that_names_it() {
    let rig = Rig::with(&[
        ("a.yaml", PASSES),
        (
            "named.yaml",
            "name: X\nversion: 1\nbench:\n  firmware: ../gone.elf\nexpect: [{serial: x}]\n",
        ),
    ]);
    rig.oceanrig(&["run", "a.yaml", "--firmware", "gone.elf"])
        .exits(2)
        .tells(&["error: cannot read gone.elf: "]);
    rig.oceanrig(&["run", "named.yaml"])
        .exits(2)
        .tells(&["error: named.yaml:4:13", "cannot read ../gone.elf: "]);
}

#[test]
fn a_stripped_firmware_is_refused() {
    let mut elf = fixture("oceanremote-device.elf.gz");
    // e_shoff, e_shnum and e_shstrndx: without sections there are no symbols.
    elf[32..36].fill(0);
    elf[48..52].fill(0);
    refused(
        &elf,
        "stripped: without its symbol table the WiFi driver's functions cannot be found; build without `strip` \
         (`debug = 0` is fine)",
    );
}

#[test]
fn a_truncated_firmware_is_refused() {
    let elf = fixture("oceanremote-device.elf.gz");
    refused(
        &elf[..400_000],
        "truncated: a segment ends at byte 654922, the file has 400000",
    );
    let gz = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/oceanremote-device.elf.gz"
    ))
    .unwrap();
    refused(&gz[..100_000], "cannot decompress: incomplete deflate stream");
    refused(b"", "not an ELF file");
    refused(
        b"not an ELF, but as long as the head of one would be, and longer",
        "not an ELF file",
    );
}

#[test]
fn a_firmware_for_another_chip_is_refused() {
    let code = [0x0000_006F];
    refused(
        &elf(&code, 94, IRAM),
        "built for Xtensa (ESP32, ESP32-S2 or ESP32-S3), not for the ESP32-C3 (32-bit RISC-V)",
    );
    refused(
        &elf(&code, 40, IRAM),
        "built for ARM, not for the ESP32-C3 (32-bit RISC-V)",
    );
    // The ESP32-C6 is RISC-V as well, and has its RAM elsewhere.
    refused(
        &elf(&code, RISCV, 0x4080_0000),
        "linked for an ESP32-C5, ESP32-C6 or ESP32-H2, not for the ESP32-C3: a segment lies at 0x40800000",
    );
    let mut host = b"\x7fELF\x02\x01\x01".to_vec();
    host.resize(200, 0);
    refused(
        &host,
        "a 64-bit ELF file, not a firmware for the ESP32-C3 (32-bit RISC-V)",
    );
}

#[test]
fn an_application_image_is_refused_with_what_is_wanted() {
    let mut bin = b"\xE9\x05\x02\x20".to_vec();
    bin.resize(4096, 0);
    refused(
        &bin,
        "this is an application image (.bin), which has no symbols: give the ELF file that it was made from",
    );
}
