//! What must not be read by others: sealed columns of the database, the keys that seal them, passwords, and randomness.
//!
//! A copied database alone tells no secret: the keys live beside it in a file of their own, or in a systemd credential
//! (design, section 3). Everything in flight is a [`secrecy::SecretString`], which prints nothing and is wiped when dropped.

pub mod keyring;
pub mod password;
pub mod random;
pub mod sealed;

pub use keyring::{KeyRing, KeyRingError};
pub use sealed::{Context, SealedError, open, seal};
