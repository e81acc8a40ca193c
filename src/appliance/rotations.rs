//! Tokens that put others in their place before they end.
//!
//! The platform ends the old token with the answer that brings the new one, so that there is one question at a time for each
//! credential, asked while nobody uses it, and the database knows of it before the platform does. Whoever finds a question
//! without an answer asks for nothing, but finds out whether the old token works; where it does not, nobody has the new one,
//! which is said once.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeyFailed, generation};
use super::{Appliance, grants};
use crate::clock::Timestamp;
use crate::platform::{Hub, HubError, Key, Life, PlatformKind, Successor};
use crate::secrets::{open, seal};
use crate::store::credentials::{self, Credential};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::self_rotations::{self, SelfRotation};
use crate::store::{self, audit};

/// The longest time before its end that a token is replaced; one that lives shortly is when a third of its life is left.
const BEFORE: Duration = Duration::from_secs(14 * 86_400);
/// How long to wait for those who use it at the moment. Whoever comes later waits for us meanwhile.
const FREE: Duration = Duration::from_secs(5);
/// How long after a question without an answer the platform may still be about to do what it was asked for.
pub const SETTLED: Duration = Duration::from_secs(60);
/// How long to wait before the database is tried again that could not store a new token.
const AGAIN: Duration = Duration::from_secs(1);

/// In whose name a token is replaced.
#[derive(Clone, Debug)]
pub struct By {
    /// Who, as the audit log names them.
    pub actor: String,
    /// By what way.
    pub via: audit::Via,
}

impl By {
    /// The program itself.
    #[must_use]
    pub fn itself() -> Self {
        Self { actor: "renewal".to_owned(), via: audit::Via::System }
    }
}

/// What became of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// There is another one, which ends then.
    Replaced(Option<Timestamp>),
    /// It is in use, or somebody asks already: later.
    Busy,
    /// It stays what it is, for this reason.
    Refused(String),
    /// It is not known whether there is another one. Nobody uses it until that is found out.
    Open(String),
    /// There may be another one, and nobody has it.
    Lost(String),
    /// The credential was removed.
    Gone,
}

/// When a token is replaced that the credential has since `set_at`.
#[must_use]
pub fn due_at(set_at: Timestamp, end: Timestamp) -> Timestamp {
    end - BEFORE.min(end.since(set_at) / 3)
}

/// Whether credentials of a type may be tokens that replace themselves.
pub(super) fn may_replace_itself(kind: &str) -> bool {
    kind == "gitlab-token"
}

/// Why a token is not to be shown to anybody, if that is so.
pub(super) fn withheld(name: &str, rotation: &SelfRotation) -> Option<HubError> {
    if rotation.lost_at.is_some() {
        return Some(HubError::Unauthorized(lost(name)));
    }
    rotation.asked_at.map(|_| HubError::Unavailable(open_question(name)))
}

fn lost(name: &str) -> String {
    format!(
        "The token of the credential `{name}` works no more: when it was to replace itself, the answer with the new token got \
         lost, so that nobody has it. Make a new token on the platform, and give it to the credential on its page or with \
         `credential rotate {name}`; what uses it goes on by itself then."
    )
}

fn open_question(name: &str) -> String {
    format!(
        "The platform was asked for another token for the credential `{name}`, and has not answered: in a minute it is found out \
         whether the old one still works."
    )
}

impl Appliance {
    /// Puts another token in the place of a credential's, if nobody uses it at the moment. It goes on when whoever asked for
    /// it has gone.
    ///
    /// # Errors
    /// [`KeyFailed`]: then the platform was asked for nothing.
    pub async fn rotate_token(&self, org: OrgId, id: CredentialId, by: By) -> Result<Rotation, KeyFailed> {
        let turn = Turn { appliance: self.clone(), org, id, by };
        tokio::spawn(async move { turn.run().await }).await.unwrap_or(Ok(Rotation::Busy))
    }

    /// How long a credential's token lives, if it is one that may replace itself.
    ///
    /// # Errors
    /// What is in the way of that, as people are told.
    pub async fn token_life(&self, org: OrgId, id: CredentialId) -> Result<Life, String> {
        let turn = Turn { appliance: self.clone(), org, id, by: By::itself() };
        let lease = self.leases.lend(id).await;
        let found = turn.find().await.map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| "The credential was removed meanwhile.".to_owned())?;
        if let Some(why) = withheld(&found.row.name, &found.rotation) {
            return Err(why.to_string());
        }
        let life = turn.life(&found).await.map_err(|error| error.to_string());
        drop(lease);
        life
    }
}

/// One attempt to replace a token.
struct Turn {
    appliance: Appliance,
    org: OrgId,
    id: CredentialId,
    by: By,
}

/// A credential as it is found.
struct Found {
    row: Credential,
    sealed: Vec<u8>,
    token: SecretString,
    rotation: SelfRotation,
    /// The name of another credential that has the same token; empty for one of another organization.
    shared: Option<String>,
}

impl Turn {
    async fn run(&self) -> Result<Rotation, KeyFailed> {
        let Some(before) = self.find().await? else { return Ok(Rotation::Gone) };
        let place = self.appliance.leases.place(self.id);
        let Ok(_held) = tokio::time::timeout(FREE, place.write()).await else { return Ok(Rotation::Busy) };
        let Some(found) = self.find().await? else { return Ok(Rotation::Gone) };
        if found.sealed != before.sealed {
            // Somebody else just did it.
            return Ok(Rotation::Busy);
        }
        if found.rotation.lost_at.is_some() {
            return Ok(Rotation::Lost(lost(&found.row.name)));
        }
        match found.rotation.asked_at {
            Some(asked_at) => self.find_out(&found, asked_at).await,
            None => self.ask(&found).await,
        }
    }

    async fn find(&self) -> Result<Option<Found>, KeyFailed> {
        let (org, id) = (self.org, self.id);
        let read = self.appliance.database.read(move |db| {
            let Some(row) = credentials::by_id(org, db, id)? else { return Ok(None) };
            let Some(sealed) = credentials::secret(org, db, id)? else { return Ok(None) };
            let others = credentials::for_host(db, row.host.as_deref().unwrap_or_default())?;
            Ok::<_, store::Error>(Some((row, sealed, self_rotations::of(org, db, id)?, others)))
        });
        let Some((row, sealed, rotation, others)) = read.await? else { return Ok(None) };
        let keys = &self.appliance.keys;
        let token = open(keys, grants::access(id), &sealed)?;
        let is_same = |other: &&credentials::SealedSecret| {
            let secret = open(keys, grants::access(other.id), &other.sealed);
            other.id != id && secret.is_ok_and(|secret| secret.expose_secret() == token.expose_secret())
        };
        let shared = others.iter().find(is_same);
        let shared = shared.map(|other| if other.org == org { other.name.clone() } else { String::new() });
        Ok(Some(Found { row, sealed, token, rotation, shared }))
    }

    /// How long the token lives.
    async fn life(&self, found: &Found) -> Result<Life, HubError> {
        let hub = self.hub(found)?;
        let life = hub.life(&found.key()).await?;
        found.require_alone()?;
        Ok(life)
    }

    /// Asks for another token.
    async fn ask(&self, found: &Found) -> Result<Rotation, KeyFailed> {
        let life = match self.life(found).await {
            Ok(life) => life,
            Err(error) => return self.refused(found, error).await,
        };
        let Some(ends) = life.ends else {
            let text = "The token has no end, so that nothing has to be put in its place.".to_owned();
            return self.refused(found, HubError::Unsupported(text)).await;
        };
        let (org, id, now, sealed) = (self.org, self.id, self.appliance.now(), found.sealed.clone());
        let claimed = self.appliance.database.write(move |tx| {
            credentials::set_expiry(org, tx, id, Some(ends))?;
            self_rotations::claim(org, tx, id, &sealed, now)
        });
        if !claimed.await? {
            return Ok(Rotation::Busy);
        }
        let began = life.began.or(found.row.secret_set_at).unwrap_or(now);
        let hub = match self.hub(found) {
            Ok(hub) => hub,
            Err(error) => return self.refused(found, error).await,
        };
        match hub.rotate(&found.key(), ends.since(began)).await {
            Ok(successor) => Ok(self.save(found, now, &successor).await),
            Err(error @ (HubError::Unavailable(_) | HubError::Malformed(_))) => {
                tracing::warn!(
                    organization.id = self.org.0,
                    credential = found.row.name,
                    %error,
                    "A token was to replace itself, and no answer came: it is found out soon whether it still works."
                );
                Ok(Rotation::Open(error.to_string()))
            }
            Err(error) => self.refused(found, error).await,
        }
    }

    /// Stores the new token, however long that takes: nobody else has it, and nobody may use the old one.
    async fn save(&self, found: &Found, asked_at: Timestamp, successor: &Successor) -> Rotation {
        let (org, id, now, ends) = (self.org, self.id, self.appliance.now(), successor.ends);
        let sealed = seal(&self.appliance.keys, grants::access(id), &successor.token);
        let entry = self.entry(
            "credential.rotate",
            &found.row.name,
            serde_json::json!({ "credential": id, "by_itself": true, "expires_at": ends }),
        );
        let mut is_told = false;
        let is_stored = loop {
            let (sealed, entry) = (sealed.clone(), entry.clone());
            let write = self.appliance.database.write(move |tx| {
                let counts = self_rotations::replaced(org, tx, id, asked_at, (&sealed, ends), now)?;
                if counts {
                    credentials::set_status(org, tx, id, "ok")?;
                    audit::append(tx, &entry, now)?;
                }
                Ok::<_, store::Error>(counts)
            });
            match write.await {
                Ok(is_stored) => break is_stored,
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::error!(
                            organization.id = org.0,
                            credential = found.row.name,
                            %error,
                            "A new token cannot be stored: what uses the credential waits, and stopping the server now loses it."
                        );
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        if !is_stored {
            return Rotation::Gone;
        }
        tracing::info!(
            organization.id = org.0,
            credential = found.row.name,
            ends_at = ends.map(|end| end.rfc3339()),
            "A token has replaced itself."
        );
        Rotation::Replaced(ends)
    }

    /// Finds out what became of a question without an answer.
    async fn find_out(&self, found: &Found, asked_at: Timestamp) -> Result<Rotation, KeyFailed> {
        if self.appliance.now() < asked_at + SETTLED {
            return Ok(Rotation::Open(open_question(&found.row.name)));
        }
        let life = match self.hub(found) {
            Ok(hub) => hub.life(&found.key()).await,
            Err(error) => return Ok(Rotation::Open(error.to_string())),
        };
        match life {
            Ok(_) => {
                let text = "The platform did not answer when it was asked for another token, and the old one still works. It \
                            is asked again.";
                self.refused(found, HubError::Unavailable(text.to_owned())).await
            }
            Err(HubError::Unauthorized(_)) => self.lose(found, asked_at).await,
            // It is let in, and may not replace itself.
            Err(HubError::Forbidden { text, missing }) if !missing.is_empty() => {
                self.refused(found, HubError::Forbidden { text, missing }).await
            }
            Err(error) => Ok(Rotation::Open(error.to_string())),
        }
    }

    /// Nobody has the new token. It is said once.
    async fn lose(&self, found: &Found, asked_at: Timestamp) -> Result<Rotation, KeyFailed> {
        let (org, id, now) = (self.org, self.id, self.appliance.now());
        let detail = serde_json::json!({ "credential": id, "reason": "answer_lost" });
        let entry = self.entry("credential.refused", &found.row.name, detail);
        let write = self.appliance.database.write(move |tx| {
            let is_news = self_rotations::lost(org, tx, id, asked_at, now)?;
            if is_news {
                credentials::set_status(org, tx, id, "refused")?;
                audit::append(tx, &entry, now)?;
            }
            Ok::<_, store::Error>(is_news)
        });
        if write.await? {
            tracing::error!(
                organization.id = org.0,
                credential = found.row.name,
                "A token has replaced itself and the answer with the new one got lost: give the credential a new token."
            );
        }
        Ok(Rotation::Lost(lost(&found.row.name)))
    }

    /// The token stays what it is. It is said once for each reason.
    async fn refused(&self, found: &Found, error: HubError) -> Result<Rotation, KeyFailed> {
        let (org, id, now) = (self.org, self.id, self.appliance.now());
        let (sealed, reason) = (found.sealed.clone(), error.to_string());
        let is_dead = matches!(error, HubError::Unauthorized(_));
        let text = reason.clone();
        let write = self.appliance.database.write(move |tx| {
            if is_dead {
                credentials::set_status(org, tx, id, "refused")?;
            }
            self_rotations::failed(org, tx, id, &sealed, &text, now)
        });
        if write.await? {
            tracing::warn!(
                organization.id = org.0,
                credential = found.row.name,
                reason,
                "A token could not replace itself."
            );
        }
        Ok(Rotation::Refused(reason))
    }

    fn hub(&self, found: &Found) -> Result<&Hub, HubError> {
        let row = &found.row;
        let of = PlatformKind::of_credential(&row.kind).filter(|_| may_replace_itself(&row.kind));
        let Some(platform) = of else {
            return Err(HubError::Unsupported(format!(
                "The credential `{}` is of type {}, and only tokens of GitLab can replace themselves.",
                row.name, row.kind
            )));
        };
        let host = row.host.as_deref().unwrap_or_default();
        let mut hubs = self.appliance.hubs.for_host(host, Some(row.port.unwrap_or(443)));
        hubs.find(|hub| hub.site().platform == platform).ok_or_else(|| {
            HubError::Unsupported(format!(
                "There is no [[integration]] for {host} in config.toml, by which the token of the credential `{}` could be \
                 replaced: add one.",
                row.name
            ))
        })
    }

    fn entry(&self, action: &'static str, subject: &str, detail: serde_json::Value) -> audit::Entry {
        audit::Entry {
            org: Some(self.org),
            actor: self.by.actor.clone(),
            action,
            subject: subject.to_owned(),
            detail,
            via: self.by.via,
            address: None,
        }
    }
}

impl Found {
    fn key(&self) -> Key {
        Key {
            credential: self.row.id.0,
            generation: generation(&self.sealed),
            kind: self.row.kind.clone(),
            username: self.row.username.clone(),
            secret: self.token.clone().into(),
        }
    }

    /// Whoever went on using the old token would end the new one.
    fn require_alone(&self) -> Result<(), HubError> {
        let Some(other) = &self.shared else { return Ok(()) };
        let other = match other.is_empty() {
            true => "a credential of another organization of this server".to_owned(),
            false => format!("the credential `{other}`"),
        };
        Err(HubError::Unsupported(format!(
            "The token is also that of {other}, which would be shut out when it replaces itself: make a token of its own for \
             `{}`.",
            self.row.name
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Timestamp, due_at};

    #[test]
    fn a_token_is_replaced_in_time() {
        let set = Timestamp::from_seconds(1_000_000_000);
        let after = |days: u64| set + Duration::from_secs(days * 86_400);
        assert_eq!(due_at(set, after(365)), after(351));
        assert_eq!(due_at(set, after(30)), after(20));
        assert_eq!(due_at(set, set), set);
    }
}
