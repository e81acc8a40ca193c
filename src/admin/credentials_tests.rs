//! Which credential is for which address, and how its state is told.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use super::{Credential, Kind, check_secret, host, parse_host, require_enough, require_fit, status, username};
use crate::clock::Timestamp;
use crate::store::ids::CredentialId;
use crate::vcs::url::{SourceUrl, UrlPolicy};

fn credential(host: &str, port: Option<u16>) -> Credential {
    Credential {
        id: CredentialId(1),
        name: "git".to_owned(),
        kind: "http-basic".to_owned(),
        host: Some(host.to_owned()),
        port,
        username: Some("ci".to_owned()),
        status: "untested".to_owned(),
        expires_at: None,
        used_by: 0,
        public_key: None,
        secret_set_at: None,
        self_rotate: false,
        unrotated: None,
        lost_at: None,
    }
}

#[test]
fn hosts_are_read_as_addresses_have_them() {
    assert_eq!(parse_host(Kind::HttpBasic, "Git.Example.com").unwrap(), ("git.example.com".to_owned(), 443));
    assert_eq!(parse_host(Kind::HttpBasic, "git.example.com:8443").unwrap(), ("git.example.com".to_owned(), 8443));
    assert_eq!(parse_host(Kind::SshKey, "git.example.com").unwrap(), ("git.example.com".to_owned(), 22));
    assert_eq!(parse_host(Kind::SshKey, "git.example.com:443").unwrap(), ("git.example.com".to_owned(), 443));
    assert_eq!(parse_host(Kind::HttpBasic, "[::1]:8443").unwrap(), ("[::1]".to_owned(), 8443));
    for wrong in ["", "https://git.example.com", "a/b", "u@a", "a:0", "a:99999", "a b", "-a", "a?b", "a#b"] {
        assert!(parse_host(Kind::HttpBasic, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_credential_fits_its_host_and_port_only() {
    let policy = UrlPolicy { allow_insecure: true, ..UrlPolicy::default() };
    let fits =
        |credential: &Credential, url: &str| require_fit(credential, &SourceUrl::parse(url, &policy).unwrap()).is_ok();
    let usual = credential("git.example.com", None);
    assert!(fits(&usual, "https://GIT.example.com/a/b"));
    for elsewhere in [
        "https://git.example.com:8443/a",
        "https://example.com/a",
        "https://git.example.com.evil.test/a",
        "http://git.example.com/a",
    ] {
        assert!(!fits(&usual, elsewhere), "{elsewhere}");
    }
    assert!(fits(&credential("git.example.com", Some(8443)), "https://git.example.com:8443/a"));
}

#[test]
fn keys_open_ssh_addresses_and_nothing_else_does() {
    let policy = UrlPolicy::default();
    let fits = |credential: &Credential, url: &str| {
        require_fit(credential, &SourceUrl::parse(url, &policy).unwrap()).map_err(|error| error.to_string())
    };
    let key = Credential { kind: "ssh-key".to_owned(), ..credential("git.example.com", None) };
    for url in ["git@git.example.com:a/b", "ssh://git.example.com/a", "ssh://x@GIT.example.com:22/a"] {
        fits(&key, url).unwrap();
    }
    assert!(fits(&key, "ssh://git.example.com:2222/a").unwrap_err().contains("git.example.com:2222"));
    assert!(fits(&key, "https://git.example.com/a").unwrap_err().contains("ssh addresses only"));
    let basic = credential("git.example.com", Some(22));
    assert!(fits(&basic, "git@git.example.com:a/b").unwrap_err().contains("--type ssh-key"));
    let refused = require_enough(None, &SourceUrl::parse("git@h.example:a/b", &policy).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("--host h.example --generate"), "{refused}");
    assert_eq!(host(&key).as_deref(), Some("git.example.com"));
    let elsewhere = Credential { port: Some(443), ..key };
    assert_eq!(host(&elsewhere).as_deref(), Some("git.example.com:443"));
}

#[test]
fn secrets_stand_on_one_line() {
    assert!(check_secret("hunter2".into()).is_ok());
    for wrong in ["", "  ", "a\nb", "a\0b"] {
        assert!(check_secret(wrong.into()).is_err());
    }
}

#[test]
fn user_names_belong_to_basic() {
    assert!(username(Kind::HttpBasic, Some("ci".to_owned())).is_ok());
    assert!(username(Kind::HttpBasic, None).is_err());
    for (host, expected) in [
        ("dev.azure.com", Some("pat")),
        ("Org.VisualStudio.com:443", Some("pat")),
        ("git.example.com", None),
        ("visualstudio.com.example.com", None),
    ] {
        assert_eq!(Kind::HttpBasic.any_username(Some(host)), expected, "{host}");
        assert_eq!(Kind::HttpBasic.needs_username(None, Some(host)).is_ok(), expected.is_some(), "{host}");
    }
    assert!(username(Kind::HttpBasic, Some("a:b".to_owned())).is_err());
    assert!(username(Kind::HttpBearer, Some("ci".to_owned())).is_err());
    assert!(username(Kind::SshKey, Some("git".to_owned())).is_ok());
    for wrong in ["-oProxyCommand=x", "a;b", "a b", "%2dl"] {
        assert!(username(Kind::SshKey, Some(wrong.to_owned())).is_err(), "{wrong}");
    }
    assert!(username(Kind::BitbucketCloudAppPassword, None).is_err());
    assert!(username(Kind::GithubToken, None).is_ok());
}

#[test]
fn the_end_is_told_in_time() {
    let now = Timestamp::from_seconds(1_000_000_000);
    let ends = |seconds: i64| Credential {
        expires_at: Some(Timestamp::from_seconds(1_000_000_000 + seconds)),
        ..credential("a", None)
    };
    assert_eq!(status(&ends(0), now), "expired");
    assert_eq!(status(&ends(86_400), now), "expiring");
    assert_eq!(status(&ends(31 * 86_400), now), "untested");
    let set = Some(Timestamp::from_seconds(1_000_000_000 - 300 * 86_400));
    let by_itself = |days: i64| Credential { self_rotate: true, secret_set_at: set, ..ends(days * 86_400) };
    assert_eq!((status(&by_itself(20), now), status(&by_itself(11), now)), ("untested", "expiring"));
    let refused = Credential { unrotated: Some("No.".to_owned()), ..by_itself(20) };
    assert_eq!(status(&refused, now), "expiring");
}
