//! Reset of the chip by the modem lines of its port.

use std::time::Duration;

use serialport::SerialPort;

use crate::clock::pause;
use crate::ports::PortKind;

/// Duration of the pulse on EN; the reset circuit of Espressif's boards (10 kΩ, 1 µF) needs about 10 ms.
const HOLD: Duration = Duration::from_millis(100);

/// Resets the chip so that it starts its firmware: EN goes low and high again, BOOT is not driven.
///
/// On boards with a USB bridge RTS pulls EN low and DTR pulls BOOT low, through two transistors that have no
/// effect when both are set. The Serial/JTAG controller in the chip behaves in the same way (ESP32-C3 TRM,
/// chapter "USB Serial/JTAG Controller", "Reset and download mode"); it samples both lines whenever RTS
/// changes, so DTR is set first.
pub(crate) fn run(port: &mut dyn SerialPort, kind: PortKind) -> serialport::Result<()> {
    port.write_data_terminal_ready(false)?;
    if kind == PortKind::UsbSerialJtag {
        pause(HOLD);
    }
    port.write_request_to_send(true)?;
    pause(HOLD);
    port.write_request_to_send(false)
}
