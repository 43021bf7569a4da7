//! libgcc's integer functions. The variants that trap on overflow (`__addvsi3` and so on) are not here.

use crate::rom::call::{Call, Reply};

/// Carries out the function at `addr` if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Reply> {
    let (a0, a1) = (call.args[0], call.args[1]);
    let (wide, second) = (call.wide(0), call.wide(2));
    let shift = call.args[2] & 63;
    Some(match addr & 0xFFF {
        0x77C => Reply::Wide(wide << shift),
        0x780 => Reply::Wide((wide as i64 >> shift) as u64),
        0x784 => Reply::Wide(wide.swap_bytes()),
        0x788 => Reply::Value(a0.swap_bytes()),
        0x790 => Reply::Value((wide ^ (wide as i64 >> 63) as u64).leading_zeros() - 1),
        0x794 => Reply::Value((a0 ^ (a0 as i32 >> 31) as u32).leading_zeros() - 1),
        0x798 => Reply::Value(wide.leading_zeros()),
        0x79C => Reply::Value(a0.leading_zeros()),
        0x7A0 => Reply::Value(three_way((wide as i64).cmp(&(second as i64)))),
        0x7A4 => Reply::Value(wide.trailing_zeros()),
        0x7A8 => Reply::Value(a0.trailing_zeros()),
        0x7B4 => Reply::Wide(div_signed(wide as i64, second as i64) as u64),
        0x7C0 => Reply::Value(if a1 == 0 {
            u32::MAX
        } else {
            (a0 as i32).wrapping_div(a1 as i32) as u32
        }),
        0x7D0 => Reply::Value(if wide == 0 { 0 } else { wide.trailing_zeros() + 1 }),
        0x7D4 => Reply::Value(if a0 == 0 { 0 } else { a0.trailing_zeros() + 1 }),
        0x830 => Reply::Wide(wide >> shift),
        0x83C => Reply::Wide(rem_signed(wide as i64, second as i64) as u64),
        0x840 => Reply::Value(if a1 == 0 {
            a0
        } else {
            (a0 as i32).wrapping_rem(a1 as i32) as u32
        }),
        0x84C => Reply::Wide(wide.wrapping_mul(second)),
        0x858 => Reply::Value(a0.wrapping_mul(a1)),
        0x86C => Reply::Wide(wide.wrapping_neg()),
        0x880 => Reply::Value(a0.count_ones() & 1),
        0x884 => Reply::Value(wide.count_ones()),
        0x888 => Reply::Value(a0.count_ones()),
        0x8A8 => Reply::Value(three_way(wide.cmp(&second))),
        0x8AC => Reply::Wide(div_unsigned(wide, second)),
        0x8B4 => Reply::Value(a0.checked_div(a1).unwrap_or(u32::MAX)),
        0x8BC => Reply::Wide(rem_unsigned(wide, second)),
        0x8C0 => Reply::Value(a0.checked_rem(a1).unwrap_or(a0)),
        _ => return None,
    })
}

/// Returns 0, 1, 2 for less, equal, greater (`__cmpdi2`).
fn three_way(order: std::cmp::Ordering) -> u32 {
    (order as i32 + 1) as u32
}

/// Division by zero is undefined in libgcc; its code on RISC-V reaches the divide instruction, whose quotient
/// for a zero divisor is all ones and whose remainder is the dividend (RISC-V ISA, chapter M).
fn div_unsigned(a: u64, b: u64) -> u64 {
    a.checked_div(b).unwrap_or(u64::MAX)
}

fn rem_unsigned(a: u64, b: u64) -> u64 {
    a.checked_rem(b).unwrap_or(a)
}

fn div_signed(a: i64, b: i64) -> i64 {
    if b == 0 { -1 } else { a.wrapping_div(b) }
}

fn rem_signed(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { a.wrapping_rem(b) }
}
