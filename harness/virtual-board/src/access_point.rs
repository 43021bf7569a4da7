//! The access point as those who watch or command it see it.

use std::net::Ipv4Addr;

use netsim::{ApConfig, NetNote, Netsim};
use sim::Instant;
use sim::air::{Mac, Reason};

/// Deauthenticated because the sending station is leaving (IEEE 802.11-2020, table 9-49): what hostapd tells its
/// stations when it is disabled.
const LEAVING: Reason = Reason(3);

/// Something that hostapd's monitors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApEvent {
    Enabled,
    Disabled,
    StationCame(Mac),
    StationLeft(Mac),
}

/// What is known of the access point.
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

    /// Follows what the network notes.
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

    /// Takes what monitors have not been told.
    pub(crate) fn take_events(&mut self) -> Vec<ApEvent> {
        std::mem::take(&mut self.events)
    }

    /// Switches the radio as a power switch does: without a word.
    pub(crate) fn switch(&mut self, net: &mut Netsim, now: Instant, on: bool) {
        if on != self.on {
            self.events
                .push(if on { ApEvent::Enabled } else { ApEvent::Disabled });
        }
        self.on = on;
        net.set_access_point(now, on);
    }

    /// Switches the radio off as hostapd does: it says goodbye to its station first.
    pub(crate) fn disable(&mut self, net: &mut Netsim, now: Instant) {
        net.deauthenticate(now, LEAVING);
        self.switch(net, now, false);
    }
}
