//! `config.toml` and variables: everything that is wrong has a place, which is there.

use std::path::Path;

use packagist_selfhosted::config::{Config, Overrides, Place};

const PATH: &str = "/nonexistent/config.toml";

/// The input is a file, and behind a line of `----` an environment of lines `NAME=value`.
pub fn check(data: &[u8]) {
    let Some(parts) = super::parts(data) else { return };
    let text = parts[0];
    // Files that are named would be read, and some of this machine never end.
    if ["/dev", "/proc", "/sys", "/run"].iter().any(|place| parts.iter().any(|part| part.contains(place))) {
        return;
    }
    let environment: Vec<(String, String)> = parts
        .get(1)
        .iter()
        .flat_map(|part| part.lines())
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (format!("PACKAGIST_SELFHOSTED__{name}"), value.to_owned()))
        .collect();
    match Config::from_text(text, Path::new(PATH), environment.clone(), &Overrides::default()) {
        Ok(config) => {
            assert!((1..=256).contains(&config.jobs.workers));
            assert!(config.server.data_dir.is_absolute());
            let public = config.server.public_url.as_str();
            assert!(
                public.starts_with("http") && !public.ends_with('/') && !public.contains(['@', '?', '#']),
                "{public}"
            );
            let mut ids: Vec<_> = config.integrations.iter().map(|integration| integration.id.as_str()).collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "ids are unique: {ids:?}");
            let _ = format!("{config:?}");
            config.warnings.iter().for_each(|warning| placed(&warning.place, text, &environment));
        }
        Err(errors) => {
            assert!(!errors.problems().is_empty(), "a refusal has a reason");
            for problem in errors.problems() {
                placed(&problem.place, text, &environment);
                let message = problem.to_string();
                assert!(!message.is_empty() && !message.contains(['\n', '\r', '\u{1b}']), "{message:?}");
                assert!(message.len() < 2000, "a message that nobody reads: {message}");
            }
        }
    }
}

fn placed(place: &Place, text: &str, environment: &[(String, String)]) {
    match place {
        Place::File { file, line, column } => {
            assert_eq!(&**file, PATH);
            let lines: Vec<&str> = text.split('\n').collect();
            let content = lines.get(line - 1).unwrap_or_else(|| panic!("{place} of {} lines", lines.len()));
            assert!((1..=content.chars().count() + 1).contains(column), "{place}, where {content:?} stands");
        }
        Place::WholeFile(file) => assert_eq!(&**file, PATH),
        Place::Variable(name) => {
            let known = environment.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
            assert!(known, "{name} is no variable that was set");
        }
        Place::Argument(argument) => panic!("{argument} was not given"),
        Place::Default => {}
    }
}
