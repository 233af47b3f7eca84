//! Text, put together without the formatter of the standard library: that is more code than all that
//! is said with it.

use alloc::string::String;

/// The parts, one after the other.
pub fn joined(parts: &[&str]) -> String {
    parts.concat()
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
        }
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
