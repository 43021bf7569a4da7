//! UART0 and UART1 (TRM chapter 26, "UART Controller").
//!
//! Bytes take time on the line: a byte written to the FIFO is sent when those before it have been sent, at
//! the configured rate, and is reported at the end of its stop bit. Hardware flow control, RS-485, IrDA,
//! automatic baud rate detection and AT-command detection are not modelled.

use std::collections::VecDeque;

use rv32::PollRead;

use crate::clock::{CPU_HZ, NEVER};
use crate::output::{Outbox, Output, Port};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::poll;
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, modelled, tagged};

const FIFO: u32 = 0x00;
const INT_RAW: u32 = 0x04;
const INT_ST: u32 = 0x08;
const INT_ENA: u32 = 0x0C;
const INT_CLR: u32 = 0x10;
const CLKDIV: u32 = 0x14;
const STATUS: u32 = 0x1C;
const CONF0: u32 = 0x20;
const CONF1: u32 = 0x24;
const MEM_CONF: u32 = 0x60;
const FSM_STATUS: u32 = 0x6C;
const CLK_CONF: u32 = 0x78;
const ID: u32 = 0x80;

const INT_RXFIFO_FULL: u32 = 1 << 0;
const INT_TXFIFO_EMPTY: u32 = 1 << 1;
const INT_RXFIFO_OVF: u32 = 1 << 4;
const INT_RXFIFO_TOUT: u32 = 1 << 8;
const INT_TX_DONE: u32 = 1 << 14;
const RXFIFO_RST: u32 = 1 << 17;
const TXFIFO_RST: u32 = 1 << 18;
const RX_TOUT_EN: u32 = 1 << 21;
const REG_UPDATE: u32 = 1 << 31;

/// Bytes in each FIFO (`MEM_CONF` can move memory between them; that is not modelled).
const FIFO_SIZE: usize = 128;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(FIFO, "FIFO", 0, 0),
    modelled(INT_RAW, "INT_RAW", 0x2, 0x000F_FFFF),
    modelled(INT_ST, "INT_ST", 0, 0),
    modelled(INT_ENA, "INT_ENA", 0, 0x000F_FFFF),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    modelled(CLKDIV, "CLKDIV", 0x2B6, 0x00F0_0FFF),
    tagged(0x18, "RX_FILT", 0x8, 0x1FF),
    modelled(STATUS, "STATUS", 0xE000_C000, 0),
    modelled(CONF0, "CONF0", 0x1000_001C, 0x1FFF_FFFF),
    modelled(CONF1, "CONF1", 0xC060, 0x003F_FFFF),
    tagged(0x28, "LOWPULSE", 0xFFF, 0),
    tagged(0x2C, "HIGHPULSE", 0xFFF, 0),
    tagged(0x30, "RXD_CNT", 0, 0),
    tagged(0x34, "FLOW_CONF", 0, 0x3F),
    tagged(0x38, "SLEEP_CONF", 0xF0, 0x3FF),
    tagged(0x3C, "SWFC_CONF0", 0x26E0, 0x0001_FFFF),
    tagged(0x40, "SWFC_CONF1", 0x2200, 0x0001_FFFF),
    tagged(0x44, "TXBRK_CONF", 0xA, 0xFF),
    tagged(0x48, "IDLE_CONF", 0x0004_0100, 0x000F_FFFF),
    tagged(0x4C, "RS485_CONF", 0, 0x3FF),
    tagged(0x50, "AT_CMD_PRECNT", 0x901, 0xFFFF),
    tagged(0x54, "AT_CMD_POSTCNT", 0x901, 0xFFFF),
    tagged(0x58, "AT_CMD_GAPTOUT", 0xB, 0xFFFF),
    tagged(0x5C, "AT_CMD_CHAR", 0x32B, 0xFFFF),
    modelled(MEM_CONF, "MEM_CONF", 0x000A_0012, 0x0FFF_FFFE),
    modelled(FSM_STATUS, "FSM_STATUS", 0, 0),
    modelled(CLK_CONF, "CLK_CONF", 0x0370_1000, 0x0FFF_FFFF),
    tagged(0x7C, "DATE", 0x0200_8270, 0xFFFF_FFFF),
    modelled(ID, "ID", 0x4000_0500, 0x7FFF_FFFF),
];

/// A byte in the transmit FIFO or in the shift register.
#[derive(Clone, Copy, Debug)]
struct Sending {
    byte: u8,
    /// The cycle at which it moves from the FIFO to the shift register.
    starts_at: u64,
    /// The cycle at which its stop bit ends.
    ends_at: u64,
}

/// One UART with its FIFOs and both lines.
#[derive(Clone, Debug)]
pub(crate) struct Uart {
    port: Port,
    file: RegisterFile,
    sending: VecDeque<Sending>,
    /// Bytes on the receive line, each with the cycle at which its stop bit ends.
    arriving: VecDeque<(u64, u8)>,
    received: VecDeque<u8>,
    /// The cycle at which the receive timeout expires.
    timeout_at: u64,
    deadline: u64,
}

impl Uart {
    pub(crate) fn new(port: Port) -> Uart {
        Uart {
            port,
            file: RegisterFile::new(REGISTERS),
            sending: VecDeque::new(),
            arriving: VecDeque::new(),
            received: VecDeque::new(),
            timeout_at: NEVER,
            deadline: NEVER,
        }
    }

    pub(crate) fn read(&mut self, offset: u32, cycle: u64, out: &mut Outbox) -> Option<u32> {
        let stored = self.file.read(offset)?;
        if matches!(offset, FIFO | INT_RAW | INT_ST | STATUS | FSM_STATUS) {
            self.serve(cycle, out);
        }
        Some(match offset {
            FIFO => u32::from(self.received.pop_front().unwrap_or(0)),
            INT_RAW => self.raw(cycle),
            INT_ST => self.raw(cycle) & self.file.get(INT_ENA),
            STATUS => self.status(cycle),
            FSM_STATUS => self.fsm_status(cycle),
            _ => stored,
        })
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, cycle: u64, out: &mut Outbox) -> Written {
        self.serve(cycle, out);
        if !self
            .file
            .write(offset, if offset == ID { value & !REG_UPDATE } else { value })
        {
            return Written::Unmodelled;
        }
        match offset {
            FIFO => self.send(value as u8, cycle),
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            CONF0 => {
                if value & RXFIFO_RST != 0 {
                    self.received.clear();
                    self.timeout_at = NEVER;
                }
                if value & TXFIFO_RST != 0 {
                    self.sending.retain(|s| s.starts_at <= cycle);
                }
            }
            INT_RAW | INT_ENA | CONF1 => {}
            _ => return Written::Quiet,
        }
        self.reschedule(cycle);
        Written::Sync
    }

    /// The values that reads return between two cycles before the next deadline, see
    /// [`rv32::Bus::poll_read`].
    pub(crate) fn poll_read(&self, offset: u32, from: u64, to: u64) -> Option<PollRead> {
        match offset {
            STATUS => Some(poll::between(self.status(from), self.status(to))),
            FSM_STATUS => Some(poll::between(self.fsm_status(from), self.fsm_status(to))),
            FIFO | INT_RAW | INT_ST => None,
            _ => self.file.read(offset).map(poll::constant),
        }
    }

    /// Moves the bytes that are sent or received by `cycle`.
    pub(crate) fn advance(&mut self, cycle: u64, out: &mut Outbox) {
        if self.deadline <= cycle {
            self.serve(cycle, out);
            self.reschedule(cycle);
        }
    }

    /// Reports every byte that was sent by `cycle`, even if no deadline is due.
    pub(crate) fn flush(&mut self, cycle: u64, out: &mut Outbox) {
        self.serve(cycle, out);
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    #[inline]
    pub(crate) fn interrupts(&self, cycle: u64) -> u64 {
        let enabled = self.file.get(INT_ENA);
        if enabled == 0 || self.raw(cycle) & enabled == 0 {
            return 0;
        }
        1 << if self.port == Port::Uart0 {
            source::UART0
        } else {
            source::UART1
        }
    }

    /// Puts bytes on the receive line, one after the other from `cycle` on.
    pub(crate) fn receive(&mut self, bytes: &[u8], cycle: u64) {
        let frame = self.frame_cycles();
        let mut at = self.arriving.back().map_or(cycle, |(last, _)| *last).max(cycle);
        for byte in bytes {
            at += frame;
            self.arriving.push_back((at, *byte));
        }
        self.reschedule(cycle);
    }

    /// The cycle at which the transmitter has sent all bytes.
    pub(crate) fn idle_at(&self) -> u64 {
        self.sending.back().map_or(0, |s| s.ends_at)
    }

    /// Resets the block; bytes on both lines are lost.
    pub(crate) fn reset(&mut self) {
        *self = Uart::new(self.port);
    }

    fn send(&mut self, byte: u8, cycle: u64) {
        // A write to a full FIFO is lost, as on the chip.
        if self.waiting(cycle) >= FIFO_SIZE {
            return;
        }
        let starts_at = self.sending.back().map_or(cycle, |s| s.ends_at.max(cycle));
        self.sending.push_back(Sending {
            byte,
            starts_at,
            ends_at: starts_at + self.frame_cycles(),
        });
    }

    /// Bytes in the transmit FIFO; the one in the shift register is not among them.
    fn waiting(&self, cycle: u64) -> usize {
        self.sending
            .iter()
            .rev()
            .take_while(|s| s.starts_at > cycle)
            .count()
    }

    /// STATUS register. The count of received bytes changes at deadlines only; the count of bytes to transmit
    /// decreases one by one with time.
    fn status(&self, cycle: u64) -> u32 {
        self.file.get(STATUS) | (self.waiting(cycle) as u32) << 16 | self.received.len() as u32
    }

    /// FSM_STATUS register: the transmitter is not idle while a byte is in the shift register.
    fn fsm_status(&self, cycle: u64) -> u32 {
        u32::from(self.sending.back().is_some_and(|s| s.ends_at > cycle)) << 4
    }

    fn serve(&mut self, cycle: u64, out: &mut Outbox) {
        let mut raw = self.file.get(INT_RAW);
        while let Some(first) = self.sending.front().filter(|s| s.ends_at <= cycle) {
            out.push((
                first.ends_at,
                Output::Serial {
                    port: self.port,
                    byte: first.byte,
                },
            ));
            self.sending.pop_front();
            if self.sending.is_empty() {
                raw |= INT_TX_DONE;
            }
        }
        while let Some((at, byte)) = self.arriving.front().copied().filter(|(at, _)| *at <= cycle) {
            self.arriving.pop_front();
            if self.received.len() < FIFO_SIZE {
                self.received.push_back(byte);
            } else {
                raw |= INT_RXFIFO_OVF;
            }
            self.timeout_at = if self.file.get(CONF1) & RX_TOUT_EN != 0 {
                let bits = u64::from(self.file.get(MEM_CONF) >> 16 & 0x3FF);
                at + bits * self.frame_cycles() / 10
            } else {
                NEVER
            };
        }
        if self.timeout_at <= cycle {
            self.timeout_at = NEVER;
            if !self.received.is_empty() {
                raw |= INT_RXFIFO_TOUT;
            }
        }
        self.file.set(INT_RAW, raw);
    }

    /// The raw interrupt bits: latched ones and those that follow the level of a FIFO.
    fn raw(&self, cycle: u64) -> u32 {
        let mut raw = self.file.get(INT_RAW) & !(INT_RXFIFO_FULL | INT_TXFIFO_EMPTY);
        let conf1 = self.file.get(CONF1);
        if self.received.len() > (conf1 & 0x1FF) as usize {
            raw |= INT_RXFIFO_FULL;
        }
        if self.waiting(cycle) < (conf1 >> 9 & 0x1FF) as usize {
            raw |= INT_TXFIFO_EMPTY;
        }
        raw
    }

    fn reschedule(&mut self, cycle: u64) {
        let enabled = self.file.get(INT_ENA);
        let mut deadline = self.timeout_at;
        if let Some((at, _)) = self.arriving.front() {
            deadline = deadline.min(*at);
        }
        if enabled & INT_TXFIFO_EMPTY != 0
            && let Some(next) = self.sending.iter().find(|s| s.starts_at > cycle)
        {
            deadline = deadline.min(next.starts_at);
        }
        // With interrupts disabled no code waits for a single byte: one deadline per line is enough.
        let line_end = self
            .sending
            .iter()
            .find(|s| s.byte == b'\n')
            .or(self.sending.back());
        if let Some(byte) = line_end {
            deadline = deadline.min(byte.ends_at);
        }
        self.deadline = deadline;
    }

    /// CPU cycles that one frame takes: start bit, data, parity and stop bits.
    pub(crate) fn frame_cycles(&self) -> u64 {
        let conf0 = self.file.get(CONF0);
        let half_bits = 2 * (1 + 5 + u64::from(conf0 >> 2 & 3) + u64::from(conf0 >> 1 & 1))
            + [2, 2, 3, 4][(conf0 >> 4 & 3) as usize];
        let (num, den) = self.bit_cycles();
        (half_bits * num / (2 * den)).max(1)
    }

    /// The configured rate, bits per second.
    pub(crate) fn baud(&self) -> u32 {
        let (num, den) = self.bit_cycles();
        u32::try_from((CPU_HZ * den + num / 2) / num.max(1)).unwrap_or(u32::MAX)
    }

    /// CPU cycles that one bit takes, as a fraction.
    fn bit_cycles(&self) -> (u64, u64) {
        let clk = self.file.get(CLK_CONF);
        // CPU cycles per period of the source clock, as a fraction (TRM 26.3.3: 1 APB, 2 RC_FAST, 3 crystal).
        let (num, den) = match clk >> 20 & 3 {
            2 => (64, 7),
            3 => (4, 1),
            _ => (2, 1),
        };
        // Integral divider plus a/b, then the baud divider in sixteenths.
        let (a, b) = (u64::from(clk >> 6 & 0x3F), u64::from(clk & 0x3F));
        let (div_num, div_den) = match b {
            0 => (u64::from(clk >> 12 & 0xFF) + 1, 1),
            b => ((u64::from(clk >> 12 & 0xFF) + 1) * b + a, b),
        };
        let clkdiv = self.file.get(CLKDIV);
        let sixteenths = u64::from(clkdiv & 0xFFF) * 16 + u64::from(clkdiv >> 20 & 0xF);
        (num * div_num * sixteenths, den * div_den * 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 115,200 baud from the 40 MHz crystal, as the boot ROM sets it up; a frame is 13,890 cycles.
    fn uart() -> Uart {
        let mut uart = Uart::new(Port::Uart0);
        let mut out = Outbox::new();
        uart.write(CLK_CONF, 0x0370_0000, 0, &mut out);
        uart.write(CLKDIV, 347 | 4 << 20, 0, &mut out);
        uart
    }

    #[test]
    fn bytes_leave_at_the_baud_rate() {
        let (mut uart, mut out) = (uart(), Outbox::new());
        uart.write(FIFO, u32::from(b'H'), 100, &mut out);
        uart.write(FIFO, u32::from(b'i'), 101, &mut out);
        assert_eq!(
            uart.read(STATUS, 101, &mut out),
            Some(0xE001_C000),
            "one waits, one is being sent"
        );
        assert_eq!(uart.deadline(), 100 + 2 * 13_890);
        uart.advance(100 + 2 * 13_890, &mut out);
        let serial = |byte| Output::Serial {
            port: Port::Uart0,
            byte,
        };
        assert_eq!(out, [(13_990, serial(b'H')), (27_880, serial(b'i'))]);
        assert_eq!(uart.read(FSM_STATUS, 27_880, &mut out), Some(0));
        assert_eq!(
            uart.read(INT_RAW, 27_880, &mut out),
            Some(INT_TX_DONE | INT_TXFIFO_EMPTY)
        );
    }

    #[test]
    fn the_rate_follows_the_dividers() {
        let mut uart = uart();
        assert_eq!(uart.baud(), 115_191, "40 MHz / 347.25");
        // 80 MHz / 86 13/16, as ESP-IDF sets 921,600.
        let mut out = Outbox::new();
        uart.write(CLK_CONF, 0x0310_0000, 0, &mut out);
        uart.write(CLKDIV, 86 | 13 << 20, 0, &mut out);
        assert_eq!(uart.baud(), 921_526);
    }

    #[test]
    fn a_full_fifo_loses_bytes_and_says_so_beforehand() {
        let (mut uart, mut out) = (uart(), Outbox::new());
        for n in 0..140 {
            uart.write(FIFO, n, 0, &mut out);
        }
        assert_eq!(uart.read(STATUS, 0, &mut out).unwrap() >> 16 & 0x3FF, 128);
        uart.flush(1_000 * 13_890, &mut out);
        assert_eq!(out.len(), 129, "128 in the FIFO and one in the shift register");
    }

    #[test]
    fn received_bytes_arrive_at_the_baud_rate_and_interrupt() {
        let (mut uart, mut out) = (uart(), Outbox::new());
        uart.write(INT_ENA, INT_RXFIFO_FULL, 0, &mut out);
        uart.write(CONF1, 1, 0, &mut out);
        uart.receive(b"abc", 0);
        uart.advance(13_890, &mut out);
        assert_eq!(
            uart.interrupts(13_890),
            0,
            "one byte does not exceed the threshold of one"
        );
        uart.advance(27_780, &mut out);
        assert_eq!(uart.interrupts(27_780), 1 << 21);
        assert_eq!(uart.read(FIFO, 27_780, &mut out), Some(u32::from(b'a')));
        assert_eq!(uart.interrupts(27_780), 0);
        uart.advance(41_670, &mut out);
        assert_eq!(uart.read(STATUS, 41_670, &mut out).unwrap() & 0x3FF, 2);
    }

    #[test]
    fn silence_after_bytes_is_a_timeout() {
        let (mut uart, mut out) = (uart(), Outbox::new());
        uart.write(INT_ENA, INT_RXFIFO_TOUT, 0, &mut out);
        uart.write(CONF1, 0x7F | RX_TOUT_EN, 0, &mut out);
        uart.receive(b"x", 0);
        uart.advance(13_890, &mut out);
        // MEM_CONF resets to a threshold of 10 bits.
        assert_eq!(uart.deadline(), 27_780);
        uart.advance(27_780, &mut out);
        assert_eq!(uart.interrupts(27_780), 1 << 21);
        uart.write(INT_CLR, INT_RXFIFO_TOUT, 27_781, &mut out);
        assert_eq!(uart.interrupts(27_781), 0);
    }

    #[test]
    fn an_overrun_is_flagged() {
        let (mut uart, mut out) = (uart(), Outbox::new());
        uart.receive(&[7; 129], 0);
        uart.flush(129 * 13_890, &mut out);
        assert_eq!(
            uart.read(INT_RAW, 0, &mut out).unwrap() & INT_RXFIFO_OVF,
            INT_RXFIFO_OVF
        );
        uart.write(CONF0, 0x1000_001C | RXFIFO_RST, 0, &mut out);
        assert_eq!(uart.read(STATUS, 0, &mut out).unwrap() & 0x3FF, 0);
    }
}
