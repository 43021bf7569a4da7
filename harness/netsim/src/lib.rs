//! Access point, gateway, DHCP, DNS, SNTP and captures.
