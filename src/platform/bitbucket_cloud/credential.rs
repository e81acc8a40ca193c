//! How a credential is shown to Bitbucket Cloud, and its test: what it may, what is missing and what that is needed for.
//!
//! API tokens of people (`ATATT…`) go with the e-mail address of their Atlassian account, and with no user name; access tokens
//! of workspaces, projects and repositories (`ATCTT…`) and those of OAuth stand alone. App passwords (`ATBB…`) ended on
//! 28 July 2026.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::api::{Api, Ask, part};
use super::wire::{User, Workspace};
use super::{groups, refusal};
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::hub::{Diagnosis, GitLogin, Hub, HubError, Key};
use crate::platform::login::Finding;
use crate::platform::rest::Lists;

/// How access tokens of workspaces, projects and repositories begin.
const ACCESS_TOKEN: &str = "ATCTT";
/// How API tokens of people begin.
const API_TOKEN: &str = "ATATT";
/// How app passwords begin.
const APP_PASSWORD: &str = "ATBB";
/// The user name of an API token for Git, which does not take the e-mail address.
const GIT_USER_API_TOKEN: &str = "x-bitbucket-api-token-auth";
/// The user name of every other token for Git.
const GIT_USER: &str = "x-token-auth";

/// What is shown.
pub(super) enum Shown<'a> {
    /// An e-mail address and the API token of its account.
    Basic(&'a str, &'a SecretString),
    /// A token alone.
    Bearer(&'a SecretString),
}

impl<'a> Shown<'a> {
    /// How a key is shown.
    ///
    /// # Errors
    /// `Unauthorized` for what Bitbucket cannot accept, whatever it is.
    pub(super) fn of(name: &str, key: &'a Key, token: &'a SecretString) -> Result<Self, HubError> {
        let text = token.expose_secret().trim();
        let email = key.username.as_deref().filter(|username| username.contains('@'));
        if key.kind.ends_with("-oauth") || text.starts_with(ACCESS_TOKEN) {
            return Ok(Self::Bearer(token));
        }
        if text.starts_with(APP_PASSWORD) || (key.kind.ends_with("-app-password") && !text.starts_with(API_TOKEN)) {
            return Err(HubError::Unauthorized(app_password(name)));
        }
        match email {
            Some(email) => Ok(Self::Basic(email, token)),
            None if text.starts_with(API_TOKEN) || key.username.is_some() => {
                Err(HubError::Unauthorized(no_email(name)))
            }
            None => Ok(Self::Bearer(token)),
        }
    }

    /// The value of `Authorization`.
    pub(super) fn header(&self) -> String {
        match self {
            Self::Basic(email, token) => {
                format!("Basic {}", STANDARD.encode(format!("{email}:{}", token.expose_secret().trim())))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret().trim()),
        }
    }
}

/// What Git shows.
///
/// # Errors
/// As [`Shown::of`], and what goes wrong on the way to a token.
pub(super) async fn git_login(hub: &Hub, key: &Key) -> Result<GitLogin, HubError> {
    let secret = key.secret.token().await?;
    let username = match Shown::of(&hub.site().name, key, &secret)? {
        Shown::Basic(..) => GIT_USER_API_TOKEN,
        Shown::Bearer(_) => GIT_USER,
    };
    Ok(GitLogin { username: username.to_owned(), secret, until: None })
}

fn app_password(name: &str) -> String {
    format!(
        "The credential holds an app password, which {name} has not accepted since 28 July 2026: make an API token with \
         scopes at https://id.atlassian.com/manage-profile/security/api-tokens, and give the credential that with the e-mail \
         address of its account: `credential rotate NAME --username EMAIL`."
    )
}

fn no_email(name: &str) -> String {
    format!(
        "An API token of {name} goes with the e-mail address of its Atlassian account, and not with a user name: give the \
         credential both with `credential rotate NAME --username EMAIL`."
    )
}

/// What it means that a token is not accepted.
pub(super) fn refused(name: &str, key: &Key, said: &str) -> String {
    let text = key.secret.fixed().map(|secret| secret.expose_secret().trim().to_owned()).unwrap_or_default();
    if key.kind.ends_with("-oauth") {
        return format!(
            "{name} does not accept the connected account any more (it says \"{said}\"): connect it again."
        );
    }
    let hint = match text.starts_with(ACCESS_TOKEN) {
        true => "",
        false => {
            " An API token needs scopes, and goes with the e-mail address of its own Atlassian account as the user name."
        }
    };
    format!(
        "{name} does not accept the token: it is wrong, has expired or was revoked (it says \"{said}\").{hint} Give the \
         credential a new one with `credential rotate`."
    )
}

/// Refuses a credential that a workspace cannot be read with.
///
/// # Errors
/// [`HubError`] with what is missing.
pub(super) async fn admits(hub: &Hub, key: &Key, workspace: &str) -> Result<(), HubError> {
    let api = Api::new(hub, key);
    let what = format!("read the workspace {workspace}");
    let found: Workspace = api.read(&format!("/workspaces/{}", part(workspace)), &what).await?;
    for (path, what) in needed(&part(&found.uuid)) {
        let what = format!("{what} of {workspace}");
        api.answered(&Ask::get(api.url(&path)), &what).await?;
    }
    Ok(())
}

/// Without what no workspace can be read.
fn needed(workspace: &str) -> [(String, &'static str); 2] {
    [
        (format!("/repositories/{workspace}?pagelen=1"), "list the repositories"),
        (format!("/workspaces/{workspace}/permissions?pagelen=1"), "list the members"),
    ]
}

/// Tests a credential.
pub(super) async fn diagnose(hub: &Hub, key: &Key, organization: Option<&str>, _now: Timestamp) -> Diagnosis {
    let api = Api::new(hub, key);
    let mut diagnosis = Diagnosis::default();
    if let Err(error) = examine(&api, organization, &mut diagnosis).await {
        failed(&mut diagnosis, &error);
    }
    diagnosis
}

fn failed(diagnosis: &mut Diagnosis, error: &HubError) {
    if matches!(error, HubError::Unauthorized(_)) {
        diagnosis.accepted = Some(false);
    }
    diagnosis.findings.push(match error {
        // Nothing is wrong with the credential.
        HubError::RateLimited { .. } => Finding::warn(error.to_string()),
        _ => Finding::fail(error.to_string()),
    });
}

async fn examine(api: &Api<'_>, workspace: Option<&str>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    whose(api, diagnosis).await?;
    let Some(name) = workspace else {
        if diagnosis.accepted.is_none() {
            diagnosis.findings.push(Finding::warn(
                "It is an access token of a workspace, project or repository: what it may is found out as soon as something \
                 is read with it.",
            ));
        }
        return Ok(());
    };
    let found: Workspace =
        api.read(&format!("/workspaces/{}", part(name)), &format!("read the workspace {name}")).await?;
    diagnosis.accepted = Some(true);
    diagnosis.findings.push(Finding::ok(format!("It sees the workspace {}.", printable(&found.slug, 100))));
    let (at, name) = (part(&found.uuid), printable(&found.slug, 100));
    for (path, what) in needed(&at) {
        match ask(api, &path, &format!("{what} of {name}")).await? {
            None => diagnosis.findings.push(Finding::ok(format!("It may {what} of {name}."))),
            Some(error) => diagnosis.findings.push(Finding::fail(error.to_string())),
        }
    }
    useful(api, &at, &name, diagnosis).await?;
    let is_told = groups::probe(api, &found.slug).await?;
    diagnosis.findings.push(match is_told {
        true => Finding::ok(format!("It may list the groups of {name}, which are shown as teams.")),
        false => Finding::warn(format!(
            "The groups of {name} are not told to it, so that none are shown as teams. Who reads what does not depend on them."
        )),
    });
    Ok(())
}

/// What can be done without, and what is lost then.
async fn useful(api: &Api<'_>, at: &str, name: &str, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let lists = format!("/workspaces/{at}/permissions/repositories?pagelen=1");
    diagnosis.findings.push(match ask(api, &lists, &format!("list who reads what in {name}")).await? {
        None => Finding::ok(format!("It may list who reads what in {name}.")),
        Some(error) => Finding::warn(format!(
            "{error} An administrator of the workspace may. It is asked at each package's repository instead, which it has \
             to administer."
        )),
    });
    let hooks = format!("/workspaces/{at}/hooks?pagelen=1");
    diagnosis.findings.push(match ask(api, &hooks, &format!("install a webhook on {name}")).await? {
        None => Finding::ok(format!("It may see the webhooks of {name}.")),
        Some(error) => Finding::warn(format!(
            "{error} Webhooks are installed on each package's repository instead, so that new repositories are found only at \
             the interval."
        )),
    });
    Ok(())
}

/// Asks for something that may be refused; why it was.
async fn ask(api: &Api<'_>, path: &str, what: &str) -> Result<Option<HubError>, HubError> {
    match api.answered(&Ask::get(api.url(path)), what).await {
        Ok(_) => Ok(None),
        Err(error @ (HubError::Forbidden { .. } | HubError::NotFound(_))) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Whose it is, where it is somebody's: access tokens of workspaces, projects and repositories are nobody's, and may not ask.
async fn whose(api: &Api<'_>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let is_nobodys =
        api.key.secret.fixed().is_some_and(|secret| secret.expose_secret().trim().starts_with(ACCESS_TOKEN));
    if is_nobodys {
        return Ok(());
    }
    let answer = api.ask(&Ask::get(api.url("/user"))).await?;
    match answer.status {
        StatusCode::OK => {
            let user: User = api.line.json(&answer)?;
            let name = user.nickname.or(user.display_name).unwrap_or_default();
            diagnosis.accepted = Some(true);
            diagnosis.findings.push(Finding::ok(format!(
                "{} accepts the token, which is {}'s.",
                api.name(),
                printable(&name, 100)
            )));
            Ok(())
        }
        // It is right, and may not say whose it is.
        StatusCode::FORBIDDEN if serde_json::from_slice::<Value>(&answer.body).is_ok() => {
            diagnosis.accepted = Some(true);
            Ok(())
        }
        _ => Err(refusal::of(api.name(), api.key, &answer, "tell whose it is")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::Shown;
    use crate::platform::hub::Key;

    fn shown(kind: &str, username: Option<&str>, secret: &str) -> Result<String, String> {
        let key = Key {
            credential: 1,
            generation: 1,
            kind: format!("bitbucket-cloud-{kind}"),
            username: username.map(str::to_owned),
            secret: secret.into(),
        };
        let shown = Shown::of("Bitbucket", &key, key.secret.fixed().unwrap());
        shown.map(|shown| shown.header()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_token_is_shown_in_its_own_way() {
        let email = Some("ada@example.com");
        assert_eq!(shown("token", email, "ATATTx\n").unwrap(), "Basic YWRhQGV4YW1wbGUuY29tOkFUQVRUeA==");
        assert_eq!(shown("token", None, "ATCTTx").unwrap(), "Bearer ATCTTx");
        assert_eq!(shown("token", email, "ATCTTx").unwrap(), "Bearer ATCTTx");
        assert_eq!(shown("oauth", None, "eyJ").unwrap(), "Bearer eyJ");
        assert_eq!(shown("app-password", email, "ATATTx").unwrap(), "Basic YWRhQGV4YW1wbGUuY29tOkFUQVRUeA==");
        for (kind, username, secret, said) in [
            ("token", None, "ATATTx", "e-mail address"),
            ("token", Some("ada"), "ATATTx", "e-mail address"),
            ("token", email, "ATBBx", "app password"),
            ("app-password", Some("ada"), "ATBBx", "app password"),
            ("app-password", Some("ada"), "zzz9", "app password"),
        ] {
            let error = shown(kind, username, secret).unwrap_err();
            assert!(error.contains(said) && !error.contains(secret), "{error}");
        }
    }
}
