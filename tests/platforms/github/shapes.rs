//! What GitHub writes of accounts, organizations, teams and repositories: all that its description requires.

use packagist_selfhosted::clock::Timestamp;
use serde_json::{Map, Value, json};

use super::answers::Places;
use super::directory::{Grant, Level, Organization, Repository, Team, Visibility};
use super::{Site, User};

/// Addresses of a repository that nobody needs, but that are always there.
const REPOSITORY_ADDRESSES: [&str; 36] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];
/// The same of accounts.
const USER_ADDRESSES: [&str; 9] = [
    "events",
    "followers",
    "following",
    "gists",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
];
/// When everything was made of which nobody cares when.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// A moment as the API writes it.
pub(super) fn moment(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}

/// What a level allows.
pub(super) fn permissions(level: Level) -> Value {
    json!({
        "admin": level >= Level::Admin, "maintain": level >= Level::Maintain, "push": level >= Level::Write,
        "triage": level >= Level::Triage, "pull": level >= Level::Read,
    })
}

/// An account in a list.
pub(super) fn account(at: &Places, id: u64, login: &str, kind: &str) -> Map<String, Value> {
    let url = format!("{}/users/{login}", at.api);
    let value = json!({
        "login": login, "id": id, "node_id": format!("U_{id}"), "gravatar_id": "", "type": kind, "site_admin": false,
        "url": url, "html_url": format!("{}/{login}", at.web), "avatar_url": format!("{}/avatars/u/{id}", at.web),
    });
    let Value::Object(mut account) = value else { unreachable!("it is an object") };
    for name in USER_ADDRESSES {
        account.insert(format!("{name}_url"), format!("{url}/{name}").into());
    }
    account
}

/// A person in a list.
pub(super) fn user(at: &Places, user: &User) -> Map<String, Value> {
    account(at, user.id, &user.login, user.kind)
}

/// A person with what a right allows.
pub(super) fn collaborator(at: &Places, person: &User, grant: &Grant) -> Map<String, Value> {
    let mut shown = user(at, person);
    shown.insert("permissions".to_owned(), permissions(grant.level));
    shown.insert("role_name".to_owned(), grant.role.clone().into());
    shown
}

/// A person alone. Of the accounts that are locked, an Enterprise Server tells it here.
pub(super) fn profile(at: &Places, person: &User, is_server: bool, is_own: bool) -> Value {
    let mut shown = user(at, person);
    let Value::Object(more) = person.profile(is_server) else { unreachable!("it is an object") };
    for (name, value) in more {
        shown.insert(name, value);
    }
    for name in ["bio", "company", "hireable", "location"] {
        shown.insert(name.to_owned(), Value::Null);
    }
    shown.insert("blog".to_owned(), "".into());
    for name in ["followers", "following", "public_gists", "public_repos"] {
        shown.insert(name.to_owned(), 0.into());
    }
    shown.insert("updated_at".to_owned(), LONG_AGO.into());
    if is_own {
        for name in ["collaborators", "disk_usage", "owned_private_repos", "private_gists", "total_private_repos"] {
            shown.insert(name.to_owned(), 0.into());
        }
        shown.insert("two_factor_authentication".to_owned(), true.into());
    }
    shown.into()
}

/// A token of an app, as the app itself is told of it.
pub(super) fn authorization(at: &Places, client_id: &str, token: &str, scopes: &[String], user: Value) -> Value {
    json!({
        "id": 1, "url": format!("{}/authorizations/1", at.api), "app": {"client_id": client_id, "name": "Packages", "url": at.web},
        "token": token, "hashed_token": null, "token_last_eight": null, "note": null, "note_url": null, "fingerprint": null,
        "created_at": LONG_AGO, "updated_at": LONG_AGO, "expires_at": null, "scopes": scopes, "user": user,
    })
}

/// An organization in a list.
pub(super) fn organization(at: &Places, org: &Organization) -> Map<String, Value> {
    let url = format!("{}/orgs/{}", at.api, org.login);
    let value = json!({
        "login": org.login, "id": org.id, "node_id": format!("O_{}", org.id), "url": url, "description": null,
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"), "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/u/{}", at.web, org.id),
    });
    let Value::Object(shown) = value else { unreachable!("it is an object") };
    shown
}

/// A team, without the one above it.
fn bare_team(at: &Places, org: &Organization, team: &Team) -> Value {
    let url = format!("{}/organizations/{}/team/{}", at.api, org.id, team.id);
    json!({
        "id": team.id, "node_id": format!("T_{}", team.id), "name": team.slug, "slug": team.slug, "description": null,
        "privacy": if team.secret { "secret" } else { "closed" }, "notification_setting": "notifications_enabled",
        "permission": "pull", "url": url, "html_url": format!("{}/orgs/{}/teams/{}", at.web, org.login, team.slug),
        "members_url": format!("{url}/members{{/member}}"), "repositories_url": format!("{url}/repos"),
        "type": "organization", "organization_id": org.id,
    })
}

impl Site {
    /// A team.
    pub(super) fn team_shown(&self, at: &Places, team: &Team) -> Value {
        let org = &self.directory.orgs[&team.org];
        let mut shown = bare_team(at, org, team);
        let parent = team.parent.and_then(|parent| self.directory.teams.get(&parent));
        shown["parent"] = parent.map_or(Value::Null, |parent| bare_team(at, org, parent));
        shown
    }

    /// The owner of a repository.
    fn owner(&self, at: &Places, id: u64) -> Map<String, Value> {
        match (self.directory.orgs.get(&id), self.users.get(&id)) {
            (Some(org), _) => account(at, id, &org.login, "Organization"),
            (None, Some(person)) => user(at, person),
            (None, None) => account(at, id, "ghost", "User"),
        }
    }

    /// `owner/name`.
    pub fn path_of(&self, repository: &Repository) -> String {
        let org = self.directory.orgs.get(&repository.owner).map(|org| &org.login);
        let owner = org.or_else(|| self.users.get(&repository.owner).map(|user| &user.login));
        format!("{}/{}", owner.map_or("ghost", String::as_str), repository.name)
    }

    /// A repository, with what somebody may do with it.
    pub(super) fn repository_shown(&self, at: &Places, repository: &Repository, own: &Grant) -> Map<String, Value> {
        let path = self.path_of(repository);
        let (url, web) = (format!("{}/repos/{path}", at.api), format!("{}/{path}", at.web));
        let is_public = repository.visibility == Visibility::Public;
        let visibility = match repository.visibility {
            Visibility::Private => "private",
            Visibility::Internal => "internal",
            Visibility::Public => "public",
        };
        let host = at.web.split("://").last().unwrap_or_default();
        let value = json!({
            "id": repository.id, "node_id": format!("R_{}", repository.id), "name": repository.name, "full_name": path,
            "owner": self.owner(at, repository.owner), "private": !is_public, "visibility": visibility,
            "description": null, "homepage": null, "language": null, "license": null, "mirror_url": null,
            "fork": repository.fork, "archived": repository.archived, "disabled": repository.disabled,
            "is_template": false, "default_branch": repository.default_branch, "size": repository.size,
            "url": url, "html_url": web, "git_url": format!("git://{host}/{path}.git"),
            "ssh_url": format!("git@{host}:{path}.git"), "svn_url": web,
            "clone_url": repository.clone_url.clone().unwrap_or_else(|| format!("{web}.git")),
            "created_at": moment(repository.created_at), "updated_at": moment(repository.pushed_at),
            "pushed_at": moment(repository.pushed_at),
            "permissions": permissions(own.level), "role_name": own.role,
        });
        let Value::Object(mut shown) = value else { unreachable!("it is an object") };
        for name in REPOSITORY_ADDRESSES {
            shown.insert(format!("{name}_url"), format!("{url}/{name}").into());
        }
        for name in ["issues", "projects", "wiki", "pages", "discussions", "downloads"] {
            shown.insert(format!("has_{name}"), false.into());
        }
        for name in [
            "forks",
            "forks_count",
            "open_issues",
            "open_issues_count",
            "stargazers_count",
            "watchers",
            "watchers_count",
        ] {
            shown.insert(name.to_owned(), 0.into());
        }
        shown
    }
}
