//! Who may read which code, said once more and by itself, from the person downwards, as GitLab computes authorizations: not by
//! what the API's lists are made of, so that one can be held against the other.

use std::collections::{BTreeMap, BTreeSet};

use super::Site;
use super::answers::today;
use super::directory::{Directory, Visibility};

/// Whether GitLab would let a user read a project's code because of a right in it, whatever everybody may see.
pub fn may_read(site: &Site, user: u64, project: u64) -> bool {
    let today = today(site.clock());
    let Some(person) = site.users.get(&user).filter(|user| user.state == "active" && !user.bot) else { return false };
    let Some(found) = site.directory.projects.get(&project) else { return false };
    if found.repository == "disabled" {
        return false;
    }
    let reach = Reach::of(&site.directory, person.id, &today);
    let own = found.members.get(&user).filter(|own| is_good(own.expires_at.as_deref(), &today));
    let by_itself = own.map_or(0, |own| own.level);
    let by_group = reach.levels.get(&found.group).copied().unwrap_or(0);
    let shares = found.shares.iter().filter(|(_, share)| is_good(share.expires_at.as_deref(), &today));
    let by_invitation = shares.map(|(invited, share)| share.level.min(reach.level_in(*invited))).max().unwrap_or(0);
    let by_role = own.and_then(|own| own.role).is_some_and(|role| site.directory.roles[&role].read_code);
    let least = site.least_for_code();
    by_itself.max(by_group).max(by_invitation) >= least || by_role || reach.coders.contains(&found.group)
}

/// The same, with what is shown to everybody or to everybody who is not external.
pub fn sees(site: &Site, user: u64, project: u64) -> bool {
    let Some(found) = site.directory.projects.get(&project) else { return false };
    let Some(person) = site.users.get(&user) else { return false };
    let is_shown = match found.visibility {
        Visibility::Private => false,
        Visibility::Internal => !person.external,
        Visibility::Public => true,
    };
    (is_shown && person.state == "active" && found.repository == "enabled") || may_read(site, user, project)
}

fn is_good(end: Option<&str>, today: &str) -> bool {
    end.is_none_or(|end| today < end)
}

/// What somebody is in each group.
struct Reach {
    /// By being in it or above.
    within: BTreeMap<u64, u32>,
    /// By that or by an invitation of a group there or above.
    levels: BTreeMap<u64, u32>,
    /// Where a role reads code.
    coders: BTreeSet<u64>,
}

impl Reach {
    fn of(directory: &Directory, user: u64, today: &str) -> Self {
        let mut reach = Self { within: BTreeMap::new(), levels: BTreeMap::new(), coders: BTreeSet::new() };
        // From the top down: whatever somebody is above, they are below.
        let mut open: Vec<(Option<u64>, u64)> = Vec::new();
        open.extend(directory.groups.values().filter(|group| group.parent.is_none()).map(|group| (None, group.id)));
        while let Some((parent, id)) = open.pop() {
            let group = &directory.groups[&id];
            let mut within = parent.map_or(0, |parent| reach.within[&parent]);
            let mut level = parent.map_or(0, |parent| reach.levels[&parent]);
            let mut is_coder = parent.is_some_and(|parent| reach.coders.contains(&parent));
            if let Some(own) = group.members.get(&user).filter(|own| is_good(own.expires_at.as_deref(), today)) {
                within = within.max(own.level);
                is_coder |= own.role.is_some_and(|role| directory.roles[&role].read_code);
            }
            level = level.max(within);
            for (invited, share) in &group.shares {
                let guest = directory.groups[invited].members.get(&user);
                let guest = guest.filter(|guest| is_good(guest.expires_at.as_deref(), today));
                if let Some(guest) = guest.filter(|_| is_good(share.expires_at.as_deref(), today)) {
                    level = level.max(guest.level.min(share.level));
                }
            }
            reach.within.insert(id, within);
            reach.levels.insert(id, level);
            if is_coder {
                reach.coders.insert(id);
            }
            open.extend(
                directory.groups.values().filter(|group| group.parent == Some(id)).map(|group| (Some(id), group.id)),
            );
        }
        reach
    }

    /// Into a project come all who are in the invited group by whatever way, into a group only its direct members.
    fn level_in(&self, group: u64) -> u32 {
        self.levels.get(&group).copied().unwrap_or(0)
    }
}
