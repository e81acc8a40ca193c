//! The dates that people write into `time`, read as PHP's `new DateTime($text, UTC)` reads them, and written as RFC 3339.
//!
//! PHP accepts a whole language of dates. Read here: ISO 8601 with its usual liberties, American and European dates in figures,
//! month names, RFC 2822, unix times, each with or without a time of day and an offset. What depends on the present ("yesterday",
//! a time without a date), names of places ("Europe/Berlin") and week numbers count as unreadable, and an unreadable
//! `time` is one that Composer ignores.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A readable `time`: the instant, and the offset in which it was written (which Composer keeps).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(super) unix: i64,
    /// Seconds east of UTC.
    pub(super) offset: i32,
}

impl Moment {
    /// PHP's `DATE_RFC3339`.
    pub(super) fn rfc3339(self) -> String {
        let local = self.unix.saturating_add(i64::from(self.offset));
        let (year, month, day) = civil(local.div_euclid(DAY));
        let second = local.rem_euclid(DAY);
        let sign = if self.offset < 0 { '-' } else { '+' };
        let zone = self.offset.abs() / 60;
        let era = if year < 0 { "-" } else { "" };
        format!(
            "{era}{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
            year.abs(),
            second / 3600,
            second / 60 % 60,
            second % 60,
            zone / 60,
            zone % 60,
        )
    }
}

/// A unix time as Composer writes commit dates: RFC 3339 in UTC.
#[must_use]
pub fn format_rfc3339(unix: i64) -> String {
    Moment { unix, offset: 0 }.rfc3339()
}

/// The instant that a `time` in metadata means, in unix seconds.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    parse(text).map(|moment| moment.unix)
}

const DAY: i64 = 86_400;

/// Reads a `time`; `None` where Composer would have none.
pub(super) fn parse(text: &str) -> Option<Moment> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        let unix = text.parse().ok()?;
        return Some(Moment { unix, offset: 0 });
    }
    if text.len() > 100 {
        return None;
    }
    let mut rest = text.trim_matches([' ', '\t', '\n', '\r']);
    let mut parts = Parts::default();
    while !rest.is_empty() {
        let used = SHAPES.iter().find_map(|shape| shape.read(rest, &mut parts)).filter(|used| *used > 0)?;
        rest = rest.get(used..)?.trim_start_matches([' ', '\t', ',']);
    }
    parts.moment()
}

/// What has been found in a text so far. Each part may come once.
#[derive(Default)]
struct Parts {
    unix: Option<i64>,
    date: Option<(i64, i64, i64)>,
    weekday: Option<i64>,
    second: Option<i64>,
    offset: Option<i32>,
}

impl Parts {
    fn moment(&self) -> Option<Moment> {
        let offset = self.offset.unwrap_or(0);
        if let Some(unix) = self.unix {
            return Some(Moment { unix, offset: 0 });
        }
        let (year, month, day) = self.date?;
        // Day 0 and month 0 are the ones before the first, day 31 of a short month runs into the next.
        let mut days = days_from_civil(year, month, 1).checked_add(day - 1)?;
        if let Some(weekday) = self.weekday {
            days += (weekday - (days + 4).rem_euclid(7)).rem_euclid(7);
        }
        let local = days.checked_mul(DAY)?.checked_add(self.second.unwrap_or(0))?;
        Some(Moment { unix: local.checked_sub(i64::from(offset))?, offset })
    }
}

/// One way to write a part, and what to make of it.
struct Shape {
    pattern: Regex,
    take: fn(&Captures<'_>, &mut Parts) -> Option<()>,
}

impl Shape {
    fn read(&self, text: &str, parts: &mut Parts) -> Option<usize> {
        let found = self.pattern.captures(text)?;
        (self.take)(&found, parts)?;
        found.get(0).map(|whole| whole.end())
    }
}

const MONTH: &str = "(?<m>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
const WEEKDAY: &str = "(?<w>sun|mon|tue|wed|thu|fri|sat)(?:day|sday|nesday|rsday|urday)?\\b";

/// In the order in which they are tried: the longer before the shorter.
static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shape = |pattern: &str, take| Shape {
        pattern: Regex::new(&format!("^(?i:{pattern})")).expect("the pattern is a constant"),
        take,
    };
    let suffix = "(?:st|nd|rd|th)?";
    vec![
        shape(r"@(?<u>-?[0-9]{1,18})(?:\.[0-9]{0,6})?$", take_unix),
        shape(r"(?<y>[+-]?[0-9]{4})-(?<m>[0-9]{1,2})-(?<d>[0-9]{1,2})", take_date),
        shape(r"(?<y>[0-9]{4})/(?<m>[0-9]{1,2})/(?<d>[0-9]{1,2})", take_date),
        shape(r"(?<m>[0-9]{1,2})/(?<d>[0-9]{1,2})/(?<y>[0-9]{4})", take_date),
        shape(r"(?<d>[0-9]{1,2})[.\t-](?<m>[0-9]{1,2})[.-](?<y>[0-9]{4})", take_date),
        shape(&format!(r"(?<d>[0-9]{{1,2}}){suffix}[ \t.-]*{MONTH}[ \t.,-]*(?<y>[0-9]{{4}})"), take_date),
        shape(&format!(r"{MONTH}[ .\t-]*(?<d>[0-9]{{1,2}}){suffix}[ ,.\t-]+(?<y>[0-9]{{4}})"), take_date),
        shape(&format!(r"(?<y>[0-9]{{4}})-{MONTH}-(?<d>[0-9]{{1,2}})"), take_date),
        shape(r"(?<y>[0-9]{4})(?<m>[0-9]{2})(?<d>[0-9]{2})", take_date),
        shape(&format!(r"{MONTH}[ .\t-]+(?<y>[0-9]{{4}})"), take_date),
        shape(r"(?<y>[0-9]{4})-(?<m>[0-9]{1,2})", take_date),
        shape(WEEKDAY, take_weekday),
        shape(
            r"t?(?<h>[0-9]{1,2})[:.](?<i>[0-9]{2})[:.](?<s>[0-9]{2})(?:[.:][0-9]+)?(?:\s*(?<p>[ap])\.?m\.?)?",
            take_time,
        ),
        shape(r"t?(?<h>[0-9]{1,2})[:.](?<i>[0-9]{1,2})(?::(?<s>[0-9]{1,2}))?(?:\s*(?<p>[ap])\.?m\.?)?", take_time),
        shape(r"(?<h>[0-9]{1,2})\s*(?<p>[ap])\.?m\.?", take_time),
        shape(r"t?(?<h>[0-9]{2})(?<i>[0-9]{2})(?<s>[0-9]{2})?", take_time),
        shape(r"t(?<h>[0-9]{1,2})", take_time),
        shape(r"\(?(?:gmt|utc)?(?<sign>[+-])(?<h>[0-9]{1,2}):?(?<i>[0-9]{2})?\)?", take_offset),
        shape(r"\(?(?<n>[a-z]{1,4})\)?$", take_zone),
    ]
});

fn number(found: &Captures<'_>, name: &str) -> Option<i64> {
    found.name(name)?.as_str().parse().ok()
}

fn take_unix(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    parts.unix = Some(number(found, "u")?);
    Some(())
}

fn take_date(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    let month = number(found, "m").or_else(|| month_number(found.name("m")?.as_str()))?;
    let day = match found.name("d") {
        Some(day) => day.as_str().parse().ok()?,
        None => 1,
    };
    let year = number(found, "y")?;
    if parts.date.is_some() || month > 12 || day > 31 {
        return None;
    }
    parts.date = Some((year, month, day));
    Some(())
}

fn month_number(name: &str) -> Option<i64> {
    const NAMES: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    let start = name.get(..3)?.to_ascii_lowercase();
    let index = NAMES.find(&start)?;
    i64::try_from(index / 3 + 1).ok()
}

fn take_weekday(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    const NAMES: &str = "sunmontuewedthufrisat";
    let index = NAMES.find(&found.name("w")?.as_str().to_ascii_lowercase())?;
    parts.weekday = Some(i64::try_from(index / 3).ok()?);
    Some(())
}

fn take_time(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    let mut hour = number(found, "h")?;
    let minute = number(found, "i").unwrap_or(0);
    let second = number(found, "s").unwrap_or(0);
    if let Some(half) = found.name("p") {
        if !(1..=12).contains(&hour) {
            return None;
        }
        let afternoon = half.as_str().eq_ignore_ascii_case("p");
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    if parts.second.is_some() || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    parts.second = Some(hour * 3600 + minute * 60 + second);
    Some(())
}

fn take_offset(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    let seconds = number(found, "h")? * 3600 + number(found, "i").unwrap_or(0) * 60;
    let seconds = i32::try_from(seconds).ok()?;
    let east = found.name("sign")?.as_str() == "+";
    set_offset(parts, if east { seconds } else { -seconds })
}

/// The abbreviations that are met in practice, in hours east of UTC.
fn take_zone(found: &Captures<'_>, parts: &mut Parts) -> Option<()> {
    let name = found.name("n")?.as_str().to_ascii_uppercase();
    if let &[letter] = name.as_bytes() {
        return set_offset(parts, military(letter)? * 3600);
    }
    let hours = match name.as_str() {
        "UTC" | "GMT" | "WET" => 0,
        "CET" | "BST" | "WEST" => 1,
        "CEST" | "EET" => 2,
        "EEST" | "MSK" => 3,
        "JST" => 9,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => return None,
    };
    set_offset(parts, hours * 3600)
}

/// The zones of one letter: east from A without J, west from N.
fn military(letter: u8) -> Option<i32> {
    Some(match letter {
        b'A'..=b'I' => i32::from(letter - b'A') + 1,
        b'K'..=b'M' => i32::from(letter - b'K') + 10,
        b'N'..=b'Y' => -i32::from(letter - b'N') - 1,
        b'Z' => 0,
        _ => return None,
    })
}

fn set_offset(parts: &mut Parts, offset: i32) -> Option<()> {
    if parts.offset.is_some() || offset.abs() > 24 * 3600 {
        return None;
    }
    parts.offset = Some(offset);
    Some(())
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; the month may be 0 (the December before).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is a year's last.
    let shifted = year * 12 + month - 3;
    let (year, month) = (shifted.div_euclid(12), shifted.rem_euclid(12));
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (year_of_era + era * 400, month + 3) } else { (year_of_era + era * 400 + 1, month - 9) };
    (year, month, day)
}
