//! Signing in with a platform: who somebody is, and ways that end where they should not.

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::admin::organization_settings::{self, Setter};
use packagist_selfhosted::admin::{Actor, members, users};
use packagist_selfhosted::http::Integration;
use packagist_selfhosted::store::ids::OrgId;

use crate::browser::Browser;
use crate::client::Response;
use crate::platforms::github::GitHub;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{PASSWORD, PUBLIC, World, corp, world_with};

/// Where the platform sends browsers back to.
const CALLBACK: &str = "https://packages.example.com/auth/corp/callback";

async fn start() -> (GitHub, World) {
    let github = GitHub::server(CALLBACK);
    let world = world_with(vec![corp(&github)], |_| {}).await;
    (github, world)
}

/// Departs, and says yes there as `user`: the address of ours that the browser is sent back to.
async fn there(github: &GitHub, browser: &Browser, path: &str, user: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    consent(github, &answer.header("location").unwrap(), user).await
}

async fn consent(github: &GitHub, link: &str, user: &str) -> String {
    let visitor = Visitor::new(github.stage.address, &["localhost"]);
    let Arrival::Sent(url) = visitor.allow(&link.parse().unwrap(), user).await else { panic!("not sent back") };
    url.as_str().strip_prefix(PUBLIC).unwrap().to_owned()
}

async fn log_in(github: &GitHub, browser: &Browser, user: &str) -> Response {
    let back = there(github, browser, "/auth/corp", user).await;
    browser.get(&back).await
}

/// Connects an account on the profile: what the person is told.
async fn connect(github: &GitHub, browser: &Browser, user: &str) -> String {
    let page = browser.submit("/profile", "/profile/accounts/corp/connect", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let (_, after) = text.split_once("href=\"http://localhost").unwrap();
    let link = format!("http://localhost{}", after.split('"').next().unwrap().replace("&amp;", "&"));
    let back = consent(github, &link, user).await;
    let answer = browser.get(&back).await;
    assert_eq!(answer.header("location").as_deref(), Some("/profile"), "{}", answer.text());
    browser.get("/profile").await.text()
}

/// Disconnects the first account on the profile: what the person is told.
async fn disconnect(browser: &Browser) -> String {
    let page = browser.get("/profile").await.text();
    let (_, after) = page.split_once("/profile/accounts/").unwrap();
    let address = format!("/profile/accounts/{}/disconnect", after.split('/').next().unwrap());
    browser.submit(&address, &address, &[]).await;
    browser.get("/profile").await.text()
}

async fn name(world: &World) -> Vec<String> {
    users::list(&world.appliance).await.unwrap().into_iter().map(|user| user.name).collect()
}

#[tokio::test]
async fn the_first_sign_in_makes_the_account_and_the_next_finds_it() {
    let (github, world) = start().await;
    let id = github.user("Grace.H");
    let browser = world.browser();
    assert!(browser.get("/login").await.text().contains("Continue with Corp Forge"));
    let back = there(&github, &browser, "/auth/corp?next=/profile", "Grace.H").await;
    let answer = browser.get(&back).await;
    assert_eq!(answer.header("location").as_deref(), Some("/profile"), "{}", answer.text());
    assert!(browser.cookies.lock().unwrap().keys().all(|name| !name.contains("departure")), "the way has ended");
    assert!(browser.get("/profile").await.text().contains("Grace.H of Example"));
    assert_eq!(name(&world).await, ["ada", "grace.h", "root"]);

    github.rename(id, "countess");
    assert_eq!(log_in(&github, &world.browser(), "countess").await.status, 303);
    assert_eq!(name(&world).await, ["ada", "grace.h", "root"], "a renamed login stays the same person");
    github.user("Grace.H");
    assert_eq!(log_in(&github, &world.browser(), "Grace.H").await.status, 303);
    assert_eq!(name(&world).await, ["ada", "grace.h", "grace.h-2", "root"], "a reused name inherits nothing");
    let actions: Vec<_> =
        world.audit().await.into_iter().map(|(action, subject, ..)| format!("{action} {subject}")).collect();
    assert!(actions.contains(&"user.add-by-login grace.h-2".to_owned()), "{actions:?}");
}

#[tokio::test]
async fn nobody_is_taken_for_somebody_else_by_name_or_address() {
    let (github, world) = start().await;
    github.user("ada");
    github.user("root");
    let browser = world.browser();
    log_in(&github, &browser, "ada").await;
    log_in(&github, &world.browser(), "root").await;
    assert_eq!(name(&world).await, ["ada", "ada-2", "root", "root-2"]);
    assert_eq!(world.count("SELECT count(*) FROM user WHERE admin = 1").await, 1);
    assert_eq!(browser.get("/admin/audit").await.status, 403);
}

#[tokio::test]
async fn an_address_counts_where_it_shall_and_is_vouched_for() {
    let github = GitHub::server(CALLBACK);
    let mut corp = corp(&github);
    corp.link_by_email = true;
    let world = world_with(vec![corp], |_| {}).await;
    for login in ["ada", "root"] {
        github.user(login);
        assert_eq!(log_in(&github, &world.browser(), login).await.status, 303);
    }
    assert_eq!(name(&world).await, ["ada", "root", "root-2"], "ada is recognised, and never an administrator");

    // Whoever wrote an address on the own profile could have written anybody's.
    github.user("mallory");
    let browser = world.browser();
    log_in(&github, &browser, "mallory").await;
    let page = browser.get("/profile").await.text();
    assert!(page.contains("recognises people by it"), "{page}");
    browser.submit("/profile", "/profile", &[("display_name", "M"), ("email", "victim@example.com")]).await;
    assert_eq!(world.count("SELECT count(*) FROM user WHERE email = 'victim@example.com'").await, 0);
    let victim = github.user("victim");
    github.change(victim, |user| user.primary().verified = false);
    let unverified = world.browser();
    log_in(&github, &unverified, "victim").await;
    assert_eq!(name(&world).await, ["ada", "mallory", "root", "root-2", "victim"]);
}

#[tokio::test]
async fn an_address_connects_one_account_of_each_integration_that_is_trusted_with_it() {
    let forges: Vec<_> = ["corp", "labs", "stranger"]
        .map(|id| (id, GitHub::server(&CALLBACK.replace("corp", id))))
        .into_iter()
        .collect();
    let integrations = forges.iter().map(|(id, github)| {
        let callback = Integration { id: (*id).to_owned(), ..corp(github) };
        Integration { link_by_email: *id != "stranger", ..callback }
    });
    let world = world_with(integrations.collect(), |_| {}).await;
    let log_in_by = async |at: usize, login: &str| {
        let (id, github) = &forges[at];
        let browser = world.browser();
        let back = there(github, &browser, &format!("/auth/{id}"), login).await;
        assert_eq!(browser.get(&back).await.status, 303, "{id}");
    };
    for (_, github) in &forges {
        github.user("ada");
    }
    log_in_by(0, "ada").await;
    log_in_by(1, "ada").await;
    assert_eq!(name(&world).await, ["ada", "root"], "both are trusted with the address");
    assert_eq!(world.count("SELECT count(DISTINCT integration) FROM account WHERE user_id = 2").await, 2);
    log_in_by(2, "ada").await;
    assert_eq!(name(&world).await, ["ada", "ada-2", "root"], "the third is not");
    let second = forges[0].1.user("ada-again");
    forges[0].1.change(second, |user| user.primary().email = "ada@example.com".to_owned());
    log_in_by(0, "ada-again").await;
    assert_eq!(name(&world).await, ["ada", "ada-2", "ada-again", "root"], "one person has one account there");
}

#[tokio::test]
async fn a_way_ends_in_its_browser_once_and_in_time() {
    let (github, world) = start().await;
    github.user("grace");
    let browser = world.browser();
    let lost = async |browser: &Browser, path: &str| {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains("does not belong to a sign-in that this browser began"), "{}", answer.text());
        assert!(!answer.text().contains("code="));
    };
    let back = there(&github, &browser, "/auth/corp", "grace").await;
    let thief = world.browser();
    lost(&thief, &back).await;
    thief.get("/auth/corp").await;
    lost(&thief, &back).await;
    // With everything that the browser had, but again.
    let before = browser.cookies.lock().unwrap().clone();
    assert_eq!(browser.get(&back).await.status, 303);
    let copy = world.browser();
    *copy.cookies.lock().unwrap() = before;
    lost(&copy, &back).await;
    lost(&browser, &back).await;

    let back = there(&github, &world.browser(), "/auth/corp", "grace").await;
    lost(&world.browser(), &back).await;
    let slow = world.browser();
    let back = there(&github, &slow, "/auth/corp", "grace").await;
    world.clock.advance(std::time::Duration::from_secs(601));
    lost(&slow, &back).await;
    for damaged in ["", "?code=x", "?state=x&code=y", "?code=a&code=b&state=c", "?error=access_denied"] {
        lost(&slow, &format!("/auth/corp/callback{damaged}")).await;
    }
    assert_eq!(world.sessions().await, 1);
    assert_eq!(browser.get("/auth/none").await.status, 404);
    assert_eq!(browser.get("/auth/none/callback").await.status, 404);
}

#[tokio::test]
async fn a_no_is_told_as_one() {
    let (github, world) = start().await;
    let browser = world.browser();
    let link = browser.get("/auth/corp?next=/profile").await.header("location").unwrap();
    let visitor = Visitor::new(github.stage.address, &["localhost"]);
    let Arrival::Sent(url) = visitor.deny(&link.parse().unwrap()).await else { panic!("not sent back") };
    let answer = browser.get(url.as_str().strip_prefix(PUBLIC).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("Signing in with Corp Forge did not work"), "{}", answer.text());
    assert!(answer.text().contains("/auth/corp?next=%2Fprofile"), "{}", answer.text());
}

#[tokio::test]
async fn who_is_disabled_here_does_not_get_in_by_a_platform() {
    let (github, world) = start().await;
    github.user("grace");
    log_in(&github, &world.browser(), "grace").await;
    users::set_enabled(&world.appliance, &Actor::Command, "grace", false).await.unwrap();
    assert_eq!(world.sessions().await, 0);
    let answer = log_in(&github, &world.browser(), "grace").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("is disabled"), "{}", answer.text());
}

#[tokio::test]
async fn accounts_are_connected_by_their_owner_and_the_last_way_in_stays() {
    let (github, world) = start().await;
    github.user("ada-at-corp");
    github.user("other");
    let browser = world.signed_in("ada").await;
    let page = connect(&github, &browser, "ada-at-corp").await;
    assert!(page.contains("Your account ada-at-corp of Corp Forge is connected."), "{page}");
    let elsewhere = world.browser();
    log_in(&github, &elsewhere, "ada-at-corp").await;
    assert!(elsewhere.get("/profile").await.text().contains("<span class=\"mono\">ada</span>"));

    let root = world.signed_in("root").await;
    let page = connect(&github, &root, "ada-at-corp").await;
    assert!(page.contains("belongs to somebody else here"), "{page}");

    assert!(disconnect(&browser).await.contains("is disconnected"));
    assert!(!elsewhere.is_signed_in().await, "what began with it ends with it");

    let only = world.browser();
    log_in(&github, &only, "other").await;
    assert!(disconnect(&only).await.contains("your last way to sign in"));
    assert!(only.is_signed_in().await);
}

#[tokio::test]
async fn the_last_owner_keeps_the_account_that_lets_them_in() {
    let (github, world) = start().await;
    github.user("ada-at-corp");
    let org = OrgId(world.count("SELECT id FROM organization").await);
    members::add(&world.appliance, &Actor::Command, Role::Owner, org, "ada", Role::Owner).await.unwrap();
    let browser = world.signed_in("ada").await;
    connect(&github, &browser, "ada-at-corp").await;
    let rule = ["corp".to_owned()];
    organization_settings::set_login_rule(&world.appliance, &Actor::Command, Setter::Instance, org, &rule)
        .await
        .unwrap();
    assert!(disconnect(&browser).await.contains("without an owner who can get in"));
    assert_eq!(world.count("SELECT count(*) FROM account WHERE user_id IS NOT NULL").await, 1);
    organization_settings::set_login_rule(&world.appliance, &Actor::Command, Setter::Instance, org, &[]).await.unwrap();
    assert!(disconnect(&browser).await.contains("is disconnected"));
}

#[tokio::test]
async fn a_connection_needs_the_session_that_began_it() {
    let (github, world) = start().await;
    github.user("mallory");
    let browser = world.signed_in("ada").await;
    let page = browser.submit("/profile", "/profile/accounts/corp/connect", &[]).await.text();
    let (_, after) = page.split_once("href=\"http://localhost").unwrap();
    let link = format!("http://localhost{}", after.split('"').next().unwrap().replace("&amp;", "&"));
    let back = consent(&github, &link, "mallory").await;
    browser.submit("/profile", "/logout", &[]).await;
    assert_eq!(browser.log_in("root", PASSWORD).await.status, 303);
    let answer = browser.get(&back).await;
    assert!(answer.header("location").unwrap().starts_with("/login"));
    assert_eq!(world.count("SELECT count(*) FROM account WHERE user_id IS NOT NULL").await, 0);
    assert_eq!(browser.get("/profile/accounts/corp/connect").await.status, 405, "no link begins it");
}

#[tokio::test]
async fn another_platform_under_the_same_id_lets_nobody_in() {
    let (github, world) = start().await;
    github.user("grace");
    log_in(&github, &world.browser(), "grace").await;
    let other = GitHub::server(CALLBACK);
    other.user("grace");
    let mut settings = corp(&other);
    let known = settings.known();
    let refused = world
        .appliance
        .database
        .read(move |db| packagist_selfhosted::admin::accounts::require_unchanged(db, &known.id, &known.recorded));
    let text = refused.await.unwrap_err().to_string();
    assert!(text.contains("another id") && text.contains(&github.url().as_str()[..20]), "{text}");
    settings.id = "new".to_owned();
    let known = settings.known();
    let accepted = world
        .appliance
        .database
        .read(move |db| packagist_selfhosted::admin::accounts::require_unchanged(db, &known.id, &known.recorded));
    accepted.await.unwrap();
}

#[tokio::test]
async fn an_organization_may_ask_for_another_sign_in() {
    let (github, world) = start().await;
    github.user("ada-at-corp");
    let org = OrgId(world.count("SELECT id FROM organization").await);
    members::add(&world.appliance, &Actor::Command, Role::Owner, org, "ada", Role::Owner).await.unwrap();
    let browser = world.signed_in("ada").await;
    connect(&github, &browser, "ada-at-corp").await;
    assert_eq!(browser.get("/orgs/acme/audit").await.status, 200);
    let integrations = ["corp".to_owned()];
    organization_settings::set_login_rule(&world.appliance, &Actor::Command, Setter::Instance, org, &integrations)
        .await
        .unwrap();
    let answer = browser.get("/orgs/acme/audit").await;
    let text = answer.text();
    assert!(answer.status == 403 && text.contains("Acme asks for another sign-in"), "{text}");
    assert!(text.contains("/auth/corp?next=%2Forgs%2Facme%2Faudit") && text.contains("Corp Forge"), "{text}");
    let back = there(&github, &browser, "/auth/corp?next=/orgs/acme/audit", "ada-at-corp").await;
    assert_eq!(browser.get(&back).await.header("location").as_deref(), Some("/orgs/acme/audit"));
    assert_eq!(browser.get("/orgs/acme/audit").await.status, 200);
    let root = world.signed_in("root").await;
    assert_eq!(root.get("/orgs/acme/audit").await.status, 200, "somebody can put a wrong rule right");
}
