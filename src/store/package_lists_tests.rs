use std::time::Duration;

use super::{By, Counts, Filter, Page, Place, Source, State, counts, ids, page};
use crate::clock::Timestamp;
use crate::store::database::{Change, Observer};
use crate::store::ids::{OrgId, PackageId};
use crate::store::packages::{self, Imported, New};
use crate::store::{self, Database, organizations};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Nobody;

impl Observer for Nobody {
    fn committed(&mut self, _: &rusqlite::Connection, _: &[Change]) {}
}

struct World {
    database: Database,
    org: OrgId,
    _folder: tempfile::TempDir,
}

/// `count` packages `acme/p000`, …, then one without a name; every tenth failed, every twentieth was installed.
async fn world(count: i64) -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("db"), Box::new(Nobody)).unwrap();
    let org = database
        .write(move |tx| {
            let org = organizations::insert(tx, "acme", "Acme", NOW)?;
            for number in 0..=count {
                let url = match number % 3 {
                    0 => format!("https://git.example.com/p{number}"),
                    1 => format!("git@git.example.com:p{number}"),
                    _ => format!("ssh://git@git.example.com/p{number}"),
                };
                let new = New {
                    url_key: url.clone(),
                    url,
                    vcs: "git".to_owned(),
                    credential: None,
                    fork: false,
                    next_check_at: NOW,
                };
                let id = packages::insert(org, tx, &new, NOW)?;
                if number == count {
                    continue;
                }
                let imported = Imported {
                    name: format!("acme/p{number:03}"),
                    kind: None,
                    description: Some(format!("Package Number {number}")),
                    abandoned: (number == 7).then(|| "true".to_owned()),
                    versions: 1,
                    default_branch: None,
                    refs_digest: String::new(),
                    refs: 1,
                    latest: None,
                    latest_at: None,
                };
                let then = NOW + Duration::from_secs(u64::try_from(count - number).unwrap());
                packages::set_imported(org, tx, id, &imported, then)?;
                if number % 10 == 0 {
                    packages::set_unread(org, tx, id, "no", NOW)?;
                }
                if number % 20 == 0 {
                    tx.execute("UPDATE package SET recent_installs = ?2 WHERE id = ?1", (id, 1000 - number))?;
                }
            }
            Ok::<_, store::Error>(org)
        })
        .await
        .unwrap();
    World { database, org, _folder: folder }
}

impl World {
    async fn page(&self, filter: &Filter, place: Place) -> Page {
        let (org, filter) = (self.org, filter.clone());
        self.database.read(move |db| page(org, db, &filter, place)).await.unwrap()
    }

    async fn counts(&self, filter: &Filter) -> Counts {
        let (org, filter) = (self.org, filter.clone());
        self.database.read(move |db| counts(org, db, &filter)).await.unwrap()
    }
}

fn names(page: &Page) -> Vec<&str> {
    page.lines.iter().map(|line| line.name.as_deref().unwrap_or("?")).collect()
}

#[tokio::test]
async fn turning_pages_there_and_back_shows_everything_once() {
    let world = world(95).await;
    for (by, descending) in
        [(By::Name, false), (By::Name, true), (By::Updated, false), (By::Installs, true), (By::Installs, false)]
    {
        let mut place = Place { by, descending, limit: 10, ..Place::default() };
        let (mut seen, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = world.page(&Filter::default(), place).await;
            assert_eq!(page.skipped, i64::try_from(seen.len()).unwrap(), "{by:?}");
            seen.extend(page.lines.iter().map(|line| line.id));
            place.after = page.lines.last().map(|line| line.id);
            let more = page.more;
            pages.push(page);
            if !more {
                break;
            }
        }
        let mut each = seen.clone();
        each.sort();
        each.dedup();
        assert_eq!((seen.len(), each.len()), (96, 96), "{by:?}");
        let last = pages.last().unwrap();
        place.before = last.lines.first().map(|line| line.id);
        let back = world.page(&Filter::default(), place).await;
        assert_eq!(names(&back), names(&pages[pages.len() - 2]), "{by:?}");
        assert!(back.more);
        assert_eq!(back.skipped, pages[pages.len() - 2].skipped);
    }
}

#[tokio::test]
async fn the_order_is_the_one_that_was_asked_for() {
    let world = world(41).await;
    let first = |by, descending| Place { by, descending, limit: 3, ..Place::default() };
    let all = Filter::default();
    assert_eq!(names(&world.page(&all, first(By::Name, false)).await), ["acme/p000", "acme/p001", "acme/p002"]);
    assert_eq!(names(&world.page(&all, first(By::Name, true)).await), ["?", "acme/p040", "acme/p039"]);
    assert_eq!(names(&world.page(&all, first(By::Updated, true)).await)[0], "acme/p000");
    assert_eq!(names(&world.page(&all, first(By::Installs, true)).await)[..2], ["acme/p000", "acme/p020"]);
}

#[tokio::test]
async fn filters_find_what_they_say_and_counts_agree() {
    let world = world(40).await;
    let place = Place { limit: 50, ..Place::default() };
    let all = world.counts(&Filter::default()).await;
    assert_eq!(all, Counts { all: 41, failed: 4, held: 0, unhooked: 41, abandoned: 1 });
    for state in [State::All, State::Failed, State::Held, State::Unhooked, State::Abandoned] {
        let filter = Filter { state, ..Filter::default() };
        let found = world.page(&filter, place).await;
        assert_eq!(i64::try_from(found.lines.len()).unwrap(), all.of(state), "{state:?}");
    }
    let words =
        |words: &[&str]| Filter { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Filter::default() };
    assert_eq!(names(&world.page(&words(&["number 7"]), place).await), ["acme/p007"]);
    assert_eq!(names(&world.page(&words(&["p03", "9"]), place).await), ["acme/p039"]);
    assert_eq!(world.counts(&words(&["100%"])).await.all, 0);
    let sources = [Source::Web, Source::Ssh, Source::Local].map(|source| Filter { source: Some(source), ..all_of() });
    assert_eq!(world.counts(&sources[0]).await.all, 14);
    assert_eq!(world.counts(&sources[1]).await.all, 27);
    assert_eq!(world.counts(&sources[2]).await.all, 0);
}

#[tokio::test]
async fn nobody_finds_what_they_may_not_see() {
    let world = world(40).await;
    let visible = Filter { visible: Some("[3, 5]".to_owned()), ..Filter::default() };
    let found = world.page(&visible, Place { limit: 50, ..Place::default() }).await;
    assert_eq!(names(&found), ["acme/p002", "acme/p004"]);
    assert_eq!(world.counts(&visible).await.all, 2);
    let (org, filter) = (world.org, visible.clone());
    let ids = world.database.read(move |db| ids(org, db, &filter)).await.unwrap();
    assert_eq!(ids, [PackageId(3), PackageId(5)]);
    let none = Filter { visible: Some("[]".to_owned()), ..Filter::default() };
    assert_eq!(world.counts(&none).await.all, 0);
    let other = Filter { team: Some("no/such".to_owned()), credential: Some("none".to_owned()), ..Filter::default() };
    assert_eq!(world.counts(&other).await.all, 0);
}

fn all_of() -> Filter {
    Filter::default()
}
