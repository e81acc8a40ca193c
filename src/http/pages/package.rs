//! One package, in tabs with addresses of their own.
//!
//! A package that a person may not see answers word for word as one that does not exist. One without a name yet is at
//! `/packages/-/{id}`: no vendor is called `-`.

mod access;
mod activity;
mod artifacts;
mod definition;
mod directories;
mod history;
mod life;
mod readme;
mod settings;
mod show;
mod versions;
mod webhook;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::components::{Flash, Tab, Tone, badge, bytes, tabs};
use super::layout::{self, Here, csrf};
use super::packages::{abandoned_badge, status_of};
use super::respond::see_other;
use crate::access::role::Role;
use crate::admin::made::Kind;
use crate::admin::packages as use_packages;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::{Manages, Reads};
use crate::store::ids::PackageId;
use crate::store::jobs::{self, Job};
use crate::store::packages::{self, Package};
use crate::store::{self, readmes, refs, requirements};

pub use access::{access, grant_access, revoke_access};
pub use activity::{events, log};
pub use artifacts::{artifacts, remove_artifact, upload};
pub use definition::{definition, save_definition};
pub use directories::save as save_directories;
pub use history::history;
pub use life::{abandon, abandonment, publish};
pub use settings::{accept, forget, remove, save, settings};
pub use show::{dependents, show};
pub use versions::versions;
pub use webhook::{rotate, secret as webhook_secret, webhook};

pub(in crate::http) use readme::Readmes;

/// What stands in the address before the id of a package without a name.
const NAMELESS: &str = "-";

/// What an address names: organization, vendor (or `-`) and name (or id).
type Path = web::Path<(String, String, String)>;

/// The address of a package's page.
#[must_use]
pub fn address(slug: &str, id: PackageId, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("/orgs/{slug}/packages/{name}"),
        None => format!("/orgs/{slug}/packages/{NAMELESS}/{id}"),
    }
}

/// A package as somebody sees it who may.
struct Seen {
    reader: Reads,
    package: Package,
    /// What the addresses of its pages begin with.
    base: String,
    counts: Counts,
    /// What it is for.
    description: Option<String>,
    /// Whether somebody works on it, or is about to.
    is_busy: bool,
}

/// What the tabs tell.
#[derive(Clone, Copy, Default)]
struct Counts {
    dependents: i64,
    skipped: i64,
    has_readme: bool,
}

/// Which tab is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Overview,
    Versions,
    Dependents,
    Readme,
    Log,
    Access,
    Webhook,
    Artifacts,
    Definition,
    Settings,
}

impl Seen {
    /// Finds the package of an address.
    async fn find(reader: Reads, state: &State, vendor: &str, name: &str) -> Result<Self, PageError> {
        let org = reader.org();
        let id = (vendor == NAMELESS).then(|| name.parse().ok().map(PackageId));
        let full = format!("{vendor}/{name}").to_lowercase();
        let found = state
            .appliance
            .database
            .read(move |db| {
                let found = match id {
                    Some(Some(id)) => packages::by_id(org, db, id)?,
                    Some(None) => None,
                    None => packages::by_name(org, db, &full)?,
                };
                let Some(package) = found else { return Ok(None) };
                let dependents = match &package.name {
                    Some(name) => requirements::dependents(org, db, name)?,
                    None => Vec::new(),
                };
                let skipped = refs::skipped(org, db, package.id)?.len();
                let has_readme = readmes::of_package(org, db, package.id)?.is_some();
                let work = jobs::of_package(org, db, package.source())?;
                let description = packages::description(org, db, package.id)?;
                Ok::<_, store::Error>(Some((package, dependents, skipped, has_readme, work, description)))
            })
            .await?;
        let Some((package, dependents, skipped, has_readme, work, description)) = found else {
            return Err(reader.not_found());
        };
        if !reader.organization.includes(package.id, &reader.view) {
            return Err(reader.not_found());
        }
        let visible =
            dependents.iter().filter(|other| reader.organization.includes(other.package, &reader.view)).count();
        let counts = Counts {
            dependents: i64::try_from(visible).unwrap_or(i64::MAX),
            skipped: i64::try_from(skipped).unwrap_or(i64::MAX),
            has_readme,
        };
        let base = address(&reader.organization.slug, package.id, package.name.as_deref());
        let is_busy = is_at_work(&package, work.as_ref(), state.appliance.now());
        Ok(Self { reader, package, base, counts, description, is_busy })
    }

    /// How it is made, if it is made here.
    fn kind(&self) -> Option<Kind> {
        Kind::of(&self.package.vcs)
    }

    fn manages(&self) -> bool {
        self.reader.role >= Role::Admin
    }

    fn tabs(&self, at: At) -> Markup {
        let tab = |tab: At, label: &str, path: &str, count: Option<i64>| Tab {
            address: format!("{}{path}", self.base),
            label: label.to_owned(),
            count,
            current: tab == at,
        };
        let mut all = vec![
            tab(At::Overview, "Overview", "", None),
            tab(At::Versions, "Versions", "/versions", Some(self.package.versions)),
            tab(At::Dependents, "Dependents", "/dependents", Some(self.counts.dependents)),
        ];
        if self.counts.has_readme {
            all.push(tab(At::Readme, "Readme", "/readme", None));
        }
        let skipped = (self.counts.skipped > 0).then_some(self.counts.skipped);
        all.push(tab(At::Log, if skipped.is_some() { "Update log · skipped" } else { "Update log" }, "/log", skipped));
        if self.manages() {
            all.push(tab(At::Access, "Access", "/access", None));
            all.push(match self.kind() {
                None => tab(At::Webhook, "Webhook", "/webhook", None),
                Some(Kind::Artifact) => tab(At::Artifacts, "Archives", "/artifacts", None),
                Some(Kind::Custom) => tab(At::Definition, "JSON", "/definition", None),
                Some(Kind::Blocked) => tab(At::Settings, "Settings", "/settings", None),
            });
        }
        if self.manages() && self.kind() != Some(Kind::Blocked) {
            all.push(tab(At::Settings, "Settings", "/settings", None));
        }
        tabs("Sections of this package", &all)
    }

    /// The page with its head and tabs around the content of one.
    fn page(&self, at: At, title: &str, description: Option<&str>, content: &Markup) -> HttpResponse {
        self.page_with(StatusCode::OK, at, title, description, content)
    }

    fn page_with(
        &self,
        code: StatusCode,
        at: At,
        title: &str,
        description: Option<&str>,
        content: &Markup,
    ) -> HttpResponse {
        let name = use_packages::title(&self.package);
        let content = html! {
            nav class="crumbs" aria-label="Breadcrumb" {
                a href={ "/orgs/" (self.reader.organization.slug) "/packages" } { "Packages" } " /"
            }
            (self.head(&name, description.or(self.description.as_deref())))
            (self.properties())
            (self.tabs(at))
            (content)
        };
        let title = if title.is_empty() { name } else { format!("{title} · {name}") };
        layout::page_with(code, &self.reader.chrome(), Here::Packages, &title, &content)
    }

    fn head(&self, name: &str, description: Option<&str>) -> Markup {
        let update = html! {
            @if self.manages() && self.kind().is_none_or(|kind| kind == Kind::Custom) {
                form method="post" action={ (self.base) "/update" } {
                    (csrf(&self.reader.who.csrf))
                    button class="btn" disabled[self.package.status == "updating"] { "Update now" }
                }
            }
        };
        html! {
            div class="head" {
                div {
                    h1 class="mono" { (name) }
                    @if let Some(description) = description { p dir="auto" { (description) } }
                }
                div class="row" { (update) }
            }
        }
    }

    fn properties(&self) -> Markup {
        html! {
            p class="row gap-b" id="state" {
                (status_of(&self.package.status))
                @let is_blocked = self.kind() == Some(Kind::Blocked);
                @if let Some(kind) = self.package.kind.as_ref().filter(|_| !is_blocked) { " " (badge(Tone::Neutral, kind)) }
                @if self.package.fork && !is_blocked { " " (badge(Tone::Neutral, "fork")) }
                @if self.package.directories.is_some() { " " (badge(Tone::Neutral, "several packages")) }
                @if !self.package.rivals.is_empty() { " " (badge(Tone::Warn, "name conflict")) }
                @if let Some(abandoned) = &self.package.abandoned { " " (abandoned_badge(abandoned)) }
            }
        }
    }
}

/// Answers `/orgs/{org}/packages/{id}`: where the package's page is.
pub async fn by_id(
    reader: Reads,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, NAMELESS, &path.1).await?;
    Ok(see_other(&seen.base, None))
}

/// Answers `POST …/update`.
pub async fn update(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    let packages = [seen.package.clone()];
    use_packages::update(&state.appliance, &manager.actor(), manager.org(), &packages).await?;
    let what =
        if seen.kind().is_none() { "The repository is being read again." } else { "It is being published again." };
    let flash = Flash { good: true, text: what.to_owned() };
    Ok(see_other(&seen.base, Some(&flash)))
}

/// Answers `…/readme`.
pub async fn readme(reader: Reads, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let (org, id) = (seen.reader.org(), seen.package.id);
    let found = state.appliance.database.read(move |db| readmes::of_package(org, db, id)).await?;
    let Some(found) = found else { return Err(seen.reader.not_found()) };
    let rendered = state.readmes.render(&found).await;
    let size = u64::try_from(found.size).unwrap_or(0);
    let content = html! {
        section aria-labelledby="h-m" {
            h2 id="h-m" { "Readme " span class="muted mono" { (found.name) } }
            @match rendered {
                Some(text) => div class="prose" dir="auto" { (text) },
                None => p { "The file has " (bytes(size)) "; up to 512 KiB are shown here." },
            }
        }
    };
    Ok(seen.page(At::Readme, "Readme", None, &content))
}

/// Whether work is under way on a package, or is about to be: what waits for a later try is no work that one watches, but
/// for a package that was never read.
fn is_at_work(package: &Package, work: Option<&Job>, now: Timestamp) -> bool {
    const SOON: Duration = Duration::from_secs(3);
    let soon = |job: &Job| job.state == "running" || job.run_at <= now + SOON || package.status == "pending";
    work.is_some_and(soon)
}

/// A sentence where there is nothing yet.
fn nothing_here(text: &str) -> Markup {
    html! { p class="muted" { (text) } }
}
