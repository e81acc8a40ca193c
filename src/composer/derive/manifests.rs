//! The manifests of a repository, each distinct one parsed once: hundreds of tags share a few dozen files.

use std::collections::HashMap;
use std::rc::Rc;

use super::RefSource;
use crate::composer::manifest::Manifest;

/// How much parsed text is remembered, in estimated bytes of memory.
const MAX_REMEMBERED: usize = 64 << 20;

/// The manifests that have been parsed, by their content's id.
#[derive(Default)]
pub(super) struct Manifests<'a> {
    parsed: HashMap<&'a str, Result<Rc<Manifest>, String>>,
    weight: usize,
}

impl<'a> Manifests<'a> {
    /// The manifest of a ref, or why there is none.
    pub(super) fn of(&mut self, source: &'a RefSource) -> Result<Rc<Manifest>, String> {
        let bytes = source.manifest.as_ref().map_err(ToString::to_string)?;
        if let Some(known) = self.parsed.get(source.blob.as_str()) {
            return known.clone();
        }
        let parsed = Manifest::parse(bytes).map(Rc::new).map_err(|error| error.to_string());
        if !source.blob.is_empty() {
            self.remember(&source.blob, parsed.clone());
        }
        parsed
    }

    fn remember(&mut self, blob: &'a str, parsed: Result<Rc<Manifest>, String>) {
        let weight = parsed.as_ref().map_or(200, |manifest| manifest.weight());
        if self.weight.saturating_add(weight) > MAX_REMEMBERED {
            self.parsed.clear();
            self.weight = 0;
        }
        self.weight = self.weight.saturating_add(weight);
        self.parsed.insert(blob, parsed);
    }
}
