//! Sessions, passwords and second factors.

use std::time::Duration;

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::admin::{Actor, members, users};
use packagist_selfhosted::store::ids::OrgId;
use totp_rs::{Builder, Secret};

use crate::browser::Browser;
use crate::client::Response;
use crate::world::{PASSWORD, World, world, world_with};

const SESSION: &str = "__Host-session";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_planted_cookie_opens_nothing_and_signing_in_makes_new_ones() {
    let world = world().await;
    let browser = world.browser();
    let planted = "0123456789abcdef".repeat(4);
    browser.plant(SESSION, &planted);
    browser.plant("__Host-visit", &planted);
    assert!(!browser.is_signed_in().await);
    assert_eq!(browser.log_in("ada", PASSWORD).await.status, 303);
    let first = browser.cookie(SESSION).unwrap();
    assert!(first != planted && first.len() == 64 && browser.cookie("__Host-visit").is_none());
    let second = browser.submit("/login?again=1", "/login", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(second.status, 303);
    assert_ne!(browser.cookie(SESSION), Some(first.clone()));
    assert_eq!(world.sessions().await, 1, "the former one ended");
    let thief = world.browser();
    thief.plant(SESSION, &first);
    assert!(!thief.is_signed_in().await);
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
    let world = world().await;
    let browser = world.browser();
    let answer = browser.log_in("ada", PASSWORD).await;
    let set = answer.headers.iter().find(|(_, value)| value.starts_with("__Host-session=")).unwrap();
    for flag in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=7776000"] {
        assert!(set.1.contains(flag), "{}", set.1);
    }
    assert!(!set.1.contains("Domain"));
    let plain = world_with(Vec::new(), |settings| settings.public_url = "http://127.0.0.1:8080".to_owned()).await;
    let answer = plain.browser().get("/login").await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("visit=") && set.contains("HttpOnly") && !set.contains("Secure"), "{set}");
}

#[tokio::test]
async fn unknown_disabled_and_wrong_look_the_same() {
    let world = world().await;
    let new = users::NewUser { name: "gone".to_owned(), password: Some(PASSWORD.into()), ..Default::default() };
    users::add(&world.appliance, &Actor::Command, new).await.unwrap();
    users::add(&world.appliance, &Actor::Command, users::NewUser { name: "bare".to_owned(), ..Default::default() })
        .await
        .unwrap();
    users::set_enabled(&world.appliance, &Actor::Command, "gone", false).await.unwrap();
    let mut answers = Vec::new();
    for (name, password) in [("ada", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("bare", PASSWORD)] {
        let browser = world.browser();
        let token = browser.token("/login").await;
        let answer = browser.post("/login", &token, &[("name", name), ("password", password)]).await;
        let text = answer.text().replace(name, "NAME").replace(&token, "TOKEN");
        assert!(!text.contains(password), "a password is not sent back");
        answers.push((answer.status, text));
    }
    assert!(answers[0].0 == 422 && answers[0].1.contains("do not fit"), "{}", answers[0].1);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.sessions().await, 0);
    let noted: Vec<_> = world.audit().await.into_iter().filter(|(action, ..)| action == "session.refuse").collect();
    let subjects: Vec<_> = noted.iter().map(|(_, subject, ..)| subject.as_str()).collect();
    assert_eq!(subjects, ["ada", "(unknown)", "gone", "bare"], "what strangers type as a name may be a password");
    assert!(noted.iter().all(|(_, _, via, address)| via == "browser" && address == "192.0.2.1"));
}

#[tokio::test]
async fn attempts_are_slowed_down_and_nobody_is_locked_out() {
    let world = world().await;
    let mine = world.signed_in("ada").await;
    let stranger = world.browser().at("203.0.113.9");
    let token = stranger.token("/login").await;
    let guess = [("name", "ada"), ("password", "a guess")];
    for _ in 0..5 {
        assert_eq!(stranger.post("/login", &token, &guess).await.status, 422);
    }
    let slowed = stranger.post("/login", &token, &guess).await;
    assert_eq!((slowed.status, slowed.header("retry-after").as_deref()), (429, Some("1")));
    assert!(slowed.text().contains("Try again in 1 second"), "{}", slowed.text());
    let right = stranger.post("/login", &token, &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(right.status, 429, "also the right password waits, or the wait would tell it");
    assert!(mine.is_signed_in().await);
    // Where she is known to be, what strangers do does not count.
    assert_eq!(world.browser().log_in("ada", PASSWORD).await.status, 303);
    let elsewhere = world.browser().at("198.51.100.7");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(elsewhere.log_in("ada", PASSWORD).await.status, 303, "a minute is the longest wait");
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let world = world().await;
    let browser = world.signed_in("ada").await;
    world.clock.advance(14 * DAY - HOUR);
    assert!(browser.is_signed_in().await);
    world.clock.advance(HOUR);
    assert!(!browser.is_signed_in().await, "fourteen days without a use that was written");

    let browser = world.signed_in("ada").await;
    for _ in 0..8 {
        world.clock.advance(10 * DAY);
        assert!(browser.is_signed_in().await);
        seen(&world).await;
    }
    world.clock.advance(10 * DAY);
    assert!(!browser.is_signed_in().await, "ninety days are the most");
}

/// What the server writes every minute.
async fn seen(world: &World) {
    let now = world.appliance.now();
    let write = world.appliance.database.write(move |tx| {
        tx.execute("UPDATE session SET seen_at = ?1", [now])?;
        Ok::<_, packagist_selfhosted::store::Error>(())
    });
    write.await.unwrap();
}

#[tokio::test]
async fn administration_asks_again_after_twelve_hours() {
    let world = world().await;
    let browser = world.signed_in("root").await;
    assert_eq!(browser.get("/admin/audit").await.status, 200);
    world.clock.advance(12 * HOUR);
    let answer = browser.get("/admin/audit").await;
    assert_eq!(answer.header("location").as_deref(), Some("/login?again=1&next=%2Fadmin%2Faudit"));
    assert!(browser.is_signed_in().await, "everything else goes on");
    let fields = [("name", "root"), ("password", PASSWORD), ("next", "/admin/audit")];
    let answer = browser.submit("/login?again=1", "/login", &fields).await;
    assert_eq!(answer.header("location").as_deref(), Some("/admin/audit"));
    assert_eq!(browser.get("/admin/audit").await.status, 200);
    let ada = world.signed_in("ada").await;
    let answer = ada.get("/admin/audit").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("for administrators of the server") && answer.text().contains("root"));
}

#[tokio::test]
async fn what_may_not_be_seen_does_not_exist() {
    let world = world().await;
    let ada = world.signed_in("ada").await;
    let [hidden, absent] = [ada.get("/orgs/acme/audit").await, ada.get("/orgs/none/audit").await];
    assert_eq!((hidden.status, absent.status), (404, 404));
    let words = |answer: &Response| answer.text().replace(&answer.header("x-request-id").unwrap(), "");
    assert_eq!(words(&hidden), words(&absent));
    let answer = world.browser().get("/orgs/acme/audit?q=1").await;
    assert_eq!(answer.header("location").as_deref(), Some("/login?next=%2Forgs%2Facme%2Faudit%3Fq%3D1"));
}

#[tokio::test]
async fn whose_role_is_too_low_is_told_who_has_it() {
    let world = world().await;
    let org = OrgId(world.count("SELECT id FROM organization").await);
    let add = async |name: &str, role| {
        members::add(&world.appliance, &Actor::Command, Role::Owner, org, name, role).await.unwrap();
    };
    add("ada", Role::Member).await;
    let ada = world.signed_in("ada").await;
    let answer = ada.get("/orgs/acme/audit").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("for owners and admins of Acme") && answer.text().contains("root"));
    let new = users::NewUser { name: "grace".to_owned(), ..Default::default() };
    users::add(&world.appliance, &Actor::Command, new).await.unwrap();
    add("grace", Role::Owner).await;
    let text = ada.get("/orgs/acme/audit").await.text();
    assert!(text.contains("grace") && !text.contains(">root<"), "{text}");
}

#[tokio::test]
async fn disabling_and_another_password_end_sessions() {
    let world = world().await;
    let (one, two) = (world.signed_in("ada").await, world.signed_in("ada").await);
    users::set_enabled(&world.appliance, &Actor::Command, "ada", false).await.unwrap();
    assert_eq!(world.sessions().await, 0);
    users::set_enabled(&world.appliance, &Actor::Command, "ada", true).await.unwrap();
    assert!(!one.is_signed_in().await && !two.is_signed_in().await);

    let browser = world.signed_in("ada").await;
    users::set_password(&world.appliance, &Actor::Command, "ada", "another long one".into()).await.unwrap();
    assert!(!browser.is_signed_in().await);
    assert_eq!(browser.log_in("ada", PASSWORD).await.status, 422);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let world = world().await;
    let browser = world.signed_in("ada").await;
    let cookie = browser.cookie(SESSION).unwrap();
    assert_eq!(browser.get("/logout").await.status, 405);
    let answer = browser.submit("/profile", "/logout", &[]).await;
    assert_eq!(answer.header("location").as_deref(), Some("/login"));
    assert!(browser.cookie(SESSION).is_none());
    browser.plant(SESSION, &cookie);
    assert!(!browser.is_signed_in().await);
    let page = browser.get("/login").await;
    assert!(page.text().contains("You are signed out."));
    assert!(browser.cookie(SESSION).is_none(), "a cookie that opens nothing is taken away");
}

/// The authenticator's code at the world's time.
fn code(world: &World, secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let seconds = u64::try_from(world.clock.now().as_seconds()).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(seconds).to_string()
}

/// Turns the second factor on: the secret and the recovery codes.
async fn second_factor(world: &World, browser: &Browser) -> (String, Vec<String>) {
    let answer = browser.submit("/profile", "/profile/second-factor", &[]).await;
    assert_eq!(answer.header("location").as_deref(), Some("/profile/second-factor"));
    let page = browser.get("/profile/second-factor").await.text();
    assert!(page.contains("<svg") && !page.contains("data:image"), "{page}");
    let (_, after) = page.split_once("id=\"secret\">").unwrap();
    let secret = after.split('<').next().unwrap().replace(' ', "");
    let wrong = browser.submit("/profile/second-factor", "/profile/second-factor/confirm", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    let before = browser.cookie(SESSION);
    let code = code(world, &secret);
    let answer = browser.submit("/profile/second-factor", "/profile/second-factor/confirm", &[("code", &code)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_ne!(browser.cookie(SESSION), before, "what the account takes has changed, so the session has a new cookie");
    let text = answer.text();
    let (_, after) = text.split_once("id=\"codes\">").unwrap();
    let codes: Vec<String> = after.split('<').next().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

#[tokio::test]
async fn a_second_factor_takes_each_code_once() {
    let world = world().await;
    let mine = world.signed_in("ada").await;
    let (secret, codes) = second_factor(&world, &mine).await;
    assert!(mine.is_signed_in().await);

    let browser = world.browser();
    let answer = browser.log_in("ada", PASSWORD).await;
    assert_eq!(answer.header("location").as_deref(), Some("/login/second-factor"));
    assert!(!browser.is_signed_in().await, "half way is not there");
    let send = async |browser: &Browser, code: &str| {
        browser.submit("/login/second-factor", "/login/second-factor", &[("code", code)]).await.status
    };
    assert_eq!(send(&browser, &code(&world, &secret)).await, 422, "the code that turned it on was used");
    world.clock.advance(Duration::from_secs(30));
    let now = code(&world, &secret);
    assert_eq!(send(&browser, &now).await, 303);
    assert!(browser.is_signed_in().await);

    let again = world.browser();
    again.log_in("ada", PASSWORD).await;
    assert_eq!(send(&again, &now).await, 422, "a code is taken once");
    assert_eq!(send(&again, &codes[0].to_uppercase()).await, 303);
    let third = world.browser();
    third.log_in("ada", PASSWORD).await;
    assert_eq!(send(&third, &codes[0]).await, 422, "and so is a recovery code");
    assert_eq!(send(&third, &codes[1].replace('-', "")).await, 303);
    let late = world.browser();
    late.log_in("ada", PASSWORD).await;
    let page = late.token("/login/second-factor").await;
    world.clock.advance(Duration::from_secs(301));
    let answer = late.post("/login/second-factor", &page, &[("code", &code(&world, &secret))]).await;
    assert_eq!(answer.header("location").as_deref(), Some("/login"), "five minutes are the most");
}

#[tokio::test]
async fn codes_cannot_be_guessed_in_a_row() {
    let world = world().await;
    second_factor(&world, &world.signed_in("ada").await).await;
    let thief = world.browser().at("203.0.113.9");
    thief.log_in("ada", PASSWORD).await;
    let token = thief.token("/login/second-factor").await;
    let mut statuses = Vec::new();
    for guess in 0..7 {
        let code = format!("{guess:06}");
        statuses.push(thief.post("/login/second-factor", &token, &[("code", &code)]).await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
}

#[tokio::test]
async fn the_second_factor_goes_only_with_a_proof() {
    let world = world().await;
    let mine = world.signed_in("ada").await;
    let (_, codes) = second_factor(&world, &mine).await;
    let turn_off = async |proof: &str| {
        let page = "/profile/second-factor";
        mine.submit(page, "/profile/second-factor/disable", &[("proof", proof)]).await.status
    };
    assert_eq!(turn_off("").await, 422);
    assert_eq!(turn_off("wrong password").await, 422);
    assert_eq!(turn_off(&codes[3]).await, 303);
    assert_eq!(world.browser().log_in("ada", PASSWORD).await.header("location").as_deref(), Some("/"));
    assert_eq!(world.count("SELECT count(*) FROM recovery_code").await, 0);
}
