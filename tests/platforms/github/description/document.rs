//! GitHub's OpenAPI description from npm's `@octokit/openapi`, which tests/run fetches. It has twelve megabytes, so that what
//! we use of it is written beside it the first time, in the form in which it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The addresses that are kept: these, and what is below of those that end in a slash.
const KEPT: [&str; 23] = [
    "/app",
    "/app/",
    "/app-manifests/",
    "/applications/{client_id}/",
    "/installation/",
    "/meta",
    "/orgs/{org}",
    "/orgs/{org}/hooks",
    "/orgs/{org}/hooks/",
    "/orgs/{org}/installation",
    "/orgs/{org}/members",
    "/orgs/{org}/memberships/",
    "/orgs/{org}/organization-roles",
    "/orgs/{org}/organization-roles/",
    "/orgs/{org}/outside_collaborators",
    "/orgs/{org}/repos",
    "/orgs/{org}/teams",
    "/orgs/{org}/teams/{team_slug}",
    "/orgs/{org}/teams/{team_slug}/",
    "/rate_limit",
    "/repos/{owner}/{repo}",
    "/user",
    "/users/{username}",
];
/// The same, of many more.
const KEPT_OF_MANY: [&str; 11] = [
    "/repos/{owner}/{repo}/collaborators",
    "/repos/{owner}/{repo}/collaborators/",
    "/repos/{owner}/{repo}/contents/",
    "/repos/{owner}/{repo}/git/",
    "/repos/{owner}/{repo}/hooks",
    "/repos/{owner}/{repo}/hooks/",
    "/repos/{owner}/{repo}/teams",
    "/user/emails",
    "/user/installations",
    "/user/memberships/",
    "/user/{account_id}",
];
/// Methods of requests in the description.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// What a shared schema's address begins with.
const SHARED: &str = "#/components/schemas/";
/// The form of the file that is kept: raise it when this file changes what it keeps.
const FORM: u32 = 1;

/// What is used of a description.
#[derive(Serialize, Deserialize)]
pub struct Document {
    form: u32,
    /// All requests.
    pub operations: Vec<Operation>,
    /// What schemas refer to, by name.
    schemas: BTreeMap<String, Value>,
}

/// One request.
#[derive(Serialize, Deserialize)]
pub struct Operation {
    method: String,
    template: String,
    /// Whether its last part stands for many.
    is_deep: bool,
    /// The schemas of the parameters of its query.
    pub query: BTreeMap<String, Value>,
    /// Those that have to be there.
    pub required: Vec<String>,
    /// The body's schema.
    pub body: Option<Value>,
    /// Whether there has to be a body.
    pub needs_body: bool,
    /// The schemas of the answers by their status; null where there is no body.
    pub answers: BTreeMap<String, Value>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

impl Operation {
    /// Whether this is what a request is.
    pub fn is(&self, method: &str, path: &str) -> bool {
        let (own, given): (Vec<&str>, Vec<&str>) = (self.template.split('/').collect(), path.split('/').collect());
        let fits = |(own, given): (&&str, &&str)| if is_variable(own) { !given.is_empty() } else { own == given };
        let long_enough = given.len() == own.len() || self.is_deep && given.len() > own.len();
        self.method == method && long_enough && own.iter().zip(&given).all(fits)
    }

    /// How much of its address is fixed: the most special one is meant.
    pub fn literals(&self) -> usize {
        self.template.split('/').filter(|part| !is_variable(part)).count()
    }
}

impl Document {
    /// What a schema refers to, and so on.
    pub fn needed_by(&self, schema: &Value) -> Map<String, Value> {
        let mut needed = BTreeSet::new();
        gather(schema, &self.schemas, &mut needed);
        needed.into_iter().map(|name| (name.clone(), self.schemas[&name].clone())).collect()
    }
}

fn is_variable(part: &str) -> bool {
    part.starts_with('{')
}

fn is_kept(template: &str) -> bool {
    let fits = |kept: &&str| if kept.ends_with('/') { template.starts_with(*kept) } else { template == *kept };
    KEPT.iter().chain(&KEPT_OF_MANY).any(fits)
}

/// Reads the description of this name.
pub fn load(name: &str) -> Document {
    let folder = target().join("openapi");
    let used = folder.join(format!("{name}.used.json"));
    let known = fs::read(&used).ok().and_then(|text| serde_json::from_slice::<Document>(&text).ok());
    if let Some(known) = known.filter(|known| known.form == FORM) {
        return known;
    }
    let whole = folder.join(format!("{name}.json"));
    let text = fs::read(&whole).unwrap_or_else(|error| {
        panic!("GitHub's OpenAPI description is not at {}: {error}. tests/run puts it there.", whole.display());
    });
    let document = trimmed(&serde_json::from_slice(&text).expect("an OpenAPI description"));
    // Another process may do the same at the same time: it sees all of it or nothing.
    let own = folder.join(format!("{name}.used.{}", std::process::id()));
    fs::write(&own, serde_json::to_vec(&document).expect("JSON")).expect("files can be written");
    fs::rename(own, used).expect("files can be renamed");
    document
}

/// Cargo's target directory.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory").to_owned()
}

fn trimmed(whole: &Value) -> Document {
    let paths = whole["paths"].as_object().expect("paths").iter();
    let mut operations = Vec::new();
    for (template, item) in paths.filter(|(template, _)| is_kept(template)) {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            operations.push(operation(whole, template, method, item));
        }
    }
    let all = whole["components"]["schemas"].as_object().expect("schemas").iter();
    let all: BTreeMap<String, Value> = all.map(|(name, schema)| (name.clone(), draft(schema))).collect();
    let mut needed = BTreeSet::new();
    for operation in &operations {
        let own = operation.query.values().chain(&operation.body).chain(operation.answers.values());
        own.for_each(|schema| gather(schema, &all, &mut needed));
    }
    let schemas = all.into_iter().filter(|(name, _)| needed.contains(name)).collect();
    Document { form: FORM, operations, schemas }
}

fn operation(whole: &Value, template: &str, method: &str, item: &Value) -> Operation {
    let own = &item[method];
    let lists = [&item["parameters"], &own["parameters"]].into_iter().filter_map(Value::as_array);
    let parameters: Vec<&Value> = lists.flatten().map(|one| resolved(whole, one)).collect();
    let query = || parameters.iter().filter(|one| one["in"] == "query");
    let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
    let body = resolved(whole, &own["requestBody"]);
    let answers = own["responses"].as_object().expect("answers").iter().map(|(status, answer)| {
        let schema = schema_of(resolved(whole, answer)).unwrap_or_default();
        (status.clone(), schema)
    });
    Operation {
        method: method.to_uppercase(),
        template: template.to_owned(),
        is_deep: parameters.iter().any(|one| one["x-multi-segment"] == true),
        query: query().map(|one| (name(one), draft(&one["schema"]))).collect(),
        required: query().filter(|one| one["required"] == true).map(|one| name(one)).collect(),
        body: schema_of(body),
        needs_body: body["required"] == true,
        answers: answers.collect(),
    }
}

/// The schema of JSON in a request or answer.
fn schema_of(holder: &Value) -> Option<Value> {
    let content = holder.get("content")?;
    let schema = content.get("application/json").or_else(|| content.get("application/scim+json"))?.get("schema")?;
    Some(draft(schema))
}

fn resolved<'a>(whole: &'a Value, one: &'a Value) -> &'a Value {
    let Some(address) = one["$ref"].as_str() else { return one };
    whole.pointer(&address[1..]).unwrap_or_else(|| panic!("the description lacks {address}"))
}

/// A schema of OpenAPI 3.0 as one of JSON Schema's fourth draft: without examples, and with `nullable` told by types.
fn draft(schema: &Value) -> Value {
    match schema {
        Value::Array(all) => all.iter().map(draft).collect(),
        Value::Object(own) => {
            let is_prose = |name: &str, value: &Value| match name {
                "example" | "examples" | "default" | "discriminator" | "nullable" => !is_schema(value),
                "description" | "title" => value.is_string(),
                _ => false,
            };
            let kept = own.iter().filter(|(name, value)| !is_prose(name, value));
            let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), draft(value))).collect();
            if own.get("nullable") == Some(&Value::Bool(true)) { or_null(kept) } else { kept.into() }
        }
        other => other.clone(),
    }
}

/// Whether it is the schema of a property that happens to have the name of a keyword.
fn is_schema(value: &Value) -> bool {
    ["type", "$ref", "allOf", "anyOf", "oneOf"].iter().any(|keyword| value.get(keyword).is_some())
}

fn or_null(schema: Map<String, Value>) -> Value {
    serde_json::json!({"anyOf": [schema, {"type": "null"}]})
}

/// Adds what a schema refers to.
fn gather(schema: &Value, all: &BTreeMap<String, Value>, needed: &mut BTreeSet<String>) {
    match schema {
        Value::Array(list) => list.iter().for_each(|one| gather(one, all, needed)),
        Value::Object(own) => {
            let name = own.get("$ref").and_then(Value::as_str).and_then(|address| address.strip_prefix(SHARED));
            if let Some(name) = name.filter(|name| !needed.contains(*name)) {
                needed.insert(name.to_owned());
                gather(&all[name], all, needed);
            }
            own.values().for_each(|one| gather(one, all, needed));
        }
        _ => {}
    }
}
