//! What GitHub's own OpenAPI description says of a request and of the answer to it. The simulator is written from the prose
//! of the documentation, by the same people as the client: this is the judge that belongs to neither.

mod document;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::Flavour;
use crate::platforms::message::{Asked, Reply};
use document::{Document, Operation};

/// The versions of the API that GitHub has published.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];
/// So much of one finding is told; whole answers would hide what is wrong with them.
const LONGEST_FINDING: usize = 300;

/// What answers have and the description does not tell of: an Enterprise Server says of every account whether it is
/// suspended, which the description shows only where accounts are mapped to LDAP.
const UNTOLD: [(&str, &str); 2] =
    [("GET /users/{username}", "suspended_at"), ("GET /user/{account_id}", "suspended_at")];

/// What the description of a list confuses, and may be null: whose an installation is has to be a person and an enterprise at
/// once there.
const CONFUSED: (&str, &str) = ("GET /app/installations", "account");

/// A description, and what has been made of it.
pub struct Description {
    document: Document,
    /// By what they are for.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The reply, blamed for what is not as the description says, of the request or of itself.
pub(super) fn judged(flavour: Flavour, asked: &Asked, path: &str, reply: Reply) -> Reply {
    if reply.violation.is_some() {
        return reply;
    }
    let description = Description::of(flavour);
    let findings = match description.operation(&asked.method, path) {
        Err(finding) => vec![finding],
        Ok(operation) => {
            let own = description.answer(operation, &reply).into_iter();
            let own = own.map(|finding| format!("the simulator's answer ({}): {finding}", reply.status));
            description.request(operation, asked).into_iter().chain(own).collect()
        }
    };
    if findings.is_empty() { reply } else { reply.blamed(findings.join("; ")) }
}

impl Description {
    /// The newest published description of this GitHub, read once.
    pub fn of(flavour: Flavour) -> &'static Self {
        static CLOUD: OnceLock<Description> = OnceLock::new();
        static SERVER: OnceLock<Description> = OnceLock::new();
        match flavour {
            Flavour::Cloud => CLOUD.get_or_init(|| Self::load("api.github.com")),
            Flavour::Server { .. } => SERVER.get_or_init(|| Self::load("ghes-3.19")),
        }
    }

    fn load(name: &str) -> Self {
        Self { document: document::load(name), validators: Mutex::default() }
    }

    /// What a request to this path is.
    ///
    /// # Errors
    /// There is no such request.
    pub fn operation(&self, method: &str, path: &str) -> Result<&Operation, String> {
        let path = named(method, path).unwrap_or_else(|| path.to_owned());
        let found = self.document.operations.iter().filter(|operation| operation.is(method, &path));
        found
            .max_by_key(|operation| operation.literals())
            .ok_or_else(|| format!("GitHub's description has no {method} {path}, or document.rs does not keep it"))
    }

    /// What is wrong with a request.
    pub fn request(&self, operation: &Operation, asked: &Asked) -> Vec<String> {
        let mut findings = headers(asked);
        for (name, value) in &asked.query {
            match operation.query.get(name) {
                None => findings.push(format!("the parameter `{name}` is not in GitHub's description")),
                Some(schema) => {
                    let at = format!("{operation} ?{name}");
                    let found = self.findings(&at, schema, &typed(schema, value));
                    findings.extend(found.into_iter().map(|finding| format!("the parameter `{name}`: {finding}")));
                }
            }
        }
        let lacks = |name: &&String| !asked.query.iter().any(|(given, _)| given == *name);
        findings.extend(operation.required.iter().filter(lacks).map(|name| format!("without the parameter `{name}`")));
        findings.extend(self.body(operation, asked).into_iter().map(|finding| format!("the body: {finding}")));
        findings
    }

    fn body(&self, operation: &Operation, asked: &Asked) -> Vec<String> {
        match &operation.body {
            None if asked.body.is_empty() => Vec::new(),
            None => vec!["there should be none".to_owned()],
            Some(_) if asked.body.is_empty() && !operation.needs_body => Vec::new(),
            Some(schema) => {
                let Some(body) = asked.json() else { return vec!["it is no JSON, or does not say so".to_owned()] };
                let mut findings = self.findings(&format!("{operation} body"), schema, &body);
                // GitHub would silently pass over a misspelt one, and so does the schema.
                if let (Some(known), Some(given)) = (schema["properties"].as_object(), body.as_object()) {
                    let odd = given.keys().filter(|name| !known.contains_key(*name));
                    findings.extend(odd.map(|name| format!("`{name}` is not in GitHub's description")));
                }
                findings
            }
        }
    }

    /// What is wrong with an answer.
    pub fn answer(&self, operation: &Operation, reply: &Reply) -> Vec<String> {
        match operation.answers.get(&reply.status.to_string()) {
            // Every address may redirect and refuse, which the description says only here and there.
            None if reply.status >= 300 => Vec::new(),
            None => vec!["the status is not in GitHub's description".to_owned()],
            Some(Value::Null) if reply.body.is_empty() || reply.status >= 300 => Vec::new(),
            Some(Value::Null) => vec!["there should be no body".to_owned()],
            Some(_) if reply.status >= 300 && reply.body.is_empty() => Vec::new(),
            Some(schema) => match serde_json::from_slice(&reply.body) {
                Ok(body) => self.findings(&format!("{operation} {}", reply.status), schema, &told(operation, body)),
                Err(error) => vec![format!("it is no JSON: {error}")],
            },
        }
    }

    /// What is wrong with a value. `at` names the schema.
    fn findings(&self, at: &str, schema: &Value, value: &Value) -> Vec<String> {
        let validator = match self.validators.lock().expect("no panic").entry(at.to_owned()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(self.validator(schema)))),
        };
        let found = validator.iter_errors(value).take(3).map(|error| {
            let whole = error.to_string();
            let text = if whole.len() > LONGEST_FINDING { error.masked().to_string() } else { whole };
            format!("{text} (at {:?}, by {})", error.instance_path().to_string(), error.schema_path())
        });
        found.collect()
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({"allOf": [schema], "components": {"schemas": self.document.needed_by(schema)}});
        // OpenAPI 3.0 is a dialect of the fourth draft.
        let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true);
        options.build(&whole).expect("GitHub's schemas are well-formed")
    }
}

/// The documented name of a path that GitHub documents only by its behaviour: the `Link` headers of its lists and the
/// redirects to what was renamed lead to ids where the description has names.
fn named(method: &str, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let (start, rest) = match (method, parts.as_slice()) {
        ("GET", ["organizations", org, "team", team, rest @ ..]) if is_id(org) && is_id(team) => {
            (format!("/orgs/{org}/teams/{team}"), rest)
        }
        ("GET", ["organizations", org, rest @ ..]) if is_id(org) => (format!("/orgs/{org}"), rest),
        ("GET", ["repositories", id, rest @ ..]) if is_id(id) => (format!("/repos/{id}/{id}"), rest),
        _ => return None,
    };
    Some(rest.iter().fold(start, |path, part| format!("{path}/{part}")))
}

/// An answer without what the description does not tell of.
fn told(operation: &Operation, mut body: Value) -> Value {
    let name = operation.to_string();
    for (_, untold) in UNTOLD.iter().filter(|(of, _)| *of == name) {
        body.as_object_mut().map(|body| body.remove(*untold));
    }
    let rows = body.as_array_mut().filter(|_| name == CONFUSED.0);
    for row in rows.into_iter().flatten() {
        row[CONFUSED.1] = Value::Null;
    }
    body
}

fn headers(asked: &Asked) -> Vec<String> {
    let needed = ["user-agent", "accept"].into_iter();
    let lacking = needed.filter(|name| asked.header(name).is_none_or(str::is_empty));
    let mut findings: Vec<String> = lacking.map(|name| format!("without the header `{name}`")).collect();
    if let Some(version) = asked.header("x-github-api-version").filter(|version| !VERSIONS.contains(version)) {
        findings.push(format!("GitHub published no version {version:?} of its API"));
    }
    findings
}

/// The value of a parameter as its schema means it.
fn typed(schema: &Value, text: &str) -> Value {
    let is = |name: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    let number = || text.parse::<i64>().ok().map(Value::from);
    let flag = || text.parse::<bool>().ok().map(Value::from);
    let list = || Some(text.split(',').collect::<Vec<_>>().into());
    let typed = match () {
        () if is("integer") => number(),
        () if is("boolean") => flag(),
        () if is("array") => list(),
        () => None,
    };
    typed.unwrap_or_else(|| text.into())
}
