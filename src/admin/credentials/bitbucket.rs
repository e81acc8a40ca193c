//! What becomes of a credential of Bitbucket Cloud that gets a new secret: app passwords ended on 28 July 2026, and whoever has
//! one keeps the credential, and everything that uses it, by giving it a token in its place.

use secrecy::{ExposeSecret, SecretString};

use super::super::{Error, Result};
use super::Kind;

/// How API tokens of people begin.
const API_TOKEN: &str = "ATATT";
/// How app passwords begin.
const APP_PASSWORD: &str = "ATBB";
/// How access tokens of workspaces, projects and repositories begin.
const ACCESS_TOKEN: &str = "ATCTT";

/// Type and user name that a credential has with its new secret; none where they stay.
///
/// # Errors
/// If the secret is none of the type, or is one that needs an e-mail address.
pub(super) fn becomes(
    (kind, username): (Kind, Option<&str>),
    secret: &SecretString,
    given: Option<&str>,
) -> Result<Option<(Kind, Option<String>)>> {
    if !matches!(kind, Kind::BitbucketCloudToken | Kind::BitbucketCloudAppPassword) {
        return match given {
            None => Ok(None),
            Some(_) => Err(Error::invalid(format!(
                "a credential of type {kind} keeps its user name: add another credential, and let that replace this one"
            ))),
        };
    }
    let text = secret.expose_secret().trim();
    let email = given.or(username).filter(|name| name.contains('@'));
    if text.starts_with(ACCESS_TOKEN) {
        return Ok(Some((Kind::BitbucketCloudToken, None)));
    }
    if text.starts_with(APP_PASSWORD) || (kind == Kind::BitbucketCloudAppPassword && !text.starts_with(API_TOKEN)) {
        return Err(ended());
    }
    match email {
        Some(email) => {
            Ok(Some((Kind::BitbucketCloudToken, super::username(Kind::BitbucketCloudToken, Some(email.to_owned()))?)))
        }
        None if text.starts_with(API_TOKEN) || given.is_some() => Err(Error::invalid(
            "an API token of Bitbucket goes with the e-mail address of its Atlassian account as the user name",
        )
        .by_command("add `--username EMAIL`")),
        None => Ok(None),
    }
}

/// The user name of a new token: the e-mail address of an API token's account, and none of an access token.
///
/// # Errors
/// If there is none where one is needed, or the secret is an app password.
pub(super) fn username_of(username: Option<String>, secret: &SecretString) -> Result<Option<String>> {
    let becomes = becomes((Kind::BitbucketCloudToken, None), secret, username.as_deref())?;
    Ok(becomes.map_or(username, |(_, own)| own))
}

fn ended() -> Error {
    Error::invalid(
        "Bitbucket has not accepted app passwords since 28 July 2026: make an API token with scopes, and give that with the e-mail address of its Atlassian account",
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{becomes, username_of};
    use crate::admin::credentials::Kind;

    #[test]
    fn an_app_password_becomes_a_token() {
        let of = |username, secret: &str, given| {
            let was = (Kind::BitbucketCloudAppPassword, username);
            becomes(was, &secret.into(), given).map_err(|error| error.to_string())
        };
        let token = |username: Option<&str>| Some((Kind::BitbucketCloudToken, username.map(str::to_owned)));
        let email = Some("ada@example.com");
        assert_eq!(of(Some("ada"), "ATATTx", email), Ok(token(email)));
        assert_eq!(of(email, "ATATTx", None), Ok(token(email)));
        assert_eq!(of(Some("ada"), "ATCTTx", None), Ok(token(None)));
        assert!(of(Some("ada"), "ATATTx", None).unwrap_err().contains("e-mail"));
        assert!(of(Some("ada"), "ATBBx", email).unwrap_err().contains("28 July 2026"));
    }

    #[test]
    fn a_new_token_has_the_name_that_it_needs() {
        let of = |username: Option<&str>, secret: &str| {
            username_of(username.map(str::to_owned), &secret.into()).map_err(|error| error.to_string())
        };
        let email = Some("ada@example.com");
        assert_eq!(of(email, "ATATTx"), Ok(email.map(str::to_owned)));
        assert_eq!(of(email, "ATCTTx"), Ok(None));
        assert_eq!(of(None, "x"), Ok(None));
        for (username, secret) in [(None, "ATATTx"), (Some("ada"), "ATATTx"), (email, "ATBBx")] {
            assert!(of(username, secret).unwrap_err().contains("e-mail"), "{secret}");
        }
    }

    #[test]
    fn other_types_keep_their_user_name() {
        let secret = "x".into();
        assert_eq!(becomes((Kind::HttpBasic, Some("ada")), &secret, None).unwrap(), None);
        assert!(becomes((Kind::HttpBasic, Some("ada")), &secret, Some("bob")).is_err());
        assert_eq!(becomes((Kind::BitbucketCloudToken, None), &secret, None).unwrap(), None);
    }
}
