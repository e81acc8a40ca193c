//! Archives of custom packages: fetched once from where their JSON says, checked, and stored. What came first under a
//! reference counts for ever, because lock files carry its checksum.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use tempfile::TempPath;
use url::Url;

use super::artifact::{self, Digests, Kind, Limits, Refusal};
use super::definition::Wanted;
use super::log::Log;
use super::source;
use super::update::UpdateError;
use crate::appliance::{Appliance, PackageKey};
use crate::composer::reference;
use crate::outbound;
use crate::platform::HubError;
use crate::storage::Digest;
use crate::store::artifacts::{self, Mirrored};
use crate::store::packages::Package;
use crate::store::{self, credentials, dists};
use crate::vcs::Authentication;
use crate::vcs::url::{SourceUrl, UrlPolicy};

/// How long one download may take altogether.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// The checksum under which the archive is served, which is fetched now if it is not here.
pub(super) async fn stored(
    appliance: &Appliance,
    key: PackageKey,
    package: &Package,
    wanted: &Wanted,
    log: &Log,
) -> Result<String, UpdateError> {
    let PackageKey { org, package: id } = key;
    let name = wanted.reference.clone();
    let known = appliance.database.read(move |db| artifacts::mirrored(org, db, id, &name)).await?;
    if let Some(known) = &known {
        if let Some(sum) = wanted.shasum.as_ref().filter(|sum| **sum != known.fetched && **sum != known.shasum) {
            return Err(UpdateError::Refused(format!(
                "{}.shasum is {sum}, and the archive that was fetched first under the reference {} has {}: that one stays for ever, because lock files name it. Give the new archive a dist.reference of its own.",
                wanted.place, wanted.reference, known.fetched
            )));
        }
        if known.url != wanted.url.as_str() {
            log.warn(format!(
                "{}: the archive of the reference {} was fetched from {} and stays, because lock files name it; {} is not asked. Give the new archive a dist.reference of its own.",
                wanted.place,
                wanted.reference,
                Url::parse(&known.url).map_or_else(|_| "elsewhere".to_owned(), |url| shown(&url)),
                shown(&wanted.url)
            ));
        }
        let digest = Digest::try_from(known.digest.as_slice()).ok();
        let size = u64::try_from(known.size).unwrap_or(0);
        if digest.is_some_and(|digest| appliance.storage.find(&digest, size).is_some()) {
            return Ok(known.shasum.clone());
        }
    }
    log.info(format!("Fetching {}", shown(&wanted.url)));
    let fetched = tokio::time::timeout(DEADLINE, download(appliance, key, package, wanted)).await;
    let fetched = fetched.map_err(|_| trouble(wanted, "it took more than half an hour"))??;
    keep(appliance, key, wanted, fetched, known).await
}

/// An address as logs and errors show it: what is behind the question mark may open the archive, and more people read those than
/// may change the package.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(None);
        return format!("{url}?…");
    }
    url.to_string()
}

/// Something that may be over when it is tried again.
fn trouble(wanted: &Wanted, what: &str) -> UpdateError {
    HubError::Unavailable(format!("{} could not be fetched ({}.url): {what}.", shown(&wanted.url), wanted.place)).into()
}

fn refused(wanted: &Wanted, what: &str) -> UpdateError {
    UpdateError::Refused(format!("{} cannot be used ({}.url): {what}.", shown(&wanted.url), wanted.place))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, UpdateError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| UpdateError::Interrupted)?;
    done.map_err(|error| store::Error::from(error).into())
}

/// Fetches the file.
async fn download(
    appliance: &Appliance,
    key: PackageKey,
    package: &Package,
    wanted: &Wanted,
) -> Result<TempPath, UpdateError> {
    let settings = appliance.vcs.outbound();
    settings.check_url(&wanted.url).map_err(|error| refused(wanted, &error.to_string()))?;
    let client = outbound::client(settings).map_err(|error| UpdateError::Refused(error.to_string()))?;
    let mut request = client.get(wanted.url.clone());
    if let Some(value) = authorization(appliance, key, package, wanted).await? {
        request = request.header(AUTHORIZATION, value);
    }
    let via = settings.proxy_for(wanted.url.host_str().unwrap_or_default());
    let failed = |error: reqwest::Error| {
        trouble(wanted, &outbound::explain(&error.without_url(), &wanted.url, via.as_ref()).to_string())
    };
    let mut response = request.send().await.map_err(failed)?;
    require_success(wanted, &response)?;
    let most = appliance.settings.max_upload;
    let too_large =
        || refused(wanted, &format!("it has more than {most} bytes, which `max_upload` under [server] allows"));
    if response.content_length().is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let storage = appliance.storage.clone();
    let path = blocking(move || storage.begin()).await?;
    let opened = path.to_path_buf();
    let mut file = blocking(move || std::fs::File::create(opened)).await?;
    let mut size = 0;
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        size += chunk.len() as u64;
        if size > most {
            return Err(too_large());
        }
        file = blocking(move || file.write_all(&chunk).map(|()| file)).await?;
    }
    Ok(path)
}

fn require_success(wanted: &Wanted, response: &Response) -> Result<(), UpdateError> {
    let status = response.status();
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(refused(wanted, &format!("the server answers {status}: does the package need another credential?")))
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(trouble(wanted, &format!("the server answers {status}")))
        }
        _ => Err(refused(wanted, &format!("the server answers {status}"))),
    }
}

/// What the package's credential shows, where the archive is on its host and port.
async fn authorization(
    appliance: &Appliance,
    PackageKey { org, .. }: PackageKey,
    package: &Package,
    wanted: &Wanted,
) -> Result<Option<HeaderValue>, UpdateError> {
    let Some(id) = package.credential else { return Ok(None) };
    let Some(row) = appliance.database.read(move |db| credentials::by_id(org, db, id)).await? else { return Ok(None) };
    let host = wanted.url.host_str().unwrap_or_default();
    let is_there = row.host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host))
        && wanted.url.port_or_known_default() == Some(row.port.unwrap_or(443));
    if !is_there {
        return Ok(None);
    }
    let mut address = wanted.url.clone();
    address.set_query(None);
    address.set_fragment(None);
    let policy = UrlPolicy { allow_insecure: true, ..appliance.settings.url_policy.clone() };
    let url = SourceUrl::parse(address.as_str(), &policy).map_err(|error| UpdateError::Refused(error.to_string()))?;
    let (credential, _key) = source::open(appliance, org, &row, &url).await?;
    let text = match &credential.authentication {
        Authentication::Basic { username, secret } => {
            use base64::Engine;
            let pair = format!("{username}:{}", secret.expose_secret());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Authentication::Bearer { secret } => format!("Bearer {}", secret.expose_secret()),
        Authentication::SshKey { .. } => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| UpdateError::Refused("The credential's secret cannot be sent by HTTP.".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What was looked at, and is to be served.
struct Ready {
    path: TempPath,
    fetched: String,
    served: Digests,
}

/// Looks into what was fetched; slow.
fn look(fetched: TempPath, out: TempPath, wanted: &Wanted) -> Result<Ready, Refusal> {
    let disk = |error: std::io::Error| Refusal::Disk(error.to_string());
    let sums = artifact::digests(&fetched).map_err(disk)?;
    let found = artifact::inspect(&fetched, None, &out, &Limits::default())?;
    if wanted.is_zip != (found.kind == Kind::Zip) {
        let named = if wanted.is_zip { "a zip" } else { "a tar" };
        return Err(Refusal::Misnamed { named, found: found.kind.words() });
    }
    let (path, served) = if found.repacked {
        let served = artifact::digests(&out).map_err(disk)?;
        (out, served)
    } else {
        (fetched, sums.clone())
    };
    Ok(Ready { path, fetched: sums.sha1, served })
}

async fn keep(
    appliance: &Appliance,
    PackageKey { org, package }: PackageKey,
    wanted: &Wanted,
    fetched: TempPath,
    known: Option<Mirrored>,
) -> Result<String, UpdateError> {
    let storage = appliance.storage.clone();
    let out = blocking(move || storage.begin()).await?;
    let about = wanted.clone();
    let looked = tokio::task::spawn_blocking(move || look(fetched, out, &about)).await;
    let ready = looked.map_err(|_| UpdateError::Interrupted)?.map_err(|refusal| match refusal {
        Refusal::Disk(what) => store::Error::from(std::io::Error::other(what)).into(),
        refusal => refused(wanted, &refusal.to_string()),
    })?;
    if let Some(sum) = wanted.shasum.as_ref().filter(|sum| **sum != ready.fetched) {
        return Err(refused(
            wanted,
            &format!("it has the SHA-1 {}, and {}.shasum is {sum}", ready.fetched, wanted.place),
        ));
    }
    if known.is_some_and(|known| known.digest != ready.served.sha256) {
        return Err(refused(
            wanted,
            "its archive was lost here, and what is there now is another one than was fetched first",
        ));
    }
    let Ready { path, fetched, served } = ready;
    let mirrored = Mirrored {
        reference: wanted.reference.clone(),
        url: wanted.url.to_string(),
        fetched,
        shasum: served.sha1.clone(),
        digest: served.sha256.to_vec(),
        size: i64::try_from(served.size).unwrap_or(i64::MAX),
        fetched_at: appliance.now(),
    };
    let storage = appliance.storage.clone();
    let digest = served.sha256;
    let finished = blocking(move || storage.finish(path, &digest)).await?;
    let recorded = appliance
        .database
        .write(move |tx| {
            let (reference, size) = (mirrored.reference.as_str(), mirrored.size);
            let key = reference::key(reference);
            dists::publish(org, tx, package, &key, reference)?;
            if !dists::set_built(org, tx, package, &key, (reference, &digest, size), mirrored.fetched_at)? {
                return Ok::<Option<PathBuf>, store::Error>(None);
            }
            artifacts::set_mirrored(org, tx, package, &mirrored)?;
            Ok(Some(finished.place()?))
        })
        .await?;
    if recorded.is_none() {
        return Err(refused(wanted, "its archive was purged here for good"));
    }
    let storage = appliance.storage.clone();
    blocking(move || storage.settle(&digest)).await?;
    Ok(served.sha1)
}
