//! The API about what is in a project's repository.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Site;
use super::answers::{Takes, bad, forbidden, list, not_found, nowhere, parameters};
use super::directory::Project;
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};

/// What is in a repository that has no Git repository here.
const MANIFEST: &[u8] = b"{\"name\": \"example/package\"}\n";
/// A commit of which nobody looks at more than the id.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Site {
    /// `repository/files/{path}`, in JSON or raw.
    pub(super) fn file(
        &self,
        asked: &Asked,
        caller: &Caller,
        project: &Project,
        path: &[&str],
    ) -> Result<Reply, Reply> {
        let (path, is_raw) = match path {
            [path, "raw"] => (*path, true),
            [path] => (*path, false),
            _ => return Err(nowhere()),
        };
        let known = [("ref", Takes::Text), ("lfs", Takes::Flag)];
        let given = parameters(asked, if is_raw { &known } else { &known[..1] })?;
        if given.get("ref").is_none_or(|name| name.is_empty()) && !is_raw {
            return Err(bad("ref is missing"));
        }
        if !self.reads_code(caller, project) {
            return Err(forbidden());
        }
        let name = given.get("ref").copied().unwrap_or("HEAD");
        if project.empty || !["HEAD", project.default_branch.as_str()].contains(&name) {
            return Err(not_found("Commit "));
        }
        let content = match &project.git {
            Some(folder) => git(folder, &["cat-file", "blob", &format!("{}:{path}", project.default_branch)]),
            None => (path == "composer.json" && project.manifest).then(|| MANIFEST.to_vec()),
        };
        let content = content.ok_or_else(|| not_found("File "))?;
        Ok(told(asked, project, path, name, &content, is_raw))
    }

    /// What else stands below `repository`.
    pub(super) fn of_repository(
        &self,
        asked: &Asked,
        caller: &Caller,
        project: &Project,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        let (prefix, known): (&str, &[(&str, Takes)]) = match rest {
            ["branches"] => ("refs/heads", &[("search", Takes::Text)]),
            ["tags"] => (
                "refs/tags",
                &[
                    ("search", Takes::Text),
                    ("order_by", Takes::One(&["name", "updated", "version"])),
                    ("sort", Takes::One(&["asc", "desc"])),
                ],
            ),
            _ => return Err(nowhere()),
        };
        let (_, page) = list(asked, known, false)?;
        if !self.reads_code(caller, project) {
            return Err(forbidden());
        }
        let format = "--format=%(refname:lstrip=2) %(objectname)";
        let text = project.git.as_ref().and_then(|folder| git(folder, &["for-each-ref", format, prefix]));
        let text = String::from_utf8(text.unwrap_or_default()).expect("refs are text");
        let refs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        Ok(self.page(asked, page, &refs, |(name, id)| {
            json!({"name": name, "target": id, "commit": {"id": id, "short_id": &id[..8]}, "protected": false})
        }))
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    let output = command.args(["-c", "safe.directory=*"]).args(arguments).current_dir(folder).output();
    let output = output.expect("git is installed");
    output.status.success().then_some(output.stdout)
}

fn told(asked: &Asked, project: &Project, path: &str, name: &str, content: &[u8], is_raw: bool) -> Reply {
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let last = path.rsplit('/').next().unwrap_or(path);
    let fields = [
        ("blob_id", Value::from(&hash[..40])),
        ("commit_id", COMMIT.into()),
        ("content_sha256", hash.as_str().into()),
        ("encoding", "base64".into()),
        ("execute_filemode", false.into()),
        ("file_name", last.into()),
        ("file_path", path.into()),
        ("last_commit_id", COMMIT.into()),
        ("ref", if name == "HEAD" { project.default_branch.as_str() } else { name }.into()),
        ("size", content.len().into()),
    ];
    let mut reply = if asked.method == "HEAD" {
        Reply::empty(200)
    } else if is_raw {
        Reply { body: content.to_vec(), ..Reply::text(200, "") }
    } else {
        let mut body: serde_json::Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        body.insert("content".to_owned(), STANDARD.encode(content).into());
        Reply::json(200, &body.into())
    };
    for (name, value) in &fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        reply = reply.with(&format!("x-gitlab-{}", name.replace('_', "-")), &text);
    }
    reply
}
