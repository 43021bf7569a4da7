//! Decoded instructions: output of the decoder and input of the executor.
//!
//! An [`Op`] holds everything that is known before execution: register numbers, sign-extended immediates,
//! absolute targets. Writes to `x0` are resolved here too (a computation without effect is [`Op::Nop`]), so
//! the executor never has to protect register 0.

/// A register number. An enum and not a `u8` so that indexing 32 registers needs no bounds check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
pub(crate) enum Reg {
    X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15,
    X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30, X31,
}

impl Reg {
    #[rustfmt::skip]
    const ALL: [Reg; 32] = [
        Reg::X0, Reg::X1, Reg::X2, Reg::X3, Reg::X4, Reg::X5, Reg::X6, Reg::X7, Reg::X8, Reg::X9, Reg::X10,
        Reg::X11, Reg::X12, Reg::X13, Reg::X14, Reg::X15, Reg::X16, Reg::X17, Reg::X18, Reg::X19, Reg::X20,
        Reg::X21, Reg::X22, Reg::X23, Reg::X24, Reg::X25, Reg::X26, Reg::X27, Reg::X28, Reg::X29, Reg::X30,
        Reg::X31,
    ];

    /// The register in the low five bits of `bits`.
    pub(crate) fn new(bits: u32) -> Reg {
        Reg::ALL[(bits & 31) as usize]
    }
}

/// Change that a CSR instruction makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CsrChange {
    /// `csrrw`: replaces the value.
    Write,
    /// `csrrs`: sets bits.
    Set,
    /// `csrrc`: clears bits.
    Clear,
}

/// Operand of a CSR instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CsrSource {
    /// The value of a register.
    Reg(Reg),
    /// The five-bit immediate.
    Imm(u8),
}

/// One decoded instruction, or a pair that one dispatch executes.
///
/// `imm` is sign-extended, `target` absolute. Ops that write a register never have `rd` = `x0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Op {
    /// Does nothing: `fence`, or a computation into `x0`.
    Nop,
    /// Loads a constant: `lui`, `auipc`, `li`, or `lui`/`auipc` and `addi` together.
    Li { rd: Reg, value: u32 },
    /// Copies a register: `addi rd, rs1, 0`.
    Mv { rd: Reg, rs1: Reg },

    Addi { rd: Reg, rs1: Reg, imm: u32 },
    Slti { rd: Reg, rs1: Reg, imm: u32 },
    Sltiu { rd: Reg, rs1: Reg, imm: u32 },
    Xori { rd: Reg, rs1: Reg, imm: u32 },
    Ori { rd: Reg, rs1: Reg, imm: u32 },
    Andi { rd: Reg, rs1: Reg, imm: u32 },
    Slli { rd: Reg, rs1: Reg, imm: u32 },
    Srli { rd: Reg, rs1: Reg, imm: u32 },
    Srai { rd: Reg, rs1: Reg, imm: u32 },

    Add { rd: Reg, rs1: Reg, rs2: Reg },
    Sub { rd: Reg, rs1: Reg, rs2: Reg },
    Sll { rd: Reg, rs1: Reg, rs2: Reg },
    Slt { rd: Reg, rs1: Reg, rs2: Reg },
    Sltu { rd: Reg, rs1: Reg, rs2: Reg },
    Xor { rd: Reg, rs1: Reg, rs2: Reg },
    Srl { rd: Reg, rs1: Reg, rs2: Reg },
    Sra { rd: Reg, rs1: Reg, rs2: Reg },
    Or { rd: Reg, rs1: Reg, rs2: Reg },
    And { rd: Reg, rs1: Reg, rs2: Reg },
    Mul { rd: Reg, rs1: Reg, rs2: Reg },
    Mulh { rd: Reg, rs1: Reg, rs2: Reg },
    Mulhsu { rd: Reg, rs1: Reg, rs2: Reg },
    Mulhu { rd: Reg, rs1: Reg, rs2: Reg },
    Div { rd: Reg, rs1: Reg, rs2: Reg },
    Divu { rd: Reg, rs1: Reg, rs2: Reg },
    Rem { rd: Reg, rs1: Reg, rs2: Reg },
    Remu { rd: Reg, rs1: Reg, rs2: Reg },

    Lb { rd: Reg, rs1: Reg, imm: u32 },
    Lbu { rd: Reg, rs1: Reg, imm: u32 },
    Lh { rd: Reg, rs1: Reg, imm: u32 },
    Lhu { rd: Reg, rs1: Reg, imm: u32 },
    Lw { rd: Reg, rs1: Reg, imm: u32 },
    /// A load into `x0`: only its side effect or its fault matters.
    LoadX0 { size: u8, rs1: Reg, imm: u32 },
    Sb { rs1: Reg, rs2: Reg, imm: u32 },
    Sh { rs1: Reg, rs2: Reg, imm: u32 },
    Sw { rs1: Reg, rs2: Reg, imm: u32 },

    Beq { rs1: Reg, rs2: Reg, target: u32 },
    Bne { rs1: Reg, rs2: Reg, target: u32 },
    Blt { rs1: Reg, rs2: Reg, target: u32 },
    Bge { rs1: Reg, rs2: Reg, target: u32 },
    Bltu { rs1: Reg, rs2: Reg, target: u32 },
    Bgeu { rs1: Reg, rs2: Reg, target: u32 },

    // From here on every op ends its block.
    /// `jal` with a link; `len` is the length of the instruction in bytes.
    Jal { rd: Reg, len: u8, target: u32 },
    /// A jump without a link: `jal x0`.
    J { target: u32 },
    /// `jalr` with a link; `len` is the length of the instruction in bytes.
    Jalr { rd: Reg, rs1: Reg, len: u8, imm: u32 },
    /// A jump to a register without a link: `jalr x0`.
    Jr { rs1: Reg, imm: u32 },
    /// Not an instruction: the block ends here and execution continues at `target`.
    Fall { target: u32 },
    /// Not an instruction: the address is hooked, the run ends here.
    Hook,
    Csr { change: CsrChange, rd: Reg, source: CsrSource, csr: u16 },
    Ecall,
    Ebreak,
    Mret,
    Wfi,
    FenceI,
    /// Not a valid encoding; `raw` is the value for `mtval`.
    Illegal { raw: u32 },
    /// Fetching code at `addr`, a part of this instruction, failed.
    FetchFault { addr: u32 },
}

impl Op {
    /// True if no op may follow this one in its block.
    #[rustfmt::skip]
    pub(crate) fn ends_block(self) -> bool {
        matches!(
            self,
            Op::Jal { .. } | Op::J { .. } | Op::Jalr { .. } | Op::Jr { .. } | Op::Fall { .. } | Op::Hook
                | Op::Csr { .. } | Op::Ecall | Op::Ebreak | Op::Mret | Op::Wfi | Op::FenceI
                | Op::Illegal { .. } | Op::FetchFault { .. }
        )
    }
}

const _: () = assert!(
    size_of::<Op>() == 8,
    "an op is two words: the executor streams through them"
);
