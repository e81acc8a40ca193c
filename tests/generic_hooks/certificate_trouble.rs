//! Certificates that messages of Amazon SNS are signed with, and everything that can be wrong with them or with fetching them.
//! What nobody can check is as good as any other call, and confirms nothing.

use std::time::Duration;

use rcgen::{CertificateParams, date_time_ymd};

use crate::amazon::{Amazon, Fault, Parts, Version};
use crate::forward_proxy::Refusal;
use crate::sns::records;
use crate::world::{START, World};

const HOUR: Duration = Duration::from_secs(3600);

/// A world whose Amazon cannot prove who it is, and what is said of that.
async fn is_not_believed(parts: Parts, said: &str) {
    let mut world = World::with(Amazon::of(parts)).await;
    world.warm().await;
    assert_eq!(world.post(&world.amazon.notification(Version::Two, &records(), START)).await.status, 202, "{said}");
    assert_eq!(world.jobs("update_package").await.len(), 1, "{said}");
    let told = world.deliveries().await.remove(0).told.expect("something was understood");
    assert!(told.contains(said), "{said}: {told}");
    world.finish_jobs().await;
    assert_eq!(world.post(&world.amazon.subscription(Version::Two, START)).await.status, 202, "{said}");
    world.work().await;
    let topic = world.topic_that(|topic| topic.error.is_some()).await;
    assert_eq!(topic.state, "pending", "{said}: it is tried again");
    assert!(topic.error.expect("a reason").contains(said), "{said}");
    let asked = world.amazon.take_log();
    assert!(asked.iter().all(|line| !line.contains("ConfirmSubscription")), "{said}: {asked:?}");
    let asked = world.proxy.take_log();
    assert!(asked.iter().all(|asked| asked.line == "CONNECT sns.us-east-2.amazonaws.com:443"), "{said}: {asked:?}");
    world.stop().await;
}

#[tokio::test]
async fn an_expired_certificate_proves_nothing() {
    let mut parts = Parts::default();
    (parts.signing.not_before, parts.signing.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2026, 1, 1));
    is_not_believed(parts, "its certificate has expired").await;
}

#[tokio::test]
async fn a_certificate_of_somebody_else_proves_nothing() {
    for name in ["evil.example", "sns.amazonaws.com.evil.example", "sns.eu-west-1.amazonaws.com", "*.amazonaws.com"] {
        let signing = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        is_not_believed(Parts { signing, ..Parts::default() }, "its certificate is not SNS's").await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_amazons_proves_nothing() {
    let said = "sns.us-east-2.amazonaws.com could not be asked for its certificate";
    is_not_believed(Parts { host: "sns.us-east-2.amazonaws.com.evil.example", ..Parts::default() }, said).await;
    is_not_believed(Parts { is_trusted: false, ..Parts::default() }, said).await;
}

#[tokio::test]
async fn what_is_sent_instead_of_a_certificate_proves_nothing() {
    for (fault, said) in [
        (Fault::Redirect, "answered with HTTP 302 instead of its certificate"),
        (Fault::Gone, "answered with HTTP 404 instead of its certificate"),
        (Fault::Page, "sent no certificate"),
        (Fault::Endless, "its answer is longer than 64 KiB"),
    ] {
        is_not_believed(Parts { fault: Some(fault), ..Parts::default() }, said).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_says_nothing() {
    let world = World::with(Amazon::of(Parts { fault: Some(Fault::Mute), ..Parts::default() })).await;
    assert_eq!(world.post(&world.amazon.notification(Version::Two, &records(), START)).await.status, 202);
    let told = world.deliveries().await.remove(0).told.expect("something was understood");
    assert!(told.contains("its certificate did not come in time"), "{told}");
    assert_eq!(world.jobs("update_package").await.len(), 1);
}

#[tokio::test]
async fn a_certificate_is_fetched_once_however_many_need_it() {
    let world = World::new().await;
    let messages: Vec<_> =
        (0..30).map(|number| world.amazon.notification(Version::Two, &format!("{{\"n\":{number}}}"), START)).collect();
    let answers = futures_util::future::join_all(messages.iter().map(|message| world.post(message))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(world.amazon.take_log().len(), 1);
}

#[tokio::test]
async fn it_is_remembered_for_five_minutes_that_a_certificate_cannot_be_had() {
    let world = World::new().await;
    world.proxy.refuse(Refusal::Status(403));
    world.warm().await;
    assert_eq!(world.proxy.take_log().len(), 1);
    world.proxy.refuse(None);
    for (seconds, fetched) in [(0, 0), (299, 0), (1, 1), (0, 0)] {
        world.clock.advance(Duration::from_secs(seconds));
        let sent = world.appliance.now();
        assert_eq!(world.post(&world.amazon.notification(Version::One, &records(), sent)).await.status, 202);
        assert_eq!(world.proxy.take_log().len(), fetched, "after {seconds} seconds more");
    }
}

#[tokio::test]
async fn a_certificate_outlives_a_restart_and_not_a_day() {
    let world = World::new().await;
    world.warm().await;
    world.proxy.take_log();
    world.clock.advance(23 * HOUR);
    let message = world.amazon.notification(Version::Two, &records(), START);
    assert_eq!(world.judge_after_restart(&message).await, Ok(()));
    let mut forged = message.clone();
    forged["Message"] = "{}".into();
    assert!(world.judge_after_restart(&forged).await.is_err());
    assert!(world.proxy.take_log().is_empty(), "nobody is asked");
    world.clock.advance(HOUR);
    assert_eq!(world.judge_after_restart(&message).await, Ok(()));
    assert_eq!(world.proxy.take_log().len(), 1, "after a day, it is fetched again");
}

#[tokio::test]
async fn whoever_asks_for_many_certificates_pushes_out_none() {
    let world = World::new().await;
    world.warm().await;
    std::fs::remove_dir_all(world.appliance.settings.data_dir.join("certificates")).expect("it was kept there");
    world.proxy.refuse(Refusal::Status(403));
    let mut message = world.amazon.notification(Version::Two, &records(), START);
    let genuine = message["SigningCertURL"].clone();
    for number in 0..100 {
        let name = format!("https://sns.us-east-2.amazonaws.com/SimpleNotificationService-{number}.pem");
        message["SigningCertURL"] = name.into();
        assert_eq!(world.post(&message).await.status, 202);
        if number % 20 == 19 {
            world.clock.advance(Duration::from_secs(60));
        }
    }
    world.proxy.refuse(None);
    assert_eq!(world.proxy.take_log().len(), 100, "twenty a minute, the genuine one among those of the first");
    (message["SigningCertURL"], message["Message"]) = (genuine, "{}".into());
    assert_eq!(world.post(&message).await.json(), serde_json::json!({ "status": "forged" }));
    assert!(world.proxy.take_log().is_empty(), "it is still known");
}
