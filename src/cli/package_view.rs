//! How packages are shown: as JSON with the contract's keys (section 5), and for people.

use serde::Serialize;
use serde_json::Value;

use super::args::ListFormat;
use super::failure::Failure;
use super::session::Session;
use super::table::table;
use crate::admin::directories::{self, Overview};
use crate::admin::package_life::By;
use crate::admin::packages::Details;
use crate::clock::Timestamp;
use crate::store::archive_failures::ArchiveFailure;
use crate::store::ids::{JobId, PackageId, SyncId};
use crate::store::name_claims::Rival;
use crate::store::packages::Package;
use crate::store::version_events::Event;

/// Most characters of an error's first sentence in a list.
const LONGEST_ERROR: usize = 300;

/// A package in JSON. The order of the keys is the contract's.
#[derive(Serialize)]
struct PackageJson<'a> {
    id: PackageId,
    name: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    url: &'a str,
    vcs: &'a str,
    credential: Option<&'a str>,
    sync: Option<SyncId>,
    status: &'a str,
    error: Option<&'a str>,
    abandoned: Option<Value>,
    versions: i64,
    updated_at: Option<Timestamp>,
    /// Of a repository with several packages, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    directories: Option<Vec<String>>,
    /// Of one of them, the id of the repository, and where in it the package is.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<PackageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a str>,
    /// Whether its repository is a fork.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fork: bool,
    /// Who says that it is abandoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    abandoned_by: Option<&'static str>,
    /// The name that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_name: Option<&'a str>,
    /// The packages that have or want the same name.
    #[serde(skip_serializing_if = "<[Rival]>::is_empty")]
    conflicts_with: &'a [Rival],
}

#[derive(Serialize)]
struct DetailsJson<'a> {
    #[serde(flatten)]
    package: PackageJson<'a>,
    version_list: Vec<VersionJson<'a>>,
    skipped: Vec<SkippedJson<'a>>,
    archive_error: Option<ArchiveErrorJson<'a>>,
}

/// The last archive that could not be built.
#[derive(Serialize)]
struct ArchiveErrorJson<'a> {
    reference: &'a str,
    error: &'a str,
    time: Timestamp,
}

#[derive(Serialize)]
struct VersionJson<'a> {
    version: &'a str,
    version_normalized: &'a str,
    reference: &'a str,
    time: Option<Timestamp>,
    repointed_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct SkippedJson<'a> {
    #[serde(rename = "ref")]
    name: &'a str,
    reason: &'a str,
}

fn json(package: &Package) -> PackageJson<'_> {
    PackageJson {
        id: package.id,
        name: package.name.as_deref(),
        kind: package.kind.as_deref(),
        url: &package.url,
        vcs: &package.vcs,
        credential: package.credential_name.as_deref(),
        sync: package.sync,
        status: &package.status,
        error: package.error.as_deref(),
        abandoned: package.abandoned.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        versions: package.versions,
        updated_at: package.updated_at,
        directories: directories::of(package).ok().flatten().map(|directories| directories.lines()),
        repository: package.parent,
        directory: package.directory.as_deref(),
        fork: package.fork,
        abandoned_by: By::of(package).map(By::as_str),
        held_name: package.held_name.as_deref(),
        conflicts_with: &package.rivals,
    }
}

/// Shows a list of packages.
pub fn list(session: &Session, packages: &[Package], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = packages.iter().map(json).collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = packages
        .iter()
        .map(|package| {
            vec![
                package.id.to_string(),
                package.name.clone().unwrap_or_default(),
                package.status.clone(),
                package.versions.to_string(),
                place(package),
                first_sentence(package.error.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    session.output.line(table(&["ID", "NAME", "STATUS", "VERSIONS", "URL", "ERROR"], &rows));
    Ok(())
}

/// Where a package is.
fn place(package: &Package) -> String {
    match (&package.directory, &package.directories) {
        (Some(directory), _) => format!("{} {directory}", package.url),
        (None, Some(_)) => format!("{} (with packages in directories)", package.url),
        (None, None) => package.url.clone(),
    }
}

/// Tells which packages a repository turned out to have, and which directories are none.
pub fn found(session: &Session, overview: &Overview) {
    for package in &overview.packages {
        let directory = package.directory.as_deref().unwrap_or(".");
        let told = package.error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
        session.output.note(format!("{directory}: {}{told}", package.shown_name()));
    }
    for problem in &overview.problems {
        session.output.note(format!("{}: {}", problem.directory, problem.reason));
    }
}

/// What a list says of an error; `package show` says all.
fn first_sentence(text: &str) -> String {
    let begins = |rest: &str| rest.starts_with(char::is_uppercase);
    let end = text.match_indices(". ").find(|(at, dot)| begins(&text[at + dot.len()..])).map(|(at, _)| at + 1);
    let sentence = text[..end.unwrap_or(text.len())].lines().next().unwrap_or_default();
    let Some((limit, _)) = sentence.char_indices().nth(LONGEST_ERROR) else { return sentence.to_owned() };
    let word = sentence[..limit].rfind(' ').unwrap_or(limit);
    format!("{} …", &sentence[..word])
}

/// Shows everything about a package.
pub fn show(session: &Session, details: &Details, format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let version_list = details.versions.iter().map(|version| VersionJson {
            version: &version.version,
            version_normalized: version.version_normalized.as_str(),
            reference: &version.reference,
            time: version.released_at.map(Timestamp::from_seconds),
            repointed_at: details.repointed.get(&version.version_normalized).map(|event| event.at),
        });
        let skipped = details
            .skipped
            .iter()
            .map(|skipped| SkippedJson { name: &skipped.name, reason: skipped.reason.as_deref().unwrap_or_default() });
        session.output.json(&DetailsJson {
            package: json(&details.package),
            version_list: version_list.collect(),
            skipped: skipped.collect(),
            archive_error: details.archive_failure.as_ref().map(|failure| ArchiveErrorJson {
                reference: &failure.reference,
                error: &failure.error,
                time: failure.failed_at,
            }),
        })?;
        return Ok(());
    }
    facts(session, &details.package);
    if let Some(ArchiveFailure { reference, error, failed_at }) = &details.archive_failure {
        let time = failed_at.rfc3339();
        session.output.line(format!("{:<11} {error} (of {reference}, {time})", "No archive"));
    }
    let versions: Vec<_> = details
        .versions
        .iter()
        .map(|version| {
            let time = version.released_at.map(|time| Timestamp::from_seconds(time).rfc3339());
            let repointed = details.repointed.get(&version.version_normalized);
            let note = repointed.map(|event| format!("re-pointed {}", event.at.rfc3339()));
            vec![version.version.clone(), version.reference.clone(), time.unwrap_or_default(), note.unwrap_or_default()]
        })
        .collect();
    if !versions.is_empty() {
        session.output.line(format!("\n{}", table(&["VERSION", "REFERENCE", "TIME", "NOTE"], &versions)));
    }
    let skipped: Vec<_> = details
        .skipped
        .iter()
        .map(|skipped| vec![skipped.name.clone(), skipped.reason.clone().unwrap_or_default()])
        .collect();
    if !skipped.is_empty() {
        session.output.line(format!("\n{}", table(&["NO VERSION", "REASON"], &skipped)));
    }
    Ok(())
}

fn facts(session: &Session, package: &Package) {
    let json = json(package);
    let abandoned = match json.abandoned {
        Some(Value::String(replacement)) => Some(format!("in favour of {replacement}")),
        Some(Value::Bool(true)) => Some("yes".to_owned()),
        _ => None,
    };
    let abandoned = abandoned.zip(By::of(package)).map(|(how, by)| format!("{how}: {}", by.words()));
    let conflicts: Vec<_> = package.rivals.iter().map(conflict).collect();
    let conflicts = conflicts.join(", ");
    let facts = [
        ("Package", Some(package.id.to_string())),
        ("Name", package.name.clone()),
        ("Type", package.kind.clone()),
        ("URL", Some(package.url.clone())),
        ("Credential", package.credential_name.clone()),
        ("Sync", package.sync.map(|sync| sync.to_string())),
        ("Fork", package.fork.then(|| "yes".to_owned())),
        ("Status", Some(package.status.clone())),
        ("Error", package.error.clone()),
        ("Conflict", (!conflicts.is_empty()).then_some(conflicts)),
        ("Abandoned", abandoned),
        ("Retired", package.retired_at.map(Timestamp::rfc3339)),
        ("Updated", package.updated_at.map(Timestamp::rfc3339)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            session.output.line(format!("{name:<11} {value}"));
        }
    }
}

/// A package that has or wants the same name, as people read it.
fn conflict(rival: &Rival) -> String {
    match &rival.name {
        Some(name) => format!("package {} ({name}, {})", rival.id, rival.url),
        None => format!("package {} ({}), which is not installable", rival.id, rival.url),
    }
}

/// An event in JSON.
#[derive(Serialize)]
struct EventJson<'a> {
    time: Timestamp,
    name: &'a str,
    version: &'a str,
    version_normalized: &'a str,
    dev: bool,
    action: &'static str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    cause: Option<&'a str>,
    job: Option<JobId>,
}

/// Shows what happened to versions.
pub fn history(session: &Session, events: &[Event], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows = events.iter().map(|event| EventJson {
            time: event.at,
            name: &event.name,
            version: &event.version,
            version_normalized: event.version_normalized.as_str(),
            dev: event.dev,
            action: event.action.as_str(),
            before: event.before.as_deref(),
            after: event.after.as_deref(),
            cause: event.cause.as_deref(),
            job: event.job,
        });
        session.output.json(&rows.collect::<Vec<_>>())?;
        return Ok(());
    }
    if events.is_empty() {
        session.output.note("No version has come, gone or changed since the package was first read.");
        return Ok(());
    }
    let rows = events.iter().map(|event| {
        let warning = if event.is_repointed_release() { "re-pointed" } else { event.action.as_str() };
        let commit = |commit: &Option<String>| commit.clone().unwrap_or_default();
        let cause = event.cause.clone().unwrap_or_default();
        vec![
            event.at.rfc3339(),
            event.version.clone(),
            warning.to_owned(),
            commit(&event.before),
            commit(&event.after),
            cause,
        ]
    });
    session.output.line(table(&["TIME", "VERSION", "WHAT", "FROM", "TO", "BECAUSE OF"], &rows.collect::<Vec<_>>()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_ERROR, first_sentence};

    #[test]
    fn a_list_says_the_first_sentence() {
        let text = "git.example.com:443 did not accept the credential (HTTP 401). Give it a new secret.";
        assert_eq!(first_sentence(text), "git.example.com:443 did not accept the credential (HTTP 401).");
        assert_eq!(first_sentence("no name, e.g. a/b. Write one."), "no name, e.g. a/b.");
        assert_eq!(first_sentence(""), "");
        assert_eq!(first_sentence("one\ntwo"), "one");
        let long = first_sentence(&"wörd ".repeat(LONGEST_ERROR));
        assert!(long.chars().count() <= LONGEST_ERROR + 2 && long.ends_with("wörd …"), "{long}");
    }
}
