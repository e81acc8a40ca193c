//! Webhooks of platforms: what a delivery is and says. A delivery names what to read again, and grants nothing.

use secrecy::SecretString;

use super::remote::Touch;

/// The headers of a delivery.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Of these, whatever the case of their names.
    #[must_use]
    pub fn of(headers: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }

    /// Whether there is a header of this name, which is in lower case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(one, _)| one == name)
    }

    /// The only header of this name, which is in lower case; none where there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(one, _)| one == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

/// A delivery whose signature is right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// What names it, also when it is delivered again; empty where nothing does.
    pub guid: String,
    /// What it calls itself, such as `push` or `team.edited`.
    pub event: String,
    /// What it was about, for people: a repository's path, a team, a login.
    pub subject: String,
    /// Whether it only asks whether we are there.
    pub is_ping: bool,
    /// Repositories to which somebody pushed: their ids, and the commits that are to be seen now.
    pub pushed: Vec<(String, Vec<String>)>,
    /// What to read again.
    pub touched: Vec<Touch>,
    /// Whether it was signed by the strongest scheme of the platform, so that the hook takes no weaker one from now on.
    pub signed: bool,
    /// Of a GitHub App: which installation, and what happened to it.
    pub installation: Option<Installation>,
    /// Of a hook of a whole platform: what it is about, by which those are found whom it concerns.
    pub about: About,
}

/// What a delivery is about. Whoever knows any part of it is concerned; where there is none, everybody may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Paths of repositories and teams, now and before.
    pub paths: Vec<String>,
    /// The platform's id of a repository.
    pub repository: Option<String>,
    /// The platform's id of a team.
    pub team: Option<String>,
    /// What stands in the addresses at which the platform tells of that team's people: they may read in others, too.
    pub page: Option<String>,
    /// The platform's id of an account.
    pub account: Option<String>,
}

/// What an administrator of a platform enters there, so that the deliveries of a hook made by hand can be believed.
#[derive(Clone, Debug)]
pub struct EnteredSecrets {
    /// What deliveries show.
    pub token: SecretString,
    /// What they are signed with, where the platform does that.
    pub signing_token: SecretString,
}

/// Of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Its number.
    pub id: i64,
    /// What happened to it, if anything did.
    pub change: Option<InstallationChange>,
}

/// What happened to an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallationChange {
    /// It was removed.
    Deleted,
    /// It was suspended.
    Suspended,
    /// It works again.
    Unsuspended,
}

/// Why a delivery is not taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not signed, or not with the secret.
    #[error("the signature is missing or wrong")]
    Signature,
    /// The signature is right, and nobody can read the rest.
    #[error("the body cannot be read")]
    Unreadable,
}
