//! What a command of the instance's data works with, whichever process runs it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;
use tokio::sync::watch;

use super::args::OrgArgument;
use super::failure::Failure;
use super::output::Output;
use crate::access::role::Role;
use crate::admin::{Actor, organizations};
use crate::appliance::Appliance;
use crate::store;
use crate::store::organizations::{self as rows, Organization};

/// Who does the work that a command waits for.
#[derive(Clone, Debug)]
pub enum Workforce {
    /// The server that runs this command, until it says that it stops.
    Server(watch::Receiver<bool>),
    /// Nobody yet: a command that waits starts so many workers.
    Start(usize),
}

/// What a command works with.
pub struct Session {
    /// The opened instance.
    pub appliance: Appliance,
    /// Where it says things.
    pub output: Output,
    /// Where relative paths start: the directory of whoever typed the command.
    pub directory: PathBuf,
    /// Who does the work that it waits for.
    pub workforce: Workforce,
    /// The secret that came with it. Taken once, by the command; a plain mutex, because it is held for that only.
    input: Mutex<Option<SecretString>>,
}

/// Whoever has a shell on this machine and may use the data directory.
pub const ACTOR: Actor = Actor::Command;

/// With which role's power that is done in every organization.
pub const POWER: Role = Role::Owner;

impl Session {
    /// Puts one together.
    pub fn new(
        appliance: Appliance,
        output: Output,
        directory: PathBuf,
        input: Option<SecretString>,
        workforce: Workforce,
    ) -> Self {
        Self { appliance, output, directory, workforce, input: Mutex::new(input) }
    }

    /// The secret that came with the command.
    pub fn secret(&self) -> Result<SecretString, Failure> {
        let taken = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| {
            Failure::new("the secret did not come with the command: are program and server of the same version?")
        })
    }

    /// The organization that a command is about: the one that is named, or the only one.
    pub async fn organization(&self, argument: &OrgArgument) -> Result<Organization, Failure> {
        if let Some(slug) = &argument.org {
            return match self.formerly(slug).await? {
                Some(renamed) => Ok(renamed),
                None => Ok(organizations::find(&self.appliance, slug).await?),
            };
        }
        let mut all = organizations::all(&self.appliance).await?;
        match all.len() {
            0 => Err(Failure::new("there is no organization yet: add one with `packagist-selfhosted org add SLUG`")),
            1 => Ok(all.remove(0)),
            _ => {
                let slugs: Vec<String> = all.into_iter().map(|one| one.slug).collect();
                Err(Failure::Usage(format!(
                    "there are several organizations: add `--org ORG` with one of {}",
                    slugs.join(", ")
                )))
            }
        }
    }

    /// The organization that had this slug before it was renamed, and whose address it still is. Nobody else can have it.
    async fn formerly(&self, slug: &str) -> Result<Option<Organization>, Failure> {
        let slug = slug.to_ascii_lowercase();
        let found = self.appliance.database.read(move |db| {
            for organization in rows::all(db)? {
                if rows::former_slugs(organization.id, db)?.contains(&slug) {
                    return Ok::<_, store::Error>(Some(organization));
                }
            }
            Ok(None)
        });
        Ok(found.await?)
    }
}
