//! Webhooks: whatever headers and body say, what is kept of them is short and clean.

use packagist_selfhosted::clock::Timestamp;
use packagist_selfhosted::platform::event::Headers;
use packagist_selfhosted::platform::generic::sns::{Certificate, Message};
use packagist_selfhosted::platform::generic::{Content, announced_commits, recognise, tells_of_refs, verify};

pub fn check(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((&b""[..], data), |end| (&data[..end], &data[end + 2..]));
    let commits = announced_commits(body);
    assert!(commits.len() <= 20, "{} commits", commits.len());
    for (at, commit) in commits.iter().enumerate() {
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_commit && commit.bytes().any(|byte| byte != b'0'), "{commit:?} is no commit");
        assert!(!commits[..at].contains(commit), "{commit} is there twice");
    }
    let headers: Vec<(String, &str)> = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let delivery = recognise(|name| headers.iter().find(|(key, _)| key == name).map(|(_, value)| *value));
    let content = Content::read(body, delivery.event.as_deref());
    assert_eq!(content.commits, commits, "the event says nothing of commits");
    assert!(content.told.changes.len() <= 20 && content.addresses.len() <= 8);
    for change in &content.told.changes {
        let is_short = change.name.chars().count() <= 200 && !change.name.chars().any(char::is_control);
        assert!(is_short && change.name.starts_with("refs/"), "{change:?}");
    }
    let tells = tells_of_refs(delivery.provider, delivery.event.as_deref(), &content);
    assert!(tells || delivery.event.is_some(), "only an event with a name is none of ours");
    let kept = serde_json::to_string(&content.told).expect("what was told can be stored");
    assert_eq!(serde_json::from_str(&kept).ok(), Some(content.told), "it is read again");
    let all = Headers::of(headers.iter().map(|(name, value)| (name.clone(), (*value).to_owned())));
    assert!(verify(&all, body, &"a secret that nobody knows".into(), false, Timestamp::from_seconds(0)).is_err());
    if let Some(Ok(message)) = Message::read(body) {
        let host = message.topic.host();
        let own = message.subscribe_url().is_none_or(|url| url.host_str() == Some(&host) && url.scheme() == "https");
        assert!(own && host.starts_with("sns."), "{host}");
    }
    assert_eq!(
        Certificate::parse(&[b"-----BEGIN CERTIFICATE-----\n", body].concat()),
        None,
        "a seed is no certificate"
    );
    if let Some(event) = delivery.event {
        assert!(event.len() <= 60 && event.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{event:?}");
    }
}
