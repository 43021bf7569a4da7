//! Events of the host code that replaces the boot ROM and the radio library.

use image::backtrace::Backtrace;

/// Events of hooked functions, for reports. None is an error of the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// A ROM function without a model was called; it returned 0.
    RomNotModelled {
        /// Guest address of the function.
        addr: u32,
        /// Its name in the vendor's linker script, if the address is the start of a function.
        name: Option<&'static str>,
        /// The return address of the call.
        caller: u32,
    },
    /// A function of the radio library without a model was called; it returned `ESP_ERR_NOT_SUPPORTED`, or 0 if
    /// it is not of the `esp_` interface.
    DriverFunction {
        /// Name of the function in the symbol table.
        name: String,
        /// The return address of the call.
        caller: u32,
    },
    /// The guest's panic handler was entered; it goes on running.
    Panicked {
        /// Call stack of the guest.
        backtrace: Backtrace,
    },
    /// A received frame was lost because the guest took frames too slowly or had no memory for it.
    FrameDropped {
        /// Length of the frame, bytes.
        len: usize,
    },
    /// The guest's receive callback refused a frame.
    FrameRefused,
    /// The guest freed a receive buffer that the driver had not given it.
    ForeignBuffer {
        /// Guest address of the buffer.
        addr: u32,
        /// The return address of the call.
        caller: u32,
    },
    /// An event was lost because the guest has not taken any for long.
    DeliveryDropped,
    /// A guest function could not be called: the stack pointer is outside memory, or too many calls are in
    /// flight.
    CallFailed {
        /// Guest address of the function.
        function: u32,
        /// The guest's stack pointer at the attempt.
        sp: u32,
    },
}
