//! `access`: single packages for single people, and why somebody may see a package or not.

use clap::Subcommand;
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::{grants, packages};

/// Commands about access.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether somebody may install a package, and by which paths, or why not
    Explain {
        /// A person's name, or INTEGRATION:LOGIN
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The package: its name, id or address
        #[arg(long, value_name = "NAME")]
        package: String,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// List who may see single packages, beside all teams
    List {
        /// Only this package
        #[arg(long, value_name = "NAME")]
        package: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Let somebody see a package, member of the organization or not
    Grant {
        /// A person's name, or INTEGRATION:LOGIN
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The package: its name, id or address
        #[arg(long, value_name = "NAME")]
        package: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Take back what `access grant` gave
    Revoke {
        /// A person's name, or INTEGRATION:LOGIN
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The package: its name, id or address
        #[arg(long, value_name = "NAME")]
        package: String,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Explain { user, package, org, format } => {
            let org = session.organization(&org).await?;
            explain(session, org.id, &user, &package, &format).await?;
        }
        Command::List { package, org, format } => {
            let org = session.organization(&org).await?;
            let package = match package {
                Some(name) => Some(packages::find(appliance, org.id, &name).await?.id),
                None => None,
            };
            list(session, &grants::list(appliance, org.id, package).await?, &format)?;
        }
        Command::Grant { user, package, org } => {
            let org = session.organization(&org).await?;
            let package = packages::find(appliance, org.id, &package).await?;
            if !grants::give(appliance, &ACTOR, org.id, &user, &package).await? {
                session.output.note(format!("{user} was granted {} already.", package.shown_name()));
            }
        }
        Command::Revoke { user, package, org } => {
            let org = session.organization(&org).await?;
            let package = packages::find(appliance, org.id, &package).await?;
            grants::take(appliance, &ACTOR, org.id, &user, &package).await?;
        }
    }
    Ok(())
}

async fn explain(
    session: &Session,
    org: crate::store::ids::OrgId,
    user: &str,
    package: &str,
    format: &ListFormat,
) -> Result<(), Failure> {
    let package = packages::find(&session.appliance, org, package).await?;
    let explanation = grants::explain(&session.appliance, org, user, package.id).await?;
    if format.json {
        let because = explanation.because.iter();
        let because: Vec<_> = because
            .map(|one| json!({ "kind": one.kind.as_str(), "detail": one.detail, "expires_at": one.until }))
            .collect();
        session.output.json(&json!({ "allowed": explanation.allowed, "because": because }))?;
        return Ok(());
    }
    let may = if explanation.allowed { "may" } else { "may not" };
    session.output.line(format!("{user} {may} install {}:", package.shown_name()));
    for one in explanation.because {
        let until = one.until.map(|until| format!(" (until {})", until.rfc3339())).unwrap_or_default();
        session.output.line(format!("  {}: {}{until}", one.kind.as_str(), one.detail));
    }
    Ok(())
}

fn list(session: &Session, grants: &[crate::store::grants::Listed], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = grants
            .iter()
            .map(|one| {
                json!({
                    "user": one.person,
                    "package": one.package_name,
                    "kind": one.kind.as_str(),
                    "detail": one.detail,
                    "expires_at": one.until,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = grants
        .iter()
        .map(|one| {
            let until = one.until.map(crate::clock::Timestamp::rfc3339).unwrap_or_default();
            vec![one.person.clone(), one.package_name.clone(), one.kind.as_str().to_owned(), until]
        })
        .collect();
    session.output.line(table(&["USER", "PACKAGE", "BY", "EXPIRES"], &rows));
    Ok(())
}
