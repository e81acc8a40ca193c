//! The verb: list the remote, fetch what changed, derive versions, publish them.

use std::sync::Arc;

use super::directories::{self, Whole};
use super::import::{self, Import};
use super::log::Log;
use super::source::{self, Source};
use super::{host_keys, made, render};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::composer::derive::{self, Repository, SourceTemplate};
use crate::composer::name::PackageName;
use crate::platform::HubError;
use crate::store::directories::Read;
use crate::store::refs::{self, Ref};
use crate::store::runs::Changes;
use crate::store::{self, credentials, documents, organizations, packages, repositories};
use crate::vcs::{Snapshot, System, Update, VcsError};

/// What an update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The package was removed meanwhile.
    Gone,
    /// The remote lists what it listed before.
    Unchanged {
        /// Announced commits that are not visible yet.
        unseen: Vec<String>,
    },
    /// The repository was read again.
    Imported {
        /// Announced commits that are not visible yet.
        unseen: Vec<String>,
        /// Whether a document is served that was not before.
        published: bool,
        /// What became of the versions.
        changes: Changes,
    },
}

/// Why an update did not publish what the repository has.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The repository could not be read.
    #[error(transparent)]
    Vcs(#[from] VcsError),
    /// The repository cannot be used as it is, or as the package is set up.
    #[error("{0}")]
    Refused(String),
    /// An administrator has to decide.
    #[error("{reason}")]
    Held {
        /// What it is about.
        reason: String,
        /// The vendor that has to become the organization's, if that is it.
        vendor: Option<String>,
        /// The name that another package has, if that is it.
        name: Option<String>,
    },
    /// The platform does not let us in, or not now.
    #[error(transparent)]
    Platform(#[from] HubError),
    /// The database failed us.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The computation was torn down.
    #[error("the update was interrupted")]
    Interrupted,
}

/// Brings what is served for a package up to date with its repository. `announced`: commits that whoever pushed told us of,
/// at `announced_at`.
///
/// # Errors
/// [`UpdateError`]; what was served before is served on, and the package says why.
pub async fn update(
    appliance: &Appliance,
    key: PackageKey,
    announced: Vec<String>,
    announced_at: Option<Timestamp>,
    log: &Log,
) -> Result<Report, UpdateError> {
    let PackageKey { org, package } = key;
    rerender(appliance, key).await?;
    let children = appliance.database.read(move |db| store::directories::children(org, db, package)).await?;
    for child in children {
        rerender(appliance, PackageKey { org, package: child.id }).await?;
    }
    if let Some(report) = made::update(appliance, key, log).await? {
        return Ok(report);
    }
    let Some(mut source) = source::find(appliance, key, announced).await? else {
        log.info("The package was removed meanwhile");
        return Ok(Report::Gone);
    };
    if source.package.retired_at.is_some() {
        log.info("Its repository is gone: there is nothing to read any more");
        return Ok(Report::Gone);
    }
    let frozen = appliance.database.read(move |db| repositories::frozen(org, db, package)).await?;
    if let Some(reason) = frozen {
        log.info(reason);
        return Ok(Report::Gone);
    }
    let now = appliance.now();
    appliance.database.write(move |tx| packages::set_started(org, tx, package, now)).await?;
    source.request.progress = log.progress();
    let credential = source.package.credential;
    log.info(match &source.package.credential_name {
        Some(name) => format!("Asking {} with the credential {name}", source.request.url),
        None => format!("Asking {}", source.request.url),
    });
    let (by_platform, is_minted) = (source.by_platform, source.is_minted);
    let (url, host_keys) = (source.request.url.clone(), source.request.host_keys.clone());
    let read = read(appliance, key, &mut source, log).await?;
    host_keys::learn(appliance, &url, host_keys.learned()).await?;
    if let Some(credential) = credential {
        let status = match &read {
            Ok(_) => "ok",
            Err(_) if is_minted => "",
            Err(VcsError::AuthFailed { .. } | VcsError::CredentialRefused { .. } | VcsError::SshDenied { .. }) => {
                "refused"
            }
            Err(VcsError::Forbidden { .. }) if !by_platform => "refused",
            // What else went wrong says nothing about the credential.
            Err(_) => "",
        };
        if !status.is_empty() {
            appliance.database.write(move |tx| credentials::set_status(org, tx, credential, status)).await?;
        }
    }
    match read? {
        Update::Unchanged { unseen } => {
            let now = appliance.now();
            appliance.database.write(move |tx| packages::set_unchanged(org, tx, package, now)).await?;
            log.info("Nothing is new");
            Ok(Report::Unchanged { unseen })
        }
        Update::Changed(snapshot) => {
            publish(appliance, key, (&source.package, &source.request.system), snapshot, announced_at, log).await
        }
    }
}

/// Reads the repository, with another login where a platform does not know the one that it has made.
async fn read(
    appliance: &Appliance,
    key: PackageKey,
    source: &mut Source,
    log: &Log,
) -> Result<Result<Update, VcsError>, UpdateError> {
    let mut tries = 0;
    loop {
        let read = appliance.vcs.update_of(key.org.0, source.request.clone()).await;
        let Err(error) = &read else { return Ok(read) };
        if !source.log_in_again(appliance, key.org, error, tries).await? {
            return Ok(read);
        }
        log.info("It did not accept the login that the platform has made for us: trying again");
        tries += 1;
    }
}

async fn publish(
    appliance: &Appliance,
    key: PackageKey,
    (package, system): (&packages::Package, &System),
    snapshot: Snapshot,
    announced_at: Option<Timestamp>,
    log: &Log,
) -> Result<Report, UpdateError> {
    let unseen = snapshot.unseen.clone();
    log.read(&snapshot);
    // Held until everything that is made of the snapshot is gone.
    let _memory = snapshot.reserved.clone();
    if !snapshot.lost.is_empty() {
        tracing::error!(
            package.id = key.package.0,
            commits = ?snapshot.lost,
            "The mirror was damaged and cloned again; these commits could not be rescued: archives of them that were not built before cannot be built any more."
        );
    }
    let default_branch =
        snapshot.default_branch.as_deref().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name).to_owned());
    let slug = organization_slug(appliance, key).await?;
    let whole = Whole {
        key,
        package,
        default_branch,
        repository_url: appliance.repository_url(&slug),
        announced_at,
        snapshot: Arc::new(snapshot),
    };
    let (published, changes, events) = match &package.directories {
        None => {
            let import::Outcome { published, changes, events } = publish_root(appliance, &whole, system, log).await?;
            (published, changes, events)
        }
        Some(_) => {
            let (published, changes) = publish_directories(appliance, &whole, system, log).await?;
            (published, changes, Vec::new())
        }
    };
    log.changes(&changes);
    log.repointed(&events);
    log.info(if published { "Published" } else { "What is served is the same as before" });
    Ok(Report::Imported { unseen, published, changes })
}

/// Publishes the package that a repository as a whole is.
async fn publish_root(
    appliance: &Appliance,
    whole: &Whole<'_>,
    system: &System,
    log: &Log,
) -> Result<import::Outcome, UpdateError> {
    let package = whole.package;
    let registered = package.name.as_deref().and_then(|name| PackageName::parse(name).ok());
    let template = SourceTemplate { vcs: system.word().to_owned(), url: source::public_url(package, system) };
    let in_order = !matches!(system, System::Git);
    let (snapshot, default_branch) = (Arc::clone(&whole.snapshot), whole.default_branch.clone());
    let (refs, derivation) = tokio::task::spawn_blocking(move || {
        let (refs, root) = (source::refs(&snapshot), source::root(&snapshot));
        let derivation = derive::derive(&Repository {
            refs: &refs,
            default_branch: default_branch.as_deref(),
            in_order,
            root: root.as_ref(),
            registered: registered.as_ref(),
            source: Some(template),
        });
        (refs, derivation)
    })
    .await
    .map_err(|_| UpdateError::Interrupted)?;
    let snapshot = &whole.snapshot;
    let readme = snapshot.readme.as_deref().map(|readme| source::readme(readme, snapshot));
    log.derived(&derivation);
    let import = Import {
        key: whole.key,
        repository_url: whole.repository_url.clone(),
        refs,
        targets: snapshot.refs.clone(),
        refs_digest: snapshot.digest.clone(),
        default_branch: whole.default_branch.clone(),
        derivation,
        readme,
        announced_at: whole.announced_at,
        subtrees: Vec::new(),
        may_bring_vendor: true,
        may_be_empty: false,
    };
    import::import(appliance, import).await
}

/// Publishes the packages in the directories of a repository, and that of its root if it is one too. What is refused is asked for
/// again by the next update, whatever the repository lists then.
async fn publish_directories(
    appliance: &Appliance,
    whole: &Whole<'_>,
    system: &System,
    log: &Log,
) -> Result<(bool, Changes), UpdateError> {
    let PackageKey { org, package } = whole.key;
    let has_root = source::directories(whole.package)?.is_some_and(|directories| directories.has_root());
    let mut all = directories::publish(appliance, whole, log).await?;
    if has_root {
        let root = publish_root(appliance, whole, system, log).await?;
        all.published |= root.published;
        log.repointed(&root.events);
        all.changes.take(".", &root.changes);
        if all.refused > 0 {
            appliance.database.write(move |tx| packages::forget_refs(org, tx, package)).await?;
        }
    } else {
        if whole.package.name.is_some() && whole.package.versions > 0 {
            log.info("Its root is no package any more: its versions are taken back");
            import::clear(appliance, whole.key, whole.repository_url.clone()).await?;
        }
        if all.packages == 0 {
            return Err(UpdateError::Refused(nothing_in_directories(whole.package)?));
        }
        let snapshot = &whole.snapshot;
        let refs = snapshot.refs.iter().map(|listed| Ref {
            name: listed.name.clone(),
            target: listed.target.clone(),
            reason: None,
        });
        let refs: Vec<Ref> = refs.collect();
        let read = Read {
            digest: (all.refused == 0).then(|| snapshot.digest.clone()),
            refs: i64::try_from(refs.len()).unwrap_or(i64::MAX),
            default_branch: whole.default_branch.clone(),
        };
        let now = appliance.now();
        appliance
            .database
            .write(move |tx| {
                refs::replace(org, tx, package, &refs)?;
                store::directories::set_read(org, tx, package, &read, now)
            })
            .await?;
    }
    all.changes.refs = whole.snapshot.refs.len();
    Ok((all.published, all.changes))
}

fn nothing_in_directories(package: &packages::Package) -> Result<String, UpdateError> {
    let meant = source::directories(package)?.map(|directories| directories.to_string()).unwrap_or_default();
    Ok(format!(
        "No branch and no tag has a package in the directories that are meant ({meant}): write where the directories with a composer.json are, with `package directories {} LINE…` or in the settings.",
        package.id
    ))
}

pub(super) async fn organization_slug(appliance: &Appliance, key: PackageKey) -> Result<String, UpdateError> {
    let organization = appliance.database.read(move |db| organizations::by_id(key.org, db)).await?;
    organization.map(|organization| organization.slug).ok_or(UpdateError::Interrupted)
}

/// Renders a package's documents again from its stored versions if the organization has another
/// address than when they were rendered, or this release of ours renders differently.
///
/// # Errors
/// If the database cannot be read or written.
pub async fn rerender(appliance: &Appliance, key: PackageKey) -> Result<(), UpdateError> {
    let Some(organization) = appliance.database.read(move |db| organizations::by_id(key.org, db)).await? else {
        return Ok(());
    };
    let repository_url = appliance.repository_url(&organization.slug);
    let render_key = render::key(&repository_url);
    let wanted = render_key.clone();
    let outdated = appliance.database.read(move |db| documents::is_outdated(key.org, db, key.package, &wanted)).await?;
    if outdated {
        import::rerender(appliance, key, render_key, repository_url).await?;
    }
    Ok(())
}
