//! What must be so after every crash.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::activity::Scene;
use crate::database;
use crate::http::Response;
use crate::project::{Broken, Life, Project};
use crate::random::Random;
use crate::server::{PATIENCE, until};

/// Work that follows other work at once is due within so many seconds; what is due later failed and is tried again.
pub const SOON: i64 = 3;
/// The longest pause after what these faults make fail.
pub const EVER: i64 = 200;

/// The ids that the server gave, and to what.
#[derive(Default)]
pub struct Ids(BTreeMap<i64, String>);

impl Ids {
    fn give(&mut self, id: i64, url: &str) -> Result<(), Broken> {
        let known = self.0.entry(id).or_insert_with(|| url.to_owned());
        if known == url { Ok(()) } else { Err(format!("the id {id} was {known}'s, and is {url}'s now")) }
    }
}

/// Asks the restarted server which packages it has: what was answered must stand, and what was not is decided by it.
pub fn agree(scene: &Scene, ids: &mut Ids) -> Result<(), Broken> {
    let said = scene.place.command("package list --json");
    let rows: Vec<Value> = serde_json::from_str(&said.out)
        .map_err(|error| format!("`package list`: {error}: {}{}", said.out, said.err))?;
    let mut listed = BTreeMap::new();
    for row in &rows {
        let (Some(id), Some(url)) = (row["id"].as_i64(), row["url"].as_str()) else {
            return Err(format!("a package without id or URL: {row}"));
        };
        ids.give(id, url)?;
        listed.insert(url.to_owned(), id);
    }
    for mut project in scene.each() {
        let found = listed.get(&project.url).copied();
        project.life = match (project.life, found) {
            (Life::Added(id), Some(found)) if id == found => Life::Added(id),
            (Life::Adding, Some(found)) => Life::Added(found),
            (Life::Adding | Life::New, None) => Life::New,
            (Life::Removing(id), Some(found)) if id == found => Life::Added(id),
            (Life::Removing(_) | Life::Removed, None) => Life::Removed,
            (before, found) => return Err(format!("{} was {before:?}, and is listed as {found:?}", project.url)),
        };
    }
    Ok(())
}

/// Waits until nothing runs and nothing is due, then looks at everything that is served. Packages that have work waiting
/// for a later time may show something older.
pub fn look(scene: &Scene, random: &mut Random) -> Result<(), Broken> {
    let queue = settle(scene, 0)?;
    for (job, reason) in &queue.failed {
        if reason.as_ref().is_none_or(String::is_empty) {
            return Err(format!("job {job} failed without a reason"));
        }
    }
    let waiting: HashSet<i64> = queue.packages.iter().map(|(package, _)| *package).collect();
    for mut project in scene.each() {
        let Life::Added(id) = project.life else { continue };
        let settled = !waiting.contains(&id);
        for dev in [false, true] {
            let answer = answer(scene, &project.document(dev))?;
            project.observe(dev, &answer, settled)?;
        }
        if settled && !project.damaged {
            require_archive(scene, &mut project, random)?;
        }
    }
    Ok(())
}

/// Waits until nothing runs, and nothing is due within so many seconds.
fn settle(scene: &Scene, within: i64) -> Result<database::Queue, Broken> {
    let mut last = None;
    let settled = until(PATIENCE + Duration::from_secs(within.unsigned_abs()), || {
        let Ok(queue) = database::queue(&scene.place.data()) else { return false };
        let done = queue.running == 0 && queue.due == 0 && !queue.packages.iter().any(|(_, due)| *due < within);
        last = Some(queue);
        done
    });
    match last {
        Some(queue) if settled => Ok(queue),
        Some(queue) => Err(format!(
            "jobs are stuck: {} run, {} are due, waiting (package, seconds): {:?}",
            queue.running, queue.due, queue.packages
        )),
        None => Err("the queue cannot be read".to_owned()),
    }
}

fn answer(scene: &Scene, path: &str) -> Result<Response, Broken> {
    scene.get(path).ok_or_else(|| format!("no whole answer to {path}"))
}

fn require_archive(scene: &Scene, project: &mut Project, random: &mut Random) -> Result<(), Broken> {
    match project.choose_archive(random) {
        None => Ok(()),
        Some(commit) => require(scene, project, &commit),
    }
}

/// Gets an archive, which must be there or be built.
fn require(scene: &Scene, project: &mut Project, commit: &str) -> Result<(), Broken> {
    let mut last = None;
    // A 503 asks for patience; a mirror that turned out spoilt is repaired first.
    until(PATIENCE, || {
        last = scene.get(&project.archive(commit));
        last.as_ref().is_some_and(|answer| answer.status == 200 || !project.damaged && answer.status != 503)
    });
    let answer = last.ok_or_else(|| format!("no whole answer about the archive of {commit}"))?;
    scene.counts.archives.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    project.observe_archive(commit, &answer, true)
}

/// The long look, when all work within so many seconds is done: everything that was promised is served, and every file is
/// where and what it should be.
pub fn inspect(scene: &Scene, within: i64, random: &mut Random) -> Result<(), Broken> {
    for mut project in scene.each() {
        if let Life::Added(id) = project.life {
            scene.push(&mut project, id, random)?;
            let commit = project.remote.head();
            scene.announce(&mut project, id, &commit)?;
        }
    }
    settle(scene, within)?;
    look(scene, random)?;
    let stored = database::archives(&scene.place.data()).map_err(|error| format!("the books of archives: {error}"))?;
    for mut project in scene.each() {
        let Life::Added(id) = project.life else { continue };
        // What only a spoilt mirror had may be lost; everything else that was stored comes whole, whoever cut it off.
        let whole = !project.damaged;
        for (_, commit) in stored.iter().filter(|(package, _)| *package == id && whole) {
            require(scene, &mut project, commit)?;
        }
        if project.damaged {
            for commit in project.archives_due() {
                require(scene, &mut project, &commit)?;
            }
            // What it lost by our fault would have to be left out of every later look.
            scene.retire(&mut project, id);
        }
    }
    settle(scene, within)?;
    let data = scene.place.data();
    database::sound(&data)?;
    let added: Vec<_> = scene
        .each()
        .filter_map(|project| match project.life {
            Life::Added(id) => Some((id, project.published())),
            _ => None,
        })
        .collect();
    for (id, published) in &added {
        mirror(&mirror_of(&data, *id), published)?;
        leftovers(&mirror_of(&data, *id))?;
    }
    let expected: BTreeSet<PathBuf> = added.iter().map(|(id, _)| mirror_of(&data, *id)).collect();
    let surplus: Vec<_> = files(&data.join("mirrors")).into_iter().filter(|path| !expected.contains(path)).collect();
    if !surplus.is_empty() {
        return Err(format!("mirrors of no package: {surplus:?}"));
    }
    archives(&data)?;
    let said = scene.place.command("check");
    if said.code != Some(0) {
        return Err(format!("`check` found something: {}{}", said.out, said.err));
    }
    Ok(())
}

/// Where a package's mirror is.
pub fn mirror_of(data: &Path, id: i64) -> PathBuf {
    data.join(format!("mirrors/{id}.git"))
}

/// The git program's own judgement of a mirror, and whether its refs hold every commit that was ever served.
pub fn mirror(path: &Path, published: &[String]) -> Result<(), Broken> {
    if !path.join("packed-refs").exists() {
        return if published.is_empty() { Ok(()) } else { Err(format!("there is no mirror at {}", path.display())) };
    }
    git(path, &["fsck", "--connectivity-only", "--no-dangling", "--no-reflogs"])?;
    let reached = git(path, &["rev-list", "--all"])?;
    let reached: HashSet<&str> = reached.lines().collect();
    let lost: Vec<_> = published.iter().filter(|commit| !reached.contains(commit.as_str())).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("{} does not hold {lost:?}", path.display())) }
}

fn git(path: &Path, arguments: &[&str]) -> Result<String, Broken> {
    let output = Command::new("git")
        .arg("-C")
        .arg(path)
        .args(["-c", "safe.directory=*"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("the tests need git: apt-get install git");
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "git {arguments:?} in {}: {}{}",
        path.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// An update sweeps what its killed predecessors left.
fn leftovers(mirror: &Path) -> Result<(), Broken> {
    let packs = mirror.join("objects/pack");
    for path in [mirror, &mirror.join("objects"), &packs].into_iter().flat_map(files) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = name.starts_with(".tmp")
            || name.starts_with("tmp_")
            || [".lock", ".keep"].iter().any(|end| name.ends_with(end));
        let half = [("pack", "idx"), ("idx", "pack")].iter().any(|(one, other)| {
            path.extension().is_some_and(|extension| extension == *one) && !path.with_extension(other).exists()
        });
        if temporary || half {
            return Err(format!("{} was left over", path.display()));
        }
    }
    Ok(())
}

/// Every archive is in the books and has the content of its name; none is half written.
fn archives(data: &Path) -> Result<(), Broken> {
    for folder in files(&data.join("dists")) {
        for path in files(&folder) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Ok(content) = fs::read(&path) else { continue };
            let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            if digest != name {
                return Err(format!("{} has the digest {digest}", path.display()));
            }
        }
    }
    let unfinished = files(&data.join("unfinished"));
    if unfinished.is_empty() { Ok(()) } else { Err(format!("left over: {unfinished:?}")) }
}

/// What lies in a folder; nothing if there is none.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
