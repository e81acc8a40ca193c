//! Sealed columns: one secret of one row, readable only with the key ring and only at its place.
//!
//! XChaCha20-Poly1305 with a random nonce; table, column and row are associated data, so that a ciphertext moved to another
//! row does not open. Layout: `1` (the version), 4 bytes of key id, 24 bytes of nonce, the ciphertext with its tag.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};

use crate::secrets::keyring::{Key, KeyRing};
use crate::secrets::random;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const HEADER: usize = 1 + 4 + NONCE;

/// The place of a sealed value in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Name of the table.
    pub table: &'static str,
    /// Name of the column.
    pub column: &'static str,
    /// The row's id, which is never reused.
    pub row_id: i64,
}

/// Why a sealed value does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// The bytes are not of our making.
    #[error("the sealed value in {0} is damaged: restore the row from a backup, or give the secret anew")]
    Damaged(Place),
    /// The ring lacks the key it was sealed with.
    #[error(
        "the sealed value in {place} needs the key {key_id}, which is not in the key ring: put that key back into the ring"
    )]
    UnknownKey {
        /// Where the value stands.
        place: Place,
        /// Id of the missing key, eight hexadecimal characters.
        key_id: String,
    },
}

/// A [`Context`] as errors name it: `table.column of row 7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(Context);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} of row {}", self.0.table, self.0.column, self.0.row_id)
    }
}

impl Context {
    /// Unambiguous, because the names of tables and columns contain no zero byte.
    fn associated_data(self) -> Vec<u8> {
        [self.table.as_bytes(), &[0], self.column.as_bytes(), &[0], &self.row_id.to_be_bytes()].concat()
    }
}

/// Seals `secret` for its place with the first key of the ring.
#[must_use]
pub fn seal(ring: &KeyRing, context: Context, secret: &SecretString) -> Vec<u8> {
    let key = ring.first();
    let nonce = random::bytes::<NONCE>();
    let aad = context.associated_data();
    let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &aad };
    let ciphertext =
        cipher(key).encrypt(&XNonce::from(nonce), payload).expect("a secret in memory is below the cipher's 256 GiB");
    [&[VERSION][..], &key.id(), &nonce, &ciphertext].concat()
}

/// Opens what [`seal`] made for the same place.
///
/// # Errors
/// When the ring lacks the key, or the bytes are not what was sealed for this place.
pub fn open(ring: &KeyRing, context: Context, sealed: &[u8]) -> Result<SecretString, SealedError> {
    let damaged = || SealedError::Damaged(Place(context));
    let (header, ciphertext) = sealed.split_at_checked(HEADER).ok_or_else(damaged)?;
    let (version, rest) = header.split_first().ok_or_else(damaged)?;
    let (id, nonce) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| damaged())?;
    if *version != VERSION {
        return Err(damaged());
    }
    let key =
        ring.find(*id).ok_or_else(|| SealedError::UnknownKey { place: Place(context), key_id: random::to_hex(id) })?;
    let aad = context.associated_data();
    let plain =
        cipher(key).decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &aad }).map_err(|_| damaged())?;
    String::from_utf8(plain).map(SecretString::from).map_err(|_| damaged())
}

/// Whether a value was sealed with another key than the ring's first, and should be sealed again.
#[must_use]
pub fn is_outdated(ring: &KeyRing, sealed: &[u8]) -> bool {
    sealed.get(1..5) != Some(&ring.first().id()[..])
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key.expose()).into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Context, SealedError, is_outdated, open, seal};
    use crate::secrets::keyring::KeyRing;
    use secrecy::{ExposeSecret, SecretString};

    const HERE: Context = Context { table: "credentials", column: "secret", row_id: 7 };

    #[test]
    fn opens_only_at_its_place() {
        let ring = KeyRing::generate();
        let sealed = seal(&ring, HERE, &SecretString::from("hunter2"));
        assert_eq!(open(&ring, HERE, &sealed).unwrap().expose_secret(), "hunter2");
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_ne!(sealed, seal(&ring, HERE, &SecretString::from("hunter2")), "each has a nonce of its own");
        let elsewhere =
            [Context { row_id: 8, ..HERE }, Context { column: "username", ..HERE }, Context { table: "hooks", ..HERE }];
        for place in elsewhere {
            assert!(matches!(open(&ring, place, &sealed), Err(SealedError::Damaged(_))));
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let ring = KeyRing::generate();
        let sealed = seal(&ring, HERE, &SecretString::from("s"));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&ring, HERE, &changed).is_err(), "byte {at}");
            assert!(open(&ring, HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn old_keys_open_and_new_keys_seal() {
        let old = KeyRing::generate();
        let sealed = seal(&old, HERE, &SecretString::from("hunter2"));
        let ring = old.with_new_key();
        assert_eq!(open(&ring, HERE, &sealed).unwrap().expose_secret(), "hunter2");
        assert!(is_outdated(&ring, &sealed) && !is_outdated(&old, &sealed));
        let renewed = seal(&ring, HERE, &SecretString::from("hunter2"));
        let error = open(&old, HERE, &renewed).unwrap_err();
        assert!(
            error.to_string().starts_with("the sealed value in credentials.secret of row 7 needs the key "),
            "{error}"
        );
    }
}
