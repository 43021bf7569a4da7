//! Guests that make no progress, each of which must neither stop virtual time nor keep the host busier than a guest that
//! computes, nor fill its memory.

use super::*;

const SP: u32 = 2;
const A0: u32 = 10;
const A1: u32 = 11;
const A2: u32 = 12;
const MTVEC: u32 = 0x305;
const MRET: u32 = 0x3020_0073;
const ECALL: u32 = 0x0000_0073;
const ILLEGAL: u32 = 0;

/// What a guest is reported for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Nothing,
    TrapLoop,
    Traps,
    Calls,
    Resets,
    Deadlines,
    Overwrites,
    Outputs,
}

fn kind_of(endless: &Endless) -> Reported {
    match endless {
        Endless::TrapLoop { .. } => Reported::TrapLoop,
        Endless::Traps { .. } => Reported::Traps,
        Endless::Calls { .. } => Reported::Calls,
        Endless::Resets { .. } => Reported::Resets,
        Endless::Deadlines { .. } => Reported::Deadlines,
        Endless::Overwrites { .. } => Reported::Overwrites,
        Endless::Outputs { .. } => Reported::Outputs,
    }
}

/// Jumps to the address in `register`, linking to `link`.
fn jump_to(asm: Asm, register: u32, link: u32) -> Asm {
    asm.word(register << 15 | link << 7 | 0x67)
}

/// Switches the watchdogs off that the bootloader leaves on.
fn quiet() -> Asm {
    [
        (0x6000_80A8, 0x50D8_3AA1),
        (0x6000_8090, 0),
        (0x6000_80B0, 0x8F1D_312A),
        (0x6000_80AC, 1 << 31),
        (0x6001_F064, 0x50D8_3AA1),
        (0x6001_F048, 0),
    ]
    .into_iter()
    .fold(asm(), |asm, (addr, value)| asm.poke(addr, value))
}

/// `mtvec` is `handler`.
fn trapping_to(handler: u32) -> Asm {
    quiet().li(T0, handler).csrw(MTVEC, T0)
}

/// Calls the function at `addr` with these arguments; it returns to its own first instruction.
fn call_for_ever(addr: u32, args: [u32; 3]) -> Asm {
    let [a0, a1, a2] = args;
    let asm = quiet().li(A0, a0).li(A1, a1).li(A2, a2).li(RA, addr);
    jump_to(asm, RA, ZERO)
}

/// Calls the function at `addr` in a loop of its own.
fn call_in_a_loop(addr: u32, args: [u32; 3]) -> Asm {
    let asm = quiet();
    let top = asm.here();
    let [a0, a1, a2] = args;
    let asm = asm.li(A0, a0).li(A1, a1).li(A2, a2).li(T0, addr);
    jump_to(asm, T0, RA).jump(ZERO, top)
}

struct Guest {
    name: &'static str,
    segments: Vec<(u32, Vec<u8>)>,
    reported: Reported,
}

fn guest(name: &'static str, program: Asm, reported: Reported) -> Guest {
    let segments = vec![(CODE, program.bytes())];
    Guest {
        name,
        segments,
        reported,
    }
}

fn guest_with_handler(name: &'static str, program: Asm, handler: Asm, reported: Reported) -> Guest {
    let segments = vec![(CODE, program.bytes()), (VECTORS, handler.bytes())];
    Guest {
        name,
        segments,
        reported,
    }
}

/// A loop of `body`, after `before`.
fn repeat(before: Asm, body: impl Fn(Asm) -> Asm) -> Asm {
    let top = before.here();
    body(before).jump(ZERO, top)
}

fn trapping_guests() -> Vec<Guest> {
    let illegal = |asm: Asm| asm.word(ILLEGAL);
    let ecall = trapping_to(VECTORS).word(ECALL);
    vec![
        guest("no handler", quiet().word(ILLEGAL), Reported::TrapLoop),
        guest(
            "handler unmapped",
            illegal(trapping_to(0x7000_0000)),
            Reported::TrapLoop,
        ),
        guest(
            "handler is a return pad",
            illegal(trapping_to(0x4FFF_0000)),
            Reported::TrapLoop,
        ),
        guest(
            "handler is data without code",
            illegal(trapping_to(0x5000_0000)),
            Reported::TrapLoop,
        ),
        guest_with_handler(
            "handler illegal",
            illegal(trapping_to(VECTORS)),
            asm().word(ILLEGAL),
            Reported::TrapLoop,
        ),
        guest_with_handler(
            "handler faults at its second instruction",
            illegal(trapping_to(VECTORS)),
            asm().addi(SP, SP, -16).li(T0, 0x7000_0000).lw(T1, T0, 0),
            Reported::Traps,
        ),
        guest_with_handler("ecall for ever", ecall, asm().word(MRET), Reported::Traps),
        guest(
            "handler in the ROM",
            illegal(trapping_to(0x4000_0100)),
            Reported::TrapLoop,
        ),
        guest(
            "jump to nowhere",
            jump_to(quiet().li(T0, 0x7000_0000), T0, ZERO),
            Reported::TrapLoop,
        ),
    ]
}

fn calling_guests() -> Vec<Guest> {
    let memory = 0x3FC8_0000;
    vec![
        guest(
            "delay of zero",
            call_for_ever(0x4000_0050, [0; 3]),
            Reported::Calls,
        ),
        guest(
            "memset of all memory",
            call_for_ever(0x4000_0354, [0x3FC9_0000, 0, 0x4_0000]),
            Reported::Calls,
        ),
        guest(
            "memset of 4 GB",
            call_for_ever(0x4000_0354, [memory + 0x5_0000, 0, u32::MAX]),
            Reported::TrapLoop,
        ),
        guest(
            "memcmp of all memory",
            call_in_a_loop(0x4000_0360, [memory, memory, 0x4_0000]),
            Reported::Calls,
        ),
        guest(
            "memcpy of 4 GB",
            call_in_a_loop(0x4000_0358, [memory, memory, u32::MAX]),
            Reported::TrapLoop,
        ),
        guest(
            "CRC of all memory",
            call_in_a_loop(0x4000_0628, [0, memory, 0x4_0000]),
            Reported::Calls,
        ),
        guest(
            "function without a model",
            call_for_ever(0x4000_0BAC, [0; 3]),
            Reported::Calls,
        ),
        guest("driver function", call_for_ever(DRIVER, [0; 3]), Reported::Calls),
    ]
}

fn waiting_guests() -> Vec<Guest> {
    // Comparator 0 of the system timer fires at every tick; nothing listens.
    let ticking = quiet()
        .poke(0x6002_3034, 1 << 30 | 1)
        .poke(0x6002_3050, 1)
        .poke(0x6002_3000, 0x4700_0000);
    let heard = trapping_to(VECTORS)
        .poke(0x6002_3064, 1)
        .poke(0x600C_2000 + 4 * 37, 1)
        .poke(0x600C_2118, 1)
        .poke(0x600C_2104, 2)
        .poke(0x6002_3034, 1 << 30 | 1)
        .poke(0x6002_3050, 1)
        .poke(0x6002_3000, 0x4700_0000);
    let returns = asm().word(MRET).word(MRET);
    vec![
        guest("wfi with nothing armed", quiet().idle(), Reported::Nothing),
        guest("a jump to itself", repeat(quiet(), |asm| asm), Reported::Nothing),
        guest("a timer at every tick", ticking.idle(), Reported::Deadlines),
        guest_with_handler(
            "an interrupt at every tick",
            heard.idle(),
            returns,
            Reported::Nothing,
        ),
        guest(
            "mret into user mode",
            repeat(quiet().li(T0, CODE), |asm| asm.csrw(0x341, T0).word(MRET)),
            Reported::TrapLoop,
        ),
    ]
}

fn writing_guests() -> Vec<Guest> {
    let pins = repeat(
        quiet().poke(0x6000_4024, 8).li(T0, 0x6000_4000).li(T1, 8),
        |asm| asm.sw(T1, T0, 8).sw(T1, T0, 12),
    );
    let spam = repeat(quiet().poke(0x6000_0014, 8).li(T0, 0x6000_0000), |asm| {
        asm.sw(T0, T0, 0)
    });
    let unmodelled = repeat(quiet().li(T0, 0x6003_0000), |asm| {
        asm.sw(T0, T0, 0).lw(T1, T0, 8).addi(T0, T0, 4)
    });
    // Each turn stores the loop's first instruction over itself, which is the third after the watchdogs are off.
    let overwriting = quiet().li(T0, CODE + quiet().here() + 12).lw(T1, T0, 0);
    vec![
        guest("pins", pins, Reported::Outputs),
        guest("a console without lines", spam, Reported::Nothing),
        guest("registers that are not modelled", unmodelled, Reported::TrapLoop),
        guest(
            "code over code",
            repeat(overwriting, |asm| asm.sw(T1, T0, 0)),
            Reported::Overwrites,
        ),
    ]
}

fn resetting_guests() -> Vec<Guest> {
    let software = quiet().poke(0x6000_8000, 1 << 31);
    let processor = quiet().poke(0x6000_8000, 1 << 5);
    let sleep = |enable: u32| {
        [
            (0x04, 0),
            (0x08, 1 << 16),
            (0x3C, 8 << 15),
            (0x88, enable),
            (0x18, 1 << 31),
        ]
        .into_iter()
        .fold(quiet(), |asm, (offset, value)| {
            asm.poke(0x6000_8000 + offset, value)
        })
    };
    let watchdog = asm()
        .poke(0x6001_F064, 0x50D8_3AA1)
        .poke(0x6001_F04C, 1 << 16)
        .poke(0x6001_F050, 1)
        .poke(0x6001_F048, 1 << 31 | 3 << 29 | 1 << 22);
    vec![
        guest("software resets", repeat(software, |asm| asm), Reported::Resets),
        guest(
            "resets of the processor",
            repeat(processor, |asm| asm),
            Reported::Resets,
        ),
        guest(
            "deep sleep until a time that has passed",
            repeat(sleep(1 << 31), |asm| asm),
            Reported::Nothing,
        ),
        guest(
            "a watchdog of no length",
            repeat(watchdog, |asm| asm),
            Reported::Resets,
        ),
    ]
}

/// Runs each guest for 0.15 s, which are 24 M cycles.
fn check(guests: Vec<Guest>) {
    let end = Instant::from_millis(150);
    let mut wrong = Vec::new();
    for guest in guests {
        let mut chip = chip_with(guest.segments);
        let mut reported = Vec::new();
        let mut turns = 0u32;
        while chip.run_until(end) == Stop::Output && chip.now() < end && turns < 1_000_000 {
            turns += 1;
            let outputs = chip.take_outputs();
            if outputs.len() > 2 * work::MOST_OUTPUTS {
                wrong.push(format!("{}: {} outputs at once", guest.name, outputs.len()));
            }
            reported.extend(outputs.into_iter().filter_map(|(_, output)| match output {
                Output::Endless(endless) => Some(kind_of(&endless)),
                _ => None,
            }));
        }
        reported.extend(
            chip.endless()
                .as_ref()
                .map(kind_of)
                .filter(|_| reported.is_empty()),
        );
        let first = reported.first().copied().unwrap_or(Reported::Nothing);
        if first != guest.reported || chip.now() < end {
            let now = chip.now();
            wrong.push(format!(
                "{}: {reported:?}, not {:?}, until {now}",
                guest.name, guest.reported
            ));
        }
        // The work is that of the time that has passed; what is free comes on top.
        let effort = chip.effort();
        if effort > 24_000_000 * 2 + 16_000_000 {
            wrong.push(format!("{}: {effort} units of work", guest.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn guests_that_trap_without_end_end() {
    check(trapping_guests());
}

#[test]
fn guests_that_call_without_end_end() {
    check(calling_guests());
}

#[test]
fn guests_that_wait_without_end_end() {
    check(waiting_guests());
}

#[test]
fn guests_that_write_without_end_end() {
    check(writing_guests());
}

#[test]
fn guests_that_reset_without_end_end() {
    check(resetting_guests());
}

#[test]
fn a_trap_loop_ends_with_the_watchdog() {
    let mut chip = chip(&asm().word(ILLEGAL));
    let outputs = run(&mut chip, Instant::from_secs(20));
    let resets = outputs
        .iter()
        .filter(|(_, o)| matches!(o, Output::Reset { .. }))
        .count();
    assert_eq!(resets, 2, "the bootloader's watchdog, after 9 and 18 s");
    let told: Vec<String> = outputs
        .iter()
        .filter_map(|(_, o)| match o {
            Output::Endless(what) => Some(what.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "traps without end at 0x40380000: illegal instruction, handler not executable (mtvec leads to 0x00000000)"
        ]
    );
    assert!(chip.endless().is_some());
    assert!(chip.instructions() < 10, "{}", chip.instructions());
}

#[test]
fn what_has_no_end_is_charged_to_the_instruction_budget() {
    for guest in calling_guests().into_iter().chain(resetting_guests()) {
        let mut chip = chip_with(guest.segments);
        let end = Instant::from_millis(200);
        while chip.run_until(end) == Stop::Output && chip.now() < end {
            chip.take_outputs();
        }
        if !matches!(guest.reported, Reported::TrapLoop | Reported::Nothing) {
            let charged = chip.instructions();
            assert!(charged > 8_000_000, "{}: {charged}", guest.name);
        }
    }
}
