//! The frame of pages before anybody has signed in.

use maud::{DOCTYPE, Markup, html};

use crate::http::assets;

/// A page with a title and the content of its sheet.
pub(super) fn solo(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(assets::address("icon.svg"));
                link rel="stylesheet" href=(assets::address("style.css"));
            }
            body {
                a class="skip sr" href="#main" { "Skip to content" }
                header class="bar" {
                    a class="brand" href="/" { (mark()) span { "packagist-selfhosted" } }
                }
                main class="solo wide" id="main" tabindex="-1" {
                    (content)
                    footer class="foot" { span { "packagist-selfhosted " (env!("CARGO_PKG_VERSION")) } }
                }
            }
        }
    }
}

/// A text that one pastes, under what it is.
pub(super) fn snippet(caption: &str, text: &str) -> Markup {
    html! {
        figure class="snippet" {
            figcaption { (caption) }
            pre { code { (text) } }
        }
    }
}

/// The mark, in the colour of the text around it.
fn mark() -> Markup {
    html! {
        svg width="22" height="22" viewBox="0 0 22 22" fill="currentColor" aria-hidden="true" {
            path d="M1 18h20v2H1z" {}
            path d="M3 10h7v7H3zM12 10h7v7h-7z" opacity=".55" {}
            path d="M7.5 2h7v7h-7z" {}
        }
    }
}
