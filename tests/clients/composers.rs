//! Real Composers, many at once.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::Size;
use crate::project::{Auth, Project};
use crate::world::World;

/// Every one of them resolves, downloads and unpacks everything, twice, and all of it is right.
pub fn install(size: &Size) {
    let world = World::start(size.packages, true);
    let ca = world.installation.folder.path().join("ca.pem");
    fs::write(&ca, &world.ca).unwrap();
    let started = Instant::now();
    let left = Mutex::new(0..size.composers);
    let times = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..size.wave {
            scope.spawn(|| {
                while let Some(number) = { left.lock().unwrap().next() } {
                    let took = one(&world, ca.to_str().unwrap(), number);
                    times.lock().unwrap().push(took);
                }
            });
        }
    });
    let mut times = times.into_inner().unwrap();
    assert_eq!(times.len(), size.composers, "some did not come to their end");
    times.sort();
    println!(
        "{} Composers, {} at once, {} packages: {:.1?} together; each {:.1?} (median), {:.1?} (slowest); {}",
        size.composers,
        size.wave,
        size.packages,
        started.elapsed(),
        times[times.len() / 2],
        times[times.len() - 1],
        world.uses(),
    );
    let log = world.installation.log();
    let asked = |version: &str| log.lines().any(|line| line.contains("/repo/acme") && line.contains(version));
    assert!(asked("HTTP/2.0") && !asked("HTTP/1.1"), "Composer speaks HTTP/2 where it can");
}

fn one(world: &World, ca: &str, number: usize) -> Duration {
    let installation = &world.installation;
    let auth = if number.is_multiple_of(2) { Auth::Basic(&world.token) } else { Auth::Bearer(&world.token) };
    let project = Project::new(&installation.authority, &[installation.repository("acme")], &auth);
    project.composer(&format!("config cafile {ca}")).done();
    let wanted: Vec<(&str, &str)> = world.packages.iter().map(|(name, _)| (name.as_str(), "^1.0")).collect();
    project.require(&wanted);
    let started = Instant::now();
    project.composer("update").done();
    require_all(world, &project);
    project.forget();
    project.composer("install").done();
    let took = started.elapsed();
    require_all(world, &project);
    took
}

fn require_all(world: &World, project: &Project) {
    assert_eq!(project.locked().len(), world.packages.len());
    for (name, content) in &world.packages {
        let files = project.installed(name);
        let code = files.iter().find(|(path, _)| path.ends_with("code.php")).map(|(_, bytes)| bytes.as_slice());
        assert_eq!(code, Some(content.as_bytes()), "{name}");
    }
}

/// What a Composer says while the server is away, and that it needs nothing to go on afterwards.
pub fn restart() {
    let mut world = World::start(3, false);
    let installation = &world.installation;
    let project = Project::new(&installation.authority, &[installation.repository("acme")], &Auth::Basic(&world.token));
    project.require(&[("acme/p01", "^1.0"), ("acme/p02", "^1.0")]);
    project.composer("update").done();
    assert!(world.installation.stop(), "it stops gracefully");
    // Metadata is cached: it goes on, and says so.
    let said = project.composer("update --dry-run");
    let told = said.err.clone();
    said.done();
    assert!(told.contains("could not be fully loaded"), "{told}");
    project.forget();
    // An archive is needed: it asks four times, says what is wrong, and goes to the source if it can.
    let told = project.composer("install").err;
    assert!(told.contains("Failed to connect") && told.contains("trying to download from source"), "{told}");
    assert_eq!(told.matches("- Downloading acme/p01").count(), 4, "{told}");
    world.installation.serve();
    // Nothing was left behind that needs a repair.
    project.forget();
    let told = project.composer("install").err;
    assert!(!told.contains("Failed"), "{told}");
    let content = &world.packages[1].1;
    assert!(project.installed("acme/p01").values().any(|file| file == content.as_bytes()));
}
