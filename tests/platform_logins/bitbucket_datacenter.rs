//! Bitbucket Data Center by OAuth 2.0, also below a path, behind a private authority and through a proxy.

use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{Email, Identity, PlatformKind};
use secrecy::SecretString;
use serde_json::json;

use crate::certificates::Authority;
use crate::forward_proxy::ForwardProxy;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{CALLBACK, World, app, settings, suspended, told};

fn start() -> (BitbucketDataCenter, World) {
    let bitbucket = BitbucketDataCenter::start(CALLBACK);
    let world = world(&bitbucket, &bitbucket.client_secret, &settings());
    (bitbucket, world)
}

fn world(bitbucket: &BitbucketDataCenter, secret: &str, settings: &Settings) -> World {
    let app = app(PlatformKind::BitbucketDataCenter, bitbucket.url(), &bitbucket.client_id, secret);
    World::new(app, settings, Visitor::new(bitbucket.stage.address, &["localhost"]))
}

#[tokio::test]
async fn a_person_is_known_below_a_path_by_a_private_authority_and_a_proxy() {
    let authority = Authority::new();
    let bitbucket = BitbucketDataCenter::start_at("/bitbucket", CALLBACK, Some(authority.server));
    let proxy = ForwardProxy::start(None);
    let proxied = Settings { proxy: Some(format!("http://{}", proxy.address)), ..settings() };
    let trusting = Settings { ca_bundle: Some(authority.pem), ..proxied.clone() };
    let world = world(&bitbucket, &bitbucket.client_secret, &trusting);
    let id = bitbucket.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    assert_eq!(departure.url.path(), "/bitbucket/rest/oauth2/latest/authorize");
    bitbucket.stage.take_log();

    let ada = world.identify(&departure, &returned).await.unwrap();
    // Nobody there confirms addresses.
    let email = Email { address: "ada@example.com".to_owned(), verified: false };
    let (subject, login) = (id.to_string(), "ada".to_owned());
    assert_eq!(ada, Identity { subject, login, display_name: Some("ada of Example".to_owned()), email: Some(email) });
    let calls: Vec<_> =
        bitbucket.stage.take_log().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    let expected = [
        "POST /bitbucket/rest/oauth2/latest/token",
        "GET /bitbucket/rest/api/1.0/users",
        "GET /bitbucket/rest/api/1.0/users/ada",
        "POST /bitbucket/rest/oauth2/latest/revoke",
    ];
    assert_eq!(calls, expected);
    assert_eq!(bitbucket.tokens(), 0);
    assert!(proxy.take_log().iter().all(|asked| asked.line.starts_with("CONNECT localhost:")));
    assert_eq!(
        world.diagnosis().await,
        format!(
            "ok: Corp Forge answers at {}: version 8.19.4.\nok: Corp Forge accepts `client_id` and `client_secret`.",
            bitbucket.url()
        )
    );

    let said = told(self::world(&bitbucket, &bitbucket.client_secret, &proxied).log_in("ada").await);
    assert!(said.starts_with("unavailable: ") && said.contains("Test authority"), "{said}");
}

#[tokio::test]
async fn a_renamed_person_stays_and_a_reused_name_is_another() {
    let (bitbucket, world) = start();
    let ada = bitbucket.user("ada");
    let before = world.log_in("ada").await.unwrap();
    bitbucket.rename(ada, "countess");
    let after = world.log_in("countess").await.unwrap();
    assert_eq!((after.subject, after.login.as_str()), (before.subject.clone(), "countess"));
    bitbucket.user("ada");
    assert_ne!(world.log_in("ada").await.unwrap().subject, before.subject);
}

#[tokio::test]
async fn names_that_are_no_slugs_are_found_all_the_same() {
    let (bitbucket, world) = start();
    let jane = bitbucket.user("Jane@Corp.io");
    assert_eq!(world.log_in("Jane@Corp.io").await.unwrap().subject, jane.to_string());

    // The slug that the name would have is somebody else's, and the name's own is found on the third page of those like it.
    for number in 0..5 {
        bitbucket.user(&format!("jörg müller {number}"));
    }
    let (odd, other) = (bitbucket.user("jörg müller"), bitbucket.user("someone"));
    bitbucket.change(other, |user| user.slug = "j_rg_m_ller".to_owned());
    bitbucket.change(odd, |user| user.slug = "joerg".to_owned());
    bitbucket.stage.world().page_limit = 2;
    assert_eq!(world.log_in("jörg müller").await.unwrap().subject, odd.to_string());
}

#[tokio::test]
async fn a_code_is_good_once_for_ten_seconds_with_its_verifier_and_callback() {
    let (bitbucket, mut world) = start();
    bitbucket.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let (another, _) = world.allowed("ada").await;
    for wrong in [another.keep, SecretString::default()] {
        let result = world.connection.identify(&world.callback, &returned, &wrong).await;
        assert!(told(result).starts_with("stale: "));
    }
    let right = std::mem::replace(&mut world.callback, format!("{CALLBACK}/").parse().unwrap());
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    world.callback = right;
    world.identify(&departure, &returned).await.unwrap();
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));

    let (departure, returned) = world.allowed("ada").await;
    bitbucket.pass(11);
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    assert_eq!(bitbucket.tokens(), 0);
}

#[tokio::test]
async fn who_says_no_is_not_logged_in() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    let departure = world.depart().await;
    let arrival = world.visitor.deny(&departure.url).await;
    bitbucket.stage.take_log();
    assert!(told(world.identify(&departure, &world.returned(&departure, &arrival)).await).starts_with("denied: "));
    assert!(bitbucket.stage.take_log().is_empty());
}

#[tokio::test]
async fn only_people_who_are_active_log_in() {
    let (bitbucket, world) = start();
    let id = bitbucket.user("mallory");
    bitbucket.change(id, |user| user.licensed = false);
    let said = told(world.log_in("mallory").await);
    assert!(said.starts_with("account: ") && said.contains("You are not permitted"), "{said}");
    bitbucket.change(id, |user| user.licensed = true);
    bitbucket.deactivate(id);
    let said = told(world.log_in("mallory").await);
    assert!(said.starts_with("account: ") && said.contains("deactivated"), "{said}");
    assert_eq!(suspended(world.log_in("mallory").await), Some(id.to_string()));
    bitbucket.change(id, |user| (user.active, user.kind) = (true, "SERVICE"));
    let said = told(world.log_in("mallory").await);
    assert!(said.starts_with("account: ") && said.contains("`mallory` is a service's"), "{said}");
    bitbucket.rename(id, "access-token-user/2/7");
    let said = told(world.log_in("access-token-user/2/7").await);
    assert!(said.starts_with("account: ") && said.contains("`access-token-user/2/7` is a service's"), "{said}");
    assert_eq!(bitbucket.tokens(), 0, "also a token of somebody who is refused is given back");
}

#[tokio::test]
async fn nobody_is_whoever_a_proxy_makes_of_them() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    bitbucket.stage.world().hides_caller = true;
    let said = told(world.log_in("ada").await);
    assert!(said.starts_with("app: ") && said.contains("X-AUSERNAME") && said.contains("proxy"), "{said}");
    bitbucket.stage.world().hides_caller = false;
    bitbucket.stage.world().is_public = true;
    assert!(told(world.log_in("ada").await).contains("X-AUSERNAME"));
    // No word to an address that counts a token as a failed login; the simulator would have complained as well.
    assert!(bitbucket.stage.take_log().iter().all(|asked| asked.path.starts_with("/rest/")));
}

#[tokio::test]
async fn what_an_administrator_has_to_put_right_is_said_so() {
    let (bitbucket, good) = start();
    bitbucket.user("ada");
    let said = told(world(&bitbucket, "another secret", &settings()).log_in("ada").await);
    assert!(said.starts_with("app: ") && said.contains("`client_secret` of the integration `corp`"), "{said}");
    assert!(!said.contains("another secret"));
    bitbucket.stage.world().link.redirect_url = format!("{CALLBACK}/");
    let arrival = good.visitor.allow(&good.depart().await.url, "ada").await;
    assert!(matches!(&arrival, Arrival::Page(400, text) if text.contains("redirect uri")), "{arrival:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    let error = |kind: &str| json!({"errors": [{"message": "No.", "exceptionName": format!("com.atlassian.bitbucket.{kind}")}]});
    let named = |status, body| Fault::Answer(Reply::json(status, &body).with("x-ausername", "ada"));
    for (place, fault, expected) in [
        ("/token", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/token", Fault::Page(503), "HTTP 503"),
        ("/token", Fault::Redirect("/login"), "its API redirects (HTTP 302)"),
        ("/token", Fault::RateLimited(Some(600)), "Try again in 10 minutes"),
        ("/users", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/users", Fault::Redirect("/login?next=/rest"), "its API redirects (HTTP 302)"),
        ("/users", Fault::Endless, "longer than"),
        ("/users", Fault::Answer(Reply::json(401, &error("auth.IncorrectPasswordAuthenticationException"))), "plug-in"),
        ("/users", Fault::Answer(Reply::json(401, &error("auth.CaptchaRequiredAuthenticationException"))), "picture"),
        ("/users", Fault::Answer(Reply::json(401, &error("AuthorisationException"))), "account: "),
        ("/users", named(401, json!({"errors": []})), "may not use Bitbucket"),
        ("/users/ada", named(200, json!({"id": 1})), "malformed: "),
        ("/users/ada", named(200, json!({"id": 0, "name": "ada", "active": true})), "malformed: "),
        ("/users/ada", named(409, json!({})), "malformed: "),
        ("/users", named(200, json!({"values": [], "isLastPage": false, "nextPageStart": 0})), "malformed: "),
    ] {
        bitbucket.stage.heal();
        let (departure, returned) = world.allowed("ada").await;
        bitbucket.stage.fail(place, fault.clone());
        let said = told(world.identify(&departure, &returned).await);
        assert!(said.contains(expected) && !said.contains(&bitbucket.client_secret), "{place} {fault:?}: {said}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_given_back_is_no_failure() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    bitbucket.stage.fail("/revoke", Fault::Page(404));
    world.log_in("ada").await.unwrap();
}

#[tokio::test]
async fn the_test_of_an_integration_tells_what_is_wrong() {
    let (bitbucket, good) = start();
    let said = good.diagnosis().await;
    assert!(said.contains("warn: Its own address is not https://") && said.contains("skip.base.url"), "{said}");

    let said = world(&bitbucket, "another secret", &settings()).diagnosis().await;
    assert!(said.contains("fail: Corp Forge does not accept `client_id`") && said.contains("incoming link"), "{said}");

    bitbucket.stage.fail("/token", Fault::Answer(Reply::json(404, &json!({"status-code": 404}))));
    let said = good.diagnosis().await;
    assert!(said.contains("fail: Corp Forge has OAuth 2.0 switched off"), "{said}");

    bitbucket.stage.world().display_name = "Code at Corp";
    bitbucket.stage.world().version = "7.6.0";
    let said = good.diagnosis().await;
    assert!(said.contains("version 7.6.0, which calls itself \"Code at Corp\""), "{said}");
    assert!(said.contains("fail: Bitbucket 7.6 has no OAuth 2.0") && said.contains("oauth_version = 1"), "{said}");

    bitbucket.stage.fail("application-properties", Fault::Answer(Reply::json(404, &json!({}))));
    let said = good.diagnosis().await;
    assert!(said.contains("fail: ") && said.contains("is no Bitbucket Data Center (HTTP 404)"), "{said}");
}

#[tokio::test]
async fn an_integration_without_the_path_in_its_address_is_told_so() {
    let bitbucket = BitbucketDataCenter::start_at("/bitbucket", CALLBACK, None);
    let url = bitbucket.stage.url("localhost", "");
    let wrong = app(PlatformKind::BitbucketDataCenter, url, &bitbucket.client_id, &bitbucket.client_secret);
    let world = World::new(wrong, &settings(), Visitor::new(bitbucket.stage.address, &["localhost"]));
    let said = world.diagnosis().await;
    assert!(said.starts_with("fail: Corp Forge cannot be used") && said.contains("a page instead of data"), "{said}");
    assert_eq!(bitbucket.stage.take_violations().len(), 1);
}
