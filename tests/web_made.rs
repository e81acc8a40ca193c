//! The pages of packages that are made here, on the real server: uploads that mean well, and uploads that do not.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "support/appliance.rs"]
mod appliance;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "http_support/client.rs"]
mod client;

use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use appliance::TestAppliance;
use client::{Request, Response};
use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::access::token::digest_of;
use packagist_selfhosted::http::connections::Limits;
use packagist_selfhosted::http::{self, Server, State};
use packagist_selfhosted::jobs::build_dist::Dists;
use packagist_selfhosted::secrets::random;
use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::ids::OrgId;
use packagist_selfhosted::store::{members, packages, sessions, users};
use packagist_selfhosted::telemetry::metrics;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use zip::write::{SimpleFileOptions, ZipWriter};

const NEW: &str = "/orgs/acme/packages/-/artifacts";
const LIB: &str = "/orgs/acme/packages/acme/lib";
const BOUNDARY: &str = "----------------boundary";

struct World {
    instance: TestAppliance,
    server: Server,
    address: SocketAddr,
    org: OrgId,
}

/// A part of a form: its field, what a file is called, and its content.
type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

async fn world() -> World {
    let instance = TestAppliance::start().await;
    let org = instance.organization("acme").await;
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
    World { instance, server, address, org }
}

fn body(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, file, content) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{file}\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn archive(name: &str, version: &str, more: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("composer.json", SimpleFileOptions::default()).unwrap();
    write!(zip, r#"{{"name": "{name}", "version": "{version}"}}"#).unwrap();
    zip.start_file("more", SimpleFileOptions::default()).unwrap();
    zip.write_all(more).unwrap();
    zip.finish().unwrap().into_inner()
}

impl World {
    /// The session's cookie of somebody who signed in.
    async fn browser(&self, name: &'static str, role: Role) -> String {
        let (org, now) = (self.org, self.instance.appliance.now());
        let cookie = random::hex::<32>();
        let digest = digest_of(cookie.as_bytes());
        let written = self.instance.appliance.database.write(move |tx| {
            let user = users::insert(tx, name, None, false, None, now)?;
            tx.changed(Change::User(user));
            let new = sessions::New { digest, user, account: None, address: None, agent: None };
            sessions::insert(tx, &new, now)?;
            members::set(org, tx, user, role, now)
        });
        written.await.unwrap();
        cookie
    }

    fn request(&self, cookie: &str, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
            .header("Accept", "text/html")
            .header("Origin", "https://packagist.example.com")
            .header("Cookie", &format!("__Host-session={cookie}"))
    }

    async fn page(&self, cookie: &str, path: &str) -> String {
        let answer = self.request(cookie, "GET", path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    async fn post(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf(cookie)).extend_pairs(fields);
        let request = self.request(cookie, "POST", path);
        request.header("Content-Type", "application/x-www-form-urlencoded").body(form.finish().as_bytes()).send().await
    }

    fn form(&self, cookie: &str, path: &str, body: &[u8]) -> Request {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(cookie, "POST", path).header("Content-Type", &kind).body(body)
    }

    /// Uploads as a browser does.
    async fn upload(&self, cookie: &str, path: &str, parts: &[Part<'_>]) -> Response {
        let token = csrf(cookie);
        let mut all: Vec<Part<'_>> = vec![("csrf", None, token.as_bytes())];
        all.extend(parts);
        self.form(cookie, path, &body(&all)).send().await
    }

    /// How many files lie in a folder below the data directory.
    fn files(&self, folder: &str) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.instance.appliance.settings.data_dir.join(folder))
    }

    /// Waits until no unfinished file is left; how many archives are stored then.
    async fn settled(&self) -> usize {
        let begun = Instant::now();
        while self.files("unfinished") > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "an unfinished file is left behind");
            tokio::task::yield_now().await;
        }
        self.files("dists")
    }

    /// Waits until a package has so many published versions.
    async fn publishes(&self, key: &'static str, versions: i64) {
        let begun = Instant::now();
        loop {
            let package = self.package(key).await.unwrap();
            if package.status == "ok" && package.versions == versions {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{}: {:?}", package.status, package.error);
            tokio::task::yield_now().await;
        }
    }

    async fn package(&self, key: &'static str) -> Option<packages::Package> {
        let org = self.org;
        self.instance.read(move |db| packages::by_url_key(org, db, key)).await
    }
}

fn csrf(cookie: &str) -> String {
    let digest = digest_of(format!("csrf\0{cookie}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn archives_are_uploaded_shown_replaced_and_taken_back() {
    let world = world().await;
    let ada = world.browser("ada", Role::Admin).await;
    assert!(world.page(&ada, "/orgs/acme/packages/new").await.contains(NEW));
    assert!(world.page(&ada, NEW).await.contains("multipart/form-data"));
    let (one, two) = (archive("acme/lib", "1.0.0", b"1"), archive("acme/lib", "1.1.0", b"2"));
    let both: [Part<'_>; 3] =
        [("version", None, b""), ("files", Some("one.zip"), &one), ("files", Some("C:\\tmp\\two.zip"), &two)];
    let answer = world.upload(&ada, NEW, &both).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    world.publishes("//artifact/acme/lib", 2).await;
    let page = world.page(&ada, &format!("{LIB}/artifacts")).await;
    for told in ["one.zip", "two.zip", "1.1.0", "ada", "SHA-256"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("C:\\tmp") && !page.contains(&format!("{LIB}/webhook")));
    assert!(page.contains(&format!("href=\"{LIB}/artifacts\"")));

    // One of two is refused: the other is taken, and what was typed comes back.
    let (other, three) = (archive("acme/lib", "1.0.0", b"other"), archive("acme/lib", "1.2.0", b"3"));
    let some: [Part<'_>; 2] = [("files", Some("other.zip"), &other), ("files", Some("three.zip"), &three)];
    let answer = world.upload(&ada, &format!("{LIB}/artifacts"), &some).await;
    assert_eq!(answer.status, 422);
    let text = answer.text();
    assert!(text.contains("One file was not taken") && text.contains("is there already, from one.zip"), "{text}");
    assert!(text.contains("The others were taken") && text.contains("acme/lib 1.2.0"), "{text}");
    world.publishes("//artifact/acme/lib", 3).await;
    let replacing: [Part<'_>; 2] = [("replace", None, b"on"), ("files", Some("other.zip"), &other)];
    assert_eq!(world.upload(&ada, &format!("{LIB}/artifacts"), &replacing).await.status, 303);
    let foreign = archive("acme/foreign", "1.0.0", b"");
    let answer = world.upload(&ada, &format!("{LIB}/artifacts"), &[("files", Some("f.zip"), &foreign)]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("says that it is acme/foreign, not acme/lib"), "{}", answer.text());
    let bare: [Part<'_>; 2] = [("version", None, b"9"), ("files", Some("f.zip"), &foreign)];
    let answer = world.upload(&ada, NEW, &bare).await;
    assert!(answer.status == 422 && answer.text().contains("value=\"9\""), "{}", answer.text());
    let nothing = world.upload(&ada, NEW, &[("files", Some(""), b"")]).await;
    assert!(nothing.status == 422 && nothing.text().contains("Choose the archives"), "{}", nothing.text());

    let remove = format!("{LIB}/artifacts/remove");
    let asked = world.post(&ada, &remove, &[("version", "1.1.0")]).await;
    assert!(asked.status == 200 && asked.text().contains("Take version"), "{}", asked.text());
    let done = world.post(&ada, &remove, &[("version", "1.1.0"), ("confirmed", "yes")]).await;
    assert_eq!(done.status, 303);
    assert!(!world.page(&ada, &format!("{LIB}/artifacts")).await.contains("two.zip"));
    assert_eq!(world.settled().await, 4, "archives stay for lock files");
    assert_eq!(world.request(&ada, "GET", &format!("{LIB}/definition")).send().await.status, 404);
    world.server.stop().await;
}

#[tokio::test]
async fn nothing_is_stored_for_whoever_may_not_send_it() {
    let world = world().await;
    let ada = world.browser("ada", Role::Admin).await;
    let mia = world.browser("mia", Role::Member).await;
    let zip = archive("acme/lib", "1.0.0", b"");
    let file: Part<'_> = ("files", Some("a.zip"), &zip);
    let token = csrf(&ada);
    let forms: [(&str, u16, Vec<Part<'_>>); 4] = [
        ("without a token", 403, vec![file]),
        ("with a wrong token", 403, vec![("csrf", None, b"0000"), file]),
        ("with the token behind the file", 403, vec![file, ("csrf", None, token.as_bytes())]),
        ("with a long token", 415, vec![("csrf", None, &[b'0'; 100_000]), file]),
    ];
    for (what, status, parts) in forms {
        let answer = world.form(&ada, NEW, &body(&parts)).send().await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    }
    assert_eq!(world.upload(&mia, NEW, &[file]).await.status, 403, "a member");
    let nobody = random::hex::<32>();
    let answer = world.upload(&nobody, NEW, &[file]).await;
    assert_eq!((answer.status, answer.header("location").unwrap().starts_with("/login")), (303, true));
    let foreign = Request::new(world.address, "POST", NEW)
        .header("Cookie", &format!("__Host-session={ada}"))
        .header("Origin", "https://evil.example")
        .header("Content-Type", &format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(&body(&[("csrf", None, token.as_bytes()), file]));
    assert_eq!(foreign.send().await.status, 403, "from elsewhere");
    // Pages without files take no such form.
    let answer = world.upload(&ada, "/orgs/acme/packages/-/block", &[("name", None, b"acme/x")]).await;
    assert_eq!(answer.status, 415, "{}", answer.text());
    assert_eq!(world.settled().await, 0);
    assert!(world.package("//artifact/acme/lib").await.is_none());
    world.server.stop().await;
}

#[tokio::test]
async fn what_is_too_large_or_broken_leaves_nothing_behind() {
    let world = world().await;
    let ada = world.browser("ada", Role::Admin).await;
    let token = csrf(&ada);
    let large = vec![7; 5 << 20];
    let answer = world.upload(&ada, NEW, &[("files", Some("large.zip"), &large), ("version", None, b"1.0")]).await;
    assert_eq!(answer.status, 413);
    let text = answer.text();
    assert!(
        text.contains("more than 2 MiB") && text.contains("max_upload") && text.contains("value=\"1.0\""),
        "{text}"
    );
    let half = vec![7; (1 << 20) + (1 << 19)];
    let many: Vec<Part<'_>> = (0..3).map(|_| ("files", Some("half.zip"), half.as_slice())).collect();
    assert_eq!(world.upload(&ada, NEW, &many).await.status, 413, "together");
    let many: Vec<Part<'_>> = (0..101).map(|_| ("files", Some("a.zip"), b"".as_slice())).collect();
    assert_eq!(world.upload(&ada, NEW, &many).await.status, 413, "too many");
    assert_eq!(world.upload(&ada, NEW, &[("version", None, &half)]).await.status, 413, "a field as large as a file");
    assert_eq!(world.settled().await, 0);

    let zip = archive("acme/lib", "1.0.0", b"");
    let whole = body(&[("csrf", None, token.as_bytes()), ("files", Some("a.zip"), &zip)]);
    for (what, bytes) in [
        ("no end", &whole[..whole.len() - 10]),
        ("no file", &whole[..whole.len() - zip.len()]),
        ("nonsense", b"nonsense".as_slice()),
        ("nothing", b""),
    ] {
        let answer = world.form(&ada, NEW, bytes).send().await;
        assert!(matches!(answer.status, 403 | 415), "{what}: {}", answer.status);
    }
    let boundless = world.request(&ada, "POST", NEW).header("Content-Type", "multipart/form-data").body(&whole);
    assert_eq!(boundless.send().await.status, 415);
    // Somebody who goes away in the middle.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let file = [body(&[("csrf", None, token.as_bytes()), ("files", Some("a.zip"), &half)])].concat();
    let bytes = world.form(&ada, NEW, &file).bytes();
    stream.write_all(&bytes[..bytes.len() / 2]).await.unwrap();
    let begun = Instant::now();
    while world.files("unfinished") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is received");
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(world.settled().await, 0);
    assert!(world.package("//artifact/acme/lib").await.is_none());
    let answer = world.form(&ada, NEW, &whole).send().await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    world.publishes("//artifact/acme/lib", 1).await;
    world.server.stop().await;
}

#[tokio::test]
async fn json_is_written_and_names_are_blocked() {
    let world = world().await;
    let ada = world.browser("ada", Role::Admin).await;
    let new = "/orgs/acme/packages/-/custom";
    let broken = "[\n{\"name\": \"acme/meta\", \"version\": \"1.0\",\n\"type\": \"metapackage\", \"require\": 5}]";
    let answer = world.post(&ada, new, &[("json", broken)]).await;
    assert_eq!(answer.status, 422);
    let text = answer.text();
    assert!(text.contains("Line 3: $[0].require must be") && text.contains("metapackage"), "{text}");
    let good = r#"{"name": "acme/meta", "version": "1.0", "type": "metapackage"}"#;
    assert_eq!(world.post(&ada, new, &[("json", good)]).await.status, 303);
    world.publishes("//custom/acme/meta", 1).await;
    let again = world.post(&ada, new, &[("json", good)]).await;
    assert!(again.status == 422 && again.text().contains("has acme/meta already"), "{}", again.text());
    let definition = "/orgs/acme/packages/acme/meta/definition";
    assert!(world.page(&ada, definition).await.contains("&quot;acme/meta&quot;"));
    let two = r#"[{"name": "acme/meta", "version": "1.0", "type": "metapackage"}, {"name": "acme/meta", "version": "2", "type": "metapackage"}]"#;
    assert_eq!(world.post(&ada, definition, &[("json", two)]).await.status, 303);
    world.publishes("//custom/acme/meta", 2).await;
    let answer = world.post(&ada, definition, &[("json", "{")]).await;
    assert!(answer.status == 422 && answer.text().contains("ine 1 column"), "{}", answer.text());
    let settings = world.page(&ada, "/orgs/acme/packages/acme/meta/settings").await;
    assert!(settings.contains("Credential") && !settings.contains("Repository <span"), "{settings}");
    let saved = world.post(&ada, "/orgs/acme/packages/acme/meta/settings", &[("fork", "on")]).await;
    assert_eq!(saved.status, 303, "{}", saved.text());

    let block = "/orgs/acme/packages/-/block";
    let answer = world.post(&ada, block, &[("name", "nonsense")]).await;
    assert!(answer.status == 422 && answer.text().contains("value=\"nonsense\""), "{}", answer.text());
    assert_eq!(world.post(&ada, block, &[("name", "Evil/Lib")]).await.status, 303);
    world.publishes("//blocked/evil/lib", 0).await;
    let page = world.page(&ada, "/orgs/acme/packages/evil/lib").await;
    assert!(
        page.contains("This name is blocked") && !page.contains("Webhook") && !page.contains("Update now"),
        "{page}"
    );
    let list = world.page(&ada, "/orgs/acme/packages").await;
    assert!(list.contains("blocked name") && list.contains("JSON"), "{list}");
    let sure = [("confirmed", "yes"), ("typed", "evil/lib")];
    assert_eq!(world.post(&ada, "/orgs/acme/packages/evil/lib/remove", &sure).await.status, 303);
    assert!(world.package("//blocked/evil/lib").await.is_none());
    world.server.stop().await;
}
