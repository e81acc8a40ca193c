//! Signing in with every platform: who comes is who they are there, whatever they are called.

use crate::axe::examine;
use crate::chromium::Browser;
use crate::forges::{Forge, World, shown};
use crate::platforms::frame::now;

/// Everybody's.
pub const PASSWORD: &str = "three unrelated words";

/// Where a page says who is signed in, whoever it is.
const ANY_PAGE: &str = "/admin/audit";

async fn depart(browser: &Browser, id: &str) {
    browser.open("/login").await;
    browser.follow(&format!("Continue with {}", shown(id))).await;
    browser.shows("would like to know who you are").await;
}

async fn agree(browser: &Browser, id: &str, choice: &str) {
    depart(browser, id).await;
    browser.tick("user", choice).await;
    browser.press("Authorize").await;
}

async fn sign_in(browser: &Browser, id: &str, choice: &str) {
    agree(browser, id, choice).await;
    browser.open(ANY_PAGE).await;
    assert!(browser.person().await.is_some(), "{}: {}", browser.address().await, browser.text().await);
}

/// With the password that everybody has.
pub async fn sign_in_locally(browser: &Browser, name: &str) {
    browser.open("/login").await;
    browser.fill("name", name).await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
}

/// Connects an account of a platform to the person who is signed in.
pub async fn connect(browser: &Browser, id: &str, choice: &str) {
    browser.open("/profile").await;
    browser.press(&format!("Connect {}", shown(id))).await;
    browser.follow(&format!("Continue to {}", shown(id))).await;
    browser.tick("user", choice).await;
    browser.press("Authorize").await;
    browser.shows("Ways to sign in").await;
}

async fn sign_out(browser: &Browser) {
    let name = browser.person().await.expect("somebody is signed in");
    browser.unfold(&name).await;
    browser.press("Sign out").await;
    browser.shows("You are signed out.").await;
    browser.open(ANY_PAGE).await;
    browser.shows("Sign in").await;
    assert_eq!(browser.person().await, None);
}

/// Everything that can happen to somebody with one platform.
async fn whole<F: Forge>(id: &str, forge: impl FnOnce(&World) -> &F) {
    let world = World::start();
    let forge = forge(&world);
    let browser = Browser::start(&world.origin()).await;
    let ada = forge.add("ada");
    sign_in(&browser, id, &forge.choice(ada)).await;
    assert_eq!(browser.person().await.as_deref(), Some("ada of Example"));
    assert_eq!(world.people(), ["ada"]);
    sign_out(&browser).await;

    forge.rename(ada, "countess");
    sign_in(&browser, id, &forge.choice(ada)).await;
    assert_eq!(browser.person().await.as_deref(), Some("ada of Example"));
    assert_eq!(world.people(), ["ada"], "the same person by another name");
    sign_out(&browser).await;

    let other = forge.add("ada");
    sign_in(&browser, id, &forge.choice(other)).await;
    let both = ["ada", "ada-2"];
    assert_eq!(world.people(), both, "a name that is used again is somebody else's");
    sign_out(&browser).await;

    depart(&browser, id).await;
    browser.press("Cancel").await;
    browser.shows(&format!("Signing in with {} did not work", shown(id))).await;
    browser.follow("Other ways to sign in").await;
    browser.shows("or with a local account").await;

    let mallory = forge.add("mallory");
    for (spoil, reason) in forge.unfit() {
        spoil(forge, mallory);
        agree(&browser, id, &forge.choice(mallory)).await;
        let said = browser.shows("did not work").await;
        assert!(said.contains(reason), "{said}");
        browser.open(ANY_PAGE).await;
        browser.shows("Sign in").await;
    }
    assert_eq!(world.people(), both, "who is not let in leaves nothing behind");
}

#[tokio::test]
async fn with_github_com() {
    whole("github", |world| &world.forges.github).await;
}

#[tokio::test]
async fn with_github_enterprise_server() {
    whole("ghes", |world| &world.forges.ghes).await;
}

#[tokio::test]
async fn with_gitlab() {
    whole("gitlab", |world| &world.forges.gitlab).await;
}

#[tokio::test]
async fn with_gitlab_below_a_path() {
    whole("git", |world| &world.forges.git).await;
}

#[tokio::test]
async fn with_bitbucket_cloud() {
    whole("bitbucket", |world| &world.forges.bitbucket).await;
}

#[tokio::test]
async fn with_bitbucket_data_center() {
    whole("stash", |world| &world.forges.stash).await;
}

#[tokio::test]
async fn with_an_old_bitbucket_server() {
    whole("old", |world| &world.forges.old).await;
}

#[tokio::test]
async fn two_platforms_namesakes_stay_two_people() {
    let world = World::start();
    let browser = Browser::start(&world.origin()).await;
    world.forges.ghes.add("ada");
    world.forges.gitlab.add("ada");
    sign_in(&browser, "ghes", "ada").await;
    sign_out(&browser).await;
    sign_in(&browser, "gitlab", "ada").await;
    assert_eq!(world.people(), ["ada", "ada-2"], "the same name and the same verified address prove nothing");
}

#[tokio::test]
async fn the_pages_around_signing_in_are_for_everybody() {
    let world = World::start();
    let browser = Browser::start(&world.origin()).await;
    world.installation.command_with("user add grace --password-stdin", PASSWORD).done();
    browser.open("/").await;
    examine(&browser, "landing").await;
    browser.open("/nothing").await;
    examine(&browser, "not-found").await;
    browser.open("/login").await;
    examine(&browser, "login").await;

    browser.fill("name", "grace").await;
    browser.fill("password", "another one").await;
    browser.press("Sign in").await;
    browser.shows("Name and password do not fit").await;
    examine(&browser, "login-wrong").await;
    sign_in_locally(&browser, "grace").await;
    browser.open(ANY_PAGE).await;
    assert_eq!(browser.person().await.as_deref(), Some("grace"));
    examine(&browser, "forbidden").await;
    sign_out(&browser).await;

    world.forges.gitlab.add("ada");
    depart(&browser, "gitlab").await;
    browser.press("Cancel").await;
    browser.shows("did not work").await;
    examine(&browser, "login-denied").await;
}

#[tokio::test]
async fn accounts_are_one_person_s_only_when_that_person_says_so() {
    let world = World::start();
    let browser = Browser::start(&world.origin()).await;
    world.forges.ghes.add("ada");
    world.forges.gitlab.add("ada");
    sign_in(&browser, "ghes", "ada").await;
    connect(&browser, "gitlab", "ada").await;
    sign_out(&browser).await;
    sign_in(&browser, "gitlab", "ada").await;
    assert_eq!(world.people(), ["ada"], "both are hers");

    browser.open("/profile").await;
    browser.follow(&format!("Disconnect {}", shown("ghes"))).await;
    browser.press("Disconnect the account").await;
    browser.shows("is disconnected").await;
    browser.follow(&format!("Disconnect {}", shown("gitlab"))).await;
    browser.press("Disconnect the account").await;
    // Otherwise she could not come back.
    browser.shows("Not done").await;
    sign_out(&browser).await;
    sign_in(&browser, "ghes", "ada").await;
    assert_eq!(world.people(), ["ada", "ada-2"], "what is not connected any more is somebody else's");
}

#[tokio::test]
async fn a_second_factor_is_asked_for() {
    let world = World::start();
    world.installation.command_with("user add grace --password-stdin", PASSWORD).done();
    let browser = Browser::start(&world.origin()).await;
    sign_in_locally(&browser, "grace").await;
    browser.open("/profile").await;
    browser.press("Turn it on").await;
    examine(&browser, "second-factor-on").await;
    let secret = browser.text_of("#secret").await.expect("the key for people without a camera").replace(' ', "");
    let secret = totp_rs::Secret::try_from_base32(&secret).unwrap();
    let code = totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(now().unsigned_abs());
    browser.fill("code", &code.to_string()).await;
    browser.press("Turn it on").await;
    browser.shows("Your recovery codes are shown this once").await;
    examine(&browser, "second-factor-codes").await;
    let codes = browser.text_of("#codes").await.expect("the codes");
    browser.open("/profile/second-factor").await;
    examine(&browser, "second-factor").await;
    sign_out(&browser).await;

    sign_in_locally(&browser, "grace").await;
    browser.fill("code", "000000").await;
    browser.press("Sign in").await;
    browser.shows("That code does not fit").await;
    examine(&browser, "second-factor-asked").await;
    browser.fill("code", codes.lines().next().unwrap()).await;
    browser.press("Sign in").await;
    browser.open(ANY_PAGE).await;
    assert_eq!(browser.person().await.as_deref(), Some("grace"));
}
