//! Servers and machines that do not do what they should: one clear error each, and nothing is lost.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packagist_selfhosted::outbound::{self, Guard};
use packagist_selfhosted::vcs::{
    ArchiveRequest, ArchiveStats, Authentication, Credential, HostKeyPolicy, HostKeys, Layout, Limits, Origin,
    Progress, Server, Settings, Snapshot, SourceUrl, System, Update, UpdateRequest, UrlPolicy, Vcs, VcsError,
};

use super::full_disk::FullDisk;
use super::servers::{Mercurial, Running, Subversion, write};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_packagist-selfhosted");

struct Scene {
    folder: tempfile::TempDir,
    settings: Settings,
    credential: Option<Credential>,
    /// The folder of the mirrors, in that of everything.
    mirrors: &'static str,
}

impl Scene {
    fn new() -> Self {
        let guard = Guard { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Guard::default() };
        let settings = Settings {
            executable: PathBuf::from(EXECUTABLE),
            outbound: outbound::Settings { guard, ..outbound::Settings::default() },
            policy: UrlPolicy { allow_insecure: true, ..UrlPolicy::default() },
            deadline: Duration::from_secs(60),
            archive_deadline: Duration::from_secs(60),
            limits: Limits::default(),
            ssh_host_keys: HostKeyPolicy::AcceptNew,
        };
        Self { folder: tempfile::tempdir().unwrap(), settings, credential: None, mirrors: "" }
    }

    async fn update(&self, vcs: &str, url: &str) -> Result<Update, VcsError> {
        let request = UpdateRequest {
            directories: None,
            mirror: self.folder.path().join(self.mirrors).join(vcs),
            url: SourceUrl::parse(url, &self.settings.policy).unwrap(),
            system: System::of(vcs, Layout::default()).unwrap(),
            credential: self.credential.clone(),
            known_digest: None,
            known_refs: 0,
            published: Vec::new(),
            announced: Vec::new(),
            host_keys: HostKeys::default(),
            progress: Progress::default(),
        };
        Vcs::new(self.settings.clone()).update(request).await
    }

    async fn fails(&self, vcs: &str, url: &str) -> VcsError {
        self.update(vcs, url).await.expect_err(url)
    }

    /// Has the worker find programs in a folder first, or only there.
    fn programs(&mut self, folder: &Path, only: bool) {
        let rest = if only { "" } else { ":$PATH" };
        let script = format!("#!/bin/sh\nPATH={}{rest} exec {EXECUTABLE} \"$@\"\n", folder.display());
        self.settings.executable = self.script("worker", &script);
    }

    /// Has the worker and its programs run with these words before them.
    fn behind(&mut self, words: &str) {
        for program in ["hg", "svn"] {
            let real =
                std::process::Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
            let real = String::from_utf8(real.stdout).unwrap();
            self.script(&format!("wrapped/{program}"), &format!("#!/bin/sh\n{words} exec {} \"$@\"\n", real.trim()));
        }
        let path = self.folder.path().join("wrapped");
        let script = format!("#!/bin/sh\nPATH={}:$PATH {words} exec {EXECUTABLE} \"$@\"\n", path.display());
        self.settings.executable = self.script("worker", &script);
    }

    /// The archive of a reference, written into the folder of the mirrors.
    async fn archive(&self, vcs: &str, url: &str, commit: &str) -> Result<ArchiveStats, VcsError> {
        let server = Server {
            url: SourceUrl::parse(url, &self.settings.policy).unwrap(),
            layout: Layout::default(),
            credential: self.credential.clone(),
            host_keys: HostKeys::default(),
        };
        let origin = if vcs == "hg" { Origin::Mercurial } else { Origin::Subversion(Box::new(server)) };
        let out = self.folder.path().join(self.mirrors).join(format!("{vcs}.zip"));
        let mirror = self.folder.path().join(self.mirrors).join(vcs);
        let request = ArchiveRequest { mirror, commit: commit.to_owned(), directory: None, out, origin };
        Vcs::new(self.settings.clone()).archive(request).await
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// A repository of each system with its server and address.
fn both(folder: &Path) -> (Running, Running, [(&'static str, String); 2]) {
    let hg = Mercurial::init(&folder.join("repositories/hg"));
    hg.commit(&[("composer.json", r#"{"name": "acme/hglib"}"#)], "1600000000 0");
    let svn = Subversion::create(&folder.join("repositories/svn"));
    svn.change("/trunk", |copy, _| write(copy, &[("composer.json", r#"{"name": "acme/svnlib"}"#)]));
    let (hg, svn) = (hg.serve(), svn.serve());
    let urls =
        [("hg", format!("http://127.0.0.1:{}/hg", hg.port)), ("svn", format!("svn://127.0.0.1:{}/lib", svn.port))];
    (hg, svn, urls)
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let mut scene = Scene::new();
    let empty = scene.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    scene.programs(&empty, true);
    for (vcs, url) in [("hg", "http://127.0.0.1:1/x"), ("svn", "svn://127.0.0.1:1/x")] {
        let missing = scene.fails(vcs, url).await;
        assert!(matches!(&missing, VcsError::ToolMissing { tool, .. } if tool == vcs), "{missing}");
        assert!(missing.is_permanent());
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers() {
    let mut scene = Scene::new();
    let closed = super::servers::free_port();
    for url in [format!("http://127.0.0.1:{closed}/x"), format!("https://127.0.0.1:{closed}/x")] {
        for vcs in ["hg", "svn"] {
            let gone = scene.fails(vcs, &url).await;
            assert!(matches!(gone, VcsError::Unreachable { .. }), "{vcs} {url}: {gone}");
        }
    }
    let gone = scene.fails("svn", &format!("svn://127.0.0.1:{closed}/x")).await;
    assert!(matches!(gone, VcsError::Unreachable { .. }), "{gone}");

    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    scene.settings.deadline = Duration::from_secs(2);
    for (vcs, scheme) in [("hg", "http"), ("svn", "http"), ("svn", "svn")] {
        let silent = scene.fails(vcs, &format!("{scheme}://127.0.0.1:{port}/x")).await;
        assert!(matches!(silent, VcsError::Timeout { .. }), "{vcs} {scheme}: {silent}");
    }
}

#[tokio::test]
async fn the_guard_holds_for_other_programs_too() {
    let mut scene = Scene::new();
    let (_hg, _svn, urls) = both(scene.folder.path());
    scene.settings.outbound.guard = Guard::default();
    for (vcs, url) in &urls {
        let refused = scene.fails(vcs, url).await;
        assert!(refused.to_string().contains("`allow` under [outbound]"), "{vcs}: {refused}");
    }
    scene.settings.policy.allow_insecure = false;
    for (vcs, url) in &urls {
        let policy = UrlPolicy { allow_insecure: true, ..UrlPolicy::default() };
        assert!(SourceUrl::parse(url, &UrlPolicy::default()).is_err(), "{vcs}");
        assert!(SourceUrl::parse(url, &policy).is_ok());
    }
}

#[tokio::test]
async fn too_much_and_too_little_room_are_told() {
    let mut scene = Scene::new();
    let (_hg, _svn, urls) = both(scene.folder.path());
    scene.settings.limits.transfer = 512;
    for (vcs, url) in &urls {
        let large = scene.fails(vcs, url).await;
        assert!(matches!(large, VcsError::TooLarge { .. }), "{vcs}: {large}");
    }
    scene.settings.limits = Limits::default();
    scene.settings.limits.headroom.least = u64::MAX / 4;
    for (vcs, url) in &urls {
        let full = scene.fails(vcs, url).await;
        assert!(matches!(full, VcsError::NoRoom { .. }), "{vcs}: {full}");
    }
    scene.settings.limits = Limits::default();
    for (vcs, url) in &urls {
        assert!(matches!(scene.update(vcs, url).await, Ok(Update::Changed(_))), "{vcs}: nothing was lost");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_takes_nothing() {
    let mut scene = Scene::new();
    scene.mirrors = "disk";
    let folder = scene.folder.path().to_owned();
    let (_hg, _svn, urls) = both(&folder);
    let disk = FullDisk::at(&folder.join("disk"), &folder.join("work"));
    fs::create_dir(folder.join("disk")).unwrap();
    scene.behind(&disk.words());
    let left = || {
        let names = fs::read_dir(folder.join("disk")).unwrap().chain(fs::read_dir(folder.join("disk/svn")).unwrap());
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".tmp")).collect::<Vec<_>>()
    };
    for (vcs, url) in &urls {
        disk.set(true);
        let full = scene.fails(vcs, url).await;
        assert!(full.is_disk() && full.to_string().contains("Make room"), "{vcs}: {full}");
        disk.set(false);
        let snapshot = changed(scene.update(vcs, url).await);
        let commit = snapshot.root.unwrap().commit.unwrap();
        disk.set(true);
        let full = scene.archive(vcs, url, &commit).await.expect_err(vcs);
        assert!(full.is_disk() && full.to_string().contains("Make room"), "{vcs}: {full}");
        disk.set(false);
        scene.archive(vcs, url, &commit).await.expect(vcs);
    }
    assert_eq!(left(), [""; 0]);
}

fn changed(update: Result<Update, VcsError>) -> Snapshot {
    match update {
        Ok(Update::Changed(snapshot)) => snapshot,
        other => panic!("{other:?}"),
    }
}

/// As often as a Git mirror: whoever serves what is damaged must not have it fetched for ever.
#[tokio::test]
async fn a_mirror_is_repaired_so_often_and_no_more() {
    let mut scene = Scene::new();
    let (_hg, _svn, urls) = both(scene.folder.path());
    let (vcs, url) = &urls[0];
    scene.settings.limits.repairs = 2;
    changed(scene.update(vcs, url).await);
    let mirror = scene.folder.path().join("hg");
    let index = mirror.join("hg/.hg/store/00changelog.i");
    let damage = || {
        let mut bytes = fs::read(&index).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&index, bytes).unwrap();
    };
    for _ in 0..2 {
        damage();
        assert!(matches!(scene.fails(vcs, url).await, VcsError::Corrupt { .. }));
        changed(scene.update(vcs, url).await);
    }
    damage();
    for _ in 0..2 {
        let failed = scene.fails(vcs, url).await;
        assert!(matches!(&failed, VcsError::Unrepairable { repairs: 2, .. }), "{failed:?}");
        assert!(failed.to_string().contains("hg verify"), "{failed}");
    }
    // A day later.
    fs::write(mirror.join("repairs"), "1\n2\n").unwrap();
    assert!(matches!(scene.fails(vcs, url).await, VcsError::Corrupt { .. }));
    changed(scene.update(vcs, url).await);
}

#[tokio::test]
async fn a_killed_pull_is_taken_up_again_and_damage_is_repaired() {
    let scene = Scene::new();
    let (_hg, _svn, urls) = both(scene.folder.path());
    let (vcs, url) = &urls[0];
    assert!(matches!(scene.update(vcs, url).await, Ok(Update::Changed(_))));
    let store = scene.folder.path().join("hg/hg/.hg/store");
    // What a killed program leaves: its lock, and a journal of what it had begun.
    std::os::unix::fs::symlink("elsewhere:4194303", store.join("lock")).unwrap();
    fs::write(store.join("journal"), "").unwrap();
    assert!(scene.update(vcs, url).await.is_ok());
    let index = store.join("00changelog.i");
    let mut bytes = fs::read(&index).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&index, bytes).unwrap();
    let mut outcome = scene.update(vcs, url).await;
    for _ in 0..2 {
        if outcome.is_ok() {
            break;
        }
        outcome = scene.update(vcs, url).await;
    }
    assert!(matches!(outcome, Ok(Update::Changed(_))), "{outcome:?}");
}

#[tokio::test]
async fn secrets_are_in_no_argument_and_no_environment() {
    const SECRET: &str = "s3cret + words";
    let mut scene = Scene::new();
    let (hg, _svn, urls) = both(scene.folder.path());
    let seen = scene.folder.path().join("seen");
    for (vcs, _) in &urls {
        let real = std::process::Command::new("sh").args(["-c", &format!("command -v {vcs}")]).output().unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        let text = format!("#!/bin/sh\n(echo \"$@\"; env) >> {}\nexec {} \"$@\"\n", seen.display(), real.trim());
        scene.script(&format!("wrapped/{vcs}"), &text);
    }
    scene.programs(&scene.folder.path().join("wrapped"), false);
    for (vcs, url) in &urls {
        let (host, port) = SourceUrl::parse(url, &scene.settings.policy).unwrap().host_port().unwrap();
        let authentication = Authentication::Basic { username: "ci".to_owned(), secret: SECRET.into() };
        scene.credential = Some(Credential { host, port, authentication });
        scene.update(vcs, url).await.unwrap();
    }
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("password-from-stdin") && seen.contains("HGRCPATH"), "{seen}");
    assert!(!seen.contains("s3cret"), "{seen}");
    // A credential for another port is not used.
    let stranger = Credential {
        host: "127.0.0.1".to_owned(),
        port: hg.port.wrapping_add(1),
        authentication: Authentication::Basic { username: "ci".to_owned(), secret: SECRET.into() },
    };
    scene.credential = Some(stranger);
    for (vcs, url) in &urls {
        assert!(matches!(scene.fails(vcs, url).await, VcsError::Policy { .. }), "{vcs}");
    }
}
