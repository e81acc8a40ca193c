//! Webhooks: whatever headers and body say, what is kept of them is short and clean.

use packagist_selfhosted::platform::generic::{announced_commits, recognise};

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
    if let Some(event) = delivery.event {
        assert!(event.len() <= 60 && event.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{event:?}");
    }
}
