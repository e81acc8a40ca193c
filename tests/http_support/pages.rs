//! Every page, asked by everybody. A page without a row here fails the test, so whoever adds one has to say who gets in.

use packagist_selfhosted::access::role::Role;
use packagist_selfhosted::access::token::digest_of;
use packagist_selfhosted::http::routes::pages::{Opens, PAGES};
use packagist_selfhosted::http::session::Value;
use packagist_selfhosted::http::{csrf, session};
use packagist_selfhosted::store::ids::UserId;
use packagist_selfhosted::store::members::Person;
use packagist_selfhosted::store::{grants, members, sessions, users};

use crate::client::Response;
use crate::world::{START, World, basic, world};

/// Who each page opens to.
const GOLDEN: &[(&str, Opens)] = &[
    ("/", Opens::Anyone),
    ("/login", Opens::Anyone),
    ("/login/second-factor", Opens::Anyone),
    ("/logout", Opens::SignedIn),
    ("/auth/{integration}", Opens::Anyone),
    ("/auth/{integration}/callback", Opens::Anyone),
    ("/setup", Opens::Anyone),
    ("/profile", Opens::SignedIn),
    ("/profile/appearance", Opens::SignedIn),
    ("/profile/theme", Opens::SignedIn),
    ("/profile/password", Opens::SignedIn),
    ("/profile/second-factor", Opens::SignedIn),
    ("/profile/second-factor/confirm", Opens::SignedIn),
    ("/profile/second-factor/codes", Opens::SignedIn),
    ("/profile/second-factor/disable", Opens::SignedIn),
    ("/profile/sessions/end-others", Opens::SignedIn),
    ("/profile/sessions/end-all", Opens::SignedIn),
    ("/profile/sessions/{session}/end", Opens::SignedIn),
    ("/profile/accounts/{integration}/connect", Opens::SignedIn),
    ("/profile/accounts/{account}/disconnect", Opens::SignedIn),
    ("/profile/token", Opens::SignedIn),
    ("/profile/token/{token}/revoke", Opens::SignedIn),
    ("/orgs/{org}", Opens::Readers),
    ("/orgs/{org}/packages", Opens::Readers),
    ("/orgs/{org}/packages/new", Opens::Admins),
    ("/orgs/{org}/packages/bulk", Opens::Admins),
    ("/orgs/{org}/packages/-/custom", Opens::Admins),
    ("/orgs/{org}/packages/-/artifacts", Opens::Admins),
    ("/orgs/{org}/packages/-/block", Opens::Admins),
    ("/orgs/{org}/packages/{id}", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/versions", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/dependents", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/readme", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/log", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/history", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/events", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/update", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/accept", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/forget", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/webhook", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/webhook/secret", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/artifacts", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/artifacts/remove", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/definition", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/settings", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/directories", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/abandon", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/publish", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/remove", Opens::Admins),
    ("/orgs/{org}/syncs", Opens::Admins),
    ("/orgs/{org}/syncs/new", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/events", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/plan", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/start", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/run", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/stop", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/accept", Opens::Owners),
    ("/orgs/{org}/syncs/{sync}/pause", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/hooks", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/runs", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/runs/{run}", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/repositories", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/repositories/adopt", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/terms", Opens::Admins),
    ("/orgs/{org}/syncs/{sync}/promote", Opens::Owners),
    ("/orgs/{org}/syncs/{sync}/remove", Opens::Owners),
    ("/orgs/{org}/members", Opens::Members),
    ("/orgs/{org}/members/new", Opens::Admins),
    ("/orgs/{org}/members/person", Opens::Admins),
    ("/orgs/{org}/members/person/role", Opens::Admins),
    ("/orgs/{org}/members/person/activate", Opens::Admins),
    ("/orgs/{org}/members/person/deactivate", Opens::Admins),
    ("/orgs/{org}/members/person/remove", Opens::Admins),
    ("/orgs/{org}/teams", Opens::Members),
    ("/orgs/{org}/teams/new", Opens::Admins),
    ("/orgs/{org}/teams/{team}", Opens::Members),
    ("/orgs/{org}/teams/{team}/edit", Opens::Admins),
    ("/orgs/{org}/teams/{team}/remove", Opens::Admins),
    ("/orgs/{org}/teams/{team}/members/add", Opens::Admins),
    ("/orgs/{org}/teams/{team}/members/remove", Opens::Admins),
    ("/orgs/{org}/teams/{team}/packages", Opens::Admins),
    ("/orgs/{org}/teams/{team}/packages/revoke", Opens::Admins),
    ("/orgs/{org}/teams/{team}/packages/all", Opens::Admins),
    ("/orgs/{org}/access", Opens::Readers),
    ("/orgs/{org}/packages/{vendor}/{name}/access", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/access/grant", Opens::Admins),
    ("/orgs/{org}/packages/{vendor}/{name}/access/revoke", Opens::Admins),
    ("/orgs/{org}/settings", Opens::Owners),
    ("/orgs/{org}/settings/name", Opens::Owners),
    ("/orgs/{org}/settings/activation", Opens::Owners),
    ("/orgs/{org}/settings/login-rule", Opens::Owners),
    ("/orgs/{org}/settings/vendors/add", Opens::Owners),
    ("/orgs/{org}/settings/vendors/remove", Opens::Owners),
    ("/orgs/{org}/settings/remove", Opens::Owners),
    ("/orgs/{org}/tokens", Opens::Admins),
    ("/orgs/{org}/tokens/{token}/revoke", Opens::Admins),
    ("/orgs/{org}/credentials", Opens::Admins),
    ("/orgs/{org}/credentials/new", Opens::Admins),
    ("/orgs/{org}/credentials/new/{integration}", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}/test", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}/connect", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}/rotate", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}/self-rotation", Opens::Admins),
    ("/orgs/{org}/credentials/{credential}/remove", Opens::Admins),
    ("/orgs/{org}/audit", Opens::Admins),
    ("/orgs/{org}/audit/export", Opens::Admins),
    ("/admin", Opens::Administrators),
    ("/admin/organizations", Opens::Administrators),
    ("/admin/organizations/new", Opens::Administrators),
    ("/admin/organizations/{organization}", Opens::Administrators),
    ("/admin/organizations/{organization}/remove", Opens::Administrators),
    ("/admin/users", Opens::Administrators),
    ("/admin/users/new", Opens::Administrators),
    ("/admin/users/{user}", Opens::Administrators),
    ("/admin/users/{user}/enable", Opens::Administrators),
    ("/admin/users/{user}/disable", Opens::Administrators),
    ("/admin/users/{user}/promote", Opens::Administrators),
    ("/admin/users/{user}/demote", Opens::Administrators),
    ("/admin/users/{user}/password", Opens::Administrators),
    ("/admin/users/{user}/reset-second-factor", Opens::Administrators),
    ("/admin/users/{user}/remove", Opens::Administrators),
    ("/admin/configuration", Opens::Administrators),
    ("/admin/jobs", Opens::Administrators),
    ("/admin/jobs/retry", Opens::Administrators),
    ("/admin/jobs/{job}", Opens::Administrators),
    ("/admin/jobs/{job}/events", Opens::Administrators),
    ("/admin/jobs/{job}/log", Opens::Administrators),
    ("/admin/jobs/{job}/retry", Opens::Administrators),
    ("/admin/jobs/{job}/cancel", Opens::Administrators),
    ("/admin/integrations", Opens::Administrators),
    ("/admin/integrations/new/{platform}", Opens::Administrators),
    ("/admin/integrations/{integration}", Opens::Administrators),
    ("/admin/integrations/{integration}/test", Opens::Administrators),
    ("/admin/integrations/{integration}/app", Opens::Administrators),
    ("/admin/integrations/{integration}/app/created", Opens::Administrators),
    ("/admin/integrations/{integration}/app/use", Opens::Administrators),
    ("/admin/integrations/{integration}/app/forget", Opens::Administrators),
    ("/admin/integrations/{integration}/system-hook", Opens::Administrators),
    ("/admin/integrations/{integration}/system-hook/remove", Opens::Administrators),
    ("/admin/audit", Opens::Administrators),
    ("/admin/audit/export", Opens::Administrators),
];

/// What leads to the sign-in page also where it is done what was asked for.
const ENDS_AT_SIGN_IN: [&str; 3] = ["/login/second-factor", "/logout", "/profile/sessions/end-all"];

/// Pages about what an address without more does not name: a person, and a text that the package does not have.
const OF_SOMETHING: [&str; 4] = [
    "/orgs/acme/members/person",
    "/orgs/acme/packages/acme/lib/readme",
    "/orgs/acme/packages/acme/lib/artifacts",
    "/orgs/acme/packages/acme/lib/definition",
];

/// Those who ask; each may all that the ones before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asker {
    Anonymous,
    /// With a token of some kind, which opens no page.
    Token(usize),
    Stranger,
    Collaborator,
    Member,
    Admin,
    Owner,
    Administrator,
}

const SIGNED_IN: [Asker; 6] =
    [Asker::Stranger, Asker::Collaborator, Asker::Member, Asker::Admin, Asker::Owner, Asker::Administrator];

/// What the answer has to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The way to sign in.
    SignIn,
    /// What is not there for this person.
    Nothing,
    /// Which role it takes.
    Forbidden,
    /// Anything but those: what is asked for may not exist, or the form may be empty.
    Admitted,
}

fn expected(opens: Opens, asker: Asker) -> Expected {
    let least = match opens {
        Opens::Anyone => return Expected::Admitted,
        Opens::SignedIn => Asker::Stranger,
        Opens::Readers => Asker::Collaborator,
        Opens::Members => Asker::Member,
        Opens::Admins => Asker::Admin,
        Opens::Owners => Asker::Owner,
        Opens::Administrators => Asker::Administrator,
    };
    match asker {
        Asker::Anonymous | Asker::Token(_) => Expected::SignIn,
        asker if asker >= least => Expected::Admitted,
        Asker::Stranger if opens != Opens::Administrators => Expected::Nothing,
        _ => Expected::Forbidden,
    }
}

fn found(answer: &Response) -> Expected {
    match (answer.status, answer.header("location")) {
        (303, Some(to)) if to.starts_with("/login") => Expected::SignIn,
        (404, _) => Expected::Nothing,
        (403, _) => Expected::Forbidden,
        _ => Expected::Admitted,
    }
}

/// Everybody who may ask, as accounts.
struct People(Vec<(Asker, UserId)>);

async fn people(world: &World) -> People {
    let (acme, lib) = (world.acme, world.lib);
    let all = world
        .write(move |tx| {
            let add = |name: &str, admin: bool| users::insert(tx, name, None, admin, None, START);
            let stranger = add("stranger", false)?;
            let collaborator = add("collaborator", false)?;
            grants::give(acme, tx, lib, Person::User(collaborator), START)?;
            let mut all = vec![(Asker::Stranger, stranger), (Asker::Collaborator, collaborator)];
            for (asker, role) in
                [(Asker::Member, Role::Member), (Asker::Admin, Role::Admin), (Asker::Owner, Role::Owner)]
            {
                let user = add(role.as_str(), false)?;
                members::set(acme, tx, user, role, START)?;
                grants::give(acme, tx, lib, Person::User(user), START)?;
                all.push((asker, user));
            }
            all.push((Asker::Administrator, add("administrator", true)?));
            Ok(all)
        })
        .await;
    People(all)
}

impl People {
    /// A fresh session: a page that was asked before may have ended the last one.
    async fn session(&self, world: &World, asker: Asker) -> Option<Value> {
        let user = self.0.iter().find(|(one, _)| *one == asker)?.1;
        let value = Value::random();
        let new = sessions::New {
            digest: digest_of(value.expose().as_bytes()),
            user,
            account: None,
            address: None,
            agent: None,
        };
        world.write(move |tx| sessions::insert(tx, &new, START)).await;
        Some(value)
    }
}

async fn ask(world: &World, people: &People, asker: Asker, method: &str, path: &str, with_token: bool) -> Response {
    let mut request = world.anonymous(method, path).header("Accept", "text/html");
    let mut body = "confirmed=no".to_owned();
    if let Asker::Token(kind) = asker {
        let token = [&world.reader, &world.restricted, &world.admin][kind];
        request = request.header("Authorization", &basic("token", token));
    }
    if let Some(value) = people.session(world, asker).await {
        let name = session::Cookies::of("https://packages.example.com").name(session::Kind::Session);
        request = request.header("Cookie", &format!("{name}={}", value.expose()));
        if with_token {
            body = format!("csrf={}&{body}", csrf::token(&value));
        }
    }
    if method == "POST" {
        request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body.as_bytes());
    }
    // A form that nobody reads keeps its connection open for a while after the answer.
    if method == "POST" || path.ends_with("/events") {
        request.send_for_head().await
    } else {
        request.send_and_leave().await
    }
}

/// The name of what is not there.
const ABSENT: &str = "999999";

/// An address of the pattern: of an organization and a package that there are, and of nothing else that there is.
fn path(pattern: &str) -> String {
    let parts = pattern.split('/').map(|part| match part {
        "{org}" => "acme",
        "{vendor}" => "acme",
        "{name}" => "lib",
        part if part.starts_with('{') => ABSENT,
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_page_has_a_row() {
    let listed: Vec<_> = PAGES.iter().map(|page| (page.pattern, page.opens)).collect();
    for page in &listed {
        assert!(GOLDEN.contains(page), "no row for {page:?}");
    }
    for row in GOLDEN {
        assert!(listed.contains(row), "no page for {row:?}");
    }
}

#[tokio::test]
async fn every_page_answers_everybody_as_the_matrix_says() {
    let world = world().await;
    let people = people(&world).await;
    let mut wrong = Vec::new();
    let askers = [Asker::Anonymous, Asker::Token(0), Asker::Token(1), Asker::Token(2)].into_iter().chain(SIGNED_IN);
    for asker in askers {
        for page in PAGES {
            let path = path(page.pattern);
            for method in page.methods().split(", ").filter(|method| *method != "HEAD") {
                let answer = ask(&world, &people, asker, method, &path, true).await;
                let (seen, wanted) = (found(&answer), expected(page.opens, asker));
                // Whoever is admitted may find nothing at the address of nothing.
                // What opens to everybody still takes no form that comes from nowhere, and the setup wants its link.
                let is_of_something = path.contains(ABSENT) || OF_SOMETHING.iter().any(|one| path.starts_with(one));
                let fits = seen == wanted
                    || (wanted == Expected::Admitted && seen == Expected::Nothing && is_of_something)
                    || (page.opens == Opens::Anyone && method == "POST" && seen == Expected::Forbidden)
                    || (page.pattern == "/setup" && seen == Expected::Forbidden)
                    || (ENDS_AT_SIGN_IN.contains(&page.pattern) && seen == Expected::SignIn);
                let says =
                    || format!("{method} {path} as {asker:?}: {} {:?}", answer.status, answer.header("location"));
                if !fits || answer.status >= 500 {
                    wrong.push(format!("{}, not {wanted:?}", says()));
                }
                if page.opens != Opens::Anyone && answer.status != 303 {
                    let policy = answer.header("content-security-policy").unwrap_or_default();
                    if !policy.contains("frame-ancestors 'none'") && answer.status != 200 {
                        wrong.push(format!("{} without a policy", says()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_is_refused_names_its_request() {
    let world = world().await;
    let people = people(&world).await;
    for (asker, path, status) in [
        (Asker::Owner, "/orgs/acme/nowhere", 404),
        (Asker::Owner, "/orgs/nowhere", 404),
        (Asker::Member, "/orgs/acme/settings", 403),
        (Asker::Anonymous, "/auth/none", 404),
        (Asker::Anonymous, "/setup?token=0", 403),
    ] {
        let value = people.session(&world, asker).await.unwrap_or_else(Value::random);
        let name = session::Cookies::of("https://packages.example.com").name(session::Kind::Session);
        let request = world.anonymous("GET", path).header("Accept", "text/html");
        let answer = request.header("Cookie", &format!("{name}={}", value.expose())).send().await;
        let id = answer.header("x-request-id").unwrap_or_default();
        assert_eq!((answer.status, id.len()), (status, 16), "{path}");
        assert!(answer.text().contains(&id), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn no_page_takes_a_form_from_elsewhere() {
    let world = world().await;
    let people = people(&world).await;
    for page in PAGES.iter().filter(|page| page.methods().contains("POST") && page.opens != Opens::Anyone) {
        let answer = ask(&world, &people, Asker::Administrator, "POST", &path(page.pattern), false).await;
        assert_eq!(answer.status, 403, "{} without the session's token", page.pattern);
    }
}

#[tokio::test]
async fn a_hidden_organization_and_one_that_is_not_there_are_told_alike() {
    let world = world().await;
    let people = people(&world).await;
    for page in PAGES.iter().filter(|page| page.pattern.contains("{org}")) {
        let there = path(page.pattern);
        let absent = there.replace("/orgs/acme", "/orgs/nowhere");
        let method = if page.methods().contains("GET") { "GET" } else { "POST" };
        let hidden = ask(&world, &people, Asker::Stranger, method, &there, true).await;
        let nothing = ask(&world, &people, Asker::Stranger, method, &absent, true).await;
        assert_eq!((hidden.status, nothing.status), (404, 404), "{there}");
        // The tokens of forms differ with the session, and the id with the request.
        let words = |answer: &Response| {
            let id = answer.header("x-request-id").unwrap_or_default();
            let text = answer.text();
            assert_eq!(id.len(), 16);
            let text = text.replace(&id, "");
            let tokens = text.match_indices("name=\"csrf\"").count();
            (
                tokens,
                text.split("name=\"csrf\"").map(|part| part.chars().skip(80).collect::<String>()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(words(&hidden), words(&nothing), "{there}");
    }
}
