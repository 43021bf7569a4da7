//! Tests of limits, waiting, hooks, pauses and changed code.

use rv32::{Exit, Hart, HartConfig};

use crate::asm::*;
use crate::programs;
use crate::ram::{CLOCK, DOORBELL, Ram};

fn machine(asm: &Asm) -> (Hart, Ram) {
    let mut bus = Ram::new(0x1_0000);
    bus.load(0, &asm.bytes());
    (Hart::new(HartConfig::default()), bus)
}

#[test]
fn every_limit_is_hit_exactly() {
    let mut bus = Ram::new(0x1_0000);
    bus.load(0, &programs::matrix());
    let mut hart = Hart::new(HartConfig::default());
    let mut limit = 0;
    for step in (0..200).chain([1000, 1, 5000, 0, 3]) {
        limit += step;
        assert_eq!(hart.run(&mut bus, limit), Exit::Limit);
        assert_eq!((hart.cycle, hart.instret()), (limit, limit));
    }
    assert_eq!(hart.run(&mut bus, 5), Exit::Limit);
    assert_eq!(hart.cycle, limit, "a limit in the past changes nothing");
}

#[test]
fn the_bus_sees_the_cycle_of_the_access() {
    let mut asm = Asm::new();
    asm.li(A5, CLOCK).ops(&[lw(A0, A5, 0), addi(T0, ZERO, 3)]);
    asm.label("loop")
        .op(addi(T0, T0, -1))
        .branch(BNE, T0, ZERO, "loop")
        .op(lw(A1, A5, 0))
        .op(WFI);
    let (mut hart, mut bus) = machine(&asm);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize..=A1 as usize], [2, 10]);
    hart.pc = 0;
    hart.skip_to(1000);
    assert_eq!(hart.run(&mut bus, 2000), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize..=A1 as usize], [1002, 1010]);
}

#[test]
fn wfi_waits_unless_an_interrupt_is_pending() {
    let mut asm = Asm::new();
    asm.op(WFI).op(addi(A0, A0, 1)).op(WFI);
    let (mut hart, mut bus) = machine(&asm);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!((hart.pc, hart.cycle), (4, 1));
    hart.skip_to(50);
    // Pending but not enabled by mstatus: the hart continues without a trap.
    hart.set_interrupt(Some(9));
    assert_eq!(hart.run(&mut bus, 52), Exit::Limit);
    assert_eq!(
        (hart.pc, hart.cycle, hart.instret(), hart.regs[A0 as usize]),
        (12, 52, 3, 1)
    );
}

#[test]
fn a_hook_stops_before_its_instruction() {
    let mut asm = Asm::new();
    asm.op(addi(A0, ZERO, 1))
        .jal(RA, "hooked")
        .op(addi(A0, A0, 4))
        .op(WFI);
    asm.label("hooked").op(addi(A0, A0, 2)).op(jalr(ZERO, RA, 0));
    let (mut hart, mut bus) = machine(&asm);
    bus.hooks.insert(asm.offset("hooked"));
    assert_eq!(hart.run(&mut bus, 100), Exit::Hook);
    assert_eq!(
        (hart.pc, hart.cycle, hart.regs[A0 as usize]),
        (asm.offset("hooked"), 2, 1)
    );
    assert_eq!(
        hart.run(&mut bus, 100),
        Exit::Hook,
        "and again, until the owner does something"
    );
    assert_eq!(hart.cycle, 2);

    // The owner either carries out the function itself, or has the instruction executed.
    let mut answered = hart.clone();
    answered.pc = answered.regs[RA as usize];
    assert_eq!(answered.run(&mut bus, 100), Exit::Wfi);
    assert_eq!((answered.regs[A0 as usize], answered.cycle), (5, 4));

    assert_eq!(hart.run_one_ignoring_hook(&mut bus), None);
    assert_eq!((hart.regs[A0 as usize], hart.cycle), (3, 3));
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!((hart.regs[A0 as usize], hart.cycle), (7, 6));
}

#[test]
fn a_hook_in_the_middle_of_straight_code_stops_there() {
    let mut asm = Asm::new();
    asm.ops(&[addi(A0, A0, 1); 5]).op(WFI);
    let (mut hart, mut bus) = machine(&asm);
    bus.hooks.insert(12);
    assert_eq!(hart.run(&mut bus, 100), Exit::Hook);
    assert_eq!((hart.pc, hart.cycle, hart.regs[A0 as usize]), (12, 3, 3));
    assert_eq!(hart.run_one_ignoring_hook(&mut bus), None);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!((hart.cycle, hart.regs[A0 as usize]), (6, 5));
}

#[test]
fn one_hooked_instruction_reports_its_own_exit() {
    let mut asm = Asm::new();
    asm.op(WFI);
    let (mut hart, mut bus) = machine(&asm);
    bus.hooks.insert(0);
    assert_eq!(hart.run(&mut bus, 100), Exit::Hook);
    assert_eq!(hart.run_one_ignoring_hook(&mut bus), Some(Exit::Wfi));
    assert_eq!(hart.pc, 4);
}

#[test]
fn a_write_can_pause_the_hart_behind_itself() {
    let mut asm = Asm::new();
    asm.li(A5, DOORBELL)
        .ops(&[addi(A0, ZERO, 1), sw(ZERO, A5, 0), addi(A0, ZERO, 2), WFI]);
    let (mut hart, mut bus) = machine(&asm);
    assert_eq!(hart.run(&mut bus, 100), Exit::Break);
    assert_eq!((hart.pc, hart.cycle, hart.regs[A0 as usize]), (16, 4, 1));
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!((hart.cycle, hart.regs[A0 as usize]), (6, 2));
}

#[test]
fn changed_code_runs_once_it_was_forgotten() {
    // The guest writes `addi a0, a0, 16` over its own next instruction. The test drops old code in two ways.
    let mut asm = Asm::new();
    asm.li(T0, addi(A0, A0, 16))
        .label("loop")
        .op(sw(T0, ZERO, 0x10))
        .op(addi(A1, ZERO, 1));
    asm.op(addi(A0, A0, 1)).op(WFI);
    assert_eq!(asm.offset("loop"), 8);
    let forget: [fn(&mut Hart); 2] = [Hart::forget_code, |hart| hart.forget_code_at(0x13, 1)];
    for forget in forget {
        let (mut hart, mut bus) = machine(&asm);
        assert_eq!(hart.run(&mut bus, 100), Exit::Break);
        assert_eq!(hart.pc, 12);
        forget(&mut hart);
        assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
        assert_eq!(hart.regs[A0 as usize], 16);
    }
    // A range outside the code drops nothing: the old instruction is executed.
    let (mut hart, mut bus) = machine(&asm);
    bus.watch_code = false;
    hart.forget_code_at(0x18, 100);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize], 1);
}

#[test]
fn fence_i_forgets_code() {
    let mut asm = Asm::new();
    asm.li(T0, addi(A0, A0, 16))
        .op(sw(T0, ZERO, 0x10))
        .op(FENCE_I)
        .op(addi(A0, A0, 1))
        .op(WFI);
    let (mut hart, mut bus) = machine(&asm);
    bus.watch_code = false;
    hart.pc = 0x10;
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    hart.pc = 0;
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize], 17);
}

#[test]
fn code_that_is_larger_than_the_cache_runs_all_the_same() {
    // 0x60_0000 bytes of compressed nops are 3 M instructions, more than the cache holds.
    let size = 0x60_0000;
    let mut bus = Ram::new(size + 4);
    for pair in bus.bytes.chunks_exact_mut(2) {
        pair.copy_from_slice(&1_u16.to_le_bytes());
    }
    bus.load(size as u32, &WFI.to_le_bytes());
    let mut hart = Hart::new(HartConfig::default());
    assert_eq!(hart.run(&mut bus, u64::MAX), Exit::Wfi);
    assert_eq!(hart.cycle, size as u64 / 2 + 1);
}
