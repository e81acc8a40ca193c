//! Bitbucket Server by OAuth 1.0a: what is signed is verified, and what the server says to that.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::{App, Email, LoginApp, PlatformKind, Returned};
use secrecy::SecretString;
use serde_json::json;

use crate::certificates::Authority;
use crate::forward_proxy::ForwardProxy;
use crate::platforms::bitbucket_datacenter::BitbucketDataCenter;
use crate::platforms::frame::Fault;
use crate::platforms::message::Reply;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::{CALLBACK, World, app, settings, told};

/// A Bitbucket of before OAuth 2.0, below a path, that has the public half of our key.
struct Old {
    bitbucket: BitbucketDataCenter,
    key: String,
    ca: Option<String>,
}

impl Old {
    fn start(authority: Option<Authority>) -> Self {
        let (tls, ca) = authority.map(|authority| (authority.server, authority.pem)).unzip();
        let bitbucket = BitbucketDataCenter::start_at("/bitbucket", CALLBACK, tls);
        let (key, public_key) = key();
        {
            let mut site = bitbucket.stage.world();
            site.version = "6.10.17";
            site.consumer.public_key = public_key;
        }
        Self { bitbucket, key, ca }
    }

    fn app(&self, consumer_key: &str, private_key: &str) -> App {
        let login = LoginApp::OAuth1 {
            consumer_key: consumer_key.to_owned(),
            private_key: SecretString::from(private_key.to_owned()),
        };
        App { login, ..app(PlatformKind::BitbucketDataCenter, self.bitbucket.url(), "", "") }
    }

    fn world(&self, consumer_key: &str, private_key: &str) -> World {
        let settings = Settings { ca_bundle: self.ca.clone(), ..settings() };
        self.world_with(self.app(consumer_key, private_key), &settings)
    }

    fn world_with(&self, app: App, settings: &Settings) -> World {
        World::new(app, settings, Visitor::new(self.bitbucket.stage.address, &["localhost"]))
    }
}

fn start() -> (Old, World) {
    let old = Old::start(None);
    let world = old.world("packages", &old.key);
    (old, world)
}

/// A private key in PEM, and its public half in DER.
fn key() -> (String, Vec<u8>) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    (pem, pair.public_key().as_ref().to_vec())
}

#[tokio::test]
async fn three_legs_lead_to_a_person_by_a_private_authority_and_a_proxy() {
    let old = Old::start(Some(Authority::new()));
    let proxy = ForwardProxy::start(None);
    let proxy_address = Some(format!("http://{}", proxy.address));
    let settings = Settings { proxy: proxy_address, ca_bundle: old.ca.clone(), ..settings() };
    let world = old.world_with(old.app("packages", &old.key), &settings);
    let id = old.bitbucket.user("jane doe@corp.io");
    let (departure, returned) = world.allowed("jane doe@corp.io").await;
    assert_eq!(departure.url.path(), "/bitbucket/plugins/servlet/oauth/authorize");
    let jane = world.identify(&departure, &returned).await.unwrap();
    assert_eq!((jane.subject, jane.login.as_str()), (id.to_string(), "jane doe@corp.io"));
    assert_eq!(jane.email, Some(Email { address: "jane_doe_corp.io@example.com".to_owned(), verified: false }));
    let calls: Vec<_> = old.bitbucket.stage.take_log().iter().map(|asked| asked.path.clone()).collect();
    let servlet = "/bitbucket/plugins/servlet/oauth";
    let expected = [
        &format!("{servlet}/request-token"),
        &format!("{servlet}/authorize"),
        &format!("{servlet}/authorize"),
        &format!("{servlet}/access-token"),
        "/bitbucket/rest/api/1.0/users",
        "/bitbucket/rest/api/1.0/users/jane_doe_corp.io",
    ];
    assert_eq!(calls, expected);
    assert!(proxy.take_log().iter().all(|asked| asked.line.starts_with("CONNECT localhost:")));
    assert_eq!(
        world.diagnosis().await,
        format!(
            "ok: Corp Forge answers at {}: version 6.10.17.\n\
             ok: Corp Forge accepts `consumer_key`, and what is signed with `private_key`.",
            old.bitbucket.url()
        )
    );
}

#[tokio::test]
async fn people_stay_who_they_are_when_oauth_2_comes() {
    let (old, world) = start();
    old.bitbucket.user("ada");
    let before = world.log_in("ada").await.unwrap();
    old.bitbucket.stage.world().version = "8.19.4";
    let said = world.diagnosis().await;
    assert!(said.contains("warn: Bitbucket 8.19 has OAuth 2.0"), "{said}");
    let (id, secret) = (&old.bitbucket.client_id, &old.bitbucket.client_secret);
    let app = app(PlatformKind::BitbucketDataCenter, old.bitbucket.url(), id, secret);
    assert_eq!(old.world_with(app, &settings()).log_in("ada").await.unwrap(), before);
}

#[tokio::test]
async fn names_are_looked_for_by_signed_questions_too() {
    let (old, world) = start();
    let id = old.bitbucket.user("jörg & söhne");
    old.bitbucket.change(id, |user| user.slug = "joerg".to_owned());
    assert_eq!(world.log_in("jörg & söhne").await.unwrap().subject, id.to_string());
    // An old server without the header is asked in the old way.
    old.bitbucket.stage.world().hides_caller = true;
    assert_eq!(world.log_in("jörg & söhne").await.unwrap().subject, id.to_string());
}

#[tokio::test]
async fn a_request_token_and_its_verifier_are_good_once_and_together() {
    let (old, world) = start();
    old.bitbucket.user("ada");
    let (departure, returned) = world.allowed("ada").await;
    let (another, _) = world.allowed("ada").await;
    let verifier = returned.get("oauth_verifier").unwrap();
    let mixed = Returned::parse(&format!("oauth_token={}&oauth_verifier={verifier}", another.state)).unwrap();
    assert!(told(world.identify(&another, &mixed).await).starts_with("stale: "));
    world.identify(&departure, &returned).await.unwrap();
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));

    let (departure, returned) = world.allowed("ada").await;
    old.bitbucket.pass(601);
    assert!(told(world.identify(&departure, &returned).await).starts_with("stale: "));

    let unproven = Returned::parse(&format!("oauth_token={}", departure.state)).unwrap();
    assert!(told(world.identify(&departure, &unproven).await).starts_with("malformed: "));
}

#[tokio::test]
async fn who_says_no_is_not_logged_in() {
    let (old, world) = start();
    old.bitbucket.user("ada");
    let departure = world.depart().await;
    let arrival = world.visitor.deny(&departure.url).await;
    old.bitbucket.stage.take_log();
    assert!(told(world.identify(&departure, &world.returned(&departure, &arrival)).await).starts_with("denied: "));
    let other_way = Returned::parse(&format!("denied={}", departure.state)).unwrap();
    assert!(told(world.identify(&departure, &other_way).await).starts_with("denied: "));
    assert!(old.bitbucket.stage.take_log().is_empty());
    let again = world.visitor.allow(&departure.url, "ada").await;
    assert!(matches!(again, Arrival::Page(400, _)), "{again:?}");
}

#[tokio::test]
async fn what_an_administrator_has_to_put_right_is_said_at_the_departure() {
    let (old, good) = start();
    let (other_key, _) = key();
    for (world, expected) in [
        (old.world("someone", &old.key), "no application link with the consumer key `someone`"),
        (old.world("packages", &other_key), "does not accept our signature"),
        (old.world("packages", "-----BEGIN PUBLIC KEY-----\n"), "public half"),
        (old.world("packages", "nonsense"), "no key in PEM"),
    ] {
        let error = world.connection.depart(&world.callback, packagist_selfhosted::platform::Who::Current).await;
        let said = error.unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("`corp`"), "{said}");
        let found = world.diagnosis().await;
        assert!(found.contains("fail: ") && found.contains(expected), "{found}");
    }
    for ahead in [-400, 400] {
        old.bitbucket.stage.world().clock = ahead;
        let said = good.diagnosis().await;
        assert!(said.contains("fail: ") && said.contains("clock"), "{said}");
    }
    old.bitbucket.stage.world().clock = 0;

    // OAuth 1.0 without the a: anybody could finish what anybody else began.
    old.bitbucket.stage.world().confirms_callbacks = false;
    let said = good.diagnosis().await;
    assert!(said.contains("fail: ") && said.contains("does not confirm our callback"), "{said}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let (old, world) = start();
    let problem = |name: &str| Fault::Answer(Reply::text(401, &format!("oauth_problem={name}&x=y")));
    let page =
        Reply::html(401, "<html>").with("www-authenticate", "OAuth realm=\"x\", oauth_problem=\"token_expired\"");
    for (fault, expected) in [
        (Fault::Page(200), "a page instead of data (HTTP 200)"),
        (Fault::Page(503), "HTTP 503"),
        (Fault::Redirect("/login"), "its API redirects (HTTP 302)"),
        (Fault::RateLimited(Some(600)), "Try again in 10 minutes"),
        (Fault::Answer(Reply::text(200, "")), "does not confirm"),
        (Fault::Answer(Reply::text(200, "oauth_callback_confirmed=true")), "holds none"),
        (Fault::Answer(Reply::json(404, &json!({}))), "HTTP 404"),
        (Fault::Answer(page), "too old, or was used before"),
        (problem("additional_authorization_required"), "`additional_authorization_required`"),
        (problem("permission_denied"), "was not allowed"),
        (problem("nonce_used"), "repeated"),
    ] {
        old.bitbucket.stage.heal();
        old.bitbucket.stage.fail("/request-token", fault.clone());
        let left = world.connection.depart(&world.callback, packagist_selfhosted::platform::Who::Current).await;
        let said = left.unwrap_err().to_string();
        assert!(said.contains(expected), "{fault:?}: {said}");
    }
}
