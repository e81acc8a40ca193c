//! Where a person begins who knows only the server's name, and where one ends who mistyped an address. Neither tells
//! which organizations there are.

use maud::{Markup, html};

use super::components::snippet_bare;
use super::layout::solo;
use super::refusals;
use crate::telemetry::RequestId;

/// What this is, and how Composer comes to use it.
pub(super) fn page(public_url: &str, host: &str) -> Markup {
    let repository = format!("composer config repositories.ORGANIZATION composer {public_url}/repo/ORGANIZATION");
    let token = format!("composer config --global --auth http-basic.{host} token YOUR_TOKEN");
    let bearer = format!("composer config --global --auth bearer.{host} YOUR_TOKEN");
    solo(
        "Private Composer repository",
        true,
        &html! {
            div class="sections" {
                section class="stack" {
                    h1 { "Private Composer repository" }
                    p { "This server holds PHP packages of organizations. Composer installs them from here with a token." }
                    div class="row" { a class="btn primary" href="/login" { "Sign in" } }
                }
                section class="stack" aria-labelledby="use" {
                    h2 id="use" { "Use it with Composer" }
                    ol class="steps" {
                        li {
                            h3 { "Get a token" }
                            p { "Sign in, and make your own on your profile; for a machine, an administrator of your organization makes one. It begins with " code { "pksh_" }
                                " and opens what you may see: share it with nobody." }
                        }
                        li {
                            h3 { "Store it on your machine" }
                            (snippet_bare("s1", "Shell", &token))
                            p class="hint" { "The user name, here " code { "token" } ", does not matter. On a build server, the variable "
                                code { "COMPOSER_AUTH" } " takes the same as JSON. As a Bearer token it works too:" }
                            (snippet_bare("s2", "Shell", &bearer))
                        }
                        li {
                            h3 { "Add the repository to your project" }
                            (snippet_bare("s3", "Shell, in the project", &repository))
                            p class="hint" { "Write your organization’s name for " code { "ORGANIZATION" } ", as its administrator told you." }
                        }
                        li {
                            h3 { "Install" }
                            (snippet_bare("s4", "Shell, in the project", "composer require VENDOR/PACKAGE"))
                        }
                    }
                }
                section class="stack" aria-labelledby="trouble" {
                    h2 id="trouble" { "If Composer is refused" }
                    p { "Composer shows a warning that says why: the token is missing, mistyped, expired or revoked. A package that it does not find either does not exist, or your token does not open it." }
                }
            }
        },
    )
}

/// What a mistyped address gets.
pub(super) fn not_found(id: RequestId) -> Markup {
    solo(
        "Nothing here",
        true,
        &html! {
            div class="stack" {
                p class="status warn" { "404" }
                h1 { "There is nothing at this address" }
                p { "It is mistyped, or what was here is gone. Composer is not affected." }
                div class="row" { a class="btn primary" href="/" { "Go to the start" } }
                (refusals::request(id))
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{RequestId, not_found, page};

    #[test]
    fn pages_need_nothing_inline_and_escape_what_they_show() {
        for html in
            [page("https://x.example/<b>", "x.example").into_string(), not_found(RequestId::random()).into_string()]
        {
            assert!(!html.contains("<script>") && !html.contains("style=") && !html.contains("<b>"), "{html}");
            assert!(html.contains("/assets/") && html.contains("<h1>"), "{html}");
        }
    }
}
