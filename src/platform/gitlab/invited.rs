//! Groups whose people were let in elsewhere: what somebody is there is the most that they can be by that.
//!
//! Such a group may have let others in itself, with limits of its own, which some releases forget in what they list. So its
//! lists are held to the ways that it tells of, as those of the groups that are followed.

use futures_util::future::try_join_all;

use super::group::{Reader, Tree, at};
use super::levels::end_of;
use super::people::{People, Standings, listed, live, rule};
use super::wire::{Group, Member, Share};
use crate::clock::Timestamp;
use crate::platform::hub::HubError;

/// So many groups above each other are looked at; GitLab allows 20.
const DEEPEST: usize = 20;

/// What was read of such a group.
pub(super) struct Invited {
    /// Everybody, as GitLab lists them.
    all: Vec<Member>,
    /// By what they can be there; none where nobody was let in, so that the list needs nothing to be held to.
    line: Option<Line>,
}

/// The group and those above it.
struct Line {
    groups: Vec<(Vec<Share>, Vec<Member>)>,
    /// Whether the credential sees all of them.
    whole: bool,
}

/// Reads such a group; none where the credential may not see it.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, tree: &Tree, id: u64) -> Result<Option<Invited>, HubError> {
    let path = format!("/groups/{id}/members/all?per_page=100");
    let all = match members(reader, &path).await {
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => return Ok(None),
        all => all?,
    };
    Ok(Some(Invited { all, line: line(reader, tree, id).await? }))
}

async fn members(reader: &Reader<'_>, path: &str) -> Result<Vec<Member>, HubError> {
    let again = reader.touched.members() || reader.touched.teams();
    listed(reader, path, again, "list the members of a group that was let in").await
}

async fn line(reader: &Reader<'_>, tree: &Tree, id: u64) -> Result<Option<Line>, HubError> {
    let (mut groups, mut next) = (Vec::new(), Some(id));
    while let Some(id) = next.filter(|_| groups.len() < DEEPEST) {
        let Some(group) = group(reader, tree, id).await? else { break };
        next = group.parent_id;
        groups.push(group);
    }
    let now = reader.api.hub.now();
    if groups.iter().all(|group| live(&group.shared_with_groups, now).next().is_none()) {
        return Ok(None);
    }
    let with_members = groups.into_iter().map(|group| async move {
        match members(reader, &format!("/groups/{}/members?per_page=100", group.id)).await {
            Ok(direct) => Ok(Some((group.shared_with_groups, direct))),
            Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    });
    let all = try_join_all(with_members).await?;
    let whole = next.is_none() && all.iter().all(Option::is_some);
    Ok(Some(Line { groups: all.into_iter().flatten().collect(), whole }))
}

/// A group by itself, which says whom it let in; none where the credential may not see it.
async fn group(reader: &Reader<'_>, tree: &Tree, id: u64) -> Result<Option<Group>, HubError> {
    if let Some(own) = tree.groups.get(&id) {
        return Ok(Some(own.clone()));
    }
    let again = reader.touched.members() || reader.touched.teams();
    match reader.one::<Group>(&at(&id.to_string()), again, "read a group that was let in").await {
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
        found => found.map(Some),
    }
}

impl Invited {
    /// What everybody is there.
    pub(super) fn standings(&self, reader: &Reader<'_>, people: &mut People, now: Timestamp) -> Standings {
        let all = people.add(&self.all, now);
        let Some(line) = &self.line else { return all };
        let direct: Vec<Standings> = line.groups.iter().map(|(_, direct)| people.add(direct, now)).collect();
        let shares: Vec<&Share> = line.groups.iter().flat_map(|(shares, _)| live(shares, now)).collect();
        let held = all.into_iter().map(|(person, listed)| {
            let mut ways: Vec<_> = direct.iter().filter_map(|list| list.get(&person).copied()).collect();
            let by_share =
                |share: &&Share| listed.capped(share.group_access_level, end_of(share.expires_at.as_deref()));
            ways.extend(shares.iter().map(by_share));
            // Nobody tells what is inherited from above.
            ways.extend((!line.whole).then_some(listed));
            (person, listed.held_to(&ways, rule(reader.wanted)))
        });
        held.collect()
    }
}
