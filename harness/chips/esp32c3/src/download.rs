//! The boot ROM's serial loader, without the line: bytes go in, answers and what to do next come out.
//!
//! The protocol is that of esptool's documentation ("Serial Protocol"); where it leaves things open (order of
//! checks, what an answer to an unknown command looks like, what a wrong sequence number costs) this does what the
//! ROM of chip revision 0.3 does. Stub programs that tools upload with `MEM_BEGIN` are run by the hart.

mod loader;
mod packed;
mod slip;
mod transfer;

pub(crate) use loader::{Answer, Loader, Then, security_info};
