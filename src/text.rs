//! Text, put together without the formatter of the standard library: that is more code than all that
//! is said with it.

use alloc::string::String;

/// The parts, one after the other.
pub fn joined(parts: &[&str]) -> String {
    parts.concat()
}

/// What is before and after the first ASCII letter of this sort. As with [`cut_last`], the search of
/// the standard library is for any pattern, and more code.
pub fn cut(text: &str, letter: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == letter)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What is before and after the last ASCII letter of this sort.
pub fn cut_last(text: &str, letter: u8) -> Option<(&str, &str)> {
    let at = text.bytes().rposition(|byte| byte == letter)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whether a text has this ASCII letter.
pub fn has(text: &str, letter: u8) -> bool {
    text.bytes().any(|byte| byte == letter)
}

/// A number in decimal digits.
pub fn decimal(mut number: u64) -> String {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return digits[first..].iter().copied().map(char::from).collect();
        }
    }
}

/// The number that a text is, as [`decimal`] writes it: without sign or leading zeros.
pub fn as_number(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 1_000_000, u64::MAX] {
            assert_eq!(decimal(number), number.to_string());
            assert_eq!(super::as_number(&decimal(number)), Some(number));
        }
        for text in ["", "01", "+1", "-1", "1a", "18446744073709551616"] {
            assert_eq!(as_number(text), None, "{text}");
        }
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
