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
        ("ssh://git@bitbucket.corp:7999/~jdoe/lib.git", "ssh://git@bitbucket.corp:7999/~jdoe/lib.git", Scheme::Ssh),
        ("git+ssh://git@H.example/r", "ssh://git@h.example/r", Scheme::Ssh),
        ("git@github.com:a/b.git", "git@github.com:a/b.git", Scheme::Ssh),
        ("host.example:a/b", "host.example:a/b", Scheme::Ssh),
        ("git@host.example:/srv/r.git", "git@host.example:/srv/r.git", Scheme::Ssh),
        ("git@ssh.dev.azure.com:v3/o/p/r", "git@ssh.dev.azure.com:v3/o/p/r", Scheme::Ssh),
        ("ssh+git://git@h.example/r", "ssh://git@h.example/r", Scheme::Ssh),
        ("ssh://git@[::1]:2222/r", "ssh://git@[::1]:2222/r", Scheme::Ssh),
        (
            "ssh://APKAEXAMPLE@git-codecommit.us-east-2.amazonaws.com/v1/repos/R",
            "ssh://APKAEXAMPLE@git-codecommit.us-east-2.amazonaws.com/v1/repos/R",
            Scheme::Ssh,
        ),
        ("git://[::1]/r", "git://[::1]/r", Scheme::Git),
        ("svn://H.example:3691/r/trunk", "svn://h.example:3691/r/trunk", Scheme::Svn),
        ("svn+ssh://u@h.example:2222/r", "svn+ssh://u@h.example:2222/r", Scheme::SvnSsh),
        ("https://u:@h.example/r", "https://h.example/r", Scheme::Https),
        ("https://h.example/my%20proj.git", "https://h.example/my%20proj.git", Scheme::Https),
        ("https://h.example/my proj", "https://h.example/my%20proj", Scheme::Https),
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
        ("https://h.example/?x=1", InvalidUrl::Path),
        ("https://h.example/r?x=1", InvalidUrl::Path),
        ("https://h.example/r#x", InvalidUrl::Path),
        ("https:///r", InvalidUrl::Host),
        ("ssh://h ost/r", InvalidUrl::Host),
        ("ext::sh -c id", InvalidUrl::Scheme("ext::".to_owned())),
        ("ftp://h.example/r", InvalidUrl::Scheme("ftp://".to_owned())),
        ("file:///etc", InvalidUrl::OutsideFileRoots),
        ("/etc", InvalidUrl::OutsideFileRoots),
        ("./rel", InvalidUrl::OutsideFileRoots),
        ("C:/x", InvalidUrl::OutsideFileRoots),
        ("../rel", InvalidUrl::OutsideFileRoots),
        ("~/x", InvalidUrl::OutsideFileRoots),
        ("file://host/x", InvalidUrl::OutsideFileRoots),
        ("file:///srv/%0ax", InvalidUrl::Characters("a control character")),
        ("//host/x", InvalidUrl::OutsideFileRoots),
        ("acme/x", InvalidUrl::Form),
        ("git@github.com/a/b", InvalidUrl::Form),
        ("https:/h.example/r", InvalidUrl::Form),
        ("https:h.example/r", InvalidUrl::Form),
        ("git@[::1]:a/b", InvalidUrl::Ipv6),
        ("[::1]:a/b", InvalidUrl::Ipv6),
        ("user:hunter2@h.example:a/b", InvalidUrl::Secret),
        ("user:hunter2@h.example/a/b", InvalidUrl::Secret),
        ("https://:hunter2@h.example/r", InvalidUrl::Secret),
        ("git://user@h.example/r", InvalidUrl::User),
        ("ssh://us er@h.example/r", InvalidUrl::User),
        ("ssh://u%0a@h.example/r", InvalidUrl::Characters("a control character")),
        ("git@h.example:", InvalidUrl::Path),
        ("git@-h.example:a/b", InvalidUrl::Option("host")),
        ("-git@h.example:a/b", InvalidUrl::Option("beginning")),
        ("h.example:-oProxyCommand=x", InvalidUrl::Option("path")),
        ("git://h.example/-x", InvalidUrl::Option("path")),
        ("ssh://git@h.example/%2dx", InvalidUrl::Option("path")),
        ("https://-h.example/r", InvalidUrl::Option("host")),
        ("https://%2dh.example/r", InvalidUrl::Option("host")),
        ("https://h.example:0/r", InvalidUrl::Port),
        ("git://h.example:x/r", InvalidUrl::Port),
        ("https://h%0a.example/r", InvalidUrl::Host),
        ("ssh://h%0a.example/r", InvalidUrl::Host),
        ("ssh://h$(id)/r", InvalidUrl::Host),
        ("ssh://[::1/r", InvalidUrl::Host),
        ("ssh://[zz]/r", InvalidUrl::Host),
        ("https://h.example/a\tb", InvalidUrl::Characters("a control character")),
        ("https://h.example/a\u{7f}b", InvalidUrl::Characters("a control character")),
        ("https://h.example/a%7fb", InvalidUrl::Characters("a control character")),
        ("https://h.example/a%00", InvalidUrl::Characters("a control character")),
        ("https://h.example/a ", InvalidUrl::Characters("white space at its beginning or end")),
        ("https://h.example/%ff", InvalidUrl::Characters("bytes that are not UTF-8")),
        ("svn://u@h.example/r", InvalidUrl::User),
        ("svn+ssh://-oProxyCommand=x/r", InvalidUrl::Option("host")),
        ("svn+foo://h.example/r", InvalidUrl::Scheme("svn+foo://".to_owned())),
        ("git+https://h.example/r", InvalidUrl::Scheme("git+https://".to_owned())),
        ("fd::17/foo", InvalidUrl::Scheme("fd::".to_owned())),
        ("hg::https://h.example/r", InvalidUrl::Scheme("hg::".to_owned())),
        ("javascript://h.example/r", InvalidUrl::Scheme("javascript://".to_owned())),
    ] {
        assert_eq!(parse(text).unwrap_err(), expected, "{text}");
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
    for text in [
        "https://u:hunter2@h.example/r",
        "u:hunter2@h.example:r",
        "u:hunter2@h.example::r",
        "https:/u:hunter2@h.example/r",
        "u:hunter2@h.example://r",
        "ftp://u:hunter2@h.example/r",
        "codecommit::eu-west-1://u:hunter2@r",
    ] {
        let refused = parse(text).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
    }
    assert!(parse("https://u:hunter2@h.example/r").unwrap_err().to_string().contains("credential add"));
}

#[test]
fn codecommits_helper_has_an_ordinary_address() {
    let host = "https://git-codecommit";
    for (text, address) in [
        ("codecommit::eu-west-1://Repo", format!("{host}.eu-west-1.amazonaws.com/v1/repos/Repo")),
        ("codecommit::eu-west-1://ci@my.repo_1", format!("{host}.eu-west-1.amazonaws.com/v1/repos/my.repo_1")),
        ("codecommit::cn-north-1://Repo", format!("{host}.cn-north-1.amazonaws.com.cn/v1/repos/Repo")),
        ("codecommit::us-gov-west-1://Repo", format!("{host}.us-gov-west-1.amazonaws.com/v1/repos/Repo")),
        ("codecommit::us-iso-east-1://Repo", format!("{host}.us-iso-east-1.c2s.ic.gov/v1/repos/Repo")),
        ("codecommit::us-isob-east-1://Repo", format!("{host}.us-isob-east-1.sc2s.sgov.gov/v1/repos/Repo")),
    ] {
        assert_eq!(parse(text).unwrap().as_str(), address, "{text}");
    }
    for (text, offer) in [
        ("codecommit://ci@Repo", format!("{host}.<region>.amazonaws.com/v1/repos/Repo")),
        ("codecommit::eu-west-1://a/b", format!("{host}.eu-west-1.amazonaws.com/v1/repos/<repository>")),
        ("codecommit::evil.com/x?://Repo", format!("{host}.<region>.amazonaws.com/v1/repos/Repo")),
        ("codecommit:", format!("{host}.<region>.amazonaws.com/v1/repos/<repository>")),
    ] {
        let refused = parse(text).unwrap_err();
        assert_eq!(refused, InvalidUrl::CodeCommit(offer.clone()), "{text}");
        assert!(refused.to_string().contains(&offer));
    }
}

#[test]
fn a_repository_that_is_all_of_its_host_has_one_key() {
    for text in ["https://h.example", "https://h.example/", "https://H.example:443//"] {
        assert_eq!(parse(text).unwrap().key(), "h.example", "{text}");
    }
    assert_eq!(parse("https://h.example:8443/").unwrap().key(), "h.example:8443");
}

#[test]
fn a_repository_of_codecommit_has_one_key() {
    for text in [
        "https://git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo",
        "https://git-codecommit-fips.us-east-2.amazonaws.com/v1/repos/My.Repo",
        "ssh://APKAEXAMPLE@git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo",
        "codecommit::us-east-2://profile@My.Repo",
        "https://vpce-0a1b2c-3d4e.git-codecommit.us-east-2.vpce.amazonaws.com/v1/repos/My.Repo",
        "https://git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo/",
        "https://alice-at-111122223333@git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo.git",
    ] {
        let key = parse(text).unwrap().key();
        assert_eq!(key, "git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo", "{text}");
    }
    for (text, lacks) in [
        ("ssh://git-codecommit.us-east-2.amazonaws.com/v1/repos/R", true),
        ("ssh://APKAEXAMPLE@git-codecommit.us-east-2.amazonaws.com/v1/repos/R", false),
        ("https://git-codecommit.us-east-2.amazonaws.com/v1/repos/R", false),
        ("ssh://git.example.com/v1/repos/R", false),
    ] {
        assert_eq!(parse(text).unwrap().lacks_key_id(), lacks, "{text}");
    }
    let shown = "codesuite/codecommit/repositories/My.Repo/browse/refs/heads/main";
    for (text, host) in [
        (format!("https://us-east-2.console.aws.amazon.com/{shown}?region=us-east-2"), "us-east-2.amazonaws.com"),
        (format!("https://console.aws.amazon.com/{shown}?region=eu-west-1"), "eu-west-1.amazonaws.com"),
        (format!("https://cn-north-1.console.amazonaws.cn/{shown}"), "cn-north-1.amazonaws.com.cn"),
        ("https://git-codecommit.us-east-2.amazonaws.com/v1/repos/My.Repo/?x#y".to_owned(), "us-east-2.amazonaws.com"),
    ] {
        let ordinary = format!("https://git-codecommit.{host}/v1/repos/My.Repo");
        assert_eq!(parse(&text).unwrap().as_str(), ordinary, "{text}");
    }
    for text in [
        format!("https://console.aws.amazon.com/{shown}"),
        format!("https://console.aws.amazon.com.evil.example/{shown}"),
    ] {
        assert_eq!(parse(&text).unwrap().as_str(), text, "nobody knows where that is");
    }
    let elsewhere = parse("https://git-codecommit-fips.us-east-2.example.com/v1/repos/R").unwrap().key();
    assert_eq!(elsewhere, "git-codecommit-fips.us-east-2.example.com/v1/repos/R");
}

#[test]
fn a_repository_of_azure_devops_has_one_key() {
    for text in [
        "https://dev.azure.com/Org/My%20Project/_git/Repo",
        "https://Org@dev.azure.com/Org/My%20Project/_git/Repo?version=GBmain",
        "https://dev.azure.com/org/My%20Project/_git/_full/repo",
        "https://org.visualstudio.com/DefaultCollection/My%20Project/_git/Repo",
        "https://org.visualstudio.com/My%20Project/_git/_optimized/Repo",
        "git@ssh.dev.azure.com:v3/Org/My%20Project/Repo",
        "ssh://git@ssh.dev.azure.com/v3/Org/My%20Project/Repo",
        "org@vs-ssh.visualstudio.com:v3/org/My%20Project/Repo",
    ] {
        assert_eq!(parse(text).unwrap().key(), "dev.azure.com/org/my project/repo", "{text}");
    }
    for text in [
        "https://dev.azure.com/org/_git/Lib",
        "https://org.visualstudio.com/_git/lib",
        "https://dev.azure.com/org/lib/_git/lib",
    ] {
        assert_eq!(parse(text).unwrap().key(), "dev.azure.com/org/lib/lib", "{text}");
    }
    for text in [
        "https://tfs.example.com:8443/tfs/Collection/Project/_git/Repo",
        "https://tfs.example.com:8443/TFS/collection/project/_git/_full/repo?path=/",
    ] {
        assert_eq!(parse(text).unwrap().key(), "tfs.example.com:8443/tfs/collection/project/_git/repo", "{text}");
    }
    for text in [
        "https://tfs.example.com/tfs/Collection/_git/Lib",
        "https://tfs.example.com/tfs/Collection/lib/_git/Lib",
        "https://tfs.example.com/tfs/Collection/lib/_git/_optimized/lib",
    ] {
        assert_eq!(parse(text).unwrap().key(), "tfs.example.com/tfs/collection/_git/lib", "{text}");
    }
    // What stands there is the collection.
    assert_eq!(parse("https://tfs.example.com/lib/_git/lib").unwrap().key(), "tfs.example.com/lib/_git/lib");
    let over_ssh = parse("ssh://tfs.example.com:22/tfs/Collection/Project/_git/Repo").unwrap().key();
    assert_eq!(over_ssh, "tfs.example.com/tfs/collection/project/_git/repo");
    for shown in ["?version=GBmain&path=/x", "#path=/x", "/", "/branches", "/pullrequest/5?_a=files"] {
        let kept = parse(&format!("https://org@dev.azure.com/org/p/_git/r{shown}")).unwrap();
        assert_eq!(kept.as_str(), "https://dev.azure.com/org/p/_git/r", "{shown}");
    }
    for kept in ["https://org.visualstudio.com/p/_git/_full/r", "https://tfs.example.com/tfs/c/p/_git/team/r"] {
        assert_eq!(parse(kept).unwrap().as_str(), kept);
    }
    assert!(parse("https://h.example/r?version=GBmain").is_err());
}

#[test]
fn one_repository_has_one_key() {
    let keys = [
        "https://Git.Example.com/a/b.git",
        "ssh://git@git.example.com/a/b/",
        "git@git.example.com:a/b.git",
        "https://git.example.com:443//a/%62",
        "https://git.example.com/a/b/.git",
    ];
    for text in keys {
        assert_eq!(parse(text).unwrap().key(), "git.example.com/a/b", "{text}");
    }
    assert_eq!(parse("https://h.example:8443/a").unwrap().key(), "h.example:8443/a");
    assert_eq!(parse("ssh://git@h.example:22/a.GIT/").unwrap().key(), "h.example/a");
    assert_eq!(parse("https://h.example/.git").unwrap().key(), "h.example/.git");
    assert_eq!(parse("https://h.example/my%20proj").unwrap().key(), parse("git@h.example:my proj").unwrap().key());
    assert_ne!(parse("https://h.example/a%2fb").unwrap().key(), parse("https://h.example/a/b").unwrap().key());
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
    let policy = UrlPolicy { file_roots: vec![root.clone()], data_dir: data.clone(), ..UrlPolicy::default() };
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

#[test]
fn what_is_kept_is_never_longer_than_what_may_be_read_again() {
    let lenient = UrlPolicy { allow_insecure: true, ..UrlPolicy::default() };
    // An `ä` is two bytes as it is typed and six in an HTTP address as it is kept; the other forms keep it as it is.
    for start in ["https://h.example/", "http://h.example/", "ssh://h.example/", "git://h.example/", "u@h.example:"] {
        for count in [330, 340, 350, 1010, 1020] {
            let typed = format!("{start}{}", "ä".repeat(count));
            match SourceUrl::parse(&typed, &lenient) {
                Ok(url) => assert_eq!(SourceUrl::parse(url.as_str(), &lenient), Ok(url), "{start} and {count}"),
                Err(error) => assert_eq!(error, InvalidUrl::TooLong, "{start} and {count}"),
            }
        }
    }
    let refused = SourceUrl::parse(&format!("https://h.example/{}", "ä".repeat(350)), &lenient);
    assert_eq!(refused, Err(InvalidUrl::TooLong));
}

#[test]
fn plain_http_is_accepted_where_an_integration_is_spoken_to_so() {
    let policy = UrlPolicy { plain_hosts: vec![("git.example.com".into(), 8080)], ..UrlPolicy::default() };
    let url = SourceUrl::parse("http://git.example.com:8080/acme/lib.git", &policy).unwrap();
    url.recheck(&policy).unwrap();
    url.recheck(&UrlPolicy::default()).unwrap_err();
    for other in
        ["http://git.example.com/acme/lib.git", "http://other.example.com:8080/a.git", "git://git.example.com:8080/a"]
    {
        SourceUrl::parse(other, &policy).unwrap_err();
    }
}
