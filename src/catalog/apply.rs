//! Making the next world from the one before and what a commit changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rusqlite::Connection;

use super::load;
use super::world::{Opens, World};
use crate::store;
use crate::store::database::Change;
use crate::store::ids::{OrgId, UserId};
use crate::store::{hooks, organizations, users};

/// Keeps the world up to date; called on the database's writer thread only.
pub struct Updater {
    world: Arc<ArcSwap<World>>,
    loaded: bool,
}

impl Updater {
    pub(super) fn new(world: Arc<ArcSwap<World>>) -> Self {
        Self { world, loaded: false }
    }

    /// Takes over what a commit changed; the first call loads everything.
    ///
    /// # Errors
    /// If the database cannot be read; the world is then loaded anew by the next call, and what is
    /// served until then is what was served before.
    pub fn update(&mut self, connection: &Connection, changes: &[Change]) -> store::Result<()> {
        let before = self.world.load_full();
        let next = if self.loaded {
            self.loaded = false;
            changed(connection, &before, changes)?
        } else {
            everything(connection)?
        };
        self.loaded = true;
        if let Some(next) = next {
            self.world.store(Arc::new(next));
        }
        Ok(())
    }
}

fn everything(connection: &Connection) -> store::Result<Option<World>> {
    let mut world = World::default();
    for organization in organizations::all(connection)? {
        reload_organization(connection, &mut world, organization.id)?;
        reload_tokens(connection, &mut world, organization.id)?;
    }
    for user in users::all(connection)? {
        reload_user(connection, &mut world, user.id)?;
    }
    reload_hooks(connection, &mut world)?;
    Ok(Some(world))
}

/// The next world; none if nothing changed that it shows.
fn changed(connection: &Connection, before: &World, changes: &[Change]) -> store::Result<Option<World>> {
    let mut world = before.clone();
    let mut shown = false;
    // Tokens come last: their scopes speak of packages, which must have their numbers by then.
    for change in changes {
        match *change {
            Change::Organization(id) => reload_organization(connection, &mut world, id)?,
            Change::Package(org, package) => {
                if let Some(organization) = world.organizations.get(&org) {
                    let after = load::with_package(connection, organization, package)?;
                    world.organizations.insert(org, Arc::new(after));
                }
            }
            Change::Hooks => reload_hooks(connection, &mut world)?,
            Change::Tokens(_) | Change::User(_) => {}
            Change::Jobs => continue,
        }
        shown = true;
    }
    for change in changes {
        match *change {
            Change::Tokens(org) => reload_tokens(connection, &mut world, org)?,
            Change::User(user) => reload_user(connection, &mut world, user)?,
            _ => {}
        }
    }
    Ok(shown.then_some(world))
}

fn reload_organization(connection: &Connection, world: &mut World, id: OrgId) -> store::Result<()> {
    let mut slugs = HashMap::clone(&world.slugs);
    slugs.retain(|_, org| *org != id);
    let before = world.organizations.get(&id).map(Arc::clone);
    match load::organization(connection, id, before.as_deref())? {
        Some(organization) => {
            slugs.insert(organization.slug.to_ascii_lowercase().into(), id);
            for former in organizations::former_slugs(id, connection)? {
                slugs.insert(former.to_ascii_lowercase().into(), id);
            }
            world.organizations.insert(id, Arc::new(organization));
        }
        None => {
            world.organizations.remove(&id);
        }
    }
    world.slugs = Arc::new(slugs);
    Ok(())
}

fn reload_tokens(connection: &Connection, world: &mut World, org: OrgId) -> store::Result<()> {
    let mut tokens = HashMap::clone(&world.tokens);
    tokens.retain(|_, token| !matches!(token.opens, Opens::Organization(id, _) if id == org));
    if let Some(organization) = world.organizations.get(&org) {
        tokens.extend(load::tokens(connection, organization)?);
    }
    world.tokens = Arc::new(tokens);
    Ok(())
}

fn reload_user(connection: &Connection, world: &mut World, id: UserId) -> store::Result<()> {
    let mut users = HashMap::clone(&world.users);
    let mut tokens = HashMap::clone(&world.tokens);
    if let Some(before) = users.remove(&id) {
        let gone: HashSet<_> = before.tokens.iter().copied().collect();
        tokens.retain(|digest, _| !gone.contains(digest));
    }
    if let Some((holder, held)) = load::holder(connection, id)? {
        tokens.extend(holder.tokens.iter().copied().zip(held));
        users.insert(id, holder);
    }
    world.users = Arc::new(users);
    world.tokens = Arc::new(tokens);
    Ok(())
}

fn reload_hooks(connection: &Connection, world: &mut World) -> store::Result<()> {
    let addresses = hooks::addresses(connection)?;
    world.hooks = Arc::new(addresses.into_iter().map(|address| (address.digest, address)).collect());
    Ok(())
}
