//! `numeric` from its binary form to the text that PostgreSQL prints.

/// Reads digits in base 10,000 with weight, sign and scale. `None` if the bytes
/// are no numeric.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let field = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (count, weight, sign, scale) = (field(0), field(2).cast_signed(), field(4), field(6));
    match sign {
        0xC000 => return Some("NaN".into()),
        0xD000 => return Some("Infinity".into()),
        0xF000 => return Some("-Infinity".into()),
        0 | 0x4000 => {}
        _ => return None,
    }
    if digits.len() != usize::from(count) * 2 {
        return None;
    }
    // The group of four digits that stands at 10,000^power.
    let group = |power: i32| {
        usize::try_from(i32::from(weight) - power)
            .ok()
            .and_then(|index| digits.chunks_exact(2).nth(index))
            .map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    let mut text = String::new();
    if sign == 0x4000 {
        text.push('-');
    }
    let start = text.len();
    for power in (0..=i32::from(weight)).rev() {
        text.push_str(&format!("{:04}", group(power)));
    }
    let zeros = text[start..].len() - text[start..].trim_start_matches('0').len();
    text.drain(start..start + zeros);
    if text.len() == start {
        text.push('0');
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + usize::from(scale);
        let mut power = -1;
        while text.len() < end {
            text.push_str(&format!("{:04}", group(power)));
            power -= 1;
        }
        text.truncate(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn refuses_what_is_no_numeric() {
        assert_eq!(super::text(&[]), None);
        assert_eq!(super::text(&[0, 1, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(super::text(&[0, 0, 0, 0, 0x12, 0, 0, 0]), None);
    }
}
