//! What a platform's organization looks like, read completely, as values that know nothing of us or of the platform's
//! wire format. Ids are the platform's own, as text: names and paths change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;

/// An organization (GitHub), group (GitLab), workspace or project (Bitbucket), as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct RemoteOrganization {
    /// The platform's id.
    pub id: String,
    /// What addresses call it.
    pub name: String,
    /// All repositories that the credential sees.
    pub repositories: Vec<RemoteRepository>,
    /// All teams.
    pub teams: Vec<RemoteTeam>,
    /// All members. Whoever was only invited is none.
    pub members: Vec<RemoteMember>,
    /// Who else may read single repositories, and who by other ways than teams and membership.
    pub readers: Vec<RemoteReader>,
    /// What somebody should know, as sentences.
    pub notices: Vec<String>,
    /// Kinds of which the platform may not have told everything: nothing of them is removed.
    pub incomplete: BTreeSet<Kind>,
    /// Repositories that it has and that are not in a chosen project, by id: the key of theirs.
    pub outside: BTreeMap<String, String>,
    /// Repositories of which the credential is not told who was added to them, by id: nobody loses one of them by that.
    pub untold: BTreeSet<String>,
    /// What it cost.
    pub usage: Usage,
    /// When the credential ends by which it was read, where the platform tells.
    pub credential_ends: Option<Timestamp>,
}

/// A project whose repositories are wanted, where an organization has projects and not all of them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenProject {
    /// What people call it.
    pub key: String,
    /// The platform's id, which stays.
    pub id: String,
}

/// What plans and guards tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Repositories, which are packages or not.
    Package,
    /// Teams with what they have.
    Team,
    /// People: members, their roles, and who is in which team.
    Member,
    /// Single permissions.
    Permission,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRepository {
    /// The platform's id.
    pub id: String,
    /// Owner and name, such as `acme/lib`.
    pub path: String,
    /// Where Git finds it over HTTPS.
    pub clone_url: String,
    /// Its page.
    pub web_url: Option<String>,
    /// The branch that counts.
    pub default_branch: Option<String>,
    /// When somebody last pushed, as the platform writes it; only ever compared.
    pub pushed_at: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// What can be done with it.
    pub state: RepositoryState,
    /// To whom the platform shows it.
    pub visibility: Visibility,
    /// Whether it is a copy of somebody else's.
    pub fork: bool,
    /// Whether the default branch has a composer.json; None: that could not be found out.
    pub manifest: Option<bool>,
}

/// What can be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryState {
    /// All.
    Active,
    /// It is only read any more.
    Archived,
    /// The platform blocks it.
    Disabled,
    /// Nothing was pushed yet.
    Empty,
    /// It is about to be deleted, and can still be restored.
    Deleting,
    /// Its repository is switched off.
    Off,
    /// Its code is still being brought there.
    Importing,
    /// Its code could not be brought there.
    ImportFailed,
}

/// To whom a platform shows a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// To whoever was given access.
    Private,
    /// To everybody who logs in there.
    Internal,
    /// To everybody.
    Public,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTeam {
    /// The platform's id.
    pub id: String,
    /// Its name in addresses: made of letters, digits, `-`, `_` and `.`.
    pub slug: String,
    /// The team above it.
    pub parent: Option<String>,
    /// Whether its people read what the teams above it have, and count as people of those. Where they do not, whoever is in
    /// a team is in those below it too.
    pub inherits: bool,
    /// Who is in it, by whatever of both: by the ids of their accounts, with the end where there is one.
    pub members: BTreeMap<String, Option<Timestamp>>,
    /// The repositories that it may read, by id.
    pub repositories: BTreeSet<String>,
}

/// An account of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAccount {
    /// The platform's id: [`super::Identity::subject`] of the same person.
    pub id: String,
    /// What they log in as.
    pub login: String,
    /// Their name as they write it, where lists tell it.
    pub display_name: Option<String>,
    /// Whether the platform locked it.
    pub suspended: bool,
}

/// A member of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMember {
    /// Who.
    pub account: RemoteAccount,
    /// Owner or member. Whether owners there are owners here is not for the platform's room to say.
    pub role: Role,
    /// By what they read all repositories, if so: [`GrantKind::Base`] by the organization's base permission,
    /// [`GrantKind::Sync`] by a role there.
    pub reads: Option<GrantKind>,
    /// The words for it, such as `owner of acme` or `base permission of acme`.
    pub detail: String,
    /// When the membership ends.
    pub until: Option<Timestamp>,
}

/// That somebody may read one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReader {
    /// Who.
    pub account: RemoteAccount,
    /// The repository's id.
    pub repository: String,
    /// [`GrantKind::Collaborator`] for people who were added to the repository itself, [`GrantKind::Sync`] for any other way
    /// that the platform does not tell.
    pub kind: GrantKind,
    /// The words for it, such as `collaborator (write)`.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// What reading cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that were sent.
    pub requests: u32,
    /// Those of them that were answered with "not modified".
    pub unmodified: u32,
    /// How many requests the platform grants until `resets_at`.
    pub remaining: Option<u32>,
    /// When it grants all of them again.
    pub resets_at: Option<Timestamp>,
}

/// What the reader may leave out or take from what was read before.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The organization, as people call it.
    pub name: String,
    /// The platform's id of it, where it was read before: it is found by that when it was renamed, and whoever has its old
    /// name is not taken for it.
    pub id: Option<String>,
    /// What to ask the platform about again.
    pub scope: Scope,
    /// Repositories that are packages or will be: only of these it matters who reads them. Repositories that turn out to
    /// have a composer.json are of them too.
    pub packages: BTreeSet<String>,
    /// What was known of composer.json: by repository, when somebody had last pushed, the default branch, and whether there
    /// was one.
    pub manifests: HashMap<String, (Option<String>, Option<String>, bool)>,
    /// Whether what everybody may read counts for members.
    pub follow_visibility: bool,
    /// Whether planners of GitLab read code.
    pub planners: bool,
    /// The projects whose repositories are wanted; none: all of the organization's.
    pub projects: Vec<ChosenProject>,
    /// Whether each push was told since everything was read last, so that nothing has to be asked about code.
    pub told_of_pushes: bool,
    /// Whether nobody waits for it, so that a part of what the platform grants is left to those who do.
    pub spare: bool,
}

/// What to ask the platform about again; the rest may come from [`Pages`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All.
    #[default]
    Everything,
    /// Only what events spoke of.
    Touched(Vec<Touch>),
}

/// What an event says that changed, or may have. It names what to read again and is never believed itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// Anything.
    Everything,
    /// Which repositories there are.
    Repositories,
    /// This repository, its names, its state, and who reads it.
    Repository(String),
    /// As before, and it is said to be gone.
    RepositoryGone(String),
    /// As before, because it belongs to somebody else now: where it is said to be.
    RepositoryMoved(String, String),
    /// The members and their roles.
    Members,
    /// As before, and this account is said to be no member any more.
    MemberGone(String),
    /// Who reads this repository.
    Readers(String),
    /// As before, and this account is said to read it no more (repository, account).
    ReaderGone(String, String),
    /// Which teams there are.
    Teams,
    /// This team, its people and its repositories.
    Team(String),
    /// As before, and it is said to be gone.
    TeamGone(String),
    /// As [`Self::Team`], and this account is said to be in it no more (team, account).
    TeamMemberGone(String, String),
    /// As [`Self::Team`], and this repository is said to be none of it any more (team, repository).
    TeamRepositoryGone(String, String),
    /// The hooks that we installed.
    Hooks,
}

/// Answers of the platform that may be good still, by what was asked for.
#[derive(Clone, Debug, Default)]
pub struct Pages(HashMap<String, Page>);

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How the platform calls this state of it.
    pub etag: Option<String>,
    /// Where the list goes on.
    pub next: Option<String>,
    /// What it said.
    pub body: Vec<u8>,
    /// Whether it was read, or found unmodified, since this value was made.
    pub fresh: bool,
    /// Whether its text is another one than when this value was made.
    pub changed: bool,
}

impl Pages {
    /// Answers that were kept, as (address, ETag, next, body).
    #[must_use]
    pub fn of(kept: impl IntoIterator<Item = (String, Option<String>, Option<String>, Vec<u8>)>) -> Self {
        let page = |(url, etag, next, body)| (url, Page { etag, next, body, fresh: false, changed: false });
        Self(kept.into_iter().map(page).collect())
    }

    /// The answer for this address.
    #[must_use]
    pub fn get(&self, url: &str) -> Option<&Page> {
        self.0.get(url)
    }

    /// Keeps an answer.
    pub fn put(&mut self, url: String, etag: Option<String>, next: Option<String>, body: Vec<u8>) {
        self.0.insert(url, Page { etag, next, body, fresh: true, changed: true });
    }

    /// Does not keep an answer any more.
    pub fn remove(&mut self, url: &str) {
        self.0.remove(url);
    }

    /// The answer for this address is what it was.
    pub fn confirm(&mut self, url: &str) {
        if let Some(page) = self.0.get_mut(url) {
            page.fresh = true;
        }
    }

    /// All answers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Page)> {
        self.0.iter().map(|(url, page)| (url.as_str(), page))
    }
}

/// What became of a repository that lists do not show any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    There,
    /// It belongs to somebody else now: its new path.
    Moved(String),
    /// The platform says that there is no such repository, or none that we may see.
    Gone,
}
