//! Tests that a program ends in the same state when it is run in one piece and in small steps.

use proptest::prelude::*;
use rv32::{Exception, Exit, Hart, HartConfig, UnknownCsr};

use crate::asm::*;
use crate::programs;
use crate::ram::Ram;

/// All visible state of a hart.
#[derive(Debug, PartialEq)]
struct State {
    regs: [u32; 32],
    pc: u32,
    counts: (u64, u64),
    csrs: Vec<Option<u32>>,
    exceptions: Vec<Exception>,
    unknown: Vec<UnknownCsr>,
}

fn state(hart: &mut Hart) -> State {
    State {
        regs: hart.regs,
        pc: hart.pc,
        counts: (hart.cycle, hart.instret()),
        csrs: [0x300, 0x304, 0x305, 0x340, 0x341, 0x342, 0x343, 0x3a0, 0x3b0]
            .map(|n| hart.csr(n))
            .to_vec(),
        exceptions: hart.take_exceptions().records,
        unknown: hart.take_unknown_csrs().records,
    }
}

/// Runs until `end` in steps of `step` cycles, with a skip at every `wfi`, and drops code that was changed.
fn run(bus: &Ram, regs: &[u32; 32], end: u64, step: u64) -> (State, Ram) {
    let mut bus = bus.clone();
    let mut hart = Hart::new(HartConfig::default());
    hart.regs = *regs;
    hart.set_csr(0x305, 0x40);
    while hart.cycle < end {
        let limit = (hart.cycle + step).min(end);
        match hart.run(&mut bus, limit) {
            Exit::Limit => assert_eq!(hart.cycle, limit),
            Exit::Break => hart.forget_code(),
            Exit::Wfi => hart.skip_to((hart.cycle + 7).min(end)),
            // Nothing changes any more, however it is cut.
            Exit::TrapLoop => hart.skip_to(end),
            Exit::Hook => unreachable!("no hooks here"),
        }
    }
    bus.fetched = 0;
    (state(&mut hart), bus)
}

fn agree(bus: &Ram, regs: &[u32; 32], end: u64) {
    let whole = run(bus, regs, end, u64::MAX >> 1);
    for step in [1, 2, 3, 7, 50] {
        let parts = run(bus, regs, end, step);
        assert_eq!(parts.0, whole.0, "in steps of {step}");
        assert!(parts.1 == whole.1, "memory differs in steps of {step}");
    }
}

#[test]
fn the_benchmark_programs_run_alike_in_any_steps() {
    for code in [programs::crc32(), programs::sieve(), programs::matrix()] {
        let mut bus = Ram::new(0x1_0000);
        bus.load(0, &code);
        for i in 0..0x800 {
            bus.bytes[0x4000 + i] = (i * 37) as u8;
        }
        agree(&bus, &[0; 32], 20_000);
    }
}

/// An instruction with a probable effect: short jumps, addresses near the start of memory.
fn instruction() -> impl Strategy<Value = u32> {
    let reg = 0..16_u32;
    let register = (
        0..8_u32,
        reg.clone(),
        reg.clone(),
        reg.clone(),
        prop::sample::select(vec![0, 1, 0x20]),
    )
        .prop_map(|(f3, rd, a, b, f7)| r(f7, f3, rd, a, b));
    let immediate = (0..8_u32, reg.clone(), reg.clone(), -2048..2048_i32)
        .prop_map(|(f3, rd, a, imm)| i(0x13, f3, rd, a, if f3 & 3 == 1 { imm & 0x41f } else { imm }));
    let load = (0..6_u32, reg.clone(), reg.clone(), 0..2048_i32)
        .prop_map(|(f3, rd, a, imm)| i(0x03, f3, rd, a, imm));
    let store =
        (0..3_u32, reg.clone(), reg.clone(), 0..2048_i32).prop_map(|(f3, a, b, imm)| s(f3, a, b, imm));
    let low_load = (0..6_u32, reg.clone(), 0..512_i32).prop_map(|(f3, rd, at)| i(0x03, f3, rd, 0, 4 * at));
    let low_store = (0..3_u32, reg.clone(), 0..512_i32).prop_map(|(f3, a, at)| s(f3, a, 0, 4 * at));
    let branch =
        (0..8_u32, reg.clone(), reg.clone(), -20..20_i32).prop_map(|(f3, x, y, to)| b(f3, x, y, 2 * to));
    let jump = (reg.clone(), -20..20_i32).prop_map(|(rd, to)| jal(rd, 2 * to));
    let indirect = (reg.clone(), reg.clone(), 0..256_i32).prop_map(|(rd, a, imm)| jalr(rd, a, imm));
    let csrs = vec![
        0x300, 0x304, 0x340, 0x341, 0x342, 0x343, 0x3a0, 0x3b0, 0xb00, 0xb02, 0xc00, 0xf14, 0x7e2, 0x5c0,
    ];
    let csr = (1..8_u32, reg.clone(), reg.clone(), prop::sample::select(csrs))
        .prop_map(|(f3, rd, a, n)| n << 20 | a << 15 | f3 << 12 | rd << 7 | 0x73);
    let system = prop::sample::select(vec![ECALL, EBREAK, MRET, WFI, FENCE, FENCE_I]);
    prop_oneof![
        4 => register,
        4 => immediate,
        1 => load,
        1 => store,
        3 => low_load,
        2 => low_store,
        3 => branch,
        1 => jump,
        1 => indirect,
        1 => csr,
        1 => system,
        1 => any::<u32>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_run_alike_in_any_steps(
        code in prop::collection::vec(instruction(), 100..400),
        halves in prop::collection::vec((0..800_usize, any::<u16>()), 0..60),
        seeds in prop::array::uniform32(prop_oneof![0..0x800_u32, any::<u32>()]),
    ) {
        let mut asm = Asm::new();
        asm.ops(&code);
        let mut bus = Ram::new(0x1000);
        bus.load(0, &asm.bytes());
        // Compressed code, and 32-bit code at odd halves, come from random 16-bit pieces.
        for (at, half) in halves {
            bus.load(2 * at as u32, &half.to_le_bytes());
        }
        let mut regs = seeds;
        regs[0] = 0;
        agree(&bus, &regs, 700);
    }
}
