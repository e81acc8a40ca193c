//! `org`: organizations.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::args::ListFormat;
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::organization_settings::{self, Setter};
use crate::admin::organizations;

/// When people are let in whom a synchronization finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Activation {
    /// At once
    Automatic,
    /// When somebody activates them (`member activate`)
    Manual,
}

/// Commands about organizations.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an organization and print its id
    Add {
        /// Its name in addresses and commands
        slug: String,
        /// Its name for people [default: the slug]
        #[arg(long)]
        name: Option<String>,
    },
    /// List the organizations
    List(#[command(flatten)] ListFormat),
    /// Give an organization another slug; addresses with the old one go on working
    Rename {
        /// Its slug
        slug: String,
        /// Its new slug
        new_slug: String,
        /// Its new name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// Let people in only if they log in by one of these integrations; it holds for their user tokens as well
    SetLoginRule {
        /// Its slug
        slug: String,
        /// An integration (repeatable)
        #[arg(long = "integration", value_name = "ID", required_unless_present = "any")]
        integrations: Vec<String>,
        /// Let people in however they log in
        #[arg(long, conflicts_with = "integrations")]
        any: bool,
    },
    /// Say whether people whom a synchronization finds are let in at once, or when somebody activates them
    SetActivation {
        /// Its slug
        slug: String,
        /// When
        activation: Activation,
    },
    /// Remove an organization with everything in it
    Remove {
        /// Its slug
        slug: String,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { slug, name } => {
            let id = organizations::add(appliance, &ACTOR, &slug, name.as_deref()).await?;
            session.output.line(id.to_string());
        }
        Command::List(format) => list(session, &format).await?,
        Command::Rename { slug, new_slug, name } => {
            let organization = organizations::find(appliance, &slug).await?;
            organizations::rename(appliance, &ACTOR, &organization, &new_slug, name.as_deref()).await?;
        }
        Command::SetLoginRule { slug, integrations, any: _ } => {
            let org = organizations::find(appliance, &slug).await?.id;
            organization_settings::set_login_rule(appliance, &ACTOR, Setter::Instance, org, &integrations).await?;
        }
        Command::SetActivation { slug, activation } => {
            let org = organizations::find(appliance, &slug).await?.id;
            let manual = activation == Activation::Manual;
            organization_settings::set_manual_activation(appliance, &ACTOR, org, manual).await?;
        }
        Command::Remove { slug } => {
            let organization = organizations::find(appliance, &slug).await?;
            organizations::remove(appliance, &ACTOR, &organization).await?;
        }
    }
    Ok(())
}

async fn list(session: &Session, format: &ListFormat) -> Result<(), Failure> {
    let all = organizations::list(&session.appliance).await?;
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "slug": one.organization.slug,
                    "name": one.organization.name,
                    "packages": one.packages,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .into_iter()
        .map(|one| vec![one.organization.slug, one.organization.name, one.packages.to_string()])
        .collect();
    session.output.line(table(&["SLUG", "NAME", "PACKAGES"], &rows));
    Ok(())
}
