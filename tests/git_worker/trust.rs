//! Certificates that are not accepted, and what makes them so.

use rcgen::{BasicConstraints, IsCa, KeyPair, SanType, date_time_ymd};

use super::certificates::{Authority, leaf, server_config};
use super::git_server::GitServer;
use super::{Scene, VcsError};

/// A scene whose server shows this certificate. Its issuer is trusted.
fn showing(authority: Authority) -> Scene {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    scene.server = GitServer::start_with(&scene.directory.path().join("repositories"), Some(authority));
    scene.settings.outbound.ca_bundle = Some(scene.server.ca.clone());
    scene
}

/// A server's certificate that vouches for itself, in which it may call itself an authority's.
fn self_signed(is_ca: IsCa) -> Authority {
    let mut leaf = leaf();
    leaf.is_ca = is_ca;
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf.self_signed(&key).expect("a certificate");
    Authority { pem: certificate.pem(), server: server_config(certificate.der().clone(), key.serialize_der()) }
}

async fn told(scene: &mut Scene) -> String {
    let failed = scene.update().await.expect_err("it is not trusted");
    assert!(matches!(failed, VcsError::Tls { .. }) && failed.is_permanent(), "{failed:?}");
    assert!(scene.server.take_log().is_empty());
    failed.to_string()
}

#[tokio::test]
async fn an_unknown_authority_is_named() {
    let mut scene = showing(Authority::new());
    scene.settings.outbound.ca_bundle = None;
    let text = told(&mut scene).await;
    assert!(text.contains("\"Test authority\"") && text.contains("`ca_bundle` under [outbound]"), "{text}");
}

#[tokio::test]
async fn the_end_and_the_beginning_are_told() {
    let text = told(&mut showing(Authority::with(|leaf| leaf.not_after = date_time_ymd(2020, 2, 3)))).await;
    assert!(text.contains("expired on 2020-02-03"), "{text}");
    let text = told(&mut showing(Authority::with(|leaf| leaf.not_before = date_time_ymd(3000, 2, 3)))).await;
    assert!(text.contains("valid from 3000-02-03") && text.contains("clocks"), "{text}");
}

#[tokio::test]
async fn another_hosts_certificate_says_whose_it_is() {
    let other = SanType::DnsName("other.example.com".try_into().expect("a name"));
    let text = told(&mut showing(Authority::with(|leaf| leaf.subject_alt_names = vec![other]))).await;
    assert!(text.contains("it is for other.example.com") && text.contains("localhost"), "{text}");
    let text = told(&mut showing(Authority::with(|leaf| leaf.subject_alt_names.clear()))).await;
    assert!(text.contains("no subjectAltName"), "{text}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_where_it_is_listed() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut scene = showing(self_signed(is_ca));
        let own = scene.settings.outbound.ca_bundle.take();
        let text = told(&mut scene).await;
        assert!(text.contains("self-signed (\"Test server\")") && text.contains("`ca_bundle`"), "{text}");
        scene.settings.outbound.ca_bundle = own;
        scene.changed().await;
        scene.server.take_log();

        // It is trusted for its own names only.
        let failed = scene.update_from(&format!("https://127.0.0.2:{}/package.git", scene.server.port)).await;
        let text = failed.expect_err("another name").to_string();
        assert!(text.contains("127.0.0.2"), "{text}");
    }
}
