//! What tokens may do: the scopes of classic tokens, of which one contains others, and the permissions of fine-grained
//! tokens and GitHub Apps, as GitHub's settings call them.

use crate::platform::answer::printable;

/// What each scope contains beside itself. GitHub does not name what is contained when it lists a token's scopes.
const CONTAINS: [(&str, &[&str]); 10] = [
    (
        "repo",
        &["public_repo", "repo:status", "repo_deployment", "admin:repo_hook", "write:repo_hook", "read:repo_hook"],
    ),
    ("admin:org", &["write:org", "read:org"]),
    ("write:org", &["read:org"]),
    ("admin:repo_hook", &["write:repo_hook", "read:repo_hook"]),
    ("write:repo_hook", &["read:repo_hook"]),
    ("user", &["read:user", "user:email", "user:follow"]),
    ("admin:enterprise", &["read:enterprise"]),
    ("admin:org_hook", &[]),
    ("public_repo", &[]),
    ("read:org", &[]),
];

/// Whether a list of scopes, as GitHub sends it, contains one.
pub(super) fn has(list: &str, wanted: &str) -> bool {
    let mut own = list.split(',').map(str::trim);
    own.any(|scope| scope == wanted || contained(scope).contains(&wanted))
}

/// How much a scope allows, for choosing the narrowest.
pub(super) fn breadth(scope: &str) -> usize {
    contained(scope).len()
}

fn contained(scope: &str) -> &'static [&'static str] {
    CONTAINS.iter().find(|(name, _)| *name == scope).map_or(&[], |(_, contains)| contains)
}

/// A permission as the settings call it, such as `Organization → Members: read`.
pub(super) fn permission(name: &str, level: &str) -> String {
    let title = match name {
        "metadata" => "Repository → Metadata",
        "contents" => "Repository → Contents",
        "administration" => "Repository → Administration",
        "repository_hooks" | "webhooks" => "Repository → Webhooks",
        "members" => "Organization → Members",
        "organization_hooks" => "Organization → Webhooks",
        "organization_administration" => "Organization → Administration",
        "organization_custom_roles" => "Organization → Custom repository roles",
        "organization_custom_org_roles" => "Organization → Custom organization roles",
        "emails" => "Account → Email addresses",
        other => return format!("{}: {}", printable(other, 60), printable(level, 20)),
    };
    format!("{title}: {}", printable(level, 20))
}

#[cfg(test)]
mod tests {
    use super::{has, permission};

    #[test]
    fn scopes_contain_others() {
        assert!(has("admin:org, repo", "read:org"));
        assert!(has("repo", "write:repo_hook"));
        assert!(!has("repo", "read:org"));
        assert!(!has("admin:org", "admin:org_hook"));
        assert!(!has("", "repo"));
    }

    #[test]
    fn permissions_have_the_names_of_the_settings() {
        assert_eq!(permission("members", "read"), "Organization → Members: read");
        assert_eq!(permission("some\nthing", "read"), "some thing: read");
    }
}
