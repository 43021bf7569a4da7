//! Tests of the address space, access by access.

use super::*;
use crate::peripherals::efuse::Revision;

fn bus() -> SystemBus {
    let peripherals = Peripherals::new([2; 6], Revision { major: 0, minor: 4 }, 0, true);
    SystemBus::new(NorFlash::new(0x40_0000), peripherals, HookSet::default())
}

#[test]
fn one_sram_has_two_views() {
    let mut bus = bus();
    assert_eq!(bus.write(0x3FC8_0010, 0x1234_5678, 4, 0), Ok(Flow::Continue));
    assert_eq!(bus.read(0x4038_0010, 4, 0), Ok(0x1234_5678));
    assert_eq!(bus.read(0x4038_0012, 2, 0), Ok(0x1234));
    bus.write(0x403D_FFFF, 0xAB, 1, 0).unwrap();
    assert_eq!(bus.read(0x3FCD_FFFF, 1, 0), Ok(0xAB));
    assert_eq!(bus.read(0x3FCE_0000, 1, 0), Err(AccessFault));
    assert_eq!(bus.read(0x4037_C000, 4, 0), Ok(0));
    assert_eq!(bus.read(0x4037_BFFC, 4, 0), Err(AccessFault));
}

#[test]
fn flash_is_read_through_the_mmu_and_not_written() {
    let mut bus = bus();
    bus.flash.flash_image(0x2_0004, &[1, 2, 3, 4]).unwrap();
    assert_eq!(bus.read(0x3C00_0004, 4, 0), Err(AccessFault), "nothing mapped");
    bus.write(0x600C_5000, 2, 4, 0).unwrap();
    assert_eq!(bus.read(0x3C00_0004, 4, 0), Ok(0x0403_0201));
    assert_eq!(
        bus.read(0x4200_0004, 4, 0),
        Ok(0x0403_0201),
        "both windows share the table"
    );
    assert_eq!(bus.read(0x3C00_0006, 2, 0), Ok(0x0403));
    assert_eq!(bus.write(0x3C00_0004, 0, 4, 0), Err(AccessFault));
    assert_eq!(bus.read(0x600C_5000, 4, 0), Ok(2));
}

#[test]
fn only_stores_to_decoded_halfwords_make_code_stale() {
    let mut bus = bus();
    bus.fetch(0x4038_0102).unwrap();
    assert_eq!(
        bus.write(0x3FC8_0104, 0, 4, 0),
        Ok(Flow::Continue),
        "the word after it"
    );
    assert_eq!(
        bus.write(0x3FC8_0100, 0, 2, 0),
        Ok(Flow::Continue),
        "the halfword before it"
    );
    assert!(!bus.take_stale_code());
    assert_eq!(bus.write(0x3FC8_0103, 0, 1, 0), Ok(Flow::Break));
    assert!(bus.take_stale_code());
    assert_eq!(
        bus.write(0x3FC8_0100, 0, 4, 0),
        Ok(Flow::Continue),
        "it was forgotten"
    );
}

#[test]
fn nothing_that_a_guest_writes_to_registers_upsets_the_model() {
    let mut bus = bus();
    let mut rng = sim::Rng::stream(1, "registers");
    let mut cycle = 0;
    for _ in 0..200_000 {
        cycle += rng.below(5_000);
        let block = crate::peripherals::BLOCKS[rng.below(crate::peripherals::BLOCKS.len() as u64) as usize];
        let register = block.registers[rng.below(block.registers.len() as u64) as usize];
        let addr = block.base + register.offset + 4 * rng.below(u64::from(register.count)) as u32;
        // All bits, few bits, a key that unlocks, or small numbers.
        let value = match rng.below(4) {
            0 => rng.next_u32(),
            1 => 1 << rng.below(32),
            2 => 0x50D8_3AA1,
            _ => rng.next_u32() >> 24,
        };
        bus.host_cycle = cycle;
        let _ = bus.write_u32(addr, value);
        let _ = bus.read_u32(addr);
        let _ = bus.poll_read(addr, 4, cycle, cycle + rng.below(10_000));
        if let Some(cause) = bus.peripherals.advance(cycle, &mut bus.outbox) {
            bus.peripherals.reset(cause, cycle, &mut bus.outbox);
        }
        assert!(bus.peripherals.deadline() > cycle, "what is due has been done");
        bus.outbox.clear();
    }
}

#[test]
fn a_changed_flash_makes_code_stale() {
    let mut bus = bus();
    assert!(!bus.take_stale_code());
    bus.flash().program(0, &[0]).unwrap();
    assert!(bus.take_stale_code());
    assert!(!bus.take_stale_code());
}

#[test]
fn unknown_registers_are_noted_with_their_place_and_holes_fault() {
    let mut bus = bus();
    assert_eq!(bus.read(0x6001_9000, 4, 7), Err(AccessFault), "first the place");
    assert_eq!(bus.on_exception(5, 0x4200_0100, 0x6001_9000), OnException::Retry);
    assert_eq!(bus.read(0x6001_9000, 4, 7), Ok(0));
    assert_eq!(bus.write(0x6001_9004, 5, 4, 8), Err(AccessFault));
    assert_eq!(bus.on_exception(7, 0x4200_0104, 0x6001_9004), OnException::Retry);
    assert_eq!(bus.write(0x6001_9004, 5, 4, 8), Ok(Flow::Break));
    bus.host_pc = 0x4200_0200;
    assert_eq!(bus.read_u16(0x6001_9008), Ok(0));
    let kind = UnmodelledKind::Register;
    assert_eq!(
        bus.misses.take(),
        [
            Miss {
                kind,
                addr: 0x6001_9000,
                size: 4,
                write: None,
                pc: 0x4200_0100,
                times: 1
            },
            Miss {
                kind,
                addr: 0x6001_9004,
                size: 4,
                write: Some(5),
                pc: 0x4200_0104,
                times: 1
            },
            Miss {
                kind,
                addr: 0x6001_9008,
                size: 2,
                write: None,
                pc: 0x4200_0200,
                times: 1
            },
        ]
    );
    assert_eq!(bus.read(0x7000_0000, 4, 0), Err(AccessFault));
    assert_eq!(
        bus.on_exception(5, 0x4200_0108, 0x7000_0000),
        OnException::TakeAndBreak
    );
    assert_eq!(bus.read(0, 4, 0), Err(AccessFault));
}

#[test]
fn a_narrow_access_takes_its_lane() {
    let mut bus = bus();
    assert_eq!(bus.read(0x6001_F000, 4, 0), Ok(0x6000_2000));
    assert_eq!(bus.read(0x6001_F003, 1, 0), Ok(0x60));
    assert_eq!(bus.read(0x6001_F000, 2, 0), Ok(0x2000));
    bus.write(0x6001_D055, 0xAB, 1, 0).unwrap();
    bus.write(0x6001_D056, 0x1234, 2, 0).unwrap();
    assert_eq!(bus.read(0x6001_D054, 4, 0), Ok(0x1234_AB00));
}
