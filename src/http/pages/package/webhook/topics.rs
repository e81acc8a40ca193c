//! Topics of Amazon SNS that are subscribed to a package's webhook, and what is in the way of those that are not confirmed.

use maud::{Markup, html};

use super::super::super::components::{Tone, ago, nothing, status};
use crate::clock::Timestamp;
use crate::store::hook_topics::Topic;

pub(super) fn section(topics: &[Topic], now: Timestamp) -> Markup {
    if topics.is_empty() {
        return nothing();
    }
    html! {
        section aria-labelledby="h-t" {
            h2 id="h-t" { "Topics of Amazon SNS" }
            table class="table" {
                caption class="sr" { "Topics that are subscribed, newest first" }
                thead {
                    tr {
                        th scope="col" { "Topic" }
                        th scope="col" { "State" }
                        th scope="col" class="nowrap" { "Since" }
                    }
                }
                tbody {
                    @for topic in topics {
                        tr {
                            th scope="row" class="wide" { span class="mono" { (topic.arn) } }
                            td data-label="State" class="wide" { (state(topic)) }
                            td data-label="Since" class="nowrap" { (ago(topic.changed_at, now)) }
                        }
                    }
                }
            }
        }
    }
}

fn state(topic: &Topic) -> Markup {
    let (tone, word) = match topic.state.as_str() {
        "confirmed" => (Tone::Ok, "Confirmed"),
        "pending" => (Tone::Pend, "Being confirmed"),
        "ended" => (Tone::Warn, "Unsubscribed"),
        _ => (Tone::Fail, "Not confirmed"),
    };
    // Only SNS's own addresses get this far; the page sends no referrer, and the link is opened by a person.
    let by_hand = topic.confirm_url.as_deref().filter(|_| topic.state == "pending" && topic.error.is_some());
    html! {
        (status(tone, word))
        @if let Some(error) = &topic.error { span class="sub" { (error) } }
        @if let Some(address) = by_hand {
            span class="sub" {
                "If this server cannot reach Amazon: check that the topic is yours, and open "
                span class="mono" { (address) }
                " on a machine that can."
            }
        }
    }
}
