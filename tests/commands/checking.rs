//! What `check` says of a data directory that is not as it should be.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;

use rustix::process::geteuid;

use crate::world::{Said, World};

fn errors(said: &Said) -> Vec<&str> {
    said.out.lines().filter(|line| line.starts_with("error: ")).collect()
}

#[test]
fn missing_keys_are_an_error_with_a_remedy() {
    let world = World::new();
    let elsewhere = world.path().join("credentials");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(world.data().join("keys"), elsewhere.join("packagist-selfhosted-keys")).unwrap();
    let said = world.run("check");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(errors(&said)[0].contains("put the copy back") && errors(&said)[0].contains("$CREDENTIALS_DIRECTORY"));
    let said = Said::of(world.command(&["check"]).env("CREDENTIALS_DIRECTORY", &elsewhere).output().unwrap()).done();
    assert!(said.out.contains("ok: the key ring can be read"), "{said:?}");
}

#[test]
fn files_that_are_open_to_others_are_told() {
    let world = World::new();
    let server = world.serve();
    let names = ["packagist.sqlite", "packagist.sqlite-wal", "packagist.sqlite-shm", "control.sock"];
    let said = world.run("check").done();
    assert!(names.iter().all(|name| !said.out.contains(&format!("{name} is open to others"))), "{said:?}");
    for name in names {
        fs::set_permissions(world.data().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let said = world.run("check").done();
    for name in names {
        let path = world.data().join(name).display().to_string();
        let text = format!("warning: {path} is open to others (mode 0644): run `chmod 600 {path}`");
        assert!(said.out.contains(&text), "{name}: {said:?}");
    }
    server.stop();
}

#[test]
fn a_directory_that_cannot_be_read_is_not_called_empty() {
    let world = World::new();
    let mut check = world.command(&["check"]);
    if geteuid().is_root() {
        // Root reads everything, so somebody else asks.
        chown(world.data(), Some(65533), Some(65533)).unwrap();
        check.uid(65534).gid(65534);
    } else {
        fs::set_permissions(world.data(), fs::Permissions::from_mode(0o0)).unwrap();
    }
    let said = Said::of(check.output().unwrap());
    fs::set_permissions(world.data(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(!said.out.contains("is empty"), "{said:?}");
    assert!(errors(&said).iter().any(|line| line.contains("cannot be read and written by user")), "{said:?}");
}

#[test]
fn a_file_system_without_writing_is_named() {
    // Only root can mount, and not in every container.
    let world = World::new();
    let data = world.data();
    let mount = format!("mount --bind {0} {0} && mount -o remount,bind,ro {0}", data.display());
    let said = world.shell(&format!("unshare -m sh -c '{mount} && echo mounted && $DO check'"));
    if said.out.starts_with("mounted") {
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(errors(&said)[0].contains("mounted read-only"), "{said:?}");
        assert_eq!(errors(&said).len(), 1, "{said:?}");
    }
}

#[test]
fn what_this_release_does_not_do_is_said() {
    let world = World::new();
    let with = |variables: &[(&str, &str)], command: &str| {
        Said::of(world.command(&[command]).envs(variables.iter().copied()).output().unwrap())
    };
    let bucket = [
        ("PACKAGIST_SELFHOSTED__STORAGE__KIND", "s3"),
        ("PACKAGIST_SELFHOSTED__STORAGE__BUCKET", "b"),
        ("PACKAGIST_SELFHOSTED__STORAGE__ACCESS_KEY_ID", "a"),
        ("PACKAGIST_SELFHOSTED__STORAGE__SECRET_ACCESS_KEY", "s"),
    ];
    with(&bucket, "serve").refused(1, "in the data directory only");
    let said = with(&bucket, "check");
    assert_eq!((said.code, errors(&said).len()), (Some(1), 1), "{said:?}");
    let said = with(&[("PACKAGIST_SELFHOSTED__RETENTION__DEV_DISTS", "90d")], "check").done();
    assert!(said.out.contains("no effect yet"), "{said:?}");
}

#[test]
fn a_missing_ssh_is_an_error_only_where_a_key_waits_for_it() {
    let world = World::with_organization();
    let without_programs = || Said::of(world.command(&["check"]).env("PATH", "/nonexistent").output().unwrap());
    let said = without_programs().done();
    assert!(said.out.contains("warning: ssh is not installed"), "{said:?}");
    world.run("credential add key --type ssh-key --host git.example.com --generate").done();
    let said = without_programs();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(errors(&said).len(), 2, "{said:?}");
    assert!(errors(&said)[1].contains("openssh-client"), "{said:?}");
}
