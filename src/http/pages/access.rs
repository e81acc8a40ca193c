//! Why somebody may install a package, by every path, or why not: the words of `access explain`, as an address that can be
//! sent to a colleague.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::components::{absolute, head, nothing, snippet_line};
use super::forms::{Faults, Input};
use super::layout::{self, Here};
use super::members;
use crate::access::explain::{Because, Explanation, Kind};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::admin::{self, grants, packages, people};
use crate::http::State;
use crate::http::page_error::PageError;
use crate::http::visitor::Reads;
use crate::store::packages::Package;

/// How many names the field for a person offers.
const OFFERED: usize = 100;

/// What the page's form asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    user: String,
    package: String,
    compare: String,
}

/// Somebody with what was found about them.
struct Answer {
    name: String,
    explanation: Explanation,
}

/// Answers `/orgs/{org}/access`. Whoever manages the organization asks about everybody, everybody else about themselves.
pub async fn explain(
    reader: Reads,
    asked: web::Query<Asked>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let own = &reader.who.user.name;
    let is_own = |name: &str| name.is_empty() || name.eq_ignore_ascii_case(own);
    if !is_own(asked.user.trim()) || !is_own(asked.compare.trim()) {
        // A person's name is nothing that others find out here.
        reader.clone().require(&state, Role::Admin).await?;
    }
    let mut fields = asked.into_inner();
    if fields.user.trim().is_empty() && !fields.package.trim().is_empty() {
        fields.user.clone_from(own);
    }
    let mut faults = Faults::default();
    let mut answers = Vec::new();
    let mut package = None;
    if !fields.package.trim().is_empty() {
        package = find(&reader, &state, fields.package.trim()).await?;
        match &package {
            None => faults.add(
                "package",
                format!("There is no package `{}` here, or you may not see it", shortened(&fields.package)),
            ),
            Some(package) => answers = answer(&reader, &state, &fields, package, &mut faults).await?,
        }
    }
    let names = if reader.role.manages() { offered(&reader, &state).await? } else { Vec::new() };
    let code = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let content = content(&reader, &fields, &names, &answers, package.as_ref(), &faults);
    Ok(layout::page_with(code, &reader.chrome(), Here::Access, "Access", &content))
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

/// A package that whoever asks may see; any other is as one that does not exist.
async fn find(reader: &Reads, state: &State, text: &str) -> Result<Option<Package>, PageError> {
    match packages::find(&state.appliance, reader.org(), text).await {
        Ok(package) => Ok(Some(package).filter(|one| reader.organization.includes(one.id, &reader.view))),
        Err(admin::Error::NotFound(_) | admin::Error::Invalid(_) | admin::Error::Conflict(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

async fn answer(
    reader: &Reads,
    state: &State,
    fields: &Asked,
    package: &Package,
    faults: &mut Faults,
) -> Result<Vec<Answer>, PageError> {
    let mut answers = Vec::new();
    for (field, text) in [("user", fields.user.trim()), ("compare", fields.compare.trim())] {
        if text.is_empty() {
            continue;
        }
        let named = match people::find(&state.appliance, text).await {
            Ok(named) => named,
            Err(error) => {
                if let Some(what) = members::refusal(error, field)?.get(field) {
                    faults.add(field, what);
                }
                continue;
            }
        };
        let explanation = grants::explain(&state.appliance, reader.org(), &named.name, package.id).await?;
        answers.push(Answer { name: named.name, explanation });
    }
    Ok(answers)
}

async fn offered(reader: &Reads, state: &State) -> Result<Vec<(String, Option<String>)>, PageError> {
    let all = admin::members::list(&state.appliance, reader.org()).await?;
    Ok(all.into_iter().take(OFFERED).map(|member| (member.name, member.display_name)).collect())
}

fn content(
    reader: &Reads,
    fields: &Asked,
    names: &[(String, Option<String>)],
    answers: &[Answer],
    package: Option<&Package>,
    faults: &Faults,
) -> Markup {
    let under = html! { "Every path from a person to a package, and where it ends. The answer is the one that Composer gets at this moment." };
    html! {
        (head("Who can install what, and why", &under, &nothing()))
        (faults.summary())
        (form(reader, fields, names, faults))
        @if let Some(package) = package {
            @if !answers.is_empty() {
                div class="sections" {
                    @for (index, answer) in answers.iter().enumerate() { (section(index, answer, &package.shown_name())) }
                    (by_command(reader, &answers[0], package))
                }
            }
        }
    }
}

fn form(reader: &Reads, fields: &Asked, names: &[(String, Option<String>)], faults: &Faults) -> Markup {
    let manages = reader.role.manages();
    let package = Input {
        name: "package",
        label: "Package",
        value: &fields.package,
        autocomplete: "off",
        placeholder: "acme/lib",
        required: true,
        ..Input::default()
    };
    html! {
        form class="filters" method="get" action={ "/orgs/" (reader.organization.slug) "/access" } {
            @if manages {
                (person("user", "Person", &fields.user, false, faults))
            } @else {
                div class="field grow" {
                    label for="user" { "Person" }
                    input id="user" name="user" value=(reader.who.user.name) readonly;
                }
            }
            div class="grow" { (package.markup(faults)) }
            @if manages {
                (person("compare", "Compare with", &fields.compare, true, faults))
                datalist id="people" {
                    @for (name, display) in names { option value=(name) { (display.as_deref().unwrap_or(name)) } }
                }
            }
            button class="btn primary" { "Explain" }
        }
    }
}

fn person(name: &str, label: &str, value: &str, optional: bool, faults: &Faults) -> Markup {
    let fault = faults.get(name);
    html! {
        div class="field grow" {
            label for=(name) { (label) @if optional { " " span class="muted" { "(optional)" } } }
            input id=(name) name=(name) value=(value) list="people" autocomplete="off" aria-invalid=[fault.map(|_| "true")]
                aria-describedby=[fault.map(|_| format!("{name}-e"))];
            @if let Some(fault) = fault { span class="status fail" id={ (name) "-e" } { (fault) } }
        }
    }
}

fn section(index: usize, answer: &Answer, package: &str) -> Markup {
    let Answer { name, explanation } = answer;
    let (tone, may) = if explanation.allowed { ("ok", "may") } else { ("fail", "may not") };
    let id = format!("h-answer-{index}");
    html! {
        section aria-labelledby=(id) {
            div class={ "callout gap-b " (tone) } {
                h2 id=(id) { span dir="auto" { (name) } " " (may) " install " (package) }
                p { (lead(explanation)) }
            }
            (paths(name, package, explanation))
        }
    }
}

fn lead(explanation: &Explanation) -> String {
    match (explanation.allowed, explanation.because.len()) {
        (true, 1) => "By one path.".to_owned(),
        (true, count) => format!("By {count} paths; losing one of them changes nothing."),
        (false, _) => {
            "What is in the way stands below. Composer learns as little of the package as of one that does not exist."
                .to_owned()
        }
    }
}

/// Every reason as a chain from the person to the package.
pub(super) fn paths(name: &str, package: &str, explanation: &Explanation) -> Markup {
    html! {
        ol class="plain paths stack" {
            @for because in &explanation.because { (path(name, package, because)) }
        }
    }
}

fn path(name: &str, package: &str, because: &Because) -> Markup {
    let is_cut = because.kind == Kind::None;
    html! {
        li class=(if is_cut { "fail" } else { "ok" }) {
            h3 { (kind_words(because.kind)) }
            ol class="chain" {
                li dir="auto" { (name) }
                @if is_cut {
                    li class="cut" { (capitalized(&because.detail)) }
                    li class="off" { (package) }
                } @else {
                    @for (index, step) in because.steps.iter().enumerate() {
                        li {
                            (capitalized(step))
                            @if index + 1 == because.steps.len() {
                                @if let Some(until) = because.until { small { "until " (absolute(until)) } }
                            }
                        }
                    }
                    li class="end" { (package) small { "may install" } }
                }
            }
        }
    }
}

pub(super) const fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Owner => "Everything",
        Kind::Team => "Team",
        Kind::Grant(GrantKind::Given) => "Grant",
        Kind::Grant(GrantKind::Collaborator) => "Collaborator",
        Kind::Grant(GrantKind::Base) => "Base permission",
        Kind::Grant(GrantKind::Sync) => "Platform",
        Kind::None => "In the way",
    }
}

/// Words begin with a capital; an account's name stays as it is.
fn capitalized(text: &str) -> String {
    let is_name = text.split_whitespace().next().is_some_and(|first| first.contains(':'));
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !is_name => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

fn by_command(reader: &Reads, answer: &Answer, package: &Package) -> Markup {
    let command = format!(
        "packagist-selfhosted access explain --org {} --user {} --package {}",
        reader.organization.slug,
        quoted(&answer.name),
        quoted(&package.shown_name())
    );
    html! {
        @if reader.role.manages() {
            section aria-label="By command" { (snippet_line("explain-command", "The same by command", &command)) }
        }
    }
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{capitalized, quoted};

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!((quoted("ghe:ada").as_str(), quoted("bb:Ada L's").as_str()), ("ghe:ada", r"'bb:Ada L'\''s'"));
        assert_eq!((capitalized("team web").as_str(), capitalized("ghe:ada").as_str()), ("Team web", "ghe:ada"));
    }
}
