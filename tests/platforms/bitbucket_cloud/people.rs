//! Users, and what the API tells about them.

use serde_json::{Value, json};

/// Somebody, or something that is called so.
#[derive(Clone, Debug)]
pub struct User {
    /// Never another's.
    pub uuid: String,
    /// The account in all of Atlassian's products.
    pub account_id: String,
    /// Anybody's.
    pub nickname: String,
    /// As they write it.
    pub display_name: String,
    /// `user`, `team` or `app_user`.
    pub kind: &'static str,
    /// `active`, `inactive` or `closed`; old answers do not tell.
    pub status: Option<&'static str>,
    /// Their addresses.
    pub emails: Vec<Address>,
}

/// An e-mail address.
#[derive(Clone, Debug)]
pub struct Address {
    /// Itself.
    pub email: String,
    /// Whether it is the one to write to.
    pub primary: bool,
    /// Whether they have shown that it is theirs.
    pub confirmed: bool,
}

impl User {
    /// A person with a confirmed address, and one more.
    pub fn new(id: u64, nickname: &str) -> Self {
        let address = |email: String, primary| Address { email, primary, confirmed: true };
        Self {
            uuid: format!("{{{id:08x}-0a1b-4c2d-8e3f-{id:012x}}}"),
            account_id: format!("557058:{id:08x}-6e5d-4c3b-9a2f-{id:012x}"),
            nickname: nickname.to_owned(),
            display_name: format!("{nickname} of Example"),
            kind: "user",
            status: Some("active"),
            emails: vec![
                address(format!("{nickname}@home.example"), false),
                address(format!("{nickname}@example.com"), true),
            ],
        }
    }

    /// What `GET /user` tells the person themselves.
    pub fn profile(&self) -> Value {
        let mut profile = json!({
            "type": self.kind, "uuid": self.uuid, "account_id": self.account_id, "nickname": self.nickname,
            "display_name": self.display_name, "created_on": "2019-03-04T05:06:07.890123+00:00",
            "is_staff": false, "has_2fa_enabled": null,
            "links": {"avatar": {"href": "https://avatar.example/u.png"}, "html": {"href": format!("https://bitbucket.org/{}/", self.uuid)}},
        });
        if let Some(status) = self.status {
            profile["account_status"] = json!(status);
        }
        profile
    }

    /// What `GET /user/emails` tells.
    pub fn addresses(&self) -> Value {
        let values = self.emails.iter().map(|address| {
            json!({
                "type": "email", "email": address.email, "is_primary": address.primary,
                "is_confirmed": address.confirmed, "links": {},
            })
        });
        json!({"values": values.collect::<Vec<_>>(), "pagelen": 10, "page": 1, "size": self.emails.len()})
    }
}
