//! What holds for every conversation of an operation, whichever system the repository has.

use super::request::{Limits, Step};
use super::ssh::{HostKeyPolicy, HostKeys};
use super::url::UrlPolicy;
use crate::outbound;

/// What holds for every conversation of an operation.
pub(super) struct Surroundings<'a> {
    pub(super) outbound: &'a outbound::Settings,
    pub(super) policy: &'a UrlPolicy,
    pub(super) limits: &'a Limits,
    pub(super) host_keys: &'a HostKeys,
    pub(super) ssh_host_keys: HostKeyPolicy,
    /// Says how far an update is.
    pub(super) tell: &'a dyn Fn(Step),
}
