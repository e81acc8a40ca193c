//! Organizations and users on pages.

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::store::{members, organizations, users};

use crate::person::Person;
use crate::world::world;

#[tokio::test]
async fn pages_of_the_instance_are_for_administrators() {
    let world = world().await;
    let (root, somebody) =
        (Person::signed_in(&world, "root", true).await, Person::signed_in(&world, "somebody", false).await);
    for path in [
        "/admin",
        "/admin/organizations",
        "/admin/organizations/new",
        "/admin/organizations/acme",
        "/admin/organizations/acme/remove",
        "/admin/users",
        "/admin/users/new",
        "/admin/users/root",
        "/admin/users/root/remove",
        "/admin/integrations",
        "/admin/configuration",
    ] {
        assert_eq!(world.anonymous("GET", path).header("Accept", "text/html").send().await.status, 303, "{path}");
        assert_eq!(somebody.get(&world, path).await.status, 403, "{path}");
        let page = root.get(&world, path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(!page.text().contains("style="), "{path} has nothing inline");
    }
    for path in ["/admin/organizations/nobody", "/admin/users/nobody", "/admin/users/nobody/remove"] {
        assert_eq!(root.get(&world, path).await.status, 404, "{path}");
    }
    for action in ["enable", "disable", "promote", "demote", "password", "reset-second-factor", "remove"] {
        let path = format!("/admin/users/root/{action}");
        let fields = [("confirmed", "yes"), ("typed", "root"), ("password", "a long enough password")];
        assert_eq!(somebody.post(&world, &path, &fields).await.status, 403, "{path}");
        assert_eq!(root.post_with(&world, &path, &fields, "0").await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn an_organization_is_added_renamed_and_removed() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    let wrong = root.post(&world, "/admin/organizations/new", &[("slug", "Bad Slug"), ("name", "Näme <b>")]).await;
    assert_eq!(wrong.status, 422);
    let html = wrong.text();
    assert!(html.contains("Bad Slug") && html.contains("Näme &lt;b&gt;"), "what was typed comes back: {html}");
    assert!(html.contains(r##"href="#slug""##) && html.contains(r#"aria-invalid="true""#), "{html}");

    let added = root.post(&world, "/admin/organizations/new", &[("slug", "labs"), ("name", "")]).await;
    assert_eq!((added.status, added.header("location").as_deref()), (303, Some("/orgs/labs")));
    let taken = root.post(&world, "/admin/organizations/labs", &[("slug", "acme"), ("name", "Labs")]).await;
    assert_eq!(taken.status, 422);
    let renamed = root.post(&world, "/admin/organizations/labs", &[("slug", "labs2"), ("name", "Labs")]).await;
    assert_eq!(renamed.status, 303);
    assert!(root.get(&world, "/admin/organizations").await.text().contains("labs2"));

    let remove = "/admin/organizations/labs2/remove";
    assert_eq!(root.post(&world, remove, &[]).await.status, 200, "the first time it asks");
    let mistyped = root.post(&world, remove, &[("confirmed", "yes"), ("typed", "labs")]).await;
    assert_eq!(mistyped.status, 422);
    assert!(world.read(|db| organizations::by_slug(db, "labs2")).await.is_some());
    let removed = root.post(&world, remove, &[("confirmed", "yes"), ("typed", "labs2")]).await;
    assert_eq!((removed.status, removed.header("location").as_deref()), (303, Some("/admin/organizations")));
    assert!(world.read(|db| organizations::by_slug(db, "labs2")).await.is_none());
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    let confirmed = [("confirmed", "yes"), ("typed", "root")];
    for action in ["demote", "disable", "remove"] {
        let answer = root.post(&world, &format!("/admin/users/root/{action}"), &confirmed).await;
        assert_eq!((answer.status, answer.header("location").as_deref()), (303, Some("/admin/users/root")), "{action}");
        let user = world.read(|db| users::by_name(db, "root")).await.expect("the account stays");
        assert!(user.admin && user.enabled, "{action}");
    }
}

#[tokio::test]
async fn the_last_owner_of_an_organization_stays() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    Person::signed_in(&world, "owner", false).await;
    let org = world.read(|db| organizations::by_slug(db, "acme")).await.expect("the world has it").id;
    let owner = world.read(|db| users::by_name(db, "owner")).await.expect("just added").id;
    world.write(move |tx| members::set(org, tx, owner, Role::Owner, crate::world::START)).await;
    for action in ["disable", "remove"] {
        let path = format!("/admin/users/owner/{action}");
        let answer = root.post(&world, &path, &[("confirmed", "yes"), ("typed", "owner")]).await;
        assert_eq!(
            (answer.status, answer.header("location").as_deref()),
            (303, Some("/admin/users/owner")),
            "{action}"
        );
        let user = world.read(|db| users::by_name(db, "owner")).await.expect("the account stays");
        assert!(user.enabled, "{action}");
    }
}

#[tokio::test]
async fn a_local_account_is_made_and_changed() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    let new = |name, password| [("name", name), ("email", "ada@example.com"), ("password", password), ("admin", "on")];
    for (name, password, field) in [("Ada", "a long enough password", "name"), ("ada", "hnt3r", "password")] {
        let wrong = root.post(&world, "/admin/users/new", &new(name, password)).await;
        let html = wrong.text();
        assert_eq!(wrong.status, 422, "{html}");
        assert!(html.contains(&format!("href=\"#{field}\"")) && html.contains("ada@example.com"), "{html}");
        assert!(!html.contains(password), "a password is never shown again");
    }
    let added = root.post(&world, "/admin/users/new", &new("ada", "a long enough password")).await;
    assert_eq!((added.status, added.header("location").as_deref()), (303, Some("/admin/users/ada")));
    let ada = Person::signed_in(&world, "ada", true).await;
    assert_eq!(ada.get(&world, "/admin/users").await.status, 200);

    assert_eq!(root.post(&world, "/admin/users/ada/demote", &[]).await.status, 303);
    assert_eq!(ada.get(&world, "/admin/users").await.status, 303, "whose rights changed signs in anew");
    let ada = Person::signed_in(&world, "ada", false).await;
    assert_eq!(ada.get(&world, "/admin/users").await.status, 403);
    assert_eq!(root.post(&world, "/admin/users/ada/disable", &[]).await.status, 200, "the first time it asks");
    assert_eq!(root.post(&world, "/admin/users/ada/disable", &[("confirmed", "yes")]).await.status, 303);
    assert!(!world.read(|db| users::by_name(db, "ada")).await.expect("it stays").enabled);
    assert!(root.get(&world, "/admin/users?only=disabled").await.text().contains("/admin/users/ada"));
    assert_eq!(root.post(&world, "/admin/users/ada/enable", &[]).await.status, 303);
    let short = root.post(&world, "/admin/users/ada/password", &[("password", "x")]).await;
    assert_eq!(short.status, 422);
    let set = root.post(&world, "/admin/users/ada/password", &[("password", "another long password")]).await;
    assert_eq!(set.status, 303);
    let removed = root.post(&world, "/admin/users/ada/remove", &[("confirmed", "yes"), ("typed", "ada")]).await;
    assert_eq!((removed.status, removed.header("location").as_deref()), (303, Some("/admin/users")));
    assert!(world.read(|db| users::by_name(db, "ada")).await.is_none());
}

#[tokio::test]
async fn users_are_found_page_by_page() {
    let world = world().await;
    let root = Person::signed_in(&world, "root", true).await;
    world
        .write(|tx| {
            for number in 0..120 {
                let (name, email) = (format!("user{number:03}"), format!("{number}%@example.com"));
                users::insert(tx, &name, Some(&email), false, None, crate::world::START)?;
            }
            Ok(())
        })
        .await;
    let mut path = "/admin/users?q=user".to_owned();
    let mut seen = Vec::new();
    loop {
        let html = root.get(&world, &path).await.text();
        assert!(html.contains("120 people"), "{html}");
        let rows = html.split("<a href=\"/admin/users/user").skip(1).filter_map(|rest| rest.split('"').next());
        seen.extend(rows.map(str::to_owned));
        let Some((before, _)) = html.split_once("rel=\"next\"") else { break };
        let address = before.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).expect("an address");
        path = address.replace("&amp;", "&");
    }
    assert_eq!(seen, (0..120).map(|number| format!("{number:03}")).collect::<Vec<_>>());
    let one = root.get(&world, "/admin/users?q=119%25").await.text();
    assert!(one.contains("1 person") && one.contains("user119"), "a percent sign means itself: {one}");
}
