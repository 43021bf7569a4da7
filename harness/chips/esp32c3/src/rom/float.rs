//! libgcc's soft floating point. IEEE 754 leaves only the value of a NaN result open; libgcc on RISC-V always
//! returns the canonical NaN, so sign and payload of the host's NaN never reach the guest.

use crate::rom::call::{Call, Reply};

const NAN32: u32 = 0x7FC0_0000;
const NAN64: u64 = 0x7FF8_0000_0000_0000;

/// Carries out the function at `addr` if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Reply> {
    let (a0, a1) = (call.args[0], call.args[1]);
    let (s, t) = (f32::from_bits(a0), f32::from_bits(a1));
    let (wide, second) = (call.wide(0), call.wide(2));
    let (d, e) = (f64::from_bits(wide), f64::from_bits(second));
    Some(match addr & 0xFFF {
        0x76C => double(d + e),
        0x894 => double(d - e),
        0x848 => double(d * e),
        0x7B0 => double(d / e),
        0x770 => single(s + t),
        0x898 => single(s - t),
        0x854 => single(s * t),
        0x7BC => single(s / t),
        0x868 => Reply::Wide(wide ^ 1 << 63),
        0x874 => Reply::Value(a0 ^ 1 << 31),
        0x7CC => double(f64::from(s)),
        0x8A4 => single(d as f32),
        0x7D8 => Reply::Wide(to_i64(d) as u64),
        0x7DC => Reply::Value(to_i32(d) as u32),
        0x7E0 => Reply::Wide(to_i64(f64::from(s)) as u64),
        0x7E4 => Reply::Value(to_i32(f64::from(s)) as u32),
        0x7E8 => Reply::Value(to_u32(d)),
        0x7EC => Reply::Wide(to_u64(f64::from(s))),
        0x7F0 => Reply::Value(to_u32(f64::from(s))),
        0x7F4 => double(wide as i64 as f64),
        0x7F8 => single(wide as i64 as f32),
        0x7FC => double(f64::from(a0 as i32)),
        0x800 => single(a0 as i32 as f32),
        0x804 => double(wide as f64),
        0x808 => single(wide as f32),
        0x80C => double(f64::from(a0)),
        0x810 => single(a0 as f32),
        // Equality returns 1 for unequal or unordered. The others return -1, 0 or 1, and for unordered
        // operands the value that makes the comparison in their name false.
        0x7C4 | 0x864 => Reply::Value(u32::from(d != e)),
        0x7C8 | 0x87C => Reply::Value(u32::from(s != t)),
        0x818 | 0x820 => order(d.partial_cmp(&e), -2),
        0x81C | 0x824 => order(s.partial_cmp(&t), -2),
        0x828 | 0x834 => order(d.partial_cmp(&e), 2),
        0x82C | 0x838 => order(s.partial_cmp(&t), 2),
        0x8C4 => Reply::Value(u32::from(d.is_nan() || e.is_nan())),
        0x8C8 => Reply::Value(u32::from(s.is_nan() || t.is_nan())),
        0x88C => double(power(d, call.args[2] as i32, 1.0, |x, y| x * y, |x| 1.0 / x)),
        0x890 => single(power(s, a1 as i32, 1.0, |x, y| x * y, |x| 1.0 / x)),
        _ => return None,
    })
}

fn double(value: f64) -> Reply {
    Reply::Wide(if value.is_nan() { NAN64 } else { value.to_bits() })
}

fn single(value: f32) -> Reply {
    Reply::Value(if value.is_nan() { NAN32 } else { value.to_bits() })
}

fn order(order: Option<std::cmp::Ordering>, unordered: i32) -> Reply {
    Reply::Value(order.map_or(unordered, |o| o as i32) as u32)
}

/// Saturates by the sign as libgcc does, for a NaN too; Rust's `as` gives 0 for a NaN.
fn to_i32(value: f64) -> i32 {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, true) => i32::MIN,
        (true, false) => i32::MAX,
        _ => value as i32,
    }
}

fn to_i64(value: f64) -> i64 {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, true) => i64::MIN,
        (true, false) => i64::MAX,
        _ => value as i64,
    }
}

fn to_u32(value: f64) -> u32 {
    if value.is_nan() && value.is_sign_positive() {
        u32::MAX
    } else {
        value as u32
    }
}

fn to_u64(value: f64) -> u64 {
    if value.is_nan() && value.is_sign_positive() {
        u64::MAX
    } else {
        value as u64
    }
}

/// `__powidf2` in libgcc's order of multiplications, which decides the last bit.
fn power<T: Copy>(base: T, exponent: i32, one: T, times: fn(T, T) -> T, inverse: fn(T) -> T) -> T {
    let mut n = exponent.unsigned_abs();
    let mut x = base;
    let mut y = if n & 1 == 1 { x } else { one };
    while n > 1 {
        n >>= 1;
        x = times(x, x);
        if n & 1 == 1 {
            y = times(y, x);
        }
    }
    if exponent < 0 { inverse(y) } else { y }
}
