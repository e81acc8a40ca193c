//! The repositories of a workspace, and which of them have a composer.json.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use oauth2::http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::api::{Api, Ask, part};
use super::identity::subject;
use super::refusal;
use super::wire::{Page, Project, Repository, Workspace};
use super::workspace::Reader;
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::app::below;
use crate::platform::hub::HubError;
use crate::platform::remote::{ChosenProject, RemoteRepository, RepositoryState, Visibility};
use crate::platform::rest::Lists;

/// What is asked for of each repository: all else would make pages many times as long.
const FIELDS: &str = "next,values.uuid,values.full_name,values.is_private,values.mainbranch.name,values.parent.uuid,\
                      values.project.uuid,values.project.key,values.updated_on,values.created_on,values.links.clone,values.links.html";
/// What a file is that is none: what it says of itself then.
const NO_FILE: [&str; 4] = ["link", "subrepository", "binary", "lfs"];

/// Most characters of a project's key that are told.
const LONGEST_KEY: usize = 60;

/// The repositories of a workspace.
pub(super) struct Found {
    /// Those of the chosen projects.
    pub inside: Vec<RemoteRepository>,
    /// The keys of the projects of all others.
    pub outside: BTreeMap<String, String>,
}

/// All of them that the credential sees.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, workspace: &Workspace) -> Result<Found, HubError> {
    let at = part(&workspace.uuid);
    let path = format!("/repositories/{at}?pagelen=100&sort=full_name&fields={FIELDS}");
    let what = format!("list the repositories of {}", workspace.slug);
    let read = |answer: &_| Ok(reader.api.line.json::<Page<Repository>>(answer)?.values);
    let listed: Vec<Repository> = reader.listed(&path, reader.touched.repositories(), &what, read).await?;
    let (mut found, mut outside) = (Vec::new(), BTreeMap::new());
    for one in listed {
        match outside_of(&reader.wanted.projects, &one) {
            Some(project) => drop(outside.insert(id_of(reader, &one)?, project)),
            None => found.push(one),
        }
    }
    let inside = try_join_all(found.into_iter().map(|one| with_manifest(reader, &at, one))).await?;
    Ok(Found { inside, outside })
}

/// The project of a repository that is in none of the chosen ones.
fn outside_of(chosen: &[ChosenProject], one: &Repository) -> Option<String> {
    let Some(own) = &one.project else { return (!chosen.is_empty()).then(|| "of another name".to_owned()) };
    let id = subject(&own.uuid);
    let is_chosen = chosen.is_empty() || chosen.iter().any(|project| id.as_deref() == Some(project.id.as_str()));
    (!is_chosen).then(|| printable(&own.key, LONGEST_KEY))
}

fn id_of(reader: &Reader<'_>, one: &Repository) -> Result<String, HubError> {
    subject(&one.uuid).ok_or_else(|| reader.api.line.malformed("a repository's `uuid` is not one"))
}

/// The projects of a workspace with these keys.
///
/// # Errors
/// [`HubError`]; `NotFound` for the first that there is none of.
pub(super) async fn projects(api: &Api<'_>, workspace: &str, keys: &[String]) -> Result<Vec<ChosenProject>, HubError> {
    let mut found = Vec::new();
    for key in keys {
        let ask = Ask::get(api.url(&format!("/workspaces/{}/projects/{}", part(workspace), part(key))));
        let answer = api.ask(&ask).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(HubError::NotFound(format!(
                "{} knows no project `{}` in {workspace}, or does not show it to this credential.",
                api.name(),
                printable(key, LONGEST_KEY)
            )));
        }
        if !answer.status.is_success() {
            let what = format!("look for the projects of {workspace}");
            return Err(refusal::of(api.name(), api.key, &answer, &what));
        }
        let project: Project = api.line.json(&answer)?;
        let id = subject(&project.uuid).ok_or_else(|| api.line.malformed("a project's `uuid` is not one"))?;
        found.push(ChosenProject { key: printable(&project.key, LONGEST_KEY), id });
    }
    Ok(found)
}

async fn with_manifest(reader: &Reader<'_>, workspace: &str, one: Repository) -> Result<RemoteRepository, HubError> {
    let id = id_of(reader, &one)?;
    let manifest = match (&one.mainbranch, known(reader, &id, &one)) {
        (None, _) => Some(false),
        (Some(_), Some(known)) => Some(known),
        (Some(branch), None) => noted(reader, (workspace, &id), &branch.name, &one).await?,
    };
    Ok(remote(reader, id, one, manifest))
}

/// Asks about composer.json, unless a run that a limit stopped has done so: of a workspace with more repositories than
/// Bitbucket answers requests in an hour, none would ever come to its end otherwise.
async fn noted(
    reader: &Reader<'_>,
    (workspace, id): (&str, &str),
    branch: &str,
    one: &Repository,
) -> Result<Option<bool>, HubError> {
    let path = format!("/repositories/{workspace}/{}/src/{}/composer.json", part(id), part(branch));
    let state = one.updated_on.as_deref().filter(|_| !reader.touched.manifest(id));
    if let Some(found) = state.and_then(|state| reader.noted(&path, state)) {
        return Ok(Some(found));
    }
    let found = manifest(reader, (workspace, id), branch, &one.full_name).await?;
    if let Some((state, found)) = state.zip(found) {
        reader.note(&path, state, &found);
    }
    Ok(found)
}

/// What was known of composer.json, if nothing happened since.
fn known(reader: &Reader<'_>, id: &str, one: &Repository) -> Option<bool> {
    let (updated, branch, exists) = reader.wanted.manifests.get(id)?;
    let own = one.mainbranch.as_ref().map(|branch| &branch.name);
    let is_same = *updated == one.updated_on && branch.as_ref() == own && updated.is_some();
    (is_same && !reader.touched.manifest(id)).then_some(*exists)
}

/// Whether there is a composer.json on a branch; None: that could not be found out.
async fn manifest(
    reader: &Reader<'_>,
    (workspace, id): (&str, &str),
    branch: &str,
    path: &str,
) -> Result<Option<bool>, HubError> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        attributes: Vec<String>,
    }
    let api = &reader.api;
    let repository = format!("/repositories/{workspace}/{}", part(id));
    let Some(commit) = commit(reader, &repository, branch).await? else { return Ok(Some(false)) };
    let url = api.url(&format!("{repository}/src/{}/composer.json?format=meta", part(&commit)));
    let answer = api.ask(&Ask { follow: false, ..Ask::get(url) }).await?;
    match answer.status {
        status if status.is_success() => {
            let file: File = api.line.json(&answer)?;
            let is_other = file.attributes.iter().any(|one| NO_FILE.contains(&one.as_str()));
            Ok(Some(file.kind == "commit_file" && !is_other))
        }
        // What is stored elsewhere is none that anybody could read from the code.
        status if status.is_redirection() => Ok(Some(false)),
        StatusCode::NOT_FOUND => Ok(Some(false)),
        _ => {
            let error = refusal::of(api.name(), api.key, &answer, &format!("read the code of {path}"));
            if matches!(error, HubError::Unauthorized(_) | HubError::Unavailable(_)) {
                return Err(error);
            }
            reader.notice(format!("Whether {path} has a composer.json could not be found out: {error}"));
            Ok(None)
        }
    }
}

/// What stands for a branch in the address of a file: its name, or its commit where the name has a slash, which would be taken
/// for the path's; None: there is no such branch.
async fn commit(reader: &Reader<'_>, repository: &str, branch: &str) -> Result<Option<String>, HubError> {
    #[derive(Deserialize)]
    struct Ref {
        target: Target,
    }
    #[derive(Deserialize)]
    struct Target {
        hash: String,
    }
    if !branch.contains('/') {
        return Ok(Some(branch.to_owned()));
    }
    let path = format!("{repository}/refs/branches/{}", part(branch));
    match reader.api.read::<Ref>(&path, &format!("read the branch {branch}")).await {
        Ok(found) => Ok(Some(found.target.hash)),
        Err(HubError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn remote(reader: &Reader<'_>, id: String, one: Repository, manifest: Option<bool>) -> RemoteRepository {
    let links = one.links.unwrap_or_default();
    let site = &reader.api.hub.site().url;
    let page = links.html.map(|link| link.href).filter(|href| Url::parse(href).is_ok());
    let page = page.unwrap_or_else(|| below(site, &format!("/{}", one.full_name)).to_string());
    let https = links.clone.iter().find(|link| link.name.as_deref() == Some("https"));
    let clone_url = https.and_then(|link| without_user(&link.href)).unwrap_or_else(|| format!("{page}.git"));
    RemoteRepository {
        id,
        clone_url,
        web_url: Some(page),
        path: one.full_name,
        state: if one.mainbranch.is_none() { RepositoryState::Empty } else { RepositoryState::Active },
        default_branch: one.mainbranch.map(|branch| branch.name),
        pushed_at: one.updated_on,
        created_at: one.created_on.and_then(|text| Timestamp::parse_rfc3339(&text).ok()),
        visibility: if one.is_private { Visibility::Private } else { Visibility::Public },
        fork: one.parent.is_some(),
        manifest,
    }
}

/// Addresses to clone from have the name of whoever asked in front of the host.
fn without_user(href: &str) -> Option<String> {
    let mut url = Url::parse(href).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::without_user;

    #[test]
    fn addresses_have_nobodys_name() {
        let own = without_user("https://ada@bitbucket.org/acme/lib.git");
        assert_eq!(own.as_deref(), Some("https://bitbucket.org/acme/lib.git"));
        assert_eq!(without_user("nothing"), None);
    }
}
