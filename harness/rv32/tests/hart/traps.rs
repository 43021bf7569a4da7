//! Tests of exceptions, interrupts, privilege and CSRs.

use rv32::{
    AccessFault, Bus, Exception, Exit, Flow, Hart, HartConfig, OnException, Privilege, TrapVector, UnknownCsr,
};

use crate::asm::*;
use crate::ram::{Ram, VENDOR_CSR};

const MSTATUS: u16 = 0x300;
const MTVEC: u16 = 0x305;
const MEPC: u16 = 0x341;
const MCAUSE: u16 = 0x342;
const MTVAL: u16 = 0x343;

/// Code at 0, and a handler at 0x100 that waits.
fn machine(code: &[u32]) -> (Hart, Ram) {
    let mut asm = Asm::new();
    asm.ops(code).op(WFI);
    let mut bus = Ram::new(0x400);
    bus.load(0, &asm.bytes());
    bus.load(0x100, &WFI.to_le_bytes());
    let mut hart = Hart::new(HartConfig::default());
    hart.set_csr(MTVEC, 0x100);
    (hart, bus)
}

#[test]
fn each_exception_has_its_cause_and_value() {
    for (code, cause, tval) in [
        (0x0000_0000, 2, 0),
        (0xffff_ffff, 2, 0xffff_ffff),
        (EBREAK, 3, 4),
        (ECALL, 11, 0),
        (lw(A0, ZERO, -4), 5, 0xffff_fffc),
        (sw(A0, ZERO, -4), 7, 0xffff_fffc),
        (lw(A0, ZERO, 2), 4, 2),
        (sh(A0, ZERO, 5), 6, 5),
        (lw(ZERO, ZERO, -4), 5, 0xffff_fffc),
        (csrrw(A0, 0xf14, A0), 2, csrrw(A0, 0xf14, A0)),
        (csrrsi(A0, 0xc00, 1), 2, csrrsi(A0, 0xc00, 1)),
        (csrrs(A0, 0x5c0, ZERO), 2, csrrs(A0, 0x5c0, ZERO)),
    ] {
        let (mut hart, mut bus) = machine(&[addi(T0, ZERO, 1), code]);
        hart.set_csr(MSTATUS, 8);
        assert_eq!(hart.run(&mut bus, 100), Exit::Wfi, "{code:08x}");
        let log = hart.take_exceptions();
        assert_eq!(
            log.records,
            [Exception {
                cause,
                pc: 4,
                tval,
                cycle: 1
            }],
            "{code:08x}"
        );
        assert_eq!(
            [MEPC, MCAUSE, MTVAL].map(|n| hart.csr(n)),
            [Some(4), Some(cause), Some(tval)]
        );
        assert_eq!(
            hart.csr(MSTATUS),
            Some(0x1880),
            "MIE moved to MPIE, MPP is machine mode"
        );
        // addi, the exception, wfi; two of them retired.
        assert_eq!((hart.pc, hart.cycle, hart.instret()), (0x104, 3, 2));
    }
}

#[test]
fn a_jump_to_nowhere_faults_at_its_target() {
    let (mut hart, mut bus) = machine(&[lui(T0, 0x80000), jalr(ZERO, T0, 0)]);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    let fault = Exception {
        cause: 1,
        pc: 0x8000_0000,
        tval: 0x8000_0000,
        cycle: 2,
    };
    assert_eq!(hart.take_exceptions().records, [fault]);
}

#[test]
fn an_instruction_that_straddles_the_end_faults_at_its_second_half() {
    let (mut hart, mut bus) = machine(&[]);
    bus.bytes[0x3fe] = 0x13;
    hart.pc = 0x3fe;
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(
        hart.take_exceptions().records,
        [Exception {
            cause: 1,
            pc: 0x3fe,
            tval: 0x400,
            cycle: 0
        }]
    );
}

#[test]
fn a_handler_that_faults_is_a_loop_of_traps_that_time_goes_past() {
    let (mut hart, mut bus) = machine(&[0]);
    hart.set_csr(MTVEC, 0x8000_0000);
    assert_eq!(hart.run(&mut bus, 1000), Exit::TrapLoop);
    assert_eq!(hart.instret(), 0);
    let found = hart.trap_loop().expect("it is in a loop of traps");
    assert_eq!((found.first.pc, found.first.cause), (0, 2));
    assert_eq!((found.repeated.pc, found.repeated.cause), (0x8000_0000, 1));
    // The repetitions are not recorded: the log does not grow while the loop goes on.
    assert_eq!(hart.take_exceptions().records.len(), 2);
    hart.skip_to(1000);
    assert_eq!(hart.run(&mut bus, 2000), Exit::TrapLoop);
    assert!((1000..2000).contains(&hart.cycle), "{}", hart.cycle);
    assert!(hart.take_exceptions().is_empty());
}

/// A bus whose decision about exceptions the test sets.
struct Deciding {
    ram: Ram,
    then: OnException,
    asked: Vec<(u32, u32, u32)>,
    /// Value of the word at 0xffff_fffc, once it exists.
    late: Option<u32>,
}

impl Bus for Deciding {
    fn read(&mut self, addr: u32, size: u32, cycle: u64) -> Result<u32, AccessFault> {
        if addr == 0xffff_fffc {
            self.late.ok_or(AccessFault)
        } else {
            self.ram.read(addr, size, cycle)
        }
    }

    fn write(&mut self, addr: u32, value: u32, size: u32, cycle: u64) -> Result<Flow, AccessFault> {
        self.ram.write(addr, value, size, cycle)
    }

    fn fetch(&mut self, addr: u32) -> Result<u16, AccessFault> {
        self.ram.fetch(addr)
    }

    fn is_hook(&self, _addr: u32) -> bool {
        false
    }

    fn on_exception(&mut self, cause: u32, pc: u32, tval: u32) -> OnException {
        self.asked.push((cause, pc, tval));
        self.late = Some(99);
        self.then
    }
}

#[test]
fn the_bus_decides_what_becomes_of_an_exception() {
    for (then, exit, cycle, pc, a0, taken) in [
        (OnException::Take, Exit::Wfi, 3, 0x104, 1, 1),
        (OnException::TakeAndBreak, Exit::Break, 2, 0x100, 1, 1),
        (OnException::Retry, Exit::Wfi, 3, 12, 99, 0),
    ] {
        let (mut hart, ram) = machine(&[addi(A0, ZERO, 1), lw(A0, ZERO, -4)]);
        let mut bus = Deciding {
            ram,
            then,
            asked: Vec::new(),
            late: None,
        };
        assert_eq!(hart.run(&mut bus, 100), exit, "{then:?}");
        assert_eq!(bus.asked, [(5, 4, 0xffff_fffc)]);
        assert_eq!(
            (hart.cycle, hart.pc, hart.regs[A0 as usize]),
            (cycle, pc, a0),
            "{then:?}"
        );
        assert_eq!(hart.take_exceptions().records.len(), taken);
    }
}

#[test]
fn an_interrupt_goes_to_its_vector_and_mret_comes_back() {
    let mut asm = Asm::new();
    asm.label("loop").op(addi(A0, A0, 1)).jal(ZERO, "loop");
    let mut bus = Ram::new(0x400);
    bus.load(0, &asm.bytes());
    bus.load(0x100 + 4 * 7, &jal(ZERO, 0x200 - 0x11c).to_le_bytes());
    for (i, word) in [addi(A1, A1, 1), MRET].into_iter().enumerate() {
        bus.load(0x200 + 4 * i as u32, &word.to_le_bytes());
    }
    let mut hart = Hart::new(HartConfig {
        trap_vector: TrapVector::Vectored,
        ..HartConfig::default()
    });
    hart.set_csr(MTVEC, 0x1ff);
    assert_eq!(hart.csr(MTVEC), Some(0x101));
    hart.set_interrupt(Some(7));
    assert_eq!(hart.run(&mut bus, 10), Exit::Limit);
    assert_eq!(
        hart.regs[A0 as usize..=A1 as usize],
        [5, 0],
        "MIE is clear: nothing happens"
    );

    hart.set_csr(MSTATUS, 8);
    assert_eq!(hart.run(&mut bus, 12), Exit::Limit);
    assert_eq!(
        (hart.pc, hart.csr(MCAUSE), hart.csr(MEPC)),
        (0x204, Some(0x8000_0007), Some(0))
    );
    assert_eq!(hart.csr(MSTATUS), Some(0x1880));
    hart.set_interrupt(None);
    assert_eq!(hart.run(&mut bus, 15), Exit::Limit);
    assert_eq!((hart.pc, hart.csr(MSTATUS)), (0, Some(0x88)));
    assert_eq!(hart.regs[A0 as usize..=A1 as usize], [6, 1]);
    assert!(hart.take_exceptions().is_empty(), "interrupts are not recorded");
}

#[test]
fn a_level_that_stays_is_taken_again_after_mret() {
    let (mut hart, mut bus) = machine(&[jal(ZERO, 0)]);
    bus.load(0x100, &MRET.to_le_bytes());
    hart.set_csr(MSTATUS, 8);
    hart.set_interrupt(Some(1));
    assert_eq!(hart.run(&mut bus, 9), Exit::Limit);
    assert_eq!(
        (hart.pc, hart.csr(MEPC)),
        (0, Some(0)),
        "nine times mret, and never the loop"
    );
    assert_eq!(hart.csr(MCAUSE), Some(0x8000_0001));
}

#[test]
fn a_csr_write_that_enables_interrupts_lets_one_in_at_once() {
    let (mut hart, mut bus) = machine(&[csrrsi(ZERO, 0x300, 8), addi(A0, ZERO, 1)]);
    hart.set_interrupt(Some(3));
    assert_eq!(hart.run(&mut bus, 1), Exit::Limit);
    assert_eq!(hart.pc, 4);
    // Two cycles later, the handler's wfi has retired; a pending interrupt ends its wait.
    bus.load(0x100, &addi(A1, ZERO, 2).to_le_bytes());
    assert_eq!(hart.run(&mut bus, 2), Exit::Limit);
    assert_eq!(
        (
            hart.pc,
            hart.csr(MEPC),
            hart.regs[A0 as usize],
            hart.regs[A1 as usize]
        ),
        (0x104, Some(4), 0, 2)
    );
}

#[test]
fn user_mode_may_not_touch_machine_mode() {
    for (code, cause) in [
        (ECALL, 8),
        (csrrs(A0, 0x300, ZERO), 2),
        (MRET, 2),
        (csrrs(A0, 0xc00, ZERO), 2),
        (WFI, 2),
    ] {
        let (mut hart, mut bus) = machine(&[MRET]);
        bus.load(0x40, &code.to_le_bytes());
        hart.set_csr(MEPC, 0x41);
        hart.set_csr(MSTATUS, 1 << 21);
        assert_eq!(hart.run(&mut bus, 1), Exit::Limit);
        assert_eq!((hart.privilege(), hart.pc), (Privilege::User, 0x40));
        assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
        assert_eq!(
            (hart.privilege(), hart.csr(MCAUSE)),
            (Privilege::Machine, Some(cause)),
            "{code:08x}"
        );
        assert_eq!(hart.csr(MSTATUS), Some(1 << 21), "MPP is user mode");
    }
}

#[test]
fn interrupts_are_always_enabled_in_user_mode() {
    let (mut hart, mut bus) = machine(&[MRET]);
    hart.set_interrupt(Some(31));
    assert_eq!(hart.run(&mut bus, 1), Exit::Limit);
    assert!(hart.interrupts_enabled());
    assert_eq!(hart.run(&mut bus, 2), Exit::Limit);
    assert_eq!(
        (hart.csr(MCAUSE), hart.privilege()),
        (Some(0x8000_001f), Privilege::Machine)
    );
}

#[test]
fn csr_instructions_read_before_they_write() {
    let (mut hart, mut bus) = machine(&[
        csrrwi(A0, 0x340, 0x15),
        csrrsi(A1, 0x340, 0x0a),
        csrrci(A2, 0x340, 0x03),
        csrrw(A3, 0x340, A0),
        csrrs(A4, 0x340, A2),
        csrrc(A5, 0x340, A1),
        csrrs(A6, 0x340, ZERO),
    ]);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(
        hart.regs[A0 as usize..=A6 as usize],
        [0, 0x15, 0x1f, 0x1c, 0, 0x1f, 0x0a]
    );
}

#[test]
fn a_csr_that_only_the_bus_has_goes_there() {
    let csr = u32::from(VENDOR_CSR);
    let (mut hart, mut bus) = machine(&[csrrs(A0, csr, ZERO), csrrwi(ZERO, csr, 20), csrrs(A1, csr, ZERO)]);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize..=A1 as usize], [0, 21]);
    assert!(hart.take_unknown_csrs().is_empty());
}

#[test]
fn an_unknown_csr_is_listed_and_illegal() {
    let (mut hart, mut bus) = machine(&[csrrs(A0, 0x5c0, ZERO)]);
    assert_eq!(hart.run(&mut bus, 100), Exit::Wfi);
    assert_eq!(
        hart.take_unknown_csrs().records,
        [UnknownCsr { csr: 0x5c0, pc: 0 }]
    );
    assert_eq!(hart.csr(0x5c0), None);
    assert!(!hart.set_csr(0x5c0, 1));
}

#[test]
fn what_the_configuration_leaves_out_is_unknown() {
    let config = HartConfig {
        has_mie: false,
        has_counters: false,
        triggers: 0,
        ..HartConfig::default()
    };
    let hart = Hart::new(config);
    for csr in [0x304, 0x344, 0xb00, 0xb02, 0xc00, 0x7a0, 0x7a1, 0x7a5] {
        assert_eq!(hart.csr(csr), None, "{csr:x}");
        assert!(Hart::new(HartConfig::default()).csr(csr).is_some(), "{csr:x}");
    }
}

#[test]
fn pmp_and_triggers_are_storage() {
    let mut hart = Hart::new(HartConfig::default());
    hart.set_csr(0x3a1, 0x1f88_0f07);
    hart.set_csr(0x3b6, 0x1234_5678);
    hart.set_csr(0x3b5, 55);
    assert_eq!(
        [0x3a1, 0x3b6, 0x3b5].map(|n| hart.csr(n)),
        [Some(0x1f88_0f07), Some(0), Some(0)],
        "entry 6 is locked"
    );
    hart.set_csr(0x3a1, 0);
    assert_eq!(hart.csr(0x3a1), Some(0x0088_0000));
    // The triggers are independent; a selection that does not exist is ignored.
    hart.set_csr(0x7a0, 1);
    hart.set_csr(0x7a1, 0x0800_0044);
    hart.set_csr(0x7a2, 0x3fc8_0000);
    hart.set_csr(0x7a0, 8);
    assert_eq!(
        [0x7a0, 0x7a1, 0x7a2].map(|n| hart.csr(n)),
        [Some(1), Some(0x2800_0044), Some(0x3fc8_0000)]
    );
    hart.set_csr(0x7a0, 0);
    assert_eq!([0x7a1, 0x7a2].map(|n| hart.csr(n)), [Some(0x2000_0000), Some(0)]);
}

#[test]
fn counters_count_and_can_be_set() {
    let code = [
        csrrs(A0, 0xc02, ZERO),
        csrrwi(ZERO, 0xb02, 0),
        csrrs(A1, 0xb02, ZERO),
        csrrs(A2, 0xc00, ZERO),
    ];
    let (mut hart, mut bus) = machine(&code);
    hart.skip_to(1000);
    hart.skip_to(10);
    assert_eq!(hart.run(&mut bus, 2000), Exit::Wfi);
    assert_eq!(hart.regs[A0 as usize..=A2 as usize], [0, 0, 1003]);
    assert_eq!((hart.cycle, hart.instret()), (1005, 5));
}

#[test]
fn reset_forgets_everything_but_time() {
    let (mut hart, mut bus) = machine(&[addi(A0, ZERO, 1), 0]);
    assert_eq!(hart.run(&mut bus, 50), Exit::Wfi);
    hart.set_interrupt(Some(1));
    hart.reset();
    assert_eq!(
        (hart.pc, hart.regs, hart.csr(MTVEC), hart.cycle),
        (0, [0; 32], Some(0), 3)
    );
    assert_eq!(hart.take_exceptions().records.len(), 1);
}
