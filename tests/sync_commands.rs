//! Synchronizations by command: the executable, without a server, and a simulated GitHub.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "commands/world.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod world;

use std::fs;

use platforms::github::GitHub;
use platforms::github::directory::{Level, Rank};
use serde_json::{Value, json};
use world::{World, keys};

/// Where browsers would come back to.
const CALLBACK: &str = "http://127.0.0.1/auth/ghe/callback";

/// An organization with two members, a team, and so many repositories; and one here that may follow it. Nobody pushed anything
/// to the repositories, so that their packages have nothing to publish.
fn worlds(repositories: usize) -> (GitHub, u64, World) {
    let github = GitHub::server(CALLBACK);
    let (keeper, ada) = (github.user("keeper"), github.user("ada"));
    let org = github.organization("acme");
    github.enrol(org, keeper, Rank::Owner);
    github.enrol(org, ada, Rank::Member);
    let team = github.team(org, "web", None);
    github.join(team, ada);
    for number in 0..repositories {
        let repository = github.repository(org, &format!("r{number}"));
        github.give(team, repository, Level::Read);
    }
    let bare = github.repository(org, "notes");
    github.alter(bare, |one| one.manifest = false);
    let token = github.token(keeper, "repo read:org admin:org_hook");
    let world = World::empty();
    let config = world.path().join("config.toml");
    let url = github.url();
    let block = format!(
        "[[integration]]\nid = \"ghe\"\nplatform = \"github\"\nurl = {:?}\n",
        url.as_str().trim_end_matches('/')
    );
    fs::write(&config, format!("{}{block}", fs::read_to_string(&config).unwrap())).unwrap();
    world.serve().stop();
    world.run("org add acme").done();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let words = format!("credential add main --type github-token --host {host} --secret-stdin");
    world.run_with_input(&words, &token).done();
    (github, org, world)
}

fn names(list: &Value, kind: &str) -> Vec<String> {
    let of_kind = list.as_array().unwrap().iter().filter(|item| item["kind"] == kind);
    let mut names: Vec<String> = of_kind.map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_organization_is_followed_by_command() {
    let (_github, _, world) = worlds(3);
    world.run("sync add --integration nope --remote acme --credential main").refused(1, "no integration `nope`");
    world.run("sync add --integration ghe --remote acme --credential nope").refused(1, "no credential `nope`");
    let id = world.run("sync add --integration ghe --remote acme --credential main --primary").line();
    assert_eq!(id, "1");
    world.run("sync add --integration ghe --remote ACME --credential main").refused(1, "already");
    let list = world.run("sync list --json").json();
    let expected = [
        "id",
        "integration",
        "remote",
        "credential",
        "primary",
        "status",
        "error",
        "last_run_at",
        "packages",
        "teams",
        "members",
    ];
    assert_eq!(keys(&list[0])[..11], expected);
    assert_eq!((&list[0]["status"], &list[0]["packages"]), (&json!("new"), &json!(0)));

    let plan = world.run("sync plan 1 --json").json();
    assert_eq!(names(&plan["add"], "package"), ["acme/r0", "acme/r1", "acme/r2"]);
    assert_eq!(names(&plan["add"], "member"), ["ada", "keeper"]);
    assert_eq!(names(&plan["add"], "team"), ["web"]);
    assert_eq!((&plan["change"][0]["kind"], &plan["remove"]), (&json!("team"), &json!([])));
    assert_eq!(world.run("sync plan 1 --json").json()["digest"], plan["digest"]);
    assert_eq!(world.run("package list --json").json(), json!([]), "a plan changes nothing");

    world.run("sync run 1 --wait").done();
    let list = world.run("sync list --json").json();
    assert_eq!((&list[0]["status"], &list[0]["error"]), (&json!("ok"), &Value::Null));
    assert_eq!((&list[0]["packages"], &list[0]["teams"], &list[0]["members"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(world.run("package list --json").json()[0]["sync"], 1);
    let team = world.run("team show web --json").json();
    assert_eq!((&team["synchronized"], &team["members"]), (&json!(true), &json!(["ghe:ada"])));
    world.run("team add-member web ghe:keeper").refused(1, "synchronized");
    let repositories = world.run("sync repositories 1 --json").json();
    let notes = repositories.as_array().unwrap().iter().find(|one| one["path"] == "acme/notes").unwrap();
    assert!(notes["reason"].as_str().unwrap().contains("no composer.json"), "{notes}");
    let plan = world.run("sync plan 1 --json").json();
    assert_eq!((&plan["add"], &plan["change"], &plan["remove"]), (&json!([]), &json!([]), &json!([])));
    assert!(world.run("audit export").done().out.contains("\"actor\":\"sync\""));

    // What somebody removes stays removed, and the rest stays when nobody follows any more.
    world.run("package remove 1").done();
    world.run("sync run 1 --wait").done();
    assert_eq!(world.run("package list --json").json().as_array().unwrap().len(), 2);
    world.run("sync remove 1").done();
    assert_eq!(world.run("team list --json").json(), json!([]));
    let packages = world.run("package list --json").json();
    assert_eq!((packages.as_array().unwrap().len(), &packages[0]["sync"]), (2, &Value::Null));
    world.run("sync plan 1").refused(1, "no synchronization 1");
}

#[test]
fn many_removals_wait_for_a_yes() {
    let (github, org, world) = worlds(12);
    world.run("sync add --integration ghe --remote acme --credential main").line();
    world.run("sync run 1 --wait").done();
    github.silence(true);
    let gone: Vec<u64> = {
        let site = github.stage.world();
        let all = site.directory.repositories.values().filter(|one| one.owner == org && one.manifest);
        all.map(|one| one.id).take(8).collect()
    };
    gone.into_iter().for_each(|id| github.repository_deleted(id));
    let said = world.run("sync run 1 --wait");
    assert!(said.err.contains("8 of 12 packages would go"), "{said:?}");
    let held = world.run("sync list --json").json();
    assert_eq!(held[0]["status"], "held");
    assert_eq!(world.run("package list --json").json().as_array().unwrap().len(), 12, "nothing went");
    let plan = world.run("sync plan 1 --json").json();
    assert_eq!((names(&plan["remove"], "package").len(), &plan["add"]), (8, &json!([])));
    let digest = plan["digest"].as_str().unwrap();
    let wrong = world.run("sync run 1 --wait --accept 0123456789abcdef0123");
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert_eq!(world.run("package list --json").json().as_array().unwrap().len(), 12);
    world.run(&format!("sync run 1 --wait --accept {digest}")).done();
    assert_eq!(world.run("sync list --json").json()[0]["status"], "ok");
    assert_eq!(world.run("package list --json").json().as_array().unwrap().len(), 4);
}

#[test]
fn check_asks_the_platforms_when_it_is_told_to() {
    let (github, _, world) = worlds(1);
    let offline = world.run("check").done();
    assert!(!offline.out.contains("acme/main"), "{offline:?}");
    let online = world.run("check --online").done();
    assert!(online.out.contains("ok: acme/main: "), "{online:?}");
    assert!(online.out.contains("ghe: it has no app"), "{online:?}");
    github.stage.world().tokens.clear();
    // With a server, it is the server that asks.
    let server = world.serve();
    let refused = world.run("check --online");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("error: acme/main: "), "{refused:?}");
    assert!(refused.out.starts_with("ok: ") || refused.out.starts_with("warning: "), "{refused:?}");
    server.stop();
}
