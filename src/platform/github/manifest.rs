//! A GitHub App made with a click: what it is to be, as GitHub takes it from a form (its "manifest"), what GitHub gives for
//! the code that the browser brings back, and where the App is installed.

use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::api::{Api, As, Ask, part};
use super::app_key::check_app_key;
use super::identity::API_VERSION;
use super::installation::{self, KIND};
use super::{ACCEPT, hooks, hosts, refusal};
use crate::outbound::Answer;
use crate::platform::answer::{printable, trouble};
use crate::platform::app::below;
use crate::platform::hub::{AppKey, Hub, HubError, Key};
use crate::platform::rest::Walk;
use crate::platform::secret::Secret;

/// What every App of ours is allowed, never more than reading.
const PERMISSIONS: [&str; 4] = ["metadata", "contents", "members", "organization_administration"];
/// What shows roles in the organization, where GitHub has them.
const ROLES: &str = "organization_custom_org_roles";
/// The first version of Enterprise Server that has them.
const ROLES_SINCE: (u32, u32) = (3, 14);
/// Longest name of an App, in characters.
const LONGEST_NAME: usize = 34;
/// Longest name of an account.
const LONGEST_ACCOUNT: usize = 100;
/// Longest code that is sent on.
const LONGEST_CODE: usize = 200;

/// Why an App cannot be asked for like that. Each text is good for the form's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWish {
    /// The name.
    #[error("a name of 1 to 34 characters, which no other App there may have")]
    Name,
    /// The organization.
    #[error("the organization's name as it stands in its address: letters, digits and hyphens")]
    Owner,
}

/// The App that somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    name: String,
    owner: Option<String>,
    shared: bool,
}

impl Wish {
    /// Of a form. `owner`: the organization that will own it; empty for the person's own account. `shared`: whether others
    /// than the owner may install it, as all may that of a person.
    ///
    /// # Errors
    /// [`InvalidWish`].
    pub fn parse(name: &str, owner: &str, shared: bool) -> Result<Self, InvalidWish> {
        let (name, owner) = (name.trim(), owner.trim());
        let count = name.chars().count();
        if count == 0 || count > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(InvalidWish::Name);
        }
        let is_letter = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        if owner.len() > LONGEST_ACCOUNT || !owner.chars().all(is_letter) {
            return Err(InvalidWish::Owner);
        }
        let owner = Some(owner.to_owned()).filter(|owner| !owner.is_empty());
        // Nobody but its owner could install a private one, and a person's own account has nothing to synchronize.
        let shared = shared || owner.is_none();
        Ok(Self { name: name.to_owned(), owner, shared })
    }

    /// The organization that will own it; none: the person's own account.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}

/// The way to GitHub with a wish: a form that sends `manifest` to `address`.
#[derive(Clone, Debug)]
pub struct Departure {
    /// Where it is sent.
    pub address: Url,
    /// The field's value, JSON.
    pub manifest: String,
}

/// How to make the App that is wished for. `home` is our own address, without a slash at its end, and `state` what comes back
/// with the browser. Asks an Enterprise Server for its version, because what it does not know it refuses.
pub async fn departure(hub: &Hub, wish: &Wish, home: &str, state: &str) -> Departure {
    let (web, id) = (&hub.site().url, &hub.site().id);
    let mut permissions: serde_json::Map<_, _> =
        PERMISSIONS.iter().map(|name| ((*name).to_owned(), json!("read"))).collect();
    if has_roles(hub).await {
        permissions.insert(ROLES.to_owned(), json!("read"));
    }
    let manifest = json!({
        "name": wish.name,
        "url": home,
        "description": "Reads repositories, teams and members for a private Composer repository. It changes nothing.",
        "hook_attributes": { "url": format!("{home}/hooks/app/{id}"), "active": true },
        "redirect_url": format!("{home}/admin/integrations/{id}/app/created"),
        "setup_url": format!("{home}/admin/integrations/{id}/app"),
        "setup_on_update": false,
        "request_oauth_on_install": false,
        "public": wish.shared,
        "default_permissions": permissions,
        "default_events": hooks::OF_APP,
    });
    let path = match &wish.owner {
        Some(owner) => format!("/organizations/{}/settings/apps/new", part(owner)),
        None => "/settings/apps/new".to_owned(),
    };
    let mut address = below(web, &path);
    address.query_pairs_mut().append_pair("state", state);
    Departure { address, manifest: manifest.to_string() }
}

/// The page of an App with this name in addresses, from which its owner gets to its settings.
#[must_use]
pub fn app_page(web: &Url, slug: &str) -> Url {
    let folder = if hosts::is_cloud(web) { "apps" } else { "github-apps" };
    below(web, &format!("/{folder}/{}", part(slug)))
}

/// Where an owner of an organization installs it there.
#[must_use]
pub fn install_page(web: &Url, slug: &str) -> Url {
    below(&app_page(web, slug), "/installations/new")
}

/// Whether there are roles in organizations to be read. An Enterprise Server that does not tell its version, as one in private
/// mode, is taken for an old one.
async fn has_roles(hub: &Hub) -> bool {
    if hosts::is_cloud(&hub.site().url) {
        return true;
    }
    #[derive(Deserialize)]
    struct Meta {
        installed_version: Option<String>,
    }
    let answer = anonymous(hub, Method::GET, "/meta").await;
    let meta = answer.ok().filter(|answer| answer.status == StatusCode::OK);
    let version = meta.and_then(|answer| serde_json::from_slice::<Meta>(&answer.body).ok()?.installed_version);
    version.is_some_and(|version| knows_roles(&version))
}

fn knows_roles(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= ROLES_SINCE)
}

/// An App as GitHub gives it for a code, once.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// Number, key, slug and what signs its deliveries.
    pub key: AppKey,
    /// Its name in addresses.
    pub slug: String,
    /// The account that owns it.
    pub owner: String,
}

/// Exchanges the code that the browser brought back.
///
/// # Errors
/// [`HubError`]; `NotFound` for a code that is wrong, old or used.
pub async fn convert(hub: &Hub, code: &str) -> Result<NewApp, HubError> {
    #[derive(Deserialize)]
    struct Converted {
        id: u64,
        slug: String,
        owner: Owner,
        pem: SecretString,
        webhook_secret: Option<SecretString>,
    }
    #[derive(Deserialize)]
    struct Owner {
        login: String,
    }
    let name = &hub.site().name;
    let is_letter = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    let spent = || {
        HubError::NotFound(format!(
            "{name} does not know the code that the browser brought back: it is good once, and for an hour. If the App is \
             there now, delete it in its settings, and begin again."
        ))
    };
    if code.is_empty() || code.len() > LONGEST_CODE || !code.chars().all(is_letter) {
        return Err(spent());
    }
    let answer = anonymous(hub, Method::POST, &format!("/app-manifests/{}/conversions", part(code))).await?;
    let malformed =
        |why: &str| HubError::Malformed(format!("What {name} says of the new App was not understood: {why}."));
    match answer.status {
        StatusCode::CREATED => {}
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => return Err(spent()),
        status => {
            let said = refusal::words(&answer);
            return Err(HubError::Unavailable(format!(
                "{name} does not give out the App's key: it answers with HTTP {} and says \"{said}\". Delete the App in its \
                 settings, and begin again.",
                status.as_u16()
            )));
        }
    }
    // serde's text would quote from the answer, which holds a key.
    let made: Converted = serde_json::from_slice(&answer.body).map_err(|_| malformed("something is missing"))?;
    check_app_key(&made.pem).map_err(|error| malformed(&format!("its key cannot be used, {error}")))?;
    let slug = Some(made.slug).filter(|slug| !slug.is_empty() && slug.len() <= LONGEST_CODE);
    let slug = slug.ok_or_else(|| malformed("it has no name"))?;
    let webhook_secret = made.webhook_secret;
    let key = AppKey { id: made.id, private_key: made.pem, slug: Some(slug.clone()), webhook_secret };
    Ok(NewApp { key, slug, owner: printable(&made.owner.login, LONGEST_ACCOUNT) })
}

/// Asks as nobody: before there is an App, there is nothing to show.
async fn anonymous(hub: &Hub, method: Method, path: &str) -> Result<Answer, HubError> {
    let name = &hub.site().name;
    let url = below(&hosts::api(&hub.site().url), path);
    let (version, value) = API_VERSION;
    let mut request = Request::builder().method(method).uri(url.as_str()).header(header::ACCEPT, ACCEPT);
    if hosts::is_cloud(&hub.site().url) {
        request = request.header(version, value);
    }
    let request = request.body(Vec::<u8>::new()).ok().and_then(|request| reqwest::Request::try_from(request).ok());
    let request = request.ok_or_else(|| HubError::Unavailable(format!("{name} has no address that can be called.")))?;
    let unavailable = |why: String| HubError::Unavailable(format!("{name} cannot be used: {why}."));
    let answer = hub.client().send(request).await.map_err(|failed| unavailable(failed.to_string()))?;
    match trouble(&answer) {
        Some(trouble) => Err(unavailable(trouble.reason())),
        None => Ok(answer),
    }
}

/// Where an App is installed.
#[derive(Clone, Debug)]
pub struct InstalledAt {
    /// The installation's number.
    pub number: i64,
    /// The organization or person.
    pub account: String,
    /// Whether it sees all repositories there, or some that were selected.
    pub sees_all: bool,
    /// Whether it is shut out for now.
    pub suspended: bool,
}

/// All installations of the hub's App, as GitHub tells the App itself.
///
/// # Errors
/// [`HubError`].
pub async fn installations(hub: &Hub) -> Result<Vec<InstalledAt>, HubError> {
    #[derive(Deserialize)]
    struct Row {
        id: i64,
        account: Option<installation::Account>,
        repository_selection: Option<String>,
        suspended_at: Option<String>,
    }
    // Of no credential: the App asks for itself, and needs no installation for that.
    let secret = Secret::from(SecretString::default());
    let (kind, username) = (KIND.to_owned(), Some("0".to_owned()));
    let key = Key { credential: 0, generation: 0, kind, username, secret };
    let api = Api::new(hub, &key);
    let (mut walk, mut all) = (Walk::default(), Vec::new());
    let mut next = Some(api.url("/app/installations?per_page=100"));
    while let Some(url) = next {
        walk.step(&url).map_err(|reason| api.malformed(&reason))?;
        let mut ask = Ask::get(url);
        ask.by = As::App;
        let answer = api.answered(&ask, "list the installations of the GitHub App").await?;
        let rows: Vec<Row> = api.json(&answer)?;
        all.extend(rows.into_iter().map(|row| InstalledAt {
            number: row.id,
            account: printable(&row.account.map(|account| account.login).unwrap_or_default(), LONGEST_ACCOUNT),
            sees_all: row.repository_selection.as_deref() != Some("selected"),
            suspended: row.suspended_at.is_some(),
        }));
        next = api.next(&answer)?;
    }
    Ok(all)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{InvalidWish, Wish, install_page, knows_roles};

    #[test]
    fn wishes_are_what_github_takes() {
        let wish = Wish::parse(" Packages ", " acme-corp ", false).unwrap();
        assert_eq!((wish.name.as_str(), wish.owner(), wish.shared), ("Packages", Some("acme-corp"), false));
        assert!(Wish::parse("Packages", "", false).unwrap().shared, "nobody could install it");
        for name in ["", "  ", "a name that is much longer than names", "a\nb"] {
            assert_eq!(Wish::parse(name, "acme", false).unwrap_err(), InvalidWish::Name, "{name:?}");
        }
        for owner in ["acme/evil", "acme?x=", "ac me", "äcme", "..", &"a".repeat(101)] {
            assert_eq!(Wish::parse("Packages", owner, false).unwrap_err(), InvalidWish::Owner, "{owner:?}");
        }
    }

    #[test]
    fn apps_are_installed_where_each_kind_of_github_has_that() {
        for (web, page) in [
            ("https://github.com", "https://github.com/apps/packages/installations/new"),
            ("https://acme.ghe.com", "https://acme.ghe.com/apps/packages/installations/new"),
            ("https://ghe.example.com/", "https://ghe.example.com/github-apps/packages/installations/new"),
        ] {
            assert_eq!(install_page(&web.parse().unwrap(), "packages").as_str(), page);
        }
    }

    #[test]
    fn old_servers_have_no_roles() {
        assert!(knows_roles("3.14.0") && knows_roles("3.19.2") && knows_roles("4.0"));
        assert!(!knows_roles("3.13.9") && !knows_roles("3") && !knows_roles("") && !knows_roles("x.y"));
    }
}
