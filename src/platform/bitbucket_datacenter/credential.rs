//! The test of a credential: whose it is, what it may, and what is missing and needed for what.

use oauth2::http::StatusCode;

use super::api::{Api, Ask, is_basic, of_repository, part};
use super::wire::{Page, Permitted, Project, Properties, Repository, User};
use crate::platform::answer::printable;
use crate::platform::hub::{Diagnosis, Hub, HubError, Key};
use crate::platform::login::Finding;

/// The first version of which all is known that is needed here.
const OLDEST: (u32, u32) = (7, 21);

/// Tests a credential.
pub(super) async fn diagnose(hub: &Hub, key: &Key, project: Option<&str>) -> Diagnosis {
    let api = Api::new(hub, key);
    // Whoever asks for a test has changed something, or wants to know.
    api.line.forgive();
    let mut diagnosis = Diagnosis::default();
    if let Err(error) = test(&api, project, &mut diagnosis).await {
        failed(&mut diagnosis, &error);
    }
    diagnosis
}

/// Something is wrong.
fn failed(diagnosis: &mut Diagnosis, error: &HubError) {
    if matches!(error, HubError::Unauthorized(_)) {
        diagnosis.accepted = Some(false);
    }
    let text = error.to_string();
    diagnosis.findings.push(match error {
        // Nothing is wrong with the credential.
        HubError::RateLimited { .. } => Finding::warn(text),
        _ => Finding::fail(text),
    });
}

async fn test(api: &Api<'_>, project: Option<&str>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let answer = api.answered(&Ask::get(api.url("/users?limit=1")), "list users").await;
    let is_narrow = match answer {
        // A token of a project or repository may not, and is right all the same.
        Err(HubError::Forbidden { .. }) => true,
        answer => {
            let _: Page<User> = api.line.json(&answer?)?;
            false
        }
    };
    let caller = api.caller();
    let version = version(api).await?;
    let Some(caller) = caller else {
        diagnosis.findings.push(Finding::fail(format!(
            "{} does not say who asks (header X-AUSERNAME): a proxy in front of it removes that header, or the header \
             Authorization of our questions, so that they are nobody's.",
            api.name()
        )));
        return Ok(());
    };
    diagnosis.accepted = Some(true);
    let caller = printable(&caller, 100);
    let whose = match caller.strip_prefix("access-token-user/") {
        Some(_) => "a token of a project or repository".to_owned(),
        None => format!("{caller}'s"),
    };
    diagnosis.findings.push(Finding::ok(format!("{}{version} accepts the credential, which is {whose}.", api.name())));
    if is_basic(api.key) {
        diagnosis.findings.push(Finding::warn(format!(
            "User name and password lock the account after some failed logins, and are more than is needed: give the \
             credential an HTTP access token of {caller} without a user name, which {} makes under Manage account → HTTP \
             access tokens.",
            api.name()
        )));
    }
    if is_narrow {
        diagnosis.findings.push(Finding::warn(
            "The token may not list users: who is in a group may not be told to it. That of a person may.",
        ));
    }
    match project {
        Some(project) => of_project(api, project, diagnosis).await,
        None => Ok(()),
    }
}

/// Which version it is, in words.
async fn version(api: &Api<'_>) -> Result<String, HubError> {
    let told: Properties = match api.read("/application-properties", "tell its version").await {
        Ok(told) => told,
        Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let Some(version) = told.version.map(|version| printable(&version, 40)) else { return Ok(String::new()) };
    let itself = told.display_name.filter(|name| name != "Bitbucket").map(|name| printable(&name, 60));
    let itself = itself.map_or_else(String::new, |name| format!(", which calls itself \"{name}\""));
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let old = if number < OLDEST { ", older than 7.21, so that some things may be missing" } else { "" };
    Ok(format!(" (version {version}{itself}{old})"))
}

async fn of_project(api: &Api<'_>, key: &str, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let base = format!("/projects/{}", part(key));
    let found: Project = api.read(&base, &format!("read the project {key}")).await?;
    diagnosis.findings.push(Finding::ok(format!("It sees the project {}.", printable(&found.key, 100))));
    let path = format!("{base}/repos?limit=1");
    let page: Page<Repository> = api.read(&path, &format!("list the repositories of {key}")).await?;
    diagnosis.findings.push(Finding::ok(format!("It may list the repositories of {key}.")));
    let read = format!("{base}/permissions/PROJECT_READ/all");
    match api.read::<Permitted>(&read, &format!("read the permissions of {key}")).await {
        Ok(_) => {
            diagnosis.findings.push(Finding::ok(format!("It may read the permissions of {key}, of users and groups.")));
        }
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) if found.is_personal() => {
            diagnosis.findings.push(Finding::ok(format!("{key} is a person's: its owner reads all of it.")));
        }
        Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => diagnosis.findings.push(Finding::warn(format!(
            "It may not read the permissions of {key}, which is for its administrators: owners and groups of the project are \
             not told, and who may read is asked for at each package's repository. Give the token PROJECT_ADMIN, and its \
             account that permission of {key}."
        ))),
        Err(error) => return Err(error),
    }
    if let Some(one) = page.values.first() {
        let path = format!("{}/permissions/users?limit=1", of_repository(&one.path()));
        let answer = api.ask(&Ask::get(api.url(&path))).await?;
        diagnosis.findings.push(match answer.status {
            status if status.is_success() => {
                Finding::ok("It may read who was let in to single repositories.".to_owned())
            }
            _ => Finding::fail(format!(
                "It may not read who was let in to {}, which is for administrators of the repository: whoever reads it by \
                 nothing else is not let in.",
                one.path()
            )),
        });
    }
    groups(api, diagnosis).await?;
    hooks(api, &base, key, diagnosis).await
}

/// Whether the people of groups are told.
async fn groups(api: &Api<'_>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let answer = api.ask(&Ask::get(api.url("/admin/groups/more-members?context=stash-users&limit=1"))).await?;
    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        diagnosis.findings.push(Finding::warn(
            "It may not be told who is in a group, which is for accounts with a licence: groups are teams without people. Use \
             a token of a person.",
        ));
    }
    Ok(())
}

async fn hooks(api: &Api<'_>, base: &str, key: &str, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let answer = api.ask(&Ask::get(api.url(&format!("{base}/webhooks?limit=1")))).await?;
    diagnosis.findings.push(match answer.status {
        StatusCode::OK => Finding::ok(format!("It may install a webhook on {key}.")),
        StatusCode::NOT_FOUND => Finding::warn(format!(
            "This version has no webhooks of projects, which came with 8.9: they are installed on each package's repository \
             instead, and repositories made later in {key} are found at the interval."
        )),
        _ => Finding::warn(format!(
            "It may not install a webhook on {key}, which is for its administrators: webhooks are installed on each package's \
             repository instead."
        )),
    });
    Ok(())
}
