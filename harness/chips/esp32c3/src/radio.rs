//! Host code in place of the WiFi driver's exported functions.
//!
//! The vendor's driver is a closed library that runs the 802.11 MAC and PHY hardware. Here its exported functions
//! are found by symbol and carried out by host code, so none of the library's own code runs: no MAC, PHY,
//! coexistence or supplicant code, no WiFi task, no WiFi interrupt. What the guest brings itself (its OS adapter,
//! network stack and callbacks) runs as it is: events go to the adapter's `_event_post`, frames to the callback
//! given to `esp_wifi_internal_reg_rxcb`, their buffers come from the adapter's `_malloc_internal` and go back by
//! `_free`.
//!
//! Approximated: no calibration time at start; receive buffers are allocated one by one and not as a pool at
//! start, so the guest's heap is emptier than on the chip; retransmissions and rate control are not modelled, a
//! frame takes the airtime of 802.11n at 54 Mbit/s with the usual overhead; power save modes are stored and have
//! no effect. Missing: access point mode, promiscuous mode, raw 802.11 frames, ESP-NOW, enterprise
//! authentication: such functions report [`ServiceEvent::DriverFunction`] and answer `ESP_ERR_NOT_SUPPORTED`.

mod frames;
mod functions;
mod layout;
mod settings;
mod station;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sim::Instant;
use sim::air::{FromAir, Mac, ToAir};

use crate::calls::{Argument, GuestCall};
use crate::rom::call::{Call, Fault, Reply};
use crate::service_event::ServiceEvent;
use layout::{err, init, osi};

/// Events that wait for the guest beyond this are dropped and reported: the guest has stopped taking interrupts.
const MAX_PENDING: usize = 64;

/// Next step of a driver function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The function returns with this reply.
    Reply(Reply),
    /// The function calls a guest function, then continues as `Then` says.
    Call(GuestCall, Then),
}

/// Use of the result of a guest function that the driver has called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Inside a driver function: post the remaining events, then answer.
    Return {
        events: VecDeque<(u32, Vec<u8>)>,
        code: u32,
    },
    /// Inside `init_internal`: the adapter has read the MAC address into the call's data.
    StationMac,
    /// Between instructions: the result is not used.
    Done,
    /// Between instructions: the result is the memory for a received frame.
    Buffer { frame: Vec<u8> },
    /// Between instructions: the receive callback has returned for the frame.
    Received,
}

/// The functions of the guest's OS adapter that the driver calls, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Adapter {
    event_post: u32,
    malloc: u32,
    free: u32,
}

/// A notification that waits to be delivered to the guest between two instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pending {
    Event { id: u32, data: Vec<u8> },
    TxDone { frame: Vec<u8>, ok: bool },
    Receive { frame: Vec<u8> },
}

/// Host code in place of a driver function.
pub(crate) type Run = fn(&mut Radio, &mut Call<'_>) -> Result<Step, Fault>;

/// A function of the vendor's libraries.
#[derive(Clone, Debug)]
pub(crate) enum Function {
    /// A function that the host carries out.
    Modelled(Run),
    /// A function without a model: a call is reported and returns `answer`.
    NotModelled {
        /// Name of the function in the symbol table.
        name: String,
        /// Value that a call returns.
        answer: u32,
    },
}

/// State of the driver and of its station.
#[derive(Clone, Debug)]
pub(crate) struct Radio {
    functions: Arc<BTreeMap<u32, Function>>,
    /// Address of the guest variable that holds the event base of WiFi events.
    event_base_at: Option<u32>,
    /// Functions of the OS adapter, set by `init_internal`.
    adapter: Option<Adapter>,
    settings: settings::Settings,
    station: station::Station,
    frames: frames::Frames,
    pending: VecDeque<Pending>,
    to_air: Vec<ToAir>,
    /// Events since the owner last took them.
    pub(crate) events: Vec<ServiceEvent>,
}

impl Radio {
    /// The driver with these functions, by address. `event_base_at` is the address of the guest variable that
    /// holds the event base of WiFi events.
    fn with_functions(functions: BTreeMap<u32, Function>, event_base_at: Option<u32>) -> Radio {
        Radio {
            functions: Arc::new(functions),
            event_base_at,
            adapter: None,
            settings: settings::Settings::default(),
            station: station::Station::default(),
            frames: frames::Frames::default(),
            pending: VecDeque::new(),
            to_air: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The addresses of the driver's functions.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u32> {
        self.functions.keys().copied()
    }

    /// True if `addr` is the start of a driver function.
    pub(crate) fn has_function(&self, addr: u32) -> bool {
        self.functions.contains_key(&addr)
    }

    /// Carries out the driver function at `call.pc`.
    pub(crate) fn serve(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let functions = Arc::clone(&self.functions);
        match &functions[&call.pc] {
            Function::Modelled(run) => run(self, call),
            Function::NotModelled { name, answer } => {
                self.events.push(ServiceEvent::DriverFunction {
                    name: name.clone(),
                    caller: call.ra,
                });
                Ok(Step::Reply(Reply::Value(*answer)))
            }
        }
    }

    /// A guest function called by the driver has returned `result`.
    pub(crate) fn resume(
        &mut self,
        then: Then,
        result: u32,
        data_addr: u32,
        call: &mut Call<'_>,
    ) -> Result<Step, Fault> {
        match then {
            Then::Return { events, code } => self.post_then(events, code, call),
            Then::StationMac => {
                if result == err::OK {
                    let mac = call.load(data_addr, 6)?;
                    self.station.mac = mac.try_into().expect("six bytes");
                }
                Ok(done(err::OK))
            }
            Then::Done => Ok(done(0)),
            Then::Buffer { frame } => self.buffer(result, frame, call),
            Then::Received => {
                if result != err::OK {
                    self.events.push(ServiceEvent::FrameRefused);
                }
                Ok(done(0))
            }
        }
    }

    /// True if a notification waits to be delivered to the guest.
    pub(crate) fn wants_delivery(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next call into the guest that delivers a notification between two instructions.
    pub(crate) fn next_delivery(&mut self, call: &mut Call<'_>) -> Option<(GuestCall, Then)> {
        loop {
            match self.pending.pop_front()? {
                Pending::Event { id, data } => {
                    if let Some(post) = self.event_call(id, data, call) {
                        return Some((post, Then::Done));
                    }
                }
                Pending::TxDone { frame, ok } => {
                    if let Some(report) = self.tx_done_call(frame, ok) {
                        return Some((report, Then::Done));
                    }
                }
                Pending::Receive { frame } if self.buffers_exhausted() => {
                    self.events.push(ServiceEvent::FrameDropped { len: frame.len() });
                }
                Pending::Receive { frame } => {
                    if let Some(adapter) = self.adapter.filter(|_| self.frames.rx_callback != 0) {
                        let size = frame.len() as u32;
                        return Some((GuestCall::new(adapter.malloc, &[size]), Then::Buffer { frame }));
                    }
                }
            }
        }
    }

    /// The moment at which the radio next acts by itself, `None` if it is idle.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.frames.next_deadline()
    }

    /// Does what is due at `now`.
    pub(crate) fn poll(&mut self, now: Instant) {
        self.poll_frames(now);
    }

    /// Takes a message from the access point.
    pub(crate) fn receive(&mut self, now: Instant, message: FromAir) {
        match message {
            FromAir::Frame(frame) => self.receive_frame(now, frame),
            other => self.receive_management(other),
        }
    }

    /// Returns what the station has sent since the last call, and clears the list.
    pub(crate) fn take_to_air(&mut self) -> Vec<ToAir> {
        std::mem::take(&mut self.to_air)
    }

    /// Resets the driver after a reset or loss of power; an associated station disappears without a farewell
    /// to its access point.
    pub(crate) fn reset(&mut self) {
        if self.station.is_on_air() {
            self.to_air.push(ToAir::Vanish);
        }
        self.adapter = None;
        self.settings = settings::Settings::default();
        self.station = station::Station::default();
        self.frames = frames::Frames::default();
        self.pending.clear();
    }

    /// `esp_wifi_init_internal(const wifi_init_config_t *)`.
    fn init_internal(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let config = call.args[0];
        if self.adapter.is_some() {
            return Ok(done(err::INIT_STATE));
        }
        let table = call.load_u32(config + init::OSI_FUNCS)?;
        if call.load_u32(config + init::MAGIC)? != init::MAGIC_VALUE
            || call.load_u32(table + osi::VERSION)? != osi::VERSION_VALUE
            || call.load_u32(table + osi::MAGIC)? != osi::MAGIC_VALUE
        {
            return Ok(done(err::INVALID_ARG));
        }
        let adapter = Adapter {
            event_post: call.load_u32(table + osi::EVENT_POST)?,
            malloc: call.load_u32(table + osi::MALLOC_INTERNAL)?,
            free: call.load_u32(table + osi::FREE)?,
        };
        let read_mac = call.load_u32(table + osi::READ_MAC)?;
        self.frames.set_limits(
            call.load_u32(config + init::STATIC_RX_BUF_NUM)?,
            call.load_u32(config + init::DYNAMIC_RX_BUF_NUM)?,
            call.load_u32(config + init::DYNAMIC_TX_BUF_NUM)?,
        );
        self.adapter = Some(adapter);
        // `_read_mac(u8 *mac, unsigned type)`, type 0 is the station.
        let read = GuestCall {
            function: read_mac,
            args: vec![Argument::Data(0), Argument::Value(0)],
            data: vec![0; 8],
        };
        Ok(Step::Call(read, Then::StationMac))
    }

    /// `esp_wifi_deinit_internal()`: only a stopped driver can be removed.
    fn deinit_internal(&mut self, _: &mut Call<'_>) -> Result<Step, Fault> {
        Ok(done(match self.adapter {
            None => err::NOT_INIT,
            Some(_) if self.settings.started => err::NOT_STOPPED,
            Some(_) => {
                let to_air = self.take_to_air();
                self.reset();
                self.to_air = to_air;
                err::OK
            }
        }))
    }

    /// Posts `events` one after the other, then answers `code`.
    fn post_then(
        &mut self,
        mut events: VecDeque<(u32, Vec<u8>)>,
        code: u32,
        call: &mut Call<'_>,
    ) -> Result<Step, Fault> {
        while let Some((id, data)) = events.pop_front() {
            if let Some(post) = self.event_call(id, data, call) {
                return Ok(Step::Call(post, Then::Return { events, code }));
            }
        }
        Ok(done(code))
    }

    /// `_event_post(const char *base, i32 id, void *data, size_t len, u32 ticks)`.
    fn event_call(&self, id: u32, data: Vec<u8>, call: &mut Call<'_>) -> Option<GuestCall> {
        let adapter = self.adapter?;
        let base = self
            .event_base_at
            .and_then(|at| call.mem.read_u32(at).ok())
            .unwrap_or(0);
        let payload = if data.is_empty() {
            Argument::Value(0)
        } else {
            Argument::Data(0)
        };
        let len = data.len() as u32;
        let args = [
            Argument::Value(base),
            Argument::Value(id),
            payload,
            Argument::Value(len),
        ];
        // The driver waits without limit for room in the queue (`portMAX_DELAY`).
        let args = args.into_iter().chain([Argument::Value(u32::MAX)]).collect();
        Some(GuestCall {
            function: adapter.event_post,
            args,
            data,
        })
    }

    /// Queues an event for the guest.
    fn post_later(&mut self, id: u32, data: Vec<u8>) {
        self.enqueue(Pending::Event { id, data });
    }

    fn enqueue(&mut self, item: Pending) {
        if self.pending.len() >= MAX_PENDING {
            self.events.push(ServiceEvent::DeliveryDropped);
            return;
        }
        self.pending.push_back(item);
    }

    /// The station's address.
    pub(crate) fn mac(&self) -> Mac {
        self.station.mac
    }
}

/// The step that answers a driver function with `code`.
fn done(code: u32) -> Step {
    Step::Reply(Reply::Value(code))
}
