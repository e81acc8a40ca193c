//! Reading what is known of people from the store, as the rules of access want it.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::access::explain::{self, Explanation};
use crate::access::facts::{Account, Facts, Found, Grant, Membership, Policy};
use crate::access::role::Role;
use crate::access::set::AccessSet;
use crate::access::teams::{Team, Teams};
use crate::access::{effective, effective::Access};
use crate::clock::Timestamp;
use crate::store::ids::{AccountId, OrgId, PackageId, TeamId, UserId};
use crate::store::members::{Connected, Person, Whose};
use crate::store::{self, entries, grants, members, policies, repositories, team_members, teams, users};

/// The packages' numbers in access sets.
pub(super) type Numbers = HashMap<PackageId, u32>;

/// What the store knows of one person in one organization, before the person's accounts are known.
#[derive(Debug, Default)]
pub(super) struct Rows {
    given: Option<Role>,
    found: Vec<(AccountId, Found)>,
    teams: Vec<team_members::Membership>,
    grants: Vec<grants::Grant>,
    /// Whether something that synchronizations found is left out.
    outdated: bool,
}

/// What is known of one person or of many.
pub(super) fn rows(
    connection: &Connection,
    org: OrgId,
    whose: Whose,
    detailed: bool,
) -> store::Result<HashMap<Person, Rows>> {
    let mut rows: HashMap<Person, Rows> = HashMap::new();
    let user = match whose {
        Whose::One(Person::User(user)) => Some(user),
        _ => None,
    };
    if !matches!(whose, Whose::Unclaimed | Whose::One(Person::Account(_))) {
        for (user, role) in members::given(org, connection, user)? {
            rows.entry(Person::User(user)).or_default().given = Some(role);
        }
    }
    for mut one in members::found_of(org, connection, whose)? {
        if !detailed {
            one.found.detail = "".into();
        }
        let person = one.user.map_or(Person::Account(one.account), Person::User);
        rows.entry(person).or_default().take(one.stale, |rows| rows.found.push((one.account, one.found)));
    }
    for membership in team_members::memberships(org, connection, whose)? {
        let person = whose_row(membership.user, membership.account);
        if let Some(person) = person {
            rows.entry(person).or_default().take(membership.stale, |rows| rows.teams.push(membership));
        }
    }
    for grant in grants::of(org, connection, whose, detailed)? {
        if let Some(person) = whose_row(grant.user, grant.account) {
            rows.entry(person).or_default().take(grant.stale, |rows| rows.grants.push(grant));
        }
    }
    Ok(rows)
}

/// Of a row that is about a person or an account: who it is about.
fn whose_row(user: Option<UserId>, account: Option<AccountId>) -> Option<Person> {
    user.map(Person::User).or(account.map(Person::Account))
}

impl Rows {
    /// Takes a row over, unless it is out of date.
    fn take(&mut self, stale: bool, over: impl FnOnce(&mut Self)) {
        if stale {
            self.outdated = true;
        } else {
            over(self);
        }
    }

    /// The facts about somebody with these accounts. A row about any other account says nothing about the person.
    pub(super) fn facts(self, accounts: &[Connected], administrator: bool, disabled: bool, numbers: &Numbers) -> Facts {
        let index = |id: AccountId| accounts.iter().position(|account| account.id == id);
        // Some(None): about the person; none: about an account that is not theirs.
        let whose = |account: Option<AccountId>| match account {
            None => Some(None),
            Some(id) => index(id).map(Some),
        };
        let teams = self
            .teams
            .iter()
            .filter_map(|row| Some(Membership { team: row.team.0, account: whose(row.account)?, until: row.until }));
        let grants = self.grants.into_iter().filter_map(|row| {
            Some(Grant {
                package: *numbers.get(&row.package)?,
                kind: row.kind,
                account: whose(row.account)?,
                until: row.until,
                detail: row.detail.into(),
            })
        });
        let found_of =
            |id| self.found.iter().filter(move |(account, _)| *account == id).map(|(_, found)| found.clone());
        Facts {
            administrator,
            disabled,
            given: self.given,
            outdated: self.outdated,
            teams: teams.collect(),
            grants: grants.collect(),
            accounts: accounts
                .iter()
                .map(|account| Account {
                    integration: account.integration.as_str().into(),
                    login: account.login.as_str().into(),
                    suspended: account.suspended,
                    found: found_of(account.id).collect(),
                })
                .collect(),
        }
    }
}

/// All teams of the organization with what they have.
pub(super) fn all_teams(connection: &Connection, org: OrgId, numbers: &Numbers) -> store::Result<Teams> {
    let mut having: HashMap<TeamId, Vec<u32>> = HashMap::new();
    for (team, package) in teams::reached(org, connection, None)? {
        having.entry(team).or_default().extend(numbers.get(&package));
    }
    let teams = teams::all(org, connection)?.into_iter();
    let teams = teams.map(|row| (row.id.0, team(&row, having.remove(&row.id).unwrap_or_default()))).collect();
    let mut syncs: HashMap<i64, Vec<u32>> = HashMap::new();
    for (sync, package) in repositories::packages(org, connection)? {
        syncs.entry(sync.0).or_default().extend(numbers.get(&package));
    }
    let syncs = syncs.into_iter().map(|(sync, packages)| (sync, AccessSet::of(packages))).collect();
    Ok(Teams::of(teams).with_syncs(syncs))
}

/// One team with what it has; none if it is gone.
pub(super) fn one_team(
    connection: &Connection,
    org: OrgId,
    id: TeamId,
    numbers: &Numbers,
) -> store::Result<Option<Team>> {
    let Some(row) = teams::by_id(org, connection, id)? else { return Ok(None) };
    let having = teams::reached(org, connection, Some(id))?;
    Ok(Some(team(&row, having.iter().filter_map(|(_, package)| numbers.get(package)).copied().collect())))
}

fn team(row: &teams::Team, having: Vec<u32>) -> Team {
    Team {
        path: row.path.as_str().into(),
        parent: row.parent.map(|parent| parent.0),
        synchronized: row.synchronized,
        inherits: row.inherits,
        own: if row.all_packages { AccessSet::All } else { AccessSet::of(having) },
    }
}

/// Everything that decides what one person sees in one organization, with the details that an explanation needs.
pub struct Known {
    facts: Facts,
    teams: Teams,
    policy: Policy,
    numbers: Numbers,
}

impl Known {
    /// What the store knows. Of a person who is gone, and of an account by which nobody logged in, that is what it will
    /// be worth to whoever does.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn read(connection: &Connection, org: OrgId, person: Person) -> store::Result<Self> {
        let numbers: Numbers = entries::package_ids(org, connection)?.into_iter().zip(0..).collect();
        let teams = all_teams(connection, org, &numbers)?;
        let policy = policies::of(org, connection)?;
        let whose = Whose::One(person);
        let rows = rows(connection, org, whose, true)?.into_values().next().unwrap_or_default();
        let (administrator, enabled) = match person {
            Person::User(user) => {
                users::by_id(connection, user)?.map_or((false, false), |user| (user.admin, user.enabled))
            }
            Person::Account(_) => (false, true),
        };
        let accounts = members::connected(connection, whose)?;
        let facts = rows.facts(&accounts, administrator, !enabled, &numbers);
        Ok(Self { facts, teams, policy, numbers })
    }

    /// Why the person may see a package, or why not.
    #[must_use]
    pub fn explain(&self, package: PackageId, now: Timestamp) -> Explanation {
        let number = self.numbers.get(&package).copied();
        explain::explain(&self.facts, &self.teams, &self.policy, number, now)
    }

    /// What the person is and sees, whatever way of logging in the organization wants.
    #[must_use]
    pub fn access(&self, now: Timestamp) -> Access {
        effective::effective(&self.facts, &self.teams, &self.policy, now)
    }

    /// What is known of the person.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the organization says about everybody.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether an access set of the person has a package.
    #[must_use]
    pub fn includes(&self, set: &AccessSet, package: PackageId) -> bool {
        self.numbers.get(&package).is_some_and(|number| set.may_read(*number))
    }
}
