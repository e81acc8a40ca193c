//! Packages that are made by what pages take: archives that a browser uploads, JSON, and a blocked name.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::axe::examine;
use crate::chromium::Browser;
use crate::forges::World;
use crate::logins::{PASSWORD, sign_in_locally};

/// An archive of a package, in a file; its path.
pub fn archive(world: &World, file: &str, name: &str, version: &str, content: &str) -> PathBuf {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("composer.json", SimpleFileOptions::default()).unwrap();
    write!(zip, r#"{{"name": "{name}", "version": "{version}", "description": "Uploaded"}}"#).unwrap();
    zip.start_file("src/code.php", SimpleFileOptions::default()).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    let path = world.installation.folder.path().join(file);
    fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    path
}

#[tokio::test]
async fn archives_json_and_blocked_names_by_hand() {
    let world = World::start();
    let command = |words: &str, input: &str| world.installation.command_with(words, input).done();
    command("user add ada --admin --password-stdin", PASSWORD);
    command("org add acme --name Acme", "");
    let make = |file: &str, version: &str, content: &str| archive(&world, file, "acme/uploaded", version, content);
    let (one, two, other) =
        (make("one.zip", "1.0.0", "1"), make("two.zip", "1.1.0", "2"), make("other.zip", "1.0.0", "3"));
    let browser = Browser::start(&world.origin()).await;
    sign_in_locally(&browser, "ada").await;

    browser.open("/orgs/acme/packages/new").await;
    browser.follow("Archives").await;
    browser.fill("files", &format!("{}\n{}", one.display(), two.display())).await;
    browser.press("Upload").await;
    // What is said of it stands there until what is watched has ended.
    browser.shows("composer require acme/uploaded").await;
    browser.open("/orgs/acme/packages/acme/uploaded/artifacts").await;
    browser.shows("two.zip").await;
    browser.fill("files", &other.display().to_string()).await;
    browser.press("Upload").await;
    browser.shows("is there already, from one.zip").await;
    examine(&browser, "upload-refused").await;
    browser.tick("replace", "on").await;
    browser.fill("files", &other.display().to_string()).await;
    browser.press("Upload").await;
    browser.shows("acme/uploaded 1.0.0 is taken").await;
    browser.shows("other.zip").await;
    browser.press("Remove… version 1.1.0").await;
    browser.shows("Take version 1.1.0 back?").await;
    examine(&browser, "upload-remove").await;
    browser.press("Take the version back").await;
    browser.shows("Version 1.1.0 is taken back.").await;
    let listed = command("package artifacts acme/uploaded --json", "");
    assert!(listed.contains("other.zip") && listed.contains("\"ada\"") && !listed.contains("two.zip"), "{listed}");

    browser.open("/orgs/acme/packages/new").await;
    browser.follow("JSON").await;
    browser.fill("json", "{\n\"name\": \"acme/meta\", \"version\": \"1.0\",\n\"type\": 5}").await;
    browser.press("Add the package").await;
    browser.shows("Line 3: $.type must be a string").await;
    examine(&browser, "json-refused").await;
    browser.fill("json", r#"{"name": "acme/meta", "version": "1.0", "type": "metapackage"}"#).await;
    browser.press("Add the package").await;
    browser.shows("composer require acme/meta").await;

    browser.open("/orgs/acme/packages/new").await;
    browser.follow("Block a name").await;
    browser.fill("name", "evil/lib").await;
    browser.press("Block the name").await;
    browser.shows("This name is blocked").await;
    browser.shows("Up to date").await;
    examine(&browser, "blocked").await;
}
