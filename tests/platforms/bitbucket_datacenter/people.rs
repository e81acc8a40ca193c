//! Users, and what the API tells about them.

use serde_json::{Value, json};

/// Somebody, or something that is called so.
#[derive(Clone, Debug)]
pub struct User {
    /// Never another's.
    pub id: u64,
    /// Another's, perhaps, later.
    pub name: String,
    /// What stands for the name in addresses.
    pub slug: String,
    /// As the directory writes it.
    pub display_name: String,
    /// Their address, if the directory has one.
    pub email: Option<String>,
    /// Whether the directory still has them.
    pub active: bool,
    /// `NORMAL` or `SERVICE`.
    pub kind: &'static str,
    /// Whether they have a licence to use it.
    pub licensed: bool,
    /// Whether they administer all of it.
    pub admin: bool,
}

impl User {
    /// A person.
    pub fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            slug: slug(name),
            display_name: format!("{name} of Example"),
            email: Some(format!("{}@example.com", slug(name))),
            active: true,
            kind: "NORMAL",
            licensed: true,
            admin: false,
        }
    }

    /// What every call tells.
    pub fn profile(&self, base: &str) -> Value {
        let mut profile = json!({
            "name": self.name, "id": self.id, "displayName": self.display_name, "active": self.active,
            "slug": self.slug, "type": self.kind, "links": {"self": [{"href": format!("{base}/users/{}", self.slug)}]},
        });
        if let Some(email) = &self.email {
            profile["emailAddress"] = json!(email);
        }
        profile
    }
}

/// What becomes of a name in addresses.
pub fn slug(name: &str) -> String {
    let keeps = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-".contains(char);
    name.to_lowercase().chars().map(|char| if keeps(char) { char } else { '_' }).collect()
}
