//! OAuth 2.0, as incoming links have it since 7.20.

use serde_json::json;

use super::Site;
use crate::platforms::consent::{self, Decision};
use crate::platforms::grants::{Request, Token, is_challenge, verifies};
use crate::platforms::message::{Asked, Reply, strict};

/// How long a code is good, in seconds.
const CODE_LIFE: u64 = 10;
/// Fewest characters of a state that nobody can guess.
const STATE: usize = 22;

impl Site {
    /// `GET /rest/oauth2/latest/authorize`.
    pub(super) fn authorize(&mut self, asked: &Asked) -> Reply {
        let wrong = |why: &str| Reply::html(400, why).blamed(why);
        let required =
            ["client_id", "redirect_uri", "response_type", "state", "scope", "code_challenge", "code_challenge_method"];
        let given = match strict(&asked.query, &required, &[]) {
            Ok(given) => given,
            Err(why) => return wrong(&why),
        };
        let (redirect_uri, state, challenge) = (given["redirect_uri"], given["state"], given["code_challenge"]);
        if given["client_id"] != self.link.client_id {
            return Reply::html(400, "Unknown client id");
        }
        if redirect_uri != self.link.redirect_url {
            return Reply::html(400, "The redirect uri does not match");
        }
        if given["response_type"] != "code" || state.len() < STATE {
            return wrong("no code is asked for, or the state can be guessed");
        }
        if given["code_challenge_method"] != "S256" || !is_challenge(challenge) {
            return wrong("code_challenge is none of the method S256");
        }
        let scope = given["scope"].to_owned();
        if !["PUBLIC_REPOS", "REPO_READ", "PROJECT_ADMIN"].contains(&scope.as_str()) {
            return wrong("nobody needs this scope, to log in or to be a credential");
        }
        let request = Request {
            client_id: self.link.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: vec![scope],
            state: state.to_owned(),
            challenge: Some(challenge.to_owned()),
        };
        let scopes = request.scopes.clone();
        let id = self.grants.ask(request);
        let action = format!("{}/rest/oauth2/latest/authorize", self.prefix);
        consent::page("Bitbucket", "Packages", &action, &id, &self.names(), &scopes)
    }

    /// `POST /rest/oauth2/latest/authorize`, of the page.
    pub(super) fn decide(&mut self, asked: &Asked) -> Reply {
        let decided = consent::decision(asked);
        let Some((request, decision)) = decided.and_then(|(id, made)| Some((self.grants.requests.remove(&id)?, made)))
        else {
            return Reply::html(400, "Try again");
        };
        let (to, state) = (request.redirect_uri.clone(), request.state.clone());
        let Decision::Allow(name) = decision else {
            return Reply::redirect_with(&to, &[("error", "access_denied"), ("state", &state)]);
        };
        let Some(id) = self.id(&name) else { return Reply::html(401, "Who is that?") };
        let code = self.grants.allow(request, id);
        Reply::redirect_with(&to, &[("code", &code), ("state", &state)])
    }

    /// `POST /rest/oauth2/latest/token`.
    pub(super) fn token(&mut self, asked: &Asked) -> Reply {
        if !asked.query.is_empty() || asked.header("authorization").is_some() {
            return error("invalid_request").blamed("id and secret belong into the body");
        }
        let form = asked.form().unwrap_or_default();
        if form.iter().any(|(name, value)| name == "grant_type" && value == "refresh_token") {
            return self.renewed(&form);
        }
        let required = ["grant_type", "client_id", "client_secret", "code", "redirect_uri"];
        let given = match strict(&form, &required, &["code_verifier"]) {
            Ok(given) => given,
            Err(why) => return error("invalid_request").blamed(why),
        };
        if given["grant_type"] != "authorization_code" {
            return error("unsupported_grant_type").blamed("another grant");
        }
        if (given["client_id"], given["client_secret"]) != (&self.link.client_id, &self.link.client_secret) {
            return error("invalid_client");
        }
        let now = self.grants.now;
        let Some(code) = self.grants.codes.get_mut(given["code"]) else { return error("invalid_grant") };
        let challenge = code.request.challenge.as_deref().unwrap_or_default();
        let is_good = !code.used
            && now <= code.issued + CODE_LIFE
            && code.request.redirect_uri == given["redirect_uri"]
            && given.get("code_verifier").is_some_and(|verifier| verifies(challenge, verifier));
        if !is_good {
            return error("invalid_grant");
        }
        code.used = true;
        let (user, scopes) = (code.user, code.request.scopes.clone());
        let token = Token { client_id: given["client_id"].to_owned(), user, scopes };
        let pair = self.grants.issue_for("", token, self.token_life);
        self.pair(&pair)
    }

    fn pair(&self, (access, refresh): &(String, String)) -> Reply {
        let body = json!({
            "access_token": access, "token_type": "bearer", "expires_in": self.token_life, "refresh_token": refresh,
            "scope": self.grants.tokens[access].scopes.join(" "), "created_at": 1_700_000_000,
        });
        Reply::json(200, &body)
    }

    fn renewed(&mut self, form: &[(String, String)]) -> Reply {
        let required = ["grant_type", "client_id", "client_secret", "refresh_token", "redirect_uri"];
        let given = match strict(form, &required, &[]) {
            Ok(given) => given,
            Err(why) => return error("invalid_request").blamed(why),
        };
        if (given["client_id"], given["client_secret"]) != (&self.link.client_id, &self.link.client_secret) {
            return error("invalid_client");
        }
        match self.grants.renew("", given["refresh_token"], (self.token_life, 0)) {
            Some(pair) if given["redirect_uri"] == self.link.redirect_url => self.pair(&pair),
            _ => error("invalid_grant"),
        }
    }

    /// `POST /rest/oauth2/latest/revoke`.
    pub(super) fn revoke(&mut self, asked: &Asked) -> Reply {
        let form = asked.form().unwrap_or_default();
        let given = match strict(&form, &["client_id", "client_secret", "token"], &["token_type_hint"]) {
            Ok(given) => given,
            Err(why) => return error("invalid_request").blamed(why),
        };
        if (given["client_id"], given["client_secret"]) != (&self.link.client_id, &self.link.client_secret) {
            return error("invalid_client");
        }
        self.grants.tokens.remove(given["token"]);
        Reply::json(200, &json!({}))
    }
}

fn error(error: &str) -> Reply {
    let status = if error == "invalid_client" { 401 } else { 400 };
    Reply::json(status, &json!({"error": error, "error_description": "No"}))
}
