//! The API about teams.

use serde_json::Value;

use super::Site;
use super::answers::{list, not_found, parameters};
use super::directory::{Grant, Level, Organization, Rank, Repository, Team};
use super::shapes;
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};

impl Site {
    /// What stands below `/orgs/{org}/teams`.
    pub(super) fn of_teams(
        &self,
        asked: &Asked,
        caller: &Caller,
        org: &Organization,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        self.insider(caller, org)?;
        match rest {
            [] => self.teams_listed(asked, caller, org),
            [slug, rest @ ..] => {
                let found = self.directory.team(org.id, slug).filter(|team| self.sees_team(caller, org, team));
                self.of_team(asked, caller, found.ok_or_else(not_found)?, rest)
            }
        }
    }

    /// What stands below a team's address.
    pub(super) fn of_team(&self, asked: &Asked, caller: &Caller, team: &Team, rest: &[&str]) -> Result<Reply, Reply> {
        match rest {
            [] => {
                parameters(asked, &[])?;
                Ok(Reply::json(200, &self.team_shown(&self.places(asked), team)))
            }
            ["members"] => self.team_members(asked, team),
            ["repos"] => self.team_repositories(asked, caller, team),
            ["teams"] => {
                let (_, page) = list(asked, &[])?;
                let at = self.places(asked);
                let below = self.directory.teams.values().filter(|below| below.parent == Some(team.id));
                let below: Vec<&Team> = below.collect();
                Ok(self.page(asked, page, &below, None, |team| self.team_shown(&at, team)))
            }
            _ => Err(not_found().blamed("there is no such address")),
        }
    }

    /// Secret teams are seen by owners and their own members, and by Apps.
    fn sees_team(&self, caller: &Caller, org: &Organization, team: &Team) -> bool {
        let is_own = caller.user().is_none_or(|user| self.directory.members(team.id).contains_key(&user));
        !team.secret || is_own || self.rank(caller, org) == Some(Rank::Owner)
    }

    fn teams_listed(&self, asked: &Asked, caller: &Caller, org: &Organization) -> Result<Reply, Reply> {
        let cloud: [(&str, &[&str]); 1] = [("team_type", &["all", "organization", "enterprise"])];
        let (_, page) = list(asked, if self.is_cloud() { &cloud } else { &[] })?;
        let at = self.places(asked);
        let teams = self.directory.teams_of(org.id).filter(|team| self.sees_team(caller, org, team));
        let teams: Vec<&Team> = teams.collect();
        Ok(self.page(asked, page, &teams, None, |team| self.team_shown(&at, team)))
    }

    fn team_members(&self, asked: &Asked, team: &Team) -> Result<Reply, Reply> {
        let (given, page) = list(asked, &[("role", &["all", "member", "maintainer"])])?;
        let at = self.places(asked);
        let wanted = |maintains: bool| match given.get("role") {
            Some(&"maintainer") => maintains,
            Some(&"member") => !maintains,
            _ => true,
        };
        let members = self.directory.members(team.id).into_iter().filter(|(_, maintains)| wanted(*maintains));
        let members: Vec<_> = members.filter_map(|(id, _)| self.users.get(&id)).collect();
        Ok(self.page(asked, page, &members, None, |person| shapes::user(&at, person).into()))
    }

    fn team_repositories(&self, asked: &Asked, caller: &Caller, team: &Team) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[])?;
        let at = self.places(asked);
        let all = self.directory.grants(team.id).into_iter();
        let all = all.filter_map(|(id, grant)| Some((self.directory.repositories.get(&id)?, grant)));
        let all: Vec<_> = all.filter(|(repository, _)| self.shows(caller, repository)).collect();
        Ok(self.page(asked, page, &all, None, |(one, grant)| self.repository_shown(&at, one, grant).into()))
    }

    /// `GET /repos/{owner}/{name}/teams`.
    pub(super) fn teams_with(&self, asked: &Asked, caller: &Caller, repository: &Repository) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[])?;
        let is_admin = match caller.user() {
            Some(_) => self.level(caller, repository) >= Level::Admin,
            None => true,
        };
        if !is_admin || !caller.has_permission("administration", "read") {
            return Err(not_found());
        }
        let at = self.places(asked);
        let teams = self.directory.teams_of(repository.owner);
        let teams = teams.filter_map(|team| Some((team, self.directory.grants(team.id).remove(&repository.id)?)));
        let teams: Vec<(&Team, Grant)> = teams.collect();
        let shown = |(team, grant): &(&Team, Grant)| {
            let mut shown = self.team_shown(&at, team);
            shown["permission"] = Value::from(grant.level.permission());
            shown["permissions"] = shapes::permissions(grant.level);
            shown
        };
        Ok(self.page(asked, page, &teams, None, shown))
    }
}
