//! Rights that come by no team and no list of their own: the base permission, roles that an organization made, and answers
//! that leave something out.

use serde_json::{Value, json};

use crate::platforms::frame::Fault;
use crate::platforms::github::directory::{Grant, Level};
use crate::platforms::message::Reply;
use crate::world::World;

/// An organization with so many packages and members, of whose changes nobody tells.
fn world(packages: usize, members: usize) -> (World, Vec<u64>, Vec<u64>) {
    let mut world = World::new();
    world.github.silence(true);
    let packages = (0..packages).map(|at| world.package(&format!("lib-{at}"))).collect();
    let members = (0..members).map(|at| world.member(&format!("m{at}"))).collect();
    (world, packages, members)
}

/// Takes from our token what GitHub tells the base permission and roles to.
fn narrow(world: &World) {
    world.github.change_token(&world.token, |token| {
        token.scopes = Some(["repo", "read:org"].map(str::to_owned).to_vec());
    });
}

/// The newest run.
pub fn last_run(world: &World) -> Value {
    let all: Value =
        serde_json::from_str(&world.ours.command(&format!("sync history {} --json", world.sync)).done()).unwrap();
    all[0].clone()
}

#[test]
fn a_base_permission_that_github_does_not_tell_is_followed() {
    // More than single questions are asked about.
    let (mut world, packages, members) = world(8, 8);
    narrow(&world);
    world.github.base(world.org, Level::Read);
    let xena = world.person("xena");
    world.github.admit(packages[0], xena, Level::Read);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.readable(members[0]).len(), 8);
    assert!(last_run(&world)["notices"].to_string().contains("base permission"), "{}", last_run(&world));

    // An empty list that is wrong: asked about single people, GitHub says that they read.
    let nobody = Reply::json(200, &json!([]));
    world.github.stage.fail("collaborators?affiliation=all", Fault::Answer(nobody));
    world.run().done();
    world.agrees("a list was empty");
    assert_eq!(world.status()["status"], "held", "{}", world.status());
    world.github.stage.heal();

    world.github.base(world.org, Level::None);
    world.run().done();
    world.agrees("members may read what they are given");
    assert_eq!(world.status()["status"], "ok", "{}", world.status());
    assert!(world.readable(members[0]).is_empty());
    world.github.base(world.org, Level::Write);
    world.run().done();
    world.agrees("members may read everything again");

    // With more rights, the base permission is told: the single permissions go, and nobody loses anything.
    world.github.change_token(&world.token, |token| {
        token.scopes = Some(["repo", "admin:org"].map(str::to_owned).to_vec());
    });
    world.run().done();
    world.agrees("the base permission is told");
    assert_eq!(world.status()["status"], "ok", "{}", world.status());
}

#[test]
fn roles_that_an_organization_made_count_by_what_they_allow() {
    let (mut world, packages, members) = world(5, 4);
    let role = |level, name: &str| Grant { level, role: name.to_owned() };
    world.github.stage.world().org_mut(world.org).custom_roles.push((77, "deployer".to_owned(), Level::Read));
    let team = world.github.team(world.org, "deployers", None);
    world.github.join(team, members[0]);
    world.github.give(team, packages[0], role(Level::Read, "deployer"));
    world.github.give(team, packages[1], role(Level::Triage, "unheard-of"));
    world.github.give(team, packages[2], role(Level::None, "watcher"));
    world.github.admit(packages[3], members[1], role(Level::Write, "deployer"));
    world.github.admit(packages[4], members[1], role(Level::None, "watcher"));
    let (auditor, owner) = {
        let site = &world.github;
        (site.role(world.org, "auditor", Some(Level::Read)), site.role(world.org, "announcer", None))
    };
    let of_team = world.github.team(world.org, "auditors", None);
    world.github.join(of_team, members[3]);
    let hold = |role: u64, users: &[u64], teams: &[u64]| {
        let mut site = world.github.stage.world();
        let found = site.org_mut(world.org).roles.iter_mut().find(|one| one.id == role).unwrap();
        (found.users, found.teams) = (users.iter().copied().collect(), teams.iter().copied().collect());
    };
    hold(auditor, &[members[2]], &[of_team]);
    hold(owner, &[members[1]], &[]);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    let sizes: Vec<usize> = members.iter().map(|id| world.readable(*id).len()).collect();
    assert_eq!(sizes, [2, 1, 5, 5]);
    {
        let mut site = world.github.stage.world();
        let roles = &mut site.org_mut(world.org).roles;
        roles[0].users.clear();
        roles[0].teams.clear();
        let grants = &mut site.team_mut(team).repositories;
        grants.insert(packages[1], role(Level::None, "unheard-of"));
        grants.insert(packages[2], role(Level::Maintain, "watcher"));
    }
    world.run().done();
    world.agrees("roles were taken");
    assert!(world.readable(members[3]).is_empty());
    // Where the credential may not see roles, everybody is asked for at each package.
    narrow(&world);
    world.github.stage.world().org_mut(world.org).roles[0].users.insert(members[3]);
    world.run().done();
    world.agrees("a role was given that is not told");
}

#[test]
fn what_single_sign_on_leaves_out_is_not_removed() {
    let (mut world, packages, members) = world(4, 4);
    let team = world.github.team(world.org, "team", None);
    for (member, package) in members.iter().zip(&packages) {
        world.github.join(team, *member);
        world.give(team, *package);
    }
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    let token = world.people[0].token.clone().unwrap();
    world.github.repository_deleted(packages[0]);
    world.github.member_removed(world.org, members[1]);
    world.github.team_deleted(team);
    let partial =
        Fault::Beside(vec![("x-github-sso".to_owned(), "partial-results; organizations=21955855".to_owned())]);
    world.github.stage.fail("/orgs/acme/", partial);
    world.run().done();
    let counts = world.status();
    assert_eq!(world.shown(&token).len(), 4, "{}", world.trace());
    assert_eq!((counts["teams"].as_u64(), counts["members"].as_u64()), (Some(1), Some(5)), "{counts}");
    let run = last_run(&world);
    assert!(run["notices"].to_string().contains("single sign-on"), "{run}");
    world.github.stage.heal();
    world.run().done();
    world.agrees("all is shown again");
    assert_eq!(world.status()["members"].as_u64(), Some(4));
}
