//! The rules of PHP values that show in what Composer publishes.
//!
//! A PHP array is list and dictionary in one. Here an array is `Value::Array` or `Value::Object`, whichever of the two
//! `json_encode` would write; only the empty one keeps the form that its author gave it.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

/// The characters that PHP's `trim` removes.
const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\x0B'];

/// PHP's `trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(BLANK)
}

/// PHP's `empty`.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(_) | Value::Object(_) => !is_filled_array(value),
    }
}

/// PHP's `is_array`.
pub(super) const fn is_array(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// An array with at least one member.
pub(super) fn is_filled_array(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    }
}

/// What a person calls the type of a value.
pub(super) const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The members of an array with their keys; nothing for what is no array.
pub(super) fn entries(value: &Value) -> Box<dyn Iterator<Item = (Cow<'_, str>, &Value)> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter().enumerate().map(|(n, item)| (Cow::Owned(n.to_string()), item))),
        Value::Object(fields) => Box::new(fields.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value))),
        _ => Box::new(std::iter::empty()),
    }
}

/// An array from its members: a list where the keys are 0, 1, 2, …, since PHP reads `{"0": "a"}` as `["a"]`.
pub(super) fn array(fields: Map<String, Value>) -> Value {
    let is_list = !fields.is_empty()
        && fields.keys().enumerate().all(|(n, key)| key.len() < 20 && key.parse() == Ok(n) && is_integer_key(key));
    if is_list { Value::Array(fields.into_iter().map(|(_, value)| value).collect()) } else { Value::Object(fields) }
}

/// Whether PHP makes an integer of this array key: the decimal form of a 64-bit integer, written as PHP would write it.
pub(super) fn is_integer_key(key: &str) -> bool {
    key.parse::<i64>().is_ok_and(|number| number.to_string() == key)
}

/// `ksort`: the members in the order of their keys.
pub(super) fn sorted_by_key(fields: Map<String, Value>) -> Value {
    let members = sort(fields.into_iter().collect(), &|a, b| compare(&a.0, &b.0));
    array(members.into_iter().collect())
}

/// `sort` on strings.
pub(super) fn sorted(items: Vec<String>) -> Vec<String> {
    sort(items, &|a, b| compare(a, b))
}

/// Sorts as PHP does, stably and in the same way where the order has cycles.
///
/// PHP's order of strings has them (`"10" < "9a"`, `"9a" < "9b"`, but `"9" < "10"`): the standard library's sort may panic on such,
/// and what comes out depends on which elements are compared. Up to sixteen elements this follows PHP step by step.
fn sort<T>(items: Vec<T>, order: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    const MOST_FOR_INSERTION: usize = 16;
    if items.len() > MOST_FOR_INSERTION {
        return merge_sort(items, order);
    }
    // Where two are equal their first order decides, so that nothing counts as equal.
    let mut items: Vec<(usize, T)> = items.into_iter().enumerate().collect();
    insertion_sort(&mut items, &|a, b| order(&a.1, &b.1).then(a.0.cmp(&b.0)).is_gt());
    items.into_iter().map(|(_, item)| item).collect()
}

/// `zend_insert_sort`.
fn insertion_sort<T>(items: &mut [T], after: &impl Fn(&T, &T) -> bool) {
    if (3..=5).contains(&items.len()) {
        sort_three(items, after);
        for at in 3..items.len() {
            insert_from_behind(items, at, after);
        }
        return;
    }
    for at in 1..items.len() {
        if at < 6 {
            insert_from_behind(items, at, after);
        } else {
            insert_by_twos(items, at, after);
        }
    }
}

/// `zend_sort_3`, on the first three.
fn sort_three<T>(items: &mut [T], after: &impl Fn(&T, &T) -> bool) {
    let [a, b, c, ..] = items else { return };
    match (after(a, b), after(b, c)) {
        (false, false) => {}
        (true, true) => std::mem::swap(a, c),
        (false, true) => {
            std::mem::swap(b, c);
            if after(a, b) {
                std::mem::swap(a, b);
            }
        }
        (true, false) => {
            std::mem::swap(a, b);
            if after(b, c) {
                std::mem::swap(b, c);
            }
        }
    }
}

fn insert_from_behind<T>(items: &mut [T], at: usize, after: &impl Fn(&T, &T) -> bool) {
    let place = (0..at).rev().find(|before| !after(&items[*before], &items[at])).map_or(0, |before| before + 1);
    items[place..=at].rotate_right(1);
}

/// The same, asking every second element only.
fn insert_by_twos<T>(items: &mut [T], at: usize, after: &impl Fn(&T, &T) -> bool) {
    let mut place = at - 1;
    if !after(&items[place], &items[at]) {
        return;
    }
    while place > 0 {
        if place == 1 {
            place = usize::from(after(&items[at], &items[0]));
            break;
        }
        place -= 2;
        if !after(&items[place], &items[at]) {
            place += 1;
            if !after(&items[place], &items[at]) {
                place += 1;
            }
            break;
        }
    }
    items[place..=at].rotate_right(1);
}

/// A stable sort that bears an order with cycles.
fn merge_sort<T>(items: Vec<T>, order: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let mut right = merge_sort(right, order).into_iter().peekable();
    let mut left = merge_sort(left, order).into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let side = if order(a, b) == Ordering::Greater { &mut right } else { &mut left };
        merged.extend(side.next());
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// PHP 8's `<=>` on two strings: as numbers if both look like numbers, else by their bytes.
fn compare(a: &str, b: &str) -> Ordering {
    match (numeric(a), numeric(b)) {
        (Some(Numeric::Integer(x)), Some(Numeric::Integer(y))) => x.cmp(&y),
        // Two integers beyond 64 bits may be equal as floats without being the same.
        (Some(Numeric::Beyond(x)), Some(Numeric::Beyond(y))) if x == y => a.cmp(b),
        (Some(x), Some(y)) => x.as_float().partial_cmp(&y.as_float()).unwrap_or(Ordering::Equal),
        _ => a.cmp(b),
    }
}

/// A string that PHP calls numeric.
enum Numeric {
    Integer(i64),
    Float(f64),
    /// Written as an integer and too large for one.
    Beyond(f64),
}

impl Numeric {
    #[expect(clippy::cast_precision_loss, reason = "PHP compares an integer with a float as floats")]
    const fn as_float(&self) -> f64 {
        match self {
            Self::Integer(n) => *n as f64,
            Self::Float(x) | Self::Beyond(x) => *x,
        }
    }
}

fn numeric(text: &str) -> Option<Numeric> {
    let body = text.trim_matches([' ', '\t', '\n', '\r', '\x0B', '\x0C']);
    let digits = body.strip_prefix(['+', '-']).unwrap_or(body);
    let looks_numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !looks_numeric {
        return None;
    }
    if let Ok(integer) = body.parse() {
        return Some(Numeric::Integer(integer));
    }
    let float: f64 = body.parse().ok()?;
    let integer = digits.bytes().all(|c| c.is_ascii_digit());
    Some(if integer { Numeric::Beyond(float) } else { Numeric::Float(float) })
}

/// `strval`, or `None` for an array, which has no text.
pub(super) fn strval(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) => float_text(float),
            (None, None) => return None,
        },
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// A float as PHP prints it with its default `precision` of 14 digits.
fn float_text(float: f64) -> String {
    const PRECISION: i32 = 14;
    let scientific = format!("{float:.13e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let negative = if float.is_sign_negative() { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return format!("{negative}0");
    }
    let (first, rest) = digits.split_at(1);
    if !(-4..PRECISION).contains(&exponent) {
        let rest = if rest.is_empty() { "0" } else { rest };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{negative}{first}.{rest}E{sign}{}", exponent.abs());
    }
    let point = usize::try_from(exponent + 1).unwrap_or(0);
    if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("{negative}0.{}{digits}", "0".repeat(zeros));
    }
    if digits.len() <= point {
        return format!("{negative}{digits}{}", "0".repeat(point - digits.len()));
    }
    let (whole, fraction) = digits.split_at(point);
    format!("{negative}{whole}.{fraction}")
}
