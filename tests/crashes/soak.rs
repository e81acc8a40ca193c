//! The soak: a server that works hard, dies, starts again and is looked at, over and over.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::activity::{Counts, Scene};
use crate::aftermath::{self, Ids};
use crate::damage;
use crate::faults::{Fault, Moment};
use crate::git_server::GitServer;
use crate::lost_log;
use crate::project::{Broken, Life, Project};
use crate::random::Random;
use crate::remote::Remote;
use crate::server::{Place, kill};

/// How many packages there are at a time.
const PACKAGES: usize = 8;
/// How many users are at it at once.
const USERS: usize = 3;
/// After so many cycles everything is looked at, and not only what is served.
const INSPECTION: usize = 15;

/// A run of more cycles than this is no test among others: it takes its time, and tells how it goes.
const SHORT: usize = 50;

/// Runs so many cycles with the choices that follow from the seed.
pub fn run(cycles: usize, seed: u64) {
    let started = Instant::now();
    let mut soak = Soak::new(seed);
    for cycle in 1..=cycles {
        let mut story = Vec::new();
        let done = soak.cycle(cycle, cycle == cycles, &mut story);
        if let Err(broken) = done {
            let folder = soak.keep(&format!("seed {seed}, cycle {cycle}: {}\n\n{broken}\n", story.join(", ")));
            panic!(
                "seed {seed}, cycle {cycle} ({}): {broken}\nThe evidence is kept in {}",
                story.join(", "),
                folder.display()
            );
        }
        if cycles > SHORT {
            println!("{cycle}/{cycles} after {} s: {}", started.elapsed().as_secs(), story.join(", "));
        }
    }
    println!("seed {seed}: {cycles} cycles in {} s. {}", started.elapsed().as_secs(), soak.summary());
}

struct Soak {
    scene: Scene,
    random: Random,
    ids: Ids,
    git: GitServer,
    server: Option<Child>,
    packages: u32,
    faults: BTreeMap<String, usize>,
    /// Everything lies below; removed at the end, unless a promise was broken.
    folder: Option<tempfile::TempDir>,
}

impl Drop for Soak {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            kill(&mut server);
        }
    }
}

impl Soak {
    fn new(seed: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("soak-").tempdir().expect("there is room for a test");
        let path = folder.path().to_owned();
        let repositories = path.join("repositories");
        fs::create_dir(&repositories).expect("folders can be made");
        let git = GitServer::start(&repositories);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port is free");
        let authority = port.to_string();
        let config = format!(
            "[server]\nlisten = \"{authority}\"\npublic_url = \"http://{authority}\"\n\
             [vcs]\nfile_roots = [{repositories:?}]\n\
             [outbound]\nallow = [\"127.0.0.0/8\", \"::1\", \"localhost\"]\nca_bundle = \"ca.pem\"\n"
        );
        fs::write(path.join("config.toml"), config).expect("files can be written");
        fs::write(path.join("ca.pem"), &git.ca).expect("files can be written");
        let place = Place::new(&path, authority);
        let mut server = place.start();
        place.ready(&mut server).expect("a new server starts");
        let done = |words: &str| {
            let said = place.command(words);
            assert_eq!(said.code, Some(0), "{words}: {}{}", said.out, said.err);
            said.out
        };
        done("org add soak");
        let authorization = format!("Authorization: Bearer {}\r\n", done("token add --access read"));
        let scene = Scene { place, authorization, projects: Vec::new(), counts: Counts::default() };
        let mut soak = Self {
            scene,
            random: Random(seed),
            ids: Ids::default(),
            git,
            server: Some(server),
            packages: 0,
            faults: BTreeMap::new(),
            folder: Some(folder),
        };
        soak.scene.projects = (0..PACKAGES).map(|_| Mutex::new(soak.package())).collect();
        soak
    }

    /// A new repository that no package stands for yet: half of them over HTTPS, half in the file system.
    fn package(&mut self) -> Project {
        self.packages += 1;
        let name = format!("p{}", self.packages);
        let path = self.scene.place.folder.join("repositories").join(&name);
        let remote = Remote::create(&path, &format!("soak/{name}"), &mut self.random);
        let url = if self.random.chance(50) { self.git.url(&name) } else { path.display().to_string() };
        Project::new(remote, url)
    }

    fn cycle(&mut self, cycle: usize, last: bool, story: &mut Vec<String>) -> Result<(), Broken> {
        self.replace_removed();
        let fault = Fault::choose(&mut self.random);
        let moment = Moment::choose(&mut self.random);
        story.push(format!("{fault:?} at {moment:?}"));
        *self.faults.entry(format!("{fault:?}")).or_default() += 1;
        let mut server = self.server.take().expect("it runs");
        let struck = self.work_until(fault, moment, &mut server);
        kill(&mut server);
        struck?;
        self.scene.place.orphans_end()?;
        self.look_at_mirrors()?;
        if self.random.chance(8) {
            story.push(damage::spoil(&self.scene, &mut self.random).map_err(|error| format!("spoiling: {error}"))?);
        }
        if self.random.chance(3) {
            let folder = tempfile::Builder::new().prefix("soak-").tempdir().expect("there is room for a test");
            let outcome = lost_log::try_it(&self.scene, folder.path())?;
            story.push(format!("a copy without its log: {outcome:?}"));
            *self.faults.entry(format!("log lost: {outcome:?}")).or_default() += 1;
        }
        if self.random.chance(15) {
            story.push("killed again at the start".to_owned());
            *self.faults.entry("Start".to_owned()).or_default() += 1;
            let mut server = self.scene.place.start();
            Moment::After(Duration::from_millis(self.random.next() % 150)).wait(&self.scene.place);
            kill(&mut server);
            self.scene.place.orphans_end()?;
        }
        let server = self.server.insert(self.scene.place.start());
        self.scene.place.ready(server)?;
        aftermath::agree(&self.scene, &mut self.ids)?;
        aftermath::look(&self.scene, &mut self.random)?;
        if cycle.is_multiple_of(INSPECTION) || last {
            // The end of a long run waits for everything.
            let within = if last && cycle > SHORT { aftermath::EVER } else { aftermath::SOON };
            aftermath::inspect(&self.scene, within, &mut self.random)?;
        }
        Ok(())
    }

    fn replace_removed(&mut self) {
        for index in 0..self.scene.projects.len() {
            let removed = self.scene.projects[index].lock().expect("nobody panicked with it").life == Life::Removed;
            if removed {
                let new = Mutex::new(self.package());
                let old = std::mem::replace(&mut self.scene.projects[index], new);
                let old = old.into_inner().expect("nobody panicked with it");
                fs::remove_dir_all(old.remote.path).expect("folders can be removed");
            }
        }
    }

    /// Lets users and platforms work while the moment comes and the fault strikes.
    fn work_until(&mut self, fault: Fault, moment: Moment, server: &mut Child) -> Result<(), Broken> {
        let stop = AtomicBool::new(false);
        let seeds: Vec<u64> = (0..USERS).map(|_| self.random.next()).collect();
        let (scene, random) = (&self.scene, &mut self.random);
        std::thread::scope(|threads| {
            let users: Vec<_> = seeds
                .into_iter()
                .enumerate()
                .map(|(user, seed)| {
                    let stop = &stop;
                    threads.spawn(move || scene.act((user, USERS), &mut Random(seed), stop))
                })
                .collect();
            moment.wait(&scene.place);
            let struck = fault.strike(&scene.place, server, random);
            stop.store(true, Ordering::Relaxed);
            let acted = users.into_iter().map(|user| user.join().unwrap_or_else(|_| Err("a user panicked".to_owned())));
            acted.fold(struck, Result::and)
        })
    }

    /// With nobody at work, every mirror is whole, however its last worker ended.
    fn look_at_mirrors(&mut self) -> Result<(), Broken> {
        for project in self.scene.each() {
            let Life::Added(id) = project.life else { continue };
            if !project.damaged && self.random.chance(30) {
                let mirror = aftermath::mirror_of(&self.scene.place.data(), id);
                aftermath::mirror(&mirror, &project.published())?;
            }
        }
        Ok(())
    }

    /// Keeps everything for whoever looks into it.
    fn keep(&mut self, report: &str) -> PathBuf {
        if let Some(mut server) = self.server.take() {
            kill(&mut server);
        }
        let folder = self.folder.take().expect("it is kept once").keep();
        fs::write(folder.join("evidence.txt"), report).expect("files can be written");
        folder
    }

    fn summary(&self) -> String {
        let counts = &self.scene.counts;
        let number = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::Relaxed);
        format!(
            "{} packages, {} pushes, {} webhooks accepted, {} documents, {} archives, {} commands; {:?}",
            self.packages,
            number(&counts.pushes),
            number(&counts.accepted),
            number(&counts.documents),
            number(&counts.archives),
            number(&counts.commands),
            self.faults
        )
    }
}
