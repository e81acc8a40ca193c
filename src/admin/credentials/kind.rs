//! The types of credentials (contract, section 1), and what can be done with each.

use std::fmt;

use super::super::{Error, Result};
use crate::platform::PlatformKind;
use crate::vcs::{is_azure_devops, url::Scheme};

/// The type of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A personal access token of GitHub.
    GithubToken,
    /// An installation of a GitHub App.
    GithubApp,
    /// A personal, group or project access token of GitLab.
    GitlabToken,
    /// An access or API token of Bitbucket Cloud.
    BitbucketCloudToken,
    /// An app password of Bitbucket Cloud.
    BitbucketCloudAppPassword,
    /// An HTTP access token of Bitbucket Data Center.
    BitbucketDatacenterToken,
    /// User name and password, or user name and token.
    HttpBasic,
    /// A token in an `Authorization: Bearer` header.
    HttpBearer,
    /// A private key for SSH.
    SshKey,
    /// An account of GitLab that somebody connected.
    GitlabOauth,
    /// An account of Bitbucket Cloud that somebody connected.
    BitbucketCloudOauth,
    /// An account of Bitbucket Data Center that somebody connected.
    BitbucketDatacenterOauth,
}

impl Kind {
    /// All types, in the contract's order; behind them those that begin on a page, with an account that is connected.
    pub const ALL: [Self; 12] = [
        Self::GithubToken,
        Self::GithubApp,
        Self::GitlabToken,
        Self::BitbucketCloudToken,
        Self::BitbucketCloudAppPassword,
        Self::BitbucketDatacenterToken,
        Self::HttpBasic,
        Self::HttpBearer,
        Self::SshKey,
        Self::GitlabOauth,
        Self::BitbucketCloudOauth,
        Self::BitbucketDatacenterOauth,
    ];

    /// The word that commands and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GithubToken => "github-token",
            Self::GithubApp => "github-app",
            Self::GitlabToken => "gitlab-token",
            Self::BitbucketCloudToken => "bitbucket-cloud-token",
            Self::BitbucketCloudAppPassword => "bitbucket-cloud-app-password",
            Self::BitbucketDatacenterToken => "bitbucket-datacenter-token",
            Self::HttpBasic => "http-basic",
            Self::HttpBearer => "http-bearer",
            Self::SshKey => "ssh-key",
            Self::GitlabOauth => "gitlab-oauth",
            Self::BitbucketCloudOauth => "bitbucket-cloud-oauth",
            Self::BitbucketDatacenterOauth => "bitbucket-datacenter-oauth",
        }
    }

    /// The type of connected accounts of a platform; none where there are no such.
    #[must_use]
    pub const fn grant_of(platform: PlatformKind) -> Option<Self> {
        match platform {
            PlatformKind::GitHub => None,
            PlatformKind::GitLab => Some(Self::GitlabOauth),
            PlatformKind::BitbucketCloud => Some(Self::BitbucketCloudOauth),
            PlatformKind::BitbucketDataCenter => Some(Self::BitbucketDatacenterOauth),
        }
    }

    /// Whether it is a connected account, whose tokens are renewed again and again and that nobody types in.
    #[must_use]
    pub const fn is_grant(self) -> bool {
        matches!(self, Self::GitlabOauth | Self::BitbucketCloudOauth | Self::BitbucketDatacenterOauth)
    }

    /// The platform that it is shown to; none for what belongs to any server.
    #[must_use]
    pub fn platform(self) -> Option<PlatformKind> {
        PlatformKind::of_credential(self.as_str())
    }

    /// Refuses a type that begins on a page.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn requires_no_page(self) -> Result<()> {
        if !self.is_grant() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "a credential of type {self} is an account that somebody connects in a browser: on the organization's page \"Credentials\", choose \"Add a credential\" and then \"Connect an account\""
        )))
    }

    /// The type that a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The public service of the type's platform, where that is meant unless a host is given.
    #[must_use]
    pub const fn default_host(self) -> Option<&'static str> {
        match self {
            Self::GithubToken | Self::GithubApp => Some("github.com"),
            Self::GitlabToken | Self::GitlabOauth => Some("gitlab.com"),
            Self::BitbucketCloudToken | Self::BitbucketCloudAppPassword | Self::BitbucketCloudOauth => {
                Some("bitbucket.org")
            }
            Self::BitbucketDatacenterToken
            | Self::BitbucketDatacenterOauth
            | Self::HttpBasic
            | Self::HttpBearer
            | Self::SshKey => None,
        }
    }

    /// The port that is meant when none is given: that of the protocol that the type belongs to.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::SshKey => 22,
            _ => 443,
        }
    }

    /// Refuses to go without a host where the type has no usual one.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn needs_host(self, host: Option<&str>) -> Result<()> {
        if host.is_some() || self.default_host().is_some() {
            return Ok(());
        }
        Err(Error::invalid(format!("a credential of type {self} needs the host that it is for"))
            .by_command("add `--host HOST` or `--host HOST:PORT`"))
    }

    /// The user name that is sent where nobody gave one, because the service looks at the token alone.
    pub(super) fn any_username(self, host: Option<&str>) -> Option<&'static str> {
        let host = host?.split(':').next()?.to_ascii_lowercase();
        (self == Self::HttpBasic && is_azure_devops(&host)).then_some("pat")
    }

    /// Refuses to go without a user name where Basic authentication needs the right one or any, and one where there is
    /// no place for it. `host` is HOST or HOST:PORT: Azure DevOps asks nobody for a name.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn needs_username(self, username: Option<&str>, host: Option<&str>) -> Result<()> {
        match (self, username) {
            (Self::HttpBasic, None) if self.any_username(host).is_some() => Ok(()),
            (Self::HttpBasic, None) => Err(Error::invalid(
                "a credential of type http-basic needs a user name (many services take any name beside a token)",
            )
            .by_command("add `--username NAME`")),
            (Self::BitbucketCloudAppPassword, None) => {
                Err(Error::invalid(format!("a credential of type {self} needs the user name of its account"))
                    .by_command("add `--username NAME`"))
            }
            (Self::GithubApp, username) => super::platform::numbers(username).map(drop),
            (Self::HttpBearer, Some(_)) => {
                Err(Error::invalid("a credential of type http-bearer has no user name, which http-basic has")
                    .by_command("leave `--username` out, or use http-basic"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a type that does not open Git repositories at addresses of this scheme.
    pub(super) fn require_opens_git(self, name: &str, scheme: Scheme) -> Result<()> {
        match (self, scheme) {
            (Self::SshKey, Scheme::Ssh | Scheme::SvnSsh)
            | (Self::HttpBasic, Scheme::Svn)
            | (
                Self::HttpBasic
                | Self::HttpBearer
                | Self::GithubToken
                | Self::GithubApp
                | Self::GitlabToken
                | Self::GitlabOauth
                | Self::BitbucketCloudToken
                | Self::BitbucketCloudOauth
                | Self::BitbucketDatacenterToken
                | Self::BitbucketDatacenterOauth,
                Scheme::Https | Scheme::Http,
            ) => Ok(()),
            (_, Scheme::Ssh | Scheme::SvnSsh) => Err(Error::invalid(format!(
                "the credential `{name}` is of type {self}, and ssh addresses are opened by keys only"
            ))
            .by_command("make one with `credential add NAME --type ssh-key --host HOST --generate`")),
            (_, Scheme::Svn) => Err(Error::invalid(format!(
                "the credential `{name}` is of type {self}, and svn addresses are opened by a user name and password only"
            ))
            .by_command("make one with `credential add NAME --type http-basic --host HOST:3690`")),
            (Self::SshKey, _) => Err(Error::invalid(format!(
                "the credential `{name}` is an SSH key, which opens ssh addresses only: give the repository's ssh address, or a credential of type http-basic or http-bearer"
            ))),
            (Self::BitbucketCloudAppPassword, _) => Err(Error::invalid(format!(
                "the credential `{name}` holds an app password, which Bitbucket has not accepted since 28 July 2026: replace it by an API token and the e-mail address of its account"
            ))
            .by_command(format!("`credential rotate {name} --username EMAIL`"))),
            _ => Err(Error::invalid(format!(
                "the credential `{name}` is of type {self}, which does not open Git repositories in this version: add one of type http-basic or http-bearer with the same token"
            ))),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn words_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("password"), None);
    }
}
