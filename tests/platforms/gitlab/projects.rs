//! The API about projects: where they are now, what can be done with them, and who was added.

use serde_json::{Value, json};

use super::Site;
use super::answers::{Takes, list, moment, not_found, nowhere, parameters};
use super::directory::Project;
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};

/// What the list of all projects takes.
const PROJECTS: [(&str, Takes); 14] = [
    ("archived", Takes::Flag),
    ("visibility", Takes::One(&["private", "internal", "public"])),
    ("search", Takes::Text),
    ("order_by", Takes::One(&["id", "name", "path", "created_at", "updated_at", "last_activity_at", "star_count"])),
    ("sort", Takes::One(&["asc", "desc"])),
    ("simple", Takes::Flag),
    ("owned", Takes::Flag),
    ("membership", Takes::Flag),
    ("starred", Takes::Flag),
    ("statistics", Takes::Flag),
    ("min_access_level", Takes::Number),
    ("with_issues_enabled", Takes::Flag),
    ("with_merge_requests_enabled", Takes::Flag),
    ("last_activity_after", Takes::Text),
];

impl Site {
    /// What stands below `/projects`.
    pub(super) fn of_projects(&mut self, asked: &Asked, rest: &[&str]) -> Result<Reply, Reply> {
        let caller = self.caller(asked)?;
        caller.reads()?;
        let [id, rest @ ..] = rest else { return self.projects_listed(asked, &caller) };
        let project = self.project_asked(asked, &caller, id)?;
        match rest {
            [] => {
                let known =
                    [("license", Takes::Flag), ("statistics", Takes::Flag), ("with_custom_attributes", Takes::Flag)];
                parameters(asked, &known)?;
                Ok(Reply::json(200, &self.whole_project(&caller, &project)))
            }
            ["members", rest @ ..] => {
                self.of_members(asked, &project.members, &self.members_of_project(&caller, &project), rest)
            }
            ["repository", rest @ ..] => self.of_repository(asked, &caller, &project, rest),
            _ => Err(nowhere()),
        }
    }

    /// A project by its number or path, for whoever sees it. Who asks for a path of before is sent on.
    pub(super) fn project_asked(&self, asked: &Asked, caller: &Caller, id: &str) -> Result<Project, Reply> {
        let shown = |found: Option<&Project>| found.filter(|project| self.shows_project(caller, project)).cloned();
        let found = match id.parse::<u64>() {
            Ok(id) => shown(self.directory.projects.get(&id)),
            Err(_) => shown(self.directory.project_at(id)),
        };
        let Some(project) = found else {
            let moved = shown(self.project_named(id)).ok_or_else(|| not_found("Project "))?;
            return Err(self.sent_on(asked, id, &moved));
        };
        Ok(project)
    }

    fn sent_on(&self, asked: &Asked, id: &str, project: &Project) -> Reply {
        let path = asked.path.strip_prefix(self.prefix).unwrap_or(&asked.path);
        let old = path.split('/').nth(4).unwrap_or(id);
        let path = path.replacen(old, &project.id.to_string(), 1);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked.query).finish();
        let to = if query.is_empty() { path } else { format!("{path}?{query}") };
        let to = format!("{}{to}", self.external_url);
        let status = if asked.method == "GET" { 301 } else { 308 };
        Reply { status, ..Reply::redirect(&to) }
    }

    fn projects_listed(&self, asked: &Asked, caller: &Caller) -> Result<Reply, Reply> {
        let (given, page) = list(asked, &PROJECTS, true)?;
        let is = |name: &str| given.get(name) == Some(&"true");
        let least: Option<u32> = given.get("min_access_level").and_then(|text| text.parse().ok());
        let wanted = |project: &&Project| {
            let level = self.directory.project_level(caller.user.id, project, &caller.today);
            self.shows_project(caller, project)
                && (level > 0 || !is("membership"))
                && least.is_none_or(|least| level >= least)
                && given.get("archived").is_none_or(|value| (*value == "true") == project.archived)
                && given.get("search").is_none_or(|text| project.path.contains(text))
        };
        let mut found: Vec<&Project> = self.directory.projects.values().filter(wanted).collect();
        if given.get("sort").copied().unwrap_or("desc") == "desc" {
            found.reverse();
        }
        Ok(self.page(asked, page, &found, |project| match is("simple") {
            true => self.project_in_short(caller, project),
            false => self.whole_project(caller, project),
        }))
    }

    /// What `simple` leaves.
    pub(super) fn project_in_short(&self, caller: &Caller, project: &Project) -> Value {
        let path = self.directory.project_path(project);
        let group = &self.directory.groups[&project.group];
        let web = format!("{}/{path}", self.external_url);
        let ssh = self.external_url.split("://").nth(1).and_then(|rest| rest.split([':', '/']).next());
        let mut shown = json!({
            "id": project.id, "description": null, "name": project.path, "path": project.path,
            "name_with_namespace": path.replace('/', " / "), "path_with_namespace": path,
            "created_at": moment(project.created_at), "tag_list": [], "topics": [],
            "ssh_url_to_repo": format!("git@{}:{path}.git", ssh.unwrap_or_default()),
            "http_url_to_repo": format!("{web}.git"), "web_url": web, "readme_url": null, "forks_count": 0,
            "avatar_url": null, "star_count": 0, "last_activity_at": moment(project.active_at),
            "visibility": project.visibility.word(),
            "namespace": {
                "id": group.id, "name": group.path, "path": group.path, "kind": "group",
                "full_path": self.directory.group_path(group.id), "parent_id": group.parent, "avatar_url": null,
                "web_url": format!("{}/groups/{}", self.external_url, self.directory.group_path(group.id)),
            },
        });
        // Only who reads code learns of branches.
        if self.reads_code(caller, project) {
            shown["default_branch"] = if project.empty { Value::Null } else { project.default_branch.clone().into() };
        }
        shown
    }

    /// A project in lists of groups.
    pub(super) fn project_shown(&self, caller: &Caller, project: &Project) -> Value {
        let mut shown = self.project_in_short(caller, project);
        let more = json!({
            "container_registry_image_prefix": "", "_links": {}, "marked_for_deletion_at": project.marked,
            "marked_for_deletion_on": project.marked, "packages_enabled": true, "empty_repo": project.empty,
            "archived": project.archived, "resolve_outdated_diff_discussions": false,
            "repository_object_format": "sha1", "issues_access_level": "enabled",
            "repository_access_level": project.repository, "merge_requests_access_level": project.repository,
            "builds_access_level": "enabled", "shared_runners_enabled": true, "lfs_enabled": true, "creator_id": 1,
            "import_url": null, "import_type": null, "import_status": project.import, "open_issues_count": 0,
            "ci_default_git_depth": 20, "public_jobs": true, "only_allow_merge_if_pipeline_succeeds": false,
            "merge_method": "merge", "requirements_enabled": false,
            "shared_with_groups": self.shares_shown(caller, &project.shares),
        });
        let (Value::Object(shown_fields), Value::Object(more)) = (&mut shown, more) else {
            unreachable!("they are objects")
        };
        shown_fields.extend(more);
        shown
    }

    /// A project by itself.
    fn whole_project(&self, caller: &Caller, project: &Project) -> Value {
        let mut shown = self.project_shown(caller, project);
        let access = |level: u32| match level {
            0 => Value::Null,
            level => json!({"access_level": level, "notification_level": 3}),
        };
        let own = project.members.get(&caller.user.id).map_or(0, |own| own.level);
        let by_group = self.directory.group_level(caller.user.id, project.group, &caller.today);
        shown["permissions"] = json!({"project_access": access(own), "group_access": access(by_group)});
        shown
    }
}
