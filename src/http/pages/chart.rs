//! Bars for what happened on each day.

use maud::{Markup, html};

use super::components::number;

/// How many days a chart shows.
pub const DAYS: i64 = 30;

/// The bars of the last [`DAYS`] days up to `today` (days since the epoch), from the days on which there was something.
#[must_use]
pub fn installs(days: &[(i64, i64)], today: i64) -> Markup {
    let counts: Vec<i64> = (today - DAYS + 1..=today)
        .map(|day| days.iter().find(|(known, _)| *known == day).map_or(0, |(_, count)| *count))
        .collect();
    let highest = counts.iter().copied().max().unwrap_or(0);
    let lowest = counts.iter().copied().min().unwrap_or(0);
    let label = format!(
        "Installs a day in the last {DAYS} days: lowest {}, highest {}, today {}",
        number(lowest),
        number(highest),
        number(counts.last().copied().unwrap_or(0))
    );
    html! {
        svg class="chart" viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (index, count) in counts.iter().enumerate() {
                @let height = if highest == 0 || *count == 0 { 1 } else { (count * 38 / highest).max(2) };
                rect x=(index * 8) y=(40 - height) width="6" height=(height) {}
            }
        }
    }
}

/// All of the days together.
#[must_use]
pub fn sum(days: &[(i64, i64)]) -> i64 {
    days.iter().map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::installs;

    #[test]
    fn a_day_without_anything_is_a_day_too() {
        let html = installs(&[(100, 50), (98, 10), (60, 99)], 100).into_string();
        assert_eq!(html.matches("<rect").count(), 30);
        assert!(html.contains("lowest 0, highest 50, today 50"), "{html}");
        assert!(html.contains(r#"x="232" y="2" width="6" height="38""#), "{html}");
        assert!(installs(&[], 5).into_string().contains("highest 0"));
    }
}
