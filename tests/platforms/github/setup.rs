//! What tests make before anybody looks: organizations, teams, repositories, tokens. None of it tells anybody by a webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use packagist_selfhosted::secrets::random;

use super::directory::{Grant, Level, Organization, OrganizationRole, Rank, Repository, Team, Visibility};
use super::tokens::PersonalToken;
use super::{GitHub, Site, oracle};
use crate::platforms::frame::now;

impl Site {
    /// A number that nothing else has.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 7;
        self.next_id
    }

    /// A repository of an owner, with a `composer.json` and no Git repository behind it.
    pub(super) fn new_repository(&mut self, owner: u64, name: &str) -> u64 {
        let id = self.new_id();
        let repository = Repository {
            id,
            name: name.to_owned(),
            owner,
            default_branch: "main".to_owned(),
            archived: false,
            disabled: false,
            visibility: Visibility::Private,
            fork: false,
            created_at: now() - 86_400,
            pushed_at: now() - 3_600,
            size: 12,
            manifest: true,
            collaborators: BTreeMap::new(),
            clone_url: None,
            git: None,
        };
        self.directory.repositories.insert(id, repository);
        id
    }

    /// A team.
    pub(super) fn new_team(&mut self, org: u64, slug: &str, parent: Option<u64>) -> u64 {
        let id = self.new_id();
        let (members, repositories) = (BTreeMap::new(), BTreeMap::new());
        let team = Team { id, org, slug: slug.to_owned(), parent, secret: false, members, repositories };
        self.directory.teams.insert(id, team);
        id
    }

    /// An organization by its number.
    pub fn org_mut(&mut self, id: u64) -> &mut Organization {
        self.directory.orgs.get_mut(&id).expect("an organization")
    }

    /// A team by its number.
    pub fn team_mut(&mut self, id: u64) -> &mut Team {
        self.directory.teams.get_mut(&id).expect("a team")
    }

    /// A repository by its number.
    pub fn repository_mut(&mut self, id: u64) -> &mut Repository {
        self.directory.repositories.get_mut(&id).expect("a repository")
    }
}

impl GitHub {
    /// A new organization that lets its members do nothing but what they are given; its number.
    pub fn organization(&self, login: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_id();
        let org = Organization {
            id,
            login: login.to_owned(),
            base: Level::None,
            members: BTreeMap::new(),
            invited: BTreeMap::new(),
            roles: Vec::new(),
            custom_roles: Vec::new(),
        };
        site.directory.orgs.insert(id, org);
        id
    }

    /// Lets every member of an organization do that with every repository. GitHub has no event for it.
    pub fn base(&self, org: u64, level: Level) {
        self.stage.world().org_mut(org).base = level;
    }

    /// Puts somebody into an organization, silently.
    pub fn enrol(&self, org: u64, user: u64, rank: Rank) {
        self.stage.world().org_mut(org).members.insert(user, rank);
    }

    /// Invites somebody, silently.
    pub fn invite(&self, org: u64, user: u64) {
        self.stage.world().org_mut(org).invited.insert(user, Rank::Member);
    }

    /// A new team, silently; its number.
    pub fn team(&self, org: u64, slug: &str, parent: Option<u64>) -> u64 {
        self.stage.world().new_team(org, slug, parent)
    }

    /// Puts somebody into a team, silently.
    pub fn join(&self, team: u64, user: u64) {
        self.stage.world().team_mut(team).members.insert(user, false);
    }

    /// Gives a team a repository, silently.
    pub fn give(&self, team: u64, repository: u64, grant: impl Into<Grant>) {
        self.stage.world().team_mut(team).repositories.insert(repository, grant.into());
    }

    /// Adds somebody to a repository, silently.
    pub fn admit(&self, repository: u64, user: u64, grant: impl Into<Grant>) {
        self.stage.world().repository_mut(repository).collaborators.insert(user, grant.into());
    }

    /// A new private repository with a `composer.json`, silently; its number.
    pub fn repository(&self, owner: u64, name: &str) -> u64 {
        self.stage.world().new_repository(owner, name)
    }

    /// Changes a repository, silently.
    pub fn alter(&self, repository: u64, change: impl FnOnce(&mut Repository)) {
        change(self.stage.world().repository_mut(repository));
    }

    /// Serves this bare repository as a repository's code, which is looked into for its `composer.json` from now on.
    pub fn serve(&self, repository: u64, folder: &Path) {
        self.alter(repository, |one| one.git = Some(folder.to_owned()));
    }

    /// A role in an organization; its number. GitHub has no event for it.
    pub fn role(&self, org: u64, name: &str, base: Option<Level>) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_id();
        let (users, teams) = (BTreeSet::new(), BTreeSet::new());
        site.org_mut(org).roles.push(OrganizationRole { id, name: name.to_owned(), base, users, teams });
        id
    }

    /// A classic token of somebody; `scopes` are separated by spaces.
    pub fn token(&self, user: u64, scopes: &str) -> String {
        let token = format!("ghp_{}", random::hex::<18>());
        let own = PersonalToken {
            user,
            scopes: Some(scopes.split_whitespace().map(str::to_owned).collect()),
            permissions: BTreeMap::new(),
            resource_owner: None,
            expires_at: None,
        };
        self.stage.world().tokens.insert(token.clone(), own);
        token
    }

    /// A fine-grained token of somebody for what an organization has, with these permissions.
    pub fn fine_grained_token(&self, user: u64, owner: u64, permissions: &[(&str, &str)]) -> String {
        let token = format!("github_pat_{}", random::hex::<41>());
        let permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned()));
        let own = PersonalToken {
            user,
            scopes: None,
            permissions: permissions.collect(),
            resource_owner: Some(owner),
            expires_at: Some(now() + 90 * 86_400),
        };
        self.stage.world().tokens.insert(token.clone(), own);
        token
    }

    /// Changes a token: takes scopes, or lets it end.
    pub fn change_token(&self, token: &str, change: impl FnOnce(&mut PersonalToken)) {
        change(self.stage.world().tokens.get_mut(token).expect("a token"));
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str) {
        self.stage.world().tokens.remove(token).expect("a token");
    }

    /// Whether GitHub would let a user read a repository because of a right in it.
    pub fn may_read(&self, user: u64, repository: u64) -> bool {
        oracle::may_read(&self.stage.world(), user, repository)
    }

    /// The repositories that a user may read because of a right in them.
    pub fn readable(&self, user: u64) -> BTreeSet<u64> {
        let site = self.stage.world();
        site.directory.repositories.keys().copied().filter(|id| oracle::may_read(&site, user, *id)).collect()
    }
}
