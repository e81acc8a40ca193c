//! Who may install what: after every change there, everybody sees here what GitHub would let them read; by what webhooks tell
//! where GitHub tells, and by one comparison where it does not.

use std::cell::RefCell;

use crate::platforms::github::directory::{Level, Rank};
use crate::platforms::github::events::Pushed;
use crate::platforms::github::hooks::Place;
use crate::world::World;

/// How we come to know of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Webhooks,
    Comparison,
}

/// 120 repositories, of which 96 are packages, teams on three levels, and eight people.
struct Corp {
    world: World,
    by: By,
    /// Packages, in the order in which they were made.
    repositories: Vec<u64>,
    /// The levels: above, between, below; and one that stands beside.
    teams: [u64; 4],
    /// What was not as it should be, to be told of all at once.
    wrong: RefCell<Vec<String>>,
}

impl Corp {
    fn start(by: By) -> Self {
        let mut world = World::new();
        let mut repositories = Vec::new();
        for at in 0..120 {
            match at % 5 {
                4 => drop(world.other(&format!("site-{at}"))),
                _ => repositories.push(world.package(&format!("lib-{at}"))),
            }
        }
        let olga = world.member("olga");
        world.github.enrol(world.org, olga, Rank::Owner);
        let [_, tom, uma, vic, wes] = ["mia", "tom", "uma", "vic", "wes"].map(|login| world.member(login));
        let xena = world.person("xena");
        let yuri = world.person("yuri");
        world.github.invite(world.org, yuri);
        let github = &world.github;
        let above = github.team(world.org, "engineering", None);
        let between = github.team(world.org, "backend", Some(above));
        let below = github.team(world.org, "php", Some(between));
        let beside = github.team(world.org, "operations", None);
        for (team, member) in [(above, tom), (between, uma), (below, vic), (beside, wes)] {
            github.join(team, member);
        }
        for (at, repository) in repositories.iter().enumerate() {
            match at % 6 {
                0 => github.give(above, *repository, Level::Read),
                1 => github.give(between, *repository, Level::Triage),
                2 => github.give(below, *repository, Level::Admin),
                3 => github.give(beside, *repository, Level::Maintain),
                _ => {}
            }
        }
        github.admit(repositories[4], xena, Level::Read);
        github.admit(repositories[0], xena, Level::Write);
        github.admit(repositories[5], wes, Level::Read);
        github.silence(by == By::Comparison);
        world.follow();
        world.log_in();
        Self { world, by, repositories, teams: [above, between, below, beside], wrong: RefCell::default() }
    }

    fn person(&self, login: &str) -> u64 {
        self.world.people.iter().find(|person| person.login == login).unwrap().id
    }

    /// Something of which GitHub tells.
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

    /// Something of which GitHub tells nobody.
    fn untold(&self, what: &str) {
        self.world.run().done();
        self.note(what, self.world.differences());
    }

    fn members(&self) {
        let (github, org) = (&self.world.github, self.world.org);
        let (mia, vic, yuri, wes) = (self.person("mia"), self.person("vic"), self.person("yuri"), self.person("wes"));
        github.member_added(org, yuri, Rank::Member);
        self.told("a new member came");
        github.joined(self.teams[2], yuri);
        self.told("somebody joined the lowest team");
        github.promoted(org, mia, Rank::Owner);
        self.untold("a member became owner");
        github.promoted(org, mia, Rank::Member);
        self.untold("an owner became member");
        github.left(self.teams[2], vic);
        self.told("somebody left a team");
        github.member_removed(org, wes);
        self.told("a member was removed");
        github.change(self.person("uma"), |user| user.suspended = true);
        self.untold("an account was locked");
        github.change(self.person("uma"), |user| user.suspended = false);
        self.untold("an account was unlocked");
    }

    fn teams(&self) {
        let github = &self.world.github;
        let [above, between, below, beside] = self.teams;
        github.team_moved(between, None);
        self.untold("a team was taken out of the one above it");
        github.team_moved(between, Some(beside));
        self.untold("a team with one below it came below another one");
        github.granted(beside, self.repositories[10], Level::Read);
        self.told("a team got a repository");
        github.revoked(beside, self.repositories[3]);
        self.told("a team lost a repository");
        github.revoked(above, self.repositories[0]);
        self.told("a team lost a repository that a collaborator keeps");
        let fresh = github.team_created(self.world.org, "fresh", Some(below));
        github.joined(fresh, self.person("mia"));
        self.told("a team was made below the others");
        github.team_deleted(fresh);
        self.told("a team was deleted");
    }

    fn people_of_repositories(&self) {
        let (github, xena) = (&self.world.github, self.person("xena"));
        github.collaborator_added(self.repositories[11], xena, Level::Read);
        self.told("somebody from outside was added");
        github.collaborator_removed(self.repositories[4], xena);
        self.told("somebody from outside was removed");
        github.base(self.world.org, Level::Read);
        self.untold("all members may read everything");
        github.base(self.world.org, Level::None);
        self.untold("members may read what they are given again");
    }

    fn repositories(&mut self) {
        let renamed = self.repositories[1];
        self.world.github.repository_renamed(renamed, "renamed");
        self.told("a repository got another name");
        let elsewhere = self.world.github.organization("elsewhere");
        self.world.github.repository_transferred(self.repositories[2], elsewhere);
        // The old owner's hooks hear nothing of it.
        self.untold("a repository went to another organization");
        self.world.github.repository_archived(self.repositories[6], true);
        self.told("a repository was archived");
        self.world.github.repository_deleted(self.repositories[7]);
        self.told("a repository was deleted");

        let created = self.world.github.repository_created(self.world.org, "newborn");
        let refs = self.world.fill(created, "newborn");
        self.world.github.granted(self.teams[1], created, Level::Read);
        self.world.github.pushed(created, &refs);
        self.told("a package was made and pushed");
        let versions = ["dev-main", "1.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0"].map(str::to_owned);
        let tags: Vec<Pushed> = versions[2..].iter().map(|name| self.world.tag(created, name)).collect();
        // Of more than three tags at once GitHub tells nothing.
        self.world.github.pushed(created, &tags);
        self.world.run().done();
        self.world.comes("four tags are served", || self.world.versions(created) == versions.clone().into());
    }

    fn hooks(&self) {
        let github = &self.world.github;
        let place = Place::Organization(self.world.org);
        self.world.comes("there is a hook", || github.hooks(place).len() == 1);
        github.hook_deleted(github.hooks(place)[0]);
        if self.by == By::Comparison {
            self.world.run().done();
        }
        self.world.comes("the hook is there again", || github.hooks(place).len() == 1);
        self.world.agrees("a hook was deleted");
    }
}

fn everything(by: By) {
    let mut corp = Corp::start(by);
    corp.world.agrees("the first comparison");
    corp.hooks();
    corp.members();
    corp.teams();
    corp.people_of_repositories();
    corp.repositories();
    let wrong = corp.wrong.take();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), corp.world.trace());
}

#[test]
fn everybody_sees_what_github_shows_them_as_webhooks_tell() {
    everything(By::Webhooks);
}

#[test]
fn everybody_sees_what_github_shows_them_after_one_comparison() {
    everything(By::Comparison);
}
