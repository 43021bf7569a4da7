//! Tests of each instruction on literal values.

use rv32::{Exit, Hart, HartConfig, Misaligned};

use crate::asm::*;
use crate::ram::Ram;

/// Runs `code` up to the `wfi` after it, with A1 and A2 set.
fn run(code: &[u32], a1: u32, a2: u32) -> Hart {
    let mut asm = Asm::new();
    asm.ops(code).op(WFI);
    let mut bus = Ram::new(0x1000);
    bus.load(0, &asm.bytes());
    let mut hart = Hart::new(HartConfig::default());
    (hart.regs[A1 as usize], hart.regs[A2 as usize]) = (a1, a2);
    assert_eq!(hart.run(&mut bus, 1000), Exit::Wfi);
    assert_eq!(hart.cycle, code.len() as u64 + 1);
    assert!(hart.take_exceptions().is_empty());
    hart
}

fn a0(code: &[u32], a1: u32, a2: u32) -> u32 {
    run(code, a1, a2).regs[A0 as usize]
}

const MIN: u32 = 0x8000_0000;
const MINUS_1: u32 = 0xffff_ffff;

#[test]
fn register_instructions() {
    for (instr, a1, a2, expected) in [
        (add(A0, A1, A2), MINUS_1, 2, 1),
        (sub(A0, A1, A2), 1, 2, MINUS_1),
        (sll(A0, A1, A2), 1, 31, MIN),
        (sll(A0, A1, A2), 1, 33, 2),
        (slt(A0, A1, A2), MIN, 1, 1),
        (slt(A0, A1, A2), 1, MIN, 0),
        (sltu(A0, A1, A2), MIN, 1, 0),
        (sltu(A0, A1, A2), 1, MIN, 1),
        (xor(A0, A1, A2), 0b1100, 0b1010, 0b0110),
        (or(A0, A1, A2), 0b1100, 0b1010, 0b1110),
        (and(A0, A1, A2), 0b1100, 0b1010, 0b1000),
        (srl(A0, A1, A2), MIN, 31, 1),
        (srl(A0, A1, A2), MIN, 63, 1),
        (sra(A0, A1, A2), MIN, 31, MINUS_1),
        (sra(A0, A1, A2), 0x4000_0000, 62, 1),
    ] {
        assert_eq!(a0(&[instr], a1, a2), expected, "{instr:08x} of {a1:x} and {a2:x}");
    }
}

#[test]
fn immediate_instructions() {
    for (instr, a1, expected) in [
        (addi(A0, A1, -1), 0, MINUS_1),
        (addi(A0, A1, 0), 77, 77),
        (addi(A0, ZERO, -2048), 77, 0xffff_f800),
        (slti(A0, A1, -1), MIN, 1),
        (slti(A0, A1, -1), 0, 0),
        (sltiu(A0, A1, -1), 5, 1),
        (sltiu(A0, A1, 1), 0, 1),
        (xori(A0, A1, -1), 0x0f, 0xffff_fff0),
        (ori(A0, A1, 0x70), 0x0f, 0x7f),
        (andi(A0, A1, -16), 0xff, 0xf0),
        (slli(A0, A1, 31), 3, MIN),
        (srli(A0, A1, 1), MIN, 0x4000_0000),
        (srai(A0, A1, 1), MIN, 0xc000_0000),
        (lui(A0, 0xabcde), 0, 0xabcd_e000),
        (auipc(A0, 0xfffff), 0, 0xffff_f000),
        (FENCE, 0, 0),
    ] {
        assert_eq!(a0(&[instr], a1, 0), expected, "{instr:08x} of {a1:x}");
    }
    assert_eq!(a0(&[addi(T0, ZERO, 1), auipc(A0, 1)], 0, 0), 0x1004);
    assert_eq!(a0(&[lui(A0, 0x12345), addi(A0, A0, -1)], 0, 0), 0x1234_4fff);
}

#[test]
fn multiplication_and_division() {
    for (instr, a1, a2, expected) in [
        (mul(A0, A1, A2), 0x1_0001, 0x1_0001, 0x2_0001),
        (mul(A0, A1, A2), MINUS_1, 5, -5_i32 as u32),
        (mulh(A0, A1, A2), MIN, MIN, 0x4000_0000),
        (mulh(A0, A1, A2), MINUS_1, 1, MINUS_1),
        (mulhsu(A0, A1, A2), MINUS_1, MINUS_1, MINUS_1),
        (mulhsu(A0, A1, A2), 2, MIN, 1),
        (mulhu(A0, A1, A2), MINUS_1, MINUS_1, 0xffff_fffe),
        (div(A0, A1, A2), -7_i32 as u32, 2, -3_i32 as u32),
        (div(A0, A1, A2), 7, 0, MINUS_1),
        (div(A0, A1, A2), MIN, MINUS_1, MIN),
        (divu(A0, A1, A2), MIN, 2, 0x4000_0000),
        (divu(A0, A1, A2), 7, 0, MINUS_1),
        (rem(A0, A1, A2), -7_i32 as u32, 2, MINUS_1),
        (rem(A0, A1, A2), 7, 0, 7),
        (rem(A0, A1, A2), MIN, MINUS_1, 0),
        (remu(A0, A1, A2), MINUS_1, 16, 15),
        (remu(A0, A1, A2), 7, 0, 7),
    ] {
        assert_eq!(a0(&[instr], a1, a2), expected, "{instr:08x} of {a1:x} and {a2:x}");
    }
}

#[test]
fn loads_extend_and_stores_cut() {
    let store = [sw(A1, ZERO, 0x700), sb(A2, ZERO, 0x701), sh(A2, ZERO, 0x704)];
    for (load, expected) in [
        (lw(A0, ZERO, 0x700), 0x89ab_80ef),
        (lb(A0, ZERO, 0x703), 0xffff_ff89),
        (lbu(A0, ZERO, 0x703), 0x89),
        (lh(A0, ZERO, 0x702), 0xffff_89ab),
        (lhu(A0, ZERO, 0x702), 0x89ab),
        (lw(A0, ZERO, 0x704), 0x7f80),
        (lh(A0, ZERO, 0x704), 0x7f80),
    ] {
        let code = [store[0], store[1], store[2], load];
        assert_eq!(a0(&code, 0x89ab_cdef, 0x1234_7f80), expected, "{load:08x}");
    }
}

#[test]
fn x0_stays_zero() {
    let code = [
        addi(ZERO, ZERO, 5),
        lui(ZERO, 5),
        add(ZERO, A1, A2),
        lw(ZERO, ZERO, 0),
        csrrw(ZERO, 0x340, A1),
    ];
    let hart = run(&[&code[..], &[jal(ZERO, 4), addi(A0, ZERO, 0)]].concat(), 7, 9);
    assert_eq!((hart.regs[0], hart.regs[A0 as usize]), (0, 0));
    assert_eq!(hart.csr(0x340), Some(7));
}

#[test]
fn branches_go_both_ways() {
    // A0 becomes 1 if the branch is taken, 2 if not.
    for (funct3, a1, a2, taken) in [
        (BEQ, 1, 1, true),
        (BEQ, 1, 2, false),
        (BNE, 1, 2, true),
        (BNE, 1, 1, false),
        (BLT, MINUS_1, 0, true),
        (BLT, 0, 0, false),
        (BGE, 0, 0, true),
        (BGE, MINUS_1, 0, false),
        (BLTU, 0, MINUS_1, true),
        (BLTU, MINUS_1, 0, false),
        (BGEU, MINUS_1, 0, true),
        (BGEU, 0, 1, false),
    ] {
        let mut bus = Ram::new(0x100);
        let mut asm = Asm::new();
        asm.branch(funct3, A1, A2, "taken").op(addi(A0, ZERO, 2)).op(WFI);
        asm.label("taken").op(addi(A0, ZERO, 1)).op(WFI);
        bus.load(0, &asm.bytes());
        let mut hart = Hart::new(HartConfig::default());
        (hart.regs[A1 as usize], hart.regs[A2 as usize]) = (a1, a2);
        assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
        assert_eq!(
            hart.regs[A0 as usize],
            if taken { 1 } else { 2 },
            "funct3 {funct3} of {a1:x}, {a2:x}"
        );
        assert_eq!(hart.cycle, 3);
    }
}

#[test]
fn jumps_link_and_drop_the_low_bit() {
    // jal over one instruction; jalr to an odd address, with its base in the link register.
    let code = [
        jal(RA, 8),
        addi(A0, ZERO, 1),
        addi(T0, ZERO, 0x19),
        jalr(T0, T0, 0),
        addi(A0, ZERO, 2),
        EBREAK,
    ];
    let mut asm = Asm::new();
    asm.ops(&code).op(WFI);
    let mut bus = Ram::new(0x100);
    bus.load(0, &asm.bytes());
    let mut hart = Hart::new(HartConfig::default());
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(
        (
            hart.regs[RA as usize],
            hart.regs[T0 as usize],
            hart.regs[A0 as usize]
        ),
        (4, 16, 0)
    );
    assert_eq!((hart.pc, hart.cycle), (0x1c, 4));
}

#[test]
fn compressed_code_runs_and_links_behind_two_bytes() {
    let mut asm = Asm::new();
    // c.li a0, -1; c.jal +4; c.ebreak (jumped over); c.addi a0, 5; c.mv a1, a0; c.lui a2, 16; wfi
    asm.c(0x557d)
        .c(0x2011)
        .c(0x9002)
        .c(0x0515)
        .c(0x85aa)
        .c(0x6641)
        .op(WFI);
    let mut bus = Ram::new(0x100);
    bus.load(0, &asm.bytes());
    let mut hart = Hart::new(HartConfig::default());
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(hart.regs[RA as usize], 4);
    assert_eq!(hart.regs[A0 as usize..=A2 as usize], [4, 4, 0x1_0000]);
    assert_eq!((hart.pc, hart.cycle), (16, 6));
}

#[test]
fn misaligned_data_traps_or_is_split_as_configured() {
    let code = [lw(A0, A1, 1), sh(A1, A1, 3), lhu(A2, A1, 3), WFI];
    let mut asm = Asm::new();
    asm.ops(&code);
    let mut bus = Ram::new(0x100);
    bus.load(0, &asm.bytes());
    bus.load(0x40, &[1, 2, 3, 4, 5, 6, 7, 8]);

    let mut hart = Hart::new(HartConfig {
        misaligned: Misaligned::Split,
        ..HartConfig::default()
    });
    hart.regs[A1 as usize] = 0x40;
    assert_eq!(hart.run(&mut bus.clone(), 100), Exit::Wfi);
    assert_eq!(
        (hart.regs[A0 as usize], hart.regs[A2 as usize]),
        (0x0504_0302, 0x40)
    );
    assert_eq!(hart.cycle, 4);

    let mut hart = Hart::new(HartConfig::default());
    hart.regs[A1 as usize] = 0x40;
    hart.set_csr(0x305, 0x80);
    bus.load(0x80, &WFI.to_le_bytes());
    for (pc, cause, tval) in [(0, 4, 0x41), (4, 6, 0x43), (8, 4, 0x43)] {
        hart.pc = pc;
        assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
        assert_eq!(
            (hart.csr(0x342), hart.csr(0x343), hart.csr(0x341)),
            (Some(cause), Some(tval), Some(pc))
        );
    }
    assert_eq!(bus.bytes[0x43..0x45], [4, 5], "a store that traps writes nothing");
}
