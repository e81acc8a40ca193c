//! Fifty rows of a list that is at hand as a whole, such as an organization's people. A page begins behind a key, so that
//! it stays where it is when somebody above it comes or goes.

use maud::{Markup, html};
use url::form_urlencoded;

use super::components::{number, pager};

/// Rows on one page.
const SHOWN: usize = 50;

/// What is shown of a list.
pub(super) struct Stretch<'a, T> {
    /// The rows.
    pub(super) rows: &'a [T],
    /// How many are before them.
    skipped: usize,
    /// How many there are.
    total: usize,
    previous: Option<String>,
    next: Option<String>,
}

impl<'a, T> Stretch<'a, T> {
    /// The rows behind `after`, of a list in the order of its keys.
    pub(super) fn of(all: &'a [T], key: impl Fn(&T) -> &str, after: &str) -> Self {
        let skipped = if after.is_empty() { 0 } else { all.partition_point(|row| key(row) <= after) };
        let end = all.len().min(skipped + SHOWN);
        let rows = &all[skipped..end];
        let previous = (skipped > 0).then(|| match skipped.checked_sub(SHOWN + 1) {
            Some(before) => key(&all[before]).to_owned(),
            None => String::new(),
        });
        let next = rows.last().filter(|_| end < all.len()).map(|row| key(row).to_owned());
        Self { rows, skipped, total: all.len(), previous, next }
    }

    /// What stands below the list. `address` is the page's with whatever else it asks for; `field` names the key in it.
    pub(super) fn pager(&self, address: &str, query: &[(&str, &str)], field: &str, what: &str) -> Markup {
        if self.previous.is_none() && self.next.is_none() {
            return html! {};
        }
        let to = |key: &String| {
            let mut text = form_urlencoded::Serializer::new(String::new());
            for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
                text.append_pair(name, value);
            }
            if !key.is_empty() {
                text.append_pair(field, key);
            }
            format!("{address}?{}", text.finish())
        };
        let amount = |count: usize| number(i64::try_from(count).unwrap_or(i64::MAX));
        let shown = format!(
            "{} to {} of {} {what}",
            amount(self.skipped + 1),
            amount(self.skipped + self.rows.len()),
            amount(self.total)
        );
        pager(&shown, self.previous.as_ref().map(to).as_deref(), self.next.as_ref().map(to).as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::Stretch;

    #[test]
    fn pages_follow_each_other_both_ways() {
        let all: Vec<String> = (0..120).map(|number| format!("{number:03}")).collect();
        let at = |after: &str| Stretch::of(&all, String::as_str, after);
        let first = at("");
        assert_eq!((first.rows.len(), first.next.as_deref(), first.previous), (50, Some("049"), None));
        let second = at("049");
        assert_eq!((second.rows[0].as_str(), second.previous.as_deref()), ("050", Some("")));
        let last = at("099");
        assert_eq!((last.rows.len(), last.next, last.previous.as_deref()), (20, None, Some("049")));
        assert_eq!(at("zzz").rows.len(), 0);
        // The row that the page began behind is gone: the page stays.
        assert_eq!(at("0495").rows[0], "050");
    }
}
