//! What people see with their user tokens: everybody exactly what some path leads to, from the next request on.

use std::time::Duration;

use packagist_selfhosted::access::login::LoginRule;
use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::admin::organization_settings::{self, Setter};
use packagist_selfhosted::admin::{self, Actor, Via};
use packagist_selfhosted::store::database::Change;
use packagist_selfhosted::store::ids::{PackageId, UserId};
use packagist_selfhosted::store::members::Person;
use packagist_selfhosted::store::{grants, members, policies, team_members, teams, users};

use crate::world::{START, STORED, World, user_token, world};

const NAMES: [&str; 3] = ["acme/lib", "acme/secret-lib", "fork/thing"];

/// A new person: the row, and a user token.
async fn person(world: &World, name: &'static str) -> (UserId, String) {
    let token = user_token(&world.appliance, name, false).await;
    let id = world.read(move |db| users::by_name(db, name)).await.expect("it was just added").id;
    (id, token)
}

/// A person whom a synchronization found, with a role or as nothing but an account.
async fn found(world: &World, name: &'static str, role: Option<(Role, bool)>) -> (UserId, String) {
    let (user, token) = person(world, name).await;
    let org = world.acme;
    world
        .write(move |tx| {
            tx.execute("INSERT OR IGNORE INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0)", [])?;
            tx.execute(
                "INSERT OR IGNORE INTO sync (id, org_id, integration, remote, created_at) VALUES (1, ?1, 'ghe', 'acme', 0)",
                [org],
            )?;
            tx.execute(
                "INSERT INTO account (id, integration, subject, login, user_id, created_at) VALUES (?1, 'ghe', ?2, ?2, ?1, 0)",
                (user, name),
            )?;
            if let Some((role, active)) = role {
                tx.execute(
                    "INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at)
                     VALUES (?1, 1, ?2, ?3, ?4, 0)",
                    (org, user, role.as_str(), active),
                )?;
            }
            tx.changed(Change::User(user));
            Ok(())
        })
        .await;
    (user, token)
}

/// A package that a synchronization lets an account read.
async fn found_grant(world: &World, user: UserId, package: PackageId, kind: &'static str) {
    let org = world.acme;
    world
        .write(move |tx| {
            tx.execute(
                "INSERT INTO package_grant (org_id, package_id, account_id, sync_id, kind, created_at)
                 VALUES (?1, ?2, ?3, 1, ?4, 0)",
                (org, package, user, kind),
            )?;
            tx.changed(Change::Person(org, user));
            Ok(())
        })
        .await;
}

async fn give_role(world: &World, user: UserId, role: Role) {
    let org = world.acme;
    world.write(move |tx| members::set(org, tx, user, role, START)).await;
}

async fn put_into(world: &World, team: packagist_selfhosted::store::ids::TeamId, user: UserId) {
    let org = world.acme;
    world.write(move |tx| team_members::add(org, tx, team, Person::User(user), START)).await;
}

/// Whatever `token` gets of acme is exactly `expected`; none: it is as if there were no such organization.
async fn sees(world: &World, who: &str, token: &str, expected: Option<&[&str]>) {
    let root = world.get(token, "/repo/acme/packages.json").await;
    let listed = (root.status == 200).then(|| root.json()["available-packages"].clone());
    let wanted = expected.map(|names| match names {
        [] => serde_json::json!(["none/none"]),
        names => serde_json::json!(names),
    });
    assert_eq!(listed, wanted, "{who}");
    for name in NAMES {
        let is_seen = expected.is_some_and(|names| names.contains(&name));
        for file in [name.to_owned(), format!("{name}~dev")] {
            let document = world.get(token, &format!("/repo/acme/p2/{file}.json")).await;
            let has_versions = document.status == 200 && document.json()["packages"][name][0]["version"].is_string();
            assert_eq!(has_versions, is_seen, "{who} at {file}");
        }
    }
    let archive = world.get(token, &format!("/repo/acme/dists/acme/lib/{STORED}.zip")).await;
    let may_download = expected.is_some_and(|names| names.contains(&"acme/lib"));
    assert_eq!(archive.status, if may_download { 200 } else { 404 }, "{who} downloads");
}

#[tokio::test]
async fn everybody_sees_what_a_path_leads_to_and_nothing_else() {
    let world = world().await;
    let (org, lib, secret) = (world.acme, world.lib, world.secret);
    let (web, api, everything) = world
        .write(move |tx| {
            let web = teams::insert(org, tx, None, "web", "web", START)?;
            let api = teams::insert(org, tx, Some(web), "api", "web/api", START)?;
            let everything = teams::insert(org, tx, None, "everything", "everything", START)?;
            teams::grant(org, tx, web, lib)?;
            teams::grant(org, tx, api, secret)?;
            teams::set_all_packages(org, tx, everything, true)?;
            Ok((web, api, everything))
        })
        .await;
    let (owner, of_owner) = person(&world, "owner").await;
    give_role(&world, owner, Role::Owner).await;
    let (_, of_found_admin) = found(&world, "found-admin", Some((Role::Admin, true))).await;
    let (in_web, of_web) = person(&world, "in-web").await;
    put_into(&world, web, in_web).await;
    let (in_api, of_api) = person(&world, "in-api").await;
    put_into(&world, api, in_api).await;
    let (in_all, of_all) = person(&world, "in-all").await;
    put_into(&world, everything, in_all).await;
    let (granted, of_granted) = person(&world, "granted").await;
    world.write(move |tx| grants::give(org, tx, secret, Person::User(granted), START)).await;
    let (outside, of_outside) = found(&world, "outside", None).await;
    found_grant(&world, outside, lib, "collaborator").await;
    let (base, of_base) = found(&world, "base", Some((Role::Member, true))).await;
    found_grant(&world, base, secret, "base").await;
    let (waiting, of_waiting) = found(&world, "waiting", Some((Role::Owner, false))).await;
    found_grant(&world, waiting, lib, "sync").await;
    let (member, of_member) = person(&world, "member").await;
    give_role(&world, member, Role::Member).await;
    let (_, of_stranger) = person(&world, "nobody").await;

    let all = Some(&NAMES[..]);
    sees(&world, "an administrator of the instance", &world.admin, all).await;
    sees(&world, "an owner", &of_owner, all).await;
    sees(&world, "an admin whom a synchronization found", &of_found_admin, all).await;
    sees(&world, "a team's", &of_web, Some(&["acme/lib"])).await;
    sees(&world, "a lower team's", &of_api, Some(&["acme/lib", "acme/secret-lib"])).await;
    sees(&world, "one of a team with everything", &of_all, all).await;
    sees(&world, "one with a grant", &of_granted, Some(&["acme/secret-lib"])).await;
    sees(&world, "an outside collaborator", &of_outside, Some(&["acme/lib"])).await;
    sees(&world, "one with the base permission", &of_base, Some(&["acme/secret-lib"])).await;
    sees(&world, "one who waits", &of_waiting, None).await;
    sees(&world, "a member without a team", &of_member, Some(&[])).await;
    sees(&world, "a stranger", &of_stranger, None).await;

    world.write(move |tx| members::set_active(org, tx, Person::User(waiting), true)).await;
    sees(&world, "one who waited", &of_waiting, all).await;
    world.write(move |tx| policies::set_manual(org, tx, true)).await;
    sees(&world, "an outside collaborator nobody said yes to", &of_outside, None).await;
    world.write(move |tx| team_members::remove(org, tx, api, Person::User(in_api))).await;
    sees(&world, "one who left the team", &of_api, None).await;
    world.write(move |tx| teams::revoke(org, tx, web, lib)).await;
    sees(&world, "one whose team lost the package", &of_web, Some(&[])).await;
    world.write(move |tx| teams::set_all_packages(org, tx, everything, false)).await;
    sees(&world, "one whose team lost all", &of_all, Some(&[])).await;
    world.write(move |tx| grants::take(org, tx, secret, Person::User(granted))).await;
    sees(&world, "one whose grant was taken back", &of_granted, None).await;
    world.write(move |tx| policies::set_login_rule(org, tx, &LoginRule::of(["ghe"]))).await;
    sees(&world, "an owner who cannot log in as the rule wants", &of_owner, None).await;
    sees(&world, "an admin who can", &of_found_admin, all).await;
    sees(&world, "an administrator of the instance", &world.admin, all).await;
    world.write(move |tx| policies::set_login_rule(org, tx, &LoginRule::default())).await;
    world.write(move |tx| users::set_enabled(tx, owner, false)).await;
    assert_eq!(world.get(&of_owner, "/repo/acme/packages.json").await.status, 401);
}

#[tokio::test]
async fn a_membership_ends_by_itself() {
    let world = world().await;
    let (org, lib) = (world.acme, world.lib);
    let team = world.write(move |tx| teams::insert(org, tx, None, "web", "web", START)).await;
    world.write(move |tx| teams::grant(org, tx, team, lib)).await;
    let (user, token) = person(&world, "ada").await;
    put_into(&world, team, user).await;
    let end = START + Duration::from_secs(60);
    world
        .write(move |tx| {
            tx.execute("UPDATE team_member SET expires_at = ?1", [end])?;
            tx.changed(Change::Person(org, user));
            Ok(())
        })
        .await;
    sees(&world, "a member", &token, Some(&["acme/lib"])).await;
    world.clock.advance(Duration::from_secs(59));
    sees(&world, "a member for a second more", &token, Some(&["acme/lib"])).await;
    world.clock.advance(Duration::from_secs(1));
    sees(&world, "a former member", &token, None).await;
}

#[tokio::test]
async fn admins_leave_owners_alone_and_nobody_locks_themselves_out() {
    use Role::{Admin, Member, Owner};
    let world = world().await;
    let (org, appliance) = (world.acme, &world.appliance);
    let actor = Actor::User { name: "ada".to_owned(), via: Via::Browser, address: None };
    let (owner, _) = found(&world, "grace", None).await;
    give_role(&world, owner, Owner).await;
    for name in ["ada", "bob"] {
        person(&world, name).await;
    }
    admin::members::add(appliance, &actor, Owner, org, "ada", Admin).await.expect("an owner may");
    admin::members::add(appliance, &actor, Admin, org, "bob", Member).await.expect("an admin may");
    admin::members::set_role(appliance, &actor, Admin, org, "bob", Admin).await.expect("an admin may");
    let refusals = [
        admin::members::set_role(appliance, &actor, Admin, org, "bob", Owner).await,
        admin::members::set_role(appliance, &actor, Admin, org, "grace", Member).await,
        admin::members::remove(appliance, &actor, Admin, org, "grace").await.map(drop),
        admin::members::set_role(appliance, &actor, Member, org, "bob", Member).await,
    ];
    for refusal in refusals {
        let text = refusal.expect_err("it is not theirs to do").to_string();
        assert!(text.contains("only an owner"), "{text}");
    }
    let rule = ["ghe".to_owned()];
    for session in [None, Some("gitlab".to_owned())] {
        let setter = Setter::Session(session);
        let refused = organization_settings::set_login_rule(appliance, &actor, setter, org, &rule).await;
        assert!(refused.expect_err("they would be out").to_string().contains("you would lock yourself out"));
    }
    let setter = Setter::Session(Some("ghe".to_owned()));
    organization_settings::set_login_rule(appliance, &actor, setter, org, &rule).await.expect("grace gets in");
    admin::members::set_role(appliance, &actor, Owner, org, "ada", Owner).await.expect("an owner may");
    let refused = admin::members::remove(appliance, &actor, Owner, org, "grace").await;
    let text = refused.expect_err("ada is an owner, but cannot get in").to_string();
    assert!(text.contains("without an owner who can get in"), "{text}");
}
