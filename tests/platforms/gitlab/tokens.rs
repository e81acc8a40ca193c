//! Access tokens of people, projects, groups and service accounts; deploy tokens; and who asks with what.

use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::answers::{moment, today};
use super::directory::{Group, Project};
use super::{Site, User};
use crate::platforms::message::{Asked, Reply, strict};

/// An access token.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// Its number.
    pub id: u64,
    /// Whose it is: a person's, or a bot's that was made for it.
    pub user: u64,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// The day from which on it does not work.
    pub expires_at: Option<String>,
    /// Whether somebody ended it, or put another one in its place.
    pub revoked: bool,
    /// The token that took its place.
    pub replaced: Option<String>,
}

/// A token that only Git and registries take.
#[derive(Clone, Debug)]
pub struct DeployToken {
    /// The user name that belongs to it.
    pub username: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// For what it is.
    pub place: Covered,
    /// The day from which on it does not work.
    pub expires_at: Option<String>,
}

/// What a deploy token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// A project.
    Project(u64),
    /// The projects of a group and those below it.
    Group(u64),
}

/// Who asks, and with which rights.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: User,
    /// What the token allows.
    pub scopes: Vec<String>,
    /// The day from which on nothing counts that ended before it.
    pub today: String,
    /// Whether it is a grant of an application.
    pub is_oauth: bool,
}

impl Caller {
    /// Requires one of these scopes.
    pub fn needs(&self, scopes: &[&str]) -> Result<(), Reply> {
        if self.scopes.iter().any(|own| scopes.contains(&own.as_str())) {
            return Ok(());
        }
        let said = "The request requires higher privileges than provided by the access token.";
        let body = json!({"error": "insufficient_scope", "error_description": said, "scope": scopes.join(" ")});
        Err(Reply::json(403, &body))
    }

    /// Requires a scope that reads the API.
    pub fn reads(&self) -> Result<(), Reply> {
        self.needs(&["api", "read_api"])
    }
}

/// Why a token is none.
fn invalid(said: &str) -> Reply {
    Reply::json(401, &json!({"error": "invalid_token", "error_description": said}))
}

/// What is said to whoever is nobody.
pub(super) fn unauthorized() -> Reply {
    Reply::json(401, &json!({"message": "401 Unauthorized"}))
}

impl Site {
    /// Who asks.
    pub(super) fn caller(&mut self, asked: &Asked) -> Result<Caller, Reply> {
        match (asked.header("private-token"), asked.bearer()) {
            (Some(_), Some(_)) => Err(unauthorized().blamed("two tokens at once")),
            (Some(token), None) => self.personal(token),
            (None, Some(token)) if self.grants.tokens.contains_key(token) => self.granted(token),
            (None, Some(token)) => self.personal(token),
            (None, None) => Err(unauthorized()),
        }
    }

    /// Who asks, or nobody.
    pub(super) fn granted(&self, token: &str) -> Result<Caller, Reply> {
        let Some(own) = self.grants.living(token) else {
            return Err(invalid("Token is expired. You can either do re-authorization or token refresh."));
        };
        let user = self.users.get(&own.user).cloned().ok_or_else(unauthorized)?;
        // An account that was locked is told, as the one who asks whether it is.
        Ok(Caller { user, scopes: own.scopes.clone(), today: today(self.clock()), is_oauth: true })
    }

    pub(super) fn personal(&mut self, token: &str) -> Result<Caller, Reply> {
        let now = self.clock();
        if self.deploy_tokens.contains_key(token) {
            return Err(unauthorized().blamed("a deploy token is for Git alone"));
        }
        let Some(own) = self.tokens.get(token).cloned() else {
            let is_former = self.former.contains(token);
            return Err(if is_former { invalid("Token was revoked.") } else { unauthorized() });
        };
        if let Some(successor) = own.replaced {
            // Whoever has the old one may have stolen it: all that came of it ends.
            self.end_family(&successor);
            return Err(invalid("Token was revoked. You have to re-authorize from the user."));
        }
        if own.revoked {
            return Err(invalid("Token was revoked. You have to re-authorize from the user."));
        }
        let today = today(now);
        if own.expires_at.is_some_and(|end| end <= today) {
            return Err(invalid("Token is expired. You can either do re-authorization or token refresh."));
        }
        let user = self.users.get(&own.user).cloned().ok_or_else(unauthorized)?;
        if user.state != "active" {
            return Err(Reply::json(403, &json!({"message": "403 Forbidden - Your account has been blocked."})));
        }
        Ok(Caller { user, scopes: own.scopes, today, is_oauth: false })
    }

    fn end_family(&mut self, token: &str) {
        let Some(own) = self.tokens.get_mut(token) else { return };
        own.revoked = true;
        if let Some(next) = own.replaced.clone() {
            self.end_family(&next);
        }
    }

    /// `GET /personal_access_tokens/self`, and its rotation.
    pub(super) fn own_token(&mut self, asked: &Asked, method: &str, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        let text = asked.header("private-token").or_else(|| asked.bearer()).expect("somebody asks").to_owned();
        if caller.is_oauth {
            return Err(Reply::json(
                400,
                &json!({"message": "400 Bad request - This endpoint requires token type to be a personal access token"}),
            ));
        }
        match (method, rest) {
            ("GET", []) => {
                no_parameters(asked)?;
                Ok(Reply::json(200, &self.token_shown(&text)))
            }
            ("POST", ["rotate"]) => self.rotated(asked, &caller, &text),
            _ => Err(super::answers::nowhere()),
        }
    }

    fn rotated(&mut self, asked: &Asked, caller: &Caller, text: &str) -> Result<Reply, Reply> {
        caller.needs(&["api", "self_rotate"])?;
        let given = match asked.json() {
            Some(Value::Object(given)) => given,
            _ => serde_json::Map::new(),
        };
        if let Some(other) = given.keys().find(|name| *name != "expires_at") {
            return Err(super::answers::bad(&format!("{other} is not known")));
        }
        let day = given.get("expires_at").and_then(Value::as_str).map(str::to_owned);
        let week = today(self.clock() + 7 * 86_400);
        if day.as_ref().is_some_and(|day| *day <= today(self.clock())) {
            return Err(Reply::json(
                400,
                &json!({"message": "400 Bad request - Expiration date must be in the future"}),
            ));
        }
        let last = today(self.clock() + i64::from(self.ways.most_days) * 86_400);
        if day.as_ref().is_some_and(|day| *day > last) {
            let said = format!("400 Bad request - Expiration date must be before {last}");
            return Err(Reply::json(400, &json!({"message": said})));
        }
        let fresh = format!("glpat-{}", random::hex::<10>());
        self.next_token += 1;
        let id = self.next_token;
        let created_at = self.clock();
        let old = self.tokens.get_mut(text).expect("it was found");
        let successor = AccessToken { id, created_at, expires_at: Some(day.unwrap_or(week)), ..old.clone() };
        (old.revoked, old.replaced) = (true, Some(fresh.clone()));
        self.tokens.insert(fresh.clone(), successor);
        let mut shown = self.token_shown(&fresh);
        shown["token"] = fresh.into();
        Ok(Reply::json(200, &shown))
    }

    fn token_shown(&self, text: &str) -> Value {
        let own = &self.tokens[text];
        json!({
            "id": own.id, "name": "packages", "revoked": own.revoked, "created_at": moment(own.created_at),
            "description": "", "scopes": own.scopes, "user_id": own.user, "last_used_at": moment(self.clock()),
            "active": !own.revoked, "expires_at": own.expires_at,
        })
    }

    /// Whether somebody is shown a group.
    pub(super) fn shows_group(&self, caller: &Caller, group: &Group) -> bool {
        self.directory.shows_group(&caller.user, group, &caller.today)
    }

    /// Whether somebody is shown a project.
    pub(super) fn shows_project(&self, caller: &Caller, project: &Project) -> bool {
        self.directory.shows_project(&caller.user, project, &caller.today)
    }

    /// Whether somebody reads a project's code.
    pub(super) fn reads_code(&self, caller: &Caller, project: &Project) -> bool {
        self.directory.reads_code(&caller.user, project, &caller.today, self.least_for_code())
    }

    /// Least level that reads code.
    pub(super) fn least_for_code(&self) -> u32 {
        if self.ways.planners_read { 15 } else { super::directory::REPORTER }
    }
}

/// Reads the query of an address that takes none.
pub(super) fn no_parameters(asked: &Asked) -> Result<(), Reply> {
    strict(&asked.query, &[], &[]).map(|_| ()).map_err(|why| super::answers::bad(&why))
}
