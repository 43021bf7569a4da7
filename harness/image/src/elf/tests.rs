//! ELF files built by hand: one header, one segment, a symbol table.

use super::*;

const SEGMENT_AT: usize = 0x100;

/// A 32-bit little-endian RISC-V executable with one segment of `contents` at `addr` and, unless it is
/// stripped, the symbol `esp_wifi_init_internal` at its start.
fn build(addr: u32, contents: &[u8], stripped: bool) -> Vec<u8> {
    let mut file = vec![0u8; SEGMENT_AT];
    file[..7].copy_from_slice(&[0x7F, b'E', b'L', b'F', 1, 1, 1]);
    put16(&mut file, 0x10, 2);
    put16(&mut file, 0x12, 243);
    put32(&mut file, 0x14, 1);
    put32(&mut file, 0x18, addr + 2);
    put32(&mut file, 0x1C, 0x34);
    put16(&mut file, 0x28, 0x34);
    put16(&mut file, 0x2A, 0x20);
    put16(&mut file, 0x2C, 1);
    put16(&mut file, 0x2E, 0x28);
    for (i, word) in [
        1,
        SEGMENT_AT as u32,
        addr,
        addr,
        contents.len() as u32,
        contents.len() as u32 + 16,
        5,
        4,
    ]
    .into_iter()
    .enumerate()
    {
        put32(&mut file, 0x34 + 4 * i, word);
    }
    file.extend_from_slice(contents);
    if stripped {
        return file;
    }
    let strings = b"\0esp_wifi_init_internal\0";
    let strings_at = file.len() as u32;
    file.extend_from_slice(strings);
    let symbols_at = file.len() as u32;
    file.extend_from_slice(&[0; 16]);
    for word in [1, addr, 4] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    // STB_GLOBAL, STT_FUNC; section 1 is any defined section.
    file.extend_from_slice(&[0x12, 0, 1, 0]);
    let sections_at = file.len() as u32;
    let sections: [[u32; 10]; 3] = [
        [0; 10],
        [0, 2, 0, 0, symbols_at, 32, 2, 1, 4, 16],
        [0, 3, 0, 0, strings_at, strings.len() as u32, 0, 0, 1, 0],
    ];
    for word in sections.into_iter().flatten() {
        file.extend_from_slice(&word.to_le_bytes());
    }
    put32(&mut file, 0x20, sections_at);
    put16(&mut file, 0x30, 3);
    put16(&mut file, 0x32, 2);
    file
}

fn put16(file: &mut [u8], at: usize, value: u16) {
    file[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn put32(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn error(file: &[u8]) -> ElfError {
    Firmware::parse(file).expect_err("must be refused")
}

#[test]
fn an_executable_gives_entry_segments_and_symbols() {
    let firmware = Firmware::parse(&build(0x4200_0020, &[1, 2, 3, 4], false)).unwrap();
    assert_eq!(firmware.entry, 0x4200_0022);
    assert_eq!(
        *firmware.segments,
        [Segment {
            addr: 0x4200_0020,
            data: vec![1, 2, 3, 4],
            mem_size: 20
        }]
    );
    assert_eq!(
        firmware.symbols.find("esp_wifi_init_internal").unwrap().addr,
        0x4200_0020
    );
    assert!(firmware.has_wifi_driver());
    assert_eq!(firmware.app, None);
}

#[test]
fn gzip_is_recognised_by_its_magic() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(&build(0x4200_0020, &[1, 2, 3, 4], false))
        .unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(Firmware::parse(&packed).unwrap().entry, 0x4200_0022);
    assert!(matches!(error(&packed[..packed.len() - 9]), ElfError::Gzip(_)));
}

#[test]
fn the_app_descriptor_is_read() {
    let mut contents = vec![0u8; 256];
    put32(&mut contents, 0, 0xABCD_5432);
    contents[16..21].copy_from_slice(b"5.0.1");
    contents[48..53].copy_from_slice(b"ocean");
    contents[80..88].copy_from_slice(b"12:00:00");
    contents[96..106].copy_from_slice(b"2026-01-01");
    contents[144] = 0xAB;
    let app = Firmware::parse(&build(0x3C00_0020, &contents, false))
        .unwrap()
        .app
        .unwrap();
    assert_eq!((app.project.as_str(), app.version.as_str()), ("ocean", "5.0.1"));
    assert_eq!(app.built, "2026-01-01 12:00:00");
    assert_eq!(app.elf_sha256[..2], [0xAB, 0]);
}

#[test]
fn what_is_not_an_elf_is_told_apart() {
    assert_eq!(error(b""), ElfError::NotElf);
    assert_eq!(error(b"hello, this is text"), ElfError::NotElf);
    assert_eq!(error(&[0xE9, 3, 2, 0x20]), ElfError::EspImage);
    assert!(matches!(
        error(b"\x7FELF\x01\x01"),
        ElfError::Truncated {
            what: "the file header",
            ..
        }
    ));
}

#[test]
fn other_machines_and_chips_are_named() {
    let mut file = build(0x4200_0020, &[0; 4], false);
    file[4] = 2;
    assert!(matches!(error(&file), ElfError::Is64Bit { .. }));
    let mut file = build(0x4200_0020, &[0; 4], false);
    put16(&mut file, 0x12, 94);
    assert!(error(&file).to_string().contains("Xtensa (ESP32"));
    let file = build(0x4080_0000, &[0; 4], false);
    assert_eq!(
        error(&file).to_string(),
        "linked for an ESP32-C5, ESP32-C6 or ESP32-H2, not for the ESP32-C3: a segment lies at \
         0x40800000"
    );
    assert!(matches!(
        error(&build(0x8000_0000, &[0; 4], false)),
        ElfError::OtherChip { .. }
    ));
    // A segment may end with the last bytes of SRAM, and not one byte later.
    assert!(Firmware::parse(&build(0x3FCD_FFE0, &[0; 16], false)).is_ok());
    assert!(matches!(
        error(&build(0x3FCD_FFE4, &[0; 16], false)),
        ElfError::OtherChip { .. }
    ));
}

#[test]
fn a_firmware_of_another_chip_is_read_for_that_chip() {
    let xtensa = Chip::by_id("esp32s3").unwrap();
    let mut file = build(0x4200_0020, &[0; 4], false);
    put16(&mut file, 0x12, 94);
    assert!(Firmware::parse_for(&file, xtensa).is_ok());
    let symbols = symbols_for(&file, xtensa).unwrap();
    assert_eq!(
        symbols.locate(0x4200_0021).unwrap().to_string(),
        "esp_wifi_init_internal+0x1"
    );
    let riscv = build(0x4200_0020, &[0; 4], false);
    assert_eq!(
        symbols_for(&riscv, xtensa).unwrap_err().to_string(),
        "built for RISC-V (ESP32-C and ESP32-H), not for the ESP32-S3 (Xtensa)"
    );
    // Linked for the ESP32-C6, it has names there and does not fit the ESP32-C3.
    let c6 = build(0x4080_0000, &[0; 4], false);
    assert!(symbols_for(&c6, Chip::by_id("esp32c6").unwrap()).is_ok());
}

#[test]
fn a_truncated_file_says_what_is_missing() {
    let file = build(0x4200_0020, &[0; 64], false);
    let cut = |at: usize| error(&file[..at]);
    assert!(matches!(
        cut(0x40),
        ElfError::Truncated {
            what: "the program headers",
            ..
        }
    ));
    assert_eq!(
        cut(SEGMENT_AT + 10).to_string(),
        "truncated: a segment ends at byte 320, the file has 266"
    );
    assert!(matches!(
        cut(file.len() - 1),
        ElfError::Truncated {
            what: "the section headers",
            ..
        }
    ));
}

#[test]
fn a_stripped_file_is_refused_with_the_cure() {
    let error = error(&build(0x4200_0020, &[0; 64], true));
    assert_eq!(error, ElfError::Stripped);
    assert!(error.to_string().contains("build without `strip`"));
}

#[test]
fn random_damage_is_an_error_and_never_a_panic() {
    let file = build(0x4200_0020, &[0; 64], false);
    for at in 0..file.len() {
        for value in [0x00, 0x7F, 0xFF] {
            let mut damaged = file.clone();
            damaged[at] = value;
            let _ = Firmware::parse(&damaged);
        }
    }
}
