//! OAuth, as consumers of a workspace have it.

use serde_json::{Value, json};

use super::Site;
use crate::platforms::consent::{self, Decision};
use crate::platforms::grants::{Request, Token, is_challenge, verifies};
use crate::platforms::message::{Asked, Reply, strict};

/// How long a code is good, in seconds.
const CODE_LIFE: u64 = 600;
/// How long a refresh token stays good that was used.
const GRACE: u64 = 600;
/// Fewest characters of a state that nobody can guess.
const STATE: usize = 22;

impl Site {
    /// `GET /site/oauth2/authorize`.
    pub(super) fn authorize(&mut self, asked: &Asked) -> Reply {
        let wrong = |why: &str| Reply::html(400, why).blamed(why);
        let optional = ["redirect_uri", "scope", "code_challenge", "code_challenge_method"];
        let given = match strict(&asked.query, &["client_id", "response_type", "state"], &optional) {
            Ok(given) => given,
            Err(why) => return wrong(&why),
        };
        let consumer = &self.consumer;
        if given["client_id"] != consumer.key {
            return Reply::html(400, "Invalid client_id");
        }
        // The address that is asked for may be longer than the one that is registered.
        let redirect_uri = *given.get("redirect_uri").unwrap_or(&consumer.callback.as_str());
        if !redirect_uri.starts_with(&consumer.callback) {
            return Reply::html(400, "Invalid redirect_uri");
        }
        let state = given["state"];
        if given["response_type"] != "code" || state.len() < STATE {
            return wrong("no code is asked for, or the state can be guessed");
        }
        let challenge = given.get("code_challenge").copied();
        let is_odd =
            challenge.is_some_and(|text| !is_challenge(text) || given.get("code_challenge_method") != Some(&"S256"));
        if is_odd {
            return wrong("code_challenge is none of the method S256");
        }
        let ticked: Vec<_> = consumer.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let scopes = match given.get("scope") {
            Some(scopes) => scopes.split_whitespace().map(str::to_owned).collect(),
            None => ticked.clone(),
        };
        let known: [&[&str]; 3] = [
            &["account", "email"],
            &["account", "repository", "project"],
            &["account", "repository", "project", "webhook"],
        ];
        if !known.iter().any(|known| scopes == *known) {
            return wrong("nobody needs these scopes, to log in or to be a credential");
        }
        if scopes.iter().any(|scope| !ticked.contains(scope)) {
            return Reply::redirect_with(redirect_uri, &[("error", "invalid_scope"), ("state", state)]);
        }
        let request = Request {
            client_id: consumer.key.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.clone(),
            state: state.to_owned(),
            challenge: challenge.filter(|_| self.knows_pkce).map(str::to_owned),
        };
        let id = self.grants.ask(request);
        let users: Vec<_> = self.users.values().map(|user| user.account_id.clone()).collect();
        consent::page("Bitbucket", "Packages", "/site/oauth2/authorize", &id, &users, &scopes)
    }

    /// `POST /site/oauth2/authorize`, of the page.
    pub(super) fn decide(&mut self, asked: &Asked) -> Reply {
        let decided = consent::decision(asked);
        let Some((request, decision)) = decided.and_then(|(id, made)| Some((self.grants.requests.remove(&id)?, made)))
        else {
            return Reply::html(400, "Try again");
        };
        let (to, state) = (request.redirect_uri.clone(), request.state.clone());
        let Decision::Allow(chosen) = decision else {
            let said = "The user denied access";
            return Reply::redirect_with(
                &to,
                &[("error", "access_denied"), ("error_description", said), ("state", &state)],
            );
        };
        let found = self.users.iter().find(|(_, user)| user.account_id == chosen || user.nickname == chosen);
        let Some((id, _)) = found else { return Reply::html(401, "Who is that?") };
        let id = *id;
        let code = self.grants.allow(request, id);
        Reply::redirect_with(&to, &[("state", &state), ("code", &code)])
    }

    /// `POST /site/oauth2/access_token`.
    pub(super) fn token(&mut self, asked: &Asked) -> Reply {
        if !asked.query.is_empty() {
            return error("invalid_request").blamed("what stands in the address ends in logs");
        }
        let form = asked.form().unwrap_or_default();
        if form.iter().any(|(name, value)| name == "grant_type" && value == "refresh_token") {
            return self.renewed(asked, &form);
        }
        let given = match strict(&form, &["grant_type", "code"], &["redirect_uri", "code_verifier"]) {
            Ok(given) => given,
            Err(why) => return error("invalid_request").blamed(why),
        };
        let Some((key, secret)) = asked.basic() else {
            return error("unauthorized_client").blamed("key and secret belong into Authorization");
        };
        if (key.as_str(), secret.as_str()) != (&self.consumer.key, &self.consumer.secret) {
            return error("unauthorized_client");
        }
        if given["grant_type"] != "authorization_code" {
            return error("unsupported_grant_type").blamed("another grant");
        }
        let now = self.grants.now;
        let Some(code) = self.grants.codes.get_mut(given["code"]) else { return error("invalid_grant") };
        let is_same_address = given.get("redirect_uri") == Some(&code.request.redirect_uri.as_str());
        let is_proven =
            code.request.challenge.as_deref().is_none_or(|challenge| {
                given.get("code_verifier").is_some_and(|verifier| verifies(challenge, verifier))
            });
        if code.used || now > code.issued + CODE_LIFE || !is_same_address || !is_proven {
            return error("invalid_grant");
        }
        code.used = true;
        let (user, scopes) = (code.user, code.request.scopes.clone());
        let token = Token { client_id: key, user, scopes };
        let pair = self.grants.issue_for(&"x".repeat(self.token_length), token, self.token_life);
        self.pair(&pair)
    }

    fn pair(&self, (access, refresh): &(String, String)) -> Reply {
        let mut body = json!({
            "access_token": access, "token_type": "bearer", "expires_in": self.token_life, "state": "authorization_code",
            "refresh_token": refresh,
        });
        body[self.scopes_field] = Value::from(self.grants.tokens[access].scopes.join(" "));
        Reply::json(200, &body)
    }

    /// Another pair; what renewed it does so once more for a while.
    fn renewed(&mut self, asked: &Asked, form: &[(String, String)]) -> Reply {
        let given = match strict(form, &["grant_type", "refresh_token"], &[]) {
            Ok(given) => given,
            Err(why) => return error("invalid_request").blamed(why),
        };
        let own = (self.consumer.key.clone(), self.consumer.secret.clone());
        if asked.basic() != Some(own) {
            return error("unauthorized_client");
        }
        let prefix = "x".repeat(self.token_length);
        match self.grants.renew(&prefix, given["refresh_token"], (self.token_life, GRACE)) {
            Some(pair) => self.pair(&pair),
            None => error("invalid_grant"),
        }
    }
}

fn error(error: &str) -> Reply {
    let said = match error {
        "unauthorized_client" => "Invalid OAuth client credentials",
        "invalid_grant" => "The specified code is not valid.",
        _ => "No",
    };
    Reply::json(400, &json!({"error_description": said, "error": error}))
}
