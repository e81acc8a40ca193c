//! Teams: people who see the same packages. Those that a synchronization found are read-only here.

use std::collections::HashMap;

use serde_json::json;

use super::{Actor, Error, Name, Result, people};
use crate::appliance::Appliance;
use crate::store::Tx;
use crate::store::ids::{OrgId, PackageId, TeamId};
use crate::store::packages::{self, Package};
use crate::store::team_members::{self, Member};
use crate::store::teams::{self, Team};

/// Longest path, in bytes.
const LONGEST_PATH: usize = 255;

/// A team as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The team.
    pub team: Team,
    /// Who is in it, by name.
    pub members: Vec<Member>,
    /// What it was given.
    pub packages: Having,
    /// What the teams above it have.
    pub inherited: Having,
}

/// Packages of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Having {
    /// All, now and later.
    All,
    /// These, by name.
    Some(Vec<String>),
}

/// What a team is given, or loses.
#[derive(Clone, Debug)]
pub enum Packages {
    /// All, now and later.
    All,
    /// These.
    Some(Vec<Package>),
}

/// The organization's teams, by path.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(move |db| {
            let all = teams::all(org, db)?;
            let names: HashMap<PackageId, String> =
                packages::all(org, db)?.into_iter().map(|one| (one.id, one.shown_name())).collect();
            let mut having: HashMap<TeamId, Vec<String>> = HashMap::new();
            for (team, package) in teams::packages(org, db, None)? {
                having.entry(team).or_default().extend(names.get(&package).cloned());
            }
            let mut members: HashMap<TeamId, Vec<Member>> = HashMap::new();
            for member in team_members::all(org, db, None)? {
                members.entry(member.team).or_default().push(member);
            }
            Ok(all
                .iter()
                .map(|team| Summary {
                    members: members.remove(&team.id).unwrap_or_default(),
                    packages: sum([team], &having),
                    inherited: sum(above(&all, team), &having),
                    team: team.clone(),
                })
                .collect())
        })
        .await
}

/// The teams above one, which cannot be in a circle: a team is only ever moved to where there is none.
fn above<'a>(all: &'a [Team], team: &Team) -> Vec<&'a Team> {
    let mut line: Vec<&Team> = Vec::new();
    let mut next = team.parent;
    while let Some(parent) = next.and_then(|id| all.iter().find(|one| one.id == id))
        && !line.iter().any(|one| one.id == parent.id)
    {
        line.push(parent);
        next = parent.parent;
    }
    line
}

fn sum<'a>(teams: impl IntoIterator<Item = &'a Team>, having: &HashMap<TeamId, Vec<String>>) -> Having {
    let mut names = Vec::new();
    for team in teams {
        if team.all_packages {
            return Having::All;
        }
        names.extend(having.get(&team.id).into_iter().flatten().cloned());
    }
    names.sort();
    names.dedup();
    Having::Some(names)
}

/// The team with this path.
///
/// # Errors
/// If there is no such team.
pub async fn show(appliance: &Appliance, org: OrgId, path: &str) -> Result<Summary> {
    let all = list(appliance, org).await?;
    all.into_iter().find(|one| one.team.path.eq_ignore_ascii_case(path)).ok_or_else(|| unknown(path))
}

/// The team with this path, in a transaction or a read.
pub(super) fn find(org: OrgId, connection: &rusqlite::Connection, path: &str) -> Result<Team> {
    teams::by_path(org, connection, path)?.ok_or_else(|| unknown(path))
}

fn unknown(path: &str) -> Error {
    let shown: String = path.chars().take(LONGEST_PATH).collect();
    Error::not_found(format!("there is no team `{}`", shown.escape_debug()))
        .by_command("`team list` shows those that there are")
}

fn local(org: OrgId, tx: &Tx<'_>, path: &str) -> Result<Team> {
    let team = find(org, tx, path)?;
    if team.synchronized {
        return Err(Error::conflict(format!(
            "the team `{}` is synchronized and read-only here: change it on the platform, and the next synchronization follows",
            team.path
        )));
    }
    Ok(team)
}

/// Adds a team. Its path may name the team that it is to be below, as in `web/shop`.
///
/// # Errors
/// If there is one with that path, the name is not acceptable, or the team above it is not there or is synchronized.
pub async fn add(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str) -> Result<TeamId> {
    let (actor, now, path) = (actor.clone(), appliance.now(), path.to_owned());
    appliance
        .database
        .write(move |tx| {
            let (above, name) = match path.rsplit_once('/') {
                Some((above, name)) => (Some(above), name),
                None => (None, path.as_str()),
            };
            let name = Name::parse("a team's name", name)?;
            let parent = above.map(|above| local(org, tx, above)).transpose()?;
            let path = place(org, tx, parent.as_ref(), name.as_str())?;
            let id = teams::insert(org, tx, parent.map(|parent| parent.id), name.as_str(), &path, now)?;
            actor.record(tx, Some(org), "team.add", &path, json!({}), now)?;
            Ok(id)
        })
        .await
}

/// The path of a team of this name below `parent`, if it is free.
fn place(org: OrgId, tx: &Tx<'_>, parent: Option<&Team>, name: &str) -> Result<String> {
    let path = parent.map_or_else(|| name.to_owned(), |parent| format!("{}/{name}", parent.path));
    if path.len() > LONGEST_PATH {
        return Err(Error::invalid(format!("the path of a team has at most {LONGEST_PATH} characters")));
    }
    if teams::by_path(org, tx, &path)?.is_some() {
        return Err(Error::conflict(format!("there is a team `{path}` already")));
    }
    Ok(path)
}

/// Gives a team another name; the paths of those below it follow.
///
/// # Errors
/// If the name is taken or not acceptable, or the team is synchronized.
pub async fn rename(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str, name: &str) -> Result<()> {
    let to = Place { name: Some(name.to_owned()), under: None };
    put(appliance, actor, org, path, to).await.map_err(|refused| refused.error)
}

/// Puts a team below another one, with everything below it, or (none) below no other.
///
/// # Errors
/// If it would be below itself, or there is one with that name there, or one of them is synchronized.
pub async fn set_parent(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    path: &str,
    under: Option<&str>,
) -> Result<()> {
    let to = Place { name: None, under: Some(under.map(str::to_owned)) };
    put(appliance, actor, org, path, to).await.map_err(|refused| refused.error)
}

/// What a team is to be called and where it is to be; nothing said: as it is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Its name.
    pub name: Option<String>,
    /// The path of the team that it is to be below; none: of no team.
    pub under: Option<Option<String>>,
}

/// Which part of a [`Place`] was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name, which may be taken there.
    Name,
    /// The team above.
    Under,
}

/// Why a team was not renamed or moved.
#[derive(Debug)]
pub struct NotPut {
    /// What is to be chosen otherwise.
    pub part: Part,
    /// Why.
    pub error: Error,
}

impl<E: Into<Error>> From<E> for NotPut {
    fn from(error: E) -> Self {
        Self { part: Part::Name, error: error.into() }
    }
}

/// Renames and moves a team, both or neither; the paths of those below it follow.
///
/// # Errors
/// As [`rename`] and [`set_parent`].
pub async fn put(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    path: &str,
    to: Place,
) -> std::result::Result<(), NotPut> {
    let name = to.name.map(|name| Name::parse("a team's name", &name)).transpose()?;
    let (actor, now, path) = (actor.clone(), appliance.now(), path.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            let parent = match to.under {
                Some(under) => {
                    parent_of(org, tx, &team, under.as_deref()).map_err(|error| NotPut { part: Part::Under, error })?
                }
                None => team.parent.map(|id| teams::by_id(org, tx, id)).transpose()?.flatten(),
            };
            let name = name.as_ref().map_or(team.name.as_str(), Name::as_str);
            let is_renamed = name != team.name;
            let is_moved = team.parent != parent.as_ref().map(|parent| parent.id);
            if !is_renamed && !is_moved {
                return Ok(());
            }
            let part = if is_renamed { Part::Name } else { Part::Under };
            let after = place(org, tx, parent.as_ref(), name).map_err(|error| NotPut { part, error })?;
            teams::set_place(org, tx, &team, parent.map(|parent| parent.id), name, &after)?;
            for (action, is_done) in [("team.rename", is_renamed), ("team.move", is_moved)] {
                if is_done {
                    actor.record(tx, Some(org), action, &after, json!({ "before": team.path }), now)?;
                }
            }
            Ok(())
        })
        .await
}

/// The team that another one is to be below.
fn parent_of(org: OrgId, tx: &Tx<'_>, team: &Team, under: Option<&str>) -> Result<Option<Team>> {
    let parent = under.map(|under| local(org, tx, under)).transpose()?;
    if let Some(parent) = &parent
        && (parent.id == team.id || teams::is_below(&parent.path, &team.path))
    {
        return Err(Error::conflict(format!(
            "the team `{}` cannot be below `{}`, which is itself or below it",
            team.path, parent.path
        )));
    }
    Ok(parent)
}

/// Removes a team. Tokens that were restricted to it open so much less.
///
/// # Errors
/// If there are teams below it, or it is synchronized.
pub async fn remove(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str) -> Result<()> {
    let (actor, now, path) = (actor.clone(), appliance.now(), path.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            let below = teams::all(org, tx)?.into_iter().filter(|one| one.parent == Some(team.id));
            let below: Vec<String> = below.map(|one| one.path).collect();
            if !below.is_empty() {
                return Err(Error::conflict(format!(
                    "there are teams below `{}`: remove or move {} first",
                    team.path,
                    below.join(", ")
                )));
            }
            let detail = json!({
                "members": team_members::all(org, tx, Some(team.id))?.len(),
                "packages": teams::packages(org, tx, Some(team.id))?.len(),
            });
            teams::remove(org, tx, team.id)?;
            actor.record(tx, Some(org), "team.remove", &team.path, detail, now)?;
            Ok(())
        })
        .await
}

/// Lets a team's people read packages.
///
/// # Errors
/// If there is no such team, or it is synchronized.
pub async fn grant(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str, what: Packages) -> Result<()> {
    let (actor, now, path) = (actor.clone(), appliance.now(), path.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            match &what {
                Packages::All => teams::set_all_packages(org, tx, team.id, true)?,
                Packages::Some(packages) => {
                    for package in packages {
                        require_there(org, tx, package)?;
                        teams::grant(org, tx, team.id, package.id)?;
                    }
                }
            }
            actor.record(tx, Some(org), "team.grant", &team.path, detail(&what), now)?;
            Ok(())
        })
        .await
}

/// Takes packages from a team; all: whatever it has.
///
/// # Errors
/// If there is no such team, or it is synchronized, or it does not have a package, or has it because it has all.
pub async fn revoke(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str, what: Packages) -> Result<()> {
    let (actor, now, path) = (actor.clone(), appliance.now(), path.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            match &what {
                Packages::All => {
                    teams::set_all_packages(org, tx, team.id, false)?;
                    for (_, package) in teams::packages(org, tx, Some(team.id))? {
                        teams::revoke(org, tx, team.id, package)?;
                    }
                }
                Packages::Some(_) if team.all_packages => {
                    let refused = Error::conflict(format!(
                        "the team `{}` has all packages, now and later, so that none can be taken alone",
                        team.path
                    ));
                    return Err(refused.by_command(format!(
                        "take them all (`team revoke {} --all`), and grant those that it is to keep",
                        team.path
                    )));
                }
                Packages::Some(packages) => {
                    for package in packages {
                        if !teams::revoke(org, tx, team.id, package.id)? {
                            let refused = Error::not_found(format!(
                                "the team `{}` was not given {}",
                                team.path,
                                package.shown_name()
                            ));
                            return Err(refused.by_command("`team show` tells what it has"));
                        }
                    }
                }
            }
            actor.record(tx, Some(org), "team.revoke", &team.path, detail(&what), now)?;
            Ok(())
        })
        .await
}

fn detail(what: &Packages) -> serde_json::Value {
    match what {
        Packages::All => json!({ "packages": "all" }),
        Packages::Some(packages) => {
            json!({ "packages": packages.iter().map(Package::shown_name).collect::<Vec<_>>() })
        }
    }
}

/// A package may go between being found and being granted.
pub(super) fn require_there(org: OrgId, tx: &Tx<'_>, package: &Package) -> Result<()> {
    if packages::by_id(org, tx, package.id)?.is_some() {
        return Ok(());
    }
    Err(Error::not_found(format!("the package {} was just removed", package.shown_name())))
}

/// Puts somebody into a team; whether that is new.
///
/// # Errors
/// If there is no such team or person, or the team is synchronized.
pub async fn add_member(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str, name: &str) -> Result<bool> {
    let (actor, now, path, name) = (actor.clone(), appliance.now(), path.to_owned(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            let named = people::named(tx, &name)?;
            let is_new = team_members::add(org, tx, team.id, named.person, now)?;
            if is_new {
                let detail = json!({ "member": named.name });
                actor.record(tx, Some(org), "team.add-member", &team.path, detail, now)?;
            }
            Ok(is_new)
        })
        .await
}

/// Takes somebody out of a team.
///
/// # Errors
/// If there is no such team, or it is synchronized, or the person is not in it.
pub async fn remove_member(appliance: &Appliance, actor: &Actor, org: OrgId, path: &str, name: &str) -> Result<()> {
    let (actor, now, path, name) = (actor.clone(), appliance.now(), path.to_owned(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let team = local(org, tx, &path)?;
            let named = people::named(tx, &name)?;
            if !team_members::remove(org, tx, team.id, named.person)? {
                return Err(Error::not_found(format!("`{}` is not in the team `{}`", named.name, team.path)));
            }
            let detail = json!({ "member": named.name });
            actor.record(tx, Some(org), "team.remove-member", &team.path, detail, now)?;
            Ok(())
        })
        .await
}
