//! Users, and what the API tells about them.

use serde_json::{Value, json};

/// Somebody, or something that is called so.
#[derive(Clone, Debug)]
pub struct User {
    /// Never another's.
    pub id: u64,
    /// Another's, perhaps, later.
    pub username: String,
    /// As they write it.
    pub name: String,
    /// `active`, `blocked`, `ldap_blocked`, `blocked_pending_approval`, `deactivated` or `banned`.
    pub state: &'static str,
    /// Their address.
    pub email: Option<String>,
    /// Whether they have shown that it is theirs.
    pub confirmed: bool,
    /// Whether it is a token's or a service's.
    pub bot: bool,
    /// What the API says instead of telling who it is.
    pub refusal: Option<&'static str>,
}

impl User {
    /// A person with a confirmed address.
    pub fn new(id: u64, username: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            name: format!("{username} of Example"),
            state: "active",
            email: Some(format!("{username}@example.com")),
            confirmed: true,
            bot: false,
            refusal: None,
        }
    }

    /// What `GET /user` tells the person themselves.
    pub fn profile(&self) -> Value {
        json!({
            "id": self.id, "username": self.username, "name": self.name, "state": self.state, "email": self.email,
            "confirmed_at": self.confirmed.then_some("2024-02-03T04:05:06.789Z"), "bot": self.bot, "external": false,
            "public_email": "", "avatar_url": null, "two_factor_enabled": true, "identities": [],
        })
    }
}
