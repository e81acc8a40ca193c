//! The REST API, as far as it is about who somebody is.

use serde_json::{Value, json};

use super::{Flavour, Kind, Site, User};
use crate::platforms::frame::now;
use crate::platforms::message::{Asked, Reply};

/// The version of the API that every GitHub speaks which knows of versions.
const VERSION: &str = "2022-11-28";

impl Site {
    /// Answers a request below the API's root.
    pub(super) fn api(&mut self, asked: &Asked, path: &str) -> Reply {
        let reply = match self.obstacle(asked) {
            Some(reply) => reply,
            None => self.route(asked, path),
        };
        let reply = reply.with("x-github-media-type", "github.v3; format=json");
        match self.flavour {
            Flavour::Cloud => {
                let (remaining, reset) = self.spent.map_or(("4999", 3600), |seconds| ("0", seconds));
                reply.with("x-ratelimit-remaining", remaining).with("x-ratelimit-reset", &(now() + reset).to_string())
            }
            // Whether it limits anything, an administrator decides; by default it does not.
            Flavour::Server { version, .. } => reply.with("x-github-enterprise-version", version),
        }
    }

    /// What holds for every request.
    fn obstacle(&self, asked: &Asked) -> Option<Reply> {
        if asked.header("user-agent").is_none() {
            return Some(Reply::text(403, "Request forbidden by administrative rules.").blamed("without User-Agent"));
        }
        let accept = asked.header("accept").unwrap_or_default();
        if !accept.contains("application/vnd.github+json") || !accept.contains("application/json") {
            return Some(message(415, "Unsupported 'Accept' header").blamed(format!("accepts {accept:?}")));
        }
        match (self.flavour, asked.header("x-github-api-version")) {
            (Flavour::Cloud, Some(VERSION)) | (_, None) => {}
            (_, Some(version)) => {
                return Some(message(400, "API version not supported").blamed(format!("wants version {version}")));
            }
        }
        if self.is_cloud() && self.spent.is_some() {
            return Some(message(403, "API rate limit exceeded for user ID 1."));
        }
        let is_private = matches!(self.flavour, Flavour::Server { private: true, .. });
        if is_private && asked.header("authorization").is_none() {
            return Some(Reply::html(401, "<title>Sign in</title>"));
        }
        None
    }

    fn route(&mut self, asked: &Asked, path: &str) -> Reply {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["meta"]) => self.meta(),
            ("GET", ["user"]) => self.with_user(asked, |_, user, is_server| Reply::json(200, &user.profile(is_server))),
            ("GET", ["user", "emails"]) => self.with_user(asked, emails),
            (method @ ("POST" | "DELETE"), ["applications", client_id, "token"]) => {
                self.token(asked, method, client_id)
            }
            _ => message(404, "Not Found").blamed("there is no such address"),
        }
    }

    fn meta(&self) -> Reply {
        match self.flavour {
            Flavour::Cloud => Reply::json(200, &json!({"verifiable_password_authentication": false, "hooks": []})),
            Flavour::Server { version, .. } => {
                Reply::json(200, &json!({"verifiable_password_authentication": true, "installed_version": version}))
            }
        }
    }

    fn with_user(&self, asked: &Asked, answer: impl FnOnce(&Access, &User, bool) -> Reply) -> Reply {
        let Some(token) = asked.bearer().and_then(|token| self.grants.tokens.get(token)) else {
            return message(401, "Bad credentials");
        };
        let Some(user) = self.users.get(&token.user) else { return message(401, "Bad credentials") };
        if user.suspended {
            return message(403, "Sorry. Your account was suspended.");
        }
        let kind = self.apps[&token.client_id].kind;
        let access = Access { kind, scopes: token.scopes.clone() };
        let reply = answer(&access, user, !self.is_cloud());
        if kind == Kind::OAuth { reply.with("x-oauth-scopes", &token.scopes.join(", ")) } else { reply }
    }

    /// `POST` and `DELETE /applications/{client_id}/token`: only the app itself may ask.
    fn token(&mut self, asked: &Asked, method: &str, client_id: &str) -> Reply {
        let app = self.apps.get(client_id);
        let pair = app.map(|app| (app.client_id.clone(), app.client_secret.clone()));
        if pair.is_none() || asked.basic() != pair {
            return message(401, "Bad credentials");
        }
        let Some(token) = asked.json().and_then(|body| body["access_token"].as_str().map(str::to_owned)) else {
            return message(422, "Invalid request.").blamed("without access_token");
        };
        let known = self.grants.tokens.get(&token).filter(|known| known.client_id == client_id);
        let Some(known) = known.cloned() else { return message(404, "Not Found") };
        if method == "DELETE" {
            self.grants.tokens.remove(&token);
            return Reply::empty(204);
        }
        let user = self.users.get(&known.user).map(|user| user.profile(false));
        Reply::json(200, &json!({"token": token, "scopes": known.scopes, "user": user, "expires_at": Value::Null}))
    }
}

/// What a token allows.
struct Access {
    kind: Kind,
    scopes: Vec<String>,
}

fn emails(access: &Access, user: &User, _is_server: bool) -> Reply {
    match access.kind {
        Kind::GitHubApp { emails: false } => message(403, "Resource not accessible by integration"),
        Kind::OAuth if !access.scopes.iter().any(|scope| scope == "user:email" || scope == "user") => {
            message(404, "Not Found")
        }
        _ => Reply::json(200, &user.emails()),
    }
}

fn message(status: u16, text: &str) -> Reply {
    Reply::json(
        status,
        &json!({"message": text, "documentation_url": "https://docs.github.com/rest", "status": status}),
    )
}
