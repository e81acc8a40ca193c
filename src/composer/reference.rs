//! References of archives as they stand in addresses.

use md5::{Digest, Md5};

/// What a client puts in place of `%reference%` in `dist.url` (`Composer\Util\ComposerMirror::processUrl`): lower-case
/// hexadecimal digits as they are, anything else as its MD5.
#[must_use]
pub fn key(reference: &str) -> String {
    let plain = reference.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if plain {
        return reference.to_owned();
    }
    Md5::digest(reference.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn keys_are_those_of_clients() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(key(commit), commit);
        // `md5("/trunk/@7")` in PHP.
        assert_eq!(key("/trunk/@7"), MD5_OF_TRUNK);
        assert_ne!(key(&commit.to_uppercase()), commit.to_uppercase());
    }

    const MD5_OF_TRUNK: &str = "1786731543dc9d3ec3400d816fd23b6b";
}
