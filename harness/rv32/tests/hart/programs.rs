//! Guest programs for the benchmark and the comparisons. All loop for ever.

use crate::asm::*;

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
