//! What users, platforms and clients do to a server all the time, and what it answered them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::http::{self, Response};
use crate::project::{Broken, Life, Project};
use crate::random::Random;
use crate::server::Place;

/// What was done, for the summary.
#[derive(Default)]
pub struct Counts {
    pub pushes: AtomicUsize,
    pub accepted: AtomicUsize,
    pub documents: AtomicUsize,
    pub archives: AtomicUsize,
    pub commands: AtomicUsize,
}

/// A server as its users see it.
pub struct Scene {
    pub place: Place,
    /// The header that opens the repository.
    pub authorization: String,
    /// Each is one user's alone for a cycle, and everybody's who checks afterwards.
    pub projects: Vec<Mutex<Project>>,
    pub counts: Counts,
}

impl Scene {
    /// A request of a Composer client.
    pub fn get(&self, path: &str) -> Option<Response> {
        http::send(&self.place.authority, "GET", path, &self.authorization, b"")
    }

    /// The projects, each to be had while nobody else has it.
    pub fn each(&self) -> impl Iterator<Item = std::sync::MutexGuard<'_, Project>> {
        self.projects.iter().map(|project| project.lock().expect("nobody panicked with it"))
    }

    /// Does one thing after the other with every `users`th project until told to stop.
    pub fn act(&self, (user, users): (usize, usize), random: &mut Random, stop: &AtomicBool) -> Result<(), Broken> {
        let mine: Vec<_> = self.projects.iter().skip(user).step_by(users).collect();
        while !stop.load(Ordering::Relaxed) {
            let mut project = random.pick(&mine).lock().expect("nobody panicked with it");
            if !self.step(&mut project, random)? {
                // Nobody answers: the server is dead, and the next one comes soon.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// Does one thing; whether anybody answered.
    fn step(&self, project: &mut Project, random: &mut Random) -> Result<bool, Broken> {
        match project.life {
            Life::New if random.chance(50) => self.add(project),
            Life::New | Life::Adding | Life::Removing(_) | Life::Removed => Ok(false),
            Life::Added(id) => match random.below(100) {
                0..=29 => self.push(project, id, random),
                30..=39 => {
                    for _ in 0..random.below(8) {
                        self.push(project, id, random)?;
                    }
                    Ok(true)
                }
                40..=64 => self.read(project),
                65..=89 => self.download(project, random),
                90..=98 => self.command(project, id, random),
                _ => self.remove(project, id, random),
            },
        }
    }

    fn add(&self, project: &mut Project) -> Result<bool, Broken> {
        project.life = Life::Adding;
        let state = project.remote.newest();
        let said = self.place.command(&format!("package add {}", project.url));
        self.counts.commands.fetch_add(1, Ordering::Relaxed);
        if said.code == Some(0) {
            let id = said.out.parse().map_err(|_| format!("`package add` printed no id: {}", said.out))?;
            project.life = Life::Added(id);
            project.promised = state;
        }
        Ok(true)
    }

    fn remove(&self, project: &mut Project, id: i64, random: &mut Random) -> Result<bool, Broken> {
        // Old ones go, so that checking them does not take ever longer.
        if project.remote.newest() < 30 || random.chance(50) {
            return Ok(true);
        }
        self.retire(project, id);
        Ok(true)
    }

    /// Removes a package for good.
    pub fn retire(&self, project: &mut Project, id: i64) {
        project.life = Life::Removing(id);
        let said = self.place.command(&format!("package remove {id}"));
        self.counts.commands.fetch_add(1, Ordering::Relaxed);
        if said.code == Some(0) {
            project.life = Life::Removed;
        }
    }

    /// Pushes, and mostly has the platform tell the server.
    pub fn push(&self, project: &mut Project, id: i64, random: &mut Random) -> Result<bool, Broken> {
        let commit = project.remote.change(random);
        self.counts.pushes.fetch_add(1, Ordering::Relaxed);
        if random.chance(15) { Ok(true) } else { self.announce(project, id, &commit) }
    }

    /// Calls the webhook; whether anybody answered.
    pub fn announce(&self, project: &mut Project, id: i64, commit: &str) -> Result<bool, Broken> {
        if project.hook.is_none() {
            let said = self.place.command(&format!("package hook {id}"));
            self.counts.commands.fetch_add(1, Ordering::Relaxed);
            project.hook = said.out.find("/hooks/").map(|at| said.out[at..].to_owned());
        }
        let Some(hook) = project.hook.clone() else { return Ok(false) };
        let state = project.remote.newest();
        let body = json!({ "ref": "refs/heads/main", "after": commit }).to_string();
        let headers = "Content-Type: application/json\r\nX-GitHub-Event: push\r\n";
        let answer = http::send(&self.place.authority, "POST", &hook, headers, body.as_bytes());
        match answer {
            None => Ok(false),
            Some(answer) if answer.status == 202 => {
                project.promised = state;
                self.counts.accepted.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Some(answer) if answer.status == 503 => Ok(true),
            Some(answer) => Err(format!("the webhook of {} is not known: {}", project.url, answer.text())),
        }
    }

    fn read(&self, project: &mut Project) -> Result<bool, Broken> {
        for dev in [false, true] {
            let Some(answer) = self.get(&project.document(dev)) else { return Ok(false) };
            self.counts.documents.fetch_add(1, Ordering::Relaxed);
            project.observe(dev, &answer, false)?;
        }
        Ok(true)
    }

    fn download(&self, project: &mut Project, random: &mut Random) -> Result<bool, Broken> {
        let Some(commit) = project.choose_archive(random) else { return self.read(project) };
        let Some(answer) = self.get(&project.archive(&commit)) else { return Ok(false) };
        self.counts.archives.fetch_add(1, Ordering::Relaxed);
        project.observe_archive(&commit, &answer, false)?;
        Ok(true)
    }

    fn command(&self, project: &mut Project, id: i64, random: &mut Random) -> Result<bool, Broken> {
        let state = project.remote.newest();
        let words = *random.pick(&["package update", "package update", "package show", "job list", "package list"]);
        let whole = if words.ends_with("list") { words.to_owned() } else { format!("{words} {id}") };
        let said = self.place.command(&whole);
        self.counts.commands.fetch_add(1, Ordering::Relaxed);
        if said.code == Some(0) && words == "package update" {
            project.promised = state;
        }
        Ok(true)
    }
}
