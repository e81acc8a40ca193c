//! The versions of a package: the newest, all of them some at a time, and one with everything about it.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::components::{Tone, absolute, ago, badge, bytes, callout, number, status};
use super::super::overview::{served_after, short};
use super::show::{link_list, more_links, of_kind, web_link};
use super::{At, Path, Seen, nothing_here};
use crate::admin::made::Kind;
use crate::clock::Timestamp;
use crate::composer::stability::Stability;
use crate::composer::version::{self, NormalizedVersion};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::ids::{ListingId, OrgId, PackageId};
use crate::store::version_events::{self, Event};
use crate::store::version_lists::{self, Line};
use crate::store::{self, listings};

use super::super::chart;

/// How many versions a page shows.
const SHOWN: usize = 50;

/// A package's versions: releases, newest first, then branches.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) listing: Option<ListingId>,
    lines: Vec<Line>,
    installs: HashMap<NormalizedVersion, i64>,
    repointed: HashMap<NormalizedVersion, Event>,
}

impl Versions {
    pub(super) fn read(org: OrgId, db: &Connection, package: PackageId, since: i64) -> store::Result<Self> {
        let current = listings::of_package(org, db, package)?.into_iter().find(|listing| listing.current);
        let Some(current) = current else { return Ok(Self::default()) };
        let mut lines = version_lists::of_listing(org, db, package, current.id)?;
        lines.sort_by(|a, b| {
            let newer = || version::compare(b.version_normalized.as_str(), a.version_normalized.as_str());
            a.dev
                .cmp(&b.dev)
                .then(b.default_branch.cmp(&a.default_branch))
                .then_with(newer)
                .then_with(|| a.version.cmp(&b.version))
        });
        Ok(Self {
            listing: Some(current.id),
            lines,
            installs: version_lists::installs(org, db, package, since)?,
            repointed: version_events::repointed(org, db, package)?,
        })
    }

    /// The version that people mean who name none.
    pub(super) fn latest(&self) -> Option<&Line> {
        let stable = |line: &&Line| !line.dev && line.version_normalized.stability() == Stability::Stable;
        self.lines.iter().find(stable).or_else(|| self.lines.first())
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The newest releases, and the default branch as the last.
    pub(super) fn newest(&self, count: usize) -> Vec<&Line> {
        let branch = self.lines.iter().find(|line| line.default_branch);
        let releases = self.lines.iter().filter(|line| !line.dev);
        let room = count.saturating_sub(usize::from(branch.is_some()));
        let mut newest: Vec<&Line> = releases.take(room).collect();
        newest.extend(branch);
        if newest.is_empty() {
            newest.extend(self.lines.iter().take(count));
        }
        newest
    }

    /// Bytes of the archives that are stored.
    pub(super) fn archives(&self) -> i64 {
        self.lines.iter().filter_map(|line| line.archive).sum()
    }
}

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Query {
    /// One version, as people write it.
    version: String,
    /// The version before the first.
    after: String,
}

/// Answers `…/versions`.
pub async fn versions(
    reader: Reads,
    path: Path,
    query: web::Query<Query>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let (org, package, now) = (seen.reader.org(), seen.package.id, state.appliance.now());
    let since = now.as_seconds().div_euclid(86_400) - chart::DAYS + 1;
    let wanted = query.version.clone();
    let (all, metadata) = state
        .appliance
        .database
        .read(move |db| {
            let all = Versions::read(org, db, package, since)?;
            let line = all.lines.iter().find(|line| line.version == wanted);
            let metadata = match (line, all.listing) {
                (Some(line), Some(listing)) => version_lists::metadata(org, db, listing, &line.version_normalized)?,
                _ => None,
            };
            Ok::<_, store::Error>((all, metadata))
        })
        .await?;
    if query.version.is_empty() {
        return Ok(seen.page(At::Versions, "Versions", None, &list(&seen, &all, &query.after, now)));
    }
    let line = all.lines.iter().find(|line| line.version == query.version);
    let Some((line, metadata)) = line.zip(metadata) else { return Err(seen.reader.not_found()) };
    let metadata = serde_json::from_str(&metadata).unwrap_or_default();
    let title = format!("Version {}", line.version);
    Ok(seen.page(At::Versions, &title, None, &one(&seen, line, &metadata)))
}

fn list(seen: &Seen, all: &Versions, after: &str, now: Timestamp) -> Markup {
    if all.is_empty() {
        return none_yet(seen);
    }
    let begin = all.lines.iter().position(|line| !after.is_empty() && line.version == after).map_or(0, |at| at + 1);
    let lines: Vec<&Line> = all.lines.iter().skip(begin).take(SHOWN).collect();
    let end = begin + lines.len();
    let page = |after: &str| {
        let after: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
        format!("{}/versions?after={after}", seen.base)
    };
    let before = begin.checked_sub(SHOWN + 1).and_then(|at| all.lines.get(at));
    html! {
        section aria-label="Versions" {
            p class="gap-b" { a href={ (seen.base) "/history" } { "What changed" } " tells which versions came, went or name another commit." }
            (table(seen, &lines, all, now))
            nav class="pager" aria-label="Pages" {
                span { (begin + 1) "–" (end) " of " (all.len()) }
                div class="row" {
                    @if begin > 0 {
                        a class="btn small" rel="prev" href=(before.map_or_else(|| format!("{}/versions", seen.base), |line| page(&line.version))) { "Previous" }
                    }
                    @if end < all.len() {
                        @if let Some(last) = lines.last() { a class="btn small" rel="next" href=(page(&last.version)) { "Next" } }
                    }
                }
            }
        }
    }
}

/// A sentence where there are no versions.
pub(super) fn none_yet(seen: &Seen) -> Markup {
    nothing_here(match seen.kind() {
        Some(Kind::Artifact) => "None: upload an archive.",
        Some(Kind::Custom) => "None yet: they appear when their archives have been fetched.",
        Some(Kind::Blocked) => "None: the name is blocked.",
        None => "None yet: they appear when the repository has been read.",
    })
}

/// Where a version is shown with everything about it.
fn version_address(seen: &Seen, version: &str) -> String {
    let version: String = url::form_urlencoded::byte_serialize(version.as_bytes()).collect();
    format!("{}/versions?version={version}", seen.base)
}

pub(super) fn table(seen: &Seen, lines: &[&Line], all: &Versions, now: Timestamp) -> Markup {
    let latest = all.latest().filter(|line| !line.dev).map(|line| &line.version_normalized);
    html! {
        table class="table" {
            caption class="sr" { "Versions, newest first" }
            thead {
                tr {
                    th scope="col" { "Version" }
                    th scope="col" { "Stability" }
                    th scope="col" { "Reference" }
                    th scope="col" class="nowrap" { "Released" }
                    th scope="col" { "Archive" }
                    th scope="col" class="num" { "Served after" }
                    th scope="col" class="num" { "Installs, 30 d" }
                }
            }
            tbody {
                @for line in lines {
                    tr {
                        th scope="row" {
                            a class="name" href=(version_address(seen, &line.version)) { (line.version) }
                            @if latest == Some(&line.version_normalized) { " " (badge(Tone::Ok, "latest")) }
                            @if line.default_branch { " " (badge(Tone::Neutral, "default branch")) }
                            (super::history::mark(all.repointed.get(&line.version_normalized)))
                        }
                        td data-label="Stability" { (line.version_normalized.stability()) }
                        td data-label="Reference" { span class="mono" title=(line.reference) { (short(&line.reference)) } }
                        td data-label="Released" class="nowrap" {
                            @if let Some(at) = line.released_at { (ago(Timestamp::from_seconds(at), now)) }
                        }
                        td data-label="Archive" class="nowrap" { (archive(line)) }
                        td data-label="Served after" class="num" { (served_after(line.announced_at, line.served_at)) }
                        td data-label="Installs, 30 d" class="num" {
                            (number(all.installs.get(&line.version_normalized).copied().unwrap_or(0)))
                        }
                    }
                }
            }
        }
    }
}

fn archive(line: &Line) -> Markup {
    match line.archive {
        _ if line.forgotten => status(Tone::Fail, "Purged"),
        Some(size) => {
            html! { (status(Tone::Ok, "Ready")) " " span class="muted small" { (bytes(size.unsigned_abs())) } }
        }
        None => html! { span class="muted" { "On demand" } },
    }
}

fn one(seen: &Seen, line: &Line, metadata: &Map<String, Value>) -> Markup {
    let text = |of: &str, field: &str| metadata.get(of).and_then(|of| of.get(field)).and_then(Value::as_str);
    let licences: Vec<&str> =
        metadata.get("license").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let source = text("source", "url").unwrap_or_default();
    html! {
        div class="sections" {
            section aria-labelledby="h-v" {
                h2 id="h-v" class="mono" { (line.version) }
                @if line.forgotten {
                    (callout(Tone::Fail, "The archive of this version was purged", &html! { p { "Composer is answered 410: its commit must not be installed any more." } }))
                }
                dl class="kv gap" {
                    dt { "Normalized" } dd class="mono" { (line.version_normalized.as_str()) }
                    dt { "Stability" } dd { (line.version_normalized.stability()) }
                    @if let Some(at) = line.released_at { dt { "Released" } dd { (absolute(Timestamp::from_seconds(at))) } }
                    @if let Some(at) = line.served_at {
                        dt { "Served" }
                        dd {
                            "since " (absolute(at))
                            @if line.announced_at.is_some() { ", " (served_after(line.announced_at, line.served_at)) " after the push" }
                        }
                    }
                    dt { "Source" }
                    dd {
                        (text("source", "type").unwrap_or("git")) " "
                        @match web_link(source) {
                            Some(url) => a href=(url) rel="nofollow noopener noreferrer" { (source) },
                            None => span class="mono" { (source) },
                        }
                    }
                    dt { "Reference" } dd class="mono" { (line.reference) }
                    dt { "Archive" } dd { (archive(line)) }
                    dt { "Type" } dd { (metadata.get("type").and_then(Value::as_str).unwrap_or("library")) }
                    @if !licences.is_empty() { dt { "Licence" } dd { (licences.join(", ")) } }
                }
                @if seen.manages() && !line.forgotten {
                    form class="gap" method="post" action={ (seen.base) "/forget" } {
                        (super::csrf(&seen.reader.who.csrf))
                        input type="hidden" name="reference" value=(line.reference);
                        button class="btn small danger" { "Purge the archive of this commit…" }
                    }
                }
            }
            section aria-labelledby="h-l" {
                h2 id="h-l" { "Requires" }
                @match of_kind(metadata, "require") {
                    Some(links) => (link_list(seen, links)),
                    None => (nothing_here("Nothing.")),
                }
                (more_links(seen, metadata))
            }
        }
    }
}
