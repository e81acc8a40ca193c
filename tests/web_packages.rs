//! The pages of an organization's packages, on the real server with packages from real repositories: who sees what, what
//! forms do with what people type, and what becomes of what strangers wrote into their repositories.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/appliance.rs"]
mod appliance;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "http_support/client.rs"]
mod client;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/work_tree.rs"]
mod work_tree;

use std::net::SocketAddr;

use appliance::TestAppliance;
use client::{Request, Response};
use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::access::token::digest_of;
use packagist_selfhosted::appliance::PackageKey;
use packagist_selfhosted::http::connections::Limits;
use packagist_selfhosted::http::{self, Server, State};
use packagist_selfhosted::jobs::build_dist::Dists;
use packagist_selfhosted::secrets::random;
use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::ids::OrgId;
use packagist_selfhosted::store::members::{self, Person};
use packagist_selfhosted::store::{self, Tx, jobs, sessions, team_members, teams, users};
use packagist_selfhosted::telemetry::metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use work_tree::WorkTree;

struct World {
    instance: TestAppliance,
    server: Server,
    address: SocketAddr,
    org: OrgId,
    lib: PackageKey,
    secret: PackageKey,
}

/// Somebody's browser: the value of its session's cookie.
struct Browser {
    cookie: String,
}

const README: &str = "# Lib\n\n[![Build](https://evil.example/pixel.svg)](https://ci.example/lib)\n\n\
    <script>alert(1)</script> <img src=x onerror=alert(2)>\n\n[run](javascript:alert(3)) [local](docs/x.md)\n";
const MANIFEST: &str = r#"{"name": "acme/lib", "description": "A <b>library</b>", "license": "MIT",
    "homepage": "javascript:alert(4)", "require": {"php": ">=8.1", "acme/secret": "^1.0"},
    "support": {"issues": "javascript:alert(5)", "docs": "https://docs.example/", "email": "dev@example.com"},
    "suggest": {"acme/other": "<script>alert(6)</script>"}}"#;

async fn world() -> World {
    let instance = TestAppliance::start().await;
    let org = instance.organization("acme").await;
    let lib = WorkTree::init(&instance.repositories.join("lib"));
    lib.commit(&[("composer.json", MANIFEST), ("README.md", README)]);
    lib.git(&["tag", "v1.0.0"]);
    lib.git(&["tag", "release-final"]);
    let secret = WorkTree::init(&instance.repositories.join("secret"));
    secret.commit(&[("composer.json", r#"{"name": "acme/secret", "require": {"acme/lib": "^1.0"}}"#)]);
    secret.git(&["tag", "1.0.0"]);
    let (lib, _) = instance.import(org, &lib.url(), false).await;
    let (secret, _) = instance.import(org, &secret.url(), false).await;
    let settings = http::Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        tls: None,
        trusted_proxies: Vec::new(),
        metrics_token: None,
        public_url: "https://packagist.example.com".to_owned(),
        limits: Limits::of_files(1024),
        integrations: Vec::new(),
        configuration: Vec::new(),
        own: None,
    };
    let appliance = instance.appliance.clone();
    let state = State::new(appliance.clone(), Dists::new(appliance), metrics::install(), settings);
    let server = Server::start(state).unwrap();
    let address = server.addresses()[0];
    World { instance, server, address, org, lib, secret }
}

impl World {
    async fn write<T, F>(&self, change: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static,
    {
        self.instance.appliance.database.write(change).await.unwrap()
    }

    /// Somebody who signed in, with a role in the organization or without; `Collaborator` stands for nobody of it.
    async fn browser(&self, name: &'static str, role: Role) -> Browser {
        let (org, now, lib) = (self.org, self.instance.appliance.now(), self.lib.package);
        let cookie = random::hex::<32>();
        let digest = digest_of(cookie.as_bytes());
        self.write(move |tx| {
            let user = users::insert(tx, name, None, false, None, now)?;
            tx.changed(Change::User(user));
            let new = sessions::New { digest, user, account: None, address: None, agent: None };
            sessions::insert(tx, &new, now)?;
            if role != Role::Collaborator {
                members::set(org, tx, user, role, now)?;
            }
            if role == Role::Member {
                let team = teams::insert(org, tx, None, name, name, now)?;
                team_members::add(org, tx, team, Person::User(user), now)?;
                teams::grant(org, tx, team, lib)?;
            }
            Ok(())
        })
        .await;
        Browser { cookie }
    }

    fn request(&self, browser: Option<&Browser>, method: &str, path: &str) -> Request {
        let request = Request::new(self.address, method, path).header("Accept", "text/html");
        match browser {
            Some(browser) => request.header("Cookie", &format!("__Host-session={}", browser.cookie)),
            None => request,
        }
    }

    async fn get(&self, browser: &Browser, path: &str) -> Response {
        self.request(Some(browser), "GET", path).send().await
    }

    async fn page(&self, browser: &Browser, path: &str) -> String {
        let response = self.get(browser, path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.text()
    }

    async fn post(&self, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &browser.csrf());
        form.extend_pairs(fields);
        self.send(browser, path, &form.finish()).await
    }

    async fn send(&self, browser: &Browser, path: &str, form: &str) -> Response {
        let request = self.request(Some(browser), "POST", path);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        request.header("Origin", "https://packagist.example.com").body(form.as_bytes()).send().await
    }
}

impl Browser {
    fn csrf(&self) -> String {
        let digest = digest_of(format!("csrf\0{}", self.cookie).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const LIB: &str = "/orgs/acme/packages/acme/lib";
const SECRET: &str = "/orgs/acme/packages/acme/secret";
const TABS: [&str; 6] = ["", "/versions", "/dependents", "/readme", "/log", "/versions?version=v1.0.0"];

#[tokio::test]
async fn everybody_sees_what_they_may_and_no_trace_of_the_rest() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    let member = world.browser("mia", Role::Member).await;
    let stranger = world.browser("sam", Role::Collaborator).await;

    let all = world.page(&admin, "/orgs/acme/packages").await;
    assert!(all.contains("acme/lib") && all.contains("acme/secret") && all.contains("Add a package"));
    let some = world.page(&member, "/orgs/acme/packages").await;
    assert!(some.contains("acme/lib") && some.contains("1–1 of 1"), "{some}");
    for path in
        ["/orgs/acme", "/orgs/acme/packages", "/orgs/acme/packages?q=secret", "/orgs/acme/packages?sort=-updated"]
    {
        assert!(!world.page(&member, path).await.contains(SECRET), "{path}");
    }
    for tab in TABS {
        let page = world.page(&member, &format!("{LIB}{tab}")).await;
        assert!(!page.contains(SECRET), "{tab}: {page}");
        assert!(!page.contains("/webhook") && !page.contains("/settings"), "{tab}");
    }
    assert!(world.page(&admin, &format!("{LIB}/dependents")).await.contains(SECRET));
    assert!(!world.page(&member, &format!("{LIB}/dependents")).await.contains("acme/secret"));

    let nothing = world.get(&member, "/orgs/acme/packages/acme/nothing").await;
    assert_eq!(nothing.status, 404);
    let id = format!("/orgs/acme/packages/{}", world.secret.package);
    let nameless = format!("/orgs/acme/packages/-/{}", world.secret.package);
    let mut hidden: Vec<String> = TABS.iter().map(|tab| format!("{SECRET}{tab}")).collect();
    hidden.extend([id, nameless, format!("{SECRET}/events")]);
    let words = |answer: &Response| answer.text().replace(&answer.header("x-request-id").unwrap(), "");
    for path in hidden {
        let answer = world.get(&member, &path).await;
        assert_eq!((answer.status, words(&answer)), (404, words(&nothing)), "{path}");
    }
    for path in ["/webhook", "/settings", "/remove"] {
        assert_eq!(world.get(&member, &format!("{LIB}{path}")).await.status, 403, "{path}");
        assert_eq!(world.get(&member, &format!("{SECRET}{path}")).await.status, 403, "{path}");
    }
    let elsewhere = words(&world.get(&stranger, "/orgs/nowhere").await);
    for path in ["/orgs/acme", "/orgs/acme/packages", LIB] {
        let answer = world.get(&stranger, path).await;
        assert_eq!((answer.status, words(&answer)), (404, elsewhere.clone()), "{path}");
        let anonymous = world.request(None, "GET", path).send().await;
        assert_eq!(anonymous.status, 303, "{path}");
        assert!(anonymous.header("location").unwrap().starts_with("/login?next="), "{path}");
    }
    for path in ["/update", "/remove", "/forget", "/webhook", "/settings", "/accept"] {
        assert_eq!(world.post(&member, &format!("{LIB}{path}"), &[("confirmed", "yes")]).await.status, 403, "{path}");
        let foreign = world.send(&admin, &format!("{LIB}{path}"), "csrf=wrong&confirmed=yes").await;
        assert_eq!(foreign.status, 403, "{path}");
    }
    world.server.stop().await;
}

#[tokio::test]
async fn what_strangers_wrote_is_shown_and_does_nothing() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    for tab in TABS {
        let page = world.page(&admin, &format!("{LIB}{tab}")).await;
        for wrong in ["<script>", "alert(3)", "href=\"javascript", "onerror=", "evil.example", "<b>library", "<img"] {
            assert!(!page.contains(wrong), "{tab}: {wrong}: {page}");
        }
    }
    let overview = world.page(&admin, LIB).await;
    assert!(
        overview.contains("A &lt;b&gt;library&lt;/b&gt;") && overview.contains("https://docs.example/"),
        "{overview}"
    );
    assert!(overview.contains("mailto:dev@example.com") && overview.contains("composer require acme/lib:^1.0"));
    let readme = world.page(&admin, &format!("{LIB}/readme")).await;
    assert!(readme.contains("<h3>Lib</h3>") && readme.contains("rel=\"nofollow noopener noreferrer\""), "{readme}");
    assert!(readme.contains("https://ci.example/lib") && readme.contains("local"), "{readme}");
    let log = world.page(&admin, &format!("{LIB}/log")).await;
    assert!(log.contains("release-final") && log.contains("v1.0.0") && log.contains("1 branch or tag gives"), "{log}");
    let version = world.page(&admin, &format!("{LIB}/versions?version=v1.0.0")).await;
    assert!(version.contains("1.0.0.0") && version.contains("suggested"), "{version}");
    assert_eq!(world.get(&admin, &format!("{LIB}/versions?version=9.9.9")).await.status, 404);

    let repository = WorkTree::init(&world.instance.repositories.join("odd"));
    repository.commit(&[("composer.json", r#"{"name": "acme/odd"}"#), ("README", "plain <script>alert(1)</script>")]);
    std::fs::write(world.instance.repositories.join("odd/README"), b"\xff\xfe plain <script>").unwrap();
    repository.commit(&[]);
    let (odd, _) = world.instance.import(world.org, &repository.url(), false).await;
    let page = world.page(&admin, "/orgs/acme/packages/acme/odd/readme").await;
    assert!(page.contains("\u{fffd}\u{fffd} plain &lt;script&gt;"), "{page}");
    repository.commit(&[("README", &"x".repeat(1 << 20))]);
    world.instance.update(odd).await;
    let page = world.page(&admin, "/orgs/acme/packages/acme/odd/readme").await;
    assert!(page.contains("1.0 MB; up to 512 KiB"), "{page}");
    world.server.stop().await;
}

#[tokio::test]
async fn a_package_is_added_shown_and_removed_in_a_browser() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    let new = "/orgs/acme/packages/new";
    assert!(world.page(&admin, new).await.contains("Address of the repository"));
    for (url, said) in [
        ("", "Give the address"),
        ("ftp://x.example/<b>", "ftp://x.example/&lt;b&gt;"),
        ("https://", "value=\"https://\""),
    ] {
        let answer = world.post(&admin, new, &[("url", url), ("fork", "on")]).await;
        assert_eq!(answer.status, 422, "{url}");
        let text = answer.text();
        assert!(text.contains(said) && text.contains("role=\"alert\"") && text.contains("checked"), "{url}: {text}");
    }
    let odd = [("url", "https://x.example/a/b"), ("vcs", "svn"), ("package_path", "../x")];
    let answer = world.post(&admin, new, &odd).await;
    assert!(answer.status == 422 && answer.text().contains("is no path in a repository"));
    let missing = world.post(&admin, new, &[("url", "https://x.example/a/b"), ("credential", "none")]).await;
    assert_eq!(missing.status, 404);

    let repository = WorkTree::init(&world.instance.repositories.join("new"));
    repository.commit(&[("composer.json", r#"{"name": "acme/new"}"#)]);
    let added = world.post(&admin, new, &[("url", &repository.url())]).await;
    assert_eq!(added.status, 303);
    let place = added.header("location").unwrap();
    assert!(place.starts_with("/orgs/acme/packages/-/"), "{place}");
    let id = packagist_selfhosted::store::ids::PackageId(place.rsplit('/').next().unwrap().parse().unwrap());
    let key = PackageKey { org: world.org, package: id };
    world.instance.update(key).await;
    let page = world.page(&admin, "/orgs/acme/packages/acme/new").await;
    assert!(page.contains("dev-main") && page.contains("Up to date"), "{page}");
    let by_id = world.get(&admin, &format!("/orgs/acme/packages/{id}")).await;
    assert_eq!(by_id.header("location").as_deref(), Some("/orgs/acme/packages/acme/new"));

    let remove = "/orgs/acme/packages/acme/new/remove";
    assert!(world.page(&admin, remove).await.contains("1 version"));
    let wrong = world.post(&admin, remove, &[("confirmed", "yes"), ("typed", "acme/lib")]).await;
    assert_eq!(wrong.status, 422);
    let right = world.post(&admin, remove, &[("confirmed", "yes"), ("typed", "acme/new")]).await;
    assert_eq!(right.header("location").as_deref(), Some("/orgs/acme/packages"));
    assert_eq!(world.get(&admin, "/orgs/acme/packages/acme/new").await.status, 404);
    world.server.stop().await;
}

#[tokio::test]
async fn many_packages_are_changed_at_once() {
    let world = world().await;
    let owner = world.browser("olga", Role::Owner).await;
    let bulk = "/orgs/acme/packages/bulk";
    let nothing = world.post(&owner, bulk, &[("of", "selected"), ("action", "update")]).await;
    assert_eq!(nothing.status, 303);
    let id = world.secret.package.to_string();
    let updated = world.post(&owner, bulk, &[("of", "selected"), ("action", "update"), ("package", &id)]).await;
    assert_eq!(updated.header("location").as_deref(), Some("/orgs/acme/packages"));
    let asked = world.post(&owner, bulk, &[("of", "found"), ("action", "remove"), ("q", "acme")]).await;
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("Remove 2 packages?"), "{}", asked.text());
    let both = [("action", "remove"), ("q", "acme"), ("package", "1"), ("package", "2"), ("confirmed", "yes")];
    let mut typed = both.to_vec();
    typed.push(("typed", "1"));
    assert_eq!(world.post(&owner, bulk, &typed).await.status, 422);
    typed.pop();
    typed.push(("typed", "2"));
    assert_eq!(world.post(&owner, bulk, &typed).await.status, 303);
    assert!(world.page(&owner, "/orgs/acme/packages").await.contains("No packages yet"));
    world.server.stop().await;
}

#[tokio::test]
async fn settings_webhook_and_archives_are_an_admins() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    let webhook = format!("{LIB}/webhook");
    assert!(!world.page(&admin, &webhook).await.contains("/hooks/"));
    assert_eq!(world.post(&admin, &webhook, &[("confirmed", "yes")]).await.status, 303);
    let shown = world.page(&admin, &webhook).await;
    let address = shown.split("https://packagist.example.com/hooks/").nth(1).unwrap()[..64].to_owned();
    let called = Request::new(world.address, "POST", &format!("/hooks/{address}")).body(b"{}").send().await;
    assert_eq!(called.status, 202);
    let listed = world.page(&admin, &webhook).await;
    assert!(listed.contains("2 B") && listed.contains("something may be new"), "{listed}");
    assert!(listed.contains("How to enter it") && listed.contains("post-receive"), "{listed}");
    let made = world.post(&admin, &format!("{webhook}/secret"), &[("what", "make")]).await;
    let secret = made.text().split("id=\"secret\">").nth(1).unwrap()[..40].to_owned();
    assert!(!world.page(&admin, &webhook).await.contains(&secret), "it is shown once");
    let call = || Request::new(world.address, "POST", &format!("/hooks/{address}"));
    assert_eq!(call().body(b"{}").send().await.status, 401);
    assert_eq!(call().header("X-Webhook-Token", &secret).body(b"{}").send().await.status, 202);
    assert!(world.page(&admin, &webhook).await.contains("Its signature is missing or wrong"));
    let asked = world.post(&admin, &format!("{webhook}/secret"), &[("what", "remove")]).await;
    assert!(asked.status == 200 && asked.text().contains("without a secret?"), "{}", asked.text());
    let removed = world.post(&admin, &format!("{webhook}/secret"), &[("what", "remove"), ("confirmed", "yes")]).await;
    assert_eq!((removed.status, call().body(b"{}").send().await.status), (303, 202));
    let asked = world.post(&admin, &webhook, &[]).await;
    assert!(asked.status == 200 && asked.text().contains("in 24 hours"), "{}", asked.text());
    assert!(world.page(&admin, &webhook).await.contains(&address), "nothing changed yet");
    assert_eq!(world.post(&admin, &webhook, &[("confirmed", "yes")]).await.status, 303);
    assert!(!world.page(&admin, &webhook).await.contains(&address));

    let settings = format!("{LIB}/settings");
    assert!(world.page(&admin, &settings).await.contains("Remove the package…"));
    assert_eq!(world.post(&admin, &settings, &[("credential", ""), ("fork", "on")]).await.status, 303);
    let package = world.instance.package(world.lib).await;
    assert!(package.fork);

    let version = world.page(&admin, &format!("{LIB}/versions?version=v1.0.0")).await;
    let reference = version.split("name=\"reference\" value=\"").nth(1).unwrap()[..40].to_owned();
    let forget = format!("{LIB}/forget");
    let asked = world.post(&admin, &forget, &[("reference", &reference)]).await;
    assert!(asked.status == 200 && asked.text().contains("answered 410"));
    assert_eq!(world.post(&admin, &forget, &[("reference", &reference), ("confirmed", "yes")]).await.status, 303);
    assert!(world.page(&admin, &format!("{LIB}/versions")).await.contains("Purged"));
    let wrong = world.post(&admin, &forget, &[("reference", "main<b>"), ("confirmed", "yes")]).await;
    assert_eq!(wrong.status, 422);
    world.server.stop().await;
}

#[tokio::test]
async fn events_tell_how_the_work_goes_and_end_with_it() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    let idle = world.get(&admin, &format!("{LIB}/events")).await;
    assert_eq!(idle.header("content-type").as_deref(), Some("text/event-stream"));
    assert!(idle.text().contains("event: end"), "{}", idle.text());

    // A job in a lane that nobody works on stands for one that waits its turn.
    let (org, package, now) = (world.org, world.lib.package, world.instance.appliance.now());
    let job = world
        .write(move |tx| {
            let new = jobs::New {
                org: Some(org),
                package: Some(package),
                kind: "update_package",
                payload: "{}".to_owned(),
                dedupe_key: "test".to_owned(),
                lane: "nobody",
                run_at: now,
            };
            jobs::enqueue(tx, &new, now)
        })
        .await;
    assert!(world.page(&admin, LIB).await.contains(&format!("data-live=\"{LIB}/events\"")));
    let (path, watching) = (format!("{LIB}/events"), world.request(Some(&admin), "GET", &format!("{LIB}/events")));
    let watched = tokio::spawn(watching.send());
    let finish = async {
        // The listener may look before or after this: it is told either way.
        world.write(move |tx| jobs::finish(tx, job, "done", None, now)).await;
    };
    finish.await;
    let told = watched.await.unwrap();
    assert!(told.text().contains("event: end"), "{path}: {}", told.text());
    world.server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_listener() {
    let world = world().await;
    let admin = world.browser("ada", Role::Admin).await;
    let (org, package, now) = (world.org, world.lib.package, world.instance.appliance.now());
    world
        .write(move |tx| {
            let new = jobs::New {
                org: Some(org),
                package: Some(package),
                kind: "update_package",
                payload: "{}".to_owned(),
                dedupe_key: "test".to_owned(),
                lane: "nobody",
                run_at: now,
            };
            jobs::enqueue(tx, &new, now)
        })
        .await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!("GET {LIB}/events HTTP/1.1\r\nHost: x\r\nCookie: __Host-session={}\r\n\r\n", admin.cookie);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("Waits for its turn") {
        assert!(stream.read_buf(&mut heard).await.unwrap() > 0, "{}", String::from_utf8_lossy(&heard));
    }
    world.server.stop().await;
    // The end came by itself, long before a heartbeat would have found nobody.
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("event: end"));
}
