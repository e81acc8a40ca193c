//! Who reads single projects by other ways than the groups that they are in: people who were added to a project, groups that
//! it is shared with, and what everybody may see.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::group::{Reader, Tree};
use super::invited;
use super::levels::{self, GUEST, Standing};
use super::people::{self, People, Standings, by_shares, live, rule};
use super::projects::visibility;
use super::wire::{Member, Project, User};
use crate::access::facts::GrantKind;
use crate::clock::Timestamp;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteReader, Visibility, Wanted};

/// Who is in a project.
struct Lists {
    /// Who was added to it.
    direct: Vec<Member>,
    /// Everybody, as GitLab lists them: people of groups, too, that the credential does not see.
    all: Vec<Member>,
}

/// Everybody who reads single packages.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(
    reader: &Reader<'_>,
    tree: &Tree,
    packages: &[&Project],
    people: &mut People,
) -> Result<Vec<RemoteReader>, HubError> {
    let now = reader.api.hub.now();
    let shares = packages.iter().flat_map(|one| live(&one.shared_with_groups, now)).map(|share| share.group_id);
    let unread: BTreeSet<u64> = shares.filter(|id| !people.invited.contains_key(id)).collect();
    let unread = unread.iter().map(|id| async { Ok((*id, invited::read(reader, tree, *id).await?)) });
    for (id, other) in try_join_all(unread).await? {
        let standings = other.map(|other| other.standings(reader, people, now));
        people.invited.insert(id, standings);
    }
    let lists = try_join_all(packages.iter().map(|one| lists(reader, one))).await?;
    let mut found = Vec::new();
    for (project, Lists { direct, all }) in packages.iter().zip(lists) {
        let direct = people.add(&direct, now);
        let all = people.add(&all, now);
        let sight = Sight { wanted: reader.wanted, now, people, project, direct: &direct };
        found.extend(sight.added());
        found.extend(sight.let_in(&all));
        found.extend(sight.by_guests());
    }
    if reader.wanted.follow_visibility {
        found.extend(by_visibility(reader, tree, packages, people).await?);
    }
    Ok(found)
}

async fn lists(reader: &Reader<'_>, project: &Project) -> Result<Lists, HubError> {
    let again = reader.touched.readers(&project.id.to_string());
    let what = format!("list the members of {}", project.path_with_namespace);
    let path = format!("/projects/{}/members", project.id);
    let direct = people::listed(reader, &format!("{path}?per_page=100"), again, &what).await?;
    let again = again || reader.touched.effective(&project.id.to_string());
    let all = people::listed(reader, &format!("{path}/all?per_page=100"), again, &what).await?;
    Ok(Lists { direct, all })
}

/// One project, and what is known of people.
struct Sight<'a> {
    wanted: &'a Wanted,
    now: Timestamp,
    people: &'a People,
    project: &'a Project,
    direct: &'a Standings,
}

impl Sight<'_> {
    fn in_group(&self, person: u64) -> Option<Standing> {
        self.people.in_group(self.project.namespace.id, person).copied()
    }

    fn value(&self, person: u64, standing: Standing, kind: GrantKind, detail: String) -> Option<RemoteReader> {
        let (account, repository) = (self.people.account(person)?.clone(), self.project.id.to_string());
        Some(RemoteReader { account, repository, kind, detail, until: standing.until })
    }

    /// People who were added to the project itself.
    fn added(&self) -> Vec<RemoteReader> {
        let rule = rule(self.wanted);
        let reads = self.direct.iter().filter(|(_, standing)| standing.reads(rule));
        let value = |(person, standing): (&u64, &Standing)| {
            let detail = format!("collaborator ({})", levels::word(standing.level));
            self.value(*person, *standing, GrantKind::Collaborator, detail)
        };
        reads.filter_map(value).collect()
    }

    /// People of groups that the project is shared with, who do not read it by anything else. With which groups it is shared,
    /// GitLab tells only of those that the credential sees; whoever comes by none of the ways that are told is believed to be
    /// what is listed.
    fn let_in(&self, all: &Standings) -> Vec<RemoteReader> {
        let (rule, now) = (rule(self.wanted), self.now);
        let mut found = Vec::new();
        for (person, listed) in all {
            let own = self.direct.get(person).copied();
            let group = self.in_group(*person);
            if own.into_iter().chain(group).any(|way| way.reads(rule) && way.until.is_none()) {
                continue;
            }
            let shares = by_shares(self.people, &self.project.shared_with_groups, *person, *listed, now);
            let is_untold = shares.is_empty() && own.is_none() && group.is_none();
            let ways = shares.into_iter().chain(is_untold.then_some(*listed));
            let Some(by_share) = ways.filter(|way| way.reads(rule)).reduce(|one, other| one.or(other, rule)) else {
                continue;
            };
            // What GitLab lists is the most of all ways: not more is had by one of them.
            let standing = by_share.capped(listed.level, None);
            if standing.reads(rule) && own.is_none_or(|own| !own.reads(rule) || ends_before(own, standing)) {
                let detail = format!("group that the project is shared with ({})", levels::word(standing.level));
                // Somebody who was added too has one grant, for as long as either lasts.
                found.extend(self.value(*person, standing, GrantKind::Collaborator, detail));
            }
        }
        found
    }

    /// Guests read the code of what is public or internal where it is for members only.
    fn by_guests(&self) -> Vec<RemoteReader> {
        if !self.wanted.follow_visibility || self.shown().is_none() || !is_for_members(self.project) {
            return Vec::new();
        }
        let everybody = self.people.everybody().into_iter();
        let guests = everybody.filter_map(|person| {
            let own = self.direct.get(&person).copied().into_iter().chain(self.in_group(person));
            Some((person, own.filter(|standing| standing.level >= GUEST).max_by_key(|standing| standing.level)?))
        });
        let detail = self.shown().unwrap_or_default();
        guests
            .filter_map(|(person, standing)| {
                self.value(person, standing, GrantKind::Base, format!("{detail} whose code is for members"))
            })
            .collect()
    }

    fn shown(&self) -> Option<&'static str> {
        shown(visibility(self.project))
    }
}

fn ends_before(own: Standing, other: Standing) -> bool {
    own.until != other.until && levels::later(own.until, other.until) == other.until
}

fn shown(visibility: Visibility) -> Option<&'static str> {
    match visibility {
        Visibility::Private => None,
        Visibility::Internal => Some("internal project"),
        Visibility::Public => Some("public project"),
    }
}

fn is_for_members(project: &Project) -> bool {
    project.repository_access_level.as_deref() == Some("private")
}

/// Members read what everybody may see; whoever is external does not count as everybody for what is internal.
async fn by_visibility(
    reader: &Reader<'_>,
    tree: &Tree,
    packages: &[&Project],
    people: &People,
) -> Result<Vec<RemoteReader>, HubError> {
    let open = |wanted: Visibility| {
        let packages =
            packages.iter().filter(|one| !is_for_members(one) && tree.groups.contains_key(&one.namespace.id));
        packages.filter(move |one| visibility(one) == wanted).copied().collect::<Vec<&Project>>()
    };
    let everybody = people.everybody();
    let (public, internal) = (open(Visibility::Public), open(Visibility::Internal));
    let insiders = if internal.is_empty() { BTreeSet::new() } else { insiders(reader, &everybody).await? };
    let rule = rule(reader.wanted);
    let mut found = Vec::new();
    for (projects, who) in [(public, &everybody), (internal, &insiders)] {
        for project in projects {
            let reads = |person: &u64| people.in_group(project.namespace.id, *person).is_some_and(|it| it.reads(rule));
            for account in who.iter().filter(|person| !reads(person)).filter_map(|person| people.account(*person)) {
                found.push(RemoteReader {
                    account: account.clone(),
                    repository: project.id.to_string(),
                    kind: GrantKind::Base,
                    detail: shown(visibility(project)).unwrap_or_default().to_owned(),
                    until: None,
                });
            }
        }
    }
    Ok(found)
}

/// Those of whom GitLab tells that they are not external.
async fn insiders(reader: &Reader<'_>, everybody: &BTreeSet<u64>) -> Result<BTreeSet<u64>, HubError> {
    let again = reader.touched.members();
    let asked = everybody.iter().map(|person| async move {
        let path = format!("/users/{person}");
        match reader.one::<User>(&path, again, "read an account").await {
            Ok(user) => Ok(Some(user)),
            Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    });
    let users: BTreeMap<u64, Option<bool>> =
        try_join_all(asked).await?.into_iter().flatten().map(|user| (user.id, user.external)).collect();
    let untold = everybody.iter().filter(|person| users.get(person).copied().flatten().is_none()).count();
    if untold > 0 {
        reader.notice(format!(
            "{} tells only administrators which users are external: internal projects are not opened to {untold} members of \
             whom that is not known. Use the token of an administrator, or let them in by a group.",
            reader.api.name()
        ));
    }
    Ok(users.into_iter().filter(|(_, external)| *external == Some(false)).map(|(person, _)| person).collect())
}
