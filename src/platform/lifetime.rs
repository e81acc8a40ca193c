//! Tokens that end, and that put others in their place before.

use std::fmt;

use secrecy::SecretString;

use super::hub::{HubError, Site};
use crate::clock::Timestamp;

/// How long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was made, where the platform tells.
    pub began: Option<Timestamp>,
    /// When it stops working; none: never.
    pub ends: Option<Timestamp>,
}

/// A token in the place of another one.
#[derive(Clone)]
pub struct Successor {
    /// The token.
    pub token: SecretString,
    /// When it stops working, where the platform tells.
    pub ends: Option<Timestamp>,
}

/// The token is nobody's business.
impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successor").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// What is said where tokens cannot replace themselves.
pub(super) fn unsupported(site: &Site) -> HubError {
    HubError::Unsupported(format!(
        "Tokens of {} cannot replace themselves: make a new one there before the old one ends.",
        site.name
    ))
}
