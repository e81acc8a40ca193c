//! The repositories of an organization, and which of them have a composer.json.

use std::time::Duration;

use futures_util::future::try_join_all;
use oauth2::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::api::{As, Ask, parts};
use super::reading::Reader;
use super::wire::{Organization, Repositories, Repository};
use super::{installation, refusal};
use crate::clock::Timestamp;
use crate::platform::app::below;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteRepository, RepositoryState, Visibility};

/// How long after a push another one may be of the same second, with some room for clocks that differ.
const SAME_MOMENT: Duration = Duration::from_secs(60);

/// Whether there is a composer.json, and anything at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Manifest {
    exists: Option<bool>,
    is_empty: bool,
}

/// All of them that the credential sees.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, org: &Organization) -> Result<Vec<RemoteRepository>, HubError> {
    let again = reader.touched.repositories();
    let listed: Vec<Repository> = if installation::is_app(reader.api.key) {
        let read = |answer: &_| Ok(reader.api.json::<Repositories>(answer)?.repositories);
        let what = "list the repositories of the installation";
        reader.listed("/installation/repositories?per_page=100", again, what, read).await?
    } else {
        let path = format!("/orgs/{}/repos?type=all&sort=full_name&per_page=100", parts(&org.login));
        reader.list(&path, again, &format!("list the repositories of {}", org.login)).await?
    };
    let own = listed.into_iter().filter(|one| one.owner.id == org.id);
    try_join_all(own.map(|one| with_manifest(reader, one))).await
}

async fn with_manifest(reader: &Reader<'_>, one: Repository) -> Result<RemoteRepository, HubError> {
    let manifest = match known(reader, &one) {
        Some(exists) => Manifest { exists: Some(exists), is_empty: false },
        None => noted(reader, &one).await?,
    };
    Ok(remote(reader, one, manifest))
}

/// Asks about composer.json, unless a run that a limit stopped has done so: of a large organization, none would ever come to
/// its end otherwise.
async fn noted(reader: &Reader<'_>, one: &Repository) -> Result<Manifest, HubError> {
    let path = format!("/repos/{}/contents/composer.json", parts(&one.full_name));
    let state = one.pushed_at.as_deref().filter(|_| !reader.touched.manifest(&one.id.to_string()));
    if let Some(found) = state.and_then(|state| reader.noted(&path, state)) {
        return Ok(found);
    }
    let found = manifest(reader, one).await?;
    if let Some(state) = state.filter(|state| found.exists.is_some() && !is_recent(Some(state), reader.api.hub.now())) {
        reader.note(&path, state, &found);
    }
    Ok(found)
}

/// What was known of composer.json, if nobody pushed since.
fn known(reader: &Reader<'_>, one: &Repository) -> Option<bool> {
    let id = one.id.to_string();
    let (pushed_at, branch, exists) = reader.wanted.manifests.get(&id)?;
    let is_same = *pushed_at == one.pushed_at && *branch == one.default_branch;
    // Whether it is empty, nothing but asking tells.
    let may_be_empty = !exists && one.size == Some(0);
    (is_same && !may_be_empty && !reader.touched.manifest(&id)).then_some(*exists)
}

async fn manifest(reader: &Reader<'_>, one: &Repository) -> Result<Manifest, HubError> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "type")]
        kind: String,
    }
    if one.disabled == Some(true) {
        return Ok(Manifest::default());
    }
    let api = &reader.api;
    let ask = Ask::get(api.url(&format!("/repos/{}/contents/composer.json", parts(&one.full_name))));
    let answer = api.ask(&ask).await?;
    match answer.status {
        status if status.is_success() => {
            // A folder of that name is answered with a list.
            let is_folder = answer.body.trim_ascii_start().starts_with(b"[");
            let is_folder =
                is_folder || serde_json::from_slice::<File>(&answer.body).is_ok_and(|file| file.kind == "dir");
            let exists = !is_folder;
            Ok(Manifest { exists: Some(exists), is_empty: false })
        }
        StatusCode::NOT_FOUND => {
            let is_empty = refusal::words(&answer).to_ascii_lowercase().contains("repository is empty");
            Ok(Manifest { exists: Some(false), is_empty })
        }
        StatusCode::CONFLICT => Ok(Manifest { exists: Some(false), is_empty: true }),
        StatusCode::UNAUTHORIZED => {
            Err(refusal::of(api.hub.site(), api.key, As::Key, &answer, &format!("read {}", one.full_name)))
        }
        _ => {
            reader.notice(format!(
                "Whether {} has a composer.json could not be found out: {}",
                one.full_name,
                refusal::of(api.hub.site(), api.key, As::Key, &answer, &format!("read the code of {}", one.full_name))
            ));
            Ok(Manifest::default())
        }
    }
}

fn remote(reader: &Reader<'_>, one: Repository, manifest: Manifest) -> RemoteRepository {
    let state = match (one.disabled == Some(true), one.archived == Some(true), manifest.is_empty) {
        (true, _, _) => RepositoryState::Disabled,
        (_, true, _) => RepositoryState::Archived,
        (_, _, true) => RepositoryState::Empty,
        _ => RepositoryState::Active,
    };
    let visibility = match one.visibility.as_deref() {
        Some("public") => Visibility::Public,
        Some("internal") => Visibility::Internal,
        None if !one.private => Visibility::Public,
        _ => Visibility::Private,
    };
    let site = reader.api.hub.site();
    let page = one.html_url.clone().unwrap_or_else(|| below(&site.url, &format!("/{}", one.full_name)).to_string());
    let is_settled = manifest.exists != Some(false) || !is_recent(one.pushed_at.as_deref(), reader.api.hub.now());
    RemoteRepository {
        id: one.id.to_string(),
        clone_url: one.clone_url.unwrap_or_else(|| format!("{page}.git")),
        web_url: Some(page),
        path: one.full_name,
        default_branch: one.default_branch,
        // The push that brings the composer.json may be of the same second, and would look like the one before it.
        pushed_at: one.pushed_at.filter(|_| is_settled),
        created_at: one.created_at.and_then(|text| Timestamp::parse_rfc3339(&text).ok()),
        state,
        visibility,
        fork: one.fork,
        manifest: manifest.exists,
    }
}

fn is_recent(pushed_at: Option<&str>, now: Timestamp) -> bool {
    let pushed = pushed_at.and_then(|text| Timestamp::parse_rfc3339(text).ok());
    pushed.is_some_and(|pushed| pushed + SAME_MOMENT > now)
}
