//! That the GitHub simulator's organizations are as GitHub describes them: who sees what, in pages, with marks, and the same
//! in its lists as in its oracle.

use std::collections::BTreeSet;
use std::process::Command;

use crate::bare_repository::BareRepository;
use crate::github_world::{World, header, json};
use crate::platforms::github::directory::{Level, Rank, Visibility};

#[test]
fn lists_come_in_pages_with_marks() {
    let world = World::new();
    let all: BTreeSet<u64> = (0..7).map(|at| world.github.repository(world.org, &format!("r{at}"))).collect();
    let (mut found, mut target) = (BTreeSet::new(), "/orgs/acme/repos?type=all&per_page=3".to_owned());
    for page in 1..=3 {
        let reply = world.ask(&world.token, &target);
        found.extend(json(&reply).as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()));
        let etag = header(&reply, "etag").unwrap();
        let again = world.ask_with(&world.token, &target, &[("if-none-match", etag)]);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let link = header(&reply, "link").unwrap();
        let next = link.split(", ").find(|link| link.contains("rel=\"next\""));
        let Some(next) = next else {
            assert_eq!(page, 3);
            break;
        };
        let next = next.trim_start_matches('<').split_once('>').unwrap().0;
        assert!(next.contains(&format!("/organizations/{}/repos?", world.org)), "{next}");
        target = next.split_once("/api/v3").unwrap().1.to_owned();
    }
    assert_eq!(found, all);
    for odd in ["per_page=101", "per_page=many", "type=odd", "sort_by=name"] {
        assert!(world.ask(&world.token, &format!("/orgs/acme/repos?{odd}")).violation.is_some(), "{odd}");
    }
}

#[test]
fn who_asks_decides_what_is_shown() {
    let world = World::new();
    let github = &world.github;
    let (member, stranger) = (github.user("mia"), github.user("sven"));
    github.enrol(world.org, member, Rank::Member);
    let repository = github.repository(world.org, "lib");
    let base = |token: &str| json(&world.ask(token, "/orgs/acme"))["default_repository_permission"].clone();
    assert_eq!(base(&world.token), "none");
    let (mias, svens) = (github.token(member, "repo read:org"), github.token(stranger, "repo read:org"));
    let weak = github.token(world.owner, "read:org");
    assert!(base(&mias).is_null() && base(&svens).is_null());
    assert_eq!(world.ids(&mias, "/orgs/acme/repos"), BTreeSet::new());
    assert_eq!(world.ids(&weak, "/orgs/acme/repos"), BTreeSet::new());
    assert_eq!(world.ids(&world.token, "/orgs/acme/repos"), [repository].into());
    assert_eq!(world.ids(&svens, "/orgs/acme/members"), BTreeSet::new());
    assert_eq!(world.ids(&mias, "/orgs/acme/members?role=member"), [member].into());
    assert_eq!(world.ask(&svens, "/orgs/acme/teams").status, 403);
    assert_eq!(world.ask(&mias, "/repos/acme/lib").status, 404);
    github.admit(repository, member, Level::Read);
    assert_eq!(world.ask(&mias, "/repos/acme/lib").status, 200);
    assert_eq!(world.ask(&mias, "/repos/acme/lib/collaborators").status, 403);
    assert_eq!(world.ids(&world.token, "/repos/acme/lib/collaborators?affiliation=direct"), [member].into());
    github.suspend(member);
    assert_eq!(world.ask(&mias, "/orgs/acme").status, 403);
    let locked = json(&world.ask(&world.token, "/users/mia"))["suspended_at"].clone();
    assert!(locked.is_string() && world.ask(&world.token, "/orgs/acme/memberships/sven").status == 404);
    github.revoke(&weak);
    assert_eq!(world.ask(&weak, "/user").status, 401);
}

#[test]
fn what_moved_is_found_by_its_number() {
    let world = World::new();
    let repository = world.github.repository(world.org, "old");
    world.github.stage.world().directory.moved.insert("acme/old".to_owned(), repository);
    world.github.alter(repository, |one| one.name = "new".to_owned());
    let reply = world.ask(&world.token, "/repos/acme/old");
    let to = header(&reply, "location").unwrap();
    assert!(reply.status == 301 && to.ends_with(&format!("/api/v3/repositories/{repository}")), "{to}");
    let found = json(&world.ask(&world.token, &format!("/repositories/{repository}")));
    assert_eq!(found["full_name"], "acme/new");
}

/// The lists of the API and the oracle are written apart; what one says of every person and repository the other says too.
#[test]
fn the_lists_say_what_the_oracle_says() {
    let world = World::new();
    let github = &world.github;
    let people: Vec<u64> = (0..12).map(|at| github.user(&format!("p{at}"))).collect();
    let repositories: Vec<u64> = (0..10).map(|at| github.repository(world.org, &format!("r{at}"))).collect();
    for (at, person) in people.iter().take(9).enumerate() {
        github.enrol(world.org, *person, if at == 8 { Rank::Billing } else { Rank::Member });
    }
    let upper = github.team(world.org, "upper", None);
    let middle = github.team(world.org, "middle", Some(upper));
    let lower = github.team(world.org, "lower", Some(middle));
    for (team, person, repository) in [(upper, 0, 0), (middle, 1, 1), (lower, 2, 2)] {
        github.join(team, people[person]);
        github.give(team, repositories[repository], Level::Read);
    }
    github.admit(repositories[3], people[3], Level::Triage);
    github.admit(repositories[4], people[9], Level::Read);
    github.invite(world.org, people[10]);
    let auditor = github.role(world.org, "auditor", Some(Level::Read));
    let assign = |user: u64, team: u64| {
        let mut site = github.stage.world();
        let role = site.org_mut(world.org).roles.iter_mut().find(|role| role.id == auditor).unwrap();
        role.users.insert(user);
        role.teams.insert(team);
    };
    let compare = || {
        for repository in &repositories {
            let path = github.stage.world().directory.repositories[repository].name.clone();
            let listed = world.ids(&world.token, &format!("/repos/acme/{path}/collaborators?per_page=100"));
            let everybody: Vec<u64> = github.stage.world().users.keys().copied().collect();
            let may: BTreeSet<u64> = everybody.into_iter().filter(|user| github.may_read(*user, *repository)).collect();
            assert_eq!(listed, may, "{path}");
        }
    };
    compare();
    assert!(github.may_read(people[2], repositories[0]) && !github.may_read(people[0], repositories[2]));
    assert!(github.may_read(people[9], repositories[4]) && !github.may_read(people[9], repositories[3]));
    github.base(world.org, Level::Read);
    compare();
    assert!(github.may_read(people[7], repositories[9]) && !github.may_read(people[8], repositories[9]));
    github.base(world.org, Level::None);
    assign(people[5], lower);
    compare();
    assert!(github.may_read(people[5], repositories[9]) && github.may_read(people[2], repositories[9]));
    github.alter(repositories[9], |one| one.visibility = Visibility::Public);
    compare();
}

#[test]
fn code_is_cloned_by_whoever_may_read_it() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let bare = BareRepository::create(&folder.path().join("lib.git"));
    bare.package("refs/heads/main", "acme/lib");
    let repository = world.github.repository(world.org, "lib");
    world.github.serve(repository, &bare.path);
    let listed = json(&world.ask(&world.token, "/repos/acme/lib"));
    assert_eq!(world.ask(&world.token, "/repos/acme/lib/contents/composer.json").status, 200);
    assert_eq!(world.ask(&world.token, "/repos/acme/lib/contents/other.json").status, 404);
    let stranger = world.github.user("sven");
    let svens = world.github.token(stranger, "repo");
    let read = |token: &str| {
        let pair =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x-access-token:{token}"));
        let output = Command::new("git")
            .args(["-c", &format!("http.extraHeader=Authorization: Basic {pair}"), "ls-remote"])
            .arg(listed["clone_url"].as_str().unwrap())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    assert!(read(&world.token).unwrap().contains("refs/heads/main"));
    assert_eq!((read(&svens), read("nobodys")), (None, None));
}
