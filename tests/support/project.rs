//! A PHP project that installs packages with the real Composer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::installation::Said;

/// How the project authenticates.
pub enum Auth<'a> {
    /// Not at all.
    None,
    /// HTTP Basic with the token as password.
    Basic(&'a str),
    /// As a Bearer token.
    Bearer(&'a str),
}

/// A project in a folder of its own, with a Composer home and caches of its own.
pub struct Project {
    folder: tempfile::TempDir,
    auth: Value,
    ca: Option<PathBuf>,
}

impl Project {
    /// A project that uses these repositories, and no other.
    pub fn new(authority: &str, repositories: &[String], auth: &Auth<'_>) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a test");
        let auth = match auth {
            Auth::None => json!({}),
            Auth::Basic(token) => json!({"http-basic": {authority: {"username": "token", "password": token}}}),
            Auth::Bearer(token) => json!({"bearer": {authority: token}}),
        };
        let mut sources: Vec<Value> = repositories.iter().map(|url| json!({"type": "composer", "url": url})).collect();
        sources.push(json!({"packagist.org": false}));
        let project = Self { folder, auth, ca: None };
        project.write(&json!({
            "name": "test/project", "description": "A test", "license": "MIT",
            "repositories": sources, "require": {}, "config": {"secure-http": false},
        }));
        project
    }

    /// Lets Composer's git trust an authority, and send a password to a host.
    pub fn trust(&mut self, ca: &str, host: &str, username: &str, password: &str) {
        let path = self.folder.path().join("ca.pem");
        fs::write(&path, ca).expect("files can be written");
        self.ca = Some(path);
        self.auth["http-basic"][host] = json!({"username": username, "password": password});
    }

    fn write(&self, manifest: &Value) {
        fs::write(self.path("composer.json"), manifest.to_string()).expect("files can be written");
    }

    /// A path in the project.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Requires packages at constraints.
    pub fn require(&self, packages: &[(&str, &str)]) {
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(self.path("composer.json")).expect("it is there")).expect("it is JSON");
        manifest["require"] =
            packages.iter().map(|(name, constraint)| ((*name).to_owned(), json!(constraint))).collect();
        self.write(&manifest);
    }

    /// Runs Composer with words separated by spaces.
    pub fn composer(&self, words: &str) -> Said {
        let home = self.folder.path().join("home");
        let mut command = Command::new("composer");
        command
            .current_dir(self.folder.path())
            .args(words.split(' '))
            .args(["--no-interaction", "--no-ansi"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("there is a PATH"))
            .env("HOME", &home)
            .env("COMPOSER_HOME", &home)
            .env("COMPOSER_CACHE_DIR", self.path("cache"))
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("COMPOSER_AUTH", self.auth.to_string());
        if let Some(ca) = &self.ca {
            command.env("GIT_SSL_CAINFO", ca);
        }
        let output = command.output().expect("the tests need Composer: apt-get install composer php-cli");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Removes what was installed, and the caches.
    pub fn forget(&self) {
        for folder in ["vendor", "cache"] {
            let path = self.path(folder);
            if path.exists() {
                fs::remove_dir_all(path).expect("folders can be removed");
            }
        }
    }

    /// Locked versions and references by name.
    pub fn locked(&self) -> BTreeMap<String, (String, String)> {
        let lock: Value = serde_json::from_slice(&fs::read(self.path("composer.lock")).expect("there is a lock"))
            .expect("it is JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lock["packages"]
            .as_array()
            .expect("a lock has packages")
            .iter()
            .map(|package| (text(&package["name"]), (text(&package["version"]), text(&package["dist"]["reference"]))))
            .collect()
    }

    /// Every file of an installed package by its path.
    pub fn installed(&self, package: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.path("vendor").join(package);
        let mut files = BTreeMap::new();
        collect(&root, &root, &mut files);
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("folders can be read").path();
        if path.file_name().is_some_and(|name| name == ".git") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let inside = path.strip_prefix(root).expect("it lies below").to_owned();
            files.insert(inside, fs::read(&path).expect("files can be read"));
        }
    }
}
