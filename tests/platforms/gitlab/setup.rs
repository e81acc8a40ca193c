//! What tests make before anybody looks: groups, projects, tokens. None of it tells anybody by a webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use packagist_selfhosted::secrets::random;

use super::answers::today;
use super::directory::{Group, Membership, Project, Role, Share, Visibility};
use super::tokens::{AccessToken, Covered, DeployToken};
use super::{GitLab, Site, User, oracle};
use crate::platforms::frame::now;

impl Site {
    /// A private group.
    pub(super) fn new_group(&mut self, path: &str, parent: Option<u64>) -> u64 {
        self.next_group += 1;
        let id = self.next_group;
        let (members, shares) = (BTreeMap::new(), BTreeMap::new());
        let path = path.to_owned();
        let group = Group { id, path, parent, visibility: Visibility::Private, members, shares, marked: None };
        self.directory.groups.insert(id, group);
        id
    }

    /// A private project, with a `composer.json` and no Git repository behind it.
    pub(super) fn new_project(&mut self, group: u64, path: &str) -> u64 {
        self.next_project += 1;
        let id = self.next_project;
        let project = Project {
            id,
            path: path.to_owned(),
            group,
            visibility: Visibility::Private,
            default_branch: "main".to_owned(),
            archived: false,
            empty: false,
            repository: "enabled",
            import: "none",
            marked: None,
            created_at: now() - 9 * 86_400,
            active_at: now() - 2 * 86_400,
            members: BTreeMap::new(),
            shares: BTreeMap::new(),
            manifest: true,
            git: None,
        };
        self.directory.projects.insert(id, project);
        id
    }

    /// A group by its number.
    pub fn group_mut(&mut self, id: u64) -> &mut Group {
        self.directory.groups.get_mut(&id).expect("a group")
    }

    /// A project by its number.
    pub fn project_mut(&mut self, id: u64) -> &mut Project {
        self.directory.projects.get_mut(&id).expect("a project")
    }

    fn new_bot(&mut self, username: &str) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let bot = User { bot: true, name: username.to_owned(), ..User::new(id, username) };
        self.users.insert(id, bot);
        id
    }

    fn new_token(&mut self, user: u64, scopes: &str) -> String {
        self.next_token += 1;
        let text = format!("glpat-{}", random::hex::<10>());
        let own = AccessToken {
            id: self.next_token,
            user,
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            created_at: self.clock() - 65 * 86_400,
            expires_at: Some(today(self.clock() + 300 * 86_400)),
            revoked: false,
            replaced: None,
        };
        self.tokens.insert(text.clone(), own);
        text
    }
}

impl GitLab {
    /// A new private group, silently; its number.
    pub fn group(&self, path: &str, parent: Option<u64>) -> u64 {
        self.stage.world().new_group(path, parent)
    }

    /// A new private project with a `composer.json`, silently; its number.
    pub fn project(&self, group: u64, path: &str) -> u64 {
        self.stage.world().new_project(group, path)
    }

    /// Puts somebody into a group, silently.
    pub fn enrol(&self, group: u64, user: u64, as_what: impl Into<Membership>) {
        self.stage.world().group_mut(group).members.insert(user, as_what.into());
    }

    /// Adds somebody to a project, silently.
    pub fn admit(&self, project: u64, user: u64, as_what: impl Into<Membership>) {
        self.stage.world().project_mut(project).members.insert(user, as_what.into());
    }

    /// Invites a group into another one. GitLab has no event for it.
    pub fn share_group(&self, group: u64, invited: u64, cap: impl Into<Share>) {
        self.stage.world().group_mut(group).shares.insert(invited, cap.into());
    }

    /// Takes that back. GitLab has no event for it.
    pub fn unshare_group(&self, group: u64, invited: u64) {
        self.stage.world().group_mut(group).shares.remove(&invited).expect("an invited group");
    }

    /// Invites a group into a project. GitLab has no event for it.
    pub fn share_project(&self, project: u64, invited: u64, cap: impl Into<Share>) {
        self.stage.world().project_mut(project).shares.insert(invited, cap.into());
    }

    /// Takes that back. GitLab has no event for it.
    pub fn unshare_project(&self, project: u64, invited: u64) {
        self.stage.world().project_mut(project).shares.remove(&invited).expect("an invited group");
    }

    /// A role that somebody made; its number.
    pub fn role(&self, name: &str, base: u32, read_code: bool) -> u64 {
        let mut site = self.stage.world();
        let id = 70 + site.directory.roles.len() as u64;
        site.directory.roles.insert(id, Role { id, name: name.to_owned(), base, read_code });
        id
    }

    /// Changes a group, silently.
    pub fn alter_group(&self, group: u64, change: impl FnOnce(&mut Group)) {
        change(self.stage.world().group_mut(group));
    }

    /// Changes a project, silently.
    pub fn alter(&self, project: u64, change: impl FnOnce(&mut Project)) {
        change(self.stage.world().project_mut(project));
    }

    /// Serves this bare repository as a project's code, which is looked into for its `composer.json` from now on.
    pub fn serve(&self, project: u64, folder: &Path) {
        self.alter(project, |one| (one.git, one.empty) = (Some(folder.to_owned()), false));
    }

    /// A token of somebody; `scopes` are separated by spaces.
    pub fn token(&self, user: u64, scopes: &str) -> String {
        self.stage.world().new_token(user, scopes)
    }

    /// A token of a group, with the bot that is made for it and is in the group with this level.
    pub fn group_token(&self, group: u64, level: u32, scopes: &str) -> String {
        let mut site = self.stage.world();
        let bot = site.new_bot(&format!("group_{group}_bot_{}", random::hex::<8>()));
        site.group_mut(group).members.insert(bot, level.into());
        site.new_token(bot, scopes)
    }

    /// A token of a project, with the bot that is made for it.
    pub fn project_token(&self, project: u64, level: u32, scopes: &str) -> String {
        let mut site = self.stage.world();
        let bot = site.new_bot(&format!("project_{project}_bot_{}", random::hex::<8>()));
        site.project_mut(project).members.insert(bot, level.into());
        site.new_token(bot, scopes)
    }

    /// A token of a new service account of a group, which never ends.
    pub fn service_token(&self, group: u64, level: u32, scopes: &str) -> String {
        let mut site = self.stage.world();
        let account = site.new_bot(&format!("service_account_group_{group}_{}", random::hex::<8>()));
        site.group_mut(group).members.insert(account, level.into());
        let text = site.new_token(account, scopes);
        site.tokens.get_mut(&text).expect("a token").expires_at = None;
        text
    }

    /// A deploy token: user name and token.
    pub fn deploy_token(&self, place: Covered, scopes: &str) -> (String, String) {
        let mut site = self.stage.world();
        let username = format!("gitlab+deploy-token-{}", site.deploy_tokens.len() + 1);
        let text = format!("gldt-{}", random::hex::<10>());
        let scopes = scopes.split_whitespace().map(str::to_owned).collect();
        let own = DeployToken { username: username.clone(), scopes, place, expires_at: None };
        site.deploy_tokens.insert(text.clone(), own);
        (username, text)
    }

    /// Changes a token: takes scopes, or lets it end.
    pub fn change_token(&self, token: &str, change: impl FnOnce(&mut AccessToken)) {
        change(self.stage.world().tokens.get_mut(token).expect("a token"));
    }

    /// Gives the bot or person of a token another level in a group; none takes them out.
    pub fn change_holder(&self, token: &str, group: u64, level: Option<u32>) {
        let mut site = self.stage.world();
        let user = site.tokens[token].user;
        match level {
            Some(level) => drop(site.group_mut(group).members.insert(user, level.into())),
            None => drop(site.group_mut(group).members.remove(&user)),
        }
    }

    /// Whether GitLab would let a user read a project's code because of a right in it.
    pub fn may_read(&self, user: u64, project: u64) -> bool {
        oracle::may_read(&self.stage.world(), user, project)
    }

    /// The projects whose code a user may read because of a right in them.
    pub fn readable(&self, user: u64) -> BTreeSet<u64> {
        let site = self.stage.world();
        site.directory.projects.keys().copied().filter(|id| oracle::may_read(&site, user, *id)).collect()
    }
}
