//! One webhook of the whole instance, entered by its administrator: it tells what no other hook does, to whom it concerns.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::platforms::gitlab::directory::{DEVELOPER, GUEST, OWNER, REPORTER};
use crate::platforms::post::Parcel;
use crate::platforms::pushed::Pushed;
use crate::world::World;

/// What is entered: address, token and signing token.
fn entered(world: &World, words: &str) -> [String; 3] {
    let said = world.ours.command(words).done();
    ["URL: ", "Secret token: ", "Signing token: "]
        .map(|label| said.lines().find_map(|line| line.strip_prefix(label)).unwrap().to_owned())
}

/// A group that is followed with a token that may install no hook, and the instance's own hook.
fn world() -> World {
    let mut world = World::new();
    let weak = world.gitlab.group_token(world.root, REPORTER, "read_api read_repository");
    world.ours.command_with("credential rotate main --secret-stdin", &weak).done();
    let [url, token, signing_token] = entered(&world, "hook system lab");
    assert_eq!(entered(&world, "hook system lab")[0], url, "it is said until it is entered");
    world.gitlab.system_hook(&url, &token, Some(&signing_token));
    for login in ["ada", "bea", "carl"] {
        world.person(login);
    }
    world
}

fn stays(world: &World, what: &str) {
    assert_eq!(world.differences_that_stay(), Vec::<String>::new(), "after {what}: {}", world.trace());
}

#[test]
fn what_no_other_hook_tells_is_told_by_the_instance() {
    let mut world = world();
    let php = world.gitlab.group("php", Some(world.root));
    let partners = world.gitlab.group("partners", None);
    let lib = world.package(php, "lib");
    let tool = world.package(world.root, "tool");
    let [ada, bea, carl] = ["ada", "bea", "carl"].map(|login| world.person_named(login));
    world.gitlab.enrol(php, ada, DEVELOPER);
    world
        .gitlab
        .alter_group(partners, |group| group.visibility = crate::platforms::gitlab::directory::Visibility::Internal);
    world.gitlab.share_group(php, partners, REPORTER);
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert!(world.hooks().iter().all(|hook| hook.place == crate::platforms::gitlab::hooks::Place::System));
    let gitlab = &world.gitlab;

    gitlab.added(tool, bea, REPORTER);
    stays(&world, "somebody was added to a project");
    assert!(world.shown_to("bea").contains("acme/tool"));
    gitlab.added(tool, bea, GUEST);
    stays(&world, "somebody became guest of a project");
    gitlab.joined(php, bea, DEVELOPER);
    stays(&world, "somebody came into a group");
    gitlab.left(php, bea);
    stays(&world, "somebody left a group");
    gitlab.joined(partners, carl, OWNER);
    stays(&world, "somebody came into a group that was let in");
    assert!(world.shown_to("carl").contains("acme/lib"));
    gitlab.left(partners, carl);
    stays(&world, "somebody left a group that was let in");

    let versions = ["dev-main", "1.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0", "2.5.0"].map(str::to_owned);
    let tags: Vec<Pushed> = versions[2..].iter().map(|name| world.tag(lib, name)).collect();
    gitlab.pushed(lib, &tags);
    world.comes("five tags are served", || world.versions(lib) == BTreeSet::from(versions.clone()));
    let code = world.code_of(lib);
    let commit = code.git(&["rev-parse", "refs/tags/2.5.0"]);
    code.remove("refs/tags/2.5.0");
    gitlab.pushed(lib, &[Pushed { name: "refs/tags/2.5.0".to_owned(), before: Some(commit), after: None }]);
    world.comes("a tag that was deleted is not served", || !world.versions(lib).contains("2.5.0"));

    let url = |name: &str| {
        let list: Value = serde_json::from_str(&world.ours.command("package list --json").done()).unwrap();
        let found = list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
        found.map(|one| one["url"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    gitlab.project_renamed(tool, "renamed");
    world.comes("the package has the new address", || url("acme/tool").ends_with("/acme/renamed.git"));
    gitlab.group_renamed(php, "php-8");
    world.comes("all packages of the group have", || url("acme/lib").ends_with("/acme/php-8/lib.git"));
    gitlab.project_transferred(tool, php);
    stays(&world, "a project went to another group");
    assert!(world.shown_to("ada").contains("acme/tool"));
    gitlab.project_transferred(tool, partners);
    stays(&world, "a project went out of the group");
    gitlab.project_transferred(tool, world.root);
    stays(&world, "a project came back");
    gitlab.turned_away(ada);
    stays(&world, "somebody who is blocked tried to log in");
    assert!(world.shown_to("ada").is_empty());
    let fresh = world.gitlab.project_created(world.root, "fresh");
    let refs = world.fill(fresh, "fresh");
    world.gitlab.pushed(fresh, &refs);
    world.comes("a new project is a package", || world.versions(fresh).contains("1.0.0"));
    world.gitlab.project_deleted(lib);
    stays(&world, "a project was deleted");

    world.comes("the command says that it calls", || {
        world.ours.command("hook system lab").done().contains("called last")
    });
    let page = world.page("keeper", &format!("/orgs/acme/syncs/{}", world.sync));
    assert!(page.contains("repository_update"), "the deliveries are shown");
}

/// What was answered to a delivery that is sent now.
fn answered(world: &World, parcel: &Parcel) -> u16 {
    let post = world.gitlab.post();
    post.settle();
    post.send(parcel.clone());
    post.settle();
    post.sent().last().unwrap().status.unwrap()
}

/// Runs and deliveries of the synchronization of an organization of ours, as a text.
fn heard(world: &World, org: &str, sync: &str) -> String {
    world.ours.command(&format!("sync history {sync} --org {org}")).done()
}

#[test]
fn everybody_hears_of_their_own_alone() {
    let mut world = world();
    let lib = world.package(world.root, "lib");
    let strangers = world.gitlab.group("strangers", None);
    let theirs = world.gitlab.project(strangers, "secret-plan");
    let (folder, _) = world.filled(theirs, "secret-plan");
    world.gitlab.serve(theirs, &folder);
    let nobodys = world.gitlab.group("nobodys", None);
    let foreign = world.gitlab.project(nobodys, "hidden");
    world.follow();
    // Another organization of ours, which follows another group.
    world.ours.command("org add other").done();
    let token = world.gitlab.group_token(strangers, REPORTER, "read_api read_repository");
    let url = world.gitlab.url();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let words = format!("credential add main --org other --type gitlab-token --host {host} --secret-stdin");
    world.ours.command_with(&words, &token).done();
    let words = "sync add --org other --integration lab --remote strangers --credential main --primary";
    let other = world.ours.command(words).done();
    world.ours.command(&format!("sync run {other} --org other --wait")).done();
    let before = (heard(&world, "acme", &world.sync), heard(&world, "other", &other));

    let parcels = |act: &dyn Fn()| world.gitlab.parcels(|_| act());
    let refs = [Pushed::new("refs/heads/main", &"1".repeat(40))];
    let newcomer = world.gitlab.user("newcomer");
    for parcel in parcels(&|| {
        world.gitlab.pushed(foreign, &refs);
        world.gitlab.joined(nobodys, newcomer, DEVELOPER);
        world.gitlab.added(foreign, newcomer, DEVELOPER);
        world.gitlab.project_renamed(foreign, "hidden-too");
        world.gitlab.turned_away(newcomer);
    }) {
        assert_eq!(answered(&world, &parcel), 200, "{}", String::from_utf8_lossy(&parcel.body));
    }
    let now = (heard(&world, "acme", &world.sync), heard(&world, "other", &other));
    assert_eq!(now, before, "nobody follows that");

    let own = parcels(&|| world.gitlab.added(theirs, newcomer, DEVELOPER));
    assert_eq!(answered(&world, &own[0]), 202);
    world.comes("the other organization reads again", || heard(&world, "other", &other) != before.1);
    assert_eq!(heard(&world, "acme", &world.sync), before.0);
    assert_eq!(answered(&world, &own[0]), 202, "the same once more is known");
    let pushed = parcels(&|| world.gitlab.pushed(theirs, &refs));
    for parcel in &pushed {
        assert_eq!(answered(&world, parcel), 202);
    }
    let page = world.page("keeper", &format!("/orgs/acme/syncs/{}", world.sync));
    assert!(!page.contains("secret-plan") && !page.contains("strangers"), "{page}");

    // Only whoever has the secret is believed, and who once signed has to sign.
    let mut forged = parcels(&|| world.gitlab.pushed(lib, &refs)).remove(0);
    let strip = |parcel: &mut Parcel, names: &[&str]| {
        parcel.headers.retain(|(own, _)| !names.iter().any(|name| own.eq_ignore_ascii_case(name)));
    };
    strip(&mut forged, &["webhook-id", "webhook-timestamp", "webhook-signature"]);
    assert_eq!(answered(&world, &forged), 401, "the token alone is not enough any more");
    strip(&mut forged, &["X-Gitlab-Token"]);
    assert_eq!(answered(&world, &forged), 401);
    // Another one takes its place, and the address of before comes to nothing.
    let [url, token, signing_token] = entered(&world, "hook system lab --replace");
    let old = parcels(&|| world.gitlab.pushed(lib, &refs));
    assert_eq!(answered(&world, &old[0]), 200, "it is answered kindly");
    world.gitlab.system_hook(&url, &token, Some(&signing_token));
    let new = parcels(&|| world.gitlab.pushed(lib, &refs));
    assert!(new.iter().any(|parcel| answered(&world, parcel) == 202));
    world.ours.command("hook system lab --remove").done();
    assert_eq!(answered(&world, new.last().unwrap()), 200);
    let said = world.ours.command("hook system nowhere").failed();
    assert!(said.contains("nowhere"), "{said}");
}
