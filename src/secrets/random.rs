//! Randomness from the operating system's generator, for everything that nobody may guess: keys, tokens, hook addresses.

use rand::TryRng;
use rand::rngs::SysRng;

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give. No secret may be made then, and no caller could do better.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system's random generator works");
    bytes
}

/// `N` random bytes as `2 * N` lower-case hexadecimal characters, fit for addresses: a hook has 32, a session id 32.
#[must_use]
pub fn hex<const N: usize>() -> String {
    to_hex(&bytes::<N>())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is below 16");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of exactly `N` pairs of hexadecimal characters, or nothing.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{bytes, from_hex, hex, to_hex};

    #[test]
    fn no_two_are_alike() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_eq!(hex::<32>().len(), 64);
    }

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(to_hex(&[0, 0x0f, 0xa5]), "000fa5");
        assert_eq!(from_hex("000fA5"), Some([0, 0x0f, 0xa5]));
        for wrong in ["", "000fa", "000fa5a5", "+00fa5", "00 fa5", "00ä5a"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
    }
}
