//! What an archive holds, and that it is always the same.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::bare_repository::Row;
use super::{Scene, VcsError};

/// An archive's entries: mode and content by name.
fn entries(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("an archive")).expect("a zip");
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        assert!(entry.extra_data().is_none_or(|data| data.is_empty()), "extra fields");
        assert_eq!(entry.last_modified().expect("a date").year(), 2023);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("readable");
        found.insert(entry.name().expect("UTF-8").into_owned(), (entry.unix_mode().expect("a mode") & 0o777, content));
    }
    found
}

#[tokio::test]
async fn an_archive_is_what_composer_would_archive() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit(
        "refs/heads/main",
        &[
            (
                "100644",
                ".gitattributes",
                "/tests export-ignore\n*.txt text eol=crlf\nid.php ident\n/two export-ignore text\n",
            ),
            ("100644", ".gitignore", "vendor\n"),
            (
                "100644",
                "composer.json",
                "{\"name\":\"acme/p\",\"archive\":{\"exclude\":[\"/docs\",\"!/docs/keep.md\"]}}",
            ),
            ("100755", "bin/run", "#!/bin/sh\n"),
            ("100644", "crlf.txt", "a\nb\n"),
            ("100644", "id.php", "$Id$"),
            ("100644", "src/A.php", "<?php"),
            ("100644", "src/nested/.gitattributes", "* export-ignore\n"),
            ("100644", "src/nested/B.php", "<?php"),
            ("100644", "tests/T.php", "<?php"),
            ("100644", "two", "two"),
            ("100644", "docs/keep.md", "kept"),
            ("100644", "docs/drop.md", "dropped"),
            ("100644", "\u{fc}mlaut.md", "u"),
            ("120000", "link.php", "src/A.php"),
            ("120000", "run-link", "bin/run"),
            ("120000", "to-tests", "tests/T.php"),
            ("120000", "dir-link", "src"),
            ("120000", "outside", "../../etc/passwd"),
            ("120000", "dangling", "nowhere"),
        ],
    );
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    let stats = scene.archive(&commit, &out).await.expect("an archive");
    let found = entries(&out);
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            ".gitattributes",
            ".gitignore",
            "bin/run",
            "composer.json",
            "crlf.txt",
            "docs/keep.md",
            "id.php",
            "link.php",
            "run-link",
            "src/A.php",
            "src/nested/.gitattributes",
            "src/nested/B.php",
            "two",
            "\u{fc}mlaut.md",
        ]
    );
    assert_eq!(found["bin/run"].0, 0o755);
    assert_eq!(found["run-link"], found["bin/run"]);
    assert_eq!(found["src/A.php"].0, 0o644);
    assert_eq!(found["link.php"].1, b"<?php");
    assert_eq!(found["crlf.txt"].1, b"a\r\nb\r\n");
    let blob = scene.repository.git(&["rev-parse", "main:id.php"]);
    assert_eq!(String::from_utf8_lossy(&found["id.php"].1), format!("$Id: {blob} $"));
    assert_eq!(stats.entries, names.len());
    assert_eq!(stats.bytes, std::fs::metadata(&out).expect("an archive").len());
}

#[tokio::test]
async fn the_same_commit_gives_the_same_bytes() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "acme/package");
    scene.changed().await;
    let (first, second) = (scene.directory.path().join("1.zip"), scene.directory.path().join("2.zip"));
    let one = scene.archive(&commit, &first).await.expect("an archive");
    std::fs::remove_dir_all(scene.mirror()).expect("a mirror");
    scene.changed().await;
    let two = scene.archive(&commit, &second).await.expect("an archive");
    assert_eq!(one, two);
    assert_eq!(std::fs::read(first).expect("an archive"), std::fs::read(second).expect("an archive"));
}

#[tokio::test]
async fn a_package_without_files_is_an_empty_archive() {
    let mut scene = Scene::new();
    let commit = scene
        .repository
        .commit("refs/heads/main", &[("100644", ".gitattributes", "* export-ignore\n.gitattributes export-ignore\n")]);
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    let stats = scene.archive(&commit, &out).await.expect("an archive");
    assert_eq!((stats.entries, stats.bytes), (0, 22));
}

#[tokio::test]
async fn submodules_and_lfs_pointers_are_told() {
    let mut scene = Scene::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let commit = scene.repository.commit("refs/heads/main", &[("100644", "big.bin", pointer)]);
    let submodule = scene.repository.commit_raw_tree("refs/heads/sub", &[("160000", "sub", &commit)]);
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    let stats = scene.archive(&commit, &out).await.expect("an archive");
    assert!(stats.warnings[0].contains("LFS"), "{:?}", stats.warnings);
    let stats = scene.archive(&submodule, &out).await.expect("an archive");
    assert!(stats.warnings[0].contains("submodule"), "{:?}", stats.warnings);
    assert_eq!(entries(&out).into_keys().collect::<Vec<_>>(), ["sub/"]);
}

#[tokio::test]
async fn odd_names_do_not_withhold_the_package() {
    let mut scene = Scene::new();
    let blob = scene.repository.git_with(&["hash-object", "-w", "--stdin"], b"odd");
    let mut tree = Vec::new();
    for name in [&b"a\tb"[..], b"a\x1b[31m", b"caf\xe9"] {
        tree.extend(format!("100644 blob {}\t", blob.trim()).into_bytes());
        tree.extend(name);
        tree.push(0);
    }
    let tree = scene.repository.git_with(&["mktree", "-z"], &tree);
    let commit = scene.repository.git(&["commit-tree", "-m", "odd", tree.trim()]);
    let commit = commit.trim();
    scene.repository.point("refs/heads/main", commit);
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    let stats = scene.archive(commit, &out).await.expect("an archive");
    assert_eq!(entries(&out).into_keys().collect::<Vec<_>>(), ["a\tb", "a\u{1b}[31m", "caf\u{e9}"]);
    assert_eq!(stats.warnings.len(), 1, "{:?}", stats.warnings);
    assert!(!stats.warnings[0].chars().any(char::is_control));
}

#[tokio::test]
async fn hostile_trees_are_refused_and_leave_nothing() {
    let mut scene = Scene::new();
    let blob = scene.repository.git_with(&["hash-object", "-w", "--stdin"], b"evil");
    let cases: [(&str, &[Row<'_>]); 7] = [
        ("dots", &[("100644", "..", &blob)]),
        ("dot", &[("100644", ".", &blob)]),
        ("slash", &[("100644", "/etc/passwd", &blob)]),
        ("inner", &[("100644", "a/../b", &blob)]),
        ("git", &[("100644", ".git", &blob)]),
        ("case", &[("100644", ".GIT", &blob)]),
        ("twice", &[("100644", "a", &blob), ("100644", "a", &blob)]),
    ];
    let commits =
        cases.map(|(name, tree)| (name, scene.repository.commit_raw_tree(&format!("refs/heads/{name}"), tree)));
    scene.changed().await;
    let out = scene.directory.path().join("archives/out.zip");
    std::fs::create_dir(out.parent().expect("a directory")).expect("a directory");
    for (name, commit) in commits {
        let refused = scene.archive(&commit, &out).await.expect_err(name);
        assert!(matches!(refused, VcsError::HostileTree { .. }), "{name}: {refused:?}");
        assert!(!refused.to_string().chars().any(char::is_control), "{name}");
    }
    let left = std::fs::read_dir(out.parent().expect("a directory")).expect("a directory").count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn only_commits_that_a_ref_reaches_are_archived() {
    let mut scene = Scene::new();
    let first = scene.repository.package("refs/heads/main", "acme/first");
    scene.repository.package("refs/heads/main", "acme/second");
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    scene.archive(&first, &out).await.expect("an ancestor of a branch");
    let tree = scene.repository.git(&["rev-parse", "main^{tree}"]);
    for unknown in [tree.as_str(), &"1".repeat(40), "main", "", "../../x"] {
        let refused = scene.archive(unknown, &out).await.expect_err("unknown");
        assert!(matches!(refused, VcsError::UnknownCommit { .. }), "{unknown}: {refused:?}");
    }
}

#[tokio::test]
async fn archives_are_bounded() {
    let mut scene = Scene::new();
    let commit = scene.repository.commit("refs/heads/main", &[("100644", "a", &"x".repeat(1000)), ("100644", "b", "")]);
    scene.changed().await;
    let out = scene.directory.path().join("out.zip");
    scene.settings.limits.archive_bytes = 999;
    assert!(matches!(scene.archive(&commit, &out).await, Err(VcsError::TooLarge { .. })));
    scene.settings.limits.archive_bytes = 1000;
    scene.settings.limits.archive_entries = 1;
    assert!(matches!(scene.archive(&commit, &out).await, Err(VcsError::TooLarge { .. })));
    scene.settings.limits.archive_entries = 2;
    scene.archive(&commit, &out).await.expect("within its bounds");
}
