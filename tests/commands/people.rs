//! Members, teams, grants, login rules, and what they let a token open.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::world::{Server, World};

/// What runs a command: with a server or without is the same.
fn organization() -> World {
    let world = World::with_organization();
    for name in ["a", "b", "c"] {
        let (url, _) = world.repository(name, &json!({ "name": format!("acme/{name}") }));
        world.run(&format!("package add {url} --wait")).done();
    }
    for name in ["ada", "bob"] {
        world.run(&format!("user add {name}")).done();
    }
    world
}

/// What a synchronization would leave: `ghe:grace`, a member and in the team `platform`, who never logged in.
fn synchronize(world: &World) {
    let database = Connection::open(world.data().join("packagist.sqlite")).unwrap();
    database
        .execute_batch(
            "INSERT INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0);
             INSERT INTO sync (id, org_id, integration, remote, created_at, confirmed_at)
                 VALUES (1, 1, 'ghe', 'acme', 0, unixepoch() * 1000000);
             INSERT INTO account (id, integration, subject, login, created_at) VALUES (1, 'ghe', '17', 'Grace', 0);
             INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at) VALUES (1, 1, 1, 'member', 1, 0);
             INSERT INTO team (id, org_id, sync_id, remote_id, name, path, created_at)
                 VALUES (99, 1, 1, '5', 'Platform Team', 'Platform Team', 0);
             INSERT INTO team_member (org_id, team_id, account_id, created_at) VALUES (1, 99, 1, 0);
             INSERT INTO team_package SELECT 1, 99, id FROM package WHERE name = 'acme/c';",
        )
        .unwrap();
}

/// The names that a token sees.
fn seen(server: &Server, token: &str) -> Value {
    let (status, answer) = server.get("/repo/acme/packages.json", token);
    if status != 200 {
        return json!(status);
    }
    let body = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
    serde_json::from_str::<Value>(body).unwrap()["available-packages"].clone()
}

fn because(world: &World, user: &str, package: &str) -> (bool, Vec<(String, String)>) {
    let line = format!("access explain --user {user} --package {package} --json");
    let json = world.run(&line).json();
    let one = |one: &Value| (one["kind"].as_str().unwrap().to_owned(), one["detail"].as_str().unwrap().to_owned());
    (json["allowed"].as_bool().unwrap(), json["because"].as_array().unwrap().iter().map(one).collect())
}

fn kinds(world: &World, user: &str, package: &str) -> Vec<String> {
    because(world, user, package).1.into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn teams_and_grants_open_packages_beside_a_running_server() {
    let world = organization();
    let server = world.serve();
    let ada = world.run("token add --user ada").line();
    assert_eq!(seen(&server, &ada), 404);
    assert_eq!(kinds(&world, "ada", "acme/a"), ["none"]);

    assert_eq!(world.run("team add web").line(), "1");
    world.run("team add web/core").line();
    world.run("team grant web acme/a").done();
    world.run("team grant web/core acme/b").done();
    world.run("team add-member web/core ada").done();
    assert_eq!(seen(&server, &ada), json!(["acme/a", "acme/b"]));
    let (allowed, why) = because(&world, "ada", "acme/a");
    assert!(allowed && why == [("team".to_owned(), "team web, above the team web/core".to_owned())], "{why:?}");
    assert!(!because(&world, "ada", "acme/c").0);
    let teams = world.run("team list --json").json();
    assert_eq!(
        teams,
        json!([
            { "name": "web", "path": "web", "synchronized": false, "members": [], "packages": ["acme/a"], "inherited": [] },
            { "name": "core", "path": "web/core", "synchronized": false, "members": ["ada"], "packages": ["acme/b"],
              "inherited": ["acme/a"] },
        ])
    );
    assert_eq!(world.run("team show WEB/CORE --json").json(), teams[1]);
    world.run("team rename web site").done();
    assert_eq!(world.run("team list --json").json()[1]["path"], "site/core");
    world.run("team move site --under site/core").refused(1, "itself or below it");
    world.run("team move site/core").done();
    assert_eq!(seen(&server, &ada), json!(["acme/b"]));
    world.run("team move core --under site").done();
    world.run("team remove site").refused(1, "remove or move site/core first");
    world.run("team add site/core").refused(1, "there is a team `site/core` already");
    world.run("team add none/core").refused(1, "there is no team `none`");
    world.run("team add Site").refused(1, "(write `site`)");

    world.run("team grant site --all").done();
    assert_eq!(seen(&server, &ada), json!(["acme/a", "acme/b", "acme/c"]));
    assert_eq!(world.run("team list --json").json()[0]["packages"], "all");
    world.run("team revoke site acme/a").refused(1, "has all packages, now and later");
    world.run("team revoke site --all").done();
    assert_eq!(seen(&server, &ada), json!(["acme/b"]));
    world.run("team revoke site acme/c").refused(1, "was not given acme/c");
    world.run("team remove-member site/core ada").done();
    assert_eq!(seen(&server, &ada), 404);
    world.run("team remove-member site/core ada").refused(1, "is not in the team");

    world.run("access grant --user ada --package acme/c").done();
    assert_eq!((seen(&server, &ada), kinds(&world, "ada", "acme/c")), (json!(["acme/c"]), vec!["grant".to_owned()]));
    assert_eq!(world.run("access list --json").json()[0]["user"], "ada");
    assert_eq!(world.run("member list --json").json()[0]["role"], "collaborator");
    world.run("access revoke --user ada --package acme/c").done();
    world.run("access revoke --user ada --package acme/c").refused(1, "nobody granted `ada`");
    assert_eq!(seen(&server, &ada), 404);
    for (line, said) in [
        ("team add-member nowhere ada", "there is no team `nowhere`"),
        ("team add-member site/core eve", "there is no user `eve`"),
        ("team add-member site/core ghe:eve", "there is nobody called `ghe:eve`"),
        ("access explain --user ada --package acme/d", "no package `acme/d`"),
    ] {
        world.run(line).refused(1, said);
    }
    server.stop();
    assert!(world.run("check").done().out.contains("the audit log is unbroken"));
}

#[test]
fn roles_are_given_and_the_last_owner_stays() {
    let world = organization();
    let server = world.serve();
    let (ada, bob) = (world.run("token add --user ada").line(), world.run("token add --user bob").line());
    world.run("member add ada --role owner").done();
    world.run("member add ada").refused(1, "is owner of the organization already");
    assert_eq!(kinds(&world, "ada", "acme/a"), ["owner"]);
    world.run("member set-role ada admin").refused(1, "without an owner who can get in");
    world.run("member remove ada").refused(1, "without an owner who can get in");
    world.run("member set-role bob admin").refused(1, "is no member");
    world.run("member add bob").done();
    assert_eq!(seen(&server, &bob), json!(["none/none"]));
    world.run("member set-role bob owner").done();
    world.run("member set-role ada admin").done();
    assert_eq!((seen(&server, &ada), seen(&server, &bob)).0, json!(["acme/a", "acme/b", "acme/c"]));
    let people = world.run("member list --json").json();
    assert_eq!((&people[0]["name"], &people[0]["role"]), (&json!("ada"), &json!("admin")));
    assert_eq!((&people[1]["role"], &people[1]["status"]), (&json!("owner"), &json!("active")));
    world.run("team add web").done();
    world.run("team add-member web ada").done();
    world.run("access grant --user ada --package acme/a").done();
    world.run("member remove ada").done();
    assert_eq!(seen(&server, &ada), 404, "nothing that was given is left");
    world.run("member remove ada").refused(1, "is no member");
    for line in ["user disable bob", "user remove bob"] {
        world.run(line).refused(1, "would leave the organization `acme` without an owner who can get in");
    }
    world.run("member add ada --role owner").done();
    world.run("user disable bob").done();
    assert_eq!(seen(&server, &bob), 401);
    assert_eq!(because(&world, "bob", "acme/a").1, [("none".to_owned(), "the account is disabled".to_owned())]);
    world.run("access explain --user bob --package acme/a").done();
}

#[test]
fn a_token_of_a_team_follows_it() {
    let world = organization();
    world.run("team add web").done();
    world.run("team grant web acme/a").done();
    let server = world.serve();
    let token = world.run("token add --access read --team web --package acme/b").line();
    let only = world.run("token add --access read --team web").line();
    assert_eq!((seen(&server, &token), seen(&server, &only)), (json!(["acme/a", "acme/b"]), json!(["acme/a"])));
    let listed = world.run("token list --json").json();
    assert_eq!((&listed[0]["packages"], &listed[0]["teams"]), (&json!(["acme/b"]), &json!(["web"])));
    assert_eq!((&listed[1]["packages"], &listed[1]["teams"]), (&json!([]), &json!(["web"])));
    world.run("team grant web acme/c").done();
    assert_eq!(seen(&server, &only), json!(["acme/a", "acme/c"]));
    world.run("token add --access read --team none").refused(1, "there is no team `none`");
    world.run("team remove web").done();
    assert_eq!((seen(&server, &token), seen(&server, &only)), (json!(["acme/b"]), json!(["none/none"])));
    assert_eq!(world.run("token list --json").json()[1]["teams"], json!([]), "restricted still");
}

#[test]
fn synchronized_people_and_teams_are_named_and_left_alone() {
    let world = organization();
    synchronize(&world);
    let listed = world.run("team list --json").json();
    assert_eq!((&listed[0]["synchronized"], &listed[0]["members"]), (&json!(true), &json!(["ghe:Grace"])));
    for change in ["remove", "rename", "move", "grant", "revoke", "add-member", "remove-member"] {
        let words: &[&str] = match change {
            "remove" | "move" => &[],
            "rename" => &["other"],
            "grant" | "revoke" => &["--all"],
            _ => &["ada"],
        };
        let words = [&["team", change, "Platform Team"], words].concat();
        let said = crate::world::Said::of(world.command(&words).output().unwrap());
        said.refused(1, "is synchronized and read-only here");
    }
    assert_eq!(because(&world, "ghe:grace", "acme/c").1[0].1, "team Platform Team, as ghe:Grace");
    let people = world.run("member list --json").json();
    assert_eq!((&people[0]["name"], &people[0]["role"]), (&json!("ghe:Grace"), &json!("member")));
    world.run("member add ghe:grace").refused(1, "nobody logged in as `ghe:Grace` yet");
    world.run("member deactivate ghe:grace").done();
    assert_eq!(kinds(&world, "ghe:grace", "acme/c"), ["none", "none"]);
    assert_eq!(world.run("member list --json").json()[0]["status"], "waiting");
    world.run("member activate ghe:Grace").done();
    assert!(because(&world, "ghe:grace", "acme/c").0);
    world.run("member activate ada").refused(1, "no synchronization of the organization found `ada`");
    world.run("member remove ghe:grace").refused(1, "because a synchronization found them");
    world.run("access grant --user ghe:grace --package acme/a").done();
    assert_eq!(kinds(&world, "ghe:grace", "acme/a"), ["grant"]);
    world.run("token add --user ghe:grace").refused(1, "nobody logged in as `ghe:Grace` yet");
    world.run("org set-activation acme manual").done();
    world.run("org set-activation acme automatic").done();
    let database = Connection::open(world.data().join("packagist.sqlite")).unwrap();
    database.execute("UPDATE account SET user_id = (SELECT id FROM user WHERE name = 'bob')", []).unwrap();
    let server = world.serve();
    let token = world.run("token add --user ghe:grace").line();
    assert_eq!(seen(&server, &token), json!(["acme/a", "acme/c"]), "whose account it is has what was found and given");
    assert_eq!(kinds(&world, "bob", "acme/a"), ["grant"]);
    assert_eq!(world.run("team list --json").json()[0]["members"], json!(["bob"]));
    world.run("access revoke --user bob --package acme/a").done();
    assert_eq!(seen(&server, &token), json!(["acme/c"]));
}

#[test]
fn a_login_rule_locks_no_owner_out() {
    let world = organization();
    synchronize(&world);
    let server = world.serve();
    let ada = world.run("token add --user ada").line();
    world.run("member add ada --role owner").done();
    world.run("org set-login-rule acme --integration gitlab").refused(1, "nobody logged in by an integration `gitlab`");
    world.run("org set-login-rule acme --integration ghe").refused(1, "no owner of the organization could get in");
    assert_eq!(seen(&server, &ada), json!(["acme/a", "acme/b", "acme/c"]), "nothing was set");
    world.run("user add root --admin").done();
    world.run("member add root --role owner").done();
    world.run("org set-login-rule acme --integration ghe").done();
    assert_eq!(seen(&server, &ada), 404);
    let why = because(&world, "ada", "acme/a").1;
    assert_eq!(why, [("none".to_owned(), "the organization wants its people to log in by ghe".to_owned())]);
    assert!(because(&world, "root", "acme/a").0, "the rescue");
    assert_eq!(world.run("member list --json").json()[0]["passes_login_rule"], false);
    world.run("member remove root").refused(1, "without an owner who can get in");
    world.run("user add second --admin").done();
    world.run("user demote root").refused(1, "without an owner who can get in");
    world.run("org set-login-rule acme --any").done();
    assert_eq!(seen(&server, &ada), json!(["acme/a", "acme/b", "acme/c"]));
}
