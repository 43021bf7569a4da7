//! A small assembler: encoders for the instructions of the tests, and labels.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shared by the tests and the benchmark; each uses a part"
)]

use std::collections::BTreeMap;

pub(crate) const ZERO: u32 = 0;
pub(crate) const RA: u32 = 1;
pub(crate) const SP: u32 = 2;
pub(crate) const T0: u32 = 5;
pub(crate) const T1: u32 = 6;
pub(crate) const T2: u32 = 7;
pub(crate) const S0: u32 = 8;
pub(crate) const S1: u32 = 9;
pub(crate) const A0: u32 = 10;
pub(crate) const A1: u32 = 11;
pub(crate) const A2: u32 = 12;
pub(crate) const A3: u32 = 13;
pub(crate) const A4: u32 = 14;
pub(crate) const A5: u32 = 15;
pub(crate) const A6: u32 = 16;
pub(crate) const A7: u32 = 17;

pub(crate) const BEQ: u32 = 0;
pub(crate) const BNE: u32 = 1;
pub(crate) const BLT: u32 = 4;
pub(crate) const BGE: u32 = 5;
pub(crate) const BLTU: u32 = 6;
pub(crate) const BGEU: u32 = 7;

pub(crate) const ECALL: u32 = 0x0000_0073;
pub(crate) const EBREAK: u32 = 0x0010_0073;
pub(crate) const MRET: u32 = 0x3020_0073;
pub(crate) const WFI: u32 = 0x1050_0073;
pub(crate) const FENCE: u32 = 0x0ff0_000f;
pub(crate) const FENCE_I: u32 = 0x0000_100f;

pub(crate) const fn r(funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32) -> u32 {
    funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33
}

pub(crate) const fn i(opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
    (imm as u32) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}

pub(crate) const fn s(funct3: u32, rs2: u32, rs1: u32, imm: i32) -> u32 {
    let imm = imm as u32 & 0xfff;
    imm >> 5 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | 0x23
}

pub(crate) const fn b(funct3: u32, rs1: u32, rs2: u32, offset: i32) -> u32 {
    let o = offset as u32;
    (o >> 12 & 1) << 31
        | (o >> 5 & 0x3f) << 25
        | rs2 << 20
        | rs1 << 15
        | funct3 << 12
        | (o >> 1 & 0xf) << 8
        | (o >> 11 & 1) << 7
        | 0x63
}

pub(crate) const fn jal(rd: u32, offset: i32) -> u32 {
    let o = offset as u32;
    (o >> 20 & 1) << 31
        | (o >> 1 & 0x3ff) << 21
        | (o >> 11 & 1) << 20
        | (o >> 12 & 0xff) << 12
        | rd << 7
        | 0x6f
}

macro_rules! encoders {
    ($($name:ident($($arg:ident: $ty:ty),*) = $value:expr;)*) => {
        $(pub(crate) const fn $name($($arg: $ty),*) -> u32 { $value })*
    };
}

encoders! {
    lui(rd: u32, imm: u32) = imm << 12 | rd << 7 | 0x37;
    auipc(rd: u32, imm: u32) = imm << 12 | rd << 7 | 0x17;
    jalr(rd: u32, rs1: u32, imm: i32) = i(0x67, 0, rd, rs1, imm);
    lb(rd: u32, rs1: u32, imm: i32) = i(0x03, 0, rd, rs1, imm);
    lh(rd: u32, rs1: u32, imm: i32) = i(0x03, 1, rd, rs1, imm);
    lw(rd: u32, rs1: u32, imm: i32) = i(0x03, 2, rd, rs1, imm);
    lbu(rd: u32, rs1: u32, imm: i32) = i(0x03, 4, rd, rs1, imm);
    lhu(rd: u32, rs1: u32, imm: i32) = i(0x03, 5, rd, rs1, imm);
    sb(rs2: u32, rs1: u32, imm: i32) = s(0, rs2, rs1, imm);
    sh(rs2: u32, rs1: u32, imm: i32) = s(1, rs2, rs1, imm);
    sw(rs2: u32, rs1: u32, imm: i32) = s(2, rs2, rs1, imm);
    addi(rd: u32, rs1: u32, imm: i32) = i(0x13, 0, rd, rs1, imm);
    slti(rd: u32, rs1: u32, imm: i32) = i(0x13, 2, rd, rs1, imm);
    sltiu(rd: u32, rs1: u32, imm: i32) = i(0x13, 3, rd, rs1, imm);
    xori(rd: u32, rs1: u32, imm: i32) = i(0x13, 4, rd, rs1, imm);
    ori(rd: u32, rs1: u32, imm: i32) = i(0x13, 6, rd, rs1, imm);
    andi(rd: u32, rs1: u32, imm: i32) = i(0x13, 7, rd, rs1, imm);
    slli(rd: u32, rs1: u32, shift: i32) = i(0x13, 1, rd, rs1, shift);
    srli(rd: u32, rs1: u32, shift: i32) = i(0x13, 5, rd, rs1, shift);
    srai(rd: u32, rs1: u32, shift: i32) = i(0x13, 5, rd, rs1, 0x400 | shift);
    add(rd: u32, rs1: u32, rs2: u32) = r(0, 0, rd, rs1, rs2);
    sub(rd: u32, rs1: u32, rs2: u32) = r(0x20, 0, rd, rs1, rs2);
    sll(rd: u32, rs1: u32, rs2: u32) = r(0, 1, rd, rs1, rs2);
    slt(rd: u32, rs1: u32, rs2: u32) = r(0, 2, rd, rs1, rs2);
    sltu(rd: u32, rs1: u32, rs2: u32) = r(0, 3, rd, rs1, rs2);
    xor(rd: u32, rs1: u32, rs2: u32) = r(0, 4, rd, rs1, rs2);
    srl(rd: u32, rs1: u32, rs2: u32) = r(0, 5, rd, rs1, rs2);
    sra(rd: u32, rs1: u32, rs2: u32) = r(0x20, 5, rd, rs1, rs2);
    or(rd: u32, rs1: u32, rs2: u32) = r(0, 6, rd, rs1, rs2);
    and(rd: u32, rs1: u32, rs2: u32) = r(0, 7, rd, rs1, rs2);
    mul(rd: u32, rs1: u32, rs2: u32) = r(1, 0, rd, rs1, rs2);
    mulh(rd: u32, rs1: u32, rs2: u32) = r(1, 1, rd, rs1, rs2);
    mulhsu(rd: u32, rs1: u32, rs2: u32) = r(1, 2, rd, rs1, rs2);
    mulhu(rd: u32, rs1: u32, rs2: u32) = r(1, 3, rd, rs1, rs2);
    div(rd: u32, rs1: u32, rs2: u32) = r(1, 4, rd, rs1, rs2);
    divu(rd: u32, rs1: u32, rs2: u32) = r(1, 5, rd, rs1, rs2);
    rem(rd: u32, rs1: u32, rs2: u32) = r(1, 6, rd, rs1, rs2);
    remu(rd: u32, rs1: u32, rs2: u32) = r(1, 7, rd, rs1, rs2);
    csrrw(rd: u32, csr: u32, rs1: u32) = csr << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
    csrrs(rd: u32, csr: u32, rs1: u32) = csr << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
    csrrc(rd: u32, csr: u32, rs1: u32) = csr << 20 | rs1 << 15 | 3 << 12 | rd << 7 | 0x73;
    csrrwi(rd: u32, csr: u32, imm: u32) = csr << 20 | imm << 15 | 5 << 12 | rd << 7 | 0x73;
    csrrsi(rd: u32, csr: u32, imm: u32) = csr << 20 | imm << 15 | 6 << 12 | rd << 7 | 0x73;
    csrrci(rd: u32, csr: u32, imm: u32) = csr << 20 | imm << 15 | 7 << 12 | rd << 7 | 0x73;
}

enum Fixup {
    Branch(u32, u32, u32),
    Jal(u32),
}

/// Machine code under construction.
#[derive(Default)]
pub(crate) struct Asm {
    halves: Vec<u16>,
    labels: BTreeMap<&'static str, usize>,
    fixups: Vec<(usize, &'static str, Fixup)>,
}

impl Asm {
    pub(crate) fn new() -> Asm {
        Asm::default()
    }

    /// Appends a 32-bit instruction.
    pub(crate) fn op(&mut self, word: u32) -> &mut Self {
        self.halves.extend([word as u16, (word >> 16) as u16]);
        self
    }

    pub(crate) fn ops(&mut self, words: &[u32]) -> &mut Self {
        for &word in words {
            self.op(word);
        }
        self
    }

    /// Appends a 16-bit instruction.
    pub(crate) fn c(&mut self, half: u16) -> &mut Self {
        self.halves.push(half);
        self
    }

    pub(crate) fn label(&mut self, name: &'static str) -> &mut Self {
        assert!(
            self.labels.insert(name, self.halves.len()).is_none(),
            "{name} is defined twice"
        );
        self
    }

    pub(crate) fn li(&mut self, rd: u32, value: u32) -> &mut Self {
        let low = (value << 20) as i32 >> 20;
        let high = value.wrapping_sub(low as u32) >> 12;
        if high == 0 {
            return self.op(addi(rd, ZERO, low));
        }
        self.op(lui(rd, high)).op(addi(rd, rd, low))
    }

    pub(crate) fn branch(&mut self, funct3: u32, rs1: u32, rs2: u32, to: &'static str) -> &mut Self {
        self.fixups
            .push((self.halves.len(), to, Fixup::Branch(funct3, rs1, rs2)));
        self.op(0)
    }

    pub(crate) fn jal(&mut self, rd: u32, to: &'static str) -> &mut Self {
        self.fixups.push((self.halves.len(), to, Fixup::Jal(rd)));
        self.op(0)
    }

    /// Bytes from the start of the code to `label`.
    pub(crate) fn offset(&self, label: &str) -> u32 {
        2 * self.labels[label] as u32
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut halves = self.halves.clone();
        for (at, label, fixup) in &self.fixups {
            let offset = 2 * (self.labels[label] as i32 - *at as i32);
            let word = match *fixup {
                Fixup::Branch(funct3, rs1, rs2) => b(funct3, rs1, rs2, offset),
                Fixup::Jal(rd) => jal(rd, offset),
            };
            (halves[*at], halves[at + 1]) = (word as u16, (word >> 16) as u16);
        }
        halves.into_iter().flat_map(u16::to_le_bytes).collect()
    }
}
