//! Encodings to [`Op`]s. "The RISC-V Instruction Set Manual, Volume I", 20191213, chapters 2, 7, 9 and 24.

use crate::compressed;
use crate::op::{CsrChange, CsrSource, Op, Reg};

/// Decodes one instruction at `pc`. `raw` holds 16 bits when its low two bits are not both set. Returns the
/// op and the instruction's length in bytes.
pub(crate) fn decode(raw: u32, pc: u32) -> (Op, u8) {
    if raw & 3 == 3 {
        return (decode_word(raw, pc, 4).unwrap_or(Op::Illegal { raw }), 4);
    }
    let half = raw & 0xffff;
    let op = compressed::expand(half as u16).and_then(|word| decode_word(word, pc, 2));
    (op.unwrap_or(Op::Illegal { raw: half }), 2)
}

fn rd(raw: u32) -> Reg {
    Reg::new(raw >> 7)
}

fn rs1(raw: u32) -> Reg {
    Reg::new(raw >> 15)
}

fn rs2(raw: u32) -> Reg {
    Reg::new(raw >> 20)
}

fn imm_i(raw: u32) -> u32 {
    ((raw as i32) >> 20) as u32
}

fn imm_s(raw: u32) -> u32 {
    (((raw as i32) >> 25 << 5) as u32) | (raw >> 7 & 0x1f)
}

fn imm_b(raw: u32) -> u32 {
    (((raw as i32) >> 31 << 12) as u32) | (raw << 4 & 0x800) | (raw >> 20 & 0x7e0) | (raw >> 7 & 0x1e)
}

fn imm_j(raw: u32) -> u32 {
    (((raw as i32) >> 31 << 20) as u32) | (raw & 0xf_f000) | (raw >> 9 & 0x800) | (raw >> 20 & 0x7fe)
}

/// Decodes a 32-bit encoding of an instruction that takes `len` bytes in memory.
fn decode_word(raw: u32, pc: u32, len: u8) -> Option<Op> {
    let funct3 = raw >> 12 & 7;
    Some(match raw & 0x7f {
        0x37 => li(rd(raw), raw & 0xffff_f000),
        0x17 => li(rd(raw), pc.wrapping_add(raw & 0xffff_f000)),
        0x6f => {
            let target = pc.wrapping_add(imm_j(raw));
            match rd(raw) {
                Reg::X0 => Op::J { target },
                rd => Op::Jal { rd, len, target },
            }
        }
        0x67 if funct3 == 0 => match rd(raw) {
            Reg::X0 => Op::Jr {
                rs1: rs1(raw),
                imm: imm_i(raw),
            },
            rd => Op::Jalr {
                rd,
                rs1: rs1(raw),
                len,
                imm: imm_i(raw),
            },
        },
        0x63 => branch(raw, funct3, pc)?,
        0x03 => load(raw, funct3)?,
        0x23 => store(raw, funct3)?,
        0x13 => immediate(raw, funct3)?,
        0x33 => register(raw, funct3)?,
        0x0f => match funct3 {
            0 => Op::Nop,
            1 => Op::FenceI,
            _ => return None,
        },
        0x73 => system(raw, funct3)?,
        _ => return None,
    })
}

fn li(rd: Reg, value: u32) -> Op {
    if rd == Reg::X0 {
        Op::Nop
    } else {
        Op::Li { rd, value }
    }
}

fn branch(raw: u32, funct3: u32, pc: u32) -> Option<Op> {
    let (rs1, rs2, target) = (rs1(raw), rs2(raw), pc.wrapping_add(imm_b(raw)));
    Some(match funct3 {
        0 => Op::Beq { rs1, rs2, target },
        1 => Op::Bne { rs1, rs2, target },
        4 => Op::Blt { rs1, rs2, target },
        5 => Op::Bge { rs1, rs2, target },
        6 => Op::Bltu { rs1, rs2, target },
        7 => Op::Bgeu { rs1, rs2, target },
        _ => return None,
    })
}

fn load(raw: u32, funct3: u32) -> Option<Op> {
    let (rd, rs1, imm) = (rd(raw), rs1(raw), imm_i(raw));
    let size = match funct3 {
        0 | 4 => 1,
        1 | 5 => 2,
        2 => 4,
        _ => return None,
    };
    Some(match (rd, funct3) {
        (Reg::X0, _) => Op::LoadX0 { size, rs1, imm },
        (_, 0) => Op::Lb { rd, rs1, imm },
        (_, 1) => Op::Lh { rd, rs1, imm },
        (_, 2) => Op::Lw { rd, rs1, imm },
        (_, 4) => Op::Lbu { rd, rs1, imm },
        _ => Op::Lhu { rd, rs1, imm },
    })
}

fn store(raw: u32, funct3: u32) -> Option<Op> {
    let (rs1, rs2, imm) = (rs1(raw), rs2(raw), imm_s(raw));
    Some(match funct3 {
        0 => Op::Sb { rs1, rs2, imm },
        1 => Op::Sh { rs1, rs2, imm },
        2 => Op::Sw { rs1, rs2, imm },
        _ => return None,
    })
}

fn immediate(raw: u32, funct3: u32) -> Option<Op> {
    let (rd, rs1, imm, shift) = (rd(raw), rs1(raw), imm_i(raw), raw >> 20 & 0x1f);
    let op = match (funct3, raw >> 25) {
        (0, _) if rs1 == Reg::X0 => return Some(li(rd, imm)),
        (0, _) if imm == 0 => Op::Mv { rd, rs1 },
        (0, _) => Op::Addi { rd, rs1, imm },
        (2, _) => Op::Slti { rd, rs1, imm },
        (3, _) => Op::Sltiu { rd, rs1, imm },
        (4, _) => Op::Xori { rd, rs1, imm },
        (6, _) => Op::Ori { rd, rs1, imm },
        (7, _) => Op::Andi { rd, rs1, imm },
        (1, 0x00) => Op::Slli { rd, rs1, imm: shift },
        (5, 0x00) => Op::Srli { rd, rs1, imm: shift },
        (5, 0x20) => Op::Srai { rd, rs1, imm: shift },
        _ => return None,
    };
    Some(if rd == Reg::X0 { Op::Nop } else { op })
}

fn register(raw: u32, funct3: u32) -> Option<Op> {
    let (rd, rs1, rs2) = (rd(raw), rs1(raw), rs2(raw));
    let op = match (raw >> 25, funct3) {
        // `c.mv` expands to `add rd, x0, rs2`.
        (0x00, 0) if rs1 == Reg::X0 => Op::Mv { rd, rs1: rs2 },
        (0x00, 0) => Op::Add { rd, rs1, rs2 },
        (0x20, 0) => Op::Sub { rd, rs1, rs2 },
        (0x00, 1) => Op::Sll { rd, rs1, rs2 },
        (0x00, 2) => Op::Slt { rd, rs1, rs2 },
        (0x00, 3) => Op::Sltu { rd, rs1, rs2 },
        (0x00, 4) => Op::Xor { rd, rs1, rs2 },
        (0x00, 5) => Op::Srl { rd, rs1, rs2 },
        (0x20, 5) => Op::Sra { rd, rs1, rs2 },
        (0x00, 6) => Op::Or { rd, rs1, rs2 },
        (0x00, 7) => Op::And { rd, rs1, rs2 },
        (0x01, 0) => Op::Mul { rd, rs1, rs2 },
        (0x01, 1) => Op::Mulh { rd, rs1, rs2 },
        (0x01, 2) => Op::Mulhsu { rd, rs1, rs2 },
        (0x01, 3) => Op::Mulhu { rd, rs1, rs2 },
        (0x01, 4) => Op::Div { rd, rs1, rs2 },
        (0x01, 5) => Op::Divu { rd, rs1, rs2 },
        (0x01, 6) => Op::Rem { rd, rs1, rs2 },
        (0x01, 7) => Op::Remu { rd, rs1, rs2 },
        _ => return None,
    };
    Some(if rd == Reg::X0 { Op::Nop } else { op })
}

fn system(raw: u32, funct3: u32) -> Option<Op> {
    let change = match funct3 & 3 {
        1 => CsrChange::Write,
        2 => CsrChange::Set,
        3 => CsrChange::Clear,
        _ => {
            return match raw {
                0x0000_0073 => Some(Op::Ecall),
                0x0010_0073 => Some(Op::Ebreak),
                0x3020_0073 => Some(Op::Mret),
                0x1050_0073 => Some(Op::Wfi),
                _ => None,
            };
        }
    };
    let source = if funct3 & 4 == 0 {
        CsrSource::Reg(rs1(raw))
    } else {
        CsrSource::Imm((raw >> 15 & 31) as u8)
    };
    Some(Op::Csr {
        change,
        rd: rd(raw),
        source,
        csr: (raw >> 20) as u16,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates_come_out_sign_extended() {
        // addi x1, x2, -1; sw x5, -4(x6); beq x1, x2, -8; jal x1, -2048; lui x3, 0xfffff
        assert_eq!(
            decode(0xfff1_0093, 0).0,
            Op::Addi {
                rd: Reg::X1,
                rs1: Reg::X2,
                imm: u32::MAX
            }
        );
        assert_eq!(
            decode(0xfe53_2e23, 0).0,
            Op::Sw {
                rs1: Reg::X6,
                rs2: Reg::X5,
                imm: -4_i32 as u32
            }
        );
        assert_eq!(
            decode(0xfe20_8ce3, 0x100).0,
            Op::Beq {
                rs1: Reg::X1,
                rs2: Reg::X2,
                target: 0xf8
            }
        );
        assert_eq!(
            decode(0x801f_f0ef, 0x1000).0,
            Op::Jal {
                rd: Reg::X1,
                len: 4,
                target: 0x800
            }
        );
        assert_eq!(
            decode(0xffff_f1b7, 0).0,
            Op::Li {
                rd: Reg::X3,
                value: 0xffff_f000
            }
        );
    }

    #[test]
    fn a_computation_into_x0_is_nothing_and_a_load_into_x0_still_reads() {
        assert_eq!(decode(0x0010_0013, 0).0, Op::Nop); // addi x0, x0, 1
        assert_eq!(decode(0x0220_8033, 0).0, Op::Nop); // mul x0, x1, x2
        assert_eq!(
            decode(0x0000_a003, 0).0,
            Op::LoadX0 {
                size: 4,
                rs1: Reg::X1,
                imm: 0
            }
        );
    }

    #[test]
    fn encodings_outside_rv32imc_are_illegal() {
        for raw in [
            0xffff_ffff, // reserved
            0x0000_307b, // custom-3
            0x0000_b003, // ld
            0x0000_3023, // sd
            0x0000_2063, // branch funct3 2
            0x0200_1013, // slli with shamt[5]
            0x4000_1033, // sll with funct7 0x20
            0x0000_2007, // flw
            0x1000_202f, // lr.w
            0x1020_0073, // sret
            0x0020_0073, // uret
            0x0000_4073, // system funct3 4
            0x0000_1067, // jalr funct3 1
            0x0000_200f, // fence funct3 2
        ] {
            assert_eq!(decode(raw, 0).0, Op::Illegal { raw }, "{raw:08x}");
        }
        assert_eq!(decode(0xabcd_0000, 0), (Op::Illegal { raw: 0 }, 2));
    }
}
