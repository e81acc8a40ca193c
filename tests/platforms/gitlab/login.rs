//! OAuth, as Doorkeeper does it: exact addresses, ticked scopes, PKCE.

use serde_json::json;

use super::Site;
use crate::platforms::consent::{self, Decision};
use crate::platforms::grants::{Request, Token, is_challenge, verifies};
use crate::platforms::message::{Asked, Reply, strict};

/// How long a code is good, in seconds.
const CODE_LIFE: u64 = 600;
/// Fewest characters of a state that nobody can guess.
const STATE: usize = 22;

impl Site {
    /// `GET /oauth/authorize`.
    pub(super) fn authorize(&mut self, asked: &Asked) -> Reply {
        let required =
            ["client_id", "redirect_uri", "response_type", "state", "scope", "code_challenge", "code_challenge_method"];
        let wrong = |why: String| Reply::html(400, why.clone()).blamed(why);
        let given = match strict(&asked.query, &required, &[]) {
            Ok(given) => given,
            Err(why) => return wrong(why),
        };
        let (redirect_uri, state) = (given["redirect_uri"], given["state"]);
        let Some(app) = self.apps.get(given["client_id"]) else {
            return Reply::html(401, "Client authentication failed due to unknown client.");
        };
        if !app.callbacks.iter().any(|callback| callback == redirect_uri) {
            return Reply::html(400, "The redirect URI included is not valid.");
        }
        if given["response_type"] != "code" || state.len() < STATE {
            return wrong("no code is asked for, or the state can be guessed".to_owned());
        }
        let challenge = given["code_challenge"];
        if given["code_challenge_method"] != "S256" || !is_challenge(challenge) {
            return wrong("code_challenge is none of the method S256".to_owned());
        }
        let scopes: Vec<String> = given["scope"].split_whitespace().map(str::to_owned).collect();
        let known: [&[&str]; 3] =
            [&["read_user"], &["read_api", "read_repository"], &["api", "read_api", "read_repository"]];
        if !known.iter().any(|known| scopes == *known) {
            return wrong(format!("nobody needs the scopes {scopes:?}, to log in or to be a credential"));
        }
        if !scopes.iter().all(|scope| app.scopes.contains(&scope.as_str())) {
            let said = "The requested scope is invalid, unknown, or malformed.";
            let fields = [("error", "invalid_scope"), ("error_description", said), ("state", state)];
            return Reply::redirect_with(redirect_uri, &fields);
        }
        let name = app.name.clone();
        let request = Request {
            client_id: app.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.clone(),
            state: state.to_owned(),
            challenge: Some(challenge.to_owned()),
        };
        let id = self.grants.ask(request);
        let users: Vec<String> = self.users.values().map(|user| user.username.clone()).collect();
        consent::page("GitLab", &name, &format!("{}/oauth/authorize", self.prefix), &id, &users, &scopes)
    }

    /// `POST /oauth/authorize`, of the page.
    pub(super) fn decide(&mut self, asked: &Asked) -> Reply {
        let decided = consent::decision(asked);
        let Some((request, decision)) = decided.and_then(|(id, made)| Some((self.grants.requests.remove(&id)?, made)))
        else {
            return Reply::html(422, "The change you requested was rejected.");
        };
        let (to, state) = (request.redirect_uri.clone(), request.state.clone());
        let Decision::Allow(username) = decision else {
            let said = "The resource owner or authorization server denied the request.";
            let fields = [("error", "access_denied"), ("error_description", said), ("state", &state)];
            return Reply::redirect_with(&to, &fields);
        };
        let Some(user) = self.users.values().find(|user| user.username.eq_ignore_ascii_case(&username)) else {
            return Reply::html(401, "Invalid login or password.");
        };
        let id = user.id;
        let code = self.grants.allow(request, id);
        Reply::redirect_with(&to, &[("code", &code), ("state", &state)])
    }

    /// `POST /oauth/token`.
    pub(super) fn token(&mut self, asked: &Asked) -> Reply {
        if !asked.query.is_empty() {
            return error(400, "invalid_request").blamed("what stands in the address ends in logs");
        }
        let form = asked.form().unwrap_or_default();
        if form.iter().any(|(name, value)| name == "grant_type" && value == "refresh_token") {
            return self.renewed(&form);
        }
        let required = ["grant_type", "client_id", "client_secret", "code", "redirect_uri"];
        let given = match strict(&form, &required, &["code_verifier"]) {
            Ok(given) => given,
            Err(why) => return error(400, "invalid_request").blamed(why),
        };
        if given["grant_type"] != "authorization_code" {
            return error(400, "unsupported_grant_type").blamed("another grant");
        }
        let is_app = self.apps.get(given["client_id"]).is_some_and(|app| app.client_secret == given["client_secret"]);
        if !is_app {
            return error(401, "invalid_client");
        }
        let now = self.grants.now;
        let Some(code) = self.grants.codes.get_mut(given["code"]) else { return error(400, "invalid_grant") };
        let is_good = !code.used
            && now <= code.issued + CODE_LIFE
            && code.request.client_id == given["client_id"]
            && code.request.redirect_uri == given["redirect_uri"];
        let challenge = code.request.challenge.as_deref().unwrap_or_default();
        if !is_good || !given.get("code_verifier").is_some_and(|verifier| verifies(challenge, verifier)) {
            return error(400, "invalid_grant");
        }
        code.used = true;
        let (user, scopes) = (code.user, code.request.scopes.clone());
        let token = Token { client_id: given["client_id"].to_owned(), user, scopes };
        let pair = self.grants.issue_for("", token, self.ways.grant_seconds);
        self.pair(&pair)
    }

    fn pair(&self, (access, refresh): &(String, String)) -> Reply {
        let body = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.ways.grant_seconds, "refresh_token": refresh,
            "scope": self.grants.tokens[access].scopes.join(" "), "created_at": self.clock(),
        });
        Reply::json(200, &body).with("cache-control", "no-store")
    }

    /// Another pair, with which the one before is no more.
    fn renewed(&mut self, form: &[(String, String)]) -> Reply {
        let required = ["grant_type", "client_id", "client_secret", "refresh_token", "redirect_uri"];
        let given = match strict(form, &required, &[]) {
            Ok(given) => given,
            Err(why) => return error(400, "invalid_request").blamed(why),
        };
        let app = self.apps.get(given["client_id"]).filter(|app| app.client_secret == given["client_secret"]);
        let Some(app) = app else { return error(401, "invalid_client") };
        if !app.callbacks.iter().any(|callback| callback == given["redirect_uri"]) {
            return error(400, "invalid_grant").blamed("another callback");
        }
        match self.grants.renew("", given["refresh_token"], (self.ways.grant_seconds, 0)) {
            Some(pair) => self.pair(&pair),
            None => error(400, "invalid_grant"),
        }
    }

    /// `POST /oauth/revoke`.
    pub(super) fn revoke(&mut self, asked: &Asked) -> Reply {
        let form = asked.form().unwrap_or_default();
        let given = match strict(&form, &["client_id", "client_secret", "token"], &["token_type_hint"]) {
            Ok(given) => given,
            Err(why) => return error(400, "invalid_request").blamed(why),
        };
        let is_app = self.apps.get(given["client_id"]).is_some_and(|app| app.client_secret == given["client_secret"]);
        if !is_app {
            return error(403, "unauthorized_client");
        }
        self.grants.tokens.remove(given["token"]);
        Reply::json(200, &json!({}))
    }

    /// `GET /.well-known/openid-configuration`.
    pub(super) fn discovery(&self) -> Reply {
        let own = &self.external_url;
        let body = json!({
            "issuer": own, "authorization_endpoint": format!("{own}/oauth/authorize"),
            "token_endpoint": format!("{own}/oauth/token"), "scopes_supported": ["api", "read_api", "read_user"],
        });
        Reply::json(200, &body)
    }
}

fn error(status: u16, error: &str) -> Reply {
    let said = match error {
        "invalid_grant" => {
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the \
             authorization request, or was issued to another client."
        }
        "invalid_client" => {
            "Client authentication failed due to unknown client, no client authentication included, or unsupported \
             authentication method."
        }
        _ => "The request is missing a required parameter, includes an unsupported parameter value, or is malformed.",
    };
    Reply::json(status, &json!({"error": error, "error_description": said}))
}
