//! An organization of the simulated GitHub, read: who may read what by the value is held against who may by GitHub itself,
//! with each kind of credential, and after each change by what its event names.

use std::collections::{BTreeMap, BTreeSet};

use packagist_selfhosted::clock::Clock;
use packagist_selfhosted::outbound::Settings;
use packagist_selfhosted::platform::event::Headers;
use packagist_selfhosted::platform::remote::{Kind, Pages, RemoteOrganization, Scope, Touch, Wanted};
use packagist_selfhosted::platform::{HookPlace, HookSecret, Hub, HubError, Key, PlatformKind, Site};
use secrecy::SecretString;

use crate::platforms::frame::{Simulator, Stage};
use crate::platforms::github::GitHub;
use crate::platforms::github::directory::{Level, Rank};
use crate::platforms::message::{Asked, Reply};
use crate::world::CALLBACK;

/// Who takes deliveries.
struct Sink;

impl Simulator for Sink {
    fn answer(&mut self, _asked: &Asked) -> Reply {
        Reply::empty(202)
    }
}

/// An organization with everything that lets somebody read something.
struct World {
    github: GitHub,
    hub: Hub,
    org: u64,
    users: BTreeMap<&'static str, u64>,
    teams: BTreeMap<&'static str, u64>,
    repositories: BTreeMap<&'static str, u64>,
}

impl World {
    fn new() -> Self {
        let github = GitHub::server(CALLBACK);
        let org = github.organization("acme");
        let names = ["olga", "ada", "bob", "cyn", "dan", "eve", "out", "sec"];
        let users: BTreeMap<_, _> = names.map(|name| (name, github.user(name))).into();
        let teams: BTreeMap<_, _> = {
            let top = github.team(org, "top", None);
            let mid = github.team(org, "mid", Some(top));
            let low = github.team(org, "low", Some(mid));
            let side = github.team(org, "side", None);
            [("top", top), ("mid", mid), ("low", low), ("side", side)].into()
        };
        let repositories: BTreeMap<_, _> =
            ["lib", "app", "tool", "secret", "docs"].map(|name| (name, github.repository(org, name))).into();
        github.enrol(org, users["olga"], Rank::Owner);
        for name in ["ada", "bob", "cyn", "dan", "eve", "sec"] {
            github.enrol(org, users[name], Rank::Member);
        }
        for (team, user) in [("top", "ada"), ("mid", "bob"), ("low", "cyn"), ("side", "dan")] {
            github.join(teams[team], users[user]);
        }
        for (team, repository) in [("top", "lib"), ("mid", "app"), ("low", "tool"), ("side", "docs")] {
            github.give(teams[team], repositories[repository], Level::Read);
        }
        github.admit(repositories["secret"], users["out"], Level::Read);
        github.admit(repositories["lib"], users["eve"], Level::Write);
        let role = github.role(org, "auditor", Some(Level::Read));
        let mut site = github.stage.world();
        let roles = &mut site.org_mut(org).roles;
        roles.iter_mut().find(|one| one.id == role).unwrap().users.insert(users["sec"]);
        drop(site);
        let site = Site {
            id: "ghe".to_owned(),
            platform: PlatformKind::GitHub,
            url: github.url(),
            name: "GitHub".to_owned(),
            link_by_email: false,
            app: None,
        };
        let hub = Hub::new(site, &Settings::default(), Clock::system()).unwrap().unwrap();
        Self { github, hub, org, users, teams, repositories }
    }

    fn key(&self, scopes: &str) -> Key {
        key(1, self.github.token(self.users["olga"], scopes))
    }

    fn wanted(&self, scope: Scope) -> Wanted {
        Wanted { name: "acme".to_owned(), id: Some(self.org.to_string()), scope, ..Wanted::default() }
    }

    async fn read(&self, key: &Key) -> Result<RemoteOrganization, HubError> {
        self.hub.organization(key, &self.wanted(Scope::Everything), &mut Pages::default()).await
    }

    /// Who reads what by the value is who reads what by GitHub.
    fn compare(&self, org: &RemoteOrganization, when: &str) {
        for (name, user) in &self.users {
            let found: BTreeSet<u64> = org
                .repositories
                .iter()
                .filter(|one| reads(org, *user, &one.id))
                .map(|one| one.id.parse().unwrap())
                .collect();
            let known: BTreeSet<u64> = org.repositories.iter().map(|one| one.id.parse().unwrap()).collect();
            let expected: BTreeSet<u64> = self.github.readable(*user).intersection(&known).copied().collect();
            assert_eq!(found, expected, "{name}, {when}: {org:#?}");
        }
    }
}

fn key(credential: i64, token: String) -> Key {
    Key { credential, generation: 1, kind: "github-token".to_owned(), username: None, secret: token.into() }
}

fn reads(org: &RemoteOrganization, user: u64, repository: &str) -> bool {
    let id = user.to_string();
    let member = org.members.iter().find(|one| one.account.id == id);
    let is_suspended = member.is_some_and(|one| one.account.suspended);
    let by_team =
        || org.teams.iter().any(|team| team.members.contains_key(&id) && team.repositories.contains(repository));
    let added =
        || org.readers.iter().any(|one| one.account.id == id && one.repository == repository && !one.account.suspended);
    !is_suspended && (member.is_some_and(|one| one.reads.is_some()) || by_team() || added())
}

#[tokio::test]
async fn who_reads_what_is_what_github_says_with_every_credential() {
    for base in [Level::None, Level::Read] {
        let world = World::new();
        world.github.base(world.org, base);
        world.github.suspend(world.users["bob"]);
        let all = world.read(&world.key("repo admin:org admin:org_hook")).await.unwrap();
        world.compare(&all, "an owner's token");
        assert!(all.notices.is_empty() && all.incomplete.is_empty(), "{all:#?}");
        // It is told neither the base permission nor the roles, and looks at each repository.
        let less = world.read(&world.key("repo read:org")).await.unwrap();
        world.compare(&less, "a token without admin:org");
        assert!(!less.incomplete.contains(&Kind::Member), "{less:#?}");
        let permissions = [("metadata", "read"), ("contents", "read"), ("members", "read")];
        let token = world.github.fine_grained_token(world.users["olga"], world.org, &permissions);
        let fine = world.read(&key(3, token)).await.unwrap();
        world.compare(&fine, "a fine-grained token");
    }
}

#[tokio::test]
async fn a_token_that_may_less_loses_nobody_silently() {
    let world = World::new();
    let error = world.read(&world.key("repo")).await.unwrap_err();
    assert!(matches!(&error, HubError::Forbidden { text, .. } if text.contains("read:org")), "{error}");
    let token = world.github.token(world.users["olga"], "repo read:org");
    let key = key(1, token.clone());
    world.read(&key).await.unwrap();
    world.github.revoke(&token);
    assert!(matches!(world.read(&key).await, Err(HubError::Unauthorized(_))));
    // A member who owns nothing: collaborators are not told, and nobody is removed for that.
    let member = world.github.token(world.users["ada"], "repo read:org");
    let org = world.read(&self::key(2, member)).await.unwrap();
    assert!(!org.untold.is_empty(), "{org:#?}");
}

#[tokio::test]
async fn what_an_event_names_is_enough_to_be_right_again() {
    let world = World::new();
    for scopes in ["repo admin:org admin:org_hook", "repo read:org admin:org_hook"] {
        follow(&world, scopes).await;
    }
}

async fn follow(world: &World, scopes: &str) {
    let sink = Stage::start(Sink, None);
    let key = world.key(scopes);
    let secret = SecretString::from("s3cret");
    let place = HookPlace {
        repository_id: None,
        organization: "acme".to_owned(),
        repository: None,
        remote_id: None,
        address: sink.url("127.0.0.1", "/hooks/1").to_string().into(),
        secret: secret.clone(),
        reset: false,
    };
    let hook = world.hub.ensure_hook(&key, &place).await.unwrap();
    let place = HookPlace { remote_id: Some(hook.remote_id), ..place };
    world.github.post().settle();
    let mut pages = Pages::default();
    let first = world.hub.organization(&key, &world.wanted(Scope::Everything), &mut pages).await.unwrap();
    world.compare(&first, "at first");
    let (users, teams, repositories) = (&world.users, &world.teams, &world.repositories);
    type Act<'a> = (&'static str, Box<dyn FnOnce(&GitHub) + 'a>);
    let acts: Vec<Act<'_>> = vec![
        ("left a team", Box::new(|github| github.left(teams["low"], users["cyn"]))),
        ("joined a team", Box::new(|github| github.joined(teams["low"], users["dan"]))),
        ("revoked", Box::new(|github| github.revoked(teams["top"], repositories["lib"]))),
        ("granted", Box::new(|github| github.granted(teams["top"], repositories["secret"], Level::Read))),
        ("collaborator removed", Box::new(|github| github.collaborator_removed(repositories["secret"], users["out"]))),
        (
            "collaborator added",
            Box::new(|github| github.collaborator_added(repositories["docs"], users["out"], Level::Read)),
        ),
        ("member removed", Box::new(|github| github.member_removed(world.org, users["bob"]))),
        ("member added", Box::new(|github| github.member_added(world.org, users["bob"], Rank::Member))),
        ("renamed", Box::new(|github| github.repository_renamed(repositories["tool"], "tools"))),
        (
            "team made",
            Box::new(|github| github.joined(github.team_created(world.org, "more", Some(teams["mid"])), users["eve"])),
        ),
        ("archived", Box::new(|github| github.repository_archived(repositories["docs"], true))),
    ];
    for (what, act) in acts {
        let parcels = world.github.parcels(|github| act(github));
        let mut touches: Vec<Touch> = Vec::new();
        for parcel in parcels.iter().filter(|parcel| parcel.hook.to_string() == *place.remote_id.as_ref().unwrap()) {
            let headers = Headers::of(parcel.headers.iter().cloned());
            let delivery = world
                .hub
                .read_webhook(&headers, &parcel.body, &HookSecret { secret: secret.clone(), was_signed: true })
                .unwrap();
            touches.extend(delivery.touched);
        }
        assert!(!touches.is_empty(), "{what}: {parcels:?}");
        let before = world.hub.organization(&key, &world.wanted(Scope::Everything), &mut pages.clone()).await.unwrap();
        let org = world.hub.organization(&key, &world.wanted(Scope::Touched(touches)), &mut pages).await.unwrap();
        world.compare(&org, what);
        assert!(
            org.usage.requests < before.usage.requests,
            "{what}: {} of {}",
            org.usage.requests,
            before.usage.requests
        );
    }
    // As it was, for whoever comes next.
    world.github.repository_renamed(repositories["tool"], "tool");
    world.github.granted(teams["top"], repositories["lib"], Level::Read);
    world.github.revoked(teams["top"], repositories["secret"]);
    world.github.collaborator_removed(repositories["docs"], users["out"]);
    world.github.collaborator_added(repositories["secret"], users["out"], Level::Read);
    world.github.repository_archived(repositories["docs"], false);
    let more = world.github.stage.world().directory.teams.values().find(|team| team.slug == "more").unwrap().id;
    world.github.team_deleted(more);
    world.github.left(teams["low"], users["dan"]);
    world.github.joined(teams["low"], users["cyn"]);
    world.github.joined(teams["mid"], users["bob"]);
    world.hub.remove_hook(&key, &place).await.unwrap();
}
