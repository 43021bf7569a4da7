//! The serial port of the USB Serial/JTAG controller (TRM chapter 30).
//!
//! Bytes are collected in a 64-byte FIFO and sent as a packet when software asks for it or the FIFO is full.
//! A host that listens reads a packet soon; without a host the packet stays in the FIFO, which then takes no
//! more bytes. JTAG is not modelled.

use std::collections::VecDeque;

use crate::clock::{CPU_HZ, NEVER};
use crate::output::{Outbox, Output, Port};
use crate::peripherals::interrupt_core0::source;
use crate::peripherals::written::Written;
use crate::registers::{Register, RegisterFile, modelled, tagged};

const EP1: u32 = 0x00;
const EP1_CONF: u32 = 0x04;
const INT_RAW: u32 = 0x08;
const INT_ST: u32 = 0x0C;
const INT_ENA: u32 = 0x10;
const INT_CLR: u32 = 0x14;
const FRAM_NUM: u32 = 0x24;

const WR_DONE: u32 = 1 << 0;
const SERIAL_IN_EP_DATA_FREE: u32 = 1 << 1;
const SERIAL_OUT_EP_DATA_AVAIL: u32 = 1 << 2;
const INT_SOF: u32 = 1 << 1;
const INT_OUT_RECV_PKT: u32 = 1 << 2;
const INT_IN_EMPTY: u32 = 1 << 3;

const PACKET: usize = 64;
/// Time that a host takes to read or send a packet: about a twentieth of a 1 ms frame at full speed.
const PACKET_CYCLES: u64 = CPU_HZ / 20_000;
/// A start-of-frame packet comes every millisecond.
const FRAME_CYCLES: u64 = CPU_HZ / 1_000;

pub(crate) const REGISTERS: &[Register] = &[
    modelled(EP1, "EP1", 0, 0),
    modelled(EP1_CONF, "EP1_CONF", 0x2, 0),
    modelled(INT_RAW, "INT_RAW", 0x8, 0xFFF),
    modelled(INT_ST, "INT_ST", 0, 0),
    modelled(INT_ENA, "INT_ENA", 0, 0xFFF),
    modelled(INT_CLR, "INT_CLR", 0, 0),
    tagged(0x18, "CONF0", 0x4200, 0x7FFF),
    tagged(0x1C, "TEST", 0, 0xF),
    tagged(0x20, "JFIFO_ST", 0x44, 0x300),
    modelled(FRAM_NUM, "FRAM_NUM", 0, 0),
    tagged(0x28, "IN_EP0_ST", 1, 0),
    tagged(0x2C, "IN_EP1_ST", 1, 0),
    tagged(0x30, "IN_EP2_ST", 1, 0),
    tagged(0x34, "IN_EP3_ST", 1, 0),
    tagged(0x38, "OUT_EP0_ST", 0, 0),
    tagged(0x3C, "OUT_EP1_ST", 0, 0),
    tagged(0x40, "OUT_EP2_ST", 0, 0),
    tagged(0x44, "MISC_CONF", 0, 0x1),
    tagged(0x48, "MEM_CONF", 0x2, 0x3),
];

/// The USB serial port with its FIFOs and the connection to a host.
#[derive(Clone, Debug)]
pub(crate) struct UsbSerialJtag {
    file: RegisterFile,
    /// A host is connected and reads.
    host: bool,
    filling: Vec<u8>,
    /// The packet that the host reads, and the cycle at which it has been read; [`NEVER`] without a host.
    packet: Option<(u64, Vec<u8>)>,
    arriving: VecDeque<(u64, Vec<u8>)>,
    received: VecDeque<u8>,
    /// The cycle up to which start-of-frame packets have been accounted for.
    frames_seen: u64,
    deadline: u64,
}

impl UsbSerialJtag {
    pub(crate) fn new(host: bool, cycle: u64) -> UsbSerialJtag {
        UsbSerialJtag {
            file: RegisterFile::new(REGISTERS),
            host,
            filling: Vec::new(),
            packet: None,
            arriving: VecDeque::new(),
            received: VecDeque::new(),
            frames_seen: cycle,
            deadline: NEVER,
        }
    }

    pub(crate) fn read(&mut self, offset: u32, cycle: u64, out: &mut Outbox) -> Option<u32> {
        let stored = self.file.read(offset)?;
        self.serve(cycle, out);
        Some(match offset {
            EP1 => u32::from(self.received.pop_front().unwrap_or(0)),
            EP1_CONF => {
                let free = self.packet.is_none() && self.filling.len() < PACKET;
                let room = if free { SERIAL_IN_EP_DATA_FREE } else { 0 };
                room | if self.received.is_empty() {
                    0
                } else {
                    SERIAL_OUT_EP_DATA_AVAIL
                }
            }
            INT_RAW => self.file.get(INT_RAW),
            INT_ST => self.file.get(INT_RAW) & self.file.get(INT_ENA),
            FRAM_NUM if self.host => (cycle / FRAME_CYCLES) as u32 & 0x7FF,
            _ => stored,
        })
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32, cycle: u64, out: &mut Outbox) -> Written {
        self.serve(cycle, out);
        if !self.file.write(offset, value) {
            return Written::Unmodelled;
        }
        match offset {
            EP1 => {
                // Without room the byte is lost.
                if self.packet.is_none() && self.filling.len() < PACKET {
                    self.filling.push(value as u8);
                    if self.filling.len() == PACKET {
                        self.close_packet(cycle);
                    }
                }
            }
            EP1_CONF if value & WR_DONE != 0 => self.close_packet(cycle),
            INT_CLR => self.file.set(INT_RAW, self.file.get(INT_RAW) & !value),
            INT_RAW | INT_ENA => {}
            _ => return Written::Quiet,
        }
        self.reschedule(cycle);
        Written::Sync
    }

    pub(crate) fn advance(&mut self, cycle: u64, out: &mut Outbox) {
        if self.deadline <= cycle {
            self.serve(cycle, out);
            self.reschedule(cycle);
        }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    #[inline]
    pub(crate) fn interrupts(&self) -> u64 {
        u64::from(self.file.get(INT_RAW) & self.file.get(INT_ENA) != 0) << source::USB_SERIAL_JTAG
    }

    /// The host sends bytes; without a host they are dropped.
    pub(crate) fn receive(&mut self, bytes: &[u8], cycle: u64) {
        if !self.host {
            return;
        }
        let mut at = self.arriving.back().map_or(cycle, |(last, _)| *last).max(cycle);
        for packet in bytes.chunks(PACKET) {
            at += PACKET_CYCLES;
            self.arriving.push_back((at, packet.to_vec()));
        }
        self.reschedule(cycle);
    }

    /// Connects a host that listens, or disconnects it.
    pub(crate) fn set_host(&mut self, host: bool, cycle: u64) {
        if host && !self.host {
            self.frames_seen = cycle;
        }
        self.host = host;
        if let Some((at, _)) = &mut self.packet {
            *at = if host { cycle + PACKET_CYCLES } else { NEVER };
        }
        self.reschedule(cycle);
    }

    pub(crate) fn host(&self) -> bool {
        self.host
    }

    fn close_packet(&mut self, cycle: u64) {
        if self.packet.is_none() && !self.filling.is_empty() {
            let at = if self.host { cycle + PACKET_CYCLES } else { NEVER };
            self.packet = Some((at, std::mem::take(&mut self.filling)));
        }
    }

    fn serve(&mut self, cycle: u64, out: &mut Outbox) {
        let mut raw = self.file.get(INT_RAW);
        if let Some((at, bytes)) = self.packet.take_if(|(at, _)| *at <= cycle) {
            raw |= INT_IN_EMPTY;
            out.extend(bytes.iter().map(|b| {
                (
                    at,
                    Output::Serial {
                        port: Port::UsbSerialJtag,
                        byte: *b,
                    },
                )
            }));
        }
        // The next packet is accepted when the last one has been read.
        while self.received.is_empty() && self.arriving.front().is_some_and(|(at, _)| *at <= cycle) {
            let Some((_, packet)) = self.arriving.pop_front() else {
                break;
            };
            self.received.extend(packet);
            raw |= INT_OUT_RECV_PKT;
        }
        if self.host && cycle / FRAME_CYCLES > self.frames_seen / FRAME_CYCLES {
            self.frames_seen = cycle;
            raw |= INT_SOF;
        }
        self.file.set(INT_RAW, raw);
    }

    fn reschedule(&mut self, cycle: u64) {
        let mut deadline = NEVER;
        if let Some((at, _)) = &self.packet {
            deadline = *at;
        }
        if let Some((at, _)) = self.arriving.front() {
            deadline = deadline.min((*at).max(cycle + PACKET_CYCLES));
        }
        if self.host && self.file.get(INT_ENA) & INT_SOF != 0 {
            deadline = deadline.min((cycle / FRAME_CYCLES + 1) * FRAME_CYCLES);
        }
        self.deadline = deadline;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(usb: &mut UsbSerialJtag, bytes: &[u8], out: &mut Outbox) {
        for byte in bytes {
            usb.write(EP1, u32::from(*byte), 0, out);
        }
        usb.write(EP1_CONF, WR_DONE, 0, out);
    }

    #[test]
    fn a_host_fetches_packets() {
        let mut out = Outbox::new();
        let mut usb = UsbSerialJtag::new(true, 0);
        send(&mut usb, b"ok", &mut out);
        assert_eq!(usb.read(EP1_CONF, 1, &mut out), Some(0), "busy");
        usb.advance(usb.deadline(), &mut out);
        let text: Vec<_> = out.iter().map(|(at, o)| (*at, o.clone())).collect();
        let serial = |byte| Output::Serial {
            port: Port::UsbSerialJtag,
            byte,
        };
        assert_eq!(text, [(8_000, serial(b'o')), (8_000, serial(b'k'))]);
        assert_eq!(usb.read(EP1_CONF, 8_000, &mut out), Some(SERIAL_IN_EP_DATA_FREE));
    }

    #[test]
    fn without_a_host_there_is_no_room_after_the_first_packet() {
        let mut out = Outbox::new();
        let mut usb = UsbSerialJtag::new(false, 0);
        send(&mut usb, b"lost?", &mut out);
        assert_eq!(usb.read(EP1_CONF, CPU_HZ, &mut out), Some(0));
        assert!(out.is_empty());
        assert_eq!(usb.read(INT_RAW, CPU_HZ, &mut out).unwrap() & INT_SOF, 0);
        usb.set_host(true, CPU_HZ);
        usb.advance(usb.deadline(), &mut out);
        assert_eq!(out.len(), 5);
    }

    #[test]
    fn the_host_sends_and_raises_the_interrupt() {
        let mut out = Outbox::new();
        let mut usb = UsbSerialJtag::new(true, 0);
        usb.write(INT_ENA, INT_OUT_RECV_PKT, 0, &mut out);
        usb.receive(b"a", 0);
        usb.advance(usb.deadline(), &mut out);
        assert_eq!(usb.interrupts(), 1 << 26);
        assert_eq!(usb.read(EP1_CONF, 8_000, &mut out), Some(6));
        assert_eq!(usb.read(EP1, 8_000, &mut out), Some(u32::from(b'a')));
        assert_eq!(usb.read(EP1_CONF, 8_000, &mut out), Some(2));
    }

    #[test]
    fn a_host_is_noticed_by_its_frames() {
        let mut out = Outbox::new();
        let mut usb = UsbSerialJtag::new(true, 0);
        assert_eq!(usb.read(INT_RAW, 159_999, &mut out).unwrap() & INT_SOF, 0);
        assert_eq!(usb.read(INT_RAW, 160_000, &mut out).unwrap() & INT_SOF, INT_SOF);
        usb.write(INT_CLR, INT_SOF, 160_001, &mut out);
        assert_eq!(usb.read(INT_RAW, 160_002, &mut out).unwrap() & INT_SOF, 0);
    }
}
