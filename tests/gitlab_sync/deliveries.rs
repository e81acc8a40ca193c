//! Deliveries of webhooks: twice, out of order, by somebody else, late, many at once, and with the server killed after it
//! said that it would do the work.

use std::collections::BTreeSet;

use crate::platforms::frame::now;
use crate::platforms::gitlab::directory::DEVELOPER;
use crate::platforms::gitlab::hooks::{Hook, signature};
use crate::platforms::post::Parcel;
use crate::platforms::pushed::Pushed;
use crate::world::World;

/// One package that is followed, with a hook.
fn world_of(version: &'static str, licensed: bool) -> (World, u64) {
    let mut world = World::new();
    world.gitlab.ways(|ways| (ways.version, ways.licensed) = (version, licensed));
    let id = world.package(world.root, "lib");
    world.follow();
    world.comes("there is a hook", || world.hooks().len() == 1);
    world.gitlab.post().settle();
    (world, id)
}

fn world() -> (World, u64) {
    world_of("19.1.2-ee", true)
}

/// What was answered to a delivery that is sent now.
fn answered(world: &World, parcel: Parcel) -> u16 {
    let post = world.gitlab.post();
    post.settle();
    post.send(parcel);
    post.settle();
    post.sent().last().unwrap().status.unwrap()
}

/// The requests of Git since the last call.
fn updates(world: &World) -> usize {
    world.gitlab.stage.take_log().iter().filter(|asked| asked.path.contains("git-upload-pack")).count()
}

/// What is told of a new tag, which is not sent yet.
fn push(world: &World, id: u64, tag: &str) -> Parcel {
    let refs = [world.tag(id, tag)];
    let mut parcels = world.gitlab.parcels(|gitlab| gitlab.pushed(id, &refs));
    assert_eq!(parcels.len(), 1);
    parcels.remove(0)
}

fn set(parcel: &mut Parcel, name: &str, value: Option<&str>) {
    parcel.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    parcel.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

fn header(parcel: &Parcel, name: &str) -> String {
    parcel.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).unwrap().1.clone()
}

/// Signs a delivery as if it were sent at this moment.
fn signed_at(hook: &Hook, parcel: &mut Parcel, at: i64) {
    let id = header(parcel, "webhook-id");
    set(parcel, "webhook-timestamp", Some(&at.to_string()));
    let own = signature(hook.signing_token.as_ref().unwrap(), &id, at, &parcel.body);
    set(parcel, "webhook-signature", Some(&own));
}

#[test]
fn a_delivery_counts_once_whenever_it_comes() {
    let (world, id) = world();
    let served = |name: &str| world.versions(id).contains(name);
    updates(&world);
    let first = push(&world, id, "1.1.0");
    assert_eq!(answered(&world, first.clone()), 202);
    world.comes("the tag is served", || served("1.1.0"));
    assert!(updates(&world) > 0);
    assert_eq!(answered(&world, Parcel { again: true, ..first }), 202);

    // What comes late says nothing about what is there now.
    let older = push(&world, id, "1.2.0");
    let newer = push(&world, id, "1.3.0");
    for parcel in [newer, older] {
        assert_eq!(answered(&world, parcel), 202);
    }
    world.comes("both tags are served", || served("1.2.0") && served("1.3.0"));
    let code = world.code_of(id);
    let commit = code.git(&["rev-parse", "refs/tags/1.2.0"]);
    code.remove("refs/tags/1.2.0");
    let gone = Pushed { name: "refs/tags/1.2.0".to_owned(), before: Some(commit), after: None };
    world.gitlab.pushed(id, &[gone]);
    world.comes("a tag that was deleted is not served", || !served("1.2.0"));

    // The instance's hook tells of the same push, twice more: that makes one update, and at most one that finds nothing.
    let said = world.ours.command("hook system lab").done();
    let entered = |label: &str| said.lines().find_map(|line| line.strip_prefix(label)).unwrap().to_owned();
    let (url, token, key) = (entered("URL: "), entered("Secret token: "), entered("Signing token: "));
    world.gitlab.system_hook(&url, &token, Some(&key));
    updates(&world);
    let refs = [world.tag(id, "1.4.0")];
    let parcels = world.gitlab.parcels(|gitlab| gitlab.pushed(id, &refs));
    assert_eq!(parcels.len(), 3, "the group's hook, and the instance's of the tag and of the push");
    for parcel in parcels {
        assert_eq!(answered(&world, parcel), 202);
    }
    world.comes("the tag is served", || served("1.4.0"));
    world.comes("no work is left", || {
        let jobs = world.ours.command("job list --json").done();
        !jobs.contains("\"ready\"") && !jobs.contains("\"running\"")
    });
    let fetched = world.gitlab.stage.take_log();
    let fetched = fetched.iter().filter(|asked| asked.method == "POST" && asked.path.ends_with("git-upload-pack"));
    println!("{} requests of Git for a push that three deliveries tell of", fetched.count());
}

#[test]
fn who_once_signed_has_to_sign() {
    let (world, id) = world();
    let hook = world.hooks().remove(0);
    assert_eq!(answered(&world, push(&world, id, "1.1.0")), 202);
    // What that one refreshes does not see the tags of those that follow.
    world.comes("the tag is served", || world.versions(id).contains("1.1.0"));
    let forged = |change: &dyn Fn(&mut Parcel)| {
        let mut parcel = push(&world, id, "1.4.0");
        change(&mut parcel);
        answered(&world, parcel)
    };
    assert_eq!(forged(&|parcel| set(parcel, "webhook-signature", Some("v1,AAAA"))), 401);
    assert_eq!(forged(&|parcel| parcel.body.push(b' ')), 401, "another body");
    assert_eq!(forged(&|parcel| signed_at(&hook, parcel, now() - 600)), 401, "ten minutes late");
    assert_eq!(forged(&|parcel| signed_at(&hook, parcel, now() + 600)), 401, "ten minutes early");
    assert_eq!(forged(&|parcel| set(parcel, "webhook-id", None)), 401, "without a name");
    let only_token = |parcel: &mut Parcel| {
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            set(parcel, name, None);
        }
    };
    assert_eq!(forged(&only_token), 401, "the token alone is not enough any more");
    assert!(!world.versions(id).contains("1.4.0"));
    let mut two = push(&world, id, "1.5.0");
    let own = header(&two, "webhook-signature");
    set(&mut two, "webhook-signature", Some(&format!("v1,YmFk {own}")));
    assert_eq!(answered(&world, two), 202, "one of two signatures is right");
    world.comes("the tag is served", || world.versions(id).contains("1.5.0"));
}

#[test]
fn before_signatures_the_token_counts() {
    let (world, id) = world_of("17.5.0-ee", false);
    assert_eq!(answered(&world, push(&world, id, "1.1.0")), 202);
    world.comes("the tag is served", || world.versions(id).contains("1.1.0"));
    let mut parcel = push(&world, id, "1.2.0");
    set(&mut parcel, "X-Gitlab-Token", Some("another"));
    assert_eq!(answered(&world, parcel.clone()), 401);
    set(&mut parcel, "X-Gitlab-Token", None);
    assert_eq!(answered(&world, parcel), 401);

    // Whoever has the secret of one project's hook has nothing to say of another project.
    let other = world.gitlab.project(world.root, "other");
    let mut parcel = push(&world, id, "1.3.0");
    let text = String::from_utf8(parcel.body).unwrap();
    let of = |text: &str, name: &str| text.replace(&format!("\"{name}\":{id}"), &format!("\"{name}\":{other}"));
    parcel.body = of(&of(&text, "id"), "project_id").into_bytes();
    assert_eq!(answered(&world, parcel), 200);
    world.comes("the log tells of it", || world.ours.log().contains("speaks of another one"));
    assert!(!world.versions(id).contains("1.3.0"));

    // A branch comes and goes; in repositories of SHA-256, what is nothing has 64 digits.
    let code = world.code_of(id);
    let commit = code.package("refs/heads/feature", "acme/lib");
    world.gitlab.pushed(id, &[Pushed { before: None, ..Pushed::new("refs/heads/feature", &commit) }]);
    world.comes("the branch is served", || world.versions(id).contains("dev-feature"));
    code.remove("refs/heads/feature");
    let gone = Pushed { name: "refs/heads/feature".to_owned(), before: Some(commit), after: None };
    let mut parcel = world.gitlab.parcels(|gitlab| gitlab.pushed(id, &[gone])).remove(0);
    let (short, long) = ("0".repeat(40), "0".repeat(64));
    parcel.body = String::from_utf8(parcel.body).unwrap().replace(&short, &long).into_bytes();
    assert_eq!(answered(&world, parcel), 202);
    world.comes("the branch is not served any more", || !world.versions(id).contains("dev-feature"));
}

#[test]
fn what_does_not_concern_us_is_taken_and_ignored() {
    let (world, id) = world_of("17.5.0-ee", true);
    let stranger = world.gitlab.group("strangers", None);
    let project = world.gitlab.project(stranger, "theirs");
    updates(&world);
    let mut parcel = push(&world, id, "1.1.0");
    set(&mut parcel, "X-Gitlab-Event", Some("Wiki Page Hook"));
    parcel.body = b"{\"object_kind\":\"wiki_page\",\"project\":{\"id\":1}}".to_vec();
    assert_eq!(answered(&world, parcel), 200);
    let mut parcel = push(&world, id, "1.2.0");
    let text = String::from_utf8(parcel.body).unwrap();
    let other = |name: &str| text.replace(&format!("\"{name}\":{id}"), &format!("\"{name}\":{project}"));
    parcel.body =
        other("id").replace(&format!("\"project_id\":{id}"), &format!("\"project_id\":{project}")).into_bytes();
    set(&mut parcel, "Idempotency-Key", Some("another"));
    let status = answered(&world, parcel);
    assert!([200, 202].contains(&status), "{status}");
    world.run().done();
    assert!(!world.ours.command("package list --json").done().contains("theirs"));
}

#[test]
fn five_hundred_pushes_are_taken_and_make_little_work() {
    let (world, id) = world();
    updates(&world);
    for at in 0..499 {
        let main = Pushed {
            name: "refs/heads/main".to_owned(),
            before: Some("1".repeat(40)),
            after: Some(format!("{at:040x}")),
        };
        world.gitlab.pushed(id, &[main]);
    }
    let last = world.tag(id, "9.0.0");
    world.gitlab.pushed(id, &[last]);
    let post = world.gitlab.post();
    post.settle();
    let answers: BTreeSet<Option<u16>> = post.sent().iter().map(|sent| sent.status).collect();
    assert!(answers.iter().all(|status| matches!(status, Some(200 | 202))), "{answers:?}");
    world.comes("the last push is served", || world.versions(id).contains("9.0.0"));
    let count = updates(&world);
    assert!(count < 200, "{count} requests of Git for 500 pushes");
}

#[test]
fn what_was_taken_is_done_though_the_server_is_killed() {
    let (mut world, id) = world();
    for round in 0..3 {
        let tag = format!("2.{round}.0");
        let parcel = push(&world, id, &tag);
        let newcomer = world.gitlab.user(&format!("new-{round}"));
        let joined = world.gitlab.parcels(|gitlab| gitlab.joined(world.root, newcomer, DEVELOPER));
        for parcel in [parcel].into_iter().chain(joined) {
            assert_eq!(answered(&world, parcel), 202);
        }
        world.kill();
        world.comes("the tag is served after all", || world.versions(id).contains(&tag));
        // The keeper and those who came; bots do not count.
        world.comes("the member is there after all", || world.status()["members"].as_u64() == Some(round + 2));
    }
}
