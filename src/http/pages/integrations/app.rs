//! The GitHub App of an integration: making one with a click, installing it, and lending its installations to organizations
//! here.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::super::components::{Flash, Tone, absolute, callout, head, nothing, snippet_line, status};
use super::super::forms::{Faults, Input, checkbox, faults_of, select, sentence};
use super::super::layout::{Confirmation, Here, csrf, page, page_with};
use super::super::respond::{leading_to, see_other};
use super::find;
use crate::admin::github_apps::{self, Standing};
use crate::admin::{self, organizations};
use crate::http::State;
use crate::http::form::Form;
use crate::http::integrations::Integration;
use crate::http::page_error::PageError;
use crate::http::visitor::Administers;
use crate::platform::AppKey;
use crate::platform::github_app::{InstalledAt, InvalidWish, Wish, app_page, install_page};
use crate::store::installations::Used;
use crate::store::organizations::Organization;

/// How long the page waits for GitHub to tell where the App is installed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the App's page is.
fn base(one: &Integration) -> String {
    format!("/admin/integrations/{}/app", one.id)
}

/// The fields of the form that begins one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct WishFields {
    owner: String,
    name: String,
    shared: String,
}

/// The fields of the form that lends an installation.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LendFields {
    installation: String,
    organization: String,
    name: String,
}

/// What GitHub brings to the page after the App was installed. It says nothing: where the App is installed, GitHub is asked.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Arrived {
    installation_id: String,
    setup_action: String,
}

/// What comes back with the browser.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Returned {
    code: String,
    state: String,
}

/// The fields of the form that forgets the App.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ForgetFields {
    confirmed: String,
}

/// An integration that is a GitHub, and how it stands with its App.
async fn found<'s>(
    state: &'s State,
    who: &Administers,
    id: &str,
) -> Result<(&'s Integration, Url, Standing), PageError> {
    let one = find(state, who, id)?;
    let standing = github_apps::standing(&state.appliance, id).await?.ok_or_else(|| who.not_found())?;
    let web = Url::parse(&one.url).map_err(|_| who.not_found())?;
    Ok((one, web, standing))
}

/// What the integration's own page says of it.
pub(super) fn section(state: &State, one: &Integration) -> Markup {
    let app = state.appliance.hubs.by_id(&one.id).and_then(crate::platform::Hub::app);
    html! {
        section aria-labelledby="h-app" {
            h2 id="h-app" { "GitHub App" }
            @match app {
                Some(app) => p { "Organizations are read by the App " span class="mono" { (app.slug.clone().unwrap_or_else(|| app.id.to_string())) } " where it is installed. " a href=(base(one)) { "Its page" } },
                None => {
                    p { "With a GitHub App, organizations are followed without anybody’s token: it only reads, is told of every change, and does not leave with a person." }
                    div class="row gap" { a class="btn" href=(base(one)) { "Make a GitHub App…" } }
                },
            }
        }
    }
}

/// Answers `GET /admin/integrations/{integration}/app`.
pub async fn show(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    arrived: web::Query<Arrived>,
) -> Result<HttpResponse, PageError> {
    let (one, web, standing) = found(&state, &who, &id).await?;
    match &standing.used {
        Some(app) => {
            let form = LendFields { installation: arrived.installation_id.clone(), ..LendFields::default() };
            let asked_for = arrived.setup_action == "request";
            let there = There { one, web: &web, app, standing: &standing, asked_for };
            there.page(&state, &who, &form, &Faults::default(), StatusCode::OK).await
        }
        None => Ok(wish_page(&who, one, &standing, &first_wish(one), &Faults::default(), StatusCode::OK)),
    }
}

fn first_wish(one: &Integration) -> WishFields {
    // Names are taken all over a GitHub: on github.com, the short ones long since.
    let name = format!("Packages {}", one.id);
    let name = if name.chars().count() > 34 { "Packages".to_owned() } else { name };
    WishFields { name, ..WishFields::default() }
}

fn crumbs(one: &Integration) -> Markup {
    html! {
        nav class="crumbs" aria-label="Breadcrumb" {
            a href="/admin/integrations" { "Integrations" } " / "
            a href={ "/admin/integrations/" (one.id) } { (one.name) } " /"
        }
    }
}

fn wish_page(
    who: &Administers,
    one: &Integration,
    standing: &Standing,
    fields: &WishFields,
    faults: &Faults,
    code: StatusCode,
) -> HttpResponse {
    let owner = Input {
        name: "owner",
        label: "Organization that will own it",
        value: &fields.owner,
        hint: "As its address there names it; you must be an owner of it. Empty: your own account there owns it.",
        placeholder: "acme",
        autocomplete: "off",
        optional: true,
        mono: true,
        ..Input::default()
    };
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        hint: "What people see there. No other App there may have it; you can still change it on the next page.",
        required: true,
        autocomplete: "off",
        ..Input::default()
    };
    let under =
        html! { "An account of its own for this server at " span class="mono" { (one.url) } ", which only reads." };
    let content = html! {
        (crumbs(one))
        (head("Make a GitHub App", &under, &nothing()))
        div class="sections" {
            @if standing.made.is_some() {
                (callout(Tone::Fail, "The key of the App that was made here cannot be opened", &html! {
                    p { "Forget it, and make another one." }
                    form method="post" action={ (base(one)) "/forget" } { (csrf(&who.csrf)) button class="btn danger" { "Forget it…" } }
                }))
            }
            section aria-labelledby="h-w" {
                h2 id="h-w" { "What it may" }
                dl class="kv" {
                    dt { "Read" } dd { "The code and the names of the repositories that you choose, and the organization’s members, teams, base permission and roles." }
                    dt { "Change" } dd { "Nothing." }
                    dt { "Is told of" } dd { "Pushes, releases, repositories, teams and members, at " span class="mono" { "/hooks/app/" (one.id) } "." }
                    dt { "Its key" } dd { "comes here directly, sealed, and is shown to nobody." }
                }
            }
            section aria-labelledby="h-f" {
                h2 id="h-f" { "Make it" }
                form class="form stack gap" method="post" action=(base(one)) {
                    (csrf(&who.csrf))
                    (faults.summary())
                    (owner.markup(faults))
                    (name.markup(faults))
                    (checkbox("shared", "on", "Other organizations there may install it too", "Needed where one App serves several organizations, and always so where your own account owns it.", fields.shared == "on"))
                    div class="row" { button class="btn primary" { "Go on" } a class="btn" href={ "/admin/integrations/" (one.id) } { "Cancel" } }
                }
            }
            section aria-labelledby="h-c" {
                h2 id="h-c" { "By hand" }
                p { "An App that exists already is named in the configuration: " code { "app_id" } ", " code { "app_private_key_file" } " and " code { "webhook_secret" } " of the integration. What stands there is used before anything that is made here." }
            }
        }
    };
    page_with(code, &who.chrome(), Here::Integrations, "Make a GitHub App", &content)
}

/// Takes its form: the way to GitHub, which takes what it is to make only from a form of ours.
pub async fn set_out(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    Form(fields): Form<WishFields>,
) -> Result<HttpResponse, PageError> {
    let (one, web, standing) = found(&state, &who, &id).await?;
    let refused = |faults: &Faults| {
        let code = StatusCode::UNPROCESSABLE_ENTITY;
        wish_page(&who, one, &standing, &fields, faults, code)
    };
    let wish = match Wish::parse(&fields.name, &fields.owner, fields.shared == "on") {
        Ok(wish) => wish,
        Err(error) => {
            let field = if error == InvalidWish::Name { "name" } else { "owner" };
            return Ok(refused(&Faults::of(field, error.to_string())));
        }
    };
    let departure = match github_apps::set_out(&state.appliance, who.session.id, &id, &wish).await {
        Ok(departure) => departure,
        Err(error) => return Ok(refused(&faults_of(error, "name")?)),
    };
    let owner =
        wish.owner().map_or_else(|| html! { "your own account" }, |owner| html! { span class="mono" { (owner) } });
    let content = html! {
        (crumbs(one))
        form class="narrow stack" method="post" action=(departure.address) {
            input type="hidden" name="manifest" value=(departure.manifest);
            h1 { "Go on at " (one.name) }
            p { "There you are asked whether " (owner) " shall own the App. Say yes, and you come back here." }
            dl class="kv" {
                dt { "First" } dd { "Be signed in there, in this browser, as somebody who may: " a href=(web) rel="noreferrer" target="_blank" { (one.url) } " opens beside this page." }
                dt { "Within an hour" } dd { "The way back is good once, for this browser." }
            }
            div class="row" {
                button class="btn primary" { "Make the App at " (one.name) }
                a class="btn" href=(base(one)) { "Back" }
            }
        }
    };
    Ok(leading_to(page(&who.chrome(), Here::Integrations, "Go on at GitHub", &content), &web))
}

/// Answers `GET …/app/created`, to which GitHub sends the browser back.
pub async fn come_back(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    returned: web::Query<Returned>,
) -> Result<HttpResponse, PageError> {
    let (one, ..) = found(&state, &who, &id).await?;
    let given = (returned.state.as_str(), returned.code.as_str());
    match github_apps::come_back(&state.appliance, &who.actor(), who.session.id, &id, given).await {
        Ok(slug) => {
            let text = format!("The GitHub App {slug} is made, and in use. Install it now where it shall read.");
            Ok(see_other(&base(one), Some(&Flash { good: true, text })))
        }
        Err(error) => {
            let faults = faults_of(error, "code")?;
            let content = html! {
                (crumbs(one))
                (head("No App was added", &nothing(), &nothing()))
                (callout(Tone::Fail, "What came back was not taken", &html! {
                    p dir="auto" { (sentence(faults.get("code").unwrap_or_default())) }
                    div class="row" { a class="btn primary" href=(base(one)) { "Begin again" } }
                }))
            };
            let code = StatusCode::BAD_REQUEST;
            Ok(page_with(code, &who.chrome(), Here::Integrations, "No App was added", &content))
        }
    }
}

/// An App that is there.
struct There<'a> {
    one: &'a Integration,
    web: &'a Url,
    app: &'a AppKey,
    standing: &'a Standing,
    /// Whether somebody there has asked an owner to install it.
    asked_for: bool,
}

/// Installations, with what uses each here.
type Places = Vec<(InstalledAt, Option<Used>)>;

impl There<'_> {
    async fn page(
        &self,
        state: &State,
        who: &Administers,
        form: &LendFields,
        faults: &Faults,
        code: StatusCode,
    ) -> Result<HttpResponse, PageError> {
        let asked = timeout(PATIENCE, github_apps::installations(&state.appliance, &self.one.id)).await;
        let places = match asked {
            Ok(Ok(places)) => Ok(places),
            Ok(Err(admin::Error::Invalid(refusal))) => Err(refusal.to_string()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => Err(format!("{} takes too long to tell: reload the page in a while", self.one.name)),
        };
        let organizations = organizations::list(&state.appliance).await?;
        let organizations: Vec<Organization> = organizations.into_iter().map(|one| one.organization).collect();
        let install = self.app.slug.as_deref().map(|slug| install_page(self.web, slug));
        let actions = html! {
            @if let Some(install) = &install { a class="btn primary" href=(install) rel="noreferrer" { "Install it in an organization" } }
        };
        let under = html! { "An account of this server at " span class="mono" { (self.one.url) } ", which reads the organizations where it is installed." };
        let content = html! {
            (crumbs(self.one))
            (head("GitHub App", &under, &actions))
            div class="sections" {
                (self.callouts())
                (self.facts(who, state))
                section aria-labelledby="h-i" {
                    h2 id="h-i" { "Where it is installed" }
                    @match &places {
                        Err(why) => (callout(Tone::Warn, "That cannot be told now", &html! { p dir="auto" { (sentence(why)) } })),
                        Ok(places) if places.is_empty() => p { "Nowhere yet. Whoever owns the organization there installs it, chooses the repositories, and comes back to this page." },
                        Ok(places) => (table(places)),
                    }
                }
                @if let Ok(places) = &places { (self.lend_form(who, places, &organizations, form, faults)) }
            }
        };
        Ok(page_with(code, &who.chrome(), Here::Integrations, "GitHub App", &content))
    }

    fn callouts(&self) -> Markup {
        html! {
            @if self.asked_for {
                (callout(Tone::Pend, "An owner has been asked to install it", &html! { p { "The installation appears here as soon as an owner of the organization there agrees." } }))
            }
            @if let (true, Some(made)) = (self.standing.configured, &self.standing.made) {
                (callout(Tone::Warn, "The App that was made here is not used", &html! {
                    p { "The configuration names the App " (self.app.id) ", and what stands there is used. The App " span class="mono" { (made.slug) } " waits until " code { "app_id" } " is taken out, or until it is forgotten here." }
                }))
            }
            @if self.app.webhook_secret.is_none() {
                (callout(Tone::Warn, "Its deliveries are not taken", &html! {
                    p { "Changes are found only at the interval of runs: give the integration the App’s " code { "webhook_secret" } "." }
                }))
            }
        }
    }

    fn facts(&self, who: &Administers, state: &State) -> Markup {
        let made = self.standing.made.as_ref();
        let own = made.filter(|_| !self.standing.configured);
        let hook = format!("{}/hooks/app/{}", state.settings.public_url, self.one.id);
        html! {
            section aria-labelledby="h-a" {
                h2 id="h-a" { "The App" }
                dl class="kv" {
                    @if let Some(slug) = &self.app.slug {
                        dt { "Name there" } dd { a class="mono" href=(app_page(self.web, slug)) rel="noreferrer" { (slug) } }
                    }
                    dt { "Number" } dd class="mono" { (self.app.id) }
                    @if let Some(own) = own {
                        dt { "Owned by" } dd dir="auto" { span class="mono" { (own.owner) } }
                        dt { "Made" } dd { (absolute(own.made_at)) " by " span class="mono" { (own.made_by) } }
                    } @else {
                        dt { "Named by" } dd { "the configuration, under " code { "[[integration]]" } }
                    }
                }
                div class="gap" { (snippet_line("hook", "Webhook URL", &hook)) }
                @if made.is_some() {
                    form class="row gap" method="post" action={ (base(self.one)) "/forget" } { (csrf(&who.csrf)) button class="btn danger" { "Forget the App that was made here…" } }
                }
            }
        }
    }

    /// The form that gives an installation to an organization here.
    fn lend_form(
        &self,
        who: &Administers,
        places: &Places,
        organizations: &[Organization],
        form: &LendFields,
        faults: &Faults,
    ) -> Markup {
        let free: Vec<(String, String)> = places
            .iter()
            .filter(|(_, used)| used.is_none())
            .map(|(one, _)| (one.number.to_string(), format!("{} ({})", one.account, one.number)))
            .collect();
        if free.is_empty() {
            return nothing();
        }
        let slugs: Vec<(String, String)> =
            organizations.iter().map(|one| (one.slug.clone(), format!("{} ({})", one.name, one.slug))).collect();
        // Mostly they are called the same on both sides.
        let chosen = places.iter().find(|(one, _)| one.number.to_string() == form.installation);
        let first = chosen.or_else(|| places.iter().find(|(_, used)| used.is_none()));
        let account = first.map(|(one, _)| one.account.to_ascii_lowercase()).unwrap_or_default();
        let organization = if form.organization.is_empty() { &account } else { &form.organization };
        let proposed = if form.name.is_empty() { format!("github-{account}") } else { form.name.clone() };
        let name = Input {
            name: "name",
            label: "Name of the credential",
            value: &proposed,
            hint: "Under this name it is chosen when the organization is followed.",
            required: true,
            mono: true,
            autocomplete: "off",
            ..Input::default()
        };
        html! {
            section aria-labelledby="h-l" {
                h2 id="h-l" { "Let an organization here use an installation" }
                @if slugs.is_empty() {
                    p { "There is no organization here yet: " a href="/admin/organizations/new" { "add one" } " first." }
                } @else {
                    form class="form stack gap" method="post" action={ (base(self.one)) "/use" } {
                        (csrf(&who.csrf))
                        (faults.summary())
                        (select("installation", "Installation", &free, &form.installation, "It belongs to one organization here, and to no other.", faults))
                        (select("organization", "Organization here", &slugs, organization, "", faults))
                        (name.markup(faults))
                        div class="row" { button class="btn primary" { "Add the credential" } }
                    }
                }
            }
        }
    }
}

fn table(places: &Places) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Installations" }
            thead { tr {
                th scope="col" { "Account there" } th scope="col" { "Repositories" } th scope="col" { "State" } th scope="col" { "Used by" }
            } }
            tbody {
                @for (one, used) in places {
                    tr {
                        th scope="row" { b dir="auto" { (one.account) } span class="sub mono" { (one.number) } }
                        td data-label="Repositories" { @if one.sees_all { "all" } @else { "selected ones" } }
                        td data-label="State" { @if one.suspended { (status(Tone::Fail, "Suspended there")) } @else { (status(Tone::Ok, "Let in")) } }
                        td data-label="Used by" {
                            @match used {
                                Some(used) => a href={ "/orgs/" (used.organization) "/credentials/" (used.credential) } { (used.organization) ", " span class="mono" { (used.credential) } },
                                None => span class="muted" { "nobody yet" },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Takes the form that lends an installation.
pub async fn lend(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    Form(fields): Form<LendFields>,
) -> Result<HttpResponse, PageError> {
    let (one, web, standing) = found(&state, &who, &id).await?;
    let app = standing.used.as_ref().ok_or_else(|| who.not_found())?;
    let slug = fields.organization.trim();
    let organization =
        organizations::list(&state.appliance).await?.into_iter().find(|one| one.organization.slug == slug);
    let faults = match (organization, fields.installation.trim().parse::<i64>()) {
        (None, _) => Faults::of("organization", "choose an organization of this server"),
        (_, Err(_)) => Faults::of("installation", "choose an installation"),
        (Some(found), Ok(number)) => {
            let (org, name) = (found.organization.id, fields.name.trim());
            match github_apps::lend(&state.appliance, &who.actor(), &id, number, (org, name)).await {
                Ok(_) => {
                    let text = format!("Credential “{name}” added. Follow the organization with it.");
                    let to = format!("/orgs/{slug}/syncs/new");
                    return Ok(see_other(&to, Some(&Flash { good: true, text })));
                }
                Err(error) => faults_of(error, "name")?,
            }
        }
    };
    let there = There { one, web: &web, app, standing: &standing, asked_for: false };
    there.page(&state, &who, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Takes the form that forgets the App, after asking.
pub async fn forget(
    state: web::Data<State>,
    who: Administers,
    id: web::Path<String>,
    Form(fields): Form<ForgetFields>,
) -> Result<HttpResponse, PageError> {
    let (one, _, standing) = found(&state, &who, &id).await?;
    let made = standing.made.as_ref().ok_or_else(|| who.not_found())?;
    if fields.confirmed == "yes" {
        github_apps::forget(&state.appliance, &who.actor(), &id).await?;
        let text = format!(
            "The GitHub App {} is forgotten here. At {} it stays until its owner deletes it.",
            made.slug, one.name
        );
        return Ok(see_other(&base(one), Some(&Flash { good: true, text })));
    }
    let (action, back) = (format!("{}/forget", base(one)), base(one));
    let confirmation = Confirmation {
        question: html! { "Forget the App " span class="mono" { (made.slug) } "?" },
        lead: "Its key is destroyed here and cannot be had again.",
        consequences: vec![
            (
                "Synchronizations",
                html! { "that read by it stop. Who may see what counts on until " code { "jobs.access_max_age" } " is over." },
            ),
            ("Packages", html! { "stay installable, and are not updated any more where it opened their code." }),
            ("At the platform", html! { "the App stays until its owner deletes it there." }),
        ],
        advice: None,
        typed: None,
        action: &action,
        fields: Vec::new(),
        button: "Forget it",
        back: (&back, "Keep it"),
    };
    Ok(page(&who.chrome(), Here::Integrations, "Forget the GitHub App", &confirmation.markup(&who.csrf, false)))
}
