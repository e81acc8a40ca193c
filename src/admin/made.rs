//! Packages that somebody makes here: of JSON, of uploaded archives, or to block a name.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::json;
use tempfile::TempPath;
use tokio::sync::Semaphore;

use super::packages::{Added, title};
use super::{Actor, Error, Result, credentials as use_credentials};
use crate::appliance::{Appliance, PackageKey};
use crate::composer::name::PackageName;
use crate::composer::version;
use crate::publish::artifact::{self, Digests, Limits};
use crate::publish::definition::{self, Undefined};
use crate::publish::request::{self, Reason};
use crate::store::artifacts::{self, Artifact};
use crate::store::ids::{JobId, OrgId, PackageId};
use crate::store::packages::{self, Package};
use crate::store::{self, Tx, dists, listings};

/// How a package without a repository is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of JSON.
    Custom,
    /// Of uploaded archives.
    Artifact,
    /// Not at all: the name is blocked.
    Blocked,
}

impl Kind {
    /// All of them.
    const ALL: [Self; 3] = [Self::Custom, Self::Artifact, Self::Blocked];

    /// The one that a word means which stands where others have a version control system.
    #[must_use]
    pub fn of(vcs: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == vcs)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Artifact => "artifact",
            Self::Blocked => "blocked",
        }
    }

    /// Where its versions come from, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Custom => "JSON",
            Self::Artifact => "uploaded archives",
            Self::Blocked => "blocked name",
        }
    }
}

/// How many uploads are looked into at once: each may take a core for minutes.
const AT_ONCE: usize = 2;
/// Most bytes that all `composer.json` files of one package may have: each update reads them all, into memory.
const MANIFESTS: i64 = 16 << 20;

/// Whether a package has no repository.
#[must_use]
pub fn is_made(package: &Package) -> bool {
    Kind::of(&package.vcs).is_some()
}

/// The keys by which packages that are made here are found by the name `text`.
pub(super) fn keys(text: &str) -> Vec<String> {
    let Ok(name) = PackageName::parse_lenient(text) else { return Vec::new() };
    Kind::ALL.iter().map(|kind| format!("//{}/{name}", kind.word())).collect()
}

/// Refuses what needs a repository.
pub(super) fn require_repository(package: &Package, so: &str) -> Result<()> {
    match is_made(package) {
        true => Err(Error::invalid(format!("{} has no repository, {so}", title(package)))),
        false => Ok(()),
    }
}

/// Refuses a credential where there is nothing to fetch.
pub(super) fn require_fit(package: &Package, has_credential: bool) -> Result<()> {
    match has_credential && package.vcs != "custom" {
        true => Err(Error::invalid(format!("nothing is fetched for {}, so it needs no credential", title(package)))),
        false => Ok(()),
    }
}

/// What a new custom package is made of.
#[derive(Clone, Debug, Default)]
pub struct NewCustom {
    /// Its versions: one object or a list of them.
    pub json: String,
    /// The name of the credential that is shown to the host of its archives.
    pub credential: Option<String>,
    /// Whether it is somebody else's package, so that its vendor is not the organization's.
    pub fork: bool,
}

/// A file that somebody uploads.
#[derive(Debug)]
pub struct Upload {
    /// Where it is, in the storage's own place for unfinished archives.
    pub file: TempPath,
    /// What it is called.
    pub file_name: String,
    /// Which version it is, where it does not say itself.
    pub version: Option<String>,
    /// Whose version it has to be; none for the one that it says.
    pub package: Option<PackageId>,
    /// Whether it may take the place of what the version has.
    pub replace: bool,
    /// Whether a package that it brings is somebody else's.
    pub fork: bool,
}

/// What an upload came to.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// Its package.
    pub package: PackageId,
    /// That package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The update that publishes it.
    pub job: JobId,
    /// Whether the same bytes were there already.
    pub is_known: bool,
}

fn undefined(error: &Undefined) -> Error {
    Error::invalid(error.to_string())
}

/// Adds a custom package and queues its first update, which fetches its archives.
///
/// # Errors
/// If the JSON is none of a package, or the name is taken.
pub async fn add_custom(appliance: &Appliance, actor: &Actor, org: OrgId, new: NewCustom) -> Result<Added> {
    let plain = appliance.settings.url_policy.allow_insecure;
    let defined = definition::parse(&new.json, plain).map_err(|error| undefined(&error))?;
    let (actor, now) = (actor.clone(), appliance.now());
    let name = defined.name.as_str().to_owned();
    appliance
        .database
        .write(move |tx| {
            let credential = new.credential.as_deref().map(|name| use_credentials::find(org, tx, name)).transpose()?;
            let row = row("custom", &name, credential.as_ref().map(|credential| credential.id), new.fork, now);
            let id = insert(tx, org, &row, &name, now)?;
            artifacts::set_definition(org, tx, id, &new.json)?;
            let detail =
                json!({ "id": id, "credential": credential.map(|credential| credential.name), "fork": new.fork });
            actor.record(tx, Some(org), "package.add-custom", &name, detail, now)?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            Ok(Added { id, job })
        })
        .await
}

/// Replaces the JSON of a custom package; versions that are not in it any more are taken back, their archives stay.
///
/// # Errors
/// If it is none, or of another package.
pub async fn change_custom(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    json: String,
) -> Result<JobId> {
    require(package, "custom", "is no custom package, and so has no JSON")?;
    let plain = appliance.settings.url_policy.allow_insecure;
    let defined = definition::parse(&json, plain).map_err(|error| undefined(&error))?;
    let name = made_name(package).to_owned();
    if defined.name.as_str() != name {
        return Err(Error::invalid(format!(
            "the JSON is of {}, and the package is {name}: a custom package keeps its name; add another one",
            defined.name
        )));
    }
    let (actor, now, id, versions) = (actor.clone(), appliance.now(), package.id, defined.versions.len());
    appliance
        .database
        .write(move |tx| {
            artifacts::set_definition(org, tx, id, &json)?;
            actor.record(
                tx,
                Some(org),
                "package.change-custom",
                &name,
                json!({ "id": id, "versions": versions }),
                now,
            )?;
            Ok(request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?)
        })
        .await
}

/// The JSON of a custom package.
///
/// # Errors
/// If it is none.
pub async fn json_of(appliance: &Appliance, org: OrgId, package: &Package) -> Result<String> {
    require(package, "custom", "is no custom package, and so has no JSON")?;
    let id = package.id;
    let found = appliance.database.read(move |db| artifacts::definition(org, db, id)).await?;
    found.ok_or_else(|| Error::not_found(format!("package {id} was removed meanwhile")))
}

/// Blocks a name: it is answered as one without versions, so that no client finds it anywhere else.
///
/// # Errors
/// If it is no name, or taken.
pub async fn block(appliance: &Appliance, actor: &Actor, org: OrgId, name: &str) -> Result<Added> {
    let name = PackageName::parse_lenient(name.trim()).map_err(|error| Error::invalid(error.to_string()))?;
    let (actor, now, name) = (actor.clone(), appliance.now(), name.as_str().to_owned());
    appliance
        .database
        .write(move |tx| {
            // Its vendor is somebody else's: the others of that vendor are not the organization's.
            let id = insert(tx, org, &row("blocked", &name, None, true, now), &name, now)?;
            actor.record(tx, Some(org), "package.block", &name, json!({ "id": id }), now)?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            Ok(Added { id, job })
        })
        .await
}

fn row(
    kind: &str,
    name: &str,
    credential: Option<store::ids::CredentialId>,
    fork: bool,
    now: crate::clock::Timestamp,
) -> packages::New {
    let (url, url_key) = (format!("{kind}:{name}"), format!("//{kind}/{name}"));
    packages::New { url, url_key, vcs: kind.to_owned(), credential, fork, next_check_at: now }
}

fn insert(tx: &Tx<'_>, org: OrgId, row: &packages::New, name: &str, now: crate::clock::Timestamp) -> Result<PackageId> {
    if let Some(listing) = listings::by_name(org, tx, name)? {
        return Err(Error::conflict(format!(
            "the organization has {name} already: it is package {}; remove that one first",
            listing.package
        )));
    }
    if let Some(there) = packages::by_url_key(org, tx, &row.url_key)? {
        return Err(Error::conflict(format!("the organization has {name} already: it is package {}", there.id)));
    }
    Ok(packages::insert(org, tx, row, now)?)
}

/// The name for which a package was made.
fn made_name(package: &Package) -> &str {
    package.url.split_once(':').map_or("", |(_, name)| name)
}

fn require(package: &Package, kind: &str, otherwise: &str) -> Result<()> {
    match package.vcs == kind {
        true => Ok(()),
        false => Err(Error::invalid(format!("{} {otherwise}", title(package)))),
    }
}

/// What was found in an upload.
struct Looked {
    path: TempPath,
    served: Digests,
    uploaded: [u8; 32],
    manifest: String,
}

fn look(file: TempPath, out: TempPath, name: &str) -> std::result::Result<Looked, String> {
    let disk = |error: std::io::Error| format!("the server's disk refused: {error}");
    let sums = artifact::digests(&file).map_err(disk)?;
    let found =
        artifact::inspect(&file, Some(name), &out, &Limits::default()).map_err(|refusal| refusal.to_string())?;
    let manifest = found.manifest.map_err(|refusal| refusal.to_string())?;
    let manifest = String::from_utf8(manifest).map_err(|_| "its composer.json is not UTF-8".to_owned())?;
    let uploaded = sums.sha256;
    let (path, served) = match found.repacked {
        true => {
            let served = artifact::digests(&out).map_err(disk)?;
            (out, served)
        }
        false => (file, sums),
    };
    Ok(Looked { path, served, uploaded, manifest })
}

/// Takes an upload: looks into it, stores it as a version of its package, which is made if it is new, and queues the update
/// that publishes it.
///
/// # Errors
/// If it is no archive of a package, or the version has another one already.
pub async fn upload(appliance: &Appliance, actor: &Actor, org: OrgId, upload: Upload) -> Result<Uploaded> {
    static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));
    let Upload { file, file_name, version, package, replace, fork } = upload;
    let file_name = plain_name(&file_name);
    let _turn = TURNS.acquire().await.map_err(|_| Error::Interrupted)?;
    let (storage, shown) = (appliance.storage.clone(), file_name.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let out = storage.begin().map_err(|error| format!("the server's disk refused: {error}"))?;
        let looked = look(file, out, &shown)?;
        let finished = |looked: Looked| {
            let finished = storage.finish(looked.path, &looked.served.sha256);
            finished.map(|finished| (finished, looked.served, looked.uploaded, looked.manifest))
        };
        finished(looked).map_err(|error| format!("the server's disk refused: {error}"))
    })
    .await
    .map_err(|_| Error::Interrupted)?;
    let refused = |what: String| Error::invalid(format!("{file_name} cannot be taken: {what}"));
    let (finished, served, uploaded, manifest) = looked.map_err(refused)?;
    let (name, found) = definition::uploaded(&manifest, version.as_deref(), &served.sha1)
        .map_err(|error| Error::invalid(format!("{file_name} cannot be taken: {error}")))?;
    let (actor, now, digest) = (actor.clone(), appliance.now(), served.sha256);
    let name = name.as_str().to_owned();
    let done = appliance
        .database
        .write(move |tx| {
            let id = package_of(tx, org, package, (&name, fork), now)?;
            let size = i64::try_from(served.size).unwrap_or(i64::MAX);
            let before = artifacts::of_version(org, tx, id, &found.version_normalized)?;
            let is_known = before.as_ref().is_some_and(|before| before.uploaded == uploaded);
            if let Some(before) = before.filter(|_| !is_known && !replace) {
                return Err(Error::conflict(format!(
                    "version {} of {name} is there already, from {}, with other bytes: lock files name them. Upload it as another version, or say that it replaces that one",
                    before.version, before.file_name
                ))
                .by_command("`--replace` does"));
            }
            let row = Artifact {
                version_normalized: found.version_normalized,
                version: found.version.clone(),
                file_name: file_name.clone(),
                uploaded: uploaded.to_vec(),
                shasum: served.sha1.clone(),
                size,
                manifest,
                uploaded_at: now,
                uploaded_by: actor.text().to_owned(),
            };
            artifacts::put(org, tx, id, &row)?;
            if artifacts::manifest_bytes(org, tx, id)? > MANIFESTS {
                return Err(Error::conflict(format!(
                    "the composer.json files of {name} have more than {} MiB altogether: remove old versions first",
                    MANIFESTS >> 20
                )));
            }
            dists::publish(org, tx, id, &served.sha1, &served.sha1)?;
            if !dists::set_built(org, tx, id, &served.sha1, (&served.sha1, &digest, size), now)? {
                return Err(Error::conflict(format!("{file_name} cannot be taken: these bytes were purged for good")));
            }
            let detail = json!({ "id": id, "version": found.version, "file": file_name, "shasum": served.sha1, "replaced": replace && !is_known });
            actor.record(tx, Some(org), "package.upload", &name, detail, now)?;
            let job = request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?;
            finished.place().map_err(store::Error::from)?;
            Ok(Uploaded { package: id, name, version: found.version, job, is_known })
        })
        .await?;
    let storage = appliance.storage.clone();
    let settled = tokio::task::spawn_blocking(move || storage.settle(&digest)).await.map_err(|_| Error::Interrupted)?;
    settled.map_err(store::Error::from)?;
    Ok(done)
}

/// The package that an upload is of, which is made if it is new.
fn package_of(
    tx: &Tx<'_>,
    org: OrgId,
    wanted: Option<PackageId>,
    (name, fork): (&str, bool),
    now: crate::clock::Timestamp,
) -> Result<PackageId> {
    let there = packages::by_url_key(org, tx, &format!("//artifact/{name}"))?;
    if let Some(wanted) = wanted.filter(|wanted| there.as_ref().is_none_or(|there| there.id != *wanted)) {
        let package = packages::by_id(org, tx, wanted)?;
        let package = package.ok_or_else(|| Error::not_found(format!("package {wanted} was removed meanwhile")))?;
        require(&package, "artifact", "has no uploaded archives: its versions come from elsewhere")?;
        return Err(Error::invalid(format!("its composer.json says that it is {name}, not {}", made_name(&package))));
    }
    match there {
        Some(there) => Ok(there.id),
        None => insert(tx, org, &row("artifact", name, None, fork, now), name, now),
    }
}

/// The last part of what a file is called, as browsers and commands give it.
fn plain_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|letter| !letter.is_control()).take(200).collect();
    if plain.is_empty() { "the file".to_owned() } else { plain }
}

/// A copy of a file of this machine where uploads begin, which is what may be stored.
///
/// # Errors
/// If it cannot be read, or is larger than may be taken.
pub async fn copy(appliance: &Appliance, path: &Path) -> Result<TempPath> {
    let (storage, path, most) = (appliance.storage.clone(), path.to_owned(), appliance.settings.max_upload);
    let copied = tokio::task::spawn_blocking(move || -> std::result::Result<TempPath, Error> {
        let shown = path.display().to_string();
        let unreadable = |error: std::io::Error| Error::invalid(format!("{shown} cannot be read: {error}"));
        let file = std::fs::File::open(&path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{shown} is no file")));
        }
        if metadata.len() > most {
            return Err(Error::invalid(too_large(&shown, most)));
        }
        let place = storage.begin().map_err(store::Error::from)?;
        let mut out = std::fs::File::create(&place).map_err(store::Error::from)?;
        std::io::copy(&mut std::io::Read::take(file, most), &mut out).map_err(store::Error::from)?;
        Ok(place)
    });
    copied.await.map_err(|_| Error::Interrupted)?
}

/// What is said of a file that is too large.
#[must_use]
pub fn too_large(name: &str, most: u64) -> String {
    format!(
        "{name} has more than {} MiB: `max_upload` under [server] in config.toml says how much is taken",
        most >> 20
    )
}

/// A package's uploaded archives.
///
/// # Errors
/// If it has none by its kind.
pub async fn uploads(appliance: &Appliance, org: OrgId, package: &Package) -> Result<Vec<Artifact>> {
    require(package, "artifact", "has no uploaded archives: its versions come from elsewhere")?;
    let id = package.id;
    Ok(appliance.database.read(move |db| artifacts::of_package(org, db, id)).await?)
}

/// Takes a version back; its archive stays for lock files, until the package is removed.
///
/// # Errors
/// If there is no such version.
pub async fn remove_upload(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    package: &Package,
    text: &str,
) -> Result<JobId> {
    require(package, "artifact", "has no uploaded archives: its versions come from elsewhere")?;
    let normalized = version::normalize(text.trim()).map_err(|error| Error::invalid(error.to_string()))?;
    let (actor, now, id, name) = (actor.clone(), appliance.now(), package.id, title(package));
    let version = text.trim().to_owned();
    appliance
        .database
        .write(move |tx| {
            if !artifacts::remove(org, tx, id, &normalized)? {
                return Err(Error::not_found(format!("{name} has no uploaded version {version}")));
            }
            actor.record(
                tx,
                Some(org),
                "package.remove-upload",
                &name,
                json!({ "id": id, "version": version }),
                now,
            )?;
            Ok(request::update(tx, PackageKey { org, package: id }, Reason::Command, &[], now)?)
        })
        .await
}
