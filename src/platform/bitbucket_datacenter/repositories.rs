//! The repositories of a project, and which of them have a composer.json.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use oauth2::http::StatusCode;
use url::Url;

use super::api::{Ask, of_repository, part};
use super::reading::Reader;
use super::refusal;
use super::wire::{Branch, Entry, Project, Repository};
use crate::platform::app::below;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteRepository, RepositoryState, Visibility};

/// What was found out about the branch that counts.
#[derive(Clone, Debug, Default)]
struct Found {
    branch: Option<String>,
    /// Whether there is a composer.json; None: that could not be found out.
    manifest: Option<bool>,
    is_empty: bool,
}

/// All of them that the credential sees.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, project: &Project) -> Result<Vec<RemoteRepository>, HubError> {
    let again = reader.touched.repositories();
    let what = format!("list the repositories of {}", project.key);
    let path = format!("/projects/{}/repos?limit=500", part(&project.key));
    let mut listed: Vec<Repository> = reader.all(&path, again, &what).await?;
    if listed.is_empty() || listed.iter().any(|one| one.archived.is_some()) {
        // Versions that archive may leave what is archived out of lists.
        let path = format!("/repos?projectkey={}&archived=ARCHIVED&limit=500", part(&project.key));
        let archived = reader.all_that_is_told::<Repository>(&path, again, &what).await?.unwrap_or_default();
        let known: HashSet<i64> = listed.iter().map(|one| one.id).collect();
        listed.extend(archived.into_iter().filter(|one| !known.contains(&one.id)));
    }
    let own = listed.into_iter().filter(|one| one.project.id == project.id);
    try_join_all(own.map(|one| with_manifest(reader, project, one))).await
}

async fn with_manifest(reader: &Reader<'_>, project: &Project, one: Repository) -> Result<RemoteRepository, HubError> {
    let id = one.id.to_string();
    let known = reader.wanted.manifests.get(&id).filter(|_| !reader.touched.manifest(&id));
    let is_there = one.state.as_deref().is_none_or(|state| state == "AVAILABLE");
    let found = match known {
        // Nothing tells when somebody last pushed. What is a package's may lose its composer.json, which its updates find;
        // whatever is not may get one, and is asked about each time.
        Some((_, Some(branch), true)) => Found { branch: Some(branch.clone()), manifest: Some(true), is_empty: false },
        _ if !is_there => Found::default(),
        _ if known.is_some() && (reader.wanted.told_of_pushes || !reader.touched.repositories()) => {
            let (branch, manifest) = known.map_or((None, None), |(_, branch, known)| (branch.clone(), Some(*known)));
            Found { branch, manifest, is_empty: false }
        }
        Some((_, Some(branch), false)) => {
            // Nobody pushes to what is archived.
            let is_same = one.archived == Some(true) || !has_manifest(reader, &one).await?;
            match is_same {
                true => Found { branch: Some(branch.clone()), manifest: Some(false), is_empty: false },
                false => look(reader, &one).await?,
            }
        }
        _ => look(reader, &one).await?,
    };
    Ok(remote(reader, project, one, found))
}

/// Whether there may be one by now in what had none, by one question: without the name of a branch, the one that counts is
/// looked at.
async fn has_manifest(reader: &Reader<'_>, one: &Repository) -> Result<bool, HubError> {
    let url = reader.api.url(&format!("{}/browse/composer.json?type=true", of_repository(&one.path())));
    Ok(reader.api.ask(&Ask::get(url)).await?.status != StatusCode::NOT_FOUND)
}

/// Looks at the branch that counts.
async fn look(reader: &Reader<'_>, one: &Repository) -> Result<Found, HubError> {
    let Some(branch) = default_branch(reader, one).await? else {
        return Ok(Found { branch: None, manifest: Some(false), is_empty: true });
    };
    let api = &reader.api;
    let at = branch.id.as_deref().map_or_else(String::new, |id| format!("&at={}", part(id)));
    let url = api.url(&format!("{}/browse/composer.json?type=true{at}", of_repository(&one.path())));
    let answer = api.ask(&Ask::get(url)).await?;
    let what = format!("read the code of {}", one.path());
    let name = branch.display_id.or_else(|| Some(branch.id?.trim_start_matches("refs/heads/").to_owned()));
    let found = |manifest, is_empty| Ok(Found { branch: name.clone(), manifest, is_empty });
    match answer.status {
        status if status.is_success() => {
            let entry: Entry = api.line.json(&answer)?;
            found(Some(entry.kind.as_deref().is_none_or(|kind| kind == "FILE")), false)
        }
        StatusCode::NOT_FOUND => {
            let kind = refusal::exception(&answer);
            let no_code = ["NoSuchBranch", "NoDefaultBranch", "NoSuchCommit", "EmptyRepository"];
            found(Some(false), no_code.iter().any(|one| kind.contains(one)))
        }
        _ => match api.refused(&answer, &what) {
            error @ HubError::Unauthorized(_) => Err(error),
            error => {
                reader.notice(format!("Whether {} has a composer.json could not be found out: {error}", one.path()));
                found(None, false)
            }
        },
    }
}

/// The branch that is configured as the one that counts; None: there is nothing yet. Before 7.5 it is at another address,
/// which later versions do not want to be asked at.
async fn default_branch(reader: &Reader<'_>, one: &Repository) -> Result<Option<Branch>, HubError> {
    let (api, base) = (&reader.api, of_repository(&one.path()));
    let what = format!("read the default branch of {}", one.path());
    let answer = api.ask(&Ask::get(api.url(&format!("{base}/default-branch")))).await?;
    if answer.status != StatusCode::NOT_FOUND {
        return told(reader, &answer, &what);
    }
    if refusal::exception(&answer).contains("NoSuchRepository") {
        // It went while the list was read.
        return Ok(None);
    }
    let answer = api.ask(&Ask::get(api.url(&format!("{base}/branches/default")))).await?;
    if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { told(reader, &answer, &what) }
}

fn told(reader: &Reader<'_>, answer: &crate::outbound::Answer, what: &str) -> Result<Option<Branch>, HubError> {
    match answer.status {
        StatusCode::NO_CONTENT => Ok(None),
        status if status.is_success() => reader.api.line.json(answer).map(Some),
        _ => match reader.api.refused(answer, what) {
            // What its code says decides.
            HubError::Forbidden { .. } => Ok(Some(Branch { id: None, display_id: None })),
            error => Err(error),
        },
    }
}

fn remote(reader: &Reader<'_>, project: &Project, one: Repository, found: Found) -> RemoteRepository {
    let state = match one.state.as_deref() {
        Some("INITIALISING") => RepositoryState::Importing,
        Some("INITIALISATION_FAILED") => RepositoryState::ImportFailed,
        Some(state) if state != "AVAILABLE" => RepositoryState::Disabled,
        _ if one.archived == Some(true) => RepositoryState::Archived,
        _ if found.is_empty => RepositoryState::Empty,
        _ => RepositoryState::Active,
    };
    let site = &reader.api.hub.site().url;
    RemoteRepository {
        id: one.id.to_string(),
        path: one.path(),
        clone_url: clone_url(site, &one),
        web_url: Some(below(site, &format!("{}/browse", of_repository(&one.path()))).to_string()),
        default_branch: found.branch,
        pushed_at: None,
        created_at: None,
        state,
        visibility: if one.public || project.public { Visibility::Public } else { Visibility::Private },
        fork: one.origin.is_some(),
        manifest: found.manifest,
    }
}

/// Where Git finds it over HTTPS. The server gives addresses by the name that its administrator gave it, and old ones with
/// the name of whoever asks; our credential is for the host that is configured, and where that one is not told, the address
/// is what every version has.
fn clone_url(site: &Url, one: &Repository) -> String {
    let own = below(site, &format!("/scm/{}/{}.git", part(&one.project.key.to_lowercase()), part(&one.slug)));
    let told = one.links.clone.iter().find(|link| link.name.as_deref() == Some("http"));
    let told = told.and_then(|link| Url::parse(&link.href).ok()).filter(|url| url.origin() == site.origin());
    let Some(mut url) = told else { return own.to_string() };
    // Without a host there is no user name to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use serde_json::json;

    use super::{Repository, clone_url};

    #[test]
    fn clone_addresses_are_those_of_the_configured_server() {
        let site = "https://git.corp.example/bitbucket".parse().unwrap();
        let told = |href: &str| -> Repository {
            serde_json::from_value(json!({
                "id": 1, "slug": "lib", "project": { "id": 9, "key": "~JDoe" },
                "links": { "clone": [{ "name": "ssh", "href": "ssh://git@x/y" }, { "name": "http", "href": href }] },
            }))
            .unwrap()
        };
        let own = "https://git.corp.example/bitbucket/scm/~jdoe/lib.git";
        for href in
            ["https://jane@git.corp.example/bitbucket/scm/~jdoe/lib.git", "http://10.0.0.7:7990/x.git", "rubbish"]
        {
            assert_eq!(clone_url(&site, &told(href)), own, "{href}");
        }
    }
}
