//! What an update needs to know to read a package's repository, and what it got.

use std::collections::HashSet;

use super::host_keys;
use super::update::UpdateError;
use crate::appliance::{Appliance, KeyFailed, PackageKey};
use crate::composer::derive::{NoManifest, RefKind, RefSource};
use crate::composer::directories::Directories;
use crate::platform::{GitLogin, Hub, Key, PlatformKind};
use crate::store::ids::OrgId;
use crate::store::packages::Package;
use crate::store::{self, credentials, dists, organizations, packages, readmes};
use crate::vcs::url::SourceUrl;
use crate::vcs::{
    self, Authentication, Credential, Layout, Manifest, Progress, RemoteRef, Snapshot, System, UpdateRequest, VcsError,
};

/// A package, and how to reach its source.
pub(super) struct Source {
    pub(super) package: Package,
    pub(super) request: UpdateRequest,
    /// Whether the credential is one of a platform, which opens many repositories: that one is closed says little of it.
    pub(super) by_platform: bool,
    /// Whether the login was made for us by the platform: whatever it says of that, it says nothing of the credential.
    pub(super) is_minted: bool,
    /// The credential's row.
    row: Option<credentials::Credential>,
    /// The credential, opened: while it is kept, its token is not replaced by another one.
    key: Option<Key>,
}

impl Source {
    /// Another login, where the platform did not let Git in with one that it has just made, or that it ended early; whether
    /// there is one. `tries`: how often there was.
    pub(super) async fn log_in_again(
        &mut self,
        appliance: &Appliance,
        org: OrgId,
        error: &VcsError,
        tries: usize,
    ) -> Result<bool, UpdateError> {
        let is_unknown = matches!(error, VcsError::AuthFailed { .. });
        let is_about_login =
            is_unknown || matches!(error, VcsError::Forbidden { .. } | VcsError::NotFoundOrNoAccess { .. });
        let Some(row) = self.row.clone().filter(|_| self.is_minted && is_about_login) else { return Ok(false) };
        let Some(key) = key(appliance, org, &row).await? else { return Ok(false) };
        let url = &self.request.url;
        let path = url.decoded_path();
        let hub = hub(appliance, &row, &key, PlatformKind::GitHub);
        let after = hub.and_then(|hub| hub.git_again(&key, path.trim_matches('/'), is_unknown, tries));
        let Some(after) = after else { return Ok(false) };
        tokio::time::sleep(after).await;
        let (credential, key) = open(appliance, org, &row, url).await?;
        (self.request.credential, self.key) = (Some(credential), Some(key));
        Ok(true)
    }
}

/// Reads from the store what it takes to update `key`; none if the package is gone.
pub(super) async fn find(
    appliance: &Appliance,
    key: PackageKey,
    announced: Vec<String>,
) -> Result<Option<Source>, UpdateError> {
    let PackageKey { org, package } = key;
    let found = appliance
        .database
        .read(move |db| {
            if organizations::by_id(org, db)?.is_none() {
                // It is being removed.
                return Ok(None);
            }
            let Some(found) = packages::by_id(org, db, package)? else {
                return Ok(None);
            };
            let credential = match found.credential {
                Some(id) => credentials::by_id(org, db, id)?,
                None => None,
            };
            let published = dists::published(org, db, package)?;
            Ok::<_, store::Error>(Some((found, credential, published)))
        })
        .await?;
    let Some((package, credential, published)) = found else {
        return Ok(None);
    };
    let url = SourceUrl::parse(&package.url, &appliance.settings.url_policy)
        .map_err(|error| UpdateError::Refused(error.to_string()))?;
    let host_keys = host_keys::known(appliance, &url).await?;
    let by_platform = credential.as_ref().is_some_and(|row| PlatformKind::of_credential(&row.kind).is_some());
    let is_minted = credential.as_ref().is_some_and(|row| row.kind == "github-app");
    let row = credential;
    let (credential, key) = match &row {
        Some(row) => Some(open(appliance, org, row, &url).await?).unzip(),
        None => (None, None),
    };
    let request = UpdateRequest {
        mirror: appliance.mirror(package.source()),
        system: system(&package)?,
        directories: directories(&package)?,
        url,
        credential,
        known_digest: package.refs_digest.clone(),
        known_refs: usize::try_from(package.refs).unwrap_or(0),
        published,
        announced,
        host_keys,
        progress: Progress::default(),
    };
    Ok(Some(Source { package, request, by_platform, is_minted, row, key }))
}

/// The version control system of a package's repository.
fn system(package: &Package) -> Result<System, UpdateError> {
    let layout = package.layout.as_deref().map(serde_json::from_str).transpose();
    let layout: Layout = layout.map_err(|error| store::Error::Corrupt(error.to_string()))?.unwrap_or_default();
    System::of(&package.vcs, layout).ok_or_else(|| {
        UpdateError::Refused(format!("Repositories of type {} are not read by this version.", package.vcs))
    })
}

/// Which directories of a package's repository are packages.
pub(super) fn directories(package: &Package) -> Result<Option<Directories>, UpdateError> {
    let stored = package.directories.as_deref().map(serde_json::from_str).transpose();
    Ok(stored.map_err(|error| store::Error::Corrupt(error.to_string()))?)
}

/// Where clients find the source of a package.
pub(super) fn public_url(package: &Package, system: &System) -> String {
    match system {
        System::Subversion(layout) => layout.base(&package.url).to_owned(),
        System::Git | System::Mercurial => package.url.clone(),
    }
}

/// The package's credential, opened; none if it is gone.
async fn key(appliance: &Appliance, org: OrgId, row: &credentials::Credential) -> Result<Option<Key>, UpdateError> {
    let refused = |error: KeyFailed| UpdateError::Refused(error.to_string());
    appliance.platform_key(org, row.id).await.map_err(refused)
}

/// The platform that a credential is for, if it is configured. There may be several Apps at one GitHub.
fn hub<'a>(
    appliance: &'a Appliance,
    row: &credentials::Credential,
    key: &Key,
    platform: PlatformKind,
) -> Option<&'a Hub> {
    let hubs = appliance.hubs.for_host(row.host.as_deref().unwrap_or_default(), Some(row.port.unwrap_or(443)));
    hubs.filter(|hub| hub.site().platform == platform).min_by_key(|hub| !hub.has_app_of(key))
}

/// The package's credential as it is shown to the server of its repository, and what it was made of.
pub(super) async fn open(
    appliance: &Appliance,
    org: OrgId,
    row: &credentials::Credential,
    url: &SourceUrl,
) -> Result<(Credential, Key), UpdateError> {
    let key = key(appliance, org, row).await?.ok_or(UpdateError::Interrupted)?;
    let fixed = || key.secret.fixed().cloned().ok_or(UpdateError::Interrupted);
    let authentication = match key.kind.as_str() {
        "http-basic" => Authentication::Basic { username: key.username.clone().unwrap_or_default(), secret: fixed()? },
        "http-bearer" => Authentication::Bearer { secret: fixed()? },
        "ssh-key" => Authentication::SshKey { username: key.username.clone(), private_key: fixed()? },
        kind => match PlatformKind::of_credential(kind) {
            Some(platform) => {
                let login = login(appliance, row, &key, platform, url).await?;
                match login.username.is_empty() {
                    true => Authentication::Bearer { secret: login.secret },
                    false => Authentication::Basic { username: login.username, secret: login.secret },
                }
            }
            None => return Err(unopened(row)),
        },
    };
    let usual = if matches!(authentication, Authentication::SshKey { .. }) { 22 } else { 443 };
    let host = row.host.clone().unwrap_or_default();
    Ok((Credential { host, port: row.port.unwrap_or(usual), authentication }, key))
}

fn unopened(row: &credentials::Credential) -> UpdateError {
    UpdateError::Refused(format!(
        "Credential `{}` has the type {}, which does not open Git repositories: choose one of type http-basic, http-bearer or ssh-key.",
        row.name, row.kind
    ))
}

/// What a platform's credential shows to Git: a token is shown as it is, and an App's installation gets one for an hour,
/// which opens this repository and no other.
async fn login(
    appliance: &Appliance,
    row: &credentials::Credential,
    key: &Key,
    platform: PlatformKind,
    url: &SourceUrl,
) -> Result<GitLogin, UpdateError> {
    let Some(hub) = hub(appliance, row, key, platform) else {
        return match key.git_login().await? {
            Some(login) => Ok(login),
            None if row.kind == "github-app" => Err(UpdateError::Refused(format!(
                "Credential `{}` is of a GitHub App, and there is no [[integration]] for its host in config.toml: add one.",
                row.name
            ))),
            None => Err(unopened(row)),
        };
    };
    let path = url.decoded_path();
    Ok(hub.git_login(key, Some(path.trim_matches('/'))).await?)
}

/// The refs of a snapshot as the rules of versions take them.
pub(super) fn refs(snapshot: &Snapshot) -> Vec<RefSource> {
    let mut seen = HashSet::new();
    let new = snapshot.refs.iter().filter(|listed| seen.insert(&listed.name));
    new.filter_map(|listed| ref_source(listed, snapshot)).collect()
}

/// What names the package where that is no branch.
pub(super) fn root(snapshot: &Snapshot) -> Option<RefSource> {
    ref_source(snapshot.root.as_deref()?, snapshot)
}

fn ref_source(listed: &RemoteRef, snapshot: &Snapshot) -> Option<RefSource> {
    ref_with(listed, &listed.manifest, snapshot)
}

/// A ref with one of the manifests that its commit has.
pub(super) fn ref_with(listed: &RemoteRef, manifest: &Manifest, snapshot: &Snapshot) -> Option<RefSource> {
    let (kind, name) = if let Some(name) = listed.name.strip_prefix("refs/tags/") {
        (RefKind::Tag, name)
    } else {
        (RefKind::Branch, listed.name.strip_prefix("refs/heads/")?)
    };
    let (blob, manifest) = match manifest {
        _ if listed.commit.is_none() => (String::new(), Err(NoManifest::NotACommit)),
        Manifest::Blob(id) => (id.clone(), snapshot.manifests.get(id).cloned().ok_or(NoManifest::Missing)),
        Manifest::Missing => (String::new(), Err(NoManifest::Missing)),
        Manifest::NotAFile => (String::new(), Err(NoManifest::NotAFile)),
        Manifest::TooLarge { bytes } => (String::new(), Err(NoManifest::TooLarge { bytes: *bytes })),
    };
    Some(RefSource {
        kind,
        name: name.to_owned(),
        commit: listed.commit.clone().unwrap_or_else(|| listed.target.clone()),
        time: listed.time.unwrap_or(0),
        offset: listed.offset,
        blob,
        manifest,
    })
}

/// A README as it is kept. What is no UTF-8 in it is replaced, and so are the bytes that no text has.
pub(super) fn readme(found: &vcs::Readme, snapshot: &Snapshot) -> readmes::Readme {
    let text =
        snapshot.manifests.get(&found.blob).map(|bytes| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}"));
    readmes::Readme {
        name: found.name.clone(),
        blob: found.blob.clone(),
        size: i64::try_from(found.bytes).unwrap_or(i64::MAX),
        text,
    }
}
