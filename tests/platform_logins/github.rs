//! GitHub Enterprise Server, and what holds for every GitHub.

use packagist_selfhosted::platform::{Email, Identity, PlatformKind, Returned};
use serde_json::json;

use crate::platforms::frame::Fault;
use crate::platforms::github::{Flavour, GitHub, Kind, User};
use crate::platforms::message::Reply;
use crate::platforms::visitor::Visitor;
use crate::world::{CALLBACK, World, app, settings, suspended, told};

fn start(kind: Kind) -> (GitHub, World) {
    let flavour = Flavour::Server { version: "3.17.2", private: true };
    let github = GitHub::start(flavour, kind, CALLBACK, None);
    let world = world(&github, &github.client_secret);
    (github, world)
}

fn world(github: &GitHub, secret: &str) -> World {
    let app = app(PlatformKind::GitHub, github.url(), &github.client_id, secret);
    World::new(app, &settings(), Visitor::new(github.stage.address, &["localhost"]))
}

#[tokio::test]
async fn a_person_is_known_and_the_token_is_given_back() {
    let (github, world) = start(Kind::OAuth);
    let id = github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let link = departure.url.as_str();
    assert!(link.contains("scope=read%3Auser+user%3Aemail") && link.contains("allow_signup=false"), "{link}");
    assert!(!link.contains("code_challenge"), "an Enterprise Server knows no PKCE: {link}");
    github.stage.take_log();

    let ada = world.identify(&departure, &returned).await.unwrap();
    let email = Email { address: "ada@example.com".to_owned(), verified: true };
    let (subject, login) = (id.to_string(), "ada".to_owned());
    assert_eq!(ada, Identity { subject, login, display_name: Some("ada of Example".to_owned()), email: Some(email) });
    let calls: Vec<_> =
        github.stage.take_log().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    let revoke = format!("DELETE /api/v3/applications/{}/token", github.client_id);
    assert_eq!(
        calls,
        ["POST /login/oauth/access_token", "GET /api/v3/user", "GET /api/v3/user/emails", revoke.as_str()]
    );
    assert_eq!(github.tokens(), 0);
}

#[tokio::test]
async fn a_renamed_person_stays_and_a_reused_name_is_another() {
    let (github, world) = start(Kind::OAuth);
    let ada = github.user("ada");
    let before = world.log_in("ada").await.unwrap();
    github.rename(ada, "countess");
    let after = world.log_in("countess").await.unwrap();
    assert_eq!((after.subject, after.login.as_str()), (before.subject.clone(), "countess"));
    github.user("ada");
    assert_ne!(world.log_in("ada").await.unwrap().subject, before.subject);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_ten_minutes() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    world.identify(&departure, &returned).await.unwrap();
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("stale: ") && said.contains("Log in again"), "{said}");

    let (departure, returned) = world.allowed("ada").await;
    github.pass(601);
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));
    assert!(github.stage.take_log().iter().filter(|asked| asked.path == "/api/v3/user").count() == 1);
}

#[tokio::test]
async fn an_error_as_a_form_is_one_and_a_token_too() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let error = [("error", "bad_verification_code".to_owned()), ("error_description", "The code is wrong".to_owned())];
    github.stage.fail("access_token", Fault::Answer(Reply::form(200, &error)));
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));

    github.stage.heal();
    let token = [("access_token", "gho_x".to_owned()), ("token_type", "bearer".to_owned()), ("scope", String::new())];
    github.stage.fail("access_token", Fault::Answer(Reply::form(200, &token)));
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("unavailable: ") && said.contains("does not accept the token"), "{said}");
}

#[tokio::test]
async fn what_an_administrator_has_to_put_right_is_said_so() {
    let (github, _) = start(Kind::OAuth);
    github.user("ada");
    let world = world(&github, "another secret");
    let said = told(world.log_in("ada").await);
    assert!(
        said.starts_with("app: Corp Forge") && said.contains("`client_secret` of the integration `corp`"),
        "{said}"
    );
    assert!(!said.contains("another secret"));

    github.app(|app| app.callbacks = vec!["https://packages.example.com/other".to_owned()]);
    let departure = world.depart().await;
    let arrival = world.visitor.allow(&departure.url, "ada").await;
    let returned = world.returned(&departure, &arrival);
    github.stage.take_log();
    let said = told(world.identify(&departure, &returned).await);
    assert!(said.starts_with("app: ") && said.contains(&format!("register {CALLBACK}")), "{said}");

    github.app(|app| app.suspended = true);
    let departure = world.depart().await;
    let arrival = world.visitor.allow(&departure.url, "ada").await;
    let said = told(world.identify(&departure, &world.returned(&departure, &arrival)).await);
    assert!(said.starts_with("app: ") && said.contains("suspended"), "{said}");
    assert!(github.stage.take_log().iter().all(|asked| asked.method == "GET"), "nothing was redeemed");
}

#[tokio::test]
async fn an_oauth_app_may_come_back_below_its_address_and_a_github_app_may_not() {
    let base = "https://packages.example.com/auth";
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    github.app(|app| app.callbacks = vec![base.to_owned()]);
    world.log_in("ada").await.unwrap();

    let (github, world) = start(Kind::GitHubApp { emails: true });
    github.user("ada");
    assert_eq!(world.log_in("ada").await.unwrap().email.unwrap().address, "ada@example.com");
    assert_eq!(github.tokens(), 0);
    github.app(|app| app.callbacks = vec![base.to_owned()]);
    let departure = world.depart().await;
    let arrival = world.visitor.allow(&departure.url, "ada").await;
    let said = told(world.identify(&departure, &world.returned(&departure, &arrival)).await);
    assert!(said.starts_with("app: ") && said.contains(CALLBACK), "{said}");
}

#[tokio::test]
async fn another_callback_at_the_exchange_is_refused() {
    let (github, mut world) = start(Kind::OAuth);
    github.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    world.callback = "https://packages.example.com/auth/corp/callback/x".parse().unwrap();
    assert!(told(world.identify(&departure, &returned).await).starts_with("app: "));
}

#[tokio::test]
async fn who_says_no_is_not_logged_in() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    let departure = world.depart().await;
    let arrival = world.visitor.deny(&departure.url).await;
    github.stage.take_log();
    let said = told(world.identify(&departure, &world.returned(&departure, &arrival)).await);
    assert!(said.starts_with("denied: "), "{said}");
    assert!(github.stage.take_log().is_empty());
}

#[tokio::test]
async fn nothing_is_redeemed_for_a_callback_that_makes_no_sense() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    let departure = world.depart().await;
    github.stage.take_log();
    let own = world.connection.app().url.as_str().trim_end_matches('/').to_owned();
    for (query, kind) in [
        ("state=x", "malformed: "),
        ("code=&state=x", "malformed: "),
        ("code=abc&state=x&iss=https%3A%2F%2Fevil.example", "malformed: "),
        ("code=abc&state=x&iss=nonsense", "malformed: "),
        ("error=%1Bweird&state=x", "no query"),
        ("error=weird&error_description=send+money&state=x", "app: "),
    ] {
        let Some(returned) = Returned::parse(query) else {
            assert_eq!(kind, "no query");
            continue;
        };
        let said = told(world.identify(&departure, &returned).await);
        assert!(said.starts_with(kind) && !said.contains("money"), "{query}: {said}");
    }
    assert!(github.stage.take_log().is_empty());
    let (departure, returned) = world.allowed("ada").await;
    let query = format!("code={}&state=x&iss={own}/login/oauth", returned.get("code").unwrap());
    world.identify(&departure, &Returned::parse(&query).unwrap()).await.unwrap();
}

#[tokio::test]
async fn only_people_who_are_not_shut_out_log_in() {
    let (github, world) = start(Kind::OAuth);
    for (login, kind) in [("robot", "Bot"), ("acme", "Organization")] {
        let id = github.user(login);
        github.change(id, |user| user.kind = kind);
        let said = told(world.log_in(login).await);
        assert!(said.starts_with("account: ") && said.contains(login) && said.contains(kind), "{said}");
    }
    let id = github.user("mallory");
    let (departure, returned) = world.allowed("mallory").await;
    github.suspend(id);
    let refused = world.identify(&departure, &returned).await;
    assert!(refused.as_ref().is_err_and(|error| error.to_string().contains("suspended")), "{refused:?}");
    assert_eq!(suspended(refused), Some(id.to_string()), "GitHub says to the app alone whose the token was");
    assert_eq!(github.tokens(), 0, "also a token of somebody who is refused is given back");

    github.change(id, |user| user.suspended = false);
    let profile = json!({"id": 5, "login": "mallory", "type": "User", "suspended_at": "2026-01-01T00:00:00Z"});
    github.stage.fail("/user", Fault::Answer(Reply::json(200, &profile)));
    assert_eq!(suspended(world.log_in("mallory").await).as_deref(), Some("5"));

    github.stage.heal();
    let blocked = json!({"message": "Your IP address is not\npermitted."});
    github.stage.fail("/user", Fault::Answer(Reply::json(403, &blocked)));
    let said = told(world.log_in("mallory").await);
    assert!(said.contains("it says \"Your IP address is not permitted.\""), "{said}");
}

#[tokio::test]
async fn an_address_is_told_as_far_as_it_is_known() {
    let (github, world) = start(Kind::OAuth);
    let ada = github.user("ada");
    github.change(ada, |user| user.primary().verified = false);
    let email = world.log_in("ada").await.unwrap().email.unwrap();
    assert_eq!((email.address.as_str(), email.verified), ("ada@example.com", false));
    let hide = |user: &mut User| user.addresses.iter_mut().for_each(|address| address.primary = !address.primary);
    github.change(ada, hide);
    assert_eq!(world.log_in("ada").await.unwrap().email, None, "a substitute is no address");

    let (github, world) = start(Kind::GitHubApp { emails: false });
    let ada = github.user("ada");
    assert_eq!(world.log_in("ada").await.unwrap().email, None);
    github.change(ada, |user| user.public_email = Some("ada@public.example".to_owned()));
    let email = world.log_in("ada").await.unwrap().email.unwrap();
    assert_eq!((email.address.as_str(), email.verified), ("ada@public.example", false));
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    let secondary = json!({"message": "You have exceeded a secondary rate limit."});
    let other_type = json!({"access_token": "x", "token_type": "mac"});
    for (place, fault, expected) in [
        (
            "access_token",
            Fault::Page(200),
            "unavailable: Corp Forge cannot tell who you are at the moment: its API answers with a page",
        ),
        ("access_token", Fault::Page(503), "HTTP 503"),
        ("access_token", Fault::Redirect("https://sso.example/in?to=x"), "redirects to https://sso.example (HTTP 302)"),
        ("access_token", Fault::Answer(Reply::json(200, &json!({}))), "malformed: "),
        ("access_token", Fault::Answer(Reply::json(200, &json!({"error": 7}))), "malformed: "),
        ("access_token", Fault::Answer(Reply::json(200, &other_type)), "another type than `bearer`"),
        ("access_token", Fault::Answer(Reply::json(404, &json!({"message": "Not Found"}))), "malformed: "),
        (
            "access_token",
            Fault::RateLimited(Some(30)),
            "rate limited: Corp Forge answers no more requests of this server for now. Try again in 30 seconds",
        ),
        ("access_token", Fault::Endless, "longer than 1024 KiB"),
        ("/api/v3/user", Fault::Page(200), "a page instead of data (HTTP 200)"),
        ("/api/v3/user", Fault::Answer(Reply::json(200, &json!([]))), "malformed: "),
        ("/api/v3/user", Fault::Answer(Reply::json(200, &json!({"id": "1", "login": "ada"}))), "malformed: "),
        ("/api/v3/user", Fault::Answer(Reply::json(500, &json!({}))), "HTTP 500"),
        ("/api/v3/user", Fault::RateLimited(None), "rate limited: "),
        ("/api/v3/user", Fault::Answer(Reply::json(403, &secondary)), "Try again in 60 seconds"),
        ("/api/v3/user/emails", Fault::Page(502), "HTTP 502"),
    ] {
        github.stage.heal();
        let (departure, returned) = world.allowed("ada").await;
        github.stage.fail(place, fault.clone());
        let said = told(world.identify(&departure, &returned).await);
        assert!(said.contains(expected) && !said.contains(&github.client_secret), "{fault:?}: {said}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_given_back_does_not_matter() {
    let (github, world) = start(Kind::OAuth);
    github.user("ada");
    github.stage.fail("/applications/", Fault::Page(500));
    world.log_in("ada").await.unwrap();
    assert_eq!(github.tokens(), 1);
}

#[tokio::test]
async fn the_test_of_an_integration_tells_what_is_wrong() {
    let (github, good) = start(Kind::OAuth);
    let said = good.diagnosis().await;
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("ok: ") && lines[0].contains("GitHub Enterprise Server 3.17.2"), "{said}");
    assert!(lines[1].starts_with("warn: ") && lines[1].contains("without encryption"), "{said}");
    assert!(lines.len() == 3 && lines[2].contains("ok: Corp Forge accepts `client_id` and `client_secret`"), "{said}");

    github.stage.skew(-600);
    let said = good.diagnosis().await;
    assert!(said.contains("warn: The clocks of Corp Forge and of this machine differ by 6"), "{said}");
    github.stage.skew(0);

    let said = world(&github, "another secret").diagnosis().await;
    assert!(
        said.contains("fail: Corp Forge does not accept `client_id`") && !said.contains("another secret"),
        "{said}"
    );

    github.stage.fail("/api/v3", Fault::Page(503));
    let said = good.diagnosis().await;
    assert!(
        said.starts_with("fail: Corp Forge cannot be used: it answers with HTTP 503") && !said.contains('\n'),
        "{said}"
    );
    github.stage.heal();
    github.stage.fail("/api/v3", Fault::Answer(Reply::json(404, &json!({}))));
    assert!(good.diagnosis().await.contains("fail: "));
    drop(github);
    let said = good.diagnosis().await;
    assert!(said.starts_with("fail: Corp Forge cannot be reached at http://localhost:"), "{said}");
}
