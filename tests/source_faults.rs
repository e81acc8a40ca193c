//! What happens when a repository cannot be read, by the real executable and real servers: Git, Mercurial and Subversion, by
//! HTTP, by SSH and by their own protocols. Whatever goes wrong, each package says once what it is and what to do, what was
//! served is served on, the next package does not wait, and the next update after the fault succeeds.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "source_faults/front.rs"]
mod front;
#[path = "support/git_server.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod git_server;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "source_faults/page.rs"]
mod page;
#[path = "hg_svn/servers.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod servers;
#[path = "support/sshd.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod sshd;
#[path = "source_faults/world.rs"]
mod world;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use front::Mode;
use git_server::Fault;
use servers::free_port;
use world::{PASSWORD, Source, World};

const ALL: [&str; 7] = ["git-web", "hg-web", "svn-web", "svn-daemon", "git-ssh", "hg-ssh", "svn-ssh"];
const WITHOUT_KEYS: [&str; 4] = ["git-web", "hg-web", "svn-web", "svn-daemon"];
const BY_KEYS: [&str; 3] = ["git-ssh", "hg-ssh", "svn-ssh"];

/// Parts of what is said, whatever the system.
fn parts(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

#[test]
fn a_wrong_password_is_told_until_it_is_right() {
    let world = World::start(&WITHOUT_KEYS, "");
    let rotate = |secret: &str| {
        for name in ["git", "web", "daemon"] {
            world.installation.command_with(&format!("credential rotate {name} --secret-stdin"), secret).done();
        }
    };
    rotate("wrong horse");
    let says = |source: &Source| {
        let host = source.url.split("://").nth(1).unwrap().split('/').next().unwrap();
        parts(&["did not accept the credential", host, "credential rotate"])
    };
    let releases = world.fails("wrong password", &says);
    rotate(PASSWORD);
    world.arrived("right password", &releases);
}

#[test]
fn a_refused_key_and_a_changed_host_key_are_told_until_somebody_mends_it() {
    let mut world = World::start(&BY_KEYS, "");
    world.sshd.authorize("", &world.sshd.host_key("rsa"));
    let user = world.sshd.user.clone();
    let says = |_: &Source| parts(&["does not let", &user, "credential list --json", "127.0.0.1"]);
    let releases = world.fails("refused key", &says);
    world.sshd.authorize("", &world.public_key);
    world.recovers("accepted key", &releases);

    let old = world.sshd.fingerprint("ed25519");
    world.sshd.change_host_key();
    let new = world.sshd.fingerprint("ed25519");
    let says = |_: &Source| parts(&["another host key", &old, &new, "host-key add"]);
    let releases = world.fails("changed host key", &says);
    let accept = format!("host-key add 127.0.0.1:{} --scan --fingerprint {new}", world.ssh.port);
    world.installation.command(&accept).done();
    world.arrived("accepted host key", &releases);
}

#[test]
fn a_program_that_is_not_there_is_named_until_it_is() {
    let world = World::start(&["hg-web", "svn-daemon", "git-ssh"], "");
    let missing = |source: &Source| match source.vcs() {
        "git" => "ssh",
        other => other,
    };
    for source in &world.sources {
        fs::remove_file(world.programs().join(missing(source))).unwrap();
    }
    let says = |source: &Source| parts(&[&format!("`{}`", missing(source)), "not installed", "Install"]);
    let releases = world.fails("missing program", &says);
    for source in &world.sources {
        world.provide(missing(source));
    }
    world.recovers("installed program", &releases);
}

#[test]
fn a_directory_that_cannot_be_written_is_told_until_it_can() {
    let world = World::start(&["git-web", "hg-web", "svn-daemon"], "");
    // The first packages are those, and the neighbour is the last one.
    let mirrors = (1..=world.sources.len()).map(|id| world.data().join(format!("mirrors/{id}.git")));
    let all: Vec<_> = mirrors.flat_map(|mirror| walk(&mirror)).collect();
    let allow =
        |mode: u32| all.iter().for_each(|path| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap());
    allow(0o500);
    let says = |_: &Source| parts(&["ermission denied", "mirror", "Let the user that the server runs as"]);
    let releases = world.fails("read-only mirrors", &says);
    allow(0o700);
    world.recovers("writable mirrors", &releases);
}

#[test]
fn a_host_that_an_archive_meets_first_is_remembered() {
    let world = World::start(&["svn-ssh"], "");
    let (host, key) = (format!("127.0.0.1:{}", world.ssh.port), world.sshd.fingerprint("ed25519"));
    let known = || world.installation.command("host-key list --json").done().contains(&key);
    assert!(known());
    world.installation.command(&format!("host-key remove {host} --fingerprint {key}")).done();
    assert!(!known());
    assert_eq!(world.archive(&world.sources[0], "1.1.0.0"), 200);
    assert!(known());
}

/// A folder and all folders below it.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        }
    }
    found
}

#[test]
fn servers_that_stall_are_given_up() {
    let world = World::start(&ALL, "deadline = \"10s\"\n");
    let fronts = [&world.web, &world.daemon, &world.ssh];
    world.git.fail(Fault::Mute);
    fronts.iter().for_each(|front| front.set(Mode::Mute));
    let says = |_: &Source| parts(&["took longer than 10 seconds", "tried again later"]);
    let releases = world.fails("mute servers", &says);
    world.git.fail(Fault::StalledPack);
    world.web.set(Mode::Stall(1_000));
    world.daemon.set(Mode::Stall(100));
    world.ssh.set(Mode::Stall(4_000));
    world.fails("stalled servers", &says);
    world.git.fail(None);
    fronts.iter().for_each(|front| front.set(Mode::Open));
    world.recovers("servers that answer", &releases);
}

#[test]
fn redirects_take_no_credential_along_and_end() {
    let world = World::start(&["git-web", "hg-web", "svn-web"], "");
    let other = front::Front::open(free_port());
    other.set(Mode::Redirect("http://127.0.0.1".to_owned()));
    let (web, git) = (format!("http://127.0.0.1:{}", world.web.port), format!("https://localhost:{}", world.git.port));
    let mut last = Vec::new();
    for (what, to_web, to_git, says) in [
        ("round", web.as_str(), git.as_str(), vec!["redirect"]),
        (
            "another host",
            &format!("http://127.0.0.1:{}", other.port),
            "https://other.example",
            vec!["redirects to", "credential"],
        ),
        ("a file", "file:///etc", "file:///etc", vec!["redirect"]),
        ("metadata of the machine", "http://169.254.169.254", "https://169.254.169.254", vec!["redirect"]),
    ] {
        world.web.set(Mode::Redirect(to_web.to_owned()));
        world.git.fail(Fault::Redirect(to_git.to_owned()));
        let releases = world.fails(what, &|_| parts(&says));
        if last.is_empty() {
            last = releases;
        }
        assert!(other.take_heads().is_empty(), "{what}: somebody went there");
        world.web.take_heads();
    }
    world.web.set(Mode::Open);
    world.git.fail(None);
    world.recovers("no redirects", &last);
}
