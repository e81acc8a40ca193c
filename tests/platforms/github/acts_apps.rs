//! What happens to Apps: they are registered, installed, narrowed, suspended, removed; and whom it tells.

use std::collections::BTreeSet;

use packagist_selfhosted::secrets::random;
use serde_json::{Value, json};

use super::hooks::{Hook, Place};
use super::installations::{Installation, Integration};
use super::{GitHub, jwt};

/// An App that was just registered.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// Its number.
    pub id: u64,
    /// Its private key, in PEM.
    pub key: String,
    /// Its hook's number.
    pub hook: u64,
    /// What its deliveries are signed with.
    pub secret: String,
}

impl GitHub {
    /// Registers an App with these permissions, whose deliveries go to `hook`.
    pub fn app_registered(&self, permissions: &[(&str, &str)], hook: &str) -> NewApp {
        let (key, public_key) = jwt::new_key();
        let mut site = self.stage.world();
        let (id, hook_id) = (site.new_id(), site.new_id());
        let permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        let (slug, client_id) = (format!("packages-{id}"), format!("Iv23li{id}"));
        let secret = random::hex::<32>();
        let events = [
            "push",
            "create",
            "delete",
            "release",
            "repository",
            "public",
            "team",
            "team_add",
            "membership",
            "member",
            "organization",
            "meta",
        ];
        let events: BTreeSet<String> = events.map(str::to_owned).into();
        let wanted = events.clone();
        site.integrations.insert(
            id,
            Integration {
                id,
                slug,
                client_id,
                public_key,
                permissions,
                events: wanted,
                setup_url: None,
                private_to: None,
            },
        );
        let own = Hook {
            id: hook_id,
            place: Place::App(id),
            url: hook.to_owned(),
            form: false,
            secret: Some(secret.clone()),
            insecure: false,
            events,
            active: true,
        };
        site.hooks.all.insert(hook_id, own);
        NewApp { id, key, hook: hook_id, secret }
    }

    /// Installs an App in an organization, for some repositories or all; the installation's number.
    pub fn installed(&self, app: u64, org: u64, repositories: Option<&[u64]>) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_id();
        let only = site.integrations[&app].private_to;
        assert!(only.is_none_or(|only| only == org), "only its owner may install a private App");
        let permissions = site.integrations[&app].permissions.clone();
        let repositories = repositories.map(|all| all.iter().copied().collect::<BTreeSet<u64>>());
        let own = Installation { id, app, account: org, permissions, repositories, suspended: false };
        let seen: Vec<u64> = match &own.repositories {
            Some(all) => all.iter().copied().collect(),
            None => site.directory.repositories_of(org).map(|one| one.id).collect(),
        };
        site.installations.insert(id, own);
        let seen: Vec<Value> = seen.into_iter().map(|id| site.brief(id)).collect();
        site.tell_app(id, "installation", json!({"action": "created", "repositories": seen, "requester": null}));
        id
    }

    /// Removes an App from an organization.
    pub fn uninstalled(&self, installation: u64) {
        let mut site = self.stage.world();
        site.tell_app(installation, "installation", json!({"action": "deleted", "repositories": []}));
        site.installations.remove(&installation);
    }

    /// Suspends an App in an organization, or lets it in again.
    pub fn installation_suspended(&self, installation: u64, is_suspended: bool) {
        let mut site = self.stage.world();
        let own = site.installations.get_mut(&installation).expect("an installation");
        own.suspended = is_suspended;
        let action = if is_suspended { "suspend" } else { "unsuspend" };
        site.tell_app(installation, "installation", json!({"action": action}));
    }

    /// Lets an App see only these repositories, or all.
    pub fn selected(&self, installation: u64, repositories: Option<&[u64]>) {
        let mut site = self.stage.world();
        let own = &site.installations[&installation];
        let all: BTreeSet<u64> = site.directory.repositories_of(own.account).map(|one| one.id).collect();
        let before = own.repositories.clone().unwrap_or_else(|| all.clone());
        let wanted = repositories.map(|all| all.iter().copied().collect::<BTreeSet<u64>>());
        let after = wanted.clone().unwrap_or(all);
        site.installations.get_mut(&installation).expect("found").repositories = wanted;
        let (come, gone) = (&after - &before, &before - &after);
        for (which, has_come) in [(come, true), (gone, false)] {
            if !which.is_empty() {
                site.tell_installation_repositories(installation, &which, has_come);
            }
        }
    }

    /// Changes what an installation is allowed, after its owner has agreed.
    pub fn permitted(&self, installation: u64, permissions: &[(&str, &str)]) {
        let mut site = self.stage.world();
        let own = site.installations.get_mut(&installation).expect("an installation");
        own.permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        site.tell_app(installation, "installation", json!({"action": "new_permissions_accepted"}));
    }

    /// A person takes back what they allowed an App.
    pub fn authorization_revoked(&self, app: u64, user: u64) {
        let site = self.stage.world();
        let at = site.places_at("localhost");
        let sender = super::shapes::user(&at, &site.users[&user]);
        site.tell_of_app(app, "github_app_authorization", &json!({"action": "revoked", "sender": sender}));
    }

    /// Does not know the tokens of installations for so many requests after their birth, and answers them with this status.
    pub fn birth_lag(&self, requests: u32, status: u16) {
        let mut site = self.stage.world();
        (site.birth_lag, site.birth_status) = (requests, status);
    }

    /// Makes tokens of installations that are so long from now on.
    pub fn token_length(&self, length: usize) {
        self.stage.world().token_length = length;
    }

    /// Ends all tokens of installations after so many more requests that come with one.
    pub fn tokens_end_after(&self, requests: u32) {
        self.stage.world().dying = Some(requests);
    }

    /// Sets the platform's clock so many seconds ahead of ours, or behind it.
    pub fn clock_ahead(&self, seconds: i64) {
        self.stage.skew(seconds);
        self.stage.world().offset = seconds;
    }
}
