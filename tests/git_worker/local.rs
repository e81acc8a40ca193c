//! Repositories of this machine: what they are made of must lie below the file roots too.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use packagist_selfhosted::vcs::{Update, VcsError};

use super::Scene;
use super::bare_repository::BareRepository;

/// A repository outside the roots, and a directory inside them.
fn outside(scene: &Scene) -> (BareRepository, PathBuf) {
    let secret = BareRepository::create(&scene.directory.path().join("elsewhere/secret.git"));
    secret.package("refs/heads/main", "other/secret");
    let inside = scene.directory.path().join("repositories/bait");
    fs::create_dir_all(&inside).expect("a directory");
    (secret, inside)
}

fn skeleton(directory: &Path) {
    for name in ["objects", "refs"] {
        fs::create_dir_all(directory.join(name)).expect("a directory");
    }
    fs::write(directory.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
}

async fn refused(scene: &mut Scene, repository: &Path) {
    refused_for(scene, repository, "file_roots").await;
}

async fn refused_for(scene: &mut Scene, repository: &Path, why: &str) {
    let url = repository.to_str().expect("UTF-8").to_owned();
    match scene.update_from(&url).await {
        Err(VcsError::Policy { reason }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("it was read: {other:?}"),
    }
}

#[tokio::test]
async fn a_repository_may_not_lead_out_of_the_roots() {
    let mut scene = Scene::new();
    let (secret, inside) = outside(&scene);
    let git = inside.join(".git");

    symlink(&secret.path, &git).expect("a link");
    refused(&mut scene, &inside).await;
    fs::remove_file(&git).expect("a link");

    skeleton(&git);
    fs::write(git.join("commondir"), format!("{}\n", secret.path.display())).expect("a file");
    refused(&mut scene, &inside).await;
    fs::remove_file(git.join("commondir")).expect("a file");

    fs::remove_dir_all(git.join("objects")).expect("a directory");
    symlink(secret.path.join("objects"), git.join("objects")).expect("a link");
    refused(&mut scene, &inside).await;
    fs::remove_file(git.join("objects")).expect("a link");

    fs::create_dir_all(git.join("objects/info")).expect("a directory");
    let alternates = git.join("objects/info/alternates");
    fs::write(&alternates, format!("{}\n", secret.path.join("objects").display())).expect("a file");
    refused(&mut scene, &inside).await;
    fs::write(&alternates, format!("\"{}\"\n", secret.path.join("objects").display())).expect("a file");
    refused_for(&mut scene, &inside, "in quotes").await;
    fs::write(&alternates, "../x\r\n").expect("a file");
    refused_for(&mut scene, &inside, "carriage return").await;
    fs::write(&alternates, "/nowhere/objects\n").expect("a file");
    refused_for(&mut scene, &inside, "not there").await;
    fs::remove_file(&alternates).expect("a file");

    symlink(secret.path.join("refs/heads"), git.join("refs/heads")).expect("a link");
    refused(&mut scene, &inside).await;
    fs::remove_file(git.join("refs/heads")).expect("a link");

    fs::create_dir(git.join("objects/zz")).expect("a directory");
    symlink(secret.path.join("HEAD"), git.join("objects/zz/loose")).expect("a link");
    refused(&mut scene, &inside).await;
    fs::remove_dir_all(git.join("objects/zz")).expect("a directory");

    let store = fs::read_dir(secret.path.join("objects")).expect("a directory");
    for entry in store.flatten().filter(|entry| entry.file_name().len() == 2) {
        symlink(entry.path(), git.join("objects").join(entry.file_name())).expect("a link");
    }
    refused(&mut scene, &inside).await;
}

#[tokio::test]
async fn a_repository_may_borrow_within_the_roots() {
    let mut scene = Scene::new();
    scene.repository.package("refs/heads/main", "acme/package");
    let clone = scene.directory.path().join("repositories/clone.git");
    let from = scene.repository.path.to_str().expect("UTF-8").to_owned();
    let to = clone.to_str().expect("UTF-8").to_owned();
    scene.repository.git(&["clone", "--quiet", "--bare", "--shared", &from, &to]);
    assert!(clone.join("objects/info/alternates").exists());
    match scene.update_from(&to).await {
        Ok(Update::Changed(snapshot)) => assert_eq!(snapshot.refs.len(), 1),
        other => panic!("it was refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_repository_with_sha256_ids_is_named_as_such() {
    let mut scene = Scene::new();
    let (_, inside) = outside(&scene);
    let directory = inside.to_str().expect("UTF-8").to_owned();
    scene.repository.git(&["init", "--quiet", "--bare", "--object-format=sha256", &directory]);
    match scene.update_from(&directory).await {
        Err(VcsError::Unsupported { what }) => assert!(what.contains("SHA-256"), "{what}"),
        other => panic!("it is not supported: {other:?}"),
    }
}
