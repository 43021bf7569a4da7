//! Tests that skipping of polling loops does not change the result of a run.

use proptest::prelude::*;
use rv32::{Exit, Hart, HartConfig};

use crate::asm::*;
use crate::programs::blinker;
use crate::timer::{LIVE, OP, TimerBus};

struct Run {
    hart: Hart,
    bus: TimerBus,
}

impl Run {
    fn new(bus: &TimerBus, skip: bool) -> Run {
        let mut hart = Hart::new(HartConfig::default());
        hart.set_skip_polling(skip);
        hart.set_csr(0x305, 0x800);
        Run {
            hart,
            bus: bus.clone(),
        }
    }

    fn to(&mut self, limit: u64) {
        assert_eq!(self.hart.run(&mut self.bus, limit), Exit::Limit);
        assert_eq!(self.hart.cycle, limit);
    }

    fn state(&mut self) -> ([u32; 32], u32, u64, u64, TimerBus) {
        let mut bus = self.bus.clone();
        bus.ram.fetched = 0;
        (
            self.hart.regs,
            self.hart.pc,
            self.hart.cycle,
            self.hart.instret(),
            bus,
        )
    }
}

/// Runs `bus` with and without skipping to each of `limits`. Returns the number of skipped iterations.
fn compare(bus: &TimerBus, limits: &[u64]) -> u64 {
    let (mut plain, mut skipping) = (Run::new(bus, false), Run::new(bus, true));
    for &limit in limits {
        plain.to(limit);
        skipping.to(limit);
        assert_eq!(skipping.state(), plain.state(), "at cycle {limit}");
    }
    assert_eq!(plain.hart.skipped_iterations(), 0);
    skipping.hart.skipped_iterations()
}

#[test]
fn a_delay_is_skipped_and_ends_in_the_same_cycle() {
    for outlined in [false, true] {
        let bus = TimerBus::new(&blinker(5000, outlined), 0x1234_5678);
        let skipped = compare(&bus, &[100_000, 799_000, 800_500, 801_000, 3_000_000, 3_000_001]);
        assert!(
            skipped > 60_000,
            "{skipped} of about 70,000 iterations were skipped"
        );
    }
}

#[test]
fn a_delay_over_the_wrap_of_the_low_half_ends_in_the_same_cycle() {
    for outlined in [false, true] {
        for start in [0xffff_ffff_u64, 0xffff_0000, 0xf_ffff_0000, (1 << 52) - 20_000] {
            let bus = TimerBus::new(&blinker(9000, outlined), start);
            let limits: Vec<u64> = (1..40).map(|i| i * 71_993).collect();
            assert!(compare(&bus, &limits) > 10_000);
        }
    }
}

#[test]
fn an_hour_of_waiting_is_cheap() {
    // 160 MHz for 3600 s, one delay a second; the timer counts 16 a microsecond.
    let bus = TimerBus::new(&blinker(1_000_000, true), 0);
    let mut run = Run::new(&bus, true);
    run.to(160_000_000 * 3600);
    assert_eq!(run.bus.ram.word(0x700), 3599);
    assert_eq!(run.hart.instret(), 160_000_000 * 3600);
}

#[test]
fn waiting_for_an_interrupt_that_never_comes_is_skipped() {
    // A flag in memory, and a jump to itself.
    for code in [
        &[lw(A0, ZERO, 0x700), b(BEQ, A0, ZERO, -4), WFI][..],
        &[jal(ZERO, 0)],
    ] {
        let mut asm = Asm::new();
        asm.ops(code);
        let bus = TimerBus::new(&asm.bytes(), 0);
        assert!(compare(&bus, &[1_000_000, 1_000_003]) > 400_000);
        let mut run = Run::new(&bus, true);
        run.to(u64::MAX / 2);
    }
}

#[test]
fn a_clock_that_runs_while_it_is_read_is_understood() {
    // Waits until the live count passes 50,000, with the last value kept in a register that the end uses.
    let mut asm = Asm::new();
    asm.li(A5, LIVE).li(A1, 50_000);
    asm.label("loop")
        .ops(&[lw(A0, A5, 0), addi(A2, A0, 7)])
        .branch(BLTU, A0, A1, "loop");
    asm.ops(&[sw(A2, ZERO, 0x700), addi(A3, ZERO, 1)])
        .label("end")
        .jal(ZERO, "end");
    let bus = TimerBus::new(&asm.bytes(), 0);
    assert!(compare(&bus, &[499_990, 500_000, 500_003, 500_010, 900_000]) > 100_000);
}

#[test]
fn loops_that_do_something_are_not_skipped() {
    let count_in_register = vec![addi(A0, A0, 1), jal(ZERO, -4)];
    let count_in_memory = vec![
        lw(A0, ZERO, 0x700),
        addi(A0, A0, 1),
        sw(A0, ZERO, 0x700),
        jal(ZERO, -12),
    ];
    let count_bytes = vec![
        lbu(A0, ZERO, 0x701),
        addi(A0, A0, 1),
        sb(A0, ZERO, 0x701),
        jal(ZERO, -12),
    ];
    // A value read from the clock in one iteration is used in the next one.
    let remembers = vec![
        lui(A5, 0xf0001),
        lw(A1, A5, 0xc),
        add(A2, A2, A0),
        addi(A0, A1, 0),
        jal(ZERO, -12),
    ];
    let walks = vec![
        addi(A1, A1, 4),
        andi(A1, A1, 0x3fc),
        lw(A0, A1, 0x400),
        jal(ZERO, -12),
    ];
    for code in [count_in_register, count_in_memory, count_bytes, remembers, walks] {
        let mut asm = Asm::new();
        asm.ops(&code);
        assert_eq!(
            compare(&TimerBus::new(&asm.bytes(), 0), &[100_000, 1_000_000]),
            0,
            "{code:x?}"
        );
    }
}

#[test]
fn a_loop_that_reads_before_it_latches_is_turned_round() {
    let mut asm = Asm::new();
    asm.li(A5, OP).li(A1, 0x4000_0000);
    asm.ops(&[lw(A0, A5, 4), sw(A1, A5, 0), jal(ZERO, -8)]);
    let skipped = compare(&TimerBus::new(&asm.bytes(), 0), &[100_000, 1_000_000, 1_000_001]);
    // If the iteration begins at its write, no value read from the clock reaches the next one.
    assert!(skipped > 300_000, "{skipped}");
}

#[test]
fn a_loop_whose_code_changed_is_looked_at_anew() {
    // Waits for a flag; then the code is changed so that the loop counts.
    let mut asm = Asm::new();
    asm.ops(&[lw(A0, ZERO, 0x700), addi(ZERO, ZERO, 0), b(BEQ, A0, ZERO, -8)]);
    let mut run = Run::new(&TimerBus::new(&asm.bytes(), 0), true);
    run.to(300_000);
    let skipped = run.hart.skipped_iterations();
    assert!(skipped > 90_000);
    run.bus.ram.load(4, &addi(A1, A1, 1).to_le_bytes());
    run.hart.forget_code_at(4, 4);
    run.to(600_000);
    assert_eq!(
        (run.hart.regs[A1 as usize], run.hart.skipped_iterations()),
        (100_000, skipped)
    );
}

#[test]
fn a_hook_in_a_polling_loop_is_reached_each_time() {
    let mut asm = Asm::new();
    asm.ops(&[lw(A0, ZERO, 0x700), addi(A1, ZERO, 1), jal(ZERO, -8)]);
    let mut bus = TimerBus::new(&asm.bytes(), 0);
    bus.ram.hooks.insert(4);
    let mut hart = Hart::new(HartConfig::default());
    for _ in 0..2000 {
        assert_eq!(hart.run(&mut bus, 1_000_000), Exit::Hook);
        assert_eq!(hart.run_one_ignoring_hook(&mut bus), None);
    }
    assert_eq!((hart.cycle, hart.skipped_iterations()), (5999, 0));
}

/// An instruction of a loop that may or may not be a polling loop.
fn body() -> impl Strategy<Value = u32> {
    let reg = || 8..16_u32;
    prop_oneof![
        4 => (reg(), prop::sample::select(vec![0, 4, 8, 12])).prop_map(|(rd, at)| lw(rd, T0, at)),
        2 => Just(sw(T1, T0, 0)),
        2 => (0..3_u32, reg(), 0..4_i32).prop_map(|(f3, rs, at)| s(f3, rs, ZERO, 0x700 + 4 * at)),
        2 => (prop::sample::select(vec![0, 1, 2, 4, 5]), reg(), 0..4_i32)
            .prop_map(|(f3, rd, at)| i(0x03, f3, rd, ZERO, 0x700 + 4 * at)),
        3 => (0..8_u32, reg(), reg(), reg()).prop_map(|(f3, rd, a, b)| r(0, f3, rd, a, b)),
        1 => (0..8_u32, reg(), reg(), reg()).prop_map(|(f3, rd, a, b)| r(1, f3, rd, a, b)),
        1 => (reg(), reg(), reg()).prop_map(|(rd, a, b)| sub(rd, a, b)),
        3 => (prop::sample::select(vec![0, 2, 3, 4, 6, 7]), reg(), reg(), -2048..2048_i32)
            .prop_map(|(f3, rd, a, imm)| i(0x13, f3, rd, a, imm)),
        2 => (prop::sample::select(vec![1, 5]), reg(), reg(), 0..32_i32).prop_map(|(f3, rd, a, n)| i(0x13, f3, rd, a, n)),
        1 => (reg(), reg(), 0..32_i32).prop_map(|(rd, a, n)| srai(rd, a, n)),
        1 => (reg(), any::<u32>()).prop_map(|(rd, value)| lui(rd, value >> 12)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_delays_end_in_the_same_cycle(
        micros in 1..4000_u32,
        start in prop_oneof![any::<u32>().prop_map(u64::from), 0xfff0_0000..0x1_0010_0000_u64],
        outlined in any::<bool>(),
        gaps in prop::collection::vec(1..400_000_u64, 1..12),
    ) {
        let limits: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        compare(&TimerBus::new(&blinker(micros, outlined), start), &limits);
    }

    #[test]
    fn random_loops_end_alike(
        code in prop::collection::vec(body(), 1..10),
        exit in (prop::sample::select(vec![BEQ, BNE, BLT, BGE, BLTU, BGEU]), 8..16_u32, 8..16_u32),
        seeds in prop::array::uniform8(prop_oneof![0..200_000_u32, any::<u32>()]),
        start in prop_oneof![any::<u32>().prop_map(u64::from), 0xffff_8000..0x1_0000_8000_u64, 0x7fff_8000..0x8000_8000_u64],
        gaps in prop::collection::vec(1..60_000_u64, 1..8),
    ) {
        let mut asm = Asm::new();
        asm.li(T0, OP).op(lui(T1, 0x40000));
        for (i, seed) in seeds.into_iter().enumerate() {
            asm.li(8 + i as u32, seed);
        }
        asm.label("loop").ops(&code).branch(exit.0, exit.1, exit.2, "end").jal(ZERO, "loop");
        asm.label("end").ops(&[sw(A0, ZERO, 0x710), addi(A0, A0, 1)]).jal(ZERO, "loop");
        let limits: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        compare(&TimerBus::new(&asm.bytes(), start), &limits);
    }
}
