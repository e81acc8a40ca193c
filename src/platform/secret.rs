//! What a key is shown by: a secret that stays, or a token that is renewed while work goes on. Whoever sends asks for it
//! each time, and never keeps it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::hub::{GitLogin, HubError, Key};

/// A token that changes: somebody else renews it, stores it and knows which one counts.
pub trait Grant: Send + Sync {
    /// The token that counts now. `refused` is one that the platform has just called invalid or expired: where it is still
    /// the one that counts, it is renewed first.
    ///
    /// # Errors
    /// [`HubError`]; `Unauthorized` where somebody has to connect the account again.
    fn token<'a>(&'a self, refused: Option<&'a SecretString>) -> BoxFuture<'a, Result<SecretString, HubError>>;
}

/// The secret of a key.
#[derive(Clone)]
pub enum Secret {
    /// It stays what it is as long as the key lives.
    Fixed(SecretString),
    /// It stays as long as this is kept: whoever puts another one in its place waits for that.
    Lent(SecretString, Arc<dyn Any + Send + Sync>),
    /// It may be another one with each request.
    Grant(Arc<dyn Grant>),
    /// It is not to be shown to anybody, for a reason that is told.
    Withheld(HubError),
}

/// Secrets are nobody's business.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Lent(..) => "Lent",
            Self::Grant(_) => "Grant",
            Self::Withheld(_) => "Withheld",
        })
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self::Fixed(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::Fixed(secret.into())
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::Fixed(secret.into())
    }
}

impl Secret {
    /// The secret, if it is one that stays.
    #[must_use]
    pub const fn fixed(&self) -> Option<&SecretString> {
        match self {
            Self::Fixed(secret) | Self::Lent(secret, _) => Some(secret),
            Self::Grant(_) | Self::Withheld(_) => None,
        }
    }

    /// What to show now. To be asked for each request.
    ///
    /// # Errors
    /// [`HubError`] where it could not be renewed.
    pub async fn token(&self) -> Result<SecretString, HubError> {
        match self {
            Self::Fixed(secret) | Self::Lent(secret, _) => Ok(secret.clone()),
            Self::Grant(grant) => grant.token(None).await,
            Self::Withheld(why) => Err(why.clone()),
        }
    }

    /// What to show after `refused` was called invalid or expired: to be tried once. None: there is no other, and the answer is
    /// to be believed.
    ///
    /// # Errors
    /// [`HubError`] where it could not be renewed.
    pub async fn after(&self, refused: &SecretString) -> Result<Option<SecretString>, HubError> {
        match self {
            Self::Fixed(_) | Self::Lent(..) => Ok(None),
            Self::Withheld(why) => Err(why.clone()),
            Self::Grant(grant) => {
                let token = grant.token(Some(refused)).await?;
                Ok((token.expose_secret() != refused.expose_secret()).then_some(token))
            }
        }
    }
}

impl Key {
    /// What Git shows at a platform where that needs no question: a token, under the user name that the platform wants beside
    /// it. None for types of which only the platform itself knows.
    ///
    /// # Errors
    /// [`HubError`] where the token could not be renewed.
    pub async fn git_login(&self) -> Result<Option<GitLogin>, HubError> {
        let username = match self.kind.as_str() {
            "github-token" => "x-access-token",
            // Deploy tokens have a name that must be right; to all others any is.
            "gitlab-token" => self.username.as_deref().unwrap_or("oauth2"),
            "gitlab-oauth" => "oauth2",
            "bitbucket-cloud-oauth" => "x-token-auth",
            // Only API tokens go with an e-mail address, which Git does not take.
            "bitbucket-cloud-token" if self.username.is_some() => "x-bitbucket-api-token-auth",
            "bitbucket-cloud-token" => "x-token-auth",
            // Without a user name it goes as `Bearer`, which tokens of projects and repositories need.
            "bitbucket-datacenter-token" => self.username.as_deref().unwrap_or_default(),
            "bitbucket-datacenter-oauth" => "",
            _ => return Ok(None),
        };
        let secret = self.secret.token().await?;
        Ok(Some(GitLogin { username: username.to_owned(), secret, until: None }))
    }
}
