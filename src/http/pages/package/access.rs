//! Who may see one package: everybody with the reason, and single people to whom an administrator granted it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::{At, Path, Seen};
use crate::access::facts::GrantKind;
use crate::admin::grants::{self, Reader};
use crate::admin::{packages, people};
use crate::catalog::Loss;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::access::kind_words;
use crate::http::pages::components::{Flash, absolute, counted};
use crate::http::pages::forms::{Faults, Input};
use crate::http::pages::layout::{self, Confirmation, Here, csrf};
use crate::http::pages::members::{person_address, refusal};
use crate::http::pages::respond::see_other;
use crate::http::pages::stretch::Stretch;
use crate::http::visitor::Manages;
use crate::store::grants::Listed;

/// People who are shown that were granted the package alone.
const GRANTED: usize = 500;

/// What the page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: String,
}

/// The fields of the forms about a grant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    user: String,
    confirmed: String,
}

async fn find(manager: &Manages, state: &State, path: &Path) -> Result<Seen, PageError> {
    Seen::find((**manager).clone(), state, &path.1, &path.2).await
}

/// Answers `/orgs/{org}/packages/{vendor}/{name}/access`.
pub async fn access(
    manager: Manages,
    path: Path,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &state, &path).await?;
    page(&seen, &state, &asked, "", &Faults::default(), StatusCode::OK).await
}

async fn page(
    seen: &Seen,
    state: &State,
    asked: &Asked,
    typed: &str,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let (org, id) = (seen.reader.org(), seen.package.id);
    let readers = grants::readers(&state.appliance, org, id).await?;
    let granted = grants::list(&state.appliance, org, Some(id)).await?;
    let content = html! {
        (faults.summary())
        div class="sections" {
            (granted_section(seen, &granted, typed, faults))
            (readers_section(seen, &readers, asked))
        }
    };
    Ok(seen.page_with(code, At::Access, "Access", None, &content))
}

fn granted_section(seen: &Seen, grants: &[Listed], typed: &str, faults: &Faults) -> Markup {
    let user = Input {
        name: "user",
        label: "Grant it to a person",
        value: typed,
        hint: "Their name here, or INTEGRATION:LOGIN of somebody who has not logged in yet. They need not be a member.",
        autocomplete: "off",
        placeholder: "ines",
        required: true,
        mono: true,
        ..Input::default()
    };
    html! {
        section aria-labelledby="h-granted" {
            h2 id="h-granted" { "Single people" }
            @if grants.is_empty() {
                p class="muted" { "Nobody was granted this package alone: people see it through teams and roles." }
            } @else {
                table class="table" {
                    caption class="sr" { "People who were granted this package alone" }
                    thead { tr { th scope="col" { "Person" } th scope="col" { "By" } th scope="col" { "Until" } th scope="col" class="act" { span class="sr" { "Actions" } } } }
                    tbody { @for grant in grants.iter().take(GRANTED) { (grant_row(seen, grant)) } }
                }
                @if grants.len() > GRANTED { p class="muted" { "and " (grants.len() - GRANTED) " more" } }
            }
            form class="form stack gap" method="post" action={ (seen.base) "/access/grant" } {
                (csrf(&seen.reader.who.csrf))
                (user.markup(faults))
                div { button class="btn" { "Grant the package" } }
            }
        }
    }
}

fn grant_row(seen: &Seen, grant: &Listed) -> Markup {
    let by = match grant.kind {
        GrantKind::Given => "an administrator",
        GrantKind::Collaborator => "the repository’s collaborators",
        GrantKind::Base => "the platform’s base permission",
        GrantKind::Sync => "the platform",
    };
    html! {
        tr {
            th scope="row" { a class="name" href=(person_address(&seen.reader.organization.slug, &grant.person)) { (grant.person) } }
            td data-label="By" { (by) @if !grant.detail.is_empty() { span class="sub" { (grant.detail) } } }
            td data-label="Until" { @if let Some(until) = grant.until { (absolute(until)) } }
            td class="act" {
                @if grant.kind == GrantKind::Given {
                    form method="post" action={ (seen.base) "/access/revoke" } {
                        (csrf(&seen.reader.who.csrf))
                        input type="hidden" name="user" value=(grant.person);
                        button class="btn small danger" { "Take back…" span class="sr" { " from " (grant.person) } }
                    }
                }
            }
        }
    }
}

fn readers_section(seen: &Seen, readers: &[Reader], asked: &Asked) -> Markup {
    let stretch = Stretch::of(readers, |one| &one.name, &asked.after);
    let count = counted(i64::try_from(readers.len()).unwrap_or(i64::MAX), "person", "people");
    html! {
        section aria-labelledby="h-readers" {
            h2 id="h-readers" { "Everybody who may install it " span class="muted" { (count) } }
            @if readers.is_empty() { p class="muted" { "Nobody but tokens of the organization." } } @else {
                table class="table" {
                    caption class="sr" { "People who may install the package, by name" }
                    thead { tr { th scope="col" { "Person" } th scope="col" class="wide" { "Because" } th scope="col" class="act" { span class="sr" { "Actions" } } } }
                    tbody { @for one in stretch.rows { (reader_row(seen, one)) } }
                }
                (stretch.pager(&format!("{}/access", seen.base), &[], "after", "people"))
            }
            p class="muted small gap" { "Administrators of the instance see every package, whether or not they stand here. Tokens of the organization open what they say." }
        }
    }
}

fn reader_row(seen: &Seen, one: &Reader) -> Markup {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("user", &one.name)
        .append_pair("package", &seen.package.shown_name())
        .finish();
    html! {
        tr {
            th scope="row" {
                a href=(person_address(&seen.reader.organization.slug, &one.name)) {
                    @if let Some(name) = &one.display_name { b dir="auto" { (name) } } @else { b class="name" { (one.name) } }
                }
                @if one.display_name.is_some() { span class="sub mono" { (one.name) } }
            }
            td data-label="Because" class="wide" {
                @for because in one.explanation.because.iter().take(3) {
                    div { span class="muted" { (kind_words(because.kind)) ": " } (because.detail) @if let Some(until) = because.until { ", until " (absolute(until)) } }
                }
                @if one.explanation.because.len() > 3 { "and " (one.explanation.because.len() - 3) " more" }
            }
            td class="act" { a class="btn small" href={ "/orgs/" (seen.reader.organization.slug) "/access?" (query) } { "Why" span class="sr" { " may " (one.name) } } }
        }
    }
}

/// Takes the form that grants the package.
pub async fn grant_access(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &state, &path).await?;
    let user = fields.user.trim();
    match grants::give(&state.appliance, &manager.actor(), manager.org(), user, &seen.package).await {
        Ok(is_new) => {
            let now = if is_new { "may install the package now" } else { "was granted the package already" };
            Ok(done(&seen, format!("{user} {now}.")))
        }
        Err(error) => refused(&seen, &state, user, &refusal(error, "user")?).await,
    }
}

fn done(seen: &Seen, text: String) -> HttpResponse {
    see_other(&format!("{}/access", seen.base), Some(&Flash { good: true, text }))
}

async fn refused(seen: &Seen, state: &State, typed: &str, faults: &Faults) -> Result<HttpResponse, PageError> {
    page(seen, state, &Asked::default(), typed, faults, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Takes the form that takes a grant back.
pub async fn revoke_access(
    manager: Manages,
    path: Path,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let seen = find(&manager, &state, &path).await?;
    if fields.confirmed != "yes" {
        let named = match people::find(&state.appliance, &fields.user).await {
            Ok(named) => named,
            Err(error) => return refused(&seen, &state, "", &refusal(error, "")?).await,
        };
        let loss = Loss::Grant(named.person, seen.package.id);
        let losses = grants::losses(&state.appliance, manager.org(), loss).await?;
        return Ok(revocation_page(&seen, &fields.user, losses.packages > 0));
    }
    match grants::take(&state.appliance, &manager.actor(), manager.org(), &fields.user, &seen.package).await {
        Ok(()) => Ok(done(&seen, format!("The grant of {} is taken back.", fields.user))),
        Err(error) => refused(&seen, &state, "", &refusal(error, "")?).await,
    }
}

fn revocation_page(seen: &Seen, user: &str, loses: bool) -> HttpResponse {
    let here = format!("{}/access", seen.base);
    let confirmation = Confirmation {
        question: html! { "Take " span class="mono" { (packages::title(&seen.package)) } " back from " span class="mono" { (user) } "?" },
        lead: "It counts from the next request of Composer.",
        consequences: vec![(
            "Loses",
            html! { @if loses { "this package, at once" } @else { "nothing: the package is theirs by another path too" } },
        )],
        advice: None,
        typed: None,
        action: &format!("{here}/revoke"),
        fields: vec![("user", user.to_owned())],
        button: "Take the grant back",
        back: (&here, "Keep it"),
    };
    let content = confirmation.markup(&seen.reader.who.csrf, false);
    layout::page(&seen.reader.chrome(), Here::Packages, "Take a grant back", &content)
}
