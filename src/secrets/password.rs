//! Passwords of local accounts: argon2id with 19 MiB, two passes, one lane (OWASP's password storage recommendation).
//!
//! The functions block for some tens of milliseconds and need 19 MiB each: callers run them off the async threads and bound
//! how many run at once. An unknown user must cost as much as a wrong password, so there is a check to fail against.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::secrets::random;

/// Fewest characters of a new password.
pub const SHORTEST: usize = 10;
/// Most bytes of a password; hashing more would let a stranger buy our time with his.
pub const LONGEST: usize = 1024;

/// Why a new password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`SHORTEST`] characters.
    #[error("the password is too short: it needs at least {SHORTEST} characters")]
    TooShort,
    /// More than [`LONGEST`] bytes.
    #[error("the password is too long: it may have {LONGEST} bytes at most")]
    TooLong,
}

/// Hashes a new password to a PHC string with a salt of its own. Blocks.
///
/// # Errors
/// When the password is too short or too long.
pub fn hash(password: &SecretString) -> Result<String, PasswordError> {
    let text = password.expose_secret();
    if text.chars().count() < SHORTEST {
        return Err(PasswordError::TooShort);
    }
    if text.len() > LONGEST {
        return Err(PasswordError::TooLong);
    }
    Ok(phc_of(text))
}

/// Whether `password` is the one that `phc` was made from. Blocks. A damaged `phc` admits nobody, at the usual cost.
#[must_use]
pub fn verify(password: &SecretString, phc: &str) -> bool {
    let text = password.expose_secret();
    if text.len() > LONGEST {
        return false;
    }
    match PasswordHash::new(phc) {
        Ok(hash) => algorithm().verify_password(text.as_bytes(), &hash).is_ok(),
        Err(_) => refuse(password),
    }
}

/// What [`verify`] costs, for a user who does not exist or has no password. Always `false`. Blocks.
#[must_use]
pub fn refuse(password: &SecretString) -> bool {
    // Nobody knows the password behind this hash; made once, because making it costs as much as checking it.
    static NOBODY: LazyLock<String> = LazyLock::new(|| phc_of(&random::hex::<32>()));
    let text = password.expose_secret();
    if text.len() <= LONGEST
        && let Ok(hash) = PasswordHash::new(&NOBODY)
    {
        // The outcome is known; the work is what we are here for.
        let _known = algorithm().verify_password(text.as_bytes(), &hash);
    }
    false
}

fn phc_of(text: &str) -> String {
    let salt = random::bytes::<16>();
    let hash: PasswordHash =
        algorithm().hash_password_with_salt(text.as_bytes(), &salt).expect("the length of text and salt is in bounds");
    hash.to_string()
}

fn algorithm() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{LONGEST, PasswordError, hash, refuse, verify};
    use secrecy::SecretString;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn the_right_password_and_no_other() {
        let phc = hash(&secret("correct horse")).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&secret("correct horse"), &phc));
        assert!(!verify(&secret("correct horsf"), &phc));
        assert!(!verify(&secret(""), &phc));
        assert_ne!(phc, hash(&secret("correct horse")).unwrap(), "each has a salt of its own");
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(hash(&secret("123456789")).unwrap_err(), PasswordError::TooShort);
        assert_eq!(hash(&secret(&"x".repeat(LONGEST + 1))).unwrap_err(), PasswordError::TooLong);
        assert!(!verify(&secret(&"x".repeat(LONGEST + 1)), "irrelevant"));
    }

    #[test]
    fn nobody_passes_without_a_hash() {
        assert!(!refuse(&secret("correct horse")));
        for damaged in ["", "$argon2id$", "plain text", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$"] {
            assert!(!verify(&secret("correct horse"), damaged), "{damaged}");
        }
    }
}
