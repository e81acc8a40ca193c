//! What must hold for whatever bytes arrive, one module for each reader of hostile input. A property panics where it is broken.
//!
//! The same functions are run by the fuzzer (`fuzz_targets`, see `run`) and, on the committed seeds and mutations of them, by the
//! ordinary test `tests/fuzz_corpus.rs`.

mod address;
mod archives;
mod authorization;
mod config;
mod constraints;
mod control;
mod dates;
mod documents;
mod frames;
mod gitattributes;
mod hooks;
mod manifests;
mod minify;
mod names;
mod refs;
mod search;
mod urls;
mod versions;

/// Panics where what must hold does not hold for this input.
type Property = fn(&[u8]);

/// All properties, by the names of their targets.
pub const ALL: [(&str, Property); 18] = [
    ("address", address::check),
    ("archives", archives::check),
    ("authorization", authorization::check),
    ("config", config::check),
    ("constraints", constraints::check),
    ("control", control::check),
    ("dates", dates::check),
    ("documents", documents::check),
    ("frames", frames::check),
    ("gitattributes", gitattributes::check),
    ("hooks", hooks::check),
    ("manifests", manifests::check),
    ("minify", minify::check),
    ("names", names::check),
    ("refs", refs::check),
    ("search", search::check),
    ("urls", urls::check),
    ("versions", versions::check),
];

/// Checks one property.
pub fn check(target: &str, data: &[u8]) {
    let found = ALL.iter().find(|(name, _)| *name == target);
    found.unwrap_or_else(|| panic!("there is no property named {target}")).1(data);
}

/// What stands between the parts of an input that several texts are read from.
const SEPARATOR: &str = "\n----\n";

/// The input as text, cut into its parts.
fn parts(data: &[u8]) -> Option<Vec<&str>> {
    Some(std::str::from_utf8(data).ok()?.split(SEPARATOR).collect())
}

/// The first part of an input, and the others.
fn first_part(data: &[u8]) -> (&[u8], &[u8]) {
    let separator = SEPARATOR.as_bytes();
    let end = data.windows(separator.len()).position(|part| part == separator);
    end.map_or((data, b""), |end| (&data[..end], &data[end + separator.len()..]))
}
