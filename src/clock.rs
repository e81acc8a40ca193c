//! Time as an argument.
//!
//! Nothing else in the house reads the machine's clock: whoever needs the time is given a [`Clock`], so that tests move it
//! by hand instead of sleeping. A [`Timestamp`] is the one form in which an instant is kept, in memory and in the database.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds of the first instant that all our formats can write, 0001-01-01T00:00:00Z.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
/// Microseconds of the last instant that all our formats can write, late on 9999-12-30.
const LAST_MICROS: i64 = 253_402_207_200_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
///
/// Values outside of that range are moved to its nearest end, so that writing an instant never fails. In JSON it is RFC 3339
/// in UTC (contract, section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not the date it should be.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a {expected}")]
pub struct TimestampError {
    text: String,
    expected: &'static str,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The last instant there is: what "never" means where an instant must stand.
    pub const MAX: Self = Self(LAST_MICROS);

    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < FIRST_MICROS {
            Self(FIRST_MICROS)
        } else if micros > LAST_MICROS {
            Self(LAST_MICROS)
        } else {
            Self(micros)
        }
    }

    /// From seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch: what the database keeps.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down also before it.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The same instant without its fraction of a second, as HTTP dates know it.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self::from_seconds(self.as_seconds())
    }

    /// RFC 3339 in UTC, `2026-11-22T15:06:19Z`; the fraction only where there is one.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.to_jiff().to_string()
    }

    /// The form of HTTP headers (IMF-fixdate, RFC 9110 section 5.6.7): `Sun, 22 Nov 2026 15:06:19 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.to_jiff())
            .expect("the constructor keeps the year between 1 and 9999")
    }

    /// Reads RFC 3339 with any offset.
    ///
    /// # Errors
    /// When the text is not such a date, or has no offset.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        bounded(text, "date and time like 2026-11-22T15:06:19Z")?
            .parse::<jiff::Timestamp>()
            .map(Self::from_jiff)
            .map_err(|_| refused(text, "date and time like 2026-11-22T15:06:19Z"))
    }

    /// Reads the date of an HTTP header in its one current form (IMF-fixdate).
    ///
    /// # Errors
    /// When the text is not such a date.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        const EXPECTED: &str = "date like Sun, 22 Nov 2026 15:06:19 GMT";
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(bounded(text, EXPECTED)?)
            .map(Self::from_jiff)
            .map_err(|_| refused(text, EXPECTED))
    }

    /// How much later this instant is than `earlier`; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).expect("the constructor keeps the range that jiff has")
    }

    fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self::from_micros(instant.as_microsecond())
    }
}

/// No date is longer than this; longer texts are refused unread and not repeated in the error.
const LONGEST_DATE: usize = 64;

fn bounded<'t>(text: &'t str, expected: &'static str) -> Result<&'t str, TimestampError> {
    if text.len() > LONGEST_DATE { Err(refused("…", expected)) } else { Ok(text) }
}

fn refused(text: &str, expected: &'static str) -> TimestampError {
    TimestampError { text: text.escape_debug().to_string(), expected }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros_of(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(micros_of(length)))
    }
}

fn micros_of(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse_rfc3339(text)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::EPOCH + after,
            Err(before) => Self::EPOCH - before.duration(),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(instant: Timestamp) -> Self {
        let distance = Duration::from_micros(instant.0.unsigned_abs());
        if instant.0 >= 0 { UNIX_EPOCH + distance } else { UNIX_EPOCH - distance }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}

/// Where the time comes from: the machine, or a test's hand. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds; written by the test alone, read by everybody. An atomic, because it is one number.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`advance`](Self::advance) moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.as_micros()))))
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => SystemTime::now().into(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock, and all its clones, forward.
    ///
    /// # Panics
    /// On the machine's clock, which nobody here can move: that is a mistake in the calling test.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("only a manual clock can be advanced"),
            Source::Manual(micros) => {
                micros.fetch_add(micros_of(by), Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Clock, FIRST_MICROS, LAST_MICROS, Timestamp};
    use std::time::{Duration, SystemTime};

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

    #[test]
    fn writes_both_forms() {
        assert_eq!(NOON.rfc3339(), "2026-11-22T12:00:00Z");
        assert_eq!(NOON.http_date(), "Sun, 22 Nov 2026 12:00:00 GMT");
        let day_seven = Timestamp::parse_rfc3339("2026-11-07T01:02:03.000450Z").unwrap();
        assert_eq!(day_seven.rfc3339(), "2026-11-07T01:02:03.00045Z");
        assert_eq!(day_seven.http_date(), "Sat, 07 Nov 2026 01:02:03 GMT", "the day has two digits");
    }

    #[test]
    fn reads_what_it_writes() {
        assert_eq!(Timestamp::parse_http_date(&NOON.http_date()).unwrap(), NOON);
        assert_eq!(Timestamp::parse_rfc3339("2026-11-22T13:00:00+01:00").unwrap(), NOON);
        for end in [FIRST_MICROS, -1, 0, 1, LAST_MICROS] {
            let instant = Timestamp::from_micros(end);
            assert_eq!(instant.rfc3339().parse::<Timestamp>().unwrap(), instant);
            assert_eq!(Timestamp::parse_http_date(&instant.http_date()).unwrap(), instant.floor_to_second());
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in ["", "now", "2026-11-22", "2026-11-22T12:00:00", "2026-13-01T00:00:00Z"] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
        assert!(Timestamp::parse_http_date("2026-11-22T12:00:00Z").is_err());
        let long = "9".repeat(100_000);
        assert!(Timestamp::parse_rfc3339(&long).unwrap_err().to_string().len() < 100);
    }

    #[test]
    fn arithmetic_stays_in_range() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN).rfc3339(), "0001-01-01T00:00:00Z");
        assert_eq!((NOON + Duration::from_secs(5)).since(NOON), Duration::from_secs(5));
        assert_eq!(NOON.since(NOON + Duration::from_secs(5)), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(-1).as_seconds(), -1);
        assert_eq!(Timestamp::from(SystemTime::from(NOON)), NOON);
    }

    #[test]
    fn json_is_rfc3339() {
        assert_eq!(serde_json::to_string(&NOON).unwrap(), "\"2026-11-22T12:00:00Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-22T12:00:00Z\"").unwrap(), NOON);
        assert!(serde_json::from_str::<Timestamp>("1795348800").is_err());
    }

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual(NOON);
        let other = clock.clone();
        clock.advance(Duration::from_secs(60));
        assert_eq!(other.now(), NOON + Duration::from_secs(60));
    }

    #[test]
    fn the_system_clock_is_of_this_century() {
        assert!(Clock::system().now() > Timestamp::from_seconds(1_700_000_000));
    }
}
