//! `[[integration]]`: a platform with its apps. Which keys a platform takes, and which belong together.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::config::keys::{IntegrationKeys, TypedConfig};
use crate::config::place::Place;
use crate::config::resolve::duplicates;
use crate::config::resolver::{Resolver, place_of};
use crate::config::section::Section;
use crate::config::suggestion::{hint, shown};
use crate::config::values;
use crate::platform::{App, ConsumerKey, LoginApp, PlatformKind};

/// A platform as it was configured.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its name in addresses, commands and the UI.
    pub id: String,
    /// What it is.
    pub platform: PlatformKind,
    /// Its address, without a slash at the end of the path.
    pub url: String,
    /// What the login button says.
    pub name: String,
    /// The app that people log in by.
    pub login_app: Option<LoginApp>,
    /// Whether the login page offers it; never without a [`LoginApp`].
    pub login: bool,
    /// Whether a first login is taken for that of the account with the same verified e-mail address.
    pub link_by_email: bool,
    /// The GitHub App, where there is one.
    pub github_app: Option<GitHubApp>,
    /// Where the block stands, for findings about it as a whole.
    pub place: Place,
}

impl Integration {
    /// The app that people log in by, as the platform's room wants it; nothing where there is none.
    #[must_use]
    pub fn app(&self) -> Option<App> {
        Some(App {
            id: self.id.clone(),
            platform: self.platform,
            url: Url::parse(&self.url).ok()?,
            name: self.name.clone(),
            login: self.login_app.clone()?,
        })
    }
}

/// A GitHub App.
#[derive(Clone, Debug)]
pub struct GitHubApp {
    /// Its number.
    pub id: u64,
    /// RSA key, PEM.
    pub private_key: SecretString,
    /// Its name in addresses.
    pub slug: Option<String>,
    /// Secret of its webhook; without it there is no address for that.
    pub webhook_secret: Option<SecretString>,
}

impl Resolver {
    /// All integrations, in file order.
    pub(super) fn integrations(&mut self, typed: &TypedConfig) -> Option<Vec<Integration>> {
        self.problems.extend(duplicates(typed.integrations.iter().flat_map(|keys| &keys.id)));
        let resolved: Vec<_> = typed.integrations.iter().map(|keys| self.integration(keys)).collect();
        resolved.into_iter().collect()
    }

    fn integration(&mut self, keys: &IntegrationKeys) -> Option<Integration> {
        let id = self.required(keys, "id", &keys.id, values::id);
        let platform = self.required(keys, "platform", &keys.platform, platform);
        let name = self.optional("name", &keys.name, values::text);
        let url = self.optional("url", &keys.url, values::http_url);
        // What else is right depends on the platform; without one, any answer would mislead.
        let (platform, place) = (platform?, keys.place());
        let is_usual = self.has_only_its_keys(keys, platform);
        let url = url.and_then(|url| self.url(keys, platform, url));
        let login_app = self.login_app(keys, platform);
        let github_app = self.github_app(keys, platform);
        let login_app = login_app?;
        let login = self.login(keys, login_app.is_some());
        is_usual.then_some(())?;
        Some(Integration {
            id: id?,
            platform,
            url: url?,
            name: name?.unwrap_or_else(|| platform.display_name().to_owned()),
            login_app,
            login: login?,
            link_by_email: keys.link_by_email.as_ref().is_some_and(|placed| placed.value),
            github_app: github_app?,
            place,
        })
    }

    fn has_only_its_keys(&mut self, keys: &IntegrationKeys, platform: PlatformKind) -> bool {
        let mut is_usual = true;
        for (key, place) in keys.places() {
            if let Some(only) = only_for(key).filter(|only| *only != platform) {
                is_usual = false;
                self.complain::<()>(
                    place,
                    format!("`{key}` is for `{only}`, and this integration is for `{platform}`"),
                );
            }
        }
        is_usual
    }

    fn url(&mut self, keys: &IntegrationKeys, platform: PlatformKind, url: Option<Url>) -> Option<String> {
        let Some(url) = url else {
            return match platform.public_url() {
                Some(url) => Some(url.to_owned()),
                None => self.missing(keys, "url"),
            };
        };
        if url.scheme() == "http" {
            let place = place_of(keys, &keys.url);
            self.warn(place, "tokens and passwords travel unencrypted to an http:// platform");
        }
        Some(platform.base(&url).as_str().trim_end_matches('/').to_owned())
    }

    fn login_app(&mut self, keys: &IntegrationKeys, platform: PlatformKind) -> Option<Option<LoginApp>> {
        let client_id = self.optional("client_id", &keys.client_id, values::text);
        let client_secret = self.secret("client_secret", &keys.client_secret);
        let consumer_key = self.optional("consumer_key", &keys.consumer_key, values::text);
        let private_key = self.secret("private_key", &keys.private_key);
        let version = keys.oauth_version.as_ref().map_or(2, |placed| placed.value);
        if platform != PlatformKind::BitbucketDataCenter || version == 2 {
            self.not_with_version_two(keys, platform);
            let pair = self.pair(keys, ("client_id", client_id?), ("client_secret", client_secret?))?;
            return Some(pair.map(|(client_id, client_secret)| LoginApp::OAuth2 { client_id, client_secret }));
        }
        if version != 1 {
            return self.complain(
                place_of(keys, &keys.oauth_version),
                format!("`oauth_version` must be 1 or 2, and is {version}"),
            );
        }
        let pair = self.pair(keys, ("consumer_key", consumer_key?), ("private_key", private_key?))?;
        match pair {
            Some((consumer_key, private_key)) => match ConsumerKey::from_pem(private_key.expose_secret()) {
                Ok(_) => Some(Some(LoginApp::OAuth1 { consumer_key, private_key })),
                Err(error) => self.complain(place_named(keys, "private_key")?, error.to_string()),
            },
            None => self.complain(
                place_of(keys, &keys.oauth_version),
                "`oauth_version = 1` needs `consumer_key` and `private_key`",
            ),
        }
    }

    fn not_with_version_two(&mut self, keys: &IntegrationKeys, platform: PlatformKind) {
        let lost = keys.places().into_iter().filter(|(key, _)| matches!(*key, "consumer_key" | "private_key"));
        for (key, place) in lost.filter(|_| platform == PlatformKind::BitbucketDataCenter) {
            self.complain::<()>(place, format!("`{key}` counts only with `oauth_version = 1`"));
        }
    }

    /// Two keys of which neither makes sense alone.
    fn pair<A, B>(
        &mut self,
        keys: &IntegrationKeys,
        first: (&str, Option<A>),
        second: (&str, Option<B>),
    ) -> Option<Option<(A, B)>> {
        let place_named = |name: &str| place_named(keys, name);
        match (first.1, second.1) {
            (Some(a), Some(b)) => Some(Some((a, b))),
            (None, None) => Some(None),
            (Some(_), None) => {
                self.complain(place_named(first.0)?, format!("`{}` needs `{}` beside it", first.0, second.0))
            }
            (None, Some(_)) => {
                self.complain(place_named(second.0)?, format!("`{}` needs `{}` beside it", second.0, first.0))
            }
        }
    }

    fn login(&mut self, keys: &IntegrationKeys, has_app: bool) -> Option<bool> {
        match &keys.login {
            Some(placed) if placed.value && !has_app => {
                self.complain(placed.place.clone(), "`login = true` needs `client_id` and `client_secret`")
            }
            Some(placed) => Some(placed.value),
            None => Some(has_app),
        }
    }

    fn github_app(&mut self, keys: &IntegrationKeys, platform: PlatformKind) -> Option<Option<GitHubApp>> {
        if platform != PlatformKind::GitHub {
            return Some(None);
        }
        let id = match &keys.app_id {
            Some(placed) => match u64::try_from(placed.value) {
                Ok(id @ 1..) => Some(Some(id)),
                _ => self.complain(placed.place.clone(), "`app_id` must be the App's number"),
            },
            None => Some(None),
        };
        let private_key = self.secret("app_private_key", &keys.app_private_key);
        let slug = self.optional("app_slug", &keys.app_slug, values::text);
        let webhook_secret = self.secret("webhook_secret", &keys.webhook_secret);
        let (slug, webhook_secret) = (slug?, webhook_secret?);
        let pair = self.pair(keys, ("app_id", id?), ("app_private_key", private_key?))?;
        if pair.is_none() {
            let lost: Vec<_> =
                keys.places().into_iter().filter(|(key, _)| matches!(*key, "app_slug" | "webhook_secret")).collect();
            for (key, place) in &lost {
                self.complain::<()>(place.clone(), format!("`{key}` needs `app_id` and `app_private_key` beside it"));
            }
            return lost.is_empty().then_some(None);
        }
        Some(pair.map(|(id, private_key)| GitHubApp { id, private_key, slug, webhook_secret }))
    }
}

/// Where a key stands.
fn place_named(keys: &IntegrationKeys, name: &str) -> Option<Place> {
    keys.places().into_iter().find(|(key, _)| *key == name).map(|(_, place)| place)
}

/// The only platform that a key is for, or nothing where all take it.
pub(super) fn only_for(key: &str) -> Option<PlatformKind> {
    match key {
        "app_id" | "app_private_key" | "app_slug" | "webhook_secret" => Some(PlatformKind::GitHub),
        "oauth_version" | "consumer_key" | "private_key" => Some(PlatformKind::BitbucketDataCenter),
        _ => None,
    }
}

fn platform(text: &str) -> values::Read<PlatformKind> {
    PlatformKind::ALL.into_iter().find(|platform| platform.as_str() == text).ok_or_else(|| {
        let all = PlatformKind::ALL.map(PlatformKind::as_str);
        format!("must be one of `{}`, and is `{}`{}", all.join("`, `"), shown(text), hint(text, all))
    })
}
