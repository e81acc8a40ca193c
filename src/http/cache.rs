//! Who may keep an answer, and for how long: every answer names one of these.

use actix_web::http::header::HeaderValue;

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// By the client alone, who asks each time whether it is still right: what depends on the token.
    Revalidate,
    /// By the client alone, for good: archives, whose address names the commit.
    Forever,
    /// By everybody, for good: assets, whose address names their content.
    Public,
    /// By nobody: errors, probes and pages.
    Never,
}

impl Cache {
    /// The value of `Cache-Control`.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Revalidate => "private, no-cache",
            Self::Forever => "private, max-age=31536000, immutable",
            Self::Public => "public, max-age=31536000, immutable",
            Self::Never => "no-store",
        })
    }
}
