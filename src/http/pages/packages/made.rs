//! Adding what has no repository: JSON, archives, and names that are blocked.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tone, callout, head, snippet_bare};
use super::super::forms::{Faults, Input, checkbox, faults_of, sentence, text_area};
use super::super::layout::{self, Here, csrf};
use super::super::package::address;
use super::super::respond::see_other;
use super::add::{FORK, FORK_HINT, Way, credential_choices, ways};
use crate::admin;
use crate::admin::made::{self as use_made, NewCustom, Uploaded};
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::upload::{NotReceived, Received, Upload};
use crate::http::visitor::Manages;
use crate::store::ids::PackageId;

use super::super::forms::select;

/// What is said about the field with JSON.
pub(in super::super) const JSON: &str = "One version or a list of them, as repositories of Composer’s type “package” have them: each with name, version, and a dist with type (zip or tar) and url, or a source, or the type metapackage. The archives are fetched once, checked and kept for ever.";

/// The fields of the form with JSON.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct CustomFields {
    json: String,
    credential: String,
    fork: String,
}

/// Answers `/orgs/{org}/packages/-/custom`.
pub async fn new_custom(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    custom_page(&manager, &state, &CustomFields::default(), &Faults::default()).await
}

/// Takes its form.
pub async fn add_custom(
    manager: Manages,
    Form(fields): Form<CustomFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let credential = Some(fields.credential.clone()).filter(|name| !name.is_empty());
    let new = NewCustom { json: fields.json.clone(), credential, fork: fields.fork == "on" };
    match use_made::add_custom(&state.appliance, &manager.actor(), manager.org(), new).await {
        Ok(added) => {
            let flash = Flash { good: true, text: "Package added. It’s archives are being fetched.".to_owned() };
            Ok(see_other(&address(&manager.organization.slug, added.id, None), Some(&flash)))
        }
        Err(error) => custom_page(&manager, &state, &fields, &faults_of(error, "json")?).await,
    }
}

async fn custom_page(
    manager: &Manages,
    state: &State,
    fields: &CustomFields,
    faults: &Faults,
) -> Result<HttpResponse, PageError> {
    let choices = credential_choices(manager, state).await?;
    let slug = &manager.organization.slug;
    let form = html! {
        form class="form wide stack" method="post" action={ (super::base(manager)) "/-/custom" } {
            (csrf(&manager.who.csrf))
            (text_area("json", "JSON", &fields.json, JSON, 18, faults))
            (select("credential", "Credential", &choices, &fields.credential, "Shown to its own host and port when archives are fetched from there, and to nobody else.", faults))
            (checkbox("fork", "on", FORK, FORK_HINT, fields.fork == "on"))
            div class="row" {
                button class="btn primary" { "Add the package" }
                a class="btn" href=(super::base(manager)) { "Back to the packages" }
            }
        }
    };
    let command = format!("packagist-selfhosted package add-custom FILE.json --org {slug}");
    Ok(add_page(manager, (Way::Custom, code(faults)), "Each entry becomes a version.", faults, &form, &command))
}

/// Answers `/orgs/{org}/packages/-/artifacts`.
pub async fn new_artifacts(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    Ok(artifacts_page(&manager, &state, &Received::default(), &Outcome::default(), StatusCode::OK))
}

/// What came of the files of one form.
#[derive(Default)]
pub(in super::super) struct Outcome {
    pub(in super::super) taken: Vec<Uploaded>,
    /// Sentences.
    pub(in super::super) refused: Vec<String>,
}

/// Takes the files of a form, one after the other. `package`: whose versions they have to be.
pub(in super::super) async fn take(
    manager: &Manages,
    state: &State,
    received: &mut Received,
    package: Option<PackageId>,
) -> Result<Outcome, PageError> {
    let mut outcome = Outcome::default();
    let files = std::mem::take(&mut received.files);
    if files.is_empty() {
        outcome.refused.push("Choose the archives".to_owned());
    }
    let version = Some(received.field("version").trim().to_owned()).filter(|version| !version.is_empty());
    if version.is_some() && files.len() > 1 {
        outcome.refused.push("A version is of one archive: choose one, or let their composer.json say it".to_owned());
        return Ok(outcome);
    }
    for (file_name, file) in files {
        let (replace, fork) = (received.field("replace") == "on", received.field("fork") == "on");
        let upload = use_made::Upload { file, file_name, version: version.clone(), package, replace, fork };
        match use_made::upload(&state.appliance, &manager.actor(), manager.org(), upload).await {
            Ok(uploaded) => outcome.taken.push(uploaded),
            Err(admin::Error::Invalid(text) | admin::Error::Conflict(text)) => outcome.refused.push(text.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(outcome)
}

/// Takes its form.
pub async fn add_artifacts(
    manager: Manages,
    upload: Upload,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let mut received = match upload.receive(&state).await {
        Ok(received) => received,
        Err(NotReceived::TooLarge(received)) => {
            let outcome = too_large(&state);
            return Ok(artifacts_page(&manager, &state, &received, &outcome, StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(NotReceived::Other(error)) => return Err(error),
    };
    let outcome = take(&manager, &state, &mut received, None).await?;
    let slug = &manager.organization.slug;
    match outcome.taken.as_slice() {
        [first, others @ ..] if outcome.refused.is_empty() => {
            let same = others.iter().all(|other| other.package == first.package);
            let to = if same { address(slug, first.package, None) } else { super::base(&manager) };
            Ok(see_other(&to, Some(&Flash { good: true, text: taken_words(&outcome.taken) })))
        }
        _ => Ok(artifacts_page(&manager, &state, &received, &outcome, StatusCode::UNPROCESSABLE_ENTITY)),
    }
}

/// What is said of a form with too large files.
pub(in super::super) fn too_large(state: &State) -> Outcome {
    let refused = vec![use_made::too_large("What you chose", state.appliance.settings.max_upload)];
    Outcome { taken: Vec::new(), refused }
}

/// What is said of files that were taken.
pub(in super::super) fn taken_words(taken: &[Uploaded]) -> String {
    match taken {
        [one] if one.is_known => format!("{} {} was there already, with the same bytes.", one.name, one.version),
        [one] => format!("{} {} is taken, and is being published.", one.name, one.version),
        many => format!("{} archives are taken, and are being published.", many.len()),
    }
}

/// What came of a form of which not everything was taken, above it.
pub(in super::super) fn outcome_callout(outcome: &Outcome) -> Markup {
    html! {
        @if !outcome.refused.is_empty() { div class="gap-b" {
            div class="callout fail" role="alert" tabindex="-1" id="errors" {
                h2 { @if outcome.refused.len() == 1 { "One file was not taken" } @else { (outcome.refused.len()) " files were not taken" } }
                ul { @for text in &outcome.refused { li { (sentence(text)) } } }
            }
        } }
        @if !outcome.refused.is_empty() && !outcome.taken.is_empty() {
            div class="gap-b" { (callout(Tone::Ok, "The others were taken", &html! {
                ul { @for one in &outcome.taken { li { span class="mono" { (one.name) " " (one.version) } } } }
            })) }
        }
    }
}

/// The fields for archives.
pub(in super::super) fn files_fields(state: &State, received: &Received, outcome: &Outcome) -> Markup {
    let none = Faults::default();
    let version = Input {
        name: "version",
        label: "Version",
        value: received.field("version"),
        hint: "Of one archive whose composer.json does not say it.",
        optional: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let most = state.appliance.settings.max_upload >> 20;
    let fault = outcome.refused.first();
    html! {
        div class="field" {
            label for="files" { "Archives" }
            input id="files" name="files" type="file" multiple required accept=".zip,.tar,.gz,.tgz,.bz2,.tbz2"
                aria-invalid=[fault.map(|_| "true")] aria-describedby="files-h";
            span class="hint" id="files-h" { "zip, tar, tar.gz or tar.bz2, up to " (most) " MiB together, each with a composer.json at the top or in the only folder there." }
        }
        (version.markup(&none))
        (checkbox("replace", "on", "Replace what a version has", "Without it an archive with other bytes is refused for a version that is there. Lock files go on installing what they name either way.", received.field("replace") == "on"))
    }
}

fn artifacts_page(
    manager: &Manages,
    state: &State,
    received: &Received,
    outcome: &Outcome,
    code: StatusCode,
) -> HttpResponse {
    let slug = &manager.organization.slug;
    let form = html! {
        (outcome_callout(outcome))
        form class="form stack" method="post" enctype="multipart/form-data" action={ (super::base(manager)) "/-/artifacts" } {
            (csrf(&manager.who.csrf))
            (files_fields(state, received, outcome))
            (checkbox("fork", "on", FORK, FORK_HINT, received.field("fork") == "on"))
            div class="row" {
                button class="btn primary" { "Upload" }
                a class="btn" href=(super::base(manager)) { "Back to the packages" }
            }
        }
    };
    let command = format!("packagist-selfhosted package add-artifact FILE.zip --org {slug}");
    let lead = "Each archive becomes a version of the package that its composer.json names.";
    add_page(manager, (Way::Artifacts, code), lead, &Faults::default(), &form, &command)
}

/// The field of the form that blocks a name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct BlockFields {
    name: String,
}

/// Answers `/orgs/{org}/packages/-/block`.
pub async fn new_block(manager: Manages) -> HttpResponse {
    block_page(&manager, "", &Faults::default())
}

/// Takes its form.
pub async fn block(
    manager: Manages,
    Form(fields): Form<BlockFields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    match use_made::block(&state.appliance, &manager.actor(), manager.org(), &fields.name).await {
        Ok(added) => {
            let flash = Flash { good: true, text: "The name is being blocked.".to_owned() };
            Ok(see_other(&address(&manager.organization.slug, added.id, None), Some(&flash)))
        }
        Err(error) => Ok(block_page(&manager, &fields.name, &faults_of(error, "name")?)),
    }
}

fn block_page(manager: &Manages, name: &str, faults: &Faults) -> HttpResponse {
    let input = Input {
        name: "name",
        label: "Name",
        value: name,
        hint: "Vendor and name, as composer.json requires it.",
        placeholder: "vendor/name",
        required: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let form = html! {
        form class="form stack" method="post" action={ (super::base(manager)) "/-/block" } {
            (csrf(&manager.who.csrf))
            (input.markup(faults))
            p class="hint" { "Whoever asks this repository for the name is told that it has no version, whatever the token may see, and Composer asks no other repository for it. To lift it, remove the package." }
            div class="row" {
                button class="btn primary" { "Block the name" }
                a class="btn" href=(super::base(manager)) { "Back to the packages" }
            }
        }
    };
    let command = format!("packagist-selfhosted package block vendor/name --org {}", manager.organization.slug);
    let lead = "A name that nobody is to install, from here or from anywhere else.";
    add_page(manager, (Way::Block, code(faults)), lead, faults, &form, &command)
}

fn code(faults: &Faults) -> StatusCode {
    if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

/// One of the pages on which packages are added.
fn add_page(
    manager: &Manages,
    (way, code): (Way, StatusCode),
    lead: &str,
    faults: &Faults,
    form: &Markup,
    command: &str,
) -> HttpResponse {
    let base = super::base(manager);
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base) { "Packages" } " /" }
        (head("Add a package", &html! { (lead) }, &html! {}))
        (ways(&base, way))
        @if !faults.is_empty() { div class="gap-b" { (faults.summary()) } }
        (form)
        section class="gap stack-s" aria-label="By command" {
            p class="muted small" { "The same by command, also for many in a script:" }
            (snippet_bare("add-command", "Shell", command))
        }
    };
    layout::page_with(code, &manager.chrome(), Here::Packages, "Add a package", &content)
}
