//! JSON as PHP's `json_decode($text, true)` reads it, with bounds.
//!
//! Not `serde_json::Value`'s own reader: that one treats an object with a certain first key as raw JSON (the `raw_value`
//! feature), has no bound on the number of values, and keeps integers that PHP would read as floats.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{MAX_DEPTH, MAX_VALUES, ManifestError, php};

/// The key by which `serde_json` recognises raw values when it reads a document: data must not contain it.
const RESERVED_KEY: &str = "$serde_json::private::RawValue";

/// Parses one JSON text, and counts the members of its arrays and objects.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, usize), ManifestError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(ManifestError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ManifestError::NotUtf8 { offset: error.valid_up_to() })?;
    if php::trim(text).is_empty() {
        return Err(ManifestError::Empty);
    }
    let budget = Cell::new(MAX_VALUES);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node { depth: 0, budget: &budget }.deserialize(&mut reader).map_err(|error| explain(&error))?;
    reader.end().map_err(|error| explain(&error))?;
    Ok((value, MAX_VALUES - budget.get()))
}

fn explain(error: &serde_json::Error) -> ManifestError {
    match error.classify() {
        serde_json::error::Category::Data => ManifestError::BeyondLimits(error.to_string()),
        _ => ManifestError::NotJson(error.to_string()),
    }
}

/// Reads one value at `depth` enclosing arrays and objects, taking its members from the common budget.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    budget: &'a Cell<usize>,
}

impl Node<'_> {
    fn enter<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1, budget: self.budget })
    }

    fn spend<E: Error>(self) -> Result<(), E> {
        let left = self
            .budget
            .get()
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("it has more than {MAX_VALUES} values")))?;
        self.budget.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        // PHP's integers have 64 bits with sign; what is larger becomes a float.
        #[expect(clippy::cast_precision_loss, reason = "PHP loses the same precision, and we publish what it reads")]
        i64::try_from(value).map_or_else(|_| self.visit_f64(value as f64), |n| Ok(Value::from(n)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("it contains a number that is not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let member = self.enter()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(member)? {
            member.spend()?;
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let member = self.enter()?;
        let mut fields = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            member.spend()?;
            if key == RESERVED_KEY {
                return Err(A::Error::custom(format_args!("the key \"{RESERVED_KEY}\" is reserved")));
            }
            // As in PHP, a key that comes twice keeps its first place and its last value.
            fields.insert(key, access.next_value_seed(member)?);
        }
        Ok(php::array(fields))
    }
}
