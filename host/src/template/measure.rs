//! How large a value is once everything in it is written out.
//!
//! Values share their parts: `[x, x]` holds `x` once. A template can so make in
//! a few steps what nothing could ever write out, compare or hash.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::convert::{MAX_DEPTH, OWNER_BYTES, SCALAR_BYTES};

/// Why a value was not measured to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unmeasured {
    TooLarge,
    TooDeep,
    /// What its iterator says.
    Broken(String),
}

/// Takes the value's size in memory off `left`.
pub(crate) fn take(value: &Value, left: &mut usize) -> Result<(), Unmeasured> {
    take_at(value, left, 1, 0)
}

/// Takes what looking at the value costs off `left`. The text of a long string
/// is looked at much faster than so many numbers.
pub(crate) fn take_look(value: &Value, left: &mut usize) -> Result<(), Unmeasured> {
    take_at(value, left, 8, 0)
}

fn take_at(
    value: &Value,
    left: &mut usize,
    text_divisor: usize,
    depth: usize,
) -> Result<(), Unmeasured> {
    let own = match value.kind() {
        ValueKind::String => OWNER_BYTES + value.as_str().map_or(0, str::len) / text_divisor,
        ValueKind::Bytes => OWNER_BYTES + value.as_bytes().map_or(0, <[u8]>::len) / text_divisor,
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => OWNER_BYTES,
        ValueKind::Invalid => return Err(Unmeasured::Broken(value.to_string())),
        _ => SCALAR_BYTES,
    };
    *left = left.checked_sub(own).ok_or(Unmeasured::TooLarge)?;
    let is_map = match value.kind() {
        ValueKind::Map => true,
        ValueKind::Seq | ValueKind::Iterable => false,
        _ => return Ok(()),
    };
    if depth >= MAX_DEPTH {
        return Err(Unmeasured::TooDeep);
    }
    let broken = |error: Error| Unmeasured::Broken(error.to_string());
    for item in value.try_iter().map_err(broken)? {
        take_at(&item, left, text_divisor, depth + 1)?;
        if is_map {
            let of_key = value.get_item(&item).map_err(broken)?;
            take_at(&of_key, left, text_divisor, depth + 1)?;
        }
    }
    Ok(())
}
