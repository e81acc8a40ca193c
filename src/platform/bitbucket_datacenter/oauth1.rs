//! Signing requests as OAuth 1.0a (RFC 5849) wants it, with RSA-SHA1.
//!
//! Application links of Bitbucket before 7.20 know nothing newer. Pure: time and nonce are arguments.

mod key;
mod signature;

pub use key::{ConsumerKey, InvalidKey, SigningFailed};
pub use signature::{Signature, base_string};
