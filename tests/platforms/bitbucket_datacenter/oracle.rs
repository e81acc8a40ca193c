//! Who may read what, said once more and by itself: not by what the API's lists are made of.

use super::Site;

/// Whether Bitbucket would let a user read a repository because of a right in it, whatever everybody may see.
pub fn may_read(site: &Site, user: u64, repository: u64) -> bool {
    let Some(found) = site.directory.repositories.get(&repository) else { return false };
    let Some(person) = site.users.get(&user).filter(|user| user.active && user.kind == "NORMAL") else { return false };
    let project = &site.directory.projects[&found.project];
    if !person.licensed && !person.admin {
        return false;
    }
    if person.admin || project.owner == Some(user) || (project.default.is_some() && person.licensed) {
        return true;
    }
    [&project.rights, &found.rights].into_iter().any(|rights| {
        let mut own = site.directory.groups.iter().filter(|(_, people)| people.contains(&user)).map(|(name, _)| name);
        rights.users.contains_key(&user)
            || own.any(|name| rights.groups.keys().any(|one| one.eq_ignore_ascii_case(name)))
    })
}

/// The same, with what is shown to everybody.
pub fn sees(site: &Site, user: u64, repository: u64) -> bool {
    let Some(found) = site.directory.repositories.get(&repository) else { return false };
    let is_active = site.users.get(&user).is_some_and(|user| user.active);
    (is_active && (found.public || site.directory.projects[&found.project].public)) || may_read(site, user, repository)
}
