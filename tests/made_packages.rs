//! Packages without a repository, by the real executable: custom ones with archives on a real HTTPS server, uploaded archives and
//! blocked names; the real Composer is the client, and its own classes say what has to be served.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "made_packages/artifacts.rs"]
mod artifacts;
#[path = "made_packages/blocked.rs"]
mod blocked;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "made_packages/custom.rs"]
mod custom;
#[path = "made_packages/faults.rs"]
mod faults;
#[path = "support/file_server.rs"]
mod file_server;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "metadata_differential/php.rs"]
mod php;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod project;
#[path = "made_packages/truth.rs"]
mod truth;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use certificates::Authority;
use file_server::{Answer, FileServer};
use installation::Installation;
use packagist_selfhosted::composer::document;
use project::{Auth, Project};
use serde_json::{Map, Value};
use zip::write::{SimpleFileOptions, ZipWriter};

type Versions = BTreeMap<String, Map<String, Value>>;

/// An installation with the organization `acme`, and a server with files that it trusts.
struct World {
    installation: Installation,
    server: FileServer,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        Self::configured("")
    }

    /// With more in the configuration, in front of its tables.
    fn configured(more: &str) -> Self {
        let authority = Authority::new();
        let server = FileServer::start(&authority);
        let installation = Installation::start(Some(&authority.pem));
        let mut world = Self { installation, server, authority };
        if !more.is_empty() {
            world.installation.stop();
            let path = world.installation.folder.path().join("config.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{more}\n{text}")).unwrap();
            world.installation.serve();
        }
        world.installation.command("org add acme").done();
        world
    }

    /// Writes a file beside the installation; its path.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.installation.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, words: &str) -> installation::Said {
        self.installation.command(words)
    }

    /// Adds a custom package, or says why not.
    fn custom(&self, json: &Value, words: &str) -> installation::Said {
        self.file("custom.json", json.to_string().as_bytes());
        self.command(format!("package add-custom custom.json {words} --wait").replace("  ", " ").trim())
    }

    /// Replaces the JSON of a custom package.
    fn change(&self, name: &str, json: &Value) -> installation::Said {
        self.file("custom.json", json.to_string().as_bytes());
        self.command(&format!("package custom {name} --file custom.json --wait"))
    }

    /// Uploads archives from files of these names.
    fn upload(&self, name: &str, content: &[u8], words: &str) -> installation::Said {
        self.file(name, content);
        self.command(format!("package add-artifact {name} {words} --wait").replace("  ", " ").trim())
    }

    fn token(&self, words: &str) -> String {
        self.command(format!("token add --access read {words}").trim()).done()
    }

    fn show(&self, name: &str) -> Value {
        serde_json::from_str(&self.command(&format!("package show {name} --json")).done()).unwrap()
    }

    fn project(&self, token: &str, require: &[(&str, &str)]) -> Project {
        let repositories = [self.installation.repository("acme")];
        let project = Project::new(&self.installation.authority, &repositories, &Auth::Basic(token));
        project.require(require);
        project
    }

    /// The complete versions that are served of a package.
    fn served(&self, token: &str, name: &str) -> Versions {
        let both = [name.to_owned(), format!("{name}~dev")].map(|file| {
            let (status, body) = self.get(token, &format!("p2/{file}.json"));
            assert_eq!(status, 200, "{file}: {body}");
            document::versions_of(body.as_bytes()).unwrap()
        });
        let versions = both.into_iter().flatten();
        versions.map(|version| (version["version"].as_str().unwrap().to_owned(), version)).collect()
    }

    fn get(&self, token: &str, path: &str) -> (u16, String) {
        let answer = reqwest::blocking::Client::new()
            .get(self.installation.url(&format!("/repo/acme/{path}")))
            .bearer_auth(token)
            .send()
            .unwrap();
        (answer.status().as_u16(), answer.text().unwrap_or_default())
    }

    /// The audit log's entries of these actions: what they were about.
    fn audit(&self, action: &str) -> Vec<Value> {
        let all = self.command("audit export").done();
        let entries = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter(|entry| entry["action"] == action).collect()
    }

    /// How many files lie where archives are stored, unfinished ones too.
    fn archives(&self) -> usize {
        count(&self.installation.folder.path().join("data/dists"))
    }
}

fn count(folder: &std::path::Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

/// A zip of these files.
fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A tarball of these files.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(if name.starts_with("bin/") { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two megabytes that nothing makes smaller than one.
fn noise() -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letters = (0..2 << 20).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(33 + u8::try_from(state % 90).unwrap())
    });
    letters.collect()
}

fn sha1(bytes: &[u8]) -> String {
    use sha1::Digest;
    sha1::Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The content of a file of an installed package.
fn installed(project: &Project, package: &str, file: &str) -> String {
    let files = project.installed(package);
    let found = files.get(std::path::Path::new(file)).unwrap_or_else(|| panic!("{package} has no {file}"));
    String::from_utf8(found.clone()).unwrap()
}

/// An archive of `acme/lib` at a version.
fn lib(version: &str) -> Vec<(&'static str, String)> {
    vec![
        ("composer.json", format!(r#"{{"name": "acme/lib", "version": "{version}", "license": "MIT"}}"#)),
        ("src/code.php", format!("<?php // {version}")),
        ("bin/tool", "#!/bin/sh\n".to_owned()),
    ]
}

fn borrowed<'a>(files: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    files.iter().map(|(name, text)| (*name, text.as_str())).collect()
}
