//! What a section of `config.toml` is made of: keys with a kind, a default and a text. [`sections!`] turns one declaration into
//! the struct that holds what was typed, the table that the example file is written from, and the code that fills one from
//! the other, so that the three cannot disagree.

use secrecy::SecretString;

use crate::config::place::{Place, Placed};

/// A value as it was typed, before anybody asked what it means.
#[derive(Clone, Debug)]
pub enum Raw {
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list of strings.
    List(Vec<Placed<String>>),
    /// Something that no key takes, by its name.
    Other(&'static str),
}

impl Raw {
    /// What it is, for "… not a number".
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Flag(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Other(name) => name,
        }
    }
}

/// Kinds of keys, by the type that holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string, whose meaning is checked when it is resolved.
    Text,
    /// A list of strings.
    List,
    /// An integer.
    Number,
    /// A boolean.
    Flag,
    /// A secret `x`, which may be given as `x_file`.
    Secret,
}

impl Kind {
    /// What the key wants, for "must be …".
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a string in quotes",
            Self::List => "a list of strings",
            Self::Number => "a whole number without quotes",
            Self::Flag => "true or false without quotes",
        }
    }
}

/// A string.
pub type Text = String;
/// A list of strings, each with its place.
pub type List = Vec<Placed<String>>;
/// An integer.
pub type Number = i64;
/// A boolean.
pub type Flag = bool;

/// A secret as it was typed.
#[derive(Clone, Debug)]
pub enum Secret {
    /// In the configuration itself.
    Inline(SecretString),
    /// In a file of its own.
    File(String),
}

/// A type that a key's value can have.
pub trait Typed: Sized {
    /// The kind that stands for it in the table.
    const KIND: Kind;
    /// The value, or what was typed where it does not fit. `is_file` tells that the key was given as `x_file`.
    fn from_raw(raw: Raw, is_file: bool) -> Result<Self, Raw>;
    /// The value for people; of a secret, only that it is set.
    fn text(&self) -> String;
}

impl Typed for Text {
    const KIND: Kind = Kind::Text;
    fn from_raw(raw: Raw, _: bool) -> Result<Self, Raw> {
        if let Raw::Text(text) = raw { Ok(text) } else { Err(raw) }
    }

    fn text(&self) -> String {
        self.clone()
    }
}

impl Typed for List {
    const KIND: Kind = Kind::List;
    fn from_raw(raw: Raw, _: bool) -> Result<Self, Raw> {
        if let Raw::List(list) = raw { Ok(list) } else { Err(raw) }
    }

    fn text(&self) -> String {
        let items: Vec<&str> = self.iter().map(|item| item.value.as_str()).collect();
        if items.is_empty() { "none".to_owned() } else { items.join(", ") }
    }
}

impl Typed for Number {
    const KIND: Kind = Kind::Number;
    fn from_raw(raw: Raw, _: bool) -> Result<Self, Raw> {
        if let Raw::Number(number) = raw { Ok(number) } else { Err(raw) }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Typed for Flag {
    const KIND: Kind = Kind::Flag;
    fn from_raw(raw: Raw, _: bool) -> Result<Self, Raw> {
        if let Raw::Flag(flag) = raw { Ok(flag) } else { Err(raw) }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Typed for Secret {
    const KIND: Kind = Kind::Secret;
    fn from_raw(raw: Raw, is_file: bool) -> Result<Self, Raw> {
        match raw {
            Raw::Text(path) if is_file => Ok(Self::File(path)),
            Raw::Text(secret) => Ok(Self::Inline(secret.into())),
            other => Err(other),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Inline(_) => "set".to_owned(),
            Self::File(path) => format!("set, from the file {path}"),
        }
    }
}

/// What the example file shows behind a key, as TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The default.
    Default(&'static str),
    /// There is no default, or it depends on other keys: a value that could stand there.
    Example(&'static str),
}

impl Shown {
    /// The TOML text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Default(text) | Self::Example(text) => text,
        }
    }
}

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Default or example.
    pub shown: Shown,
    /// What it is for, line by line.
    pub help: &'static [&'static str],
}

/// A section as it was typed.
pub trait Section {
    /// Its name, with dots: `server.tls`.
    fn path(&self) -> &'static str;
    /// What it is for, line by line.
    fn help(&self) -> &'static [&'static str];
    /// Its keys, in the order of the example file.
    fn keys(&self) -> &'static [Key];
    /// Where its heading stands.
    fn declared(&self) -> Option<&Place>;
    /// The same, to be set.
    fn declared_mut(&mut self) -> &mut Option<Place>;
    /// Takes a value for one of its keys, replacing an earlier one. Gives the value back where it does not fit.
    fn put(&mut self, key: &str, raw: Raw, is_file: bool, place: Place) -> Result<(), Raw>;
    /// Where each given key was given.
    fn places(&self) -> Vec<(&'static str, Place)>;
    /// What each given key says, for people; of secrets, only that they are set.
    fn values(&self) -> Vec<(&'static str, String)>;
    /// Where findings about the section as a whole belong: its heading, or else the first of its keys.
    fn place(&self) -> Place {
        let first = || self.places().into_iter().map(|(_, place)| place).min();
        self.declared().cloned().or_else(first).unwrap_or(Place::Default)
    }
}

/// A key by the name that was typed, and whether it was its `_file` form.
pub fn find_key(keys: &'static [Key], typed: &str) -> Option<(&'static Key, bool)> {
    let named = |name: &str| keys.iter().find(|key| key.name == name);
    match named(typed) {
        Some(key) => Some((key, false)),
        None => named(typed.strip_suffix("_file")?).filter(|key| key.kind == Kind::Secret).map(|key| (key, true)),
    }
}

/// Declares sections; see the module's text.
macro_rules! sections {
    ($($(#[doc = $section_help:literal])+ $Name:ident = $path:literal {
        $($(#[doc = $help:literal])+ $key:ident: $kind:ident, $shown:ident($value:literal);)+
    })+) => {$(
        $(#[doc = $section_help])+
        #[derive(Debug, Default)]
        pub struct $Name {
            /// Where the section's heading stands.
            pub declared: Option<$crate::config::place::Place>,
            $($(#[doc = $help])+ pub $key: Option<$crate::config::place::Placed<$kind>>,)+
        }

        impl $crate::config::section::Section for $Name {
            fn path(&self) -> &'static str {
                $path
            }

            fn help(&self) -> &'static [&'static str] {
                &[$($section_help),+]
            }

            fn keys(&self) -> &'static [$crate::config::section::Key] {
                const KEYS: &[$crate::config::section::Key] = &[$($crate::config::section::Key {
                    name: stringify!($key),
                    kind: <$kind as $crate::config::section::Typed>::KIND,
                    shown: $crate::config::section::Shown::$shown($value),
                    help: &[$($help),+],
                }),+];
                KEYS
            }

            fn declared(&self) -> Option<&$crate::config::place::Place> {
                self.declared.as_ref()
            }

            fn declared_mut(&mut self) -> &mut Option<$crate::config::place::Place> {
                &mut self.declared
            }

            fn put(
                &mut self,
                key: &str,
                raw: $crate::config::section::Raw,
                is_file: bool,
                place: $crate::config::place::Place,
            ) -> Result<(), $crate::config::section::Raw> {
                match key {
                    $(stringify!($key) => {
                        let value = <$kind as $crate::config::section::Typed>::from_raw(raw, is_file)?;
                        self.$key = Some($crate::config::place::Placed { value, place });
                        Ok(())
                    })+
                    _ => Err(raw),
                }
            }

            fn values(&self) -> Vec<(&'static str, String)> {
                let mut values = Vec::new();
                $(if let Some(placed) = &self.$key {
                    values.push((stringify!($key), $crate::config::section::Typed::text(&placed.value)));
                })+
                values
            }

            fn places(&self) -> Vec<(&'static str, $crate::config::place::Place)> {
                let mut places = Vec::new();
                $(if let Some(placed) = &self.$key {
                    places.push((stringify!($key), placed.place.clone()));
                })+
                places
            }
        }
    )+};
}

pub(super) use sections;
