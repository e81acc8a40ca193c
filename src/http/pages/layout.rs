//! The frames that pages stand in: [`page`] for people who are signed in, [`solo`] for everybody else.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::components::{Flash, Tone};
use super::respond;
use crate::access::role::Role;
use crate::http::assets;
use crate::store::sync_lists::Tally;

/// What the frame around a page shows of whoever looks at it.
#[derive(Clone, Debug, Default)]
pub struct Chrome {
    /// What the person is called.
    pub person: String,
    /// The session's CSRF token, for the forms of the frame itself.
    pub csrf: String,
    /// The theme that the person chose.
    pub theme: Theme,
    /// Whether single keys do something.
    pub shortcuts: bool,
    /// The organizations that the person may look at: slug and name.
    pub organizations: Vec<(String, String)>,
    /// The one that the page belongs to, if it belongs to one.
    pub current: Option<CurrentOrganization>,
    /// Whether the person administers the instance.
    pub administers: bool,
    /// The result of the last form, shown once.
    pub flash: Option<Flash>,
}

/// The organization that a page belongs to.
#[derive(Clone, Debug)]
pub struct CurrentOrganization {
    /// Its name in addresses.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// What the person is there; instance administrators are owners everywhere.
    pub role: Role,
    /// Its synchronizations, for whoever manages them.
    pub syncs: Tally,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The theme that the cookie `theme` names; anything unknown is the system's.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The word in cookies and forms.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }
}

/// Where a page is in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the page of its name")]
pub enum Here {
    Overview,
    Packages,
    Syncs,
    Teams,
    Members,
    Access,
    Tokens,
    Credentials,
    Audit,
    Settings,
    Status,
    Jobs,
    Organizations,
    Users,
    Integrations,
    Configuration,
    InstanceAudit,
    /// A page that the navigation does not name, such as the profile.
    Elsewhere,
}

/// An entry of the navigation.
struct Link {
    here: Here,
    label: &'static str,
    /// What follows the organization's, or the instance's, address.
    path: &'static str,
    /// The key after `g` that leads there.
    key: Option<&'static str>,
    /// Who sees it.
    least: Role,
}

const fn link(here: Here, label: &'static str, path: &'static str, key: Option<&'static str>, least: Role) -> Link {
    Link { here, label, path, key, least }
}

/// Pages of an organization. Where someone may not go, the link is absent.
const ORGANIZATION: [Link; 10] = [
    link(Here::Overview, "Overview", "", Some("o"), Role::Collaborator),
    link(Here::Packages, "Packages", "/packages", Some("p"), Role::Collaborator),
    link(Here::Syncs, "Synchronizations", "/syncs", Some("s"), Role::Admin),
    link(Here::Teams, "Teams", "/teams", Some("t"), Role::Member),
    link(Here::Members, "Members", "/members", Some("m"), Role::Member),
    link(Here::Access, "Access", "/access", Some("a"), Role::Collaborator),
    link(Here::Tokens, "Tokens", "/tokens", Some("k"), Role::Admin),
    link(Here::Credentials, "Credentials", "/credentials", Some("c"), Role::Admin),
    link(Here::Audit, "Audit log", "/audit", Some("l"), Role::Admin),
    link(Here::Settings, "Settings", "/settings", None, Role::Owner),
];

/// Pages of the instance, for its administrators.
const INSTANCE: [Link; 7] = [
    link(Here::Status, "Status", "", Some("i"), Role::Owner),
    link(Here::Jobs, "Jobs", "/jobs", Some("j"), Role::Owner),
    link(Here::Organizations, "Organizations", "/organizations", None, Role::Owner),
    link(Here::Users, "Users", "/users", None, Role::Owner),
    link(Here::Integrations, "Integrations", "/integrations", None, Role::Owner),
    link(Here::InstanceAudit, "Instance audit log", "/audit", None, Role::Owner),
    link(Here::Configuration, "Configuration", "/configuration", None, Role::Owner),
];

/// A page for somebody who is signed in, with `200`.
#[must_use]
pub fn page(chrome: &Chrome, here: Here, title: &str, content: &Markup) -> HttpResponse {
    page_with(StatusCode::OK, chrome, here, title, content)
}

/// The same with another status, such as `422` for a form that comes back.
#[must_use]
pub fn page_with(status: StatusCode, chrome: &Chrome, here: Here, title: &str, content: &Markup) -> HttpResponse {
    respond::html(status, framed(chrome, here, title, content), chrome.flash.is_some())
}

pub(super) fn framed(chrome: &Chrome, here: Here, title: &str, content: &Markup) -> Markup {
    let title = match &chrome.current {
        Some(organization) => format!("{title} · {}", organization.name),
        None => title.to_owned(),
    };
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[chrome.theme.attribute()] data-keys=[(!chrome.shortcuts).then_some("off")] {
            (head(&title))
            body {
                a class="skip sr" href="#main" { "Skip to content" }
                header class="bar" { (bar(chrome)) }
                div class="frame" {
                    nav class="nav" id="nav" aria-label="Main" { (navigation(chrome, here)) }
                    main class="sheet" id="main" tabindex="-1" {
                        @if let Some(flash) = &chrome.flash { (flash.markup()) }
                        (content)
                        (foot())
                    }
                }
            }
        }
    }
}

/// A page with a title and the content of its sheet, before anybody has signed in.
#[must_use]
pub fn solo(title: &str, wide: bool, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                a class="skip sr" href="#main" { "Skip to content" }
                main class={ "solo stack" @if wide { " wide" } } id="main" tabindex="-1" {
                    (content)
                    (foot())
                }
            }
        }
    }
}

/// The head of a solo page: the mark beside the heading.
#[must_use]
pub fn solo_head(heading: &str, under: &str) -> Markup {
    html! {
        div class="row" {
            (mark(32))
            div {
                h1 { (heading) }
                @if !under.is_empty() { p class="muted mono" { (under) } }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href=(assets::address("icon.svg"));
            link rel="stylesheet" href=(assets::address("style.css"));
            script src=(assets::address("app.js")) defer {}
        }
    }
}

fn bar(chrome: &Chrome) -> Markup {
    html! {
        a class="btn small menu-link" href="#nav" { "Menu" }
        a class="brand" href="/" aria-label="packagist-selfhosted, home" { (mark(22)) span { "packagist-selfhosted" } }
        @if !chrome.organizations.is_empty() { (organizations(chrome)) }
        @if let Some(current) = &chrome.current {
            form class="search" role="search" action={ "/orgs/" (current.slug) "/packages" } method="get" {
                label class="sr" for="q-top" { "Search packages" }
                input id="q-top" name="q" type="search" placeholder="Search packages" data-search autocomplete="off";
                kbd aria-hidden="true" { "/" }
            }
        }
        (account(chrome))
    }
}

/// Switching the organization leads to its overview: not every page of one exists in another.
fn organizations(chrome: &Chrome) -> Markup {
    let current = chrome.current.as_ref();
    html! {
        details class="menu" {
            summary {
                span class="sr" { "Organization: " }
                (current.map_or("Organizations", |organization| organization.name.as_str()))
            }
            div {
                ul {
                    @for (slug, name) in chrome.organizations.iter().take(20) {
                        @let here = current.is_some_and(|organization| organization.slug == *slug);
                        li { a href={ "/orgs/" (slug) } aria-current=[here.then_some("true")] { (name) } }
                    }
                }
                hr;
                ul { li { a href="/" { "All organizations" } } }
            }
        }
    }
}

fn account(chrome: &Chrome) -> Markup {
    let themes = [(Theme::System, "Theme: system"), (Theme::Light, "Theme: light"), (Theme::Dark, "Theme: dark")];
    html! {
        details class="menu end user" {
            summary { span class="sr" { "Account: " } span dir="auto" { (chrome.person) } }
            div {
                ul {
                    li { a href="/profile" { "Profile" } }
                    li { a href="/profile#token" { "My token" } }
                }
                hr;
                form method="post" action="/profile/theme" {
                    (csrf(&chrome.csrf))
                    ul aria-label="Theme" {
                        @for (theme, label) in themes {
                            li {
                                button name="theme" value=(theme.as_str()) data-theme-set=(theme.as_str())
                                    aria-pressed=(if chrome.theme == theme { "true" } else { "false" }) { (label) }
                            }
                        }
                    }
                }
                hr;
                form method="post" action="/logout" {
                    (csrf(&chrome.csrf))
                    ul { li { button { "Sign out" } } }
                }
            }
        }
    }
}

/// The field that makes a form count.
#[must_use]
pub fn csrf(token: &str) -> Markup {
    html! { input type="hidden" name="csrf" value=(token); }
}

fn navigation(chrome: &Chrome, here: Here) -> Markup {
    html! {
        @if let Some(current) = &chrome.current {
            h2 { (current.name) }
            (links(&ORGANIZATION, &format!("/orgs/{}", current.slug), (current.role, current.syncs), here))
        }
        @if chrome.administers {
            h2 { "Instance" }
            (links(&INSTANCE, "/admin", (Role::Owner, Tally::default()), here))
        }
        @if chrome.current.is_none() && !chrome.administers {
            h2 { "Account" }
            ul {
                li { a href="/" { "Organizations" } }
                li { a href="/profile" { "Profile" } }
            }
        }
        a class="btn small nav-close" href="#main" { "Close menu" }
    }
}

/// How many there are behind a link, and whether something is wrong with one.
fn mark_of(link: &Link, syncs: Tally) -> Markup {
    if link.here != Here::Syncs || syncs.all == 0 {
        return html! {};
    }
    let trouble = match (syncs.failed, syncs.held) {
        (0, 0) => None,
        (0, held) => Some(("warn", format!("{held} waits for a decision"))),
        (failed, _) => Some(("fail", format!("{failed} failed"))),
    };
    html! {
        @match trouble {
            Some((class, words)) => span class="dot" { span class={ (class) " mark" } role="img" aria-label=(words) {} },
            None => span class="count" { (syncs.all) },
        }
    }
}

fn links(links: &[Link], base: &str, (role, syncs): (Role, Tally), here: Here) -> Markup {
    html! {
        ul {
            @for link in links.iter().filter(|link| role >= link.least) {
                li {
                    a href={ (base) (link.path) } aria-current=[(link.here == here).then_some("page")] data-key=[link.key] {
                        (link.label) (mark_of(link, syncs))
                    }
                }
            }
        }
    }
}

fn foot() -> Markup {
    html! {
        footer class="foot" {
            span { "packagist-selfhosted " (env!("CARGO_PKG_VERSION")) }
            span { "Times in UTC" }
        }
    }
}

/// The mark, in the colour of the text around it.
fn mark(size: u8) -> Markup {
    html! {
        svg width=(size) height=(size) viewBox="0 0 22 22" fill="currentColor" aria-hidden="true" {
            path d="M1 18h20v2H1z" {}
            path d="M3 10h7v7H3zM12 10h7v7h-7z" opacity=".55" {}
            path d="M7.5 2h7v7h-7z" {}
        }
    }
}

/// The confirmation page of something that cannot be undone: what happens, in numbers, and a way back.
#[derive(Debug)]
pub struct Confirmation<'a> {
    /// The question, as the page's heading.
    pub question: Markup,
    /// One sentence below it.
    pub lead: &'a str,
    /// What happens: term and description.
    pub consequences: Vec<(&'a str, Markup)>,
    /// A gentler way, or a warning.
    pub advice: Option<(Tone, Markup)>,
    /// What has to be typed, for the worst.
    pub typed: Option<&'a str>,
    /// Where the form goes.
    pub action: &'a str,
    /// What goes with it, name and value.
    pub fields: Vec<(&'a str, String)>,
    /// What the button says.
    pub button: &'a str,
    /// Where the way back leads, and what it says.
    pub back: (&'a str, &'a str),
}

impl Confirmation<'_> {
    /// The sheet's content. `wrong`: what was typed did not fit.
    #[must_use]
    pub fn markup(&self, token: &str, wrong: bool) -> Markup {
        html! {
            form class="narrow stack" method="post" action=(self.action) {
                (csrf(token))
                input type="hidden" name="confirmed" value="yes";
                @for (name, value) in &self.fields { input type="hidden" name=(name) value=(value); }
                h1 { (self.question) }
                @if !self.lead.is_empty() { p { (self.lead) } }
                dl class="kv" {
                    @for (term, description) in &self.consequences { dt { (term) } dd { (description) } }
                }
                @if let Some((tone, advice)) = &self.advice { div class={ "callout " (tone.class()) } { (advice) } }
                @if let Some(typed) = self.typed {
                    div class="field form" {
                        label for="typed" { "Type " span class="mono" { (typed) } " to confirm" }
                        input id="typed" name="typed" autocomplete="off" required aria-invalid=[wrong.then_some("true")]
                            aria-describedby=[wrong.then_some("typed-e")];
                        @if wrong { span class="status fail" id="typed-e" { "That is not what stands above." } }
                    }
                }
                div class="row" {
                    button class="btn danger primary" { (self.button) }
                    a class="btn" href=(self.back.0) { (self.back.1) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::{Chrome, CurrentOrganization, Here, framed};
    use crate::access::role::Role;
    use crate::store::sync_lists::Tally;

    fn chrome(role: Role, administers: bool) -> Chrome {
        let current =
            CurrentOrganization { slug: "acme".to_owned(), name: "Acme <b>".to_owned(), role, syncs: Tally::default() };
        Chrome {
            person: "Ada".to_owned(),
            current: Some(current),
            organizations: vec![("acme".to_owned(), "Acme <b>".to_owned())],
            administers,
            ..Chrome::default()
        }
    }

    #[test]
    fn where_someone_may_not_go_the_link_is_absent() {
        let seen = |role, administers| {
            framed(&chrome(role, administers), Here::Overview, "Overview", &html! { h1 { "x" } }).into_string()
        };
        let member = seen(Role::Member, false);
        assert!(member.contains("/orgs/acme/teams") && !member.contains("/orgs/acme/tokens"), "{member}");
        assert!(!member.contains("/admin"), "{member}");
        let admin = seen(Role::Admin, false);
        assert!(admin.contains("/orgs/acme/tokens") && !admin.contains("/orgs/acme/settings"), "{admin}");
        let owner = seen(Role::Owner, true);
        assert!(owner.contains("/orgs/acme/settings") && owner.contains("/admin/jobs"), "{owner}");
        assert!(!owner.contains("Acme <b>"), "names are escaped: {owner}");
    }

    #[test]
    fn nothing_is_inline() {
        let html = framed(&chrome(Role::Owner, true), Here::Tokens, "Tokens", &html! {}).into_string();
        assert!(!html.contains("<script>") && !html.contains("style=") && !html.contains("onclick"), "{html}");
    }
}
