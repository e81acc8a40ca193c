//! Tokens that replace themselves: in time, once, while nobody uses them, and with one alert where the answer got lost.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use packagist_selfhosted::admin::credentials::{self, Kind, NewCredential, NewSecret};
use packagist_selfhosted::admin::{Actor, organizations, syncs};
use packagist_selfhosted::appliance::{Appliance, By, Hubs, Rotation};
use packagist_selfhosted::clock::{Clock, Timestamp};
use packagist_selfhosted::jobs::Workers;
use packagist_selfhosted::outbound;
use packagist_selfhosted::platform::{Hub, HubError, PlatformKind, Site};
use packagist_selfhosted::store;
use packagist_selfhosted::store::credentials::Credential;
use packagist_selfhosted::store::ids::OrgId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tempfile::TempDir;

use crate::followed::PATIENCE;
use crate::instance;
use crate::platforms::frame::{Fault, now};
use crate::platforms::gitlab::GitLab;
use crate::platforms::gitlab::directory::OWNER;
use crate::world::World;

const ORG: OrgId = OrgId(1);
const DAY: u64 = 86_400;
const ROTATE: &str = "/self/rotate";

/// An instance with a credential `main` whose token is one of a group and replaces itself, and the GitLab that gave it.
struct Here {
    gitlab: GitLab,
    root: u64,
    appliance: Appliance,
    clock: Clock,
    folder: TempDir,
}

async fn opened(gitlab: &GitLab, clock: &Clock, folder: &TempDir) -> Appliance {
    let (id, name) = ("lab".to_owned(), "GitLab".to_owned());
    let site = Site { id, platform: PlatformKind::GitLab, url: gitlab.url(), name, link_by_email: false, app: None };
    let hub = Hub::new(site, &outbound::Settings::default(), clock.clone()).unwrap();
    let appliance = instance::open(folder.path(), clock.clone()).await.unwrap();
    appliance.with_hubs(Hubs::of(hub)).await.unwrap()
}

impl Here {
    async fn new() -> Self {
        let gitlab = GitLab::start("http://127.0.0.1/nowhere");
        let root = gitlab.group("acme", None);
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(Timestamp::from_seconds(now())));
        let appliance = opened(&gitlab, &clock, &folder).await;
        organizations::add(&appliance, &Actor::Command, "acme", None).await.unwrap();
        let here = Self { gitlab, root, appliance, clock, folder };
        let token = here.gitlab.group_token(root, OWNER, "read_api read_repository self_rotate");
        here.add("main", &token).await;
        credentials::set_self_rotation(&here.appliance, &Actor::Command, ORG, "main", true).await.unwrap();
        here
    }

    async fn add(&self, name: &str, token: &str) {
        let url = self.gitlab.url();
        let new = NewCredential {
            name: name.to_owned(),
            kind: Kind::GitlabToken,
            host: Some(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())),
            username: None,
            secret: NewSecret::Given(SecretString::from(token.to_owned())),
        };
        credentials::add(&self.appliance, &Actor::Command, ORG, new).await.unwrap();
    }

    async fn row(&self) -> Credential {
        credentials::by_name(&self.appliance, ORG, "main").await.unwrap()
    }

    /// What is shown now.
    async fn token(&self) -> Result<String, HubError> {
        let key = self.appliance.platform_key(ORG, self.row().await.id).await.unwrap().unwrap();
        Ok(key.secret.token().await?.expose_secret().to_owned())
    }

    async fn rotate(&self) -> Rotation {
        self.appliance.rotate_token(ORG, self.row().await.id, By::itself()).await.unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.gitlab.pass(seconds);
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn works(&self, token: &str) -> bool {
        self.gitlab.stage.world().tokens.get(token).is_some_and(|own| !own.revoked)
    }

    /// How often another token was asked for since the last call.
    fn asked(&self) -> usize {
        self.gitlab.stage.take_log().iter().filter(|asked| asked.path.ends_with(ROTATE)).count()
    }

    async fn audited(&self, wanted: &'static str) -> usize {
        let count = self.appliance.database.read(move |db| {
            let sql = "SELECT count(*) FROM audit WHERE action = ?1";
            Ok::<i64, store::Error>(db.query_row(sql, [wanted], |row| row.get(0))?)
        });
        usize::try_from(count.await.unwrap()).unwrap()
    }

    /// Lets the server do what is due until something is so.
    async fn comes(&self, what: &str, it_is_so: impl AsyncFn() -> bool) {
        let workers = Workers::start(self.appliance.clone(), 1).await.unwrap();
        let started = Instant::now();
        while !it_is_so().await {
            assert!(started.elapsed() < PATIENCE, "it never came that {what}: {:?}", self.row().await);
            tokio::task::yield_now().await;
        }
        workers.stop().await;
    }
}

#[tokio::test]
async fn an_end_is_told_in_time_and_pauses_what_it_ends() {
    let here = Here::new().await;
    credentials::set_self_rotation(&here.appliance, &Actor::Command, ORG, "main", false).await.unwrap();
    let new = syncs::New {
        integration: "lab".to_owned(),
        remote: "acme".to_owned(),
        credential: "main".to_owned(),
        primary: false,
        packages: syncs::Packages::All,
        follow_visibility: false,
        paused: false,
        projects: Vec::new(),
    };
    let sync = syncs::add(&here.appliance, &Actor::Command, ORG, new).await.unwrap();
    let told = async || {
        let read = here.appliance.database.read(|db| {
            let sql = "SELECT told_days FROM credential";
            Ok::<Option<i64>, store::Error>(db.query_row(sql, [], |row| row.get(0))?)
        });
        read.await.unwrap()
    };
    let found = async || syncs::by_id(&here.appliance, ORG, sync).await.unwrap();
    here.comes("the group is read", async || found().await.confirmed_at.is_some()).await;
    assert_eq!(told().await, None);
    let end = here.row().await.expires_at.unwrap();
    for days in [30_u8, 14, 7, 3, 1, 0] {
        let left = end.since(here.clock.now()).as_secs();
        here.pass(left - u64::from(days) * DAY);
        here.comes("it is told", async || told().await == Some(i64::from(days))).await;
    }
    assert_eq!(credentials::status(&here.row().await, here.clock.now()), "expired");
    here.comes("the run fails", async || found().await.status() == "failed").await;
    let why = found().await.error.unwrap();
    let day = end.rfc3339()[..10].to_owned();
    assert!(why.starts_with(&format!("Paused: the token expired on {day}.")) && why.contains("`main`"), "{why}");

    let other = here.gitlab.group_token(here.root, OWNER, "read_api read_repository");
    let secret = NewSecret::Given(SecretString::from(other));
    credentials::rotate(&here.appliance, &Actor::Command, ORG, "main", (secret, None)).await.unwrap();
    here.comes("it goes on by itself", async || found().await.error.is_none()).await;
    assert_eq!(told().await, None);
}

fn days_between(early: Timestamp, late: Timestamp) -> u64 {
    late.since(early).as_secs() / DAY
}

#[tokio::test]
async fn a_token_replaces_itself_two_weeks_before_it_ends() {
    let here = Here::new().await;
    let first = here.token().await.unwrap();
    let ends = here.row().await.expires_at.unwrap();
    // It came to us with 300 of its 365 days.
    here.pass((300 - 14) * DAY);
    here.gitlab.stage.take_log();
    here.comes("the token is replaced", async || here.token().await.unwrap() != first).await;
    let (second, row) = (here.token().await.unwrap(), here.row().await);
    assert!(here.works(&second) && !here.works(&first));
    assert_eq!((here.asked(), row.status.as_str()), (1, "ok"));
    assert!(days_between(here.clock.now(), row.expires_at.unwrap()) >= 363, "{:?} after {ends:?}", row.expires_at);
    assert_eq!(credentials::status(&row, here.clock.now()), "ok");
    assert_eq!(here.audited("credential.rotate").await, 1);

    // A server that allows less is asked for less, and then for what it gives by itself.
    for (most, least) in [(100, 85), (7, 6)] {
        here.gitlab.stage.world().ways.most_days = most;
        let Rotation::Replaced(Some(ends)) = here.rotate().await else { panic!("it was not replaced") };
        let lasts = days_between(here.clock.now(), ends);
        assert!(lasts >= least && lasts <= u64::from(most), "{lasts} days of {most}");
        assert!(here.works(&here.token().await.unwrap()));
    }
}

#[tokio::test]
async fn a_token_is_replaced_once_and_while_nobody_uses_it() {
    let here = Here::new().await;
    let id = here.row().await.id;
    let key = here.appliance.platform_key(ORG, id).await.unwrap().unwrap();
    let first = key.secret.token().await.unwrap();
    here.gitlab.stage.take_log();
    let rotating = join_all((0..10).map(|_| here.rotate()));
    let using = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(here.asked(), 0, "it is in use");
        assert!(here.works(first.expose_secret()));
        drop(key);
    };
    let (all, ()) = tokio::join!(rotating, using);
    let replaced = all.iter().filter(|one| matches!(one, Rotation::Replaced(_))).count();
    assert_eq!((replaced, all.iter().filter(|one| **one == Rotation::Busy).count()), (1, 9), "{all:?}");
    assert_eq!(here.asked(), 1);
    assert!(here.works(&here.token().await.unwrap()));
}

#[tokio::test]
async fn an_answer_that_is_lost_is_one_alert_and_nobody_shows_the_old_token() {
    let here = Here::new().await;
    here.gitlab.stage.take_log();
    here.gitlab.stage.fail_at(ROTATE, 1..=1, Fault::Cut);
    assert!(matches!(here.rotate().await, Rotation::Open(_)));
    let withheld = here.token().await.unwrap_err();
    assert!(matches!(&withheld, HubError::Unavailable(text) if text.contains("another token")), "{withheld}");
    assert!(matches!(here.rotate().await, Rotation::Open(_)), "it may still come about");
    assert_eq!(here.asked(), 1);

    // The server ends, and another begins.
    let Here { gitlab, root, appliance, clock, folder } = here;
    drop(appliance);
    let appliance = opened(&gitlab, &clock, &folder).await;
    let here = Here { gitlab, root, appliance, clock, folder };
    assert!(matches!(here.token().await, Err(HubError::Unavailable(_))));
    here.pass(61);
    for _ in 0..3 {
        assert!(matches!(here.rotate().await, Rotation::Lost(_)));
        here.pass(DAY);
    }
    let shown = here.gitlab.stage.take_log();
    assert_eq!(shown.len(), 1, "whether the old one works is asked once: {shown:?}");
    assert_eq!(here.audited("credential.refused").await, 1);
    let row = here.row().await;
    assert_eq!(row.status, "refused");
    assert!(credentials::trouble(&row).unwrap().contains("got lost"), "{row:?}");
    let told = here.token().await.unwrap_err().to_string();
    assert!(told.contains("`credential rotate main`"), "{told}");

    let other = here.gitlab.group_token(here.root, OWNER, "api");
    let secret = NewSecret::Given(SecretString::from(other.clone()));
    credentials::rotate(&here.appliance, &Actor::Command, ORG, "main", (secret, None)).await.unwrap();
    assert_eq!(here.token().await.unwrap(), other);
    let row = here.row().await;
    assert!(row.self_rotate && row.lost_at.is_none() && credentials::trouble(&row).is_none(), "{row:?}");
    assert!(matches!(here.rotate().await, Rotation::Replaced(_)));
}

#[tokio::test]
async fn a_question_that_never_arrived_is_asked_again() {
    let here = Here::new().await;
    let first = here.token().await.unwrap();
    here.gitlab.stage.fail_at(ROTATE, 1..=1, Fault::Page(502));
    assert!(matches!(here.rotate().await, Rotation::Open(_)));
    here.pass(61);
    assert!(matches!(here.rotate().await, Rotation::Refused(_)), "the old one works");
    assert_eq!(here.token().await.unwrap(), first);
    let row = here.row().await;
    assert!(credentials::trouble(&row).unwrap().contains("did not answer"), "{row:?}");
    assert!(matches!(here.rotate().await, Rotation::Replaced(_)));
    assert_eq!(credentials::trouble(&here.row().await), None);
}

#[tokio::test]
async fn a_secret_that_somebody_gives_meanwhile_counts() {
    let here = Here::new().await;
    here.gitlab.stage.fail_at(ROTATE, 1..=1, Fault::Cut);
    assert!(matches!(here.rotate().await, Rotation::Open(_)));
    let other = here.gitlab.group_token(here.root, OWNER, "read_api read_repository");
    let secret = NewSecret::Given(SecretString::from(other.clone()));
    credentials::rotate(&here.appliance, &Actor::Command, ORG, "main", (secret, None)).await.unwrap();
    assert_eq!(here.token().await.unwrap(), other);
    // It may not replace itself, which is said once, and no loop.
    here.gitlab.stage.take_log();
    let Rotation::Refused(why) = here.rotate().await else { panic!("it may not") };
    assert!(why.contains("`self_rotate`"), "{why}");
    assert_eq!(here.asked(), 0);
    assert!(here.works(&here.token().await.unwrap()));
}

#[tokio::test]
async fn what_must_not_replace_itself_is_refused() {
    let here = Here::new().await;
    let refused = async |name: &'static str| {
        let set = credentials::set_self_rotation(&here.appliance, &Actor::Command, ORG, name, true).await;
        set.unwrap_err().to_string()
    };
    let same = here.token().await.unwrap();
    here.add("copy", &same).await;
    assert!(refused("copy").await.contains("`main`"));
    assert!(matches!(here.rotate().await, Rotation::Refused(why) if why.contains("`copy`")));
    assert!(here.works(&same));
    here.add("weak", &here.gitlab.group_token(here.root, OWNER, "read_api read_repository")).await;
    assert!(refused("weak").await.contains("`self_rotate`"));
    here.add("endless", &here.gitlab.service_token(here.root, OWNER, "api")).await;
    assert!(refused("endless").await.contains("has no end"));
    here.add("wrong", "glpat-nobody-knows-it").await;
    assert!(refused("wrong").await.contains("does not accept the token"));
    here.gitlab.stage.fail(ROTATE, Fault::Answer(crate::platforms::message::Reply::json(404, &Value::Null)));
    here.add("old", &here.gitlab.group_token(here.root, OWNER, "api")).await;
    let old = credentials::replace_token(&here.appliance, &Actor::Command, ORG, "old").await.unwrap_err();
    assert!(old.to_string().contains("too old"), "{old}");
}

#[test]
fn what_is_followed_goes_on_with_the_token_that_replaced_its_own() {
    let mut world = World::new();
    let ada = world.person("ada");
    world.gitlab.enrol(world.root, ada, OWNER);
    let lib = world.package(world.root, "lib");
    world.follow();
    world.log_in();
    let first = world.token.clone();
    let soon = Timestamp::from_seconds(now()) + Duration::from_secs(5 * DAY);
    let day = soon.rfc3339()[..10].to_owned();
    world.gitlab.change_token(&first, |token| token.expires_at = Some(day));
    // That it ends is said once, whoever starts the server how often.
    world.run().done();
    let warnings = |world: &World| world.ours.log().matches("ends within 7 days").count();
    for _ in 0..2 {
        assert!(world.ours.stop_and_restart());
        world.comes("it is said", || warnings(&world) > 0);
    }
    world.ours.command("credential set-self-rotation main on").done();
    let works = |world: &World| !world.gitlab.stage.world().tokens[&first].revoked;
    assert!(works(&world));
    let one = |world: &World| {
        let all: Value = serde_json::from_str(&world.ours.command("credential list --json").done()).unwrap();
        all[0].clone()
    };
    assert_eq!((&one(&world)["self_rotation"], &one(&world)["error"]), (&Value::Bool(true), &Value::Null));

    world.ours.command("credential rotate main --by-itself").done();
    assert!(!works(&world));
    let shown = one(&world);
    assert_eq!((&shown["status"], &shown["self_rotation"]), (&Value::from("ok"), &Value::Bool(true)), "{shown}");
    world.tag(lib, "2.0.0");
    world.run().done();
    world.ours.command("package update acme/lib --wait").done();
    assert!(world.versions(lib).contains("2.0.0"));
    world.agrees("another token");
    let page = world.page("ada", "/orgs/acme/credentials/main");
    assert!(page.contains("Stop replacing it") && page.contains("replaced from"), "{page}");
    assert_eq!(warnings(&world), 1);
    let log = world.ours.log();
    assert!(!log.contains(&first) && !log.contains("glpat-"), "a token is in the log");
    world.ours.command("credential set-self-rotation main off").done();
    assert_eq!(one(&world)["self_rotation"], Value::Bool(false));
}
