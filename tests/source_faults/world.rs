//! A server with packages of every system, and a neighbour that nothing is wrong with.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::Value;

use super::bare_repository::BareRepository;
use super::front::Front;
use super::git_server::{Account, GitServer};
use super::installation::{Installation, PATIENCE};
use super::page::Visitor;
use super::servers::{Apache, Mercurial, Running, Subversion, write};
use super::sshd::Sshd;

/// What opens everything behind a password.
pub const PASSWORD: &str = Apache::PASSWORD;
/// The user's name there.
pub const USER: &str = "ci";
/// Programs that are looked for on the `PATH` of the server.
const PROGRAMS: [&str; 9] = ["git", "git-upload-pack", "hg", "svn", "ssh", "ssh-keygen", "sh", "python3", "setpriv"];

enum Repository {
    Git(BareRepository),
    Mercurial(Mercurial),
    Subversion(Subversion),
}

/// A package, and how its repository is reached.
pub struct Source {
    /// `hg-web` stands for Mercurial by HTTP; the package is `acme/hg-web`.
    pub kind: &'static str,
    pub url: String,
    repository: Repository,
    released: AtomicU64,
}

impl Source {
    pub fn package(&self) -> String {
        format!("acme/{}", self.kind)
    }

    pub fn vcs(&self) -> &'static str {
        self.kind.split('-').next().unwrap()
    }

    /// Makes the next version, with a file that does not become smaller when it is packed.
    pub fn release(&self) -> String {
        let number = self.released.fetch_add(1, Ordering::Relaxed);
        let version = format!("1.{number}.0");
        let (manifest, noise) = (format!("{{\"name\": \"{}\"}}", self.package()), noise(number));
        let files = [("composer.json", manifest.as_str()), ("noise", noise.as_str())];
        match &self.repository {
            Repository::Git(git) => {
                let commit = git.commit("refs/heads/main", &files.map(|(path, text)| ("100644", path, text)));
                git.point(&format!("refs/tags/{version}"), &commit);
            }
            Repository::Mercurial(hg) => {
                hg.commit(&files, "1600000000 0");
                hg.hg(&["tag", &version]);
            }
            Repository::Subversion(svn) => {
                svn.change("/trunk", |copy, _| write(copy, &files));
                svn.svn(&["copy", "^/trunk", &format!("^/tags/{version}")]);
            }
        }
        format!("{version}.0")
    }
}

/// Text that looks like chance.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..2_000).map(|_| format!("{:016x}\n", next())).collect()
}

/// Everything a test acts on.
pub struct World {
    pub installation: Installation,
    pub sources: Vec<Source>,
    pub sshd: Sshd,
    /// In front of Apache, `svnserve` and `sshd`.
    pub web: Front,
    pub daemon: Front,
    pub ssh: Front,
    pub git: GitServer,
    pub public_key: String,
    neighbour: Source,
    token: String,
    visitor: Visitor,
    folder: tempfile::TempDir,
    _running: Vec<Running>,
    _apache: Apache,
}

impl World {
    /// One with packages of these kinds, which have two versions and an archive of the first. `more` goes into the
    /// configuration.
    pub fn start(kinds: &[&'static str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let hg = Mercurial::init(&path("hg-web"));
        let svn = Subversion::create(&path("svn-web"));
        let daemon = Subversion::create(&path("svn-daemon"));
        protect(&daemon);
        let running = vec![hg.serve(), daemon.serve()];
        let apache = Apache::start(&svn.root, running[0].port);
        let (web, sshd) = (Front::open(apache.plain), Sshd::start());
        let (front, ssh) = (Front::open(running[1].port), Front::open(sshd.port));
        fs::create_dir(path("git")).unwrap();
        let git = GitServer::start(&path("git"));
        git.require(Account::Basic(USER, PASSWORD));
        let mut installation = Installation::start_configured(Some(&git.ca), None, |_, _| String::new());
        let visitor = Visitor::to(&installation);
        configure(&mut installation, folder.path(), more);
        installation.command("org add acme").done();

        let login = format!("{}@127.0.0.1:{}", sshd.user, ssh.port);
        let source = |kind: &'static str| {
            let url = match kind {
                "git-web" => git.url("git-web.git"),
                "hg-web" => format!("http://127.0.0.1:{}/hg", web.port),
                "svn-web" => format!("http://127.0.0.1:{}/svn/lib", web.port),
                "svn-daemon" => format!("svn://127.0.0.1:{}/lib", front.port),
                "git-ssh" => format!("ssh://{login}{}", path("git-ssh").display()),
                "hg-ssh" => format!("ssh://{login}/{}", path("hg-ssh").display()),
                "svn-ssh" => format!("svn+ssh://{login}{}", path("svn-ssh/lib").display()),
                _ => format!("file://{}", installation.repositories.join("neighbour").display()),
            };
            let repository = match kind {
                "git-web" => Repository::Git(BareRepository::create(&path("git/git-web.git"))),
                "hg-web" => Repository::Mercurial(Mercurial(hg.0.clone())),
                "svn-web" => Repository::Subversion(Subversion { root: svn.root.clone() }),
                "svn-daemon" => Repository::Subversion(Subversion { root: daemon.root.clone() }),
                "git-ssh" => Repository::Git(BareRepository::create(&path(kind))),
                "hg-ssh" => Repository::Mercurial(Mercurial::init(&path(kind))),
                "svn-ssh" => Repository::Subversion(Subversion::create(&path(kind))),
                _ => Repository::Git(BareRepository::create(&installation.repositories.join("neighbour"))),
            };
            Source { kind, url, repository, released: AtomicU64::new(0) }
        };
        let neighbour = source("neighbour");
        let sources: Vec<Source> = kinds.iter().map(|kind| source(kind)).collect();
        let host = format!("127.0.0.1:{}", ssh.port);
        let add = format!("credential add key --type ssh-key --host {host} --generate");
        let public_key = installation.command(&add).done();
        sshd.authorize("", &public_key);
        let token = installation.command("token add --access read").done();
        let world = Self {
            installation,
            sources,
            sshd,
            web,
            daemon: front,
            ssh,
            git,
            public_key,
            neighbour,
            token,
            visitor,
            folder,
            _running: running,
            _apache: apache,
        };
        world.import();
        world
    }

    fn import(&self) {
        let own = format!("localhost:{}", self.git.port);
        let (web, daemon) = (format!("127.0.0.1:{}", self.web.port), format!("127.0.0.1:{}", self.daemon.port));
        for (name, host) in [("git", own), ("web", web), ("daemon", daemon)] {
            let add = format!("credential add {name} --type http-basic --host {host} --username {USER} --secret-stdin");
            self.installation.command_with(&add, PASSWORD).done();
        }
        for source in self.sources.iter().chain([&self.neighbour]) {
            source.release();
            source.release();
            let credential = match source.kind {
                "neighbour" => "",
                "git-web" => "--credential git",
                "svn-daemon" => "--credential daemon",
                kind if kind.ends_with("-ssh") => "--credential key",
                _ => "--credential web",
            };
            let vcs = if source.vcs() == "neighbour" { "git" } else { source.vcs() };
            let add = format!("package add {} --vcs {vcs} {credential}", source.url);
            self.installation.command(add.trim_end()).done();
        }
        self.installation.command("package update --all --wait").done();
        for source in &self.sources {
            assert_eq!(self.archive(source, "1.0.0.0"), 200, "{}", self.installation.log());
        }
    }

    /// The folder of the data.
    pub fn data(&self) -> PathBuf {
        self.installation.folder.path().join("data")
    }

    /// The folder of the programs that the server finds.
    pub fn programs(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Lets the server find a program again.
    pub fn provide(&self, program: &str) {
        provide(&self.programs(), program);
    }

    /// The versions that are served, with everything of them.
    pub fn served(&self, source: &Source) -> Vec<Value> {
        let path = format!("/repo/acme/p2/{}.json", source.package());
        let (status, document) = self.installation.get(&path, &format!("Authorization: Bearer {}\r\n", self.token));
        assert_eq!(status, 200, "{document}");
        let versions = packagist_selfhosted::composer::document::versions_of(document.as_bytes()).unwrap();
        versions.into_iter().map(Value::Object).collect()
    }

    /// Whether a version is served.
    pub fn serves(&self, source: &Source, version: &str) -> bool {
        self.served(source).iter().any(|one| one["version_normalized"] == version)
    }

    /// Asks for the archive of a version as Composer does; the status.
    pub fn archive(&self, source: &Source, version: &str) -> u16 {
        let versions = self.served(source);
        let one = versions.iter().find(|one| one["version_normalized"] == version).unwrap();
        let key = packagist_selfhosted::composer::reference::key(one["dist"]["reference"].as_str().unwrap());
        let path = format!("/repo/acme/dists/{}/{key}.zip", source.package());
        self.installation.get(&path, &format!("Authorization: Bearer {}\r\n", self.token)).0
    }

    fn show(&self, source: &Source) -> Value {
        let shown = self.installation.command(&format!("package show {} --json", source.package())).done();
        serde_json::from_str(&shown).unwrap()
    }

    fn update(&self, names: &[String]) -> super::installation::Said {
        self.installation.command(&format!("package update {} --wait", names.join(" ")))
    }

    /// Something new comes while something is wrong: every package says once what it is (`says` gives parts of it),
    /// what was served is served on, and the neighbour is updated meanwhile. The releases that did not arrive.
    pub fn fails(&self, what: &str, says: &dyn Fn(&Source) -> Vec<String>) -> Vec<String> {
        let before: Vec<_> = self.sources.iter().map(|source| self.served(source)).collect();
        let releases: Vec<_> = self.sources.iter().map(Source::release).collect();
        let news = self.neighbour.release();
        let names: Vec<_> = self.sources.iter().map(Source::package).collect();
        let mark = self.installation.log().len();
        let said = std::thread::scope(|scope| {
            let installation = &self.installation;
            let update = format!("package update {} --wait", names.join(" "));
            let failing = scope.spawn(move || installation.command(&update).failed());
            self.update(&[self.neighbour.package()]).done();
            assert!(self.serves(&self.neighbour, &news), "{what}: the neighbour has to wait");
            failing.join().unwrap()
        });
        let log = self.installation.log()[mark..].to_owned();
        for (source, before) in self.sources.iter().zip(before) {
            let (name, shown) = (source.package(), self.show(source));
            let error = shown["error"].as_str().unwrap_or_else(|| panic!("{what} {name}: {said}"));
            eprintln!("{what} {name}: {error}");
            for part in says(source) {
                assert!(error.contains(&part), "{what} {name}: {part} is not in: {error}");
            }
            let told: Vec<_> = said.lines().filter(|line| line.contains(&format!("{name}: "))).collect();
            let wanted = format!("error: {name}: {error}");
            assert!(told.iter().filter(|line| line.starts_with("error:")).count() == 1, "{what}: {said}");
            assert!(told.iter().any(|line| line.starts_with(&wanted)), "{what}: {wanted}\n{said}");
            assert_eq!(shown["status"], "failed", "{what} {name}: {shown}");
            assert_eq!(self.served(source), before, "{what}: {name} lost something");
            assert_eq!(self.archive(source, "1.0.0.0"), 200, "{what}: {name} cannot be installed");
            let own = format!("package.id={} ", shown["id"]);
            let logged = log.lines().filter(|line| line.contains(" WARN ") && line.contains(&own)).collect::<Vec<_>>();
            let wanted = error.replace('"', "\\\"");
            assert!(logged.len() == 1 && logged[0].contains(&wanted), "{what} {name}: {error}\n{log}");
            let page = self.visitor.text(&format!("/orgs/acme/packages/{name}"));
            // There it begins with a capital.
            assert_eq!(page.matches(&error[1..]).count(), 1, "{what} {name}: {error}\n{page}");
        }
        for text in [&said, &log] {
            for secret in [PASSWORD, "correct%20horse", "PRIVATE KEY", "Basic ", "Authorization"] {
                assert!(!text.contains(secret), "{what}: {secret}: {text}");
            }
        }
        self.leaves_nothing(what);
        releases
    }

    /// Nothing is wrong any more: the next update brings what did not arrive.
    pub fn recovers(&self, what: &str, releases: &[String]) {
        let names: Vec<_> = self.sources.iter().map(Source::package).collect();
        self.update(&names).done();
        self.arrived(what, releases);
    }

    /// Waits until what did not arrive is served, and nothing of the fault is left.
    pub fn arrived(&self, what: &str, releases: &[String]) {
        let started = Instant::now();
        for (source, release) in self.sources.iter().zip(releases) {
            while !self.serves(source, release) {
                assert!(started.elapsed() < PATIENCE, "{what}: {} does not recover", source.kind);
                std::thread::yield_now();
            }
            assert_eq!(self.archive(source, release), 200, "{what}: {}", source.kind);
            let shown = self.show(source);
            assert_eq!((&shown["status"], &shown["error"]), (&"ok".into(), &Value::Null), "{what}: {shown}");
        }
        self.leaves_nothing(what);
    }

    /// No program goes on, and no file lies about.
    fn leaves_nothing(&self, what: &str) {
        let server = self.installation.server.as_ref().unwrap().id();
        let started = Instant::now();
        while let Some(program) = descendants(server).into_iter().find(|name| PROGRAMS.contains(&name.as_str())) {
            assert!(started.elapsed() < PATIENCE, "{what}: {program} goes on");
            std::thread::yield_now();
        }
        let mut odd = files(&self.installation.folder.path().join("tmp"));
        let is_odd = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(".tmp") || name.contains("broken") || name == "damaged" || name == "journal"
        };
        odd.extend(files(&self.data()).into_iter().filter(is_odd));
        assert!(odd.is_empty(), "{what}: {odd:?}");
    }
}

/// Lets the server find programs in a folder of ours only, without the leave to write where files say that it may not.
fn configure(installation: &mut Installation, folder: &Path, more: &str) {
    assert!(installation.stop());
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    for program in PROGRAMS {
        provide(&bin, program);
    }
    let own = installation.folder.path();
    fs::create_dir(own.join("tmp")).unwrap();
    let file = own.join("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let config = format!("jobs.workers = 8\n{config}");
    let config = config.replace("[vcs]\n", &format!("[vcs]\nallow_insecure = true\n{more}"));
    fs::write(&file, config).unwrap();
    let mut launcher =
        vec!["env".to_owned(), format!("PATH={}", bin.display()), format!("TMPDIR={}", own.join("tmp").display())];
    if own_id() == "0" {
        // For root permissions are advice, unless these are taken away.
        let less = "-dac_override,-dac_read_search,-linux_immutable";
        launcher.extend(["setpriv".to_owned(), format!("--bounding-set={less}"), format!("--inh-caps={less}")]);
    }
    installation.launcher = launcher;
    installation.serve();
}

fn own_id() -> String {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn provide(folder: &Path, program: &str) {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    symlink(found.trim(), folder.join(program)).unwrap();
}

/// Only with the password.
fn protect(svn: &Subversion) {
    let conf = svn.path().join("conf");
    let text = "[general]\nanon-access = none\nauth-access = read\npassword-db = passwd\n";
    fs::write(conf.join("svnserve.conf"), text).unwrap();
    fs::write(conf.join("passwd"), format!("[users]\n{USER} = {PASSWORD}\n")).unwrap();
}

/// All files and folders below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

/// The names of the processes that a process started, and that those started.
fn descendants(ancestor: u32) -> Vec<String> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
        let Some((id, name)) = head.split_once(" (") else { continue };
        let parent: u32 = rest.split(' ').nth(1).and_then(|id| id.parse().ok()).unwrap_or(0);
        processes.push((id.parse::<u32>().unwrap_or(0), parent, name.to_owned()));
    }
    let mut family = BTreeSet::from([ancestor]);
    loop {
        let before = family.len();
        family.extend(processes.iter().filter(|one| family.contains(&one.1)).map(|one| one.0).collect::<Vec<_>>());
        if family.len() == before {
            break;
        }
    }
    processes.into_iter().filter(|one| one.0 != ancestor && family.contains(&one.0)).map(|one| one.2).collect()
}
