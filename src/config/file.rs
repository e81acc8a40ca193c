//! `config.toml` as it was typed: TOML into the structs of [`keys`](super::keys), each value with its line and column. Complains
//! about what is no TOML, what is no key, and what is of the wrong type; not about what values mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::{IntegrationKeys, TypedConfig};
use crate::config::place::{Place, Placed, Problem};
use crate::config::section::{Key, Raw, Section, find_key};
use crate::config::suggestion::{hint, shown};

/// Bytes of the largest file that is read.
pub const LARGEST: usize = 1024 * 1024;

/// Reads `text` into `typed`, and answers whether it was TOML at all. `name` is the file as findings show it.
pub fn read(text: &str, name: &str, typed: &mut TypedConfig, problems: &mut Vec<Problem>) -> bool {
    let positions = Positions::new(text, name);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What stands behind a syntax error is guesswork; nothing else is worth saying before it is mended.
        problems.extend(errors.iter().map(|error| {
            let place = error.span().map_or_else(|| positions.whole(), |span| positions.at(span.start));
            Problem { place, message: format!("this is not TOML: {}", error.message().replace('\n', ", ")) }
        }));
        return false;
    }
    Reading { positions, problems }.root(root.get_ref(), typed);
    true
}

/// Finds lines and columns.
struct Positions<'t> {
    text: &'t str,
    file: Arc<str>,
    /// Byte at which each line starts.
    starts: Vec<usize>,
}

impl<'t> Positions<'t> {
    fn new(text: &'t str, name: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file: name.into(), starts }
    }

    fn whole(&self) -> Place {
        Place::WholeFile(Arc::clone(&self.file))
    }

    fn at(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..byte).map_or(1, |before| before.chars().count() + 1);
        Place::File { file: Arc::clone(&self.file), line, column }
    }
}

struct Reading<'t, 'p> {
    positions: Positions<'t>,
    problems: &'p mut Vec<Problem>,
}

impl Reading<'_, '_> {
    fn root(&mut self, root: &DeTable<'_>, typed: &mut TypedConfig) {
        for (name, value) in root {
            let place = self.positions.at(name.span().start);
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("integration", DeValue::Array(blocks)) => self.integrations(blocks, typed),
                ("integration", _) => {
                    self.complain(place, "write `[[integration]]`, in two pairs of brackets, once for each platform")
                }
                ("server", DeValue::Table(table)) => self.server(place, table, typed),
                (path, DeValue::Table(table)) if typed.section_mut(path).is_some() => {
                    if let Some(section) = typed.section_mut(path) {
                        self.section(place, table, section, &[]);
                    }
                }
                (path, _) if path == "server" || typed.section_mut(path).is_some() => {
                    self.complain(place, format!("`{path}` is a section: write `[{path}]` and its keys below"));
                }
                (unknown, value) => self.unknown_at_root(place, unknown, value, typed),
            }
        }
    }

    fn unknown_at_root(&mut self, place: Place, name: &str, value: &DeValue<'_>, typed: &mut TypedConfig) {
        let sections = typed.sections_mut();
        if value.is_table() || value.is_array() {
            let names = sections.iter().map(|section| section.path()).chain(["integration"]);
            let message = format!("unknown section `{}`{}", shown(name), hint(name, names));
            return self.complain(place, message);
        }
        let home = sections.iter().find(|section| find_key(section.keys(), name).is_some());
        let advice = home.map_or_else(
            || ": keys stand in sections".to_owned(),
            |section| format!(": it belongs below `[{}]`", section.path()),
        );
        self.complain(place, format!("unknown key `{}` outside of any section{advice}", shown(name)));
    }

    fn server(&mut self, place: Place, table: &DeTable<'_>, typed: &mut TypedConfig) {
        self.section(place, table, &mut typed.server, &["tls"]);
        for (name, value) in table {
            if name.get_ref() == "tls" {
                let place = self.positions.at(name.span().start);
                match value.get_ref() {
                    DeValue::Table(table) => self.section(place, table, &mut typed.tls, &[]),
                    _ => self.complain(place, "`tls` is a section: write `[server.tls]` and its keys below"),
                }
            }
        }
    }

    fn integrations(&mut self, blocks: &[Spanned<DeValue<'_>>], typed: &mut TypedConfig) {
        for block in blocks {
            let place = self.positions.at(block.span().start);
            match block.get_ref() {
                DeValue::Table(table) => {
                    let mut keys = IntegrationKeys::default();
                    self.section(place, table, &mut keys, &[]);
                    typed.integrations.push(keys);
                }
                _ => self.complain(place, "write `[[integration]]` and its keys below"),
            }
        }
    }

    /// Takes the keys of one table; `subsections` are handled by the caller.
    fn section(&mut self, place: Place, table: &DeTable<'_>, section: &mut dyn Section, subsections: &[&str]) {
        *section.declared_mut() = Some(place);
        let mut seen = BTreeMap::new();
        for (name, value) in table {
            let typed_name = name.get_ref().as_ref();
            if subsections.contains(&typed_name) {
                continue;
            }
            let place = self.positions.at(name.span().start);
            let Some((key, is_file)) = find_key(section.keys(), typed_name) else {
                self.complain(place, unknown_key(typed_name, section));
                continue;
            };
            if seen.insert(key.name, is_file).is_some() {
                self.complain(place, format!("`{0}` and `{0}_file` are both given: leave one of them", key.name));
                continue;
            }
            let value_place = self.positions.at(value.span().start);
            let raw = self.raw(value.get_ref());
            if let Err(raw) = section.put(key.name, raw, is_file, value_place.clone()) {
                self.complain(value_place, wrong_type(key, typed_name, raw.name()));
            }
        }
    }

    fn raw(&self, value: &DeValue<'_>) -> Raw {
        match value {
            DeValue::String(text) => Raw::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Raw::Other("a number of that size"), Raw::Number),
            DeValue::Boolean(flag) => Raw::Flag(*flag),
            DeValue::Array(items) => self.list(items),
            DeValue::Float(_) => Raw::Other("a number with a fraction"),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Table(_) => Raw::Other("a table"),
        }
    }

    fn list(&self, items: &[Spanned<DeValue<'_>>]) -> Raw {
        let texts = items.iter().map(|item| match item.get_ref() {
            DeValue::String(text) => {
                Some(Placed { value: text.clone().into_owned(), place: self.positions.at(item.span().start) })
            }
            _ => None,
        });
        texts.collect::<Option<Vec<_>>>().map_or(Raw::Other("a list of other things"), Raw::List)
    }

    fn complain(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem { place, message: message.into() });
    }
}

/// A single value in TOML, for defaults and for lists in variables.
pub fn value(text: &str, place: &Place) -> Option<Raw> {
    let parsed = DeValue::parse(text).ok()?;
    let mut problems = Vec::new();
    let reading = Reading { positions: Positions::new(text, ""), problems: &mut problems };
    Some(match reading.raw(parsed.get_ref()) {
        Raw::List(items) => {
            Raw::List(items.into_iter().map(|item| Placed { value: item.value, place: place.clone() }).collect())
        }
        other => other,
    })
}

/// The message for a name that is no key of the section.
pub fn unknown_key(typed: &str, section: &dyn Section) -> String {
    let names = section.keys().iter().map(|key| key.name);
    format!("unknown key `{}` in `{}`{}", shown(typed), section.path(), hint(typed, names))
}

fn wrong_type(key: &Key, typed: &str, given: &str) -> String {
    format!("`{typed}` must be {}, not {given}: `{} = {}`", key.kind.wanted(), key.name, key.shown.text())
}
