//! The C extension: expansion of 16-bit encodings to 32-bit ones.
//!
//! "The RISC-V Instruction Set Manual, Volume I", 20191213, chapter 16, tables 16.5 to 16.7, RV32 column
//! without F and D. Hints are expanded like other encodings; reserved encodings give `None`.

/// The 32-bit encoding of `half`, or `None` if it is illegal or reserved.
pub(crate) fn expand(half: u16) -> Option<u32> {
    let h = u32::from(half);
    let funct3 = h >> 13;
    match (h & 3, funct3) {
        (0, 0) => addi4spn(h),
        (0, 2) => Some(i_type(0x03, 2, reg_low(h >> 2), reg_low(h >> 7), imm_lw(h))),
        (0, 6) => Some(s_type(2, reg_low(h >> 7), reg_low(h >> 2), imm_lw(h))),
        (1, 0) => Some(i_type(0x13, 0, reg(h >> 7), reg(h >> 7), imm_6(h))),
        (1, 1) => Some(j_type(1, imm_cj(h))),
        (1, 2) => Some(i_type(0x13, 0, reg(h >> 7), 0, imm_6(h))),
        (1, 3) => lui_or_addi16sp(h),
        (1, 4) => arithmetic(h),
        (1, 5) => Some(j_type(0, imm_cj(h))),
        (1, 6) => Some(b_type(0, reg_low(h >> 7), imm_cb(h))),
        (1, 7) => Some(b_type(1, reg_low(h >> 7), imm_cb(h))),
        (2, 0) if h & 0x1000 == 0 => Some(i_type(0x13, 1, reg(h >> 7), reg(h >> 7), h >> 2 & 0x1f)),
        (2, 2) if reg(h >> 7) != 0 => Some(i_type(0x03, 2, reg(h >> 7), 2, imm_lwsp(h))),
        (2, 4) => jump_move_add(h),
        (2, 6) => Some(s_type(2, 2, reg(h >> 2), (h >> 7 & 0x3c) | (h >> 1 & 0xc0))),
        _ => None,
    }
}

fn reg(bits: u32) -> u32 {
    bits & 31
}

/// Register number of a three-bit field, x8 to x15.
fn reg_low(bits: u32) -> u32 {
    8 + (bits & 7)
}

fn i_type(opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: u32) -> u32 {
    imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}

fn s_type(funct3: u32, rs1: u32, rs2: u32, imm: u32) -> u32 {
    (imm >> 5) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 0x1f) << 7 | 0x23
}

/// Encodes a branch that compares `rs1` with x0.
fn b_type(funct3: u32, rs1: u32, imm: u32) -> u32 {
    (imm >> 12 & 1) << 31
        | (imm >> 5 & 0x3f) << 25
        | rs1 << 15
        | funct3 << 12
        | (imm >> 1 & 0xf) << 8
        | (imm >> 11 & 1) << 7
        | 0x63
}

fn j_type(rd: u32, imm: u32) -> u32 {
    (imm >> 20 & 1) << 31
        | (imm >> 1 & 0x3ff) << 21
        | (imm >> 11 & 1) << 20
        | (imm >> 12 & 0xff) << 12
        | rd << 7
        | 0x6f
}

fn r_type(funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32) -> u32 {
    funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33
}

/// Sign extension by bit 12: all ones from `bit` on if it is set.
fn sign(h: u32, bit: u32) -> u32 {
    if h & 0x1000 != 0 { u32::MAX << bit } else { 0 }
}

fn imm_6(h: u32) -> u32 {
    sign(h, 5) | (h >> 2 & 0x1f)
}

fn imm_lw(h: u32) -> u32 {
    (h >> 7 & 0x38) | (h >> 4 & 4) | (h << 1 & 0x40)
}

fn imm_lwsp(h: u32) -> u32 {
    (h >> 7 & 0x20) | (h >> 2 & 0x1c) | (h << 4 & 0xc0)
}

/// Immediate of `c.j` and `c.jal`: imm[11|4|9:8|10|6|7|3:1|5] in bits 12 to 2.
fn imm_cj(h: u32) -> u32 {
    sign(h, 11)
        | (h >> 7 & 0x10)
        | (h >> 1 & 0x300)
        | (h << 2 & 0x400)
        | (h >> 1 & 0x40)
        | (h << 1 & 0x80)
        | (h >> 2 & 0xe)
        | (h << 3 & 0x20)
}

/// Immediate of `c.beqz` and `c.bnez`: imm[8|4:3] in bits 12 to 10, imm[7:6|2:1|5] in bits 6 to 2.
fn imm_cb(h: u32) -> u32 {
    sign(h, 8) | (h >> 7 & 0x18) | (h << 1 & 0xc0) | (h >> 2 & 6) | (h << 3 & 0x20)
}

fn addi4spn(h: u32) -> Option<u32> {
    let imm = (h >> 7 & 0x30) | (h >> 1 & 0x3c0) | (h >> 4 & 4) | (h >> 2 & 8);
    (imm != 0).then(|| i_type(0x13, 0, reg_low(h >> 2), 2, imm))
}

fn lui_or_addi16sp(h: u32) -> Option<u32> {
    if reg(h >> 7) == 2 {
        let imm = sign(h, 9) | (h >> 2 & 0x10) | (h << 1 & 0x40) | (h << 4 & 0x180) | (h << 3 & 0x20);
        return (imm != 0).then(|| i_type(0x13, 0, 2, 2, imm));
    }
    let imm = imm_6(h);
    (imm != 0).then(|| imm << 12 | reg(h >> 7) << 7 | 0x37)
}

fn arithmetic(h: u32) -> Option<u32> {
    let rd = reg_low(h >> 7);
    let shift = h >> 2 & 0x1f;
    match h >> 10 & 3 {
        // On RV32 a shift by 32 or more is reserved.
        0 | 1 if h & 0x1000 != 0 => None,
        0 => Some(i_type(0x13, 5, rd, rd, shift)),
        1 => Some(i_type(0x13, 5, rd, rd, 0x400 | shift)),
        2 => Some(i_type(0x13, 7, rd, rd, imm_6(h))),
        _ if h & 0x1000 != 0 => None,
        _ => {
            let (funct7, funct3) = [(0x20, 0), (0, 4), (0, 6), (0, 7)][(h >> 5 & 3) as usize];
            Some(r_type(funct7, funct3, rd, rd, reg_low(h >> 2)))
        }
    }
}

fn jump_move_add(h: u32) -> Option<u32> {
    let (a, b) = (reg(h >> 7), reg(h >> 2));
    match (h & 0x1000 != 0, a, b) {
        (false, 0, 0) => None,
        (false, _, 0) => Some(i_type(0x67, 0, 0, a, 0)),
        (false, _, _) => Some(r_type(0, 0, a, 0, b)),
        (true, 0, 0) => Some(0x0010_0073),
        (true, _, 0) => Some(i_type(0x67, 0, 1, a, 0)),
        (true, _, _) => Some(r_type(0, 0, a, a, b)),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn each_compressed_form_expands_to_its_instruction() {
        // Pairs of both forms, as assembled by GNU as.
        for (half, word) in [
            (0x0808_u16, 0x0101_0513_u32), // c.addi4spn a0, 16
            (0x1fe0, 0x3fc1_0413),         // c.addi4spn s0, 1020
            (0x41c8, 0x0045_a503),         // c.lw a0, 4(a1)
            (0x5ffc, 0x07c7_a783),         // c.lw a5, 124(a5)
            (0xc1c8, 0x00a5_a223),         // c.sw a0, 4(a1)
            (0x0001, 0x0000_0013),         // c.nop
            (0x157d, 0xfff5_0513),         // c.addi a0, -1
            (0x3ffd, 0xffff_f0ef),         // c.jal -2
            (0x557d, 0xfff0_0513),         // c.li a0, -1
            (0x7179, 0xfd01_0113),         // c.addi16sp sp, -48
            (0x617d, 0x1f01_0113),         // c.addi16sp sp, 496
            (0x65c1, 0x0001_05b7),         // c.lui a1, 16
            (0x75fd, 0xffff_f5b7),         // c.lui a1, 0xfffff
            (0x817d, 0x01f5_5513),         // c.srli a0, 31
            (0x8505, 0x4015_5513),         // c.srai a0, 1
            (0x9961, 0xff85_7513),         // c.andi a0, -8
            (0x8d0d, 0x40b5_0533),         // c.sub a0, a1
            (0x8d2d, 0x00b5_4533),         // c.xor a0, a1
            (0x8d4d, 0x00b5_6533),         // c.or a0, a1
            (0x8d6d, 0x00b5_7533),         // c.and a0, a1
            (0xbffd, 0xffff_f06f),         // c.j -2
            (0xdd7d, 0xfe05_0fe3),         // c.beqz a0, -2
            (0xe111, 0x0005_1263),         // c.bnez a0, 4
            (0x057e, 0x01f5_1513),         // c.slli a0, 31
            (0x50fe, 0x0fc1_2083),         // c.lwsp ra, 252(sp)
            (0x8082, 0x0000_8067),         // c.jr ra
            (0x852e, 0x00b0_0533),         // c.mv a0, a1
            (0x9002, 0x0010_0073),         // c.ebreak
            (0x9502, 0x0005_00e7),         // c.jalr a0
            (0x952e, 0x00b5_0533),         // c.add a0, a1
            (0xdf86, 0x0e11_2e23),         // c.swsp ra, 252(sp)
        ] {
            let got = expand(half);
            assert_eq!(
                got,
                Some(word),
                "{half:04x}: {:08x} should be {word:08x}",
                got.unwrap_or(0)
            );
        }
    }

    #[test]
    fn reserved_and_absent_forms_are_illegal() {
        for half in [
            0x0000, // the all-zero instruction
            0x0008, // c.addi4spn a0, 0
            0x2000, // c.fld
            0x6000, // c.flw
            0x8000, // reserved
            0xa000, // c.fsd
            0xe000, // c.fsw
            0x6101, // c.addi16sp 0
            0x6581, // c.lui a1, 0
            0x9101, // c.srli with shamt[5]
            0x9501, // c.srai with shamt[5]
            0x9d01, // c.subw
            0x9d21, // c.addw
            0x9d41, // reserved
            0x1502, // c.slli with shamt[5]
            0x4002, // c.lwsp x0
            0x2002, // c.fldsp
            0x6002, // c.flwsp
            0x8002, // c.jr x0
            0xa002, // c.fsdsp
            0xe002, // c.fswsp
        ] {
            assert_eq!(expand(half), None, "{half:04x}");
        }
    }
}
