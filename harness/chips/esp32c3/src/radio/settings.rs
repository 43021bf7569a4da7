//! Mode, configuration, country, power and channel: settings can be read back, and values that the vendor's
//! driver refuses are refused with its error code.

use crate::radio::layout::{CONFIG_SIZE, COUNTRY_SIZE, err};
use crate::radio::{Radio, Step, done};
use crate::rom::call::{Call, Fault};

/// `WIFI_MODE_STA` and `WIFI_MODE_AP` as bits of `wifi_mode_t`; 3 is both.
const MODE_STA: u32 = 1;
const MODE_AP: u32 = 2;
/// Number of interfaces: station and access point.
const INTERFACES: usize = 2;

/// Settings of the driver as the guest has made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) started: bool,
    mode: u32,
    config: [[u8; CONFIG_SIZE]; INTERFACES],
    protocols: [u16; INTERFACES],
    bandwidth: [u32; INTERFACES],
    country: [u8; COUNTRY_SIZE],
    power_save: u32,
    /// Greatest transmit power, in 0.25 dBm.
    max_tx_power: i8,
    channel: (u8, u32),
}

impl Default for Settings {
    fn default() -> Settings {
        let mut country = [0; COUNTRY_SIZE];
        // "01", channels 1 to 11, 20 dBm, policy auto: the driver's default.
        country[..6].copy_from_slice(&[b'0', b'1', 0, 1, 11, 20]);
        Settings {
            started: false,
            mode: 0,
            config: [[0; CONFIG_SIZE]; INTERFACES],
            protocols: [0b111; INTERFACES],
            bandwidth: [2; INTERFACES],
            country,
            power_save: 1,
            max_tx_power: 80,
            channel: (1, 0),
        }
    }
}

impl Settings {
    /// True if the mode includes the station interface.
    pub(crate) fn is_station(&self) -> bool {
        self.mode & MODE_STA != 0
    }

    /// The station's `wifi_sta_config_t`.
    pub(crate) fn station_config(&self) -> &[u8; CONFIG_SIZE] {
        &self.config[0]
    }

    /// The channel the radio is tuned to, 1 to 14.
    pub(crate) fn tune(&mut self, channel: u8) {
        self.channel = (channel, 0);
    }
}

impl Radio {
    /// Checks that the driver is initialised; every function does this first.
    pub(super) fn check_init(&self) -> Result<(), u32> {
        if self.adapter.is_some() {
            Ok(())
        } else {
            Err(err::NOT_INIT)
        }
    }

    /// Checks that the driver is initialised and started.
    pub(super) fn check_started(&self) -> Result<(), u32> {
        self.check_init()?;
        if self.settings.started {
            Ok(())
        } else {
            Err(err::NOT_STARTED)
        }
    }

    /// The interface in the first argument: 0 station, 1 access point.
    fn interface(&self, call: &Call<'_>) -> Result<usize, u32> {
        self.check_init()?;
        match call.args[0] {
            n @ (0 | 1) => Ok(n as usize),
            _ => Err(err::IF),
        }
    }

    /// The interface in the first argument, which must be on in this mode.
    fn active_interface(&self, call: &Call<'_>) -> Result<usize, u32> {
        let interface = self.interface(call)?;
        let bit = if interface == 0 { MODE_STA } else { MODE_AP };
        if self.settings.mode & bit == 0 {
            Err(err::MODE)
        } else {
            Ok(interface)
        }
    }

    pub(super) fn set_mode(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let mode = call.args[0];
        Ok(code(self.check_init().and_then(|()| {
            if mode > 3 {
                return Err(err::INVALID_ARG);
            }
            self.settings.mode = mode;
            Ok(())
        })))
    }

    pub(super) fn get_mode(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let mode = self.settings.mode;
        self.answer_word(call, 0, mode)
    }

    pub(super) fn set_config(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let interface = match self.active_interface(call) {
            Ok(interface) => interface,
            Err(code) => return Ok(done(code)),
        };
        let raw = call.load(call.args[1], CONFIG_SIZE as u32)?;
        let password = raw[32..96].iter().position(|b| *b == 0).unwrap_or(64);
        if interface == 0 && (1..8).contains(&password) {
            return Ok(done(err::PASSWORD));
        }
        self.settings.config[interface].copy_from_slice(&raw);
        Ok(done(err::OK))
    }

    pub(super) fn get_config(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        match self.active_interface(call) {
            Ok(interface) => {
                let to = call.args[1];
                call.store(to, &self.settings.config[interface])?;
                Ok(done(err::OK))
            }
            Err(code) => Ok(done(code)),
        }
    }

    /// `(wifi_interface_t, u8 bitmap)`.
    pub(super) fn set_protocol(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let bits = call.args[1] as u16;
        Ok(code(
            self.active_interface(call)
                .and_then(|n| self.keep_protocols(n, bits)),
        ))
    }

    pub(super) fn get_protocol(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        match self.active_interface(call) {
            Ok(n) => {
                let to = call.args[1];
                call.store_u8(to, self.settings.protocols[n] as u8)?;
                Ok(done(err::OK))
            }
            Err(code) => Ok(done(code)),
        }
    }

    /// `(wifi_interface_t, wifi_protocols_t *)`: u16 for 2.4 GHz, u16 for 5 GHz.
    pub(super) fn set_protocols(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let bits = call.load_u32(call.args[1])? as u16;
        Ok(code(
            self.active_interface(call)
                .and_then(|n| self.keep_protocols(n, bits)),
        ))
    }

    pub(super) fn get_protocols(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        match self.active_interface(call) {
            Ok(n) => {
                let to = call.args[1];
                call.store_u32(to, u32::from(self.settings.protocols[n]))?;
                Ok(done(err::OK))
            }
            Err(code) => Ok(done(code)),
        }
    }

    /// 802.11 b, g, n and the vendor's long range: bits 0 to 3 on this chip.
    fn keep_protocols(&mut self, interface: usize, bits: u16) -> Result<(), u32> {
        if bits == 0 || bits > 0xF {
            return Err(err::INVALID_ARG);
        }
        self.settings.protocols[interface] = bits;
        Ok(())
    }

    pub(super) fn set_bandwidth(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let bandwidth = call.args[1];
        Ok(code(
            self.active_interface(call)
                .and_then(|n| self.keep_bandwidth(n, bandwidth)),
        ))
    }

    pub(super) fn get_bandwidth(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        match self.active_interface(call) {
            Ok(n) => self.answer_word(call, 1, self.settings.bandwidth[n]),
            Err(code) => Ok(done(code)),
        }
    }

    /// `(wifi_interface_t, wifi_bandwidths_t *)`: one word each for 2.4 and 5 GHz.
    pub(super) fn set_bandwidths(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let bandwidth = call.load_u32(call.args[1])?;
        Ok(code(
            self.active_interface(call)
                .and_then(|n| self.keep_bandwidth(n, bandwidth)),
        ))
    }

    pub(super) fn get_bandwidths(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        self.get_bandwidth(call)
    }

    /// 20 or 40 MHz (`WIFI_BW20`, `WIFI_BW40`).
    fn keep_bandwidth(&mut self, interface: usize, bandwidth: u32) -> Result<(), u32> {
        if !(1..=2).contains(&bandwidth) {
            return Err(err::INVALID_ARG);
        }
        self.settings.bandwidth[interface] = bandwidth;
        Ok(())
    }

    /// `wifi_country_t`: cc \[3\], first channel, number of channels, power, policy (word at 8).
    pub(super) fn set_country(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        let raw = call.load(call.args[0], COUNTRY_SIZE as u32)?;
        let (first, count) = (raw[3], raw[4]);
        if !(1..=14).contains(&first) || count == 0 || u32::from(first) + u32::from(count) > 15 {
            return Ok(done(err::INVALID_ARG));
        }
        self.settings.country.copy_from_slice(&raw);
        Ok(done(err::OK))
    }

    pub(super) fn get_country(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        let to = call.args[0];
        call.store(to, &self.settings.country)?;
        Ok(done(err::OK))
    }

    pub(super) fn set_ps(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let mode = call.args[0];
        Ok(code(self.check_init().and_then(|()| {
            if mode > 2 {
                return Err(err::INVALID_ARG);
            }
            self.settings.power_save = mode;
            Ok(())
        })))
    }

    pub(super) fn get_ps(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let mode = self.settings.power_save;
        self.answer_word(call, 0, mode)
    }

    /// Power in 0.25 dBm, 8 to 84.
    pub(super) fn set_max_tx_power(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let power = call.args[0] as i8;
        Ok(code(self.check_started().and_then(|()| {
            if !(8..=84).contains(&power) {
                return Err(err::INVALID_ARG);
            }
            self.settings.max_tx_power = power;
            Ok(())
        })))
    }

    pub(super) fn get_max_tx_power(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_started() {
            return Ok(done(code));
        }
        let to = call.args[0];
        call.store_u8(to, self.settings.max_tx_power as u8)?;
        Ok(done(err::OK))
    }

    /// `(u8 primary, wifi_second_chan_t)`; refused while connected, because the access point chooses the
    /// channel.
    pub(super) fn set_channel(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let [primary, second, ..] = call.args;
        Ok(code(self.check_started().and_then(|()| {
            if !(1..=14).contains(&primary) || second > 2 {
                return Err(err::INVALID_ARG);
            }
            if self.station.is_on_air() {
                return Err(err::FAIL);
            }
            self.settings.channel = (primary as u8, second);
            Ok(())
        })))
    }

    pub(super) fn get_channel(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        let [primary, second, ..] = call.args;
        call.store_u8(primary, self.settings.channel.0)?;
        call.store_u32(second, self.settings.channel.1)?;
        Ok(done(err::OK))
    }

    /// `(wifi_interface_t, const u8 mac[6])`: only while stopped, and no group address.
    pub(super) fn set_mac(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        let interface = match self.interface(call) {
            Ok(interface) => interface,
            Err(code) => return Ok(done(code)),
        };
        let mac = call.load(call.args[1], 6)?;
        if mac[0] & 1 != 0 || mac.iter().all(|b| *b == 0) {
            return Ok(done(err::MAC));
        }
        if self.settings.started {
            return Ok(done(err::STATE));
        }
        if interface == 0 {
            self.station.mac = mac.try_into().expect("six bytes");
        }
        Ok(done(err::OK))
    }

    pub(super) fn get_mac(&mut self, call: &mut Call<'_>) -> Result<Step, Fault> {
        match self.interface(call) {
            Ok(interface) => {
                let mut mac = self.station.mac;
                // The access point's address is the next one (ESP-IDF, "MAC Address Allocation").
                mac[5] = mac[5].wrapping_add(interface as u8);
                let to = call.args[1];
                call.store(to, &mac)?;
                Ok(done(err::OK))
            }
            Err(code) => Ok(done(code)),
        }
    }

    /// Stores a word where argument `n` points.
    fn answer_word(&mut self, call: &mut Call<'_>, n: usize, value: u32) -> Result<Step, Fault> {
        if let Err(code) = self.check_init() {
            return Ok(done(code));
        }
        let to = call.args[n];
        if to == 0 {
            return Ok(done(err::INVALID_ARG));
        }
        call.store_u32(to, value)?;
        Ok(done(err::OK))
    }
}

/// Turns the result of a check into the answer of a function.
pub(super) fn code(result: Result<(), u32>) -> Step {
    done(result.err().unwrap_or(err::OK))
}
