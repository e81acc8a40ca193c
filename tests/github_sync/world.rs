//! A GitHub, our server that follows an organization of it, and people who look at both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::bare_repository::BareRepository;
use crate::installation::{Installation, Said};
use crate::platforms::github::GitHub;
use crate::platforms::github::directory::{Level, Rank};
use crate::platforms::github::events::Pushed;
use crate::platforms::visitor::{Arrival, Visitor};

/// Where browsers come back to; the port may be another one.
const CALLBACK: &str = "http://127.0.0.1/auth/ghe/callback";
/// How long anything may take that has to come, on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What a token needs that is to see and hook everything.
pub const SCOPES: &str = "repo admin:org admin:org_hook";

/// Somebody with a token of ours.
pub struct Person {
    pub id: u64,
    pub login: String,
    /// None until they logged in.
    pub token: Option<String>,
}

/// Everything.
pub struct World {
    pub github: GitHub,
    pub ours: Installation,
    /// The organization's number at GitHub.
    pub org: u64,
    pub token: String,
    /// The synchronization's id, once it was added.
    pub sync: String,
    pub people: Vec<Person>,
    /// What is in each repository of GitHub, by its number: the package's name, if it is one.
    pub packages: BTreeMap<u64, Option<String>>,
    code: tempfile::TempDir,
}

impl World {
    /// An organization `acme` there with an owner, and one here that follows nothing yet.
    pub fn new() -> Self {
        let github = GitHub::server(CALLBACK);
        let owner = github.user("keeper");
        let org = github.organization("acme");
        github.enrol(org, owner, Rank::Owner);
        let token = github.token(owner, SCOPES);
        let (url, id, secret) = (github.url(), github.client_id.clone(), github.client_secret.clone());
        let ours = Installation::start_configured(None, None, |_, _| {
            format!(
                "[[integration]]\nid = \"ghe\"\nplatform = \"github\"\nurl = \"{}\"\nclient_id = \"{id}\"\n\
                 client_secret = \"{secret}\"\n",
                url.as_str().trim_end_matches('/')
            )
        });
        ours.command("org add acme").done();
        let mut world = Self {
            github,
            ours,
            org,
            token,
            sync: String::new(),
            people: Vec::new(),
            packages: BTreeMap::new(),
            code: tempfile::tempdir().unwrap(),
        };
        world.credential("main", &world.token.clone());
        world
    }

    /// Our credential for GitHub.
    pub fn credential(&mut self, name: &str, token: &str) {
        let url = self.github.url();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let words = format!("credential add {name} --type github-token --host {host} --secret-stdin");
        self.ours.command_with(&words, token).done();
    }

    /// Follows the organization.
    pub fn follow(&mut self) {
        let said = self.ours.command("sync add --integration ghe --remote acme --credential main --primary");
        self.sync = said.done();
        self.run().done();
    }

    /// Compares everything now.
    pub fn run(&self) -> Said {
        self.ours.command(&format!("sync run {} --wait", self.sync))
    }

    /// What is said of the synchronization.
    pub fn status(&self) -> Value {
        let list: Value = serde_json::from_str(&self.ours.command("sync list --json").done()).unwrap();
        list[0].clone()
    }

    /// A repository with a package `acme/NAME` in it; its number.
    pub fn package(&mut self, name: &str) -> u64 {
        let id = self.github.repository(self.org, name);
        self.fill(id, name);
        id
    }

    /// A repository without a package; its number.
    pub fn other(&mut self, name: &str) -> u64 {
        let id = self.github.repository(self.org, name);
        self.github.alter(id, |one| one.manifest = false);
        self.packages.insert(id, None);
        id
    }

    /// Puts a package into a repository.
    pub fn fill(&mut self, id: u64, name: &str) -> Vec<Pushed> {
        let repository = BareRepository::create(&self.folder(id));
        let package = format!("acme/{name}");
        let commit = repository.package("refs/heads/main", &package);
        repository.point("refs/tags/1.0.0", &commit);
        self.github.serve(id, &repository.path);
        self.packages.insert(id, Some(package));
        vec![Pushed::new("refs/heads/main", &commit), Pushed::new("refs/tags/1.0.0", &commit)]
    }

    /// Commits a tag to a package's repository, without telling GitHub of it.
    pub fn tag(&self, id: u64, name: &str) -> Pushed {
        let repository = self.code_of(id);
        let package = self.packages[&id].clone().unwrap();
        let commit = repository.package("refs/heads/main", &package);
        repository.point(&format!("refs/tags/{name}"), &commit);
        Pushed::new(&format!("refs/tags/{name}"), &commit)
    }

    fn folder(&self, id: u64) -> PathBuf {
        self.code.path().join(format!("{id}.git"))
    }

    fn code_of(&self, id: u64) -> BareRepository {
        BareRepository::create(&self.folder(id))
    }

    /// A member there.
    pub fn member(&mut self, login: &str) -> u64 {
        let id = self.person(login);
        self.github.enrol(self.org, id, Rank::Member);
        id
    }

    /// Somebody there who is in nothing.
    pub fn person(&mut self, login: &str) -> u64 {
        let id = self.github.user(login);
        self.people.push(Person { id, login: login.to_owned(), token: None });
        id
    }

    /// Everybody logs in here by GitHub, and makes a token.
    pub fn log_in(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for at in 0..self.people.len() {
            let login = self.people[at].login.clone();
            if self.people[at].token.is_none() {
                runtime.block_on(self.visit(&login));
                let words = format!("token add --user {login}");
                self.people[at].token = Some(self.ours.command(&words).done());
            }
        }
    }

    async fn visit(&self, login: &str) {
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let away = browser.get(self.ours.url("/auth/ghe")).send().await.unwrap();
        let header = |name: &str| away.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
        let link: Url = header("location").parse().unwrap();
        let visitor = Visitor::new(self.github.stage.address, &["localhost"]);
        let Arrival::Sent(back) = visitor.allow(&link, login).await else { panic!("{login} was not sent back") };
        let answer = browser.get(back).header("cookie", cookie).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 303, "{login}: {}", answer.text().await.unwrap());
    }

    /// The packages that a token of ours shows.
    pub fn shown(&self, token: &str) -> BTreeSet<String> {
        let (status, body) = self.ours.get("/repo/acme/packages.json", &format!("Authorization: Bearer {token}\r\n"));
        if status == 401 || status == 404 {
            return BTreeSet::new();
        }
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(body.trim()).unwrap_or_else(|_| chunked(&body));
        let names = body["available-packages"].as_array().unwrap();
        // For whom there is nothing, there is a name that nobody can have.
        names.iter().map(|name| name.as_str().unwrap().to_owned()).filter(|name| name != "none/none").collect()
    }

    /// The packages that GitHub lets somebody read. What went out of the organization is none of its any more.
    pub fn readable(&self, user: u64) -> BTreeSet<String> {
        let ids = self.github.readable(user);
        let site = self.github.stage.world();
        let own = |id: &&u64| site.directory.repositories[id].owner == self.org;
        ids.iter().filter(own).filter_map(|id| self.packages.get(id).cloned().flatten()).collect()
    }

    /// Where both sides differ, in words.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for person in &self.people {
            let shown = self.shown(person.token.as_ref().unwrap());
            let readable = self.readable(person.id);
            let list = |names: BTreeSet<&String>| {
                let first: Vec<&str> = names.iter().take(5).map(|name| name.as_str()).collect();
                format!("{} ({})", names.len(), first.join(", "))
            };
            if shown != readable {
                let (more, less) = (shown.difference(&readable).collect(), readable.difference(&shown).collect());
                found.push(format!("{} sees {} too many and {} too few", person.login, list(more), list(less)));
            }
        }
        found
    }

    /// Everybody sees here what they may read there, now.
    #[track_caller]
    pub fn agrees(&self, after: &str) {
        let found = self.differences();
        assert!(found.is_empty(), "after {after}:\n{}\n{}", found.join("\n"), self.trace());
    }

    /// The differences that do not go away by themselves.
    pub fn differences_that_stay(&self) -> Vec<String> {
        let started = Instant::now();
        loop {
            let found = self.differences();
            if found.is_empty() || started.elapsed() > PATIENCE {
                return found;
            }
            std::thread::yield_now();
        }
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn comes(&self, what: &str, mut it_is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !it_is_so() {
            assert!(started.elapsed() < PATIENCE, "it never came that {what}:\n{}", self.trace());
            std::thread::yield_now();
        }
    }

    /// The versions of a package that are served.
    pub fn versions(&self, id: u64) -> BTreeSet<String> {
        let name = self.packages[&id].clone().unwrap();
        let said = self.ours.command(&format!("package show {name} --json"));
        if said.code != Some(0) {
            return BTreeSet::new();
        }
        let shown: Value = serde_json::from_str(&said.out).unwrap();
        let versions = shown["version_list"].as_array().unwrap();
        versions.iter().map(|version| version["version"].as_str().unwrap().to_owned()).collect()
    }

    /// What helps to find out why something went wrong.
    pub fn trace(&self) -> String {
        let log = self.ours.log();
        let last: Vec<&str> = log.lines().rev().take(25).collect();
        format!("{}\n{}", self.status(), last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Gives a team a repository, silently.
    pub fn give(&self, team: u64, repository: u64) {
        self.github.give(team, repository, Level::Read);
    }
}

/// A body that came in pieces.
fn chunked(body: &str) -> Value {
    let mut whole = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    serde_json::from_str(&whole).unwrap()
}
