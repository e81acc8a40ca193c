//! Every page of the server's list, visited as an administrator with something on it. A page without a row here fails the
//! test, so whoever adds one has it examined.

use std::fs;
use std::time::Duration;

use packagist_selfhosted::http::routes::pages::PAGES;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::axe::findings;
use crate::chromium::Browser;
use crate::forges::{Forge, World};
use crate::logins::{PASSWORD, connect, sign_in_locally};
use crate::made::archive;
use crate::work_tree::WorkTree;

/// How a page is come to.
enum Visit {
    /// By its address.
    At(&'static str),
    /// By the first link to it on another page.
    From(&'static str),
    /// It is examined where it is tried.
    Tried,
    /// It is a file, a stream, or a way to the platform.
    NoPage,
}
use Visit::{At, From, NoPage, Tried};

const VISITS: &[(&str, Visit)] = &[
    ("/", At("/")),
    ("/login", Tried),
    ("/login/second-factor", Tried),
    ("/setup", Tried),
    ("/auth/{integration}", NoPage),
    ("/auth/{integration}/callback", Tried),
    ("/profile", At("/profile")),
    ("/profile/password", At("/profile/password")),
    ("/profile/second-factor", Tried),
    ("/profile/accounts/{account}/disconnect", From("/profile")),
    ("/orgs/{org}", At("/orgs/acme")),
    ("/orgs/{org}/packages", At("/orgs/acme/packages")),
    ("/orgs/{org}/packages/new", At("/orgs/acme/packages/new")),
    ("/orgs/{org}/packages/-/custom", At("/orgs/acme/packages/-/custom")),
    ("/orgs/{org}/packages/-/artifacts", At("/orgs/acme/packages/-/artifacts")),
    ("/orgs/{org}/packages/-/block", At("/orgs/acme/packages/-/block")),
    // The last one, without a name, because it could not be read.
    ("/orgs/{org}/packages/{id}", At("/orgs/acme/packages/4")),
    ("/orgs/{org}/packages/{vendor}/{name}", At("/orgs/acme/packages/acme/library")),
    ("/orgs/{org}/packages/{vendor}/{name}/versions", At("/orgs/acme/packages/acme/library/versions")),
    ("/orgs/{org}/packages/{vendor}/{name}/dependents", At("/orgs/acme/packages/acme/library/dependents")),
    ("/orgs/{org}/packages/{vendor}/{name}/readme", At("/orgs/acme/packages/acme/library/readme")),
    ("/orgs/{org}/packages/{vendor}/{name}/log", At("/orgs/acme/packages/acme/library/log")),
    ("/orgs/{org}/packages/{vendor}/{name}/history", At("/orgs/acme/packages/acme/library/history")),
    ("/orgs/{org}/packages/{vendor}/{name}/events", NoPage),
    ("/orgs/{org}/packages/{vendor}/{name}/webhook", At("/orgs/acme/packages/acme/library/webhook")),
    ("/orgs/{org}/packages/{vendor}/{name}/access", At("/orgs/acme/packages/acme/library/access")),
    ("/orgs/{org}/packages/{vendor}/{name}/artifacts", At("/orgs/acme/packages/acme/uploaded/artifacts")),
    ("/orgs/{org}/packages/{vendor}/{name}/definition", At("/orgs/acme/packages/acme/custom/definition")),
    ("/orgs/{org}/packages/{vendor}/{name}/settings", At("/orgs/acme/packages/acme/library/settings")),
    ("/orgs/{org}/packages/{vendor}/{name}/abandon", At("/orgs/acme/packages/acme/library/abandon")),
    ("/orgs/{org}/packages/{vendor}/{name}/remove", At("/orgs/acme/packages/acme/library/remove")),
    ("/orgs/{org}/syncs", At("/orgs/acme/syncs")),
    ("/orgs/{org}/syncs/new", At("/orgs/acme/syncs/new")),
    ("/orgs/{org}/syncs/{sync}", At("/orgs/acme/syncs/1")),
    ("/orgs/{org}/syncs/{sync}/events", NoPage),
    ("/orgs/{org}/syncs/{sync}/plan", At("/orgs/acme/syncs/1/plan")),
    ("/orgs/{org}/syncs/{sync}/runs", At("/orgs/acme/syncs/1/runs")),
    ("/orgs/{org}/syncs/{sync}/runs/{run}", From("/orgs/acme/syncs/1/runs")),
    ("/orgs/{org}/syncs/{sync}/repositories", At("/orgs/acme/syncs/1/repositories")),
    ("/orgs/{org}/syncs/{sync}/terms", At("/orgs/acme/syncs/1/terms")),
    ("/orgs/{org}/syncs/{sync}/promote", At("/orgs/acme/syncs/1/promote")),
    ("/orgs/{org}/syncs/{sync}/remove", At("/orgs/acme/syncs/1/remove")),
    ("/orgs/{org}/members", At("/orgs/acme/members")),
    ("/orgs/{org}/members/new", At("/orgs/acme/members/new")),
    ("/orgs/{org}/members/person", From("/orgs/acme/members")),
    ("/orgs/{org}/teams", At("/orgs/acme/teams")),
    ("/orgs/{org}/teams/new", At("/orgs/acme/teams/new")),
    ("/orgs/{org}/teams/{team}", From("/orgs/acme/teams")),
    ("/orgs/{org}/teams/{team}/edit", From("/orgs/{org}/teams/{team}")),
    ("/orgs/{org}/teams/{team}/packages", From("/orgs/{org}/teams/{team}")),
    ("/orgs/{org}/teams/{team}/remove", From("/orgs/{org}/teams/{team}")),
    ("/orgs/{org}/access", At("/orgs/acme/access")),
    ("/orgs/{org}/settings", At("/orgs/acme/settings")),
    ("/orgs/{org}/settings/remove", At("/orgs/acme/settings/remove")),
    ("/orgs/{org}/tokens", At("/orgs/acme/tokens")),
    ("/orgs/{org}/tokens/{token}/revoke", From("/orgs/acme/tokens")),
    ("/orgs/{org}/credentials", At("/orgs/acme/credentials")),
    ("/orgs/{org}/credentials/new", At("/orgs/acme/credentials/new")),
    ("/orgs/{org}/credentials/new/{integration}", At("/orgs/acme/credentials/new/gitlab")),
    ("/orgs/{org}/credentials/{credential}", At("/orgs/acme/credentials/deploy")),
    ("/orgs/{org}/credentials/{credential}/remove", At("/orgs/acme/credentials/deploy/remove")),
    ("/orgs/{org}/audit", At("/orgs/acme/audit")),
    ("/orgs/{org}/audit/export", NoPage),
    ("/admin", At("/admin")),
    ("/admin/jobs", At("/admin/jobs?state=failed")),
    ("/admin/jobs/{job}", From("/admin/jobs?state=failed")),
    ("/admin/jobs/{job}/events", NoPage),
    ("/admin/jobs/{job}/log", NoPage),
    ("/admin/integrations", At("/admin/integrations")),
    ("/admin/integrations/new/{platform}", From("/admin/integrations")),
    ("/admin/integrations/{integration}", At("/admin/integrations/old")),
    ("/admin/integrations/{integration}/app", At("/admin/integrations/ghes/app")),
    ("/admin/integrations/{integration}/app/created", NoPage),
    ("/admin/integrations/{integration}/system-hook", At("/admin/integrations/gitlab/system-hook")),
    ("/admin/organizations", At("/admin/organizations")),
    ("/admin/organizations/new", At("/admin/organizations/new")),
    ("/admin/organizations/{organization}", From("/admin/organizations")),
    ("/admin/organizations/{organization}/remove", From("/admin/organizations/{organization}")),
    ("/admin/users", At("/admin/users")),
    ("/admin/users/new", At("/admin/users/new")),
    ("/admin/users/{user}", From("/admin/users")),
    ("/admin/users/{user}/remove", From("/admin/users/{user}")),
    ("/admin/configuration", At("/admin/configuration")),
    ("/admin/audit", At("/admin/audit")),
    ("/admin/audit/export", NoPage),
];

/// Whether a path is one of a pattern, and of no other page that is more exact.
fn is_of(path: &str, pattern: &str) -> bool {
    let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let path = parts(path);
    let fits = |pattern: &str| {
        let pattern = parts(pattern);
        path.len() == pattern.len()
            && path.iter().zip(&pattern).all(|(own, their)| their.starts_with('{') || own == their)
    };
    let holes = |pattern: &str| pattern.matches('{').count();
    fits(pattern) && !PAGES.iter().any(|other| holes(other.pattern) < holes(pattern) && fits(other.pattern))
}

/// Where a page of this pattern is; nothing if no link leads there.
async fn address(browser: &Browser, pattern: &str, visit: &Visit) -> Option<String> {
    let page = match visit {
        At(address) => return Some((*address).to_owned()),
        Tried | NoPage => return None,
        // A page that is itself only come to by a link.
        From(page) => match VISITS.iter().find(|(between, _)| page.contains('{') && between == page) {
            Some((between, visit)) => Box::pin(address(browser, between, visit)).await?,
            None => (*page).to_owned(),
        },
    };
    browser.open(&page).await;
    let script = "return [...document.querySelectorAll('main a[href]')].map(link => link.pathname + link.search)";
    let links = browser.ask(script, Value::Null).await;
    let mut links = links.as_array().into_iter().flatten().filter_map(Value::as_str);
    links.find(|link| is_of(link.split('?').next().unwrap_or_default(), pattern)).map(str::to_owned)
}

/// Something for every page to show, with names as long as they may be.
fn furnish(world: &World) {
    let command = |words: &str| world.installation.command(words).done();
    let secret = |words: &str, secret: &str| world.installation.command_with(words, secret).done();
    secret("user add ada --admin --password-stdin", PASSWORD);
    secret("user add grace --password-stdin", PASSWORD);
    command("user add somebody-with-a-name-of-forty-characters --email somebody@a.rather.long.domain.example.com");
    command("org add acme --name Acme");
    let repository = |name: &str| WorkTree::init(&world.installation.repositories.join(name));
    let library = repository("library");
    let manifest = json!({
        "name": "acme/library", "description": "What all the others need", "license": "MIT", "type": "library",
        "keywords": ["base"], "authors": [{"name": "Ada", "email": "ada@example.com"}], "require": {"php": ">=8.1"},
        "homepage": "https://example.com/library",
    });
    let readme = "# Library\n\nWhat it **is** for:\n\n```php\necho 'Hello';\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- [two](docs/two.md)\n";
    library.commit(&[("composer.json", &manifest.to_string()), ("README.md", readme), ("src/code.php", "<?php\n")]);
    for tag in ["1.0.0", "1.1.0", "2.0.0-beta1", "not-a-version"] {
        library.commit(&[("src/code.php", &format!("<?php // {tag}\n"))]);
        library.git(&["tag", tag]);
    }
    let branch = format!("feature/{}", "a-branch-that-says-all-that-it-does-".repeat(4));
    library.git(&["branch", branch.trim_end_matches('-')]);
    let app = repository("app");
    let needs = json!({"name": "acme/app", "require": {"acme/library": "^1.0"}, "abandoned": "acme/library"});
    app.commit(&[("composer.json", &needs.to_string())]);
    app.git(&["tag", "v0.9.0"]);
    let long = format!("acme/{}", "a-package-with-a-name-of-sixty-characters-no-fewer-no-more-x");
    repository("long").release(&long, "<?php\n");
    for name in ["library", "app", "long"] {
        command(&format!("package add {} --wait", world.installation.repositories.join(name).display()));
    }
    // What cannot be read has no name, and its page an id.
    repository("empty");
    let empty = world.installation.repositories.join("empty");
    assert_ne!(world.installation.command(&format!("package add {} --wait", empty.display())).code, Some(0));
    made_here(world);
    command("package hook acme/library");
    // Releases that went and were re-pointed, and a second repository that wants a name.
    library.commit(&[("src/code.php", "<?php // again\n")]);
    library.git(&["tag", "--force", "1.1.0"]);
    library.git(&["tag", "--delete", "2.0.0-beta1"]);
    library.git(&["tag", "2.0.0"]);
    command("package update acme/library --wait");
    repository("copy").release("acme/library", "copy");
    let copy = world.installation.repositories.join("copy");
    assert_ne!(world.installation.command(&format!("package add {} --wait", copy.display())).code, Some(0));
    secret("credential add deploy --type github-token --secret-stdin", "ghp_0123456789012345678901234567890123456");
    command("member add grace");
    command("team add web");
    command("team add web/shop");
    command("team grant web acme/library");
    command("team add-member web grace");
    command("access grant --user grace --package acme/app");
    command("token add --access read --description Deployment");
    command("token add --access update --expires 5d --package acme/library --team web");
}

/// Packages without a repository, one with an archive that was fetched from afar.
fn made_here(world: &World) {
    let command = |words: &str| world.installation.command(words).done();
    let file = format!("{}.zip", "a-file-with-a-name-that-somebody-thought-about-".repeat(3));
    archive(world, &file, "acme/uploaded", "1.0.0-beta1", "<?php\n");
    command(&format!("package add-artifact {file} --wait"));
    let json = json!({"name": "acme/custom", "version": "1.0", "type": "metapackage"});
    fs::write(world.installation.folder.path().join("custom.json"), json.to_string()).unwrap();
    command("package add-custom custom.json --wait");
    let database = Connection::open(world.installation.folder.path().join("data/packagist.sqlite")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    let fetched = "INSERT INTO mirrored_dist SELECT org_id, id, ?1, ?2, ?1, ?1, x'00', 123456, created_at
        FROM package WHERE name = 'acme/custom'";
    let address = format!("https://downloads.example.com/{}/custom-1.0.zip", "releases/".repeat(12));
    assert_eq!(database.execute(fetched, ("0123456789012345678901234567890123456789", &address)).unwrap(), 1);
}

/// What runs of a synchronization and calls of a webhook would leave, with something of every kind, and a removal that waits.
fn synchronize(world: &World) {
    let database = Connection::open(world.installation.folder.path().join("data/packagist.sqlite")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.execute_batch(include_str!("synchronized.sql")).unwrap();
    database.execute_batch(include_str!("delivered.sql")).unwrap();
}

#[tokio::test]
async fn every_page_is_accessible_and_fits() {
    for page in PAGES.iter().filter(|page| page.methods().contains("GET")) {
        let rows = VISITS.iter().filter(|(pattern, _)| *pattern == page.pattern).count();
        assert_eq!(rows, 1, "{} has no row, or two: say where it is to be examined", page.pattern);
    }
    let world = World::start();
    furnish(&world);
    synchronize(&world);
    let browser = Browser::start(&world.origin()).await;
    sign_in_locally(&browser, "ada").await;
    world.forges.gitlab.add("ada");
    connect(&browser, "gitlab", "ada").await;
    let mut wrong = Vec::new();
    for (pattern, visit) in VISITS {
        if !PAGES.iter().any(|page| page.pattern == *pattern) {
            wrong.push(format!("{pattern}: there is no such page any more"));
        }
        if matches!(visit, Tried | NoPage) {
            continue;
        }
        let Some(address) = address(&browser, pattern, visit).await else {
            wrong.push(format!("{pattern}: no link leads there"));
            continue;
        };
        browser.open(&address).await;
        let name = pattern.trim_start_matches('/').replace(['/', '{', '}'], "-").replace("--", "-");
        let name = if name.is_empty() { "home".to_owned() } else { name.trim_matches('-').to_owned() };
        if browser.text_of("h1").await.is_none_or(|heading| heading.starts_with("There is nothing")) {
            wrong.push(format!("{pattern}: nothing is at {address}"));
        }
        wrong.extend(findings(&browser, &name).await.into_iter().map(|finding| format!("{address}: {finding}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
