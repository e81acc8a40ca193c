//! The page on which a person chooses who they are and what they allow: all that a browser sees of a simulator.

use maud::{DOCTYPE, html};

use super::message::{Asked, Pairs, Reply, strict};

/// What the person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To be this user, and to allow it.
    Allow(String),
    /// Not to.
    Deny,
}

/// The page. `request` comes back with the decision, which is sent to `action`.
pub fn page(platform: &str, app: &str, action: &str, request: &str, users: &[String], scopes: &[String]) -> Reply {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { title { "Authorize " (app) " – " (platform) } }
            body {
                h1 { (app) " would like to know who you are" }
                ul { @for scope in scopes { li { (scope) } } }
                form method="post" action=(action) {
                    input type="hidden" name="request" value=(request);
                    fieldset {
                        legend { "Sign in to " (platform) " as" }
                        @for user in users {
                            label { input type="radio" name="user" value=(user) required; (user) }
                        }
                    }
                    button name="decision" value="allow" { "Authorize" }
                    button name="decision" value="deny" formnovalidate { "Cancel" }
                }
            }
        }
    };
    Reply::html(200, page.into_string())
}

/// Reads what the page sent: the request's id, and the decision.
pub fn decision(asked: &Asked) -> Option<(String, Decision)> {
    let pairs: Pairs = asked.form()?;
    let form = strict(&pairs, &["request", "decision"], &["user"]).ok()?;
    let decision = match form["decision"] {
        "allow" => Decision::Allow((*form.get("user")?).to_owned()),
        "deny" => Decision::Deny,
        _ => return None,
    };
    Some((form["request"].to_owned(), decision))
}
