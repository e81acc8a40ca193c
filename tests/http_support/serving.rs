//! Pages, assets, probes, and the server itself.

use std::time::Duration;

use packagist_selfhosted::http::TlsFiles;
use packagist_selfhosted::store::database::Change;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{world, world_with};

#[tokio::test]
async fn the_landing_page_tells_how_to_begin() {
    let world = world().await;
    let page = world.anonymous("GET", "/").send().await;
    assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let html = page.text();
    assert!(html.contains("https://packages.example.com/repo/ORGANIZATION"));
    assert!(html.contains("http-basic.packages.example.com token YOUR_TOKEN"));
    assert!(!html.contains("acme"), "it does not tell which organizations there are");

    let links: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let assets: Vec<&&str> = links.iter().filter(|link| link.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 2, "{links:?}");
    for asset in assets {
        let plain = world.anonymous("GET", asset).send().await;
        assert_eq!(plain.status, 200, "{asset}");
        assert_eq!(plain.header("cache-control").as_deref(), Some("public, max-age=31536000, immutable"));
        let gzip = world.anonymous("GET", asset).header("Accept-Encoding", "gzip").send().await;
        assert_eq!(gzip.text(), plain.text());
    }
}

#[tokio::test]
async fn a_wrong_address_is_answered_in_the_asker_s_language() {
    let world = world().await;
    let browser = world.anonymous("GET", "/nothing").header("Accept", "text/html,*/*").send().await;
    assert_eq!((browser.status, browser.header("content-type").as_deref()), (404, Some("text/html; charset=utf-8")));
    assert!(browser.text().contains("There is nothing at this address"));
    let program = world.anonymous("GET", "/nothing").send().await;
    assert_eq!((program.status, program.header("content-type").as_deref()), (404, Some("application/json")));
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_the_token() {
    let open = world().await;
    assert_eq!(open.anonymous("GET", "/metrics").send().await.status, 200);
    let proxied = open.anonymous("GET", "/metrics").header("X-Forwarded-For", "127.0.0.1").send().await;
    assert_eq!(proxied.status, 404, "a proxy on this machine speaks for others");

    let world = world_with(|settings, _| settings.metrics_token = Some(SecretString::from("s3cret"))).await;
    let ask = |token: &str| {
        let request = world.anonymous("GET", "/metrics").header("X-Forwarded-For", "203.0.113.7");
        if token.is_empty() { request.send() } else { request.header("Authorization", token).send() }
    };
    assert_eq!(ask("Bearer s3cret").await.status, 200);
    for wrong in ["", "Bearer s3creT", "Bearer", "Bearer ", "Basic s3cret", "Bearer s3cret2"] {
        let refused = ask(wrong).await;
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.header("www-authenticate").is_some());
    }
}

#[tokio::test]
async fn a_stopping_server_ends_what_it_began() {
    let world = world().await;
    assert_eq!(world.anonymous("GET", "/readyz").send().await.text(), "ready\n");
    // Half a request: the server must wait for the rest of it, and answer.
    let (hook, _) = world.hook().await;
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    let head = format!("POST /hooks/{hook} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut continued = [0; 25];
    stream.read_exact(&mut continued).await.expect("the server wants the body");
    assert_eq!(&continued, b"HTTP/1.1 100 Continue\r\n\r\n");
    let stopping = tokio::spawn(world.server.stop());
    // Until nothing is accepted any more.
    while TcpStream::connect(world.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"hello").await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let first = world().await;
    let taken = first.address;
    let state = {
        let settings = packagist_selfhosted::http::Settings {
            listen: vec![taken],
            tls: None,
            trusted_proxies: Vec::new(),
            metrics_token: None,
            public_url: "https://packages.example.com".to_owned(),
            limits: packagist_selfhosted::http::connections::Limits::of_files(1024),
            integrations: Vec::new(),
            configuration: Vec::new(),
            own: None,
        };
        let dists = packagist_selfhosted::jobs::build_dist::Dists::new(first.appliance.clone());
        let metrics = packagist_selfhosted::telemetry::metrics::install();
        packagist_selfhosted::http::State::new(first.appliance.clone(), dists, metrics, settings)
    };
    let error = packagist_selfhosted::http::Server::start(state).err().expect("the port is taken").to_string();
    assert!(error.contains(&taken.to_string()) && error.contains("another program"), "{error}");
}

#[tokio::test]
async fn plain_http_has_no_http2() {
    let world = world().await;
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn https_speaks_http2() {
    let world = world_with(|settings, folder| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let files = TlsFiles { certificate: folder.join("tls.crt"), private_key: folder.join("tls.key") };
        std::fs::write(&files.certificate, made.cert.pem()).expect("written");
        std::fs::write(&files.private_key, made.signing_key.serialize_pem()).expect("written");
        settings.tls = Some(files);
    })
    .await;
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(20))
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/repo/acme/p2/acme/lib.json", world.address.port());
    let request = client.get(&url).basic_auth("token", Some(&world.reader)).header("Accept-Encoding", "gzip");
    let answer = request.send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let head = client.head(&url).basic_auth("token", Some(&world.reader)).send().await.expect("an answer");
    assert!(head.headers().contains_key("content-length"));
    let body = "x".repeat(100_000);
    let hook = world.hook().await.0;
    let posted =
        client.post(format!("https://localhost:{}/hooks/{hook}", world.address.port())).body(body).send().await;
    assert_eq!(posted.expect("an answer").status(), 202);
}

#[tokio::test]
async fn a_server_whose_database_hangs_is_not_ready() {
    let world = world().await;
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (held, is_held) = tokio::sync::oneshot::channel();
    let database = world.appliance.database.clone();
    let holding = tokio::spawn(async move {
        let holding = database.write(move |_| {
            held.send(()).expect("the test waits");
            gone.recv().expect("the test says when");
            Ok::<_, packagist_selfhosted::store::Error>(())
        });
        holding.await
    });
    is_held.await.expect("the writer runs it");
    let answer = world.anonymous("GET", "/readyz").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "the database does not answer\n"));
    assert_eq!(world.anonymous("GET", "/healthz").send().await.status, 200);
    go.send(()).expect("the writer waits");
    holding.await.expect("no panic").expect("an empty change is saved");
    assert_eq!(world.anonymous("GET", "/readyz").send().await.status, 200);
}

#[tokio::test]
async fn a_server_that_serves_what_is_old_is_not_ready() {
    let world = world().await;
    let org = world.acme;
    world
        .write(move |tx| {
            tx.execute_batch("UPDATE token SET description = hex(digest), digest = x'00' WHERE restricted = 1 AND id = (SELECT min(id) FROM token WHERE restricted = 1)")?;
            tx.changed(Change::Tokens(org));
            Ok(())
        })
        .await;
    let answer = world.anonymous("GET", "/readyz").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "what is served is older than the database\n"));
    assert_eq!(world.get(&world.reader, "/repo/acme/packages.json").await.status, 200);
    world
        .write(|tx| Ok(tx.execute_batch("UPDATE token SET digest = unhex(description) WHERE length(digest) = 1")?))
        .await;
    let answer = world.anonymous("GET", "/readyz").send().await;
    assert_eq!(answer.status, 200, "asking is enough for it to be tried again");
}
