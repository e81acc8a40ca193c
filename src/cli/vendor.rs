//! `vendor`: the vendors that an organization owns.

use clap::Subcommand;
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::vendors;

/// Commands about vendors.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a vendor the organization's, so that names under it are never left to public repositories
    Add {
        /// The part of package names before the slash
        vendor: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the vendors
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Give a vendor up that no package has
    Remove {
        /// The vendor
        vendor: String,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Add { vendor, org } => {
            let org = session.organization(&org).await?;
            if !vendors::add(&session.appliance, &ACTOR, org.id, &vendor).await? {
                session.output.note(format!("{} owns the vendor {vendor} already.", org.slug));
            }
        }
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            let all = vendors::list(&session.appliance, org.id).await?;
            if format.json {
                let rows: Vec<_> =
                    all.iter().map(|one| json!({ "name": one.name, "packages": one.packages })).collect();
                session.output.json(&rows)?;
            } else {
                let rows: Vec<_> = all.into_iter().map(|one| vec![one.name, one.packages.to_string()]).collect();
                session.output.line(table(&["VENDOR", "PACKAGES"], &rows));
            }
        }
        Command::Remove { vendor, org } => {
            let org = session.organization(&org).await?;
            vendors::remove(&session.appliance, &ACTOR, org.id, &vendor).await?;
        }
    }
    Ok(())
}
