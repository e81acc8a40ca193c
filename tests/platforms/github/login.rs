//! OAuth: the page of consent, and the exchange of codes, whose errors come with status 200.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Kind, Site};
use crate::platforms::consent::{self, Decision};
use crate::platforms::grants::{Request, Token, is_challenge, verifies};
use crate::platforms::message::{Asked, Reply, strict};

/// How long a code is good, in seconds.
const CODE_LIFE: u64 = 600;
/// The scopes that somebody who only logs people in may ask for.
const SCOPES: [&str; 3] = ["read:user", "user:email", "read:org"];
/// Fewest characters of a state that nobody can guess.
const STATE: usize = 22;

impl Site {
    /// `GET /login/oauth/authorize`.
    pub(super) fn authorize(&mut self, asked: &Asked) -> Reply {
        let mut optional = vec!["redirect_uri", "scope", "login", "prompt", "allow_signup", "response_type"];
        if self.is_cloud() {
            optional.extend(["code_challenge", "code_challenge_method"]);
        }
        let wrong = |why: String| Reply::html(400, why.clone()).blamed(why);
        let given = match strict(&asked.query, &["client_id", "state"], &optional) {
            Ok(given) => given,
            Err(why) => return wrong(why),
        };
        let Some(app) = self.apps.get(given["client_id"]) else {
            return Reply::html(404, "<title>Page not found</title>");
        };
        let state = given["state"];
        let registered = app.callbacks[0].clone();
        let refuse = |error: &str, description: &str| {
            let fields = [("error", error), ("error_description", description), ("state", state)];
            Reply::redirect_with(&registered, &fields)
        };
        if app.suspended {
            return refuse("application_suspended", "Your application has been suspended.");
        }
        let redirect_uri = given.get("redirect_uri").copied().unwrap_or(&registered);
        if !app.takes(redirect_uri) {
            return refuse("redirect_uri_mismatch", "The redirect_uri is not associated with this application.");
        }
        if state.len() < STATE {
            return wrong(format!("the state {state} can be guessed"));
        }
        let challenge = match (given.get("code_challenge"), given.get("code_challenge_method")) {
            (None, None) => None,
            (Some(challenge), Some(&"S256")) if is_challenge(challenge) => Some((*challenge).to_owned()),
            _ => return wrong("code_challenge is none of the method S256".to_owned()),
        };
        let scopes: Vec<String> = given.get("scope").unwrap_or(&"").split_whitespace().map(str::to_owned).collect();
        if let Some(odd) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            return wrong(format!("nobody who only logs in needs the scope {odd}"));
        }
        let (name, client_id) = (app.name.clone(), app.client_id.clone());
        let request = Request {
            client_id,
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.clone(),
            state: state.to_owned(),
            challenge,
        };
        let id = self.grants.ask(request);
        let users: Vec<String> = self.users.values().map(|user| user.login.clone()).collect();
        consent::page("GitHub", &name, "/login/oauth/authorize", &id, &users, &scopes)
    }

    /// `POST /login/oauth/authorize`, of the page.
    pub(super) fn decide(&mut self, asked: &Asked) -> Reply {
        let decided = consent::decision(asked);
        let Some((request, decision)) = decided.and_then(|(id, made)| Some((self.grants.requests.remove(&id)?, made)))
        else {
            return Reply::html(422, "Your browser did something unexpected.");
        };
        let to = request.redirect_uri.clone();
        let state = request.state.clone();
        let Decision::Allow(login) = decision else {
            let said = "The user has denied your application access.";
            let fields = [("error", "access_denied"), ("error_description", said), ("state", &state)];
            return Reply::redirect_with(&to, &fields);
        };
        let Some(user) = self.user_named(&login).filter(|user| !user.suspended) else {
            return Reply::html(403, "Your account is suspended.");
        };
        let id = user.id;
        let code = self.grants.allow(request, id);
        Reply::redirect_with(&to, &[("code", &code), ("state", &state)])
    }

    /// `POST /login/oauth/access_token`.
    pub(super) fn access_token(&mut self, asked: &Asked) -> Reply {
        let as_json = asked.header("accept").is_some_and(|accept| accept.contains("application/json"));
        let mut reply = match self.exchange(asked) {
            Ok(fields) => written(&fields, as_json),
            Err((error, description)) => {
                let fields =
                    [("error", error), ("error_description", description), ("error_uri", "https://docs.example")];
                written(&fields.map(|(name, value)| (name, Value::from(value))), as_json)
            }
        };
        reply.violation = self.violation(asked);
        reply
    }

    fn violation(&self, asked: &Asked) -> Option<String> {
        if !asked.query.is_empty() {
            return Some("what stands in the address ends in logs".to_owned());
        }
        let mut optional = vec!["redirect_uri", "grant_type"];
        if self.is_cloud() {
            optional.push("code_verifier");
        }
        strict(&asked.form().unwrap_or_default(), &["client_id", "client_secret", "code"], &optional).err()
    }

    fn exchange(&mut self, asked: &Asked) -> Result<Vec<(&'static str, Value)>, (&'static str, &'static str)> {
        let form = asked.form().unwrap_or_default();
        let given = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let bad_code = ("bad_verification_code", "The code passed is incorrect or expired.");
        let bad_client = ("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.");
        let app = given("client_id").and_then(|id| self.apps.get(id)).ok_or(bad_client)?.clone();
        if given("client_secret") != Some(app.client_secret.as_str()) {
            return Err(bad_client);
        }
        let now = self.grants.now;
        let code = given("code").and_then(|code| self.grants.codes.get_mut(code)).ok_or(bad_code)?;
        if code.used || code.request.client_id != app.client_id || now > code.issued + CODE_LIFE {
            return Err(bad_code);
        }
        if given("redirect_uri").is_some_and(|uri| uri != code.request.redirect_uri) {
            return Err(("redirect_uri_mismatch", "The redirect_uri is not associated with this application."));
        }
        if let Some(challenge) = &code.request.challenge
            && !given("code_verifier").is_some_and(|verifier| verifies(challenge, verifier))
        {
            return Err(bad_code);
        }
        code.used = true;
        let (user, asked_for) = (code.user, code.request.scopes.clone());
        let is_cloud = self.is_cloud();
        let person = self.users.get_mut(&user).ok_or(bad_code)?;
        if is_cloud && !person.primary().verified {
            return Err(("unverified_user_email", "The user must have a verified primary email."));
        }
        Ok(self.issue(app.kind, &app.client_id, user, asked_for))
    }

    fn issue(&mut self, kind: Kind, client_id: &str, user: u64, asked_for: Vec<String>) -> Vec<(&'static str, Value)> {
        let key = (client_id.to_owned(), user);
        let mut token = |prefix: &str, scopes: &BTreeSet<String>| {
            let scopes = scopes.iter().cloned().collect();
            self.grants.issue(prefix, Token { client_id: client_id.to_owned(), user, scopes })
        };
        if let Kind::GitHubApp { .. } = kind {
            return vec![
                ("access_token", token("ghu_", &BTreeSet::new()).into()),
                ("expires_in", 28_800.into()),
                ("refresh_token", "ghr_nobody_needs_it".into()),
                ("refresh_token_expires_in", 15_811_200.into()),
                ("scope", "".into()),
                ("token_type", "bearer".into()),
            ];
        }
        // What was granted once stays granted, whatever is asked for this time.
        let granted = self.granted.entry(key).or_default();
        granted.extend(asked_for);
        let scope = granted.iter().cloned().collect::<Vec<_>>().join(",");
        vec![("access_token", token("gho_", granted).into()), ("token_type", "bearer".into()), ("scope", scope.into())]
    }
}

/// As JSON, or as the form that GitHub answers unless it is asked for JSON.
fn written(fields: &[(&'static str, Value)], as_json: bool) -> Reply {
    if as_json {
        let object: Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        return Reply::json(200, &Value::from(object));
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, text(value))).collect();
    Reply::form(200, &fields)
}
