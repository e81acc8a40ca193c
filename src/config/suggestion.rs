//! "Did you mean …": the nearest of the right names, and how a wrong one is repeated.

/// The candidate nearest to `typed`, if it is near enough to be what was meant: a third of its characters may differ.
pub fn nearest<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let typed: String = typed.to_lowercase().chars().take(64).collect();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&typed, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean …?` or nothing, to stand behind a message.
pub fn hint<'c>(typed: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(typed, candidates).map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

/// What a user typed, as messages repeat it: without line breaks and control characters, and not longer than is useful.
pub fn shown(typed: &str) -> String {
    let mut text: String = typed.escape_debug().take(80).collect();
    if text.len() < typed.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest, shown};

    #[test]
    fn typed_text_is_repeated_in_one_short_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(1_000)), "x".repeat(80) + "…");
    }

    #[test]
    fn the_nearest_and_only_if_near() {
        let names = ["listen", "public_url", "data_dir"];
        assert_eq!(nearest("lisen", names), Some("listen"));
        assert_eq!(nearest("Public-URL", names), Some("public_url"));
        assert_eq!(nearest("datadir", names), Some("data_dir"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(hint("lisen", names), ": did you mean `listen`?");
        assert_eq!(hint(&"x".repeat(1_000_000), names), "");
    }
}
