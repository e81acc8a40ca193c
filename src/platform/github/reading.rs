//! Reading lists of an organization of GitHub.

use super::api::Api;
use crate::platform::hub::{Hub, Key};
use crate::platform::remote::{Pages, Wanted};
use crate::platform::rest;

/// Somebody who reads an organization.
pub(super) type Reader<'a> = rest::Reader<'a, Api<'a>>;

impl<'a> Reader<'a> {
    /// Begins to read.
    pub(super) fn new(hub: &'a Hub, key: &'a Key, wanted: &'a Wanted, pages: &'a mut Pages) -> Self {
        Self::of(Api::new(hub, key).sparing(wanted.spare), wanted, pages)
    }
}
