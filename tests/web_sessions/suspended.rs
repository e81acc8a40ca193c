//! Accounts that their platform keeps out: the next sign-in tells, and what hangs on the account stops at once.

use std::net::SocketAddr;

use packagist_selfhosted::admin::tokens::{self, Options};
use packagist_selfhosted::admin::{Actor, accounts};
use packagist_selfhosted::http::Integration;
use packagist_selfhosted::platform::PlatformKind;
use packagist_selfhosted::store;
use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::ids::OrgId;
use serde_json::json;

use crate::browser::Browser;
use crate::client::Request;
use crate::platforms::bitbucket_cloud::BitbucketCloud;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::frame::Fault;
use crate::platforms::github::GitHub;
use crate::platforms::gitlab::GitLab;
use crate::platforms::message::Reply;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{PUBLIC, World, corp, forge, world_with};

const CALLBACK: &str = "https://packages.example.com/auth/corp/callback";

/// Where the platform sends the browser of `grace`, who says yes there.
async fn consent(browser: &Browser, platform: SocketAddr) -> String {
    let answer = browser.get("/auth/corp").await;
    let link = answer.header("location").unwrap().parse().unwrap();
    let Arrival::Sent(url) = Visitor::new(platform, &["localhost"]).allow(&link, "grace").await else {
        panic!("not sent back")
    };
    url.as_str().strip_prefix(PUBLIC).unwrap().to_owned()
}

/// What a synchronization would leave: everybody who is known is a member of the organization.
async fn find_everybody(world: &World) {
    let write = world.appliance.database.write(|tx| {
        tx.execute_batch(
            "INSERT INTO sync (id, org_id, integration, remote, created_at) VALUES (1, 1, 'corp', 'acme', 0);
             INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at)
                 SELECT 1, 1, id, 'member', 1, 0 FROM account;",
        )?;
        tx.changed(Change::Access(OrgId(1)));
        Ok::<_, store::Error>(())
    });
    write.await.unwrap();
}

async fn status(world: &World, token: &str) -> u16 {
    let request = Request::new(world.address, "GET", "/repo/acme/packages.json");
    request.header("Authorization", &format!("Bearer {token}")).send().await.status
}

async fn actions(world: &World) -> Vec<String> {
    let all = world.audit().await.into_iter().map(|(action, subject, ..)| format!("{action} {subject}"));
    all.filter(|action| action.starts_with("account.")).collect()
}

/// `grace` is shut out and let in again, on a platform at this address.
async fn is_followed(integration: Integration, platform: SocketAddr, suspend: impl Fn(bool)) {
    let world = world_with(vec![integration], |_| {}).await;
    let browser = world.browser();
    let back = consent(&browser, platform).await;
    assert_eq!(browser.get(&back).await.status, 303);
    find_everybody(&world).await;
    let token = tokens::add_for_user(&world.appliance, &Actor::Command, "grace", Options::default()).await.unwrap();
    let token = token.text.expose().to_owned();
    assert_eq!(status(&world, &token).await, 200);

    let elsewhere = world.browser();
    let back = consent(&elsewhere, platform).await;
    suspend(true);
    let answer = elsewhere.get(&back).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("You cannot log in with this account of Corp Forge"), "{}", answer.text());
    assert!(!browser.is_signed_in().await, "sessions that began with the account end");
    assert_eq!(status(&world, &token).await, 404, "the token opens what the account was found for no more");
    assert_eq!(actions(&world).await, ["account.suspend grace"]);

    suspend(false);
    let back = consent(&elsewhere, platform).await;
    assert_eq!(elsewhere.get(&back).await.status, 303);
    assert_eq!(status(&world, &token).await, 200);
    assert_eq!(actions(&world).await, ["account.suspend grace", "account.resume grace"]);
}

#[tokio::test]
async fn github_suspends() {
    let github = GitHub::server(CALLBACK);
    let id = github.user("grace");
    is_followed(corp(&github), github.stage.address, |is| github.change(id, |user| user.suspended = is)).await;
}

#[tokio::test]
async fn an_enterprise_server_suspends() {
    let github = GitHub::server(CALLBACK);
    let id = github.user("grace");
    let profile = json!({"id": id, "login": "grace", "type": "User", "suspended_at": "2026-01-01T00:00:00Z"});
    let suspend = |is| match is {
        true => github.stage.fail("/user", Fault::Answer(Reply::json(200, &profile))),
        false => github.stage.heal(),
    };
    is_followed(corp(&github), github.stage.address, suspend).await;
}

#[tokio::test]
async fn gitlab_blocks() {
    let gitlab = GitLab::start(CALLBACK);
    let id = gitlab.user("grace");
    let ours = || forge(PlatformKind::GitLab, gitlab.url(), (&gitlab.client_id, &gitlab.client_secret));
    let state = |is| if is { "blocked" } else { "active" };
    is_followed(ours(), gitlab.stage.address, |is| gitlab.change(id, |user| user.state = state(is))).await;
    let said = |is: bool| is.then_some("Your account has been blocked.");
    is_followed(ours(), gitlab.stage.address, |is| gitlab.change(id, |user| user.refusal = said(is))).await;
}

#[tokio::test]
async fn bitbucket_deactivates() {
    let cloud = BitbucketCloud::start(CALLBACK);
    let id = cloud.user("grace");
    let ours = forge(PlatformKind::BitbucketCloud, cloud.url(), (&cloud.key, &cloud.secret));
    let status = |is| Some(if is { "inactive" } else { "active" });
    is_followed(ours, cloud.stage.address, |is| cloud.change(id, |user| user.status = status(is))).await;

    let server = BitbucketDataCenter::start(CALLBACK);
    let id = server.user("grace");
    let ours = forge(PlatformKind::BitbucketDataCenter, server.url(), (&server.client_id, &server.client_secret));
    is_followed(ours, server.stage.address, |is| server.change(id, |user| user.active = !is)).await;
}

#[tokio::test]
async fn who_is_unknown_stays_unknown() {
    let github = GitHub::server(CALLBACK);
    let integration = corp(&github);
    let known = integration.known();
    let world = world_with(vec![integration], |_| {}).await;
    accounts::suspend(&world.appliance, &known, "99", "192.0.2.1").await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM account").await, 0);
    assert_eq!(actions(&world).await, Vec::<String>::new());
}
