//! Credentials, passwords and tokens: how they come in, and that they stay where they belong.

use serde_json::{Value, json};

use crate::world::{World, bytes_below, contains, keys};

#[test]
fn secrets_are_read_from_input_and_never_shown() {
    let world = World::with_organization();
    let add = "credential add git --type http-basic --host git.example.com:8443 --username ci --secret-stdin";
    world.run_with_input(add, "").refused(1, "is empty");
    assert_eq!(world.run_with_input(add, "s3cret-of-git\n").line(), "1");
    world.run_with_input(add, "s3cret-of-git\n").refused(1, "there is a credential `git` already");
    world
        .run_with_input("credential add none --type http-basic --username ci --secret-stdin", "x")
        .refused(2, "add `--host HOST`");
    let list = world.run("credential list --json").json();
    assert_eq!(
        list,
        json!([{
            "name": "git", "type": "http-basic", "host": "git.example.com:8443", "username": "ci",
            "expires_at": null, "used_by": 0, "status": "untested", "error": null, "self_rotation": false,
            "public_key": null, "fingerprint": null,
        }])
    );
    let expected = ["name", "type", "host", "username", "expires_at", "used_by", "status"];
    let added = ["error", "self_rotation", "public_key", "fingerprint"];
    assert_eq!(keys(&list[0]), [&expected[..], &added[..]].concat());
    world.run_with_input("credential rotate git --secret-stdin", "s3cret-of-today").done();
    let bytes = bytes_below(&world.data());
    assert!(contains(&bytes, "git.example.com"));
    assert!(!contains(&bytes, "s3cret-of"));
}

#[test]
fn a_credential_is_for_its_host_and_port_only() {
    let world = World::with_organization();
    let add = |name: &str, host: &str| {
        let line = format!("credential add {name} --type http-basic --host {host} --username ci --secret-stdin");
        world.run_with_input(&line, "s3cret").done();
    };
    add("here", "git.example.com");
    add("there", "git.example.com:8443");
    let elsewhere = "package add https://other.example.com/a/b --credential here";
    world.run(elsewhere).refused(1, "never sent to other.example.com:443");
    world
        .run("package add https://git.example.com:8443/a/b --credential here")
        .refused(1, "never sent to git.example.com:8443");
    world
        .run("package add https://git.example.com/a/b --credential other")
        .refused(1, "there is no credential `other`");
    assert_eq!(world.run("package add https://git.example.com/a/b --credential here").line(), "1");
    assert_eq!(world.run("package list --json").json()[0]["credential"], "here");
    world.run("credential remove here").refused(1, "is used by https://git.example.com/a/b");
    world.run("credential remove here --replace-with there").refused(1, "never sent to git.example.com:443");
    add("newer", "GIT.example.com");
    world.run("credential remove here --replace-with newer").done();
    assert_eq!(world.run("package list --json").json()[0]["credential"], "newer");
}

#[test]
fn the_last_administrator_stays() {
    let world = World::new();
    let line = "user add ada --admin --email ada@example.com --password-stdin";
    world.run_with_input(line, "short").refused(1, "too short");
    assert_eq!(world.run_with_input(line, "correct horse battery").line(), "1");
    world.run("user add ADA").refused(1, "(write `ada`)");
    world.run("user add ada").refused(1, "there is a user `ada` already");
    world.run("user remove ada").refused(1, "`ada` is the last administrator");
    world.run("user disable ada").refused(1, "`ada` is the last administrator");
    world.run("user add bob --admin").done();
    world.run("user disable ada").done();
    world.run("user remove bob").refused(1, "`bob` is the last administrator");
    let list = world.run("user list --json").json();
    assert_eq!(
        list[0],
        json!({
            "name": "ada", "email": "ada@example.com", "admin": true, "enabled": false,
            "integrations": [], "last_login_at": null,
        })
    );
    world.run("user enable ada").done();
    world.run("user remove bob").done();
    world.run_with_input("user set-password ada", "another long password\n").done();
    world.run_with_input("user set-password eve", "another long password\n").refused(1, "there is no user `eve`");
    let bytes = bytes_below(&world.data());
    assert!(contains(&bytes, "$argon2id$") && !contains(&bytes, "correct horse") && !contains(&bytes, "another long"));
}

#[test]
fn a_token_is_shown_once_alone_on_a_line() {
    let world = World::with_organization();
    world.run("user add ada").done();
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    world.run(&format!("package add {url} --wait")).done();
    let whole = world.run("token add --access read --description CI --expires 90d").line();
    let part = world.run("token add --access update --package acme/foo").line();
    let person = world.run("token add --user ada").line();
    for (token, prefix) in [(&whole, "pksh_ort_"), (&part, "pksh_out_"), (&person, "pksh_uut_")] {
        assert!(token.starts_with(prefix) && token.len() == 77, "{token}");
    }
    world.run("token add --access read --package acme/bar").refused(1, "no package `acme/bar`");
    world.run("token add --user eve").refused(1, "there is no user `eve`");
    world.run("token add --access read --expires 99999d").refused(1, "at most ten years");

    let list = world.run("token list --json").json();
    let expected = [
        "id",
        "kind",
        "access",
        "prefix",
        "last4",
        "description",
        "packages",
        "teams",
        "expires_at",
        "last_used_at",
        "user",
    ];
    assert_eq!(keys(&list[0]), expected);
    assert_eq!(list[0]["last4"], whole[73..]);
    assert_eq!(list[0]["packages"], Value::Null, "all packages");
    assert!(list[0]["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&list[1]["packages"], &list[1]["teams"]), (&json!(["acme/foo"]), &json!([])));
    assert_eq!(world.run("token list --user ada --json").json()[0]["kind"], "user");

    world.run("org add other").done();
    world.run("token revoke 1 --org other").refused(1, "there is no token 1");
    world.run("token revoke 1").done();
    world.run("token revoke 1").refused(1, "there is no token 1");
    assert_eq!(world.run("token list --org acme --json").json().as_array().unwrap().len(), 1);
    let shown = world.run("token list --org acme").out;
    let bytes = bytes_below(&world.data());
    for token in [&whole, &part, &person] {
        assert!(!shown.contains(token.as_str()) && !contains(&bytes, token));
    }
}

#[test]
fn every_change_is_in_the_audit_log_without_secrets() {
    let world = World::with_organization();
    let line = "credential add git --type http-basic --host git.example.com --username ci --secret-stdin";
    world.run_with_input(line, "s3cret-of-git").done();
    let token = world.run("token add --access read").line();
    world.run("token revoke 1").done();
    world.run("user add ada").done();
    world.run("user remove ada").done();
    world.run("org list").done();
    let database = rusqlite::Connection::open(world.data().join("packagist.sqlite")).unwrap();
    let mut statement = database.prepare("SELECT action, actor, detail FROM audit ORDER BY id").unwrap();
    let entries: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let actions: Vec<&str> = entries.iter().map(|(action, ..)| action.as_str()).collect();
    assert_eq!(actions, ["organization.add", "credential.add", "token.add", "token.revoke", "user.add", "user.remove"]);
    for (_, actor, detail) in &entries {
        assert_eq!(actor, "command");
        assert!(!detail.contains("s3cret") && !detail.contains(&token), "{detail}");
    }
}

#[test]
fn a_webhook_can_ask_for_a_secret() {
    let world = World::with_organization();
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    let server = world.serve();
    world.run("vendor add acme").done();
    world.run(&format!("package add {url} --wait")).done();
    let hook = world.run_with_input("package hook acme/foo --secret-stdin", "hunter2-of-the-hook\n").line();
    let path = hook.split_once("/hooks/").map(|(_, secret)| format!("/hooks/{secret}")).unwrap();
    assert_eq!(server.post(&path).0, 401);
    let short = world.run_with_input("package hook acme/foo --secret-stdin", "short");
    short.refused(1, "12 to 255 characters");
    world.run("package hook acme/foo --secret-stdin --no-secret").refused(2, "cannot be used with");
    assert_eq!(world.run("package hook acme/foo --no-secret").line(), hook);
    assert_eq!(server.post(&path).0, 202);
    let log = server.stop();
    assert!(!log.contains("hunter2") && !contains(&bytes_below(&world.data()), "hunter2"), "{log}");
}
