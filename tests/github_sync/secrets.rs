//! Secrets: whatever goes wrong, ours are nowhere but where they are sealed.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::platforms::frame::Fault;
use crate::platforms::github::hooks::Place;
use crate::platforms::message::Reply;
use crate::world::World;

/// The files below a folder that have this text in them.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files_with(&path, text));
        } else if kind.is_file() {
            // What is gone meanwhile has nothing in it.
            let content = fs::read(&path).unwrap_or_default();
            if content.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// The processes whose arguments or environment have this text.
fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let is_process = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        let files = ["cmdline", "environ"].map(|name| fs::read(entry.path().join(name)).unwrap_or_default());
        let has_it = |file: &Vec<u8>| file.windows(text.len()).any(|window| window == text.as_bytes());
        if is_process && files.iter().any(has_it) {
            found.push(String::from_utf8_lossy(&files[0]).into_owned());
        }
    }
    found
}

#[test]
fn no_failure_tells_a_secret() {
    let mut world = World::new();
    let id = world.package("lib");
    world.follow();
    let place = Place::Organization(world.org);
    world.comes("there is a hook", || world.github.hooks(place).len() == 1);
    let hook = world.github.hooks(place)[0];
    let (address, secret) = {
        let site = world.github.stage.world();
        let hook = &site.hooks.all[&hook];
        (hook.url.rsplit('/').next().unwrap().to_owned(), hook.secret.clone().unwrap())
    };
    let mut said = String::new();
    let mut note = |words: &str| {
        let one = world.ours.command(words);
        said.push_str(&one.out);
        said.push_str(&one.err);
    };
    // A platform that says again what it was told.
    let echo = |status: u16, more: &str| {
        let message = format!("not with {}{more}", world.token);
        Fault::Answer(Reply::json(status, &json!({"message": message, "errors": [{"message": message}]})))
    };
    let run = format!("sync run {} --wait", world.sync);
    let of_hook = format!(" and {secret} at {address}");
    let parts = [("/orgs/acme", 403), ("/orgs/acme/repos", 404), ("/orgs/acme/teams", 422), ("/orgs/acme/hooks", 403)];
    for (part, status) in parts {
        world.github.stage.fail(part, echo(status, if part == "/orgs/acme/hooks" { &of_hook } else { "" }));
        note(&run);
        note("hook repair");
        note("hook list --json");
        note("hook list");
        note("credential test main");
        world.github.stage.heal();
    }
    for fault in [Fault::Page(502), Fault::Html, Fault::Half, Fault::Cut] {
        world.github.stage.fail_at("/orgs/acme", 1..=1, fault);
        note(&run);
        world.github.stage.heal();
    }
    world.github.stage.fail("git-upload-pack", echo(403, ""));
    note("package update acme/lib --wait");
    world.github.stage.heal();

    // While code is fetched, for as long as it takes.
    let _ = world.tag(id, "4.0.0");
    world.github.stage.take_log();
    world.github.stage.fail("git-upload-pack", Fault::Mute);
    note("package update acme/lib");
    let is_fetch = |asked: &crate::platforms::message::Asked| asked.path.contains("git-upload-pack");
    world.comes("code is asked for", || world.github.stage.take_log().iter().any(is_fetch));
    assert_eq!(processes_with(&world.token), Vec::<String>::new());
    world.github.stage.heal();

    world.github.revoke(&world.token);
    note(&run);
    for words in [
        "job list --json",
        "sync list --json",
        "sync history 1 --json",
        "package list --json",
        "package show acme/lib --json",
        "credential list --json",
        "audit export",
        "hook list --json",
    ] {
        note(words);
    }
    let (_, metrics) = world.ours.get("/metrics", "");
    for text in [&world.token, &secret, &address] {
        assert!(!said.contains(text.as_str()), "a command tells a secret: {said}");
        assert!(!metrics.contains(text.as_str()), "figures tell a secret");
        assert_eq!(files_with(world.ours.folder.path(), text), Vec::<String>::new(), "{}", world.trace());
    }
}
