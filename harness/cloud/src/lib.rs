//! The mock OceanRemote cloud.
