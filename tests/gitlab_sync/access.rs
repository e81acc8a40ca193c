//! Who may install what: after every change there, everybody sees here what GitLab would let them read; by what webhooks tell
//! where GitLab tells, and by one comparison where it does not.

use std::cell::RefCell;

use crate::platforms::gitlab::directory::{
    DEVELOPER, GUEST, MAINTAINER, Membership, OWNER, REPORTER, Share, Visibility,
};
use crate::platforms::pushed::Pushed;
use crate::world::World;

/// How we come to know of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Webhooks,
    Comparison,
}

/// 130 projects, of which 97 are packages, groups on four levels, and thirteen people.
struct Corp {
    world: World,
    by: By,
    /// Packages, in the order in which they were made.
    projects: Vec<u64>,
    /// The groups: the one that is followed, and those below each other; and one that stands beside them.
    groups: [u64; 5],
    /// Two groups elsewhere: one that is invited into a group, one into projects.
    invited: [u64; 2],
    /// What was not as it should be, to be told of all at once.
    wrong: RefCell<Vec<String>>,
}

/// A day that has passed.
const PASSED: &str = "2026-01-01";
/// A day that nobody lives to see.
const NEVER: &str = "2999-01-01";

fn until(level: u32, day: &str) -> Membership {
    Membership { level, expires_at: Some(day.to_owned()), role: None }
}

impl Corp {
    fn start(by: By, prefix: &'static str) -> Self {
        let mut world = World::below(prefix);
        let gitlab = &world.gitlab;
        let root = world.root;
        let backend = gitlab.group("backend", Some(root));
        let php = gitlab.group("php", Some(backend));
        let core = gitlab.group("core.v2", Some(php));
        let beside = gitlab.group("operations", Some(root));
        let (partners, friends) = (gitlab.group("partners", None), gitlab.group("friends", None));
        // Of shares with groups that the token does not see, GitLab tells nothing.
        for group in [partners, friends] {
            gitlab.alter_group(group, |group| group.visibility = Visibility::Internal);
        }
        let groups = [root, backend, php, core, beside];
        let mut projects = Vec::new();
        for at in 0..130 {
            let group = groups[at % 5];
            match at % 4 {
                3 => drop(world.other(group, &format!("site-{at}"))),
                _ => projects.push(world.package(group, &format!("lib-{at}"))),
            }
        }
        let mut corp = Self { world, by, projects, groups, invited: [partners, friends], wrong: RefCell::default() };
        corp.people();
        corp.oddities();
        corp.world.gitlab.silence(by == By::Comparison);
        corp.world.follow();
        corp.world.log_in();
        corp
    }

    /// Everybody comes by another way.
    fn people(&mut self) {
        let [root, backend, php, core, beside] = self.groups;
        let [partners, friends] = self.invited;
        let names =
            ["olga", "gus", "rita", "dora", "cora", "lars", "ivan", "jane", "kim", "xena", "pete", "odd", "nemo"];
        let [olga, gus, rita, dora, cora, lars, ivan, jane, kim, xena, pete, odd, _] =
            names.map(|login| self.world.person(login));
        let gitlab = &self.world.gitlab;
        let reader = gitlab.role("Code reader", GUEST, true);
        gitlab.enrol(root, olga, OWNER);
        gitlab.enrol(root, gus, GUEST);
        gitlab.enrol(backend, rita, REPORTER);
        gitlab.enrol(php, dora, DEVELOPER);
        gitlab.enrol(php, gus, MAINTAINER);
        gitlab.enrol(beside, cora, Membership { level: GUEST, expires_at: None, role: Some(reader) });
        gitlab.enrol(root, lars, until(DEVELOPER, PASSED));
        gitlab.enrol(beside, lars, until(DEVELOPER, NEVER));
        gitlab.enrol(partners, ivan, OWNER);
        gitlab.enrol(partners, jane, GUEST);
        gitlab.share_group(php, partners, REPORTER);
        gitlab.enrol(friends, kim, DEVELOPER);
        gitlab.enrol(core, pete, 15);
        gitlab.enrol(core, odd, 35);
        gitlab.share_project(self.projects[0], friends, DEVELOPER);
        gitlab.share_project(self.projects[1], friends, GUEST);
        gitlab.share_project(self.projects[2], friends, Share { level: OWNER, expires_at: Some(PASSED.to_owned()) });
        gitlab.admit(self.projects[0], xena, REPORTER);
        gitlab.admit(self.projects[5], xena, GUEST);
        gitlab.admit(self.projects[6], xena, until(OWNER, PASSED));
    }

    /// What must not come, and what must not go.
    fn oddities(&mut self) {
        let foreign = self.world.package(self.invited[0], "foreign");
        let world = &mut self.world;
        world.gitlab.share_project(foreign, world.root, OWNER);
        world.packages.insert(foreign, None);
        let doomed = world.gitlab.project(world.root, "doomed");
        world.fill(doomed, "doomed");
        world.gitlab.project_marked(doomed);
        // Nothing was ever read of it, and nothing has to be.
        world.packages.insert(doomed, None);
        let gitlab = &world.gitlab;
        let strange = [
            gitlab.project(world.root, "empty"),
            gitlab.project(world.root, "coming"),
            gitlab.project(world.root, "codeless"),
        ];
        gitlab.alter(strange[0], |one| one.empty = true);
        gitlab.alter(strange[1], |one| (one.empty, one.import) = (true, "started"));
        gitlab.alter(strange[2], |one| one.repository = "disabled");
    }

    fn person(&self, login: &str) -> u64 {
        self.world.person_named(login)
    }

    /// Something of which GitLab tells.
    fn told(&self, what: &str) {
        match self.by {
            By::Webhooks => self.note(what, self.world.differences_that_stay()),
            By::Comparison => self.untold(what),
        }
    }

    fn note(&self, what: &str, differences: Vec<String>) {
        if !differences.is_empty() {
            let text = format!("after {what}:\n  {}\n  {}", differences.join("\n  "), self.world.status());
            self.wrong.borrow_mut().push(text);
        }
    }

    /// Something of which GitLab tells nobody.
    fn untold(&self, what: &str) {
        let said = self.world.run();
        if said.code != Some(0) {
            self.wrong.borrow_mut().push(format!("after {what} the comparison said {said:?}"));
        }
        self.note(what, self.world.differences());
    }

    fn members(&self) {
        let gitlab = &self.world.gitlab;
        let [root, backend, php, core, beside] = self.groups;
        let [gus, rita, dora, cora, nemo] = ["gus", "rita", "dora", "cora", "nemo"].map(|login| self.person(login));
        gitlab.joined(root, nemo, REPORTER);
        self.told("somebody came into the highest group");
        gitlab.left(root, nemo);
        self.told("somebody left the highest group");
        gitlab.joined(php, nemo, GUEST);
        self.told("a guest came into a subgroup");
        gitlab.joined(php, nemo, 25);
        self.told("a guest became security manager");
        gitlab.joined(php, nemo, GUEST);
        self.told("somebody became guest");
        gitlab.left(php, dora);
        self.told("somebody left a subgroup");
        gitlab.joined(core, dora, until(DEVELOPER, NEVER));
        self.told("somebody came into the lowest group for a while");
        gitlab.left(backend, rita);
        gitlab.joined(beside, rita, MAINTAINER);
        self.told("somebody changed groups");
        gitlab.joined(beside, cora, GUEST);
        self.told("somebody lost a role of one's own");
        gitlab.joined(root, gus, 35);
        self.told("somebody got a level that nobody knows");
        gitlab.joined(root, gus, GUEST);
        self.told("somebody lost it again");
    }

    fn accounts(&self) {
        let gitlab = &self.world.gitlab;
        let olga = self.person("olga");
        gitlab.block(olga);
        self.untold("an account was blocked");
        gitlab.change(olga, |user| user.state = "active");
        self.untold("an account was let in again");
        gitlab.alter_group(self.groups[1], |group| {
            group.members.insert(olga, until(OWNER, PASSED));
        });
        self.untold("a membership ended that is one of two");
    }

    fn shares(&self) {
        let gitlab = &self.world.gitlab;
        let [_, _, php, core, beside] = self.groups;
        let [partners, friends] = self.invited;
        gitlab.share_group(beside, friends, DEVELOPER);
        self.untold("a group was invited into a group");
        gitlab.share_group(beside, friends, GUEST);
        self.untold("an invited group was made guests");
        gitlab.share_group(php, partners, 5);
        self.untold("an invited group was made less than guests");
        gitlab.share_group(php, partners, OWNER);
        self.untold("an invited group was made owners");
        gitlab.share_group(php, partners, Share { level: OWNER, expires_at: Some(PASSED.to_owned()) });
        self.untold("an invitation of a group ended");
        gitlab.unshare_group(php, partners);
        self.untold("a group was not invited any more");
        gitlab.share_group(core, partners, REPORTER);
        self.untold("a group was invited into the lowest group");
        gitlab.unshare_project(self.projects[0], friends);
        gitlab.share_project(self.projects[1], friends, REPORTER);
        self.untold("a group was invited into another project");
    }

    fn people_of_projects(&self) {
        let (gitlab, xena) = (&self.world.gitlab, self.person("xena"));
        gitlab.added(self.projects[11], xena, REPORTER);
        self.untold("somebody was added to a project");
        gitlab.added(self.projects[11], xena, GUEST);
        self.untold("somebody became guest of a project");
        gitlab.added(self.projects[5], xena, DEVELOPER);
        self.untold("a guest of a project became developer");
        gitlab.removed(self.projects[0], xena);
        self.untold("somebody was removed from a project");
    }

    fn places(&self) {
        let gitlab = &self.world.gitlab;
        let [_, backend, php, core, beside] = self.groups;
        gitlab.project_renamed(self.projects[1], "renamed");
        self.untold("a project got another path");
        gitlab.project_transferred(self.projects[2], beside);
        self.untold("a project went to another group");
        gitlab.project_transferred(self.projects[3], self.invited[0]);
        self.untold("a project went out of the group");
        gitlab.group_renamed(php, "php-8");
        self.untold("a group got another path");
        gitlab.group_transferred(core, Some(beside));
        self.untold("a group went below another one");
        gitlab.project_archived(self.projects[6], true);
        self.untold("a project was archived");
        gitlab.project_archived(self.projects[6], false);
        self.untold("a project was taken out of the archive");
        gitlab.project_shown_to(self.projects[8], Visibility::Internal);
        gitlab.project_shown_to(self.projects[9], Visibility::Public);
        self.untold("projects were shown to more people");
        gitlab.project_marked(self.projects[10]);
        self.untold("a project is to be deleted");
        gitlab.project_restored(self.projects[10]);
        self.untold("a project is not to be deleted after all");
        gitlab.project_deleted(self.projects[7]);
        self.told("a project was deleted");
        let fresh = gitlab.group_created("fresh", backend);
        gitlab.joined(fresh, self.person("nemo"), DEVELOPER);
        self.told("a group was made below the others");
        gitlab.group_deleted(fresh);
        self.told("a group was deleted");
    }

    fn pushes(&mut self) {
        let created = self.world.gitlab.project_created(self.groups[2], "newborn");
        let refs = self.world.fill(created, "newborn");
        self.world.gitlab.pushed(created, &refs);
        self.told("a package was made and pushed");
        let versions = ["dev-main", "1.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0"].map(str::to_owned);
        let tags: Vec<Pushed> = versions[2..].iter().map(|name| self.world.tag(created, name)).collect();
        self.world.gitlab.post().settle();
        let count = self.world.gitlab.post().sent().len();
        self.world.gitlab.pushed(created, &tags);
        self.world.gitlab.post().settle();
        assert_eq!(self.world.gitlab.post().sent().len(), count, "of more than three tags at once nothing is told");
        self.world.run().done();
        self.world.comes("four tags are served", || self.world.versions(created) == versions.clone().into());
    }

    fn hooks(&self) {
        self.world.comes("there is a hook", || !self.world.hooks().is_empty());
        let hook = self.world.hooks()[0].clone();
        self.world.gitlab.hook_deleted(hook.id);
        self.world.run().done();
        self.world.comes("the hook is there again", || {
            self.world.hooks().iter().any(|own| own.place == hook.place && own.id != hook.id)
        });
        self.world.agrees("a hook was deleted");
    }
}

fn everything(by: By, prefix: &'static str) {
    let mut corp = Corp::start(by, prefix);
    corp.world.agrees("the first comparison");
    corp.hooks();
    corp.members();
    corp.accounts();
    corp.shares();
    corp.people_of_projects();
    corp.places();
    corp.pushes();
    let wrong = corp.wrong.take();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), corp.world.trace());
}

#[test]
fn everybody_sees_what_gitlab_shows_them_as_webhooks_tell() {
    everything(By::Webhooks, "/gitlab");
}

#[test]
fn everybody_sees_what_gitlab_shows_them_after_one_comparison() {
    everything(By::Comparison, "");
}
