//! The browsers in which a person is signed in.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::{back, refused};
use crate::admin::{self, sessions};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::pages::components::{Flash, Tone, ago, badge};
use crate::http::pages::layout::csrf;
use crate::http::pages::respond;
use crate::http::session::Kind;
use crate::http::visitor::SignedIn;
use crate::store::ids::SessionId;

/// The section of the profile.
pub(super) async fn section(state: &State, who: &SignedIn) -> Result<Markup, PageError> {
    let all = sessions::list(&state.appliance, who.user.id).await?;
    let now = state.appliance.now();
    Ok(html! {
        section aria-labelledby="h-s" {
            div class="head" {
                h2 id="h-s" { "Sessions" }
                div class="row" {
                    @if all.len() > 1 {
                        form method="post" action="/profile/sessions/end-others" { (csrf(&who.csrf)) button class="btn small danger" { "Sign out everywhere else" } }
                    }
                    form method="post" action="/profile/sessions/end-all" { (csrf(&who.csrf)) button class="btn small danger" { "Sign out everywhere" } }
                }
            }
            table class="table" {
                caption class="sr" { "Sessions" }
                thead { tr {
                    th scope="col" { "Browser" } th scope="col" { "From" } th scope="col" { "Signed in by" }
                    th scope="col" class="nowrap" { "Last seen" } th scope="col" class="act" { span class="sr" { "Actions" } }
                } }
                tbody {
                    @for session in &all {
                        @let name = browser(session.agent.as_deref());
                        @let mine = session.id == who.session.id;
                        tr {
                            th scope="row" { b { (name) } @if mine { " " (badge(Tone::Ok, "this one")) } }
                            td data-label="From" { (session.address.as_deref().unwrap_or("unknown")) }
                            td data-label="Signed in by" {
                                (session.integration.as_deref().map_or_else(|| "Password".to_owned(), |id| state.integration_name(id)))
                            }
                            td data-label="Last seen" class="nowrap" { (ago(if mine { now } else { session.seen_at }, now)) }
                            td class="act" {
                                @if !mine {
                                    form method="post" action={ "/profile/sessions/" (session.id) "/end" } {
                                        (csrf(&who.csrf))
                                        button class="btn small" { "End" span class="sr" { " " (name) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// What a `User-Agent` is called by people: `Firefox 151, Linux`.
fn browser(agent: Option<&str>) -> String {
    let Some(agent) = agent else { return "Unknown browser".to_owned() };
    // More special ones first: they name the others too.
    let products = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Version/", "Safari"),
        ("curl/", "curl"),
    ];
    let systems = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let product = products.iter().find_map(|(mark, name)| {
        let (_, after) = agent.split_once(mark)?;
        let version: String = after.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{name} {version}"))
    });
    let system = systems.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (product, system) {
        (Some(product), Some(system)) => format!("{}, {system}", product.trim_end()),
        (Some(product), None) => product.trim_end().to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}

/// Answers `POST /profile/sessions/{session}/end`.
pub(in crate::http) async fn end(
    state: web::Data<State>,
    who: SignedIn,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    match sessions::end(&state.appliance, &who.actor(), &who.user, SessionId(*id)).await {
        Ok(()) => Ok(back("That browser is signed out.")),
        Err(admin::Error::NotFound(_)) => Ok(refused("That session is over already.")),
        Err(error) => Err(error.into()),
    }
}

/// Answers `POST /profile/sessions/end-others`.
pub(in crate::http) async fn end_others(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    let ended = sessions::end_all(&state.appliance, &who.actor(), &who.user, Some(who.session.id)).await?;
    Ok(back(match ended {
        1 => "One other browser is signed out.".to_owned(),
        ended => format!("{ended} other browsers are signed out."),
    }))
}

/// Answers `POST /profile/sessions/end-all`.
pub(in crate::http) async fn end_all(state: web::Data<State>, who: SignedIn) -> Result<HttpResponse, PageError> {
    sessions::end_all(&state.appliance, &who.actor(), &who.user, None).await?;
    let flash = Flash { good: true, text: "You are signed out everywhere.".to_owned() };
    let mut response = respond::see_other("/login", Some(&flash));
    // A cookie of ours fits into a header.
    let _ = response.add_cookie(&state.cookies.remove(Kind::Session));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_have_names() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0", "Firefox 151, Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
                "Edge 141, Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
                "Safari 19, iPhone",
            ),
            ("curl/8.5.0", "curl 8"),
            ("something <b>", "something <b>"),
        ] {
            assert_eq!(browser(Some(agent)), name);
        }
        assert_eq!(browser(None), "Unknown browser");
    }
}
