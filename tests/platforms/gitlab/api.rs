//! The REST API: what holds for every request, who somebody is, and where everything else is answered.

use serde_json::json;

use super::answers::{Takes, conditional, list, not_found, nowhere, parameters};
use super::tokens::{no_parameters, unauthorized};
use super::{Site, User};
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// Answers a request below `/api/v4`.
    pub(super) fn api(&mut self, asked: &Asked, path: &str) -> Reply {
        let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let reply = self.route(asked, &parts).unwrap_or_else(|refusal| refusal);
        conditional(asked, reply).with("x-gitlab-meta", "{\"version\":\"1\"}").with("vary", "Origin")
    }

    fn route(&mut self, asked: &Asked, parts: &[&str]) -> Result<Reply, Reply> {
        let method = asked.method.as_str();
        if let Some(reply) = self.hooks_api(asked, method, parts) {
            return reply;
        }
        match (method, parts) {
            (_, ["personal_access_tokens", "self", rest @ ..]) => self.own_token(asked, method, rest),
            ("GET" | "HEAD", ["projects", id, "repository", "files", path @ ..]) => {
                let caller = self.caller(asked)?;
                caller.needs(&["api", "read_api", "read_repository"])?;
                let project = self.project_asked(asked, &caller, id)?;
                self.file(asked, &caller, &project, path)
            }
            ("GET", ["user"]) => self.user(asked),
            ("GET", ["version"]) => self.version(asked),
            ("GET", ["metadata"]) if self.is_at_least(15, 2) => self.metadata(asked),
            ("GET", ["metadata"]) => Err(not_found("")),
            ("GET", ["users", rest @ ..]) => self.of_users(asked, rest),
            ("GET", ["groups", rest @ ..]) => self.of_groups(asked, rest),
            ("GET", ["projects", rest @ ..]) => self.of_projects(asked, rest),
            _ => Err(nowhere()),
        }
    }

    fn version(&mut self, asked: &Asked) -> Result<Reply, Reply> {
        no_parameters(asked)?;
        self.caller(asked)?.needs(&["api", "read_api", "read_user"])?;
        Ok(Reply::json(200, &json!({"version": self.ways.version, "revision": "0123abcd"})))
    }

    fn metadata(&mut self, asked: &Asked) -> Result<Reply, Reply> {
        no_parameters(asked)?;
        self.caller(asked)?.needs(&["api", "read_api", "read_user"])?;
        let kas = json!({"enabled": false, "externalUrl": null, "externalK8sProxyUrl": null, "version": null});
        let is_enterprise = self.ways.version.ends_with("-ee");
        let body = json!({
            "version": self.ways.version, "revision": "0123abcd", "kas": kas, "enterprise": is_enterprise,
        });
        Ok(Reply::json(200, &body))
    }

    fn of_users(&mut self, asked: &Asked, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        caller.needs(&["api", "read_api", "read_user"])?;
        match rest {
            [] => {
                let known = [("username", Takes::Text), ("search", Takes::Text), ("active", Takes::Flag)];
                let (given, page) = list(asked, &known, true)?;
                let name = given.get("username").copied();
                let wanted = |user: &&User| name.is_none_or(|name| user.username.eq_ignore_ascii_case(name));
                let found: Vec<&User> = self.users.values().filter(wanted).collect();
                Ok(self.page(asked, page, &found, |user| user.shown(&self.external_url)))
            }
            [id] => {
                parameters(asked, &[("with_custom_attributes", Takes::Flag)])?;
                let found = id.parse::<u64>().ok().and_then(|id| self.users.get(&id));
                let found = found.ok_or_else(|| not_found("User "))?;
                let mut shown = found.shown(&self.external_url);
                shown["bot"] = found.bot.into();
                if caller.user.admin {
                    shown["external"] = found.external.into();
                }
                Ok(Reply::json(200, &shown))
            }
            _ => Err(nowhere()),
        }
    }

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
    fn user(&mut self, asked: &Asked) -> Result<Reply, Reply> {
        no_parameters(asked)?;
        if asked.header("private-token").is_some_and(|token| self.grants.tokens.contains_key(token)) {
            return Err(unauthorized().blamed("a grant belongs into Authorization"));
        }
        let caller = self.caller(asked)?;
        caller.needs(&["api", "read_api", "read_user"])?;
        match caller.user.refusal {
            Some(said) => Err(Reply::json(403, &json!({"message": format!("403 Forbidden - {said}")}))),
            None => Ok(Reply::json(200, &caller.user.profile())),
        }
    }
}

/// A part of a path, which may be a whole path.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}
