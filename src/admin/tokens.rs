//! Installation tokens. The text of one is shown once, to whoever asked for it.

use std::time::Duration;

use serde_json::json;

use super::{Actor, Error, Result, teams as use_teams, users as use_users};
use crate::access::token::{TokenKind, TokenText};
use crate::appliance::Appliance;
use crate::secrets::random;
use crate::store::ids::{OrgId, TokenId};
use crate::store::packages::Package;
use crate::store::tokens::{self, Token};

/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 200;
/// The shortest time that a token may have.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// The longest.
const LONGEST_LIFE: Duration = Duration::from_secs(3650 * 86_400);

/// What an organization's token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read packages.
    Read,
    /// Read packages, and cause packages to be mirrored.
    Update,
}

/// What every new token may have.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it is for.
    pub description: Option<String>,
    /// How long it works; without end if nothing is given.
    pub lifetime: Option<Duration>,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Created {
    /// Its row.
    pub id: TokenId,
    /// Its text.
    pub text: TokenText,
}

/// A token with what it opens, as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The token.
    pub token: Token,
    /// What it is restricted to; none: all that there is.
    pub scope: Option<ScopeNames>,
}

/// What a token is restricted to, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeNames {
    /// The packages.
    pub packages: Vec<String>,
    /// The paths of the teams.
    pub teams: Vec<String>,
}

/// What a new token is restricted to: the union of packages and teams, which it follows.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The packages.
    pub packages: Vec<Package>,
    /// The paths of the teams.
    pub teams: Vec<String>,
}

/// The organization's tokens, without revoked ones.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(move |db| {
            tokens::all(org, db)?
                .into_iter()
                .map(|token| {
                    let scope = match token.restricted {
                        true => Some(ScopeNames {
                            packages: tokens::packages(org, db, token.id)?,
                            teams: tokens::teams(org, db, token.id)?,
                        }),
                        false => None,
                    };
                    Ok(Summary { token, scope })
                })
                .collect()
        })
        .await
}

/// A person's tokens, without revoked ones.
///
/// # Errors
/// If there is no such account.
pub async fn list_of_user(appliance: &Appliance, user: &str) -> Result<Vec<Summary>> {
    let user = user.to_owned();
    appliance
        .database
        .read(move |db| {
            let user = use_users::find(db, &user)?;
            let held = tokens::of_users(db)?.into_iter();
            Ok(held
                .filter(|token| token.user.as_deref() == Some(user.name.as_str()))
                .map(|token| Summary { token, scope: None })
                .collect())
        })
        .await
}

/// Makes a token of an organization; without a scope it opens all that there is, now and later.
///
/// # Errors
/// If an option is not acceptable, or there is no such team.
pub async fn add(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    access: Access,
    scope: Option<Scope>,
    options: Options,
) -> Result<Created> {
    let (kind, word) = match access {
        Access::Read => (TokenKind::OrganizationRead, "read"),
        Access::Update => (TokenKind::OrganizationUpdate, "update"),
    };
    let (text, row) = make(appliance, kind, word, options)?;
    let (actor, now) = (actor.clone(), appliance.now());
    let id = appliance
        .database
        .write(move |tx| {
            let (scope, teams) = match scope {
                None => (None, None),
                Some(scope) => {
                    let found: Result<Vec<_>> = scope.teams.iter().map(|path| use_teams::find(org, tx, path)).collect();
                    let (teams, packages): (Vec<_>, Vec<_>) =
                        (found?, scope.packages.iter().map(|one| one.id).collect());
                    let paths: Vec<String> = teams.iter().map(|team| team.path.clone()).collect();
                    let teams = teams.into_iter().map(|team| team.id).collect();
                    (Some(tokens::Scope { packages, teams }), Some(paths))
                }
            };
            let id = tokens::insert(org, tx, &row, scope.as_ref(), now)?;
            let detail = json!({
                "access": word,
                "packages": scope.map(|scope| scope.packages),
                "teams": teams,
                "description": row.description,
                "expires_at": row.expires_at,
            });
            actor.record(tx, Some(org), "token.add", &id.to_string(), detail, now)?;
            Ok::<_, Error>(id)
        })
        .await?;
    Ok(Created { id, text })
}

/// Makes a token that stands for a person: it opens what the person may see.
///
/// # Errors
/// If there is no such account, or an option is not acceptable.
pub async fn add_for_user(appliance: &Appliance, actor: &Actor, user: &str, options: Options) -> Result<Created> {
    let (text, row) = make(appliance, TokenKind::User, "update", options)?;
    let (actor, now, user) = (actor.clone(), appliance.now(), user.to_owned());
    let id = appliance
        .database
        .write(move |tx| {
            let user = use_users::find(tx, &user)?;
            let id = tokens::insert_for_user(tx, user.id, &row, now)?;
            let detail = json!({
                "user": user.name,
                "description": row.description,
                "expires_at": row.expires_at,
            });
            actor.record(tx, None, "token.add", &id.to_string(), detail, now)?;
            Ok::<_, Error>(id)
        })
        .await?;
    Ok(Created { id, text })
}

/// Revokes a token, from the next request on. `org`: the only organization whose tokens are meant.
///
/// # Errors
/// If there is no such token, or it was revoked before.
pub async fn revoke(appliance: &Appliance, actor: &Actor, org: Option<OrgId>, id: TokenId) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let owner = tokens::owner(tx, id)?;
            let (owning, _) = owner.filter(|(owning, _)| org.is_none() || *owning == org).ok_or_else(|| {
                Error::not_found(format!("there is no token {id} that works"))
                    .by_command("`token list` shows those of an organization, `token list --user NAME` a person's")
            })?;
            tokens::revoke(tx, id, now)?;
            actor.record(tx, owning, "token.revoke", &id.to_string(), json!({}), now)?;
            Ok(())
        })
        .await
}

fn make(
    appliance: &Appliance,
    kind: TokenKind,
    access: &'static str,
    options: Options,
) -> Result<(TokenText, tokens::New)> {
    let lifetime = options.lifetime;
    if lifetime.is_some_and(|life| !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&life)) {
        return Err(Error::invalid(
            "a token works for at least a minute and at most ten years: give another time, or none for one without end",
        ));
    }
    let description = options.description.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if description
        .as_deref()
        .is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION || text.chars().any(char::is_control))
    {
        return Err(Error::invalid(format!("a description is one line of at most {LONGEST_DESCRIPTION} characters")));
    }
    let text = TokenText::generate(kind, random::bytes());
    let row = tokens::New {
        access,
        digest: text.digest(),
        prefix: text.prefix().to_owned(),
        last4: text.last4().to_owned(),
        description,
        expires_at: lifetime.map(|life| appliance.now() + life),
    };
    Ok((text, row))
}
