//! What credentials of Bitbucket Data Center do: tokens of people, projects and repositories, passwords, which lock, and
//! accounts that somebody connected.

use url::Url;

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::directory::Level;
use crate::platforms::bitbucket_datacenter::hooks::Place;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::sshd::Sshd;

/// What a test of a credential says.
fn tested(world: &World, name: &str) -> String {
    let said = world.ours.command(&format!("credential test {name}"));
    format!("{}{}", said.out, said.err)
}

/// A credential with a user name.
fn named(world: &World, username: &str, secret: &str) {
    let url = world.bitbucket.url();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let words = format!(
        "credential add main --type bitbucket-datacenter-token --host {host} --username {username} --secret-stdin"
    );
    world.ours.command_with(&words, secret).done();
}

/// The requests that showed a password since the last call.
fn shown(world: &World) -> usize {
    world.bitbucket.stage.take_log().iter().filter(|asked| asked.basic().is_some()).count()
}

#[test]
fn a_password_that_is_wrong_is_shown_once_and_never_locks_the_account() {
    let mut world = World::new();
    world.package("lib");
    world.bitbucket.password(world.keeper, "right-horse");
    named(&world, "keeper", "right-horse");
    world.follow_with("ACME", "main");
    assert_eq!(world.status()["packages"], 1);
    world.bitbucket.password(world.keeper, "changed");
    for _ in 0..4 {
        let _ = world.run();
        let _ = world.ours.command("package update --all --wait");
    }
    assert_eq!(world.bitbucket.failures("keeper"), 1, "one refusal is enough");
    shown(&world);
    assert!(world.ours.stop_and_restart());
    let said = world.run().failed();
    let _ = world.ours.command("package update --all --wait");
    assert!(said.contains("credential rotate") && said.contains("not shown again"), "{said}");
    assert_eq!(shown(&world), 0, "nor is it after a restart");
    world.ours.command_with("credential rotate main --secret-stdin", "changed").done();
    world.run().done();
    assert_eq!(world.bitbucket.failures("keeper"), 0);
}

#[test]
fn a_locked_account_is_left_alone_until_somebody_asks_for_a_test() {
    let mut world = World::new();
    world.package("lib");
    world.bitbucket.password(world.keeper, "right-horse");
    named(&world, "keeper", "right-horse");
    world.follow_with("ACME", "main");
    world.bitbucket.lock("keeper", true);
    shown(&world);
    world.fails(&["signed in there by browser", "credential test"]);
    for _ in 0..3 {
        let _ = world.run();
        let _ = world.ours.command("package update --all --wait");
    }
    assert_eq!(shown(&world), 1, "whoever else wanted to show it heard of the first refusal");
    world.bitbucket.lock("keeper", false);
    let said = tested(&world, "main");
    assert!(said.contains("lock the account") && said.contains("HTTP access token"), "{said}");
    world.run().done();
    assert_eq!((world.status()["status"].as_str(), world.bitbucket.failures("keeper")), (Some("ok"), 0));
}

#[test]
fn a_token_goes_with_the_user_name_of_its_person_too() {
    let mut world = World::new();
    let lib = world.package("lib");
    let token = world.bitbucket.token(world.keeper, Level::Admin, Level::Admin);
    named(&world, "keeper", &token);
    world.follow_with("ACME", "main");
    world.comes("its versions are served", || world.versions(lib).contains("1.0.0"));
}

#[test]
fn a_token_of_the_project_reads_clones_and_says_what_it_may_not() {
    let mut world = World::new();
    let lib = world.package("lib");
    let ada = world.person("ada");
    world.bitbucket.group("team", &[ada]);
    world.bitbucket.give_group(world.project, "team", Some(Level::Read));
    let token = world.bitbucket.project_token(world.project, Level::Admin);
    world.credential("main", &token);
    world.follow_with("ACME", "main");
    assert!(world.versions(lib).contains("1.0.0"), "Git takes it as Bearer alone: {}", world.trace());
    let said = world.ours.command("credential test main");
    assert!(format!("{}{}", said.out, said.err).contains("who is in a group"), "{} {}", said.out, said.err);
    let plan = world.ours.command(&format!("sync plan {}", world.sync));
    assert!(plan.err.contains("who is in team"), "{} {}", plan.out, plan.err);
}

#[test]
fn a_token_of_a_repository_clones_it_and_nothing_else() {
    let mut world = World::new();
    let [lib, other] = ["lib", "other"].map(|name| world.package(name));
    let token = world.bitbucket.repository_token(lib, Level::Read);
    world.credential("main", &token);
    let address = |name: &str| format!("{}/scm/acme/{name}.git", world.bitbucket.url().as_str().trim_end_matches('/'));
    world.ours.command(&format!("package add {} --credential main --wait", address("lib"))).done();
    assert!(world.versions(lib).contains("1.0.0"));
    world.ours.command(&format!("package add {} --credential main --wait", address("other"))).failed();
    assert!(world.versions(other).is_empty());
    let said = tested(&world, "main");
    assert!(said.contains("a token of a project or repository"), "{said}");
    assert!(!said.contains(&token), "the token is told");
}

#[test]
fn a_repository_is_fetched_over_ssh_by_the_address_that_bitbucket_shows() {
    let mut world = World::new();
    let lib = world.package("lib");
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let (public, private) = key_pair(folder.path());
    // Bitbucket's own sshd finds the repository by what the client says; ours by the key.
    let git = format!("command=\"git-upload-pack {}\",no-pty ", world.code_of(lib).path.display());
    sshd.authorize(&git, &public);
    world.bitbucket.stage.world().ssh = Some(format!("ssh://{}@localhost:{}", sshd.user, sshd.port));
    let address = world.bitbucket.ssh_address(lib);
    assert!(address.ends_with("/ACME/lib.git"), "{address}");
    let words = format!("credential add deploy --type ssh-key --host localhost:{} --secret-stdin", sshd.port);
    world.ours.command_with(&words, &private).done();
    world.ours.command(&format!("package add {address} --credential deploy --wait")).done();
    assert!(world.versions(lib).contains("1.0.0"), "{}", sshd.log());
    world.tag(lib, "2.0.0");
    world.ours.command("package update --all --wait").done();
    assert!(world.versions(lib).contains("2.0.0"));
    // The key is taken back: that is said, and nothing is removed.
    let (stranger, _) = key_pair(tempfile::tempdir().unwrap().path());
    sshd.authorize(&git, &stranger);
    world.tag(lib, "3.0.0");
    world.ours.command("package update --all --wait").failed();
    let listed = world.ours.command("package list --json").done();
    assert!(listed.contains("\"failed\"") && listed.contains("deploy"), "{listed}");
    assert!(world.versions(lib).contains("2.0.0"));
}

/// An SSH key: its public line, and the private one.
fn key_pair(folder: &std::path::Path) -> (String, String) {
    let path = folder.join("key");
    let path = path.to_str().unwrap();
    let mut made = std::process::Command::new("ssh-keygen");
    assert!(made.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]).status().unwrap().success());
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    (read(&format!("{path}.pub")).trim().to_owned(), read(path))
}

/// Connects somebody's account as a credential, as they do in a browser.
fn connect(world: &World, login: &str, name: &str, hooks: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let session = world.visit(login).await;
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let page = world.ours.url("/orgs/acme/credentials/new/bb");
        let form = browser.get(&page).header("cookie", &session).send().await.unwrap().text().await.unwrap();
        let (_, token) = form.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form in {form}"));
        let mut fields = vec![("csrf", token.split('"').next().unwrap()), ("name", name)];
        fields.extend(hooks.then_some(("hooks", "on")));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let sent = browser.post(&page).header("cookie", &session).header("origin", world.ours.url(""));
        let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = sent.send().await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies = cookies.map(|one| one.to_str().unwrap().split(';').next().unwrap().to_owned());
        let cookies: Vec<String> = std::iter::once(session).chain(cookies).collect();
        let text = answer.text().await.unwrap();
        let (_, link) =
            text.split_once("href=\"http://localhost").unwrap_or_else(|| panic!("no link to Bitbucket in {text}"));
        let link = format!("http://localhost{}", link.split('"').next().unwrap().replace("&amp;", "&"));
        let visitor = Visitor::new(world.bitbucket.stage.address, &["localhost"]);
        let link: Url = link.parse().unwrap();
        let Arrival::Sent(back) = visitor.allow(&link, login).await else { panic!("{login} was not sent back") };
        let answer = browser.get(back).header("cookie", cookies.join("; ")).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        assert_eq!(to.as_deref(), Some(format!("/orgs/acme/credentials/{name}").as_str()));
    });
}

#[test]
fn accounts_that_somebody_connected_follow_a_project() {
    let mut world = World::new();
    let lib = world.package("lib");
    let ada = world.person("ada");
    world.bitbucket.give(world.project, ada, Some(Level::Read));
    let keeper = world.keeper;
    world.knows(keeper, "keeper");
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    connect(&world, "keeper", "hooks", true);
    connect(&world, "keeper", "reads", false);
    world.ours.command("user add root").done();
    world.ours.command("member add root --role owner").done();
    world.ours.command(&format!("sync remove {}", world.sync)).done();
    world.comes("our hook is gone", || world.bitbucket.hooks(Place::Project(world.project)).is_empty());
    world.follow_with("ACME", "hooks");
    world.agrees("a comparison with a connected account");
    world.comes("there is a hook", || world.bitbucket.hooks(Place::Project(world.project)).len() == 1);
    let tag = world.tag(lib, "2.0.0");
    world.bitbucket.pushed(lib, &[tag]);
    world.comes("pushes are told, and fetched as the account", || world.versions(lib).contains("2.0.0"));
    let said = tested(&world, "hooks");
    assert!(said.contains("keeper") && said.contains("may install a webhook"), "{said}");
    assert!(tested(&world, "reads").contains("accepts the credential"), "{}", tested(&world, "reads"));

    // Tokens that live for seconds are renewed while a comparison runs and while others fetch, each refresh token once: shown
    // a second time, it would end the account.
    for at in 0..12 {
        world.package(&format!("more-{at}"));
    }
    world.bitbucket.stage.world().token_life = 3;
    connect(&world, "keeper", "short", true);
    world.ours.command("credential remove hooks --replace-with short").done();
    let renewals = |world: &World| world.bitbucket.stage.world().grants.renewals;
    let before = renewals(&world);
    world.comes("tokens are renewed, again and again", || {
        world.ours.command("package update --all").done();
        world.run().done();
        renewals(&world) > before + 2
    });
    world.agrees("comparisons with tokens that ended meanwhile");
    let log = world.bitbucket.stage.take_log();
    let renewed = log.iter().filter(|asked| asked.path.ends_with("/oauth2/latest/token"));
    let shown: Vec<String> = renewed
        .filter_map(|asked| asked.form()?.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, token)| token))
        .collect();
    let distinct: std::collections::BTreeSet<&String> = shown.iter().collect();
    assert_eq!(distinct.len(), shown.len(), "a refresh token was shown twice");
    assert!(!world.ours.command("audit export").done().contains("credential.refused"));

    world.bitbucket.stage.world().grants.end_all(keeper);
    world.fails(&["Connect it again"]);
    world.agrees("the account took the permission back");
}
