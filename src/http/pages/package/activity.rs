//! What is done and was done for a package: the work under way, and the log of its updates with every ref that is no version.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::super::components::{Tone, ago, counted, duration, running, status};
use super::super::forms::sentence;
use super::{At, Path, Seen, is_at_work, nothing_here};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::live::{self, Look, Message};
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::jobs::{self, Job};
use crate::store::refs::{self, Ref};
use crate::store::runs::{self, Changes, Named, Run};
use crate::store::{self, packages};

/// How many runs are shown.
const RUNS: i64 = 20;
/// How many refs without a version are shown.
const SKIPPED: usize = 500;

/// What is shown of the work under way. `since`: when it began.
pub(super) fn progress(word: &str, since: Option<&str>) -> Markup {
    html! {
        p id="progress" {
            @if word == "updating" {
                (running("The repository is being read"))
                " " span class="muted" { "Its tags and branches are listed, what is new is fetched, and each composer.json is looked at." }
            } @else {
                (status(Tone::Pend, "Waits for its turn"))
                @if let Some(since) = since { " " span class="muted" { (since) } }
            }
        }
    }
}

/// Answers `…/events`: how the work goes, and its end.
pub async fn events(reader: Reads, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let (org, id, database) = (seen.reader.org(), seen.package.id, state.appliance.database.clone());
    let source = seen.package.source();
    let (clock, catalog) = (state.appliance.clock.clone(), state.appliance.catalog.clone());
    let (user, slug) = (seen.reader.who.user.id, seen.reader.organization.slug.clone());
    Ok(live::stream(&state, move || {
        let (database, clock) = (database.clone(), clock.clone());
        // What somebody may see can end while they look.
        let access = catalog.world().access_of(user, &slug, clock.now());
        let may_see = access.is_some_and(|access| access.organization.includes(id, &access.view));
        async move {
            let found = database.read(move |db| {
                let package = packages::by_id(org, db, id)?;
                let waiting = jobs::of_package(org, db, source)?;
                Ok::<_, store::Error>((package, waiting))
            });
            let (package, waiting) = found.await?;
            // A package that is gone has nothing more to tell.
            let Some(package) = package.filter(|_| may_see) else {
                return Ok::<_, store::Error>(Look { over: true, ..Look::default() });
            };
            if !is_at_work(&package, waiting.as_ref(), clock.now()) {
                return Ok(Look { over: true, ..Look::default() });
            }
            let word = if package.status == "updating" { "updating" } else { "pending" };
            let why = waiting.as_ref().and_then(why_it_waits);
            Ok(Look { messages: vec![Message::replace("progress", progress(word, why.as_deref()))], over: false })
        }
    }))
}

fn why_it_waits(job: &Job) -> Option<String> {
    let error = job.error.as_ref()?;
    Some(format!("The last try failed, and it is tried again by itself: {error}"))
}

/// Answers `…/log`.
pub async fn log(reader: Reads, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find(reader, &state, &path.1, &path.2).await?;
    let (org, id, now) = (seen.reader.org(), seen.package.id, state.appliance.now());
    // A package in a directory is read with its repository.
    let source = seen.package.source();
    let (runs, skipped) = state
        .appliance
        .database
        .read(move |db| Ok::<_, store::Error>((runs::of_package(org, db, source, RUNS)?, refs::skipped(org, db, id)?)))
        .await?;
    let content = html! {
        div class="sections" {
            section aria-labelledby="h-u" {
                h2 id="h-u" { "Update log" }
                @if runs.is_empty() { (nothing_here("No update has ended yet.")) } @else { (run_table(&runs, now)) }
            }
            (skipped_section(&skipped))
        }
    };
    Ok(seen.page(At::Log, "Update log", None, &content))
}

fn run_table(runs: &[Run], now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "The last updates, newest first" }
            thead {
                tr {
                    th scope="col" class="nowrap" { "When" }
                    th scope="col" { "Because of" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "What came of it" }
                    th scope="col" class="num" { "Took" }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" class="nowrap" { (ago(run.ended_at, now)) }
                        td data-label="Because of" class="nowrap" { (cause_words(&run.cause)) }
                        td data-label="Outcome" class="nowrap" { (outcome(run)) }
                        td data-label="What came of it" class="wide" { (what_came(run)) }
                        td data-label="Took" class="num" { (duration(run.ended_at.since(run.started_at))) }
                    }
                }
            }
        }
    }
}

pub(super) fn cause_words(cause: &str) -> &'static str {
    match cause {
        "hook" => "a webhook",
        "asked" => "a person or command",
        _ => "the schedule",
    }
}

fn outcome(run: &Run) -> Markup {
    match run.outcome.as_str() {
        "changed" => status(Tone::Ok, "Read"),
        "unchanged" => status(Tone::Ok, "Nothing new"),
        "held" => status(Tone::Warn, "Held"),
        _ => status(Tone::Fail, "Failed"),
    }
}

/// The outcome in a sentence's middle.
pub(super) fn outcome_words(run: &Run) -> &'static str {
    match run.outcome.as_str() {
        "changed" => "read",
        "unchanged" => "nothing new",
        "held" => "held",
        _ => "failed",
    }
}

/// What a run did, in a sentence or two.
pub(super) fn what_came(run: &Run) -> Markup {
    match (&run.changes, &run.error) {
        (Some(changes), _) => changed(changes),
        (None, Some(error)) => html! { (error) },
        (None, None) => html! {},
    }
}

fn changed(changes: &Changes) -> Markup {
    let parts = [("Added", &changes.added), ("Moved", &changes.moved), ("Removed", &changes.removed)];
    let nothing = parts.iter().all(|(_, named)| named.count == 0);
    html! {
        @for (word, named) in parts { @if named.count > 0 { (word) " " (names(named)) ". " } }
        @if nothing { "No version changed. " }
        span class="muted" {
            (counted(i64::try_from(changes.refs).unwrap_or(i64::MAX), "branch or tag", "branches and tags")) " in all."
        }
    }
}

fn names(named: &Named) -> Markup {
    html! {
        @for (index, name) in named.names.iter().enumerate() {
            @if index > 0 { ", " }
            span class="mono" { (name) }
        }
        @let more = named.count.saturating_sub(named.names.len());
        @if more > 0 { " and " (more) " more" }
    }
}

fn skipped_section(skipped: &[Ref]) -> Markup {
    let count = i64::try_from(skipped.len()).unwrap_or(i64::MAX);
    html! {
        section id="skipped" aria-labelledby="h-k" {
            h2 id="h-k" { "Without a version" }
            @if skipped.is_empty() {
                (nothing_here("Every branch and tag that was read is a version."))
            } @else {
                table class="table" {
                    caption {
                        (counted(count, "branch or tag gives", "branches and tags give")) " no version. They do no harm; here is why."
                    }
                    thead { tr { th scope="col" { "Ref" } th scope="col" { "Reason" } } }
                    tbody {
                        @for found in skipped.iter().take(SKIPPED) {
                            @let (kind, name) = kind_of(&found.name);
                            tr {
                                th scope="row" { span class="name" { (name) } " " span class="muted small" { (kind) } }
                                td data-label="Reason" class="wide" { (reason_of(found)) }
                            }
                        }
                    }
                }
                @if skipped.len() > SKIPPED { p class="muted small" { "And " (skipped.len() - SKIPPED) " more." } }
            }
        }
    }
}

/// Why a ref is no version; its name stands beside it already.
fn reason_of(found: &Ref) -> String {
    let (kind, name) = kind_of(&found.name);
    let reason = found.reason.as_deref().unwrap_or_default();
    let reason = reason.strip_prefix(&format!("{kind} {name}: ")).unwrap_or(reason);
    let is_word = reason.split(' ').next().is_some_and(|word| word.chars().all(char::is_alphabetic));
    // A file's name stays as it is written.
    if is_word { sentence(reason) } else { format!("{}.", reason.trim_end_matches('.')) }
}

/// Whether a ref is a branch or a tag, and what people call it.
fn kind_of(name: &str) -> (&'static str, &str) {
    match (name.strip_prefix("refs/tags/"), name.strip_prefix("refs/heads/")) {
        (Some(short), _) => ("tag", short),
        (None, Some(short)) => ("branch", short),
        (None, None) => ("", name),
    }
}

#[cfg(test)]
mod tests {
    use super::{changed, kind_of, reason_of};
    use crate::store::refs::Ref;
    use crate::store::runs::{Changes, Named};

    #[test]
    fn a_run_tells_what_it_changed() {
        let named =
            |names: &[&str], count| Named { names: names.iter().map(|name| (*name).to_owned()).collect(), count };
        let changes = Changes {
            added: named(&["1.0.0", "<b>"], 7),
            moved: named(&["dev-main"], 1),
            removed: Named::default(),
            refs: 9,
        };
        let html = changed(&changes).into_string();
        assert!(html.contains("&lt;b&gt;") && html.contains("and 5 more") && html.contains("Moved"), "{html}");
        assert!(!html.contains("Removed") && html.contains("9 branches and tags in all"), "{html}");
        assert!(changed(&Changes::default()).into_string().contains("No version changed"));
    }

    #[test]
    fn refs_are_called_as_people_call_them() {
        let found = |reason: &str| Ref {
            name: "refs/tags/v1".to_owned(),
            target: String::new(),
            reason: Some(reason.to_owned()),
        };
        assert_eq!(reason_of(&found("tag v1: composer.json is missing")), "composer.json is missing.");
        assert_eq!(reason_of(&found("Something else")), "Something else.");
        assert_eq!(kind_of("refs/tags/v1.0"), ("tag", "v1.0"));
        assert_eq!(kind_of("refs/heads/feature/x"), ("branch", "feature/x"));
    }
}
