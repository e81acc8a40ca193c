//! Repositories that nobody would make by hand, the same ones in every run, and Composer as the judge of what is served of
//! them.

use serde_json::{Value, json};

use super::installation::Installation;
use super::servers::{Mercurial, Subversion, write};
use super::{composers, insecure, served, token};

/// Names that versions, branches and bookmarks get: ordinary ones, and others.
const TAGS: [&str; 16] = [
    "1.0.0",
    "v1.0.0",
    "1.2",
    "2.0.0-beta1",
    "2.0.0-RC2",
    "release-1.2",
    "1.2.3.4",
    "V4.1",
    "not-a-version",
    "5.0.0+build.7",
    "2024.01",
    "my tag 7.0",
    "dev-main",
    "8.x-dev",
    "x@9.0",
    "10",
];
const BRANCHES: [&str; 16] = [
    "2.x",
    "feat/x",
    "feature/deep/er",
    "1.0",
    "v3",
    "release-1",
    "UPPER",
    "ümlaut",
    "with space",
    "master",
    "a@b",
    "x+y",
    "10.2.x-dev",
    "dev-x",
    "3",
    "trunk",
];

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

fn manifest(name: &str, number: usize) -> String {
    json!({
        "name": name, "description": format!("Number {number}"), "license": "MIT", "keywords": ["a", "b"],
        "require": {"php": ">=7.4"}, "extra": {"branch-alias": {"dev-default": "4.x-dev", "dev-trunk": "4.x-dev"}},
    })
    .to_string()
}

/// What a commit makes of the manifest; now and then something is wrong with it.
fn content(chance: &mut Chance, name: &str, number: usize) -> String {
    match chance.below(8) {
        0 => "{\"name\": ".to_owned(),
        // Nothing at all ends Composer's own reading of a Subversion repository.
        1 => " ".to_owned(),
        2 => json!({"description": "without a name"}).to_string(),
        _ => manifest(name, number),
    }
}

fn mercurial(folder: &std::path::Path, name: &str, seed: u64) -> Mercurial {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let hg = Mercurial::init(folder);
    let commit = |number: usize, text: &str| {
        let zone = ["0", "-7200", "16200", "43200"][number % 4];
        let date = format!("{} {zone}", 1_600_000_000 + number * 3_600);
        hg.commit(&[("composer.json", text), ("counter", &number.to_string())], &date);
    };
    commit(0, &manifest(name, 0));
    let mut branches = vec!["default".to_owned()];
    for number in 1..20 {
        // Whatever Mercurial does not do with such a name, is not done.
        match chance.below(9) {
            0 | 1 => drop(hg.tries(&[
                "tag",
                "--force",
                "--date",
                &format!("{} 0", 1_600_000_000 + number * 3_600),
                "--",
                chance.one(&TAGS),
            ])),
            2 => {
                let branch = chance.one(&BRANCHES);
                if hg.tries(&["branch", "--quiet", "--force", "--", branch]) {
                    branches.push(branch.to_owned());
                    commit(number, &content(&mut chance, name, number));
                }
            }
            3 => drop(hg.tries(&["bookmark", "--force", "--", chance.one(&BRANCHES)])),
            4 => drop(hg.tries(&["bookmark", "--delete", "--", chance.one(&BRANCHES)])),
            5 => {
                let at = chance.below(branches.len());
                hg.tries(&["update", "--quiet", "--clean", "--", &branches[at]]);
            }
            6 if number > 9 => {
                hg.tries(&[
                    "commit",
                    "--close-branch",
                    "--message",
                    "Close",
                    "--date",
                    &format!("{} 0", 1_600_000_000 + number * 3_600),
                ]);
            }
            _ => commit(number, &content(&mut chance, name, number)),
        }
    }
    hg.tries(&["update", "--quiet", "--clean", "default"]);
    commit(30, &manifest(name, 30));
    hg
}

fn subversion(root: &std::path::Path, name: &str, seed: u64, layout: &Layout) -> Subversion {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let svn = Subversion::create(root);
    for directory in [layout.trunk, layout.branches, layout.tags].into_iter().flatten() {
        svn.tries(&["mkdir", "--parents", &format!("^/{directory}")]);
    }
    let trunk = layout.trunk.map_or_else(String::new, |trunk| format!("/{trunk}"));
    let inside = layout.package.map_or_else(String::new, |package| format!("{package}/"));
    let change = |directory: &str, number: usize, text: &str| {
        let (manifest, counter) = (format!("{inside}composer.json"), number.to_string());
        svn.change(directory, |copy, run| {
            write(copy, &[(&manifest, text), ("counter", &counter)]);
            run(&["add", "--force", "."]);
            if number.is_multiple_of(5) {
                run(&["propset", "svn:externals", "^/other out", "."]);
            }
        });
    };
    change(&trunk, 0, &manifest(name, 0));
    let mut there = std::collections::BTreeSet::new();
    for number in 1..20 {
        let (what, names, parent) = match chance.below(2) {
            0 => (chance.one(&TAGS), 0, layout.tags),
            _ => (chance.one(&BRANCHES), 1, layout.branches),
        };
        let Some(parent) = parent.filter(|_| !trunk.is_empty()) else {
            change(&trunk, number, &content(&mut chance, name, number));
            continue;
        };
        let place = format!("^/{parent}/{what}");
        match chance.below(6) {
            0 | 1 if !what.contains('/') && there.insert(place.clone()) => {
                svn.tries(&["copy", &format!("^{trunk}"), &format!("{place}@")]);
            }
            2 if there.remove(&place) => drop(svn.tries(&["delete", &format!("{place}@")])),
            3 if names == 1 && there.contains(&place) => {
                change(
                    &format!("/{parent}/{}@", what.replace('#', "%23")),
                    number,
                    &content(&mut chance, name, number),
                );
            }
            4 if !what.contains('/') && there.insert(place.clone()) => {
                svn.tries(&["mkdir", &format!("{place}@")]);
            }
            _ => change(&trunk, number, &content(&mut chance, name, number)),
        }
    }
    change(&trunk, 30, &manifest(name, 30));
    svn
}

/// Where things are in a repository.
#[derive(Default)]
struct Layout {
    trunk: Option<&'static str>,
    branches: Option<&'static str>,
    tags: Option<&'static str>,
    package: Option<&'static str>,
}

impl Layout {
    fn usual() -> Self {
        Self { trunk: Some("trunk"), branches: Some("branches"), tags: Some("tags"), package: None }
    }

    /// As the command and as Composer are told.
    fn told(&self) -> (String, Value) {
        let (mut words, mut options) = (String::new(), json!({}));
        let paths = [("trunk-path", self.trunk), ("branches-path", self.branches), ("tags-path", self.tags)];
        for (name, path) in paths {
            words.push_str(&format!(" --{name} {}", path.unwrap_or("false")));
            options[name] = path.map_or(Value::Bool(false), |path| json!(path));
        }
        if let Some(package) = self.package {
            words.push_str(&format!(" --package-path {package}"));
            options["package-path"] = json!(package);
        }
        (words, options)
    }
}

/// Every version and every word of it is Composer's.
fn compare(installation: &Installation, token: &str, name: &str, question: &Value) {
    let ours = served(installation, token, name);
    let theirs = composers(question);
    let versions = |all: &std::collections::BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    let shown = installation.command(&format!("package show {name}")).done();
    assert_eq!(versions(&ours), versions(&theirs), "{question}\n{shown}");
    for (version, mut expected) in theirs {
        let own = ours[&version].clone();
        // Composer shortens the ids of changesets.
        let (short, whole) = (&expected["source"]["reference"], &own["source"]["reference"]);
        let same = whole.as_str().unwrap().starts_with(short.as_str().unwrap());
        assert!(same, "{question} {version}: {short} {whole}\n{shown}");
        expected["source"]["reference"] = whole.clone();
        assert_eq!(Value::Object(own), Value::Object(expected), "{question} {version}");
    }
}

#[test]
fn generated_mercurial_repositories_are_served_as_composer_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let installation = insecure(None);
    let token = token(&installation);
    let mut running = Vec::new();
    for seed in 1..=3 {
        let name = format!("acme/hg{seed}");
        let server = mercurial(&folder.path().join(seed.to_string()), &name, seed).serve();
        let url = format!("http://127.0.0.1:{}/hg", server.port);
        running.push(server);
        assert_eq!(installation.command(&format!("package add {url} --vcs hg --wait")).done(), name);
        compare(&installation, &token, &name, &json!({"url": url, "type": "hg"}));
    }
}

#[test]
fn generated_subversion_repositories_are_served_as_composer_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let installation = insecure(None);
    let token = token(&installation);
    let layouts = [
        Layout::usual(),
        Layout { trunk: Some("main"), branches: Some("lines"), tags: Some("releases"), package: None },
        Layout { package: Some("packages/one"), ..Layout::usual() },
        Layout { trunk: Some("project/trunk"), branches: Some("project/branches"), tags: None, package: None },
        Layout::usual(),
    ];
    let mut running = Vec::new();
    for (seed, layout) in (11..).zip(&layouts) {
        let name = format!("acme/svn{seed}");
        let server = subversion(&folder.path().join(seed.to_string()), &name, seed, layout).serve();
        let url = format!("svn://127.0.0.1:{}/lib", server.port);
        running.push(server);
        let (words, options) = layout.told();
        assert_eq!(installation.command(&format!("package add {url}{words} --wait")).done(), name);
        compare(&installation, &token, &name, &json!({"url": url, "type": "svn", "options": options}));
    }
}
