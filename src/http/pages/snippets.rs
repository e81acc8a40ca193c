//! What one pastes so that Composer uses a repository: the real addresses, and the token where it is known at this moment.

use maud::{Markup, html};

use super::components::{snippet, snippet_line};

/// The ways to give Composer a token: a command, files, and the CI services.
#[must_use]
pub fn setup(public_url: &str, host: &str, slug: &str, token: Option<&str>) -> Markup {
    let variable = variable(slug);
    let token = token.unwrap_or("YOUR_TOKEN");
    let json =
        |password: &str| format!(r#"{{"http-basic":{{"{host}":{{"username":"token","password":"{password}"}}}}}}"#);
    html! {
        nav class="tabs" aria-label="Where the token is used" {
            a href="#u-cmd" { "Command" }
            a href="#u-auth" { "auth.json" }
            a href="#u-env" { "COMPOSER_AUTH" }
            a href="#u-gha" { "GitHub Actions" }
            a href="#u-gl" { "GitLab CI" }
            a href="#u-bb" { "Bitbucket Pipelines" }
        }
        div class="stack" {
            div id="u-cmd" {
                (snippet_line("s-cmd", "Once per machine", &format!("composer config --global --auth http-basic.{host} token {token}")))
                (snippet_line("s-repo", "Once per project", &format!("composer config repositories.{slug} composer {public_url}/repo/{slug}")))
            }
            div id="u-auth" { (snippet("s-auth", "auth.json, beside composer.json and never committed", &auth_json(host, token))) }
            div id="u-env" { (snippet_line("s-env", "Any shell or container", &format!("export COMPOSER_AUTH='{}'", json(token)))) }
            div id="u-gha" { (snippet("s-gha", "GitHub Actions, .github/workflows/ci.yml", &github(&json(&format!("${{{{ secrets.{variable} }}}}"))))) }
            div id="u-gl" { (snippet("s-gl", "GitLab CI, .gitlab-ci.yml", &gitlab(&variable, &json(&format!("${variable}"))))) }
            div id="u-bb" { (snippet("s-bb", "Bitbucket Pipelines, bitbucket-pipelines.yml", &bitbucket(host, &variable))) }
        }
    }
}

fn auth_json(host: &str, token: &str) -> String {
    format!(
        r#"{{
    "http-basic": {{
        "{host}": {{
            "username": "token",
            "password": "{token}"
        }}
    }}
}}"#
    )
}

fn github(json: &str) -> String {
    format!(
        "env:\n  COMPOSER_AUTH: >-\n    {json}\nsteps:\n  - uses: actions/checkout@v4\n  - run: composer install --no-interaction"
    )
}

fn gitlab(variable: &str, json: &str) -> String {
    format!(
        "variables:\n  # {variable}: Settings > CI/CD > Variables, masked\n  COMPOSER_AUTH: '{json}'\ninstall:\n  script:\n    - composer install --no-interaction"
    )
}

fn bitbucket(host: &str, variable: &str) -> String {
    format!(
        "- step:\n    script:\n      - composer config --global --auth http-basic.{host} token ${variable}\n      - composer install --no-interaction"
    )
}

/// The name of the CI variable that holds a token: `nord-werk` is `NORD_WERK_TOKEN`.
fn variable(slug: &str) -> String {
    let name: String = slug
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
        .collect();
    // A variable's name does not begin with a digit.
    if name.starts_with(|letter: char| letter.is_ascii_digit()) {
        format!("_{name}_TOKEN")
    } else {
        format!("{name}_TOKEN")
    }
}

#[cfg(test)]
mod tests {
    use super::{setup, variable};

    #[test]
    fn what_is_pasted_is_filled_in() {
        let html = setup("https://p.example.com:8443", "p.example.com:8443", "acme", Some("pksh_x")).into_string();
        for part in [
            "http-basic.p.example.com:8443 token pksh_x",
            "repositories.acme composer https://p.example.com:8443/repo/acme",
            "${{ secrets.ACME_TOKEN }}",
            "&quot;password&quot;:&quot;$ACME_TOKEN&quot;",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
    }

    #[test]
    fn a_variable_has_a_name_that_shells_take() {
        assert_eq!([variable("nord-werk"), variable("1.a")], ["NORD_WERK_TOKEN", "_1_A_TOKEN"]);
    }
}
