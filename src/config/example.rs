//! `config.example.toml`, written from the list of keys, so that it cannot fall behind. A test compares it with the file in the
//! repository.

use std::fmt::Write as _;

use crate::config::integration::only_for;
use crate::config::keys::{IntegrationKeys, TypedConfig};
use crate::config::section::{Kind, Section};
use crate::platform::PlatformKind;

const HEADING: &str = "\
# Configuration of packagist-selfhosted.
#
# Every key is shown with its default, or with an example where it has none. To set one, remove the `#`
# in front of it. With no key set, the server runs on http://127.0.0.1:8080 with its data below ./data.
#
# The file is looked for as --config says, then as PACKAGIST_SELFHOSTED_CONFIG says, then as
# ./config.toml and /etc/packagist-selfhosted/config.toml. `packagist-selfhosted check` validates it.
#
# - Relative paths are relative to the directory of this file.
# - Any secret `x` can be given as `x_file` instead: a path, read at start (systemd's LoadCredential fits).
# - Any key can be set by a variable, which beats this file: PACKAGIST_SELFHOSTED__SERVER__LISTEN,
#   PACKAGIST_SELFHOSTED__OUTBOUND__NO_PROXY=\"a.example.com, b.example.com\",
#   PACKAGIST_SELFHOSTED__INTEGRATION__GHE__CLIENT_SECRET (an integration by its id).
# - Times are numbers with s, m, h, d or w.
";

/// The example file.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(HEADING);
    for section in TypedConfig::default().sections_mut() {
        // A section that changes something by being there is a comment too.
        let mark = if section.path() == "server.tls" { "#" } else { "" };
        block(&mut text, section, &format!("{mark}[{}]", section.path()), |key| Some(shown(section, key)));
    }
    for platform in
        [PlatformKind::GitHub, PlatformKind::GitLab, PlatformKind::BitbucketCloud, PlatformKind::BitbucketDataCenter]
    {
        integration(&mut text, platform);
    }
    text
}

/// Writes heading and keys; `value` gives what stands behind a key, or leaves it out.
fn block(text: &mut String, section: &dyn Section, heading: &str, value: impl Fn(&str) -> Option<String>) {
    text.push('\n');
    comment(text, section.help());
    push_line(text, heading);
    for (number, key) in section.keys().iter().enumerate() {
        if let Some(line) = value(key.name) {
            if number > 0 {
                text.push('\n');
            }
            comment(text, key.help);
            push_line(text, &format!("#{line}"));
        }
    }
}

fn shown(section: &dyn Section, name: &str) -> String {
    let key = section.keys().iter().find(|key| key.name == name);
    key.map_or_else(String::new, |key| match key.kind {
        // A key of many lines is better shown as a file.
        Kind::Secret if name.ends_with("private_key") => {
            format!("{name}_file = \"{}.pem\"", name.replace('_', "-"))
        }
        _ => format!("{name} = {}", key.shown.text()),
    })
}

/// The first block tells about all keys; the others show what differs.
fn integration(text: &mut String, platform: PlatformKind) {
    let section = IntegrationKeys::default();
    let is_first = platform == PlatformKind::GitHub;
    let fits = |key: &str| only_for(key).is_none_or(|only| only == platform);
    if is_first {
        block(text, &section, "#[[integration]]", |key| fits(key).then(|| shown(&section, key)));
        return;
    }
    push_line(text, &format!("\n# {}", platform.display_name()));
    push_line(text, "#[[integration]]");
    for key in section.keys().iter().filter(|key| fits(key.name)) {
        let line = match key.name {
            "id" => format!("id = \"{platform}\""),
            "platform" => format!("platform = \"{platform}\""),
            "url" => format!("url = \"{}\"", platform.public_url().unwrap_or("https://bitbucket.example.com")),
            "name" | "login" | "link_by_email" => continue,
            name => shown(&section, name),
        };
        if only_for(key.name).is_some() {
            // These exclude others above: prose, so that all settings of the file can stand together.
            comment(text, key.help);
            push_line(text, &format!("# {line}"));
        } else {
            push_line(text, &format!("#{line}"));
        }
    }
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        push_line(text, format!("# {}", line.trim()).trim_end());
    }
}

fn push_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}
