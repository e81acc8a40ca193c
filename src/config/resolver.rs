//! The ways to read one key, and the place where everything that is wrong is collected.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::place::{Place, Placed, Problem};
use crate::config::section::{Secret, Section};
use crate::config::values::{self, Read};

/// Bytes of the largest secret file: a private key has a few thousand.
const LARGEST_SECRET: u64 = 64 * 1024;

/// Reads values and collects what is wrong with them.
pub(super) struct Resolver {
    /// What relative paths are relative to: the file's directory.
    base: PathBuf,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Whether the file itself holds a secret.
    pub(super) has_inline_secrets: bool,
}

/// The place of a value; where there is none, of its section.
pub(super) fn place_of<T>(section: &dyn Section, field: &Option<Placed<T>>) -> Place {
    field.as_ref().map_or_else(|| section.place(), |placed| placed.place.clone())
}

impl Resolver {
    pub(super) fn new(base: PathBuf, problems: Vec<Problem>) -> Self {
        Self { base, problems, warnings: Vec::new(), has_inline_secrets: false }
    }

    pub(super) fn required<T>(
        &mut self,
        section: &dyn Section,
        key: &str,
        field: &Option<Placed<String>>,
        read: impl Fn(&str) -> Read<T>,
    ) -> Option<T> {
        match self.optional(key, field, read)? {
            Some(value) => Some(value),
            None => self.missing(section, key),
        }
    }

    /// `Some(None)` where the key was not given, `None` where its value is wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        field: &Option<Placed<String>>,
        read: impl Fn(&str) -> Read<T>,
    ) -> Option<Option<T>> {
        let Some(placed) = field else {
            return Some(None);
        };
        match read(&placed.value) {
            Ok(value) => Some(Some(value)),
            Err(message) => self.complain(placed.place.clone(), format!("`{key}` {message}")),
        }
    }

    pub(super) fn each<T>(
        &mut self,
        key: &str,
        field: &Option<Placed<Vec<Placed<String>>>>,
        read: impl Fn(&str) -> Read<T>,
    ) -> Option<Vec<T>> {
        let items = field.iter().flat_map(|placed| &placed.value);
        let mut values = Vec::new();
        let before = self.problems.len();
        for item in items {
            match read(&item.value) {
                Ok(value) => values.extend([value]),
                Err(message) => {
                    self.problems.push(Problem { place: item.place.clone(), message: format!("`{key}` {message}") })
                }
            }
        }
        (self.problems.len() == before).then_some(values)
    }

    pub(super) fn secret(&mut self, key: &str, field: &Option<Placed<Secret>>) -> Option<Option<SecretString>> {
        let Some(placed) = field else {
            return Some(None);
        };
        let (secret, key) = match &placed.value {
            Secret::Inline(secret) => {
                self.has_inline_secrets |= matches!(placed.place, Place::File { .. });
                (secret.clone(), key.to_owned())
            }
            Secret::File(path) => {
                let path = self.absolute(path, &placed.place);
                let key = format!("{key}_file");
                match read_secret(&path) {
                    Ok((secret, is_open)) => {
                        if is_open {
                            self.warn(
                                placed.place.clone(),
                                format!("everybody on this machine can read {}: run `chmod o= {0}`", path.display()),
                            );
                        }
                        (secret, key)
                    }
                    Err(error) => {
                        let message = format!("`{key}`: {} cannot be read: {error}", path.display());
                        return self.complain(placed.place.clone(), message);
                    }
                }
            }
        };
        if secret.expose_secret().trim().is_empty() {
            return self.complain(placed.place.clone(), format!("`{key}` is empty"));
        }
        Some(Some(secret))
    }

    pub(super) fn path(&mut self, section: &dyn Section, key: &str, field: &Option<Placed<String>>) -> Option<PathBuf> {
        let text = self.required(section, key, field, values::text)?;
        Some(self.absolute(&text, &place_of(section, field)))
    }

    pub(super) fn readable_file(
        &mut self,
        section: &dyn Section,
        key: &str,
        field: &Option<Placed<String>>,
    ) -> Option<PathBuf> {
        let path = self.path(section, key, field)?;
        match open_file(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                let message = format!("`{key}`: {} cannot be read: {error}", path.display());
                self.complain(place_of(section, field), message)
            }
        }
    }

    /// Relative to the file's directory, whoever set it in the file or a variable; an option of the command line is typed in a
    /// shell, and means what it would mean to `ls` there.
    pub(super) fn absolute(&self, path: &str, place: &Place) -> PathBuf {
        let joined = if matches!(place, Place::Argument(_)) { PathBuf::from(path) } else { self.base.join(path) };
        // It fails only without a current directory; the path is then left as it is, and opening it tells why.
        let absolute = std::path::absolute(&joined).unwrap_or(joined);
        absolute.components().collect()
    }

    pub(super) fn missing<T>(&mut self, section: &dyn Section, key: &str) -> Option<T> {
        let message = format!("`{key}` is missing below `{}`", heading(section.path()));
        self.complain(section.place(), message)
    }

    /// Notes a problem; always `None`, for the caller to return.
    pub(super) fn complain<T>(&mut self, place: Place, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { place, message: message.into() });
        None
    }

    pub(super) fn warn(&mut self, place: Place, message: impl Into<String>) {
        self.warnings.push(Problem { place, message: message.into() });
    }
}

fn heading(path: &str) -> String {
    if path == "integration" { "[[integration]]".to_owned() } else { format!("[{path}]") }
}

/// A regular file; a pipe would keep the start waiting.
fn open_file(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok((File::open(path)?, metadata))
}

/// The secret without the line break that editors leave behind it, and whether everybody can read the file.
fn read_secret(path: &Path) -> io::Result<(SecretString, bool)> {
    let (file, metadata) = open_file(path)?;
    if metadata.len() > LARGEST_SECRET {
        return Err(io::Error::other("it is too large for a secret"));
    }
    let mut text = String::new();
    file.take(LARGEST_SECRET).read_to_string(&mut text)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok((text.into(), metadata.mode() & 0o004 != 0))
}
