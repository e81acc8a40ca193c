//! GitHub Apps that administrators make from an integration's page, and their installations. An App is made by GitHub, for
//! whoever is signed in there; what it gives for that is stored here and used at once, unless the configuration names an App.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::credentials::{self, Added, Kind, NewCredential, NewSecret};
use super::{Actor, Error, Result};
use crate::appliance::{Appliance, apps};
use crate::platform::github_app::{self, Departure, InstalledAt, Wish};
use crate::platform::{AppKey, Hub, HubError, PlatformKind};
use crate::secrets::{random, seal};
use crate::store::accounts;
use crate::store::github_apps::{self, GithubApp};
use crate::store::ids::{OrgId, SessionId};
use crate::store::installations::{self, Used};

/// How long somebody may be on the way; GitHub's codes are good for as long.
const LASTS: Duration = Duration::from_secs(3600);

/// How it stands with an integration's App.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The one that is used.
    pub used: Option<Arc<AppKey>>,
    /// Whether that is the one which the configuration names.
    pub configured: bool,
    /// The one that was made here, used or not.
    pub made: Option<GithubApp>,
}

/// How it stands with an integration's App; none if it is no GitHub that this server knows.
///
/// # Errors
/// If the database cannot be read.
pub async fn standing(appliance: &Appliance, integration: &str) -> Result<Option<Standing>> {
    let Ok(hub) = hub(appliance, integration) else { return Ok(None) };
    let wanted = integration.to_owned();
    let made = appliance.database.read(move |db| github_apps::of(db, &wanted)).await?;
    Ok(Some(Standing { used: hub.app(), configured: hub.site().app.is_some(), made }))
}

fn hub<'a>(appliance: &'a Appliance, integration: &str) -> Result<&'a Hub> {
    let found = appliance.hubs.by_id(integration).filter(|hub| hub.site().platform == PlatformKind::GitHub);
    found.ok_or_else(|| Error::not_found(format!("there is no GitHub with the integration `{integration}`")))
}

fn said(error: &HubError) -> Error {
    Error::invalid(error.to_string().trim_end_matches('.').to_owned())
}

fn digest(state: &str) -> [u8; 32] {
    Sha256::digest(state.as_bytes()).into()
}

/// Sends somebody on the way to make an App. What comes back is believed from this session, once, within an hour.
///
/// # Errors
/// If the integration has an App.
pub async fn set_out(appliance: &Appliance, session: SessionId, integration: &str, wish: &Wish) -> Result<Departure> {
    let hub = hub(appliance, integration)?;
    require_none(appliance, integration).await?;
    let state = random::hex::<32>();
    let (digest, named, now) = (digest(&state), integration.to_owned(), appliance.now());
    let write = appliance
        .database
        .write(move |tx| github_apps::set_out(tx, &digest, &named, session, now).map_err(Error::from));
    write.await?;
    Ok(github_app::departure(hub, wish, &appliance.settings.public_url, &state).await)
}

async fn require_none(appliance: &Appliance, integration: &str) -> Result<()> {
    let standing = standing(appliance, integration).await?;
    match standing {
        Some(Standing { configured: true, .. }) => {
            Err(Error::conflict("config.toml names a GitHub App for this integration, and that one is used"))
        }
        Some(Standing { made: Some(made), .. }) => {
            Err(Error::conflict(format!("there is the GitHub App {} already: forget it first", made.slug)))
        }
        _ => Ok(()),
    }
}

/// Takes what the browser brought back: has GitHub give out the App's key, stores it, and uses it at once.
///
/// # Errors
/// If this session did not set out, or not lately, or came back before; or GitHub does not give out the key.
pub async fn come_back(
    appliance: &Appliance,
    actor: &Actor,
    session: SessionId,
    integration: &str,
    (state, code): (&str, &str),
) -> Result<String> {
    let hub = hub(appliance, integration)?;
    let (digest, named, oldest) = (digest(state), integration.to_owned(), appliance.now() - LASTS);
    let write = appliance
        .database
        .write(move |tx| github_apps::come_back(tx, &digest, &named, session, oldest).map_err(Error::from));
    if !write.await? {
        return Err(Error::invalid(
            "nobody set out for it from this browser within the last hour, or it was ended before. If there is a new App at GitHub, delete it in its settings, and begin again",
        ));
    }
    require_none(appliance, integration).await?;
    let made = github_app::convert(hub, code).await.map_err(|error| said(&error))?;
    let number =
        i64::try_from(made.key.id).map_err(|_| Error::invalid("the new App has a number that no App can have"))?;
    let (actor, keys, now) = (actor.clone(), Arc::clone(&appliance.keys), appliance.now());
    let (named, is, new) = (integration.to_owned(), credentials::recorded(hub.site()), made.clone());
    let write = appliance.database.write(move |tx| {
        accounts::record(tx, &named, &is, now)?;
        let maker = actor.text().to_owned();
        let id = github_apps::insert(tx, &named, (number, &new.slug, &new.owner), &maker, now)?;
        let key = seal(&keys, apps::key_place(id), &new.key.private_key);
        let secret = new.key.webhook_secret.as_ref().map(|secret| seal(&keys, apps::webhook_place(id), secret));
        github_apps::set_secrets(tx, id, &key, secret.as_deref())?;
        let detail = json!({ "app": number, "slug": new.slug, "owner": new.owner });
        actor.record(tx, None, "github-app.add", &named, detail, now)?;
        Ok::<_, Error>(())
    });
    write.await?;
    hub.set_app(Some(made.key));
    Ok(made.slug)
}

/// Forgets the App that was made here. At GitHub it stays, until its owner deletes it.
///
/// # Errors
/// If there is none.
pub async fn forget(appliance: &Appliance, actor: &Actor, integration: &str) -> Result<()> {
    let hub = hub(appliance, integration)?;
    let (actor, named, now) = (actor.clone(), integration.to_owned(), appliance.now());
    let write = appliance.database.write(move |tx| {
        let Some(made) = github_apps::of(tx, &named)? else {
            return Err(Error::not_found("no GitHub App was made here for this integration"));
        };
        github_apps::remove(tx, &named)?;
        let detail = json!({ "app": made.app, "slug": made.slug, "owner": made.owner });
        Ok(actor.record(tx, None, "github-app.forget", &named, detail, now)?)
    });
    write.await?;
    hub.set_app(None);
    Ok(())
}

/// Where an integration's App is installed, with what uses it here.
///
/// # Errors
/// If GitHub does not tell.
pub async fn installations(appliance: &Appliance, integration: &str) -> Result<Vec<(InstalledAt, Option<Used>)>> {
    let hub = hub(appliance, integration)?;
    let all = github_app::installations(hub).await.map_err(|error| said(&error))?;
    let named = integration.to_owned();
    let used = appliance.database.read(move |db| installations::used(db, &named)).await?;
    let user = |number: i64| used.iter().find(|one| one.number == number).cloned();
    Ok(all.into_iter().map(|one| (user(one.number), one)).map(|(used, one)| (one, used)).collect())
}

/// Makes a credential of an installation of the integration's App for an organization here, to which it then belongs.
///
/// # Errors
/// If the App is not installed there, somebody uses the installation already, or whoever asks does not administer the instance.
pub async fn lend(
    appliance: &Appliance,
    actor: &Actor,
    integration: &str,
    number: i64,
    (org, name): (OrgId, &str),
) -> Result<Added> {
    let hub = hub(appliance, integration)?;
    let app = hub.app().ok_or_else(|| Error::not_found("the integration has no GitHub App"))?;
    // A number in a form says nothing: GitHub does.
    let all = installations(appliance, integration).await?;
    if !all.iter().any(|(one, _)| one.number == number) {
        return Err(Error::invalid(format!("the GitHub App has no installation {number}")));
    }
    let new = NewCredential {
        name: name.to_owned(),
        kind: Kind::GithubApp,
        host: credentials::home(hub.site()),
        // With the App's number: another App that is made later is not taken for it.
        username: Some(format!("{}/{number}", app.id)),
        secret: NewSecret::Given(SecretString::default()),
    };
    credentials::add(appliance, actor, org, new).await
}
