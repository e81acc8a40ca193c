//! The REST API, as far as it is about who somebody is. Every answer to somebody says in `X-AUSERNAME` to whom.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::credentials::not_allowed;
use super::{Site, User};
use crate::platforms::message::{Asked, Reply, strict};

/// What lists of users can be asked for.
const KNOWN: [&str; 6] =
    ["start", "filter", "group", "permission", "permission.projectKey", "permission.repositorySlug"];

impl Site {
    /// `GET /rest/api/1.0/application-properties`, for everybody.
    pub(super) fn properties(&self) -> Reply {
        let body = json!({
            "version": self.version, "buildNumber": "8019004", "buildDate": "1715000000000",
            "displayName": self.display_name,
        });
        Reply::json(200, &body)
    }

    /// `GET /rest/api/1.0/users`.
    pub(super) fn users(&self, asked: &Asked) -> Reply {
        let given = match strict(&asked.query, &["limit"], &KNOWN) {
            Ok(given) => given,
            Err(why) => return Reply::json(400, &Value::Null).blamed(why),
        };
        if self.is_public {
            return Reply::json(200, &json!({"values": [], "size": 0, "isLastPage": true, "start": 0, "limit": 25}));
        }
        let chosen = match self.chosen(&given) {
            Ok(chosen) => chosen,
            Err(reply) => return self.told_to(asked, |_| reply),
        };
        self.told_to(asked, |_| self.page(&given, chosen))
    }

    /// `GET /rest/api/1.0/users/{slug}`.
    pub(super) fn user(&self, asked: &Asked, slug: &str) -> Reply {
        self.told_to(asked, |_| match self.users.values().find(|user| user.slug == slug) {
            Some(user) => Reply::json(200, &user.profile(&self.base)),
            None => error(404, "com.atlassian.bitbucket.user.NoSuchUserException", "No such user"),
        })
    }

    /// `GET /plugins/servlet/applinks/whoami`: the only address beside these that old servers take tokens at.
    pub(super) fn whoami(&self, asked: &Asked) -> Reply {
        if self.version() >= (8, 9) || asked.bearer().is_some() {
            return Reply::redirect(&format!("{}/login", self.base)).blamed("tokens are for /rest alone");
        }
        match self.signed_in(asked) {
            Some(user) => Reply::text(200, &user.name),
            None => Reply::text(200, ""),
        }
    }

    /// Answers somebody, and says to whom.
    fn told_to(&self, asked: &Asked, answer: impl FnOnce(&User) -> Reply) -> Reply {
        let caller = match self.asker(asked) {
            Ok(caller) => caller,
            Err(refusal) => return refusal,
        };
        let user = caller.user;
        let reply = if user.licensed { answer(user) } else { not_allowed() };
        if self.hides_caller {
            return reply;
        }
        let name: String = byte_serialize(user.name.as_bytes()).collect();
        reply.with("x-ausername", &name.replace('+', "%20"))
    }

    /// Whose token came, by OAuth 2 or by OAuth 1.
    pub(super) fn signed_in(&self, asked: &Asked) -> Option<&User> {
        let id = match asked.bearer() {
            Some(token) => self.grants.living(token)?.user,
            None => self.signer(asked).ok()??,
        };
        self.users.get(&id)
    }

    fn page(&self, given: &BTreeMap<&str, &str>, chosen: impl Fn(&User) -> bool) -> Reply {
        let number = |name: &str| given.get(name).map_or(Some(0), |text| text.parse::<usize>().ok());
        let (Some(start), Some(limit)) = (number("start"), number("limit")) else {
            return Reply::json(400, &Value::Null).blamed("no number");
        };
        let limit = limit.min(self.page_limit);
        let filter = given.get("filter").map(|text| text.to_lowercase()).unwrap_or_default();
        let matches = |user: &&User| user.name.to_lowercase().contains(&filter) && chosen(user);
        let all: Vec<_> = self.users.values().filter(matches).map(|user| user.profile(&self.base)).collect();
        let values: Vec<_> = all.iter().skip(start).take(limit).cloned().collect();
        let next = start + values.len();
        let is_last = next >= all.len();
        let next = (!is_last).then_some(next);
        let body = json!({
            "size": values.len(), "limit": limit, "isLastPage": is_last, "values": values, "start": start,
            "nextPageStart": next,
        });
        Reply::json(200, &body)
    }
}

/// An error as the API writes it.
pub(super) fn error(status: u16, kind: &str, said: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"context": null, "message": said, "exceptionName": kind}]}))
}
