//! Who may install what of a workspace: after every change there, everybody sees here what Bitbucket would let them read; by what
//! webhooks tell where it tells, and by one comparison where it does not, which is everything about people and permissions.

use std::cell::RefCell;

use crate::cloud_world::World;
use crate::platforms::bitbucket_cloud::directory::{Level, Manifest};
use crate::platforms::pushed::Pushed;

/// How we come to know of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Webhooks,
    Comparison,
}

/// 110 repositories in two projects, of which 83 are packages, and nine people.
struct Corp {
    world: World,
    by: By,
    /// Packages, in the order in which they were made; every other one is of the second project.
    packages: Vec<u64>,
    /// The two projects, and one of another workspace.
    projects: [u64; 3],
    /// What was not as it should be, to be told of all at once.
    wrong: RefCell<Vec<String>>,
}

impl Corp {
    fn start(by: By) -> Self {
        let mut world = World::new();
        let second = world.bitbucket.project(world.workspace, "LIB");
        let elsewhere = world.bitbucket.workspace("others");
        let third = world.bitbucket.project(elsewhere, "THEIRS");
        let projects = [world.project, second, third];
        let mut packages = Vec::new();
        for at in 0..110 {
            let project = projects[at % 2];
            match at % 4 {
                3 => drop(world.other(project, &format!("site-{at}"))),
                _ => packages.push(world.package(project, &format!("lib-{at}"))),
            }
        }
        let mut corp = Self { world, by, packages, projects, wrong: RefCell::default() };
        corp.people();
        corp.oddities();
        corp.world.bitbucket.silence(by == By::Comparison);
        corp.world.follow();
        corp.world.log_in();
        corp
    }

    /// Everybody comes by another way.
    fn people(&mut self) {
        let names = ["olga", "mia", "pia", "rob", "tess", "nemo", "zoe"];
        let [olga, mia, pia, rob, tess, _, zoe] = names.map(|login| self.world.member(login));
        let xena = self.world.person("xena");
        let (bitbucket, workspace) = (&self.world.bitbucket, self.world.workspace);
        bitbucket.enrol(workspace, olga, true);
        bitbucket.group(workspace, "developers", &[mia, zoe]);
        bitbucket.group(workspace, "partners", &[pia]);
        bitbucket.give(self.packages[0], "developers", Some(Level::Write));
        bitbucket.give(self.packages[1], "developers", Some(Level::Read));
        bitbucket.give_project(self.projects[1], "partners", Some(Level::Read));
        bitbucket.admit(self.packages[2], rob, Some(Level::Admin));
        bitbucket.admit_project(self.projects[0], tess, Some(Level::Write));
        bitbucket.admit(self.packages[3], xena, Some(Level::Read));
        bitbucket.admit(self.packages[0], zoe, Some(Level::Read));
    }

    /// What must not come, and what must not disturb.
    fn oddities(&mut self) {
        let bitbucket = &self.world.bitbucket;
        let strange = ["empty", "linked", "large", "slashed"].map(|name| bitbucket.repository(self.projects[0], name));
        bitbucket.alter(strange[0], |one| one.branch = None);
        bitbucket.alter(strange[1], |one| one.manifest = Manifest::Link);
        bitbucket.alter(strange[2], |one| one.manifest = Manifest::Large);
        let id = strange[3];
        let _ = self.world.fill(id, "slashed");
        let code = self.world.code_of(id);
        code.point("refs/heads/feature/a#b", &code.git(&["rev-parse", "refs/heads/main"]));
        self.world.bitbucket.alter(id, |one| one.branch = Some("feature/a#b".to_owned()));
    }

    fn person(&self, login: &str) -> u64 {
        self.world.person_named(login)
    }

    /// Something of which Bitbucket tells.
    fn told(&self, what: &str) {
        match self.by {
            By::Webhooks => self.note(what, self.world.differences_that_stay()),
            By::Comparison => self.untold(what),
        }
    }

    /// Something of which it tells nobody.
    fn untold(&self, what: &str) {
        let said = self.world.run();
        if said.code != Some(0) {
            self.wrong.borrow_mut().push(format!("after {what} the comparison said {said:?}"));
        }
        self.note(what, self.world.differences());
    }

    fn note(&self, what: &str, differences: Vec<String>) {
        if !differences.is_empty() {
            let text = format!("after {what}:\n  {}\n  {}", differences.join("\n  "), self.world.status());
            self.wrong.borrow_mut().push(text);
        }
    }

    fn members(&self) {
        let (bitbucket, workspace) = (&self.world.bitbucket, self.world.workspace);
        let [nemo, zoe, olga] = ["nemo", "zoe", "olga"].map(|login| self.person(login));
        bitbucket.enrol(workspace, nemo, true);
        self.untold("a member became owner");
        bitbucket.enrol(workspace, nemo, false);
        self.untold("an owner became member");
        bitbucket.leave(workspace, zoe);
        self.untold("somebody left the workspace");
        bitbucket.enrol(workspace, zoe, false);
        bitbucket.admit(self.packages[7], zoe, Some(Level::Read));
        self.untold("somebody came back");
        bitbucket.deactivate(olga);
        self.untold("an account was deactivated");
        bitbucket.change(olga, |user| user.status = Some("active"));
        self.untold("an account was let in again");
        bitbucket.rename(zoe, "zoe-the-second");
        self.untold("somebody got another name");
        bitbucket.rename(zoe, "zoe");
    }

    fn groups(&self) {
        let (bitbucket, workspace) = (&self.world.bitbucket, self.world.workspace);
        let [mia, nemo] = ["mia", "nemo"].map(|login| self.person(login));
        bitbucket.group(workspace, "developers", &[mia, nemo]);
        self.untold("somebody came into a group");
        bitbucket.group(workspace, "developers", &[nemo]);
        self.untold("somebody went out of a group");
        bitbucket.give(self.packages[5], "developers", Some(Level::Admin));
        self.untold("a group got a repository");
        bitbucket.give(self.packages[0], "developers", None);
        self.untold("a group lost a repository");
        bitbucket.give_project(self.projects[0], "developers", Some(Level::Read));
        self.untold("a group got a project");
        bitbucket.give_project(self.projects[0], "developers", None);
        self.untold("a group lost a project");
        bitbucket.ungroup(workspace, "partners");
        self.untold("a group was removed");
        self.world.bitbucket.stage.world().groups_status = Some(403);
        bitbucket.group(workspace, "developers", &[mia]);
        self.untold("groups were not told any more");
        for status in [404, 405, 410] {
            self.world.bitbucket.stage.world().groups_status = Some(status);
            self.untold("groups were refused in another way");
        }
        self.world.bitbucket.stage.world().groups_status = None;
        self.untold("groups were told again");
    }

    fn permissions(&self) {
        let bitbucket = &self.world.bitbucket;
        let [rob, tess, xena] = ["rob", "tess", "xena"].map(|login| self.person(login));
        bitbucket.admit(self.packages[11], rob, Some(Level::Read));
        self.untold("somebody was let into a repository");
        bitbucket.admit(self.packages[2], rob, None);
        self.untold("somebody was put out of a repository");
        bitbucket.admit(self.packages[4], xena, Some(Level::Write));
        bitbucket.admit(self.packages[3], xena, None);
        self.untold("somebody from elsewhere was let into another repository");
        bitbucket.admit_project(self.projects[0], tess, None);
        self.untold("somebody was put out of a project");
        bitbucket.alter(self.packages[6], |one| one.private = false);
        self.untold("a repository was shown to everybody");
        bitbucket.stage.world().hides_bulk = true;
        bitbucket.admit(self.packages[8], tess, Some(Level::Read));
        self.untold("permissions are told of single repositories only");
        bitbucket.stage.world().hides_bulk = false;
    }

    fn places(&mut self) {
        let bitbucket = &self.world.bitbucket;
        bitbucket.renamed(self.packages[9], "renamed");
        self.told("a repository got another name");
        bitbucket.transferred(self.packages[10], self.projects[2]);
        self.told("a repository went to another workspace");
        bitbucket.deleted(self.packages[12]);
        self.told("a repository was deleted");
        let rob = self.person("rob");
        let created = self.world.bitbucket.created(self.projects[0], "newborn");
        self.world.bitbucket.admit(created, rob, Some(Level::Read));
        let refs = self.world.fill(created, "newborn");
        self.world.bitbucket.pushed(created, &refs);
        self.told("a package was made and pushed");
        let tag = self.world.tag(created, "2.0.0");
        self.world.bitbucket.pushed(created, &[tag]);
        if self.by == By::Comparison {
            self.world.run().done();
        }
        self.world.comes("the tag is served", || self.world.versions(created).contains("2.0.0"));
        let many: Vec<Pushed> = (0..120).map(|at| self.world.tag(created, &format!("3.0.{at}"))).collect();
        self.world.bitbucket.pushed(created, &many);
        if self.by == By::Comparison {
            self.world.run().done();
        }
        self.world
            .comes("what was too much for a delivery is served", || self.world.versions(created).contains("3.0.119"));
    }
}

fn everything(by: By) {
    let mut corp = Corp::start(by);
    corp.world.agrees("the first comparison");
    corp.members();
    corp.groups();
    corp.permissions();
    corp.places();
    let wrong = corp.wrong.take();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), corp.world.trace());
}

#[test]
fn everybody_sees_what_bitbucket_shows_them_as_webhooks_tell() {
    everything(By::Webhooks);
}

#[test]
fn everybody_sees_what_bitbucket_shows_them_after_one_comparison() {
    everything(By::Comparison);
}
