//! State of the access point for hostapd's interface and the status, and the commands that switch it.

use std::net::Ipv4Addr;

use netsim::{ApConfig, NetNote, Netsim};
use sim::Instant;
use sim::air::{Mac, Reason};

/// Reason 3, deauthenticated because the sending station is leaving (IEEE 802.11-2020, table 9-49): hostapd
/// sends it to its stations when it is disabled.
const LEAVING: Reason = Reason(3);

/// An event for hostapd's monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApEvent {
    Enabled,
    Disabled,
    StationCame(Mac),
    StationLeft(Mac),
}

/// State of the access point, followed by the network's notes.
#[derive(Clone, Debug)]
pub(crate) struct AccessPoint {
    pub(crate) config: ApConfig,
    pub(crate) on: bool,
    pub(crate) station: Option<Mac>,
    pub(crate) address: Option<Ipv4Addr>,
    events: Vec<ApEvent>,
}

impl AccessPoint {
    pub(crate) fn new(config: ApConfig) -> AccessPoint {
        AccessPoint {
            config,
            on: true,
            station: None,
            address: None,
            events: Vec::new(),
        }
    }

    /// Updates the state by a note of the network.
    pub(crate) fn hear(&mut self, note: &NetNote) {
        match note {
            NetNote::Associated { mac, .. } => {
                self.station = Some(*mac);
                self.events.push(ApEvent::StationCame(*mac));
            }
            NetNote::Disassociated { .. } | NetNote::Vanished => {
                self.address = None;
                if let Some(mac) = self.station.take() {
                    self.events.push(ApEvent::StationLeft(mac));
                }
            }
            NetNote::DhcpAck { ip } => self.address = Some(*ip),
            NetNote::DhcpRelease { .. } | NetNote::DhcpExpired { .. } => self.address = None,
            _ => {}
        }
    }

    /// Returns the events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<ApEvent> {
        std::mem::take(&mut self.events)
    }

    /// Switches the radio like its supply: the station is not notified.
    pub(crate) fn switch(&mut self, net: &mut Netsim, now: Instant, on: bool) {
        if on != self.on {
            self.events
                .push(if on { ApEvent::Enabled } else { ApEvent::Disabled });
        }
        self.on = on;
        net.set_access_point(now, on);
    }

    /// Switches the radio off as hostapd does: it deauthenticates its station first.
    pub(crate) fn disable(&mut self, net: &mut Netsim, now: Instant) {
        net.deauthenticate(now, LEAVING);
        self.switch(net, now, false);
    }
}
