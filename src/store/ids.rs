//! Row ids as types, so that a package's can never be passed for an organization's.

use std::fmt;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map(Self)
            }
        }
    };
}

id!(
    /// An organization: one Composer repository with everything in it.
    OrgId
);
id!(
    /// A package: one source repository of an organization.
    PackageId
);
id!(
    /// A name under which a package is or was published.
    ListingId
);
id!(
    /// A secret that opens a source repository.
    CredentialId
);
id!(
    /// A person's account.
    UserId
);
id!(
    /// An installation token.
    TokenId
);
id!(
    /// A webhook address.
    HookId
);
id!(
    /// A topic of Amazon SNS that is subscribed to a webhook.
    TopicId
);
id!(
    /// A piece of queued work.
    JobId
);
id!(
    /// An account on a platform.
    AccountId
);
id!(
    /// A browser in which somebody signed in.
    SessionId
);
id!(
    /// A GitHub App that was made here.
    GithubAppId
);
id!(
    /// A webhook that tells of a whole platform.
    SystemHookId
);
id!(
    /// A team.
    TeamId
);
id!(
    /// What follows an organization of a platform.
    SyncId
);
id!(
    /// One run of a synchronization.
    RunId
);
