//! The teams of an organization: who is in them, and which repositories they have.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};

use super::api::part;
use super::reading::Reader;
use super::wire::{Person, Team, TeamRepository};
use crate::platform::hub::HubError;
use crate::platform::remote::RemoteTeam;
use crate::platform::rest::{Parents, above};

/// A team as its own lists have it.
struct Listed {
    team: Team,
    members: BTreeSet<u64>,
    repositories: BTreeSet<u64>,
}

/// All teams that the credential sees.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, org: &str) -> Result<Vec<RemoteTeam>, HubError> {
    let path = format!("/orgs/{}/teams?per_page=100", part(org));
    let before = parents(&reader.kept(&path).unwrap_or_default());
    let teams: Vec<Team> = reader.list(&path, reader.touched.teams(), &format!("list the teams of {org}")).await?;
    let now = parents(&teams);
    let one = |team: &Team| {
        let again = reader.touched.team(team.id, &now, &before);
        members_and_repositories(reader, org, team.clone(), again)
    };
    let listed = try_join_all(teams.iter().map(one)).await?;
    Ok(closed(&listed))
}

fn parents(teams: &[Team]) -> Parents {
    teams.iter().filter_map(|team| Some((team.id, team.parent.as_ref()?.id))).collect()
}

async fn members_and_repositories(reader: &Reader<'_>, org: &str, team: Team, again: bool) -> Result<Listed, HubError> {
    let base = format!("/orgs/{}/teams/{}", part(org), part(&team.slug));
    let members = format!("{base}/members?per_page=100");
    let kept: Vec<Person> = reader.kept(&members).unwrap_or_default();
    let is_stale = reader.touched.names_gone(kept.iter().map(|one| one.id));
    let (who, which) = (
        format!("list the members of the team {}", team.slug),
        format!("list the repositories of the team {}", team.slug),
    );
    let (members, repositories) = try_join(
        reader.list::<Person>(&members, again || is_stale, &who),
        reader.list::<TeamRepository>(&format!("{base}/repos?per_page=100"), again, &which),
    )
    .await?;
    // A list of a team's repositories names only those that it may read, unless it says otherwise.
    let may_read = |one: &TeamRepository| one.permissions.is_none_or(super::wire::Permissions::may_read);
    Ok(Listed {
        team,
        members: members.iter().map(|one| one.id).collect(),
        repositories: repositories.iter().filter(|one| may_read(one)).map(|one| one.id).collect(),
    })
}

/// Teams have the people of those below them, and the repositories of those above. GitHub's lists say so already; where one
/// of them does not, the other one's word is enough.
fn closed(listed: &[Listed]) -> Vec<RemoteTeam> {
    let parents: Parents = listed.iter().filter_map(|one| Some((one.team.id, one.team.parent.as_ref()?.id))).collect();
    let by_id: BTreeMap<u64, &Listed> = listed.iter().map(|one| (one.team.id, one)).collect();
    let mut members: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut repositories: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for one in listed {
        for upper in above(one.team.id, &parents) {
            members.entry(upper).or_default().extend(&one.members);
            if let Some(upper) = by_id.get(&upper) {
                repositories.entry(one.team.id).or_default().extend(&upper.repositories);
            }
        }
    }
    let texts = |ids: Option<&BTreeSet<u64>>| ids.into_iter().flatten().map(u64::to_string).collect::<Vec<_>>();
    listed
        .iter()
        .map(|one| RemoteTeam {
            id: one.team.id.to_string(),
            slug: one.team.slug.clone(),
            parent: one.team.parent.as_ref().map(|parent| parent.id.to_string()),
            inherits: true,
            members: texts(members.get(&one.team.id)).into_iter().map(|id| (id, None)).collect(),
            repositories: texts(repositories.get(&one.team.id)).into_iter().collect(),
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Listed, closed};
    use crate::platform::github::wire::{Parent, Team};

    #[test]
    fn people_count_upwards_and_repositories_downwards() {
        let listed = |id: u64, parent: Option<u64>, members: &[u64], repositories: &[u64]| Listed {
            team: Team { id, slug: format!("t{id}"), parent: parent.map(|id| Parent { id }) },
            members: members.iter().copied().collect(),
            repositories: repositories.iter().copied().collect(),
        };
        let teams = closed(&[
            listed(1, None, &[10], &[100]),
            listed(2, Some(1), &[20], &[200]),
            listed(3, Some(2), &[30], &[]),
            listed(4, Some(99), &[40], &[]),
        ]);
        let of = |id: &str| {
            let team = teams.iter().find(|team| team.id == id).unwrap();
            (team.members.keys().cloned().collect::<Vec<_>>(), team.repositories.iter().cloned().collect::<Vec<_>>())
        };
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(of("1"), (texts(&["10", "20", "30"]), texts(&["100"])));
        assert_eq!(of("2"), (texts(&["20", "30"]), texts(&["100", "200"])));
        assert_eq!(of("3"), (texts(&["30"]), texts(&["100", "200"])));
        assert_eq!(of("4"), (texts(&["40"]), texts(&[])));
    }
}
