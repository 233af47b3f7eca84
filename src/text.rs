//! Numbers and digests as text, in the only form accepted in names and files.

use alloc::string::{String, ToString};
use core::fmt::Write;

/// Parses a number in its shortest decimal form, without a sign or leading zeros; returns `None` for another
/// form.
pub fn as_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(digits, "{byte:02x}").expect("writing to a string cannot fail");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for number in [0, 7, 10, 1_000_000, u64::MAX] {
            assert_eq!(as_number(&number.to_string()), Some(number));
        }
        for text in ["", "01", "+1", "-1", "1a", "18446744073709551616"] {
            assert_eq!(as_number(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
