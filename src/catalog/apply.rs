//! Making the next world from the one before and what a commit changed.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rusqlite::Connection;

use super::load;
use super::world::{Opens, World};
use crate::store;
use crate::store::database::Change;
use crate::store::ids::{OrgId, TeamId, UserId};
use crate::store::{hooks, members, organizations};

/// Keeps the world up to date; called on the database's writer thread only.
pub struct Updater {
    world: Arc<ArcSwap<World>>,
    trouble: Arc<ArcSwapOption<String>>,
    /// Whether the world was what the database says before the commit that is told next.
    loaded: bool,
}

impl Updater {
    pub(super) fn new(world: Arc<ArcSwap<World>>, trouble: Arc<ArcSwapOption<String>>) -> Self {
        Self { world, trouble, loaded: false }
    }

    /// Takes over what a commit changed; the first call loads everything, and so does one whose change cannot be applied.
    ///
    /// # Errors
    /// If the database cannot be read. [`Catalog::trouble`](super::Catalog::trouble) says so from then on, what was served
    /// before is served on, and the next call loads everything.
    pub fn update(&mut self, connection: &Connection, changes: &[Change]) -> store::Result<()> {
        let loaded = std::mem::take(&mut self.loaded);
        let next = attempt(|| if loaded { self.apply(connection, changes) } else { everything(connection).map(Some) });
        match next {
            Ok(next) => {
                if let Some(next) = next {
                    self.world.store(Arc::new(next));
                }
                self.loaded = true;
                self.trouble.store(None);
                Ok(())
            }
            Err(error) => {
                self.trouble.store(Some(Arc::new(error.to_string())));
                Err(error)
            }
        }
    }

    /// The world after the changes; where they cannot be applied one by one, the whole world anew.
    fn apply(&self, connection: &Connection, changes: &[Change]) -> store::Result<Option<World>> {
        let before = self.world.load_full();
        attempt(|| changed(connection, &before, changes)).or_else(|error| {
            tracing::warn!(error = %error, "A change could not be taken over; everything is loaded anew.");
            everything(connection).map(Some)
        })
    }
}

/// A panic here would end the only thread that writes; as an error it is told and tried again.
fn attempt<T>(load: impl FnOnce() -> store::Result<T>) -> store::Result<T> {
    catch_unwind(AssertUnwindSafe(load))
        .unwrap_or_else(|_| Err(store::Error::Corrupt("loading it panicked, see the log".to_owned())))
}

fn everything(connection: &Connection) -> store::Result<World> {
    let mut world = World::default();
    reload_users(connection, &mut world)?;
    for organization in organizations::all(connection)? {
        reload_organization(connection, &mut world, organization.id)?;
        reload_access(connection, &mut world, organization.id)?;
        reload_tokens(connection, &mut world, organization.id)?;
    }
    reload_hooks(connection, &mut world)?;
    Ok(world)
}

/// The next world; none if nothing changed that it shows.
///
/// Packages come first, because everything about access speaks of their numbers; then accounts, of which people have
/// facts; then teams, and tokens at last, whose scopes name them.
fn changed(connection: &Connection, before: &World, changes: &[Change]) -> store::Result<Option<World>> {
    if changes.iter().all(|change| *change == Change::Jobs) {
        return Ok(None);
    }
    let mut world = before.clone();
    let mut affected = Affected::default();
    for change in changes {
        match *change {
            Change::Organization(id) => {
                reload_organization(connection, &mut world, id)?;
                if !before.organizations.contains_key(&id) {
                    affected.whole.insert(id);
                }
            }
            Change::Package(org, package) => {
                if let Some(organization) = world.organizations.get(&org) {
                    let after = load::with_package(connection, organization, package)?;
                    world.organizations.insert(org, Arc::new(after));
                }
            }
            Change::Hooks => reload_hooks(connection, &mut world)?,
            Change::User(user) => {
                reload_user(connection, &mut world, user)?;
                affected.everywhere(connection, &world, user)?;
            }
            Change::Person(org, user) => affected.person(org, user),
            Change::Team(org, team) => affected.team(org, team),
            Change::Access(org) => affected.access(org),
            Change::Tokens(org) => affected.tokens(org),
            Change::Jobs => {}
        }
    }
    affected.reload(connection, &mut world)?;
    Ok(Some(world))
}

/// What of access to organizations has to be read again.
#[derive(Default)]
struct Affected {
    /// The organizations of which everything has.
    whole: HashSet<OrgId>,
    /// Of others, these teams, in the order in which they changed,
    teams: Vec<(OrgId, TeamId)>,
    /// and these people.
    people: HashMap<OrgId, HashSet<UserId>>,
    /// And these organizations' tokens.
    tokens: HashSet<OrgId>,
}

impl Affected {
    fn access(&mut self, org: OrgId) {
        self.whole.insert(org);
        self.tokens.insert(org);
    }

    fn team(&mut self, org: OrgId, team: TeamId) {
        self.teams.push((org, team));
        self.tokens.insert(org);
    }

    fn person(&mut self, org: OrgId, user: UserId) {
        self.people.entry(org).or_default().insert(user);
    }

    fn tokens(&mut self, org: OrgId) {
        self.tokens.insert(org);
    }

    /// Somebody, wherever there is or was anything about them.
    fn everywhere(&mut self, connection: &Connection, world: &World, user: UserId) -> store::Result<()> {
        let was = world.organizations.values().filter(|organization| organization.people.contains_key(&user));
        let is = members::organizations_of(connection, user)?;
        was.map(|organization| organization.id).chain(is).for_each(|org| self.person(org, user));
        Ok(())
    }

    fn reload(self, connection: &Connection, world: &mut World) -> store::Result<()> {
        let is_partly = |org: &OrgId| !self.whole.contains(org);
        for (org, team) in self.teams.iter().filter(|(org, _)| is_partly(org)) {
            if let Some(before) = world.organizations.get(org) {
                let after = load::with_team(connection, before, *team)?;
                world.organizations.insert(*org, Arc::new(after));
            }
        }
        for (org, people) in self.people.iter().filter(|(org, _)| is_partly(org)) {
            if let Some(before) = world.organizations.get(org) {
                let after = load::with_people(connection, before, people, &world.users)?;
                world.organizations.insert(*org, Arc::new(after));
            }
        }
        for org in &self.whole {
            reload_access(connection, world, *org)?;
        }
        self.tokens.iter().try_for_each(|org| reload_tokens(connection, world, *org))
    }
}

fn reload_access(connection: &Connection, world: &mut World, org: OrgId) -> store::Result<()> {
    if let Some(before) = world.organizations.get(&org) {
        let after = load::with_access(connection, before, &world.users)?;
        world.organizations.insert(org, Arc::new(after));
    }
    Ok(())
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

fn reload_users(connection: &Connection, world: &mut World) -> store::Result<()> {
    let (mut users, mut tokens) = (HashMap::new(), HashMap::clone(&world.tokens));
    for (id, (holder, held)) in load::holders(connection)? {
        tokens.extend(holder.tokens.iter().copied().zip(held));
        users.insert(id, holder);
    }
    world.users = Arc::new(users);
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
    let mut addresses = hooks::addresses(connection)?;
    // Those of a hidden organization are marked one by one, together with their packages.
    let removals: HashMap<_, _> = organizations::removals(connection)?.into_iter().collect();
    for address in &mut addresses {
        address.removed_at = address.removed_at.or_else(|| removals.get(&address.org).copied());
    }
    world.hooks = Arc::new(addresses.into_iter().map(|address| (address.digest, address)).collect());
    Ok(())
}
