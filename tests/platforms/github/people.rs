//! Users, and what the API tells about them.

use serde_json::{Value, json};

/// An e-mail address of somebody.
#[derive(Clone, Debug)]
pub struct Address {
    /// The address.
    pub email: String,
    /// Whether it is the one that counts.
    pub primary: bool,
    /// Whether its owner has shown that it is theirs.
    pub verified: bool,
}

/// Somebody, or something that is called so.
#[derive(Clone, Debug)]
pub struct User {
    /// Never another's.
    pub id: u64,
    /// Another's, perhaps, later.
    pub login: String,
    /// As they write it.
    pub name: Option<String>,
    /// `User`, `Bot` or `Organization`.
    pub kind: &'static str,
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// The address that everybody may see.
    pub public_email: Option<String>,
    /// Whether they are shut out.
    pub suspended: bool,
}

impl User {
    /// A person with one verified address that nobody sees, and the substitute for it.
    pub fn new(id: u64, login: &str) -> Self {
        let real = Address { email: format!("{login}@example.com"), primary: true, verified: true };
        let substitute =
            Address { email: format!("{id}+{login}@users.noreply.github.com"), primary: false, verified: true };
        Self {
            id,
            login: login.to_owned(),
            name: Some(format!("{login} of Example")),
            kind: "User",
            addresses: vec![substitute, real],
            public_email: None,
            suspended: false,
        }
    }

    /// The address that counts.
    pub fn primary(&mut self) -> &mut Address {
        self.addresses.iter_mut().find(|address| address.primary).expect("everybody has one")
    }

    /// What `GET /user` tells.
    pub fn profile(&self, is_server: bool) -> Value {
        let mut profile = json!({
            "login": self.login, "id": self.id, "node_id": format!("U_{}", self.id), "type": self.kind,
            "site_admin": false, "name": self.name, "company": null, "email": self.public_email, "bio": null,
            "avatar_url": format!("https://avatars.example/{}", self.id), "created_at": "2020-01-01T00:00:00Z",
        });
        if is_server {
            profile["suspended_at"] = if self.suspended { json!("2026-01-01T00:00:00Z") } else { Value::Null };
        }
        profile
    }

    /// What `GET /user/emails` tells.
    pub fn emails(&self) -> Value {
        let addresses = self.addresses.iter().map(|address| {
            let visibility = if address.primary { json!("private") } else { Value::Null };
            json!({
                "email": address.email, "primary": address.primary, "verified": address.verified, "visibility": visibility,
            })
        });
        addresses.collect()
    }
}
