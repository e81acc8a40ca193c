//! What Bitbucket Cloud is known to do to whoever synchronizes with it: one test for each.

use serde_json::Value;

use crate::cloud_world::{EMAIL, SCOPES, World};
use crate::platforms::bitbucket_cloud::directory::{Level, Manifest, Reach};
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;
use crate::platforms::pushed::Pushed;

/// So many packages that ada may read.
fn packages(world: &mut World, count: usize) -> Vec<u64> {
    let ada = world.member("ada");
    let all: Vec<u64> = (0..count).map(|at| world.package(world.project, &format!("lib-{at}"))).collect();
    for id in &all {
        world.bitbucket.admit(*id, ada, Some(Level::Read));
    }
    all
}

/// So many packages that ada may read, followed.
fn followed(count: usize) -> (World, Vec<u64>) {
    let mut world = World::new();
    let all = packages(&mut world, count);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    (world, all)
}

/// The paths of the API that were asked since the last call.
fn asked(world: &World) -> Vec<String> {
    let log = world.bitbucket.stage.take_log();
    log.into_iter().map(|asked| asked.path).filter(|path| path.starts_with("/2.0/")).collect()
}

#[test]
fn a_page_without_a_next_one_ends_a_list_also_where_its_address_is_empty() {
    // Every last page but the only one says `"next": ""`.
    let (world, _) = followed(101);
    assert_eq!(world.shown_to("ada").len(), 101);
}

#[test]
fn what_was_removed_is_told_with_its_announcement_and_tried_again() {
    let (world, _) = followed(2);
    let removed = crate::platforms::bitbucket_cloud::answers::removed();
    world.bitbucket.stage.fail("/permissions/repositories", Fault::Answer(removed));
    world.fails(&["CHANGE-2770", "https://developer.atlassian.com/"]);
    let status = world.status();
    assert!(status["resumes_at"].is_string() && status["error"].as_str().unwrap().contains("CHANGE-2770"), "{status}");
    world.agrees("something was removed for hours");
}

#[test]
fn groups_name_people_by_the_id_of_all_of_atlassians_products_too() {
    let mut world = World::new();
    let ada = world.member("ada");
    world.bitbucket.group(world.workspace, "developers", &[ada]);
    world.bitbucket.stage.world().hides_uuids = true;
    let lib = world.package(world.project, "lib");
    world.bitbucket.give(lib, "developers", Some(Level::Read));
    world.follow();
    world.log_in();
    world.agrees("a group without uuids");
    let team = world.ours.command("team show developers --json").done();
    assert!(team.contains("ada"), "{team}");
}

#[test]
fn a_permission_that_is_gone_is_gone_after_one_comparison_and_not_before_all_was_read() {
    let mut world = World::new();
    let all = packages(&mut world, 4);
    let crowd: Vec<u64> = (0..70).map(|at| world.bitbucket.user(&format!("user-{at}"))).collect();
    for user in &crowd {
        world.bitbucket.enrol(world.workspace, *user, false);
    }
    world.bitbucket.group(world.workspace, "crowd", &crowd);
    world.bitbucket.give_project(world.project, "crowd", Some(Level::Read));
    world.follow();
    world.log_in();
    let ada = world.person_named("ada");
    world.bitbucket.admit(all[0], ada, None);
    world.bitbucket.stage.fail_at("/permissions/repositories", 3..=3, Fault::Page(500));
    world.fails(&["500"]);
    assert_eq!(world.shown_to("ada").len(), 4, "nothing is concluded from two pages of three");
    world.bitbucket.stage.heal();
    world.run().done();
    world.agrees("somebody was put out of a repository");
    assert_eq!(world.shown_to("ada").len(), 3);
}

#[test]
fn who_administers_nothing_lets_nobody_in_and_the_page_says_why() {
    let mut world = World::new();
    let all = packages(&mut world, 2);
    let keeper = world.keeper;
    world.knows(keeper, "keeper");
    let bot = world.bitbucket.user("bot");
    world.bitbucket.enrol(world.workspace, bot, false);
    for id in &all {
        world.bitbucket.admit(*id, bot, Some(Level::Read));
    }
    world.credential_as(
        "plain",
        "bitbucket-cloud-token",
        "bot@example.com",
        &world.bitbucket.token(Reach::Person(bot), SCOPES),
    );
    world.follow_with("acme", "plain");
    world.log_in();
    assert_eq!((world.shown_to("ada").len(), world.shown_to("keeper").len()), (0, 2), "owners read all");
    let page = world.page("keeper", &format!("/orgs/acme/syncs/{}", world.sync));
    assert!(page.contains("does not tell this credential who reads acme/lib-0 and one other repository"), "{page}");
    let said = world.tested("plain");
    assert!(said.contains("An administrator of the workspace may"), "{said}");
    // Nothing goes when what it may becomes less.
    for id in &all {
        world.bitbucket.admit(*id, bot, Some(Level::Admin));
    }
    world.run().done();
    world.agrees("it administers each repository");
    for id in &all {
        world.bitbucket.admit(*id, bot, Some(Level::Read));
    }
    world.run().done();
    world.agrees("it administers none any more");
}

#[test]
fn an_app_password_becomes_an_api_token_that_opens_code_and_the_workspace() {
    let mut world = World::new();
    let id = packages(&mut world, 1)[0];
    world.credential_as("old", "bitbucket-cloud-app-password", "keeper", "ATBBabcdefgh");
    let address = format!("{}acme/lib-0.git", world.bitbucket.url());
    let add = || world.ours.command(&format!("package add {address} --credential old --wait"));
    let said = add().failed();
    assert!(said.contains("app password") && said.contains("--username EMAIL"), "{said}");
    let token = world.bitbucket.token(Reach::Person(world.keeper), SCOPES);
    let words = format!("credential rotate old --username {EMAIL} --secret-stdin");
    world.ours.command_with(&words, &token).done();
    add().done();
    assert!(world.versions(id).contains("1.0.0"));
    let list = world.ours.command("credential list --json").done();
    assert!(list.contains("\"bitbucket-cloud-token\"") && !list.contains("app-password"), "{list}");
    world.follow_with("acme", "old");
    world.log_in();
    world.agrees("an app password became an API token");
}

#[test]
fn a_push_of_many_refs_adds_removes_and_moves_and_counts_once() {
    let (world, all) = followed(1);
    world.comes("there is a hook", || !world.hooks().is_empty());
    let (id, code) = (all[0], world.code_of(all[0]));
    let old = code.package("refs/heads/old", "acme/lib-0");
    world.bitbucket.pushed(id, &[Pushed::new("refs/heads/old", &old)]);
    world.comes("the branch is served", || world.versions(id).contains("dev-old"));
    let reference = |version: &str| {
        let shown = world.ours.command("package show acme/lib-0 --json").done();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let found = shown["version_list"].as_array().unwrap().iter().find(|one| one["version"] == version);
        found.map(|one| one["reference"].as_str().unwrap().to_owned())
    };
    let before = reference("dev-main").unwrap();
    let post = world.bitbucket.post();
    post.settle();
    post.hold();
    let tag = world.tag(id, "2.0.0");
    code.remove("refs/heads/old");
    let moved = tag.after.clone().unwrap();
    world.bitbucket.pushed(
        id,
        &[
            tag,
            Pushed { name: "refs/heads/old".to_owned(), before: Some(old), after: None },
            Pushed { name: "refs/heads/main".to_owned(), before: Some(before), after: Some(moved.clone()) },
        ],
    );
    let parcel = post.let_go().remove(0);
    let jobs = |world: &World| world.ours.command("job list --json").done().matches("update_package").count();
    post.send(parcel.clone());
    world.comes("all three are done", || {
        let versions = world.versions(id);
        versions.contains("2.0.0") && !versions.contains("dev-old") && reference("dev-main") == Some(moved.clone())
    });
    let count = jobs(&world);
    post.send(parcel);
    post.settle();
    assert_eq!(post.sent().last().unwrap().status, Some(202));
    assert_eq!(jobs(&world), count, "the same delivery again is no second job");
}

#[test]
fn an_empty_push_refreshes_everything_and_one_that_is_too_long_is_found_by_looking() {
    let (world, all) = followed(1);
    world.comes("there is a hook", || !world.hooks().is_empty());
    let many: Vec<Pushed> = (0..120).map(|at| world.tag(all[0], &format!("3.0.{at}"))).collect();
    world.bitbucket.pushed(all[0], &many);
    world.comes("no change was named", || world.versions(all[0]).contains("3.0.119"));
    world.bitbucket.silence(true);
    let tag = world.tag(all[0], "4.0.0");
    world.bitbucket.pushed(all[0], &[tag]);
    world.run().done();
    world.comes("nobody was told", || world.versions(all[0]).contains("4.0.0"));
}

#[test]
fn signatures_are_believed_that_bitbucket_writes_and_no_others() {
    let (world, all) = followed(1);
    world.comes("there is a hook", || !world.hooks().is_empty());
    let post = world.bitbucket.post();
    post.settle();
    post.hold();
    let tag = world.tag(all[0], "1.1.0");
    world.bitbucket.pushed(all[0], &[tag]);
    let parcel = post.let_go().remove(0);
    let answered = |change: &dyn Fn(&str) -> String| {
        let mut forged = parcel.clone();
        for (_, value) in forged.headers.iter_mut().filter(|(name, _)| name == "X-Hub-Signature") {
            *value = change(value);
        }
        post.send(forged);
        post.settle();
        post.sent().last().unwrap().status.unwrap()
    };
    let forgeries: [fn(&str) -> String; 5] = [
        |right| right.replace("sha256=", "sha1="),
        |right| right[..right.len() - 2].to_owned(),
        |right| format!("{right}00"),
        |right| right.replace("sha256=", ""),
        |_| format!("sha256={}", "0".repeat(64)),
    ];
    for forge in forgeries {
        assert_eq!(answered(&forge), 401);
    }
    assert!(!world.versions(all[0]).contains("1.1.0"));
    assert_eq!(answered(&|right| format!("sha256={}", right["sha256=".len()..].to_uppercase())), 202);
    world.comes("in upper case it is the same", || world.versions(all[0]).contains("1.1.0"));
}

#[test]
fn a_repository_that_was_made_empty_is_looked_at_again_when_it_is_filled() {
    let (mut world, _) = followed(1);
    world.comes("there is a hook", || !world.hooks().is_empty());
    let ada = world.person_named("ada");
    let plain = world.bitbucket.created(world.project, "plain");
    world.bitbucket.alter(plain, |one| (one.branch, one.manifest) = (Some("main".to_owned()), Manifest::None));
    let empty = world.bitbucket.created(world.project, "newborn");
    world.bitbucket.admit(empty, ada, Some(Level::Read));
    let is_listed = |world: &World, name: &str| {
        world.ours.command(&format!("sync repositories {} --json", world.sync)).done().contains(name)
    };
    world.comes("both are known", || is_listed(&world, "acme/newborn") && is_listed(&world, "acme/plain"));
    world.run().done();
    world.agrees("neither is a package");
    asked(&world);
    world.run().done();
    let again = asked(&world);
    assert!(!again.iter().any(|path| path.contains("/src/")), "what was known is asked for again: {again:?}");
    let refs = world.fill(empty, "newborn");
    world.bitbucket.pushed(empty, &refs);
    world.comes("its first push brings it", || world.shown_to("ada").contains("acme/newborn"));
    world.agrees("an empty repository was filled");
}

#[test]
fn a_limit_in_the_middle_is_waited_for_and_nothing_is_asked_for_twice() {
    let mut world = World::new();
    packages(&mut world, 40);
    world.bitbucket.stage.fail_at("/src/", 21..=21, Fault::RateLimited(Some(1)));
    let words = "sync add --integration cloud --remote acme --credential main --primary";
    world.sync = world.ours.command(words).done();
    asked(&world);
    let said = world.run().failed();
    assert!(said.contains("too many"), "{said}");
    world.comes("a run comes to its end", || world.run().code == Some(0));
    let files: Vec<String> = asked(&world).into_iter().filter(|path| path.contains("/src/")).collect();
    let mut once = files.clone();
    once.sort();
    once.dedup();
    // Of those that were under way together, each had its answer or was asked for once more.
    assert!(once.len() == 40 && files.len() <= 44, "{} requests of {} files", files.len(), once.len());
    world.log_in();
    world.agrees("a limit was waited for");
}

#[test]
fn a_limit_without_an_end_is_left_alone_for_half_a_minute() {
    let (world, _) = followed(1);
    world.bitbucket.stage.fail("/permissions", Fault::RateLimited(None));
    let limited = |world: &World| asked(world).iter().filter(|path| path.ends_with("/permissions")).count();
    limited(&world);
    for _ in 0..3 {
        drop(world.ours.command(&format!("sync run {}", world.sync)));
        world.comes("it waits", || world.status()["resumes_at"].is_string());
    }
    assert_eq!(limited(&world), 1, "one probe, whoever asks");
    world.agrees("a limit");
}

#[test]
fn what_is_left_of_a_limit_is_kept_for_whoever_asks() {
    let (mut world, _) = followed(1);
    let near = [("X-RateLimit-Limit", "1000"), ("X-RateLimit-NearLimit", "true"), ("X-RateLimit-Resource", "api")];
    let near: Vec<_> = near.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    world.bitbucket.stage.fail("/2.0/", Fault::Beside(near));
    world.run().done();
    // Nobody waits for what begins by itself after a start.
    assert!(world.ours.stop_and_restart());
    world.comes("the schedule leaves it alone", || {
        let status = world.status();
        status["resumes_at"].is_string()
            && status["error"].as_str().is_some_and(|error| error.contains("few more requests"))
    });
    world.run().done();
    assert_eq!(world.status()["status"], "ok", "whoever asks is served");
}

#[test]
fn a_link_or_a_file_that_is_stored_elsewhere_is_no_package_and_nobody_there_sees_the_token() {
    let mut world = World::new();
    let strange = ["linked", "large", "away"].map(|name| world.bitbucket.repository(world.project, name));
    world.bitbucket.alter(strange[0], |one| one.manifest = Manifest::Link);
    world.bitbucket.alter(strange[1], |one| one.manifest = Manifest::Large);
    let elsewhere = crate::platforms::bitbucket_cloud::BitbucketCloud::start("http://127.0.0.1/");
    let to = elsewhere.stage.url("127.0.0.1", "/2.0/media").to_string();
    let uuid = world.bitbucket.stage.world().directory.repositories[&strange[2]].uuid.clone();
    let path = format!("{}%7D/src/", uuid.trim_matches(['{', '}']));
    world.bitbucket.stage.fail(&path, Fault::Answer(Reply { status: 301, ..Reply::redirect(&to) }));
    packages(&mut world, 1);
    world.follow();
    world.log_in();
    world.agrees("odd files");
    assert_eq!(world.status()["packages"], 1);
    assert!(elsewhere.stage.take_log().is_empty(), "a redirect was followed");
}

#[test]
fn more_than_a_fifth_waits_for_an_administrator() {
    let (world, all) = followed(10);
    world.bitbucket.silence(true);
    // What the credential does not see any more, and what was deleted, look alike.
    for id in &all[..7] {
        world.bitbucket.deleted(*id);
    }
    drop(world.run());
    let status = world.status();
    assert_eq!((status["status"].as_str(), world.shown_to("ada").len()), (Some("held"), 10), "{status}");
    let digest = status["held"].as_str().unwrap();
    world.ours.command(&format!("sync run {} --accept {digest} --wait", world.sync)).done();
    world.agrees("somebody said yes");
}

#[test]
fn owners_of_the_workspace_are_owners_here_once_it_is_the_primary_one() {
    let mut world = World::new();
    packages(&mut world, 1);
    let keeper = world.keeper;
    world.knows(keeper, "keeper");
    world.sync = world.ours.command("sync add --integration cloud --remote acme --credential main").done();
    let early = world.ours.command(&format!("sync promote {}", world.sync)).failed();
    assert!(early.contains("never ran"), "{early}");
    world.run().done();
    world.log_in();
    world.agrees("nobody is an owner by it");
    let role = || {
        let all: Value = serde_json::from_str(&world.ours.command("member list --json").done()).unwrap();
        let all = all.as_array().unwrap().clone();
        all.iter().find(|one| one["name"] == "keeper").map(|one| one["role"].as_str().unwrap().to_owned())
    };
    assert_eq!(role().as_deref(), Some("member"));
    let said = world.ours.command(&format!("sync promote {} --preview", world.sync));
    assert!(format!("{}{}", said.out, said.err).contains("cloud:keeper would be an owner"), "{said:?}");
    world.ours.command(&format!("sync promote {}", world.sync)).done();
    assert_eq!(role().as_deref(), Some("owner"));
    // The last one there is not lost here by a comparison that nobody looked at.
    world.bitbucket.enrol(world.workspace, keeper, false);
    drop(world.run());
    assert_eq!((role().as_deref(), world.status()["status"].as_str()), (Some("owner"), Some("held")));
}
