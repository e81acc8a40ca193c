//! Requests and answers as simulators see them: plain values, whatever HTTP they came by.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Names and values in the order in which they came.
pub type Pairs = Vec<(String, String)>;

/// One request, whole.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The host that was meant, without the port.
    pub host: String,
    /// The path, as it was sent.
    pub path: String,
    /// The query.
    pub query: Pairs,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// One header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as a form, if it says that it is one.
    pub fn form(&self) -> Option<Pairs> {
        let is_form = self.header("content-type")?.starts_with("application/x-www-form-urlencoded");
        is_form.then(|| pairs(&self.body))
    }

    /// The body as JSON, if it says that it is that.
    pub fn json(&self) -> Option<Value> {
        let is_json = self.header("content-type")?.starts_with("application/json");
        if is_json { serde_json::from_slice(&self.body).ok() } else { None }
    }

    /// The token of a `Bearer` authorization.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// User and password of a `Basic` authorization.
    pub fn basic(&self) -> Option<(String, String)> {
        let bytes = STANDARD.decode(self.header("authorization")?.strip_prefix("Basic ")?).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }
}

/// Reads a query or form.
pub fn pairs(bytes: &[u8]) -> Pairs {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// Reads parameters strictly: all that are required, none twice, and none that the platform does not document.
///
/// # Errors
/// What is wrong.
pub fn strict<'p>(
    pairs: &'p [(String, String)],
    required: &[&str],
    optional: &[&str],
) -> Result<BTreeMap<&'p str, &'p str>, String> {
    let mut found = BTreeMap::new();
    for (name, value) in pairs {
        if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
            return Err(format!("the parameter `{name}` is not documented"));
        }
        if found.insert(name.as_str(), value.as_str()).is_some() {
            return Err(format!("the parameter `{name}` came twice"));
        }
    }
    match required.iter().find(|name| found.get(**name).is_none_or(|value| value.is_empty())) {
        Some(missing) => Err(format!("the parameter `{missing}` is missing")),
        None => Ok(found),
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What was wrong with the request, if no correct client would have sent it: the test fails for it.
    pub violation: Option<String>,
}

impl Reply {
    /// Nothing but a status.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), violation: None }
    }

    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::empty(status) }
            .with("content-type", "application/json; charset=utf-8")
    }

    /// A form.
    pub fn form(status: u16, fields: &[(&str, String)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { body: body.into_bytes(), ..Self::empty(status) }
            .with("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    }

    /// A page.
    pub fn html(status: u16, body: impl Into<String>) -> Self {
        Self { body: body.into().into_bytes(), ..Self::empty(status) }.with("content-type", "text/html; charset=utf-8")
    }

    /// Plain text.
    pub fn text(status: u16, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..Self::empty(status) }.with("content-type", "text/plain; charset=utf-8")
    }

    /// Elsewhere.
    pub fn redirect(to: &str) -> Self {
        Self::empty(302).with("location", to)
    }

    /// Elsewhere, with parameters.
    pub fn redirect_with(to: &str, parameters: &[(&str, &str)]) -> Self {
        let mut url = url::Url::parse(to).expect("a registered address");
        url.query_pairs_mut().extend_pairs(parameters);
        Self::redirect(url.as_str())
    }

    /// One header more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer to a request that no correct client sends.
    pub fn blamed(mut self, violation: impl Into<String>) -> Self {
        self.violation = Some(violation.into());
        self
    }
}
