//! Why somebody may see a package, by every path, or why not.

use super::effective::Ground;
use super::facts::{Account, Facts, GrantKind, Policy, is_in_force};
use super::login::LoginRule;
use super::role::Role;
use super::teams::Teams;
use crate::clock::Timestamp;

/// One reason. Its kinds are those of the contract (section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// What kind of reason it is.
    pub kind: Kind,
    /// The same in words, for people.
    pub detail: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// What lies between the person and the package, from the person on; for what is in the way, nothing.
    pub steps: Vec<String>,
}

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Owners, administrators of the organization and of the instance see everything.
    Owner,
    /// A team may.
    Team,
    /// A single package: see [`GrantKind`].
    Grant(GrantKind),
    /// Not at all.
    None,
}

impl Kind {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Team => "team",
            Self::Grant(kind) => kind.as_str(),
            Self::None => "none",
        }
    }
}

/// Whether somebody may, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the person may.
    pub allowed: bool,
    /// Every path, if so; else everything that stands in the way. Never empty.
    pub because: Vec<Because>,
}

/// Why a person may see, at `now`, the package with this number (none: a package that is not published), or why not.
#[must_use]
pub fn explain(facts: &Facts, teams: &Teams, policy: &Policy, package: Option<u32>, now: Timestamp) -> Explanation {
    let ground = Ground { facts, teams, policy, now };
    let role = ground.role();
    let paths = if facts.disabled { Vec::new() } else { paths(ground, role, package) };
    let passes = facts.passes(&policy.login);
    if !paths.is_empty() && passes {
        return Explanation { allowed: true, because: paths };
    }
    let mut because = obstacles(ground, role);
    if paths.is_empty() {
        because.extend(absence(facts, role));
    }
    if !passes {
        because.push(none(wrong_login(&policy.login)));
    }
    Explanation { allowed: false, because }
}

fn paths(ground: Ground<'_>, role: Option<Role>, package: Option<u32>) -> Vec<Because> {
    let mut paths = owners(ground);
    paths.extend(teams(ground, role, package));
    for (account, found) in ground.wholes(role) {
        let has_it = ground.teams.of_sync(found.sync).zip(package).is_some_and(|(set, package)| set.may_read(package));
        if let Some(kind) = found.reads.filter(|_| has_it) {
            let detail = if found.detail.is_empty() { words(kind).to_owned() } else { found.detail.to_string() };
            let steps = vec![named(account), detail.clone()];
            let detail = with(detail, Some(account));
            paths.push(Because { kind: Kind::Grant(kind), detail, until: found.until, steps });
        }
    }
    let grants = ground.grants(role).filter(|grant| Some(grant.package) == package);
    paths.extend(grants.map(|grant| {
        let by = grant.account.and_then(|index| ground.facts.accounts.get(index));
        let detail = if grant.detail.is_empty() { words(grant.kind).to_owned() } else { grant.detail.to_string() };
        let steps = by.map(named).into_iter().chain([detail.clone()]).collect();
        Because { kind: Kind::Grant(grant.kind), detail: with(detail, by), until: grant.until, steps }
    }));
    paths
}

/// Every way in which somebody sees all packages.
fn owners(ground: Ground<'_>) -> Vec<Because> {
    let facts = ground.facts;
    let owner = |detail: String, by: Option<&Account>, until| Because {
        kind: Kind::Owner,
        steps: by.map(named).into_iter().chain([detail.clone()]).collect(),
        detail: with(detail, by),
        until,
    };
    let mut paths = Vec::new();
    if facts.administrator {
        paths.push(owner("administrator of the instance".to_owned(), None, None));
    }
    if let Some(role) = facts.given.filter(|role| role.manages()) {
        paths.push(owner(format!("{role} of the organization"), None, None));
    }
    for account in &facts.accounts {
        for found in &account.found {
            let holds = found.active && is_in_force(found.until, ground.now) && !account.suspended;
            if holds && found.role.manages() {
                paths.push(owner(format!("{} of the organization", found.role), Some(account), found.until));
            }
        }
    }
    paths
}

/// One path for each team of the person, and for each above it, that has the package.
fn teams(ground: Ground<'_>, role: Option<Role>, package: Option<u32>) -> Vec<Because> {
    let mut paths = Vec::new();
    for membership in ground.memberships(role) {
        let account = membership.account.and_then(|index| ground.facts.accounts.get(index));
        let mut inner = None;
        let mut steps: Vec<String> = account.map(named).into_iter().collect();
        for (_, team) in ground.teams.line(membership.team) {
            steps.push(format!("team {}", team.path));
            if package.is_some_and(|package| team.own.may_read(package)) {
                let detail = match inner {
                    None => format!("team {}", team.path),
                    Some(inner) => format!("team {}, above the team {inner}", team.path),
                };
                paths.push(Because {
                    kind: Kind::Team,
                    detail: with(detail, account),
                    until: membership.until,
                    steps: steps.clone(),
                });
            }
            inner = inner.or(Some(&team.path));
        }
    }
    paths
}

/// What keeps facts from counting, whichever package is asked for.
fn obstacles(ground: Ground<'_>, role: Option<Role>) -> Vec<Because> {
    let facts = ground.facts;
    if facts.disabled {
        return vec![none("the account is disabled".to_owned())];
    }
    let mut because = Vec::new();
    for account in &facts.accounts {
        let name = format!("{}:{}", account.integration, account.login);
        if account.suspended {
            because.push(none(format!("the account {name} is suspended")));
        } else if ground.waits(account) {
            because.push(none(format!("{name} was found, and no administrator activated it yet")));
        } else if let Some(end) = account.found.iter().filter_map(|found| found.until).max()
            && end <= ground.now
            && ground.found(account).is_none()
        {
            because.push(none(format!("the membership of {name} ended at {}", end.rfc3339())));
        }
    }
    if facts.outdated {
        because.push(none(
            "what synchronizations found does not count at the moment, because no run has confirmed it for too long: the page of the synchronization tells why".to_owned(),
        ));
    }
    let ended = facts.teams.iter().map(|team| team.until).chain(facts.grants.iter().map(|grant| grant.until));
    if let Some(end) = ended.flatten().filter(|end| *end <= ground.now).max() {
        because.push(none(format!("a membership of a team, or a grant, ended at {}", end.rfc3339())));
    }
    let held_back = facts.grants.iter().any(|grant| grant.kind == GrantKind::Collaborator);
    if role.is_none() && held_back && ground.policy.manual {
        because.push(none("people whom a synchronization finds wait here until an administrator says yes".to_owned()));
    }
    because
}

/// What is said where no path leads to the package.
fn absence(facts: &Facts, role: Option<Role>) -> Option<Because> {
    (!facts.disabled).then(|| {
        none(match role {
            Some(role) => {
                format!("{role} of the organization, but no team of theirs has the package, and nobody granted it")
            }
            None => "neither a member of the organization, nor was the package granted".to_owned(),
        })
    })
}

fn wrong_login(rule: &LoginRule) -> String {
    format!("the organization wants its people to log in by {}", rule.integrations().join(" or "))
}

fn none(detail: String) -> Because {
    Because { kind: Kind::None, detail, until: None, steps: Vec::new() }
}

fn with(detail: String, account: Option<&Account>) -> String {
    match account {
        Some(account) => format!("{detail}, as {}", named(account)),
        None => detail,
    }
}

fn named(account: &Account) -> String {
    format!("{}:{}", account.integration, account.login)
}

const fn words(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Given => "granted by an administrator",
        GrantKind::Collaborator => "collaborator of the repository",
        GrantKind::Base => "every member of the platform's organization may read it",
        GrantKind::Sync => "the platform lets the person read it",
    }
}
