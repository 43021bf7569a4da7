//! The whole chip on small programs, assembled here.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use image::Segment;
use image::{Symbol, SymbolTable};

#[path = "hostile.rs"]
mod hostile;

const CODE: u32 = 0x4038_0000;
const VECTORS: u32 = 0x4038_4000;
/// A function of the radio's driver.
const DRIVER: u32 = 0x4038_F000;

const ZERO: u32 = 0;
const RA: u32 = 1;
const T0: u32 = 5;
const T1: u32 = 6;
const T2: u32 = 7;

/// A program under construction: RV32I encodings of the unprivileged specification, chapter 2.
#[derive(Clone, Default)]
struct Asm(Vec<u32>);

impl Asm {
    fn here(&self) -> u32 {
        4 * self.0.len() as u32
    }

    fn word(mut self, word: u32) -> Asm {
        self.0.push(word);
        self
    }

    fn addi(self, rd: u32, rs: u32, imm: i32) -> Asm {
        self.word((imm as u32) << 20 | rs << 15 | rd << 7 | 0x13)
    }

    fn li(self, rd: u32, value: u32) -> Asm {
        let upper = value.wrapping_add(0x800) & 0xFFFF_F000;
        self.word(upper | rd << 7 | 0x37)
            .addi(rd, rd, value.wrapping_sub(upper) as i32)
    }

    fn sw(self, rs: u32, base: u32, offset: u32) -> Asm {
        self.word(offset >> 5 << 25 | rs << 20 | base << 15 | 2 << 12 | (offset & 31) << 7 | 0x23)
    }

    fn lw(self, rd: u32, base: u32, offset: u32) -> Asm {
        self.word(offset << 20 | base << 15 | 2 << 12 | rd << 7 | 0x03)
    }

    /// `*(u32 *)addr = value`, through t0 and t1; five instructions.
    fn poke(self, addr: u32, value: u32) -> Asm {
        self.li(T0, addr).li(T1, value).sw(T1, T0, 0)
    }

    /// A jump to the byte offset `to`.
    fn jump(self, rd: u32, to: u32) -> Asm {
        let by = to.wrapping_sub(self.here());
        let imm = (by >> 20 & 1) << 31 | (by >> 1 & 0x3FF) << 21 | (by >> 11 & 1) << 20 | by & 0xF_F000;
        self.word(imm | rd << 7 | 0x6F)
    }

    fn wfi(self) -> Asm {
        self.word(0x1050_0073)
    }

    /// `wfi` for ever.
    fn idle(self) -> Asm {
        let here = self.here();
        self.wfi().jump(ZERO, here)
    }

    fn csrw(self, csr: u32, rs: u32) -> Asm {
        self.word(csr << 20 | rs << 15 | 1 << 12 | 0x73)
    }

    /// Sends a byte from UART0.
    fn say(self, byte: u8) -> Asm {
        self.poke(0x6000_0000, u32::from(byte))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|w| w.to_le_bytes()).collect()
    }
}

fn asm() -> Asm {
    Asm::default()
}

fn firmware_with(segments: Vec<(u32, Vec<u8>)>) -> Firmware {
    let symbol = |name: &str, addr| Symbol {
        name: name.to_owned(),
        addr,
        size: 0x4000,
        is_function: true,
    };
    Firmware {
        entry: CODE,
        segments: segments
            .into_iter()
            .map(|(addr, data)| Segment {
                addr,
                mem_size: data.len() as u32,
                data,
            })
            .collect(),
        symbols: Arc::new(SymbolTable::new(vec![
            symbol("main", CODE),
            symbol("trap", VECTORS),
            symbol("esp_wifi_set_storage", DRIVER),
        ])),
        app: None,
    }
}

fn chip(program: &Asm) -> Chip {
    chip_with(vec![(CODE, program.bytes())])
}

fn chip_with(segments: Vec<(u32, Vec<u8>)>) -> Chip {
    Chip::new(ChipConfig::default(), &firmware_with(segments)).expect("it boots")
}

/// Runs to `until` and returns what left the chip.
fn run(chip: &mut Chip, until: Instant) -> Vec<(Instant, Output)> {
    while chip.run_until(until) == Stop::Output {}
    chip.take_outputs()
}

fn cycles(n: u64) -> Instant {
    instant_at(n)
}

#[test]
fn a_pin_changes_at_the_cycle_of_its_instruction() {
    // GPIO3: output enable, then high: the stores are instructions 4 and 9, counted from 0.
    let program = asm().poke(0x6000_4024, 8).poke(0x6000_4008, 8).idle();
    let mut chip = chip(&program);
    assert_eq!(chip.run_until(Instant::from_secs(1)), Stop::Output);
    assert_eq!(
        chip.take_outputs(),
        [(
            cycles(4),
            Output::Pin {
                gpio: 3,
                level: Some(false)
            }
        )]
    );
    let rest = run(&mut chip, Instant::from_secs(1));
    assert_eq!(
        rest,
        [(
            cycles(9),
            Output::Pin {
                gpio: 3,
                level: Some(true)
            }
        )]
    );
    assert_eq!(chip.pin(3), Some(true));
    assert_eq!(chip.now(), Instant::from_secs(1));
}

#[test]
fn a_waiting_hart_costs_nothing_and_wakes_for_its_interrupt() {
    // SYSTIMER target 0 at 1 s -> line 1, and an idle loop. The handler toggles GPIO3 and stops for good.
    let program = asm()
        .li(T0, VECTORS)
        .csrw(0x305, T0)
        .poke(0x6000_4024, 8)
        .poke(0x6002_3020, 16_000_000)
        .poke(0x6002_3050, 1)
        .poke(0x6002_3000, 0x4700_0000)
        .poke(0x6002_3064, 1)
        .poke(0x600C_2000 + 4 * 37, 1)
        .poke(0x600C_2118, 1)
        .poke(0x600C_2104, 2)
        .idle();
    let handler = asm().poke(0x6000_4008, 8).poke(0x6002_306C, 1).jump(ZERO, 40);
    // Vector 0 is for exceptions, vector 1 for line 1.
    let vectors = asm().jump(ZERO, 0).jump(ZERO, 0x100);
    let mut chip = chip_with(vec![
        (CODE, program.bytes()),
        (VECTORS, vectors.bytes()),
        (VECTORS + 0x100, handler.bytes()),
    ]);
    let before = run(&mut chip, Instant::from_millis(999));
    assert_eq!(before.len(), 1);
    assert!(chip.instructions() < 100, "{} instructions", chip.instructions());
    let after = run(&mut chip, Instant::from_secs(1) + Duration::from_micros(1));
    // Taken at once, one jump and the fifth instruction of the handler.
    assert_eq!(
        after,
        [(
            cycles(160_000_005),
            Output::Pin {
                gpio: 3,
                level: Some(true)
            }
        )]
    );
}

#[test]
fn serial_bytes_leave_in_order_and_a_line_ends_the_run() {
    let program = asm().say(b'h').say(b'i').say(b'\n').say(b'!').idle();
    let mut chip = chip(&program);
    assert_eq!(chip.run_until(Instant::from_secs(1)), Stop::Output);
    let text: Vec<u8> = serial(&chip.take_outputs());
    assert_eq!(text, b"hi\n");
    // The run ends at the stop bit of the line feed: 3 frames of 13,890 cycles, begun with the fifth instruction.
    assert_eq!(chip.now(), cycles(4 + 3 * 13_890));
    assert_eq!(serial(&run(&mut chip, Instant::from_secs(1))), b"!");
}

#[test]
fn what_has_been_sent_is_seen_even_in_the_middle_of_a_line() {
    let mut chip = chip(&asm().say(b'a').say(b'b').idle());
    assert_eq!(chip.run_until(cycles(20_000)), Stop::Time);
    assert_eq!(serial(&chip.take_outputs()), b"a");
}

fn serial(outputs: &[(Instant, Output)]) -> Vec<u8> {
    let byte = |o: &Output| match o {
        Output::Serial {
            port: Port::Uart0,
            byte,
        } => Some(*byte),
        _ => None,
    };
    outputs.iter().filter_map(|(_, o)| byte(o)).collect()
}

#[test]
fn software_resets_the_chip_and_learns_why() {
    // First boot: STORE0 counts, then a system reset. Second boot: the reset cause goes out as a byte.
    let again = asm()
        .li(T0, 0x6000_8000)
        .lw(T1, T0, 0x50)
        .addi(T2, T1, 1)
        .sw(T2, T0, 0x50)
        // bne t1, zero, +12: over the reset
        .word(6 << 8 | T1 << 15 | 1 << 12 | 0x63)
        .word(0x8000_0000 | T1 << 7 | 0x37)
        .sw(T1, T0, 0)
        .lw(T1, T0, 0x38)
        .li(T0, 0x6000_0000)
        .sw(T1, T0, 0)
        .idle();
    let mut chip = chip(&again);
    let outputs = run(&mut chip, Instant::from_secs(1));
    let reset = outputs.iter().find(|(_, o)| matches!(o, Output::Reset { .. }));
    assert!(
        matches!(reset, Some((_, Output::Reset { cause: ResetCause::CoreSoftware, pc })) if (CODE..CODE + 64).contains(pc)),
        "{outputs:?}"
    );
    assert_eq!(serial(&outputs), [0x03], "RESET_CAUSE_PROCPU is 3: software");
}

#[test]
fn the_bootloaders_watchdog_resets_a_firmware_that_does_not_care() {
    let mut chip = chip(&asm().idle());
    let outputs = run(&mut chip, Instant::from_secs(20));
    let resets: Vec<_> = outputs
        .iter()
        .filter_map(|(at, o)| match o {
            Output::Reset { cause, .. } => Some((at.as_secs(), *cause)),
            _ => None,
        })
        .collect();
    assert_eq!(
        resets,
        [(9, ResetCause::SystemRtcWdt), (18, ResetCause::SystemRtcWdt)]
    );
}

#[test]
fn an_exception_is_reported_where_it_happened() {
    let program = asm()
        .li(T0, VECTORS)
        .csrw(0x305, T0)
        .li(T0, 0x7000_0000)
        .lw(T1, T0, 4)
        .idle();
    let mut chip = chip_with(vec![
        (CODE, program.bytes()),
        (VECTORS, asm().jump(ZERO, 0).bytes()),
    ]);
    assert_eq!(chip.run_until(Instant::from_millis(1)), Stop::Output);
    let outputs = chip.take_outputs();
    let [(_, Output::Exception(exception))] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (exception.cause, exception.pc, exception.value),
        (5, CODE + 20, 0x7000_0004)
    );
    assert_eq!(exception.backtrace.frames[0].addr, CODE + 20);
    assert_eq!(
        exception.backtrace.frames[0]
            .location
            .as_ref()
            .map(ToString::to_string),
        Some("main+0x14".into())
    );
}

#[test]
fn what_is_not_modelled_is_reported_once_and_counted() {
    // A loop of three reads from LEDC, which is not modelled; then a CSR that does not exist.
    let mut program = asm().li(T0, 0x6001_9000).addi(T2, ZERO, 3);
    let top = program.here();
    program = program.lw(T1, T0, 0xD0).addi(T2, T2, -1);
    // bne t2, zero, -8
    program = program.word(1 << 31 | 0x3F << 25 | T2 << 15 | 1 << 12 | 0xC << 8 | 1 << 7 | 0x63);
    let mut chip = chip(&program.idle());
    let outputs = run(&mut chip, Instant::from_millis(1));
    let [(_, Output::Unmodelled(access))] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (access.kind, access.addr, access.size),
        (UnmodelledKind::Register, 0x6001_90D0, 4)
    );
    assert_eq!((access.pc, access.write), (CODE + top, None));
    assert_eq!(access.name.as_deref(), Some("LEDC"));
    assert_eq!(
        access.symbol.as_ref().map(ToString::to_string),
        Some("main+0xc".into())
    );
    let ledger: Vec<_> = chip.unmodelled().collect();
    assert_eq!(ledger, [(UnmodelledKind::Register, 0x6001_90D0, CODE + top, 3)]);
}

#[test]
fn code_that_is_overwritten_runs_as_it_now_is() {
    // Calls a function, replaces its first instruction (t2 = 1 becomes t2 = 2) through the data bus, calls again.
    let function = 0x80;
    let two = 2 << 20 | T2 << 7 | 0x13;
    let program = asm()
        .jump(RA, function)
        .li(T0, 0x3FC8_0000 + function)
        .li(T1, two)
        .sw(T1, T0, 0)
        .jump(RA, function)
        .li(T0, 0x6000_0000)
        .sw(T2, T0, 0)
        .idle();
    let body = asm().addi(T2, ZERO, 1).word(RA << 15 | 0x67);
    let mut chip = chip_with(vec![(CODE, program.bytes()), (CODE + function, body.bytes())]);
    assert_eq!(serial(&run(&mut chip, Instant::from_millis(1))), [2]);
}

#[test]
fn without_power_nothing_runs_and_only_the_flash_remembers() {
    // Drives GPIO3 high, says 'x', and idles.
    let program = asm().poke(0x6000_4008, 8).poke(0x6000_4024, 8).say(b'x').idle();
    let mut chip = chip(&program);
    run(&mut chip, Instant::from_millis(1));
    chip.flash_mut()
        .program(0x30_0000, &[7])
        .expect("inside the flash");
    chip.power_off();
    let cut = chip.take_outputs();
    assert_eq!(
        cut.iter().map(|(_, o)| o.clone()).collect::<Vec<_>>(),
        [Output::Pin { gpio: 3, level: None }, Output::PowerLost]
    );
    let instructions = chip.instructions();
    assert!(run(&mut chip, Instant::from_secs(100)).is_empty());
    assert_eq!((chip.instructions(), chip.pin(3)), (instructions, None));
    chip.power_on();
    let outputs = run(&mut chip, Instant::from_secs(100) + Duration::from_millis(1));
    assert_eq!(serial(&outputs), b"x");
    assert_eq!(chip.flash().cells()[0x30_0000], 7);
}

#[test]
fn a_broken_image_does_not_boot_after_a_reset() {
    let mut chip = chip(&asm().idle());
    chip.flash_mut()
        .erase(0x1_0000, 0x1000)
        .expect("inside the flash");
    chip.reset(ResetCause::PowerOn);
    let outputs = run(&mut chip, Instant::from_secs(1));
    assert!(
        matches!(
            outputs.last(),
            Some((_, Output::BootFailed(BootError::NoImage { offset: 0x1_0000 })))
        ),
        "{outputs:?}"
    );
    assert_eq!(chip.now(), Instant::from_secs(1));
}

#[test]
fn a_clone_goes_on_as_the_chip_does() {
    let program = asm().say(b'a').say(b'\n').say(b'b').say(b'\n').idle();
    let mut chip = chip(&program);
    chip.run_until(Instant::from_secs(1));
    let mut copy = chip.clone();
    let end = Instant::from_secs(2);
    assert_eq!(run(&mut chip, end), run(&mut copy, end));
    assert_eq!(chip.instructions(), copy.instructions());
}

#[test]
fn bytes_from_outside_reach_the_guest() {
    // Waits until the receive FIFO has something, and sends it back.
    let mut program = asm().li(T0, 0x6000_0000);
    let top = program.here();
    program = program.lw(T1, T0, 0x1C);
    program = program.word(0xFF << 20 | T1 << 15 | 7 << 12 | T1 << 7 | 0x13);
    // beq t1, zero, -8
    program = program.word(1 << 31 | 0x3F << 25 | T1 << 15 | 0xC << 8 | 1 << 7 | 0x63);
    program = program.lw(T1, T0, 0).sw(T1, T0, 0).jump(ZERO, top);
    let mut chip = chip(&program);
    run(&mut chip, Instant::from_millis(1));
    chip.serial_in(Port::Uart0, b"ok");
    assert_eq!(serial(&run(&mut chip, Instant::from_millis(2))), b"ok");
}

#[test]
fn deep_sleep_lets_pins_go_and_ends_with_a_reset() {
    // Drives GPIO3; after power-on sleeps deeply for a second of the RTC timer, after that says so.
    let mut program = asm()
        .poke(0x6000_4024, 8)
        .li(T0, 0x6000_8000)
        .lw(T1, T0, 0x38)
        .li(T2, 0x3005);
    // beq t1, t2: over 33 instructions
    program = program.word(4 << 25 | T2 << 20 | T1 << 15 | 2 << 8 | 0x63);
    let branch = program.here();
    for (offset, value) in [
        (0x04, 136_000),
        (0x08, 1 << 16),
        (0x3C, 8 << 15),
        (0x88, 1 << 31),
        (0x18, 1 << 31),
    ] {
        program = program.poke(0x6000_8000 + offset, value);
    }
    let here = program.here();
    program = program.jump(ZERO, here);
    // 4 << 25 is 128 and 2 << 8 is 4.
    while program.here() < branch - 4 + 132 {
        program = program.addi(ZERO, ZERO, 0);
    }
    let program = program.say(b'!').idle();
    let mut chip = chip(&program);
    let outputs = run(&mut chip, Instant::from_millis(1_500));
    let pins: Vec<_> = outputs
        .iter()
        .filter(|(_, o)| matches!(o, Output::Pin { .. }))
        .collect();
    let pin = |level| Output::Pin { gpio: 3, level };
    assert_eq!(
        pins.iter().map(|(_, o)| o.clone()).collect::<Vec<_>>(),
        [pin(Some(false)), pin(None), pin(Some(false))]
    );
    let reset = outputs.iter().find(|(_, o)| {
        matches!(
            o,
            Output::Reset {
                cause: ResetCause::CoreDeepSleep,
                ..
            }
        )
    });
    assert_eq!(reset.map(|(at, _)| at.as_millis()), Some(1_000), "{outputs:?}");
    assert_eq!(serial(&outputs), b"!");
    assert!(chip.instructions() < 200);
}

#[test]
fn a_polling_loop_that_is_jumped_over_ends_the_same() {
    // Latches and reads the system timer until it has passed 3,200,000 ticks (0.2 s), then says so.
    let mut program = asm()
        .li(T0, 0x6002_3000)
        .li(T2, 3_200_000)
        .word(0x4000_0000 | T1 << 7 | 0x37);
    let top = program.here();
    program = program.sw(T1, T0, 4).lw(ZERO, T0, 4).lw(28, T0, 0x44);
    // bltu t3, t2, -12
    program = program.word(1 << 31 | 0x3F << 25 | T2 << 20 | 28 << 15 | 6 << 12 | 0xA << 8 | 1 << 7 | 0x63);
    assert_eq!(program.here() - top, 16);
    let program = program.say(b'.').say(b'\n').idle();
    let runs = [true, false].map(|skip| {
        let mut chip = chip(&program);
        chip.set_skip_polling(skip);
        let outputs = run(&mut chip, Instant::from_millis(250));
        (outputs, chip.instructions(), chip.hart.regs)
    });
    assert_eq!(runs[0], runs[1]);
    assert_eq!(serial(&runs[0].0), b".\n");
    assert_eq!(runs[0].1 / 1_000_000, 32, "0.2 s at 160 MHz");
}

#[test]
fn bad_configurations_are_refused() {
    let firmware = firmware_with(vec![(CODE, asm().idle().bytes())]);
    let group = ChipConfig {
        mac: [1, 2, 3, 4, 5, 6],
        ..ChipConfig::default()
    };
    assert_eq!(Chip::new(group, &firmware).err(), Some(ChipError::GroupMac));
    let long = ChipConfig {
        flash: vec![0; FLASH_SIZE as usize + 1],
        ..ChipConfig::default()
    };
    assert_eq!(
        Chip::new(long, &firmware).err(),
        Some(ChipError::FlashTooLong(0x40_0001))
    );
    let outside = firmware_with(vec![(0x2000_0000, vec![0; 4])]);
    let error = Chip::new(ChipConfig::default(), &outside).err();
    assert_eq!(
        error,
        Some(ChipError::Boot(BootError::NoMemory { addr: 0x2000_0000 }))
    );
}

#[test]
fn a_driver_in_wall_time_learns_how_long_it_may_sleep() {
    let mut spinning = chip(&asm().jump(ZERO, 0));
    spinning.run_until(Instant::from_millis(1));
    assert_eq!(spinning.next_due(), spinning.now());
    let mut waiting = chip(&asm().idle());
    waiting.run_until(Instant::from_millis(1));
    // The watchdogs that the bootloader leaves on are the next thing to happen.
    assert!(
        waiting.next_due() > Instant::from_millis(100),
        "{:?}",
        waiting.next_due()
    );
    assert_eq!(waiting.baud(Port::Uart0), Some(115_191));
    waiting.power_off();
    assert_eq!(waiting.next_due(), Instant::FAR_FUTURE);
}
