//! Forms: fields with their errors, and the form that comes back with everything that was typed, secrets excepted.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::admin;
use crate::http::page_error::PageError;

/// What is wrong with a form, by the name of the field; under the empty name what concerns the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<&'static str, String>);

impl Faults {
    /// One fault.
    #[must_use]
    pub fn of(field: &'static str, what: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.add(field, what);
        faults
    }

    /// Notes what is wrong with a field; the first thing said of it stays.
    pub fn add(&mut self, field: &'static str, what: impl Into<String>) {
        self.0.entry(field).or_insert_with(|| sentence(&what.into()));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// What stands on top of a form that came back: each fault, with a link to its field.
    #[must_use]
    pub fn summary(&self) -> Markup {
        let heading = match self.0.len() {
            0 => return html! {},
            1 if self.0.contains_key("") => {
                return html! {
                    div class="callout fail" role="alert" tabindex="-1" id="errors" { h2 { (self.0[""]) } }
                };
            }
            1 => "One answer needs a correction",
            _ => "Some answers need a correction",
        };
        html! {
            div class="callout fail" role="alert" tabindex="-1" id="errors" {
                h2 { (heading) }
                ul {
                    @for (field, what) in &self.0 {
                        li { @if field.is_empty() { (what) } @else { a href={ "#" (field) } { (what) } } }
                    }
                }
            }
        }
    }
}

/// What a change that was refused means for the form that asked for it: a fault of `field`.
///
/// # Errors
/// What the person can do nothing about.
pub fn faults_of(error: admin::Error, field: &'static str) -> Result<Faults, PageError> {
    match error {
        admin::Error::Invalid(text) | admin::Error::Conflict(text) => Ok(Faults::of(field, text)),
        other => Err(other.into()),
    }
}

/// Messages of commands begin small and have no full stop; on a page they are sentences.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let begin: String = match letters.next() {
        // A name in code stays as it is.
        Some(first) if first.is_alphabetic() => first.to_uppercase().collect(),
        Some(first) => first.to_string(),
        None => return String::new(),
    };
    let mut text = begin + letters.as_str();
    if !text.ends_with(['.', '?', '!', '`']) {
        text.push('.');
    }
    text
}

/// A field of one line. Its id is its name.
#[derive(Clone, Debug, Default)]
pub struct Input<'a> {
    /// Its name.
    pub name: &'static str,
    /// What stands above it.
    pub label: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// What kind of input; empty for text.
    pub kind: &'static str,
    /// What the reader cannot know.
    pub hint: &'a str,
    /// What browsers fill in; empty for nothing said.
    pub autocomplete: &'static str,
    /// An example.
    pub placeholder: &'a str,
    /// Whether it has to be filled in.
    pub required: bool,
    /// Whether a person may leave it out, which is said behind the label.
    pub optional: bool,
    /// Whether it holds an identifier.
    pub mono: bool,
}

impl Input<'_> {
    /// The field, with its fault between label and hint.
    #[must_use]
    pub fn markup(&self, faults: &Faults) -> Markup {
        let (fault, name) = (faults.get(self.name), self.name);
        // A secret is never filled in again.
        let value = (self.kind != "password").then_some(self.value);
        html! {
            div class="field" {
                label for=(name) { (self.label) @if self.optional { " " span class="muted" { "(optional)" } } }
                input id=(name) name=(name) type=[some(self.kind)] value=[value] required[self.required]
                    class=[self.mono.then_some("mono")] autocomplete=[some(self.autocomplete)]
                    placeholder=[some(self.placeholder)] aria-invalid=[fault.map(|_| "true")]
                    aria-describedby=[described_by(name, fault, self.hint)];
                (fault_and_hint(name, fault, self.hint))
            }
        }
    }
}

/// A field of several lines.
#[must_use]
pub fn text_area(name: &'static str, label: &str, value: &str, hint: &str, rows: u8, faults: &Faults) -> Markup {
    let fault = faults.get(name);
    html! {
        div class="field" {
            label for=(name) { (label) }
            textarea id=(name) name=(name) rows=(rows) class="mono" spellcheck="false" aria-invalid=[fault.map(|_| "true")]
                aria-describedby=[described_by(name, fault, hint)] { (value) }
            (fault_and_hint(name, fault, hint))
        }
    }
}

/// A choice of one of several: value and words.
#[must_use]
pub fn select(
    name: &'static str,
    label: &str,
    options: &[(String, String)],
    chosen: &str,
    hint: &str,
    faults: &Faults,
) -> Markup {
    let fault = faults.get(name);
    html! {
        div class="field" {
            label for=(name) { (label) }
            select id=(name) name=(name) aria-invalid=[fault.map(|_| "true")]
                aria-describedby=[described_by(name, fault, hint)] {
                @for (value, words) in options { option value=(value) selected[value == chosen] { (words) } }
            }
            (fault_and_hint(name, fault, hint))
        }
    }
}

/// A choice of one of a few, all in view: value, words, hint.
#[must_use]
pub fn radios(name: &'static str, legend: &str, options: &[(&str, &str, &str)], chosen: &str) -> Markup {
    html! {
        fieldset class="stack-s" {
            legend class="label" { (legend) }
            @for (value, words, hint) in options {
                label class="check" {
                    input type="radio" name=(name) value=(value) checked[*value == chosen];
                    span { (words) @if !hint.is_empty() { span class="hint" { (hint) } } }
                }
            }
        }
    }
}

/// A switch, sent as `on`.
#[must_use]
pub fn checkbox(name: &str, value: &str, words: &str, hint: &str, checked: bool) -> Markup {
    html! {
        label class="check" {
            input type="checkbox" name=(name) value=(value) checked[checked];
            span { (words) @if !hint.is_empty() { span class="hint" { (hint) } } }
        }
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn described_by(name: &str, fault: Option<&str>, hint: &str) -> Option<String> {
    match (fault, hint.is_empty()) {
        (Some(_), false) => Some(format!("{name}-e {name}-h")),
        (Some(_), true) => Some(format!("{name}-e")),
        (None, false) => Some(format!("{name}-h")),
        (None, true) => None,
    }
}

fn fault_and_hint(name: &str, fault: Option<&str>, hint: &str) -> Markup {
    html! {
        @if let Some(fault) = fault { span class="status fail" id={ (name) "-e" } { (fault) } }
        @if !hint.is_empty() { span class="hint" id={ (name) "-h" } { (hint) } }
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Input};

    #[test]
    fn a_fault_stands_at_its_field_and_in_the_summary() {
        let faults = Faults::of("name", "there is a user `ada` already");
        let field = Input { name: "name", label: "Name", value: "ada \"<", hint: "Short.", ..Input::default() };
        let html = field.markup(&faults).into_string();
        assert!(
            html.contains(r#"aria-invalid="true""#) && html.contains(r#"aria-describedby="name-e name-h""#),
            "{html}"
        );
        assert!(html.contains("There is a user `ada` already.") && html.contains("ada &quot;&lt;"), "{html}");
        assert!(faults.summary().into_string().contains(r##"<a href="#name">"##));
    }

    #[test]
    fn a_secret_is_never_filled_in_again() {
        let field = Input { name: "password", kind: "password", value: "hunter2hunter2", ..Input::default() };
        assert!(!field.markup(&Faults::default()).into_string().contains("hunter2"));
    }
}
