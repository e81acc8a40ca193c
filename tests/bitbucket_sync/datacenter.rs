//! Who may install what of a project of Bitbucket Data Center: after every change there, everybody sees here what it would
//! let them read.

use crate::datacenter_world::World;
use crate::platforms::bitbucket_datacenter::directory::Level;

/// Repositories, of which two in five are packages, groups at the project and at repositories, and nine people.
struct Corp {
    world: World,
    /// Packages, in the order in which they were made.
    packages: Vec<u64>,
}

impl Corp {
    fn start(version: &'static str, count: usize) -> Self {
        let mut world = World::of(version, "ACME");
        {
            let mut site = world.bitbucket.stage.world();
            // Pages are shorter than was wished for, and starts are no counts.
            (site.page_limit, site.page_gap) = (40, 3);
        }
        let mut packages = Vec::new();
        for at in 0..count {
            match at % 5 {
                0 | 2 => packages.push(world.package(&format!("lib-{at}"))),
                _ => drop(world.other(&format!("site-{at}"))),
            }
        }
        let names = ["olga", "tom", "uma", "vic", "wes", "xena", "yuri", "jane@corp.io", "zoe"];
        let [olga, tom, uma, vic, wes, xena, yuri, jane, _] = names.map(|login| world.person(login));
        let bitbucket = &world.bitbucket;
        bitbucket.give(world.project, olga, Some(Level::Admin));
        bitbucket.give(world.project, tom, Some(Level::Read));
        bitbucket.group("Web Team", &[uma, yuri]);
        bitbucket.group("web-team", &[vic]);
        bitbucket.group("ops/night@corp", &[wes, yuri]);
        bitbucket.group("strangers", &[xena]);
        bitbucket.give_group(world.project, "Web Team", Some(Level::Write));
        for (at, id) in packages.iter().enumerate() {
            match at % 4 {
                0 => bitbucket.admit_group(*id, "ops/night@corp", Some(Level::Read)),
                1 => bitbucket.admit_group(*id, "web-team", Some(Level::Admin)),
                _ => {}
            }
        }
        bitbucket.admit(packages[3], xena, Some(Level::Read));
        bitbucket.admit(packages[0], jane, Some(Level::Write));
        let service = bitbucket.service("access-token-user/2/99");
        bitbucket.admit(packages[5], service, Some(Level::Read));
        world.follow();
        world.log_in();
        Self { world, packages }
    }

    fn person(&self, login: &str) -> u64 {
        self.world.person_named(login)
    }

    fn people(&self) {
        let (world, bitbucket) = (&self.world, &self.world.bitbucket);
        let (project, packages) = (world.project, &self.packages);
        bitbucket.give(project, self.person("zoe"), Some(Level::Read));
        world.compares("somebody was given the project");
        bitbucket.give(project, self.person("zoe"), None);
        world.compares("somebody lost the project");
        bitbucket.join("Web Team", self.person("zoe"));
        world.compares("somebody came into a group of the project");
        bitbucket.leave("Web Team", self.person("uma"));
        world.compares("somebody went out of a group");
        bitbucket.admit(packages[7], self.person("zoe"), Some(Level::Read));
        bitbucket.admit(packages[3], self.person("xena"), None);
        world.compares("people were given repositories and lost them");
        bitbucket.deactivate(self.person("tom"));
        world.compares("somebody left the company");
        bitbucket.change(self.person("tom"), |user| user.active = true);
        world.compares("somebody came back");
        bitbucket.rename(self.person("vic"), "victoria");
        world.compares("somebody has another name, and is the same person");
        bitbucket.change(self.person("zoe"), |user| user.admin = true);
        world.compares("somebody administers the server");
        bitbucket.change(self.person("zoe"), |user| user.admin = false);
        world.compares("somebody administers it no more");
        bitbucket.change(self.person("xena"), |user| user.licensed = false);
        world.compares("somebody lost the licence, and with it what they were given themselves");
        bitbucket.change(self.person("yuri"), |user| user.licensed = false);
        world.compares("and somebody what their groups were given");
        bitbucket.change(self.person("xena"), |user| user.licensed = true);
        bitbucket.change(self.person("yuri"), |user| user.licensed = true);
        world.compares("both have a licence again");
        bitbucket.change(self.person("vic"), |user| user.licensed = false);
        bitbucket.alter_project(project, |one| one.default = Some(Level::Read));
        world.compares("everybody with a licence may read");
        bitbucket.alter_project(project, |one| one.default = Some(Level::Admin));
        world.compares("and administer");
        bitbucket.alter_project(project, |one| one.default = None);
        world.compares("nobody may read by default any more");
        bitbucket.change(self.person("vic"), |user| user.licensed = true);
        world.compares("somebody has a licence again");
        bitbucket.alter_project(project, |one| one.public = true);
        world.compares("the project is public, which is for nobody here");
        bitbucket.alter_project(project, |one| one.public = false);
        bitbucket.alter(packages[4], |one| one.public = true);
        world.compares("a repository is");
        bitbucket.alter(packages[4], |one| one.public = false);
        world.compares("nothing is public");
    }

    fn groups(&self) {
        let (world, bitbucket) = (&self.world, &self.world.bitbucket);
        bitbucket.give_group(world.project, "strangers", Some(Level::Read));
        world.compares("a group was given the project");
        bitbucket.give_group(world.project, "strangers", None);
        world.compares("a group lost the project");
        bitbucket.admit_group(self.packages[2], "strangers", Some(Level::Read));
        world.compares("a group was given a repository");
        bitbucket.group_removed("strangers");
        world.compares("a group was removed, and what it was given stays written");
        bitbucket.give_group(world.project, "Web Team", Some(Level::Admin));
        world.compares("a group administers the project");
        // A directory gives a group another name by removing it and making another one.
        bitbucket.group_removed("web-team");
        world.compares("a group is not there for a moment");
        bitbucket.group("WEB-TEAM", &[self.person("vic"), self.person("zoe")]);
        world.compares("it is there again, in other letters and with one more");
        bitbucket.group_removed("WEB-TEAM");
        bitbucket.group("crew", &[self.person("vic")]);
        world.compares("it has another name, which was given nothing");
        bitbucket.admit_group(self.packages[1], "crew", Some(Level::Read));
        world.compares("that one was given something");
        // Of a group in a group, directories tell the people as its own.
        bitbucket.join("crew", self.person("uma"));
        bitbucket.join("crew", self.person("wes"));
        world.compares("a group was put into it");
        bitbucket.leave("crew", self.person("uma"));
        bitbucket.leave("crew", self.person("wes"));
        world.compares("and taken out of it");
    }

    /// Names change hands, and people are known by their numbers.
    fn strangers(&mut self) {
        let (project, package) = (self.world.project, self.packages[4]);
        let xena = self.person("xena");
        self.world.bitbucket.admit(package, xena, Some(Level::Read));
        self.world.compares("somebody has a repository");
        self.world.bitbucket.removed(xena);
        self.world.compares("they were removed");
        let mut world = std::mem::take(&mut self.world.people);
        let old = world.iter().position(|person| person.login == "xena").unwrap();
        let old = world.remove(old);
        self.world.people = world;
        let new = self.world.person("xena");
        self.world.bitbucket.give(project, new, Some(Level::Read));
        self.world.run().done();
        assert!(self.world.shown(old.token.as_ref().unwrap()).is_empty(), "who has the name now is somebody else");
        self.world.log_in_as("xena", "xena-2");
        self.world.agrees("somebody else has the name");
        // Names that differ in their case alone are one name there, and there is one account for it.
        self.world.bitbucket.rename(new, "Xena");
        self.world.compares("it is written in another way");
    }

    fn repositories(&mut self) {
        let world = &mut self.world;
        world.bitbucket.silence(true);
        world.bitbucket.renamed(self.packages[1], "renamed");
        world.compares("a repository has another name");
        let elsewhere = world.bitbucket.project("OTHER");
        world.bitbucket.moved(self.packages[2], elsewhere);
        world.compares("a repository went to another project");
        world.bitbucket.moved(self.packages[2], world.project);
        world.compares("and came back");
        world.bitbucket.moved(self.packages[2], elsewhere);
        world.compares("and went again");
        let foreign = world.bitbucket.repository(elsewhere, "immigrant");
        world.fill(foreign, "immigrant");
        world.compares("another project has something of its own");
        world.bitbucket.moved(foreign, world.project);
        world.compares("and it came to this one");
        let olga = world.person_named("olga");
        let own = world.bitbucket.project("~olga");
        let fork = world.bitbucket.repository(own, "lib-0");
        let of = self.packages[0];
        world.bitbucket.alter(fork, |one| (one.origin, one.manifest) = (Some(of), Some("FILE")));
        world.packages.insert(fork, None);
        world.compares("somebody made a fork of their own");
        assert!(world.bitbucket.readable(olga).contains(&fork));
        world.bitbucket.deleted(self.packages[6]);
        world.compares("a repository was deleted");
        let newborn = world.package("newborn");
        world.compares("a repository with a package was made");
        let versions = ["1.0.0", "dev-main"].map(str::to_owned).into();
        world.comes("its versions are served", || world.versions(newborn) == versions);
        world.bitbucket.project_renamed(world.project, "NEWKEY");
        world.compares("the project has another key");
        world.tag(self.packages[9], "4.0.0");
        world.run().done();
        world.comes("a tag that nobody told of is served", || world.versions(self.packages[9]).contains("4.0.0"));
        world.bitbucket.silence(false);
    }

    fn archives(&self) {
        let world = &self.world;
        world.bitbucket.alter(self.packages[8], |one| one.archived = true);
        world.compares("a repository was archived");
        let name = world.packages[&self.packages[8]].clone().unwrap();
        let listed = world.ours.command("package list --json").done();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let one = listed.as_array().unwrap().iter().find(|one| one["name"] == name.as_str()).unwrap().clone();
        assert_ne!(one["abandoned"], serde_json::Value::Bool(false), "{one}");
        world.bitbucket.alter(self.packages[8], |one| one.archived = false);
        world.compares("a repository is used again");
    }
}

/// All that happens. `tells`: whether webhooks do.
fn everything(version: &'static str, count: usize, tells: bool) {
    let mut corp = Corp::start(version, count);
    corp.world.bitbucket.silence(!tells);
    corp.world.agrees("the first comparison");
    let (status, packages) = (corp.world.status(), corp.packages.len());
    assert_eq!(
        (status["packages"].as_u64(), status["status"].as_str()),
        (Some(packages as u64), Some("ok")),
        "{status}"
    );
    corp.people();
    corp.groups();
    corp.strangers();
    if version != "7.21.0" {
        corp.archives();
    }
    corp.repositories();
}

#[test]
fn everybody_sees_what_a_current_bitbucket_shows_them() {
    everything("10.1.0", 110, true);
}

#[test]
fn everybody_sees_what_an_old_bitbucket_shows_them() {
    everything("7.21.0", 30, false);
}

#[test]
fn everybody_sees_what_bitbuckets_between_them_show_them() {
    everything("8.0.2", 30, true);
    everything("9.4.1", 30, false);
}

#[test]
fn what_everybody_may_read_there_members_install_if_that_is_wanted() {
    let mut world = World::new();
    let packages = [world.package("lib"), world.package("tool")];
    let [ada, _, dan] = ["ada", "bob", "dan"].map(|login| world.person(login));
    world.bitbucket.give(world.project, ada, Some(Level::Read));
    let token = world.bitbucket.token(world.keeper, Level::Admin, Level::Admin);
    world.credential("main", &token);
    let words = "sync add --integration bb --remote ACME --credential main --primary --follow-visibility";
    world.sync = world.ours.command(words).done();
    let shows = |world: &World, what: &str, expected: [usize; 3]| {
        world.run().done();
        let shown = ["ada", "bob", "dan"].map(|login| world.shown_to(login).len());
        assert_eq!(shown, expected, "{what}: {}", world.trace());
    };
    world.run().done();
    world.log_in();
    shows(&world, "nothing is public", [2, 0, 0]);
    world.bitbucket.alter(packages[0], |one| one.public = true);
    shows(&world, "a repository is", [2, 1, 1]);
    world.bitbucket.alter_project(world.project, |one| one.public = true);
    world.bitbucket.deactivate(dan);
    shows(&world, "the project is, and somebody left", [2, 2, 0]);
    world.bitbucket.alter_project(world.project, |one| one.public = false);
    world.bitbucket.alter(packages[0], |one| one.public = false);
    shows(&world, "nothing is public any more", [2, 0, 0]);
}

#[test]
fn repositories_that_are_not_ready_are_packages_once_they_are() {
    // Its default branches are asked for at another address.
    let mut world = World::of("7.4.0", "ACME");
    world.package("lib");
    let [slow, broken] = ["slow", "broken"].map(|name| world.package(name));
    world.bitbucket.alter(slow, |one| one.state = "INITIALISING");
    world.bitbucket.alter(broken, |one| one.state = "INITIALISATION_FAILED");
    let empty = world.other("empty");
    world.bitbucket.alter(empty, |one| one.empty = true);
    world.follow();
    assert_eq!(world.status()["packages"], 1);
    let told = world.ours.command(&format!("sync repositories {}", world.sync)).done();
    assert!(told.contains("still being imported") && told.contains("failed on the platform"), "{told}");
    let site = world.other("site");
    world.run().done();
    let asked = |world: &World| {
        world.run().done();
        let log = world.bitbucket.stage.take_log();
        log.iter().filter(|asked| asked.path.contains("/repos/site/")).count()
    };
    world.bitbucket.stage.take_log();
    assert_eq!(asked(&world), 1, "one question tells that there is still no composer.json");
    world.fill(site, "site");
    world.bitbucket.alter(slow, |one| one.state = "AVAILABLE");
    world.fill(empty, "empty");
    world.run().done();
    assert_eq!(world.status()["packages"], 4);
}

#[test]
fn a_personal_project_is_its_owner_s_whatever_is_told_of_its_permissions() {
    let mut world = World::of("8.19.4", "~jdoe");
    let keeper = world.keeper;
    world.knows(keeper, "jdoe");
    world.person("ada");
    let lib = world.package("lib");
    let ada = world.person_named("ada");
    world.bitbucket.admit(lib, ada, Some(Level::Read));
    world.package("own");
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    assert_eq!(world.shown_to("jdoe").len(), 2);
    assert_eq!(world.shown_to("ada").len(), 1);
}

#[test]
fn a_token_of_a_repository_administrator_asks_for_who_reads_each_repository() {
    let mut world = World::new();
    let packages: Vec<u64> = (0..3).map(|at| world.package(&format!("lib-{at}"))).collect();
    let [ada, bob, cid] = ["ada", "bob", "cid"].map(|login| world.person(login));
    world.bitbucket.give(world.project, ada, Some(Level::Read));
    world.bitbucket.group("team", &[bob]);
    world.bitbucket.admit_group(packages[0], "team", Some(Level::Read));
    world.bitbucket.admit(packages[1], cid, Some(Level::Read));
    let token = world.bitbucket.token(world.keeper, Level::Read, Level::Admin);
    world.credential("main", &token);
    world.follow_with("ACME", "main");
    world.log_in();
    world.agrees("the first comparison");
    world.bitbucket.give(world.project, ada, None);
    world.compares("somebody lost the project");
    // Who administers nothing is told of nobody's permissions, and yet of who reads.
    let token = world.bitbucket.token(world.keeper, Level::Read, Level::Read);
    world.ours.command_with("credential rotate main --secret-stdin", &token).done();
    world.compares("a token that only reads");
    world.bitbucket.admit(packages[1], cid, None);
    world.bitbucket.give(world.project, ada, Some(Level::Write));
    world.compares("somebody lost a repository, and somebody was given the project");
    let said = world.ours.command("credential test main");
    assert!(format!("{}{}", said.out, said.err).contains("PROJECT_ADMIN"), "{} {}", said.out, said.err);
}
