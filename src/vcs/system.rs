//! Version control systems, and where in a Subversion repository a package is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::url::{Scheme, SourceUrl};

/// The version control system of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum System {
    /// Git.
    #[default]
    Git,
    /// Mercurial.
    Mercurial,
    /// Subversion.
    Subversion(Layout),
}

impl System {
    /// The word that commands and metadata have for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Mercurial => "hg",
            Self::Subversion(_) => "svn",
        }
    }

    /// The one that a word means; `layout` is Subversion's. None for other words.
    #[must_use]
    pub fn of(word: &str, layout: Layout) -> Option<Self> {
        match word {
            "git" => Some(Self::Git),
            "hg" => Some(Self::Mercurial),
            "svn" => Some(Self::Subversion(layout)),
            _ => None,
        }
    }

    /// The word of the one that an address alone tells, as Composer does (`SvnDriver::supports`).
    #[must_use]
    pub fn told_by(url: &SourceUrl) -> &'static str {
        let is_svn_host = || url.host_port().is_some_and(|(host, _)| host.starts_with("svn."));
        match url.scheme() {
            Scheme::Svn | Scheme::SvnSsh => "svn",
            Scheme::Https | Scheme::Http if is_svn_host() => "svn",
            _ => "git",
        }
    }

    /// Why repositories of this system cannot be at such an address; none if they can.
    #[must_use]
    pub fn refuses(&self, url: &SourceUrl) -> Option<String> {
        let written = url.as_str().split_once("://").map(|(scheme, _)| scheme);
        let is_web = matches!(url.scheme(), Scheme::Https | Scheme::Http);
        if *self == Self::Git && is_web && url.path().trim_matches('/').is_empty() {
            return Some(format!(
                "{url} has no repository path. Mercurial and Subversion repositories can be at the root of a host: name \
                 them by `--vcs hg` or `--vcs svn`"
            ));
        }
        let (name, forms, fits) = match self {
            Self::Git => {
                let fits = !matches!(url.scheme(), Scheme::Svn | Scheme::SvnSsh);
                ("Git", "https://, ssh:// or user@host:path", fits)
            }
            Self::Mercurial => {
                let fits = is_web || written == Some("ssh");
                ("Mercurial", "https:// or ssh:// (two slashes after the host for an absolute path)", fits)
            }
            Self::Subversion(_) => {
                let schemes = [Scheme::Https, Scheme::Http, Scheme::Svn, Scheme::SvnSsh];
                ("Subversion", "https://, svn+ssh:// or svn://", schemes.contains(&url.scheme()))
            }
        };
        (!fits).then(|| format!("{name} repositories are reached by {forms}, and not by {url}"))
    }
}

/// Where in a Subversion repository a package is: what Composer calls `trunk-path`, `branches-path`, `tags-path` and
/// `package-path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layout {
    /// The main line of development; none where it is the root of the address.
    pub trunk: Option<String>,
    /// The directory of the branches; none if there are none.
    pub branches: Option<String>,
    /// The directory of the tags; none if there are none.
    pub tags: Option<String>,
    /// The package's directory in each of them; none if it is the whole.
    pub package: Option<String>,
}

impl Default for Layout {
    fn default() -> Self {
        let usual = |name: &str| Some(name.to_owned());
        Self { trunk: usual("trunk"), branches: usual("branches"), tags: usual("tags"), package: None }
    }
}

/// A path in a repository that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path in a repository: write directories with slashes between them, without `.` and `..`")]
pub struct InvalidLayout(String);

impl Layout {
    /// Reads the paths as people give them: none means the usual one, `false` or nothing that there is none.
    ///
    /// # Errors
    /// [`InvalidLayout`] for what cannot be a path.
    pub fn parse(
        trunk: Option<&str>,
        branches: Option<&str>,
        tags: Option<&str>,
        package: Option<&str>,
    ) -> Result<Self, InvalidLayout> {
        let usual = Self::default();
        let read = |given: Option<&str>, usual: Option<String>| match given {
            None => Ok(usual),
            Some(text) => path(text),
        };
        Ok(Self {
            trunk: read(trunk, usual.trunk)?,
            branches: read(branches, usual.branches)?,
            tags: read(tags, usual.tags)?,
            package: read(package, usual.package)?,
        })
    }

    /// The directory to which the others are relative: the address without the trunk at its end.
    #[must_use]
    pub fn base<'a>(&self, url: &'a str) -> &'a str {
        let url = url.trim_end_matches('/');
        let Some(trunk) = &self.trunk else { return url };
        // As Composer does (`SvnDriver::initialize`), but at whole directories only.
        let inner = format!("/{trunk}/");
        let cut = url.strip_suffix(&format!("/{trunk}")).or_else(|| url.rfind(&inner).map(|at| &url[..at]));
        // A host is not cut off.
        cut.filter(|base| base.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.ends_with('/')))
            .unwrap_or(url)
    }

    /// How it is stored: JSON; none for the usual paths.
    #[must_use]
    pub fn stored(&self) -> Option<String> {
        // Four texts are always written.
        if *self == Self::default() { None } else { serde_json::to_string(self).ok() }
    }

    /// What tells packages of one repository apart: empty for the usual paths.
    #[must_use]
    pub fn key(&self) -> String {
        if *self == Self::default() { String::new() } else { format!("?{self}") }
    }
}

/// The paths as people read them: `trunk, branches, tags`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Option<String>| path.clone().unwrap_or_else(|| "false".to_owned());
        let Self { trunk, branches, tags, package } = self;
        write!(f, "trunk-path={}&branches-path={}&tags-path={}", shown(trunk), shown(branches), shown(tags))?;
        match package {
            Some(package) => write!(f, "&package-path={package}"),
            None => Ok(()),
        }
    }
}

fn path(text: &str) -> Result<Option<String>, InvalidLayout> {
    let path = text.trim().trim_matches('/');
    if path.is_empty() || path == "false" {
        return Ok(None);
    }
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    let wrong = path.len() > 1024 || path.chars().any(|c| c.is_control() || c == '\\') || path.split('/').any(odd);
    if wrong { Err(InvalidLayout(text.chars().take(200).collect())) } else { Ok(Some(path.to_owned())) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Layout, System};
    use crate::vcs::url::{SourceUrl, UrlPolicy};

    fn url(text: &str) -> SourceUrl {
        SourceUrl::parse(text, &UrlPolicy { allow_insecure: true, ..UrlPolicy::default() }).unwrap()
    }

    #[test]
    fn paths_are_those_of_composer() {
        assert_eq!(Layout::parse(None, None, None, None).unwrap(), Layout::default());
        let other = Layout::parse(Some("main/"), Some("false"), Some(""), Some("/packages/a/")).unwrap();
        assert_eq!(other.trunk.as_deref(), Some("main"));
        assert_eq!((other.branches, other.tags), (None, None));
        assert_eq!(other.package.as_deref(), Some("packages/a"));
        for wrong in ["../x", "a//b", "a/./b", "a\nb", "a\\b"] {
            assert!(Layout::parse(None, None, None, Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_trunk_at_the_end_of_an_address_is_cut_off() {
        let usual = Layout::default();
        for (address, base) in [
            ("https://h/svn/p", "https://h/svn/p"),
            ("https://h/svn/p/", "https://h/svn/p"),
            ("https://h/svn/p/trunk", "https://h/svn/p"),
            ("https://h/svn/p/trunk/", "https://h/svn/p"),
            ("https://h/svn/trunks/p", "https://h/svn/trunks/p"),
            ("svn://trunk", "svn://trunk"),
        ] {
            assert_eq!(usual.base(address), base, "{address}");
        }
        assert_eq!(Layout { trunk: None, ..usual }.base("https://h/p/trunk"), "https://h/p/trunk");
    }

    #[test]
    fn each_system_has_its_addresses() {
        let svn = System::Subversion(Layout::default());
        for (text, told, accepted) in [
            ("https://h.example/a", "git", [true, true, true]),
            ("https://svn.example/a", "svn", [true, true, true]),
            ("https://h.example/", "git", [false, true, true]),
            ("ssh://u@h.example//a", "git", [true, true, false]),
            ("git@h.example:a", "git", [true, false, false]),
            ("svn://h.example/a", "svn", [false, false, true]),
            ("svn+ssh://h.example/a", "svn", [false, false, true]),
            ("git://h.example/a", "git", [true, false, false]),
        ] {
            let url = url(text);
            assert_eq!(System::told_by(&url), told, "{text}");
            let fits = [&System::Git, &System::Mercurial, &svn].map(|system| system.refuses(&url).is_none());
            assert_eq!(fits, accepted, "{text}");
        }
    }
}
