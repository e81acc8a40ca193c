//! Files that nobody needs any more: mirrors of removed packages, archives that no book names.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{Error, Result};
use crate::appliance::Appliance;
use crate::storage::Digest;
use crate::store::ids::PackageId;
use crate::store::{self, dists, entries, organizations};

/// How the names of mirrors end.
const MIRROR: &str = ".git";
/// How the names of mirrors end that are being removed.
const REMOVED: &str = ".removed";
/// How many archives are removed in one transaction, which others must not have to wait for long.
const TOGETHER: usize = 50;

/// What was removed from the books.
#[derive(Debug, Default)]
pub struct Removed {
    /// Packages, whose mirrors go.
    pub packages: Vec<PackageId>,
    /// Archives, which go unless another package has the same.
    pub digests: Vec<Vec<u8>>,
}

/// Removes the files. What the disk refuses to remove is logged, and left for [`sweep`].
///
/// # Errors
/// If the database cannot be asked.
pub async fn remove(appliance: &Appliance, removed: Removed) -> Result<()> {
    despite_the_disk(remove_archives(appliance, removed.digests).await)?;
    let mirrors: Vec<_> = removed.packages.iter().map(|package| appliance.mirror(*package)).collect();
    tokio::task::spawn_blocking(move || {
        for mirror in mirrors {
            remove_mirror(&mirror);
        }
    })
    .await
    .map_err(|_| Error::Interrupted)
}

/// Removes those of the archives that no book names: any may have been recorded again meanwhile.
///
/// # Errors
/// If the database cannot be asked, or the disk refuses to remove one; the others are gone then.
pub async fn remove_archives(appliance: &Appliance, digests: Vec<Vec<u8>>) -> Result<()> {
    let mut refused = None;
    for some in digests.chunks(TOGETHER) {
        let (some, storage) = (some.to_vec(), appliance.storage.clone());
        // In a write transaction, because archives are recorded and put in their places in one too: nobody can record
        // one between the question and the removal.
        let removed = appliance.database.write(move |tx| {
            let mut refused = None;
            for digest in some {
                let Ok(digest) = Digest::try_from(digest) else { continue };
                if !dists::is_used(tx, &digest)? {
                    refused = storage.remove(&digest).err().or(refused);
                }
            }
            Ok::<_, Error>(refused)
        });
        refused = removed.await?.or(refused);
    }
    refused.map_or(Ok(()), |error| Err(store::Error::from(error).into()))
}

/// Removes what a crash, or a disk that refused, left: mirrors of packages that are gone, archives that no book names.
///
/// # Errors
/// If the database cannot be asked.
pub async fn sweep(appliance: &Appliance) -> Result<()> {
    sweep_archives(appliance).await?;
    sweep_mirrors(appliance).await
}

async fn sweep_archives(appliance: &Appliance) -> Result<()> {
    for first in 0..=u8::MAX {
        despite_the_disk(sweep_folder(appliance, first).await)?;
    }
    Ok(())
}

/// Removes those archives whose digests begin with this byte and that no book names.
async fn sweep_folder(appliance: &Appliance, first: u8) -> Result<()> {
    let storage = appliance.storage.clone();
    let listed = tokio::task::spawn_blocking(move || storage.list(first)).await.map_err(|_| Error::Interrupted)?;
    let listed = listed.map_err(store::Error::from)?;
    // Asked here first, where nobody has to wait for it.
    let lost = appliance.database.read(move |db| {
        let mut lost = Vec::new();
        for digest in listed {
            if !dists::is_used(db, &digest)? {
                lost.push(digest.to_vec());
            }
        }
        Ok::<_, Error>(lost)
    });
    remove_archives(appliance, lost.await?).await
}

/// What the disk refuses is logged, and no reason to leave the rest.
fn despite_the_disk(done: Result<()>) -> Result<()> {
    match done {
        Err(Error::Store(store::Error::Io(error))) => {
            tracing::warn!(%error, "Archives that nobody needs could not be removed.");
            Ok(())
        }
        done => done,
    }
}

async fn sweep_mirrors(appliance: &Appliance) -> Result<()> {
    // The folder is read before the books: a package added in between has no mirror in the list.
    let folder = appliance.settings.data_dir.join("mirrors");
    let found = tokio::task::spawn_blocking(move || mirrors(&folder)).await.map_err(|_| Error::Interrupted)?;
    let known: HashSet<PackageId> = appliance
        .database
        .read(|db| {
            let mut known = HashSet::new();
            for organization in organizations::all(db)? {
                known.extend(entries::package_ids(organization.id, db)?);
            }
            Ok::<_, Error>(known)
        })
        .await?;
    let lost = found.into_iter().filter(|(_, id)| id.is_none_or(|id| !known.contains(&id)));
    let lost: Vec<_> = lost.map(|(path, _)| path).collect();
    tokio::task::spawn_blocking(move || lost.iter().for_each(|path| remove_mirror(path)))
        .await
        .map_err(|_| Error::Interrupted)
}

/// Mirrors with the ids in their names, and what is left of removed ones without.
fn mirrors(folder: &Path) -> Vec<(std::path::PathBuf, Option<PackageId>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name.ends_with(REMOVED) {
                return Some((entry.path(), None));
            }
            let id = name.strip_suffix(MIRROR)?.parse().ok()?;
            Some((entry.path(), Some(PackageId(id))))
        })
        .collect()
}

/// Renamed first, so that an update that is still running cannot write on into it.
fn remove_mirror(mirror: &Path) {
    let away = mirror.with_extension(REMOVED.trim_start_matches('.'));
    let result = match fs::rename(mirror, &away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Ok(()) => fs::remove_dir_all(&away),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(path = %mirror.display(), error = %error, "A mirror that nobody needs could not be removed.");
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{mirrors, remove_mirror};
    use crate::store::ids::PackageId;

    #[test]
    fn mirrors_are_known_by_their_names_and_go_whole() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["7.git", "8.removed", "other"] {
            std::fs::create_dir_all(folder.path().join(name).join("objects")).unwrap();
        }
        let mut found: Vec<_> = mirrors(folder.path()).into_iter().map(|(_, id)| id).collect();
        found.sort();
        assert_eq!(found, [None, Some(PackageId(7))]);
        remove_mirror(&folder.path().join("7.git"));
        remove_mirror(&folder.path().join("8.removed"));
        remove_mirror(&folder.path().join("9.git"));
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
    }
}
