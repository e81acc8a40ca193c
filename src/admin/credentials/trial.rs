//! Whether a credential opens what it is for: it is shown to the repositories of the packages that use it.

use serde_json::json;

use super::{Kind, find, host, platform, platform_trial, port};
use crate::admin::{Actor, Result, packages as use_packages};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::publish::probe::probe;
use crate::publish::update::UpdateError;
use crate::store::credentials::{self, Credential};
use crate::store::ids::OrgId;
use crate::store::packages::{self, Package};
use crate::vcs::VcsError;

/// How many repositories are asked at once.
const TOGETHER: usize = 4;

/// One thing that a test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Good(String),
    /// It works, and somebody should look at it.
    Doubtful(String),
    /// It is not.
    Bad(String),
}

/// Shows the credential to the repositories of all packages that use it, tells each finding, and stores what they say of
/// it. The first repository is asked alone, and a refused credential is not shown to any more: services lock accounts
/// that come with wrong passwords. A credential that no package uses is shown to nobody; then only its host is looked for.
///
/// # Errors
/// If there is no such credential, or the database cannot be used.
pub async fn test(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    name: &str,
    mut tell: impl FnMut(Finding),
) -> Result<()> {
    let wanted = name.to_owned();
    let (credential, users, remotes) = appliance
        .database
        .read(move |db| {
            let found = find(org, db, &wanted)?;
            let mut users = Vec::new();
            for id in packages::using(org, db, found.id)? {
                users.extend(packages::by_id(org, db, id)?);
            }
            let remotes = platform::remotes(org, db, found.id)?;
            Ok::<_, crate::admin::Error>((found, users, remotes))
        })
        .await?;
    let mut verdict = Verdict::default();
    let (mut end, mut users) = (None, users);
    if platform_trial::is_for(appliance, &credential) {
        let asked = platform_trial::ask(appliance, org, &credential, &remotes, &mut tell).await?;
        verdict.opened = asked.accepted == Some(true);
        verdict.refused = asked.accepted == Some(false);
        end = Some(asked.expires_at);
        if verdict.opened && credential.status == "refused" {
            // Before packages are tried: what was refused is withheld from them.
            let id = credential.id;
            appliance.database.write(move |tx| credentials::set_status(org, tx, id, "ok")).await?;
        }
        // What holds for one holds for the others, of which there may be a thousand.
        users.truncate(if verdict.refused { 0 } else { TOGETHER });
    } else if users.is_empty() {
        tell(knock(appliance, &credential).await);
        return Ok(());
    }
    let count = users.len();
    let mut left = users.into_iter();
    loop {
        let together = if verdict.asked == 0 { 1 } else { TOGETHER };
        let some: Vec<Package> = left.by_ref().take(together).collect();
        let asked = some.into_iter().map(|package| ask(appliance.clone(), org, package));
        let answers = futures_util::future::join_all(asked).await;
        if answers.is_empty() {
            break;
        }
        for (package, answer) in answers {
            verdict.hear(&answer);
            tell(said(&package, answer));
        }
        if verdict.refused {
            break;
        }
    }
    let untried = count - verdict.asked;
    if untried > 0 {
        tell(Finding::Bad(format!(
            "{untried} more packages use it and were not tried, because services lock accounts that come with wrong \
             passwords: give it a new secret with `credential rotate {name}` first"
        )));
    }
    record(appliance, actor, org, &credential, (verdict.status(), end)).await
}

/// What a package's repository says; none if the package was removed meanwhile.
type Answer = std::result::Result<Option<usize>, UpdateError>;

async fn ask(appliance: Appliance, org: OrgId, package: Package) -> (Package, Answer) {
    let answer = probe(&appliance, PackageKey { org, package: package.id }).await;
    (package, answer)
}

fn said(package: &Package, answer: Answer) -> Finding {
    let title = use_packages::title(package);
    match answer {
        Ok(Some(1)) => Finding::Good(format!("{title}: opened, one branch or tag")),
        Ok(Some(count)) => Finding::Good(format!("{title}: opened, {count} branches and tags")),
        Ok(None) => Finding::Good(format!("{title}: removed meanwhile")),
        Err(error) => Finding::Bad(format!("{title}: {error}")),
    }
}

/// Whether the host of a credential that nobody uses is there.
async fn knock(appliance: &Appliance, credential: &Credential) -> Finding {
    let name = &credential.name;
    let shown = host(credential).unwrap_or_default();
    let (host, port) = (credential.host.clone().unwrap_or_default(), port(credential));
    let web = credential.kind != Kind::SshKey.as_str();
    match appliance.vcs.knock(host, port, web).await {
        Ok(()) => Finding::Good(format!(
            "no package uses the credential `{name}` yet, so that it could not be tried; its host {shown} answers"
        )),
        Err(error) => {
            Finding::Bad(format!("no package uses the credential `{name}` yet, and its host does not answer: {error}"))
        }
    }
}

/// What the answers say of the credential.
#[derive(Default)]
struct Verdict {
    asked: usize,
    opened: bool,
    refused: bool,
    forbidden: bool,
}

impl Verdict {
    fn hear(&mut self, answer: &Answer) {
        self.asked += 1;
        match answer {
            Ok(_) => self.opened = true,
            Err(UpdateError::Vcs(
                VcsError::AuthFailed { .. } | VcsError::CredentialRefused { .. } | VcsError::SshDenied { .. },
            )) => self.refused = true,
            Err(UpdateError::Vcs(VcsError::Forbidden { .. })) => self.forbidden = true,
            // What else went wrong says nothing about the credential.
            Err(_) => {}
        }
    }

    fn status(&self) -> Option<&'static str> {
        if self.refused {
            Some("refused")
        } else if self.opened {
            Some("ok")
        } else {
            self.forbidden.then_some("refused")
        }
    }
}

async fn record(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    credential: &Credential,
    (status, end): (Option<&'static str>, Option<Option<Timestamp>>),
) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    let (id, name) = (credential.id, credential.name.clone());
    appliance
        .database
        .write(move |tx| {
            if let Some(status) = status {
                credentials::set_status(org, tx, id, status)?;
            }
            if let Some(end) = end {
                credentials::set_expiry(org, tx, id, end)?;
            }
            actor.record(tx, Some(org), "credential.test", &name, json!({ "status": status }), now)?;
            Ok(())
        })
        .await
}
