//! Pauses between the rounds of DHCP, which the TCP/IP stack does not make.
//!
//! The stack decides when it sends DHCPDISCOVER, and does so at once whenever a round has failed. [`PacedInterface`]
//! stands between the stack and the radio and drops a DISCOVER that comes too early; when its time has come,
//! [`restart_when_due`] lets the stack begin anew.

use core::cell::RefCell;
use core::task::Context;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, TxToken};
use embassy_net::{ConfigV4, Stack};
use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Instant, Timer};
use esp_hal::rng::Rng;
use esp_println::println;
use esp_radio::wifi::Interface;
use oceanremote_logic::defects::{Defect, Defects};
use oceanremote_logic::dhcp::{self, Pace};

use crate::clock;
use crate::wifi::Raw;

static PACE: CriticalSectionMutex<RefCell<Pace>> = CriticalSectionMutex::new(RefCell::new(Pace::new()));
/// A DISCOVER was dropped; it may go out at this time, in milliseconds since boot.
static DROPPED: Signal<Raw, u64> = Signal::new();
/// Wakes the stack's task.
static STACK: AtomicWaker = AtomicWaker::new();

/// Lets the stack ask for an address again when the pause after the last DISCOVER is over.
#[embassy_executor::task]
pub async fn restart_when_due(stack: Stack<'static>) {
    loop {
        let due_ms = DROPPED.wait().await;
        let pause_ms = due_ms.saturating_sub(clock::uptime_ms());
        println!(
            "[WIFI] No address, asking DHCP again in {} s",
            pause_ms.div_ceil(1_000)
        );
        Timer::at(Instant::from_millis(due_ms)).await;
        // The stack repeats a DISCOVER by itself, and each of them that was dropped in the pause has told so.
        DROPPED.reset();
        let is_waiting = PACE.lock(|pace| pace.borrow().due_ms()) == Some(due_ms);
        if is_waiting && stack.config_v4().is_none() {
            stack.set_config_v4(ConfigV4::Dhcp(Default::default()));
            STACK.wake();
        }
    }
}

/// The radio's network interface, with pauses between two DISCOVER messages.
pub struct PacedInterface {
    radio: Interface,
    rng: Rng,
    /// Switched off by the defect `dhcp-storm`.
    paces: bool,
    /// Whether there was an association when the stack last asked.
    is_up: bool,
}

impl PacedInterface {
    /// The interface of this radio.
    pub fn new(radio: Interface, defects: Defects) -> Self {
        Self {
            radio,
            rng: Rng::new(),
            paces: !defects.has(Defect::DhcpStorm),
            is_up: false,
        }
    }
}

impl Driver for PacedInterface {
    type RxToken<'a> = <Interface as Driver>::RxToken<'a>;
    type TxToken<'a> = PacedToken<<Interface as Driver>::TxToken<'a>>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (rng, paces) = (self.rng, self.paces);
        let (rx, token) = Driver::receive(&mut self.radio, cx)?;
        Some((rx, PacedToken { token, rng, paces }))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        let (rng, paces) = (self.rng, self.paces);
        let token = Driver::transmit(&mut self.radio, cx)?;
        Some(PacedToken { token, rng, paces })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        STACK.register(cx.waker());
        let state = Driver::link_state(&mut self.radio, cx);
        let is_up = state == LinkState::Up;
        if is_up != self.is_up {
            // Another association, perhaps with another network. The stack, too, begins anew, and may have sent a
            // DISCOVER just before.
            self.is_up = is_up;
            PACE.lock(|pace| pace.borrow_mut().reset());
            DROPPED.reset();
        }
        state
    }

    fn capabilities(&self) -> Capabilities {
        Driver::capabilities(&self.radio)
    }

    fn hardware_address(&self) -> HardwareAddress {
        Driver::hardware_address(&self.radio)
    }
}

/// Permission to send one frame.
pub struct PacedToken<T> {
    token: T,
    rng: Rng,
    paces: bool,
}

/// The stack's messages to a DHCP server are shorter than this, in bytes with all headers.
const DHCP_MAX: usize = 600;

impl<T: TxToken> TxToken for PacedToken<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        if !self.paces || len > DHCP_MAX {
            return self.token.consume(len, f);
        }
        let now = clock::uptime_ms();
        let allow = |frame: &[u8]| match dhcp::is_discover(frame) {
            true => PACE.lock(|pace| pace.borrow_mut().allow(now, || self.rng.random())),
            false => Ok(()),
        };
        if !PACE.lock(|pace| pace.borrow().is_pausing(now)) {
            return self.token.consume(len, |frame| {
                let result = f(frame);
                // Cannot be refused outside of a pause; the next one begins.
                let _ = allow(frame);
                result
            });
        }
        // A token sends whatever it is given, so the frame is looked at before.
        let mut scratch = [0; DHCP_MAX];
        let frame = &mut scratch[..len];
        let result = f(frame);
        match allow(frame) {
            Ok(()) => self.token.consume(len, |out| out.copy_from_slice(frame)),
            Err(due_ms) => DROPPED.signal(due_ms),
        }
        result
    }
}
