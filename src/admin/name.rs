//! Names of organizations, people and credentials (contract, section 1).

use std::fmt;

use super::{Error, Result};

/// Words that addresses and commands use for something else.
const RESERVED: [&str; 6] = ["token", "admin", "app", "api", "new", "me"];
/// Longest name, in characters.
const LONGEST: usize = 63;

/// A checked name: `[a-z0-9][a-z0-9._-]{0,62}` and not reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name; `what` is what it is for, as in "the organization's name".
    ///
    /// # Errors
    /// [`Error::Invalid`], which says what a name may be.
    pub fn parse(what: &str, text: &str) -> Result<Self> {
        if !has_form(text) {
            let shown: String = text.chars().take(LONGEST + 1).collect();
            let lower = text.to_ascii_lowercase();
            let hint = if has_form(&lower) { format!(" (write `{lower}`)") } else { String::new() };
            return Err(Error::invalid(format!(
                "`{}` cannot be {what}{hint}: use 1 to {LONGEST} of `a-z`, `0-9`, `.`, `_` and `-`, beginning with a letter or digit",
                shown.escape_debug()
            )));
        }
        if RESERVED.contains(&text) {
            return Err(Error::invalid(format!(
                "`{text}` cannot be {what}: the words {} are reserved, choose another one",
                RESERVED.join(", ")
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of an account that begins with a platform's `login`: what no name may hold becomes `-`. The first that
    /// `is_taken` lets pass: as it is, or with `-2`, `-3` and so on behind it.
    ///
    /// # Errors
    /// What `is_taken` says.
    pub fn of_login<E>(
        login: &str,
        mut is_taken: impl FnMut(&str) -> std::result::Result<bool, E>,
    ) -> std::result::Result<Self, E> {
        let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '-' };
        let text: String = login.to_ascii_lowercase().chars().take(LONGEST).map(plain).collect();
        let text = text.trim_start_matches(['.', '_', '-']);
        let base = if text.is_empty() { "user" } else { text };
        if !RESERVED.contains(&base) && !is_taken(base)? {
            return Ok(Self(base.to_owned()));
        }
        let mut number: u64 = 2;
        loop {
            let suffix = format!("-{number}");
            let name = format!("{}{suffix}", &base[..base.len().min(LONGEST - suffix.len())]);
            if !is_taken(&name)? {
                return Ok(Self(name));
            }
            number += 1;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_form(text: &str) -> bool {
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    begins && text.len() <= LONGEST && text.bytes().all(is_plain)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_those_of_the_contract() {
        let long = "a".repeat(63);
        for good in ["a", "9", "acme", "a.b_c-d", "token2", &long] {
            assert!(Name::parse("a name", good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\n", "token", "admin", "app", "api", "new", "me", &too_long] {
            assert!(Name::parse("a name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_login_becomes_the_first_free_name() {
        let name = |login: &str, taken: &[&str]| {
            let name = Name::of_login(login, |name| Ok::<_, ()>(taken.contains(&name))).expect("nothing fails");
            assert!(Name::parse("a name", name.as_str()).is_ok(), "{name}");
            name.to_string()
        };
        assert_eq!(name("ada", &[]), "ada");
        assert_eq!(name("Ada.Lovelace", &[]), "ada.lovelace");
        assert_eq!(name("jane@x.io", &[]), "jane-x.io");
        assert_eq!(name("ünal", &[]), "nal");
        assert_eq!(name("李", &[]), "user");
        assert_eq!(name("", &["user"]), "user-2");
        assert_eq!(name("ada", &["ada", "ada-2"]), "ada-3");
        assert_eq!(name("admin", &[]), "admin-2");
        let long = "x".repeat(80);
        assert_eq!(name(&long, &[&long[..63]]), format!("{}-2", &long[..61]));
    }

    #[test]
    fn upper_case_is_told_what_to_write() {
        let error = Name::parse("the slug", "Acme").map(drop).expect_err("upper case").to_string();
        assert!(error.contains("(write `acme`)"), "{error}");
        let error = Name::parse("the slug", "Ac me").map(drop).expect_err("a space").to_string();
        assert!(!error.contains("write `"), "{error}");
    }
}
