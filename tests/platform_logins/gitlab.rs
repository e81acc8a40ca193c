//! GitLab, also below a path, behind a private authority and through a proxy.

use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{Email, Identity, PlatformKind};
use secrecy::SecretString;
use serde_json::json;

use crate::certificates::Authority;
use crate::forward_proxy::ForwardProxy;
use crate::platforms::frame::Fault;
use crate::platforms::gitlab::GitLab;
use crate::platforms::message::Reply;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{CALLBACK, World, app, settings, suspended, told};

fn start() -> (GitLab, World) {
    let gitlab = GitLab::start(CALLBACK);
    let world = world(&gitlab, &gitlab.client_secret, &settings());
    (gitlab, world)
}

fn world(gitlab: &GitLab, secret: &str, settings: &Settings) -> World {
    let app = app(PlatformKind::GitLab, gitlab.url(), &gitlab.client_id, secret);
    World::new(app, settings, Visitor::new(gitlab.stage.address, &["localhost"]))
}

#[tokio::test]
async fn a_person_is_known_below_a_path_by_a_private_authority_and_a_proxy() {
    let authority = Authority::new();
    let gitlab = GitLab::start_at("/gitlab", CALLBACK, Some(authority.server));
    let proxy = ForwardProxy::start(None);
    let settings =
        Settings { proxy: Some(format!("http://{}", proxy.address)), ca_bundle: Some(authority.pem), ..settings() };
    let world = world(&gitlab, &gitlab.client_secret, &settings);
    let id = gitlab.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let link = departure.url.as_str();
    assert!(departure.url.path() == "/gitlab/oauth/authorize" && link.ends_with("scope=read_user"), "{link}");
    gitlab.stage.take_log();

    let ada = world.identify(&departure, &returned).await.unwrap();
    let email = Email { address: "ada@example.com".to_owned(), verified: true };
    let (subject, login) = (id.to_string(), "ada".to_owned());
    assert_eq!(ada, Identity { subject, login, display_name: Some("ada of Example".to_owned()), email: Some(email) });
    let calls: Vec<_> =
        gitlab.stage.take_log().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    assert_eq!(calls, ["POST /gitlab/oauth/token", "GET /gitlab/api/v4/user", "POST /gitlab/oauth/revoke"]);
    assert_eq!(gitlab.tokens(), 0);
    assert!(proxy.take_log().iter().all(|asked| asked.line.starts_with("CONNECT localhost:")));
    let said = world.diagnosis().await;
    let own = gitlab.url();
    assert_eq!(
        said,
        format!("ok: Corp Forge answers at {own}.\nok: Corp Forge accepts `client_id` and `client_secret`.")
    );
}

#[tokio::test]
async fn without_tls_requests_go_through_the_proxy_as_well() {
    let (gitlab, _) = start();
    let proxy = ForwardProxy::start(None);
    let settings = Settings { proxy: Some(format!("http://{}", proxy.address)), ..settings() };
    gitlab.user("ada");
    world(&gitlab, &gitlab.client_secret, &settings).log_in("ada").await.unwrap();
    let seen = proxy.take_log();
    assert!(seen.len() == 3 && seen[0].line.starts_with("POST http://localhost:"), "{seen:?}");
}

#[tokio::test]
async fn a_renamed_person_stays_and_a_reused_name_is_another() {
    let (gitlab, world) = start();
    let ada = gitlab.user("ada");
    let before = world.log_in("ada").await.unwrap();
    gitlab.rename(ada, "countess");
    gitlab.change(ada, |user| user.email = Some("countess@example.com".to_owned()));
    let after = world.log_in("countess").await.unwrap();
    assert_eq!((after.subject, after.login.as_str()), (before.subject.clone(), "countess"));
    gitlab.user("ada");
    let other = world.log_in("ada").await.unwrap();
    assert!(other.subject != before.subject && other.email == before.email);
}

#[tokio::test]
async fn an_address_counts_only_when_it_is_confirmed() {
    let (gitlab, world) = start();
    let ada = gitlab.user("ada");
    gitlab.change(ada, |user| user.confirmed = false);
    assert!(!world.log_in("ada").await.unwrap().email.unwrap().verified);
    gitlab.change(ada, |user| user.email = Some(String::new()));
    assert_eq!(world.log_in("ada").await.unwrap().email, None);
    gitlab.change(ada, |user| user.email = None);
    assert_eq!(world.log_in("ada").await.unwrap().email, None);
}

#[tokio::test]
async fn a_code_is_good_once_for_ten_minutes_with_its_verifier_and_callback() {
    let (gitlab, mut world) = start();
    gitlab.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let (another, _) = world.allowed("ada").await;
    for wrong in [another.keep, SecretString::default()] {
        let result = world.connection.identify(&world.callback, &returned, &wrong).await;
        assert!(told(result).starts_with("stale: "));
    }
    assert_eq!(gitlab.stage.take_violations(), Vec::<String>::new());
    let right = std::mem::replace(&mut world.callback, format!("{CALLBACK}/").parse().unwrap());
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    world.callback = right;
    world.identify(&departure, &returned).await.unwrap();
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("stale: ") && said.contains("Log in again"), "{said}");

    let (departure, returned) = world.allowed("ada").await;
    gitlab.pass(601);
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    assert_eq!(gitlab.tokens(), 0);
}

#[tokio::test]
async fn what_an_administrator_has_to_put_right_is_said_so() {
    let (gitlab, good) = start();
    gitlab.user("ada");
    let said = told(world(&gitlab, "another secret", &settings()).log_in("ada").await);
    assert!(
        said.starts_with("app: Corp Forge") && said.contains("`client_secret` of the integration `corp`"),
        "{said}"
    );
    assert!(!said.contains("another secret"));

    gitlab.app(|app| app.scopes = vec!["api"]);
    let departure = good.depart().await;
    let arrival = good.visitor.allow(&departure.url, "ada").await;
    let said = told(good.identify(&departure, &good.returned(&departure, &arrival)).await);
    assert!(said.starts_with("app: ") && said.contains("tick read_user"), "{said}");

    gitlab.app(|app| app.callbacks = vec![format!("{CALLBACK}/")]);
    let arrival = good.visitor.allow(&good.depart().await.url, "ada").await;
    assert!(matches!(&arrival, Arrival::Page(400, text) if text.contains("redirect URI")), "{arrival:?}");
}

#[tokio::test]
async fn who_says_no_is_not_logged_in() {
    let (gitlab, world) = start();
    gitlab.user("ada");
    let departure = world.depart().await;
    let arrival = world.visitor.deny(&departure.url).await;
    gitlab.stage.take_log();
    assert!(told(world.identify(&departure, &world.returned(&departure, &arrival)).await).starts_with("denied: "));
    assert!(gitlab.stage.take_log().is_empty());
}

#[tokio::test]
async fn only_people_who_are_active_log_in() {
    let (gitlab, world) = start();
    let id = gitlab.user("mallory");
    for (state, reason) in [
        ("blocked", "blocked"),
        ("ldap_blocked", "blocked"),
        ("blocked_pending_approval", "not approved"),
        ("deactivated", "Sign in there once"),
        ("banned", "banned"),
        ("brand_new_state", "`brand_new_state`"),
    ] {
        gitlab.change(id, |user| user.state = state);
        let said = told(world.log_in("mallory").await);
        assert!(said.starts_with("account: ") && said.contains(reason), "{said}");
        assert_eq!(suspended(world.log_in("mallory").await), Some(id.to_string()));
    }
    gitlab.change(id, |user| (user.state, user.bot) = ("active", true));
    let said = told(world.log_in("mallory").await);
    assert!(said.starts_with("account: ") && said.contains("`mallory` is a bot's"), "{said}");
    for (refusal, reason) in [
        ("Your account has been blocked.", "blocked there"),
        ("You must accept the Terms of Service.", "You must accept the Terms of Service."),
    ] {
        gitlab.change(id, |user| user.refusal = Some(refusal));
        let said = told(world.log_in("mallory").await);
        assert!(said.starts_with("account: ") && said.contains(reason), "{said}");
        let is_blocked = refusal.contains("blocked");
        assert_eq!(suspended(world.log_in("mallory").await), is_blocked.then(|| id.to_string()));
    }
    assert_eq!(gitlab.tokens(), 0, "also a token of somebody who is refused is given back");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let (gitlab, world) = start();
    gitlab.user("ada");
    let scope = json!({"error": "insufficient_scope", "scope": "api read_api read_user"});
    for (place, fault, expected) in [
        ("/oauth/token", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/oauth/token", Fault::Page(502), "HTTP 502"),
        ("/oauth/token", Fault::Redirect("/users/sign_in"), "its API redirects (HTTP 302)"),
        ("/oauth/token", Fault::Answer(Reply::text(403, "Forbidden")), "text/plain instead of data (HTTP 403)"),
        ("/oauth/token", Fault::Answer(Reply::empty(200)), "malformed: "),
        ("/oauth/token", Fault::RateLimited(Some(600)), "Try again in 10 minutes"),
        ("/api/v4/user", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/api/v4/user", Fault::Answer(Reply::json(401, &json!({"message": "401 Unauthorized"}))), "unavailable: "),
        ("/api/v4/user", Fault::Answer(Reply::json(403, &scope)), "app: "),
        ("/api/v4/user", Fault::Answer(Reply::json(403, &json!({"message": {"base": ["no"]}}))), "account: "),
        ("/api/v4/user", Fault::Answer(Reply::json(404, &json!({"error": "404 Not Found"}))), "malformed: "),
        ("/api/v4/user", Fault::Answer(Reply::json(200, &json!({"id": 1, "username": "ada"}))), "malformed: "),
    ] {
        gitlab.stage.heal();
        let (departure, returned) = world.allowed("ada").await;
        gitlab.stage.fail(place, fault.clone());
        let said = told(world.identify(&departure, &returned).await);
        assert!(said.contains(expected) && !said.contains(&gitlab.client_secret), "{fault:?}: {said}");
    }
}

#[tokio::test]
async fn the_test_of_an_integration_tells_what_is_wrong() {
    let (gitlab, good) = start();
    let said = good.diagnosis().await;
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.len() == 3 && lines[1].starts_with("warn: ") && lines[1].contains("without encryption"), "{said}");

    let said = world(&gitlab, "another secret", &settings()).diagnosis().await;
    assert!(
        said.contains("fail: Corp Forge does not accept `client_id`") && !said.contains("another secret"),
        "{said}"
    );

    gitlab.stage.world().external_url = "http://gitlab.internal".to_owned();
    let said = good.diagnosis().await;
    assert!(said.contains("warn: ") && said.contains("calls itself http://gitlab.internal"), "{said}");

    gitlab.stage.fail("openid-configuration", Fault::Answer(Reply::json(404, &json!({"message": "no"}))));
    let said = good.diagnosis().await;
    assert!(said.contains("fail: ") && said.contains("is no GitLab (HTTP 404)"), "{said}");
}

#[tokio::test]
async fn an_integration_without_the_path_in_its_address_is_told_so() {
    let gitlab = GitLab::start_at("/gitlab", CALLBACK, None);
    let wrong = app(PlatformKind::GitLab, gitlab.stage.url("localhost", ""), &gitlab.client_id, &gitlab.client_secret);
    let world = World::new(wrong, &settings(), Visitor::new(gitlab.stage.address, &["localhost"]));
    let said = world.diagnosis().await;
    assert!(said.starts_with("fail: Corp Forge cannot be used") && said.contains("a page instead of data"), "{said}");
    assert_eq!(gitlab.stage.take_violations().len(), 1);
}
