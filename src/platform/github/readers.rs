//! Who reads single repositories: people who were added to them, and whoever reads them by ways that nothing else tells.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::future::try_join_all;

use super::api::{Api, part, parts};
use super::people::{self, People, account};
use super::reading::Reader;
use super::wire::{Organization, Permissions, Person, Right};
use crate::access::facts::GrantKind;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteReader, RemoteRepository, RemoteTeam, Visibility};

/// What is known already.
pub(super) struct Sight<'a> {
    pub org: &'a Organization,
    pub people: &'a People,
    pub teams: &'a [RemoteTeam],
    /// The repositories of which it matters.
    pub packages: BTreeSet<&'a str>,
    pub repositories: &'a [RemoteRepository],
}

/// Everybody who reads single repositories.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, sight: &Sight<'_>) -> Result<Vec<RemoteReader>, HubError> {
    let packages: Vec<_> = sight.repositories.iter().filter(|one| sight.packages.contains(one.id.as_str())).collect();
    let mut found = Vec::new();
    if !only_members_read(reader, sight).await? {
        let known = Known::of(sight);
        let all = try_join_all(packages.iter().map(|repository| of(reader, sight, &known, repository))).await?;
        let denied = packages.iter().zip(&all).filter(|(_, (_, is_told))| !is_told).map(|(one, _)| *one);
        say_denied(reader, &denied.collect::<Vec<_>>());
        found.extend(all.into_iter().flat_map(|(readers, _)| readers));
    }
    if reader.wanted.follow_visibility {
        found.extend(packages.iter().flat_map(|repository| by_visibility(sight, repository)));
    }
    Ok(found)
}

/// Whether all who can have been added to repositories are members who read everything anyway: then nobody needs to be
/// looked for at every single one.
async fn only_members_read(reader: &Reader<'_>, sight: &Sight<'_>) -> Result<bool, HubError> {
    if !sight.people.base || !sight.people.is_certain || sight.packages.is_empty() {
        return Ok(false);
    }
    let path = format!("/orgs/{}/outside_collaborators?per_page=100", part(&sight.org.login));
    let again = !matches!(reader.kept::<Person>(&path), Some(kept) if !kept.is_empty()) || reader.touched.everything();
    match reader.list::<Person>(&path, again, "list the outside collaborators").await {
        Ok(outside) => Ok(outside.is_empty()),
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who reads one repository, and whether that is all that there are: the credential may not be told of everybody.
async fn of(
    reader: &Reader<'_>,
    sight: &Sight<'_>,
    known: &Known<'_>,
    repository: &RemoteRepository,
) -> Result<(Vec<RemoteReader>, bool), HubError> {
    let again = reader.touched.readers(&repository.id);
    let Some(added) = collaborators(reader, repository, "direct", again).await? else { return Ok((Vec::new(), false)) };
    let mut found: BTreeMap<u64, RemoteReader> = BTreeMap::new();
    for person in &added {
        found.insert(person.id, value(person, repository, GrantKind::Collaborator));
    }
    let mut is_told = true;
    if !sight.people.is_certain {
        let again = reader.touched.effective(&repository.id);
        let everybody = collaborators(reader, repository, "all", again).await?;
        is_told = everybody.is_some();
        // Whoever was added is known in any case.
        for person in everybody.iter().flatten().filter(|person| !known.explains(person.id, &repository.id)) {
            found.entry(person.id).or_insert_with(|| value(person, repository, GrantKind::Sync));
        }
    }
    Ok((found.into_values().collect(), is_told))
}

/// The credential lost something, or never had it: that says nothing of those who were added.
fn say_denied(reader: &Reader<'_>, denied: &[&RemoteRepository]) {
    let Some(which) = reader.untold(denied) else { return };
    reader.notice(format!(
        "{} does not tell this credential who was added to {which}: collaborators are told only to GitHub Apps and to whoever \
         may write to a repository. Nobody is let in there by that, and nobody is removed.",
        reader.api.name()
    ));
}

/// Who reads a repository; None where the credential may not ask.
async fn collaborators(
    reader: &Reader<'_>,
    repository: &RemoteRepository,
    affiliation: &str,
    again: bool,
) -> Result<Option<Vec<Person>>, HubError> {
    let path = format!("/repos/{}/collaborators?affiliation={affiliation}&per_page=100", parts(&repository.path));
    let kept: Vec<Person> = reader.kept(&path).unwrap_or_default();
    let again = again || reader.touched.names_gone(kept.iter().map(|one| one.id));
    let what = format!("list the collaborators of {}", repository.path);
    match reader.list::<Person>(&path, again, &what).await {
        Ok(all) => {
            let may_read = |one: &Person| one.permissions.is_none_or(Permissions::may_read);
            Ok(Some(all.into_iter().filter(may_read).collect()))
        }
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn value(person: &Person, repository: &RemoteRepository, kind: GrantKind) -> RemoteReader {
    let role = person.role_name.as_deref().map(|role| printable(role, 60)).filter(|role| !role.is_empty());
    let role = role.unwrap_or_else(|| "read".to_owned());
    let detail = match kind {
        GrantKind::Collaborator => format!("collaborator ({role})"),
        _ => format!("GitHub lets them in ({role})"),
    };
    RemoteReader { account: account(person), repository: repository.id.clone(), kind, detail, until: None }
}

/// Whether an account (login and id) may read a repository, asked directly.
///
/// # Errors
/// [`HubError`] where GitHub does not say.
pub(super) async fn may_read(api: &Api<'_>, path: &str, (login, id): (&str, &str)) -> Result<bool, HubError> {
    let id: Option<u64> = id.parse().ok();
    let login = people::current_login(api, login, id).await?;
    let url = format!("/repos/{}/collaborators/{}/permission", parts(path), part(&login));
    let right: Right = api.read(&url, &format!("ask what {login} may do with {path}")).await?;
    // Somebody else may have the login by now: of the one who was asked about it says nothing.
    if id.is_some() && right.user.map(|user| user.id) != id {
        return Err(HubError::NotFound(format!("{} does not know the account {login} any more.", api.name())));
    }
    Ok(right.permission != "none")
}

/// Of whom it is known already why they read what.
struct Known<'a> {
    everything: HashSet<&'a str>,
    by_team: HashMap<&'a str, HashSet<&'a str>>,
}

impl<'a> Known<'a> {
    fn of(sight: &Sight<'a>) -> Self {
        let members = sight.people.members.iter().filter(|one| one.reads.is_some());
        let mut by_team: HashMap<&str, HashSet<&str>> = HashMap::new();
        for team in sight.teams {
            for repository in &team.repositories {
                by_team.entry(repository).or_default().extend(team.members.keys().map(String::as_str));
            }
        }
        Self { everything: members.map(|one| one.account.id.as_str()).collect(), by_team }
    }

    fn explains(&self, account: u64, repository: &str) -> bool {
        let id = account.to_string();
        let by_team = || self.by_team.get(repository).is_some_and(|members| members.contains(id.as_str()));
        self.everything.contains(id.as_str()) || by_team()
    }
}

/// Members read what everybody may see.
fn by_visibility<'a>(
    sight: &'a Sight<'_>,
    repository: &'a RemoteRepository,
) -> impl Iterator<Item = RemoteReader> + 'a {
    let shown = match repository.visibility {
        Visibility::Private => None,
        Visibility::Internal => Some("internal repository"),
        Visibility::Public => Some("public repository"),
    };
    let members = sight.people.members.iter().filter(|one| one.reads.is_none());
    members.filter_map(move |member| {
        Some(RemoteReader {
            account: member.account.clone(),
            repository: repository.id.clone(),
            kind: GrantKind::Base,
            detail: shown?.to_owned(),
            until: None,
        })
    })
}
