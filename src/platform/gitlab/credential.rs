//! The test of a token: whose it is, what it may, when it ends, and what is missing for what.

use secrecy::ExposeSecret;
use serde::Deserialize;

use super::api::{Api, Ask};
use super::group::{self, Reader};
use super::levels::{self, MAINTAINER, OWNER, REPORTER, end_of};
use super::refusal;
use super::wire::{Member, Token};
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::hub::{Diagnosis, Hub, HubError, Key};
use crate::platform::login::Finding;
use crate::platform::rest::Lists;

/// Whether a key is a deploy token: good for Git, and for nothing else.
pub(super) fn is_deploy(key: &Key) -> bool {
    let named = key.username.as_deref().is_some_and(|name| name.starts_with("gitlab+deploy-token"));
    named || key.secret.fixed().is_some_and(|secret| secret.expose_secret().starts_with("gldt-"))
}

/// Whether a key is a connected account, whose tokens are no personal access tokens: GitLab refuses to tell of them as such.
pub(super) fn is_grant(key: &Key) -> bool {
    key.kind == "gitlab-oauth"
}

/// Refuses a deploy token where the API is needed: it is never shown there.
///
/// # Errors
/// `Unsupported`.
pub(super) fn require_api(hub: &Hub, key: &Key) -> Result<(), HubError> {
    if !is_deploy(key) {
        return Ok(());
    }
    Err(HubError::Unsupported(format!(
        "The credential is a deploy token, which {} takes for Git only: projects and members are listed to a group, project or \
         personal access token with the scopes `read_api` and `read_repository`.",
        hub.site().name
    )))
}

/// Whether a token has a scope, or one that contains it.
pub(super) fn has(own: &[String], wanted: &str) -> bool {
    let contains = |scope: &str| match wanted {
        "read_api" => matches!(scope, "read_api" | "api"),
        "self_rotate" => matches!(scope, "self_rotate" | "api"),
        // `api` reads and writes repositories over HTTPS too.
        "read_repository" => matches!(scope, "read_repository" | "write_repository" | "api"),
        wanted => scope == wanted,
    };
    own.iter().any(|scope| contains(scope))
}

/// Refuses a token with which no group can be read; when it ends.
///
/// # Errors
/// [`HubError`]; `Forbidden` with what is missing.
pub(super) async fn require(reader: &Reader<'_>) -> Result<Option<Timestamp>, HubError> {
    require_api(reader.api.hub, reader.api.key)?;
    if is_grant(reader.api.key) {
        return Ok(None);
    }
    let again = reader.touched.everything();
    match reader.one::<Token>("/personal_access_tokens/self", again, "tell what it may").await {
        Ok(token) => {
            require_scopes(&token)?;
            Ok(end_of(token.expires_at.as_deref()))
        }
        // A grant is none, and old servers do not tell.
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn require_scopes(token: &Token) -> Result<(), HubError> {
    match has(&token.scopes, "read_api") {
        true => Ok(()),
        false => Err(refusal::lacking("read_api", "list projects, groups and members")),
    }
}

/// Whether a group can be read with a key at all, before it is to be followed.
///
/// # Errors
/// [`HubError`].
pub(super) async fn admits(hub: &Hub, key: &Key, group: &str) -> Result<(), HubError> {
    require_api(hub, key)?;
    let api = Api::new(hub, key);
    match own(&api).await {
        Ok(Some(token)) => require_scopes(&token)?,
        Ok(None) => {}
        Err(error) => return Err(error),
    }
    group::find(&api, group).await.map(drop)
}

/// What the token is; none where GitLab does not tell.
async fn own(api: &Api<'_>) -> Result<Option<Token>, HubError> {
    if is_grant(api.key) {
        return Ok(None);
    }
    match api.read("/personal_access_tokens/self", "tell what it may").await {
        Ok(token) => Ok(Some(token)),
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a server says of itself.
#[derive(Deserialize)]
struct Version {
    version: String,
    enterprise: Option<bool>,
}

/// Whose a token is.
#[derive(Deserialize)]
struct Owner {
    id: u64,
    username: String,
    #[serde(default)]
    bot: bool,
    state: Option<String>,
}

/// Tests a credential.
pub(super) async fn diagnose(hub: &Hub, key: &Key, group: Option<&str>, now: Timestamp) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    if is_deploy(key) {
        diagnosis.findings.push(Finding::ok(
            "It is a deploy token: good for Git over HTTPS, with the scope `read_repository`, and for nothing else.",
        ));
        if let (Some(_), Err(error)) = (group, require_api(hub, key)) {
            diagnosis.findings.push(Finding::fail(error.to_string()));
        }
        return diagnosis;
    }
    let api = Api::new(hub, key);
    if let Err(error) = of_token(&api, group, now, &mut diagnosis).await {
        diagnosis.failed(error);
    }
    diagnosis
}

async fn of_token(
    api: &Api<'_>,
    group: Option<&str>,
    now: Timestamp,
    diagnosis: &mut Diagnosis,
) -> Result<(), HubError> {
    let token = own(api).await?;
    if let Some(token) = &token {
        diagnosis.accepted = Some(token.active != Some(false) && !token.revoked);
        of_scopes(token, diagnosis);
        match end_of(token.expires_at.as_deref()) {
            Some(end) => {
                diagnosis.expires_at = Some(end);
                diagnosis.findings.push(Finding::of_end(end, now));
            }
            None => diagnosis.findings.push(Finding::ok("The token has no end.")),
        }
    }
    let may_ask = token.as_ref().is_none_or(|token| has(&token.scopes, "read_api"));
    if !may_ask {
        return Ok(());
    }
    let owner: Owner = api.read("/user", "tell whose it is").await?;
    diagnosis.accepted = Some(diagnosis.accepted.unwrap_or(true));
    diagnosis.findings.insert(0, whose(api, &owner, version(api).await?));
    if owner.state.as_deref().is_some_and(|state| state != "active") {
        diagnosis.findings.push(Finding::fail(format!(
            "{} is not active there: the token will not work for long.",
            printable(&owner.username, 100)
        )));
    }
    match group {
        Some(group) => of_group(api, group, &owner, token.as_ref(), diagnosis).await,
        None => Ok(()),
    }
}

fn whose(api: &Api<'_>, owner: &Owner, version: Option<Version>) -> Finding {
    let version = version.map_or_else(String::new, |version| {
        let edition = match version.enterprise {
            Some(true) => ", Enterprise Edition",
            _ => "",
        };
        format!(" ({}{edition})", printable(&version.version, 40))
    });
    let login = printable(&owner.username, 100);
    let whose = match owner.bot {
        true => format!("of the bot {login}, which goes with it"),
        false => format!("{login}'s, and ends with that account"),
    };
    Finding::ok(format!("{}{version} accepts the token, which is {whose}.", api.name()))
}

/// What the server is; old ones tell less.
async fn version(api: &Api<'_>) -> Result<Option<Version>, HubError> {
    for path in ["/metadata", "/version"] {
        match api.read::<Version>(path, "tell its version").await {
            Ok(version) => return Ok(Some(version)),
            Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn of_scopes(token: &Token, diagnosis: &mut Diagnosis) {
    for (scope, why) in [
        ("read_api", "without it projects, groups and members are not listed"),
        ("read_repository", "without it no code is read over HTTPS"),
    ] {
        diagnosis.findings.push(if has(&token.scopes, scope) {
            Finding::ok(format!("The token has the scope `{scope}`."))
        } else {
            Finding::fail(format!(
                "The token lacks the scope `{scope}`: {why}. Scopes are chosen when a token is made: make another one."
            ))
        });
    }
    if !has(&token.scopes, "api") {
        diagnosis.findings.push(Finding::warn(
            "The token lacks the scope `api`: no webhooks are installed with it, so that changes are found only at the interval.",
        ));
    }
}

async fn of_group(
    api: &Api<'_>,
    name: &str,
    owner: &Owner,
    token: Option<&Token>,
    diagnosis: &mut Diagnosis,
) -> Result<(), HubError> {
    let group = group::find(api, name).await?;
    diagnosis.findings.push(Finding::ok(format!("It sees the group {}.", group.full_path)));
    let own = format!("/groups/{}/members/all/{}", group.id, owner.id);
    let level = match api.read::<Member>(&own, "read its own membership").await {
        Ok(own) => Some(own.access_level),
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => None,
        Err(error) => return Err(error),
    };
    diagnosis.findings.push(of_level(level, &owner.username, &group.full_path));
    for (path, what) in [("projects?per_page=1&with_shared=false", "projects"), ("members/all?per_page=1", "members")] {
        let what = format!("list the {what} of {}", group.full_path);
        match api.answered(&Ask::get(api.url(&format!("/groups/{}/{path}", group.id))), &what).await {
            Ok(_) => diagnosis.findings.push(Finding::ok(format!("It may {what}."))),
            Err(error @ (HubError::Forbidden { .. } | HubError::NotFound(_))) => diagnosis.failed(error),
            Err(error) => return Err(error),
        }
    }
    if token.is_some_and(|token| !has(&token.scopes, "api")) {
        return Ok(());
    }
    let hooks = api.ask(&Ask::get(api.url(&format!("/groups/{}/hooks?per_page=1", group.id)))).await?;
    diagnosis.findings.push(if hooks.status.is_success() {
        Finding::ok(format!("It may install a webhook on {}.", group.full_path))
    } else if level.is_none_or(|level| level >= MAINTAINER) {
        Finding::warn(format!(
            "It may not install a webhook on {}, for which a licence (Premium) and an owner's token are needed: one is \
             installed on each package's project, and changes of members are found at the interval.",
            group.full_path
        ))
    } else {
        Finding::warn(
            "It may install no webhooks, neither on the group nor on projects, for which it has to be at least a maintainer: \
             changes are found at the interval.",
        )
    });
    Ok(())
}

fn of_level(level: Option<i64>, login: &str, group: &str) -> Finding {
    let login = printable(login, 100);
    match level {
        None => Finding::warn(format!(
            "{login} is no member of {group}: only what it sees otherwise, as an administrator or because it is public, can be \
             followed."
        )),
        Some(level) if level < REPORTER => Finding::fail(format!(
            "{login} is {} in {group}, and does not see the code of private projects: make it at least a reporter.",
            levels::word(level)
        )),
        Some(level) if level < OWNER => Finding::ok(format!("{login} is {} in {group}.", levels::word(level))),
        Some(_) => Finding::ok(format!("{login} is an owner of {group}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn scopes_contain_others() {
        let own = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        assert!(has(&own(&["api"]), "read_api") && has(&own(&["api"]), "read_repository"));
        assert!(!has(&own(&["read_repository"]), "read_api") && !has(&own(&["read_api"]), "read_repository"));
        assert!(!has(&own(&["read_api"]), "api"));
    }
}
