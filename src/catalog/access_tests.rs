//! What people see, commit by commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tests::{Instance, NOW, new_token, valid};
use super::{Admission, OrgAccess};
use crate::access::login::LoginRule;
use crate::access::role::Role;
use crate::clock::Timestamp;
use crate::store::database::Change;
use crate::store::ids::{AccountId, OrgId, UserId};
use crate::store::members::Person;
use crate::store::{self, Tx, grants, members, policies, team_members, teams, tokens, users};

impl Instance {
    async fn write<T, F>(&self, change: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static,
    {
        self.database.write(change).await.unwrap()
    }

    /// Adds a person whose user token has this digest.
    async fn person(&self, name: &'static str, digest: u8) -> UserId {
        self.write(move |tx| {
            let id = users::insert(tx, name, None, false, None, NOW)?;
            tokens::insert_for_user(tx, id, &new_token(digest, None), NOW)?;
            Ok(id)
        })
        .await
    }

    /// Connects an account of the integration `ghe` to a person.
    async fn account(&self, login: &'static str, user: Option<UserId>) -> AccountId {
        self.write(move |tx| {
            tx.execute("INSERT OR IGNORE INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0)", [])?;
            tx.execute(
                "INSERT INTO account (integration, subject, login, user_id, created_at) VALUES ('ghe', ?1, ?1, ?2, 0)",
                (login, user),
            )?;
            user.into_iter().for_each(|user| tx.changed(Change::User(user)));
            Ok(AccountId(tx.last_insert_rowid()))
        })
        .await
    }

    /// Runs a statement with the organization as its first parameter, as a synchronization might.
    async fn found(&self, org: OrgId, sql: &'static str) {
        self.write(move |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO sync (id, org_id, integration, remote, created_at) VALUES (1, ?1, 'ghe', 'acme', 0)",
                [org],
            )?;
            tx.execute(sql, [org])?;
            tx.changed(Change::Access(org));
            Ok(())
        })
        .await;
    }

    fn access(&self, user: UserId, now: Timestamp) -> Option<OrgAccess> {
        self.world().access_of(user, "acme", now)
    }

    fn reads(&self, digest: u8) -> Vec<String> {
        self.sees(digest, "acme").unwrap_or_default()
    }
}

#[tokio::test]
async fn every_way_to_a_package_counts_from_the_next_request() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let (a, b) = (instance.package(org, "acme/a").await, instance.package(org, "acme/b").await);
    let ada = instance.person("ada", 1).await;
    assert_eq!(instance.sees(1, "acme"), None, "a stranger");
    instance.write(move |tx| grants::give(org, tx, b, Person::User(ada), NOW)).await;
    assert_eq!(instance.reads(1), ["acme/b"]);
    let access = instance.access(ada, NOW).unwrap();
    assert_eq!((access.role, access.membership, access.manages()), (Role::Collaborator, None, false));
    instance.write(move |tx| grants::take(org, tx, b, Person::User(ada))).await;
    assert_eq!(instance.sees(1, "acme"), None);

    let (web, api) = instance
        .write(move |tx| {
            let web = teams::insert(org, tx, None, "web", "web", NOW)?;
            Ok((web, teams::insert(org, tx, Some(web), "api", "web/api", NOW)?))
        })
        .await;
    instance.write(move |tx| team_members::add(org, tx, api, Person::User(ada), NOW)).await;
    assert_eq!(instance.sees(1, "acme").unwrap(), [""; 0], "a member who may read nothing yet");
    instance.write(move |tx| teams::grant(org, tx, web, a)).await;
    assert_eq!(instance.reads(1), ["acme/a"], "what the team above has");
    instance.write(move |tx| teams::set_all_packages(org, tx, api, true)).await;
    instance.package(org, "acme/c").await;
    assert_eq!(instance.reads(1), ["acme/a", "acme/b", "acme/c"], "all packages, now and later");
    instance.write(move |tx| teams::set_all_packages(org, tx, api, false)).await;
    assert_eq!(instance.reads(1), ["acme/a"]);
    instance.write(move |tx| teams::remove(org, tx, web)).await;
    assert_eq!(instance.sees(1, "acme"), None, "the team below went with it");

    instance.write(move |tx| members::set(org, tx, ada, Role::Admin, NOW)).await;
    assert_eq!(instance.reads(1).len(), 3);
    assert!(instance.access(ada, NOW).unwrap().manages());
    instance.write(move |tx| members::remove(org, tx, Person::User(ada))).await;
    assert!(instance.access(ada, NOW).is_none());
    instance.write(move |tx| members::set(org, tx, ada, Role::Owner, NOW)).await;
    instance.write(move |tx| users::set_enabled(tx, ada, false)).await;
    assert!(matches!(instance.admit(1, NOW), Admission::Disabled));
    assert!(instance.access(ada, NOW).is_none());
    instance.write(move |tx| users::set_enabled(tx, ada, true)).await;
    assert_eq!(instance.restart().reads(1).len(), 3, "all that is stored");
}

#[tokio::test]
async fn what_a_synchronization_found_belongs_to_whoever_has_the_account() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.package(org, "acme/a").await;
    instance.package(org, "acme/b").await;
    let (ada, account) = (instance.person("ada", 1).await, instance.account("ada", None).await);
    let end = NOW + Duration::from_secs(60);
    assert_eq!(account, AccountId(1));
    let waiting = "INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at, expires_at)
        VALUES (?1, 1, 1, 'member', 0, 0, 1800000060000000)";
    instance.found(org, waiting).await;
    instance.found(org, "INSERT INTO team VALUES (1, ?1, NULL, 1, '7', 'web', 'web', 0, 0, 1)").await;
    instance.found(org, "INSERT INTO team_package SELECT ?1, 1, id FROM package WHERE url_key = 'acme/a'").await;
    instance.found(org, "INSERT INTO team_member (org_id, team_id, account_id, created_at) VALUES (?1, 1, 1, 0)").await;
    assert_eq!(instance.sees(1, "acme"), None, "the account is nobody's");
    instance
        .write(move |tx| {
            tx.execute("UPDATE account SET user_id = ?1", [ada])?;
            tx.changed(Change::User(ada));
            Ok(())
        })
        .await;
    assert_eq!(instance.sees(1, "acme"), None, "nobody activated it");
    instance.write(move |tx| members::set_active(org, tx, Person::Account(account), true)).await;
    assert_eq!(instance.reads(1), ["acme/a"]);
    let first = instance.access(ada, NOW).unwrap();
    assert!(instance.access(ada, end).is_none(), "the membership ends by itself");
    assert!(Arc::ptr_eq(&instance.access(ada, NOW).unwrap().view, &first.view), "and clocks are set back");
    instance.found(org, "UPDATE account SET suspended_at = ?1").await;
    instance.write(move |tx| users::set_enabled(tx, ada, true)).await;
    assert_eq!(instance.sees(1, "acme"), None, "a suspended account contributes nothing");
}

#[tokio::test]
async fn a_user_token_wants_what_the_login_rule_wants() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance.package(org, "acme/a").await;
    let (ada, bob) = (instance.person("ada", 1).await, instance.person("bob", 2).await);
    let root = instance.write(|tx| users::insert(tx, "root", None, true, None, NOW)).await;
    instance.write(move |tx| tokens::insert_for_user(tx, root, &new_token(3, None), NOW)).await;
    instance.account("bob", Some(bob)).await;
    for user in [ada, bob] {
        instance.write(move |tx| members::set(org, tx, user, Role::Owner, NOW)).await;
    }
    instance.write(move |tx| policies::set_login_rule(org, tx, &LoginRule::of(["ghe"]))).await;
    assert_eq!(instance.sees(1, "acme"), None);
    assert_eq!((instance.reads(2), instance.reads(3)), (vec!["acme/a".to_owned()], vec!["acme/a".to_owned()]));
    let access = instance.access(ada, NOW).unwrap();
    assert!(!access.admits_token() && !access.admits_session(None) && access.admits_session(Some("ghe")));
    assert_eq!(access.login_rule().integrations().len(), 1);
    assert!(instance.access(root, NOW).unwrap().admits_session(None), "the rescue");
    instance.write(move |tx| policies::set_login_rule(org, tx, &LoginRule::default())).await;
    assert_eq!(instance.reads(1), ["acme/a"]);
    let world = instance.world();
    assert_eq!(world.organizations_of(ada, NOW).len(), 1);
}

#[tokio::test]
async fn a_token_of_a_team_follows_the_team() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let (a, b) = (instance.package(org, "acme/a").await, instance.package(org, "acme/b").await);
    let team = instance.write(move |tx| teams::insert(org, tx, None, "web", "web", NOW)).await;
    for (digest, packages) in [(1, vec![]), (2, vec![b])] {
        let scope = tokens::Scope { packages, teams: vec![team] };
        instance.write(move |tx| tokens::insert(org, tx, &new_token(digest, None), Some(&scope), NOW)).await;
    }
    assert_eq!((instance.reads(1).len(), instance.reads(2).len()), (0, 1));
    instance.write(move |tx| teams::grant(org, tx, team, a)).await;
    assert_eq!((instance.reads(1).len(), instance.reads(2).len()), (1, 2));
    instance.write(move |tx| teams::set_all_packages(org, tx, team, true)).await;
    instance.package(org, "acme/c").await;
    assert_eq!(instance.reads(1).len(), 3);
    instance.write(move |tx| teams::remove(org, tx, team)).await;
    assert_eq!((instance.sees(1, "acme").unwrap().len(), instance.reads(2)), (0, vec!["acme/b".to_owned()]));
    assert_eq!(instance.restart().sees(1, "acme").unwrap().len(), 0, "an empty scope is not all");
}

#[tokio::test]
async fn those_who_see_the_same_share_it() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    let a = instance.package(org, "acme/a").await;
    instance.package(org, "acme/b").await;
    let (ada, bob) = (instance.person("ada", 1).await, instance.person("bob", 2).await);
    let team = instance.write(move |tx| teams::insert(org, tx, None, "web", "web", NOW)).await;
    instance.write(move |tx| teams::grant(org, tx, team, a)).await;
    instance.write(move |tx| team_members::add(org, tx, team, Person::User(ada), NOW)).await;
    instance.write(move |tx| grants::give(org, tx, a, Person::User(bob), NOW)).await;
    let scope = tokens::Scope { packages: vec![a], teams: vec![] };
    instance.write(move |tx| tokens::insert(org, tx, &new_token(3, None), Some(&scope), NOW)).await;
    let view = |digest| {
        let token = valid(instance.admit(digest, NOW)).unwrap();
        let world = instance.world();
        world.open("acme", &token, NOW).unwrap().1
    };
    assert!(Arc::ptr_eq(&view(1), &view(2)) && Arc::ptr_eq(&view(1), &view(3)));
}

/// Says how long an instance of the largest size that is meant takes: `cargo test --release -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures, and asserts nothing about time"]
async fn five_thousand_people_and_two_hundred_teams() {
    let instance = Instance::new();
    let org = instance.organization("acme").await;
    instance
        .write(move |tx| {
            tx.execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
                 INSERT INTO package (id, org_id, url, url_key, vcs, created_at, next_check_at)
                     SELECT i, 1, 'u' || i, 'u' || i, 'git', 0, 0 FROM n;
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 INSERT INTO user (id, name, created_at) SELECT i, 'user-' || i, 0 FROM n;
                 INSERT INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0);
                 INSERT INTO sync (id, org_id, integration, remote, created_at) VALUES (1, 1, 'ghe', 'acme', 0);
                 INSERT INTO account (id, integration, subject, login, user_id, created_at)
                     SELECT id, 'ghe', id, name, id, 0 FROM user;
                 INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at) SELECT 1, 1, id, 'member', 1, 0 FROM account;
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                 INSERT INTO team (id, org_id, parent_id, sync_id, remote_id, name, path, created_at)
                     SELECT i, 1, CASE WHEN i > 20 THEN i % 20 + 1 END, 1, i, 'team-' || i, 'team-' || i, 0 FROM n;
                 INSERT INTO team_package SELECT 1, t.id, p.id FROM team t JOIN package p ON (p.id * 7 + t.id) % 50 = 0;
                 INSERT INTO team_member (org_id, team_id, account_id, created_at)
                     SELECT 1, t.id, a.id, 0 FROM team t JOIN account a ON (a.id * 3 + t.id) % 40 = 0;
                 INSERT INTO package_grant (org_id, package_id, account_id, sync_id, kind, created_at)
                     SELECT 1, (a.id * 13 + v.column1) % 10000 + 1, a.id, 1, 'collaborator', 0
                     FROM account a JOIN (VALUES (1), (2)) v;",
            )?;
            Ok(())
        })
        .await;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4 / 1024
    };
    let before = resident();
    let started = Instant::now();
    let instance = instance.restart();
    println!("start: {:?}, {} MiB more", started.elapsed(), resident().saturating_sub(before));
    let started = Instant::now();
    let mut views: Vec<_> = (1..=5000).filter_map(|id| instance.access(UserId(id), NOW)).map(|it| it.view).collect();
    println!("5000 first looks: {:?}, {} MiB more", started.elapsed(), resident().saturating_sub(before));
    let started = Instant::now();
    views.extend((1..=5000).filter_map(|id| instance.access(UserId(id), NOW)).map(|it| it.view));
    println!("5000 second looks: {:?}", started.elapsed());
    views.sort_by_key(|view| Arc::as_ptr(view) as usize);
    views.dedup_by(|one, other| Arc::ptr_eq(one, other));
    println!("{} views", views.len());
    let team = teams::by_path;
    let team = instance.database.read(move |db| team(org, db, "team-30")).await.unwrap().unwrap().id;
    for (what, change) in [
        ("one person", Change::Person(org, UserId(7))),
        ("one team", Change::Team(org, team)),
        ("one account", Change::User(UserId(7))),
        ("everything about access", Change::Access(org)),
    ] {
        let started = Instant::now();
        instance
            .write(move |tx| {
                tx.changed(change);
                Ok(())
            })
            .await;
        println!("{what}: {:?}", started.elapsed());
    }
}
