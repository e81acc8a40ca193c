//! Everybody of whom anything is known in an organization, for lists.

use std::collections::HashMap;

use rusqlite::Connection;

use super::facts::{self, Numbers};
use crate::access::effective::{self, Access};
use crate::access::facts::{Facts, Policy};
use crate::access::teams::Teams;
use crate::clock::Timestamp;
use crate::store::ids::OrgId;
use crate::store::members::{self, Connected, Person, Whose};
use crate::store::{self, entries, policies, users};

/// The people of one organization, also those who never logged in.
pub struct Crowd {
    pub(super) people: Vec<(Person, Facts)>,
    pub(super) teams: Teams,
    pub(super) policy: Policy,
    pub(super) numbers: Numbers,
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    crowd: &'a Crowd,
    facts: &'a Facts,
}

impl Crowd {
    /// What the store knows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn read(connection: &Connection, org: OrgId) -> store::Result<Self> {
        let numbers: Numbers = entries::package_ids(org, connection)?.into_iter().zip(0..).collect();
        let teams = facts::all_teams(connection, org, &numbers)?;
        let states: HashMap<_, _> =
            users::all(connection)?.into_iter().map(|user| (user.id, (user.admin, !user.enabled))).collect();
        let mut people = Vec::new();
        for whose in [Whose::Everybody, Whose::Unclaimed] {
            let mut accounts: HashMap<Person, Vec<Connected>> = HashMap::new();
            for account in members::connected(connection, whose)? {
                let person = account.user.map_or(Person::Account(account.id), Person::User);
                accounts.entry(person).or_default().push(account);
            }
            for (person, rows) in facts::rows(connection, org, whose, false)? {
                let (administrator, disabled) = match person {
                    Person::User(user) => states.get(&user).copied().unwrap_or((false, true)),
                    Person::Account(_) => (false, false),
                };
                let accounts = accounts.remove(&person).unwrap_or_default();
                people.push((person, rows.facts(&accounts, administrator, disabled, &numbers)));
            }
        }
        Ok(Self { people, teams, policy: policies::of(org, connection)?, numbers })
    }

    /// Everybody, in no order.
    pub fn people(&self) -> impl Iterator<Item = (Person, Standing<'_>)> {
        self.people.iter().map(|(person, facts)| (*person, Standing { crowd: self, facts }))
    }
}

impl<'a> Standing<'a> {
    /// What is known of the person.
    #[must_use]
    pub const fn facts(self) -> &'a Facts {
        self.facts
    }

    /// What the person is and sees, whatever way of logging in the organization wants.
    #[must_use]
    pub fn access(self, now: Timestamp) -> Access {
        effective::effective(self.facts, &self.crowd.teams, &self.crowd.policy, now)
    }

    /// Whether the person could log in as the organization wants it.
    #[must_use]
    pub fn passes_login_rule(self) -> bool {
        self.facts.passes(&self.crowd.policy.login)
    }
}
