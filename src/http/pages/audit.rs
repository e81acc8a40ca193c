//! The audit log, of an organization and of the instance.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use jiff::civil::Date;
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::components::{absolute, head, number, pager};
use super::layout::{self, Chrome, Here};
use crate::admin::audit::{self, Entry, Filter};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::http::State;
use crate::http::cache::Cache;
use crate::http::page_error::PageError;
use crate::http::visitor::{Administers, Manages};
use crate::store::audit_log::MOST_COUNTED;
use crate::store::ids::OrgId;

/// Entries on one page.
const SHOWN: u32 = 50;
/// Longest text that is looked for, in characters.
const LONGEST_TEXT: usize = 200;

/// What the page's form asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    action: String,
    via: String,
    from: String,
    to: String,
    before: String,
}

/// Answers `/orgs/{org}/audit`.
pub async fn of_organization(
    manager: Manages,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let base = format!("/orgs/{}/audit", manager.organization.slug);
    answer(&state, &manager.chrome(), Here::Audit, &base, Some(manager.org()), asked.into_inner()).await
}

/// Answers `/admin/audit`: everything, of all organizations.
pub async fn of_instance(
    administrator: Administers,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    answer(&state, &administrator.chrome(), Here::InstanceAudit, "/admin/audit", None, asked.into_inner()).await
}

/// Answers `/orgs/{org}/audit/export`.
pub async fn export_of_organization(
    manager: Manages,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> HttpResponse {
    export(&state, asked.filter(Some(manager.org())), &manager.organization.slug)
}

/// Answers `/admin/audit/export`.
pub async fn export_of_instance(_: Administers, asked: web::Query<Asked>, state: web::Data<State>) -> HttpResponse {
    export(&state, asked.filter(None), "instance")
}

async fn answer(
    state: &State,
    chrome: &Chrome,
    here: Here,
    base: &str,
    org: Option<OrgId>,
    asked: Asked,
) -> Result<HttpResponse, PageError> {
    let page = audit::page(&state.appliance, asked.filter(org), asked.before.parse().ok(), SHOWN).await?;
    let content = content(&page, &asked, base, org.is_none());
    Ok(layout::page(chrome, here, "Audit log", &content))
}

impl Asked {
    fn filter(&self, org: Option<OrgId>) -> Filter {
        let given = |text: &str| {
            let text: String = text.trim().chars().take(LONGEST_TEXT).collect();
            (!text.is_empty()).then_some(text)
        };
        Filter {
            org,
            text: given(&self.q),
            noun: given(&self.action),
            via: given(&self.via),
            from: midnight(&self.from, 0),
            until: midnight(&self.to, 1),
        }
    }

    /// The same question as a query, about the entries before one.
    fn query(&self, before: Option<i64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields =
            [("q", &self.q), ("action", &self.action), ("via", &self.via), ("from", &self.from), ("to", &self.to)];
        for (name, value) in fields {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        query.finish()
    }
}

/// The beginning of a day in UTC, or of the day so many days later; none for what is no date.
fn midnight(text: &str, days_later: i64) -> Option<Timestamp> {
    let date: Date = text.trim().parse().ok()?;
    let seconds = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(Timestamp::from_seconds(seconds + days_later * 86_400))
}

fn content(page: &audit::Page, asked: &Asked, base: &str, of_instance: bool) -> Markup {
    let found = match page.total {
        total if total > MOST_COUNTED => format!("More than {} entries", number(MOST_COUNTED)),
        1 => "1 entry".to_owned(),
        total => format!("{} entries", number(total)),
    };
    let under = html! { "Who did what, when, from where. Written together with the change itself, so there is no change without its line." };
    let export = html! { a class="btn" href={ (base) "/export?" (asked.query(None)) } { "Export as JSON lines" } };
    let next = page.next.map(|before| format!("{base}?{}", asked.query(Some(before))));
    let newest = (!asked.before.is_empty()).then(|| format!("{base}?{}", asked.query(None)));
    html! {
        (head("Audit log", &under, &export))
        (filters(page, asked, base))
        div data-results=(found) {
            @if page.entries.is_empty() {
                p { "No entry fits. " a href=(base) { "Clear the filter" } }
            } @else {
                (table(&page.entries, of_instance))
                (pager(&found, newest.as_deref(), next.as_deref()))
            }
        }
    }
}

fn filters(page: &audit::Page, asked: &Asked, base: &str) -> Markup {
    let ways = [("", "Any way"), ("browser", "Browser"), ("command", "Command"), ("api", "API"), ("system", "System")];
    html! {
        form class="filters" method="get" action=(base) data-filter role="search" aria-label="Filter the audit log" {
            div class="field grow" {
                label for="a-q" { "Person, package, token or address" }
                input id="a-q" name="q" type="search" autocomplete="off" value=(asked.q);
            }
            div class="field half" {
                label for="a-a" { "Action" }
                select id="a-a" name="action" {
                    option value="" { "Any" }
                    @for noun in &page.nouns {
                        option value=(noun) selected[*noun == asked.action] { (capitalized(&noun.replace('-', " "))) }
                    }
                }
            }
            div class="field half" {
                label for="a-v" { "By" }
                select id="a-v" name="via" {
                    @for (value, words) in ways { option value=(value) selected[value == asked.via] { (words) } }
                }
            }
            div class="field half" {
                label for="a-f" { "From" }
                input id="a-f" name="from" type="date" value=(asked.from);
            }
            div class="field half" {
                label for="a-t" { "To" }
                input id="a-t" name="to" type="date" value=(asked.to);
            }
            button class="btn" { "Filter" }
        }
    }
}

fn table(entries: &[Entry], of_instance: bool) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Audit log, newest first" }
            thead {
                tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Action" }
                    th scope="col" { "Who" }
                    th scope="col" class="wide" { "What" }
                    @if of_instance { th scope="col" { "Organization" } }
                }
            }
            tbody {
                @for entry in entries {
                    tr {
                        th scope="row" {
                            time class="nowrap" datetime=(entry.at.floor_to_second().to_string()) { (absolute(entry.at)) }
                        }
                        td data-label="Action" { (words(&entry.action)) }
                        td data-label="Who" {
                            span dir="auto" { (entry.actor) }
                            span class="sub" {
                                // A command says already by what way.
                                @if let Some(via) = entry.via.as_deref().filter(|via| *via != entry.actor) { "by " (via) " " }
                                @if let Some(address) = &entry.address { span class="mono" { (address) } }
                            }
                        }
                        td data-label="What" class="wide" {
                            span class="name" dir="auto" { (entry.subject) }
                            @let detail = details(&entry.detail);
                            @if !detail.is_empty() { span class="sub" dir="auto" { (detail) } }
                        }
                        @if of_instance { td data-label="Organization" class="wide" { (entry.organization.as_deref().unwrap_or("")) } }
                    }
                }
            }
        }
    }
}

/// `token.add` as people say it: `added token`.
fn words(action: &str) -> String {
    let Some((noun, verb)) = action.split_once('.') else { return action.to_owned() };
    let done = match verb {
        "grant" if noun == "team" => "gave packages to",
        "revoke" if noun == "team" => "took packages from",
        "add" => "added",
        "remove" => "removed",
        "rename" => "renamed",
        "renamed" => "renamed itself:",
        "name_taken" => "took the name",
        "choose" => "chose who has the name",
        "abandon" => "said whether it is abandoned:",
        "repointed" => "re-pointed",
        "removed" => "withdrew",
        "revoke" => "revoked",
        "rotate" => "replaced the secret of",
        "test" => "tested",
        "update" => "updated",
        "forget" => "purged an archive of",
        "disable" => "disabled",
        "enable" => "enabled",
        "learn" => "learned",
        "cancel" => "cancelled",
        "promote" => "made an administrator of",
        "demote" => "made an ordinary user of",
        "retry" => "retried",
        "set-password" => "set the password of",
        "log-in" => "began a",
        "log-out" => "ended a",
        "refuse" => "refused a",
        "connect" => "connected",
        "connect-by-email" => "connected by its address:",
        "disconnect" => "disconnected",
        "suspend" => "suspended",
        "resume" => "let back in",
        "grant" => "granted",
        "move" => "moved",
        "activate" => "activated",
        "deactivate" => "deactivated",
        "add-by-login" => "began, with the first sign-in, a",
        other => return format!("{}: {}", noun.replace('-', " "), other.replace('-', " ")),
    };
    format!("{done} {}", noun.replace('-', " "))
}

/// The details in one line; what is empty says nothing.
fn details(json: &str) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(json) else { return String::new() };
    let shown = fields.iter().filter_map(|(name, value)| {
        let value = match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => return None,
            serde_json::Value::Bool(true) => return Some(name.replace('_', " ")),
            serde_json::Value::String(text) if text.is_empty() => return None,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(format!("{}: {value}", name.replace('_', " ")))
    });
    shown.collect::<Vec<_>>().join(" · ")
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The log as a file, read and sent piece by piece.
fn export(state: &State, filter: Filter, name: &str) -> HttpResponse {
    let name = format!("attachment; filename=\"audit-{name}.jsonl\"");
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/jsonl; charset=utf-8")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((
            CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ))
        .streaming(pieces(state.appliance.clone(), filter))
}

fn pieces(appliance: Appliance, filter: Filter) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::try_unfold(0, move |after| {
        let (appliance, filter) = (appliance.clone(), filter.clone());
        async move {
            let (lines, last) = audit::lines(&appliance, filter, after).await.map_err(|error| {
                tracing::error!(error = %error, "The export of the audit log ended early.");
                std::io::Error::other("the audit log could not be read to its end")
            })?;
            Ok(last.map(|last| (Bytes::from(lines), last)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Asked, details, midnight, words};

    #[test]
    fn actions_read_as_sentences() {
        let read: Vec<_> =
            ["token.revoke", "host-key.learn", "user.set-password", "session.sign-out", "odd"].map(words).into();
        assert_eq!(read, ["revoked token", "learned host key", "set the password of user", "session: sign out", "odd"]);
    }

    #[test]
    fn details_leave_out_what_says_nothing() {
        let json = r#"{"access":"read","packages":null,"admin":false,"fork":true,"count":3,"expires_at":"2027-01-01"}"#;
        assert_eq!(details(json), "access: read · fork · count: 3 · expires at: 2027-01-01");
        assert_eq!(details("[]"), "");
    }

    #[test]
    fn a_day_has_a_beginning_and_an_end() {
        let day = |days| midnight("2026-11-22", days).map(|at| at.to_string());
        assert_eq!(day(0).as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(day(1).as_deref(), Some("2026-11-23T00:00:00Z"));
        assert!(midnight("yesterday", 0).is_none());
    }

    #[test]
    fn the_question_survives_its_address() {
        let asked = Asked { q: "a&b=c".to_owned(), via: "browser".to_owned(), ..Asked::default() };
        assert_eq!(asked.query(Some(7)), "q=a%26b%3Dc&via=browser&before=7");
    }
}
