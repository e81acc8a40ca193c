//! The pages of an organization's people, used as people use them: forms, guards, confirmations, and that what a page tells
//! is what Composer gets.

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::access::token::digest_of;
use packagist_selfhosted::http::csrf;
use packagist_selfhosted::http::session::{Cookies, Kind, Value};
use packagist_selfhosted::store::ids::{AccountId, TeamId, UserId};
use packagist_selfhosted::store::members::{self, Person, Whose};
use packagist_selfhosted::store::{accounts, sessions, team_members, teams, users};
use url::form_urlencoded;

use crate::client::Response;
use crate::world::{START, World, user_token_of, world};

/// A browser in which somebody signed in.
pub struct Browser<'a> {
    world: &'a World,
    session: Value,
}

impl<'a> Browser<'a> {
    pub async fn of(world: &'a World, user: UserId) -> Self {
        let session = Value::random();
        let digest = digest_of(session.expose().as_bytes());
        let new = sessions::New { digest, user, account: None, address: None, agent: None };
        world.write(move |tx| sessions::insert(tx, &new, START)).await;
        Self { world, session }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = csrf::token(&self.session);
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", &token).extend_pairs(fields);
        self.send("POST", path, Some(body.finish())).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<String>) -> Response {
        let name = Cookies::of("https://packages.example.com").name(Kind::Session);
        let cookie = format!("{name}={}", self.session.expose());
        let mut request = self.world.anonymous(method, path).header("Accept", "text/html").header("Cookie", &cookie);
        if let Some(body) = &body {
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body.as_bytes());
        }
        request.send().await
    }
}

pub async fn person(world: &World, name: &'static str, role: Option<Role>) -> UserId {
    let acme = world.acme;
    world
        .write(move |tx| {
            let id = users::insert(tx, name, None, false, None, START)?;
            if let Some(role) = role {
                members::set(acme, tx, id, role, START)?;
            }
            Ok(id)
        })
        .await
}

async fn given(world: &World, user: UserId) -> Option<Role> {
    let acme = world.acme;
    world.read(move |db| members::given(acme, db, Some(user))).await.first().map(|(_, role)| *role)
}

pub fn holds(answer: &Response, text: &str) {
    assert!(answer.text().contains(text), "{} has no {text:?}:\n{}", answer.status, answer.text());
}

pub fn lacks(answer: &Response, text: &str) {
    assert!(!answer.text().contains(text), "{} has {text:?}:\n{}", answer.status, answer.text());
}

#[tokio::test]
async fn admins_leave_owners_alone_and_the_last_owner_stays() {
    let world = world().await;
    let owner = person(&world, "olga", Some(Role::Owner)).await;
    let admin = person(&world, "adam", Some(Role::Admin)).await;
    let member = person(&world, "mia", Some(Role::Member)).await;
    let as_admin = Browser::of(&world, admin).await;

    for fields in [[("name", "olga"), ("role", "member")], [("name", "mia"), ("role", "owner")]] {
        let answer = as_admin.post("/orgs/acme/members/person/role", &fields).await;
        assert_eq!(answer.status, 422);
        holds(&answer, "Only an owner of the organization may do that");
    }
    let answer = as_admin.post("/orgs/acme/members/person/remove", &[("name", "olga"), ("confirmed", "yes")]).await;
    assert_eq!((answer.status, given(&world, owner).await), (422, Some(Role::Owner)));
    let answer = as_admin.post("/orgs/acme/members/person/role", &[("name", "mia"), ("role", "admin")]).await;
    assert_eq!((answer.status, given(&world, member).await), (303, Some(Role::Admin)));

    let as_owner = Browser::of(&world, owner).await;
    let answer = as_owner.post("/orgs/acme/members/person/role", &[("name", "olga"), ("role", "member")]).await;
    assert_eq!((answer.status, given(&world, owner).await), (422, Some(Role::Owner)));
    holds(&answer, "without an owner who can get in");
}

/// A form, what is typed into it, and what the page says then.
type Refused = (&'static str, &'static [(&'static str, &'static str)], &'static str);

#[tokio::test]
async fn a_form_that_was_refused_comes_back_as_it_was_typed() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let forms: [Refused; 6] = [
        ("/orgs/acme/members/new", &[("name", "nobody<b>"), ("role", "admin")], "nobody&lt;b&gt;"),
        ("/orgs/acme/teams/new", &[("name", "a b")], "value=\"a b\""),
        ("/orgs/acme/packages/acme/lib/access/grant", &[("user", "nobody-here")], "value=\"nobody-here\""),
        ("/orgs/acme/settings/name", &[("name", "New name"), ("slug", "other")], "value=\"New name\""),
        ("/orgs/acme/settings/vendors/add", &[("vendor", "not a vendor")], "value=\"not a vendor\""),
        ("/orgs/acme/settings/remove", &[("confirmed", "yes"), ("typed", "acmee")], "not what stands above"),
    ];
    for (path, fields, text) in forms {
        let answer = owner.post(path, fields).await;
        assert_eq!(answer.status, 422, "{path}");
        holds(&answer, text);
    }
    assert_eq!(owner.get("/orgs/acme/settings").await.status, 200, "the organization is still there");
}

#[tokio::test]
async fn a_removal_is_shown_before_it_is_done() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let member = person(&world, "mia", Some(Role::Member)).await;
    let (acme, lib) = (world.acme, world.lib);
    let team = world
        .write(move |tx| {
            let team = teams::insert(acme, tx, None, "web", "web", START)?;
            teams::grant(acme, tx, team, lib)?;
            team_members::add(acme, tx, team, Person::User(member), START)?;
            Ok(team)
        })
        .await;
    let here = format!("/orgs/acme/teams/{team}");

    let shown = owner.post("/orgs/acme/members/person/remove", &[("name", "mia")]).await;
    assert_eq!((shown.status, given(&world, member).await), (200, Some(Role::Member)));
    holds(&shown, "1 package of 3");
    let shown = owner.post(&format!("{here}/packages/revoke"), &[("package", "acme/lib")]).await;
    holds(&shown, "1 person loses 1 package");
    let shown = owner.post(&format!("{here}/members/remove"), &[("name", "mia")]).await;
    holds(&shown, "1 package of 3");
    let shown = owner.get(&format!("{here}/remove")).await;
    holds(&shown, "1 person loses 1 package");
    assert_eq!(owner.post(&format!("{here}/remove"), &[]).await.status, 200, "nothing is removed without a yes");

    let done = owner.post(&format!("{here}/packages/revoke"), &[("package", "acme/lib"), ("confirmed", "yes")]).await;
    assert_eq!(done.status, 303);
    assert!(world.read(move |db| teams::packages(acme, db, Some(team))).await.is_empty());
    assert_eq!(owner.post(&format!("{here}/remove"), &[("confirmed", "yes")]).await.status, 303);
    assert_eq!(owner.get(&here).await.status, 404);
    let done = owner.post("/orgs/acme/members/person/remove", &[("name", "mia"), ("confirmed", "yes")]).await;
    assert_eq!((done.status, given(&world, member).await), (303, None));
}

#[tokio::test]
async fn a_team_gets_people_packages_and_a_place() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let member = person(&world, "mia", Some(Role::Member)).await;
    let acme = world.acme;
    let made = owner.post("/orgs/acme/teams/new", &[("name", "web")]).await;
    let web = made.header("location").expect("the team’s page");
    let made = owner.post("/orgs/acme/teams/new", &[("name", "shop"), ("under", "web")]).await;
    let shop = made.header("location").expect("the team’s page");
    assert_eq!(owner.post(&format!("{shop}/members/add"), &[("name", "mia")]).await.status, 303);
    let several = [("package", "acme/lib"), ("package", "fork/thing")];
    assert_eq!(owner.post(&format!("{web}/packages"), &several).await.status, 303);

    let refused = owner.get(&format!("{web}/remove")).await;
    assert_eq!(refused.status, 422, "a team with one below it is not asked about");
    holds(&refused, "There are teams below this one");
    assert_eq!(owner.post(&format!("{web}/remove"), &[("confirmed", "yes")]).await.status, 422);

    let as_member = Browser::of(&world, member).await;
    let page = as_member.get(&shop).await;
    holds(&page, "acme/lib");
    holds(&page, "above it");
    lacks(&page, "<input type=\"checkbox\"");
    lacks(&as_member.get(&web).await, "acme/secret-lib");

    let moved = owner.post(&format!("{shop}/edit"), &[("name", "interfaces"), ("under", "")]).await;
    assert_eq!(moved.status, 303);
    holds(&owner.get(&shop).await, "interfaces");
    assert_eq!(as_member.get("/orgs/acme/packages/acme/lib").await.status, 404, "what the team above had is gone");

    let id: i64 = shop.rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id");
    let all = owner.post(&format!("{shop}/packages/all"), &[("all", "on")]).await;
    assert_eq!(all.status, 303);
    let team = world.read(move |db| teams::by_id(acme, db, TeamId(id))).await.expect("the team");
    assert!(team.all_packages && team.path == "interfaces");
    holds(&owner.post(&format!("{shop}/packages/all"), &[("all", "off")]).await, "1 person loses 3 packages");
}

/// A package that somebody may not see is in no list that they are shown.
#[tokio::test]
async fn a_member_is_told_of_no_package_that_they_may_not_see() {
    let world = world().await;
    let member = Browser::of(&world, person(&world, "mia", Some(Role::Member)).await).await;
    let (acme, secret) = (world.acme, world.secret);
    let team = world
        .write(move |tx| {
            let team = teams::insert(acme, tx, None, "vault", "vault", START)?;
            teams::grant(acme, tx, team, secret)?;
            Ok(team)
        })
        .await;
    for path in ["/orgs/acme/teams".to_owned(), format!("/orgs/acme/teams/{team}")] {
        let page = member.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        lacks(&page, "secret-lib");
        lacks(&page, "1 package");
    }
    let words =
        |answer: &Response, name: &str| answer.text().replace(name, "NAME").replace(&csrf::token(&member.session), "");
    let hidden = member.get("/orgs/acme/access?package=acme/secret-lib").await;
    let absent = member.get("/orgs/acme/access?package=acme/absent-lib").await;
    assert_eq!((hidden.status, absent.status), (422, 422));
    assert_eq!(words(&hidden, "acme/secret-lib"), words(&absent, "acme/absent-lib"));
    assert_eq!(member.get("/orgs/acme/access?user=root&package=acme/lib").await.status, 403, "about others ask admins");
    assert_eq!(member.get("/orgs/acme/access?compare=root&package=acme/lib").await.status, 403);
    assert_eq!(member.get("/orgs/acme/access?user=MIA").await.status, 200);
}

#[tokio::test]
async fn an_explanation_agrees_with_what_composer_gets() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let user = person(&world, "mia", Some(Role::Member)).await;
    let token = user_token_of(&world.appliance, user).await;
    let explained = async |package: &str| {
        let page = owner.get(&format!("/orgs/acme/access?user=mia&package={package}")).await;
        assert_eq!(page.status, 200);
        let may = page.text().contains("</span> may install");
        assert_ne!(may, page.text().contains("</span> may not install"), "one of the two is said");
        may
    };
    let (acme, lib) = (world.acme, world.lib);
    let agree = async |expected: [bool; 3]| {
        for (package, expected) in ["acme/lib", "acme/secret-lib", "fork/thing"].into_iter().zip(expected) {
            let answer = world.get(&token, &format!("/repo/acme/p2/{package}.json")).await;
            // Of a vendor that the organization owns, what may not be seen is an empty list.
            let served = answer.status == 200 && !answer.text().contains(&format!("\"{package}\":[]"));
            assert_eq!((explained(package).await, served), (expected, expected), "{package}");
        }
    };
    agree([false, false, false]).await;
    let granted = owner.post("/orgs/acme/packages/acme/lib/access/grant", &[("user", "mia")]).await;
    assert_eq!(granted.status, 303);
    agree([true, false, false]).await;
    holds(&owner.get("/orgs/acme/packages/acme/lib/access").await, "granted by an administrator");
    world
        .write(move |tx| {
            let above = teams::insert(acme, tx, None, "web", "web", START)?;
            let team = teams::insert(acme, tx, Some(above), "api", "web/api", START)?;
            teams::set_all_packages(acme, tx, above, true)?;
            team_members::add(acme, tx, team, Person::User(user), START).map(drop)
        })
        .await;
    agree([true, true, true]).await;
    holds(&owner.get("/orgs/acme/access?user=mia&package=acme/lib").await, "By 2 paths");
    let shown = owner.post("/orgs/acme/packages/acme/lib/access/revoke", &[("user", "mia")]).await;
    holds(&shown, "theirs by another path too");
    let taken =
        owner.post("/orgs/acme/packages/acme/lib/access/revoke", &[("user", "mia"), ("confirmed", "yes")]).await;
    assert_eq!(taken.status, 303);
    agree([true, true, true]).await;
    assert!(
        !world
            .read(move |db| packagist_selfhosted::store::grants::all(acme, db, Some(lib)))
            .await
            .iter()
            .any(|one| one.person == "mia")
    );
}

#[tokio::test]
async fn settings_follow_and_guard() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let renamed = owner.post("/orgs/acme/settings/name", &[("name", "Acme Corp"), ("slug", "acme-corp")]).await;
    assert_eq!((renamed.status, renamed.header("location").as_deref()), (303, Some("/orgs/acme-corp/settings")));
    holds(&owner.get("/orgs/acme-corp/settings").await, "Acme Corp");
    assert_eq!(world.get(&world.reader, "/repo/acme/packages.json").await.status, 200, "the former address goes on");

    let base = "/orgs/acme-corp/settings";
    assert_eq!(owner.post(&format!("{base}/activation"), &[("activation", "automatic")]).await.status, 303);
    let account: AccountId = world
        .write(|tx| {
            let is = accounts::Recorded { platform: "github".to_owned(), url: "https://ghe.example.com".to_owned() };
            accounts::record(tx, "ghe", &is, START)?;
            let said = accounts::Said {
                subject: "7",
                login: "olga-gh",
                display_name: None,
                email: None,
                email_verified: false,
            };
            Ok(accounts::put(tx, "ghe", &said, START)?.id)
        })
        .await;
    let answer = owner.post(&format!("{base}/login-rule"), &[("integration", "ghe")]).await;
    assert_eq!(answer.status, 422, "a session with a password would be locked out");
    holds(&answer, "lock yourself out");
    let olga = world.read(|db| users::by_name(db, "olga")).await.expect("olga").id;
    world.write(move |tx| accounts::connect(tx, account, olga, START)).await;

    assert_eq!(owner.post(&format!("{base}/vendors/add"), &[("vendor", "acme-two")]).await.status, 303);
    holds(&owner.post(&format!("{base}/vendors/remove"), &[("vendor", "acme-two")]).await, "Give up the vendor");
    let answer = owner.post(&format!("{base}/vendors/remove"), &[("vendor", "acme"), ("confirmed", "yes")]).await;
    assert_eq!(answer.status, 422, "packages have it");
    let gone = owner.post(&format!("{base}/vendors/remove"), &[("vendor", "acme-two"), ("confirmed", "yes")]).await;
    assert_eq!(gone.status, 303);

    holds(&owner.get(&format!("{base}/remove")).await, "3 packages");
    let removed = owner.post(&format!("{base}/remove"), &[("confirmed", "yes"), ("typed", "acme-corp")]).await;
    assert_eq!((removed.status, removed.header("location").as_deref()), (303, Some("/")));
    assert_eq!(owner.get(base).await.status, 404);
}

#[tokio::test]
async fn five_thousand_people_are_shown_some_at_a_time() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let acme = world.acme;
    world
        .write(move |tx| {
            for number in 0..5000 {
                let id = users::insert(tx, &format!("p{number:04}"), None, false, None, START)?;
                members::set(acme, tx, id, Role::Member, START)?;
            }
            Ok(())
        })
        .await;
    let first = owner.get("/orgs/acme/members").await;
    holds(&first, "1 to 50 of 5,001 people");
    assert!(first.text().len() < 100_000, "{} bytes", first.text().len());
    holds(&owner.get("/orgs/acme/members?after=p0047").await, "p0048");
    let found = owner.get("/orgs/acme/members?q=P4321").await;
    holds(&found, "p4321");
    holds(&found, "data-results=\"1 person\"");
}

/// What a synchronization would leave: `ghe:grace`, who never logged in and waits, and the team `platform` with her in it.
async fn synchronize(world: &World) {
    let acme = world.acme;
    world
        .write(move |tx| {
            tx.execute_batch(
                "INSERT INTO integration VALUES ('ghe', 'github', 'https://ghe.example.com', 0);
                 INSERT INTO account (id, integration, subject, login, created_at) VALUES (1, 'ghe', '17', 'grace', 0);",
            )?;
            tx.execute(
                "INSERT INTO sync (id, org_id, integration, remote, created_at) VALUES (1, ?1, 'ghe', 'acme', 0)",
                [acme],
            )?;
            tx.execute(
                "INSERT INTO found_member (org_id, sync_id, account_id, role, active, created_at)
                 VALUES (?1, 1, 1, 'member', 0, 0)",
                [acme],
            )?;
            tx.execute(
                "INSERT INTO team (id, org_id, sync_id, remote_id, name, path, created_at)
                 VALUES (99, ?1, 1, '5', 'platform', 'platform', 0)",
                [acme],
            )?;
            tx.execute("INSERT INTO team_member (org_id, team_id, account_id, created_at) VALUES (?1, 99, 1, 0)", [acme])?;
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn who_was_found_waits_until_an_admin_presses_the_button() {
    let world = world().await;
    synchronize(&world).await;
    let admin = Browser::of(&world, person(&world, "adam", Some(Role::Admin)).await).await;
    let acme = world.acme;
    let is_active = async || world.read(move |db| members::found_of(acme, db, Whose::Unclaimed)).await[0].found.active;

    holds(&admin.get("/orgs/acme/members").await, "1 person waits for a yes");
    let page = admin.get("/orgs/acme/members/person?name=ghe:grace").await;
    holds(&page, "action=\"/orgs/acme/members/person/activate\"");
    let done = admin.post("/orgs/acme/members/person/activate", &[("name", "ghe:grace")]).await;
    assert_eq!((done.status, is_active().await), (303, true), "{}", done.text());
    let page = admin.get("/orgs/acme/members/person?name=ghe:grace").await;
    holds(&page, "action=\"/orgs/acme/members/person/deactivate\"");
    lacks(&page, "action=\"/orgs/acme/members/person/activate\"");
    let done = admin.post("/orgs/acme/members/person/deactivate", &[("name", "ghe:grace"), ("confirmed", "yes")]).await;
    assert_eq!((done.status, is_active().await), (303, false), "{}", done.text());
    let refused = admin.post("/orgs/acme/members/person/activate", &[("name", "adam")]).await;
    assert_eq!(refused.status, 422);
    holds(&refused, "No synchronization of the organization found");
    lacks(&refused, "member add");
}

#[tokio::test]
async fn a_synchronized_team_takes_no_form() {
    let world = world().await;
    synchronize(&world).await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let page = owner.get("/orgs/acme/teams/99").await;
    assert_eq!(page.status, 200);
    lacks(&page, "action=\"/orgs/acme/teams/99");
    let forms: [(&str, &[(&str, &str)]); 6] = [
        ("edit", &[("name", "other"), ("under", "")]),
        ("remove", &[("confirmed", "yes")]),
        ("members/add", &[("name", "olga")]),
        ("members/remove", &[("name", "ghe:grace"), ("confirmed", "yes")]),
        ("packages", &[("package", "acme/lib")]),
        ("packages/all", &[("all", "on"), ("confirmed", "yes")]),
    ];
    for (form, fields) in forms {
        let answer = owner.post(&format!("/orgs/acme/teams/99/{form}"), fields).await;
        assert_eq!(answer.status, 422, "{form}");
        holds(&answer, "is synchronized and read-only here");
    }
    let acme = world.acme;
    let team = world.read(move |db| teams::by_id(acme, db, TeamId(99))).await.expect("the team stays");
    assert!(team.path == "platform" && !team.all_packages);
    assert_eq!(world.read(move |db| team_members::all(acme, db, Some(TeamId(99)))).await.len(), 1);
    assert!(world.read(move |db| teams::packages(acme, db, Some(TeamId(99)))).await.is_empty());
}

#[tokio::test]
async fn a_team_is_renamed_and_moved_or_neither() {
    let world = world().await;
    let owner = Browser::of(&world, person(&world, "olga", Some(Role::Owner)).await).await;
    let made = owner.post("/orgs/acme/teams/new", &[("name", "web")]).await;
    let web = made.header("location").expect("the team’s page");
    owner.post("/orgs/acme/teams/new", &[("name", "shop"), ("under", "web")]).await;
    owner.post("/orgs/acme/teams/new", &[("name", "ops")]).await;
    let acme = world.acme;
    let paths = async || {
        let all = world.read(move |db| teams::all(acme, db)).await.into_iter().map(|team| team.path);
        all.collect::<Vec<_>>().join(" ")
    };

    let refused = owner.post(&format!("{web}/edit"), &[("name", "site"), ("under", "web/shop")]).await;
    assert_eq!(refused.status, 422);
    holds(&refused, "href=\"#under\"");
    assert_eq!(paths().await, "ops web web/shop", "it has not been renamed either");
    let refused = owner.post(&format!("{web}/edit"), &[("name", "ops"), ("under", "")]).await;
    holds(&refused, "href=\"#name\"");
    let saved = owner.post(&format!("{web}/edit"), &[("name", "site"), ("under", "ops")]).await;
    assert_eq!((saved.status, paths().await.as_str()), (303, "ops ops/site ops/site/shop"));
}

#[tokio::test]
async fn a_login_rule_of_a_page_locks_no_owner_out() {
    let world = world().await;
    synchronize(&world).await;
    person(&world, "olga", Some(Role::Owner)).await;
    let root = world.write(|tx| users::insert(tx, "ruth", None, true, None, START)).await;
    let root = Browser::of(&world, root).await;
    let refused = root.post("/orgs/acme/settings/login-rule", &[("integration", "ghe")]).await;
    assert_eq!(refused.status, 422, "whoever administers the instance is not locked out, but everybody else is");
    holds(&refused, "No owner of the organization could get in any more");
    let acme = world.acme;
    let rule = world.read(move |db| packagist_selfhosted::store::policies::of(acme, db)).await.login;
    assert!(rule.integrations().is_empty());
}
