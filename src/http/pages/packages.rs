//! The packages of an organization: found, sorted, added, and changed many at a time.

pub(in super::super) mod add;
mod bulk;
pub mod made;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{Tab, Tone, ago, badge, counted, empty, head, nothing, number, running, status, tabs};
use super::layout::{self, Here, csrf};
use super::overview::visible;
use super::package::address;
use crate::access::role::Role;
use crate::admin::made::Kind;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store;
use crate::store::ids::PackageId;
use crate::store::package_lists::{self, By, Counts, Filter, Line, Page, Place, Source};

pub(super) use add::credential_choices;
pub use add::{add, new};
pub use bulk::bulk;

/// How many packages a page shows.
const SHOWN: i64 = 50;
/// How many words a search has at most.
const WORDS: usize = 6;
/// How many teams one can choose from; more are reached from the team's own page.
const TEAMS: i64 = 200;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    q: String,
    state: String,
    source: String,
    team: String,
    credential: String,
    sort: String,
    after: String,
    before: String,
}

const STATES: [(&str, &str, package_lists::State); 5] = [
    ("", "All", package_lists::State::All),
    ("failed", "Failed", package_lists::State::Failed),
    ("held", "Waiting for a decision", package_lists::State::Held),
    ("unhooked", "No webhook yet", package_lists::State::Unhooked),
    ("abandoned", "Abandoned", package_lists::State::Abandoned),
];

const SOURCES: [(&str, &str, Option<Source>); 4] = [
    ("", "Any", None),
    ("web", "HTTPS", Some(Source::Web)),
    ("ssh", "SSH", Some(Source::Ssh)),
    ("local", "This machine", Some(Source::Local)),
];

impl Query {
    /// What is looked for, of what the person may see.
    fn filter(&self, visible: Option<String>) -> Filter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let state = STATES.iter().find(|(word, ..)| *word == self.state).map(|(.., state)| *state);
        Filter {
            visible,
            words: self.q.to_lowercase().split_whitespace().take(WORDS).map(str::to_owned).collect(),
            state: state.unwrap_or_default(),
            source: SOURCES.iter().find(|(word, ..)| *word == self.source).and_then(|(.., source)| *source),
            credential: given(&self.credential),
            team: given(&self.team),
        }
    }

    fn place(&self) -> Place {
        let id = |text: &str| text.parse().ok().map(PackageId);
        let (by, descending) = self.order();
        Place { by, descending, after: id(&self.after), before: id(&self.before), limit: SHOWN }
    }

    fn order(&self) -> (By, bool) {
        let (word, descending) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        match word {
            "updated" => (By::Updated, descending),
            "installs" => (By::Installs, descending),
            _ => (By::Name, descending && word == "name"),
        }
    }

    /// Whether nothing is looked for in particular.
    fn is_everything(&self) -> bool {
        let filters = [&self.q, &self.state, &self.source, &self.team, &self.credential];
        filters.iter().all(|filter| filter.is_empty())
    }

    /// What the list's forms carry along.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("q", &self.q),
            ("state", &self.state),
            ("source", &self.source),
            ("team", &self.team),
            ("credential", &self.credential),
            ("sort", &self.sort),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
    }

    /// The list's address with the same question, but for `changes`; it begins anew at its first page.
    fn address(&self, base: &str, changes: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let kept = self.fields();
        let kept = kept.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        for (name, value) in kept {
            query.append_pair(name, value);
        }
        for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        match query.finish() {
            query if query.is_empty() => base.to_owned(),
            query => format!("{base}?{query}"),
        }
    }
}

/// What the list's address is.
fn base(reader: &Reads) -> String {
    format!("/orgs/{}/packages", reader.organization.slug)
}

/// Answers `/orgs/{org}/packages`.
pub async fn list(reader: Reads, query: web::Query<Query>, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let (org, query) = (reader.org(), query.into_inner());
    let (filter, place) = (query.filter(visible(&reader)), query.place());
    let (page, counts, total, teams) = state
        .appliance
        .database
        .read(move |db| {
            let everything = Filter { visible: filter.visible.clone(), ..Filter::default() };
            let page = package_lists::page(org, db, &filter, place)?;
            let total = package_lists::counts(org, db, &everything)?.all;
            let teams = package_lists::teams(org, db, TEAMS)?;
            Ok::<_, store::Error>((page, package_lists::counts(org, db, &filter)?, total, teams))
        })
        .await?;
    let content = html! {
        (head("Packages", &nothing(), &actions(&reader, total)))
        @if total == 0 {
            (nothing_yet(&reader))
        } @else {
            (state_tabs(&reader, &query, &counts))
            (filters(&reader, &query, &teams))
            (results(&reader, &query, &page, &counts, state.appliance.now()))
        }
    };
    Ok(layout::page(&reader.chrome(), Here::Packages, "Packages", &content))
}

fn actions(reader: &Reads, total: i64) -> Markup {
    if reader.role < Role::Admin || total == 0 {
        return nothing();
    }
    html! { a class="btn primary" href={ (base(reader)) "/new" } { "Add a package" } }
}

fn nothing_yet(reader: &Reads) -> Markup {
    if reader.role < Role::Admin {
        return empty(
            "No packages for you yet",
            "You see a package here once a team of yours may, or once it is given to you. An admin of the organization can do that.",
            None,
            None,
        );
    }
    let slug = &reader.organization.slug;
    html! {
        div class="sections" {
            (empty(
                "No packages yet",
                "A package is a repository with a composer.json: each of its tags and branches becomes a version.",
                Some((&format!("{}/new", base(reader)), "Add one by address")),
                Some(&format!("packagist-selfhosted package add https://git.example.com/team/library.git --org {slug}")),
            ))
            section aria-labelledby="h-n" {
                h2 id="h-n" { "What happens next" }
                ol class="steps" {
                    li { h3 { "The repository is read" } p class="muted" { "The page shows what is found, and why a tag or branch is no version." } }
                    li { h3 { "Composer can install it" } p class="muted" { "At once, for everybody who may see the package." } }
                    li { h3 { "From then on, pushes arrive by themselves" } p class="muted" { "Give the package’s webhook address to the platform: a push is installable in about a second. Without one, the repository is looked at from time to time." } }
                }
            }
        }
    }
}

fn state_tabs(reader: &Reads, query: &Query, counts: &Counts) -> Markup {
    let all = STATES.iter().map(|(word, label, state)| Tab {
        address: query.address(&base(reader), &[("state", word)]),
        label: (*label).to_owned(),
        count: Some(counts.of(*state)),
        current: *word == query.state,
    });
    // A state that nothing is in is no news, unless somebody looks at it.
    let shown: Vec<Tab> = all.filter(|tab| tab.current || tab.label == "All" || tab.count != Some(0)).collect();
    tabs("Packages by state", &shown)
}

fn filters(reader: &Reads, query: &Query, teams: &[String]) -> Markup {
    html! {
        form class="filters" method="get" action=(base(reader)) data-filter role="search" aria-label="Filter packages" {
            @for (name, value) in query.fields() {
                @if matches!(name, "state" | "credential" | "sort") { input type="hidden" name=(name) value=(value); }
            }
            div class="field grow" {
                label for="f-q" { "Name or description" }
                input id="f-q" name="q" type="search" value=(query.q) placeholder="acme/…" autocomplete="off";
            }
            div class="field half" {
                label for="f-s" { "Source" }
                select id="f-s" name="source" {
                    @for (word, label, _) in SOURCES { option value=(word) selected[word == query.source] { (label) } }
                }
            }
            @if !teams.is_empty() {
                div class="field half" {
                    label for="f-t" { "Team" }
                    select id="f-t" name="team" {
                        option value="" { "Any" }
                        @for path in teams { option value=(path) selected[*path == query.team] { (path) } }
                    }
                }
            }
            button class="btn" { "Filter" }
        }
    }
}

fn results(reader: &Reads, query: &Query, page: &Page, counts: &Counts, now: Timestamp) -> Markup {
    let state =
        STATES.iter().find(|(word, ..)| *word == query.state).map_or(package_lists::State::All, |found| found.2);
    let found = counts.of(state);
    html! {
        div data-results=(counted(found, "package", "packages")) {
            @if page.lines.is_empty() {
                p { "No package fits. " a href=(base(reader)) { "Clear the filter" } }
            } @else if reader.role >= Role::Admin {
                form method="post" action={ (base(reader)) "/bulk" } {
                    (csrf(&reader.who.csrf))
                    @for (name, value) in query.fields() { input type="hidden" name=(name) value=(value); }
                    (table(reader, query, page, now))
                    (below(reader, query, page, found, &selection(query, found)))
                }
            } @else {
                (table(reader, query, page, now))
                (below(reader, query, page, found, &nothing()))
            }
        }
    }
}

/// What one can do with the packages that are selected, or with everything that was found.
fn selection(query: &Query, found: i64) -> Markup {
    html! {
        div class="row" {
            label for="bulk" { "With" }
            select name="of" aria-label="Which packages" {
                option value="selected" { "the selected" }
                option value="found" {
                    @if query.is_everything() { "all " } @else { "all found, " } (number(found))
                }
            }
            select id="bulk" name="action" aria-label="What to do" {
                option value="update" { "Update now" }
                option value="remove" { "Remove…" }
            }
            button class="btn" { "Go on" }
        }
    }
}

fn table(reader: &Reads, query: &Query, page: &Page, now: Timestamp) -> Markup {
    let manages = reader.role >= Role::Admin;
    html! {
        table class="table" {
            caption class="sr" { "Packages" }
            thead {
                tr {
                    @if manages { th scope="col" class="pick" { span class="sr" { "Select" } } }
                    (column(reader, query, "Package", "name", By::Name, ""))
                    th scope="col" { "Latest" }
                    th scope="col" { "Source" }
                    th scope="col" { "Status" }
                    (column(reader, query, "Updated", "updated", By::Updated, ""))
                    (column(reader, query, "Installs, 30 d", "installs", By::Installs, "num"))
                }
            }
            tbody { @for line in &page.lines { (row(reader, line, now)) } }
        }
    }
}

/// A column that one can sort by: first in its natural direction, then in the other.
fn column(reader: &Reads, query: &Query, label: &str, word: &str, by: By, class: &str) -> Markup {
    let (current, descending) = query.order();
    let natural = by != By::Name;
    let is_current = current == by;
    let next = if is_current { !descending } else { natural };
    let sort = if next { format!("-{word}") } else { word.to_owned() };
    let address = query.address(&base(reader), &[("sort", &sort)]);
    let sorted = is_current.then_some(if descending { "descending" } else { "ascending" });
    html! {
        th scope="col" class=(class) aria-sort=[sorted] {
            a href=(address) { (label) @if is_current { (if descending { " ↓" } else { " ↑" }) } }
        }
    }
}

fn row(reader: &Reads, line: &Line, now: Timestamp) -> Markup {
    let shown = line.name.as_ref().unwrap_or(&line.url);
    let failed = matches!(line.status.as_str(), "failed" | "held");
    let sub = if failed { line.error.as_deref() } else { line.description.as_deref() };
    html! {
        tr {
            @if reader.role >= Role::Admin {
                td class="pick" {
                    input type="checkbox" name="package" value=(line.id) aria-label={ "Select " (shown) };
                }
            }
            th scope="row" {
                a class="name" href=(address(&reader.organization.slug, line.id, line.name.as_deref())) { (shown) }
                @if let Some(abandoned) = &line.abandoned { " " (abandoned_badge(abandoned)) }
                @if line.fork { " " (badge(Tone::Neutral, "fork")) }
                (conflict_badge(line))
                @if let Some(sub) = sub { span class="sub" { (clipped(sub)) } }
            }
            td data-label="Latest" {
                @if let Some(latest) = &line.latest {
                    // What is long may break.
                    span class={ "mono" @if latest.len() < 20 { " nowrap" } } { (latest) }
                }
            }
            td data-label="Source" class="nowrap" { (source_words(&line.url, &line.vcs)) }
            td data-label="Status" class="nowrap" { (status_of(&line.status)) }
            td data-label="Updated" class="nowrap" { @if let Some(at) = line.updated_at { (ago(at, now)) } }
            td data-label="Installs, 30 d" class="num" { (number(line.installs)) }
        }
    }
}

/// Says in a word that two packages have one name.
fn conflict_badge(line: &Line) -> Markup {
    match (line.waits_for_name, &line.name) {
        (true, None) => html! { " " (badge(Tone::Warn, "not installable: name taken")) },
        (true, Some(_)) => html! { " " (badge(Tone::Warn, "new name taken")) },
        (false, _) if line.has_rival => html! { " " (badge(Tone::Warn, "name conflict")) },
        (false, _) => nothing(),
    }
}

/// The state of a package.
pub(super) fn status_of(word: &str) -> Markup {
    match word {
        "ok" => status(Tone::Ok, "Up to date"),
        "updating" => running("Updating"),
        "failed" => status(Tone::Fail, "Failed"),
        "held" => status(Tone::Warn, "Waits for you"),
        _ => status(Tone::Pend, "Not read yet"),
    }
}

pub(super) fn abandoned_badge(json: &str) -> Markup {
    let replacement = match serde_json::from_str(json) {
        Ok(serde_json::Value::String(name)) => Some(name),
        _ => None,
    };
    html! {
        span class="badge warn" title=[replacement.map(|name| format!("Use {name} instead"))] { "abandoned" }
    }
}

/// Where a package's source is, in a word or two.
pub(super) fn source_words(url: &str, vcs: &str) -> Markup {
    if let Some(kind) = Kind::of(vcs) {
        return html! { (kind.words()) };
    }
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let scp = url.split_once(':').map(|(host, _)| host.rsplit('@').next().unwrap_or(host).to_owned());
    match host.or(scp.filter(|host| !host.contains('/') && host != "file")) {
        Some(host) => html! { (host) },
        None => html! { "this machine, " (vcs) },
    }
}

/// The first of a text that a list has room for.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn below(reader: &Reads, query: &Query, page: &Page, found: i64, selection: &Markup) -> Markup {
    let base = base(reader);
    let edge = |line: Option<&Line>| line.map(|line| line.id.to_string()).unwrap_or_default();
    let (first, last) = (edge(page.lines.first()), edge(page.lines.last()));
    let begins = page.skipped + 1;
    let ends = page.skipped + i64::try_from(page.lines.len()).unwrap_or(0);
    html! {
        div class="pager" {
            (selection)
            nav class="row" aria-label="Pages" {
                span { (number(begins)) "–" (number(ends)) " of " (number(found)) }
                @if page.skipped > 0 {
                    a class="btn small" href=(query.address(&base, &[("before", &first)])) rel="prev" { "Previous" }
                }
                @if page.more {
                    a class="btn small" href=(query.address(&base, &[("after", &last)])) rel="next" { "Next" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, clipped, source_words};
    use crate::store::package_lists::By;

    #[test]
    fn an_address_keeps_the_question_and_begins_anew() {
        let query =
            Query { q: "a&b ü".to_owned(), sort: "-updated".to_owned(), after: "7".to_owned(), ..Query::default() };
        assert_eq!(query.address("/p", &[("state", "failed")]), "/p?q=a%26b+%C3%BC&sort=-updated&state=failed");
        assert_eq!(query.address("/p", &[("sort", "name")]), "/p?q=a%26b+%C3%BC&sort=name");
        assert_eq!(Query::default().address("/p", &[("state", "")]), "/p");
        assert_eq!(query.order(), (By::Updated, true));
    }

    #[test]
    fn what_nobody_asks_for_is_the_usual() {
        let wrong = Query {
            sort: "-x'; DROP".to_owned(),
            state: "?".to_owned(),
            source: "?".to_owned(),
            after: "x".to_owned(),
            ..Query::default()
        };
        assert_eq!(wrong.order(), (By::Name, false));
        assert!(wrong.place().after.is_none());
        assert!(wrong.filter(None).source.is_none());
    }

    #[test]
    fn sources_are_told_by_their_hosts() {
        for (url, expected) in [
            ("https://git.example.com:8443/a/b.git", "git.example.com"),
            ("git@git.example.com:a/b.git", "git.example.com"),
            ("ssh://git@git.example.com:7999/a/b.git", "git.example.com"),
            ("file:///srv/git/a", "this machine, git"),
            ("/srv/git/a", "this machine, git"),
        ] {
            assert_eq!(source_words(url, "git").into_string(), expected);
        }
        assert_eq!(clipped(&"ü".repeat(500)).chars().count(), 161);
    }
}
