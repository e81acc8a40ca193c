//! Mercurial and Subversion: real servers, the real executable, and Composer itself as the judge of what is served.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "support/full_disk.rs"]
mod full_disk;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "metadata_differential/php.rs"]
mod php;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod project;
#[path = "support/sshd.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod sshd;

#[path = "hg_svn/doors.rs"]
mod doors;
#[path = "hg_svn/faults.rs"]
mod faults;
#[path = "hg_svn/generated.rs"]
mod generated;
#[path = "hg_svn/mercurial.rs"]
mod mercurial;
#[path = "hg_svn/servers.rs"]
mod servers;
#[path = "hg_svn/subversion.rs"]
mod subversion;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};

use installation::Installation;
use packagist_selfhosted::composer::document;
use serde_json::{Map, Value, json};

/// A server that accepts addresses without encryption, with the organization `acme`.
fn insecure(ca: Option<&str>) -> Installation {
    configured(ca, "")
}

/// The same with more lines under `[outbound]`.
fn configured(ca: Option<&str>, outbound: &str) -> Installation {
    let mut installation = Installation::start_configured(ca, None, |_, _| outbound.to_owned());
    assert!(installation.stop());
    let file = installation.folder.path().join("config.toml");
    let config = fs::read_to_string(&file).unwrap().replace("[vcs]\n", "[vcs]\nallow_insecure = true\n");
    fs::write(file, config).unwrap();
    installation.serve();
    installation.command("org add acme").done();
    installation
}

/// What is served of a package, complete and without `dist`, by normalized version.
fn served(installation: &Installation, token: &str, name: &str) -> BTreeMap<String, Map<String, Value>> {
    let mut versions = BTreeMap::new();
    for file in [name.to_owned(), format!("{name}~dev")] {
        let path = format!("/repo/acme/p2/{file}.json");
        let (status, document) = installation.get(&path, &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(status, 200, "{document}");
        for mut version in document::versions_of(document.as_bytes()).unwrap() {
            let dist = version.remove("dist").expect("every version has an archive");
            assert_eq!(dist["reference"], version["source"]["reference"]);
            versions.insert(version["version_normalized"].as_str().unwrap().to_owned(), version);
        }
    }
    versions
}

/// What Composer's own driver makes of a repository, by normalized version.
fn composers(question: &Value) -> BTreeMap<String, Map<String, Value>> {
    let home = tempfile::tempdir().unwrap();
    let mut question = question.clone();
    question["home"] = json!(home.path());
    let answer = php::answers("manifest_git.php", &[question]).remove(0);
    let mut versions = BTreeMap::new();
    for version in answer["versions"].as_array().unwrap() {
        let version = version.as_object().unwrap().clone();
        // Of two that mean one version, we publish the first.
        versions.entry(version["version_normalized"].as_str().unwrap().to_owned()).or_insert(version);
    }
    versions
}

/// The archive of a reference: names, and what is in them.
fn archive(installation: &Installation, token: &str, name: &str, key: &str) -> BTreeMap<String, String> {
    let address = installation.url(&format!("/repo/acme/dists/{name}/{key}.zip"));
    let answer = reqwest::blocking::Client::new().get(address).basic_auth("token", Some(token)).send().unwrap();
    assert_eq!(answer.status(), 200, "{}", installation.log());
    let mut zip = zip::ZipArchive::new(Cursor::new(answer.bytes().unwrap())).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let mode = file.unix_mode().unwrap_or_default() & 0o777;
        files.insert(format!("{} {mode:o}", file.name().unwrap()), text);
    }
    files
}

fn token(installation: &Installation) -> String {
    installation.command("token add --access read").done()
}
