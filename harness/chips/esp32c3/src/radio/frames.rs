//! Data frames: sending and receiving at the rate of the air interface.

use std::collections::VecDeque;
use std::time::Duration;

use sim::Instant;
use sim::air::ToAir;

use crate::calls::{Argument, GuestCall};
use crate::radio::layout::err;
use crate::radio::{Pending, Radio, Step, Then, done};
use crate::rom::call::{Call, Fault};
use crate::service_event::ServiceEvent;

/// Longest Ethernet II frame without FCS, bytes.
const LONGEST: u32 = 1514;
/// Duration of contention, preamble and acknowledgement of a frame in 802.11n, ns.
const OVERHEAD_NS: u64 = 150_000;
/// Airtime of a byte at 54 Mbit/s, ns.
const NS_PER_BYTE: u64 = 148;
/// Capacity of the access point's queue, frames.
const AP_QUEUE: usize = 256;
/// Bytes of the frame that the transmit callback receives.
const SHOWN: usize = 64;

/// Duration for which a frame of `len` bytes occupies the air.
fn airtime(len: usize) -> Duration {
    Duration::from_nanos(OVERHEAD_NS + len as u64 * NS_PER_BYTE)
}

/// Frames on the air, in the queues and with the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frames {
    pub(crate) rx_callback: u32,
    tx_done_callback: u32,
    /// Transmitted frames with the moment at which each has been sent, oldest first.
    tx: VecDeque<(Instant, Vec<u8>)>,
    tx_free_at: Instant,
    tx_limit: usize,
    /// The access point's queue: frames with the moment at which each will have arrived, oldest first.
    rx: VecDeque<(Instant, Vec<u8>)>,
    rx_free_at: Instant,
    /// Greatest number of received frames that wait for the guest (the driver's static buffers).
    rx_limit: usize,
    /// Greatest number of frames that the guest holds (the driver's dynamic buffers).
    rx_held_limit: usize,
    /// Addresses of the buffers that the guest has not freed.
    held: Vec<u32>,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            rx_callback: 0,
            tx_done_callback: 0,
            tx: VecDeque::new(),
            tx_free_at: Instant::ZERO,
            tx_limit: 0,
            rx: VecDeque::new(),
            rx_free_at: Instant::ZERO,
            rx_limit: 0,
            rx_held_limit: 0,
            held: Vec::new(),
        }
    }
}

impl Frames {
    /// Sets the numbers of buffers from `wifi_init_config_t`; 0 dynamic ones means no limit but memory.
    pub(crate) fn set_limits(&mut self, static_rx: u32, dynamic_rx: u32, dynamic_tx: u32) {
        let limit = |n: u32| if n == 0 { usize::MAX } else { n as usize };
        self.rx_limit = static_rx.clamp(2, 128) as usize;
        self.rx_held_limit = limit(dynamic_rx);
        self.tx_limit = limit(dynamic_tx).min(128);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let heads = [self.tx.front(), self.rx.front()];
        heads.into_iter().flatten().map(|(at, _)| *at).min()
    }
}

impl Radio {
    /// `esp_wifi_set_tx_done_cb(void (*)(u8, u8 *, u16 *, bool))`.
    pub(super) fn set_tx_done_cb(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        self.frames.tx_done_callback = call.args[0];
        Ok(done(err::OK))
    }

    /// `esp_wifi_internal_reg_rxcb(wifi_interface_t, int (*)(void *, u16, void *))`.
    pub(super) fn reg_rxcb(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        match call.args[0] {
            0 => self.frames.rx_callback = call.args[1],
            // The access point interface never receives anything here.
            1 => {}
            _ => return Ok(done(err::IF)),
        }
        Ok(done(err::OK))
    }

    /// `esp_wifi_internal_tx(wifi_interface_t, void *buffer, u16 len)`: copies the frame.
    pub(super) fn internal_tx(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let [interface, buffer, len, ..] = call.args;
        let len = len & 0xFFFF;
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        if interface != 0 {
            return Ok(done(err::IF));
        }
        if !(14..=LONGEST).contains(&len) {
            return Ok(done(err::INVALID_ARG));
        }
        if !self.station.is_connected() {
            return Ok(done(err::NOT_ASSOC));
        }
        if self.frames.tx.len() >= self.frames.tx_limit {
            return Ok(done(err::NO_MEM));
        }
        let frame = call.load(buffer, len)?;
        let left_at = self.frames.tx_free_at.max(call.now) + airtime(frame.len());
        self.frames.tx_free_at = left_at;
        self.frames.tx.push_back((left_at, frame));
        Ok(done(err::OK))
    }

    /// `esp_wifi_internal_free_rx_buffer(void *eb)`. A buffer that is not the driver's is left alone and reported
    /// as an error, as freeing it would corrupt the guest's heap.
    pub(super) fn free_rx_buffer(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let buffer = call.args[0];
        let Some(at) = self.frames.held.iter().position(|b| *b == buffer) else {
            self.events.push(ServiceEvent::ForeignBuffer {
                addr: buffer,
                caller: call.ra,
            });
            return Ok(done(err::INVALID_ARG));
        };
        self.frames.held.remove(at);
        match self.adapter {
            Some(adapter) => Ok(Step::Call(
                GuestCall::new(adapter.free, &[buffer]),
                Then::Return {
                    events: VecDeque::new(),
                    code: 0,
                },
            )),
            None => Ok(done(0)),
        }
    }

    /// `tx_done(u8 interface, u8 *data, u16 *len, bool ok)`.
    pub(super) fn tx_done_call(&self, mut frame: Vec<u8>, ok: bool) -> Option<GuestCall> {
        if self.frames.tx_done_callback == 0 {
            return None;
        }
        let len = frame.len() as u16;
        frame.resize(SHOWN, 0);
        frame.extend_from_slice(&len.to_le_bytes());
        Some(GuestCall {
            function: self.frames.tx_done_callback,
            args: vec![
                Argument::Value(0),
                Argument::Data(0),
                Argument::Data(SHOWN as u32),
                Argument::Value(u32::from(ok)),
            ],
            data: frame,
        })
    }

    /// A frame from the air: it arrives when the frames before it have, and after its own airtime.
    pub(super) fn receive_frame(&mut self, now: Instant, frame: Vec<u8>) {
        if !self.station.is_connected() || self.frames.rx_callback == 0 {
            return;
        }
        if self.frames.rx.len() >= AP_QUEUE || frame.len() > LONGEST as usize {
            self.events.push(ServiceEvent::FrameDropped { len: frame.len() });
            return;
        }
        let at = self.frames.rx_free_at.max(now) + airtime(frame.len());
        self.frames.rx_free_at = at;
        self.frames.rx.push_back((at, frame));
    }

    /// Completes the frames that have been sent or have arrived by `now`.
    pub(super) fn poll_frames(&mut self, now: Instant) {
        while let Some((_, frame)) = pop_due(&mut self.frames.tx, now) {
            self.to_air.push(ToAir::Frame(frame.clone()));
            self.enqueue(Pending::TxDone { frame, ok: true });
        }
        let waits = |p: &&Pending| matches!(p, Pending::Receive { .. });
        while let Some((_, frame)) = pop_due(&mut self.frames.rx, now) {
            if self.pending.iter().filter(waits).count() >= self.frames.rx_limit {
                self.events.push(ServiceEvent::FrameDropped { len: frame.len() });
            } else if self.station.is_connected() {
                self.enqueue(Pending::Receive { frame });
            }
        }
    }

    /// The association has ended: drops the frames that wait in both directions. Those of the guest are
    /// reported as not sent.
    pub(super) fn drop_tx(&mut self) {
        for (_, frame) in std::mem::take(&mut self.frames.tx) {
            if self.pending.len() < super::MAX_PENDING {
                self.pending.push_back(Pending::TxDone { frame, ok: false });
            }
        }
        self.frames.tx_free_at = Instant::ZERO;
        self.frames.rx.clear();
    }

    /// Delivers a received frame in `buffer`, memory that the guest has allocated. If it is null the frame is
    /// lost, as on the chip.
    pub(super) fn buffer(&mut self, buffer: u32, frame: Vec<u8>, call: &mut Call<'_>) -> Result<Step, Fault> {
        if buffer == 0 {
            self.events.push(ServiceEvent::FrameDropped { len: frame.len() });
            return Ok(done(0));
        }
        call.store(buffer, &frame)?;
        self.frames.held.push(buffer);
        // The buffer's address is also its handle.
        let deliver = GuestCall::new(self.frames.rx_callback, &[buffer, frame.len() as u32, buffer]);
        Ok(Step::Call(deliver, Then::Received))
    }

    /// True if the guest holds as many buffers as it may.
    pub(super) fn buffers_exhausted(&self) -> bool {
        self.frames.held.len() >= self.frames.rx_held_limit
    }
}

fn pop_due(queue: &mut VecDeque<(Instant, Vec<u8>)>, now: Instant) -> Option<(Instant, Vec<u8>)> {
    if queue.front()?.0 > now {
        None
    } else {
        queue.pop_front()
    }
}
