//! What people do with what is theirs.

use packagist_selfhosted::access::token::TokenText;

use crate::world::{PASSWORD, world};

const SESSION: &str = "__Host-session";

#[tokio::test]
async fn another_password_leaves_one_session() {
    let world = world().await;
    let (mine, other) = (world.signed_in("ada").await, world.signed_in("ada").await);
    let before = mine.cookie(SESSION);
    let send = async |proof: &str, password: &str| {
        mine.submit("/profile/password", "/profile/password", &[("proof", proof), ("password", password)]).await
    };
    assert_eq!(send("not it", "a much longer one").await.status, 422);
    assert_eq!(send(PASSWORD, "short").await.status, 422);
    assert!(other.is_signed_in().await);
    assert_eq!(send(PASSWORD, "a much longer one").await.status, 303);
    assert!(mine.is_signed_in().await && !other.is_signed_in().await);
    assert_ne!(mine.cookie(SESSION), before);
    assert_eq!(world.browser().log_in("ada", PASSWORD).await.status, 422);
    assert_eq!(world.browser().log_in("ada@example.com", "a much longer one").await.status, 303);
}

#[tokio::test]
async fn sessions_are_seen_and_ended() {
    let world = world().await;
    let (mine, other, third) =
        (world.signed_in("ada").await, world.signed_in("ada").await, world.signed_in("ada").await);
    let root = world.signed_in("root").await;
    let page = mine.get("/profile").await.text();
    assert!(page.contains("Firefox") && page.contains("192.0.2.1") && page.contains("this one"), "{page}");
    let (_, after) = page.split_once("/profile/sessions/").unwrap();
    let ids: Vec<&str> = page.split("/profile/sessions/").skip(1).filter_map(|rest| rest.split('/').next()).collect();
    assert!(!after.is_empty());
    let id = ids.iter().find(|id| id.bytes().all(|byte| byte.is_ascii_digit())).unwrap();
    let end = format!("/profile/sessions/{id}/end");
    root.submit("/profile", &end, &[]).await;
    assert_eq!(world.sessions().await, 4, "nobody ends the sessions of others");
    assert_eq!(mine.submit("/profile", &end, &[]).await.status, 303);
    assert_eq!(world.sessions().await, 3);
    mine.submit("/profile", "/profile/sessions/end-others", &[]).await;
    assert!(mine.is_signed_in().await && !other.is_signed_in().await && !third.is_signed_in().await);
    let last = world.signed_in("ada").await;
    assert_eq!(mine.submit("/profile", "/profile/sessions/end-all", &[]).await.status, 303);
    assert!(!mine.is_signed_in().await && !last.is_signed_in().await && root.is_signed_in().await);
}

#[tokio::test]
async fn a_token_is_shown_once_and_replaced_at_once() {
    let world = world().await;
    let browser = world.signed_in("root").await;
    let token = |page: &str| {
        let (_, after) = page.split_once("id=\"token\">").unwrap();
        TokenText::parse(after.split('<').next().unwrap()).unwrap().expose().to_owned()
    };
    let opens = async |token: &str| {
        let request = crate::client::Request::new(world.address, "GET", "/repo/acme/packages.json");
        request.header("Authorization", &format!("Bearer {token}")).send().await.status
    };
    let first = token(&browser.submit("/profile", "/profile/token", &[]).await.text());
    assert_eq!(opens(&first).await, 200);
    let page = browser.get("/profile").await.text();
    assert!(!page.contains(&first) && page.contains(&first[first.len() - 4..]), "{page}");
    let (_, after) = page.split_once("name=\"instead_of\" value=\"").unwrap();
    let id = after.split('"').next().unwrap().to_owned();
    let ada = world.signed_in("ada").await;
    let revoke = format!("/profile/token/{id}/revoke");
    ada.submit("/profile", &revoke, &[]).await;
    ada.submit("/profile", "/profile/token", &[("instead_of", &id)]).await;
    assert_eq!(opens(&first).await, 200, "nobody touches the tokens of others");
    let second = token(&browser.submit("/profile", "/profile/token", &[("instead_of", &id)]).await.text());
    assert_eq!((opens(&first).await, opens(&second).await), (401, 200));
}

#[tokio::test]
async fn name_keys_and_theme_are_kept() {
    let world = world().await;
    let browser = world.signed_in("ada").await;
    let fields = [("display_name", "Ada <b>"), ("email", "nowhere")];
    let back = browser.submit("/profile", "/profile", &fields).await;
    assert!(back.status == 422 && back.text().contains("Ada &lt;b&gt;"), "what was typed comes back");
    browser.submit("/profile", "/profile", &[("display_name", "Ada <b>"), ("email", "new@example.com")]).await;
    browser.submit("/profile", "/profile/appearance", &[("theme", "dark")]).await;
    let page = browser.get("/profile").await.text();
    assert!(page.contains("data-theme=\"dark\"") && page.contains("data-keys=\"off\""), "{page}");
    assert!(page.contains("Ada &lt;b&gt;") && page.contains("new@example.com") && !page.contains("Ada <b>"));
    let answer = browser.submit("/profile", "/profile/theme", &[("theme", "\"><script>")]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(browser.cookie("theme").as_deref(), Some("auto"));
}
