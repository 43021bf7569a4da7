//! ROM functions through their addresses.

use std::time::Duration;

use sim::Instant;

use super::call::{Call, Fault, Reply};
use super::*;
use crate::testing::FlatMemory;

const RAM: u32 = 0x3FC8_0000;

fn ram() -> FlatMemory {
    FlatMemory::new(RAM, 0x400)
}

fn serve(rom: &mut Rom, mem: &mut FlatMemory, pc: u32, args: &[u32]) -> Served {
    let mut all = [0; 8];
    all[..args.len()].copy_from_slice(args);
    let mut call = Call {
        pc,
        args: all,
        sp: RAM + 0x300,
        ra: 0x4200_0004,
        mem,
        now: Instant::ZERO,
    };
    let mut events = Vec::new();
    let served = rom.serve(&mut call, &mut events);
    assert_eq!(events, [], "{pc:#x} has a model");
    served
}

fn value(pc: u32, args: &[u32]) -> Reply {
    serve(&mut Rom::default(), &mut ram(), pc, args).unwrap()
}

fn on(mem: &mut FlatMemory, pc: u32, args: &[u32]) -> u32 {
    match serve(&mut Rom::default(), mem, pc, args) {
        Ok(Reply::Value(value) | Reply::After(_, value)) => value,
        other => panic!("{other:?}"),
    }
}

/// The two words of a 64-bit argument.
fn split(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn wide2(pc: u32, a: u64, b: u64) -> Reply {
    let ([a, b], [c, d]) = (split(a), split(b));
    value(pc, &[a, b, c, d])
}

#[test]
fn memory_functions() {
    let mut mem = ram();
    assert_eq!(on(&mut mem, 0x4000_0354, &[RAM, 0x1AB, 5]), RAM);
    assert_eq!(mem.get(RAM, 6), [0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0]);
    mem.put(RAM, b"abcdefgh");
    on(&mut mem, 0x4000_0358, &[RAM + 0x20, RAM, 4]);
    assert_eq!(mem.get(RAM + 0x20, 5), b"abcd\0");
    on(&mut mem, 0x4000_035C, &[RAM + 2, RAM, 6]);
    assert_eq!(mem.get(RAM, 9), b"ababcdef\0");
    mem.put(RAM + 0x40, b"ababcdeg");
    assert_eq!(on(&mut mem, 0x4000_0360, &[RAM, RAM + 0x40, 7]), 0);
    assert_eq!(on(&mut mem, 0x4000_0360, &[RAM, RAM + 0x40, 8]) as i32, -1);
    // A store outside memory is the guest's fault, at the address it hit.
    let outside = serve(&mut Rom::default(), &mut mem, 0x4000_0354, &[0x10, 0, 4]);
    assert_eq!(
        outside,
        Err(Fault {
            addr: 0x10,
            store: true
        })
    );
    let endless = serve(&mut Rom::default(), &mut mem, 0x4000_0358, &[RAM, RAM, u32::MAX]);
    assert_eq!(
        endless,
        Err(Fault {
            addr: RAM,
            store: false
        })
    );
}

#[test]
fn string_functions() {
    let mut mem = ram();
    mem.put(RAM, b"Renewal\0");
    mem.put(RAM + 0x20, b"renewal of\0");
    assert_eq!(on(&mut mem, 0x4000_0374, &[RAM]), 7);
    assert_eq!(on(&mut mem, 0x4000_036C, &[RAM, RAM + 0x20]) as i32, -32);
    assert_eq!(on(&mut mem, 0x4000_03D0, &[RAM, RAM + 0x20]) as i32, -32);
    assert_eq!(on(&mut mem, 0x4000_03F8, &[RAM, RAM + 0x20, 7]), 0);
    assert_eq!(on(&mut mem, 0x4000_0370, &[RAM, RAM, 100]), 0);
    assert_eq!(on(&mut mem, 0x4000_03E0, &[RAM, u32::from(b'w')]), RAM + 4);
    assert_eq!(on(&mut mem, 0x4000_03E0, &[RAM, u32::from(b'z')]), 0);
    mem.put(RAM + 0x40, b"xxxxxxxx");
    on(&mut mem, 0x4000_0368, &[RAM + 0x40, RAM, 3]);
    assert_eq!(mem.get(RAM + 0x40, 4), b"Renx");
    on(&mut mem, 0x4000_0368, &[RAM + 0x40, RAM, 8]);
    assert_eq!(mem.get(RAM + 0x40, 8), b"Renewal\0");
    assert_eq!(on(&mut mem, 0x4000_03F0, &[RAM + 0x60, RAM, 4]), 7);
    assert_eq!(mem.get(RAM + 0x60, 5), b"Ren\0\0");
    mem.put(RAM + 0x80, b"new\0");
    assert_eq!(on(&mut mem, 0x4000_0378, &[RAM, RAM + 0x80]), RAM + 2);
}

#[test]
fn integer_functions() {
    assert_eq!(wide2(0x4000_07B4, (-7i64) as u64, 2), Reply::Wide((-3i64) as u64));
    assert_eq!(wide2(0x4000_083C, (-7i64) as u64, 2), Reply::Wide(u64::MAX));
    assert_eq!(wide2(0x4000_08AC, 1 << 40, 3), Reply::Wide((1u64 << 40) / 3));
    assert_eq!(wide2(0x4000_08BC, (1 << 40) + 1, 1 << 20), Reply::Wide(1));
    assert_eq!(wide2(0x4000_08AC, 5, 0), Reply::Wide(u64::MAX));
    assert_eq!(wide2(0x4000_084C, 1 << 33, 3), Reply::Wide(3 << 33));
    assert_eq!(value(0x4000_077C, &[1, 0, 40]), Reply::Wide(1 << 40));
    assert_eq!(value(0x4000_0780, &[0, 0x8000_0000, 63]), Reply::Wide(u64::MAX));
    assert_eq!(value(0x4000_0788, &[0x1122_3344]), Reply::Value(0x4433_2211));
    assert_eq!(value(0x4000_07A8, &[0x50]), Reply::Value(4));
    assert_eq!(value(0x4000_0888, &[0xF0F0]), Reply::Value(8));
    assert_eq!(wide2(0x4000_07A0, u64::MAX, 1), Reply::Value(0));
    assert_eq!(wide2(0x4000_08A8, u64::MAX, 1), Reply::Value(2));
}

#[test]
fn floating_point_functions() {
    let d = |v: f64| v.to_bits();
    assert_eq!(wide2(0x4000_076C, d(1.5), d(2.25)), Reply::Wide(d(3.75)));
    assert_eq!(
        wide2(0x4000_07B0, d(1.0), d(3.0)),
        Reply::Wide(0x3FD5_5555_5555_5555)
    );
    assert_eq!(wide2(0x4000_0834, d(1.0), d(2.0)), Reply::Value(u32::MAX));
    assert_eq!(wide2(0x4000_0818, d(2.0), d(2.0)), Reply::Value(0));
    assert_eq!(
        value(0x4000_0770, &[1.5f32.to_bits(), 1.0f32.to_bits()]),
        Reply::Value(2.5f32.to_bits())
    );
    assert_eq!(value(0x4000_0810, &[u32::MAX]), Reply::Value(0x4F80_0000));
    let [low, high] = split(d(-1.9));
    assert_eq!(value(0x4000_07DC, &[low, high]), Reply::Value(u32::MAX));
    assert_eq!(value(0x4000_07E8, &[low, high]), Reply::Value(0));
    assert_eq!(
        value(0x4000_088C, &[split(d(3.0))[0], split(d(3.0))[1], (-2i32) as u32]),
        Reply::Wide(d(1.0 / 9.0))
    );
    // A NaN is canonical whatever the host makes of it, and every ordered comparison with it is false.
    assert_eq!(
        wide2(0x4000_0894, d(f64::INFINITY), d(f64::INFINITY)),
        Reply::Wide(0x7FF8_0000_0000_0000)
    );
    assert_eq!(value(0x4000_07BC, &[0, 0]), Reply::Value(0x7FC0_0000));
    assert_eq!(wide2(0x4000_0834, d(f64::NAN), d(1.0)), Reply::Value(2));
    assert_eq!(
        wide2(0x4000_0820, d(f64::NAN), d(1.0)),
        Reply::Value((-2i32) as u32)
    );
    assert_eq!(value(0x4000_07E4, &[0x7FC0_0000]), Reply::Value(0x7FFF_FFFF));
}

#[test]
fn checksums_agree_with_the_catalogue() {
    let mut mem = ram();
    mem.put(RAM, b"123456789");
    // Check values of CRC-32/ISO-HDLC, CRC-32/BZIP2, CRC-16/IBM-SDLC and CRC-16/GENIBUS.
    assert_eq!(on(&mut mem, 0x4000_0628, &[0, RAM, 9]), 0xCBF4_3926);
    assert_eq!(on(&mut mem, 0x4000_062C, &[0, RAM, 9]), 0xFC89_1918);
    assert_eq!(on(&mut mem, 0x4000_0630, &[0, RAM, 9]), 0x906E);
    assert_eq!(on(&mut mem, 0x4000_0634, &[0, RAM, 9]), 0xD64E);
    // In two pieces it is the same.
    let first = on(&mut mem, 0x4000_0628, &[0, RAM, 4]);
    assert_eq!(on(&mut mem, 0x4000_0628, &[first, RAM + 4, 5]), 0xCBF4_3926);
}

#[test]
fn md5_agrees_with_the_rfc() {
    let mut mem = ram();
    let digest = |mem: &mut FlatMemory, pieces: &[&[u8]]| {
        on(mem, 0x4000_0614, &[RAM]);
        for piece in pieces {
            mem.put(RAM + 0x100, piece);
            on(mem, 0x4000_0618, &[RAM, RAM + 0x100, piece.len() as u32]);
        }
        on(mem, 0x4000_061C, &[RAM + 0x200, RAM]);
        mem.get(RAM + 0x200, 16)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    assert_eq!(digest(&mut mem, &[]), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(digest(&mut mem, &[b"abc"]), "900150983cd24fb0d6963f7d28e17f72");
    let long = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
    assert_eq!(
        digest(&mut mem, &[&long[..30], &long[30..]]),
        "57edf4a22be3c955ac49da2e2107b67a"
    );
}

#[test]
fn flash_functions_work_on_the_flash() {
    let mut mem = ram();
    mem.put(RAM, &[0x0F, 0xF0, 0, 0xAA]);
    let written = serve(&mut Rom::default(), &mut mem, 0x4000_012C, &[0x1000, RAM, 4]);
    assert_eq!(written, Ok(Reply::After(Duration::from_micros(400), 0)));
    on(&mut mem, 0x4000_0130, &[0x0FFE, RAM + 8, 8]);
    assert_eq!(mem.get(RAM + 8, 8), [0xFF, 0xFF, 0x0F, 0xF0, 0, 0xAA, 0xFF, 0xFF]);
    let erased = serve(&mut Rom::default(), &mut mem, 0x4000_0128, &[1]);
    assert_eq!(erased, Ok(Reply::After(Duration::from_millis(45), 0)));
    assert_eq!(mem.flash.cells()[0x1000], 0xFF);
    assert_eq!(on(&mut mem, 0x4000_0140, &[]), 0);
}

#[test]
fn flash_functions_refuse_what_the_rom_refuses() {
    let mut mem = ram();
    assert_eq!(on(&mut mem, 0x4000_012C, &[0x1001, RAM, 4]), 1);
    assert_eq!(on(&mut mem, 0x4000_012C, &[0x1000, RAM, 3]), 1);
    assert_eq!(on(&mut mem, 0x4000_012C, &[0xFFFC, RAM, 8]), 1);
    assert_eq!(on(&mut mem, 0x4000_0128, &[16]), 1);
    assert_eq!(on(&mut mem, 0x4000_0124, &[u32::MAX]), 1);
    assert_eq!(on(&mut mem, 0x4000_01E4, &[0x1000, 0x800]), 1);
    assert_eq!(mem.flash.generation(), 0);
}

#[test]
fn a_power_cut_strikes_in_the_middle_of_a_write() {
    let mut mem = ram();
    mem.flash.cut_power_after(Some(3));
    let cut = serve(&mut Rom::default(), &mut mem, 0x4000_012C, &[0, RAM, 8]);
    assert_eq!(cut, Ok(Reply::PowerCut(Duration::from_micros(400))));
    assert_eq!(mem.flash.cells()[..4], [0, 0, 0, 0xFF]);
}

#[test]
fn a_delay_sleeps_in_steps_and_keeps_its_rest_in_a0() {
    assert_eq!(
        value(0x4000_0050, &[40]),
        Reply::After(Duration::from_micros(40), 0)
    );
    assert_eq!(
        value(0x4000_0050, &[130]),
        Reply::Again {
            after: Duration::from_micros(50),
            a0: 80
        }
    );
}

#[test]
fn the_console_waits_for_room_in_the_fifo() {
    let mut mem = ram();
    mem.registers.insert(0x6000_001C, 125 << 16);
    on(&mut mem, 0x4000_0068, &[u32::from(b'x')]);
    assert_eq!(mem.writes, [(0x6000_0000, u32::from(b'x'))]);
    mem.registers.insert(0x6000_001C, 126 << 16);
    let full = serve(&mut Rom::default(), &mut mem, 0x4000_0068, &[7]);
    assert_eq!(
        full,
        Ok(Reply::Again {
            after: Duration::from_micros(87),
            a0: 7
        })
    );
    let busy = serve(&mut Rom::default(), &mut mem, 0x4000_0080, &[0]);
    assert!(matches!(busy, Ok(Reply::Again { a0: 0, .. })));
    assert_eq!(on(&mut mem, 0x4000_0080, &[3]), 0);
}

#[test]
fn printf_formats_and_goes_on_where_it_stopped() {
    let mut mem = ram();
    mem.put(RAM, b"%s=%05d|%-4x|%X %c%%%u%lld\n\0");
    mem.put(RAM + 0x40, b"rssi\0");
    // a7 is skipped: a 64-bit argument begins in an even register, so this one lies on the stack.
    mem.put(RAM + 0x300, &(-5i64).to_le_bytes());
    let args = [
        RAM,
        RAM + 0x40,
        (-52i32) as u32,
        0xAB,
        0xCD,
        u32::from(b'z'),
        6,
        7,
    ];
    let mut rom = Rom::default();
    mem.registers.insert(0x6000_001C, 126 << 16);
    assert!(matches!(
        serve(&mut rom, &mut mem, 0x4000_0040, &args),
        Ok(Reply::Again { a0: RAM, .. })
    ));
    mem.registers.insert(0x6000_001C, 0);
    let printed = serve(&mut rom, &mut mem, 0x4000_0040, &args);
    let text: String = mem
        .writes
        .iter()
        .map(|(_, byte)| char::from(*byte as u8))
        .collect();
    assert_eq!(text, "rssi=-0052|ab  |CD z%6-5\r\n");
    assert_eq!(printed, Ok(Reply::Value(26)));
}

#[test]
fn reset_cause_and_reset_go_through_the_registers() {
    let mut mem = ram();
    mem.registers.insert(0x6000_8038, 0x0000_1241);
    assert_eq!(on(&mut mem, 0x4000_0018, &[0]), 1);
    on(&mut mem, 0x4000_0090, &[]);
    assert_eq!(mem.writes, [(0x6000_8000, 0x8000_0000)]);
}

#[test]
fn analog_registers_keep_their_fields() {
    let (mut rom, mut mem) = (Rom::default(), ram());
    let mut call = |pc, args: &[u32]| serve(&mut rom, &mut mem, pc, args).unwrap();
    call(0x4000_195C, &[0x66, 0, 4, 0xA5]);
    assert_eq!(call(0x4000_1954, &[0x66, 0, 4]), Reply::Value(0xA5));
    assert_eq!(call(0x4000_1958, &[0x66, 0, 4, 6, 4]), Reply::Value(2));
    call(0x4000_1960, &[0x66, 0, 4, 6, 4, 0xF5]);
    assert_eq!(call(0x4000_1954, &[0x66, 0, 4]), Reply::Value(0xD5));
    assert_eq!(call(0x4000_1954, &[0x66, 0, 5]), Reply::Value(0));
}

#[test]
fn the_mmu_is_set_by_page() {
    let mut mem = ram();
    assert_eq!(
        on(&mut mem, 0x4000_0564, &[0, 0x3C01_0000, 0x2_0000, 64, 2, 0]),
        0
    );
    assert_eq!(mem.writes, [(0x600C_5004, 2), (0x600C_5008, 3)]);
    assert_eq!(
        on(&mut mem, 0x4000_0564, &[0, 0x3C01_0001, 0x2_0000, 64, 2, 0]),
        2
    );
}

#[test]
fn what_has_no_model_is_reported_with_its_name() {
    let mut mem = ram();
    let mut events = Vec::new();
    for pc in [0x4000_0654, 0x4002_0000] {
        let mut call = Call {
            pc,
            args: [0; 8],
            sp: RAM,
            ra: 0x4200_0004,
            mem: &mut mem,
            now: Instant::ZERO,
        };
        assert_eq!(Rom::default().serve(&mut call, &mut events), Ok(Reply::Value(0)));
    }
    let report = |addr, name| ServiceEvent::RomNotModelled {
        addr,
        name,
        caller: 0x4200_0004,
    };
    assert_eq!(
        events,
        [
            report(0x4000_0654, Some("ets_sha_process")),
            report(0x4002_0000, None)
        ]
    );
}
