//! An organization of GitHub, read into a value.
//!
//! Who may read a repository is the union of ownership, roles in the organization, its base permission, teams with those
//! below them, and people who were added to the repository. All of that is read from lists, one request of collaborators a
//! package. Where GitHub does not tell the base permission or the roles to the credential, it is asked in addition, for each
//! package, for everybody who may read it by whatever way: one request more, and exact.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join3};
use secrecy::ExposeSecret;

use super::api::part;
use super::people::People;
use super::readers::{self, Sight};
use super::reading::Reader;
use super::wire::{Membership, Organization};
use super::{installation, people, repositories, scopes, teams};
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{Kind, Pages, RemoteOrganization, Wanted};

/// What a classic token needs, and what for.
const SCOPES: [(&str, &str); 2] = [
    ("repo", "without it private repositories are not shown"),
    ("read:org", "without it members and teams are not shown"),
];

/// Reads all of it.
///
/// # Errors
/// [`HubError`]: nothing is known then.
pub(super) async fn read(
    hub: &Hub,
    key: &Key,
    wanted: &Wanted,
    pages: &mut Pages,
) -> Result<RemoteOrganization, HubError> {
    let reader = Reader::new(hub, key, wanted, pages);
    let org = find(&reader).await?;
    require_scopes(&reader)?;
    let (mut repositories, mut people, teams) =
        try_join3(repositories::read(&reader, &org), people::read(&reader, &org), teams::read(&reader, &org.login))
            .await?;
    let packages: BTreeSet<&str> = repositories
        .iter()
        .filter(|one| wanted.packages.contains(&one.id) || one.manifest == Some(true))
        .map(|one| one.id.as_str())
        .collect();
    let sight = Sight { org: &org, people: &people, teams: &teams, packages, repositories: &repositories };
    let (mut readers, suspended) =
        try_join(readers::read(&reader, &sight), people::suspended(&reader, &people)).await?;
    suspended.mark(&mut people, &mut readers);
    require_scopes(&reader)?;
    let seen = reader.api.seen();
    if seen.partial {
        reader.notice(format!(
            "{} shows only a part, because the organization wants its single sign-on first: authorize the credential's \
             token for {} in the token's settings. Nothing is removed until then.",
            reader.api.name(),
            org.login
        ));
        reader.incomplete(&[Kind::Package, Kind::Team, Kind::Member, Kind::Permission]);
    }
    repositories.sort_by(|a, b| a.path.cmp(&b.path));
    let remarks = reader.remarks();
    let People { members, .. } = people;
    Ok(RemoteOrganization {
        id: org.id.to_string(),
        name: org.login,
        repositories,
        teams,
        members,
        readers,
        notices: remarks.notices,
        incomplete: remarks.incomplete.into_iter().collect(),
        outside: BTreeMap::new(),
        untold: remarks.untold.into_iter().collect(),
        usage: reader.api.line.usage(),
        credential_ends: seen.expires_at,
    })
}

/// The organization, also under a new name.
async fn find(reader: &Reader<'_>) -> Result<Organization, HubError> {
    let name = &reader.wanted.name;
    let found = match one(reader, name).await {
        Err(HubError::NotFound(text)) => match renamed(reader).await? {
            Some(name) => one(reader, &name).await?,
            None => return Err(HubError::NotFound(text)),
        },
        found => found?,
    };
    match &reader.wanted.id {
        Some(id) if *id != found.id.to_string() => match renamed(reader).await? {
            Some(name) if name != found.login => one(reader, &name).await,
            _ => Err(HubError::NotFound(format!(
                "The organization {name} of {} is another one than before: it was removed or renamed, and somebody else has \
                 its name now. Nothing is taken from it; remove this synchronization, or give the organization its name \
                 back.",
                reader.api.name()
            ))),
        },
        _ => Ok(found),
    }
}

async fn one(reader: &Reader<'_>, name: &str) -> Result<Organization, HubError> {
    let path = format!("/orgs/{}", part(name));
    reader.one(&path, reader.touched.everything(), &format!("read the organization {name}")).await
}

/// The name that the organization has now, where GitHub tells it by the id.
async fn renamed(reader: &Reader<'_>) -> Result<Option<String>, HubError> {
    let Some(id) = &reader.wanted.id else { return Ok(None) };
    if installation::is_app(reader.api.key) {
        let account = installation::of(&reader.api).await?.account;
        return Ok((account.id.to_string() == *id).then_some(account.login));
    }
    let path = "/user/memberships/orgs?state=active&per_page=100";
    match reader.api.list::<Membership>(path, "list the organizations of the token's account").await {
        Ok(all) => {
            let mut all = all.into_iter().filter_map(|membership| membership.organization);
            Ok(all.find(|org| org.id.to_string() == *id).map(|org| org.login))
        }
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a classic token that lost a scope: GitHub answers it with less, as if there were no more.
fn require_scopes(reader: &Reader<'_>) -> Result<(), HubError> {
    // Apps and fine-grained tokens have permissions, whatever their answers' headers say.
    let key = reader.api.key;
    if installation::is_app(key) || key.secret.fixed().is_some_and(|own| own.expose_secret().starts_with("github_pat_"))
    {
        return Ok(());
    }
    let Some(own) = reader.api.seen().scopes else { return Ok(()) };
    let lacks: Vec<_> = SCOPES.iter().filter(|(scope, _)| !scopes::has(&own, scope)).collect();
    if lacks.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = lacks.iter().map(|(scope, _)| format!("the scope `{scope}`")).collect();
    let why: Vec<&str> = lacks.iter().map(|(_, why)| *why).collect();
    Err(HubError::Forbidden {
        text: format!(
            "The token lacks {}: {}. Tick it in the token's settings at {}, or give the credential another token with \
             `credential rotate`.",
            missing.join(" and "),
            why.join(", and "),
            reader.api.name()
        ),
        missing,
    })
}
