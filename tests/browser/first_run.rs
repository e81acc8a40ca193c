//! From a server that nobody has used to a project that installs from it, by what pages say and give to copy; with the
//! browser's script and without.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::axe::examine;
use crate::chromium::{Browser, PATIENCE};
use crate::installation::Installation;
use crate::logins::PASSWORD;
use crate::work_tree::WorkTree;

/// A project on somebody's machine, whose Composer trusts the server's certificate and knows no other repository.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(certificate: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a test");
        let machine = Self(folder);
        fs::create_dir(machine.path().join("project")).expect("folders can be made");
        let ca = machine.path().join("ca.pem");
        fs::write(&ca, certificate).expect("files can be written");
        machine.paste(&format!("composer config --global cafile {}", ca.display()));
        machine.paste("composer config --global repositories.packagist.org false");
        let manifest = r#"{"name": "test/project", "description": "A test", "license": "MIT"}"#;
        fs::write(machine.path().join("project/composer.json"), manifest).expect("files can be written");
        machine
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What somebody does with a line that a page shows.
    fn paste(&self, line: &str) {
        assert!(line.starts_with("composer "), "“{line}” is not for a shell");
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.path().join("project"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("there is a PATH"))
            .env("HOME", self.path())
            .env("COMPOSER_HOME", self.path().join("composer"))
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("COMPOSER_NO_INTERACTION", "1")
            .output()
            .expect("there is a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The first run, in a browser with these arguments.
async fn first_run(arguments: &[&str], has_script: bool) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let tls = (made.cert.pem(), made.signing_key.serialize_pem());
    let installation = Installation::start_with(Some(&tls.0.clone()), Some(tls));
    let library = WorkTree::init(&installation.repositories.join("library"));
    library.release("acme/library", "<?php\n");
    library.git(&["tag", "1.2.0"]);
    let look = async |browser: &Browser, name: &str| {
        if has_script {
            examine(browser, name).await;
        }
    };
    let browser = Browser::start_with(&installation.url(""), arguments).await;

    let printed = installation.printed();
    let link = printed.split_whitespace().last().expect("it says where to go");
    browser.open(link).await;
    look(&browser, "setup").await;
    assert_eq!(browser.has_class("js").await, has_script);
    browser.fill("user", "ada").await;
    browser.fill("password", "short").await;
    browser.fill("org", "Acme Ltd").await;
    browser.fill("slug", "acme").await;
    browser.press("Create and go on to integrations").await;
    look(&browser, "setup-wrong").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Create and go on to integrations").await;
    browser.shows("You administer this server now, and Acme Ltd is there.").await;
    look(&browser, "integrations-none").await;

    browser.unfold("Organization").await;
    browser.follow("Acme Ltd").await;
    browser.shows("No packages yet").await;
    look(&browser, "organization-empty").await;
    browser.follow("Add a package").await;
    browser.fill("url", &library.url()).await;
    browser.press("Add the package").await;
    let page = browser.address().await;
    let begun = Instant::now();
    while !browser.text().await.contains("1.2.0") {
        assert!(begun.elapsed() < PATIENCE, "{}", browser.text().await);
        browser.open(&page).await;
    }

    browser.unfold("ada").await;
    browser.follow("My token").await;
    browser.press("Make a token").await;
    browser.shows("It is shown this once").await;
    look(&browser, "profile-token").await;
    let machine = Machine::new(&made.cert.pem());
    machine.paste(&browser.text_of("#command").await.expect("the line that signs Composer in"));
    browser.open("/").await;
    browser.open("/orgs/acme").await;
    let overview = browser.shows("Use these packages in a project").await;
    machine.paste(&browser.text_of("#s2").await.expect("the line that adds the repository"));
    machine.paste(&browser.text_of("#s3").await.expect("the line that requires a package"));
    let installed = machine.path().join("project/vendor/acme/library/src/code.php");
    assert_eq!(fs::read_to_string(installed).unwrap(), "<?php\n", "{overview}");
    look(&browser, "organization-first").await;
    browser.unfold("ada").await;
    browser.press("Sign out").await;
    browser.shows("You are signed out.").await;
}

#[tokio::test]
async fn the_first_package_is_installed_by_what_pages_say() {
    first_run(&[], true).await;
}

#[tokio::test]
async fn it_works_without_script() {
    first_run(&["--blink-settings=scriptEnabled=false"], false).await;
}
