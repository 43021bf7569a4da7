//! Configuration of a network, and its checks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use sim::UnixTime;
use sim::air::{ApInfo, AuthMode, Mac};

/// Reason why a [`NetConfig`] is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The network's name is too long or empty: an SSID has at most 32 octets, and an empty one is the
    /// wildcard (IEEE 802.11-2020, 9.4.2.2).
    #[error("network name {ssid:?} has {len} bytes, expected 1 to 32")]
    SsidLength {
        /// Name of the network.
        ssid: String,
        /// Length of the name, bytes.
        len: usize,
    },
    /// The password is too short or too long: a pass-phrase has 8 to 63 characters (IEEE 802.11-2020, annex
    /// J.4).
    #[error("password has {len} bytes, expected 8 to 63")]
    PasswordLength {
        /// Length of the password, bytes.
        len: usize,
    },
    /// A password is given for an open network.
    #[error("network {ssid:?} is open and has a password")]
    PasswordOnOpen {
        /// Name of the network.
        ssid: String,
    },
    /// The number is not that of a 2.4 GHz channel.
    #[error("channel {channel} is not one of 1 to 14")]
    Channel {
        /// The number as configured.
        channel: u8,
    },
    /// The access point's MAC address is not a unicast address.
    #[error("access point address {} is not a unicast MAC address", mac_text(.bssid))]
    Bssid {
        /// The MAC address as configured.
        bssid: Mac,
    },
    /// The subnet has no room for the gateway and a station.
    #[error("prefix length {prefix_len} is not one of 8 to 30")]
    PrefixLength {
        /// Length of the prefix, bits.
        prefix_len: u8,
    },
    /// An address is not that of a host in the gateway's subnet.
    #[error("{what} {addr} is not a host of the gateway's subnet")]
    Address {
        /// Name of the setting.
        what: &'static str,
        /// The address as configured.
        addr: Ipv4Addr,
    },
    /// The lease range is empty or contains the gateway.
    #[error("lease range {first} to {last} is empty or contains the gateway")]
    LeaseRange {
        /// First address of the range.
        first: Ipv4Addr,
        /// Last address of the range.
        last: Ipv4Addr,
    },
    /// The duration of a lease is 0.
    #[error("lease time is 0 s")]
    LeaseTime,
    /// A name is not valid: at most 253 characters, labels of 1 to 63 (RFC 1035, 2.3.4).
    #[error("{name:?} is not a host name")]
    HostName {
        /// The name as configured.
        name: String,
    },
    /// The address of a record cannot be that of a host.
    #[error("{name} cannot have the address {addr}")]
    RecordAddress {
        /// Name of the record.
        name: String,
        /// Address of the record.
        addr: Ipv4Addr,
    },
    /// A latency is longer than a minute.
    #[error("{what} of {latency:?} is over a minute")]
    Latency {
        /// Name of the setting.
        what: &'static str,
        /// The latency as configured.
        latency: Duration,
    },
    /// A fraction, such as a loss, is greater than 1.
    #[error("{what} is over 1,000,000 millionths")]
    Fraction {
        /// Name of the setting.
        what: &'static str,
    },
    /// The bandwidth is 0. To lose all frames, switch the access point off or use a loss.
    #[error("bandwidth is 0 bit/s")]
    Bandwidth,
}

pub(crate) fn mac_text(mac: &Mac) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// The access point with which the gateway is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApConfig {
    /// Network name, 1 to 32 bytes.
    pub ssid: String,
    /// Pre-shared key, 8 to 63 bytes; empty when `auth` is [`AuthMode::Open`].
    pub password: String,
    /// Authentication mode of stations.
    pub auth: AuthMode,
    /// MAC address, which is also the gateway's on the Ethernet side.
    pub bssid: Mac,
    /// 2.4 GHz channel, 1 to 14.
    pub channel: u8,
    /// Signal strength at the station, dBm.
    pub rssi_dbm: i8,
    /// True if beacons do not contain the name.
    pub hidden: bool,
}

impl Default for ApConfig {
    fn default() -> Self {
        ApConfig {
            ssid: "oceanrig".into(),
            password: "salt-water".into(),
            auth: AuthMode::Wpa2Psk,
            bssid: [0x02, 0x0c, 0xea, 0x00, 0x00, 0x01],
            channel: 6,
            rssi_dbm: -52,
            hidden: false,
        }
    }
}

impl ApConfig {
    /// The access point as a scan lists it. A hidden one is listed only in scans for its name.
    pub(crate) fn info(&self) -> ApInfo {
        ApInfo {
            ssid: self.ssid.clone(),
            bssid: self.bssid,
            channel: self.channel,
            rssi_dbm: self.rssi_dbm,
            auth: self.auth,
        }
    }
}

/// Configuration of a network: hosts, latencies, services and civil time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// The access point that the device can join.
    pub ap: ApConfig,
    /// Other access points in scans; the device cannot join them.
    pub other_aps: Vec<ApInfo>,
    /// Address of the gateway, which is also the server for DHCP and DNS.
    pub gateway_ip: Ipv4Addr,
    /// Length of its subnet's prefix, bits.
    pub prefix_len: u8,
    /// First address that DHCP leases.
    pub lease_first: Ipv4Addr,
    /// Last address that DHCP leases.
    pub lease_last: Ipv4Addr,
    /// Duration of a DHCP lease, s (option 51); T1 is half of it, T2 seven eighths (RFC 2131, 4.4.5).
    pub lease_time_s: u32,
    /// A records by name, without regard to case; other names do not exist.
    pub dns_records: BTreeMap<String, Ipv4Addr>,
    /// Latency of a frame between station and access point, one way.
    pub latency: Duration,
    /// Latency of a packet between gateway and servers, one way.
    pub wan_latency: Duration,
    /// Civil time at [`sim::Instant::ZERO`].
    pub epoch: UnixTime,
    /// Names of the TCP services by address and port. Connections to other addresses and ports are refused.
    pub listeners: BTreeMap<(Ipv4Addr, u16), String>,
    /// DNS servers beside the gateway. Queries to other addresses get no answer.
    pub resolvers: BTreeSet<Ipv4Addr>,
    /// Addresses of the time servers. Polls to other addresses get no answer.
    pub ntp_servers: BTreeSet<Ipv4Addr>,
    /// UDP port of the time servers.
    pub ntp_port: u16,
    /// Offset of the SNTP server from civil time, ns.
    pub ntp_offset_ns: i128,
    /// Seed of the scenario, for all random numbers of the network.
    pub seed: u64,
    /// True if every frame is kept for [`Netsim::take_capture`](crate::Netsim::take_capture).
    pub capture: bool,
}

impl Default for NetConfig {
    fn default() -> Self {
        let time = Ipv4Addr::new(203, 0, 113, 123);
        let dns = [("pool.ntp.org", time)];
        NetConfig {
            ap: ApConfig::default(),
            other_aps: Vec::new(),
            gateway_ip: Ipv4Addr::new(192, 168, 4, 1),
            prefix_len: 24,
            lease_first: Ipv4Addr::new(192, 168, 4, 100),
            lease_last: Ipv4Addr::new(192, 168, 4, 199),
            lease_time_s: 7200,
            dns_records: dns.into_iter().map(|(name, ip)| (name.to_owned(), ip)).collect(),
            latency: Duration::from_millis(2),
            wan_latency: Duration::from_millis(20),
            epoch: UnixTime::from_secs(1_767_225_600),
            listeners: BTreeMap::new(),
            resolvers: BTreeSet::new(),
            ntp_servers: BTreeSet::from([time]),
            ntp_port: 123,
            ntp_offset_ns: 0,
            seed: 0,
            capture: false,
        }
    }
}

impl NetConfig {
    /// The mask of the gateway's subnet.
    pub fn netmask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix_len)).unwrap_or(0))
    }

    /// True if `ip` is an address of the gateway's subnet.
    pub fn in_subnet(&self, ip: Ipv4Addr) -> bool {
        let mask = self.netmask().to_bits();
        ip.to_bits() & mask == self.gateway_ip.to_bits() & mask
    }

    /// The subnet's broadcast address.
    pub fn subnet_broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.gateway_ip.to_bits() | !self.netmask().to_bits())
    }

    pub(crate) fn check(&self) -> Result<(), NetError> {
        check_ap(&self.ap)?;
        for ap in &self.other_aps {
            check_channel(ap.channel)?;
            check_bssid(ap.bssid)?;
            if ap.ssid.len() > 32 {
                return Err(NetError::SsidLength {
                    ssid: ap.ssid.clone(),
                    len: ap.ssid.len(),
                });
            }
        }
        self.check_addresses()?;
        for (name, addr) in &self.dns_records {
            check_host_name(name)?;
            if addr.is_unspecified() || addr.is_broadcast() || addr.is_multicast() {
                return Err(NetError::RecordAddress {
                    name: name.clone(),
                    addr: *addr,
                });
            }
        }
        for (what, latency) in [("latency", self.latency), ("wan latency", self.wan_latency)] {
            if latency > Duration::from_secs(60) {
                return Err(NetError::Latency { what, latency });
            }
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), NetError> {
        if !(8..=30).contains(&self.prefix_len) {
            return Err(NetError::PrefixLength {
                prefix_len: self.prefix_len,
            });
        }
        let network = Ipv4Addr::from_bits(self.gateway_ip.to_bits() & self.netmask().to_bits());
        let is_host = |ip| self.in_subnet(ip) && ip != network && ip != self.subnet_broadcast();
        for (what, addr) in [
            ("gateway address", self.gateway_ip),
            ("first lease", self.lease_first),
            ("last lease", self.lease_last),
        ] {
            if !is_host(addr) || addr.is_multicast() || addr.is_loopback() {
                return Err(NetError::Address { what, addr });
            }
        }
        let range = self.lease_first..=self.lease_last;
        if range.is_empty() || range.contains(&self.gateway_ip) {
            return Err(NetError::LeaseRange {
                first: self.lease_first,
                last: self.lease_last,
            });
        }
        if self.lease_time_s == 0 {
            return Err(NetError::LeaseTime);
        }
        Ok(())
    }
}

fn check_ap(ap: &ApConfig) -> Result<(), NetError> {
    if !(1..=32).contains(&ap.ssid.len()) {
        return Err(NetError::SsidLength {
            ssid: ap.ssid.clone(),
            len: ap.ssid.len(),
        });
    }
    check_password(&ap.ssid, ap.auth, &ap.password)?;
    check_channel(ap.channel)?;
    check_bssid(ap.bssid)
}

pub(crate) fn check_password(ssid: &str, auth: AuthMode, password: &str) -> Result<(), NetError> {
    match (auth, password.len()) {
        (AuthMode::Open, 0) => Ok(()),
        (AuthMode::Open, _) => Err(NetError::PasswordOnOpen {
            ssid: ssid.to_owned(),
        }),
        (_, 8..=63) => Ok(()),
        (_, len) => Err(NetError::PasswordLength { len }),
    }
}

pub(crate) fn check_channel(channel: u8) -> Result<(), NetError> {
    if (1..=14).contains(&channel) {
        Ok(())
    } else {
        Err(NetError::Channel { channel })
    }
}

fn check_bssid(bssid: Mac) -> Result<(), NetError> {
    if bssid[0] & 1 == 1 || bssid == [0; 6] {
        Err(NetError::Bssid { bssid })
    } else {
        Ok(())
    }
}

fn check_host_name(name: &str) -> Result<(), NetError> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(())
    } else {
        Err(NetError::HostName {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut NetConfig)) -> Result<(), NetError> {
        let mut config = NetConfig::default();
        change(&mut config);
        config.check()
    }

    #[test]
    fn the_default_stands_and_edges_pass() {
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|c| c.ap.ssid = "s".repeat(32)), Ok(()));
        assert_eq!(with(|c| c.ap.password = "p".repeat(63)), Ok(()));
        assert_eq!(
            with(|c| (c.ap.auth, c.ap.password) = (AuthMode::Open, String::new())),
            Ok(())
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let cases: [(Result<(), NetError>, &str); 11] = [
            (
                with(|c| c.ap.ssid.clear()),
                "network name \"\" has 0 bytes, expected 1 to 32",
            ),
            (
                with(|c| c.ap.password = "short".into()),
                "password has 5 bytes, expected 8 to 63",
            ),
            (
                with(|c| c.ap.auth = AuthMode::Open),
                "network \"oceanrig\" is open and has a password",
            ),
            (with(|c| c.ap.channel = 15), "channel 15 is not one of 1 to 14"),
            (
                with(|c| c.ap.bssid[0] = 1),
                "access point address 01:0c:ea:00:00:01 is not a unicast MAC address",
            ),
            (
                with(|c| c.prefix_len = 31),
                "prefix length 31 is not one of 8 to 30",
            ),
            (
                with(|c| c.gateway_ip = Ipv4Addr::new(192, 168, 4, 255)),
                "gateway address 192.168.4.255 is not a host of the gateway's subnet",
            ),
            (
                with(|c| c.lease_first = Ipv4Addr::new(192, 168, 4, 1)),
                "lease range 192.168.4.1 to 192.168.4.199 is empty or contains the gateway",
            ),
            (with(|c| c.lease_time_s = 0), "lease time is 0 s"),
            (
                with(|c| c.dns_records = BTreeMap::from([("a..b".into(), Ipv4Addr::new(1, 1, 1, 1))])),
                "\"a..b\" is not a host name",
            ),
            (
                with(|c| c.wan_latency = Duration::from_secs(61)),
                "wan latency of 61s is over a minute",
            ),
        ];
        for (result, text) in cases {
            assert_eq!(result.unwrap_err().to_string(), text);
        }
    }
}
