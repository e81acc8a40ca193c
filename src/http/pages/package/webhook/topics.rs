//! Topics of Amazon SNS that are subscribed to a package's webhook, and what is in the way of those that are not confirmed.

use maud::{Markup, html};

use super::super::super::components::{Tone, ago, callout, nothing, snippet_bare, status};
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
            @if topics.iter().any(|topic| by_hand(topic).is_some()) { div class="stack gap-s" {
                @for (topic, address) in topics.iter().filter_map(|topic| Some((topic, by_hand(topic)?))) {
                    (callout(Tone::Warn, "A topic waits to be confirmed by hand", &html! {
                        p { "If this server cannot reach Amazon, check that " span class="mono" { (topic.arn) } " is yours, and open this on a machine that can:" }
                        div class="gap-s" { (snippet_bare(&format!("topic-{}", topic.id), "The address that confirms the topic", address)) }
                    }))
                }
            } }
        }
    }
}

/// The address that confirms a topic, where that did not work from here. Only SNS's own get this far, and a person opens it.
fn by_hand(topic: &Topic) -> Option<&str> {
    topic.confirm_url.as_deref().filter(|_| topic.state == "pending" && topic.error.is_some())
}

fn state(topic: &Topic) -> Markup {
    let (tone, word) = match topic.state.as_str() {
        "confirmed" => (Tone::Ok, "Confirmed"),
        "pending" => (Tone::Pend, "Being confirmed"),
        "ended" => (Tone::Warn, "Unsubscribed"),
        _ => (Tone::Fail, "Not confirmed"),
    };
    html! {
        (status(tone, word))
        @if let Some(error) = &topic.error { span class="sub" { (error) } }
    }
}
