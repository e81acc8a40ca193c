//! The large ones, by hand: `cargo test --release --test git_worker -- --ignored --nocapture --test-threads=1 heavy`.
//!
//! Each makes a repository of the size that its name says, reads it, and prints how long that took, how much memory the
//! worker had at most, and how much disk the mirror takes. They need some ten gigabytes of disk and half an hour.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::failures::workers;
use super::{Scene, Update, VcsError};

/// Streams a `git fast-import` of whatever `write` writes.
fn import(scene: &Scene, write: impl FnOnce(&mut dyn std::io::Write)) {
    let mut child = Command::new("git")
        .args(["-c", "core.bigFileThreshold=1m", "fast-import", "--quiet", "--force"])
        .current_dir(&scene.repository.path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("git is installed");
    let mut input = BufWriter::new(child.stdin.take().expect("piped"));
    write(&mut input);
    input.flush().expect("git reads its input");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

/// The beginning of a commit onto `main`, with its `composer.json`.
fn commit(number: usize) -> String {
    let manifest = format!("{{\"name\": \"heavy/package\", \"description\": \"build {number}\"}}");
    format!(
        "commit refs/heads/main\ncommitter a <a@x> {} +0000\ndata 0\nM 100644 inline composer.json\ndata {}\n{manifest}\n",
        1_700_000_000 + number,
        manifest.len()
    )
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// Updates, and says what that took.
async fn measured(scene: &mut Scene, what: &str) -> Result<Update, VcsError> {
    let done = Arc::new(AtomicBool::new(false));
    let watcher = std::thread::spawn({
        let (done, mirror) = (Arc::clone(&done), scene.mirror());
        move || {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = workers(&mirror).into_iter().filter_map(|worker| high_water(&worker)).fold(peak, u64::max);
                std::thread::sleep(Duration::from_millis(20));
            }
            peak
        }
    });
    let started = Instant::now();
    let path = scene.repository.path.to_str().expect("UTF-8").to_owned();
    let result = scene.update_from(&path).await;
    let took = started.elapsed();
    done.store(true, Ordering::Relaxed);
    let peak = watcher.join().expect("no panic");
    let mut said = String::new();
    match &result {
        Ok(_) => write!(said, "done"),
        Err(error) => write!(said, "{error}"),
    }
    .expect("text takes text");
    println!(
        "{what}: {:.1} s, worker {} MiB, mirror {} MiB: {said}",
        took.as_secs_f64(),
        peak >> 10,
        size(&scene.mirror()) >> 20
    );
    result
}

/// The most memory that a process had, in KiB, mapped packs among it.
fn high_water(process: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(known) if known.is_dir() => size(&entry.path()),
            Ok(known) => known.len(),
            Err(_) => 0,
        })
        .sum()
}

#[tokio::test]
#[ignore = "takes minutes and gigabytes"]
async fn heavy_two_gigabytes() {
    let mut scene = Scene::new();
    let mut blob = noise(32 << 20);
    import(&scene, |out| {
        for number in 0..64_usize {
            blob[..8].copy_from_slice(&number.to_be_bytes());
            write!(out, "{}M 100644 inline blob\ndata {}\n", commit(number), blob.len()).expect("it reads");
            out.write_all(&blob).expect("it reads");
            out.write_all(b"\n").expect("it reads");
        }
    });
    measured(&mut scene, "2 GB").await.expect("it is within the limit");
    measured(&mut scene, "2 GB, nothing new").await.expect("it is within the limit");
    std::fs::remove_dir_all(scene.mirror()).expect("it is ours");
    scene.known = None;
    scene.settings.limits.transfer = 1 << 30;
    let refused = measured(&mut scene, "2 GB with a limit of 1 GB").await.expect_err("it is too large");
    assert!(matches!(refused, VcsError::TooLarge { .. }), "{refused:?}");
    assert!(size(&scene.mirror()) < 1 << 20, "nothing of it stays");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn heavy_tags() {
    for tags in [1000, 10_000, 50_000] {
        let mut scene = Scene::new();
        import(&scene, |out| {
            for number in 0..tags {
                let tag = format!(
                    "reset refs/tags/v{}.{}.{}\nfrom refs/heads/main\n",
                    number / 1000,
                    number / 10 % 100,
                    number % 10
                );
                write!(out, "{}\n{tag}\n", commit(number)).expect("it reads");
            }
        });
        scene.repository.git(&["pack-refs", "--all"]);
        measured(&mut scene, &format!("{tags} tags")).await.expect("they are within the limit");
        measured(&mut scene, &format!("{tags} tags, nothing new")).await.expect("they are within the limit");
    }
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn heavy_refs_beyond_the_limit() {
    let mut scene = Scene::new();
    let commit = scene.repository.package("refs/heads/main", "heavy/package");
    let mut refs = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for number in 0..120_000 {
        writeln!(refs, "{commit} refs/tags/t{number:06}").expect("text takes text");
    }
    std::fs::write(scene.repository.path.join("packed-refs"), refs).expect("it is ours");
    let refused = measured(&mut scene, "120,000 refs").await.expect_err("they are too many");
    assert!(matches!(refused, VcsError::TooLarge { .. }), "{refused:?}");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn heavy_history() {
    let mut scene = Scene::new();
    import(&scene, |out| {
        writeln!(out, "{}", commit(0)).expect("it reads");
        for number in 1..1_000_000 {
            write!(out, "commit refs/heads/main\ncommitter a <a@x> {} +0000\ndata 0\n\n", 1_700_000_000 + number)
                .expect("it reads");
        }
    });
    measured(&mut scene, "a million commits").await.expect("it is within the limit");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn heavy_blob() {
    let mut scene = Scene::new();
    let blob = noise(200 << 20);
    import(&scene, |out| {
        write!(out, "{}M 100644 inline blob\ndata {}\n", commit(0), blob.len()).expect("it reads");
        out.write_all(&blob).expect("it reads");
        out.write_all(b"\n").expect("it reads");
    });
    measured(&mut scene, "a file of 200 MB").await.expect("it is within the limit");
    let id = scene.repository.git(&["rev-parse", "main"]);
    let started = Instant::now();
    let stats = scene.archive(&id, &scene.directory.path().join("out.zip")).await.expect("it is within the limit");
    println!("its archive: {:.1} s, {} MiB", started.elapsed().as_secs_f64(), stats.bytes >> 20);
}
