//! What holds of effective access whatever is known of a person.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::effective::{Access, effective};
use super::explain::{Explanation, Kind, explain};
use super::facts::{Account, Facts, Found, Grant, GrantKind, Membership, Policy};
use super::login::LoginRule;
use super::role::Role;
use super::set::AccessSet;
use super::teams::{Team, Teams};
use crate::clock::Timestamp;

/// The packages that are asked for: more than are ever named, so that `all` differs from every list.
const PACKAGES: u32 = 70;
/// When facts of the properties end, and between those instants.
const LAST: i64 = 12;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[derive(Clone, Debug)]
struct World {
    facts: Facts,
    teams: Teams,
    policy: Policy,
}

impl World {
    fn access(&self, now: Timestamp) -> Access {
        effective(&self.facts, &self.teams, &self.policy, now)
    }

    fn explain(&self, package: u32, now: Timestamp) -> Explanation {
        explain(&self.facts, &self.teams, &self.policy, Some(package), now)
    }
}

fn until() -> impl Strategy<Value = Option<Timestamp>> {
    option::of((0..LAST).prop_map(at))
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![4 => Just(Role::Member), 1 => Just(Role::Admin), 1 => Just(Role::Owner)]
}

fn found_as(role: Role, active: bool, until: Option<Timestamp>) -> Found {
    Found { sync: 1, role, reads: None, detail: "".into(), active, until }
}

fn account() -> impl Strategy<Value = Account> {
    let reads = option::of(prop_oneof![Just(GrantKind::Base), Just(GrantKind::Sync)]);
    let found = (0_i64..3, role(), reads, any::<bool>(), until());
    let found =
        found.prop_map(|(sync, role, reads, active, until)| Found { sync, reads, ..found_as(role, active, until) });
    ("[ab]", any::<bool>(), vec(found, 0..3)).prop_map(|(integration, suspended, found)| Account {
        integration: integration.into(),
        login: "ada".into(),
        suspended,
        found: found.into(),
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let whose = || option::of(0_usize..4);
    let membership = (0_i64..6, whose(), until());
    let membership = membership.prop_map(|(team, account, until)| Membership { team, account, until });
    let kind = (0..GrantKind::ALL.len()).prop_map(|index| GrantKind::ALL[index]);
    let grant = (0..PACKAGES - 5, kind, whose(), until()).prop_map(|(package, kind, account, until)| Grant {
        package,
        kind,
        account,
        until,
        detail: "".into(),
    });
    let rare = || prop_oneof![9 => Just(false), 1 => Just(true)];
    let parts =
        (rare(), rare(), option::weighted(0.3, role()), vec(account(), 0..4), vec(membership, 0..4), vec(grant, 0..5));
    parts.prop_map(|(administrator, disabled, given, accounts, teams, grants)| Facts {
        administrator,
        disabled,
        given,
        accounts: accounts.into(),
        teams: teams.into(),
        grants: grants.into(),
        outdated: false,
    })
}

fn teams() -> impl Strategy<Value = Teams> {
    let own = prop_oneof![
        9 => vec(0..PACKAGES - 5, 0..4).prop_map(AccessSet::of),
        1 => Just(AccessSet::All),
    ];
    let team = (option::of(0_i64..5), any::<bool>(), own);
    let syncs = vec(vec(0..PACKAGES - 5, 0..4).prop_map(AccessSet::of), 0..3);
    (vec(team, 0..5), syncs).prop_map(|(teams, syncs)| {
        let teams = teams.into_iter().enumerate().map(|(number, (parent, synchronized, own))| {
            (number as i64, Team { path: format!("team-{number}").into(), parent, synchronized, inherits: true, own })
        });
        Teams::of(teams.collect::<HashMap<_, _>>()).with_syncs((0..).zip(syncs).collect())
    })
}

fn world() -> impl Strategy<Value = World> {
    let policy =
        (vec("[ab]", 0..2), any::<bool>()).prop_map(|(login, manual)| Policy { login: LoginRule::of(login), manual });
    (facts(), teams(), policy).prop_map(|(facts, teams, policy)| World { facts, teams, policy })
}

fn reads_no_more(less: &Access, more: &Access) -> bool {
    less.role <= more.role && (0..PACKAGES).all(|package| !less.set.may_read(package) || more.set.may_read(package))
}

fn without<T: Clone>(list: &[T], index: usize) -> Box<[T]> {
    list.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, one)| one.clone()).collect()
}

proptest! {
    #[test]
    fn the_union_of_the_paths_is_the_set(world in world(), now in 0..LAST) {
        let (now, access) = (at(now), world.access(at(now)));
        let passes = world.facts.passes(&world.policy.login);
        for package in 0..PACKAGES {
            let explanation = world.explain(package, now);
            prop_assert_eq!(explanation.allowed, access.set.may_read(package) && passes, "{}: {:?}", package, explanation);
            prop_assert!(!explanation.because.is_empty());
            let nothing = explanation.because.iter().all(|one| one.kind == Kind::None);
            let something = explanation.because.iter().all(|one| one.kind != Kind::None);
            prop_assert!(if explanation.allowed { something } else { nothing }, "{:?}", explanation);
        }
    }

    #[test]
    fn removing_a_fact_never_adds_access(world in world(), now in 0..LAST) {
        let before = world.access(at(now));
        let mut lesser = vec![
            Facts { given: None, ..world.facts.clone() },
            Facts { administrator: false, ..world.facts.clone() },
            Facts { disabled: true, ..world.facts.clone() },
        ];
        for index in 0..world.facts.teams.len() {
            lesser.push(Facts { teams: without(&world.facts.teams, index), ..world.facts.clone() });
        }
        for index in 0..world.facts.grants.len() {
            lesser.push(Facts { grants: without(&world.facts.grants, index), ..world.facts.clone() });
        }
        for (index, account) in world.facts.accounts.iter().enumerate() {
            let mut suspended = world.facts.clone();
            suspended.accounts[index].suspended = true;
            lesser.push(suspended);
            for at in (0..account.found.len()).filter(|at| account.found[*at].active) {
                let mut unfound = world.facts.clone();
                unfound.accounts[index].found = without(&account.found, at);
                lesser.push(unfound);
                let mut waiting = world.facts.clone();
                waiting.accounts[index].found[at].active = false;
                lesser.push(waiting);
            }
        }
        for facts in lesser {
            let after = World { facts: facts.clone(), ..world.clone() }.access(at(now));
            prop_assert!(reads_no_more(&after, &before), "{:?} gives {:?} instead of {:?}", facts, after, before);
        }
        let strict = Policy { manual: true, ..world.policy.clone() };
        let after = World { policy: strict, ..world }.access(at(now));
        prop_assert!(reads_no_more(&after, &before));
    }

    #[test]
    fn nothing_changes_before_it_is_said_to(world in world()) {
        let mut now = at(-1);
        let mut access = world.access(now);
        for next in 0..=LAST {
            let after = world.access(at(next));
            prop_assert!(after.since.is_none_or(|since| since <= at(next)));
            prop_assert_eq!(access.until == after.until, access.since == after.since, "one ends where the next begins");
            if access.until.is_none_or(|until| until > at(next)) {
                prop_assert!((after.role, &after.set) == (access.role, &access.set), "{:?} → {}", now, next);
            } else {
                prop_assert!(reads_no_more(&after, &access), "an end adds nothing");
            }
            (now, access) = (at(next), after);
        }
        prop_assert_eq!(access.until, None);
    }

    #[test]
    fn disabled_people_and_strangers_see_nothing(world in world(), now in 0..LAST) {
        let facts = Facts { disabled: true, ..world.facts.clone() };
        let disabled = World { facts, ..world.clone() }.access(at(now));
        let stranger = World { facts: Facts::default(), ..world }.access(at(now));
        prop_assert!(disabled.is_none() && stranger.is_none());
    }
}

fn plain() -> World {
    let team = |parent, synchronized, packages: &[u32]| Team {
        path: if parent == Some(1) { "web/api".into() } else { "web".into() },
        inherits: true,
        parent,
        synchronized,
        own: AccessSet::of(packages.iter().copied()),
    };
    let teams = [(1, team(None, false, &[1])), (2, team(Some(1), false, &[2])), (3, team(None, true, &[3]))];
    World { facts: Facts::default(), teams: Teams::of(teams.into()), policy: Policy::default() }
}

fn found(role: Role) -> Account {
    let found = found_as(role, true, None);
    Account { integration: "ghe".into(), login: "ada".into(), suspended: false, found: [found].into() }
}

fn grant(kind: GrantKind, account: Option<usize>) -> Grant {
    Grant { package: 9, kind, account, until: None, detail: "".into() }
}

fn membership(team: i64, account: Option<usize>) -> Membership {
    Membership { team, account, until: None }
}

#[test]
fn a_child_team_reads_what_its_parent_may() {
    let mut world = plain();
    world.facts.teams = [membership(2, None)].into();
    let access = world.access(at(0));
    assert_eq!(
        (access.role, access.set),
        (Some(Role::Member), AccessSet::of([1, 2])),
        "an administrator's team makes a member"
    );
    let explanation = world.explain(1, at(0));
    assert_eq!(explanation.because[0].detail, "team web, above the team web/api");
    assert_eq!(world.explain(2, at(0)).because[0].detail, "team web/api");
}

#[test]
fn found_people_wait_where_an_administrator_wants_to_say_yes() {
    let mut world = plain();
    world.policy.manual = true;
    let mut account = found(Role::Owner);
    account.found[0].active = false;
    world.facts.accounts = [account].into();
    world.facts.teams = [membership(3, Some(0))].into();
    world.facts.grants = [grant(GrantKind::Collaborator, Some(0)), grant(GrantKind::Base, Some(0))].into();
    assert!(world.access(at(0)).is_none());
    let explanation = world.explain(3, at(0));
    assert!(explanation.because[0].detail.contains("no administrator activated it yet"), "{explanation:?}");
    world.facts.accounts[0].found[0] = found_as(Role::Member, true, Some(at(5)));
    assert_eq!(world.access(at(4)).set, AccessSet::of([3, 9]));
    assert!(world.access(at(5)).is_none(), "an outside collaborator waits as well");
    world.policy.manual = false;
    assert_eq!(world.access(at(5)).set, AccessSet::of([9]), "and does not where nobody has to say yes");
    assert_eq!(world.access(at(5)).role, None);
    world.facts.accounts[0].suspended = true;
    assert!(world.access(at(4)).is_none(), "a suspended account contributes nothing");
}

#[test]
fn a_whole_synchronization_may_be_read() {
    let mut world = plain();
    world.teams = world.teams.with_syncs([(1, AccessSet::of([5, 6])), (2, AccessSet::of([7]))].into());
    let mut account = found(Role::Member);
    account.found[0].reads = Some(GrantKind::Base);
    account.found[0].detail = "base permission of acme".into();
    world.facts.accounts = [account].into();
    assert_eq!(world.access(at(0)).set, AccessSet::of([5, 6]));
    let because = world.explain(6, at(0)).because;
    assert_eq!((because[0].kind.as_str(), because[0].detail.as_str()), ("base", "base permission of acme, as ghe:ada"));
    assert!(!world.explain(7, at(0)).allowed, "it is of another synchronization");
    world.teams = world.teams.with(1, None);
    assert_eq!(world.access(at(0)).set, AccessSet::of([5, 6]), "a team that goes takes nothing else along");
    world.facts.accounts[0].found[0].until = Some(at(5));
    assert!(world.access(at(5)).is_none());
    world.facts.accounts[0].found[0].until = None;
    world.facts.accounts[0].found[0].active = false;
    assert!(world.access(at(0)).is_none());
}

#[test]
fn what_is_out_of_date_is_said() {
    let mut world = plain();
    world.facts.outdated = true;
    let because = world.explain(1, at(0)).because;
    assert!(because[0].detail.contains("no run has confirmed it"), "{because:?}");
}

#[test]
fn a_grant_makes_no_member() {
    let mut world = plain();
    world.facts.grants = [grant(GrantKind::Given, None), grant(GrantKind::Base, None)].into();
    let access = world.access(at(0));
    assert_eq!((access.role, access.set), (None, AccessSet::of([9])));
    let because = world.explain(9, at(0)).because;
    assert_eq!(because.len(), 1, "the base permission is for members: {because:?}");
    assert_eq!((because[0].kind.as_str(), because[0].detail.as_str()), ("grant", "granted by an administrator"));
}

#[test]
fn every_path_is_told() {
    let mut world = plain();
    world.facts = Facts {
        given: Some(Role::Admin),
        administrator: true,
        accounts: [found(Role::Owner)].into(),
        teams: [membership(1, None), membership(2, None)].into(),
        grants: [grant(GrantKind::Sync, Some(0))].into(),
        ..Facts::default()
    };
    let details = |package| -> Vec<String> {
        world
            .explain(package, at(0))
            .because
            .into_iter()
            .map(|one| format!("{}: {}", one.kind.as_str(), one.detail))
            .collect()
    };
    let owner = [
        "owner: administrator of the instance",
        "owner: admin of the organization",
        "owner: owner of the organization, as ghe:ada",
    ];
    assert_eq!(details(1)[..3], owner);
    assert_eq!(details(1)[3..], ["team: team web", "team: team web, above the team web/api"]);
    assert_eq!(details(9)[3..], ["sync: the platform lets the person read it, as ghe:ada"]);
}

#[test]
fn the_way_of_logging_in_stands_in_the_way() {
    let mut world = plain();
    world.policy.login = LoginRule::of(["gitlab"]);
    world.facts = Facts { given: Some(Role::Owner), accounts: [found(Role::Member)].into(), ..Facts::default() };
    let explanation = world.explain(1, at(0));
    assert!(!explanation.allowed);
    assert_eq!(explanation.because[0].detail, "the organization wants its people to log in by gitlab");
    world.facts.administrator = true;
    assert!(world.explain(1, at(0)).allowed, "administrators of the instance are the rescue");
}
