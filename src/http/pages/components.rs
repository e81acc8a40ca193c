//! The parts that pages are made of; which is for what stands in the reference of the pages' look.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use crate::clock::Timestamp;

/// What a state is like. It always comes with its shape, which the style sheet draws, and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Works.
    Ok,
    /// Will hurt, or needs a look.
    Warn,
    /// Is broken, or refused.
    Fail,
    /// Waits, or runs.
    Pend,
    /// A fact.
    Neutral,
}

impl Tone {
    /// The class that sets it.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Pend => "pend",
            Self::Neutral => "",
        }
    }
}

/// The state of a thing, in tables and heads.
#[must_use]
pub fn status(tone: Tone, word: &str) -> Markup {
    html! { span class={ "status " (tone.class()) } { (word) } }
}

/// The same for something that runs at this moment.
#[must_use]
pub fn running(word: &str) -> Markup {
    html! { span class="status pend run" { (word) } }
}

/// A fixed property.
#[must_use]
pub fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (word) } }
}

/// A finding, or a warning, where it matters.
#[must_use]
pub fn callout(tone: Tone, heading: &str, text: &Markup) -> Markup {
    html! { section class={ "callout " (tone.class()) } { h2 { (heading) } (text) } }
}

/// What needs a person: `what` is a full sentence, `detail` says since when, what still works and what to do.
#[derive(Clone, Debug)]
pub struct Problem {
    /// How bad it is.
    pub tone: Tone,
    /// What is wrong.
    pub what: Markup,
    /// Since when, how much, what still works.
    pub detail: Markup,
    /// Where the cure is: address and words.
    pub cure: Option<(String, String)>,
}

/// The list of what needs somebody, worst first; the section is gone when there is nothing.
#[must_use]
pub fn problems(problems: &[Problem]) -> Markup {
    html! {
        @if !problems.is_empty() {
            section aria-labelledby="h-problems" {
                h2 id="h-problems" { "Needs someone " span class="muted" { (problems.len()) } }
                ul class="problems" {
                    @for problem in problems {
                        li class={ "problem " (problem.tone.class()) } {
                            div { h3 { (problem.what) } p { (problem.detail) } }
                            @if let Some((address, words)) = &problem.cure { a class="btn small" href=(address) { (words) } }
                        }
                    }
                }
            }
        }
    }
}

/// The result of the last form, once, on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Whether it went well.
    pub good: bool,
    /// What happened, as a sentence.
    pub text: String,
}

impl Flash {
    /// The line.
    #[must_use]
    pub fn markup(&self) -> Markup {
        let class = if self.good { "flash ok" } else { "flash fail" };
        html! { div class=(class) role="status" { (self.text) } }
    }
}

/// A text that one pastes; the visible text is the copied text. `id` is unique in its page.
#[must_use]
pub fn snippet(id: &str, caption: &str, text: &str) -> Markup {
    snippet_of("snippet", id, html! { span { (caption) } }, caption, text)
}

/// The same for one line.
#[must_use]
pub fn snippet_line(id: &str, caption: &str, text: &str) -> Markup {
    snippet_of("snippet line", id, html! { span { (caption) } }, caption, text)
}

/// The same with a caption that only screen readers need.
#[must_use]
pub fn snippet_bare(id: &str, caption: &str, text: &str) -> Markup {
    snippet_of("snippet line", id, html! { span class="sr" { (caption) } }, caption, text)
}

#[expect(clippy::needless_pass_by_value, reason = "markup made for this one place")]
fn snippet_of(class: &str, id: &str, caption: Markup, name: &str, text: &str) -> Markup {
    html! {
        figure class=(class) {
            figcaption {
                (caption) " "
                button class="btn quiet small copy" type="button" data-copy=(id) { "Copy" span class="sr" { " " (name) } }
            }
            pre { code id=(id) { (text) } }
        }
    }
}

/// A time as tables show it: relative, with the whole of it as title.
#[must_use]
pub fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let whole = at.floor_to_second().to_string();
    html! { time datetime=(whole) title=(absolute(at)) data-rel { (relative(at, now)) } }
}

/// The same, or `never`.
#[must_use]
pub fn ago_or_never(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! { @if let Some(at) = at { (ago(at, now)) } @else { "never" } }
}

/// A time as the audit log shows it: `2026-11-22 13:21:02 UTC`.
#[must_use]
pub fn absolute(at: Timestamp) -> String {
    at.floor_to_second().to_string().replace('T', " ").replace('Z', " UTC")
}

fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_micros() - at.as_micros()) / 1_000_000;
    let words = match seconds.unsigned_abs() {
        0..5 => return "now".to_owned(),
        count @ 5..60 => format!("{count} s"),
        count @ 60..3_600 => format!("{} min", count / 60),
        count @ 3_600..86_400 => format!("{} hr", count / 3_600),
        86_400..172_800 if seconds > 0 => return "yesterday".to_owned(),
        86_400..172_800 => return "tomorrow".to_owned(),
        // Ninety days from a moment ago are ninety days.
        count => format!("{} days", (count + 43_200) / 86_400),
    };
    if seconds < 0 { format!("in {words}") } else { format!("{words} ago") }
}

/// A span of time with its unit: 14 ms, 0.31 s, 4 min 10 s, 3 h 5 min.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 100 => format!("{} ms", duration.as_millis()),
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A number with separators between thousands.
#[must_use]
pub fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 package`, `2 packages`: a number with its noun.
#[must_use]
pub fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// An amount of bytes: 512 B, 1.2 MB.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let mut amount = bytes as f64 / 1000.0;
    let mut unit = 0;
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// A list that never had an entry: what will be here, how to begin, and the command that does the same.
#[must_use]
pub fn empty(heading: &str, text: &str, begin: Option<(&str, &str)>, command: Option<&str>) -> Markup {
    html! {
        div class="empty" {
            h2 { (heading) }
            p { (text) }
            @if let Some((address, words)) = begin { div class="row" { a class="btn primary" href=(address) { (words) } } }
            @if let Some(command) = command { (snippet_bare("empty-command", "Shell", command)) }
        }
    }
}

/// The head of a page: its heading, a line below, and what one can do.
#[must_use]
pub fn head(heading: &str, under: &Markup, actions: &Markup) -> Markup {
    html! {
        div class="head" {
            div { h1 { (heading) } @if !under.0.is_empty() { p { (under) } } }
            @if !actions.0.is_empty() { div class="row" { (actions) } }
        }
    }
}

/// Nothing, where a part wants markup.
#[must_use]
pub fn nothing() -> Markup {
    PreEscaped(String::new())
}

/// A view of a page with an address of its own.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Where it is.
    pub address: String,
    /// What it says.
    pub label: String,
    /// How many it holds, where that is known.
    pub count: Option<i64>,
    /// Whether it is the one that is shown.
    pub current: bool,
}

/// The views of a page.
#[must_use]
pub fn tabs(label: &str, tabs: &[Tab]) -> Markup {
    html! {
        nav class="tabs" aria-label=(label) {
            @for tab in tabs {
                a href=(tab.address) aria-current=[tab.current.then_some("page")] {
                    (tab.label) @if let Some(count) = tab.count { " " span class="count" { (number(count)) } }
                }
            }
        }
    }
}

/// What stands below a list that has more than a page: how many there are, and the ways back and on. Pages go by key:
/// `previous` and `next` are whole addresses.
#[must_use]
pub fn pager(shown: &str, previous: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        nav class="pager" aria-label="Pages" {
            span { (shown) }
            div class="row" {
                @if let Some(previous) = previous { a class="btn small" href=(previous) rel="prev" { "Previous" } }
                @if let Some(next) = next { a class="btn small" href=(next) rel="next" { "Next" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, counted, duration, number, relative, snippet};
    use crate::clock::Timestamp;

    #[test]
    fn amounts_read_well() {
        let shown: Vec<_> = [0, 999, 1000, 12_345, 6_318_000, -1_234].map(number).into();
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "6,318,000", "-1,234"]);
        assert_eq!(counted(1, "package", "packages"), "1 package");
        assert_eq!(counted(2000, "package", "packages"), "2,000 packages");
        let shown: Vec<_> = [0, 999, 1000, 1_250_000, 114_000_000, 5_000_000_000_000].map(bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.2 MB", "114.0 MB", "5.0 TB"]);
        let shown: Vec<_> = [14, 310, 12_000, 250_000, 11_100_000].map(|ms| duration(Duration::from_millis(ms))).into();
        assert_eq!(shown, ["14 ms", "0.31 s", "12 s", "4 min 10 s", "3 h 5 min"]);
    }

    #[test]
    fn times_are_told_from_now() {
        let now = Timestamp::from_seconds(1_000_000);
        let told = |seconds: i64| relative(Timestamp::from_seconds(1_000_000 + seconds), now);
        assert_eq!(
            [0, -30, -600, -7_200, -90_000, -300_000, 7_200, 100_000].map(told),
            ["now", "30 s ago", "10 min ago", "2 hr ago", "yesterday", "3 days ago", "in 2 hr", "tomorrow"]
        );
    }

    #[test]
    fn what_is_copied_is_what_is_seen() {
        let html = snippet("s", "Shell", "a <b> && c").into_string();
        assert!(html.contains(r#"<code id="s">a &lt;b&gt; &amp;&amp; c</code>"#), "{html}");
        assert!(html.contains(r#"data-copy="s""#), "{html}");
    }
}
