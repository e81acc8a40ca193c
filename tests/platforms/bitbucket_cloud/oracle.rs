//! Who may read which code, said once more and by itself: not by what the API's lists are made of.

use std::collections::BTreeSet;

use super::Site;

/// The repositories that somebody may read because of a right in them, whatever everybody may see.
pub fn readable(site: &Site, user: u64) -> BTreeSet<u64> {
    let Some(person) = site.users.get(&user) else { return BTreeSet::new() };
    if person.kind != "user" || person.status.is_some_and(|status| status != "active") {
        return BTreeSet::new();
    }
    let directory = &site.directory;
    let mut found = BTreeSet::new();
    for (id, one) in &directory.repositories {
        let workspace = &directory.workspaces[&one.workspace];
        if workspace.members.get(&user) == Some(&true) {
            found.insert(*id);
        }
        let project = &directory.projects[&one.project];
        if one.users.contains_key(&user) || project.users.contains_key(&user) {
            found.insert(*id);
        }
        for (slug, group) in &workspace.groups {
            let has = one.groups.contains_key(slug) || project.groups.contains_key(slug);
            if has && group.members.contains(&user) {
                found.insert(*id);
            }
        }
    }
    found
}
