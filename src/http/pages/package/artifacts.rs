//! The uploaded archives of a package.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, ago, bytes, pager};
use super::super::layout::{self, Confirmation, Here, csrf};
use super::super::packages::made::{Outcome, files_fields, outcome_callout, take, taken_words, too_large};
use super::super::respond::see_other;
use super::{At, Path, Seen, nothing_here};
use crate::admin::made as use_made;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::upload::{NotReceived, Received, Upload};
use crate::http::visitor::Manages;
use crate::secrets::random::to_hex;
use crate::store::artifacts::{self, Line};

/// How many archives a page shows.
const SHOWN: i64 = 50;

/// Which page of the list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Archives that came before the one with this number.
    before: Option<i64>,
}

async fn find(manager: &Manages, path: &Path, state: &State) -> Result<Seen, PageError> {
    let seen = Seen::find((**manager).clone(), state, &path.1, &path.2).await?;
    if seen.package.vcs == "artifact" { Ok(seen) } else { Err(seen.reader.not_found()) }
}

/// Answers `…/artifacts`.
pub async fn artifacts(
    manager: Manages,
    path: Path,
    query: web::Query<Query>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &path, &state).await?;
    page(&seen, &state, query.before, (&Received::default(), &Outcome::default()), StatusCode::OK).await
}

/// Takes its form: archives of further versions, or in place of some.
pub async fn upload(
    manager: Manages,
    path: Path,
    upload: Upload,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &path, &state).await?;
    let mut received = match upload.receive(&state).await {
        Ok(received) => received,
        Err(NotReceived::TooLarge(received)) => {
            let outcome = too_large(&state);
            return page(&seen, &state, None, (&received, &outcome), StatusCode::PAYLOAD_TOO_LARGE).await;
        }
        Err(NotReceived::Other(error)) => return Err(error),
    };
    let outcome = take(&manager, &state, &mut received, Some(seen.package.id)).await?;
    if outcome.refused.is_empty() {
        let flash = Flash { good: true, text: taken_words(&outcome.taken) };
        return Ok(see_other(&format!("{}/artifacts", seen.base), Some(&flash)));
    }
    page(&seen, &state, None, (&received, &outcome), StatusCode::UNPROCESSABLE_ENTITY).await
}

async fn page(
    seen: &Seen,
    state: &State,
    before: Option<i64>,
    (received, outcome): (&Received, &Outcome),
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let (org, id, now) = (seen.reader.org(), seen.package.id, state.appliance.now());
    let lines = state.appliance.database.read(move |db| artifacts::lines(org, db, id, before, SHOWN + 1)).await?;
    let has_more = lines.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let lines = if has_more { &lines[..lines.len() - 1] } else { &lines[..] };
    let base = format!("{}/artifacts", seen.base);
    let next = lines.last().filter(|_| has_more).map(|last| format!("{base}?before={}", last.id));
    let content = html! {
        div class="sections" {
            section aria-labelledby="h-a" {
                h2 id="h-a" { "Archives" }
                @if lines.is_empty() {
                    (nothing_here("None: the package has no version until one is uploaded."))
                } @else {
                    (table(seen, lines, now))
                    @if before.is_some() || has_more {
                        (pager("Newest first", before.map(|_| base.as_str()), next.as_deref()))
                    }
                }
            }
            section aria-labelledby="h-u" {
                h2 id="h-u" { "Upload" }
                (outcome_callout(outcome))
                form class="form stack" method="post" enctype="multipart/form-data" action=(base) {
                    (csrf(&seen.reader.who.csrf))
                    (files_fields(state, received, outcome))
                    div class="row" { button class="btn primary" { "Upload" } }
                }
            }
        }
    };
    Ok(seen.page_with(code, At::Artifacts, "Archives", None, &content))
}

/// The begin of a checksum or reference, which is enough to tell it from others.
pub(super) fn begin(text: &str) -> String {
    match text.char_indices().nth(12) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn table(seen: &Seen, lines: &[Line], now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Uploaded archives, newest first" }
            thead {
                tr {
                    th scope="col" { "Version" }
                    th scope="col" { "File" }
                    th scope="col" class="num" { "Size" }
                    th scope="col" { "SHA-256" }
                    th scope="col" class="nowrap" { "Uploaded" }
                    th scope="col" { "By" }
                    th scope="col" { span class="sr" { "Actions" } }
                }
            }
            tbody {
                @for line in lines {
                    @let sum = to_hex(&line.uploaded);
                    tr {
                        th scope="row" { span class="name" { (line.version) } }
                        td data-label="File" class="mono" { (line.file_name) }
                        td data-label="Size" class="num nowrap" { (bytes(line.size.unsigned_abs())) }
                        td data-label="SHA-256" class="mono" { span title=(sum) { (begin(&sum)) } }
                        td data-label="Uploaded" class="nowrap" { (ago(line.uploaded_at, now)) }
                        td data-label="By" { (by_words(&line.uploaded_by)) }
                        td class="num" {
                            form method="post" action={ (seen.base) "/artifacts/remove" } {
                                (csrf(&seen.reader.who.csrf))
                                input type="hidden" name="version" value=(line.version);
                                button class="btn small" { "Remove…" span class="sr" { " version " (line.version) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Who uploaded it, as the audit log names people.
fn by_words(actor: &str) -> &str {
    if actor == "command" { "a command on the server" } else { actor }
}

/// The fields of the form that removes an archive.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Removal {
    version: String,
    confirmed: String,
}

/// Answers `POST …/artifacts/remove`: takes a version back.
pub async fn remove_artifact(
    manager: Manages,
    path: Path,
    Form(fields): Form<Removal>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &path, &state).await?;
    let back = format!("{}/artifacts", seen.base);
    if fields.confirmed != "yes" {
        let content = Confirmation {
            question: html! { "Take version " span class="mono" { (fields.version) } " back?" },
            lead: "It can be uploaded again at any time.",
            consequences: vec![
                ("Stops", html! { "the version can no longer be required" }),
                ("Stays", html! { "its archive, so that lock files that name it can be installed" }),
            ],
            advice: None,
            typed: None,
            action: &format!("{}/artifacts/remove", seen.base),
            fields: vec![("version", fields.version)],
            button: "Take the version back",
            back: (&back, "Keep it"),
        };
        let content = content.markup(&manager.who.csrf, false);
        return Ok(layout::page(&manager.chrome(), Here::Packages, "Take a version back", &content));
    }
    let (actor, org) = (manager.actor(), manager.org());
    use_made::remove_upload(&state.appliance, &actor, org, &seen.package, &fields.version).await?;
    let flash = Flash { good: true, text: format!("Version {} is taken back.", fields.version) };
    Ok(see_other(&back, Some(&flash)))
}
