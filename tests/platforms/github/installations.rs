//! Apps in organizations: what they may, which repositories they see, and their tokens of an hour.

use std::collections::{BTreeMap, BTreeSet};

use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::Site;
use super::answers::{Places, forbidden, invalid, list, message, not_found, parameters};
use super::directory::{Level, Repository};
use super::hooks::{Place, delivered};
use super::post::Parcel;
use super::shapes::{self, moment};
use super::tokens::{Caller, Who};
use crate::platforms::message::{Asked, Reply};

/// How long a token is good, in seconds.
const HOUR: i64 = 3600;
/// Most repositories that a token may name.
const MOST: usize = 500;
/// How long tokens are, if nobody says otherwise.
pub(super) const LENGTH: usize = 520;

/// A GitHub App, as far as it is not about logging in.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its number.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its public name.
    pub client_id: String,
    /// What its tokens are signed with.
    pub public_key: Vec<u8>,
    /// What it wants to be allowed.
    pub permissions: BTreeMap<String, String>,
    /// What it wants to be told of.
    pub events: BTreeSet<String>,
    /// Where browsers go after it was installed.
    pub setup_url: Option<String>,
    /// The account that alone may install it, if it is not for everybody.
    pub private_to: Option<u64>,
}

/// An App in an organization.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its number.
    pub id: u64,
    /// The App's.
    pub app: u64,
    /// The organization's.
    pub account: u64,
    /// What it is allowed.
    pub permissions: BTreeMap<String, String>,
    /// Which repositories it sees; none: all.
    pub repositories: Option<BTreeSet<u64>>,
    /// Whether it is shut out.
    pub suspended: bool,
}

/// A token of an installation.
#[derive(Clone, Debug)]
pub struct InstallationToken {
    /// The installation's number.
    pub installation: u64,
    /// What it allows.
    pub permissions: BTreeMap<String, String>,
    /// Which repositories it is for; none: those of the installation.
    pub repositories: Option<BTreeSet<u64>>,
    /// When it ends.
    pub expires_at: i64,
    /// How many requests will not know it yet.
    pub unborn: u32,
}

impl Site {
    /// What an App's token allows.
    pub(super) fn installed_caller(&self, token: &InstallationToken) -> Result<Caller, Reply> {
        let bad = || message(401, "Bad credentials");
        let own = self.installations.get(&token.installation).ok_or_else(bad)?;
        if own.suspended {
            return Err(forbidden("This installation has been suspended"));
        }
        let repositories = match (&own.repositories, &token.repositories) {
            (Some(own), Some(of_token)) => Some(own.intersection(of_token).copied().collect()),
            (own, of_token) => own.clone().or_else(|| of_token.clone()),
        };
        Ok(Caller {
            who: Who::Installation(own.id),
            scopes: None,
            permissions: Some(token.permissions.clone()),
            resource_owner: Some(own.account),
            repositories,
            expires_at: Some(token.expires_at),
        })
    }

    /// What is answered to a token that is too new.
    pub(super) fn unborn(&mut self, asked: &Asked) -> Option<Reply> {
        let status = self.is_unborn(asked.bearer()?)?;
        Some(match status {
            403 => message(status, "Resource not accessible by integration"),
            404 => message(status, "Not Found"),
            _ => message(status, "Bad credentials"),
        })
    }

    /// The status for a token that is too new, which is a request older then.
    pub(super) fn is_unborn(&mut self, token: &str) -> Option<u16> {
        let token = self.installation_tokens.get_mut(token)?;
        token.unborn = token.unborn.checked_sub(1)?;
        Some(self.birth_status)
    }

    /// Ends all tokens of installations with the last of the requests that were given to them.
    pub(super) fn age(&mut self, asked: &Asked) {
        let is_theirs = asked.bearer().is_some_and(|token| self.installation_tokens.contains_key(token));
        if let Some(left) = self.dying.filter(|_| is_theirs) {
            self.dying = left.checked_sub(1);
            if self.dying.is_none() {
                self.installation_tokens.clear();
            }
        }
    }

    /// What Apps ask about themselves.
    pub(super) fn of_app(&mut self, asked: &Asked, parts: &[&str]) -> Result<Reply, Reply> {
        let app = self.app_asking(asked)?;
        let at = self.places(asked);
        let found = |id: &str| {
            let own = id.parse().ok().and_then(|id: u64| self.installations.get(&id)).filter(|one| one.app == app);
            own.ok_or_else(not_found)
        };
        match (asked.method.as_str(), parts) {
            ("GET", ["app"]) => {
                parameters(asked, &[])?;
                Ok(Reply::json(200, &self.app_shown(&at, &self.integrations[&app])))
            }
            ("GET", ["app", "installations"]) => {
                let (_, page) = list(asked, &[("since", &[]), ("outdated", &[])])?;
                let all: Vec<&Installation> = self.installations.values().filter(|one| one.app == app).collect();
                Ok(self.page(asked, page, &all, None, |one| self.installation_shown(&at, one)))
            }
            ("GET", ["app", "installations", id]) => {
                parameters(asked, &[])?;
                Ok(Reply::json(200, &self.installation_shown(&at, found(id)?)))
            }
            ("POST", ["app", "installations", id, "access_tokens"]) => {
                let installation = found(id)?.id;
                self.new_token(asked, installation)
            }
            ("GET", ["orgs", login, "installation"]) => {
                let org = self.directory.org(login).ok_or_else(not_found)?;
                let own = self.installations.values().find(|one| one.app == app && one.account == org.id);
                Ok(Reply::json(200, &self.installation_shown(&at, own.ok_or_else(not_found)?)))
            }
            ("GET", ["repos", owner, name, "installation"]) => {
                let repository = self.repository_at(owner, name).ok_or_else(not_found)?;
                let sees = |one: &&Installation| {
                    one.app == app
                        && one.account == repository.owner
                        && one.repositories.as_ref().is_none_or(|all| all.contains(&repository.id))
                };
                let own = self.installations.values().find(sees).ok_or_else(not_found)?;
                Ok(Reply::json(200, &self.installation_shown(&at, own)))
            }
            (_, ["app", "hook", "deliveries", rest @ ..]) => {
                let hook = self.hook_of_app(app).ok_or_else(not_found)?;
                match (asked.method.as_str(), rest) {
                    ("GET", []) => self.deliveries(asked, hook),
                    ("GET", [id]) => Ok(Reply::json(200, &delivered(&self.delivery(hook, id)?))),
                    ("POST", [id, "attempts"]) => {
                        let sent = self.delivery(hook, id)?;
                        self.hooks.post.send(Parcel { again: true, ..sent.parcel });
                        Ok(Reply::json(202, &json!({})))
                    }
                    _ => Err(not_found().blamed("there is no such address")),
                }
            }
            (_, ["app", "hook", "config"]) => {
                let hook = self.hook_of_app(app).and_then(|id| self.hooks.all.get_mut(&id)).ok_or_else(not_found)?;
                if let ("PATCH", Some(config)) = (asked.method.as_str(), asked.json()) {
                    hook.configure(&config)?;
                }
                Ok(Reply::json(200, &hook.config()))
            }
            _ => Err(not_found().blamed("there is no such address")),
        }
    }

    /// The number of an App's hook.
    pub(super) fn hook_of_app(&self, app: u64) -> Option<u64> {
        self.hooks.all.values().find(|hook| hook.place == Place::App(app)).map(|hook| hook.id)
    }

    pub(super) fn app_shown(&self, at: &Places, app: &Integration) -> Value {
        let url = format!("{}/github-apps/{}", at.web, app.slug);
        let count = self.installations.values().filter(|one| one.app == app.id).count();
        json!({
            "id": app.id, "slug": app.slug, "node_id": format!("A_{}", app.id), "client_id": app.client_id,
            "owner": shapes::account(at, 10_137, "ghost", "User"), "name": app.slug, "description": null,
            "external_url": url, "html_url": url, "created_at": "2020-01-01T00:00:00Z",
            "updated_at": "2020-01-01T00:00:00Z", "permissions": app.permissions, "events": app.events,
            "installations_count": count,
        })
    }

    /// An installation.
    pub(super) fn installation_shown(&self, at: &Places, one: &Installation) -> Value {
        let login = self.directory.orgs.get(&one.account).map_or("ghost", |org| org.login.as_str());
        let app = &self.integrations[&one.app];
        let selection = if one.repositories.is_none() { "all" } else { "selected" };
        json!({
            "id": one.id, "app_id": one.app, "app_slug": app.slug, "client_id": app.client_id, "target_id": one.account,
            "target_type": "Organization", "account": shapes::account(at, one.account, login, "Organization"),
            "permissions": one.permissions, "events": app.events, "repository_selection": selection,
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", at.api, one.id),
            "repositories_url": format!("{}/installation/repositories", at.api),
            "html_url": format!("{}/organizations/{login}/settings/installations/{}", at.web, one.id),
            "single_file_name": null, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
            "suspended_by": null, "suspended_at": one.suspended.then_some("2026-01-01T00:00:00Z"),
        })
    }

    /// `POST /app/installations/{id}/access_tokens`.
    fn new_token(&mut self, asked: &Asked, installation: u64) -> Result<Reply, Reply> {
        parameters(asked, &[])?;
        let own = self.installations[&installation].clone();
        if own.suspended {
            return Err(forbidden("This installation has been suspended"));
        }
        let body = match asked.body.as_slice() {
            [] => json!({}),
            _ => asked.json().ok_or_else(|| message(400, "Problems parsing JSON").blamed("the body is no JSON"))?,
        };
        let odd = body.as_object().and_then(|body| {
            body.keys().find(|key| !["repositories", "repository_ids", "permissions"].contains(&key.as_str()))
        });
        if let Some(odd) = odd {
            return Err(invalid("Token", "unknown").blamed(format!("`{odd}` is not documented")));
        }
        let permissions = granted(&own, &body["permissions"])?;
        let repositories = self.named(&own, &body)?;
        let token = new_name(own.app, self.token_length);
        let expires_at = self.clock() + HOUR;
        let mut shown = json!({
            "token": token, "expires_at": moment(expires_at), "permissions": permissions,
            "repository_selection": if own.repositories.is_none() && repositories.is_none() { "all" } else { "selected" },
        });
        if let Some(named) = &repositories {
            let at = self.places(asked);
            let rows = named.iter().filter_map(|id| self.directory.repositories.get(id));
            let rows = rows.map(|one| self.repository_shown(&at, one, &Level::Read.into()).into());
            shown["repositories"] = rows.collect::<Vec<Value>>().into();
        }
        let unborn = self.birth_lag;
        let made = InstallationToken { installation, permissions, repositories, expires_at, unborn };
        self.installation_tokens.insert(token, made);
        Ok(Reply::json(201, &shown))
    }

    /// The repositories that a token is asked for.
    fn named(&self, own: &Installation, body: &Value) -> Result<Option<BTreeSet<u64>>, Reply> {
        let (names, ids) = (body["repositories"].as_array(), body["repository_ids"].as_array());
        let (names, ids) = (names.map_or(&[][..], Vec::as_slice), ids.map_or(&[][..], Vec::as_slice));
        if names.is_empty() && ids.is_empty() {
            return Ok(None);
        }
        if names.len() + ids.len() > MOST {
            return Err(invalid("Token", "too many repositories").blamed("more than 500 repositories"));
        }
        let sees = |one: &&Repository| {
            one.owner == own.account && own.repositories.as_ref().is_none_or(|all| all.contains(&one.id))
        };
        let by_name = |name: &Value| {
            let name = name.as_str()?;
            self.directory.repositories_of(own.account).filter(sees).find(|one| one.name.eq_ignore_ascii_case(name))
        };
        let by_id = |id: &Value| self.directory.repositories.get(&id.as_u64()?).filter(sees);
        let found = names.iter().map(by_name).chain(ids.iter().map(by_id)).map(|one| one.map(|one| one.id));
        let found: Option<BTreeSet<u64>> = found.collect();
        let said =
            "There is at least one repository that does not exist or is not accessible to the parent installation.";
        found.map(Some).ok_or_else(|| message(422, said))
    }

    /// `GET /installation/repositories`.
    pub(super) fn installation_repositories(&self, asked: &Asked) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[])?;
        let caller = self.caller(asked)?;
        let Who::Installation(id) = caller.who else {
            let said = "You must authenticate with an installation access token in order to list repositories for an installation.";
            return Err(forbidden(said));
        };
        caller.needs("repo", "metadata", "read")?;
        let own = &self.installations[&id];
        let sees = |one: &&Repository| caller.repositories.as_ref().is_none_or(|all| all.contains(&one.id));
        let all: Vec<&Repository> = self.directory.repositories_of(own.account).filter(sees).collect();
        let at = self.places(asked);
        let selection = if caller.repositories.is_none() { "all" } else { "selected" };
        let wrap = Some(("repositories", json!({"repository_selection": selection})));
        let grant = Level::Read.into();
        Ok(self.page(asked, page, &all, wrap, |one| self.repository_shown(&at, one, &grant).into()))
    }
}

/// What a token may do: what is asked for, if the installation may that.
fn granted(own: &Installation, wanted: &Value) -> Result<BTreeMap<String, String>, Reply> {
    let Some(wanted) = wanted.as_object() else { return Ok(own.permissions.clone()) };
    let rank = |level: &str| ["read", "write", "admin"].iter().position(|one| *one == level);
    let mut permissions = BTreeMap::from([("metadata".to_owned(), "read".to_owned())]);
    for (name, level) in wanted {
        let level = level.as_str().unwrap_or_default();
        let has = own.permissions.get(name).is_some_and(|own| rank(own) >= rank(level) && rank(level).is_some());
        if !has {
            return Err(message(422, "The permissions requested are not granted to this installation."));
        }
        permissions.insert(name.clone(), level.to_owned());
    }
    Ok(permissions)
}

/// A token as they were for years, or as they are since 2026: long, and with dots in it.
fn new_name(app: u64, length: usize) -> String {
    if length <= 40 {
        return format!("ghs_{}", &random::hex::<18>()[..length - 4]);
    }
    let mut name = format!("ghs_{app}_ey{}.ey{}.", random::hex::<16>(), random::hex::<90>());
    while name.len() < length {
        name.push_str(&random::hex::<200>().replace('0', "-").replace('1', "_"));
    }
    name.truncate(length);
    name
}
