//! The REST API: what holds for every request, who somebody is, and where everything else is answered.

use serde_json::json;

use super::answers::{conditional, message, not_found, parameters};
use super::{Flavour, Kind, Site, User, shapes};
use crate::platforms::frame::now;
use crate::platforms::message::{Asked, Reply};

/// The version of the API that every GitHub speaks which knows of versions.
const VERSION: &str = "2022-11-28";

impl Site {
    /// Answers a request below the API's root.
    pub(super) fn api(&mut self, asked: &Asked, path: &str) -> Reply {
        self.age(asked);
        let reply = match self.obstacle(asked).or_else(|| self.unborn(asked)) {
            Some(reply) => reply,
            None => self.route(asked, path),
        };
        let reply = conditional(asked, reply).with("x-github-media-type", "github.v3; format=json");
        let reply = self.with_token(asked, reply);
        if reply.status != 304 {
            self.used += 1;
        }
        match self.flavour {
            Flavour::Cloud => {
                let left = 5000_u32.saturating_sub(self.used).to_string();
                let (remaining, reset) = self.spent.map_or((left.as_str(), 3600), |seconds| ("0", seconds));
                reply.with("x-ratelimit-remaining", remaining).with("x-ratelimit-reset", &(now() + reset).to_string())
            }
            // Whether it limits anything, an administrator decides; by default it does not.
            Flavour::Server { version, .. } => reply.with("x-github-enterprise-version", version),
        }
    }

    /// What every answer tells of the token.
    fn with_token(&self, asked: &Asked, reply: Reply) -> Reply {
        let Ok(caller) = self.caller(asked) else { return reply };
        let reply = match &caller.scopes {
            Some(scopes) => reply.with("x-oauth-scopes", &scopes.join(", ")),
            None => reply,
        };
        match caller.expires_at.filter(|_| caller.user().is_some()) {
            Some(end) => {
                let end = shapes::moment(end).replace('T', " ").replace('Z', " UTC");
                reply.with("github-authentication-token-expiration", &end)
            }
            None => reply,
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
            ("GET", ["rate_limit"]) => self.rate_limit(),
            ("GET", ["user", "emails"]) => self.with_user(asked, emails),
            (method @ ("POST" | "DELETE"), ["applications", client_id, "token"]) => {
                self.token(asked, method, client_id)
            }
            ("POST", ["app-manifests", code, "conversions"]) => {
                self.convert_manifest(asked, code).unwrap_or_else(|refusal| refusal)
            }
            (method, parts) => self.known(asked, method, parts).unwrap_or_else(|refusal| refusal),
        }
    }

    /// What a token is needed for.
    fn known(&mut self, asked: &Asked, method: &str, parts: &[&str]) -> Result<Reply, Reply> {
        let nowhere = || not_found().blamed("there is no such address");
        if let Some(reply) = self.hooks_api(asked, method, parts) {
            return reply;
        }
        if let ["app", ..] | ["orgs", _, "installation"] | ["repos", _, _, "installation"] = parts {
            return self.of_app(asked, parts);
        }
        if method != "GET" {
            return Err(nowhere());
        }
        match parts {
            ["installation", "repositories"] => self.installation_repositories(asked),
            ["user"] => {
                let caller = self.caller(asked)?;
                let own = caller.user().and_then(|id| self.users.get(&id));
                let own = own.ok_or_else(|| message(403, "Resource not accessible by integration"))?;
                Ok(Reply::json(200, &shapes::profile(&self.places(asked), own, !self.is_cloud(), true)))
            }
            ["user", "memberships", "orgs"] => self.own_memberships(asked),
            ["user", id] if self.is_at_least(3, 14) => {
                let id = id.parse::<u64>().map_err(|_| nowhere())?;
                self.profile_of(asked, self.users.get(&id))
            }
            ["users", login] => self.profile_of(asked, self.user_named(login)),
            ["orgs", login, rest @ ..] => {
                self.caller(asked)?;
                let org = self.directory.org(login).map(|org| org.id).ok_or_else(not_found)?;
                self.of_organization(asked, org, rest)
            }
            ["organizations", id, "team", team, rest @ ..] => {
                let caller = self.caller(asked)?;
                let team = team.parse().ok().and_then(|id: u64| self.directory.teams.get(&id)).ok_or_else(not_found)?;
                let org = &self.directory.orgs[&team.org];
                if org.id.to_string() != *id {
                    return Err(not_found());
                }
                let own: Vec<&str> = [team.slug.as_str()].into_iter().chain(rest.iter().copied()).collect();
                self.of_teams(asked, &caller, org, &own)
            }
            ["organizations", id, rest @ ..] => self.of_organization(asked, id.parse().map_err(|_| nowhere())?, rest),
            ["repos", owner, name, rest @ ..] => self.of_path(asked, owner, name, rest),
            ["repositories", id, rest @ ..] => {
                let caller = self.caller(asked)?;
                let id: u64 = id.parse().map_err(|_| nowhere())?;
                let found = self.directory.repositories.get(&id).ok_or_else(not_found)?;
                self.of_repository(asked, &caller, found, rest)
            }
            _ => Err(nowhere()),
        }
    }

    fn profile_of(&self, asked: &Asked, found: Option<&User>) -> Result<Reply, Reply> {
        self.caller(asked)?;
        parameters(asked, &[])?;
        let found = found.ok_or_else(not_found)?;
        Ok(Reply::json(200, &shapes::profile(&self.places(asked), found, !self.is_cloud(), false)))
    }

    fn rate_limit(&self) -> Reply {
        if !self.is_cloud() {
            return message(404, "Rate limiting is not enabled.");
        }
        let left = if self.spent.is_some() { 0 } else { 5000_u32.saturating_sub(self.used) };
        let reset = now() + self.spent.unwrap_or(3600);
        let core = json!({"limit": 5000, "used": self.used, "remaining": left, "reset": reset});
        Reply::json(200, &json!({"resources": {"core": core, "search": core}, "rate": core}))
    }

    fn meta(&self) -> Reply {
        match self.flavour {
            Flavour::Cloud => Reply::json(200, &json!({"verifiable_password_authentication": false, "hooks": []})),
            Flavour::Server { version, .. } => {
                Reply::json(200, &json!({"verifiable_password_authentication": true, "installed_version": version}))
            }
        }
    }

    fn with_user(&self, asked: &Asked, answer: impl FnOnce(&Access, &User) -> Reply) -> Reply {
        let Some(token) = asked.bearer().and_then(|token| self.grants.tokens.get(token)) else {
            return message(401, "Bad credentials");
        };
        let Some(user) = self.users.get(&token.user) else { return message(401, "Bad credentials") };
        if user.suspended {
            return message(403, "Sorry. Your account was suspended.");
        }
        let kind = self.apps[&token.client_id].kind;
        let access = Access { kind, scopes: token.scopes.clone() };
        answer(&access, user)
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
        let places = self.places(asked);
        let user = self.users.get(&known.user).map(|user| shapes::user(&places, user));
        Reply::json(200, &shapes::authorization(&places, client_id, &token, &known.scopes, user.into()))
    }
}

/// What a token allows.
struct Access {
    kind: Kind,
    scopes: Vec<String>,
}

fn emails(access: &Access, user: &User) -> Reply {
    match access.kind {
        Kind::GitHubApp { emails: false } => message(403, "Resource not accessible by integration"),
        Kind::OAuth if !access.scopes.iter().any(|scope| scope == "user:email" || scope == "user") => {
            message(404, "Not Found")
        }
        _ => Reply::json(200, &user.emails()),
    }
}
