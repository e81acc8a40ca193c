//! The verb: confirm that a topic of Amazon SNS may call a package's webhook, if it is SNS that asks.

use super::worker::{ATTEMPTS, Outcome};
use crate::admin::hook_calls::ConfirmTopic;
use crate::appliance::Appliance;
use crate::platform::generic::sns::{Doubt, Kind, Message, Unconfirmed, Urgency};
use crate::publish::log::Log;
use crate::store::hook_topics::{self, Topic};
use crate::store::ids::OrgId;
use crate::store::jobs::Job;

/// What became of a subscription.
enum End {
    Confirmed(String),
    /// For good.
    Refused(String),
    /// For now.
    Later(String),
}

/// Runs the job.
pub(super) async fn run(appliance: &Appliance, job: &Job, log: &Log) -> Outcome {
    let (Some(org), Ok(payload)) = (job.org, serde_json::from_str::<ConfirmTopic>(&job.payload)) else {
        return Outcome::GiveUp("the job names no topic".to_owned());
    };
    let found = appliance.database.read(move |db| hook_topics::by_id(org, db, payload.topic)).await;
    let topic = match found {
        Ok(Some(topic)) => topic,
        // Its webhook is gone.
        Ok(None) => return Outcome::Done,
        Err(error) => return Outcome::Retry { reason: error.to_string(), after: None },
    };
    let Some(message) = &topic.message else { return Outcome::Done };
    log.info(format!("Asked to confirm the topic {}", topic.arn));
    let end = confirm(appliance, message).await;
    if let Err(error) = note(appliance, org, &topic, &end, job.attempt >= ATTEMPTS).await {
        return Outcome::Retry { reason: error.to_string(), after: None };
    }
    match end {
        End::Confirmed(subscription) => {
            log.info(format!("Confirmed as {subscription}"));
            Outcome::Done
        }
        End::Refused(reason) => Outcome::GiveUp(reason),
        End::Later(reason) => Outcome::Retry { reason, after: None },
    }
}

async fn confirm(appliance: &Appliance, message: &str) -> End {
    let message = match Message::read(message.as_bytes()) {
        Some(Ok(message)) if message.kind == Kind::Subscription => message,
        Some(Err(forged)) => return End::Refused(forged.to_string()),
        _ => return End::Refused("The message asks for no confirmation.".to_owned()),
    };
    match appliance.notary.check(&message, Urgency::Job, appliance.now()).await {
        Ok(()) => {}
        Err(Doubt::Forged(forged)) => return End::Refused(forged.to_string()),
        Err(Doubt::Unknown(reason)) => return End::Later(reason),
    }
    match appliance.notary.confirm(&message).await {
        Ok(subscription) => End::Confirmed(subscription),
        Err(error @ Unconfirmed::Refused(_)) => End::Refused(error.to_string()),
        Err(error @ Unconfirmed::Unreachable(_)) => End::Later(error.to_string()),
    }
}

/// Stores what the page shows. After the last try, the link to confirm by hand stays: only a person can open it then.
async fn note(appliance: &Appliance, org: OrgId, topic: &Topic, end: &End, is_last: bool) -> crate::store::Result<()> {
    let (id, now) = (topic.id, appliance.now());
    match end {
        End::Confirmed(subscription) => {
            let subscription = subscription.clone();
            appliance.database.write(move |tx| hook_topics::set_confirmed(org, tx, id, &subscription, now)).await
        }
        End::Refused(reason) => {
            let reason = reason.clone();
            appliance.database.write(move |tx| hook_topics::set_unconfirmed(org, tx, id, &reason, true, now)).await
        }
        End::Later(reason) => {
            let again = if is_last { "" } else { " It is tried again by itself." };
            let reason = format!("{reason}{again}");
            appliance.database.write(move |tx| hook_topics::set_unconfirmed(org, tx, id, &reason, false, now)).await
        }
    }
}
