//! The JSON of a custom package, and the archives that were fetched for it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, ago, bytes};
use super::super::forms::{Faults, faults_of, text_area};
use super::super::layout::csrf;
use super::super::packages::made::JSON;
use super::super::respond::see_other;
use super::show::web_link;
use super::{At, Path, Seen, nothing_here};
use crate::admin::made as use_made;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::store::artifacts::{self, Mirrored};

/// How many archives are shown.
const SHOWN: usize = 200;

/// The field of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    json: String,
}

/// Answers `…/definition`.
pub async fn definition(manager: Manages, path: Path, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    if seen.package.vcs != "custom" {
        return Err(seen.reader.not_found());
    }
    let json = use_made::json_of(&state.appliance, manager.org(), &seen.package).await?;
    page(&seen, &state, &json, &Faults::default()).await
}

/// Takes its form.
pub async fn save_definition(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = Seen::find((*manager).clone(), &state, &path.1, &path.2).await?;
    if seen.package.vcs != "custom" {
        return Err(seen.reader.not_found());
    }
    let (actor, org, json) = (manager.actor(), manager.org(), fields.json.clone());
    match use_made::change_custom(&state.appliance, &actor, org, &seen.package, json).await {
        Ok(_) => {
            let flash = Flash { good: true, text: "Saved. What is new is being fetched and published.".to_owned() };
            Ok(see_other(&seen.base, Some(&flash)))
        }
        Err(error) => page(&seen, &state, &fields.json, &faults_of(error, "json")?).await,
    }
}

async fn page(seen: &Seen, state: &State, json: &str, faults: &Faults) -> Result<HttpResponse, PageError> {
    let (org, id, now) = (seen.reader.org(), seen.package.id, state.appliance.now());
    let fetched = state.appliance.database.read(move |db| artifacts::all_mirrored(org, db, id)).await?;
    let content = html! {
        div class="sections" {
            section aria-labelledby="h-j" {
                h2 id="h-j" { "JSON" }
                @if !faults.is_empty() { div class="gap-b" { (faults.summary()) } }
                form class="form wide stack" method="post" action={ (seen.base) "/definition" } {
                    (csrf(&seen.reader.who.csrf))
                    (text_area("json", "Versions", json, JSON, 24, faults))
                    p class="hint" { "Versions that are not in it any more are taken back; lock files that name them go on working." }
                    div class="row" { button class="btn primary" { "Save the JSON" } }
                }
            }
            section aria-labelledby="h-f" {
                h2 id="h-f" { "Archives that were fetched" }
                @if fetched.is_empty() {
                    (nothing_here("None yet."))
                } @else {
                    (table(&fetched, now))
                    p class="muted small gap" { "What came first under a reference stays for ever, because lock files carry its checksum. For another archive write another dist.reference." }
                }
            }
        }
    };
    let code = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(seen.page_with(code, At::Definition, "JSON", None, &content))
}

fn table(fetched: &[Mirrored], now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Fetched archives, newest first" }
            thead {
                tr {
                    th scope="col" { "Address" }
                    th scope="col" { "Reference" }
                    th scope="col" { "SHA-1" }
                    th scope="col" class="num" { "Size" }
                    th scope="col" class="nowrap" { "Fetched" }
                }
            }
            tbody {
                @for one in fetched.iter().take(SHOWN) {
                    tr {
                        th scope="row" class="mono" {
                            @match web_link(&one.url) {
                                Some(url) => a href=(url) rel="nofollow noopener noreferrer" { (one.url) },
                                None => (one.url),
                            }
                        }
                        td data-label="Reference" class="mono" { span title=(one.reference) { (super::artifacts::begin(&one.reference)) } }
                        td data-label="SHA-1" class="mono" { span title=(one.fetched) { (super::artifacts::begin(&one.fetched)) } }
                        td data-label="Size" class="num nowrap" { (bytes(one.size.unsigned_abs())) }
                        td data-label="Fetched" class="nowrap" { (ago(one.fetched_at, now)) }
                    }
                }
            }
        }
        @if fetched.len() > SHOWN { p class="muted small" { "And " (fetched.len() - SHOWN) " more." } }
    }
}
