//! The boot ROM's serial loader, without the UART: it takes bytes and returns answers and the next step.
//!
//! The protocol is that of esptool's documentation ("Serial Protocol"). Where the documentation leaves points
//! open (order of checks, answer to an unknown command, effect of a wrong sequence number) this does the same
//! as the ROM of chip revision 0.3. Stub programs that tools upload with `MEM_BEGIN` are run by the hart.

mod error;
mod loader;
mod packed;
mod slip;
mod transfer;

pub(crate) use loader::{Answer, Loader, Then, security_info};
