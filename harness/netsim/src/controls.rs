//! Changes of the network while it runs: the access point, the services, the link.

use std::time::Duration;

use sim::Instant;
use sim::air::Reason;

use crate::config::{check_channel, check_password};
use crate::impair::{Filter, Impairment, RuleId};
use crate::{ApConfig, DhcpMode, DnsMode, NetError, Netsim, SntpMode};

/// What a bench has set in a network while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetSettings {
    /// The access point as it is now, and whether it is on.
    pub access_point: (ApConfig, bool),
    /// How the DHCP server behaves, the time of new leases (s), and whether another host claims the address.
    pub dhcp: (DhcpMode, u32, bool),
    /// How the DNS server behaves, and how long an answer takes.
    pub dns: (DnsMode, Duration),
    /// How the SNTP server behaves, and what it adds to civil time, ns.
    pub sntp: (SntpMode, i128),
    /// Whether somebody listens at every address and port.
    pub listening_everywhere: bool,
    /// Rules in force.
    pub rules: usize,
}

impl Netsim {
    /// What is set now.
    pub fn settings(&self) -> NetSettings {
        NetSettings {
            access_point: (self.radio.ap().clone(), self.radio.is_on()),
            dhcp: (
                self.gateway.dhcp.mode,
                self.config.lease_time_s,
                self.gateway.address_conflict,
            ),
            dns: (self.gateway.dns_mode, self.gateway.dns_delay),
            sntp: (self.sntp_mode, self.config.ntp_offset_ns),
            listening_everywhere: self.listening_everywhere,
            rules: self.link.rules() + self.refused.len(),
        }
    }

    /// Whether the station is associated, or about to be.
    pub fn has_station(&self) -> bool {
        self.radio.passes().is_ok()
    }

    /// Switches the access point off or on. While it is off frames are lost, and after
    /// [`BEACON_LOSS`](crate::BEACON_LOSS) the station detects it. If it is on again before that, the
    /// association continues.
    pub fn set_access_point(&mut self, now: Instant, on: bool) {
        self.poll(now);
        self.radio.set(|_, is_on| *is_on = on);
    }

    /// The access point ends the association, or an attempt at one. No effect if there is none.
    pub fn deauthenticate(&mut self, now: Instant, reason: Reason) {
        self.poll(now);
        let notes = &mut self.notes;
        self.radio
            .deauthenticate(now + self.config.latency, reason, &mut |note| {
                notes.push(now, note)
            });
    }

    /// Changes the password. An existing association continues.
    ///
    /// # Errors
    /// [`NetError::PasswordLength`], [`NetError::PasswordOnOpen`].
    pub fn set_password(&mut self, password: String) -> Result<(), NetError> {
        let ap = self.radio.ap();
        check_password(&ap.ssid, ap.auth, &password)?;
        self.radio.set(|ap, _| ap.password = password);
        Ok(())
    }

    /// Changes the signal strength at the station, dBm. This alone loses no frames.
    pub fn set_rssi(&mut self, rssi_dbm: i8) {
        self.radio.set(|ap, _| ap.rssi_dbm = rssi_dbm);
    }

    /// Hides the network's name in the beacons, or shows it again.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.radio.set(|ap, _| ap.hidden = hidden);
    }

    /// Moves the access point to another channel without notice: its station loses it, as when it is switched
    /// off.
    ///
    /// # Errors
    /// [`NetError::Channel`].
    pub fn set_channel(&mut self, channel: u8) -> Result<(), NetError> {
        check_channel(channel)?;
        self.radio.set(|ap, _| ap.channel = channel);
        Ok(())
    }

    /// Changes the behaviour of the DHCP server.
    pub fn set_dhcp(&mut self, mode: DhcpMode) {
        self.gateway.dhcp.mode = mode;
    }

    /// Changes the duration of leases granted from now on, s; 0 counts as 1.
    pub fn set_lease_time(&mut self, lease_time_s: u32) {
        self.config.lease_time_s = lease_time_s.max(1);
    }

    /// Makes another host answer ARP requests for the station's address (RFC 5227), or ends that.
    pub fn set_address_conflict(&mut self, conflict: bool) {
        self.gateway.address_conflict = conflict;
    }

    /// Changes the behaviour of the DNS server, and the delay of its answers.
    pub fn set_dns(&mut self, mode: DnsMode, delay: Duration) {
        self.gateway.dns_mode = mode;
        self.gateway.dns_delay = delay;
    }

    /// Makes a server listen at every address and port, as with a captive portal, or ends that.
    pub fn set_listening_everywhere(&mut self, everywhere: bool) {
        self.listening_everywhere = everywhere;
    }

    /// Changes the behaviour of the SNTP server, and its offset from civil time, ns.
    pub fn set_sntp(&mut self, mode: SntpMode, offset_ns: i128) {
        self.sntp_mode = mode;
        self.config.ntp_offset_ns = offset_ns;
    }

    /// Impairs the radio link until the rule is removed.
    ///
    /// # Errors
    /// [`NetError::Fraction`], [`NetError::Latency`], [`NetError::Bandwidth`].
    pub fn impair(&mut self, impairment: Impairment) -> Result<RuleId, NetError> {
        impairment.check()?;
        let id = self.new_rule();
        self.link.add(id, impairment);
        Ok(id)
    }

    /// Refuses new connections that the filter selects: a reset answers each SYN, as from a closed port.
    /// Existing connections continue. To lose the frames without an answer, [`impair`](Self::impair) with a
    /// loss of all frames.
    pub fn refuse(&mut self, filter: Filter) -> RuleId {
        let id = self.new_rule();
        self.refused.insert(id, filter);
        id
    }

    /// Removes a rule. Returns true if it was active.
    pub fn remove_rule(&mut self, id: RuleId) -> bool {
        self.link.remove(id) || self.refused.remove(&id).is_some()
    }

    fn new_rule(&mut self) -> RuleId {
        let id = RuleId(self.next_rule);
        self.next_rule += 1;
        id
    }
}
