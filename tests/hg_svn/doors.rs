//! How servers are opened: passwords over TLS, keys over SSH.

use std::fs;

use super::forward_proxy::{ForwardProxy, Refusal};
use super::servers::{Apache, Mercurial, Subversion, write};
use super::sshd::Sshd;
use super::{insecure, served, token};

fn repositories(folder: &std::path::Path) -> (Mercurial, Subversion) {
    let hg = Mercurial::init(&folder.join("hg"));
    hg.commit(&[("composer.json", r#"{"name": "acme/hglib"}"#)], "1600000000 0");
    hg.hg(&["tag", "1.0.0"]);
    let svn = Subversion::create(&folder.join("svn"));
    svn.change("/trunk", |copy, _| write(copy, &[("composer.json", r#"{"name": "acme/svnlib"}"#)]));
    svn.svn(&["copy", "^/trunk", "^/tags/1.0.0"]);
    (hg, svn)
}

#[test]
fn passwords_go_over_tls_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (hg, svn) = repositories(folder.path());
    let hg_server = hg.serve();
    let apache = Apache::start(&svn.root, hg_server.port);
    let stranger = insecure(None);
    let host = format!("localhost:{}", apache.port);
    for (vcs, path) in [("hg", "hg"), ("svn", "svn/lib")] {
        let refused = stranger.command(&format!("package add {} --vcs {vcs} --wait", apache.url(path))).failed();
        assert!(refused.contains("TLS connection") && refused.contains("ca_bundle"), "{refused}");
    }
    drop(stranger);

    let installation = insecure(Some(&apache.ca));
    let add = format!("credential add web --type http-basic --host {host} --username ci --secret-stdin");
    installation.command_with(&add, "wrong").done();
    for (vcs, path, name) in [("hg", "hg", "acme/hglib"), ("svn", "svn/lib", "acme/svnlib")] {
        let url = apache.url(path);
        let closed = installation.command(&format!("package add {url} --vcs {vcs} --wait")).failed();
        assert!(closed.contains("asks for a credential"), "{closed}");
        installation.command(&format!("package remove {url}")).done();
        let wrong = installation.command(&format!("package add {url} --vcs {vcs} --credential web --wait")).failed();
        assert!(wrong.contains("did not accept the credential"), "{wrong}");
        assert!(!wrong.contains(name));
    }
    installation.command_with("credential rotate web --secret-stdin", Apache::PASSWORD).done();
    installation.command("package update --all --wait").done();
    let token = token(&installation);
    for name in ["acme/hglib", "acme/svnlib"] {
        let versions = served(&installation, &token, name);
        assert!(versions.contains_key("1.0.0.0"), "{versions:?}");
        let reference = versions["1.0.0.0"]["source"]["reference"].as_str().unwrap();
        let key = packagist_selfhosted::composer::reference::key(reference);
        super::archive(&installation, &token, name, &key);
    }
    let gone = apache.url("svn/nothing");
    let absent = installation.command(&format!("package add {gone} --vcs svn --credential web --wait")).failed();
    assert!(absent.contains("There is no repository at"), "{absent}");
    assert!(!holds(installation.folder.path(), Apache::PASSWORD.as_bytes()), "the password is in no file");

    // Redirects: to another host, and without an end.
    for (vcs, path, says) in [
        ("svn", "elsewhere/svn", "redirects to https://elsewhere.test"),
        ("hg", "elsewhere/hg", "redirects to https://elsewhere.test"),
        ("svn", "round/svn", "it redirects to"),
        ("hg", "round/hg", "it redirects to"),
    ] {
        let add = format!("package add {} --vcs {vcs} --credential web --wait", apache.url(path));
        let led = installation.command(&add).failed();
        assert!(led.contains(says), "{vcs} {path}: {led}");
    }
    assert!(served(&installation, &token, "acme/hglib").contains_key("1.0.0.0"), "the others go on");
}

#[test]
fn everything_goes_through_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let (hg, svn) = repositories(folder.path());
    let hg_server = hg.serve();
    let apache = Apache::start(&svn.root, hg_server.port);
    let proxy = ForwardProxy::start(Some(("agent", "pr0xy word")));
    let through = |password: &str| format!("proxy = \"http://agent:{password}@{}\"\n", proxy.address);
    let installation = super::configured(Some(&apache.ca), &through("pr0xy%20word"));
    let (secure, plain) = (format!("localhost:{}", apache.port), format!("localhost:{}", apache.plain));
    for (name, host) in [("secure", &secure), ("plain", &plain)] {
        let add = format!("credential add {name} --type http-basic --host {host} --username ci --secret-stdin");
        installation.command_with(&add, Apache::PASSWORD).done();
    }
    let token = token(&installation);
    for (vcs, path, name) in [("hg", "hg", "acme/hglib"), ("svn", "svn/lib", "acme/svnlib")] {
        for (credential, url) in [("secure", apache.url(path)), ("plain", format!("http://{plain}/{path}"))] {
            let add = format!("package add {url} --vcs {vcs} --credential {credential} --wait");
            assert_eq!(installation.command(&add).done(), name);
            assert!(served(&installation, &token, name).contains_key("1.0.0.0"));
            let seen = proxy.take_log();
            let own = format!("CONNECT localhost:{}", url.split(&[':', '/'][..]).nth(4).unwrap());
            assert!(!seen.is_empty() && seen.iter().all(|asked| asked.known && asked.line == own), "{seen:?}");
            installation.command(&format!("package remove {name}")).done();
        }
        for (path, says) in [("elsewhere", "redirects to https://elsewhere.test"), ("round", "it redirects to")] {
            let url = apache.url(&format!("{path}/{vcs}"));
            let add = format!("package add {url} --vcs {vcs} --credential secure --wait");
            let led = installation.command(&add).failed();
            assert!(led.contains(says), "{vcs} {path}: {led}");
        }
    }
    proxy.refuse(Refusal::Status(403));
    let refused =
        installation.command(&format!("package add {} --vcs hg --credential secure --wait", apache.url("hg")));
    let refused = refused.failed();
    assert!(refused.contains("proxy") && !refused.contains("pr0xy"), "{refused}");
    assert!(!installation.log().contains("pr0xy"));
}

#[test]
fn a_repository_may_be_at_the_root_of_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let (hg, _) = repositories(folder.path());
    let server = hg.serve_at("");
    let installation = insecure(None);
    let url = format!("http://127.0.0.1:{}/", server.port);
    let git = installation.command(&format!("package add {url}")).failed();
    assert!(git.contains("has no repository path") && git.contains("--vcs hg"), "{git}");
    assert_eq!(installation.command(&format!("package add {url} --vcs hg --wait")).done(), "acme/hglib");
    let token = token(&installation);
    let versions = served(&installation, &token, "acme/hglib");
    assert_eq!(versions["1.0.0.0"]["source"]["url"], url.as_str());
    super::archive(&installation, &token, "acme/hglib", versions["1.0.0.0"]["source"]["reference"].as_str().unwrap());
}

#[test]
fn keys_open_ssh_servers() {
    let folder = tempfile::tempdir().unwrap();
    let (hg, svn) = repositories(folder.path());
    let mut server = Sshd::start();
    let installation = insecure(None);
    let host = format!("127.0.0.1:{}", server.port);
    let public_key =
        installation.command(&format!("credential add key --type ssh-key --host {host} --generate")).done();
    let ways = [
        ("hg", format!("ssh://{}@{host}/{}", server.user, hg.0.display()), "acme/hglib"),
        ("svn", format!("svn+ssh://{}@{host}{}", server.user, svn.path().display()), "acme/svnlib"),
    ];
    for (vcs, url, _) in &ways {
        let without = installation.command(&format!("package add {url} --vcs {vcs}")).failed();
        assert!(without.contains("needs a key"), "{without}");
        let closed = installation.command(&format!("package add {url} --vcs {vcs} --credential key --wait")).failed();
        assert!(closed.contains("does not let"), "{closed}");
    }
    server.authorize("", &public_key);
    installation.command("package update --all --wait").done();
    let token = token(&installation);
    for (vcs, url, name) in &ways {
        let versions = served(&installation, &token, name);
        assert_eq!(versions["1.0.0.0"]["source"]["url"], url.as_str(), "{vcs}");
        let reference = versions["1.0.0.0"]["source"]["reference"].as_str().unwrap();
        let key = packagist_selfhosted::composer::reference::key(reference);
        super::archive(&installation, &token, name, &key);
        let nothing = format!("{url}-nothing");
        let absent =
            installation.command(&format!("package add {nothing} --vcs {vcs} --credential key --wait")).failed();
        assert!(absent.contains("There is no repository at"), "{vcs}: {absent}");
    }
    let old = server.fingerprint("ed25519");
    server.change_host_key();
    for (vcs, _, name) in &ways {
        let refused = installation.command(&format!("package update {name} --wait")).failed();
        assert!(refused.contains("another host key") && refused.contains(&old), "{vcs}: {refused}");
        assert!(served(&installation, &token, name).contains_key("1.0.0.0"), "what was served is served on");
    }
}

/// Whether a file below a folder has these bytes in it.
fn holds(folder: &std::path::Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds(&entry.path(), bytes),
        Ok(kind) if kind.is_file() => {
            fs::read(entry.path()).unwrap_or_default().windows(bytes.len()).any(|w| w == bytes)
        }
        _ => false,
    })
}
