//! Where somebody who is signed in begins: the organizations that are one's business.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::components::{empty, head, nothing, number};
use super::layout::{self, Here};
use crate::access::role::Role;
use crate::catalog::OrgAccess;
use crate::http::State;
use crate::http::visitor::SignedIn;

/// The page; who has one organization only is not asked which.
pub(super) fn page(state: &State, who: &SignedIn) -> HttpResponse {
    let world = state.appliance.catalog.world();
    let all = world.organizations_of(who.user.id, state.appliance.now());
    let content = html! {
        (head("Organizations", &html! { "One organization is one Composer repository with its packages, teams and tokens." }, &nothing()))
        @if all.is_empty() { (none(who)) } @else { (table(&all, who)) }
    };
    layout::page(&who.chrome(), Here::Elsewhere, "Organizations", &content)
}

fn none(who: &SignedIn) -> Markup {
    if who.user.admin {
        return empty(
            "No organization yet",
            "Make the first one, and add packages to it.",
            Some(("/admin/organizations", "Add an organization")),
            Some("packagist-selfhosted org add acme"),
        );
    }
    let text = format!(
        "You are signed in as {}, and belong to no organization so far. Ask whoever manages packages in your company to add you, and tell them this name.",
        who.user.name
    );
    empty("Nothing to see yet", &text, Some(("/profile", "Look at your profile")), None)
}

fn table(all: &[OrgAccess], who: &SignedIn) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Your organizations" }
            thead {
                tr {
                    th scope="col" { "Organization" }
                    th scope="col" { "You are" }
                    th scope="col" class="num" { "Packages you see" }
                }
            }
            tbody {
                @for one in all {
                    @let slug = &one.organization.slug;
                    @let name = who.organizations().iter().find(|(known, _)| **known == **slug).map(|(_, name)| name.as_str());
                    tr {
                        th scope="row" {
                            a href={ "/orgs/" (slug) } { b dir="auto" { (name.unwrap_or(slug)) } }
                            span class="sub mono" { (slug) }
                        }
                        td data-label="You are" { (role(one)) }
                        td data-label="Packages you see" class="num" {
                            (number(i64::try_from(one.organization.visible(&one.view).filter(|(_, entry)| entry.current).count()).unwrap_or(i64::MAX)))
                        }
                    }
                }
            }
        }
    }
}

fn role(one: &OrgAccess) -> &'static str {
    match one.membership {
        Some(Role::Owner) => "owner",
        Some(Role::Admin) => "admin",
        Some(Role::Member) => "member",
        _ if one.administrator => "administrator of the server",
        _ => "collaborator",
    }
}
