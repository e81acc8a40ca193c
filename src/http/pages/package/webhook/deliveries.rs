//! What was delivered to a package's webhook: who called, what was understood of it, and what came of it.

use maud::{Markup, html};

use super::super::super::components::{Tone, ago, badge, bytes, duration, status};
use super::super::activity;
use crate::clock::Timestamp;
use crate::platform::generic::{Fate, RefChange, Told};
use crate::store::hooks::Delivery;
use crate::store::runs::Run;

/// How many branches and tags of one delivery are named.
const NAMED: usize = 4;

pub(super) fn table(deliveries: &[Delivery], runs: &[Run], now: Timestamp) -> Markup {
    html! {
        table class="table" {
            caption class="sr" { "Deliveries, newest first" }
            thead {
                tr {
                    th scope="col" class="nowrap" { "Received" }
                    th scope="col" { "From" }
                    th scope="col" { "What it said" }
                    th scope="col" class="num" { "Size" }
                    th scope="col" { "What came of it" }
                }
            }
            tbody {
                @for delivery in deliveries {
                    tr {
                        th scope="row" class="nowrap" { (ago(delivery.received_at, now)) }
                        td data-label="From" class="nowrap" {
                            (provider(&delivery.provider))
                            @if delivery.retired { " " (badge(Tone::Warn, "former address")) }
                        }
                        td data-label="What it said" class="wide" { (said(delivery)) }
                        td data-label="Size" class="num" { (bytes(delivery.size.unsigned_abs())) }
                        td data-label="What came of it" class="wide" { (consequence(delivery, runs)) }
                    }
                }
            }
        }
    }
}

fn provider(word: &str) -> &str {
    match word {
        "github" => "GitHub",
        "gitlab" => "GitLab",
        "bitbucket" => "Bitbucket",
        "gitea" => "Gitea",
        "forgejo" => "Forgejo",
        "gogs" => "Gogs",
        "azure" => "Azure DevOps",
        "codecommit" => "AWS CodeCommit",
        "sns" => "Amazon SNS",
        "beanstalk" => "Beanstalk",
        "generic" => "a program",
        other => other,
    }
}

/// What was understood: the event, and what became of which branch or tag.
fn said(delivery: &Delivery) -> Markup {
    let told: Told = delivery.told.as_deref().and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default();
    let more = told.changes.len().saturating_sub(NAMED) + told.more;
    html! {
        @match &delivery.event {
            Some(event) => { span class="mono" { (event) } }
            None => { @if told.changes.is_empty() { span class="muted" { "that something may be new" } } }
        }
        @for (index, change) in told.changes.iter().take(NAMED).enumerate() {
            @if index > 0 { ", " } @else if delivery.event.is_some() { ": " }
            (changed(change))
        }
        @if more > 0 { " and " (more) " more" }
        @if told.is_test { " " (badge(Tone::Neutral, "test")) }
        @if let Some(repository) = &told.repository { span class="sub" { "of " span class="mono" { (repository) } } }
        @if let Some(note) = &told.note { span class="sub" { (note) } }
    }
}

fn changed(change: &RefChange) -> Markup {
    let (kind, name) = match (change.name.strip_prefix("refs/tags/"), change.name.strip_prefix("refs/heads/")) {
        (Some(tag), _) => ("tag", tag),
        (None, Some(branch)) => ("branch", branch),
        (None, None) => ("", change.name.as_str()),
    };
    let fate = match change.fate {
        Fate::Made => "new ",
        Fate::Moved => "",
        Fate::Removed => "removed ",
    };
    html! { (fate) (kind) " " span class="mono" { (name) } }
}

/// What the update did that a delivery caused, or why it caused none; later tries of the same work count.
fn consequence(delivery: &Delivery, runs: &[Run]) -> Markup {
    match delivery.outcome.as_str() {
        "ignored" if delivery.event.as_deref() == Some("SubscriptionConfirmation") => {
            return html! { span class="muted" { "Nothing: the address has as many topics as it may have" } };
        }
        "ping" => return html! { (status(Tone::Ok, "Answered")) },
        "ignored" => return html! { span class="muted" { "Nothing: it changes no branch or tag" } },
        "known" => return html! { span class="muted" { "Nothing: it was sent before" } },
        "unsubscribed" => return html! { (status(Tone::Warn, "Noted")) " The topic sends nothing more." },
        "unsigned" => {
            return html! { (status(Tone::Fail, "Refused")) " Its signature is missing or wrong: check the secret there." };
        }
        "forged" => return html! { (status(Tone::Fail, "Refused")) " It does not come from Amazon SNS." },
        "replayed" => return html! { (status(Tone::Fail, "Refused")) },
        _ if delivery.event.as_deref() == Some("SubscriptionConfirmation") => {
            return html! { "See the topics above." };
        }
        _ => {}
    }
    let Some(run) = delivery.job.and_then(|job| runs.iter().find(|run| run.job == job)) else {
        return html! { span class="muted" { "Waits, is of another package, or is too long ago" } };
    };
    let took = duration(run.ended_at.since(delivery.received_at));
    match run.outcome.as_str() {
        "changed" => html! { (status(Tone::Ok, "Served")) " after " (took) ". " (activity::what_came(run)) },
        "unchanged" => html! { (status(Tone::Ok, "Nothing new")) },
        _ => html! { (status(Tone::Fail, "Failed")) " " (activity::what_came(run)) },
    }
}

#[cfg(test)]
mod tests {
    use super::{consequence, said};
    use crate::clock::Timestamp;
    use crate::store::hooks::Delivery;

    fn delivery(event: Option<&str>, outcome: &str, told: &str) -> Delivery {
        Delivery {
            received_at: Timestamp::from_seconds(0),
            provider: "github".to_owned(),
            event: event.map(str::to_owned),
            size: 0,
            retired: false,
            job: None,
            outcome: outcome.to_owned(),
            told: Some(told.to_owned()),
        }
    }

    #[test]
    fn what_was_understood_is_shown() {
        let told = r#"{"repository":"a/<b>","changes":[{"name":"refs/tags/v1","fate":"made"},
            {"name":"refs/heads/x","fate":"removed"},{"name":"refs/heads/a","fate":"moved"},
            {"name":"refs/heads/b","fate":"moved"},{"name":"refs/heads/c","fate":"moved"}],"more":2}"#;
        let html = said(&delivery(Some("push"), "queued", told)).into_string();
        for part in ["push", "new tag", ">v1<", "removed branch", "and 3 more", "a/&lt;b&gt;"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let html = said(&delivery(None, "queued", "nonsense")).into_string();
        assert!(html.contains("something may be new"), "{html}");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let html = consequence(&delivery(None, "unsigned", "{}"), &[]).into_string();
        assert!(html.contains("check the secret"), "{html}");
        assert!(consequence(&delivery(None, "queued", "{}"), &[]).into_string().contains("Waits"));
    }
}
