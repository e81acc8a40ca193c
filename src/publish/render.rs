//! Documents from versions: rendered and compressed before the transaction that stores them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};

use crate::composer::document::{self, Abandoned, Half, Package};
use crate::composer::name::PackageName;

/// Grows when the same versions come out as other bytes.
const FORMAT: u32 = 1;

/// What documents of an organization depend on beside their versions. A document with another key
/// is rendered again.
pub fn key(repository_url: &str) -> String {
    format!("{FORMAT} {repository_url}")
}

/// A rendered half of a name's metadata.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// Whether it is the half of branches.
    pub dev: bool,
    /// The JSON, gzipped.
    pub body: Vec<u8>,
    /// Whether it differs from what is stored.
    pub changed: bool,
}

/// A version's metadata, as derived or as stored.
pub type Metadata = Map<String, Value>;

/// Renders both halves of a name's metadata and compares them with the stored ones (gzipped, releases first).
///
/// `abandoned`: what the package as a whole is said to be.
pub fn halves(
    name: &PackageName,
    versions: &[&Metadata],
    stored: &[Option<Vec<u8>>; 2],
    repository_url: &str,
    abandoned: Option<&Abandoned>,
) -> [Rendering; 2] {
    let dist_prefix = format!("{repository_url}/dists/{name}/");
    let package = Package { name, versions, dist_prefix: Some(&dist_prefix), abandoned };
    [false, true].map(|dev| {
        let json = document::render(&package, if dev { Half::Development } else { Half::Releases });
        let stored = stored[usize::from(dev)].as_deref().and_then(gunzip);
        let changed = stored.is_none_or(|stored| stored != json);
        Rendering { dev, body: gzip(&json), changed }
    })
}

fn gzip(json: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 4), Compression::best());
    encoder.write_all(json).and_then(|()| encoder.finish()).expect("writing into memory does not fail")
}

/// What was compressed; none if the bytes are no gzip, and then they differ from anything.
fn gunzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(body.len() * 4);
    GzDecoder::new(body).read_to_end(&mut json).ok()?;
    Some(json)
}
