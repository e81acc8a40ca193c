//! The API about groups: what is above and below, what is in them, and who.

use serde_json::{Value, json};

use super::Site;
use super::answers::{Takes, list, moment, not_found, nowhere, parameters};
use super::directory::{Group, Project, Visibility};
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};

/// What lists of groups take.
const GROUPS: [(&str, Takes); 13] = [
    ("skip_groups[]", Takes::Number),
    ("all_available", Takes::Flag),
    ("search", Takes::Text),
    ("order_by", Takes::One(&["name", "path", "id", "similarity"])),
    ("sort", Takes::One(&["asc", "desc"])),
    ("statistics", Takes::Flag),
    ("visibility", Takes::One(&["private", "internal", "public"])),
    ("with_custom_attributes", Takes::Flag),
    ("owned", Takes::Flag),
    ("min_access_level", Takes::Number),
    ("top_level_only", Takes::Flag),
    ("archived", Takes::Flag),
    ("active", Takes::Flag),
];
/// What the list of a group's projects takes.
const PROJECTS: [(&str, Takes); 18] = [
    ("archived", Takes::Flag),
    ("active", Takes::Flag),
    ("visibility", Takes::One(&["private", "internal", "public"])),
    ("search", Takes::Text),
    (
        "order_by",
        Takes::One(&["id", "name", "path", "created_at", "updated_at", "last_activity_at", "similarity", "star_count"]),
    ),
    ("sort", Takes::One(&["asc", "desc"])),
    ("simple", Takes::Flag),
    ("owned", Takes::Flag),
    ("starred", Takes::Flag),
    ("topic", Takes::Text),
    ("with_issues_enabled", Takes::Flag),
    ("with_merge_requests_enabled", Takes::Flag),
    ("with_shared", Takes::Flag),
    ("include_subgroups", Takes::Flag),
    ("include_ancestor_groups", Takes::Flag),
    ("min_access_level", Takes::Number),
    ("with_custom_attributes", Takes::Flag),
    ("with_security_reports", Takes::Flag),
];

impl Site {
    /// What stands below `/groups`.
    pub(super) fn of_groups(&mut self, asked: &Asked, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        caller.reads()?;
        let [id, rest @ ..] = rest else { return self.groups_listed(asked, &caller, None) };
        let group = self.group_asked(&caller, id)?.clone();
        match rest {
            [] => {
                let known = [("with_projects", Takes::Flag), ("with_custom_attributes", Takes::Flag)];
                let given = parameters(asked, &known)?;
                Ok(Reply::json(200, &self.whole_group(&caller, &group, given.get("with_projects") != Some(&"false"))))
            }
            ["subgroups" | "descendant_groups"] => self.groups_listed(asked, &caller, Some((group.id, rest[0]))),
            ["projects"] => self.projects_of(asked, &caller, &group),
            ["members", rest @ ..] => {
                self.of_members(asked, &group.members, &self.members_of_group(&caller, group.id), rest)
            }
            _ => Err(nowhere()),
        }
    }

    /// A group by its number or path, for whoever sees it.
    pub(super) fn group_asked(&self, caller: &Caller, id: &str) -> Result<&Group, Reply> {
        let found = match id.parse::<u64>() {
            Ok(id) => self.directory.groups.get(&id),
            Err(_) => self.directory.group_at(id),
        };
        found.filter(|group| self.shows_group(caller, group)).ok_or_else(|| not_found("Group "))
    }

    fn groups_listed(&self, asked: &Asked, caller: &Caller, below: Option<(u64, &str)>) -> Result<Reply, Reply> {
        let (given, page) = list(asked, &GROUPS, false)?;
        let is = |name: &str| given.get(name) == Some(&"true");
        let least: Option<u32> = given.get("min_access_level").and_then(|text| text.parse().ok());
        let least = if is("owned") { Some(50) } else { least };
        let takes_all = given.get("all_available").map_or(caller.user.admin, |value| *value == "true");
        let inside = below.map(|(id, _)| self.directory.subtree(id));
        let wanted = |group: &&Group| {
            let level = self.directory.group_level(caller.user.id, group.id, &caller.today);
            let is_below = match below {
                None => true,
                Some((id, "subgroups")) => group.parent == Some(id),
                Some((id, _)) => group.id != id && inside.as_ref().is_some_and(|all| all.contains(&group.id)),
            };
            let is_open = takes_all && group.visibility == Visibility::Public;
            is_below
                && self.shows_group(caller, group)
                && (level > 0 || caller.user.admin && takes_all || is_open || below.is_some())
                && least.is_none_or(|least| level >= least)
                && !(is("top_level_only") && group.parent.is_some())
                && given.get("search").is_none_or(|text| group.path.contains(text))
        };
        let mut found: Vec<&Group> = self.directory.groups.values().filter(wanted).collect();
        if given.get("order_by") != Some(&"id") {
            found.sort_by_key(|group| group.path.clone());
        }
        if given.get("sort") == Some(&"desc") {
            found.reverse();
        }
        Ok(self.page(asked, page, &found, |group| self.group_shown(group)))
    }

    fn group_shown(&self, group: &Group) -> Value {
        let path = self.directory.group_path(group.id);
        json!({
            "id": group.id, "web_url": format!("{}/groups/{path}", self.external_url), "name": group.path,
            "path": group.path, "description": "", "visibility": group.visibility.word(),
            "share_with_group_lock": false, "require_two_factor_authentication": false,
            "project_creation_level": "developer", "auto_devops_enabled": null, "subgroup_creation_level": "maintainer",
            "emails_disabled": false, "emails_enabled": true, "mentions_disabled": null, "lfs_enabled": true,
            "archived": false, "default_branch": null, "default_branch_protection": 2, "avatar_url": null,
            "request_access_enabled": true, "full_name": path.replace('/', " / "), "full_path": path,
            "created_at": moment(1_700_000_000), "parent_id": group.parent, "organization_id": 1,
            "shared_runners_setting": "enabled", "marked_for_deletion_on": group.marked, "wiki_access_level": "enabled",
        })
    }

    fn whole_group(&self, caller: &Caller, group: &Group, with_projects: bool) -> Value {
        let mut shown = self.group_shown(group);
        shown["shared_with_groups"] = self.shares_shown(caller, &group.shares);
        shown["prevent_sharing_groups_outside_hierarchy"] = false.into();
        if with_projects {
            let all = self.directory.projects.values().filter(|project| self.shows_project(caller, project));
            let (own, others): (Vec<_>, Vec<_>) = all.partition(|project| project.group == group.id);
            let is_shared = |project: &&&Project| project.shares.contains_key(&group.id);
            shown["projects"] = own.iter().take(100).map(|project| self.project_shown(caller, project)).collect();
            shown["shared_projects"] =
                others.iter().filter(is_shared).take(100).map(|project| self.project_shown(caller, project)).collect();
        }
        shown
    }

    fn projects_of(&self, asked: &Asked, caller: &Caller, group: &Group) -> Result<Reply, Reply> {
        let (given, page) = list(asked, &PROJECTS, false)?;
        let flag = |name: &str, other: bool| given.get(name).map_or(other, |value| *value == "true");
        let groups =
            if flag("include_subgroups", false) { self.directory.subtree(group.id) } else { [group.id].into() };
        let least: Option<u32> = given.get("min_access_level").and_then(|text| text.parse().ok());
        let wanted = |project: &&Project| {
            let is_shared = flag("with_shared", true) && project.shares.keys().any(|id| groups.contains(id));
            (groups.contains(&project.group) || is_shared)
                && self.shows_project(caller, project)
                && given.get("archived").is_none_or(|value| (*value == "true") == project.archived)
                && given
                    .get("active")
                    .is_none_or(|value| (*value == "true") == (project.marked.is_none() && !project.archived))
                && given.get("visibility").is_none_or(|word| *word == project.visibility.word())
                && given.get("search").is_none_or(|text| project.path.contains(text))
                && least
                    .is_none_or(|least| self.directory.project_level(caller.user.id, project, &caller.today) >= least)
        };
        let mut found: Vec<&Project> = self.directory.projects.values().filter(wanted).collect();
        match given.get("order_by").copied().unwrap_or("created_at") {
            "id" => {}
            "name" | "path" => found.sort_by_key(|project| project.path.clone()),
            "last_activity_at" | "updated_at" => found.sort_by_key(|project| (project.active_at, project.id)),
            _ => found.sort_by_key(|project| (project.created_at, project.id)),
        }
        if given.get("sort").copied().unwrap_or("desc") == "desc" {
            found.reverse();
        }
        let is_simple = flag("simple", false);
        Ok(self.page(asked, page, &found, |project| match is_simple {
            true => self.project_in_short(caller, project),
            false => self.project_shown(caller, project),
        }))
    }
}
