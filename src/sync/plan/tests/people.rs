//! People and teams: members, owners, teams and what single people read.

use std::collections::BTreeSet;

use super::{done, empty, fresh, lines, member, reader, synchronized, team, world};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::platform::remote::{RemoteOrganization, RemoteReader, Visibility};
use crate::sync::change::{Deed, Membership, Subject};
use crate::sync::local::Local;
use crate::sync::plan::{Leave, Loss, Plan};

#[test]
fn members_beyond_the_guard_are_asked_about() {
    let mut remote = world(0, 20, 0);
    let local = synchronized(&remote);
    remote.members.truncate(13);
    let plan = fresh(&remote, &local);
    assert_eq!((plan.held.len(), plan.questions.members.len()), (7, 7));
    let leave = Leave { gone: plan.losses.clone(), ..Leave::default() };
    let asked = crate::sync::plan::plan(&remote, &local, &leave);
    assert_eq!((asked.held.len(), asked.changes.len(), asked.questions.is_empty()), (0, 7, true));
    remote.members.push(member(19, Role::Member));
    remote.members.push(member(18, Role::Member));
    assert!(fresh(&remote, &local).questions.is_empty(), "few may go unasked");
}

#[test]
fn owners_are_the_primary_s_and_one_stays() {
    let mut remote = world(0, 3, 0);
    let primary = synchronized(&remote);
    assert_eq!(primary.members["0"].role, Role::Owner);
    let other = Local { primary: false, ..empty() };
    let plan = fresh(&remote, &other);
    let role = |plan: &Plan| match &plan.changes[0].deed {
        Deed::AddMember { as_what, .. } => (as_what.role, as_what.there),
        other => panic!("{other:?}"),
    };
    assert_eq!(role(&plan), (Role::Member, Role::Owner));
    // The last one is demoted, or gone: that waits, and nothing else does.
    remote.members[0].role = Role::Member;
    remote.members[2].reads = Some(GrantKind::Base);
    let demoted = fresh(&remote, &primary);
    assert_eq!(
        (lines(&demoted.held), lines(&demoted.changes)),
        (vec!["change member u0".to_owned()], vec!["change member u2".to_owned()])
    );
    remote.members.remove(0);
    let gone = fresh(&remote, &primary);
    assert_eq!(lines(&gone.held), ["remove member u0"]);
    // With somebody else as owner, it is done.
    remote.members[0].role = Role::Owner;
    let handed_over = fresh(&remote, &primary);
    assert_eq!(lines(&handed_over.changes), ["change member u1", "change member u2", "remove member u0"]);
    let given = Local { has_given_owner: true, ..primary };
    remote.members[0].role = Role::Member;
    assert!(fresh(&remote, &given).held.is_empty());
}

#[test]
fn accounts_follow_the_platform() {
    let mut remote = world(0, 2, 0);
    let local = synchronized(&remote);
    remote.members[1].account.login = "ada".to_owned();
    remote.members[1].account.suspended = true;
    let plan = fresh(&remote, &local);
    assert_eq!(lines(&plan.changes), ["change member ada", "change member ada"]);
    assert_eq!(plan.accounts["1"].0, "ada");
    assert!(matches!(&plan.changes[1].deed, Deed::Account { suspended: Some(true), .. }));
}

#[test]
fn teams_move_with_what_they_have() {
    let mut remote = world(4, 4, 2);
    remote.teams.push(team(5, Some(0), &[2], &[2]));
    remote.teams.push(team(6, Some(5), &[3], &[]));
    let local = synchronized(&remote);
    assert_eq!((local.teams["6"].path.as_str(), local.teams["6"].parent.as_deref()), ("t0/t5/t6", Some("5")));
    remote.teams[2].parent = Some("1".to_owned());
    remote.teams[2].slug = "five".to_owned();
    remote.teams[2].members = [("1".to_owned(), None)].into();
    remote.teams[2].repositories = ["3".to_owned()].into();
    let plan = fresh(&remote, &local);
    let after = done(local, &remote, &plan);
    assert_eq!(after.teams["6"].path, "t1/five/t6");
    assert_eq!(after.teams["5"].members.keys().collect::<Vec<_>>(), ["1"]);
    assert_eq!(after.teams["5"].repositories.iter().collect::<Vec<_>>(), ["3"]);
    assert_eq!(lines(&fresh(&remote, &after).changes), Vec::<String>::new());
    // The parent goes, the child stands on its own.
    remote.teams.remove(1);
    remote.teams[1].parent = None;
    let gone = fresh(&remote, &after);
    assert_eq!(lines(&gone.changes), ["change team five", "change team five/t6", "remove team t1"]);
}

#[test]
fn a_local_team_keeps_its_name() {
    let remote = world(0, 2, 2);
    let local = Local { taken_paths: ["t0".to_owned(), "t0-2".to_owned()].into(), ..empty() };
    let after = done(local.clone(), &remote, &fresh(&remote, &local));
    assert_eq!((after.teams["0"].path.as_str(), after.teams["1"].path.as_str()), ("t0-3", "t1"));
    assert_eq!(lines(&fresh(&remote, &after).changes), Vec::<String>::new(), "the suffix stays");
}

#[test]
fn names_of_teams_become_ours_and_circles_end() {
    assert_eq!(crate::sync::plan::teams::name_of("Ünder_Co.re", "1"), "nder_co.re");
    assert_eq!(crate::sync::plan::teams::name_of("-.-", "7"), "team-7");
    assert!(crate::sync::plan::teams::name_of(&"x".repeat(500), "7").len() <= 63);
    let mut remote = world(0, 1, 2);
    remote.teams[0].parent = Some("1".to_owned());
    remote.teams[1].parent = Some("0".to_owned());
    let plan = fresh(&remote, &empty());
    assert_eq!(plan.changes.iter().filter(|change| matches!(change.deed, Deed::AddTeam { .. })).count(), 2);
}

#[test]
fn many_teams_and_permissions_that_go_wait() {
    let mut remote = world(10, 10, 10);
    for team in &mut remote.teams {
        team.members = (0..10).map(|id| (id.to_string(), None)).collect();
    }
    let local = synchronized(&remote);
    let mut emptied = remote.clone();
    for team in &mut emptied.teams {
        team.repositories.clear();
    }
    let plan = fresh(&emptied, &local);
    assert_eq!((plan.losses.len(), plan.held.len(), plan.changes.len()), (20, 2, 0));
    for team in &mut emptied.teams {
        team.members.clear();
    }
    emptied.teams.truncate(4);
    let plan = fresh(&emptied, &local);
    assert_eq!(plan.losses.iter().filter(|loss| matches!(loss, Loss::Team(_))).count(), 6);
    assert_eq!(plan.losses.iter().filter(|loss| matches!(loss, Loss::TeamMember(..))).count(), 40);
    assert_eq!(plan.changes.len(), 0);
}

/// Platforms list with a team what those above it read, and who is in those below it: one change takes much along.
#[test]
fn what_follows_from_one_change_is_not_weighed() {
    let names = |members: std::ops::Range<usize>| members.collect::<Vec<_>>();
    let mut remote = world(10, 20, 0);
    let all = names(0..8);
    remote.teams = vec![
        team(1, None, &names(0..9), &all),
        team(2, Some(1), &names(0..8), &all),
        team(3, Some(2), &names(0..7), &all),
        team(4, None, &[15], &[9]),
    ];
    let local = synchronized(&remote);
    // Moved away: it reads what those above it have no more, and they lose its people.
    let mut moved = remote.clone();
    moved.teams[1].parent = Some("4".to_owned());
    for index in [1, 2] {
        moved.teams[index].repositories = ["9".to_owned()].into();
    }
    moved.teams[0].members = [("8".to_owned(), None)].into();
    let plan = fresh(&moved, &local);
    assert_eq!((plan.held.len(), plan.losses.len()), (0, 0), "{:?}", plan.because);
    assert_eq!(lines(&fresh(&moved, &done(local.clone(), &moved, &plan)).changes), Vec::<String>::new());
    // Deleted: so do they.
    let mut deleted = remote.clone();
    deleted.teams.remove(2);
    deleted.teams[0].members = [("7".to_owned(), None), ("8".to_owned(), None)].into();
    deleted.teams[1].members = [("7".to_owned(), None)].into();
    assert_eq!(fresh(&deleted, &local).held.len(), 0);
    // Emptied for no reason that shows, everything waits, also what follows.
    let mut emptied = remote.clone();
    for team in &mut emptied.teams[..3] {
        team.repositories.clear();
        team.members.clear();
    }
    let plan = fresh(&emptied, &local);
    assert_eq!((plan.losses.len(), plan.changes.len()), (3 * 8 + 9 + 8 + 7, 0), "{:?}", plan.changes);
    // One repository taken from the outermost of many teams is one.
    let mut revoked = remote.clone();
    for team in &mut revoked.teams[..3] {
        team.repositories.retain(|id| !["0", "1", "2", "3", "4"].contains(&id.as_str()));
    }
    assert_eq!(fresh(&revoked, &local).held.len(), 0, "five of five teams' permissions, and what follows");
}

#[test]
fn whoever_leaves_the_organization_leaves_its_teams() {
    let mut remote = world(1, 3, 1);
    remote.teams[0].members = [("1".to_owned(), None), ("2".to_owned(), None)].into();
    let local = synchronized(&remote);
    remote.members.pop();
    remote.teams[0].members.remove("2");
    let plan = fresh(&remote, &local);
    assert_eq!(lines(&plan.changes), ["remove member u2", "change team t0"]);
}

#[test]
fn collaborators_come_change_and_go() {
    let mut remote = world(2, 1, 0);
    remote.readers = vec![reader(50, 0), reader(51, 1)];
    let local = synchronized(&remote);
    remote.readers.remove(0);
    remote.readers[0].detail = "collaborator (read)".to_owned();
    remote.readers.push(reader(52, 1));
    let plan = fresh(&remote, &local);
    assert_eq!(
        lines(&plan.changes),
        ["change permission acme/r1", "add permission acme/r1", "remove permission acme/r0"]
    );
    assert!(plan.accounts.contains_key("52"));
    // Of what is no package nobody has to know who reads it.
    remote.repositories[1].manifest = Some(false);
    assert!(!fresh(&remote, &empty()).changes.iter().any(|change| change.kind == Subject::Permission));
}

#[test]
fn a_membership_says_what_it_is() {
    let as_what = Membership {
        there: Role::Owner,
        role: Role::Member,
        reads: Some(GrantKind::Sync),
        detail: "owner of acme".to_owned(),
        until: None,
    };
    assert_eq!(
        crate::sync::plan::people::described(&as_what),
        "member (owner there) who reads all repositories: owner of acme"
    );
}

/// An organization of so many members who read every package by what the platform does not tell.
fn untold(members: usize, packages: usize) -> RemoteOrganization {
    let mut remote = world(packages, members, 0);
    for account in 1..members {
        let read = |repository| RemoteReader { kind: GrantKind::Sync, ..reader(account, repository) };
        remote.readers.extend((0..packages).map(read));
    }
    remote
}

#[test]
fn people_who_would_lose_much_are_asked_about() {
    let mut remote = untold(9, 6);
    let local = synchronized(&remote);
    remote.readers.clear();
    remote.repositories[0].visibility = Visibility::Public;
    let asked = fresh(&remote, &local);
    assert_eq!((asked.held.len(), asked.changes.len()), (48, 0));
    let questions = &asked.questions.readers;
    let accounts: BTreeSet<&str> = questions.iter().map(|one| one.account.as_str()).collect();
    let repositories: BTreeSet<&str> = questions.iter().map(|one| one.repository.as_str()).collect();
    assert_eq!((questions.len(), accounts.len()), (40, 8), "all that they would lose, the first eight of eight people");
    let first: BTreeSet<&str> = questions[..8].iter().map(|one| one.account.as_str()).collect();
    let pairs: BTreeSet<_> = questions.iter().map(|one| (&one.account, &one.repository)).collect();
    assert_eq!((first.len(), pairs.len()), (8, 40));
    assert_eq!(repositories.into_iter().collect::<Vec<_>>(), ["1", "2", "3", "4", "5"], "everybody reads the first");
    let many = fresh(&RemoteOrganization { readers: Vec::new(), ..untold(400, 2) }, &synchronized(&untold(400, 2)));
    assert!((40..=50).contains(&many.questions.readers.len()), "{}", many.questions.readers.len());
}

#[test]
fn nobody_loses_a_repository_of_which_it_is_not_told_and_everybody_loses_others() {
    let mut remote = world(2, 3, 0);
    remote.readers = vec![reader(1, 0), reader(2, 0), reader(1, 1), reader(2, 1)];
    let local = synchronized(&remote);
    remote.readers.clear();
    remote.untold.insert("0".to_owned());
    assert_eq!(lines(&fresh(&remote, &local).changes).len(), 2, "both lose the other one");
    let leave = Leave { gone: [Loss::Reader("1".to_owned(), "0".to_owned())].into(), ..Leave::default() };
    assert_eq!(
        crate::sync::plan::plan(&remote, &local, &leave).changes.len(),
        3,
        "what an event announced goes in any case"
    );
}

#[test]
fn whoever_reads_something_by_another_way_loses_nothing() {
    let mut remote = untold(9, 6);
    let local = synchronized(&remote);
    // The platform tells the base permission from now on.
    remote.readers.clear();
    for member in &mut remote.members {
        member.reads = Some(GrantKind::Base);
    }
    let told = fresh(&remote, &local);
    assert_eq!((told.held.len(), told.because.len()), (0, 0));
    for member in &mut remote.members {
        member.reads = None;
    }
    remote.teams.push(team(5, None, &[1, 2, 3, 4, 5, 6, 7, 8], &[0, 1, 2, 3, 4, 5]));
    assert_eq!(fresh(&remote, &local).held.len(), 0, "or a team has all of them");
}

#[test]
fn a_repository_that_is_not_shown_to_everybody_any_more_is_one_change() {
    let mut remote = world(1, 30, 0);
    remote.repositories[0].visibility = Visibility::Internal;
    remote.readers = (1..30).map(|id| RemoteReader { kind: GrantKind::Base, ..reader(id, 0) }).collect();
    let local = Local { follow_visibility: true, ..synchronized(&remote) };
    remote.readers.clear();
    assert_eq!(fresh(&remote, &local).held.len(), 29, "it is shown still");
    remote.repositories[0].visibility = Visibility::Private;
    assert_eq!(fresh(&remote, &local).held.len(), 0);
    remote.repositories[0].visibility = Visibility::Internal;
    assert_eq!(fresh(&remote, &Local { follow_visibility: false, ..local }).held.len(), 0, "nobody wants it to count");
}

/// In GitLab people count downwards, and projects upwards.
#[test]
fn what_follows_from_one_change_of_a_group_is_not_weighed() {
    let group = |id, parent, members: &[usize], repositories: &[usize]| {
        let mut group = team(id, parent, members, repositories);
        group.inherits = false;
        group
    };
    let mut remote = world(8, 9, 0);
    let everybody: Vec<usize> = (0..8).collect();
    remote.teams = vec![group(1, None, &everybody, &everybody)];
    remote.teams.extend((2..10).map(|id| group(id, Some(1), &everybody, &[id - 2])));
    let local = synchronized(&remote);
    // Two people leave the outermost group, and so all of them; they are in another one.
    let mut left = remote.clone();
    for group in &mut left.teams {
        group.members.remove("0");
        group.members.remove("1");
    }
    let plan = fresh(&left, &local);
    assert_eq!((plan.held.len(), plan.losses.len()), (0, 0), "{:?}", plan.because);
    assert_eq!(lines(&fresh(&left, &done(local.clone(), &left, &plan)).changes), Vec::<String>::new());
    // Projects are taken from the groups that they are in, and so from the one above.
    let mut moved = remote.clone();
    for id in 0..3 {
        for group in &mut moved.teams {
            group.repositories.remove(&id.to_string());
        }
    }
    assert_eq!(fresh(&moved, &local).held.len(), 0, "three, and what follows");
    // Everybody leaves at once: that waits.
    for group in &mut remote.teams {
        group.members.clear();
    }
    assert_eq!(fresh(&remote, &local).changes.len(), 0);
}
