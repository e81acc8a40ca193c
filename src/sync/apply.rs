//! Doing what a plan says.
//!
//! A run is one transaction, unless it is so large that it would hold the writer for long (a first run of a thousand
//! repositories). Then it is several, each as safe as the whole: what takes rights comes first and what gives them last, so that
//! after each of them nobody sees more than before or than the platform allows; and only the last one says that the run was
//! complete and forgets the hints, so that one that was cut off is planned again from what is there by then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::change::{Action, Change, Deed, Membership, Subject};
use super::hooks;
use super::plan::Plan;
use super::request::SyncKey;
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::publish::request::{self, Reason};
use crate::publish::withdraw;
use crate::store::accounts::{self, Said};
use crate::store::database::Change as Changed;
use crate::store::ids::{AccountId, CredentialId, PackageId, RunId, TeamId};
use crate::store::repositories::{self, Repository};
use crate::store::sync_runs::{self, Begun, Ended};
use crate::store::{
    self, Tx, abandonment, audit, credentials, installations, name_claims, packages, sync_hints, sync_people, syncs,
};

/// How long a transaction takes on pieces: well below what the writer may be held for.
const LONGEST: Duration = Duration::from_millis(20);
/// After so many pieces the clock is looked at.
const TOGETHER: usize = 10;
/// So many packages' first updates do not wait behind those that nobody waits for.
const PROMPT: usize = 20;

/// What a run is, and what it found.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) key: SyncKey,
    pub(super) integration: String,
    pub(super) credential: Option<CredentialId>,
    pub(super) begun: Begun,
    /// What is recorded of the synchronization.
    pub(super) read: syncs::Read,
    /// What is recorded of the run.
    pub(super) ended: Ended,
    /// The last hint that it has looked at.
    pub(super) hints: Option<i64>,
    /// Whether somebody said that hooks changed; none: hooks are not looked at.
    pub(super) hooks: Option<bool>,
}

/// Something to be done in one piece.
#[derive(Clone, Debug)]
enum Piece {
    Account(String, String, Option<String>),
    Repository(String, Box<Option<Repository>>),
    Pushed(PackageId),
    Compared(PackageId),
    One(Box<Change>),
    /// Teams exchange their places, and packages their addresses, only all at once.
    Teams(Vec<Change>),
    Moves(Vec<Change>),
}

/// Applies a plan, and records the run.
pub(super) async fn apply(appliance: &Appliance, run: Run, plan: Plan) -> store::Result<RunId> {
    let new = plan.changes.iter().filter(|change| matches!(change.deed, Deed::AddPackage { .. })).count();
    let (pieces, run) = (Arc::new(pieces(plan)), Arc::new(run));
    let (mut begun, mut number, mut at, all) = (None, 0, 0, pieces.len());
    loop {
        let (run, pieces) = (Arc::clone(&run), Arc::clone(&pieces));
        let (now, next_check) = (appliance.now(), appliance.now() + appliance.settings.package_interval);
        let write = appliance.database.write(move |tx| {
            let id = match begun {
                Some(id) => id,
                None => sync_runs::begin(run.key.org, tx, run.key.sync, run.begun, now)?,
            };
            let mut doing = Doing { tx, run: &run, id, number, new, next_check, now };
            let (began, mut reached) = (Instant::now(), at);
            while reached < pieces.len() && (reached == at || began.elapsed() < LONGEST) {
                let next = pieces.len().min(reached + TOGETHER);
                doing.all(&pieces[reached..next])?;
                reached = next;
            }
            if reached == pieces.len() {
                doing.finish()?;
            }
            Ok::<_, store::Error>((id, doing.number, reached))
        });
        let (id, recorded, reached) = write.await?;
        if reached == all {
            return Ok(id);
        }
        (begun, number, at) = (Some(id), recorded, reached);
    }
}

/// In the order in which they are done.
fn pieces(plan: Plan) -> Vec<Piece> {
    let (mut takes, mut gives, mut moves, mut teams) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut added = Vec::new();
    for change in plan.changes {
        match &change.deed {
            Deed::AddTeam { .. } | Deed::PlaceTeam { .. } | Deed::RemoveTeam { .. } => teams.push(change),
            Deed::MovePackage { .. } => moves.push(change),
            Deed::AddPackage { .. } | Deed::Adopt { .. } | Deed::Return { .. } => {
                added.push(Piece::One(Box::new(change)))
            }
            _ if change.takes() => takes.push(Piece::One(Box::new(change))),
            _ => gives.push(Piece::One(Box::new(change))),
        }
    }
    let accounts = plan.accounts.into_iter().map(|(id, (login, name))| Piece::Account(id, login, name));
    let rows = plan.repositories.into_iter().map(|(id, row)| Piece::Repository(id, Box::new(row)));
    let compared = plan.compared.difference(&plan.pushed).copied().map(Piece::Compared).collect::<Vec<_>>();
    let pushed = plan.pushed.into_iter().map(Piece::Pushed);
    let whole = |changes: Vec<Change>, piece: fn(Vec<Change>) -> Piece| (!changes.is_empty()).then(|| piece(changes));
    accounts
        .chain(takes)
        .chain(whole(teams, Piece::Teams))
        .chain(whole(moves, Piece::Moves))
        .chain(rows)
        .chain(pushed)
        .chain(compared)
        .chain(added)
        .chain(gives)
        .collect()
}

/// A transaction of a run.
struct Doing<'a> {
    tx: &'a Tx<'a>,
    run: &'a Run,
    id: RunId,
    /// How many changes were recorded.
    number: i64,
    /// How many packages the run adds.
    new: usize,
    /// When a new package is looked at if nobody tells.
    next_check: Timestamp,
    now: Timestamp,
}

impl Doing<'_> {
    fn all(&mut self, pieces: &[Piece]) -> store::Result<()> {
        let SyncKey { org, sync } = self.run.key;
        for piece in pieces {
            match piece {
                Piece::Account(subject, login, display_name) => {
                    self.account(subject, login, display_name.as_deref())?
                }
                Piece::Repository(id, row) => match &**row {
                    Some(row) => repositories::put(org, self.tx, sync, id, row, self.now)?,
                    None => repositories::remove(org, self.tx, sync, id)?,
                },
                Piece::Pushed(package) => self.update(*package, false)?,
                Piece::Compared(package) => {
                    let key = PackageKey { org, package: *package };
                    request::update(self.tx, key, Reason::Interval, &[], self.now)?;
                }
                Piece::One(change) => {
                    self.one(&change.deed)?;
                    self.record(change)?;
                }
                Piece::Teams(changes) => {
                    self.teams(changes)?;
                    changes.iter().try_for_each(|change| self.record(change))?;
                }
                Piece::Moves(changes) => {
                    self.moves(changes)?;
                    changes.iter().try_for_each(|change| self.record(change))?;
                }
            }
        }
        let is_about_access = |piece: &Piece| !matches!(piece, Piece::Pushed(_) | Piece::Compared(_));
        if pieces.iter().any(is_about_access) {
            self.tx.changed(Changed::Access(org));
        }
        Ok(())
    }

    /// The run's last words.
    fn finish(&mut self) -> store::Result<()> {
        let SyncKey { org, sync } = self.run.key;
        syncs::set_read(org, self.tx, sync, &self.run.read, self.now)?;
        if let Some(credential) = self.run.credential {
            credentials::set_status(org, self.tx, credential, "ok")?;
            installations::set_suspended(org, self.tx, credential, None)?;
        }
        if let Some(last) = self.run.hints {
            sync_hints::remove_until(org, self.tx, sync, last)?;
        }
        if let Some(all) = self.run.hooks {
            hooks::request(self.tx, self.run.key, all, self.now)?;
        }
        sync_runs::finish(org, self.tx, sync, self.id, &self.run.ended, self.now)
    }

    fn account(&self, subject: &str, login: &str, display_name: Option<&str>) -> store::Result<()> {
        let said = Said { subject, login, display_name, email: None, email_verified: false };
        let account = accounts::put(self.tx, &self.run.integration, &said, self.now)?;
        account.user.into_iter().for_each(|user| self.tx.changed(Changed::User(user)));
        Ok(())
    }

    /// The row of an account; none if nobody ever told more of it than its id.
    fn of(&self, subject: &str) -> store::Result<Option<AccountId>> {
        Ok(accounts::by_subject(self.tx, &self.run.integration, subject)?.map(|account| account.id))
    }

    fn package(&self, repository: &str) -> store::Result<Option<PackageId>> {
        let SyncKey { org, sync } = self.run.key;
        repositories::package_of(org, self.tx, sync, repository)
    }

    fn team(&self, team: &str) -> store::Result<Option<TeamId>> {
        let SyncKey { org, sync } = self.run.key;
        sync_people::team(org, self.tx, sync, team)
    }

    fn update(&self, package: PackageId, is_new: bool) -> store::Result<()> {
        let reason = match self.run.begun.cause {
            _ if is_new && self.new > PROMPT => Reason::Interval,
            "hook" => Reason::Hook,
            "schedule" if !is_new => Reason::Interval,
            _ => Reason::Command,
        };
        request::update(self.tx, PackageKey { org: self.run.key.org, package }, reason, &[], self.now).map(drop)
    }

    fn one(&self, deed: &Deed) -> store::Result<()> {
        let SyncKey { org, sync } = self.run.key;
        let tx = self.tx;
        match deed {
            Deed::AddPackage { .. }
            | Deed::Adopt { .. }
            | Deed::Archive { .. }
            | Deed::Retire { .. }
            | Deed::Return { .. }
            | Deed::MovePackage { .. } => self.of_package(deed)?,
            Deed::Account { account, suspended } => {
                let found = accounts::by_subject(tx, &self.run.integration, account)?;
                if let Some((found, suspended)) = found.zip(*suspended) {
                    accounts::set_suspended(tx, &found, suspended.then_some(self.now))?;
                }
            }
            Deed::AddMember { account, as_what } | Deed::ChangeMember { account, as_what } => {
                if let Some(id) = self.of(account)? {
                    sync_people::put_member(org, tx, sync, id, &stored(account, as_what), self.now)?;
                }
            }
            Deed::RemoveMember { account } => {
                if let Some(id) = self.of(account)? {
                    sync_people::remove_member(org, tx, sync, id)?;
                }
            }
            Deed::AddTeam { .. } | Deed::PlaceTeam { .. } | Deed::RemoveTeam { .. } => {}
            Deed::Join { team, accounts } => {
                let Some(team) = self.team(team)? else { return Ok(()) };
                for (account, until) in accounts {
                    if let Some(id) = self.of(account)? {
                        sync_people::join(org, tx, team, id, *until, self.now)?;
                    }
                }
            }
            Deed::Leave { team, accounts } => {
                let Some(team) = self.team(team)? else { return Ok(()) };
                for id in accounts.iter().map(|account| self.of(account)) {
                    if let Some(id) = id? {
                        sync_people::leave(org, tx, team, id)?;
                    }
                }
            }
            Deed::Open { repository, teams } | Deed::Close { repository, teams } => {
                let Some(package) = self.package(repository)? else { return Ok(()) };
                for team in teams.iter().map(|team| self.team(team)) {
                    match (team?, deed) {
                        (Some(team), Deed::Open { .. }) => sync_people::open(org, tx, team, package)?,
                        (Some(team), _) => sync_people::close(org, tx, team, package)?,
                        (None, _) => {}
                    }
                }
            }
            Deed::Grant { repository, account, by, detail, until } => {
                if let Some(whose) = self.of(account)?.zip(self.package(repository)?) {
                    sync_people::grant(org, tx, sync, whose, *by, (detail, *until), self.now)?;
                }
            }
            Deed::Revoke { repository, account, by } => {
                if let Some((account, package)) = self.of(account)?.zip(self.package(repository)?) {
                    sync_people::revoke(org, tx, sync, account, package, *by)?;
                }
            }
        }
        Ok(())
    }

    fn of_package(&self, deed: &Deed) -> store::Result<()> {
        let SyncKey { org, sync } = self.run.key;
        let (tx, now) = (self.tx, self.now);
        let is_there = |package: PackageId| Ok::<_, store::Error>(packages::by_id(org, tx, package)?.is_some());
        match deed {
            Deed::AddPackage { repository, url, url_key, fork, archived } => {
                let new = packages::New {
                    url: url.clone(),
                    url_key: url_key.clone(),
                    vcs: "git".to_owned(),
                    credential: self.run.credential,
                    fork: *fork,
                    next_check_at: self.next_check,
                };
                let package = packages::insert(org, tx, &new, now)?;
                if *archived {
                    abandonment::set_archived(org, tx, package, true)?;
                }
                repositories::set_package(org, tx, sync, repository, package)?;
                self.update(package, true)
            }
            Deed::Adopt { package, returns, archived, repository } if is_there(*package)? => {
                repositories::set_package(org, tx, sync, repository, *package)?;
                if *archived {
                    abandonment::set_archived(org, tx, *package, true)?;
                    self.update(*package, false)?;
                }
                if *returns { self.bring_back(*package) } else { Ok(()) }
            }
            Deed::Return { package } if is_there(*package)? => self.bring_back(*package),
            Deed::Archive { package, archived } if is_there(*package)? => {
                abandonment::set_archived(org, tx, *package, *archived)?;
                self.update(*package, false)
            }
            Deed::Retire { package, .. } if is_there(*package)? => {
                withdraw::tell_mirrors(tx, PackageKey { org, package: *package }, now)?;
                let waiting = name_claims::waiting_for(org, tx, *package)?;
                packages::set_retired(org, tx, *package, Some(now))?;
                waiting.into_iter().try_for_each(|package| self.update(package, false))
            }
            // Somebody removed it meanwhile.
            _ => Ok(()),
        }
    }

    fn bring_back(&self, package: PackageId) -> store::Result<()> {
        packages::set_retired(self.run.key.org, self.tx, package, None)?;
        withdraw::tell_mirrors_of_return(self.tx, PackageKey { org: self.run.key.org, package }, self.now)?;
        self.update(package, false)
    }

    /// Teams leave their places before any gets its own, and go when none is below them any more.
    fn teams(&self, changes: &[Change]) -> store::Result<()> {
        let SyncKey { org, sync } = self.run.key;
        let tx = self.tx;
        for change in changes {
            match &change.deed {
                Deed::AddTeam { team, name, inherits, .. } => {
                    sync_people::insert_team(org, tx, sync, team, (name, *inherits), self.now)?;
                }
                Deed::PlaceTeam { team, .. } => sync_people::displace_team(org, tx, sync, team)?,
                _ => {}
            }
        }
        for change in changes {
            if let Deed::RemoveTeam { team } = &change.deed {
                sync_people::remove_team(org, tx, sync, team)?;
            }
        }
        for change in changes {
            if let Deed::AddTeam { team, name, path, parent, .. } | Deed::PlaceTeam { team, name, path, parent } =
                &change.deed
            {
                sync_people::place_team(org, tx, sync, team, (name, path), parent.as_deref())?;
            }
        }
        Ok(())
    }

    /// Packages leave their addresses before any gets its own.
    fn moves(&self, changes: &[Change]) -> store::Result<()> {
        let org = self.run.key.org;
        let moves = || {
            changes.iter().filter_map(|change| match &change.deed {
                Deed::MovePackage { package, url, url_key, displaced } => Some((*package, url, url_key, *displaced)),
                _ => None,
            })
        };
        let leaving: BTreeSet<PackageId> =
            moves().flat_map(|(id, _, _, displaced)| [Some(id), displaced]).flatten().collect();
        leaving.into_iter().try_for_each(|package| packages::displace(org, self.tx, package))?;
        for (package, url, url_key, _) in moves() {
            packages::set_source(org, self.tx, package, url, url_key)?;
            self.update(package, false)?;
        }
        Ok(())
    }

    /// Records a change in the run and in the audit log.
    fn record(&mut self, change: &Change) -> store::Result<()> {
        let org = self.run.key.org;
        self.number += 1;
        let line = sync_runs::Change {
            action: change.action.as_str().to_owned(),
            kind: change.kind.as_str().to_owned(),
            name: change.name.clone(),
            detail: change.detail.clone(),
        };
        sync_runs::record(org, self.tx, self.id, self.number, &line)?;
        let entry = audit::Entry {
            org: Some(org),
            actor: "sync".to_owned(),
            action: action(change),
            subject: change.name.clone(),
            detail: json!({ "sync": self.run.key.sync, "run": self.id, "detail": change.detail }),
            via: audit::Via::System,
            address: None,
        };
        audit::append(self.tx, &entry, self.now)
    }
}

fn stored(account: &str, is: &Membership) -> sync_people::Member {
    sync_people::Member {
        subject: account.to_owned(),
        there: is.there,
        role: is.role,
        reads: is.reads,
        detail: is.detail.clone(),
        until: is.until,
    }
}

/// What the audit log calls a change.
const fn action(change: &Change) -> &'static str {
    match (change.kind, change.action) {
        (Subject::Package, Action::Add) => "package.add",
        (Subject::Package, Action::Change) => "package.change",
        (Subject::Package, Action::Remove) => "package.remove",
        (Subject::Team, Action::Add) => "team.add",
        (Subject::Team, Action::Change) => "team.change",
        (Subject::Team, Action::Remove) => "team.remove",
        (Subject::Member, Action::Add) => "member.add",
        (Subject::Member, Action::Change) => "member.change",
        (Subject::Member, Action::Remove) => "member.remove",
        (Subject::Permission, Action::Add) => "permission.add",
        (Subject::Permission, Action::Change) => "permission.change",
        (Subject::Permission, Action::Remove) => "permission.remove",
    }
}

#[cfg(test)]
#[path = "apply/tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
