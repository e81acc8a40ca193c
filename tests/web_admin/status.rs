//! How the server is, and what it was told.

use packagist_selfhosted::http::Configured;
use packagist_selfhosted::store::packages;

use crate::person::Person;
use crate::world::{START, world, world_with};

#[tokio::test]
async fn status_begins_with_what_needs_somebody() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    let well = root.get(&world, "/admin").await.text();
    assert!(!well.contains("Needs someone") && well.contains("Queue by lane"), "{well}");
    let (org, lib) = (world.acme, world.lib);
    world.write(move |tx| packages::set_refused(org, tx, lib, "failed", "no composer.json", None, START)).await;
    let ill = root.get(&world, "/admin").await.text();
    assert!(ill.contains("Needs someone") && ill.contains("Acme: 1 package cannot be updated"), "{ill}");
    assert!(ill.contains("/orgs/acme/packages?state=failed"), "{ill}");
}

#[tokio::test]
async fn a_certificate_that_ends_is_told() {
    let world = world_with(|settings, folder| {
        let mut made = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        made.not_after = rcgen::date_time_ymd(2026, 11, 25);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = made.self_signed(&key).expect("a certificate");
        let files = packagist_selfhosted::http::TlsFiles {
            certificate: folder.join("tls.crt"),
            private_key: folder.join("tls.key"),
        };
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        std::fs::write(&files.private_key, key.serialize_pem()).expect("written");
        settings.tls = Some(files);
    })
    .await;
    let status = packagist_selfhosted::admin::status::look(&world.appliance).await.expect("a look");
    assert!(status.database.is_none() && status.known.is_some());
    // The page itself is asked over HTTPS.
    let root = Person::signed_in(&world, "root", true).await;
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().expect("a client");
    let url = format!("https://localhost:{}/admin", world.address.port());
    let page = client.get(&url).header("Cookie", root.cookie()).send().await.expect("an answer");
    let html = page.text().await.expect("a page");
    assert!(html.contains("certificate ends soon") && html.contains("2026-11-25"), "{html}");
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let world = world_with(|settings, _| {
        let value = |key, value: Option<&str>, secret, source: &str| Configured {
            section: "server".to_owned(),
            key,
            value: value.map(str::to_owned),
            secret,
            source: source.to_owned(),
        };
        settings.configuration = vec![
            value("listen", Some("127.0.0.1:<8080>"), false, "config.toml:3:1"),
            value("metrics_token", Some("set"), true, "METRICS"),
            value("public_url", None, false, "default"),
        ];
    })
    .await;
    let root = Person::signed_in(&world, "root", true).await;
    let html = root.get(&world, "/admin/configuration").await.text();
    assert!(html.contains("127.0.0.1:&lt;8080&gt;") && html.contains("config.toml:3:1"), "{html}");
    assert!(html.contains("METRICS") && html.contains("not set"), "{html}");
}
