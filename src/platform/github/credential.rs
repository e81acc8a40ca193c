//! The test of a credential: what it may, what is missing and what that is needed for, and when it ends.

use oauth2::http::StatusCode;
use serde::Deserialize;

use super::api::{Api, Ask, part};
use super::installation::{self, Grant, Installation};
use super::wire::{Membership, Organization, Person};
use super::{hooks, scopes};
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::hub::{Diagnosis, Hub, HubError, Key};
use crate::platform::login::Finding;

/// What a GitHub App must have been given, and what for.
const NEEDED: [(&str, &str); 3] = [
    ("metadata", "without it no repository is shown"),
    ("contents", "without it no code can be read"),
    ("members", "without it members and teams are not shown"),
];
/// What is good to have.
const USEFUL: [(&str, &str); 2] = [
    (
        "organization_administration",
        "without it the base permission is not told, so that who reads by it is asked for at each package's repository",
    ),
    (
        "organization_custom_org_roles",
        "without it roles in the organization are not told, so that who reads by them is asked for at each package's \
         repository",
    ),
];
/// Scopes of a classic token that it must have.
const SCOPES: [(&str, &str); 2] = [
    ("repo", "without it private repositories are neither shown nor read"),
    ("read:org", "without it members and teams are not shown"),
];

/// Tests a credential.
pub(super) async fn diagnose(hub: &Hub, key: &Key, organization: Option<&str>, now: Timestamp) -> Diagnosis {
    let api = Api::new(hub, key);
    let mut diagnosis = Diagnosis::default();
    let result = if installation::is_app(key) {
        of_app(&api, organization, &mut diagnosis).await
    } else {
        of_token(&api, organization, &mut diagnosis).await
    };
    if let Err(error) = result {
        diagnosis.failed(error);
    }
    diagnosis.expires_at = api.seen().expires_at;
    if let Some(end) = diagnosis.expires_at {
        diagnosis.findings.push(Finding::of_end(end, now));
    }
    diagnosis
}

async fn of_token(api: &Api<'_>, organization: Option<&str>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let name = api.name().to_owned();
    let person: Person = api.read("/user", "tell whose it is").await?;
    diagnosis.accepted = Some(true);
    let login = printable(&person.login, 100);
    let version = api.seen().version.map(|version| format!(" (version {})", printable(&version, 40)));
    let version = version.unwrap_or_default();
    diagnosis.findings.push(Finding::ok(format!("{name}{version} accepts the token, which is {login}'s.")));
    match api.seen().scopes {
        Some(own) => of_scopes(&own, diagnosis),
        None => diagnosis.findings.push(Finding::ok(
            "The token has no scopes, as fine-grained ones have none: what it may is found out by asking.",
        )),
    }
    match organization {
        Some(organization) => of_organization(api, organization, &login, diagnosis).await,
        None => Ok(()),
    }
}

fn of_scopes(own: &str, diagnosis: &mut Diagnosis) {
    for (scope, why) in SCOPES {
        diagnosis.findings.push(if scopes::has(own, scope) {
            Finding::ok(format!("The token has the scope `{scope}`."))
        } else {
            Finding::fail(format!("The token lacks the scope `{scope}`: {why}. Tick it in the token's settings."))
        });
    }
    if !scopes::has(own, "admin:org_hook") {
        diagnosis.findings.push(Finding::warn(
            "The token lacks the scope `admin:org_hook`: webhooks are installed on each package's repository instead of the \
             organization, so that changes of teams and members, and new repositories, are found only at the interval.",
        ));
    }
    if !scopes::has(own, "admin:org") {
        diagnosis.findings.push(Finding::warn(
            "The token lacks the scope `admin:org`: the base permission and the roles in the organization are not told, so \
             that who reads by them is asked for at each package's repository.",
        ));
    }
}

async fn of_organization(
    api: &Api<'_>,
    organization: &str,
    login: &str,
    diagnosis: &mut Diagnosis,
) -> Result<(), HubError> {
    let base = format!("/orgs/{}", part(organization));
    let found: Organization = api.read(&base, &format!("read the organization {organization}")).await?;
    let says_base = found.default_repository_permission.is_some();
    let membership = format!("{base}/memberships/{}", part(login));
    match api.read::<Membership>(&membership, &format!("read its own membership in {organization}")).await {
        Ok(own) if own.role.as_deref() == Some("admin") => {
            diagnosis.findings.push(Finding::ok(format!("{login} is an owner of {organization}.")));
        }
        Ok(_) => diagnosis.findings.push(Finding::warn(format!(
            "{login} is no owner of {organization}: secret teams are not shown, collaborators only of repositories that \
             {login} may write to, and webhooks are installed on repositories only."
        ))),
        Err(HubError::NotFound(_)) => diagnosis.findings.push(Finding::fail(format!(
            "{login} is no member of {organization}: private repositories, teams and most members are not shown."
        ))),
        Err(error @ HubError::Forbidden { .. }) => diagnosis.failed(error),
        Err(error) => return Err(error),
    }
    if !says_base {
        diagnosis.findings.push(Finding::warn(format!(
            "The base permission of {organization} is not told: who reads by it is asked for at each package's repository. \
             It is told to an owner's token with the scope `admin:org` or Organization → Administration: read."
        )));
    }
    for (path, what) in [
        ("repos?type=all&per_page=1", "list the repositories"),
        ("members?per_page=1", "list the members"),
        ("teams?per_page=1", "list the teams"),
    ] {
        probe(api, &format!("{base}/{path}"), &format!("{what} of {organization}"), diagnosis).await?;
    }
    let answer = api.ask(&Ask::get(api.url(&format!("{base}/hooks?per_page=1")))).await?;
    diagnosis.findings.push(match answer.status {
        StatusCode::OK => Finding::ok(format!("It may install a webhook on {organization}.")),
        _ => Finding::warn(format!(
            "It may not install a webhook on {organization}, for which an owner's token with the scope `admin:org_hook`, or \
             Organization → Webhooks: write, is needed: webhooks are installed on each package's repository instead."
        )),
    });
    Ok(())
}

async fn probe(api: &Api<'_>, path: &str, what: &str, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    match api.answered(&Ask::get(api.url(path)), what).await {
        Ok(_) => diagnosis.findings.push(Finding::ok(format!("It may {what}."))),
        Err(error @ (HubError::Forbidden { .. } | HubError::NotFound(_))) => diagnosis.failed(error),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What GitHub tells of an App.
#[derive(Deserialize)]
struct App {
    slug: Option<String>,
    name: Option<String>,
}

async fn of_app(api: &Api<'_>, organization: Option<&str>, diagnosis: &mut Diagnosis) -> Result<(), HubError> {
    let mut ask = Ask::get(api.url("/app"));
    ask.by = super::api::As::App;
    let app: App = api.json(&api.answered(&ask, "use the GitHub App").await?)?;
    let title = printable(&app.name.or(app.slug).unwrap_or_default(), 100);
    diagnosis.findings.push(Finding::ok(format!("{} accepts the key of the GitHub App \"{title}\".", api.name())));
    let found = installation::of(api).await.inspect_err(|_| diagnosis.accepted = Some(false))?;
    let account = printable(&found.account.login, 100);
    let which = match found.repository_selection.as_deref() {
        Some("selected") => "the repositories that were selected there",
        _ => "all of its repositories",
    };
    diagnosis.findings.push(Finding::ok(format!("The installation is one in {account}, with {which}.")));
    if let Some(organization) = organization.filter(|name| !name.eq_ignore_ascii_case(&account)) {
        diagnosis.findings.push(Finding::fail(format!(
            "The installation is in {account}, and not in {organization}, which is to be synchronized with it."
        )));
    }
    if found.suspended_at.is_some() {
        // The credential is right, and works again as soon as somebody wants it: it is not refused for good.
        diagnosis.findings.push(Finding::fail(format!(
            "The installation is suspended: an owner of {account} can lift that under {}.",
            settings(api, &found)
        )));
        return Ok(());
    }
    permissions(api, &found, diagnosis);
    events(api, &found, diagnosis);
    installation::token(api.hub, api.key, &Grant::Everything).await?;
    diagnosis.accepted = Some(true);
    probe(api, "/installation/repositories?per_page=1", "list the repositories of the installation", diagnosis).await
}

/// Where an owner changes what the App may.
fn settings(api: &Api<'_>, found: &Installation) -> String {
    let url = found.html_url.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    url.map_or_else(|| format!("Settings → GitHub Apps at {}", api.name()), |url| printable(url, 300))
}

fn permissions(api: &Api<'_>, found: &Installation, diagnosis: &mut Diagnosis) {
    let has = |name: &str| found.permissions.contains_key(name);
    for (name, why) in NEEDED {
        let shown = scopes::permission(name, "read");
        diagnosis.findings.push(if has(name) {
            Finding::ok(format!("The App has {shown}."))
        } else {
            Finding::fail(format!(
                "The App lacks {shown}: {why}. Give it that in the App's settings, and let an owner accept it at {}.",
                settings(api, found)
            ))
        });
    }
    for (name, why) in USEFUL.into_iter().filter(|(name, _)| !has(name)) {
        let shown = scopes::permission(name, "read");
        diagnosis.findings.push(Finding::warn(format!("The App lacks {shown}: {why}.")));
    }
}

fn events(api: &Api<'_>, found: &Installation, diagnosis: &mut Diagnosis) {
    let integration = &api.hub.site().id;
    if api.hub.app().is_none_or(|app| app.webhook_secret.is_none()) {
        diagnosis.findings.push(Finding::warn(format!(
            "Deliveries of the App are not taken, so that changes are found only at the interval: give the integration \
             `{integration}` the App's `webhook_secret`, and the App the webhook address /hooks/app/{integration}."
        )));
        return;
    }
    let missing: Vec<&str> =
        hooks::OF_APP.into_iter().filter(|event| !found.events.iter().any(|own| own == event)).collect();
    if !missing.is_empty() {
        diagnosis.findings.push(Finding::warn(format!(
            "The App is not told of {}: tick these events in the App's settings, or their changes are found only at the \
             interval.",
            missing.join(", ")
        )));
    }
}
