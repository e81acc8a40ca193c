//! What the configuration says, with the source of each value and without any secret.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use crate::http::pages::components::head;
use crate::http::pages::components::nothing;
use crate::http::pages::layout::{self, Here};
use crate::http::visitor::Administers;
use crate::http::{Configured, State};

/// Answers `/admin/configuration`.
pub async fn show(administrator: Administers, state: web::Data<State>) -> HttpResponse {
    let all = &state.settings.configuration;
    let under = html! {
        "As it was read at the start; what says not where it is from is the default. It is changed in its file, or by variables of the environment, and takes effect with the next start: "
        code { "systemctl restart packagist-selfhosted" }
    };
    let mut sections: Vec<&str> = Vec::new();
    for one in all {
        if sections.last() != Some(&one.section.as_str()) {
            sections.push(&one.section);
        }
    }
    let content = html! {
        (head("Configuration", &under, &nothing()))
        div class="sections" {
            @for (index, section) in sections.iter().enumerate() {
                section aria-labelledby={ "h-" (index) } {
                    h2 id={ "h-" (index) } class="mono" { "[" (section) "]" }
                    (values(all.iter().filter(|one| one.section == *section)))
                }
            }
        }
    };
    layout::page(&administrator.chrome(), Here::Configuration, "Configuration", &content)
}

fn values<'a>(values: impl Iterator<Item = &'a Configured>) -> Markup {
    html! {
        dl class="kv" {
            @for one in values {
                dt class="mono" { (one.key) }
                dd {
                    @match &one.value {
                        Some(value) if one.secret => (value),
                        Some(value) => span class="mono" { (value) },
                        None => span class="muted" { "not set" },
                    }
                    @if one.value.is_some() && one.source != "default" { " " span class="muted small" { "from " span class="mono" { (one.source) } } }
                }
            }
        }
    }
}
