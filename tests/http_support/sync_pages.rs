//! The pages of synchronizations, used as people use them: what a run left is shown, and what one presses is done or asked
//! about first.

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::store::ids::SyncId;
use packagist_selfhosted::store::syncs;

use crate::people_pages::{Browser, holds, lacks, person};
use crate::world::{World, world};

const HERE: &str = "/orgs/acme/syncs/1";

/// What runs of a synchronization would leave: a package, a repository that is none, a hook that fails, a run, and a removal
/// that waits.
async fn furnish(world: &World) {
    let (acme, lib) = (world.acme, world.lib);
    world
        .write(move |tx| {
            let sql = |sql: &str| {
                let sql = sql.replace("ORG", &acme.to_string()).replace("LIB", &lib.to_string());
                tx.execute_batch(&sql)
            };
            sql("INSERT INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0);
                 INSERT INTO sync (id, org_id, integration, remote, created_at, last_run_at, outcome, error, confirmed_at,
                     held_digest, held_plan, held_at, next_run_at)
                     VALUES (1, ORG, 'ghe', 'acme-inc', 0, 1, 'held', 'it lists 2 repositories of 9', 1, 'd1ge57',
                         '{\"losses\":[],\"changes\":[[\"remove\",{\"kind\":\"package\",\"name\":\"acme-inc/<b>old\",\"detail\":\"no longer listed\"}]]}',
                         1, 9000000000000000);
                 INSERT INTO repository (org_id, sync_id, remote_id, path, url, state, visibility, manifest, package_id,
                     decision, reason, found_at)
                     VALUES (ORG, 1, '10', 'acme-inc/lib', 'https://ghe.example.com/acme-inc/lib.git', 'active', 'private', 1, LIB, 'package', '', 0),
                            (ORG, 1, '11', 'acme-inc/docs', 'https://ghe.example.com/acme-inc/docs.git', 'active', 'private', 0, NULL, 'none', '', 0),
                            (ORG, 1, '12', 'acme-inc/old', 'https://ghe.example.com/acme-inc/old.git', 'archived', 'private', 1, NULL, 'left', '', 0);
                 INSERT INTO sync_run (id, org_id, sync_id, cause, started_at, ended_at, outcome, error, notices, requests,
                     unmodified, remaining, resets_at, added, changed, removed)
                     VALUES (7, ORG, 1, 'hook', 1, 2000001, 'changed', NULL, '[\"the teams could not be seen\"]', 120, 90, 4321, 3, 1, 0, 1);
                 INSERT INTO sync_change VALUES (ORG, 7, 1, 'add', 'member', 'ghe:grace', 'as member'),
                     (ORG, 7, 2, 'remove', 'team', 'ops', 'deleted there');
                 INSERT INTO platform_hook (org_id, sync_id, repository, digest, address, secret, state, error, created_at)
                     VALUES (ORG, 1, NULL, x'00', x'', x'', 'failing', 'it was switched off there', 0);
                 INSERT INTO platform_delivery (integration, org_id, sync_id, guid, event, subject, size, received_at)
                     VALUES ('ghe', ORG, 1, 'g', 'push', 'acme-inc/lib', 10, 1);")?;
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn a_synchronization_tells_how_it_is() {
    let world = world().await;
    furnish(&world).await;
    let admin = Browser::of(&world, person(&world, "adam", Some(Role::Admin)).await).await;
    let list = admin.get("/orgs/acme/syncs").await;
    assert_eq!(list.status, 200);
    holds(&list, "ghe: acme-inc");
    holds(&list, "Waits for you");
    let page = admin.get(HERE).await;
    assert_eq!(page.status, 200, "{}", page.text());
    for text in [
        "1 removal wait",
        "It lists 2 repositories of 9",
        "acme-inc/&lt;b&gt;old",
        "4,321",
        "90 not modified",
        "It was switched off there",
        "Fails there",
        "/syncs/1/runs/7",
        "The teams could not be seen",
        "An owner of the organization decides",
    ] {
        holds(&page, text);
    }
    lacks(&page, "Apply these removals");
    lacks(&page, "/syncs/1/remove");
    let run = admin.get(&format!("{HERE}/runs/7")).await;
    holds(&run, "ghe:grace");
    holds(&run, "deleted there");
    holds(&admin.get(&format!("{HERE}/runs")).await, "+1 −1");
    for absent in ["/orgs/acme/syncs/2", "/orgs/acme/syncs/1/runs/8", "/orgs/acme/syncs/2/runs/7"] {
        assert_eq!(admin.get(absent).await.status, 404, "{absent}");
    }
    holds(&admin.get("/orgs/acme").await, "waits for you before it removes something");
    let package = admin.get("/orgs/acme/packages/acme/lib").await;
    holds(&package, "Synchronized from");
    holds(&package, "<span class=\"mono\">push</span>");
    let member = Browser::of(&world, person(&world, "mia", Some(Role::Member)).await).await;
    assert_eq!(member.get(HERE).await.status, 403);
    lacks(&member.get("/orgs/acme").await, "/syncs");
}

#[tokio::test]
async fn every_repository_says_why_it_is_no_package() {
    let world = world().await;
    furnish(&world).await;
    let admin = Browser::of(&world, person(&world, "adam", Some(Role::Admin)).await).await;
    let all = admin.get(&format!("{HERE}/repositories")).await;
    holds(&all, "There is no composer.json on its default branch");
    holds(&all, "adds new repositories only");
    holds(&all, "/orgs/acme/packages/acme/lib");
    let others = admin.get(&format!("{HERE}/repositories?show=others")).await;
    lacks(&others, "acme-inc/lib<");
    holds(&others, "name=\"repository\" value=\"12\"");
    lacks(&others, "name=\"repository\" value=\"11\"");
    holds(&admin.get(&format!("{HERE}/repositories?q=DOCS")).await, "data-results=\"1 repository\"");
    let refused = admin.post(&format!("{HERE}/repositories/adopt"), &[("repository", "11")]).await;
    assert_eq!(refused.status, 422);
    holds(&refused, "has no composer.json");
    let adopted = admin.post(&format!("{HERE}/repositories/adopt"), &[("repository", "12")]).await;
    assert_eq!(adopted.status, 303, "{}", adopted.text());
    holds(&admin.get(&format!("{HERE}/repositories")).await, "Added with the next run");
}

#[tokio::test]
async fn what_is_held_goes_only_with_a_yes_to_exactly_that() {
    let world = world().await;
    furnish(&world).await;
    let admin = Browser::of(&world, person(&world, "adam", Some(Role::Admin)).await).await;
    let accept = format!("{HERE}/accept");
    assert_eq!(admin.post(&accept, &[("digest", "d1ge57"), ("confirmed", "yes")]).await.status, 403, "for owners");
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    holds(&owner.get(HERE).await, "name=\"digest\" value=\"d1ge57\"");
    let jobs = async || {
        world
            .read(|db| {
                Ok(db.query_row("SELECT count(*) FROM job WHERE kind = 'sync_organization'", [], |row| {
                    row.get::<_, i64>(0)
                })?)
            })
            .await
    };
    let asked = owner.post(&accept, &[("digest", "d1ge57")]).await;
    assert_eq!((asked.status, jobs().await), (200, 0), "first it asks");
    holds(&asked, "acme-inc/&lt;b&gt;old");
    holds(&asked, "Apply these removals");
    let other = owner.post(&accept, &[("digest", "another"), ("confirmed", "yes")]).await;
    assert_eq!((other.status, jobs().await), (303, 0));
    let done = owner.post(&accept, &[("digest", "d1ge57"), ("confirmed", "yes")]).await;
    assert_eq!((done.status, jobs().await), (303, 1));
    let page = owner.get(HERE).await;
    holds(&page, "data-live=\"/orgs/acme/syncs/1/events\"");
}

#[tokio::test]
async fn a_synchronization_is_paused_and_ended_by_who_may() {
    let world = world().await;
    furnish(&world).await;
    let acme = world.acme;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let sync = async || world.read(move |db| syncs::by_id(acme, db, SyncId(1))).await;
    assert_eq!(owner.post(&format!("{HERE}/pause"), &[("paused", "on")]).await.status, 303);
    assert!(sync().await.expect("it is there").paused_at.is_some());
    holds(&owner.get(HERE).await, "It is paused");
    assert_eq!(owner.post(&format!("{HERE}/pause"), &[("paused", "off")]).await.status, 303);
    holds(&owner.get(&format!("{HERE}/promote")).await, "Become owners");
    holds(&owner.get(&format!("{HERE}/remove")).await, "1 package stays");
    let mistyped = owner.post(&format!("{HERE}/remove"), &[("confirmed", "yes"), ("typed", "acme")]).await;
    assert_eq!(mistyped.status, 200);
    holds(&mistyped, "not what stands above");
    let removed = owner.post(&format!("{HERE}/remove"), &[("confirmed", "yes"), ("typed", "acme-inc")]).await;
    assert_eq!((removed.status, removed.header("location").as_deref()), (303, Some("/orgs/acme/syncs")));
    assert!(sync().await.is_none());
    assert_eq!(owner.get("/orgs/acme/packages/acme/lib").await.status, 200, "its packages stay");
}

#[tokio::test]
async fn only_owners_say_who_the_owners_are() {
    let world = world().await;
    let admin = Browser::of(&world, person(&world, "adam", Some(Role::Admin)).await).await;
    let page = admin.get("/orgs/acme/syncs/new").await;
    assert_eq!(page.status, 200);
    lacks(&page, "name=\"primary\"");
    let fields = [("integration", "ghe"), ("remote", "x"), ("credential", "c"), ("primary", "on")];
    let refused = admin.post("/orgs/acme/syncs/new", &fields).await;
    assert_eq!(refused.status, 422);
    holds(&refused, "Only an owner may decide who the owners here are");
    assert_eq!(admin.get(&format!("{HERE}/promote")).await.status, 403);
    assert_eq!(admin.post(&format!("{HERE}/remove"), &[("confirmed", "yes")]).await.status, 403);
}
