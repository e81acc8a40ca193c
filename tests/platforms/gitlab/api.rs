//! The REST API, as far as it is about who somebody is.

use serde_json::json;

use super::Site;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// `GET /oauth/token/info`: whose a token is, also of somebody who may do nothing any more.
    pub(super) fn token_info(&self, asked: &Asked) -> Reply {
        let Some(token) = asked.bearer().and_then(|token| self.grants.tokens.get(token)) else {
            return Reply::json(401, &json!({"error": "invalid_token"}));
        };
        let application = json!({"uid": token.client_id});
        Reply::json(
            200,
            &json!({"resource_owner_id": token.user, "scope": token.scopes, "expires_in": 7200, "application": application}),
        )
    }

    /// `GET /user`.
    pub(super) fn user(&self, asked: &Asked) -> Reply {
        if !asked.query.is_empty() || asked.header("private-token").is_some() {
            return Reply::json(400, &json!({"error": "no"})).blamed("a token belongs into Authorization");
        }
        let Some(token) = asked.bearer().and_then(|token| self.grants.tokens.get(token)) else {
            return Reply::json(401, &json!({"message": "401 Unauthorized"}));
        };
        if !token.scopes.iter().any(|scope| matches!(scope.as_str(), "read_user" | "read_api" | "api")) {
            let said = "The request requires higher privileges than provided by the access token.";
            let body = json!({
                "error": "insufficient_scope", "error_description": said, "scope": "api read_api read_user",
            });
            return Reply::json(403, &body);
        }
        match self.users.get(&token.user) {
            None => Reply::json(401, &json!({"message": "401 Unauthorized"})),
            Some(user) => match user.refusal {
                Some(said) => Reply::json(403, &json!({"message": format!("403 Forbidden - {said}")})),
                None => Reply::json(200, &user.profile()),
            },
        }
    }
}
