//! Who may be reached, one rule a test.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Guard, HostRule, Own, Refused, ResolveFailed, is_ours};

fn rules(texts: &[&str]) -> Vec<HostRule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn refuses(guard: &Guard, host: &str) -> bool {
    guard.check_host(host).is_err()
}

#[test]
fn what_only_this_machine_should_reach_is_refused() {
    let guard = Guard::default();
    for host in [
        "127.0.0.1",
        "127.8.9.1",
        "[::1]",
        "169.254.169.254",
        "169.254.0.7",
        "[fe80::1]",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "255.255.255.255",
        "0.1.2.3",
        "100.100.100.200",
        "168.63.129.16",
        "[fd20:ce::254]",
        "[::127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:0.0.0.0]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[ff02::1]",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
    ] {
        assert!(refuses(&guard, host), "{host}");
    }
}

#[test]
fn private_and_public_addresses_are_reached() {
    for host in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "[fd12::1]",
        "93.184.216.34",
        "[2001:db8::1]",
        "[2002:5db8:d822::1]",
        "[64:ff9b::5db8:d822]",
        "git.example.com",
    ] {
        assert!(!refuses(&Guard::default(), host), "{host}");
    }
}

#[test]
fn allow_exempts_and_deny_wins() {
    let guard = Guard {
        allow: rules(&["127.0.0.0/8", "git.test"]),
        deny: rules(&["127.0.0.2", "*.evil.test"]),
        ..Guard::default()
    };
    assert!(!refuses(&guard, "127.0.0.1"));
    assert!(guard.check_address("git.test", "127.0.0.1".parse().unwrap()).is_ok());
    assert!(guard.check_address("git.test", "::1".parse().unwrap()).is_ok());
    assert!(refuses(&guard, "127.0.0.2"));
    assert!(refuses(&guard, "a.evil.test"));
    assert!(!refuses(&guard, "evil.test"));
    assert!(!refuses(&guard, "notevil.test"));
}

#[test]
fn the_refusal_names_the_key() {
    let refused = Guard::default().check_host("127.0.0.1").unwrap_err();
    assert!(matches!(refused, Refused::Local { .. }));
    assert!(refused.to_string().contains("`allow` under [outbound]"), "{refused}");
}

#[test]
fn rules_are_read_and_written_alike() {
    for text in ["10.0.0.0/8", "git.example.com", "*.corp.example.com", "*", "::1/128"] {
        assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
    }
    for text in ["", "a b", "http://x", "*.", "10.0.0.0/99", "a..b"] {
        assert!(text.parse::<HostRule>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn names_are_checked_where_they_lead() {
    let refused = Guard::default().resolve("localhost").await.unwrap_err();
    assert!(refused.downcast_ref::<Refused>().is_some(), "{refused}");
    let allowed = Guard { allow: rules(&["localhost"]), ..Guard::default() };
    assert!(!allowed.resolve("localhost").await.unwrap().is_empty());
}

#[test]
fn this_server_itself_is_refused_by_address_port_and_name() {
    let own = Own {
        listen: vec!["10.1.2.3:8080".parse().unwrap(), "[::1]:8081".parse().unwrap()],
        public: Some(("packagist.example.com".to_owned(), 443)),
    };
    let guard = Guard { own, ..Guard::default() };
    let leads = |host: &str, endpoint: &str| guard.check_endpoint(host, endpoint.parse().unwrap());
    assert!(matches!(leads("git.test", "10.1.2.3:8080"), Err(Refused::Own { port: 8080, .. })));
    assert!(matches!(leads("git.test", "[::ffff:10.1.2.3]:8080"), Err(Refused::Own { .. })));
    leads("git.test", "10.1.2.3:443").unwrap();
    leads("git.test", "10.1.2.4:8080").unwrap();
    assert!(matches!(guard.check_target("10.1.2.3", 8080), Err(Refused::Own { .. })));
    guard.check_target("10.1.2.3", 22).unwrap();
    let refused = guard.check_target("Packagist.example.com.", 443).unwrap_err();
    assert!(refused.to_string().contains("this server itself"), "{refused}");
    guard.check_target("packagist.example.com", 8443).unwrap();

    let allowed = Guard { allow: rules(&["packagist.example.com", "10.1.2.3"]), ..guard };
    allowed.check_target("packagist.example.com", 443).unwrap();
    allowed.check_target("10.1.2.3", 8080).unwrap();
}

#[test]
fn listening_everywhere_means_every_address_of_this_machine() {
    let own = Own { listen: vec!["0.0.0.0:8080".parse().unwrap()], public: None };
    // Every address of the loopback network is this machine's, which stands for its others here.
    assert!(own.is("127.0.0.9:8080".parse().unwrap()));
    assert!(!own.is("127.0.0.9:8081".parse().unwrap()));
    assert!(is_ours("127.0.0.1".parse().unwrap()));
    // For documentation only (RFC 5737): no machine has it.
    assert!(!own.is("192.0.2.7:8080".parse().unwrap()));
}

#[test]
fn through_a_proxy_names_and_literals_are_still_refused() {
    let guard = Guard { deny: rules(&["*.evil.test"]), ..Guard::default() };
    for host in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "metadata.google.internal",
        "127.1",
        "[::1]",
        "169.254.169.254",
        "a.evil.test",
    ] {
        assert!(guard.check_proxied(host, 443).is_err(), "{host}");
    }
    guard.check_proxied("git.example.com", 443).unwrap();
    guard.check_proxied("10.0.0.1", 443).unwrap();
    Guard { allow: rules(&["localhost"]), ..guard }.check_proxied("localhost", 443).unwrap();
}

#[test]
fn of_a_good_and_a_bad_address_only_the_good_one_is_used() {
    let addresses: Vec<SocketAddr> =
        ["127.0.0.1:443", "10.0.0.1:443", "169.254.169.254:443"].iter().map(|text| text.parse().unwrap()).collect();
    let kept = Guard::default().reachable("git.test", addresses.clone()).unwrap();
    assert_eq!(kept, [addresses[1]]);
    let none = Guard::default().reachable("git.test", addresses[..1].to_vec()).unwrap_err();
    assert!(none.downcast_ref::<Refused>().is_some(), "{none}");
    let none = Guard::default().reachable("git.test", Vec::new()).unwrap_err();
    assert!(none.downcast_ref::<ResolveFailed>().is_some(), "{none}");
}

/// A name server that says one address first and another one afterwards, behind the guard.
struct Fickle {
    guard: Guard,
    asked: AtomicBool,
}

impl Resolve for Fickle {
    fn resolve(&self, name: Name) -> Resolving {
        let again = self.asked.swap(true, Ordering::SeqCst);
        let address = if again { "127.0.0.1:0" } else { "127.0.0.2:0" };
        let found = self.guard.reachable(name.as_str(), [address.parse().unwrap()]);
        Box::pin(async move { found.map(|addresses| Box::new(addresses.into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_at_each_connection() {
    let good = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = good.local_addr().unwrap().port();
    let bad = TcpListener::bind(("127.0.0.1", port)).unwrap();
    bad.set_nonblocking(true).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = good.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    });
    let guard = Guard { allow: rules(&["127.0.0.2"]), ..Guard::default() };
    let fickle = Fickle { guard, asked: AtomicBool::new(false) };
    let client = reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(fickle)).build().unwrap();
    let url = format!("http://rebound.test:{port}/");
    assert_eq!(client.get(&url).send().await.unwrap().status(), 204);
    server.join().unwrap();
    let refused = client.get(&url).send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("loopback"), "{refused:?}");
    assert!(bad.accept().is_err(), "nobody came");
}

#[test]
fn an_integrations_own_host_is_exempt_at_its_port_only() {
    let guard = Guard { exempt: vec![("localhost".into(), 8443), ("127.0.0.1".into(), 8443)], ..Guard::default() };
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    guard.check_target("127.0.0.1", 8443).unwrap();
    guard.check_endpoint("LOCALHOST.", at(8443)).unwrap();
    guard.check_proxied("localhost", 8443).unwrap();
    guard.check_target("127.0.0.1", 8444).unwrap_err();
    guard.check_endpoint("localhost", at(22)).unwrap_err();
    guard.check_endpoint("elsewhere.test", at(8443)).unwrap_err();
    guard.check_proxied("localhost", 8444).unwrap_err();
    let denied = Guard { deny: rules(&["127.0.0.0/8"]), ..guard };
    denied.check_target("127.0.0.1", 8443).unwrap_err();
    denied.check_endpoint("localhost", at(8443)).unwrap_err();
}
