//! Reading parts of the world from the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::json;

use super::people::Rules;
use super::root::gzip;
use super::world::{Document, Entry, Holder, Opens, Organization, Token};
use super::{facts, people};
use crate::access::set::AccessSet;
use crate::clock::Timestamp;
use crate::composer::name::PackageName;
use crate::store::ids::{OrgId, PackageId, TeamId, UserId};
use crate::store::members::{Connected, Person, Whose};
use crate::store::{self, documents, entries, members, organizations, policies, tokens, users, vendors};

/// An organization with all its names, still without its people; none if it is gone. `before`: what was served until now.
pub(super) fn organization(
    connection: &Connection,
    id: OrgId,
    before: Option<&Organization>,
) -> store::Result<Option<Organization>> {
    let Some(row) = organizations::by_id(id, connection)? else {
        return Ok(None);
    };
    let vendors = vendors::all(id, connection)?.into_iter().map(Into::into).collect();
    let (slug, vendors) = (row.slug.into(), Arc::new(vendors));
    if let Some(before) = before {
        let generation = before.generation + 1;
        return Ok(Some(Organization { slug, vendors, generation, ..before.clone() }));
    }
    let numbers = number(HashMap::new(), entries::package_ids(id, connection)?);
    let names = entries::entries(id, connection, None)?.into_iter().filter_map(|row| entry(row, &numbers)).collect();
    Ok(Some(Organization {
        id,
        slug,
        vendors,
        names: Arc::new(names),
        numbers: Arc::new(numbers),
        generation: 0,
        rules: Arc::default(),
        people: Arc::default(),
        views: Arc::default(),
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
        && rows.iter().all(|row| {
            let is_it = |entry: &Arc<Entry>| entry.package == package && entry.retired == row.retired;
            before.names.get(&row.name).is_some_and(is_it)
        });
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
        retired: row.retired,
        blocked: row.blocked,
        stable: row.stable.map(document).map(|stable| if row.blocked { refusal(&row.name, stable) } else { stable }),
        dev: row.dev.map(document),
    };
    Some((row.name, Arc::new(entry)))
}

/// The document of a blocked name. Composer shows its warning to whoever requires the name.
fn refusal(name: &PackageName, stored: Document) -> Document {
    let content = json!({
        "minified": "composer/2.0",
        "packages": { name.as_str(): [] },
        "warning": format!("{name} is blocked in this repository, so that nobody installs it: ask whoever manages the repository."),
    });
    Document { body: gzip(content.to_string().as_bytes()), ..stored }
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
    let keys = tokens::keys(organization.id, connection)?;
    Ok(keys
        .into_iter()
        .map(|key| {
            let view = organization.views.of(scope(organization, key.scope.as_ref()));
            (key.digest, token(&key, Opens::Organization(organization.id, view)))
        })
        .collect())
}

/// What a token opens that is restricted so: what is left of its packages and teams, be it nothing.
fn scope(organization: &Organization, scope: Option<&tokens::Scope>) -> AccessSet {
    let Some(scope) = scope else { return AccessSet::All };
    let numbers = scope.packages.iter().filter_map(|id| organization.numbers.get(id));
    let mut set = AccessSet::of(numbers.copied());
    for reach in scope.teams.iter().filter_map(|team| organization.rules.teams.reach(team.0)) {
        set.add(reach);
    }
    set
}

fn token(key: &tokens::Key, opens: Opens) -> Arc<Token> {
    Arc::new(Token { id: key.id, update: key.update, opens, expires_at: key.expires_at, revoked_at: key.revoked_at })
}

/// An account with its tokens.
pub(super) type Held = (Holder, Vec<Arc<Token>>);

/// An account with its tokens; none if it is gone.
pub(super) fn holder(connection: &Connection, id: UserId) -> store::Result<Option<Held>> {
    let Some(user) = users::by_id(connection, id)? else {
        return Ok(None);
    };
    let accounts = members::connected(connection, Whose::One(Person::User(id)))?;
    Ok(Some(held(&user, &tokens::keys_of_users(connection, Some(id))?, accounts)))
}

/// All accounts with their tokens.
pub(super) fn holders(connection: &Connection) -> store::Result<Vec<(UserId, Held)>> {
    let mut keys: HashMap<UserId, Vec<tokens::Key>> = HashMap::new();
    for key in tokens::keys_of_users(connection, None)? {
        if let Some(user) = key.user {
            keys.entry(user).or_default().push(key);
        }
    }
    let mut accounts: HashMap<UserId, Vec<Connected>> = HashMap::new();
    for account in members::connected(connection, Whose::Everybody)? {
        if let Some(user) = account.user {
            accounts.entry(user).or_default().push(account);
        }
    }
    let all = users::all(connection)?.into_iter().map(|user| {
        let keys = keys.remove(&user.id).unwrap_or_default();
        (user.id, held(&user, &keys, accounts.remove(&user.id).unwrap_or_default()))
    });
    Ok(all.collect())
}

fn held(user: &users::User, keys: &[tokens::Key], accounts: Vec<Connected>) -> Held {
    let digests = keys.iter().map(|key| key.digest).collect();
    let holder = Holder { admin: user.admin, enabled: user.enabled, tokens: digests, accounts: accounts.into() };
    (holder, keys.iter().map(|key| token(key, Opens::User(user.id))).collect())
}

/// The organization with everything that decides about access to it: teams, policy, and all its people.
pub(super) fn with_access(
    connection: &Connection,
    before: &Organization,
    users: &HashMap<UserId, Holder>,
) -> store::Result<Organization> {
    let teams = facts::all_teams(connection, before.id, &before.numbers)?;
    let rules = Rules { teams, policy: policies::of(before.id, connection)? };
    let rows = facts::rows(connection, before.id, Whose::Everybody, false)?;
    let people = rows.into_iter().filter_map(|(user, rows)| {
        let Person::User(user) = user else { return None };
        let holder = users.get(&user)?;
        Some((user, person(holder, rows, before)))
    });
    Ok(Organization { rules: Arc::new(rules), people: Arc::new(people.collect()), ..before.clone() })
}

/// The organization after one of its teams changed. Whoever is in it is computed anew when asked for.
pub(super) fn with_team(connection: &Connection, before: &Organization, id: TeamId) -> store::Result<Organization> {
    let team = facts::one_team(connection, before.id, id, &before.numbers)?;
    let rules = Rules { teams: before.rules.teams.with(id.0, team), policy: before.rules.policy.clone() };
    Ok(Organization { rules: Arc::new(rules), ..before.clone() })
}

/// The organization after something changed about these people.
pub(super) fn with_people(
    connection: &Connection,
    before: &Organization,
    changed: &HashSet<UserId>,
    users: &HashMap<UserId, Holder>,
) -> store::Result<Organization> {
    let mut people = HashMap::clone(&before.people);
    for user in changed {
        people.remove(user);
        let Some(holder) = users.get(user) else { continue };
        let whose = Whose::One(Person::User(*user));
        if let Some(rows) = facts::rows(connection, before.id, whose, false)?.remove(&Person::User(*user)) {
            people.insert(*user, person(holder, rows, before));
        }
    }
    Ok(Organization { people: Arc::new(people), ..before.clone() })
}

fn person(holder: &Holder, rows: facts::Rows, organization: &Organization) -> Arc<people::Person> {
    people::Person::of(rows.facts(&holder.accounts, holder.admin, !holder.enabled, &organization.numbers))
}
