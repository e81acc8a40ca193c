//! What people do at GitHub, and what is told of it. Of some acts nothing is told, as it is in life: a change of a team's
//! parent, of the organization's base permission, of a member's role, and of an account that is locked.

use serde_json::{Value, json};

use super::directory::{Level, Rank, Team};
use super::events::Pushed;
use super::hooks::Place;
use super::post::Post;
use super::{GitHub, Site};
use crate::platforms::frame::now;

impl Site {
    fn organization_told(&mut self, org: u64, action: &str, user: u64, rank: Rank) {
        let role = if rank == Rank::Owner { "admin" } else { "member" };
        let login = self.directory.orgs[&org].login.clone();
        let membership = json!({
            "url": format!("/orgs/{login}/memberships/{user}"), "organization_url": format!("/orgs/{login}"),
            "state": "active", "role": role, "user": self.person_told(user),
        });
        self.tell(org, None, "organization", json!({"action": action, "membership": membership}));
    }

    fn membership_told(&mut self, team: &Team, action: &str, user: u64) {
        let more = json!({"action": action, "scope": "team", "member": self.person_told(user)});
        self.tell_of_team(team, "membership", None, more);
    }

    fn own(&self, team: u64) -> Team {
        self.directory.teams.get(&team).expect("a team").clone()
    }

    fn delete_team(&mut self, team: u64) {
        // Those below go too.
        let below: Vec<u64> =
            self.directory.teams.values().filter(|one| one.parent == Some(team)).map(|one| one.id).collect();
        below.into_iter().for_each(|team| self.delete_team(team));
        let gone = self.own(team);
        let shown = self.team_told(team);
        self.directory.teams.remove(&team);
        self.tell(gone.org, None, "team", json!({"action": "deleted", "team": shown}));
    }
}

impl GitHub {
    /// The post.
    pub fn post(&self) -> Post {
        self.stage.world().hooks.post.clone()
    }

    /// Tells of nothing any more, or of everything again.
    pub fn silence(&self, silent: bool) {
        self.stage.world().hooks.silent = silent;
    }

    /// Somebody accepts an invitation to an organization.
    pub fn member_added(&self, org: u64, user: u64, rank: Rank) {
        let mut site = self.stage.world();
        site.org_mut(org).invited.remove(&user);
        site.org_mut(org).members.insert(user, rank);
        site.organization_told(org, "member_added", user, rank);
    }

    /// Somebody leaves an organization, or has to: teams and repositories there are lost with it.
    pub fn member_removed(&self, org: u64, user: u64) {
        let mut site = self.stage.world();
        let rank = site.org_mut(org).members.remove(&user).expect("a member");
        site.directory.teams.values_mut().filter(|team| team.org == org).for_each(|team| {
            team.members.remove(&user);
        });
        site.directory.repositories.values_mut().filter(|one| one.owner == org).for_each(|one| {
            one.collaborators.remove(&user);
        });
        site.organization_told(org, "member_removed", user, rank);
    }

    /// Makes somebody owner or member. GitHub has no event for it.
    pub fn promoted(&self, org: u64, user: u64, rank: Rank) {
        self.stage.world().org_mut(org).members.insert(user, rank).expect("a member");
    }

    /// Somebody makes a team.
    pub fn team_created(&self, org: u64, slug: &str, parent: Option<u64>) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_team(org, slug, parent);
        let team = site.own(id);
        site.tell_of_team(&team, "team", None, json!({"action": "created"}));
        id
    }

    /// Puts a team below another one. GitHub has no event for it.
    pub fn team_moved(&self, team: u64, parent: Option<u64>) {
        self.stage.world().team_mut(team).parent = parent;
    }

    /// Somebody removes a team, and those below it.
    pub fn team_deleted(&self, team: u64) {
        self.stage.world().delete_team(team);
    }

    /// Somebody comes into a team.
    pub fn joined(&self, team: u64, user: u64) {
        let mut site = self.stage.world();
        let org = site.own(team).org;
        assert!(site.directory.orgs[&org].members.contains_key(&user), "only members can be in teams");
        site.team_mut(team).members.insert(user, false);
        let team = site.own(team);
        site.membership_told(&team, "added", user);
    }

    /// Somebody goes out of a team.
    pub fn left(&self, team: u64, user: u64) {
        let mut site = self.stage.world();
        site.team_mut(team).members.remove(&user).expect("somebody of the team");
        let team = site.own(team);
        site.membership_told(&team, "removed", user);
    }

    /// A team gets a repository.
    pub fn granted(&self, team: u64, repository: u64, level: Level) {
        let mut site = self.stage.world();
        site.team_mut(team).repositories.insert(repository, level.into());
        let team = site.own(team);
        site.tell_of_team(&team, "team", Some(repository), json!({"action": "added_to_repository"}));
        site.tell_of_team(&team, "team_add", Some(repository), json!({}));
    }

    /// A team loses a repository.
    pub fn revoked(&self, team: u64, repository: u64) {
        let mut site = self.stage.world();
        site.team_mut(team).repositories.remove(&repository).expect("a repository of the team");
        let team = site.own(team);
        site.tell_of_team(&team, "team", Some(repository), json!({"action": "removed_from_repository"}));
    }

    /// Somebody makes a repository; it is empty until somebody pushes.
    pub fn repository_created(&self, owner: u64, name: &str) -> u64 {
        let mut site = self.stage.world();
        let id = site.new_repository(owner, name);
        (site.repository_mut(id).created_at, site.repository_mut(id).size) = (now(), 0);
        site.tell_of(id, "repository", json!({"action": "created"}));
        site.tell_selection(owner, id, true);
        id
    }

    /// Somebody gives a repository another name; the old path leads to the new one.
    pub fn repository_renamed(&self, repository: u64, name: &str) {
        let mut site = self.stage.world();
        let before = site.moves(repository);
        name.clone_into(&mut site.repository_mut(repository).name);
        let changes = json!({"repository": {"name": {"from": before}}});
        site.tell_of(repository, "repository", json!({"action": "renamed", "changes": changes}));
    }

    /// A repository goes to another owner, and out of the teams of the old one. Only the new owner hears of it.
    pub fn repository_transferred(&self, repository: u64, owner: u64) {
        let mut site = self.stage.world();
        site.moves(repository);
        let from = std::mem::replace(&mut site.repository_mut(repository).owner, owner);
        site.directory.teams.values_mut().for_each(|team| {
            team.repositories.remove(&repository);
        });
        let changes = json!({"owner": {"from": {"organization": {"id": from}}}});
        site.tell_of(repository, "repository", json!({"action": "transferred", "changes": changes}));
        site.tell_selection(from, repository, false);
        site.tell_selection(owner, repository, true);
    }

    /// Somebody makes a repository read-only, or lets people write again.
    pub fn repository_archived(&self, repository: u64, archived: bool) {
        let mut site = self.stage.world();
        site.repository_mut(repository).archived = archived;
        let action = if archived { "archived" } else { "unarchived" };
        site.tell_of(repository, "repository", json!({"action": action}));
    }

    /// Somebody deletes a repository, of which its own hooks do not hear.
    pub fn repository_deleted(&self, repository: u64) {
        let mut site = self.stage.world();
        let gone = site.directory.repositories[&repository].clone();
        let shown = site.repository_told(&gone);
        site.tell_selection(gone.owner, repository, false);
        site.hooks.all.retain(|_, hook| hook.place != Place::Repository(repository));
        site.directory.repositories.remove(&repository);
        site.directory.moved.retain(|_, id| *id != repository);
        site.directory.teams.values_mut().for_each(|team| {
            team.repositories.remove(&repository);
        });
        site.tell(gone.owner, Some((repository, shown)), "repository", json!({"action": "deleted"}));
    }

    /// Somebody accepts an invitation to a repository.
    pub fn collaborator_added(&self, repository: u64, user: u64, level: Level) {
        let mut site = self.stage.world();
        site.repository_mut(repository).collaborators.insert(user, level.into());
        let changes = json!({"permission": {"to": level.role()}});
        let more = json!({"action": "added", "member": site.person_told(user), "changes": changes});
        site.tell_of(repository, "member", more);
    }

    /// Somebody is taken out of a repository.
    pub fn collaborator_removed(&self, repository: u64, user: u64) {
        let mut site = self.stage.world();
        site.repository_mut(repository).collaborators.remove(&user).expect("a collaborator");
        let more = json!({"action": "removed", "member": site.person_told(user)});
        site.tell_of(repository, "member", more);
    }

    /// Somebody pushes refs at once, which are in the Git repository already.
    pub fn pushed(&self, repository: u64, refs: &[Pushed]) {
        let mut site = self.stage.world();
        let own = site.repository_mut(repository);
        (own.pushed_at, own.size) = ((own.pushed_at + 1).max(now()), own.size.max(1));
        site.tell_of_push(repository, refs);
    }

    /// Somebody publishes a release.
    pub fn released(&self, repository: u64, tag: &str) {
        let mut site = self.stage.world();
        let release = json!({"id": 1, "tag_name": tag, "draft": false, "prerelease": false, "name": tag});
        site.tell_of(repository, "release", json!({"action": "published", "release": release}));
    }

    /// Somebody removes a webhook, whose last word it is.
    pub fn hook_deleted(&self, hook: u64) {
        self.stage.world().unhook(hook);
    }

    /// The hooks of an organization or repository.
    pub fn hooks(&self, place: Place) -> Vec<u64> {
        let site = self.stage.world();
        site.hooks.all.values().filter(|hook| hook.place == place).map(|hook| hook.id).collect()
    }

    /// What a hook would send if that happened, without sending it.
    pub fn parcels(&self, act: impl FnOnce(&Self)) -> Vec<super::post::Parcel> {
        let post = self.post();
        post.hold();
        act(self);
        post.let_go()
    }
}

impl Site {
    /// Notes that a path will lead elsewhere, and frees it; the name that it ended in.
    fn moves(&mut self, repository: u64) -> Value {
        let found = &self.directory.repositories[&repository];
        let (path, name) = (self.path_of(found).to_ascii_lowercase(), found.name.clone());
        self.directory.moved.insert(path, repository);
        name.into()
    }
}
