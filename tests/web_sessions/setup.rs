//! The first run.

use std::time::Duration;

use packagist_selfhosted::admin::users::NewUser;
use packagist_selfhosted::admin::{Actor, setup, users};

use crate::browser::Browser;
use crate::client::Response;
use crate::world::{PASSWORD, PUBLIC, World, empty, world};

const HOUR: Duration = Duration::from_secs(3600);

/// The path of a new link.
async fn link(world: &World) -> String {
    let link = setup::link(&world.appliance).await.unwrap().expect("nobody administers it");
    link.address.strip_prefix(PUBLIC).expect("links are of the public address").to_owned()
}

/// Answers what is asked, with some of it changed.
async fn answer(browser: &Browser, link: &str, changes: &[(&str, &str)]) -> Response {
    let token = link.split_once("token=").unwrap().1;
    let mut fields = vec![
        ("token", token),
        ("user", "ines"),
        ("email", "ines@example.com"),
        ("password", PASSWORD),
        ("org", "Nordwerk"),
        ("slug", "nordwerk"),
    ];
    for (name, value) in changes {
        fields.iter_mut().find(|(known, _)| known == name).unwrap().1 = value;
    }
    browser.submit("/login", "/setup", &fields).await
}

#[tokio::test]
async fn the_first_run_makes_an_administrator_and_an_organization() {
    let world = empty(Vec::new(), |_| {}).await;
    let link = link(&world).await;
    let browser = world.browser();
    let page = browser.get(&link).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(PUBLIC) && page.text().contains("2026-11-22 13:00:00 UTC"), "{}", page.text());
    let done = answer(&browser, &link, &[]).await;
    assert_eq!(done.header("location").as_deref(), Some("/admin/integrations"), "{}", done.text());
    let integrations = browser.get("/admin/integrations").await;
    assert!(integrations.status == 200 && integrations.text().contains("You administer this server now"));
    assert_eq!(browser.get("/admin/integrations/new/github").await.status, 200);
    assert_eq!(browser.get("/orgs/nordwerk/audit").await.status, 200);
    assert!(setup::link(&world.appliance).await.unwrap().is_none(), "it is over for ever");
    let again = world.browser();
    assert_eq!(again.get(&link).await.status, 403);
    assert_eq!(answer(&again, &link, &[("user", "eve"), ("slug", "eve")]).await.status, 403);
    assert_eq!(world.count("SELECT count(*) FROM user").await, 1);
    users::set_enabled(&world.appliance, &Actor::Command, "ines", false).await.unwrap_err();
}

#[tokio::test]
async fn a_link_is_good_for_an_hour_and_until_the_next() {
    let world = empty(Vec::new(), |_| {}).await;
    let (first, second) = (link(&world).await, link(&world).await);
    let browser = world.browser();
    assert_eq!(browser.get(&first).await.status, 403);
    assert_eq!(answer(&browser, &first, &[]).await.status, 403);
    assert_eq!(browser.get(&second).await.status, 200);
    world.clock.advance(HOUR);
    assert_eq!(browser.get(&second).await.status, 403);
    assert_eq!(answer(&browser, &second, &[]).await.status, 403);
    for nothing in ["/setup", "/setup?token=", "/setup?token=x", "/setup?echo=x"] {
        assert!(matches!(browser.get(nothing).await.status, 403 | 404), "{nothing}");
    }
    let stored = world.count("SELECT count(*) FROM setting WHERE name = 'setup-link' AND length(value) > 64").await;
    assert_eq!(stored, 1);
    let secret = second.split_once("token=").unwrap().1.to_owned();
    let found = world.appliance.database.read(move |db| {
        let sql = "SELECT count(*) FROM setting WHERE value LIKE '%' || ?1 || '%'";
        Ok::<i64, packagist_selfhosted::store::Error>(db.query_row(sql, [secret], |row| row.get(0))?)
    });
    assert_eq!(found.await.unwrap(), 0, "only its digest is kept");
}

#[tokio::test]
async fn a_wrong_answer_costs_nothing_but_itself() {
    let world = empty(Vec::new(), |_| {}).await;
    let link = link(&world).await;
    let browser = world.browser();
    for (field, wrong, said) in [
        ("user", "Ines F", "cannot be an account"),
        ("email", "nowhere", "must look like"),
        ("password", "short", "too short"),
        ("org", " ", "a text on one line"),
        ("slug", "admin", "reserved"),
    ] {
        let back = answer(&browser, &link, &[(field, wrong)]).await;
        let text = back.text();
        assert!(back.status == 422 && text.contains(said), "{field}: {text}");
        assert!(text.contains(&format!("href=\"#{field}\"")), "{text}");
        assert!(!text.contains(PASSWORD), "a password is not sent back");
    }
    assert_eq!(world.count("SELECT (SELECT count(*) FROM user) + (SELECT count(*) FROM organization)").await, 0);
    assert_eq!(answer(&browser, &link, &[]).await.status, 303);
}

#[tokio::test]
async fn by_command_there_is_nothing_to_set_up() {
    let world = empty(Vec::new(), |_| {}).await;
    let link = link(&world).await;
    let new = NewUser { name: "ines".to_owned(), admin: true, ..NewUser::default() };
    users::add(&world.appliance, &Actor::Command, new).await.unwrap();
    assert_eq!(world.browser().get(&link).await.status, 403);
    assert!(setup::link(&world.appliance).await.unwrap().is_none());
}

#[tokio::test]
async fn integrations_are_for_administrators() {
    let world = world().await;
    let (ada, root) = (world.signed_in("ada").await, world.signed_in("root").await);
    for path in ["/admin/integrations", "/admin/integrations/new/gitlab", "/admin/integrations/none"] {
        assert_eq!(ada.get(path).await.status, 403, "{path}");
    }
    let page = root.get("/admin/integrations/new/gitlab").await.text();
    assert!(page.contains("https://packages.example.com/auth/gitlab/callback") && page.contains("read_user"), "{page}");
    assert_eq!(root.get("/admin/integrations/none").await.status, 404);
    assert_eq!(root.get("/admin/integrations/new/cvs").await.status, 404);
}
