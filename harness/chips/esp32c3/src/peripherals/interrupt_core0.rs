//! Interrupt matrix and controller (TRM chapter 8, "Interrupt Matrix"; chapter 1.6 "Interrupt Controller").
//!
//! 62 sources are mapped to CPU lines 1 to 31. A line is level or edge triggered, has a priority and an enable
//! bit. Of the enabled pending lines whose priority reaches the threshold, the one with the highest priority is
//! taken, at equal priority the one with the lowest number. `INTR_STATUS` shows the sources as they are,
//! enabled or not.

use crate::registers::{Register, RegisterFile, array, modelled, tagged};

/// Interrupt sources, as numbered in TRM table 8-1.
pub mod source {
    /// The WiFi MAC.
    pub const WIFI_MAC: u32 = 0;
    /// GPIO interrupt, maskable.
    pub const GPIO: u32 = 16;
    /// GPIO interrupt, not maskable.
    pub const GPIO_NMI: u32 = 17;
    /// SPI1, the flash controller.
    pub const SPI1: u32 = 18;
    /// Interrupt of UART0.
    pub const UART0: u32 = 21;
    /// Interrupt of UART1.
    pub const UART1: u32 = 22;
    /// The USB serial port.
    pub const USB_SERIAL_JTAG: u32 = 26;
    /// RTC_CNTL: watchdog, main timer.
    pub const RTC_CORE: u32 = 27;
    /// Timer of timer group 0.
    pub const TG0_T0: u32 = 32;
    /// Watchdog of timer group 0.
    pub const TG0_WDT: u32 = 33;
    /// Timer of timer group 1.
    pub const TG1_T0: u32 = 34;
    /// Watchdog of timer group 1.
    pub const TG1_WDT: u32 = 35;
    /// First of the system timer's three comparators.
    pub const SYSTIMER_TARGET0: u32 = 37;
    /// The analog-to-digital converter.
    pub const APB_ADC: u32 = 43;
    /// First of the four interrupts that software raises in SYSTEM.
    pub const FROM_CPU_INTR0: u32 = 50;
}

const SOURCES: usize = 62;
const LINES: usize = 32;

const INTR_STATUS_0: u32 = 0x0F8;
const INTR_STATUS_1: u32 = 0x0FC;
const CPU_INT_ENABLE: u32 = 0x104;
const CPU_INT_TYPE: u32 = 0x108;
const CPU_INT_CLEAR: u32 = 0x10C;
const CPU_INT_EIP_STATUS: u32 = 0x110;
const CPU_INT_PRI_0: u32 = 0x114;
const CPU_INT_THRESH: u32 = 0x194;

pub(crate) const REGISTERS: &[Register] = &[
    array(modelled(0x000, "INTR_MAP", 0, 0x1F), 62),
    modelled(INTR_STATUS_0, "INTR_STATUS_REG_0", 0, 0),
    modelled(INTR_STATUS_1, "INTR_STATUS_REG_1", 0, 0),
    tagged(0x100, "CLOCK_GATE", 1, 1),
    modelled(CPU_INT_ENABLE, "CPU_INT_ENABLE", 0, 0xFFFF_FFFF),
    modelled(CPU_INT_TYPE, "CPU_INT_TYPE", 0, 0xFFFF_FFFF),
    modelled(CPU_INT_CLEAR, "CPU_INT_CLEAR", 0, 0xFFFF_FFFF),
    modelled(CPU_INT_EIP_STATUS, "CPU_INT_EIP_STATUS", 0, 0),
    array(modelled(CPU_INT_PRI_0, "CPU_INT_PRI", 0, 0xF), 32),
    modelled(CPU_INT_THRESH, "CPU_INT_THRESH", 0, 0xF),
];

/// The interrupt matrix of the only core.
#[derive(Clone, Debug)]
pub(crate) struct InterruptCore0 {
    file: RegisterFile,
    /// Sources that are active, bit n is source n.
    sources: u64,
    /// Lines with an active source.
    inputs: u32,
    /// Edge-triggered lines that have seen a rising edge.
    edges: u32,
    /// The line that the CPU is to take.
    line: Option<u32>,
}

impl InterruptCore0 {
    pub(crate) fn new() -> InterruptCore0 {
        InterruptCore0 {
            file: RegisterFile::new(REGISTERS),
            sources: 0,
            inputs: 0,
            edges: 0,
            line: None,
        }
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            INTR_STATUS_0 => Some(self.sources as u32),
            INTR_STATUS_1 => Some((self.sources >> 32) as u32),
            CPU_INT_EIP_STATUS => Some(self.pending()),
            _ => self.file.read(offset),
        }
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> bool {
        if !self.file.write(offset, value) {
            return false;
        }
        if offset == CPU_INT_CLEAR {
            self.edges &= !value;
        }
        self.route();
        true
    }

    /// Takes the state of all sources, bit n is source n.
    #[inline]
    pub(crate) fn set_sources(&mut self, sources: u64) {
        if sources != self.sources {
            self.sources = sources;
            self.route();
        }
    }

    /// The line that the CPU is to take if it has interrupts enabled: `mcause` without its top bit.
    #[inline]
    pub(crate) fn line(&self) -> Option<u32> {
        self.line
    }

    fn route(&mut self) {
        let mut inputs = 0;
        let mut rest = self.sources;
        while rest != 0 {
            let source = rest.trailing_zeros();
            rest &= rest - 1;
            if (source as usize) < SOURCES {
                inputs |= 1 << self.file.get(4 * source);
            }
        }
        // Line 0 does not exist: sources mapped to it go nowhere.
        inputs &= !1;
        self.edges |= inputs & !self.inputs;
        self.edges &= self.file.get(CPU_INT_TYPE);
        self.inputs = inputs;
        self.line = self.choose();
    }

    fn pending(&self) -> u32 {
        let edge = self.file.get(CPU_INT_TYPE);
        (self.inputs & !edge | self.edges & edge) & self.file.get(CPU_INT_ENABLE)
    }

    fn choose(&self) -> Option<u32> {
        let pending = self.pending();
        let threshold = self.file.get(CPU_INT_THRESH);
        let mut best: Option<(u32, u32)> = None;
        for line in 1..LINES as u32 {
            if pending & 1 << line == 0 {
                continue;
            }
            let priority = self.file.get(CPU_INT_PRI_0 + 4 * line);
            if priority > 0 && priority >= threshold && best.is_none_or(|(p, _)| priority > p) {
                best = Some((priority, line));
            }
        }
        best.map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed() -> InterruptCore0 {
        let mut intc = InterruptCore0::new();
        assert!(intc.write(4 * source::UART0, 3));
        assert!(intc.write(4 * source::GPIO, 5));
        assert!(intc.write(CPU_INT_ENABLE, 1 << 3 | 1 << 5));
        assert!(intc.write(CPU_INT_PRI_0 + 4 * 3, 2));
        assert!(intc.write(CPU_INT_PRI_0 + 4 * 5, 7));
        intc
    }

    #[test]
    fn the_highest_priority_wins_and_the_lowest_number_breaks_a_tie() {
        let mut intc = routed();
        intc.set_sources(1 << source::UART0);
        assert_eq!(intc.line(), Some(3));
        intc.set_sources(1 << source::UART0 | 1 << source::GPIO);
        assert_eq!(intc.line(), Some(5));
        intc.write(CPU_INT_PRI_0 + 4 * 5, 2);
        assert_eq!(intc.line(), Some(3));
    }

    #[test]
    fn threshold_enable_and_priority_zero_mask() {
        let mut intc = routed();
        intc.set_sources(1 << source::UART0);
        intc.write(CPU_INT_THRESH, 2);
        assert_eq!(intc.line(), Some(3), "priority equal to the threshold passes");
        intc.write(CPU_INT_THRESH, 3);
        assert_eq!(intc.line(), None);
        intc.write(CPU_INT_THRESH, 0);
        intc.write(CPU_INT_PRI_0 + 4 * 3, 0);
        assert_eq!(intc.line(), None);
        intc.write(CPU_INT_PRI_0 + 4 * 3, 1);
        intc.write(CPU_INT_ENABLE, 0);
        assert_eq!(intc.line(), None);
    }

    #[test]
    fn status_shows_sources_even_when_nothing_is_enabled() {
        let mut intc = InterruptCore0::new();
        intc.set_sources(1 << source::UART0 | 1 << source::SYSTIMER_TARGET0);
        assert_eq!(intc.read(INTR_STATUS_0), Some(1 << 21));
        assert_eq!(intc.read(INTR_STATUS_1), Some(1 << 5));
        assert_eq!(intc.line(), None);
        intc.set_sources(0);
        assert_eq!(intc.read(INTR_STATUS_0), Some(0));
    }

    #[test]
    fn an_edge_is_kept_until_it_is_cleared() {
        let mut intc = routed();
        intc.write(CPU_INT_TYPE, 1 << 3);
        intc.set_sources(1 << source::UART0);
        intc.set_sources(0);
        assert_eq!(intc.line(), Some(3));
        assert_eq!(intc.read(CPU_INT_EIP_STATUS), Some(1 << 3));
        intc.write(CPU_INT_CLEAR, 1 << 3);
        assert_eq!(intc.line(), None);
    }

    #[test]
    fn sources_mapped_to_line_0_go_nowhere_and_the_gap_is_reserved() {
        let mut intc = InterruptCore0::new();
        intc.write(CPU_INT_ENABLE, 0xFFFF_FFFF);
        intc.write(CPU_INT_PRI_0, 15);
        intc.set_sources(1 << source::UART0);
        assert_eq!(intc.line(), None);
        assert!(!intc.write(0x198, 1));
        assert_eq!(intc.read(0x198), None);
    }
}
