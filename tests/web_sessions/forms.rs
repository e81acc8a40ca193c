//! Forms that come from elsewhere, and places that lead elsewhere.

use crate::browser::form;
use crate::world::{PASSWORD, PUBLIC, world};

#[tokio::test]
async fn a_form_counts_only_from_our_pages() {
    let world = world().await;
    let browser = world.signed_in("ada").await;
    let other = world.signed_in("root").await;
    let (token, foreign) = (browser.token("/profile").await, other.token("/profile").await);
    let send = async |headers: &[(&str, &str)], token: &str| {
        let mut request = browser.request("POST", "/profile");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        browser.send(form(request, token, &[("display_name", "Eve")])).await
    };
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "http://packages.example.com")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Referer", "https://evil.example/")],
    ] {
        let answer = send(headers, &token).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.text().contains("was not sent from a page of this server"), "{}", answer.text());
    }
    for wrong in ["", "x", &foreign, &token.to_uppercase()] {
        let answer = send(&[("Origin", PUBLIC)], wrong).await;
        assert_eq!(answer.status, 403, "{wrong}");
        assert!(answer.text().contains("out of date"), "{}", answer.text());
    }
    assert_eq!(world.count("SELECT count(*) FROM user WHERE display_name IS NOT NULL").await, 0);
    assert_eq!(send(&[("Origin", PUBLIC), ("Sec-Fetch-Site", "same-origin")], &token).await.status, 303);
    assert_eq!(world.count("SELECT count(*) FROM user WHERE display_name = 'Eve'").await, 1);
}

#[tokio::test]
async fn forms_are_bounded_and_of_one_kind() {
    let world = world().await;
    let browser = world.signed_in("ada").await;
    let token = browser.token("/profile").await;
    let large = "x".repeat(300 * 1024);
    assert_eq!(browser.post("/profile", &token, &[("display_name", &large)]).await.status, 413);
    let json = browser.request("POST", "/profile").header("Origin", PUBLIC).header("Content-Type", "text/plain");
    assert_eq!(json.body(format!("csrf={token}&display_name=Eve").as_bytes()).send().await.status, 415);
    assert_eq!(browser.post("/login", &token, &[("name", "ada")]).await.status, 400);
    assert_eq!(world.count("SELECT count(*) FROM user WHERE display_name IS NOT NULL").await, 0);
}

#[tokio::test]
async fn the_first_form_needs_its_cookie_too() {
    let world = world().await;
    let browser = world.browser();
    let token = browser.token("/login").await;
    browser.cookies.lock().unwrap().clear();
    let fields = [("name", "ada"), ("password", PASSWORD)];
    let answer = browser.post("/login", &token, &fields).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("did not send its cookie"), "{}", answer.text());
    assert_eq!(world.sessions().await, 0);
}

#[tokio::test]
async fn signing_in_leads_nowhere_else() {
    let world = world().await;
    for (next, expected) in [
        ("/orgs/acme?x=1", "/orgs/acme?x=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/logout", "/"),
    ] {
        let browser = world.browser();
        let page: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let html = browser.get(&format!("/login?next={page}")).await.text();
        assert!(!html.contains("evil.example"), "{html}");
        let fields = [("name", "ada"), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/login", "/login", &fields).await;
        assert_eq!(answer.header("location").as_deref(), Some(expected), "{next}");
        assert!(!answer.headers.iter().any(|(_, value)| value.starts_with("a=b")));
        let again = browser.get(&format!("/login?next={page}")).await;
        assert_eq!(again.header("location").as_deref(), Some(expected), "{next}");
    }
}

#[tokio::test]
async fn pages_trust_no_host_and_no_frame() {
    let world = world().await;
    let head =
        "GET /login HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n";
    let answer = crate::client::Response::parse(&raw(world.address, head).await);
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("evil.example") && answer.text().contains("packages.example.com"));
    assert_eq!(answer.header("x-frame-options").as_deref(), Some("DENY"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
}

async fn raw(address: std::net::SocketAddr, text: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}
