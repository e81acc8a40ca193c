//! What a person is told instead of a page: whose fault it is, what was not changed, and where to go on.

use maud::{Markup, html};

use super::components::snippet_line;
use super::forms::sentence;
use super::layout::{Chrome, Here, framed, solo};
use crate::http::page_error::{FormFault, PageError};
use crate::telemetry::RequestId;

/// The page of a refusal; the log has the request under `id`.
pub(in crate::http) fn page(error: &PageError, id: RequestId) -> Markup {
    match error {
        PageError::SignIn(_) | PageError::SignInAgain(_) => alone("Sign in", &html! { h1 { "Sign in" } }),
        PageError::NotFound(chrome) => {
            let content = html! {
                p class="status warn" { "404" }
                h1 { "There is nothing at this address" }
                p { "It is mistyped, what was here is gone, or you may not see it. Composer is not affected." }
                div class="row" { a class="btn primary" href="/" { "Go to the start" } }
                (request(id))
            };
            within(chrome.as_deref(), "Nothing here", &content)
        }
        PageError::Forbidden(forbidden) => {
            let content = html! {
                p class="status warn" { "403" }
                h1 { (forbidden.what) }
                p { "Your account does not have that role." }
                @if !forbidden.who.is_empty() { p { "Who can give it to you: " span dir="auto" { (forbidden.who.join(", ")) } "." } }
                div class="row" { a class="btn primary" href="/" { "Go to the start" } }
                (request(id))
            };
            within(Some(&forbidden.chrome), "Not for your role", &content)
        }
        PageError::OtherLogin(login) => {
            let content = html! {
                p class="status warn" { "403" }
                h1 { (login.organization) " asks for another sign-in" }
                p { "Its owners decided that everybody signs in by one of these. You stay signed in here; what you see elsewhere does not change." }
                div class="row" {
                    @for (id, name) in &login.integrations {
                        a class="btn primary" href={ "/auth/" (id) "?next=" (login.next.encoded()) } { "Continue with " (name) }
                    }
                }
                (request(id))
            };
            within(Some(&login.chrome), "Another sign-in", &content)
        }
        PageError::Form(fault) => form(fault, id),
        PageError::Busy(seconds, text) => alone(
            "Too much at once",
            &html! {
                p class="status warn" { "503" }
                h1 { (text) }
                p { "Nothing was changed. Try again in " (seconds) " seconds." }
                (request(id))
            },
        ),
        PageError::Refused(_, text) => alone(
            "Not done",
            &html! {
                p class="status fail" { "Not done" }
                h1 { "This could not be done" }
                p { (sentence(text)) }
                p { "Nothing was changed." }
                div class="row" { a class="btn primary" href="/" { "Go to the start" } }
                (request(id))
            },
        ),
        PageError::Internal(id) => internal(&id.to_string()),
    }
}

/// What finds the request in the log.
pub(super) fn request(id: RequestId) -> Markup {
    html! { p class="muted small" { "Request " code { (id.to_string()) } " in the server’s log" } }
}

fn internal(id: &str) -> Markup {
    let search = format!("journalctl -u packagist-selfhosted --grep {id}");
    alone(
        "Something failed here",
        &html! {
            p class="status fail" { "500" }
            h1 { "This page could not be made, and it is not your doing" }
            p { "The server met an error that it did not expect. Nothing that you entered was changed. Composer is not affected: packages are served." }
            div class="row" { a class="btn primary" href="/" { "Go to the start" } }
            section class="stack" aria-labelledby="h-w" {
                h2 id="h-w" { "If it comes back" }
                p { "Send this id to an administrator. It finds the line in the log:" }
                (snippet_line("request-id", "Request", id))
                details class="more" {
                    summary { "For administrators" }
                    (snippet_line("search", "Shell", &search))
                }
            }
        },
    )
}

fn form(fault: &FormFault, id: RequestId) -> Markup {
    let (heading, text) = match fault {
        FormFault::Foreign { origin, public_url } => (
            "This form was not sent from a page of this server",
            format!(
                "It came from {origin}, and this server is {public_url} (server.public_url in its configuration). Open {public_url} and try it there. If the address is right, an administrator sets server.public_url to the one that people use."
            ),
        ),
        FormFault::Token => (
            "This form is out of date",
            "You signed in or out since the page was opened, perhaps in another tab. Go back, reload the page and send it again.".to_owned(),
        ),
        FormFault::Cookies { public_url } => (
            "Your browser did not send its cookie",
            format!("Allow cookies for this server, and open it as {public_url}: cookies are for that address only."),
        ),
        FormFault::TooLarge => ("This form is too large", "It may have 256 KiB in all.".to_owned()),
        FormFault::Unreadable => (
            "This form cannot be read",
            "It was cut off, or is not of the kind that this server's pages send.".to_owned(),
        ),
        FormFault::Fields => (
            "This form lacks a field",
            "It lacks one, or has one with a value that this page does not offer. Go back, reload the page and send it again."
                .to_owned(),
        ),
    };
    alone(
        heading,
        &html! {
            p class="status fail" { "Not done" }
            h1 { (heading) }
            p { (text) }
            p { "Nothing was changed." }
            div class="row" { a class="btn primary" href="/" { "Go to the start" } }
            (request(id))
        },
    )
}

fn within(chrome: Option<&Chrome>, title: &str, content: &Markup) -> Markup {
    match chrome {
        Some(chrome) => framed(chrome, Here::Elsewhere, title, &html! { div class="narrow stack" { (content) } }),
        None => alone(title, content),
    }
}

fn alone(title: &str, content: &Markup) -> Markup {
    solo(title, true, &html! { div class="stack" { (content) } })
}
