//! The API about repositories and what is in them.

use std::process::Command;

use packagist_selfhosted::clock::Timestamp;
use serde_json::{Value, json};

use super::Site;
use super::answers::{absent, error, removed};
use super::directory::{Manifest, Project, Repository};
use super::hooks::Place;
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply, strict};

/// What reads repositories.
const READS: [&str; 2] = ["read:repository:bitbucket", "repository"];

impl Site {
    /// `/repositories/…`.
    pub(super) fn repositories(&mut self, asked: &Asked, caller: &Caller, rest: &[&str]) -> Result<Reply, Reply> {
        let (workspace, rest) = match rest {
            [] => return Err(removed().blamed("it is gone since April 2026")),
            [workspace, rest @ ..] => (*workspace, rest),
        };
        caller.needs(&READS)?;
        if let ("{}", [uuid]) = (workspace, rest) {
            // A `uuid` is enough, whatever workspace it is in.
            let own = self.directory.repositories.iter().find(|(_, one)| one.uuid == *uuid).map(|(id, _)| *id);
            let own = own.filter(|id| self.level(caller, *id).is_some()).ok_or_else(|| absent("Repository"))?;
            return Ok(Reply::json(200, &self.shown(asked, own)));
        }
        let workspace_id = self.directory.workspace(workspace).ok_or_else(|| absent("Workspace"))?;
        let Some((name, rest)) = rest.split_first() else {
            let mut own: Vec<u64> = self
                .directory
                .repositories
                .iter()
                .filter(|(id, one)| one.workspace == workspace_id && self.level(caller, **id).is_some())
                .map(|(id, _)| *id)
                .collect();
            own.sort_by_key(|id| self.directory.full_name(*id));
            let rows: Vec<Value> = own.into_iter().map(|id| self.shown(asked, id)).collect();
            return self.page(asked, &["sort", "q", "role"], &rows);
        };
        let found = self.directory.repository(workspace_id, name).filter(|id| self.level(caller, *id).is_some());
        let Some(id) = found else {
            let former = self.directory.moved.get(&format!("{workspace}/{name}").to_lowercase()).copied();
            let Some(id) =
                former.filter(|id| self.directory.repositories.contains_key(id) && self.level(caller, *id).is_some())
            else {
                return Err(absent(&format!("Repository {workspace}/{name}")));
            };
            let to = format!("{}/2.0/repositories/{}", self.origin(asked), self.directory.full_name(id));
            return Ok(Reply { status: 301, ..Reply::redirect(&to) });
        };
        match (asked.method.as_str(), rest) {
            ("GET", []) => Ok(Reply::json(200, &self.shown(asked, id))),
            ("GET", ["refs", "branches", branch]) => {
                let one = &self.directory.repositories[&id];
                let hash = commit_of(one, branch).ok_or_else(|| absent("Branch"))?;
                Ok(Reply::json(
                    200,
                    &json!({"type": "branch", "name": branch, "target": {"type": "commit", "hash": hash}}),
                ))
            }
            ("GET", ["src", commit, path @ ..]) => self.file(asked, id, commit, &path.join("/")),
            (_, ["hooks", rest @ ..]) => self.hooks_of(asked, caller, Place::Repository(id), rest),
            _ => Err(absent("Resource").blamed("there is no such address")),
        }
    }

    /// A repository in lists and payloads.
    pub(super) fn shown(&self, asked: &Asked, id: u64) -> Value {
        let web = if self.is_public { "https://bitbucket.org".to_owned() } else { self.origin(asked) };
        self.repository_at(&web, id)
    }

    /// The same by the pages' address.
    pub(super) fn repository_at(&self, web: &str, id: u64) -> Value {
        let one = &self.directory.repositories[&id];
        let path = self.directory.full_name(id);
        let (scheme, rest) = web.split_once("://").expect("an address");
        let moment = |seconds: i64, micros: i64| {
            let text = Timestamp::from_seconds(seconds).rfc3339();
            format!("{}.{micros:06}+00:00", text.trim_end_matches('Z'))
        };
        json!({
            "type": "repository", "uuid": one.uuid, "full_name": path, "name": one.slug, "slug": one.slug, "scm": "git",
            "is_private": one.private, "workspace": self.workspace_shown(one.workspace),
            "project": project_shown(&self.directory.projects[&one.project]),
            "mainbranch": one.branch.as_ref().map(|name| json!({"type": "branch", "name": name})),
            "parent": one.fork.then(|| json!({"type": "repository", "uuid": "{00000000-0000-4000-8000-000000000000}"})),
            "created_on": moment(one.created, 0),
            "updated_on": moment(one.updated / 1_000_000, one.updated % 1_000_000),
            "links": {
                "html": {"href": format!("{web}/{path}")},
                "clone": [
                    {"name": "https", "href": format!("{scheme}://keeper@{rest}/{path}.git")},
                    {"name": "ssh", "href": format!("git@bitbucket.org:{path}.git")},
                ],
            },
        })
    }

    fn file(&self, asked: &Asked, id: u64, commit: &str, path: &str) -> Result<Reply, Reply> {
        let given = strict(&asked.query, &[], &["format"]).map_err(|why| error(400, &why).blamed(why.clone()))?;
        let one = &self.directory.repositories[&id];
        let hash = commit_of(one, commit).or_else(|| is_commit(one, commit).then(|| commit.to_owned()));
        let hash = hash.ok_or_else(|| absent("Commit"))?;
        let manifest = match (&one.git, path) {
            (Some(folder), _) => {
                let listed = git(folder, &["ls-tree", &hash, "--", path]);
                match listed.as_deref().unwrap_or_default().split(' ').next() {
                    Some("120000") => Manifest::Link,
                    Some("") | None => Manifest::None,
                    Some(_) => Manifest::File,
                }
            }
            (None, "composer.json") => one.manifest,
            (None, _) => Manifest::None,
        };
        match manifest {
            Manifest::None => Err(absent("No such file or directory")),
            Manifest::Large if !given.contains_key("format") => {
                Ok(Reply { status: 301, ..Reply::redirect("https://media.elsewhere.example/1") })
            }
            found => {
                let attributes: &[&str] = match found {
                    Manifest::Link => &["link"],
                    Manifest::Large => &["lfs"],
                    _ => &[],
                };
                Ok(Reply::json(
                    200,
                    &json!({
                        "type": "commit_file", "path": path, "size": 30, "attributes": attributes,
                        "commit": {"type": "commit", "hash": hash}, "links": {},
                    }),
                ))
            }
        }
    }
}

/// A project.
pub(super) fn project_shown(own: &Project) -> Value {
    json!({"type": "project", "uuid": own.uuid, "key": own.key, "name": own.key.to_lowercase()})
}

/// What stands in the address of a file may be a branch, if it has no slash.
fn commit_of(one: &Repository, branch: &str) -> Option<String> {
    match &one.git {
        Some(folder) => git(folder, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]),
        None => (one.branch.as_deref() == Some(branch)).then(|| "0123456789".repeat(4)),
    }
}

fn is_commit(one: &Repository, text: &str) -> bool {
    match &one.git {
        Some(folder) => text.len() == 40 && git(folder, &["cat-file", "-e", text]).is_some(),
        None => text == "0123456789".repeat(4),
    }
}

fn git(folder: &std::path::Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command.args(["-c", "safe.directory=*"]).args(arguments).current_dir(folder).output();
    let output = output.expect("git is installed");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
