//! The REST API, as far as it is about who somebody is.

use serde_json::json;

use super::{Site, User};
use crate::platforms::message::{Asked, Reply};

impl Site {
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
        let token = asked.bearer().and_then(|token| self.grants.tokens.get(token));
        let user = token.and_then(|token| Some((token, self.users.get(&token.user)?)));
        let Some((token, user)) = user else {
            return Err(Reply::text(401, "Token is invalid, expired, or not supported for this endpoint."));
        };
        if token.scopes.iter().any(|granted| granted == scope) {
            return Ok(user);
        }
        let message = "Your credentials lack one or more required privilege scopes.";
        let detail = json!({"required": [scope], "granted": token.scopes});
        Err(Reply::json(403, &json!({"type": "error", "error": {"message": message, "detail": detail}})))
    }
}
