//! Who may read what, said once more and by itself: not by what the API's lists are made of, so that one can be held against
//! the other.

use std::collections::BTreeSet;

use super::directory::{Level, Rank, Visibility};
use super::{Directory, Site};

/// Whether GitHub would let a user read a repository because of a right in it, whatever everybody may see.
pub fn may_read(site: &Site, user: u64, repository: u64) -> bool {
    let directory = &site.directory;
    let Some(found) = directory.repositories.get(&repository) else { return false };
    if site.users.get(&user).is_none_or(|user| user.suspended) {
        return false;
    }
    let is_owner_of_it = found.owner == user;
    let was_added = found.collaborators.get(&user).is_some_and(|grant| grant.level != Level::None);
    is_owner_of_it || was_added || by_organization(directory, user, repository, found.owner)
}

/// The same, with what is shown to everybody or to everybody in the organization.
pub fn sees(site: &Site, user: u64, repository: u64) -> bool {
    let directory = &site.directory;
    let Some(found) = directory.repositories.get(&repository) else { return false };
    let is_active = site.users.get(&user).is_some_and(|user| !user.suspended);
    let is_shown = match found.visibility {
        Visibility::Private => false,
        Visibility::Internal => directory.orgs.values().any(|org| org.members.contains_key(&user)),
        Visibility::Public => true,
    };
    is_active && (is_shown || may_read(site, user, repository))
}

fn by_organization(directory: &Directory, user: u64, repository: u64, owner: u64) -> bool {
    let Some(org) = directory.orgs.get(&owner) else { return false };
    match org.members.get(&user) {
        None | Some(Rank::Billing) => return false,
        Some(Rank::Owner) => return true,
        Some(Rank::Member) => {}
    }
    if org.base != Level::None {
        return true;
    }
    // All teams that somebody is in by being in one below: from their own upwards.
    let mut within = BTreeSet::new();
    for team in directory.teams.values().filter(|team| team.org == owner && team.members.contains_key(&user)) {
        let mut next = Some(team);
        while let Some(team) = next.filter(|team| within.insert(team.id)) {
            next = team.parent.and_then(|parent| directory.teams.get(&parent));
        }
    }
    let has_it = |team: &u64| {
        let grant = directory.teams[team].repositories.get(&repository);
        grant.is_some_and(|grant| grant.level != Level::None)
    };
    let is_role = |role: &super::directory::OrganizationRole| {
        let reads = role.base.is_some_and(|base| base != Level::None);
        reads && (role.users.contains(&user) || role.teams.iter().any(|team| within.contains(team)))
    };
    within.iter().any(has_it) || org.roles.iter().any(is_role)
}
