//! The ROM's console: single characters and `ets_printf`, on UART0.

use std::time::Duration;

use crate::rom::call::{Call, Fault, Reply, Served};

/// UART0 FIFO, STATUS and FSM_STATUS (TRM chapter 26).
const UART_FIFO: u32 = 0x6000_0000;
const UART_CLKDIV: u32 = 0x6000_0014;
const UART_STATUS: u32 = 0x6000_001C;
const UART_CONF0: u32 = 0x6000_0020;
/// `RXFIFO_RST` and `TXFIFO_RST`.
const UART_FIFOS_RST: u32 = 3 << 17;
const UART_FSM_STATUS: u32 = 0x6000_006C;
/// Address of `UartDev`, the ROM's settings of its console (chip revision 0.3).
pub(crate) const UART_DEVICE: u32 = 0x3FCD_F064;
/// The ROM waits while the transmit FIFO holds this many bytes.
const TX_FULL: u32 = 126;
/// Interval between checks of a full FIFO: one character at 115200 baud.
const CHARACTER: Duration = Duration::from_micros(87);
/// Time that a check of an empty receiver takes. It is longer than on the chip, so that a program that polls
/// in a loop does not keep the host busy, and shorter than a character at 3 Mbaud, the fastest rate that
/// tools use.
const LOOK: Duration = Duration::from_micros(2);
/// Greatest length of `ets_printf` output, bytes; the rest is cut off.
const LONGEST: usize = 4096;

/// State of an `ets_printf` that waits for room in the FIFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Console {
    /// Stack pointer of the call, which distinguishes it from a call of another task, and bytes sent so far.
    printing: Option<(u32, usize)>,
}

impl Console {
    /// Carries out the function at `addr` if it is one of the console's.
    pub(crate) fn serve(&mut self, addr: u32, call: &mut Call<'_>) -> Option<Served> {
        Some(match addr & 0xFFF {
            0x040 => self.printf(call),
            // Selection of printf's output device: the model's console is always UART0.
            0x044 | 0x048 | 0x04C => Ok(Reply::Value(0)),
            0x068 | 0x06C => tx_one_char(call),
            0x070 => rx_one_char(call),
            0x080 | 0x084 => tx_flush(call),
            0x088 => div_modify(call),
            0x0B0 => Ok(Reply::Value(UART_DEVICE)),
            0x58C => Ok(Reply::Value(0)),
            _ => return None,
        })
    }

    fn printf(&mut self, call: &mut Call<'_>) -> Served {
        let text = format(call)?;
        let sent = match self.printing.take() {
            Some((sp, sent)) if sp == call.sp => sent,
            _ => 0,
        };
        for (i, byte) in text.iter().enumerate().skip(sent) {
            if tx_waiting(call)? >= TX_FULL {
                self.printing = Some((call.sp, i));
                return Ok(Reply::Again {
                    after: CHARACTER,
                    a0: call.args[0],
                });
            }
            call.store_u32(UART_FIFO, u32::from(*byte))?;
        }
        Ok(Reply::Value(text.len() as u32))
    }
}

fn tx_waiting(call: &mut Call<'_>) -> Result<u32, Fault> {
    Ok(call.load_u32(UART_STATUS)? >> 16 & 0x3FF)
}

fn tx_one_char(call: &mut Call<'_>) -> Served {
    let byte = call.args[0];
    if tx_waiting(call)? >= TX_FULL {
        return Ok(Reply::Again {
            after: CHARACTER,
            a0: byte,
        });
    }
    call.store_u32(UART_FIFO, byte & 0xFF)?;
    Ok(Reply::Value(0))
}

/// `(u8 *to)`: stores a received byte and returns 0; returns 1 if there is none.
fn rx_one_char(call: &mut Call<'_>) -> Served {
    let to = call.args[0];
    if call.load_u32(UART_STATUS)? & 0x3FF == 0 {
        return Ok(Reply::After(LOOK, 1));
    }
    let byte = call.load_u32(UART_FIFO)?;
    call.store_u8(to, byte as u8)?;
    Ok(Reply::Value(0))
}

/// `(u8 uart)`: waits until the transmitter is idle; only UART0 belongs to the ROM's console.
fn tx_flush(call: &mut Call<'_>) -> Served {
    let uart = call.args[0];
    let busy = tx_waiting(call)? > 0 || call.load_u32(UART_FSM_STATUS)? >> 4 & 0xF != 0;
    if uart == 0 && busy {
        return Ok(Reply::Again {
            after: CHARACTER,
            a0: uart,
        });
    }
    Ok(Reply::Value(0))
}

/// `(u8 uart, u32 divider)`: the divider in sixteenths; both FIFOs are emptied.
fn div_modify(call: &mut Call<'_>) -> Served {
    let [uart, divider, ..] = call.args;
    if uart == 0 {
        call.store_u32(UART_CLKDIV, (divider >> 4 & 0xFFF) | (divider & 0xF) << 20)?;
        let conf0 = call.load_u32(UART_CONF0)?;
        call.store_u32(UART_CONF0, conf0 | UART_FIFOS_RST)?;
        call.store_u32(UART_CONF0, conf0 & !UART_FIFOS_RST)?;
    }
    Ok(Reply::Value(0))
}

/// Position in the variable arguments: a1 to a7, then the stack.
struct Arguments {
    next: u32,
}

impl Arguments {
    fn word(&mut self, call: &mut Call<'_>) -> Result<u32, Fault> {
        let n = self.next;
        self.next += 1;
        match call.args.get(n as usize) {
            Some(value) => Ok(*value),
            None => call.load_u32(call.sp.wrapping_add(4 * (n - 8))),
        }
    }

    /// Reads a 64-bit argument; it is passed in an even-numbered register and the next one.
    fn wide(&mut self, call: &mut Call<'_>) -> Result<u64, Fault> {
        self.next += self.next & 1;
        let low = self.word(call)?;
        Ok(u64::from(low) | u64::from(self.word(call)?) << 32)
    }
}

/// `%[-0][width][.precision][l|ll|h]` and `d i u x X p c s %`.
fn format(call: &mut Call<'_>) -> Result<Vec<u8>, Fault> {
    let pattern = call.load_text_of(call.args[0], LONGEST as u32)?;
    let mut arguments = Arguments { next: 1 };
    let mut out = Vec::new();
    let mut bytes = pattern.into_iter().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            // The ROM's console ends lines with carriage return and line feed.
            if byte == b'\n' {
                out.push(b'\r');
            }
            out.push(byte);
            continue;
        }
        let left = bytes.next_if_eq(&b'-').is_some();
        let zero = bytes.next_if_eq(&b'0').is_some();
        let mut width = 0usize;
        while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
            width = (10 * width + usize::from(digit - b'0')).min(LONGEST);
        }
        let mut precision = None;
        if bytes.next_if_eq(&b'.').is_some() {
            let mut n = 0u32;
            while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
                n = n.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
            }
            precision = Some(n);
        }
        let mut longs = 0;
        while let Some(modifier) = bytes.next_if(|b| matches!(b, b'l' | b'h' | b'z')) {
            longs += u32::from(modifier == b'l');
        }
        let Some(kind) = bytes.next() else { break };
        let value = |call: &mut Call<'_>, arguments: &mut Arguments| {
            if longs >= 2 {
                arguments.wide(call)
            } else {
                arguments.word(call).map(u64::from)
            }
        };
        let field = match kind {
            b'd' | b'i' => {
                let raw = value(call, &mut arguments)?;
                if longs >= 2 {
                    (raw as i64).to_string()
                } else {
                    (raw as i32).to_string()
                }
                .into_bytes()
            }
            b'u' => value(call, &mut arguments)?.to_string().into_bytes(),
            b'x' => format!("{:x}", value(call, &mut arguments)?).into_bytes(),
            b'X' => format!("{:X}", value(call, &mut arguments)?).into_bytes(),
            b'p' => format!("0x{:x}", arguments.word(call)?).into_bytes(),
            b'c' => vec![arguments.word(call)? as u8],
            b's' => {
                let at = arguments.word(call)?;
                call.load_text_of(at, precision.unwrap_or(LONGEST as u32).min(LONGEST as u32))?
            }
            other => vec![other],
        };
        pad(&mut out, &field, width, left, zero && kind != b's');
        if out.len() > LONGEST {
            break;
        }
    }
    out.truncate(LONGEST);
    Ok(out)
}

fn pad(out: &mut Vec<u8>, field: &[u8], width: usize, left: bool, zero: bool) {
    let missing = width.saturating_sub(field.len());
    if left {
        out.extend_from_slice(field);
        out.extend(std::iter::repeat_n(b' ', missing));
    } else if zero && field.first() == Some(&b'-') {
        out.push(b'-');
        out.extend(std::iter::repeat_n(b'0', missing));
        out.extend_from_slice(&field[1..]);
    } else {
        out.extend(std::iter::repeat_n(if zero { b'0' } else { b' ' }, missing));
        out.extend_from_slice(field);
    }
}
