//! The forms and refusals of addresses, one line each.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use super::{InvalidUrl, Scheme, SourceUrl, UrlPolicy};

fn lenient() -> UrlPolicy {
    UrlPolicy { allow_insecure: true, ..UrlPolicy::default() }
}

fn parse(text: &str) -> Result<SourceUrl, InvalidUrl> {
    SourceUrl::parse(text, &lenient())
}

#[test]
fn accepted_forms() {
    for (text, kept, scheme) in [
        ("https://git.example.com/a/b.git", "https://git.example.com/a/b.git", Scheme::Https),
        ("HTTPS://Git.Example.com:443/a/B", "https://git.example.com/a/B", Scheme::Https),
        ("https://org@dev.azure.com/org/p/_git/r", "https://dev.azure.com/org/p/_git/r", Scheme::Https),
        ("https://[::1]:8443/r", "https://[::1]:8443/r", Scheme::Https),
        ("http://git.example.com/r", "http://git.example.com/r", Scheme::Http),
        ("git://git.example.com/r", "git://git.example.com/r", Scheme::Git),
        ("ssh://git@git.example.com:2222/a/b.git", "ssh://git@git.example.com:2222/a/b.git", Scheme::Ssh),
        ("git+ssh://git@H.example/r", "ssh://git@h.example/r", Scheme::Ssh),
        ("git@github.com:a/b.git", "git@github.com:a/b.git", Scheme::Ssh),
        ("host.example:a/b", "host.example:a/b", Scheme::Ssh),
    ] {
        let url = parse(text).unwrap();
        assert_eq!((url.as_str(), url.scheme()), (kept, scheme), "{text}");
    }
}

#[test]
fn refusals() {
    let long = format!("https://h.example/{}", "a".repeat(2048));
    for (text, expected) in [
        ("", InvalidUrl::Empty),
        (long.as_str(), InvalidUrl::TooLong),
        ("-oProxyCommand=x", InvalidUrl::Option("beginning")),
        ("https://h.example/a\nb", InvalidUrl::Characters("a control character")),
        ("https://h.example/a%0ab", InvalidUrl::Characters("a control character")),
        ("git://h.example/a%00b", InvalidUrl::Characters("a control character")),
        (" https://h.example/a", InvalidUrl::Characters("white space at its beginning or end")),
        ("https://h.example\\a", InvalidUrl::Characters("a backslash")),
        ("https://u:secret@h.example/r", InvalidUrl::Secret),
        ("https://ghp_0123456789@github.com/a/b", InvalidUrl::Secret),
        ("ssh://u:secret@h.example/r", InvalidUrl::Secret),
        ("ssh://-luser@h.example/r", InvalidUrl::Option("user name")),
        ("ssh://%2dluser@h.example/r", InvalidUrl::Option("user name")),
        ("ssh://-oProxyCommand=x/r", InvalidUrl::Option("host")),
        ("-h:path", InvalidUrl::Option("beginning")),
        ("git@h.example:-path", InvalidUrl::Option("path")),
        ("ssh://git@h.example:path/r", InvalidUrl::Port),
        ("ssh://git@h.example:0/r", InvalidUrl::Port),
        ("ssh://git@h.example:65536/r", InvalidUrl::Port),
        ("https://h.example:99999/r", InvalidUrl::Port),
        ("https://h.example/", InvalidUrl::Path),
        ("https://h.example/r?x=1", InvalidUrl::Path),
        ("https://h.example/r#x", InvalidUrl::Path),
        ("https:///r", InvalidUrl::Host),
        ("ssh://h ost/r", InvalidUrl::Host),
        ("ext::sh -c id", InvalidUrl::Scheme("ext::".to_owned())),
        ("ftp://h.example/r", InvalidUrl::Scheme("ftp://".to_owned())),
        ("codecommit::eu-west-1://r", InvalidUrl::CodeCommit),
        ("file:///etc", InvalidUrl::OutsideFileRoots),
        ("/etc", InvalidUrl::OutsideFileRoots),
        ("./rel", InvalidUrl::OutsideFileRoots),
        ("C:/x", InvalidUrl::OutsideFileRoots),
        ("acme/x", InvalidUrl::OutsideFileRoots),
    ] {
        // `https:///r` is read as host `r` by the URL standard, which then has no path.
        let found = parse(text).unwrap_err();
        let same = found == expected || (text == "https:///r" && found == InvalidUrl::Path);
        assert!(same, "{text}: {found:?}");
    }
}

#[test]
fn unencrypted_addresses_need_the_switch() {
    for text in ["http://h.example/r", "git://h.example/r"] {
        let refused = SourceUrl::parse(text, &UrlPolicy::default()).unwrap_err();
        assert!(refused.to_string().contains("allow_insecure"), "{refused}");
    }
}

#[test]
fn a_refusal_never_repeats_the_secret() {
    let refused = parse("https://u:hunter2@h.example/r").unwrap_err();
    assert!(!refused.to_string().contains("hunter2"));
}

#[test]
fn one_repository_has_one_key() {
    let keys = [
        "https://Git.Example.com/a/b.git",
        "ssh://git@git.example.com/a/b/",
        "git@git.example.com:a/b.git",
        "https://git.example.com:443//a/%62",
    ];
    for text in keys {
        assert_eq!(parse(text).unwrap().key(), "git.example.com/a/b", "{text}");
    }
    assert_eq!(parse("https://h.example:8443/a").unwrap().key(), "h.example:8443/a");
    assert_ne!(parse("https://h.example/A").unwrap().key(), parse("https://h.example/a").unwrap().key());
}

#[test]
fn host_and_port_belong_to_the_credential() {
    assert_eq!(parse("https://h.example/r").unwrap().host_port(), Some(("h.example".to_owned(), 443)));
    assert_eq!(parse("ssh://h.example:2222/r").unwrap().host_port(), Some(("h.example".to_owned(), 2222)));
}

#[test]
fn local_paths_stay_below_their_roots() {
    let base = tempfile::tempdir().unwrap();
    let (root, outside, data) = (base.path().join("root"), base.path().join("outside"), base.path().join("root/data"));
    for directory in [root.join("repo"), outside.clone(), data.join("mirror"), base.path().join("rooted")] {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::os::unix::fs::symlink(&outside, root.join("escape")).unwrap();
    std::os::unix::fs::symlink(root.join("repo"), root.join("alias")).unwrap();
    let policy = UrlPolicy { file_roots: vec![root.clone()], allow_insecure: false, data_dir: data.clone() };
    let parse = |path: std::path::PathBuf| SourceUrl::parse(path.to_str().unwrap(), &policy);

    let repository = root.join("repo").canonicalize().unwrap();
    assert_eq!(parse(root.join("repo")).unwrap().as_str(), repository.to_str().unwrap());
    assert_eq!(parse(root.join("alias")).unwrap().as_str(), repository.to_str().unwrap());
    let by_scheme = format!("file://{}", repository.display());
    assert_eq!(SourceUrl::parse(&by_scheme, &policy).unwrap().scheme(), Scheme::File);

    assert_eq!(parse(root.join("escape")).unwrap_err(), InvalidUrl::OutsideFileRoots);
    assert_eq!(parse(root.join("../outside")).unwrap_err(), InvalidUrl::OutsideFileRoots);
    assert_eq!(parse(base.path().join("rooted")).unwrap_err(), InvalidUrl::OutsideFileRoots);
    assert_eq!(parse(data.join("mirror")).unwrap_err(), InvalidUrl::DataDirectory);
    assert_eq!(parse(root.join("absent")).unwrap_err(), InvalidUrl::NoSuchDirectory);

    let kept = parse(root.join("repo")).unwrap();
    std::fs::remove_dir(root.join("repo")).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("repo")).unwrap();
    assert_eq!(kept.recheck(&policy).unwrap_err(), InvalidUrl::OutsideFileRoots);
}
