//! The vendor's structures in guest memory (`esp_wifi_types_generic.h`, `esp_private/wifi.h` and
//! `esp_private/wifi_os_adapter.h` of ESP-IDF 5.5, as bound by esp-wifi-sys 0.3), by byte offset.

use sim::air::{ApInfo, AuthMode, Mac, Reason};

/// Error codes (`esp_err_t`).
pub(crate) mod err {
    pub(crate) const OK: u32 = 0;
    pub(crate) const FAIL: u32 = u32::MAX;
    pub(crate) const NO_MEM: u32 = 0x101;
    pub(crate) const INVALID_ARG: u32 = 0x102;
    pub(crate) const NOT_SUPPORTED: u32 = 0x106;
    pub(crate) const NOT_INIT: u32 = 0x3001;
    pub(crate) const NOT_STARTED: u32 = 0x3002;
    pub(crate) const NOT_STOPPED: u32 = 0x3003;
    pub(crate) const IF: u32 = 0x3004;
    pub(crate) const MODE: u32 = 0x3005;
    pub(crate) const STATE: u32 = 0x3006;
    pub(crate) const CONN: u32 = 0x3007;
    pub(crate) const MAC: u32 = 0x3009;
    pub(crate) const SSID: u32 = 0x300A;
    pub(crate) const PASSWORD: u32 = 0x300B;
    pub(crate) const NOT_CONNECT: u32 = 0x300F;
    pub(crate) const INIT_STATE: u32 = 0x3013;
    pub(crate) const NOT_ASSOC: u32 = 0x3015;
}

/// Numbers of WiFi events (`wifi_event_t`).
pub(crate) mod event {
    pub(crate) const SCAN_DONE: u32 = 1;
    pub(crate) const STA_START: u32 = 2;
    pub(crate) const STA_STOP: u32 = 3;
    pub(crate) const STA_CONNECTED: u32 = 4;
    pub(crate) const STA_DISCONNECTED: u32 = 5;
}

/// Offsets in `wifi_init_config_t`.
pub(crate) mod init {
    pub(crate) const OSI_FUNCS: u32 = 0;
    pub(crate) const STATIC_RX_BUF_NUM: u32 = 56;
    pub(crate) const DYNAMIC_RX_BUF_NUM: u32 = 60;
    pub(crate) const DYNAMIC_TX_BUF_NUM: u32 = 72;
    pub(crate) const MAGIC: u32 = 152;
    pub(crate) const MAGIC_VALUE: u32 = 0x1F2F_3F4F;
}

/// Offsets in `wifi_osi_funcs_t`, version 9.
pub(crate) mod osi {
    pub(crate) const VERSION: u32 = 0;
    pub(crate) const VERSION_VALUE: u32 = 9;
    pub(crate) const FREE: u32 = 176;
    pub(crate) const EVENT_POST: u32 = 180;
    pub(crate) const READ_MAC: u32 = 220;
    pub(crate) const MALLOC_INTERNAL: u32 = 344;
    pub(crate) const MAGIC: u32 = 476;
    pub(crate) const MAGIC_VALUE: u32 = 0xDEAD_BEAF;
}

/// Size of `wifi_sta_config_t`, which is also that of the union `wifi_config_t`, bytes.
pub(crate) const CONFIG_SIZE: usize = 184;
/// Size of `wifi_ap_record_t`, bytes.
pub(crate) const AP_RECORD_SIZE: usize = 92;
/// Size of `wifi_country_t`, bytes.
pub(crate) const COUNTRY_SIZE: usize = 12;
/// Cipher CCMP, which WPA2 and WPA3 use (`wifi_cipher_type_t`).
const CIPHER_CCMP: u8 = 4;

/// Reason code `WIFI_REASON_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD`.
pub(crate) const REASON_AUTHMODE_THRESHOLD: Reason = Reason(211);

/// The fields of a station's configuration that the model uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StationConfig {
    pub(crate) ssid: String,
    pub(crate) password: String,
    pub(crate) bssid: Option<Mac>,
    /// The weakest authentication to accept.
    pub(crate) weakest: AuthMode,
}

/// Reads `wifi_sta_config_t`: ssid 0 \[32\], password 32 \[64\], bssid_set 100, bssid 101, threshold.authmode 120.
pub(crate) fn station_config(raw: &[u8; CONFIG_SIZE]) -> StationConfig {
    let bssid = raw[101..107].try_into().expect("six bytes");
    let password = text(&raw[32..96]);
    // Without a threshold, a password means at least WPA2 (ESP-IDF, `wifi_scan_threshold_t`).
    let weakest = match raw[120] {
        0 if password.is_empty() => AuthMode::Open,
        6 => AuthMode::Wpa3Psk,
        _ => AuthMode::Wpa2Psk,
    };
    StationConfig {
        ssid: text(&raw[..32]),
        password,
        bssid: (raw[100] != 0).then_some(bssid),
        weakest,
    }
}

/// Text of a field up to the first zero. Bytes that are not UTF-8 are replaced and match no network.
pub(crate) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn put_ssid(out: &mut [u8], ssid: &str) -> u8 {
    let len = ssid.len().min(32);
    out[..len].copy_from_slice(&ssid.as_bytes()[..len]);
    len as u8
}

/// `wifi_event_sta_connected_t`, 48 bytes.
pub(crate) fn connected(ap: &ApInfo, aid: u16) -> Vec<u8> {
    let mut out = vec![0; 48];
    out[32] = put_ssid(&mut out[..32], &ap.ssid);
    out[33..39].copy_from_slice(&ap.bssid);
    out[39] = ap.channel;
    out[40] = ap.auth as u8;
    out[44..46].copy_from_slice(&aid.to_le_bytes());
    out
}

/// `wifi_event_sta_disconnected_t`, 41 bytes.
pub(crate) fn disconnected(ssid: &str, bssid: &Mac, reason: Reason, rssi_dbm: i8) -> Vec<u8> {
    let mut out = vec![0; 41];
    out[32] = put_ssid(&mut out[..32], ssid);
    out[33..39].copy_from_slice(bssid);
    out[39] = reason.0;
    out[40] = rssi_dbm as u8;
    out
}

/// `wifi_event_sta_scan_done_t`, 8 bytes: status (0 success), number, id.
pub(crate) fn scan_done(number: usize, id: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, number.min(255) as u8, id, 0, 0]
}

/// `wifi_ap_record_t`: bssid 0, ssid 6 \[33\], primary 39, rssi 44, authmode 48, ciphers 52 and 56, 802.11 b/g/n
/// bits 64, country 68.
pub(crate) fn ap_record(ap: &ApInfo, rssi_dbm: i8) -> [u8; AP_RECORD_SIZE] {
    let mut out = [0; AP_RECORD_SIZE];
    out[..6].copy_from_slice(&ap.bssid);
    put_ssid(&mut out[6..38], &ap.ssid);
    out[39] = ap.channel;
    out[44] = rssi_dbm as u8;
    out[48] = ap.auth as u8;
    if ap.auth != AuthMode::Open {
        out[52] = CIPHER_CCMP;
        out[56] = CIPHER_CCMP;
    }
    out[64] = 0b111;
    out[68..73].copy_from_slice(&[b'0', b'1', 0, 1, 11]);
    // Bandwidth 20 MHz (`WIFI_BW20`).
    out[84] = 1;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ap() -> ApInfo {
        ApInfo {
            ssid: "bench".to_owned(),
            bssid: [2, 0, 0, 0, 0, 9],
            channel: 6,
            rssi_dbm: -52,
            auth: AuthMode::Wpa2Psk,
        }
    }

    #[test]
    fn events_have_the_vendors_layout() {
        let connected = connected(&ap(), 0x0102);
        assert_eq!(connected.len(), 48);
        assert_eq!(&connected[..6], b"bench\0");
        assert_eq!(connected[32..46], [5, 2, 0, 0, 0, 0, 9, 6, 3, 0, 0, 0, 2, 1]);

        let lost = disconnected("bench", &[2, 0, 0, 0, 0, 9], Reason::BEACON_TIMEOUT, -91);
        assert_eq!(lost.len(), 41);
        assert_eq!(lost[32..], [5, 2, 0, 0, 0, 0, 9, 200, 0xA5]);

        assert_eq!(scan_done(3, 7), [0, 0, 0, 0, 3, 7, 0, 0]);
    }

    #[test]
    fn a_record_has_the_vendors_layout() {
        let record = ap_record(&ap(), -52);
        assert_eq!(record[..6], [2, 0, 0, 0, 0, 9]);
        assert_eq!(&record[6..12], b"bench\0");
        assert_eq!(
            (record[39], record[44] as i8, record[48], record[52]),
            (6, -52, 3, 4)
        );
        let open = ap_record(
            &ApInfo {
                auth: AuthMode::Open,
                ..ap()
            },
            -52,
        );
        assert_eq!((open[48], open[52]), (0, 0));
    }

    #[test]
    fn a_station_config_is_read() {
        let mut raw = [0; CONFIG_SIZE];
        raw[..32].fill(b'a');
        raw[32..40].copy_from_slice(b"password");
        let config = station_config(&raw);
        assert_eq!(config.ssid, "a".repeat(32));
        assert_eq!((config.password.as_str(), config.bssid), ("password", None));
        raw[100] = 1;
        raw[101..107].copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(station_config(&raw).bssid, Some([1, 2, 3, 4, 5, 6]));
        assert_eq!(station_config(&raw).weakest, AuthMode::Wpa2Psk);
        raw[120] = 6;
        assert_eq!(station_config(&raw).weakest, AuthMode::Wpa3Psk);
        assert_eq!(station_config(&[0; CONFIG_SIZE]).weakest, AuthMode::Open);
    }
}
