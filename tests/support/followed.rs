//! Our server that follows something at a platform, and people who look at both: what is the same whatever the platform.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::bare_repository::BareRepository;
use crate::installation::{Installation, Said};
use crate::platforms::pushed::Pushed;
use crate::platforms::visitor::{Arrival, Visitor};

/// How long anything may take that has to come, on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody with a token of ours.
pub struct Person {
    pub id: u64,
    pub login: String,
    /// None until they logged in.
    pub token: Option<String>,
}

/// Our server and the people. Everybody logs in by one integration.
pub struct Followed {
    pub ours: Installation,
    /// The synchronization's id, once it was added.
    pub sync: String,
    pub people: Vec<Person>,
    /// What is in each repository there, by its number: the package's name, if it is one.
    pub packages: BTreeMap<u64, Option<String>>,
    /// The integration's id.
    integration: &'static str,
    /// Where the platform listens.
    platform: SocketAddr,
    code: tempfile::TempDir,
}

impl Followed {
    /// A server with an organization `acme` that follows nothing yet. `integration` is the block of it in the configuration.
    pub fn new(
        integration: &'static str,
        platform: SocketAddr,
        block: impl FnOnce(&std::path::Path, &str) -> String,
    ) -> Self {
        Self::trusting(None, integration, platform, block)
    }

    /// The same, that trusts an authority of its own.
    pub fn trusting(
        ca: Option<&str>,
        integration: &'static str,
        platform: SocketAddr,
        block: impl FnOnce(&std::path::Path, &str) -> String,
    ) -> Self {
        let ours = Installation::start_configured(ca, None, block);
        ours.command("org add acme").done();
        Self {
            ours,
            sync: String::new(),
            people: Vec::new(),
            packages: BTreeMap::new(),
            integration,
            platform,
            code: tempfile::tempdir().unwrap(),
        }
    }

    /// Our credential of a type for the platform.
    pub fn credential_of(&self, name: &str, kind: &str, at: &Url, secret: &str) {
        let host = format!("{}:{}", at.host_str().unwrap(), at.port().unwrap());
        let words = format!("credential add {name} --type {kind} --host {host} --secret-stdin");
        self.ours.command_with(&words, secret).done();
    }

    /// Follows what is called so there, with a credential.
    pub fn follow_with(&mut self, remote: &str, credential: &str) {
        let words = format!(
            "sync add --integration {} --remote {remote} --credential {credential} --primary",
            self.integration
        );
        self.sync = self.ours.command(&words).done();
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

    /// Makes a Git repository with a package `acme/NAME` for a repository there; where it is, and what was pushed to it.
    pub fn filled(&mut self, id: u64, name: &str) -> (PathBuf, Vec<Pushed>) {
        let repository = BareRepository::create(&self.folder(id));
        let package = format!("acme/{name}");
        let commit = repository.package("refs/heads/main", &package);
        repository.point("refs/tags/1.0.0", &commit);
        self.packages.insert(id, Some(package));
        let refs = vec![Pushed::new("refs/heads/main", &commit), Pushed::new("refs/tags/1.0.0", &commit)];
        (repository.path, refs)
    }

    /// Commits a tag to a package's repository, without telling the platform of it.
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

    /// The Git repository of a repository there.
    pub fn code_of(&self, id: u64) -> BareRepository {
        BareRepository::create(&self.folder(id))
    }

    /// Somebody there, to be looked at from now on.
    pub fn knows(&mut self, id: u64, login: &str) -> u64 {
        self.people.push(Person { id, login: login.to_owned(), token: None });
        id
    }

    /// The platform's number of somebody.
    pub fn person_named(&self, login: &str) -> u64 {
        self.people.iter().find(|person| person.login == login).unwrap().id
    }

    /// What somebody is called.
    pub fn login_of(&self, id: u64) -> String {
        self.people.iter().find(|person| person.id == id).unwrap().login.clone()
    }

    /// Everybody logs in here by the platform, and makes a token.
    pub fn log_in(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for at in 0..self.people.len() {
            let login = self.people[at].login.clone();
            if self.people[at].token.is_none() {
                drop(runtime.block_on(self.visit(&login)));
                // What names here may not have becomes a hyphen.
                let name = login.replace(|char: char| !char.is_ascii_alphanumeric() && !"._-".contains(char), "-");
                let words = format!("token add --user {name}");
                self.people[at].token = Some(self.ours.command(&words).done());
            }
        }
    }

    /// Somebody logs in here by the platform, who is called otherwise here, and makes a token.
    pub fn log_in_as(&mut self, login: &str, name: &str) {
        drop(self.session(login));
        let token = self.ours.command(&format!("token add --user {name}")).done();
        let person = self.people.iter_mut().find(|person| person.login == login).unwrap();
        person.token = Some(token);
    }

    /// What a browser of somebody shows who logged in here by the platform.
    pub fn page(&self, login: &str, path: &str) -> String {
        let session = self.session(login);
        let (status, body) = self.ours.get(path, &format!("Cookie: {session}\r\n"));
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Fills in the form of a page in a browser of somebody who logged in here by the platform, and sends it there.
    pub fn submit(&self, login: &str, path: &str, fields: &[(&str, &str)]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = self.visit(login).await;
            let policy = reqwest::redirect::Policy::none();
            let browser = reqwest::Client::builder().redirect(policy).no_proxy().build().unwrap();
            let page = browser.get(self.ours.url(path)).header("cookie", &session).send().await.unwrap();
            let page = page.text().await.unwrap();
            let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
            let (token, _) = rest.split_once('"').unwrap();
            let fields = fields.iter().copied().chain([("csrf", token)]);
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let mut sent = browser.post(self.ours.url(path)).body(body);
            for (name, value) in [
                ("cookie", session.as_str()),
                ("origin", &self.ours.url("")),
                ("content-type", "application/x-www-form-urlencoded"),
            ] {
                sent = sent.header(name, value);
            }
            let answer = sent.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 303, "{}", answer.text().await.unwrap());
        });
    }

    /// The cookies of a session of somebody who logged in here by the platform.
    pub fn session(&self, login: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.visit(login))
    }

    /// Connects somebody's account as a credential, which also installs webhooks; whoever it is manages the organization.
    pub fn connect(&self, login: &str, name: &str) {
        let form = format!("/orgs/acme/credentials/new/{}", self.integration);
        self.consent(login, name, (&form, &form));
    }

    /// Connects the account of a credential again, whose tokens are good for nothing any more.
    pub fn connect_again(&self, login: &str, name: &str) {
        let page = format!("/orgs/acme/credentials/{name}");
        self.consent(login, name, (&page, &format!("{page}/connect")));
    }

    /// Sends the form of a page here, says yes at the platform, and comes back.
    fn consent(&self, login: &str, name: &str, (page, action): (&str, &str)) {
        let session = self.session(login);
        let (status, page) = self.ours.get(page, &format!("Cookie: {session}\r\n"));
        assert_eq!(status, 200, "{page}");
        let token = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let browser =
                reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
            let fields = [("csrf", token.as_str()), ("name", name), ("hooks", "on")];
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let away = browser.post(self.ours.url(action)).header("cookie", &session).body(body);
            let away = away.header("content-type", "application/x-www-form-urlencoded");
            let away = away.header("origin", self.ours.url("")).send().await.unwrap();
            let set = away.headers().get_all("set-cookie").iter().map(|one| one.to_str().unwrap());
            let pairs: Vec<String> = set.filter_map(|one| one.split(';').next()).map(str::to_owned).collect();
            let (status, page) = (away.status().as_u16(), away.text().await.unwrap());
            assert_eq!(status, 200, "{page}");
            let (_, link) = page.split_once("href=\"http://localhost").unwrap();
            let link = format!("http://localhost{}", link.split('"').next().unwrap().replace("&amp;", "&"));
            let visitor = Visitor::new(self.platform, &["localhost"]);
            let Arrival::Sent(back) = visitor.allow(&link.parse().unwrap(), login).await else { panic!("kept there") };
            let cookies = format!("{session}; {}", pairs.join("; "));
            let answer = browser.get(back).header("cookie", cookies).send().await.unwrap();
            let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
            assert_eq!(to, Some(format!("/orgs/acme/credentials/{name}")), "{}", answer.text().await.unwrap());
        });
    }

    /// Logs somebody in; the cookies of the session.
    pub async fn visit(&self, login: &str) -> String {
        self.visit_by((self.integration, self.platform), login).await
    }

    /// Logs somebody in by another integration, whose platform listens there.
    pub fn log_in_by(&self, way: (&str, SocketAddr), login: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        drop(runtime.block_on(self.visit_by(way, login)));
    }

    async fn visit_by(&self, (integration, platform): (&str, SocketAddr), login: &str) -> String {
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let away = browser.get(self.ours.url(&format!("/auth/{integration}"))).send().await.unwrap();
        let header = |name: &str| away.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
        let link: Url = header("location").parse().unwrap();
        let visitor = Visitor::new(platform, &["localhost"]);
        let Arrival::Sent(back) = visitor.allow(&link, login).await else { panic!("{login} was not sent back") };
        let answer = browser.get(back).header("cookie", cookie).send().await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter().map(|one| one.to_str().unwrap().to_owned());
        let cookies: Vec<String> = cookies.collect();
        assert_eq!(answer.status().as_u16(), 303, "{login}: {}", answer.text().await.unwrap());
        let pairs = cookies.iter().filter_map(|cookie| cookie.split(';').next());
        pairs.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
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

    /// The packages that somebody's token shows.
    pub fn shown_to(&self, login: &str) -> BTreeSet<String> {
        let person = self.people.iter().find(|person| person.login == login).unwrap();
        self.shown(person.token.as_ref().unwrap())
    }

    /// Where both sides differ, in words, if that is what the platform lets somebody read.
    pub fn differences_from(&self, readable: impl Fn(u64) -> BTreeSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        for person in &self.people {
            let shown = self.shown(person.token.as_ref().unwrap());
            let readable = readable(person.id);
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

    /// What remains of differences that may go away by themselves.
    pub fn remaining(&self, differences: impl Fn() -> Vec<String>) -> Vec<String> {
        let started = Instant::now();
        loop {
            let found = differences();
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

    /// Compares, which fails and says `why`, and no count is another than before; what was said.
    #[track_caller]
    pub fn fails(&self, why: &[&str]) -> String {
        let before = self.status();
        let said = self.run().failed();
        let after = self.status();
        for word in why {
            assert!(said.to_lowercase().contains(&word.to_lowercase()), "{word:?} is not in: {said}");
        }
        assert_eq!(after["status"], "failed", "{after}");
        assert!(after["error"].as_str().is_some_and(|error| !error.is_empty()), "{after}");
        for count in ["packages", "teams", "members"] {
            assert_eq!(after[count], before[count], "{said}");
        }
        said
    }

    /// What helps to find out why something went wrong.
    pub fn trace(&self) -> String {
        let log = self.ours.log();
        let last: Vec<&str> = log.lines().rev().take(25).collect();
        format!("{}\n{}", self.status(), last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Kills the server as nobody should, and starts it again.
    pub fn kill(&mut self) {
        let mut server = self.ours.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        self.ours.serve();
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
