//! How a package's webhook is entered on each platform. The one that the package's repository is at stands open.

use maud::{Markup, html};

use super::super::super::components::{snippet, snippet_line};

/// A place that can call, what is to be done there, and a command where there is one.
struct Place {
    id: &'static str,
    name: &'static str,
    /// What addresses of repositories there have in them.
    signs: &'static [&'static str],
    steps: &'static [&'static str],
    /// Where the secret goes; nowhere if it cannot be shown there.
    secret: &'static str,
}

const PLACES: [Place; 8] = [
    Place {
        id: "github",
        name: "GitHub",
        signs: &["github."],
        steps: &[
            "Open the repository’s Settings → Webhooks → Add webhook.",
            "Paste the address as Payload URL, and choose the content type application/json.",
            "Leave “Just the push event”, or choose Branch or tag creation and deletion too, and press Add webhook.",
        ],
        secret: "the field Secret",
    },
    Place {
        id: "gitlab",
        name: "GitLab",
        signs: &["gitlab."],
        steps: &[
            "Open the project’s Settings → Webhooks → Add new webhook.",
            "Paste the address as URL, and choose the triggers Push events and Tag push events.",
            "Press Add webhook; Test → Push events shows whether it arrives.",
        ],
        secret: "the field Secret token, or Signing token from version 19 on",
    },
    Place {
        id: "bitbucket",
        name: "Bitbucket Cloud and Data Center",
        signs: &["bitbucket."],
        steps: &[
            "Open Repository settings → Webhooks → Add (Create) webhook.",
            "Paste the address as URL, and choose the trigger Push.",
            "Save it. In Data Center, Test connection shows whether it arrives.",
        ],
        secret: "the field Secret",
    },
    Place {
        id: "gitea",
        name: "Gitea, Forgejo and Gogs",
        signs: &["gitea.", "forgejo.", "codeberg.org", "gogs."],
        steps: &[
            "Open the repository’s Settings → Webhooks → Add webhook → Gitea (Forgejo, Gogs).",
            "Paste the address as Target URL; keep POST and application/json.",
            "Choose Push events, or custom events with Create, Delete and Push, and press Add webhook.",
        ],
        secret: "the field Secret",
    },
    Place {
        id: "azure",
        name: "Azure DevOps",
        signs: &["dev.azure.com", "visualstudio.com", "/_git/"],
        steps: &[
            "Open Project settings → Service hooks → Create subscription → Web Hooks.",
            "Choose the trigger Code pushed and this repository, for any branch.",
            "Paste the address as URL, press Test, then Finish. No authentication is needed.",
        ],
        secret: "Basic authentication password, with any user name",
    },
    Place {
        id: "codecommit",
        name: "AWS CodeCommit",
        signs: &["git-codecommit"],
        steps: &[
            "In Amazon SNS, make a standard topic in the repository’s region, and under it a subscription of the protocol HTTPS with the address as endpoint.",
            "It is confirmed from here within seconds, if this server can reach Amazon; otherwise this page shows what to open.",
            "In CodeCommit, open the repository’s Settings → Triggers → Create trigger: choose “All repository events”, so that tags count too, and the topic.",
        ],
        secret: "the endpoint, as https://any:SECRET@…",
    },
    Place {
        id: "beanstalk",
        name: "Beanstalk",
        signs: &["beanstalkapp.com"],
        steps: &[
            "Open the repository’s Settings → Integrations → Modular webhooks.",
            "Paste the address, and choose push and the creation and deletion of branches and tags.",
        ],
        secret: "the address, as https://any:SECRET@…",
    },
    Place {
        id: "other",
        name: "Anything else",
        signs: &[],
        steps: &[
            "A POST with any body, or none, has the whole repository looked at. For a plain Git server, this is its hook post-receive; for Subversion, post-commit; for Mercurial, changegroup. Where nothing can call after a push, cron can.",
        ],
        secret: "the header X-Webhook-Token, or as a password with any user name",
    },
];

pub(super) fn section(address: &str, url: &str, is_signed: bool) -> Markup {
    let here = place_of(url);
    html! {
        section aria-labelledby="h-e" {
            h2 id="h-e" { "How to enter it" }
            div class="stack" {
                @for place in &PLACES {
                    details class="more" id={ "e-" (place.id) } open[place.id == here] {
                        summary { (place.name) }
                        div class="prose gap-s" {
                            @match place.steps {
                                [only] => p { (only) },
                                steps => ol { @for step in steps { li { (step) } } },
                            }
                        }
                        @if is_signed { p class="hint gap-s" { "The secret goes into " (place.secret) "." } }
                        @if place.id == "other" { (commands(address, is_signed)) }
                    }
                }
            }
        }
    }
}

fn commands(address: &str, is_signed: bool) -> Markup {
    let header = if is_signed { "-H \"X-Webhook-Token: $SECRET\" " } else { "" };
    let curl = format!("curl -fsS -m 10 {header}-X POST {address}");
    html! {
        div class="stack gap-s" {
            (snippet_line("e-curl", "Anywhere", &curl))
            // What a hook leaves open, whoever pushes waits for.
            (snippet("e-hook", "hooks/post-receive or hooks/post-commit, executable", &format!("#!/bin/sh\n{curl} >/dev/null 2>&1 &")))
            (snippet("e-hg", ".hg/hgrc of a Mercurial repository", &format!("[hooks]\nchangegroup.packages = {curl} >/dev/null\npushkey.packages = {curl} >/dev/null")))
            (snippet_line("e-cron", "crontab", &format!("*/10 * * * * {curl} >/dev/null")))
        }
    }
}

/// Where a repository is, as far as its address tells.
fn place_of(url: &str) -> &'static str {
    let url = url.to_ascii_lowercase();
    let found = PLACES.iter().find(|place| place.signs.iter().any(|sign| url.contains(sign)));
    found.map_or("other", |place| place.id)
}

#[cfg(test)]
mod tests {
    use super::{place_of, section};

    #[test]
    fn the_repositorys_own_platform_is_open() {
        for (url, place) in [
            ("https://github.com/a/b", "github"),
            ("git@gitlab.example.com:a/b.git", "gitlab"),
            ("https://dev.azure.com/o/p/_git/r", "azure"),
            ("https://tfs.example.com/tfs/c/p/_git/r", "azure"),
            ("https://git-codecommit.us-east-2.amazonaws.com/v1/repos/r", "codecommit"),
            ("https://codeberg.org/a/b", "gitea"),
            ("https://git.example.com/a/b", "other"),
        ] {
            assert_eq!(place_of(url), place, "{url}");
            let html = section("https://h.example/hooks/x", url, false).into_string();
            assert!(html.contains(&format!("id=\"e-{place}\" open>")), "{html}");
            assert_eq!(html.matches("\" open>").count(), 1, "{html}");
        }
    }

    #[test]
    fn the_secret_is_spoken_of_where_there_is_one() {
        let html = |signed| section("https://h.example/hooks/x", "x", signed).into_string();
        assert!(html(true).contains("X-Webhook-Token: $SECRET"));
        assert!(!html(false).contains("SECRET"));
    }
}
