//! Credentials that end soon: told of in time and again, because what they open stops with them.

use std::time::Duration;

use crate::appliance::{Appliance, due_at};
use crate::clock::Timestamp;
use crate::store::credentials::Ending;
use crate::store::{self, credentials};

/// How many days before the end it is said, the last first; the overview says it all the time.
const DAYS: [i64; 6] = [0, 1, 3, 7, 14, 30];
const DAY: Duration = Duration::from_secs(86_400);
/// How long a token that replaces itself may be about to before anybody needs to know.
const TRIES: Duration = Duration::from_secs(2 * 86_400);

/// Tells of those that came closer to their end since it was told of them last, be it by another process.
pub(super) async fn tell(appliance: &Appliance) -> store::Result<()> {
    let now = appliance.now();
    let ending = appliance.database.read(move |db| credentials::ending(db, now + DAY * 30)).await?;
    for one in ending {
        let Some(step) = step(&one, now) else { continue };
        let Ending { id, org, name, expires_at, .. } = one;
        if !appliance.database.write(move |tx| credentials::told(org, tx, id, expires_at, step)).await? {
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
                ends_at = %expires_at,
                "A credential ends within {step} days: give it a new secret before."
            );
        }
    }
    Ok(())
}

/// The fewest days within which it ends, if that is news.
fn step(one: &Ending, now: Timestamp) -> Option<i64> {
    let is_within = |days: &i64| one.expires_at <= now + DAY * u32::try_from(*days).unwrap_or(0);
    let step = DAYS.into_iter().find(is_within)?;
    let is_in_hand = one.self_rotate && step > 0 && now < due_at(one.secret_set_at, one.expires_at) + TRIES;
    let is_news = one.told_days.is_none_or(|told| step < told);
    (is_news && !is_in_hand).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::{DAY, Duration, Ending, Timestamp, step};
    use crate::store::ids::{CredentialId, OrgId};

    fn ending(now: Timestamp, hours: u64) -> Ending {
        Ending {
            id: CredentialId(1),
            org: OrgId(1),
            name: "main".to_owned(),
            expires_at: now + Duration::from_secs(hours * 3600),
            secret_set_at: now - DAY * 300,
            self_rotate: false,
            told_days: None,
        }
    }

    #[test]
    fn it_is_said_again_as_the_end_comes_closer() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let in_hours = |hours: u64| step(&ending(now, hours), now);
        assert_eq!(in_hours(0), Some(0));
        let steps: Vec<_> = [1, 24, 25, 24 * 7, 24 * 8, 24 * 20, 24 * 31].map(in_hours).into();
        assert_eq!(steps, [Some(1), Some(1), Some(3), Some(7), Some(14), Some(30), None]);
        let told = Ending { told_days: Some(7), ..ending(now, 24 * 6) };
        assert_eq!((step(&told, now), step(&told, now + DAY * 3)), (None, Some(3)));
    }

    #[test]
    fn of_a_token_that_replaces_itself_it_is_said_when_that_did_not_come() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let in_days = |days: u64| step(&Ending { self_rotate: true, ..ending(now, days * 24) }, now);
        let steps: Vec<_> = [30, 14, 13, 12, 7, 0].map(in_days).into();
        assert_eq!(steps, [None, None, None, Some(14), Some(7), Some(0)]);
    }
}
