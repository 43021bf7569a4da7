//! The C library's memory and string functions.

use std::cmp::Ordering;

use crate::rom::call::{Call, Reply, Served};

/// Carries out the function at `addr` if it is one of these.
pub(crate) fn serve(addr: u32, call: &mut Call<'_>) -> Option<Served> {
    let function = match addr & 0xFFF {
        0x354 => memset,
        // The ROM's memcpy copies upwards; the C standard leaves overlapping ranges undefined.
        0x358 | 0x35C => memmove,
        0x360 | 0x814 => memcmp,
        0x364 => strcpy,
        0x368 => strncpy,
        0x36C => strcmp,
        0x370 => strncmp,
        0x374 => strlen,
        0x378 => strstr,
        0x37C => bzero,
        0x3C8 => memchr,
        0x3D0 => strcasecmp,
        0x3D8 => strcat,
        0x3E0 => strchr,
        0x3F0 => strlcpy,
        0x3F8 => strncasecmp,
        0x404 => strnlen,
        0x408 => strrchr,
        0x424 => abs,
        _ => return None,
    };
    Some(function(call))
}

fn memset(call: &mut Call<'_>) -> Served {
    let [to, byte, len, ..] = call.args;
    fill(call, to, byte as u8, len)?;
    Ok(Reply::Value(to))
}

fn bzero(call: &mut Call<'_>) -> Served {
    let [to, len, ..] = call.args;
    fill(call, to, 0, len)?;
    Ok(Reply::Value(0))
}

fn fill(call: &mut Call<'_>, to: u32, byte: u8, len: u32) -> Result<(), crate::rom::call::Fault> {
    let chunk = [byte; 256];
    let mut done = 0;
    while done < len {
        let step = (len - done).min(256);
        call.store(to.wrapping_add(done), &chunk[..step as usize])?;
        done += step;
    }
    Ok(())
}

fn memmove(call: &mut Call<'_>) -> Served {
    let [to, from, len, ..] = call.args;
    let data = call.load(from, len)?;
    call.store(to, &data)?;
    Ok(Reply::Value(to))
}

fn memcmp(call: &mut Call<'_>) -> Served {
    let [a, b, len, ..] = call.args;
    for i in 0..len {
        let (x, y) = (call.load_u8(a.wrapping_add(i))?, call.load_u8(b.wrapping_add(i))?);
        if x != y {
            return Ok(Reply::Value((i32::from(x) - i32::from(y)) as u32));
        }
    }
    Ok(Reply::Value(0))
}

fn memchr(call: &mut Call<'_>) -> Served {
    let [at, byte, len, ..] = call.args;
    for i in 0..len {
        if call.load_u8(at.wrapping_add(i))? == byte as u8 {
            return Ok(Reply::Value(at.wrapping_add(i)));
        }
    }
    Ok(Reply::Value(0))
}

fn strcpy(call: &mut Call<'_>) -> Served {
    let [to, from, ..] = call.args;
    let mut text = call.load_text(from)?;
    text.push(0);
    call.store(to, &text)?;
    Ok(Reply::Value(to))
}

fn strncpy(call: &mut Call<'_>) -> Served {
    let [to, from, len, ..] = call.args;
    let text = call.load_text_of(from, len)?;
    call.store(to, &text)?;
    fill(
        call,
        to.wrapping_add(text.len() as u32),
        0,
        len - text.len() as u32,
    )?;
    Ok(Reply::Value(to))
}

fn strlcpy(call: &mut Call<'_>) -> Served {
    let [to, from, size, ..] = call.args;
    let text = call.load_text(from)?;
    if let Some(room) = size.checked_sub(1) {
        let fits = text.len().min(room as usize);
        call.store(to, &text[..fits])?;
        call.store_u8(to.wrapping_add(fits as u32), 0)?;
    }
    Ok(Reply::Value(text.len() as u32))
}

fn strcat(call: &mut Call<'_>) -> Served {
    let [to, from, ..] = call.args;
    let end = to.wrapping_add(call.load_text(to)?.len() as u32);
    let mut text = call.load_text(from)?;
    text.push(0);
    call.store(end, &text)?;
    Ok(Reply::Value(to))
}

/// Compares up to `limit` bytes, each passed through `fold`.
fn compare(call: &mut Call<'_>, limit: u32, fold: fn(&u8) -> u8) -> Served {
    let [a, b, ..] = call.args;
    for i in 0..limit {
        let x = fold(&call.load_u8(a.wrapping_add(i))?);
        let y = fold(&call.load_u8(b.wrapping_add(i))?);
        match x.cmp(&y) {
            Ordering::Equal if x == 0 => break,
            Ordering::Equal => {}
            _ => return Ok(Reply::Value((i32::from(x) - i32::from(y)) as u32)),
        }
    }
    Ok(Reply::Value(0))
}

fn strcmp(call: &mut Call<'_>) -> Served {
    compare(call, u32::MAX, |b| *b)
}

fn strncmp(call: &mut Call<'_>) -> Served {
    let limit = call.args[2];
    compare(call, limit, |b| *b)
}

fn strcasecmp(call: &mut Call<'_>) -> Served {
    compare(call, u32::MAX, u8::to_ascii_lowercase)
}

fn strncasecmp(call: &mut Call<'_>) -> Served {
    let limit = call.args[2];
    compare(call, limit, u8::to_ascii_lowercase)
}

fn strlen(call: &mut Call<'_>) -> Served {
    let at = call.args[0];
    Ok(Reply::Value(call.load_text(at)?.len() as u32))
}

fn strnlen(call: &mut Call<'_>) -> Served {
    let [at, limit, ..] = call.args;
    Ok(Reply::Value(call.load_text_of(at, limit)?.len() as u32))
}

fn strchr(call: &mut Call<'_>) -> Served {
    let [at, byte, ..] = call.args;
    let mut text = call.load_text(at)?;
    text.push(0);
    let found = text.iter().position(|b| *b == byte as u8);
    Ok(Reply::Value(found.map_or(0, |i| at.wrapping_add(i as u32))))
}

fn strrchr(call: &mut Call<'_>) -> Served {
    let [at, byte, ..] = call.args;
    let mut text = call.load_text(at)?;
    text.push(0);
    let found = text.iter().rposition(|b| *b == byte as u8);
    Ok(Reply::Value(found.map_or(0, |i| at.wrapping_add(i as u32))))
}

fn strstr(call: &mut Call<'_>) -> Served {
    let [at, needle, ..] = call.args;
    let (text, needle) = (call.load_text(at)?, call.load_text(needle)?);
    // In linear time: a guest may look for a megabyte in a megabyte.
    let found = memchr::memmem::find(&text, &needle);
    Ok(Reply::Value(found.map_or(0, |i| at.wrapping_add(i as u32))))
}

fn abs(call: &mut Call<'_>) -> Served {
    Ok(Reply::Value((call.args[0] as i32).wrapping_abs() as u32))
}
