//! The peripherals together.

use super::*;

#[test]
fn blocks_are_sorted_and_registers_are_named() {
    assert!(BLOCKS.is_sorted_by_key(|b| b.base));
    assert_eq!(name_of(0x6000_0014), Some(("UART0", Some("CLKDIV"))));
    assert_eq!(name_of(0x6000_8844), Some(("EFUSE", Some("RD_MAC_SPI_SYS"))));
    assert_eq!(name_of(0x6001_9000), Some(("LEDC", None)));
    assert_eq!(name_of(0x6000_4F00), Some(("GPIO_SD", Some("SIGMADELTA"))));
    assert_eq!(name_of(0x6000_1000), None);
}

#[test]
fn a_software_interrupt_reaches_its_line_and_shows_in_the_status() {
    let mut all = Peripherals::new([2; 6], Revision { major: 0, minor: 4 }, 0, true);
    let (mut flash, mut out) = (NorFlash::new(0x1_0000), Outbox::new());
    let mut write = |addr, value| all.write(addr, value, 0, &mut flash, &mut out);
    write(0x600C_2000 + 4 * 50, 9);
    write(0x600C_2104, 1 << 9);
    write(0x600C_2114 + 4 * 9, 1);
    assert_eq!(write(0x600C_0028, 1), Written::Sync);
    assert_eq!(all.intc.line(), Some(9));
    assert_eq!(all.read(0x600C_20FC, 0, &mut out), Some(1 << 18));
}

#[test]
fn a_block_reset_puts_its_registers_back() {
    let mut all = Peripherals::new([2; 6], Revision { major: 0, minor: 4 }, 0, true);
    let (mut flash, mut out) = (NorFlash::new(0x1_0000), Outbox::new());
    all.write(0x6001_F000, 0, 0, &mut flash, &mut out);
    all.write(0x600C_0018, system::rst::TIMERGROUP, 0, &mut flash, &mut out);
    assert_eq!(all.read(0x6001_F000, 0, &mut out), Some(0x6000_2000));
}
