//! The bodies of the platforms as they come over the wire: only the parts that are looked at, all of them optional.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Longest part of a body that is looked into, in bytes; the whole body is only skipped through.
const LONGEST_PART: usize = 1 << 20;

/// The parts of a body that say something. All are optional, and kept unread until they are looked at, so that one of an
/// unexpected kind does not spoil the others.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload<'a> {
    /// GitHub, Gitea: the commit, also of an annotated tag, whose own object is `after`.
    #[serde(borrow)]
    pub(super) head_commit: Option<&'a RawValue>,
    /// GitLab: the commit, likewise.
    #[serde(borrow)]
    pub(super) checkout_sha: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) before: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) after: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref")]
    pub(super) reference: Option<&'a RawValue>,
    /// GitHub, Gitea: of what is made or deleted.
    #[serde(borrow)]
    pub(super) ref_type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) sha: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) repository: Option<&'a RawValue>,
    /// GitLab.
    #[serde(borrow)]
    pub(super) project: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) object_kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) event_name: Option<&'a RawValue>,
    /// Bitbucket Cloud.
    #[serde(borrow)]
    pub(super) push: Option<&'a RawValue>,
    /// Bitbucket Data Center; GitLab's system hooks.
    #[serde(borrow)]
    pub(super) changes: Option<&'a RawValue>,
    /// Azure DevOps.
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(borrow, rename = "publisherId")]
    pub(super) publisher: Option<&'a RawValue>,
    #[serde(borrow, rename = "eventType")]
    pub(super) event_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "subscriptionId")]
    pub(super) subscription: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    /// SNS: JSON in a string.
    #[serde(borrow, rename = "Message")]
    pub(super) message: Option<&'a RawValue>,
    /// CodeCommit, within SNS or raw.
    #[serde(borrow, rename = "Records")]
    pub(super) records: Option<&'a RawValue>,
    /// CodeCommit by EventBridge.
    #[serde(borrow)]
    pub(super) detail: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) region: Option<&'a RawValue>,
    /// Beanstalk.
    #[serde(borrow)]
    pub(super) trigger: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) payload: Option<&'a RawValue>,
}

/// A part of the body, if it is there and is what it should be. serde_json stops at 128 levels by itself.
pub(super) fn read<'a, T: Deserialize<'a>>(part: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(text(part)?).ok()
}

/// The JSON of a part, if it is there and not too long.
pub(super) fn text(part: Option<&RawValue>) -> Option<&str> {
    part.map(RawValue::get).filter(|text| text.len() <= LONGEST_PART)
}

#[derive(Deserialize)]
pub(super) struct Id {
    pub(super) id: Option<String>,
}

/// A repository, as its platform describes it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub(super) clone_url: Option<String>,
    pub(super) ssh_url: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) git_http_url: Option<String>,
    pub(super) git_ssh_url: Option<String>,
    pub(super) web_url: Option<String>,
    #[serde(rename = "remoteUrl")]
    pub(super) remote_url: Option<String>,
    #[serde(rename = "sshUrl")]
    pub(super) azure_ssh_url: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) path_with_namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) links: Option<Links>,
    /// Bitbucket Data Center: what the repository is called in its address, and whose it is.
    pub(super) slug: Option<String>,
    pub(super) project: Option<Project>,
}

/// Whose a repository is; what others mean by the word is not looked at.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Project {
    Keyed { key: String },
    Other(IgnoredAny),
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Links {
    pub(super) clone: Option<Vec<Link>>,
    pub(super) html: Option<Link>,
}

#[derive(Deserialize)]
pub(super) struct Link {
    pub(super) href: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(default)]
    pub(super) changes: Vec<PushChange>,
}

#[derive(Deserialize)]
pub(super) struct PushChange {
    pub(super) old: Option<PushEnd>,
    pub(super) new: Option<PushEnd>,
}

#[derive(Deserialize)]
pub(super) struct PushEnd {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) target: Option<PushTarget>,
}

#[derive(Deserialize)]
pub(super) struct PushTarget {
    pub(super) hash: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Change {
    #[serde(rename = "ref")]
    pub(super) reference: Option<AnyRef>,
    #[serde(rename = "fromHash")]
    pub(super) from_hash: Option<String>,
    #[serde(rename = "toHash")]
    pub(super) to_hash: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AnyRef {
    Name(String),
    Thing {
        id: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource<'a> {
    #[serde(borrow, rename = "refUpdates")]
    pub(super) ref_updates: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) repository: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct RefUpdate {
    pub(super) name: Option<String>,
    #[serde(rename = "oldObjectId")]
    pub(super) old: Option<String>,
    #[serde(rename = "newObjectId")]
    pub(super) new: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Record {
    #[serde(rename = "eventSourceARN")]
    pub(super) source: Option<String>,
    #[serde(rename = "eventName")]
    pub(super) event: Option<String>,
    pub(super) codecommit: Option<CodeCommit>,
}

#[derive(Deserialize)]
pub(super) struct CodeCommit {
    #[serde(default)]
    pub(super) references: Vec<CodeCommitRef>,
}

#[derive(Deserialize)]
pub(super) struct CodeCommitRef {
    pub(super) commit: Option<String>,
    #[serde(rename = "ref")]
    pub(super) name: Option<String>,
    pub(super) created: Option<bool>,
    pub(super) deleted: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Detail {
    pub(super) event: Option<String>,
    #[serde(rename = "repositoryName")]
    pub(super) repository: Option<String>,
    #[serde(rename = "repositoryNames")]
    pub(super) repositories: Option<Vec<String>>,
    #[serde(rename = "referenceFullName")]
    pub(super) reference: Option<String>,
    #[serde(rename = "commitId")]
    pub(super) commit: Option<String>,
}
