//! Webhooks that we install on platforms: where one is, what its deliveries are checked by, and how it is.

use secrecy::SecretString;

/// Where one of our webhooks is, or is to be.
#[derive(Clone, Debug)]
pub struct HookPlace {
    /// The organization, by name.
    pub organization: String,
    /// The repository, by path; None: the organization's own hook.
    pub repository: Option<String>,
    /// The platform's id of it.
    pub repository_id: Option<String>,
    /// The platform's id of the hook, where we made it before.
    pub remote_id: Option<String>,
    /// The address that is called.
    pub address: SecretString,
    /// What signs deliveries.
    pub secret: SecretString,
    /// Whether deliveries come with another signature, so that the secret is to be set anew: platforms do not show theirs.
    pub reset: bool,
}

/// What deliveries to a hook are checked by.
#[derive(Clone, Debug)]
pub struct HookSecret {
    /// What signs them.
    pub secret: SecretString,
    /// Whether one came that was signed by the strongest scheme of the platform: none is taken by a weaker one then.
    pub was_signed: bool,
}

/// What came of looking after a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookState {
    /// The platform's id.
    pub remote_id: String,
    /// Whether anything had to be done, in words; None: it was as it should be.
    pub mended: Option<String>,
    /// What somebody should know: switched off there by somebody, or failing, with the platform's words.
    pub trouble: Option<String>,
}
