//! Accounts of platforms as credentials: the way there and back, and tokens that are renewed once, whoever needs them.

use std::net::SocketAddr;

use futures_util::future::join_all;
use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::admin::{Actor, credentials, members};
use packagist_selfhosted::platform::{HubError, Key, PlatformKind};
use packagist_selfhosted::store::credentials::Credential;
use packagist_selfhosted::store::ids::OrgId;
use secrecy::ExposeSecret;

use crate::browser::Browser;
use crate::client::Response;
use crate::platforms::bitbucket_cloud::BitbucketCloud;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::frame::{Fault, Simulator, Stage};
use crate::platforms::gitlab::GitLab;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{PUBLIC, World, forge, world_with};

const CALLBACK: &str = "https://packages.example.com/auth/corp/callback";
const NEW: &str = "/orgs/acme/credentials/new/corp";
const ORG: OrgId = OrgId(1);

/// A GitLab whose application may do what is asked of it, with the account `ops`; and us.
async fn start() -> (GitLab, World, u64) {
    let gitlab = GitLab::start(CALLBACK);
    gitlab.app(|app| app.scopes = vec!["read_user", "api", "read_api", "read_repository"]);
    let ops = gitlab.user("ops");
    let integration = forge(PlatformKind::GitLab, gitlab.url(), (&gitlab.client_id, &gitlab.client_secret));
    let world = world_with(vec![integration], |_| {}).await;
    (gitlab, world, ops)
}

/// The link to the platform on the page that a form led to.
fn link(page: &Response) -> url::Url {
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let (_, after) = text.split_once("href=\"http://localhost").unwrap();
    format!("http://localhost{}", after.split('"').next().unwrap().replace("&amp;", "&")).parse().unwrap()
}

/// Where the platform sends a browser that says yes there.
async fn consent(platform: SocketAddr, link: &url::Url, user: &str) -> String {
    let arrival = Visitor::new(platform, &["localhost"]).allow(link, user).await;
    let Arrival::Sent(url) = arrival else { panic!("not sent back: {arrival:?}") };
    url.as_str().strip_prefix(PUBLIC).unwrap().to_owned()
}

/// Departs from the form that connects a new one, and says yes: the address of ours that the browser comes back to.
async fn there(platform: SocketAddr, browser: &Browser, name: &str) -> String {
    let page = browser.submit(NEW, NEW, &[("name", name)]).await;
    consent(platform, &link(&page), "ops").await
}

/// Connects `ops` as the credential `forge`.
async fn connected(platform: SocketAddr, world: &World) -> (Browser, Key) {
    let browser = world.signed_in("root").await;
    let back = there(platform, &browser, "forge").await;
    let answer = browser.get(&back).await;
    assert_eq!(answer.header("location").as_deref(), Some("/orgs/acme/credentials/forge"), "{}", answer.text());
    (browser, key(world).await)
}

async fn credential(world: &World) -> Credential {
    credentials::by_name(&world.appliance, ORG, "forge").await.unwrap()
}

async fn key(world: &World) -> Key {
    let id = credential(world).await.id;
    world.appliance.platform_key(ORG, id).await.unwrap().unwrap()
}

/// Ten at once: what they were told.
async fn ten(key: &Key) -> Vec<Result<String, HubError>> {
    let one = || async { key.secret.token().await.map(|token| token.expose_secret().to_owned()) };
    join_all((0..10).map(|_| one())).await
}

fn asked_for_tokens<S: Simulator>(stage: &Stage<S>) -> usize {
    let is_token = |path: &str| path.ends_with("/oauth/token") || path.ends_with("/access_token");
    stage.take_log().iter().filter(|asked| is_token(&asked.path) || asked.path.ends_with("latest/token")).count()
}

async fn alerts(world: &World) -> usize {
    world.audit().await.iter().filter(|(action, ..)| action == "credential.refused").count()
}

/// Lets time go by, there and here.
fn pass(gitlab: &GitLab, world: &World, seconds: u64) {
    gitlab.pass(seconds);
    world.clock.advance(std::time::Duration::from_secs(seconds));
}

#[tokio::test]
async fn an_account_is_connected_and_connected_again() {
    let (gitlab, world, ops) = start().await;
    let browser = world.signed_in("root").await;
    let platform = gitlab.stage.address;
    assert!(browser.get("/orgs/acme/credentials/new").await.text().contains("Connect an account of Corp Forge"));
    for wrong in ["", "Not A Name"] {
        let answer = browser.submit(NEW, NEW, &[("name", wrong), ("hooks", "on")]).await;
        assert!(answer.status == 422 && answer.text().contains("checked"), "{}", answer.text());
    }
    let page = browser.submit(NEW, NEW, &[("name", "forge")]).await;
    assert!(link(&page).as_str().ends_with("scope=read_api+read_repository"), "{}", link(&page));
    let back = consent(platform, &link(&page), "ops").await;
    let answer = browser.get(&back).await;
    assert_eq!(answer.header("location").as_deref(), Some("/orgs/acme/credentials/forge"), "{}", answer.text());
    let text = browser.get("/orgs/acme/credentials/forge").await.text();
    assert!(
        text.contains("“forge” acts as ops of Corp Forge.") && text.contains("Connected account of GitLab"),
        "{text}"
    );
    let token = key(&world).await.secret.token().await.unwrap();
    assert!(!text.contains(token.expose_secret()) && !text.contains("/rotate"), "{text}");
    let first = credential(&world).await;
    assert_eq!(
        (first.kind.as_str(), first.username.as_deref(), first.status.as_str(), first.expires_at),
        ("gitlab-oauth", Some("ops"), "ok", None)
    );
    let answer = browser.submit(NEW, NEW, &[("name", "forge")]).await;
    assert!(answer.status == 422 && answer.text().contains("already"), "{}", answer.text());

    gitlab.user("deploy");
    let again = "/orgs/acme/credentials/forge/connect";
    let page = browser.submit("/orgs/acme/credentials/forge", again, &[("hooks", "on")]).await;
    assert!(link(&page).as_str().ends_with("scope=api+read_api+read_repository"), "{}", link(&page));
    browser.get(&consent(platform, &link(&page), "deploy").await).await;
    let text = browser.get("/orgs/acme/credentials/forge").await.text();
    assert!(text.contains("acts as deploy of Corp Forge in place of ops."), "{text}");
    let second = credential(&world).await;
    assert_eq!((second.id, second.username.as_deref()), (first.id, Some("deploy")));
    let login = key(&world).await.git_login().await.unwrap().unwrap();
    assert_eq!(login.username, "oauth2");
    assert!(gitlab.stage.world().grants.living(login.secret.expose_secret()).is_some());

    let remove = "/orgs/acme/credentials/forge/remove";
    browser.submit(remove, remove, &[("confirmed", "yes")]).await;
    assert!(gitlab.stage.world().grants.tokens.values().all(|token| token.user == ops), "the other was not given back");
    let connected: Vec<_> =
        world.audit().await.into_iter().filter(|(action, ..)| action == "credential.connect").collect();
    assert!(
        connected.len() == 2 && connected.iter().all(|(_, subject, way, _)| subject == "forge" && way == "browser")
    );
}

#[tokio::test]
async fn ten_who_need_a_token_at_its_end_renew_it_once() {
    let (gitlab, world, _) = start().await;
    let (_, key) = connected(gitlab.stage.address, &world).await;
    let first = key.secret.token().await.unwrap();
    pass(&gitlab, &world, 7200 - 301);
    assert_eq!(key.secret.token().await.unwrap().expose_secret(), first.expose_secret());
    gitlab.stage.take_log();
    pass(&gitlab, &world, 2);
    let all: Vec<String> = ten(&key).await.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(all.iter().all(|token| *token == all[0] && token != first.expose_secret()), "{all:?}");
    assert_eq!((asked_for_tokens(&gitlab.stage), gitlab.stage.world().grants.renewals), (1, 1));
    assert!(gitlab.stage.world().grants.living(&all[0]).is_some());
    assert_eq!(credential(&world).await.status, "ok");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_believed() {
    let (gitlab, world, _) = start().await;
    let (_, key) = connected(gitlab.stage.address, &world).await;
    let first = key.secret.token().await.unwrap();
    // It is new: the account may not any more, and another token would not help.
    assert!(key.secret.after(&first).await.unwrap().is_none());
    pass(&gitlab, &world, 61);
    let others = join_all((0..10).map(|_| key.secret.after(&first))).await;
    let others: Vec<_> = others.into_iter().map(|other| other.unwrap().unwrap()).collect();
    assert!(others.iter().all(|other| other.expose_secret() == others[0].expose_secret()));
    assert!(key.secret.after(&others[0]).await.unwrap().is_none());
    assert_eq!(gitlab.stage.world().grants.renewals, 1);
}

#[tokio::test]
async fn an_account_that_is_renewed_no_more_is_told_once_and_connected_again() {
    let (gitlab, world, ops) = start().await;
    let (browser, key) = connected(gitlab.stage.address, &world).await;
    let id = credential(&world).await.id;
    gitlab.stage.world().grants.end_all(ops);
    pass(&gitlab, &world, 7200);
    gitlab.stage.take_log();
    for _ in 0..2 {
        for told in ten(&key).await {
            let HubError::Unauthorized(text) = told.unwrap_err() else { panic!("another error") };
            assert!(text.contains("ops of Corp Forge has to be connected again"), "{text}");
        }
        world.clock.advance(std::time::Duration::from_secs(3600));
    }
    assert_eq!((asked_for_tokens(&gitlab.stage), alerts(&world).await), (1, 1));
    assert_eq!(credential(&world).await.status, "refused");
    let text = browser.get("/orgs/acme/credentials/forge").await.text();
    assert!(text.contains("does not renew its tokens any more") && text.contains("Connect it again</span>"), "{text}");

    let again = "/orgs/acme/credentials/forge/connect";
    let page = browser.submit("/orgs/acme/credentials/forge", again, &[]).await;
    browser.get(&consent(gitlab.stage.address, &link(&page), "ops").await).await;
    let now = credential(&world).await;
    assert_eq!((now.id, now.status.as_str()), (id, "ok"));
    let token = key.secret.token().await.unwrap();
    assert!(gitlab.stage.world().grants.living(token.expose_secret()).is_some());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_one_alert() {
    let (gitlab, world, _) = start().await;
    let (_, key) = connected(gitlab.stage.address, &world).await;
    pass(&gitlab, &world, 7200);
    gitlab.stage.take_log();
    gitlab.stage.fail_at("/oauth/token", 1..=1, Fault::Cut);
    for told in ten(&key).await {
        assert!(matches!(told, Err(HubError::Unavailable(_))), "{told:?}");
    }
    assert_eq!((asked_for_tokens(&gitlab.stage), alerts(&world).await), (1, 0));
    for _ in 0..3 {
        pass(&gitlab, &world, 30);
        for told in ten(&key).await {
            assert!(matches!(told, Err(HubError::Unauthorized(_))), "{told:?}");
        }
    }
    assert_eq!((asked_for_tokens(&gitlab.stage), alerts(&world).await), (1, 1), "the old one is tried once");
}

#[tokio::test]
async fn an_app_that_is_accepted_no_more_is_one_alert_that_says_what_to_change() {
    let (gitlab, world, _) = start().await;
    let (_, key) = connected(gitlab.stage.address, &world).await;
    let right = gitlab.client_secret.clone();
    gitlab.app(|app| app.client_secret = "gloas-another".to_owned());
    pass(&gitlab, &world, 7200);
    gitlab.stage.take_log();
    for _ in 0..2 {
        for told in ten(&key).await {
            let HubError::Unauthorized(text) = told.unwrap_err() else { panic!("it is no outage") };
            assert!(text.contains("`client_secret` of the integration `corp`"), "{text}");
        }
        assert_eq!((asked_for_tokens(&gitlab.stage), alerts(&world).await), (1, 1), "each of a while");
        pass(&gitlab, &world, 601);
    }
    assert_eq!(credential(&world).await.status, "refused");
    gitlab.app(|app| app.client_secret = right);
    for token in ten(&key).await {
        assert!(gitlab.stage.world().grants.living(&token.unwrap()).is_some());
    }
    assert_eq!((credential(&world).await.status.as_str(), alerts(&world).await), ("ok", 1));
}

#[tokio::test]
async fn a_platform_that_is_away_costs_nothing_while_the_token_works() {
    let (gitlab, world, _) = start().await;
    let (_, key) = connected(gitlab.stage.address, &world).await;
    let first = key.secret.token().await.unwrap();
    pass(&gitlab, &world, 7200 - 100);
    gitlab.stage.fail("/oauth/token", Fault::Page(503));
    for token in ten(&key).await {
        assert_eq!(token.unwrap(), first.expose_secret());
    }
    gitlab.stage.heal();
    pass(&gitlab, &world, 30);
    assert_ne!(key.secret.token().await.unwrap().expose_secret(), first.expose_secret());
    assert_eq!(alerts(&world).await, 0);
    assert_eq!(gitlab.stage.world().grants.renewals, 1);
}

#[tokio::test]
async fn what_is_foreign_used_or_denied_connects_nothing() {
    let (gitlab, world, _) = start().await;
    let browser = world.signed_in("root").await;
    let platform = gitlab.stage.address;
    let back = there(platform, &browser, "forge").await;
    gitlab.stage.take_log();
    let stranger = world.signed_in("root").await;
    for visitor in [&stranger, &world.browser()] {
        let answer = visitor.get(&back).await;
        assert!(answer.status == 400, "{} {}", answer.status, answer.text());
    }
    let forged = back.split_once("state=").unwrap().0.to_owned() + "state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(browser.get(&forged).await.status, 400);
    assert_eq!(asked_for_tokens(&gitlab.stage), 0);
    assert_eq!(browser.get(&back).await.status, 303);
    let again = browser.get(&back).await;
    assert_eq!((again.status, asked_for_tokens(&gitlab.stage)), (400, 1), "{}", again.text());
    assert_eq!(credentials::list(&world.appliance, ORG).await.unwrap().len(), 1);

    let page = browser.submit(NEW, NEW, &[("name", "other")]).await;
    let Arrival::Sent(url) = Visitor::new(platform, &["localhost"]).deny(&link(&page)).await else { panic!("kept") };
    let answer = browser.get(url.as_str().strip_prefix(PUBLIC).unwrap()).await;
    assert_eq!(answer.header("location").as_deref(), Some(NEW));
    assert!(browser.get(NEW).await.text().contains("Nothing was connected, because Corp Forge was told not to."));

    // The name was taken while somebody was on the way.
    let first = there(platform, &browser, "third").await;
    let second = there(platform, &browser, "third").await;
    assert_eq!(browser.get(&first).await.header("location").as_deref(), Some("/orgs/acme/credentials/third"));
    let before = gitlab.tokens();
    assert_eq!(browser.get(&second).await.header("location").as_deref(), Some(NEW));
    assert!(browser.get(NEW).await.text().contains("Not connected: there is a credential `third` already"));
    assert_eq!(gitlab.tokens(), before, "what is not kept is given back");
}

#[tokio::test]
async fn whoever_lost_the_right_meanwhile_connects_nothing() {
    let (gitlab, world, _) = start().await;
    members::add(&world.appliance, &Actor::Command, Role::Owner, ORG, "ada", Role::Admin).await.unwrap();
    let browser = world.signed_in("ada").await;
    let back = there(gitlab.stage.address, &browser, "forge").await;
    let other = there(gitlab.stage.address, &browser, "other").await;
    members::set_role(&world.appliance, &Actor::Command, Role::Owner, ORG, "ada", Role::Member).await.unwrap();
    gitlab.stage.take_log();
    assert_eq!(browser.get(&back).await.status, 403);
    browser.submit("/profile", "/logout", &[]).await;
    let answer = browser.get(&other).await;
    assert!(answer.status != 200 && answer.header("location").is_none_or(|to| to.starts_with("/login")));
    assert_eq!(asked_for_tokens(&gitlab.stage), 0);
    assert!(credentials::list(&world.appliance, ORG).await.unwrap().is_empty());
}

#[tokio::test]
async fn bitbucket_s_long_tokens_are_renewed_also_after_a_lost_answer() {
    let bitbucket = BitbucketCloud::start(CALLBACK);
    {
        let mut site = bitbucket.stage.world();
        site.token_length = 6000;
        site.consumer.scopes = vec!["account", "email", "repository", "project", "webhook"];
    }
    bitbucket.user("ops");
    let integration = forge(PlatformKind::BitbucketCloud, bitbucket.url(), (&bitbucket.key, &bitbucket.secret));
    let world = world_with(vec![integration], |_| {}).await;
    let (_, key) = connected(bitbucket.stage.address, &world).await;
    let first = key.secret.token().await.unwrap();
    assert!(first.expose_secret().len() > 6000);
    let pass = |seconds| {
        bitbucket.pass(seconds);
        world.clock.advance(std::time::Duration::from_secs(seconds));
    };
    pass(7200);
    bitbucket.stage.fail_at("/access_token", 1..=1, Fault::Cut);
    assert!(ten(&key).await.iter().all(Result::is_err));
    pass(60);
    // Whoever lost the answer may ask once more for ten minutes.
    let all: Vec<String> = ten(&key).await.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(all.iter().all(|token| *token == all[0] && token.len() > 6000));
    assert!(bitbucket.stage.world().grants.living(&all[0]).is_some());
    let login = key.git_login().await.unwrap().unwrap();
    assert_eq!((login.username.as_str(), login.secret.expose_secret()), ("x-token-auth", all[0].as_str()));
    assert_eq!(alerts(&world).await, 0);
}

#[tokio::test]
async fn a_data_center_s_tokens_are_renewed() {
    let stash = BitbucketDataCenter::start(CALLBACK);
    stash.user("ops");
    let app = (stash.client_id.as_str(), stash.client_secret.as_str());
    let world = world_with(vec![forge(PlatformKind::BitbucketDataCenter, stash.url(), app)], |_| {}).await;
    let (browser, key) = connected(stash.stage.address, &world).await;
    stash.pass(3600);
    world.clock.advance(std::time::Duration::from_secs(3600));
    let all: Vec<String> = ten(&key).await.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(all.iter().all(|token| *token == all[0]) && stash.stage.world().grants.living(&all[0]).is_some());
    // As a bearer token: an empty user name.
    assert_eq!(key.git_login().await.unwrap().unwrap().username, "");
    let again = "/orgs/acme/credentials/forge/connect";
    let page = browser.submit("/orgs/acme/credentials/forge", again, &[("hooks", "on")]).await;
    assert!(link(&page).as_str().ends_with("scope=PROJECT_ADMIN"), "{}", link(&page));
}
