//! Credentials that end soon: told of in time and again, because what they open stops with them.

use std::collections::HashMap;
use std::time::Duration;

use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::store::ids::CredentialId;
use crate::store::{self, credentials};

/// How many days before the end it is said, the last first; the overview says it all the time.
const DAYS: [u64; 6] = [0, 1, 3, 7, 14, 30];
const DAY: Duration = Duration::from_secs(86_400);

/// How close to its end a credential was when it was last told of.
pub(super) type Told = HashMap<CredentialId, u64>;

/// Tells of those that came closer to their end since.
pub(super) async fn tell(appliance: &Appliance, told: &mut Told) -> store::Result<()> {
    let now = appliance.now();
    let ending = appliance.database.read(move |db| credentials::ending(db, now + DAY * 30)).await?;
    told.retain(|id, _| ending.iter().any(|(one, _, _, _)| one == id));
    for (id, org, name, end) in ending {
        let Some(step) = step(end, now) else { continue };
        if told.insert(id, step).is_some_and(|before| before <= step) {
            continue;
        }
        if step == 0 {
            tracing::error!(
                organization.id = org.0,
                credential = name,
                "A credential has ended: give it a new secret."
            );
        } else {
            tracing::warn!(
                organization.id = org.0,
                credential = name,
                ends_at = %end,
                "A credential ends within {step} days: give it a new secret before."
            );
        }
    }
    Ok(())
}

/// The fewest days within which it ends.
fn step(end: Timestamp, now: Timestamp) -> Option<u64> {
    DAYS.into_iter().find(|days| end <= now + Duration::from_secs(days * 86_400))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Timestamp, step};

    #[test]
    fn it_is_said_again_as_the_end_comes_closer() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let in_hours = |hours: u64| step(now + Duration::from_secs(hours * 3600), now);
        assert_eq!(step(now, now), Some(0));
        let steps: Vec<_> = [1, 24, 25, 24 * 7, 24 * 8, 24 * 20, 24 * 31].map(in_hours).into();
        assert_eq!(steps, [Some(1), Some(1), Some(3), Some(7), Some(14), Some(30), None]);
    }
}
