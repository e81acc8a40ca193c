//! `package`: source repositories.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::input::Source;
use super::made;
use super::package_directories;
use super::package_view;
use super::session::{ACTOR, Session, Workforce};
use super::wait::{self, Waiting};
use crate::admin::package_life::{self, Abandonment, By};
use crate::admin::packages::{self, NewPackage};
use crate::admin::{directories, hooks};
use crate::appliance::PackageKey;
use crate::store::ids::OrgId;
use crate::store::organizations::Organization;
use crate::vcs::Layout;

/// Where in a Subversion repository a package is, as Composer calls it.
#[derive(Args, Debug)]
pub struct Paths {
    /// Where the trunk of a Subversion repository is: `false` where the address itself is it [default: trunk]
    #[arg(long, value_name = "PATH")]
    trunk_path: Option<String>,
    /// Where its branches are, or `false` [default: branches]
    #[arg(long, value_name = "PATH")]
    branches_path: Option<String>,
    /// Where its tags are, or `false` [default: tags]
    #[arg(long, value_name = "PATH")]
    tags_path: Option<String>,
    /// The package's directory in the trunk and in each branch and tag
    #[arg(long, value_name = "PATH")]
    package_path: Option<String>,
}

impl Paths {
    fn layout(&self) -> Result<Layout, Failure> {
        let Self { trunk_path, branches_path, tags_path, package_path } = self;
        let given = [trunk_path, branches_path, tags_path, package_path];
        let [trunk, branches, tags, package] = given.map(Option::as_deref);
        let layout = Layout::parse(trunk, branches, tags, package);
        layout.map_err(|error| Failure::new(error.to_string()))
    }
}

/// Commands about packages. A package's NAME may also be its id or address.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a package and print its id, or with --wait its name
    Add {
        /// The address of its repository
        url: String,
        /// The version control system [default: svn at svn://, svn+ssh:// and hosts called svn.…, else git]
        #[arg(long, value_parser = ["git", "hg", "svn"])]
        vcs: Option<String>,
        #[command(flatten)]
        paths: Paths,
        /// Where in a Git repository with several packages they are, such as 'packages/*'; '!packages/old' leaves one out, '.' is
        /// the root. May be given several times, and again for a repository that is here already
        #[arg(long, value_name = "PATTERN")]
        directories: Vec<String>,
        /// The credential that opens the repository
        #[arg(long, value_name = "NAME")]
        credential: Option<String>,
        /// It is somebody else's package, whose vendor does not become the organization's
        #[arg(long)]
        fork: bool,
        /// Wait until it was imported
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    #[command(flatten)]
    Made(made::Command),
    /// List the packages
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show a package with its versions, and why branches or tags are none
    Show {
        /// Its name, id or address
        name: String,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show or change which directories of a repository are packages of their own, and what was found in them
    Directories(package_directories::Arguments),
    /// Look for changes in packages' repositories now
    Update {
        /// Their names, ids or addresses
        #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "NAME")]
        names: Vec<String>,
        /// All packages of the organization
        #[arg(long)]
        all: bool,
        /// Wait until it was done
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Remove a package with its versions and archives
    Remove {
        /// Its name, id or address
        name: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Purge the archive of one commit for good, such as one with a leaked secret: it answers 410 from then on
    Forget {
        /// The package's name, id or address
        name: String,
        /// The whole commit id
        reference: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Show what happened to a package's versions: which came, went or name another commit, when, and because of what
    History {
        /// Its name, id or address
        name: String,
        /// How many at most, newest first
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Mark a package as abandoned, whatever its repository says: Composer warns whoever installs it
    Abandon {
        /// Its name, id or address
        name: String,
        /// The package that replaces it
        #[arg(long, value_name = "PACKAGE")]
        replacement: Option<String>,
        /// Leave it to its composer.json and its platform again
        #[arg(long, conflicts_with = "replacement")]
        undo: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Give a package the name that it waits for: the package that has it waits from then on
    Publish {
        /// Its id or address
        name: String,
        /// Wait until it is published
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Print the webhook address of a package
    Hook {
        /// Its name, id or address
        name: String,
        /// Make a new address; the old one works for a day more
        #[arg(long)]
        rotate: bool,
        #[command(flatten)]
        signing: SigningArguments,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// The options that say what calls to a webhook are signed with.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SigningArguments {
    /// Take only calls that are signed with, or show, the secret on standard input
    #[arg(long)]
    secret_stdin: bool,
    /// The same, with the secret in a file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Take calls without a signature again: the address is enough
    #[arg(long)]
    no_secret: bool,
}

impl Command {
    /// Where the secret is that it needs.
    pub fn input(&self) -> Option<Source> {
        let Self::Hook { signing, .. } = self else { return None };
        match &signing.secret_file {
            Some(file) => Some(Source::File(file.clone())),
            None => signing.secret_stdin.then_some(Source::Stdin),
        }
    }
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Add { url, vcs, paths, directories, credential, fork, wait, org } => {
            let org = session.organization(&org).await?;
            let (url, layout) = (absolute(session, url), paths.layout()?);
            let new = NewPackage { url, vcs, layout, credential, fork, directories };
            add(session, &org, new, wait).await
        }
        Command::Made(command) => made::run(command, session).await,
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            let all = packages::list(&session.appliance, org.id).await?;
            package_view::list(session, &all, &format)
        }
        Command::Show { name, org, format } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let details = packages::details(&session.appliance, org.id, found).await?;
            package_view::show(session, &details, &format)
        }
        Command::Directories(arguments) => package_directories::run(arguments, session).await,
        Command::Update { names, wait, org, .. } => {
            let org = session.organization(&org).await?;
            update(session, &org, names, wait).await
        }
        Command::Remove { name, org } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            Ok(packages::remove(&session.appliance, &ACTOR, org.id, &found).await?)
        }
        Command::Forget { name, reference, org } => {
            let org = session.organization(&org).await?;
            forget(session, &org, &name, &reference).await
        }
        Command::History { name, limit, org, format } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let key = PackageKey { org: org.id, package: found.id };
            let events = package_life::history(&session.appliance, key, None, limit).await?;
            package_view::history(session, &events, &format)
        }
        Command::Abandon { name, replacement, undo, org } => {
            let org = session.organization(&org).await?;
            abandon(session, &org, &name, replacement.as_deref(), undo).await
        }
        Command::Publish { name, wait, org } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let job = package_life::publish_name(&session.appliance, &ACTOR, org.id, found.id).await?;
            if !wait {
                tell_if_nobody_works(session);
                return Ok(());
            }
            wait::all(session, vec![Waiting { title: packages::title(&found), job }]).await
        }
        Command::Hook { name, rotate, signing, org } => {
            let org = session.organization(&org).await?;
            let found = find(session, &org, &name).await?;
            let address = hooks::address(&session.appliance, &ACTOR, org.id, &found, rotate).await?;
            let is_given = signing.secret_stdin || signing.secret_file.is_some();
            if is_given || signing.no_secret {
                let secret = if is_given { Some(session.secret()?) } else { None };
                hooks::set_signing(&session.appliance, &ACTOR, org.id, &found, secret).await?;
            }
            if address.replaced {
                session
                    .output
                    .note("The former address works for 24 hours more: give the new one to whoever calls it.");
            }
            session.output.line(address.url);
            Ok(())
        }
    }
}

/// Whoever types a relative path means his own directory, not the server's.
fn absolute(session: &Session, url: String) -> String {
    if url == "." || url == ".." || url.starts_with("./") || url.starts_with("../") {
        let path = session.directory.join(&url);
        return path.canonicalize().unwrap_or(path).display().to_string();
    }
    url
}

pub(super) async fn find(
    session: &Session,
    org: &Organization,
    name: &str,
) -> Result<crate::store::packages::Package, Failure> {
    let name = absolute(session, name.to_owned());
    Ok(packages::find(&session.appliance, org.id, &name).await?)
}

async fn add(session: &Session, org: &Organization, new: NewPackage, wait: bool) -> Result<(), Failure> {
    let url = new.url.clone();
    let added = packages::add(&session.appliance, &ACTOR, org.id, new).await?;
    if !wait {
        session.output.line(added.id.to_string());
        tell_if_nobody_works(session);
        return Ok(());
    }
    let waiting = Waiting { title: url, job: added.job };
    if let Err(failure) = wait::all(session, vec![waiting]).await {
        session.output.note(format!("The package was added all the same: it is package {}.", added.id));
        return Err(failure);
    }
    let package = packages::by_id(&session.appliance, PackageKey { org: org.id, package: added.id }).await?;
    session.output.line(package.name.clone().unwrap_or_else(|| added.id.to_string()));
    if package.directories.is_some() {
        // Alone on its line stays what scripts read; this is for people.
        let overview = directories::overview(&session.appliance, org.id, &package).await?;
        package_view::found(session, &overview);
    }
    Ok(())
}

async fn update(session: &Session, org: &Organization, names: Vec<String>, wait: bool) -> Result<(), Failure> {
    let packages = chosen(session, org.id, org, names).await?;
    if packages.is_empty() {
        session.output.note(format!("The organization {} has no packages yet.", org.slug));
        return Ok(());
    }
    let titles: Vec<String> = packages.iter().map(packages::title).collect();
    let jobs = packages::update(&session.appliance, &ACTOR, org.id, &packages).await?;
    if !wait {
        tell_if_nobody_works(session);
        return Ok(());
    }
    let waiting = titles.into_iter().zip(jobs).map(|(title, job)| Waiting { title, job });
    wait::all(session, waiting.collect()).await
}

/// The named packages, each once; without names all that there are.
async fn chosen(
    session: &Session,
    id: OrgId,
    org: &Organization,
    names: Vec<String>,
) -> Result<Vec<crate::store::packages::Package>, Failure> {
    if names.is_empty() {
        return Ok(packages::list(&session.appliance, id).await?);
    }
    let mut chosen: Vec<crate::store::packages::Package> = Vec::new();
    for name in names {
        let found = find(session, org, &name).await?;
        if !chosen.iter().any(|known| known.id == found.id) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

/// Waits until it is served, as every command does beside which a server runs.
async fn abandon(
    session: &Session,
    org: &Organization,
    name: &str,
    replacement: Option<&str>,
    undo: bool,
) -> Result<(), Failure> {
    let found = find(session, org, name).await?;
    let abandonment = if undo { Abandonment::Unsaid } else { Abandonment::parse(replacement.unwrap_or_default())? };
    package_life::abandon(&session.appliance, &ACTOR, org.id, found.id, abandonment).await?;
    let now = packages::by_id(&session.appliance, PackageKey { org: org.id, package: found.id }).await?;
    if let Some(by) = By::of(&now).filter(|_| undo) {
        session.output.note(format!("{} is abandoned all the same: {}.", packages::title(&now), by.words()));
    }
    tell_if_nobody_works(session);
    Ok(())
}

async fn forget(session: &Session, org: &Organization, name: &str, reference: &str) -> Result<(), Failure> {
    let found = find(session, org, name).await?;
    let forgotten = packages::forget(&session.appliance, &ACTOR, org.id, &found, reference).await?;
    if forgotten.published {
        session.output.note(
            "A version names this commit still: its archive answers 410 all the same. Move or delete the branch or tag, and update the package.",
        );
    } else if !forgotten.known {
        session.output.note("No archive of this commit was ever made; from now on none will be.");
    }
    Ok(())
}

pub(super) fn tell_if_nobody_works(session: &Session) {
    if matches!(session.workforce, Workforce::Start(_)) {
        session.output.note("No server is running: the work is done when one starts, or now with --wait.");
    }
}
