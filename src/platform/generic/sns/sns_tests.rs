use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::{Certificate, Forged, Kind, Message};
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);
const ARN: &str = "arn:aws:sns:us-east-2:111122223333:pushes";
const HOST: &str = "https://sns.us-east-2.amazonaws.com";

fn subscribe_url() -> String {
    format!("{HOST}/?Action=ConfirmSubscription&TopicArn={ARN}&Token=2336412f37fb687f5d51e6e241d")
}

fn notification() -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": ARN,
        "Subject": "My First Message", "Message": "{\"Records\":[]}\n", "Timestamp": NOW.rfc3339(),
        "SignatureVersion": "2", "Signature": "", "SigningCertURL": format!("{HOST}/SimpleNotificationService-9c6465fa.pem"),
        "UnsubscribeURL": format!("{HOST}/?Action=Unsubscribe"),
    })
}

fn subscription() -> Value {
    let mut message = notification();
    message["Type"] = "SubscriptionConfirmation".into();
    message["SubscribeURL"] = subscribe_url().into();
    message["Token"] = "2336412f37fb687f5d51e6e241d".into();
    message.as_object_mut().unwrap().remove("Subject");
    message
}

fn read(message: &Value) -> Option<Result<Message, Forged>> {
    Message::read(message.to_string().as_bytes())
}

#[test]
fn what_is_signed_is_what_amazon_says() {
    let read = |message| self::read(&message).unwrap().unwrap().signed;
    let time = NOW.rfc3339();
    let start = "Message\n{\"Records\":[]}\n\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n";
    assert_eq!(
        read(notification()),
        format!("{start}Subject\nMy First Message\nTimestamp\n{time}\nTopicArn\n{ARN}\nType\nNotification\n")
    );
    let mut plain = notification();
    plain["Subject"] = Value::Null;
    assert_eq!(read(plain), format!("{start}Timestamp\n{time}\nTopicArn\n{ARN}\nType\nNotification\n"));
    let url = subscribe_url();
    let token = "2336412f37fb687f5d51e6e241d";
    let end = format!("TopicArn\n{ARN}\nType\nSubscriptionConfirmation\n");
    assert_eq!(read(subscription()), format!("{start}SubscribeURL\n{url}\nTimestamp\n{time}\nToken\n{token}\n{end}"));
}

#[test]
fn a_signature_is_its_certificates() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let pem = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let certificate = Certificate::parse(pem.as_bytes()).unwrap();
    assert!(certificate.holds(NOW) && !certificate.holds(Timestamp::from_seconds(0)));
    let signer = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
    let sign = |message: &Value| {
        let text = read(message).unwrap().unwrap().signed;
        let mut signature = vec![0; signer.public_modulus_len()];
        signer.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        let mut signed = message.clone();
        signed["Signature"] = STANDARD.encode(signature).into();
        signed
    };
    for message in [notification(), subscription()] {
        let signed = sign(&message);
        let verify = |message: &Value| read(message).unwrap().unwrap().verify(&certificate);
        assert_eq!(verify(&signed), Ok(()));
        for (field, other) in [("Message", "x"), ("MessageId", "x"), ("SignatureVersion", "1"), ("Signature", "AAAA")] {
            let mut forged = signed.clone();
            forged[field] = other.into();
            assert_eq!(verify(&forged), Err(Forged::Signature), "{field}");
        }
    }
}

#[test]
fn certificates_of_other_kinds_are_none() {
    let ecdsa = rcgen::generate_simple_self_signed(vec!["sns.amazonaws.com".to_owned()]).unwrap();
    assert_eq!(Certificate::parse(ecdsa.cert.pem().as_bytes()), None);
    let key = ecdsa.signing_key.serialize_pem();
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "<html>", key.as_str()] {
        assert_eq!(Certificate::parse(pem.as_bytes()), None, "{pem}");
    }
}

#[test]
fn certificates_come_from_the_topics_own_host() {
    let with = |url: &str| {
        let mut message = notification();
        message["SigningCertURL"] = url.into();
        read(&message).unwrap().map(|message| message.certificate.to_string())
    };
    let right = format!("{HOST}/SimpleNotificationService-9c6465fa.pem");
    assert_eq!(with(&right), Ok(right));
    for wrong in [
        "http://sns.us-east-2.amazonaws.com/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-2.amazonaws.com.evil.com/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-2.amazonaws.com:444/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-2.amazonaws.com:443/SimpleNotificationService-9c6465fa.pem",
        "https://user@sns.us-east-2.amazonaws.com/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-2.amazonaws.com@evil.com/SimpleNotificationService-9c6465fa.pem",
        "https://sns.us-east-2.amazonaws.com/../SimpleNotificationService-9c6465fa.pem?x",
        "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-9c6465fa.pem#x",
        "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-.pem",
        "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-a/b.pem",
        "https://sns.us-east-2.amazonaws.com\\@evil.com/SimpleNotificationService-9c6465fa.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-9c6465fa.pem",
        "",
    ] {
        assert_eq!(with(wrong), Err(Forged::CertificateHost), "{wrong}");
    }
}

#[test]
fn subscriptions_are_confirmed_at_the_topics_own_host() {
    let with = |url: &str| {
        let mut message = subscription();
        message["SubscribeURL"] = url.into();
        read(&message).unwrap().map(|message| message.subscribe_url().unwrap().to_string())
    };
    assert_eq!(with(&subscribe_url()), Ok(subscribe_url()));
    let token = "Token=2336412f37fb687f5d51e6e241d";
    for wrong in [
        subscribe_url().replace("https", "http"),
        subscribe_url().replace("us-east-2.amazonaws.com/", "us-east-2.amazonaws.com.evil.com/"),
        subscribe_url().replace("com/?", "com/x?"),
        subscribe_url().replace("ConfirmSubscription", "Unsubscribe"),
        subscribe_url().replace("pushes", "others"),
        subscribe_url().replace(token, "Token=x"),
        format!("{}&Token=x", subscribe_url()),
        subscribe_url().replace(token, ""),
        "http://169.254.169.254/".to_owned(),
        String::new(),
    ] {
        assert_eq!(with(&wrong), Err(Forged::SubscribeHost), "{wrong}");
    }
    let mut without = subscription();
    without.as_object_mut().unwrap().remove("SubscribeURL");
    assert_eq!(read(&without).unwrap().unwrap_err(), Forged::SubscribeHost);
}

#[test]
fn what_is_no_message_is_none() {
    let mut other = notification();
    other["Type"] = "Other".into();
    let raw = json!({ "Records": [{ "eventSource": "aws:codecommit" }] });
    for body in [other.to_string(), raw.to_string(), "{".to_owned(), String::new(), "[]".to_owned()] {
        assert!(Message::read(body.as_bytes()).is_none(), "{body}");
    }
    let mut odd = notification();
    odd["SignatureVersion"] = "3".into();
    assert_eq!(read(&odd).unwrap().unwrap_err(), Forged::Version);
    odd = notification();
    odd["TopicArn"] = "arn:aws:sns:x".into();
    assert_eq!(read(&odd).unwrap().unwrap_err(), Forged::Topic);
    odd = notification();
    odd["Signature"] = "A".repeat(2000).into();
    assert_eq!(read(&odd).unwrap().unwrap_err(), Forged::Signature);
}

#[test]
fn messages_are_taken_for_an_hour() {
    let at = |seconds: i64| {
        let mut message = notification();
        message["Timestamp"] = Timestamp::from_seconds(NOW.as_seconds() + seconds).rfc3339().into();
        read(&message).unwrap().unwrap().require_fresh(NOW)
    };
    for seconds in [0, -3600, 900] {
        assert_eq!(at(seconds), Ok(()), "{seconds}");
    }
    for seconds in [-3601, 901] {
        assert_eq!(at(seconds), Err(Forged::Time), "{seconds}");
    }
    let mut message = notification();
    message["Timestamp"] = "yesterday".into();
    assert_eq!(read(&message).unwrap().unwrap().require_fresh(NOW), Err(Forged::Time));
    assert_eq!(read(&notification()).unwrap().unwrap().kind, Kind::Notification);
}
