//! Values for drivers that run the chip in wall time: when it next acts by itself, and the baud rate of its
//! serial ports.

use sim::Instant;

use super::{Chip, State};
use crate::clock::{cycle_at, instant_at};
use crate::output::Port;

impl Chip {
    /// The moment at which the chip next acts unless there is input from outside: [`Instant::FAR_FUTURE`]
    /// without power, now while it executes instructions, else the next deadline that it waits for.
    pub fn next_due(&self) -> Instant {
        if self.state == State::Off {
            return Instant::FAR_FUTURE;
        }
        let now = self.hart.cycle;
        let mut due = self.bus.peripherals.deadline().min(self.power_cut_at);
        if let Some(at) = self.services.next_deadline() {
            due = due.min(cycle_at(at));
        }
        let stands = self.state == State::Stuck || self.bus.peripherals.rtc_cntl.sleep().is_some();
        if !stands {
            let idle =
                self.waiting && self.bus.peripherals.intc.line().is_none() && !self.services.wants_delivery();
            if now < self.busy_until {
                // A ROM function is busy, or the ROM's own program waits.
                due = due.min(self.busy_until);
            } else if !idle && self.trap_loop().is_none() {
                due = now;
            }
        }
        if now < self.held_until {
            due = due.max(self.held_until.min(self.power_cut_at));
        }
        instant_at(due.max(now))
    }

    /// The rate of a serial port, bits per second; `None` for the USB port, which has none.
    pub fn baud(&self, port: Port) -> Option<u32> {
        match port {
            Port::Uart0 => Some(self.bus.peripherals.uart[0].baud()),
            Port::Uart1 => Some(self.bus.peripherals.uart[1].baud()),
            Port::UsbSerialJtag => None,
        }
    }
}
