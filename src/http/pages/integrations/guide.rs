//! What to enter on each platform, so that people can sign in with it.

use url::Url;

use crate::http::integrations::{Integration, callback};
use crate::platform::{Connection, PlatformKind, Registration, registration};

/// What an administrator does on a platform.
pub(super) struct Guide {
    /// The integration's id.
    pub(super) id: String,
    /// The page of the platform on which apps are registered, or the one that leads there.
    pub(super) address: String,
    /// The way there, as the platform names it.
    pub(super) place: &'static str,
    /// What to enter: label and value.
    pub(super) fields: Vec<(&'static str, String)>,
    /// What to tick, and what people are asked for.
    pub(super) permissions: &'static str,
    /// Where the keys are found.
    pub(super) keys: &'static str,
    /// The block of the configuration.
    pub(super) configuration: String,
}

impl Guide {
    /// For an integration that is configured.
    pub(super) fn of(one: &Integration, public_url: &str) -> Option<Self> {
        let is_oauth1 = one.connection.as_ref().is_some_and(Connection::is_oauth1);
        Self::new(one.platform, is_oauth1, &one.id, &one.url, &one.name, public_url)
    }

    /// For one that is not yet.
    pub(super) fn of_new(platform: PlatformKind, public_url: &str) -> Option<Self> {
        let id = match platform {
            PlatformKind::BitbucketCloud => "bitbucket",
            other => other.as_str(),
        };
        let url = platform.public_url().unwrap_or("https://bitbucket.example.com");
        Self::new(platform, false, id, url, platform.display_name(), public_url)
    }

    /// None where an address is none, which the configuration has seen to before.
    fn new(platform: PlatformKind, is_oauth1: bool, id: &str, url: &str, name: &str, public_url: &str) -> Option<Self> {
        let callback = Url::parse(&callback(id, public_url)).ok()?;
        let (base, home) = (Url::parse(url).ok()?, Url::parse(public_url).ok()?);
        let Registration { page, path, fields, .. } =
            registration(platform, &base, is_oauth1, "Packages", &home, &callback);
        let (permissions, keys) = match platform {
            PlatformKind::GitHub => (
                "At the sign-in people are asked for read:user and user:email, nothing else. Never for code.",
                "Generate a client secret on the same page.",
            ),
            PlatformKind::GitLab => (
                "Who somebody is, nothing else. Where accounts shall be connected as credentials, tick read_api and read_repository too, and api if they shall install webhooks: only whoever connects one is asked for them. Without an administrator, an application of your own does as well: it stands in your preferences.",
                "The page shows Application ID and Secret once it is saved.",
            ),
            PlatformKind::BitbucketCloud => (
                "Who somebody is, nothing else. Where accounts shall be connected as credentials, tick Repositories: Read and Projects: Read too, and Webhooks if they shall install those.",
                "The consumer’s Key and Secret stand in the list once it is saved.",
            ),
            PlatformKind::BitbucketDataCenter if is_oauth1 => (
                "The link says who somebody is, nothing else. Make the key with openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072.",
                "The consumer key is a word of your choice, and the same on both sides.",
            ),
            PlatformKind::BitbucketDataCenter => (
                "Only who somebody is can be asked. Where accounts shall be connected as credentials, tick Repositories: Read too, and Projects: Admin if they shall install webhooks. Before 7.20 there is no OAuth 2; then use oauth_version = 1 with a consumer key and an RSA key.",
                "Client ID and client secret are shown once it is saved.",
            ),
        };
        let secrets = if is_oauth1 {
            format!(
                "oauth_version = 1\nconsumer_key = \"…\"\nprivate_key_file = \"/etc/packagist-selfhosted/{id}.pem\""
            )
        } else {
            format!("client_id = \"…\"\nclient_secret_file = \"/etc/packagist-selfhosted/{id}.secret\"")
        };
        let configuration = format!(
            "[[integration]]\nid = \"{id}\"\nplatform = \"{platform}\"\nurl = \"{url}\"\nname = \"{name}\"\n{secrets}"
        );
        Some(Self { id: id.to_owned(), address: page.into(), place: path, fields, permissions, keys, configuration })
    }
}

#[cfg(test)]
mod tests {
    use super::Guide;
    use crate::platform::PlatformKind;

    #[test]
    fn an_old_data_center_is_told_of_its_key() {
        let of = |is_oauth1| {
            let (platform, url) = (PlatformKind::BitbucketDataCenter, "https://git.example.com/stash");
            Guide::new(platform, is_oauth1, "dc", url, "Stash", "https://packages.example.com")
                .map(|guide| guide.configuration)
        };
        assert!(of(true).is_some_and(|text| text.contains("private_key_file") && !text.contains("client_id")));
        assert!(of(false).is_some_and(|text| text.contains("client_id") && !text.contains("private_key_file")));
    }

    #[test]
    fn each_platform_is_told_the_same_callback() {
        for platform in PlatformKind::ALL {
            let guide = Guide::of_new(platform, "https://packages.example.com").expect("these are addresses");
            let callback = format!("https://packages.example.com/auth/{}/callback", guide.id);
            assert!(guide.fields.iter().any(|(_, value)| *value == callback), "{platform}");
            assert!(guide.configuration.contains(&format!("id = \"{}\"", guide.id)), "{platform}");
        }
    }
}
