//! What every key says in the end, and where that was given: for people who ask why the server does what it does.

use super::keys::TypedConfig;
use super::place::Place;
use super::section::{Kind, Section};

/// A key with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its section: `server`, `integration ghe`.
    pub section: String,
    /// Its name there.
    pub key: &'static str,
    /// What it says; none if nothing does. Of a secret, only that it is set.
    pub value: Option<String>,
    /// Whether it is a secret.
    pub secret: bool,
    /// Where that was given.
    pub place: Place,
}

/// All keys in the order of the example file; of integrations, only those that were given.
pub(super) fn effective(typed: &mut TypedConfig) -> Vec<Effective> {
    let mut all = Vec::new();
    for section in typed.sections_mut() {
        keys(section, section.path(), true, &mut all);
    }
    for integration in &typed.integrations {
        let id = integration.id.as_ref().map_or("", |placed| &placed.value);
        keys(integration, &format!("integration {id}"), false, &mut all);
    }
    all
}

fn keys(section: &dyn Section, name: &str, unset: bool, all: &mut Vec<Effective>) {
    let (values, places) = (section.values(), section.places());
    for key in section.keys() {
        let value = values.iter().find(|(given, _)| *given == key.name).map(|(_, value)| value.clone());
        let place = places.iter().find(|(given, _)| *given == key.name).map(|(_, place)| place.clone());
        if value.is_some() || unset {
            all.push(Effective {
                section: name.to_owned(),
                key: key.name,
                value,
                secret: key.kind == Kind::Secret,
                place: place.unwrap_or(Place::Default),
            });
        }
    }
}
