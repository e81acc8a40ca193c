//! github.com, whose API is on a host of its own and which knows PKCE, by a proxy that finds both hosts here.

use std::time::Duration;

use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{PlatformKind, Who};
use rcgen::SanType;
use secrecy::SecretString;

use crate::certificates::Authority;
use crate::forward_proxy::{ForwardProxy, Refusal};
use crate::platforms::frame::Fault;
use crate::platforms::github::GitHub;
use crate::platforms::visitor::Visitor;
use crate::world::{CALLBACK, World, app, settings, told};

struct Cloud {
    github: GitHub,
    proxy: ForwardProxy,
    world: World,
    ca: String,
}

impl Cloud {
    fn start() -> Self {
        let authority = Authority::with(|leaf| {
            let names = ["github.com", "api.github.com"].map(|name| SanType::DnsName(name.try_into().unwrap()));
            leaf.subject_alt_names.extend(names);
        });
        let github = GitHub::cloud(CALLBACK, authority.server);
        let proxy = ForwardProxy::start(Some(("us", "word")));
        let world = world(&github, &proxied(&proxy, Some(&authority.pem)));
        Self { github, proxy, world, ca: authority.pem }
    }
}

fn proxied(proxy: &ForwardProxy, ca: Option<&str>) -> Settings {
    let ca_bundle = ca.map(str::to_owned);
    Settings { proxy: Some(format!("http://us:word@{}", proxy.address)), ca_bundle, ..settings() }
}

fn world(github: &GitHub, settings: &Settings) -> World {
    let app = app(PlatformKind::GitHub, github.url(), &github.client_id, &github.client_secret);
    World::new(app, settings, Visitor::new(github.stage.address, &["github.com", "api.github.com"]))
}

#[tokio::test]
async fn both_hosts_are_reached_through_the_proxy_and_pkce_is_used() {
    let Cloud { github, proxy, world, .. } = Cloud::start();
    let id = github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    assert!(departure.url.as_str().contains("code_challenge_method=S256"), "{}", departure.url);
    assert!(!departure.url.as_str().contains("prompt="));
    assert_eq!(world.identify(&departure, &returned).await.unwrap().subject, id.to_string());
    assert_eq!(github.tokens(), 0);
    let port = github.stage.address.port();
    let mut seen: Vec<_> = proxy.take_log().into_iter().map(|asked| (asked.line, asked.known)).collect();
    seen.sort();
    seen.dedup();
    let expected = ["api.github.com", "github.com"].map(|host| (format!("CONNECT {host}:{port}"), true));
    assert_eq!(seen, expected);

    let chosen = world.connection.depart(&world.callback, Who::Chosen).await.unwrap();
    assert!(chosen.url.as_str().contains("prompt=select_account"), "{}", chosen.url);
}

#[tokio::test]
async fn a_code_without_its_verifier_is_worth_nothing() {
    let Cloud { github, world, proxy: _proxy, .. } = Cloud::start();
    github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let (another, _) = world.allowed("ada").await;
    for wrong in [another.keep, SecretString::from("x".repeat(64)), SecretString::default()] {
        let result = world.connection.identify(&world.callback, &returned, &wrong).await;
        assert!(told(result).starts_with("stale: "));
    }
    world.identify(&departure, &returned).await.unwrap();
}

#[tokio::test]
async fn who_has_no_verified_address_is_sent_to_verify_it() {
    let Cloud { github, world, proxy: _proxy, .. } = Cloud::start();
    let ada = github.user("ada");
    github.change(ada, |user| user.primary().verified = false);
    let said = told(world.log_in("ada").await);
    assert!(said.starts_with("account: ") && said.contains("Verify it"), "{said}");
}

#[tokio::test]
async fn a_used_up_limit_ends_when_github_says() {
    let Cloud { github, world, proxy: _proxy, .. } = Cloud::start();
    github.user("ada");
    github.stage.world().spent = Some(1800);
    let said = told(world.log_in("ada").await);
    assert!(said.starts_with("rate limited: ") && said.contains("Try again in 3"), "{said}");
}

#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    let Cloud { github, proxy, world: good, ca } = Cloud::start();
    github.user("ada");
    let (departure, returned) = good.allowed("ada").await;

    let world = world(&github, &proxied(&proxy, None));
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("unavailable: ") && said.contains("Test authority"), "{said}");
    let said = world.diagnosis().await;
    assert!(said.starts_with("fail: ") && said.contains("`ca_bundle` under [outbound]"), "{said}");

    let wrong = Settings { proxy: Some(format!("http://us:w0rd@{}", proxy.address)), ..proxied(&proxy, Some(&ca)) };
    let said = told(self::world(&github, &wrong).identify(&departure, &returned).await);
    assert!(said.contains("HTTP 407") && !said.contains("w0rd"), "{said}");

    proxy.refuse(Refusal::Status(403));
    let said = told(self::world(&github, &proxied(&proxy, Some(&ca))).identify(&departure, &returned).await);
    assert!(said.contains("refused to connect us to github.com:"), "{said}");
    proxy.refuse(None);

    let mut denying = proxied(&proxy, Some(&ca));
    denying.guard.deny = vec!["api.github.com".parse().unwrap()];
    let said = told(self::world(&github, &denying).identify(&departure, &returned).await);
    assert!(said.contains("`deny` under [outbound]"), "{said}");
}

#[tokio::test]
async fn silence_ends_at_the_limit() {
    let Cloud { github, proxy, ca, .. } = Cloud::start();
    github.user("ada");
    github.stage.fail("access_token", Fault::Mute);
    let world = world(&github, &Settings { timeout: Duration::from_secs(1), ..proxied(&proxy, Some(&ca)) });
    let said = told(world.log_in("ada").await);
    assert!(said.starts_with("unavailable: ") && said.contains("silent for too long"), "{said}");
}

#[tokio::test]
async fn the_test_of_an_integration_asks_the_apis_host() {
    let Cloud { github, world, proxy: _proxy, .. } = Cloud::start();
    let said = world.diagnosis().await;
    let port = github.stage.address.port();
    assert_eq!(
        said,
        format!(
            "ok: Corp Forge answers at https://api.github.com:{port}/.\n\
             ok: Corp Forge accepts `client_id` and `client_secret`."
        )
    );
}
