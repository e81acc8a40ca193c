//! Those commands of `package` that make packages without a repository.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::package::{find, tell_if_nobody_works};
use super::session::{ACTOR, Session};
use super::table::table;
use super::wait::{self, Waiting};
use crate::admin::made::{self, NewCustom, Upload};
use crate::admin::packages::{self, Added};
use crate::appliance::PackageKey;
use crate::store::ids::JobId;
use crate::store::organizations::Organization;

/// Most bytes of a JSON file.
const LARGEST_JSON: u64 = 1 << 20;

/// Commands about packages that are made of JSON or of uploaded archives.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a package that JSON defines, as repositories of Composer's type `package` have it, and print its id
    AddCustom {
        /// The file with the JSON: one version or a list of them
        file: PathBuf,
        /// The credential that is shown to the host of its archives
        #[arg(long, value_name = "NAME")]
        credential: Option<String>,
        /// It is somebody else's package, whose vendor does not become the organization's
        #[arg(long)]
        fork: bool,
        /// Wait until it is served
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Print the JSON of a custom package, or replace it
    Custom {
        /// Its name or id
        name: String,
        /// Replace it by what this file has
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Wait until it is served
        #[arg(long, requires = "file")]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Upload archives (zip, tar, tar.gz, tar.bz2) with a composer.json as versions of their packages
    AddArtifact {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Which version it is, where its composer.json does not say
        #[arg(long)]
        version: Option<String>,
        /// Take the place of what the version has, with other bytes
        #[arg(long)]
        replace: bool,
        /// It is somebody else's package, whose vendor does not become the organization's
        #[arg(long)]
        fork: bool,
        /// Wait until they are served
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the uploaded archives of a package
    Artifacts {
        /// Its name or id
        name: String,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Take an uploaded version back; its archive stays for lock files
    RemoveArtifact {
        /// The package's name or id
        name: String,
        /// The version
        version: String,
        /// Wait until it is not served any more
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Block a name: nothing is served under it, and no client finds it anywhere else
    Block {
        /// The name
        name: String,
        /// Wait until it is blocked
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::AddCustom { file, credential, fork, wait, org } => {
            let org = session.organization(&org).await?;
            let json = json(session, &file)?;
            let new = NewCustom { json, credential, fork };
            let made = made::add_custom(&session.appliance, &ACTOR, org.id, new).await?;
            added(session, &org, &made, wait).await
        }
        Command::Custom { name, file, wait, org } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let Some(file) = file else {
                session.output.line(made::json_of(&session.appliance, org.id, &found).await?);
                return Ok(());
            };
            let json = json(session, &file)?;
            let job = made::change_custom(&session.appliance, &ACTOR, org.id, &found, json).await?;
            finish(session, vec![(name, job)], wait).await
        }
        Command::AddArtifact { files, version, replace, fork, wait, org } => {
            let org = session.organization(&org).await?;
            if version.is_some() && files.len() > 1 {
                return Err(Failure::Usage("--version is of one file: give one".to_owned()));
            }
            let mut jobs = Vec::new();
            for file in files {
                let path = session.directory.join(&file);
                let copy = made::copy(&session.appliance, &path).await?;
                let file_name = file.display().to_string();
                let upload = Upload { file: copy, file_name, version: version.clone(), package: None, replace, fork };
                let done = made::upload(&session.appliance, &ACTOR, org.id, upload).await?;
                let known = if done.is_known { " (the same bytes were there already)" } else { "" };
                session.output.line(format!("{} {}{known}", done.name, done.version));
                jobs.push((done.name, done.job));
            }
            finish(session, jobs, wait).await
        }
        Command::Artifacts { name, org, format } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            list(session, &made::uploads(&session.appliance, org.id, &found).await?, &format)
        }
        Command::RemoveArtifact { name, version, wait, org } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let job = made::remove_upload(&session.appliance, &ACTOR, org.id, &found, &version).await?;
            finish(session, vec![(name, job)], wait).await
        }
        Command::Block { name, wait, org } => {
            let org = session.organization(&org).await?;
            let made = made::block(&session.appliance, &ACTOR, org.id, &name).await?;
            added(session, &org, &made, wait).await
        }
    }
}

/// Prints what `package add` prints: the id, or having waited, the name.
async fn added(session: &Session, org: &Organization, added: &Added, wait: bool) -> Result<(), Failure> {
    let key = PackageKey { org: org.id, package: added.id };
    let title = packages::title(&packages::by_id(&session.appliance, key).await?);
    if !wait {
        session.output.line(added.id.to_string());
        tell_if_nobody_works(session);
        return Ok(());
    }
    if let Err(failure) = finish(session, vec![(title, added.job)], true).await {
        session.output.note(format!("The package was added all the same: it is package {}.", added.id));
        return Err(failure);
    }
    let package = packages::by_id(&session.appliance, key).await?;
    session.output.line(packages::title(&package));
    Ok(())
}

fn json(session: &Session, file: &Path) -> Result<String, Failure> {
    use std::io::Read;
    let path = session.directory.join(file);
    let shown = file.display();
    let failed = |error: std::io::Error| Failure::new(format!("{shown} cannot be read: {error}"));
    let mut text = String::new();
    let opened = std::fs::File::open(&path).map_err(failed)?;
    opened.take(LARGEST_JSON + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

async fn finish(session: &Session, jobs: Vec<(String, JobId)>, wait: bool) -> Result<(), Failure> {
    if !wait {
        tell_if_nobody_works(session);
        return Ok(());
    }
    let mut waiting: Vec<Waiting> = Vec::new();
    for (title, job) in jobs {
        if !waiting.iter().any(|known| known.job == job) {
            waiting.push(Waiting { title, job });
        }
    }
    wait::all(session, waiting).await
}

fn list(session: &Session, all: &[crate::store::artifacts::Artifact], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                serde_json::json!({
                    "version": one.version,
                    "file": one.file_name,
                    "size": one.size,
                    "shasum": one.shasum,
                    "uploaded_at": one.uploaded_at,
                    "uploaded_by": one.uploaded_by,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            vec![
                one.version.clone(),
                one.file_name.clone(),
                one.size.to_string(),
                one.shasum.clone(),
                one.uploaded_at.rfc3339(),
                one.uploaded_by.clone(),
            ]
        })
        .collect();
    session.output.line(table(&["VERSION", "FILE", "BYTES", "SHA-1", "UPLOADED", "BY"], &rows));
    Ok(())
}
