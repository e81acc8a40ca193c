//! Tokens that replace themselves: when that is due, and when it is tried again.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::appliance::{Appliance, By, SETTLED, due_at};
use crate::clock::Timestamp;
use crate::store::ids::CredentialId;
use crate::store::self_rotations::Rotating;
use crate::store::{self, credentials, self_rotations};

const HOUR: Duration = Duration::from_secs(3600);
/// How often it is asked when a token ends of which that is not known.
const DAY: Duration = Duration::from_secs(86_400);
/// How long a stop waits for what a platform was asked for: a token that came and was not stored is one that nobody has.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is under way, and what was looked at.
#[derive(Default)]
pub(super) struct Rotations {
    running: Option<JoinHandle<()>>,
    /// When it was asked last when a token ends.
    asked: HashMap<CredentialId, Timestamp>,
}

/// What is to be done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Ask when it ends.
    Learn,
    /// Replace it, or find out whether it was.
    Rotate,
}

impl Rotations {
    /// Begins what is due, unless something is under way.
    pub(super) async fn look(&mut self, appliance: &Appliance, stopping: &watch::Receiver<bool>) -> store::Result<()> {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        let now = appliance.now();
        let all = appliance.database.read(self_rotations::rotating).await?;
        let mut due = Vec::new();
        for one in all {
            let asked = self.asked.get(&one.id).copied();
            let Some(step) = step(&one, asked, now) else { continue };
            if step == Step::Learn {
                self.asked.insert(one.id, now);
            }
            due.push((one, step));
        }
        if !due.is_empty() {
            let (appliance, stopping) = (appliance.clone(), stopping.clone());
            self.running = Some(tokio::spawn(async move {
                for (one, step) in due {
                    if *stopping.borrow() {
                        return;
                    }
                    take(&appliance, &one, step).await;
                }
            }));
        }
        Ok(())
    }

    /// Waits for what is under way.
    pub(super) async fn finish(self) {
        if let Some(running) = self.running {
            // What did not end says so at the next start.
            let _ = tokio::time::timeout(PATIENCE, running).await;
        }
    }
}

fn step(one: &Rotating, asked: Option<Timestamp>, now: Timestamp) -> Option<Step> {
    if let Some(asked_at) = one.state.asked_at {
        return (asked_at + SETTLED <= now).then_some(Step::Rotate);
    }
    let Some(end) = one.expires_at else {
        return asked.is_none_or(|asked| asked + DAY <= now).then_some(Step::Learn);
    };
    // The closer the end, the sooner it is tried again.
    let pause = (end.since(now) / 8).clamp(HOUR, DAY);
    let is_paused = one.state.failed_at.is_some_and(|failed| now < failed + pause);
    (due_at(one.secret_set_at, end) <= now && now < end && !is_paused).then_some(Step::Rotate)
}

async fn take(appliance: &Appliance, one: &Rotating, step: Step) {
    let (org, id) = (one.org, one.id);
    match step {
        Step::Learn => {
            // What is in the way is told by whatever else uses it.
            let Ok(life) = appliance.token_life(org, id).await else { return };
            let stored = appliance.database.write(move |tx| credentials::set_expiry(org, tx, id, life.ends)).await;
            if let Err(error) = stored {
                tracing::error!(%error, "When a token ends could not be stored; trying again.");
            }
        }
        Step::Rotate => {
            if let Err(error) = appliance.rotate_token(org, id, By::itself()).await {
                tracing::error!(%error, credential.id = id.0, "A token could not be replaced; trying again.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CredentialId, DAY, Rotating, Step, Timestamp, step};
    use crate::store::ids::OrgId;
    use crate::store::self_rotations::SelfRotation;

    #[test]
    fn it_is_tried_when_it_is_due_and_not_too_often() {
        let set = Timestamp::from_seconds(1_000_000_000);
        let (end, now) = (set + DAY * 90, set + DAY * 76);
        let one = |state: SelfRotation| Rotating {
            id: CredentialId(1),
            org: OrgId(1),
            expires_at: Some(end),
            secret_set_at: set,
            state,
        };
        let usual = one(SelfRotation::default());
        assert_eq!(step(&usual, None, now - DAY), None);
        assert_eq!(step(&usual, None, now), Some(Step::Rotate));
        assert_eq!(step(&usual, None, end), None, "it is too late");
        let failed = one(SelfRotation { failed_at: Some(now), ..SelfRotation::default() });
        assert_eq!((step(&failed, None, now), step(&failed, None, now + DAY)), (None, Some(Step::Rotate)));
        let open = one(SelfRotation { asked_at: Some(now), ..SelfRotation::default() });
        assert_eq!((step(&open, None, now), step(&open, None, now + DAY)), (None, Some(Step::Rotate)));
        let unknown = Rotating { expires_at: None, ..usual };
        assert_eq!(step(&unknown, None, now), Some(Step::Learn));
        assert_eq!((step(&unknown, Some(now), now), step(&unknown, Some(now), now + DAY)), (None, Some(Step::Learn)));
    }
}
