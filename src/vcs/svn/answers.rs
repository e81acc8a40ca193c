//! What `svn` answers with `--xml`.

use serde::Deserialize;

use crate::vcs::error::VcsError;

/// `svn info`.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    #[serde(default, rename = "entry")]
    pub(super) entries: Vec<InfoEntry>,
}

/// A path, as `svn info` tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct InfoEntry {
    #[serde(rename = "@kind")]
    pub(super) kind: String,
    /// The revision that was asked for.
    #[serde(rename = "@revision")]
    pub(super) revision: u64,
    pub(super) repository: Repository,
    pub(super) commit: Commit,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) uuid: String,
}

/// The last change of a path.
#[derive(Debug, Deserialize)]
pub(super) struct Commit {
    #[serde(rename = "@revision")]
    pub(super) revision: u64,
    #[serde(default)]
    date: Option<String>,
}

impl Commit {
    /// In seconds since 1970.
    pub(super) fn time(&self) -> Option<i64> {
        let time: jiff::Timestamp = self.date.as_deref()?.parse().ok()?;
        Some(time.as_second()).filter(|seconds| (0..=253_402_300_799).contains(seconds))
    }
}

/// `svn ls`.
#[derive(Debug, Deserialize)]
pub(super) struct Lists {
    #[serde(default, rename = "list")]
    pub(super) lists: Vec<List>,
}

#[derive(Debug, Deserialize)]
pub(super) struct List {
    #[serde(default, rename = "entry")]
    pub(super) entries: Vec<ListEntry>,
}

/// A file or directory, as `svn ls` tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct ListEntry {
    #[serde(rename = "@kind")]
    pub(super) kind: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: Option<u64>,
    pub(super) commit: Commit,
}

/// Reads an answer.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(out: &[u8], url: &str) -> Result<T, VcsError> {
    let text = String::from_utf8_lossy(out);
    quick_xml::de::from_str(&text).map_err(|error| VcsError::ToolFailed {
        url: url.to_owned(),
        reason: format!("the answer of svn cannot be read ({error})"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Info, Lists, parse};

    #[test]
    fn answers_of_svn_are_read() {
        let info = br#"<?xml version="1.0" encoding="UTF-8"?>
<info><entry kind="dir" path="1.0.0" revision="6"><url>svn://h/s/tags/1.0.0</url><relative-url>^/tags/1.0.0</relative-url>
<repository><root>svn://h/s</root><uuid>800c5d2c-2ed6-4846-bc9e-805592bfcfdf</uuid></repository>
<commit revision="3"><author>root</author><date>2026-11-23T07:34:11.395136Z</date></commit></entry></info>"#;
        let info: Info = parse(info, "u").unwrap();
        let [entry] = info.entries.as_slice() else { panic!("one entry") };
        assert_eq!((entry.kind.as_str(), entry.revision, entry.commit.revision), ("dir", 6, 3));
        assert_eq!(entry.commit.time(), Some(1_795_419_251));
        let lists = br#"<lists><list path="svn://h/s/tags"><entry kind="dir"><name>a &amp; b</name><commit revision="5">
<date>2026-11-23T07:34:11.591127Z</date></commit></entry><entry kind="file"><name>x</name><size>18</size><commit revision="2"></commit>
</entry></list></lists>"#;
        let lists: Lists = parse(lists, "u").unwrap();
        let names: Vec<&str> = lists.lists[0].entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a & b", "x"]);
        assert_eq!((lists.lists[0].entries[1].size, lists.lists[0].entries[1].commit.time()), (Some(18), None));
        assert!(parse::<Info>(b"<html>", "u").is_err());
        assert!(parse::<Lists>(b"<lists><list path=\"u\"></list></lists>", "u").unwrap().lists[0].entries.is_empty());
    }
}
