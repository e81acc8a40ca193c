//! GitHub Apps that are made of a manifest: the page that takes it from a form, the question whether somebody wants that, and
//! the code for which the App's key is given out, once and within an hour.

use std::collections::{BTreeMap, BTreeSet};

use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::answers::{message, not_found};
use super::directory::Rank;
use super::hooks::{Hook, OF_BOTH, OF_ORGANIZATIONS, Place};
use super::installations::Integration;
use super::{Site, jwt, shapes};
use crate::platforms::consent::{self, Decision};
use crate::platforms::message::{Asked, Reply, strict};

/// How long a code is good, in seconds.
const HOUR: i64 = 3600;
/// Fewest characters of a state that nobody can guess.
const STATE: usize = 22;
/// Longest name of an App.
const LONGEST_NAME: usize = 34;
/// What a manifest may say.
const FIELDS: [&str; 12] = [
    "name",
    "url",
    "description",
    "hook_attributes",
    "redirect_url",
    "callback_urls",
    "setup_url",
    "setup_on_update",
    "request_oauth_on_install",
    "public",
    "default_permissions",
    "default_events",
];
/// What an App can be allowed, as far as anybody here may want it.
const PERMISSIONS: [&str; 6] = [
    "metadata",
    "contents",
    "members",
    "organization_administration",
    "organization_custom_roles",
    "organization_custom_org_roles",
];

/// Number, name and kind of an account.
type Owner = (u64, String, &'static str);

/// Manifests on their way.
#[derive(Default)]
pub struct Manifests {
    /// By the request on the page.
    asked: BTreeMap<String, Wanted>,
    /// By their codes: the App, its owner, and when the code was made.
    codes: BTreeMap<String, (Wanted, Owner, i64)>,
}

/// What somebody wants to make.
#[derive(Clone)]
struct Wanted {
    manifest: Value,
    state: String,
    /// The organization that shall own it.
    org: Option<u64>,
}

impl Site {
    /// Answers what is about manifests, if it is.
    pub(super) fn of_manifests(&mut self, asked: &Asked) -> Option<Reply> {
        let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["organizations", login, "settings", "apps", "new"]) => {
                let org = self.directory.org(login).map(|org| org.id);
                Some(match org {
                    Some(org) => self.take_manifest(asked, Some(org)),
                    None => Reply::html(404, "<title>Page not found</title>"),
                })
            }
            ("POST", ["settings", "apps", "new"]) => Some(self.take_manifest(asked, None)),
            ("POST", ["settings", "apps", "manifest"]) => Some(self.decide_manifest(asked)),
            _ => None,
        }
    }

    fn take_manifest(&mut self, asked: &Asked, org: Option<u64>) -> Reply {
        let wrong = |why: String| Reply::html(422, why.clone()).blamed(why);
        let form = asked.form().unwrap_or_default();
        let given = strict(&form, &["manifest"], &[]).and_then(|form| {
            let query = strict(&asked.query, &["state"], &[])?;
            Ok((form["manifest"].to_owned(), query["state"].to_owned()))
        });
        let (manifest, state) = match given {
            Ok(given) => given,
            Err(why) => return wrong(why),
        };
        let Ok(manifest) = serde_json::from_str::<Value>(&manifest) else {
            return wrong("the manifest is no JSON".to_owned());
        };
        if state.len() < STATE {
            return wrong(format!("the state {state} can be guessed"));
        }
        if let Err(why) = self.check_manifest(&manifest) {
            return wrong(why);
        }
        let name = manifest["name"].as_str().unwrap_or_default().to_owned();
        if self.integrations.values().any(|app| app.slug == slug(&name)) {
            return Reply::html(422, "Name is already taken");
        }
        let permissions =
            manifest["default_permissions"].as_object().map_or_else(Vec::new, |all| all.keys().cloned().collect());
        let id = random::hex::<16>();
        self.manifests.asked.insert(id.clone(), Wanted { manifest, state, org });
        let users: Vec<String> = self.users.values().map(|user| user.login.clone()).collect();
        consent::page("GitHub", &name, "/settings/apps/manifest", &id, &users, &permissions)
    }

    /// What is wrong with a manifest.
    fn check_manifest(&self, manifest: &Value) -> Result<(), String> {
        let fields = manifest.as_object().ok_or("the manifest is no object")?;
        if let Some(odd) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(format!("`{odd}` is not documented"));
        }
        let name = manifest["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            return Err(format!("{name:?} is no name"));
        }
        let is_url = |value: &Value| {
            let url = value.as_str().and_then(|text| url::Url::parse(text).ok());
            url.is_some_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        for field in ["url", "redirect_url"] {
            if !is_url(&manifest[field]) {
                return Err(format!("`{field}` is {}", manifest[field]));
            }
        }
        let hook = &manifest["hook_attributes"];
        if !is_url(&hook["url"])
            || !hook["active"].is_boolean()
            || hook.as_object().map(serde_json::Map::len) != Some(2)
        {
            return Err(format!("`hook_attributes` is {hook}"));
        }
        if !manifest["setup_url"].is_null() && !is_url(&manifest["setup_url"]) {
            return Err("`setup_url` is no address".to_owned());
        }
        for flag in ["public", "setup_on_update", "request_oauth_on_install"] {
            if !manifest[flag].is_null() && !manifest[flag].is_boolean() {
                return Err(format!("`{flag}` is neither true nor false"));
            }
        }
        let permissions = manifest["default_permissions"].as_object().ok_or("without permissions")?;
        for (name, level) in permissions {
            let is_known = PERMISSIONS.contains(&name.as_str());
            let is_there = name != "organization_custom_org_roles" || self.is_at_least(3, 14);
            if !is_known || !is_there || level != "read" {
                return Err(format!("the permission {name}: {level} is none, or more than anybody here needs"));
            }
        }
        for event in manifest["default_events"].as_array().ok_or("without events")? {
            let event = event.as_str().unwrap_or_default();
            let needed = match event {
                "push" | "create" | "delete" | "release" => "contents",
                "team" | "team_add" | "membership" | "member" | "organization" => "members",
                _ => "metadata",
            };
            let is_known = OF_BOTH.contains(&event) || OF_ORGANIZATIONS.contains(&event);
            if !is_known || !permissions.contains_key(needed) {
                return Err(format!("the event {event:?} is none, or needs the permission {needed}"));
            }
        }
        Ok(())
    }

    fn decide_manifest(&mut self, asked: &Asked) -> Reply {
        let decided = consent::decision(asked);
        let Some((wanted, decision)) = decided.and_then(|(id, made)| Some((self.manifests.asked.remove(&id)?, made)))
        else {
            return Reply::html(422, "Your browser did something unexpected.");
        };
        let Decision::Allow(login) = decision else { return Reply::html(200, "<title>Nothing was made</title>") };
        let Some(user) = self.user_named(&login) else { return Reply::html(404, "<title>Page not found</title>") };
        let owner = match wanted.org.and_then(|id| self.directory.orgs.get(&id)) {
            None => (user.id, user.login.clone(), "User"),
            Some(org) if org.members.get(&user.id) == Some(&Rank::Owner) => (org.id, org.login.clone(), "Organization"),
            Some(_) => return Reply::html(404, "<title>Page not found</title>"),
        };
        let code = random::hex::<20>();
        let to = wanted.manifest["redirect_url"].as_str().unwrap_or_default().to_owned();
        let state = wanted.state.clone();
        let now = self.clock();
        self.manifests.codes.insert(code.clone(), (wanted, owner, now));
        Reply::redirect_with(&to, &[("code", &code), ("state", &state)])
    }

    /// `POST /app-manifests/{code}/conversions`.
    pub(super) fn convert_manifest(&mut self, asked: &Asked, code: &str) -> Result<Reply, Reply> {
        if !asked.body.is_empty() || !asked.query.is_empty() {
            return Err(message(422, "Invalid request.").blamed("it takes nothing but the code"));
        }
        if asked.header("authorization").is_some() {
            return Err(message(401, "Bad credentials").blamed("there is nothing yet to say who asks"));
        }
        let (wanted, owner, made_at) = self.manifests.codes.remove(code).ok_or_else(not_found)?;
        if self.clock() - made_at >= HOUR {
            return Err(not_found());
        }
        let (pem, public_key) = jwt::new_key();
        let (id, hook_id) = (self.new_id(), self.new_id());
        let manifest = &wanted.manifest;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let permissions = manifest["default_permissions"].as_object().into_iter().flatten();
        let permissions: BTreeMap<String, String> =
            permissions.map(|(name, level)| (name.clone(), text(level))).collect();
        let events: BTreeSet<String> = manifest["default_events"].as_array().into_iter().flatten().map(text).collect();
        let secret = random::hex::<20>();
        let app = Integration {
            id,
            slug: slug(&text(&manifest["name"])),
            client_id: format!("Iv23li{id}"),
            public_key,
            permissions,
            events: events.clone(),
            setup_url: manifest["setup_url"].as_str().map(str::to_owned),
            private_to: (manifest["public"] == false).then_some(owner.0),
        };
        let hook = Hook {
            id: hook_id,
            place: Place::App(id),
            url: text(&manifest["hook_attributes"]["url"]),
            form: false,
            secret: Some(secret.clone()),
            insecure: false,
            events,
            active: manifest["hook_attributes"]["active"] == true,
        };
        self.hooks.all.insert(hook_id, hook);
        let at = self.places(asked);
        let mut shown = self.app_shown(&at, &app);
        shown["owner"] = shapes::account(&at, owner.0, &owner.1, owner.2).into();
        shown["client_secret"] = json!(random::hex::<20>());
        shown["webhook_secret"] = json!(secret);
        shown["pem"] = json!(pem);
        self.integrations.insert(id, app);
        Ok(Reply::json(201, &shown))
    }
}

/// An App's name as it stands in addresses.
fn slug(name: &str) -> String {
    let letter = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect()
}
