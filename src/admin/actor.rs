//! Who does something, as the audit log names them.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::store::audit::Via;
use crate::store::ids::OrgId;
use crate::store::{self, Tx, audit};

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever ran a command on this machine.
    Command,
    /// The program itself.
    System,
    /// Somebody who did not prove who it is.
    Stranger {
        /// From which address.
        address: String,
    },
    /// A person with an account.
    User {
        /// The account's name.
        name: String,
        /// By what way the person does it.
        via: Via,
        /// From which address, if it is known.
        address: Option<String>,
    },
}

impl Actor {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Command => "command",
            Self::System => "system",
            // No account has such a name.
            Self::Stranger { .. } => "(nobody)",
            Self::User { name, .. } => name,
        }
    }

    pub(super) const fn via(&self) -> Via {
        match self {
            Self::Command => Via::Command,
            Self::System => Via::System,
            Self::Stranger { .. } => Via::Browser,
            Self::User { via, .. } => *via,
        }
    }

    fn address(&self) -> Option<String> {
        match self {
            Self::User { address, .. } => address.clone(),
            Self::Stranger { address } => Some(address.clone()),
            Self::Command | Self::System => None,
        }
    }

    /// Writes the audit entry of a change, in the change's own transaction. `detail` never holds a secret.
    pub(super) fn record(
        &self,
        tx: &Tx<'_>,
        org: Option<OrgId>,
        action: &'static str,
        subject: &str,
        detail: Value,
        now: Timestamp,
    ) -> store::Result<()> {
        let (actor, subject) = (self.text().to_owned(), subject.to_owned());
        let entry = audit::Entry { org, actor, action, subject, detail, via: self.via(), address: self.address() };
        audit::append(tx, &entry, now)
    }
}
