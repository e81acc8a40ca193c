//! The five kinds of links (`require` and its siblings) as `ArrayLoader::parseLinks` reads and `ArrayDumper` writes them.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::fields::{Rejection, Target};
use super::{Manifest, php};
use crate::composer::constraint::Constraint;

/// The kinds of links, in the order in which they are loaded and dumped (`BasePackage::$supportedLinkTypes`).
const KINDS: [&str; 5] = ["require", "conflict", "provide", "replace", "require-dev"];

/// The constraint that stands for the version of the package that carries it.
const SELF_VERSION: &str = "self.version";

/// How many constraints are remembered; what strangers write must not fill the memory.
const MAX_REMEMBERED: usize = 10_000;

/// What has been learnt about constraints while one repository was read. Its tags repeat the same few constraints hundreds of
/// times, so each text is parsed once.
#[derive(Debug, Default)]
pub struct ConstraintMemory {
    refused: HashMap<String, Option<String>>,
}

impl ConstraintMemory {
    /// Why a constraint cannot be parsed, or `None` for a good one.
    fn refusal(&mut self, text: &str) -> Option<&str> {
        if !self.refused.contains_key(text) {
            if self.refused.len() >= MAX_REMEMBERED {
                self.refused.clear();
            }
            let refusal = Constraint::parse(text).err().map(|error| error.to_string());
            self.refused.insert(text.to_owned(), refusal);
        }
        self.refused.get(text).and_then(Option::as_deref)
    }
}

/// Adds the links of every kind to the metadata.
pub(super) fn dump(
    manifest: &Manifest,
    version: &str,
    memory: &mut ConstraintMemory,
    metadata: &mut Map<String, Value>,
) -> Result<(), Rejection> {
    for kind in KINDS {
        let Some(links) = manifest.field(kind).filter(|value| php::is_array(value)) else {
            continue;
        };
        let links = checked(kind, links, version, memory)?;
        if !links.is_empty() {
            metadata.insert(kind.to_owned(), php::sorted_by_key(links));
        }
    }
    Ok(())
}

fn checked(
    kind: &'static str,
    links: &Value,
    version: &str,
    memory: &mut ConstraintMemory,
) -> Result<Map<String, Value>, Rejection> {
    let mut known = Map::new();
    for (target, constraint) in php::entries(links) {
        // `parseLinks` drops what is no string without a word.
        let Value::String(text) = constraint else {
            continue;
        };
        let link = || Target { kind, name: target.to_string(), constraint: text.clone() };
        // A name of digits is an integer to PHP, and a client that loads one from a repository dies of a type error.
        if php::is_integer_key(&target) {
            return Err(Rejection::NumericTarget(link()));
        }
        let effective = if text == SELF_VERSION { version } else { text };
        if let Some(problem) = memory.refusal(effective) {
            return Err(Rejection::Constraint { link: link(), problem: problem.to_owned() });
        }
        known.insert(target.to_ascii_lowercase(), constraint.clone());
    }
    Ok(known)
}
