//! How often somebody may try a password: by where the attempts come from, and by whose account they are for.
//!
//! Nobody is ever locked out. Attempts that failed make the next one wait, longer each time up to a bound, and the wait that an
//! account has because strangers try it does not hold where its owner is known to be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::access::token::digest_of;
use crate::clock::Timestamp;

/// What attempts are counted by. Digests, so that no entry is longer than another.
pub type Key = [u8; 32];

/// Failures are forgotten after this time without another.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// How many keys are remembered.
const MOST: usize = 20_000;
/// Notes in the audit log within a minute; beyond, attempts are counted by metrics and the log only.
const NOTES: u32 = 30;

/// How patient we are with one kind of key.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Failures that cost nothing.
    pub free: u32,
    /// The longest wait between two attempts.
    pub longest: Duration,
}

/// With one address: a company may be one.
pub const ADDRESS: Patience = Patience { free: 20, longest: Duration::from_secs(60) };
/// With one account.
pub const ACCOUNT: Patience = Patience { free: 5, longest: Duration::from_secs(60) };
/// With the second factor of one account: whoever gets there knows the password.
pub const SECOND_FACTOR: Patience = Patience { free: 5, longest: Duration::from_secs(15 * 60) };

/// The address that an attempt comes from; a network of IPv6 counts as one, because its owner has all addresses in it.
#[must_use]
pub fn address_key(address: &str) -> Key {
    let network = match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => format!("{:x?}", &address.segments()[..4]),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    };
    digest_of(format!("address\0{network}").as_bytes())
}

/// The account that an attempt is for, existing or not.
#[must_use]
pub fn account_key(name: &str) -> Key {
    digest_of(format!("account\0{}", name.trim().to_lowercase()).as_bytes())
}

/// The second factor of an account.
#[must_use]
pub fn second_factor_key(name: &str) -> Key {
    digest_of(format!("second factor\0{name}").as_bytes())
}

/// The attempts that failed lately. The lock is held for a look-up or, when there are very many, a sweep.
#[derive(Default)]
pub struct Throttle {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    failures: HashMap<Key, Failures>,
    /// When the present minute of notes began, and how many there were.
    notes: Option<(Timestamp, u32)>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// How long after the last failure the next attempt has to wait.
    fn wait(self, patience: Patience) -> Duration {
        match self.count.checked_sub(patience.free) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1_u64 << beyond.min(20)).min(patience.longest),
        }
    }
}

impl Throttle {
    /// Counts an attempt as failed, which the caller takes back with [`forgive`](Self::forgive) when it was not: so attempts at
    /// the same time cannot all go through before the first of them has failed.
    ///
    /// # Errors
    /// The time to wait, if it is too early for another; nothing is counted then.
    pub fn attempt(&self, keys: &[(Key, Patience)], now: Timestamp) -> Result<(), Duration> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = &mut inner.failures;
        let left = |(key, patience): &(Key, Patience)| {
            let known = failures.get(key).filter(|known| now.since(known.last) < MEMORY)?;
            known.wait(*patience).checked_sub(now.since(known.last)).filter(|left| !left.is_zero())
        };
        if let Some(wait) = keys.iter().filter_map(left).max() {
            return Err(wait);
        }
        if failures.len() + keys.len() > MOST {
            sweep(failures, now);
        }
        for (key, _) in keys {
            let entry = failures.entry(*key).or_insert(Failures { count: 0, last: now });
            if now.since(entry.last) >= MEMORY {
                entry.count = 0;
            }
            *entry = Failures { count: entry.count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// Takes back what [`attempt`](Self::attempt) counted; the account's earlier failures are forgotten with it, the address's
    /// are not: whoever has one account of his own must not get a fresh start for every guess at another.
    pub fn forgive(&self, account: Key, address: Key) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.failures.remove(&account);
        if let Some(entry) = inner.failures.get_mut(&address) {
            entry.count = entry.count.saturating_sub(1);
        }
    }

    /// Whether a failure may still have a note in the audit log, which must not be filled by strangers.
    pub fn may_note(&self, now: Timestamp) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, count) = match inner.notes {
            Some((began, count)) if now.since(began) < Duration::from_secs(60) => (began, count),
            _ => (now, 0),
        };
        inner.notes = Some((began, count.saturating_add(1)));
        count < NOTES
    }
}

/// Makes room: what is forgotten anyway, then the older half.
fn sweep(failures: &mut HashMap<Key, Failures>, now: Timestamp) {
    failures.retain(|_, known| now.since(known.last) < MEMORY);
    if failures.len() < MOST / 2 {
        return;
    }
    let mut times: Vec<_> = failures.values().map(|known| known.last).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    failures.retain(|_, known| known.last > median);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ACCOUNT, ADDRESS, MOST, Throttle, account_key, address_key};
    use crate::clock::Timestamp;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn failures_make_the_next_attempt_wait_and_never_for_ever() {
        let throttle = Throttle::default();
        let keys = [(account_key("ada"), ACCOUNT), (address_key("192.0.2.1"), ADDRESS)];
        for _ in 0..5 {
            assert_eq!(throttle.attempt(&keys, at(0)), Ok(()));
        }
        assert_eq!(throttle.attempt(&keys, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt(&keys, at(1)), Ok(()), "five are free, the sixth waits a second");
        assert_eq!(throttle.attempt(&keys, at(1)), Err(Duration::from_secs(2)));
        let mut now = 3;
        for _ in 0..40 {
            while throttle.attempt(&keys, at(now)).is_err() {
                now += 1;
            }
        }
        assert_eq!(throttle.attempt(&keys, at(now)), Err(Duration::from_secs(60)), "a minute at most");
        assert_eq!(throttle.attempt(&[(account_key("grace"), ACCOUNT)], at(now)), Ok(()), "others do not wait");
        assert_eq!(throttle.attempt(&keys[..1], at(now + 3600)), Ok(()));
        assert_eq!(throttle.attempt(&keys[..1], at(now + 3600)), Ok(()), "an hour later all is forgotten");
    }

    #[test]
    fn success_forgives_the_account_and_not_the_address() {
        let throttle = Throttle::default();
        let (ada, mallory, home) = (account_key("ada"), account_key("mallory"), address_key("192.0.2.1"));
        let mut refused = false;
        for _ in 0..40 {
            // A guess, and a sign-in of one's own in between.
            refused |= throttle.attempt(&[(ada, ACCOUNT), (home, ADDRESS)], at(0)).is_err();
            if throttle.attempt(&[(mallory, ACCOUNT), (home, ADDRESS)], at(0)).is_ok() {
                throttle.forgive(mallory, home);
            }
        }
        assert!(refused);
        assert_eq!(throttle.attempt(&[(mallory, ACCOUNT)], at(0)), Ok(()));
    }

    #[test]
    fn a_network_is_one_and_names_have_no_case() {
        assert_eq!(address_key("2001:db8::1"), address_key("2001:db8::ffff:1"));
        assert_ne!(address_key("2001:db8::1"), address_key("2001:db8:0:1::1"));
        assert_eq!(address_key("::ffff:192.0.2.1"), address_key("192.0.2.1"));
        assert_ne!(address_key("192.0.2.1"), address_key("192.0.2.2"));
        assert_eq!(account_key(" Ada "), account_key("ada"));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let throttle = Throttle::default();
        let count = i64::try_from(MOST).unwrap_or(0) * 2;
        for number in 0..count {
            let _ = throttle.attempt(&[(account_key(&number.to_string()), ACCOUNT)], at(number / 100));
        }
        let inner = throttle.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        assert!(inner.failures.len() <= MOST);
        assert!(inner.failures.contains_key(&account_key(&(count - 1).to_string())));
    }
}
