//! Single packages that single people may read.

use rusqlite::{Connection, Row};

use super::ids::{AccountId, OrgId, PackageId, UserId};
use super::members::{Person, Whose};
use super::{Error, Result, Tx};
use crate::access::facts::GrantKind;
use crate::clock::Timestamp;

/// A grant, as access is computed from it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whose it is; none while nobody logged in by the account.
    pub user: Option<UserId>,
    /// The account that it is about; none: the person.
    pub account: Option<AccountId>,
    /// The package.
    pub package: PackageId,
    /// By what.
    pub kind: GrantKind,
    /// What an explanation adds.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Whether a synchronization found it, and that was confirmed too long ago to count.
    pub stale: bool,
}

fn kind(row: &Row<'_>, at: usize) -> rusqlite::Result<GrantKind> {
    let word: String = row.get(at)?;
    GrantKind::parse(&word).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            at,
            rusqlite::types::Type::Text,
            Box::new(Error::Corrupt(format!("the kind `{}` of a grant", word.escape_debug()))),
        )
    })
}

/// The grants of one person, or of everybody. `detailed`: with their details, which only explanations need.
///
/// # Errors
/// If the database cannot be read.
pub fn of(org: OrgId, connection: &Connection, whose: Whose, detailed: bool) -> Result<Vec<Grant>> {
    let detail = if detailed { "m.detail" } else { "''" };
    connection
        .prepare_cached(&format!(
            "SELECT coalesce(m.user_id, a.user_id), m.account_id, r.reached_id, m.kind, {detail}, m.expires_at,
                 EXISTS (SELECT 1 FROM sync s
                     WHERE s.org_id = m.org_id AND s.id = m.sync_id AND s.stale_at IS NOT NULL)
             FROM package_grant m JOIN reach r ON r.org_id = m.org_id AND r.package_id = m.package_id
             LEFT JOIN account a ON a.id = m.account_id WHERE m.org_id = ?1 AND {}",
            whose.condition("package_grant")
        ))?
        .query_map((org, whose.id()), |row| {
            Ok(Grant {
                user: row.get(0)?,
                account: row.get(1)?,
                package: row.get(2)?,
                kind: kind(row, 3)?,
                detail: row.get(4)?,
                until: row.get(5)?,
                stale: row.get(6)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// A grant, as lists show it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The person's name, or `integration:login`.
    pub person: String,
    /// The package.
    pub package: PackageId,
    /// Its name, or its id while it has none.
    pub package_name: String,
    /// By what.
    pub kind: GrantKind,
    /// What an explanation adds.
    pub detail: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// The organization's grants, by person and package; of one package, or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection, package: Option<PackageId>) -> Result<Vec<Listed>> {
    let one = if package.is_some() { "g.package_id = ?2" } else { "?2 IS NULL" };
    connection
        .prepare_cached(&format!(
            "SELECT coalesce(u.name, a.integration || ':' || a.login), g.package_id, coalesce(p.name, CAST(p.id AS TEXT)), g.kind,
                 g.detail, g.expires_at
             FROM package_grant g JOIN package p ON p.org_id = g.org_id AND p.id = g.package_id
             LEFT JOIN account a ON a.id = g.account_id
             LEFT JOIN user u ON u.id = coalesce(g.user_id, a.user_id)
             WHERE g.org_id = ?1 AND {one} ORDER BY 1, 3, g.id"
        ))?
        .query_map((org, package), |row| {
            Ok(Listed {
                person: row.get(0)?,
                package: row.get(1)?,
                package_name: row.get(2)?,
                kind: kind(row, 3)?,
                detail: row.get(4)?,
                until: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Lets somebody read a package; whether that is new.
///
/// # Errors
/// If the database cannot be written.
pub fn give(org: OrgId, tx: &Tx<'_>, package: PackageId, person: Person, now: Timestamp) -> Result<bool> {
    let (user, account) = person.columns();
    // For accounts no unique index says so: a grant of nobody's synchronization is none of it.
    let added = tx
        .prepare_cached(
            "INSERT INTO package_grant (org_id, package_id, user_id, account_id, kind, created_at)
             SELECT ?1, ?2, ?3, ?4, 'grant', ?5 WHERE NOT EXISTS (SELECT 1 FROM package_grant
                 WHERE org_id = ?1 AND package_id = ?2 AND kind = 'grant' AND user_id IS ?3 AND account_id IS ?4)",
        )?
        .execute((org, package, user, account, now))?;
    person.changed(org, tx)?;
    Ok(added > 0)
}

/// Takes back what an administrator gave, also where an account stands for the person; whether there was such a grant.
///
/// # Errors
/// If the database cannot be written.
pub fn take(org: OrgId, tx: &Tx<'_>, package: PackageId, person: Person) -> Result<bool> {
    let (user, account) = person.columns();
    let gone = tx
        .prepare_cached(
            "DELETE FROM package_grant WHERE org_id = ?1 AND package_id = ?2 AND kind = 'grant'
                 AND (user_id = ?3 OR account_id = ?4
                     OR account_id IN (SELECT id FROM account WHERE account.user_id = ?3))",
        )?
        .execute((org, package, user, account))?;
    person.changed(org, tx)?;
    Ok(gone > 0)
}
