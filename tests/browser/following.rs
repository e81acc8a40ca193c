//! An organization of a platform, followed by what pages say: previewed, begun, watched, and looked through.

use serde_json::{Value, json};

use crate::axe::examine;
use crate::chromium::Browser;
use crate::forges::World;
use crate::logins::{PASSWORD, sign_in_locally};
use crate::platforms::github::directory::Rank;
use crate::work_tree::WorkTree;

#[tokio::test]
async fn an_organization_is_previewed_followed_and_explained() {
    let world = World::start();
    let github = &world.forges.ghes;
    let (owner, org) = (github.user("olga"), github.organization("umbrella"));
    github.enrol(org, owner, Rank::Owner);
    github.enrol(org, github.user("grace"), Rank::Member);
    github.team(org, "web", None);
    let library = WorkTree::init(&world.installation.repositories.join("library"));
    let manifest = json!({ "name": "umbrella/library", "description": "What all need" });
    library.commit(&[("composer.json", &manifest.to_string())]);
    library.git(&["tag", "1.0.0"]);
    github.serve(github.repository(org, "library"), &world.installation.repositories.join("library/.git"));
    let docs = github.repository(org, "docs");
    github.alter(docs, |one| one.manifest = false);
    let token = github.token(owner, "repo read:org admin:org_hook admin:repo_hook");
    let command = |words: &str, input: &str| world.installation.command_with(words, input).done();
    command("user add ada --admin --password-stdin", PASSWORD);
    command("org add acme --name Acme", "");
    let host = github.url().socket_addrs(|| None).unwrap()[0].port();
    command(&format!("credential add hub --type github-token --host localhost:{host} --secret-stdin"), &token);

    let browser = Browser::start(&world.origin()).await;
    sign_in_locally(&browser, "ada").await;
    browser.open("/orgs/acme/syncs").await;
    browser.shows("No organization is followed yet").await;
    examine(&browser, "syncs-empty").await;
    browser.follow("Follow an organization").await;
    choose(&browser, "integration", "ghes").await;
    choose(&browser, "credential", "hub").await;
    browser.fill("remote", "umbrela").await;
    browser.press("Preview it").await;
    browser.shows("The organization could not be read").await;
    examine(&browser, "sync-preview-refused").await;

    browser.open("/orgs/acme/syncs/1/remove").await;
    browser.fill("typed", "umbrela").await;
    browser.press("Remove the synchronization").await;
    browser.shows("is not followed any more").await;
    browser.follow("Follow an organization").await;
    choose(&browser, "integration", "ghes").await;
    choose(&browser, "credential", "hub").await;
    browser.fill("remote", "umbrella").await;
    browser.press("Preview it").await;
    let plan = browser.shows("What the first run would bring").await;
    assert!(plan.contains("umbrella/library") && plan.contains("grace"), "{plan}");
    examine(&browser, "sync-preview").await;
    let nothing = world.installation.command("package list --json").done();
    assert_eq!(nothing.trim(), "[]", "a preview changes nothing");

    browser.press("Synchronize it").await;
    let page = browser.shows("Up to date").await;
    assert!(page.contains("Run 1") && page.contains("Done"), "{page}");
    examine(&browser, "sync-done").await;
    browser.follow("Run 1").await;
    browser.shows("What it changed").await;
    browser.open("/orgs/acme/syncs/2/repositories").await;
    browser.shows("There is no composer.json on its branch main").await;
    browser.open("/orgs/acme/packages/umbrella/library").await;
    browser.shows("Synchronized from").await;
}

async fn choose(browser: &Browser, name: &str, value: &str) {
    let script = "const [name, value] = arguments[0]; const field = document.querySelector(`select[name=${name}]`);
        field.value = value; return field.value";
    let chosen = browser.ask(script, json!([name, value])).await;
    assert_eq!(chosen, Value::from(value), "{name} offers it");
}
