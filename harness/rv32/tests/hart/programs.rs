//! Guest programs for the benchmark and the comparisons. All of them are endless loops.

use crate::asm::*;
use crate::timer::{HI, LO, OP};

const S2: u32 = 18;
const S3: u32 = 19;
const S4: u32 = 20;
const S5: u32 = 21;

/// CRC-32, bit by bit, over 1 KiB at 0x4000: shifts, masks, short branches, byte loads.
pub(crate) fn crc32() -> Vec<u8> {
    let mut a = Asm::new();
    a.li(A5, 0xedb8_8320);
    a.label("again").li(A0, 0xffff_ffff).li(A1, 0x4000).li(A2, 0x4400);
    a.label("byte")
        .op(lbu(A3, A1, 0))
        .op(xor(A0, A0, A3))
        .op(addi(A4, ZERO, 8));
    a.label("bit").ops(&[
        andi(T0, A0, 1),
        sub(T0, ZERO, T0),
        and(T0, T0, A5),
        srli(A0, A0, 1),
        xor(A0, A0, T0),
    ]);
    a.op(addi(A4, A4, -1)).branch(BNE, A4, ZERO, "bit");
    a.op(addi(A1, A1, 1)).branch(BNE, A1, A2, "byte");
    a.op(sw(A0, ZERO, 0x700)).jal(ZERO, "again");
    a.bytes()
}

/// The sieve of Eratosthenes below 8192 at 0x4000: byte stores, short loops.
pub(crate) fn sieve() -> Vec<u8> {
    let mut a = Asm::new();
    a.label("again")
        .li(A0, 0x4000)
        .li(A1, 0x6000)
        .op(addi(A2, ZERO, 1));
    a.label("fill")
        .op(sb(A2, A0, 0))
        .op(addi(A0, A0, 1))
        .branch(BLTU, A0, A1, "fill");
    a.li(S0, 0x4000).op(addi(A3, ZERO, 2)).op(addi(A7, ZERO, 0));
    a.label("candidate")
        .ops(&[add(T0, S0, A3), lbu(T1, T0, 0)])
        .branch(BEQ, T1, ZERO, "next");
    a.op(addi(A7, A7, 1))
        .op(add(T0, T0, A3))
        .branch(BGEU, T0, A1, "next");
    a.label("strike")
        .op(sb(ZERO, T0, 0))
        .op(add(T0, T0, A3))
        .branch(BLTU, T0, A1, "strike");
    a.label("next")
        .op(addi(A3, A3, 1))
        .li(T2, 8192)
        .branch(BLTU, A3, T2, "candidate");
    a.op(sw(A7, ZERO, 0x700)).jal(ZERO, "again");
    a.bytes()
}

/// A 16 by 16 matrix product with a function call for each element: loads, multiplications, stack, calls.
pub(crate) fn matrix() -> Vec<u8> {
    let mut a = Asm::new();
    a.li(SP, 0x3000)
        .label("again")
        .li(S0, 0x4000)
        .li(S1, 0x4400)
        .li(A7, 0x4800);
    a.op(addi(A5, ZERO, 0));
    a.label("row").op(addi(A6, ZERO, 0));
    a.label("column")
        .op(slli(A0, A5, 6))
        .op(add(A0, A0, S0))
        .op(slli(A1, A6, 2))
        .op(add(A1, A1, S1));
    a.jal(RA, "dot").op(sw(A0, A7, 0)).op(addi(A7, A7, 4));
    a.op(addi(A6, A6, 1))
        .op(addi(T0, ZERO, 16))
        .branch(BNE, A6, T0, "column");
    a.op(addi(A5, A5, 1))
        .branch(BNE, A5, T0, "row")
        .jal(ZERO, "again");
    a.label("dot").ops(&[
        addi(SP, SP, -16),
        sw(RA, SP, 12),
        sw(S0, SP, 8),
        addi(S0, ZERO, 0),
        addi(A2, ZERO, 16),
    ]);
    a.label("term").ops(&[
        lw(T0, A0, 0),
        lw(T1, A1, 0),
        mul(T0, T0, T1),
        add(S0, S0, T0),
        addi(A0, A0, 4),
    ]);
    a.ops(&[addi(A1, A1, 64), addi(A2, A2, -1)])
        .branch(BNE, A2, ZERO, "term");
    a.ops(&[
        addi(A0, S0, 0),
        lw(S0, SP, 8),
        lw(RA, SP, 12),
        addi(SP, SP, 16),
        jalr(ZERO, RA, 0),
    ]);
    a.bytes()
}

/// `delay(A0 microseconds)` as a compiler makes it for esp-hal: it latches the count, waits for it, reads it
/// (the low half twice), shifts it to microseconds over two words, and compares the time since the start with
/// the duration. `outlined`: the reading is a function that stores its results on the stack.
fn delay(asm: &mut Asm, outlined: bool) {
    asm.label("delay")
        .ops(&[addi(SP, SP, -32), sw(RA, SP, 28), addi(S4, A0, 0)]);
    asm.jal(RA, "now").ops(&[addi(S2, A0, 0), addi(S3, A1, 0)]);
    asm.label("elapsed");
    if outlined {
        asm.jal(RA, "now")
            .ops(&[sw(A0, SP, 8), sw(A1, SP, 12), lw(A2, SP, 8), sltu(A3, A2, S2)]);
        asm.ops(&[lw(A1, SP, 12), sub(A2, A2, S2), sub(A1, A1, S3), sub(A1, A1, A3)]);
    } else {
        inline_now(asm, "valid2", "again2");
        asm.ops(&[
            sltu(A3, A0, S2),
            sub(A2, A0, S2),
            sub(A1, A1, S3),
            sub(A1, A1, A3),
        ]);
    }
    asm.branch(BNE, A1, ZERO, "done").branch(BLTU, A2, S4, "elapsed");
    asm.label("done")
        .ops(&[lw(RA, SP, 28), addi(SP, SP, 32), jalr(ZERO, RA, 0)]);
    asm.label("now").ops(&[
        addi(SP, SP, -16),
        sw(RA, SP, 12),
        sw(S5, SP, 8),
        addi(S5, ZERO, 3),
    ]);
    inline_now(asm, "valid", "again");
    asm.ops(&[lw(S5, SP, 8), lw(RA, SP, 12), addi(SP, SP, 16), jalr(ZERO, RA, 0)]);
}

/// Reads the time in microseconds into A0 and A1.
fn inline_now(asm: &mut Asm, valid: &'static str, again: &'static str) {
    asm.li(A5, OP).ops(&[lui(A4, 0x40000), sw(A4, A5, 0)]);
    asm.label(valid)
        .ops(&[lw(A4, A5, 0), slli(A4, A4, 2)])
        .branch(BGE, A4, ZERO, valid);
    asm.op(lw(A0, A5, (LO - OP) as i32));
    asm.label(again).ops(&[
        addi(A2, A0, 0),
        lw(A1, A5, (HI - OP) as i32),
        lw(A0, A5, (LO - OP) as i32),
    ]);
    asm.branch(BNE, A0, A2, again);
    asm.ops(&[slli(A2, A1, 28), srli(A0, A0, 4), or(A0, A0, A2), srli(A1, A1, 4)]);
}

/// An endless loop: delay, then increment a counter in memory.
pub(crate) fn blinker(micros: u32, outlined: bool) -> Vec<u8> {
    let mut asm = Asm::new();
    asm.li(SP, 0x1000).label("blink").li(A0, micros).jal(RA, "delay");
    asm.ops(&[lw(T0, ZERO, 0x700), addi(T0, T0, 1), sw(T0, ZERO, 0x700)])
        .jal(ZERO, "blink");
    delay(&mut asm, outlined);
    asm.bytes()
}
