//! What a package is, at a glance.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::super::chart;
use super::super::components::{Tone, ago, bytes, callout, duration, nothing, number, snippet_line};
use super::super::forms::sentence;
use super::super::overview::requirement;
use super::super::packages::source_words;
use super::versions::{self, Versions};
use super::{At, Path, Seen, address, nothing_here};
use crate::admin::made::Kind;
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::archive_failures::{self, ArchiveFailure};
use crate::store::requirements::{self, Dependent};
use crate::store::runs::{self, Run};
use crate::store::sync_lists::{self, Told};
use crate::store::version_events::{self, Event};
use crate::store::{self, installs, version_lists};

/// How many versions the first tab shows.
const NEWEST: usize = 6;
/// How many dependents it shows.
const SOME: usize = 12;
/// How many runs are looked through for the last push.
const RUNS: i64 = 30;
/// How many links of a kind are shown at once.
const LINKS: usize = 200;

/// What the page shows beside the package itself.
struct Facts {
    versions: Versions,
    metadata: Map<String, Value>,
    dependents: Vec<Dependent>,
    installs: Vec<(i64, i64)>,
    archive_failure: Option<ArchiveFailure>,
    repointed: HashMap<NormalizedVersion, Event>,
    last: Option<Run>,
    /// From the last push that changed something to its being served.
    served_after: Option<Duration>,
    /// How its platform tells of it; for whoever manages it.
    told: Option<Told>,
}

/// Answers `/orgs/{org}/packages/{vendor}/{name}`.
pub async fn show(reader: Reads, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let now = state.appliance.now();
    let facts = read(&seen, &state, now).await?;
    let inside = super::directories::inside(&seen, &state).await?;
    let description = facts.metadata.get("description").and_then(Value::as_str).map(str::to_owned);
    // The root of a repository with several packages is a package only if that is said.
    let has_versions = seen.package.directories.is_none() || !facts.versions.is_empty();
    let content = html! {
        (progress(&seen))
        (trouble(&seen, &facts, now))
        div class="split" {
            div class="sections" {
                @if let Some(name) = seen.package.name.as_ref().filter(|_| seen.kind() != Some(Kind::Blocked)) {
                    section aria-label="Install" {
                        (snippet_line("install", "Install", &requirement(name, facts.versions.latest().map(|line| line.version.as_str()))))
                    }
                }
                (inside)
                @if has_versions { section id="versions" aria-labelledby="h-v" {
                    div class="head" {
                        h2 id="h-v" { "Versions" }
                        @if facts.versions.len() > NEWEST {
                            a class="small" href={ (seen.base) "/versions" } { "All " (number(seen.package.versions)) " versions" }
                        }
                    }
                    @if facts.versions.is_empty() {
                        (versions::none_yet(&seen))
                    } @else {
                        (versions::table(&seen, &facts.versions.newest(NEWEST), &facts.versions, now))
                    }
                } }
                (links(&seen, &facts))
                (some_dependents(&seen, &facts.dependents))
            }
            (aside(&seen, &facts, now))
        }
    };
    Ok(seen.page(At::Overview, "", description.as_deref(), &content))
}

async fn read(seen: &Seen, state: &State, now: Timestamp) -> Result<Facts, PageError> {
    let (org, package, name) = (seen.reader.org(), seen.package.id, seen.package.name.clone());
    let source = seen.package.source();
    let since = now.as_seconds().div_euclid(86_400) - chart::DAYS + 1;
    let manages = seen.manages();
    let mut facts = state
        .appliance
        .database
        .read(move |db| {
            let versions = Versions::read(org, db, package, since)?;
            let metadata = match (versions.listing, versions.latest()) {
                (Some(listing), Some(latest)) => version_lists::metadata(org, db, listing, &latest.version_normalized)?,
                _ => None,
            };
            let dependents = match &name {
                Some(name) => requirements::dependents(org, db, name)?,
                None => Vec::new(),
            };
            let runs = runs::of_package(org, db, source, RUNS)?;
            let pushed = runs.iter().find(|run| run.cause == "hook" && run.outcome == "changed");
            Ok::<_, store::Error>(Facts {
                served_after: pushed.map(|run| run.ended_at.since(run.asked_at)),
                told: if manages { sync_lists::told(org, db, source)? } else { None },
                last: runs.into_iter().next(),
                versions,
                metadata: metadata.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
                dependents,
                installs: installs::of_package(org, db, package, since)?,
                archive_failure: archive_failures::of_package(org, db, package)?,
                repointed: version_events::repointed(org, db, package)?,
            })
        })
        .await?;
    facts.dependents.retain(|other| seen.reader.organization.includes(other.package, &seen.reader.view));
    Ok(facts)
}

/// What is shown while somebody works on the package; it changes by itself where there is a script.
fn progress(seen: &Seen) -> Markup {
    if !seen.is_busy {
        return nothing();
    }
    html! {
        section class="gap-b" aria-label="Progress" data-live={ (seen.base) "/events" } {
            div class="row between" {
                (super::activity::progress(&seen.package.status, None))
                span class="muted small" data-live-state { a href=(seen.base) { "Reload" } " to see more" }
            }
        }
    }
}

fn trouble(seen: &Seen, facts: &Facts, now: Timestamp) -> Markup {
    let served = if seen.package.versions > 0 { " What was published before is still served." } else { "" };
    let error = seen.package.error.as_deref().unwrap_or_default();
    html! {
        @if seen.kind() == Some(Kind::Blocked) {
            div class="gap-b" { (callout(Tone::Neutral, "This name is blocked", &html! {
                p { "Whoever asks for it is told that it has no version, and Composer asks no other repository for it. To lift it, remove the package." }
            })) }
        }
        @if seen.package.status == "failed" {
            div class="gap-b" { (callout(Tone::Fail, "The last update failed", &html! {
                p { (sentence(error)) (served) }
                @if let Some(last) = &facts.last { p class="small" { "Tried " (ago(last.ended_at, now)) ". " a href={ (seen.base) "/log" } { "Update log" } } }
            })) }
        }
        (super::life::conflict(seen))
        (super::history::warning(seen, &facts.repointed, now))
        @if seen.package.status == "held" && seen.package.held_name.is_none() {
            div class="gap-b" { (callout(Tone::Warn, "Waits for a decision", &html! {
                p { (error) (served) }
                @if seen.manages() { (super::settings::decision(seen)) }
            })) }
        }
        @if let Some(failure) = &facts.archive_failure {
            div class="gap-b" { (callout(Tone::Warn, "An archive cannot be built", &html! {
                p { (sentence(&failure.error)) " Commit " span class="mono" { (failure.reference) } ", " (ago(failure.failed_at, now)) "." }
            })) }
        }
    }
}

fn links(seen: &Seen, facts: &Facts) -> Markup {
    let Some(latest) = facts.versions.latest() else { return nothing() };
    html! {
        section id="links" aria-labelledby="h-l" {
            h2 id="h-l" { "Requires " span class="muted mono" { (latest.version) } }
            @match of_kind(&facts.metadata, "require") {
                Some(links) => (link_list(seen, links)),
                None => (nothing_here("Nothing.")),
            }
            (more_links(seen, &facts.metadata))
        }
    }
}

/// The kinds of links that are shown when somebody asks for them.
pub(super) fn more_links(seen: &Seen, metadata: &Map<String, Value>) -> Markup {
    let kinds = [
        ("require-dev", "for development"),
        ("suggest", "suggested"),
        ("conflict", "in conflict"),
        ("replace", "replaced"),
        ("provide", "provided"),
    ];
    html! {
        @for (kind, words) in kinds {
            @if let Some(links) = of_kind(metadata, kind) {
                details class="more" {
                    summary { (links.len()) " " (words) }
                    (link_list(seen, links))
                }
            }
        }
    }
}

pub(super) fn of_kind<'a>(metadata: &'a Map<String, Value>, kind: &str) -> Option<&'a Map<String, Value>> {
    metadata.get(kind).and_then(Value::as_object).filter(|links| !links.is_empty())
}

/// Names with their constraints; those of the organization that the person may see are links.
pub(super) fn link_list(seen: &Seen, links: &Map<String, Value>) -> Markup {
    let reader = &seen.reader;
    html! {
        dl class="kv" {
            @for (name, range) in links.iter().take(LINKS) {
                @let ours = reader.organization.find(&name.to_lowercase(), &reader.view);
                @let ours = ours.filter(|entry| reader.organization.includes(entry.package, &reader.view));
                dt class="mono" {
                    @match ours {
                        Some(entry) => a href=(address(&reader.organization.slug, entry.package, Some(name))) { (name) },
                        None => (name),
                    }
                }
                dd class="mono" { (range.as_str().unwrap_or_default()) }
            }
        }
        @if links.len() > LINKS { p class="muted small" { "And " (links.len() - LINKS) " more." } }
    }
}

fn some_dependents(seen: &Seen, dependents: &[Dependent]) -> Markup {
    if dependents.is_empty() {
        return nothing();
    }
    let more = dependents.len().saturating_sub(SOME);
    html! {
        section id="dependents" aria-labelledby="h-d" {
            h2 id="h-d" { "Dependents" }
            (dependent_list(seen, dependents.iter().take(SOME)))
            @if more > 0 {
                p class="small" { a href={ (seen.base) "/dependents" } { (more) " more packages of this organization" } }
            }
        }
    }
}

fn dependent_list<'a>(seen: &Seen, dependents: impl Iterator<Item = &'a Dependent>) -> Markup {
    html! {
        ul class="plain row wide" {
            @for other in dependents {
                li {
                    a class="mono" href=(address(&seen.reader.organization.slug, other.package, Some(&other.name))) { (other.name) }
                    " " span class="muted mono" { (other.range) }
                    @if other.dev { " " span class="muted small" { "for development" } }
                }
            }
        }
    }
}

/// Answers `…/dependents`.
pub async fn dependents(reader: Reads, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let (org, name) = (seen.reader.org(), seen.package.name.clone().unwrap_or_default());
    let mut all = state.appliance.database.read(move |db| requirements::dependents(org, db, &name)).await?;
    all.retain(|other| seen.reader.organization.includes(other.package, &seen.reader.view));
    let content = html! {
        section aria-labelledby="h-d" {
            h2 id="h-d" { "Dependents" }
            @if all.is_empty() {
                (nothing_here("No package of the organization that you may see requires it in its latest version."))
            } @else {
                (dependent_list(&seen, all.iter()))
                p class="muted small gap" { "By what the latest version of each package requires. You see only those that you may install." }
            }
        }
    };
    Ok(seen.page(At::Dependents, "Dependents", None, &content))
}

fn aside(seen: &Seen, facts: &Facts, now: Timestamp) -> Markup {
    let package = &seen.package;
    let slug = &seen.reader.organization.slug;
    let today = now.as_seconds().div_euclid(86_400);
    let size: i64 = facts.versions.archives();
    let text = |field: &str| facts.metadata.get(field).and_then(Value::as_str);
    let licences: Vec<&str> = facts
        .metadata
        .get("license")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    html! {
        aside class="aside" aria-label="About this package" {
            dl class="kv" {
                dt { "Source" }
                @if let Some(kind) = seen.kind() { dd { (kind.words()) } } @else { dd {
                    @match web_link(&package.url) {
                        Some(url) => a href=(url) rel="nofollow noopener noreferrer" { (package.url) },
                        None => span class="mono" { (package.url) },
                    }
                    " " span class="muted" { "(" (source_words(&package.url, &package.vcs)) ")" }
                } }
                (super::directories::place(seen))
                @if seen.manages() && seen.kind().is_none_or(|kind| kind == Kind::Custom) {
                    dt { "Credential" }
                    dd {
                        @match &package.credential_name {
                            Some(name) => a href={ "/orgs/" (slug) "/credentials/" (name) } { (name) },
                            None => "none",
                        }
                    }
                }
                @if !licences.is_empty() { dt { "Licence" } dd { (licences.join(", ")) } }
                @if let Some(url) = text("homepage").and_then(web_link) {
                    dt { "Homepage" }
                    dd { a href=(url) rel="nofollow noopener noreferrer" { (url) } }
                }
                (support(&facts.metadata))
                (authors(&facts.metadata))
                dt { "Installs, 30 days" }
                dd {
                    (chart::installs(&facts.installs, today))
                    span class="muted" { (number(chart::sum(&facts.installs))) }
                }
                @if let Some(last) = &facts.last {
                    dt { "Last update" }
                    dd { (ago(last.ended_at, now)) ", " (super::activity::outcome_words(last)) }
                }
                @if let Some(took) = facts.served_after { dt { "Push to served" } dd { (duration(took)) ", the last time" } }
                @if let Some(told) = &facts.told { (super::super::syncs::told(slug, told, now)) }
                @if size > 0 { dt { "Archives" } dd { (bytes(size.unsigned_abs())) } }
            }
        }
    }
}

fn support(metadata: &Map<String, Value>) -> Markup {
    let support = of_kind(metadata, "support");
    let links = support.into_iter().flatten().filter_map(|(kind, value)| {
        let value = value.as_str()?;
        let target = if kind == "email" { mail_link(value)? } else { web_link(value)? };
        Some((kind.clone(), target))
    });
    let links: Vec<_> = links.take(10).collect();
    html! {
        @if !links.is_empty() {
            dt { "Support" }
            dd {
                @for (index, (kind, target)) in links.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(target) rel="nofollow noopener noreferrer" { (kind) }
                }
            }
        }
    }
}

fn authors(metadata: &Map<String, Value>) -> Markup {
    let authors = metadata.get("authors").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = authors.filter_map(|author| author.get("name")?.as_str()).take(10).collect();
    html! {
        @if !names.is_empty() {
            dt { "Authors" }
            dd dir="auto" { (names.join(", ")) }
        }
    }
}

/// An address that a browser may be sent to: what manifests say is written by anybody.
pub(super) fn web_link(text: &str) -> Option<String> {
    let url = url::Url::parse(text.trim()).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && plain && url.has_host()).then(|| url.to_string())
}

/// The same for a mail address.
fn mail_link(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.+-_".contains(c);
    (text.contains('@') && text.chars().all(plain)).then(|| format!("mailto:{text}"))
}

#[cfg(test)]
mod tests {
    use super::{mail_link, web_link};

    #[test]
    fn manifests_lead_only_to_web_and_mail() {
        assert_eq!(web_link("https://example.com/a").as_deref(), Some("https://example.com/a"));
        for hostile in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example",
            "https://user:secret@example.com/",
            "git@example.com:a/b",
            "",
        ] {
            assert_eq!(web_link(hostile), None, "{hostile}");
        }
        assert_eq!(mail_link("dev@example.com").as_deref(), Some("mailto:dev@example.com"));
        for hostile in ["javascript:alert(1)//@", "a@b.example?bcc=x", "nobody"] {
            assert_eq!(mail_link(hostile), None, "{hostile}");
        }
    }
}
