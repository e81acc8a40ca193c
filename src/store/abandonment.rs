//! Whether packages are abandoned, by whose word.

use super::database::Change;
use super::ids::{OrgId, PackageId};
use super::{Result, Tx};

/// What a row of `package` is by its platform's word, as JSON: a package in a directory is what its repository is.
pub(super) const ARCHIVED: &str = "CASE coalesce(
    (SELECT s.archived FROM package s WHERE s.id = package.parent_id), archived) WHEN 1 THEN 'true' END";

/// Says by hand whether a package is abandoned (JSON: `true`, or the name of its replacement), or (none) leaves that to its
/// `composer.json` and its platform again. Its documents are rendered anew at its next update, whatever that reads.
///
/// # Errors
/// If the database cannot be written.
pub fn set_here(org: OrgId, tx: &Tx<'_>, package: PackageId, abandoned: Option<&str>) -> Result<()> {
    tx.execute(
        &format!(
            "UPDATE package SET abandoned_here = ?3, abandoned = coalesce(?3, abandoned_there, {ARCHIVED})
             WHERE org_id = ?1 AND id = ?2"
        ),
        (org, package, abandoned),
    )?;
    expire(org, tx, package)?;
    tx.changed(Change::Package(org, package));
    Ok(())
}

/// Records whether the platform says that nobody works on a package any more; its next update publishes that.
///
/// # Errors
/// If the database cannot be written.
pub fn set_archived(org: OrgId, tx: &Tx<'_>, id: PackageId, archived: bool) -> Result<()> {
    tx.execute(
        "UPDATE package SET archived = ?3, refs_digest = NULL WHERE org_id = ?1 AND id = ?2",
        (org, id, archived),
    )?;
    Ok(())
}

/// Marks a package's documents so that its next update renders them anew.
///
/// # Errors
/// If the database cannot be written.
pub fn expire(org: OrgId, tx: &Tx<'_>, package: PackageId) -> Result<()> {
    tx.execute(
        "UPDATE document SET render_key = '' WHERE org_id = ?1
             AND listing_id IN (SELECT id FROM listing WHERE org_id = ?1 AND package_id = ?2)",
        (org, package),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

    use super::ARCHIVED;

    #[test]
    fn a_package_in_a_directory_is_what_its_repository_is() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database
            .execute_batch(
                "CREATE TABLE package (id INTEGER PRIMARY KEY, parent_id INTEGER, archived INTEGER NOT NULL);
                 INSERT INTO package VALUES (1, NULL, 1), (2, 1, 0), (3, NULL, 0), (4, 3, 0);",
            )
            .unwrap();
        let mut said = database.prepare(&format!("SELECT {ARCHIVED} FROM package ORDER BY id")).unwrap();
        let said: Vec<Option<String>> =
            said.query_map((), |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        let archived = Some("true".to_owned());
        assert_eq!(said, [archived.clone(), archived, None, None]);
    }
}
