//! What an administrator enters on a platform, and where, so that people can log in with it.
//!
//! Addresses of pages are the platforms' own and not part of any API: a wrong one costs a look around, no more.

use url::Url;

use super::app::below;
use super::kind::PlatformKind;

/// How to register an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The page that begins it; GitHub's comes filled in.
    pub page: Url,
    /// The way to that page, as the platform names it.
    pub path: &'static str,
    /// What to enter: the platform's labels, and the values.
    pub fields: Vec<(&'static str, String)>,
    /// What the app may find out about whoever logs in, in the platform's words.
    pub scopes: &'static [&'static str],
}

/// How to register an app with the platform at `base`. `name` is what people will see, `home` our own address, and
/// `callback` where browsers come back to. `oauth1` is for Bitbucket Data Center with `oauth_version = 1`.
#[must_use]
pub fn registration(
    platform: PlatformKind,
    base: &Url,
    oauth1: bool,
    name: &str,
    home: &Url,
    callback: &Url,
) -> Registration {
    match platform {
        PlatformKind::GitHub => github(base, name, home, callback),
        PlatformKind::GitLab => gitlab(base, name, callback),
        PlatformKind::BitbucketCloud => bitbucket_cloud(base, name, home, callback),
        PlatformKind::BitbucketDataCenter if oauth1 => application_link(base, name, home),
        PlatformKind::BitbucketDataCenter => bitbucket_datacenter(base, name, callback),
    }
}

fn github(base: &Url, name: &str, home: &Url, callback: &Url) -> Registration {
    let mut page = below(base, "/settings/applications/new");
    page.query_pairs_mut()
        .append_pair("oauth_application[name]", name)
        .append_pair("oauth_application[url]", home.as_str())
        .append_pair("oauth_application[callback_url]", callback.as_str());
    Registration {
        page,
        path: "Settings → Developer settings → OAuth apps → New OAuth app, of the organization that shall own it",
        fields: vec![
            ("Application name", name.to_owned()),
            ("Homepage URL", home.to_string()),
            ("Authorization callback URL", callback.to_string()),
        ],
        scopes: &["read:user", "user:email"],
    }
}

fn gitlab(base: &Url, name: &str, callback: &Url) -> Registration {
    let is_public = base.host_str() == Some("gitlab.com");
    let (page, path) = if is_public {
        ("/-/user_settings/applications", "the group's Settings → Applications, or your own preferences → Applications")
    } else {
        ("/admin/applications/new", "Admin → Applications → Add new application")
    };
    Registration {
        page: below(base, page),
        path,
        fields: vec![
            ("Name", name.to_owned()),
            ("Redirect URI", callback.to_string()),
            ("Trusted", "no".to_owned()),
            ("Confidential", "yes".to_owned()),
            ("Scopes", "read_user".to_owned()),
        ],
        scopes: &["read_user"],
    }
}

fn bitbucket_cloud(base: &Url, name: &str, home: &Url, callback: &Url) -> Registration {
    Registration {
        page: below(base, "/account/workspaces/"),
        path: "the workspace's Settings → OAuth consumers → Add consumer",
        fields: vec![
            ("Name", name.to_owned()),
            ("Callback URL", callback.to_string()),
            ("URL", home.to_string()),
            ("This is a private consumer", "yes".to_owned()),
            ("Permissions", "Account: Email, Read".to_owned()),
        ],
        scopes: &["account", "email"],
    }
}

/// The page of all application links, where both kinds begin.
const LINKS: &str = "/plugins/servlet/applinks/listApplicationLinks";

fn bitbucket_datacenter(base: &Url, name: &str, callback: &Url) -> Registration {
    Registration {
        page: below(base, LINKS),
        path: "Administration → Application links → Create link → External application → Incoming",
        fields: vec![
            ("Name", name.to_owned()),
            ("Redirect URL", callback.to_string()),
            ("Application permissions", "none beyond public repositories".to_owned()),
        ],
        scopes: &["PUBLIC_REPOS"],
    }
}

fn application_link(base: &Url, name: &str, home: &Url) -> Registration {
    Registration {
        page: below(base, LINKS),
        path: "Administration → Application links → Create link → Generic application, with an incoming link",
        fields: vec![
            ("Application URL", home.to_string()),
            ("Application Name", name.to_owned()),
            ("Consumer Key", "the value of `consumer_key`".to_owned()),
            ("Consumer Name", name.to_owned()),
            ("Public Key", "what `openssl pkey -pubout` makes of `private_key`".to_owned()),
        ],
        scopes: &[],
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use url::Url;

    use super::{PlatformKind, registration};

    #[test]
    fn pages_stand_below_the_platforms_address_and_name_the_callback() {
        let home: Url = "https://packages.example.com".parse().unwrap();
        let callback: Url = "https://packages.example.com/auth/x/callback".parse().unwrap();
        let of = |platform, base: &str, oauth1| {
            let base = base.parse().unwrap();
            registration(platform, &base, oauth1, "Packages of Example", &home, &callback)
        };
        let github = of(PlatformKind::GitHub, "https://github.example.com", false);
        assert!(github.page.as_str().starts_with("https://github.example.com/settings/applications/new?"));
        assert!(github.page.query().unwrap().contains("callback_url%5D=https%3A%2F%2Fpackages.example.com%2Fauth"));
        let gitlab = of(PlatformKind::GitLab, "https://corp.example/gitlab", false);
        assert_eq!(gitlab.page.as_str(), "https://corp.example/gitlab/admin/applications/new");
        for (platform, oauth1) in PlatformKind::ALL.map(|platform| (platform, false)) {
            let fields = of(platform, "https://forge.example", oauth1).fields;
            assert!(fields.iter().any(|(_, value)| value == callback.as_str()), "{platform}: {fields:?}");
        }
        let old = of(PlatformKind::BitbucketDataCenter, "https://forge.example/stash", true);
        assert!(
            old.page.path().starts_with("/stash/plugins/")
                && old.fields.iter().any(|(label, _)| *label == "Public Key")
        );
    }
}
