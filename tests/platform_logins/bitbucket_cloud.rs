//! Bitbucket Cloud, whose API is on a host of its own, by a proxy that finds both hosts here, and all on one host.

use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{Email, Identity, PlatformKind};
use rcgen::SanType;
use secrecy::SecretString;
use serde_json::json;

use crate::certificates::Authority;
use crate::forward_proxy::ForwardProxy;
use crate::platforms::bitbucket_cloud::{Address, BitbucketCloud};
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{CALLBACK, World, app, settings, suspended, told};

fn start() -> (BitbucketCloud, World) {
    let bitbucket = BitbucketCloud::start(CALLBACK);
    let world = world(&bitbucket, &bitbucket.secret, &settings());
    (bitbucket, world)
}

fn world(bitbucket: &BitbucketCloud, secret: &str, settings: &Settings) -> World {
    let app = app(PlatformKind::BitbucketCloud, bitbucket.url(), &bitbucket.key, secret);
    World::new(app, settings, Visitor::new(bitbucket.stage.address, &["localhost", "bitbucket.org"]))
}

#[tokio::test]
async fn both_hosts_are_reached_through_the_proxy() {
    let authority = Authority::with(|leaf| {
        let names = ["bitbucket.org", "api.bitbucket.org"].map(|name| SanType::DnsName(name.try_into().unwrap()));
        leaf.subject_alt_names.extend(names);
    });
    let bitbucket = BitbucketCloud::start_with(CALLBACK, Some(authority.server));
    let proxy = ForwardProxy::start(None);
    let proxied = Settings { proxy: Some(format!("http://{}", proxy.address)), ..settings() };
    let trusting = Settings { ca_bundle: Some(authority.pem), ..proxied.clone() };
    let world = world(&bitbucket, &bitbucket.secret, &trusting);
    let id = bitbucket.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let link = departure.url.as_str();
    assert!(link.contains("scope=account+email&") || link.ends_with("scope=account+email"), "{link}");
    assert!(link.contains("code_challenge_method=S256"), "{link}");
    bitbucket.stage.take_log();

    let ada = world.identify(&departure, &returned).await.unwrap();
    let email = Email { address: "ada@example.com".to_owned(), verified: true };
    let (subject, login) = (bitbucket.uuid(id), "ada".to_owned());
    assert_eq!(ada, Identity { subject, login, display_name: Some("ada of Example".to_owned()), email: Some(email) });
    let calls: Vec<_> =
        bitbucket.stage.take_log().iter().map(|asked| format!("{} {}", asked.host, asked.path)).collect();
    let expected = [
        "bitbucket.org /site/oauth2/access_token",
        "api.bitbucket.org /2.0/user",
        "api.bitbucket.org /2.0/user/emails",
    ];
    assert_eq!(calls, expected);
    let port = bitbucket.stage.address.port();
    let seen = proxy.take_log();
    assert!(seen.iter().all(|asked| asked.line.starts_with("CONNECT ") && asked.line.ends_with(&format!(":{port}"))));
    assert_eq!(
        world.diagnosis().await,
        format!(
            "ok: Corp Forge answers at https://api.bitbucket.org:{port}/2.0.\n\
             ok: Corp Forge accepts `client_id` and `client_secret`."
        )
    );

    let said = told(self::world(&bitbucket, &bitbucket.secret, &proxied).log_in("ada").await);
    assert!(said.starts_with("unavailable: ") && said.contains("Test authority"), "{said}");
}

#[tokio::test]
async fn a_renamed_person_stays_and_a_shared_name_is_two_people() {
    let (bitbucket, world) = start();
    let ada = bitbucket.user("ada");
    let before = world.log_in("ada").await.unwrap();
    bitbucket.rename(ada, "countess");
    bitbucket.change(ada, |user| user.emails[1].email = "countess@example.com".to_owned());
    let after = world.log_in("countess").await.unwrap();
    assert_eq!((after.subject, after.login.as_str()), (before.subject.clone(), "countess"));
    assert_eq!(after.email.unwrap().address, "countess@example.com");

    let other = bitbucket.user("countess");
    let account = bitbucket.stage.world().users[&other].account_id.clone();
    let other = world.log_in(&account).await.unwrap();
    assert!(other.subject != before.subject && other.login == "countess");
}

#[tokio::test]
async fn tokens_may_be_long_and_their_scopes_called_either_way() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    for (length, field) in [(6000, "scopes"), (6000, "scope"), (0, "scopes")] {
        {
            let mut site = bitbucket.stage.world();
            (site.token_length, site.scopes_field) = (length, field);
        }
        world.log_in("ada").await.unwrap();
    }
}

#[tokio::test]
async fn only_the_primary_address_counts_and_only_confirmed_it_is_theirs() {
    let (bitbucket, world) = start();
    let ada = bitbucket.user("ada");
    bitbucket.change(ada, |user| user.emails[1].confirmed = false);
    let email = world.log_in("ada").await.unwrap().email.unwrap();
    assert!(email.address == "ada@example.com" && !email.verified);
    bitbucket.change(ada, |user| {
        user.emails = vec![Address { email: "ada@home.example".to_owned(), primary: false, confirmed: true }];
    });
    assert_eq!(world.log_in("ada").await.unwrap().email, None);

    // Whoever only ticked `account` has people without addresses, and no login that fails.
    let refused = json!({"type": "error", "error": {"message": "no", "detail": {"required": ["email"]}}});
    bitbucket.stage.fail("/user/emails", Fault::Answer(Reply::json(403, &refused)));
    assert_eq!(world.log_in("ada").await.unwrap().email, None);
}

#[tokio::test]
async fn a_code_is_good_once_with_its_verifier_and_callback() {
    let (bitbucket, mut world) = start();
    bitbucket.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let (another, _) = world.allowed("ada").await;
    for wrong in [another.keep, SecretString::from("x".repeat(64))] {
        let result = world.connection.identify(&world.callback, &returned, &wrong).await;
        assert!(told(result).starts_with("stale: "));
    }
    let right = std::mem::replace(&mut world.callback, format!("{CALLBACK}/").parse().unwrap());
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    world.callback = right;
    world.identify(&departure, &returned).await.unwrap();
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("stale: ") && said.contains("Log in again"), "{said}");

    let (departure, returned) = world.allowed("ada").await;
    bitbucket.pass(601);
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));

    bitbucket.stage.world().knows_pkce = false;
    world.log_in("ada").await.unwrap();
}

#[tokio::test]
async fn what_an_administrator_has_to_put_right_is_said_so() {
    let (bitbucket, good) = start();
    bitbucket.user("ada");
    let said = told(world(&bitbucket, "another secret", &settings()).log_in("ada").await);
    assert!(said.starts_with("app: ") && said.contains("`client_secret` of the integration `corp`"), "{said}");
    assert!(!said.contains("another secret"));

    bitbucket.stage.world().consumer.scopes = vec!["account"];
    let departure = good.depart().await;
    let arrival = good.visitor.allow(&departure.url, "ada").await;
    let said = told(good.identify(&departure, &good.returned(&departure, &arrival)).await);
    assert!(said.starts_with("app: ") && said.contains("tick account and email"), "{said}");

    bitbucket.stage.world().consumer.callback = "https://elsewhere.example/".to_owned();
    let arrival = good.visitor.allow(&good.depart().await.url, "ada").await;
    assert!(matches!(&arrival, Arrival::Page(400, text) if text.contains("redirect_uri")), "{arrival:?}");
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
async fn only_people_whose_account_is_open_log_in() {
    let (bitbucket, world) = start();
    let id = bitbucket.user("mallory");
    bitbucket.deactivate(id);
    let said = told(world.log_in("mallory").await);
    assert!(said.starts_with("account: ") && said.contains("deactivated"), "{said}");
    for (status, reason) in [("closed", "closed there"), ("brand_new", "`brand_new`")] {
        bitbucket.change(id, |user| user.status = Some(status));
        let said = told(world.log_in("mallory").await);
        assert!(said.starts_with("account: ") && said.contains(reason), "{said}");
        assert!(suspended(world.log_in("mallory").await).is_some_and(|uuid| uuid.starts_with('{')));
    }
    for kind in ["team", "app_user"] {
        bitbucket.change(id, |user| (user.status, user.kind) = (None, kind));
        let said = told(world.log_in("mallory").await);
        assert!(said.starts_with("account: ") && said.contains("`mallory` is a bot's or a team's"), "{said}");
    }
    bitbucket.change(id, |user| user.kind = "user");
    world.log_in("mallory").await.unwrap();
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let (bitbucket, world) = start();
    bitbucket.user("ada");
    let error = |message: &str, detail| json!({"type": "error", "error": {"message": message, "detail": detail}});
    let scope = error("lack", json!({"required": ["account"], "granted": ["email"]}));
    let gone = error("CHANGE-2770 - Functionality has been deprecated", json!("…"));
    let spam = error("This account has been marked as spam", json!(null));
    let person =
        |uuid: &str| Fault::Answer(Reply::json(200, &json!({"type": "user", "uuid": uuid, "nickname": "ada"})));
    for (place, fault, expected) in [
        ("access_token", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("access_token", Fault::Page(503), "HTTP 503"),
        ("access_token", Fault::Redirect("/account/signin/"), "its API redirects (HTTP 302)"),
        ("access_token", Fault::Answer(Reply::empty(200)), "malformed: "),
        ("access_token", Fault::Answer(Reply::json(200, &json!({"error": "invalid_grant"}))), "stale: "),
        ("access_token", Fault::RateLimited(Some(600)), "Try again in 10 minutes"),
        ("/2.0/user", Fault::Endless, "longer than"),
        ("/2.0/user", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/2.0/user", Fault::RateLimited(None), "rate limited: "),
        ("/2.0/user", Fault::Answer(Reply::text(401, "Token is invalid")), "unavailable: "),
        ("/2.0/user", Fault::Answer(Reply::json(403, &scope)), "`account`"),
        ("/2.0/user", Fault::Answer(Reply::json(410, &gone)), "newer version"),
        ("/2.0/user", Fault::Answer(Reply::json(410, &spam)), "account: "),
        ("/2.0/user", Fault::Answer(Reply::json(404, &gone)), "malformed: "),
        ("/2.0/user", person("ada"), "malformed: "),
        ("/2.0/user", person(""), "malformed: "),
        ("/user/emails", Fault::Page(502), "unavailable: "),
        ("/user/emails", Fault::Answer(Reply::json(200, &json!([]))), "malformed: "),
    ] {
        bitbucket.stage.heal();
        let (departure, returned) = world.allowed("ada").await;
        bitbucket.stage.fail(place, fault.clone());
        let said = told(world.identify(&departure, &returned).await);
        assert!(said.contains(expected) && !said.contains(&bitbucket.secret), "{place} {fault:?}: {said}");
    }
}

#[tokio::test]
async fn the_test_of_an_integration_tells_what_is_wrong() {
    let (bitbucket, good) = start();
    let said = good.diagnosis().await;
    assert!(said.lines().count() == 3 && said.contains("warn: Corp Forge is spoken to without encryption"), "{said}");

    bitbucket.stage.skew(-400);
    let said = good.diagnosis().await;
    assert!(said.contains("warn: The clocks of Corp Forge and of this machine differ by "), "{said}");
    bitbucket.stage.skew(0);

    let said = world(&bitbucket, "another secret", &settings()).diagnosis().await;
    assert!(said.contains("fail: Corp Forge does not accept `client_id`") && said.contains("OAuth consumer"), "{said}");
    assert!(!said.contains("another secret"));

    bitbucket.stage.fail("hook_events", Fault::Answer(Reply::json(404, &json!({"errors": []}))));
    let said = good.diagnosis().await;
    assert!(said.contains("is not Bitbucket Cloud (HTTP 404)") && said.contains("`bitbucket-datacenter`"), "{said}");
}
