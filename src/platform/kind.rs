//! The platforms there are, by the words that configuration and pages use for them.

use std::fmt;

use url::Url;

/// The platforms that an integration can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlatformKind {
    /// github.com or GitHub Enterprise Server.
    GitHub,
    /// gitlab.com or self-managed GitLab.
    GitLab,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
}

impl PlatformKind {
    /// All platforms.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::GitLab, Self::BitbucketCloud, Self::BitbucketDataCenter];

    /// The word for `platform`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::BitbucketCloud => "bitbucket-cloud",
            Self::BitbucketDataCenter => "bitbucket-datacenter",
        }
    }

    /// The name that people know, the default of `name`.
    #[must_use]
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::BitbucketCloud => "Bitbucket",
            Self::BitbucketDataCenter => "Bitbucket Data Center",
        }
    }

    /// The platform that credentials of this type are shown to: the types' words begin with its own.
    #[must_use]
    pub fn of_credential(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| kind.strip_prefix(one.as_str()).is_some_and(|rest| rest.starts_with('-')))
    }

    /// What the platform calls what an organization here can follow.
    #[must_use]
    pub const fn organization(self) -> &'static str {
        match self {
            Self::GitHub => "organization",
            Self::GitLab => "group",
            Self::BitbucketCloud => "workspace",
            Self::BitbucketDataCenter => "project",
        }
    }

    /// The words for how one is named there.
    #[must_use]
    pub const fn organization_hint(self) -> &'static str {
        match self {
            Self::GitHub => "what an organization's address ends in, such as `acme`",
            Self::GitLab => "a group's whole path, such as `acme` or `acme/backend`",
            Self::BitbucketCloud => "a workspace's id, as its address ends in, such as `acme`",
            Self::BitbucketDataCenter => "a project's key, such as `ACME`, or `~name` of somebody's own",
        }
    }

    /// Address of the public service, the default of `url`; Bitbucket Data Center has none.
    #[must_use]
    pub const fn public_url(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("https://github.com"),
            Self::GitLab => Some("https://gitlab.com"),
            Self::BitbucketCloud => Some("https://bitbucket.org"),
            Self::BitbucketDataCenter => None,
        }
    }

    /// The address that integrations of this platform are known by, from what an administrator may have pasted: without
    /// a slash at the end, and without the tails of API and pages.
    #[must_use]
    pub fn base(self, pasted: &Url) -> Url {
        let mut url = pasted.clone();
        let tails: &[&str] = match self {
            Self::GitHub => &["/api/v3", "/api/graphql", "/login"],
            Self::GitLab => &["/api/v4", "/users/sign_in"],
            Self::BitbucketCloud | Self::BitbucketDataCenter => &[],
        };
        let whole = url.path().trim_end_matches('/').to_owned();
        let path = match self {
            Self::BitbucketDataCenter => before_bitbuckets_own(&whole),
            _ => tails.iter().find_map(|tail| whole.strip_suffix(tail)).unwrap_or(&whole),
        };
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        if self == Self::GitHub
            && let Some(host) = pasted.host_str().and_then(|host| host.strip_prefix("api."))
            && (host == "github.com" || host.ends_with(".ghe.com"))
        {
            // A part of a host name is a host name.
            let _ = url.set_host(Some(host));
        }
        if self == Self::BitbucketCloud && matches!(pasted.host_str(), Some("bitbucket.org" | "api.bitbucket.org")) {
            // There is one, and nothing below it is another.
            url.set_path("");
            let _ = url.set_host(Some("bitbucket.org"));
        }
        url
    }
}

/// What of a path is the server's and not a page's or the API's.
fn before_bitbuckets_own(path: &str) -> &str {
    const OWN: [&str; 10] =
        ["account", "admin", "dashboard", "login", "plugins", "projects", "repos", "rest", "scm", "users"];
    let mut end = 0;
    for segment in path.split('/') {
        if OWN.contains(&segment) {
            return path[..end].trim_end_matches('/');
        }
        end += segment.len() + 1;
    }
    path
}

impl fmt::Display for PlatformKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::PlatformKind;

    #[test]
    fn an_address_is_known_without_what_was_pasted_with_it() {
        for (platform, pasted, base) in [
            (PlatformKind::GitHub, "https://github.com/", "https://github.com/"),
            (PlatformKind::GitHub, "https://api.github.com", "https://github.com/"),
            (PlatformKind::GitHub, "https://api.acme.ghe.com/", "https://acme.ghe.com/"),
            (PlatformKind::GitHub, "https://api.example.com/", "https://api.example.com/"),
            (PlatformKind::GitHub, "https://GHE.example.com:8443/api/v3/", "https://ghe.example.com:8443/"),
            (PlatformKind::GitLab, "https://corp.example/gitlab/", "https://corp.example/gitlab"),
            (PlatformKind::GitLab, "https://corp.example/gitlab/api/v4", "https://corp.example/gitlab"),
            (PlatformKind::GitLab, "https://gitlab.example/users/sign_in?x=1#y", "https://gitlab.example/"),
            (PlatformKind::BitbucketDataCenter, "https://host/stash/rest/api/1.0/", "https://host/stash"),
            (PlatformKind::BitbucketDataCenter, "https://host/bitbucket/dashboard", "https://host/bitbucket"),
            (PlatformKind::BitbucketDataCenter, "https://host/projects/ACME/repos/a?at=b", "https://host/"),
            (PlatformKind::BitbucketDataCenter, "https://host/restaurant/", "https://host/restaurant"),
            (PlatformKind::BitbucketCloud, "https://bitbucket.org/acme/workspace/overview", "https://bitbucket.org/"),
            (PlatformKind::BitbucketCloud, "https://api.bitbucket.org/2.0/", "https://bitbucket.org/"),
            (PlatformKind::BitbucketCloud, "http://localhost:7990/cloud/", "http://localhost:7990/cloud"),
        ] {
            assert_eq!(platform.base(&pasted.parse().unwrap()).as_str(), base, "{pasted}");
        }
    }
}
