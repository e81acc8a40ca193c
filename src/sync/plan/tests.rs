mod people;

use std::collections::BTreeSet;

use super::{Leave, Loss, Plan, plan};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;
use crate::platform::remote::{
    Kind, RemoteAccount, RemoteMember, RemoteOrganization, RemoteReader, RemoteRepository, RemoteTeam, RepositoryState,
    Touch, Visibility,
};
use crate::store::ids::{PackageId, TeamId};
use crate::sync::change::{Action, Change, Deed, Subject};
use crate::sync::local::{Account, Decision, Local, Package, Reader, Repository, Team};

pub(in crate::sync) fn repository(id: usize) -> RemoteRepository {
    RemoteRepository {
        id: id.to_string(),
        path: format!("acme/r{id}"),
        clone_url: format!("https://github.example.com/acme/r{id}.git"),
        web_url: None,
        default_branch: Some("main".to_owned()),
        pushed_at: None,
        created_at: Some(Timestamp::from_seconds(100)),
        state: RepositoryState::Active,
        visibility: Visibility::Private,
        fork: false,
        manifest: Some(true),
    }
}

pub(in crate::sync) fn account(id: usize) -> RemoteAccount {
    RemoteAccount { id: id.to_string(), login: format!("u{id}"), display_name: None, suspended: false }
}

pub(in crate::sync) fn member(id: usize, role: Role) -> RemoteMember {
    RemoteMember { account: account(id), role, reads: None, detail: String::new(), until: None }
}

pub(in crate::sync) fn team(id: usize, parent: Option<usize>, members: &[usize], repositories: &[usize]) -> RemoteTeam {
    RemoteTeam {
        id: id.to_string(),
        slug: format!("t{id}"),
        parent: parent.map(|parent| parent.to_string()),
        inherits: true,
        members: members.iter().map(|id| (id.to_string(), None)).collect(),
        repositories: repositories.iter().map(ToString::to_string).collect(),
    }
}

pub(in crate::sync) fn reader(account_id: usize, repository: usize) -> RemoteReader {
    RemoteReader {
        account: account(account_id),
        repository: repository.to_string(),
        kind: GrantKind::Collaborator,
        detail: "collaborator (write)".to_owned(),
        until: None,
    }
}

/// An organization with so many repositories, members (the first is the owner), and teams of two.
pub(in crate::sync) fn world(repositories: usize, members: usize, teams: usize) -> RemoteOrganization {
    RemoteOrganization {
        id: "1".to_owned(),
        name: "acme".to_owned(),
        repositories: (0..repositories).map(repository).collect(),
        members: (0..members).map(|id| member(id, if id == 0 { Role::Owner } else { Role::Member })).collect(),
        teams: (0..teams).map(|id| team(id, None, &[0, 1], &[0, 1])).collect(),
        ..RemoteOrganization::default()
    }
}

fn empty() -> Local {
    Local { primary: true, all_packages: true, first: true, ..Local::default() }
}

/// What is here once this was synchronized: everything that a plan for it does, done.
fn synchronized(remote: &RemoteOrganization) -> Local {
    let mut local = done(empty(), remote, &plan(remote, &empty(), &Leave::default()));
    local.first = false;
    local
}

/// What is here after a plan was applied: what the store makes of it, in short.
fn done(mut local: Local, remote: &RemoteOrganization, plan: &Plan) -> Local {
    for (id, row) in &plan.repositories {
        match row {
            Some(row) => {
                local.repositories.insert(id.clone(), row.clone());
            }
            None => {
                local.repositories.remove(id);
            }
        }
    }
    for one in &remote.members {
        let account = &one.account;
        let known = Account { login: account.login.clone(), display_name: None, suspended: account.suspended };
        local.accounts.insert(account.id.clone(), known);
    }
    for Change { deed, .. } in &plan.changes {
        match deed.clone() {
            Deed::AddPackage { repository, url, url_key, archived, .. } => {
                let id = PackageId(1000 + local.packages.len() as i64);
                local.packages.insert(id, Package { url, url_key, archived, ..Package::default() });
                local.repositories.get_mut(&repository).unwrap().package = Some(id);
            }
            Deed::Adopt { package, .. } | Deed::Return { package } => {
                local.packages.get_mut(&package).unwrap().retired = false;
            }
            Deed::MovePackage { package, url, url_key, .. } => {
                let package = local.packages.get_mut(&package).unwrap();
                (package.url, package.url_key) = (url, url_key);
            }
            Deed::Archive { package, archived } => local.packages.get_mut(&package).unwrap().archived = archived,
            Deed::Retire { package, .. } => local.packages.get_mut(&package).unwrap().retired = true,
            Deed::Account { .. } => {}
            Deed::AddMember { account, as_what } | Deed::ChangeMember { account, as_what } => {
                local.members.insert(account, as_what);
            }
            Deed::RemoveMember { account } => {
                local.members.remove(&account);
            }
            Deed::AddTeam { team, name, path, parent, .. } => {
                let (id, members, repositories) = (TeamId(1), [].into(), [].into());
                local.teams.insert(team, Team { id, name, path, parent, members, repositories });
            }
            Deed::PlaceTeam { team, name, path, parent } => {
                let team = local.teams.get_mut(&team).unwrap();
                (team.name, team.path, team.parent) = (name, path, parent);
            }
            Deed::RemoveTeam { team } => {
                local.teams.remove(&team);
            }
            Deed::Join { team, accounts } => local.teams.get_mut(&team).unwrap().members.extend(accounts),
            Deed::Leave { team, accounts } => {
                local.teams.get_mut(&team).unwrap().members.retain(|id, _| !accounts.contains(id));
            }
            Deed::Open { repository, teams } => {
                for team in teams {
                    local.teams.get_mut(&team).unwrap().repositories.insert(repository.clone());
                }
            }
            Deed::Close { repository, teams } => {
                for team in teams {
                    local.teams.get_mut(&team).unwrap().repositories.remove(&repository);
                }
            }
            Deed::Grant { repository, account, by, detail, until } => {
                local.readers.insert((account, repository, by), Reader { detail, until });
            }
            Deed::Revoke { repository, account, by } => {
                local.readers.remove(&(account, repository, by));
            }
        }
    }
    local
}

fn fresh(remote: &RemoteOrganization, local: &Local) -> Plan {
    plan(remote, local, &Leave::default())
}

/// The changes in short: `add package acme/r1`.
fn lines(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| format!("{} {} {}", change.action.as_str(), change.kind.as_str(), change.name);
    changes.iter().map(line).collect()
}

#[test]
fn what_was_synchronized_needs_nothing_more() {
    let mut remote = world(8, 6, 3);
    remote.teams.push(team(7, Some(1), &[2], &[5]));
    remote.readers.push(reader(50, 3));
    let first = fresh(&remote, &empty());
    assert!(first.held.is_empty() && first.losses.is_empty());
    let added = |kind| first.changes.iter().filter(|one| (one.kind, one.action) == (kind, Action::Add)).count();
    assert_eq!((added(Subject::Package), added(Subject::Member), added(Subject::Team)), (8, 6, 4));
    let mut local = synchronized(&remote);
    assert!(local.repositories.values().all(|row| row.asked), "the first plan counts as asked");
    local.accounts.insert("50".to_owned(), Account { login: "u50".to_owned(), display_name: None, suspended: false });
    let again = fresh(&remote, &local);
    assert_eq!(lines(&again.changes), Vec::<String>::new());
    assert!(again.repositories.is_empty() && again.accounts.is_empty() && again.questions.is_empty());
}

#[test]
fn a_renamed_repository_keeps_its_package() {
    let mut remote = world(3, 1, 0);
    let local = synchronized(&remote);
    remote.repositories[1].path = "acme/other".to_owned();
    remote.repositories[1].clone_url = "https://github.example.com/acme/other.git".to_owned();
    let renamed = fresh(&remote, &local);
    assert_eq!(lines(&renamed.changes), ["change package acme/other"]);
    let Deed::MovePackage { package, url, displaced, .. } = &renamed.changes[0].deed else { panic!("{renamed:?}") };
    assert_eq!((Some(*package), *displaced), (local.repositories["1"].package, None));
    assert_eq!(url, "https://github.example.com/acme/other.git");
}

/// Two repositories exchange their names, and a third is made with a name that became free.
#[test]
fn names_may_be_exchanged_at_once() {
    let mut remote = world(2, 1, 0);
    let local = synchronized(&remote);
    let (first, second) = (remote.repositories[0].clone(), remote.repositories[1].clone());
    remote.repositories[0] = RemoteRepository { id: first.id.clone(), ..second.clone() };
    remote.repositories[1] = RemoteRepository { id: second.id, ..first };
    let exchanged = fresh(&remote, &local);
    assert_eq!(lines(&exchanged.changes), ["change package acme/r1", "change package acme/r0"]);

    let mut remote = world(1, 1, 0);
    let local = synchronized(&remote);
    remote.repositories[0].path = "acme/old".to_owned();
    remote.repositories[0].clone_url = "https://github.example.com/acme/old.git".to_owned();
    remote.repositories.push(RemoteRepository { id: "9".to_owned(), ..repository(0) });
    let plan = fresh(&remote, &local);
    assert_eq!(lines(&plan.changes), ["change package acme/old", "add package acme/r0"]);
}

#[test]
fn a_package_that_is_reached_by_ssh_stays_so() {
    let mut remote = world(1, 1, 0);
    let mut local = synchronized(&remote);
    let package = local.repositories["0"].package.unwrap();
    local.packages.get_mut(&package).unwrap().url = "git@github.example.com:acme/r0.git".to_owned();
    remote.repositories[0].path = "acme/new".to_owned();
    remote.repositories[0].clone_url = "https://github.example.com/acme/new.git".to_owned();
    let plan = fresh(&remote, &local);
    let Deed::MovePackage { url, .. } = &plan.changes[0].deed else { panic!("{plan:?}") };
    assert_eq!(url, "git@github.example.com:acme/new.git");
}

#[test]
fn a_package_that_is_here_is_adopted_and_one_that_was_removed_stays_so() {
    let remote = world(2, 1, 0);
    let mut local = empty();
    let key = |id: usize| format!("x{id}");
    let reference = fresh(&remote, &local);
    let Deed::AddPackage { url, url_key, .. } = reference.changes[0].deed.clone() else { panic!("{reference:?}") };
    let here = Package { url, url_key, name: Some("acme/lib".to_owned()), ..Package::default() };
    local.packages.insert(PackageId(5), here.clone());
    local.packages.insert(PackageId(6), Package { url_key: key(6), ..Package::default() });
    let plan = fresh(&remote, &local);
    assert!(matches!(plan.changes[0].deed, Deed::Adopt { package: PackageId(5), returns: false, .. }), "{plan:?}");

    let mut local = synchronized(&remote);
    let row = local.repositories.get_mut("0").unwrap();
    let package = row.package.take().unwrap();
    row.decision = Decision::Removed;
    local.packages.remove(&package);
    let after = fresh(&remote, &local);
    assert_eq!(lines(&after.changes), Vec::<String>::new());
    // Somebody adds it again.
    local.packages.insert(PackageId(7), here);
    let again = fresh(&remote, &local);
    assert!(matches!(again.changes[0].deed, Deed::Adopt { package: PackageId(7), .. }), "{again:?}");
    assert_eq!(again.repositories["0"].as_ref().unwrap().decision, Decision::Package);
}

#[test]
fn repositories_without_a_manifest_are_no_packages_and_say_why() {
    let mut remote = world(5, 1, 0);
    remote.repositories[0].manifest = Some(false);
    remote.repositories[1].manifest = None;
    remote.repositories[2].state = RepositoryState::Empty;
    remote.repositories[3].state = RepositoryState::Disabled;
    let plan = fresh(&remote, &empty());
    let packages = plan.changes.iter().filter(|change| change.kind == Subject::Package).count();
    assert_eq!(packages, 1);
    for id in ["0", "1", "2", "3"] {
        let row = plan.repositories[id].as_ref().unwrap();
        assert!(row.decision == Decision::None && !row.reason.is_empty(), "{row:?}");
    }
    // One whose composer.json goes stays a package: its tags are published still.
    let mut remote = world(1, 1, 0);
    let local = synchronized(&remote);
    remote.repositories[0].manifest = Some(false);
    assert_eq!(lines(&fresh(&remote, &local).changes), Vec::<String>::new());
}

#[test]
fn only_new_repositories_where_that_is_wanted() {
    let mut remote = world(2, 1, 0);
    let mut local = Local { all_packages: false, added_at: Some(Timestamp::from_seconds(500)), ..empty() };
    let first = fresh(&remote, &local);
    assert!(!first.changes.iter().any(|change| change.kind == Subject::Package));
    local = done(local, &remote, &first);
    local.first = false;
    assert_eq!(local.repositories["0"].decision, Decision::Left);
    let created_at = Some(Timestamp::from_seconds(501));
    remote.repositories.push(RemoteRepository { created_at, ..repository(2) });
    remote.repositories.push(RemoteRepository { created_at: None, ..repository(3) });
    local.repositories.get_mut("0").unwrap().decision = Decision::Wanted;
    let plan = fresh(&remote, &local);
    assert_eq!(lines(&plan.changes), ["add package acme/r0", "add package acme/r2", "add package acme/r3"]);
}

#[test]
fn archived_is_abandoned_and_back() {
    let mut remote = world(1, 1, 0);
    let local = synchronized(&remote);
    remote.repositories[0].state = RepositoryState::Archived;
    let archived = fresh(&remote, &local);
    assert!(matches!(archived.changes[0].deed, Deed::Archive { archived: true, .. }));
    let local = done(local, &remote, &archived);
    remote.repositories[0].state = RepositoryState::Active;
    assert!(matches!(fresh(&remote, &local).changes[0].deed, Deed::Archive { archived: false, .. }));
}

#[test]
fn a_repository_that_is_gone_retires_its_package_and_may_come_back() {
    let mut remote = world(3, 2, 1);
    remote.readers.push(reader(1, 0));
    let local = synchronized(&remote);
    let all = remote.repositories.clone();
    remote.repositories.remove(0);
    remote.readers.clear();
    remote.teams[0].repositories.remove("0");
    let plan = fresh(&remote, &local);
    assert_eq!(lines(&plan.changes), ["remove package acme/r0"], "what was granted of it stays for its archives");
    assert_eq!(plan.questions.repositories, [("acme/r0".to_owned(), "0".to_owned())]);
    let leave = Leave { there: [Loss::Package("0".to_owned())].into(), ..Leave::default() };
    let kept = super::plan(&remote, &local, &leave);
    assert!(kept.changes.is_empty() && kept.notices.len() == 1 && kept.questions.is_empty(), "{kept:?}");
    let local = done(local, &remote, &plan);
    assert_eq!(lines(&fresh(&remote, &local).changes), Vec::<String>::new());
    remote.repositories = all;
    let back = fresh(&remote, &local);
    assert!(matches!(back.changes[0].deed, Deed::Return { .. }), "{back:?}");
    // Or another one of the same name.
    remote.repositories[0].id = "77".to_owned();
    let again = fresh(&remote, &local);
    assert!(matches!(again.changes[0].deed, Deed::Adopt { returns: true, .. }), "{again:?}");
    assert_eq!(again.repositories["0"], None);
}

#[test]
fn many_packages_that_go_at_once_wait_and_all_else_is_done() {
    let mut remote = world(30, 3, 0);
    let local = synchronized(&remote);
    remote.repositories.truncate(20);
    remote.repositories.push(repository(50));
    remote.members.pop();
    let plan = fresh(&remote, &local);
    assert_eq!(plan.held.len(), 10);
    assert_eq!(lines(&plan.changes), ["add package acme/r50", "remove member u2"]);
    assert!(plan.because[0].starts_with("10 of 30 packages"), "{:?}", plan.because);
    assert!(plan.held_digest().is_some() && plan.held_digest() != Some(plan.digest()));
    // One that events announced is not weighed, and what was accepted goes.
    let mut leave = Leave::default();
    leave.announced(&[Touch::RepositoryGone("29".to_owned())]);
    assert_eq!(super::plan(&remote, &local, &leave).held.len(), 9);
    leave.gone.extend(plan.losses.clone());
    let accepted = super::plan(&remote, &local, &leave);
    assert_eq!((accepted.held.len(), accepted.changes.len()), (0, 12));
    // The same that waits has the same name when all else is done.
    let after = fresh(&remote, &done(local, &remote, &plan));
    assert_eq!((after.digest(), after.changes.len()), (plan.held_digest().unwrap(), 0));
}

#[test]
fn of_what_was_not_told_nothing_goes() {
    let mut remote = world(3, 3, 3);
    remote.readers.push(reader(9, 1));
    let local = synchronized(&remote);
    let mut less = world(2, 1, 1);
    less.teams[0].members.clear();
    less.teams[0].repositories.clear();
    less.incomplete = BTreeSet::from([Kind::Package, Kind::Team, Kind::Member, Kind::Permission]);
    let plan = fresh(&less, &local);
    assert_eq!((lines(&plan.changes), plan.held.len()), (Vec::new(), 0));
    assert!(!plan.notices.is_empty());
    assert_eq!(plan.questions.members.len(), 2, "members may be asked about one by one");
    let leave = Leave { gone: [Loss::Member("2".to_owned())].into(), ..Leave::default() };
    assert_eq!(lines(&super::plan(&less, &local, &leave).changes), ["remove member u2"]);
}

#[test]
fn pushes_of_which_nobody_told_are_found() {
    let mut remote = world(2, 1, 0);
    let local = synchronized(&remote);
    assert!(fresh(&remote, &local).pushed.is_empty());
    remote.repositories[1].pushed_at = Some("2026-11-23T00:00:00Z".to_owned());
    let plan = fresh(&remote, &local);
    assert_eq!((plan.pushed.len(), plan.changes.len(), plan.repositories.len()), (1, 0, 1));
    assert_eq!(plan.pushed.first().copied(), local.repositories["1"].package);
}

#[test]
fn a_repository_with_an_unacceptable_address_says_so() {
    let mut remote = world(1, 1, 0);
    remote.repositories[0].clone_url = "ftp://github.example.com/acme/r0".to_owned();
    let plan = fresh(&remote, &empty());
    let row: &Repository = plan.repositories["0"].as_ref().unwrap();
    assert!(row.decision == Decision::None && row.reason.contains("ftp"), "{row:?}");
}
