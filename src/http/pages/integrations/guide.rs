//! What to enter on each platform, so that people can sign in with it.

use crate::http::integrations::{Integration, callback};
use crate::platform::PlatformKind;

/// What an administrator does on a platform.
pub(super) struct Guide {
    /// The integration's id.
    pub(super) id: String,
    /// The page of the platform on which apps are registered.
    pub(super) address: String,
    /// What that page is called.
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
    pub(super) fn of(one: &Integration, public_url: &str) -> Self {
        Self::new(one.platform, &one.id, &one.url, &one.name, public_url)
    }

    /// For one that is not yet.
    pub(super) fn of_new(platform: PlatformKind, public_url: &str) -> Self {
        let id = match platform {
            PlatformKind::BitbucketCloud => "bitbucket",
            other => other.as_str(),
        };
        let url = platform.public_url().unwrap_or("https://bitbucket.example.com");
        Self::new(platform, id, url, platform.display_name(), public_url)
    }

    fn new(platform: PlatformKind, id: &str, url: &str, name: &str, public_url: &str) -> Self {
        let callback = callback(id, public_url);
        let title = "Packages".to_owned();
        let (address, place, fields, permissions, keys) = match platform {
            PlatformKind::GitHub => (
                format!("{url}/settings/applications/new"),
                "New OAuth app (an organization’s stand below its own settings, Developer settings)",
                vec![
                    ("Application name", title),
                    ("Homepage URL", public_url.to_owned()),
                    ("Authorization callback URL", callback),
                ],
                "At the sign-in people are asked for read:user and user:email, nothing else. Never for code.",
                "Generate a client secret on the same page.",
            ),
            PlatformKind::GitLab => (
                format!("{url}/-/user_settings/applications"),
                "Applications (an administrator’s, for everybody, stand below Admin, Applications)",
                vec![("Name", title), ("Redirect URI", callback), ("Scopes", "read_user".to_owned())],
                "Leave Confidential ticked, and tick the scope read_user alone: who somebody is, nothing else.",
                "The page shows Application ID and Secret once it is saved.",
            ),
            PlatformKind::BitbucketCloud => (
                format!("{url}/account/workspaces/"),
                "your workspaces; the settings of one have OAuth consumers, Add consumer",
                vec![("Name", title), ("Callback URL", callback), ("URL", public_url.to_owned())],
                "Tick This is a private consumer, and the permissions Account: Email and Read, nothing else.",
                "The consumer’s Key and Secret stand in the list once it is saved.",
            ),
            PlatformKind::BitbucketDataCenter => (
                format!("{url}/plugins/servlet/applinks/listApplicationLinks"),
                "Administration, Application links, Create link: External application, Incoming",
                vec![("Name", title), ("Redirect URL", callback)],
                "Tick no permission: without one, only who somebody is can be asked. Before 7.21 there is no OAuth 2; then use oauth_version = 1 with a consumer key and an RSA key.",
                "Client ID and client secret are shown once it is saved.",
            ),
        };
        let configuration = format!(
            "[[integration]]\nid = \"{id}\"\nplatform = \"{platform}\"\nurl = \"{url}\"\nname = \"{name}\"\nclient_id = \"…\"\nclient_secret_file = \"/etc/packagist-selfhosted/{id}.secret\""
        );
        Self { id: id.to_owned(), address, place, fields, permissions, keys, configuration }
    }
}

#[cfg(test)]
mod tests {
    use super::Guide;
    use crate::platform::PlatformKind;

    #[test]
    fn each_platform_is_told_the_same_callback() {
        for platform in PlatformKind::ALL {
            let guide = Guide::of_new(platform, "https://packages.example.com");
            let callback = format!("https://packages.example.com/auth/{}/callback", guide.id);
            assert!(guide.fields.iter().any(|(_, value)| *value == callback), "{platform}");
            assert!(guide.configuration.contains(&format!("id = \"{}\"", guide.id)), "{platform}");
        }
    }
}
