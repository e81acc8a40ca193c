//! Everybody with an account, as a list, and the form that adds somebody.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use crate::admin::users::{self, Filter, Listed, NewUser};
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, Tone, ago_or_never, badge, counted, head, nothing, pager, status};
use crate::http::pages::forms::{Faults, Input, checkbox, faults_of};
use crate::http::pages::layout::{self, Here, csrf};
use crate::http::pages::respond::see_other;
use crate::http::visitor::Administers;

/// Where the list is.
pub(super) const BASE: &str = "/admin/users";
/// People on one page.
const SHOWN: usize = 50;
/// Longest text that is looked for, in characters.
const LONGEST_TEXT: usize = 200;

/// What the page's address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    only: String,
    after: String,
}

impl Asked {
    fn filter(&self) -> Filter {
        let text: String = self.q.trim().chars().take(LONGEST_TEXT).collect();
        Filter {
            text: (!text.is_empty()).then_some(text),
            administrators: self.only == "administrators",
            disabled: self.only == "disabled",
        }
    }

    fn address(&self, after: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", self.q.as_str()), ("only", self.only.as_str()), ("after", after.unwrap_or(""))] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            query if query.is_empty() => BASE.to_owned(),
            query => format!("{BASE}?{query}"),
        }
    }
}

/// Answers `/admin/users`.
pub async fn list(
    administrator: Administers,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let page = users::page(&state.appliance, asked.filter(), &asked.after, SHOWN).await?;
    let now = state.appliance.now();
    let found = counted(page.total, "person", "people");
    let next = page.next.as_deref().map(|after| asked.address(Some(after)));
    let first = (!asked.after.is_empty()).then(|| asked.address(None));
    let under = html! { "Everybody with an account here. Whoever signs in by a platform for the first time gets one." };
    let add = html! { a class="btn primary" href={ (BASE) "/new" } { "Add a local account" } };
    let content = html! {
        (head("Users", &under, &add))
        (filters(&asked))
        div data-results=(found) {
            @if page.users.is_empty() {
                p { "Nobody fits. " a href=(BASE) { "Clear the filter" } }
            } @else {
                (table(&page.users, &state, now))
                (pager(&found, first.as_deref(), next.as_deref()))
            }
        }
    };
    Ok(layout::page(&administrator.chrome(), Here::Users, "Users", &content))
}

fn filters(asked: &Asked) -> Markup {
    let choices = [("", "Everybody"), ("administrators", "Administrators"), ("disabled", "Disabled")];
    html! {
        form class="filters" method="get" action=(BASE) data-filter role="search" aria-label="Filter the users" {
            div class="field grow" {
                label for="u-q" { "Name, address or platform account" }
                input id="u-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            div class="field half" {
                label for="u-o" { "Show" }
                select id="u-o" name="only" {
                    @for (value, words) in choices { option value=(value) selected[value == asked.only] { (words) } }
                }
            }
            button class="btn" { "Filter" }
        }
    }
}

fn table(all: &[Listed], state: &State, now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Users, by name" }
            thead {
                tr {
                    th scope="col" { "User" }
                    th scope="col" { "State" }
                    th scope="col" class="wide" { "Signs in by" }
                    th scope="col" { "Second factor" }
                    th scope="col" class="nowrap" { "Last sign-in" }
                }
            }
            tbody {
                @for Listed { user, accounts } in all {
                    tr {
                        th scope="row" {
                            a href={ (BASE) "/" (user.name) } { b dir="auto" { (user.shown_name()) } }
                            @if user.admin { " " (badge(Tone::Neutral, "administrator")) }
                            span class="sub" dir="auto" {
                                @if user.shown_name() != user.name { (user.name) @if user.email.is_some() { ", " } }
                                (user.email.as_deref().unwrap_or(""))
                            }
                        }
                        td data-label="State" { (state_of(user.enabled)) }
                        td data-label="Signs in by" class="wide" { (ways(user.password_set_at.is_some(), accounts, state)) }
                        td data-label="Second factor" { (if user.second_factor_at.is_some() { "set up" } else { "" }) }
                        td data-label="Last sign-in" class="nowrap" { (ago_or_never(user.last_login_at, now)) }
                    }
                }
            }
        }
    }
}

/// Whether the account works.
pub(super) fn state_of(enabled: bool) -> Markup {
    if enabled { status(Tone::Ok, "Enabled") } else { status(Tone::Neutral, "Disabled") }
}

fn ways(password: bool, accounts: &[crate::store::accounts::Account], state: &State) -> String {
    let platforms = accounts.iter().map(|one| format!("{} ({})", state.integration_name(&one.integration), one.login));
    let ways: Vec<_> = password.then(|| "Password".to_owned()).into_iter().chain(platforms).collect();
    if ways.is_empty() { "nothing: set a password".to_owned() } else { ways.join(", ") }
}

/// The fields of the form that adds somebody.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    name: String,
    email: String,
    password: SecretString,
    admin: String,
}

/// Answers `/admin/users/new`.
pub async fn new(administrator: Administers) -> HttpResponse {
    form_page(&administrator, &Fields::default(), &Faults::default(), StatusCode::OK)
}

/// Takes its form.
pub async fn add(
    administrator: Administers,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let again = |faults: &Faults| form_page(&administrator, &fields, faults, StatusCode::UNPROCESSABLE_ENTITY);
    if fields.password.expose_secret().is_empty() {
        return Ok(again(&Faults::of("password", "A local account needs a password: it has no other way in")));
    }
    let new = NewUser {
        name: fields.name.trim().to_owned(),
        email: Some(fields.email.trim()).filter(|email| !email.is_empty()).map(str::to_owned),
        admin: fields.admin == "on",
        password: Some(fields.password.clone()),
    };
    let name = new.name.clone();
    match users::add(&state.appliance, &administrator.actor(), new).await {
        Ok(_) => {
            let flash = Flash { good: true, text: format!("“{name}” has an account now.") };
            Ok(see_other(&format!("{BASE}/{name}"), Some(&flash)))
        }
        Err(error) => {
            let text = error.to_string();
            let field = ["password", "e-mail"].into_iter().find(|word| text.contains(word));
            let field = match field {
                Some("password") => "password",
                Some(_) => "email",
                None => "name",
            };
            Ok(again(&faults_of(error, field)?))
        }
    }
}

fn form_page(who: &Administers, fields: &Fields, faults: &Faults, code: StatusCode) -> HttpResponse {
    let name = Input {
        name: "name",
        label: "Name",
        value: &fields.name,
        hint: "For signing in and in commands: small letters, digits, dots and dashes.",
        placeholder: "ada",
        required: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let email = Input {
        name: "email",
        label: "E-mail address",
        value: &fields.email,
        placeholder: "ada@example.com",
        optional: true,
        autocomplete: "off",
        ..Input::default()
    };
    let password = Input {
        name: "password",
        label: "Password",
        kind: "password",
        hint: "Tell the person on a way that others do not see; it can be changed on the profile.",
        required: true,
        autocomplete: "new-password",
        ..Input::default()
    };
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(BASE) { "Users" } " /" }
        (head("Add a local account", &nothing(), &nothing()))
        (faults.summary())
        form class="form stack gap" method="post" action={ (BASE) "/new" } {
            (csrf(&who.csrf))
            (name.markup(faults))
            (email.markup(faults))
            (password.markup(faults))
            (checkbox("admin", "on", "Administers this server", "May see and change everything, in every organization.", fields.admin == "on"))
            div class="row" {
                button class="btn primary" { "Add the account" }
                a class="btn" href=(BASE) { "Back to the users" }
            }
        }
    };
    layout::page_with(code, &who.chrome(), Here::Users, "Add a local account", &content)
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn the_question_survives_its_address() {
        let asked = Asked { q: "a&b".to_owned(), only: "disabled".to_owned(), ..Asked::default() };
        assert_eq!(asked.address(Some("ada")), "/admin/users?q=a%26b&only=disabled&after=ada");
        assert!(asked.filter().disabled && !asked.filter().administrators);
        assert_eq!(Asked::default().address(None), "/admin/users");
    }
}
