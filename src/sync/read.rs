//! Reading what is here, and what was kept of the platform's answers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::Connection;

use super::change::Membership;
use super::local::{Account, Local, Package, Reader, Team};
use crate::access::role::Role;
use crate::platform::remote::{ChosenProject, Page, Pages, Scope, Wanted};
use crate::store::ids::OrgId;
use crate::store::repositories::Decision;
use crate::store::syncs::Sync;
use crate::store::{self, accounts, members, packages, repositories, sync_pages, sync_people};
use crate::vcs::url::UrlPolicy;

/// Largest answer that is kept, in bytes.
const LARGEST: u64 = 64 << 20;

/// What is here of a synchronization's organization.
///
/// # Errors
/// If the database cannot be read.
pub(super) fn local(org: OrgId, db: &Connection, sync: &Sync, url_policy: UrlPolicy) -> store::Result<Local> {
    let mut teams: BTreeMap<String, Team> = sync_people::all_teams(org, db, sync.id)?
        .into_iter()
        .map(|row| {
            let (members, repositories) = (BTreeMap::new(), [].into());
            let (id, name, path, parent) = (row.id, row.name, row.path, row.parent);
            (row.remote_id, Team { id, name, path, parent, members, repositories })
        })
        .collect();
    for (team, account, until) in sync_people::in_teams(org, db, sync.id)? {
        if let Some(team) = teams.get_mut(&team) {
            team.members.insert(account, until);
        }
    }
    for (team, repository) in sync_people::opened(org, db, sync.id)? {
        if let Some(team) = teams.get_mut(&team) {
            team.repositories.insert(repository);
        }
    }
    let all = accounts::of_integration(db, &sync.integration)?.into_iter();
    let account = |one: accounts::Account| {
        let suspended = one.suspended_at.is_some();
        (one.subject, Account { login: one.login, display_name: one.display_name, suspended })
    };
    let members = sync_people::all_members(org, db, sync.id)?.into_iter().map(|one| {
        let (role, there, reads) = (one.role, one.there, one.reads);
        (one.subject, Membership { there, role, reads, detail: one.detail, until: one.until })
    });
    let readers = sync_people::readers(org, db, sync.id)?.into_iter();
    let readers =
        readers.map(|one| ((one.subject, one.repository, one.by), Reader { detail: one.detail, until: one.until }));
    let package = |key: packages::Key| {
        let (url, url_key, name) = (key.url, key.url_key, key.name);
        (key.id, Package { url, url_key, name, retired: key.retired, archived: key.archived })
    };
    let other_paths = sync_people::other_paths(org, db, sync.id)?;
    Ok(Local {
        primary: sync.primary,
        all_packages: sync.packages == "all",
        follow_visibility: sync.follow_visibility,
        added_at: Some(sync.created_at),
        first: sync.confirmed_at.is_none(),
        has_given_owner: members::given(org, db, None)?.iter().any(|(_, role)| *role == Role::Owner),
        url_policy,
        repositories: repositories::all(org, db, sync.id)?.into_iter().collect(),
        packages: packages::keys(org, db)?.into_iter().map(package).collect(),
        teams,
        taken_paths: other_paths.iter().map(|path| path.to_ascii_lowercase()).collect(),
        members: members.collect(),
        readers: readers.collect(),
        accounts: all.map(account).collect(),
    })
}

/// What the platform is asked for.
///
/// # Errors
/// If the database cannot be read.
pub(super) fn wanted(org: OrgId, db: &Connection, sync: &Sync, scope: Scope) -> store::Result<Wanted> {
    let mut wanted = Wanted {
        name: sync.remote.clone(),
        id: sync.remote_id.clone(),
        scope,
        follow_visibility: sync.follow_visibility,
        planners: sync.planners,
        projects: sync.projects.iter().map(|one| ChosenProject { key: one.key.clone(), id: one.id.clone() }).collect(),
        ..Wanted::default()
    };
    for (id, row) in repositories::all(org, db, sync.id)? {
        if let Some(manifest) = row.manifest {
            wanted.manifests.insert(id.clone(), (row.pushed_at, row.default_branch, manifest));
        }
        if row.package.is_some() || row.decision == Decision::Wanted {
            wanted.packages.insert(id);
        }
    }
    Ok(wanted)
}

/// The answers that were kept; what cannot be read of them is asked for anew.
///
/// # Errors
/// If the database cannot be read.
pub(super) fn pages(org: OrgId, db: &Connection, sync: &Sync) -> store::Result<Pages> {
    let kept = sync_pages::all(org, db, sync.id)?.into_iter();
    Ok(Pages::of(kept.filter_map(|page| Some((page.url, page.etag, page.next, unpacked(&page.body)?)))))
}

fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    GzDecoder::new(packed).take(LARGEST).read_to_end(&mut body).ok()?;
    Some(body)
}

/// An answer as it is stored.
pub(super) fn packed(url: &str, page: &Page) -> sync_pages::Page {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.body.len() / 4), Compression::fast());
    let written = encoder.write_all(&page.body).and_then(|()| encoder.finish());
    sync_pages::Page {
        url: url.to_owned(),
        etag: page.etag.clone(),
        next: page.next.clone(),
        body: written.expect("writing into memory does not fail"),
    }
}
