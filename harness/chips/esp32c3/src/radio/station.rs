//! The station: start, stop, scan, connect, disconnect.

use std::collections::VecDeque;
use std::time::Duration;

use sim::air::{ApInfo, FromAir, Mac, Reason, ToAir};

use crate::radio::layout::{self, err, event};
use crate::radio::settings::code;
use crate::radio::{Radio, Step, done};
use crate::rom::call::{Call, Fault, Reply};

/// Interval at which a blocking scan checks for its end.
const SCAN_POLL: Duration = Duration::from_millis(1);

/// State of the association with an access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Link {
    #[default]
    Down,
    /// The request is sent, the access point has not answered.
    Connecting,
    Up {
        ap: ApInfo,
        aid: u16,
    },
    /// The guest has disconnected, and the access point has not confirmed.
    Leaving,
}

/// State of the station interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Station {
    pub(crate) mac: Mac,
    link: Link,
    /// Signal of the current association, dBm.
    rssi_dbm: i8,
    /// Number of disconnections that the access point has not confirmed yet. Such a confirmation must not be
    /// taken for the answer to a later attempt.
    goodbyes: u32,
    scanning: bool,
    /// A blocking `scan_start` is waiting.
    scan_blocks: bool,
    scan_id: u8,
    found: VecDeque<ApInfo>,
}

impl Station {
    /// True from the request for an association until the access point confirms its end.
    pub(crate) fn is_on_air(&self) -> bool {
        self.link != Link::Down
    }

    /// True if the station is associated, so that data frames can be sent.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }
}

impl Radio {
    /// `esp_wifi_start()`: posts its event before it returns.
    pub(super) fn start(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        if self.settings.started {
            return Ok(done(err::OK));
        }
        self.settings.started = true;
        if !self.settings.is_station() {
            return Ok(done(err::OK));
        }
        self.post_then([(event::STA_START, Vec::new())].into(), err::OK, call)
    }

    /// `esp_wifi_stop()`: leaves the network first; posts its events before it returns.
    pub(super) fn stop(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        if !std::mem::take(&mut self.settings.started) {
            return Ok(done(err::OK));
        }
        let mut events = VecDeque::new();
        match std::mem::take(&mut self.station.link) {
            Link::Down => {}
            Link::Connecting => {
                self.to_air.push(ToAir::Disconnect);
                self.station.goodbyes += 1;
            }
            Link::Leaving => self.station.goodbyes += 1,
            Link::Up { ap, .. } => {
                self.to_air.push(ToAir::Disconnect);
                self.station.goodbyes += 1;
                let lost =
                    layout::disconnected(&ap.ssid, &ap.bssid, Reason::ASSOC_LEAVE, self.station.rssi_dbm);
                events.push_back((event::STA_DISCONNECTED, lost));
            }
        }
        self.station.scanning = false;
        self.drop_tx();
        if self.settings.is_station() {
            events.push_back((event::STA_STOP, Vec::new()));
        }
        self.post_then(events, err::OK, call)
    }

    /// `esp_wifi_connect_internal()`: returns at once; an event reports the result.
    pub(super) fn connect(&mut self, _: &mut Call<'_>) -> Result<Step, Fault> {
        Ok(code(self.check_started().and_then(|()| {
            if !self.settings.is_station() {
                return Err(err::MODE);
            }
            let config = layout::station_config(self.settings.station_config());
            if config.ssid.is_empty() {
                return Err(err::SSID);
            }
            if self.station.link != Link::Down {
                return Err(err::CONN);
            }
            self.station.link = Link::Connecting;
            self.to_air.push(ToAir::Connect {
                ssid: config.ssid,
                password: config.password,
                bssid: config.bssid,
                mac: self.station.mac,
            });
            Ok(())
        })))
    }

    /// `esp_wifi_disconnect_internal()`: also ends an attempt; without association or attempt it has no
    /// effect.
    pub(super) fn disconnect(&mut self, _: &mut Call<'_>) -> Result<Step, Fault> {
        Ok(code(self.check_started().map(|()| {
            if matches!(self.station.link, Link::Up { .. } | Link::Connecting) {
                self.station.link = Link::Leaving;
                self.to_air.push(ToAir::Disconnect);
            }
        })))
    }

    /// `esp_wifi_scan_start(const wifi_scan_config_t *, bool block)`; fields ssid (offset 0) and channel
    /// (offset 8) of the configuration narrow the scan. A blocking scan repeats the call until the scan is
    /// over.
    pub(super) fn scan_start(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let [config, block, ..] = call.args;
        let blocks = block & 0xFF != 0;
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        if self.station.scan_blocks {
            if self.station.scanning {
                return Ok(Step::Reply(Reply::Again {
                    after: SCAN_POLL,
                    a0: config,
                }));
            }
            self.station.scan_blocks = false;
            return Ok(done(err::OK));
        }
        if self.station.scanning || self.station.link == Link::Connecting {
            return Ok(done(err::STATE));
        }
        let (mut ssid, mut channel) = (None, None);
        if config != 0 {
            let name = call.load_u32(config)?;
            if name != 0 {
                ssid = Some(layout::text(&call.load_text_of(name, 32)?));
            }
            channel = Some(call.load_u8(config + 8)?).filter(|c| *c != 0);
        }
        if channel.is_some_and(|c| c > 14) {
            return Ok(done(err::INVALID_ARG));
        }
        self.station.scanning = true;
        self.station.found.clear();
        self.station.scan_id = self.station.scan_id.wrapping_add(1);
        self.to_air.push(ToAir::Scan { ssid, channel });
        if blocks {
            self.station.scan_blocks = true;
            return Ok(Step::Reply(Reply::Again {
                after: SCAN_POLL,
                a0: config,
            }));
        }
        Ok(done(err::OK))
    }

    /// `esp_wifi_scan_stop()`: the results so far are lost.
    pub(super) fn scan_stop(&mut self, _: &mut Call<'_>) -> Result<Step, Fault> {
        Ok(code(self.check_started().map(|()| self.station.scanning = false)))
    }

    pub(super) fn scan_get_ap_num(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        let to = call.args[0];
        call.store_u16(to, self.station.found.len().min(0xFFFF) as u16)?;
        Ok(done(err::OK))
    }

    /// Stores one record for the guest and removes it from the list.
    pub(super) fn scan_get_ap_record(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        let Some(ap) = self.station.found.pop_front() else {
            return Ok(done(err::FAIL));
        };
        let to = call.args[0];
        call.store(to, &layout::ap_record(&ap, ap.rssi_dbm))?;
        Ok(done(err::OK))
    }

    /// `(u16 *number, wifi_ap_record_t *)`: stores as many records as there is room for, then clears the
    /// list.
    pub(super) fn scan_get_ap_records(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        let [number, to, ..] = call.args;
        let room = call.load_u32(number & !3)? >> (8 * (number & 2)) & 0xFFFF;
        let mut count = 0;
        for ap in self.station.found.drain(..).take(room as usize) {
            let at = to + count * layout::AP_RECORD_SIZE as u32;
            call.store(at, &layout::ap_record(&ap, ap.rssi_dbm))?;
            count += 1;
        }
        call.store_u16(number, count as u16)?;
        Ok(done(err::OK))
    }

    pub(super) fn clear_ap_list(&mut self, _: &mut Call<'_>) -> Result<Step, Fault> {
        Ok(code(self.check_init().map(|()| self.station.found.clear())))
    }

    pub(super) fn sta_get_rssi(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if !self.station.is_connected() {
            return Ok(done(err::FAIL));
        }
        let to = call.args[0];
        call.store_u32(to, i32::from(self.station.rssi_dbm) as u32)?;
        Ok(done(err::OK))
    }

    pub(super) fn sta_get_ap_info(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if self.check_started().is_err() || !self.settings.is_station() {
            return Ok(done(err::CONN));
        }
        let Link::Up { ap, .. } = &self.station.link else {
            return Ok(done(err::NOT_CONNECT));
        };
        let to = call.args[0];
        call.store(to, &layout::ap_record(ap, self.station.rssi_dbm))?;
        Ok(done(err::OK))
    }

    pub(super) fn sta_get_aid(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let aid = match self.station.link {
            Link::Up { aid, .. } => aid,
            _ => 0,
        };
        let to = call.args[0];
        call.store_u16(to, aid)?;
        Ok(done(err::OK))
    }

    /// Handles a message that is no data frame. Answers to requests that the station has abandoned are
    /// ignored.
    pub(super) fn receive_management(&mut self, message: FromAir) {
        match message {
            FromAir::ScanDone(found) if self.station.scanning => {
                self.station.scanning = false;
                self.post_later(
                    event::SCAN_DONE,
                    layout::scan_done(found.len(), self.station.scan_id),
                );
                self.station.found = found.into();
            }
            FromAir::Connected { ap, .. }
                if self.station.link == Link::Connecting && self.is_too_weak(&ap) =>
            {
                self.to_air.push(ToAir::Disconnect);
                self.station.goodbyes += 1;
                self.station.link = Link::Down;
                let refused = layout::REASON_AUTHMODE_THRESHOLD;
                let lost = layout::disconnected(&ap.ssid, &[0; 6], refused, ap.rssi_dbm);
                self.post_later(event::STA_DISCONNECTED, lost);
            }
            FromAir::Connected { ap, aid } if self.station.link == Link::Connecting => {
                self.station.rssi_dbm = ap.rssi_dbm;
                self.settings.tune(ap.channel);
                self.post_later(event::STA_CONNECTED, layout::connected(&ap, aid));
                self.station.link = Link::Up { ap, aid };
            }
            FromAir::Disconnected {
                reason: Reason::ASSOC_LEAVE,
                ..
            } if self.station.goodbyes > 0 => {
                self.station.goodbyes -= 1;
            }
            FromAir::Disconnected {
                ssid,
                bssid,
                reason,
                rssi_dbm,
            } if self.station.is_on_air() => {
                // The access point ended the association first: its confirmation is still to come.
                if self.station.link == Link::Leaving && reason != Reason::ASSOC_LEAVE {
                    self.station.goodbyes += 1;
                }
                self.station.link = Link::Down;
                self.drop_tx();
                let lost = layout::disconnected(&ssid, &bssid, reason, rssi_dbm);
                self.post_later(event::STA_DISCONNECTED, lost);
            }
            FromAir::Rssi(rssi_dbm) => self.station.rssi_dbm = rssi_dbm,
            FromAir::ScanDone(_) | FromAir::Connected { .. } | FromAir::Disconnected { .. } => {}
            FromAir::Frame(_) => unreachable!("data frames go another way"),
        }
    }

    /// The driver does not join a network whose authentication is weaker than configured, such as an open one of
    /// the same name.
    fn is_too_weak(&self, ap: &ApInfo) -> bool {
        let weakest = layout::station_config(self.settings.station_config()).weakest;
        (ap.auth as u8) < weakest as u8
    }
}
