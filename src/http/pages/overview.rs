//! An organization at a glance: what needs somebody, what was released, how to use it.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::chart;
use super::components::{
    Problem, Tone, absolute, ago, counted, duration, empty, head, nothing, number, problems, snippet_bare, status,
};
use super::forms::sentence;
use super::layout::{self, Here};
use super::package::address;
use crate::access::role::Role;
use crate::access::set::AccessSet;
use crate::admin::credentials as use_credentials;
use crate::clock::Timestamp;
use crate::composer::stability::{self, Stability};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::archive_failures::{self, OfPackage};
use crate::store::credentials::{self, Credential};
use crate::store::ids::OrgId;
use crate::store::package_lists::{self, Counts, Filter, Line, Place};
use crate::store::releases::{self, Release};
use crate::store::syncs::{self, Sync};
use crate::store::{self, installs, platform_hooks, version_lists};

const DAY: Duration = Duration::from_secs(86_400);
/// How many problems of a kind are told one by one.
const TOLD: i64 = 5;
/// How many releases are shown.
const RELEASES: i64 = 8;
/// How far back they are looked for.
const RECENT: Duration = Duration::from_secs(90 * 86_400);
/// From here on, the way from a push to its being served is worth a look.
const SLOW: Duration = Duration::from_secs(10);

/// What the page shows.
struct Overview {
    counts: Counts,
    versions: i64,
    installs: Vec<(i64, i64)>,
    releases: Vec<Release>,
    /// Microseconds from pushes to their being served, today, shortest first.
    lags: Vec<i64>,
    example: Option<Line>,
    trouble: Trouble,
}

/// What needs somebody who manages the organization.
#[derive(Default)]
struct Trouble {
    failed: Vec<Line>,
    held: Vec<Line>,
    credentials: Vec<Credential>,
    archives: Vec<OfPackage>,
    syncs: Vec<Sync>,
    hooks: Vec<platform_hooks::Trouble>,
}

/// The packages that a person may see, for the queries that ask: a JSON array of ids, or none for all.
pub(super) fn visible(reader: &Reads) -> Option<String> {
    if matches!(reader.view.set, AccessSet::All) {
        return None;
    }
    let mut ids: Vec<_> = reader.organization.packages(&reader.view).collect();
    ids.sort_unstable();
    serde_json::to_string(&ids).ok().or_else(|| Some("[]".to_owned()))
}

/// Answers `/orgs/{org}`.
pub async fn show(reader: Reads, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let (org, now, manages) = (reader.org(), state.appliance.now(), reader.role >= Role::Admin);
    let visible = visible(&reader);
    let overview = state.appliance.database.read(move |db| read(org, db, visible, manages, now)).await?;
    let repository = state.appliance.repository_url(&reader.organization.slug);
    let content = html! {
        (head(&reader.name, &html! { code { (repository) } }, &nothing()))
        div class="sections" {
            (problems(&told(&reader, &state, &overview, now)))
            div class="split" {
                div class="sections" {
                    (begin(&reader, &overview))
                    (recent(&reader, &overview.releases, now))
                    (steps(&reader, &state, &repository, overview.example.as_ref()))
                }
                (figures(&reader, &overview, now))
            }
        }
    };
    Ok(layout::page(&reader.chrome(), Here::Overview, "Overview", &content))
}

fn read(
    org: OrgId,
    db: &rusqlite::Connection,
    visible: Option<String>,
    manages: bool,
    now: Timestamp,
) -> store::Result<Overview> {
    let today = now.as_seconds().div_euclid(86_400);
    let seen = visible.as_deref();
    let all = Filter { visible: visible.clone(), ..Filter::default() };
    let some = |state, limit| {
        let filter = Filter { state, ..all.clone() };
        package_lists::page(org, db, &filter, Place { limit, ..Place::default() }).map(|page| page.lines)
    };
    let mut trouble = Trouble::default();
    if manages {
        trouble.failed = some(package_lists::State::Failed, TOLD)?;
        trouble.held = some(package_lists::State::Held, TOLD)?;
        trouble.credentials = credentials::all(org, db)?;
        trouble.archives = archive_failures::newest(org, db, TOLD)?;
        trouble.syncs = syncs::all(org, db)?;
        trouble.hooks = platform_hooks::troubles(org, db)?;
    }
    let most = Place { by: package_lists::By::Installs, descending: true, limit: TOLD, ..Place::default() };
    Ok(Overview {
        counts: package_lists::counts(org, db, &all)?,
        versions: version_lists::count(org, db, seen)?,
        installs: installs::by_day(org, db, seen, today - chart::DAYS + 1)?,
        releases: releases::newest(org, db, seen, now - RECENT, RELEASES)?,
        lags: releases::lags(org, db, seen, now - DAY)?,
        // Whoever was never read has no name to be required by.
        example: package_lists::page(org, db, &all, most)?.lines.into_iter().find(|line| line.name.is_some()),
        trouble,
    })
}

/// What needs somebody, worst first.
fn told(reader: &Reads, state: &State, overview: &Overview, now: Timestamp) -> Vec<Problem> {
    let slug = &*reader.organization.slug;
    let Trouble { failed, held, credentials, archives, syncs, hooks } = &overview.trouble;
    let mut told: Vec<Problem> = super::syncs::troubles(state, slug, syncs, now);
    told.extend(super::syncs::hook_troubles(state, slug, syncs, hooks));
    told.extend(failed.iter().map(|line| failure(slug, line, now)));
    let more = overview.counts.failed - i64::try_from(failed.len()).unwrap_or(0);
    if more > 0 && !failed.is_empty() {
        told.push(Problem {
            tone: Tone::Fail,
            what: html! { (counted(more, "more package", "more packages")) " could not be updated" },
            detail: html! { "What was published of them before is still served." },
            cure: Some((format!("/orgs/{slug}/packages?state=failed"), "Show all that failed".to_owned())),
        });
    }
    told.extend(credentials.iter().filter_map(|credential| of_credential(slug, credential, now)));
    told.extend(held.iter().map(|line| Problem {
        tone: Tone::Warn,
        what: html! { span class="mono" { (line.name.as_ref().unwrap_or(&line.url)) } " waits for a decision" },
        detail: html! { (line.error.as_deref().unwrap_or("An administrator has to say whether it may be published.")) },
        cure: Some((address(slug, line.id, line.name.as_deref()), "Decide".to_owned())),
    }));
    told.extend(archives.iter().map(|failure| Problem {
        tone: Tone::Warn,
        what: html! { "An archive of " span class="mono" { (failure.name) } " cannot be built" },
        detail: html! {
            (sentence(&failure.failure.error)) " Commit " span class="mono" { (short(&failure.failure.reference)) } ", "
            (ago(failure.failure.failed_at, now)) "."
        },
        cure: Some((address(slug, failure.package, Some(&failure.name)), "Open the package".to_owned())),
    }));
    if reader.role >= Role::Admin && overview.counts.unhooked > 0 {
        let count = overview.counts.unhooked;
        told.push(Problem {
            tone: Tone::Warn,
            what: html! {
                (counted(count, "package has", "packages have")) " never been told of a push"
            },
            detail: html! { "Without a webhook, changes are only found by looking from time to time." },
            cure: Some((format!("/orgs/{slug}/packages?state=unhooked"), "Show them".to_owned())),
        });
    }
    // Stable, so that what is told first of a kind stays first.
    told.sort_by_key(|problem| problem.tone != Tone::Fail);
    told
}

fn failure(slug: &str, line: &Line, now: Timestamp) -> Problem {
    let served = if line.name.is_some() { " The last good version is still served." } else { "" };
    Problem {
        tone: Tone::Fail,
        what: html! { span class="mono" { (line.name.as_ref().unwrap_or(&line.url)) } " cannot be updated" },
        detail: html! {
            (sentence(line.error.as_deref().unwrap_or("The last update failed."))) (served)
            @if let Some(since) = line.failing_since { " Since " (ago(since, now)) "." }
        },
        cure: Some((address(slug, line.id, line.name.as_deref()), "Open the package".to_owned())),
    }
}

fn of_credential(slug: &str, credential: &Credential, now: Timestamp) -> Option<Problem> {
    let (tone, what) = match use_credentials::status(credential, now) {
        "refused" => (Tone::Fail, "is refused"),
        "expired" => (Tone::Fail, "has expired"),
        "expiring" => (Tone::Warn, "expires soon"),
        _ => return None,
    };
    Some(Problem {
        tone,
        what: html! { "Credential “" (credential.name) "” " (what) },
        detail: html! {
            @if let Some(trouble) = use_credentials::trouble(credential) { (trouble) " " }
            (counted(credential.used_by, "package uses", "packages use")) " it."
            @if let Some(end) = credential.expires_at { " It ends at " (absolute(end)) "." }
        },
        cure: Some((format!("/orgs/{slug}/credentials/{}", credential.name), "Replace the secret".to_owned())),
    })
}

/// A commit as people say it.
pub(super) fn short(reference: &str) -> &str {
    reference.get(..7).unwrap_or(reference)
}

fn begin(reader: &Reads, overview: &Overview) -> Markup {
    if overview.counts.all > 0 {
        return nothing();
    }
    let slug = &reader.organization.slug;
    if reader.role >= Role::Admin {
        empty(
            "No packages yet",
            "Add the address of a repository that has a composer.json, and each of its tags and branches becomes a version.",
            Some((&format!("/orgs/{slug}/packages/new"), "Add a package")),
            Some(&format!("packagist-selfhosted package add https://git.example.com/team/library.git --org {slug}")),
        )
    } else {
        empty(
            "No packages for you yet",
            "You see a package here once a team of yours may, or once it is given to you.",
            None,
            None,
        )
    }
}

fn recent(reader: &Reads, releases: &[Release], now: Timestamp) -> Markup {
    if releases.is_empty() {
        return nothing();
    }
    let slug = &*reader.organization.slug;
    html! {
        section aria-labelledby="h-r" {
            div class="head" {
                h2 id="h-r" { "Recent releases" }
                a class="small" href={ "/orgs/" (slug) "/packages?sort=-updated" } { "All packages by their last change" }
            }
            table class="table" {
                caption class="sr" { "The newest versions, with the time from push to served" }
                thead {
                    tr {
                        th scope="col" { "Package" }
                        th scope="col" { "Version" }
                        th scope="col" class="nowrap" { "Released" }
                        th scope="col" class="num" { "Served after" }
                    }
                }
                tbody {
                    @for release in releases {
                        tr {
                            th scope="row" {
                                a class="name" href=(address(slug, release.package, Some(&release.name))) { (release.name) }
                            }
                            td data-label="Version" { span class="mono" { (release.version) } }
                            td data-label="Released" class="nowrap" { (ago(Timestamp::from_seconds(release.released_at), now)) }
                            td data-label="Served after" class="num" { (served_after(release.announced_at, release.served_at)) }
                        }
                    }
                }
            }
            p class="muted small gap" { "“Served after” is the time from the push until Composer could install it, where a webhook told of the push." }
        }
    }
}

/// How long it took from the push to its being served.
pub(super) fn served_after(announced: Option<Timestamp>, served: Option<Timestamp>) -> Markup {
    match announced.zip(served) {
        None => html! { span class="muted" title="No webhook told of it" { "–" } },
        Some((announced, served)) => {
            let took = served.since(announced);
            if took > SLOW {
                status(Tone::Warn, &duration(took))
            } else {
                html! { (duration(took)) }
            }
        }
    }
}

fn steps(reader: &Reads, state: &State, repository: &str, example: Option<&Line>) -> Markup {
    let slug = &reader.organization.slug;
    let sign_in =
        format!("composer config --global --auth http-basic.{} {} YOUR_TOKEN", state.host, reader.who.user.name);
    let add = format!("composer config repositories.{slug} composer {repository}");
    let require = example.and_then(|line| Some(requirement(line.name.as_deref()?, line.latest.as_deref())));
    html! {
        section aria-labelledby="h-s" {
            h2 id="h-s" { "Use these packages in a project" }
            ol class="steps" {
                li {
                    h3 { "Let Composer sign in, once per machine" }
                    (snippet_bare("s1", "Shell", &sign_in))
                    p class="hint" { "Your token is shown once when it is made: " a href="/profile#token" { "make one on your profile" }
                        ", where this line fills itself in." }
                }
                li {
                    h3 { "Add the repository to the project" }
                    (snippet_bare("s2", "Shell, in the project", &add))
                }
                li {
                    h3 { "Require a package" }
                    (snippet_bare("s3", "Shell, in the project", require.as_deref().unwrap_or("composer require VENDOR/PACKAGE")))
                    @if reader.role >= Role::Admin {
                        p class="hint" { "For CI, " a href={ "/orgs/" (slug) "/tokens" } { "use an organization token" }
                            " with snippets for GitHub Actions, GitLab CI and Bitbucket Pipelines." }
                    }
                }
            }
        }
    }
}

/// The command that installs a package: at its latest release, if it has one.
pub(super) fn requirement(name: &str, latest: Option<&str>) -> String {
    let latest = latest.map(|latest| latest.trim_start_matches(['v', 'V']));
    match latest.filter(|latest| latest.starts_with(|letter: char| letter.is_ascii_digit())) {
        Some(latest) => {
            let mut numbers = latest.split(['.', '-', '+']);
            let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
            let stability = match stability::of_version(latest) {
                Stability::Stable => String::new(),
                other => format!("@{other}"),
            };
            format!("composer require {name}:^{major}.{minor}{stability}")
        }
        None => match latest {
            Some(branch) => format!("composer require {name}:{branch}"),
            None => format!("composer require {name}"),
        },
    }
}

fn figures(reader: &Reads, overview: &Overview, now: Timestamp) -> Markup {
    let slug = &reader.organization.slug;
    let today = now.as_seconds().div_euclid(86_400);
    let took = |micros: i64| duration(Duration::from_micros(micros.unsigned_abs()));
    let role = match reader.role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Member => "Member",
        Role::Collaborator => "Collaborator",
    };
    let scope = match reader.view.set {
        AccessSet::All => "all packages".to_owned(),
        AccessSet::Some(_) => counted(overview.counts.all, "package", "packages"),
    };
    html! {
        aside class="aside" aria-label="Figures" {
            dl class="kv" {
                dt { "Packages" }
                dd {
                    a href={ "/orgs/" (slug) "/packages" } { (number(overview.counts.all)) } ", "
                    (counted(overview.versions, "version", "versions"))
                }
                dt { "Push to served" }
                dd {
                    @match (overview.lags.get(overview.lags.len() / 2), overview.lags.last()) {
                        (Some(median), Some(worst)) => { (took(*median)) " median today, " (took(*worst)) " at worst" }
                        _ => "No push today",
                    }
                }
                dt { "Your access" }
                dd { (role) ", " (scope) ". " a href={ "/orgs/" (slug) "/access?user=" (reader.who.user.name) } { "Why?" } }
                dt { "Installs, 30 days" }
                dd {
                    (chart::installs(&overview.installs, today))
                    span class="muted" { (number(chart::sum(&overview.installs))) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::requirement;

    #[test]
    fn what_one_pastes_installs_the_latest() {
        for (latest, expected) in [
            (Some("v2.3.1"), "composer require a/b:^2.3"),
            (Some("7.0.0-RC2"), "composer require a/b:^7.0@RC"),
            (Some("dev-main"), "composer require a/b:dev-main"),
            (Some("3"), "composer require a/b:^3.0"),
            (None, "composer require a/b"),
        ] {
            assert_eq!(requirement("a/b", latest), expected);
        }
    }
}
