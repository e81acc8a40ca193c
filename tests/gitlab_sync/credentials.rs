//! What credentials can do: tokens of people, groups and service accounts, deploy tokens for Git alone, and what a test says.

use packagist_selfhosted::access::token::digest_of;
use packagist_selfhosted::catalog::Admission;
use packagist_selfhosted::clock::{Clock, Timestamp};

use crate::instance;
use crate::platforms::frame::{Fault, now};
use crate::platforms::gitlab::directory::{DEVELOPER, Membership, OWNER, REPORTER};
use crate::platforms::gitlab::tokens::Covered;
use crate::world::World;

/// A world in which ada may read one package.
fn world() -> World {
    let mut world = World::new();
    let ada = world.person("ada");
    world.gitlab.enrol(world.root, ada, DEVELOPER);
    world.package(world.root, "lib");
    world
}

#[test]
fn tokens_of_all_kinds_follow_a_group() {
    let mut world = world();
    let keeper = world.gitlab.user("minder");
    world.gitlab.enrol(world.root, keeper, OWNER);
    let tokens = [
        world.gitlab.token(keeper, "api read_repository"),
        world.gitlab.service_token(world.root, OWNER, "api read_repository"),
        world.gitlab.group_token(world.root, REPORTER, "read_api read_repository"),
    ];
    world.follow();
    world.log_in();
    for token in tokens {
        world.ours.command_with("credential rotate main --secret-stdin", &token).done();
        world.gitlab.stage.take_log();
        world.run().done();
        assert!(world.requests() > 0);
        world.agrees("another token");
    }
}

#[test]
fn a_test_says_what_is_missing() {
    let world = world();
    let test = |name: &str| {
        let said = world.ours.command(&format!("credential test {name}"));
        format!("{}{}", said.out, said.err)
    };
    let whole = test("main");
    assert!(!whole.contains("missing"), "{whole}");
    let weak = world.gitlab.group_token(world.root, REPORTER, "read_repository");
    world.credential("weak", &weak);
    let said = test("weak");
    assert!(said.contains("read_api"), "{said}");
    assert!(!said.contains(&weak), "the token is told: {said}");
    let short = world.gitlab.group_token(world.root, OWNER, "api read_repository");
    world.gitlab.change_token(&short, |token| token.expires_at = Some("2999-12-31".to_owned()));
    world.credential("short", &short);
    assert!(test("short").contains("2999-12-31"), "{}", test("short"));
    // Nothing begins that could not be read.
    for (name, missing) in [("weak", "`read_api`"), ("deploy", "is a deploy token")] {
        if name == "deploy" {
            let id = *world.packages.keys().next().unwrap();
            let (username, token) = world.gitlab.deploy_token(Covered::Project(id), "read_repository");
            let (url, kind) = (world.gitlab.url(), "--type gitlab-token --secret-stdin");
            let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
            let words = format!("credential add deploy {kind} --host {host} --username {username}");
            world.ours.command_with(&words, &token).done();
        }
        let words = format!("sync add --integration lab --remote acme --credential {name}");
        let said = world.ours.command(&words).failed();
        assert!(said.contains(missing), "{said}");
    }
    assert_eq!(world.ours.command("sync list --json").done(), "[]");
    // Servers of old tell less of themselves.
    world.gitlab.ways(|ways| ways.version = "14.10.5");
    let said = test("main");
    assert!(said.contains("(14.10.5) accepts the token") && !said.contains("Enterprise"), "{said}");
}

#[test]
fn a_group_is_followed_with_a_connected_account() {
    let mut world = World::new();
    world.gitlab.app(|app| app.scopes = vec!["read_user", "api", "read_api", "read_repository"]);
    let ada = world.person("ada");
    world.gitlab.enrol(world.root, ada, OWNER);
    let lib = world.package(world.root, "lib");
    world.follow();
    world.log_in();
    // Its tokens are renewed every two seconds.
    world.gitlab.ways(|ways| ways.grant_seconds = 4);
    world.connect("ada", "forge");
    world.ours.command("credential remove main --replace-with forge").done();
    let forge = |world: &World| {
        let all: serde_json::Value =
            serde_json::from_str(&world.ours.command("credential list --json").done()).unwrap();
        all.as_array().unwrap().iter().find(|one| one["name"] == "forge").unwrap().clone()
    };
    let renewals = |world: &World| world.gitlab.stage.world().grants.renewals;
    let before = renewals(&world);
    world.comes("tokens are renewed", || {
        world.run().done();
        renewals(&world) > before + 1
    });
    let refs = [world.tag(lib, "2.0.0")];
    world.gitlab.pushed(lib, &refs);
    world.comes("a push is told", || world.versions(lib).contains("2.0.0"));
    world.agrees("a connected account");
    assert_eq!((&forge(&world)["status"], &forge(&world)["error"]), (&"ok".into(), &serde_json::Value::Null));
    let alerts = |world: &World| world.ours.command("audit export").done().matches("credential.refused").count();
    assert_eq!(alerts(&world), 0);

    // The server is killed when the old tokens have ended and the new ones are on the way.
    world.gitlab.stage.fail_at("/oauth/token", 1..=1, Fault::Swallowed);
    let before = renewals(&world);
    world.ours.command(&format!("sync run {}", world.sync)).done();
    world.comes("the platform renews", || {
        drop(world.ours.command(&format!("sync run {}", world.sync)));
        renewals(&world) > before
    });
    world.gitlab.stage.take_log();
    world.kill();
    for _ in 0..3 {
        let said = world.run().failed();
        assert!(said.contains("has to be connected again"), "{said}");
    }
    let asked = world.gitlab.stage.take_log().iter().filter(|asked| asked.path.ends_with("/oauth/token")).count();
    assert_eq!((asked, alerts(&world)), (1, 1), "no loop");
    let told = forge(&world);
    assert!(told["status"] == "refused" && told["error"].as_str().unwrap().contains("connected again"), "{told}");
    let list = world.ours.command("credential list").done();
    assert!(list.contains("refused: connect again"), "{list}");
    assert_eq!(world.shown_to("ada").len(), 1, "nothing is taken from anybody");
}

#[test]
fn a_deploy_token_reads_code_and_asks_nothing_else() {
    let world = world();
    let id = *world.packages.keys().next().unwrap();
    let (username, token) = world.gitlab.deploy_token(Covered::Project(id), "read_repository");
    let url = world.gitlab.url();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let words = format!("credential add deploy --type http-basic --host {host} --username {username} --secret-stdin");
    world.ours.command_with(&words, &token).done();
    world.gitlab.stage.take_log();
    let address = format!("{}/acme/lib.git", url.as_str().trim_end_matches('/'));
    world.ours.command(&format!("package add {address} --credential deploy --wait")).done();
    assert!(world.versions(id).contains("1.0.0"));
    let log = world.gitlab.stage.take_log();
    assert!(log.iter().all(|asked| !asked.path.contains("/api/")), "a deploy token is for Git alone");
}

#[test]
fn a_membership_ends_without_anybody_looking() {
    let mut world = world();
    let bea = world.person("bea");
    let end = now() + 2 * 86_400;
    let day = Timestamp::from_seconds(end).rfc3339()[..10].to_owned();
    let midnight = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z")).unwrap();
    world.gitlab.enrol(world.root, bea, Membership { level: DEVELOPER, expires_at: Some(day.clone()), role: None });
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.shown_to("bea").len(), 1);
    let said = world.ours.command("access explain --user bea --package acme/lib").done();
    assert!(said.contains(&day), "{said}");

    assert!(world.ours.stop());
    let shown = |login: &str, at: Timestamp| {
        let person = world.people.iter().find(|person| person.login == login).unwrap();
        let digest = digest_of(person.token.as_ref().unwrap().as_bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let data = world.ours.folder.path().join("data");
            let appliance = instance::open(&data, Clock::manual(at)).await.unwrap();
            let here = appliance.catalog.world();
            let Admission::Valid(token) = here.admit(&digest, at) else { panic!("the token does not work") };
            here.open("acme", &token, at).map_or(0, |(org, view)| org.visible(&view).count())
        })
    };
    let second = std::time::Duration::from_secs(1);
    assert_eq!(shown("bea", Timestamp::from_seconds(midnight.as_seconds() - 1)), 1);
    assert_eq!(shown("bea", midnight + second), 0, "the day itself is none any more");
    assert_eq!(shown("ada", midnight + second), 1);
}
