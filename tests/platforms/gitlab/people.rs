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
    /// Whether they see only what they were given.
    pub external: bool,
    /// Whether they run this GitLab.
    pub admin: bool,
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
            external: false,
            admin: false,
            refusal: None,
        }
    }

    /// What `GET /user` tells the person themselves.
    pub fn profile(&self) -> Value {
        let mut profile = json!({
            "id": self.id, "username": self.username, "name": self.name, "state": self.state, "email": self.email,
            "confirmed_at": self.confirmed.then_some("2024-02-03T04:05:06.789Z"), "bot": self.bot,
            "external": self.external, "public_email": "", "avatar_url": null, "two_factor_enabled": true,
            "identities": [], "locked": false, "commit_email": self.email, "created_at": "2024-02-03T04:00:00.000Z",
        });
        if self.admin {
            profile["is_admin"] = true.into();
        }
        profile
    }

    /// What everybody is told.
    pub fn shown(&self, web: &str) -> Value {
        json!({
            "id": self.id, "username": self.username, "public_email": "", "name": self.name, "state": self.state,
            "locked": false, "avatar_url": null, "web_url": format!("{web}/{}", self.username),
        })
    }
}
