//! Archives: found or built by a job, then streamed from disk; whole, or one range of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{once, try_unfold};
use futures_util::{Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;

use crate::appliance::PackageKey;
use crate::composer::name::PackageName;
use crate::http::cache::Cache;
use crate::http::connections;
use crate::http::guard::Opened;
use crate::http::{Error, State};
use crate::jobs::build_dist::{Archive, DistError};
use crate::secrets::random::to_hex;
use crate::store::name_claims;
use crate::telemetry::{RequestId, names};

/// Longest reference in hexadecimal: SHA-256's, for repositories that use it.
const LONGEST_REFERENCE: usize = 64;
/// Seconds after which to ask again for an archive that the disk had no room for: somebody has to make some first.
const TROUBLE: u64 = 60;
/// Bytes that are read and sent at a time; most archives are smaller. Each time costs a change of threads, and each client
/// that reads slowly holds so many bytes.
const CHUNK: u64 = 128 << 10;

/// Answers with the archive of the package that has, or had, the name.
pub(super) async fn answer(
    request: &HttpRequest,
    state: &State,
    opened: &Opened,
    name: &str,
    reference: &str,
) -> Result<HttpResponse, Error> {
    let entry = opened.organization.find_kept(name, &opened.view).ok_or(Error::NoArchive)?;
    let name = PackageName::parse(name).map_err(|_| Error::NoArchive)?;
    if !is_reference(reference) {
        return Err(Error::NoArchive);
    }
    let key = PackageKey { org: opened.organization.id, package: entry.package };
    let archive = match state.dists.get(key, reference).await {
        Err(DistError::Unknown) => of_former_holder(state, opened, key, name.as_str(), reference).await?,
        found => found.map_err(refused)?,
    };
    let file_name = format!("{}-{}-{reference}.zip", name.vendor(), name.project());
    send(request, state, archive, &file_name).await
}

/// The same of a package that lost the name to this one: lock files go on to name its commits. Only for whoever may see that
/// package as well.
async fn of_former_holder(
    state: &State,
    opened: &Opened,
    PackageKey { org, package: present }: PackageKey,
    name: &str,
    reference: &str,
) -> Result<Archive, Error> {
    let name = name.to_owned();
    let former = state.appliance.database.read(move |db| name_claims::former_holders(org, db, &name)).await;
    let former = former.map_err(|error| refused(DistError::Trouble(error.to_string())))?;
    for package in former.into_iter().filter(|package| *package != present) {
        if !opened.organization.includes(package, &opened.view) {
            continue;
        }
        match state.dists.get(PackageKey { org, package }, reference).await {
            Err(DistError::Unknown) => {}
            found => return found.map_err(refused),
        }
    }
    Err(Error::NoArchive)
}

/// What Composer puts for `%reference%` (`ComposerMirror::processUrl`): lower-case hexadecimal, its own or MD5's.
fn is_reference(text: &str) -> bool {
    (1..=LONGEST_REFERENCE).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn refused(error: DistError) -> Error {
    match error {
        DistError::Unknown => Error::NoArchive,
        DistError::Forgotten => Error::Forgotten,
        DistError::Busy { retry_after_seconds } => {
            connections::count_refusal("builds");
            Error::Busy(retry_after_seconds, "The archive is being built, or too many are.")
        }
        DistError::Refused(reason) => {
            tracing::debug!(reason, "An archive that cannot be made was asked for.");
            Error::Unarchivable
        }
        DistError::Trouble(reason) => {
            tracing::warn!(reason, "An archive could not be built for now.");
            Error::Busy(TROUBLE, "The server's disk or database cannot take the archive at the moment.")
        }
        DistError::Failed(reason) => {
            let id = RequestId::random();
            tracing::error!(request.id = %id, error = %reason, "An archive could not be built.");
            Error::Failed("The archive could not be built from its repository.", id)
        }
    }
}

async fn send(request: &HttpRequest, state: &State, archive: Archive, file_name: &str) -> Result<HttpResponse, Error> {
    let etag = format!("\"{}\"", to_hex(&archive.digest));
    if header(request, IF_NONE_MATCH).is_some_and(|known| names_tag(known, &etag)) {
        return Ok(common(StatusCode::NOT_MODIFIED, &etag).finish());
    }
    // A part is only good for whoever has the rest of the same bytes.
    let same = header(request, IF_RANGE).is_none_or(|known| known.trim() == etag);
    let range = header(request, RANGE).filter(|_| same).map_or(Ok(None), |text| Range::parse(text, archive.size));
    let Ok(range) = range else {
        return Ok(common(StatusCode::RANGE_NOT_SATISFIABLE, &etag)
            .insert_header((CONTENT_RANGE, format!("bytes */{}", archive.size)))
            .finish());
    };
    let part = range.unwrap_or(Range { first: 0, length: archive.size });
    let download = state.connections.download().await;
    let download = download.ok_or(Error::Busy(5, "Too many archives are being downloaded."))?;
    let opened = web::block(move || open(&archive.path, part)).await.map_err(io::Error::other);
    let (first, file) = opened.and_then(|opened| opened).map_err(|error| gone(&error))?;
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = common(status, &etag);
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/zip")))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")));
    if range.is_some() {
        let last = part.first + part.length - 1;
        response.insert_header((CONTENT_RANGE, format!("bytes {}-{last}/{}", part.first, archive.size)));
    }
    let left = part.length.saturating_sub(first.len() as u64);
    count(first.len());
    // Also where nothing is left: the right to send is held until the client has taken what was sent.
    let body = once(ready(Ok(first))).chain(chunks(file, left, download));
    Ok(response.body(SizedStream::new(part.length, body)))
}

/// The first bytes of a part, and the file behind them: one change of threads for all of it.
fn open(path: &Path, part: Range) -> io::Result<(Bytes, File)> {
    let mut file = File::open(path)?;
    if part.first > 0 {
        file.seek(SeekFrom::Start(part.first))?;
    }
    let first = read(&mut file, part.length)?;
    Ok((first, file))
}

/// The next bytes of a file of which `left` are wanted. A file that turns out shorter breaks the connection off, so that
/// nobody takes the part for the whole.
fn read(file: &mut File, left: u64) -> io::Result<Bytes> {
    let wanted = left.min(CHUNK);
    let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    file.take(wanted).read_to_end(&mut chunk)?;
    if (chunk.len() as u64) < wanted { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(chunk.into()) }
}

fn count(bytes: usize) {
    ::metrics::counter!(names::DIST_BYTES).increment(bytes as u64);
}

/// Evicted between the look-up and now; the next request builds it again.
fn gone(error: &std::io::Error) -> Error {
    tracing::warn!(error = %error, "An archive could not be opened: it is asked for again.");
    Error::Busy(1, "The archive is being built again.")
}

/// What every answer about an archive says. An archive may hold anything and shares its origin with our pages: it is
/// never shown, guessed at, or run.
fn common(status: StatusCode, etag: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((ETAG, etag))
        .insert_header((ACCEPT_RANGES, HeaderValue::from_static("bytes")))
        .insert_header((CACHE_CONTROL, Cache::Forever.header()))
        .insert_header((VARY, HeaderValue::from_static("Authorization")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")));
    response
}

fn header(request: &HttpRequest, name: actix_web::http::header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// Whether `If-None-Match` names the tag (weakly compared, RFC 9110 section 13.1.2).
fn names_tag(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    length: u64,
}

/// The range lies outside of the file.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

impl Range {
    /// Reads `bytes=…` with one range. What is malformed, or names several, is ignored, as RFC 9110 section 14.2 allows:
    /// the whole file is then sent.
    fn parse(text: &str, size: u64) -> Result<Option<Self>, Unsatisfiable> {
        let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Ok(None);
        };
        let number = |text: &str| -> Result<Option<u64>, ()> {
            match text.trim() {
                "" => Ok(None),
                text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map(Some).map_err(|_| ()),
                _ => Err(()),
            }
        };
        let (Ok(first), Ok(last)) = (number(first), number(last)) else { return Ok(None) };
        let (first, end) = match (first, last) {
            (None, None) => return Ok(None),
            (None, Some(count)) => (size.saturating_sub(count), size),
            (Some(first), Some(last)) if last < first => return Ok(None),
            (Some(first), last) => (first, last.map_or(size, |last| last.saturating_add(1)).min(size)),
        };
        if first >= end { Err(Unsatisfiable) } else { Ok(Some(Self { first, length: end - first })) }
    }
}

/// The next `length` bytes of a file, read on threads that may wait for the disk.
fn chunks(file: File, length: u64, download: OwnedSemaphorePermit) -> impl Stream<Item = io::Result<Bytes>> {
    try_unfold((file, length, download), |(mut file, left, download)| async move {
        if left == 0 {
            return Ok(None);
        }
        let work = move || read(&mut file, left).map(|chunk| (chunk, file));
        let done = web::block(work).await.map_err(io::Error::other).flatten();
        let (chunk, file) = done.inspect_err(|error| {
            tracing::error!(%error, "A stored archive could not be read to its end: its download was broken off.");
        })?;
        count(chunk.len());
        let left = left.saturating_sub(chunk.len() as u64);
        Ok(Some((chunk, (file, left, download))))
    })
}

#[cfg(test)]
mod tests {
    use super::{Range, Unsatisfiable, is_reference, names_tag, refused};
    use crate::jobs::build_dist::DistError;
    use actix_web::http::header::RETRY_AFTER;

    #[test]
    fn ranges() {
        let some = |first, length| Ok(Some(Range { first, length }));
        assert_eq!(Range::parse("bytes=0-4", 10), some(0, 5));
        assert_eq!(Range::parse("bytes=5-", 10), some(5, 5));
        assert_eq!(Range::parse("bytes=5-100", 10), some(5, 5));
        assert_eq!(Range::parse("bytes=-3", 10), some(7, 3));
        assert_eq!(Range::parse("bytes=-30", 10), some(0, 10));
        assert_eq!(Range::parse("bytes=0-18446744073709551615", 10), some(0, 10));
        for outside in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(Range::parse(outside, 10), Err(Unsatisfiable), "{outside}");
        }
        for ignored in ["", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=+1-2"] {
            assert_eq!(Range::parse(ignored, 10), Ok(None), "{ignored}");
        }
        assert_eq!(Range::parse("bytes=0-", 0), Err(Unsatisfiable));
    }

    #[test]
    fn references_are_what_composer_puts() {
        assert!(is_reference("0123456789abcdef"));
        for wrong in ["", "ABC", "g", "..", "a/b", &"a".repeat(65)] {
            assert!(!is_reference(wrong), "{wrong}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(names_tag("\"a\", W/\"b\"", "\"b\""));
        assert!(names_tag("*", "\"b\""));
        assert!(!names_tag("b", "\"b\""));
    }

    #[test]
    fn every_refusal_has_its_status() {
        for (error, status) in [
            (DistError::Unknown, 404),
            (DistError::Forgotten, 410),
            (DistError::Busy { retry_after_seconds: 7 }, 503),
            (DistError::Refused("/secret/path".to_owned()), 404),
            (DistError::Trouble("/secret/path".to_owned()), 503),
            (DistError::Failed("/secret/path".to_owned()), 500),
        ] {
            let response = refused(error).response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().get(RETRY_AFTER).is_some(), status == 503);
        }
    }
}
