//! The commands, as people and scripts run them: the real program on a data directory of its own, with and without a
//! server.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "commands/checking.rs"]
mod checking;
#[path = "commands/faults.rs"]
mod faults;
#[path = "commands/output.rs"]
mod output;
#[path = "commands/packages.rs"]
mod packages;
#[path = "commands/people.rs"]
mod people;
#[path = "commands/running.rs"]
mod running;
#[path = "commands/secrets.rs"]
mod secrets;
#[path = "commands/world.rs"]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use world::{Said, World};

#[test]
fn wrong_usage_ends_with_2() {
    let world = World::empty();
    let wrong = [
        "",
        "nonsense",
        "org",
        "org add",
        "check --offline",
        "package update",
        "token add",
        "org list --yaml",
        "serve --listen bogus",
        "token add --access read --expires 0d",
        "credential add a --type http-bearer --secret-stdin",
        "credential add a --type http-basic --host git.example.com --secret-stdin",
        "credential add a --type http-bearer --host git.example.com --username ci --secret-stdin",
        "credential add a --type http-basic --host git.example.com --username ci",
        "credential rotate a",
        "credential add a --type github-app",
        "credential add a --type github-app --username acme",
        "credential add a --type bitbucket-datacenter-token --secret-stdin",
        "credential add a --type bitbucket-cloud-app-password --secret-stdin",
    ];
    for line in wrong {
        let said = world.run(line);
        assert_eq!(said.code, Some(2), "{line}: {said:?}");
        assert!(said.out.is_empty() && !said.err.is_empty(), "{line}: {said:?}");
    }
    assert_eq!(world.run("--help").code, Some(0));
    assert!(world.run("--version").line().starts_with("packagist-selfhosted "));
}

#[test]
fn the_organization_may_be_left_out_while_there_is_one() {
    let world = World::new();
    world.run("vendor list").refused(1, "there is no organization yet");
    assert_eq!(world.run("org add acme --name Acme").line(), "1");
    world.run("vendor add acme").done();
    world.run("org add other").done();
    world.run("vendor list").refused(2, "add `--org ORG` with one of acme, other");
    world.run("vendor list --org third").refused(1, "there is no organization `third`: there are acme, other");
    assert_eq!(world.run("vendor list --org ACME --json").json(), json!([{ "name": "acme", "packages": 0 }]));
    world.run("org remove other").done();
    assert_eq!(world.run("org list --json").json(), json!([{ "slug": "acme", "name": "Acme", "packages": 0 }]));
}

#[test]
fn slugs_are_unique_and_former_ones_stay_taken() {
    let world = World::with_organization();
    world.run("org add acme").refused(1, "the slug `acme` is taken");
    world.run("org add Acme").refused(1, "(write `acme`)");
    world.run("org add admin").refused(1, "reserved");
    for wrong in ["", "a b", "-", "ä", "..", "a/b"] {
        let words = ["org", "add", "--", wrong];
        Said::of(world.command(&words).output().unwrap()).refused(1, "cannot be an organization's slug");
    }
    world.run("org rename acme umbrella").done();
    world.run("org add acme").refused(1, "the slug `acme` is taken");
    world.run("org add other").done();
    world.run("vendor add acme --org ACME").done();
    world.run("vendor list --org umbrella").done();
    world.run("org remove acme").refused(1, "there is no organization `acme`: there are other, umbrella");
    world.run("org remove other").done();
    world.run("org rename umbrella acme").done();
    assert_eq!(world.run("org list --json").json()[0]["name"], "acme");
}

#[test]
fn check_tells_what_is_wrong_beside_a_server_and_without() {
    let world = World::empty();
    let said = world.run("check").done();
    assert!(said.out.contains("is not there yet"), "{said:?}");
    let server = world.serve();
    let said = world.run("check").done();
    for found in ["is private", "the database is sound", "the audit log is unbroken", "schema", "MiB are free"] {
        assert!(said.out.contains(found), "{found}: {said:?}");
    }
    server.stop();
    assert!(said.out.lines().all(|line| ["ok: ", "warning: ", "error: "].iter().any(|kind| line.starts_with(kind))));

    fs::set_permissions(world.data().join("keys"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = world.run("check");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("error: the key file "), "{said:?}");

    fs::write(world.path().join("config.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nlisen = 1\n").unwrap();
    let said = world.run("check");
    assert_eq!(said.code, Some(1), "{said:?}");
    let place = format!("error: {}:3:1: unknown key `lisen`", world.path().join("config.toml").display());
    assert!(said.out.contains(&place), "{said:?}");
}

#[test]
fn completions_and_manual_come_from_the_definitions() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish"] {
        let said = world.run(&format!("completions {shell}")).done();
        assert!(said.out.contains("credential") && !said.out.contains("vcs-worker"), "{shell}");
        assert!(!said.out.contains("run-request") && !said.out.contains("run__request"), "{shell}");
    }
    let manual = world.run("man").done().out;
    assert!(manual.contains(".TH \"PACKAGIST-SELFHOSTED-TOKEN-ADD\" \"1\" \"\" \"packagist-selfhosted "));
    assert!(world.run("man package add").done().out.contains("credential"));
    world.run("man nonsense").refused(2, "there is no command `nonsense`");
}
