//! Single keys from environment variables: `PACKAGIST_SELFHOSTED__SERVER__LISTEN=0.0.0.0:8080` stands for `listen` below
//! `[server]`, `PACKAGIST_SELFHOSTED__INTEGRATION__GHE__CLIENT_SECRET` for `client_secret` of the integration `ghe`. They beat the
//! file. Behind the prefix upper and lower case are the same, and what is neither letter nor digit in an id is `_`.
//!
//! An integration that the file does not have can be made of variables alone, if its `…__PLATFORM` is among them: without that
//! rule a mistyped id would silently be a new integration.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::config::file::{self, unknown_key};
use crate::config::keys::{IntegrationKeys, TypedConfig};
use crate::config::place::{Place, Placed, Problem};
use crate::config::section::{Kind, Raw, Section, find_key};
use crate::config::suggestion::{hint, nearest, shown};

/// What the variables of single keys begin with.
pub const PREFIX: &str = "PACKAGIST_SELFHOSTED__";
/// The variable that names the file.
pub const FILE_VARIABLE: &str = "PACKAGIST_SELFHOSTED_CONFIG";
const INTEGRATION: &str = "INTEGRATION__";

/// The variables that concern us.
#[derive(Debug, Default)]
pub struct Variables {
    /// The file that [`FILE_VARIABLE`] names.
    pub file: Option<OsString>,
    /// By name, so that findings have one order.
    keys: BTreeMap<String, String>,
}

impl Variables {
    /// Picks them from an environment such as `std::env::vars_os()`.
    pub fn pick<K, V>(environment: impl IntoIterator<Item = (K, V)>, problems: &mut Vec<Problem>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut picked = Self::default();
        for (name, value) in environment {
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            let value = value.into();
            if name == FILE_VARIABLE {
                picked.file = Some(value).filter(|value| !value.is_empty());
            } else if name.starts_with(PREFIX) {
                match value.into_string() {
                    Ok(value) => drop(picked.keys.insert(name, value)),
                    Err(_) => problems.push(problem(&name, "the value is not UTF-8")),
                }
            }
        }
        picked
    }

    /// Puts them over what the file gave.
    pub fn apply(&self, typed: &mut TypedConfig, problems: &mut Vec<Problem>) {
        let mut seen = BTreeMap::new();
        for (variable, value) in &self.keys {
            let path = variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_uppercase();
            let outcome = match path.strip_prefix(INTEGRATION) {
                Some(rest) => self
                    .integration(rest, typed)
                    .and_then(|(section, key)| put(section, &key, variable, value, &mut seen, &path)),
                None => section(&path, typed)
                    .and_then(|(section, key)| put(section, &key, variable, value, &mut seen, &path)),
            };
            if let Err(message) = outcome {
                problems.push(problem(variable, message));
            }
        }
    }

    /// The integration and key of `GHE__CLIENT_SECRET`.
    fn integration<'t>(&self, rest: &str, typed: &'t mut TypedConfig) -> Result<(&'t mut dyn Section, String), String> {
        let (id, key) = rest.rsplit_once("__").ok_or_else(shape)?;
        let fits = |keys: &IntegrationKeys| keys.id.as_ref().is_some_and(|placed| variable_form(&placed.value) == id);
        let found: Vec<usize> = (0..typed.integrations.len()).filter(|at| fits(&typed.integrations[*at])).collect();
        let at = match found.as_slice() {
            [at] => *at,
            [] => self.new_integration(id, typed)?,
            _ => {
                return Err(
                    "several integrations have this id once `.`, `-` and `_` are the same: set the key in the file"
                        .to_owned(),
                );
            }
        };
        let section = typed.integrations.get_mut(at).ok_or_else(shape)?;
        Ok((section, key.to_ascii_lowercase()))
    }

    fn new_integration(&self, id: &str, typed: &mut TypedConfig) -> Result<usize, String> {
        let platform = format!("{PREFIX}{INTEGRATION}{id}__PLATFORM");
        if !self.keys.keys().any(|name| name.to_ascii_uppercase() == platform) {
            let known: Vec<String> = typed
                .integrations
                .iter()
                .flat_map(|keys| &keys.id)
                .map(|placed| variable_form(&placed.value).to_lowercase())
                .collect();
            let platform = format!("{PREFIX}{INTEGRATION}{}__PLATFORM", shown(id));
            let id = id.to_lowercase();
            let hint = nearest(&id, known.iter().map(String::as_str));
            let hint = hint.map_or_else(String::new, |known| format!("; did you mean {}?", known.to_uppercase()));
            return Err(format!(
                "there is no integration `{}` (to add one by variables alone, set {platform} too){hint}",
                shown(&id),
            ));
        }
        let place = Place::Variable(platform);
        typed.integrations.push(IntegrationKeys {
            declared: Some(place.clone()),
            id: Some(Placed { value: id.to_lowercase(), place }),
            ..IntegrationKeys::default()
        });
        Ok(typed.integrations.len() - 1)
    }
}

/// The section and key of `SERVER__TLS__CERTIFICATE`.
fn section<'t>(path: &str, typed: &'t mut TypedConfig) -> Result<(&'t mut dyn Section, String), String> {
    let path = path.to_ascii_lowercase();
    let (section, key) = path.rsplit_once("__").ok_or_else(shape)?;
    let section = section.replace("__", ".");
    if typed.section_mut(&section).is_none() {
        let sections = typed.sections_mut();
        let hint = hint(&section, sections.iter().map(|section| section.path()).chain(["integration"]));
        return Err(format!("unknown section `{}`{hint}", shown(&section)));
    }
    let section = typed.section_mut(&section).ok_or_else(shape)?;
    Ok((section, key.to_owned()))
}

fn put(
    section: &mut dyn Section,
    name: &str,
    variable: &str,
    value: &str,
    seen: &mut BTreeMap<String, bool>,
    path: &str,
) -> Result<(), String> {
    let (key, is_file) = find_key(section.keys(), name).ok_or_else(|| unknown_key(name, section))?;
    let one_form = if is_file { path.strip_suffix("_FILE").unwrap_or(path) } else { path };
    if seen.insert(one_form.to_owned(), is_file).is_some() {
        return Err(format!("`{0}` and `{0}_file` are both given: unset one of the variables", key.name));
    }
    let place = Place::Variable(variable.to_owned());
    let raw = raw(key.kind, value, &place)?;
    section.put(key.name, raw, is_file, place).map_err(|_| format!("it must be {}", wanted(key.kind)))
}

/// What a variable's text is for a key of that kind.
fn raw(kind: Kind, value: &str, place: &Place) -> Result<Raw, String> {
    let text = value.trim();
    let wrong = || format!("it must be {}", wanted(kind));
    match kind {
        Kind::List if text.starts_with('[') => match file::value(text, place) {
            Some(list @ Raw::List(_)) => Ok(list),
            _ => Err(wrong()),
        },
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Raw::List(items.map(|item| Placed { value: item.to_owned(), place: place.clone() }).collect()))
        }
        _ if text.is_empty() => Err("it is empty: unset the variable to use the default".to_owned()),
        Kind::Text => Ok(Raw::Text(text.to_owned())),
        // As in a secret's file, a line break at the end is the editor's.
        Kind::Secret => Ok(Raw::Text(value.trim_end_matches(['\r', '\n']).to_owned())),
        Kind::Number => text.parse().map(Raw::Number).map_err(|_| wrong()),
        Kind::Flag => text.parse().map(Raw::Flag).map_err(|_| wrong()),
    }
}

const fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Secret => "a text",
        Kind::List => "a list: `a, b` or `[\"a\", \"b\"]`",
        Kind::Number => "a whole number",
        Kind::Flag => "`true` or `false`",
    }
}

fn variable_form(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn shape() -> String {
    format!("write {PREFIX}SECTION__KEY or {PREFIX}{INTEGRATION}ID__KEY")
}

fn problem(variable: &str, message: impl Into<String>) -> Problem {
    Problem { place: Place::Variable(variable.to_owned()), message: message.into() }
}
