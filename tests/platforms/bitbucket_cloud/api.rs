//! The REST API: who somebody is, and the way to all else.

use serde_json::json;

use super::answers::{absent, lacks};
use super::directory::Reach;
use super::{Site, User};
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Everything but logging in.
    pub(super) fn api(&mut self, asked: &Asked) -> Reply {
        let decoded: Option<Vec<String>> = asked.path.split('/').skip(1).map(decode).collect();
        let Some(parts) = decoded else { return absent("Resource").blamed("a part of the path is not encoded") };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let answer = match parts.as_slice() {
            ["2.0", "hook_events", subject] => self.events_of(asked, subject),
            ["2.0", "workspaces", rest @ ..] => {
                self.caller(asked).and_then(|caller| self.workspaces(asked, &caller, rest))
            }
            ["2.0", "repositories", rest @ ..] => {
                self.caller(asked).and_then(|caller| self.repositories(asked, &caller, rest))
            }
            ["1.0", "groups", slug, ""] => self.caller(asked).and_then(|caller| self.old_groups(asked, &caller, slug)),
            _ => Err(absent("Resource").blamed("there is no such address")),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// `GET /2.0/user`.
    pub(super) fn user(&self, asked: &Asked) -> Reply {
        self.owner(asked, "account").map_or_else(|refusal| refusal, |user| Reply::json(200, &user.profile()))
    }

    /// `GET /2.0/user/emails`.
    pub(super) fn emails(&self, asked: &Asked) -> Reply {
        self.owner(asked, "email").map_or_else(|refusal| refusal, |user| Reply::json(200, &user.addresses()))
    }

    /// `GET /2.0/hook_events`, for everybody.
    pub(super) fn hook_events(&self) -> Reply {
        let events = |of: &str| json!({"links": {"events": {"href": format!("https://api.bitbucket.org/2.0/hook_events/{of}")}}});
        Reply::json(200, &json!({"repository": events("repository"), "workspace": events("workspace")}))
    }

    /// Whose token came, if it allows this.
    fn owner(&self, asked: &Asked, scope: &str) -> Result<&User, Reply> {
        let caller = self.caller(asked)?;
        let Reach::Person(id) = caller.reach else {
            return Err(Reply::text(401, "Token is invalid, expired, or not supported for this endpoint."));
        };
        let user = &self.users[&id];
        let other = if scope == "account" { "read:user:bitbucket" } else { "read:email:bitbucket" };
        if caller.scopes.contains(scope) || caller.scopes.contains(other) {
            return Ok(user);
        }
        Err(lacks(&[scope], caller.scopes))
    }
}

/// A part of a path; braces that nobody encoded are an error.
fn decode(part: &str) -> Option<String> {
    if part.contains(['{', '}', ' ']) {
        return None;
    }
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned())
}
