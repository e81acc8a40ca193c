//! Who does something, as the audit log names them.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::store::ids::OrgId;
use crate::store::{self, Tx, audit};

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever ran a command on this machine.
    Command,
    /// The program itself.
    System,
    /// A person with an account, by its name.
    User(String),
}

impl Actor {
    fn text(&self) -> &str {
        match self {
            Self::Command => "command",
            Self::System => "system",
            Self::User(name) => name,
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
        let entry = audit::Entry { org, actor: self.text().to_owned(), action, subject: subject.to_owned(), detail };
        audit::append(tx, &entry, now)
    }
}
