//! How an organization wants its people to log in.

/// The integrations of which each person must have logged in by one; without any, every way will do.
///
/// It holds for members and collaborators alike, for their user tokens and for their sessions. Administrators of the
/// instance pass it always: they are the rescue when an integration is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoginRule(Box<[Box<str>]>);

impl LoginRule {
    /// The rule with these integrations.
    pub fn of<S: Into<Box<str>>>(integrations: impl IntoIterator<Item = S>) -> Self {
        let mut integrations: Vec<Box<str>> = integrations.into_iter().map(Into::into).collect();
        integrations.sort_unstable();
        integrations.dedup();
        Self(integrations.into())
    }

    /// Its integrations, in order; none: every way will do.
    #[must_use]
    pub fn integrations(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether every way will do.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a person passes whose connected accounts, without suspended ones, are of these integrations: what a user
    /// token is checked against.
    #[must_use]
    pub fn is_passed_with<'a>(&self, accounts: impl IntoIterator<Item = &'a str>) -> bool {
        self.is_open() || accounts.into_iter().any(|integration| self.names(integration))
    }

    /// Whether a session passes that began with a login by this integration; none: with a password.
    #[must_use]
    pub fn admits_session(&self, integration: Option<&str>) -> bool {
        self.is_open() || integration.is_some_and(|integration| self.names(integration))
    }

    fn names(&self, integration: &str) -> bool {
        self.0.iter().any(|one| **one == *integration)
    }
}

#[cfg(test)]
mod tests {
    use super::LoginRule;

    #[test]
    fn without_integrations_every_way_will_do() {
        let rule = LoginRule::default();
        assert!(rule.is_passed_with([]) && rule.admits_session(None) && rule.admits_session(Some("ghe")));
    }

    #[test]
    fn one_of_the_integrations_suffices() {
        let rule = LoginRule::of(["ghe", "gitlab", "ghe"]);
        assert_eq!(rule.integrations().len(), 2);
        assert!(
            rule.is_passed_with(["other", "gitlab"]) && !rule.is_passed_with(["other"]) && !rule.is_passed_with([])
        );
        assert!(rule.admits_session(Some("ghe")) && !rule.admits_session(Some("other")) && !rule.admits_session(None));
    }
}
