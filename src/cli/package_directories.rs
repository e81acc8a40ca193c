//! `package directories`: the packages of a repository with several, by where they are.

use clap::Args;
use serde::Serialize;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use super::wait::{self, Waiting};
use crate::admin::directories::{self, Overview};
use crate::admin::packages;
use crate::store::ids::{OrgId, PackageId};
use crate::store::packages::Package;

/// What the command takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The repository's name, id or address, or one of its packages
    name: String,
    /// Where its packages are from now on, instead of what was said before: 'packages/*', 'libs/*/php', '.' for the root;
    /// '!packages/old' leaves one out
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// It is one package from now on
    #[arg(long, conflicts_with = "patterns")]
    none: bool,
    /// Wait until it was read again
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    pub org: OrgArgument,
    #[command(flatten)]
    format: ListFormat,
}

/// A directory in JSON.
#[derive(Serialize)]
struct Line<'a> {
    directory: &'a str,
    id: Option<PackageId>,
    name: Option<&'a str>,
    status: &'a str,
    versions: i64,
    reason: Option<&'a str>,
}

/// Everything in JSON.
#[derive(Serialize)]
struct All<'a> {
    repository: PackageId,
    patterns: Vec<String>,
    directories: Vec<Line<'a>>,
}

/// Does it.
pub async fn run(arguments: Arguments, session: &Session) -> Result<(), Failure> {
    let org = session.organization(&arguments.org).await?;
    let found = super::package::find(session, &org, &arguments.name).await?;
    let repository = of_repository(session, org.id, found, &arguments).await?;
    if arguments.none || !arguments.patterns.is_empty() {
        let job = directories::set(&session.appliance, &ACTOR, org.id, &repository, &arguments.patterns).await?;
        if arguments.wait {
            wait::all(session, vec![Waiting { title: packages::title(&repository), job }]).await?;
        } else {
            super::package::tell_if_nobody_works(session);
            return Ok(());
        }
    }
    show(session, org.id, repository.id, &arguments.format).await
}

/// The repository that is meant: what a package in it says of directories, it says of its repository.
async fn of_repository(
    session: &Session,
    org: OrgId,
    found: Package,
    arguments: &Arguments,
) -> Result<Package, Failure> {
    if found.parent.is_none() || arguments.none || !arguments.patterns.is_empty() {
        return Ok(found);
    }
    let key = crate::appliance::PackageKey { org, package: found.source() };
    Ok(packages::by_id(&session.appliance, key).await?)
}

/// Shows a repository's directories.
pub async fn show(session: &Session, org: OrgId, id: PackageId, format: &ListFormat) -> Result<(), Failure> {
    let repository = packages::by_id(&session.appliance, crate::appliance::PackageKey { org, package: id }).await?;
    let patterns = directories::of(&repository)?.map(|directories| directories.lines()).unwrap_or_default();
    let overview = directories::overview(&session.appliance, org, &repository).await?;
    let lines = lines(&overview);
    if format.json {
        session.output.json(&All { repository: id, patterns, directories: lines })?;
        return Ok(());
    }
    if patterns.is_empty() {
        session.output.note("The repository is one package: no directories of it are packages of their own.");
        return Ok(());
    }
    session.output.line(format!("Packages are in: {}", patterns.join("  ")));
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            vec![
                line.directory.to_owned(),
                line.id.map(|id| id.to_string()).unwrap_or_default(),
                line.name.unwrap_or_default().to_owned(),
                line.status.to_owned(),
                line.versions.to_string(),
                line.reason.unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    session.output.line(table(&["DIRECTORY", "ID", "NAME", "STATUS", "VERSIONS", "REASON"], &rows));
    Ok(())
}

fn lines(overview: &Overview) -> Vec<Line<'_>> {
    let packages = overview.packages.iter().map(|package| Line {
        directory: package.directory.as_deref().unwrap_or("."),
        id: Some(package.id),
        name: package.name.as_deref(),
        status: if package.retired_at.is_some() { "gone" } else { &package.status },
        versions: package.versions,
        reason: package.error.as_deref(),
    });
    let problems = overview.problems.iter().map(|problem| Line {
        directory: &problem.directory,
        id: None,
        name: None,
        status: "none",
        versions: 0,
        reason: Some(&problem.reason),
    });
    let mut all: Vec<Line<'_>> = packages.chain(problems).collect();
    all.sort_by(|a, b| a.directory.cmp(b.directory).then_with(|| a.id.cmp(&b.id)));
    all
}
