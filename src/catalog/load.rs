//! Reading parts of the world from the store.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use super::world::{Document, Entry, Holder, Opens, Organization, Token, View};
use crate::access::set::AccessSet;
use crate::clock::Timestamp;
use crate::composer::name::PackageName;
use crate::store::ids::{OrgId, PackageId, UserId};
use crate::store::{self, documents, entries, organizations, tokens, users, vendors};

/// An organization with all its names; none if it is gone. `before`: what was served until now.
pub(super) fn organization(
    connection: &Connection,
    id: OrgId,
    before: Option<&Organization>,
) -> store::Result<Option<Organization>> {
    let Some(row) = organizations::by_id(id, connection)? else {
        return Ok(None);
    };
    let (names, numbers, everything) = match before {
        Some(before) => (Arc::clone(&before.names), Arc::clone(&before.numbers), Arc::clone(&before.everything)),
        None => {
            let numbers = number(HashMap::new(), entries::package_ids(id, connection)?);
            let names =
                entries::entries(id, connection, None)?.into_iter().filter_map(|row| entry(row, &numbers)).collect();
            (Arc::new(names), Arc::new(numbers), View::of(AccessSet::All))
        }
    };
    let vendors = vendors::all(id, connection)?.into_iter().map(Into::into).collect();
    Ok(Some(Organization {
        id,
        slug: row.slug.into(),
        vendors: Arc::new(vendors),
        names,
        numbers,
        generation: before.map_or(0, |before| before.generation + 1),
        everything,
    }))
}

/// The organization after one of its packages changed.
pub(super) fn with_package(
    connection: &Connection,
    before: &Organization,
    package: PackageId,
) -> store::Result<Organization> {
    let mut after = before.clone();
    if !before.numbers.contains_key(&package) {
        after.numbers = Arc::new(number(HashMap::clone(&before.numbers), [package]));
    }
    let rows = entries::entries(before.id, connection, Some(package))?;
    let known = before.names.values().filter(|entry| entry.package == package).count();
    let same_names = known == rows.len()
        && rows.iter().all(|row| before.names.get(&row.name).is_some_and(|entry| entry.package == package));
    let mut names = HashMap::clone(&before.names);
    if !same_names {
        names.retain(|_, entry| entry.package != package);
        after.generation += 1;
    }
    names.extend(rows.into_iter().filter_map(|row| entry(row, &after.numbers)));
    after.names = Arc::new(names);
    Ok(after)
}

fn number(
    mut numbers: HashMap<PackageId, u32>,
    packages: impl IntoIterator<Item = PackageId>,
) -> HashMap<PackageId, u32> {
    // Numbers are never used again while the process lives, so the count of all ever given is
    // the next one; a removed package keeps its place.
    for package in packages {
        let next = u32::try_from(numbers.len()).expect("fewer than four billion packages");
        numbers.entry(package).or_insert(next);
    }
    numbers
}

fn entry(row: entries::Entry, numbers: &HashMap<PackageId, u32>) -> Option<(PackageName, Arc<Entry>)> {
    let abandoned = match (row.current, row.successor) {
        // A former name is abandoned in favour of the present one.
        (false, Some(successor)) => Some(serde_json::Value::String(successor)),
        _ => row.abandoned.and_then(|json| serde_json::from_str(&json).ok()),
    };
    let entry = Entry {
        package: row.package,
        number: *numbers.get(&row.package)?,
        current: row.current,
        description: row.description.map(Into::into),
        kind: row.kind.map(Into::into),
        abandoned,
        stable: row.stable.map(document),
        dev: row.dev.map(document),
    };
    Some((row.name, Arc::new(entry)))
}

fn document(row: documents::Document) -> Document {
    let date = Timestamp::from_seconds(row.last_modified).http_date();
    Document { body: row.body.into(), last_modified: Bytes::from(date) }
}

/// The organization's tokens by digest. Equal scopes share their view.
pub(super) fn tokens(
    connection: &Connection,
    organization: &Organization,
) -> store::Result<Vec<([u8; 32], Arc<Token>)>> {
    let mut views: HashMap<AccessSet, Arc<View>> = HashMap::new();
    let keys = tokens::keys(organization.id, connection)?;
    Ok(keys
        .into_iter()
        .map(|key| {
            let view = match &key.packages {
                None => Arc::clone(&organization.everything),
                Some(packages) => {
                    let numbers = packages.iter().filter_map(|id| organization.numbers.get(id));
                    let set = AccessSet::of(numbers.copied());
                    Arc::clone(views.entry(set.clone()).or_insert_with(|| View::of(set)))
                }
            };
            (key.digest, token(&key, Opens::Organization(organization.id, view)))
        })
        .collect())
}

fn token(key: &tokens::Key, opens: Opens) -> Arc<Token> {
    Arc::new(Token { id: key.id, update: key.update, opens, expires_at: key.expires_at, revoked_at: key.revoked_at })
}

/// An account with its tokens; none if it is gone.
pub(super) fn holder(connection: &Connection, id: UserId) -> store::Result<Option<(Holder, Vec<Arc<Token>>)>> {
    let Some(user) = users::by_id(connection, id)? else {
        return Ok(None);
    };
    let keys = tokens::keys_of_user(connection, id)?;
    let digests = keys.iter().map(|key| key.digest).collect();
    let holder = Holder { admin: user.admin, enabled: user.enabled, tokens: digests };
    let tokens = keys.iter().map(|key| token(key, Opens::User(id))).collect();
    Ok(Some((holder, tokens)))
}
