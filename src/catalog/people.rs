//! What a person is and sees in an organization, computed when it is first asked for after a change.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::view::{View, Views};
use super::world::Organization;
use crate::access::effective;
use crate::access::facts::{Facts, Policy};
use crate::access::login::LoginRule;
use crate::access::role::Role;
use crate::access::teams::Teams;
use crate::clock::Timestamp;

/// What decides about all people of an organization alike.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) teams: Teams,
    pub(super) policy: Policy,
}

/// Somebody of whom something is known in an organization.
pub(super) struct Person {
    facts: Facts,
    /// What followed from the facts when it was last computed. Any request may write it: all would write the same.
    memo: ArcSwapOption<Standing>,
}

/// What a person is and sees for a while.
struct Standing {
    role: Option<Role>,
    view: Arc<View>,
    passes: bool,
    /// By which rules. They are compared by their place: as long as this holds them, no others can be there.
    rules: Arc<Rules>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Person {
    pub(super) fn of(facts: Facts) -> Arc<Self> {
        Arc::new(Self { facts, memo: ArcSwapOption::empty() })
    }

    /// Memberships and grants end by themselves, and clocks are set back: what was computed holds for its own while.
    fn standing(&self, rules: &Arc<Rules>, views: &Views, now: Timestamp) -> Arc<Standing> {
        let is_right = |standing: &Arc<Standing>| {
            let has_begun = standing.since.is_none_or(|since| since <= now);
            let is_now = has_begun && standing.until.is_none_or(|until| now < until);
            is_now && Arc::ptr_eq(&standing.rules, rules)
        };
        if let Some(standing) = self.memo.load_full().filter(is_right) {
            return standing;
        }
        let access = effective::effective(&self.facts, &rules.teams, &rules.policy, now);
        let standing = Arc::new(Standing {
            role: access.role,
            view: views.of(access.set),
            passes: self.facts.passes(&rules.policy.login),
            rules: Arc::clone(rules),
            since: access.since,
            until: access.until,
        });
        self.memo.store(Some(Arc::clone(&standing)));
        standing
    }
}

/// A person in an organization: somebody there, or an administrator of the instance.
#[derive(Clone)]
pub struct OrgAccess {
    /// The organization.
    pub organization: Arc<Organization>,
    /// With which power the person acts: an administrator of the instance with an owner's.
    pub role: Role,
    /// What the person is there as a member; none for collaborators.
    pub membership: Option<Role>,
    /// Whether the person administers the instance.
    pub administrator: bool,
    /// The packages that the person sees.
    pub view: Arc<View>,
    passes: bool,
    rules: Arc<Rules>,
}

impl OrgAccess {
    /// Of somebody whose business the organization is; none for strangers.
    pub(super) fn of(
        organization: &Arc<Organization>,
        person: Option<&Person>,
        administrator: bool,
        now: Timestamp,
    ) -> Option<Self> {
        let standing = person.map(|person| person.standing(&organization.rules, &organization.views, now));
        let (membership, view, passes) = match (&standing, administrator) {
            (Some(standing), _) => (standing.role, Arc::clone(&standing.view), standing.passes),
            (None, true) => (None, Arc::clone(&organization.views.everything), true),
            (None, false) => return None,
        };
        if membership.is_none() && view.set.is_empty() {
            return None;
        }
        let role = if administrator { Role::Owner } else { membership.unwrap_or(Role::Collaborator) };
        let (organization, rules) = (Arc::clone(organization), Arc::clone(&organization.rules));
        Some(Self { organization, role, membership, administrator, view, passes, rules })
    }

    /// Whether the person manages the organization.
    #[must_use]
    pub const fn manages(&self) -> bool {
        self.role.manages()
    }

    /// How the organization wants its people to log in.
    #[must_use]
    pub fn login_rule(&self) -> &LoginRule {
        &self.rules.policy.login
    }

    /// Whether a session that began with a login by this integration (none: with a password) may look at the
    /// organization.
    #[must_use]
    pub fn admits_session(&self, integration: Option<&str>) -> bool {
        self.administrator || self.login_rule().admits_session(integration)
    }

    /// Whether the person could log in as the organization wants it: then the user token opens it.
    #[must_use]
    pub const fn admits_token(&self) -> bool {
        self.passes
    }

    /// Whether people whom synchronizations find wait for an administrator.
    #[must_use]
    pub fn activates_by_hand(&self) -> bool {
        self.rules.policy.manual
    }
}
