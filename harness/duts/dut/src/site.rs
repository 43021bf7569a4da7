//! What stands around a device in wall time.

use std::net::Ipv4Addr;

/// An access point that the bench controls.
pub trait AccessPoint {
    /// Whether [`AccessPoint::set_on`] can do it.
    fn can_switch(&self) -> bool;

    /// Whether [`AccessPoint::deauthenticate`] can do it.
    fn can_deauthenticate(&self) -> bool;

    /// Switches it.
    ///
    /// # Errors
    /// Why it could not be, and what to do.
    fn set_on(&mut self, on: bool) -> Result<(), String>;

    /// Ends the association of `station` with a reason code (IEEE 802.11-2020, table 9-49).
    ///
    /// # Errors
    /// Why it could not be, and what to do.
    fn deauthenticate(&mut self, station: [u8; 6], reason: u8) -> Result<(), String>;
}

/// The surroundings of a device in wall time: addresses and ports of the servers for it, and what can be done to it.
pub struct Site {
    /// The address of this machine that its servers listen on.
    pub listen: Ipv4Addr,
    /// The address of this machine as the device sees it.
    pub host: Ipv4Addr,
    /// Port of the cloud; 0 takes a free one.
    pub cloud_port: u16,
    /// Port of the SNTP server; 0 takes a free one.
    pub ntp_port: u16,
    /// Port of the DNS server, where the access point hands out this machine as one.
    pub dns_port: Option<u16>,
    /// The network that the device joins, and its password.
    pub network: Option<(String, String)>,
    /// The access point, where the bench controls one.
    pub access_point: Option<Box<dyn AccessPoint>>,
    /// Whether [`Dut::set_power`](crate::Dut::set_power) can switch the supply.
    pub power: bool,
    /// What else there is, by name: `bench.requires` of a scenario asks for these.
    pub fixtures: Vec<String>,
}
