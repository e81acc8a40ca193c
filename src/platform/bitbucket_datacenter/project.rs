//! A project of Bitbucket, read into a value.
//!
//! Who may read a repository is the union of the project's permissions, the repository's own, those of groups in both, what
//! the project gives to everybody, and whose the project is; administrators of the whole server read everything, and are no
//! owners for that. Groups that have a permission are teams; what a person was given alone stays that person's.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::future::{try_join, try_join3};

use super::api::part;
use super::reading::Reader;
use super::repositories;
use super::rights::{self, OfProject, OfRepository};
use super::wire::{Project, User};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::answer::printable;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{
    Kind, Pages, RemoteAccount, RemoteMember, RemoteOrganization, RemoteReader, RemoteRepository, RemoteTeam,
    Visibility, Wanted,
};

/// Longest name that is kept.
const LONGEST_NAME: usize = 200;

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
    let project = find(&reader).await?;
    let (mut repositories, of_project) =
        try_join(repositories::read(&reader, &project), rights::of_project(&reader, &project)).await?;
    repositories.sort_by(|a, b| a.path.cmp(&b.path));
    let is_package = |one: &&RemoteRepository| wanted.packages.contains(&one.id) || one.manifest == Some(true);
    let packages: Vec<&RemoteRepository> = repositories.iter().filter(is_package).collect();
    let counts = of_project.is_told || project.is_personal();
    let of_repositories = rights::of_repositories(&reader, &packages, counts).await?;
    let mut sight = Sight::new(&reader, &project, &repositories, &packages, &of_project, &of_repositories).await?;
    sight.members();
    sight.readers();
    if !of_project.is_told && !project.is_personal() {
        sight.by_whatever_way().await?;
    }
    if reader.api.caller().is_none() && reader.touched.everything() {
        reader.incomplete(&[Kind::Package, Kind::Team, Kind::Member, Kind::Permission]);
        reader.notice(format!(
            "{} does not say who asks (header X-AUSERNAME), as where a proxy in front of it removes that header, or the \
             header Authorization of our questions, so that they are nobody's. Nothing is removed until it does.",
            reader.api.name()
        ));
    }
    let (members, teams, readers) = sight.finish();
    let remarks = reader.remarks();
    Ok(RemoteOrganization {
        id: project.id.to_string(),
        name: project.key,
        repositories,
        teams,
        members,
        readers,
        notices: remarks.notices,
        incomplete: remarks.incomplete.into_iter().collect(),
        outside: BTreeMap::new(),
        untold: remarks.untold.into_iter().collect(),
        usage: reader.api.line.usage(),
        credential_ends: None,
    })
}

/// The project, also under a new key.
async fn find(reader: &Reader<'_>) -> Result<Project, HubError> {
    let name = &reader.wanted.name;
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let found = match one(reader, name).await {
        Err(HubError::NotFound(text)) => {
            let id = reader.wanted.id.as_deref().or(Some(name.as_str()).filter(|_| is_number));
            match renamed(reader, id).await? {
                Some(key) => one(reader, &key).await?,
                None => return Err(HubError::NotFound(text)),
            }
        }
        found => found?,
    };
    match &reader.wanted.id {
        Some(id) if *id != found.id.to_string() => match renamed(reader, Some(id)).await? {
            Some(key) if key != found.key => one(reader, &key).await,
            _ => Err(HubError::NotFound(format!(
                "The project {name} of {} is another one than before: it was removed or got another key, and another project \
                 has its key now. Nothing is taken from it; remove this synchronization, or give the project its key back.",
                reader.api.name()
            ))),
        },
        _ => Ok(found),
    }
}

async fn one(reader: &Reader<'_>, key: &str) -> Result<Project, HubError> {
    let path = format!("/projects/{}", part(key));
    let again = reader.touched.everything() || reader.touched.repositories();
    reader.one(&path, again, &format!("read the project {key}")).await
}

/// The key that the project has now.
async fn renamed(reader: &Reader<'_>, id: Option<&str>) -> Result<Option<String>, HubError> {
    let Some(id) = id else { return Ok(None) };
    let all: Vec<Project> = reader.api.list("/projects?limit=500", "list the projects").await?;
    Ok(all.into_iter().find(|one| one.id.to_string() == id).map(|one| one.key))
}

/// What is known, and what becomes of it.
struct Sight<'a, 'r> {
    reader: &'a Reader<'r>,
    project: &'a Project,
    repositories: &'a [RemoteRepository],
    packages: &'a [&'a RemoteRepository],
    of_project: &'a OfProject,
    of_repositories: &'a BTreeMap<&'a str, OfRepository>,
    /// The people of the groups that have a permission.
    groups: BTreeMap<String, Vec<User>>,
    /// Everybody, where that matters.
    everybody: Vec<User>,
    /// Who has a licence, where that is told.
    licensed: Option<HashSet<i64>>,
    /// Whoever administers the server.
    administrators: Vec<User>,
    members: BTreeMap<i64, RemoteMember>,
    readers: BTreeMap<(i64, &'a str), RemoteReader>,
}

impl<'a, 'r> Sight<'a, 'r> {
    async fn new(
        reader: &'a Reader<'r>,
        project: &'a Project,
        repositories: &'a [RemoteRepository],
        packages: &'a [&'a RemoteRepository],
        of_project: &'a OfProject,
        of_repositories: &'a BTreeMap<&'a str, OfRepository>,
    ) -> Result<Self, HubError> {
        let groups: BTreeSet<&str> = of_project
            .groups
            .iter()
            .chain(of_repositories.values().flat_map(|one| &one.groups))
            .map(|one| one.group.name.as_str())
            .collect();
        let follows = reader.wanted.follow_visibility;
        let is_shown = || packages.iter().any(|one| one.visibility == Visibility::Public);
        let needs_everybody = of_project.default.is_some() || (follows && (project.public || is_shown()));
        let (groups, listed, administrators) =
            try_join3(rights::people(reader, &groups), rights::licensed(reader), rights::administrators(reader))
                .await?;
        let everybody = if needs_everybody { rights::everybody(reader, listed.as_ref()) } else { Vec::new() };
        let licensed = listed.map(|listed| listed.iter().chain(&administrators).map(|one| one.id).collect());
        let (members, readers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self {
            reader,
            project,
            repositories,
            packages,
            of_project,
            of_repositories,
            groups,
            everybody,
            licensed,
            administrators,
            members,
            readers,
        })
    }

    /// Everybody who has a permission of the project, or is in a group that has any, or administers the server.
    fn members(&mut self) {
        let key = &self.project.key;
        let by_default = match self.of_project.default {
            Some(permission) => Some(format!("default permission {permission} of {key}")),
            None => (self.project.public && self.reader.wanted.follow_visibility).then(|| format!("{key} is public")),
        };
        if let Some(detail) = by_default {
            for user in std::mem::take(&mut self.everybody) {
                self.member(&user, Role::Member, Some(GrantKind::Base), detail.clone());
                self.everybody.push(user);
            }
        }
        for user in std::mem::take(&mut self.administrators) {
            self.member(&user, Role::Member, Some(GrantKind::Sync), "administrator of the server".to_owned());
        }
        for (name, people) in self.groups.clone() {
            let own = self.of_project.groups.iter().find(|one| one.group.name == name);
            let is_admin = own.is_some_and(|one| one.permission == "PROJECT_ADMIN");
            for user in &people {
                if is_admin {
                    let detail = format!("PROJECT_ADMIN of {key} by the group {}", printable(&name, 60));
                    self.member(user, Role::Owner, Some(GrantKind::Sync), detail);
                } else {
                    self.member(user, Role::Member, None, format!("in the group {}", printable(&name, 60)));
                }
            }
        }
        for row in &self.of_project.users {
            let role = if row.permission == "PROJECT_ADMIN" { Role::Owner } else { Role::Member };
            let detail = format!("{} of {key}", printable(&row.permission, 40));
            self.member(&row.user, role, Some(GrantKind::Sync), detail);
        }
        if let Some(owner) = &self.project.owner {
            self.member(owner, Role::Owner, Some(GrantKind::Sync), format!("owner of {key}"));
        }
    }

    /// Whether somebody is behind an account who may log in; one that is switched off is told as such.
    fn counts(&self, user: &User) -> bool {
        let has_licence = || self.licensed.as_ref().is_none_or(|licensed| licensed.contains(&user.id));
        user.is_person() && (!user.active || has_licence())
    }

    /// Remembers a member; what gives more counts.
    fn member(&mut self, user: &User, role: Role, reads: Option<GrantKind>, detail: String) {
        if !self.counts(user) {
            return;
        }
        let account = account(user);
        let new = if account.suspended {
            // Of a deactivated account nothing counts; its sessions here end by it.
            let detail = "deactivated".to_owned();
            RemoteMember { account, role: Role::Member, reads: None, detail, until: None }
        } else {
            RemoteMember { account, role, reads, detail, until: None }
        };
        let rank =
            |one: &RemoteMember| (one.role == Role::Owner, one.reads == Some(GrantKind::Sync), one.reads.is_some());
        let known = self.members.entry(user.id).or_insert_with(|| new.clone());
        if rank(&new) > rank(known) {
            *known = new;
        }
    }

    /// Everybody who was given a permission of a single repository, and, where that counts, who reads what is shown to all.
    fn readers(&mut self) {
        for one in self.packages {
            for row in self.of_repositories.get(one.id.as_str()).into_iter().flat_map(|rights| &rights.users) {
                let detail = format!("collaborator ({})", printable(&row.permission, 40));
                self.read(one, &row.user, GrantKind::Collaborator, detail);
            }
            let is_shown = one.visibility == Visibility::Public && !self.project.public;
            if is_shown && self.reader.wanted.follow_visibility && self.of_project.default.is_none() {
                for user in std::mem::take(&mut self.everybody) {
                    // What counts for members alone makes everybody one.
                    self.member(&user, Role::Member, None, format!("{} is public", one.path));
                    self.read(one, &user, GrantKind::Base, "public repository".to_owned());
                    self.everybody.push(user);
                }
            }
        }
    }

    fn read(&mut self, repository: &'a RemoteRepository, user: &User, kind: GrantKind, detail: String) {
        if !self.counts(user) || !user.active {
            return;
        }
        let reader =
            RemoteReader { account: account(user), repository: repository.id.clone(), kind, detail, until: None };
        self.readers.entry((user.id, repository.id.as_str())).or_insert(reader);
    }

    /// Without the project's permissions: who reads each repository by whatever way, where that is told.
    async fn by_whatever_way(&mut self) -> Result<(), HubError> {
        let name = self.reader.api.name();
        let key = &self.project.key;
        let found = rights::effective(self.reader, self.packages).await?;
        let Some(found) = found else {
            self.reader.incomplete(&[Kind::Member, Kind::Team, Kind::Permission]);
            self.reader.notice(format!(
                "{name} does not tell this credential the permissions of {key}, which is told to its administrators: who may \
                 read by them is not let in, and nobody is removed. Give the credential's account PROJECT_ADMIN, or use a \
                 token with that permission."
            ));
            return Ok(());
        };
        self.reader.notice(format!(
            "{name} does not tell this credential the permissions of {key}: who may read each package's repository is asked \
             for instead. Owners, and the groups of the project, are told to a token with PROJECT_ADMIN."
        ));
        let teams = self.teams();
        let mut by_team: HashMap<&str, HashSet<&str>> = HashMap::new();
        for team in &teams {
            for repository in &team.repositories {
                by_team.entry(repository).or_default().extend(team.members.keys().map(String::as_str));
            }
        }
        for one in self.packages {
            for user in found.get(one.id.as_str()).into_iter().flatten() {
                let id = user.id.to_string();
                let is_of_team = by_team.get(one.id.as_str()).is_some_and(|members| members.contains(id.as_str()));
                let reads_all = self.members.get(&user.id).is_some_and(|one| one.reads.is_some());
                // Nobody who was let in to this repository alone is a member by that.
                if !is_of_team && !reads_all && !self.readers.contains_key(&(user.id, one.id.as_str())) {
                    self.member(user, Role::Member, None, format!("reads packages of {key}"));
                    self.read(one, user, GrantKind::Sync, "Bitbucket lets them in".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Groups that have a permission, as teams.
    fn teams(&self) -> Vec<RemoteTeam> {
        let mut repositories: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for right in &self.of_project.groups {
            let all = self.repositories.iter().map(|one| one.id.clone());
            repositories.entry(&right.group.name).or_default().extend(all);
        }
        for (id, rights) in self.of_repositories {
            for right in &rights.groups {
                repositories.entry(&right.group.name).or_default().insert((*id).to_owned());
            }
        }
        let mut taken = HashSet::new();
        let mut teams = BTreeMap::new();
        for (name, repositories) in repositories {
            // Names are the same whatever their case.
            let id = name.to_lowercase();
            let team = teams.entry(id.clone()).or_insert_with(|| {
                let slug = free(&slug(name), &mut taken);
                RemoteTeam {
                    id,
                    slug,
                    parent: None,
                    inherits: true,
                    members: BTreeMap::new(),
                    repositories: BTreeSet::new(),
                }
            });
            let members = self.groups.get(name).into_iter().flatten().filter(|one| self.counts(one) && one.active);
            team.members.extend(members.map(|one| (one.id.to_string(), None)));
            team.repositories.extend(repositories);
        }
        teams.into_values().collect()
    }

    fn finish(self) -> (Vec<RemoteMember>, Vec<RemoteTeam>, Vec<RemoteReader>) {
        let teams = self.teams();
        (self.members.into_values().collect(), teams, self.readers.into_values().collect())
    }
}

fn account(user: &User) -> RemoteAccount {
    let name = user.display_name.as_deref().map(|name| printable(name, LONGEST_NAME));
    RemoteAccount {
        id: user.id.to_string(),
        login: printable(&user.name, LONGEST_NAME),
        display_name: name.filter(|name| !name.is_empty()),
        suspended: !user.active,
    }
}

/// A group's name as it can stand in addresses.
fn slug(name: &str) -> String {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    let slug: String = name.to_lowercase().chars().map(|char| if fits(char) { char } else { '-' }).collect();
    let slug = slug.trim_matches(|char: char| !char.is_ascii_alphanumeric()).to_owned();
    if slug.is_empty() { "group".to_owned() } else { slug }
}

fn free(slug: &str, taken: &mut HashSet<String>) -> String {
    let mut name = slug.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{slug}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{free, slug};

    #[test]
    fn names_of_groups_become_names_of_teams() {
        for (name, expected) in [
            ("Web Team", "web-team"),
            ("devs@corp.io", "devs-corp.io"),
            ("a/b", "a-b"),
            ("…", "group"),
            ("-x_y-", "x_y"),
        ] {
            assert_eq!(slug(name), expected);
        }
        let mut taken = HashSet::new();
        let names: Vec<_> = ["a b", "a-b", "a/b"].iter().map(|name| free(&slug(name), &mut taken)).collect();
        assert_eq!(names, ["a-b", "a-b-2", "a-b-3"]);
    }
}
