//! A real git repository with the refs that need one: annotated tags, tags of no commit, a manifest that is a link, dates with zones.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use packagist_selfhosted::composer::derive::{NoManifest, RefKind, RefSource};

/// Runs git in a repository and gives what it prints; `None` if it fails.
pub fn git(repository: &Path, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git starts (Debian: apt install git)");
    let mut stdin = child.stdin.take().expect("the input is piped");
    stdin.write_all(input).expect("git reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("git ends");
    output.status.success().then_some(output.stdout)
}

/// The input of `git fast-import` for the repository of this test.
pub fn history() -> String {
    let mut stream = String::new();
    let good = r#"{"name":"acme/lib","require":{"php":">=8","acme/x":"self.version"}}"#;
    let mut commit = |branch: &str, mode: &str, content: &str, date: &str| {
        let _ = write!(
            stream,
            "commit refs/heads/{branch}\nauthor A <a@example.org> {date}\ncommitter C <c@example.org> 1800000000 +0000\ndata 1\nx\n\
             M {mode} inline composer.json\ndata {}\n{content}\n\n",
            content.len()
        );
    };
    commit("main", "100644", good, "1704157445 +0200");
    commit("link", "120000", "other.json", "1704157445 +0000");
    commit("broken", "100644", r#"{"name":"acme/lib",}"#, "1704157445 +0000");
    commit("dated", "100644", r#"{"name":"Other/Name","time":"2020-01-01"}"#, "1704157445 +0000");
    commit("nothing", "100644", "  \n", "1704157445 +0000");
    for branch in [
        "1.0",
        "1.x",
        "v1.0",
        "2.x",
        "feat#1",
        "a,b",
        "bad|b",
        "feature/foo",
        "x/HEAD",
        "-dash",
        "FOO",
        "Ünï-cödé",
        "3.0.0.0",
    ] {
        let _ = write!(stream, "reset refs/heads/{branch}\nfrom refs/heads/main\n\n");
    }
    stream.push_str("commit refs/heads/folder\ncommitter C <c@example.org> 1800000000 +0000\ndata 1\nx\nM 100644 inline composer.json/x\ndata 1\nx\n\n");
    stream.push_str("commit refs/heads/bare\ncommitter C <c@example.org> 1800000000 +0000\ndata 1\nx\nM 100644 inline README\ndata 1\nx\n\n");
    for (tag, of) in [
        ("2.0.0", "main"),
        ("v2.0.0", "main"),
        ("release-1.2.0", "main"),
        ("1.4.0-dev", "main"),
        ("foo", "main"),
        ("v1.3.0-beta1", "main"),
        ("6.0.0", "dated"),
        ("7.0.0", "broken"),
        ("7.1.0", "link"),
        ("7.2.0", "folder"),
        ("7.3.0", "bare"),
        ("7.4.0", "nothing"),
        ("20240101", "main"),
    ] {
        let _ = write!(stream, "reset refs/tags/{tag}\nfrom refs/heads/{of}\n\n");
    }
    stream.push_str("tag 3.0.0-RC.1\nfrom refs/heads/main\ntagger C <c@example.org> 1800000000 +0000\ndata 1\nx\n");
    stream.push_str(
        "blob\nmark :9\ndata 2\n{}\ntag 8.0.0\nfrom :9\ntagger C <c@example.org> 1800000000 +0000\ndata 1\nx\ndone\n",
    );
    stream
}

/// The refs of a repository as a server would read them.
pub fn refs(repository: &Path) -> Vec<RefSource> {
    let text = |arguments: &[&str]| {
        git(repository, arguments, b"")
            .map(|output| String::from_utf8(output).expect("git prints UTF-8").trim_end().to_owned())
    };
    let listed = text(&["for-each-ref", "--format=%(refname)%09%(objectname)%09%(*objectname)"]).expect("refs");
    listed
        .lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let (Some(name), Some(object)) = (parts.next(), parts.next()) else { panic!("git printed {line}") };
            let commit = parts.next().filter(|peeled| !peeled.is_empty()).unwrap_or(object).to_owned();
            let (kind, name) = match name.strip_prefix("refs/tags/") {
                Some(tag) => (RefKind::Tag, tag),
                None => (RefKind::Branch, name.strip_prefix("refs/heads/").expect("a branch")),
            };
            let is_commit = text(&["cat-file", "-t", &commit]).as_deref() == Some("commit");
            let entry = text(&["ls-tree", &commit, "composer.json"]).unwrap_or_default();
            let manifest = match entry.get(..6) {
                _ if !is_commit => Err(NoManifest::NotACommit),
                Some("100644" | "100755") => {
                    Ok(Arc::from(git(repository, &["show", &format!("{commit}:composer.json")], b"").expect("a file")))
                }
                Some(_) => Err(NoManifest::NotAFile),
                None => Err(NoManifest::Missing),
            };
            let time = text(&["log", "-1", "--format=%at", &commit]).and_then(|time| time.parse().ok());
            RefSource {
                kind,
                name: name.to_owned(),
                time: time.unwrap_or(0),
                offset: 0,
                blob: entry.get(12..52).unwrap_or_default().to_owned(),
                commit,
                manifest,
            }
        })
        .collect()
}
