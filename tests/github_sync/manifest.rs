//! A GitHub App made with a click, by HTTP all the way: from the button to an organization that is followed.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_SECURITY_POLICY, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use crate::platforms::github::directory::Level;
use crate::platforms::visitor::{Arrival, Visitor};
use crate::world::World;

/// Where the App's page is.
const PAGE: &str = "/admin/integrations/ghe/app";

/// What came back: status, page, where it leads, and what forms on it may lead to.
struct Seen {
    status: u16,
    page: String,
    to: Option<String>,
    policy: String,
}

impl Seen {
    /// The value of a field of a form on the page.
    fn field(&self, name: &str) -> String {
        let (_, after) = self.page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| {
            panic!("no {name} in {}", self.page);
        });
        after.split_once('"').unwrap().0.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<")
    }

    /// Where the form leads that has this button.
    fn form_before(&self, what: &str) -> String {
        let (before, _) = self.page.split_once(what).unwrap_or_else(|| panic!("no {what} in {}", self.page));
        let (_, form) = before.rsplit_once("<form").unwrap();
        let (_, action) = form.split_once("action=\"").unwrap();
        action.split_once('"').unwrap().0.replace("&amp;", "&")
    }
}

/// A browser in which somebody is signed in here with a password.
struct Window<'a> {
    world: &'a World,
    runtime: Runtime,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Window<'a> {
    fn of(world: &'a World, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut window = Self { world, runtime, client, cookies: BTreeMap::new() };
        let entered =
            window.submit("/login", "/login", &[("name", name), ("password", "correct horse battery"), ("next", "/")]);
        assert_eq!(entered.status, 303, "{}", entered.page);
        window
    }

    fn get(&mut self, path: &str) -> Seen {
        self.send(self.client.get(self.world.ours.url(path)))
    }

    fn post_with(&mut self, path: &str, fields: &[(&str, &str)], token: &str) -> Seen {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.append_pair("csrf", token).extend_pairs(fields).finish();
        let request = self.client.post(self.world.ours.url(path)).header(ORIGIN, self.world.ours.url(""));
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body))
    }

    /// Sends a form of the page `from` as somebody who is signed in.
    fn submit(&mut self, from: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let token = self.get(from).field("csrf");
        self.post_with(path, fields, &token)
    }

    fn send(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = self.runtime.block_on(request.header(COOKIE, cookies.join("; ")).send()).unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.cookies.retain(|_, value| !value.is_empty());
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, to) = (answer.status().as_u16(), header(LOCATION));
        let policy = header(CONTENT_SECURITY_POLICY).unwrap_or_default();
        let page = self.runtime.block_on(answer.text()).unwrap();
        Seen { status, page, to, policy }
    }

    /// Sets out for an App that `acme` will own: the way to GitHub, and the manifest.
    fn set_out(&mut self, name: &str) -> (Url, String) {
        let seen = self.submit(PAGE, PAGE, &[("owner", "acme"), ("name", name)]);
        assert_eq!(seen.status, 200, "{}", seen.page);
        let origin = self.world.github.url().origin().ascii_serialization();
        assert!(seen.policy.contains(&format!("form-action 'self' {origin};")), "{}", seen.policy);
        let address = seen.form_before("name=\"manifest\"").parse().unwrap();
        (address, seen.field("manifest"))
    }

    /// Says yes at GitHub as somebody: where the browser comes back to.
    fn at_github(&self, (address, manifest): &(Url, String), login: &str) -> Arrival {
        let visitor = Visitor::new(self.world.github.stage.address, &["localhost"]);
        self.runtime.block_on(visitor.send_and_allow(address, &[("manifest", manifest)], login))
    }
}

/// The path and query of an address of ours.
fn here(arrival: &Arrival) -> String {
    let Arrival::Sent(url) = arrival else { panic!("the browser was not sent back: {arrival:?}") };
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// A world with an administrator of the instance, and somebody who is none.
fn world() -> World {
    let world = World::configured(|_, _, _| String::new());
    for line in ["user add root --admin --password-stdin", "user add carl --password-stdin"] {
        world.ours.command_with(line, "correct horse battery").done();
    }
    world
}

#[test]
fn an_app_is_made_with_a_click_and_follows_an_organization() {
    let mut world = world();
    let lib = world.package("lib");
    let ada = world.member("ada");
    world.github.admit(lib, ada, Level::Read);
    let refused = world.ours.command("credential add main --type github-app --username 5").failed();
    assert!(refused.contains("has no GitHub App"), "{refused}");
    let installation = {
        let mut window = Window::of(&world, "root");
        let integration = window.get("/admin/integrations/ghe");
        assert!(integration.page.contains(&format!("href=\"{PAGE}\"")), "{}", integration.page);
        assert!(!integration.policy.contains("http"), "elsewhere forms lead nowhere else: {}", integration.policy);
        let wrong = window.submit(PAGE, PAGE, &[("owner", "acme/../x"), ("name", "Packages of acme")]);
        assert!(wrong.status == 422 && wrong.page.contains("Packages of acme"), "{}", wrong.page);
        let way = window.set_out("Packages of acme");
        assert_eq!(way.0.path(), "/organizations/acme/settings/apps/new");
        // Who owns nothing there makes nothing.
        let another = window.set_out("Another one");
        assert!(matches!(window.at_github(&another, "ada"), Arrival::Page(404, _)));
        let back = window.at_github(&way, "keeper");
        let made = window.get(&here(&back));
        assert_eq!((made.status, made.to.as_deref()), (303, Some(PAGE)), "{}", made.page);
        let page = window.get(PAGE);
        let install = format!("{}github-apps/packages-of-acme/installations/new", world.github.url());
        assert!(page.page.contains(&install) && page.page.contains("Nowhere yet"), "{}", page.page);
        // What came back counts once.
        assert_eq!(window.get(&here(&back)).status, 400);

        let (app, setup) = {
            let site = world.github.stage.world();
            let app = site.integrations.values().next().unwrap();
            (app.id, app.setup_url.clone().unwrap())
        };
        let installation = world.github.installed(app, world.org, None);
        let setup = format!("{setup}?installation_id={installation}&setup_action=install");
        let page = window.get(setup.strip_prefix(&world.ours.url("")).unwrap());
        assert!(page.page.contains(&installation.to_string()) && page.page.contains("nobody yet"), "{}", page.page);
        // A number that is none of the App's is nobody's to have.
        let number = installation.to_string();
        let other = window.submit(
            PAGE,
            &format!("{PAGE}/use"),
            &[("installation", "77"), ("organization", "acme"), ("name", "main")],
        );
        assert_eq!(other.status, 422);
        let lent = window.submit(
            PAGE,
            &format!("{PAGE}/use"),
            &[("installation", &number), ("organization", "acme"), ("name", "main")],
        );
        assert_eq!((lent.status, lent.to.as_deref()), (303, Some("/orgs/acme/syncs/new")), "{}", lent.page);
        assert!(window.get(PAGE).page.contains("/orgs/acme/credentials/main"));
        installation
    };
    world.follow();
    world.log_in();
    world.agrees("the first comparison");
    world.comes("the package is served", || world.versions(lib).contains("1.0.0"));
    let tag = world.tag(lib, "2.0.0");
    world.github.pushed(lib, &[tag]);
    world.comes("a push is told at the App's address", || world.versions(lib).contains("2.0.0"));
    let said = world.ours.command("credential test main");
    assert!(said.code == Some(0) && !said.out.contains("lacks") && !said.out.contains("not told"), "{said:?}");

    // The key outlives the server, and is told to nobody.
    world.ours.stop_and_restart();
    let tag = world.tag(lib, "3.0.0");
    world.github.pushed(lib, &[tag]);
    world.comes("a push is told after a restart", || world.versions(lib).contains("3.0.0"));
    let audit = world.ours.command("audit export").done();
    assert!(audit.contains("github-app.add") && audit.contains("packages-of-acme"), "{audit}");
    let secrets =
        world.github.stage.world().hooks.all.values().filter_map(|hook| hook.secret.clone()).collect::<Vec<_>>();
    for told in [&audit, &world.ours.log(), &world.ours.printed()] {
        assert!(!told.contains("PRIVATE KEY") && secrets.iter().all(|secret| !told.contains(secret)), "{told}");
    }

    let mut window = Window::of(&world, "root");
    let asked = window.submit(PAGE, &format!("{PAGE}/forget"), &[]);
    assert!(asked.page.contains("Forget the App"), "{}", asked.page);
    let gone = window.submit(PAGE, &format!("{PAGE}/forget"), &[("confirmed", "yes")]);
    assert_eq!((gone.status, gone.to.as_deref()), (303, Some(PAGE)), "{}", gone.page);
    assert!(window.get(PAGE).page.contains("Make a GitHub App"));
    assert!(world.run().failed().contains("no private key"));
    let deliveries = world.github.post().sent().len();
    world.github.installation_suspended(installation, true);
    world.github.post().settle();
    let answers: Vec<Option<u16>> = world.github.post().sent()[deliveries..].iter().map(|sent| sent.status).collect();
    assert_eq!(answers, [Some(404)], "nobody is at home for a forgotten App");
    assert_eq!(world.shown_to("ada").len(), 1, "what is here stays");
}

#[test]
fn nobody_else_brings_an_app_back() {
    let world = world();
    let mut window = Window::of(&world, "root");
    let way = window.set_out("Packages");
    let back = here(&window.at_github(&way, "keeper"));
    // Another browser of the same person, and somebody who may not.
    assert_eq!(Window::of(&world, "root").get(&back).status, 400);
    assert_eq!(window.get(&back).status, 400, "whoever came first has ended it");
    let mut carl = Window::of(&world, "carl");
    for path in [PAGE, "/admin/integrations/ghe/app/created?code=x&state=y"] {
        assert!(matches!(carl.get(path).status, 403 | 404), "{path}");
    }
    assert!(matches!(carl.submit("/profile", PAGE, &[("owner", "acme"), ("name", "x")]).status, 403 | 404));
    let way = window.set_out("Packages");
    let back = here(&window.at_github(&way, "keeper"));
    let (_, code) = back.split_once("code=").unwrap();
    let (code, _) = code.split_once('&').unwrap();
    for forged in [format!("code={code}&state={}", "0".repeat(64)), format!("code={code}"), "state=".to_owned()] {
        assert_eq!(window.get(&format!("{PAGE}/created?{forged}")).status, 400, "{forged}");
    }
    // The code is good for an hour.
    world.github.pass(3_600);
    let late = window.get(&back);
    assert!(late.status == 400 && late.page.contains("good once"), "{}", late.page);
    let apps: Value = world.github.stage.world().integrations.len().into();
    assert_eq!(apps, 0);
    assert!(window.get(PAGE).page.contains("Make a GitHub App"));
}

#[test]
fn the_configuration_has_the_last_word() {
    let world = World::configured(|github, folder, address| {
        let made = github.app_registered(&[("metadata", "read")], &format!("{address}/hooks/app/ghe"));
        std::fs::write(folder.join("app.pem"), &made.key).unwrap();
        format!("app_id = {}\napp_private_key_file = \"app.pem\"\napp_slug = \"ours\"\n", made.id)
    });
    world.ours.command_with("user add root --admin --password-stdin", "correct horse battery").done();
    let mut window = Window::of(&world, "root");
    let page = window.get(PAGE);
    assert!(page.page.contains("the configuration, under") && !page.page.contains("Make it"), "{}", page.page);
    assert!(page.page.contains("Its deliveries are not taken"), "{}", page.page);
    let refused = window.submit(PAGE, PAGE, &[("owner", "acme"), ("name", "x")]);
    assert!(
        refused.status == 422 && refused.page.contains("names a GitHub App for this integration"),
        "{}",
        refused.page
    );
}
