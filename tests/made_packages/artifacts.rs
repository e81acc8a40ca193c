//! Uploaded archives.

use super::{World, borrowed, bzipped, gzipped, installed, lib, noise, sha1, tar, zip};

fn lib_zip(version: &str) -> Vec<u8> {
    zip(&borrowed(&lib(version)))
}

fn lib_tar(version: &str) -> Vec<u8> {
    tar(&borrowed(&lib(version)))
}

#[test]
fn every_kind_of_archive_is_installed() {
    let world = World::new();
    let in_folder: Vec<(String, String)> =
        lib("1.0.0").into_iter().map(|(name, text)| (format!("lib-1.0.0/{name}"), text)).collect();
    let in_folder: Vec<(&str, &str)> = in_folder.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    world.file("1.zip", &zip(&in_folder));
    world.file("2.tar", &lib_tar("1.1.0"));
    world.file("3.tar.gz", &gzipped(&lib_tar("1.2.0")));
    world.file("4.tar.bz2", &bzipped(&lib_tar("2.0.0-beta1")));
    let said = world.command("package add-artifact 1.zip 2.tar 3.tar.gz 4.tar.bz2 --wait").done();
    assert_eq!(said, "acme/lib 1.0.0\nacme/lib 1.1.0\nacme/lib 1.2.0\nacme/lib 2.0.0-beta1");
    let token = world.token("");
    for version in ["1.0.0", "1.1.0", "1.2.0", "2.0.0-beta1"] {
        let project = world.project(&token, &[("acme/lib", version)]);
        project.composer("update").done();
        assert_eq!(installed(&project, "acme/lib", "src/code.php"), format!("<?php // {version}"));
        let tool = project.path("vendor/acme/lib/bin/tool");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(tool).unwrap().permissions());
        assert_eq!(mode & 0o111 != 0, version != "1.0.0", "{version}: {mode:o}");
        project.forget();
        project.composer("install").done();
        assert_eq!(installed(&project, "acme/lib", "src/code.php"), format!("<?php // {version}"));
    }
    // Of a zip the very bytes, and of a tarball a zip that is the same each time.
    let served = world.served(&token, "acme/lib");
    assert_eq!(served["1.0.0"]["dist"]["shasum"], sha1(&zip(&in_folder)));
    let listed: serde_json::Value =
        serde_json::from_str(&world.command("package artifacts acme/lib --json").done()).unwrap();
    assert_eq!(listed[3]["file"], "4.tar.bz2");
    assert_eq!(listed[3]["shasum"], served["2.0.0-beta1"]["dist"]["shasum"]);
    let shown = world.show("acme/lib");
    assert_eq!((shown["vcs"].as_str(), shown["status"].as_str()), (Some("artifact"), Some("ok")));
    assert_eq!(shown["versions"], 4);
    let entries = world.audit("package.upload");
    assert_eq!((entries.len(), entries[0]["subject"].as_str()), (4, Some("acme/lib")));
}

#[test]
fn a_version_is_replaced_only_if_that_is_said_and_locks_go_on_working() {
    let world = World::new();
    world.upload("lib.zip", &lib_zip("1.0.0"), "").done();
    let token = world.token("");
    let project = world.project(&token, &[("acme/lib", "^1.0")]);
    project.composer("update").done();
    let before = project.installed("acme/lib");

    let said = world.upload("again.zip", &lib_zip("1.0.0"), "").done();
    assert!(said.contains("the same bytes were there already"), "{said}");
    let mut other = lib("v1.0");
    other.push(("new.txt", "new".to_owned()));
    let other = zip(&borrowed(&other));
    let refused = world.upload("other.zip", &other, "").failed();
    assert!(
        refused.contains("version 1.0.0 of acme/lib is there already, from again.zip, with other bytes"),
        "{refused}"
    );
    assert!(refused.contains("--replace"), "{refused}");
    world.upload("other.zip", &other, "--replace").done();
    let served = world.served(&token, "acme/lib");
    assert_eq!(served["v1.0"]["dist"]["shasum"], sha1(&other));
    assert_eq!(served.len(), 1);
    project.forget();
    project.composer("install").done();
    assert_eq!(project.installed("acme/lib"), before, "what was locked, byte for byte");
    project.composer("update").done();
    assert_eq!(installed(&project, "acme/lib", "new.txt"), "new");

    world.command("package remove-artifact acme/lib 1.0.0 --wait").done();
    assert!(world.served(&token, "acme/lib").is_empty());
    let told = world.command("package remove-artifact acme/lib 1.0.0").failed();
    assert!(told.contains("acme/lib has no uploaded version 1.0.0"), "{told}");
    project.forget();
    project.composer("install").done();
    assert_eq!(installed(&project, "acme/lib", "new.txt"), "new");
    assert!(project.composer("update").failed().contains("acme/lib"));
    world.upload("back.zip", &lib_zip("1.0.0"), "").done();
    assert_eq!(world.served(&token, "acme/lib").len(), 1);
    assert_eq!(world.audit("package.remove-upload").len(), 1);

    let removed = world.command("package remove acme/lib");
    removed.done();
    project.forget();
    assert!(project.composer("install").failed().contains("404"));
    assert_eq!(world.archives(), 0, "nothing is left of it");
}

#[test]
fn what_is_refused_leaves_nothing() {
    let world = World::new();
    world.upload("lib.zip", &lib_zip("1.0.0"), "").done();
    let archives = world.archives();
    let manifest = ("composer.json", r#"{"name": "acme/lib", "version": "2.0.0"}"#);
    let zeros = "\0".repeat(24 << 20);
    let evil = zip(&[manifest, ("xxevil", "")]);
    let position = |n| evil.windows(6).enumerate().filter(|(_, six)| six == b"xxevil").nth(n).unwrap().0;
    let (local, central) = (position(0), position(1));
    let mut traversal = evil.clone();
    traversal[local..local + 3].copy_from_slice(b"../");
    traversal[central..central + 3].copy_from_slice(b"../");
    for (name, content, expected) in [
        ("bomb.zip", zip(&[manifest, ("zeros", &zeros)]), "that is a bomb"),
        ("bomb.tar.bz2", bzipped(&tar(&[manifest, ("zeros", &zeros)])), "that is a bomb"),
        ("traversal.zip", traversal, "it leads out of the folder that it is unpacked in"),
        ("text.zip", b"hello".to_vec(), "it is no archive that is taken here"),
        ("lib.rar", lib_zip("2.0.0"), "it is no archive that is taken here"),
        ("none.zip", zip(&[("README.md", "hello")]), "there is no composer.json in it"),
        ("broken.zip", zip(&[("composer.json", "{\"name\": \"acme/lib\",\n nonsense}")]), "line 2 column"),
        ("nameless.zip", zip(&[("composer.json", r#"{"version": "1.0"}"#)]), "its composer.json has no name"),
        ("bad.zip", zip(&[("composer.json", r#"{"name": "Lib", "version": "1.0"}"#)]), "the name in its composer.json"),
        ("versionless.zip", zip(&[("composer.json", r#"{"name": "acme/lib"}"#)]), "has no version"),
        ("wrong.zip", zip(&[("composer.json", r#"{"name": "acme/lib", "version": "one"}"#)]), "is no version"),
        ("cut.zip", lib_zip("2.0.0")[..300].to_vec(), "its directory is missing"),
        (
            "bin.zip",
            zip(&[("composer.json", r#"{"name": "acme/lib", "version": "3", "bin": ["../x"]}"#)]),
            "paths with \"..\"",
        ),
    ] {
        let told = world.upload(name, &content, "").failed();
        assert!(told.contains(expected) && told.contains(&format!("{name} cannot be taken")), "{name}: {told}");
    }
    assert_eq!(world.archives(), archives, "nothing was stored");
    assert_eq!(world.show("acme/lib")["versions"], 1);
    let listed: serde_json::Value = serde_json::from_str(&world.command("package list --json").done()).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let missing = world.command("package add-artifact nowhere.zip").failed();
    assert!(missing.contains("nowhere.zip cannot be read"), "{missing}");
    assert!(world.command("package add-artifact data").failed().contains("is no file"));
}

#[test]
fn an_archive_without_a_version_is_told_it() {
    let world = World::new();
    let bare = zip(&[("composer.json", r#"{"name": "Acme/Bare", "require": {"php": ">=7"}}"#)]);
    world.file("a.zip", &bare);
    assert_eq!(world.upload("bare.zip", &bare, "--version 1.5").done(), "acme/bare 1.5");
    assert_eq!(world.command("package add-artifact bare.zip a.zip --version 1.6").code, Some(2));
    let told = world.upload("lib.zip", &lib_zip("1.0.0"), "--version 2.0").failed();
    assert!(told.contains("version 1.0.0, not 2.0"), "{told}");
    let token = world.token("");
    let project = world.project(&token, &[("acme/bare", "^1.5")]);
    project.composer("update").done();
    assert_eq!(project.locked()["Acme/Bare"].0, "1.5");
}

#[test]
fn a_large_upload_is_refused_by_its_size() {
    let world = World::configured("server.max_upload = \"1MiB\"");
    let told = world.upload("large.zip", &zip(&[("composer.json", "{}"), ("noise", &noise())]), "").failed();
    assert!(told.contains("has more than 1 MiB") && told.contains("max_upload"), "{told}");
    assert_eq!(world.archives(), 0);
    world.upload("lib.zip", &lib_zip("1.0.0"), "").done();
}

#[test]
fn who_may_see_it_and_what_makes_no_sense() {
    let world = World::new();
    world.upload("lib.zip", &lib_zip("1.0.0"), "").done();
    world.upload("other.zip", &zip(&[("composer.json", r#"{"name": "acme/other", "version": "1"}"#)]), "").done();
    for command in ["user add ada", "team add web", "team add-member web ada", "team grant web acme/lib"] {
        world.command(command).done();
    }
    let ada = world.command("token add --user ada").done();
    let restricted = world.token("--package acme/lib");
    let reference = world.served(&restricted, "acme/lib")["1.0.0"]["dist"]["reference"].as_str().unwrap().to_owned();
    for token in [&ada, &restricted] {
        assert_eq!(world.served(token, "acme/lib").len(), 1);
        assert!(world.served(token, "acme/other").is_empty(), "an owned name that they may not see");
        assert_eq!(world.get(token, &format!("dists/acme/lib/{reference}.zip")).0, 200);
    }
    let other = world.token("--package acme/other");
    assert_eq!(world.get(&other, &format!("dists/acme/lib/{reference}.zip")).0, 404);
    assert_eq!(world.get(&other, &format!("dists/acme/other/{reference}.zip")).0, 404, "it is of another package");

    let told = world.command("package hook acme/lib").failed();
    assert!(told.contains("acme/lib has no repository, so nothing calls a webhook of it"), "{told}");
    let told = world.command("package directories acme/lib packages/*").failed();
    assert!(told.contains("acme/lib has no repository, so it has no directories"), "{told}");
    let told = world.command("package custom acme/lib").failed();
    assert!(told.contains("acme/lib is no custom package"), "{told}");
    world.file("c.json", br#"{"name": "acme/lib", "version": "1", "type": "metapackage"}"#);
    let told = world.command("package add-custom c.json").failed();
    assert!(told.contains("the organization has acme/lib already"), "{told}");
    world.command("package update --all --wait").done();
    assert_eq!(world.served(&ada, "acme/lib").len(), 1);
    world.command(&format!("package forget acme/lib {reference}")).done();
    assert_eq!(world.get(&ada, &format!("dists/acme/lib/{reference}.zip")).0, 410);
    let told = world.upload("lib.zip", &lib_zip("1.0.0"), "").failed();
    assert!(told.contains("these bytes were purged for good"), "{told}");
}
