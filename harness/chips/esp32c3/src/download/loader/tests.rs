//! Requests as esptool sends them, and the ROM's answers byte for byte.

use std::io::Write;

use super::*;
use crate::testing::FlatMemory;

/// `SYNC`, as in esptool's documentation and in every capture of it.
const SYNC: &[u8] =
    b"\xC0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU\xC0";

struct Bench {
    loader: Loader,
    mem: FlatMemory,
}

impl Bench {
    /// A loader that has received a SYNC, with a flash of 64 KiB and RAM at 0x3FC8_0000.
    fn new() -> Bench {
        let mut bench = Bench {
            loader: Loader::new(0x1_0000),
            mem: FlatMemory::new(0x3FC8_0000, 0x1000),
        };
        assert!(bench.send(SYNC).is_some());
        bench
    }

    fn send(&mut self, bytes: &[u8]) -> Option<Answer> {
        let mut answers = bytes.iter().filter_map(|b| self.loader.push(*b, &mut self.mem));
        let first = answers.next();
        assert!(answers.next().is_none(), "one request at a time");
        first
    }

    /// Sends a command; the answer's bytes.
    fn ask(&mut self, op: u8, checksum: u8, data: &[u8]) -> Vec<u8> {
        match self.request(op, checksum, data) {
            Answer::Send { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn request(&mut self, op: u8, checksum: u8, data: &[u8]) -> Answer {
        let mut packet = vec![0, op];
        packet.extend((data.len() as u16).to_le_bytes());
        packet.extend([checksum, 0, 0, 0]);
        packet.extend(data);
        let mut framed = Vec::new();
        frame(&packet, &mut framed);
        self.send(&framed).expect("every command is answered")
    }

    /// Status and error code of an answer without data. The code counts only with a status: the ROM leaves the last one
    /// there.
    fn status(&mut self, op: u8, checksum: u8, data: &[u8]) -> [u8; 2] {
        let answer = self.ask(op, checksum, data);
        assert_eq!((answer[0], answer[1], answer[2]), (0xC0, 1, op));
        [answer[9], answer[9] * answer[10]]
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn block(data: &[u8], sequence: u32) -> (u8, Vec<u8>) {
    let mut bytes = words(&[data.len() as u32, sequence, 0, 0]);
    bytes.extend(data);
    (checksum(data), bytes)
}

const FINE: [u8; 2] = [0, 0];

#[test]
fn only_sync_connects_and_is_answered_eight_times() {
    let mut bench = Bench {
        loader: Loader::new(0x1_0000),
        mem: FlatMemory::new(0, 0),
    };
    let read_register = b"\xC0\x00\x0A\x04\x00\x00\x00\x00\x00\x00\x10\x00\x40\xC0";
    assert_eq!(bench.send(read_register), None, "nobody has been heard yet");
    assert!(!bench.loader.is_connected());
    let once = b"\xC0\x01\x08\x04\x00\x07\x07\x12\x20\x00\x00\x00\x00\xC0";
    for _ in 0..2 {
        let Some(Answer::Send { bytes, then, .. }) = bench.send(SYNC) else {
            panic!("no answer");
        };
        assert_eq!((bytes, then), (once.repeat(8), Then::Continue));
    }
    assert!(bench.loader.is_connected());
}

#[test]
fn registers_are_read_and_written_under_a_mask() {
    let mut bench = Bench::new();
    bench.mem.registers.insert(0x6000_8850, 0x00C0_DBAA);
    assert_eq!(
        bench.ask(0x0A, 0, &words(&[0x6000_8850])),
        b"\xC0\x01\x0A\x04\x00\xAA\xDB\xDD\xDB\xDC\x00\x00\x00\x00\x00\xC0",
        "END and ESCAPE within the value are escaped"
    );
    let group = [0x6000_8850, 0x1234_5678, 0x0000_FF00, 700];
    let Answer::Send { took, .. } = bench.request(0x09, 0, &words(&group)) else {
        panic!("no answer");
    };
    assert_eq!(bench.mem.registers[&0x6000_8850], 0x00C0_56AA);
    assert_eq!(took, Duration::from_micros(700));
    assert_eq!(
        bench.request(0x0A, 0, &words(&[0x1000_0000])),
        Answer::Fault {
            addr: 0x1000_0000,
            store: false
        }
    );
}

#[test]
fn flash_is_erased_written_and_read_back() {
    let mut bench = Bench::new();
    bench.mem.flash.flash_image(0x1000, &[0; 0x3000]).unwrap();
    // Erases whole sectors although 0x1004 bytes are announced.
    let begin = words(&[0x1004, 5, 0x400, 0x1000, 0]);
    let Answer::Send { took, .. } = bench.request(0x02, 0, &begin) else {
        panic!("no answer");
    };
    assert_eq!(took, Duration::from_millis(90));
    assert_eq!(bench.mem.flash.cells()[0x2FFF], 0xFF);
    assert_eq!(bench.mem.flash.cells()[0x3000], 0);
    let data: Vec<u8> = (0..0x400u32).map(|n| (n * 7) as u8).collect();
    for sequence in 0..4 {
        let (sum, bytes) = block(&data, sequence);
        assert_eq!(bench.status(0x03, sum, &bytes), FINE);
    }
    let (sum, bytes) = block(&[1, 2, 3, 4], 4);
    assert_eq!(bench.status(0x03, sum, &bytes), FINE);
    assert_eq!(bench.mem.flash.cells()[0x1000..0x1400], data);
    assert_eq!(bench.mem.flash.cells()[0x2000..0x2005], [1, 2, 3, 4, 0xFF]);
    // The ROM's slow read: 64 bytes, then the status.
    let answer = bench.ask(0x0E, 0, &words(&[0x2000, 64]));
    assert_eq!(answer[..5], [0xC0, 1, 0x0E, 68, 0]);
    assert_eq!(answer[9..14], [1, 2, 3, 4, 0xFF]);
    assert_eq!(bench.status(0x0E, 0, &words(&[0x2000, 65])), [1, 0x0A]);
    // Everything came: the end is accepted, and the ROM resets after the two bytes that flush the host's frame.
    let end = bench.request(0x04, 0, &words(&[0]));
    let Answer::Send { bytes, then, .. } = end else {
        panic!("{end:?}");
    };
    assert!(bytes.ends_with(b"\xC0\xC0\xC0") && then == Then::Reset);
}

#[test]
fn a_bad_block_is_refused_with_the_roms_code() {
    let mut bench = Bench::new();
    let begin = words(&[0x1000, 2, 0x100, 0, 0]);
    assert_eq!(bench.status(0x02, 0, &begin), FINE);
    let (sum, bytes) = block(&[0x55; 0x100], 0);
    assert_eq!(bench.status(0x03, sum ^ 1, &bytes), [1, 7], "checksum");
    assert_eq!(bench.mem.flash.cells()[0], 0xFF);
    assert_eq!(bench.status(0x03, sum, &bytes), [1, 5], "the ROM has counted it");
    let (sum, bytes) = block(&[0x55; 0x104], 1);
    assert_eq!(bench.status(0x03, sum, &bytes), [1, 5], "longer than announced");
    let (sum, bytes) = block(&[0x55; 3], 1);
    assert_eq!(bench.status(0x03, sum, &bytes), [1, 5], "not whole words");
    // Programming clears bits only: what was not erased cannot be written.
    bench.mem.flash.flash_image(0, &[0; 0x100]).unwrap();
    let (sum, bytes) = block(&[0x55; 0x100 - 4], 1);
    assert_eq!(
        bench.status(0x03, sum, &bytes),
        FINE,
        "an even number of equal bytes"
    );
    let (sum, bytes) = block(&[1, 0, 0, 0], 2);
    bench.mem.flash.flash_image(0xFC, &[0; 4]).unwrap();
    assert_eq!(bench.status(0x03, sum, &bytes), [1, 8]);
    // Blocks are missing. The loader is left all the same.
    let end = bench.request(0x04, 0, &words(&[1]));
    let Answer::Send { bytes, then, .. } = end else {
        panic!("{end:?}");
    };
    assert_eq!((bytes[9], bytes[10], then), (1, 6, Then::Leave { entry: 0 }));
}

#[test]
fn erasing_outside_the_flash_or_off_a_sector_fails() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.status(0x02, 0, &words(&[0x1000, 1, 0x400, 0x800, 0])),
        [1, 6]
    );
    assert_eq!(
        bench.status(0x02, 0, &words(&[0x1000, 1, 0x400, 0x1_0000, 0])),
        [1, 6]
    );
    assert_eq!(
        bench.status(0x02, 0, &words(&[u32::MAX, 1, 0x400, 0x1000, 0])),
        [1, 6]
    );
    assert_eq!(
        bench.status(0x02, 0, &words(&[0, 0, 0x1801, 0, 0])),
        [1, 5],
        "block too long"
    );
    assert_eq!(
        bench.status(0x02, 0, &words(&[0, 0, 0x400, 0])),
        [1, 5],
        "one word short"
    );
    // A larger chip as far as the ROM knows: the real one still ends where it ends.
    assert_eq!(
        bench.status(0x0B, 0, &words(&[0, 0x10_0000, 0x1_0000, 0x1000, 0x100, 0xFFFF])),
        FINE
    );
    assert_eq!(
        bench.status(0x02, 0, &words(&[0x1000, 1, 0x400, 0x1_0000, 0])),
        [1, 6]
    );
    assert_eq!(bench.status(0x13, 0, &words(&[0x1_0000, 16, 0, 0])), [1, 9]);
}

#[test]
fn compressed_data_are_unpacked_across_windows() {
    let mut bench = Bench::new();
    let data: Vec<u8> = (0..0xA001u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&data).unwrap();
    let packed = packer.finish().unwrap();
    let blocks = packed.len().div_ceil(0x400) as u32;
    let begin = words(&[0xB000, blocks, 0x400, 0x2000, 0]);
    assert_eq!(bench.status(0x10, 0, &begin), FINE);
    for (sequence, chunk) in packed.chunks(0x400).enumerate() {
        let (sum, bytes) = block(chunk, sequence as u32);
        assert_eq!(bench.status(0x11, sum, &bytes), FINE);
    }
    assert!(bench.mem.flash.cells()[0x2000..].starts_with(&data));
    assert_eq!(bench.mem.flash.cells()[0x2000 + 0xA001], 0xFF);
    let answer = bench.ask(0x12, 0, &words(&[1]));
    assert_eq!(
        answer,
        b"\xC0\x01\x12\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xC0"
    );
    let hex: String = Md5::digest(&data).iter().map(|b| format!("{b:02x}")).collect();
    let answer = bench.ask(0x13, 0, &words(&[0x2000, 0xA001, 0, 0]));
    assert_eq!(answer[..5], [0xC0, 1, 0x13, 36, 0]);
    assert_eq!(answer[9..41], *hex.as_bytes());
    assert_eq!(answer[41..], [0, 0, 0, 0, 0xC0]);
}

#[test]
fn damaged_compressed_data_have_codes_of_their_own() {
    let mut bench = Bench::new();
    let begin = words(&[0x1000, 1, 0x400, 0, 0]);
    let packed = |data: &[u8]| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(data).unwrap();
        packer.finish().unwrap()
    };
    bench.status(0x10, 0, &begin);
    let (sum, bytes) = block(&[0xFF; 16], 0);
    assert_eq!(bench.status(0x11, sum, &bytes), [1, 0x0B], "no zlib stream");
    bench.status(0x10, 0, &begin);
    let mut wrong_sum = packed(b"anchor");
    *wrong_sum.last_mut().unwrap() ^= 1;
    let (sum, bytes) = block(&wrong_sum, 0);
    assert_eq!(bench.status(0x11, sum, &bytes), [1, 0x0C], "Adler-32");
    let end = bench.ask(0x12, 0, &words(&[1]));
    assert_eq!(
        end[9..11],
        [0, 0x0C],
        "success, with the last code, as in the ROM"
    );
    bench.status(0x10, 0, &begin);
    let mut overlong = packed(b"anchor");
    overlong.extend([0; 8]);
    let (sum, bytes) = block(&overlong, 0);
    assert_eq!(
        bench.request(0x11, sum, &bytes),
        Answer::Hang,
        "the ROM loops for ever"
    );
}

#[test]
fn ram_is_loaded_and_a_program_started() {
    let mut bench = Bench::new();
    assert_eq!(bench.status(0x05, 0, &words(&[6, 1, 0x1800, 0x3FC8_0100])), FINE);
    let (sum, bytes) = block(b"anchor", 0);
    assert_eq!(bench.status(0x07, sum, &bytes), FINE);
    assert_eq!(bench.mem.get(0x3FC8_0100, 6), b"anchor");
    let Answer::Send { then, .. } = bench.request(0x06, 0, &words(&[1, 0])) else {
        panic!("no answer");
    };
    assert_eq!(then, Then::Continue, "stay in the loader");
    let Answer::Send { then, .. } = bench.request(0x06, 0, &words(&[0, 0x3FC8_0100])) else {
        panic!("no answer");
    };
    assert_eq!(then, Then::Leave { entry: 0x3FC8_0100 });
    bench.status(0x05, 0, &words(&[6, 1, 0x1800, 0x2000_0000]));
    let (sum, bytes) = block(b"anchor", 0);
    assert!(matches!(
        bench.request(0x07, sum, &bytes),
        Answer::Fault { store: true, .. }
    ));
}

#[test]
fn the_rate_changes_after_the_answer() {
    let mut bench = Bench::new();
    for (rate, divider) in [(921_600, 694), (115_200, 5_555), (0, u32::MAX)] {
        let Answer::Send { bytes, then, .. } = bench.request(0x0F, 0, &words(&[rate, 0])) else {
            panic!("no answer");
        };
        assert_eq!(then, Then::Divide(divider));
        assert!(bytes.ends_with(b"\x00\xC0\xC0\xC0"));
    }
}

#[test]
fn unknown_commands_repeat_the_last_number() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.ask(0xD0, 0, &[]),
        b"\xC0\x01\x00\x04\x00\x00\x00\x00\x00\x01\x05\x00\x00\xC0"
    );
    let Some(Answer::Send { .. }) = bench.send(SYNC) else {
        panic!("no answer");
    };
    // esptool counts on this: after SYNC the refusal comes eight times.
    let refusal = b"\xC0\x01\x08\x04\x00\x07\x07\x12\x20\x01\x05\x00\x00\xC0";
    assert_eq!(bench.ask(0xD0, 0, &[]), refusal.repeat(8));
    assert_eq!(bench.ask(0x0C, 0, &[]), refusal.repeat(8));
    bench.status(0x0D, 0, &words(&[0, 0]));
    assert!(
        bench.send(b"\xC0\x01\xC0").is_some(),
        "an answer instead of a request"
    );
}

#[test]
fn whatever_comes_is_answered_or_ignored() {
    let mut bench = Bench::new();
    // Lengths that lie, truncated and overlong packets, for each command: no panic, and the loader lives on.
    for op in 0..=255u8 {
        for len in [0u16, 1, 16, 24, 0x1810, u16::MAX] {
            for fill in [0x00, 0x01, 0x7F, 0xFF] {
                let mut packet = vec![0, op];
                packet.extend(len.to_le_bytes());
                packet.resize(40, fill);
                let mut framed = Vec::new();
                frame(&packet, &mut framed);
                bench.send(&framed);
            }
        }
        bench.send(&[0xC0, 0, op, 0xC0]);
    }
    let mut long = vec![0xC0];
    long.resize(3 * BUFFER, 0x55);
    long.push(0xC0);
    bench.send(&long);
    assert_eq!(bench.status(0x0A, 0, &words(&[0x6000_0000])), FINE);
}

#[test]
fn power_that_fails_while_writing_leaves_the_rest_old() {
    let mut bench = Bench::new();
    assert_eq!(bench.status(0x02, 0, &words(&[0x1000, 1, 0x400, 0, 0])), FINE);
    bench.mem.flash.cut_power_after(Some(3));
    let (sum, bytes) = block(&[0; 8], 0);
    assert!(matches!(bench.request(0x03, sum, &bytes), Answer::PowerCut(_)));
    assert_eq!(bench.mem.flash.cells()[..5], [0, 0, 0, 0xFF, 0xFF]);
}
