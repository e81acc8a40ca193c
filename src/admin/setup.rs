//! The first run: a link that is good for one administrator, once, for an hour.
//!
//! There is no mode in which the server is open. As long as nobody administers it, whoever reads its log or has a shell on
//! its machine gets a link; once somebody does, there are no links any more.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::users::{self as use_users, NewUser};
use super::{Actor, Error, Name, Result, Via, organizations as use_organizations};
use crate::access::token::digest_of;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::secrets::random;
use crate::secrets::random::{from_hex, to_hex};
use crate::store::ids::UserId;
use crate::store::{Tx, instance, organizations, users};

/// How long a link is good.
pub const LASTS: Duration = Duration::from_secs(60 * 60);
/// Where the digest of the present link's secret is kept, and until when it is good.
const SETTING: &str = "setup-link";

/// A link to the first run.
#[derive(Debug)]
pub struct Link {
    /// Its address.
    pub address: String,
    /// Until when it is good.
    pub until: Timestamp,
}

/// Makes a new link, which takes the place of any before it; none once somebody administers the instance.
///
/// # Errors
/// If the database cannot be written.
pub async fn link(appliance: &Appliance) -> Result<Option<Link>> {
    let secret = random::hex::<32>();
    let until = (appliance.now() + LASTS).floor_to_second();
    let value = format!("{} {}", to_hex(&digest_of(secret.as_bytes())), until.as_micros());
    let written = appliance.database.write(move |tx| {
        if users::has_administrator(tx)? {
            return Ok::<_, Error>(false);
        }
        instance::set(tx, SETTING, &value)?;
        Ok(true)
    });
    let address = format!("{}/setup?token={secret}", appliance.settings.public_url);
    Ok(written.await?.then_some(Link { address, until }))
}

/// Until when the link with this secret is good; none if it is not, or not any more.
///
/// # Errors
/// If the database cannot be read.
pub async fn is_good(appliance: &Appliance, secret: &str) -> Result<Option<Timestamp>> {
    let (now, secret) = (appliance.now(), secret.to_owned());
    Ok(appliance.database.read(move |db| good_until(db, &secret, now)).await?)
}

fn good_until(
    connection: &rusqlite::Connection,
    secret: &str,
    now: Timestamp,
) -> crate::store::Result<Option<Timestamp>> {
    let Some(stored) = instance::setting(connection, SETTING)? else { return Ok(None) };
    let parts = stored
        .split_once(' ')
        .and_then(|(digest, until)| Some((from_hex::<32>(digest)?, Timestamp::from_micros(until.parse().ok()?))));
    let Some((digest, until)) = parts else { return Ok(None) };
    // Digests may be compared as they are: whoever could make one that nearly fits has the secret.
    let is_good = digest == digest_of(secret.as_bytes()) && now < until && !users::has_administrator(connection)?;
    Ok(is_good.then_some(until))
}

/// What the first run asks for.
#[derive(Debug)]
pub struct Answers {
    /// The administrator's account.
    pub name: String,
    /// Where the administrator is reached.
    pub email: Option<String>,
    /// The administrator's password.
    pub password: SecretString,
    /// What the first organization is called.
    pub organization: String,
    /// Its name in addresses.
    pub slug: String,
}

/// Which answer is not acceptable, and why.
#[derive(Debug)]
pub enum Refusal {
    /// The link is not good, or not any more.
    Link,
    /// One of the answers, by the name of its field.
    Answer(&'static str, String),
    /// Something else.
    Failed(Error),
}

impl From<crate::store::Error> for Refusal {
    fn from(error: crate::store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes the administrator and the first organization, and uses the link up, all or nothing.
///
/// # Errors
/// [`Refusal`].
pub async fn complete(
    appliance: &Appliance,
    secret: &str,
    answers: Answers,
    address: &str,
) -> std::result::Result<UserId, Refusal> {
    let (now, secret) = (appliance.now(), secret.to_owned());
    let at = |field: &'static str| move |error: Error| Refusal::Answer(field, error.to_string());
    let slug = Name::parse("an organization's short name", &answers.slug).map_err(at("slug"))?;
    let title = use_organizations::people_name(&answers.organization).map_err(at("org"))?;
    Name::parse("an account's name", &answers.name).map_err(at("user"))?;
    if let Some(email) = &answers.email {
        use_users::check_email(email).map_err(at("email"))?;
    }
    let new = NewUser { name: answers.name, email: answers.email, admin: true, password: Some(answers.password) };
    let prepared = use_users::prepare(new).await.map_err(at("password"))?;
    let actor = Actor::User { name: prepared.name.to_string(), via: Via::Browser, address: Some(address.to_owned()) };
    appliance
        .database
        .write(move |tx: &Tx<'_>| {
            if good_until(tx, &secret, now)?.is_none() {
                return Err(Refusal::Link);
            }
            let id = use_users::insert(tx, &actor, &prepared, now).map_err(at("user"))?;
            use_organizations::require_free(tx, &slug, None).map_err(at("slug"))?;
            let org = organizations::insert(tx, slug.as_str(), &title, now)?;
            let detail = json!({ "name": title });
            actor.record(tx, Some(org), "organization.add", slug.as_str(), detail, now)?;
            instance::set(tx, SETTING, "")?;
            Ok(id)
        })
        .await
}
