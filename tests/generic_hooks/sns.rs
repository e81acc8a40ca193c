//! Messages of Amazon SNS that are genuine, and those that are not.

use std::time::Duration;

use serde_json::json;

use crate::amazon::{ARN, Amazon, Version};
use crate::forward_proxy::Refusal;
use crate::world::{START, World};

pub const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What CodeCommit's trigger says.
pub fn records() -> String {
    json!({ "Records": [{
        "awsRegion": "us-east-2", "eventName": "ReferenceChanges", "eventSource": "aws:codecommit",
        "eventSourceARN": "arn:aws:codecommit:us-east-2:111122223333:lib",
        "codecommit": { "references": [{ "commit": COMMIT, "ref": "refs/tags/v1.0.0", "created": true }] },
    }] })
    .to_string()
}

#[tokio::test]
async fn a_topic_that_signs_correctly_is_confirmed() {
    for version in [Version::One, Version::Two] {
        let mut world = World::new().await;
        world.work().await;
        let answer = world.post(&world.amazon.subscription(version, START)).await;
        assert_eq!((answer.status, answer.json()), (202, json!({ "status": "queued" })));
        let topic = world.topic_that(|topic| topic.state != "pending").await;
        assert_eq!((topic.arn.as_str(), topic.state.as_str()), (ARN, "confirmed"), "{topic:?}");
        assert_eq!((topic.message, topic.confirm_url), (None, None), "the link is of no more use");
        let asked = world.amazon.take_log();
        assert!(asked.iter().any(|line| line.contains("Action=ConfirmSubscription")), "{asked:?}");
        let through = world.proxy.take_log();
        assert!(through.iter().all(|asked| asked.line == "CONNECT sns.us-east-2.amazonaws.com:443"), "{through:?}");
        assert!(world.jobs("update_package").await.is_empty(), "nothing was pushed");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_forged_subscription_is_not_confirmed() {
    let mut world = World::new().await;
    world.warm().await;
    world.amazon.take_log();
    world.work().await;
    let mut message = world.amazon.subscription(Version::Two, START);
    message["Message"] = "Another text".into();
    let answer = world.post(&message).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "forged" })));
    assert!(world.topics().await.is_empty() && world.jobs("").await.is_empty());
    assert!(world.amazon.take_log().is_empty(), "nobody is called");
    world.stop().await;
}

#[tokio::test]
async fn a_forged_subscription_is_not_confirmed_later_either() {
    let mut world = World::new().await;
    world.proxy.refuse(Refusal::Status(403));
    world.warm().await;
    let mut message = world.amazon.subscription(Version::Two, START);
    message["Message"] = "Another text".into();
    assert_eq!(world.post(&message).await.status, 202, "nobody can tell yet");
    world.proxy.refuse(None);
    world.clock.advance(Duration::from_secs(21));
    world.work().await;
    let topic = world.topic_that(|topic| topic.state != "pending").await;
    assert_eq!((topic.state.as_str(), topic.error.as_deref()), ("refused", Some("Its signature is wrong.")));
    let asked = world.amazon.take_log();
    assert!(asked.iter().all(|line| !line.contains("ConfirmSubscription")), "{asked:?}");
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_where_a_message_names_another_host() {
    let world = World::new().await;
    for (field, elsewhere) in [
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com.evil.com/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com.cn/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://evil-sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com@evil.example/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://any:word@sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com:8443/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "http://sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem/x"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com/?x=/SimpleNotificationService-1.pem"),
        ("SigningCertURL", "https://sns.us-east-2.amazonaws.com/\u{2025}/SimpleNotificationService-1.pem"),
        ("SubscribeURL", "http://169.254.169.254/latest/meta-data/"),
        ("TopicArn", "arn:aws:sns:evil.com/:111122223333:x"),
    ] {
        let mut message = world.amazon.subscription(Version::Two, START);
        message[field] = elsewhere.into();
        let answer = world.post(&message).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "forged" })), "{elsewhere}");
        let mut notification = world.amazon.notification(Version::Two, &records(), START);
        notification[field] = elsewhere.into();
        if field != "SubscribeURL" {
            assert_eq!(world.post(&notification).await.json(), json!({ "status": "forged" }), "{elsewhere}");
        }
    }
    assert!(world.proxy.take_log().is_empty() && world.topics().await.is_empty());
    assert!(world.jobs("").await.is_empty());
}

#[tokio::test]
async fn a_genuine_notification_updates_the_package_once() {
    for version in [Version::One, Version::Two] {
        let world = World::new().await;
        world.warm().await;
        let message = world.amazon.notification(version, &records(), START);
        assert_eq!(world.post(&message).await.status, 202);
        assert_eq!(world.jobs("update_package").await, [json!({ "announced": [COMMIT] }).to_string()]);
        let delivery = world.deliveries().await.remove(0);
        assert_eq!((delivery.provider.as_str(), delivery.event.as_deref()), ("codecommit", Some("ReferenceChanges")));
        let told = delivery.told.expect("something was understood");
        assert!(told.contains("refs/tags/v1.0.0") && told.contains("made") && !told.contains("note"), "{told}");
        world.finish_jobs().await;
        let again = world.post(&message).await;
        assert_eq!((again.status, again.json()), (202, json!({ "status": "queued" })));
        assert!(world.jobs("update_package").await.is_empty(), "the same message comes again");
        assert_eq!(world.deliveries().await[0].outcome, "known");
        assert_eq!(world.amazon.take_log().len(), 1, "a certificate is fetched once");
    }
}

#[tokio::test]
async fn a_forged_or_old_notification_does_nothing() {
    let world = World::new().await;
    world.warm().await;
    let genuine = world.amazon.notification(Version::Two, &records(), START);
    let mut forged = genuine.clone();
    forged["Message"] = "{}".into();
    let mut stranger = genuine.clone();
    stranger["Signature"] = Amazon::new().notification(Version::Two, &records(), START)["Signature"].clone();
    let mut older = genuine.clone();
    older["SignatureVersion"] = "1".into();
    for message in [forged, stranger, older] {
        let answer = world.post(&message).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "forged" })), "{message}");
    }
    world.clock.advance(Duration::from_secs(3601));
    let answer = world.post(&genuine).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "replayed" })));
    assert!(world.jobs("").await.is_empty());
    let outcomes: Vec<String> = world.deliveries().await.into_iter().map(|delivery| delivery.outcome).collect();
    assert_eq!(outcomes, ["replayed", "forged"], "who goes on refusing is told once");
}

#[tokio::test]
async fn where_amazon_cannot_be_reached_the_address_is_enough() {
    let mut world = World::new().await;
    world.proxy.refuse(Refusal::Status(403));
    world.warm().await;
    let answer = world.post(&world.amazon.notification(Version::Two, &records(), START)).await;
    assert_eq!(answer.status, 202);
    assert_eq!(world.jobs("update_package").await.len(), 1);
    let told = world.deliveries().await.remove(0).told.expect("something was understood");
    assert!(told.contains("Its signature was not checked: sns.us-east-2.amazonaws.com could not be asked"), "{told}");
    world.finish_jobs().await;
    world.work().await;
    assert_eq!(world.post(&world.amazon.subscription(Version::Two, START)).await.status, 202);
    let topic = world.topic_that(|topic| topic.error.is_some()).await;
    assert_eq!(topic.state, "pending", "it is tried again");
    assert!(topic.confirm_url.expect("it can be opened elsewhere").contains("Action=ConfirmSubscription"));
    world.stop().await;
}

#[tokio::test]
async fn what_is_delivered_raw_is_as_good_as_any_call() {
    let world = World::new().await;
    let headers =
        [("x-amz-sns-message-type", "Notification"), ("x-amz-sns-rawdelivery", "true"), ("x-amz-sns-message-id", "1")];
    for _ in 0..2 {
        assert_eq!(world.post_with(&headers, records().as_bytes()).await.status, 202);
    }
    assert_eq!(world.jobs("update_package").await, [json!({ "announced": [COMMIT] }).to_string()]);
    assert_eq!(world.deliveries().await[0].outcome, "known");
    let broken = world.amazon.notification(Version::Two, "{\"Records\": [,]}", START);
    assert_eq!(world.post(&broken).await.status, 202, "what nobody understands is read again");
}

#[tokio::test]
async fn an_unsubscription_is_noted_and_not_undone() {
    let mut world = World::new().await;
    world.work().await;
    world.post(&world.amazon.subscription(Version::Two, START)).await;
    world.topic_that(|topic| topic.state == "confirmed").await;
    world.amazon.take_log();
    let message = world.amazon.unsubscription(Version::Two, START);
    let mut forged = message.clone();
    forged["Token"] = "x".into();
    assert_eq!(world.post(&forged).await.json(), json!({ "status": "forged" }));
    assert_eq!(world.topics().await[0].state, "confirmed");
    let answer = world.post(&message).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "unsubscribed" })));
    assert_eq!(world.topics().await[0].state, "ended");
    assert!(world.amazon.take_log().is_empty(), "its link would subscribe again");
    world.stop().await;
}

#[tokio::test]
async fn others_cannot_keep_a_topic_out() {
    let world = World::new().await;
    world.proxy.refuse(Refusal::Status(403));
    world.warm().await;
    let genuine = world.amazon.subscription(Version::Two, START);
    for number in 0..30 {
        let text = genuine.to_string().replace(":pushes", &format!(":junk{number}"));
        let other = serde_json::from_str(&text).expect("JSON");
        assert!(matches!(world.post(&other).await.status, 200 | 202));
    }
    assert_eq!(world.topics().await.len(), 20, "they are bounded");
    assert_eq!(world.post(&genuine).await.json(), json!({ "status": "ignored" }));
    world.refuse_topics().await;
    assert_eq!(world.post(&genuine).await.status, 202);
    assert!(world.topics().await.iter().any(|topic| topic.arn == ARN && topic.state == "pending"));
    assert_eq!(world.topics().await.len(), 20);
}
